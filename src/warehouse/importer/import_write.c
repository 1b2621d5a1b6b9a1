/* Rows of samples into the tables.

   A sample that is new is loaded. Of one that was there, the row is changed and what is below it is
   replaced, but for scores of scorers that the log does not have. The rows of samples go first, so
   that what refers to them finds them. */

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json_out.h"
#include "warehouse/importer/importer_priv.h"
#include "warehouse/rows/rows_columns.h"

enum {
    TRIES = 3, /* of a transaction that had to give way to another */
    PAUSE_MS = 100,
    LIST_MAX = 64 * 1024 * 1024,
    STATEMENT_MAX = 64 * 1024,
};

/* Tables whose rows of a sample are replaced, those of scores apart. */
static const RowsTable replaced[] = {ROWS_SAMPLE_MODEL, ROWS_MESSAGE,      ROWS_ATTACHMENT,
                                     ROWS_EVENT,        ROWS_MESSAGE_POOL, ROWS_CALL_POOL};

/* What is known of a sample that the warehouse has. */
typedef struct Holder {
    Str uuid;
    char pk[ROWS_PK_MAX];
    bool is_better; /* of another eval that comes before ours */
    bool is_other_eval;
    bool is_provisional;
    bool is_complete;
    bool is_counted; /* this import has written it already */
} Holder;

/* One sample on its way in. */
typedef struct Slot {
    char pk[ROWS_PK_MAX];
    bool is_skipped;
    bool is_new;
    uint64_t n[N_ROWS_TABLES]; /* rows so far */
} Slot;

typedef struct Writer {
    Import *import;
    Arena *arena;
    SqlTx *tx;
    SqlLoad *loads[N_ROWS_TABLES];
    Holder *holders;
    size_t n_holders;
    size_t n_written;
    SqlValue values[ROWS_COLUMNS_MAX];
    char child_pk[ROWS_PK_MAX];
} Writer;

struct ImportStream {
    Writer writer;
    Slot slot;
};

static void writer_release(Writer *writer)
{
    for (size_t i = 0; i < N_ROWS_TABLES; i++)
        sql_load_free(writer->loads[i]);
    sql_rollback(writer->tx);
    arena_free(writer->arena);
}

static int open_writer(Writer *writer, Import *import, Error *err)
{
    *writer = (Writer){.import = import, .arena = arena_new()};
    return import_begin(import, &writer->tx, err);
}

static int load_row(Writer *writer, RowsTable table, Error *err)
{
    const RowsSpec *spec = rows_spec(table);
    SqlLoad **load = &writer->loads[table];
    if (!*load) {
        if (sql_load_open(writer->tx, spec->name, spec->columns, spec->n_columns, load, err) < 0)
            return -1;
        sql_load_trust_json(*load); /* whoever read the log has checked it */
    }
    return sql_load_row(*load, writer->values, err);
}

static int flush(Writer *writer, RowsTable table, Error *err)
{
    return writer->loads[table] ? sql_load_flush(writer->loads[table], err) : 0;
}

static int commit(Writer *writer, Error *err)
{
    for (RowsTable table = 0; table < N_ROWS_TABLES; table++) {
        if (flush(writer, table, err) < 0)
            return -1;
        sql_load_free(TAKE(writer->loads[table]));
    }
    return sql_commit(TAKE(writer->tx), err);
}

/* --- what is there already --- */

/* clang-format off */
static const char *const holder_queries[] = {
#define HOLDER_COLUMNS                                                                             \
    "SELECT s.uuid, s.pk, CASE WHEN o.eval_set_id <> e.eval_set_id OR "                            \
    "(o.completed_at IS NOT NULL, coalesce(o.completed_at, o.created_at), o.created_at, o.id) > "  \
    "(e.completed_at IS NOT NULL, coalesce(e.completed_at, e.created_at), e.created_at, e.id) "    \
    "THEN 1 ELSE 0 END, CASE WHEN o.pk <> e.pk THEN 1 ELSE 0 END, "                                \
    "CASE WHEN s.is_provisional THEN 1 ELSE 0 END, "                                               \
    "CASE WHEN s.completed_at IS NOT NULL THEN 1 ELSE 0 END, "                                     \
    "CASE WHEN s.last_imported_at = $3 THEN 1 ELSE 0 END "                                         \
    "FROM sample s JOIN eval o ON o.pk = s.eval_pk JOIN eval e ON e.pk = $1 WHERE s.uuid "
    [SQL_SQLITE]   = HOLDER_COLUMNS "IN (SELECT value FROM json_each($2))",
    [SQL_POSTGRES] = HOLDER_COLUMNS "= ANY ($2) ORDER BY s.uuid FOR UPDATE OF s",
};
/* clang-format on */

