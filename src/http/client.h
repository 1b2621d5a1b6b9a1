/* HTTP client over libcurl: pooled connections, TLS verified, ceilings and deadlines on everything.
 */
#ifndef HAWK_HTTP_CLIENT_H
#define HAWK_HTTP_CLIENT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/source.h"
#include "base/str.h"

typedef struct HttpClient HttpClient;

typedef struct HttpHeader {
    const char *name;
    Str value;
} HttpHeader;

typedef struct HttpCall {
    const char *method; /* "GET", ... */
    const char *url;
    const HttpHeader *headers;
    size_t n_headers;
    Str body;            /* sent when body.p is not NULL */
    Source *body_source; /* or this, piece by piece; such a call follows no redirects */
    int timeout_ms;      /* for the whole call; 0: no limit (streams) */
    int idle_timeout_ms; /* without a byte; 0: 60 s */
    /* Redirects to the same origin are followed, up to 5; others, or all with keep_redirects, are
       answered as they are, so that no header goes to an origin that it was not meant for. */
    bool keep_redirects;
    bool accept_gzip; /* ask for gzip and undo it; limits hold for what comes out */
    /* Gets the body of a 2xx answer as it comes, instead of reply->body; -1 (with an error) ends
       the call. */
    int (*sink)(void *context, Str bytes, Error *err);
    void *sink_context;
    /* Gets every header field as it comes, also those of answers that are not the last. */
    void (*field)(void *context, Str name, Str value);
    void *field_context;
    /* Asked at least once a second; true ends the call with ERR_CANCELLED. */
    bool (*is_cancelled)(void *context);
    void *cancel_context;
} HttpCall;

typedef struct HttpReply {
    int status;
    Buf body; /* maximum set by the caller through http_reply_init */
    Buf content_type;
    Buf etag;
    Buf location;
    Buf retry_after;
    Buf next_link; /* target of Link: <...>; rel="next" */
    Buf date;
} HttpReply;

/* Prepares an empty reply; afterwards http_reply_release gives its memory back. */
void http_reply_init(HttpReply *reply, size_t body_max);
void http_reply_release(HttpReply *reply);
#define auto_http_reply HAWK_CLEANUP(http_reply_release)

/* A client keeps connections alive between calls; use one from one thread at a time. */
HttpClient *http_client_new(void) HAWK_MUST_USE;
void http_client_free(HttpClient *client);

/* Sends and waits. Any status is a success here; failing to get one is ERR_UNREACHABLE, ERR_TIMEOUT
   or ERR_BAD_DATA (body over its maximum). */
int http_client_send(HttpClient *client, const HttpCall *call, HttpReply *reply,
                     Error *err) HAWK_MUST_USE;

HAWK_DEFINE_AUTO(HttpClient, http_client, http_client_free)
#define auto_http_client HAWK_CLEANUP(http_client_cleanup_)

#endif
