/* The watcher: every way in which a log can come, change or go reaches the hook. */
#include "cmocka_all.h"

#include <pthread.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "events/watcher.h"

enum { PATIENCE_MS = 20 * 1000 };

static char folder[64];
static Store *store;

/* What the hook was asked for, as "<key> <size>" lines; "gone" for a log that is not there. */
typedef struct Seen {
    pthread_mutex_t lock;
    Buf text;
    Buf changed;
    int n_imports;
    int n_forgets;
    ErrorKind failure; /* what every import fails with, for the first n_failures */
    int n_failures;
} Seen;

static Seen seen;

static int import(void *context, const char *key, WatcherOutcome *ret, Error *err)
{
    (void)context;
    auto_error Error problem = ERROR_INIT;
    StoreStat stat;
    bool is_there = store_stat(store, key, &stat, &problem) == 0;
    pthread_mutex_lock(&seen.lock);
    seen.n_imports++;
    bool fails = seen.n_imports <= seen.n_failures;
    if (is_there)
        buf_printf(&seen.text, "%s %llu\n", key, (unsigned long long)stat.size);
    else
        buf_printf(&seen.text, "%s gone\n", key);
    pthread_mutex_unlock(&seen.lock);
    *ret = WATCHER_DONE;
    return fails ? error_set(err, seen.failure, "as told") : 0;
}

static int forget(void *context, Error *err)
{
    (void)context;
    (void)err;
    pthread_mutex_lock(&seen.lock);
    seen.n_forgets++;
    pthread_mutex_unlock(&seen.lock);
    return 0;
}

static void changed(void *context, const char *eval_set_id, const char *key)
{
    (void)context;
    pthread_mutex_lock(&seen.lock);
    buf_printf(&seen.changed, "%s %s\n", eval_set_id, key ? key : "-");
    pthread_mutex_unlock(&seen.lock);
}

static bool was_seen(const char *line)
{
    pthread_mutex_lock(&seen.lock);
    bool result = strstr(seen.text.data, line) != NULL;
    pthread_mutex_unlock(&seen.lock);
    return result;
}

static bool was_announced(const char *line)
{
    pthread_mutex_lock(&seen.lock);
    bool result = strstr(seen.changed.data, line) != NULL;
    pthread_mutex_unlock(&seen.lock);
    return result;
}

static int make_store(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    log_setup(LOG_ERROR, false);
    (void)snprintf(folder, sizeof(folder), "/tmp/hawk-watch-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    seen = (Seen){.text = BUF_INIT(1 << 20), .changed = BUF_INIT(1 << 20)};
    pthread_mutex_init(&seen.lock, NULL);
    auto_free char *url = mem_printf("file:%s", folder);
    return store_open(url, &store, &err);
}

static int drop_store(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    store_close(TAKE(store));
    buf_release(&seen.text);
    buf_release(&seen.changed);
    pthread_mutex_destroy(&seen.lock);
    return fs_remove_tree(folder, &err);
}

static Watcher *start(void)
{
    auto_error Error err = ERROR_INIT;
    const WatcherHooks hooks = {.import = import, .forget = forget, .changed = changed};
    Watcher *watcher = NULL;
    if (watcher_start(store, &hooks, &watcher, &err) < 0)
        fail_msg("%s", error_text(&err));
    return watcher;
}

static void settle(Watcher *watcher)
{
    auto_error Error err = ERROR_INIT;
    if (watcher_settle(watcher, PATIENCE_MS, &err) < 0)
        fail_msg("%s", error_text(&err));
}

static void put(const char *key, Str bytes)
{
    auto_error Error err = ERROR_INIT;
    if (store_put(store, key, bytes, false, &err) < 0)
        fail_msg("%s", error_text(&err));
}

static void logs_that_are_there_at_the_start_are_read(void **state)
{
    (void)state;
    put("evals/a/one.eval", STR("1"));
    put("evals/a/x.fast.eval", STR("1"));
    put("evals/a/.hidden.eval", STR("1"));
    put("evals/a/logs.json", STR("{}"));
    put("evals/a/artifacts/deep.eval", STR("1"));
    put("scans/b/two.eval", STR("1"));
    auto_watcher Watcher *watcher = start();
    settle(watcher);
    pthread_mutex_lock(&seen.lock);
    assert_string_equal(seen.text.data, "evals/a/one.eval 1\n");
    assert_string_equal(seen.changed.data, "a evals/a/one.eval\n");
    assert_int_equal(seen.n_forgets, 1);
    pthread_mutex_unlock(&seen.lock);
}

static void a_log_in_a_new_set_is_read(void **state)
{
    (void)state;
    auto_watcher Watcher *watcher = start();
    settle(watcher);
    put("evals/new/one.eval", STR("12"));
    settle(watcher);
    assert_true(was_seen("evals/new/one.eval 2\n"));
    assert_true(was_announced("new -\n"));
}

static void a_log_that_changes_is_read_again(void **state)
{
    (void)state;
    put("evals/a/one.eval", STR("1"));
    auto_watcher Watcher *watcher = start();
    settle(watcher);
    put("evals/a/one.eval", STR("123"));
    settle(watcher);
    assert_true(was_seen("evals/a/one.eval 3\n"));
}

static void a_log_that_is_written_in_place_is_read_when_it_is_closed(void **state)
{
    (void)state;
    put("evals/a/other", STR("1"));
    auto_watcher Watcher *watcher = start();
    settle(watcher);
    auto_free char *path = store_local_path(store, "evals/a/grown.eval");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite("12345", 1, 5, file), 5);
    assert_int_equal(fclose(file), 0);
    settle(watcher);
    assert_true(was_seen("evals/a/grown.eval 5\n"));
}