/* Of two evals with the same sample (a retry takes finished samples over) the one that ended last
   has it; an eval that has not ended is last of all in the order, then the newer one, then by id.
 */
static int find_holders(Writer *writer, Str uuids, size_t n, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    writer->holders = arena_array(writer->arena, n, sizeof(Holder));
    writer->n_holders = 0;
    if (sql_query(writer->tx, holder_queries[sql_dialect(writer->import->sql)],
                  SQL_ARGS(SQL_TEXTZ(writer->import->eval_pk), SQL_LIST(uuids),
                           SQL_INSTANT(writer->import->started_us)),
                  &rows, err) < 0)
        return -1;
    int has_row = 0;
    while ((has_row = sql_rows_next(rows, err)) == 1 && writer->n_holders < n) {
        Holder *holder = &writer->holders[writer->n_holders++];
        holder->uuid = arena_str(writer->arena, sql_rows_text(rows, 0));
        (void)snprintf(holder->pk, sizeof(holder->pk), "%.*s", STR_ARG(sql_rows_text(rows, 1)));
        holder->is_other_eval = sql_rows_int(rows, 3) != 0;
        holder->is_better = holder->is_other_eval && sql_rows_int(rows, 2) != 0;
        holder->is_provisional = sql_rows_int(rows, 4) != 0;
        holder->is_complete = sql_rows_int(rows, 5) != 0;
        holder->is_counted = !holder->is_other_eval && sql_rows_int(rows, 6) != 0;
    }
    return has_row < 0 ? -1 : 0;
}

static const Holder *holder_of(const Writer *writer, Str uuid)
{
    for (size_t i = 0; i < writer->n_holders; i++)
        if (str_eq(writer->holders[i].uuid, uuid))
            return &writer->holders[i];
    return NULL;
}

/* Logs of Inspect before 0.3.70 have no uuids. */
static Str uuid_of(const Writer *writer, const SqlValue *values)
{
    Str uuid = values[SAMPLE_UUID].text;
    Str id = values[SAMPLE_ID].text;
    if (uuid.p)
        return uuid;
    return str_of(arena_printf(writer->arena, "%.*s_%.*s_%lld",
                               STR_ARG(writer->import->header->eval_id), STR_ARG(id),
                               (long long)values[SAMPLE_EPOCH].integer));
}

/* --- the sample itself --- */

static void fill_sample(Writer *writer, const Slot *slot, Str uuid)
{
    const Import *import = writer->import;
    const EvalLogHeader *header = import->header;
    SqlValue *values = writer->values;
    SqlValue now = SQL_INSTANT(import->started_us);
    const char *text =
        arena_printf(writer->arena, "%.*s %.*s %.*s %.*s %s %.*s", STR_ARG(values[SAMPLE_ID].text),
                     STR_ARG(header->task), STR_ARG(header->eval_id), STR_ARG(import->eval_set_id),
                     import->location, STR_ARG(import->model));
    values[SAMPLE_PK] = SQL_TEXTZ(slot->pk);
    values[SAMPLE_CREATED_AT] = now;
    values[SAMPLE_UPDATED_AT] = now;
    values[SAMPLE_FIRST_IMPORTED_AT] = now;
    values[SAMPLE_LAST_IMPORTED_AT] = now;
    values[SAMPLE_EVAL_PK] = SQL_TEXTZ(import->eval_pk);
    values[SAMPLE_MESSAGE_LIMIT] = import_int4(header->message_limit);
    values[SAMPLE_TOKEN_LIMIT] = import_int(header->token_limit);
    values[SAMPLE_TIME_LIMIT] = import_real(header->time_limit);
    values[SAMPLE_WORKING_LIMIT] = import_int4(header->working_limit);
    values[SAMPLE_COST_LIMIT] = import_real(header->cost_limit);
    values[SAMPLE_SEARCH_TEXT] = SQL_TEXT(sample_clean_text(str_of(text), writer->arena));
    values[SAMPLE_UUID] = SQL_TEXT(uuid);
}

