-- What the logs say. Names and types are those that users of the Python hawk have in their queries; every row can be
-- made again from the logs. What is ours beside them is said so.

CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- Time in front, so that keys come in order.
CREATE FUNCTION gen_uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
        PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
        52, 1), 53, 1), 'hex')::uuid
$$;

CREATE TYPE eval_status AS ENUM ('started', 'success', 'cancelled', 'error');
CREATE TYPE import_status AS ENUM ('pending', 'importing', 'success', 'failed');
CREATE TYPE limit_type AS ENUM ('context', 'time', 'working', 'message', 'token', 'cost', 'operator', 'custom');

CREATE TABLE eval (
    pk                    uuid PRIMARY KEY DEFAULT gen_uuid_v7(),
    created_at            timestamptz NOT NULL DEFAULT now(), -- when the eval was made, as its log says
    updated_at            timestamptz NOT NULL DEFAULT now(),
    first_imported_at     timestamptz NOT NULL DEFAULT now(),
    last_imported_at      timestamptz NOT NULL DEFAULT now(),
    meta                  jsonb NOT NULL DEFAULT '{}',
    eval_set_id           text NOT NULL,
    id                    text NOT NULL UNIQUE, -- Inspect's eval_id
    task_id               text NOT NULL,
    task_name             text NOT NULL,
    task_version          text,
    task_args             jsonb,
    epochs                integer CHECK (epochs >= 0),
    total_samples         integer NOT NULL CHECK (total_samples >= 0),
    completed_samples     integer NOT NULL CHECK (completed_samples >= 0),
    location              text NOT NULL,
    file_size_bytes       bigint NOT NULL CHECK (file_size_bytes >= 0),
    file_hash             text NOT NULL,
    file_last_modified    timestamptz NOT NULL,
    created_by            text,
    status                eval_status NOT NULL,
    import_status         import_status NOT NULL,
    started_at            timestamptz,
    completed_at          timestamptz,
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
    observed_model_names  text[],
    observed_model_groups text[] NOT NULL DEFAULT '{}',
    model_groups          text[] NOT NULL DEFAULT '{}', -- who lacks one of them, or when there is none, sees nothing
    code_groups           text[] NOT NULL DEFAULT '{__unresolved__}',
    buf_segment_id        integer NOT NULL DEFAULT 1,
    buf_member_idx        integer NOT NULL DEFAULT -1,
    buf_quarantined       jsonb NOT NULL DEFAULT '[]',
    buf_parked_at         timestamptz,
    buf_park_reason       text,
    -- ours
    log_key               text NOT NULL, -- key of the log in the store
    header                text           -- the log without its samples, as it is written
);
CREATE INDEX eval_by_set ON eval (eval_set_id, created_at DESC, pk DESC);
CREATE INDEX eval_by_creation ON eval (created_at DESC, pk DESC);
CREATE INDEX eval_by_log ON eval (log_key);
CREATE INDEX eval_by_model ON eval (model);
CREATE INDEX eval_by_model_groups ON eval USING gin (model_groups);

CREATE FUNCTION sample_status(error_message text, limit_reached limit_type) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN error_message IS NOT NULL THEN 'error'
                WHEN limit_reached IS NOT NULL THEN limit_reached::text || '_limit'
                ELSE 'success' END
$$;

CREATE TABLE sample (
    pk                       uuid PRIMARY KEY DEFAULT gen_uuid_v7(),
    created_at               timestamptz NOT NULL DEFAULT now(),
    updated_at               timestamptz NOT NULL DEFAULT now(),
    first_imported_at        timestamptz NOT NULL DEFAULT now(),
    last_imported_at         timestamptz NOT NULL DEFAULT now(),
    meta                     jsonb NOT NULL DEFAULT '{}',
    eval_pk                  uuid NOT NULL REFERENCES eval (pk) ON DELETE CASCADE,
    id                       text NOT NULL,
    uuid                     text NOT NULL UNIQUE,
    epoch                    integer NOT NULL CHECK (epoch >= 0),
    started_at               timestamptz,
    completed_at             timestamptz,
    invalidation_timestamp   timestamptz,
    invalidation_author      text,
    invalidation_reason      text,
    is_invalid               boolean NOT NULL GENERATED ALWAYS AS (
                                 invalidation_timestamp IS NOT NULL OR invalidation_author IS NOT NULL
                                 OR invalidation_reason IS NOT NULL) STORED,
    input                    jsonb NOT NULL,
    output                   jsonb,
    input_tokens             bigint,
    output_tokens            bigint,
    reasoning_tokens         bigint,
    total_tokens             bigint,
    input_tokens_cache_read  bigint,
    input_tokens_cache_write bigint,
    action_count             integer,
    message_count            integer,
    working_time_seconds     double precision,
    total_time_seconds       double precision,
    generation_time_seconds  double precision,
    model_usage              jsonb,
    sandbox_type             text,
    sandbox_config           jsonb,
    error_message            text,
    error_traceback          text,
    error_traceback_ansi     text,
    "limit"                  limit_type,
    status                   text NOT NULL GENERATED ALWAYS AS (sample_status(error_message, "limit")) STORED,
    message_limit            integer,
    token_limit              bigint,
    time_limit_seconds       double precision,
    working_limit            integer,
    cost_limit               double precision,
    search_text              text NOT NULL, -- id, task, eval, set, location, model
    is_provisional           boolean NOT NULL DEFAULT false, -- from a summary; the sample itself is still to be read
    buf_cursor               jsonb,
    -- ours: what a summary has beside
    target                   jsonb,
    choices                  jsonb,
    description              text,
    turn_count               integer,
    token_limit_usage        bigint,
    limit_reason             text,
    retries                  integer,
    fallbacks                integer,
    UNIQUE (eval_pk, id, epoch)
);
CREATE INDEX sample_by_eval ON sample (eval_pk, completed_at DESC NULLS LAST, pk DESC);
CREATE INDEX sample_by_completion ON sample (completed_at DESC NULLS LAST, pk DESC);
CREATE INDEX sample_by_text ON sample USING gin (search_text gin_trgm_ops);

