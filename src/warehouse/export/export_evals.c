/* Evals: a row is made from the header of a log as evals_df makes it from Inspect's EvalLog; see
   inspect_ai/analysis/_dataframe/evals of Inspect 0.3.285. */

#include "base/clock.h"
#include "codec/json_scan.h"
#include "codec/python_text.h"
#include "warehouse/export/export_priv.h"

enum { TEXT_MAX = 1 << 30 };

/* The parts of a header that columns look into. */
typedef enum Part {
    PART_ROOT,
    PART_EVAL,
    PART_REVISION,
    PART_SANDBOX,
    PART_DATASET,
    PART_CONFIG,
    PART_RESULTS,
    PART_ERROR,
    N_PARTS,
} Part;

typedef struct Header {
    Str parts[N_PARTS];
    Str location;
    Str id;
} Header;

/* clang-format off */
static const struct { Part of; const char *name; } part_places[N_PARTS] = {
    [PART_EVAL] = { PART_ROOT, "eval" },         [PART_REVISION] = { PART_EVAL, "revision" },
    [PART_SANDBOX] = { PART_EVAL, "sandbox" },   [PART_DATASET] = { PART_EVAL, "dataset" },
    [PART_CONFIG] = { PART_EVAL, "config" },     [PART_RESULTS] = { PART_ROOT, "results" },
    [PART_ERROR] = { PART_ROOT, "error" },
};
/* clang-format on */

/* The members of an object asked for by path; STR_NONE for what is missing or null. */
static Str member(Str object, const char *name)
{
    Str raw = STR_NONE;
    if (!object.p || !json_scan_get(object, name, &raw) || json_scan_kind_of(raw) == JSON_SCAN_NULL)
        return STR_NONE;
    return raw;
}

static void find_parts(Header *header)
{
    for (int i = PART_EVAL; i < N_PARTS; i++)
        header->parts[i] = member(header->parts[part_places[i].of], part_places[i].name);
}

typedef FrameValue Convert(Export *export, const Header *header, Str raw);

static FrameValue as_is(Export *export, const Header *header, Str raw)
{
    (void)header;
    return raw.p ? export_json(export, raw) : FRAME_NULL;
}

/* Fields that an EvalLog always has; a log that lacks them is read with these. */
static FrameValue or_zero(Export *export, const Header *header, Str raw)
{
    (void)header;
    return raw.p ? export_json(export, raw) : FRAME_INTEGER(0);
}

static FrameValue or_zero_of_results(Export *export, const Header *header, Str raw)
{
    return header->parts[PART_RESULTS].p ? or_zero(export, header, raw) : FRAME_NULL;
}

static FrameValue or_empty(Export *export, const Header *header, Str raw)
{
    (void)header;
    return raw.p ? export_json(export, raw) : FRAME_STRING(STR(""));
}

static FrameValue or_object(Export *export, const Header *header, Str raw)
{
    (void)header;
    return raw.p ? export_json(export, raw) : FRAME_STRING(STR("{}"));
}

static FrameValue eval_id(Export *export, const Header *header, Str raw)
{
    (void)raw;
    return FRAME_STRING(arena_str(export->row, header->id));
}

static FrameValue location(Export *export, const Header *header, Str raw)
{
    (void)raw;
    return FRAME_STRING(arena_str(export->row, header->location));
}

static FrameValue instant(Export *export, const Header *header, Str raw)
{
    (void)header;
    int64_t us = 0;
    Str text = STR_NONE;
    return raw.p && json_scan_str(raw, export->row, &text) && clock_parse(text, &us) == 0
               ? FRAME_INSTANT(us)
               : FRAME_NULL;
}

/* "pack/task" is "task". */
static FrameValue without_package(Export *export, const Header *header, Str raw)
{
    FrameValue value = as_is(export, header, raw);
    ptrdiff_t slash = value.kind == FRAME_TEXT ? str_find(value.text, '/') : -1;
    if (slash >= 0)
        value.text = str_slice(value.text, (size_t)slash + 1, value.text.n);
    return value;
}

static FrameValue display_name(Export *export, const Header *header, Str raw)
{
    return raw.p ? as_is(export, header, raw)
                 : without_package(export, header, member(header->parts[PART_EVAL], "task"));
}

/* Tags and metadata as later edits left them; logs without edits may have only those of the eval.
 */
