/* What a check says: paths, values in a few words, diagnostics. */

#include <regex.h>
#include <stdarg.h>

#include "jobspec/check_priv.h"

/* Longest text that a pattern is tried on; no valid one comes near. */
enum { PATTERN_TEXT_MAX = 4096 };

/* Characters of a key or value that a message shows. */
enum { SHOWN_MAX = 40 };

/* Bytes of the longest path: a hundred levels of keys as long as are shown, and brackets. */
enum { PATH_MAX_LEN = 20000 };

bool check_matches(const char *pattern, Str text)
{
    if (text.n > PATTERN_TEXT_MAX || (text.n > 0 && memchr(text.p, 0, text.n)))
        return false;
    regex_t regex;
    if (regcomp(&regex, pattern, REG_EXTENDED) != 0)
        return false;
    regmatch_t match = {.rm_so = 0, .rm_eo = (regoff_t)text.n};
    bool found = regexec(&regex, text.p ? text.p : "", 1, &match, REG_STARTEND) == 0;
    regfree(&regex);
    return found;
}

size_t check_n_chars(Str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

Str check_clip(Str s, size_t n_chars)
{
    size_t n = 0;
    for (size_t i = 0; i < n_chars && n < s.n; i++) {
        n++;
        while (n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
            n++;
    }
    return str_slice(s, 0, n);
}

static bool is_plain_key(Str key)
{
    for (size_t i = 0; i < key.n; i++) {
        char c = key.p[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '_' || c == '-';
        if (!is_plain)
            return false;
    }
    return key.n > 0;
}

static void add_path(Buf *buf, const CheckPath *path)
{
    if (!path)
        return;
    add_path(buf, path->up);
    if (!path->key.p)
        buf_printf(buf, "[%zu]", path->index);
    else if (is_plain_key(path->key))
        buf_printf(buf, "%s%.*s", buf->len > 0 ? "." : "",
                   STR_ARG(check_clip(path->key, SHOWN_MAX)));
    else
        buf_printf(buf, "[\"%.*s\"]", STR_ARG(check_clip(path->key, SHOWN_MAX)));
}

const char *check_path_text(Arena *arena, const CheckPath *path)
{
    auto_buf Buf buf = BUF_INIT(PATH_MAX_LEN);
    add_path(&buf, path);
    return arena_strndup(arena, buf.data, buf.len);
}

static const char *shortened(const Check *check, Str s)
{
    Str start = check_clip(s, SHOWN_MAX);
    return arena_printf(check->arena, "%.*s%s", STR_ARG(start), start.n < s.n ? "..." : "");
}

const char *check_shown(const Check *check, const Json *node)
{
    switch (node->type) {
    case JSON_NULL: return "nothing";
    case JSON_BOOL: return check->hide ? "true or false" : node->boolean ? "true" : "false";
    case JSON_INT:
    case JSON_REAL:
        if (check->hide)
            return "a number";
        if (node->text.n > 0)
            return arena_printf(check->arena, "the number %s", shortened(check, node->text));
        if (node->type == JSON_INT)
            return arena_printf(check->arena, "the number %lld", (long long)node->integer);
        return arena_printf(check->arena, "the number %g", node->real);
    case JSON_STRING:
        if (check->hide)
            return "a text";
        return arena_printf(check->arena, "the text \"%s\"", shortened(check, node->text));
    case JSON_ARRAY: return "a list";
    case JSON_OBJECT: return "a mapping";
    }
    return "something else";
}

void check_report(Check *check, DiagnosticSeverity severity, const Json *node, bool by_key,
                  const CheckPath *path, const char *message, const char *fix)
{
    if (check->silent)
        return;
    if (severity == DIAGNOSTIC_ERROR && check->lenient)
        severity = DIAGNOSTIC_WARNING;
    bool has_key_place = by_key && node->key_line > 0;
    Diagnostic item = {
        .severity = severity,
        .file = check->file,
        .line = has_key_place ? node->key_line : node->line,
        .column = has_key_place ? node->key_column : node->column,
        .path = check->list->n < DIAGNOSTICS_MAX ? check_path_text(check->arena, path) : "",
        .message = message,
        .fix = fix,
    };
    diagnostics_add(check->list, &item);
}

HAWK_PRINTF(2, 0) static char *format(Arena *arena, const char *fmt, va_list args)
{
    auto_buf Buf buf = BUF_INIT(8192);
    buf_vprintf(&buf, fmt, args);
    return arena_strndup(arena, buf.data, buf.len);
}

void check_error(Check *check, const Json *node, const CheckPath *path, const char *fix,
                 const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    check_report(check, DIAGNOSTIC_ERROR, node, false, path, format(check->arena, fmt, args), fix);
    va_end(args);
}

void check_warning(Check *check, const Json *node, const CheckPath *path, const char *fix,
                   const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    check_report(check, DIAGNOSTIC_WARNING, node, false, path, format(check->arena, fmt, args),
                 fix);
    va_end(args);
}
