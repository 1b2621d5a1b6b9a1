/* Names of logs and of what becomes of them. */

#include "warehouse/importer/importer.h"
#include "warehouse/importer/importer_priv.h"

static const char *const outcome_names[] = {
    [IMPORTER_DONE] = "done",
    [IMPORTER_RUNNING] = "running",
    [IMPORTER_UNCHANGED] = "unchanged",
    [IMPORTER_GONE] = "gone",
};

const char *importer_outcome_name(ImporterOutcome outcome)
{
    return outcome_names[outcome];
}

bool importer_split_key(Str key, Str *ret_eval_set_id, Str *ret_name)
{
    Str prefix = STR("evals/");
    if (!str_starts(key, prefix))
        return false;
    Str rest = str_slice(key, prefix.n, key.n);
    ptrdiff_t slash = str_find(rest, '/');
    if (slash <= 0)
        return false;
    *ret_eval_set_id = str_slice(rest, 0, (size_t)slash);
    *ret_name = str_slice(rest, (size_t)slash + 1, rest.n);
    return true;
}

bool importer_is_log(Str key)
{
    Str eval_set_id = STR_NONE;
    Str name = STR_NONE;
    return store_key_is_valid(key) && importer_split_key(key, &eval_set_id, &name) &&
           str_find(name, '/') < 0 && name.n > 5 && name.p[0] != '.' &&
           str_ends(name, STR(".eval")) && !str_ends(name, STR(".fast.eval"));
}

void importer_file_hash(const char *location, const StoreStat *stat, char ret[IMPORTER_HASH_MAX])
{
    bool is_bucket = str_starts(str_of(location), STR("s3://"));
    (void)snprintf(ret, IMPORTER_HASH_MAX, "%s:%s", is_bucket ? "s3-etag" : "etag", stat->etag);
}
