/* From what a scan says and has found to rows of scan and scanner_result. */

#include "warehouse/scans/scan_write.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "codec/json_out.h"

enum { VALUE_MAX = 64 << 20, N_OWN = 6 };

struct ScanWrite {
    Arena *arena;
    SqlTx *tx;
    SqlLoad *load;
    char pk[RANDOM_UUID_MAX];
    int64_t now_us;
    ModelNames models;
};

/* clang-format off */
/* The columns that are made here, then those that are members of a row. */
static const SqlColumn columns[] = {
    { "pk",                      SQL_KIND_UUID },
    { "created_at",              SQL_KIND_INSTANT },
    { "updated_at",              SQL_KIND_INSTANT },
    { "first_imported_at",       SQL_KIND_INSTANT },
    { "last_imported_at",        SQL_KIND_INSTANT },
    { "scan_pk",                 SQL_KIND_UUID },
    { "meta",                    SQL_KIND_JSON },
    { "transcript_id",           SQL_KIND_TEXT },
    { "transcript_source_type",  SQL_KIND_TEXT },
    { "transcript_source_id",    SQL_KIND_TEXT },
    { "transcript_source_uri",   SQL_KIND_TEXT },
    { "transcript_date",         SQL_KIND_INSTANT },
    { "transcript_task_set",     SQL_KIND_TEXT },
    { "transcript_task_id",      SQL_KIND_TEXT },
    { "transcript_task_repeat",  SQL_KIND_INT4 },
    { "scanner_key",             SQL_KIND_TEXT },
    { "scanner_name",            SQL_KIND_TEXT },
    { "scanner_version",         SQL_KIND_TEXT },
    { "scanner_package_version", SQL_KIND_TEXT },
    { "scanner_file",            SQL_KIND_TEXT },
    { "scanner_params",          SQL_KIND_JSON },
    { "input_type",              SQL_KIND_ENUM },
    { "input_ids",               SQL_KIND_LIST },
    { "uuid",                    SQL_KIND_TEXT },
    { "label",                   SQL_KIND_TEXT },
    { "value",                   SQL_KIND_JSON },
    { "value_type",              SQL_KIND_ENUM },
    { "value_float",             SQL_KIND_REAL },
    { "timestamp",               SQL_KIND_INSTANT },
    { "scan_tags",               SQL_KIND_LIST },
    { "scan_total_tokens",       SQL_KIND_INT4 },
    { "scan_model_usage",        SQL_KIND_JSON },
    { "answer",                  SQL_KIND_TEXT },
    { "explanation",             SQL_KIND_TEXT },
    { "scan_error",              SQL_KIND_TEXT },
    { "scan_error_traceback",    SQL_KIND_TEXT },
    { "scan_error_type",         SQL_KIND_TEXT },
    { "validation_target",       SQL_KIND_TEXT },
    { "validation_result",       SQL_KIND_JSON },
    { "message_references",      SQL_KIND_JSON },
    { "event_references",        SQL_KIND_JSON },
};

/* Members that are not called as their column. */
static const char *const renamed[][2] = {{"meta", "metadata"}};

/* What the enums have; anything else is not stored. */
static const char *const words[] = {
    "transcript", "message", "messages", "event", "events", "string", "boolean", "number", "array", "object", "null",
};
/* clang-format on */

/* --- values --- */

static Str json_of(Arena *arena, const Json *node)
{
    auto_buf Buf text = BUF_INIT(VALUE_MAX);
    JsonOut out;
    if (json_is_null(node))
        return STR_NONE;
    json_out_init(&out, &text, 0);
    json_out_node(&out, node);
    return arena_str(arena, buf_str(&text));
}

static SqlValue instant_of(const Json *node)
{
    int64_t at_us = 0;
    Str text = node && node->type == JSON_STRING ? node->text : STR("");
    return clock_parse(text, &at_us) == 0 ? SQL_INSTANT(at_us) : SQL_NULL;
}

static SqlValue enum_of(const Json *node)
{
    for (size_t i = 0; node && node->type == JSON_STRING && i < ARRAY_LEN(words); i++)
        if (str_eqz(node->text, words[i]))
            return SQL_TEXT(node->text);
    return SQL_NULL;
}

