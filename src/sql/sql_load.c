/* Loads: many rows for one table. Here values are checked, so that a bad one is named by its table
   and column whatever the database; how rows travel is the driver's business. */

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "sql/sql_priv.h"

typedef struct KindRow {
    SqlType type;
    const char *name;
} KindRow;

/* clang-format off */
static const KindRow kinds[] = {
    [SQL_KIND_INT]     = { SQL_TYPE_INT,     "a whole number" },
    [SQL_KIND_INT4]    = { SQL_TYPE_INT,     "a whole number" },
    [SQL_KIND_REAL]    = { SQL_TYPE_REAL,    "a number" },
    [SQL_KIND_TEXT]    = { SQL_TYPE_TEXT,    "a text" },
    [SQL_KIND_ENUM]    = { SQL_TYPE_TEXT,    "a text" },
    [SQL_KIND_JSON]    = { SQL_TYPE_TEXT,    "a text" },
    [SQL_KIND_UUID]    = { SQL_TYPE_TEXT,    "a text" },
    [SQL_KIND_BOOL]    = { SQL_TYPE_BOOL,    "a flag" },
    [SQL_KIND_INSTANT] = { SQL_TYPE_INSTANT, "an instant" },
    [SQL_KIND_LIST]    = { SQL_TYPE_LIST,    "a list" },
};
/* clang-format on */

int sql_load_wrap(const SqlLoad *load, size_t column, Error *err)
{
    return error_wrap(err, "%s.%s", load->table, load->columns[column].name);
}

void sql_load_add_names(const SqlLoad *load, Buf *buf)
{
    for (size_t i = 0; i < load->n_columns; i++)
        buf_printf(buf, "%s\"%s\"", i > 0 ? ", " : "", load->columns[i].name);
}

static int check_value(const SqlColumn *column, const SqlValue *value, Error *err)
{
    const KindRow *kind = &kinds[column->kind];
    if (value->type != kind->type)
        return error_set(err, ERR_INTERNAL, "takes %s", kind->name);
    if (column->kind == SQL_KIND_INT4 && (value->integer < INT32_MIN || value->integer > INT32_MAX))
        return error_set(err, ERR_BAD_DATA, "%lld is too large a number",
                         (long long)value->integer);
    if (kind->type == SQL_TYPE_TEXT && memchr(value->text.p, '\0', value->text.n))
        return error_set(err, ERR_BAD_DATA, "the database cannot take a text with a NUL byte");
    if (column->kind == SQL_KIND_UUID && !str_is_uuid(value->text))
        return error_set(err, ERR_BAD_DATA, "a text is no UUID of 36 characters");
    return 0;
}

int sql_load_open(SqlTx *tx, const char *table, const SqlColumn *columns, size_t n_columns,
                  SqlLoad **ret, Error *err)
{
    if (sql_tx_check(tx, err) < 0)
        return -1;
    SqlLoad *load = tx->driver->load_new(tx->conn);
    *load = (SqlLoad){.tx = tx, .table = table, .columns = columns, .n_columns = n_columns};
    tx->n_loads_open++;
    if (tx->driver->load_start(load, err) < 0) {
        tx->has_failed = true;
        sql_load_free(load);
        return error_wrap(err, "cannot load %s", table);
    }
    *ret = load;
    return 0;
}

int sql_load_row(SqlLoad *load, const SqlValue *values, Error *err)
{
    if (sql_tx_check(load->tx, err) < 0)
        return -1;
    int result = 0;
    for (size_t i = 0; i < load->n_columns && result == 0; i++) {
        if (values[i].type == SQL_TYPE_NULL)
            continue;
        result = check_value(&load->columns[i], &values[i], err);
        if (result < 0)
            (void)sql_load_wrap(load, i, err);
    }
    if (result == 0)
        result = load->tx->driver->load_row(load, values, err);
    if (result < 0)
        load->tx->has_failed = true;
    return result;
}

int sql_load_flush(SqlLoad *load, Error *err)
{
    if (sql_tx_check(load->tx, err) < 0)
        return -1;
    int result = load->tx->driver->load_flush(load, err);
    if (result < 0)
        load->tx->has_failed = true;
    return result;
}

void sql_load_trust_json(SqlLoad *load)
{
    load->is_json_valid = true;
}

void sql_load_free(SqlLoad *load)
{
    if (!load)
        return;
    load->tx->n_loads_open--;
    load->tx->driver->load_free(load);
}
