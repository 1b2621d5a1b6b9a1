/* Taking requests in: first the objects in the store, which hold the edits, then the rows, all at
   once. What has no row was never answered, and is not applied. */

#include "edits/edits.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/thread.h"
#include "codec/json_out.h"
#include "edits/edits_priv.h"

/* clang-format off */
static const JobsProblem problems[] = {
    { "edit.invalid",   422, "Invalid sample edits" },
    { "edit.duplicate", 400, "Duplicate sample edits" },
    { "edit.no_sample", 404, "Sample(s) not found" },
    { "edit.no_log",    404, "File not found" },
};
/* clang-format on */

const JobsProblem *edits_problem(const char *code)
{
    for (size_t i = 0; code && i < ARRAY_LEN(problems); i++)
        if (strcmp(problems[i].code, code) == 0)
            return &problems[i];
    return NULL;
}

/* A request on its way. */
typedef struct Submit {
    Edits *edits;
    const EditsRequest *request;
    const char *uuid;
    const char *author;
    int64_t now_us;
    Arena *arena;
    EditsWork *rows; /* one for each log */
    int64_t *n_edits;
    size_t n;
} Submit;

/* --- the logs of a request --- */

static size_t find_row(const Submit *submit, const char *log_key)
{
    size_t i = 0;
    while (i < submit->n && strcmp(submit->rows[i].log_key, log_key) != 0)
        i++;
    return i;
}

/* "x" of "evals/a/x.eval". */
static Str stem_of(const char *log_key)
{
    const char *slash = strrchr(log_key, '/');
    Str name = str_of(slash ? slash + 1 : log_key);
    ptrdiff_t dot = str_rfind(name, '.');
    return dot > 0 ? str_slice(name, 0, (size_t)dot) : name;
}

/* jobs/sample_edits/<request>/<stem>.jsonl; logs of one name in several eval sets get a number. */
static const char *object_key(const Submit *submit, const char *log_key)
{
    Str stem = stem_of(log_key);
    size_t n_same = 0;
    for (size_t i = 0; i < submit->n; i++)
        n_same += str_eq(stem_of(submit->rows[i].log_key), stem);
    if (n_same == 0)
        return arena_printf(submit->arena, "jobs/sample_edits/%s/%.*s.jsonl", submit->uuid,
                            STR_ARG(stem));
    return arena_printf(submit->arena, "jobs/sample_edits/%s/%.*s-%zu.jsonl", submit->uuid,
                        STR_ARG(stem), n_same + 1);
}

static void group(Submit *submit)
{
    size_t n = submit->request->list->n;
    submit->rows = arena_array(submit->arena, n, sizeof(*submit->rows));
    submit->n_edits = arena_array(submit->arena, n, sizeof(*submit->n_edits));
    for (size_t i = 0; i < n; i++) {
        const EditsPlace *place = &submit->request->places[i];
        size_t row = find_row(submit, place->log_key);
        if (row == submit->n) {
            const EditsWork fresh = {.request_uuid = submit->uuid,
                                     .log_key = place->log_key,
                                     .eval_set_id = place->eval_set_id,
                                     .object_key = object_key(submit, place->log_key)};
            submit->rows[submit->n++] = fresh;
        }
        submit->n_edits[row]++;
    }
}

static int check_logs(const Submit *submit, Error *err)
{
    for (size_t i = 0; i < submit->n; i++) {
        StoreStat stat;
        auto_error Error looking = ERROR_INIT;
        const char *key = submit->rows[i].log_key;
        if (store_stat(submit->edits->options.store, key, &stat, &looking) == 0)
            continue;
        if (looking.kind != ERR_NOT_FOUND)
            return error_move(err, &looking);
        (void)error_set(err, ERR_NOT_FOUND, "the log %s is not there", key);
        return error_code(err, "edit.no_log");
    }
    return 0;
}

/* --- the objects --- */

static void write_line(const Submit *submit, size_t i, const char *location, JsonOut *out)
{
    const Edit *edit = &submit->request->list->items[i];
    const EditsPlace *place = &submit->request->places[i];
    json_out_object(out);
    json_out_kvz(out, "request_uuid", submit->uuid);
    json_out_kvz(out, "author", submit->author);
    json_out_kv_str(out, "sample_uuid", edit->sample_uuid);
    json_out_kv_int(out, "epoch", place->epoch);
    json_out_kvz(out, "sample_id", place->sample_id);
    json_out_kvz(out, "location", location);
    json_out_kv_node(out, "details", edit->details);
    json_out_kv_time(out, "request_timestamp", submit->now_us);
    json_out_end_object(out);
}

