/* A `.json` log: one object with the header's members first, then all samples.

   The header is read by growing a prefix until "samples" comes, since the rest may be a thousand
   times as large; of a log whose keys have another order the whole file is passed. So it is for
   anything else, which remembers where each sample is; a sample is then a range of the file. */

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/json_out.h"
#include "evallog/evallog_priv.h"

enum { PREFIX_FIRST = 256 << 10 };

static bool is_bulk(Str key)
{
    return json_scan_key_eq(key, "samples") || json_scan_key_eq(key, "reductions");
}

/* Keys are Inspect's names, without escapes; another one is copied all the same. */
static void copy_key(Str key, bool *is_first, Buf *ret)
{
    buf_addz(ret, *is_first ? "\"" : ",\"");
    buf_add_str(ret, key);
    buf_addz(ret, "\":");
    *is_first = false;
}

/* Writes what comes before the samples as an object of its own. */
static int copy_header(Str text, bool *ret_has_samples, Buf *ret, Error *err)
{
    JsonScan scan;
    Str key;
    bool is_first = true;
    *ret_has_samples = false;
    json_scan_init(&scan, text, true);
    json_scan_object(&scan);
    buf_addc(ret, '{');
    while (json_scan_member(&scan, &key)) {
        Str value;
        *ret_has_samples = is_bulk(key);
        if (*ret_has_samples || !json_scan_skip(&scan, &value))
            break;
        copy_key(key, &is_first, ret);
        buf_add_str(ret, value);
    }
    buf_addc(ret, '}');
    return json_scan_check(&scan, err);
}

/* Writes all but the samples, wherever it stands. */
static int copy_scattered(EvalLog *log, Buf *ret, Error *err)
{
    auto_evallog_text EvalLogText text = {0};
    Str key;
    Str value;
    bool is_first = true;
    if (evallog_text_open_range(&text, log, 0, log->source->size, err) < 0)
        return -1;
    buf_addc(ret, '{');
    bool is_in = json_stream_object(text.stream);
    while (is_in && json_stream_member(text.stream, &key)) {
        if (is_bulk(key))
            continue;
        copy_key(key, &is_first, ret); /* the key is gone once the value is read */
        if (!json_stream_skip(text.stream, &value))
            break;
        buf_add_str(ret, value);
    }
    buf_addc(ret, '}');
    if (json_stream_end(text.stream, err) < 0)
        return error_wrap(err, "%s", log->source->name);
    return buf_check(ret, "the header", err);
}

/* Reads a header of which so much stands before the samples. */
static int finish_header(EvalLog *log, bool has_samples, Error *err)
{
    static const char *const first[] = {"status", "eval"};
    Str raw = STR_NONE;
    bool is_scattered = false;
    for (size_t i = 0; has_samples && i < ARRAY_LEN(first); i++)
        is_scattered |= !json_scan_get(buf_str(&log->header_text), first[i], &raw);
    if (is_scattered) {
        buf_reset(&log->header_text);
        if (copy_scattered(log, &log->header_text, err) < 0)
            return -1;
    }
    return evallog_parse_header(log, err);
}

static int check_begin(const EvalLog *log, Str text, Error *err)
{
    if (!str_starts(text, STR("\xEF\xBB\xBF")))
        return 0;
    (void)error_set(err, ERR_BAD_DATA, "%s: it begins with a byte order mark (BOM), not with JSON",
                    log->source->name);
    return error_fix(err, "save it as UTF-8 without BOM: sed -i '1s/^\\xEF\\xBB\\xBF//' FILE");
}

int evallog_json_header(EvalLog *log, Error *err)
{
    uint64_t size = log->source->size;
    size_t n = PREFIX_FIRST;
    for (;;) {
        auto_buf Buf text = BUF_INIT(EVALLOG_HEADER_MAX);
        if (n > size)
            n = (size_t)size;
        if (n > EVALLOG_HEADER_MAX)
            n = EVALLOG_HEADER_MAX;
        char *room = buf_room(&text, n);
        if (source_read_at(log->source, 0, room, n, err) < 0)
            return -1;
        buf_grew(&text, n);
        buf_reset(&log->header_text);
        auto_error Error cut = ERROR_INIT;
        bool has_samples = false;
        if (check_begin(log, buf_str(&text), err) < 0)
            return -1;
        if (copy_header(buf_str(&text), &has_samples, &log->header_text, &cut) == 0)
            return finish_header(log, has_samples, err);
        if (n == size || n == EVALLOG_HEADER_MAX) {
            (void)error_move(err, &cut);
            return error_wrap(err, "%s", log->source->name);
        }
        n *= 4;
    }
}

