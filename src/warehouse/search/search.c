/* The answer of a search: which documents, in which order, and what is said of each.

   Ranking every document that has a common word would take as long as there are such documents, so
   the newest matches are taken a window at a time and ranked among themselves. */

#include "warehouse/search/search.h"

#include <stdlib.h>

#include "base/mem.h"
#include "sql/cursor.h"
#include "warehouse/search/search_index.h"
#include "warehouse/search/search_priv.h"

enum { QUERY_MAX_MS = 10 * 1000, SNIPPET_TEXT_MAX = 4096, TODO_MAX = 10000 };

static const char *const entity_names[N_SEARCH_ENTITIES] = {
    [SEARCH_EVAL] = "eval",
    [SEARCH_SAMPLE] = "sample",
    [SEARCH_MESSAGE] = "message",
    [SEARCH_EVENT] = "event",
    [SEARCH_SCORE] = "score",
    [SEARCH_SCANNER_RESULT] = "scanner_result",
    [SEARCH_MESSAGE_POOL] = "message_pool",
};

static const char *const content_names[N_SEARCH_CONTENTS] = {
    [SEARCH_RESULT_VALUE] = "result_value",
    [SEARCH_EVAL_METADATA] = "eval_metadata",
    [SEARCH_SAMPLE_METADATA] = "sample_metadata",
    [SEARCH_SCANNED_TRANSCRIPT] = "scanned_transcript",
    [SEARCH_TRANSCRIPT] = "transcript",
};

/* A page of hits. */
typedef struct Page {
    SearchHit hits[SEARCH_LIMIT_MAX];
    size_t n;
    Cursor next; /* n is 0 when there is no more */
} Page;

/* ---- which documents ---- */

static int compare_hits(const void *left, const void *right)
{
    const SearchHit *a = left;
    const SearchHit *b = right;
    if (a->rank < b->rank || a->rank > b->rank)
        return a->rank < b->rank ? 1 : -1;
    return (a->no < b->no) - (a->no > b->no);
}

static int rank_hits(const SearchScope *scope, const SearchWords *words, const int64_t *numbers,
                     size_t n, SearchHit *ret, size_t *ret_n, Error *err)
{
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    query_begin(&query, scope->dialect);
    query_add(&query, "SELECT d.no, d.body FROM ");
    search_add_numbers(&query, numbers, n);
    query_add(&query, " CROSS JOIN search_doc d WHERE d.no = p.value");
    if (query_run(&query, scope->tx, &rows, err) < 0)
        return -1;
    int has_row = 0;
    size_t m = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1 && m < n;
         has_row = sql_rows_next(rows, err))
        ret[m++] = (SearchHit){.no = sql_rows_int(rows, 0),
                               .rank = search_words_rank(words, sql_rows_text(rows, 1))};
    qsort(ret, m, sizeof(*ret), compare_hits);
    *ret_n = m;
    return has_row < 0 ? -1 : 0;
}

/* The cursor has the number that the window is below, and how many of it have been shown. */
static int find_by_rank(const SearchScope *scope, const SearchWords *words, size_t limit,
                        const Cursor *after, Page *ret, Error *err)
{
    int64_t before = after->n ? after->values[0].integer : INT64_MAX;
    size_t skip = after->n ? (size_t)after->values[1].integer : 0;
    int64_t *numbers = arena_array(scope->arena, SEARCH_WINDOW, sizeof(*numbers));
    SearchHit *hits = arena_array(scope->arena, SEARCH_WINDOW, sizeof(*hits));
    size_t n_found = 0;
    size_t n = 0;
    if (skip > SEARCH_WINDOW)
        return error_set(err, ERR_USAGE, "the cursor is not one of this search");
    if (search_find(scope, words, before, SEARCH_WINDOW, numbers, &n_found, err) < 0)
        return -1;
    if (n_found && rank_hits(scope, words, numbers, n_found, hits, &n, err) < 0)
        return -1;
    while (skip + ret->n < n && ret->n < limit) {
        ret->hits[ret->n] = hits[skip + ret->n];
        ret->n++;
    }
    bool has_more_here = skip + ret->n < n;
    if (has_more_here)
        ret->next =
            (Cursor){.values = {SQL_INT(before), SQL_INT((int64_t)(skip + ret->n))}, .n = 2};
    else if (n_found == SEARCH_WINDOW)
        ret->next = (Cursor){.values = {SQL_INT(numbers[n_found - 1]), SQL_INT(0)}, .n = 2};
    return 0;
}

