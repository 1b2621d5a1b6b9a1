/* Sending logs. Each goes through a file without a name: its checksum has to be told before its
   bytes, and the log itself may change meanwhile. */

#include "cli/import_send.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <search.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/thread.h"
#include "codec/digest.h"
#include "codec/json_out.h"
#include "evallog/evallog_stamp.h"

enum {
    TRIES = 6,
    PAUSE_MS = 500, /* before the second try; doubled each time */
    PROGRESS_MS = 150,
    BODY_MAX = 64 << 10,
    ANSWER_MAX = 1 << 20,
};

/* The file in which an eval was seen first. */
typedef struct Eval {
    char *id;
    const ImportFile *file;
} Eval;

typedef struct Work {
    const ImportSendOptions *options;
    ImportSendItem *items;
    size_t n;
    atomic_ullong n_bytes;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    size_t next;
    size_t *done; /* places of items, in the order in which they came to their end */
    size_t n_done;
    void *evals; /* a tree of Eval */
    Error fatal;
} Work;

/* --- a log on its way --- */

/* A log as it will be sent. */
typedef struct Stamped {
    int fd;
    uint64_t size;
    Digest *digest;
    unsigned char sha256[DIGEST_SIZE];
    char *eval_id;
} Stamped;

static void stamped_release(Stamped *stamped)
{
    fs_close_cleanup(&stamped->fd);
    digest_free(stamped->digest);
    free(stamped->eval_id);
}

static int take_bytes(void *context, Str bytes, Error *err)
{
    Stamped *stamped = context;
    digest_add(stamped->digest, bytes);
    stamped->size += bytes.n;
    if (fs_write_all(stamped->fd, bytes.p, bytes.n, err) == 0)
        return 0;
    if (err->kind == ERR_NO_SPACE)
        (void)error_fix(err, "set TMPDIR to a folder with more room");
    return -1;
}

static int compare_evals(const void *a, const void *b)
{
    return strcmp(((const Eval *)a)->id, ((const Eval *)b)->id);
}

static void eval_free(void *eval)
{
    free(((Eval *)eval)->id);
    free(eval);
}

/* Whether no other file has this eval. */
static int claim_eval(Work *work, Str eval_id, const ImportFile *file, Error *err)
{
    Eval *mine = mem_alloc(sizeof(*mine));
    *mine = (Eval){.id = mem_strndup(eval_id.p, eval_id.n), .file = file};
    pthread_mutex_lock(&work->lock);
    Eval *const *found = tsearch(mine, &work->evals, compare_evals);
    pthread_mutex_unlock(&work->lock);
    if (!found)
        abort(); /* out of memory */
    if (*found == mine)
        return 0;
    eval_free(mine);
    return error_set(err, ERR_CONFLICT, "it is of the same eval as %s", (*found)->file->path);
}

static int open_log(const ImportFile *file, EvalLog **ret, Error *err)
{
    Source *source = NULL;
    if (source_open_file(file->path, &source, err) < 0)
        return -1;
    if (evallog_open(source, ret, err) == 0)
        return 0;
    source_close(source);
    return -1;
}

static int stamp(Work *work, const ImportFile *file, Stamped *ret, Error *err)
{
    auto_evallog EvalLog *log = NULL;
    const EvalLogHeader *header = NULL;
    const EvalLogStamp identity = {str_of(work->options->eval_set_id),
                                   str_of(work->options->created_by)};
    if (open_log(file, &log, err) < 0 || evallog_header(log, &header, err) < 0)
        return -1;
    if (header->eval_id.n == 0)
        return error_set(err, ERR_BAD_DATA, "it has no eval id");
    ret->fd = fs_open_unlinked(NULL, err);
    if (ret->fd < 0)
        return -1;
    ret->digest = digest_new();
    if (evallog_stamp_write(log, &identity, take_bytes, ret, err) < 0)
        return -1;
    digest_finish(ret->digest, ret->sha256);
    ret->eval_id = mem_strndup(header->eval_id.p, header->eval_id.n);
    return claim_eval(work, header->eval_id, file, err);
}

/* --- sending it --- */

/* Counts what is read of a source. */
typedef struct Counted {
    Source base;
    Source *inner;
    Work *work;
    uint64_t n_counted;
    uint64_t n_most; /* of the file as it lies here */
} Counted;

static int counted_read(Source *base, uint64_t offset, void *data, size_t n, Error *err)
{
    Counted *counted = (Counted *)base;
    uint64_t end = offset + n < counted->n_most ? offset + n : counted->n_most;
    if (end > counted->n_counted) {
        atomic_fetch_add(&counted->work->n_bytes, end - counted->n_counted);
        counted->n_counted = end;
    }
    return source_read_at(counted->inner, offset, data, n, err);
}

