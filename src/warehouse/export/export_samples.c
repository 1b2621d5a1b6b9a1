/* Samples, as samples_df(full=True) makes them from Inspect's EvalSample; see
   inspect_ai/analysis/_dataframe/samples of Inspect 0.3.285; and at the end whether it was declared
   invalid, which Inspect's frame does not say. A batch of samples with their final
   scores is one query; samples that still run are left out. */

#include "codec/json_scan.h"
#include "codec/python_text.h"
#include "warehouse/export/export_message.h"
#include "warehouse/export/export_priv.h"

enum { TEXT_MAX = 1 << 30 };

typedef FrameValue Convert(Export *export, const SqlRows *rows, int column);

static FrameValue text(Export *export, const SqlRows *rows, int column)
{
    return export_text(export, rows, column);
}

static FrameValue text_or_empty(Export *export, const SqlRows *rows, int column)
{
    return sql_rows_is_null(rows, column) ? FRAME_STRING(STR(""))
                                          : export_text(export, rows, column);
}

static FrameValue integer(Export *export, const SqlRows *rows, int column)
{
    (void)export;
    return export_int(rows, column);
}

static FrameValue real(Export *export, const SqlRows *rows, int column)
{
    (void)export;
    return export_real(rows, column);
}

static FrameValue json(Export *export, const SqlRows *rows, int column)
{
    Str raw = sql_rows_text(rows, column);
    return raw.p ? export_json(export, raw) : FRAME_NULL;
}

static FrameValue json_or_object(Export *export, const SqlRows *rows, int column)
{
    FrameValue value = json(export, rows, column);
    return value.kind == FRAME_NONE ? FRAME_STRING(STR("{}")) : value;
}

static FrameValue zero_or_more(Export *export, const SqlRows *rows, int column)
{
    (void)export;
    return FRAME_INTEGER(sql_rows_int(rows, column));
}

static FrameValue flag(Export *export, const SqlRows *rows, int column)
{
    (void)export;
    return FRAME_BOOLEAN(sql_rows_int(rows, column));
}

static FrameValue input(Export *export, const SqlRows *rows, int column)
{
    auto_buf Buf shown = BUF_INIT(TEXT_MAX);
    export_message_list(sql_rows_text(rows, column), export->row, &shown);
    return FRAME_STRING(arena_str(export->row, buf_str(&shown)));
}

/* "a,b" of ["a", "b"]. */
static FrameValue list(Export *export, const SqlRows *rows, int column)
{
    auto_buf Buf shown = BUF_INIT(TEXT_MAX);
    Str raw = sql_rows_text(rows, column);
    JsonScan scan;
    if (!raw.p)
        return FRAME_NULL;
    json_scan_init(&scan, raw, true);
    if (json_scan_kind(&scan) != JSON_SCAN_ARRAY) {
        python_text_str(&shown, raw);
        return FRAME_STRING(arena_str(export->row, buf_str(&shown)));
    }
    Str item = STR_NONE;
    (void)json_scan_array(&scan);
    for (bool is_first = true; json_scan_item(&scan); is_first = false) {
        if (!json_scan_skip(&scan, &item))
            break;
        buf_addz(&shown, is_first ? "" : ",");
        python_text_str(&shown, item);
    }
    return FRAME_STRING(arena_str(export->row, buf_str(&shown)));
}

/* The sum over models of total_tokens. */
static FrameValue total_tokens(Export *export, const SqlRows *rows, int column)
{
    (void)export;
    Str usage = sql_rows_text(rows, column);
    Str key = STR_NONE;
    Str raw = STR_NONE;
    int64_t sum = 0;
    JsonScan scan;
    json_scan_init(&scan, usage.p ? usage : STR("{}"), true);
    if (!json_scan_object(&scan))
        return FRAME_INTEGER(0);
    while (json_scan_member(&scan, &key) && json_scan_skip(&scan, &raw)) {
        Str total = STR_NONE;
        int64_t n = 0;
        if (json_scan_get(raw, "total_tokens", &total) && json_scan_i64(total, &n) &&
            __builtin_add_overflow(sum, n, &sum))
            return FRAME_NULL;
    }
    return FRAME_INTEGER(sum);
}

typedef struct Column {
    const char *name;
    const char *sql;
    Convert *convert;
    bool is_text; /* never anything else: not read in the first pass, which is about kinds */
} Column;

/* clang-format off */
static const Column columns[] = {
    { "sample_id",         "s.uuid",                 text,           true },
    { "eval_id",           NULL,                     NULL,           true },
    { "log",               NULL,                     NULL,           true },
    { "id",                "s.id",                   text,           true },
    { "epoch",             "s.epoch",                integer,        false },
    { "input",             "s.input",                input,          true },
    { "choices",           "s.choices",              json,           false },
    { "target",            "s.target",               list,           false },
    { "description",       "s.description",          text,           false },
    { "metadata_*",        "s.meta",                 NULL,           false },
    { "score_*",           NULL,                     NULL,           false },
    { "model_usage",       "s.model_usage",          json_or_object, true },
    { "total_tokens",      "s.model_usage",          total_tokens,   false },
    { "total_time",        "s.total_time_seconds",   real,           false },
    { "working_time",      "s.working_time_seconds", real,           false },
    { "message_count",     "s.message_count",        integer,        false },
    { "turn_count",        "s.turn_count",           integer,        false },
    { "token_limit_usage", "s.token_limit_usage",    integer,        false },
    { "error",             "s.error_message",        text_or_empty,  true },
    { "limit",             "s.\"limit\"",            text,           false },
    { "limit_reason",      "s.limit_reason",         text,           false },
    { "retries",           "s.retries",              integer,        false },
    { "fallbacks",         "s.fallbacks",            zero_or_more,   false },
    { "is_invalid",        "s.is_invalid",           flag,           false },
};

