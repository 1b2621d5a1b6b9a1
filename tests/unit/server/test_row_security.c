/* The second wall, on PostgreSQL: queries that ask no question about groups, on connections that
   are held to those of one reader. Such a reader sees everything as far as our code is concerned.
 */
#include "cmocka_all.h"

#include <unistd.h>

#include "database.h"

#include "access/models.h"
#include "base/random.h"
#include "codec/json_out.h"
#include "jobs/job_table.h"
#include "server/row_security.h"
#include "warehouse/compare/compare.h"
#include "warehouse/export/export.h"
#include "warehouse/queries/queries.h"
#include "warehouse/queries/usage.h"
#include "warehouse/search/search.h"
#include "warehouse/search/search_index.h"
#include "warehouse/warehouse.h"

static Sql *sql;    /* the server's own */
static Sql *walled; /* held to group a */
static Store *store;
static char folder[64];
static Buf text;
static JsonOut out;

static const QueriesAccess unasked = {.sees_all = true};
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

/* An eval set of this name with one sample and what is below it, in all of which the name stands.
 */
static void add(const char *name, const char *groups)
{
    char pk[DATABASE_UUID_MAX];
    auto_free char *key = mem_printf("evals/%s/x.eval", name);
    SqlValue uuid = SQL_TEXTZ(database_uuid(name, pk));
    run("INSERT INTO eval (pk, created_at, updated_at, first_imported_at, last_imported_at, "
        "eval_set_id, id, task_id, task_name, total_samples, completed_samples, location, log_key, "
        "file_size_bytes, file_hash, file_last_modified, created_by, status, import_status, model, "
        "model_groups) VALUES ($1, now(), now(), now(), now(), $2, $2, 't', 'task', 1, 1, $3, $3, "
        "1, 'h', now(), 'ann', 'success', 'success', 'gpt', $4)",
        SQL_ARGS(uuid, SQL_TEXTZ(name), SQL_TEXTZ(key), SQL_LIST(str_of(groups))));
    run("INSERT INTO sample (pk, created_at, updated_at, first_imported_at, last_imported_at, "
        "eval_pk, id, uuid, epoch, completed_at, input, search_text, total_tokens, model_usage) "
        "VALUES ($1, now(), now(), now(), now(), $1, $2, $2, 1, now(), '\"in\"', $2, 7, "
        "jsonb_build_object('of/' || $2::text, '{\"total_tokens\": 7}'::jsonb))",
        SQL_ARGS(uuid, SQL_TEXTZ(name)));
    run("INSERT INTO score (pk, created_at, updated_at, sample_pk, value, value_float, scorer, "
        "is_intermediate, meta) VALUES (gen_random_uuid(), now(), now(), $1, '1', 1, $2, false, "
        "'{}')",
        SQL_ARGS(uuid, SQL_TEXTZ(name)));
    run("INSERT INTO message (pk, created_at, updated_at, sample_pk, message_order, data) VALUES "
        "(gen_random_uuid(), now(), now(), $1, 0, jsonb_build_object('role', 'user', 'content', "
        "'words of ' || $2::text))",
        SQL_ARGS(uuid, SQL_TEXTZ(name)));
    run("INSERT INTO event (pk, created_at, updated_at, sample_pk, event_order, event_type, "
        "info_source, info_data) VALUES (gen_random_uuid(), now(), now(), $1, 0, 'info', $2, "
        "'1')",
        SQL_ARGS(uuid, SQL_TEXTZ(name)));
}