static SqlValue value_of(Arena *arena, const Json *row, const SqlColumn *column)
{
    const char *member = column->name;
    for (size_t i = 0; i < ARRAY_LEN(renamed); i++)
        if (strcmp(member, renamed[i][0]) == 0)
            member = renamed[i][1];
    const Json *node = json_get(row, member);
    double number = 0;
    switch (column->kind) {
    case SQL_KIND_INSTANT: return instant_of(node);
    case SQL_KIND_ENUM: return enum_of(node);
    case SQL_KIND_JSON: return SQL_TEXT(json_of(arena, node));
    case SQL_KIND_LIST:
        return SQL_LIST(node && node->type == JSON_ARRAY ? json_of(arena, node) : STR_NONE);
    case SQL_KIND_INT4: return json_is_null(node) ? SQL_NULL : SQL_INT(json_int(row, member, 0));
    case SQL_KIND_REAL: return json_number(node, &number) ? SQL_REAL(number) : SQL_NULL;
    default: return SQL_TEXT(node && node->type == JSON_STRING ? node->text : STR_NONE);
    }
}

/* --- models --- */

static void add_model(ScanWrite *write, Str name)
{
    Str registered = model_name_registry(name);
    if (registered.p)
        model_names_add(&write->models, registered);
}

/* The names that the usage of a result has as keys become those that the warehouse has. */
static Str take_usage(ScanWrite *write, Arena *arena, const Json *usage)
{
    if (!usage || usage->type != JSON_OBJECT)
        return STR_NONE;
    const ModelNames none = {0};
    for (const Json *model = usage->first; model; model = model->next)
        add_model(write, model->key);
    return model_name_resolve_keys(json_of(arena, usage), &none, arena);
}

/* --- the scan --- */

static int check_scan(const ScanWritePlace *place, const Json *scan, Error *err)
{
    if (!scan || scan->type != JSON_OBJECT)
        return error_set(err, ERR_BAD_DATA, "the scan says nothing of itself");
    if (!str_eq(json_text(scan, "scan_id", STR_NONE), place->scan_id))
        return error_set(err, ERR_BAD_DATA, "its scan_id is not that of its folder");
    if (instant_of(json_get(scan, "timestamp")).type == SQL_TYPE_NULL)
        return error_set(err, ERR_BAD_DATA, "it has no time");
    Str job = json_text(json_get(scan, "metadata"), "job_id", STR_NONE);
    if (job.p && !str_eq(job, place->job_id))
        return error_set(err, ERR_BAD_DATA, "its metadata names another job, %.*s",
                         STR_ARG(str_slice(job, 0, 100)));
    return 0;
}

/* The row that is there, or a new one; nothing but its key is right yet. */
static int claim_row(ScanWrite *write, const ScanWritePlace *place, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(write->tx, "SELECT pk, job_id FROM scan WHERE scan_id = $1",
                  SQL_ARGS(SQL_TEXT(place->scan_id)), &rows, err) < 0)
        return -1;
    int found = sql_rows_next(rows, err);
    if (found < 0)
        return -1;
    if (found && !str_eq(sql_rows_text(rows, 1), place->job_id))
        return error_set(err, ERR_CONFLICT, "another job has a scan of the id %.*s",
                         STR_ARG(place->scan_id));
    if (found) {
        (void)snprintf(write->pk, sizeof(write->pk), "%.*s", STR_ARG(sql_rows_text(rows, 0)));
        return 0;
    }
    (void)random_uuid7(write->pk);
    sql_rows_free(TAKE(rows));
    const SqlValue now = SQL_INSTANT(write->now_us);
    return sql_exec(write->tx,
                    "INSERT INTO scan (pk, created_at, updated_at, first_imported_at, "
                    "last_imported_at, timestamp, scan_id, job_id, location) VALUES ($1, $2, $3, "
                    "$4, $5, $6, $7, $8, $9)",
                    SQL_ARGS(SQL_TEXTZ(write->pk), now, now, now, now, now,
                             SQL_TEXT(place->scan_id), SQL_TEXT(place->job_id),
                             SQL_TEXTZ(place->location)),
                    NULL, err);
}

