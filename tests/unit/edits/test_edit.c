/* Reading edits: what each type takes, what is filled in, what is refused and where. */
#include "cmocka_all.h"

#include "base/mem.h"
#include "codec/json_out.h"
#include "edits/edit.h"

typedef struct Read {
    bool is_fine;
    Edit edit;
    Diagnostics problems;
} Read;

static Arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(TAKE(arena));
    return 0;
}

static Json *json(const char *text)
{
    auto_error Error err = ERROR_INIT;
    Json *node = NULL;
    if (json_parse(arena, str_of(text), &json_limits_config, &node, &err) < 0)
        fail_msg("%s", error_text(&err));
    return node;
}

static Read read_form(const char *text, EditForm form, bool refuses_more)
{
    Read ret = {0};
    diagnostics_init(&ret.problems, arena);
    const EditReader reader = {.arena = arena,
                               .problems = &ret.problems,
                               .file = "f",
                               .form = form,
                               .refuses_more = refuses_more};
    ret.is_fine = edit_read(&reader, json(text), "", &ret.edit);
    assert_int_equal(ret.is_fine, ret.problems.n_errors == 0);
    return ret;
}

/* The details of an edit with these, as JSON. */
static const char *details_of(const char *details)
{
    const char *text = arena_printf(arena, "{\"sample_uuid\":\"u\",\"details\":%s}", details);
    Read read = read_form(text, EDIT_FORM_ANY, true);
    if (!read.is_fine)
        fail_msg("%s: %s", read.problems.items[0].path, read.problems.items[0].message);
    auto_buf Buf buf = BUF_INIT(4096);
    JsonOut out;
    json_out_init(&out, &buf, 0);
    json_out_node(&out, read.edit.details);
    return arena_strdup(arena, buf.data);
}

/* The path of the only problem of an edit with these details. */
static const char *problem_of(const char *details)
{
    const char *text = arena_printf(arena, "{\"sample_uuid\":\"u\",\"details\":%s}", details);
    Read read = read_form(text, EDIT_FORM_ANY, true);
    assert_int_equal(read.problems.n, 1);
    return read.problems.items[0].path;
}

static void what_is_left_out_of_a_score_edit_is_unchanged(void **state)
{
    (void)state;
    assert_string_equal(
        details_of("{\"scorer\":\"s\",\"type\":\"score_edit\",\"reason\":\"r\"}"),
        "{\"type\":\"score_edit\",\"scorer\":\"s\",\"reason\":\"r\",\"value\":\"UNCHANGED\","
        "\"answer\":\"UNCHANGED\",\"explanation\":\"UNCHANGED\",\"metadata\":\"UNCHANGED\"}");
}

static void values_of_every_kind_are_kept_as_they_are(void **state)
{
    (void)state;
    static const char *const values[] = {
        "\"C\"", "1", "0.25", "true", "[1,\"a\"]", "{\"a\":1,\"b\":null}", "12345678901234567890"};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        const char *given =
            arena_printf(arena,
                         "{\"type\":\"score_edit\",\"scorer\":\"s\",\"reason\":\"r\",\"value\":%s,"
                         "\"answer\":null,\"explanation\":\"e\",\"metadata\":{\"k\":[null]}}",
                         values[i]);
        assert_string_equal(details_of(given), given);
    }
}

static void values_that_no_score_can_have_are_refused(void **state)
{
    (void)state;
    static const char *const values[] = {"null", "[null]", "[[1]]", "{\"a\":[1]}"};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        assert_string_equal(
            problem_of(arena_printf(
                arena, "{\"type\":\"score_edit\",\"scorer\":\"s\",\"reason\":\"r\",\"value\":%s}",
                values[i])),
            "details.value");
}

static void each_field_has_its_type(void **state)
{
    (void)state;
    assert_string_equal(problem_of("{\"type\":\"score_edit\",\"scorer\":1,\"reason\":\"r\"}"),
                        "details.scorer");
    assert_string_equal(problem_of("{\"type\":\"score_edit\",\"scorer\":\"s\"}"), "details.reason");
    assert_string_equal(problem_of("{\"type\":\"score_edit\",\"scorer\":\"s\",\"reason\":\"r\","
                                   "\"metadata\":\"x\"}"),
                        "details.metadata");
    assert_string_equal(problem_of("{\"type\":\"invalidate_sample\"}"), "details.reason");
    assert_string_equal(problem_of("{\"type\":\"append_info_event\",\"source\":\"s\"}"),
                        "details.data");
    assert_string_equal(
        problem_of("{\"type\":\"append_score_event\",\"scorer\":\"s\",\"score\":{}}"),
        "details.score.value");
    assert_string_equal(problem_of("{\"type\":\"append_score_event\",\"scorer\":\"s\","
                                   "\"score\":{\"value\":1},\"intermediate\":1}"),
                        "details.intermediate");
    assert_string_equal(problem_of("{\"type\":\"score\"}"), "details.type");
    assert_string_equal(problem_of("{}"), "details.type");
    assert_string_equal(problem_of("[]"), "details");
}

static void data_of_an_info_event_may_be_anything_but_null(void **state)
{
    (void)state;
    static const char *const values[] = {"1", "\"x\"", "[{}]", "{\"a\":null}"};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        const char *given = arena_printf(
            arena, "{\"type\":\"append_info_event\",\"source\":\"s\",\"data\":%s}", values[i]);
        assert_string_equal(details_of(given), given);
    }
    assert_string_equal(
        problem_of("{\"type\":\"append_info_event\",\"source\":\"s\",\"data\":null}"),
        "details.data");
}

