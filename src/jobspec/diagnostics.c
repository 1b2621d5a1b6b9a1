/* The list of what is wrong with a document, and its two written forms. */

#include "jobspec/diagnostics.h"

#include "base/term.h"

/* Longer lines of a document are not shown. */
enum { SHOWN_MAX = 160 };

static const char *const severity_names[] = {
    [DIAGNOSTIC_ERROR] = "error",
    [DIAGNOSTIC_WARNING] = "warning",
    [DIAGNOSTIC_NOTE] = "note",
};

const char *diagnostic_severity_name(DiagnosticSeverity severity)
{
    return severity_names[severity];
}

void diagnostics_init(Diagnostics *list, Arena *arena)
{
    *list = (Diagnostics){.arena = arena};
}

/* Takes the last item that is no error out of the list; false when all are errors. */
static bool drop_warning(Diagnostics *list)
{
    for (size_t i = list->n; i-- > 0;) {
        if (list->items[i].severity == DIAGNOSTIC_ERROR)
            continue;
        for (size_t k = i + 1; k < list->n; k++)
            list->items[k - 1] = list->items[k];
        list->n--;
        return true;
    }
    return false;
}

void diagnostics_add(Diagnostics *list, const Diagnostic *item)
{
    if (item->severity == DIAGNOSTIC_ERROR)
        list->n_errors++;
    if (item->severity == DIAGNOSTIC_WARNING)
        list->n_warnings++;
    if (!list->items)
        list->items = arena_array(list->arena, DIAGNOSTICS_MAX, sizeof(*list->items));
    if (list->n == DIAGNOSTICS_MAX) {
        list->n_dropped++;
        if (item->severity != DIAGNOSTIC_ERROR || !drop_warning(list))
            return;
    }
    Diagnostic *copy = &list->items[list->n++];
    *copy = *item;
    copy->file = arena_strdup(list->arena, item->file ? item->file : "");
    copy->path = arena_strdup(list->arena, item->path ? item->path : "");
    copy->message = arena_strdup(list->arena, item->message);
    copy->fix = item->fix ? arena_strdup(list->arena, item->fix) : NULL;
}

static bool is_before(const Diagnostic *a, const Diagnostic *b)
{
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* Insertion keeps the order of equals; the list is short. */
void diagnostics_sort(Diagnostics *list, size_t from)
{
    for (size_t i = from + 1; i < list->n; i++) {
        Diagnostic item = list->items[i];
        size_t k = i;
        for (; k > from && is_before(&item, &list->items[k - 1]); k--)
            list->items[k] = list->items[k - 1];
        list->items[k] = item;
    }
}

static Str line_of(Str text, int line)
{
    Str rest = text;
    Str part = STR_NONE;
    for (int i = 0; i < line; i++)
        if (!str_split(&rest, '\n', &part))
            return STR_NONE;
    return part;
}

/* Whether a terminal shows the line as it is. */
static bool is_harmless(Str line)
{
    auto_buf Buf shown = BUF_INIT(8 * (size_t)SHOWN_MAX);
    term_add_text(&shown, line);
    return str_eq(buf_str(&shown), line) && str_find(line, '\t') < 0;
}

static void add_excerpt(Buf *ret, Str text, const Diagnostic *item)
{
    if (item->line < 1 || item->column < 1)
        return;
    Str line = line_of(text, item->line);
    size_t column = (size_t)item->column - 1;
    if (str_ends(line, STR("\r")))
        line = str_slice(line, 0, line.n - 1);
    if (line.n == 0 || line.n > SHOWN_MAX || column > line.n || !is_harmless(line))
        return;
    buf_printf(ret, "    %.*s\n", STR_ARG(line));
    buf_printf(ret, "%*s^\n", (int)term_width(str_slice(line, 0, column)) + 4, "");
}

void diagnostics_format(const Diagnostics *list, Str text, Buf *ret)
{
    for (size_t i = 0; i < list->n; i++) {
        const Diagnostic *item = &list->items[i];
        term_add_line(ret, str_of(item->file));
        if (item->line > 0)
            buf_printf(ret, ":%d:%d", item->line, item->column);
        buf_printf(ret, ": %s: ", diagnostic_severity_name(item->severity));
        if (item->path[0]) {
            term_add_line(ret, str_of(item->path));
            buf_addz(ret, ": ");
        }
        term_add_line(ret, str_of(item->message));
        if (item->fix) {
            buf_addz(ret, "; ");
            term_add_line(ret, str_of(item->fix));
        }
        buf_addc(ret, '\n');
        add_excerpt(ret, text, item);
    }
    if (list->n_dropped > 0)
        buf_printf(ret, "... and %zu more\n", list->n_dropped);
}

void diagnostics_write(const Diagnostics *list, JsonOut *out)
{
    json_out_array(out);
    for (size_t i = 0; i < list->n; i++) {
        const Diagnostic *item = &list->items[i];
        json_out_object(out);
        json_out_kvz(out, "severity", diagnostic_severity_name(item->severity));
        json_out_kvz(out, "file", item->file);
        json_out_kv_int(out, "line", item->line);
        json_out_kv_int(out, "column", item->column);
        json_out_kvz(out, "path", item->path);
        json_out_kvz(out, "message", item->message);
        json_out_kvz(out, "fix", item->fix);
        json_out_end_object(out);
    }
    json_out_end_array(out);
}
