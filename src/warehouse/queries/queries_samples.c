/* The list of samples: which ones is found by listing.h; their rows and scores are two queries.

   "The score" of a sample, by which lists sort and filter, is that of the scorer asked for, or a
   member of a score that is an object ("scorer.member"), else the only final one. */

#include <math.h>

#include "codec/json_scan.h"
#include "warehouse/queries/listing.h"
#include "warehouse/queries/queries_priv.h"

/* clang-format off */
enum Column {
    PK, UUID, ID, EPOCH, STARTED_AT, COMPLETED_AT, INPUT_TOKENS, OUTPUT_TOKENS, REASONING_TOKENS, TOTAL_TOKENS,
    CACHE_READ, CACHE_WRITE, ACTION_COUNT, MESSAGE_COUNT, WORKING_TIME, TOTAL_TIME, GENERATION_TIME, ERROR_MESSAGE,
    LIMIT, STATUS, IS_PROVISIONAL, IS_INVALID, INVALIDATION_TIMESTAMP, INVALIDATION_AUTHOR, INVALIDATION_REASON,
    EVAL_ID, EVAL_SET_ID, TASK_NAME, TASK_VERSION, MODEL, LOCATION, CREATED_BY,
};

enum { SCORE_TEXT_MAX = 1024 * 1024 }; /* of a value as plain text */

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
};
/* clang-format on */

static int check_filter(const QueriesSamples *filter, Error *err)
{
    if (query_check_page(filter->page, err) < 0)
        return -1;
    if (filter->sort_order.p && !str_eqz(filter->sort_order, "asc") &&
        !str_eqz(filter->sort_order, "desc"))
        return error_set(err, ERR_BAD_DATA, "sort_order must be asc or desc");
    if ((filter->has_score_min && !isfinite(filter->score_min)) ||
        (filter->has_score_max && !isfinite(filter->score_max)))
        return error_set(err, ERR_USAGE, "score_min and score_max must be finite numbers");
    if (filter->has_completed_after && filter->has_completed_before &&
        filter->completed_after_us > filter->completed_before_us)
        return error_set(err, ERR_USAGE, "completed_after is later than completed_before");
    return 0;
}

/* The page's rows as a table p (value, key) to join with. */
static void add_numbers(Query *query, const ListingPage *page)
{
    bool is_json = query->dialect == SQL_SQLITE;
    auto_buf Buf text = BUF_INIT(QUERY_TEXT_MAX);
    buf_addc(&text, is_json ? '[' : '{');
    for (size_t i = 0; i < page->n; i++) {
        buf_addz(&text, i ? "," : "");
        buf_add_i64(&text, page->rows[i].no);
    }
    buf_addc(&text, is_json ? ']' : '}');
    query_add_value(
        query, is_json ? "json_each(?) p" : "unnest(?::bigint[]) WITH ORDINALITY AS p (value, key)",
        SQL_TEXT(arena_str(query->arena, buf_str(&text))));
    query_add(query, " CROSS JOIN listing_sample l");
}

static void add_samples(Query *query, const ListingPage *page)
{
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        query_add(query, i == 0 ? "SELECT " : ", ");
        query_add(query, columns[i].sql);
    }
    query_add(query, " FROM ");
    add_numbers(query, page);
    query_add(query, " CROSS JOIN sample s CROSS JOIN eval e WHERE l.no = p.value AND "
                     "s.pk = l.sample_pk AND e.pk = s.eval_pk ORDER BY p.key");
}

/* Final scores first, by name; then the intermediate ones, the latest first. */
static void add_scores(Query *query, const ListingPage *page)
{
    query_add(query, "SELECT c.sample_pk, c.scorer, c.value, c.value_float, c.value_nonfinite, "
                     "c.is_intermediate FROM ");
    add_numbers(query, page);
    query_add(query, " CROSS JOIN score c WHERE l.no = p.value AND c.sample_pk = l.sample_pk "
                     "ORDER BY p.key, c.is_intermediate, "
                     "CASE WHEN c.is_intermediate THEN c.scored_at END DESC NULLS LAST, "
                     "CASE WHEN c.is_intermediate THEN -length(c.scorer) END, "
                     "CASE WHEN NOT c.is_intermediate THEN c.scorer END, c.scorer DESC");
}

/* The scores of a page, which are read along with its samples. */
typedef struct Scores {
    SqlRows *rows;
    int has_row;  /* as sql_rows_next gave it */
    Arena *arena; /* for one sample at a time */
} Scores;

