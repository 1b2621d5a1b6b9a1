/* What the files of a log share: the open log, and records filled from JSON objects by tables. */
#ifndef HAWK_EVALLOG_EVALLOG_PRIV_H
#define HAWK_EVALLOG_EVALLOG_PRIV_H

#include "base/arena.h"
#include "codec/json_scan.h"
#include "codec/zip.h"
#include "codec/zip_write.h"
#include "evallog/evallog.h"
#include "evallog/evallog_text.h"

#define EVALLOG_JSON_SAMPLES_MAX ZIP_ENTRIES_MAX

/* Bytes of a `.json` log. */
typedef struct EvalLogRange {
    uint64_t offset;
    uint64_t size;
} EvalLogRange;

/* Everything but source and zip is filled when it is asked for. */
struct EvalLog {
    Source *source;
    Zip *zip;         /* NULL for a `.json` log */
    size_t whole_max; /* a text of more bytes is not held as a whole */
    Arena *arena;

    bool has_header;
    Buf header_text;
    EvalLogHeader header;

    bool has_summaries;
    Buf summaries_text;
    EvalLogSummary *summary_items;
    size_t n_summaries;
    EvalLogSummaries summaries;

    bool has_samples;
    EvalLogSample *sample_items;
    size_t n_samples;
    EvalLogSamples samples;

    bool has_reductions;
    Buf reductions_text;
    Str reductions;

    EvalLogRange *json_samples;   /* as sample_items, of a `.json` log */
    EvalLogRange json_reductions; /* of size 0 when there are none */
};

/* How a member of a JSON object becomes a field of a record. */
typedef enum EvalLogFieldType {
    EVALLOG_RAW,  /* Str: the slice */
    EVALLOG_TEXT, /* Str: a string, unescaped */
    EVALLOG_NAME, /* Str: as EVALLOG_TEXT, or the digits of a number */
    EVALLOG_INT,  /* int64_t */
    EVALLOG_REAL, /* double */
    EVALLOG_TIME, /* int64_t */
    EVALLOG_BOOL, /* bool */
} EvalLogFieldType;

typedef struct EvalLogField {
    const char *name;
    EvalLogFieldType type;
    size_t offset;
} EvalLogField;

/* Fills the fields of record from a JSON object; what is missing, null or of another type becomes
   STR_NONE, EVALLOG_NONE, NAN or false. A raw that is STR_NONE or no object counts as empty. */
int evallog_fill(Str raw, const EvalLogField *fields, size_t n, Arena *arena, void *record,
                 Error *err) HAWK_MUST_USE;

/* Members of the archive named `<prefix><number>.json`, in the order of their numbers, in the
   arena. */
typedef struct EvalLogNumbered {
    uint64_t number;
    const ZipEntry *entry;
} EvalLogNumbered;
size_t evallog_numbered(const Zip *zip, Str prefix, Arena *arena, EvalLogNumbered **ret);

/* The parts of a `.eval` archive. */
int evallog_zip_header(EvalLog *log, Error *err) HAWK_MUST_USE;
int evallog_zip_summaries(EvalLog *log, Error *err) HAWK_MUST_USE;
void evallog_zip_samples(EvalLog *log);
int evallog_zip_reductions(EvalLog *log, Error *err) HAWK_MUST_USE;

/* A sample by its name, or NULL; or by the uuid of a summary: 1, or 0 when there is none. */
EvalLogSample *evallog_zip_find_sample(EvalLog *log, Str id, int64_t epoch);
int evallog_zip_find_uuid(EvalLog *log, Str uuid, const EvalLogSample **ret,
                          Error *err) HAWK_MUST_USE;

/* Whether a sample that was found by a summary says the same of its uuid: raw is what it says.
   ERR_NOT_FOUND. */
int evallog_check_uuid(const EvalLog *log, const EvalLogSample *sample, Str raw,
                       Error *err) HAWK_MUST_USE;

/* Puts a sample in chunks together. */
int evallog_chunks_read(const EvalLog *log, const EvalLogSample *sample, Buf *ret,
                        Error *err) HAWK_MUST_USE;

/* The same parts of a `.json` log. */
int evallog_json_header(EvalLog *log, Error *err) HAWK_MUST_USE;
int evallog_json_summaries(EvalLog *log, Error *err) HAWK_MUST_USE;
int evallog_json_samples(EvalLog *log, Error *err) HAWK_MUST_USE;
int evallog_json_reductions(EvalLog *log, Error *err) HAWK_MUST_USE;
int evallog_json_read_sample(const EvalLog *log, const EvalLogSample *sample, Buf *ret,
                             Error *err) HAWK_MUST_USE;
int evallog_json_open_sample(const EvalLog *log, const EvalLogSample *sample, EvalLogText *ret,
                             Error *err) HAWK_MUST_USE;

/* Reads log->header_text into log->header. */
int evallog_parse_header(EvalLog *log, Error *err) HAWK_MUST_USE;

/* Appends the summaries of a JSON array, which the log keeps, to log->summary_items. */
int evallog_add_summaries(EvalLog *log, Str array, Error *err) HAWK_MUST_USE;

/* The id (in the arena) and epoch of the first summary with that uuid in a JSON array; what stands
   behind it is not read. 1, or 0 when there is none, or it is written in another way. */
int evallog_find_summary(JsonStream *stream, Str uuid, Arena *arena, Str *ret_id,
                         int64_t *ret_epoch, Error *err) HAWK_MUST_USE;

/* Leaves the last of each id and epoch, at the place of the first. */
void evallog_dedupe_summaries(EvalLog *log);

/* Adds summaries.json with the summaries of the log. */
int evallog_priv_add_summaries(EvalLog *log, ZipWrite *zip, Error *err) HAWK_MUST_USE;

#endif
