-- What the logs say. Instants are microseconds UTC; JSON and UUIDs are text, because a column of type jsonb would have
-- numeric affinity. Every row can be made again from the logs.

CREATE TABLE eval (
    pk                    TEXT PRIMARY KEY,
    created_at            INTEGER NOT NULL, -- when the eval was made, as its log says
    updated_at            INTEGER NOT NULL,
    first_imported_at     INTEGER NOT NULL,
    last_imported_at      INTEGER NOT NULL,
    eval_set_id           TEXT NOT NULL,
    id                    TEXT NOT NULL UNIQUE, -- Inspect's eval_id
    task_id               TEXT NOT NULL,
    task_name             TEXT NOT NULL,
    task_version          TEXT,
    task_args             TEXT,
    epochs                INTEGER CHECK (epochs >= 0),
    total_samples         INTEGER NOT NULL CHECK (total_samples >= 0),
    completed_samples     INTEGER NOT NULL CHECK (completed_samples >= 0),
    location              TEXT NOT NULL,
    log_key               TEXT NOT NULL, -- key of the log in the store
    file_size_bytes       INTEGER NOT NULL CHECK (file_size_bytes >= 0),
    file_hash             TEXT NOT NULL,
    file_last_modified    INTEGER NOT NULL,
    created_by            TEXT,
    status                TEXT NOT NULL CHECK (status IN ('started', 'success', 'cancelled', 'error')),
    import_status         TEXT NOT NULL CHECK (import_status IN ('pending', 'importing', 'success', 'failed')),
    started_at            INTEGER,
    completed_at          INTEGER,
    error_message         TEXT,
    error_traceback       TEXT,
    agent                 TEXT,
    plan                  TEXT NOT NULL DEFAULT '{}',
    model                 TEXT NOT NULL,
    model_usage           TEXT NOT NULL DEFAULT '{}',
    model_generate_config TEXT,
    model_args            TEXT,
    sandbox_type          TEXT,
    sandbox_config        TEXT,
    model_groups          TEXT NOT NULL, -- array; who lacks one of them, or when there is none, sees nothing
    meta                  TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE INDEX eval_by_set ON eval (eval_set_id, created_at DESC, pk DESC);
CREATE INDEX eval_by_creation ON eval (created_at DESC, pk DESC);
CREATE INDEX eval_by_log ON eval (log_key);
CREATE INDEX eval_by_model ON eval (model);

CREATE TABLE sample (
    pk                       TEXT PRIMARY KEY,
    created_at               INTEGER NOT NULL,
    updated_at               INTEGER NOT NULL,
    first_imported_at        INTEGER NOT NULL,
    last_imported_at         INTEGER NOT NULL,
    eval_pk                  TEXT NOT NULL REFERENCES eval (pk) ON DELETE CASCADE,
    id                       TEXT NOT NULL,
    uuid                     TEXT NOT NULL UNIQUE,
    epoch                    INTEGER NOT NULL CHECK (epoch >= 0),
    started_at               INTEGER,
    completed_at             INTEGER,
    invalidation_timestamp   INTEGER,
    invalidation_author      TEXT,
    invalidation_reason      TEXT,
    is_invalid               INTEGER NOT NULL GENERATED ALWAYS AS (
                                 invalidation_timestamp IS NOT NULL OR invalidation_author IS NOT NULL
                                 OR invalidation_reason IS NOT NULL) VIRTUAL,
    input                    TEXT NOT NULL,
    output                   TEXT,
    input_tokens             INTEGER,
    output_tokens            INTEGER,
    reasoning_tokens         INTEGER,
    total_tokens             INTEGER,
    input_tokens_cache_read  INTEGER,
    input_tokens_cache_write INTEGER,
    action_count             INTEGER,
    message_count            INTEGER,
    working_time_seconds     REAL,
    total_time_seconds       REAL,
    generation_time_seconds  REAL,
    model_usage              TEXT,
    error_message            TEXT,
    error_traceback          TEXT,
    error_traceback_ansi     TEXT,
    "limit"                  TEXT CHECK ("limit" IN ('context', 'time', 'working', 'message', 'token', 'cost',
                                 'operator', 'custom')),
    status                   TEXT NOT NULL GENERATED ALWAYS AS (
                                 CASE WHEN error_message IS NOT NULL THEN 'error'
                                      WHEN "limit" IS NOT NULL THEN "limit" || '_limit'
                                      ELSE 'success' END) VIRTUAL,
    message_limit            INTEGER,
    token_limit              INTEGER,
    time_limit_seconds       REAL,
    working_limit            INTEGER,
    cost_limit               REAL,
    search_text              TEXT NOT NULL, -- id, task, eval, set, location, model
    is_provisional           INTEGER NOT NULL DEFAULT 0, -- from a summary; the sample itself is still to be read
    meta                     TEXT NOT NULL DEFAULT '{}',
    UNIQUE (eval_pk, id, epoch)
) STRICT;
CREATE INDEX sample_by_eval ON sample (eval_pk, completed_at DESC, pk DESC);
CREATE INDEX sample_by_completion ON sample (completed_at DESC, pk DESC);

CREATE TABLE score (
    pk              TEXT PRIMARY KEY,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    sample_pk       TEXT NOT NULL REFERENCES sample (pk) ON DELETE CASCADE,
    sample_uuid     TEXT,
    score_uuid      TEXT,
    value           TEXT NOT NULL, -- JSON
    value_float     REAL,          -- of a finite number
    value_nonfinite TEXT CHECK (value_nonfinite IN ('nan', 'inf', '-inf')),
    explanation     TEXT,
    answer          TEXT,
    scorer          TEXT NOT NULL,
    is_intermediate INTEGER NOT NULL DEFAULT 0,
    scored_at       INTEGER,
    model_usage     TEXT,
    history         TEXT,
    meta            TEXT NOT NULL DEFAULT '{}',
    UNIQUE (sample_pk, scorer)
) STRICT;

CREATE TABLE sample_model (
    sample_pk TEXT NOT NULL REFERENCES sample (pk) ON DELETE CASCADE,
    model     TEXT NOT NULL,
    PRIMARY KEY (sample_pk, model)
) STRICT;
CREATE INDEX sample_model_by_model ON sample_model (model);

CREATE TABLE model_role (
    pk       TEXT PRIMARY KEY,
    type     TEXT NOT NULL CHECK (type IN ('eval', 'scan')),
    eval_pk  TEXT NOT NULL REFERENCES eval (pk) ON DELETE CASCADE,
    role     TEXT NOT NULL,
    model    TEXT NOT NULL,
    config   TEXT,
    base_url TEXT,
    args     TEXT,
    UNIQUE (eval_pk, role, model)
) STRICT;

-- Logs that could not be read, so that the same bytes are not tried again and the reason can be shown.
CREATE TABLE import_failure (
    log_key     TEXT PRIMARY KEY,
    eval_set_id TEXT NOT NULL,
    location    TEXT NOT NULL,
    file_hash   TEXT NOT NULL,
    kind        TEXT NOT NULL,
    reason      TEXT NOT NULL,
    failed_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX import_failure_by_set ON import_failure (eval_set_id);
