/* The row of an eval, its model roles and who may see it. */

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "codec/json.h"
#include "codec/json_out.h"
#include "codec/json_scan.h"
#include "warehouse/import_groups.h"
#include "warehouse/importer_priv.h"

enum { MODEL_GROUPS_MAX = 1024 * 1024 };

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

Str import_canonical_model(Str model)
{
    ptrdiff_t slash = str_find(model, '/');
    return slash < 0 ? model : str_slice(model, (size_t)slash + 1, model.n);
}

typedef struct Existing {
    bool is_there;
    Str pk;
    Str eval_set_id;
    Str log_key;
    int64_t completed_us;
} Existing;

static int find_existing(Import *import, SqlTx *tx, Existing *ret, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx, "SELECT pk, eval_set_id, log_key, completed_at FROM eval WHERE id = $1",
                  SQL_ARGS(SQL_TEXT(import->header->eval_id)), &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row <= 0)
        return has_row;
    *ret = (Existing){
        .is_there = true,
        .pk = arena_str(import->arena, sql_rows_text(rows, 0)),
        .eval_set_id = arena_str(import->arena, sql_rows_text(rows, 1)),
        .log_key = arena_str(import->arena, sql_rows_text(rows, 2)),
        .completed_us = sql_rows_is_null(rows, 3) ? INT64_MIN : sql_rows_int(rows, 3),
    };
    return 0;
}

/* Whether this log may write the row: always its own, that of a log that is gone, and that of a log
   that is less far. Of two equal copies the first keeps it, or they would take turns for ever. */
static int decide(const Import *import, const Existing *existing, bool *ret_mine, Error *err)
{
    *ret_mine = true;
    if (!existing->is_there)
        return 0;
    if (!str_eq(existing->eval_set_id, import->eval_set_id))
        return error_set(err, ERR_BAD_DATA,
                         "eval %.*s belongs to eval set %.*s already; the log is a copy",
                         STR_ARG(import->header->eval_id), STR_ARG(existing->eval_set_id));
    if (str_eqz(existing->log_key, import->key))
        return 0;
    StoreStat stat;
    auto_error Error problem = ERROR_INIT;
    if (store_stat(import->store, existing->log_key.p, &stat, &problem) < 0)
        return problem.kind == ERR_NOT_FOUND ? 0 : error_move(err, &problem);
    *ret_mine = import->header->completed_us > existing->completed_us;
    return 0;
}

static SqlValue json_value(const Import *import, Str raw, const char *field)
{
    return SQL_TEXT(sample_row_clean(raw, field, import->arena));
}

static SqlValue json_or_empty(const Import *import, Str raw, const char *field)
{
    return raw.p ? json_value(import, raw, field) : SQL_TEXTZ("{}");
}

static SqlValue text_value(const Import *import, Str text)
{
    return SQL_TEXT(sample_row_clean_text(text, import->arena));
}

/* The sandbox's config without what is null and without the environment of its services, which may
   hold secrets. Anything that is not an object is kept as it is. */
static void write_sandbox(JsonOut *out, const Json *node)
{
    if (!node || node->type != JSON_OBJECT) {
        json_out_node(out, node);
        return;
    }
    json_out_object(out);
    for (const Json *child = node->first; child; child = child->next) {
        if (json_is_null(child) || str_eqz(child->key, "environment") ||
            str_eqz(child->key, "env_file"))
            continue;
        json_out_key(out, child->key);
        write_sandbox(out, child);
    }
    json_out_end_object(out);
}

static SqlValue sandbox_value(const Import *import)
{
    Str raw = import->header->sandbox_config;
    auto_error Error ignored = ERROR_INIT;
    JsonLimits limits = json_limits_config;
    limits.allow_nan = true;
    limits.allow_duplicates = true;
    Json *document = NULL;
    if (!raw.p || json_parse(import->arena, raw, &limits, &document, &ignored) < 0)
        return SQL_NULL;
    auto_buf Buf text = BUF_INIT(json_limits_config.bytes);
    JsonOut out;
    json_out_init(&out, &text, 0);
    write_sandbox(&out, document);
    if (text.overflowed)
        return SQL_NULL;
    return json_value(import, arena_str(import->arena, buf_str(&text)), "sandbox_config");
}

