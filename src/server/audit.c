/* One line, one write(2), so that lines of several threads do not mix. */

#include "server/audit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/json_out.h"

enum { LINE_MAX_BYTES = 8192 };

struct Audit {
    char *path;
    pthread_mutex_t lock; /* of what follows */
    int fd;
    off_t size;
    bool has_failed; /* said so once */
};

typedef struct Request {
    Audit *audit;
    const char *sub;
    Str id;
    Str peer;
} Request;

static int open_file(Audit *audit, Error *err)
{
    struct stat st;
    audit->fd = fs_open(audit->path, O_WRONLY | O_APPEND | O_CREAT, 0600, err);
    if (audit->fd < 0)
        return -1;
    audit->size = fstat(audit->fd, &st) == 0 ? st.st_size : 0;
    return 0;
}

int audit_open(const char *path, Audit **ret, Error *err)
{
    Audit *audit = mem_alloc(sizeof(*audit));
    audit->path = mem_strdup(path);
    audit->fd = -1;
    pthread_mutex_init(&audit->lock, NULL);
    if (open_file(audit, err) < 0) {
        audit_close(audit);
        return -1;
    }
    *ret = audit;
    return 0;
}

void audit_close(Audit *audit)
{
    if (!audit)
        return;
    fs_close_cleanup(&audit->fd);
    pthread_mutex_destroy(&audit->lock);
    free(audit->path);
    free(audit);
}

/* audit.ndjson becomes audit.ndjson.1, that .2, ...; the last goes. */
static void rotate(Audit *audit)
{
    auto_error Error err = ERROR_INIT;
    for (int i = AUDIT_FILES; i > 0; i--) {
        auto_free char *from =
            i == 1 ? mem_strdup(audit->path) : mem_printf("%s.%d", audit->path, i - 1);
        auto_free char *to = mem_printf("%s.%d", audit->path, i);
        (void)rename(from, to); /* what is not there is not moved */
    }
    int old = audit->fd;
    if (open_file(audit, &err) < 0)
        audit->fd = old; /* goes on in the file that was set aside */
    else
        (void)close(old);
}

static void write_line(Audit *audit, const Buf *line)
{
    pthread_mutex_lock(&audit->lock);
    if (audit->size > AUDIT_FILE_MAX)
        rotate(audit);
    bool is_done = write(audit->fd, line->data, line->len) == (ssize_t)line->len;
    bool is_news = !is_done && !audit->has_failed;
    audit->has_failed = !is_done;
    audit->size += (off_t)line->len;
    pthread_mutex_unlock(&audit->lock);
    if (is_news)
        log_error("audit.failed", KV("path", audit->path));
}

static void decided(void *context, const char *action, const char *resource, const char *refusal)
{
    const Request *request = context;
    auto_buf Buf line = BUF_INIT(LINE_MAX_BYTES);
    JsonOut out;
    json_out_init(&out, &line, 0);
    json_out_object(&out);
    json_out_kv_time(&out, "at", clock_now_us());
    json_out_kvz(&out, "sub", request->sub);
    json_out_kvz(&out, "action", action);
    json_out_kvz(&out, "resource", resource);
    json_out_kv_bool(&out, "allowed", refusal == NULL);
    json_out_kvz(&out, "refusal", refusal);
    json_out_kv_str(&out, "request_id", request->id);
    json_out_kv_str(&out, "peer", request->peer);
    json_out_end_object(&out);
    buf_addc(&line, '\n');
    if (!line.overflowed)
        write_line(request->audit, &line);
    else
        log_error("audit.failed", KV("reason", "a line over the limit"), KV("action", action));
}

const CallerAudit *audit_of_request(Audit *audit, Arena *arena, const char *sub, Str request_id,
                                    Str peer)
{
    Request *request = arena_alloc(arena, sizeof(*request));
    CallerAudit *face = arena_alloc(arena, sizeof(*face));
    *request = (Request){audit, sub, arena_str(arena, request_id), peer};
    *face = (CallerAudit){decided, request};
    return face;
}
