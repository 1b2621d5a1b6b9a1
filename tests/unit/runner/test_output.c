/* The log of a runner: whole lines, hidden values, a ceiling. */
#include "cmocka_all.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "codec/json.h"
#include "runner/output.h"

enum { LOG_MAX = 4 << 20, N_HEARD = 8 };

typedef struct Heard {
    size_t n;
    char *events[N_HEARD];
    char *messages[N_HEARD];
} Heard;

typedef struct Room {
    char folder[64];
    Arena *arena;
    Output *output;
    Buf part;
    Heard heard;
} Room;

static void hear(void *context, Str event, Str message)
{
    Heard *heard = context;
    assert_true(heard->n < N_HEARD);
    heard->events[heard->n] = mem_strndup(event.p, event.n);
    heard->messages[heard->n++] = mem_strndup(message.p, message.n);
}

static Room *open_room(size_t file_max, bool to_terminal)
{
    auto_error Error err = ERROR_INIT;
    Room *room = mem_alloc(sizeof(*room));
    room->arena = arena_new();
    room->part = BUF_INIT(OUTPUT_LINE_MAX);
    (void)snprintf(room->folder, sizeof(room->folder), "/tmp/hawk-output-XXXXXX");
    assert_non_null(mkdtemp(room->folder));
    const OutputOptions options = {.folder = room->folder,
                                   .file_max = file_max,
                                   .to_terminal = to_terminal,
                                   .event = hear,
                                   .context = &room->heard};
    assert_int_equal(output_open(&options, &room->output, &err), 0);
    return room;
}

static int set_up(void **state)
{
    *state = open_room(0, false);
    return 0;
}

static int tear_down(void **state)
{
    Room *room = *state;
    auto_error Error err = ERROR_INIT;
    output_close(room->output);
    (void)!fs_remove_tree(room->folder, &err);
    for (size_t i = 0; i < room->heard.n; i++) {
        free(room->heard.events[i]);
        free(room->heard.messages[i]);
    }
    buf_release(&room->part);
    arena_free(room->arena);
    free(room);
    return 0;
}

static void feed(Room *room, const char *text)
{
    output_feed(room->output, "worker", &room->part, str_of(text), false);
}

static Str read_log(Room *room, const char *name)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *path = fs_join(room->folder, name);
    auto_buf Buf text = BUF_INIT(LOG_MAX);
    assert_int_equal(fs_read_file(path, &text, &err), 0);
    return arena_str(room->arena, buf_str(&text));
}

/* The i-th line of the log, read. */
static const Json *line_at(Room *room, size_t i)
{
    auto_error Error err = ERROR_INIT;
    Str rest = read_log(room, "runner.log");
    Str line = STR_NONE;
    Json *node = NULL;
    for (size_t at = 0; at <= i; at++)
        assert_true(str_split(&rest, '\n', &line));
    assert_int_equal(json_parse(room->arena, line, &json_limits_config, &node, &err), 0);
    return node;
}

static size_t count_lines(Room *room)
{
    size_t n = 0;
    Str text = read_log(room, "runner.log");
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '\n';
    return n;
}

static void assert_text(const Json *node, const char *key, const char *expected)
{
    Str text = json_text(node, key, STR_NONE);
    auto_free char *copy = mem_strndup(text.p ? text.p : "", text.n);
    assert_string_equal(copy, expected);
}

static void assert_nowhere(Room *room, const char *value)
{
    assert_int_equal(str_find_str(read_log(room, "runner.log"), str_of(value)), -1);
}

/* --- lines --- */

static void plain_lines_become_entries_however_they_are_cut(void **state)
{
    Room *room = *state;
    feed(room, "one");
    feed(room, " line\r\nand ano");
    feed(room, "ther\n\n");
    feed(room, "the rest");
    output_feed(room->output, "worker", &room->part, STR(""), true);
    assert_int_equal(count_lines(room), 3);
    assert_text(line_at(room, 0), "message", "one line");
    assert_text(line_at(room, 0), "level", "info");
    assert_text(line_at(room, 0), "service", "worker");
    assert_text(line_at(room, 1), "message", "and another");
    assert_text(line_at(room, 2), "message", "the rest");
}

