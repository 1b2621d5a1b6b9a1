/* The tables' columns, the values that JSON becomes in them, and keys. */

#include "warehouse/rows/rows.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/random.h"
#include "codec/json_scan.h"
#include "warehouse/rows/rows_columns.h"
#include "warehouse/rows/sample_clean.h"

/* A key of a sample is a version 7 UUID whose last bits count the rows below it. */
enum { CHILD_BITS = 28 };

/* clang-format off */
#define COMMON_COLUMNS                                          \
    [ROWS_PK]         = { "pk",         SQL_KIND_UUID },        \
    [ROWS_CREATED_AT] = { "created_at", SQL_KIND_INSTANT },     \
    [ROWS_UPDATED_AT] = { "updated_at", SQL_KIND_INSTANT },     \
    [ROWS_SAMPLE_PK]  = { "sample_pk",  SQL_KIND_UUID }

static const SqlColumn sample_columns[] = {
    [SAMPLE_PK]                     = { "pk",                       SQL_KIND_UUID },
    [SAMPLE_CREATED_AT]             = { "created_at",               SQL_KIND_INSTANT },
    [SAMPLE_UPDATED_AT]             = { "updated_at",               SQL_KIND_INSTANT },
    [SAMPLE_FIRST_IMPORTED_AT]      = { "first_imported_at",        SQL_KIND_INSTANT },
    [SAMPLE_LAST_IMPORTED_AT]       = { "last_imported_at",         SQL_KIND_INSTANT },
    [SAMPLE_EVAL_PK]                = { "eval_pk",                  SQL_KIND_UUID },
    [SAMPLE_MESSAGE_LIMIT]          = { "message_limit",            SQL_KIND_INT4 },
    [SAMPLE_TOKEN_LIMIT]            = { "token_limit",              SQL_KIND_INT },
    [SAMPLE_TIME_LIMIT]             = { "time_limit_seconds",       SQL_KIND_REAL },
    [SAMPLE_WORKING_LIMIT]          = { "working_limit",            SQL_KIND_INT4 },
    [SAMPLE_COST_LIMIT]             = { "cost_limit",               SQL_KIND_REAL },
    [SAMPLE_SEARCH_TEXT]            = { "search_text",              SQL_KIND_TEXT },
    [SAMPLE_IS_PROVISIONAL]         = { "is_provisional",           SQL_KIND_BOOL },
    [SAMPLE_BUF_CURSOR]             = { "buf_cursor",               SQL_KIND_JSON },
    [SAMPLE_META]                   = { "meta",                     SQL_KIND_JSON },
    [SAMPLE_ID]                     = { "id",                       SQL_KIND_TEXT },
    [SAMPLE_UUID]                   = { "uuid",                     SQL_KIND_TEXT },
    [SAMPLE_EPOCH]                  = { "epoch",                    SQL_KIND_INT4 },
    [SAMPLE_STARTED_AT]             = { "started_at",               SQL_KIND_INSTANT },
    [SAMPLE_COMPLETED_AT]           = { "completed_at",             SQL_KIND_INSTANT },
    [SAMPLE_INVALIDATION_TIMESTAMP] = { "invalidation_timestamp",   SQL_KIND_INSTANT },
    [SAMPLE_INVALIDATION_AUTHOR]    = { "invalidation_author",      SQL_KIND_TEXT },
    [SAMPLE_INVALIDATION_REASON]    = { "invalidation_reason",      SQL_KIND_TEXT },
    [SAMPLE_INPUT]                  = { "input",                    SQL_KIND_JSON },
    [SAMPLE_OUTPUT]                 = { "output",                   SQL_KIND_JSON },
    [SAMPLE_INPUT_TOKENS]           = { "input_tokens",             SQL_KIND_INT },
    [SAMPLE_OUTPUT_TOKENS]          = { "output_tokens",            SQL_KIND_INT },
    [SAMPLE_REASONING_TOKENS]       = { "reasoning_tokens",         SQL_KIND_INT },
    [SAMPLE_TOTAL_TOKENS]           = { "total_tokens",             SQL_KIND_INT },
    [SAMPLE_CACHE_READ_TOKENS]      = { "input_tokens_cache_read",  SQL_KIND_INT },
    [SAMPLE_CACHE_WRITE_TOKENS]     = { "input_tokens_cache_write", SQL_KIND_INT },
    [SAMPLE_ACTION_COUNT]           = { "action_count",             SQL_KIND_INT4 },
    [SAMPLE_MESSAGE_COUNT]          = { "message_count",            SQL_KIND_INT4 },
    [SAMPLE_WORKING_TIME]           = { "working_time_seconds",     SQL_KIND_REAL },
    [SAMPLE_TOTAL_TIME]             = { "total_time_seconds",       SQL_KIND_REAL },
    [SAMPLE_GENERATION_TIME]        = { "generation_time_seconds",  SQL_KIND_REAL },
    [SAMPLE_MODEL_USAGE]            = { "model_usage",              SQL_KIND_JSON },
    [SAMPLE_SANDBOX_TYPE]           = { "sandbox_type",             SQL_KIND_TEXT },
    [SAMPLE_SANDBOX_CONFIG]         = { "sandbox_config",           SQL_KIND_JSON },
    [SAMPLE_ERROR_MESSAGE]          = { "error_message",            SQL_KIND_TEXT },
    [SAMPLE_ERROR_TRACEBACK]        = { "error_traceback",          SQL_KIND_TEXT },
    [SAMPLE_ERROR_TRACEBACK_ANSI]   = { "error_traceback_ansi",     SQL_KIND_TEXT },
    [SAMPLE_LIMIT]                  = { "limit",                    SQL_KIND_ENUM },
    [SAMPLE_TARGET]                 = { "target",                   SQL_KIND_JSON },
    [SAMPLE_CHOICES]                = { "choices",                  SQL_KIND_JSON },
    [SAMPLE_DESCRIPTION]            = { "description",              SQL_KIND_TEXT },
    [SAMPLE_TURN_COUNT]             = { "turn_count",               SQL_KIND_INT4 },
    [SAMPLE_TOKEN_LIMIT_USAGE]      = { "token_limit_usage",        SQL_KIND_INT },
    [SAMPLE_LIMIT_REASON]           = { "limit_reason",             SQL_KIND_TEXT },
    [SAMPLE_RETRIES]                = { "retries",                  SQL_KIND_INT4 },
    [SAMPLE_FALLBACKS]              = { "fallbacks",                SQL_KIND_INT4 },
};