/* clang-format off */
/* Members of a sample that its summary has under the same name. The first two say which it is. */
static const char *const copied[] = {
    "id", "epoch", "input", "choices", "target", "description", "metadata", "scores", "model_usage",
    "role_usage", "model_fallbacks", "started_at", "completed_at", "total_time", "working_time",
    "uuid", "turn_count", "token_limit", "token_limit_type", "token_limit_usage", "message_limit",
    "time_limit",
};
enum { N_NAMING = 2 };

/* And those that are made from another member: a part of an object, or the length of an array. */
typedef struct Derived {
    const char *from;
    const char *part; /* NULL: the length */
    const char *name;
} Derived;
static const Derived derived[] = {
    { "error",         "message", "error" },
    { "limit",         "type",    "limit" },
    { "limit",         "reason",  "limit_reason" },
    { "error_retries", NULL,      "retries" },
    { "messages",      NULL,      "message_count" },
};
/* clang-format on */

/* Writes the length of the array that comes next, without holding it. */
static void write_length(JsonStream *stream, const char *name, JsonOut *out)
{
    if (json_stream_kind(stream) != JSON_SCAN_ARRAY || !json_stream_array(stream))
        return;
    int64_t n = 0;
    while (json_stream_item(stream))
        n++;
    json_out_kv_int(out, name, n);
}

/* Writes what is made from the member whose value comes next; `rule` is its first one. */
static void write_derived(JsonStream *stream, const Derived *rule, JsonOut *out)
{
    Str raw = STR_NONE;
    Str part = STR_NONE;
    const char *from = rule->from;
    if (!rule->part) {
        write_length(stream, rule->name, out);
        return;
    }
    if (!json_stream_skip(stream, &raw))
        return;
    for (; rule < derived + ARRAY_LEN(derived) && strcmp(rule->from, from) == 0; rule++) {
        if (!json_scan_get(raw, rule->part, &part))
            continue;
        json_out_key(out, str_of(rule->name));
        json_out_raw(out, part);
    }
}

static void write_copied(JsonStream *stream, const char *name, JsonOut *out)
{
    Str raw = STR_NONE;
    if (!json_stream_skip(stream, &raw))
        return;
    json_out_key(out, str_of(name));
    json_out_raw(out, raw);
}

/* Takes what is wanted of the member whose value comes next. */
static void write_member(JsonStream *stream, Str key, bool with_all, JsonOut *out)
{
    for (size_t i = 0; i < (with_all ? ARRAY_LEN(copied) : N_NAMING); i++) {
        if (json_scan_key_eq(key, copied[i])) {
            write_copied(stream, copied[i], out);
            return;
        }
    }
    for (size_t i = 0; with_all && i < ARRAY_LEN(derived); i++) {
        if (json_scan_key_eq(key, derived[i].from)) {
            write_derived(stream, &derived[i], out);
            return;
        }
    }
}

/* Passes the sample that comes next and writes its summary, or what says which it is. */
static int write_summary(JsonStream *stream, bool with_all, Buf *ret, Error *err)
{
    JsonOut out;
    Str key;
    json_out_init(&out, ret, 0);
    json_out_object(&out);
    bool is_in = json_stream_object(stream);
    while (is_in && json_stream_member(stream, &key))
        write_member(stream, key, with_all, &out);
    json_out_kv_bool(&out, "completed", true);
    json_out_end_object(&out);
    if (json_stream_check(stream, err) < 0)
        return -1;
    return buf_check(ret, "the sample's summary", err);
}

static int add_sample(EvalLog *log, EvalLogRange range, Str summary, Error *err)
{
    static const EvalLogField fields[] = {
        {"id", EVALLOG_NAME, offsetof(EvalLogSample, id)},
        {"epoch", EVALLOG_INT, offsetof(EvalLogSample, epoch)},
    };
    size_t n = log->n_samples;
    EvalLogSample sample = {.size = range.size, .index = n};
    if (evallog_fill(summary, fields, ARRAY_LEN(fields), log->arena, &sample, err) < 0)
        return -1;
    if (!sample.id.p || sample.epoch == EVALLOG_NONE)
        return error_set(err, ERR_BAD_DATA, "sample %zu has no id or no epoch", n);
    if (n == EVALLOG_JSON_SAMPLES_MAX)
        return error_set(err, ERR_BAD_DATA, "over the limit of %zu samples", n);
    if ((n & (n - 1)) == 0) {
        size_t room = n ? n * 2 : 1;
        log->sample_items = mem_resize(log->sample_items, room, sizeof(*log->sample_items));
        log->json_samples = mem_resize(log->json_samples, room, sizeof(*log->json_samples));
    }
    sample.id = arena_str(log->arena, sample.id);
    log->sample_items[n] = sample;
    log->json_samples[n] = range;
    log->n_samples++;
    return 0;
}

