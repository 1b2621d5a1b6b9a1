/* Logs: names that clients give to eval logs, whether the caller may read them, and what is read
 * out of them. */
#ifndef HAWK_SERVER_LOGS_H
#define HAWK_SERVER_LOGS_H

#include "access/access.h"
#include "evallog/sample_parts.h"
#include "server/route.h"
#include "warehouse/queries/queries.h"

/* A log or the folder of an eval set; strings in the arena of the request. */
typedef struct LogsName {
    const char *eval_set_id;
    const char *key;  /* in the store: "evals/<id>/<file>" or "evals/<id>" */
    const char *file; /* "<file>"; NULL for a folder */
} LogsName;

/* Whether a key of the store is an eval log: ".eval" or ".json" with a dated name. */
bool logs_is_log(Str key);

/* The log or folder that a client means, once the caller has been allowed to read it. ERR_DENIED
   for names that are not well-formed too, so that a probe learns nothing. */
int logs_name(RouteCtx *ctx, Str given, LogsName *ret, Error *err) HAWK_MUST_USE;
int logs_dir(RouteCtx *ctx, Str given, LogsName *ret, Error *err) HAWK_MUST_USE;

/* Handlers that read into the logs themselves. */
int logs_view_header(RouteCtx *ctx, Error *err) HAWK_MUST_USE;
int logs_view_headers(RouteCtx *ctx, Error *err) HAWK_MUST_USE;
int logs_view_pending(RouteCtx *ctx, Error *err) HAWK_MUST_USE;
int logs_view_pending_data(RouteCtx *ctx, Error *err) HAWK_MUST_USE;

/* Fills in who made an eval set and its model groups: of its job, else of its .models.json, and of
   what its logs were imported with. Left unknown when neither of the first is there. */
int logs_resource(RouteCtx *ctx, const char *eval_set_id, AccessResource *resource,
                  Error *err) HAWK_MUST_USE;

/* The names of the models of an eval set, in the arena: those that its .models.json has, and those
   that its logs in the warehouse have called. Asks no access: the caller does. */
int logs_models(RouteCtx *ctx, const char *eval_set_id, const Str **ret, size_t *ret_n,
                Error *err) HAWK_MUST_USE;

/* Opens the log that a sample is in, and the sample. Asks no access: who found the place did. */
int logs_open_sample(RouteCtx *ctx, const QueriesPlace *place, EvalLog **ret_log, SampleParts **ret,
                     Error *err) HAWK_MUST_USE;

/* As logs_resource, for a scan. */
int logs_scan_resource(RouteCtx *ctx, const char *job_id, AccessResource *resource,
                       Error *err) HAWK_MUST_USE;

#endif
