/* Words of a search. A sample has a word when the texts of its eval have it, when its id has it, or
   when it is its uuid. Which evals have a word is known at once; which samples have it of other
   evals is looked for in listing_id, where the same id is but once.

   So a page is put together from two lists: samples of the evals that have all words, which no word
   narrows any more, and those few that have one of their words by themselves. When these are not so
   few but of few evals, the second list is merged too, no further than the first one reaches. */

#include <stdlib.h>

#include "base/mem.h"
#include "codec/json_out.h"
#include "warehouse/queries/listing_priv.h"

enum {
    GRAM = 3,             /* letters of a word that the index can find */
    IDS_MAX = 2000,       /* that have a word */
    IDS_SEEN_MAX = 20000, /* with those that are of tasks with the word */
    IDS_READ_MAX = 50000, /* so many are read one by one for a shorter word */
    SAMPLES_MAX = 12000,  /* that are gathered */
    LIST_TEXT_MAX = 8 * 1024 * 1024,
};

/* About how many there are in the whole warehouse. */
static int count_ids(Listing *listing, int64_t *ret, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    const char *statement =
        listing->dialect == SQL_SQLITE
            ? "SELECT coalesce(max(no), 0) FROM listing_id"
            : "SELECT reltuples::bigint FROM pg_class WHERE oid = 'listing_id'::regclass";
    if (sql_query(listing->tx, statement, SQL_NO_ARGS, &rows, err) < 0 ||
        sql_rows_next(rows, err) < 0)
        return -1;
    *ret = sql_rows_int(rows, 0);
    return 0;
}

static int find_uuid(Listing *listing, ListingWord *word, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(listing->tx, "SELECT no, eval_no FROM listing_sample WHERE uuid = $1 LIMIT 1",
                  SQL_ARGS(SQL_TEXT(word->text)), &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row < 0)
        return -1;
    word->is_uuid = has_row == 1;
    if (word->is_uuid)
        word->of_uuid = (ListingRow){.no = sql_rows_int(rows, 0), .eval_no = sql_rows_int(rows, 1)};
    return 0;
}

/* The ids that have the word, and whether the task of each has it too. */
static void add_ids(Query *query, Str word)
{
    query_add(query, "SELECT d.id, CASE WHEN ");
    query->glue = "";
    query_where_word(query, "d.task_name", word);
    query_add(query, " THEN 1 ELSE 0 END FROM ");
    if (query->dialect == SQL_SQLITE && word.n >= GRAM)
        query_add_value(query,
                        "listing_id_text t CROSS JOIN listing_id d WHERE t.id LIKE ? AND d.no = "
                        "t.rowid",
                        SQL_TEXT(query_like_loose(query->arena, word)));
    else
        query_add(query, "listing_id d WHERE 1 = 1");
    query_where_word(query, "d.id", word);
    query_add_value(query, " LIMIT ?", SQL_INT(IDS_SEEN_MAX + 1));
}

/* Looks for the ids that tell of samples which have the word; too many stay unknown. */
static int find_ids(Listing *listing, int64_t n_ids_about, ListingWord *word, Error *err)
{
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    auto_buf Buf text = BUF_INIT(LIST_TEXT_MAX);
    JsonOut out;
    size_t n_seen = 0;
    int has_row = 0;
    if (word->text.n < GRAM && n_ids_about > IDS_READ_MAX)
        return 0;
    json_out_init(&out, &text, 0);
    json_out_array(&out);
    query_begin(&query, listing->dialect);
    add_ids(&query, word->text);
    if (query_run(&query, listing->tx, &rows, err) < 0)
        return -1;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        bool is_of_task = sql_rows_int(rows, 1) != 0;
        if (++n_seen > IDS_SEEN_MAX || word->n_ids == IDS_MAX)
            return 0;
        if (is_of_task)
            continue;
        json_out_str(&out, sql_rows_text(rows, 0));
        word->n_ids++;
    }
    if (has_row < 0)
        return -1;
    json_out_end_array(&out);
    word->has_ids = !text.overflowed;
    word->has_few =
        n_ids_about <= 0 || (int64_t)word->n_ids * listing->n_samples_about / n_ids_about <=
                                listing->limits->samples_of_word_max;
    word->ids = arena_str(listing->arena, buf_str(&text));
    return 0;
}

