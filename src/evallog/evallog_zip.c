/* The members of a `.eval` archive.

   A finished log ends with summaries.json, reductions.json and header.json. One that is still
   growing (or whose process died) has only its journal: what the eval began with, one member of
   summaries for each time samples were written, and changes of its config. */

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/json_out.h"
#include "evallog/evallog_priv.h"

#define START STR("_journal/start.json")
#define SUMMARIES_PREFIX STR("_journal/summaries/")
#define UPDATES_PREFIX STR("_journal/config_updates/")
#define SAMPLES_PREFIX STR("samples/")
#define SAMPLE_SUFFIX STR(".json")
#define SHELL_SUFFIX STR("/sample.json")
#define EPOCH_MARK STR("_epoch_")

static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = ((const EvalLogNumbered *)a)->number;
    uint64_t right = ((const EvalLogNumbered *)b)->number;
    return left < right ? -1 : left > right;
}

size_t evallog_numbered(const Zip *zip, Str prefix, Arena *arena, EvalLogNumbered **ret)
{
    size_t first = 0;
    size_t n_found = zip_find_prefix(zip, prefix, &first);
    EvalLogNumbered *items = arena_array(arena, n_found + 1, sizeof(*items));
    size_t n = 0;
    for (size_t i = 0; i < n_found; i++) {
        const ZipEntry *entry = zip_entry_sorted(zip, first + i);
        Str rest = str_slice(entry->name, prefix.n, SIZE_MAX);
        int64_t number = 0;
        if (str_ends(rest, SAMPLE_SUFFIX) &&
            str_to_i64(str_slice(rest, 0, rest.n - SAMPLE_SUFFIX.n), 0, INT64_MAX, &number) == 0)
            items[n++] = (EvalLogNumbered){(uint64_t)number, entry};
    }
    qsort(items, n, sizeof(*items), compare_numbers);
    *ret = items;
    return n;
}

/* The config updates of the journal as one array; nothing when there are none. */
static int add_updates(EvalLog *log, JsonOut *out, Error *err)
{
    EvalLogNumbered *updates = NULL;
    size_t n = evallog_numbered(log->zip, UPDATES_PREFIX, log->arena, &updates);
    if (n == 0)
        return 0;
    json_out_kv_array(out, "config_updates");
    for (size_t i = 0; i < n; i++) {
        auto_buf Buf text = BUF_INIT(EVALLOG_HEADER_MAX);
        if (zip_read(log->zip, updates[i].entry, &text, err) < 0 ||
            json_scan_valid(buf_str(&text), true, err) < 0)
            return -1;
        json_out_raw(out, buf_str(&text));
    }
    json_out_end_array(out);
    return 0;
}

static void add_member(JsonOut *out, const char *key, Str from, const char *name,
                       const char *otherwise)
{
    Str raw;
    json_out_key(out, str_of(key));
    if (json_scan_get(from, name, &raw) && json_scan_kind_of(raw) != JSON_SCAN_NULL)
        json_out_raw(out, raw);
    else
        json_out_raw(out, str_of(otherwise));
}

/* What Inspect shows for a log without a header. */
static int header_of_start(EvalLog *log, const ZipEntry *start, Error *err)
{
    auto_buf Buf text = BUF_INIT(EVALLOG_HEADER_MAX);
    if (zip_read(log->zip, start, &text, err) < 0 || json_scan_valid(buf_str(&text), true, err) < 0)
        return -1;
    Str eval = STR_NONE;
    (void)json_scan_get(buf_str(&text), "eval", &eval);
    JsonOut out;
    json_out_init(&out, &log->header_text, 0);
    json_out_object(&out);
    add_member(&out, "version", buf_str(&text), "version", "2");
    json_out_kvz(&out, "status", "started");
    add_member(&out, "eval", buf_str(&text), "eval", "null");
    add_member(&out, "plan", buf_str(&text), "plan", "{}");
    json_out_key(&out, STR("stats"));
    json_out_raw(&out, STR("{\"started_at\":\"\",\"completed_at\":\"\",\"model_usage\":{},"
                           "\"role_usage\":{}}"));
    json_out_kv_bool(&out, "invalidated", false);
    if (add_updates(log, &out, err) < 0)
        return -1;
    add_member(&out, "tags", eval, "tags", "[]");
    add_member(&out, "metadata", eval, "metadata", "{}");
    json_out_end_object(&out);
    return buf_check(&log->header_text, "the header", err);
}

int evallog_zip_header(EvalLog *log, Error *err)
{
    const ZipEntry *header = zip_find(log->zip, STR("header.json"));
    const ZipEntry *start = zip_find(log->zip, START);
    if (header) {
        if (zip_read(log->zip, header, &log->header_text, err) < 0)
            return -1;
        return evallog_parse_header(log, err);
    }
    if (!start)
        return error_set(err, ERR_BAD_DATA,
                         "%s: an archive without header.json and _journal/start.json",
                         log->source->name);
    if (header_of_start(log, start, err) < 0)
        return error_wrap(err, "%s: start.json", log->source->name);
    return evallog_parse_header(log, err);
}

