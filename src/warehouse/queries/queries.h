/* Queries: the reading routes below /meta, answered from the warehouse as JSON documents. What the
   caller may not see does not exist, but for single samples, where the answer is ERR_DENIED. */
#ifndef HAWK_WAREHOUSE_QUERIES_H
#define HAWK_WAREHOUSE_QUERIES_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "codec/json.h"
#include "codec/json_out.h"
#include "sql/sql.h"
#include "store/store.h"

/* Whose eyes: all of an eval's model groups must be among `groups`. A zeroed value sees nothing. */
typedef struct QueriesAccess {
    bool sees_all;
    const char *const *groups;
    size_t n_groups;
} QueriesAccess;

/* Pages are counted from 1; ERR_USAGE when page or limit is out of range. */
typedef struct QueriesPage {
    int64_t page;
    int64_t limit; /* 1..500 */
    Str cursor;    /* next_cursor of an earlier answer; the page's number does not count then */
} QueriesPage;

/* EvalSetsResponse, newest first. The words of search must all occur in id, task or creator of an
   eval; such evals make the set, its counts and its times. */
int queries_eval_sets(Sql *sql, const QueriesAccess *access, QueriesPage page, Str search,
                      JsonOut *out, Error *err) HAWK_MUST_USE;

/* EvalsResponse of one eval set, newest first. */
int queries_evals(Sql *sql, const QueriesAccess *access, QueriesPage page, Str eval_set_id,
                  JsonOut *out, Error *err) HAWK_MUST_USE;

/* Which samples. Views that are STR_NONE do not filter. */
typedef struct QueriesSamples {
    QueriesPage page;
    Str eval_set_id;
    Str search; /* words that must all occur in sample, task, eval, set, location or model, or be
                   the sample's uuid */
    const Str *statuses; /* any of these; provisional samples have none of them */
    size_t n_statuses;
    Str scorer; /* whose score score_min, score_max, score_value and sorting by score look at;
                   STR_NONE: the only final one, if there is but one */
    bool has_score_min;
    bool has_score_max;
    double score_min;
    double score_max;
    Str sort_by;    /* STR_NONE: completed_at */
    Str sort_order; /* "asc" or "desc"; STR_NONE: desc; unknown values come last either way */
    Str model;
    Str created_by;
    Str task_name;
    Str task_version;
    bool has_completed_after;
    bool has_completed_before;
    int64_t completed_after_us;
    int64_t completed_before_us;
} QueriesSamples;

/* SamplesResponse. ERR_USAGE for a column that cannot be sorted by, a score that is not finite, an
   inverted range of times; ERR_BAD_DATA for an unknown status or order. */
int queries_samples(Sql *sql, const QueriesAccess *access, const QueriesSamples *filter,
                    JsonOut *out, Error *err) HAWK_MUST_USE;

/* Runs what the commonest lists consist of, so that a connection knows the tables and has plans
   when the first request comes; for sql_keep_ready. Failures are of no matter. */
void queries_warm(Sql *sql);

/* SampleMetaResponse and SampleScoresResponse. ERR_NOT_FOUND "Sample not found" or ERR_DENIED. */
int queries_sample(Sql *sql, const QueriesAccess *access, Str uuid, JsonOut *out,
                   Error *err) HAWK_MUST_USE;
int queries_sample_scores(Sql *sql, const QueriesAccess *access, Str uuid, JsonOut *out,
                          Error *err) HAWK_MUST_USE;

/* Which events of a sample, in their order. */
enum { QUERIES_EVENT_TYPES_MAX = 32 };
typedef struct QueriesEvents {
    int64_t from_order;
    int64_t limit;    /* 1..1000, when they are resolved 1..100 */
    const Str *types; /* any of these; none: all */
    size_t n_types;
    Str uuid;         /* only this event, or STR_NONE */
    bool is_resolved; /* what they refer to stands in them, instead of beside them */
} QueriesEvents;

/* SampleEventsResponse. Fails as queries_sample. */
int queries_sample_events(Sql *sql, const QueriesAccess *access, Str uuid,
                          const QueriesEvents *filter, JsonOut *out, Error *err) HAWK_MUST_USE;

/* Where a sample is, in the arena. Fails as queries_sample. */
typedef struct QueriesPlace {
    const char *eval_set_id;
    const char *log_key; /* key of the log in the store */
    const char *id;
    int64_t epoch;
    bool is_provisional; /* only its summary is known yet */
} QueriesPlace;
int queries_place(Sql *sql, const QueriesAccess *access, Str uuid, Arena *arena, QueriesPlace *ret,
                  Error *err) HAWK_MUST_USE;

/* What has become of the logs of an eval set, in the arena; for a set without any, zeros. Asks no
   access: the caller does. */
typedef struct QueriesImport {
    const char *location;
    const char *status; /* "pending" (still being written), "importing", "success", "failed" */
    const char *error;  /* or NULL */
} QueriesImport;
typedef struct QueriesImports {
    int64_t n_pending;
    int64_t n_importing;
    int64_t n_success;
    int64_t n_failed;
    int64_t n_samples;
    QueriesImport *logs; /* at most QUERIES_IMPORTS_MAX */
    size_t n_logs;
} QueriesImports;
enum { QUERIES_IMPORTS_MAX = 10000 };
int queries_imports(Sql *sql, Store *store, Str eval_set_id, Arena *arena, QueriesImports *ret,
                    Error *err) HAWK_MUST_USE;

/* The models that the logs of an eval set are of, or have called, in the arena: a list of texts.
   Asks no access: the caller does. */
int queries_models(Sql *sql, Str eval_set_id, Arena *arena, const Json **ret,
                   Error *err) HAWK_MUST_USE;

/* The model groups of the evals of an eval set, or of the scans of a scan run, in the arena: a list
   of lists, each once. Asks no access either. */
int queries_groups(Sql *sql, bool of_scans, Str id, Arena *arena, const Json **ret,
                   Error *err) HAWK_MUST_USE;

/* How many samples of a JSON list of uuids the caller may see, and in the arena the model groups of
   their evals: a list of lists. */
int queries_sources(Sql *sql, const QueriesAccess *access, Str uuids, Arena *arena, int64_t *ret_n,
                    Json **ret_groups, Error *err) HAWK_MUST_USE;

/* Whether there is an eval that the caller may not see. */
int queries_hides(Sql *sql, const QueriesAccess *access, bool *ret, Error *err) HAWK_MUST_USE;

/* Which rows of the import queue. */
typedef struct QueriesImportList {
    Str eval_set_id;   /* STR_NONE: of all sets */
    const Str *states; /* any of these; none: all */
    size_t n_states;
    Str cursor; /* STR_NONE, or where an earlier answer ended */
    int64_t limit;
} QueriesImportList;

/* {items, next_cursor, counts}, those that were seen first last; counts is by state, of all that
   the caller may see of the set. ERR_USAGE for an unknown state, limit or cursor. */
int queries_import_list(Sql *sql, Store *store, const QueriesAccess *access,
                        const QueriesImportList *list, JsonOut *out, Error *err) HAWK_MUST_USE;

#endif
