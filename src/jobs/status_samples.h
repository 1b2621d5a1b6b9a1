/* Samples of one log, as its summaries and, while it runs, its live buffer have them; for
 * EvalSetStatus. */
#ifndef HAWK_JOBS_STATUS_SAMPLES_H
#define HAWK_JOBS_STATUS_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "codec/json.h"
#include "codec/json_out.h"
#include "evallog/evallog.h"
#include "store/store.h"

typedef enum StatusPhase {
    PHASE_WAITING,
    PHASE_INIT, /* from here to PHASE_AWAITING it is being run */
    PHASE_RUNNING,
    PHASE_SCORING,
    PHASE_AWAITING,
    PHASE_COMPLETED,
    PHASE_ERRORED,
    PHASE_LIMIT,
    PHASE_CANCELED,
    PHASES,
} StatusPhase;

/* One sample; missing numbers are EVALLOG_NONE and NAN, missing texts STR_NONE. */
typedef struct StatusSample {
    Str id;
    int64_t epoch;
    Str uuid;
    StatusPhase phase;
    Str limit;
    Str error;
    int64_t retries;
    int64_t started_us;
    int64_t completed_us;
    double total_time;
    double working_time;
    Str scores;      /* raw */
    Str model_usage; /* raw */
} StatusSample;

typedef struct StatusSamples {
    StatusSample *items;
    size_t n;
    size_t room;
    Arena *arena;
} StatusSamples;

/* Where the samples of a log are to be found. */
typedef struct StatusSource {
    Store *store;
    const char *key;       /* of the log */
    const char *live_etag; /* of its live buffer's manifest; NULL: none */
    int64_t created_us;    /* when the log was begun */
    bool is_live;          /* the log is being written: what is not done still runs */
    bool is_lost;          /* nobody writes it, but a later log will go on from it */
} StatusSource;

/* The key of a file of a log's live buffer; the caller frees. */
char *status_samples_live_key(const char *log_key, const char *name);

/* Reads the samples, each id and epoch once, as it was begun last, into the arena; texts live as
   long as the log and the arena. What has yet to run again is waiting. */
int status_samples_read(const StatusSource *source, EvalLog *log, Arena *arena, StatusSamples *ret,
                        Error *err) HAWK_MUST_USE;

/* What the process of a task tells of a sample that it is running. */
typedef struct StatusLive {
    Str log; /* name of its file */
    Str id;
    int64_t epoch;
    Str uuid;
    StatusPhase phase;
} StatusLive;

/* The phase that a process tells by this name; PHASE_RUNNING for others. */
StatusPhase status_samples_phase(Str name);

/* Says of the running samples of a log what is told of them, and adds those that the log does not
   know yet. `lives` are sorted by uuid. */
void status_samples_refine(StatusSamples *samples, Str log, const StatusLive *lives, size_t n);

/* For qsort of StatusLive. */
int status_samples_compare_live(const void *a, const void *b);

/* Writes a SampleStatus. */
void status_samples_write(const StatusSample *sample, JsonOut *out);

/* Parses a slice of a log; NULL when it is missing or too large to be worth it. */
Json *status_samples_parse(Arena *arena, Str raw);

#endif
