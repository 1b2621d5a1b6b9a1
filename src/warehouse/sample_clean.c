/* Makes JSON from logs fit for databases: see sample_row_clean. */

#include "base/mem.h"
#include "codec/json_scan.h"
#include "warehouse/sample_row.h"

enum { VALUE_MAX = 64 * 1024 * 1024 };

static const char *type_name(Str json)
{
    switch (json_scan_kind_of(json)) {
    case JSON_SCAN_STRING: return "string";
    case JSON_SCAN_ARRAY: return "array";
    case JSON_SCAN_OBJECT: return "object";
    default: return "number";
    }
}

static Str externalized(Str json, const char *field, Arena *arena)
{
    const char *note = arena_printf(
        arena,
        "{\"__hawk_externalized__\":{\"v\":1,\"field\":\"%s\",\"original_type\":\"%s\","
        "\"byte_len\":%zu,\"storage\":{\"backend\":\"eval_file\"}}}",
        field, type_name(json), json.n);
    return str_of(note);
}

static int hex_of(const char *p)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : 0;
        value = value * 16 + digit;
    }
    return value;
}

static bool is_escape(const char *p, const char *end)
{
    return end - p >= 6 && p[0] == '\\' && p[1] == 'u';
}

/* Copies the escape at p in a string; returns what comes behind it. */
static const char *clean_escape(const char *p, const char *end, char **out)
{
    static const char replacement[] = "\\ufffd";
    if (!is_escape(p, end)) {
        size_t n = end - p >= 2 ? 2 : 1;
        memcpy(*out, p, n);
        *out += n;
        return p + n;
    }
    int unit = hex_of(p + 2);
    if (unit == 0)
        return p + 6;
    size_t n = 6;
    const char *from = p;
    bool is_pair = unit >= 0xd800 && unit < 0xdc00 && is_escape(p + 6, end) &&
                   hex_of(p + 8) >= 0xdc00 && hex_of(p + 8) < 0xe000;
    if (is_pair)
        n = 12;
    else if (unit >= 0xd800 && unit < 0xe000)
        from = replacement;
    memcpy(*out, from, n);
    *out += n;
    return p + n;
}

/* Whether there may be something to clean; a false alarm only costs a copy. */
static bool is_suspect(Str json)
{
    static const char *const signs[] = {"\\u0000", "\\ud", "\\uD", "NaN", "Infinity"};
    for (size_t i = 0; i < ARRAY_LEN(signs); i++)
        if (memmem(json.p, json.n, signs[i], strlen(signs[i])))
            return true;
    return false;
}

Str sample_row_clean(Str json, const char *field, Arena *arena)
{
    if (!json.p)
        return json;
    if (json.n > VALUE_MAX)
        return externalized(json, field, arena);
    if (!is_suspect(json))
        return json;
    char *start = arena_alloc(arena, json.n * 2 + 1); /* "NaN" grows by one */
    char *out = start;
    const char *end = json.p + json.n;
    const Str null = STR("null");
    bool in_string = false;
    for (const char *p = json.p; p < end;) {
        if (in_string && *p == '\\') {
            p = clean_escape(p, end, &out);
            continue;
        }
        if (*p == '"')
            in_string = !in_string;
        if (!in_string && (*p == 'N' || *p == 'I' || (*p == '-' && p + 1 < end && p[1] == 'I'))) {
            memcpy(out, null.p, null.n);
            out += null.n;
            while (p < end && (*p == '-' || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z')))
                p++;
            continue;
        }
        *out++ = *p++;
    }
    return (Str){start, (size_t)(out - start)};
}

Str sample_row_clean_text(Str text, Arena *arena)
{
    if (!text.p || !memchr(text.p, '\0', text.n))
        return text;
    char *out = arena_alloc(arena, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] != '\0')
            out[n++] = text.p[i];
    return (Str){out, n};
}
