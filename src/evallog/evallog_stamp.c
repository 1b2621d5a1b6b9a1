/* Stamping a log.

   Inspect keeps who and what an eval is in three places (EvalSpec.eval_set_id, EvalSpec.metadata
   and the log's metadata), and the spec twice (header.json and _journal/start.json). Values that
   are not set are copied as they are written, since numbers may have more digits than we would
   keep. */

#include "evallog/evallog_stamp.h"

#include <assert.h>

#include "base/mem.h"
#include "codec/json_out.h"
#include "evallog/evallog_priv.h"

#define HEADER STR("header.json")
#define START STR("_journal/start.json")

enum { STAMP_MAX = 16 << 10, STAMPED_MAX = EVALLOG_HEADER_MAX + 4 * STAMP_MAX };

/* A member of an object that gets a value. */
typedef struct Member {
    const char *name;
    Str json;
} Member;

enum { MEMBERS_MAX = 4 };

static void put_member(Buf *out, Str key, Str json, bool *is_first)
{
    buf_addz(out, *is_first ? "\"" : ",\"");
    buf_add_str(out, key);
    buf_addz(out, "\":");
    buf_add_str(out, json);
    *is_first = false;
}

/* Copies an object with the members set, each where it was or at the end; one that is missing or
   null counts as empty. */
static int set_members(Str object, const char *what, const Member *members, size_t n, Buf *out,
                       Error *err)
{
    bool is_set[MEMBERS_MAX] = {false};
    bool is_first = true;
    JsonScan scan;
    Str key = STR_NONE;
    assert(n <= MEMBERS_MAX);
    if (!object.p || json_scan_kind_of(object) == JSON_SCAN_NULL)
        object = STR("{}");
    if (json_scan_kind_of(object) != JSON_SCAN_OBJECT)
        return error_set(err, ERR_BAD_DATA, "%s is no object", what);
    json_scan_init(&scan, object, true);
    json_scan_object(&scan);
    buf_addc(out, '{');
    while (json_scan_member(&scan, &key)) {
        Str value = STR_NONE;
        size_t i = 0;
        while (i < n && !json_scan_key_eq(key, members[i].name))
            i++;
        if (!json_scan_skip(&scan, &value))
            break;
        if (i == n)
            put_member(out, key, value, &is_first);
        else if (!is_set[i])
            put_member(out, key, members[i].json, &is_first);
        if (i < n)
            is_set[i] = true;
    }
    for (size_t i = 0; i < n; i++)
        if (!is_set[i])
            put_member(out, str_of(members[i].name), members[i].json, &is_first);
    buf_addc(out, '}');
    if (json_scan_end(&scan, err) < 0)
        return error_wrap(err, "%s", what);
    return buf_check(out, what, err);
}

/* The stamp's values as JSON. */
typedef struct Stamp {
    Buf eval_set_id;
    Buf created_by;
} Stamp;

static void stamp_init(Stamp *stamp, const EvalLogStamp *from)
{
    JsonOut out;
    *stamp = (Stamp){.eval_set_id = BUF_INIT(6 * STAMP_MAX), .created_by = BUF_INIT(6 * STAMP_MAX)};
    json_out_init(&out, &stamp->eval_set_id, 0);
    json_out_str(&out, from->eval_set_id);
    json_out_init(&out, &stamp->created_by, 0);
    json_out_str(&out, from->created_by);
}

static void stamp_release(Stamp *stamp)
{
    buf_release(&stamp->eval_set_id);
    buf_release(&stamp->created_by);
}

static Str member_of(Str object, const char *name)
{
    Str raw = STR_NONE;
    return json_scan_get(object, name, &raw) ? raw : STR_NONE;
}

static int stamp_metadata(const Stamp *stamp, Str metadata, const char *what, Buf *out, Error *err)
{
    const Member members[] = {
        {"created_by", buf_str(&stamp->created_by)},
        {"eval_set_id", buf_str(&stamp->eval_set_id)},
        {"imported", STR("true")},
    };
    return set_members(metadata, what, members, ARRAY_LEN(members), out, err);
}

