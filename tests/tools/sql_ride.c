/* Writes to a database whose server goes away in between: sql_ride URL.

   Batch after batch is loaded into the table ride, each in a transaction that is tried again while
   the server is lost, until standard input ends. Prints "done <batch>" when one is durable, "lost"
   when an attempt was in vain, and at the end "rows <n>", as many as it means to have written. */

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "sql/sql.h"

enum { N_CONNECTIONS = 4, N_ROWS = 20 * 1000, ATTEMPTS_MAX = 50 };

static const SqlColumn columns[] = {{"id", SQL_KIND_INT}, {"content", SQL_KIND_TEXT}};

static int make_table(Sql *sql, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(sql, SQL_WRITE, &tx, err) < 0 ||
        sql_exec(tx, "CREATE TABLE ride (id bigint PRIMARY KEY, content text)", SQL_NO_ARGS, NULL,
                 err) < 0)
        return -1;
    return sql_commit(TAKE(tx), err);
}

/* Leaves as many idle connections as there may be, all of which a restart breaks. */
static int fill_pool(Sql *sql, Error *err)
{
    SqlTx *all[N_CONNECTIONS] = {NULL};
    int result = 0;
    for (size_t i = 0; i < N_CONNECTIONS && result == 0; i++)
        result = sql_begin(sql, SQL_READ, &all[i], err);
    for (size_t i = 0; i < N_CONNECTIONS; i++)
        sql_rollback(all[i]);
    return result;
}

/* Whether an earlier attempt got through although its answer was lost. */
static int is_there(SqlTx *tx, int64_t id, bool *ret, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx, "SELECT 1 FROM ride WHERE id = $1", SQL_ARGS(SQL_INT(id)), &rows, err) < 0)
        return -1;
    int result = sql_rows_next(rows, err);
    *ret = result > 0;
    return result < 0 ? -1 : 0;
}

static int write_batch(Sql *sql, int64_t batch, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_load SqlLoad *load = NULL;
    bool was_written = false;
    if (sql_begin(sql, SQL_WRITE_SHARED, &tx, err) < 0 || sql_lock(tx, "ride", err) < 0 ||
        is_there(tx, batch * N_ROWS, &was_written, err) < 0)
        return -1;
    if (was_written)
        return 0;
    if (sql_load_open(tx, "ride", columns, ARRAY_LEN(columns), &load, err) < 0)
        return -1;
    for (int64_t i = 0; i < N_ROWS; i++) {
        const SqlValue row[] = {SQL_INT(batch * N_ROWS + i), SQL_TEXTZ("some text of a row")};
        if (sql_load_row(load, row, err) < 0)
            return -1;
    }
    if (sql_load_flush(load, err) < 0)
        return -1;
    sql_load_free(TAKE(load));
    return sql_commit(TAKE(tx), err);
}

static int write_until_done(Sql *sql, int64_t batch, Error *err)
{
    for (int attempt = 0;; attempt++) {
        if (write_batch(sql, batch, err) == 0)
            return 0;
        if (err->kind != ERR_UNREACHABLE || attempt == ATTEMPTS_MAX)
            return -1;
        printf("lost: %s\n", error_text(err));
        error_reset(err);
    }
}

static bool has_input_ended(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, 0) != 0;
}

static int ride(const char *url, Error *err)
{
    auto_sql Sql *sql = NULL;
    if (sql_open(url, N_CONNECTIONS, &sql, err) < 0 || make_table(sql, err) < 0 ||
        fill_pool(sql, err) < 0)
        return -1;
    int64_t batch = 0;
    do {
        if (write_until_done(sql, batch, err) < 0)
            return -1;
        printf("done %lld\n", (long long)batch++);
    } while (!has_input_ended());
    printf("rows %lld\n", (long long)batch * N_ROWS);
    return 0;
}

int main(int argc, char **argv)
{
    auto_error Error err = ERROR_INIT;
    if (argc != 2) {
        fprintf(stderr, "usage: sql_ride URL\n");
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (ride(argv[1], &err) < 0) {
        fprintf(stderr, "%s: %s\n", error_kind_name(err.kind), error_text(&err));
        return error_kind_exit(err.kind);
    }
    return 0;
}