/* Words that no sample has by itself are of evals only; the others remain. */
int listing_sort_words(Listing *listing, const QueryWords *words, Error *err)
{
    uint32_t of_evals = 0;
    int64_t n_ids_about = 0;
    if (words->n > 0 && count_ids(listing, &n_ids_about, err) < 0)
        return -1;
    for (size_t w = 0; w < words->n; w++) {
        ListingEval *having = arena_array(listing->arena, listing->n_evals, sizeof(*having));
        ListingWord word = {.text = words->items[w], .mask = UINT32_C(1) << w};
        size_t n = 0;
        for (size_t i = 0; i < listing->n_evals; i++)
            if (listing->evals[i].words & word.mask)
                having[n++] = listing->evals[i];
        if (n == listing->n_evals)
            continue;
        if (find_ids(listing, n_ids_about, &word, err) < 0 || find_uuid(listing, &word, err) < 0)
            return -1;
        if (word.has_ids && word.n_ids == 0 && !word.is_uuid) {
            of_evals |= word.mask;
            continue;
        }
        word.in_no_eval = n == 0;
        word.evals = listing_evals_text(listing, having, n);
        listing->words[listing->n_words++] = word;
    }
    size_t n = 0;
    for (size_t i = 0; i < listing->n_evals; i++)
        if ((listing->evals[i].words & of_evals) == of_evals)
            listing->evals[n++] = listing->evals[i];
    listing->n_evals = n;
    return 0;
}

/* ---- samples that have a word by themselves ---- */

typedef struct Found {
    ListingRow *samples; /* without values */
    size_t n;
    bool is_known; /* not too many */
} Found;

static int compare_numbers(const void *left, const void *right)
{
    const ListingEval *a = left;
    const ListingEval *b = right;
    return (a->no > b->no) - (a->no < b->no);
}

static int compare_samples(const void *left, const void *right)
{
    const ListingRow *a = left;
    const ListingRow *b = right;
    return (a->no > b->no) - (a->no < b->no);
}

/* Adds a sample if it is of an eval that may be looked at and lacks the word. */
static void add_found(const Listing *listing, const ListingEval *by_number, ListingRow sample,
                      const ListingWord *word, Found *ret)
{
    const ListingEval key = {.no = sample.eval_no};
    const ListingEval *eval =
        bsearch(&key, by_number, listing->n_evals, sizeof(key), compare_numbers);
    if (eval && !(eval->words & word->mask))
        ret->samples[ret->n++] = sample;
}

static void add_samples(const Listing *listing, Query *query, Str ids)
{
    query_add(query, "SELECT s.no, s.eval_no FROM ");
    if (query->dialect == SQL_SQLITE)
        query_add_value(query,
                        "json_each(?) j CROSS JOIN listing_sample s WHERE s.id = j.value LIMIT ",
                        SQL_TEXT(ids));
    else
        query_add_value(query,
                        "unnest(?::text[]) AS j (value) CROSS JOIN LATERAL (SELECT s.no, s.eval_no "
                        "FROM listing_sample s WHERE s.id = j.value OFFSET 0) s LIMIT ",
                        SQL_LIST(ids));
    query_add_value(query, "?", SQL_INT(listing->limits->samples_of_word_max + 1));
}

/* Adds the samples that have the word by their ids or uuid. */
static int find_samples(Listing *listing, const ListingEval *by_number, const ListingWord *word,
                        Found *ret, Error *err)
{
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    int64_t n_seen = 0;
    int has_row = 0;
    ret->is_known = false;
    if (!word->has_ids || !word->has_few)
        return 0;
    query_begin(&query, listing->dialect);
    add_samples(listing, &query, word->ids);
    if (query_run(&query, listing->tx, &rows, err) < 0)
        return -1;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        if (++n_seen > listing->limits->samples_of_word_max || ret->n >= SAMPLES_MAX)
            return 0;
        const ListingRow sample = {.no = sql_rows_int(rows, 0), .eval_no = sql_rows_int(rows, 1)};
        add_found(listing, by_number, sample, word, ret);
    }
    if (has_row < 0)
        return -1;
    if (word->is_uuid)
        add_found(listing, by_number, word->of_uuid, word, ret);
    ret->is_known = true;
    return 0;
}

/* When some word is in no eval all samples of the page have it; else each has one or another. */
static int find_of_words(Listing *listing, Found *ret, Error *err)
{
    auto_free ListingEval *by_number = mem_array(listing->n_evals + 1, sizeof(*by_number));
    memcpy(by_number, listing->evals, listing->n_evals * sizeof(*by_number));
    qsort(by_number, listing->n_evals, sizeof(*by_number), compare_numbers);
    ret->samples =
        arena_array(listing->arena, SAMPLES_MAX + QUERY_WORDS_MAX, sizeof(*ret->samples));
    for (size_t w = 0; w < listing->n_words; w++) {
        ret->n = 0;
        if (!listing->words[w].in_no_eval)
            continue;
        if (find_samples(listing, by_number, &listing->words[w], ret, err) < 0)
            return -1;
        if (ret->is_known)
            return 0;
    }
    ret->n = 0;
    ret->is_known = true;
    for (size_t w = 0; w < listing->n_words && ret->is_known; w++)
        if (find_samples(listing, by_number, &listing->words[w], ret, err) < 0)
            return -1;
    return 0;
}

