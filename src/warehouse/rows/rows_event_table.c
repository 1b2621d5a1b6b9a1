/* The kinds of event that Inspect has, and had. */

#include "warehouse/rows/rows_event_table.h"

#include <string.h>

#include "base/base.h"

/* clang-format off */
#define KEY(literal) { (literal), sizeof(literal) - 1 }

static const EventTableField common_fields[] = {
    { KEY("event"),          EVENT_TYPE,          EVENT_CONSTANT },
    { KEY("uuid"),           EVENT_UUID,          EVENT_AS_IT_IS },
    { KEY("span_id"),        EVENT_SPAN_ID,       EVENT_AS_IT_IS },
    { KEY("timestamp"),      EVENT_TIMESTAMP,     EVENT_AS_IT_IS },
    { KEY("working_start"),  EVENT_WORKING_START, EVENT_AS_IT_IS },
    { KEY("pending"),        EVENT_PENDING,       EVENT_AS_IT_IS },
    { KEY("metadata"),       EVENT_META,          EVENT_AS_IT_IS },
};

static const EventTableField score_fields[] = {
    { KEY("score"),         EVENT_SCORE_VALUE,        EVENT_AS_IT_IS },
    { KEY("target"),        EVENT_SCORE_TARGET,       EVENT_AS_IT_IS },
    { KEY("intermediate"),  EVENT_SCORE_INTERMEDIATE, EVENT_AS_IT_IS },
    { KEY("scorer"),        EVENT_SCORE_SCORER,       EVENT_AS_IT_IS },
    { KEY("scorer_args"),   EVENT_SCORE_SCORER_ARGS,  EVENT_AS_IT_IS },
    { KEY("model_usage"),   EVENT_SCORE_MODEL_USAGE,  EVENT_USAGE },
    { KEY("role_usage"),    EVENT_SCORE_ROLE_USAGE,   EVENT_AS_IT_IS },
};

static const EventTableField score_edit_fields[] = {
    { KEY("score_name"),  EVENT_SCORE_EDIT_NAME, EVENT_AS_IT_IS },
    { KEY("edit"),        EVENT_SCORE_EDIT_DATA, EVENT_AS_IT_IS },
};

static const EventTableField model_fields[] = {
    { KEY("model"),         EVENT_MODEL_NAME,        EVENT_MODEL },
    { KEY("role"),          EVENT_MODEL_ROLE,        EVENT_AS_IT_IS },
    { KEY("input"),         EVENT_MODEL_INPUT_REFS,  EVENT_INPUT },
    { KEY("input_refs"),    EVENT_MODEL_INPUT_REFS,  EVENT_FILLED },
    { KEY("tools"),         EVENT_MODEL_TOOLS,       EVENT_AS_IT_IS },
    { KEY("tool_choice"),   EVENT_MODEL_TOOL_CHOICE, EVENT_AS_IT_IS },
    { KEY("config"),        EVENT_MODEL_GEN_CONFIG,  EVENT_AS_IT_IS },
    { KEY("output"),        EVENT_MODEL_OUTPUT,      EVENT_AS_IT_IS },
    { KEY("retries"),       EVENT_MODEL_RETRIES,     EVENT_AS_IT_IS },
    { KEY("error"),         EVENT_MODEL_ERROR,       EVENT_AS_IT_IS },
    { KEY("traceback"),     EVENT_MODEL_TRACEBACK,   EVENT_AS_IT_IS },
    { KEY("cache"),         EVENT_MODEL_CACHE,       EVENT_AS_IT_IS },
    { KEY("call"),          EVENT_MODEL_CALL,        EVENT_CALL },
    { KEY("completed"),     EVENT_COMPLETED,         EVENT_AS_IT_IS },
    { KEY("working_time"),  EVENT_WORKING_TIME,      EVENT_AS_IT_IS },
};

