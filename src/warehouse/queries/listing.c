/* The question of a listing, taken apart: sort order, evals, words; and its page put together. */

#include "warehouse/queries/listing.h"

#include <assert.h>

#include "base/mem.h"
#include "codec/digest.h"
#include "warehouse/queries/listing_priv.h"

enum {
    NAMES_MAX = 1024,
    LIST_TEXT_MAX = 8 * 1024 * 1024,
    KEY_TEXT_MAX = 16 * 1024,
};

const ListingLimits listing_limits = {
    .walk_max = 4000,
    .walk_first_max = 500,
    .walk_driven_max = 20000,
    .gather_max = 20000,
    .gather_first_max = 2000,
    .fast_offset_max = 2000,
    .samples_of_word_max = 30000,
    .n_evals_few = 20,
    .n_evals_pruned = 500,
    .n_evals_tried = 4,
};

/* clang-format off */
#define KNOWN(name)  { .column = "a." name }
#define MAYBE(name)  { .column = "a." name, .where = " AND a." name " IS NOT NULL" }, { .where = " AND a." name " IS NULL" }
#define LACKING      { .lacks_score = true }

static const ListingSort sorts[] = {
    { "completed_at",            NULL,           { MAYBE("completed_at") },            2 },
    { "started_at",              NULL,           { MAYBE("started_at") },              2 },
    { "id",                      NULL,           { KNOWN("id") },                      1 },
    { "uuid",                    NULL,           { KNOWN("uuid") },                    1 },
    { "epoch",                   NULL,           { KNOWN("epoch") },                   1 },
    { "input_tokens",            NULL,           { MAYBE("input_tokens") },            2 },
    { "output_tokens",           NULL,           { MAYBE("output_tokens") },           2 },
    { "reasoning_tokens",        NULL,           { MAYBE("reasoning_tokens") },        2 },
    { "total_tokens",            NULL,           { MAYBE("total_tokens") },            2 },
    { "action_count",            NULL,           { MAYBE("action_count") },            2 },
    { "message_count",           NULL,           { MAYBE("message_count") },           2 },
    { "working_time_seconds",    NULL,           { MAYBE("working_time_seconds") },    2 },
    { "total_time_seconds",      NULL,           { MAYBE("total_time_seconds") },      2 },
    { "generation_time_seconds", NULL,           { MAYBE("generation_time_seconds") }, 2 },
    { "eval_id",                 "id",           {{0}},                                0 },
    { "eval_set_id",             "eval_set_id",  {{0}},                                0 },
    { "task_name",               "task_name",    {{0}},                                0 },
    { "task_version",            "task_version", {{0}},                                0 },
    { "model",                   "model",        {{0}},                                0 },
    { "author",                  "created_by",   {{0}},                                0 },
    { "created_by",              "created_by",   {{0}},                                0 },
    { "location",                "location",     {{0}},                                0 },
    { "status",                  NULL,           { KNOWN("status") },                  1 },
    { "invalid",                 NULL,           { KNOWN("is_invalid") },              1 },
    { "is_invalid",              NULL,           { KNOWN("is_invalid") },              1 },
    { "error_message",           NULL,           { MAYBE("error_message") },           2 },
    { "score_value",             NULL,
      { { .is_score = true, .column = "a.value", .where = " AND a.value IS NOT NULL" },
        { .is_score = true, .column = "a.rest",  .where = " AND a.rest IS NOT NULL" }, LACKING },                       3 },
    { "score_scorer",            NULL,
      { { .is_score = true, .column = "a.scorer" }, LACKING },                                                       2 },
};

/* As listing_status has them. NULL is that of provisional samples, which nobody can ask for. */
static const char *const statuses[LISTING_STATUSES] = {
    "success",        NULL,         "context_limit", "cost_limit",    "custom_limit", "message_limit",
    "operator_limit", "time_limit", "token_limit",   "working_limit", "error",
};
/* clang-format on */

const ListingSort *listing_sort_find(Str name)
{
    for (size_t i = 0; i < ARRAY_LEN(sorts); i++)
        if (!name.p || str_eqz(name, sorts[i].name))
            return &sorts[i];
    return NULL;
}

int listing_status_find(Str name)
{
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        if (statuses[i] && str_eqz(name, statuses[i]))
            return (int)i;
    return -1;
}

/* A refusal that names the choices. */
static int refuse_status(Str name, Error *err)
{
    auto_buf Buf names = BUF_INIT(NAMES_MAX);
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        if (statuses[i])
            buf_printf(&names, "%s%s", names.len ? ", " : "", statuses[i]);
    (void)error_set(err, ERR_BAD_DATA, "there is no sample status '%.*s'", STR_ARG(name));
    return error_fix(err, "take one of %s", names.data);
}

