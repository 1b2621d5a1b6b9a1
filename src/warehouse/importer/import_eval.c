/* The row of an eval, its model roles and who may see it. */

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "codec/json.h"
#include "codec/json_out.h"
#include "codec/json_scan.h"
#include "warehouse/importer/import_groups.h"
#include "warehouse/importer/importer_priv.h"
#include "warehouse/rows/rows_members.h"
#include "warehouse/rows/sandbox_config.h"

enum { MODEL_GROUPS_MAX = 1024 * 1024, NAMES_MAX = 64 * 1024 * 1024 };

static const SampleCleanRules rules = {.json_max = SAMPLE_CLEAN_JSON_MAX};

int import_upsert(SqlTx *tx, const char *table, const char *conflict, const ImportField *fields,
                  size_t n, Error *err)
{
    enum { FIELDS_MAX = 64 };
    SqlValue values[FIELDS_MAX];
    auto_buf Buf text = BUF_INIT(16 * 1024);
    buf_printf(&text, "INSERT INTO %s (", table);
    for (size_t i = 0; i < n && i < FIELDS_MAX; i++) {
        buf_printf(&text, "%s%s", i ? ", " : "", fields[i].column);
        values[i] = fields[i].value;
    }
    buf_addz(&text, ") VALUES (");
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, "%s$%zu", i ? ", " : "", i + 1);
    buf_printf(&text, ") ON CONFLICT (%s) DO UPDATE SET ", conflict);
    bool is_first = true;
    for (size_t i = 0; i < n; i++) {
        if (fields[i].is_kept)
            continue;
        buf_printf(&text, "%s%s = excluded.%s", is_first ? "" : ", ", fields[i].column,
                   fields[i].column);
        is_first = false;
    }
    if (buf_check(&text, "the statement", err) < 0)
        return -1;
    return sql_exec(tx, text.data, values, n, NULL, err);
}

/* What the warehouse has of the eval. */
typedef struct Existing {
    bool is_there;
    Str pk;
    Str eval_set_id;
    Str log_key;
    Str file_hash;
    Str observed;        /* JSON array, or STR_NONE */
    int64_t modified_us; /* of the log that it was read from */
    int64_t completed_us;
    int64_t imported_us;
    bool is_running;
    bool is_imported;
} Existing;

static int find_existing(Import *import, SqlTx *tx, Existing *ret, Error *err)
{
    static const char query[] =
        "SELECT pk, eval_set_id, log_key, file_hash, observed_model_names, file_last_modified, "
        "completed_at, last_imported_at, CASE WHEN status = 'started' THEN 1 ELSE 0 END, "
        "CASE WHEN import_status = 'success' THEN 1 ELSE 0 END FROM eval WHERE id = $1";
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx, query, SQL_ARGS(SQL_TEXT(import->header->eval_id)), &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row <= 0)
        return has_row;
    Str observed = sql_rows_text(rows, 4);
    *ret = (Existing){
        .is_there = true,
        .pk = arena_str(import->arena, sql_rows_text(rows, 0)),
        .eval_set_id = arena_str(import->arena, sql_rows_text(rows, 1)),
        .log_key = arena_str(import->arena, sql_rows_text(rows, 2)),
        .file_hash = arena_str(import->arena, sql_rows_text(rows, 3)),
        .observed = observed.p ? arena_str(import->arena, observed) : STR_NONE,
        .modified_us = sql_rows_int(rows, 5),
        .completed_us = sql_rows_is_null(rows, 6) ? INT64_MIN : sql_rows_int(rows, 6),
        .imported_us = sql_rows_int(rows, 7),
        .is_running = sql_rows_int(rows, 8) != 0,
        .is_imported = sql_rows_int(rows, 9) != 0,
    };
    return 0;
}

