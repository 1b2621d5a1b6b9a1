/* Plain scalars by the core schema of YAML 1.2: no yes and no, no octal by a leading zero, no
 * dates. */

#include <math.h>

#include "codec/json_lex.h"
#include "codec/yaml_priv.h"

typedef struct Word {
    Str text;
    JsonType type;
    bool boolean;
    double real;
} Word;

/* clang-format off */
static const Word words[] = {
    { STR(""),      JSON_NULL },           { STR("~"),     JSON_NULL },
    { STR("null"),  JSON_NULL },           { STR("Null"),  JSON_NULL },           { STR("NULL"),  JSON_NULL },
    { STR("true"),  JSON_BOOL, true },     { STR("True"),  JSON_BOOL, true },     { STR("TRUE"),  JSON_BOOL, true },
    { STR("false"), JSON_BOOL, false },    { STR("False"), JSON_BOOL, false },    { STR("FALSE"), JSON_BOOL, false },
    { STR(".nan"),  JSON_REAL, .real = NAN }, { STR(".NaN"), JSON_REAL, .real = NAN }, { STR(".NAN"), JSON_REAL, .real = NAN },
    { STR(".inf"),  JSON_REAL, .real = INFINITY },  { STR("+.inf"), JSON_REAL, .real = INFINITY },
    { STR(".Inf"),  JSON_REAL, .real = INFINITY },  { STR("+.Inf"), JSON_REAL, .real = INFINITY },
    { STR(".INF"),  JSON_REAL, .real = INFINITY },  { STR("+.INF"), JSON_REAL, .real = INFINITY },
    { STR("-.inf"), JSON_REAL, .real = -INFINITY }, { STR("-.Inf"), JSON_REAL, .real = -INFINITY },
    { STR("-.INF"), JSON_REAL, .real = -INFINITY },
};
/* clang-format on */

static bool resolve_word(Str plain, Json *node)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!str_eq(plain, words[i].text))
            continue;
        node->type = words[i].type;
        if (node->type == JSON_BOOL)
            node->boolean = words[i].boolean;
        if (node->type == JSON_REAL)
            node->real = words[i].real;
        return true;
    }
    return false;
}

static size_t digits(Str s, size_t i)
{
    size_t from = i;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    return i - from;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?, which covers the decimal
 * integers. */
static bool is_decimal(Str s, bool *ret_is_integer)
{
    size_t i = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+') ? 1 : 0;
    size_t whole = digits(s, i);
    i += whole;
    *ret_is_integer = whole > 0 && i == s.n;
    if (i < s.n && s.p[i] == '.') {
        size_t fraction = digits(s, i + 1);
        if (whole + fraction == 0)
            return false;
        i += 1 + fraction;
    } else if (whole == 0) {
        return false;
    }
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        if (i < s.n && (s.p[i] == '-' || s.p[i] == '+'))
            i++;
        size_t exponent = digits(s, i);
        if (exponent == 0)
            return false;
        i += exponent;
    }
    return i == s.n;
}

static bool resolve_decimal(Str plain, Json *node)
{
    bool is_integer = false;
    if (!is_decimal(plain, &is_integer))
        return false;
    if (json_lex_is_number(plain))
        node->text = plain;
    Str number = plain.p[0] == '+' ? str_slice(plain, 1, plain.n) : plain;
    node->type = JSON_INT;
    if (is_integer && json_lex_i64(number, &node->integer))
        return true;
    node->type = JSON_REAL;
    node->real = json_lex_double(number);
    return true;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

/* 0x... and 0o...; past 64 bits they become reals. */
static bool resolve_based(Str plain, Json *node)
{
    int base = str_starts(plain, STR("0x")) ? 16 : str_starts(plain, STR("0o")) ? 8 : 0;
    if (base == 0 || plain.n == 2)
        return false;
    int64_t integer = 0;
    double real = 0;
    bool is_large = false;
    for (size_t i = 2; i < plain.n; i++) {
        int digit = digit_of(plain.p[i]);
        if (digit >= base)
            return false;
        real = real * base + digit;
        is_large = is_large || __builtin_mul_overflow(integer, base, &integer) ||
                   __builtin_add_overflow(integer, digit, &integer);
    }
    node->type = is_large ? JSON_REAL : JSON_INT;
    if (is_large)
        node->real = real;
    else
        node->integer = integer;
    return true;
}

void yaml_resolve(Str plain, Json *node)
{
    if (resolve_word(plain, node) || resolve_decimal(plain, node) || resolve_based(plain, node))
        return;
    node->type = JSON_STRING;
    node->text = plain;
}
