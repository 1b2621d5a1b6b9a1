/* Whatever way a page of a list is found, it is the page that the plain statement finds; cursors.
 */
#include "cmocka_all.h"

#include <stdlib.h>
#include <unistd.h>

#include "database.h"
#include "warehouse_sorts.h"

#include "base/fs.h"
#include "base/mem.h"
#include "warehouse/queries/listing.h"
#include "warehouse/warehouse.h"

enum { N_EVALS = 30, N_SAMPLES = 240, ROWS_MAX = 512 };

static char folder[64];
static Sql *sql;

static const Str errors[] = {{"error", 5}};
static const Str limits_or_success[] = {{"token_limit", 11}, {"success", 7}};

/* clang-format off */
static const QueriesSamples filters[] = {
    { .n_statuses = 0 },
    { .model = STR("model-1") },
    { .eval_set_id = STR("set-2"), .task_version = STR("1") },
    { .created_by = STR("p-1"), .statuses = errors, .n_statuses = 1 },
    { .statuses = limits_or_success, .n_statuses = 2 },
    { .scorer = STR("grade") },
    { .scorer = STR("match"), .has_score_min = true, .score_min = 0.5 },
    { .has_score_min = true, .score_min = 0.2, .has_score_max = true, .score_max = 0.8 },
    { .scorer = STR("none"), .has_score_max = true, .score_max = 1 },
    { .has_completed_after = true, .completed_after_us = 40000000, .has_completed_before = true, .completed_before_us = 90000000 },
    { .search = STR("task-1") },
    { .search = STR("id-7") },
    { .search = STR("id-1 model-2") },
    { .search = STR("_1") },
    { .search = STR("-1") },
    { .search = STR("-1 2 u0") },
    { .search = STR("k-1 d-1") },
    { .search = STR("nowhere") },
    { .search = STR("u037 task-0") },
    { .task_name = STR("task-0"), .statuses = errors, .n_statuses = 1, .has_score_max = true, .score_max = 0.9, .search = STR("1") },
};

static const char *const green[] = { "g" };
static const QueriesAccess readers[] = {
    { .sees_all = true },
    { .groups = green, .n_groups = 1 },
    { .n_groups = 0 },
};

/* Each makes another way the usual one. */
static const ListingLimits ways[] = {
    { .walk_max = 1000, .walk_first_max = 40, .walk_driven_max = 100, .gather_max = 1000, .gather_first_max = 0,    .fast_offset_max = 2000, .samples_of_word_max = 1000, .n_evals_few = 0,  .n_evals_tried = 1000 },
    { .walk_max = 3,    .walk_driven_max = 1000, .gather_max = 1000, .gather_first_max = 0,    .fast_offset_max = 2000, .n_evals_few = 0,  .n_evals_tried = 1 },
    { .walk_max = 1000, .gather_max = 1000, .gather_first_max = 1000, .fast_offset_max = 2000, .n_evals_few = 3,  .n_evals_pruned = 100, .n_evals_tried = 2 },
    { .walk_max = 0,    .gather_max = 0,    .gather_first_max = 0,    .fast_offset_max = 2000, .samples_of_word_max = 1000, .n_evals_few = 0,  .n_evals_tried = 0 },
    { .walk_max = 5,    .walk_first_max = 5, .gather_max = 0,    .gather_first_max = 0,    .fast_offset_max = 2000, .n_evals_few = 40, .n_evals_tried = 3 },
    { .walk_max = 1000, .walk_first_max = 9, .gather_max = 1000, .gather_first_max = 0, .fast_offset_max = 2000, .n_evals_few = 0, .n_evals_tried = 2 },
};
static const ListingLimits plain = { .fast_offset_max = -1 };
/* clang-format on */

static void run(SqlTx *tx, const char *statement, const SqlValue *values, size_t n_values)
{
    auto_error Error err = ERROR_INIT;
    if (sql_exec(tx, statement, values, n_values, NULL, &err) < 0)
        fail_msg("%s: %s", statement, error_text(&err));
}