static int find_by_recency(const SearchScope *scope, const SearchWords *words, size_t limit,
                           const Cursor *after, Page *ret, Error *err)
{
    int64_t before = after->n ? after->values[0].integer : INT64_MAX;
    int64_t numbers[SEARCH_LIMIT_MAX + 1];
    size_t n = 0;
    if (search_find(scope, words, before, limit + 1, numbers, &n, err) < 0)
        return -1;
    ret->n = n < limit ? n : limit;
    for (size_t i = 0; i < ret->n; i++)
        ret->hits[i] = (SearchHit){.no = numbers[i]};
    if (n > limit)
        ret->next = (Cursor){.values = {SQL_INT(numbers[limit - 1]), SQL_INT(0)}, .n = 2};
    return 0;
}

static int find_by_pattern(const SearchScope *scope, const SearchQuestion *question,
                           const Cursor *after, Page *ret, Error *err)
{
    int64_t before = after->n ? after->values[0].integer : INT64_MAX;
    int64_t next = 0;
    if (search_grep(scope, question, before, ret->hits, &ret->n, &next, err) < 0)
        return -1;
    if (next > 0)
        ret->next = (Cursor){.values = {SQL_INT(next), SQL_INT(0)}, .n = 2};
    return 0;
}

/* ---- what is said of them ---- */

enum HitColumn {
    NO,
    ENTITY,
    CONTENT,
    ENTITY_PK,
    SAMPLE_PK,
    ANCHOR,
    BODY,
    EVAL_SET_ID,
    EVAL_ID,
    SAMPLE_ID,
    SAMPLE_UUID,
    EPOCH,
    TASK_NAME,
    MODEL,
    LOCATION,
};

/* The eval is that which the sample has now, and is asked for access once more: a sample that has
   moved is found where it was until it is indexed again. */
static void add_hits(const SearchScope *scope, const Page *page, Query *query)
{
    int64_t numbers[SEARCH_LIMIT_MAX];
    for (size_t i = 0; i < page->n; i++)
        numbers[i] = page->hits[i].no;
    query_add(query,
              "SELECT d.no, d.entity, d.content, d.entity_pk, d.sample_pk, d.anchor, d.body, "
              "v.eval_set_id, v.id, s.id, s.uuid, s.epoch, v.task_name, v.model, v.location "
              "FROM ");
    search_add_numbers(query, numbers, page->n);
    query_add(query,
              " JOIN search_doc d ON d.no = p.value LEFT JOIN sample s ON s.pk = d.sample_pk "
              "JOIN listing_eval v ON v.eval_pk = coalesce(s.eval_pk, d.eval_pk)");
    if (!scope->is_open) {
        query_add(query, " WHERE ");
        query_add_in(query, "v.no", scope->evals_text);
    }
    query_add(query, " ORDER BY p.key");
}

static void write_snippet(const SearchWords *words, const SearchHit *hit, Str body, JsonOut *out)
{
    auto_buf Buf snippet = BUF_INIT(SNIPPET_TEXT_MAX);
    if (words)
        search_words_snippet(words, body, &snippet);
    else
        search_words_snippet_at(body, hit->from, hit->to, &snippet);
    json_out_kv_str(out, "snippet", buf_str(&snippet));
}

static void write_name(JsonOut *out, const char *key, const char *const *names, size_t n,
                       int64_t at)
{
    json_out_kvz(out, key, at >= 0 && (uint64_t)at < n ? names[at] : NULL);
}

static void write_hit(const SqlRows *rows, const SearchWords *words, const SearchHit *hit,
                      JsonOut *out)
{
    json_out_object(out);
    write_name(out, "entity_type", entity_names, N_SEARCH_ENTITIES, sql_rows_int(rows, ENTITY));
    query_kv_text(out, "entity_pk", rows, ENTITY_PK);
    query_kv_text(out, "sample_pk", rows, SAMPLE_PK);
    json_out_kv_null(out, "scanner_result_pk");
    json_out_kv_real(out, "rank", hit->rank);
    write_snippet(words, hit, sql_rows_text(rows, BODY), out);
    write_name(out, "content_kind", content_names, N_SEARCH_CONTENTS, sql_rows_int(rows, CONTENT));
    query_kv_text(out, "transcript_anchor", rows, ANCHOR);
    query_kv_text(out, "eval_set_id", rows, EVAL_SET_ID);
    query_kv_text(out, "eval_id", rows, EVAL_ID);
    query_kv_text(out, "sample_id", rows, SAMPLE_ID);
    query_kv_text(out, "sample_uuid", rows, SAMPLE_UUID);
    query_kv_int(out, "epoch", rows, EPOCH);
    query_kv_text(out, "task_name", rows, TASK_NAME);
    query_kv_text(out, "model", rows, MODEL);
    query_kv_text(out, "location", rows, LOCATION);
    json_out_end_object(out);
}

static int write_hits(const SearchScope *scope, const SearchWords *words, const Page *page,
                      JsonOut *out, Error *err)
{
    if (page->n == 0)
        return 0;
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    query_begin(&query, scope->dialect);
    add_hits(scope, page, &query);
    if (query_run(&query, scope->tx, &rows, err) < 0)
        return -1;
    size_t i = 0;
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        int64_t no = sql_rows_int(rows, NO);
        while (i < page->n && page->hits[i].no != no)
            i++;
        if (i < page->n)
            write_hit(rows, words, &page->hits[i], out);
    }
    return has_row;
}

