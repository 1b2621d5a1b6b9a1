/* Every tests/golden/jobspec/<name>.yaml gives exactly the diagnostics in <name>.out. A name that
   begins with "scan-" is a scan; the first comment may hold options: "# options:
   refuse_local_packages". With HAWK_UPDATE_GOLDEN set the .out files are written instead. */

#include "cmocka_all.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "jobspec/jobspec.h"

#define FOLDER HAWK_TEST_DATA "/golden/jobspec"

enum { OUT_MAX = 1 << 20 };

static JobspecOptions options_of(Str text)
{
    Str first = str_slice(text, 0, 200);
    ptrdiff_t end = str_find(first, '\n');
    first = str_slice(first, 0, end < 0 ? first.n : (size_t)end);
    return (JobspecOptions){
        .refuse_local_packages = str_find_str(first, STR("refuse_local_packages")) >= 0,
        .refuse_credentials = str_find_str(first, STR("refuse_credentials")) >= 0,
        .refuse_non_bmp = str_find_str(first, STR("refuse_non_bmp")) >= 0,
        .allow_online_scan = str_find_str(first, STR("allow_online_scan")) >= 0,
    };
}

/* The diagnostics of one file, and after them "ok" or "refused". */
static void describe(const char *name, Str text, Buf *ret)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Diagnostics list;
    diagnostics_init(&list, arena);
    JobspecOptions options = options_of(text);
    JobspecKind kind = str_starts(str_of(name), STR("scan-")) ? JOBSPEC_SCAN : JOBSPEC_EVAL_SET;
    Jobspec *spec = NULL;
    int done = jobspec_load_text(arena, text, name, kind, &options, &list, &spec, &err);
    diagnostics_format(&list, text, ret);
    buf_addz(ret, done == 0 ? "ok\n" : "refused\n");
    assert_int_equal(done == 0, list.n_errors == 0);
    if (done < 0)
        assert_int_equal(err.kind, ERR_BAD_DATA);
}

static void compare(const char *name)
{
    auto_error Error err = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(OUT_MAX);
    auto_buf Buf found = BUF_INIT(OUT_MAX);
    auto_buf Buf expected = BUF_INIT(OUT_MAX);
    auto_free char *path = fs_join(FOLDER, name);
    assert_int_equal(fs_read_file(path, &text, &err), 0);
    describe(name, buf_str(&text), &found);
    auto_free char *out = mem_printf("%.*s.out", (int)(strlen(path) - strlen(".yaml")), path);
    if (getenv("HAWK_UPDATE_GOLDEN")) {
        assert_int_equal(fs_write_file(out, buf_str(&found), 0644, &err), 0);
        return;
    }
    if (fs_read_file(out, &expected, &err) < 0)
        fail_msg("%s: %s", name, error_text(&err));
    if (!str_eq(buf_str(&found), buf_str(&expected)))
        fail_msg("%s\n--- expected\n%s--- found\n%s", name, expected.data, found.data);
}

static void every_golden_config_gives_its_diagnostics(void **state)
{
    (void)state;
    struct dirent **names = NULL;
    int n = scandir(FOLDER, &names, NULL, alphasort);
    int n_configs = 0;
    for (int i = 0; i < n; i++) {
        if (str_ends(str_of(names[i]->d_name), STR(".yaml"))) {
            compare(names[i]->d_name);
            n_configs++;
        }
        free(names[i]);
    }
    free(names);
    assert_true(n_configs > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_golden_config_gives_its_diagnostics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
