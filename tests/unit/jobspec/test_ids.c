/* Ids of jobs and the names made from them. */
#include "cmocka_all.h"

#include "jobspec/ids.h"

#define A10 "aaaaaaaaaa"
#define A40 A10 A10 A10 A10

static void assert_str(Str found, const char *expected)
{
    if (!str_eqz(found, expected))
        fail_msg("expected \"%s\", found \"%.*s\"", expected, STR_ARG(found));
}

static void a_job_id_has_lower_case_letters_digits_and_inner_hyphens(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "0", "a-b", "a--b", "x1-2y", A40 "aaa"};
    static const char *const bad[] = {"",    "-",   "-a",  "a-",       "A",
                                      "a_b", "a.b", "a\n", A40 "aaaa", "ä"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(ids_is_job_id(str_of(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(ids_is_job_id(str_of(bad[i])));
    assert_false(ids_is_job_id(STR_NONE));
}

static void a_scanned_id_may_be_two_characters_longer(void **state)
{
    (void)state;
    assert_true(ids_is_scanned_id(STR(A40 "aaaaa")));
    assert_false(ids_is_scanned_id(STR(A40 "aaaaaa")));
}

static void imported_ids_are_known_by_their_prefix(void **state)
{
    (void)state;
    assert_true(ids_is_imported(STR("imported-x")));
    assert_false(ids_is_imported(STR("imported")));
}

static void a_generated_id_is_the_cleaned_prefix_and_sixteen_random_characters(void **state)
{
    (void)state;
    static const struct {
        const char *prefix;
        const char *begins;
    } rows[] = {
        {"eval-set", "eval-set-"},
        {"My Eval_Set!", "my-eval-set-"},
        {"", "job-"},
        {"___", "job-"},
        {"Ünï", "n-"},
        {"abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghijklmnopqrstuvwxy-"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char id[IDS_JOB_ID_MAX + 1];
        char other[IDS_JOB_ID_MAX + 1];
        ids_generate(str_of(rows[i].prefix), id);
        ids_generate(str_of(rows[i].prefix), other);
        assert_true(str_starts(str_of(id), str_of(rows[i].begins)));
        assert_int_equal(strlen(id), strlen(rows[i].begins) + 16);
        assert_true(ids_is_job_id(str_of(id)));
        assert_string_not_equal(id, other);
    }
}

static void a_generated_id_is_valid_also_when_the_cut_ends_in_a_hyphen(void **state)
{
    (void)state;
    char id[IDS_JOB_ID_MAX + 1];
    ids_generate(STR("aaaaaaaaaaaaaaaaaaaaaaaa-bbbb"), id);
    assert_true(ids_is_job_id(str_of(id)));
}

static void a_long_text_ends_in_twelve_digits_of_its_hash(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    assert_str(ids_truncate_with_hash(arena, STR(A40 "aaa"), 43), A40 "aaa");
    assert_str(ids_truncate_with_hash(arena, STR(A40 "aaaa"), 43), A10 A10 A10 "-16849877c6c2");
    assert_str(ids_truncate_with_hash(
                   arena, STR("my-very-long-eval-set-name-that-does-not-fit-anywhere"), 40),
               "my-very-long-eval-set-name--aef9f7517be1");
}

static void a_release_name_has_clean_labels_between_dots(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    assert_str(ids_release_name(arena, STR("abc")), "abc");
    assert_str(ids_release_name(arena, STR("My.Release..Name_")), "my.release.name");
    assert_str(ids_release_name(arena, STR("...")), "default");
    assert_str(ids_release_name(arena, STR("-a-.-b-")), "a.b");
    assert_str(ids_release_name(arena, STR("Ünïcode.x")), "n-code.x");
    assert_str(ids_release_name(arena, STR(A40 A10 ".b")), A10 A10 A10 "-549814ce25be");
}

static void a_runner_namespace_leaves_room_for_the_sandbox_suffix(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Str name = STR_NONE;
    assert_int_equal(ids_runner_namespace(arena, STR("inspect"), STR("es-1abc"), &name, &err), 0);
    assert_str(name, "inspect-es-1abc");
    assert_str(ids_sandbox_namespace(arena, name), "inspect-es-1abc-s");
    assert_int_equal(ids_runner_namespace(arena, STR("inspect"), STR(A40 A10 "aaa"), &name, &err),
                     0);
    assert_str(name, "inspect-" A40 A10 "aaa");
    assert_int_equal(ids_runner_namespace(arena, STR("inspect"), STR(A40 A10 "aaaa"), &name, &err),
                     0);
    assert_str(name, "inspect-" A40 "-a3f01b693925");
    assert_int_equal(name.n + 2, IDS_NAMESPACE_MAX);
    assert_int_equal(ids_runner_namespace(arena, STR("Insp_ect-"), STR("Foo_Bar"), &name, &err), 0);
    assert_str(name, "insp-ect-foo-bar");
}

static void a_prefix_that_leaves_no_room_is_refused(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Str name = STR_NONE;
    assert_int_equal(
        ids_runner_namespace(arena, STR(A40 "aaaaaa"), STR("xxxxxxxxxxxxxxxxxxxx"), &name, &err),
        0);
    assert_str(name, A40 "aaaaaa-x-d4fc1db66544");
    assert_int_equal(ids_runner_namespace(arena, STR(A40 "aaaaaaa"), STR("x"), &name, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
}

static void a_service_account_fits_into_a_label(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    assert_str(ids_service_account(arena, STR("hawk"), STR("eval-set"), STR("es-1")),
               "hawk-eval-set-runner-es-1");
    Str name = ids_service_account(arena, STR("hawk"), STR("eval-set"), STR(A40 "aaa"));
    assert_int_equal(name.n, IDS_NAMESPACE_MAX);
}

static void a_label_has_one_underscore_for_a_run_of_other_characters(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    assert_str(ids_label(arena, STR("plain")), "plain");
    assert_str(ids_label(arena, STR("a b  c")), "a_b_c");
    assert_str(ids_label(arena, STR("__x__")), "x");
    assert_str(ids_label(arena, STR("émile@example.org")), "mile_example.org");
    assert_str(ids_label(arena, STR("-._")), "");
    assert_str(ids_label(arena, STR("auth0|123/abc")), "auth0_123_abc");
    assert_int_equal(ids_label(arena, STR(A40 A40)).n, 63);
}

static void a_submitter_is_forty_digits_of_a_hash(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    assert_str(ids_submitter_label(arena, STR("google-oauth2|1234567890")),
               "71ec52a0bc3fee9956e500006d4a89c4dd83d554");
}

static void model_access_is_sorted_and_without_prefixes(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    const Str groups[] = {STR("model-access-B"), STR("public"), STR("model-access-A"),
                          STR("model-access-public")};
    assert_str(ids_model_access(arena, groups, ARRAY_LEN(groups)), "__A__B__public__");
    assert_null(ids_model_access(arena, NULL, 0).p);
}

static void a_header_value_is_printable_and_short(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    assert_str(ids_header_value(arena, STR("a\tb\r\nc é")), "a_b__c _");
    char text[600];
    memset(text, 'x', sizeof(text));
    assert_int_equal(ids_header_value(arena, (Str){text, sizeof(text)}).n, IDS_HEADER_VALUE_MAX);
}

static void a_path_segment_cannot_leave_its_folder(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ".", "..", "a/b", "a b", "a\\b", "a%2f", "a?b"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(ids_is_path_segment(str_of(bad[i])));
        assert_false(ids_is_scanner_key(str_of(bad[i])));
    }
    assert_true(ids_is_path_segment(STR("scan_id=a.b-c")));
    assert_false(ids_is_scanner_key(STR("scan_id=a")));
    assert_true(ids_is_scanner_key(STR("...")));
    assert_false(ids_is_path_segment((Str){"a\0b", 3}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_id_has_lower_case_letters_digits_and_inner_hyphens),
        cmocka_unit_test(a_scanned_id_may_be_two_characters_longer),
        cmocka_unit_test(imported_ids_are_known_by_their_prefix),
        cmocka_unit_test(a_generated_id_is_the_cleaned_prefix_and_sixteen_random_characters),
        cmocka_unit_test(a_generated_id_is_valid_also_when_the_cut_ends_in_a_hyphen),
        cmocka_unit_test(a_long_text_ends_in_twelve_digits_of_its_hash),
        cmocka_unit_test(a_release_name_has_clean_labels_between_dots),
        cmocka_unit_test(a_runner_namespace_leaves_room_for_the_sandbox_suffix),
        cmocka_unit_test(a_prefix_that_leaves_no_room_is_refused),
        cmocka_unit_test(a_service_account_fits_into_a_label),
        cmocka_unit_test(a_label_has_one_underscore_for_a_run_of_other_characters),
        cmocka_unit_test(a_submitter_is_forty_digits_of_a_hash),
        cmocka_unit_test(model_access_is_sorted_and_without_prefixes),
        cmocka_unit_test(a_header_value_is_printable_and_short),
        cmocka_unit_test(a_path_segment_cannot_leave_its_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