static const EventTableField tool_fields[] = {
    { KEY("id"),             EVENT_TOOL_CALL_ID,       EVENT_AS_IT_IS },
    { KEY("function"),       EVENT_TOOL_FUNCTION,      EVENT_AS_IT_IS },
    { KEY("arguments"),      EVENT_TOOL_ARGUMENTS,     EVENT_AS_IT_IS },
    { KEY("result"),         EVENT_TOOL_RESULT,        EVENT_AS_IT_IS },
    { KEY("error"),          EVENT_TOOL_ERROR,         EVENT_AS_IT_IS },
    { KEY("agent"),          EVENT_TOOL_AGENT,         EVENT_AS_IT_IS },
    { KEY("failed"),         EVENT_TOOL_FAILED,        EVENT_AS_IT_IS },
    { KEY("truncated"),      EVENT_TOOL_TRUNCATED,     EVENT_FILLED },
    { KEY("message_id"),     EVENT_TOOL_MESSAGE_ID,    EVENT_AS_IT_IS },
    { KEY("view"),           EVENT_TOOL_VIEW,          EVENT_AS_IT_IS },
    { KEY("agent_span_id"),  EVENT_TOOL_AGENT_SPAN_ID, EVENT_AS_IT_IS },
    { KEY("completed"),      EVENT_COMPLETED,          EVENT_AS_IT_IS },
    { KEY("working_time"),   EVENT_WORKING_TIME,       EVENT_AS_IT_IS },
    { KEY("type"),           EVENT_EXTRA,              EVENT_CONSTANT },
};

static const EventTableField approval_fields[] = {
    { KEY("message"),      EVENT_APPROVAL_MESSAGE,     EVENT_AS_IT_IS },
    { KEY("call"),         EVENT_APPROVAL_CALL,        EVENT_AS_IT_IS },
    { KEY("approver"),     EVENT_APPROVAL_APPROVER,    EVENT_AS_IT_IS },
    { KEY("decision"),     EVENT_APPROVAL_DECISION,    EVENT_AS_IT_IS },
    { KEY("modified"),     EVENT_APPROVAL_MODIFIED,    EVENT_AS_IT_IS },
    { KEY("explanation"),  EVENT_APPROVAL_EXPLANATION, EVENT_AS_IT_IS },
    { KEY("metadata"),     EVENT_APPROVAL_METADATA,    EVENT_TWICE },
    { KEY("view"),         EVENT_APPROVAL_VIEW,        EVENT_AS_IT_IS },
};

static const EventTableField sandbox_fields[] = {
    { KEY("action"),     EVENT_SANDBOX_ACTION,  EVENT_AS_IT_IS },
    { KEY("cmd"),        EVENT_SANDBOX_CMD,     EVENT_AS_IT_IS },
    { KEY("file"),       EVENT_SANDBOX_FILE,    EVENT_AS_IT_IS },
    { KEY("input"),      EVENT_SANDBOX_INPUT,   EVENT_AS_IT_IS },
    { KEY("result"),     EVENT_SANDBOX_RESULT,  EVENT_AS_IT_IS },
    { KEY("output"),     EVENT_SANDBOX_OUTPUT,  EVENT_AS_IT_IS },
    { KEY("options"),    EVENT_SANDBOX_OPTIONS, EVENT_AS_IT_IS },
    { KEY("completed"),  EVENT_COMPLETED,       EVENT_AS_IT_IS },
};

static const EventTableField subtask_fields[] = {
    { KEY("name"),          EVENT_SUBTASK_NAME,   EVENT_AS_IT_IS },
    { KEY("type"),          EVENT_SUBTASK_TYPE,   EVENT_AS_IT_IS },
    { KEY("input"),         EVENT_SUBTASK_INPUT,  EVENT_AS_IT_IS },
    { KEY("result"),        EVENT_SUBTASK_RESULT, EVENT_AS_IT_IS },
    { KEY("completed"),     EVENT_COMPLETED,      EVENT_AS_IT_IS },
    { KEY("working_time"),  EVENT_WORKING_TIME,   EVENT_AS_IT_IS },
};

