/* Several connections fetch at once. A file is written under another name and renamed when it is
   whole, so that what is there can be left alone the next time. */

#include "cli/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

typedef struct Work {
    const Api *api;
    FetchItem *items;
    size_t n;
    pthread_mutex_t lock; /* of what follows */
    size_t next;
    size_t n_done;
    Error err; /* the first failure */
} Work;

typedef struct Sink {
    int fd;
} Sink;

static int sink_write(void *context, Str bytes, Error *err)
{
    return fs_write_all(((Sink *)context)->fd, bytes.p, bytes.n, err);
}

static int fetch_file(Api *api, const FetchItem *item, Error *err)
{
    auto_free char *temp = mem_printf("%s.part-%d", item->path, (int)getpid());
    auto_fd int fd = fs_open(temp, O_WRONLY | O_CREAT | O_TRUNC, 0644, err);
    if (fd < 0)
        return -1;
    Sink sink = {.fd = fd};
    ApiCall call = {.path = item->url, .timeout_ms = -1, .sink = sink_write, .sink_context = &sink};
    if (api_send(api, &call, NULL, NULL, err) < 0) {
        (void)unlink(temp);
        return error_wrap(err, "cannot download %s", item->name);
    }
    if (fsync(fd) < 0 || rename(temp, item->path) < 0) {
        int failed = errno;
        (void)unlink(temp);
        return error_errno(err, failed, "cannot write %s", item->path);
    }
    return 0;
}

static void *work_thread(void *context)
{
    Work *work = context;
    Api *api = api_copy(work->api);
    for (;;) {
        (void)pthread_mutex_lock(&work->lock);
        bool is_over = work->next == work->n || work->err.kind != ERR_NONE;
        const FetchItem *item = is_over ? NULL : &work->items[work->next++];
        (void)pthread_mutex_unlock(&work->lock);
        if (!item)
            break;
        auto_error Error err = ERROR_INIT;
        int failed = fetch_file(api, item, &err);
        (void)pthread_mutex_lock(&work->lock);
        if (failed == 0)
            work->n_done++;
        else if (work->err.kind == ERR_NONE)
            (void)error_move(&work->err, &err);
        (void)pthread_mutex_unlock(&work->lock);
    }
    api_close(api);
    return NULL;
}

int fetch_all(const Api *api, FetchItem *items, size_t n, size_t n_threads, size_t *ret_done,
              Error *err)
{
    Work work = {.api = api, .items = items, .n = n};
    (void)pthread_mutex_init(&work.lock, NULL);
    pthread_t threads[FETCH_JOBS_MAX];
    size_t started = 0;
    while (started < n_threads && started < n)
        if (pthread_create(&threads[started], NULL, work_thread, &work) == 0)
            started++;
        else
            break;
    if (started == 0)
        (void)work_thread(&work);
    for (size_t i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL);
    (void)pthread_mutex_destroy(&work.lock);
    *ret_done = work.n_done;
    if (work.err.kind != ERR_NONE)
        return error_move(err, &work.err);
    return 0;
}
