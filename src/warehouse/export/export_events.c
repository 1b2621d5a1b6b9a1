/* Events, as events_df makes them with its columns EventInfo: which events a sample has, of which
   kind, in which span, in which order. */

#include "warehouse/export/export_priv.h"

typedef enum Column { EVENT_ID, SAMPLE_ID, EVAL_ID, LOG, EVENT, SPAN_ID, ORDER, N_COLUMNS } Column;

/* clang-format off */
static const struct { const char *name; const char *sql; FrameKind kind; } columns[N_COLUMNS] = {
    [EVENT_ID]  = { "event_id",  "v.event_uuid",  FRAME_TEXT },
    [SAMPLE_ID] = { "sample_id", "s.uuid",        FRAME_TEXT },
    [EVAL_ID]   = { "eval_id",   "s.id",          FRAME_TEXT },
    [LOG]       = { "log",       "s.epoch",       FRAME_TEXT },
    [EVENT]     = { "event",     "v.event_type",  FRAME_TEXT },
    [SPAN_ID]   = { "span_id",   "v.span_id",     FRAME_TEXT },
    [ORDER]     = { "order",     "v.event_order", FRAME_INT },
};
/* clang-format on */

static int make_columns(Export *export, Error *err)
{
    for (size_t i = 0; i < N_COLUMNS; i++)
        if (export_column(export, (int)i, columns[i].name, columns[i].kind, err) < 0)
            return -1;
    return 0;
}

/* The id and epoch of the sample come in the places of columns that need no query. */
static void add_events(Export *export, Query *query)
{
    const ExportEval *eval = &export->eval;
    for (size_t i = 0; i < N_COLUMNS; i++) {
        query_add(query, i == 0 ? "SELECT " : ", ");
        query_add(query, columns[i].sql);
    }
    query_add(query, " FROM sample s JOIN event v ON v.sample_pk = s.pk");
    query_where_value(query, "s.eval_pk = ?", SQL_TEXT(buf_str(&eval->pk)));
    query_where(query, "NOT s.is_provisional");
    if (eval->has_sample) {
        query_where_value(query, "(s.id, s.epoch, v.event_order) > (?",
                          SQL_TEXT(buf_str(&eval->sample)));
        query_add_value(query, ", ?", SQL_INT(eval->epoch));
        query_add_value(query, ", ?)", SQL_INT(eval->order));
    }
    query_add(query, " ORDER BY s.id, s.epoch, v.event_order");
    query_add_value(query, " LIMIT ?", SQL_INT(export->limit));
}

static int write_event(Export *export, const SqlRows *rows, Error *err)
{
    ExportEval *eval = &export->eval;
    eval->has_sample = true;
    eval->epoch = sql_rows_int(rows, LOG);
    eval->order = sql_rows_int(rows, ORDER);
    buf_reset(&eval->sample);
    buf_add_str(&eval->sample, sql_rows_text(rows, EVAL_ID));
    const FrameValue values[N_COLUMNS] = {
        [EVENT_ID] = export_text(export, rows, EVENT_ID),
        [SAMPLE_ID] = export_text(export, rows, SAMPLE_ID),
        [EVAL_ID] = FRAME_STRING(buf_str(&eval->id)),
        [LOG] = FRAME_STRING(buf_str(&eval->location)),
        [EVENT] = export_text(export, rows, EVENT),
        [SPAN_ID] = export_text(export, rows, SPAN_ID),
        [ORDER] = FRAME_INTEGER(eval->order + 1),
    };
    for (size_t i = 0; i < N_COLUMNS; i++)
        if (export_put(export, (int)i, str_of(columns[i].name), values[i], err) < 0)
            return -1;
    return export_end_row(export, err);
}

static int read_events(Export *export, SqlTx *tx, bool *ret_is_over, Error *err)
{
    auto_query Query query = {0};
    query_init(&query, export->sql);
    add_events(export, &query);
    return export_rows(export, tx, &query, write_event, ret_is_over, err);
}

const ExportSource export_events = {
    .name = "events", .columns = make_columns, .read = read_events, .by_eval = true};
