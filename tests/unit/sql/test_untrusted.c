/* Statements that users type: they read, within limits, and do nothing else. On PostgreSQL as the
   role hawk_test_reader, which the test makes. */
#include "both.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONG_MS = 60 * 1000 };

static Sql *guarded;

/* The URL of the same database for another role. The caller frees. */
static char *url_as(const char *role)
{
    const char *rest = strstr(url, "://") + 3;
    const char *at = strchr(rest, '@');
    return mem_printf("postgresql://%s@%s", role, at ? at + 1 : rest);
}

static void make_reader(const char *role, const char *options)
{
    auto_free char *make = mem_printf(
        "DO $$ BEGIN CREATE ROLE %s LOGIN %s; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        role, options);
    auto_free char *grant = mem_printf("GRANT USAGE ON SCHEMA public TO %s", role);
    auto_free char *select = mem_printf("GRANT SELECT ON t TO %s", role);
    run(make);
    run(grant);
    run(select);
}

static int open_guarded(void **state)
{
    auto_error Error err = ERROR_INIT;
    if (open_empty(state) < 0)
        return -1;
    run("CREATE TABLE t (id integer, content text)");
    run("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')");
    run("CREATE TABLE secret (content text)");
    if (is_postgres)
        make_reader("hawk_test_reader", "");
    auto_free char *reader = is_postgres ? url_as("hawk_test_reader") : mem_strdup(url);
    if (sql_open_untrusted(reader, 2, &guarded, &err) < 0) {
        print_error("%s\n", error_text(&err));
        return -1;
    }
    return 0;
}

static int close_guarded(void **state)
{
    sql_close(TAKE(guarded));
    return close_and_drop(state);
}

/* Runs the statement to its end; how many rows it gave, or -1. */
static int64_t count_rows(const char *statement, int max_ms, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(guarded, SQL_READ, &tx, err) < 0 ||
        sql_query_untrusted(tx, statement, max_ms, &rows, err) < 0)
        return -1;
    int64_t n = 0;
    int result = 0;
    while ((result = sql_rows_next(rows, err)) > 0)
        n++;
    return result < 0 ? -1 : n;
}

static void what_reads_is_run(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t n;
    } good[] = {
        {"SELECT * FROM t", 3},
        {"select count(*) from t;", 1},
        {"  -- a comment\n /* and another */ SELECT id FROM t WHERE content = 'a' ; -- end", 1},
        {"WITH a AS (SELECT * FROM t) SELECT * FROM a JOIN a AS b ON a.id < b.id", 3},
        {"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i "
         "FROM n",
         5},
        {"VALUES (1), (2)", 2},
        {"SELECT ';' AS a, 'DELETE FROM t' AS b", 1},
        {"SELECT lower(content), length(content) FROM t ORDER BY random()", 3},
        {"SELECT id, count(*) OVER (ORDER BY id) FROM t", 3},
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        auto_error Error err = ERROR_INIT;
        if (count_rows(good[i].text, LONG_MS, &err) != good[i].n)
            fail_msg("%s: %s", good[i].text, error_text(&err));
    }
    auto_error Error err = ERROR_INIT;
    assert_true(count_rows("EXPLAIN SELECT * FROM t", LONG_MS, &err) > 0);
}

