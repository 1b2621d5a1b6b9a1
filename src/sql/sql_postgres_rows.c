/* Statements and rows of the PostgreSQL driver.

   Rows come one by one, or all at once when few are expected, since each result tells of all
   columns anew. When another statement is run before they are all read, the rest of them is
   kept in memory first, since a connection does one thing at a time. */

#include <stdlib.h>

#include "base/mem.h"
#include "sql/sql_postgres_priv.h"
#include "sql/sql_postgres_text_priv.h"

struct PgRows {
    SqlRows base;
    PgConn *conn;
    PGresult **kept; /* results that came in but were not read; each has one row, or all of them */
    size_t n_kept;
    size_t next_kept;
    size_t cap;
    PGresult *current; /* NULL before the first row */
    int row;           /* of it */
    Oid *types;        /* of the columns, from the first row on */
    Buf *decoded;      /* columns of the current row whose text is another than the server's */
    size_t n_columns;
};

static bool is_ok(const PGresult *result)
{
    ExecStatusType status = pg_lib.PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

static void keep(PgRows *rows, PGresult *take_result)
{
    if (rows->n_kept == rows->cap) {
        rows->cap = rows->cap ? rows->cap * 2 : 16;
        rows->kept = mem_resize(rows->kept, rows->cap, sizeof(PGresult *));
    }
    rows->kept[rows->n_kept++] = take_result;
}

void pg_conn_settle_rows(PgConn *conn)
{
    PgRows *rows = conn->streaming;
    if (!rows)
        return;
    for (PGresult *result = pg_lib.PQgetResult(conn->db); result;
         result = pg_lib.PQgetResult(conn->db))
        keep(rows, result);
    conn->streaming = NULL;
}

void pg_conn_settle_load(PgConn *conn, const PgLoad *load)
{
    if (!conn->sending || conn->sending != load)
        return;
    auto_error Error err = ERROR_INIT;
    if (pg_load_finish(conn->sending, &err) < 0 && conn->deferred.kind == ERR_NONE)
        (void)error_move(&conn->deferred, &err);
}

void pg_conn_settle_all(PgConn *conn)
{
    pg_conn_settle_rows(conn);
    pg_conn_settle_load(conn, conn->sending);
    error_reset(&conn->deferred);
}

int pg_conn_settle(PgConn *conn, Error *err)
{
    pg_conn_settle_rows(conn);
    pg_conn_settle_load(conn, conn->sending);
    return conn->deferred.kind == ERR_NONE ? 0 : error_move(err, &conn->deferred);
}

static void forget(PgPrepared *prepared)
{
    free(prepared->text);
    free(prepared->types);
    *prepared = (PgPrepared){0};
}

void pg_conn_forget_all(PgConn *conn)
{
    for (size_t i = 0; i < PG_N_PREPARED; i++)
        forget(&conn->prepared[i]);
}

/* Whether the values can be sent as the statement was prepared: those that say their type must have
   said so then. */
static bool fits(const PgPrepared *prepared, const PgArgs *args)
{
    if (prepared->n_types != args->n)
        return false;
    for (size_t i = 0; i < args->n; i++)
        if (args->types[i] != 0 && args->types[i] != prepared->types[i])
            return false;
    return true;
}

/* The types to prepare with: those of the values and, where they say none (NULL), those of before,
   so that a statement is prepared few times however its NULLs vary. */
static Oid *types_for(const PgPrepared *before, const PgArgs *args)
{
    Oid *types = mem_array(args->n ? args->n : 1, sizeof(*types));
    for (size_t i = 0; i < args->n; i++) {
        types[i] = args->types[i];
        if (types[i] == 0 && before && i < before->n_types && !args->values[i])
            types[i] = before->types[i];
    }
    return types;
}

static void make_room(PgConn *conn, PgPrepared *prepared)
{
    if (!prepared->text)
        return;
    auto_free char *text = mem_printf("DEALLOCATE %s", prepared->name);
    pg_lib.PQclear(pg_lib.PQexec(conn->db, text));
    forget(prepared);
}

/* Finds or prepares the statement; the one unused for longest makes room. */
static int prepare(PgConn *conn, const char *text, const PgArgs *args, PgPrepared **ret, Error *err)
{
    PgPrepared *place = &conn->prepared[0];
    const PgPrepared *before = NULL;
    for (size_t i = 0; i < PG_N_PREPARED; i++) {
        PgPrepared *prepared = &conn->prepared[i];
        if (prepared->text && prepared->is_reader == conn->is_reader &&
            strcmp(prepared->text, text) == 0) {
            if (fits(prepared, args)) {
                prepared->last_used = ++conn->clock;
                *ret = prepared;
                return 0;
            }
            before = prepared;
        }
        if (prepared->last_used < place->last_used)
            place = prepared;
    }
    Oid *types = types_for(before, args);
    make_room(conn, place);
    char name[PG_NAME_MAX_BYTES];
    (void)snprintf(name, sizeof(name), "hawk_%llu", (unsigned long long)++conn->clock);
    PGresult *result = pg_lib.PQprepare(conn->db, name, text, (int)args->n, types);
    if (!is_ok(result)) {
        free(types);
        (void)pg_conn_fail(conn, result, err);
        pg_lib.PQclear(result);
        return -1;
    }
    pg_lib.PQclear(result);
    place->text = mem_strdup(text);
    place->types = types;
    place->n_types = args->n;
    place->is_reader = conn->is_reader;
    memcpy(place->name, name, sizeof(name));
    place->last_used = conn->clock;
    *ret = place;
    return 0;
}

int pg_conn_exec(SqlConn *base, const char *text, const SqlValue *args, size_t n_args,
                 int64_t *ret_changed, Error *err)
{
    PgConn *conn = (PgConn *)base;
    HAWK_CLEANUP(pg_args_release) PgArgs bound = {0};
    PgPrepared *prepared = NULL;
    if (pg_conn_settle(conn, err) < 0 || pg_args_init(&bound, args, n_args, err) < 0 ||
        prepare(conn, text, &bound, &prepared, err) < 0)
        return -1;
    PGresult *result = pg_lib.PQexecPrepared(conn->db, prepared->name, (int)n_args, bound.values,
                                             bound.lengths, bound.formats, 0);
    int status = 0;
    *ret_changed = 0;
    if (!is_ok(result))
        status = pg_conn_fail(conn, result, err);
    else if (str_to_i64(str_of(pg_lib.PQcmdTuples(result)), 0, INT64_MAX, ret_changed) < 0)
        *ret_changed = 0; /* what changes no rows says nothing */
    pg_lib.PQclear(result);
    return status;
}

void pg_rows_free(SqlRows *base)
{
    PgRows *rows = (PgRows *)base;
    pg_conn_settle_rows(rows->conn);
    for (size_t i = 0; i < rows->n_columns; i++)
        buf_release(&rows->decoded[i]);
    free(rows->decoded);
    free(rows->types);
    pg_lib.PQclear(rows->current);
    for (size_t i = rows->next_kept; i < rows->n_kept; i++)
        pg_lib.PQclear(rows->kept[i]);
    free(rows->kept);
    free(rows);
}

static int send_query(SqlConn *base, const char *text, const SqlValue *args, size_t n_args,
                      bool at_once, SqlRows **ret, Error *err)
{
    PgConn *conn = (PgConn *)base;
    HAWK_CLEANUP(pg_args_release) PgArgs bound = {0};
    PgPrepared *prepared = NULL;
    if (pg_conn_settle(conn, err) < 0 || pg_args_init(&bound, args, n_args, err) < 0 ||
        prepare(conn, text, &bound, &prepared, err) < 0)
        return -1;
    if (!pg_lib.PQsendQueryPrepared(conn->db, prepared->name, (int)n_args, bound.values,
                                    bound.lengths, bound.formats, 0))
        return pg_conn_fail(conn, NULL, err);
    if (!at_once)
        (void)pg_lib.PQsetSingleRowMode(conn->db); /* failing, all come at once, which is right */
    PgRows *rows = mem_alloc(sizeof(*rows));
    rows->conn = conn;
    conn->streaming = rows;
    PGresult *first = pg_lib.PQgetResult(conn->db); /* tells the columns, or what is wrong */
    ExecStatusType status = first ? pg_lib.PQresultStatus(first) : PGRES_FATAL_ERROR;
    if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK) {
        (void)pg_conn_fail(conn, first, err);
        pg_lib.PQclear(first);
        pg_rows_free(&rows->base);
        return -1;
    }
    keep(rows, first);
    *ret = &rows->base;
    return 0;
}

