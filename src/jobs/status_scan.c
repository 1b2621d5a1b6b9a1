/* Scout tells in scan_id=<id>/_scan.json what a scan is to read, and in _summary.json how far it
   is: in the job's folder while it goes on, beside the other once it is over. */

#include "jobs/status_scan.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"
#include "codec/json.h"
#include "codec/json_scan.h"
#include "codec/murmur3.h"

enum {
    SPEC_MAX = 64 << 20, /* it has the id of each transcript */
    SUMMARY_MAX = 16 << 20,
};

typedef struct Reading {
    Jobs *jobs;
    const Job *job;
    Arena *arena;
    StatusScanners *scanners;
} Reading;

/* ---- which files ---- */

/* The folder of a file. */
static Str folder_of(const char *key)
{
    return str_slice(str_of(key), 0, (size_t)str_rfind(str_of(key), '/'));
}

/* The summary of a scan that goes on, or NULL: Scout names its folder by the hash of where results
   go. */
static char *live_path(Jobs *jobs, const Job *job, const char *folder)
{
    Executor *executor = jobs->options.executor;
    char hex[MURMUR3_HEX_MAX];
    auto_free char *place = store_location(jobs->options.store, folder);
    auto_free char *real = place[0] == '/' ? realpath(place, NULL) : NULL;
    murmur3_hex(murmur3_of(str_of(real ? real : place)), hex);
    auto_free char *name = mem_printf(".scanbuffer/%s/_summary.json", hex);
    return executor->file(executor, job->job_id, name);
}

typedef struct Finding {
    Arena *arena;
    StatusScans *scans;
} Finding;

/* In the order of keys the description of a scan comes before its summary. */
static int each_object(void *context, const char *key, const StoreStat *stat, Error *err)
{
    (void)err;
    const Finding *finding = context;
    StatusScans *scans = finding->scans;
    if (str_ends(str_of(key), STR("/_scan.json")) && scans->n < STATUS_SCANS_MAX) {
        scans->keys[scans->n] = arena_strdup(finding->arena, key);
        scans->marks[scans->n++] = arena_strdup(finding->arena, stat->etag);
    } else if (str_ends(str_of(key), STR("/_summary.json")) && scans->n &&
               str_eq(folder_of(key), folder_of(scans->keys[scans->n - 1]))) {
        const char **mark = &scans->marks[scans->n - 1];
        *mark = arena_printf(finding->arena, "%s %s", *mark, stat->etag);
    }
    return 0;
}

static void mark_live(Jobs *jobs, const Job *job, Arena *arena, const char *key, const char **mark)
{
    struct stat st;
    Str folder = folder_of(key);
    auto_free char *path = live_path(jobs, job, arena_strndup(arena, folder.p, folder.n));
    if (path && stat(path, &st) == 0)
        *mark = arena_printf(arena, "%s %lld.%09ld-%lld-%llu", *mark, (long long)st.st_mtim.tv_sec,
                             (long)st.st_mtim.tv_nsec, (long long)st.st_size,
                             (unsigned long long)st.st_ino);
}

int status_scan_find(Jobs *jobs, const Job *job, Arena *arena, StatusScans *ret, Error *err)
{
    StatusScans scans = {.keys = arena_array(arena, STATUS_SCANS_MAX, sizeof(*scans.keys)),
                         .marks = arena_array(arena, STATUS_SCANS_MAX, sizeof(*scans.marks))};
    Finding finding = {.arena = arena, .scans = &scans};
    auto_free char *prefix = mem_printf("%s/%s", job_type_root(JOB_SCAN), job->job_id);
    if (store_list(jobs->options.store, prefix, true, each_object, &finding, err) < 0)
        return -1;
    for (size_t i = 0; i < scans.n; i++)
        mark_live(jobs, job, arena, scans.keys[i], &scans.marks[i]);
    *ret = scans;
    return 0;
}

/* ---- reading ---- */

static const Json *read_summary(const Reading *reading, const char *folder, Arena *arena)
{
    auto_error Error ignored = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(SUMMARY_MAX);
    Json *summary = NULL;
    auto_free char *path = live_path(reading->jobs, reading->job, folder);
    if (!path || fs_read_file(path, &text, &ignored) < 0) {
        auto_free char *key = mem_printf("%s/_summary.json", folder);
        error_reset(&ignored);
        buf_reset(&text);
        if (store_get(reading->jobs->options.store, key, &text, &ignored) < 0)
            return NULL;
    }
    return json_parse(arena, arena_str(arena, buf_str(&text)), &json_limits_config, &summary,
                      &ignored) == 0
               ? summary
               : NULL;
}

