/* Reading and writing the samples of one log. */

#include "jobs/status_samples.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "evallog/live.h"

enum {
    SCORE_TEXT_MAX = 64,
    ERROR_TEXT_MAX = 500,
    KEY_MAX = 1024,
    LIVE_TEXT_MAX = 64 * 1024 * 1024,
};

static const char *const phase_names[] = {[PHASE_WAITING] = "waiting",
                                          [PHASE_INIT] = "init",
                                          [PHASE_RUNNING] = "running",
                                          [PHASE_SCORING] = "scoring",
                                          [PHASE_AWAITING] = "awaiting_approval",
                                          [PHASE_COMPLETED] = "completed",
                                          [PHASE_ERRORED] = "errored",
                                          [PHASE_LIMIT] = "limit",
                                          [PHASE_CANCELED] = "canceled"};

char *status_samples_live_key(const char *log_key, const char *name)
{
    auto_buf Buf folder = BUF_INIT(KEY_MAX);
    live_folder_key(str_of(log_key), &folder);
    return mem_printf("%s/%s", folder.data, name);
}

Json *status_samples_parse(Arena *arena, Str raw)
{
    auto_error Error err = ERROR_INIT;
    JsonLimits limits = json_limits_config;
    limits.allow_nan = true;
    limits.allow_duplicates = true;
    Json *node = NULL;
    return raw.p && json_parse(arena, raw, &limits, &node, &err) == 0 ? node : NULL;
}

static void add_sample(StatusSamples *samples, const StatusSample *sample)
{
    if (samples->n == samples->room) {
        size_t room = samples->room ? samples->room * 2 : 64;
        StatusSample *larger = arena_array(samples->arena, room, sizeof(*larger));
        if (samples->n)
            memcpy(larger, samples->items, samples->n * sizeof(*larger));
        samples->items = larger;
        samples->room = room;
    }
    samples->items[samples->n++] = *sample;
}

static int compare_samples(const void *a, const void *b)
{
    const StatusSample *x = a;
    const StatusSample *y = b;
    int order = str_cmp(x->id, y->id);
    return order != 0 ? order : (x->epoch > y->epoch) - (x->epoch < y->epoch);
}

static bool is_done(const StatusSample *sample)
{
    return sample->phase > PHASE_AWAITING;
}

/* What only a process tells of has just begun. */
static int64_t begun_us(const StatusSample *sample)
{
    if (sample->started_us != EVALLOG_NONE)
        return sample->started_us;
    return is_done(sample) ? INT64_MIN : INT64_MAX;
}

/* Of two records of one id and epoch, whether the first counts: a sample that runs again does, not
   how it failed before; of the same run of a sample the record that is further on. */
static bool is_later(const StatusSample *a, const StatusSample *b)
{
    bool is_same = a->uuid.p && b->uuid.p && str_eq(a->uuid, b->uuid);
    if (is_same || begun_us(a) == begun_us(b))
        return is_done(a) && !is_done(b);
    return begun_us(a) > begun_us(b);
}

/* The phase of a sample that is not done. */
static StatusPhase unfinished_phase(const StatusSource *source)
{
    if (source->is_live)
        return PHASE_RUNNING;
    return source->is_lost ? PHASE_WAITING : PHASE_CANCELED;
}

static StatusPhase phase_of(bool is_completed, Str error, Str limit, const StatusSource *source)
{
    if (error.p)
        return PHASE_ERRORED;
    if (limit.p)
        return PHASE_LIMIT;
    return is_completed ? PHASE_COMPLETED : unfinished_phase(source);
}

/* A log begins with what failed in the one that it goes on from, all of which runs again. */
static StatusPhase summary_phase(const EvalLogSummary *from, const StatusSource *source)
{
    bool is_carried = source->is_live && from->error.p && from->started_us != EVALLOG_NONE &&
                      from->started_us < source->created_us;
    return is_carried ? PHASE_WAITING : phase_of(from->completed, from->error, from->limit, source);
}

static int add_summaries(StatusSamples *samples, EvalLog *log, const StatusSource *source,
                         Error *err)
{
    const EvalLogSummaries *summaries = NULL;
    if (evallog_summaries(log, &summaries, err) < 0)
        return -1;
    for (size_t i = 0; i < summaries->n; i++) {
        const EvalLogSummary *from = &summaries->items[i];
        const StatusSample sample = {
            .id = from->id,
            .epoch = from->epoch,
            .uuid = from->uuid,
            .phase = summary_phase(from, source),
            .limit = from->limit,
            .error = from->error,
            .retries = from->retries,
            .started_us = from->started_us,
            .completed_us = from->completed_us,
            .total_time = from->total_time,
            .working_time = from->working_time,
            .scores = from->scores,
            .model_usage = from->model_usage,
        };
        add_sample(samples, &sample);
    }
    return 0;
}

