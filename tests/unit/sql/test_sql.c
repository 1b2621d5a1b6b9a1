/* One face for databases: values, transactions, writers that queue, migrations. Runs on SQLite, and
   with HAWK_TEST_POSTGRES=postgresql://... on PostgreSQL as well, in a database that it may empty.
 */
#include "cmocka_all.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "sql/sql.h"

static char folder[64];
static char url[256];
static Sql *sql;
static bool is_postgres;

static const char *const tables[] = {
    [SQL_SQLITE] =
        "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE, weight REAL, data BLOB) "
        "STRICT",
    [SQL_POSTGRES] =
        "CREATE TABLE item (id bigint PRIMARY KEY, name text UNIQUE, weight double precision, "
        "data bytea)",
};

static void run(const char *statement)
{
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    assert_int_equal(sql_begin(sql, SQL_WRITE, &tx, &err), 0);
    if (sql_exec(tx, statement, SQL_NO_ARGS, NULL, &err) < 0)
        fail_msg("%s: %s", statement, error_text(&err));
    assert_int_equal(sql_commit(TAKE(tx), &err), 0);
}

static int64_t number(const char *query)
{
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    assert_int_equal(sql_begin(sql, SQL_READ, &tx, &err), 0);
    if (sql_query(tx, query, SQL_NO_ARGS, &rows, &err) < 0)
        fail_msg("%s: %s", query, error_text(&err));
    assert_int_equal(sql_rows_next(rows, &err), 1);
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
    run("DROP TABLE IF EXISTS item");
    run("DROP TABLE IF EXISTS schema_version");
    run(tables[sql_dialect(sql)]);
    return 0;
}

static int close_and_drop(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    sql_close(TAKE(sql));
    return fs_remove_tree(folder, &err);
}

static void values_come_back_as_they_went_in(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    assert_int_equal(sql_begin(sql, SQL_WRITE, &tx, &err), 0);
    int64_t changed = 0;
    assert_int_equal(sql_exec(tx,
                              "INSERT INTO item (data, weight, name, id) VALUES ($4, $3, $2, $1)",
                              SQL_ARGS(SQL_INT(INT64_MIN), SQL_TEXTZ("it's \"q\" \xc3\xa9"),
                                       SQL_REAL(0.1), SQL_BLOB(STR("a\0b"))),
                              &changed, &err),
                     0);
    assert_int_equal(changed, 1);
    assert_int_equal(
        sql_exec(tx, "INSERT INTO item (id, name, weight, data) VALUES ($1, $2, NULL, $3)",
                 SQL_ARGS(SQL_INT(1), SQL_TEXT(STR_NONE), SQL_BLOB(STR(""))), &changed, &err),
        0);
    auto_sql_rows SqlRows *rows = NULL;
    assert_int_equal(sql_query(tx, "SELECT id, name, weight, data FROM item ORDER BY id",
                               SQL_NO_ARGS, &rows, &err),
                     0);
    assert_int_equal(sql_rows_n_columns(rows), 4);
    assert_string_equal(sql_rows_name(rows, 2), "weight");
    assert_int_equal(sql_rows_next(rows, &err), 1);
    assert_true(sql_rows_int(rows, 0) == INT64_MIN);
    assert_true(str_eqz(sql_rows_text(rows, 1), "it's \"q\" \xc3\xa9"));
    assert_true(sql_rows_real(rows, 2) == 0.1);
    assert_true(str_eq(sql_rows_text(rows, 3), STR("a\0b")));
    assert_int_equal(sql_rows_next(rows, &err), 1);
    assert_true(sql_rows_is_null(rows, 1));
    assert_null(sql_rows_text(rows, 1).p);
    assert_true(sql_rows_real(rows, 2) == 0.0);
    assert_false(sql_rows_is_null(rows, 3));
    assert_non_null(sql_rows_text(rows, 3).p);
    assert_int_equal(sql_rows_next(rows, &err), 0);
}

static void one_value_may_stand_in_several_places(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    assert_int_equal(sql_begin(sql, SQL_READ, &tx, &err), 0);
    assert_int_equal(sql_query(tx, "SELECT 1 WHERE 5 = $2 AND 3 = $1 AND 7 < $2 + $1",
                               SQL_ARGS(SQL_INT(3), SQL_INT(5)), &rows, &err),
                     0);
    assert_int_equal(sql_rows_next(rows, &err), 1);
}

