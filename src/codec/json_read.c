/* Reads JSON text into a tree: one pass with a stack of open containers, so that depth costs heap
   and not stack.

   Plain and byte by byte on purpose: it is the second opinion that json_scan.c is tested against.
 */

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/json.h"
#include "codec/json_lex.h"
#include "codec/json_priv.h"

typedef struct Reader {
    Arena *arena;
    const JsonLimits *limits;
    Str text;
    size_t at;
    int line;
    size_t line_start;
    size_t n_nodes;
    Json **open; /* containers not closed yet, outermost first */
    size_t n_open;
    size_t open_max;
    Error *err;
} Reader;

static int column(const Reader *r)
{
    return (int)(r->at - r->line_start) + 1;
}

static int peek(const Reader *r)
{
    return r->at < r->text.n ? (unsigned char)r->text.p[r->at] : -1;
}

static int fail(const Reader *r, const char *expected)
{
    int c = peek(r);
    if (c < 0)
        return error_set(r->err, ERR_BAD_DATA,
                         "line %d column %d: expected %s, found the end of the text", r->line,
                         column(r), expected);
    if (c > 0x20 && c < 0x7F)
        return error_set(r->err, ERR_BAD_DATA, "line %d column %d: expected %s, found '%c'",
                         r->line, column(r), expected, c);
    return error_set(r->err, ERR_BAD_DATA, "line %d column %d: expected %s, found byte 0x%02X",
                     r->line, column(r), expected, (unsigned)c);
}

/* Line breaks stand only between tokens (in strings they are escaped), so counting them here is
 * enough. */
static void skip_space(Reader *r)
{
    for (; r->at < r->text.n; r->at++) {
        char c = r->text.p[r->at];
        if (c == '\n') {
            r->line++;
            r->line_start = r->at + 1;
        } else if (c != ' ' && c != '\t' && c != '\r') {
            return;
        }
    }
}

static int check_escape(Reader *r)
{
    r->at++;
    int c = peek(r);
    if (c != 'u') {
        if (c <= 0 || !strchr("\"\\/bfnrt", c))
            return fail(r, "one of \"\\/bfnrtu behind the backslash");
        r->at++;
        return 0;
    }
    r->at++;
    for (int i = 0; i < 4; i++, r->at++) {
        c = peek(r);
        bool is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (!is_hex)
            return fail(r, "four hexadecimal digits behind \\u");
    }
    return 0;
}

/* Reads the string whose quote is at r->at. */
static int read_string(Reader *r, Str *ret)
{
    r->at++;
    size_t from = r->at;
    bool is_escaped = false;
    while (peek(r) != '"') {
        if (peek(r) < 0x20)
            return fail(r, "a string's closing quote (control characters are written \\u00XX)");
        if (peek(r) != '\\') {
            r->at++;
            continue;
        }
        is_escaped = true;
        if (check_escape(r) < 0)
            return -1;
    }
    Str body = str_slice(r->text, from, r->at);
    r->at++;
    if (is_escaped) {
        char *copy = arena_alloc(r->arena, body.n + 1);
        body = (Str){copy, json_lex_unescape(body, copy)};
    }
    *ret = body;
    return 0;
}

static int read_number(Reader *r, Json *node)
{
    Str rest = str_slice(r->text, r->at, r->text.n);
    size_t n = json_lex_number(rest);
    if (n == 0)
        return fail(r, "a number");
    r->at += n;
    node->text = str_slice(rest, 0, n);
    node->type = JSON_INT;
    if (json_lex_i64(node->text, &node->integer))
        return 0;
    node->type = JSON_REAL;
    node->real = json_lex_double(node->text);
    return 0;
}

typedef struct Word {
    Str text;
    JsonType type;
    bool boolean;
    double real;
} Word;

static int read_word(Reader *r, Json *node)
{
    static const Word words[] = {
        {STR("null"), JSON_NULL, false, 0},
        {STR("true"), JSON_BOOL, true, 0},
        {STR("false"), JSON_BOOL, false, 0},
        {STR("NaN"), JSON_REAL, false, NAN},
        {STR("Infinity"), JSON_REAL, false, INFINITY},
        {STR("-Infinity"), JSON_REAL, false, -INFINITY},
    };
    Str rest = str_slice(r->text, r->at, r->text.n);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        const Word *word = &words[i];
        if (!str_starts(rest, word->text) || (word->type == JSON_REAL && !r->limits->allow_nan))
            continue;
        r->at += word->text.n;
        node->type = word->type;
        if (word->type == JSON_BOOL)
            node->boolean = word->boolean;
        if (word->type == JSON_REAL) {
            node->real = word->real;
            node->text = word->text;
        }
        return 0;
    }
    return fail(r, "a value");
}

