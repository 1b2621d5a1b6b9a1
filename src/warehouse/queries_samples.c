/* The list of samples. A page costs one query, and one small one per row for its scores.

   "The score" of a sample, by which lists sort and filter, is that of the scorer asked for, else
   the only final one. */

#include <math.h>

#include "warehouse/queries_priv.h"

typedef struct SortRow {
    const char *name;
    const char *first;  /* expression */
    const char *second; /* decides among equals, or NULL */
} SortRow;

/* The number of "the score", null when it is none that has a place among others. */
#define SCORE_NUMBER "f.value_float + CASE WHEN f.value_nonfinite IS NULL THEN 0 END"

/* clang-format off */
static const SortRow sorts[] = {
    { "completed_at",            "s.completed_at",            NULL },
    { "started_at",              "s.started_at",              NULL },
    { "id",                      "s.id",                      NULL },
    { "uuid",                    "s.uuid",                    NULL },
    { "epoch",                   "s.epoch",                   NULL },
    { "input_tokens",            "s.input_tokens",            NULL },
    { "output_tokens",           "s.output_tokens",           NULL },
    { "reasoning_tokens",        "s.reasoning_tokens",        NULL },
    { "total_tokens",            "s.total_tokens",            NULL },
    { "action_count",            "s.action_count",            NULL },
    { "message_count",           "s.message_count",           NULL },
    { "working_time_seconds",    "s.working_time_seconds",    NULL },
    { "total_time_seconds",      "s.total_time_seconds",      NULL },
    { "generation_time_seconds", "s.generation_time_seconds", NULL },
    { "eval_id",                 "e.id",                      NULL },
    { "eval_set_id",             "e.eval_set_id",             NULL },
    { "task_name",               "e.task_name",               NULL },
    { "task_version",            "e.task_version",            NULL },
    { "model",                   "e.model",                   NULL },
    { "score_value",             SCORE_NUMBER,                "f.value" },
    { "score_scorer",            "f.scorer",                  NULL },
    { "status",                  "s.status",                  NULL },
    { "author",                  "e.created_by",              NULL },
    { "created_by",              "e.created_by",              NULL },
    { "invalid",                 "s.is_invalid",              NULL },
    { "is_invalid",              "s.is_invalid",              NULL },
    { "error_message",           "s.error_message",           NULL },
    { "location",                "e.location",                NULL },
};

static const char *const statuses[] = {
    "success",       "error",       "context_limit", "time_limit",     "working_limit",
    "message_limit", "token_limit", "cost_limit",    "operator_limit", "custom_limit",
};

enum Column {
    PK, UUID, ID, EPOCH, STARTED_AT, COMPLETED_AT, INPUT_TOKENS, OUTPUT_TOKENS, REASONING_TOKENS, TOTAL_TOKENS,
    CACHE_READ, CACHE_WRITE, ACTION_COUNT, MESSAGE_COUNT, WORKING_TIME, TOTAL_TIME, GENERATION_TIME, ERROR_MESSAGE,
    LIMIT, STATUS, IS_PROVISIONAL, IS_INVALID, INVALIDATION_TIMESTAMP, INVALIDATION_AUTHOR, INVALIDATION_REASON,
    EVAL_ID, EVAL_SET_ID, TASK_NAME, TASK_VERSION, MODEL, LOCATION, CREATED_BY, SCORE_VALUE, SCORE_SCORER,
};

typedef void Writer(JsonOut *out, const char *key, const SqlRows *rows, int column);

