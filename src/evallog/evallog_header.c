/* The header's text into the record of what it says. */

#include <stddef.h>

#include "evallog/evallog_id.h"
#include "evallog/evallog_priv.h"

enum { EVAL_ID_MAX = 256 };

/* Values that are only stations on the way to others. */
typedef struct Stations {
    Str status;
    Str error;
    Str log_tags;
    Str dataset;
    Str sandbox;
    Str steps;
    int64_t max_messages;
    Str solver;
} Stations;

/* Both, so that one pass over an object finds what it has for either. */
typedef struct Whole {
    EvalLogHeader header;
    Stations stations;
} Whole;

/* clang-format off */
#define HEADER(member) offsetof(Whole, header.member)
#define STATION(member) offsetof(Whole, stations.member)

static const EvalLogField top_fields[] = {
    { "version",     EVALLOG_INT,  HEADER(version) },
    { "invalidated", EVALLOG_BOOL, HEADER(invalidated) },
    { "eval",        EVALLOG_RAW,  HEADER(eval_raw) },
    { "plan",        EVALLOG_RAW,  HEADER(plan) },
    { "results",     EVALLOG_RAW,  HEADER(results) },
    { "stats",       EVALLOG_RAW,  HEADER(stats) },
    { "status",      EVALLOG_TEXT, STATION(status) },
    { "error",       EVALLOG_RAW,  STATION(error) },
    { "tags",        EVALLOG_RAW,  STATION(log_tags) },
};
static const EvalLogField error_fields[] = {
    { "message",   EVALLOG_TEXT, HEADER(error_message) },
    { "traceback", EVALLOG_TEXT, HEADER(error_traceback) },
};
static const EvalLogField eval_fields[] = {
    { "eval_id",               EVALLOG_TEXT, HEADER(eval_id) },
    { "run_id",                EVALLOG_TEXT, HEADER(run_id) },
    { "created",               EVALLOG_TIME, HEADER(created_us) },
    { "task",                  EVALLOG_TEXT, HEADER(task) },
    { "task_id",               EVALLOG_TEXT, HEADER(task_id) },
    { "task_version",          EVALLOG_NAME, HEADER(task_version) },
    { "task_file",             EVALLOG_TEXT, HEADER(task_file) },
    { "task_display_name",     EVALLOG_TEXT, HEADER(task_display_name) },
    { "task_args",             EVALLOG_RAW,  HEADER(task_args) },
    { "tags",                  EVALLOG_RAW,  HEADER(tags) },
    { "model",                 EVALLOG_TEXT, HEADER(model) },
    { "model_base_url",        EVALLOG_TEXT, HEADER(model_base_url) },
    { "model_generate_config", EVALLOG_RAW,  HEADER(model_generate_config) },
    { "model_args",            EVALLOG_RAW,  HEADER(model_args) },
    { "model_roles",           EVALLOG_RAW,  HEADER(model_roles) },
    { "packages",              EVALLOG_RAW,  HEADER(packages) },
    { "metadata",              EVALLOG_RAW,  HEADER(metadata) },
    { "eval_set_id",           EVALLOG_TEXT, HEADER(own_eval_set_id) },
    { "config",                EVALLOG_RAW,  HEADER(config) },
    { "dataset",               EVALLOG_RAW,  STATION(dataset) },
    { "sandbox",               EVALLOG_RAW,  STATION(sandbox) },
};
static const EvalLogField dataset_fields[] = {
    { "name",     EVALLOG_TEXT, HEADER(dataset_name) },
    { "location", EVALLOG_TEXT, HEADER(dataset_location) },
    { "samples",  EVALLOG_INT,  HEADER(dataset_samples) },
};
static const EvalLogField sandbox_fields[] = {
    { "type",   EVALLOG_TEXT, HEADER(sandbox_type) },
    { "config", EVALLOG_RAW,  HEADER(sandbox_config) },
};
static const EvalLogField packages_fields[] = {
    { "inspect_ai", EVALLOG_TEXT, HEADER(inspect_version) },
};
static const EvalLogField metadata_fields[] = {
    { "eval_set_id", EVALLOG_TEXT, HEADER(eval_set_id) },
    { "created_by",  EVALLOG_TEXT, HEADER(created_by) },
};
static const EvalLogField config_fields[] = {
    { "epochs",        EVALLOG_INT,  HEADER(epochs) },
    { "message_limit", EVALLOG_INT,  HEADER(message_limit) },
    { "token_limit",   EVALLOG_INT,  HEADER(token_limit) },
    { "time_limit",    EVALLOG_REAL, HEADER(time_limit) },
    { "working_limit", EVALLOG_INT,  HEADER(working_limit) },
    { "cost_limit",    EVALLOG_REAL, HEADER(cost_limit) },
    { "max_messages",  EVALLOG_INT,  STATION(max_messages) },
};
static const EvalLogField plan_fields[] = {
    { "name",  EVALLOG_TEXT, HEADER(plan_name) },
    { "steps", EVALLOG_RAW,  STATION(steps) },
};
static const EvalLogField step_stations[] = {
    { "solver", EVALLOG_TEXT, STATION(solver) },
};
static const EvalLogField results_fields[] = {
    { "total_samples",     EVALLOG_INT, HEADER(total_samples) },
    { "completed_samples", EVALLOG_INT, HEADER(completed_samples) },
};
static const EvalLogField stats_fields[] = {
    { "started_at",   EVALLOG_TIME, HEADER(started_us) },
    { "completed_at", EVALLOG_TIME, HEADER(completed_us) },
    { "model_usage",  EVALLOG_RAW,  HEADER(model_usage) },
};
/* clang-format on */