static int stamp_eval(const Stamp *stamp, Str eval, Buf *out, Error *err)
{
    auto_buf Buf metadata = BUF_INIT(STAMPED_MAX);
    if (stamp_metadata(stamp, member_of(eval, "metadata"), "the eval's metadata", &metadata, err) <
        0)
        return -1;
    const Member members[] = {
        {"eval_set_id", buf_str(&stamp->eval_set_id)},
        {"metadata", buf_str(&metadata)},
    };
    return set_members(eval, "the header's eval", members, ARRAY_LEN(members), out, err);
}

static int stamp_header(const Stamp *stamp, Str header, Buf *out, Error *err)
{
    auto_buf Buf eval = BUF_INIT(STAMPED_MAX);
    auto_buf Buf metadata = BUF_INIT(STAMPED_MAX);
    if (stamp_eval(stamp, member_of(header, "eval"), &eval, err) < 0 ||
        stamp_metadata(stamp, member_of(header, "metadata"), "the header's metadata", &metadata,
                       err) < 0)
        return -1;
    const Member members[] = {
        {"eval", buf_str(&eval)},
        {"metadata", buf_str(&metadata)},
    };
    return set_members(header, "the header", members, ARRAY_LEN(members), out, err);
}

static int stamp_start(const Stamp *stamp, Str start, Buf *out, Error *err)
{
    auto_buf Buf eval = BUF_INIT(STAMPED_MAX);
    if (stamp_eval(stamp, member_of(start, "eval"), &eval, err) < 0)
        return -1;
    const Member member = {"eval", buf_str(&eval)};
    return set_members(start, "the start", &member, 1, out, err);
}

static int add_header(const Stamp *stamp, EvalLog *log, ZipWrite *zip, Error *err)
{
    const EvalLogHeader *header = NULL;
    auto_buf Buf text = BUF_INIT(STAMPED_MAX);
    if (evallog_header(log, &header, err) < 0 || stamp_header(stamp, header->raw, &text, err) < 0)
        return -1;
    return zip_write_add(zip, HEADER, buf_str(&text), err);
}

/* A log of a run that died, or goes on, would count as running for ever where nothing runs it. */
static int check_finished(EvalLog *log, Error *err)
{
    const EvalLogHeader *header = NULL;
    if (log->zip && !zip_find(log->zip, HEADER)) {
        (void)error_set(err, ERR_BAD_DATA, "the log was never finished: it has no header.json");
        return error_fix(err, "finish it with 'inspect log recover', if its samples are still "
                              "on the machine where it ran");
    }
    if (evallog_header(log, &header, err) < 0)
        return -1;
    if (header->status != EVALLOG_STARTED)
        return 0;
    (void)error_set(err, ERR_BAD_DATA, "the log was never finished: its status is \"started\"");
    return error_fix(err, "if nothing runs it any more, write it again with the status "
                          "\"cancelled\", by Inspect's read_eval_log and write_eval_log");
}

/* An archive's members in their order, the header last. */
static int write_archive(const Stamp *stamp, EvalLog *log, ZipWrite *zip, Error *err)
{
    for (size_t i = 0; i < zip_n_entries(log->zip); i++) {
        const ZipEntry *entry = zip_entry(log->zip, i);
        if (str_eq(entry->name, HEADER))
            continue;
        if (!str_eq(entry->name, START)) {
            if (zip_write_copy(zip, log->zip, entry, err) < 0)
                return -1;
            continue;
        }
        auto_buf Buf old = BUF_INIT(EVALLOG_HEADER_MAX);
        auto_buf Buf new = BUF_INIT(STAMPED_MAX);
        if (zip_read(log->zip, entry, &old, err) < 0 ||
            stamp_start(stamp, buf_str(&old), &new, err) < 0 ||
            zip_write_add(zip, START, buf_str(&new), err) < 0)
            return -1;
    }
    return add_header(stamp, log, zip, err);
}

