/* A row is a head, then for each of its values that is not NULL: column, type, length or number,
   text. */

#include "warehouse/rows/pack.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

typedef struct RowHead {
    uint64_t size; /* of what comes behind the head */
    uint16_t table;
    uint16_t n_values;
} RowHead;

typedef struct ValueHead {
    uint8_t column;
    uint8_t type;
    union {
        int64_t integer;
        double real;
        uint64_t length;
    };
} ValueHead;

/* What one part may come to with all that is made of it, and what is there already. */
#define ROWS_MAX ((size_t)2 << 30)

Pack *pack_new(size_t sample)
{
    Pack *pack = mem_alloc(sizeof(*pack));
    pack->rows = BUF_INIT(ROWS_MAX);
    pack->sample = sample;
    return pack;
}

void pack_reset(Pack *pack, size_t sample)
{
    Buf rows = pack->rows;
    buf_reset(&rows);
    error_release(&pack->problem);
    *pack = (Pack){.rows = rows, .sample = sample};
}

void pack_free(Pack *pack)
{
    if (!pack)
        return;
    buf_release(&pack->rows);
    error_release(&pack->problem);
    free(pack);
}

static bool has_text(SqlType type)
{
    return type == SQL_TYPE_TEXT || type == SQL_TYPE_LIST || type == SQL_TYPE_BLOB;
}

static void add_value(Buf *rows, size_t column, const SqlValue *value)
{
    ValueHead head;
    memset(&head, 0, sizeof(head)); /* the gaps, too */
    head.column = (uint8_t)column;
    head.type = (uint8_t)value->type;
    if (has_text(value->type))
        head.length = value->text.n;
    else if (value->type == SQL_TYPE_REAL)
        head.real = value->real;
    else
        head.integer = value->integer;
    buf_add(rows, &head, sizeof(head));
    if (has_text(value->type))
        buf_add_str(rows, value->text);
}

void pack_add(Pack *pack, RowsTable table, const SqlValue *values)
{
    size_t n = rows_spec(table)->n_columns;
    size_t start = pack->rows.len;
    RowHead head;
    memset(&head, 0, sizeof(head));
    head.table = (uint16_t)table;
    buf_add(&pack->rows, &head, sizeof(head));
    for (size_t i = 0; i < n; i++) {
        if (values[i].type == SQL_TYPE_NULL)
            continue;
        add_value(&pack->rows, i, &values[i]);
        head.n_values++;
    }
    head.size = pack->rows.len - start - sizeof(head);
    if (!pack->rows.overflowed)
        memcpy(pack->rows.data + start, &head, sizeof(head));
}

static const char *read_value(const char *p, SqlValue *values)
{
    ValueHead head;
    memcpy(&head, p, sizeof(head));
    p += sizeof(head);
    SqlValue *value = &values[head.column];
    value->type = (SqlType)head.type;
    if (has_text(value->type)) {
        value->text = (Str){p, head.length};
        return p + head.length;
    }
    if (value->type == SQL_TYPE_REAL)
        value->real = head.real;
    else
        value->integer = head.integer;
    return p;
}

static bool read_head(const Pack *pack, size_t at, RowHead *ret)
{
    if (at >= pack->rows.len)
        return false;
    memcpy(ret, pack->rows.data + at, sizeof(*ret));
    return true;
}

bool pack_next(const Pack *pack, size_t *at, RowsTable *ret_table, SqlValue *values)
{
    RowHead head;
    if (!read_head(pack, *at, &head))
        return false;
    *ret_table = (RowsTable)head.table;
    memset(values, 0, rows_spec(*ret_table)->n_columns * sizeof(*values));
    const char *p = pack->rows.data + *at + sizeof(head);
    for (size_t i = 0; i < head.n_values; i++)
        p = read_value(p, values);
    *at += sizeof(head) + head.size;
    return true;
}

bool pack_skip(const Pack *pack, size_t *at, RowsTable *ret_table)
{
    RowHead head;
    if (!read_head(pack, *at, &head))
        return false;
    *ret_table = (RowsTable)head.table;
    *at += sizeof(head) + head.size;
    return true;
}
