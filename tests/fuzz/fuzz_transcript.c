/* Samples as documents, and text for terminals: whatever a log holds, nothing that a terminal obeys
   comes out of term_add_text, JSON is JSON still, and HTML has no tags and entities but ours. */

#include <stdint.h>
#include <stdlib.h>

#include "base/term.h"
#include "codec/json_scan.h"
#include "evallog/transcript.h"

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

/* Every tag of the page begins with one of these, and nothing of a log stands between quotes but
   the data of images. */
static void check_tags(Str page)
{
    static const char *const tags[] = {
        "<!DOCTYPE html>",
        "<html lang=\"en\">",
        "<head>",
        "<meta ",
        "<title>",
        "<style>",
        "<body>",
        "<h1>",
        "<h2>",
        "<h3>",
        "<table>",
        "<tr>",
        "<th>",
        "<td>",
        "<article>",
        "<article class=\"user\">",
        "<article class=\"assistant\">",
        "<article class=\"tool\">",
        "<article class=\"system\">",
        "<article class=\"other\">",
        "<article class=\"error\">",
        "<p>",
        "<pre>",
        "<code>",
        "<details>",
        "<summary>",
        "<img alt=\"image\" src=\"data:image/",
        "</",
    };
    must(str_is_utf8(page));
    for (size_t i = 0; i < page.n; i++) {
        Str rest = str_slice(page, i, page.n);
        bool is_ours = page.p[i] != '<';
        for (size_t j = 0; j < ARRAY_LEN(tags) && !is_ours; j++)
            is_ours = str_starts(rest, str_of(tags[j]));
        must(is_ours);
        must(page.p[i] == '\n' || page.p[i] == '\t' || (unsigned char)page.p[i] >= 0x20);
    }
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
    if (transcript_write(sample, &about, TRANSCRIPT_MARKDOWN, &page, &err) == 0)
        must(is_json);
    check_safe(buf_str(&page));
    error_reset(&err);
    buf_reset(&page);
    if (transcript_write(sample, &about, TRANSCRIPT_HTML, &page, &err) == 0)
        check_tags(buf_str(&page));
    error_reset(&err);
    buf_reset(&page);
    if (transcript_write(sample, &about, TRANSCRIPT_JSON, &page, &err) == 0) {
        auto_error Error broken = ERROR_INIT;
        must(json_scan_valid(buf_str(&page), true, &broken) == 0);
    }
    check_safe(sample);
    transcript_compact(sample, &compact);
    error_reset(&invalid);
    if (is_json)
        must(json_scan_valid(buf_str(&compact), true, &invalid) == 0);
    return 0;
}
