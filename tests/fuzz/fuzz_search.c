/* Searches: 'w' and words as a user types them, 'p' and a regular expression whose words are looked
   up, 'j' and JSON that texts are drawn from, 's' a query, a zero byte and a text to cut a snippet
   from. */

#include <stdint.h>
#include <string.h>

#include "warehouse/search/search_text.h"
#include "warehouse/search/search_words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_query(Str query, Str text)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    auto_buf Buf snippet = BUF_INIT(64 * 1024);
    SearchWords words;
    if (search_words_read(query, arena, &words, &err) < 0) {
        if (err.kind != ERR_USAGE)
            __builtin_trap();
        return;
    }
    (void)search_words_text(&words, SQL_SQLITE, arena);
    (void)search_words_text(&words, SQL_POSTGRES, arena);
    double rank = search_words_rank(&words, text);
    search_words_snippet(&words, text, &snippet);
    if (!(rank >= 0 && rank <= 1) || snippet.len > 4096)
        __builtin_trap();
}

static void read_json(Str json)
{
    auto_error Error err = ERROR_INIT;
    auto_buf Buf out = BUF_INIT(SEARCH_TEXT_MAX);
    SearchText text = {.out = &out};
    if (search_text_message(&text, json, &err) < 0 || search_text_any(&text, json, &err) < 0)
        __builtin_trap();
    Str cut = search_text_cut(buf_str(&out));
    if (out.overflowed || cut.n > out.len)
        __builtin_trap();
}

static void read_pattern(Str pattern)
{
    auto_arena Arena *arena = arena_new();
    SearchWords words;
    search_words_of_pattern(pattern, arena, &words);
    if (words.n_terms > 0)
        (void)search_words_text(&words, SQL_SQLITE, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 65536)
        return 0;
    Str rest = {(const char *)data + 1, size - 1};
    const char *end = memchr(rest.p, '\0', rest.n);
    size_t n = end ? (size_t)(end - rest.p) : rest.n;
    switch (data[0]) {
    case 'w': read_query(rest, rest); break;
    case 'p': read_pattern(rest); break;
    case 'j': read_json(rest); break;
    case 's': read_query(str_slice(rest, 0, n), str_slice(rest, n + 1, rest.n)); break;
    default: break;
    }
    return 0;
}