static int refuse_sort(Str name, Error *err)
{
    auto_buf Buf names = BUF_INIT(NAMES_MAX);
    for (size_t i = 0; i < ARRAY_LEN(sorts); i++)
        buf_printf(&names, "%s%s", names.len ? ", " : "", sorts[i].name);
    (void)error_set(err, ERR_USAGE, "samples cannot be sorted by '%.*s'", STR_ARG(name));
    return error_fix(err, "take one of %s", names.data);
}

/* ---- evals ---- */

Str listing_evals_text(const Listing *listing, const ListingEval *evals, size_t n)
{
    bool is_json = listing->dialect == SQL_SQLITE;
    auto_buf Buf text = BUF_INIT(LIST_TEXT_MAX);
    buf_addc(&text, is_json ? '[' : '{');
    for (size_t i = 0; i < n; i++) {
        buf_addz(&text, i ? "," : "");
        buf_add_i64(&text, evals[i].no);
    }
    buf_addc(&text, is_json ? ']' : '}');
    return arena_str(listing->arena, buf_str(&text));
}

void listing_from(Query *query, Str list)
{
    query_add_value(query,
                    query->dialect == SQL_SQLITE
                        ? "json_each(?) e"
                        : "unnest(?::bigint[]) WITH ORDINALITY AS e (value, key)",
                    SQL_TEXT(list));
}

static void add_eval_filters(const Listing *listing, Query *query)
{
    const QueriesSamples *filter = listing->filter;
    const struct {
        const char *column;
        Str value;
    } parts[] = {
        {"e.model", filter->model},
        {"e.created_by", filter->created_by},
        {"e.task_name", filter->task_name},
        {"e.task_version", filter->task_version},
    };
    if (filter->eval_set_id.p)
        query_where_value(query, "e.eval_set_id = ?", SQL_TEXT(filter->eval_set_id));
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (parts[i].value.n > 0)
            query_where_word(query, parts[i].column, parts[i].value);
    if (filter->has_completed_after)
        query_where_value(query, "e.completed_to >= ?", SQL_INT(filter->completed_after_us));
    if (filter->has_completed_before)
        query_where_value(query, "e.completed_from <= ?", SQL_INT(filter->completed_before_us));
}

/* A sign in front of a column keeps planners from taking its index, which has not the order, unless
   it is the one that is sorted by. */
static const char *sign_of(const Listing *listing, const char *column)
{
    const char *sorted = listing->sort->parts[0].column;
    return sorted && strcmp(sorted, column) == 0 ? "" : "+";
}

static void add_times(const Listing *listing, Query *query, const char *l)
{
    const QueriesSamples *filter = listing->filter;
    const char *sign = sign_of(listing, "a.completed_at");
    if (filter->has_completed_after) {
        buf_printf(&query->text, " AND %s%s.completed_at", sign, l);
        query_add_value(query, " >= ?", SQL_INT(filter->completed_after_us));
    }
    if (filter->has_completed_before) {
        buf_printf(&query->text, " AND %s%s.completed_at", sign, l);
        query_add_value(query, " <= ?", SQL_INT(filter->completed_before_us));
    }
}

/* Appends the range that scores must be in. */
static void add_range(const QueriesSamples *filter, Query *query, const char *alias)
{
    if (filter->has_score_min) {
        buf_printf(&query->text, " AND %s.value", alias);
        query_add_value(query, " >= ?", SQL_REAL(filter->score_min));
    }
    if (filter->has_score_max) {
        buf_printf(&query->text, " AND %s.value", alias);
        query_add_value(query, " <= ?", SQL_REAL(filter->score_max));
    }
}

bool listing_has_range(const Listing *listing)
{
    return listing->filter->has_score_min || listing->filter->has_score_max;
}

/* Leaves out evals none of whose samples fits one of the conditions. */
static void add_prunes(const Listing *listing, Query *query)
{
    const QueriesSamples *filter = listing->filter;
    if (listing->statuses.p) {
        query_where(query, "EXISTS (SELECT 1 FROM listing_sample l WHERE l.eval_no = e.value");
        buf_printf(&query->text, " AND l.status IN (%.*s))", STR_ARG(listing->statuses));
    }
    if (listing_has_range(listing)) {
        query_where_value(
            query,
            "EXISTS (SELECT 1 FROM listing_score r WHERE r.eval_no = e.value AND r.\"key\" = ?",
            SQL_TEXT(listing->key));
        add_range(filter, query, "r");
        query_add(query, ")");
    }
}

