/* Loads: many rows for a table, several tables at once, in either database. */
#include "both.h"

#include <malloc.h>
#include <math.h>

static const SqlColumn columns[] = {
    {"id", SQL_KIND_INT},       {"small", SQL_KIND_INT4}, {"number", SQL_KIND_REAL},
    {"content", SQL_KIND_TEXT}, {"state", SQL_KIND_ENUM}, {"doc", SQL_KIND_JSON},
    {"uid", SQL_KIND_UUID},     {"flag", SQL_KIND_BOOL},  {"at", SQL_KIND_INSTANT},
    {"list", SQL_KIND_LIST},
};
enum { N_COLUMNS = ARRAY_LEN(columns) };
enum { ID, SMALL, NUMBER, CONTENT, STATE, DOC, UID, FLAG, AT, LIST };

/* Of the address sanitizer's allocator, when that is in use. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t allocated(void)
{
    if (__sanitizer_get_current_allocated_bytes)
        return __sanitizer_get_current_allocated_bytes();
    return mallinfo2().uordblks;
}

static void make_table(const char *name)
{
    static const char *const formats[] = {
        [SQL_SQLITE] =
            "CREATE TABLE %s (id INTEGER PRIMARY KEY, small INTEGER, number REAL, content TEXT, "
            "state TEXT CHECK (state <> 'unknown'), doc TEXT, uid TEXT, flag INTEGER, at INTEGER, "
            "list TEXT) STRICT",
        [SQL_POSTGRES] =
            "CREATE TABLE %s (id bigint PRIMARY KEY, small integer, number double precision, "
            "content text, state mood, doc jsonb, uid uuid, flag boolean, at timestamptz, "
            "list text[])",
    };
    auto_buf Buf text = BUF_INIT(1000);
    const char *format = formats[sql_dialect(sql)];
    const char *place = strstr(format, "%s");
    buf_add(&text, format, (size_t)(place - format));
    buf_addz(&text, name);
    buf_addz(&text, place + 2);
    run(text.data);
}

static int open_with_tables(void **state)
{
    if (open_empty(state) < 0)
        return -1;
    if (is_postgres)
        run("CREATE TYPE mood AS ENUM ('started', 'over')");
    make_table("t");
    make_table("u");
    make_table("v");
    return 0;
}

static SqlTx *begin(SqlMode mode)
{
    auto_error Error err = ERROR_INIT;
    SqlTx *tx = NULL;
    if (sql_begin(sql, mode, &tx, &err) < 0)
        fail_msg("%s", error_text(&err));
    return tx;
}

static SqlLoad *open_load(SqlTx *tx, const char *table)
{
    auto_error Error err = ERROR_INIT;
    SqlLoad *load = NULL;
    if (sql_load_open(tx, table, columns, N_COLUMNS, &load, &err) < 0)
        fail_msg("%s", error_text(&err));
    return load;
}

static void fill_row(SqlValue row[N_COLUMNS], int64_t id)
{
    row[ID] = SQL_INT(id);
    row[SMALL] = SQL_INT(-7);
    row[NUMBER] = SQL_REAL(0.1);
    row[CONTENT] = SQL_TEXTZ("it's \\ \"q\" \xf0\x9f\xa6\x85\n");
    row[STATE] = SQL_TEXTZ("over");
    row[DOC] = SQL_TEXTZ("{\"a\": [1, \"\xc3\xa9\"]}");
    row[UID] = SQL_TEXTZ("01890A5D-ac96-774b-bcce-b302099a8057");
    row[FLAG] = SQL_BOOL(true);
    row[AT] = SQL_INSTANT(-62135596799999999);
    row[LIST] = SQL_LIST(STR("[\"a\",\"\\\"b\\\\\"]"));
}

/* The rows of "t" with all columns, in the order of their numbers. */
static SqlRows *select_all(SqlTx *tx)
{
    auto_error Error err = ERROR_INIT;
    SqlRows *rows = NULL;
    if (sql_query(tx,
                  "SELECT id, small, number, content, state, doc, uid, flag, at, list FROM t "
                  "ORDER BY id",
                  SQL_NO_ARGS, &rows, &err) < 0)
        fail_msg("%s", error_text(&err));
    return rows;
}