static int fill_row(ScanWrite *write, const ScanWritePlace *place, const Json *scan, Error *err)
{
    Arena *arena = write->arena;
    const Json *model = json_get(scan, "model");
    const Json *errors = json_get(scan, "errors");
    Str name = json_text(model, "model", STR_NONE);
    Str meta = json_of(arena, json_get(scan, "metadata"));
    if (name.p)
        add_model(write, name);
    return sql_exec(
        write->tx,
        "UPDATE scan SET updated_at = $2, last_imported_at = $3, timestamp = $4, scan_name = $5, "
        "location = $6, meta = $7, errors = $8, model = $9, model_generate_config = $10, "
        "model_args = $11, import_status = $12 WHERE pk = $1",
        SQL_ARGS(SQL_TEXTZ(write->pk), SQL_INSTANT(write->now_us), SQL_INSTANT(write->now_us),
                 instant_of(json_get(scan, "timestamp")),
                 SQL_TEXT(json_text(scan, "scan_name", STR_NONE)), SQL_TEXTZ(place->location),
                 SQL_TEXT(meta.p ? meta : STR("{}")),
                 SQL_LIST(errors && errors->type == JSON_ARRAY && errors->n > 0
                              ? json_of(arena, errors)
                              : STR_NONE),
                 SQL_TEXT(name.p ? model_name_canonical(name) : STR_NONE),
                 SQL_TEXT(json_of(arena, json_get(model, "config"))),
                 SQL_TEXT(json_of(arena, json_get(model, "args"))), SQL_TEXTZ("success")),
        NULL, err);
}

static int add_role(ScanWrite *write, Str role, const Json *model, Error *err)
{
    char pk[RANDOM_UUID_MAX];
    Str name = json_text(model, "model", STR_NONE);
    if (!name.p)
        return 0;
    add_model(write, name);
    const SqlValue now = SQL_INSTANT(write->now_us);
    return sql_exec(write->tx,
                    "INSERT INTO model_role (pk, created_at, updated_at, type, scan_pk, role, "
                    "model, config, base_url, args) VALUES ($1, $2, $3, 'scan', $4, $5, $6, $7, "
                    "$8, $9) ON CONFLICT DO NOTHING",
                    SQL_ARGS(SQL_TEXTZ(random_uuid7(pk)), now, now, SQL_TEXTZ(write->pk),
                             SQL_TEXT(role), SQL_TEXT(model_name_canonical(name)),
                             SQL_TEXT(json_of(write->arena, json_get(model, "config"))),
                             SQL_TEXT(json_text(model, "base_url", STR_NONE)),
                             SQL_TEXT(json_of(write->arena, json_get(model, "args")))),
                    NULL, err);
}

/* A model for each role, or a list of them. */
static int add_roles(ScanWrite *write, const Json *roles, Error *err)
{
    for (const Json *role = roles && roles->type == JSON_OBJECT ? roles->first : NULL; role;
         role = role->next) {
        const Json *one = role->type == JSON_ARRAY ? role->first : role;
        for (; one; one = role->type == JSON_ARRAY ? one->next : NULL)
            if (add_role(write, role->key, one, err) < 0)
                return -1;
    }
    return 0;
}

static int drop_old(const ScanWrite *write, Error *err)
{
    static const char *const statements[] = {
        "DELETE FROM scanner_result WHERE scan_pk = $1",
        "DELETE FROM scan_source_eval WHERE scan_pk = $1",
        "DELETE FROM model_role WHERE scan_pk = $1",
    };
    for (size_t i = 0; i < ARRAY_LEN(statements); i++)
        if (sql_exec(write->tx, statements[i], SQL_ARGS(SQL_TEXTZ(write->pk)), NULL, err) < 0)
            return -1;
    return 0;
}

int scan_write_begin(Sql *sql, const ScanWritePlace *place, const Json *scan, ScanWrite **ret,
                     Error *err)
{
    if (check_scan(place, scan, err) < 0)
        return -1;
    auto_scan_write ScanWrite *write = mem_alloc(sizeof(*write));
    write->arena = arena_new();
    write->models = (ModelNames){.arena = write->arena};
    write->now_us = clock_now_us();
    const char *lock = arena_printf(write->arena, "scan:%.*s", STR_ARG(place->scan_id));
    if (sql_begin(sql, SQL_WRITE_SHARED, &write->tx, err) < 0 ||
        sql_lock(write->tx, lock, err) < 0 || claim_row(write, place, err) < 0 ||
        drop_old(write, err) < 0 || fill_row(write, place, scan, err) < 0 ||
        add_roles(write, json_get(scan, "model_roles"), err) < 0 ||
        sql_load_open(write->tx, "scanner_result", columns, ARRAY_LEN(columns), &write->load, err) <
            0)
        return -1;
    *ret = TAKE(write);
    return 0;
}

/* --- results --- */

