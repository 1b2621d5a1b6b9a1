/* The contract of a store. The folder kind always; another one when HAWK_TEST_S3_URL names a place
   in it that may be emptied below "contract/". What only folders have is at the end. */
#include "cmocka_all.h"

#include <pthread.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "store/store.h"

static char folder[64];
static Store *store;
static const char *other_url;

static int open_store(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    (void)snprintf(folder, sizeof(folder), "/tmp/hawk-store-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    auto_free char *url = other_url ? mem_strdup(other_url) : mem_printf("file:%s/root", folder);
    if (store_open(url, &store, &err) < 0 || store_delete_prefix(store, "contract", &err) < 0) {
        print_error("%s\n", error_text(&err));
        return -1;
    }
    return 0;
}

static int close_store(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    store_close(TAKE(store));
    return fs_remove_tree(folder, &err);
}

static void put(const char *key, Str bytes)
{
    auto_error Error err = ERROR_INIT;
    if (store_put(store, key, bytes, false, &err) < 0)
        fail_msg("%s", error_text(&err));
}

static void what_is_put_can_be_got_in_whole_and_in_part(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    put("contract/a/b.eval", STR("0123456789"));
    auto_buf Buf body = BUF_INIT(10);
    assert_int_equal(store_get(store, "contract/a/b.eval", &body, &err), 0);
    assert_string_equal(body.data, "0123456789");
    auto_source Source *source = NULL;
    char part[3];
    assert_int_equal(store_source(store, "contract/a/b.eval", &source, &err), 0);
    assert_int_equal(source->size, 10);
    assert_int_equal(source_read_at(source, 7, part, 3, &err), 0);
    assert_memory_equal(part, "789", 3);
    assert_int_equal(source_read_at(source, 8, part, 3, &err), -1);
}

static void an_object_over_the_ceiling_is_refused(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    put("contract/x", STR("0123456789"));
    auto_buf Buf body = BUF_INIT(9);
    assert_int_equal(store_get(store, "contract/x", &body, &err), -1);
    assert_int_equal(err.kind, ERR_BAD_DATA);
}

static void an_empty_object_is_an_object(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    put("contract/.keep", STR(""));
    StoreStat stat;
    assert_int_equal(store_stat(store, "contract/.keep", &stat, &err), 0);
    assert_int_equal(stat.size, 0);
}

static void putting_again_replaces_and_changes_the_etag(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    StoreStat before;
    StoreStat same;
    StoreStat after;
    put("contract/x", STR("one"));
    assert_int_equal(store_stat(store, "contract/x", &before, &err), 0);
    assert_int_equal(store_stat(store, "contract/x", &same, &err), 0);
    put("contract/x", STR("two"));
    assert_int_equal(store_stat(store, "contract/x", &after, &err), 0);
    assert_string_equal(before.etag, same.etag);
    assert_string_not_equal(before.etag, after.etag);
}

static void a_source_keeps_the_bytes_that_were_there_when_it_was_opened(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    put("contract/x", STR("one"));
    auto_source Source *source = NULL;
    char bytes[3];
    assert_int_equal(store_source(store, "contract/x", &source, &err), 0);
    put("contract/x", STR("two"));
    assert_int_equal(source_read_at(source, 0, bytes, 3, &err), 0);
    assert_memory_equal(bytes, "one", 3);
}

/* Puts the text into a file beside the store and replaces the object by it. */
static int replace(const char *key, const char *etag, const char *text, Error *err)
{
    auto_free char *path = fs_join(folder, "new");
    assert_int_equal(fs_write_file(path, str_of(text), 0600, err), 0);
    return store_replace(store, key, etag, path, err);
}

static void a_file_replaces_the_object_that_was_looked_at(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    StoreStat before;
    StoreStat after;
    put("contract/x", STR("one"));
    assert_int_equal(store_stat(store, "contract/x", &before, &err), 0);
    if (replace("contract/x", before.etag, "three", &err) < 0)
        fail_msg("%s", error_text(&err));
    auto_buf Buf body = BUF_INIT(10);
    assert_int_equal(store_get(store, "contract/x", &body, &err), 0);
    assert_string_equal(body.data, "three");
    assert_int_equal(store_stat(store, "contract/x", &after, &err), 0);
    assert_string_not_equal(before.etag, after.etag);
}

static void a_file_does_not_replace_an_object_that_has_changed(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    StoreStat before;
    put("contract/x", STR("one"));
    assert_int_equal(store_stat(store, "contract/x", &before, &err), 0);
    put("contract/x", STR("two"));
    assert_int_equal(replace("contract/x", before.etag, "three", &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    error_reset(&err);
    auto_buf Buf body = BUF_INIT(10);
    assert_int_equal(store_get(store, "contract/x", &body, &err), 0);
    assert_string_equal(body.data, "two");
}

static void a_file_does_not_bring_back_an_object_that_is_gone(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    assert_int_equal(replace("contract/none", "tag", "three", &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

/* A file without a name with these bytes. */
static int unnamed(const char *dir, Str bytes)
{
    auto_error Error err = ERROR_INIT;
    int fd = fs_open_unlinked(dir, &err);
    assert_true(fd >= 0);
    assert_int_equal(fs_write_all(fd, bytes.p, bytes.n, &err), 0);
    return fd;
}

static void assert_object(const char *key, const char *bytes)
{
    auto_error Error err = ERROR_INIT;
    auto_buf Buf body = BUF_INIT(1 << 20);
    if (store_get(store, key, &body, &err) < 0)
        fail_msg("%s", error_text(&err));
    assert_string_equal(body.data, bytes);
}

static void the_bytes_of_a_file_become_an_object(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_fd int near = unnamed(folder, STR("of the same disk"));
    auto_fd int far = unnamed("/dev/shm", STR("of another disk"));
    auto_fd int empty = unnamed(folder, STR(""));
    put("contract/near", STR("old"));
    assert_int_equal(store_put_file(store, "contract/near", near, &err), 0);
    assert_int_equal(store_put_file(store, "contract/far", far, &err), 0);
    assert_int_equal(store_put_file(store, "contract/empty", empty, &err), 0);
    assert_object("contract/near", "of the same disk");
    assert_object("contract/far", "of another disk");
    assert_object("contract/empty", "");
    /* A file can be put again, under its own key and another. */
    assert_int_equal(store_put_file(store, "contract/near", near, &err), 0);
    assert_int_equal(store_put_file(store, "contract/again", near, &err), 0);
    assert_object("contract/near", "of the same disk");
    assert_object("contract/again", "of the same disk");
}

static void a_move_takes_the_object_along_and_replaces(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    StoreStat stat;
    put("contract/from +%/x", STR("new"));
    put("contract/to/x", STR("old"));
    assert_int_equal(store_move(store, "contract/from +%/x", "contract/to/x", NULL, &err), 0);
    assert_object("contract/to/x", "new");
    assert_int_equal(store_stat(store, "contract/from +%/x", &stat, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void a_move_of_what_is_not_there_is_not_found(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    assert_int_equal(store_move(store, "contract/none", "contract/y", NULL, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void a_move_of_other_bytes_than_meant_is_a_conflict(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    StoreStat stat;
    put("contract/x", STR("one"));
    assert_int_equal(store_stat(store, "contract/x", &stat, &err), 0);
    put("contract/x", STR("two"));
    assert_int_equal(store_move(store, "contract/x", "contract/y", stat.etag, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    error_reset(&err);
    assert_object("contract/x", "two");
    assert_int_equal(store_stat(store, "contract/x", &stat, &err), 0);
    assert_int_equal(store_move(store, "contract/x", "contract/y", stat.etag, &err), 0);
    assert_object("contract/y", "two");
}

static void only_new_does_not_replace(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    assert_int_equal(store_put(store, "contract/claim", STR("a"), true, &err), 0);
    assert_int_equal(store_put(store, "contract/claim", STR("b"), true, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    error_reset(&err);
    auto_buf Buf body = BUF_INIT(9);
    assert_int_equal(store_get(store, "contract/claim", &body, &err), 0);
    assert_string_equal(body.data, "a");
}

static void *claim(void *context)
{
    auto_error Error err = ERROR_INIT;
    *(int *)context = store_put(store, "contract/race", STR("x"), true, &err);
    return NULL;
}

static void only_one_of_many_claims_wins(void **state)
{
    (void)state;
    enum { N = 8 };
    pthread_t threads[N];
    int results[N];
    for (size_t i = 0; i < N; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, claim, &results[i]), 0);
    int n_won = 0;
    for (size_t i = 0; i < N; i++) {
        pthread_join(threads[i], NULL);
        n_won += results[i] == 0;
    }
    assert_int_equal(n_won, 1);
}

static void what_is_not_there_is_not_found(void **state)
{
    (void)state;
    put("contract/file", STR("x"));
    static const char *const keys[] = {"contract/none", "contract/none/deep/er",
                                       "contract/file/below"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        auto_error Error err = ERROR_INIT;
        StoreStat stat;
        auto_buf Buf body = BUF_INIT(9);
        auto_source Source *source = NULL;
        assert_int_equal(store_stat(store, keys[i], &stat, &err), -1);
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        error_reset(&err);
        assert_int_equal(store_get(store, keys[i], &body, &err), -1);
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        error_reset(&err);
        assert_int_equal(store_source(store, keys[i], &source, &err), -1);
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        error_reset(&err);
        assert_int_equal(store_delete(store, keys[i], &err), 0);
        assert_int_equal(store_delete_prefix(store, "contract/none", &err), 0);
    }
}

static void hostile_keys_are_refused_everywhere(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "",   "/",    "/etc/passwd", "..",     "../x",     "a/../../x",    "a/./b", "a//b",
        "a/", "a\\b", "a\nb",        "a/\x7f", "\xff\xfe", "a/x.hawk-tmp", "a/..",  "\x1b[31m",
    };
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        auto_error Error err = ERROR_INIT;
        assert_false(store_key_is_valid(str_of(keys[i])));
        assert_int_equal(store_put(store, keys[i], STR("x"), false, &err), -1);
        assert_int_equal(err.kind, ERR_USAGE);
        error_reset(&err);
        auto_buf Buf body = BUF_INIT(9);
        assert_int_equal(store_get(store, keys[i], &body, &err), -1);
        assert_int_equal(err.kind, ERR_USAGE);
    }
    char long_key[STORE_KEY_MAX + 2];
    memset(long_key, 'a', sizeof(long_key) - 1);
    long_key[sizeof(long_key) - 1] = '\0';
    assert_false(store_key_is_valid(str_of(long_key)));
    assert_false(store_key_is_valid(STR("a\0b")));
    assert_true(store_key_is_valid(STR("evals/s/2025-01-01T10-00-00+00-00_t\xc3\xa9_x.eval")));
}

typedef struct Seen {
    Buf text;
    int stop_after;
} Seen;

static int see(void *context, const char *key, const StoreStat *stat, Error *err)
{
    Seen *seen = context;
    buf_printf(&seen->text, "%s=%llu ", key, (unsigned long long)stat->size);
    if (seen->stop_after > 0 && --seen->stop_after == 0)
        return error_set(err, ERR_CANCELLED, "enough");
    return 0;
}

static void listing_is_in_key_order_and_stays_below_the_prefix(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    put("contract/l/a/x", STR("1"));
    put("contract/l/a.txt", STR("22"));
    put("contract/l/a-b/y", STR("3"));
    put("contract/l/.hidden", STR(""));
    put("contract/lz", STR("no"));
    Seen seen = {.text = BUF_INIT(1000)};
    assert_int_equal(store_list(store, "contract/l", true, see, &seen, &err), 0);
    assert_string_equal(
        seen.text.data,
        "contract/l/.hidden=0 contract/l/a-b/y=1 contract/l/a.txt=2 contract/l/a/x=1 ");
    buf_reset(&seen.text);
    assert_int_equal(store_list(store, "contract/l/", false, see, &seen, &err), 0);
    assert_string_equal(seen.text.data, "contract/l/.hidden=0 contract/l/a.txt=2 ");
    buf_reset(&seen.text);
    assert_int_equal(store_list(store, "contract/none", true, see, &seen, &err), 0);
    assert_int_equal(seen.text.len, 0);
    seen.stop_after = 1;
    assert_int_equal(store_list(store, "contract/l", true, see, &seen, &err), -1);
    assert_int_equal(err.kind, ERR_CANCELLED);
    buf_release(&seen.text);
}

static void deleting_a_prefix_takes_all_below_it_and_nothing_else(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    put("contract/d/a/b/c", STR("1"));
    put("contract/d/e", STR("1"));
    put("contract/de", STR("1"));
    StoreStat stat;
    assert_int_equal(store_delete_prefix(store, "contract/d/", &err), 0);
    assert_int_equal(store_stat(store, "contract/d/e", &stat, &err), -1);
    error_reset(&err);
    assert_int_equal(store_stat(store, "contract/de", &stat, &err), 0);
    assert_int_equal(store_delete(store, "contract/de", &err), 0);
    assert_int_equal(store_stat(store, "contract/de", &stat, &err), -1);
    error_reset(&err);
    assert_int_equal(store_delete_prefix(store, "", &err), -1);
}

/* Folders only. */

static void links_lead_nowhere(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_free char *outside = fs_join(folder, "outside");
    auto_free char *secret = fs_join(outside, "secret");
    auto_free char *dir_link = fs_join(folder, "root/contract/dir");
    auto_free char *file_link = fs_join(folder, "root/contract/file");
    assert_int_equal(fs_make_dirs(outside, 0700, &err), 0);
    assert_int_equal(fs_write_file(secret, STR("s"), 0600, &err), 0);
    put("contract/x", STR("1"));
    assert_int_equal(symlink(outside, dir_link), 0);
    assert_int_equal(symlink(secret, file_link), 0);
    static const char *const keys[] = {"contract/dir/secret", "contract/file"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        auto_buf Buf body = BUF_INIT(9);
        assert_int_equal(store_get(store, keys[i], &body, &err), -1);
        assert_true(err.kind == ERR_DENIED || err.kind == ERR_NOT_FOUND);
        error_reset(&err);
    }
    assert_int_equal(store_put(store, "contract/dir/new", STR("x"), false, &err), -1);
    error_reset(&err);
    Seen seen = {.text = BUF_INIT(1000)};
    assert_int_equal(store_list(store, "", true, see, &seen, &err), 0);
    assert_string_equal(seen.text.data, "contract/x=1 ");
    buf_release(&seen.text);
    assert_int_equal(store_delete_prefix(store, "contract", &err), 0);
    assert_true(fs_exists(secret));
}

static void objects_and_folders_are_private(void **state)
{
    (void)state;
    put("contract/a/x", STR("1"));
    struct stat st;
    auto_free char *path = store_local_path(store, "contract/a/x");
    auto_free char *dir = store_local_path(store, "contract/a");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_null(store_local_path(store, "../x"));
}

static void half_written_objects_are_not_shown(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    put("contract/x", STR("1"));
    auto_free char *left = fs_join(folder, "root/contract/.abc.hawk-tmp");
    assert_int_equal(fs_write_file(left, STR("half"), 0600, &err), 0);
    Seen seen = {.text = BUF_INIT(1000)};
    assert_int_equal(store_list(store, "contract", true, see, &seen, &err), 0);
    assert_string_equal(seen.text.data, "contract/x=1 ");
    buf_release(&seen.text);
}

static void a_full_disk_keeps_what_there_was(void **state)
{
    (void)state;
    char small[sizeof(folder) + 8]; /* on the heap it would leak when the test is skipped */
    (void)snprintf(small, sizeof(small), "%s/small", folder);
    if (mkdir(small, 0700) < 0 || mount("none", small, "tmpfs", 0, "size=64k") < 0)
        skip(); /* needs root */
    auto_error Error err = ERROR_INIT;
    auto_free char *url = mem_printf("file:%s", small);
    auto_free char *big = mem_alloc(200 * 1000);
    Store *full = NULL;
    assert_int_equal(store_open(url, &full, &err), 0);
    assert_int_equal(store_put(full, "x", STR("old"), false, &err), 0);
    int result = store_put(full, "x", (Str){big, 200 * 1000}, false, &err);
    ErrorKind kind = err.kind;
    error_reset(&err);
    auto_buf Buf body = BUF_INIT(9);
    int got = store_get(full, "x", &body, &err);
    Seen seen = {.text = BUF_INIT(1000)};
    int listed = store_list(full, "", true, see, &seen, &err);
    store_close(full);
    assert_int_equal(umount(small), 0);
    assert_int_equal(result, -1);
    assert_int_equal(kind, ERR_NO_SPACE);
    assert_int_equal(got, 0);
    assert_string_equal(body.data, "old");
    assert_int_equal(listed, 0);
    assert_string_equal(seen.text.data, "x=3 ");
    buf_release(&seen.text);
}

#define T(f) cmocka_unit_test_setup_teardown(f, open_store, close_store)

int main(void)
{
    const struct CMUnitTest contract[] = {
        T(what_is_put_can_be_got_in_whole_and_in_part),
        T(an_object_over_the_ceiling_is_refused),
        T(an_empty_object_is_an_object),
        T(putting_again_replaces_and_changes_the_etag),
        T(a_source_keeps_the_bytes_that_were_there_when_it_was_opened),
        T(a_file_replaces_the_object_that_was_looked_at),
        T(a_file_does_not_replace_an_object_that_has_changed),
        T(a_file_does_not_bring_back_an_object_that_is_gone),
        T(the_bytes_of_a_file_become_an_object),
        T(a_move_takes_the_object_along_and_replaces),
        T(a_move_of_what_is_not_there_is_not_found),
        T(a_move_of_other_bytes_than_meant_is_a_conflict),
        T(only_new_does_not_replace),
        T(only_one_of_many_claims_wins),
        T(what_is_not_there_is_not_found),
        T(hostile_keys_are_refused_everywhere),
        T(listing_is_in_key_order_and_stays_below_the_prefix),
        T(deleting_a_prefix_takes_all_below_it_and_nothing_else),
    };
    const struct CMUnitTest folders[] = {
        T(links_lead_nowhere),
        T(objects_and_folders_are_private),
        T(half_written_objects_are_not_shown),
        T(a_full_disk_keeps_what_there_was),
    };
    int failures = cmocka_run_group_tests_name("file", contract, NULL, NULL);
    failures += cmocka_run_group_tests_name("folders", folders, NULL, NULL);
    other_url = getenv("HAWK_TEST_S3_URL");
    if (other_url)
        failures += cmocka_run_group_tests_name("s3", contract, NULL, NULL);
    return failures;
}
