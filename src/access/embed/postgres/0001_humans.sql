-- People who take evaluations themselves, and the keys with which they log in to its sandbox.
CREATE TABLE human (
    pk             uuid        NOT NULL PRIMARY KEY,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    name           text        NOT NULL UNIQUE,
    ssh_public_key text        NOT NULL,
    created_by     text        NOT NULL
);
