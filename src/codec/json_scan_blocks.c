/* The fast way through an object, an array or a string: 64 bytes at a time with AVX2.

   For each block, masks of one bit per byte say where quotes, backslashes and so on are. From them
   follows, without looking at single bytes, what stands inside strings and where tokens begin; only
   tokens are then visited one by one. The answer is yes or "cannot tell": on any doubt the
   byte-wise reader repeats the work and finds the words.

   The methods are those of Langdale and Lemire, "Parsing gigabytes of JSON per second" (2019), and
   of Keiser and Lemire, "Validating UTF-8 in less than one instruction per byte" (2020). */

#include "codec/json_scan_priv.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define WIDE __attribute__((target("avx2,pclmul,bmi"), always_inline)) static inline

enum { BLOCK = 64 };

/* ---- tokens ---- */

/* What may come next; BAD is for ever. */
enum {
    BAD,
    IN_ARRAY_FIRST,
    IN_ARRAY_VALUE,
    IN_ARRAY_NEXT,
    IN_OBJECT_FIRST,
    IN_OBJECT_KEY,
    IN_OBJECT_COLON,
    IN_OBJECT_VALUE,
    IN_OBJECT_NEXT,
    LEAVE, /* no state: the one behind the container follows */
};

/* What the first byte of a token says. Up to COMMA there is nothing to do but change the state. */
enum {
    OTHER,
    QUOTE,
    COLON,
    COMMA,
    BARE,
    OPEN_ARRAY,
    OPEN_OBJECT,
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    SPACE
};

enum { N_CLASSES = 16 /* a power of two, for the table */ };

/* clang-format off */
static const uint8_t classes[256] = {
    ['"'] = QUOTE, [':'] = COLON, [','] = COMMA, ['['] = OPEN_ARRAY, ['{'] = OPEN_OBJECT, [']'] = CLOSE_ARRAY,
    ['}'] = CLOSE_OBJECT, ['0' ... '9'] = BARE, ['-'] = BARE, ['t'] = BARE, ['f'] = BARE, ['n'] = BARE, ['N'] = BARE,
    ['I'] = BARE, [' '] = SPACE, ['\t'] = SPACE, ['\n'] = SPACE, ['\r'] = SPACE,
};

/* The state behind a token; what is not listed is BAD. */
static const uint8_t transitions[][N_CLASSES] = {
    [IN_ARRAY_FIRST]  = { [QUOTE] = IN_ARRAY_NEXT, [BARE] = IN_ARRAY_NEXT, [OPEN_ARRAY] = IN_ARRAY_FIRST,
                          [OPEN_OBJECT] = IN_OBJECT_FIRST, [CLOSE_ARRAY] = LEAVE },
    [IN_ARRAY_VALUE]  = { [QUOTE] = IN_ARRAY_NEXT, [BARE] = IN_ARRAY_NEXT, [OPEN_ARRAY] = IN_ARRAY_FIRST,
                          [OPEN_OBJECT] = IN_OBJECT_FIRST },
    [IN_ARRAY_NEXT]   = { [COMMA] = IN_ARRAY_VALUE, [CLOSE_ARRAY] = LEAVE },
    [IN_OBJECT_FIRST] = { [QUOTE] = IN_OBJECT_COLON, [CLOSE_OBJECT] = LEAVE },
    [IN_OBJECT_KEY]   = { [QUOTE] = IN_OBJECT_COLON },
    [IN_OBJECT_COLON] = { [COLON] = IN_OBJECT_VALUE },
    [IN_OBJECT_VALUE] = { [QUOTE] = IN_OBJECT_NEXT, [BARE] = IN_OBJECT_NEXT, [OPEN_ARRAY] = IN_ARRAY_FIRST,
                          [OPEN_OBJECT] = IN_OBJECT_FIRST },
    [IN_OBJECT_NEXT]  = { [COMMA] = IN_OBJECT_KEY, [CLOSE_OBJECT] = LEAVE },
};
/* clang-format on */

/* Whether the number or word at p is one, up to the next token or space. */
static bool is_bare(JsonScan *scan, const char *p)
{
    p = json_scan_bare(scan, p, scan->end);
    if (!p || p == scan->end)
        return p != NULL;
    unsigned class = classes[(unsigned char)*p];
    return class != QUOTE && class != BARE && class != OTHER;
}

