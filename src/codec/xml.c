/* One pass without looking back: a path of open elements and the text of the innermost. */

#include "codec/xml.h"

typedef struct Xml {
    Str all;
    size_t at;
    Buf path;
    Buf text;
    size_t depth;
    bool has_children; /* of the innermost open element, so far */
    XmlElement *element;
    void *context;
} Xml;

typedef struct EntityRow {
    const char *name;
    char c;
} EntityRow;

static const EntityRow entities[] = {
    {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''},
};

static int fail(const Xml *xml, const char *what, Error *err)
{
    return error_set(err, ERR_BAD_DATA, "not the XML expected: %s at byte %zu", what, xml->at);
}

static int peek(const Xml *xml)
{
    return xml->at < xml->all.n ? (unsigned char)xml->all.p[xml->at] : -1;
}

static bool is_space(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == ':' || c >= 0x80;
}

static void skip_space(Xml *xml)
{
    while (is_space(peek(xml)))
        xml->at++;
}

/* Moves behind a text when it is next. */
static bool accept(Xml *xml, Str text)
{
    if (!str_starts(str_slice(xml->all, xml->at, xml->all.n), text))
        return false;
    xml->at += text.n;
    return true;
}

static Str read_name(Xml *xml)
{
    size_t from = xml->at;
    while (is_name(peek(xml)))
        xml->at++;
    return str_slice(xml->all, from, xml->at);
}

static void add_utf8(Buf *buf, uint32_t c)
{
    if (c < 0x80) {
        buf_addc(buf, (char)c);
        return;
    }
    if (c < 0x800) {
        buf_addc(buf, (char)(0xc0 | (c >> 6)));
    } else if (c < 0x10000) {
        buf_addc(buf, (char)(0xe0 | (c >> 12)));
        buf_addc(buf, (char)(0x80 | ((c >> 6) & 0x3f)));
    } else {
        buf_addc(buf, (char)(0xf0 | (c >> 18)));
        buf_addc(buf, (char)(0x80 | ((c >> 12) & 0x3f)));
        buf_addc(buf, (char)(0x80 | ((c >> 6) & 0x3f)));
    }
    buf_addc(buf, (char)(0x80 | (c & 0x3f)));
}

/* "#10" or "#xA"; 0 when it is no character. Those that XML 1.0 forbids are let through: services
   do write them, for names that hold them. */
static uint32_t read_number(Str digits)
{
    uint32_t base = str_starts(digits, STR("x")) ? 16 : 10;
    uint32_t c = 0;
    size_t from = base == 16 ? 1 : 0;
    if (digits.n == from || digits.n > from + 7)
        return 0;
    for (size_t i = from; i < digits.n; i++) {
        char d = digits.p[i];
        char lower = (char)(d | 0x20);
        if (d >= '0' && d <= '9')
            c = c * base + (uint32_t)(d - '0');
        else if (base == 16 && lower >= 'a' && lower <= 'f')
            c = c * base + (uint32_t)(lower - 'a' + 10);
        else
            return 0;
    }
    return c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : c;
}

/* Behind '&'. */
static int read_entity(Xml *xml, Error *err)
{
    Str rest = str_slice(xml->all, xml->at, xml->at + 12);
    ptrdiff_t end = str_find(rest, ';');
    if (end < 0)
        return fail(xml, "an entity without end", err);
    Str name = str_slice(rest, 0, (size_t)end);
    xml->at += (size_t)end + 1;
    if (str_starts(name, STR("#"))) {
        uint32_t c = read_number(str_slice(name, 1, name.n));
        if (c == 0)
            return fail(xml, "a number that is no character", err);
        add_utf8(&xml->text, c);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(entities); i++) {
        if (str_eqz(name, entities[i].name)) {
            buf_addc(&xml->text, entities[i].c);
            return 0;
        }
    }
    return fail(xml, "an unknown entity", err);
}

/* Up to the next '<'. */
static int read_text(Xml *xml, Error *err)
{
    for (int c = peek(xml); c >= 0 && c != '<'; c = peek(xml)) {
        xml->at++;
        if (c == '\0')
            return fail(xml, "a NUL", err);
        if (c != '&')
            buf_addc(&xml->text, (char)c);
        else if (read_entity(xml, err) < 0)
            return -1;
        if (xml->text.overflowed)
            return fail(xml, "a text that is too long", err);
    }
    return 0;
}