static void a_json_line_keeps_its_level_and_time(void **state)
{
    Room *room = *state;
    feed(room, "{\"timestamp\":\"2026-01-31T10:00:00.250Z\",\"level\":\"warning\","
               "\"message\":\"two\\nlines\"}\n");
    assert_text(line_at(room, 0), "timestamp", "2026-01-31T10:00:00.250Z");
    assert_text(line_at(room, 0), "level", "warning");
    assert_text(line_at(room, 0), "message", "two\nlines");
}

static void json_that_is_no_entry_is_plain_text(void **state)
{
    Room *room = *state;
    static const char *const lines[] = {"{\"answer\": 42}", "{\"message\": 42}",
                                        "{\"message\": \"x\"", "[\"message\"]"};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        feed(room, lines[i]);
        feed(room, "\n");
        assert_text(line_at(room, i), "message", lines[i]);
    }
}

static void a_line_with_an_event_is_told_after_it_was_written(void **state)
{
    Room *room = *state;
    output_hide(room->output, STR("hunter2hunter2"));
    feed(room, "{\"message\":\"running\",\"event\":\"phase\"}\nnot an event\n");
    feed(room, "{\"message\":\"failed with hunter2hunter2\",\"event\":\"outcome\"}\n");
    assert_int_equal(room->heard.n, 2);
    assert_string_equal(room->heard.events[0], "phase");
    assert_string_equal(room->heard.messages[0], "running");
    assert_string_equal(room->heard.events[1], "outcome");
    assert_string_equal(room->heard.messages[1], "failed with [secret]");
    assert_int_equal(count_lines(room), 3);
}

static void control_bytes_and_bad_utf8_stay_inside_their_line(void **state)
{
    Room *room = *state;
    static const char bytes[] = "a\x1b[31mb\0c\xff\x7f\td\n";
    output_feed(room->output, "worker", &room->part, (Str){bytes, sizeof(bytes) - 1}, false);
    assert_int_equal(count_lines(room), 1);
    Str message = json_text(line_at(room, 0), "message", STR_NONE);
    assert_true(str_starts(message, STR("a\x1b[31mb")));
    assert_true(str_is_utf8(message));
    Str raw = read_log(room, "runner.log");
    for (size_t i = 0; i + 1 < raw.n; i++)
        assert_true((unsigned char)raw.p[i] >= 0x20);
}

static void what_goes_to_a_terminal_has_nothing_that_it_would_obey(void **state)
{
    (void)state;
    Room *room = open_room(0, true);
    auto_error Error err = ERROR_INIT;
    auto_free char *path = fs_join(room->folder, "stderr");
    auto_fd int file = fs_open(path, O_RDWR | O_CREAT, 0600, &err);
    auto_fd int before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    assert_true(file >= 0 && before >= 0);
    (void)fflush(stderr);
    assert_true(dup2(file, STDERR_FILENO) >= 0);
    feed(room, "a\x1b]0;title\x07z\n");
    (void)fflush(stderr);
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    Str shown = read_log(room, "stderr");
    assert_int_equal(str_find(shown, '\x1b'), -1);
    assert_int_equal(str_find(shown, '\x07'), -1);
    assert_true(str_find_str(shown, STR("title")) > 0);
    void *held = room;
    (void)tear_down(&held);
}

/* --- secrets --- */

static void a_secret_is_hidden_wherever_the_pieces_are_cut(void **state)
{
    Room *room = *state;
    static const char text[] = "before sk-0123456789 between sk-0123456789 after\n";
    output_hide(room->output, STR("sk-0123456789"));
    for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
        output_feed(room->output, "worker", &room->part, (Str){text, cut}, false);
        output_feed(room->output, "worker", &room->part, (Str){text + cut, sizeof(text) - 1 - cut},
                    false);
        assert_text(line_at(room, cut - 1), "message", "before [secret] between [secret] after");
    }
}

