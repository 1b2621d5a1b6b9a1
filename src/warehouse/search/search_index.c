/* The documents of a sample: its input, its messages, entries of the message pool and events whose
   text is in no message, its scores, and what else is known of it. A text that a sample has twice
   is one document, that of the first place: then a tool's result is the tool's message, not its
   event. */

#include "warehouse/search/search_index.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/json_scan.h"
#include "warehouse/search/search_text.h"
#include "warehouse/search/search_words.h"

enum { BATCH = 200, SEEN_MIN = 256 };

/* Hashes of the texts there are, in a table with open places. */
typedef struct Seen {
    uint64_t *places; /* 0: free */
    size_t n_places;  /* a power of two */
    size_t n;
} Seen;

/* One sample, or an eval, on its way into the index. */
typedef struct Indexing {
    SqlTx *tx;
    SqlDialect dialect;
    SqlValue sample_pk; /* NULL: the eval itself */
    SqlValue eval_pk;
    int64_t next_no;
    size_t n_docs;
    Seen seen;
    Buf text;
    Buf plain;
} Indexing;

static void indexing_release(Indexing *indexing)
{
    free(indexing->seen.places);
    buf_release(&indexing->text);
    buf_release(&indexing->plain);
}

static uint64_t hash_of(Str text)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < text.n; i++)
        hash = (hash ^ (unsigned char)text.p[i]) * UINT64_C(1099511628211);
    return hash ? hash : 1;
}

static bool put_hash(Seen *seen, uint64_t hash)
{
    size_t at = hash & (seen->n_places - 1);
    while (seen->places[at] && seen->places[at] != hash)
        at = (at + 1) & (seen->n_places - 1);
    bool is_new = seen->places[at] == 0;
    seen->places[at] = hash;
    seen->n += is_new;
    return is_new;
}

/* Whether the text is new; it is not the next time. */
static bool add_seen(Seen *seen, Str text)
{
    if (seen->n * 2 >= seen->n_places) {
        Seen grown = {.n_places = seen->n_places ? seen->n_places * 2 : SEEN_MIN};
        grown.places = mem_array(grown.n_places, sizeof(uint64_t));
        for (size_t i = 0; i < seen->n_places; i++)
            if (seen->places[i])
                (void)put_hash(&grown, seen->places[i]);
        free(seen->places);
        *seen = grown;
    }
    return put_hash(seen, hash_of(text));
}

/* ---- documents ---- */

typedef struct Document {
    SearchEntity entity;
    SearchContent content;
    Str entity_pk;
    const char *anchor_kind; /* "message", "event"; NULL: no anchor */
    Str anchor;
} Document;

/* clang-format off */
static const char *const insert_texts[] = {
    [SQL_SQLITE]   = "INSERT INTO search_doc (no, sample_pk, eval_pk, entity, content, entity_pk, anchor, body) "
                     "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    [SQL_POSTGRES] = "INSERT INTO search_doc (no, sample_pk, eval_pk, entity, content, entity_pk, anchor, body, tsv) "
                     "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, to_tsvector('simple', $9) || search_places($1))",
};
/* clang-format on */

/* Writes what has been gathered in indexing->text as a document, and empties it. */
static int put_document(Indexing *indexing, const Document *document, Error *err)
{
    Str body = search_text_cut(buf_str(&indexing->text));
    bool is_wanted =
        body.n > 0 && indexing->n_docs < SEARCH_DOCS_MAX && add_seen(&indexing->seen, body);
    if (!is_wanted) {
        buf_reset(&indexing->text);
        return 0;
    }
    buf_reset(&indexing->plain);
    if (indexing->dialect == SQL_POSTGRES)
        search_words_plain(body, &indexing->plain);
    auto_free char *anchor =
        document->anchor_kind && document->anchor.n
            ? mem_printf("%s=%.*s", document->anchor_kind, STR_ARG(document->anchor))
            : NULL;
    SqlValue no_pk = SQL_NULL;
    int result = sql_exec(indexing->tx, insert_texts[indexing->dialect],
                          SQL_ARGS(SQL_INT(indexing->next_no), indexing->sample_pk,
                                   indexing->sample_pk.text.p ? no_pk : indexing->eval_pk,
                                   SQL_INT(document->entity), SQL_INT(document->content),
                                   SQL_TEXT(document->entity_pk), SQL_TEXTZ(anchor), SQL_TEXT(body),
                                   SQL_TEXT(buf_str(&indexing->plain))),
                          NULL, err);
    indexing->next_no++;
    indexing->n_docs++;
    buf_reset(&indexing->text);
    return result;
}

