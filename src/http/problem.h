/* Problem documents (RFC 9457): how an error looks to a client of the API. */
#ifndef HAWK_HTTP_PROBLEM_H
#define HAWK_HTTP_PROBLEM_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "http/server.h"

#define PROBLEM_CONTENT_TYPE "application/problem+json"

/* The title of an HTTP status of 400 and above, "Not Found". */
const char *problem_title(int status);

/* Appends the document of a set error answered with the given status; title NULL is that of the
   status; instance (a path) may be STR_NONE. */
void problem_add(Buf *buf, int status, const char *title, const Error *err, Str instance);

/* Answers the request with the error: the status of its kind and the document. Retry-After is what
   the error says of it, of ERR_BUSY a second when it says nothing. Replaces a body set before. */
void problem_respond(HttpRequest *request, HttpResponse *response, const Error *err);

/* As problem_respond with a status that the kind does not give (405, 406, 415, 416, ...) and,
   unless NULL, a title of its own. */
void problem_respond_as(HttpRequest *request, HttpResponse *response, int status, const char *title,
                        const Error *err);

#endif