/* clang-format off */
static const char *const bad_everywhere[] = {
    "INSERT INTO t VALUES (4, 'd')",
    "UPDATE t SET id = 0",
    "DELETE FROM t",
    "DROP TABLE t",
    "CREATE TABLE x (a integer)",
    "CREATE TEMP TABLE x (a integer)",
    "CREATE VIEW x AS SELECT 1",
    "CREATE INDEX x ON t (id)",
    "ALTER TABLE t ADD COLUMN x integer",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT a",
    "VACUUM",
    "ANALYZE",
    "REINDEX TABLE t",
    "SELECT 1; DELETE FROM t",
    "SELECT 1; SELECT 2",
    "SELECT 1; COMMIT; DROP TABLE t; --",
    "/* SELECT */ DELETE FROM t",
    "-- SELECT\nDELETE FROM t",
    "(DELETE FROM t)",
    "EXPLAIN ANALYZE DELETE FROM t",
    "WITH a AS (SELECT 1) DELETE FROM t",
    "WITH a AS (DELETE FROM t RETURNING id) SELECT * FROM a",
    "WITH a AS (SELECT 9) INSERT INTO t SELECT 9, 'x' FROM a",
    "SELECT load_extension('/tmp/x.so')",
    "SELECT * FROM nothing",
    "SELECT FROM WHERE",
    "",
    "   ",
    ";",
    "-- nothing",
    "/*",
    "SELECT $1",
};
static const char *const bad_for_sqlite[] = {
    "ATTACH '/tmp/hawk-test-attached.db' AS x",
    "ATTACH ':memory:' AS x",
    "DETACH main",
    "UPDATE sqlite_master SET type = 'view'",
    "PRAGMA query_only = OFF",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA user_version",
    "SELECT * FROM pragma_table_info('t')",
    "SELECT * FROM pragma_database_list",
    "VACUUM INTO '/tmp/hawk-test-vacuumed.db'",
    "SELECT fts3_tokenizer('simple')",
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('/tmp/hawk-test-written', 'x')",
    "SELECT edit('x')",
    "EXPLAIN DELETE FROM t",
    "CREATE VIRTUAL TABLE v USING fts5(a)",
    "CREATE TEMP TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END",
    "REPLACE INTO t VALUES (1, 'z')",
    "SELECT zeroblob(500000000)",
    "SELECT length(replace(hex(zeroblob(30000000)), '0', 'xxxxxxxx'))",
};
static const char *const bad_for_postgres[] = {
    "SELECT * FROM secret",
    "SELECT * INTO x FROM t",
    "SELECT * FROM t FOR UPDATE",
    "COPY t TO '/tmp/hawk-test-copied'",
    "COPY t TO PROGRAM 'id'",
    "COPY t FROM '/etc/passwd'",
    "SET ROLE hawk",
    "RESET ROLE",
    "SET statement_timeout = 0",
    "SELECT set_config('role', 'hawk', false)",
    "SELECT set_config('session_authorization', 'hawk', false)",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_read_binary_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(1, '/tmp/hawk-test-exported')",
    "SELECT query_to_xml('DELETE FROM t', true, false, '')",
    "SELECT pg_reload_conf()",
    "SELECT pg_rotate_logfile()",
    "SELECT pg_create_physical_replication_slot('x')",
    "SELECT * FROM pg_authid",
    "DO $$ BEGIN DELETE FROM t; END $$",
    "CALL x()",
    "PREPARE x AS DELETE FROM t",
    "EXECUTE x",
    "LISTEN x",
    "NOTIFY x",
    "LOCK TABLE t",
    "TRUNCATE t",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1",
    "SHOW data_directory",
    "LOAD 'x'",
    "CHECKPOINT",
};
/* clang-format on */

static void expect_refused(const char *const *texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        auto_error Error err = ERROR_INIT;
        int64_t result = count_rows(texts[i], LONG_MS, &err);
        bool is_fit = err.kind == ERR_DENIED || err.kind == ERR_USAGE || err.kind == ERR_BAD_DATA;
        if (result >= 0 || !is_fit)
            fail_msg("%s: gave %lld, %s", texts[i], (long long)result, error_text(&err));
    }
}

static void what_does_more_than_read_is_refused(void **state)
{
    (void)state;
    expect_refused(bad_everywhere, ARRAY_LEN(bad_everywhere));
    if (is_postgres)
        expect_refused(bad_for_postgres, ARRAY_LEN(bad_for_postgres));
    else
        expect_refused(bad_for_sqlite, ARRAY_LEN(bad_for_sqlite));
    assert_int_equal(number("SELECT sum(id) FROM t"), 6);
    assert_int_equal(access("/tmp/hawk-test-attached.db", F_OK), -1);
    assert_int_equal(access("/tmp/hawk-test-vacuumed.db", F_OK), -1);
}

static void what_takes_too_long_is_ended(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    const char *endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                          "SELECT max(i) FROM n";
    assert_int_equal(count_rows(endless, 50, &err), -1);
    assert_int_equal(err.kind, ERR_TIMEOUT);
}

