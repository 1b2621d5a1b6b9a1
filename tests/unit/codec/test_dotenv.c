/* Files of environment variables. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "codec/dotenv.h"

enum { OUT_MAX = 4 << 20 };

typedef struct Golden {
    const char *text;
    const char *result; /* name=<value> for each variable; or the message of the refusal */
} Golden;

/* clang-format off */
static const Golden goldens[] = {
    { "", "" },
    { "# only\n\n   # comments\n", "" },
    { "A=1\nB=two words\n", "A=<1>B=<two words>" },
    { "A=1\r\nB=2\rC=3", "A=<1>B=<2>C=<3>" },
    { "  A  =  1  \n\tB=\t2\t\n", "A=<1>B=<2>" },
    { "export A=1\nexport\tB=2\nexport=3\nexport =4\nexported=5", "A=<1>B=<2>export=<3>export=<4>exported=<5>" },
    { "A=\nB=  \nC=''\nD=\"\"", "A=<>B=<>C=<>D=<>" },
    { "A=1 # c\nB=1#c\nC=#c\nD= # c\nE=http://x/#y", "A=<1>B=<1#c>C=<#c>D=<>E=<http://x/#y>" },
    { "A='a # b' # c\nB=\"a # b\"# c\n", "A=<a # b>B=<a # b>" },
    { "A='it\\'s \\\\ \\n'\n", "A=<it's \\ \\n>" },
    { "A=\"q\\\" n\\n t\\t b\\\\ d\\$ '\"\n", "A=<q\" n\n t\t b\\ d\\$ '>" },
    { "A=\"one\ntwo\r\nthree\"\nB=4", "A=<one\ntwo\r\nthree>B=<4>" },
    { "A=x=y==\nB=a\"b\"\nC=\\n$A${B}", "A=<x=y==>B=<a\"b\">C=<\\n$A${B}>" },
    { "_a.b-c9=1", "_a.b-c9=<1>" },
    { "\xEF\xBB\xBF" "A=\xC3\xA9", "A=<\xC3\xA9>" },
    { "A=1\nA=2", "A=<1>A=<2>" },
    { "A=\"x\\\\\"\nB=1", "A=<x\\>B=<1>" },
};

static const Golden refusals[] = {
    { "A=1\nsecret\n", "f.env:2: expected NAME=value or a comment" },
    { "=1", "f.env:1: expected NAME=value or a comment" },
    { "1A=1", "f.env:1: expected NAME=value or a comment" },
    { "A B=1", "f.env:1: expected NAME=value or a comment" },
    { "export A", "f.env:1: expected NAME=value or a comment" },
    { "A=1\n\nB='x\ny\n", "f.env:3: expected a closing '" },
    { "A=\"x", "f.env:1: expected a closing \"" },
    { "A=\"x\\\"", "f.env:1: expected a closing \"" },
    { "A=\"", "f.env:1: expected a closing \"" },
    { "A=\"x\ny\" z", "f.env:2: expected nothing behind the closing quote" },
    { "A='x'y", "f.env:1: expected nothing behind the closing quote" },
    { "A=1\nB=\xFF", "f.env:2: expected UTF-8 without NUL" },
    { "A: 1", "f.env:1: expected NAME=value or a comment" },
};
/* clang-format on */

static void variables_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(goldens); i++) {
        auto_arena Arena *arena = arena_new();
        auto_error Error err = ERROR_INIT;
        Dotenv env = {0};
        if (dotenv_parse(arena, str_of(goldens[i].text), "f.env", &env, &err) < 0)
            fail_msg("%s: %s", goldens[i].text, error_text(&err));
        auto_buf Buf buf = BUF_INIT(OUT_MAX);
        for (size_t k = 0; k < env.n; k++) {
            assert_int_equal(env.variables[k].value.p[env.variables[k].value.n], '\0');
            buf_printf(&buf, "%.*s=<%.*s>", STR_ARG(env.variables[k].name),
                       STR_ARG(env.variables[k].value));
        }
        assert_string_equal(buf.data, goldens[i].result);
    }
}

static void refusals_name_the_line_and_no_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        auto_arena Arena *arena = arena_new();
        auto_error Error err = ERROR_INIT;
        Dotenv env = {0};
        if (dotenv_parse(arena, str_of(refusals[i].text), "f.env", &env, &err) == 0)
            fail_msg("%s is accepted", refusals[i].text);
        assert_int_equal(err.kind, ERR_BAD_DATA);
        assert_string_equal(error_text(&err), refusals[i].result);
    }
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Dotenv env = {0};
    assert_int_equal(dotenv_parse(arena, STR("A=1\nB=\0"), "f.env", &env, &err), -1);
    assert_string_equal(error_text(&err), "f.env:2: expected UTF-8 without NUL");
}

static void the_last_variable_of_a_name_counts_and_lines_are_kept(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Dotenv env = {0};
    assert_int_equal(dotenv_parse(arena, STR("A=1\nB='\n'\nA=2\n"), "f.env", &env, &err), 0);
    assert_true(str_eqz(dotenv_get(&env, "A"), "2"));
    assert_null(dotenv_get(&env, "C").p);
    assert_int_equal(env.n, 3);
    assert_int_equal(env.variables[2].line, 4);
}

static void size_and_count_have_ceilings(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Dotenv env = {0};
    auto_buf Buf text = BUF_INIT(OUT_MAX);
    for (int i = 0; i <= DOTENV_VARIABLES_MAX; i++)
        buf_addz(&text, "A=1\n");
    assert_int_equal(dotenv_parse(arena, buf_str(&text), "f.env", &env, &err), -1);
    assert_string_equal(error_text(&err), "f.env:4097: more than 4096 variables");
    error_reset(&err);
    while (text.len <= DOTENV_BYTES_MAX)
        buf_addz(&text, "# a comment of some length\n");
    assert_int_equal(dotenv_parse(arena, buf_str(&text), "f.env", &env, &err), -1);
    assert_non_null(strstr(error_text(&err), "over the limit of 1048576"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_are_read),
        cmocka_unit_test(refusals_name_the_line_and_no_value),
        cmocka_unit_test(the_last_variable_of_a_name_counts_and_lines_are_kept),
        cmocka_unit_test(size_and_count_have_ceilings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