static const SqlColumn score_columns[] = {
    COMMON_COLUMNS,
    [SCORE_SAMPLE_UUID]     = { "sample_uuid",     SQL_KIND_TEXT },
    [SCORE_META]            = { "meta",            SQL_KIND_JSON },
    [SCORE_VALUE]           = { "value",           SQL_KIND_JSON },
    [SCORE_VALUE_FLOAT]     = { "value_float",     SQL_KIND_REAL },
    [SCORE_VALUE_NONFINITE] = { "value_nonfinite", SQL_KIND_TEXT },
    [SCORE_EXPLANATION]     = { "explanation",     SQL_KIND_TEXT },
    [SCORE_ANSWER]          = { "answer",          SQL_KIND_TEXT },
    [SCORE_SCORER]          = { "scorer",          SQL_KIND_TEXT },
    [SCORE_IS_INTERMEDIATE] = { "is_intermediate", SQL_KIND_BOOL },
    [SCORE_SCORED_AT]       = { "scored_at",       SQL_KIND_INSTANT },
    [SCORE_MODEL_USAGE]     = { "model_usage",     SQL_KIND_JSON },
    [SCORE_HISTORY]         = { "history",         SQL_KIND_JSON },
};

static const SqlColumn sample_model_columns[] = {
    COMMON_COLUMNS,
    [SAMPLE_MODEL_MODEL] = { "model", SQL_KIND_TEXT },
};