/* The beginning of a long text that stands elsewhere. */
static int add_attachment(void *context, Str key, Buf *ret, Error *err)
{
    Indexing *indexing = context;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(indexing->tx,
                  "SELECT substr(content, 1, 100000) FROM sample_attachment WHERE sample_pk = $1 "
                  "AND attachment_key = $2",
                  SQL_ARGS(indexing->sample_pk, SQL_TEXT(key)), &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row < 0)
        return -1;
    Str content = has_row == 1 ? sql_rows_text(rows, 0) : STR_NONE;
    if (!str_starts(content, STR("data:"))) {
        size_t room = ret->max - ret->len;
        if (content.n > room)
            content.n = str_utf8_prefix(str_slice(content, 0, room));
        buf_add_str(ret, content);
    }
    return 0;
}

static SearchText text_of(Indexing *indexing)
{
    return (SearchText){.out = &indexing->text, .attachment = add_attachment, .context = indexing};
}

/* ---- what there is of a sample ---- */

typedef int RowIndexer(Indexing *indexing, const SqlRows *rows, Error *err);

/* Reads rows in batches by a number that is their first column. */
static int index_rows(Indexing *indexing, const char *statement, RowIndexer *indexer, Error *err)
{
    int64_t from = 0;
    for (bool is_done = false; !is_done && indexing->n_docs < SEARCH_DOCS_MAX;) {
        auto_sql_rows SqlRows *rows = NULL;
        size_t n = 0;
        int has_row = 0;
        if (sql_query(indexing->tx, statement,
                      SQL_ARGS(indexing->sample_pk, SQL_INT(from), SQL_INT(BATCH)), &rows, err) < 0)
            return -1;
        for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
            from = sql_rows_int(rows, 0) + 1;
            n++;
            if (indexer(indexing, rows, err) < 0)
                return -1;
        }
        if (has_row < 0)
            return -1;
        is_done = n < BATCH;
    }
    return 0;
}

/* A member of a JSON object as plain text; STR_NONE when it is no text. */
static Str member_text(Str json, const char *name, Arena *arena)
{
    Str raw = STR_NONE;
    Str text = STR_NONE;
    return json_scan_get(json, name, &raw) && json_scan_str(raw, arena, &text) ? text : STR_NONE;
}

static int index_chat(Indexing *indexing, const SqlRows *rows, SearchEntity entity, Error *err)
{
    auto_arena Arena *arena = arena_new();
    SearchText text = text_of(indexing);
    Str data = sql_rows_text(rows, 2);
    const Document document = {.entity = entity,
                               .content = SEARCH_TRANSCRIPT,
                               .entity_pk = sql_rows_text(rows, 1),
                               .anchor_kind = "message",
                               .anchor = member_text(data, "id", arena)};
    return search_text_message(&text, data, err) < 0 ? -1 : put_document(indexing, &document, err);
}

static int index_message(Indexing *indexing, const SqlRows *rows, Error *err)
{
    return index_chat(indexing, rows, SEARCH_MESSAGE, err);
}

static int index_pool(Indexing *indexing, const SqlRows *rows, Error *err)
{
    return index_chat(indexing, rows, SEARCH_MESSAGE_POOL, err);
}

enum {
    EVENT_PK = 1,
    EVENT_UUID,
    EVENT_PLAIN,
    EVENT_JSON = EVENT_PLAIN + 6,
    EVENT_END = EVENT_JSON + 6
};