static int64_t count_items(Str raw)
{
    JsonScan scan;
    Str key = STR_NONE;
    int64_t n = 0;
    json_scan_init(&scan, raw, true);
    if (json_scan_kind(&scan) == JSON_SCAN_OBJECT && json_scan_object(&scan))
        while (json_scan_member(&scan, &key))
            n++;
    else if (json_scan_kind(&scan) == JSON_SCAN_ARRAY && json_scan_array(&scan))
        while (json_scan_item(&scan))
            n++;
    return n;
}

static const char *text_of(Str raw, const char *name, Arena *arena)
{
    Str value = STR_NONE;
    Str text = STR_NONE;
    return json_scan_get(raw, name, &value) && json_scan_str(value, arena, &text)
               ? arena_strndup(arena, text.p, text.n)
               : NULL;
}

/* What _scan.json says, of which it may have a lot: it is gone through once for all scanners. */
typedef struct Spec {
    const char *scan_id;
    const char *model; /* NULL: of none */
    Str worklist;
    int64_t n_transcripts; /* of scanners without a list of their own */
} Spec;

static Spec read_spec(Str text, Arena *arena)
{
    Str model = STR_NONE;
    Str raw = STR_NONE;
    Str ids = STR_NONE;
    Spec spec = {.scan_id = text_of(text, "scan_id", arena)};
    (void)json_scan_get(text, "model", &model);
    (void)json_scan_get(text, "worklist", &spec.worklist);
    spec.model = text_of(model, "model", arena);
    if (json_scan_get(text, "transcripts", &raw) && json_scan_get(raw, "transcript_ids", &ids))
        spec.n_transcripts = count_items(ids);
    return spec;
}

/* How many transcripts a scanner is to read: those of a list of its own, or all. */
static int64_t count_transcripts(const Spec *spec, Str scanner)
{
    auto_arena Arena *arena = arena_new();
    Str item = STR_NONE;
    Str value = STR_NONE;
    Str name = STR_NONE;
    JsonScan scan;
    json_scan_init(&scan, spec->worklist, true);
    if (spec->worklist.n && json_scan_kind(&scan) == JSON_SCAN_ARRAY && json_scan_array(&scan))
        while (json_scan_item(&scan) && json_scan_skip(&scan, &item))
            if (json_scan_get(item, "scanner", &value) && json_scan_str(value, arena, &name) &&
                str_eq(name, scanner) && json_scan_get(item, "transcripts", &value))
                return count_items(value);
    return spec->n_transcripts;
}

/* A number of a summary, which the job writes: what is no count is none. */
static int64_t count_of(const Json *counts, const char *name)
{
    int64_t n = json_int(counts, name, 0);
    return n < 0 ? 0 : n < INT32_MAX ? n : INT32_MAX;
}

static void add_scanner(const Reading *reading, const Spec *spec, const Json *summary, Str name)
{
    StatusScanners *scanners = reading->scanners;
    const Json *counts = json_get_str(json_get(summary, "scanners"), name);
    if (scanners->n == STATUS_SCANNERS_MAX)
        return;
    scanners->items[scanners->n++] = (StatusScanner){
        .scan_id = spec->scan_id ? spec->scan_id : "",
        .model = spec->model,
        .name = arena_strndup(reading->arena, name.p, name.n),
        .n_transcripts = count_transcripts(spec, name),
        .n_scans = count_of(counts, "scans"),
        .n_results = count_of(counts, "results"),
        .n_errors = count_of(counts, "errors"),
        .is_complete = json_bool(summary, "complete", false),
    };
}

static void read_scan(const Reading *reading, const char *key)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error ignored = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(SPEC_MAX);
    Str folder = folder_of(key);
    Str scanners = STR_NONE;
    Str written = STR_NONE;
    JsonScan scan;
    if (store_get(reading->jobs->options.store, key, &text, &ignored) < 0 ||
        !json_scan_get(buf_str(&text), "scanners", &scanners))
        return;
    const Json *summary = read_summary(reading, arena_strndup(arena, folder.p, folder.n), arena);
    const Spec spec = read_spec(buf_str(&text), reading->arena);
    json_scan_init(&scan, scanners, true);
    if (json_scan_kind(&scan) != JSON_SCAN_OBJECT || !json_scan_object(&scan))
        return;
    while (json_scan_member(&scan, &written)) {
        Str name = STR_NONE;
        if (json_scan_key_str(written, arena, &name))
            add_scanner(reading, &spec, summary, name);
    }
}

void status_scan_read(Jobs *jobs, const Job *job, const StatusScans *scans, Arena *arena,
                      StatusScanners *ret)
{
    StatusScanners scanners = {
        .items = arena_array(arena, STATUS_SCANNERS_MAX, sizeof(*scanners.items))};
    const Reading reading = {.jobs = jobs, .job = job, .arena = arena, .scanners = &scanners};
    for (size_t i = 0; i < scans->n; i++)
        read_scan(&reading, scans->keys[i]);
    *ret = scanners;
}
