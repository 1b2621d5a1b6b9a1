/* What is written from an option table: usage line, help, man page, Markdown. */

#include "base/opt.h"

#include <string.h>

#include "base/str.h"
#include "base/term.h"

enum { LEFT_MAX = 28, TEXT_MAX = 4096 };

/* clang-format off */
static const char *const metavars[] = {
    [OPT_FLAG] = NULL, [OPT_STOP] = NULL, [OPT_TEXT] = "TEXT", [OPT_CHOICE] = NULL, [OPT_FILE] = "FILE",
    [OPT_FOLDER] = "DIR", [OPT_INT] = "N", [OPT_REAL] = "N", [OPT_LIST] = "TEXT", [OPT_FILES] = "FILE",
};
/* clang-format on */

const char *opt_metavar(const OptRow *row)
{
    if (row->metavar)
        return row->metavar;
    return row->kind == OPT_CHOICE ? row->choices : metavars[row->kind];
}

static bool is_list(OptKind kind)
{
    return kind == OPT_LIST || kind == OPT_FILES;
}

/* The help of a row with its default, bounds and repetition. */
static void add_row_help(const OptRow *row, Buf *ret)
{
    buf_addz(ret, row->help);
    if (is_list(row->kind))
        buf_addz(ret, " (may be repeated)");
    if (row->hides_default)
        return;
    if (row->max != 0)
        buf_printf(ret, " (%g to %g)", row->min, row->max);
    else if (row->min > 0)
        buf_printf(ret, " (at least %g)", row->min);
    if (row->fallback)
        buf_printf(ret, " [default: %s]", row->fallback);
}

static void add_row_left(const OptRow *row, Buf *ret)
{
    if (row->letter)
        buf_printf(ret, "  -%c, --%s", row->letter, row->name);
    else
        buf_printf(ret, "      --%s", row->name);
    if (opt_metavar(row))
        buf_printf(ret, " %s", opt_metavar(row));
}

/* "left   text", wrapped under itself; a long left side has a line of its own. */
static void add_pair(Str left, Str text, int left_width, int columns, Buf *ret)
{
    buf_add_str(ret, left);
    int at = (int)left.n;
    if (at + 2 > left_width) {
        buf_addc(ret, '\n');
        at = 0;
    }
    for (; at < left_width; at++)
        buf_addc(ret, ' ');
    term_add_wrapped(ret, text, left_width, left_width, columns);
    buf_addc(ret, '\n');
}

static int left_width(const OptSpec *spec)
{
    size_t width = 0;
    auto_buf Buf left = BUF_INIT(TEXT_MAX);
    for (size_t i = 0; i < spec->n_rows; i++) {
        buf_reset(&left);
        add_row_left(&spec->rows[i], &left);
        if (!spec->rows[i].is_hidden && left.len > width && left.len + 2 <= LEFT_MAX)
            width = left.len;
    }
    for (size_t i = 0; i < spec->n_args; i++) {
        size_t len = strlen(spec->args[i].name) + 2;
        if (len > width && len + 2 <= LEFT_MAX)
            width = len;
    }
    return (int)width + 2;
}

void opt_add_usage(const OptSpec *spec, Buf *ret)
{
    bool has_options = false;
    for (size_t i = 0; i < spec->n_rows; i++)
        has_options = has_options || !spec->rows[i].is_hidden;
    const char *space = "";
    if (has_options) {
        buf_addz(ret, "[OPTIONS]");
        space = " ";
    }
    for (size_t i = 0; i < spec->n_args; i++) {
        const OptArg *arg = &spec->args[i];
        buf_printf(ret, "%s%s%s%s%s", space, arg->is_optional ? "[" : "", arg->name,
                   is_list(arg->kind) ? "..." : "", arg->is_optional ? "]" : "");
        space = " ";
    }
}