int pg_conn_query(SqlConn *base, const char *text, const SqlValue *args, size_t n_args,
                  SqlRows **ret, Error *err)
{
    return send_query(base, text, args, n_args, false, ret, err);
}

int pg_conn_query_few(SqlConn *base, const char *text, const SqlValue *args, size_t n_args,
                      SqlRows **ret, Error *err)
{
    return send_query(base, text, args, n_args, true, ret, err);
}

/* The next result that came in; NULL when there are no more. */
static PGresult *next_result(PgRows *rows)
{
    if (rows->next_kept < rows->n_kept)
        return rows->kept[rows->next_kept++];
    if (rows->conn->streaming != rows)
        return NULL;
    PGresult *result = pg_lib.PQgetResult(rows->conn->db);
    if (!result)
        rows->conn->streaming = NULL;
    return result;
}

static void learn_columns(PgRows *rows, const PGresult *result)
{
    rows->n_columns = (size_t)pg_lib.PQnfields(result);
    size_t room = rows->n_columns ? rows->n_columns : 1;
    rows->types = mem_array(room, sizeof(*rows->types));
    rows->decoded = mem_array(room, sizeof(*rows->decoded));
    for (size_t i = 0; i < rows->n_columns; i++) {
        rows->types[i] = pg_lib.PQftype(result, (int)i);
        rows->decoded[i] = BUF_INIT(PG_VALUES_MAX);
    }
}