enum ScoreColumn { OF_SAMPLE, SCORER, VALUE, VALUE_FLOAT, VALUE_NONFINITE, IS_INTERMEDIATE };

static void write_score(const SqlRows *rows, JsonOut *out)
{
    json_out_object(out);
    query_kv_text(out, "scorer", rows, SCORER);
    query_kv_json(out, "value", rows, VALUE);
    query_kv_real(out, "value_float", rows, VALUE_FLOAT);
    query_kv_text(out, "value_nonfinite", rows, VALUE_NONFINITE);
    query_kv_bool(out, "is_intermediate", rows, IS_INTERMEDIATE);
    json_out_end_object(out);
}

/* The current score as JSON of one text: what is not finite by its name, the number, strings as
   they are, all else as JSON. */
static Str plain_score(const SqlRows *rows, Arena *arena)
{
    auto_buf Buf text = BUF_INIT(SCORE_TEXT_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    Str json = sql_rows_text(rows, VALUE);
    if (!sql_rows_is_null(rows, VALUE_NONFINITE)) {
        json_out_str(&out, sql_rows_text(rows, VALUE_NONFINITE));
    } else if (!sql_rows_is_null(rows, VALUE_FLOAT)) {
        auto_buf Buf number = BUF_INIT(64);
        JsonOut of_number;
        json_out_init(&of_number, &number, 0);
        json_out_real(&of_number, sql_rows_real(rows, VALUE_FLOAT));
        json_out_str(&out, buf_str(&number));
    } else if (!json.p || str_starts(json, STR("\"")) || str_eqz(json, "null")) {
        json_out_raw(&out, json.p ? json : STR("null"));
    } else {
        json_out_str(&out, json);
    }
    return text.overflowed ? STR("null") : arena_str(arena, buf_str(&text));
}

/* The member of the current score that "scorer.member" names, as plain_score; STR_NONE when it has
   none. */
static Str plain_part(const SqlRows *rows, Str wanted, Arena *arena)
{
    Str scorer = sql_rows_text(rows, SCORER);
    Str json = sql_rows_text(rows, VALUE);
    Str raw = STR_NONE;
    if (!json.p || !str_starts(wanted, scorer) || wanted.n <= scorer.n + 1 ||
        wanted.p[scorer.n] != '.' ||
        !json_scan_get(json, arena_strndup(arena, wanted.p + scorer.n + 1, wanted.n - scorer.n - 1),
                       &raw))
        return STR_NONE;
    JsonScanKind kind = json_scan_kind_of(raw);
    if (kind == JSON_SCAN_STRING || kind == JSON_SCAN_NULL)
        return arena_str(arena, raw);
    auto_buf Buf text = BUF_INIT(SCORE_TEXT_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    json_out_str(&out, raw);
    return text.overflowed ? STR("null") : arena_str(arena, buf_str(&text));
}

/* What "the" score is made of while the scores of a sample are read. */
typedef struct TheScore {
    Str value;
    Str scorer;
    size_t n_finals;
} TheScore;

/* Looks at a final score; one of the scorer itself comes before a part of another. */
static void look_at_final(TheScore *score, const SqlRows *rows, Str wanted, Arena *arena)
{
    score->n_finals++;
    if (!wanted.p || str_eq(sql_rows_text(rows, SCORER), wanted)) {
        score->scorer = arena_str(arena, sql_rows_text(rows, SCORER));
        score->value = plain_score(rows, arena);
    } else if (!score->scorer.p) {
        Str part = plain_part(rows, wanted, arena);
        score->value = part.p ? part : score->value;
        score->scorer = part.p ? wanted : STR_NONE;
    }
}

/* Writes the final scores or, when there are none, the latest intermediate one; then "the" score,
   which is that of the scorer asked for, or a single final one. */
static int write_scores(Scores *scores, Str sample_pk, Str scorer, JsonOut *out, Error *err)
{
    TheScore score = {.value = STR("null")};
    size_t n = 0;
    json_out_kv_array(out, "scores");
    while (scores->has_row == 1 && str_eq(sql_rows_text(scores->rows, OF_SAMPLE), sample_pk)) {
        bool is_final = sql_rows_int(scores->rows, IS_INTERMEDIATE) == 0;
        if (is_final || n == 0)
            write_score(scores->rows, out);
        if (is_final)
            look_at_final(&score, scores->rows, scorer, scores->arena);
        n++;
        scores->has_row = sql_rows_next(scores->rows, err);
    }
    if (scores->has_row < 0)
        return -1;
    json_out_end_array(out);
    bool is_one = scorer.p || score.n_finals == 1;
    json_out_key(out, STR("score_value"));
    json_out_raw(out, is_one ? score.value : STR("null"));
    json_out_kv_str(out, "score_scorer", is_one ? score.scorer : STR_NONE);
    arena_reset(scores->arena);
    return 0;
}

static int write_sample(const SqlRows *rows, Scores *scores, Str scorer, JsonOut *out, Error *err)
{
    json_out_object(out);
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        columns[i].write(out, columns[i].key, rows, (int)i);
    query_kv_filename(out, "filename", rows, LOCATION, EVAL_SET_ID);
    if (write_scores(scores, sql_rows_text(rows, PK), scorer, out, err) < 0)
        return -1;
    json_out_end_object(out);
    return 0;
}

static int write_items(SqlTx *tx, SqlDialect dialect, const ListingPage *page, Str scorer,
                       JsonOut *out, Error *err)
{
    if (page->n == 0)
        return 0;
    auto_query Query samples = {0};
    auto_query Query finals = {0};
    auto_arena Arena *arena = arena_new();
    auto_sql_rows SqlRows *rows = NULL;
    auto_sql_rows SqlRows *score_rows = NULL;
    query_begin(&samples, dialect);
    query_begin(&finals, dialect);
    add_samples(&samples, page);
    add_scores(&finals, page);
    if (query_run_few(&finals, tx, &score_rows, err) < 0)
        return -1;
    Scores scores = {.rows = score_rows, .has_row = sql_rows_next(score_rows, err), .arena = arena};
    if (scores.has_row < 0 || query_run(&samples, tx, &rows, err) < 0)
        return -1;
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err))
        if (write_sample(rows, &scores, scorer, out, err) < 0)
            return -1;
    return has_row;
}

