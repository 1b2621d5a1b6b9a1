-- People who take evaluations themselves, and the keys with which they log in to its sandbox.
CREATE TABLE human (
    pk             TEXT    NOT NULL PRIMARY KEY,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    name           TEXT    NOT NULL UNIQUE,
    ssh_public_key TEXT    NOT NULL,
    created_by     TEXT    NOT NULL
) STRICT;
