/* Samples as Markdown, and text for terminals: whatever a log holds, nothing that a terminal obeys
   comes out of term_add_text, and compacted JSON is JSON still. */

#include <stdint.h>
#include <stdlib.h>

#include "base/term.h"
#include "cli/transcript.h"
#include "codec/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 16 << 20 };

static void must(bool claim)
{
    if (!claim)
        abort();
}

static void check_safe(Str text)
{
    auto_buf Buf safe = BUF_INIT(OUT_MAX);
    term_add_text(&safe, text);
    must(str_is_utf8(buf_str(&safe)));
    for (size_t i = 0; i < safe.len; i++) {
        unsigned char c = (unsigned char)safe.data[i];
        must((c >= 0x20 && c != 0x7F) || c == '\n' || c == '\t');
        must(c != 0xC2 || (unsigned char)safe.data[i + 1] >= 0xA0);
    }
    (void)term_height(buf_str(&safe), 80);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str sample = {(const char *)data, size};
    auto_error Error err = ERROR_INIT;
    auto_error Error invalid = ERROR_INIT;
    auto_buf Buf page = BUF_INIT(OUT_MAX);
    auto_buf Buf compact = BUF_INIT(OUT_MAX);
    TranscriptAbout about = {.task = STR("task"), .model = STR("model")};
    bool is_json = json_scan_valid(sample, true, &invalid) == 0;
    if (transcript_write(sample, &about, &page, &err) == 0)
        must(is_json);
    check_safe(buf_str(&page));
    check_safe(sample);
    transcript_compact(sample, &compact);
    error_reset(&invalid);
    if (is_json)
        must(json_scan_valid(buf_str(&compact), true, &invalid) == 0);
    return 0;
}
