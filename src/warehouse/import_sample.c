/* The rows of one sample. */

#include "base/clock.h"
#include "base/random.h"
#include "warehouse/importer_priv.h"

/* What stands in the way of a sample, by its uuid. */
typedef struct Holder {
    bool is_there;
    char pk[RANDOM_UUID_MAX];
    bool is_final; /* or complete, if provisional */
    bool is_other_eval;
    bool is_better; /* of another eval that comes before ours */
} Holder;

/* Of two evals with the same sample (a retry takes finished samples over) the one that ended last
   has it; an eval that has not ended is last of all in the order, then the newer one, then by id.
 */
static int find_holder(Import *import, SqlTx *tx, Str uuid, Holder *ret, Error *err)
{
    static const char query[] =
        "SELECT s.pk, s.eval_pk, CASE WHEN o.eval_set_id <> e.eval_set_id OR "
        "(o.completed_at IS NOT NULL, coalesce(o.completed_at, o.created_at), o.created_at, o.id) "
        "> "
        "(e.completed_at IS NOT NULL, coalesce(e.completed_at, e.created_at), e.created_at, e.id) "
        "THEN 1 ELSE 0 END, "
        "CASE WHEN NOT s.is_provisional OR s.completed_at IS NOT NULL THEN 1 ELSE 0 END "
        "FROM sample s JOIN eval o ON o.pk = s.eval_pk JOIN eval e ON e.pk = $2 WHERE s.uuid = $1";
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx, query, SQL_ARGS(SQL_TEXT(uuid), SQL_TEXTZ(import->eval_pk)), &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row <= 0)
        return has_row;
    ret->is_there = true;
    (void)snprintf(ret->pk, sizeof(ret->pk), "%.*s", STR_ARG(sql_rows_text(rows, 0)));
    ret->is_other_eval = !str_eqz(sql_rows_text(rows, 1), import->eval_pk);
    ret->is_better = ret->is_other_eval && sql_rows_int(rows, 2) != 0;
    ret->is_final = sql_rows_int(rows, 3) != 0;
    return 0;
}

static Str search_text(const Import *import, const SampleRow *row, Arena *arena)
{
    const EvalLogHeader *header = import->header;
    const char *text =
        arena_printf(arena, "%.*s %.*s %.*s %.*s %s %.*s", STR_ARG(row->id), STR_ARG(header->task),
                     STR_ARG(header->eval_id), STR_ARG(import->eval_set_id), import->location,
                     STR_ARG(import->model));
    return sample_row_clean_text(str_of(text), arena);
}

static int write_sample(Import *import, SqlTx *tx, const char *pk, Str uuid, const SampleRow *row,
                        bool is_provisional, Error *err)
{
    const EvalLogHeader *header = import->header;
    auto_arena Arena *arena = arena_new();
    /* clang-format off */
    const ImportField fields[] = {
        { "pk",                       SQL_TEXTZ(pk), true },
        { "created_at",               SQL_INSTANT(import->started_us), true },
        { "updated_at",               SQL_INSTANT(import->started_us), false },
        { "first_imported_at",        SQL_INSTANT(import->started_us), true },
        { "last_imported_at",         SQL_INSTANT(import->started_us), false },
        { "eval_pk",                  SQL_TEXTZ(import->eval_pk), false },
        { "id",                       SQL_TEXT(row->id), false },
        { "uuid",                     SQL_TEXT(uuid), true },
        { "epoch",                    SQL_INT(row->epoch), false },
        { "started_at",               import_instant(row->started_us), false },
        { "completed_at",             import_instant(row->completed_us), false },
        { "invalidation_timestamp",   import_instant(row->invalidated_us), false },
        { "invalidation_author",      SQL_TEXT(row->invalidation_author), false },
        { "invalidation_reason",      SQL_TEXT(row->invalidation_reason), false },
        { "input",                    SQL_TEXT(row->input), false },
        { "output",                   SQL_TEXT(row->output), false },
        { "input_tokens",             import_int(row->usage[USAGE_INPUT]), false },
        { "output_tokens",            import_int(row->usage[USAGE_OUTPUT]), false },
        { "reasoning_tokens",         import_int(row->usage[USAGE_REASONING]), false },
        { "total_tokens",             import_int(row->usage[USAGE_TOTAL]), false },
        { "input_tokens_cache_read",  import_int(row->usage[USAGE_CACHE_READ]), false },
        { "input_tokens_cache_write", import_int(row->usage[USAGE_CACHE_WRITE]), false },
        { "action_count",             import_int(row->action_count), false },
        { "message_count",            import_int(row->message_count), false },
        { "working_time_seconds",     import_real(row->working_time), false },
        { "total_time_seconds",       import_real(row->total_time), false },
        { "generation_time_seconds",  import_real(row->generation_time), false },
        { "model_usage",              SQL_TEXT(row->model_usage), false },
        { "error_message",            SQL_TEXT(row->error_message), false },
        { "error_traceback",          SQL_TEXT(row->error_traceback), false },
        { "error_traceback_ansi",     SQL_TEXT(row->error_traceback_ansi), false },
        { "\"limit\"",                SQL_TEXTZ(row->limit), false },
        { "message_limit",            import_int(header->message_limit), false },
        { "token_limit",              import_int(header->token_limit), false },
        { "time_limit_seconds",       import_real(header->time_limit), false },
        { "working_limit",            import_int(header->working_limit), false },
        { "cost_limit",               import_real(header->cost_limit), false },
        { "search_text",              SQL_TEXT(search_text(import, row, arena)), false },
        { "is_provisional",           SQL_BOOL(is_provisional), false },
        { "meta",                     row->meta.p ? SQL_TEXT(row->meta) : SQL_TEXTZ("{}"), false },
    };
    /* clang-format on */
    return import_upsert(tx, "sample", "uuid", fields, ARRAY_LEN(fields), err);
}