static int open_all(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    const char *url = getenv("HAWK_TEST_POSTGRES");
    size_t n = 0;
    size_t n_failed = 0;
    if (!url)
        return 0;
    (void)snprintf(folder, sizeof(folder), "/tmp/hawk-wall-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    auto_free char *own = database_url(folder);
    auto_free char *held = mem_printf("%s%coptions=-c%%20role%%3Dhawk_caller%%20-c%%20hawk.groups"
                                      "%%3D%%5B%%22a%%22%%5D",
                                      url, strchr(url, '?') ? '&' : '?');
    auto_free char *place = mem_printf("file:%s", folder);
    text = BUF_INIT(1 << 20);
    if (sql_open(own, 2, &sql, &err) < 0 || warehouse_migrate(sql, &err) < 0 ||
        models_migrate(sql, &err) < 0 || job_table_migrate(sql, &err) < 0 ||
        row_security_update(sql, &err) < 0 || store_open(place, &store, &err) < 0 ||
        sql_open(held, 2, &walled, &err) < 0) {
        print_error("%s\n", error_text(&err));
        return -1;
    }
    add("mine", "[\"a\"]");
    add("other", "[\"a\",\"b\"]");
    add("nobody", "[]");
    return search_index_pass(sql, 100, &n, &n_failed, &err);
}

static int close_all(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    sql_close(TAKE(walled));
    sql_close(TAKE(sql));
    store_close(TAKE(store));
    buf_release(&text);
    return *folder ? fs_remove_tree(folder, &err) : 0;
}

static void begin(void)
{
    if (!sql)
        skip();
    buf_reset(&text);
    json_out_init(&out, &text, 0);
}

static void assert_hides_others(int rc, const Error *err)
{
    if (rc < 0)
        fail_msg("%s", error_text(err));
    if (strstr(text.data, "other") || strstr(text.data, "nobody"))
        fail_msg("%s", text.data);
}

static void assert_shows_mine_only(int rc, const Error *err)
{
    assert_hides_others(rc, err);
    if (!strstr(text.data, "mine"))
        fail_msg("%s", text.data);
}

static void lists_show_what_is_the_reader_s(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    begin();
    assert_shows_mine_only(queries_eval_sets(walled, &unasked, first_page, STR_NONE, &out, &err),
                           &err);
    begin();
    const QueriesSamples samples = {.page = first_page};
    assert_shows_mine_only(queries_samples(walled, &unasked, &samples, &out, &err), &err);
    begin();
    assert_int_equal(queries_evals(walled, &unasked, first_page, STR("other"), &out, &err), 0);
    assert_null(strstr(text.data, "ann"));
}

static void a_sample_of_others_is_refused_and_not_shown(void **state)
{
    (void)state;
    const QueriesEvents events = {.limit = 10};
    for (int i = 0; i < 3; i++) {
        auto_error Error err = ERROR_INIT;
        auto_error Error found = ERROR_INIT;
        begin();
        int rc[] = {
            i == 0   ? queries_sample(walled, &unasked, STR("other"), &out, &err)
            : i == 1 ? queries_sample_scores(walled, &unasked, STR("other"), &out, &err)
                     : queries_sample_events(walled, &unasked, STR("other"), &events, &out, &err),
            i == 0   ? queries_sample(walled, &unasked, STR("mine"), &out, &found)
            : i == 1 ? queries_sample_scores(walled, &unasked, STR("mine"), &out, &found)
                     : queries_sample_events(walled, &unasked, STR("mine"), &events, &out, &found),
        };
        assert_int_equal(rc[0], -1);
        assert_int_equal(err.kind, ERR_DENIED);
        assert_shows_mine_only(rc[1], &found);
    }
}

static void a_search_finds_what_is_the_reader_s(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_error Error refused = ERROR_INIT;
    const SearchQuestion words = {.q = STR("words"), .limit = 50, .batch_size = 100};
    SearchQuestion pattern = words;
    pattern.is_grep = true;
    begin();
    assert_shows_mine_only(search_answer(walled, &unasked, &words, &out, &err), &err);
    begin();
    assert_shows_mine_only(search_answer(walled, &unasked, &pattern, &out, &err), &err);
    begin();
    const CompareQuery compare = {.a = STR("mine"), .b = STR("other")};
    assert_int_equal(compare_write(walled, &unasked, &compare, &out, &refused), -1);
    assert_int_equal(refused.kind, ERR_NOT_FOUND);
}

static void exports_have_what_is_the_reader_s(void **state)
{
    (void)state;
    for (int table = 0; table < N_EXPORT_TABLES; table++) {
        auto_error Error err = ERROR_INIT;
        auto_export Export *export = NULL;
        const ExportQuery query = {.table = (ExportTable)table, .format = FRAME_NDJSON};
        begin();
        int more = export_open(walled, &unasked, &query, &export, &err) < 0 ? -1 : 1;
        while (more == 1)
            more = export_step(export, &text, &err);
        if (table == EXPORT_MESSAGES) /* are made of events of models, of which there are none */
            assert_hides_others(more, &err);
        else
            assert_shows_mine_only(more, &err);
    }
}

static int note_model(void *context, const UsageRow *row, Error *err)
{
    (void)err;
    buf_add_str(context, row->model);
    return 0;
}

static void usage_counts_what_is_the_reader_s(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    const UsageWindow window = {.start_s = 0, .end_s = 1e10, .bin_s = 1e10};
    begin();
    assert_shows_mine_only(usage_each(walled, &unasked, &window, note_model, &text, &err), &err);
}

/* The server's own connections, on which a reader is taken on for one transaction. */
static void a_transaction_for_somebody_sees_their_groups_and_the_next_does_not(void **state)
{
    (void)state;
    static const struct {
        const char *groups;
        int64_t n;
    } rows[] = {
        {"[]", 0},
        {"[\"a\"]", 1},
        {"[\"b\"]", 0},
        {"[\"b\",\"a\"]", 2},
        {"[\"o'ne\\\\\"]", 0},
        {"[\"__unresolved__\"]", 0},
        {"{}", 0},
        {"{\"a\"}", 1},
        {"{\"b\",\"a\"}", 2},
        {"{\"b\\\",\\\"a\"}", 0},
        {"{\"a,b\"}", 0},
        {"{\"__unresolved__\"}", 0},
    };
    begin();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_error Error err = ERROR_INIT;
        for (int is_own = 0; is_own < 2; is_own++) {
            auto_sql_tx SqlTx *tx = NULL;
            auto_sql_rows SqlRows *found = NULL;
            int rc = is_own ? sql_begin(sql, SQL_READ, &tx, &err)
                            : sql_begin_as(sql, str_of(rows[i].groups), &tx, &err);
            if (rc < 0 ||
                sql_query(tx, "SELECT count(*) FROM message", SQL_NO_ARGS, &found, &err) < 0 ||
                sql_rows_next(found, &err) < 0)
                fail_msg("%s", error_text(&err));
            assert_int_equal(sql_rows_int(found, 0), is_own ? 3 : rows[i].n);
        }
    }
}

