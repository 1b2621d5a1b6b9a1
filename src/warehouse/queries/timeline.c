/* Timelines: rows of events that have a begin and an end. */

#include "warehouse/queries/timeline.h"

#include "warehouse/queries/queries_priv.h"

enum { SPANS_MAX = 5000, CALLS_MAX = 20, SAMPLES_MAX = 1000, SUM_MAX_MS = 20 * 1000 };

/* clang-format off */
/* What a kind of span or event counts as. */
static const struct { const char *kind; const char *category; } categories[] = {
    { "model",   "model" },     { "tool",    "tool" },      { "init",    "setup" },     { "sample",   "sample" },
    { "solvers", "execution" }, { "solver",  "execution" }, { "agent",   "execution" }, { "subtask",  "execution" },
    { "handoff", "execution" }, { "scorers", "scoring" },   { "scorer",  "scoring" },
};

/* Milliseconds that an event took. */
static const char *const took[] = {
    [SQL_SQLITE]   = "(v.completed - v.\"timestamp\") / 1000.0",
    [SQL_POSTGRES] = "(extract(epoch FROM v.completed - v.\"timestamp\") * 1000)::double precision",
};

enum Column { ID, PARENT, NAME, KIND, BEGUN, ENDED, FAILED };
static const char spans[] =
    "SELECT coalesce(v.span_event_id, v.event_uuid), CASE WHEN v.event_type = 'span_begin' THEN v.span_parent_id ELSE v.span_id END, "
    "coalesce(v.span_name, v.model_name, v.tool_function, v.event_type), "
    "CASE WHEN v.event_type = 'span_begin' THEN v.span_type ELSE v.event_type END, v.\"timestamp\", "
    "coalesce(v.completed, x.ended, v.\"timestamp\"), CASE WHEN v.tool_failed OR v.model_error IS NOT NULL THEN 1 ELSE 0 END "
    "FROM event v LEFT JOIN (SELECT span_event_id, max(\"timestamp\") AS ended FROM event "
    "WHERE sample_pk = $1 AND event_type = 'span_end' GROUP BY span_event_id) x "
    "ON x.span_event_id = v.span_event_id "
    "WHERE v.sample_pk = $1 AND v.event_type IN ('span_begin', 'model', 'tool') AND v.\"timestamp\" IS NOT NULL "
    "ORDER BY v.\"timestamp\", v.event_order LIMIT $2";
/* clang-format on */

static Str category_of(Str kind)
{
    for (size_t i = 0; i < ARRAY_LEN(categories); i++)
        if (str_eqz(kind, categories[i].kind))
            return str_of(categories[i].category);
    return STR("other");
}

typedef struct Span {
    Str id;
    Str parent; /* STR_NONE: none */
    Str name;
    Str kind;
    int64_t begun_us;
    int64_t ended_us;
    bool has_failed;
} Span;

static void write_span(const Span *span, JsonOut *out)
{
    int64_t ended_us = span->ended_us > span->begun_us ? span->ended_us : span->begun_us;
    json_out_object(out);
    json_out_kv_str(out, "span_id", span->id);
    json_out_kv_str(out, "parent_id", span->parent);
    json_out_kv_str(out, "name", span->name);
    json_out_kv_str(out, "category", category_of(span->kind));
    json_out_kvz(out, "kind", "INTERNAL");
    json_out_kv_real(out, "start_ms", (double)span->begun_us / 1e3);
    json_out_kv_real(out, "end_ms", (double)ended_us / 1e3);
    json_out_kv_real(out, "duration_ms", (double)(ended_us - span->begun_us) / 1e3);
    json_out_kv_object(out, "attributes");
    json_out_kv_str(out, "type", span->kind);
    json_out_kv_bool(out, "failed", span->has_failed);
    json_out_end_object(out);
    json_out_end_object(out);
}

