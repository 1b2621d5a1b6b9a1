/* Summaries: arrays of JSON into records, and which of them count. */

#include <stddef.h>
#include <stdlib.h>

#include "base/mem.h"
#include "evallog/evallog_priv.h"

/* clang-format off */
#define SUMMARY(member) offsetof(EvalLogSummary, member)
enum { N_NAMES = 3 }; /* the first ones say which sample it is */

static const EvalLogField fields[] = {
    { "id",            EVALLOG_NAME, SUMMARY(id) },
    { "epoch",         EVALLOG_INT,  SUMMARY(epoch) },
    { "uuid",          EVALLOG_TEXT, SUMMARY(uuid) },
    { "completed",     EVALLOG_BOOL, SUMMARY(completed) },
    { "error",         EVALLOG_TEXT, SUMMARY(error) },
    { "limit",         EVALLOG_TEXT, SUMMARY(limit) },
    { "input",         EVALLOG_RAW,  SUMMARY(input) },
    { "target",        EVALLOG_RAW,  SUMMARY(target) },
    { "scores",        EVALLOG_RAW,  SUMMARY(scores) },
    { "metadata",      EVALLOG_RAW,  SUMMARY(metadata) },
    { "model_usage",   EVALLOG_RAW,  SUMMARY(model_usage) },
    { "started_at",    EVALLOG_TIME, SUMMARY(started_us) },
    { "completed_at",  EVALLOG_TIME, SUMMARY(completed_us) },
    { "total_time",    EVALLOG_REAL, SUMMARY(total_time) },
    { "working_time",  EVALLOG_REAL, SUMMARY(working_time) },
    { "message_count", EVALLOG_INT,  SUMMARY(message_count) },
    { "retries",       EVALLOG_INT,  SUMMARY(retries) },
};
/* clang-format on */

static EvalLogSummary *add(EvalLog *log)
{
    size_t n = log->n_summaries;
    if ((n & (n - 1)) == 0)
        log->summary_items =
            mem_resize(log->summary_items, n ? n * 2 : 1, sizeof(*log->summary_items));
    log->n_summaries++;
    return &log->summary_items[n];
}

int evallog_add_summaries(EvalLog *log, Str array, Error *err)
{
    JsonScan scan;
    json_scan_init(&scan, array, true);
    json_scan_array(&scan);
    while (json_scan_item(&scan)) {
        Str raw;
        if (!json_scan_skip(&scan, &raw))
            break;
        EvalLogSummary *summary = add(log);
        *summary = (EvalLogSummary){.raw = raw};
        if (evallog_fill(raw, fields, ARRAY_LEN(fields), log->arena, summary, err) < 0)
            return -1;
        if (!summary->id.p || summary->epoch == EVALLOG_NONE)
            return error_set(err, ERR_BAD_DATA, "summary %zu has no id or no epoch",
                             log->n_summaries);
    }
    return json_scan_end(&scan, err);
}

int evallog_find_summary(JsonStream *stream, Str uuid, Arena *arena, Str *ret_id,
                         int64_t *ret_epoch, Error *err)
{
    Str raw = STR_NONE;
    (void)json_stream_array(stream);
    while (json_stream_item(stream) && json_stream_skip(stream, &raw)) {
        EvalLogSummary summary = {.raw = raw};
        if (str_find_str(raw, uuid) < 0)
            continue;
        if (evallog_fill(raw, fields, N_NAMES, arena, &summary, err) < 0)
            return -1;
        if (!summary.uuid.p || !str_eq(summary.uuid, uuid) || !summary.id.p ||
            summary.epoch == EVALLOG_NONE)
            continue;
        *ret_id = arena_str(arena, summary.id);
        *ret_epoch = summary.epoch;
        return 1;
    }
    return json_stream_end(stream, err) < 0 ? -1 : 0;
}

static int compare(const void *a, const void *b, void *context)
{
    const EvalLogSummary *items = context;
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    int order = str_cmp(items[left].id, items[right].id);
    if (order != 0)
        return order;
    if (items[left].epoch != items[right].epoch)
        return items[left].epoch < items[right].epoch ? -1 : 1;
    return left < right ? -1 : left > right;
}

void evallog_dedupe_summaries(EvalLog *log)
{
    EvalLogSummary *items = log->summary_items;
    size_t n = log->n_summaries;
    auto_free uint32_t *order = mem_array(n + 1, sizeof(*order));
    auto_free bool *is_dropped = mem_array(n + 1, sizeof(*is_dropped));
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    qsort_r(order, n, sizeof(*order), compare, items);
    size_t first = 0;
    for (size_t i = 1; i < n; i++) {
        const EvalLogSummary *item = &items[order[i]];
        if (!str_eq(items[order[first]].id, item->id) || items[order[first]].epoch != item->epoch) {
            first = i;
            continue;
        }
        items[order[first]] = *item;
        is_dropped[order[i]] = true;
    }
    size_t n_kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_dropped[i])
            items[n_kept++] = items[i];
    }
    log->n_summaries = n_kept;
    log->summaries = (EvalLogSummaries){items, n_kept};
}
