/* Values of each type, there and back, in either database. */
#include "both.h"

#include <math.h>
#include <pthread.h>

#include "base/clock.h"

static void make_table(void)
{
    run_either("CREATE TABLE t (id INTEGER PRIMARY KEY, at INTEGER, flag INTEGER, number REAL, "
               "list TEXT, doc TEXT, uid TEXT, state TEXT, whole INTEGER, small INTEGER, "
               "single REAL, content TEXT) STRICT",
               "CREATE TABLE t (id bigint PRIMARY KEY, at timestamptz, flag boolean, "
               "number double precision, list text[], doc jsonb, uid uuid, state mood, "
               "whole bigint, small integer, single real, content text)");
}

static int open_with_table(void **state)
{
    if (open_empty(state) < 0)
        return -1;
    if (is_postgres)
        run("CREATE TYPE mood AS ENUM ('started', 'it''s \"over\"')");
    make_table();
    return 0;
}

/* Sets a column of a new row and opens the query that reads it back; the rows stand on it. */
static void go_round(SqlTx *tx, const char *column, SqlValue value, SqlRows **ret)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *insert = mem_printf("INSERT INTO t (id, %s) VALUES ($1, $2)", column);
    auto_free char *select = mem_printf("SELECT %s FROM t WHERE id = 1", column);
    if (sql_exec(tx, "DELETE FROM t", SQL_NO_ARGS, NULL, &err) < 0 ||
        sql_exec(tx, insert, SQL_ARGS(SQL_INT(1), value), NULL, &err) < 0 ||
        sql_query(tx, select, SQL_NO_ARGS, ret, &err) < 0 || sql_rows_next(*ret, &err) != 1)
        fail_msg("%s: %s", column, error_text(&err));
}

static SqlTx *begin(SqlMode mode)
{
    auto_error Error err = ERROR_INIT;
    SqlTx *tx = NULL;
    if (sql_begin(sql, mode, &tx, &err) < 0)
        fail_msg("%s", error_text(&err));
    return tx;
}

static void an_instant_keeps_its_microsecond_in_any_year(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "1970-01-01T00:00:00Z",        "1969-12-31T23:59:59.999999Z", "2026-01-31T10:00:00.250001Z",
        "0001-01-01T00:00:00.000001Z", "9999-12-31T23:59:59.999999Z", "1900-02-28T12:00:00Z",
        "2000-02-29T00:00:00.1Z",      "1600-02-29T06:30:00Z",        "1883-11-18T12:03:57Z",
    };
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        int64_t us = 0;
        assert_int_equal(clock_parse(str_of(texts[i]), &us), 0);
        auto_sql_rows SqlRows *rows = NULL;
        go_round(tx, "at", SQL_INSTANT(us), &rows);
        assert_true(sql_rows_int(rows, 0) == us);
    }
}

static void an_instant_far_from_now_comes_back(void **state)
{
    (void)state;
    /* The year 4713 BC, where PostgreSQL begins, the last instant there is, and the infinite ones.
     */
    static const int64_t instants[] = {-210866803200000000, INT64_MAX - 1, 9223371331199999999,
                                       -62135596800000001,  INT64_MAX,     INT64_MIN};
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    for (size_t i = 0; i < ARRAY_LEN(instants); i++) {
        auto_sql_rows SqlRows *rows = NULL;
        go_round(tx, "at", SQL_INSTANT(instants[i]), &rows);
        assert_true(sql_rows_int(rows, 0) == instants[i]);
    }
}

static void an_instant_is_compared_as_one(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    auto_sql_rows SqlRows *rows = NULL;
    assert_int_equal(sql_exec(tx, "INSERT INTO t (id, at) VALUES (1, $1), (2, $2), (3, $3)",
                              SQL_ARGS(SQL_INSTANT(-5), SQL_INSTANT(5), SQL_NULL), NULL, &err),
                     0);
    assert_int_equal(sql_query(tx, "SELECT id FROM t WHERE at > $1 OR ($2 AND at IS NULL)",
                               SQL_ARGS(SQL_INSTANT(-1), SQL_BOOL(false)), &rows, &err),
                     0);
    assert_int_equal(sql_rows_next(rows, &err), 1);
    assert_int_equal(sql_rows_int(rows, 0), 2);
    assert_int_equal(sql_rows_next(rows, &err), 0);
}