/* Runs a query for keys of a list of n evals, in their order, and copies those evals. */
static int copy_found(const Listing *listing, Query *query, const ListingEval *evals, size_t n,
                      ListingEval *ret, size_t *ret_n, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    int64_t base = listing->dialect == SQL_POSTGRES; /* counts from 1 */
    size_t m = 0;
    int has_row = 0;
    if (query_run(query, listing->tx, &rows, err) < 0)
        return -1;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        int64_t key = sql_rows_int(rows, 0) - base;
        if (key >= (int64_t)m && (uint64_t)key < n)
            ret[m++] = evals[key];
    }
    if (has_row < 0)
        return -1;
    *ret_n = m;
    return 0;
}

int listing_prune_evals(Listing *listing, Error *err)
{
    if (listing->is_pruned || (!listing->statuses.p && !listing_has_range(listing)))
        return 0;
    listing->is_pruned = true;
    auto_query Query query = {0};
    query_begin(&query, listing->dialect);
    query_add(&query, "SELECT e.key FROM ");
    listing_from(&query, listing_evals_text(listing, listing->evals, listing->n_evals));
    add_prunes(listing, &query);
    query_add(&query, " ORDER BY e.key");
    return copy_found(listing, &query, listing->evals, listing->n_evals, listing->evals,
                      &listing->n_evals, err);
}

/* An eval without a sample of the range would be read to its end: that is asked first. */
int listing_find_having(const Listing *listing, const ListingEval *evals, size_t n,
                        ListingEval *ret, size_t *ret_n, Error *err)
{
    auto_query Query query = {0};
    query_begin(&query, listing->dialect);
    query_add(&query, "SELECT e.key FROM (SELECT e.key, e.value FROM ");
    listing_from(&query, listing_evals_text(listing, evals, n));
    add_prunes(listing, &query);
    query_add(&query, query.dialect == SQL_SQLITE ? " LIMIT -1 OFFSET 0) e" : " OFFSET 0) e");
    query.glue = " WHERE ";
    query_where(&query, "(SELECT a.no FROM listing_sample a WHERE a.eval_no = e.value");
    listing_add_tests(listing, &query, "a", "a", false);
    listing_add_score_test(listing, &query, "a");
    query_add(&query, " LIMIT 1) IS NOT NULL ORDER BY e.key");
    return copy_found(listing, &query, evals, n, ret, ret_n, err);
}

/* Texts are sorted by their beginning, so that a cursor can hold it. */
static void add_eval_order(const Listing *listing, Query *query)
{
    const char *direction = listing->is_ascending ? "ASC" : "DESC";
    if (listing->sort->of_eval)
        buf_printf(&query->text,
                   " ORDER BY CASE WHEN e.%s IS NULL THEN 1 ELSE 0 END, 4 %s, e.no %s",
                   listing->sort->of_eval, direction, direction);
    else
        query_add(query, " ORDER BY e.no");
}

#define EVAL_TEXT                                                                                  \
    "e.task_name || ' ' || e.id || ' ' || e.eval_set_id || ' ' || e.location || ' ' || e.model"

/* A number with a bit for each word that an eval's texts have. PostgreSQL has them put together. */
static void add_eval_words(const QueryWords *words, Query *query)
{
    query_add(query, "0");
    for (size_t i = 0; i < words->n; i++) {
        query->glue = " + CASE WHEN ";
        if (query->dialect == SQL_SQLITE)
            query_where_word(query, EVAL_TEXT, words->items[i]);
        else
            query_where_value(query, "strpos(e.words, lower(? COLLATE \"C\")) > 0",
                              SQL_TEXT(words->items[i]));
        buf_printf(&query->text, " THEN %u ELSE 0 END", UINT32_C(1) << i);
    }
}

static void add_evals(const Listing *listing, const QueryWords *words, Query *query)
{
    query_add(query, "SELECT e.no, (SELECT count(*) FROM listing_eval), ");
    query_add(query, query->dialect == SQL_SQLITE
                         ? "(SELECT max(no) FROM listing_sample), "
                         : "(SELECT reltuples::bigint FROM pg_class WHERE oid = "
                           "'listing_sample'::regclass), ");
    if (listing->sort->of_eval)
        buf_printf(&query->text, "substr(e.%s, 1, 500), ", listing->sort->of_eval);
    else
        query_add(query, "NULL, ");
    add_eval_words(words, query);
    query_add(query, " FROM listing_eval e");
    query->glue = " WHERE ";
    query_where(query, "");
    query_add_listed_access(query, listing->access);
    add_eval_filters(listing, query);
    add_eval_order(listing, query);
}

