/* YAML: what is read, what is refused and how it is said, and that what is written reads back. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "codec/json_out.h"
#include "codec/yaml.h"

enum { OUT_MAX = 4 << 20, LONG = 3000 };

typedef struct Golden {
    const char *yaml;
    const char *json;
} Golden;

/* clang-format off */
static const Golden goldens[] = {
    /* scalars of the core schema */
    { "[null, Null, NULL, ~, ]", "[null,null,null,null]" },
    { "a:\nb: ~", "{\"a\":null,\"b\":null}" },
    { "[true, True, TRUE, false, False, FALSE]", "[true,true,true,false,false,false]" },
    { "[yes, No, on, OFF, y, n, tRUE]", "[\"yes\",\"No\",\"on\",\"OFF\",\"y\",\"n\",\"tRUE\"]" },
    { "[0, -5, +7, 0123, 0o17, 0xFf, -0]", "[0,-5,7,123,15,255,-0]" },
    { "[0o8, 0x, 0b1, 1_000, 0xG, -0x1]", "[\"0o8\",\"0x\",\"0b1\",\"1_000\",\"0xG\",\"-0x1\"]" },
    { "[1.5, -0.5, .5, 1., 1e3, +1.5E-2, 1.e1]", "[1.5,-0.5,0.5,1.0,1e3,0.015,10.0]" },
    { "[., +, -, 1.2.3, 1e, e1, 1e+, '-']", "[\".\",\"+\",\"-\",\"1.2.3\",\"1e\",\"e1\",\"1e+\",\"-\"]" },
    { "[.inf, -.Inf, +.INF, .nan, .NaN]", "[null,null,null,null,null]" },
    { "[9223372036854775808, 0xFFFFFFFFFFFFFFFF]", "[9223372036854775808,1.8446744073709552e+19]" },
    { "[2001-12-14, 12:30:45, 1:2]", "[\"2001-12-14\",\"12:30:45\",\"1:2\"]" },
    { "['1', \"true\", 'null', '', \"~\"]", "[\"1\",\"true\",\"null\",\"\",\"~\"]" },
    { "'it''s'", "\"it's\"" },
    { "\"a\\tb\\n\\x41\\u00e9\\U0001F600\\0\\e\\/\"", "\"a\\tb\\nA\xC3\xA9\xF0\x9F\x98\x80\\u0000\\u001b/\"" },
    { "plain text, with: a key", "{\"plain text, with\":\"a key\"}" },
    { "a b\n c\n\n d", "\"a b c\\nd\"" },
    /* blocks */
    { "a: |\n  x\n   y\n\n  z\n", "{\"a\":\"x\\n y\\n\\nz\\n\"}" },
    { "a: |-\n  x\n", "{\"a\":\"x\"}" },
    { "a: |+\n  x\n\n", "{\"a\":\"x\\n\\n\"}" },
    { "a: >\n  x\n  y\n\n  z\n", "{\"a\":\"x y\\nz\\n\"}" },
    { "- a\n- - b\n  - c\n-\n  d: 1\n  e: 2\n- f: {g: [h, 'i']}\n",
      "[\"a\",[\"b\",\"c\"],{\"d\":1,\"e\":2},{\"f\":{\"g\":[\"h\",\"i\"]}}]" },
    { "a:\n- 1\n- 2\nb: []\nc: {}\n", "{\"a\":[1,2],\"b\":[],\"c\":{}}" },
    { "? a\n: 1\n? 'b c'\n: 2\n", "{\"a\":1,\"b c\":2}" },
    { "# comment\na: 1 # another\n\n#end", "{\"a\":1}" },
    { "a: x#y\nb: 'http://x/y?z#t'\nc: http://x:80/y", "{\"a\":\"x#y\",\"b\":\"http://x/y?z#t\",\"c\":\"http://x:80/y\"}" },
    { "---\na: 1\n...\n", "{\"a\":1}" },
    { "%YAML 1.2\n---\na: 1\n", "{\"a\":1}" },
    { "", "null" }, { "# nothing\n", "null" }, { "---\n", "null" },
    { "\xEF\xBB\xBF" "a: 1", "{\"a\":1}" }, { "\xEF\xBB\xBF{\"a\": 1}", "{\"a\":1}" },
    { "a: 1\r\nb: 2\r\n", "{\"a\":1,\"b\":2}" },
    { "a:\t1", "{\"a\":1}" },
    { "'<<': 1\n\"1\": 2\n'': 3", "{\"<<\":1,\"1\":2,\"\":3}" },
    /* anchors and tags */
    { "a: &x [1, {b: 2}]\nc: *x\nd: &x 3\ne: *x", "{\"a\":[1,{\"b\":2}],\"c\":[1,{\"b\":2}],\"d\":3,\"e\":3}" },
    { "&k a: *k", "{\"a\":\"a\"}" }, { "- &k a\n- *k : 1", "[\"a\",{\"a\":1}]" },
    { "[!!str 1, !!int '2', !!float 3, !!bool 'true', !!null '', ! 4, !!str '']",
      "[\"1\",2,3.0,true,null,\"4\",\"\"]" },
    { "!!map {a: !!seq [!!str b]}", "{\"a\":[\"b\"]}" },
    /* JSON */
    { "{\"a\": \"\\ud83d\\ude00\\/\", \"b\": [1.0, 1E5, true]}", "{\"a\":\"\xF0\x9F\x98\x80/\",\"b\":[1.0,1E5,true]}" },
    { "{\"a\":\n\t1}", "{\"a\":1}" },
};

