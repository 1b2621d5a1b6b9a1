-- Which models there are, and which group each belongs to.
CREATE SCHEMA IF NOT EXISTS middleman;

CREATE TABLE middleman.model_group (
    pk         uuid        NOT NULL PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    name       text        NOT NULL UNIQUE
        CHECK (name NOT IN ('', '__unresolved__', 'hawk_api') AND name !~ '^code_group_')
);

CREATE TABLE middleman.model (
    pk             uuid        NOT NULL PRIMARY KEY,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    name           text        NOT NULL UNIQUE CHECK (name <> ''),
    model_group_pk uuid        NOT NULL REFERENCES middleman.model_group (pk) ON DELETE RESTRICT
);
CREATE INDEX model_by_group ON middleman.model (model_group_pk);

CREATE TABLE middleman.model_config (
    pk         uuid        NOT NULL PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    model_pk   uuid        NOT NULL UNIQUE REFERENCES middleman.model (pk) ON DELETE CASCADE,
    config     jsonb       NOT NULL DEFAULT '{}', -- lab, provider, dead, ...
    is_active  boolean     NOT NULL DEFAULT true
);
