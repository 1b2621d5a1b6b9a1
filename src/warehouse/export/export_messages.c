/* Messages, as messages_df makes them: what a sample's model events had as input and output, each
   message once, in the order in which they turn up; see sample_messages_from_events of
   inspect_ai/analysis/_dataframe/samples/table.py (Inspect 0.3.285).

   Of the sample at hand only the order of its messages is held: a few bytes for each. */

#include <stdlib.h>

#include "base/mem.h"
#include "codec/json_out.h"
#include "codec/json_scan.h"
#include "codec/murmur3.h"
#include "warehouse/export/export_message.h"
#include "warehouse/export/export_priv.h"

enum { ITEMS_MAX = 10000000, TEXT_MAX = 1 << 30, SET_START = 64 };

typedef enum Column {
    MESSAGE_ID,
    SAMPLE_ID,
    EVAL_ID,
    LOG,
    ROLE,
    SOURCE,
    CONTENT,
    TOOL_CALLS,
    TOOL_CALL_ID,
    TOOL_CALL_FUNCTION,
    TOOL_CALL_ERROR,
    ORDER,
    N_COLUMNS,
} Column;

/* clang-format off */
static const struct { const char *name; FrameKind kind; } columns[N_COLUMNS] = {
    [MESSAGE_ID] = { "message_id", FRAME_TEXT },
    [SAMPLE_ID] = { "sample_id", FRAME_TEXT },
    [EVAL_ID] = { "eval_id", FRAME_TEXT },
    [LOG] = { "log", FRAME_TEXT },
    [ROLE] = { "role", FRAME_TEXT },
    [SOURCE] = { "source", FRAME_TEXT },
    [CONTENT] = { "content", FRAME_TEXT },
    [TOOL_CALLS] = { "tool_calls", FRAME_TEXT },
    [TOOL_CALL_ID] = { "tool_call_id", FRAME_TEXT },
    [TOOL_CALL_FUNCTION] = { "tool_call_function", FRAME_TEXT },
    [TOOL_CALL_ERROR] = { "tool_call_error", FRAME_TEXT },
    [ORDER] = { "order", FRAME_INT },
};
/* clang-format on */

static int make_columns(Export *export, Error *err)
{
    for (size_t i = 0; i < N_COLUMNS; i++)
        if (export_column(export, (int)i, columns[i].name, columns[i].kind, err) < 0)
            return -1;
    return 0;
}

/* --- the order of a sample's messages --- */

/* Where a message is: in the pool, or the output of an event. */
typedef struct Item {
    int64_t place;
    bool is_output;
} Item;

/* Messages that model events had: a range of the pool, or an output. */
typedef struct Step {
    int64_t start;
    int64_t end;
    bool is_output;
    Murmur3 id;
} Step;

/* A set of ids by their hashes; {0, 0} is a free place. */
typedef struct Set {
    Murmur3 *slots;
    size_t n_slots;
    size_t n;
} Set;

struct ExportMessages {
    bool has_sample;
    Buf sample_pk;
    Buf sample_uuid;
    Item *items;
    size_t n_items;
    size_t cap_items;
    size_t at;
    int64_t order;
    bool after_assistant; /* the last message was one, and this is what it said */
    Murmur3 said;
};

static bool set_add(Set *set, Murmur3 id)
{
    if (id.first == 0 && id.second == 0)
        id.first = 1;
    if (set->n * 2 >= set->n_slots) {
        Set grown = {.n_slots = set->n_slots ? set->n_slots * 2 : SET_START};
        grown.slots = mem_array(grown.n_slots, sizeof(*grown.slots));
        for (size_t i = 0; i < set->n_slots; i++)
            if (set->slots[i].first != 0 || set->slots[i].second != 0)
                (void)set_add(&grown, set->slots[i]);
        free(set->slots);
        *set = grown;
    }
    for (size_t i = (size_t)id.first;; i++) {
        Murmur3 *slot = &set->slots[i & (set->n_slots - 1)];
        if (slot->first == id.first && slot->second == id.second)
            return false;
        if (slot->first == 0 && slot->second == 0) {
            *slot = id;
            set->n++;
            return true;
        }
    }
}

static Str member(Str object, const char *name)
{
    Str raw = STR_NONE;
    return object.p && json_scan_get(object, name, &raw) && json_scan_kind_of(raw) != JSON_SCAN_NULL
               ? raw
               : STR_NONE;
}

/* A message without an id is known by what it says. */
static Murmur3 id_of(Export *export, Str message)
{
    Str raw = member(message, "id");
    Str id = STR_NONE;
    if (raw.p && json_scan_str(raw, export->row, &id) && id.n > 0)
        return murmur3_of(id);
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    export_message_add(message, export->row, &text);
    return murmur3_of(buf_str(&text));
}

