/* Routes: a row per method and path with its permission; one dispatcher authenticates, decides,
 * calls and encodes. */
#ifndef HAWK_SERVER_ROUTE_H
#define HAWK_SERVER_ROUTE_H

#include "access/caller.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "codec/json_out.h"
#include "http/server.h"
#include "jobs/jobs.h"
#include "server/shape.h"
#include "server/trace.h"

typedef struct App App;
typedef struct Route Route;

enum { ROUTE_PARAMS_MAX = 6 };

/* What one request knows. Everything in it ends with the request. */
typedef struct RouteCtx {
    App *app;
    HttpRequest *request;
    HttpResponse *response;
    Arena *arena;
    const Caller *caller; /* NULL on routes that are open or of jobs */
    const JobsSelf *self; /* on routes of jobs, whose token it came with */
    const Route *route;   /* NULL until it is found */
    Str request_id;
    Trace trace;                  /* that it belongs to; without an id: none */
    char span[TRACE_SPAN_MAX];    /* of this request, or of who asked when nobody collects ours */
    Str params[ROUTE_PARAMS_MAX]; /* decoded, in the order of the pattern */
} RouteCtx;

/* Answers through ctx->response, or fails with an error that becomes a problem document. */
typedef int RouteHandler(RouteCtx *ctx, Error *err);

typedef enum RoutePermission {
    ROUTE_OPEN,   /* anybody, not even logged in */
    ROUTE_READ,   /* logged in; the handler asks access for each thing it shows */
    ROUTE_CHANGE, /* as ROUTE_READ, and not with a read-only credential; cookies need an allowed
                     Origin */
    ROUTE_JOB,    /* a job's own processes, with its token, and nobody else */
} RoutePermission;

/* A pattern is "/a/{id}/b": {name} takes one segment and {name*} the rest; both are percent-decoded
   after the path has been split, so that %2F stays inside a segment. */
struct Route {
    const char *method;
    const char *pattern;
    RoutePermission permission;
    RouteHandler *handler;
    const char *summary;
    const char *query;  /* its parameters, as fields of shape.h; NULL: none */
    const char *body;   /* shape or media type of what is sent; "?" behind it: may be missing */
    const char *answer; /* "[status] [shape or media types]", several with ';' between; a status by
                           itself has no body. Answers of 400 and above need not be said;
                           NULL: there are no others. */
};

/* The shapes are those of the rows, by name; any table may refer to any. */
typedef struct RouteTable {
    const Route *rows;
    size_t n;
    const Shape *shapes;
    size_t n_shapes;
} RouteTable;

/* Finds the row for a method and raw path and fills params. ERR_NOT_FOUND when no row has the path,
   ERR_USAGE with code "method_not_allowed" when only other methods have it. HEAD finds GET. */
int route_find(const RouteTable *const *tables, size_t n_tables, Str method, Str path, Arena *arena,
               const Route **ret, Str params[ROUTE_PARAMS_MAX], Error *err) HAWK_MUST_USE;

/* The HttpHandler of the server; context is the App. */
void route_dispatch(void *context, HttpRequest *request, HttpResponse *response);

/* Whether problem documents of an address are called "application/json": clients know FastAPI's
   {"detail": ...} there, and one has all of the other. */
bool route_has_plain_errors(Str path);

/* Whether what asks at an address reads JSON also when nobody is logged in; elsewhere a text says
   so, or a page. */
bool route_has_json_logins(Str path);

/* Whether a request comes from a program of this machine by itself. What a proxy on this machine
   passes on for others does not: it says so in a header, or names another host. */
bool route_is_local(const RouteCtx *ctx);

/* Percent-encoded text in the arena, for links; the characters in safe stay. */
const char *route_encode(Arena *arena, Str s, const char *safe);

/* The "traceparent" of what is done because of this request; in the arena. NULL without a trace. */
const char *route_traceparent(RouteCtx *ctx);

/* Sends the JSON that was written into body. */
void route_send_json(RouteCtx *ctx, Buf *take_body);

/* A query parameter as a whole number within bounds; the default when it is missing. ERR_USAGE
 * otherwise. */
int route_param_int(RouteCtx *ctx, const char *name, int64_t otherwise, int64_t min, int64_t max,
                    int64_t *ret, Error *err) HAWK_MUST_USE;

/* The request's body as a JSON object in the arena. ERR_BAD_DATA when it is none. */
int route_body_json(RouteCtx *ctx, Json **ret, Error *err) HAWK_MUST_USE;

#endif