static const struct { const char *key; const char *sql; Writer *write; } columns[] = {
    [PK]                     = { "pk",                       "s.pk",                       query_kv_text },
    [UUID]                   = { "uuid",                     "s.uuid",                     query_kv_text },
    [ID]                     = { "id",                       "s.id",                       query_kv_text },
    [EPOCH]                  = { "epoch",                    "s.epoch",                    query_kv_int },
    [STARTED_AT]             = { "started_at",               "s.started_at",               query_kv_time },
    [COMPLETED_AT]           = { "completed_at",             "s.completed_at",             query_kv_time },
    [INPUT_TOKENS]           = { "input_tokens",             "s.input_tokens",             query_kv_int },
    [OUTPUT_TOKENS]          = { "output_tokens",            "s.output_tokens",            query_kv_int },
    [REASONING_TOKENS]       = { "reasoning_tokens",         "s.reasoning_tokens",         query_kv_int },
    [TOTAL_TOKENS]           = { "total_tokens",             "s.total_tokens",             query_kv_int },
    [CACHE_READ]             = { "input_tokens_cache_read",  "s.input_tokens_cache_read",  query_kv_int },
    [CACHE_WRITE]            = { "input_tokens_cache_write", "s.input_tokens_cache_write", query_kv_int },
    [ACTION_COUNT]           = { "action_count",             "s.action_count",             query_kv_int },
    [MESSAGE_COUNT]          = { "message_count",            "s.message_count",            query_kv_int },
    [WORKING_TIME]           = { "working_time_seconds",     "s.working_time_seconds",     query_kv_real },
    [TOTAL_TIME]             = { "total_time_seconds",       "s.total_time_seconds",       query_kv_real },
    [GENERATION_TIME]        = { "generation_time_seconds",  "s.generation_time_seconds",  query_kv_real },
    [ERROR_MESSAGE]          = { "error_message",            "s.error_message",            query_kv_text },
    [LIMIT]                  = { "limit",                    "s.\"limit\"",                query_kv_text },
    [STATUS]                 = { "status",                   "s.status",                   query_kv_text },
    [IS_PROVISIONAL]         = { "is_provisional",           "s.is_provisional",           query_kv_bool },
    [IS_INVALID]             = { "is_invalid",               "s.is_invalid",               query_kv_bool },
    [INVALIDATION_TIMESTAMP] = { "invalidation_timestamp",   "s.invalidation_timestamp",   query_kv_time },
    [INVALIDATION_AUTHOR]    = { "invalidation_author",      "s.invalidation_author",      query_kv_text },
    [INVALIDATION_REASON]    = { "invalidation_reason",      "s.invalidation_reason",      query_kv_text },
    [EVAL_ID]                = { "eval_id",                  "e.id",                       query_kv_text },
    [EVAL_SET_ID]            = { "eval_set_id",              "e.eval_set_id",              query_kv_text },
    [TASK_NAME]              = { "task_name",                "e.task_name",                query_kv_text },
    [TASK_VERSION]           = { "task_version",             "e.task_version",             query_kv_text },
    [MODEL]                  = { "model",                    "e.model",                    query_kv_text },
    [LOCATION]               = { "location",                 "e.location",                 query_kv_text },
    [CREATED_BY]             = { "created_by",               "e.created_by",               query_kv_text },
    [SCORE_VALUE]            = { "score_value",              "f.value",                    NULL },
    [SCORE_SCORER]           = { "score_scorer",             "f.scorer",                   NULL },
};
/* clang-format on */

static const SortRow *find_sort(Str name)
{
    for (size_t i = 0; i < ARRAY_LEN(sorts); i++)
        if (str_eqz(name, sorts[i].name))
            return &sorts[i];
    return NULL;
}

static int check_statuses(const QueriesSamples *filter, Error *err)
{
    for (size_t i = 0; i < filter->n_statuses; i++) {
        bool is_known = false;
        for (size_t j = 0; j < ARRAY_LEN(statuses); j++)
            is_known = is_known || str_eqz(filter->statuses[i], statuses[j]);
        if (!is_known)
            return error_set(err, ERR_USAGE, "there is no sample status of that name");
    }
    if (filter->n_statuses > ARRAY_LEN(statuses))
        return error_set(err, ERR_USAGE, "more statuses than there are");
    return 0;
}

static int check_filter(const QueriesSamples *filter, Error *err)
{
    if (query_check_page(filter->page, err) < 0 || check_statuses(filter, err) < 0)
        return -1;
    if (filter->sort_by.p && !find_sort(filter->sort_by))
        return error_set(err, ERR_USAGE, "samples cannot be sorted by that column");
    if (filter->sort_order.p && !str_eqz(filter->sort_order, "asc") &&
        !str_eqz(filter->sort_order, "desc"))
        return error_set(err, ERR_USAGE, "sort_order must be asc or desc");
    if ((filter->has_score_min && !isfinite(filter->score_min)) ||
        (filter->has_score_max && !isfinite(filter->score_max)))
        return error_set(err, ERR_USAGE, "score_min and score_max must be finite");
    if (filter->has_score_min && filter->has_score_max && filter->score_min > filter->score_max)
        return error_set(err, ERR_USAGE, "score_min is greater than score_max");
    if (filter->has_completed_after && filter->has_completed_before &&
        filter->completed_after_us > filter->completed_before_us)
        return error_set(err, ERR_USAGE, "completed_after is later than completed_before");
    return 0;
}