static FrameValue tags(Export *export, const Header *header, Str raw)
{
    Str list = raw.p ? raw : member(header->parts[PART_EVAL], "tags");
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    JsonScan scan;
    json_scan_init(&scan, list.p ? list : STR("[]"), true);
    bool is_list = json_scan_array(&scan);
    while (is_list && json_scan_item(&scan)) {
        Str item = STR_NONE;
        if (!json_scan_skip(&scan, &item))
            break;
        buf_addz(&text, text.len > 0 ? "," : "");
        python_text_str(&text, item);
    }
    return FRAME_STRING(arena_str(export->row, buf_str(&text)));
}

static FrameValue metadata(Export *export, const Header *header, Str raw)
{
    return or_object(export, header, raw.p ? raw : member(header->parts[PART_EVAL], "metadata"));
}

typedef struct Column {
    const char *name;
    Part part;
    const char *member;
    Convert *convert;
} Column;

/* clang-format off */
static const Column columns_before[] = {
    { "eval_id",               PART_EVAL,     "eval_id",               eval_id },
    { "eval_set_id",           PART_EVAL,     "eval_set_id",           as_is },
    { "run_id",                PART_EVAL,     "run_id",                or_empty },
    { "task_id",               PART_EVAL,     "task_id",               or_empty },
    { "log",                   PART_ROOT,     "location",              location },
    { "created",               PART_EVAL,     "created",               instant },
    { "tags",                  PART_ROOT,     "tags",                  tags },
    { "git_origin",            PART_REVISION, "origin",                as_is },
    { "git_commit",            PART_REVISION, "commit",                as_is },
    { "packages",              PART_EVAL,     "packages",              or_object },
    { "metadata",              PART_ROOT,     "metadata",              metadata },
    { "task_name",             PART_EVAL,     "task",                  without_package },
    { "task_display_name",     PART_EVAL,     "task_display_name",     display_name },
    { "task_description",      PART_EVAL,     "task_description",      as_is },
    { "task_version",          PART_EVAL,     "task_version",          or_zero },
    { "task_file",             PART_EVAL,     "task_file",             as_is },
    { "task_attribs",          PART_EVAL,     "task_attribs",          or_object },
    { "solver",                PART_EVAL,     "solver",                as_is },
    { "solver_args",           PART_EVAL,     "solver_args",           as_is },
    { "sandbox_type",          PART_SANDBOX,  "type",                  as_is },
    { "sandbox_config",        PART_SANDBOX,  "config",                as_is },
    { "model",                 PART_EVAL,     "model",                 as_is },
    { "model_base_url",        PART_EVAL,     "model_base_url",        as_is },
    { "model_args",            PART_EVAL,     "model_base_url",        as_is }, /* so it is in Inspect */
    { "model_generate_config", PART_EVAL,     "model_generate_config", or_object },
    { "model_roles",           PART_EVAL,     "model_roles",           as_is },
    { "dataset_name",          PART_DATASET,  "name",                  as_is },
    { "dataset_location",      PART_DATASET,  "location",              as_is },
    { "dataset_samples",       PART_DATASET,  "samples",               as_is },
    { "dataset_sample_ids",    PART_DATASET,  "sample_ids",            as_is },
    { "dataset_shuffled",      PART_DATASET,  "shuffled",              as_is },
    { "epochs",                PART_CONFIG,   "epochs",                as_is },
    { "epochs_reducer",        PART_CONFIG,   "epochs_reducer",        as_is },
    { "approval",              PART_CONFIG,   "approval",              as_is },
    { "review",                PART_CONFIG,   "review",                as_is },
    { "sentinel",              PART_CONFIG,   "sentinel",              as_is },
    { "message_limit",         PART_CONFIG,   "message_limit",         as_is },
    { "token_limit",           PART_CONFIG,   "token_limit",           as_is },
    { "token_limit_type",      PART_CONFIG,   "token_limit_type",      as_is },
    { "turn_limit",            PART_CONFIG,   "turn_limit",            as_is },
    { "time_limit",            PART_CONFIG,   "time_limit",            as_is },
    { "working_limit",         PART_CONFIG,   "working_limit",         as_is },
    { "status",                PART_ROOT,     "status",                as_is },
    { "error_message",         PART_ERROR,    "message",               as_is },
    { "error_traceback",       PART_ERROR,    "traceback",             as_is },
    { "total_samples",         PART_RESULTS,  "total_samples",         or_zero_of_results },
    { "completed_samples",     PART_RESULTS,  "completed_samples",     or_zero_of_results },
};

static const char *const headline_columns[] = {
    "score_headline_name", "score_headline_score", "score_headline_metric", "score_headline_value",
    "score_headline_stderr",
};
/* clang-format on */

enum { RANK_STEP = 2, HEADLINE_RANK = 1000, SCORES_RANK = 2000 };

