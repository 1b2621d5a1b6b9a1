/* Searches in a sample: a byte of options, a query, a zero byte, and the sample's JSON. Whatever is
   looked for, and wherever: an answer is JSON with as many places as it says, or an error says
   whose fault it is. */

#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "evallog/grep.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 192 << 20, INPUT_MAX = 64 << 10 };

static void must(bool claim)
{
    if (!claim)
        __builtin_trap();
}

/* What the query has as it came in JSON: by two bits "all", some, or none. */
static const Json *filter(Arena *arena, unsigned bits, const char *some)
{
    static const char *const texts[] = {"\"all\"", NULL, "null", "[]"};
    auto_error Error err = ERROR_INIT;
    Json *node = NULL;
    const char *text = bits % 4 == 1 ? some : texts[bits % 4];
    must(json_parse(arena, str_of(text), &json_limits_config, &node, &err) == 0);
    return node;
}

static void check_answer(Arena *arena, Str text)
{
    static const JsonLimits limits = {.bytes = OUT_MAX, .depth = 10, .nodes = 10 * GREP_PLACES_MAX};
    auto_error Error err = ERROR_INIT;
    Json *answer = NULL;
    must(str_is_utf8(text) && json_parse(arena, text, &limits, &answer, &err) == 0);
    int64_t n = json_int(answer, "value", -1);
    const Json *explanation = json_get(answer, "explanation");
    const Json *references = json_get(answer, "references");
    must(n >= 0 && n <= GREP_PLACES_MAX);
    must(json_is_null(explanation) == (n == 0));
    must(references->type == JSON_ARRAY && (int64_t)references->n <= n);
    must((references->n == 0) == (n == 0));
    for (const Json *item = references->first; item; item = item->next)
        must(json_text(item, "cite", STR("")).n > 0 && json_text(item, "id", STR("")).n > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char roles[] = "[\"user\",\"assistant\",\"tool\",1]";
    static const char kinds[] = "[\"model\",\"tool\",\"info\",\"sentinel\",null]";
    if (size < 2 || size > INPUT_MAX)
        return 0;
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    auto_buf Buf body = BUF_INIT(OUT_MAX);
    auto_sample_parts SampleParts *parts = NULL;
    Str rest = {(const char *)data + 1, size - 1};
    const char *end = memchr(rest.p, '\0', rest.n);
    if (!end || !str_is_utf8(str_slice(rest, 0, (size_t)(end - rest.p))))
        return 0; /* a query is a text out of JSON */
    GrepQuestion question = {.query = str_slice(rest, 0, (size_t)(end - rest.p)),
                             .is_regex = data[0] & 1,
                             .ignores_case = data[0] & 2,
                             .has_word_boundary = data[0] & 4,
                             .messages = filter(arena, data[0] >> 3, roles),
                             .events = filter(arena, data[0] >> 5, kinds)};
    Str sample = str_slice(rest, question.query.n + 1, rest.n);
    JsonOut out;
    json_out_init(&out, &body, 0);
    if (sample_parts_open_text(sample, "sample", &parts, &err) < 0 ||
        grep_sample(parts, &question, &out, &err) < 0)
        must(err.kind == ERR_USAGE || err.kind == ERR_TIMEOUT || err.kind == ERR_BAD_DATA);
    else
        check_answer(arena, buf_str(&body));
    return 0;
}
