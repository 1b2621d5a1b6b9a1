/* Logs and live buffers. The first byte says what the rest is: 'e' an archive, 'j' a .json log, 'm'
   members as name and text with a zero byte between (checksums made right, so that what lies behind
   them is reached), 'l' a manifest and behind a zero byte the text of a segment. A sample's parts
   must be the same whether it is held as a whole or read through a window, and a log that can be
   stamped must be one afterwards. */

#include <stdint.h>
#include <stdlib.h>

#include "../unit/zip_writer.h"
#include "evallog/evallog.h"
#include "evallog/evallog_stamp.h"
#include "evallog/live.h"
#include "evallog/sample_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ANSWER_MAX = 1 << 20, SAMPLES_MAX = 20, MEMBERS_MAX = 30, PARTS_MAX = 10000 };

typedef struct Live {
    Str manifest;
    Str segment;
} Live;

/* Any outcome will do, as long as it is one. */
static void accept(int result, Error *err)
{
    if ((result < 0) != (err->kind != ERR_NONE))
        abort();
    error_reset(err);
}

/* Notes the parts of a sample, and how reading them ends. */
static void note_parts(const EvalLog *log, const EvalLogSample *sample, Buf *ret)
{
    SamplePart part;
    auto_sample_parts SampleParts *parts = NULL;
    auto_error Error err = ERROR_INIT;
    int result = sample_parts_open(log, sample, &parts, &err);
    for (int i = 0; i < PARTS_MAX && parts; i++) {
        result = sample_parts_next(parts, &part, &err);
        if (result != 1)
            break;
        buf_printf(ret, "%d %zu ", (int)part.kind, part.index);
        buf_add_str(ret, part.key);
        buf_add_str(ret, part.raw);
    }
    buf_printf(ret, "%d", result);
    accept(result, &err);
}

static void read_parts(EvalLog *log, const EvalLogSamples *samples)
{
    for (size_t i = 0; samples && i < samples->n && i < SAMPLES_MAX; i++) {
        auto_buf Buf whole = BUF_INIT(ANSWER_MAX);
        auto_buf Buf streamed = BUF_INIT(ANSWER_MAX);
        evallog_hold_at_most(log, SAMPLE_PARTS_WHOLE_MAX);
        note_parts(log, &samples->items[i], &whole);
        evallog_hold_at_most(log, 0);
        note_parts(log, &samples->items[i], &streamed);
        /* A broken archive may be found out before or behind the first parts. */
        bool is_good =
            str_ends(buf_str(&whole), STR("0")) && str_ends(buf_str(&streamed), STR("0"));
        if (is_good && !str_eq(buf_str(&whole), buf_str(&streamed)))
            abort();
    }
}

static void read_all(EvalLog *log)
{
    const EvalLogHeader *header = NULL;
    const EvalLogSummaries *summaries = NULL;
    const EvalLogSamples *samples = NULL;
    const EvalLogSample *found = NULL;
    Str reductions = STR_NONE;
    auto_error Error err = ERROR_INIT;
    accept(evallog_header(log, &header, &err), &err);
    accept(evallog_summaries(log, &summaries, &err), &err);
    accept(evallog_samples(log, &samples, &err), &err);
    accept(evallog_reductions(log, &reductions, &err), &err);
    for (size_t i = 0; summaries && i < summaries->n && i < SAMPLES_MAX; i++) {
        if (summaries->items[i].uuid.p)
            accept(evallog_find_uuid(log, summaries->items[i].uuid, &found, &err), &err);
    }
    for (size_t i = 0; samples && i < samples->n && i < SAMPLES_MAX; i++) {
        auto_buf Buf text = BUF_INIT(ANSWER_MAX);
        accept(evallog_read_sample(log, &samples->items[i], &text, &err), &err);
    }
    read_parts(log, samples);
}

static int take_bytes(void *context, Str bytes, Error *err)
{
    buf_add_str(context, bytes);
    return buf_check(context, "the archive", err);
}

/* What can be stamped is a log afterwards, and says so. */
static void stamp(EvalLog *log)
{
    const EvalLogStamp identity = {STR("imported-\"x"), STR("who\xc3\xa9")};
    auto_buf Buf archive = BUF_INIT(4 * ANSWER_MAX);
    auto_error Error err = ERROR_INIT;
    int result = evallog_stamp_write(log, &identity, take_bytes, &archive, &err);
    accept(result, &err);
    if (result < 0)
        return;
    Source *source = source_of_bytes(buf_str(&archive), "stamped.eval");
    auto_evallog EvalLog *stamped = NULL;
    const EvalLogHeader *header = NULL;
    if (evallog_open(source, &stamped, &err) < 0 || evallog_header(stamped, &header, &err) < 0 ||
        !str_eq(header->eval_set_id, identity.eval_set_id) ||
        !str_eq(header->created_by, identity.created_by))
        abort();
}

static void read_log(Str bytes, const char *name)
{
    auto_source Source *source = source_of_bytes(bytes, name);
    auto_evallog EvalLog *log = NULL;
    auto_error Error err = ERROR_INIT;
    if (evallog_open(source, &log, &err) < 0)
        return;
    source = NULL;
    read_all(log);
    stamp(log);
}

static void read_members(Str rest)
{
    ZipWriter writer;
    zip_writer_init(&writer);
    Str name = STR_NONE;
    Str text = STR_NONE;
    for (int i = 0; i < MEMBERS_MAX; i++) {
        if (!str_split(&rest, '\0', &name) || !str_split(&rest, '\0', &text))
            break;
        auto_buf Buf terminated = BUF_INIT(ANSWER_MAX);
        buf_add_str(&terminated, name);
        zip_writer_add(&writer, terminated.data, text);
    }
    read_log(zip_writer_finish(&writer), "fuzz.eval");
    zip_writer_release(&writer);
}

static int open_live(void *context, const char *name, Source **ret, Error *err)
{
    const Live *live = context;
    (void)err;
    *ret =
        source_of_bytes(str_eqz(STR("manifest.json"), name) ? live->manifest : live->segment, name);
    return 0;
}

static void read_live(Str rest)
{
    Live live = {0};
    ZipWriter writer;
    zip_writer_init(&writer);
    (void)str_split(&rest, '\0', &live.manifest);
    zip_writer_add(&writer, "a_1.json", rest);
    live.segment = zip_writer_finish(&writer);
    const LiveFolder folder = {.open = open_live, .context = &live};
    const LiveQuery query = {.id = STR("a"), .epoch = 1, .seen = {1, 0, 2, -1}, .max_segments = 1};
    auto_error Error err = ERROR_INIT;
    auto_buf Buf answer = BUF_INIT(ANSWER_MAX);
    accept(live_samples(&folder, STR("tag"), &answer, &err), &err);
    accept(live_sample_data(&folder, &query, &answer, &err), &err);
    accept(live_segments(&folder, &query, &answer, &err), &err);
    zip_writer_release(&writer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    Str rest = {(const char *)data + 1, size - 1};
    switch (data[0]) {
    case 'e': read_log(rest, "fuzz.eval"); break;
    case 'j': read_log(rest, "fuzz.json"); break;
    case 'm': read_members(rest); break;
    case 'l': read_live(rest); break;
    default: break;
    }
    return 0;
}
