/* The reader of .env files. Messages name lines and never what stands in them: it is secrets. */

#include "codec/dotenv.h"

#include "codec/json_lex.h"

typedef struct Reader {
    Arena *arena;
    const char *file;
    Str text;
    size_t at;
    int line;
    Dotenv env;
    size_t max;
    Error *err;
} Reader;

static int fail(const Reader *r, const char *expected)
{
    return error_set(r->err, ERR_BAD_DATA, "%s:%d: expected %s", r->file, r->line, expected);
}

static char peek(const Reader *r)
{
    return r->at < r->text.n ? r->text.p[r->at] : '\n';
}

static bool is_break(char c)
{
    return c == '\n' || c == '\r';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void skip_blanks(Reader *r)
{
    while (is_blank(peek(r)))
        r->at++;
}

/* Moves behind the line break here; "\r\n" is one. */
static void next_line(Reader *r)
{
    if (peek(r) == '\r' && r->at + 1 < r->text.n && r->text.p[r->at + 1] == '\n')
        r->at++;
    r->at++;
    r->line++;
}

static void skip_line(Reader *r)
{
    while (!is_break(peek(r)))
        r->at++;
}

static bool is_name_char(char c, bool is_first)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_')
        return true;
    return !is_first && ((c >= '0' && c <= '9') || c == '.' || c == '-');
}

static Str read_word(Reader *r)
{
    size_t from = r->at;
    while (is_name_char(peek(r), r->at == from))
        r->at++;
    return str_slice(r->text, from, r->at);
}

static int read_name(Reader *r, Str *ret)
{
    Str name = read_word(r);
    if (str_eqz(name, "export") && is_blank(peek(r))) {
        size_t behind = r->at;
        skip_blanks(r);
        if (peek(r) == '=')
            r->at = behind;
        else
            name = read_word(r);
    }
    skip_blanks(r);
    if (name.n == 0 || peek(r) != '=')
        return fail(r, "NAME=value or a comment");
    r->at++;
    *ret = name;
    return 0;
}

/* What \c stands for in quotes, or NUL when the backslash stays. */
static char escaped(char c, char quote)
{
    static const char from[] = "\\\"'abfnrtv";
    static const char to[] = "\\\"'\a\b\f\n\r\t\v";
    const char *found = c ? strchr(quote == '"' ? from : "\\'", c) : NULL;
    if (!found)
        return '\0';
    return quote == '"' ? to[found - from] : c;
}

/* Moves to the closing quote and counts the lines on the way. */
static bool find_close(Reader *r, char quote)
{
    for (; r->at < r->text.n; r->at++) {
        char c = r->text.p[r->at];
        bool has_next = r->at + 1 < r->text.n;
        if (c == quote)
            return true;
        if (c == '\\' && has_next && !is_break(r->text.p[r->at + 1]))
            r->at++;
        else if (c == '\n' || (c == '\r' && !(has_next && r->text.p[r->at + 1] == '\n')))
            r->line++;
    }
    return false;
}

static int read_quoted(Reader *r, Str *ret)
{
    int first_line = r->line;
    char quote = r->text.p[r->at++];
    size_t from = r->at;
    if (!find_close(r, quote)) {
        r->line = first_line;
        return fail(r, quote == '"' ? "a closing \"" : "a closing '");
    }
    Str body = str_slice(r->text, from, r->at);
    r->at++;
    char *value = arena_alloc(r->arena, body.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < body.n; i++) {
        char c = body.p[i] == '\\' && i + 1 < body.n ? escaped(body.p[i + 1], quote) : '\0';
        value[n++] = c ? c : body.p[i];
        i += c != '\0';
    }
    *ret = (Str){value, n};
    skip_blanks(r);
    if (!is_break(peek(r)) && peek(r) != '#')
        return fail(r, "nothing behind the closing quote");
    return 0;
}

/* A '#' begins a comment behind a blank only, so that it may stand in a value. */
static Str read_plain(Reader *r, bool is_after_blank)
{
    size_t from = r->at;
    while (!is_break(peek(r))) {
        if (peek(r) == '#' && (r->at > from ? is_blank(r->text.p[r->at - 1]) : is_after_blank))
            break;
        r->at++;
    }
    return arena_str(r->arena, str_trim(str_slice(r->text, from, r->at)));
}

static int read_variable(Reader *r)
{
    DotenvVariable variable = {.line = r->line};
    if (read_name(r, &variable.name) < 0)
        return -1;
    size_t from = r->at;
    skip_blanks(r);
    if (peek(r) != '"' && peek(r) != '\'')
        variable.value = read_plain(r, r->at > from);
    else if (read_quoted(r, &variable.value) < 0)
        return -1;
    if (r->env.n == r->max)
        return error_set(r->err, ERR_BAD_DATA, "%s:%d: more than %zu variables", r->file,
                         variable.line, r->max);
    variable.name = arena_str(r->arena, variable.name);
    r->env.variables[r->env.n++] = variable;
    skip_line(r);
    return 0;
}

/* Every variable has a '=', so there cannot be more of them. */
static size_t count_equals(Str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '=';
    return n;
}

static int check_text(Reader *r)
{
    size_t good = str_utf8_prefix(r->text);
    ptrdiff_t nul = str_find(r->text, '\0');
    bool has_nul = nul >= 0 && (size_t)nul < good;
    if (good == r->text.n && !has_nul)
        return 0;
    for (size_t i = 0; i < (has_nul ? (size_t)nul : good); i++)
        r->line += r->text.p[i] == '\n';
    return fail(r, "UTF-8 without NUL");
}

int dotenv_parse(Arena *arena, Str text, const char *file, Dotenv *ret, Error *err)
{
    if (text.n > DOTENV_BYTES_MAX)
        return error_set(err, ERR_BAD_DATA, "%s has %zu bytes, over the limit of %d", file, text.n,
                         DOTENV_BYTES_MAX);
    if (str_starts(text, STR("\xEF\xBB\xBF")))
        text = str_slice(text, 3, text.n);
    size_t n_equals = count_equals(text);
    Reader r = {.arena = arena, .file = file, .text = text, .line = 1, .err = err};
    r.max = n_equals < DOTENV_VARIABLES_MAX ? n_equals : DOTENV_VARIABLES_MAX;
    r.env.variables = arena_array(arena, r.max, sizeof(*r.env.variables));
    if (check_text(&r) < 0)
        return -1;
    while (r.at < text.n) {
        skip_blanks(&r);
        if (peek(&r) == '#')
            skip_line(&r);
        if (is_break(peek(&r)))
            next_line(&r);
        else if (read_variable(&r) < 0)
            return -1;
    }
    *ret = r.env;
    return 0;
}

Str dotenv_get(const Dotenv *env, const char *name)
{
    for (size_t i = env->n; i > 0; i--)
        if (str_eqz(env->variables[i - 1].name, name))
            return env->variables[i - 1].value;
    return STR_NONE;
}
