/* Option tables: parsing, refusals, texts. */
#include "cmocka_all.h"

#include <string.h>

#include "base/opt.h"

typedef struct Record {
    bool follow;
    bool help;
    const char *search;
    const char *priority;
    int64_t limit;
    double poll;
    OptList secrets;
    const char *config;
    OptList rest;
} Record;

/* clang-format off */
static const OptRow rows[] = {
    {"follow", 'f', OPT_FLAG, offsetof(Record, follow), "Follow it"},
    {"search", 's', OPT_TEXT, offsetof(Record, search), "Search for"},
    {"priority", 0, OPT_CHOICE, offsetof(Record, priority), "How urgent", .choices = "low|high", .fallback = "low"},
    {"limit", 'n', OPT_INT, offsetof(Record, limit), "How many", .fallback = "10", .min = 1, .max = 500},
    {"poll", 0, OPT_REAL, offsetof(Record, poll), "Seconds", .min = 0.5},
    {"secret", 0, OPT_LIST, offsetof(Record, secrets), "A secret", .metavar = "NAME"},
    {"inner", 0, OPT_FLAG, offsetof(Record, follow), "Not shown", .is_hidden = true},
};
static const OptRow global_rows[] = {
    {"help", 'h', OPT_STOP, offsetof(Record, help), "Show help"},
};
static const OptArg args[] = {
    {"CONFIG", OPT_FILE, offsetof(Record, config), "The file"},
    {"REST", OPT_LIST, offsetof(Record, rest), "More", .is_optional = true},
};
/* clang-format on */

static const OptSpec spec = {
    .rows = rows, .n_rows = 7, .args = args, .n_args = 2, .size = sizeof(Record)};
static const OptSpec global = {.rows = global_rows, .n_rows = 1, .size = sizeof(Record)};

typedef struct Outcome {
    Arena *arena;
    Record record;
    Record global;
    Error err;
    int failed;
} Outcome;

static void outcome_release(Outcome *outcome)
{
    arena_free(outcome->arena);
    error_release(&outcome->err);
}

#define auto_outcome HAWK_CLEANUP(outcome_release)

/* Parses words separated by spaces; the texts must outlive the outcome. */
static Outcome parse(char *line)
{
    char *argv[32];
    int argc = 0;
    for (char *p = line; *p;) {
        argv[argc++] = p;
        p = strchrnul(p, ' ');
        if (*p)
            *p++ = '\0';
    }
    Outcome outcome = {.arena = arena_new()};
    OptTarget targets[] = {{&spec, &outcome.record}, {&global, &outcome.global}};
    outcome.failed = opt_parse(outcome.arena, targets, 2, argc, argv, &outcome.err);
    return outcome;
}

static void values_may_stand_behind_an_equals_sign_a_letter_or_a_space(void **state)
{
    (void)state;
    char line[] = "c.yaml --search=a=b -n5 --poll 1.5 -fs x --secret A --secret=B";
    auto_outcome Outcome outcome = parse(line);
    assert_int_equal(outcome.failed, 0);
    assert_string_equal(outcome.record.config, "c.yaml");
    assert_string_equal(outcome.record.search, "x");
    assert_int_equal(outcome.record.limit, 5);
    assert_true(outcome.record.poll > 1.4 && outcome.record.poll < 1.6);
    assert_true(outcome.record.follow);
    assert_int_equal(outcome.record.secrets.n, 2);
    assert_string_equal(outcome.record.secrets.items[1], "B");
}

static void defaults_count_when_nothing_is_given(void **state)
{
    (void)state;
    char line[] = "c.yaml";
    auto_outcome Outcome outcome = parse(line);
    assert_int_equal(outcome.record.limit, 10);
    assert_string_equal(outcome.record.priority, "low");
    assert_null(outcome.record.search);
}

static void two_dashes_end_the_options_and_one_is_an_argument(void **state)
{
    (void)state;
    char line[] = "- -- --follow -x";
    auto_outcome Outcome outcome = parse(line);
    assert_int_equal(outcome.failed, 0);
    assert_string_equal(outcome.record.config, "-");
    assert_false(outcome.record.follow);
    assert_int_equal(outcome.record.rest.n, 2);
    assert_string_equal(outcome.record.rest.items[0], "--follow");
}

