/* A `.json` log: one object with the header's members first, then all samples.

   The header is read by growing a prefix until "samples" comes, since the rest may be a thousand
   times as large. Anything else reads the whole file, up to EVALLOG_JSON_MAX. */

#include "base/mem.h"
#include "codec/json_out.h"
#include "evallog/evallog_priv.h"

enum { PREFIX_FIRST = 256 << 10 };

static bool is_bulk(Str key)
{
    return json_scan_key_eq(key, "samples") || json_scan_key_eq(key, "reductions");
}

/* Writes what comes before the samples as an object of its own. Keys are Inspect's names, without
   escapes; another one is copied all the same. 1 when text was cut off before its end. */
static int copy_header(Str text, Buf *ret, Error *err)
{
    JsonScan scan;
    Str key;
    bool is_first = true;
    json_scan_init(&scan, text, true);
    json_scan_object(&scan);
    buf_addc(ret, '{');
    while (json_scan_member(&scan, &key) && !is_bulk(key)) {
        Str value;
        if (!json_scan_skip(&scan, &value))
            break;
        buf_addz(ret, is_first ? "\"" : ",\"");
        buf_add_str(ret, key);
        buf_addz(ret, "\":");
        buf_add_str(ret, value);
        is_first = false;
    }
    buf_addc(ret, '}');
    return json_scan_check(&scan, err);
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
        if (copy_header(buf_str(&text), &log->header_text, &cut) == 0)
            return evallog_parse_header(log, err);
        if (n == size || n == EVALLOG_HEADER_MAX) {
            (void)error_move(err, &cut);
            return error_wrap(err, "%s", log->source->name);
        }
        n *= 4;
    }
}

static int add_samples(EvalLog *log, JsonScan *scan)
{
    size_t room = 0;
    log->n_json_samples = 0;
    if (json_scan_kind(scan) == JSON_SCAN_NULL)
        return 0;
    json_scan_array(scan);
    while (json_scan_item(scan)) {
        if (log->n_json_samples == room) {
            room = room ? room * 2 : 64;
            log->json_samples = mem_resize(log->json_samples, room, sizeof(*log->json_samples));
        }
        if (json_scan_skip(scan, &log->json_samples[log->n_json_samples]))
            log->n_json_samples++;
    }
    return 0;
}

/* Reads the whole file and finds its samples, once. */
static int read_whole(EvalLog *log, Error *err)
{
    if (log->has_json)
        return 0;
    uint64_t size = log->source->size;
    char *room = size <= EVALLOG_JSON_MAX ? buf_room(&log->json, (size_t)size) : NULL;
    if (!room)
        return error_set(err, ERR_BAD_DATA, "%s: a .json log over the limit of %zu bytes",
                         log->source->name, EVALLOG_JSON_MAX);
    if (source_read_at(log->source, 0, room, (size_t)size, err) < 0)
        return -1;
    buf_grew(&log->json, (size_t)size);
    JsonScan scan;
    Str key;
    json_scan_init(&scan, buf_str(&log->json), true);
    json_scan_object(&scan);
    while (json_scan_member(&scan, &key)) {
        Str raw;
        if (json_scan_key_eq(key, "samples"))
            (void)add_samples(log, &scan);
        else if (json_scan_key_eq(key, "reductions") && json_scan_skip(&scan, &raw) &&
                 json_scan_kind_of(raw) != JSON_SCAN_NULL)
            log->reductions = raw;
    }
    if (json_scan_end(&scan, err) < 0) {
        buf_reset(&log->json);
        return error_wrap(err, "%s", log->source->name);
    }
    log->has_json = true;
    return 0;
}

/* clang-format off */
/* Members of a sample that its summary has under the same name. */
static const char *const copied[] = {
    "id", "epoch", "input", "choices", "target", "description", "metadata", "scores", "model_usage",
    "role_usage", "model_fallbacks", "started_at", "completed_at", "total_time", "working_time",
    "uuid", "turn_count", "token_limit", "token_limit_type", "token_limit_usage", "message_limit",
    "time_limit",
};

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

static int64_t count_items(Str array)
{
    JsonScan scan;
    int64_t n = 0;
    json_scan_init(&scan, array, true);
    json_scan_array(&scan);
    while (json_scan_item(&scan))
        n++;
    return n;
}

static void write_derived(JsonOut *out, const Derived *rule, Str value)
{
    Str part;
    JsonScanKind kind = json_scan_kind_of(value);
    if (rule->part && kind == JSON_SCAN_OBJECT && json_scan_get(value, rule->part, &part)) {
        json_out_key(out, str_of(rule->name));
        json_out_raw(out, part);
    } else if (!rule->part && kind == JSON_SCAN_ARRAY) {
        json_out_kv_int(out, rule->name, count_items(value));
    }
}

static int write_summary(JsonOut *out, Str sample, Error *err)
{
    JsonScan scan;
    Str key;
    json_out_object(out);
    json_scan_init(&scan, sample, true);
    json_scan_object(&scan);
    while (json_scan_member(&scan, &key)) {
        Str value;
        if (!json_scan_skip(&scan, &value))
            break;
        for (size_t i = 0; i < ARRAY_LEN(copied); i++) {
            if (json_scan_key_eq(key, copied[i])) {
                json_out_key(out, str_of(copied[i]));
                json_out_raw(out, value);
            }
        }
        for (size_t i = 0; i < ARRAY_LEN(derived); i++) {
            if (json_scan_key_eq(key, derived[i].from))
                write_derived(out, &derived[i], value);
        }
    }
    json_out_kv_bool(out, "completed", true);
    json_out_end_object(out);
    return json_scan_end(&scan, err);
}

int evallog_json_summaries(EvalLog *log, Error *err)
{
    if (read_whole(log, err) < 0)
        return -1;
    JsonOut out;
    json_out_init(&out, &log->summaries_text, 0);
    json_out_array(&out);
    for (size_t i = 0; i < log->n_json_samples; i++) {
        if (write_summary(&out, log->json_samples[i], err) < 0)
            return error_wrap(err, "%s: sample %zu", log->source->name, i);
    }
    json_out_end_array(&out);
    if (buf_check(&log->summaries_text, "the summaries", err) < 0)
        return -1;
    if (evallog_add_summaries(log, buf_str(&log->summaries_text), err) < 0)
        return error_wrap(err, "%s", log->source->name);
    evallog_dedupe_summaries(log);
    return 0;
}

int evallog_json_samples(EvalLog *log, Error *err)
{
    static const EvalLogField fields[] = {
        {"id", EVALLOG_NAME, offsetof(EvalLogSample, id)},
        {"epoch", EVALLOG_INT, offsetof(EvalLogSample, epoch)},
    };
    if (read_whole(log, err) < 0)
        return -1;
    log->sample_items = mem_array(log->n_json_samples + 1, sizeof(*log->sample_items));
    for (size_t i = 0; i < log->n_json_samples; i++) {
        EvalLogSample sample = {.size = log->json_samples[i].n, .index = i};
        if (evallog_fill(log->json_samples[i], fields, ARRAY_LEN(fields), log->arena, &sample,
                         err) < 0)
            return -1;
        if (!sample.id.p || sample.epoch == EVALLOG_NONE)
            return error_set(err, ERR_BAD_DATA, "%s: sample %zu has no id or no epoch",
                             log->source->name, i);
        log->sample_items[log->n_samples++] = sample;
    }
    return 0;
}

int evallog_json_reductions(EvalLog *log, Error *err)
{
    return read_whole(log, err);
}