#define EVENT_QUERY                                                                                \
    "SELECT event_order, pk, event_uuid, info_source, input_text, input_message, "                 \
    "approval_message, approval_explanation, tool_function, info_data, logger_message, "           \
    "error_detail, approval_call, tool_arguments, tool_error FROM event WHERE sample_pk = $1 AND " \
    "event_order >= $2 AND event_type IN ('info', 'logger', 'error', 'input', 'approval') "        \
    "ORDER BY event_order LIMIT $3"

static int index_event(Indexing *indexing, const SqlRows *rows, Error *err)
{
    SearchText text = text_of(indexing);
    for (int i = EVENT_PLAIN; i < EVENT_JSON; i++)
        if (!sql_rows_is_null(rows, i) && search_text_plain(&text, sql_rows_text(rows, i), err) < 0)
            return -1;
    for (int i = EVENT_JSON; i < EVENT_END; i++)
        if (!sql_rows_is_null(rows, i) && search_text_any(&text, sql_rows_text(rows, i), err) < 0)
            return -1;
    const Document document = {.entity = SEARCH_EVENT,
                               .content = SEARCH_TRANSCRIPT,
                               .entity_pk = sql_rows_text(rows, EVENT_PK),
                               .anchor_kind = "event",
                               .anchor = sql_rows_text(rows, EVENT_UUID)};
    return put_document(indexing, &document, err);
}

/* The result of a tool, which mostly is a message's text too. */
static int index_tool(Indexing *indexing, const SqlRows *rows, Error *err)
{
    SearchText text = text_of(indexing);
    if (!sql_rows_is_null(rows, 3) && search_text_any(&text, sql_rows_text(rows, 3), err) < 0)
        return -1;
    const Document document = {.entity = SEARCH_EVENT,
                               .content = SEARCH_TRANSCRIPT,
                               .entity_pk = sql_rows_text(rows, 1),
                               .anchor_kind = "event",
                               .anchor = sql_rows_text(rows, 2)};
    return put_document(indexing, &document, err);
}

/* Input and answer to it are part of the transcript, the rest is about the sample. */
static int index_sample_row(Indexing *indexing, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(indexing->tx,
                  "SELECT pk, input, choices, id, error_message, target, meta, description, "
                  "invalidation_reason, invalidation_author FROM sample WHERE pk = $1",
                  SQL_ARGS(indexing->sample_pk), &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row != 1)
        return has_row;
    SearchText text = text_of(indexing);
    Str input = sql_rows_text(rows, 1);
    Document document = {
        .entity = SEARCH_SAMPLE, .content = SEARCH_TRANSCRIPT, .entity_pk = sql_rows_text(rows, 0)};
    if (json_scan_kind_of(input) == JSON_SCAN_STRING) {
        if (search_text_any(&text, input, err) < 0 ||
            search_text_any(&text, sql_rows_text(rows, 2), err) < 0 ||
            put_document(indexing, &document, err) < 0)
            return -1;
    } /* messages come with the others */
    document.content = SEARCH_SAMPLE_METADATA;
    if (search_text_plain(&text, sql_rows_text(rows, 3), err) < 0 ||
        search_text_plain(&text, sql_rows_text(rows, 4), err) < 0 ||
        search_text_any(&text, sql_rows_text(rows, 5), err) < 0 ||
        search_text_any(&text, sql_rows_text(rows, 6), err) < 0 ||
        search_text_plain(&text, sql_rows_text(rows, 7), err) < 0 ||
        search_text_plain(&text, sql_rows_text(rows, 8), err) < 0 ||
        search_text_plain(&text, sql_rows_text(rows, 9), err) < 0)
        return -1;
    return put_document(indexing, &document, err);
}

