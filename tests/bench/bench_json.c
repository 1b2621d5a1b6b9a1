/* How fast JSON is passed over, in GB/s (the best of many passes): bench_json [FILE...]; without
 * files over texts made here.
 */

#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "codec/json.h"
#include "codec/json_scan.h"

enum { TEXT_MAX = 1 << 30, MADE_SIZE = 8 << 20, BENCH_MS = 500 };

typedef int Pass(Str text, Error *err);

static int pass_wide(Str text, Error *err)
{
    return json_scan_valid(text, true, err);
}

static int pass_plain(Str text, Error *err)
{
    JsonScan scan;
    json_scan_init(&scan, text, true);
    json_scan_use_plain(&scan);
    return json_scan_end(&scan, err);
}

static int pass_tree(Str text, Error *err)
{
    JsonLimits limits = {.bytes = TEXT_MAX, .depth = 1000, .nodes = TEXT_MAX, .allow_nan = true};
    auto_arena Arena *arena = arena_new();
    Json *root = NULL;
    return json_parse(arena, text, &limits, &root, err);
}

typedef struct Reader {
    const char *name;
    Pass *pass;
} Reader;

static const Reader readers[] = {
    {"scan", pass_wide}, {"scan, plain", pass_plain}, {"tree", pass_tree}};

static int measure(const char *name, Str text)
{
    printf("%-24s %8.1f MB", name, (double)text.n / 1e6);
    for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
        auto_error Error err = ERROR_INIT;
        int64_t begun = clock_now_us();
        int64_t best = INT64_MAX;
        do {
            int64_t from = clock_now_us();
            if (readers[i].pass(text, &err) < 0) {
                printf("  %s\n", error_text(&err));
                return -1;
            }
            int64_t taken = clock_now_us() - from + 1;
            best = taken < best ? taken : best;
        } while (clock_now_us() - begun < BENCH_MS * 1000);
        printf("   %s %6.2f GB/s", readers[i].name, (double)text.n / (double)best / 1e3);
    }
    printf("\n");
    return 0;
}

/* Items are repeated with a number in them until the text is large. */
static int measure_made(const char *name, const char *item)
{
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    buf_addc(&text, '[');
    for (int i = 0; text.len < MADE_SIZE; i++)
        buf_printf(&text, "%s{\"id\":%d,%s}", i > 0 ? "," : "", i, item);
    buf_addc(&text, ']');
    return measure(name, buf_str(&text));
}

static int measure_file(const char *path)
{
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    auto_error Error err = ERROR_INIT;
    if (fs_read_file(path, &text, &err) < 0) {
        fprintf(stderr, "%s\n", error_text(&err));
        return -1;
    }
    return measure(path, buf_str(&text));
}

typedef struct Made {
    const char *name;
    const char *item;
} Made;

/* clang-format off */
static const Made mades[] = {
    { "long texts", "\"uuid\":\"Kx5nVbQz8J4mR2wT\",\"role\":\"assistant\",\"content\":\"The quick brown fox jumps over the lazy "
      "dog, and then it explains at length why it did so, as models do: step by step, weighing one thing against the "
      "other, until nobody remembers the question.\\n\\nSo the answer, which is only given here after a long detour "
      "through the whole of the subject, with all of its branches, is the number forty-two, for the reasons above.\"" },
    { "events", "\"event\":\"model\",\"timestamp\":\"2026-01-31T10:00:00.250000+00:00\",\"working_start\":12.345678,"
      "\"pending\":false,\"span_id\":\"Kx5nVbQz8J4mR2wT\",\"metadata\":null,\"usage\":{\"input_tokens\":1234,"
      "\"output_tokens\":56,\"total_tokens\":1290},\"tools\":[],\"config\":{\"temperature\":0.5}" },
    { "numbers", "\"logprobs\":[-0.1234,-2.5,-0.00012,-13.25,0,-1.5e-07,-0.75,-3.125]" },
    { "other scripts", "\"content\":\"\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E\xE3\x81\xAE\xE6\x96\x87\xE7\xAB\xA0\xE3\x81\xA7\xE3\x81"
      "\x99\xE3\x80\x82\xE9\x95\xB7\xE3\x81\x84\xE6\x96\x87\xE3\x82\x92\xE8\xAA\xAD\xE3\x82\x80\xE3\x80\x82\"" },
};
/* clang-format on */

int main(int argc, char **argv)
{
    int status = 0;
    for (int i = 1; i < argc; i++)
        status |= measure_file(argv[i]);
    for (size_t i = 0; argc == 1 && i < ARRAY_LEN(mades); i++)
        status |= measure_made(mades[i].name, mades[i].item);
    return status == 0 ? 0 : 1;
}