CREATE TABLE score (
    pk              uuid PRIMARY KEY DEFAULT gen_uuid_v7(),
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    meta            jsonb NOT NULL DEFAULT '{}',
    sample_pk       uuid NOT NULL REFERENCES sample (pk) ON DELETE CASCADE,
    sample_uuid     text,
    score_uuid      text,
    value           jsonb NOT NULL,
    value_float     double precision, -- NaN and infinities as well
    explanation     text,
    answer          text,
    scorer          text NOT NULL,
    is_intermediate boolean NOT NULL DEFAULT false,
    scored_at       timestamptz,
    model_usage     jsonb,
    history         jsonb,
    -- ours
    value_nonfinite text CHECK (value_nonfinite IN ('nan', 'inf', '-inf')),
    UNIQUE (sample_pk, scorer)
);

CREATE TABLE message (
    pk            uuid PRIMARY KEY DEFAULT gen_uuid_v7(),
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    sample_pk     uuid NOT NULL REFERENCES sample (pk) ON DELETE CASCADE,
    message_order integer NOT NULL CHECK (message_order >= 0),
    data          jsonb NOT NULL, -- Inspect's ChatMessage; long texts are attachment://
    UNIQUE (sample_pk, message_order)
);

CREATE TABLE sample_attachment (
    pk             uuid PRIMARY KEY DEFAULT gen_uuid_v7(),
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    sample_pk      uuid NOT NULL REFERENCES sample (pk) ON DELETE CASCADE,
    attachment_key text NOT NULL,
    content        text NOT NULL,
    byte_len       bigint NOT NULL,
    sanitized      boolean NOT NULL DEFAULT false, -- content is not byte for byte what the log has
    UNIQUE (sample_pk, attachment_key)
);

CREATE TABLE sample_model (
    pk         uuid PRIMARY KEY DEFAULT gen_uuid_v7(),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    sample_pk  uuid NOT NULL REFERENCES sample (pk) ON DELETE CASCADE,
    model      text NOT NULL,
    UNIQUE (sample_pk, model)
);
CREATE INDEX sample_model_by_model ON sample_model (model);

CREATE TABLE model_role (
    pk         uuid PRIMARY KEY DEFAULT gen_uuid_v7(),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    type       text NOT NULL CHECK (type IN ('eval', 'scan')),
    eval_pk    uuid REFERENCES eval (pk) ON DELETE CASCADE,
    scan_pk    uuid,
    role       text NOT NULL,
    model      text NOT NULL,
    config     jsonb,
    base_url   text,
    args       jsonb,
    CHECK ((eval_pk IS NULL) <> (scan_pk IS NULL)),
    UNIQUE NULLS NOT DISTINCT (eval_pk, scan_pk, role, model)
);

