/* Messages without their long texts, as Inspect condenses those of events: what is over 100
   characters becomes attachment://<hash of it>, once for a sample.

   Which texts of a message count is told by shapes: a shape says of each member what is inside it.
 */

#include "codec/json_scan.h"
#include "warehouse/rows/rows_priv.h"

enum { CHARS_MAX = 100 }; /* longer texts stand elsewhere */

typedef enum Shape {
    PLAIN, /* nothing in it counts */
    TEXT,  /* a string counts */
    DEEP,  /* every string in it counts */
    MESSAGE,
    CONTENT, /* a text, or items */
    ITEM,
    CALLS,
    CALL,
    VIEW,
} Shape;

typedef struct ShapeRow {
    Str key; /* STR_NONE: an item of an array */
    Shape of;
    Shape inside;
} ShapeRow;

/* clang-format off */
static const ShapeRow shapes[] = {
    { { "content",    7 },  MESSAGE, CONTENT },
    { { "tool_calls", 10 }, MESSAGE, CALLS },
    { { NULL,         0 },  CONTENT, ITEM },
    { { "text",       4 },  ITEM,    TEXT },
    { { "reasoning",  9 },  ITEM,    TEXT },
    { { "image",      5 },  ITEM,    TEXT },
    { { "audio",      5 },  ITEM,    TEXT },
    { { "video",      5 },  ITEM,    TEXT },
    { { "document",   8 },  ITEM,    TEXT },
    { { "error",      5 },  ITEM,    TEXT },
    { { "arguments",  9 },  ITEM,    DEEP },
    { { "result",     6 },  ITEM,    DEEP },
    { { "data",       4 },  ITEM,    DEEP },
    { { NULL,         0 },  CALLS,   CALL },
    { { "arguments",  9 },  CALL,    DEEP },
    { { "view",       4 },  CALL,    VIEW },
    { { "content",    7 },  VIEW,    TEXT },
};
/* clang-format on */

typedef struct Walk {
    RowsMaker *maker;
    Buf *out;
    Error *err;
    bool has_failed;
    bool has_attachment;
    bool has_plain_calls;
} Walk;

static Shape shape_inside(Shape shape, Str key)
{
    if (shape == DEEP)
        return DEEP;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
        if (shapes[i].of == shape && shapes[i].key.n == key.n &&
            (key.n == 0 || memcmp(shapes[i].key.p, key.p, key.n) == 0))
            return shapes[i].inside;
    return PLAIN;
}

/* Whether a string, with its quotes, is too long for its place. */
static bool is_long(Str raw, Arena *arena, Str *ret_text)
{
    if (raw.n <= CHARS_MAX + 2 || !json_scan_str(raw, arena, ret_text))
        return false;
    size_t n = 0;
    for (size_t i = 0; i < ret_text->n && n <= CHARS_MAX; i++)
        n += ((unsigned char)ret_text->p[i] & 0xC0) != 0x80;
    return n > CHARS_MAX;
}

static void write_string(Walk *walk, Str raw)
{
    Str text = STR_NONE;
    char hex[MURMUR3_HEX_MAX];
    if (!is_long(raw, walk->maker->scratch, &text)) {
        buf_add_str(walk->out, raw);
        return;
    }
    (void)murmur3_hex(murmur3_of(text), hex);
    buf_printf(walk->out, "\"attachment://%s\"", hex);
    walk->has_attachment = true;
    if (!walk->has_failed && rows_put_attachment(walk->maker, str_of(hex), text, walk->err) < 0)
        walk->has_failed = true;
}

static void walk_value(Walk *walk, JsonScan *scan, Shape shape);

static void walk_object(Walk *walk, JsonScan *scan, Shape shape)
{
    Str key = STR_NONE;
    bool is_first = true;
    buf_addc(walk->out, '{');
    (void)json_scan_object(scan);
    while (json_scan_member(scan, &key)) {
        buf_addz(walk->out, is_first ? "\"" : ",\"");
        is_first = false;
        buf_add_str(walk->out, key);
        buf_addz(walk->out, "\":");
        Shape inside = shape_inside(shape, key);
        walk_value(walk, scan, inside == CALLS && walk->has_plain_calls ? PLAIN : inside);
    }
    buf_addc(walk->out, '}');
}

static void walk_array(Walk *walk, JsonScan *scan, Shape shape)
{
    bool is_first = true;
    buf_addc(walk->out, '[');
    (void)json_scan_array(scan);
    while (json_scan_item(scan)) {
        if (!is_first)
            buf_addc(walk->out, ',');
        is_first = false;
        walk_value(walk, scan, shape_inside(shape, STR_NONE));
    }
    buf_addc(walk->out, ']');
}

static void walk_value(Walk *walk, JsonScan *scan, Shape shape)
{
    JsonScanKind kind = json_scan_kind(scan);
    Str raw = STR_NONE;
    if (shape != PLAIN && kind == JSON_SCAN_OBJECT)
        walk_object(walk, scan, shape);
    else if (shape != PLAIN && kind == JSON_SCAN_ARRAY)
        walk_array(walk, scan, shape);
    else if (!json_scan_skip(scan, &raw))
        return;
    else if (kind == JSON_SCAN_STRING && (shape == TEXT || shape == DEEP || shape == CONTENT))
        write_string(walk, raw);
    else
        buf_add_str(walk->out, raw);
}

/* Inspect leaves the tool calls of a message alone whose content is one text. */
static bool has_plain_calls(Str message)
{
    Str content = STR_NONE;
    return json_scan_get(message, "content", &content) &&
           json_scan_kind_of(content) == JSON_SCAN_STRING;
}

int rows_condense(RowsMaker *maker, Str message, Str *ret, Error *err)
{
    *ret = message;
    if (message.n <= CHARS_MAX + 2 || json_scan_kind_of(message) != JSON_SCAN_OBJECT)
        return 0;
    Walk walk = {.maker = maker,
                 .out = &maker->text,
                 .err = err,
                 .has_plain_calls = has_plain_calls(message)};
    JsonScan scan;
    buf_reset(&maker->text);
    json_scan_init(&scan, message, true);
    walk_object(&walk, &scan, MESSAGE);
    if (walk.has_failed)
        return -1;
    if (walk.has_attachment && !maker->text.overflowed)
        *ret = arena_str(maker->scratch, buf_str(&maker->text));
    return 0;
}