/* Visits the tokens of a block. Returns behind the end of the container of depth `base`, or NULL
 * when it goes on. */
WIDE const char *visit(JsonScan *scan, const char *block, uint64_t tokens, size_t base,
                       unsigned *state)
{
    unsigned now = *state;
    for (; tokens; tokens &= tokens - 1) {
        const char *p = block + __builtin_ctzll(tokens);
        unsigned class = classes[(unsigned char)*p];
        now = transitions[now][class];
        if (class <= COMMA)
            continue;
        if (class == BARE) {
            if (now != BAD && !is_bare(scan, p))
                now = BAD;
        } else if (now == LEAVE) {
            scan->depth--;
            if (scan->depth == base)
                return p + 1;
            now = json_scan_in_object(scan) ? IN_OBJECT_NEXT : IN_ARRAY_NEXT;
        } else if (now != BAD && !json_scan_enter(scan, p, class == OPEN_OBJECT)) {
            now = BAD;
        }
    }
    *state = now;
    return NULL;
}

/* ---- masks ---- */

typedef struct Half {
    __m256i low;
    __m256i high;
} Half;

WIDE uint64_t mask_of(__m256i low, __m256i high)
{
    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high)
                                                     << 32;
}

WIDE uint64_t equal_to(Half b, char c)
{
    __m256i wanted = _mm256_set1_epi8(c);
    return mask_of(_mm256_cmpeq_epi8(b.low, wanted), _mm256_cmpeq_epi8(b.high, wanted));
}

/* The byte that table has for the low four bits of each byte; 0 for bytes over 127. */
WIDE __m256i look_up(__m256i table, __m256i bytes)
{
    return _mm256_shuffle_epi8(table, bytes);
}

WIDE __m256i table_of(const uint8_t bytes[16])
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i_u *)bytes));
}

WIDE uint64_t spaces_of(Half b)
{
    static const uint8_t spaces[16] = {' ', 255,  255,  255, 255, 255,  255, 255,
                                       255, '\t', '\n', 255, 255, '\r', 255, 255};
    __m256i table = table_of(spaces);
    return mask_of(_mm256_cmpeq_epi8(look_up(table, b.low), b.low),
                   _mm256_cmpeq_epi8(look_up(table, b.high), b.high));
}

/* Brackets, colons and commas. '[' and '{' differ by 0x20 only, and so do ']' and '}'. Two control
   characters pass too; as tokens they are bad. */
WIDE uint64_t marks_of(Half b)
{
    static const uint8_t marks[16] = {255, 255, 255, 255, 255, 255, 255, 255,
                                      255, 255, ':', '{', ',', '}', 255, 255};
    __m256i table = table_of(marks);
    __m256i bit = _mm256_set1_epi8(0x20);
    return mask_of(_mm256_cmpeq_epi8(look_up(table, b.low), _mm256_or_si256(b.low, bit)),
                   _mm256_cmpeq_epi8(look_up(table, b.high), _mm256_or_si256(b.high, bit)));
}

WIDE uint64_t controls_of(Half b)
{
    __m256i last = _mm256_set1_epi8(0x1F);
    return mask_of(_mm256_cmpeq_epi8(_mm256_min_epu8(b.low, last), b.low),
                   _mm256_cmpeq_epi8(_mm256_min_epu8(b.high, last), b.high));
}

/* The characters that may stand behind a backslash, but the backslash itself: one bit for each high
   half byte that has some (2, 6, 7), and for each low half byte the bits of those with which it is
   one. */
WIDE __m256i is_escape(__m256i bytes)
{
    static const uint8_t highs[16] = {0, 0, 1, 0, 0, 0, 2, 4};
    static const uint8_t lows[16] = {0, 0, 7, 0, 4, 4, 2, 0, 0, 0, 0, 0, 0, 0, 2, 1};
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(0xF));
    __m256i both = _mm256_and_si256(look_up(table_of(highs), high), look_up(table_of(lows), bytes));
    return _mm256_cmpeq_epi8(both, _mm256_setzero_si256());
}

WIDE uint64_t escapable(Half b)
{
    return ~mask_of(is_escape(b.low), is_escape(b.high));
}

