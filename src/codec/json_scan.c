/* The cursor over JSON text.

   Almost all bytes of a log stand inside strings, so the one thing that has to be fast is finding
   the next byte of a string that is not plain ASCII text; that is the function called Run here, in
   a plain form and in one for AVX2. The rest is compiled once around each of the two. Helpers take
   the position by value and return the new one, or NULL after a failure, so that it stays in a
   register. */

#include "codec/json_scan.h"

#include <assert.h>
#include <inttypes.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "codec/json_lex.h"
#include "codec/json_scan_priv.h"

#define INLINE static inline __attribute__((always_inline))

/* The first byte in [p, end) that is a quote, a backslash, a control character or not ASCII; else
 * end. */
typedef const char *Run(const char *p, const char *end);

static inline const char *run_plain(const char *p, const char *end)
{
    while (p < end) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\')
            break;
        p++;
    }
    return p;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static inline const char *run_wide(const char *p, const char *end)
{
    const __m256i quote = _mm256_set1_epi8('"');
    const __m256i backslash = _mm256_set1_epi8('\\');
    const __m256i control = _mm256_set1_epi8(0x1F);
    while (end - p >= 32) {
        __m256i bytes = _mm256_loadu_si256((const __m256i_u *)p);
        __m256i stops =
            _mm256_or_si256(_mm256_cmpeq_epi8(bytes, quote), _mm256_cmpeq_epi8(bytes, backslash));
        stops = _mm256_or_si256(stops, _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, control), bytes));
        /* movemask takes the top bits, which the bytes that are not ASCII have already. */
        unsigned mask = (unsigned)_mm256_movemask_epi8(_mm256_or_si256(stops, bytes));
        if (mask)
            return p + __builtin_ctz(mask);
        p += 32;
    }
    return run_plain(p, end);
}
#endif

__attribute__((cold, noinline)) const char *json_scan_fail(JsonScan *scan, const char *at,
                                                           const char *expected)
{
    scan->p = at;
    scan->expected = expected;
    return NULL;
}

static __attribute__((noinline)) const char *skip_long_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
        /* Indented documents: eight at a time. */
        uint64_t eight = 0;
        while (end - p >= 8 && *p == ' ') {
            memcpy(&eight, p, sizeof(eight));
            if (eight != UINT64_C(0x2020202020202020))
                break;
            p += 8;
        }
    }
    return p;
}

/* Logs have no space between tokens. */
INLINE const char *skip_space(const char *p, const char *end)
{
    return p < end && (unsigned char)*p > ' ' ? p : skip_long_space(p, end);
}

INLINE bool is_at(const char *p, const char *end, char c)
{
    return p < end && *p == c;
}

/* Passes over bytes that are not ASCII; NULL when they are not UTF-8 (RFC 3629, section 4). */
INLINE const char *skip_utf8(JsonScan *scan, const char *p, const char *end)
{
    const unsigned char *u = (const unsigned char *)p;
    const unsigned char *stop = (const unsigned char *)end;
    while (u < stop && *u >= 0x80) {
        size_t left = (size_t)(stop - u);
        if (*u >= 0xE1 && *u <= 0xEC && left >= 3 && (u[1] & 0xC0) == 0x80 &&
            (u[2] & 0xC0) == 0x80) {
            u += 3;
        } else if (*u >= 0xC2 && *u <= 0xDF && left >= 2 && (u[1] & 0xC0) == 0x80) {
            u += 2;
        } else {
            /* The rarer forms; up to four bytes make one sequence. */
            size_t len = *u >= 0xF0 ? 4 : 3;
            if (*u < 0xE0 || left < len || str_utf8_prefix((Str){(const char *)u, len}) != len)
                return json_scan_fail(scan, (const char *)u, "UTF-8");
            u += len;
        }
    }
    return (const char *)u;
}

static const char *skip_escape(JsonScan *scan, const char *p, const char *end)
{
    p++;
    if (p == end)
        return json_scan_fail(scan, p, "one of \"\\/bfnrtu behind the backslash");
    switch (*p) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': return p + 1;
    case 'u': break;
    default: return json_scan_fail(scan, p, "one of \"\\/bfnrtu behind the backslash");
    }
    p++;
    for (int i = 0; i < 4; i++, p++) {
        bool is_hex = p < end && ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'f') ||
                                  (*p >= 'A' && *p <= 'F'));
        if (!is_hex)
            return json_scan_fail(scan, p, "four hexadecimal digits behind \\u");
    }
    return p;
}