/* Whether a log is what Inspect recovered of another, which it names after it. */
static bool is_recovered_of(Str key, Str other)
{
    Str stem = str_slice(other, 0, other.n - strlen(".eval"));
    return str_ends(key, STR("-recovered.eval")) && str_ends(other, STR(".eval")) &&
           str_starts(key, stem) && str_starts(str_slice(key, stem.n, key.n), STR("-recovered"));
}

/* Whether this log may write the row: that of a log that is gone, that of a log that is less far,
   and its own, unless a later state of it has been read already. What was recovered of a log has
   all of it, also when that is closed later. Of two equal copies the first keeps it, or they would
   take turns for ever. */
static int decide(const Import *import, const Existing *existing, bool *ret_mine, Error *err)
{
    *ret_mine = true;
    if (!existing->is_there)
        return 0;
    /* Which set has it is not said: whoever reads this may not be one who sees that. */
    if (!str_eq(existing->eval_set_id, import->eval_set_id))
        return error_set(err, ERR_BAD_DATA,
                         "eval %.*s belongs to another eval set already; the log is a copy",
                         STR_ARG(import->header->eval_id));
    if (str_eqz(existing->log_key, import->key)) {
        *ret_mine =
            import->options.force || (existing->modified_us <= import->stat.modified_us &&
                                      existing->completed_us <= import->header->completed_us);
        return 0;
    }
    StoreStat stat;
    auto_error Error problem = ERROR_INIT;
    if (store_stat(import->store, existing->log_key.p, &stat, &problem) < 0)
        return problem.kind == ERR_NOT_FOUND ? 0 : error_move(err, &problem);
    if (!import->is_running && is_recovered_of(str_of(import->key), existing->log_key))
        return 0;
    *ret_mine = import->header->completed_us > existing->completed_us &&
                (existing->is_running || !is_recovered_of(existing->log_key, str_of(import->key)));
    return 0;
}

/* An import of the same bytes that was broken off is taken up again. */
static void take_up(Import *import, const Existing *existing)
{
    import->cycle_us = import->started_us;
    if (import->options.force || import->is_running || !existing->is_there ||
        existing->is_running || existing->is_imported || !str_eqz(existing->log_key, import->key) ||
        !str_eqz(existing->file_hash, import->file_hash))
        return;
    import->is_resumed = true;
    import->cycle_us = existing->imported_us;
    if (import->started_us < import->cycle_us)
        import->started_us = import->cycle_us;
}

static SqlValue json_value(const Import *import, Str raw, const char *field)
{
    return SQL_TEXT(sample_clean_json(raw, field, &rules, import->arena));
}

static SqlValue json_or_empty(const Import *import, Str raw, const char *field)
{
    return raw.p ? json_value(import, raw, field) : SQL_TEXTZ("{}");
}

static SqlValue text_value(const Import *import, Str text)
{
    return SQL_TEXT(sample_clean_text(text, import->arena));
}

/* Inspect's version of a task that has none is the number 0. */
static SqlValue task_version(const Import *import)
{
    Str raw = STR_NONE;
    bool is_none = !json_scan_get(import->header->eval_raw, "task_version", &raw) ||
                   str_eqz(raw, "0") || str_eqz(raw, "\"\"");
    return is_none ? SQL_NULL : text_value(import, import->header->task_version);
}

static int64_t count_of(int64_t n)
{
    return n < 0 ? 0 : n > INT32_MAX ? INT32_MAX : n;
}

