/* An open log: which form it has, and what of it was read already. */

#include "evallog/evallog.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "evallog/evallog_priv.h"
#include "evallog/sample_parts.h"

typedef enum Form { FORM_ZIP, FORM_JSON } Form;

static int detect(Source *source, Form *ret, Error *err)
{
    Str name = str_of(source->name);
    char first[2] = "";
    if (str_ends(name, STR(".eval"))) {
        *ret = FORM_ZIP;
        return 0;
    }
    if (str_ends(name, STR(".json"))) {
        *ret = FORM_JSON;
        return 0;
    }
    if (source->size < sizeof(first))
        return error_set(err, ERR_BAD_DATA, "%s: too short for a log", source->name);
    if (source_read_at(source, 0, first, sizeof(first), err) < 0)
        return -1;
    *ret = first[0] == 'P' && first[1] == 'K' ? FORM_ZIP : FORM_JSON;
    return 0;
}

int evallog_open(Source *take_source, EvalLog **ret, Error *err)
{
    Form form = FORM_ZIP;
    if (detect(take_source, &form, err) < 0)
        return -1;
    auto_zip Zip *zip = NULL;
    if (form == FORM_ZIP && zip_open(take_source, &zip, err) < 0)
        return -1;
    EvalLog *log = mem_alloc(sizeof(*log));
    *log = (EvalLog){
        .source = take_source,
        .zip = TAKE(zip),
        .whole_max = SAMPLE_PARTS_WHOLE_MAX,
        .arena = arena_new(),
        .header_text = BUF_INIT(EVALLOG_HEADER_MAX),
        .summaries_text = BUF_INIT(EVALLOG_SUMMARIES_MAX),
        .reductions_text = BUF_INIT(EVALLOG_SUMMARIES_MAX),
    };
    *ret = log;
    return 0;
}

void evallog_close(EvalLog *log)
{
    if (!log)
        return;
    zip_close(log->zip);
    source_close(log->source);
    arena_free(log->arena);
    buf_release(&log->header_text);
    buf_release(&log->summaries_text);
    buf_release(&log->reductions_text);
    free(log->summary_items);
    free(log->sample_items);
    free(log->json_samples);
    free(log);
}

void evallog_hold_at_most(EvalLog *log, size_t n)
{
    assert(n <= SAMPLE_PARTS_WHOLE_MAX);
    log->whole_max = n;
}

int evallog_header(EvalLog *log, const EvalLogHeader **ret, Error *err)
{
    if (!log->has_header) {
        buf_reset(&log->header_text);
        int result = log->zip ? evallog_zip_header(log, err) : evallog_json_header(log, err);
        if (result < 0)
            return -1;
        log->has_header = true;
    }
    *ret = &log->header;
    return 0;
}

int evallog_summaries(EvalLog *log, const EvalLogSummaries **ret, Error *err)
{
    if (!log->has_summaries) {
        buf_reset(&log->summaries_text);
        log->n_summaries = 0;
        int result = log->zip ? evallog_zip_summaries(log, err) : evallog_json_summaries(log, err);
        if (result < 0)
            return -1;
        log->has_summaries = true;
    }
    *ret = &log->summaries;
    return 0;
}

int evallog_samples(EvalLog *log, const EvalLogSamples **ret, Error *err)
{
    if (!log->has_samples && log->zip)
        evallog_zip_samples(log);
    if (!log->has_samples && evallog_json_samples(log, err) < 0)
        return -1;
    *ret = &log->samples;
    return 0;
}

int evallog_reductions(EvalLog *log, Str *ret, Error *err)
{
    if (!log->has_reductions) {
        buf_reset(&log->reductions_text);
        int result =
            log->zip ? evallog_zip_reductions(log, err) : evallog_json_reductions(log, err);
        if (result < 0)
            return -1;
        log->has_reductions = true;
    }
    *ret = log->reductions;
    return 0;
}

/* The last of that id and epoch in a `.json` log, or NULL. */
static const EvalLogSample *find_listed(const EvalLogSamples *samples, Str id, int64_t epoch)
{
    for (size_t i = samples->n; i > 0; i--) {
        if (str_eq(samples->items[i - 1].id, id) && samples->items[i - 1].epoch == epoch)
            return &samples->items[i - 1];
    }
    return NULL;
}

int evallog_find_sample(EvalLog *log, Str id, int64_t epoch, const EvalLogSample **ret, Error *err)
{
    const EvalLogSamples *samples = NULL;
    if (!log->zip && evallog_samples(log, &samples, err) < 0)
        return -1;
    const EvalLogSample *found =
        log->zip ? evallog_zip_find_sample(log, id, epoch) : find_listed(samples, id, epoch);
    if (!found)
        return error_set(err, ERR_NOT_FOUND, "%s has no such sample in epoch %" PRId64,
                         log->source->name, epoch);
    *ret = found;
    return 0;
}

int evallog_find_uuid(EvalLog *log, Str uuid, const EvalLogSample **ret, Error *err)
{
    /* Most uuids are found without a record of every summary. */
    int found = log->zip && !log->has_summaries ? evallog_zip_find_uuid(log, uuid, ret, err) : 0;
    if (found != 0)
        return found < 0 ? -1 : 0;
    const EvalLogSummaries *summaries = NULL;
    if (evallog_summaries(log, &summaries, err) < 0)
        return -1;
    for (size_t i = 0; i < summaries->n; i++) {
        const EvalLogSummary *summary = &summaries->items[i];
        if (summary->uuid.p && str_eq(summary->uuid, uuid))
            return evallog_find_sample(log, summary->id, summary->epoch, ret, err);
    }
    return error_set(err, ERR_NOT_FOUND, "%s has no sample of that uuid", log->source->name);
}

int evallog_check_uuid(const EvalLog *log, const EvalLogSample *sample, Str raw, Error *err)
{
    auto_buf Buf said = BUF_INIT(sample->uuid.n);
    if (json_scan_add_str(raw, &said) && !said.overflowed && str_eq(buf_str(&said), sample->uuid))
        return 0;
    return error_set(err, ERR_NOT_FOUND,
                     "%s has no sample of that uuid: its summary leads to sample %.*s, which has "
                     "another",
                     log->source->name, STR_ARG(sample->id));
}

static int read_sample(const EvalLog *log, const EvalLogSample *sample, Buf *ret, Error *err)
{
    if (sample->is_chunked)
        return evallog_chunks_read(log, sample, ret, err);
    return log->zip ? zip_read(log->zip, zip_entry(log->zip, sample->index), ret, err)
                    : evallog_json_read_sample(log, sample, ret, err);
}

int evallog_read_sample(const EvalLog *log, const EvalLogSample *sample, Buf *ret, Error *err)
{
    size_t from = ret->len;
    Str raw = STR_NONE;
    if (read_sample(log, sample, ret, err) < 0)
        return -1;
    if (!sample->uuid.p || !json_scan_get(str_slice(buf_str(ret), from, SIZE_MAX), "uuid", &raw))
        return 0;
    return evallog_check_uuid(log, sample, raw, err);
}
