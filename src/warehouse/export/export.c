/* The course of an export: a survey of the columns when they depend on the rows, then head, rows
   and tail, each step in a transaction of its own. */

#include "warehouse/export/export_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/json_out.h"
#include "codec/json_scan.h"
#include "codec/python_text.h"

enum { LIMIT_MIN = 1, LIMIT_MAX = 1000, LIMIT_START = 100, ROWS_MAX = 2000, KEY_MAX = 1 << 20 };
enum { DUMPS_MAX = 1 << 30, IDS_TEXT_MAX = 4 << 20 };

static const ExportSource *const sources[] = {
    [EXPORT_EVAL_SETS] = &export_eval_sets, [EXPORT_EVALS] = &export_evals,
    [EXPORT_SAMPLES] = &export_samples,     [EXPORT_SCORES] = &export_scores,
    [EXPORT_MESSAGES] = &export_messages,   [EXPORT_EVENTS] = &export_events,
};

bool export_table_find(Str name, ExportTable *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        if (str_eqz(name, sources[i]->name)) {
            *ret = (ExportTable)i;
            return true;
        }
    }
    return false;
}

const char *export_table_name(ExportTable table)
{
    return sources[table]->name;
}

/* --- rows --- */

bool export_is_full(const Export *export)
{
    return export->n_rows >= ROWS_MAX || export->out->len >= EXPORT_STEP_BYTES;
}

int export_column(Export *export, int rank, const char *name, FrameKind kind, Error *err)
{
    size_t column = 0;
    if (frame_add(export->frame, rank, str_of(name), &column, err) < 0)
        return -1;
    if (kind != FRAME_NONE)
        frame_fix(export->frame, column, kind);
    return 0;
}

int export_put(Export *export, int rank, Str name, FrameValue value, Error *err)
{
    size_t column = 0;
    if (export->phase == EXPORT_SURVEY) {
        if (frame_add(export->frame, rank, name, &column, err) < 0)
            return -1;
        frame_observe(export->frame, column, &value);
    } else if (frame_find(export->frame, name, &column)) {
        export->values[column] = value;
    }
    return 0;
}

int export_end_row(Export *export, Error *err)
{
    export->n_rows++;
    if (export->phase == EXPORT_SURVEY) {
        frame_end_row(export->frame);
    } else {
        frame_write_row(&export->writer, export->values, export->out);
        memset(export->values, 0, frame_n_columns(export->frame) * sizeof(*export->values));
    }
    arena_reset(export->row);
    return buf_check(export->out, "a row", err);
}

FrameValue export_json(Export *export, Str raw)
{
    int64_t integer = 0;
    double real = 0;
    bool flag = false;
    Str text = STR_NONE;
    switch (json_scan_kind_of(raw)) {
    case JSON_SCAN_NONE:
    case JSON_SCAN_NULL: return FRAME_NULL;
    case JSON_SCAN_BOOL: return json_scan_bool(raw, &flag) ? FRAME_BOOLEAN(flag) : FRAME_NULL;
    case JSON_SCAN_NUMBER:
        if (json_scan_i64(raw, &integer))
            return FRAME_INTEGER(integer);
        return json_scan_double(raw, &real) ? FRAME_NUMBER(real) : FRAME_NULL;
    case JSON_SCAN_STRING:
        return json_scan_str(raw, export->row, &text) ? FRAME_STRING(arena_str(export->row, text))
                                                      : FRAME_NULL;
    default: break;
    }
    auto_buf Buf dumped = BUF_INIT(DUMPS_MAX);
    python_text_dumps(&dumped, raw);
    return FRAME_STRING(arena_str(export->row, buf_str(&dumped)));
}

FrameValue export_text(Export *export, const SqlRows *rows, int column)
{
    Str text = sql_rows_text(rows, column);
    return text.p ? FRAME_STRING(arena_str(export->row, text)) : FRAME_NULL;
}