/* ---- UTF-8 ---- */

enum {
    TOO_SHORT = 1 << 0, /* a lead byte without what must follow */
    TOO_LONG = 1 << 1,  /* ASCII, then a continuation */
    OVERLONG_3 = 1 << 2,
    TOO_LARGE = 1 << 3,
    SURROGATE = 1 << 4,
    OVERLONG_2 = 1 << 5,
    OVERLONG_4 = 1 << 6, /* and too large, F5 80 and up */
    TWO_CONTINUATIONS = 1 << 7,
    ANY_LOW = TOO_SHORT | TOO_LONG | TWO_CONTINUATIONS,
};

typedef struct Utf8 {
    __m256i last;   /* the 32 bytes before */
    __m256i errors; /* not all zero: there is one */
    bool is_open;   /* the last block was not all ASCII */
} Utf8;

WIDE __m256i half_byte(__m256i bytes)
{
    return _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(0xF));
}

/* An error shows in each pair of bytes; the tables have, for the three half bytes that matter,
 * which are possible. */
WIDE __m256i pair_errors(__m256i bytes, __m256i before)
{
    static const uint8_t first_high[16] = {
        TOO_LONG,
        TOO_LONG,
        TOO_LONG,
        TOO_LONG,
        TOO_LONG,
        TOO_LONG,
        TOO_LONG,
        TOO_LONG,
        TWO_CONTINUATIONS,
        TWO_CONTINUATIONS,
        TWO_CONTINUATIONS,
        TWO_CONTINUATIONS,
        TOO_SHORT | OVERLONG_2,
        TOO_SHORT,
        TOO_SHORT | OVERLONG_3 | SURROGATE,
        TOO_SHORT | TOO_LARGE | OVERLONG_4,
    };
    enum { LARGE = ANY_LOW | TOO_LARGE | OVERLONG_4 };
    static const uint8_t first_low[16] = {
        ANY_LOW | OVERLONG_2 | OVERLONG_3 | OVERLONG_4,
        ANY_LOW | OVERLONG_2,
        ANY_LOW,
        ANY_LOW,
        ANY_LOW | TOO_LARGE,
        LARGE,
        LARGE,
        LARGE,
        LARGE,
        LARGE,
        LARGE,
        LARGE,
        LARGE,
        LARGE | SURROGATE,
        LARGE,
        LARGE,
    };
    enum { CONTINUATION = TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS };
    static const uint8_t second_high[16] = {
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        CONTINUATION | OVERLONG_3 | OVERLONG_4,
        CONTINUATION | OVERLONG_3 | TOO_LARGE,
        CONTINUATION | SURROGATE | TOO_LARGE,
        CONTINUATION | SURROGATE | TOO_LARGE,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
    };
    __m256i low_bits = _mm256_set1_epi8(0xF);
    __m256i errors = look_up(table_of(first_high), half_byte(before));
    errors =
        _mm256_and_si256(errors, look_up(table_of(first_low), _mm256_and_si256(before, low_bits)));
    return _mm256_and_si256(errors, look_up(table_of(second_high), half_byte(bytes)));
}

WIDE void check_utf8(Utf8 *utf8, __m256i bytes)
{
    __m256i seam = _mm256_permute2x128_si256(utf8->last, bytes, 0x21);
    __m256i one_before = _mm256_alignr_epi8(bytes, seam, 15);
    __m256i two_before = _mm256_alignr_epi8(bytes, seam, 14);
    __m256i three_before = _mm256_alignr_epi8(bytes, seam, 13);
    /* Two continuations in a row are right exactly where a lead byte of three or four began before
     * them. */
    __m256i of_three = _mm256_subs_epu8(two_before, _mm256_set1_epi8(0xE0 - 0x80));
    __m256i of_four = _mm256_subs_epu8(three_before, _mm256_set1_epi8((char)(0xF0 - 0x80)));
    __m256i wanted =
        _mm256_and_si256(_mm256_or_si256(of_three, of_four), _mm256_set1_epi8((char)0x80));
    __m256i errors = _mm256_xor_si256(pair_errors(bytes, one_before), wanted);
    utf8->errors = _mm256_or_si256(utf8->errors, errors);
    utf8->last = bytes;
}

