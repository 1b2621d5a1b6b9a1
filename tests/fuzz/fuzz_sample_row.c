/* Rows of samples: whatever the text, no crash; the JSON that goes to the database is strict JSON.
 */

#include <stdint.h>
#include <stdlib.h>

#include "codec/json_scan.h"
#include "warehouse/sample_row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_json(Str json)
{
    auto_error Error err = ERROR_INIT;
    if (json.p &&
        (json_scan_valid(json, false, &err) < 0 || memmem(json.p, json.n, "\\u0000", 6))) {
        /* The six bytes may also be an escaped backslash with plain digits behind it. */
        if (err.kind != ERR_NONE || !memmem(json.p, json.n, "\\\\u0000", 7))
            abort();
    }
}

static void must_be_text(Str text)
{
    if (text.p && (memchr(text.p, '\0', text.n) || !str_is_utf8(text)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    SampleRow row;
    if (sample_row_read((Str){(const char *)data, size}, arena, &row, &err) < 0)
        return 0;
    must_be_text(row.id);
    must_be_text(row.uuid);
    must_be_text(row.error_message);
    must_be_text(row.error_traceback);
    must_be_text(row.invalidation_reason);
    must_be_json(row.input);
    must_be_json(row.output);
    must_be_json(row.meta);
    must_be_json(row.model_usage);
    for (const SampleRowScore *score = row.scores; score; score = score->next) {
        must_be_text(score->scorer);
        must_be_text(score->answer);
        must_be_json(score->value);
        must_be_json(score->meta);
        must_be_json(score->history);
    }
    return 0;
}