/* task_arg_* stand between task_attribs and solver, hence the step. */
static int rank_of(size_t i)
{
    return (int)i * RANK_STEP;
}

static int rank_of_task_args(void)
{
    for (size_t i = 0; i < ARRAY_LEN(columns_before); i++)
        if (strcmp(columns_before[i].name, "solver") == 0)
            return rank_of(i) - 1;
    return 0;
}

static int make_columns(Export *export, Error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(columns_before); i++)
        if (export_column(export, rank_of(i), columns_before[i].name, FRAME_NONE, err) < 0)
            return -1;
    for (size_t i = 0; i < ARRAY_LEN(headline_columns); i++)
        if (export_column(export, HEADLINE_RANK + (int)i, headline_columns[i], FRAME_NONE, err) < 0)
            return -1;
    return 0;
}

/* --- scores of an eval --- */

typedef struct Score {
    Str name;
    Str scorer;
    Str reducer;
    Str metrics; /* JSON object, or STR_NONE */
} Score;

typedef struct Scores {
    Score *items;
    size_t n;
} Scores;

static Str text_of(Export *export, Str object, const char *name)
{
    Str raw = member(object, name);
    Str text = STR_NONE;
    return raw.p && json_scan_str(raw, export->row, &text) ? text : STR_NONE;
}

static Scores read_scores(Export *export, const Header *header)
{
    Scores scores = {0};
    JsonScan scan;
    Str list = member(header->parts[PART_RESULTS], "scores");
    Str item = STR_NONE;
    for (int pass = 0; pass < 2; pass++) {
        scores.n = 0;
        json_scan_init(&scan, list.p ? list : STR("[]"), true);
        if (!json_scan_array(&scan))
            return (Scores){0};
        while (json_scan_item(&scan) && json_scan_skip(&scan, &item)) {
            if (scores.items)
                scores.items[scores.n] = (Score){.name = text_of(export, item, "name"),
                                                 .scorer = text_of(export, item, "scorer"),
                                                 .reducer = text_of(export, item, "reducer"),
                                                 .metrics = member(item, "metrics")};
            scores.n++;
        }
        if (!scores.items)
            scores.items = arena_array(export->row, scores.n + 1, sizeof(*scores.items));
    }
    return scores;
}

/* The first metric, or the one of that name; STR_NONE when there is none. */
static Str find_metric(Export *export, Str metrics, Str name, Str *ret_name)
{
    JsonScan scan;
    Str key = STR_NONE;
    Str raw = STR_NONE;
    json_scan_init(&scan, metrics.p ? metrics : STR("{}"), true);
    if (!json_scan_object(&scan))
        return STR_NONE;
    while (json_scan_member(&scan, &key) && json_scan_skip(&scan, &raw)) {
        Str found = STR_NONE;
        if (!json_scan_key_str(key, export->row, &found))
            continue;
        if (name.p && !str_eq(found, name))
            continue;
        *ret_name = arena_str(export->row, found);
        return raw;
    }
    return STR_NONE;
}

/* How many scores have a metric of this name under this score's name. */
static size_t n_alike(Export *export, const Scores *scores, Str score, Str metric)
{
    size_t n = 0;
    Str name = STR_NONE;
    for (size_t i = 0; i < scores->n; i++)
        n += str_eq(scores->items[i].name, score) &&
             find_metric(export, scores->items[i].metrics, metric, &name).p;
    return n;
}

static int put_metric(Export *export, const Scores *scores, const Score *score, Str metric, Str raw,
                      Error *err)
{
    bool is_ambiguous = score->reducer.p && n_alike(export, scores, score->name, metric) > 1;
    const char *column = arena_printf(
        export->row, "score_%.*s%s%.*s_%.*s", STR_ARG(score->name), is_ambiguous ? "_" : "",
        STR_ARG(is_ambiguous ? score->reducer : STR("")), STR_ARG(metric));
    return export_put(export, SCORES_RANK, str_of(column),
                      export_json(export, member(raw, "value")), err);
}

static int put_scores(Export *export, const Scores *scores, Error *err)
{
    for (size_t i = 0; i < scores->n; i++) {
        const Score *score = &scores->items[i];
        JsonScan scan;
        Str key = STR_NONE;
        Str raw = STR_NONE;
        json_scan_init(&scan, score->metrics.p ? score->metrics : STR("{}"), true);
        if (!json_scan_object(&scan))
            continue;
        while (json_scan_member(&scan, &key) && json_scan_skip(&scan, &raw)) {
            Str metric = STR_NONE;
            if (json_scan_key_str(key, export->row, &metric) &&
                put_metric(export, scores, score, metric, raw, err) < 0)
                return -1;
        }
    }
    return 0;
}