/* p is behind the opening quote; returns behind the closing one. A string with escapes or other
   letters than ASCII's has more of them, so the rest of it is passed in blocks, unless something is
   wrong with it. */
INLINE const char *skip_string(JsonScan *scan, const char *p, const char *end, Run *run)
{
    bool may_jump = scan->is_wide;
    for (;;) {
        p = run(p, end);
        if (is_at(p, end, '"'))
            return p + 1;
        const char *behind = may_jump ? json_scan_string_blocks(p, end) : NULL;
        if (behind)
            return behind;
        may_jump = false;
        if (is_at(p, end, '\\'))
            p = skip_escape(scan, p, end);
        else if (p < end && (unsigned char)*p >= 0x80)
            p = skip_utf8(scan, p, end);
        else
            return json_scan_fail(
                scan, p, "a string's closing quote (control characters are written \\u00XX)");
        if (!p)
            return NULL;
    }
}

/* Eight bytes at a time: a loop over digits would end where no branch predictor expects it. */
INLINE const char *skip_digits(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t eight = 0;
        memcpy(&eight, p, sizeof(eight));
        /* Digits become 0 to 9, and only other bytes get a top bit by the addition. A carry goes to
           bytes behind the first that is no digit, which no longer matter. */
        uint64_t values = le64toh(eight) ^ UINT64_C(0x3030303030303030);
        uint64_t others =
            ((values + UINT64_C(0x7676767676767676)) | values) & UINT64_C(0x8080808080808080);
        if (others)
            return p + __builtin_ctzll(others) / 8;
        p += 8;
    }
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

INLINE const char *skip_word(JsonScan *scan, const char *p, Str word)
{
    if ((size_t)(scan->end - p) < word.n || memcmp(p, word.p, word.n) != 0)
        return json_scan_fail(scan, p, "a value");
    return p + word.n;
}

INLINE const char *skip_number(JsonScan *scan, const char *p, const char *end)
{
    p += *p == '-';
    if (is_at(p, end, '0')) {
        p++;
    } else {
        const char *from = p;
        p = skip_digits(p, end);
        if (p == from)
            return is_at(p, end, 'I') && scan->allow_nan ? skip_word(scan, p, STR("Infinity"))
                                                         : json_scan_fail(scan, p, "a digit");
    }
    if (is_at(p, end, '.')) {
        const char *from = p + 1;
        p = skip_digits(from, end);
        if (p == from)
            return json_scan_fail(scan, p, "a digit");
    }
    if (p < end && (*p | 0x20) == 'e') {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        const char *from = p;
        p = skip_digits(from, end);
        if (p == from)
            return json_scan_fail(scan, p, "a digit");
    }
    return p;
}

const char *json_scan_bare(JsonScan *scan, const char *p, const char *end)
{
    switch (*p) {
    case 't': return skip_word(scan, p, STR("true"));
    case 'f': return skip_word(scan, p, STR("false"));
    case 'n': return skip_word(scan, p, STR("null"));
    case 'N':
        return scan->allow_nan ? skip_word(scan, p, STR("NaN"))
                               : json_scan_fail(scan, p, "a value");
    case 'I':
        return scan->allow_nan ? skip_word(scan, p, STR("Infinity"))
                               : json_scan_fail(scan, p, "a value");
    default: break;
    }
    if (*p != '-' && (*p < '0' || *p > '9'))
        return json_scan_fail(scan, p, "a value");
    return skip_number(scan, p, end);
}

/* At a key: returns behind its ':', with the key in *ret_key. */
INLINE const char *skip_key(JsonScan *scan, const char *p, const char *end, Str *ret_key, Run *run)
{
    p = skip_space(p, end);
    if (!is_at(p, end, '"'))
        return json_scan_fail(scan, p, "a key in double quotes");
    const char *from = p + 1;
    p = skip_string(scan, from, end, run);
    if (!p)
        return NULL;
    *ret_key = (Str){from, (size_t)(p - 1 - from)};
    p = skip_space(p, end);
    if (!is_at(p, end, ':'))
        return json_scan_fail(scan, p, "':' behind the key");
    return p + 1;
}

/* Behind a value: passes the ends of containers down to depth `base`. Returns at the next value
   (scan->depth is over base), or behind the last end. */