static void a_line_is_not_cut_through_a_secret(void **state)
{
    Room *room = *state;
    static const char secret[] = "sk-0123456789-abcdefghij";
    enum { N = sizeof(secret) - 1 };
    output_hide(room->output, STR(secret));
    output_hide(room->output, STR("a-longer-one-that-moves-the-cut-to-an-earlier-place"));
    for (size_t ahead = OUTPUT_LINE_MAX - 2 * N - 2; ahead <= OUTPUT_LINE_MAX + 2; ahead++) {
        auto_buf Buf line = BUF_INIT(2 * OUTPUT_LINE_MAX);
        for (size_t i = 0; i < ahead; i++)
            buf_addc(&line, '.');
        buf_add_str(&line, STR(secret));
        buf_addz(&line, "the end\n");
        output_feed(room->output, "worker", &room->part, buf_str(&line), false);
    }
    assert_nowhere(room, "sk-");
    assert_nowhere(room, "abcdefghij");
    assert_nowhere(room, "hij");
}

static void each_line_of_a_secret_is_hidden_and_so_is_the_whole(void **state)
{
    Room *room = *state;
    output_hide(room->output, STR("-----BEGIN-----\r\nMIIEvQIBADAN\nshort\nBgkqhkiG9w0B\n"));
    feed(room, "first MIIEvQIBADAN\n");
    feed(room, "then BgkqhkiG9w0B, and a word: short\n");
    feed(room,
         "{\"message\":\"all -----BEGIN-----\\r\\nMIIEvQIBADAN\\nshort\\nBgkqhkiG9w0B\\n\"}\n");
    assert_text(line_at(room, 0), "message", "first [secret]");
    assert_text(line_at(room, 1), "message", "then [secret], and a word: short");
    assert_text(line_at(room, 2), "message", "all [secret]");
}

static void a_secret_is_hidden_as_it_stands_in_json_too(void **state)
{
    Room *room = *state;
    output_hide(room->output, STR("p\"ass\\word"));
    feed(room, "plain p\"ass\\word\n");
    feed(room, "{\"env\": \"p\\\"ass\\\\word\"}\n");
    feed(room, "{\"message\": \"p\\\"ass\\\\word\"}\n");
    assert_text(line_at(room, 0), "message", "plain [secret]");
    assert_text(line_at(room, 1), "message", "{\"env\": \"[secret]\"}");
    assert_text(line_at(room, 2), "message", "[secret]");
}

static void of_two_secrets_at_one_place_the_longer_is_hidden(void **state)
{
    Room *room = *state;
    output_hide(room->output, STR("secret"));
    output_hide(room->output, STR("secret-and-more"));
    feed(room, "a secret-and-more, a secret\n");
    assert_text(line_at(room, 0), "message", "a [secret], a [secret]");
}

static void short_values_are_left_in(void **state)
{
    Room *room = *state;
    output_hide(room->output, STR("true"));
    output_hide(room->output, STR(""));
    feed(room, "this is true\n");
    assert_text(line_at(room, 0), "message", "this is true");
}

static void the_runners_own_lines_and_the_tail_hide_secrets(void **state)
{
    Room *room = *state;
    auto_buf Buf line = BUF_INIT(4096);
    output_hide(room->output, STR("sk-0123456789"));
    output_say(room->output, "warn", "cannot use %s", "sk-0123456789");
    assert_text(line_at(room, 0), "message", "cannot use [secret]");
    assert_text(line_at(room, 0), "service", "runner");
    /* The tail keeps the first 1000 bytes of a line; the value lies across that place. */
    for (int i = 0; i < 995; i++)
        buf_addc(&line, '.');
    buf_addz(&line, "sk-0123456789\n");
    feed(room, line.data);
    assert_int_equal(str_find_str(output_tail(room->output), STR("sk-0")), -1);
    output_forget_tail(room->output);
    assert_int_equal(output_tail(room->output).n, 0);
}

/* --- ceilings --- */

