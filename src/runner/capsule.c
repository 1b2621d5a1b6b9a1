/* capsule.json: {"capsule", "hawk", "python", "key", "config", "lock", "local", "packages"}.

   The digest of an installed package is that of its RECORD (packaging.python.org, "Recording
   installed projects"), which has the digest of each of its files, without the lines that depend
   on where and how it was installed. */

#include "runner/capsule.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "codec/json_out.h"
#include "runner/tree.h"

enum { CAPSULE_VERSION = 1, RECORD_MAX = 64 << 20, NAMES_SHOWN_MAX = 2000 };

const Json *capsule_of_run(const Run *run)
{
    const Json *frozen = json_get(run->infra, "frozen");
    return json_is_null(frozen) ? NULL : frozen;
}

static int fail_frozen(Error *err)
{
    (void)error_code(err, "install.frozen");
    return error_fix(err, "run it without --frozen to take what there is now");
}

/* ---- local packages ---- */

static int write_local(const Run *run, JsonOut *out, Error *err)
{
    JobspecStrings local = jobspec_local_packages(run->arena, run->spec);
    json_out_kv_array(out, "local");
    for (size_t i = 0; i < local.n; i++) {
        const char *folder = venv_local_folder(run, local.items[i]);
        auto_buf Buf digest = BUF_INIT(4096);
        if (!folder)
            continue;
        if (tree_add_digest(folder, &digest, err) < 0)
            return -1;
        json_out_object(out);
        json_out_kvz(out, "path", folder);
        json_out_kv_str(out, "digest", str_trim(buf_str(&digest)));
        json_out_end_object(out);
    }
    json_out_end_array(out);
    return 0;
}

/* Names the first local package that is not what it was. */
static int check_local(const Json *capsule, Error *err)
{
    const Json *list = json_get(capsule, "local");
    for (const Json *item = list ? list->first : NULL; item; item = item->next) {
        Str named = json_text(item, "path", STR(""));
        auto_free char *path = mem_strndup(named.p, named.n);
        auto_buf Buf digest = BUF_INIT(4096);
        if (!fs_exists(path)) {
            (void)error_set(err, ERR_FAILED, "the local package %s is gone", path);
            return fail_frozen(err);
        }
        if (tree_add_digest(path, &digest, err) < 0)
            return -1;
        if (str_eq(str_trim(buf_str(&digest)), json_text(item, "digest", STR_NONE)))
            continue;
        (void)error_set(err, ERR_FAILED, "the local package %s has changed", path);
        return fail_frozen(err);
    }
    return 0;
}

int capsule_take_lock(const Run *run, const char *python, const char *key, char **ret, Error *err)
{
    const Json *capsule = capsule_of_run(run);
    Str lock = json_text(capsule, "lock", STR_NONE);
    Str was = json_text(capsule, "python", STR_NONE);
    if (json_int(capsule, "capsule", 0) != CAPSULE_VERSION || !lock.p) {
        (void)error_set(err, ERR_FAILED, "the capsule is of another version of hawk");
        return fail_frozen(err);
    }
    if (!str_eqz(was, python)) {
        (void)error_set(err, ERR_FAILED, "it ran with Python %.*s, and here is Python %s",
                        STR_ARG(was), python);
        return fail_frozen(err);
    }
    if (check_local(capsule, err) < 0)
        return -1;
    if (!str_eqz(json_text(capsule, "key", STR_NONE), key)) {
        (void)error_set(err, ERR_FAILED,
                        "its config asks for other packages than it did, or from another index: "
                        "hawk was %.*s and is %s",
                        STR_ARG(json_text(capsule, "hawk", STR("unknown"))), HAWK_VERSION);
        return fail_frozen(err);
    }
    *ret = mem_strndup(lock.p, lock.n);
    return 0;
}

/* ---- installed packages ---- */

/* Whether a line of a RECORD says the same wherever the package is installed. */
static bool is_about_content(Str line)
{
    static const char *const passed_over[] = {
        ".dist-info/RECORD,",        ".dist-info/INSTALLER,",       ".dist-info/REQUESTED,",
        ".dist-info/uv_cache.json,", ".dist-info/direct_url.json,", ".pyc,",
        ".dist-info/uv_build.json,"};
    if (str_starts(line, STR("../")) || line.n == 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(passed_over); i++)
        if (str_find_str(line, str_of(passed_over[i])) >= 0)
            return false;
    return true;
}

