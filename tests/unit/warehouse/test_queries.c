/* Lists from the warehouse: who sees what, paging, filters, sorting, hostile searches, exact
 * documents. */
#include "cmocka_all.h"

#include <math.h>
#include <unistd.h>

#include "database.h"
#include "warehouse_sorts.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/random.h"
#include "warehouse/queries/attempts.h"
#include "warehouse/queries/queries.h"
#include "warehouse/warehouse.h"

static char folder[64];
static Sql *sql;
static Store *store;
static Buf text;
static Arena *arena;

static const QueriesAccess all = {.sees_all = true};
static const QueriesAccess nobody = {.sees_all = false};
static const QueriesPage first_page = {.page = 1, .limit = 100};

static void run(const char *statement, const SqlValue *values, size_t n_values)
{
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    assert_int_equal(sql_begin(sql, SQL_WRITE, &tx, &err), 0);
    if (sql_exec(tx, statement, values, n_values, NULL, &err) < 0)
        fail_msg("%s: %s", statement, error_text(&err));
    assert_int_equal(sql_commit(TAKE(tx), &err), 0);
}

static void add_eval(const char *id, const char *set, const char *task, const char *groups,
                     int created_s)
{
    char pk[DATABASE_UUID_MAX];
    auto_free char *key = mem_printf("evals/%s/%s.eval", set, id);
    auto_free char *location = mem_printf("/s/%s", key);
    run("INSERT INTO eval (pk, created_at, updated_at, first_imported_at, last_imported_at, "
        "eval_set_id, id, task_id, task_name, total_samples, completed_samples, location, log_key, "
        "file_size_bytes, file_hash, file_last_modified, created_by, status, import_status, model, "
        "model_groups) VALUES ($1, $2, $3, $3, $3, $4, $5, 't', $6, 3, 2, $7, $8, 1, 'h', $3, "
        "'ann', 'success', 'success', 'gpt', $9)",
        SQL_ARGS(SQL_TEXTZ(database_uuid(id, pk)), SQL_INSTANT(created_s * INT64_C(1000000)),
                 SQL_INSTANT(0), SQL_TEXTZ(set), SQL_TEXTZ(id), SQL_TEXTZ(task),
                 SQL_TEXTZ(location), SQL_TEXTZ(key), SQL_LIST(str_of(groups))));
}

/* completed_s below 0: unknown */
static void add_sample(const char *uuid, const char *eval, int completed_s,
                       const char *extra_column, const char *extra_value)
{
    char pk[DATABASE_UUID_MAX];
    char eval_pk[DATABASE_UUID_MAX];
    auto_free char *id = mem_printf("id-%s", uuid);
    auto_free char *search = mem_printf("id-%s arith %s gpt", uuid, eval);
    auto_free char *statement =
        mem_printf("INSERT INTO sample (pk, created_at, updated_at, first_imported_at, "
                   "last_imported_at, eval_pk, id, uuid, epoch, completed_at, input, search_text, "
                   "%s) VALUES ($1, $2, $2, $2, $2, $3, $4, $5, 1, $6, '\"in\"', $7, %s)",
                   extra_column, extra_value);
    run(statement,
        SQL_ARGS(SQL_TEXTZ(database_uuid(uuid, pk)), SQL_INSTANT(0),
                 SQL_TEXTZ(database_uuid(eval, eval_pk)), SQL_TEXTZ(id), SQL_TEXTZ(uuid),
                 completed_s < 0 ? SQL_NULL : SQL_INSTANT(completed_s * INT64_C(1000000)),
                 SQL_TEXTZ(search)));
}

static void add_score(const char *uuid, const char *scorer, const char *value, const char *number,
                      bool is_intermediate)
{
    char pk[DATABASE_UUID_MAX];
    char sample_pk[DATABASE_UUID_MAX];
    auto_free char *statement =
        mem_printf("INSERT INTO score (pk, created_at, updated_at, sample_pk, value, value_float, "
                   "scorer, is_intermediate, scored_at, meta) VALUES ($1, $2, $2, $3, '%s', %s, "
                   "$4, $5, $6, '{\"m\":1}')",
                   value, number);
    run(statement, SQL_ARGS(SQL_TEXTZ(random_uuid7(pk)), SQL_INSTANT(0),
                            SQL_TEXTZ(database_uuid(uuid, sample_pk)), SQL_TEXTZ(scorer),
                            SQL_BOOL(is_intermediate), SQL_INSTANT(1000000)));
}

static void set_nonfinite(const char *uuid, const char *name)
{
    char sample_pk[DATABASE_UUID_MAX];
    run("UPDATE score SET value_nonfinite = $1 WHERE sample_pk = $2",
        SQL_ARGS(SQL_TEXTZ(name), SQL_TEXTZ(database_uuid(uuid, sample_pk))));
}

