/* Which samples are paired, who sees what, what is said about it. Figures have test_compare_stats.
 */
#include "cmocka_all.h"

#include <math.h>
#include <unistd.h>

#include "database.h"

#include "base/fs.h"
#include "base/mem.h"
#include "warehouse/compare/compare.h"
#include "warehouse/warehouse.h"

static char folder[64];
static Sql *sql;
static Buf text;
static Arena *arena;

static const QueriesAccess all = {.sees_all = true};

static void run(const char *statement, const SqlValue *args, size_t n_args)
{
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    assert_int_equal(sql_begin(sql, SQL_WRITE, &tx, &err), 0);
    if (sql_exec(tx, statement, args, n_args, NULL, &err) < 0)
        fail_msg("%s: %s", statement, error_text(&err));
    assert_int_equal(sql_commit(TAKE(tx), &err), 0);
}

typedef struct EvalRow {
    const char *id; /* one letter */
    const char *set;
    const char *task;
    const char *model;
    const char *agent;
    const char *groups;
    int created_s;
} EvalRow;

/* A UUID that belongs to a text. */
static const char *key_of(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *p = name; *p; p++)
        hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    return arena_printf(arena, "%08x-0000-7000-8000-0000%08x", (unsigned)(hash >> 32),
                        (unsigned)hash);
}

static SqlValue key(const char *name)
{
    return SQL_TEXTZ(key_of(name));
}

static void add_eval(const EvalRow *row)
{
    run("INSERT INTO eval (pk, created_at, updated_at, first_imported_at, last_imported_at, "
        "eval_set_id, id, task_id, task_name, total_samples, completed_samples, location, log_key, "
        "file_size_bytes, file_hash, file_last_modified, status, import_status, model, agent, "
        "model_groups) VALUES ($1, $2, $2, $2, $2, $3, $4, 't', $5, 3, 2, '/s', 'evals/s', 1, 'h', "
        "$2, 'success', 'success', $6, $7, $8)",
        SQL_ARGS(key(row->id), SQL_INSTANT(row->created_s * 1000000), SQL_TEXTZ(row->set),
                 SQL_TEXTZ(row->id), SQL_TEXTZ(row->task), SQL_TEXTZ(row->model),
                 SQL_TEXTZ(row->agent ? row->agent : "generate"),
                 SQL_LIST(str_of(row->groups ? row->groups : "[\"g\"]"))));
}

/* A final score of a sample "u-<eval>-<id>-<epoch>", which is made unless it is there. */
static void add_score(const char *eval, const char *id, int epoch, const char *scorer,
                      const char *value)
{
    const char *uuid = arena_printf(arena, "u-%s-%s-%d", eval, id, epoch);
    run("INSERT INTO sample (pk, created_at, updated_at, first_imported_at, last_imported_at, "
        "eval_pk, id, uuid, epoch, input, search_text) VALUES ($1, $2, $2, $2, $2, $3, $4, $5, $6, "
        "'\"in\"', '') ON CONFLICT DO NOTHING",
        SQL_ARGS(key(uuid), SQL_INSTANT(0), key(eval), SQL_TEXTZ(id), SQL_TEXTZ(uuid),
                 SQL_INT(epoch)));
    run("INSERT INTO score (pk, created_at, updated_at, sample_pk, value, scorer) VALUES ($1, $2, "
        "$2, $3, $4, $5)",
        SQL_ARGS(key(arena_printf(arena, "%s %s", uuid, scorer)), SQL_INSTANT(0), key(uuid),
                 SQL_TEXTZ(value), SQL_TEXTZ(scorer)));
}