static void a_hostile_value_is_only_a_value(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    assert_int_equal(sql_begin(sql, SQL_WRITE, &tx, &err), 0);
    assert_int_equal(sql_exec(tx, "INSERT INTO item (id, name) VALUES (1, $1)",
                              SQL_ARGS(SQL_TEXTZ("x'); DROP TABLE item; --")), NULL, &err),
                     0);
    assert_int_equal(sql_commit(TAKE(tx), &err), 0);
    assert_int_equal(number("SELECT count(*) FROM item"), 1);
}

static void two_queries_of_the_same_text_can_be_open_at_once(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    run("INSERT INTO item (id) VALUES (1), (2)");
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *a = NULL;
    auto_sql_rows SqlRows *b = NULL;
    const char *query = "SELECT id FROM item ORDER BY id";
    assert_int_equal(sql_begin(sql, SQL_READ, &tx, &err), 0);
    assert_int_equal(sql_query(tx, query, SQL_NO_ARGS, &a, &err), 0);
    assert_int_equal(sql_rows_next(a, &err), 1);
    assert_int_equal(sql_query(tx, query, SQL_NO_ARGS, &b, &err), 0);
    assert_int_equal(sql_rows_next(b, &err), 1);
    assert_int_equal(sql_rows_next(a, &err), 1);
    assert_int_equal(sql_rows_int(a, 0), 2);
    assert_int_equal(sql_rows_int(b, 0), 1);
}

static void few_rows_come_in_order_while_another_statement_runs(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    SqlTx *tx = NULL;
    SqlRows *few = NULL;
    SqlRows *other = NULL;
    static const char text[] = "SELECT 1 AS n, 'a' AS t UNION ALL SELECT 2, NULL UNION ALL "
                               "SELECT 3, 'c' ORDER BY 1";
    assert_int_equal(sql_begin(sql, SQL_READ, &tx, &err), 0);
    assert_int_equal(sql_query_few(tx, text, SQL_NO_ARGS, &few, &err), 0);
    assert_int_equal(sql_rows_n_columns(few), 2);
    for (int64_t i = 1; i <= 3; i++) {
        assert_int_equal(sql_rows_next(few, &err), 1);
        assert_int_equal(sql_rows_int(few, 0), i);
        assert_int_equal(sql_rows_is_null(few, 1), i == 2);
        assert_int_equal(sql_query_few(tx, "SELECT 7 WHERE 1 = 0", SQL_NO_ARGS, &other, &err), 0);
        assert_int_equal(sql_rows_next(other, &err), 0);
        sql_rows_free(other);
    }
    assert_int_equal(sql_rows_next(few, &err), 0);
    sql_rows_free(few);
    sql_rollback(tx);
}

static void what_is_rolled_back_never_was(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    SqlTx *tx = NULL;
    assert_int_equal(sql_begin(sql, SQL_WRITE, &tx, &err), 0);
    assert_int_equal(sql_exec(tx, "INSERT INTO item (id) VALUES (1)", SQL_NO_ARGS, NULL, &err), 0);
    sql_rollback(tx);
    assert_int_equal(number("SELECT count(*) FROM item"), 0);
}