static int write_eval(Import *import, SqlTx *tx, Str groups, Error *err)
{
    const EvalLogHeader *header = import->header;
    int64_t total = header->total_samples;
    /* clang-format off */
    const ImportField fields[] = {
        { "pk",                    SQL_TEXTZ(import->eval_pk), true },
        { "created_at",            SQL_INSTANT(header->created_us == EVALLOG_NONE ? import->started_us : header->created_us), true },
        { "updated_at",            SQL_INSTANT(import->started_us), false },
        { "first_imported_at",     SQL_INSTANT(import->started_us), true },
        { "last_imported_at",      SQL_INSTANT(import->started_us), false },
        { "eval_set_id",           SQL_TEXT(import->eval_set_id), true },
        { "id",                    SQL_TEXT(header->eval_id), true },
        { "task_id",               text_value(import, header->task_id.p ? header->task_id : STR("")), false },
        { "task_name",             text_value(import, header->task.p ? header->task : STR("")), false },
        { "task_version",          text_value(import, header->task_version), false },
        { "task_args",             json_value(import, header->task_args, "task_args"), false },
        { "epochs",                import_int(header->epochs), false },
        { "total_samples",         SQL_INT(total > 0 ? total : 0), false },
        { "completed_samples",     SQL_INT(header->completed_samples > 0 ? header->completed_samples : 0), false },
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
        { "sandbox_config",        sandbox_value(import), false },
        { "model_groups",          SQL_LIST(groups), false },
        { "meta",                  json_or_empty(import, header->metadata, "metadata"), false },
        { "header",                SQL_TEXT(header->raw), false },
    };
    /* clang-format on */
    return import_upsert(tx, "eval", "id", fields, ARRAY_LEN(fields), err);
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
    char pk[RANDOM_UUID_MAX];
    const ImportField fields[] = {
        {"pk", SQL_TEXTZ(random_uuid7(pk)), true},
        {"created_at", SQL_INSTANT(import->started_us), true},
        {"updated_at", SQL_INSTANT(import->started_us), false},
        {"type", SQL_TEXTZ("eval"), true},
        {"eval_pk", SQL_TEXTZ(import->eval_pk), true},
        {"role", text_value(import, role), true},
        {"model", text_value(import, import_canonical_model(model)), true},
        {"config", json_value(import, parts[0], "config"), false},
        {"base_url", text_value(import, url), false},
        {"args", json_value(import, parts[2], "args"), false},
    };
    return import_upsert(tx, "model_role", "eval_pk, scan_pk, role, model", fields,
                         ARRAY_LEN(fields), err);
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

int import_eval_begin(Import *import, bool *ret_mine, Error *err)
{
    auto_buf Buf groups = BUF_INIT(MODEL_GROUPS_MAX);
    if (import_groups_read(import->store, import->eval_set_id, &groups, err) < 0)
        return -1;
    auto_sql_tx SqlTx *tx = NULL;
    Existing existing = {0};
    if (sql_begin(import->sql, SQL_WRITE, &tx, err) < 0 ||
        find_existing(import, tx, &existing, err) < 0 ||
        decide(import, &existing, ret_mine, err) < 0)
        return -1;
    if (!*ret_mine)
        return 0;
    if (existing.is_there)
        (void)snprintf(import->eval_pk, sizeof(import->eval_pk), "%.*s", STR_ARG(existing.pk));
    else
        (void)random_uuid7(import->eval_pk);
    /* What this log held before it was replaced by another eval's. */
    if (sql_exec(tx, "DELETE FROM eval WHERE log_key = $1 AND id <> $2",
                 SQL_ARGS(SQL_TEXTZ(import->key), SQL_TEXT(import->header->eval_id)), NULL,
                 err) < 0 ||
        write_eval(import, tx, buf_str(&groups), err) < 0 || write_roles(import, tx, err) < 0)
        return -1;
    return sql_commit(TAKE(tx), err);
}

/* A log that names fewer samples than it did: those that were not written by this import are gone.
   Of a running log the journal only grows. */
static int drop_old_samples(Import *import, SqlTx *tx, Error *err)
{
    if (import->is_running)
        return 0;
    return sql_exec(tx, "DELETE FROM sample WHERE eval_pk = $1 AND last_imported_at < $2",
                    SQL_ARGS(SQL_TEXTZ(import->eval_pk), SQL_INSTANT(import->started_us)), NULL,
                    err);
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

int import_eval_end(Import *import, Error *err)
{
    const char *status = import->n_unreadable > 0 ? "failed"
                         : import->is_running     ? "pending"
                                                  : "success";
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(import->sql, SQL_WRITE, &tx, err) < 0 || drop_old_samples(import, tx, err) < 0 ||
        count_samples(import, tx, err) < 0 ||
        sql_exec(tx,
                 "UPDATE eval SET import_status = $2, model = $3, updated_at = $4 WHERE pk = $1",
                 SQL_ARGS(SQL_TEXTZ(import->eval_pk), SQL_TEXTZ(status),
                          text_value(import, import->model), SQL_INSTANT(clock_now_us())),
                 NULL, err) < 0)
        return -1;
    return sql_commit(TAKE(tx), err);
}