static const SqlColumn message_columns[] = {
    COMMON_COLUMNS,
    [MESSAGE_ORDER] = { "message_order", SQL_KIND_INT4 },
    [MESSAGE_DATA]  = { "data",          SQL_KIND_JSON },
};

static const SqlColumn attachment_columns[] = {
    COMMON_COLUMNS,
    [ATTACHMENT_KEY]       = { "attachment_key", SQL_KIND_TEXT },
    [ATTACHMENT_CONTENT]   = { "content",        SQL_KIND_TEXT },
    [ATTACHMENT_BYTE_LEN]  = { "byte_len",       SQL_KIND_INT },
    [ATTACHMENT_SANITIZED] = { "sanitized",      SQL_KIND_BOOL },
};

/* model_call_pool has all but the last. */
static const SqlColumn pool_columns[] = {
    COMMON_COLUMNS,
    [POOL_ORDER]                = { "pool_order",           SQL_KIND_INT4 },
    [POOL_CONTENT_HASH]         = { "content_hash",         SQL_KIND_TEXT },
    [POOL_DATA]                 = { "data",                 SQL_KIND_JSON },
    [POOL_EARLIEST_EVENT_ORDER] = { "earliest_event_order", SQL_KIND_INT4 },
};

static const SqlColumn event_columns[] = {
    COMMON_COLUMNS,
    [EVENT_ORDER]                        = { "event_order",                   SQL_KIND_INT4 },
    [EVENT_TYPE]                         = { "event_type",                    SQL_KIND_TEXT },
    [EVENT_UUID]                         = { "event_uuid",                    SQL_KIND_TEXT },
    [EVENT_SPAN_ID]                      = { "span_id",                       SQL_KIND_TEXT },
    [EVENT_TIMESTAMP]                    = { "timestamp",                     SQL_KIND_INSTANT },
    [EVENT_WORKING_START]                = { "working_start",                 SQL_KIND_REAL },
    [EVENT_PENDING]                      = { "pending",                       SQL_KIND_BOOL },
    [EVENT_META]                         = { "meta",                          SQL_KIND_JSON },
    [EVENT_COMPLETED]                    = { "completed",                     SQL_KIND_INSTANT },
    [EVENT_WORKING_TIME]                 = { "working_time",                  SQL_KIND_REAL },
    [EVENT_SPAN_EVENT_ID]                = { "span_event_id",                 SQL_KIND_TEXT },
    [EVENT_SPAN_PARENT_ID]               = { "span_parent_id",                SQL_KIND_TEXT },
    [EVENT_SPAN_TYPE]                    = { "span_type",                     SQL_KIND_TEXT },
    [EVENT_SPAN_NAME]                    = { "span_name",                     SQL_KIND_TEXT },
    [EVENT_SCORE_VALUE]                  = { "score_value",                   SQL_KIND_JSON },
    [EVENT_SCORE_TARGET]                 = { "score_target",                  SQL_KIND_JSON },
    [EVENT_SCORE_INTERMEDIATE]           = { "score_intermediate",            SQL_KIND_BOOL },
    [EVENT_SCORE_MODEL_USAGE]            = { "score_model_usage",             SQL_KIND_JSON },
    [EVENT_SCORE_SCORER]                 = { "score_scorer",                  SQL_KIND_TEXT },
    [EVENT_SCORE_SCORER_ARGS]            = { "score_scorer_args",             SQL_KIND_JSON },
    [EVENT_SCORE_ROLE_USAGE]             = { "score_role_usage",              SQL_KIND_JSON },
    [EVENT_SCORE_EDIT_NAME]              = { "score_edit_name",               SQL_KIND_TEXT },
    [EVENT_SCORE_EDIT_DATA]              = { "score_edit_data",               SQL_KIND_JSON },
    [EVENT_MODEL_NAME]                   = { "model_name",                    SQL_KIND_TEXT },
    [EVENT_MODEL_NAME_RAW]               = { "model_name_raw",                SQL_KIND_TEXT },
    [EVENT_MODEL_ROLE]                   = { "model_role",                    SQL_KIND_TEXT },
    [EVENT_MODEL_INPUT_REFS]             = { "model_input_refs",              SQL_KIND_JSON },
    [EVENT_MODEL_TOOLS]                  = { "model_tools",                   SQL_KIND_JSON },
    [EVENT_MODEL_TOOL_CHOICE]            = { "model_tool_choice",             SQL_KIND_JSON },
    [EVENT_MODEL_GEN_CONFIG]             = { "model_gen_config",              SQL_KIND_JSON },
    [EVENT_MODEL_OUTPUT]                 = { "model_output",                  SQL_KIND_JSON },
    [EVENT_MODEL_RETRIES]                = { "model_retries",                 SQL_KIND_INT4 },
    [EVENT_MODEL_ERROR]                  = { "model_error",                   SQL_KIND_TEXT },
    [EVENT_MODEL_TRACEBACK]              = { "model_traceback",               SQL_KIND_TEXT },
    [EVENT_MODEL_CACHE]                  = { "model_cache",                   SQL_KIND_TEXT },
    [EVENT_MODEL_CALL]                   = { "model_call",                    SQL_KIND_JSON },
    [EVENT_MODEL_CALL_REFS]              = { "model_call_refs",               SQL_KIND_JSON },
    [EVENT_MODEL_CALL_KEY]               = { "model_call_key",                SQL_KIND_TEXT },
    [EVENT_TOOL_CALL_ID]                 = { "tool_call_id",                  SQL_KIND_TEXT },
    [EVENT_TOOL_FUNCTION]                = { "tool_function",                 SQL_KIND_TEXT },
    [EVENT_TOOL_ARGUMENTS]               = { "tool_arguments",                SQL_KIND_JSON },
    [EVENT_TOOL_RESULT]                  = { "tool_result",                   SQL_KIND_JSON },
    [EVENT_TOOL_ERROR]                   = { "tool_error",                    SQL_KIND_JSON },
    [EVENT_TOOL_AGENT]                   = { "tool_agent",                    SQL_KIND_TEXT },
    [EVENT_TOOL_FAILED]                  = { "tool_failed",                   SQL_KIND_BOOL },
    [EVENT_TOOL_TRUNCATED]               = { "tool_truncated",                SQL_KIND_JSON },
    [EVENT_TOOL_MESSAGE_ID]              = { "tool_message_id",               SQL_KIND_TEXT },
    [EVENT_TOOL_VIEW]                    = { "tool_view",                     SQL_KIND_JSON },
    [EVENT_TOOL_AGENT_SPAN_ID]           = { "tool_agent_span_id",            SQL_KIND_TEXT },
    [EVENT_APPROVAL_MESSAGE]             = { "approval_message",              SQL_KIND_TEXT },
    [EVENT_APPROVAL_CALL]                = { "approval_call",                 SQL_KIND_JSON },
    [EVENT_APPROVAL_APPROVER]            = { "approval_approver",             SQL_KIND_TEXT },
    [EVENT_APPROVAL_DECISION]            = { "approval_decision",             SQL_KIND_TEXT },
    [EVENT_APPROVAL_MODIFIED]            = { "approval_modified",             SQL_KIND_JSON },
    [EVENT_APPROVAL_EXPLANATION]         = { "approval_explanation",          SQL_KIND_TEXT },
    [EVENT_APPROVAL_METADATA]            = { "approval_metadata",             SQL_KIND_JSON },
    [EVENT_APPROVAL_VIEW]                = { "approval_view",                 SQL_KIND_JSON },
    [EVENT_SANDBOX_ACTION]               = { "sandbox_action",                SQL_KIND_TEXT },
    [EVENT_SANDBOX_CMD]                  = { "sandbox_cmd",                   SQL_KIND_TEXT },
    [EVENT_SANDBOX_FILE]                 = { "sandbox_file",                  SQL_KIND_TEXT },
    [EVENT_SANDBOX_INPUT]                = { "sandbox_input",                 SQL_KIND_TEXT },
    [EVENT_SANDBOX_RESULT]               = { "sandbox_result",                SQL_KIND_INT4 },
    [EVENT_SANDBOX_OUTPUT]               = { "sandbox_output",                SQL_KIND_TEXT },
    [EVENT_SANDBOX_OPTIONS]              = { "sandbox_options",               SQL_KIND_JSON },
    [EVENT_SUBTASK_NAME]                 = { "subtask_name",                  SQL_KIND_TEXT },
    [EVENT_SUBTASK_TYPE]                 = { "subtask_type",                  SQL_KIND_TEXT },
    [EVENT_SUBTASK_INPUT]                = { "subtask_input",                 SQL_KIND_JSON },
    [EVENT_SUBTASK_RESULT]               = { "subtask_result",                SQL_KIND_JSON },
    [EVENT_LIMIT_TYPE]                   = { "limit_type",                    SQL_KIND_TEXT },
    [EVENT_LIMIT_MESSAGE]                = { "limit_message",                 SQL_KIND_TEXT },
    [EVENT_LIMIT_VALUE]                  = { "limit_value",                   SQL_KIND_REAL },
    [EVENT_SAMPLE_INIT_DATA]             = { "sample_init_data",              SQL_KIND_JSON },
    [EVENT_SAMPLE_INIT_STATE]            = { "sample_init_state",             SQL_KIND_JSON },
    [EVENT_STATE_CHANGES]                = { "state_changes",                 SQL_KIND_JSON },
    [EVENT_STORE_CHANGES]                = { "store_changes",                 SQL_KIND_JSON },
    [EVENT_ERROR_DETAIL]                 = { "error_detail",                  SQL_KIND_JSON },
    [EVENT_INFO_SOURCE]                  = { "info_source",                   SQL_KIND_TEXT },
    [EVENT_INFO_DATA]                    = { "info_data",                     SQL_KIND_JSON },
    [EVENT_LOGGER_MESSAGE]               = { "logger_message",                SQL_KIND_JSON },
    [EVENT_INPUT_TEXT]                   = { "input_text",                    SQL_KIND_TEXT },
    [EVENT_INPUT_ANSI]                   = { "input_ansi",                    SQL_KIND_TEXT },
    [EVENT_INPUT_MESSAGE]                = { "input_message",                 SQL_KIND_TEXT },
    [EVENT_INPUT_FIELDS]                 = { "input_fields",                  SQL_KIND_JSON },
    [EVENT_INPUT_OUTCOME]                = { "input_outcome",                 SQL_KIND_TEXT },
    [EVENT_INPUT_CONTENT]                = { "input_content",                 SQL_KIND_JSON },
    [EVENT_COMPACTION_TYPE]              = { "compaction_type",               SQL_KIND_TEXT },
    [EVENT_TOKENS_BEFORE]                = { "tokens_before",                 SQL_KIND_INT4 },
    [EVENT_TOKENS_AFTER]                 = { "tokens_after",                  SQL_KIND_INT4 },
    [EVENT_COMPACTION_SOURCE]            = { "compaction_source",             SQL_KIND_TEXT },
    [EVENT_COMPACTION_ROLE]              = { "compaction_role",               SQL_KIND_TEXT },
    [EVENT_BRANCH_FROM_ANCHOR]           = { "branch_from_anchor",            SQL_KIND_TEXT },
    [EVENT_ANCHOR_ID]                    = { "anchor_id",                     SQL_KIND_TEXT },
    [EVENT_ANCHOR_SOURCE]                = { "anchor_source",                 SQL_KIND_TEXT },
    [EVENT_INTERRUPT_SOURCE]             = { "interrupt_source",              SQL_KIND_TEXT },
    [EVENT_INTERRUPT_INTERRUPTED]        = { "interrupt_interrupted",         SQL_KIND_TEXT },
    [EVENT_INTERRUPT_TOOL_CALL_ID]       = { "interrupt_tool_call_id",        SQL_KIND_TEXT },
    [EVENT_INTERRUPT_MODEL_EVENT_ID]     = { "interrupt_model_event_id",      SQL_KIND_TEXT },
    [EVENT_CHECKPOINT_ID]                = { "checkpoint_id",                 SQL_KIND_INT },
    [EVENT_CHECKPOINT_TRIGGER]           = { "checkpoint_trigger",            SQL_KIND_TEXT },
    [EVENT_CHECKPOINT_TRIGGER_METADATA]  = { "checkpoint_trigger_metadata",   SQL_KIND_JSON },
    [EVENT_CHECKPOINT_TURN]              = { "checkpoint_turn",               SQL_KIND_INT4 },
    [EVENT_CHECKPOINT_DURATION_MS]       = { "checkpoint_duration_ms",        SQL_KIND_INT },
    [EVENT_CHECKPOINT_SIZE_BYTES]        = { "checkpoint_size_bytes",         SQL_KIND_INT },
    [EVENT_CHECKPOINT_HOST]              = { "checkpoint_host",               SQL_KIND_JSON },
    [EVENT_CHECKPOINT_SANDBOXES]         = { "checkpoint_sandboxes",          SQL_KIND_JSON },
    [EVENT_CHECKPOINT_CREATED_AT]        = { "checkpoint_created_at",         SQL_KIND_INSTANT },
    [EVENT_CHECKPOINT_EXTRA]             = { "checkpoint_extra",              SQL_KIND_JSON },
    [EVENT_IS_PROVISIONAL]               = { "is_provisional",                SQL_KIND_BOOL },
    [EVENT_EXTRA]                        = { "extra",                         SQL_KIND_JSON },
};

