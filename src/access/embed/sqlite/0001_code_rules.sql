-- Which group the code of a place is for.
CREATE TABLE code_group (
    pk         TEXT    NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    name       TEXT    NOT NULL UNIQUE
) STRICT;

CREATE TABLE code_access_rule (
    pk            TEXT    NOT NULL PRIMARY KEY,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    url_prefix    TEXT    NOT NULL UNIQUE,
    code_group_pk TEXT REFERENCES code_group (pk) -- NULL: for everybody
) STRICT;