/* Reads a scalar, or the opening bracket of a container. */
static int read_start(Reader *r, Json *node)
{
    int c = peek(r);
    node->line = r->line;
    node->column = column(r);
    if (++r->n_nodes > r->limits->nodes)
        return error_set(r->err, ERR_BAD_DATA, "line %d column %d: more than %zu values", r->line,
                         column(r), r->limits->nodes);
    if (c == '{' || c == '[') {
        node->type = c == '{' ? JSON_OBJECT : JSON_ARRAY;
        r->at++;
        return 0;
    }
    if (c == '"') {
        node->type = JSON_STRING;
        return read_string(r, &node->text);
    }
    bool is_infinity = c == '-' && r->at + 1 < r->text.n && r->text.p[r->at + 1] == 'I';
    if ((c == '-' && !is_infinity) || (c >= '0' && c <= '9'))
        return read_number(r, node);
    return read_word(r, node);
}

static int read_key(Reader *r, Json *node)
{
    skip_space(r);
    node->key_line = r->line;
    node->key_column = column(r);
    if (peek(r) != '"')
        return fail(r, "a key in double quotes");
    if (read_string(r, &node->key) < 0)
        return -1;
    skip_space(r);
    if (peek(r) != ':')
        return fail(r, "':' behind the key");
    r->at++;
    return 0;
}

static int push(Reader *r, Json *container)
{
    if (r->n_open >= r->limits->depth)
        return error_set(r->err, ERR_BAD_DATA, "line %d column %d: nested deeper than %zu levels",
                         container->line, container->column, r->limits->depth);
    if (r->n_open == r->open_max) {
        r->open_max = r->open_max ? r->open_max * 2 : 16;
        r->open = mem_resize(r->open, r->open_max, sizeof(*r->open));
    }
    r->open[r->n_open++] = container;
    return 0;
}

static int check_keys(const Reader *r, Json *object)
{
    if (r->limits->allow_duplicates) {
        json_drop_duplicates(object);
        return 0;
    }
    const Json *earlier = NULL;
    const Json *later = json_find_duplicate(object, &earlier);
    if (!later)
        return 0;
    char shown[JSON_LEX_SHOWN_MAX];
    return error_set(
        r->err, ERR_BAD_DATA,
        "line %d column %d: expected a new key, found \"%s\" again (first at line %d column %d)",
        later->key_line, later->key_column, json_lex_show(later->key, shown), earlier->key_line,
        earlier->key_column);
}

/* Behind a finished value: closes what ends here. *ret_more tells whether a comma asks for another
 * value. */
static int read_ends(Reader *r, bool *ret_more)
{
    while (r->n_open > 0) {
        Json *container = r->open[r->n_open - 1];
        bool is_object = container->type == JSON_OBJECT;
        skip_space(r);
        if (container->n > 0 && peek(r) == ',') {
            r->at++;
            *ret_more = true;
            return 0;
        }
        if (peek(r) != (is_object ? '}' : ']'))
            return fail(r, is_object ? "',' or '}'" : "',' or ']'");
        r->at++;
        if (is_object && check_keys(r, container) < 0)
            return -1;
        r->n_open--;
    }
    *ret_more = false;
    return 0;
}

/* Reads one value with its key, if it is a member, and hangs it into the innermost container.
 *ret_opened tells whether it is a container that goes on. */
static int read_value(Reader *r, Json **ret, bool *ret_opened)
{
    Json *parent = r->n_open > 0 ? r->open[r->n_open - 1] : NULL;
    Json *node = json_new(r->arena, JSON_NULL);
    if (parent && parent->type == JSON_OBJECT && read_key(r, node) < 0)
        return -1;
    skip_space(r);
    if (read_start(r, node) < 0)
        return -1;
    if (parent)
        json_link(parent, node);
    *ret = node;
    *ret_opened = false;
    if (node->type != JSON_OBJECT && node->type != JSON_ARRAY)
        return 0;
    if (push(r, node) < 0)
        return -1;
    skip_space(r);
    *ret_opened = peek(r) != (node->type == JSON_OBJECT ? '}' : ']');
    return 0;
}

static int read_document(Reader *r, Json **ret)
{
    Json *root = NULL;
    bool more = true;
    while (more) {
        Json *node = NULL;
        bool opened = false;
        if (read_value(r, &node, &opened) < 0)
            return -1;
        if (!root)
            root = node;
        if (!opened && read_ends(r, &more) < 0)
            return -1;
    }
    skip_space(r);
    if (peek(r) >= 0)
        return fail(r, "nothing more");
    *ret = root;
    return 0;
}

/* Bytes that are not UTF-8 may stand anywhere; finding them first keeps the rest simple. */
static int check_utf8(Reader *r)
{
    size_t good = str_utf8_prefix(r->text);
    if (good == r->text.n)
        return 0;
    for (size_t i = 0; i < good; i++)
        if (r->text.p[i] == '\n') {
            r->line++;
            r->line_start = i + 1;
        }
    r->at = good;
    return fail(r, "UTF-8");
}

int json_parse(Arena *arena, Str text, const JsonLimits *limits, Json **ret, Error *err)
{
    if (text.n > limits->bytes)
        return error_set(err, ERR_BAD_DATA, "the document has %zu bytes, over the limit of %zu",
                         text.n, limits->bytes);
    Reader reader = {.arena = arena, .limits = limits, .text = text, .line = 1, .err = err};
    int status = check_utf8(&reader);
    if (status == 0)
        status = read_document(&reader, ret);
    free(reader.open);
    return status;
}