static void every_kind_of_value_arrives(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    auto_sql_load SqlLoad *load = open_load(tx, "t");
    SqlValue row[N_COLUMNS];
    fill_row(row, INT64_MIN);
    assert_int_equal(sql_load_row(load, row, &err), 0);
    fill_row(row, 2);
    for (size_t i = 1; i < N_COLUMNS; i++)
        row[i] = SQL_NULL;
    row[NUMBER] = SQL_REAL(-INFINITY);
    row[LIST] = SQL_LIST(STR_NONE);
    assert_int_equal(sql_load_row(load, row, &err), 0);
    assert_int_equal(sql_load_flush(load, &err), 0);

    auto_sql_rows SqlRows *rows = select_all(tx);
    assert_int_equal(sql_rows_next(rows, &err), 1);
    fill_row(row, INT64_MIN);
    assert_true(sql_rows_int(rows, ID) == INT64_MIN);
    assert_int_equal(sql_rows_int(rows, SMALL), -7);
    assert_true(sql_rows_real(rows, NUMBER) == 0.1);
    assert_true(str_eq(sql_rows_text(rows, CONTENT), row[CONTENT].text));
    assert_true(str_eqz(sql_rows_text(rows, STATE), "over"));
    assert_true(str_eq(sql_rows_text(rows, DOC), row[DOC].text));
    assert_true(str_eq_nocase(sql_rows_text(rows, UID), row[UID].text));
    assert_int_equal(sql_rows_int(rows, FLAG), 1);
    assert_true(sql_rows_int(rows, AT) == row[AT].integer);
    assert_true(str_eq(sql_rows_text(rows, LIST), row[LIST].text));
    assert_int_equal(sql_rows_next(rows, &err), 1);
    for (int i = 1; i < (int)N_COLUMNS; i++)
        assert_int_equal(sql_rows_is_null(rows, i), i != NUMBER);
    assert_true(sql_rows_real(rows, NUMBER) == -(double)INFINITY);
}

static bool has_value(int64_t id, int column)
{
    return column == ID || (column < LIST && (id * 37 >> column & 1) == 1);
}

static void columns_have_values_in_some_rows_and_blocks_only(void **state)
{
    (void)state;
    enum { N = 100, N_BLOCK = 7 };
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    auto_sql_load SqlLoad *load = open_load(tx, "t");
    for (int64_t id = 0; id < N; id++) {
        SqlValue row[N_COLUMNS];
        fill_row(row, id);
        for (int i = 0; i < (int)N_COLUMNS; i++)
            row[i] = has_value(id, i) ? row[i] : SQL_NULL;
        assert_int_equal(sql_load_row(load, row, &err), 0);
        if (id % N_BLOCK == 0)
            assert_int_equal(sql_load_flush(load, &err), 0);
    }
    assert_int_equal(sql_load_flush(load, &err), 0);

    auto_sql_rows SqlRows *rows = select_all(tx);
    for (int64_t id = 0; id < N; id++) {
        assert_int_equal(sql_rows_next(rows, &err), 1);
        assert_true(sql_rows_int(rows, ID) == id);
        for (int i = 0; i < (int)N_COLUMNS; i++)
            assert_int_equal(sql_rows_is_null(rows, i), !has_value(id, i));
        assert_int_equal(sql_rows_int(rows, SMALL), has_value(id, SMALL) ? -7 : 0);
    }
}

static void rows_for_three_tables_are_interleaved(void **state)
{
    (void)state;
    enum { N = 3000 };
    auto_error Error err = ERROR_INIT;
    static const char *const names[] = {"t", "u", "v"};
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE_SHARED);
    SqlLoad *loads[3];
    for (size_t i = 0; i < 3; i++)
        loads[i] = open_load(tx, names[i]);
    auto_free char *text = mem_alloc(4096);
    memset(text, 'x', 4096);
    for (int64_t id = 0; id < N; id++) {
        SqlValue row[N_COLUMNS];
        fill_row(row, id);
        row[CONTENT] = SQL_TEXT(((Str){text, 4096})); /* so that each table takes several blocks */
        for (size_t i = 0; i <= (size_t)id % 3; i++)
            assert_int_equal(sql_load_row(loads[i], row, &err), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sql_load_flush(loads[i], &err), 0);
        sql_load_free(loads[i]);
    }
    assert_int_equal(sql_commit(TAKE(tx), &err), 0);
    assert_int_equal(number("SELECT count(*) FROM t"), N);
    assert_int_equal(number("SELECT count(*) FROM u"), 2 * N / 3);
    assert_int_equal(number("SELECT sum(id) FROM v"), 2 * 1000 + 3 * (999 * 1000 / 2));
}

static void other_statements_run_between_the_rows(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    run("INSERT INTO u (id) VALUES (1), (2), (3)");
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    auto_sql_rows SqlRows *rows = NULL;
    auto_sql_load SqlLoad *load = open_load(tx, "t");
    assert_int_equal(sql_query(tx, "SELECT id FROM u ORDER BY id", SQL_NO_ARGS, &rows, &err), 0);
    while (sql_rows_next(rows, &err) > 0) {
        SqlValue row[N_COLUMNS];
        fill_row(row, sql_rows_int(rows, 0));
        assert_int_equal(sql_load_row(load, row, &err), 0);
        assert_int_equal(sql_load_flush(load, &err), 0);
        assert_int_equal(sql_exec(tx, "UPDATE t SET small = 5", SQL_NO_ARGS, NULL, &err), 0);
    }
    sql_rows_free(TAKE(rows));
    sql_load_free(TAKE(load));
    assert_int_equal(sql_commit(TAKE(tx), &err), 0);
    assert_int_equal(number("SELECT sum(small) FROM t"), 15);
}