static const Golden refusals[] = {
    { "a: 1\nb: 2\na: 3\n", "f.yaml:3:1: found the key \"a\" again (first at line 1, column 1)" },
    { "{a: 1, 'a': 2}", "f.yaml:1:8: found the key \"a\" again (first at line 1, column 2)" },
    { "a: {b: 1}\n1: x", "f.yaml:2:1: expected a key that is text, found an integer" },
    { "true: x", "f.yaml:1:1: expected a key that is text, found a boolean" },
    { "~: x", "f.yaml:1:1: expected a key that is text, found null" },
    { "? [a]\n: x", "f.yaml:1:3: expected a key that is text, found a list" },
    { "- &x [a]\n- *x : 1", "f.yaml:2:3: expected a key that is text, found a list" },
    { "a: &x {b: 1}\nc:\n  <<: *x\n", "f.yaml:3:3: found a merge key (<<), which YAML 1.2 does not have" },
    { "a: 1\n---\nb: 2\n", "f.yaml:2:1: found a second document, expected one" },
    { "a: !foo 1", "f.yaml:1:4: found the tag !foo, expected none but !!null, !!bool, !!int, !!float, !!str, !!seq and !!map" },
    { "a: !!int x", "f.yaml:1:4: found the tag !!int, expected a value that fits it" },
    { "a: !!python/object:os.system {}", "f.yaml:1:4: found the tag !!python/object:os.system, expected none but !!map" },
    { "a: *x", "f.yaml:1:4: found the alias *x, expected one whose anchor &x stands above" },
    { "a: &x [*x]", "f.yaml:1:8: found the alias *x, expected one whose anchor &x does not contain it" },
    { "a:\n\tb: 1\n", "f.yaml:2:1: found a tab in the indentation, expected spaces" },
    { "a:\n  - x\n \t- y\n", "f.yaml:3:2: found a tab in the indentation, expected spaces" },
    { "a: b: c", "f.yaml:1:5: found ':' where no key can stand" },
    { "a: 1\n b: 2\n", "f.yaml:2:3: found ':' where no key can stand" },
    { "a:\n  b: 1\n c: 2\n", "f.yaml:3:2: expected a key or the end of the mapping (in what begins at line 1)" },
    { "- a\nb: 1\n", "f.yaml:2:1: expected '-' or the end of the list (in what begins at line 1)" },
    { "a: 'x\n", "f.yaml:2:1: expected the closing quote, found the end of the text (in what begins at line 1)" },
    { "a: [1, 2", "f.yaml:2:1: expected ',' or ']' (in what begins at line 1)" },
    { "a: @x", "f.yaml:1:4: found a character that cannot start a value" },
    { "a: \"\\q\"", "f.yaml:1:5: found an unknown escape in double quotes" },
    { "a: \x01", "f.yaml:1:4: found the character U+0001, which YAML does not allow" },
    { "a: 1\nb: \xFF", "f.yaml:2:4: found byte 0xFF, expected UTF-8" },
};
/* clang-format on */

static int parse(Arena *arena, Str text, const JsonLimits *limits, Json **ret, Error *err)
{
    return yaml_parse(arena, text, "f.yaml", limits, ret, err);
}

static void add_json(Buf *buf, const Json *node)
{
    JsonOut out;
    json_out_init(&out, buf, 0);
    json_out_node(&out, node);
}

static void documents_mean_what_yaml_1_2_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(goldens); i++) {
        auto_arena Arena *arena = arena_new();
        auto_error Error err = ERROR_INIT;
        Json *root = NULL;
        int status = parse(arena, str_of(goldens[i].yaml), &json_limits_config, &root, &err);
        if ((status == 0) != (goldens[i].json != NULL))
            fail_msg("%s: %s", goldens[i].yaml, error_text(&err));
        if (status < 0)
            continue;
        auto_buf Buf json = BUF_INIT(OUT_MAX);
        add_json(&json, root);
        if (strcmp(json.data, goldens[i].json) != 0)
            fail_msg("%s: %s", goldens[i].yaml, json.data);
    }
}