/* Plain ASCII that does not follow on anything else needs no look. */
WIDE void check_block_utf8(Utf8 *utf8, Half b)
{
    bool is_ascii = mask_of(b.low, b.high) == 0;
    if (!is_ascii || utf8->is_open) {
        check_utf8(utf8, b.low);
        check_utf8(utf8, b.high);
    }
    utf8->is_open = !is_ascii;
}

WIDE Utf8 no_utf8(void)
{
    return (Utf8){_mm256_setzero_si256(), _mm256_setzero_si256(), false};
}

WIDE bool is_utf8(const Utf8 *utf8)
{
    return _mm256_testz_si256(utf8->errors, utf8->errors);
}

/* ---- blocks ---- */

/* What one block tells the next. */
typedef struct Carry {
    uint64_t in_string;  /* all ones: the next block begins inside a string */
    uint64_t is_escaped; /* 1: its first byte stands behind a backslash that counts */
    uint64_t in_bare;    /* 1: the last byte was one of a number or word */
    uint64_t faults;     /* not 0: something is wrong */
    Utf8 utf8;
} Carry;

/* The bytes behind runs of backslashes of odd length. Adding a run to its own start carries to its
   end; whether start and end are both even or odd gives the length away. */
WIDE uint64_t escaped_by(uint64_t backslashes, uint64_t *is_escaped)
{
    const uint64_t even = UINT64_C(0x5555555555555555);
    uint64_t starts = backslashes & ~(backslashes << 1);
    /* A run that an odd run before it goes on into counts from one byte earlier. */
    uint64_t even_here = even ^ *is_escaped;
    uint64_t from_even = (backslashes + (starts & even_here)) & ~backslashes;
    uint64_t sum = 0;
    bool goes_on = __builtin_add_overflow(backslashes, starts & ~even_here, &sum);
    uint64_t from_odd = (sum | *is_escaped) & ~backslashes;
    *is_escaped = goes_on;
    return (from_even & ~even) | (from_odd & even);
}

