/* EvalLog: one eval log of Inspect, finished or still growing, as an `.eval` archive or as `.json`.

   Opening an archive is one read of its end, which for a small log has the header too, so listing
   many logs is one read each. All views of a log live until it is closed. Values said to be
   `raw` are slices of JSON as the log has them (NaN and Infinity may occur); STR_NONE stands for
   what is missing or null, EVALLOG_NONE and NAN for such numbers. A log is used by one thread at a
   time, but for evallog_read_sample. */
#ifndef HAWK_EVALLOG_EVALLOG_H
#define HAWK_EVALLOG_EVALLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/source.h"
#include "base/str.h"

#define EVALLOG_NONE INT64_MIN

/* Ceilings. Samples have none: they are read in parts (sample_parts.h). */
#define EVALLOG_HEADER_MAX ((size_t)64 << 20)
#define EVALLOG_SUMMARIES_MAX ((size_t)512 << 20)

typedef struct EvalLog EvalLog;

typedef enum EvalLogStatus {
    EVALLOG_STARTED,
    EVALLOG_SUCCESS,
    EVALLOG_CANCELLED,
    EVALLOG_ERROR,
} EvalLogStatus;

/* What the log says about its eval. Instants are microseconds. */
typedef struct EvalLogHeader {
    Str raw; /* a JSON object: header.json, or the like for a log that has none yet */
    int64_t version;
    EvalLogStatus status;
    bool invalidated;
    Str error_message;
    Str error_traceback;

    Str eval_raw;
    Str eval_id;
    Str run_id;
    int64_t created_us;
    Str task;
    Str task_id;
    Str task_version; /* as text, "0" when missing */
    Str task_file;
    Str task_display_name;
    Str task_args; /* raw */
    Str tags;      /* raw, with later edits of the log */
    Str dataset_name;
    Str dataset_location;
    int64_t dataset_samples;
    Str sandbox_type;
    Str sandbox_config; /* raw */
    Str model;
    Str model_base_url;
    Str model_generate_config; /* raw */
    Str model_args;            /* raw */
    Str model_roles;           /* raw: role to config or list of configs */
    Str packages;              /* raw */
    Str inspect_version;
    Str metadata;        /* raw: eval.metadata */
    Str eval_set_id;     /* metadata.eval_set_id */
    Str own_eval_set_id; /* eval.eval_set_id, made by Inspect itself */
    Str created_by;      /* metadata.created_by */

    Str config; /* raw: eval.config */
    int64_t epochs;
    int64_t message_limit;
    int64_t token_limit;
    double time_limit;
    int64_t working_limit;
    double cost_limit;

    Str plan; /* raw */
    Str plan_name;
    Str agent; /* plan_name, or the solvers' names joined by commas when it is "plan" */

    Str results;               /* raw */
    int64_t total_samples;     /* 0 when there are no results */
    int64_t completed_samples; /* 0 when there are no results */

    Str stats; /* raw */
    int64_t started_us;
    int64_t completed_us;
    Str model_usage; /* raw */
} EvalLogHeader;

/* One line of the summaries. */
typedef struct EvalLogSummary {
    Str raw; /* a JSON object, Inspect's EvalSampleSummary */
    Str id;  /* as text, also when it is a number */
    int64_t epoch;
    Str uuid;
    bool completed;
    Str error;
    Str limit;
    Str input;       /* raw */
    Str target;      /* raw */
    Str scores;      /* raw */
    Str metadata;    /* raw */
    Str model_usage; /* raw */
    int64_t started_us;
    int64_t completed_us;
    double total_time;
    double working_time;
    int64_t message_count;
    int64_t retries;
} EvalLogSummary;

typedef struct EvalLogSummaries {
    const EvalLogSummary *items;
    size_t n;
} EvalLogSummaries;

/* One sample that is in the log. */
typedef struct EvalLogSample {
    Str id;
    int64_t epoch;
    uint64_t size; /* bytes of JSON; of a sample in chunks, of its first part */
    bool is_chunked;
    size_t index; /* of the archive's member or the sample in a `.json` log */
    Str uuid;     /* by which it was found, and which it has to say itself; else STR_NONE */
} EvalLogSample;

typedef struct EvalLogSamples {
    const EvalLogSample *items;
    size_t n;
} EvalLogSamples;

/* Opens a log. What form it has is told by the end of the source's name, ".eval" or ".json", and
   failing that by its first bytes. ERR_BAD_DATA when it has neither form. */
int evallog_open(Source *take_source, EvalLog **ret, Error *err) HAWK_MUST_USE;
void evallog_close(EvalLog *log);

/* From here on samples (and the file of a `.json` log) of more than n bytes of JSON are read
   through a window instead of whole; n is at most what it is without this, SAMPLE_PARTS_WHOLE_MAX.
 */
void evallog_hold_at_most(EvalLog *log, size_t n);

/* The header; of a log without one, what its start and journal say, with status "started". */
int evallog_header(EvalLog *log, const EvalLogHeader **ret, Error *err) HAWK_MUST_USE;

/* The summaries of all samples; of a running log those that it has so far. Of equal id and epoch
   the last counts. Those of a `.json` log are made from its samples, without Inspect's shortening
   of long values. */
int evallog_summaries(EvalLog *log, const EvalLogSummaries **ret, Error *err) HAWK_MUST_USE;

/* The samples whose whole record is in the log. */
int evallog_samples(EvalLog *log, const EvalLogSamples **ret, Error *err) HAWK_MUST_USE;

/* The scores reduced over epochs, raw; STR_NONE when there are none. */
int evallog_reductions(EvalLog *log, Str *ret, Error *err) HAWK_MUST_USE;

/* One sample by id (as text) and epoch, or by uuid. ERR_NOT_FOUND. Summaries are read up to the
   one with the uuid; that its sample has it too is checked where that is read, which fails with
   ERR_NOT_FOUND if not. */
int evallog_find_sample(EvalLog *log, Str id, int64_t epoch, const EvalLogSample **ret,
                        Error *err) HAWK_MUST_USE;
int evallog_find_uuid(EvalLog *log, Str uuid, const EvalLogSample **ret, Error *err) HAWK_MUST_USE;

/* Appends the sample's JSON document to ret, whose maximum is the ceiling. Model events refer to
   events_data.messages and .calls as in the log. A sample in chunks is put together into the same
   form; its attachments are then named by number. Not checked to be JSON. Several threads may call
   this at once with samples got before. */
int evallog_read_sample(const EvalLog *log, const EvalLogSample *sample, Buf *ret,
                        Error *err) HAWK_MUST_USE;

/* "started", "success", "cancelled", "error". */
const char *evallog_status_name(EvalLogStatus status);

HAWK_DEFINE_AUTO(EvalLog, evallog, evallog_close)
#define auto_evallog HAWK_CLEANUP(evallog_cleanup_)

#endif