/* Puts the numbers in order, each once. */
static void sort_found(Found *found)
{
    size_t n = 0;
    qsort(found->samples, found->n, sizeof(*found->samples), compare_samples);
    for (size_t i = 0; i < found->n; i++)
        if (n == 0 || found->samples[n - 1].no != found->samples[i].no)
            found->samples[n++] = found->samples[i];
    found->n = n;
}

/* ---- two lists ---- */

/* The list of those evals that have all the words, or of the others. */
static Listing list_of(const Listing *listing, bool has_words)
{
    Listing ret = *listing;
    uint32_t words = 0;
    for (size_t w = 0; w < listing->n_words; w++)
        words |= listing->words[w].mask;
    ret.evals = arena_array(listing->arena, listing->n_evals, sizeof(*ret.evals));
    ret.rows = arena_array(listing->arena, listing->n_wanted, sizeof(*ret.rows));
    ret.n_evals = 0;
    for (size_t i = 0; i < listing->n_evals; i++)
        if (((listing->evals[i].words & words) == words) == has_words)
            ret.evals[ret.n_evals++] = listing->evals[i];
    return ret;
}

static void drive(Listing *listing, const Found *found)
{
    ListingEval *numbers = arena_array(listing->arena, found->n, sizeof(*numbers));
    for (size_t i = 0; i < found->n; i++)
        numbers[i].no = found->samples[i].no;
    listing->driver = (ListingDriver){
        .text = listing->dialect == SQL_SQLITE ? "SELECT value AS no FROM json_each($1)"
                                               : "SELECT unnest($1::bigint[]) AS no",
        .args = {SQL_TEXT(listing_evals_text(listing, numbers, found->n))},
        .n_args = 1,
        .is_word = true,
        .n = (int64_t)found->n,
        .rows = found->samples};
    listing->driver_max = SAMPLES_MAX + QUERY_WORDS_MAX;
}

static void merge(Listing *listing, const Listing *a, const Listing *b)
{
    size_t i = 0;
    size_t j = 0;
    while (listing->n_rows < listing->n_wanted && (i < a->n_rows || j < b->n_rows)) {
        bool takes_a = j == b->n_rows ||
                       (i < a->n_rows && listing_comes_first(listing, &a->rows[i], &b->rows[j]));
        listing->rows[listing->n_rows++] = takes_a ? a->rows[i++] : b->rows[j++];
    }
}

/* Whether the first row of each eval that has a word tells more than a walk: a few rows on, each
   has one, unless there are other conditions. */
static bool is_merge_better(const Listing *listing)
{
    const QueriesSamples *filter = listing->filter;
    bool has_more = listing->statuses.p || listing_has_range(listing) ||
                    filter->has_completed_after || filter->has_completed_before;
    return listing->n_words > 0 && !has_more && !listing->sort->of_eval &&
           listing_is_merge_short(listing);
}

/* The evals that have all words may fill the page; of the others only rows before its last one are
   looked at, which are few if the order has nothing to do with the words. */
static int pick_merged(Listing *listing, const Cursor *after, Error *err)
{
    Listing of_evals = list_of(listing, true);
    Listing of_samples = list_of(listing, false);
    of_evals.n_words = 0;
    of_evals.is_merged = of_samples.is_merged = true;
    if (of_samples.n_words == 1)
        of_samples.words[0].in_no_eval = true; /* of those that are left */
    if (of_evals.n_evals > 0 && listing_pick(&of_evals, after, err) < 0)
        return -1;
    if (of_evals.n_rows == of_evals.n_wanted)
        of_samples.last = &of_evals.rows[of_evals.n_rows - 1];
    if (of_samples.n_evals > 0 && listing_pick(&of_samples, after, err) < 0)
        return -1;
    merge(listing, &of_evals, &of_samples);
    return 0;
}

int listing_pick_words(Listing *listing, const Cursor *after, Error *err)
{
    Found found = {0};
    if (listing->n_words > 0 && find_of_words(listing, &found, err) < 0)
        return -1;
    if (!found.is_known && is_merge_better(listing))
        return pick_merged(listing, after, err);
    if (!found.is_known)
        return listing_pick(listing, after, err);
    sort_found(&found);
    Listing of_evals = list_of(listing, true);
    Listing of_samples = list_of(listing, false);
    of_evals.n_words = 0;
    if (listing->n_words == 1)
        of_samples.n_words = 0; /* all that were found have it */
    drive(&of_samples, &found);
    if (of_evals.n_evals > 0 && listing_pick(&of_evals, after, err) < 0)
        return -1;
    if (found.n > 0 && listing_pick(&of_samples, after, err) < 0)
        return -1;
    merge(listing, &of_evals, &of_samples);
    return 0;
}