static void counted_close(Source *base)
{
    source_close(((Counted *)base)->inner);
}

/* Asks for an address; the answer is in the arena. */
static int ask_address(Api *api, const Work *work, const ImportFile *file, const Stamped *stamped,
                       Arena *arena, const char **ret, Error *err)
{
    auto_buf Buf path = BUF_INIT(BODY_MAX);
    auto_buf Buf body = BUF_INIT(BODY_MAX);
    auto_buf Buf hex = BUF_INIT(DIGEST_HEX_MAX);
    auto_buf Buf answer = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    Json *root = NULL;
    digest_add_hex(&hex, (Str){(const char *)stamped->sha256, DIGEST_SIZE});
    buf_addz(&path, "/eval_sets/import/");
    api_add_segment(&path, str_of(work->options->eval_set_id));
    buf_addz(&path, "/uploads");
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kv_array(&out, "files");
    json_out_object(&out);
    json_out_kvz(&out, "filename", file->name);
    json_out_kv_str(&out, "sha256", buf_str(&hex));
    json_out_kv_int(&out, "size_bytes", (int64_t)stamped->size);
    json_out_kv_bool(&out, "enforce_sha256", true);
    json_out_kvz(&out, "eval_id", stamped->eval_id); /* refused at once when the server has it */
    json_out_end_object(&out);
    json_out_end_array(&out);
    json_out_end_object(&out);
    const ApiCall call = {.method = "POST", .path = path.data, .body = buf_str(&body)};
    if (api_send(api, &call, &answer, NULL, err) < 0 ||
        api_parse(arena, buf_str(&answer), &root, err) < 0)
        return -1;
    const Json *uploads = json_get(root, "uploads");
    Str url = json_text(uploads ? uploads->first : NULL, "url", STR_NONE);
    if (!url.p)
        return error_set(err, ERR_BAD_DATA, "the server gave no address for the file");
    *ret = arena_strndup(arena, url.p, url.n);
    return 0;
}

static int put(Api *api, Work *work, const ImportFile *file, const Stamped *stamped, Error *err)
{
    auto_arena Arena *arena = arena_new();
    const char *url = NULL;
    if (ask_address(api, work, file, stamped, arena, &url, err) < 0)
        return -1;
    Counted *counted = mem_alloc(sizeof(*counted));
    counted->base = (Source){.read_at = counted_read,
                             .close = counted_close,
                             .size = stamped->size,
                             .name = mem_strdup(file->path)};
    counted->work = work;
    counted->n_most = file->size;
    auto_source Source *source = &counted->base;
    if (source_of_fd(stamped->fd, stamped->size, file->path, &counted->inner, err) < 0)
        return -1;
    auto_buf Buf checksum = BUF_INIT(BODY_MAX);
    digest_add_base64(&checksum, (Str){(const char *)stamped->sha256, DIGEST_SIZE});
    bool is_asked = str_find_str(str_of(url), STR("x-amz-checksum-sha256")) >= 0;
    const ApiCall call = {.method = "PUT",
                          .path = url,
                          .upload = source,
                          .checksum = is_asked ? buf_str(&checksum) : STR_NONE,
                          .timeout_ms = -1};
    if (api_send(api, &call, NULL, NULL, err) < 0)
        return -1;
    atomic_fetch_add(&work->n_bytes, counted->n_most - counted->n_counted);
    return 0;
}

/* One that the next file would have too. */
static bool is_fatal(const Error *problem)
{
    return api_may_pass(problem) || problem->kind == ERR_LOGIN || problem->kind == ERR_NOT_FOUND ||
           problem->kind == ERR_NO_SPACE;
}

static bool has_fatal(Work *work)
{
    pthread_mutex_lock(&work->lock);
    bool result = work->fatal.kind != ERR_NONE;
    pthread_mutex_unlock(&work->lock);
    return result;
}

static int put_patiently(Api *api, Work *work, const ImportFile *file, const Stamped *stamped,
                         Error *err)
{
    int64_t pause_ms = PAUSE_MS;
    for (int i = 1; put(api, work, file, stamped, err) < 0; i++, pause_ms *= 2) {
        if (!api_may_pass(err) || i == TRIES || has_fatal(work))
            return -1;
        error_reset(err);
        const struct timespec pause = {.tv_sec = pause_ms / 1000,
                                       .tv_nsec = pause_ms % 1000 * 1000000};
        (void)nanosleep(&pause, NULL);
    }
    return 0;
}