static Str raw_text(const PgRows *rows, int column)
{
    return (Str){pg_lib.PQgetvalue(rows->current, rows->row, column),
                 (size_t)pg_lib.PQgetlength(rows->current, rows->row, column)};
}

/* What cannot be read stays as the server wrote it. */
static void decode(PgRows *rows, int column)
{
    Buf *decoded = &rows->decoded[column];
    buf_reset(decoded);
    int result = 0;
    if (rows->types[column] == PG_BYTEA)
        result = sql_postgres_text_bytes(raw_text(rows, column), decoded);
    else
        result = sql_postgres_text_list(raw_text(rows, column), decoded);
    if (result < 0 || decoded->overflowed) {
        buf_reset(decoded);
        buf_add_str(decoded, raw_text(rows, column));
    }
}

static bool is_decoded(const PgRows *rows, int column)
{
    Oid type = rows->types[column];
    return type == PG_BYTEA || type == PG_TEXT_LIST || type == PG_VARCHAR_LIST;
}

static void set_row(PgRows *rows, int row)
{
    rows->row = row;
    for (int i = 0; i < (int)rows->n_columns; i++)
        if (is_decoded(rows, i) && !pg_lib.PQgetisnull(rows->current, row, i))
            decode(rows, i);
}

static void set_result(PgRows *rows, PGresult *take_result)
{
    if (!rows->types)
        learn_columns(rows, take_result);
    pg_lib.PQclear(rows->current);
    rows->current = take_result;
    set_row(rows, 0);
}

int pg_rows_next(SqlRows *base, Error *err)
{
    PgRows *rows = (PgRows *)base;
    if (rows->current && rows->row + 1 < pg_lib.PQntuples(rows->current)) {
        set_row(rows, rows->row + 1);
        return 1;
    }
    for (PGresult *result = next_result(rows); result; result = next_result(rows)) {
        ExecStatusType status = pg_lib.PQresultStatus(result);
        if (pg_lib.PQntuples(result) > 0) {
            set_result(rows, result);
            return 1;
        }
        bool is_end = status == PGRES_TUPLES_OK;
        if (!is_end)
            (void)pg_conn_fail(rows->conn, result, err);
        if (!rows->current)
            rows->current = result; /* its columns may still be asked for */
        else
            pg_lib.PQclear(result);
        if (!is_end)
            return -1;
    }
    return 0;
}