static const EventTableField span_begin_fields[] = {
    { KEY("id"),         EVENT_SPAN_EVENT_ID,  EVENT_AS_IT_IS },
    { KEY("parent_id"),  EVENT_SPAN_PARENT_ID, EVENT_AS_IT_IS },
    { KEY("type"),       EVENT_SPAN_TYPE,      EVENT_AS_IT_IS },
    { KEY("name"),       EVENT_SPAN_NAME,      EVENT_AS_IT_IS },
};

static const EventTableField span_end_fields[] = {
    { KEY("id"),  EVENT_SPAN_EVENT_ID, EVENT_AS_IT_IS },
};

static const EventTableField sample_limit_fields[] = {
    { KEY("type"),     EVENT_LIMIT_TYPE,    EVENT_AS_IT_IS },
    { KEY("message"),  EVENT_LIMIT_MESSAGE, EVENT_AS_IT_IS },
    { KEY("limit"),    EVENT_LIMIT_VALUE,   EVENT_AS_IT_IS },
};

static const EventTableField sample_init_fields[] = {
    { KEY("sample"),  EVENT_SAMPLE_INIT_DATA,  EVENT_AS_IT_IS },
    { KEY("state"),   EVENT_SAMPLE_INIT_STATE, EVENT_AS_IT_IS },
};

static const EventTableField state_fields[] = {
    { KEY("changes"),  EVENT_STATE_CHANGES, EVENT_AS_IT_IS },
};

static const EventTableField store_fields[] = {
    { KEY("changes"),  EVENT_STORE_CHANGES, EVENT_AS_IT_IS },
};

static const EventTableField error_fields[] = {
    { KEY("error"),  EVENT_ERROR_DETAIL, EVENT_AS_IT_IS },
};

static const EventTableField info_fields[] = {
    { KEY("source"),  EVENT_INFO_SOURCE, EVENT_AS_IT_IS },
    { KEY("data"),    EVENT_INFO_DATA,   EVENT_AS_IT_IS },
};

static const EventTableField logger_fields[] = {
    { KEY("message"),  EVENT_LOGGER_MESSAGE, EVENT_AS_IT_IS },
};

static const EventTableField input_fields[] = {
    { KEY("input"),       EVENT_INPUT_TEXT,    EVENT_AS_IT_IS },
    { KEY("input_ansi"),  EVENT_INPUT_ANSI,    EVENT_AS_IT_IS },
    { KEY("message"),     EVENT_INPUT_MESSAGE, EVENT_AS_IT_IS },
    { KEY("fields"),      EVENT_INPUT_FIELDS,  EVENT_AS_IT_IS },
    { KEY("outcome"),     EVENT_INPUT_OUTCOME, EVENT_AS_IT_IS },
    { KEY("content"),     EVENT_INPUT_CONTENT, EVENT_AS_IT_IS },
};

static const EventTableField compaction_fields[] = {
    { KEY("type"),           EVENT_COMPACTION_TYPE,   EVENT_AS_IT_IS },
    { KEY("tokens_before"),  EVENT_TOKENS_BEFORE,     EVENT_AS_IT_IS },
    { KEY("tokens_after"),   EVENT_TOKENS_AFTER,      EVENT_AS_IT_IS },
    { KEY("source"),         EVENT_COMPACTION_SOURCE, EVENT_AS_IT_IS },
    { KEY("role"),           EVENT_COMPACTION_ROLE,   EVENT_AS_IT_IS },
};

static const EventTableField branch_fields[] = {
    { KEY("from_anchor"),   EVENT_BRANCH_FROM_ANCHOR, EVENT_AS_IT_IS },
    { KEY("from_message"),  EVENT_BRANCH_FROM_ANCHOR, EVENT_AS_IT_IS },
};

static const EventTableField anchor_fields[] = {
    { KEY("anchor_id"),  EVENT_ANCHOR_ID,     EVENT_AS_IT_IS },
    { KEY("source"),     EVENT_ANCHOR_SOURCE, EVENT_AS_IT_IS },
};

