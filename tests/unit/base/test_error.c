/* Errors: wrapping, kinds, texts. */
#include "cmocka_all.h"

#include <errno.h>

#include "base/error.h"

static void wrapping_puts_context_in_front_and_keeps_kind_and_fix(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    assert_int_equal(error_set(&err, ERR_NOT_FOUND, "no %s", "log"), -1);
    error_fix(&err, "run hawk list");
    error_wrap(&err, "cannot print %d", 7);
    assert_string_equal(error_text(&err), "cannot print 7: no log");
    assert_string_equal(err.fix, "run hawk list");
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void every_kind_has_a_name_and_a_status(void **state)
{
    (void)state;
    for (int kind = ERR_USAGE; kind <= ERR_INTERNAL; kind++) {
        assert_non_null(error_kind_name((ErrorKind)kind));
        assert_true(error_kind_exit((ErrorKind)kind) > 0);
        assert_true(error_kind_http((ErrorKind)kind) >= 400);
    }
    assert_int_equal(error_kind_of_http(404), ERR_NOT_FOUND);
    assert_int_equal(error_kind_of_http(599), ERR_INTERNAL);
    assert_int_equal(error_kind_of_http(418), ERR_USAGE);
}

static void a_full_disk_is_told_from_other_failures(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    error_errno(&err, ENOSPC, "cannot write");
    assert_int_equal(err.kind, ERR_NO_SPACE);
    assert_string_equal(error_text(&err), "cannot write: No space left on device");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrapping_puts_context_in_front_and_keeps_kind_and_fix),
        cmocka_unit_test(every_kind_has_a_name_and_a_status),
        cmocka_unit_test(a_full_disk_is_told_from_other_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
