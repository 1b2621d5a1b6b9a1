/* Exports from both databases: who sees what, every table, page after page. What the columns hold
   is compared with Inspect's own frames in tests/integration/test_export.py. */
#include "cmocka_all.h"

#include <math.h>
#include <unistd.h>

#include "database.h"

#include "base/arena.h"
#include "base/fs.h"
#include "base/mem.h"
#include "warehouse/export/export.h"
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

/* A UUID that belongs to a text. */
static SqlValue key(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *p = name; *p; p++)
        hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    return SQL_TEXTZ(arena_printf(arena, "%08x-0000-7000-8000-0000%08x", (unsigned)(hash >> 32),
                                  (unsigned)hash));
}

static void add_eval(const char *id, const char *set, const char *groups, const char *header)
{
    run("INSERT INTO eval (pk, created_at, updated_at, first_imported_at, last_imported_at, "
        "eval_set_id, id, task_id, task_name, total_samples, completed_samples, location, log_key, "
        "file_size_bytes, file_hash, file_last_modified, status, import_status, model, "
        "model_groups, header) VALUES ($1, $2, $2, $2, $2, $3, $4, 't', 'task', 3, 2, '/l', 'k', "
        "1, "
        "'h', $2, 'success', 'success', 'm', $5, $6)",
        SQL_ARGS(key(id), SQL_INSTANT(1000000), SQL_TEXTZ(set), SQL_TEXTZ(id),
                 SQL_LIST(str_of(groups)), SQL_TEXTZ(header)));
}

static void add_sample(const char *eval, const char *id, const char *meta)
{
    const char *uuid = arena_printf(arena, "u-%s", id);
    run("INSERT INTO sample (pk, created_at, updated_at, first_imported_at, last_imported_at, "
        "eval_pk, id, uuid, epoch, input, search_text, meta) VALUES ($1, $2, $2, $2, $2, $3, $4, "
        "$5, 1, '\"in\"', '', $6)",
        SQL_ARGS(key(uuid), SQL_INSTANT(0), key(eval), SQL_TEXTZ(id), SQL_TEXTZ(uuid),
                 SQL_TEXTZ(meta)));
}

static void add_score(const char *id, const char *scorer, const char *value, const char *nonfinite)
{
    run("INSERT INTO score (pk, created_at, updated_at, sample_pk, value, scorer, value_nonfinite) "
        "VALUES ($1, $2, $2, $3, $4, $5, $6)",
        SQL_ARGS(key(arena_printf(arena, "%s %s", id, scorer)), SQL_INSTANT(0),
                 key(arena_printf(arena, "u-%s", id)), SQL_TEXTZ(value), SQL_TEXTZ(scorer),
                 SQL_TEXTZ(nonfinite)));
}