static int open_warehouse(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    (void)snprintf(folder, sizeof(folder), "/tmp/hawk-queries-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    auto_free char *url = database_url(folder);
    auto_free char *place = mem_printf("file:%s/store", folder);
    text = BUF_INIT(1 << 20);
    arena = arena_new();
    if (sql_open(url, 2, &sql, &err) < 0 || warehouse_migrate(sql, &err) < 0 ||
        store_open(place, &store, &err) < 0) {
        print_error("%s\n", error_text(&err));
        return -1;
    }
    return 0;
}

static int close_warehouse(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    sql_close(TAKE(sql));
    store_close(TAKE(store));
    buf_release(&text);
    arena_free(TAKE(arena));
    return fs_remove_tree(folder, &err);
}

/* The uuids of a list of samples, with '+' behind them when there is more. */
static const char *uuids(const QueriesAccess *access, const QueriesSamples *filter)
{
    auto_error Error err = ERROR_INIT;
    buf_reset(&text);
    JsonOut out;
    json_out_init(&out, &text, 0);
    QueriesSamples with_page = *filter;
    if (with_page.page.page == 0)
        with_page.page = first_page;
    if (queries_samples(sql, access, &with_page, &out, &err) < 0)
        fail_msg("%s", error_text(&err));
    Json *document = NULL;
    if (json_parse(arena, arena_str(arena, buf_str(&text)), &json_limits_config, &document, &err) <
        0)
        fail_msg("%s: %s", error_text(&err), text.data);
    Buf names = BUF_INIT(4096);
    for (const Json *item = json_get(document, "items")->first; item; item = item->next)
        buf_printf(&names, "%s%.*s", names.len ? " " : "",
                   STR_ARG(json_text(item, "uuid", STR("?"))));
    if (json_bool(document, "has_more", false))
        buf_addc(&names, '+');
    const char *result = arena_strdup(arena, names.data);
    buf_release(&names);
    return result;
}

static ErrorKind refusal(const QueriesSamples *filter)
{
    auto_error Error err = ERROR_INIT;
    buf_reset(&text);
    JsonOut out;
    json_out_init(&out, &text, 0);
    QueriesSamples with_page = *filter;
    if (with_page.page.page == 0)
        with_page.page = first_page;
    assert_int_equal(queries_samples(sql, &all, &with_page, &out, &err), -1);
    return err.kind;
}

static const char *eval_sets(const QueriesAccess *access, QueriesPage page, const char *search)
{
    auto_error Error err = ERROR_INIT;
    buf_reset(&text);
    JsonOut out;
    json_out_init(&out, &text, 0);
    if (queries_eval_sets(sql, access, page, str_of(search), &out, &err) < 0)
        fail_msg("%s", error_text(&err));
    return text.data;
}

static void three_samples(void)
{
    add_eval("e1", "set-1", "arith", "[\"g\"]", 10);
    add_sample("u1", "e1", 5, "input_tokens", "7");
    add_sample("u2", "e1", 9, "error_message", "'boom'");
    add_sample("u3", "e1", -1, "\"limit\"", "'token'");
}

static void eval_sets_are_listed_newest_first_in_their_exact_form(void **state)
{
    (void)state;
    add_eval("e1", "set-1", "arith", "[\"g\"]", 10);
    add_eval("e2", "set-2", "b", "[\"g\"]", 20);
    add_eval("e3", "set-1", "alpha", "[\"g\"]", 30);
    assert_string_equal(
        eval_sets(&all, first_page, NULL),
        "{\"items\":[{\"eval_set_id\":\"set-1\",\"created_at\":\"1970-01-01T00:00:10Z\","
        "\"eval_count\":2,\"latest_eval_created_at\":\"1970-01-01T00:00:30Z\","
        "\"task_names\":[\"alpha\",\"arith\"],\"created_by\":\"ann\"},"
        "{\"eval_set_id\":\"set-2\",\"created_at\":\"1970-01-01T00:00:20Z\",\"eval_count\":1,"
        "\"latest_eval_created_at\":\"1970-01-01T00:00:20Z\",\"task_names\":[\"b\"],"
        "\"created_by\":\"ann\"}],\"total\":2,\"page\":1,\"limit\":100,\"next_cursor\":null}");
    const char *second = eval_sets(&all, (QueriesPage){.page = 2, .limit = 1}, NULL);
    assert_non_null(strstr(second, "set-2"));
    assert_null(strstr(second, "set-1"));
    assert_non_null(strstr(second, "\"total\":2,\"page\":2,\"limit\":1"));
    assert_non_null(
        strstr(eval_sets(&all, (QueriesPage){.page = 9, .limit = 1}, NULL), "\"items\":[]"));
}

/* The value of next_cursor in the text, or NULL. */
static const char *next_cursor(void)
{
    const char *at = strstr(text.data, "\"next_cursor\":\"");
    if (!at)
        return NULL;
    at += strlen("\"next_cursor\":\"");
    return arena_strndup(arena, at, strcspn(at, "\""));
}

static void sets_and_evals_are_paged_by_cursor(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    add_eval("e1", "set-1", "a", "[\"g\"]", 10);
    add_eval("e2", "set-2", "b", "[\"g\"]", 20);
    add_eval("e3", "set-1", "c", "[\"g\"]", 10);
    QueriesPage page = {.page = 1, .limit = 1};
    assert_non_null(strstr(eval_sets(&all, page, NULL), "set-2"));
    page.cursor = str_of(next_cursor());
    assert_non_null(strstr(eval_sets(&all, page, NULL), "set-1"));
    assert_null(strstr(text.data, "set-2"));
    assert_null(next_cursor());
    JsonOut out;
    page.cursor = STR_NONE;
    json_out_init(&out, &text, 0);
    assert_int_equal(queries_evals(sql, &all, page, STR("set-1"), &out, &err), 0);
    bool is_first = strstr(text.data, "\"e1\"") != NULL;
    page.cursor = str_of(next_cursor());
    buf_reset(&text);
    json_out_init(&out, &text, 0);
    assert_int_equal(queries_evals(sql, &all, page, STR("set-1"), &out, &err), 0);
    assert_non_null(strstr(text.data, is_first ? "\"e3\"" : "\"e1\""));
    assert_null(next_cursor());
    assert_int_equal(queries_evals(sql, &all, page, STR("set-2"), &out, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
}

static void the_evals_that_have_all_words_of_a_search_make_the_set(void **state)
{
    (void)state;
    add_eval("e1", "set-1", "arith", "[\"g\"]", 10);
    add_eval("e2", "set-1", "other", "[\"g\"]", 20);
    add_eval("e3", "set-2", "arith", "[\"g\"]", 20);
    assert_non_null(strstr(eval_sets(&all, first_page, "  OTHER   set-1 "), "\"total\":1"));
    assert_non_null(strstr(text.data, "\"eval_count\":1"));
    assert_non_null(strstr(text.data, "\"task_names\":[\"other\"]"));
    assert_non_null(strstr(eval_sets(&all, first_page, "arith other"), "\"total\":0"));
    assert_non_null(strstr(eval_sets(&all, first_page, "arith ann"), "\"total\":2"));
    assert_non_null(strstr(eval_sets(&all, first_page, "arith bob"), "\"total\":0"));
}

static void a_set_is_hidden_when_one_of_its_evals_is(void **state)
{
    (void)state;
    add_eval("e1", "set-1", "a", "[\"g\"]", 10);
    add_eval("e2", "set-1", "a", "[\"g\",\"secret\"]", 20);
    add_eval("e3", "set-2", "a", "[\"g\"]", 30);
    add_eval("e4", "set-3", "a", "[]", 40); /* no group is no permission */
    add_eval("e5", "set-4", "a", "[\"__unresolved__\"]", 50);
    const char *const in_g[] = {"g", "x'\"%", "__unresolved__"};
    const char *const in_both[] = {"secret", "g"};
    QueriesAccess g = {.groups = in_g, .n_groups = 3};
    QueriesAccess both = {.groups = in_both, .n_groups = 2};
    assert_non_null(strstr(eval_sets(&all, first_page, NULL), "\"total\":4"));
    assert_non_null(strstr(eval_sets(&both, first_page, NULL), "\"total\":2"));
    assert_non_null(strstr(eval_sets(&g, first_page, NULL), "\"total\":1"));
    assert_non_null(strstr(text.data, "set-2"));
    assert_non_null(strstr(eval_sets(&nobody, first_page, NULL), "\"items\":[],\"total\":0"));
}

static void samples_of_evals_without_permission_are_not_there(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    three_samples();
    add_eval("e2", "set-2", "a", "[\"secret\"]", 10);
    add_sample("u9", "e2", 3, "error_message", "NULL");
    const char *const in_g[] = {"g"};
    QueriesAccess g = {.groups = in_g, .n_groups = 1};
    assert_string_equal(uuids(&g, &(QueriesSamples){0}), "u2 u1 u3");
    assert_string_equal(uuids(&nobody, &(QueriesSamples){0}), "");
    JsonOut out;
    json_out_init(&out, &text, 0);
    assert_int_equal(queries_sample(sql, &g, STR("u9"), &out, &err), -1);
    assert_int_equal(err.kind, ERR_DENIED);
    error_reset(&err);
    assert_int_equal(queries_sample_scores(sql, &g, STR("u9"), &out, &err), -1);
    assert_int_equal(err.kind, ERR_DENIED);
    error_reset(&err);
    assert_int_equal(queries_sample(sql, &all, STR("none"), &out, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    error_reset(&err);
    buf_reset(&text);
    json_out_init(&out, &text, 0);
    assert_int_equal(queries_evals(sql, &g, first_page, STR("set-2"), &out, &err), 0);
    assert_string_equal(text.data,
                        "{\"items\":[],\"total\":0,\"page\":1,\"limit\":100,\"next_cursor\":null}");
}

static void evals_are_listed_in_their_exact_form(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    add_eval("e1", "set-1", "arith", "[\"g\"]", 10);
    JsonOut out;
    json_out_init(&out, &text, 0);
    assert_int_equal(queries_evals(sql, &all, first_page, STR("set-1"), &out, &err), 0);
    assert_string_equal(
        database_tight(text.data),
        "{\"items\":[{\"id\":\"e1\",\"eval_set_id\":\"set-1\",\"task_name\":\"arith\","
        "\"model\":\"gpt\",\"status\":\"success\",\"total_samples\":3,"
        "\"completed_samples\":2,\"created_by\":\"ann\",\"started_at\":null,"
        "\"completed_at\":null}],\"total\":1,\"page\":1,\"limit\":100,\"next_cursor\":null}");
}

static void a_sample_is_listed_in_its_exact_form(void **state)
{
    (void)state;
    add_eval("e1", "set-1", "arith", "[\"g\"]", 10);
    add_sample("u1", "e1", 5, "input_tokens", "7");
    add_score("u1", "match", "\"C\"", "NULL", false);
    assert_string_equal(uuids(&all, &(QueriesSamples){0}), "u1");
    assert_string_equal(
        database_tight(text.data),
        "{\"items\":[{\"pk\":\"00000000-0000-7000-8000-753100000000\",\"uuid\":\"u1\",\"id\":\"id-"
        "u1\",\"epoch\":1,\"started_at\":"
        "null,"
        "\"completed_at\":\"1970-01-01T00:00:05Z\",\"input_tokens\":7,\"output_tokens\":null,"
        "\"reasoning_tokens\":null,\"total_tokens\":null,\"input_tokens_cache_read\":null,"
        "\"input_tokens_cache_write\":null,\"action_count\":null,\"message_count\":null,"
        "\"working_time_seconds\":null,\"total_time_seconds\":null,\"generation_time_seconds\":"
        "null,"
        "\"error_message\":null,\"limit\":null,\"status\":\"success\",\"is_provisional\":false,"
        "\"is_invalid\":false,\"invalidation_timestamp\":null,\"invalidation_author\":null,"
        "\"invalidation_reason\":null,\"eval_id\":\"e1\",\"eval_set_id\":\"set-1\",\"task_name\":"
        "\"arith\","
        "\"task_version\":null,\"model\":\"gpt\",\"location\":\"/s/evals/set-1/"
        "e1.eval\",\"created_by\":\"ann\","
        "\"filename\":\"e1.eval\",\"scores\":[{\"scorer\":\"match\",\"value\":\"C\",\"value_"
        "float\":null,"
        "\"value_nonfinite\":null,\"is_intermediate\":false}],\"score_value\":\"C\",\"score_"
        "scorer\":\"match\"}],"
        "\"total\":null,\"page\":1,\"limit\":100,\"has_more\":false,\"next_cursor\":null}");
}

static void the_single_score_is_filled_in_only_when_it_is_one(void **state)
{
    (void)state;
    add_eval("e1", "set-1", "arith", "[\"g\"]", 10);
    add_sample("u1", "e1", 5, "input_tokens", "7");
    add_score("u1", "match", "1", "1", false);
    add_score("u1", "grade", "0.5", "0.5", false);
    add_score("u1", "intermediate_0", "9", "9", true);
    (void)uuids(&all, &(QueriesSamples){0});
    assert_non_null(strstr(text.data, "\"score_value\":null,\"score_scorer\":null"));
    assert_null(strstr(text.data, "intermediate_0"));
    (void)uuids(&all, &(QueriesSamples){.scorer = STR("grade")});
    assert_non_null(strstr(text.data, "\"score_value\":\"0.5\",\"score_scorer\":\"grade\""));
}

static void a_range_without_a_scorer_is_that_of_single_final_scores(void **state)
{
    (void)state;
    three_samples();
    add_sample("u4", "e1", 4, "is_provisional", "TRUE");
    add_score("u1", "match", "1", "1", false);
    add_score("u1", "grade", "0.5", "0.5", false);
    add_score("u2", "match", "1", "1", false);
    add_score("u2", "intermediate_0", "0.1", "0.1", true);
    add_score("u3", "intermediate_0", "1", "1", true);
    add_score("u4", "match", "1", "1", false);
    QueriesSamples range = {.has_score_min = true, .score_min = 0};
    assert_string_equal(uuids(&all, &range), "u2");
    range.scorer = STR("match");
    assert_string_equal(uuids(&all, &range), "u2 u1");
    range.scorer = STR("intermediate_0");
    assert_string_equal(uuids(&all, &range), "");
    range = (QueriesSamples){
        .has_score_min = true, .score_min = 2, .has_score_max = true, .score_max = 1};
    assert_string_equal(uuids(&all, &range), "");
    run("UPDATE sample SET is_provisional = FALSE", SQL_NO_ARGS);
    range = (QueriesSamples){.has_score_min = true, .score_min = 0};
    assert_string_equal(uuids(&all, &range), "u2 u4");
}

static void infinite_scores_are_in_ranges_and_no_numbers_are_not(void **state)
{
    (void)state;
    three_samples();
    bool is_sqlite = sql_dialect(sql) == SQL_SQLITE;
    add_score("u1", "match", "null", is_sqlite ? "9e999" : "'infinity'", false);
    add_score("u2", "match", "null", is_sqlite ? "-9e999" : "'-infinity'", false);
    add_score("u3", "match", "null", is_sqlite ? "NULL" : "'nan'", false);
    set_nonfinite("u1", "inf");
    set_nonfinite("u2", "-inf");
    set_nonfinite("u3", "nan");
    QueriesSamples range = {.has_score_min = true, .score_min = 1e300};
    assert_string_equal(uuids(&all, &range), "u1");
    assert_non_null(strstr(text.data, "\"score_value\":\"inf\""));
    range = (QueriesSamples){.has_score_max = true, .score_max = 0};
    assert_string_equal(uuids(&all, &range), "u2");
    range = (QueriesSamples){.sort_by = STR("score_value")};
    assert_string_equal(uuids(&all, &range), "u1 u2 u3");
}

static void a_part_of_a_score_is_asked_for_as_a_scorer(void **state)
{
    (void)state;
    three_samples();
    add_score("u1", "q", "{\"acc\":0.75,\"ok\":true,\"why\":\"x\",\"huge\":1e300}", "NULL", false);
    add_score("u2", "q", "{\"acc\":0.25,\"ok\":false,\"n.m\":[1]}", "NULL", false);
    add_score("u3", "q", "{\"acc\":null,\"b\":{\"c\":1}}", "NULL", false);
    add_score("u3", "other", "1", "1", false);
    QueriesSamples range = {.scorer = STR("q.acc"), .has_score_min = true, .score_min = 0.5};
    assert_string_equal(uuids(&all, &range), "u1");
    assert_non_null(strstr(text.data, "\"score_value\":\"0.75\",\"score_scorer\":\"q.acc\""));
    range = (QueriesSamples){.scorer = STR("q.ok"), .has_score_max = true, .score_max = 0};
    assert_string_equal(uuids(&all, &range), "u2");
    assert_non_null(strstr(text.data, "\"score_value\":\"false\""));
    range = (QueriesSamples){.scorer = STR("q.acc"), .sort_by = STR("score_value")};
    assert_string_equal(uuids(&all, &range), "u1 u2 u3");
    range = (QueriesSamples){.scorer = STR("q.none"), .has_score_min = true, .score_min = 0};
    assert_string_equal(uuids(&all, &range), "");
    range = (QueriesSamples){.scorer = STR("q.huge"), .has_score_min = true, .score_min = 1e299};
    assert_string_equal(uuids(&all, &range), "u1");
}

static void a_scorer_of_the_name_comes_before_a_part(void **state)
{
    (void)state;
    three_samples();
    add_score("u1", "q", "{\"acc\":0.75,\"b.c\":1}", "NULL", false);
    add_score("u1", "q.b", "{\"c\":2}", "NULL", false);
    add_score("u1", "q.acc", "0.25", "0.25", false);
    QueriesSamples range = {.scorer = STR("q.acc"), .has_score_min = true, .score_min = 0.5};
    assert_string_equal(uuids(&all, &range), "");
    range.score_min = 0.2;
    assert_string_equal(uuids(&all, &range), "u1");
    assert_non_null(strstr(text.data, "\"score_value\":\"0.25\""));
    run("DELETE FROM score WHERE scorer = 'q.acc'", NULL, 0);
    range.score_min = 0.5;
    assert_string_equal(uuids(&all, &range), "u1");
    run("UPDATE score SET value = '{\"acc\":0.1}' WHERE scorer = 'q'", NULL, 0);
    assert_string_equal(uuids(&all, &range), "");
}

static void provisional_samples_have_no_status_and_no_score_yet(void **state)
{
    (void)state;
    three_samples();
    add_sample("u4", "e1", 4, "is_provisional", "TRUE");
    const Str success[] = {STR("success")};
    assert_string_equal(uuids(&all, &(QueriesSamples){0}), "u2 u1 u4 u3");
    assert_string_equal(uuids(&all, &(QueriesSamples){.statuses = success, .n_statuses = 1}), "u1");
    assert_string_equal(
        uuids(&all, &(QueriesSamples){.sort_by = STR("status"), .sort_order = STR("asc")}),
        "u1 u4 u3 u2");
    assert_string_equal(
        uuids(&all, &(QueriesSamples){.sort_by = STR("score_scorer"), .sort_order = STR("asc")}),
        "u1 u2 u3");
}

static void without_a_final_score_the_latest_intermediate_one_is_shown(void **state)
{
    (void)state;
    add_eval("e1", "set-1", "arith", "[\"g\"]", 10);
    add_sample("u1", "e1", 5, "is_provisional", "TRUE");
    add_score("u1", "intermediate_9", "9", "9", true);
    add_score("u1", "intermediate_10", "10", "10", true);
    (void)uuids(&all, &(QueriesSamples){0});
    assert_non_null(strstr(text.data, "\"scores\":[{\"scorer\":\"intermediate_10\",\"value\":10,"));
    assert_null(strstr(text.data, "intermediate_9"));
    assert_non_null(strstr(text.data, "\"is_provisional\":true"));
}

static void pages_follow_one_another_without_gap_or_repeat(void **state)
{
    (void)state;
    three_samples();
    QueriesSamples filter = {.page = {.page = 1, .limit = 2}};
    assert_string_equal(uuids(&all, &filter), "u2 u1+");
    filter.page.page = 2;
    assert_string_equal(uuids(&all, &filter), "u3");
    filter.page.page = 3;
    assert_string_equal(uuids(&all, &filter), "");
}

static void what_is_unknown_sorts_last_both_ways(void **state)
{
    (void)state;
    three_samples();
    assert_string_equal(uuids(&all, &(QueriesSamples){.sort_order = STR("desc")}), "u2 u1 u3");
    assert_string_equal(uuids(&all, &(QueriesSamples){.sort_order = STR("asc")}), "u1 u2 u3");
    add_score("u1", "match", "2", "2", false);
    add_score("u2", "match", "10", "10", false);
    QueriesSamples by_score = {.sort_by = STR("score_value"), .sort_order = STR("desc")};
    assert_string_equal(uuids(&all, &by_score), "u2 u1 u3");
    by_score.sort_order = STR("asc");
    assert_string_equal(uuids(&all, &by_score), "u1 u2 u3");
}

static void every_sortable_column_sorts(void **state)
{
    (void)state;
    three_samples();
    for (size_t i = 0; i < ARRAY_LEN(warehouse_sorts); i++)
        assert_int_equal(
            strlen(uuids(&all, &(QueriesSamples){.sort_by = str_of(warehouse_sorts[i])})), 8);
}

static void filters_narrow_the_list(void **state)
{
    (void)state;
    three_samples();
    add_eval("e2", "set-2", "other", "[\"g\"]", 10);
    add_sample("u9", "e2", 3, "error_message", "NULL");
    add_score("u1", "match", "0.5", "0.5", false);
    add_score("u2", "match", "1", "1", false);
    const Str error_or_token[] = {STR("error"), STR("token_limit")};
    assert_string_equal(uuids(&all, &(QueriesSamples){.eval_set_id = STR("set-2")}), "u9");
    assert_string_equal(uuids(&all, &(QueriesSamples){.task_name = STR("other")}), "u9");
    assert_string_equal(uuids(&all, &(QueriesSamples){.model = STR("GP")}), "u2 u1 u9 u3");
    assert_string_equal(uuids(&all, &(QueriesSamples){.model = STR("%")}), "");
    assert_string_equal(uuids(&all, &(QueriesSamples){.search = STR("arith u2")}), "u2");
    run("UPDATE sample SET uuid = 'zU9z' WHERE uuid = 'u9'", SQL_NO_ARGS);
    assert_string_equal(uuids(&all, &(QueriesSamples){.search = STR("zU9z other")}), "zU9z");
    assert_string_equal(uuids(&all, &(QueriesSamples){.search = STR("zU9")}), "");
    run("UPDATE sample SET uuid = 'u9' WHERE uuid = 'zU9z'", SQL_NO_ARGS);
    assert_string_equal(
        uuids(&all, &(QueriesSamples){.created_by = STR("ann"), .search = STR("U1 ARITH")}), "u1");
    assert_string_equal(uuids(&all, &(QueriesSamples){.statuses = error_or_token, .n_statuses = 2}),
                        "u2 u3");
    assert_string_equal(uuids(&all, &(QueriesSamples){.has_score_min = true, .score_min = 0.6}),
                        "u2");
    assert_string_equal(uuids(&all, &(QueriesSamples){.has_score_max = true, .score_max = 0.5}),
                        "u1");
    assert_string_equal(
        uuids(&all, &(QueriesSamples){.has_score_max = true, .score_max = 9, .scorer = STR("no")}),
        "");
    assert_string_equal(uuids(&all, &(QueriesSamples){.has_completed_after = true,
                                                      .completed_after_us = 5000000,
                                                      .has_completed_before = true,
                                                      .completed_before_us = 8000000}),
                        "u1");
}

static void a_search_is_taken_word_for_word(void **state)
{
    (void)state;
    add_eval("e1", "set-1", "arith", "[\"g\"]", 10);
    add_sample("u1", "e1", 5, "output", "NULL");
    run("UPDATE sample SET id = '100%_done\\ it''s \"q\"'", SQL_NO_ARGS);
    static const char *const found[] = {"100%", "%_d", "done\\", "it's", "\"q\"", "'"};
    static const char *const not_found[] = {"1%0", "100__", "x' OR '1'='1", "%%", "done\\\\", "$1"};
    for (size_t i = 0; i < ARRAY_LEN(found); i++)
        assert_string_equal(uuids(&all, &(QueriesSamples){.search = str_of(found[i])}), "u1");
    for (size_t i = 0; i < ARRAY_LEN(not_found); i++)
        assert_string_equal(uuids(&all, &(QueriesSamples){.search = str_of(not_found[i])}), "");
}

static void questions_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    const Str unknown[] = {STR("sleeping")};
    char many[1200];
    memset(many, 'x', sizeof(many));
    const QueriesSamples bad[] = {
        {.sort_by = STR("pk; DROP TABLE sample")},
        {.sort_by = STR("")},
        {.has_score_min = true, .score_min = NAN},
        {.has_score_max = true, .score_max = INFINITY},
        {.has_completed_after = true,
         .completed_after_us = 2,
         .has_completed_before = true,
         .completed_before_us = 1},
        {.page = {.page = -1, .limit = 1}},
        {.page = {.page = 1, .limit = 501}},
        {.page = {.page = 1, .limit = 0}},
        {.page = {.page = INT64_MAX, .limit = 500}},
        {.search = {many, sizeof(many)}},
        {.search = STR("a b c d e f g h i j k l m n o p q")},
        {.search = STR("\xff\xfe")},
        {.search = STR("a\0b")},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(refusal(&bad[i]), ERR_USAGE);
    assert_int_equal(refusal(&(QueriesSamples){.sort_order = STR("sideways")}), ERR_BAD_DATA);
    assert_int_equal(refusal(&(QueriesSamples){.statuses = unknown, .n_statuses = 1}),
                     ERR_BAD_DATA);
}

static void one_sample_and_its_scores_have_their_exact_form(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    three_samples();
    add_score("u1", "match", "[1,null]", "NULL", false);
    JsonOut out;
    json_out_init(&out, &text, 0);
    assert_int_equal(queries_sample(sql, &all, STR("u1"), &out, &err), 0);
    assert_string_equal(text.data,
                        "{\"location\":\"/s/evals/set-1/e1.eval\",\"filename\":\"e1.eval\","
                        "\"eval_set_id\":\"set-1\",\"epoch\":1,\"id\":\"id-u1\",\"uuid\":\"u1\"}");
    buf_reset(&text);
    json_out_init(&out, &text, 0);
    assert_int_equal(queries_sample_scores(sql, &all, STR("u1"), &out, &err), 0);
    assert_string_equal(
        database_tight(text.data),
        "{\"sample_uuid\":\"u1\",\"scores\":[{\"scorer\":\"match\",\"value\":[1,null],"
        "\"value_float\":null,\"value_nonfinite\":null,\"explanation\":null,"
        "\"answer\":null,\"metadata\":{\"m\":1},\"is_intermediate\":false,"
        "\"scored_at\":\"1970-01-01T00:00:01Z\"}]}");
    QueriesPlace place;
    assert_int_equal(queries_place(sql, &all, STR("u2"), arena, &place, &err), 0);
    assert_string_equal(place.log_key, "evals/set-1/e1.eval");
    assert_string_equal(place.id, "id-u2");
    assert_int_equal(place.epoch, 1);
}

/* Two evals of one task, of which the second has one sample of the first again. */
static void two_attempts(void)
{
    add_eval("e1", "set", "arith", "[]", 1);
    add_eval("e2", "set", "arith", "[]", 2);
    add_eval("e3", "other", "arith", "[]", 3);
    add_sample("old", "e1", 1, "error_message", "'lost'");
    add_sample("kept", "e1", 1, "error_message", "NULL");
    add_sample("only", "e1", 1, "error_message", "'lost'");
    add_sample("new", "e2", 2, "error_message", "'again'");
    add_sample("same", "e2", 2, "error_message", "NULL");
    add_sample("elsewhere", "e3", 3, "error_message", "NULL");
    run("UPDATE sample SET id = '1' WHERE uuid IN ('old', 'new')", NULL, 0);
    run("UPDATE sample SET id = '2' WHERE uuid IN ('kept', 'same')", NULL, 0);
    run("UPDATE sample SET id = '3' WHERE uuid IN ('only', 'elsewhere')", NULL, 0);
}

static void what_failed_before_it_ran_again_is_of_an_earlier_attempt(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    JsonOut out;
    two_attempts();
    buf_reset(&text);
    json_out_init(&out, &text, 0);
    assert_int_equal(attempts_write(sql, &all, STR("set"), NULL, &out, &err), 0);
    assert_string_equal(database_tight(text.data), "{\"eval_ids\":[\"e1\"],\"sample_uuids\":"
                                                   "[\"old\"],\"truncated\":false,\"job\":null}");
}

static void what_failed_is_of_an_earlier_attempt_while_a_later_one_goes_on(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    JsonOut out;
    two_attempts();
    run("UPDATE eval SET status = 'started' WHERE id = 'e2'", NULL, 0);
    buf_reset(&text);
    json_out_init(&out, &text, 0);
    assert_int_equal(attempts_write(sql, &all, STR("set"), "queued", &out, &err), 0);
    assert_string_equal(database_tight(text.data),
                        "{\"eval_ids\":[\"e1\"],\"sample_uuids\":"
                        "[\"old\",\"only\"],\"truncated\":false,\"job\":\"queued\"}");
}

static void who_may_not_see_evals_sees_no_attempts(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    JsonOut out;
    add_eval("e1", "set", "arith", "[\"g\"]", 1);
    add_eval("e2", "set", "arith", "[\"g\"]", 2);
    buf_reset(&text);
    json_out_init(&out, &text, 0);
    assert_int_equal(attempts_write(sql, &nobody, STR("set"), "queued", &out, &err), 0);
    assert_string_equal(
        database_tight(text.data),
        "{\"eval_ids\":[],\"sample_uuids\":[],\"truncated\":false,\"job\":\"queued\"}");
}

#define T(f) cmocka_unit_test_setup_teardown(f, open_warehouse, close_warehouse)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(eval_sets_are_listed_newest_first_in_their_exact_form),
        T(sets_and_evals_are_paged_by_cursor),
        T(the_evals_that_have_all_words_of_a_search_make_the_set),
        T(a_set_is_hidden_when_one_of_its_evals_is),
        T(samples_of_evals_without_permission_are_not_there),
        T(evals_are_listed_in_their_exact_form),
        T(a_sample_is_listed_in_its_exact_form),
        T(the_single_score_is_filled_in_only_when_it_is_one),
        T(a_range_without_a_scorer_is_that_of_single_final_scores),
        T(infinite_scores_are_in_ranges_and_no_numbers_are_not),
        T(a_part_of_a_score_is_asked_for_as_a_scorer),
        T(a_scorer_of_the_name_comes_before_a_part),
        T(provisional_samples_have_no_status_and_no_score_yet),
        T(without_a_final_score_the_latest_intermediate_one_is_shown),
        T(pages_follow_one_another_without_gap_or_repeat),
        T(what_is_unknown_sorts_last_both_ways),
        T(every_sortable_column_sorts),
        T(filters_narrow_the_list),
        T(a_search_is_taken_word_for_word),
        T(questions_that_make_no_sense_are_refused),
        T(one_sample_and_its_scores_have_their_exact_form),
        T(what_failed_before_it_ran_again_is_of_an_earlier_attempt),
        T(what_failed_is_of_an_earlier_attempt_while_a_later_one_goes_on),
        T(who_may_not_see_evals_sees_no_attempts),
    };
    return cmocka_run_group_tests_name("queries", tests, NULL, NULL);
}