static void add_score_join(Query *query, const QueriesSamples *filter)
{
    query_add(query, " LEFT JOIN score f ON f.sample_pk = s.pk AND NOT f.is_intermediate AND ");
    if (filter->scorer.p)
        query_add_value(query, "f.scorer = ?", SQL_TEXT(filter->scorer));
    else
        query_add(query, "NOT EXISTS (SELECT 1 FROM score o WHERE o.sample_pk = s.pk AND "
                         "NOT o.is_intermediate AND o.pk <> f.pk)");
}

/* A scorer's score in the range or, when none is named, any final score. */
static void add_score_range(Query *query, const QueriesSamples *filter)
{
    if (!filter->has_score_min && !filter->has_score_max)
        return;
    query_where(query, "EXISTS (SELECT 1 FROM score r WHERE r.sample_pk = s.pk AND "
                       "NOT r.is_intermediate AND r.value_nonfinite IS NULL");
    if (filter->scorer.p)
        query_add_value(query, " AND r.scorer = ?", SQL_TEXT(filter->scorer));
    if (filter->has_score_min)
        query_add_value(query, " AND r.value_float >= ?", SQL_REAL(filter->score_min));
    if (filter->has_score_max)
        query_add_value(query, " AND r.value_float <= ?", SQL_REAL(filter->score_max));
    query_add(query, ")");
}

static void add_statuses(Query *query, const QueriesSamples *filter)
{
    if (filter->n_statuses == 0)
        return;
    query_where(query, "s.status IN (");
    for (size_t i = 0; i < filter->n_statuses; i++)
        query_add_value(query, i == 0 ? "?" : ", ?", SQL_TEXT(filter->statuses[i]));
    query_add(query, ")");
}

static void add_conditions(Query *query, const QueriesAccess *access, const QueriesSamples *filter,
                           const QueryWords *words)
{
    query_where(query, "");
    query_add_access(query, access);
    if (filter->eval_set_id.p)
        query_where_value(query, "e.eval_set_id = ?", SQL_TEXT(filter->eval_set_id));
    if (filter->model.p)
        query_where_value(query, "e.model = ?", SQL_TEXT(filter->model));
    if (filter->created_by.p)
        query_where_value(query, "e.created_by = ?", SQL_TEXT(filter->created_by));
    if (filter->task_name.p)
        query_where_value(query, "e.task_name = ?", SQL_TEXT(filter->task_name));
    if (filter->task_version.p)
        query_where_value(query, "e.task_version = ?", SQL_TEXT(filter->task_version));
    if (filter->has_completed_after)
        query_where_value(query, "s.completed_at >= ?", SQL_INSTANT(filter->completed_after_us));
    if (filter->has_completed_before)
        query_where_value(query, "s.completed_at <= ?", SQL_INSTANT(filter->completed_before_us));
    add_statuses(query, filter);
    add_score_range(query, filter);
    for (size_t i = 0; i < words->n; i++)
        query_where_word(query, "s.search_text", words->items[i]);
}

static const SortRow *sort_of(const QueriesSamples *filter)
{
    return filter->sort_by.p ? find_sort(filter->sort_by) : &sorts[0];
}

static void add_order(Query *query, const QueriesSamples *filter)
{
    const SortRow *sort = sort_of(filter);
    bool is_ascending = str_eqz(filter->sort_order, "asc");
    const char *direction = is_ascending ? " ASC NULLS LAST" : " DESC NULLS LAST";
    query_add(query, " ORDER BY ");
    query_add(query, sort->first);
    query_add(query, direction);
    if (sort->second) {
        query_add(query, ", ");
        query_add(query, sort->second);
        query_add(query, direction);
    }
    query_add(query, is_ascending ? ", s.pk ASC" : ", s.pk DESC");
}

/* Whether the rows of a page can be chosen by looking at samples alone. */
static bool needs_eval(const QueriesAccess *access, const QueriesSamples *filter)
{
    return !access->sees_all || filter->eval_set_id.p || filter->model.p || filter->created_by.p ||
           filter->task_name.p || filter->task_version.p || sort_of(filter)->first[0] == 'e';
}

/* The page's keys are chosen first, from as few tables as the question needs, and only they are
   looked up in full: a page far from the start then costs steps in an index. */