static int write_eval(Import *import, SqlTx *tx, Str groups, Error *err)
{
    const EvalLogHeader *header = import->header;
    /* clang-format off */
    const ImportField fields[] = {
        { "pk",                    SQL_TEXTZ(import->eval_pk), true },
        { "created_at",            SQL_INSTANT(header->created_us == EVALLOG_NONE ? import->started_us : header->created_us), true },
        { "updated_at",            SQL_INSTANT(import->started_us), false },
        { "first_imported_at",     SQL_INSTANT(import->started_us), true },
        { "last_imported_at",      SQL_INSTANT(import->cycle_us), false },
        { "eval_set_id",           SQL_TEXT(import->eval_set_id), true },
        { "id",                    SQL_TEXT(header->eval_id), true },
        { "task_id",               text_value(import, header->task_id.p ? header->task_id : STR("")), false },
        { "task_name",             text_value(import, header->task.p ? header->task : STR("")), false },
        { "task_version",          task_version(import), false },
        { "task_args",             json_value(import, header->task_args, "task_args"), false },
        { "epochs",                import_int4(header->epochs), false },
        { "total_samples",         SQL_INT(count_of(header->total_samples)), false },
        { "completed_samples",     SQL_INT(count_of(header->completed_samples)), false },
        { "location",              SQL_TEXTZ(import->location), false },
        { "log_key",               SQL_TEXTZ(import->key), false },
        { "file_size_bytes",       SQL_INT((int64_t)import->stat.size), false },
        { "file_hash",             SQL_TEXTZ(import->file_hash), false },
        { "file_last_modified",    SQL_INSTANT(import->stat.modified_us), false },
        { "created_by",            text_value(import, header->created_by), false },
        { "status",                SQL_TEXTZ(evallog_status_name(header->status)), false },
        { "import_status",         SQL_TEXTZ("importing"), false },
        { "started_at",            import_instant(header->started_us), false },
        { "completed_at",          import_instant(header->completed_us), false },
        { "error_message",         text_value(import, header->error_message), false },
        { "error_traceback",       text_value(import, header->error_traceback), false },
        { "agent",                 text_value(import, header->agent), false },
        { "plan",                  json_or_empty(import, header->plan, "plan"), false },
        { "model",                 text_value(import, import->model), false },
        { "model_usage",           json_or_empty(import, header->model_usage, "model_usage"), false },
        { "model_generate_config", json_value(import, header->model_generate_config, "model_generate_config"), false },
        { "model_args",            json_value(import, header->model_args, "model_args"), false },
        { "sandbox_type",          text_value(import, header->sandbox_type), false },
        { "sandbox_config",        json_value(import, sandbox_config_clean(header->sandbox_config, import->arena), "sandbox_config"), false },
        { "model_groups",          SQL_LIST(groups), false },
        { "meta",                  json_or_empty(import, header->metadata, "metadata"), false },
        { "header",                SQL_TEXT(header->raw), false },
    };
    /* clang-format on */
    return import_upsert(tx, "eval", "id", fields, ARRAY_LEN(fields), err);
}

/* Of equal models in one role the last counts. */
static int put_role(Import *import, SqlTx *tx, const SqlValue role[5], Error *err)
{
    char pk[RANDOM_UUID_MAX];
    SqlValue eval_pk = SQL_TEXTZ(import->eval_pk);
    if (sql_exec(tx, "DELETE FROM model_role WHERE eval_pk = $1 AND role = $2 AND model = $3",
                 SQL_ARGS(eval_pk, role[0], role[1]), NULL, err) < 0)
        return -1;
    return sql_exec(tx,
                    "INSERT INTO model_role (pk, created_at, updated_at, type, eval_pk, role, "
                    "model, config, base_url, args) VALUES ($1, $2, $2, 'eval', $3, $4, $5, $6, "
                    "$7, $8)",
                    SQL_ARGS(SQL_TEXTZ(random_uuid7(pk)), SQL_INSTANT(import->started_us), eval_pk,
                             role[0], role[1], role[2], role[3], role[4]),
                    NULL, err);
}

static int write_role(Import *import, SqlTx *tx, Str role, Str raw, Error *err)
{
    Str model_raw = STR_NONE;
    Str model = STR_NONE;
    if (!json_scan_get(raw, "model", &model_raw) ||
        !json_scan_str(model_raw, import->arena, &model))
        return 0;
    static const char *const names[] = {"config", "base_url", "args"};
    Str parts[ARRAY_LEN(names)] = {{0}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!json_scan_get(raw, names[i], &parts[i]) ||
            json_scan_kind_of(parts[i]) == JSON_SCAN_NULL)
            parts[i] = STR_NONE;
    Str url = STR_NONE;
    if (parts[1].p && !json_scan_str(parts[1], import->arena, &url))
        url = STR_NONE;
    if (!rows_members_has_items(parts[2]))
        parts[2] = STR_NONE;
    model_names_add(&import->observed, model_name_registry(model));
    return put_role(
        import, tx,
        (const SqlValue[]){text_value(import, role),
                           text_value(import, model_name_resolve(model, &import->called)),
                           json_value(import, parts[0], "config"), text_value(import, url),
                           json_value(import, parts[2], "args")},
        err);
}

