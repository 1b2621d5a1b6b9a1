/* Printing answers. */

#include "cli/print.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/term.h"
#include "codec/json_out.h"

enum { TEXT_MAX = 256 << 20, VALUE_MAX = 1 << 20, INDENT = 2 };

static int put_json(Cli *cli, const Json *node, int indent, Error *err)
{
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    JsonOut out;
    json_out_init(&out, &text, indent);
    json_out_node(&out, node);
    buf_addc(&text, '\n');
    if (buf_check(&text, "the output", err) < 0)
        return -1;
    return cli_put(cli, buf_str(&text), err);
}

int print_json(Cli *cli, const Json *node, Error *err)
{
    return put_json(cli, node, INDENT, err);
}

int print_json_line(Cli *cli, const Json *node, Error *err)
{
    return put_json(cli, node, 0, err);
}

int print_table(Cli *cli, const Table *table, Error *err)
{
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    table_write(table, &text);
    return cli_put(cli, buf_str(&text), err);
}

int print_text(Cli *cli, Str text, Error *err)
{
    if (!cli->out_is_tty)
        return cli_put(cli, text, err);
    auto_buf Buf safe = BUF_INIT(TEXT_MAX);
    term_add_text(&safe, text);
    return cli_put(cli, buf_str(&safe), err);
}

const char *print_time(Arena *arena, Str text)
{
    int64_t us = 0;
    char full[CLOCK_TEXT_MAX];
    if (text.n == 0 || clock_parse(text, &us) < 0)
        return arena_strndup(arena, text.p ? text.p : "", text.n);
    char *s = arena_strdup(arena, clock_format(us - us % CLOCK_SECOND, full));
    if (s[0] && s[10] == 'T')
        s[10] = ' ';
    return s;
}

const char *print_real(Arena *arena, double value)
{
    if (!isfinite(value))
        return isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
    char *text = arena_printf(arena, "%.3f", value);
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == '0')
        n--;
    if (n > 0 && text[n - 1] == '.')
        n--;
    text[n] = '\0';
    return text;
}

Str print_value(Arena *arena, const Json *node)
{
    if (json_is_null(node))
        return STR("");
    if (node->type == JSON_STRING)
        return node->text;
    if (node->type == JSON_REAL)
        return str_of(print_real(arena, node->real));
    auto_buf Buf text = BUF_INIT(VALUE_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    json_out_node(&out, node);
    return arena_str(arena, buf_str(&text));
}

Str print_member(Arena *arena, const Json *object, const char *key)
{
    return print_value(arena, json_get(object, key));
}