static int write_package(const char *record, JsonOut *out, Error *err)
{
    unsigned char sum[DIGEST_SIZE];
    auto_buf Buf text = BUF_INIT(RECORD_MAX);
    auto_buf Buf hex = BUF_INIT(DIGEST_HEX_MAX);
    auto_digest Digest *digest = digest_new();
    if (fs_read_file(record, &text, err) < 0)
        return -1;
    Str rest = buf_str(&text);
    Str line = STR_NONE;
    while (str_split(&rest, '\n', &line)) {
        if (!is_about_content(line))
            continue;
        digest_add(digest, line);
        digest_add(digest, STR("\n"));
    }
    digest_finish(digest, sum);
    digest_add_hex(&hex, (Str){(const char *)sum, sizeof(sum)});
    /* ".../site-packages/name-1.2.dist-info/RECORD" */
    Str name = str_slice(str_of(record), 0, strlen(record) - strlen(".dist-info/RECORD"));
    name = str_slice(name, (size_t)(str_rfind(name, '/') + 1), name.n);
    json_out_object(out);
    json_out_kv_str(out, "name", name);
    json_out_kv_str(out, "digest", buf_str(&hex));
    json_out_end_object(out);
    return 0;
}

static int write_packages(const Venv *venv, JsonOut *out, Error *err)
{
    auto_free char *pattern =
        mem_printf("%s/../lib/python3*/site-packages/*.dist-info/RECORD", venv->bin);
    glob_t found = {0};
    int done = 0;
    json_out_kv_array(out, "packages");
    if (glob(pattern, 0, NULL, &found) == 0) /* in the order of their names */
        for (size_t i = 0; i < found.gl_pathc && i < CAPSULE_PACKAGES_MAX && done == 0; i++)
            done = write_package(found.gl_pathv[i], out, err);
    globfree(&found);
    json_out_end_array(out);
    return done;
}

static const Json *find_package(const Json *list, Str name)
{
    for (const Json *item = list ? list->first : NULL; item; item = item->next)
        if (str_eq(json_text(item, "name", STR_NONE), name))
            return item;
    return NULL;
}

/* Appends the names of packages of one list that the other does not have, or not the same. */
static void add_differences(const Json *of, const Json *in, bool only_missing, Buf *ret)
{
    for (const Json *item = of ? of->first : NULL; item; item = item->next) {
        Str name = json_text(item, "name", STR(""));
        const Json *other = find_package(in, name);
        Str digest = json_text(item, "digest", STR_NONE);
        if (other && (only_missing || str_eq(digest, json_text(other, "digest", STR_NONE))))
            continue;
        buf_printf(ret, "%s%.*s", ret->len ? ", " : "", STR_ARG(name));
    }
}

static int check_packages(const Json *was, const Json *is, Error *err)
{
    auto_buf Buf names = BUF_INIT(NAMES_SHOWN_MAX);
    add_differences(json_get(was, "packages"), json_get(is, "packages"), false, &names);
    add_differences(json_get(is, "packages"), json_get(was, "packages"), true, &names);
    if (names.len == 0)
        return 0;
    (void)error_set(err, ERR_FAILED, "what was installed is not what it was: %s", names.data);
    return fail_frozen(err);
}

/* ---- the file ---- */

static int write_capsule(const Run *run, const Venv *venv, Buf *ret, Error *err)
{
    JsonOut out;
    json_out_init(&out, ret, 0);
    json_out_object(&out);
    json_out_kv_int(&out, "capsule", CAPSULE_VERSION);
    json_out_kvz(&out, "hawk", HAWK_VERSION);
    json_out_kvz(&out, "python", venv->version);
    json_out_kvz(&out, "key", venv->key);
    json_out_key(&out, STR("config"));
    jobspec_write(run->spec, &out);
    json_out_kvz(&out, "lock", venv->lock);
    if (write_local(run, &out, err) < 0 || write_packages(venv, &out, err) < 0)
        return -1;
    json_out_end_object(&out);
    return buf_check(ret, "the capsule of the run", err);
}

int capsule_keep(const Run *run, const Venv *venv, Error *err)
{
    auto_buf Buf text = BUF_INIT(CAPSULE_MAX);
    const Json *was = capsule_of_run(run);
    if (write_capsule(run, venv, &text, err) < 0)
        return -1;
    if (was) {
        const JsonLimits limits = {.bytes = CAPSULE_MAX, .depth = 200, .nodes = 5000000};
        Json *is = NULL;
        if (json_parse(run->arena, buf_str(&text), &limits, &is, err) < 0 ||
            check_packages(was, is, err) < 0)
            return -1;
    }
    auto_free char *path = fs_join(run->folder, "capsule.json");
    auto_free char *beside = venv_kept_path(run, "capsule.json");
    if (fs_write_file(path, buf_str(&text), 0600, err) < 0)
        return -1;
    return beside ? fs_write_file(beside, buf_str(&text), 0600, err) : 0;
}