INLINE const char *skip_ends(JsonScan *scan, const char *p, const char *end, size_t base, Run *run)
{
    Str key = STR_NONE;
    while (scan->depth > base) {
        bool is_object = json_scan_in_object(scan);
        p = skip_space(p, end);
        if (is_at(p, end, ','))
            return is_object ? skip_key(scan, p + 1, end, &key, run) : p + 1;
        if (!is_at(p, end, is_object ? '}' : ']'))
            return json_scan_fail(scan, p, is_object ? "',' or '}'" : "',' or ']'");
        scan->depth--;
        p++;
    }
    return p;
}

/* Passes the opening bracket and, when the container is not empty, the first key. *ret_is_empty:
 * stands at the end. */
INLINE const char *skip_opening(JsonScan *scan, const char *p, const char *end, bool *ret_is_empty,
                                Run *run)
{
    bool is_object = *p == '{';
    if (!json_scan_enter(scan, p, is_object))
        return NULL;
    Str key = STR_NONE;
    p = skip_space(p + 1, end);
    *ret_is_empty = is_at(p, end, is_object ? '}' : ']');
    return is_object && !*ret_is_empty ? skip_key(scan, p, end, &key, run) : p;
}

/* Passes the value at p, and what follows it until depth is `base` again. A container that cannot
   be passed in a jump is walked through, and so is all behind it: it is invalid or cut off, and
   trying each container in it would take time that grows with their depth. The end of the text is
   no mark: what is cut off right behind its bracket may be an empty array. */
INLINE const char *skip_value(JsonScan *scan, const char *p, size_t base, Run *run)
{
    const char *end = scan->end;
    for (;;) {
        p = skip_space(p, end);
        if (p == end)
            return json_scan_fail(scan, p, "a value");
        scan->mark = p;
        scan->mark_depth = scan->depth;
        bool is_over = true;
        bool is_container = *p == '{' || *p == '[';
        const char *behind = is_container && scan->may_jump ? json_scan_blocks(scan, p) : NULL;
        scan->may_jump = scan->may_jump && (behind || !is_container);
        if (behind)
            p = behind;
        else if (is_container)
            p = skip_opening(scan, p, end, &is_over, run);
        else if (*p == '"')
            p = skip_string(scan, p + 1, end, run);
        else
            p = json_scan_bare(scan, p, end);
        if (!p)
            return NULL;
        if (!is_over)
            continue;
        p = skip_ends(scan, p, end, base, run);
        if (!p || scan->depth == base)
            return p;
    }
}

static const char *value_plain(JsonScan *scan, const char *p, size_t base)
{
    return skip_value(scan, p, base, run_plain);
}

