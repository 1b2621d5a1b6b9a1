/* Which hosts are this machine. */
#include "cmocka_all.h"

#include "http/loopback.h"

typedef struct Row {
    const char *text;
    bool is_here;
} Row;

static void names_and_addresses_of_this_machine_are_known(void **state)
{
    (void)state;
    static const Row rows[] = {
        {"localhost", true},
        {"LocalHost", true},
        {"127.0.0.1", true},
        {"127.9.8.7", true},
        {"::1", true},
        {"::ffff:127.0.0.1", true},
        {"128.0.0.1", false},
        {"127.1", false},
        {"127.0.0.1.example.org", false},
        {"::ffff:10.0.0.1", false},
        {"", false},
        {"localhost.example.org", false},
        {"::2", false},
        {"0.0.0.0", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (loopback_is_name(str_of(rows[i].text)) != rows[i].is_here)
            fail_msg("%s", rows[i].text);
}

static void a_host_header_may_have_a_port(void **state)
{
    (void)state;
    static const Row rows[] = {
        {"localhost", true},      {"127.0.0.1:8137", true},      {"[::1]:8137", true},
        {"[::1]", true},          {"example.org", false},        {"example.org:80", false},
        {"127.0.0.1:80x", false}, {"127.0.0.1:99999999", false}, {"", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (loopback_is_host(str_of(rows[i].text)) != rows[i].is_here)
            fail_msg("%s", rows[i].text);
}

static void what_only_looks_like_this_machine_in_a_url_is_not(void **state)
{
    (void)state;
    static const Row rows[] = {
        {"http://127.0.0.1", true},
        {"http://127.0.0.1:8137/v1?a=b", true},
        {"https://localhost/", true},
        {"http://localhost?a", true},
        {"http://[::1]:80/", true},
        {"http://[::1", false},
        {"http://127.0.0.1.example.org/", false},
        {"http://127.example.org/", false},
        {"http://localhost.example.org/", false},
        {"http://127.0.0.1:80@example.org/", false},
        {"http://127.0.0.1\\@example.org/", false},
        {"http://example.org/127.0.0.1", false},
        {"ftp://127.0.0.1/", false},
        {"", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (loopback_is_url(str_of(rows[i].text)) != rows[i].is_here)
            fail_msg("%s", rows[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_addresses_of_this_machine_are_known),
        cmocka_unit_test(a_host_header_may_have_a_port),
        cmocka_unit_test(what_only_looks_like_this_machine_in_a_url_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