/* Reads the eval of the current row, which has the number of all evals too. */
static void read_eval(Listing *listing, const SqlRows *rows)
{
    enum { NO, N_ALL, N_SAMPLES, VALUE, WORDS };
    if (!listing->evals) {
        listing->n_evals_all = (size_t)sql_rows_int(rows, N_ALL);
        listing->n_samples_about = sql_rows_int(rows, N_SAMPLES);
        listing->evals = arena_array(listing->arena, listing->n_evals_all, sizeof(ListingEval));
    }
    assert(listing->n_evals < listing->n_evals_all);
    Str value = sql_rows_text(rows, VALUE);
    ListingEval *eval = &listing->evals[listing->n_evals++];
    eval->no = sql_rows_int(rows, NO);
    eval->value = value.p ? SQL_TEXT(arena_str(listing->arena, value)) : SQL_NULL;
    eval->words = (uint32_t)sql_rows_int(rows, WORDS);
}

int listing_load_evals(Listing *listing, const QueryWords *words, Error *err)
{
    if (listing->has_evals)
        return 0;
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    query_begin(&query, listing->dialect);
    add_evals(listing, words, &query);
    if (query_run_few(&query, listing->tx, &rows, err) < 0)
        return -1;
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err))
        read_eval(listing, rows);
    if (has_row < 0)
        return -1;
    sql_rows_free(TAKE(rows));
    listing->has_evals = true;
    return listing_sort_words(listing, words, err);
}

/* ---- conditions on samples ---- */

bool listing_needs_sample(const Listing *listing)
{
    return listing->filter->has_completed_after || listing->filter->has_completed_before ||
           listing->n_words > 0;
}

bool listing_has_tests(const Listing *listing)
{
    return listing_needs_sample(listing) || listing->statuses.p || listing_has_range(listing);
}

void listing_add_score_test(const Listing *listing, Query *query, const char *a)
{
    if (!listing_has_range(listing))
        return;
    buf_printf(&query->text, " AND EXISTS (SELECT 1 FROM listing_score r WHERE r.no = %s.no", a);
    query_add_value(query, " AND r.\"key\" = ?", SQL_TEXT(listing->key));
    add_range(listing->filter, query, "r");
    query_add(query, ")");
}

void listing_add_tests(const Listing *listing, Query *query, const char *a, const char *l,
                       bool with_evals)
{
    auto_free char *eval = mem_printf("+%s.eval_no", a); /* no index to be taken for it */
    if (with_evals && !listing->is_open) {
        query_add(query, " AND ");
        query_add_in(query, eval, listing_evals_text(listing, listing->evals, listing->n_evals));
    }
    if (listing->statuses.p)
        buf_printf(&query->text, " AND %s%s.status IN (%.*s)", sign_of(listing, "a.status"), a,
                   STR_ARG(listing->statuses));
    add_times(listing, query, l);
    for (size_t i = 0; i < listing->n_words; i++) {
        const ListingWord *word = &listing->words[i];
        auto_free char *id = mem_printf("%s.id", l);
        query->glue = " AND (";
        query_where_word(query, id, word->text);
        if (word->is_uuid) {
            buf_printf(&query->text, " OR %s.uuid", l);
            query_add_value(query, " = ?", SQL_TEXT(word->text));
        }
        if (!word->in_no_eval) {
            query_add(query, " OR ");
            query_add_in(query, eval, word->evals);
        }
        query_add(query, ")");
    }
}

/* ---- pages ---- */

static int read_statuses(Listing *listing, Error *err)
{
    const QueriesSamples *filter = listing->filter;
    if (filter->n_statuses == 0)
        return 0;
    bool is_given[LISTING_STATUSES] = {0};
    for (size_t i = 0; i < filter->n_statuses; i++) {
        int status = listing_status_find(filter->statuses[i]);
        if (status < 0)
            return refuse_status(filter->statuses[i], err);
        is_given[status] = true;
    }
    auto_buf Buf text = BUF_INIT(256);
    for (int i = 0; i < LISTING_STATUSES; i++)
        if (is_given[i]) {
            listing->status_min = text.len ? listing->status_min : i;
            listing->status_max = i;
            buf_printf(&text, "%s%d", text.len ? ", " : "", i);
        }
    listing->statuses = arena_str(listing->arena, buf_str(&text));
    return 0;
}