/* hawk.sample names the sample that a transaction is about; its rows are then not asked about one
   by one. */
static void a_sample_that_is_named_is_shown_to_those_who_may_see_it(void **state)
{
    (void)state;
    static const char *const names[] = {"mine", "other", "nobody"};
    begin();
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        auto_error Error err = ERROR_INIT;
        char pk[DATABASE_UUID_MAX];
        auto_sql_tx SqlTx *tx = NULL;
        auto_sql_rows SqlRows *named = NULL;
        auto_sql_rows SqlRows *found = NULL;
        if (sql_begin_as(sql, STR("[\"a\"]"), &tx, &err) < 0 ||
            sql_query(tx, "SELECT set_config('hawk.sample', $1, true)",
                      SQL_ARGS(SQL_TEXTZ(database_uuid(names[i], pk))), &named, &err) < 0 ||
            sql_rows_next(named, &err) < 0)
            fail_msg("%s", error_text(&err));
        sql_rows_free(TAKE(named));
        if (sql_query(tx, "SELECT count(*) FROM event", SQL_NO_ARGS, &found, &err) < 0 ||
            sql_rows_next(found, &err) < 0)
            fail_msg("%s", error_text(&err));
        assert_int_equal(sql_rows_int(found, 0), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_show_what_is_the_reader_s),
        cmocka_unit_test(a_sample_of_others_is_refused_and_not_shown),
        cmocka_unit_test(a_search_finds_what_is_the_reader_s),
        cmocka_unit_test(exports_have_what_is_the_reader_s),
        cmocka_unit_test(usage_counts_what_is_the_reader_s),
        cmocka_unit_test(a_sample_that_is_named_is_shown_to_those_who_may_see_it),
        cmocka_unit_test(a_transaction_for_somebody_sees_their_groups_and_the_next_does_not),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