static void a_flag_is_one_or_zero_and_a_condition(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    for (int value = 0; value < 2; value++) {
        auto_sql_rows SqlRows *rows = NULL;
        go_round(tx, "flag", SQL_BOOL(value * 7), &rows);
        assert_int_equal(sql_rows_int(rows, 0), value);
        assert_true(sql_rows_real(rows, 0) == value);
    }
    auto_sql_rows SqlRows *rows = NULL;
    assert_int_equal(
        sql_query(tx, "SELECT count(*) FROM t WHERE NOT flag", SQL_NO_ARGS, &rows, &err), 0);
    assert_int_equal(sql_rows_next(rows, &err), 1);
    assert_int_equal(sql_rows_int(rows, 0), 0);
}

static void a_number_keeps_every_bit(void **state)
{
    (void)state;
    static const double numbers[] = {0.1,      1e308,     5e-324,   1.0 / 3,
                                     INFINITY, -INFINITY, 123456.0, 2e16};
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        auto_sql_rows SqlRows *rows = NULL;
        go_round(tx, "number", SQL_REAL(numbers[i]), &rows);
        double back = sql_rows_real(rows, 0);
        assert_memory_equal(&back, &numbers[i], sizeof(back));
    }
}

static void not_a_number_is_kept_or_null(void **state)
{
    (void)state;
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    for (int sign = -1; sign < 2; sign += 2) {
        auto_sql_rows SqlRows *rows = NULL;
        go_round(tx, "number", SQL_REAL(copysign(NAN, sign)), &rows);
        assert_int_equal(sql_rows_is_null(rows, 0), !is_postgres);
        assert_int_equal(isnan(sql_rows_real(rows, 0)), is_postgres);
    }
}

static void whole_numbers_of_both_sizes_come_back(void **state)
{
    (void)state;
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    static const int64_t values[] = {0, -1, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        auto_sql_rows SqlRows *rows = NULL;
        bool is_small = values[i] >= INT32_MIN && values[i] <= INT32_MAX;
        go_round(tx, is_small ? "small" : "whole", SQL_INT(values[i]), &rows);
        assert_true(sql_rows_int(rows, 0) == values[i]);
    }
    auto_sql_rows SqlRows *rows = NULL;
    go_round(tx, "single", SQL_REAL(0.5), &rows);
    assert_true(sql_rows_real(rows, 0) == 0.5);
}

static void a_fraction_read_as_a_whole_number_is_cut(void **state)
{
    (void)state;
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    auto_sql_rows SqlRows *rows = NULL;
    go_round(tx, "number", SQL_REAL(-12.75), &rows);
    assert_int_equal(sql_rows_int(rows, 0), -12);
}

static void a_list_comes_back_as_the_same_json(void **state)
{
    (void)state;
    static const char *const lists[] = {
        "[]",
        "[\"a\"]",
        "[\"\"]",
        "[\"NULL\",\"null\"]",
        "[\"a b\",\"c,d\",\"{}\",\"it's\"]",
        "[\"\\\"quoted\\\"\",\"back\\\\slash\",\"tab\\t\",\"line\\nline\"]",
        "[\"\xc3\xa9\xe2\x82\xac\xf0\x9f\xa6\x85\",\"  \"]",
    };
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        auto_sql_rows SqlRows *rows = NULL;
        go_round(tx, "list", SQL_LIST(str_of(lists[i])), &rows);
        auto_free char *text = mem_strndup(sql_rows_text(rows, 0).p, sql_rows_text(rows, 0).n);
        assert_string_equal(text, lists[i]);
    }
    auto_sql_rows SqlRows *rows = NULL;
    go_round(tx, "list", SQL_LIST(STR_NONE), &rows);
    assert_true(sql_rows_is_null(rows, 0));
}

static void what_is_no_list_of_strings_is_refused(void **state)
{
    (void)state;
    static const char *const lists[] = {
        "", "[", "{}", "[1]", "[null]", "[\"a\"] x", "[[\"a\"]]", "[\"a\\u0000b\"]", "[\"a\xff\"]"};
    if (!is_postgres)
        skip(); /* SQLite keeps the text */
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        auto_error Error err = ERROR_INIT;
        auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
        assert_int_equal(sql_exec(tx, "INSERT INTO t (id, list) VALUES (1, $1)",
                                  SQL_ARGS(SQL_LIST(str_of(lists[i]))), NULL, &err),
                         -1);
        assert_int_equal(err.kind, ERR_BAD_DATA);
    }
}