/* The spans of a sample, whose outermost ones are within the sample. */
static int write_spans(SqlRows *rows, Str sample, bool *ret_is_cut, JsonOut *out, Error *err)
{
    int has_row = 0;
    size_t n = 0;
    *ret_is_cut = false;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        if (n++ == SPANS_MAX) {
            *ret_is_cut = true;
            return 0;
        }
        Str parent = sql_rows_text(rows, PARENT);
        Str kind = sql_rows_text(rows, KIND);
        const Span span = {.id = sql_rows_text(rows, ID),
                           .parent = parent.p ? parent : sample,
                           .name = sql_rows_text(rows, NAME),
                           .kind = kind.p ? kind : STR("span"),
                           .begun_us = sql_rows_int(rows, BEGUN),
                           .ended_us = sql_rows_int(rows, ENDED),
                           .has_failed = sql_rows_int(rows, FAILED) != 0};
        write_span(&span, out);
    }
    return has_row;
}

int timeline_sample(Sql *sql, const QueriesAccess *access, Str uuid, JsonOut *out, Error *err)
{
    enum { SAMPLE_PK = 1, SAMPLE_UUID, EVAL_SET_ID, EVAL_ID, STARTED_AT, COMPLETED_AT };
    auto_query Query query = {0};
    query_init(&query, sql);
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *sample = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    bool is_cut = false;
    if (query_begin_as(sql, access, &tx, err) < 0 ||
        query_find_sample(&query, access,
                          "s.pk, s.uuid, e.eval_set_id, e.id, s.started_at, s.completed_at", uuid,
                          tx, &sample, err) < 0 ||
        sql_query(tx, spans,
                  SQL_ARGS(SQL_TEXT(sql_rows_text(sample, SAMPLE_PK)), SQL_INT(SPANS_MAX + 1)),
                  &rows, err) < 0)
        return -1;
    bool is_known = !sql_rows_is_null(sample, STARTED_AT);
    const Span whole = {.id = sql_rows_text(sample, SAMPLE_UUID),
                        .parent = STR_NONE,
                        .name = STR("sample"),
                        .kind = STR("sample"),
                        .begun_us = sql_rows_int(sample, STARTED_AT),
                        .ended_us = sql_rows_int(sample, COMPLETED_AT)};
    json_out_object(out);
    query_kv_text(out, "sample_uuid", sample, SAMPLE_UUID);
    query_kv_text(out, "eval_set_id", sample, EVAL_SET_ID);
    query_kv_text(out, "eval_id", sample, EVAL_ID);
    json_out_kv_array(out, "spans");
    if (is_known)
        write_span(&whole, out);
    if (write_spans(rows, is_known ? whole.id : STR_NONE, &is_cut, out, err) < 0)
        return -1;
    json_out_end_array(out);
    json_out_kv_bool(out, "truncated", is_cut);
    json_out_end_object(out);
    return 0;
}

/* Appends the calls of the set that the caller may see. */
static void add_calls(Query *query, const QueriesAccess *access, Str eval_set_id, const char *types)
{
    query_add(query,
              " FROM eval e JOIN sample s ON s.eval_pk = e.pk JOIN event v ON v.sample_pk = s.pk");
    query_where_value(query, "e.eval_set_id = ?", SQL_TEXT(eval_set_id));
    query_where(query, types);
    query_where(query, "v.completed >= v.\"timestamp\"");
    query_where(query, "");
    query_add_access(query, access);
}

static int write_totals(Query *query, SqlTx *tx, int64_t *ret_n, JsonOut *out, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    int has_row = 0;
    if (query_run(query, tx, &rows, err) < 0)
        return -1;
    json_out_kv_array(out, "categories");
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        json_out_object(out);
        json_out_kv_str(out, "category", category_of(sql_rows_text(rows, 0)));
        query_kv_real(out, "total_ms", rows, 1);
        query_kv_int(out, "count", rows, 2);
        json_out_end_object(out);
        *ret_n += sql_rows_int(rows, 2);
    }
    json_out_end_array(out);
    return has_row;
}