static int index_scores(Indexing *indexing, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(indexing->tx,
                  "SELECT pk, scorer, answer, explanation, value, meta FROM score WHERE sample_pk "
                  "= $1 AND NOT is_intermediate ORDER BY scorer",
                  SQL_ARGS(indexing->sample_pk), &rows, err) < 0)
        return -1;
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        SearchText text = text_of(indexing);
        const Document document = {.entity = SEARCH_SCORE,
                                   .content = SEARCH_RESULT_VALUE,
                                   .entity_pk = sql_rows_text(rows, 0)};
        if (search_text_plain(&text, sql_rows_text(rows, 1), err) < 0 ||
            search_text_plain(&text, sql_rows_text(rows, 2), err) < 0 ||
            search_text_plain(&text, sql_rows_text(rows, 3), err) < 0 ||
            search_text_any(&text, sql_rows_text(rows, 4), err) < 0 ||
            search_text_any(&text, sql_rows_text(rows, 5), err) < 0 ||
            put_document(indexing, &document, err) < 0)
            return -1;
    }
    return has_row;
}

static int index_sample(Indexing *indexing, Error *err)
{
    if (index_sample_row(indexing, err) < 0 ||
        index_rows(indexing,
                   "SELECT message_order, pk, data FROM message WHERE sample_pk = $1 AND "
                   "message_order >= $2 ORDER BY message_order LIMIT $3",
                   index_message, err) < 0 ||
        index_scores(indexing, err) < 0 ||
        index_rows(indexing,
                   "SELECT pool_order, pk, data FROM message_pool WHERE sample_pk = $1 AND "
                   "pool_order >= $2 ORDER BY pool_order LIMIT $3",
                   index_pool, err) < 0 ||
        index_rows(indexing, EVENT_QUERY, index_event, err) < 0)
        return -1;
    return index_rows(indexing,
                      "SELECT event_order, pk, event_uuid, tool_result FROM event WHERE sample_pk "
                      "= $1 AND event_order >= $2 AND event_type = 'tool' ORDER BY event_order "
                      "LIMIT $3",
                      index_tool, err);
}

static int index_eval(Indexing *indexing, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(indexing->tx,
                  "SELECT pk, task_name, model, agent, error_message, task_args, meta FROM eval "
                  "WHERE pk = $1",
                  SQL_ARGS(indexing->eval_pk), &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row != 1)
        return has_row;
    SearchText text = text_of(indexing);
    for (int i = 1; i <= 4; i++)
        if (!sql_rows_is_null(rows, i) && search_text_plain(&text, sql_rows_text(rows, i), err) < 0)
            return -1;
    const Document document = {.entity = SEARCH_EVAL,
                               .content = SEARCH_EVAL_METADATA,
                               .entity_pk = sql_rows_text(rows, 0)};
    if (search_text_any(&text, sql_rows_text(rows, 5), err) < 0 ||
        search_text_any(&text, sql_rows_text(rows, 6), err) < 0)
        return -1;
    return put_document(indexing, &document, err);
}

/* ---- what is to be done ---- */

typedef struct Todo {
    int64_t no;
    int64_t generation;
    Str eval_pk;
    Str sample_pk; /* STR_NONE: the eval itself */
} Todo;

/* The number for the next document of the eval; 0 when the eval is gone. */
static int find_next_no(Indexing *indexing, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(indexing->tx,
                  "SELECT e.no, (SELECT max(d.no) FROM search_doc d WHERE d.no >= e.no * "
                  "4294967296 AND d.no < (e.no + 1) * 4294967296) FROM listing_eval e WHERE "
                  "e.eval_pk = $1",
                  SQL_ARGS(indexing->eval_pk), &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row == 1)
        indexing->next_no = sql_rows_is_null(rows, 1) ? sql_rows_int(rows, 0) << SEARCH_DOC_SHIFT
                                                      : sql_rows_int(rows, 1) + 1;
    return has_row < 0 ? -1 : 0;
}

/* Another server may have done it meanwhile. */
static int is_still_due(SqlTx *tx, const Todo *todo, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx, "SELECT 1 FROM search_todo WHERE no = $1 AND generation = $2",
                  SQL_ARGS(SQL_INT(todo->no), SQL_INT(todo->generation)), &rows, err) < 0)
        return -1;
    return sql_rows_next(rows, err);
}

