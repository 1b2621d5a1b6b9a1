-- Jobs, with the names and types that people's SQL knows. Values of secrets are nowhere.
CREATE TYPE job_type_enum AS ENUM ('eval-set', 'scan');

CREATE TABLE job (
    pk               uuid        NOT NULL PRIMARY KEY,
    job_id           text        NOT NULL UNIQUE,
    job_type         job_type_enum NOT NULL,
    created_by       text        NOT NULL,
    email            text,
    launch_attempted boolean     NOT NULL DEFAULT true,
    model_groups     text[]      NOT NULL DEFAULT '{}',
    priority         bigint      NOT NULL CHECK (priority BETWEEN 0 AND 2),
    secret_names     text[]      NOT NULL DEFAULT '{}',
    config           text        NOT NULL,
    allow_dirty      boolean     NOT NULL DEFAULT false,
    state            text        NOT NULL
        CHECK (state IN ('queued', 'running', 'stopping', 'complete', 'failed', 'cancelled')),
    reason_code      text        NOT NULL,
    reason           text        NOT NULL,
    attempt          bigint      NOT NULL CHECK (attempt >= 1),
    exit_code        bigint,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    queued_at        timestamptz NOT NULL,
    started_at       timestamptz,
    finished_at      timestamptz,
    deleted_at       timestamptz,
    failed_at        timestamptz
);

CREATE INDEX job_created_by ON job (created_by);
CREATE INDEX job_created_at ON job (created_at DESC, pk DESC);
CREATE INDEX job_live ON job (state) WHERE state IN ('queued', 'running', 'stopping');
