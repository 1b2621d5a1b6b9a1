/* How fast rows are loaded: bench_sql load URL ROWS BYTES, or bench_sql plain FILE ROWS BYTES for
   SQLite's own interface without anything of ours between. Rows are those of a message, with a JSON
   text of so many bytes; the table bench is made anew. Prints the seconds until they are durable.
 */

#include <sqlite3.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "sql/sql.h"

static const SqlColumn columns[] = {
    {"pk", SQL_KIND_UUID},       {"created_at", SQL_KIND_INSTANT}, {"sample_pk", SQL_KIND_UUID},
    {"position", SQL_KIND_INT4}, {"is_final", SQL_KIND_BOOL},      {"score", SQL_KIND_REAL},
    {"role", SQL_KIND_TEXT},     {"data", SQL_KIND_JSON},          {"tags", SQL_KIND_LIST},
};
enum { N_COLUMNS = ARRAY_LEN(columns), UUID_BYTES = 37 };

static const char *const tables[] = {
    [SQL_SQLITE] = "CREATE TABLE bench (pk TEXT PRIMARY KEY, created_at INTEGER, sample_pk TEXT, "
                   "position INTEGER, is_final INTEGER, score REAL, role TEXT, data TEXT, tags "
                   "TEXT) STRICT",
    [SQL_POSTGRES] = "CREATE TABLE bench (pk uuid PRIMARY KEY, created_at timestamptz, sample_pk "
                     "uuid, position integer, is_final boolean, score double precision, role text, "
                     "data jsonb, tags text[])",
};

/* A JSON object of about n bytes that does not compress to nothing. The caller frees. */
static char *make_document(size_t n)
{
    auto_buf Buf buf = BUF_INIT(1 << 30);
    buf_addz(&buf, "{\"role\": \"assistant\", \"content\": \"");
    for (uint32_t state = 1; buf.len + 3 < n;) {
        state = state * 1664525 + 1013904223;
        buf_addc(&buf, "abcdefghijklmnopqrstuvwxyz .,"[(state >> 16) % 29]);
    }
    buf_addz(&buf, "\"}");
    return buf_take(&buf);
}

static void fill_row(SqlValue row[N_COLUMNS], int64_t i, const char *document, char pk[UUID_BYTES])
{
    (void)snprintf(pk, UUID_BYTES, "01890a5d-ac96-774b-bcce-%012llx",
                   (unsigned long long)i & 0xffffffffffff);
    row[0] = SQL_TEXTZ(pk);
    row[1] = SQL_INSTANT(1700000000000000 + i);
    row[2] = SQL_TEXTZ("01890a5d-ac96-774b-bcce-b302099a8057");
    row[3] = SQL_INT(i);
    row[4] = SQL_BOOL(i % 2);
    row[5] = SQL_REAL((double)i / 7);
    row[6] = SQL_TEXTZ("assistant");
    row[7] = SQL_TEXTZ(document);
    row[8] = SQL_LIST(STR("[\"one\",\"two\"]"));
}

static int make_table(Sql *sql, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(sql, SQL_WRITE, &tx, err) < 0 ||
        sql_exec(tx, "DROP TABLE IF EXISTS bench", SQL_NO_ARGS, NULL, err) < 0 ||
        sql_exec(tx, tables[sql_dialect(sql)], SQL_NO_ARGS, NULL, err) < 0)
        return -1;
    return sql_commit(TAKE(tx), err);
}

static int load(const char *url, int64_t n, const char *document, Error *err)
{
    auto_sql Sql *sql = NULL;
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_load SqlLoad *load = NULL;
    if (sql_open(url, 1, &sql, err) < 0 || make_table(sql, err) < 0)
        return -1;
    int64_t begun = clock_now_us();
    if (sql_begin(sql, SQL_WRITE, &tx, err) < 0 ||
        sql_load_open(tx, "bench", columns, N_COLUMNS, &load, err) < 0)
        return -1;
    for (int64_t i = 0; i < n; i++) {
        SqlValue row[N_COLUMNS];
        char pk[UUID_BYTES];
        fill_row(row, i, document, pk);
        if (sql_load_row(load, row, err) < 0)
            return -1;
    }
    if (sql_load_flush(load, err) < 0)
        return -1;
    sql_load_free(TAKE(load));
    if (sql_commit(TAKE(tx), err) < 0)
        return -1;
    printf("%.6f\n", (double)(clock_now_us() - begun) / 1e6);
    return 0;
}

static void bind_row(sqlite3_stmt *stmt, const SqlValue row[N_COLUMNS])
{
    for (int i = 0; i < (int)N_COLUMNS; i++) {
        if (row[i].type == SQL_TYPE_REAL)
            (void)sqlite3_bind_double(stmt, i + 1, row[i].real);
        else if (row[i].text.p)
            (void)sqlite3_bind_text(stmt, i + 1, row[i].text.p, (int)row[i].text.n, SQLITE_STATIC);
        else
            (void)sqlite3_bind_int64(stmt, i + 1, row[i].integer);
    }
}

/* The same work by SQLite alone; false on any failure. */
static bool insert_plainly(sqlite3 *db, int64_t n, const char *document)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_exec(db,
                     "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size "
                     "= -4096; DROP TABLE IF EXISTS bench",
                     NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db, tables[SQL_SQLITE], NULL, NULL, NULL) != SQLITE_OK)
        return false;
    int64_t begun = clock_now_us();
    if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "INSERT INTO bench VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", -1, &stmt,
                           NULL) != SQLITE_OK)
        return false;
    bool is_fine = true;
    for (int64_t i = 0; i < n && is_fine; i++) {
        SqlValue row[N_COLUMNS];
        char pk[UUID_BYTES];
        fill_row(row, i, document, pk);
        bind_row(stmt, row);
        is_fine = sqlite3_step(stmt) == SQLITE_DONE && sqlite3_reset(stmt) == SQLITE_OK;
    }
    sqlite3_finalize(stmt);
    is_fine = is_fine && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
    printf("%.6f\n", (double)(clock_now_us() - begun) / 1e6);
    return is_fine;
}

static int load_plainly(const char *path, int64_t n, const char *document, Error *err)
{
    sqlite3 *db = NULL;
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* as hawk does */
    bool is_fine = sqlite3_open(path, &db) == SQLITE_OK && insert_plainly(db, n, document);
    if (!is_fine)
        (void)error_set(err, ERR_FAILED, "%s: %s", path, sqlite3_errmsg(db));
    sqlite3_close(db);
    return is_fine ? 0 : -1;
}

int main(int argc, char **argv)
{
    auto_error Error err = ERROR_INIT;
    int64_t n = 0;
    int64_t bytes = 0;
    if (argc != 5 || str_to_i64(str_of(argv[3]), 1, INT32_MAX, &n) < 0 ||
        str_to_i64(str_of(argv[4]), 1, 1 << 28, &bytes) < 0) {
        fprintf(stderr, "usage: bench_sql load URL ROWS BYTES | plain FILE ROWS BYTES\n");
        return 2;
    }
    auto_free char *document = make_document((size_t)bytes);
    int result = strcmp(argv[1], "plain") == 0 ? load_plainly(argv[2], n, document, &err)
                                               : load(argv[2], n, document, &err);
    if (result < 0)
        fprintf(stderr, "%s\n", error_text(&err));
    return result < 0;
}
