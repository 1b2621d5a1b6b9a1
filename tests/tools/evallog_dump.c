/* Prints what the reader of logs makes of a log, as JSON, for comparison with Inspect's own reader.

   evallog_dump LOG header|record|summaries|samples|all|reductions
   evallog_dump LOG sample ID EPOCH
   evallog_dump LOG uuid UUID
   evallog_dump LOG parts        (of all samples)
   evallog_dump LOG count        (of the parts, and how much memory it took)
   evallog_dump BUFFER_FOLDER live-samples ETAG
   evallog_dump BUFFER_FOLDER live-data ID EPOCH [EVENT ATTACHMENT MESSAGE CALL]
   evallog_dump BUFFER_FOLDER live-segments ID EPOCH [EVENT ATTACHMENT MESSAGE CALL [MAX [tail]]] */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "codec/json_out.h"
#include "evallog/evallog.h"
#include "evallog/live.h"
#include "evallog/sample_parts.h"

#define ANSWER_MAX ((size_t)2 << 30)

static void write_text(JsonOut *out, const char *key, Str text)
{
    json_out_kv_str(out, key, text);
}

static void write_raw(JsonOut *out, const char *key, Str raw)
{
    json_out_key(out, str_of(key));
    json_out_raw(out, raw.p ? raw : STR("null"));
}

static void write_int(JsonOut *out, const char *key, int64_t value)
{
    if (value == EVALLOG_NONE)
        json_out_kv_null(out, key);
    else
        json_out_kv_int(out, key, value);
}

static int print_record(EvalLog *log, JsonOut *out, Error *err)
{
    const EvalLogHeader *h = NULL;
    if (evallog_header(log, &h, err) < 0)
        return -1;
    json_out_object(out);
    write_int(out, "version", h->version);
    json_out_kvz(out, "status", evallog_status_name(h->status));
    json_out_kv_bool(out, "invalidated", h->invalidated);
    write_text(out, "error_message", h->error_message);
    write_text(out, "error_traceback", h->error_traceback);
    write_text(out, "eval_id", h->eval_id);
    write_text(out, "run_id", h->run_id);
    write_int(out, "created_us", h->created_us);
    write_text(out, "task", h->task);
    write_text(out, "task_id", h->task_id);
    write_text(out, "task_version", h->task_version);
    write_text(out, "task_file", h->task_file);
    write_text(out, "task_display_name", h->task_display_name);
    write_raw(out, "task_args", h->task_args);
    write_raw(out, "tags", h->tags);
    write_text(out, "dataset_name", h->dataset_name);
    write_int(out, "dataset_samples", h->dataset_samples);
    write_text(out, "sandbox_type", h->sandbox_type);
    write_text(out, "model", h->model);
    write_raw(out, "model_generate_config", h->model_generate_config);
    write_raw(out, "model_args", h->model_args);
    write_raw(out, "model_roles", h->model_roles);
    write_text(out, "inspect_version", h->inspect_version);
    write_raw(out, "metadata", h->metadata);
    write_text(out, "eval_set_id", h->eval_set_id);
    write_text(out, "created_by", h->created_by);
    write_int(out, "epochs", h->epochs);
    write_int(out, "message_limit", h->message_limit);
    write_int(out, "token_limit", h->token_limit);
    json_out_kv_real(out, "time_limit", h->time_limit);
    write_int(out, "working_limit", h->working_limit);
    json_out_kv_real(out, "cost_limit", h->cost_limit);
    write_text(out, "plan_name", h->plan_name);
    write_text(out, "agent", h->agent);
    write_raw(out, "results", h->results);
    write_int(out, "total_samples", h->total_samples);
    write_int(out, "completed_samples", h->completed_samples);
    write_int(out, "started_us", h->started_us);
    write_int(out, "completed_us", h->completed_us);
    write_raw(out, "model_usage", h->model_usage);
    json_out_end_object(out);
    return 0;
}

static int print_header(EvalLog *log, JsonOut *out, Error *err)
{
    const EvalLogHeader *header = NULL;
    if (evallog_header(log, &header, err) < 0)
        return -1;
    json_out_raw(out, header->raw);
    return 0;
}