static const SqlColumn name_columns[] = { { "name", SQL_KIND_TEXT } };

static const RowsSpec specs[] = {
    [ROWS_SAMPLE]       = { "sample",            sample_columns,       N_SAMPLE_COLUMNS },
    [ROWS_SCORE]        = { "score",             score_columns,        N_SCORE_COLUMNS },
    [ROWS_SAMPLE_MODEL] = { "sample_model",      sample_model_columns, N_SAMPLE_MODEL_COLUMNS },
    [ROWS_MESSAGE]      = { "message",           message_columns,      N_MESSAGE_COLUMNS },
    [ROWS_ATTACHMENT]   = { "sample_attachment", attachment_columns,   N_ATTACHMENT_COLUMNS },
    [ROWS_EVENT]        = { "event",             event_columns,        N_EVENT_COLUMNS },
    [ROWS_MESSAGE_POOL] = { "message_pool",      pool_columns,         N_MESSAGE_POOL_COLUMNS },
    [ROWS_CALL_POOL]    = { "model_call_pool",   pool_columns,         N_CALL_POOL_COLUMNS },
    [ROWS_OBSERVED]     = { NULL,                name_columns,         1 },
    [ROWS_CALLED]       = { NULL,                name_columns,         1 },
};
/* clang-format on */