/* Columns that a sample keeps. */
static bool is_kept(size_t column)
{
    return column == SAMPLE_PK || column == SAMPLE_CREATED_AT ||
           column == SAMPLE_FIRST_IMPORTED_AT || column == SAMPLE_UUID;
}

static int update_sample(Writer *writer, Error *err)
{
    const RowsSpec *spec = rows_spec(ROWS_SAMPLE);
    SqlValue values[N_SAMPLE_COLUMNS];
    size_t n = 0;
    auto_buf Buf text = BUF_INIT(STATEMENT_MAX);
    buf_addz(&text, "UPDATE sample SET ");
    for (size_t i = 0; i < N_SAMPLE_COLUMNS; i++) {
        if (is_kept(i))
            continue;
        values[n++] = writer->values[i];
        buf_printf(&text, "\"%s\" = $%zu, ", spec->columns[i].name, n);
    }
    values[n++] = writer->values[SAMPLE_PK];
    buf_truncate(&text, text.len - 2);
    buf_printf(&text, " WHERE pk = $%zu", n);
    return sql_exec(writer->tx, text.data, values, n, NULL, err);
}

/* Scores stay that are not in the log, unless they are only what a summary said or another eval's.
 */
static int drop_children(Writer *writer, const Holder *holder, Error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(replaced); i++) {
        auto_free char *text =
            mem_printf("DELETE FROM %s WHERE sample_pk = $1", rows_spec(replaced[i])->name);
        if (sql_exec(writer->tx, text, SQL_ARGS(SQL_TEXTZ(holder->pk)), NULL, err) < 0)
            return -1;
    }
    bool all_scores = holder->is_provisional || holder->is_other_eval;
    return sql_exec(writer->tx,
                    all_scores ? "DELETE FROM score WHERE sample_pk = $1"
                               : "DELETE FROM score WHERE sample_pk = $1 AND is_intermediate",
                    SQL_ARGS(SQL_TEXTZ(holder->pk)), NULL, err);
}

/* Another sample in the place of this one: a run of it that was given up. A log that is still
   running may only take the place of what is provisional. */
static int free_place(Writer *writer, Str uuid, Error *err)
{
    const Import *import = writer->import;
    auto_free char *text = mem_printf(
        "DELETE FROM sample WHERE eval_pk = $1 AND id = $2 AND epoch = $3 AND uuid <> $4%s",
        import->is_running ? " AND is_provisional" : "");
    return sql_exec(writer->tx, text,
                    SQL_ARGS(SQL_TEXTZ(import->eval_pk), writer->values[SAMPLE_ID],
                             writer->values[SAMPLE_EPOCH], SQL_TEXT(uuid)),
                    NULL, err);
}

/* A summary says nothing new about a sample that is complete, unless it comes with events. */
static bool is_skipped(const Writer *writer, const Holder *holder)
{
    if (!holder)
        return false;
    bool has_events = writer->values[SAMPLE_BUF_CURSOR].type != SQL_TYPE_NULL;
    bool is_final = !holder->is_provisional || (holder->is_complete && !has_events);
    bool is_summary = writer->values[SAMPLE_IS_PROVISIONAL].integer != 0;
    return holder->is_better || (is_summary && is_final && !holder->is_other_eval);
}

/* Decides what becomes of the sample whose row has been read, and writes the row. */
static int put_sample(Writer *writer, Slot *slot, Error *err)
{
    Import *import = writer->import;
    Str uuid = uuid_of(writer, writer->values);
    const Holder *holder = holder_of(writer, uuid);
    slot->is_skipped = is_skipped(writer, holder);
    slot->is_new = !holder;
    if (slot->is_skipped)
        return 0;
    if (holder)
        (void)snprintf(slot->pk, sizeof(slot->pk), "%s", holder->pk);
    else
        rows_sample_pk(&import->keys, slot->pk);
    if (import->has_samples && free_place(writer, uuid, err) < 0)
        return -1;
    fill_sample(writer, slot, uuid);
    if (holder ? drop_children(writer, holder, err) < 0 || update_sample(writer, err) < 0
               : load_row(writer, ROWS_SAMPLE, err) < 0)
        return -1;
    writer->n_written += !holder || !holder->is_counted;
    return 0;
}

/* --- what is below it --- */

