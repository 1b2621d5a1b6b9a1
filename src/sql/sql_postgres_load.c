/* Loads into PostgreSQL: COPY ... FROM STDIN in its binary format (PostgreSQL's manual, "COPY",
   "Binary Format").

   A connection carries one COPY at a time, but several loads are open at once. So each load gathers
   its rows as the wire wants them and hands them to libpq in a COPY of their own when there are
   enough. The server works on them while more rows are gathered; what it says to them is read
   before the connection is used again, hence by whatever comes next.

   The server takes its time over each column of each row, NULL or not, and most columns of events
   are for one kind of them. So a block goes without the columns that no row has had a value for;
   they are NULL, or what the table has as a default. */

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "sql/sql_postgres_priv.h"

enum {
    BLOCK_BYTES = 2 * 1024 * 1024, /* a load is sent when it has gathered so many */
    CHUNK_BYTES = 64 * 1024,       /* given to libpq at once, and gathered between two pushes */
    HEADER_BYTES = 19,             /* of a block */
    UUID_BYTES = 16,
    JSONB_VERSION = 1,
};

struct PgLoad {
    SqlLoad base;
    PgConn *conn;
    char *copy; /* the statement, which names so many columns */
    size_t n_named;
    bool *is_used; /* columns that a row had a value for */
    size_t n_used;
    Buf block; /* the header and the rows gathered so far, with all columns */
    size_t n_rows;
    size_t n_pushed; /* bytes of the block when libpq was last told to send on */
};

SqlLoad *pg_load_new(SqlConn *conn)
{
    PgLoad *load = mem_alloc(sizeof(*load));
    load->conn = (PgConn *)conn;
    load->block = BUF_INIT(PG_VALUES_MAX);
    return &load->base;
}

/* Empties the block and gives back the memory that a large row took. */
static void begin_block(PgLoad *load)
{
    if (load->block.cap > 2 * BLOCK_BYTES)
        buf_release(&load->block);
    buf_reset(&load->block);
    (void)buf_room(&load->block, BLOCK_BYTES + CHUNK_BYTES); /* what is not used costs nothing */
    buf_add_str(&load->block, STR("PGCOPY\n\377\r\n\0"));
    pg_args_add_i32(&load->block, 0); /* flags */
    pg_args_add_i32(&load->block, 0); /* bytes of header to come */
    assert(load->block.len == HEADER_BYTES);
    load->n_rows = 0;
    load->n_pushed = 0;
}

int pg_load_start(SqlLoad *base, Error *err)
{
    (void)err;
    PgLoad *load = (PgLoad *)base;
    load->is_used = mem_array(base->n_columns, sizeof(*load->is_used));
    begin_block(load);
    return 0;
}

