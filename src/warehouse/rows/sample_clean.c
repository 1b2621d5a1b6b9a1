/* Almost nothing in a log needs cleaning, so the search for what does is the part that counts. */

#include "warehouse/rows/sample_clean.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/buf.h"
#include "base/mem.h"
#include "codec/json_out.h"
#include "codec/json_scan.h"

enum {
    KEYS_MAX = 1000,     /* that a note lists */
    DIGITS_MAX = 1000,   /* of a number; databases have their ceilings, and Python reads infinity */
    EXPONENT_DIGITS = 3, /* more are beyond a double */
    NOTE_MAX = 16 * 1024 * 1024,
};

static const char *type_name(Str json)
{
    switch (json_scan_kind_of(json)) {
    case JSON_SCAN_STRING: return "string";
    case JSON_SCAN_ARRAY: return "array";
    case JSON_SCAN_OBJECT: return "object";
    case JSON_SCAN_BOOL: return "boolean";
    default: return "number";
    }
}

/* Bytes of the value without white space between tokens and with each character as itself. */
static size_t compact_size(Str json)
{
    size_t n = 0;
    bool in_string = false;
    for (size_t i = 0; i < json.n; i++) {
        char c = json.p[i];
        if (in_string && c == '\\') {
            bool is_unit = i + 1 < json.n && json.p[i + 1] == 'u';
            n += 2; /* exact for the short ones, about right for the others */
            i += is_unit ? 5 : 1;
            continue;
        }
        in_string = (c == '"') != in_string;
        n += in_string || (c != ' ' && c != '\n' && c != '\r' && c != '\t');
    }
    return n;
}

static size_t count_members(Str json)
{
    JsonScan scan;
    Str key = STR_NONE;
    size_t n = 0;
    json_scan_init(&scan, json, true);
    (void)json_scan_object(&scan);
    while (json_scan_member(&scan, &key))
        n++;
    return n;
}

static void write_keys(JsonOut *out, Str json)
{
    JsonScan scan;
    Str key = STR_NONE;
    size_t n = count_members(json);
    if (n > KEYS_MAX) {
        json_out_kv_int(out, "key_count", (int64_t)n);
        return;
    }
    json_scan_init(&scan, json, true);
    (void)json_scan_object(&scan);
    json_out_kv_array(out, "keys");
    while (json_scan_member(&scan, &key))
        json_out_raw(out, json_scan_key_raw(key));
    json_out_end_array(out);
}

