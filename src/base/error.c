/* The one error type: text on the heap, kinds in a table. */

#define ERROR_IMPLEMENTATION
#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

typedef struct KindRow {
    const char *name;
    int exit_status;
    int http_status;
} KindRow;

/* clang-format off */
static const KindRow kinds[] = {
    [ERR_NONE]        = { "none",          0, 200 },
    [ERR_USAGE]       = { "usage",         2, 400 },
    [ERR_BAD_DATA]    = { "bad_data",      2, 422 },
    [ERR_NOT_FOUND]   = { "not_found",     5, 404 },
    [ERR_CONFLICT]    = { "conflict",      6, 409 },
    [ERR_LOGIN]       = { "login",         3, 401 },
    [ERR_DENIED]      = { "denied",        4, 403 },
    [ERR_BUSY]        = { "busy",         75, 429 },
    [ERR_TIMEOUT]     = { "timeout",      75, 504 },
    [ERR_UNREACHABLE] = { "unreachable",  75, 502 },
    [ERR_NO_SPACE]    = { "no_space",      1, 507 },
    [ERR_IO]          = { "io",            1, 500 },
    [ERR_CANCELLED]   = { "cancelled",   130, 503 },
    [ERR_UNSUPPORTED] = { "unsupported",   2, 501 },
    [ERR_FAILED]      = { "failed",        1, 500 },
    [ERR_INTERNAL]    = { "internal",      1, 500 },
};
/* clang-format on */

HAWK_PRINTF(1, 0)
static char *format(const char *fmt, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, fmt, args) < 0)
        abort();
    return text;
}

static ErrorKind kind_of_errno(int errnum)
{
    switch (errnum) {
    case ENOENT: return ERR_NOT_FOUND;
    case EACCES:
    case EPERM: return ERR_DENIED;
    case EEXIST:
    case EADDRINUSE: return ERR_CONFLICT;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return ERR_NO_SPACE;
    case ETIMEDOUT: return ERR_TIMEOUT;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case EHOSTUNREACH: return ERR_UNREACHABLE;
    default: return ERR_IO;
    }
}

int error_set(Error *err, ErrorKind kind, const char *fmt, ...)
{
    assert(err->kind == ERR_NONE);
    va_list args;
    va_start(args, fmt);
    err->message = format(fmt, args);
    va_end(args);
    err->kind = kind;
    return -1;
}

int error_errno(Error *err, int errnum, const char *fmt, ...)
{
    assert(err->kind == ERR_NONE);
    va_list args;
    va_start(args, fmt);
    auto_free char *text = format(fmt, args);
    va_end(args);
    err->message =
        mem_printf("%s: %s", text, strerrordesc_np(errnum) ? strerrordesc_np(errnum) : "unknown");
    err->kind = kind_of_errno(errnum);
    return -1;
}

int error_wrap(Error *err, const char *fmt, ...)
{
    assert(err->kind != ERR_NONE);
    va_list args;
    va_start(args, fmt);
    auto_free char *text = format(fmt, args);
    va_end(args);
    char *longer = mem_printf("%s: %s", text, err->message);
    free(err->message);
    err->message = longer;
    return -1;
}

int error_fix(Error *err, const char *fmt, ...)
{
    assert(err->kind != ERR_NONE);
    va_list args;
    va_start(args, fmt);
    free(err->fix);
    err->fix = format(fmt, args);
    va_end(args);
    return -1;
}

int error_code(Error *err, const char *code)
{
    assert(err->kind != ERR_NONE);
    free(err->code);
    err->code = mem_strdup(code);
    return -1;
}

int error_retry(Error *err, int seconds)
{
    assert(err->kind != ERR_NONE);
    err->retry_s = seconds;
    return -1;
}

const char *error_text(const Error *err)
{
    return err->message ? err->message : "";
}

int error_move(Error *err, Error *take)
{
    assert(err->kind == ERR_NONE && take->kind != ERR_NONE);
    *err = *take;
    *take = ERROR_INIT;
    return -1;
}

void error_reset(Error *err)
{
    free(err->message);
    free(err->code);
    free(err->fix);
    *err = ERROR_INIT;
}

void error_release(Error *err)
{
    error_reset(err);
}

const char *error_kind_name(ErrorKind kind)
{
    return kinds[kind].name;
}

int error_kind_exit(ErrorKind kind)
{
    return kinds[kind].exit_status;
}

int error_kind_http(ErrorKind kind)
{
    return kinds[kind].http_status;
}

ErrorKind error_kind_of_http(int status)
{
    if (status == 413)
        return ERR_BAD_DATA;
    if (status == 503)
        return ERR_BUSY;
    for (size_t i = ERR_USAGE; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].http_status == status)
            return (ErrorKind)i;
    return status >= 500 ? ERR_INTERNAL : ERR_USAGE;
}
