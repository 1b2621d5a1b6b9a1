/* The watcher: every way in which a log can come, change or go reaches the hook. */
#include "cmocka_all.h"

#include <pthread.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "events/watcher.h"

enum { PATIENCE_MS = 120 * 1000 };

static char folder[64];
static Store *store;

/* What the hooks were asked for: "<key> <size>" lines, "gone" for a log that is not there. */
typedef struct Seen {
    pthread_mutex_t lock;
    Buf text;
    Buf changed;
    int n_looks; /* logs */
    int n_calls;
    int n_scans;
    int n_failures; /* how many of the next calls fail */
} Seen;

static Seen seen;

static int fail_as_told(Error *err)
{
    if (seen.n_failures == 0)
        return 0;
    seen.n_failures--;
    return error_set(err, ERR_BUSY, "as told");
}

static void fail_next(int n)
{
    pthread_mutex_lock(&seen.lock);
    seen.n_failures = n;
    pthread_mutex_unlock(&seen.lock);
}

static int calls(void)
{
    pthread_mutex_lock(&seen.lock);
    int n = seen.n_calls;
    pthread_mutex_unlock(&seen.lock);
    return n;
}

static int look(void *context, const char *const *keys, size_t n, Error *err)
{
    (void)context;
    pthread_mutex_lock(&seen.lock);
    seen.n_calls++;
    int result = fail_as_told(err);
    for (size_t i = 0; i < n && result == 0; i++) {
        auto_error Error problem = ERROR_INIT;
        StoreStat stat;
        seen.n_looks++;
        if (store_stat(store, keys[i], &stat, &problem) == 0)
            buf_printf(&seen.text, "%s %llu\n", keys[i], (unsigned long long)stat.size);
        else
            buf_printf(&seen.text, "%s gone\n", keys[i]);
    }
    pthread_mutex_unlock(&seen.lock);
    return result;
}

static int scan(void *context, Error *err)
{
    (void)context;
    pthread_mutex_lock(&seen.lock);
    seen.n_calls++;
    int result = fail_as_told(err);
    seen.n_scans += result == 0;
    pthread_mutex_unlock(&seen.lock);
    return result;
}

static void changed(void *context, const char *eval_set_id)
{
    (void)context;
    pthread_mutex_lock(&seen.lock);
    buf_printf(&seen.changed, "%s\n", eval_set_id);
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
    const WatcherHooks hooks = {.look = look, .scan = scan, .changed = changed};
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

static void everything_is_looked_at_once_at_the_start(void **state)
{
    (void)state;
    put("evals/a/one.eval", STR("1"));
    auto_watcher Watcher *watcher = start();
    settle(watcher);
    settle(watcher);
    pthread_mutex_lock(&seen.lock);
    assert_int_equal(seen.n_scans, 1);
    assert_string_equal(seen.text.data, "");
    pthread_mutex_unlock(&seen.lock);
}

static void files_that_are_no_logs_are_passed_over(void **state)
{
    (void)state;
    auto_watcher Watcher *watcher = start();
    settle(watcher);
    put("evals/a/x.fast.eval", STR("1"));
    put("evals/a/.hidden.eval", STR("1"));
    put("evals/a/logs.json", STR("{}"));
    put("evals/a/artifacts/deep.eval", STR("1"));
    put("scans/b/two.eval", STR("1"));
    settle(watcher);
    assert_int_equal(seen.n_looks, 0);
}

static void a_log_in_a_new_set_is_read(void **state)
{
    (void)state;
    auto_watcher Watcher *watcher = start();
    settle(watcher);
    put("evals/new/one.eval", STR("12"));
    settle(watcher);
    assert_true(was_seen("evals/new/one.eval 2\n"));
    assert_true(was_announced("new\n"));
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
    int before = seen.n_looks;
    put("evals/a/.buffer/one/manifest.json", STR("{}"));
    settle(watcher);
    int between = seen.n_looks;
    assert_true(between > before);
    put("evals/a/.buffer/one/manifest.json", STR("{ }"));
    settle(watcher);
    assert_true(seen.n_looks > between);
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
    assert_true(seen.n_scans > 1);
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

static void what_failed_is_told_again(void **state)
{
    (void)state;
    auto_watcher Watcher *watcher = start();
    settle(watcher);
    fail_next(2);
    put("evals/a/one.eval", STR("1"));
    settle(watcher); /* which takes as long as it fails */
    assert_true(was_seen("evals/a/one.eval 1\n"));
    assert_int_equal(seen.n_failures, 0);
}

static void a_look_at_everything_that_failed_is_repeated(void **state)
{
    (void)state;
    fail_next(1);
    auto_watcher Watcher *watcher = start();
    settle(watcher);
    assert_int_equal(seen.n_scans, 1);
}

static void many_changes_are_told_of_together(void **state)
{
    (void)state;
    enum { N = 200 };
    put("evals/a/first.eval", STR("1"));
    auto_watcher Watcher *watcher = start();
    settle(watcher);
    int before = calls();
    for (int i = 0; i < N; i++) {
        auto_free char *key = mem_printf("evals/a/%d.eval", i % 20);
        put(key, STR("1"));
    }
    settle(watcher);
    assert_true(was_seen("evals/a/19.eval 1\n"));
    assert_true(calls() - before < N);
}

static void more_changes_than_can_be_remembered_become_a_look_at_everything(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    enum { N = 5000 };
    auto_free char *dir = fs_join(folder, "evals/many");
    assert_int_equal(fs_make_dirs(dir, 0700, &err), 0);
    auto_watcher Watcher *watcher = start();
    settle(watcher);
    fail_next(3); /* so that nothing can be told of meanwhile */
    for (int i = 0; i < N; i++) {
        auto_free char *path = mem_printf("%s/%05d.eval", dir, i);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fclose(file), 0);
    }
    settle(watcher);
    assert_true(seen.n_scans >= 2 || seen.n_looks == N);
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_store, drop_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(everything_is_looked_at_once_at_the_start),
        T(files_that_are_no_logs_are_passed_over),
        T(a_log_in_a_new_set_is_read),
        T(a_log_that_changes_is_read_again),
        T(a_log_that_is_written_in_place_is_read_when_it_is_closed),
        T(a_change_of_the_live_buffer_is_a_change_of_its_log),
        T(a_log_that_goes_is_reported),
        T(a_set_that_was_moved_in_is_read),
        T(what_failed_is_told_again),
        T(a_look_at_everything_that_failed_is_repeated),
        T(many_changes_are_told_of_together),
        T(more_changes_than_can_be_remembered_become_a_look_at_everything),
    };
    return cmocka_run_group_tests_name("watcher", tests, NULL, NULL);
}
