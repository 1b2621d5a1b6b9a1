/* The PostgreSQL driver. libpq is loaded when the first connection is made, because most runs of
   the program need none and it brings a dozen libraries along.

   Values travel as text, whose types PostgreSQL infers from the statement. Rows come one by one;
   when another statement is run before they are all read, the rest of them is kept in memory first,
   since a connection does one thing at a time. Write transactions queue up behind an advisory lock,
   so that code which reads and then writes is as right here as in SQLite. */

#include <dlfcn.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "sql/sql_priv.h"

enum {
    N_PREPARED = 64,
    NAME_MAX_BYTES = 32,
    BYTEA_OID = 17,
    LOCK_KEY = 0x6861776b, /* of the advisory lock of writers */
};

/* The functions of libpq in use: one row each makes both the pointer and its name. */
#define LIBPQ_FUNCTIONS(X)                                                                         \
    X(PQconnectdbParams)                                                                           \
    X(PQstatus)                                                                                    \
    X(PQfinish)                                                                                    \
    X(PQsetNoticeProcessor)                                                                        \
    X(PQerrorMessage)                                                                              \
    X(PQexec)                                                                                      \
    X(PQprepare)                                                                                   \
    X(PQexecPrepared)                                                                              \
    X(PQsendQueryPrepared)                                                                         \
    X(PQsetSingleRowMode)                                                                          \
    X(PQgetResult)                                                                                 \
    X(PQresultStatus)                                                                              \
    X(PQresultErrorField)                                                                          \
    X(PQclear)                                                                                     \
    X(PQcmdTuples)                                                                                 \
    X(PQtransactionStatus)                                                                         \
    X(PQnfields)                                                                                   \
    X(PQfname)                                                                                     \
    X(PQftype)                                                                                     \
    X(PQgetisnull)                                                                                 \
    X(PQgetvalue)                                                                                  \
    X(PQgetlength)                                                                                 \
    X(PQunescapeBytea)                                                                             \
    X(PQfreemem)

typedef struct Libpq {
#define X(name) __typeof__(name) *name;
    LIBPQ_FUNCTIONS(X)
#undef X
    bool is_loaded;
} Libpq;

/* Filled once, before the first connection. */
static Libpq pq;