int queries_samples(Sql *sql, const QueriesAccess *access, const QueriesSamples *filter,
                    JsonOut *out, Error *err)
{
    auto_arena Arena *arena = arena_new();
    auto_sql_tx SqlTx *tx = NULL;
    ListingPage page = {0};
    if (check_filter(filter, err) < 0 || query_begin_planned_list(sql, access, &tx, err) < 0)
        return -1;
    const ListingQuestion question = {.tx = tx,
                                      .dialect = sql_dialect(sql),
                                      .access = access,
                                      .filter = filter,
                                      .limits = &listing_limits};
    if (listing_page(&question, arena, &page, err) < 0)
        return -1;
    json_out_object(out);
    json_out_kv_array(out, "items");
    if (write_items(tx, sql_dialect(sql), &page, filter->scorer, out, err) < 0)
        return -1;
    json_out_end_array(out);
    json_out_kv_null(out, "total");
    json_out_kv_int(out, "page", filter->page.page);
    json_out_kv_int(out, "limit", filter->page.limit);
    json_out_kv_bool(out, "has_more", page.has_more);
    json_out_kv_str(out, "next_cursor", page.next);
    json_out_end_object(out);
    return 0;
}

/* The statements for the rows of a page, of which there are none. */
static int read_no_page(Sql *sql, const QueriesAccess *access, JsonOut *out, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    ListingRow none = {0};
    const ListingPage page = {.rows = &none, .n = 1};
    if (query_begin_planned_list(sql, access, &tx, err) < 0)
        return -1;
    return write_items(tx, sql_dialect(sql), &page, STR_NONE, out, err);
}

void queries_warm(Sql *sql)
{
    enum { BODY_MAX = 16 * 1024 * 1024 };
    static const QueriesAccess accesses[] = {{.sees_all = true}, {.sees_all = false}};
    const QueriesSamples first = {.page = {.page = 1, .limit = 50}};
    for (size_t i = 0; i < ARRAY_LEN(accesses); i++) {
        auto_error Error err = ERROR_INIT;
        auto_buf Buf body = BUF_INIT(BODY_MAX);
        JsonOut out;
        json_out_init(&out, &body, 0);
        json_out_array(&out);
        if (queries_samples(sql, &accesses[i], &first, &out, &err) < 0 ||
            read_no_page(sql, &accesses[i], &out, &err) < 0 ||
            queries_eval_sets(sql, &accesses[i], first.page, STR_NONE, &out, &err) < 0)
            return;
    }
}