static SqlValue maybe(int i, int every, int64_t value)
{
    return i % every ? SQL_INT(value) : SQL_NULL;
}

static void add_eval(SqlTx *tx, int i)
{
    char pk[DATABASE_UUID_MAX];
    auto_free char *id = mem_printf("eval-%02d", i * 7 % N_EVALS);
    auto_free char *set = mem_printf("set-%d", i / 5);
    auto_free char *task = mem_printf("task-%d", i % 3);
    auto_free char *model = mem_printf("model-%d", i % 4);
    auto_free char *person = mem_printf("p-%d", i % 2);
    auto_free char *name = mem_printf("e%d", i);
    run(tx,
        "INSERT INTO eval (pk, created_at, updated_at, first_imported_at, last_imported_at, "
        "eval_set_id, id, task_id, task_name, task_version, total_samples, completed_samples, "
        "location, log_key, file_size_bytes, file_hash, file_last_modified, created_by, status, "
        "import_status, model, model_groups) VALUES ($1, $2, $2, $2, $2, $3, $4, 't', $5, $6, 1, "
        "1, $4, $4, 1, 'h', $2, $7, 'success', 'success', $8, $9)",
        SQL_ARGS(SQL_TEXTZ(database_uuid(name, pk)), SQL_INSTANT(i), SQL_TEXTZ(set), SQL_TEXTZ(id),
                 SQL_TEXTZ(task), i % 5 ? SQL_TEXTZ(i % 2 ? "1" : "2") : SQL_NULL,
                 i % 6 ? SQL_TEXTZ(person) : SQL_NULL, SQL_TEXTZ(model),
                 SQL_LIST(i % 3 ? STR("[\"g\"]") : STR("[\"g\",\"h\"]"))));
}

static void add_sample(SqlTx *tx, int i)
{
    char pk[DATABASE_UUID_MAX];
    char eval_pk[DATABASE_UUID_MAX];
    auto_free char *eval = mem_printf("e%d", i * 11 % N_EVALS);
    auto_free char *id = mem_printf("id-%d", i % 40);
    auto_free char *uuid = mem_printf("u%03d", i * 37 % N_SAMPLES);
    auto_free char *error = mem_printf("boom %d", i % 4);
    run(tx,
        "INSERT INTO sample (pk, created_at, updated_at, first_imported_at, last_imported_at, "
        "eval_pk, id, uuid, epoch, started_at, completed_at, input, search_text, input_tokens, "
        "output_tokens, total_tokens, action_count, working_time_seconds, error_message, "
        "\"limit\", invalidation_reason, is_provisional) VALUES ($1, $2, $2, $2, $2, $3, $4, $5, "
        "$6, $7, $8, '\"in\"', '', $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        SQL_ARGS(SQL_TEXTZ(database_uuid(uuid, pk)), SQL_INSTANT(0),
                 SQL_TEXTZ(database_uuid(eval, eval_pk)), SQL_TEXTZ(id), SQL_TEXTZ(uuid),
                 SQL_INT(1 + i / 40), SQL_INSTANT(i * INT64_C(500000)),
                 i % 9 ? SQL_INSTANT(i * 37 % 120 * INT64_C(1000000)) : SQL_NULL,
                 maybe(i, 5, i * 13 % 100), maybe(i, 3, i % 7), maybe(i, 50, i * 3),
                 maybe(i, 2, i % 4), i % 4 ? SQL_REAL(i * 31 % 50 / 8.0) : SQL_NULL,
                 i % 8 ? SQL_NULL : SQL_TEXTZ(error), i % 7 ? SQL_NULL : SQL_TEXTZ("token"),
                 i % 10 ? SQL_NULL : SQL_TEXTZ("wrong"), SQL_BOOL(i % 13 == 5)));
}

