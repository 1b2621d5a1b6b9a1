/* Printing answers. */

#include "cli/print.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/term.h"
#include "codec/json_out.h"

enum { TEXT_MAX = 256 << 20, VALUE_MAX = 1 << 20, TIME_SHOWN = 64, TIME_MAX = 1024, INDENT = 2 };

int print_json_text(Cli *cli, Str text, Error *err)
{
    if (!cli->out_is_tty)
        return cli_put(cli, text, err);
    auto_buf Buf safe = BUF_INIT(TEXT_MAX);
    term_add_json(&safe, text);
    if (buf_check(&safe, "the output", err) < 0)
        return -1;
    return cli_put(cli, buf_str(&safe), err);
}

static int put_json(Cli *cli, const Json *node, int indent, Error *err)
{
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    JsonOut out;
    json_out_init(&out, &text, indent);
    json_out_node(&out, node);
    buf_addc(&text, '\n');
    if (buf_check(&text, "the output", err) < 0)
        return -1;
    return print_json_text(cli, buf_str(&text), err);
}

int print_json(Cli *cli, const Json *node, Error *err)
{
    return put_json(cli, node, INDENT, err);
}

int print_json_line(Cli *cli, const Json *node, Error *err)
{
    return put_json(cli, node, 0, err);
}

int print_table(Cli *cli, Table *table, Error *err)
{
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    if (cli->out_is_tty)
        table_fit(table, (size_t)term_columns(STDOUT_FILENO));
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
    if (text.n == 0 || clock_parse(text, &us) < 0) {
        auto_buf Buf safe = BUF_INIT(TIME_MAX);
        term_add_line(&safe, str_slice(text, 0, TIME_SHOWN));
        return arena_strndup(arena, safe.data ? safe.data : "", safe.len);
    }
    char *s = arena_strdup(arena, clock_format(us - us % CLOCK_SECOND, full));
    if (s[0] && s[10] == 'T')
        s[10] = ' ';
    return s;
}

const char *print_real(Arena *arena, double value)
{
    if (!isfinite(value))
        return isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
    if (value != 0 && fabs(value) < 0.0005) /* would be 0 */
        return arena_printf(arena, "%.3g", value);
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

/* clang-format off */
static const struct { const char *level; TermColour colour; } level_colours[] = {
    {"ERROR", TERM_RED}, {"CRITICAL", TERM_RED}, {"WARNING", TERM_YELLOW}, {"WARN", TERM_YELLOW},
    {"INFO", TERM_GREEN}, {"DEBUG", TERM_DIM},
};
/* clang-format on */

static TermColour colour_of(Str level)
{
    for (size_t i = 0; i < ARRAY_LEN(level_colours); i++)
        if (str_eq_nocase(level, str_of(level_colours[i].level)))
            return level_colours[i].colour;
    return TERM_PLAIN;
}

int print_log_entry(Cli *cli, const Json *entry, Error *err)
{
    auto_buf Buf line = BUF_INIT(VALUE_MAX);
    auto_buf Buf level = BUF_INIT(64);
    Str name = json_text(entry, "level", STR("INFO"));
    buf_addc(&level, '[');
    term_add_line(&level, str_slice(name, 0, 32));
    buf_addc(&level, ']');
    for (size_t i = 0; i < level.len; i++)
        level.data[i] = (char)toupper((unsigned char)level.data[i]);
    buf_printf(&line, "[%s] ", print_time(cli->arena, json_text(entry, "timestamp", STR_NONE)));
    term_add_colour(&line, cli->out_colours, colour_of(name), level.data);
    buf_addc(&line, ' ');
    Str message = json_text(entry, "message", STR_NONE);
    if (cli->out_is_tty)
        term_add_text(&line, message);
    else
        buf_add_str(&line, message);
    buf_addc(&line, '\n');
    return cli_put(cli, buf_str(&line), err);
}
