/* /meta/search: words and expressions in transcripts. /meta/sql: a statement of the user's own, for
   those who see everything, since rows of any table could be in it. */

#include "server/routes.h"

#include "access/access.h"
#include "access/models.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "server/reader.h"
#include "server/server_priv.h"
#include "sql/sql.h"
#include "warehouse/queries/queries.h"
#include "warehouse/search/search.h"

enum {
    ANSWER_MAX = 64 << 20,
    ROWS_BYTES_MAX = 32 << 20,
    BLOB_MAX = 1 << 20,
    SQL_LIMIT = 1000,
    SQL_LIMIT_MAX = 100 * 1000,
    SQL_TIMEOUT_S = 30,
    SQL_TIMEOUT_MAX_S = 300,
    GROUPS_SHOWN_MAX = 8,
    GROUPS_TEXT_MAX = 8 << 10,
};

static Str param(RouteCtx *ctx, const char *name)
{
    return http_request_param(ctx->request, name, 0);
}

/* One of two words; the first is the default. */
static int param_choice(RouteCtx *ctx, const char *name, const char *first, const char *second,
                        bool *ret_is_second, Error *err)
{
    Str text = param(ctx, name);
    *ret_is_second = str_eqz(text, second);
    if (!text.p || *ret_is_second || str_eqz(text, first))
        return 0;
    return error_set(err, ERR_USAGE, "%s: expected %s or %s", name, first, second);
}

static int meta_search(RouteCtx *ctx, Error *err)
{
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    SearchQuestion question = {
        .q = param(ctx, "q"),
        .eval_set_id = param(ctx, "eval_set_id"),
        .eval_pk = param(ctx, "eval_pk"),
        .sample_pk = param(ctx, "sample_pk"),
        .of_scans = param(ctx, "scan_pk").p || param(ctx, "scanner_result_pk").p,
        .cursor = param(ctx, "cursor"),
    };
    if (!question.q.p)
        return error_set(err, ERR_BAD_DATA, "q: this parameter is needed");
    if (param_choice(ctx, "sort", "rank", "recency", &question.by_recency, err) < 0 ||
        param_choice(ctx, "mode", "fts", "grep", &question.is_grep, err) < 0 ||
        param_choice(ctx, "match_case", "false", "true", &question.match_case, err) < 0 ||
        route_param_int(ctx, "limit", 50, 1, SEARCH_LIMIT_MAX, &question.limit, err) < 0 ||
        route_param_int(ctx, "batch_size", 128, 1, SEARCH_BATCH_MAX, &question.batch_size, err) < 0)
        return -1;
    const QueriesAccess access = server_queries_access(ctx->caller);
    if (search_answer(ctx->app->sql, &access, &question, &out, err) < 0 ||
        buf_check(&body, "the answer", err) < 0)
        return -1;
    route_send_json(ctx, &body);
    return 0;
}

/* ---- statements ---- */

typedef struct Statement {
    const char *text;
    int64_t limit;
    int64_t timeout_s;
} Statement;

static int member_int(const Json *body, const char *name, int64_t otherwise, int64_t max,
                      int64_t *ret, Error *err)
{
    const Json *member = json_get(body, name);
    *ret = json_int(body, name, json_is_null(member) ? otherwise : 0);
    if (*ret < 1 || *ret > max)
        return error_set(err, ERR_USAGE, "%s: expected a whole number from 1 to %lld", name,
                         (long long)max);
    return 0;
}

static int read_statement(RouteCtx *ctx, Statement *ret, Error *err)
{
    Json *body = NULL;
    if (route_body_json(ctx, &body, err) < 0)
        return -1;
    Str text = json_text(body, "sql", STR_NONE);
    if (!text.p || memchr(text.p, '\0', text.n))
        return error_set(err, ERR_USAGE, "sql: expected the text of a statement");
    ret->text = arena_strndup(ctx->arena, text.p, text.n);
    if (member_int(body, "limit", SQL_LIMIT, SQL_LIMIT_MAX, &ret->limit, err) < 0)
        return -1;
    return member_int(body, "timeout_seconds", SQL_TIMEOUT_S, SQL_TIMEOUT_MAX_S, &ret->timeout_s,
                      err);
}

static void write_blob(Str bytes, JsonOut *out)
{
    auto_buf Buf text = BUF_INIT(BLOB_MAX * 2);
    digest_add_base64(&text, str_slice(bytes, 0, BLOB_MAX));
    json_out_str(out, buf_str(&text));
}

static void write_value(const SqlRows *rows, int column, JsonOut *out)
{
    if (sql_rows_is_null(rows, column)) {
        json_out_null(out);
        return;
    }
    switch (sql_rows_type(rows, column)) {
    case SQL_TYPE_INT: json_out_int(out, sql_rows_int(rows, column)); break;
    case SQL_TYPE_REAL: json_out_real(out, sql_rows_real(rows, column)); break;
    case SQL_TYPE_BOOL: json_out_bool(out, sql_rows_int(rows, column) != 0); break;
    case SQL_TYPE_BLOB: write_blob(sql_rows_text(rows, column), out); break;
    default: json_out_str(out, sql_rows_text(rows, column)); break;
    }
}