static void add_score(SqlTx *tx, int i, const char *scorer, const char *value, SqlValue number,
                      bool is_intermediate)
{
    char pk[DATABASE_UUID_MAX];
    char sample_pk[DATABASE_UUID_MAX];
    auto_free char *uuid = mem_printf("u%03d", i * 37 % N_SAMPLES);
    auto_free char *name = mem_printf("%s%s", uuid, scorer);
    run(tx,
        "INSERT INTO score (pk, created_at, updated_at, sample_pk, value, value_float, scorer, "
        "is_intermediate) VALUES ($1, $2, $2, $3, $4, $5, $6, $7)",
        SQL_ARGS(SQL_TEXTZ(database_uuid(name, pk)), SQL_INSTANT(0),
                 SQL_TEXTZ(database_uuid(uuid, sample_pk)), SQL_TEXTZ(value), number,
                 SQL_TEXTZ(scorer), SQL_BOOL(is_intermediate)));
}

static void add_scores(SqlTx *tx, int i)
{
    double number = i * 17 % 10 / 10.0;
    auto_free char *value = mem_printf("%.1f", number);
    if (i % 3)
        add_score(tx, i, "match", value, SQL_REAL(number), false);
    if (i % 4 == 0)
        add_score(tx, i, "grade", i % 8 ? "\"C\"" : "\"I\"", SQL_NULL, false);
    if (i % 5 == 0)
        add_score(tx, i, "later", "1", SQL_REAL(1), true);
}