_Static_assert((int)N_EVENT_COLUMNS <= (int)ROWS_COLUMNS_MAX, "no table has more columns");
_Static_assert((int)ROWS_PK_MAX == (int)RANDOM_UUID_MAX, "keys are UUIDs");

const RowsSpec *rows_spec(RowsTable table)
{
    return &specs[table];
}

static bool text_value(Str raw, Arena *arena, SqlValue *ret)
{
    Str text = STR_NONE;
    if (!json_scan_str(raw, arena, &text))
        return false;
    *ret = SQL_TEXT(sample_clean_text(text, arena));
    return true;
}

/* Python's readers take 5.0 for an integer, too. */
static bool int_value(Str raw, int64_t min, int64_t max, SqlValue *ret)
{
    int64_t number = 0;
    double real = 0;
    if (!json_scan_i64(raw, &number)) {
        if (!json_scan_double(raw, &real) || real != trunc(real) || fabs(real) > INT32_MAX)
            return false;
        number = (int64_t)real;
    }
    if (number < min || number > max)
        return false;
    *ret = SQL_INT(number);
    return true;
}

static bool real_value(Str raw, SqlValue *ret)
{
    double real = 0;
    if (!json_scan_double(raw, &real))
        return false;
    *ret = isfinite(real) ? SQL_REAL(real) : SQL_NULL;
    return true;
}