enum { SAMPLE_ID, EVAL_ID, LOG, ID, EPOCH, METADATA = 9, SCORES };

/* The final scores as {"scorer": [value, "nan" or null]}. */
static const char *const scores[] = {
    [SQL_SQLITE]   = "(SELECT json_group_object(f.scorer, json_array(json(f.value), f.value_nonfinite)) FROM score f "
                     "WHERE f.sample_pk = s.pk AND NOT f.is_intermediate)",
    [SQL_POSTGRES] = "(SELECT json_object_agg(f.scorer, json_build_array(f.value, f.value_nonfinite)) FROM score f "
                     "WHERE f.sample_pk = s.pk AND NOT f.is_intermediate)",
};
/* clang-format on */

static int make_columns(Export *export, Error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        if (i != METADATA && i != SCORES &&
            export_column(export, (int)i, columns[i].name,
                          columns[i].is_text ? FRAME_TEXT : FRAME_NONE, err) < 0)
            return -1;
    return 0;
}

static void add_samples(Export *export, Query *query)
{
    bool is_survey = export->phase == EXPORT_SURVEY;
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        bool is_needed = !is_survey || !columns[i].is_text || i == ID;
        query_add(query, i == 0 ? "SELECT " : ", ");
        query_add(query, i == SCORES                   ? scores[query->dialect]
                         : is_needed && columns[i].sql ? columns[i].sql
                                                       : "NULL");
    }
    query_add(query, " FROM sample s");
    query_where_value(query, "s.eval_pk = ?", SQL_TEXT(buf_str(&export->eval.pk)));
    query_where(query, "NOT s.is_provisional");
    if (export->eval.has_sample) {
        query_where_value(query, "(s.id, s.epoch) > (?", SQL_TEXT(buf_str(&export->eval.sample)));
        query_add_value(query, ", ?)", SQL_INT(export->eval.epoch));
    }
    query_add(query, " ORDER BY s.id, s.epoch");
    query_add_value(query, " LIMIT ?", SQL_INT(export->limit));
}

/* The value of [value, "nan" or null]: JSON has no NaN, so it is kept beside. */
static FrameValue score_value(Export *export, Str pair)
{
    JsonScan scan;
    Str value = STR_NONE;
    Str nonfinite = STR_NONE;
    Str word = STR_NONE;
    json_scan_init(&scan, pair, true);
    if (!json_scan_array(&scan) || !json_scan_item(&scan) || !json_scan_skip(&scan, &value) ||
        !json_scan_item(&scan) || !json_scan_skip(&scan, &nonfinite))
        return FRAME_NULL;
    if (!json_scan_str(nonfinite, export->row, &word))
        return export_json(export, value);
    return FRAME_NUMBER(str_eqz(word, "nan")   ? __builtin_nan("")
                        : str_eqz(word, "inf") ? __builtin_inf()
                                               : -__builtin_inf());
}

static int write_sample(Export *export, const SqlRows *rows, Error *err)
{
    export->eval.has_sample = true;
    export->eval.epoch = sql_rows_int(rows, EPOCH);
    buf_reset(&export->eval.sample);
    buf_add_str(&export->eval.sample, sql_rows_text(rows, ID));
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        if (columns[i].convert && (export->phase != EXPORT_SURVEY || !columns[i].is_text) &&
            export_put(export, (int)i, str_of(columns[i].name),
                       columns[i].convert(export, rows, (int)i), err) < 0)
            return -1;
    Str eval_id = buf_str(&export->eval.id);
    Str location = buf_str(&export->eval.location);
    if (export_put(export, EVAL_ID, STR("eval_id"), FRAME_STRING(eval_id), err) < 0 ||
        export_put(export, LOG, STR("log"), FRAME_STRING(location), err) < 0 ||
        export_members(export, METADATA, "metadata_", sql_rows_text(rows, METADATA), export_json,
                       err) < 0 ||
        export_members(export, SCORES, "score_", sql_rows_text(rows, SCORES), score_value, err) < 0)
        return -1;
    return export_end_row(export, err);
}

static int read_samples(Export *export, SqlTx *tx, bool *ret_is_over, Error *err)
{
    auto_query Query query = {0};
    query_init(&query, export->sql);
    add_samples(export, &query);
    return export_rows(export, tx, &query, write_sample, ret_is_over, err);
}

const ExportSource export_samples = {.name = "samples",
                                     .columns = make_columns,
                                     .read = read_samples,
                                     .by_eval = true,
                                     .needs_survey = true};