static int open_warehouse(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    (void)snprintf(folder, sizeof(folder), "/tmp/hawk-listing-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    auto_free char *url = database_url(folder);
    if (sql_open(url, 2, &sql, &err) < 0 || warehouse_migrate(sql, &err) < 0 ||
        sql_begin(sql, SQL_WRITE, &tx, &err) < 0) {
        print_error("%s\n", error_text(&err));
        return -1;
    }
    for (int i = 0; i < N_EVALS; i++)
        add_eval(tx, i);
    for (int i = 0; i < N_SAMPLES; i++) {
        add_sample(tx, i);
        add_scores(tx, i);
    }
    return sql_commit(TAKE(tx), &err);
}

static int close_warehouse(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    sql_close(TAKE(sql));
    return fs_remove_tree(folder, &err);
}

/* The numbers of all rows of a list, page by page. */
static size_t list_all(SqlTx *tx, const QueriesAccess *access, QueriesSamples filter,
                       const ListingLimits *limits, Arena *arena, int64_t ret[ROWS_MAX])
{
    auto_error Error err = ERROR_INIT;
    size_t n = 0;
    const ListingQuestion question = {.tx = tx,
                                      .dialect = sql_dialect(sql),
                                      .access = access,
                                      .filter = &filter,
                                      .limits = limits};
    for (bool has_more = true; has_more;) {
        ListingPage page = {0};
        if (listing_page(&question, arena, &page, &err) < 0)
            fail_msg("%s", error_text(&err));
        for (size_t i = 0; i < page.n && n < ROWS_MAX; i++)
            ret[n++] = page.rows[i].no;
        has_more = page.has_more;
        filter.page.cursor = page.next;
    }
    return n;
}

/* What is found on a way, against what the plain statement finds. */
static void compare(SqlTx *tx, const QueriesAccess *access, QueriesSamples filter, size_t way)
{
    static int64_t expected[ROWS_MAX];
    static int64_t found[ROWS_MAX];
    auto_arena Arena *arena = arena_new();
    filter.page = (QueriesPage){.page = 1, .limit = 500};
    size_t n_expected = list_all(tx, access, filter, &plain, arena, expected);
    filter.page.limit = 29;
    size_t n = list_all(tx, access, filter, &ways[way], arena, found);
    if (n != n_expected || memcmp(expected, found, n * sizeof(found[0])) != 0)
        fail_msg("sorted by %s %s, search %.*s: way %zu finds other rows (%zu, not %zu)",
                 filter.sort_by.p, filter.sort_order.p, STR_ARG(filter.search), way, n, n_expected);
}

static void all_ways_find_the_same_pages(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    assert_int_equal(sql_begin(sql, SQL_READ, &tx, &err), 0);
    for (size_t f = 0; f < ARRAY_LEN(filters); f++)
        for (size_t s = 0; s < ARRAY_LEN(warehouse_sorts); s++) {
            QueriesSamples filter = filters[f];
            filter.sort_by = str_of(warehouse_sorts[s]);
            filter.sort_order = (f + s) % 2 ? STR("asc") : STR("desc");
            compare(tx, &readers[(f + s) % ARRAY_LEN(readers)], filter,
                    (f * 3 + s) % ARRAY_LEN(ways));
            compare(tx, &readers[0], filter, (f + s + 1) % ARRAY_LEN(ways));
        }
}

static void the_rows_of_lists_follow_their_samples(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    assert_int_equal(sql_begin(sql, SQL_WRITE, &tx, &err), 0);
    static const char *const changes[] = {
        "UPDATE sample SET error_message = NULL, total_tokens = 7 WHERE error_message = 'boom 0'",
        "UPDATE sample SET id = 'other-' || id WHERE epoch = 2",
        "UPDATE score SET value_float = 0.25, value = '0.25' WHERE scorer = 'match'",
        "UPDATE eval SET model = 'model-9' WHERE model = 'model-1'",
        "UPDATE eval SET task_name = 'task-9' WHERE task_name = 'task-1'",
        "UPDATE sample SET completed_at = started_at WHERE epoch = 4",
        "UPDATE sample SET is_provisional = FALSE WHERE epoch = 1",
        "UPDATE sample SET is_provisional = TRUE WHERE epoch = 2",
        "DELETE FROM score WHERE scorer = 'grade'",
        "DELETE FROM sample WHERE epoch = 3",
        "DELETE FROM eval WHERE id = 'eval-07'",
    };
    static const char *const wrong[] = {
        "SELECT count(*) FROM listing_sample l LEFT JOIN sample s ON s.pk = l.sample_pk LEFT JOIN "
        "listing_eval v ON v.no = l.eval_no LEFT JOIN listing_status t ON t.no = l.status WHERE "
        "s.pk IS NULL OR v.eval_pk <> s.eval_pk OR t.name <> CASE WHEN s.is_provisional THEN "
        "'provisional' ELSE s.status END OR l.id <> s.id OR "
        "coalesce(l.total_tokens, -1) <> coalesce(s.total_tokens, -1)",
        "SELECT count(*) FROM sample WHERE pk NOT IN (SELECT sample_pk FROM listing_sample)",
        "SELECT count(*) FROM listing_eval l LEFT JOIN eval e ON e.pk = l.eval_pk WHERE e.pk IS "
        "NULL OR e.model <> l.model",
        "SELECT count(*) FROM listing_sample l JOIN listing_eval v ON v.no = l.eval_no WHERE NOT "
        "EXISTS (SELECT 1 FROM listing_id d WHERE d.id = l.id AND d.task_name = v.task_name)",
        "SELECT count(*) FROM listing_id WHERE id NOT IN (SELECT id FROM listing_sample)",
        "SELECT count(*) FROM listing_sample l JOIN listing_eval v ON v.no = l.eval_no WHERE "
        "l.completed_at NOT BETWEEN coalesce(v.completed_from, l.completed_at + 1) AND "
        "v.completed_to",
        "SELECT count(*) FROM (SELECT no, \"key\", eval_no, status, scorer, value, rest FROM "
        "listing_score EXCEPT SELECT no, \"key\", eval_no, status, scorer, value, rest FROM "
        "listing_score_source) x",
        "SELECT count(*) FROM (SELECT no, \"key\", eval_no, status, scorer, value, rest FROM "
        "listing_score_source EXCEPT SELECT no, \"key\", eval_no, status, scorer, value, rest FROM "
        "listing_score) x",
    };
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        run(tx, changes[i], SQL_NO_ARGS);
        for (size_t j = 0; j < ARRAY_LEN(wrong); j++) {
            auto_sql_rows SqlRows *rows = NULL;
            if (sql_query(tx, wrong[j], SQL_NO_ARGS, &rows, &err) < 0)
                fail_msg("%s", error_text(&err));
            assert_int_equal(sql_rows_next(rows, &err), 1);
            if (sql_rows_int(rows, 0) != 0)
                fail_msg("after %s: %lld rows of %s", changes[i], (long long)sql_rows_int(rows, 0),
                         wrong[j]);
        }
    }
    auto_arena Arena *arena = arena_new();
    int64_t found[ROWS_MAX];
    QueriesSamples moved = {.page = {1, 100}, .search = STR("other-id-3"), .model = STR("model-9")};
    assert_int_not_equal(list_all(tx, &readers[0], moved, &ways[1], arena, found), 0);
    moved.model = STR("model-1");
    assert_int_equal(list_all(tx, &readers[0], moved, &ways[1], arena, found), 0);
}