/* The roles as the log has them now: a role's config, or a list of them. */
static int write_roles(Import *import, SqlTx *tx, Error *err)
{
    if (sql_exec(tx, "DELETE FROM model_role WHERE eval_pk = $1",
                 SQL_ARGS(SQL_TEXTZ(import->eval_pk)), NULL, err) < 0)
        return -1;
    JsonScan scan;
    Str key = STR_NONE;
    Str raw = STR_NONE;
    json_scan_init(&scan, import->header->model_roles, true);
    if (!import->header->model_roles.p || json_scan_kind(&scan) != JSON_SCAN_OBJECT ||
        !json_scan_object(&scan))
        return 0;
    while (json_scan_member(&scan, &key)) {
        bool is_list = json_scan_kind(&scan) == JSON_SCAN_ARRAY && json_scan_array(&scan);
        while (is_list && json_scan_item(&scan))
            if (json_scan_skip(&scan, &raw) && write_role(import, tx, key, raw, err) < 0)
                return -1;
        if (!is_list && json_scan_skip(&scan, &raw) && write_role(import, tx, key, raw, err) < 0)
            return -1;
    }
    return 0;
}

/* The names that the header has for models. */
static void declare_models(Import *import)
{
    JsonScan scan;
    Str key = STR_NONE;
    const EvalLogHeader *header = import->header;
    import->declared = (ModelNames){.arena = import->arena};
    import->called = (ModelNames){.arena = import->arena};
    import->observed = (ModelNames){.arena = import->arena};
    import->model = header->model.p ? model_name_canonical(header->model) : STR("");
    if (header->model.p)
        model_names_add(&import->declared, header->model);
    json_scan_init(&scan, header->model_usage, true);
    if (json_scan_kind(&scan) == JSON_SCAN_OBJECT && json_scan_object(&scan))
        while (json_scan_member(&scan, &key))
            model_names_add(&import->declared, key);
    for (size_t i = 0; i < import->declared.n; i++)
        model_names_add(&import->observed, model_name_registry(import->declared.items[i]));
}

/* Names that earlier imports have seen stay. */
static void keep_observed(Import *import, Str names)
{
    JsonScan scan;
    Str raw = STR_NONE;
    Str name = STR_NONE;
    json_scan_init(&scan, names, false);
    if (!names.p || !json_scan_array(&scan))
        return;
    while (json_scan_item(&scan))
        if (json_scan_skip(&scan, &raw) && json_scan_str(raw, import->arena, &name))
            model_names_add(&import->observed, name);
}

int import_put_observed(Import *import, SqlTx *tx, Error *err)
{
    if (import->n_observed_written == import->observed.n)
        return 0;
    auto_buf Buf names = BUF_INIT(NAMES_MAX);
    JsonOut out;
    json_out_init(&out, &names, 0);
    json_out_array(&out);
    for (size_t i = 0; i < import->observed.n; i++)
        json_out_str(&out, import->observed.items[i]);
    json_out_end_array(&out);
    return sql_exec(tx, "UPDATE eval SET observed_model_names = $2 WHERE pk = $1",
                    SQL_ARGS(SQL_TEXTZ(import->eval_pk), SQL_LIST(buf_str(&names))), NULL, err);
}

