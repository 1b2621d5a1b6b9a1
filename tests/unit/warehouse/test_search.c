/* Search: what becomes a document, who finds it, words and expressions, snippets, pages, deletion.
 */
#include "cmocka_all.h"

#include <stdlib.h>
#include <unistd.h>

#include "database.h"

#include "base/fs.h"
#include "base/mem.h"
#include "warehouse/search/search.h"
#include "warehouse/search/search_index.h"
#include "warehouse/search/search_words.h"
#include "warehouse/warehouse.h"

static char folder[64];
static Sql *sql;
static Buf text;
static Arena *arena;

static const QueriesAccess all = {.sees_all = true};
static const char *const green[] = {"g"};
static const QueriesAccess in_green = {.groups = green, .n_groups = 1};

static void run(const char *statement, const SqlValue *values, size_t n_values)
{
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    assert_int_equal(sql_begin(sql, SQL_WRITE, &tx, &err), 0);
    if (sql_exec(tx, statement, values, n_values, NULL, &err) < 0)
        fail_msg("%s: %s", statement, error_text(&err));
    assert_int_equal(sql_commit(TAKE(tx), &err), 0);
}

static void add_eval(const char *id, const char *groups)
{
    char pk[DATABASE_UUID_MAX];
    auto_free char *set = mem_printf("set-%s", id);
    run("INSERT INTO eval (pk, created_at, updated_at, first_imported_at, last_imported_at, "
        "eval_set_id, id, task_id, task_name, total_samples, completed_samples, location, log_key, "
        "file_size_bytes, file_hash, file_last_modified, created_by, status, import_status, model, "
        "model_groups, meta) VALUES ($1, $2, $2, $2, $2, $3, $4, 't', 'arithmetic', 1, 1, '/s/a', "
        "$4, 1, 'h', $2, 'ann', 'success', 'success', 'gpt', $5, '{\"purpose\":\"rehearsal\"}')",
        SQL_ARGS(SQL_TEXTZ(database_uuid(id, pk)), SQL_INSTANT(1), SQL_TEXTZ(set), SQL_TEXTZ(id),
                 SQL_LIST(str_of(groups))));
}

static void add_sample(const char *uuid, const char *eval, const char *input)
{
    char pk[DATABASE_UUID_MAX];
    char eval_pk[DATABASE_UUID_MAX];
    run("INSERT INTO sample (pk, created_at, updated_at, first_imported_at, last_imported_at, "
        "eval_pk, id, uuid, epoch, input, search_text, meta) VALUES ($1, $2, $2, $2, $2, $3, $4, "
        "$4, 1, $5, '', '{\"origin\":\"textbook\"}')",
        SQL_ARGS(SQL_TEXTZ(database_uuid(uuid, pk)), SQL_INSTANT(0),
                 SQL_TEXTZ(database_uuid(eval, eval_pk)), SQL_TEXTZ(uuid), SQL_TEXTZ(input)));
}

static void add_message(const char *uuid, int order, const char *data)
{
    char pk[DATABASE_UUID_MAX];
    char sample_pk[DATABASE_UUID_MAX];
    auto_free char *name = mem_printf("%s-%d", uuid, order);
    run("INSERT INTO message (pk, created_at, updated_at, sample_pk, message_order, data) VALUES "
        "($1, $2, $2, $3, $4, $5)",
        SQL_ARGS(SQL_TEXTZ(database_uuid(name, pk)), SQL_INSTANT(0),
                 SQL_TEXTZ(database_uuid(uuid, sample_pk)), SQL_INT(order), SQL_TEXTZ(data)));
}

static void index_all(void)
{
    auto_error Error err = ERROR_INIT;
    size_t n_failed = 0;
    for (size_t n = 1; n > 0;)
        if (search_index_pass(sql, 3, &n, &n_failed, &err) < 0)
            fail_msg("%s", error_text(&err));
    assert_int_equal(n_failed, 0);
}

