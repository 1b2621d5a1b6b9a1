-- Which group the code of a place is for.
CREATE TABLE code_group (
    pk         uuid        NOT NULL PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    name       text        NOT NULL UNIQUE
);

CREATE TABLE code_access_rule (
    pk            uuid        NOT NULL PRIMARY KEY,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    url_prefix    text        NOT NULL UNIQUE,
    code_group_pk uuid REFERENCES code_group (pk) -- NULL: for everybody
);
