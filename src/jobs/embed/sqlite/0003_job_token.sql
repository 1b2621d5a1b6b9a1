-- The tokens of jobs that are not over, as hashes. Instants are microseconds UTC.
CREATE TABLE job_token (
    job_id     TEXT NOT NULL PRIMARY KEY,
    hash       TEXT NOT NULL UNIQUE,
    attempt    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