FrameValue export_int(const SqlRows *rows, int column)
{
    return sql_rows_is_null(rows, column) ? FRAME_NULL : FRAME_INTEGER(sql_rows_int(rows, column));
}

FrameValue export_real(const SqlRows *rows, int column)
{
    return sql_rows_is_null(rows, column) ? FRAME_NULL : FRAME_NUMBER(sql_rows_real(rows, column));
}

FrameValue export_time(const SqlRows *rows, int column)
{
    return sql_rows_is_null(rows, column) ? FRAME_NULL : FRAME_INSTANT(sql_rows_int(rows, column));
}

void export_adapt(Export *export, int64_t n, bool is_over)
{
    int64_t limit = is_over ? export->limit : n < export->limit ? n : export->limit * 2;
    export->limit = limit < LIMIT_MIN ? LIMIT_MIN : limit > LIMIT_MAX ? LIMIT_MAX : limit;
}

int export_rows(Export *export, SqlTx *tx, Query *query, ExportWriteRow *write, bool *ret_is_over,
                Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (query_run(query, tx, &rows, err) < 0)
        return -1;
    int64_t n = 0;
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        if (export_is_full(export))
            break;
        if (write(export, rows, err) < 0)
            return -1;
        n++;
    }
    *ret_is_over = has_row == 0 && n < export->limit;
    export_adapt(export, n, *ret_is_over);
    return has_row < 0 ? -1 : 0;
}

int export_members(Export *export, int rank, const char *prefix, Str object, ExportConvert *convert,
                   Error *err)
{
    JsonScan scan;
    Str key = STR_NONE;
    Str raw = STR_NONE;
    json_scan_init(&scan, object.p ? object : STR("{}"), true);
    if (!json_scan_object(&scan))
        return 0;
    while (json_scan_member(&scan, &key) && json_scan_skip(&scan, &raw)) {
        Str name = STR_NONE;
        if (!json_scan_key_str(key, export->row, &name))
            continue;
        const char *column = arena_printf(export->row, "%s%.*s", prefix, STR_ARG(name));
        if (export_put(export, rank, str_of(column), convert(export, raw), err) < 0)
            return -1;
    }
    return 0;
}

/* --- evals --- */

/* clang-format off */
static const char *const in_ids[] = {
    [SQL_SQLITE]   = " IN (SELECT value FROM json_each(?))",
    [SQL_POSTGRES] = " IN (SELECT jsonb_array_elements_text(?::jsonb))",
};
/* clang-format on */

void export_add_evals(Export *export, Query *query)
{
    query_where(query, "");
    query_add_access(query, &export->access);
    if (!export->ids.p)
        return;
    query_where(query, "(e.eval_set_id");
    query_add_value(query, in_ids[query->dialect], SQL_TEXT(export->ids));
    query_add(query, " OR e.id");
    query_add_value(query, in_ids[query->dialect], SQL_TEXT(export->ids));
    query_add(query, ")");
}

static void keep(Buf *buf, Str text)
{
    buf_reset(buf);
    buf_add_str(buf, text);
}