void opt_add_help(const OptSpec *spec, int columns, Buf *ret)
{
    auto_buf Buf left = BUF_INIT(TEXT_MAX);
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    int width = left_width(spec);
    if (spec->n_args)
        buf_addz(ret, "\nArguments:\n");
    for (size_t i = 0; i < spec->n_args; i++) {
        buf_reset(&left);
        buf_printf(&left, "  %s", spec->args[i].name);
        add_pair(buf_str(&left), str_of(spec->args[i].help), width, columns, ret);
    }
    bool titled = false;
    for (size_t i = 0; i < spec->n_rows; i++) {
        if (spec->rows[i].is_hidden)
            continue;
        if (!titled)
            buf_addz(ret, "\nOptions:\n");
        titled = true;
        buf_reset(&left);
        buf_reset(&text);
        add_row_left(&spec->rows[i], &left);
        add_row_help(&spec->rows[i], &text);
        add_pair(buf_str(&left), buf_str(&text), width, columns, ret);
    }
}

void opt_add_roff(Str text, Buf *ret)
{
    bool at_start = true;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (at_start && (c == '.' || c == '\''))
            buf_addz(ret, "\\&");
        if (c == '\\')
            buf_addz(ret, "\\e");
        else if (c == '-')
            buf_addz(ret, "\\-");
        else if (c == '\'')
            buf_addz(ret, "\\(aq");
        else if (c == '~')
            buf_addz(ret, "\\(ti");
        else if (c == '^')
            buf_addz(ret, "\\(ha");
        else
            buf_addc(ret, c);
        at_start = c == '\n';
    }
}

void opt_add_man(const OptSpec *spec, Buf *ret)
{
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    for (size_t i = 0; i < spec->n_args; i++) {
        buf_printf(ret, ".TP\n.I %s\n", spec->args[i].name);
        opt_add_roff(str_of(spec->args[i].help), ret);
        buf_addc(ret, '\n');
    }
    for (size_t i = 0; i < spec->n_rows; i++) {
        const OptRow *row = &spec->rows[i];
        if (row->is_hidden)
            continue;
        buf_addz(ret, ".TP\n\\fB");
        if (row->letter)
            buf_printf(ret, "\\-%c\\fR, \\fB", row->letter);
        buf_addz(ret, "\\-\\-");
        opt_add_roff(str_of(row->name), ret);
        buf_addz(ret, "\\fR");
        if (opt_metavar(row)) {
            buf_addz(ret, " \\fI");
            opt_add_roff(str_of(opt_metavar(row)), ret);
            buf_addz(ret, "\\fR");
        }
        buf_addc(ret, '\n');
        buf_reset(&text);
        add_row_help(row, &text);
        opt_add_roff(buf_str(&text), ret);
        buf_addc(ret, '\n');
    }
}

/* A cell of a Markdown table: '|' would end it. */
static void add_cell(Str text, Buf *ret)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '|')
            buf_addc(ret, '\\');
        buf_addc(ret, text.p[i]);
    }
}

static void add_table_row(Str left, Str text, bool *titled, Buf *ret)
{
    if (!*titled)
        buf_addz(ret, "\n| | |\n| --- | --- |\n");
    *titled = true;
    buf_addz(ret, "| `");
    add_cell(left, ret);
    buf_addz(ret, "` | ");
    add_cell(text, ret);
    buf_addz(ret, " |\n");
}

void opt_add_markdown(const OptSpec *spec, Buf *ret)
{
    bool titled = false;
    for (size_t i = 0; i < spec->n_args; i++)
        add_table_row(str_of(spec->args[i].name), str_of(spec->args[i].help), &titled, ret);
    for (size_t i = 0; i < spec->n_rows; i++) {
        const OptRow *row = &spec->rows[i];
        auto_buf Buf left = BUF_INIT(TEXT_MAX);
        auto_buf Buf text = BUF_INIT(TEXT_MAX);
        if (row->is_hidden)
            continue;
        if (row->letter)
            buf_printf(&left, "-%c, ", row->letter);
        buf_printf(&left, "--%s", row->name);
        if (opt_metavar(row))
            buf_printf(&left, " %s", opt_metavar(row));
        add_row_help(row, &text);
        add_table_row(buf_str(&left), buf_str(&text), &titled, ret);
    }
}
