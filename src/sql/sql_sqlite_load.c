/* Loads into SQLite: a prepared INSERT, row by row. One of many rows at a time takes a fifth less
   processor time for rows of 100 bytes, but the values would have to be copied until there are as
   many, which costs more for the large rows that logs are made of. */

#include <stdlib.h>

#include "base/mem.h"
#include "codec/json_scan.h"
#include "sql/sql_sqlite_priv.h"

struct SqliteLoad {
    SqlLoad base;
    SqliteConn *conn;
    SqliteStatement *statement; /* NULL before it has started */
};

SqlLoad *sqlite_load_new(SqlConn *conn)
{
    SqliteLoad *load = mem_alloc(sizeof(*load));
    load->conn = (SqliteConn *)conn;
    return &load->base;
}

int sqlite_load_start(SqlLoad *base, Error *err)
{
    enum { INSERT_MAX = 64 * 1024 };
    SqliteLoad *load = (SqliteLoad *)base;
    if (load->conn->mode == SQL_READ)
        return error_set(err, ERR_INTERNAL, "a load in a transaction that reads");
    auto_buf Buf text = BUF_INIT(INSERT_MAX);
    buf_printf(&text, "INSERT INTO %s (", base->table);
    sql_load_add_names(base, &text);
    buf_addz(&text, ") VALUES (");
    for (size_t i = 0; i < base->n_columns; i++)
        buf_addz(&text, i > 0 ? ", ?" : "?");
    buf_addc(&text, ')');
    if (buf_check(&text, "the list of columns", err) < 0)
        return -1;
    if (sqlite_conn_make_room(load->conn, err) < 0)
        return -1;
    return sqlite_statement_take(load->conn, text.data, &load->statement, err);
}

/* SQLite would keep any text; PostgreSQL refuses one that is no JSON. */
static int check_json(const SqlLoad *load, SqlKind kind, const SqlValue *value, Error *err)
{
    if ((kind != SQL_KIND_JSON && kind != SQL_KIND_LIST) || !value->text.p)
        return 0;
    if (kind == SQL_KIND_JSON)
        return load->is_json_valid ? 0 : json_scan_valid(value->text, false, err);
    JsonScan scan;
    json_scan_init(&scan, value->text, false);
    (void)json_scan_array(&scan);
    while (json_scan_item(&scan))
        if (json_scan_kind(&scan) != JSON_SCAN_STRING)
            return error_set(err, ERR_BAD_DATA, "a list is no JSON array of strings");
    return json_scan_end(&scan, err);
}

int sqlite_load_row(SqlLoad *base, const SqlValue *values, Error *err)
{
    SqliteLoad *load = (SqliteLoad *)base;
    sqlite3_stmt *stmt = load->statement->stmt;
    (void)sqlite3_clear_bindings(stmt);
    for (size_t i = 0; i < base->n_columns; i++) {
        if (sql_value_is_null(&values[i]))
            continue; /* as most values of an event are */
        if (check_json(base, base->columns[i].kind, &values[i], err) < 0)
            return sql_load_wrap(base, i, err);
        if (sqlite_statement_bind(load->statement, (int)i + 1, &values[i], true) != SQLITE_OK) {
            (void)sqlite_conn_fail(load->conn, err);
            return sql_load_wrap(base, i, err);
        }
    }
    sqlite_conn_start_clock(load->conn);
    int result = 0;
    if (sqlite3_step(stmt) != SQLITE_DONE) {
        (void)sqlite_conn_fail(load->conn, err);
        result = error_wrap(err, "cannot load %s", base->table);
    }
    (void)sqlite3_reset(stmt);
    return result;
}

int sqlite_load_flush(SqlLoad *base, Error *err)
{
    (void)base;
    (void)err;
    return 0; /* each row has gone in */
}

void sqlite_load_free(SqlLoad *base)
{
    SqliteLoad *load = (SqliteLoad *)base;
    if (load->statement)
        sqlite_statement_put(load->statement);
    free(load);
}