-- One row for each event of a sample. The columns of other kinds of event are null; what has no column is in "extra",
-- so that an event can be put together again from its row and the pools.
CREATE TABLE event (
    pk                          uuid PRIMARY KEY DEFAULT gen_uuid_v7(),
    created_at                  timestamptz NOT NULL DEFAULT now(),
    updated_at                  timestamptz NOT NULL DEFAULT now(),
    sample_pk                   uuid REFERENCES sample (pk) ON DELETE CASCADE,
    scanner_result_pk           uuid,
    event_order                 integer NOT NULL CHECK (event_order >= 0),
    event_type                  text NOT NULL,
    event_uuid                  text,
    span_id                     text,
    "timestamp"                 timestamptz,
    working_start               double precision,
    pending                     boolean,
    meta                        jsonb,
    completed                   timestamptz,
    working_time                double precision,
    span_event_id               text,
    span_parent_id              text,
    span_type                   text,
    span_name                   text,
    score_value                 jsonb,
    score_target                jsonb,
    score_intermediate          boolean,
    score_model_usage           jsonb,
    score_scorer                text,
    score_scorer_args           jsonb,
    score_role_usage            jsonb,
    score_edit_name             text,
    score_edit_data             jsonb,
    model_name                  text,
    model_name_raw              text,
    model_role                  text,
    model_input_refs            jsonb,
    model_tools                 jsonb,
    model_tool_choice           jsonb,
    model_gen_config            jsonb,
    model_output                jsonb,
    model_retries               integer,
    model_error                 text,
    model_traceback             text,
    model_cache                 text,
    model_call                  jsonb,
    model_call_refs             jsonb,
    model_call_key              text,
    tool_call_id                text,
    tool_function               text,
    tool_arguments              jsonb,
    tool_result                 jsonb,
    tool_error                  jsonb,
    tool_agent                  text,
    tool_failed                 boolean,
    tool_truncated              jsonb,
    tool_message_id             text,
    tool_view                   jsonb,
    tool_agent_span_id          text,
    approval_message            text,
    approval_call               jsonb,
    approval_approver           text,
    approval_decision           text,
    approval_modified           jsonb,
    approval_explanation        text,
    approval_metadata           jsonb,
    approval_view               jsonb,
    sandbox_action              text,
    sandbox_cmd                 text,
    sandbox_file                text,
    sandbox_input               text,
    sandbox_result              integer,
    sandbox_output              text,
    sandbox_options             jsonb,
    subtask_name                text,
    subtask_type                text,
    subtask_input               jsonb,
    subtask_result              jsonb,
    limit_type                  text,
    limit_message               text,
    limit_value                 double precision,
    sample_init_data            jsonb,
    sample_init_state           jsonb,
    state_changes               jsonb,
    store_changes               jsonb,
    error_detail                jsonb,
    info_source                 text,
    info_data                   jsonb,
    logger_message              jsonb,
    input_text                  text,
    input_ansi                  text,
    input_message               text,
    input_fields                jsonb,
    input_outcome               text,
    input_content               jsonb,
    compaction_type             text,
    tokens_before               integer,
    tokens_after                integer,
    compaction_source           text,
    compaction_role             text,
    branch_from_anchor          text,
    anchor_id                   text,
    anchor_source               text,
    interrupt_source            text,
    interrupt_interrupted       text,
    interrupt_tool_call_id      text,
    interrupt_model_event_id    text,
    checkpoint_id               bigint,
    checkpoint_trigger          text,
    checkpoint_trigger_metadata jsonb,
    checkpoint_turn             integer,
    checkpoint_duration_ms      bigint,
    checkpoint_size_bytes       bigint,
    checkpoint_host             jsonb,
    checkpoint_sandboxes        jsonb,
    checkpoint_created_at       timestamptz,
    checkpoint_extra            jsonb,
    is_provisional              boolean NOT NULL DEFAULT false,
    -- ours
    extra                       jsonb,
    CHECK ((sample_pk IS NULL) <> (scanner_result_pk IS NULL))
);
CREATE UNIQUE INDEX event_by_sample ON event (sample_pk, event_order) WHERE sample_pk IS NOT NULL;
CREATE UNIQUE INDEX event_by_scanner_result ON event (scanner_result_pk, event_order)
    WHERE scanner_result_pk IS NOT NULL;

-- What model events have as input, each message once for a sample; they point here by ranges of pool_order.
CREATE TABLE message_pool (
    pk                   uuid PRIMARY KEY DEFAULT gen_uuid_v7(),
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now(),
    sample_pk            uuid REFERENCES sample (pk) ON DELETE CASCADE,
    scanner_result_pk    uuid,
    pool_order           integer NOT NULL CHECK (pool_order >= 0),
    content_hash         text NOT NULL,
    data                 jsonb NOT NULL,
    earliest_event_order integer,
    CHECK ((sample_pk IS NULL) <> (scanner_result_pk IS NULL))
);
CREATE UNIQUE INDEX message_pool_by_sample ON message_pool (sample_pk, pool_order) WHERE sample_pk IS NOT NULL;
CREATE UNIQUE INDEX message_pool_by_scanner_result ON message_pool (scanner_result_pk, pool_order)
    WHERE scanner_result_pk IS NOT NULL;

-- The same for the messages of raw calls.
CREATE TABLE model_call_pool (
    pk                uuid PRIMARY KEY DEFAULT gen_uuid_v7(),
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    sample_pk         uuid REFERENCES sample (pk) ON DELETE CASCADE,
    scanner_result_pk uuid,
    pool_order        integer NOT NULL CHECK (pool_order >= 0),
    content_hash      text NOT NULL,
    data              jsonb NOT NULL,
    CHECK ((sample_pk IS NULL) <> (scanner_result_pk IS NULL))
);
CREATE UNIQUE INDEX model_call_pool_by_sample ON model_call_pool (sample_pk, pool_order) WHERE sample_pk IS NOT NULL;
CREATE UNIQUE INDEX model_call_pool_by_scanner_result ON model_call_pool (scanner_result_pk, pool_order)
    WHERE scanner_result_pk IS NOT NULL;