static void a_hundred_thousand_rows_take_bounded_memory(void **state)
{
    (void)state;
    enum { N = 100 * 1000, WIDTH = 200, MOST_BYTES = 16 * 1024 * 1024 };
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    auto_sql_load SqlLoad *load = open_load(tx, "t");
    auto_free char *text = mem_alloc(WIDTH);
    memset(text, 'x', WIDTH);
    size_t before = allocated();
    size_t most = 0;
    for (int64_t id = 0; id < N; id++) {
        SqlValue row[N_COLUMNS];
        fill_row(row, id);
        row[CONTENT] = SQL_TEXT(((Str){text, WIDTH}));
        assert_int_equal(sql_load_row(load, row, &err), 0);
        size_t now = id % 100 == 0 ? allocated() : 0;
        most = now > most ? now : most;
    }
    assert_int_equal(sql_load_flush(load, &err), 0);
    sql_load_free(TAKE(load));
    assert_int_equal(sql_commit(TAKE(tx), &err), 0);
    assert_true(most <= before + MOST_BYTES);
    assert_int_equal(number("SELECT count(*) FROM t"), N);
}

static void a_large_row_goes_in(void **state)
{
    (void)state;
    enum { BYTES = 40 * 1000 * 1000 };
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    auto_sql_load SqlLoad *load = open_load(tx, "t");
    auto_free char *text = mem_alloc(BYTES);
    memset(text, 'x', BYTES);
    SqlValue row[N_COLUMNS];
    fill_row(row, 1);
    row[CONTENT] = SQL_TEXT(((Str){text, BYTES}));
    assert_int_equal(sql_load_row(load, row, &err), 0);
    assert_int_equal(sql_load_flush(load, &err), 0);
    sql_load_free(TAKE(load));
    assert_int_equal(sql_commit(TAKE(tx), &err), 0);
    assert_int_equal(number("SELECT length(content) FROM t"), BYTES);
}

static void a_load_without_rows_does_nothing(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    auto_sql_load SqlLoad *load = open_load(tx, "t");
    assert_int_equal(sql_load_flush(load, &err), 0);
    sql_load_free(TAKE(load));
    assert_int_equal(sql_commit(TAKE(tx), &err), 0);
    assert_int_equal(number("SELECT count(*) FROM t"), 0);
}

typedef struct BadRow {
    int column;
    SqlValue value;
    bool is_fine_for_sqlite;
} BadRow;

static void a_bad_value_is_named_by_its_table_and_column(void **state)
{
    (void)state;
    const BadRow bad[] = {
        {CONTENT, SQL_TEXT(STR("a\0b")), false},
        {CONTENT, SQL_TEXTZ("a\xff"), true},
        {DOC, SQL_TEXTZ("{\"a\": "), false},
        {DOC, SQL_TEXTZ(""), false},
        {DOC, SQL_TEXTZ("{\"a\": NaN}"), false},
        {DOC, SQL_TEXTZ("[\"\\u0000\"]"), true},
        {UID, SQL_TEXTZ("01890a5d-ac96-774b-bcce-b302099a805"), false},
        {UID, SQL_TEXTZ("01890a5d-ac96-774b-bcce-b302099a805g"), false},
        {UID, SQL_TEXTZ("01890a5dxac96-774b-bcce-b302099a8057"), false},
        {UID, SQL_TEXTZ(""), false},
        {SMALL, SQL_INT(INT64_C(2147483648)), false},
        {STATE, SQL_TEXTZ("unknown"), false},
        {LIST, SQL_LIST(STR("[1]")), false},
        {LIST, SQL_LIST(STR("{")), false},
        {AT, SQL_INSTANT(INT64_MIN + 1), true},
        {FLAG, SQL_TEXTZ("true"), false},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (bad[i].is_fine_for_sqlite && !is_postgres)
            continue;
        auto_error Error err = ERROR_INIT;
        auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
        auto_sql_load SqlLoad *load = open_load(tx, "t");
        SqlValue row[N_COLUMNS];
        fill_row(row, 1);
        assert_int_equal(sql_load_row(load, row, &err), 0);
        fill_row(row, 2);
        row[bad[i].column] = bad[i].value;
        int result = sql_load_row(load, row, &err);
        result = result == 0 ? sql_load_flush(load, &err) : result;
        auto_free char *name = mem_printf("t.%s", columns[bad[i].column].name);
        if (result == 0 || (bad[i].column != STATE && !strstr(error_text(&err), name)))
            fail_msg("%zu: %d %s", i, result, error_text(&err));
        error_reset(&err);
        sql_load_free(TAKE(load));
        sql_rollback(TAKE(tx));
        assert_int_equal(number("SELECT count(*) FROM t"), 0); /* the connection still works */
    }
}

