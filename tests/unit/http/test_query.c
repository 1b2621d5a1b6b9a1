/* Query strings and cookies. */
#include "cmocka_all.h"

#include "http/query.h"

typedef struct Row {
    const char *text;
    const char *name;
    size_t n;
    const char *expected; /* NULL: none */
} Row;

static void check(Str value, const Row *row)
{
    if (!str_eq(value, str_of(row->expected)) || !value.p != !row->expected)
        fail_msg("%s of %s: %.*s", row->name, row->text, STR_ARG(value));
}

static void parameters_are_decoded_and_counted(void **state)
{
    (void)state;
    static const Row rows[] = {
        {"a=1&b=2&a=3", "a", 0, "1"},
        {"a=1&b=2&a=3", "a", 1, "3"},
        {"a=1&b=2&a=3", "a", 2, NULL},
        {"", "a", 0, NULL},
        {"a", "a", 0, ""},
        {"a=", "a", 0, ""},
        {"a=b=c", "a", 0, "b=c"},
        {"%61=x", "a", 0, "x"},
        {"a=%20+%2B", "a", 0, "  +"},
        {"a=%&b=%4&c=%zz", "a", 0, "%"},
        {"a=%&b=%4&c=%zz", "b", 0, "%4"},
        {"a=%&b=%4&c=%zz", "c", 0, "%zz"},
        {"&&a=1&", "a", 0, "1"},
        {"&&a=1&", "", 0, NULL},
        {"=v", "", 0, "v"},
        {"aa=1", "a", 0, NULL},
    };
    auto_arena Arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check(query_param(arena, str_of(rows[i].text), str_of(rows[i].name), rows[i].n), &rows[i]);
    assert_null(query_param(arena, STR_NONE, STR("a"), 0).p);
}

static void cookies_are_found_by_their_whole_name(void **state)
{
    (void)state;
    static const Row rows[] = {
        {"a=1; b=2", "b", 0, "2"}, {"a=1;b=2", "b", 0, "2"}, {"ab=1; b=2", "b", 0, "2"},
        {"a=\"1\"", "a", 0, "1"},  {"a=\"", "a", 0, "\""},   {"a", "a", 0, NULL},
        {"a=x=y", "a", 0, "x=y"},  {"a=; b=2", "a", 0, ""},  {"a=1; a=2", "a", 0, "1"},
        {"A=1", "a", 0, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check(query_cookie(str_of(rows[i].text), str_of(rows[i].name)), &rows[i]);
    assert_null(query_cookie(STR_NONE, STR("a")).p);
}

static void decoding_keeps_nuls_and_plus_outside_of_forms(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    Str decoded = query_decode(arena, STR("a%00b+%2f"), false);
    assert_int_equal(decoded.n, 5);
    assert_memory_equal(decoded.p, "a\0b+/", 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_decoded_and_counted),
        cmocka_unit_test(cookies_are_found_by_their_whole_name),
        cmocka_unit_test(decoding_keeps_nuls_and_plus_outside_of_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