/* {"columns": [...], "rows": [[...]], "is_truncated": ... of an object that is left open */
static int write_rows(SqlRows *rows, int64_t limit, const Buf *body, JsonOut *out, Error *err)
{
    int n_columns = sql_rows_n_columns(rows);
    bool is_truncated = false;
    int has_row = 0;
    int64_t n = 0;
    json_out_object(out);
    json_out_kv_array(out, "columns");
    for (int i = 0; i < n_columns; i++)
        json_out_str(out, str_of(sql_rows_name(rows, i)));
    json_out_end_array(out);
    json_out_kv_array(out, "rows");
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        is_truncated = n++ == limit || body->len > ROWS_BYTES_MAX;
        if (is_truncated)
            break;
        json_out_array(out);
        for (int i = 0; i < n_columns; i++)
            write_value(rows, i, out);
        json_out_end_array(out);
    }
    json_out_end_array(out);
    json_out_kv_bool(out, "is_truncated", is_truncated);
    return has_row < 0 ? -1 : 0;
}

/* The groups of the registry that the caller is not in, each once, up to a few. */
static int missing_groups(RouteCtx *ctx, Buf *ret, Error *err)
{
    Models models = {0};
    size_t n = 0;
    if (models_load(ctx->app->sql, ctx->arena, &models, err) < 0)
        return -1;
    const Str **shown = arena_array(ctx->arena, GROUPS_SHOWN_MAX, sizeof(*shown));
    for (size_t i = 0; i < models.n && n < GROUPS_SHOWN_MAX; i++) {
        const Str *group = &models.items[i].group;
        bool is_new = !access_is_in(ctx->caller, *group);
        for (size_t j = 0; j < n && is_new; j++)
            is_new = !str_eq(*shown[j], *group);
        if (!is_new)
            continue;
        buf_printf(ret, "%s%.*s", n > 0 ? ", " : "", STR_ARG(*group));
        shown[n++] = group;
    }
    return buf_check(ret, "the names of model groups", err);
}

/* Administrators who are in every group of the registry and of all evals. */
static int check_caller(RouteCtx *ctx, Error *err)
{
    const Caller *caller = ctx->caller;
    const QueriesAccess access = server_queries_access(caller);
    auto_buf Buf missing = BUF_INIT(GROUPS_TEXT_MAX);
    bool hides = false;
    if (caller->sees_all)
        return 0;
    if (caller->is_admin && (missing_groups(ctx, &missing, err) < 0 ||
                             queries_hides(ctx->app->sql, &access, &hides, err) < 0))
        return -1;
    if (caller->is_admin && !hides && missing.len == 0)
        return 0;
    (void)error_set(err, ERR_DENIED, "SQL is for administrators who are in every model group%s%s",
                    !caller->is_admin ? ", and you are no administrator"
                    : missing.len > 0 ? "; you are not in "
                                      : "; there are evals of groups that you are not in",
                    missing.len > 0 ? missing.data : "");
    (void)error_code(err, "access.admin");
    return error_fix(err, "use `hawk search`, `hawk list samples` or `hawk export`, or ask an "
                          "administrator");
}

static int meta_sql(RouteCtx *ctx, Error *err)
{
    Statement statement = {0};
    auto_sql Sql *sql = NULL;
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    const char *warning = NULL;
    JsonOut out;
    json_out_init(&out, &body, 0);
    if (check_caller(ctx, err) < 0 || read_statement(ctx, &statement, err) < 0 ||
        reader_open(ctx->app, &sql, err) < 0 || reader_hidden(sql, ctx->arena, &warning, err) < 0 ||
        sql_begin(sql, SQL_READ, &tx, err) < 0 ||
        sql_query_untrusted(tx, statement.text, (int)statement.timeout_s * 1000, &rows, err) < 0 ||
        write_rows(rows, statement.limit, &body, &out, err) < 0)
        return -1;
    if (warning)
        json_out_kvz(&out, "warning", warning);
    json_out_end_object(&out);
    if (buf_check(&body, "the answer", err) < 0)
        return error_fix(err, "ask for fewer rows or columns");
    route_send_json(ctx, &body);
    return 0;
}

/* clang-format off */
static const Shape shapes[] = {
    { "SearchHit",
      "entity_type: 'eval' | 'sample' | 'message' | 'event' | 'score' | 'scanner_result' | 'message_pool'; entity_pk: str;"
      " sample_pk: str?; scanner_result_pk: str?; rank: num; snippet: str?; content_kind: 'result_value' | 'eval_metadata' |"
      " 'sample_metadata' | 'scanned_transcript' | 'transcript'; transcript_anchor: str?; eval_set_id: str?; eval_id: str?;"
      " sample_id: str?; sample_uuid: str?; epoch: int?; task_name: str?; model: str?; location: str?" },
    { "SearchResponse", "items: SearchHit[]; query: str; next_cursor: str?; not_indexed: int" },
    { "SqlRequest",  "sql: str; limit: int(1..100000) = 1000; timeout_seconds: int(1..300) = 30" },
    { "SqlResponse", "columns: str[]; rows: any[]; is_truncated: bool; warning?: str" },
};

static const Route rows[] = {
    { "GET",  "/meta/search", ROUTE_READ, meta_search, "words or an expression in transcripts, scores and metadata",
      .query = "q: str(1..); eval_set_id?: str; eval_pk?: str; sample_pk?: str; scan_pk?: str; scanner_result_pk?: str;"
               " limit: int(1..200) = 50; sort: 'rank' | 'recency' = 'rank'; mode: 'fts' | 'grep' = 'fts'; cursor?: str(1..);"
               " match_case: bool = false; batch_size: int(1..) = 128",
      .answer = "SearchResponse" },
    { "POST", "/meta/sql",    ROUTE_READ, meta_sql, "a statement that reads, for those who see everything",
      .body = "SqlRequest", .answer = "SqlResponse" },
};
/* clang-format on */

const RouteTable routes_search = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
