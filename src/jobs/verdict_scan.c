/* What a scan that ended well has come to: each of its folders of results says whether it is
   complete. */

#include "base/mem.h"
#include "codec/json.h"
#include "jobs/jobs_priv.h"

enum { SUMMARY_MAX = 16 << 20 };

typedef struct Results {
    Store *store;
    size_t n_begun;
    size_t n_complete;
} Results;

static bool is_complete(Store *store, const char *key)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error ignored = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(SUMMARY_MAX);
    Json *summary = NULL;
    return store_get(store, key, &text, &ignored) == 0 &&
           json_parse(arena, buf_str(&text), &json_limits_config, &summary, &ignored) == 0 &&
           json_bool(summary, "complete", false);
}

static int each_object(void *context, const char *key, const StoreStat *stat, Error *err)
{
    (void)stat;
    (void)err;
    Results *results = context;
    if (str_ends(str_of(key), STR("/_scan.json")))
        results->n_begun++;
    else if (str_ends(str_of(key), STR("/_summary.json")) && is_complete(results->store, key))
        results->n_complete++;
    return 0;
}

void jobs_priv_scan_verdict(Jobs *jobs, const char *job_id, JobsVerdict *ret)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *prefix = mem_printf("%s/%s", job_type_root(JOB_SCAN), job_id);
    Results results = {.store = jobs->options.store};
    if (store_list(results.store, prefix, true, each_object, &results, &err) < 0)
        *ret = (JobsVerdict){JOB_FAILED, "scan.unreadable",
                             mem_printf("its results cannot be listed: %s", error_text(&err))};
    else if (results.n_begun == 0)
        *ret = (JobsVerdict){JOB_FAILED, "scan.none", mem_strdup("it ended without any results")};
    else if (results.n_complete < results.n_begun)
        *ret = (JobsVerdict){JOB_FAILED, "scan.incomplete",
                             mem_printf("%zu of its %zu scans are not complete",
                                        results.n_begun - results.n_complete, results.n_begun)};
    else
        *ret = (JobsVerdict){JOB_COMPLETE, "done", mem_strdup("done")};
}
