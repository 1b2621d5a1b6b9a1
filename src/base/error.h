/* Error: a kind for programs, a message for people, filled by the function that failed and owned by
   the caller.

   A function that can fail takes `Error *err` last and returns 0 or -1; on -1 the error is set,
   exactly once. The kind picks the exit status and the HTTP status; the code (a dotted lower-case
   word, optional) tells programs more; the fix says what to do about it. Never put a secret or a
   whole payload in any of them. */
#ifndef HAWK_BASE_ERROR_H
#define HAWK_BASE_ERROR_H

#include "base/base.h"

typedef enum ErrorKind {
    ERR_NONE,
    ERR_USAGE,    /* the command line or the request is wrong */
    ERR_BAD_DATA, /* a document, log or answer is malformed or over a limit */
    ERR_NOT_FOUND,
    ERR_CONFLICT, /* something is in the way: exists already, changed meanwhile, in use */
    ERR_LOGIN,    /* who you are is not known */
    ERR_DENIED,   /* who you are is known and may not */
    ERR_BUSY,     /* over a rate or a count; try again later */
    ERR_TIMEOUT,
    ERR_UNREACHABLE, /* a peer could not be reached or broke off */
    ERR_NO_SPACE,    /* the disk or a quota is full */
    ERR_IO,
    ERR_CANCELLED,
    ERR_UNSUPPORTED,
    ERR_FAILED, /* the thing itself failed: a run, a child process, an install */
    ERR_INTERNAL,
} ErrorKind;

typedef struct Error {
    ErrorKind kind;
    char *message;
    char *code;
    char *fix;
    int retry_s; /* after how many seconds it makes sense to try again; 0: not known */
} Error;

#define ERROR_INIT ((Error){0})
#define auto_error HAWK_CLEANUP(error_release)

/* Set an error; always return -1, so that a caller can write `return error_set(...)`. Asserts that
 * none is set. */
int error_set(Error *err, ErrorKind kind, const char *fmt, ...) HAWK_PRINTF(3, 4);

/* As error_set, from errno: picks the kind and appends ": <strerror>". */
int error_errno(Error *err, int errnum, const char *fmt, ...) HAWK_PRINTF(3, 4);

/* Puts "<text>: " in front of the message of a set error. Returns -1. */
int error_wrap(Error *err, const char *fmt, ...) HAWK_PRINTF(2, 3);

/* Adds what to do about a set error, or a code for programs; replace an earlier one. Return -1. */
int error_fix(Error *err, const char *fmt, ...) HAWK_PRINTF(2, 3);
int error_code(Error *err, const char *code);

/* Adds when to try again, as a server says it in Retry-After. Returns -1. */
int error_retry(Error *err, int seconds);

/* The message, or "" when none is set; borrowed until the error changes. */
const char *error_text(const Error *err);

/* Moves *take into the unset *err. Returns -1. */
int error_move(Error *err, Error *take);

/* Forget an error and be empty again; error_release is the same, for auto_error. */
void error_reset(Error *err);
void error_release(Error *err);

/* The kind's name in lower case with underscores, its exit status (README, "Exit status"), and its
 * HTTP status. */
const char *error_kind_name(ErrorKind kind);
int error_kind_exit(ErrorKind kind);
int error_kind_http(ErrorKind kind);

/* The kind that stands for an HTTP status of 400 and above. */
ErrorKind error_kind_of_http(int status);

/* The analyzer sees one file at a time, and not that all of them return -1. */
#if defined(__clang_analyzer__) && !defined(ERROR_IMPLEMENTATION)
#define error_set(...) ((void)error_set(__VA_ARGS__), -1)
#define error_errno(...) ((void)error_errno(__VA_ARGS__), -1)
#define error_wrap(...) ((void)error_wrap(__VA_ARGS__), -1)
#define error_fix(...) ((void)error_fix(__VA_ARGS__), -1)
#define error_code(...) ((void)error_code(__VA_ARGS__), -1)
#define error_retry(...) ((void)error_retry(__VA_ARGS__), -1)
#define error_move(...) ((void)error_move(__VA_ARGS__), -1)
#endif

#endif
