/* Eval sets as a table. */

#include "warehouse/export/export_priv.h"

/* clang-format off */
static const char *const task_names[] = {
    [SQL_SQLITE]   = "json_group_array(DISTINCT e.task_name)",
    [SQL_POSTGRES] = "to_json(array_agg(DISTINCT e.task_name))",
};

static const struct { const char *name; FrameKind kind; } set_columns[] = {
    { "eval_set_id", FRAME_TEXT }, { "created_at", FRAME_TIME }, { "created_by", FRAME_TEXT },
    { "eval_count", FRAME_INT }, { "latest_eval_created_at", FRAME_TIME }, { "task_names", FRAME_TEXT },
};
/* clang-format on */

static int set_make_columns(Export *export, Error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(set_columns); i++)
        if (export_column(export, (int)i, set_columns[i].name, set_columns[i].kind, err) < 0)
            return -1;
    return 0;
}

/* Sets with an eval that may not be seen are left out, as lists do; listing_eval has those too. */
static void add_sets(Export *export, Query *query)
{
    query_add(query, "SELECT e.eval_set_id, min(e.created_at), max(e.created_by), count(*), "
                     "max(e.created_at), ");
    query_add(query, task_names[query->dialect]);
    query_add(query, " FROM eval e");
    if (export->eval.detail.len > 0)
        query_where_value(query, "e.eval_set_id > ?", SQL_TEXT(buf_str(&export->eval.detail)));
    export_add_evals(export, query);
    query_add(
        query,
        " GROUP BY e.eval_set_id HAVING NOT EXISTS (SELECT 1 FROM listing_eval o "
        "WHERE o.eval_set_id = e.eval_set_id AND o.eval_pk NOT IN (SELECT e.pk FROM eval e WHERE "
        "e.eval_set_id = o.eval_set_id AND ");
    query_add_access(query, &export->access);
    query_add(query, ")) ORDER BY e.eval_set_id");
    query_add_value(query, " LIMIT ?", SQL_INT(export->limit));
}

static int write_set(Export *export, const SqlRows *rows, Error *err)
{
    const FrameValue values[] = {
        export_text(export, rows, 0), export_time(rows, 1),
        export_text(export, rows, 2), export_int(rows, 3),
        export_time(rows, 4),         export_json(export, sql_rows_text(rows, 5)),
    };
    for (size_t i = 0; i < ARRAY_LEN(set_columns); i++)
        if (export_put(export, (int)i, str_of(set_columns[i].name), values[i], err) < 0)
            return -1;
    return export_end_row(export, err);
}

static int read_sets(Export *export, SqlTx *tx, bool *ret_is_over, Error *err)
{
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    query_init(&query, export->sql);
    add_sets(export, &query);
    if (query_run(&query, tx, &rows, err) < 0)
        return -1;
    int64_t n = 0;
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        buf_reset(&export->eval.detail);
        buf_add_str(&export->eval.detail, sql_rows_text(rows, 0));
        if (write_set(export, rows, err) < 0)
            return -1;
        n++;
    }
    *ret_is_over = has_row == 0 && n < export->limit;
    return has_row < 0 ? -1 : 0;
}

const ExportSource export_eval_sets = {
    .name = "eval-sets", .columns = set_make_columns, .read = read_sets};