static void a_word_with_letters_beyond_ascii_is_found_as_it_is(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_arena Arena *arena = arena_new();
    auto_sql_tx SqlTx *tx = NULL;
    int64_t found[ROWS_MAX];
    const QueriesSamples filter = {.page = {1, 100}, .search = STR("\xc3\x89preuve")};
    assert_int_equal(sql_begin(sql, SQL_WRITE, &tx, &err), 0);
    run(tx, "UPDATE eval SET task_name = $1 WHERE model = 'model-1'",
        SQL_ARGS(SQL_TEXTZ("\xc3\x89preuve 1")));
    assert_int_not_equal(list_all(tx, &readers[0], filter, &ways[1], arena, found), 0);
}

static int next_page(QueriesSamples filter, Str cursor, Error *err)
{
    auto_arena Arena *arena = arena_new();
    auto_sql_tx SqlTx *tx = NULL;
    ListingPage page = {0};
    filter.page.cursor = cursor;
    assert_int_equal(sql_begin(sql, SQL_READ, &tx, err), 0);
    const ListingQuestion question = {.tx = tx,
                                      .dialect = sql_dialect(sql),
                                      .access = &readers[0],
                                      .filter = &filter,
                                      .limits = &listing_limits};
    return listing_page(&question, arena, &page, err);
}

static void a_cursor_fits_its_own_list_only(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_arena Arena *arena = arena_new();
    auto_sql_tx SqlTx *tx = NULL;
    ListingPage page = {0};
    QueriesSamples filter = {.page = {1, 10}, .model = STR("model-1")};
    assert_int_equal(sql_begin(sql, SQL_READ, &tx, &err), 0);
    const ListingQuestion question = {.tx = tx,
                                      .dialect = sql_dialect(sql),
                                      .access = &readers[0],
                                      .filter = &filter,
                                      .limits = &listing_limits};
    assert_int_equal(listing_page(&question, arena, &page, &err), 0);
    assert_true(page.has_more);
    sql_rollback(TAKE(tx));
    filter.page.limit = 20; /* another size of pages is the same list */
    assert_int_equal(next_page(filter, page.next, &err), 0);
    QueriesSamples others[] = {filter, filter, filter, filter};
    others[0].model = STR("model-2");
    others[1].sort_order = STR("asc");
    others[2].sort_by = STR("id");
    others[3].search = STR("x");
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        assert_int_equal(next_page(others[i], page.next, &err), -1);
        assert_int_equal(err.kind, ERR_USAGE);
        error_reset(&err);
    }
    assert_int_equal(next_page(filter, STR("AAAA"), &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_ways_find_the_same_pages),
        cmocka_unit_test(a_cursor_fits_its_own_list_only),
        cmocka_unit_test(the_rows_of_lists_follow_their_samples),
        cmocka_unit_test(a_word_with_letters_beyond_ascii_is_found_as_it_is),
    };
    return cmocka_run_group_tests(tests, open_warehouse, close_warehouse);
}
