-- What the logs say: as for PostgreSQL, in the types that SQLite has. Instants are microseconds UTC, flags 0 or 1; JSON,
-- lists and UUIDs are text, because a column of type jsonb would have numeric affinity.

CREATE TABLE eval (
    pk                    TEXT PRIMARY KEY,
    created_at            INTEGER NOT NULL, -- when the eval was made, as its log says
    updated_at            INTEGER NOT NULL,
    first_imported_at     INTEGER NOT NULL,
    last_imported_at      INTEGER NOT NULL,
    meta                  TEXT NOT NULL DEFAULT '{}',
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
    observed_model_names  TEXT,
    observed_model_groups TEXT NOT NULL DEFAULT '[]',
    model_groups          TEXT NOT NULL DEFAULT '[]', -- who lacks one of them, or when there is none, sees nothing
    code_groups           TEXT NOT NULL DEFAULT '["__unresolved__"]',
    buf_segment_id        INTEGER NOT NULL DEFAULT 1,
    buf_member_idx        INTEGER NOT NULL DEFAULT -1,
    buf_quarantined       TEXT NOT NULL DEFAULT '[]',
    buf_parked_at         INTEGER,
    buf_park_reason       TEXT,
    -- ours
    log_key               TEXT NOT NULL, -- key of the log in the store
    header                TEXT           -- the log without its samples, as it is written
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
    meta                     TEXT NOT NULL DEFAULT '{}',
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
    sandbox_type             TEXT,
    sandbox_config           TEXT,
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
    buf_cursor               TEXT,
    -- ours: what a summary has beside
    target                   TEXT,
    choices                  TEXT,
    description              TEXT,
    turn_count               INTEGER,
    token_limit_usage        INTEGER,
    limit_reason             TEXT,
    retries                  INTEGER,
    fallbacks                INTEGER,
    UNIQUE (eval_pk, id, epoch)
) STRICT;
CREATE INDEX sample_by_eval ON sample (eval_pk, completed_at DESC, pk DESC);
CREATE INDEX sample_by_completion ON sample (completed_at DESC, pk DESC);

CREATE TABLE score (
    pk              TEXT PRIMARY KEY,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    meta            TEXT NOT NULL DEFAULT '{}',
    sample_pk       TEXT NOT NULL REFERENCES sample (pk) ON DELETE CASCADE,
    sample_uuid     TEXT,
    score_uuid      TEXT,
    value           TEXT NOT NULL,
    value_float     REAL, -- NaN and infinities as well
    explanation     TEXT,
    answer          TEXT,
    scorer          TEXT NOT NULL,
    is_intermediate INTEGER NOT NULL DEFAULT 0,
    scored_at       INTEGER,
    model_usage     TEXT,
    history         TEXT,
    -- ours
    value_nonfinite TEXT CHECK (value_nonfinite IN ('nan', 'inf', '-inf')),
    UNIQUE (sample_pk, scorer)
) STRICT;

CREATE TABLE message (
    pk            TEXT PRIMARY KEY,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    sample_pk     TEXT NOT NULL REFERENCES sample (pk) ON DELETE CASCADE,
    message_order INTEGER NOT NULL CHECK (message_order >= 0),
    data          TEXT NOT NULL, -- Inspect's ChatMessage; long texts are attachment://
    UNIQUE (sample_pk, message_order)
) STRICT;

CREATE TABLE sample_attachment (
    pk             TEXT PRIMARY KEY,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    sample_pk      TEXT NOT NULL REFERENCES sample (pk) ON DELETE CASCADE,
    attachment_key TEXT NOT NULL,
    content        TEXT NOT NULL,
    byte_len       INTEGER NOT NULL,
    sanitized      INTEGER NOT NULL DEFAULT 0, -- content is not byte for byte what the log has
    UNIQUE (sample_pk, attachment_key)
) STRICT;

CREATE TABLE sample_model (
    pk         TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    sample_pk  TEXT NOT NULL REFERENCES sample (pk) ON DELETE CASCADE,
    model      TEXT NOT NULL,
    UNIQUE (sample_pk, model)
) STRICT;
CREATE INDEX sample_model_by_model ON sample_model (model);

CREATE TABLE model_role (
    pk         TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    type       TEXT NOT NULL CHECK (type IN ('eval', 'scan')),
    eval_pk    TEXT REFERENCES eval (pk) ON DELETE CASCADE,
    scan_pk    TEXT,
    role       TEXT NOT NULL,
    model      TEXT NOT NULL,
    config     TEXT,
    base_url   TEXT,
    args       TEXT,
    CHECK ((eval_pk IS NULL) <> (scan_pk IS NULL))
) STRICT;
CREATE UNIQUE INDEX model_role_once ON model_role (coalesce(eval_pk, ''), coalesce(scan_pk, ''), role, model);
CREATE INDEX model_role_by_eval ON model_role (eval_pk);