/* The message of a model's output, or STR_NONE when it has none. */
static Str message_of(Str output)
{
    JsonScan scan;
    Str choice = STR_NONE;
    Str choices = member(output, "choices");
    if (!choices.p)
        return STR_NONE;
    json_scan_init(&scan, choices, true);
    if (json_scan_kind(&scan) != JSON_SCAN_ARRAY || !json_scan_array(&scan) ||
        !json_scan_item(&scan) || !json_scan_skip(&scan, &choice))
        return STR_NONE;
    return member(choice, "message");
}

typedef struct Plan {
    Step *steps;
    size_t n_steps;
    size_t cap_steps;
    Murmur3 *pool; /* ids by place */
    size_t n_pool;
    size_t cap_pool;
    Set seen;
} Plan;

static void plan_release(Plan *plan)
{
    free(plan->steps);
    free(plan->pool);
    free(plan->seen.slots);
}

static int add_step(Plan *plan, const Step *step, Error *err)
{
    if (plan->n_steps == ITEMS_MAX)
        return error_set(err, ERR_BAD_DATA, "a sample has too many calls of models");
    if (plan->n_steps == plan->cap_steps) {
        plan->cap_steps = plan->cap_steps ? plan->cap_steps * 2 : 64;
        plan->steps = mem_resize(plan->steps, plan->cap_steps, sizeof(*plan->steps));
    }
    plan->steps[plan->n_steps++] = *step;
    return 0;
}

/* [[0, 3], [5, 6]] */
static int add_ranges(Plan *plan, Str refs, Error *err)
{
    JsonScan scan;
    Str start = STR_NONE;
    Str end = STR_NONE;
    json_scan_init(&scan, refs.p ? refs : STR("[]"), true);
    if (!json_scan_array(&scan))
        return 0;
    while (json_scan_item(&scan) && json_scan_array(&scan)) {
        Step step = {0};
        if (json_scan_item(&scan) && json_scan_skip(&scan, &start) && json_scan_item(&scan) &&
            json_scan_skip(&scan, &end) && json_scan_i64(start, &step.start) &&
            json_scan_i64(end, &step.end) && add_step(plan, &step, err) < 0)
            return -1;
        if (!json_scan_leave(&scan))
            break;
    }
    return 0;
}

static int read_calls(Export *export, SqlTx *tx, Plan *plan, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx,
                  "SELECT event_order, model_input_refs, model_output FROM event WHERE sample_pk = "
                  "$1 AND event_type = 'model' ORDER BY event_order",
                  SQL_ARGS(SQL_TEXT(buf_str(&export->messages->sample_pk))), &rows, err) < 0)
        return -1;
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        Str message = message_of(sql_rows_text(rows, 2));
        Step output = {.is_output = true, .start = sql_rows_int(rows, 0)};
        if (add_ranges(plan, sql_rows_text(rows, 1), err) < 0)
            return -1;
        if (message.p) {
            output.id = id_of(export, message);
            if (add_step(plan, &output, err) < 0)
                return -1;
        }
        arena_reset(export->row);
    }
    return has_row;
}

static int read_pool(Export *export, SqlTx *tx, Plan *plan, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx,
                  "SELECT pool_order, data FROM message_pool WHERE sample_pk = $1 ORDER BY "
                  "pool_order",
                  SQL_ARGS(SQL_TEXT(buf_str(&export->messages->sample_pk))), &rows, err) < 0)
        return -1;
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        size_t place = (size_t)sql_rows_int(rows, 0);
        if (place >= ITEMS_MAX)
            return error_set(err, ERR_BAD_DATA, "a sample has too many messages");
        while (place >= plan->cap_pool) {
            size_t cap = plan->cap_pool ? plan->cap_pool * 2 : 64;
            plan->pool = mem_resize(plan->pool, cap, sizeof(*plan->pool));
            memset(plan->pool + plan->cap_pool, 0, (cap - plan->cap_pool) * sizeof(*plan->pool));
            plan->cap_pool = cap;
        }
        plan->pool[place] = id_of(export, sql_rows_text(rows, 1));
        plan->n_pool = place + 1;
        arena_reset(export->row);
    }
    return has_row;
}

static void add_item(ExportMessages *messages, int64_t place, bool is_output)
{
    if (messages->n_items == messages->cap_items) {
        messages->cap_items = messages->cap_items ? messages->cap_items * 2 : 64;
        messages->items =
            mem_resize(messages->items, messages->cap_items, sizeof(*messages->items));
    }
    messages->items[messages->n_items++] = (Item){.place = place, .is_output = is_output};
}