WIDE uint64_t inside_of(uint64_t quotes)
{
    __m128i all = _mm_set1_epi8((char)0xFF);
    return (uint64_t)_mm_cvtsi128_si64(
        _mm_clmulepi64_si128(_mm_set_epi64x(0, (int64_t)quotes), all, 0));
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool has_hex4(const char *p, const char *end)
{
    return end - p >= 4 && is_hex(p[0]) && is_hex(p[1]) && is_hex(p[2]) && is_hex(p[3]);
}

/* at is where the block stands in the text, `escaped` what stands behind a backslash. */
WIDE uint64_t escape_faults(Half b, uint64_t escaped, const char *at, const char *end)
{
    uint64_t faults = escaped & ~escapable(b);
    for (uint64_t u = escaped & equal_to(b, 'u'); u; u &= u - 1)
        if (!has_hex4(at + __builtin_ctzll(u) + 1, end))
            faults |= 1;
    return faults;
}

/* Where tokens begin in a block. */
WIDE uint64_t tokens_of(Half b, const char *at, const char *end, Carry *carry)
{
    uint64_t quotes = equal_to(b, '"');
    uint64_t backslashes = equal_to(b, '\\');
    if (backslashes | carry->is_escaped) {
        uint64_t escaped = escaped_by(backslashes, &carry->is_escaped);
        quotes &= ~escaped;
        carry->faults |= escape_faults(b, escaped, at, end);
    }
    uint64_t in_string =
        inside_of(quotes) ^ carry->in_string; /* with the opening quote, without the closing one */
    carry->in_string = (uint64_t)((int64_t)in_string >> 63);
    carry->faults |= (controls_of(b) & in_string) | (backslashes & ~in_string);
    check_block_utf8(&carry->utf8, b);
    uint64_t marks = marks_of(b);
    uint64_t others = ~(marks | spaces_of(b));
    uint64_t bare = others & ~quotes;
    uint64_t starts = others & ~(bare << 1 | carry->in_bare);
    carry->in_bare = bare >> 63;
    return (marks | starts) & ~(in_string ^ quotes);
}

/* Inside a long text nothing but the end of plain ASCII matters. */
WIDE bool is_plain_text(Half b, const Carry *carry)
{
    if (!carry->in_string || carry->is_escaped || carry->utf8.is_open)
        return false;
    __m256i quote = _mm256_set1_epi8('"');
    __m256i backslash = _mm256_set1_epi8('\\');
    __m256i last = _mm256_set1_epi8(0x1F);
    __m256i least = _mm256_min_epu8(b.low, b.high);
    __m256i stops = _mm256_or_si256(b.low, b.high); /* top bits of what is not ASCII */
    stops = _mm256_or_si256(stops, _mm256_cmpeq_epi8(_mm256_min_epu8(least, last), least));
    stops = _mm256_or_si256(stops, _mm256_cmpeq_epi8(b.low, quote));
    stops = _mm256_or_si256(stops, _mm256_cmpeq_epi8(b.high, quote));
    stops = _mm256_or_si256(stops, _mm256_cmpeq_epi8(b.low, backslash));
    stops = _mm256_or_si256(stops, _mm256_cmpeq_epi8(b.high, backslash));
    return _mm256_movemask_epi8(stops) == 0;
}

/* The block at p; behind the end of the text are spaces. */
WIDE Half load(const char *p, const char *end)
{
    char padded[BLOCK];
    if (end - p < BLOCK) {
        memset(padded, ' ', sizeof(padded));
        memcpy(padded, p, (size_t)(end - p));
        p = padded;
    }
    return (Half){_mm256_loadu_si256((const __m256i_u *)p),
                  _mm256_loadu_si256((const __m256i_u *)(p + 32))};
}

WIDE const char *pass_container(JsonScan *scan, const char *p)
{
    const char *end = scan->end;
    size_t base = scan->depth;
    unsigned state = *p == '{' ? IN_OBJECT_FIRST : IN_ARRAY_FIRST;
    if (!json_scan_enter(scan, p, *p == '{'))
        return NULL;
    Carry carry = {.utf8 = no_utf8()};
    for (p++; p < end; p += BLOCK) {
        Half b = load(p, end);
        if (is_plain_text(b, &carry)) {
            carry.utf8.last = b.high;
            carry.in_bare = 1;
            continue;
        }
        uint64_t tokens = tokens_of(b, p, end, &carry);
        const char *behind = visit(scan, p, tokens, base, &state);
        bool is_wrong = carry.faults != 0 || state == BAD;
        if (behind)
            return !is_wrong && is_utf8(&carry.utf8) ? behind : NULL;
        if (is_wrong)
            return NULL;
    }
    return NULL;
}

__attribute__((target("avx2,pclmul,bmi"))) const char *json_scan_blocks(JsonScan *scan,
                                                                        const char *p)
{
    size_t depth = scan->depth;
    const char *behind = pass_container(scan, p);
    if (!behind) {
        scan->depth = depth;
        scan->expected = NULL;
        scan->p = p;
    }
    return behind;
}

__attribute__((target("avx2,pclmul,bmi"))) const char *json_scan_string_blocks(const char *p,
                                                                               const char *end)
{
    Utf8 utf8 = no_utf8();
    uint64_t is_escaped = 0;
    for (; p < end; p += BLOCK) {
        Half b = load(p, end);
        uint64_t quotes = equal_to(b, '"');
        uint64_t backslashes = equal_to(b, '\\');
        uint64_t faults = controls_of(b);
        if (backslashes | is_escaped) {
            uint64_t escaped = escaped_by(backslashes, &is_escaped);
            quotes &= ~escaped;
            faults |= escape_faults(b, escaped, p, end);
        }
        check_block_utf8(&utf8, b);
        if (quotes) {
            bool is_wrong = (faults & (quotes ^ (quotes - 1))) != 0 || !is_utf8(&utf8);
            return is_wrong ? NULL : p + __builtin_ctzll(quotes) + 1;
        }
        if (faults)
            return NULL;
    }
    return NULL;
}

bool json_scan_has_blocks(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("pclmul") &&
           __builtin_cpu_supports("bmi");
}

#else

const char *json_scan_blocks(JsonScan *scan, const char *p)
{
    (void)scan;
    (void)p;
    return NULL;
}

const char *json_scan_string_blocks(const char *p, const char *end)
{
    (void)p;
    (void)end;
    return NULL;
}

bool json_scan_has_blocks(void)
{
    return false;
}

#endif