static int put_object(const Submit *submit, const EditsWork *row, Error *err)
{
    Store *store = submit->edits->options.store;
    auto_free char *location = store_location(store, row->log_key);
    auto_buf Buf text = BUF_INIT(EDITS_OBJECT_MAX);
    for (size_t i = 0; i < submit->request->list->n; i++) {
        if (strcmp(submit->request->places[i].log_key, row->log_key) != 0)
            continue;
        JsonOut out;
        json_out_init(&out, &text, 0);
        write_line(submit, i, location, &out);
        buf_addc(&text, '\n');
    }
    if (buf_check(&text, "the edits", err) < 0)
        return -1;
    return store_put(store, row->object_key, buf_str(&text), true, err);
}

static int insert_rows(const Submit *submit, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(submit->edits->options.sql, SQL_WRITE, &tx, err) < 0)
        return -1;
    for (size_t i = 0; i < submit->n; i++)
        if (edits_priv_insert(tx, &submit->rows[i], submit->n_edits[i], submit->author,
                              submit->now_us, err) < 0)
            return -1;
    return sql_commit(TAKE(tx), err);
}

static void drop_objects(const Submit *submit)
{
    auto_error Error ignored = ERROR_INIT;
    auto_free char *prefix = mem_printf("jobs/sample_edits/%s", submit->uuid);
    (void)!store_delete_prefix(submit->edits->options.store, prefix, &ignored);
}

static int store_request(const Submit *submit, Error *err)
{
    for (size_t i = 0; i < submit->n; i++) {
        if (put_object(submit, &submit->rows[i], err) == 0)
            continue;
        drop_objects(submit);
        return -1;
    }
    /* When this fails the rows may be there all the same, so the objects stay. */
    return insert_rows(submit, err);
}

static void wake_all(Edits *edits)
{
    (void)pthread_mutex_lock(&edits->lock);
    atomic_fetch_add(&edits->wakes, 1);
    (void)pthread_cond_broadcast(&edits->wake);
    (void)pthread_mutex_unlock(&edits->lock);
}

int edits_submit(Edits *edits, const EditsRequest *request, char ret_uuid[RANDOM_UUID_MAX],
                 Error *err)
{
    auto_arena Arena *arena = arena_new();
    char uuid[RANDOM_UUID_MAX];
    const Caller *author = request->author;
    Submit submit = {.edits = edits,
                     .request = request,
                     .uuid = random_uuid7(uuid),
                     .author = author->email ? author->email : author->sub,
                     .now_us = clock_now_us(),
                     .arena = arena};
    group(&submit);
    if (check_logs(&submit, err) < 0 || store_request(&submit, err) < 0)
        return -1;
    memcpy(ret_uuid, uuid, sizeof(uuid));
    wake_all(edits);
    return 0;
}

/* --- opening and closing --- */

int edits_open(const EditsOptions *options, Edits **ret, Error *err)
{
    if (edits_priv_migrate(options->sql, err) < 0)
        return -1;
    Edits *edits = mem_alloc(sizeof(*edits));
    edits->options = *options;
    edits->folder = fs_join(options->data_dir, "edits");
    edits->program = options->program ? mem_strdup(options->program) : process_self_path();
    (void)pthread_mutex_init(&edits->lock, NULL);
    (void)pthread_cond_init(&edits->wake, NULL);
    *ret = edits;
    return 0;
}

int edits_start(Edits *edits, Error *err)
{
    if (edits_priv_take_up(edits, err) < 0)
        return error_wrap(err, "cannot take up the edits of an earlier server");
    if (thread_start(&edits->keeper, edits_priv_keep, edits, err) < 0)
        return -1;
    edits->has_keeper = true;
    for (; edits->n_threads < EDITS_THREADS; edits->n_threads++)
        if (thread_start(&edits->threads[edits->n_threads], edits_priv_work, edits, err) < 0)
            return -1;
    return 0;
}

void edits_close(Edits *edits)
{
    if (!edits)
        return;
    atomic_store(&edits->is_closing, true);
    wake_all(edits);
    for (size_t i = 0; i < edits->n_threads; i++)
        (void)pthread_join(edits->threads[i], NULL);
    if (edits->has_keeper)
        (void)pthread_join(edits->keeper, NULL);
    (void)pthread_cond_destroy(&edits->wake);
    (void)pthread_mutex_destroy(&edits->lock);
    free(edits->folder);
    free(edits->program);
    free(edits);
}