static void load_libpq(void)
{
    void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return;
    bool has_all = true;
#define X(name)                                                                                    \
    *(void **)(void *)&pq.name = dlsym(library, #name);                                            \
    has_all = has_all && pq.name;
    LIBPQ_FUNCTIONS(X)
#undef X
    pq.is_loaded = has_all;
}

typedef struct Prepared {
    char *text; /* NULL: free */
    char name[NAME_MAX_BYTES];
    uint64_t last_used;
} Prepared;

typedef struct PgRows PgRows;

typedef struct PgConn {
    SqlConn base;
    PGconn *db;
    Prepared prepared[N_PREPARED];
    uint64_t clock;
    PgRows *streaming; /* whose rows are still on their way, or NULL */
} PgConn;

struct PgRows {
    SqlRows base;
    PgConn *conn;
    PGresult **kept; /* results that came in but were not read; all but the last have one row */
    size_t n_kept;
    size_t next_kept;
    size_t cap;
    PGresult *current; /* NULL before the first row */
    char **decoded;    /* bytea columns of the current row */
    size_t *decoded_n;
};

typedef struct StateRow {
    const char *prefix; /* of the SQLSTATE; the first that fits counts */
    ErrorKind kind;
    const char *code; /* or NULL */
    const char *what;
} StateRow;

/* clang-format off */
static const StateRow states[] = {
    { "23505", ERR_CONFLICT,    "sql.unique",      "the database refused a value" },
    { "23503", ERR_CONFLICT,    "sql.foreign_key", "the database refused a value" },
    { "23502", ERR_CONFLICT,    "sql.not_null",    "the database refused a value" },
    { "23514", ERR_CONFLICT,    "sql.check",       "the database refused a value" },
    { "23",    ERR_CONFLICT,    NULL,              "the database refused a value" },
    { "53100", ERR_NO_SPACE,    NULL,              "the disk of the database is full" },
    { "53",    ERR_BUSY,        NULL,              "the database is overloaded" },
    { "55P03", ERR_BUSY,        NULL,              "another write to the database took too long" },
    { "40",    ERR_BUSY,        NULL,              "the database gave way to another transaction" },
    { "57014", ERR_CANCELLED,   NULL,              "the statement was cancelled" },
    { "57P",   ERR_UNREACHABLE, NULL,              "the database is shutting down" },
    { "08",    ERR_UNREACHABLE, NULL,              "the database broke off" },
    { "28",    ERR_DENIED,      NULL,              "the database does not let us in" },
    { "42501", ERR_DENIED,      NULL,              "the database does not allow this" },
    { "22",    ERR_BAD_DATA,    NULL,              "the database cannot take a value" },
    { "54",    ERR_BAD_DATA,    NULL,              "a value is too large for the database" },
};
/* clang-format on */

static const char *trimmed(char *message)
{
    size_t n = strlen(message);
    while (n > 0 && message[n - 1] == '\n')
        message[--n] = '\0';
    return message;
}

/* Sets the error that fits a failed result, which may be NULL. Only the primary message is shown:
   details repeat values. */
static int fail(PgConn *conn, const PGresult *result, Error *err)
{
    if (pq.PQstatus(conn->db) != CONNECTION_OK) {
        conn->base.is_broken = true;
        auto_free char *message = mem_strdup(pq.PQerrorMessage(conn->db));
        return error_set(err, ERR_UNREACHABLE, "the database broke off: %s", trimmed(message));
    }
    const char *state = result ? pq.PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *message = result ? pq.PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    for (size_t i = 0; state && i < ARRAY_LEN(states); i++) {
        if (!str_starts(str_of(state), str_of(states[i].prefix)))
            continue;
        (void)error_set(err, states[i].kind, "%s: %s", states[i].what, message ? message : state);
        if (states[i].code)
            (void)error_code(err, states[i].code);
        return -1;
    }
    return error_set(err, ERR_INTERNAL, "the database refused a statement: %s",
                     message ? message : "no reason given");
}

static bool is_ok(const PGresult *result)
{
    ExecStatusType status = pq.PQresultStatus(result);
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

/* Takes in the rest of the rows that are on their way, so that the connection is free. */
static void finish_streaming(PgConn *conn)
{
    PgRows *rows = conn->streaming;
    if (!rows)
        return;
    for (PGresult *result = pq.PQgetResult(conn->db); result; result = pq.PQgetResult(conn->db))
        keep(rows, result);
    conn->streaming = NULL;
}

/* The values of a statement as texts that libpq takes. */
typedef struct Texts {
    char **items;
    size_t n;
} Texts;

static void texts_release(Texts *texts)
{
    for (size_t i = 0; i < texts->n; i++)
        free(texts->items[i]);
    free(texts->items);
}

static char *hex_of(Str bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *text = mem_array(bytes.n * 2 + 3, 1);
    text[0] = '\\';
    text[1] = 'x';
    for (size_t i = 0; i < bytes.n; i++) {
        text[2 + 2 * i] = digits[(unsigned char)bytes.p[i] >> 4];
        text[3 + 2 * i] = digits[(unsigned char)bytes.p[i] & 15];
    }
    return text;
}

static int make_texts(const SqlValue *args, size_t n, Texts *ret, Error *err)
{
    ret->items = mem_array(n ? n : 1, sizeof(char *));
    ret->n = n;
    for (size_t i = 0; i < n; i++) {
        const SqlValue *value = &args[i];
        switch (value->type) {
        case SQL_TYPE_INT: ret->items[i] = mem_printf("%lld", (long long)value->integer); break;
        case SQL_TYPE_REAL: ret->items[i] = mem_printf("%.17g", value->real); break;
        case SQL_TYPE_BLOB: ret->items[i] = hex_of(value->text); break;
        case SQL_TYPE_TEXT:
            if (memchr(value->text.p, '\0', value->text.n))
                return error_set(err, ERR_BAD_DATA,
                                 "the database cannot take a text with a NUL byte");
            ret->items[i] = mem_strndup(value->text.p, value->text.n);
            break;
        default: break;
        }
    }
    return 0;
}

static void forget(PgConn *conn, Prepared *prepared)
{
    auto_free char *text = mem_printf("DEALLOCATE %s", prepared->name);
    pq.PQclear(pq.PQexec(conn->db, text));
    free(prepared->text);
    *prepared = (Prepared){0};
}

/* Finds or prepares the statement; the one unused for longest makes room. */
static int prepare(PgConn *conn, const char *text, Prepared **ret, Error *err)
{
    Prepared *place = &conn->prepared[0];
    for (size_t i = 0; i < N_PREPARED; i++) {
        Prepared *prepared = &conn->prepared[i];
        if (prepared->text && strcmp(prepared->text, text) == 0) {
            prepared->last_used = ++conn->clock;
            *ret = prepared;
            return 0;
        }
        if (prepared->last_used < place->last_used)
            place = prepared;
    }
    if (place->text)
        forget(conn, place);
    char name[NAME_MAX_BYTES];
    (void)snprintf(name, sizeof(name), "hawk_%llu", (unsigned long long)++conn->clock);
    PGresult *result = pq.PQprepare(conn->db, name, text, 0, NULL);
    if (!is_ok(result)) {
        (void)fail(conn, result, err);
        pq.PQclear(result);
        return -1;
    }
    pq.PQclear(result);
    place->text = mem_strdup(text);
    memcpy(place->name, name, sizeof(name));
    place->last_used = conn->clock;
    *ret = place;
    return 0;
}

static int pg_exec(SqlConn *base, const char *text, const SqlValue *args, size_t n_args,
                   int64_t *ret_changed, Error *err)
{
    PgConn *conn = (PgConn *)base;
    HAWK_CLEANUP(texts_release) Texts texts = {0};
    Prepared *prepared = NULL;
    finish_streaming(conn);
    if (make_texts(args, n_args, &texts, err) < 0 || prepare(conn, text, &prepared, err) < 0)
        return -1;
    PGresult *result = pq.PQexecPrepared(conn->db, prepared->name, (int)n_args,
                                         (const char *const *)texts.items, NULL, NULL, 0);
    int status = 0;
    *ret_changed = 0;
    if (!is_ok(result))
        status = fail(conn, result, err);
    else if (str_to_i64(str_of(pq.PQcmdTuples(result)), 0, INT64_MAX, ret_changed) < 0)
        *ret_changed = 0; /* what changes no rows says nothing */
    pq.PQclear(result);
    return status;
}

static void pg_rows_free(SqlRows *base)
{
    PgRows *rows = (PgRows *)base;
    finish_streaming(rows->conn);
    int n_columns = rows->current ? pq.PQnfields(rows->current) : 0;
    for (int i = 0; rows->decoded && i < n_columns; i++)
        pq.PQfreemem(rows->decoded[i]);
    free(rows->decoded);
    free(rows->decoded_n);
    pq.PQclear(rows->current);
    for (size_t i = rows->next_kept; i < rows->n_kept; i++)
        pq.PQclear(rows->kept[i]);
    free(rows->kept);
    free(rows);
}

static int pg_query(SqlConn *base, const char *text, const SqlValue *args, size_t n_args,
                    SqlRows **ret, Error *err)
{
    PgConn *conn = (PgConn *)base;
    HAWK_CLEANUP(texts_release) Texts texts = {0};
    Prepared *prepared = NULL;
    finish_streaming(conn);
    if (make_texts(args, n_args, &texts, err) < 0 || prepare(conn, text, &prepared, err) < 0)
        return -1;
    if (!pq.PQsendQueryPrepared(conn->db, prepared->name, (int)n_args,
                                (const char *const *)texts.items, NULL, NULL, 0))
        return fail(conn, NULL, err);
    (void)pq.PQsetSingleRowMode(conn->db); /* without it all rows come at once, which is as right */
    PgRows *rows = mem_alloc(sizeof(*rows));
    rows->conn = conn;
    conn->streaming = rows;
    PGresult *first = pq.PQgetResult(conn->db); /* tells the columns, or what is wrong */
    ExecStatusType status = first ? pq.PQresultStatus(first) : PGRES_FATAL_ERROR;
    if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK) {
        (void)fail(conn, first, err);
        pq.PQclear(first);
        pg_rows_free(&rows->base);
        return -1;
    }
    keep(rows, first);
    *ret = &rows->base;
    return 0;
}

/* The next result that came in; NULL when there are no more. */
static PGresult *next_result(PgRows *rows)
{
    if (rows->next_kept < rows->n_kept)
        return rows->kept[rows->next_kept++];
    if (rows->conn->streaming != rows)
        return NULL;
    PGresult *result = pq.PQgetResult(rows->conn->db);
    if (!result)
        rows->conn->streaming = NULL;
    return result;
}

static void drop_row(PgRows *rows)
{
    for (int i = 0; rows->decoded && i < pq.PQnfields(rows->current); i++) {
        pq.PQfreemem(rows->decoded[i]);
        rows->decoded[i] = NULL;
    }
}

static void set_row(PgRows *rows, PGresult *take_result)
{
    drop_row(rows);
    pq.PQclear(rows->current);
    rows->current = take_result;
    size_t n = (size_t)pq.PQnfields(take_result);
    if (!rows->decoded) {
        rows->decoded = mem_array(n ? n : 1, sizeof(char *));
        rows->decoded_n = mem_array(n ? n : 1, sizeof(size_t));
    }
    for (size_t i = 0; i < n; i++) {
        if (pq.PQftype(take_result, (int)i) != BYTEA_OID || pq.PQgetisnull(take_result, 0, (int)i))
            continue;
        const unsigned char *hex = (const unsigned char *)pq.PQgetvalue(take_result, 0, (int)i);
        rows->decoded[i] = (char *)pq.PQunescapeBytea(hex, &rows->decoded_n[i]);
    }
}

static int pg_rows_next(SqlRows *base, Error *err)
{
    PgRows *rows = (PgRows *)base;
    for (PGresult *result = next_result(rows); result; result = next_result(rows)) {
        ExecStatusType status = pq.PQresultStatus(result);
        if (status == PGRES_SINGLE_TUPLE) {
            set_row(rows, result);
            return 1;
        }
        bool is_end = status == PGRES_TUPLES_OK;
        if (!is_end)
            (void)fail(rows->conn, result, err);
        if (!rows->current)
            rows->current = result; /* its columns may still be asked for */
        else
            pq.PQclear(result);
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

static bool pg_rows_is_null(const SqlRows *base, int column)
{
    return pq.PQgetisnull(((const PgRows *)base)->current, 0, column);
}

static Str pg_rows_text(const SqlRows *base, int column)
{
    const PgRows *rows = (const PgRows *)base;
    if (pq.PQgetisnull(rows->current, 0, column))
        return STR_NONE;
    if (rows->decoded[column])
        return (Str){rows->decoded[column], rows->decoded_n[column]};
    return (Str){pq.PQgetvalue(rows->current, 0, column),
                 (size_t)pq.PQgetlength(rows->current, 0, column)};
}

static int64_t pg_rows_int(const SqlRows *base, int column)
{
    Str text = pg_rows_text(base, column);
    int64_t value = 0;
    if (str_eqz(text, "t"))
        return 1;
    if (str_to_i64(text, INT64_MIN, INT64_MAX, &value) < 0)
        return 0;
    return value;
}

static double pg_rows_real(const SqlRows *base, int column)
{
    Str text = pg_rows_text(base, column);
    return text.p ? strtod(text.p, NULL) : 0; /* libpq ends every value with a NUL */
}

static int pg_rows_n_columns(const SqlRows *base)
{
    return pq.PQnfields(columns_of(base));
}

static const char *pg_rows_name(const SqlRows *base, int column)
{
    return pq.PQfname(columns_of(base), column);
}

/* Runs statements without values, one after another. */
static int pg_script(SqlConn *base, const char *text, Error *err)
{
    PgConn *conn = (PgConn *)base;
    finish_streaming(conn);
    PGresult *result = pq.PQexec(conn->db, text);
    int status = is_ok(result) ? 0 : fail(conn, result, err);
    pq.PQclear(result);
    return status;
}

static void pg_rollback(SqlConn *base)
{
    PgConn *conn = (PgConn *)base;
    finish_streaming(conn);
    if (pq.PQtransactionStatus(conn->db) != PQTRANS_IDLE)
        pq.PQclear(pq.PQexec(conn->db, "ROLLBACK"));
    if (pq.PQtransactionStatus(conn->db) != PQTRANS_IDLE)
        conn->base.is_broken = true;
}

static int pg_begin(SqlConn *base, SqlMode mode, int wait_ms, Error *err)
{
    auto_free char *write = mem_printf(
        "BEGIN; SET LOCAL lock_timeout = %d; SELECT pg_advisory_xact_lock(%d)", wait_ms, LOCK_KEY);
    const char *read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    if (pg_script(base, mode == SQL_WRITE ? write : read, err) == 0)
        return 0;
    pg_rollback(base);
    return -1;
}

static int pg_commit(SqlConn *base, Error *err)
{
    return pg_script(base, "COMMIT", err);
}

static void pg_disconnect(SqlConn *base)
{
    PgConn *conn = (PgConn *)base;
    for (size_t i = 0; i < N_PREPARED; i++)
        free(conn->prepared[i].text);
    pq.PQfinish(conn->db);
    free(conn);
}

/* Notices are for people at a terminal; libpq would print them. */
static void ignore_notice(void *context, const char *message)
{
    (void)context;
    (void)message;
}

static int pg_connect(const char *url, int wait_ms, SqlConn **ret, Error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load_libpq);
    if (!pq.is_loaded) {
        (void)error_set(err, ERR_UNSUPPORTED,
                        "the library of PostgreSQL, libpq.so.5, is not there");
        return error_fix(err, "install it (Debian: apt install libpq5)");
    }
    auto_free char *seconds = mem_printf("%d", wait_ms < 2000 ? 2 : wait_ms / 1000);
    /* What the URL says comes last and wins. */
    const char *const keys[] = {"connect_timeout", "tcp_user_timeout", "application_name",
                                "client_encoding", "dbname",           NULL};
    const char *const values[] = {seconds, "60000", "hawk", "UTF8", url, NULL};
    PgConn *conn = mem_alloc(sizeof(*conn));
    conn->db = pq.PQconnectdbParams(keys, values, 1);
    if (pq.PQstatus(conn->db) == CONNECTION_OK) {
        (void)pq.PQsetNoticeProcessor(conn->db, ignore_notice, NULL);
        *ret = &conn->base;
        return 0;
    }
    auto_free char *message = mem_strdup(pq.PQerrorMessage(conn->db));
    pg_disconnect(&conn->base);
    return error_set(err, ERR_UNREACHABLE, "cannot reach the database: %s", trimmed(message));
}

const SqlDriver sql_driver_postgres = {
    .scheme = "postgres", /* postgres:// and postgresql:// */
    .dialect = SQL_POSTGRES,
    .has_one_writer = true,
    .connect = pg_connect,
    .disconnect = pg_disconnect,
    .begin = pg_begin,
    .commit = pg_commit,
    .rollback = pg_rollback,
    .script = pg_script,
    .exec = pg_exec,
    .query = pg_query,
    .rows_next = pg_rows_next,
    .rows_free = pg_rows_free,
    .rows_is_null = pg_rows_is_null,
    .rows_text = pg_rows_text,
    .rows_int = pg_rows_int,
    .rows_real = pg_rows_real,
    .rows_n_columns = pg_rows_n_columns,
    .rows_name = pg_rows_name,
};
