/* Scores, a row each: what samples_df spreads over columns, in a form that can be grouped and
   joined. inspect_ai.analysis has no such table. */

#include "warehouse/compare/compare_stats.h"
#include "warehouse/export/export_priv.h"

typedef enum Column {
    SAMPLE_ID,
    EVAL_ID,
    EVAL_SET_ID,
    LOG,
    TASK_NAME,
    MODEL,
    ID,
    EPOCH,
    SCORER,
    VALUE,
    VALUE_NUMBER,
    ANSWER,
    EXPLANATION,
    METADATA,
    IS_INTERMEDIATE,
    SCORED_AT,
    IS_INVALID,
} Column;

/* clang-format off */
static const struct { const char *name; const char *sql; FrameKind kind; } columns[] = {
    [SAMPLE_ID]       = { "sample_id",       "s.uuid",            FRAME_TEXT },
    [EVAL_ID]         = { "eval_id",         "NULL",              FRAME_TEXT },
    [EVAL_SET_ID]     = { "eval_set_id",     "NULL",              FRAME_TEXT },
    [LOG]             = { "log",             "NULL",              FRAME_TEXT },
    [TASK_NAME]       = { "task_name",       "NULL",              FRAME_TEXT },
    [MODEL]           = { "model",           "NULL",              FRAME_TEXT },
    [ID]              = { "id",              "s.id",              FRAME_TEXT },
    [EPOCH]           = { "epoch",           "s.epoch",           FRAME_INT },
    [SCORER]          = { "scorer",          "f.scorer",          FRAME_TEXT },
    [VALUE]           = { "value",           "f.value",           FRAME_TEXT },
    [VALUE_NUMBER]    = { "value_number",    "f.value_nonfinite", FRAME_REAL },
    [ANSWER]          = { "answer",          "f.answer",          FRAME_TEXT },
    [EXPLANATION]     = { "explanation",     "f.explanation",     FRAME_TEXT },
    [METADATA]        = { "metadata",        "f.meta",            FRAME_TEXT },
    [IS_INTERMEDIATE] = { "is_intermediate", "f.is_intermediate", FRAME_BOOL },
    [SCORED_AT]       = { "scored_at",       "f.scored_at",       FRAME_TIME },
    [IS_INVALID]      = { "is_invalid",      "s.is_invalid",      FRAME_BOOL }, /* the sample is */
};
/* clang-format on */

static int make_columns(Export *export, Error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        if (export_column(export, (int)i, columns[i].name, columns[i].kind, err) < 0)
            return -1;
    return 0;
}

static void add_scores(Export *export, Query *query)
{
    const ExportEval *eval = &export->eval;
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        query_add(query, i == 0 ? "SELECT " : ", ");
        query_add(query, columns[i].sql);
    }
    query_add(query, " FROM sample s JOIN score f ON f.sample_pk = s.pk");
    query_where_value(query, "s.eval_pk = ?", SQL_TEXT(buf_str(&eval->pk)));
    query_where(query, "NOT s.is_provisional");
    if (eval->has_sample) {
        query_where_value(query, "(s.id, s.epoch, f.scorer) > (?",
                          SQL_TEXT(buf_str(&eval->sample)));
        query_add_value(query, ", ?", SQL_INT(eval->epoch));
        query_add_value(query, ", ?)", SQL_TEXT(buf_str(&eval->detail)));
    }
    query_add(query, " ORDER BY s.id, s.epoch, f.scorer");
    query_add_value(query, " LIMIT ?", SQL_INT(export->limit));
}

/* Texts without their quotes, the rest as JSON; "nan" and "inf", which JSON does not have. */
static FrameValue value_of(Export *export, const SqlRows *rows)
{
    if (!sql_rows_is_null(rows, VALUE_NUMBER))
        return export_text(export, rows, VALUE_NUMBER);
    FrameValue value = export_json(export, sql_rows_text(rows, VALUE));
    return value.kind == FRAME_TEXT || value.kind == FRAME_NONE ? value
                                                                : export_text(export, rows, VALUE);
}

static FrameValue number_of(const SqlRows *rows)
{
    double number = 0;
    if (sql_rows_is_null(rows, VALUE_NUMBER))
        return compare_stats_number(sql_rows_text(rows, VALUE), &number) ? FRAME_NUMBER(number)
                                                                         : FRAME_NULL;
    Str word = sql_rows_text(rows, VALUE_NUMBER);
    return FRAME_NUMBER(str_eqz(word, "nan")   ? __builtin_nan("")
                        : str_eqz(word, "inf") ? __builtin_inf()
                                               : -__builtin_inf());
}

static void remember(ExportEval *eval, const SqlRows *rows)
{
    eval->has_sample = true;
    eval->epoch = sql_rows_int(rows, EPOCH);
    buf_reset(&eval->sample);
    buf_add_str(&eval->sample, sql_rows_text(rows, ID));
    buf_reset(&eval->detail);
    buf_add_str(&eval->detail, sql_rows_text(rows, SCORER));
}

static int write_score(Export *export, const SqlRows *rows, Error *err)
{
    remember(&export->eval, rows);
    const ExportEval *eval = &export->eval;
    const FrameValue values[] = {
        [SAMPLE_ID] = export_text(export, rows, SAMPLE_ID),
        [EVAL_ID] = FRAME_STRING(buf_str(&eval->id)),
        [EVAL_SET_ID] = FRAME_STRING(buf_str(&eval->set_id)),
        [LOG] = FRAME_STRING(buf_str(&eval->location)),
        [TASK_NAME] = FRAME_STRING(buf_str(&eval->task)),
        [MODEL] = FRAME_STRING(buf_str(&eval->model)),
        [ID] = export_text(export, rows, ID),
        [EPOCH] = export_int(rows, EPOCH),
        [SCORER] = export_text(export, rows, SCORER),
        [VALUE] = value_of(export, rows),
        [VALUE_NUMBER] = number_of(rows),
        [ANSWER] = export_text(export, rows, ANSWER),
        [EXPLANATION] = export_text(export, rows, EXPLANATION),
        [METADATA] = export_json(export, sql_rows_text(rows, METADATA)),
        [IS_INTERMEDIATE] = FRAME_BOOLEAN(sql_rows_int(rows, IS_INTERMEDIATE)),
        [SCORED_AT] = export_time(rows, SCORED_AT),
        [IS_INVALID] = FRAME_BOOLEAN(sql_rows_int(rows, IS_INVALID)),
    };
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        if (export_put(export, (int)i, str_of(columns[i].name), values[i], err) < 0)
            return -1;
    return export_end_row(export, err);
}

static int read_scores(Export *export, SqlTx *tx, bool *ret_is_over, Error *err)
{
    auto_query Query query = {0};
    query_init(&query, export->sql);
    add_scores(export, &query);
    return export_rows(export, tx, &query, write_score, ret_is_over, err);
}

const ExportSource export_scores = {
    .name = "scores", .columns = make_columns, .read = read_scores, .by_eval = true};