static void time_counts_while_rows_are_read(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    const char *endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                          "SELECT i FROM n";
    assert_int_equal(count_rows(endless, 100, &err), -1);
    assert_int_equal(err.kind, ERR_TIMEOUT);
}

static void a_limit_ends_with_its_transaction(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql Sql *one = NULL;
    assert_int_equal(sql_open(url, 1, &one, &err), 0);
    auto_sql_tx SqlTx *tx = NULL;
    const char *slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
                       "300000) SELECT count(*) FROM n";
    for (int limit_ms = 1; limit_ms >= 0; limit_ms--) {
        auto_sql_rows SqlRows *rows = NULL;
        assert_int_equal(sql_begin(one, SQL_READ, &tx, &err), 0);
        if (limit_ms > 0)
            assert_int_equal(sql_tx_limit_ms(tx, limit_ms, &err), 0);
        int result = sql_query(tx, slow, SQL_NO_ARGS, &rows, &err);
        result = result == 0 ? sql_rows_next(rows, &err) : result;
        assert_int_equal(result, limit_ms > 0 ? -1 : 1);
        error_reset(&err);
        sql_rows_free(TAKE(rows));
        sql_rollback(TAKE(tx));
    }
}

static void a_change_that_takes_too_long_leaves_nothing(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    const char *endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i "
                          "< 2000000000) INSERT INTO t SELECT i, 'x' FROM n";
    assert_int_equal(sql_begin(sql, SQL_WRITE, &tx, &err), 0);
    assert_int_equal(sql_tx_limit_ms(tx, 50, &err), 0);
    assert_int_equal(sql_exec(tx, endless, SQL_NO_ARGS, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_TIMEOUT);
    sql_rollback(TAKE(tx));
    assert_int_equal(number("SELECT count(*) FROM t"), 3);
}

static void a_mistake_is_told_as_one_of_who_typed_it(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    assert_int_equal(count_rows("SELECT nothing FROM t", LONG_MS, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
    assert_non_null(strstr(error_text(&err), "nothing"));
    if (is_postgres)
        assert_non_null(strstr(error_text(&err), "at character 8"));
}

static void every_transaction_has_a_fresh_connection(void **state)
{
    (void)state;
    if (!is_postgres)
        skip();
    auto_error Error err = ERROR_INIT;
    assert_int_equal(
        count_rows("SELECT pg_advisory_lock(77), set_config('hawk.x', 'y', false)", LONG_MS, &err),
        1);
    assert_int_equal(
        count_rows("SELECT 1 WHERE current_setting('hawk.x', true) = 'y'", LONG_MS, &err), 0);
}

static void what_a_function_left_is_rolled_back(void **state)
{
    (void)state;
    if (!is_postgres)
        skip();
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    assert_int_equal(sql_begin(guarded, SQL_READ, &tx, &err), 0);
    /* Which PostgreSQL 15 allows while reading. */
    if (sql_query_untrusted(tx, "SELECT lo_create(0)", LONG_MS, &rows, &err) == 0)
        assert_int_equal(sql_rows_next(rows, &err), 1);
    error_reset(&err);
    sql_rows_free(TAKE(rows));
    if (sql_commit(TAKE(tx), &err) < 0)
        error_reset(&err);
    assert_int_equal(number("SELECT count(*) FROM pg_largeobject_metadata"), 0);
}

static void a_value_cannot_fill_the_memory(void **state)
{
    (void)state;
    if (is_postgres)
        skip(); /* its server's memory is its own */
    auto_error Error err = ERROR_INIT;
    assert_int_equal(count_rows("SELECT length(randomblob(4000000))", LONG_MS, &err), 1);
    assert_int_equal(count_rows("SELECT randomblob(60000000)", LONG_MS, &err), -1);
    assert_int_equal(err.kind, ERR_BAD_DATA);
    error_reset(&err);
    assert_int_equal(
        count_rows("SELECT replace(hex(zeroblob(2000000)), '0', 'abcdefgh')", LONG_MS, &err), -1);
}

static void a_guarded_database_begins_no_write(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    SqlTx *tx = NULL;
    assert_int_equal(sql_begin(guarded, SQL_WRITE, &tx, &err), -1);
    error_reset(&err);
    assert_int_equal(sql_begin(guarded, SQL_WRITE_SHARED, &tx, &err), -1);
}

static void types_of_columns_are_told(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    assert_int_equal(sql_begin(guarded, SQL_READ, &tx, &err), 0);
    assert_int_equal(sql_query_untrusted(tx, "SELECT 1, 0.5, 'a', NULL", LONG_MS, &rows, &err), 0);
    assert_int_equal(sql_rows_next(rows, &err), 1);
    assert_int_equal(sql_rows_type(rows, 0), SQL_TYPE_INT);
    assert_int_equal(sql_rows_type(rows, 1), SQL_TYPE_REAL);
    assert_int_equal(sql_rows_type(rows, 2), SQL_TYPE_TEXT);
    assert_int_equal(sql_rows_type(rows, 3), SQL_TYPE_NULL);
}

static void types_of_postgresql_are_told(void **state)
{
    (void)state;
    if (!is_postgres)
        skip();
    static const SqlType types[] = {SQL_TYPE_BOOL, SQL_TYPE_INSTANT, SQL_TYPE_LIST, SQL_TYPE_JSON,
                                    SQL_TYPE_TEXT};
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    assert_int_equal(sql_begin(guarded, SQL_READ, &tx, &err), 0);
    assert_int_equal(sql_query_untrusted(tx,
                                         "SELECT true, now(), '{a}'::text[], '1'::jsonb, "
                                         "gen_random_uuid()",
                                         LONG_MS, &rows, &err),
                     0);
    assert_int_equal(sql_rows_next(rows, &err), 1);
    for (int i = 0; i < (int)ARRAY_LEN(types); i++)
        assert_int_equal(sql_rows_type(rows, i), types[i]);
}

static void full_text_search_can_be_read(void **state)
{
    (void)state;
    if (is_postgres)
        skip();
    auto_error Error err = ERROR_INIT;
    run("CREATE VIRTUAL TABLE f USING fts5(content)");
    run("INSERT INTO f VALUES ('the quick brown fox'), ('a slow dog')");
    if (count_rows(
            "SELECT rowid, snippet(f, 0, '[', ']', '', 5) FROM f WHERE f MATCH 'quick' ORDER "
            "BY rank",
            LONG_MS, &err) != 1)
        fail_msg("%s", error_text(&err));
}

/* Runs statements on the file behind hawk's back. */
static void plant(const char *statements)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open(url + strlen("sqlite:"), &db), SQLITE_OK);
    if (sqlite3_exec(db, statements, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", statements, message);
    sqlite3_close(db);
}

static void views_that_were_planted_reach_nothing(void **state)
{
    (void)state;
    if (is_postgres)
        skip();
    static const char *const planted[] = {
        "CREATE VIEW p AS SELECT load_extension('/tmp/x.so') AS x",
        "CREATE VIEW p AS SELECT fts3_tokenizer('simple') AS x",
        "CREATE VIEW p AS SELECT * FROM pragma_database_list",
        "CREATE VIRTUAL TABLE v USING fts5(a); CREATE VIEW p AS SELECT * FROM v",
        "CREATE VIRTUAL TABLE v USING fts4(a); CREATE VIEW p AS SELECT * FROM v",
    };
    static const char *const read[] = {"SELECT * FROM p"};
    for (size_t i = 0; i < ARRAY_LEN(planted); i++) {
        plant(planted[i]);
        expect_refused(read, ARRAY_LEN(read));
        plant("DROP VIEW p; DROP TABLE IF EXISTS v");
    }
}

static void triggers_that_were_planted_call_nothing_else(void **state)
{
    (void)state;
    if (is_postgres)
        skip();
    static const char *const planted[] = {
        "CREATE TRIGGER p AFTER INSERT ON t BEGIN SELECT fts5('x'); END",
        "CREATE TRIGGER p AFTER INSERT ON t BEGIN SELECT load_extension('/tmp/x.so'); END",
        "CREATE TRIGGER p AFTER INSERT ON t BEGIN SELECT zeroblob(500000000); END",
        "CREATE TRIGGER p AFTER INSERT ON t BEGIN SELECT printf('%s', x) FROM v; END; "
        "CREATE VIEW v AS SELECT hex(randomblob(9)) AS x",
    };
    for (size_t i = 0; i < ARRAY_LEN(planted); i++) {
        auto_error Error err = ERROR_INIT;
        SqlTx *tx = NULL;
        plant(planted[i]);
        assert_int_equal(sql_begin(sql, SQL_WRITE, &tx, &err), 0);
        int result = sql_exec(tx, "INSERT INTO t VALUES (9, 'z')", SQL_NO_ARGS, NULL, &err);
        sql_rollback(tx);
        if (result == 0 || !strstr(error_text(&err), "not authorized to use function"))
            fail_msg("%s: %d, %s", planted[i], result, error_text(&err));
        plant("DROP TRIGGER p; DROP VIEW IF EXISTS v");
    }
    run("CREATE VIRTUAL TABLE f USING fts5(content)");
    run("CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO f VALUES (substr(NEW.content, 1)); "
        "END");
    run("INSERT INTO t VALUES (4, 'quick')");
    assert_int_equal(number("SELECT count(*) FROM f WHERE f MATCH 'quick'"), 1);
}

static void a_file_with_virtual_tables_of_others_is_refused(void **state)
{
    (void)state;
    if (is_postgres)
        skip();
    auto_error Error err = ERROR_INIT;
    Sql *none = NULL;
    plant("CREATE VIRTUAL TABLE places USING rtree(id, a, b)");
    assert_int_equal(sql_open(url, 1, &none, &err), -1);
    assert_int_equal(err.kind, ERR_BAD_DATA);
    assert_non_null(strstr(error_text(&err), "places"));
}

static void a_file_that_is_not_there_is_not_made(void **state)
{
    (void)state;
    if (is_postgres)
        skip();
    auto_error Error err = ERROR_INIT;
    auto_free char *path = fs_join(folder, "none.db");
    auto_free char *other = mem_printf("sqlite:%s", path);
    Sql *none = NULL;
    assert_int_equal(sql_open_untrusted(other, 1, &none, &err), -1);
    assert_int_equal(access(path, F_OK), -1);
}

static void a_role_that_is_too_strong_is_refused(void **state)
{
    (void)state;
    if (!is_postgres)
        skip();
    static const char *const roles[][2] = {
        {"hawk_test_super", "SUPERUSER"},
        {"hawk_test_member", "IN ROLE hawk_test_super"},
        {"hawk_test_files", "IN ROLE pg_read_server_files"},
        {"hawk_test_replica", "REPLICATION"},
    };
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        auto_error Error err = ERROR_INIT;
        make_reader(roles[i][0], roles[i][1]);
        auto_free char *strong = url_as(roles[i][0]);
        Sql *none = NULL;
        assert_int_equal(sql_open_untrusted(strong, 1, &none, &err), -1);
        assert_int_equal(err.kind, ERR_DENIED);
        assert_non_null(err.fix);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, open_guarded, close_guarded)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_reads_is_run),
        T(what_does_more_than_read_is_refused),
        T(what_takes_too_long_is_ended),
        T(time_counts_while_rows_are_read),
        T(a_limit_ends_with_its_transaction),
        T(a_change_that_takes_too_long_leaves_nothing),
        T(a_mistake_is_told_as_one_of_who_typed_it),
        T(every_transaction_has_a_fresh_connection),
        T(a_value_cannot_fill_the_memory),
        T(what_a_function_left_is_rolled_back),
        T(a_guarded_database_begins_no_write),
        T(types_of_columns_are_told),
        T(types_of_postgresql_are_told),
        T(full_text_search_can_be_read),
        T(views_that_were_planted_reach_nothing),
        T(triggers_that_were_planted_call_nothing_else),
        T(a_file_with_virtual_tables_of_others_is_refused),
        T(a_file_that_is_not_there_is_not_made),
        T(a_role_that_is_too_strong_is_refused),
    };
    return RUN_BOTH(tests);
}