static void a_load_that_fails_leaves_nothing(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    run("INSERT INTO t (id) VALUES (7)");
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    auto_sql_load SqlLoad *first = open_load(tx, "u");
    auto_sql_load SqlLoad *second = open_load(tx, "t");
    SqlValue row[N_COLUMNS];
    int result = 0;
    for (int64_t id = 0; id < 10 && result == 0; id++) {
        fill_row(row, id);
        assert_int_equal(sql_load_row(first, row, &err), 0);
        assert_int_equal(sql_load_flush(first, &err), 0);
        result = sql_load_row(second, row, &err);
    }
    result = result == 0 ? sql_load_flush(second, &err) : result;
    assert_int_equal(result, -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_string_equal(err.code, "sql.unique");
    error_reset(&err);
    assert_int_equal(sql_load_row(first, row, &err), -1); /* nothing more can be done */
    error_reset(&err);
    sql_load_free(TAKE(first));
    sql_load_free(TAKE(second));
    assert_int_equal(sql_commit(TAKE(tx), &err), -1);
    assert_int_equal(number("SELECT count(*) FROM u"), 0);
    assert_int_equal(number("SELECT count(*) FROM t"), 1);
}

static void what_was_not_flushed_is_dropped(void **state)
{
    (void)state;
    if (!is_postgres)
        skip(); /* each row goes in at once */
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    auto_sql_load SqlLoad *load = open_load(tx, "t");
    SqlValue row[N_COLUMNS];
    fill_row(row, 1);
    assert_int_equal(sql_load_row(load, row, &err), 0);
    sql_load_free(TAKE(load));
    assert_int_equal(sql_commit(TAKE(tx), &err), 0);
    assert_int_equal(number("SELECT count(*) FROM t"), 0);
}

static void a_load_into_no_table_says_so(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    auto_sql_load SqlLoad *load = NULL;
    SqlValue row[N_COLUMNS];
    fill_row(row, 1);
    int result = sql_load_open(tx, "nothing", columns, N_COLUMNS, &load, &err);
    if (result == 0)
        result = sql_load_row(load, row, &err);
    if (result == 0)
        result = sql_load_flush(load, &err);
    assert_int_equal(result, -1);
    assert_non_null(strstr(error_text(&err), "cannot load nothing"));
}

static void names_that_are_words_of_sql_can_be_loaded(void **state)
{
    (void)state;
    static const SqlColumn odd[] = {{"limit", SQL_KIND_INT}, {"Select", SQL_KIND_TEXT}};
    auto_error Error err = ERROR_INIT;
    run("CREATE TABLE odd (\"limit\" integer, \"Select\" text)");
    auto_sql_tx SqlTx *tx = begin(SQL_WRITE);
    auto_sql_load SqlLoad *load = NULL;
    assert_int_equal(sql_load_open(tx, "odd", odd, ARRAY_LEN(odd), &load, &err), 0);
    const SqlValue row[] = {is_postgres ? SQL_NULL : SQL_INT(1), SQL_TEXTZ("x")};
    assert_int_equal(sql_load_row(load, row, &err), 0);
    assert_int_equal(sql_load_flush(load, &err), 0);
}

static void a_load_needs_a_transaction_that_writes(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = begin(SQL_READ);
    auto_sql_load SqlLoad *load = NULL;
    SqlValue row[N_COLUMNS];
    fill_row(row, 1);
    int result = sql_load_open(tx, "t", columns, N_COLUMNS, &load, &err);
    if (result == 0)
        result = sql_load_row(load, row, &err);
    if (result == 0)
        result = sql_load_flush(load, &err);
    assert_int_equal(result, -1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, open_with_tables, close_and_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_kind_of_value_arrives),
        T(columns_have_values_in_some_rows_and_blocks_only),
        T(rows_for_three_tables_are_interleaved),
        T(other_statements_run_between_the_rows),
        T(a_hundred_thousand_rows_take_bounded_memory),
        T(a_large_row_goes_in),
        T(a_load_without_rows_does_nothing),
        T(a_bad_value_is_named_by_its_table_and_column),
        T(a_load_that_fails_leaves_nothing),
        T(what_was_not_flushed_is_dropped),
        T(a_load_into_no_table_says_so),
        T(names_that_are_words_of_sql_can_be_loaded),
        T(a_load_needs_a_transaction_that_writes),
    };
    return RUN_BOTH(tests);
}