static const char *const status_names[] = {
    [EVALLOG_STARTED] = "started",
    [EVALLOG_SUCCESS] = "success",
    [EVALLOG_CANCELLED] = "cancelled",
    [EVALLOG_ERROR] = "error",
};

#define FILL(log, raw, table, whole)                                                               \
    evallog_fill((raw), (table), ARRAY_LEN(table), (log)->arena, (whole), err)

static int parse_status(const EvalLog *log, Str text, EvalLogStatus *ret, Error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(status_names); i++) {
        if (str_eqz(text, status_names[i])) {
            *ret = (EvalLogStatus)i;
            return 0;
        }
    }
    if (!text.p)
        return error_set(err, ERR_BAD_DATA, "%s: the header has no status", log->source->name);
    return error_set(err, ERR_BAD_DATA, "%s: the header has an unknown status", log->source->name);
}

/* {"type", "config"}, [type, config] or only the type, as older logs have it. */
static int parse_sandbox(EvalLog *log, Str raw, Whole *whole, Error *err)
{
    EvalLogHeader *header = &whole->header;
    if (FILL(log, raw, sandbox_fields, whole) < 0)
        return -1;
    if (json_scan_kind_of(raw) == JSON_SCAN_STRING)
        (void)json_scan_str(raw, log->arena, &header->sandbox_type);
    if (json_scan_kind_of(raw) != JSON_SCAN_ARRAY)
        return 0;
    JsonScan scan;
    json_scan_init(&scan, raw, true);
    json_scan_array(&scan);
    for (size_t i = 0; json_scan_item(&scan); i++) {
        Str item;
        if (!json_scan_skip(&scan, &item))
            break;
        if (i == 0)
            (void)json_scan_str(item, log->arena, &header->sandbox_type);
        else if (i == 1 && json_scan_kind_of(item) != JSON_SCAN_NULL)
            header->sandbox_config = item;
    }
    return 0;
}

/* The plan's name, or its solvers when it has only the name that every plan has. */
static int parse_agent(EvalLog *log, Str steps, Whole *whole, Error *err)
{
    EvalLogHeader *header = &whole->header;
    header->agent = header->plan_name;
    if (header->plan_name.p && !str_eqz(header->plan_name, "plan"))
        return 0;
    if (!header->plan_name.p)
        header->plan_name = STR("plan");
    auto_buf Buf names = BUF_INIT(EVALLOG_HEADER_MAX);
    JsonScan scan;
    json_scan_init(&scan, steps, true);
    bool has_items = json_scan_kind_of(steps) == JSON_SCAN_ARRAY && json_scan_array(&scan);
    while (has_items && json_scan_item(&scan)) {
        Str step;
        if (!json_scan_skip(&scan, &step))
            break;
        if (FILL(log, step, step_stations, whole) < 0)
            return -1;
        if (names.len > 0)
            buf_addc(&names, ',');
        buf_add_str(&names, whole->stations.solver);
    }
    header->agent = arena_str(log->arena, buf_str(&names));
    return 0;
}

static int parse_eval(EvalLog *log, Whole *whole, Error *err)
{
    EvalLogHeader *header = &whole->header;
    const Stations *stations = &whole->stations;
    if (json_scan_kind_of(header->eval_raw) != JSON_SCAN_OBJECT)
        return error_set(err, ERR_BAD_DATA, "%s: the header has no eval", log->source->name);
    if (FILL(log, header->eval_raw, eval_fields, whole) < 0 ||
        FILL(log, stations->dataset, dataset_fields, whole) < 0 ||
        parse_sandbox(log, stations->sandbox, whole, err) < 0 ||
        FILL(log, header->packages, packages_fields, whole) < 0 ||
        FILL(log, header->metadata, metadata_fields, whole) < 0 ||
        FILL(log, header->config, config_fields, whole) < 0)
        return -1;
    if (header->eval_id.n == 0 && header->run_id.n > 0 && header->created_us != EVALLOG_NONE)
        header->eval_id =
            evallog_id_of(header->run_id, header->task_id, header->created_us, log->arena);
    if (header->eval_id.n > EVAL_ID_MAX)
        return error_set(err, ERR_BAD_DATA, "%s: the eval's id is over the limit of %d bytes",
                         log->source->name, EVAL_ID_MAX);
    if (header->message_limit == EVALLOG_NONE)
        header->message_limit = stations->max_messages;
    if (!header->task_version.p)
        header->task_version = STR("0");
    return 0;
}

int evallog_parse_header(EvalLog *log, Error *err)
{
    Whole whole = {0};
    EvalLogHeader *header = &whole.header;
    header->raw = str_trim(buf_str(&log->header_text));
    if (json_scan_kind_of(header->raw) != JSON_SCAN_OBJECT)
        return error_set(err, ERR_BAD_DATA, "%s: the header is no object", log->source->name);
    if (FILL(log, header->raw, top_fields, &whole) < 0)
        return error_wrap(err, "%s: header", log->source->name);
    if (parse_status(log, whole.stations.status, &header->status, err) < 0 ||
        parse_eval(log, &whole, err) < 0)
        return -1;
    if (FILL(log, whole.stations.error, error_fields, &whole) < 0 ||
        FILL(log, header->plan, plan_fields, &whole) < 0 ||
        parse_agent(log, whole.stations.steps, &whole, err) < 0 ||
        FILL(log, header->results, results_fields, &whole) < 0 ||
        FILL(log, header->stats, stats_fields, &whole) < 0)
        return -1;
    if (whole.stations.log_tags.p)
        header->tags = whole.stations.log_tags;
    if (header->total_samples < 0)
        header->total_samples = 0;
    if (header->completed_samples < 0)
        header->completed_samples = 0;
    log->header = *header;
    return 0;
}

const char *evallog_status_name(EvalLogStatus status)
{
    return status_names[status];
}