int evallog_zip_summaries(EvalLog *log, Error *err)
{
    auto_arena Arena *arena = arena_new();
    const ZipEntry *all = zip_find(log->zip, STR("summaries.json"));
    EvalLogNumbered one = {0, all};
    EvalLogNumbered *parts = &one;
    size_t n = all ? 1 : evallog_numbered(log->zip, SUMMARIES_PREFIX, arena, &parts);
    /* All parts are read before any is parsed, since the text moves while it grows. */
    size_t *ends = arena_array(arena, n + 1, sizeof(*ends));
    for (size_t i = 0; i < n; i++) {
        if (zip_read(log->zip, parts[i].entry, &log->summaries_text, err) < 0)
            return -1;
        ends[i] = log->summaries_text.len;
    }
    size_t start = 0;
    for (size_t i = 0; i < n; i++) {
        Str array = str_slice(buf_str(&log->summaries_text), start, ends[i]);
        if (evallog_add_summaries(log, array, err) < 0)
            return error_wrap(err, "%s: %.*s", log->source->name, STR_ARG(parts[i].entry->name));
        start = ends[i];
    }
    evallog_dedupe_summaries(log);
    return 0;
}

/* Reads "samples/<id>_epoch_<n>.json" or "samples/<id>_epoch_<n>/sample.json". */
static bool parse_name(Str name, EvalLogSample *ret)
{
    if (!str_starts(name, SAMPLES_PREFIX))
        return false;
    Str rest = str_slice(name, SAMPLES_PREFIX.n, SIZE_MAX);
    bool is_chunked = str_ends(rest, SHELL_SUFFIX);
    if (!is_chunked && !str_ends(rest, SAMPLE_SUFFIX))
        return false;
    rest = str_slice(rest, 0, rest.n - (is_chunked ? SHELL_SUFFIX.n : SAMPLE_SUFFIX.n));
    size_t n_digits = 0;
    while (n_digits < rest.n && rest.p[rest.n - 1 - n_digits] >= '0' &&
           rest.p[rest.n - 1 - n_digits] <= '9')
        n_digits++;
    Str digits = str_slice(rest, rest.n - n_digits, SIZE_MAX);
    Str id = str_slice(rest, 0, rest.n - n_digits);
    int64_t epoch = 0;
    if (!str_ends(id, EPOCH_MARK) || str_to_i64(digits, 0, INT64_MAX, &epoch) < 0)
        return false;
    *ret = (EvalLogSample){
        .id = str_slice(id, 0, id.n - EPOCH_MARK.n), .epoch = epoch, .is_chunked = is_chunked};
    return true;
}

/* Whether the entry is a sample. */
static bool read_entry(const Zip *zip, const ZipEntry *entry, EvalLogSample *ret)
{
    if (!parse_name(entry->name, ret))
        return false;
    ret->size = entry->size;
    ret->index = (size_t)(entry - zip_entry(zip, 0));
    return true;
}

void evallog_zip_samples(EvalLog *log)
{
    size_t n = zip_n_entries(log->zip);
    log->sample_items = mem_array(n + 1, sizeof(*log->sample_items));
    for (size_t i = 0; i < n; i++) {
        if (read_entry(log->zip, zip_entry(log->zip, i), &log->sample_items[log->n_samples]))
            log->n_samples++;
    }
    log->samples = (EvalLogSamples){log->sample_items, log->n_samples};
    log->has_samples = true;
}

EvalLogSample *evallog_zip_find_sample(EvalLog *log, Str id, int64_t epoch)
{
    const Str suffixes[] = {SAMPLE_SUFFIX, SHELL_SUFFIX};
    auto_buf Buf name = BUF_INIT(ZIP_NAME_MAX);
    buf_add_str(&name, SAMPLES_PREFIX);
    buf_add_str(&name, id);
    buf_printf(&name, "_epoch_%" PRId64, epoch);
    size_t n_front = name.len;
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        buf_truncate(&name, n_front);
        buf_add_str(&name, suffixes[i]);
        const ZipEntry *entry = name.overflowed ? NULL : zip_find(log->zip, buf_str(&name));
        EvalLogSample *sample = entry ? arena_alloc(log->arena, sizeof(*sample)) : NULL;
        if (sample && read_entry(log->zip, entry, sample))
            return sample;
    }
    return NULL;
}

int evallog_zip_find_uuid(EvalLog *log, Str uuid, const EvalLogSample **ret, Error *err)
{
    const ZipEntry *all = zip_find(log->zip, STR("summaries.json"));
    auto_evallog_text EvalLogText text = {0};
    Str id = STR_NONE;
    int64_t epoch = 0;
    if (!all)
        return 0;
    if (evallog_text_open_search(&text, log, all, err) < 0)
        return -1;
    int found = evallog_find_summary(text.stream, uuid, log->arena, &id, &epoch, err);
    if (found < 0)
        return error_wrap(err, "%s: %.*s", log->source->name, STR_ARG(all->name));
    EvalLogSample *sample = found ? evallog_zip_find_sample(log, id, epoch) : NULL;
    if (!sample)
        return 0;
    sample->uuid = arena_str(log->arena, uuid);
    *ret = sample;
    return 1;
}

int evallog_zip_reductions(EvalLog *log, Error *err)
{
    const ZipEntry *entry = zip_find(log->zip, STR("reductions.json"));
    if (!entry)
        return 0;
    if (zip_read(log->zip, entry, &log->reductions_text, err) < 0)
        return -1;
    if (json_scan_valid(buf_str(&log->reductions_text), true, err) < 0)
        return error_wrap(err, "%s: reductions.json", log->source->name);
    log->reductions = buf_str(&log->reductions_text);
    return 0;
}
