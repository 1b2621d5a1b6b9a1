/* Api: the connection of a command to the server.

   The server is the one that HAWK_API_URL names (environment, ./.env, ~/.config/hawk-cli/env, in
   this order), else the local one of the data folder, which is started in the background when none
   runs. */
#ifndef HAWK_CLI_API_H
#define HAWK_CLI_API_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/source.h"
#include "cli/command.h"
#include "codec/json.h"

/* Finds the server, starts it when it is the local one and the Cli allows it. */
int api_open(Cli *cli, Api **ret, Error *err) HAWK_MUST_USE;
void api_close(Api *api);

/* Without a trailing slash. */
const char *api_url(const Api *api);

/* Whether the server is this machine's own, found through the data folder. */
bool api_is_local(const Api *api);

/* Another connection to the same server, for another thread; ended with api_close. */
Api *api_copy(const Api *api) HAWK_MUST_USE;

/* A request; path begins with '/' or is a whole address that the server gave, and whatever in it
 * comes from a user was put there with api_add_segment or api_add_query. */
typedef struct ApiCall {
    const char *method; /* NULL: GET */
    const char *path;
    Str body;       /* JSON; STR_NONE: none */
    Source *upload; /* sent instead, as bytes; or NULL */
    Str checksum;   /* of the upload, for an address of S3 that asks for it; or STR_NONE */
    size_t max;     /* bytes of an answer; 0: API_ANSWER_MAX */
    int timeout_ms; /* 0: API_TIMEOUT_MS; -1: none */
    int idle_ms;    /* without a byte; 0: as http/client.h says */
    const char *if_none_match;
    const char *range; /* "bytes=0-99" */
    int (*sink)(void *context, Str bytes, Error *err);
    void *sink_context;
    void (*field)(void *context, Str name, Str value); /* gets the header fields of answers */
    void *field_context;
} ApiCall;

enum { API_ANSWER_MAX = 64 << 20, API_TIMEOUT_MS = 300000 };

/* Sends; a 2xx answer (or 304 with if_none_match) is success, its body is appended to `body` when
   that is not NULL; ret_status may be NULL. Any other becomes an error: kind from the status,
   message, code and fix from the problem document. */
int api_send(Api *api, const ApiCall *call, Buf *body, int *ret_status, Error *err) HAWK_MUST_USE;

/* Whether what failed may do better a little later: it is a problem of the connection or of a busy
   server, and not of what was asked. */
bool api_may_pass(const Error *err);

/* Fails when there is no login or token for a server elsewhere: it may be one that only a folder
   names, and gets no secrets to say so. */
int api_check_secrets(const Api *api, Error *err) HAWK_MUST_USE;

/* GET or POST through the Cli's connection, which they open; the answer becomes a tree in the Cli's
 * arena (ret of api_post may be NULL). */
int api_get(Cli *cli, const char *path, Json **ret, Error *err) HAWK_MUST_USE;
int api_post(Cli *cli, const char *path, Str json, Json **ret, Error *err) HAWK_MUST_USE;

/* api_get of a path that was put together. One that did not fit is refused: without its last
 * conditions it would ask for more. */
int api_get_path(Cli *cli, const Buf *path, Json **ret, Error *err) HAWK_MUST_USE;

/* Reads an answer's JSON, NaN allowed, into a tree in an arena. */
int api_parse(Arena *arena, Str text, Json **ret, Error *err) HAWK_MUST_USE;

/* The version of a server's program, out of its answer to /version; the Python hawk's has one
   version only. STR_NONE when it says none. */
Str api_version(const Json *answer);

/* Append one path segment, or a path whose slashes stay, percent-encoded. */
void api_add_segment(Buf *path, Str segment);
void api_add_path(Buf *path, Str name);

/* Appends the path of what the server tells about a job: "status", "explain", "logs", ... */
void api_add_job_path(Buf *path, const char *id, const char *what);

/* Fails when there is no eval set of that id, or none that may be seen: an empty list does not
 * tell. A server that cannot be asked such a thing is taken at its list's word. */
int api_check_id(Cli *cli, const char *id, Error *err) HAWK_MUST_USE;

/* Append "?name=value" or "&name=value", encoded; a NULL value adds nothing. */
void api_add_query(Buf *path, const char *name, const char *value);
void api_add_query_int(Buf *path, const char *name, int64_t value);

#endif