static bool bool_value(Str raw, SqlValue *ret)
{
    bool flag = false;
    if (!json_scan_bool(raw, &flag))
        return false;
    *ret = SQL_BOOL(flag);
    return true;
}

static bool instant_value(Str raw, Arena *arena, SqlValue *ret)
{
    Str text = STR_NONE;
    int64_t at = 0;
    if (!json_scan_str(raw, arena, &text) || clock_parse(text, &at) < 0)
        return false;
    *ret = SQL_INSTANT(at);
    return true;
}

bool rows_value(Str raw, const SqlColumn *column, const SampleCleanRules *rules, Arena *arena,
                SqlValue *ret)
{
    JsonScanKind kind = json_scan_kind_of(raw);
    if (kind == JSON_SCAN_NONE || kind == JSON_SCAN_NULL) {
        *ret = SQL_NULL;
        return true;
    }
    switch (column->kind) {
    case SQL_KIND_TEXT: return text_value(raw, arena, ret);
    case SQL_KIND_INT: return int_value(raw, INT64_MIN, INT64_MAX, ret);
    case SQL_KIND_INT4: return int_value(raw, INT32_MIN, INT32_MAX, ret);
    case SQL_KIND_REAL: return real_value(raw, ret);
    case SQL_KIND_BOOL: return bool_value(raw, ret);
    case SQL_KIND_INSTANT: return instant_value(raw, arena, ret);
    case SQL_KIND_JSON:
        *ret = SQL_TEXT(sample_clean_json(raw, column->name, rules, arena));
        return true;
    case SQL_KIND_ENUM:
    case SQL_KIND_UUID:
    case SQL_KIND_LIST: return false; /* nothing in a log has such a type */
    }
    return false;
}

