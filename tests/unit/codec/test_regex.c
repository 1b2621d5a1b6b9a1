/* Expressions of strangers: what they find, and that they end. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/regex.h"

enum { LONG_MS = 60 * 1000, SHORT_MS = 50, N_LETTERS = 400 * 1000 };

typedef struct Case {
    const char *pattern;
    unsigned options;
    const char *text;
    const char *places; /* "from-to " for each */
} Case;

/* clang-format off */
static const Case cases[] = {
    {"b",     0,               "abcb",            "1-2 3-4 "},
    {"B",     0,               "abcb",            ""},
    {"B",     REGEX_CASELESS,  "abcb",            "1-2 3-4 "},
    {"x*",    0,               "axx",             "0-0 1-3 3-3 "},
    {"^a",    0,               "a\na",            "0-1 "},
    {"^a",    REGEX_MULTILINE, "a\na",            "0-1 2-3 "},
    {"\\w+",  0,               "\xC3\xA9",        ""},
    {"\\w+",  REGEX_UNICODE,   "\xC3\xA9",        "0-2 "},
    {"a.c",   0,               "a\xFF" "c abc",   "4-7 "},
    {"(?<=a)b\\Kc", 0,         "abc",             "2-3 "},
    {"a|ab",  REGEX_WHOLE,     "ab",              "0-2 "},
    {"a|ab",  REGEX_WHOLE,     "abc",             ""},
    {"b",     REGEX_WHOLE,     "ab",              ""},
    {"a",     REGEX_WHOLE,     "a\n",             ""},
    {"a",     REGEX_WHOLE,     "a\xFF" "b",       ""},
    {"b",     REGEX_WHOLE,     "a\xFF" "b",       ""},
};
/* clang-format on */

static void all_places_are_found_in_their_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_error Error err = ERROR_INIT;
        auto_regex Regex *regex = NULL;
        char got[200] = "";
        size_t n = 0;
        RegexPlace place = {0};
        bool may_be_empty = true;
        Str text = str_of(cases[i].text);
        assert_int_equal(regex_compile(str_of(cases[i].pattern), cases[i].options, &regex, &err),
                         0);
        while (regex_find(regex, text, place.to, may_be_empty, clock_monotonic_ms() + LONG_MS,
                          &place, &err) == 1) {
            n += (size_t)snprintf(got + n, sizeof(got) - n, "%zu-%zu ", place.from, place.to);
            may_be_empty = place.to > place.from;
        }
        assert_string_equal(got, cases[i].places);
    }
}

static void a_wrong_expression_is_refused_with_its_place(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_regex Regex *regex = NULL;
    assert_int_equal(regex_compile(STR("ab(c"), 0, &regex, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
    assert_non_null(strstr(error_text(&err), "at character 4"));
}

/* Each is cheap from one place on, and there are many places. */
static void an_expression_that_would_take_hours_ends(void **state)
{
    (void)state;
    static const char *const patterns[] = {"\\w*+[!?]", "a*+[bc]", "(a{1,1400}){2}[bc]"};
    auto_free char *letters = mem_alloc(N_LETTERS);
    memset(letters, 'a', N_LETTERS);
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        auto_error Error err = ERROR_INIT;
        auto_regex Regex *regex = NULL;
        RegexPlace place = {0};
        assert_int_equal(regex_compile(str_of(patterns[i]), 0, &regex, &err), 0);
        assert_int_equal(regex_find(regex, (Str){letters, N_LETTERS}, 0, true,
                                    clock_monotonic_ms() + SHORT_MS, &place, &err),
                         -1);
        assert_true(err.kind == ERR_TIMEOUT || err.kind == ERR_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_places_are_found_in_their_order),
        cmocka_unit_test(a_wrong_expression_is_refused_with_its_place),
        cmocka_unit_test(an_expression_that_would_take_hours_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