static int open_warehouse(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    (void)snprintf(folder, sizeof(folder), "/tmp/hawk-compare-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    auto_free char *url = database_url(folder);
    text = BUF_INIT(1 << 20);
    arena = arena_new();
    if (sql_open(url, 2, &sql, &err) < 0 || warehouse_migrate(sql, &err) < 0) {
        print_error("%s\n", error_text(&err));
        return -1;
    }
    return 0;
}

static int close_warehouse(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    sql_close(TAKE(sql));
    buf_release(&text);
    arena_free(TAKE(arena));
    return fs_remove_tree(folder, &err);
}

static Json *compare_as(const QueriesAccess *access, const CompareQuery *query)
{
    auto_error Error err = ERROR_INIT;
    JsonOut out;
    Json *document = NULL;
    buf_reset(&text);
    json_out_init(&out, &text, 0);
    if (compare_write(sql, access, query, &out, &err) < 0)
        fail_msg("%s", error_text(&err));
    if (json_parse(arena, arena_str(arena, buf_str(&text)), &json_limits_config, &document, &err) <
        0)
        fail_msg("%s: %s", error_text(&err), text.data);
    return document;
}

static ErrorKind refusal(const QueriesAccess *access, const CompareQuery *query)
{
    auto_error Error err = ERROR_INIT;
    JsonOut out;
    buf_reset(&text);
    json_out_init(&out, &text, 0);
    assert_int_equal(compare_write(sql, access, query, &out, &err), -1);
    return err.kind;
}

static const Json *only_comparison(const Json *document)
{
    const Json *list = json_get(document, "comparisons");
    if (list->n != 1)
        fail_msg("there are %zu comparisons: %s", list->n, text.data);
    return list->first;
}

static double number(const Json *one, const char *name)
{
    double value = (double)NAN;
    (void)json_number(json_get(one, name), &value);
    return value;
}

/* "id/epoch" of the flips of a direction. */
static const char *flips(const Json *one, const char *direction)
{
    auto_buf Buf names = BUF_INIT(4096);
    for (const Json *flip = json_get(one, direction)->first; flip; flip = flip->next)
        buf_printf(&names, "%s%.*s/%lld", names.len ? " " : "",
                   STR_ARG(json_text(flip, "id", STR("?"))),
                   (long long)json_int(flip, "epoch", -1));
    return arena_strndup(arena, names.data, names.len);
}

static void two_evals(void)
{
    add_eval(&(EvalRow){.id = "a", .set = "A", .task = "arith", .model = "old"});
    add_eval(&(EvalRow){.id = "b", .set = "B", .task = "arith", .model = "new"});
}

static const CompareQuery a_and_b = {.a = {"A", 1}, .b = {"B", 1}, .flips_max = 10};

static void samples_are_paired_by_id_and_epoch(void **state)
{
    (void)state;
    two_evals();
    add_score("a", "1", 1, "match", "\"C\"");
    add_score("a", "1", 2, "match", "\"I\"");
    add_score("a", "2", 1, "match", "\"I\"");
    add_score("a", "only-a", 1, "match", "\"C\"");
    add_score("b", "1", 1, "match", "\"C\"");
    add_score("b", "1", 2, "match", "\"C\"");
    add_score("b", "2", 1, "match", "\"P\"");
    add_score("b", "2", 2, "match", "\"C\"");
    const Json *one = only_comparison(compare_as(&all, &a_and_b));
    assert_int_equal(json_int(one, "n_pairs", -1), 3);
    assert_int_equal(json_int(one, "n_samples", -1), 2);
    assert_int_equal(json_int(one, "n_unpaired_a", -1), 1);
    assert_int_equal(json_int(one, "n_unpaired_b", -1), 1);
    assert_true(number(one, "mean_a") == 0.25);
    assert_true(number(one, "mean_b") == 0.75);
    assert_true(number(one, "difference") == 0.5);
    assert_string_equal(flips(one, "up"), "1/2 2/1");
    assert_string_equal(flips(one, "down"), "");
}

static void flips_have_values_uuids_and_links(void **state)
{
    (void)state;
    two_evals();
    add_score("a", "x y", 1, "match", "\"C\"");
    add_score("b", "x y", 1, "match", "\"I\"");
    CompareQuery query = a_and_b;
    query.link = STR("http://h/permalink/sample/");
    const Json *flip = json_get(only_comparison(compare_as(&all, &query)), "down")->first;
    assert_true(str_eqz(json_text(flip, "value_a", STR_NONE), "C"));
    assert_true(str_eqz(json_text(flip, "value_b", STR_NONE), "I"));
    assert_true(str_eqz(json_text(flip, "uuid_a", STR_NONE), "u-a-x y-1"));
    assert_true(
        str_eqz(json_text(flip, "link_b", STR_NONE), "http://h/permalink/sample/u-b-x%20y-1"));
}

static void flips_are_counted_beyond_those_listed(void **state)
{
    (void)state;
    two_evals();
    for (int i = 0; i < 5; i++) {
        auto_free char *id = mem_printf("s%d", i);
        add_score("a", id, 1, "match", "0");
        add_score("b", id, 1, "match", "1");
    }
    CompareQuery query = a_and_b;
    query.flips_max = 2;
    const Json *one = only_comparison(compare_as(&all, &query));
    assert_int_equal(json_int(one, "n_up", -1), 5);
    assert_string_equal(flips(one, "up"), "s0/1 s1/1");
}

static void an_object_is_compared_key_by_key(void **state)
{
    (void)state;
    two_evals();
    add_score("a", "1", 1, "parts", "{\"fast\": 1, \"good\": 0.25, \"gone\": 3}");
    add_score("b", "1", 1, "parts", "{\"fast\": 0, \"good\": 0.75, \"new\": 1}");
    const Json *document = compare_as(&all, &a_and_b);
    const Json *list = json_get(document, "comparisons");
    assert_int_equal(list->n, 4);
    static const char *const keys[] = {"fast", "gone", "good", "new"};
    static const int64_t n_pairs[] = {1, 0, 1, 0};
    size_t i = 0;
    for (const Json *one = list->first; one; one = one->next, i++) {
        assert_true(str_eqz(json_text(one, "key", STR_NONE), keys[i]));
        assert_int_equal(json_int(one, "n_pairs", -1), n_pairs[i]);
    }
}

static void one_key_can_be_asked_for(void **state)
{
    (void)state;
    two_evals();
    add_score("a", "1", 1, "parts", "{\"fast\": 1, \"good\": 0.25}");
    add_score("b", "1", 1, "parts", "{\"fast\": 0, \"good\": 0.75}");
    add_score("a", "1", 1, "match", "1");
    CompareQuery query = a_and_b;
    query.scorer = STR("parts.good");
    const Json *one = only_comparison(compare_as(&all, &query));
    assert_true(number(one, "difference") == 0.5);
}

static void values_that_are_no_numbers_are_counted_and_left_out(void **state)
{
    (void)state;
    two_evals();
    add_score("a", "1", 1, "match", "\"C\"");
    add_score("b", "1", 1, "match", "null");
    add_score("a", "2", 1, "match", "\"C\"");
    add_score("b", "2", 1, "match", "[1, 2]");
    add_score("a", "3", 1, "match", "\"C\"");
    add_score("b", "3", 1, "match", "\"C\"");
    const Json *one = only_comparison(compare_as(&all, &a_and_b));
    assert_int_equal(json_int(one, "n_pairs", -1), 1);
    assert_int_equal(json_int(one, "n_not_numbers", -1), 2);
}

static void of_several_tries_the_latest_with_a_score_counts(void **state)
{
    (void)state;
    two_evals();
    add_eval(&(EvalRow){.id = "a2", .set = "A", .task = "arith", .model = "old", .created_s = 5});
    add_eval(&(EvalRow){.id = "a3", .set = "A", .task = "arith", .model = "old", .created_s = 9});
    add_score("a", "1", 1, "match", "0");
    add_score("a2", "1", 1, "match", "1");
    add_score("a3", "2", 1, "match", "1");
    add_score("b", "1", 1, "match", "1");
    add_score("b", "2", 1, "match", "1");
    const Json *one = only_comparison(compare_as(&all, &a_and_b));
    assert_int_equal(json_int(one, "n_pairs", -1), 2);
    assert_true(number(one, "mean_a") == 1);
}

static void intermediate_and_invalidated_scores_do_not_count(void **state)
{
    (void)state;
    two_evals();
    add_score("a", "1", 1, "match", "0");
    add_score("b", "1", 1, "match", "1");
    add_score("a", "2", 1, "match", "0");
    add_score("b", "2", 1, "match", "1");
    add_score("a", "3", 1, "match", "0");
    add_score("b", "3", 1, "match", "0");
    run("UPDATE score SET is_intermediate = $1 WHERE sample_pk = $2",
        SQL_ARGS(SQL_BOOL(true), key("u-a-1-1")));
    run("UPDATE sample SET invalidation_author = 'ann' WHERE uuid = 'u-b-2-1'", SQL_NO_ARGS);
    const Json *one = only_comparison(compare_as(&all, &a_and_b));
    assert_int_equal(json_int(one, "n_pairs", -1), 1);
    assert_true(number(one, "difference") == 0);
}

static void what_varies_within_a_side_must_agree(void **state)
{
    (void)state;
    add_eval(&(EvalRow){.id = "a1", .set = "A", .task = "t", .model = "old", .agent = "plain"});
    add_eval(&(EvalRow){.id = "a2", .set = "A", .task = "t", .model = "old", .agent = "react"});
    add_eval(&(EvalRow){.id = "b1", .set = "B", .task = "t", .model = "new", .agent = "react"});
    add_eval(&(EvalRow){.id = "b2", .set = "B", .task = "t", .model = "new", .agent = "plain"});
    add_eval(&(EvalRow){.id = "b3", .set = "B", .task = "t", .model = "new", .agent = "tree"});
    add_score("a1", "1", 1, "match", "0.1");
    add_score("a2", "1", 1, "match", "0.2");
    add_score("b1", "1", 1, "match", "0.9");
    add_score("b2", "1", 1, "match", "0.8");
    const Json *document = compare_as(&all, &a_and_b);
    const Json *plain = json_get(document, "comparisons")->first;
    assert_true(str_eqz(json_text(plain, "agent_a", STR_NONE), "plain"));
    assert_true(str_eqz(json_text(plain, "agent_b", STR_NONE), "plain"));
    assert_true(fabs(number(plain, "difference") - 0.7) < 1e-9);
    assert_true(str_eqz(json_text(plain->next, "agent_b", STR_NONE), "react"));
    assert_int_equal(json_get(document, "only_a")->n, 0);
    assert_true(str_eqz(json_text(json_get(document, "only_b")->first, "agent", STR_NONE), "tree"));
}

static void two_models_of_one_set_are_compared_by_model(void **state)
{
    (void)state;
    add_eval(&(EvalRow){.id = "a1", .set = "A", .task = "t", .model = "zeta"});
    add_eval(&(EvalRow){.id = "a2", .set = "A", .task = "t", .model = "alpha"});
    add_score("a1", "1", 1, "match", "0");
    add_score("a2", "1", 1, "match", "1");
    const CompareQuery query = {.a = STR("A"), .by_model = true};
    const Json *one = only_comparison(compare_as(&all, &query));
    assert_true(str_eqz(json_text(one, "model_a", STR_NONE), "alpha"));
    assert_true(str_eqz(json_text(one, "model_b", STR_NONE), "zeta"));
    assert_true(number(one, "difference") == -1);
}

static void by_model_needs_two_models(void **state)
{
    (void)state;
    two_evals();
    assert_int_equal(refusal(&all, &(CompareQuery){.a = STR("A"), .by_model = true}), ERR_USAGE);
    assert_int_equal(refusal(&all, &(CompareQuery){.a = STR("A")}), ERR_USAGE);
    add_eval(&(EvalRow){.id = "a2", .set = "A", .task = "arith", .model = "new"});
    add_eval(&(EvalRow){.id = "a3", .set = "A", .task = "arith", .model = "newer"});
    assert_int_equal(refusal(&all, &(CompareQuery){.a = STR("A"), .by_model = true}), ERR_USAGE);
    const CompareQuery named = {
        .a = STR("A"), .by_model = true, .model_a = STR("new"), .model_b = STR("newer")};
    (void)compare_as(&all, &named);
}

static void single_evals_can_be_compared(void **state)
{
    (void)state;
    two_evals();
    add_score("a", "1", 1, "match", "0");
    add_score("b", "1", 1, "match", "1");
    const CompareQuery query = {.a = STR("a"), .b = STR("b")};
    assert_int_equal(json_int(only_comparison(compare_as(&all, &query)), "n_pairs", -1), 1);
}

static void a_task_can_be_named_without_its_package(void **state)
{
    (void)state;
    add_eval(&(EvalRow){.id = "a", .set = "A", .task = "pack/arith", .model = "old"});
    add_eval(&(EvalRow){.id = "b", .set = "B", .task = "pack/arith", .model = "new"});
    add_eval(&(EvalRow){.id = "c", .set = "B", .task = "pack/other", .model = "new"});
    add_score("a", "1", 1, "match", "0");
    add_score("b", "1", 1, "match", "1");
    CompareQuery query = a_and_b;
    query.task = STR("arith");
    (void)only_comparison(compare_as(&all, &query));
    query.task = STR("rith");
    assert_int_equal(refusal(&all, &query), ERR_NOT_FOUND);
}

static void evals_of_a_group_one_lacks_are_not_there(void **state)
{
    (void)state;
    two_evals();
    add_eval(&(EvalRow){
        .id = "b2", .set = "B", .task = "hidden", .model = "new", .groups = "[\"g\",\"secret\"]"});
    add_eval(&(EvalRow){.id = "c", .set = "C", .task = "arith", .model = "x", .groups = "[]"});
    add_score("a", "1", 1, "match", "0");
    add_score("b", "1", 1, "match", "1");
    add_score("b2", "1", 1, "match", "1");
    static const char *const groups[] = {"g"};
    const QueriesAccess member = {.groups = groups, .n_groups = 1};
    const Json *document = compare_as(&member, &a_and_b);
    (void)only_comparison(document);
    assert_int_equal(json_get(document, "only_b")->n, 0);
    CompareQuery query = a_and_b;
    query.b = STR("C");
    assert_int_equal(refusal(&member, &query), ERR_NOT_FOUND);
    assert_int_equal(refusal(&(QueriesAccess){0}, &a_and_b), ERR_NOT_FOUND);
}

static const char *words_of(const Json *one)
{
    Str words = json_text(one, "words", STR_NONE);
    return arena_strndup(arena, words.p, words.n);
}

static void a_clear_difference_is_said_to_be_one(void **state)
{
    (void)state;
    two_evals();
    for (int i = 0; i < 20; i++) {
        auto_free char *id = mem_printf("s%02d", i);
        add_score("a", id, 1, "match", i < 8 ? "\"C\"" : "\"I\"");
        add_score("b", id, 1, "match", i < 18 ? "\"C\"" : "\"I\"");
    }
    const Json *one = only_comparison(compare_as(&all, &a_and_b));
    assert_true(str_eqz(json_text(one, "verdict", STR_NONE), "b_better"));
    assert_true(str_eqz(json_text(one, "test", STR_NONE), "mcnemar_exact"));
    assert_true(fabs(number(one, "p_value") - 0.001953125) < 1e-12);
    assert_true(
        str_starts(str_of(words_of(one)), STR("B is better by 50.0 points (95 % interval ")));
}

static void the_worse_side_gets_no_minus_sign(void **state)
{
    (void)state;
    two_evals();
    for (int i = 0; i < 20; i++) {
        auto_free char *id = mem_printf("s%02d", i);
        add_score("a", id, 1, "match", i % 2 ? "7" : "8");
        add_score("b", id, 1, "match", "5");
    }
    const Json *one = only_comparison(compare_as(&all, &a_and_b));
    assert_true(str_starts(str_of(words_of(one)), STR("A is higher by 2.500 (95 % interval 2.")));
    assert_true(str_eqz(json_text(one, "test", STR_NONE), "permutation"));
}

static void a_difference_by_chance_cannot_be_told_apart(void **state)
{
    (void)state;
    two_evals();
    for (int i = 0; i < 10; i++) {
        auto_free char *id = mem_printf("s%02d", i);
        add_score("a", id, 1, "match", i == 0 ? "1" : "0");
        add_score("b", id, 1, "match", i > 7 ? "1" : "0");
    }
    const Json *one = only_comparison(compare_as(&all, &a_and_b));
    assert_true(str_starts(str_of(words_of(one)),
                           STR("cannot be told apart: B is 10.0 points above A (95 % interval -")));
}

static void epochs_of_a_sample_are_not_taken_for_samples(void **state)
{
    (void)state;
    two_evals();
    for (int i = 0; i < 3; i++) {
        auto_free char *id = mem_printf("s%02d", i);
        for (int epoch = 1; epoch <= 10; epoch++) {
            add_score("a", id, epoch, "match", "0");
            add_score("b", id, epoch, "match", "1");
        }
    }
    const Json *one = only_comparison(compare_as(&all, &a_and_b));
    assert_int_equal(json_int(one, "n_pairs", -1), 30);
    assert_true(str_eqz(json_text(one, "test", STR_NONE), "permutation_exact"));
    assert_true(number(one, "p_value") == 0.25);
    assert_true(str_eqz(json_text(one, "verdict", STR_NONE), "not_distinguishable"));
}

static void the_same_seed_gives_the_same_document(void **state)
{
    (void)state;
    two_evals();
    for (int i = 0; i < 12; i++) {
        auto_free char *id = mem_printf("s%02d", i);
        add_score("a", id, 1, "match", i % 3 ? "0.5" : "0.1");
        add_score("b", id, 1, "match", i % 4 ? "0.6" : "0.2");
    }
    CompareQuery query = a_and_b;
    (void)compare_as(&all, &query);
    auto_free char *first = mem_strndup(text.data, text.len);
    (void)compare_as(&all, &query);
    assert_string_equal(text.data, first);
    query.seed = 1;
    (void)compare_as(&all, &query);
    assert_string_not_equal(text.data, first);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_warehouse, close_warehouse)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(samples_are_paired_by_id_and_epoch),
        TEST(flips_have_values_uuids_and_links),
        TEST(flips_are_counted_beyond_those_listed),
        TEST(an_object_is_compared_key_by_key),
        TEST(one_key_can_be_asked_for),
        TEST(values_that_are_no_numbers_are_counted_and_left_out),
        TEST(of_several_tries_the_latest_with_a_score_counts),
        TEST(intermediate_and_invalidated_scores_do_not_count),
        TEST(what_varies_within_a_side_must_agree),
        TEST(two_models_of_one_set_are_compared_by_model),
        TEST(by_model_needs_two_models),
        TEST(single_evals_can_be_compared),
        TEST(a_task_can_be_named_without_its_package),
        TEST(evals_of_a_group_one_lacks_are_not_there),
        TEST(a_clear_difference_is_said_to_be_one),
        TEST(the_worse_side_gets_no_minus_sign),
        TEST(a_difference_by_chance_cannot_be_told_apart),
        TEST(epochs_of_a_sample_are_not_taken_for_samples),
        TEST(the_same_seed_gives_the_same_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