/* Each message where it turns up first. A range that has been passed up to some place is not looked
   at again: the input of a call is mostly that of the call before and a little more. */
static void put_in_order(ExportMessages *messages, Plan *plan)
{
    auto_free bool *passed = mem_array(plan->n_pool + 1, sizeof(*passed));
    for (size_t i = 0; i < plan->n_steps; i++) {
        const Step *step = &plan->steps[i];
        if (step->is_output) {
            if (set_add(&plan->seen, step->id))
                add_item(messages, step->start, true);
            continue;
        }
        for (int64_t place = step->start < 0 ? 0 : step->start;
             place < step->end && place < (int64_t)plan->n_pool; place++) {
            if (!passed[place] && set_add(&plan->seen, plan->pool[place]))
                add_item(messages, place, false);
            passed[place] = true;
        }
    }
}

/* Goes to the next sample of the eval; has_sample is false when there is none. */
static int next_sample(Export *export, SqlTx *tx, Error *err)
{
    ExportMessages *messages = export->messages;
    HAWK_CLEANUP(plan_release) Plan plan = {0};
    if (export_next_sample(export, tx, &messages->sample_pk, &messages->sample_uuid,
                           &messages->has_sample, err) < 0)
        return -1;
    if (!messages->has_sample)
        return 0;
    messages->n_items = 0;
    messages->at = 0;
    messages->order = 0;
    messages->after_assistant = false;
    if (read_calls(export, tx, &plan, err) < 0 || read_pool(export, tx, &plan, err) < 0)
        return -1;
    put_in_order(messages, &plan);
    return 0;
}

/* --- one message --- */

