/* Imports: logs that clients bring along. They are staged below "pending-imports/<id>/", where
   nobody sees them, and become an eval set all at once when the import is finalized. */
#ifndef HAWK_SERVER_IMPORTS_H
#define HAWK_SERVER_IMPORTS_H

#include "jobs/jobs.h"
#include "server/route.h"

enum { IMPORTS_NAME_MAX = 200, IMPORTS_FILES_MAX = 200, IMPORTS_SCAN_FILES_MAX = 500 };
#define IMPORTS_SIZE_MAX ((uint64_t)2 << 30)

/* What is brought along. */
typedef enum ImportsKind { IMPORTS_LOGS, IMPORTS_SCANS } ImportsKind;

/* What the files of imports share; one for a server. */
typedef struct Imports Imports;
Imports *imports_new(void) HAWK_MUST_USE;
void imports_free(Imports *imports); /* NULL is fine */

/* Begins an import of the caller's with a name of his (or STR_NONE): reserves an id. */
int imports_begin(RouteCtx *ctx, ImportsKind kind, Str name, const char **ret_id,
                  Error *err) HAWK_MUST_USE;

/* The id of an import that the caller may go on with, in the arena. */
int imports_check_id(RouteCtx *ctx, ImportsKind kind, Str id, const char **ret,
                     Error *err) HAWK_MUST_USE;

/* A file that is going to come. */
typedef struct ImportsFile {
    Str scan_id; /* of a scan's file; STR_NONE of a log */
    Str name;
    Str sha256;  /* may be empty for a scan's file */
    Str eval_id; /* of a log, when the client says it; STR_NONE */
    uint64_t size;
} ImportsFile;

/* ERR_USAGE when the server will not take it. */
int imports_check_file(const ImportsFile *file, Error *err) HAWK_MUST_USE;

/* ERR_CONFLICT when another eval set has the eval of a log, so that it need not be sent. */
int imports_check_new(RouteCtx *ctx, const char *id, const ImportsFile *file,
                      Error *err) HAWK_MUST_USE;

/* Answers a request for the addresses of the files that its body names, none of them twice. */
int imports_send_links(RouteCtx *ctx, ImportsKind kind, Error *err) HAWK_MUST_USE;

/* The address to which it can be sent until an instant (seconds), by whoever has it. */
const char *imports_link(const App *app, Arena *arena, const char *id, const ImportsFile *file,
                         int64_t expires);

/* The admission of a body at such an address, for HttpServerOptions.admit: sets the limit to what
   was announced, and refuses what is not ours or came too late. Other addresses pass. */
int imports_admit(void *context, HttpRequest *request, size_t *body_max, Error *err);

/* Stages the file that was sent to such an address, once size and checksum were found right, and
   answers. */
int imports_receive(RouteCtx *ctx, Error *err) HAWK_MUST_USE;

/* The body of a request to finalize: it may be missing, and may not name sources of code, of which
   this server keeps no record. */
int imports_check_finalize(RouteCtx *ctx, Error *err) HAWK_MUST_USE;

/* A file that was not published, and why. */
typedef struct ImportsFailure {
    const char *name;
    Error error;
} ImportsFailure;

typedef struct ImportsResult {
    ImportsFailure *failures; /* in the arena; errors are released by imports_release_result */
    size_t n_failures;
    size_t n_published;
} ImportsResult;

/* Publishes what is staged: checks every file, says who may see the set, moves the files to where
   they are seen and queues them. With is_partial what is in order is published although other files
   are not, which are then dropped. Doing it again is fine. */
int imports_finalize(RouteCtx *ctx, const char *id, bool is_partial, ImportsResult *ret,
                     Error *err) HAWK_MUST_USE;
void imports_release_result(ImportsResult *result);

/* The same for scans: what is staged of each is checked and moved to "scans/<id>/scan_id=<scan>/".
   The ids of its scans are in the arena. */
int imports_finalize_scans(RouteCtx *ctx, const char *id, const Str **ret_scans, size_t *ret_n,
                           Error *err) HAWK_MUST_USE;

/* Removes what was imported: its files, and with them its rows. Only who began it may, and
   administrators. Doing it again after it broke off is fine; ERR_NOT_FOUND when there is none. */
int imports_remove(RouteCtx *ctx, ImportsKind kind, Str id, Error *err) HAWK_MUST_USE;

/* Drops what was staged long ago and never finalized. */
int imports_sweep(App *app, Error *err) HAWK_MUST_USE;

/* Title and HTTP status of an error's code, or NULL. */
const JobsProblem *imports_problem(const char *code);

#endif