/* At the value of "samples". Without `summaries` only what says which sample it is is taken. */
static int add_samples(EvalLog *log, JsonStream *stream, JsonOut *summaries, Error *err)
{
    auto_buf Buf summary = BUF_INIT(EVALLOG_SUMMARIES_MAX);
    if (json_stream_kind(stream) == JSON_SCAN_NULL)
        return 0;
    bool is_in = json_stream_array(stream);
    while (is_in && json_stream_item(stream)) {
        buf_reset(&summary);
        (void)json_stream_kind(stream);
        EvalLogRange range = {.offset = json_stream_offset(stream)};
        if (write_summary(stream, summaries != NULL, &summary, err) < 0)
            return -1;
        range.size = json_stream_offset(stream) - range.offset;
        if (add_sample(log, range, buf_str(&summary), err) < 0)
            return -1;
        if (summaries)
            json_out_raw(summaries, buf_str(&summary));
    }
    return json_stream_check(stream, err);
}

static int pass_members(EvalLog *log, JsonStream *stream, JsonOut *summaries, Error *err)
{
    Str key;
    bool is_in = json_stream_object(stream);
    while (is_in && json_stream_member(stream, &key)) {
        bool is_reductions = json_scan_key_eq(key, "reductions");
        if (json_scan_key_eq(key, "samples") && add_samples(log, stream, summaries, err) < 0)
            return -1;
        if (!is_reductions || json_stream_kind(stream) == JSON_SCAN_NULL)
            continue;
        log->json_reductions.offset = json_stream_offset(stream);
        (void)json_stream_skip(stream, NULL);
        log->json_reductions.size = json_stream_offset(stream) - log->json_reductions.offset;
    }
    return json_stream_end(stream, err);
}

/* Passes through the whole file; fills in the samples and, when they are wanted, the summaries. */
static int pass_file(EvalLog *log, JsonOut *summaries, Error *err)
{
    auto_evallog_text EvalLogText text = {0};
    log->n_samples = 0;
    log->json_reductions = (EvalLogRange){0};
    if (evallog_text_open_range(&text, log, 0, log->source->size, err) < 0)
        return -1;
    if (pass_members(log, text.stream, summaries, err) < 0)
        return error_wrap(err, "%s", log->source->name);
    log->samples = (EvalLogSamples){log->sample_items, log->n_samples};
    log->has_samples = true;
    return 0;
}

int evallog_json_samples(EvalLog *log, Error *err)
{
    return pass_file(log, NULL, err);
}

int evallog_json_summaries(EvalLog *log, Error *err)
{
    JsonOut out;
    json_out_init(&out, &log->summaries_text, 0);
    json_out_array(&out);
    if (pass_file(log, &out, err) < 0)
        return -1;
    json_out_end_array(&out);
    if (buf_check(&log->summaries_text, "the summaries", err) < 0)
        return -1;
    if (evallog_add_summaries(log, buf_str(&log->summaries_text), err) < 0)
        return error_wrap(err, "%s", log->source->name);
    evallog_dedupe_summaries(log);
    return 0;
}

/* Appends a range of the file. */
static int read_range(const EvalLog *log, EvalLogRange range, const char *what, Buf *ret,
                      Error *err)
{
    char *room = range.size <= ret->max ? buf_room(ret, (size_t)range.size) : NULL;
    if (!room)
        return error_set(err, ERR_BAD_DATA,
                         "%s: %s at byte %" PRIu64 " is over the limit of %zu bytes",
                         log->source->name, what, range.offset, ret->max);
    if (source_read_at(log->source, range.offset, room, (size_t)range.size, err) < 0)
        return -1;
    buf_grew(ret, (size_t)range.size);
    return 0;
}

/* Logs from before version 0.3.43 of Inspect have them in their results. */
static int old_reductions(EvalLog *log, Error *err)
{
    const EvalLogHeader *header = NULL;
    Str raw = STR_NONE;
    if (evallog_header(log, &header, err) < 0)
        return -1;
    if (json_scan_get(header->results, "sample_reductions", &raw) &&
        json_scan_kind_of(raw) != JSON_SCAN_NULL)
        log->reductions = raw;
    return 0;
}

int evallog_json_reductions(EvalLog *log, Error *err)
{
    const EvalLogSamples *samples = NULL;
    if (evallog_samples(log, &samples, err) < 0)
        return -1;
    if (log->json_reductions.size == 0)
        return old_reductions(log, err);
    if (read_range(log, log->json_reductions, "reductions", &log->reductions_text, err) < 0)
        return -1;
    log->reductions = buf_str(&log->reductions_text);
    return 0;
}

int evallog_json_read_sample(const EvalLog *log, const EvalLogSample *sample, Buf *ret, Error *err)
{
    return read_range(log, log->json_samples[sample->index], "a sample", ret, err);
}

int evallog_json_open_sample(const EvalLog *log, const EvalLogSample *sample, EvalLogText *ret,
                             Error *err)
{
    EvalLogRange range = log->json_samples[sample->index];
    return evallog_text_open_range(ret, log, range.offset, range.size, err);
}