static int skip_attributes(Xml *xml, Error *err)
{
    for (skip_space(xml); is_name(peek(xml)); skip_space(xml)) {
        (void)read_name(xml);
        int quote = accept(xml, STR("=")) ? peek(xml) : -1;
        if (quote != '"' && quote != '\'')
            return fail(xml, "an attribute without a value", err);
        Str rest = str_slice(xml->all, xml->at + 1, xml->all.n);
        ptrdiff_t end = str_find(rest, (char)quote);
        if (end < 0 || str_find(str_slice(rest, 0, (size_t)end), '<') >= 0)
            return fail(xml, "an attribute without end", err);
        xml->at += (size_t)end + 2;
        if (peek(xml) >= 0 && is_name(peek(xml)))
            return fail(xml, "an attribute right behind another", err);
    }
    return 0;
}

/* Only white space may stand beside elements. */
static int check_between(const Xml *xml, Error *err)
{
    return str_trim(buf_str(&xml->text)).n > 0 ? fail(xml, "text beside elements", err) : 0;
}

static int end_element(Xml *xml, Error *err)
{
    if (xml->has_children) {
        if (check_between(xml, err) < 0)
            return -1;
        buf_reset(&xml->text);
    }
    if (xml->element(xml->context, buf_str(&xml->path), buf_str(&xml->text), err) < 0)
        return -1;
    ptrdiff_t slash = str_rfind(buf_str(&xml->path), '/');
    buf_truncate(&xml->path, slash < 0 ? 0 : (size_t)slash);
    buf_reset(&xml->text);
    xml->depth--;
    xml->has_children = true;
    return 0;
}

/* Behind '<'. */
static int begin_element(Xml *xml, Error *err)
{
    if (check_between(xml, err) < 0)
        return -1;
    if (xml->depth == 0 && xml->has_children)
        return fail(xml, "a second document", err);
    Str name = read_name(xml);
    if (name.n == 0)
        return fail(xml, "a tag without a name", err);
    if (++xml->depth > XML_DEPTH_MAX)
        return fail(xml, "an element that lies too deep", err);
    if (xml->path.len > 0)
        buf_addc(&xml->path, '/');
    buf_add_str(&xml->path, name);
    if (xml->path.overflowed)
        return fail(xml, "a name that is too long", err);
    buf_reset(&xml->text);
    xml->has_children = false;
    if (skip_attributes(xml, err) < 0)
        return -1;
    if (accept(xml, STR("/>")))
        return end_element(xml, err);
    return accept(xml, STR(">")) ? 0 : fail(xml, "a tag without end", err);
}

/* Behind "</". */
static int close_element(Xml *xml, Error *err)
{
    Str name = read_name(xml);
    Str open = buf_str(&xml->path);
    open = str_slice(open, (size_t)(str_rfind(open, '/') + 1), open.n);
    skip_space(xml);
    if (xml->depth == 0 || !str_eq(name, open) || !accept(xml, STR(">")))
        return fail(xml, "the end of another element", err);
    return end_element(xml, err);
}

static int read_document(Xml *xml, Error *err)
{
    (void)accept(xml, STR("\xef\xbb\xbf"));
    if (accept(xml, STR("<?xml "))) {
        ptrdiff_t end = str_find_str(str_slice(xml->all, xml->at, xml->at + 256), STR("?>"));
        if (end < 0)
            return fail(xml, "a declaration without end", err);
        xml->at += (size_t)end + 2;
    }
    skip_space(xml);
    if (peek(xml) != '<')
        return fail(xml, "no element", err);
    while (xml->at < xml->all.n) {
        if (read_text(xml, err) < 0)
            return -1;
        if (xml->depth == 0 && check_between(xml, err) < 0)
            return -1;
        if (!accept(xml, STR("<")))
            break;
        if ((accept(xml, STR("/")) ? close_element(xml, err) : begin_element(xml, err)) < 0)
            return -1;
    }
    return xml->depth > 0 ? fail(xml, "an element without end", err) : 0;
}

int xml_read(Str document, XmlElement *element, void *context, Error *err)
{
    if (!str_is_utf8(document))
        return error_set(err, ERR_BAD_DATA, "not the XML expected: it is not UTF-8");
    Xml xml = {.all = document,
               .path = BUF_INIT(XML_PATH_MAX),
               .text = BUF_INIT(XML_TEXT_MAX),
               .element = element,
               .context = context};
    int result = read_document(&xml, err);
    buf_release(&xml.path);
    buf_release(&xml.text);
    return result;
}

void xml_add_text(Buf *buf, Str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '&')
            buf_addz(buf, "&amp;");
        else if (c == '<')
            buf_addz(buf, "&lt;");
        else if (c == '>')
            buf_addz(buf, "&gt;");
        else if ((unsigned char)c < 0x20)
            buf_printf(buf, "&#%d;", c);
        else
            buf_addc(buf, c);
    }
}
