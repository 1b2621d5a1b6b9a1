/* Texts with the verdict of RFC 8259, for every reader of JSON. */
#ifndef HAWK_TESTS_JSON_CASES_H
#define HAWK_TESTS_JSON_CASES_H

#include <stdbool.h>

#include "base/str.h"

typedef struct JsonCase {
    bool is_valid;
    Str text;
} JsonCase;

#define Y(s)                                                                                       \
    {                                                                                              \
        true,                                                                                      \
        {                                                                                          \
            (s), sizeof(s) - 1                                                                     \
        }                                                                                          \
    }
#define N(s)                                                                                       \
    {                                                                                              \
        false,                                                                                     \
        {                                                                                          \
            (s), sizeof(s) - 1                                                                     \
        }                                                                                          \
    }

/* clang-format off */
static const JsonCase json_cases[] = {
    /* structure */
    Y("[]"), Y("{}"), Y("[[]]"), Y("[{}]"), Y("{\"a\":{}}"), Y("[1,2]"), Y("{\"a\":1,\"b\":2}"), Y(" [ 1 , 2 ] "),
    Y("\t\r\n[\n]\n"), Y("{ \"a\" : [ ] }"), Y("[[],[[]],{}]"), Y("{\"a\":{\"b\":{\"c\":[]}}}"), Y("\"x\""), Y("1"),
    Y("null"), Y(" true"), Y("false "), Y("{\"\":0}"), Y("{\"a\":null}"), Y("[\"\"]"), Y("{\"\\u0061\":1}"),
    N(""), N(" "), N("["), N("]"), N("{"), N("}"), N("[}"), N("{]"), N("[1"), N("[1,"), N("[1,]"), N("[,1]"), N("[,]"),
    N("[1 2]"), N("[1,,2]"), N("[1]]"), N("[1]x"), N("[]["), N("[][]"), N("{}{}"), N("1 2"), N("[1}"), N("{\"a\":1]"),
    N("{\"a\"}"), N("{\"a\":}"), N("{\"a\" 1}"), N("{\"a\":1,}"), N("{,\"a\":1}"), N("{a:1}"), N("{'a':1}"), N("{1:1}"),
    N("{\"a\":1 \"b\":2}"), N("{\"a\"::1}"), N("{\"a\":1,,\"b\":2}"), N("{null:1}"), N("{[]:1}"), N("{\"a\":1"),
    N("{\"a\":"), N("{\"a\""), N("{\"a"), N("{\""), N("[\"a\""), N("[\"a\","), N("[\"a\"x]"), N("{\"a\",\"b\"}"),
    N("[\"a\":1]"), N(":"), N(","), N("[:]"), N("[1:2]"), N("{:}"), N("{\"a\":1:2}"), N("[1,\n2\n"), N("[[[["),
    N("[1]//x"), N("/**/[]"), N("[1/**/]"), N("#\n[]"), N("[]\0"), N("[\0]"), N("\0"), N("<null>"), N("[\v]"),
    N("[\f1]"), N("\xC2\xA0[]"), N("[\xE2\x81\xA0]"), N("\xEF\xBB\xBF{}"), N("*"), N("[*]"), N("[a]"), N("\\u005b]"),
    N("{\"a\":\"b\"}#"), N("{\"a\":\"b\"}/"), N("[1],"), N("{}}"), N("\"\"\"\""),
    /* words */
    Y("[true,false,null]"), N("nul"), N("tru"), N("fals"), N("[nul]"), N("[tru]"), N("nulll"), N("[truee]"), N("True"),
    N("NULL"), N("[nullx]"), N("[true1]"), N("t"), N("n"), N("f"), N("undefined"), N("nan"), N("inf"), N("-nan"),
    N("N"), N("I"), N("-I"), N("Infinit"), N("[NaN1]"), N("[NaNN]"), N("--Infinity"), N("+Infinity"), N("-NaN"),
    /* numbers */
    Y("0"), Y("-0"), Y("10"), Y("-1"), Y("1.0"), Y("0.5"), Y("-0.0"), Y("1e1"), Y("1E1"), Y("1e+1"), Y("1e-1"),
    Y("1.5e300"), Y("0e0"), Y("0.0e-0"), Y("123456789012345678901234567890"), Y("1e400"), Y("-1e-400"), Y("[0 ]"),
    Y("[0\n]"), Y("9223372036854775807"), Y("9223372036854775808"), Y("-9223372036854775808"), Y("0.1e00001"),
    Y("-0.000000000000000000000000000000000000000000000000000000000000000000000000000001"),
    N("01"), N("-01"), N("00"), N("-"), N("+1"), N("1."), N(".5"), N("-.5"), N("1.e1"), N("1e"), N("1e+"), N("1e-"),
    N("1.5.5"), N("1e1.5"), N("1e1e1"), N("0x10"), N("0x"), N("1_000"), N("1 000"), N("[1a]"), N("[-]"), N("[--1]"),
    N("[-a]"), N("[1-1]"), N("[1+1]"), N("++1"), N("-foo"), N("1f"), N("0.1.2"), N("0.e1"), N("[2.]"), N("[-2.]"),
    N("[1.]"), N("[1ee2]"), N("[-1x]"), N("[0e]"), N("[0e+-1]"), N("[1\xC2\xA0]"), N("\xEF\xBC\x91"), N("[1\"\"]"),
    /* strings */
    Y("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), Y("\"\\u0000\""), Y("\"\\u00e9\\uD83D\\uDE00\""), Y("\"\\uD83D\""),
    Y("\"\\uDE00\\uD83D\""), Y("\"\\uDBFF\\uDFFE\""), Y("\"\x7F\""), Y("\"\xC3\xA9\""), Y("\"\xE2\x82\xAC\""),
    Y("\"\xF0\x9F\x98\x80\""), Y("\"\xF4\x8F\xBF\xBF\""), Y("\"\xEF\xBF\xBF\""), Y("\"\xED\x9F\xBF\""), Y("\"'\""),
    Y("\"/*x*/\""), Y("\"\xE2\x80\xA8\""), Y("\"a long text of more than thirty-two bytes, without any escapes\""),
    Y("\"a long text of more than thirty-two bytes, an escape near its e\\nd\""), Y("\"\\\\\""), Y("\"\\\\\\\"\""),
    N("\""), N("\"a"), N("a\""), N("'a'"), N("\"\\\""), N("\"\\\\\\\""), N("\"\\x41\""), N("\"\\a\""), N("\"\\'\""),
    N("\"\\0\""), N("\"\\"), N("\"\\u\""), N("\"\\u1\""), N("\"\\u12\""), N("\"\\u123\""), N("\"\\u12G4\""), N("\"\\U0041\""),
    N("\"\\u 123\""), N("\"\\u00"), N("\"\\uD83D\\u\""), N("\"\\uD83D\\uDE0\""), N("\"\\\n\""), N("\"\\\0\""), N("\"\\\xC3\xA9\""),
    N("\"\n\""), N("\"\t\""), N("\"\x1F\""), N("\"\0\""), N("\"a\0b\""), N("\"\r\""), N("\"\x01\""),
    N("\"a long text of more than thirty-two bytes, with a line\nbreak\""),
    N("\"a long text of more than thirty-two bytes that does not end"),
    /* UTF-8 */
    N("\"\x80\""), N("\"\xBF\""), N("\"\xC3\""), N("\"\xC3(\""), N("\"\xC0\x80\""), N("\"\xC1\xBF\""), N("\"\xE2\x82\""),
    N("\"\xE2\x28\xA1\""), N("\"\xE0\x80\xAF\""), N("\"\xE0\x9F\xBF\""), N("\"\xED\xA0\x80\""), N("\"\xED\xBF\xBF\""),
    N("\"\xF0\x80\x80\xAF\""), N("\"\xF0\x8F\xBF\xBF\""), N("\"\xF4\x90\x80\x80\""), N("\"\xF5\x80\x80\x80\""),
    N("\"\xF8\x88\x80\x80\x80\""), N("\"\xFF\""), N("\"\xFE\""), N("\"\xF0\x9F\x98\""), N("[\xFF]"), N("\xE9"),
    N("{\"\xE9\":1}"), N("\xFF\xFE[\0]\0"), N("\"a long text of more than thirty-two bytes with one bad byte \xFF.\""),
    N("\"a long text of more than thirty-two bytes that ends too early: \xE2\x82\""), N("\"\xE2\x82"), N("\"\\u0061\xFF\""),
};
/* clang-format on */

#undef Y
#undef N

#endif
