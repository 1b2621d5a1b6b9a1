-- Messages on their way out, one for each change. Instants are microseconds UTC.
CREATE TABLE notice (
    pk         uuid   NOT NULL PRIMARY KEY,
    key        text   NOT NULL UNIQUE,
    type       text   NOT NULL,
    body       text   NOT NULL,
    state      text   NOT NULL CHECK (state IN ('waiting', 'sent', 'given_up')),
    tries      bigint NOT NULL DEFAULT 0,
    problem    text,
    created_at bigint NOT NULL,
    next_at    bigint NOT NULL
);

CREATE INDEX notice_next ON notice (next_at) WHERE state = 'waiting';