/* Whether one of the called names is what this one was called by. */
static bool is_called(Str declared, const ModelNames *called)
{
    for (size_t i = 0; i < called->n; i++) {
        const ModelNames one = {.items = &called->items[i], .n = 1};
        if (str_eq(model_name_resolve(declared, &one), called->items[i]))
            return true;
    }
    return false;
}

/* Takes the first called name for each declared one. */
static void learn(Import *import, Str called)
{
    const ModelNames one = {.items = &called, .n = 1};
    bool is_new = false;
    for (size_t i = 0; i < import->declared.n && !is_new; i++)
        is_new = is_called(import->declared.items[i], &one) &&
                 !is_called(import->declared.items[i], &import->called);
    if (!is_new)
        return;
    model_names_add(&import->called, called);
    if (!import->header->model.p)
        return;
    Str model = model_name_resolve(import->header->model, &import->called);
    if (str_eq(model, import->model))
        return;
    if (!import->first_model.p && import->n_written > 0)
        import->first_model = import->model;
    import->model = model;
}

void import_learn(Import *import, const Pack *pack)
{
    SqlValue values[ROWS_COLUMNS_MAX];
    RowsTable table = 0;
    size_t at = 0;
    while (pack_next(pack, &at, &table, values)) {
        if (table == ROWS_CALLED)
            learn(import, values[0].text);
        else if (table == ROWS_OBSERVED)
            model_names_add(&import->observed, values[0].text);
        else if (table != ROWS_SAMPLE && table != ROWS_SCORE && table != ROWS_SAMPLE_MODEL)
            break; /* names come before what is below the sample */
    }
}

/* Samples that need not be read: those that the import which is taken up again has read, and, of a
   running log, those that are in as a whole. */
static int find_done(Import *import, SqlTx *tx, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (import->options.force || (!import->is_resumed && !import->is_running))
        return 0;
    if (sql_query(tx,
                  "SELECT id, epoch FROM sample WHERE eval_pk = $1 AND last_imported_at >= $2 AND "
                  "NOT is_provisional",
                  SQL_ARGS(SQL_TEXTZ(import->eval_pk),
                           SQL_INSTANT(import->is_running ? 0 : import->cycle_us)),
                  &rows, err) < 0)
        return -1;
    int has_row = 0;
    while ((has_row = sql_rows_next(rows, err)) == 1)
        (void)hash_map_add(&import->done,
                           import_sample_key(sql_rows_text(rows, 0), sql_rows_int(rows, 1)), 0);
    return has_row < 0 ? -1 : 0;
}

static int find_samples(Import *import, SqlTx *tx, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx, "SELECT 1 FROM sample WHERE eval_pk = $1 LIMIT 1",
                  SQL_ARGS(SQL_TEXTZ(import->eval_pk)), &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    import->has_samples = has_row == 1;
    return has_row < 0 ? -1 : 0;
}

int import_eval_begin(Import *import, bool *ret_mine, Error *err)
{
    auto_buf Buf groups = BUF_INIT(MODEL_GROUPS_MAX);
    if (import_groups_read(import->store, import->eval_set_id, &groups, err) < 0)
        return -1;
    auto_sql_tx SqlTx *tx = NULL;
    Existing existing = {0};
    if (sql_begin(import->sql, SQL_WRITE_SHARED, &tx, err) < 0 ||
        sql_lock(tx, import->lock, err) < 0 || find_existing(import, tx, &existing, err) < 0 ||
        decide(import, &existing, ret_mine, err) < 0)
        return -1;
    if (!*ret_mine)
        return 0;
    declare_models(import);
    keep_observed(import, existing.observed);
    take_up(import, &existing);
    if (existing.is_there)
        (void)snprintf(import->eval_pk, sizeof(import->eval_pk), "%.*s", STR_ARG(existing.pk));
    else
        (void)random_uuid7(import->eval_pk);
    /* What this log held before it was replaced by another eval's. */
    if (sql_exec(tx, "DELETE FROM eval WHERE log_key = $1 AND id <> $2",
                 SQL_ARGS(SQL_TEXTZ(import->key), SQL_TEXT(import->header->eval_id)), NULL,
                 err) < 0 ||
        write_eval(import, tx, buf_str(&groups), err) < 0 || write_roles(import, tx, err) < 0 ||
        import_put_observed(import, tx, err) < 0 || find_samples(import, tx, err) < 0 ||
        find_done(import, tx, err) < 0)
        return -1;
    if (sql_commit(TAKE(tx), err) < 0)
        return -1;
    import->n_observed_written = import->observed.n;
    return 0;
}