static const char *key_plain(JsonScan *scan, const char *p, Str *ret_key)
{
    return skip_key(scan, p, scan->end, ret_key, run_plain);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static const char *value_wide(JsonScan *scan, const char *p,
                                                              size_t base)
{
    return skip_value(scan, p, base, run_wide);
}

__attribute__((target("avx2"))) static const char *key_wide(JsonScan *scan, const char *p,
                                                            Str *ret_key)
{
    return skip_key(scan, p, scan->end, ret_key, run_wide);
}

#else
static const char *value_wide(JsonScan *scan, const char *p, size_t base)
{
    return value_plain(scan, p, base);
}

static const char *key_wide(JsonScan *scan, const char *p, Str *ret_key)
{
    return key_plain(scan, p, ret_key);
}
#endif

void json_scan_init(JsonScan *scan, Str text, bool allow_nan)
{
    const char *p = text.p ? text.p : "";
    scan->start = p;
    scan->p = p;
    scan->end = p + text.n;
    scan->expected = NULL;
    scan->depth = 0;
    scan->mark = p;
    scan->mark_depth = 0;
    scan->may_jump = false;
    scan->allow_nan = allow_nan;
    scan->is_wide = json_scan_has_blocks();
    scan->is_due = true;
    scan->is_first = false;
    scan->is_object[0] = 0;
}

void json_scan_use_plain(JsonScan *scan)
{
    scan->is_wide = false;
}

JsonScanKind json_scan_kind(JsonScan *scan)
{
    if (scan->expected || !scan->is_due)
        return JSON_SCAN_NONE;
    scan->p = skip_space(scan->p, scan->end);
    return json_scan_kind_at(scan->p, scan->end);
}

static bool step_in(JsonScan *scan, bool is_object)
{
    if (scan->expected)
        return false;
    assert(scan->is_due);
    scan->p = skip_space(scan->p, scan->end);
    if (!is_at(scan->p, scan->end, is_object ? '{' : '['))
        return json_scan_fail(scan, scan->p, is_object ? "an object" : "an array") != NULL;
    if (!json_scan_enter(scan, scan->p, is_object))
        return false;
    scan->p++;
    scan->is_due = false;
    scan->is_first = true;
    return true;
}

bool json_scan_object(JsonScan *scan)
{
    return step_in(scan, true);
}

bool json_scan_array(JsonScan *scan)
{
    return step_in(scan, false);
}

bool json_scan_pass(JsonScan *scan, size_t base)
{
    scan->may_jump = scan->is_wide;
    scan->mark = scan->p;
    scan->mark_depth = scan->depth;
    const char *p =
        scan->is_wide ? value_wide(scan, scan->p, base) : value_plain(scan, scan->p, base);
    if (!p)
        return false;
    scan->p = p;
    scan->is_due = false;
    return true;
}

void json_scan_pass_space(JsonScan *scan)
{
    scan->p = skip_space(scan->p, scan->end);
}

bool json_scan_skip(JsonScan *scan, Str *ret_raw)
{
    if (scan->expected)
        return false;
    assert(scan->is_due);
    scan->p = skip_space(scan->p, scan->end);
    const char *from = scan->p;
    if (!json_scan_pass(scan, scan->depth))
        return false;
    if (ret_raw)
        *ret_raw = (Str){from, (size_t)(scan->p - from)};
    return true;
}

/* Moves to the next item or key; false at the end of the container, having left it, and on failure.
 */
static bool next(JsonScan *scan, bool is_object)
{
    if (scan->is_due && !json_scan_skip(scan, NULL))
        return false;
    if (scan->expected)
        return false;
    assert(scan->depth > 0 && json_scan_in_object(scan) == is_object);
    scan->p = skip_space(scan->p, scan->end);
    if (is_at(scan->p, scan->end, is_object ? '}' : ']')) {
        scan->p++;
        scan->depth--;
        scan->is_first = false;
        return false;
    }
    if (!scan->is_first) {
        if (!is_at(scan->p, scan->end, ','))
            return json_scan_fail(scan, scan->p, is_object ? "',' or '}'" : "',' or ']'") != NULL;
        scan->p++;
    }
    scan->is_first = false;
    return true;
}

bool json_scan_member(JsonScan *scan, Str *ret_key)
{
    if (!next(scan, true))
        return false;
    Str key = STR_NONE;
    const char *p = scan->is_wide ? key_wide(scan, scan->p, &key) : key_plain(scan, scan->p, &key);
    if (!p)
        return false;
    scan->p = p;
    scan->is_due = true;
    *ret_key = key;
    return true;
}

bool json_scan_item(JsonScan *scan)
{
    if (!next(scan, false))
        return false;
    scan->is_due = true;
    return true;
}

bool json_scan_leave(JsonScan *scan)
{
    if (scan->expected)
        return false;
    assert(scan->depth > 0);
    bool is_object = json_scan_in_object(scan);
    Str key = STR_NONE;
    bool has_more = true;
    while (has_more)
        has_more = is_object ? json_scan_member(scan, &key) : json_scan_item(scan);
    return !scan->expected;
}

int json_scan_report(const JsonScan *scan, uint64_t before, Error *err)
{
    if (!scan->expected)
        return 0;
    uint64_t offset = before + (uint64_t)(scan->p - scan->start);
    if (scan->p == scan->end)
        return error_set(err, ERR_BAD_DATA,
                         "byte %" PRIu64 ": expected %s, found the end of the text", offset,
                         scan->expected);
    unsigned char c = (unsigned char)*scan->p;
    if (c > 0x20 && c < 0x7F)
        return error_set(err, ERR_BAD_DATA, "byte %" PRIu64 ": expected %s, found '%c'", offset,
                         scan->expected, c);
    return error_set(err, ERR_BAD_DATA, "byte %" PRIu64 ": expected %s, found byte 0x%02X", offset,
                     scan->expected, c);
}

int json_scan_check(const JsonScan *scan, Error *err)
{
    return json_scan_report(scan, 0, err);
}

int json_scan_end(JsonScan *scan, Error *err)
{
    while (scan->depth > 0 && json_scan_leave(scan))
        ;
    if (scan->is_due)
        (void)json_scan_skip(scan, NULL);
    if (json_scan_check(scan, err) < 0)
        return -1;
    scan->p = skip_space(scan->p, scan->end);
    if (scan->p != scan->end)
        (void)json_scan_fail(scan, scan->p, "nothing more");
    return json_scan_check(scan, err);
}

int json_scan_valid(Str text, bool allow_nan, Error *err)
{
    JsonScan scan;
    json_scan_init(&scan, text, allow_nan);
    return json_scan_end(&scan, err);
}
