/* Writes a tree as YAML in block style. Strings stand plain only when no reader of any version of
   YAML could take them for something else, long texts as literal blocks, all others in double
   quotes. */

#include <math.h>

#include "codec/json_lex.h"
#include "codec/json_out.h"
#include "codec/yaml.h"

/* Readers give up looking for the ':' behind a key after 1024 characters. */
enum { INDENT = 2, SIMPLE_KEY_MAX = 1000 };

static const char *const reserved[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};

static bool is_reserved(Str s)
{
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
        if (str_eq_nocase(s, str_of(reserved[i])))
            return true;
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_plain(Str s)
{
    if (s.n == 0 || !(is_letter(s.p[0]) || s.p[0] == '/') || s.p[s.n - 1] == ' ' ||
        s.p[s.n - 1] == ':')
        return false;
    for (size_t i = 1; i < s.n; i++) {
        char c = s.p[i];
        bool is_safe = is_letter(c) || (c >= '0' && c <= '9') || strchr("./@+=-(),", c) ||
                       (c == ' ' && s.p[i - 1] != ' ') || (c == ':' && s.p[i + 1] != ' ');
        if (c == '\0' || !is_safe)
            return false;
    }
    return !is_reserved(s);
}

/* Code points above ASCII that YAML prints as they are; the rest are breaks, marks and controls. */
static bool is_printable(uint32_t code)
{
    return code >= 0xA0 && code != 0x2028 && code != 0x2029 && code != 0xFEFF && code != 0xFFFE &&
           code != 0xFFFF;
}

/* Decodes the code point at s.p[i] and its length; a bad byte is U+FFFD of length 1. */
static uint32_t code_at(Str s, size_t i, size_t *ret_len)
{
    const unsigned char *p = (const unsigned char *)s.p + i;
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (str_utf8_prefix(str_slice(s, i, i + len)) != len) {
        *ret_len = 1;
        return 0xFFFD;
    }
    *ret_len = len;
    if (len == 1)
        return p[0];
    uint32_t code = p[0] & (0xFFU >> (len + 1));
    for (size_t k = 1; k < len; k++)
        code = code << 6 | (p[k] & 0x3F);
    return code;
}

static void add_quoted(Buf *buf, Str s)
{
    buf_addc(buf, '"');
    size_t len = 0;
    for (size_t i = 0; i < s.n; i += len) {
        uint32_t code = code_at(s, i, &len);
        if (code == '"' || code == '\\')
            buf_printf(buf, "\\%c", (int)code);
        else if (code == '\n')
            buf_addz(buf, "\\n");
        else if (code == '\t')
            buf_addz(buf, "\\t");
        else if (code >= 0x20 && code < 0x7F)
            buf_addc(buf, (char)code);
        else if (code < 0x80 || !is_printable(code))
            buf_printf(buf, "\\u%04X", (unsigned)code);
        else if (len == 1)
            buf_addz(buf, "\xEF\xBF\xBD");
        else
            buf_add(buf, s.p + i, len);
    }
    buf_addc(buf, '"');
}

/* A text of several lines that a literal block gives back byte for byte. */
static bool fits_block(Str s)
{
    if (str_find(s, '\n') < 0 || s.p[0] == ' ' || s.p[0] == '\n' || str_ends(s, STR("\n\n")))
        return false;
    size_t len = 0;
    for (size_t i = 0; i < s.n; i += len) {
        uint32_t code = code_at(s, i, &len);
        bool is_text =
            code == '\n' || (code >= 0x20 && code < 0x7F) || (len > 1 && is_printable(code));
        if (!is_text)
            return false;
        if (code == ' ' && (i + 1 == s.n || s.p[i + 1] == '\n'))
            return false;
    }
    return true;
}

static void indent(Buf *buf, int depth)
{
    for (int i = 0; i < depth * INDENT; i++)
        buf_addc(buf, ' ');
}

static void add_block(Buf *buf, Str s, int depth)
{
    bool ends_line = s.p[s.n - 1] == '\n';
    buf_addz(buf, ends_line ? "|\n" : "|-\n");
    Str rest = ends_line ? str_slice(s, 0, s.n - 1) : s;
    Str line = STR_NONE;
    while (str_split(&rest, '\n', &line)) {
        if (line.n > 0)
            indent(buf, depth);
        buf_add_str(buf, line);
        buf_addc(buf, '\n');
    }
}

static void add_string(Buf *buf, Str s, int depth)
{
    if (fits_block(s)) {
        add_block(buf, s, depth > 0 ? depth : 1);
        return;
    }
    if (is_plain(s))
        buf_add_str(buf, s);
    else
        add_quoted(buf, s);
    buf_addc(buf, '\n');
}

static void add_real(Buf *buf, double value)
{
    if (isnan(value)) {
        buf_addz(buf, ".nan");
    } else if (isinf(value)) {
        buf_addz(buf, value > 0 ? ".inf" : "-.inf");
    } else {
        JsonOut out;
        json_out_init(&out, buf, 0);
        json_out_real(&out, value);
    }
}

static void add_scalar(Buf *buf, const Json *node, int depth)
{
    if (node->type == JSON_STRING) {
        add_string(buf, node->text, depth);
        return;
    }
    bool is_number = node->type == JSON_INT || node->type == JSON_REAL;
    if (is_number && json_lex_is_number(node->text))
        buf_add_str(buf, node->text);
    else if (node->type == JSON_INT)
        buf_add_i64(buf, node->integer);
    else if (node->type == JSON_REAL)
        add_real(buf, node->real);
    else if (node->type == JSON_BOOL)
        buf_addz(buf, node->boolean ? "true" : "false");
    else
        buf_addz(buf, "null");
    buf_addc(buf, '\n');
}

static void add_value(Buf *buf, const Json *node, int depth, bool is_in_list);

static void add_key(Buf *buf, Str key)
{
    auto_buf Buf text = BUF_INIT(buf->max);
    if (is_plain(key))
        buf_add_str(&text, key);
    else
        add_quoted(&text, key);
    bool is_simple = text.len <= SIMPLE_KEY_MAX;
    buf_addz(buf, is_simple ? "" : "? ");
    buf_add_str(buf, buf_str(&text));
    if (text.overflowed)
        buf->overflowed = true;
}

static void add_members(Buf *buf, const Json *node, int depth, bool starts_on_line)
{
    for (const Json *child = node->first; child; child = child->next) {
        if (child != node->first || !starts_on_line)
            indent(buf, depth);
        size_t from = buf->len;
        add_key(buf, child->key);
        bool is_explicit = buf->len > from && buf->data[from] == '?';
        if (is_explicit) {
            buf_addc(buf, '\n');
            indent(buf, depth);
        }
        buf_addc(buf, ':');
        add_value(buf, child, depth + 1, false);
    }
}

static void add_items(Buf *buf, const Json *node, int depth, bool starts_on_line)
{
    for (const Json *child = node->first; child; child = child->next) {
        if (child != node->first || !starts_on_line)
            indent(buf, depth);
        buf_addc(buf, '-');
        add_value(buf, child, depth + 1, true);
    }
}

/* Adds what follows "key:" or "-"; a container in a list begins on the line of its "-". */
static void add_value(Buf *buf, const Json *node, int depth, bool is_in_list)
{
    bool is_container = node->type == JSON_ARRAY || node->type == JSON_OBJECT;
    if (!is_container) {
        buf_addc(buf, ' ');
        add_scalar(buf, node, depth);
        return;
    }
    if (node->n == 0) {
        buf_addz(buf, node->type == JSON_ARRAY ? " []\n" : " {}\n");
        return;
    }
    buf_addc(buf, is_in_list ? ' ' : '\n');
    if (node->type == JSON_ARRAY)
        add_items(buf, node, depth, is_in_list);
    else
        add_members(buf, node, depth, is_in_list);
}

void yaml_write(Buf *buf, const Json *node)
{
    if (node->n > 0 && node->type == JSON_OBJECT)
        add_members(buf, node, 0, false);
    else if (node->n > 0 && node->type == JSON_ARRAY)
        add_items(buf, node, 0, false);
    else if (node->type == JSON_OBJECT || node->type == JSON_ARRAY)
        buf_addz(buf, node->type == JSON_ARRAY ? "[]\n" : "{}\n");
    else
        add_scalar(buf, node, 0);
}