static void lists_that_others_made_are_read(void **state)
{
    (void)state;
    if (!is_postgres)
        skip();
    static const char *const pairs[][2] = {
        {"ARRAY['a', NULL]", "[\"a\",null]"},
        {"ARRAY[['a', 'b'], ['c', 'd']]", "[[\"a\",\"b\"],[\"c\",\"d\"]]"},
        {"'[5:6]={x,y}'::text[]", "[\"x\",\"y\"]"},
        {"ARRAY['v']::varchar[]", "[\"v\"]"},
    };
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = begin(SQL_READ);
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        auto_sql_rows SqlRows *rows = NULL;
        auto_free char *query = mem_printf("SELECT %s", pairs[i][0]);
        assert_int_equal(sql_query(tx, query, SQL_NO_ARGS, &rows, &err), 0);
        assert_int_equal(sql_rows_next(rows, &err), 1);
        assert_true(str_eqz(sql_rows_text(rows, 0), pairs[i][1]));
    }
}

static void text_types_give_their_text(void **state)
{
    (void)state;
    static const char *const values[][2] = {
        {"doc", "{\"a\": [1, \"\\\"q\\\" \\\\ \xc3\xa9\"]}"},
        {"uid", "01890a5d-ac96-774b-bcce-b302099a8057"},
        {"state", "it's \"over\""},
        {"content", "it's \"q\" \\ {x} \xf0\x9f\xa6\x85\r\n"},
        {"content", ""},
    };
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        auto_sql_rows SqlRows *rows = NULL;
        go_round(tx, values[i][0], SQL_TEXTZ(values[i][1]), &rows);
        assert_false(sql_rows_is_null(rows, 0));
        assert_true(str_eqz(sql_rows_text(rows, 0), values[i][1]));
    }
}

static void every_type_can_be_null(void **state)
{
    (void)state;
    static const char *const columns[] = {"at",  "flag",  "number", "list", "doc",
                                          "uid", "state", "whole",  "small"};
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        auto_sql_rows SqlRows *rows = NULL;
        go_round(tx, columns[i], SQL_NULL, &rows);
        assert_true(sql_rows_is_null(rows, 0));
        assert_null(sql_rows_text(rows, 0).p);
        assert_int_equal(sql_rows_int(rows, 0), 0);
        assert_true(sql_rows_real(rows, 0) == 0);
    }
}

static void a_statement_serves_null_and_a_value_in_any_order(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    const SqlValue some[] = {SQL_INSTANT(7), SQL_BOOL(true), SQL_LIST(STR("[\"x\"]"))};
    for (int mask = 0; mask < 16; mask++) {
        SqlValue args[] = {SQL_INT(mask), SQL_NULL, SQL_NULL, SQL_NULL};
        for (int i = 0; i < 3; i++)
            if ((mask * 5) >> i & 1)
                args[i + 1] = some[i];
        if (sql_exec(tx, "INSERT INTO t (id, at, flag, list) VALUES ($1, $2, $3, $4)", args, 4,
                     NULL, &err) < 0)
            fail_msg("%s", error_text(&err));
    }
    assert_int_equal(sql_commit(TAKE(tx), &err), 0);
    assert_int_equal(number("SELECT count(at) FROM t"), 8);
    assert_int_equal(number("SELECT count(*) FROM t WHERE flag"), 8);
    assert_int_equal(number("SELECT count(list) FROM t"), 8);
}

static void a_text_with_a_nul_byte_is_refused_or_kept(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    int result = sql_exec(tx, "INSERT INTO t (id, content) VALUES (1, $1)",
                          SQL_ARGS(SQL_TEXT(STR("a\0b"))), NULL, &err);
    assert_int_equal(result, is_postgres ? -1 : 0);
}

static void writers_that_share_do_not_wait_unless_there_is_one_writer(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    sql_set_wait_ms(sql, 50);
    auto_sql_tx SqlTx *first = begin(SQL_WRITE_SHARED);
    auto_sql_tx SqlTx *second = NULL;
    int result = sql_begin(sql, SQL_WRITE_SHARED, &second, &err);
    assert_int_equal(result, is_postgres ? 0 : -1);
    if (is_postgres) {
        auto_sql_tx SqlTx *alone = begin(SQL_WRITE); /* which waits for its like only */
        assert_int_equal(sql_exec(first, "INSERT INTO t (id) VALUES (1)", SQL_NO_ARGS, NULL, &err),
                         0);
        assert_int_equal(sql_exec(second, "INSERT INTO t (id) VALUES (2)", SQL_NO_ARGS, NULL, &err),
                         0);
        return;
    }
    assert_int_equal(err.kind, ERR_BUSY);
}