static int open_warehouse(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    (void)snprintf(folder, sizeof(folder), "/tmp/hawk-search-XXXXXX");
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

/* Asks; the answer is in `text`, and as a tree in the arena. */
static const Json *ask(const QueriesAccess *access, SearchQuestion question)
{
    auto_error Error err = ERROR_INIT;
    JsonOut out;
    question.limit = question.limit ? question.limit : 50;
    question.batch_size = question.batch_size ? question.batch_size : 128;
    buf_reset(&text);
    json_out_init(&out, &text, 0);
    if (search_answer(sql, access, &question, &out, &err) < 0)
        fail_msg("%.*s: %s", STR_ARG(question.q), error_text(&err));
    Json *answer = NULL;
    if (json_parse(arena, arena_str(arena, buf_str(&text)), &json_limits_config, &answer, &err) < 0)
        fail_msg("%s: %s", error_text(&err), text.data);
    return answer;
}

/* "message:u1 score:u2" of the hits. */
static const char *hits(const QueriesAccess *access, SearchQuestion question)
{
    const Json *answer = ask(access, question);
    auto_buf Buf names = BUF_INIT(4096);
    for (const Json *item = json_get(answer, "items")->first; item; item = item->next)
        buf_printf(&names, "%s%.*s:%.*s", names.len ? " " : "",
                   STR_ARG(json_text(item, "entity_type", STR("?"))),
                   STR_ARG(json_text(item, "sample_uuid", STR("-"))));
    return arena_strdup(arena, names.data);
}

static const char *words(const char *q)
{
    return hits(&all, (SearchQuestion){.q = str_of(q), .by_recency = true});
}

static const char *grep(const char *q)
{
    return hits(&all, (SearchQuestion){.q = str_of(q), .is_grep = true});
}

static ErrorKind refusal(SearchQuestion question)
{
    auto_error Error err = ERROR_INIT;
    JsonOut out;
    question.limit = question.limit ? question.limit : 50;
    question.batch_size = question.batch_size ? question.batch_size : 128;
    json_out_init(&out, &text, 0);
    assert_int_equal(search_answer(sql, &all, &question, &out, &err), -1);
    return err.kind;
}

static void one_conversation(void)
{
    add_eval("e1", "[\"g\"]");
    add_sample("u1", "e1", "\"What is seven times six?\"");
    add_message("u1", 0,
                "{\"id\":\"m0\",\"role\":\"user\",\"content\":\"What is seven times six?\"}");
    add_message("u1", 1,
                "{\"id\":\"m1\",\"role\":\"assistant\",\"content\":[{\"type\":\"reasoning\","
                "\"reasoning\":\"multiply the factors\"},{\"type\":\"text\",\"text\":\"It is "
                "forty-two.\"}],\"tool_calls\":[{\"id\":\"c\",\"function\":\"calculator\","
                "\"arguments\":{\"expression\":\"7*6\"}}]}");
}

static void what_a_sample_says_is_found_where_it_stands(void **state)
{
    (void)state;
    one_conversation();
    char pk[DATABASE_UUID_MAX];
    char sample_pk[DATABASE_UUID_MAX];
    run("INSERT INTO score (pk, created_at, updated_at, sample_pk, value, scorer, explanation, "
        "answer) VALUES ($1, $2, $2, $3, '\"C\"', 'match', 'the judge was lenient', 'about 42')",
        SQL_ARGS(SQL_TEXTZ(database_uuid("s", pk)), SQL_INSTANT(0),
                 SQL_TEXTZ(database_uuid("u1", sample_pk))));
    run("INSERT INTO event (pk, created_at, updated_at, sample_pk, event_order, event_type, "
        "event_uuid, info_source, info_data, is_provisional) VALUES ($1, $2, $2, $3, 0, 'info', "
        "'ev1', 'watchdog', '{\"disk\":\"nearly full\"}', $4)",
        SQL_ARGS(SQL_TEXTZ(database_uuid("ev", pk)), SQL_INSTANT(0),
                 SQL_TEXTZ(database_uuid("u1", sample_pk)), SQL_BOOL(false)));
    index_all();
    assert_string_equal(words("seven"), "sample:u1"); /* the message says the same: one document */
    assert_string_equal(words("MULTIPLY factors"), "message:u1");
    assert_string_equal(words("calculator"), "message:u1");
    assert_string_equal(words("lenient"), "score:u1");
    assert_string_equal(words("watchdog full"), "event:u1");
    assert_string_equal(words("textbook"), "sample:u1");
    assert_string_equal(words("rehearsal"), "eval:-");
    (void)words("multiply");
    assert_non_null(strstr(text.data, "\"transcript_anchor\":\"message=m1\""));
    assert_non_null(strstr(text.data, "\"content_kind\":\"transcript\""));
    (void)words("nearly");
    assert_non_null(strstr(text.data, "\"transcript_anchor\":\"event=ev1\""));
}

static void why_a_sample_is_invalid_is_found_by_who_may_see_it(void **state)
{
    (void)state;
    add_eval("e1", "[\"g\"]");
    add_eval("e2", "[\"other\"]");
    add_sample("u1", "e1", "\"x\"");
    add_sample("u2", "e2", "\"x\"");
    index_all();
    assert_string_equal(words("flaky"), "");
    run("UPDATE sample SET invalidation_reason = 'the grader was flaky', invalidation_author = "
        "'ann@example', last_imported_at = $1",
        SQL_ARGS(SQL_INSTANT(1)));
    index_all();
    assert_string_equal(hits(&in_green, (SearchQuestion){.q = STR("flaky grader")}), "sample:u1");
    assert_string_equal(hits(&in_green, (SearchQuestion){.q = STR("ann")}), "sample:u1");
}

static void long_texts_are_looked_up_where_they_are_kept(void **state)
{
    (void)state;
    char pk[DATABASE_UUID_MAX];
    char sample_pk[DATABASE_UUID_MAX];
    add_eval("e1", "[\"g\"]");
    add_sample("u1", "e1", "\"x\"");
    add_message("u1", 0, "{\"id\":\"m0\",\"role\":\"user\",\"content\":\"attachment://abc\"}");
    run("INSERT INTO sample_attachment (pk, created_at, updated_at, sample_pk, attachment_key, "
        "content, byte_len, sanitized) VALUES ($1, $2, $2, $3, 'abc', 'a whole novel', 13, $4)",
        SQL_ARGS(SQL_TEXTZ(database_uuid("at", pk)), SQL_INSTANT(0),
                 SQL_TEXTZ(database_uuid("u1", sample_pk)), SQL_BOOL(false)));
    index_all();
    assert_string_equal(words("novel"), "message:u1");
}

static void terms_are_words_phrases_alternatives_and_what_must_not_be(void **state)
{
    (void)state;
    one_conversation();
    index_all();
    static const struct {
        const char *query;
        bool is_found;
    } rows[] = {
        {"forty two", true},
        {"\"forty two\"", true},
        {"\"two forty\"", false},
        {"forty-two", true},
        {"two-forty", false},
        {"forty -two", false},
        {"forty -three", true},
        {"three OR forty", true},
        {"forty three", false},
        {"multiply three OR two", true},
        {"fort", false},
        {"\"", true},
        {"forty \"", true},
        {"forty AND", false},
        {"forty NEAR two*", false},
        {"x') | ('forty", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(rows[i].query, "\"") == 0) {
            assert_int_equal(refusal((SearchQuestion){.q = STR("\"")}), ERR_USAGE);
            continue;
        }
        bool is_found = strstr(words(rows[i].query), "message:u1") != NULL;
        if (is_found != rows[i].is_found)
            fail_msg("%s: %s", rows[i].query, is_found ? "found" : "not found");
    }
}

static void a_snippet_marks_the_words_and_nothing_else_can(void **state)
{
    (void)state;
    add_eval("e1", "[\"g\"]");
    add_sample("u1", "e1", "\"a \xEE\x80\x80needle\xEE\x80\x81 in Needle\"");
    index_all();
    const Json *answer = ask(&all, (SearchQuestion){.q = STR("needle"), .by_recency = true});
    assert_true(str_eqz(json_text(json_get(answer, "items")->first, "snippet", STR_NONE),
                        "a needle in \xEE\x80\x80Needle\xEE\x80\x81"));
    answer = ask(&all, (SearchQuestion){.q = STR("n\\w+ i"), .is_grep = true});
    assert_non_null(json_get(answer, "items"));
}

static void who_may_not_see_an_eval_finds_nothing_of_it(void **state)
{
    (void)state;
    add_eval("e1", "[\"g\"]");
    add_eval("e2", "[\"g\",\"secret\"]");
    add_sample("u1", "e1", "\"common\"");
    add_sample("u2", "e2", "\"common\"");
    index_all();
    SearchQuestion question = {.q = STR("common"), .by_recency = true};
    assert_string_equal(hits(&all, question), "sample:u2 sample:u1");
    assert_string_equal(hits(&in_green, question), "sample:u1");
    question.is_grep = true;
    assert_string_equal(hits(&in_green, question), "sample:u1");
    /* A sample that moves is hidden at once, before it is indexed again. */
    char pk[DATABASE_UUID_MAX];
    run("UPDATE sample SET eval_pk = $1 WHERE uuid = 'u1'",
        SQL_ARGS(SQL_TEXTZ(database_uuid("e2", pk))));
    assert_string_equal(hits(&in_green, question), "");
    question.is_grep = false;
    assert_string_equal(hits(&in_green, question), "");
}

static void a_scope_narrows_to_a_set_an_eval_or_a_sample(void **state)
{
    (void)state;
    char eval_pk[DATABASE_UUID_MAX];
    char sample_pk[DATABASE_UUID_MAX];
    add_eval("e1", "[\"g\"]");
    add_eval("e2", "[\"g\"]");
    add_sample("u1", "e1", "\"common\"");
    add_sample("u2", "e2", "\"common\"");
    add_sample("u3", "e2", "\"common too\"");
    index_all();
    SearchQuestion question = {.q = STR("common"), .by_recency = true};
    SearchQuestion of_set = question;
    of_set.eval_set_id = STR("set-e1");
    SearchQuestion of_eval = question;
    of_eval.eval_pk = str_of(database_uuid("e2", eval_pk));
    SearchQuestion of_sample = question;
    of_sample.sample_pk = str_of(database_uuid("u2", sample_pk));
    SearchQuestion of_scans = question;
    of_scans.of_scans = true;
    assert_string_equal(hits(&all, of_set), "sample:u1");
    assert_string_equal(hits(&all, of_eval), "sample:u3 sample:u2");
    assert_string_equal(hits(&all, of_sample), "sample:u2");
    assert_string_equal(hits(&all, of_scans), "");
    of_sample.is_grep = true;
    assert_string_equal(hits(&all, of_sample), "sample:u2");
}

static void pages_follow_one_another_in_both_orders(void **state)
{
    (void)state;
    add_eval("e1", "[\"g\"]");
    for (int i = 0; i < 5; i++) {
        auto_free char *uuid = mem_printf("u%d", i);
        auto_free char *input = mem_printf("\"%s no %d\"", i == 2 ? "word word word" : "word", i);
        add_sample(uuid, "e1", input);
    }
    index_all();
    for (int way = 0; way < 3; way++) {
        SearchQuestion question = {.q = STR("word"),
                                   .by_recency = way == 1,
                                   .is_grep = way == 2,
                                   .limit = 2,
                                   .batch_size = 3};
        auto_buf Buf found = BUF_INIT(4096);
        size_t n_pages = 0;
        do {
            const Json *answer = NULL;
            buf_printf(&found, " %s", hits(&all, question));
            answer = ask(&all, question);
            question.cursor = json_text(answer, "next_cursor", STR_NONE);
            n_pages++;
        } while (question.cursor.p && n_pages < 9);
        for (int i = 0; i < 5; i++) {
            auto_free char *name = mem_printf(":u%d", i);
            const char *at = strstr(found.data, name);
            assert_non_null(at);
            assert_null(strstr(at + 1, name));
        }
        if (way == 0)
            assert_memory_equal(found.data, " sample:u2", 10);
    }
}

/* 70 evals of 150 documents, which all have "common"; those of the first 40 have "old" as well, and
   every third eval is green. A document's entity is its number. */
static void many_documents(void)
{
    for (int i = 0; i < 70; i++) {
        auto_free char *id = mem_printf("e%02d", i);
        add_eval(id, i % 3 ? "[\"secret\"]" : "[\"g\"]");
    }
    run("INSERT INTO search_doc (no, eval_pk, entity, content, entity_pk, body, tsv) SELECT d.no, "
        "d.eval_pk, 2, 4, d.no::text, d.body, to_tsvector('simple', d.body) || "
        "search_places(d.no) FROM (SELECT v.no * 4294967296 + k AS no, v.eval_pk, CASE WHEN v.id < "
        "'e40' THEN 'old common' ELSE 'common' END AS body FROM listing_eval v, "
        "generate_series(0, 149) k) d",
        SQL_NO_ARGS);
}

/* How many hits all pages have; each comes after the one before. */
static size_t count_falling(const QueriesAccess *access, SearchQuestion question)
{
    size_t n = 0;
    int64_t last = INT64_MAX;
    do {
        const Json *answer = ask(access, question);
        for (const Json *item = json_get(answer, "items")->first; item; item = item->next) {
            int64_t no = 0;
            Str name = json_text(item, "entity_pk", STR_NONE);
            assert_int_equal(str_to_i64(name, 0, INT64_MAX, &no), 0);
            assert_true(no < last);
            last = no;
            n++;
        }
        question.cursor = json_text(answer, "next_cursor", STR_NONE);
    } while (question.cursor.p);
    return n;
}

static void a_word_of_many_old_documents_is_found_the_newest_first(void **state)
{
    (void)state;
    if (sql_dialect(sql) != SQL_POSTGRES)
        skip();
    many_documents();
    const SearchQuestion old = {.q = STR("old"), .by_recency = true, .limit = 200};
    const SearchQuestion common = {.q = STR("common"), .by_recency = true, .limit = 200};
    assert_int_equal(count_falling(&all, old), 40 * 150);
    assert_int_equal(count_falling(&in_green, old), 14 * 150);
    assert_int_equal(count_falling(&in_green, common), 24 * 150);
}

static void an_expression_finds_what_it_fits(void **state)
{
    (void)state;
    one_conversation();
    index_all();
    assert_string_equal(grep("^It is forty"), "message:u1");
    assert_string_equal(grep("FORTY.two"), "message:u1");
    assert_string_equal(grep("7\\*\\d"), "message:u1");
    assert_string_equal(grep("seven .*six"), "sample:u1");
    assert_string_equal(grep("What is seven times"), "sample:u1");
    assert_string_equal(grep("what is eight times"), "");
    assert_string_equal(
        hits(&all, (SearchQuestion){.q = STR("FORTY"), .is_grep = true, .match_case = true}), "");
}

static void questions_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    char many[1200];
    memset(many, 'x', sizeof(many));
    const SearchQuestion bad[] = {
        {.q = STR("")},
        {.q = STR("-word")},
        {.q = STR("!?")},
        {.q = STR("a b c d e f g h i j k l m n o p q")},
        {.q = {many, sizeof(many)}},
        {.q = {many, sizeof(many)}, .is_grep = true},
        {.q = STR("\xff")},
        {.q = STR("w"), .limit = 201},
        {.q = STR("w"), .batch_size = 1001},
        {.q = STR("w"), .eval_pk = STR("x' OR 1=1")},
        {.q = STR("w"), .sample_pk = STR("1")},
        {.q = STR("w"), .cursor = STR("AAAA")},
        {.q = STR("("), .is_grep = true},
        {.q = STR("a*"), .is_grep = true},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (refusal(bad[i]) != ERR_USAGE)
            fail_msg("question %zu", i);
}

/* By its steps, or by its time on a machine that is slow. */
static void an_expression_that_takes_too_long_is_refused(void **state)
{
    (void)state;
    add_eval("e1", "[\"g\"]");
    add_sample("u1", "e1", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\"");
    index_all();
    ErrorKind kind = refusal((SearchQuestion){.q = STR("(a|aa)+$"), .is_grep = true});
    assert_true(kind == ERR_USAGE || kind == ERR_TIMEOUT);
}

static int64_t count(const char *query)
{
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    assert_int_equal(sql_begin(sql, SQL_READ, &tx, &err), 0);
    if (sql_query(tx, query, SQL_NO_ARGS, &rows, &err) < 0)
        fail_msg("%s", error_text(&err));
    assert_int_equal(sql_rows_next(rows, &err), 1);
    return sql_rows_int(rows, 0);
}

static void what_is_deleted_is_in_no_index_any_more(void **state)
{
    (void)state;
    one_conversation();
    index_all();
    run("DELETE FROM sample WHERE uuid = 'u1'", SQL_NO_ARGS);
    assert_string_equal(words("seven"), "");
    assert_int_equal(count("SELECT count(*) FROM search_doc WHERE sample_pk IS NOT NULL"), 0);
    if (sql_dialect(sql) == SQL_SQLITE)
        assert_int_equal(
            count("SELECT count(*) FROM search_words WHERE search_words MATCH 'seven OR forty'"),
            0);
    run("DELETE FROM eval", SQL_NO_ARGS);
    assert_int_equal(count("SELECT count(*) FROM search_doc"), 0);
}

static void a_sample_that_is_imported_again_is_indexed_again(void **state)
{
    (void)state;
    one_conversation();
    const Json *answer = ask(&all, (SearchQuestion){.q = STR("seven")});
    assert_int_equal(json_int(answer, "not_indexed", -1), 1);
    index_all();
    answer = ask(&all, (SearchQuestion){.q = STR("seven")});
    assert_int_equal(json_int(answer, "not_indexed", -1), 0);
    run("UPDATE sample SET input = '\"eight\"', last_imported_at = $1",
        SQL_ARGS(SQL_INSTANT(5000000)));
    run("DELETE FROM message", SQL_NO_ARGS);
    answer = ask(&all, (SearchQuestion){.q = STR("eight")});
    assert_int_equal(json_int(answer, "not_indexed", -1), 1);
    index_all();
    assert_string_equal(words("seven"), "");
    assert_string_equal(words("eight"), "sample:u1");
}

static void only_whole_words_of_an_expression_are_looked_up(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *words;
    } rows[] = {
        {"error: timeout after \\d+", ""},
        {"error: timeout after [0-9]+", ""},
        {"error: timeout after .", "timeout after"},
        {"a Bc d", "bc"},
        {"a bc* d", ""},
        {"a bc ?d", ""},
        {"x.bc d e", "d"},
        {"a|b c d", ""},
        {"word", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        SearchWords found;
        auto_buf Buf names = BUF_INIT(256);
        search_words_of_pattern(str_of(rows[i].pattern), arena, &found);
        for (size_t j = 0; j < found.n_terms; j++)
            buf_printf(&names, "%s%.*s", j ? " " : "", STR_ARG(found.terms[j].words));
        assert_string_equal(names.data, rows[i].words);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, open_warehouse, close_warehouse)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_a_sample_says_is_found_where_it_stands),
        T(why_a_sample_is_invalid_is_found_by_who_may_see_it),
        T(long_texts_are_looked_up_where_they_are_kept),
        T(terms_are_words_phrases_alternatives_and_what_must_not_be),
        T(a_snippet_marks_the_words_and_nothing_else_can),
        T(who_may_not_see_an_eval_finds_nothing_of_it),
        T(a_scope_narrows_to_a_set_an_eval_or_a_sample),
        T(pages_follow_one_another_in_both_orders),
        T(a_word_of_many_old_documents_is_found_the_newest_first),
        T(an_expression_finds_what_it_fits),
        T(questions_that_make_no_sense_are_refused),
        T(an_expression_that_takes_too_long_is_refused),
        T(what_is_deleted_is_in_no_index_any_more),
        T(a_sample_that_is_imported_again_is_indexed_again),
        T(only_whole_words_of_an_expression_are_looked_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