/* --- the headline: inspect_ai/log/_headline.py --- */

typedef struct Headline {
    const Score *score;
    Str metric_name;
    Str metric; /* JSON object */
} Headline;

static bool first_metric(Export *export, const Score *score, Str name, Headline *ret)
{
    Str metric_name = STR_NONE;
    Str metric = find_metric(export, score->metrics, name, &metric_name);
    if (!metric.p)
        return false;
    *ret = (Headline){score, metric_name, metric};
    return true;
}

static bool is_candidate(const Score *score, Str reducer, Str scorer, Str name)
{
    return (!reducer.p || (score->reducer.p && str_eq(score->reducer, reducer))) &&
           (!scorer.p || (score->scorer.p && str_eq(score->scorer, scorer))) &&
           (!name.p || (score->name.p && str_eq(score->name, name)));
}

static bool resolve_declared(Export *export, const Scores *scores, Str declared, Headline *ret)
{
    Str reducer = text_of(export, declared, "reducer");
    Str scorer = text_of(export, declared, "scorer");
    Str name = text_of(export, declared, "score");
    Str metric = text_of(export, declared, "metric");
    for (size_t i = 0; i < scores->n; i++) {
        if (!is_candidate(&scores->items[i], reducer, scorer, name))
            continue;
        if (first_metric(export, &scores->items[i], metric, ret))
            return true;
        if (!metric.p)
            return false;
    }
    return false;
}

static bool find_headline(Export *export, const Header *header, const Scores *scores, Headline *ret)
{
    Str declared = member(header->parts[PART_RESULTS], "headline");
    if (!declared.p)
        declared = member(header->parts[PART_EVAL], "headline_metric");
    if (scores->n == 0)
        return false;
    if (declared.p && resolve_declared(export, scores, declared, ret))
        return true;
    return first_metric(export, &scores->items[0], STR_NONE, ret);
}

static int put_headline(Export *export, const Header *header, const Scores *scores, Error *err)
{
    Headline headline = {0};
    FrameValue values[ARRAY_LEN(headline_columns)] = {0};
    if (find_headline(export, header, scores, &headline)) {
        double stderr_value = 0;
        Str name = STR_NONE;
        Str stderr_metric = find_metric(export, headline.score->metrics, STR("stderr"), &name);
        values[0] = FRAME_STRING(headline.score->scorer);
        values[1] = FRAME_STRING(headline.score->name);
        values[2] = FRAME_STRING(headline.metric_name);
        values[3] = export_json(export, member(headline.metric, "value"));
        if (stderr_metric.p && json_scan_double(member(stderr_metric, "value"), &stderr_value))
            values[4] = FRAME_NUMBER(stderr_value);
    }
    for (size_t i = 0; i < ARRAY_LEN(headline_columns); i++)
        if (export_put(export, HEADLINE_RANK + (int)i, str_of(headline_columns[i]), values[i],
                       err) < 0)
            return -1;
    return 0;
}

/* --- rows --- */

static int write_eval(Export *export, Str json, Error *err)
{
    Header header = {.parts = {[PART_ROOT] = json},
                     .location = buf_str(&export->eval.location),
                     .id = buf_str(&export->eval.id)};
    find_parts(&header);
    for (size_t i = 0; i < ARRAY_LEN(columns_before); i++) {
        const Column *column = &columns_before[i];
        Str raw = member(header.parts[column->part], column->member);
        if (export_put(export, rank_of(i), str_of(column->name),
                       column->convert(export, &header, raw), err) < 0)
            return -1;
    }
    Scores scores = read_scores(export, &header);
    Str args = member(header.parts[PART_EVAL], "task_args");
    if (export_members(export, rank_of_task_args(), "task_arg_", args, export_json, err) < 0 ||
        put_headline(export, &header, &scores, err) < 0 || put_scores(export, &scores, err) < 0)
        return -1;
    return export_end_row(export, err);
}

/* The eval at hand. */
static int read_eval(Export *export, SqlTx *tx, bool *ret_is_over, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    *ret_is_over = true;
    if (sql_query(tx, "SELECT header FROM eval WHERE pk = $1",
                  SQL_ARGS(SQL_TEXT(buf_str(&export->eval.pk))), &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row <= 0)
        return has_row;
    Str json = sql_rows_text(rows, 0);
    return write_eval(export, json.p ? json : STR("{}"), err);
}

const ExportSource export_evals = {.name = "evals",
                                   .columns = make_columns,
                                   .read = read_eval,
                                   .by_eval = true,
                                   .needs_survey = true};