static int write_longest(Query *query, SqlTx *tx, bool *ret_is_cut, JsonOut *out, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    int has_row = 0;
    size_t n = 0;
    if (query_run(query, tx, &rows, err) < 0)
        return -1;
    json_out_kv_array(out, "longest_tool_calls");
    while ((has_row = sql_rows_next(rows, err)) == 1 && n++ < CALLS_MAX) {
        json_out_object(out);
        query_kv_text(out, "sample_uuid", rows, 0);
        query_kv_text(out, "tool_name", rows, 1);
        query_kv_real(out, "duration_ms", rows, 2);
        query_kv_bool(out, "failed", rows, 3);
        json_out_end_object(out);
    }
    json_out_end_array(out);
    *ret_is_cut = has_row == 1;
    return has_row < 0 ? -1 : 0;
}

int timeline_set(Sql *sql, const QueriesAccess *access, Str eval_set_id, JsonOut *out, Error *err)
{
    auto_query Query totals = {0};
    auto_query Query longest = {0};
    query_init(&totals, sql);
    query_init(&longest, sql);
    const char *ms = took[totals.dialect];
    buf_printf(&totals.text, "SELECT v.event_type, sum(%s), count(*)", ms);
    add_calls(&totals, access, eval_set_id, "v.event_type IN ('model', 'tool')");
    query_add(&totals, " GROUP BY v.event_type ORDER BY 2 DESC");
    buf_printf(&longest.text,
               "SELECT s.uuid, v.tool_function, %s, CASE WHEN v.tool_failed THEN 1 ELSE 0 END", ms);
    add_calls(&longest, access, eval_set_id, "v.event_type = 'tool'");
    query_add_value(&longest, " ORDER BY 3 DESC, s.uuid LIMIT ?", SQL_INT(CALLS_MAX + 1));

    auto_sql_tx SqlTx *tx = NULL;
    int64_t n = 0;
    bool is_cut = false;
    if (query_begin_as(sql, access, &tx, err) < 0 || sql_tx_limit_ms(tx, SUM_MAX_MS, err) < 0)
        return -1;
    json_out_object(out);
    json_out_kv_str(out, "eval_set_id", eval_set_id);
    if (write_totals(&totals, tx, &n, out, err) < 0 ||
        write_longest(&longest, tx, &is_cut, out, err) < 0)
        return -1;
    json_out_kv_int(out, "span_count", n);
    json_out_kv_bool(out, "truncated", is_cut);
    json_out_end_object(out);
    return 0;
}

int timeline_set_samples(Sql *sql, const QueriesAccess *access, Str eval_set_id, JsonOut *out,
                         Error *err)
{
    auto_query Query query = {0};
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    int has_row = 0;
    size_t n = 0;
    query_init(&query, sql);
    query_add(&query, "SELECT s.uuid, s.id, s.epoch, e.id FROM eval e JOIN sample s ON "
                      "s.eval_pk = e.pk");
    query_where_value(&query, "e.eval_set_id = ?", SQL_TEXT(eval_set_id));
    query_where(&query, "");
    query_add_access(&query, access);
    query_add_value(&query, " ORDER BY e.created_at DESC, e.pk, s.id, s.epoch LIMIT ?",
                    SQL_INT(SAMPLES_MAX + 1));
    if (query_begin_as(sql, access, &tx, err) < 0 || query_run(&query, tx, &rows, err) < 0)
        return -1;
    json_out_object(out);
    json_out_kv_str(out, "eval_set_id", eval_set_id);
    json_out_kv_array(out, "samples");
    while ((has_row = sql_rows_next(rows, err)) == 1 && n++ < SAMPLES_MAX) {
        json_out_object(out);
        query_kv_text(out, "sample_uuid", rows, 0);
        query_kv_text(out, "sample_id", rows, 1);
        query_kv_int(out, "epoch", rows, 2);
        query_kv_text(out, "eval_id", rows, 3);
        json_out_end_object(out);
    }
    if (has_row < 0)
        return -1;
    json_out_end_array(out);
    json_out_kv_bool(out, "truncated", has_row == 1);
    json_out_end_object(out);
    return 0;
}
