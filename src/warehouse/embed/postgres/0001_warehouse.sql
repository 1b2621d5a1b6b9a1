-- What the logs say. Instants are microseconds UTC and flags are 0 or 1, as in SQLite, so that one program text serves
-- both. Every row can be made again from the logs.

CREATE TABLE eval (
    pk                    text PRIMARY KEY,
    created_at            bigint NOT NULL, -- when the eval was made, as its log says
    updated_at            bigint NOT NULL,
    first_imported_at     bigint NOT NULL,
    last_imported_at      bigint NOT NULL,
    eval_set_id           text NOT NULL,
    id                    text NOT NULL UNIQUE, -- Inspect's eval_id
    task_id               text NOT NULL,
    task_name             text NOT NULL,
    task_version          text,
    task_args             jsonb,
    epochs                bigint CHECK (epochs >= 0),
    total_samples         bigint NOT NULL CHECK (total_samples >= 0),
    completed_samples     bigint NOT NULL CHECK (completed_samples >= 0),
    location              text NOT NULL,
    log_key               text NOT NULL, -- key of the log in the store
    file_size_bytes       bigint NOT NULL CHECK (file_size_bytes >= 0),
    file_hash             text NOT NULL,
    file_last_modified    bigint NOT NULL,
    created_by            text,
    status                text NOT NULL CHECK (status IN ('started', 'success', 'cancelled', 'error')),
    import_status         text NOT NULL CHECK (import_status IN ('pending', 'importing', 'success', 'failed')),
    started_at            bigint,
    completed_at          bigint,
    error_message         text,
    error_traceback       text,
    agent                 text,
    plan                  jsonb NOT NULL DEFAULT '{}',
    model                 text NOT NULL,
    model_usage           jsonb NOT NULL DEFAULT '{}',
    model_generate_config jsonb,
    model_args            jsonb,
    sandbox_type          text,
    sandbox_config        jsonb,
    model_groups          jsonb NOT NULL, -- array; who lacks one of them, or when there is none, sees nothing
    meta                  jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX eval_by_set ON eval (eval_set_id, created_at DESC, pk DESC);
CREATE INDEX eval_by_creation ON eval (created_at DESC, pk DESC);
CREATE INDEX eval_by_log ON eval (log_key);
CREATE INDEX eval_by_model ON eval (model);

CREATE TABLE sample (
    pk                       text PRIMARY KEY,
    created_at               bigint NOT NULL,
    updated_at               bigint NOT NULL,
    first_imported_at        bigint NOT NULL,
    last_imported_at         bigint NOT NULL,
    eval_pk                  text NOT NULL REFERENCES eval (pk) ON DELETE CASCADE,
    id                       text NOT NULL,
    uuid                     text NOT NULL UNIQUE,
    epoch                    bigint NOT NULL CHECK (epoch >= 0),
    started_at               bigint,
    completed_at             bigint,
    invalidation_timestamp   bigint,
    invalidation_author      text,
    invalidation_reason      text,
    is_invalid               bigint NOT NULL GENERATED ALWAYS AS (
                                 CASE WHEN invalidation_timestamp IS NOT NULL OR invalidation_author IS NOT NULL
                                           OR invalidation_reason IS NOT NULL THEN 1 ELSE 0 END) STORED,
    input                    jsonb NOT NULL,
    output                   jsonb,
    input_tokens             bigint,
    output_tokens            bigint,
    reasoning_tokens         bigint,
    total_tokens             bigint,
    input_tokens_cache_read  bigint,
    input_tokens_cache_write bigint,
    action_count             bigint,
    message_count            bigint,
    working_time_seconds     double precision,
    total_time_seconds       double precision,
    generation_time_seconds  double precision,
    model_usage              jsonb,
    error_message            text,
    error_traceback          text,
    error_traceback_ansi     text,
    "limit"                  text CHECK ("limit" IN ('context', 'time', 'working', 'message', 'token', 'cost',
                                 'operator', 'custom')),
    status                   text NOT NULL GENERATED ALWAYS AS (
                                 CASE WHEN error_message IS NOT NULL THEN 'error'
                                      WHEN "limit" IS NOT NULL THEN "limit" || '_limit'
                                      ELSE 'success' END) STORED,
    message_limit            bigint,
    token_limit              bigint,
    time_limit_seconds       double precision,
    working_limit            bigint,
    cost_limit               double precision,
    search_text              text NOT NULL, -- id, task, eval, set, location, model
    is_provisional           bigint NOT NULL DEFAULT 0, -- from a summary; the sample itself is still to be read
    meta                     jsonb NOT NULL DEFAULT '{}',
    UNIQUE (eval_pk, id, epoch)
);
CREATE INDEX sample_by_eval ON sample (eval_pk, completed_at DESC NULLS LAST, pk DESC);
CREATE INDEX sample_by_completion ON sample (completed_at DESC NULLS LAST, pk DESC);

CREATE TABLE score (
    pk              text PRIMARY KEY,
    created_at      bigint NOT NULL,
    updated_at      bigint NOT NULL,
    sample_pk       text NOT NULL REFERENCES sample (pk) ON DELETE CASCADE,
    sample_uuid     text,
    score_uuid      text,
    value           jsonb NOT NULL, -- JSON
    value_float     double precision, -- of a finite number
    value_nonfinite text CHECK (value_nonfinite IN ('nan', 'inf', '-inf')),
    explanation     text,
    answer          text,
    scorer          text NOT NULL,
    is_intermediate bigint NOT NULL DEFAULT 0,
    scored_at       bigint,
    model_usage     jsonb,
    history         jsonb,
    meta            jsonb NOT NULL DEFAULT '{}',
    UNIQUE (sample_pk, scorer)
);

CREATE TABLE sample_model (
    sample_pk text NOT NULL REFERENCES sample (pk) ON DELETE CASCADE,
    model     text NOT NULL,
    PRIMARY KEY (sample_pk, model)
);
CREATE INDEX sample_model_by_model ON sample_model (model);

CREATE TABLE model_role (
    pk       text PRIMARY KEY,
    type     text NOT NULL CHECK (type IN ('eval', 'scan')),
    eval_pk  text NOT NULL REFERENCES eval (pk) ON DELETE CASCADE,
    role     text NOT NULL,
    model    text NOT NULL,
    config   jsonb,
    base_url text,
    args     jsonb,
    UNIQUE (eval_pk, role, model)
);

-- Logs that could not be read, so that the same bytes are not tried again and the reason can be shown.
CREATE TABLE import_failure (
    log_key     text PRIMARY KEY,
    eval_set_id text NOT NULL,
    location    text NOT NULL,
    file_hash   text NOT NULL,
    kind        text NOT NULL,
    reason      text NOT NULL,
    failed_at   bigint NOT NULL
);
CREATE INDEX import_failure_by_set ON import_failure (eval_set_id);
