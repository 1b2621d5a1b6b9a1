-- Messages on their way out, one for each change. Instants are INTEGER microseconds UTC.
CREATE TABLE notice (
    pk         TEXT    NOT NULL PRIMARY KEY,
    key        TEXT    NOT NULL UNIQUE,
    type       TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('waiting', 'sent', 'given_up')),
    tries      INTEGER NOT NULL DEFAULT 0,
    problem    TEXT,
    created_at INTEGER NOT NULL,
    next_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX notice_next ON notice (next_at) WHERE state = 'waiting';