static void a_lock_keeps_others_from_its_name_only(void **state)
{
    (void)state;
    if (!is_postgres)
        skip(); /* the one writer has every lock */
    auto_error Error err = ERROR_INIT;
    sql_set_wait_ms(sql, 50);
    auto_sql_tx SqlTx *first = begin(SQL_WRITE_SHARED);
    auto_sql_tx SqlTx *second = begin(SQL_WRITE_SHARED);
    assert_int_equal(sql_lock(first, "eval:a", &err), 0);
    assert_int_equal(sql_lock(first, "eval:a", &err), 0);
    assert_int_equal(sql_lock(second, "eval:b", &err), 0);
    assert_int_equal(sql_lock(second, "eval:a", &err), -1);
    assert_int_equal(err.kind, ERR_BUSY);
    assert_non_null(strstr(error_text(&err), "eval:a"));
    error_reset(&err);
    sql_rollback(TAKE(second));
    sql_rollback(TAKE(first));
    second = begin(SQL_WRITE_SHARED);
    assert_int_equal(sql_lock(second, "eval:a", &err), 0);
}

/* Takes the lock in a thread of its own and sees what whoever had it before has written. */
static void *lock_and_look(void *context)
{
    int64_t *seen = context;
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(sql, SQL_WRITE_SHARED, &tx, &err) == 0 && sql_lock(tx, "eval:a", &err) == 0 &&
        sql_query(tx, "SELECT count(*) FROM t", SQL_NO_ARGS, &rows, &err) == 0 &&
        sql_rows_next(rows, &err) > 0)
        *seen = sql_rows_int(rows, 0);
    return NULL;
}

static void who_waited_for_a_lock_sees_what_was_written_under_it(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    SqlTx *tx = begin(SQL_WRITE_SHARED);
    assert_int_equal(sql_lock(tx, "eval:a", &err), 0);
    int64_t seen = -1;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, lock_and_look, &seen), 0);
    assert_int_equal(sql_exec(tx, "INSERT INTO t (id) VALUES (1)", SQL_NO_ARGS, NULL, &err), 0);
    assert_int_equal(sql_commit(tx, &err), 0);
    pthread_join(thread, NULL);
    assert_int_equal(seen, 1);
}

static void a_row_that_another_writer_has_is_waited_for_and_given_up(void **state)
{
    (void)state;
    if (!is_postgres)
        skip(); /* there is no other writer */
    auto_error Error err = ERROR_INIT;
    run("INSERT INTO t (id) VALUES (1)");
    sql_set_wait_ms(sql, 50);
    auto_sql_tx SqlTx *first = begin(SQL_WRITE_SHARED);
    auto_sql_tx SqlTx *second = begin(SQL_WRITE_SHARED);
    const char *change = "UPDATE t SET whole = 1 WHERE id = 1";
    assert_int_equal(sql_exec(first, change, SQL_NO_ARGS, NULL, &err), 0);
    assert_int_equal(sql_exec(second, change, SQL_NO_ARGS, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_BUSY);
}

#define T(f) cmocka_unit_test_setup_teardown(f, open_with_table, close_and_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_instant_keeps_its_microsecond_in_any_year),
        T(an_instant_far_from_now_comes_back),
        T(an_instant_is_compared_as_one),
        T(a_flag_is_one_or_zero_and_a_condition),
        T(a_number_keeps_every_bit),
        T(not_a_number_is_kept_or_null),
        T(whole_numbers_of_both_sizes_come_back),
        T(a_fraction_read_as_a_whole_number_is_cut),
        T(a_list_comes_back_as_the_same_json),
        T(what_is_no_list_of_strings_is_refused),
        T(lists_that_others_made_are_read),
        T(text_types_give_their_text),
        T(every_type_can_be_null),
        T(a_statement_serves_null_and_a_value_in_any_order),
        T(a_text_with_a_nul_byte_is_refused_or_kept),
        T(writers_that_share_do_not_wait_unless_there_is_one_writer),
        T(a_lock_keeps_others_from_its_name_only),
        T(who_waited_for_a_lock_sees_what_was_written_under_it),
        T(a_row_that_another_writer_has_is_waited_for_and_given_up),
    };
    return RUN_BOTH(tests);
}