static int print_summaries(EvalLog *log, JsonOut *out, Error *err)
{
    const EvalLogSummaries *summaries = NULL;
    if (evallog_summaries(log, &summaries, err) < 0)
        return -1;
    json_out_array(out);
    for (size_t i = 0; i < summaries->n; i++) {
        const EvalLogSummary *s = &summaries->items[i];
        json_out_object(out);
        write_raw(out, "raw", s->raw);
        write_text(out, "id", s->id);
        write_int(out, "epoch", s->epoch);
        write_text(out, "uuid", s->uuid);
        json_out_kv_bool(out, "completed", s->completed);
        write_text(out, "error", s->error);
        write_text(out, "limit", s->limit);
        write_raw(out, "scores", s->scores);
        write_raw(out, "model_usage", s->model_usage);
        write_int(out, "started_us", s->started_us);
        write_int(out, "completed_us", s->completed_us);
        json_out_kv_real(out, "total_time", s->total_time);
        write_int(out, "message_count", s->message_count);
        write_int(out, "retries", s->retries);
        json_out_end_object(out);
    }
    json_out_end_array(out);
    return 0;
}

static int print_samples(EvalLog *log, JsonOut *out, bool with_text, Error *err)
{
    const EvalLogSamples *samples = NULL;
    if (evallog_samples(log, &samples, err) < 0)
        return -1;
    json_out_array(out);
    for (size_t i = 0; i < samples->n; i++) {
        const EvalLogSample *sample = &samples->items[i];
        auto_buf Buf text = BUF_INIT(ANSWER_MAX);
        json_out_object(out);
        write_text(out, "id", sample->id);
        write_int(out, "epoch", sample->epoch);
        json_out_kv_bool(out, "is_chunked", sample->is_chunked);
        if (with_text && evallog_read_sample(log, sample, &text, err) < 0)
            return -1;
        if (with_text)
            write_raw(out, "sample", buf_str(&text));
        json_out_end_object(out);
    }
    json_out_end_array(out);
    return 0;
}

/* The most memory that this program has had, in KB. */
static int64_t peak_kb(void)
{
    static const Str mark = {"VmHWM:", 6};
    auto_buf Buf status = BUF_INIT(1 << 16);
    auto_error Error err = ERROR_INIT;
    if (fs_read_file("/proc/self/status", &status, &err) < 0)
        return -1;
    ptrdiff_t at = str_find_str(buf_str(&status), mark);
    return at < 0 ? -1 : strtoll(status.data + at + mark.n, NULL, 10);
}

/* Writes [kind, key, value] for each part, or only counts. */
static int walk_parts(SampleParts *parts, JsonOut *out, int64_t *n_parts, int64_t *n_bytes,
                      Error *err)
{
    static const char *const kinds[] = {"member", "message", "event", "pool", "call", "attachment"};
    SamplePart part;
    int has_part = 0;
    while ((has_part = sample_parts_next(parts, &part, err)) == 1) {
        (*n_parts)++;
        *n_bytes += (int64_t)part.raw.n;
        if (!out)
            continue;
        json_out_array(out);
        json_out_str(out, str_of(kinds[part.kind]));
        json_out_str(out, part.key);
        json_out_raw(out, part.raw);
        json_out_end_array(out);
    }
    return has_part;
}

static int print_parts(EvalLog *log, JsonOut *out, bool with_text, Error *err)
{
    const EvalLogSamples *samples = NULL;
    int64_t n_parts = 0;
    int64_t n_bytes = 0;
    if (evallog_samples(log, &samples, err) < 0)
        return -1;
    if (with_text)
        json_out_array(out);
    for (size_t i = 0; i < samples->n; i++) {
        auto_sample_parts SampleParts *parts = NULL;
        if (with_text)
            json_out_array(out);
        if (sample_parts_open(log, &samples->items[i], &parts, err) < 0 ||
            walk_parts(parts, with_text ? out : NULL, &n_parts, &n_bytes, err) < 0)
            return -1;
        if (with_text)
            json_out_end_array(out);
    }
    if (with_text) {
        json_out_end_array(out);
        return 0;
    }
    json_out_object(out);
    json_out_kv_int(out, "samples", (int64_t)samples->n);
    json_out_kv_int(out, "parts", n_parts);
    json_out_kv_int(out, "bytes", n_bytes);
    json_out_kv_int(out, "peak_kb", peak_kb());
    json_out_end_object(out);
    return 0;
}

