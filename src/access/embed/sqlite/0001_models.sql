-- Which models there are, and which group each belongs to.
CREATE TABLE model_group (
    pk         TEXT    NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    name       TEXT    NOT NULL UNIQUE CHECK (name NOT IN ('', '__unresolved__', 'hawk_api'))
) STRICT;

CREATE TABLE model (
    pk             TEXT    NOT NULL PRIMARY KEY,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    name           TEXT    NOT NULL UNIQUE CHECK (name <> ''),
    model_group_pk TEXT    NOT NULL REFERENCES model_group (pk) ON DELETE RESTRICT
) STRICT;
CREATE INDEX model_by_group ON model (model_group_pk);

CREATE TABLE model_config (
    pk         TEXT    NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    model_pk   TEXT    NOT NULL UNIQUE REFERENCES model (pk) ON DELETE CASCADE,
    config     TEXT    NOT NULL DEFAULT '{}', -- JSON: lab, provider, dead, ...
    is_active  INTEGER NOT NULL DEFAULT 1
) STRICT;