static int write_score(Import *import, SqlTx *tx, const char *sample_pk, Str uuid,
                       const SampleRowScore *score, Error *err)
{
    char pk[RANDOM_UUID_MAX];
    /* clang-format off */
    const ImportField fields[] = {
        { "pk",              SQL_TEXTZ(random_uuid7(pk)), true },
        { "created_at",      SQL_INSTANT(import->started_us), true },
        { "updated_at",      SQL_INSTANT(import->started_us), false },
        { "sample_pk",       SQL_TEXTZ(sample_pk), true },
        { "sample_uuid",     SQL_TEXT(uuid), false },
        { "value",           SQL_TEXT(score->value), false },
        { "value_float",     import_real(score->value_float), false },
        { "value_nonfinite", SQL_TEXTZ(score->value_nonfinite), false },
        { "explanation",     SQL_TEXT(score->explanation), false },
        { "answer",          SQL_TEXT(score->answer), false },
        { "scorer",          SQL_TEXT(score->scorer), true },
        { "is_intermediate", SQL_BOOL(score->is_intermediate), false },
        { "scored_at",       import_instant(score->scored_us), false },
        { "model_usage",     SQL_TEXT(score->model_usage), false },
        { "history",         SQL_TEXT(score->history), false },
        { "meta",            score->meta.p ? SQL_TEXT(score->meta) : SQL_TEXTZ("{}"), false },
    };
    /* clang-format on */
    return import_upsert(tx, "score", "sample_pk, scorer", fields, ARRAY_LEN(fields), err);
}

static int write_model(const Import *import, SqlTx *tx, const char *sample_pk, Str model,
                       Error *err)
{
    char pk[RANDOM_UUID_MAX];
    return sql_exec(tx,
                    "INSERT INTO sample_model (pk, created_at, updated_at, sample_pk, model) "
                    "VALUES ($1, $2, $2, $3, $4) ON CONFLICT (sample_pk, model) DO NOTHING",
                    SQL_ARGS(SQL_TEXTZ(random_uuid7(pk)), SQL_INSTANT(import->started_us),
                             SQL_TEXTZ(sample_pk), SQL_TEXT(model)),
                    NULL, err);
}

/* Whether name is the end of path, at a '/': "azure/gpt-4" ends in "gpt-4". */
static bool is_path_end(Str path, Str name)
{
    return str_ends(path, name) && path.n > name.n && path.p[path.n - name.n - 1] == '/';
}

/* A name that a provider was asked for and that the log's model ends in is the model's name. */
static void learn_model(Import *import, const SampleRow *row)
{
    for (const SampleRowModel *model = row->models; model && !import->is_called_model;
         model = model->next)
        if (is_path_end(import->header->model, model->name)) {
            import->model = arena_str(import->arena, model->name);
            import->is_called_model = true;
        }
}

static int write_models(Import *import, SqlTx *tx, const char *sample_pk, const SampleRow *row,
                        Error *err)
{
    if (sql_exec(tx, "DELETE FROM sample_model WHERE sample_pk = $1",
                 SQL_ARGS(SQL_TEXTZ(sample_pk)), NULL, err) < 0 ||
        write_model(import, tx, sample_pk, import->model, err) < 0)
        return -1;
    for (const SampleRowModel *model = row->models; model; model = model->next)
        if (write_model(import, tx, sample_pk, model->name, err) < 0)
            return -1;
    return 0;
}

int import_sample(Import *import, SqlTx *tx, const SampleRow *row, bool is_provisional,
                  bool *ret_written, Error *err)
{
    Str uuid = row->uuid;
    if (!uuid.p) /* logs of Inspect before 0.3.70 */
        uuid =
            str_of(arena_printf(import->arena, "%.*s_%.*s_%lld", STR_ARG(import->header->eval_id),
                                STR_ARG(row->id), (long long)row->epoch));
    Holder holder = {0};
    if (find_holder(import, tx, uuid, &holder, err) < 0)
        return -1;
    /* A summary says nothing new about a sample that is complete. */
    *ret_written =
        !holder.is_better && !(is_provisional && holder.is_final && !holder.is_other_eval);
    if (!*ret_written)
        return 0;
    learn_model(import, row);
    char pk[RANDOM_UUID_MAX];
    if (!holder.is_there)
        (void)random_uuid7(pk);
    else
        (void)snprintf(pk, sizeof(pk), "%s", holder.pk);
    if (sql_exec(tx,
                 "DELETE FROM sample WHERE eval_pk = $1 AND id = $2 AND epoch = $3 AND uuid <> $4",
                 SQL_ARGS(SQL_TEXTZ(import->eval_pk), SQL_TEXT(row->id), SQL_INT(row->epoch),
                          SQL_TEXT(uuid)),
                 NULL, err) < 0 ||
        write_sample(import, tx, pk, uuid, row, is_provisional, err) < 0 ||
        sql_exec(tx, "DELETE FROM score WHERE sample_pk = $1 AND is_intermediate",
                 SQL_ARGS(SQL_TEXTZ(pk)), NULL, err) < 0)
        return -1;
    for (const SampleRowScore *score = row->scores; score; score = score->next)
        if (write_score(import, tx, pk, uuid, score, err) < 0)
            return -1;
    return write_models(import, tx, pk, row, err);
}