static void add_samples(Query *query, const QueriesAccess *access, const QueriesSamples *filter,
                        const QueryWords *words)
{
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        query_add(query, i == 0 ? "SELECT " : ", ");
        query_add(query, columns[i].sql);
    }
    query_add(query, " FROM (SELECT s.pk FROM sample s");
    if (needs_eval(access, filter))
        query_add(query, " JOIN eval e ON e.pk = s.eval_pk");
    if (sort_of(filter)->first[0] == 'f')
        add_score_join(query, filter);
    add_conditions(query, access, filter, words);
    add_order(query, filter);
    query_add_page(query, filter->page, 1);
    query_add(query, ") page JOIN sample s ON s.pk = page.pk JOIN eval e ON e.pk = s.eval_pk");
    add_score_join(query, filter);
    add_order(query, filter);
}

static void write_score(const SqlRows *rows, JsonOut *out)
{
    json_out_object(out);
    query_kv_text(out, "scorer", rows, 0);
    query_kv_json(out, "value", rows, 1);
    query_kv_real(out, "value_float", rows, 2);
    query_kv_text(out, "value_nonfinite", rows, 3);
    query_kv_bool(out, "is_intermediate", rows, 4);
    json_out_end_object(out);
}

/* The final scores or, when there are none, the latest intermediate one. */
static int write_scores(SqlTx *tx, Str sample_pk, JsonOut *out, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx,
                  "SELECT scorer, value, value_float, value_nonfinite, is_intermediate FROM score "
                  "WHERE sample_pk = $1 ORDER BY is_intermediate, "
                  "CASE WHEN is_intermediate THEN scored_at END DESC NULLS LAST, "
                  "CASE WHEN is_intermediate THEN -length(scorer) ELSE 0 END, "
                  "CASE WHEN NOT is_intermediate THEN scorer END, scorer DESC",
                  SQL_ARGS(SQL_TEXT(sample_pk)), &rows, err) < 0)
        return -1;
    json_out_kv_array(out, "scores");
    bool is_first = true;
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        bool is_intermediate = sql_rows_int(rows, 4) != 0;
        if (!is_intermediate || is_first)
            write_score(rows, out);
        is_first = false;
        if (is_intermediate)
            break;
    }
    json_out_end_array(out);
    return has_row < 0 ? -1 : 0;
}

/* A score's value as plain text: strings without quotes, all else as JSON. */
static void write_plain(JsonOut *out, const char *key, Str json)
{
    json_out_key(out, str_of(key));
    if (!json.p || str_starts(json, STR("\"")))
        json_out_raw(out, json.p ? json : STR("null"));
    else
        json_out_str(out, json);
}

static int write_sample(SqlTx *tx, const SqlRows *rows, JsonOut *out, Error *err)
{
    json_out_object(out);
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        if (columns[i].write)
            columns[i].write(out, columns[i].key, rows, (int)i);
    Str location = sql_rows_text(rows, LOCATION);
    json_out_kv_str(out, "filename",
                    str_slice(location, (size_t)(str_rfind(location, '/') + 1), location.n));
    if (write_scores(tx, sql_rows_text(rows, PK), out, err) < 0)
        return -1;
    write_plain(out, "score_value", sql_rows_text(rows, SCORE_VALUE));
    query_kv_text(out, "score_scorer", rows, SCORE_SCORER);
    json_out_end_object(out);
    return 0;
}

int queries_samples(Sql *sql, const QueriesAccess *access, const QueriesSamples *filter,
                    JsonOut *out, Error *err)
{
    QueryWords words;
    if (check_filter(filter, err) < 0 || query_words(filter->search, &words, err) < 0)
        return -1;
    auto_query Query query = {0};
    query_init(&query, sql);
    add_samples(&query, access, filter, &words);

    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 || query_run(&query, tx, &rows, err) < 0)
        return -1;
    json_out_object(out);
    json_out_kv_array(out, "items");
    int64_t n = 0;
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        if (++n > filter->page.limit)
            break;
        if (write_sample(tx, rows, out, err) < 0)
            return -1;
    }
    if (has_row < 0)
        return -1;
    json_out_end_array(out);
    json_out_kv_null(out, "total");
    json_out_kv_int(out, "page", filter->page.page);
    json_out_kv_int(out, "limit", filter->page.limit);
    json_out_kv_bool(out, "has_more", n > filter->page.limit);
    json_out_end_object(out);
    return 0;
}