static int add_start(const Stamp *stamp, EvalLog *log, ZipWrite *zip, Error *err)
{
    const EvalLogHeader *header = NULL;
    auto_buf Buf start = BUF_INIT(STAMPED_MAX);
    auto_buf Buf text = BUF_INIT(STAMPED_MAX);
    if (evallog_header(log, &header, err) < 0)
        return -1;
    Str version = member_of(header->raw, "version");
    Str plan = member_of(header->raw, "plan");
    const Member members[] = {
        {"version", version.p ? version : STR("2")},
        {"eval", header->eval_raw},
        {"plan", plan.p ? plan : STR("{}")},
    };
    if (set_members(STR("{}"), "the start", members, ARRAY_LEN(members), &start, err) < 0 ||
        stamp_start(stamp, buf_str(&start), &text, err) < 0)
        return -1;
    return zip_write_add(zip, START, buf_str(&text), err);
}

/* A large sample is not compressed, since that would take all of it at once. */
static int add_sample(EvalLog *log, const EvalLogSample *sample, Str name, ZipWrite *zip,
                      Error *err)
{
    EvalLogRange range = log->json_samples[sample->index];
    if (range.size > log->whole_max)
        return zip_write_store(zip, name, log->source, range.offset, range.size, err);
    auto_buf Buf text = BUF_INIT(log->whole_max);
    if (evallog_read_sample(log, sample, &text, err) < 0)
        return -1;
    return zip_write_add(zip, name, buf_str(&text), err);
}

static int add_samples(EvalLog *log, ZipWrite *zip, Error *err)
{
    const EvalLogSamples *samples = NULL;
    if (evallog_samples(log, &samples, err) < 0)
        return -1;
    for (size_t i = 0; i < samples->n; i++) {
        const EvalLogSample *sample = &samples->items[i];
        auto_buf Buf name = BUF_INIT(ZIP_NAME_MAX);
        buf_printf(&name, "samples/%.*s_epoch_%lld.json", STR_ARG(sample->id),
                   (long long)sample->epoch);
        if (buf_check(&name, "the id of a sample", err) < 0 ||
            add_sample(log, sample, buf_str(&name), zip, err) < 0)
            return -1;
    }
    return 0;
}

int evallog_priv_add_summaries(EvalLog *log, ZipWrite *zip, Error *err)
{
    const EvalLogSummaries *summaries = NULL;
    auto_buf Buf text = BUF_INIT(EVALLOG_SUMMARIES_MAX);
    if (evallog_summaries(log, &summaries, err) < 0)
        return -1;
    buf_addc(&text, '[');
    for (size_t i = 0; i < summaries->n; i++) {
        buf_addz(&text, i ? "," : "");
        buf_add_str(&text, summaries->items[i].raw);
    }
    buf_addc(&text, ']');
    if (buf_check(&text, "the summaries", err) < 0)
        return -1;
    return zip_write_add(zip, STR("summaries.json"), buf_str(&text), err);
}

/* The members that Inspect would have written, in its order. */
static int write_json(const Stamp *stamp, EvalLog *log, ZipWrite *zip, Error *err)
{
    Str reductions = STR_NONE;
    if (add_start(stamp, log, zip, err) < 0 || add_samples(log, zip, err) < 0 ||
        evallog_priv_add_summaries(log, zip, err) < 0 ||
        evallog_reductions(log, &reductions, err) < 0)
        return -1;
    if (reductions.p && zip_write_add(zip, STR("reductions.json"), reductions, err) < 0)
        return -1;
    return add_header(stamp, log, zip, err);
}

int evallog_stamp_write(EvalLog *log, const EvalLogStamp *stamp, ZipWriteSink *sink, void *context,
                        Error *err)
{
    if (stamp->eval_set_id.n > STAMP_MAX || stamp->created_by.n > STAMP_MAX)
        return error_set(err, ERR_BAD_DATA, "the name of a user or an eval set is too long");
    if (check_finished(log, err) < 0)
        return -1;
    HAWK_CLEANUP(stamp_release) Stamp values;
    stamp_init(&values, stamp);
    auto_zip_write ZipWrite *zip = zip_write_new(sink, context);
    int written =
        log->zip ? write_archive(&values, log, zip, err) : write_json(&values, log, zip, err);
    return written < 0 ? -1 : zip_write_finish(zip, err);
}