static void a_broken_constraint_is_a_conflict_and_ends_the_transaction(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    run("INSERT INTO item (id, name) VALUES (1, 'a')");
    SqlTx *tx = NULL;
    assert_int_equal(sql_begin(sql, SQL_WRITE, &tx, &err), 0);
    assert_int_equal(
        sql_exec(tx, "INSERT INTO item (id, name) VALUES (2, 'b')", SQL_NO_ARGS, NULL, &err), 0);
    assert_int_equal(
        sql_exec(tx, "INSERT INTO item (id, name) VALUES (3, 'a')", SQL_NO_ARGS, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_string_equal(err.code, "sql.unique");
    error_reset(&err);
    assert_int_equal(
        sql_exec(tx, "INSERT INTO item (id, name) VALUES (4, 'c')", SQL_NO_ARGS, NULL, &err), -1);
    error_reset(&err);
    assert_int_equal(sql_commit(tx, &err), -1);
    assert_int_equal(number("SELECT count(*) FROM item"), 1);
}

static void a_transaction_that_reads_cannot_write(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    assert_int_equal(sql_begin(sql, SQL_READ, &tx, &err), 0);
    assert_int_equal(sql_exec(tx, "INSERT INTO item (id) VALUES (1)", SQL_NO_ARGS, NULL, &err), -1);
}

static void a_reader_keeps_its_view_while_another_commits(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    assert_int_equal(sql_begin(sql, SQL_READ, &tx, &err), 0);
    for (int i = 0; i < 2; i++) {
        auto_sql_rows SqlRows *rows = NULL;
        assert_int_equal(sql_query(tx, "SELECT count(*) FROM item", SQL_NO_ARGS, &rows, &err), 0);
        assert_int_equal(sql_rows_next(rows, &err), 1);
        assert_int_equal(sql_rows_int(rows, 0), 0);
        if (i == 0)
            run("INSERT INTO item (id) VALUES (1)");
    }
}

enum { N_THREADS = 6, N_STEPS = 20 };

static void *add_up(void *context)
{
    bool *ok = context;
    for (int i = 0; i < N_STEPS; i++) {
        auto_error Error err = ERROR_INIT;
        auto_sql_tx SqlTx *tx = NULL;
        auto_sql_rows SqlRows *rows = NULL;
        if (sql_begin(sql, SQL_WRITE, &tx, &err) < 0)
            return NULL;
        if (is_postgres && sql_exec(tx, "LOCK TABLE item", SQL_NO_ARGS, NULL, &err) < 0)
            return NULL;
        if (sql_query(tx, "SELECT id FROM item", SQL_NO_ARGS, &rows, &err) < 0 ||
            sql_rows_next(rows, &err) != 1)
            return NULL;
        int64_t value = sql_rows_int(rows, 0);
        sql_rows_free(TAKE(rows));
        if (sql_exec(tx, "UPDATE item SET id = $1", SQL_ARGS(SQL_INT(value + 1)), NULL, &err) < 0)
            return NULL;
        if (sql_commit(TAKE(tx), &err) < 0)
            return NULL;
    }
    *ok = true;
    return NULL;
}

static void writers_of_many_threads_lose_no_update(void **state)
{
    (void)state;
    run("INSERT INTO item (id) VALUES (0)");
    pthread_t threads[N_THREADS];
    bool ok[N_THREADS] = {false};
    for (size_t i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_up, &ok[i]), 0);
    for (size_t i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < N_THREADS; i++)
        assert_true(ok[i]);
    assert_int_equal(number("SELECT id FROM item"), N_THREADS * N_STEPS);
}

typedef struct Waiting {
    _Atomic pid_t thread;
    _Atomic bool has_written;
} Waiting;

static void *write_once(void *context)
{
    Waiting *waiting = context;
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    waiting->thread = gettid();
    if (sql_begin(sql, SQL_WRITE, &tx, &err) == 0)
        waiting->has_written = true;
    return NULL;
}

/* Whether a thread of ours sleeps. */
static bool is_asleep(pid_t thread)
{
    auto_error Error err = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(4096);
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)thread);
    assert_int_equal(fs_read_file(path, &text, &err), 0);
    return str_find_str(buf_str(&text), STR(") S ")) >= 0;
}