static int find_attachment(Export *export, SqlTx *tx, Str key, Str *ret, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    *ret = STR_NONE;
    if (sql_query(tx,
                  "SELECT content FROM sample_attachment WHERE sample_pk = $1 AND attachment_key = "
                  "$2",
                  SQL_ARGS(SQL_TEXT(buf_str(&export->messages->sample_pk)), SQL_TEXT(key)), &rows,
                  err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row == 1)
        *ret = arena_str(export->row, sql_rows_text(rows, 0));
    return has_row < 0 ? -1 : 0;
}

/* Whether what stands before a value names something that is no text. */
static bool is_media(Str before)
{
    static const char *const keys[] = {
        "\"image\":", "\"audio\":", "\"video\":", "\"document\":", "\"data\":"};
    before = str_trim(before);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (str_ends(before, str_of(keys[i])))
            return true;
    return false;
}

/* The message with its long texts in place: a value "attachment://<key>" is what that refers to. */
static int resolve(Export *export, SqlTx *tx, Str raw, Str *ret, Error *err)
{
    static const Str mark = {"\"attachment://", 14};
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    if (str_find_str(raw, mark) < 0) {
        *ret = raw;
        return 0;
    }
    for (ptrdiff_t at = str_find_str(raw, mark); at >= 0; at = str_find_str(raw, mark)) {
        Str rest = str_slice(raw, (size_t)at + mark.n, raw.n);
        ptrdiff_t end = str_find(rest, '"');
        Str key = str_slice(rest, 0, end < 0 ? rest.n : (size_t)end);
        Str content = STR_NONE;
        Str before = str_slice(raw, 0, (size_t)at);
        if (!is_media(before) && find_attachment(export, tx, key, &content, err) < 0)
            return -1;
        size_t next = (size_t)at + mark.n + key.n + 1;
        buf_add_str(&text, before);
        if (content.p) {
            JsonOut out;
            json_out_init(&out, &text, 0);
            json_out_str(&out, content);
        } else {
            buf_add_str(&text, str_slice(raw, (size_t)at, next));
        }
        raw = str_slice(raw, next, raw.n);
    }
    buf_add_str(&text, raw);
    *ret = arena_str(export->row, buf_str(&text));
    return buf_check(&text, "a message", err);
}

static Str text_member(Export *export, Str object, const char *name)
{
    Str raw = member(object, name);
    Str text = STR_NONE;
    return raw.p && json_scan_str(raw, export->row, &text) ? text : STR_NONE;
}

/* Names of the functions that a message calls, so that two messages can be compared. */
static void add_functions(Export *export, Str message, Buf *ret)
{
    JsonScan scan;
    Str call = STR_NONE;
    Str calls = member(message, "tool_calls");
    json_scan_init(&scan, calls.p ? calls : STR("[]"), true);
    if (!json_scan_array(&scan))
        return;
    while (json_scan_item(&scan) && json_scan_skip(&scan, &call)) {
        buf_addc(ret, '\0');
        buf_add_str(ret, text_member(export, call, "function"));
    }
}

/* An assistant that says the same twice in a row said it once: bridges make lists anew. */
static bool is_repeated(Export *export, Str message, Str role, Str text)
{
    ExportMessages *messages = export->messages;
    bool is_assistant = str_eqz(role, "assistant");
    bool was_assistant = messages->after_assistant;
    Murmur3 before = messages->said;
    if (is_assistant) {
        auto_buf Buf said = BUF_INIT(TEXT_MAX);
        buf_add_str(&said, text);
        add_functions(export, message, &said);
        messages->said = murmur3_of(buf_str(&said));
    }
    messages->after_assistant = is_assistant;
    return is_assistant && was_assistant && before.first == messages->said.first &&
           before.second == messages->said.second;
}

static int write_message(Export *export, Str message, Error *err)
{
    ExportMessages *messages = export->messages;
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    auto_buf Buf calls = BUF_INIT(TEXT_MAX);
    Str role = text_member(export, message, "role");
    export_message_text(message, export->row, &text);
    if (is_repeated(export, message, role, buf_str(&text))) {
        arena_reset(export->row);
        return 0;
    }
    bool has_calls =
        str_eqz(role, "assistant") && export_message_calls(message, export->row, &calls);
    const FrameValue values[N_COLUMNS] = {
        [MESSAGE_ID] = FRAME_STRING(text_member(export, message, "id")),
        [SAMPLE_ID] = FRAME_STRING(buf_str(&messages->sample_uuid)),
        [EVAL_ID] = FRAME_STRING(buf_str(&export->eval.id)),
        [LOG] = FRAME_STRING(buf_str(&export->eval.location)),
        [ROLE] = FRAME_STRING(role),
        [SOURCE] = FRAME_STRING(text_member(export, message, "source")),
        [CONTENT] = FRAME_STRING(buf_str(&text)),
        [TOOL_CALLS] = has_calls ? FRAME_STRING(buf_str(&calls)) : FRAME_NULL,
        [TOOL_CALL_ID] = FRAME_STRING(text_member(export, message, "tool_call_id")),
        [TOOL_CALL_FUNCTION] = FRAME_STRING(text_member(export, message, "function")),
        [TOOL_CALL_ERROR] = FRAME_STRING(text_member(export, member(message, "error"), "message")),
        [ORDER] = FRAME_INTEGER(++messages->order),
    };
    for (size_t i = 0; i < N_COLUMNS; i++)
        if (export_put(export, (int)i, str_of(columns[i].name), values[i], err) < 0)
            return -1;
    return export_end_row(export, err);
}

static int read_item(Export *export, SqlTx *tx, const Item *item, Error *err)
{
    static const char *const queries[] = {
        "SELECT data FROM message_pool WHERE sample_pk = $1 AND pool_order = $2",
        "SELECT model_output FROM event WHERE sample_pk = $1 AND event_order = $2",
    };
    auto_sql_rows SqlRows *rows = NULL;
    Str message = STR_NONE;
    if (sql_query(tx, queries[item->is_output],
                  SQL_ARGS(SQL_TEXT(buf_str(&export->messages->sample_pk)), SQL_INT(item->place)),
                  &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row <= 0)
        return has_row; /* imported anew meanwhile */
    Str raw = arena_str(export->row, sql_rows_text(rows, 0));
    sql_rows_free(TAKE(rows));
    Str found = item->is_output ? message_of(raw) : raw;
    if (!found.p)
        return 0;
    if (resolve(export, tx, found, &message, err) < 0)
        return -1;
    return write_message(export, message, err);
}

static int read_messages(Export *export, SqlTx *tx, bool *ret_is_over, Error *err)
{
    ExportMessages *messages = export->messages;
    *ret_is_over = false;
    if (!messages->has_sample) {
        if (next_sample(export, tx, err) < 0)
            return -1;
        *ret_is_over = !messages->has_sample;
        export->n_rows++; /* a sample is work, even without messages */
    }
    while (messages->at < messages->n_items && !export_is_full(export))
        if (read_item(export, tx, &messages->items[messages->at++], err) < 0)
            return -1;
    if (messages->at >= messages->n_items)
        messages->has_sample = false;
    return 0;
}

static void begin(Export *export)
{
    export->messages = mem_alloc(sizeof(*export->messages));
    export->messages->sample_pk = BUF_INIT(1024);
    export->messages->sample_uuid = BUF_INIT(1 << 20);
}

static void end(Export *export)
{
    if (!export->messages)
        return;
    buf_release(&export->messages->sample_pk);
    buf_release(&export->messages->sample_uuid);
    free(export->messages->items);
    free(export->messages);
}

const ExportSource export_messages = {.name = "messages",
                                      .columns = make_columns,
                                      .read = read_messages,
                                      .begin = begin,
                                      .end = end,
                                      .by_eval = true};