/* What open_live is given: a struct, because the context is not const. */
typedef struct LiveContext {
    const StatusSource *source;
} LiveContext;

static int open_live(void *context, const char *name, Source **ret, Error *err)
{
    const LiveContext *live = context;
    auto_free char *key = status_samples_live_key(live->source->key, name);
    return store_source(live->source->store, key, ret, err);
}

static Str raw_of(Arena *arena, const Json *node)
{
    if (json_is_null(node))
        return STR_NONE;
    auto_buf Buf text = BUF_INIT(LIVE_TEXT_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    json_out_node(&out, node);
    return arena_str(arena, buf_str(&text));
}

static int64_t instant_of(const Json *node, const char *key)
{
    int64_t instant = 0;
    return clock_parse(json_text(node, key, STR("")), &instant) == 0 ? instant : EVALLOG_NONE;
}

static double number_of(const Json *node, const char *key)
{
    double number = 0;
    return json_number(json_get(node, key), &number) ? number : (double)NAN;
}

static void add_live_sample(StatusSamples *samples, const StatusSource *source, const Json *node)
{
    const Json *id = json_get(node, "id");
    Str error = json_text(node, "error", STR_NONE);
    Str limit = json_text(node, "limit", STR_NONE);
    const StatusSample sample = {
        .id = id && (id->type == JSON_STRING || id->type == JSON_INT) ? id->text : STR(""),
        .epoch = json_int(node, "epoch", 1),
        .uuid = json_text(node, "uuid", STR_NONE),
        .phase = phase_of(json_bool(node, "completed", false), error, limit, source),
        .limit = limit,
        .error = error,
        .retries = json_int(node, "retries", EVALLOG_NONE),
        .started_us = instant_of(node, "started_at"),
        .completed_us = instant_of(node, "completed_at"),
        .total_time = number_of(node, "total_time"),
        .working_time = number_of(node, "working_time"),
        .scores = raw_of(samples->arena, json_get(node, "scores")),
        .model_usage = raw_of(samples->arena, json_get(node, "model_usage")),
    };
    add_sample(samples, &sample);
}

/* What the buffer says; a buffer that went away meanwhile says nothing. */
static void add_live(StatusSamples *samples, const StatusSource *source)
{
    auto_error Error err = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(LIVE_TEXT_MAX);
    LiveContext context = {source};
    const LiveFolder folder = {open_live, &context};
    JsonLimits limits = json_limits_config;
    limits.bytes = LIVE_TEXT_MAX;
    limits.nodes = 4 * 1000 * 1000;
    limits.allow_nan = true;
    limits.allow_duplicates = true;
    Json *node = NULL;
    if (!source->live_etag || live_samples(&folder, str_of(source->live_etag), &text, &err) < 0)
        return;
    Str kept = arena_str(samples->arena, buf_str(&text));
    if (json_parse(samples->arena, kept, &limits, &node, &err) < 0)
        return;
    const Json *list = json_get(node, "samples");
    for (const Json *item = list ? list->first : NULL; item; item = item->next)
        add_live_sample(samples, source, item);
}

/* Of equal id and epoch only the last stays. */
static void drop_doubles(StatusSamples *samples)
{
    if (samples->n < 2)
        return;
    qsort(samples->items, samples->n, sizeof(*samples->items), compare_samples);
    size_t n = 1;
    for (size_t i = 1; i < samples->n; i++) {
        StatusSample *last = &samples->items[n - 1];
        if (compare_samples(&samples->items[i], last) != 0)
            samples->items[n++] = samples->items[i];
        else if (is_later(&samples->items[i], last))
            *last = samples->items[i];
    }
    samples->n = n;
}

int status_samples_read(const StatusSource *source, EvalLog *log, Arena *arena, StatusSamples *ret,
                        Error *err)
{
    StatusSamples samples = {.arena = arena};
    if (add_summaries(&samples, log, source, err) < 0)
        return -1;
    if (source->is_live || source->is_lost)
        add_live(&samples, source);
    drop_doubles(&samples);
    *ret = samples;
    return 0;
}

/* ---- what processes tell ---- */

StatusPhase status_samples_phase(Str name)
{
    for (int i = PHASE_INIT; i <= PHASE_AWAITING; i++)
        if (str_eqz(name, phase_names[i]))
            return (StatusPhase)i;
    return PHASE_RUNNING;
}

int status_samples_compare_live(const void *a, const void *b)
{
    return str_cmp(((const StatusLive *)a)->uuid, ((const StatusLive *)b)->uuid);
}

void status_samples_refine(StatusSamples *samples, Str log, const StatusLive *lives, size_t n)
{
    bool *is_known = arena_array(samples->arena, n + 1, sizeof(*is_known));
    for (size_t i = 0; i < samples->n && n > 0; i++) {
        StatusSample *sample = &samples->items[i];
        const StatusLive key = {.uuid = sample->uuid};
        const StatusLive *live =
            sample->uuid.p ? bsearch(&key, lives, n, sizeof(*lives), status_samples_compare_live)
                           : NULL;
        if (!live)
            continue;
        is_known[live - lives] = true;
        if (sample->phase == PHASE_RUNNING)
            sample->phase = live->phase;
    }
    for (size_t i = 0; i < n; i++) {
        if (is_known[i] || lives[i].phase != PHASE_INIT || !str_eq(lives[i].log, log))
            continue;
        const StatusSample sample = {
            .id = lives[i].id,
            .epoch = lives[i].epoch,
            .uuid = lives[i].uuid,
            .phase = PHASE_INIT,
            .retries = EVALLOG_NONE,
            .started_us = EVALLOG_NONE,
            .completed_us = EVALLOG_NONE,
            .total_time = (double)NAN,
            .working_time = (double)NAN,
        };
        add_sample(samples, &sample);
    }
    drop_doubles(samples);
}

/* ---- writing ---- */

static void write_instant(JsonOut *out, const char *key, int64_t instant)
{
    if (instant == EVALLOG_NONE || instant == 0)
        json_out_kv_null(out, key);
    else
        json_out_kv_time(out, key, instant);
}

static void write_tokens(Arena *arena, Str usage, JsonOut *out)
{
    const Json *node = status_samples_parse(arena, usage);
    int64_t total = 0;
    bool is_known = false;
    for (const Json *model = node ? node->first : NULL; model; model = model->next) {
        int64_t tokens = json_int(model, "total_tokens", 0);
        if (tokens > 0 && !__builtin_add_overflow(total, tokens, &total))
            is_known = true;
    }
    if (is_known)
        json_out_kv_int(out, "total_tokens", total);
    else
        json_out_kv_null(out, "total_tokens");
}

/* The value of the first scorer, as people read it. */
static void write_score(Arena *arena, Str scores, JsonOut *out)
{
    const Json *node = status_samples_parse(arena, scores);
    const Json *value = node && node->first ? json_get(node->first, "value") : NULL;
    if (!value || value->type == JSON_NULL) {
        json_out_kv_null(out, "latest_score");
        return;
    }
    Str text = value->type == JSON_STRING ? value->text : raw_of(arena, value);
    json_out_kv_str(out, "latest_score", str_slice(text, 0, SCORE_TEXT_MAX));
}

static void write_number(JsonOut *out, const char *key, double number)
{
    if (isnan(number))
        json_out_kv_null(out, key);
    else
        json_out_kv_real(out, key, number);
}

void status_samples_write(const StatusSample *sample, JsonOut *out)
{
    auto_arena Arena *arena = arena_new();
    json_out_object(out);
    json_out_kv_str(out, "id", sample->id);
    json_out_kv_int(out, "epoch", sample->epoch);
    json_out_kv_str(out, "uuid", sample->uuid);
    json_out_kvz(out, "phase", phase_names[sample->phase]);
    json_out_kv_bool(out, "completed",
                     sample->phase == PHASE_COMPLETED || sample->phase == PHASE_LIMIT);
    json_out_kv_str(out, "limit", sample->limit);
    json_out_kv_str(out, "error", str_slice(sample->error, 0, ERROR_TEXT_MAX));
    if (sample->retries == EVALLOG_NONE)
        json_out_kv_null(out, "retries");
    else
        json_out_kv_int(out, "retries", sample->retries);
    write_instant(out, "started_at", sample->started_us);
    write_instant(out, "completed_at", sample->completed_us);
    write_number(out, "total_time", sample->total_time);
    write_number(out, "working_time", sample->working_time);
    write_tokens(arena, sample->model_usage, out);
    write_score(arena, sample->scores, out);
    json_out_kv_array(out, "last_events");
    json_out_end_array(out);
    json_out_end_object(out);
}
