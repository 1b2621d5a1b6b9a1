/* Runs tests on SQLite and, with HAWK_TEST_POSTGRES=postgresql://..., on PostgreSQL as well, in a
   database that they may empty. `sql` is open while a test runs; tables are dropped before it. */
#ifndef HAWK_TESTS_SQL_BOTH_H
#define HAWK_TESTS_SQL_BOTH_H

#include "cmocka_all.h"

#include <stdlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "sql/sql.h"

static char folder[64];
static char url[256];
static Sql *sql;
static bool is_postgres;

/* Runs one statement in a transaction of its own; in two texts where the databases differ. */
HAWK_UNUSED static void run(const char *statement)
{
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    assert_int_equal(sql_begin(sql, SQL_WRITE, &tx, &err), 0);
    if (sql_exec(tx, statement, SQL_NO_ARGS, NULL, &err) < 0)
        fail_msg("%s: %s", statement, error_text(&err));
    assert_int_equal(sql_commit(TAKE(tx), &err), 0);
}

HAWK_UNUSED static void run_either(const char *sqlite, const char *postgres)
{
    run(is_postgres ? postgres : sqlite);
}

/* The first number that a query gives. */
HAWK_UNUSED static int64_t number(const char *query)
{
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    assert_int_equal(sql_begin(sql, SQL_READ, &tx, &err), 0);
    if (sql_query(tx, query, SQL_NO_ARGS, &rows, &err) < 0 || sql_rows_next(rows, &err) != 1)
        fail_msg("%s: %s", query, error_text(&err));
    int64_t result = sql_rows_int(rows, 0);
    sql_rows_free(TAKE(rows));
    return result;
}

static int open_empty(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    (void)snprintf(folder, sizeof(folder), "/tmp/hawk-sql-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    if (is_postgres)
        (void)snprintf(url, sizeof(url), "%s", getenv("HAWK_TEST_POSTGRES"));
    else
        (void)snprintf(url, sizeof(url), "sqlite:%s/test.db", folder);
    if (sql_open(url, 4, &sql, &err) < 0) {
        print_error("%s\n", error_text(&err));
        return -1;
    }
    if (is_postgres) {
        run("DROP SCHEMA public CASCADE");
        run("CREATE SCHEMA public");
    }
    return 0;
}

static int close_and_drop(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    sql_close(TAKE(sql));
    return fs_remove_tree(folder, &err);
}

#define BOTH(f) cmocka_unit_test_setup_teardown(f, open_empty, close_and_drop)

/* Runs the array `tests` on each database; the value for main. */
#define RUN_BOTH(tests)                                                                            \
    ({                                                                                             \
        int failures_ = cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);                  \
        is_postgres = getenv("HAWK_TEST_POSTGRES") != NULL;                                        \
        if (is_postgres)                                                                           \
            failures_ += cmocka_run_group_tests_name("postgres", tests, NULL, NULL);               \
        failures_;                                                                                 \
    })

#endif