static void a_line_that_is_too_long_is_cut_into_several(void **state)
{
    Room *room = *state;
    auto_buf Buf line = BUF_INIT(4 * OUTPUT_LINE_MAX);
    while (line.len < 2 * OUTPUT_LINE_MAX + 10)
        buf_addz(&line, "\xc3\xa4");
    size_t expected = line.len;
    buf_addc(&line, '\n');
    output_feed(room->output, "worker", &room->part, buf_str(&line), false);
    assert_int_equal(count_lines(room), 3);
    size_t total = 0;
    for (size_t i = 0; i < 3; i++) {
        Str message = json_text(line_at(room, i), "message", STR_NONE);
        assert_true(message.n <= OUTPUT_LINE_MAX);
        assert_int_equal(str_find_str(message, STR("\xef\xbf\xbd")), -1);
        total += message.n;
    }
    assert_int_equal(total, expected);
}

static void the_file_is_rotated_and_one_older_one_is_kept(void **state)
{
    (void)state;
    enum { FILE_MAX_BYTES = 2000 };
    Room *room = open_room(FILE_MAX_BYTES, false);
    auto_free char *oldest = fs_join(room->folder, "runner.log.2");
    for (int i = 0; i < 200; i++)
        output_say(room->output, "info", "line %d", i);
    Str now = read_log(room, "runner.log");
    Str older = read_log(room, "runner.log.1");
    assert_true(now.n <= FILE_MAX_BYTES && older.n <= FILE_MAX_BYTES && older.n > 0);
    assert_true(str_find_str(now, STR("\"line 199\"")) > 0);
    assert_false(fs_exists(oldest));
    /* Nothing is lost between the two. */
    Str first = json_text(line_at(room, 0), "message", STR_NONE);
    int64_t number = 0;
    assert_int_equal(str_to_i64(str_slice(first, 5, first.n), 0, 1000, &number), 0);
    auto_free char *before = mem_printf("\"line %lld\"", (long long)number - 1);
    assert_true(str_find_str(older, str_of(before)) > 0);
    void *held = room;
    (void)tear_down(&held);
}

static void half_of_a_line_that_has_no_room_is_taken_back(void **state)
{
    Room *room = *state;
    struct rlimit before;
    output_say(room->output, "info", "first");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    const struct rlimit little = {read_log(room, "runner.log").n + 10, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    output_say(room->output, "info", "second");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    output_say(room->output, "info", "third");
    assert_int_equal(count_lines(room), 2);
    assert_text(line_at(room, 1), "message", "third");
}

static void a_second_opening_goes_on_with_the_file(void **state)
{
    Room *room = *state;
    auto_error Error err = ERROR_INIT;
    output_say(room->output, "info", "first");
    output_close(room->output);
    room->output = NULL;
    const OutputOptions options = {.folder = room->folder};
    assert_int_equal(output_open(&options, &room->output, &err), 0);
    output_say(room->output, "info", "second");
    assert_int_equal(count_lines(room), 2);
    assert_text(line_at(room, 1), "message", "second");
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(plain_lines_become_entries_however_they_are_cut),
        ROW(a_json_line_keeps_its_level_and_time),
        ROW(json_that_is_no_entry_is_plain_text),
        ROW(a_line_with_an_event_is_told_after_it_was_written),
        ROW(control_bytes_and_bad_utf8_stay_inside_their_line),
        cmocka_unit_test(what_goes_to_a_terminal_has_nothing_that_it_would_obey),
        ROW(a_secret_is_hidden_wherever_the_pieces_are_cut),
        ROW(a_line_is_not_cut_through_a_secret),
        ROW(each_line_of_a_secret_is_hidden_and_so_is_the_whole),
        ROW(a_secret_is_hidden_as_it_stands_in_json_too),
        ROW(of_two_secrets_at_one_place_the_longer_is_hidden),
        ROW(short_values_are_left_in),
        ROW(the_runners_own_lines_and_the_tail_hide_secrets),
        ROW(a_line_that_is_too_long_is_cut_into_several),
        cmocka_unit_test(the_file_is_rotated_and_one_older_one_is_kept),
        ROW(half_of_a_line_that_has_no_room_is_taken_back),
        ROW(a_second_opening_goes_on_with_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