static Str note(Str json, const char *field, size_t n, Arena *arena)
{
    auto_buf Buf text = BUF_INIT(NOTE_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    json_out_object(&out);
    json_out_kv_object(&out, "__hawk_externalized__");
    json_out_kv_int(&out, "v", 1);
    json_out_kvz(&out, "field", field);
    json_out_kvz(&out, "original_type", type_name(json));
    json_out_kv_int(&out, "byte_len", (int64_t)n);
    json_out_kv_object(&out, "storage");
    json_out_kvz(&out, "backend", "eval_file");
    json_out_end_object(&out);
    if (json_scan_kind_of(json) == JSON_SCAN_OBJECT)
        write_keys(&out, json);
    json_out_end_object(&out);
    json_out_end_object(&out);
    return text.overflowed ? STR("null") : arena_str(arena, buf_str(&text));
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

static bool is_number_char(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* Copies the number at p, or null for one that is out of all measure. */
static const char *clean_number(const char *p, const char *end, char **out)
{
    const char *from = p;
    size_t n_exponent = 0;
    bool in_exponent = false;
    for (; p < end && is_number_char(*p); p++) {
        n_exponent += in_exponent && *p >= '0' && *p <= '9';
        in_exponent = in_exponent || *p == 'e' || *p == 'E';
    }
    bool is_kept = p - from <= DIGITS_MAX && n_exponent <= EXPONENT_DIGITS;
    Str text = is_kept ? (Str){from, (size_t)(p - from)} : STR("null");
    memcpy(*out, text.p, text.n);
    *out += text.n;
    return p;
}

/* Passes over NaN, Infinity or -Infinity. */
static const char *clean_word(const char *p, const char *end, char **out)
{
    const Str null = STR("null");
    memcpy(*out, null.p, null.n);
    *out += null.n;
    while (p < end && (*p == '-' || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z')))
        p++;
    return p;
}

static Str clean(Str json, Arena *arena)
{
    char *start = arena_alloc(arena, json.n * 2 + 1); /* "NaN" grows by one */
    char *out = start;
    const char *end = json.p + json.n;
    bool in_string = false;
    for (const char *p = json.p; p < end;) {
        if (in_string && *p == '\\') {
            p = clean_escape(p, end, &out);
            continue;
        }
        if (*p == '"')
            in_string = !in_string;
        bool is_word =
            !in_string && (*p == 'N' || *p == 'I' || (*p == '-' && p + 1 < end && p[1] == 'I'));
        if (is_word)
            p = clean_word(p, end, &out);
        else if (!in_string && (*p == '-' || (*p >= '0' && *p <= '9')))
            p = clean_number(p, end, &out);
        else
            *out++ = *p++;
    }
    return (Str){start, (size_t)(out - start)};
}

/* Whether what begins at p is one of those that have to be cleaned; in a string, a word is no more
   than a false alarm, which only costs a copy. */
static bool is_sign(const char *p, const char *end)
{
    size_t n = (size_t)(end - p);
    if (*p == 'N')
        return n >= 3 && memcmp(p, "NaN", 3) == 0;
    if (*p == 'I')
        return n >= 8 && memcmp(p, "Infinity", 8) == 0;
    if (!is_escape(p, end))
        return false;
    int unit = hex_of(p + 2);
    return unit == 0 || (unit >= 0xd800 && unit < 0xe000);
}

static bool is_suspect_plain(const char *p, const char *end)
{
    for (; p < end; p++)
        if ((*p == '\\' || *p == 'N' || *p == 'I') && is_sign(p, end))
            return true;
    return false;
}

#if defined(__x86_64__)
/* 16 bytes at a time: the first two bytes of each sign. */
static bool is_suspect(Str json)
{
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i unit = _mm_set1_epi8('u');
    const __m128i nan = _mm_set1_epi8('N');
    const __m128i nan_2 = _mm_set1_epi8('a');
    const __m128i infinity = _mm_set1_epi8('I');
    const __m128i infinity_2 = _mm_set1_epi8('n');
    const char *p = json.p;
    const char *end = json.p + json.n;
    for (; end - p >= 17; p += 16) {
        __m128i a = _mm_loadu_si128((const __m128i_u *)p);
        __m128i b = _mm_loadu_si128((const __m128i_u *)(p + 1));
        __m128i hits = _mm_and_si128(_mm_cmpeq_epi8(a, backslash), _mm_cmpeq_epi8(b, unit));
        hits = _mm_or_si128(hits, _mm_and_si128(_mm_cmpeq_epi8(a, nan), _mm_cmpeq_epi8(b, nan_2)));
        hits = _mm_or_si128(
            hits, _mm_and_si128(_mm_cmpeq_epi8(a, infinity), _mm_cmpeq_epi8(b, infinity_2)));
        for (unsigned mask = (unsigned)_mm_movemask_epi8(hits); mask; mask &= mask - 1)
            if (is_sign(p + __builtin_ctz(mask), end))
                return true;
    }
    return is_suspect_plain(p, end);
}
#else
static bool is_suspect(Str json)
{
    return is_suspect_plain(json.p, json.p + json.n);
}
#endif

Str sample_clean_json(Str json, const char *field, const SampleCleanRules *rules, Arena *arena)
{
    if (!json.p)
        return json;
    size_t n = json.n > rules->json_max ? compact_size(json) : 0;
    if (n > rules->json_max)
        return note(json, field, n, arena);
    return rules->is_wary || is_suspect(json) ? clean(json, arena) : json;
}

Str sample_clean_text(Str text, Arena *arena)
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
