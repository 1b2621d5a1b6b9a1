/* Configs: what is accepted is accepted again in its full form, unchanged, and everything can be
   asked of it; what is refused has a reason with a place in it. The first byte picks kind and
   strictness. */

#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "jobspec/ids.h"
#include "jobspec/jobspec.h"
#include "jobspec/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 64 << 20, INPUT_MAX = 1 << 16 };

static void must(bool claim)
{
    if (!claim)
        abort();
}

static void ask(Arena *arena, const Jobspec *spec)
{
    auto_buf Buf text = BUF_INIT(OUT_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    const PlanInput input = {.spec = spec};
    Plan *plan = plan_make(arena, &input);
    plan_write(plan, &out);
    plan_format(plan, &text);
    (void)jobspec_scanned_ids(arena, spec);
    char id[IDS_JOB_ID_MAX + 1];
    ids_generate(jobspec_name(spec), id);
    must(ids_is_job_id(str_of(id)));
    JobspecEnvNames names = jobspec_env_names(arena, spec);
    for (size_t i = 0; i < names.n; i++)
        must(!strpbrk(names.items[i].name, "= \n"));
    JobspecStrings packages = jobspec_requirements(arena, spec, NULL);
    for (size_t i = 0; i < packages.n; i++)
        must(packages.items[i][0] != '-' && packages.items[i][0] != '\0');
}

static void check_again(Arena *arena, const Jobspec *spec, const JobspecOptions *options)
{
    auto_error Error err = ERROR_INIT;
    Diagnostics list;
    diagnostics_init(&list, arena);
    Jobspec *again = NULL;
    must(jobspec_check(arena, spec->full, "again", spec->kind, options, &list, &again, &err) == 0);
    must(json_equal(again->full, spec->full));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > INPUT_MAX)
        return 0;
    /* Printable, so that the files of the corpus can be read: '0' is any kind, '1' an eval set, '2'
     * a scan. */
    JobspecKind kind = (JobspecKind)(data[0] % 3);
    JobspecOptions options = {
        .allow_online_scan = data[0] & 4,
        .refuse_local_packages = data[0] & 8,
        .refuse_credentials = data[0] & 8,
    };
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    auto_buf Buf shown = BUF_INIT(OUT_MAX);
    Diagnostics list;
    diagnostics_init(&list, arena);
    Jobspec *spec = NULL;
    Str text = {(const char *)data + 1, size - 1};
    int done = jobspec_load_text(arena, text, "f", kind, &options, &list, &spec, &err);
    diagnostics_format(&list, text, &shown);
    must(str_is_utf8(buf_str(&shown)) || !str_is_utf8(text));
    must((done < 0) == (list.n_errors > 0));
    if (done < 0) {
        must(err.kind == ERR_BAD_DATA && list.n > 0);
        return 0;
    }
    check_again(arena, spec, &options);
    ask(arena, spec);
    return 0;
}
