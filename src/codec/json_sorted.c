/* Sorts by scanning: each object's members are found, ordered, and written one after the other. */

#include "codec/json_sorted.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "codec/json_scan.h"

/* The text of the shortest digits that read back as the number, as Python lays it out. */
enum { DIGITS_MAX = 17, EXPONENT_FROM = 16, EXPONENT_BELOW = -4, NUMBER_TEXT_MAX = 48 };

typedef struct Member {
    Str key;
    Str raw;
    size_t place; /* among its siblings: of equal keys the last counts */
} Member;

typedef struct Sorter {
    Arena *arena; /* of keys that have escapes */
    Buf *out;
    Member *members; /* a stack: those of the innermost object on top */
    size_t n_members;
    size_t room;
    int depth;
} Sorter;

static bool write_value(Sorter *sorter, Str raw);

static void write_unit(Buf *out, uint32_t unit)
{
    static const char digits[] = "0123456789abcdef";
    const char text[] = {'\\',
                         'u',
                         digits[unit >> 12 & 0xF],
                         digits[unit >> 8 & 0xF],
                         digits[unit >> 4 & 0xF],
                         digits[unit & 0xF]};
    buf_add(out, text, sizeof(text));
}

/* Code points of valid UTF-8. */
static uint32_t code_at(Str s, size_t i, size_t *ret_n)
{
    unsigned char c = (unsigned char)s.p[i];
    *ret_n = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    static const unsigned char masks[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t code = c & masks[*ret_n];
    for (size_t k = 1; k < *ret_n; k++)
        code = code << 6 | ((unsigned char)s.p[i + k] & 0x3F);
    return code;
}

static void write_code(Buf *out, uint32_t code)
{
    static const char shorts[] = "\bb\tt\nn\ff\rr\"\"\\\\";
    for (const char *p = shorts; *p; p += 2)
        if ((uint32_t)*p == code) {
            buf_addc(out, '\\');
            buf_addc(out, p[1]);
            return;
        }
    if (code >= 0x10000) {
        write_unit(out, 0xD800 + ((code - 0x10000) >> 10));
        write_unit(out, 0xDC00 + ((code - 0x10000) & 0x3FF));
        return;
    }
    write_unit(out, code);
}

static void write_string(Buf *out, Str s)
{
    buf_addc(out, '"');
    size_t from = 0;
    size_t n = 1;
    for (size_t i = 0; i < s.n; i += n) {
        unsigned char c = (unsigned char)s.p[i];
        n = 1;
        if (c >= ' ' && c < 0x7F && c != '"' && c != '\\')
            continue;
        buf_add(out, s.p + from, i - from);
        write_code(out, code_at(s, i, &n));
        from = i + n;
    }
    buf_add(out, s.p + from, s.n - from);
    buf_addc(out, '"');
}

static bool is_whole_number(Str raw)
{
    return str_find(raw, '.') < 0 && str_find(raw, 'e') < 0 && str_find(raw, 'E') < 0;
}

/* Digits d.ddd times ten to the exponent, written plainly from 1e-4 to below 1e16. */
static void write_digits(Buf *out, bool is_negative, const char *digits, int n, int exponent)
{
    if (is_negative)
        buf_addc(out, '-');
    if (exponent < EXPONENT_BELOW || exponent >= EXPONENT_FROM) {
        buf_addc(out, digits[0]);
        if (n > 1)
            buf_printf(out, ".%.*s", n - 1, digits + 1);
        buf_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
        return;
    }
    if (exponent < 0) {
        buf_printf(out, "0.%.*s%.*s", -exponent - 1, "0000", n, digits);
        return;
    }
    for (int i = 0; i <= exponent; i++)
        buf_addc(out, i < n ? digits[i] : '0');
    buf_printf(out, ".%.*s", n > exponent + 1 ? n - exponent - 1 : 1,
               n > exponent + 1 ? digits + exponent + 1 : "0");
}

static void write_real(Buf *out, double value)
{
    if (!isfinite(value)) {
        buf_addz(out, isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
        return;
    }
    char text[NUMBER_TEXT_MAX];
    for (int n = 1; n <= DIGITS_MAX; n++) {
        (void)snprintf(text, sizeof(text), "%.*e", n - 1, fabs(value));
        if (strtod(text, NULL) == fabs(value))
            break;
    }
    char digits[DIGITS_MAX + 1] = "0";
    int n = 0;
    const char *p = text;
    for (; *p && *p != 'e'; p++)
        if (*p != '.')
            digits[n++] = *p;
    write_digits(out, signbit(value), digits, n, (int)strtol(p + 1, NULL, 10));
}

static void write_number(Buf *out, Str raw)
{
    double value = 0;
    char last = raw.p[raw.n - 1];
    if (last == 'N' || last == 'y' || !is_whole_number(raw)) {
        (void)json_scan_double(raw, &value);
        write_real(out, value);
    } else if (str_eqz(raw, "-0")) {
        buf_addc(out, '0');
    } else {
        buf_add_str(out, raw);
    }
}

static bool write_array(Sorter *sorter, Str raw)
{
    JsonScan scan;
    json_scan_init(&scan, raw, true);
    (void)json_scan_array(&scan);
    Str item = STR_NONE;
    buf_addc(sorter->out, '[');
    for (size_t i = 0; json_scan_item(&scan) && json_scan_skip(&scan, &item); i++) {
        if (i > 0)
            buf_addz(sorter->out, ", ");
        if (!write_value(sorter, item))
            return false;
    }
    buf_addc(sorter->out, ']');
    return true;
}

static int compare_members(const void *a, const void *b)
{
    const Member *first = a;
    const Member *second = b;
    int order = str_cmp(first->key, second->key);
    return order != 0 ? order : first->place < second->place ? -1 : 1;
}

static bool add_member(Sorter *sorter, Str key, Str raw)
{
    if (sorter->n_members == JSON_SORTED_MEMBERS_MAX)
        return false;
    if (sorter->n_members == sorter->room) {
        sorter->room = sorter->room ? sorter->room * 2 : 64;
        sorter->members = mem_resize(sorter->members, sorter->room, sizeof(Member));
    }
    Str plain = key;
    if (str_find(key, '\\') >= 0)
        (void)json_scan_key_str(key, sorter->arena, &plain);
    sorter->members[sorter->n_members] =
        (Member){.key = plain, .raw = raw, .place = sorter->n_members};
    sorter->n_members++;
    return true;
}

static bool write_object(Sorter *sorter, Str raw)
{
    JsonScan scan;
    json_scan_init(&scan, raw, true);
    (void)json_scan_object(&scan);
    Str key = STR_NONE;
    Str value = STR_NONE;
    size_t from = sorter->n_members;
    while (json_scan_member(&scan, &key))
        if (!json_scan_skip(&scan, &value) || !add_member(sorter, key, value))
            return false;
    size_t to = sorter->n_members;
    if (to > from)
        qsort(sorter->members + from, to - from, sizeof(Member), compare_members);
    buf_addc(sorter->out, '{');
    bool is_first = true;
    for (size_t i = from; i < to; i++) {
        Member member = sorter->members[i]; /* the stack may move */
        if (i + 1 < to && str_eq(member.key, sorter->members[i + 1].key))
            continue;
        if (!is_first)
            buf_addz(sorter->out, ", ");
        is_first = false;
        write_string(sorter->out, member.key);
        buf_addz(sorter->out, ": ");
        if (!write_value(sorter, member.raw))
            return false;
    }
    buf_addc(sorter->out, '}');
    sorter->n_members = from;
    return true;
}

static bool write_container(Sorter *sorter, Str raw)
{
    if (sorter->depth == JSON_SORTED_DEPTH_MAX)
        return false;
    sorter->depth++;
    bool is_written = raw.p[0] == '{' ? write_object(sorter, raw) : write_array(sorter, raw);
    sorter->depth--;
    return is_written;
}

static bool write_value(Sorter *sorter, Str raw)
{
    Str text = STR_NONE;
    switch (json_scan_kind_of(raw)) {
    case JSON_SCAN_NONE: return false;
    case JSON_SCAN_NULL:
    case JSON_SCAN_BOOL: buf_add_str(sorter->out, raw); break;
    case JSON_SCAN_NUMBER: write_number(sorter->out, raw); break;
    case JSON_SCAN_STRING:
        (void)json_scan_str(raw, sorter->arena, &text);
        write_string(sorter->out, text);
        break;
    case JSON_SCAN_ARRAY:
    case JSON_SCAN_OBJECT: return write_container(sorter, raw);
    }
    return !sorter->out->overflowed;
}

bool json_sorted_add(Str json, Buf *ret)
{
    auto_arena Arena *arena = arena_new();
    Sorter sorter = {.arena = arena, .out = ret};
    bool is_written = write_value(&sorter, json);
    free(sorter.members);
    return is_written;
}
