/* Texts out of JSON. Images and other data are left out, long texts are fetched from where they are
   kept ("attachment://<key>"). */

#include "warehouse/search/search_text.h"

#include "base/arena.h"
#include "codec/json_scan.h"

enum { DEPTH_MAX = 40, KEY_MAX = 200 };

static bool is_full(const SearchText *text)
{
    return text->out->len + 1 >= text->out->max;
}

static void add(SearchText *text, Str plain)
{
    size_t room = text->out->max - text->out->len;
    if (plain.n + 1 > room)
        plain.n = room > 1 ? str_utf8_prefix(str_slice(plain, 0, room - 1)) : 0;
    if (plain.n == 0)
        return;
    buf_add_str(text->out, plain);
    buf_addc(text->out, '\n');
}

int search_text_plain(SearchText *text, Str plain, Error *err)
{
    Str prefix = STR("attachment://");
    if (str_starts(plain, str_of("data:")) &&
        str_find_str(str_slice(plain, 0, 100), STR(";base64,")) > 0)
        return 0;
    if (!str_starts(plain, prefix) || plain.n > prefix.n + KEY_MAX || !text->attachment) {
        add(text, plain);
        return 0;
    }
    if (text->attachment(text->context, str_slice(plain, prefix.n, plain.n), text->out, err) < 0)
        return -1;
    if (!is_full(text))
        buf_addc(text->out, '\n');
    return 0;
}

static int add_string(SearchText *text, Str raw, Error *err)
{
    auto_arena Arena *arena = arena_new();
    Str plain = STR_NONE;
    return json_scan_str(raw, arena, &plain) ? search_text_plain(text, plain, err) : 0;
}

/* Appends any value; the scan stands before it. */
static int add_value(SearchText *text, JsonScan *scan, int depth, Error *err)
{
    Str raw = STR_NONE;
    Str key = STR_NONE;
    int result = 0;
    JsonScanKind kind = json_scan_kind(scan);
    if (is_full(text) || depth == DEPTH_MAX || kind == JSON_SCAN_NULL) {
        (void)json_scan_skip(scan, NULL);
    } else if (kind == JSON_SCAN_OBJECT) {
        (void)json_scan_object(scan);
        while (result == 0 && json_scan_member(scan, &key)) {
            add(text, key);
            result = add_value(text, scan, depth + 1, err);
        }
    } else if (kind == JSON_SCAN_ARRAY) {
        (void)json_scan_array(scan);
        while (result == 0 && json_scan_item(scan))
            result = add_value(text, scan, depth + 1, err);
    } else if (json_scan_skip(scan, &raw)) {
        if (kind == JSON_SCAN_STRING)
            return add_string(text, raw, err);
        add(text, raw);
    }
    return result;
}

int search_text_any(SearchText *text, Str json, Error *err)
{
    JsonScan scan;
    json_scan_init(&scan, json, true);
    return json.p ? add_value(text, &scan, 0, err) : 0;
}

/* The members of a message and of the items of its content that are read. */
static const char *const item_keys[] = {"text", "reasoning", "summary"};

static int add_item(SearchText *text, Str raw, Error *err)
{
    Str value = STR_NONE;
    for (size_t i = 0; i < ARRAY_LEN(item_keys); i++)
        if (json_scan_get(raw, item_keys[i], &value) && add_string(text, value, err) < 0)
            return -1;
    return 0;
}

static int add_content(SearchText *text, Str raw, Error *err)
{
    JsonScan scan;
    Str item = STR_NONE;
    if (json_scan_kind_of(raw) == JSON_SCAN_STRING)
        return add_string(text, raw, err);
    json_scan_init(&scan, raw, true);
    if (json_scan_kind_of(raw) != JSON_SCAN_ARRAY || !json_scan_array(&scan))
        return 0;
    while (!is_full(text) && json_scan_item(&scan) && json_scan_skip(&scan, &item))
        if (add_item(text, item, err) < 0)
            return -1;
    return 0;
}

static int add_calls(SearchText *text, Str raw, Error *err)
{
    JsonScan scan;
    Str call = STR_NONE;
    Str part = STR_NONE;
    json_scan_init(&scan, raw, true);
    if (json_scan_kind_of(raw) != JSON_SCAN_ARRAY || !json_scan_array(&scan))
        return 0;
    while (!is_full(text) && json_scan_item(&scan) && json_scan_skip(&scan, &call)) {
        if (json_scan_get(call, "function", &part) && add_string(text, part, err) < 0)
            return -1;
        if (json_scan_get(call, "arguments", &part) && search_text_any(text, part, err) < 0)
            return -1;
    }
    return 0;
}

int search_text_message(SearchText *text, Str json, Error *err)
{
    Str part = STR_NONE;
    if (json_scan_get(json, "content", &part) && add_content(text, part, err) < 0)
        return -1;
    if (json_scan_get(json, "tool_calls", &part) && add_calls(text, part, err) < 0)
        return -1;
    if (json_scan_get(json, "error", &part))
        return search_text_any(text, part, err);
    return 0;
}

Str search_text_cut(Str text)
{
    text = str_trim(text);
    size_t n_chars = 0;
    size_t at = 0;
    while (at < text.n && n_chars <= SEARCH_TEXT_MAX_CHARS) {
        n_chars += ((unsigned char)text.p[at] & 0xC0) != 0x80;
        if (n_chars > SEARCH_TEXT_MAX_CHARS)
            break;
        at++;
    }
    return str_slice(text, 0, at);
}