static void those_that_wait_to_write_go_before_one_that_comes_later(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    Waiting waiting[N_THREADS] = {0};
    pthread_t threads[N_THREADS];
    auto_sql_tx SqlTx *tx = NULL;
    assert_int_equal(sql_begin(sql, SQL_WRITE, &tx, &err), 0);
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_once, &waiting[i]), 0);
        while (!waiting[i].thread || !is_asleep(waiting[i].thread))
            sched_yield();
    }
    sql_rollback(TAKE(tx));
    assert_int_equal(sql_begin(sql, SQL_WRITE, &tx, &err), 0);
    for (size_t i = 0; i < N_THREADS; i++)
        assert_true(waiting[i].has_written);
    for (size_t i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void a_second_writer_gives_up_as_busy(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql Sql *other = NULL;
    assert_int_equal(sql_open(url, 1, &other, &err), 0);
    sql_set_wait_ms(other, 1);
    sql_set_wait_ms(sql, 1);
    auto_sql_tx SqlTx *first = NULL;
    SqlTx *second = NULL;
    assert_int_equal(sql_begin(sql, SQL_WRITE, &first, &err), 0);
    assert_int_equal(sql_begin(sql, SQL_WRITE, &second, &err), -1); /* same pool */
    assert_int_equal(err.kind, ERR_BUSY);
    error_reset(&err);
    assert_int_equal(sql_begin(other, SQL_WRITE, &second, &err), -1); /* as another process would */
    assert_int_equal(err.kind, ERR_BUSY);
}

static void a_pool_that_is_used_up_is_busy(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql Sql *small = NULL;
    assert_int_equal(sql_open(url, 1, &small, &err), 0);
    sql_set_wait_ms(small, 1);
    auto_sql_tx SqlTx *first = NULL;
    SqlTx *second = NULL;
    assert_int_equal(sql_begin(small, SQL_READ, &first, &err), 0);
    assert_int_equal(sql_begin(small, SQL_READ, &second, &err), -1);
    assert_int_equal(err.kind, ERR_BUSY);
}

#define SCRIPT(text)                                                                               \
    {                                                                                              \
        (const unsigned char *)(text), sizeof(text) - 1                                            \
    }
static const Embedded step_1 = SCRIPT("DROP TABLE IF EXISTS one; CREATE TABLE one (x integer);"
                                      "INSERT INTO one VALUES (1);");
static const Embedded step_2 = SCRIPT("UPDATE one SET x = x + 1; -- again\n");
static const Embedded step_bad = SCRIPT("UPDATE one SET x = 50; UPDATE no_such_table SET x = 1;");

static void migrations_run_once_and_in_order(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    const SqlMigration steps[] = {{1, &step_1, &step_1}, {2, &step_2, &step_2}};
    assert_int_equal(sql_migrate(sql, "test", steps, 1, &err), 0);
    assert_int_equal(sql_migrate(sql, "test", steps, 2, &err), 0);
    assert_int_equal(sql_migrate(sql, "test", steps, 2, &err), 0);
    assert_int_equal(number("SELECT x FROM one"), 2);
    assert_int_equal(number("SELECT count(*) FROM schema_version WHERE component = 'test'"), 2);
}

static void a_migration_that_fails_changes_nothing(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    const SqlMigration steps[] = {{1, &step_1, &step_1}, {2, &step_bad, &step_bad}};
    assert_int_equal(sql_migrate(sql, "test", steps, 2, &err), -1);
    assert_non_null(strstr(error_text(&err), "no_such_table"));
    assert_int_equal(number("SELECT x FROM one"), 1);
    assert_int_equal(number("SELECT max(number) FROM schema_version"), 1);
}

static void a_newer_schema_is_refused_in_words(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    const SqlMigration steps[] = {{1, &step_1, &step_1}, {2, &step_2, &step_2}};
    assert_int_equal(sql_migrate(sql, "test", steps, 2, &err), 0);
    assert_int_equal(sql_migrate(sql, "test", steps, 1, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_non_null(strstr(error_text(&err), "version 2"));
    assert_non_null(strstr(error_text(&err), "knows 1"));
}

static void the_file_of_sqlite_is_private(void **state)
{
    (void)state;
    if (is_postgres)
        skip();
    struct stat st;
    run("INSERT INTO item (id) VALUES (1)");
    auto_free char *path = fs_join(folder, "test.db");
    auto_free char *wal = fs_join(folder, "test.db-wal");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_file_that_is_no_database_says_so(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_free char *path = fs_join(folder, "other.db");
    auto_free char *other = mem_printf("sqlite:%s", path);
    assert_int_equal(
        fs_write_file(path,
                      STR("This is a text file, and a rather long one at that, to be sure."
                          "................................................"),
                      0600, &err),
        0);
    Sql *opened = NULL;
    assert_int_equal(sql_open(other, 1, &opened, &err), -1);
    assert_int_equal(err.kind, ERR_BAD_DATA);
    assert_non_null(err.fix);
    error_reset(&err);
    assert_int_equal(sql_open("sqlite:/no/such/folder/x.db", 1, &opened, &err), -1);
    error_reset(&err);
    assert_int_equal(sql_open("mysql://x", 1, &opened, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
}

/* Fills the database until the disk is full; returns how many rows went in. */
static int64_t fill(Sql *small, ErrorKind *ret_kind)
{
    auto_free char *block = mem_alloc(16 * 1024);
    for (int64_t i = 0;; i++) {
        auto_error Error err = ERROR_INIT;
        auto_sql_tx SqlTx *tx = NULL;
        if (sql_begin(small, SQL_WRITE, &tx, &err) < 0 ||
            sql_exec(tx, "INSERT INTO item (id, data) VALUES ($1, $2)",
                     SQL_ARGS(SQL_INT(i), SQL_BLOB(((Str){block, 16 * 1024}))), NULL, &err) < 0 ||
            sql_commit(TAKE(tx), &err) < 0) {
            *ret_kind = err.kind;
            return i;
        }
    }
}

static void a_full_disk_keeps_what_was_committed(void **state)
{
    (void)state;
    char disk[sizeof(folder) + 8]; /* on the heap it would leak when the test is skipped */
    (void)snprintf(disk, sizeof(disk), "%s/disk", folder);
    if (is_postgres || mkdir(disk, 0700) < 0 || mount("none", disk, "tmpfs", 0, "size=1m") < 0)
        skip(); /* needs root */
    auto_error Error err = ERROR_INIT;
    auto_free char *small_url = mem_printf("sqlite:%s/small.db", disk);
    Sql *small = NULL;
    assert_int_equal(sql_open(small_url, 2, &small, &err), 0);
    Sql *kept = sql;
    sql = small;
    run(tables[SQL_SQLITE]);
    ErrorKind kind = ERR_NONE;
    int64_t n = fill(small, &kind);
    int64_t n_there = number("SELECT count(*) FROM item");
    sql = kept;
    sql_close(small);
    assert_int_equal(umount(disk), 0);
    assert_int_equal(kind, ERR_NO_SPACE);
    assert_true(n > 0);
    assert_int_equal(n_there, n);
}

static void a_lost_server_is_unreachable_and_the_pool_connects_anew(void **state)
{
    (void)state;
    if (!is_postgres)
        skip();
    auto_error Error err = ERROR_INIT;
    SqlTx *killer = NULL;
    SqlTx *victim = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    assert_int_equal(sql_begin(sql, SQL_READ, &killer, &err), 0);
    assert_int_equal(sql_begin(sql, SQL_READ, &victim, &err), 0);
    assert_int_equal(
        sql_query(killer,
                  "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
                  "pid <> pg_backend_pid() AND application_name = 'hawk'",
                  SQL_NO_ARGS, &rows, &err),
        0);
    assert_int_equal(sql_rows_next(rows, &err), 1);
    sql_rows_free(TAKE(rows));
    sql_rollback(killer);
    assert_int_equal(sql_exec(victim, "SELECT 1", SQL_NO_ARGS, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_UNREACHABLE);
    sql_rollback(victim);
    assert_int_equal(number("SELECT count(*) FROM item"), 0);
}

/* Ends all connections of the program but one of its own. */
static void end_connections(void)
{
    auto_error Error err = ERROR_INIT;
    auto_sql Sql *other = NULL;
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_open(url, 1, &other, &err) < 0 || sql_begin(other, SQL_READ, &tx, &err) < 0 ||
        sql_query(tx,
                  "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE "
                  "pid <> pg_backend_pid() AND application_name = 'hawk'",
                  SQL_NO_ARGS, &rows, &err) < 0 ||
        sql_rows_next(rows, &err) != 1)
        fail_msg("%s", error_text(&err));
}

static void all_connections_that_were_lost_while_idle_are_replaced(void **state)
{
    (void)state;
    if (!is_postgres)
        skip();
    auto_error Error err = ERROR_INIT;
    SqlTx *all[4];
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        assert_int_equal(sql_begin(sql, SQL_READ, &all[i], &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        sql_rollback(all[i]);
    end_connections();
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        assert_int_equal(sql_begin(sql, SQL_READ, &all[i], &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        sql_rollback(all[i]);
}

static void a_connection_lost_while_rows_are_read_is_unreachable(void **state)
{
    (void)state;
    if (!is_postgres)
        skip();
    auto_error Error err = ERROR_INIT;
    SqlTx *tx = NULL;
    SqlRows *rows = NULL;
    assert_int_equal(sql_begin(sql, SQL_READ, &tx, &err), 0);
    assert_int_equal(sql_query(tx, "SELECT repeat('x', 1000) FROM generate_series(1, 1000000)",
                               SQL_NO_ARGS, &rows, &err),
                     0);
    end_connections();
    int result = 1;
    while (result > 0)
        result = sql_rows_next(rows, &err);
    assert_int_equal(result, -1);
    assert_int_equal(err.kind, ERR_UNREACHABLE);
    error_reset(&err);
    sql_rows_free(rows);
    sql_rollback(tx);
    assert_int_equal(number("SELECT count(*) FROM item"), 0);
}

static void a_connection_lost_before_the_commit_is_unreachable(void **state)
{
    (void)state;
    if (!is_postgres)
        skip();
    auto_error Error err = ERROR_INIT;
    SqlTx *tx = NULL;
    assert_int_equal(sql_begin(sql, SQL_WRITE, &tx, &err), 0);
    assert_int_equal(sql_exec(tx, "INSERT INTO item (id) VALUES (1)", SQL_NO_ARGS, NULL, &err), 0);
    end_connections();
    assert_int_equal(sql_commit(tx, &err), -1);
    assert_int_equal(err.kind, ERR_UNREACHABLE);
    assert_int_equal(number("SELECT count(*) FROM item"), 0);
}

static void run_once(void *context, Sql *one)
{
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(one, SQL_READ, &tx, &err) == 0 &&
        sql_query(tx, "SELECT 41 + 1", SQL_NO_ARGS, &rows, &err) == 0)
        (void)sem_post(context);
}

static void a_connection_is_warm_before_it_is_needed(void **state)
{
    (void)state;
    if (!is_postgres)
        skip();
    auto_error Error err = ERROR_INIT;
    sem_t n_warm;
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    assert_int_equal(sem_init(&n_warm, 0, 0), 0);
    assert_int_equal(sql_keep_ready(sql, 2, run_once, &n_warm, &err), 0);
    /* The one of before, which is then back, and one that nobody has asked for. */
    for (int i = 0; i < 2; i++)
        assert_int_equal(sem_timedwait(&n_warm, &until), 0);
    assert_int_equal(
        number("SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT 41 + 1'"), 1);
    sql_close(TAKE(sql));
    (void)sem_destroy(&n_warm);
    assert_int_equal(sql_open(url, 4, &sql, &err), 0); /* for the end */
}

static void a_server_that_refuses_us_is_told_from_one_that_is_away(void **state)
{
    (void)state;
    if (!is_postgres)
        skip();
    auto_error Error err = ERROR_INIT;
    Sql *none = NULL;
    auto_free char *refused = mem_printf("%s&user=hawk_test_nobody", url);
    assert_int_equal(sql_open(refused, 1, &none, &err), -1);
    assert_int_equal(err.kind, ERR_DENIED);
    error_reset(&err);
    assert_int_equal(sql_open("postgresql://hawk@no-such-host.invalid/x", 1, &none, &err), -1);
    assert_int_equal(err.kind, ERR_UNREACHABLE);
    error_reset(&err);
    assert_int_equal(sql_open("postgresql://hawk:p%zzw@127.0.0.1/x", 1, &none, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
    assert_null(strstr(error_text(&err), "zzw")); /* a part of the password */
}

#define T(f) cmocka_unit_test_setup_teardown(f, open_empty, close_and_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(values_come_back_as_they_went_in),
        T(one_value_may_stand_in_several_places),
        T(a_hostile_value_is_only_a_value),
        T(two_queries_of_the_same_text_can_be_open_at_once),
        T(few_rows_come_in_order_while_another_statement_runs),
        T(what_is_rolled_back_never_was),
        T(a_broken_constraint_is_a_conflict_and_ends_the_transaction),
        T(a_transaction_that_reads_cannot_write),
        T(a_reader_keeps_its_view_while_another_commits),
        T(writers_of_many_threads_lose_no_update),
        T(those_that_wait_to_write_go_before_one_that_comes_later),
        T(a_second_writer_gives_up_as_busy),
        T(a_pool_that_is_used_up_is_busy),
        T(migrations_run_once_and_in_order),
        T(a_migration_that_fails_changes_nothing),
        T(a_newer_schema_is_refused_in_words),
        T(a_full_disk_keeps_what_was_committed),
        T(a_lost_server_is_unreachable_and_the_pool_connects_anew),
        T(all_connections_that_were_lost_while_idle_are_replaced),
        T(a_connection_lost_while_rows_are_read_is_unreachable),
        T(a_connection_lost_before_the_commit_is_unreachable),
        T(a_connection_is_warm_before_it_is_needed),
        T(a_server_that_refuses_us_is_told_from_one_that_is_away),
        T(the_file_of_sqlite_is_private),
        T(a_file_that_is_no_database_says_so),
    };
    int failures = cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
    is_postgres = getenv("HAWK_TEST_POSTGRES") != NULL;
    if (is_postgres)
        failures += cmocka_run_group_tests_name("postgres", tests, NULL, NULL);
    return failures;
}
