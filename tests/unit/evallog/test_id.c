/* Ids of evals whose logs have none. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "evallog/evallog_id.h"

static void an_id_is_the_one_that_inspect_gives(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    int64_t created_us = INT64_C(1735689600000000); /* 2025-01-01T00:00:00Z */
    Str id = evallog_id_of(STR("a"), STR("b"), created_us, arena);
    assert_string_equal(id.p, "Re7omx79izjuHtfHdppAWo");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_the_one_that_inspect_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
