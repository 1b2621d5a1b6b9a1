/* Tables as text. */

#include "base/table.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/term.h"

enum {
    CELL_MAX = 64 * 1024,
    GAP = 2,        /* columns of a terminal between those of a table */
    CUT_WIDTH = 16, /* nothing is cut to less; a time has as much */
    ELLIPSIS_WIDTH = 1,
};
#define ELLIPSIS "\u2026"

struct Table {
    char **names;
    size_t n_columns;
    char **cells; /* n_cells, row after row */
    size_t n_cells;
    size_t cap;
};

/* The caller frees. */
static char *safe_line(Str cell)
{
    auto_buf Buf text = BUF_INIT(CELL_MAX);
    term_add_line(&text, cell);
    return buf_take(&text);
}

Table *table_new(const char *const *names, size_t n_columns)
{
    Table *table = mem_alloc(sizeof(*table));
    table->names = mem_array(n_columns, sizeof(*table->names));
    table->n_columns = n_columns;
    for (size_t i = 0; i < n_columns; i++)
        table->names[i] = safe_line(str_of(names[i]));
    return table;
}

void table_free(Table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->n_cells; i++)
        free(table->cells[i]);
    for (size_t i = 0; i < table->n_columns; i++)
        free(table->names[i]);
    free(table->names);
    free(table->cells);
    free(table);
}

void table_add(Table *table, Str cell)
{
    if (table->n_cells == table->cap) {
        table->cap = table->cap ? table->cap * 2 : 64;
        table->cells = mem_resize(table->cells, table->cap, sizeof(*table->cells));
    }
    table->cells[table->n_cells++] = safe_line(cell);
}

void table_addz(Table *table, const char *cell)
{
    table_add(table, str_of(cell));
}

void table_add_i64(Table *table, int64_t number)
{
    table_printf(table, "%lld", (long long)number);
}

void table_printf(Table *table, const char *fmt, ...)
{
    auto_buf Buf text = BUF_INIT(CELL_MAX);
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    table_add(table, buf_str(&text));
}

size_t table_rows(const Table *table)
{
    return (table->n_cells + table->n_columns - 1) / table->n_columns;
}

/* A column of which every filled cell is a number. */
static bool is_numeric(const Table *table, size_t column)
{
    bool any = false;
    for (size_t i = column; i < table->n_cells; i += table->n_columns) {
        double number = 0;
        Str cell = str_of(table->cells[i]);
        if (cell.n == 0)
            continue;
        if (str_to_double(cell, &number) < 0)
            return false;
        any = true;
    }
    return any;
}

static size_t column_width(const Table *table, size_t column)
{
    size_t width = term_width(str_of(table->names[column]));
    for (size_t i = column; i < table->n_cells; i += table->n_columns) {
        size_t w = term_width(str_of(table->cells[i]));
        if (w > width)
            width = w;
    }
    return width;
}

/* Whether a column may be cut: it has words, or what no terminal of that width could show. */
static bool is_cuttable(const Table *table, size_t column, size_t width, size_t columns)
{
    bool has_words = width > columns;
    for (size_t i = column; i < table->n_cells && !has_words; i += table->n_columns)
        has_words = strchr(table->cells[i], ' ') != NULL;
    return has_words && width > CUT_WIDTH && !is_numeric(table, column);
}

static void cut_column(Table *table, size_t column, size_t width)
{
    for (size_t i = column; i < table->n_cells; i += table->n_columns) {
        Str cell = str_of(table->cells[i]);
        if (term_width(cell) <= width)
            continue;
        Str kept = term_cut(cell, width - ELLIPSIS_WIDTH);
        char *cut = mem_printf("%.*s" ELLIPSIS, STR_ARG(kept));
        free(table->cells[i]);
        table->cells[i] = cut;
    }
}

void table_fit(Table *table, size_t columns)
{
    auto_free size_t *widths = mem_array(table->n_columns, sizeof(*widths));
    auto_free bool *may_cut = mem_array(table->n_columns, sizeof(*may_cut));
    size_t total = GAP * (table->n_columns - 1);
    for (size_t c = 0; c < table->n_columns; c++) {
        widths[c] = column_width(table, c);
        may_cut[c] = is_cuttable(table, c, widths[c], columns);
        total += widths[c];
    }
    while (total > columns) {
        size_t widest = table->n_columns;
        for (size_t c = 0; c < table->n_columns; c++)
            if (may_cut[c] && widths[c] > CUT_WIDTH &&
                (widest == table->n_columns || widths[c] > widths[widest]))
                widest = c;
        if (widest == table->n_columns)
            break;
        widths[widest]--;
        total--;
    }
    for (size_t c = 0; c < table->n_columns; c++)
        if (may_cut[c])
            cut_column(table, c, widths[c]);
}

static void add_n(Buf *ret, char c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_addc(ret, c);
}

/* No spaces at the end of a line: they would wrap in a narrow terminal. */
static void end_line(Buf *ret)
{
    while (ret->len && ret->data[ret->len - 1] == ' ')
        buf_truncate(ret, ret->len - 1);
    buf_addc(ret, '\n');
}

static void add_row(const Table *table, char *const *cells, size_t n, const size_t *widths,
                    const bool *right, Buf *ret)
{
    for (size_t c = 0; c < table->n_columns; c++) {
        Str cell = c < n ? str_of(cells ? cells[c] : table->names[c]) : STR_NONE;
        size_t pad = widths[c] - term_width(cell);
        add_n(ret, ' ', c ? 2 : 0);
        add_n(ret, ' ', right[c] ? pad : 0);
        buf_add_str(ret, cell);
        add_n(ret, ' ', right[c] ? 0 : pad);
    }
    end_line(ret);
}

void table_write(const Table *table, Buf *ret)
{
    auto_free size_t *widths = mem_array(table->n_columns, sizeof(*widths));
    auto_free bool *right = mem_array(table->n_columns, sizeof(*right));
    for (size_t c = 0; c < table->n_columns; c++) {
        widths[c] = column_width(table, c);
        right[c] = is_numeric(table, c);
    }
    add_row(table, NULL, table->n_columns, widths, right, ret);
    for (size_t c = 0; c < table->n_columns; c++) {
        add_n(ret, ' ', c ? 2 : 0);
        add_n(ret, '-', widths[c]);
    }
    buf_addc(ret, '\n');
    for (size_t i = 0; i < table->n_cells; i += table->n_columns) {
        size_t left = table->n_cells - i;
        add_row(table, table->cells + i, left < table->n_columns ? left : table->n_columns, widths,
                right, ret);
    }
}