/* The first columns of a row, whose table has so many of this sample already. */
static void fill_common(Writer *writer, Slot *slot, RowsTable table)
{
    SqlValue now = SQL_INSTANT(writer->import->started_us);
    rows_child_pk(slot->pk, slot->n[table]++, writer->child_pk);
    writer->values[ROWS_PK] = SQL_TEXTZ(writer->child_pk);
    writer->values[ROWS_CREATED_AT] = now;
    writer->values[ROWS_UPDATED_AT] = now;
    writer->values[ROWS_SAMPLE_PK] = SQL_TEXTZ(slot->pk);
}

static int put_model(Writer *writer, Slot *slot, Str model, Error *err)
{
    writer->values[SAMPLE_MODEL_MODEL] = SQL_TEXT(model);
    fill_common(writer, slot, ROWS_SAMPLE_MODEL);
    return load_row(writer, ROWS_SAMPLE_MODEL, err);
}

/* A score of a sample that was there: its key stays, so it is no load. */
static int upsert_score(Writer *writer, Error *err)
{
    const RowsSpec *spec = rows_spec(ROWS_SCORE);
    ImportField fields[N_SCORE_COLUMNS];
    for (size_t i = 0; i < N_SCORE_COLUMNS; i++)
        fields[i] = (ImportField){spec->columns[i].name, writer->values[i],
                                  i == ROWS_PK || i == ROWS_CREATED_AT || i == ROWS_SAMPLE_PK ||
                                      i == SCORE_SCORER};
    return import_upsert(writer->tx, spec->name, "sample_pk, scorer", fields, N_SCORE_COLUMNS, err);
}

/* Scores come and go one by one, so their keys are not counted. */
static int put_score(Writer *writer, Slot *slot, Error *err)
{
    fill_common(writer, slot, ROWS_SCORE);
    if (slot->is_new)
        return load_row(writer, ROWS_SCORE, err);
    writer->values[ROWS_PK] = SQL_TEXTZ(random_uuid7(writer->child_pk));
    return upsert_score(writer, err);
}

static int put_child(Writer *writer, Slot *slot, RowsTable table, Error *err)
{
    switch (table) {
    case ROWS_SAMPLE:
    case ROWS_OBSERVED:
    case ROWS_CALLED:
    case N_ROWS_TABLES: return 0;
    case ROWS_SCORE: return put_score(writer, slot, err);
    case ROWS_SAMPLE_MODEL:
        if (str_eq(writer->values[SAMPLE_MODEL_MODEL].text, writer->import->model))
            return 0;
        break;
    case ROWS_MESSAGE:
    case ROWS_ATTACHMENT:
    case ROWS_EVENT:
    case ROWS_MESSAGE_POOL:
    case ROWS_CALL_POOL: break;
    }
    fill_common(writer, slot, table);
    return load_row(writer, table, err);
}

static int put_children(Writer *writer, Slot *slot, const Pack *pack, Error *err)
{
    size_t at = 0;
    RowsTable table = 0;
    if (slot->is_skipped)
        return 0;
    while (pack_next(pack, &at, &table, writer->values))
        if (put_child(writer, slot, table, err) < 0)
            return -1;
    return 0;
}

/* --- whole batches --- */

static int find_all_holders(Writer *writer, const Pack *const *packs, size_t n, Error *err)
{
    auto_buf Buf uuids = BUF_INIT(LIST_MAX);
    JsonOut out;
    json_out_init(&out, &uuids, 0);
    json_out_array(&out);
    for (size_t i = 0; i < n; i++) {
        size_t at = 0;
        RowsTable table = 0;
        if (pack_next(packs[i], &at, &table, writer->values) && table == ROWS_SAMPLE)
            json_out_str(&out, uuid_of(writer, writer->values));
    }
    json_out_end_array(&out);
    if (buf_check(&uuids, "the list of samples", err) < 0)
        return -1;
    return find_holders(writer, buf_str(&uuids), n, err);
}

static int put_first(Writer *writer, Slot *slot, const Pack *pack, Error *err)
{
    size_t at = 0;
    RowsTable table = 0;
    slot->is_skipped = true;
    if (!pack_next(pack, &at, &table, writer->values) || table != ROWS_SAMPLE)
        return 0;
    return put_sample(writer, slot, err);
}