/* What makes this list another one than others: its cursors fit nowhere else. */
static Str list_name(const Listing *listing)
{
    const QueriesSamples *filter = listing->filter;
    const Str texts[] = {filter->eval_set_id,  filter->search,     filter->scorer,
                         filter->model,        filter->created_by, filter->task_name,
                         filter->task_version, listing->statuses,  str_of(listing->sort->name)};
    auto_buf Buf name = BUF_INIT(KEY_TEXT_MAX);
    buf_printf(&name, "samples %d", listing->is_ascending);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        buf_printf(&name, " %c%zu ", texts[i].p ? '=' : '-', texts[i].n);
        buf_add_str(&name, texts[i]);
    }
    if (filter->has_score_min)
        buf_printf(&name, " min %a", filter->score_min);
    if (filter->has_score_max)
        buf_printf(&name, " max %a", filter->score_max);
    if (filter->has_completed_after)
        buf_printf(&name, " after %lld", (long long)filter->completed_after_us);
    if (filter->has_completed_before)
        buf_printf(&name, " before %lld", (long long)filter->completed_before_us);
    return arena_str(listing->arena, buf_str(&name));
}

static void make_page(Listing *listing, size_t skip, bool is_plain, Str name, ListingPage *ret)
{
    size_t limit = (size_t)listing->filter->page.limit;
    size_t n = listing->n_rows > skip ? listing->n_rows - skip : 0;
    ListingPage page = {.rows = listing->rows + skip, .n = n < limit ? n : limit};
    page.has_more = n > limit;
    if (page.has_more && !is_plain) {
        const ListingRow *last = &page.rows[page.n - 1];
        const Cursor next = {
            .values = {SQL_INT(last->part), last->value, SQL_INT(last->eval_no), SQL_INT(last->no)},
            .n = 4};
        auto_buf Buf text = BUF_INIT(CURSOR_TEXT_MAX * 2);
        cursor_write(&next, name, &text);
        page.next = arena_str(listing->arena, buf_str(&text));
    }
    *ret = page;
}

static bool is_open(const Listing *listing, const QueryWords *words)
{
    const QueriesSamples *filter = listing->filter;
    return listing->access->sees_all && words->n == 0 && !filter->eval_set_id.p &&
           !filter->model.p && !filter->created_by.p && !filter->task_name.p &&
           !filter->task_version.p;
}

static void open_question(Listing *listing, const ListingQuestion *question, Arena *arena)
{
    const QueriesSamples *filter = question->filter;
    *listing = (Listing){
        .tx = question->tx,
        .dialect = question->dialect,
        .arena = arena,
        .access = question->access,
        .filter = filter,
        .limits = question->limits,
        .sort = listing_sort_find(filter->sort_by),
        .is_ascending = str_eqz(filter->sort_order, "asc"),
        .key = filter->scorer.p ? str_of(arena_printf(arena, "=%.*s", STR_ARG(filter->scorer)))
                                : STR(""),
    };
}

static int read_cursor(const Listing *listing, Str name, Cursor *ret, Error *err)
{
    Str text = listing->filter->page.cursor;
    if (text.p && cursor_read(text, name, 4, listing->arena, ret, err) < 0)
        return -1;
    if (text.p && (ret->values[0].integer < 0 || ret->values[0].integer >= LISTING_PARTS_MAX))
        return error_set(err, ERR_USAGE, "the cursor is not one of this list");
    return 0;
}

static int pick(Listing *listing, const QueryWords *words, bool is_plain, int64_t skip,
                const Cursor *after, Error *err)
{
    listing->rows = arena_array(listing->arena, listing->n_wanted, sizeof(ListingRow));
    listing->is_open = is_open(listing, words);
    if ((!listing->is_open || listing->sort->of_eval) &&
        listing_load_evals(listing, words, err) < 0)
        return -1;
    return is_plain ? listing_pick_plain(listing, skip, err)
                    : listing_pick_words(listing, after, err);
}

int listing_page(const ListingQuestion *question, Arena *arena, ListingPage *ret, Error *err)
{
    const QueriesPage *page = &question->filter->page;
    QueryWords words;
    Listing listing;
    Cursor after = {0};
    open_question(&listing, question, arena);
    if (!listing.sort)
        return refuse_sort(question->filter->sort_by, err);
    if (query_words(question->filter->search, &words, err) < 0 || read_statuses(&listing, err) < 0)
        return -1;
    Str name = list_name(&listing);
    if (read_cursor(&listing, name, &after, err) < 0)
        return -1;
    int64_t skip = after.n ? 0 : (page->page - 1) * page->limit;
    bool is_plain = !after.n && skip > question->limits->fast_offset_max;
    listing.n_wanted = (size_t)(page->limit + 1 + (is_plain ? 0 : skip));
    if (pick(&listing, &words, is_plain, skip, after.n ? &after : NULL, err) < 0)
        return -1;
    make_page(&listing, is_plain ? 0 : (size_t)skip, is_plain, name, ret);
    return 0;
}
