/* Finding logs. Folders that lead elsewhere (symbolic links) are not followed, files are. */

#include "cli/import_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "evallog/evallog.h"

enum { DEPTH_MAX = 64, HASH_LEN = 8, BEGIN_MAX = 512 };

typedef struct Finder {
    Arena *arena;
    ImportFiles *files;
    size_t room;
} Finder;

static bool is_log_name(Str name)
{
    if (name.p[0] == '.' || str_ends(name, STR(".fast.eval")))
        return false;
    return str_ends(name, STR(".eval")) || str_ends(name, STR(".json"));
}

/* Whether it begins as Inspect's logs do, so that one that is broken counts as a log. */
static bool begins_like_log(Source *source)
{
    static const char *const keys[] = {"\"version\"", "\"status\"", "\"eval\""};
    char begin[BEGIN_MAX];
    size_t n = source->size < sizeof(begin) ? (size_t)source->size : sizeof(begin);
    auto_error Error ignored = ERROR_INIT;
    if (source_read_at(source, 0, begin, n, &ignored) < 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (str_find_str((Str){begin, n}, str_of(keys[i])) < 0)
            return false;
    return true;
}

/* Many files that are no logs end in ".json"; fails when it is one of them, and says why. */
static int check_json_log(const char *path, Error *err)
{
    auto_evallog EvalLog *log = NULL;
    const EvalLogHeader *header = NULL;
    Source *source = NULL;
    if (source_open_file(path, &source, err) < 0)
        return -1;
    if (begins_like_log(source)) {
        source_close(source);
        return 0;
    }
    if (evallog_open(source, &log, err) < 0) {
        source_close(source);
        return -1;
    }
    if (evallog_header(log, &header, err) < 0)
        return -1;
    return header->eval_id.n > 0 ? 0 : error_set(err, ERR_BAD_DATA, "%s: it has no eval id", path);
}

/* Beside its logs Inspect writes lists of them, which nobody misses. */
static bool is_list_of_logs(const char *name)
{
    static const char *const names[] = {"logs.json", "eval-set.json"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Whether a file is to be imported; notes what is left out. */
static bool takes_json(Finder *finder, const char *path, const char *name)
{
    ImportFiles *files = finder->files;
    auto_error Error problem = ERROR_INIT;
    if (check_json_log(path, &problem) == 0)
        return true;
    if (is_list_of_logs(name))
        return false;
    if (files->n_left_out < IMPORT_FILES_NAMED_MAX)
        files->left_out[files->n_left_out] = arena_strdup(finder->arena, error_text(&problem));
    files->n_left_out++;
    return false;
}

static int add(Finder *finder, const char *path, const struct stat *st, Error *err)
{
    ImportFiles *files = finder->files;
    if (files->n == IMPORT_FILES_MAX)
        return error_set(err, ERR_BAD_DATA, "over %d logs; import them in parts", IMPORT_FILES_MAX);
    if (files->n == finder->room) {
        finder->room = finder->room ? finder->room * 2 : 16;
        ImportFile *larger = arena_array(finder->arena, finder->room, sizeof(*larger));
        if (files->n > 0)
            memcpy(larger, files->items, files->n * sizeof(*larger));
        files->items = larger;
    }
    files->items[files->n++] =
        (ImportFile){.path = arena_strdup(finder->arena, path), .size = (uint64_t)st->st_size};
    files->n_bytes += (uint64_t)st->st_size;
    return 0;
}

static void free_entries(struct dirent ***entries)
{
    for (struct dirent **entry = *entries; entry && *entry; entry++)
        free(*entry);
    free(*entries);
}

/* The sorted entries of a folder, with a NULL behind them. */
static int read_folder(const char *path, struct dirent ***ret, Error *err)
{
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0)
        return error_errno(err, errno, "cannot list %s", path);
    *ret = mem_resize(entries, (size_t)n + 1, sizeof(*entries));
    (*ret)[n] = NULL;
    return 0;
}

static int find_in(Finder *finder, const char *folder, int depth, Error *err)
{
    HAWK_CLEANUP(free_entries) struct dirent **entries = NULL;
    if (depth > DEPTH_MAX)
        return error_set(err, ERR_BAD_DATA, "%s is over %d folders deep", folder, DEPTH_MAX);
    if (read_folder(folder, &entries, err) < 0)
        return -1;
    for (struct dirent **entry = entries; *entry; entry++) {
        const char *name = (*entry)->d_name;
        auto_free char *path = fs_join(folder, name);
        struct stat st;
        if (name[0] == '.' || fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (S_ISDIR(st.st_mode)) {
            if (find_in(finder, path, depth + 1, err) < 0)
                return -1;
            continue;
        }
        if (!is_log_name(str_of(name)) || stat(path, &st) < 0 || !S_ISREG(st.st_mode))
            continue;
        if (str_ends(str_of(name), STR(".json")) && !takes_json(finder, path, name))
            continue;
        if (add(finder, path, &st, err) < 0)
            return -1;
    }
    return 0;
}

static int find_path(Finder *finder, const char *path, Error *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return error_errno(err, errno, "cannot find %s", path);
    if (S_ISDIR(st.st_mode))
        return find_in(finder, path, 0, err);
    Str name = str_of(path);
    if (!S_ISREG(st.st_mode) || (!str_ends(name, STR(".eval")) && !str_ends(name, STR(".json"))))
        return error_set(err, ERR_USAGE, "%s is no folder and does not end in .eval or .json",
                         path);
    return add(finder, path, &st, err);
}

/* --- names --- */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("._+-", c));
}

/* The file's name without its ending, as a server takes it: other characters become '_', and what
   is too long is told apart by a hash. */
static const char *stem_of(Arena *arena, const char *path)
{
    Str name = str_slice(str_of(path), (size_t)(str_rfind(str_of(path), '/') + 1), SIZE_MAX);
    char hex[DIGEST_HEX_MAX];
    size_t max = IMPORT_FILES_NAME_MAX - 20; /* the ending and a number have room */
    Str stem = str_slice(name, 0, name.n - 5);
    char *plain = arena_strndup(arena, stem.p, stem.n);
    for (char *c = plain; *c; c++)
        *c = is_plain(*c) ? *c : '_';
    if (*plain == '.' || *plain == '\0')
        plain = arena_printf(arena, "_%s", plain);
    if (strlen(plain) > max)
        plain = arena_printf(arena, "%.*s-%.*s", (int)(max - HASH_LEN - 1), plain, HASH_LEN,
                             digest_sha256_hex(name, hex));
    return str_ends(str_of(plain), STR(".fast")) ? arena_printf(arena, "%s_", plain) : plain;
}

static int compare_names(const void *a, const void *b)
{
    const ImportFile *left = *(ImportFile *const *)a;
    const ImportFile *right = *(ImportFile *const *)b;
    int order = strcmp(left->name, right->name);
    return order ? order : left < right ? -1 : left > right;
}

/* Gives all but the first of equal names a number; false when there was nothing to do. */
static bool number_equal(Arena *arena, ImportFile **order, size_t n)
{
    bool has_changed = false;
    size_t nth = 1;
    qsort(order, n, sizeof(ImportFile *), compare_names);
    Str first = str_of(order[0]->name);
    for (size_t i = 1; i < n; i++) {
        if (!str_eqz(first, order[i]->name)) {
            first = str_of(order[i]->name);
            nth = 1;
            continue;
        }
        order[i]->name =
            arena_printf(arena, "%.*s-%zu.eval", STR_ARG(str_slice(first, 0, first.n - 5)), ++nth);
        has_changed = true;
    }
    return has_changed;
}

static void name_files(Arena *arena, ImportFiles *files)
{
    ImportFile **order = arena_array(arena, files->n + 1, sizeof(ImportFile *));
    for (size_t i = 0; i < files->n; i++) {
        files->items[i].name = arena_printf(arena, "%s.eval", stem_of(arena, files->items[i].path));
        order[i] = &files->items[i];
    }
    while (number_equal(arena, order, files->n))
        continue; /* a number may make a name that another file has */
}

static int fail_empty(const ImportFiles *files, const char *path, Error *err)
{
    if (files->n_left_out == 0)
        return error_set(err, ERR_NOT_FOUND, "there are no logs in %s", path);
    return error_set(err, ERR_NOT_FOUND, "there are no logs in %s, but %zu file%s in .json; %s",
                     path, files->n_left_out, files->n_left_out == 1 ? " that ends" : "s that end",
                     files->left_out[0]);
}

int import_files_find(Arena *arena, const OptList *paths, ImportFiles *ret, Error *err)
{
    ImportFiles files = {0};
    Finder finder = {.arena = arena, .files = &files};
    for (size_t i = 0; i < paths->n; i++)
        if (find_path(&finder, paths->items[i], err) < 0)
            return -1;
    if (files.n == 0)
        return fail_empty(&files, paths->items[0], err);
    name_files(arena, &files);
    *ret = files;
    return 0;
}