static int index_todo(Indexing *indexing, const Todo *todo, Error *err)
{
    bool is_eval = !todo->sample_pk.p;
    const char *drop = is_eval ? "DELETE FROM search_doc WHERE eval_pk = $1"
                               : "DELETE FROM search_doc WHERE sample_pk = $1";
    auto_free char *name = mem_printf("search:%.*s", STR_ARG(todo->eval_pk));
    if (sql_lock(indexing->tx, name, err) < 0)
        return -1;
    int is_due = is_still_due(indexing->tx, todo, err);
    if (is_due <= 0)
        return is_due;
    if (sql_exec(indexing->tx, drop, SQL_ARGS(is_eval ? indexing->eval_pk : indexing->sample_pk),
                 NULL, err) < 0 ||
        find_next_no(indexing, err) < 0)
        return -1;
    if (indexing->next_no == 0)
        return 0;
    return is_eval ? index_eval(indexing, err) : index_sample(indexing, err);
}

static int finish(SqlTx *tx, const Todo *todo, Error *err)
{
    return sql_exec(tx, "DELETE FROM search_todo WHERE no = $1 AND generation = $2",
                    SQL_ARGS(SQL_INT(todo->no), SQL_INT(todo->generation)), NULL, err);
}

static int run_todo(Sql *sql, const Todo *todo, Error *err)
{
    HAWK_CLEANUP(indexing_release)
    Indexing indexing = {.dialect = sql_dialect(sql),
                         .sample_pk = SQL_TEXT(todo->sample_pk),
                         .eval_pk = SQL_TEXT(todo->eval_pk),
                         .text = BUF_INIT(SEARCH_TEXT_MAX),
                         .plain = BUF_INIT(SEARCH_TEXT_MAX + 1)};
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(sql, SQL_WRITE_SHARED, &tx, err) < 0)
        return -1;
    indexing.tx = tx;
    if (index_todo(&indexing, todo, err) < 0 || finish(tx, todo, err) < 0)
        return -1;
    return sql_commit(TAKE(tx), err);
}

/* Whether the failure lies in what was to be indexed, and will come again. */
static bool is_about_content(const Error *problem)
{
    return problem->kind == ERR_BAD_DATA || problem->kind == ERR_CONFLICT;
}

static int pass_over(Sql *sql, const Todo *todo, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(sql, SQL_WRITE_SHARED, &tx, err) < 0 || finish(tx, todo, err) < 0)
        return -1;
    return sql_commit(TAKE(tx), err);
}

static int list_todos(Sql *sql, size_t max, Arena *arena, Todo *ret, size_t *ret_n, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx,
                  "SELECT no, generation, eval_pk, sample_pk FROM search_todo ORDER BY no LIMIT $1",
                  SQL_ARGS(SQL_INT((int64_t)max)), &rows, err) < 0)
        return -1;
    size_t n = 0;
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1 && n < max;
         has_row = sql_rows_next(rows, err)) {
        Str sample_pk = sql_rows_text(rows, 3);
        ret[n++] = (Todo){.no = sql_rows_int(rows, 0),
                          .generation = sql_rows_int(rows, 1),
                          .eval_pk = arena_str(arena, sql_rows_text(rows, 2)),
                          .sample_pk = sample_pk.p ? arena_str(arena, sample_pk) : STR_NONE};
    }
    *ret_n = n;
    return has_row < 0 ? -1 : 0;
}

int search_index_pass(Sql *sql, size_t max, size_t *ret_n, size_t *ret_n_failed, Error *err)
{
    auto_arena Arena *arena = arena_new();
    Todo *todos = arena_array(arena, max, sizeof(*todos));
    size_t n = 0;
    size_t n_failed = 0;
    if (list_todos(sql, max, arena, todos, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        auto_error Error problem = ERROR_INIT;
        if (run_todo(sql, &todos[i], &problem) == 0)
            continue;
        if (!is_about_content(&problem))
            return error_move(err, &problem);
        n_failed++;
        if (pass_over(sql, &todos[i], err) < 0)
            return -1;
    }
    *ret_n = n;
    *ret_n_failed = n_failed;
    return 0;
}
