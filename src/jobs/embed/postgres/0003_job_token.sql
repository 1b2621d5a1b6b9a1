-- The tokens of jobs that are not over, as hashes. Instants are microseconds UTC.
CREATE TABLE job_token (
    job_id     text NOT NULL PRIMARY KEY,
    hash       text NOT NULL UNIQUE,
    attempt    bigint NOT NULL,
    expires_at bigint NOT NULL
);