/* Samples in the scope that wait to be indexed, counted up to a bound. */
static int write_todo(const SearchScope *scope, JsonOut *out, Error *err)
{
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    query_begin(&query, scope->dialect);
    query_add(&query, "SELECT count(*) FROM (SELECT 1 FROM search_todo t JOIN listing_eval v ON "
                      "v.eval_pk = t.eval_pk WHERE t.sample_pk IS NOT NULL");
    if (!scope->is_open) {
        query_add(&query, " AND ");
        query_add_in(&query, "v.no", scope->evals_text);
    }
    buf_printf(&query.text, " LIMIT %d) t", TODO_MAX);
    if (query_run(&query, scope->tx, &rows, err) < 0 || sql_rows_next(rows, err) < 0)
        return -1;
    json_out_kv_int(out, "not_indexed", sql_rows_int(rows, 0));
    return 0;
}

/* ---- the whole ---- */

static int check(const SearchQuestion *question, Error *err)
{
    if (question->q.n == 0)
        return error_set(err, ERR_USAGE, "the search is empty");
    if (question->limit < 1 || question->limit > SEARCH_LIMIT_MAX)
        return error_set(err, ERR_USAGE, "limit must be from 1 to %d", SEARCH_LIMIT_MAX);
    if (question->batch_size < 1 || question->batch_size > SEARCH_BATCH_MAX)
        return error_set(err, ERR_USAGE, "batch_size must be from 1 to %d", SEARCH_BATCH_MAX);
    if (question->eval_pk.p && !str_is_uuid(question->eval_pk))
        return error_set(err, ERR_USAGE, "eval_pk is not a key");
    if (question->sample_pk.p && !str_is_uuid(question->sample_pk))
        return error_set(err, ERR_USAGE, "sample_pk is not a key");
    return 0;
}

static Str search_name(const SearchQuestion *question, Arena *arena)
{
    return str_of(arena_printf(
        arena, "search %d %d %d %d %.*s\n%.*s\n%.*s\n%.*s", question->is_grep, question->match_case,
        question->by_recency, question->of_scans, STR_ARG(question->q),
        STR_ARG(question->eval_set_id), STR_ARG(question->eval_pk), STR_ARG(question->sample_pk)));
}

static int find(const SearchScope *scope, const SearchQuestion *question, const SearchWords *words,
                const Cursor *after, Page *ret, Error *err)
{
    size_t limit = (size_t)question->limit;
    if (question->is_grep)
        return find_by_pattern(scope, question, after, ret, err);
    return question->by_recency ? find_by_recency(scope, words, limit, after, ret, err)
                                : find_by_rank(scope, words, limit, after, ret, err);
}

static int write_page(const SearchScope *scope, const SearchQuestion *question,
                      const SearchWords *words, const Page *page, Str name, JsonOut *out,
                      Error *err)
{
    auto_buf Buf cursor = BUF_INIT(CURSOR_TEXT_MAX * 2);
    if (page->next.n)
        cursor_write(&page->next, name, &cursor);
    json_out_object(out);
    json_out_kv_array(out, "items");
    if (write_hits(scope, words, page, out, err) < 0)
        return -1;
    json_out_end_array(out);
    json_out_kv_str(out, "query", question->q);
    json_out_kv_str(out, "next_cursor", page->next.n ? buf_str(&cursor) : STR_NONE);
    if (write_todo(scope, out, err) < 0)
        return -1;
    json_out_end_object(out);
    return 0;
}

int search_answer(Sql *sql, const QueriesAccess *access, const SearchQuestion *question,
                  JsonOut *out, Error *err)
{
    auto_arena Arena *arena = arena_new();
    auto_sql_tx SqlTx *tx = NULL;
    SearchWords words = {0};
    SearchScope scope = {0};
    Cursor after = {0};
    Str name = search_name(question, arena);
    if (check(question, err) < 0 ||
        (!question->is_grep && search_words_read(question->q, arena, &words, err) < 0) ||
        (question->cursor.p && cursor_read(question->cursor, name, 2, arena, &after, err) < 0))
        return -1;
    Page *page = arena_alloc(arena, sizeof(*page));
    const SearchWords *shown = question->is_grep ? NULL : &words;
    if (query_begin_list(sql, access, &tx, err) < 0 || sql_tx_limit_ms(tx, QUERY_MAX_MS, err) < 0 ||
        search_scope_open(tx, sql_dialect(sql), access, question, arena, &scope, err) < 0 ||
        find(&scope, question, &words, &after, page, err) < 0)
        return -1;
    return write_page(&scope, question, shown, page, name, out, err);
}