static int hex_digit(char c)
{
    return c >= 'a' ? c - 'a' + 10 : c - '0';
}

static void write_key(uint64_t high, uint64_t low, char ret[ROWS_PK_MAX])
{
    static const char digits[] = "0123456789abcdef";
    char *p = ret;
    for (int i = 0; i < 32; i++) {
        uint64_t half = i < 16 ? high : low;
        *p++ = digits[half >> (60 - 4 * (i % 16)) & 15];
        if (i == 7 || i == 11 || i == 15 || i == 19)
            *p++ = '-';
    }
    *p = '\0';
}

void rows_child_pk(const char *sample_pk, uint64_t n, char ret[ROWS_PK_MAX])
{
    uint64_t halves[2] = {0, 0};
    int place = 0;
    for (const char *p = sample_pk; *p; p++)
        if (*p != '-') {
            halves[place / 16] = halves[place / 16] << 4 | (uint64_t)hex_digit(*p);
            place++;
        }
    write_key(halves[0], halves[1] + n + 1, ret);
}

void rows_sample_pk(RowsKeys *keys, char ret[ROWS_PK_MAX])
{
    uint64_t now = (uint64_t)(clock_now_us() / 1000);
    if (now > keys->millisecond) {
        uint64_t number = 0;
        random_bytes(&number, sizeof(number));
        keys->millisecond = now;
        keys->number = number >> 20; /* 44 of the 46 bits, so that counting has room */
    }
    uint64_t number = keys->number++;
    uint64_t high = keys->millisecond << 16 | UINT64_C(7) << 12 | (number >> 34 & 0xFFF);
    uint64_t low = UINT64_C(2) << 62 | (number & ((UINT64_C(1) << 34) - 1)) << CHILD_BITS;
    write_key(high, low, ret);
}