static void a_change_of_the_live_buffer_is_a_change_of_its_log(void **state)
{
    (void)state;
    put("evals/a/one.eval", STR("1"));
    auto_watcher Watcher *watcher = start();
    settle(watcher);
    int before = seen.n_imports;
    put("evals/a/.buffer/one/manifest.json", STR("{}"));
    settle(watcher);
    int between = seen.n_imports;
    assert_true(between > before);
    put("evals/a/.buffer/one/manifest.json", STR("{ }"));
    settle(watcher);
    assert_true(seen.n_imports > between);
}

static void a_log_that_goes_is_reported(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    put("evals/a/one.eval", STR("1"));
    put("evals/a/two.eval", STR("1"));
    auto_watcher Watcher *watcher = start();
    settle(watcher);
    assert_int_equal(store_delete(store, "evals/a/one.eval", &err), 0);
    settle(watcher);
    assert_true(was_seen("evals/a/one.eval gone\n"));
    assert_int_equal(store_delete_prefix(store, "evals/a", &err), 0);
    settle(watcher);
    assert_true(was_seen("evals/a/two.eval gone\n"));
    assert_true(seen.n_forgets > 1);
}

static void a_set_that_was_moved_in_is_read(void **state)
{
    (void)state;
    put("elsewhere/one.eval", STR("1"));
    auto_watcher Watcher *watcher = start();
    settle(watcher);
    auto_free char *from = store_local_path(store, "elsewhere");
    auto_free char *to = store_local_path(store, "evals/moved");
    assert_int_equal(rename(from, to), 0);
    settle(watcher);
    assert_true(was_seen("evals/moved/one.eval 1\n"));
    assert_int_equal(rename(to, from), 0);
    settle(watcher);
    put("elsewhere/two.eval", STR("1")); /* no longer watched under its old name */
    settle(watcher);
    assert_false(was_seen("two.eval"));
}

static void a_failure_that_may_pass_is_tried_again(void **state)
{
    (void)state;
    seen.failure = ERR_BUSY;
    seen.n_failures = 1;
    put("evals/a/one.eval", STR("1"));
    auto_watcher Watcher *watcher = start();
    settle(watcher);
    int64_t tries = 0;
    for (int i = 0; i < 2000 && tries < 2; i++) { /* the second try is a second away */
        (void)usleep(10 * 1000);
        pthread_mutex_lock(&seen.lock);
        tries = seen.n_imports;
        pthread_mutex_unlock(&seen.lock);
    }
    assert_int_equal(tries, 2);
}

static void a_bad_log_is_tried_once_until_it_changes(void **state)
{
    (void)state;
    seen.failure = ERR_BAD_DATA;
    seen.n_failures = 1000;
    put("evals/a/one.eval", STR("1"));
    auto_watcher Watcher *watcher = start();
    settle(watcher);
    settle(watcher);
    assert_int_equal(seen.n_imports, 1);
    assert_true(was_announced("a evals/a/one.eval\n"));
    put("evals/a/one.eval", STR("12"));
    settle(watcher);
    assert_int_equal(seen.n_imports, 2);
}

static void a_rescan_looks_again_at_one_set_or_at_all(void **state)
{
    (void)state;
    put("evals/a/one.eval", STR("1"));
    put("evals/b/two.eval", STR("1"));
    auto_watcher Watcher *watcher = start();
    settle(watcher);
    assert_int_equal(seen.n_imports, 2);
    watcher_rescan(watcher, "b");
    settle(watcher);
    assert_int_equal(seen.n_imports, 3);
    watcher_rescan(watcher, NULL);
    settle(watcher);
    assert_int_equal(seen.n_imports, 5);
}

static void more_logs_than_the_queue_holds_are_all_read_once(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    enum { N = 5000 };
    auto_free char *dir = fs_join(folder, "evals/many");
    assert_int_equal(fs_make_dirs(dir, 0700, &err), 0);
    for (int i = 0; i < N; i++) {
        auto_free char *path = mem_printf("%s/%05d.eval", dir, i);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fclose(file), 0);
    }
    auto_watcher Watcher *watcher = start();
    settle(watcher);
    assert_int_equal(seen.n_imports, N);
    assert_true(was_seen("evals/many/00000.eval 0\n"));
    assert_true(was_seen("evals/many/04999.eval 0\n"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_store, drop_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(logs_that_are_there_at_the_start_are_read),
        T(a_log_in_a_new_set_is_read),
        T(a_log_that_changes_is_read_again),
        T(a_log_that_is_written_in_place_is_read_when_it_is_closed),
        T(a_change_of_the_live_buffer_is_a_change_of_its_log),
        T(a_log_that_goes_is_reported),
        T(a_set_that_was_moved_in_is_read),
        T(a_failure_that_may_pass_is_tried_again),
        T(a_bad_log_is_tried_once_until_it_changes),
        T(a_rescan_looks_again_at_one_set_or_at_all),
        T(more_logs_than_the_queue_holds_are_all_read_once),
    };
    return cmocka_run_group_tests_name("watcher", tests, NULL, NULL);
}