static void refusals_say_where_and_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        auto_arena Arena *arena = arena_new();
        auto_error Error err = ERROR_INIT;
        Json *root = NULL;
        if (parse(arena, str_of(refusals[i].yaml), &json_limits_config, &root, &err) == 0)
            fail_msg("%s is accepted", refusals[i].yaml);
        assert_int_equal(err.kind, ERR_BAD_DATA);
        assert_string_equal(error_text(&err), refusals[i].json);
    }
}

static void nodes_know_their_place(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Json *root = NULL;
    assert_int_equal(
        parse(arena, STR("a: 1\nb:\n  - x\n  - {c: 2}\n"), &json_limits_config, &root, &err), 0);
    const Json *b = json_get(root, "b");
    assert_int_equal(b->key_line, 2);
    assert_int_equal(b->key_column, 1);
    assert_int_equal(b->line, 3);
    assert_int_equal(b->column, 3);
    const Json *c = json_get(b->last, "c");
    assert_int_equal(c->key_line, 4);
    assert_int_equal(c->key_column, 6);
    assert_int_equal(c->column, 9);
}

static void the_tree_does_not_need_the_text(void **state)
{
    (void)state;
    static const char *const texts[] = {"{\"a\": [\"b\", 1]}", "a: [b, 1]"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        auto_buf Buf text = BUF_INIT(OUT_MAX);
        buf_addz(&text, texts[i]);
        auto_arena Arena *arena = arena_new();
        auto_error Error err = ERROR_INIT;
        Json *root = NULL;
        assert_int_equal(parse(arena, buf_str(&text), &json_limits_config, &root, &err), 0);
        buf_release(&text);
        auto_buf Buf json = BUF_INIT(OUT_MAX);
        add_json(&json, root);
        assert_string_equal(json.data, "{\"a\":[\"b\",1]}");
    }
}

static void assert_refused(Str text, const JsonLimits *limits, const char *part)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Json *root = NULL;
    assert_int_equal(parse(arena, text, limits, &root, &err), -1);
    if (!strstr(error_text(&err), part))
        fail_msg("%s", error_text(&err));
}

static void aliases_of_aliases_run_into_the_limit(void **state)
{
    (void)state;
    auto_buf Buf text = BUF_INIT(OUT_MAX);
    buf_addz(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 30; i++) {
        buf_printf(&text, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            buf_printf(&text, "*a%d,", i - 1);
        buf_addz(&text, "]\n");
    }
    assert_refused(buf_str(&text), &json_limits_config, "more than 1000000 values");
    buf_reset(&text);
    buf_addz(&text, "a: &a ");
    for (int i = 0; i < LONG; i++)
        buf_addc(&text, 'x');
    buf_addz(&text, "\nb: [");
    for (int i = 0; i < LONG; i++)
        buf_addz(&text, "*a,");
    buf_addz(&text, "]\n");
    assert_refused(buf_str(&text), &json_limits_config, "more than 8388608 bytes of text");
}

static void depth_values_and_size_have_ceilings(void **state)
{
    (void)state;
    JsonLimits limits = {.bytes = 60, .depth = 3, .nodes = 8};
    assert_refused(STR("[[[[x]]]]"), &limits, "f.yaml:1:4: nested deeper than 3 levels");
    assert_refused(STR("a:\n  b:\n    c:\n      d: x"), &limits, "nested deeper than 3 levels");
    assert_refused(STR("- &a [[x]]\n- [*a]"), &limits, "f.yaml:2:4: nested deeper than 3 levels");
    assert_refused(STR("[a, b, c, d, e, f, g, h]"), &limits, "f.yaml:1:23: more than 8 values");
    assert_refused(STR("a text that is far longer than sixty bytes, as can be counted by hand"),
                   &limits, "f.yaml has 69 bytes, over the limit of 60");
    auto_buf Buf text = BUF_INIT(OUT_MAX);
    for (int i = 0; i < 300; i++)
        buf_printf(&text, "- &a%d x\n", i);
    assert_refused(buf_str(&text), &json_limits_config, "more than 256 anchors");
}

static void many_keys_do_not_take_forever(void **state)
{
    (void)state;
    auto_buf Buf text = BUF_INIT(OUT_MAX);
    for (int i = 0; i < 10000; i++)
        buf_printf(&text, "key%d: 1\n", i);
    buf_addz(&text, "key77: 1\n");
    assert_refused(buf_str(&text), &json_limits_config,
                   "f.yaml:10001:1: found the key \"key77\" again (first at line 78");
}

static void round_trip(Str text)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Json *root = NULL;
    if (parse(arena, text, &json_limits_config, &root, &err) < 0)
        fail_msg("%.*s: %s", STR_ARG(text), error_text(&err));
    auto_buf Buf written = BUF_INIT(OUT_MAX);
    yaml_write(&written, root);
    Json *again = NULL;
    if (parse(arena, buf_str(&written), &json_limits_config, &again, &err) < 0)
        fail_msg("%s: %s", written.data, error_text(&err));
    if (!json_equal(root, again))
        fail_msg("%.*s became %s", STR_ARG(text), written.data);
}