static const EventTableField interrupt_fields[] = {
    { KEY("source"),                      EVENT_INTERRUPT_SOURCE,         EVENT_AS_IT_IS },
    { KEY("interrupted"),                 EVENT_INTERRUPT_INTERRUPTED,    EVENT_AS_IT_IS },
    { KEY("interrupted_tool_call_id"),    EVENT_INTERRUPT_TOOL_CALL_ID,   EVENT_AS_IT_IS },
    { KEY("interrupted_model_event_id"),  EVENT_INTERRUPT_MODEL_EVENT_ID, EVENT_AS_IT_IS },
};

static const EventTableField checkpoint_fields[] = {
    { KEY("checkpoint_id"),     EVENT_CHECKPOINT_ID,               EVENT_AS_IT_IS },
    { KEY("trigger"),           EVENT_CHECKPOINT_TRIGGER,          EVENT_AS_IT_IS },
    { KEY("trigger_metadata"),  EVENT_CHECKPOINT_TRIGGER_METADATA, EVENT_AS_IT_IS },
    { KEY("turn"),              EVENT_CHECKPOINT_TURN,             EVENT_AS_IT_IS },
    { KEY("duration_ms"),       EVENT_CHECKPOINT_DURATION_MS,      EVENT_AS_IT_IS },
    { KEY("size_bytes"),        EVENT_CHECKPOINT_SIZE_BYTES,       EVENT_AS_IT_IS },
    { KEY("host"),              EVENT_CHECKPOINT_HOST,             EVENT_AS_IT_IS },
    { KEY("sandboxes"),         EVENT_CHECKPOINT_SANDBOXES,        EVENT_FILLED },
    { KEY("created_at"),        EVENT_CHECKPOINT_CREATED_AT,       EVENT_AS_IT_IS },
};

#define TABLE(name, rest) { KEY(#name), name##_fields, ARRAY_LEN(name##_fields), (rest) }

static const EventTable tables[] = {
    TABLE(model, EVENT_EXTRA),
    TABLE(tool, EVENT_EXTRA),
    TABLE(span_begin, EVENT_EXTRA),
    TABLE(span_end, EVENT_EXTRA),
    TABLE(state, EVENT_EXTRA),
    TABLE(store, EVENT_EXTRA),
    TABLE(sandbox, EVENT_EXTRA),
    TABLE(score, EVENT_EXTRA),
    TABLE(score_edit, EVENT_EXTRA),
    TABLE(approval, EVENT_EXTRA),
    TABLE(subtask, EVENT_EXTRA),
    TABLE(sample_limit, EVENT_EXTRA),
    TABLE(sample_init, EVENT_EXTRA),
    TABLE(error, EVENT_EXTRA),
    TABLE(info, EVENT_EXTRA),
    TABLE(logger, EVENT_EXTRA),
    TABLE(input, EVENT_EXTRA),
    TABLE(compaction, EVENT_EXTRA),
    TABLE(branch, EVENT_EXTRA),
    TABLE(anchor, EVENT_EXTRA),
    TABLE(interrupt, EVENT_EXTRA),
    TABLE(checkpoint, EVENT_CHECKPOINT_EXTRA),
};
static const EventTable unknown = { { NULL, 0 }, NULL, 0, EVENT_EXTRA };
/* clang-format on */

static bool is_same(Str a, Str b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static const EventTableField *find(const EventTableField *fields, size_t n, Str key)
{
    for (size_t i = 0; i < n; i++)
        if (is_same(fields[i].key, key))
            return &fields[i];
    return NULL;
}

const EventTable *event_table_of(Str type)
{
    for (size_t i = 0; type.p && i < ARRAY_LEN(tables); i++)
        if (is_same(tables[i].type, type))
            return &tables[i];
    return &unknown;
}

const EventTableField *event_table_field(const EventTable *table, Str key)
{
    const EventTableField *field = find(table->fields, table->n_fields, key);
    return field ? field : find(common_fields, ARRAY_LEN(common_fields), key);
}