static void a_score_event_is_final_unless_it_says_otherwise(void **state)
{
    (void)state;
    assert_string_equal(details_of("{\"type\":\"append_score_event\",\"scorer\":\"s\","
                                   "\"score\":{\"value\":1,\"metadata\":null}}"),
                        "{\"type\":\"append_score_event\",\"scorer\":\"s\",\"score\":{\"value\":1,"
                        "\"metadata\":null},\"intermediate\":false}");
}

static void events_have_their_fields_beside_the_uuid(void **state)
{
    (void)state;
    Read info = read_form("{\"sample_uuid\":\"u\",\"source\":\"s\",\"data\":1}",
                          EDIT_FORM_INFO_EVENT, true);
    assert_true(info.is_fine);
    assert_int_equal(info.edit.kind, EDIT_INFO_EVENT);
    Read score = read_form("{\"sample_uuid\":\"u\",\"scorer\":\"s\",\"score\":{\"value\":1}}",
                           EDIT_FORM_SCORE_EVENT, true);
    assert_true(score.is_fine);
    assert_int_equal(score.edit.kind, EDIT_SCORE_EVENT);
}

static void unknown_fields_are_refused_only_where_that_is_asked_for(void **state)
{
    (void)state;
    const char *text = "{\"sample_uuid\":\"u\",\"x\":1,\"details\":{\"type\":\"invalidate_sample\","
                       "\"reason\":\"r\",\"y\":1}}";
    assert_true(read_form(text, EDIT_FORM_ANY, false).is_fine);
    assert_int_equal(read_form(text, EDIT_FORM_ANY, true).problems.n, 2);
}

static EditList list_of(const char *text)
{
    EditList list = {0};
    Diagnostics problems;
    diagnostics_init(&problems, arena);
    const EditReader reader = {.arena = arena, .problems = &problems, .file = "f"};
    if (!edit_list_read(&reader, json(text), "edits", &list))
        fail_msg("%s: %s", problems.items[0].path, problems.items[0].message);
    return list;
}

#define SCORE(uuid, scorer)                                                                        \
    "{\"sample_uuid\":\"" uuid "\",\"details\":{\"type\":\"score_edit\",\"scorer\":\"" scorer      \
    "\",\"reason\":\"r\"}}"
#define INVALIDATE(uuid)                                                                           \
    "{\"sample_uuid\":\"" uuid "\",\"details\":{\"type\":\"invalidate_sample\",\"reason\":\"r\"}}"
#define UNINVALIDATE(uuid)                                                                         \
    "{\"sample_uuid\":\"" uuid "\",\"details\":{\"type\":\"uninvalidate_sample\"}}"
#define INFO(uuid)                                                                                 \
    "{\"sample_uuid\":\"" uuid                                                                     \
    "\",\"details\":{\"type\":\"append_info_event\",\"source\":\"s\",\"data\":1}}"

static void a_score_may_be_edited_once_in_a_request(void **state)
{
    (void)state;
    size_t first = 9;
    size_t second = 9;
    const EditList list =
        list_of("[" INFO("a") "," SCORE("a", "x") "," SCORE("b", "x") "," SCORE("a", "x") "]");
    assert_true(edit_list_find_duplicate(&list, &first, &second));
    assert_int_equal(first, 1);
    assert_int_equal(second, 3);
}

static void invalidating_twice_is_a_duplicate(void **state)
{
    (void)state;
    size_t first = 9;
    size_t second = 9;
    const EditList list = list_of("[" INVALIDATE("a") "," INVALIDATE("a") "]");
    assert_true(edit_list_find_duplicate(&list, &first, &second));
}

static void different_things_about_one_sample_are_no_duplicates(void **state)
{
    (void)state;
    size_t first = 9;
    size_t second = 9;
    const EditList list = list_of("[" SCORE("a", "x") "," SCORE("a", "y") "," SCORE(
        "b", "x") "," INVALIDATE("a") "," UNINVALIDATE("a") "," INFO("a") "," INFO("a") "]");
    assert_false(edit_list_find_duplicate(&list, &first, &second));
}

static void a_list_has_one_to_a_thousand_items(void **state)
{
    (void)state;
    auto_buf Buf text = BUF_INIT(1 << 20);
    buf_addc(&text, '[');
    for (int i = 0; i <= EDIT_LIST_MAX; i++)
        buf_printf(&text, "%s" INFO("a"), i ? "," : "");
    buf_addc(&text, ']');
    const char *const wrong[] = {"[]", "{}", text.data};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        EditList list = {0};
        Diagnostics problems;
        diagnostics_init(&problems, arena);
        const EditReader reader = {.arena = arena, .problems = &problems, .file = "f"};
        assert_false(edit_list_read(&reader, json(wrong[i]), "edits", &list));
        assert_string_equal(problems.items[0].path, "edits");
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_left_out_of_a_score_edit_is_unchanged),
        T(values_of_every_kind_are_kept_as_they_are),
        T(values_that_no_score_can_have_are_refused),
        T(each_field_has_its_type),
        T(data_of_an_info_event_may_be_anything_but_null),
        T(a_score_event_is_final_unless_it_says_otherwise),
        T(events_have_their_fields_beside_the_uuid),
        T(unknown_fields_are_refused_only_where_that_is_asked_for),
        T(a_score_may_be_edited_once_in_a_request),
        T(invalidating_twice_is_a_duplicate),
        T(different_things_about_one_sample_are_no_duplicates),
        T(a_list_has_one_to_a_thousand_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