static void what_is_written_reads_back_equal(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "[1, 1.0, 1e5, .nan, .inf, -.inf, -0, 123456789012345678901234567890, 0x10, true, null]",
        "['', ' ', '  x', 'x ', \"x\\n\", \"x\\n\\n\", \"\\nx\", \"x\\ny\", \" x\\ny\", \"x "
        "\\ny\", \"x\\r\\ny\", \"\\t\"]",
        "['true', 'no', 'null', '~', '1', '1.5', '0x1', '.inf', '-', '- x', '? x', 'a: b', 'a #b', "
        "'a#b', 'x:', ':x']",
        "['*x', '&x', '!x', '%x', '@x', '`x', '{x', '[x', '|', '>', '#', ',', ']', \"'\", '\"', "
        "\"\\\\\", '---', '...', '<<']",
        "[\"\\0\\x01\\x7f\\x85\\u2028\\uFEFF\\uFFFF\\U0001F600\\U0010FFFF\\u00e9\"]",
        "{'': '', ' a': 1, 'a b': 2, 'true': 3, '1': 4, '<<': 5, \"x\\ny\": 6, 'a: b': 7}",
        "[[], {}, [[]], [{}], {a: []}, {a: {}}, [[[a], b], c], {a: {b: {c: [d, {e: f}]}}}, [[{a: "
        "1, b: [1, 2]}]]]",
        "a: |\n  some text\n    indented\n\n  end\nb:\n  - |-\n    x\n    y\n  - c: |\n      z\n",
        "\"just\\ntext\"",
        "'just text'",
        "[]",
        "{}",
        "",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        round_trip(str_of(texts[i]));
    for (size_t i = 0; i < ARRAY_LEN(goldens); i++)
        if (goldens[i].json)
            round_trip(str_of(goldens[i].yaml));
}

static void long_keys_read_back(void **state)
{
    (void)state;
    auto_buf Buf text = BUF_INIT(OUT_MAX);
    buf_addz(&text, "{\"");
    for (int i = 0; i < LONG; i++)
        buf_addc(&text, 'k');
    buf_addz(&text, "\": {\"a\": [1]}, \"b\": [{\"");
    for (int i = 0; i < LONG; i++)
        buf_addz(&text, "\xC3\xA9 ");
    buf_addz(&text, "\": 1}]}");
    round_trip(buf_str(&text));
}

static void what_is_written_is_pleasant_to_read(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Json *root = NULL;
    Str text = STR("{\"name\": \"my set\", \"n\": 3, \"ids\": [\"x-1\", \"2\", \"yes\"], "
                   "\"tasks\": [{\"package\": \"inspect-ai\", "
                   "\"items\": [{\"name\": \"a\", \"args\": {}}]}], \"prompt\": \"one\\n  "
                   "two\\n\", \"url\": \"http://h:80/p\"}");
    assert_int_equal(parse(arena, text, &json_limits_config, &root, &err), 0);
    auto_buf Buf written = BUF_INIT(OUT_MAX);
    yaml_write(&written, root);
    assert_string_equal(written.data, "name: my set\n"
                                      "\"n\": 3\n"
                                      "ids:\n"
                                      "  - x-1\n"
                                      "  - \"2\"\n"
                                      "  - \"yes\"\n"
                                      "tasks:\n"
                                      "  - package: inspect-ai\n"
                                      "    items:\n"
                                      "      - name: a\n"
                                      "        args: {}\n"
                                      "prompt: |\n"
                                      "  one\n"
                                      "    two\n"
                                      "url: http://h:80/p\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_mean_what_yaml_1_2_says),
        cmocka_unit_test(refusals_say_where_and_why),
        cmocka_unit_test(nodes_know_their_place),
        cmocka_unit_test(the_tree_does_not_need_the_text),
        cmocka_unit_test(aliases_of_aliases_run_into_the_limit),
        cmocka_unit_test(depth_values_and_size_have_ceilings),
        cmocka_unit_test(many_keys_do_not_take_forever),
        cmocka_unit_test(what_is_written_reads_back_equal),
        cmocka_unit_test(long_keys_read_back),
        cmocka_unit_test(what_is_written_is_pleasant_to_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