int scan_write_row(ScanWrite *write, const Json *row, Error *err)
{
    auto_arena Arena *arena = arena_new();
    char pk[RANDOM_UUID_MAX];
    SqlValue values[ARRAY_LEN(columns)];
    const SqlValue now = SQL_INSTANT(write->now_us);
    const SqlValue own[N_OWN] = {SQL_TEXTZ(random_uuid7(pk)), now, now, now, now,
                                 SQL_TEXTZ(write->pk)};
    memcpy(values, own, sizeof(own));
    for (size_t i = N_OWN; i < ARRAY_LEN(columns); i++) {
        const char *name = columns[i].name;
        values[i] = value_of(arena, row, &columns[i]);
        if (strcmp(name, "scan_model_usage") == 0)
            values[i] = SQL_TEXT(take_usage(write, arena, json_get(row, name)));
        else if (strcmp(name, "scan_total_tokens") == 0 && values[i].type == SQL_TYPE_NULL)
            values[i] = SQL_INT(0);
        else if (strcmp(name, "meta") == 0 && values[i].type == SQL_TYPE_NULL)
            values[i] = SQL_TEXTZ("{}");
        else if (strncmp(name, "transcript_source_", 18) == 0 && name[18] != 'u' &&
                 values[i].type == SQL_TYPE_NULL)
            values[i] = SQL_TEXTZ("");
    }
    return sql_load_row(write->load, values, err);
}

const ModelNames *scan_write_models(const ScanWrite *write)
{
    return &write->models;
}

/* --- the end --- */

static const char link_samples[] =
    "UPDATE scanner_result SET sample_pk = (SELECT s.pk FROM sample s WHERE s.uuid = "
    "scanner_result.transcript_id) WHERE sample_pk IS NULL AND transcript_source_type = 'eval_log'";
static const char count_sources[] =
    "INSERT INTO scan_source_eval (scan_pk, eval_pk, result_count) SELECT r.scan_pk, s.eval_pk, "
    "count(*) FROM scanner_result r LEFT JOIN sample s ON s.pk = r.sample_pk";

static int link_and_count(const ScanWrite *write, Error *err)
{
    auto_buf Buf text = BUF_INIT(VALUE_MAX);
    buf_printf(&text, "%s AND scan_pk = $1", link_samples);
    if (sql_exec(write->tx, text.data, SQL_ARGS(SQL_TEXTZ(write->pk)), NULL, err) < 0)
        return -1;
    buf_reset(&text);
    buf_printf(&text, "%s WHERE r.scan_pk = $1 GROUP BY r.scan_pk, s.eval_pk", count_sources);
    return sql_exec(write->tx, text.data, SQL_ARGS(SQL_TEXTZ(write->pk)), NULL, err);
}

int scan_write_end(ScanWrite *write, Str observed_groups, Str groups, Error *err)
{
    auto_buf Buf names = BUF_INIT(VALUE_MAX);
    JsonOut out;
    json_out_init(&out, &names, 0);
    json_out_array(&out);
    for (size_t i = 0; i < write->models.n; i++)
        json_out_str(&out, write->models.items[i]);
    json_out_end_array(&out);
    if (sql_load_flush(write->load, err) < 0)
        return -1;
    sql_load_free(TAKE(write->load));
    if (link_and_count(write, err) < 0 ||
        sql_exec(write->tx,
                 "UPDATE scan SET observed_model_names = $2, observed_model_groups = $3, "
                 "model_groups = $4 WHERE pk = $1",
                 SQL_ARGS(SQL_TEXTZ(write->pk), SQL_LIST(buf_str(&names)),
                          SQL_LIST(observed_groups), SQL_LIST(groups)),
                 NULL, err) < 0)
        return -1;
    return sql_commit(TAKE(write->tx), err);
}

void scan_write_free(ScanWrite *write)
{
    if (!write)
        return;
    sql_load_free(write->load);
    sql_rollback(write->tx);
    arena_free(write->arena);
    free(write);
}

int scan_write_link(Sql *sql, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    int64_t n = 0;
    auto_buf Buf text = BUF_INIT(VALUE_MAX);
    buf_printf(&text, "%s AND EXISTS (SELECT 1 FROM sample s WHERE s.uuid = transcript_id)",
               link_samples);
    if (sql_begin(sql, SQL_WRITE, &tx, err) < 0 ||
        sql_exec(tx, text.data, SQL_NO_ARGS, &n, err) < 0)
        return -1;
    if (n == 0)
        return 0;
    buf_reset(&text);
    buf_printf(&text, "%s GROUP BY r.scan_pk, s.eval_pk", count_sources);
    if (sql_exec(tx, "DELETE FROM scan_source_eval", SQL_NO_ARGS, NULL, err) < 0 ||
        sql_exec(tx, text.data, SQL_NO_ARGS, NULL, err) < 0)
        return -1;
    return sql_commit(TAKE(tx), err);
}
