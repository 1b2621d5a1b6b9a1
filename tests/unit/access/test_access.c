/* Decisions: fail closed, and say why. */
#include "cmocka_all.h"

#include "access/access.h"

static const char *const two_groups[] = {"model-access-a", "model-access-b"};
static const Caller member = {.sub = "ann", .groups = two_groups, .n_groups = 2};
static const Caller admin = {.sub = "root", .is_admin = true, .sees_all = true};

static void expect_denied(const Caller *caller, AccessAction action, const AccessResource *about,
                          const char *code)
{
    auto_error Error err = ERROR_INIT;
    assert_int_equal(access_allows(caller, action, about, &err), -1);
    assert_int_equal(err.kind, ERR_DENIED);
    assert_string_equal(err.code, code);
    assert_true(strlen(error_text(&err)) > 10);
}

static void unknown_groups_are_not_visible(void **state)
{
    (void)state;
    const AccessResource about = {.name = "eval set x", .owner = "ann"};
    expect_denied(&member, ACCESS_JOB_READ, &about, "access.unknown");
    expect_denied(&member, ACCESS_LOG_READ, NULL, "access.unknown");
    assert_true(access_may(&admin, ACCESS_JOB_READ, &about));
}

static void every_group_is_needed(void **state)
{
    (void)state;
    const Str both[] = {STR("model-access-b"), STR("model-access-a")};
    const Str more[] = {STR("model-access-a"), STR("model-access-c")};
    const AccessResource mine = {.groups = both, .n_groups = 2, .groups_known = true};
    const AccessResource other = {.groups = more, .n_groups = 2, .groups_known = true};
    assert_true(access_may(&member, ACCESS_JOB_READ, &mine));
    expect_denied(&member, ACCESS_JOB_READ, &other, "access.groups");
}

static void what_has_no_group_is_nobody_s(void **state)
{
    (void)state;
    const AccessResource about = {.owner = "ann", .groups_known = true};
    expect_denied(&member, ACCESS_JOB_READ, &about, "access.unknown");
    assert_true(access_may(&admin, ACCESS_JOB_READ, &about));
}

static void a_server_that_shows_public_models_only_says_so(void **state)
{
    (void)state;
    static const char *const groups[] = {ACCESS_GROUP_PUBLIC};
    const Caller caller = {.sub = "ann", .groups = groups, .n_groups = 1, .sees_public = true};
    const Str hidden[] = {STR("model-access-a")};
    const AccessResource about = {.groups = hidden, .n_groups = 1, .groups_known = true};
    expect_denied(&caller, ACCESS_JOB_READ, &about, "access.public_only");
}

static void an_unresolved_group_denies(void **state)
{
    (void)state;
    static const char *const odd[] = {ACCESS_GROUP_UNRESOLVED};
    const Caller caller = {.sub = "eve", .groups = odd, .n_groups = 1};
    const Str groups[] = {STR(ACCESS_GROUP_UNRESOLVED)};
    const AccessResource about = {.groups = groups, .n_groups = 1, .groups_known = true};
    expect_denied(&caller, ACCESS_JOB_READ, &about, "access.unknown");
}

static void only_the_owner_or_an_admin_may_change_a_job(void **state)
{
    (void)state;
    const AccessResource mine = {.owner = "ann"};
    const AccessResource other = {.owner = "bob"};
    const AccessResource nobody = {0};
    assert_true(access_may(&member, ACCESS_JOB_CONTROL, &mine));
    assert_true(access_may(&admin, ACCESS_JOB_CONTROL, &other));
    expect_denied(&member, ACCESS_JOB_CONTROL, &other, "access.owner");
    expect_denied(&member, ACCESS_JOB_CONTROL, &nobody, "access.owner");
}

static void a_read_only_credential_changes_nothing(void **state)
{
    (void)state;
    Caller caller = admin;
    caller.is_read_only = true;
    expect_denied(&caller, ACCESS_JOB_CREATE, NULL, "access.read_only");
    expect_denied(&caller, ACCESS_JOB_CONTROL, NULL, "access.read_only");
    assert_true(access_may(&caller, ACCESS_JOB_READ, NULL));
}

static void nobody_may_do_nothing(void **state)
{
    (void)state;
    const Caller nobody = {0};
    for (int action = ACCESS_JOB_CREATE; action <= ACCESS_LOGIN_MINT; action++)
        expect_denied(&nobody, (AccessAction)action, NULL, "access.unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_groups_are_not_visible),
        cmocka_unit_test(every_group_is_needed),
        cmocka_unit_test(what_has_no_group_is_nobody_s),
        cmocka_unit_test(a_server_that_shows_public_models_only_says_so),
        cmocka_unit_test(an_unresolved_group_denies),
        cmocka_unit_test(only_the_owner_or_an_admin_may_change_a_job),
        cmocka_unit_test(a_read_only_credential_changes_nothing),
        cmocka_unit_test(nobody_may_do_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
