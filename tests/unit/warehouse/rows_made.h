/* Rows of a sample as text, for tests: "column=value" of what is not NULL. */
#ifndef HAWK_TESTS_WAREHOUSE_ROWS_MADE_H
#define HAWK_TESTS_WAREHOUSE_ROWS_MADE_H

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "warehouse/rows/rows_maker.h"

typedef struct RowsMade {
    RowsSink sink; /* first: the sink is this */
    Arena *arena;
    char *rows[N_ROWS_TABLES][64];
    size_t n[N_ROWS_TABLES];
} RowsMade;

static inline void rows_made_value(Buf *text, const SqlValue *value)
{
    switch (value->type) {
    case SQL_TYPE_INT: buf_printf(text, "%lld", (long long)value->integer); break;
    case SQL_TYPE_REAL: buf_printf(text, "%.17g", value->real); break;
    case SQL_TYPE_BOOL: buf_addz(text, value->integer ? "true" : "false"); break;
    case SQL_TYPE_INSTANT: clock_add(text, value->integer); break;
    default: buf_add_str(text, value->text);
    }
}

static inline int rows_made_put(RowsSink *sink, RowsTable table, const SqlValue *values, Error *err)
{
    RowsMade *made = (RowsMade *)sink;
    const RowsSpec *spec = rows_spec(table);
    auto_buf Buf text = BUF_INIT(1 << 20);
    (void)err;
    for (size_t i = 0; i < spec->n_columns; i++) {
        if (values[i].type == SQL_TYPE_NULL)
            continue;
        buf_printf(&text, "%s%s=", text.len ? "; " : "", spec->columns[i].name);
        rows_made_value(&text, &values[i]);
    }
    assert_true(made->n[table] < 64);
    made->rows[table][made->n[table]++] = arena_strdup(made->arena, text.data);
    return 0;
}

/* Makes the rows of a sample (or of a summary); 0, or -1 with the error. */
static inline int rows_made_try(RowsMade *made, Arena *arena, const char *json, bool is_summary,
                                const SampleCleanRules *rules, Error *err)
{
    auto_rows_maker RowsMaker *maker = rows_maker_new();
    auto_sample_parts SampleParts *parts = NULL;
    *made = (RowsMade){.sink = {.put = rows_made_put}, .arena = arena};
    if (is_summary)
        return rows_maker_summary(maker, str_of(json), rules, &made->sink, err);
    if (sample_parts_open_text(str_of(json), "test", &parts, err) < 0)
        return -1;
    return rows_maker_sample(maker, parts, rules, &made->sink, err);
}

static inline RowsMade rows_made(Arena *arena, const char *json)
{
    static const SampleCleanRules rules = {.json_max = SAMPLE_CLEAN_JSON_MAX};
    auto_error Error err = ERROR_INIT;
    RowsMade made;
    if (rows_made_try(&made, arena, json, false, &rules, &err) < 0)
        fail_msg("%s", error_text(&err));
    return made;
}

/* The n-th row of a table; fails when there is none. */
static inline const char *rows_made_row(const RowsMade *made, RowsTable table, size_t n)
{
    if (n >= made->n[table])
        fail_msg("%s has %zu rows", rows_spec(table)->name, made->n[table]);
    return made->rows[table][n];
}

/* What a row has in a column, or "NULL". */
static inline const char *rows_made_column(const RowsMade *made, RowsTable table, size_t n,
                                           const char *column)
{
    const char *row = rows_made_row(made, table, n);
    auto_buf Buf start = BUF_INIT(256);
    buf_printf(&start, "%s=", column);
    while (row && strncmp(row, start.data, start.len) != 0) {
        row = strstr(row, "; ");
        row = row ? row + 2 : NULL;
    }
    if (!row)
        return "NULL";
    const char *value = row + start.len;
    const char *end = strstr(value, "; ");
    return arena_strndup(made->arena, value, end ? (size_t)(end - value) : strlen(value));
}

#endif
