/* /monitoring/jobs/{id}/trace: what Inspect traces of a running job, as it is in its file. */

#include "server/routes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "jobs/jobs.h"
#include "server/server_priv.h"

enum { LINES_MAX = 50000, BLOCK = 64 * 1024, TAIL_MAX = 256 << 20 };

/* Where the last n lines of a file begin; *ret_is_cut tells whether there are others before them.
   Lines past TAIL_MAX are left out. */
static uint64_t tail_begins(int fd, uint64_t size, int64_t n, bool *ret_is_cut)
{
    static const uint64_t most = TAIL_MAX;
    char block[BLOCK];
    uint64_t at = size;
    uint64_t least = size > most ? size - most : 0;
    int64_t n_ends = 0;
    while (at > least) {
        size_t want = at - least < sizeof(block) ? (size_t)(at - least) : sizeof(block);
        if (pread(fd, block, want, (off_t)(at - want)) != (ssize_t)want)
            break;
        for (size_t i = want; i > 0; i--) {
            uint64_t end = at - want + i;
            if (block[i - 1] != '\n' || end == size || ++n_ends < n)
                continue;
            *ret_is_cut = true;
            return end;
        }
        at -= want;
    }
    *ret_is_cut = at > 0;
    return at;
}

static void add_number(RouteCtx *ctx, const char *name, uint64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRIu64, number);
    http_response_header(ctx->response, name, str_of(text));
}

static int monitoring_trace(RouteCtx *ctx, Error *err)
{
    Job job = {0};
    int64_t lines = 0;
    int64_t since = 0;
    auto_free char *path = NULL;
    struct stat st;
    if (route_param_int(ctx, "lines", 100, 1, LINES_MAX, &lines, err) < 0 ||
        route_param_int(ctx, "since_bytes", -1, 0, INT64_MAX, &since, err) < 0 ||
        server_job_of_path(ctx, &job, err) < 0 || jobs_trace(ctx->app->jobs, &job, &path, err) < 0)
        return -1;
    auto_fd int fd = fs_open(path, O_RDONLY | O_NOFOLLOW, 0, err);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0)
        return error_errno(err, errno, "cannot read the trace of %s", job.job_id);
    uint64_t size = (uint64_t)st.st_size;
    uint64_t from = 0;
    bool is_cut = false;
    http_response_header(ctx->response, "X-Hawk-Trace-Pod", str_of(job.job_id));
    http_response_header(ctx->response, "X-Hawk-Trace-File", str_of(strrchr(path, '/') + 1));
    http_response_header(ctx->response, "Cache-Control", STR("no-store"));
    if (!str_eqz(http_request_param(ctx->request, "full", 0), "true")) {
        if (since >= 0)
            from = (uint64_t)since < size ? (uint64_t)since : size;
        else
            from = tail_begins(fd, size, lines, &is_cut);
        add_number(ctx, "X-Hawk-Trace-Size", size);
        http_response_header(ctx->response, "X-Hawk-Trace-Truncated",
                             is_cut ? STR("true") : STR("false"));
    }
    http_response_file(ctx->response, "text/plain; charset=utf-8", TAKE_FD(fd), from, size - from);
    return 0;
}

/* clang-format off */
static const Route rows[] = {
    { "GET", "/monitoring/jobs/{job_id}/trace", ROUTE_READ, monitoring_trace, "what Inspect traces of a running job: its last lines",
      .query = "lines: int(1..50000) = 100; full: bool = false; since_bytes: int(0..)", .answer = "text/plain" },
};
/* clang-format on */

const RouteTable routes_trace = {rows, ARRAY_LEN(rows), NULL, 0};