/* Sends one file; -1 with a problem that is the file's, or *ret_is_fatal. */
static int send_file(Api *api, Work *work, const ImportFile *file, bool *ret_is_fatal, Error *err)
{
    HAWK_CLEANUP(stamped_release) Stamped stamped = {.fd = -1};
    if (stamp(work, file, &stamped, err) < 0) {
        atomic_fetch_add(&work->n_bytes, file->size);
        *ret_is_fatal = err->kind == ERR_NO_SPACE;
        return -1;
    }
    if (put_patiently(api, work, file, &stamped, err) == 0)
        return 0;
    *ret_is_fatal = is_fatal(err);
    return -1;
}

static void settle(Work *work, ImportSendItem *item, bool is_sent, bool is_fatal_problem,
                   Error *take_problem)
{
    pthread_mutex_lock(&work->lock);
    if (is_sent) {
        item->state = IMPORT_SEND_SENT;
    } else if (!is_fatal_problem) {
        item->state = IMPORT_SEND_FAILED;
        (void)error_move(&item->error, take_problem);
    } else if (work->fatal.kind == ERR_NONE) {
        (void)error_move(&work->fatal, take_problem);
    }
    work->done[work->n_done++] = (size_t)(item - work->items);
    pthread_cond_broadcast(&work->changed);
    pthread_mutex_unlock(&work->lock);
}

static void *run(void *context)
{
    Work *work = context;
    Api *api = api_copy(work->options->api);
    for (;;) {
        pthread_mutex_lock(&work->lock);
        bool is_over = work->next == work->n || work->fatal.kind != ERR_NONE;
        ImportSendItem *item = is_over ? NULL : &work->items[work->next++];
        pthread_mutex_unlock(&work->lock);
        if (!item)
            break;
        auto_error Error problem = ERROR_INIT;
        bool is_fatal_problem = false;
        bool is_sent = send_file(api, work, item->file, &is_fatal_problem, &problem) == 0;
        settle(work, item, is_sent, is_fatal_problem, &problem);
    }
    api_close(api);
    return NULL;
}

/* --- the caller's thread --- */

/* Waits for the files, telling of each as it is done and of the whole from time to time. */
static void follow(Work *work)
{
    const ImportSendOptions *options = work->options;
    size_t n_told = 0;
    for (bool is_over = false; !is_over;) {
        struct timespec until = clock_deadline(PROGRESS_MS);
        pthread_mutex_lock(&work->lock);
        int waited = 0;
        while (work->n_done == n_told && work->n_done < work->n && work->fatal.kind == ERR_NONE &&
               waited == 0)
            waited = pthread_cond_timedwait(&work->changed, &work->lock, &until);
        size_t n_done = work->n_done;
        is_over = n_done == work->n || work->fatal.kind != ERR_NONE;
        pthread_mutex_unlock(&work->lock);
        for (; n_told < n_done; n_told++)
            if (work->items[work->done[n_told]].state != IMPORT_SEND_WAITING)
                options->done(options->context, &work->items[work->done[n_told]]);
        const ImportSendCount count = {.n_done = n_done, .n_bytes = atomic_load(&work->n_bytes)};
        options->progress(options->context, &count);
    }
}

static int start_threads(Work *work, pthread_t *threads, size_t *ret_n, Error *err)
{
    size_t n_wanted = work->options->n_threads < work->n ? work->options->n_threads : work->n;
    for (*ret_n = 0; *ret_n < n_wanted; ++*ret_n)
        if (thread_start(&threads[*ret_n], run, work, err) < 0)
            return -1;
    return 0;
}

static void work_release(Work *work)
{
    tdestroy(work->evals, eval_free);
    free(work->done);
    pthread_cond_destroy(&work->changed);
    pthread_mutex_destroy(&work->lock);
    error_release(&work->fatal);
}

int import_send_all(const ImportSendOptions *options, ImportSendItem *items, size_t n, Error *err)
{
    assert(options->n_threads <= IMPORT_SEND_THREADS_MAX);
    HAWK_CLEANUP(work_release) Work work = {.options = options, .items = items, .n = n};
    work.done = mem_array(n + 1, sizeof(*work.done));
    pthread_mutex_init(&work.lock, NULL);
    thread_cond_init(&work.changed);
    pthread_t threads[IMPORT_SEND_THREADS_MAX];
    size_t n_threads = 0;
    int started = start_threads(&work, threads, &n_threads, err);
    if (started == 0)
        follow(&work);
    pthread_mutex_lock(&work.lock);
    work.next = n; /* what has not begun does not begin any more */
    pthread_mutex_unlock(&work.lock);
    for (size_t i = 0; i < n_threads; i++)
        pthread_join(threads[i], NULL);
    if (started < 0)
        return -1;
    return work.fatal.kind != ERR_NONE ? error_move(err, &work.fatal) : 0;
}