/* Any result tells the columns, also before the first row. */
static const PGresult *columns_of(const SqlRows *base)
{
    const PgRows *rows = (const PgRows *)base;
    return rows->current ? rows->current : rows->kept[rows->next_kept];
}

bool pg_rows_is_null(const SqlRows *base, int column)
{
    const PgRows *rows = (const PgRows *)base;
    return pg_lib.PQgetisnull(rows->current, rows->row, column);
}

Str pg_rows_text(const SqlRows *base, int column)
{
    const PgRows *rows = (const PgRows *)base;
    if (pg_lib.PQgetisnull(rows->current, rows->row, column))
        return STR_NONE;
    return is_decoded(rows, column) ? buf_str(&rows->decoded[column]) : raw_text(rows, column);
}

static int64_t whole_of(double value)
{
    if (value >= -9223372036854775808.0 && value < 9223372036854775808.0)
        return (int64_t)value;
    return value > 0 ? INT64_MAX : value < 0 ? INT64_MIN : 0;
}

int64_t pg_rows_int(const SqlRows *base, int column)
{
    const PgRows *rows = (const PgRows *)base;
    Str text = pg_rows_text(base, column);
    int64_t value = 0;
    if (!text.p)
        return 0;
    switch (rows->types[column]) {
    case PG_BOOL: return str_eqz(text, "t");
    case PG_DATE:
    case PG_TIMESTAMP:
    case PG_TIMESTAMPTZ: return sql_postgres_text_instant(text, &value) < 0 ? 0 : value;
    default: break;
    }
    if (str_to_i64(text, INT64_MIN, INT64_MAX, &value) == 0)
        return value;
    return whole_of(strtod(text.p, NULL)); /* as SQLite does; libpq ends every value with a NUL */
}

SqlType pg_rows_type(const SqlRows *base, int column)
{
    const PgRows *rows = (const PgRows *)base;
    if (pg_lib.PQgetisnull(rows->current, rows->row, column))
        return SQL_TYPE_NULL;
    switch (rows->types[column]) {
    case PG_INT2:
    case PG_INT4:
    case PG_INT8:
    case PG_OID: return SQL_TYPE_INT;
    case PG_FLOAT4:
    case PG_FLOAT8:
    case PG_NUMERIC: return SQL_TYPE_REAL;
    case PG_BOOL: return SQL_TYPE_BOOL;
    case PG_TIMESTAMP:
    case PG_TIMESTAMPTZ: return SQL_TYPE_INSTANT;
    case PG_BYTEA: return SQL_TYPE_BLOB;
    case PG_TEXT_LIST:
    case PG_VARCHAR_LIST: return SQL_TYPE_LIST;
    case PG_JSON:
    case PG_JSONB: return SQL_TYPE_JSON;
    default: return SQL_TYPE_TEXT;
    }
}

double pg_rows_real(const SqlRows *base, int column)
{
    const PgRows *rows = (const PgRows *)base;
    Str text = pg_rows_text(base, column);
    if (!text.p)
        return 0;
    switch (rows->types[column]) {
    case PG_BOOL:
    case PG_DATE:
    case PG_TIMESTAMP:
    case PG_TIMESTAMPTZ: return (double)pg_rows_int(base, column);
    default: return strtod(text.p, NULL);
    }
}

Str pg_rows_real_text(const SqlRows *base, int column)
{
    const PgRows *rows = (const PgRows *)base;
    if (rows->types[column] != PG_FLOAT8)
        return STR_NONE;
    return pg_rows_text(base, column);
}

int pg_rows_n_columns(const SqlRows *base)
{
    return pg_lib.PQnfields(columns_of(base));
}

const char *pg_rows_name(const SqlRows *base, int column)
{
    return pg_lib.PQfname(columns_of(base), column);
}

int pg_conn_script(SqlConn *base, const char *text, Error *err)
{
    PgConn *conn = (PgConn *)base;
    if (pg_conn_settle(conn, err) < 0)
        return -1;
    PGresult *result = pg_lib.PQexec(conn->db, text);
    int status = is_ok(result) ? 0 : pg_conn_fail(conn, result, err);
    pg_lib.PQclear(result);
    return status;
}
