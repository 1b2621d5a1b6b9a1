-- Jobs. Instants are INTEGER microseconds UTC; lists and documents are JSON in TEXT. Values of secrets are nowhere.
CREATE TABLE job (
    pk               TEXT    NOT NULL PRIMARY KEY,
    job_id           TEXT    NOT NULL UNIQUE,
    job_type         TEXT    NOT NULL CHECK (job_type IN ('eval-set', 'scan')),
    created_by       TEXT    NOT NULL,
    email            TEXT,
    launch_attempted INTEGER NOT NULL DEFAULT 1 CHECK (launch_attempted IN (0, 1)),
    model_groups     TEXT    NOT NULL DEFAULT '[]',
    priority         INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 2),
    secret_names     TEXT    NOT NULL DEFAULT '[]',
    config           TEXT    NOT NULL,
    allow_dirty      INTEGER NOT NULL DEFAULT 0 CHECK (allow_dirty IN (0, 1)),
    state            TEXT    NOT NULL
        CHECK (state IN ('queued', 'running', 'stopping', 'complete', 'failed', 'cancelled')),
    reason_code      TEXT    NOT NULL,
    reason           TEXT    NOT NULL,
    attempt          INTEGER NOT NULL CHECK (attempt >= 1),
    exit_code        INTEGER,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    queued_at        INTEGER NOT NULL,
    started_at       INTEGER,
    finished_at      INTEGER,
    deleted_at       INTEGER,
    failed_at        INTEGER
) STRICT;

CREATE INDEX job_created_by ON job (created_by);
CREATE INDEX job_created_at ON job (created_at DESC, pk DESC);
CREATE INDEX job_live ON job (state) WHERE state IN ('queued', 'running', 'stopping');