/* A log that names fewer samples than it did: those that were not written by this import are gone.
   Of a running log the journal only grows. */
static int drop_old_samples(Import *import, SqlTx *tx, Error *err)
{
    if (import->is_running)
        return 0;
    return sql_exec(tx, "DELETE FROM sample WHERE eval_pk = $1 AND last_imported_at < $2",
                    SQL_ARGS(SQL_TEXTZ(import->eval_pk), SQL_INSTANT(import->cycle_us)), NULL, err);
}

/* A log without results (running, cancelled, failed) has its samples counted. */
static int count_samples(Import *import, SqlTx *tx, Error *err)
{
    if (import->header->results.p)
        return 0;
    int64_t epochs = import->header->epochs > 0 ? import->header->epochs : 1;
    int64_t total = import->header->dataset_samples;
    if (total == EVALLOG_NONE || __builtin_mul_overflow(total, epochs, &total) || total < 0)
        total = 0;
    return sql_exec(
        tx,
        "UPDATE eval SET total_samples = $2, completed_samples = (SELECT count(*) FROM sample "
        "WHERE eval_pk = $1 AND completed_at IS NOT NULL AND error_message IS NULL) "
        "WHERE pk = $1",
        SQL_ARGS(SQL_TEXTZ(import->eval_pk), SQL_INT(total)), NULL, err);
}

/* Samples that were written before a call told what the model is called. */
static int rename_model(Import *import, SqlTx *tx, Error *err)
{
    if (!import->first_model.p)
        return 0;
    const SqlValue values[] = {SQL_TEXTZ(import->eval_pk), text_value(import, import->first_model),
                               text_value(import, import->model)};
    if (sql_exec(tx,
                 "UPDATE sample_model SET model = $3 WHERE model = $2 AND sample_pk IN "
                 "(SELECT pk FROM sample WHERE eval_pk = $1) AND NOT EXISTS (SELECT 1 FROM "
                 "sample_model o WHERE o.sample_pk = sample_model.sample_pk AND o.model = $3)",
                 values, ARRAY_LEN(values), NULL, err) < 0)
        return -1;
    return sql_exec(tx,
                    "DELETE FROM sample_model WHERE model = $2 AND sample_pk IN "
                    "(SELECT pk FROM sample WHERE eval_pk = $1)",
                    values, 2, NULL, err);
}

static int close_eval(Import *import, SqlTx *tx, Error *err)
{
    const char *status = import->n_unreadable > 0 ? "failed"
                         : import->is_running     ? "pending"
                                                  : "success";
    Str usage =
        model_name_resolve_keys(import->header->model_usage, &import->called, import->arena);
    return sql_exec(tx,
                    "UPDATE eval SET import_status = $2, model = $3, updated_at = $4, "
                    "model_usage = $5 WHERE pk = $1",
                    SQL_ARGS(SQL_TEXTZ(import->eval_pk), SQL_TEXTZ(status),
                             text_value(import, import->model), SQL_INSTANT(clock_now_us()),
                             json_or_empty(import, usage, "model_usage")),
                    NULL, err);
}

int import_eval_end(Import *import, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (import_begin(import, &tx, err) < 0 || drop_old_samples(import, tx, err) < 0 ||
        count_samples(import, tx, err) < 0 || rename_model(import, tx, err) < 0 ||
        close_eval(import, tx, err) < 0 || write_roles(import, tx, err) < 0)
        return -1;
    return sql_commit(TAKE(tx), err);
}
