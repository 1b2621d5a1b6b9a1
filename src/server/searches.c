/* The table of searches: one row each, found by going through it. */

#include "server/searches.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "codec/python_text.h"

enum { NAME_MAX_BYTES = 16 << 10 };

typedef struct Row {
    char *sub; /* NULL: free */
    char *query;
    SearchesInput input;
    int64_t at_us;
    uint64_t turn; /* rises with each search: instants may be equal */
} Row;

struct Searches {
    pthread_mutex_t lock;
    uint64_t turn;
    Row rows[SEARCHES_MAX];
};

Searches *searches_new(void)
{
    Searches *searches = mem_alloc(sizeof(*searches));
    pthread_mutex_init(&searches->lock, NULL);
    return searches;
}

static void empty(Row *row)
{
    free(row->sub);
    free(row->query);
    *row = (Row){0};
}

void searches_free(Searches *searches)
{
    if (!searches)
        return;
    for (size_t i = 0; i < SEARCHES_MAX; i++)
        empty(&searches->rows[i]);
    pthread_mutex_destroy(&searches->lock);
    free(searches);
}

static const char *word(bool value)
{
    return value ? "true" : "false";
}

void searches_name(SearchesInput *input)
{
    auto_buf Buf text = BUF_INIT(NAME_MAX_BYTES);
    char hex[DIGEST_HEX_MAX];
    buf_printf(&text, "{\"ignore_case\": %s, \"query\": ", word(input->ignores_case));
    python_text_dumps_str(&text, input->query);
    buf_printf(&text, ", \"regex\": %s, \"type\": \"grep\", \"word_boundary\": %s}",
               word(input->is_regex), word(input->has_word_boundary));
    digest_sha256_hex(buf_str(&text), hex);
    memcpy(input->id, hex, SEARCHES_ID);
    input->id[SEARCHES_ID] = '\0';
}

static bool is_of(const Row *row, const char *sub)
{
    return row->sub && strcmp(row->sub, sub) == 0;
}

void searches_add(Searches *searches, const char *sub, const SearchesInput *input)
{
    pthread_mutex_lock(&searches->lock);
    Row *row = &searches->rows[0];
    for (size_t i = 0; i < SEARCHES_MAX; i++) {
        Row *other = &searches->rows[i];
        if (is_of(other, sub) && strcmp(other->input.id, input->id) == 0) {
            row = other;
            break;
        }
        if (other->turn < row->turn)
            row = other;
    }
    empty(row);
    *row = (Row){.sub = mem_strdup(sub),
                 .query = mem_strndup(input->query.p, input->query.n),
                 .input = *input,
                 .at_us = clock_now_us(),
                 .turn = ++searches->turn};
    row->input.query = (Str){row->query, input->query.n};
    pthread_mutex_unlock(&searches->lock);
}

/* The newest of a person that is older than a turn, or NULL. */
static const Row *newest_before(const Searches *searches, const char *sub, uint64_t turn)
{
    const Row *best = NULL;
    for (size_t i = 0; i < SEARCHES_MAX; i++) {
        const Row *row = &searches->rows[i];
        if (is_of(row, sub) && row->turn < turn && (!best || row->turn > best->turn))
            best = row;
    }
    return best;
}

void searches_write(Searches *searches, const char *sub, int64_t count, JsonOut *out)
{
    pthread_mutex_lock(&searches->lock);
    const Row *row = newest_before(searches, sub, UINT64_MAX);
    for (; row && count > 0; count--) {
        json_out_object(out);
        json_out_kvz(out, "search_id", row->input.id);
        json_out_kv_str(out, "query", row->input.query);
        json_out_kv_time(out, "created_at", row->at_us);
        json_out_kvz(out, "type", "grep");
        json_out_kv_bool(out, "regex", row->input.is_regex);
        json_out_kv_bool(out, "ignore_case", row->input.ignores_case);
        json_out_kv_bool(out, "word_boundary", row->input.has_word_boundary);
        json_out_end_object(out);
        row = newest_before(searches, sub, row->turn);
    }
    pthread_mutex_unlock(&searches->lock);
}

bool searches_find(Searches *searches, const char *sub, Str id, Arena *arena, SearchesInput *ret)
{
    bool found = false;
    pthread_mutex_lock(&searches->lock);
    for (size_t i = 0; i < SEARCHES_MAX && !found; i++) {
        const Row *row = &searches->rows[i];
        found = is_of(row, sub) && str_eqz(id, row->input.id);
        if (found) {
            *ret = row->input;
            ret->query = arena_str(arena, row->input.query);
        }
    }
    pthread_mutex_unlock(&searches->lock);
    return found;
}