static int open_warehouse(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    (void)snprintf(folder, sizeof(folder), "/tmp/hawk-export-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    auto_free char *url = database_url(folder);
    text = BUF_INIT(64 << 20);
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

/* The whole of a table as NDJSON. */
static const char *export_as(const QueriesAccess *access, ExportTable table, const char *id)
{
    auto_error Error err = ERROR_INIT;
    auto_export Export *export = NULL;
    const Str ids[] = {str_of(id)};
    const ExportQuery query = {
        .table = table, .ids = ids, .n_ids = id ? 1 : 0, .format = FRAME_NDJSON};
    buf_reset(&text);
    if (export_open(sql, access, &query, &export, &err) < 0)
        fail_msg("%s", error_text(&err));
    int more = 1;
    while (more == 1) {
        auto_buf Buf piece = BUF_INIT(16 << 20);
        more = export_step(export, &piece, &err);
        buf_add_str(&text, buf_str(&piece));
    }
    if (more < 0)
        fail_msg("%s", error_text(&err));
    return text.data;
}

static void assert_has(const char *given, const char *wanted)
{
    if (!strstr(given, wanted))
        fail_msg("no %s in %s", wanted, given);
}

static void samples_have_metadata_and_scores_as_columns(void **state)
{
    (void)state;
    add_eval("e", "set", "[\"g\"]", NULL);
    add_sample("e", "1", "{\"difficulty\":3,\"tags\":[\"a\",\"b\"]}");
    add_sample("e", "2", "{\"difficulty\":4}");
    add_score("1", "match", "\"C\"", NULL);
    add_score("1", "odd", "null", "nan");
    add_score("2", "match", "\"I\"", NULL);
    const char *rows = export_as(&all, EXPORT_SAMPLES, NULL);
    assert_has(
        rows,
        "\"metadata_difficulty\":3,\"metadata_tags\":\"[\\\"a\\\", \\\"b\\\"]\",\"score_match\":"
        "\"C\",\"score_odd\":null,");
    assert_has(rows, "\"metadata_difficulty\":4,\"metadata_tags\":null,\"score_match\":\"I\",");
    assert_has(rows, "\"input\":\"user:\\nin\\n\"");
}

static void scores_have_a_row_each(void **state)
{
    (void)state;
    add_eval("e", "set", "[\"g\"]", NULL);
    add_sample("e", "1", "{}");
    add_score("1", "grade", "0.5", NULL);
    add_score("1", "match", "\"P\"", NULL);
    add_score("1", "odd", "null", "inf");
    const char *rows = export_as(&all, EXPORT_SCORES, NULL);
    assert_has(rows, "\"scorer\":\"grade\",\"value\":\"0.5\",\"value_number\":0.5,");
    assert_has(rows, "\"scorer\":\"match\",\"value\":\"P\",\"value_number\":0.5,");
    assert_has(rows, "\"scorer\":\"odd\",\"value\":\"inf\",");
}

static void rows_of_samples_that_were_declared_invalid_say_so(void **state)
{
    (void)state;
    add_eval("e", "set", "[\"g\"]", NULL);
    add_sample("e", "1", "{}");
    add_sample("e", "2", "{}");
    add_score("1", "match", "\"C\"", NULL);
    add_score("2", "match", "\"C\"", NULL);
    run("UPDATE sample SET invalidation_author = 'ann' WHERE uuid = 'u-2'", SQL_NO_ARGS);
    static const ExportTable tables[] = {EXPORT_SAMPLES, EXPORT_SCORES};
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        const char *rows = export_as(&all, tables[i], NULL);
        const char *valid = strstr(rows, "\"is_invalid\":false}\n");
        const char *invalid = strstr(rows, "\"is_invalid\":true}\n");
        if (!valid || !invalid || valid > invalid)
            fail_msg("the second row is not the one that is invalid: %s", rows);
    }
}

static void evals_are_made_of_their_headers(void **state)
{
    (void)state;
    add_eval(
        "e", "set", "[\"g\"]",
        "{\"status\":\"success\",\"eval\":{\"eval_id\":\"e\",\"task\":\"p/"
        "t\",\"task_args\":{\"n\":1},"
        "\"created\":\"2026-01-31T10:00:00+00:00\",\"tags\":[\"b\",\"a\"]},\"results\":{\"scores\":"
        "["
        "{\"name\":\"match\",\"scorer\":\"match\",\"metrics\":{\"accuracy\":{\"value\":0.5}}}]}}");
    const char *rows = export_as(&all, EXPORT_EVALS, NULL);
    assert_has(rows, "\"task_name\":\"t\",\"task_display_name\":\"t\",");
    assert_has(rows, "\"task_arg_n\":1,\"solver\":null,");
    assert_has(rows, "\"created\":\"2026-01-31T10:00:00Z\",");
    assert_has(rows, "\"score_headline_metric\":\"accuracy\",\"score_headline_value\":0.5,");
    assert_has(rows, "\"score_match_accuracy\":0.5}");
}

static void sets_name_their_tasks(void **state)
{
    (void)state;
    add_eval("e1", "set-1", "[\"g\"]", NULL);
    add_eval("e2", "set-1", "[\"g\"]", NULL);
    add_eval("e3", "set-2", "[\"g\"]", NULL);
    const char *rows = export_as(&all, EXPORT_EVAL_SETS, NULL);
    assert_has(
        rows,
        "{\"eval_set_id\":\"set-1\",\"created_at\":\"1970-01-01T00:00:01Z\",\"created_by\":null,"
        "\"eval_count\":2,");
    assert_has(rows, "\"task_names\":\"[\\\"task\\\"]\"}\n{\"eval_set_id\":\"set-2\",");
}

static void add_event(const char *id, int order, const char *refs, const char *output)
{
    run("INSERT INTO event (pk, created_at, updated_at, sample_pk, event_order, event_type, "
        "event_uuid, model_input_refs, model_output) VALUES ($1, $2, $2, $3, $4, 'model', $5, $6, "
        "$7)",
        SQL_ARGS(key(arena_printf(arena, "%s ev %d", id, order)), SQL_INSTANT(0),
                 key(arena_printf(arena, "u-%s", id)), SQL_INT(order),
                 SQL_TEXTZ(arena_printf(arena, "ev%d", order)), SQL_TEXTZ(refs),
                 SQL_TEXTZ(output)));
}

static void add_pooled(const char *id, int order, const char *message)
{
    run("INSERT INTO message_pool (pk, created_at, updated_at, sample_pk, pool_order, "
        "content_hash, "
        "data) VALUES ($1, $2, $2, $3, $4, 'h', $5)",
        SQL_ARGS(key(arena_printf(arena, "%s po %d", id, order)), SQL_INSTANT(0),
                 key(arena_printf(arena, "u-%s", id)), SQL_INT(order), SQL_TEXTZ(message)));
}

static void messages_are_those_of_model_calls_each_once(void **state)
{
    (void)state;
    add_eval("e", "set", "[\"g\"]", NULL);
    add_sample("e", "1", "{}");
    add_pooled("1", 0, "{\"id\":\"m0\",\"role\":\"user\",\"content\":\"attachment://abc\"}");
    add_pooled(
        "1", 1,
        "{\"id\":\"m1\",\"role\":\"assistant\",\"content\":\"a1\",\"tool_calls\":[{\"function\":"
        "\"f\",\"arguments\":{\"x\":1}}]}");
    add_pooled("1", 2,
               "{\"id\":\"m2\",\"role\":\"tool\",\"content\":\"t\",\"tool_call_id\":\"c\"}");
    add_event("1", 0, "[[0,1]]",
              "{\"choices\":[{\"message\":{\"id\":\"m1\",\"role\":\"assistant\",\"content\":\"a1\","
              "\"tool_calls\":[{\"function\":\"f\",\"arguments\":{\"x\":1}}]}}]}");
    add_event(
        "1", 1, "[[0,3]]",
        "{\"choices\":[{\"message\":{\"id\":\"m3\",\"role\":\"assistant\",\"content\":\"end\"}}]}");
    add_event("1", 2, "[[0,3]]", "{\"choices\":[]}");
    run("INSERT INTO sample_attachment (pk, created_at, updated_at, sample_pk, attachment_key, "
        "content, byte_len) VALUES ($1, $2, $2, $3, 'abc', 'long \"text\"', 11)",
        SQL_ARGS(key("att"), SQL_INSTANT(0), key("u-1")));
    const char *rows = export_as(&all, EXPORT_MESSAGES, NULL);
    assert_has(rows, "{\"message_id\":\"m0\",");
    assert_has(rows, "\"content\":\"long \\\"text\\\"\",");
    assert_has(rows, "\"tool_calls\":\"f(x=1)\",\"tool_call_id\":null,\"tool_call_function\":null,"
                     "\"tool_call_error\":null,\"order\":2}\n{\"message_id\":\"m2\",");
    assert_has(rows, "{\"message_id\":\"m3\",");
    assert_has(rows, "\"order\":4}\n");
    assert_null(strstr(rows, "\"order\":5"));
}

static void events_are_counted_within_their_sample(void **state)
{
    (void)state;
    add_eval("e", "set", "[\"g\"]", NULL);
    for (int sample = 0; sample < 2; sample++) {
        const char *id = sample ? "2" : "1";
        add_sample("e", id, "{}");
        for (int i = 0; i < 3; i++)
            add_event(id, i, NULL, NULL);
    }
    assert_string_equal(
        export_as(&all, EXPORT_EVENTS, NULL),
        "{\"event_id\":\"ev0\",\"sample_id\":\"u-1\",\"eval_id\":\"e\",\"log\":\"/l\","
        "\"event\":\"model\",\"span_id\":null,\"order\":1}\n"
        "{\"event_id\":\"ev1\",\"sample_id\":\"u-1\",\"eval_id\":\"e\",\"log\":\"/l\","
        "\"event\":\"model\",\"span_id\":null,\"order\":2}\n"
        "{\"event_id\":\"ev2\",\"sample_id\":\"u-1\",\"eval_id\":\"e\",\"log\":\"/l\","
        "\"event\":\"model\",\"span_id\":null,\"order\":3}\n"
        "{\"event_id\":\"ev0\",\"sample_id\":\"u-2\",\"eval_id\":\"e\",\"log\":\"/l\","
        "\"event\":\"model\",\"span_id\":null,\"order\":1}\n"
        "{\"event_id\":\"ev1\",\"sample_id\":\"u-2\",\"eval_id\":\"e\",\"log\":\"/l\","
        "\"event\":\"model\",\"span_id\":null,\"order\":2}\n"
        "{\"event_id\":\"ev2\",\"sample_id\":\"u-2\",\"eval_id\":\"e\",\"log\":\"/l\","
        "\"event\":\"model\",\"span_id\":null,\"order\":3}\n");
}

static size_t n_lines(const char *rows)
{
    size_t n = 0;
    for (; *rows; rows++)
        n += *rows == '\n';
    return n;
}

static void every_sample_comes_once_however_many_queries_it_takes(void **state)
{
    (void)state;
    for (int eval = 0; eval < 3; eval++) {
        const char *id = arena_printf(arena, "e%d", eval);
        add_eval(id, "set", "[\"g\"]", NULL);
        for (int i = 0; i < 130; i++)
            add_sample(id, arena_printf(arena, "%s-%03d", id, i), "{}");
    }
    const char *rows = export_as(&all, EXPORT_SAMPLES, NULL);
    assert_int_equal(n_lines(rows), 390);
    for (int eval = 0; eval < 3; eval++)
        for (int i = 0; i < 130; i++)
            assert_has(rows, arena_printf(arena, "\"sample_id\":\"u-e%d-%03d\"", eval, i));
}

static void what_one_may_not_see_is_not_exported(void **state)
{
    (void)state;
    static const char *const groups[] = {"g"};
    const QueriesAccess member = {.groups = groups, .n_groups = 1};
    add_eval("open", "set-1", "[\"g\"]", NULL);
    add_eval("closed", "set-2", "[\"g\",\"secret\"]", NULL);
    add_eval("nobodys", "set-3", "[]", NULL);
    add_sample("open", "1", "{}");
    add_sample("closed", "2", "{\"secret\":1}");
    add_score("2", "match", "\"C\"", NULL);
    for (ExportTable table = 0; table < N_EXPORT_TABLES; table++) {
        const char *rows = export_as(&member, table, NULL);
        assert_null(strstr(rows, "secret"));
        assert_null(strstr(rows, "set-2"));
        assert_null(strstr(rows, "set-3"));
        assert_null(strstr(rows, "u-2"));
    }
    auto_error Error err = ERROR_INIT;
    Export *export = NULL;
    const Str ids[] = {STR("set-2")};
    const ExportQuery query = {.table = EXPORT_EVALS, .ids = ids, .n_ids = 1};
    assert_int_equal(export_open(sql, &member, &query, &export, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void only_the_sets_and_evals_asked_for_are_exported(void **state)
{
    (void)state;
    add_eval("e1", "set-1", "[\"g\"]", NULL);
    add_eval("e2", "set-2", "[\"g\"]", NULL);
    add_sample("e1", "1", "{}");
    add_sample("e2", "2", "{}");
    assert_int_equal(n_lines(export_as(&all, EXPORT_SAMPLES, "set-1")), 1);
    assert_has(export_as(&all, EXPORT_SAMPLES, "e2"), "\"sample_id\":\"u-2\"");
    assert_int_equal(n_lines(export_as(&all, EXPORT_EVAL_SETS, "set-2")), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_warehouse, close_warehouse)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(samples_have_metadata_and_scores_as_columns),
        TEST(scores_have_a_row_each),
        TEST(rows_of_samples_that_were_declared_invalid_say_so),
        TEST(evals_are_made_of_their_headers),
        TEST(sets_name_their_tasks),
        TEST(messages_are_those_of_model_calls_each_once),
        TEST(events_are_counted_within_their_sample),
        TEST(every_sample_comes_once_however_many_queries_it_takes),
        TEST(what_one_may_not_see_is_not_exported),
        TEST(only_the_sets_and_evals_asked_for_are_exported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