-- One row for each event of a sample. The columns of other kinds of event are null; what has no column is in "extra",
-- so that an event can be put together again from its row and the pools.
CREATE TABLE event (
    pk                          TEXT PRIMARY KEY,
    created_at                  INTEGER NOT NULL,
    updated_at                  INTEGER NOT NULL,
    sample_pk                   TEXT REFERENCES sample (pk) ON DELETE CASCADE,
    scanner_result_pk           TEXT,
    event_order                 INTEGER NOT NULL CHECK (event_order >= 0),
    event_type                  TEXT NOT NULL,
    event_uuid                  TEXT,
    span_id                     TEXT,
    "timestamp"                 INTEGER,
    working_start               REAL,
    pending                     INTEGER,
    meta                        TEXT,
    completed                   INTEGER,
    working_time                REAL,
    span_event_id               TEXT,
    span_parent_id              TEXT,
    span_type                   TEXT,
    span_name                   TEXT,
    score_value                 TEXT,
    score_target                TEXT,
    score_intermediate          INTEGER,
    score_model_usage           TEXT,
    score_scorer                TEXT,
    score_scorer_args           TEXT,
    score_role_usage            TEXT,
    score_edit_name             TEXT,
    score_edit_data             TEXT,
    model_name                  TEXT,
    model_name_raw              TEXT,
    model_role                  TEXT,
    model_input_refs            TEXT,
    model_tools                 TEXT,
    model_tool_choice           TEXT,
    model_gen_config            TEXT,
    model_output                TEXT,
    model_retries               INTEGER,
    model_error                 TEXT,
    model_traceback             TEXT,
    model_cache                 TEXT,
    model_call                  TEXT,
    model_call_refs             TEXT,
    model_call_key              TEXT,
    tool_call_id                TEXT,
    tool_function               TEXT,
    tool_arguments              TEXT,
    tool_result                 TEXT,
    tool_error                  TEXT,
    tool_agent                  TEXT,
    tool_failed                 INTEGER,
    tool_truncated              TEXT,
    tool_message_id             TEXT,
    tool_view                   TEXT,
    tool_agent_span_id          TEXT,
    approval_message            TEXT,
    approval_call               TEXT,
    approval_approver           TEXT,
    approval_decision           TEXT,
    approval_modified           TEXT,
    approval_explanation        TEXT,
    approval_metadata           TEXT,
    approval_view               TEXT,
    sandbox_action              TEXT,
    sandbox_cmd                 TEXT,
    sandbox_file                TEXT,
    sandbox_input               TEXT,
    sandbox_result              INTEGER,
    sandbox_output              TEXT,
    sandbox_options             TEXT,
    subtask_name                TEXT,
    subtask_type                TEXT,
    subtask_input               TEXT,
    subtask_result              TEXT,
    limit_type                  TEXT,
    limit_message               TEXT,
    limit_value                 REAL,
    sample_init_data            TEXT,
    sample_init_state           TEXT,
    state_changes               TEXT,
    store_changes               TEXT,
    error_detail                TEXT,
    info_source                 TEXT,
    info_data                   TEXT,
    logger_message              TEXT,
    input_text                  TEXT,
    input_ansi                  TEXT,
    input_message               TEXT,
    input_fields                TEXT,
    input_outcome               TEXT,
    input_content               TEXT,
    compaction_type             TEXT,
    tokens_before               INTEGER,
    tokens_after                INTEGER,
    compaction_source           TEXT,
    compaction_role             TEXT,
    branch_from_anchor          TEXT,
    anchor_id                   TEXT,
    anchor_source               TEXT,
    interrupt_source            TEXT,
    interrupt_interrupted       TEXT,
    interrupt_tool_call_id      TEXT,
    interrupt_model_event_id    TEXT,
    checkpoint_id               INTEGER,
    checkpoint_trigger          TEXT,
    checkpoint_trigger_metadata TEXT,
    checkpoint_turn             INTEGER,
    checkpoint_duration_ms      INTEGER,
    checkpoint_size_bytes       INTEGER,
    checkpoint_host             TEXT,
    checkpoint_sandboxes        TEXT,
    checkpoint_created_at       INTEGER,
    checkpoint_extra            TEXT,
    is_provisional              INTEGER NOT NULL DEFAULT 0,
    -- ours
    extra                       TEXT,
    CHECK ((sample_pk IS NULL) <> (scanner_result_pk IS NULL))
) STRICT;
CREATE UNIQUE INDEX event_by_sample ON event (sample_pk, event_order) WHERE sample_pk IS NOT NULL;
CREATE UNIQUE INDEX event_by_scanner_result ON event (scanner_result_pk, event_order)
    WHERE scanner_result_pk IS NOT NULL;

-- What model events have as input, each message once for a sample; they point here by ranges of pool_order.
CREATE TABLE message_pool (
    pk                   TEXT PRIMARY KEY,
    created_at           INTEGER NOT NULL,
    updated_at           INTEGER NOT NULL,
    sample_pk            TEXT REFERENCES sample (pk) ON DELETE CASCADE,
    scanner_result_pk    TEXT,
    pool_order           INTEGER NOT NULL CHECK (pool_order >= 0),
    content_hash         TEXT NOT NULL,
    data                 TEXT NOT NULL,
    earliest_event_order INTEGER,
    CHECK ((sample_pk IS NULL) <> (scanner_result_pk IS NULL))
) STRICT;
CREATE UNIQUE INDEX message_pool_by_sample ON message_pool (sample_pk, pool_order) WHERE sample_pk IS NOT NULL;
CREATE UNIQUE INDEX message_pool_by_scanner_result ON message_pool (scanner_result_pk, pool_order)
    WHERE scanner_result_pk IS NOT NULL;

-- The same for the messages of raw calls.
CREATE TABLE model_call_pool (
    pk                TEXT PRIMARY KEY,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    sample_pk         TEXT REFERENCES sample (pk) ON DELETE CASCADE,
    scanner_result_pk TEXT,
    pool_order        INTEGER NOT NULL CHECK (pool_order >= 0),
    content_hash      TEXT NOT NULL,
    data              TEXT NOT NULL,
    CHECK ((sample_pk IS NULL) <> (scanner_result_pk IS NULL))
) STRICT;
CREATE UNIQUE INDEX model_call_pool_by_sample ON model_call_pool (sample_pk, pool_order) WHERE sample_pk IS NOT NULL;
CREATE UNIQUE INDEX model_call_pool_by_scanner_result ON model_call_pool (scanner_result_pk, pool_order)
    WHERE scanner_result_pk IS NOT NULL;