static int write_all(Writer *writer, const Pack *const *packs, size_t n, Slot *slots, Error *err)
{
    if (find_all_holders(writer, packs, n, err) < 0 ||
        import_put_observed(writer->import, writer->tx, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (put_first(writer, &slots[i], packs[i], err) < 0)
            return -1;
    if (flush(writer, ROWS_SAMPLE, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (!slots[i].is_skipped && (put_model(writer, &slots[i], writer->import->model, err) < 0 ||
                                     put_children(writer, &slots[i], packs[i], err) < 0))
            return -1;
    return 0;
}

static int try_write(Import *import, const Pack *const *packs, size_t n, Error *err)
{
    size_t n_observed = import->observed.n;
    auto_free Slot *slots = mem_array(n, sizeof(*slots));
    HAWK_CLEANUP(writer_release) Writer writer = {0};
    if (open_writer(&writer, import, err) < 0 || write_all(&writer, packs, n, slots, err) < 0 ||
        commit(&writer, err) < 0)
        return -1;
    import->n_observed_written = n_observed;
    import->n_written += writer.n_written;
    return 0;
}

/* Whether the database gave way to somebody else; two that write the same new sample find out by
   its uuid. */
static bool may_pass(const Error *problem, size_t n_tries)
{
    bool is_unique = problem->code && strcmp(problem->code, "sql.unique") == 0;
    bool is_too_large = problem->code && strcmp(problem->code, "sql.too_large") == 0;
    return n_tries < TRIES && (is_unique || (problem->kind == ERR_BUSY && !is_too_large));
}

/* Whether it is the rows that the database does not take. */
static bool is_refused(const Error *problem)
{
    bool is_too_large = problem->code && strcmp(problem->code, "sql.too_large") == 0;
    bool is_claimed = problem->code && strcmp(problem->code, IMPORT_CLAIMED) == 0;
    return is_too_large || problem->kind == ERR_BAD_DATA ||
           (problem->kind == ERR_CONFLICT && !is_claimed);
}

static void pause_a_little(size_t n_tries)
{
    unsigned char jitter = 0;
    random_bytes(&jitter, 1);
    long ms = (long)n_tries * PAUSE_MS + jitter;
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

static int write_together(Import *import, const Pack *const *packs, size_t n, Error *err)
{
    for (size_t n_tries = 1;; n_tries++) {
        auto_error Error problem = ERROR_INIT;
        if (try_write(import, packs, n, &problem) == 0)
            return 0;
        if (!may_pass(&problem, n_tries))
            return error_move(err, &problem);
        pause_a_little(n_tries);
    }
}

void import_again_add(ImportAgain *again, size_t sample)
{
    if (again->n == again->room) {
        again->room = again->room ? again->room * 2 : 16;
        again->samples = mem_resize(again->samples, again->room, sizeof(*again->samples));
    }
    again->samples[again->n++] = sample;
}

int import_write(Import *import, const Pack *const *packs, size_t n, ImportAgain *again, Error *err)
{
    auto_error Error problem = ERROR_INIT;
    for (size_t i = 0; i < n; i++)
        import_learn(import, packs[i]);
    if (n == 0 || write_together(import, packs, n, &problem) == 0)
        return 0;
    if (!is_refused(&problem))
        return error_move(err, &problem);
    import->has_samples = true; /* now it has, and two of them may want one place */
    for (size_t i = 0; i < n; i++) {
        if (n > 1)
            error_reset(&problem);
        if (n > 1 && write_together(import, &packs[i], 1, &problem) == 0)
            continue;
        if (!is_refused(&problem) || !again)
            return error_move(err, &problem);
        import_again_add(again, packs[i]->sample);
    }
    return 0;
}

int import_stream_open(Import *import, ImportStream **ret, Error *err)
{
    ImportStream *stream = mem_alloc(sizeof(*stream));
    if (open_writer(&stream->writer, import, err) < 0) {
        import_stream_close(stream);
        return -1;
    }
    *ret = stream;
    return 0;
}

int import_stream_write(ImportStream *stream, const Pack *pack, Error *err)
{
    Writer *writer = &stream->writer;
    if (pack->is_first) {
        import_learn(writer->import, pack);
        stream->slot = (Slot){0};
        return write_all(writer, &pack, 1, &stream->slot, err);
    }
    return put_children(writer, &stream->slot, pack, err);
}

int import_stream_commit(ImportStream *take_stream, Error *err)
{
    Import *import = take_stream->writer.import;
    int result = commit(&take_stream->writer, err);
    if (result == 0)
        import->n_written += take_stream->writer.n_written;
    import_stream_close(take_stream);
    return result;
}

void import_stream_close(ImportStream *stream)
{
    if (!stream)
        return;
    writer_release(&stream->writer);
    free(stream);
}
