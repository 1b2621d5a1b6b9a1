/* A Source over the server's log-bytes route. */

#include "cli/remote_log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/source.h"
#include "cli/api.h"

enum {
    PATH_MAX_BYTES = 8192,
    ANSWER_MAX = 64 << 10,
    PART_MAX = 16 << 20,
    REQUEST_COST = 256 << 10, /* bytes that come in the time of a request */
};

typedef struct Remote {
    Source base; /* first, so that one can be told from the other */
    Api *api;
    pthread_mutex_t lock; /* of api */
    char *encoded;        /* the log's name as a path */
} Remote;

static int read_part(Remote *remote, uint64_t offset, char *data, size_t n, Error *err)
{
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    buf_printf(&path, "/view/logs/log-bytes/%s?start=%llu&end=%llu", remote->encoded,
               (unsigned long long)offset, (unsigned long long)(offset + n - 1));
    auto_buf Buf body = BUF_INIT(PART_MAX);
    ApiCall call = {.path = path.data, .max = PART_MAX};
    (void)pthread_mutex_lock(&remote->lock);
    int failed = api_send(remote->api, &call, &body, NULL, err);
    (void)pthread_mutex_unlock(&remote->lock);
    if (failed < 0)
        return -1;
    if (body.len != n)
        return error_set(err, ERR_BAD_DATA, "the server gave %zu bytes of %s instead of %zu",
                         body.len, remote->base.name, n);
    memcpy(data, body.data, n);
    return 0;
}

static int remote_read_at(Source *source, uint64_t offset, void *data, size_t n, Error *err)
{
    Remote *remote = (Remote *)source;
    for (size_t done = 0; done < n;) {
        size_t part = n - done < PART_MAX ? n - done : PART_MAX;
        if (read_part(remote, offset + done, (char *)data + done, part, err) < 0)
            return -1;
        done += part;
    }
    return 0;
}

static void remote_close(Source *source)
{
    Remote *remote = (Remote *)source;
    api_close(remote->api);
    (void)pthread_mutex_destroy(&remote->lock);
    free(remote->encoded);
}

static int log_size(Cli *cli, const Remote *remote, uint64_t *ret, Error *err)
{
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    buf_printf(&path, "/view/logs/log-size/%s", remote->encoded);
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    ApiCall call = {.path = path.data, .max = ANSWER_MAX};
    int64_t size = 0;
    (void)cli;
    if (api_send(remote->api, &call, &body, NULL, err) < 0)
        return -1;
    if (str_to_i64(str_trim(buf_str(&body)), 0, INT64_MAX, &size) < 0)
        return error_set(err, ERR_BAD_DATA, "the server's answer is no size");
    *ret = (uint64_t)size;
    return 0;
}

int remote_log_open(Cli *cli, const char *name, EvalLog **ret, Error *err)
{
    Api *api = NULL;
    if (cli_api(cli, &api, err) < 0)
        return -1;
    auto_buf Buf encoded = BUF_INIT(PATH_MAX_BYTES);
    api_add_path(&encoded, str_of(name));
    Remote *remote = mem_alloc(sizeof(*remote));
    remote->base = (Source){.read_at = remote_read_at,
                            .close = remote_close,
                            .read_cost = REQUEST_COST,
                            .name = mem_strdup(name)};
    remote->api = api_copy(api);
    (void)pthread_mutex_init(&remote->lock, NULL);
    remote->encoded = buf_take(&encoded);
    if (log_size(cli, remote, &remote->base.size, err) < 0 ||
        evallog_open(&remote->base, ret, err) < 0) {
        source_close(&remote->base);
        return -1;
    }
    return 0;
}