static void help_is_seen_although_an_argument_is_missing(void **state)
{
    (void)state;
    char line[] = "-fh --nonsense";
    auto_outcome Outcome outcome = parse(line);
    assert_int_equal(outcome.failed, 0);
    assert_true(outcome.global.help);
    assert_true(outcome.record.follow);
}

static void what_is_wrong_is_refused_as_usage(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *says;
    } cases[] = {
        {"", "missing argument CONFIG"},
        {"c --serch x", "no such option: --serch"},
        {"c -z", "no such option: -z"},
        {"c --follow=yes", "--follow takes no value"},
        {"c --search", "--search needs a value"},
        {"c -n 0", "from 1 to 500"},
        {"c -n 501", "from 1 to 500"},
        {"c -n 1x", "a whole number"},
        {"c --poll 0.1", "at least 0.5"},
        {"c --priority urgent", "one of low|high"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "%s", cases[i].line);
        auto_outcome Outcome outcome = parse(line);
        assert_int_equal(outcome.failed, -1);
        assert_int_equal(outcome.err.kind, ERR_USAGE);
        assert_non_null(strstr(error_text(&outcome.err), cases[i].says));
    }
}

static void a_slip_of_the_finger_is_answered_with_what_was_meant(void **state)
{
    (void)state;
    char line[] = "c --serch x";
    auto_outcome Outcome outcome = parse(line);
    assert_string_equal(outcome.err.fix, "did you mean --search?");
    static const char *const names[] = {"list", "logs", "status"};
    assert_string_equal(opt_closest(STR("lsit"), names, 3), "list");
    assert_null(opt_closest(STR("quux"), names, 3));
}

static void texts_show_every_row_but_the_hidden(void **state)
{
    (void)state;
    auto_buf Buf help = BUF_INIT(65536);
    auto_buf Buf man = BUF_INIT(65536);
    auto_buf Buf markdown = BUF_INIT(65536);
    opt_add_help(&spec, 80, &help);
    opt_add_man(&spec, &man);
    opt_add_markdown(&spec, &markdown);
    assert_non_null(strstr(help.data, "-n, --limit N"));
    assert_non_null(strstr(help.data, "(1 to 500) [default: 10]"));
    assert_non_null(strstr(man.data, "\\-\\-limit"));
    assert_non_null(strstr(markdown.data, "`--priority low\\|high`"));
    assert_null(strstr(help.data, "inner"));
    assert_null(strstr(man.data, "inner"));
    assert_null(strstr(markdown.data, "inner"));
}

static void no_line_of_the_help_is_wider_than_the_terminal(void **state)
{
    (void)state;
    static const OptRow wide[] = {
        {"a-name", 0, OPT_TEXT, 0,
         "a long text that goes on and on until it does not fit into one line of sixty columns"}};
    OptSpec one = {.rows = wide, .n_rows = 1, .size = sizeof(char *)};
    auto_buf Buf help = BUF_INIT(65536);
    opt_add_help(&one, 60, &help);
    Str rest = buf_str(&help);
    Str line = STR_NONE;
    while (str_split(&rest, '\n', &line))
        assert_true(line.n <= 60);
}

static void usage_names_arguments_and_what_may_be_left_out(void **state)
{
    (void)state;
    auto_buf Buf usage = BUF_INIT(1024);
    opt_add_usage(&spec, &usage);
    assert_string_equal(usage.data, "[OPTIONS] CONFIG [REST...]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_may_stand_behind_an_equals_sign_a_letter_or_a_space),
        cmocka_unit_test(defaults_count_when_nothing_is_given),
        cmocka_unit_test(two_dashes_end_the_options_and_one_is_an_argument),
        cmocka_unit_test(help_is_seen_although_an_argument_is_missing),
        cmocka_unit_test(what_is_wrong_is_refused_as_usage),
        cmocka_unit_test(a_slip_of_the_finger_is_answered_with_what_was_meant),
        cmocka_unit_test(texts_show_every_row_but_the_hidden),
        cmocka_unit_test(no_line_of_the_help_is_wider_than_the_terminal),
        cmocka_unit_test(usage_names_arguments_and_what_may_be_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