/* Goes to the eval behind the one at hand; leaves is_there false at the end. */
static int next_eval(Export *export, SqlTx *tx, Error *err)
{
    ExportEval *eval = &export->eval;
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    query_init(&query, export->sql);
    query_add(&query, "SELECT e.created_at, e.pk, e.id, e.location, e.eval_set_id, e.task_name, "
                      "e.model FROM eval e");
    export_add_evals(export, &query);
    if (eval->pk.len > 0) {
        query_where_value(&query, "(e.created_at, e.pk) > (?", SQL_INSTANT(eval->created_us));
        query_add_value(&query, ", ?)", SQL_TEXT(buf_str(&eval->pk)));
    }
    query_add(&query, " ORDER BY e.created_at, e.pk LIMIT 1");
    if (query_run(&query, tx, &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row < 0)
        return -1;
    eval->is_there = has_row == 1;
    if (!eval->is_there)
        return 0;
    eval->has_sample = false;
    eval->created_us = sql_rows_int(rows, 0);
    Buf *const parts[] = {&eval->pk,     &eval->id,   &eval->location,
                          &eval->set_id, &eval->task, &eval->model};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        keep(parts[i], sql_rows_text(rows, (int)i + 1));
    buf_reset(&eval->detail);
    return 0;
}

int export_next_sample(Export *export, SqlTx *tx, Buf *ret_pk, Buf *ret_uuid, bool *ret_found,
                       Error *err)
{
    ExportEval *eval = &export->eval;
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    query_init(&query, export->sql);
    query_add(&query, "SELECT s.pk, s.uuid, s.id, s.epoch FROM sample s");
    query_where_value(&query, "s.eval_pk = ?", SQL_TEXT(buf_str(&eval->pk)));
    query_where(&query, "NOT s.is_provisional");
    if (eval->has_sample) {
        query_where_value(&query, "(s.id, s.epoch) > (?", SQL_TEXT(buf_str(&eval->sample)));
        query_add_value(&query, ", ?)", SQL_INT(eval->epoch));
    }
    query_add(&query, " ORDER BY s.id, s.epoch LIMIT 1");
    if (query_run(&query, tx, &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row < 0)
        return -1;
    *ret_found = has_row == 1;
    if (has_row == 0)
        return 0;
    keep(ret_pk, sql_rows_text(rows, 0));
    keep(ret_uuid, sql_rows_text(rows, 1));
    keep(&eval->sample, sql_rows_text(rows, 2));
    eval->epoch = sql_rows_int(rows, 3);
    eval->has_sample = true;
    return 0;
}

/* Rows until the step is full; *ret_is_over when the table is through. */
static int read_rows(Export *export, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (query_begin_as(export->sql, &export->access, &tx, err) < 0)
        return -1;
    bool is_over = false;
    while (!is_over && !export_is_full(export)) {
        bool part_is_over = false;
        if (export->source->by_eval && !export->eval.is_there) {
            if (next_eval(export, tx, err) < 0)
                return -1;
            export->n_rows++; /* many empty evals are work too */
            is_over = !export->eval.is_there;
        } else {
            if (export->source->read(export, tx, &part_is_over, err) < 0)
                return -1;
            export->eval.is_there = !part_is_over;
            is_over = part_is_over && !export->source->by_eval;
        }
    }
    return is_over ? 0 : 1;
}

/* --- the course --- */

static void rewind_rows(Export *export)
{
    export->eval.is_there = false;
    export->eval.has_sample = false;
    export->limit = LIMIT_START;
    buf_reset(&export->eval.pk);
    buf_reset(&export->eval.detail);
}

static int survey(Export *export, Error *err)
{
    if (export->source->needs_survey) {
        int more = read_rows(export, err);
        if (more != 0)
            return more;
    }
    frame_settle(export->frame);
    export->values = mem_array(frame_n_columns(export->frame) + 1, sizeof(*export->values));
    rewind_rows(export);
    export->phase = EXPORT_HEAD;
    return 1;
}

static int write_some(Export *export, Error *err)
{
    int more = 1;
    switch (export->phase) {
    case EXPORT_SURVEY: return survey(export, err);
    case EXPORT_HEAD:
        frame_write_head(&export->writer, export->out);
        export->phase = EXPORT_ROWS;
        return 1;
    case EXPORT_ROWS:
        more = read_rows(export, err);
        if (more == 0) {
            frame_write_tail(&export->writer, export->out);
            export->phase = EXPORT_OVER;
        }
        return more;
    case EXPORT_OVER: break;
    }
    return 0;
}

int export_step(Export *export, Buf *out, Error *err)
{
    export->out = out;
    export->n_rows = 0;
    int more = write_some(export, err);
    export->out = NULL;
    return more;
}

/* The groups, copied: a request ends before its stream does. */
static QueriesAccess copy_access(Arena *arena, const QueriesAccess *access)
{
    const char **groups = arena_array(arena, access->n_groups + 1, sizeof(*groups));
    for (size_t i = 0; i < access->n_groups; i++)
        groups[i] = arena_strdup(arena, access->groups[i]);
    return (QueriesAccess){
        .sees_all = access->sees_all, .groups = groups, .n_groups = access->n_groups};
}

static int keep_ids(Export *export, const ExportQuery *query, Error *err)
{
    auto_buf Buf text = BUF_INIT(IDS_TEXT_MAX);
    JsonOut out;
    if (query->n_ids == 0)
        return 0;
    if (query->n_ids > EXPORT_IDS_MAX)
        return error_set(err, ERR_USAGE, "at most %d ids at once", EXPORT_IDS_MAX);
    json_out_init(&out, &text, 0);
    json_out_array(&out);
    for (size_t i = 0; i < query->n_ids; i++)
        json_out_str(&out, query->ids[i]);
    json_out_end_array(&out);
    if (buf_check(&text, "the list of ids", err) < 0)
        return -1;
    export->ids = arena_str(export->arena, buf_str(&text));
    return 0;
}

/* Each id is of an eval set or an eval that may be seen. */
static int check_id(Export *export, SqlTx *tx, Str id, Error *err)
{
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    query_init(&query, export->sql);
    query_add(&query, "SELECT 1 FROM eval e");
    query_where_value(&query, "(e.eval_set_id = ?", SQL_TEXT(id));
    query_add_value(&query, " OR e.id = ?)", SQL_TEXT(id));
    query_where(&query, "");
    query_add_access(&query, &export->access);
    query_add(&query, " LIMIT 1");
    if (query_run(&query, tx, &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row == 0)
        return error_set(err, ERR_NOT_FOUND, "there is no eval set or eval '%.*s'", STR_ARG(id));
    return has_row < 0 ? -1 : 0;
}

static int check_ids(Export *export, const ExportQuery *query, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (query->n_ids == 0)
        return 0;
    if (query_begin_as(export->sql, &export->access, &tx, err) < 0)
        return -1;
    for (size_t i = 0; i < query->n_ids; i++)
        if (check_id(export, tx, query->ids[i], err) < 0)
            return -1;
    return 0;
}

int export_open(Sql *sql, const QueriesAccess *access, const ExportQuery *query, Export **ret,
                Error *err)
{
    auto_export Export *export = mem_alloc(sizeof(*export));
    export->sql = sql;
    export->arena = arena_new();
    export->row = arena_new();
    export->access = copy_access(export->arena, access);
    export->source = sources[query->table];
    export->frame = frame_new();
    export->writer = (FrameWriter){
        .frame = export->frame, .format = query->format, .for_excel = query->for_excel};
    ExportEval *eval = &export->eval;
    Buf *const parts[] = {&eval->pk,   &eval->id,    &eval->location, &eval->set_id,
                          &eval->task, &eval->model, &eval->sample,   &eval->detail};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        *parts[i] = BUF_INIT(KEY_MAX);
    rewind_rows(export);
    if (export->source->begin)
        export->source->begin(export);
    if (keep_ids(export, query, err) < 0 || check_ids(export, query, err) < 0 ||
        export->source->columns(export, err) < 0)
        return -1;
    *ret = TAKE(export);
    return 0;
}

void export_close(Export *export)
{
    if (!export)
        return;
    if (export->source->end)
        export->source->end(export);
    ExportEval *eval = &export->eval;
    Buf *const parts[] = {&eval->pk,   &eval->id,    &eval->location, &eval->set_id,
                          &eval->task, &eval->model, &eval->sample,   &eval->detail};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        buf_release(parts[i]);
    frame_free(export->frame);
    free(export->values);
    arena_free(export->row);
    arena_free(export->arena);
    free(export);
}