static int print_sample(EvalLog *log, JsonOut *out, char **args, Error *err)
{
    const EvalLogSample *sample = NULL;
    auto_buf Buf text = BUF_INIT(ANSWER_MAX);
    int result =
        str_eqz(str_of(args[0]), "uuid")
            ? evallog_find_uuid(log, str_of(args[1]), &sample, err)
            : evallog_find_sample(log, str_of(args[1]), strtoll(args[2], NULL, 10), &sample, err);
    if (result < 0 || evallog_read_sample(log, sample, &text, err) < 0)
        return -1;
    json_out_raw(out, buf_str(&text));
    return 0;
}

static int print_log(const char *path, int n, char **args, JsonOut *out, Error *err)
{
    auto_source Source *source = NULL;
    auto_evallog EvalLog *log = NULL;
    if (source_open_file(path, &source, err) < 0 || evallog_open(source, &log, err) < 0)
        return -1;
    source = NULL;
    Str what = str_of(args[0]);
    if (str_eqz(what, "header"))
        return print_header(log, out, err);
    if (str_eqz(what, "record"))
        return print_record(log, out, err);
    if (str_eqz(what, "summaries"))
        return print_summaries(log, out, err);
    if (str_eqz(what, "samples") || str_eqz(what, "all"))
        return print_samples(log, out, str_eqz(what, "all"), err);
    if (str_eqz(what, "parts") || str_eqz(what, "count"))
        return print_parts(log, out, str_eqz(what, "parts"), err);
    if ((str_eqz(what, "sample") && n == 3) || (str_eqz(what, "uuid") && n == 2))
        return print_sample(log, out, args, err);
    if (!str_eqz(what, "reductions"))
        return error_set(err, ERR_USAGE, "unknown: %s", args[0]);
    Str reductions = STR_NONE;
    if (evallog_reductions(log, &reductions, err) < 0)
        return -1;
    json_out_raw(out, reductions.p ? reductions : STR("null"));
    return 0;
}

static int open_in_folder(void *context, const char *name, Source **ret, Error *err)
{
    auto_free char *path = fs_join(context, name);
    return source_open_file(path, ret, err);
}

static int print_live(char *path, int n, char **args, Buf *ret, Error *err)
{
    const LiveFolder folder = {.open = open_in_folder, .context = path};
    if (str_eqz(str_of(args[0]), "live-samples"))
        return live_samples(&folder, str_of(args[1]), ret, err);
    int64_t numbers[5] = {0, 0, 0, 0, -1};
    for (int i = 3; i < n && i < 8; i++)
        numbers[i - 3] = strtoll(args[i], NULL, 10);
    const LiveQuery query = {
        .id = str_of(args[1]),
        .epoch = strtoll(args[2], NULL, 10),
        .seen = {numbers[0], numbers[1], numbers[2], numbers[3]},
        .max_segments = numbers[4],
        .is_tail = n > 8,
    };
    return str_eqz(str_of(args[0]), "live-data") ? live_sample_data(&folder, &query, ret, err)
                                                 : live_segments(&folder, &query, ret, err);
}

int main(int argc, char **argv)
{
    auto_error Error err = ERROR_INIT;
    auto_buf Buf answer = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    if (argc < 3) {
        fprintf(stderr, "usage: evallog_dump LOG WHAT ...\n");
        return 2;
    }
    json_out_init(&out, &answer, 0);
    int result = str_starts(str_of(argv[2]), STR("live-")) && argc > 3
                     ? print_live(argv[1], argc - 2, argv + 2, &answer, &err)
                     : print_log(argv[1], argc - 2, argv + 2, &out, &err);
    if (result < 0 || buf_check(&answer, "the answer", &err) < 0) {
        fprintf(stderr, "%s: %s\n", error_kind_name(err.kind), error_text(&err));
        return 1;
    }
    buf_addc(&answer, '\n');
    return fs_write_all(STDOUT_FILENO, answer.data, answer.len, &err) < 0;
}
