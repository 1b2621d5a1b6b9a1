/* The notation of shapes, and the schemas that come of it. */
#include "cmocka_all.h"

#include "server/shape.h"

static void assert_schema(const char *shape, const char *schema)
{
    auto_buf Buf buf = BUF_INIT(8192);
    JsonOut out;
    json_out_init(&out, &buf, 0);
    shape_write(str_of(shape), &out);
    assert_string_equal(buf.data, schema);
}

static void a_base_has_its_bounds(void **state)
{
    (void)state;
    assert_schema("str", "{\"type\":\"string\"}");
    assert_schema("any", "{}");
    assert_schema("int(1..500)", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":500}");
    assert_schema("str(1..)", "{\"type\":\"string\",\"minLength\":1}");
    assert_schema("time", "{\"type\":\"string\",\"format\":\"date-time\"}");
}

static void what_stands_behind_makes_lists_and_maps(void **state)
{
    (void)state;
    assert_schema("File[](1..200)",
                  "{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/File\"},"
                  "\"minItems\":1,\"maxItems\":200}");
    assert_schema("int{}", "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}");
    assert_schema("str?", "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}");
}

static void words_are_an_enumeration(void **state)
{
    (void)state;
    assert_schema("'asc' | 'desc'", "{\"type\":\"string\",\"enum\":[\"asc\",\"desc\"]}");
    assert_schema("int | 'all'?",
                  "{\"anyOf\":[{\"type\":\"string\",\"enum\":[\"all\"]},{\"type\":\"integer\"},"
                  "{\"type\":\"null\"}]}");
}

static void fields_with_a_question_mark_or_a_default_may_be_missing(void **state)
{
    (void)state;
    assert_schema("{a: str; b?: int; c: bool = false; d: 'x' | 'y' = 'y'}",
                  "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},"
                  "\"b\":{\"type\":\"integer\"},\"c\":{\"type\":\"boolean\",\"default\":false},"
                  "\"d\":{\"type\":\"string\",\"enum\":[\"x\",\"y\"],\"default\":\"y\"}},"
                  "\"required\":[\"a\"]}");
}

static void dots_leave_an_object_open(void **state)
{
    (void)state;
    assert_schema("{a: {b: str}[]; ...}",
                  "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"array\",\"items\":"
                  "{\"type\":\"object\",\"properties\":{\"b\":{\"type\":\"string\"}},"
                  "\"required\":[\"b\"]}}},\"required\":[\"a\"],\"additionalProperties\":true}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_base_has_its_bounds),
        cmocka_unit_test(what_stands_behind_makes_lists_and_maps),
        cmocka_unit_test(words_are_an_enumeration),
        cmocka_unit_test(fields_with_a_question_mark_or_a_default_may_be_missing),
        cmocka_unit_test(dots_leave_an_object_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