static unsigned hex_of(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* The text was checked. */
static void add_uuid(Buf *buf, Str text)
{
    unsigned char bytes[UUID_BYTES];
    size_t n = 0;
    for (size_t i = 0; i < text.n && n < sizeof(bytes); i++)
        if (text.p[i] != '-') {
            bytes[n++] = (unsigned char)(hex_of(text.p[i]) << 4 | hex_of(text.p[i + 1]));
            i++;
        }
    buf_add(buf, bytes, sizeof(bytes));
}

static void add_real(Buf *buf, double value)
{
    int64_t bits = 0;
    memcpy(&bits, &value, sizeof(bits));
    pg_args_add_i64(buf, bits);
}

static int add_field(Buf *buf, SqlKind kind, const SqlValue *value, Error *err)
{
    switch (kind) {
    case SQL_KIND_INT: pg_args_add_i64(buf, value->integer); return 0;
    case SQL_KIND_INT4: pg_args_add_i32(buf, (int32_t)value->integer); return 0;
    case SQL_KIND_REAL: add_real(buf, value->real); return 0;
    case SQL_KIND_BOOL: buf_addc(buf, value->integer != 0); return 0;
    case SQL_KIND_UUID: add_uuid(buf, value->text); return 0;
    case SQL_KIND_JSON: buf_addc(buf, JSONB_VERSION); break;
    case SQL_KIND_INSTANT: return pg_args_add_instant(buf, value->integer, err);
    case SQL_KIND_LIST: return pg_args_add_list(buf, value->text, err);
    case SQL_KIND_TEXT:
    case SQL_KIND_ENUM: break;
    }
    buf_add_str(buf, value->text);
    return 0;
}

static void add_nulls(Buf *buf, size_t n)
{
    size_t size = n * sizeof(int32_t);
    char *room = n > 0 ? buf_room(buf, size) : NULL;
    if (!room)
        return;
    memset(room, 0xFF, size); /* -1 each */
    buf_grew(buf, size);
}

static void use_column(PgLoad *load, size_t column)
{
    load->n_used += !load->is_used[column];
    load->is_used[column] = true;
}

static int add_value(PgLoad *load, size_t column, const SqlValue *value, Error *err)
{
    Buf *buf = &load->block;
    size_t at = buf->len;
    pg_args_add_i32(buf, 0);
    if (add_field(buf, load->base.columns[column].kind, value, err) < 0 ||
        buf_check(buf, "a row", err) < 0)
        return sql_load_wrap(&load->base, column, err);
    uint32_t wire = __builtin_bswap32((uint32_t)(buf->len - at - sizeof(wire)));
    memcpy(buf->data + at, &wire, sizeof(wire));
    use_column(load, column);
    return 0;
}

static int add_row(PgLoad *load, const SqlValue *values, Error *err)
{
    size_t n = load->base.n_columns;
    Buf *buf = &load->block;
    pg_args_add_i16(buf, (int16_t)n);
    for (size_t i = 0; i < n; i++) {
        size_t first = i;
        while (i < n && sql_value_is_null(&values[i]))
            i++;
        add_nulls(buf, i - first);
        if (i < n && add_value(load, i, &values[i], err) < 0)
            return -1;
    }
    return buf_check(buf, "a row", err);
}

/* Takes the columns without a value out of one row; returns its end. */
static const char *squeeze_row(const PgLoad *load, const char *from, char **to)
{
    uint16_t n_fields = __builtin_bswap16((uint16_t)load->n_used);
    memcpy(*to, &n_fields, sizeof(n_fields));
    *to += sizeof(n_fields);
    from += sizeof(n_fields);
    const char *kept = from; /* up to the field at hand: to be moved together */
    for (size_t i = 0; i < load->base.n_columns; i++) {
        uint32_t wire = 0;
        memcpy(&wire, from, sizeof(wire));
        int32_t length = (int32_t)__builtin_bswap32(wire);
        const char *next = from + sizeof(wire) + (length > 0 ? length : 0);
        if (!load->is_used[i]) {
            memmove(*to, kept, (size_t)(from - kept));
            *to += from - kept;
            kept = next;
        }
        from = next;
    }
    memmove(*to, kept, (size_t)(from - kept));
    *to += from - kept;
    return from;
}

static void squeeze(PgLoad *load)
{
    const char *from = load->block.data + HEADER_BYTES;
    char *to = load->block.data + HEADER_BYTES;
    if (load->n_used == load->base.n_columns)
        return;
    for (size_t i = 0; i < load->n_rows; i++)
        from = squeeze_row(load, from, &to);
    buf_truncate(&load->block, (size_t)(to - load->block.data));
}

/* Columns once used are named in all blocks that come. */
static int name_columns(PgLoad *load, Error *err)
{
    enum { COPY_MAX = 64 * 1024 };
    const SqlLoad *base = &load->base;
    if (load->copy && load->n_named == load->n_used)
        return 0;
    auto_buf Buf text = BUF_INIT(COPY_MAX);
    const char *glue = "";
    buf_printf(&text, "COPY %s (", base->table);
    for (size_t i = 0; i < base->n_columns; i++) {
        if (!load->is_used[i])
            continue;
        buf_printf(&text, "%s\"%s\"", glue, base->columns[i].name);
        glue = ", ";
    }
    buf_addz(&text, ") FROM STDIN (FORMAT binary)");
    if (buf_check(&text, "the list of columns", err) < 0)
        return -1;
    free(load->copy);
    load->copy = buf_take(&text);
    load->n_named = load->n_used;
    return 0;
}

/* The column that the server speaks of, or STR_NONE. In a binary COPY the context is "COPY table,
   line 3, column name". */
static Str column_of(const PGresult *result)
{
    const char *name = pg_lib.PQresultErrorField(result, PG_DIAG_COLUMN_NAME);
    if (name)
        return str_of(name);
    Str context = str_of(pg_lib.PQresultErrorField(result, PG_DIAG_CONTEXT));
    Str line = STR_NONE;
    while (str_split(&context, '\n', &line)) {
        ptrdiff_t at = str_find_str(line, STR(", column "));
        if (str_starts(line, STR("COPY ")) && at > 0)
            return str_slice(line, (size_t)at + sizeof(", column ") - 1, line.n);
    }
    return STR_NONE;
}

static int fail(PgLoad *load, const PGresult *result, Error *err)
{
    (void)pg_conn_fail(load->conn, result, err);
    Str column = result ? column_of(result) : STR_NONE;
    if (column.p)
        return error_wrap(err, "%s.%.*s", load->base.table, STR_ARG(column));
    return error_wrap(err, "cannot load %s", load->base.table);
}

/* Gives libpq all bytes and the end; false when it did not take them, which it does not say of
   anything but a lost connection. A block of usual size stays in its memory to be sent by and by.
 */
static bool put_block(PgLoad *load)
{
    PGconn *db = load->conn->db;
    pg_args_add_i16(&load->block, -1); /* the end of the rows */
    Str rest = buf_str(&load->block);
    if (pg_lib.PQsetnonblocking(db, rest.n <= 2 * BLOCK_BYTES) != 0)
        return false;
    while (rest.n > 0) {
        Str chunk = str_slice(rest, 0, CHUNK_BYTES);
        if (pg_lib.PQputCopyData(db, chunk.p, (int)chunk.n) != 1)
            return false;
        rest = str_slice(rest, chunk.n, rest.n);
    }
    return pg_lib.PQputCopyEnd(db, NULL) == 1 && pg_lib.PQflush(db) >= 0;
}

int pg_load_finish(PgLoad *load, Error *err)
{
    PGconn *db = load->conn->db;
    int status = 0;
    load->conn->sending = NULL;
    for (PGresult *result = pg_lib.PQgetResult(db); result; result = pg_lib.PQgetResult(db)) {
        ExecStatusType kind = pg_lib.PQresultStatus(result);
        if (kind != PGRES_COMMAND_OK && status == 0)
            status = fail(load, result, err);
        pg_lib.PQclear(result);
        if (kind == PGRES_COPY_IN || pg_lib.PQstatus(db) != CONNECTION_OK)
            break; /* of a lost connection there is no end */
    }
    if (pg_lib.PQsetnonblocking(db, 0) != 0)
        load->conn->base.is_broken = true;
    return status;
}

static int send_block(PgLoad *load, Error *err)
{
    if (load->n_used == 0)
        use_column(load, 0); /* a row has one */
    if (pg_conn_settle(load->conn, err) < 0 || name_columns(load, err) < 0)
        return -1;
    squeeze(load);
    PGresult *result = pg_lib.PQexec(load->conn->db, load->copy);
    int status = 0;
    if (pg_lib.PQresultStatus(result) != PGRES_COPY_IN) {
        status = fail(load, result, err);
    } else if (!put_block(load)) {
        load->conn->base.is_broken = true;
        status = fail(load, NULL, err);
    } else {
        load->conn->sending = load;
    }
    pg_lib.PQclear(result);
    begin_block(load);
    return status;
}

/* Sends on what is in libpq's memory, as far as that goes without waiting. */
static void push(PgLoad *load)
{
    if (load->conn->sending && load->block.len - load->n_pushed >= CHUNK_BYTES) {
        (void)pg_lib.PQflush(load->conn->db); /* a lost connection shows when it is used */
        load->n_pushed = load->block.len;
    }
}

int pg_load_row(SqlLoad *base, const SqlValue *values, Error *err)
{
    PgLoad *load = (PgLoad *)base;
    if (add_row(load, values, err) < 0)
        return -1;
    load->n_rows++;
    push(load);
    return load->block.len >= BLOCK_BYTES ? send_block(load, err) : 0;
}

int pg_load_flush(SqlLoad *base, Error *err)
{
    PgLoad *load = (PgLoad *)base;
    if (load->n_rows > 0 && send_block(load, err) < 0)
        return -1;
    return pg_conn_settle(load->conn, err);
}

void pg_load_free(SqlLoad *base)
{
    PgLoad *load = (PgLoad *)base;
    pg_conn_settle_load(load->conn, load);
    buf_release(&load->block);
    free(load->copy);
    free(load->is_used);
    free(load);
}
