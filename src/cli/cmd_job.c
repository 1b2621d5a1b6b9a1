/* hawk status, delete: one request each about one job. */

#include "base/clock.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/settings.h"

enum { PATH_MAX_BYTES = 4096, SECONDS_PER_HOUR = 3600 };

typedef struct StatusOptions {
    const char *id;
    int64_t hours;
    bool json;
} StatusOptions;

typedef struct DeleteOptions {
    const char *id;
    bool yes;
} DeleteOptions;

/* clang-format off */
static const OptRow status_rows[] = {
    {"hours", 0, OPT_INT, offsetof(StatusOptions, hours), "How far back logs are looked at", .fallback = "24", .min = 1},
    {"json", 0, OPT_FLAG, offsetof(StatusOptions, json), "Print JSON, as it does anyway"},
};
static const OptArg status_args[] = {
    {"JOB_ID", OPT_TEXT, offsetof(StatusOptions, id), "The job; default: the last one", .is_optional = true, .completer = "jobs"},
};
static const OptRow delete_rows[] = {
    {"yes", 'y', OPT_FLAG, offsetof(DeleteOptions, yes), "Do not ask; needs an id"},
};
static const OptArg delete_args[] = {
    {"JOB_ID", OPT_TEXT, offsetof(DeleteOptions, id), "The job; default: the last one", .is_optional = true, .completer = "jobs"},
};
/* clang-format on */

static int run_status(Cli *cli, const void *given, Error *err)
{
    const StatusOptions *options = given;
    const char *id = NULL;
    if (settings_id(cli, SETTINGS_JOB, options->id, &id, err) < 0)
        return -1;
    char since[CLOCK_TEXT_MAX];
    clock_format(clock_now_us() - options->hours * SECONDS_PER_HOUR * CLOCK_SECOND, since);
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    api_add_job_path(&path, id, "status");
    api_add_query(&path, "since", since);
    Json *answer = NULL;
    if (api_get_path(cli, &path, &answer, err) < 0)
        return settings_no_job(id, err);
    settings_keep_id(cli, SETTINGS_JOB, id);
    const Json *data = json_get(answer, "data");
    return print_json(cli, data ? data : answer, err);
}

/* Asks before something is deleted, saying what it is doing right now. */
static int confirm_delete(Cli *cli, const char *id, Error *err)
{
    if (!cli_may_ask(cli)) {
        (void)error_set(err, ERR_USAGE, "will not delete %s without being asked to", id);
        return error_fix(err, "run 'hawk delete %s --yes'", id);
    }
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    api_add_job_path(&path, id, "job-status");
    Json *status = NULL;
    auto_error Error ignored = ERROR_INIT;
    Str now = STR_NONE;
    if (api_get_path(cli, &path, &status, &ignored) == 0)
        now = json_text(status, "status", STR_NONE);
    bool is_import = str_starts(str_of(id), STR("imported-"));
    if (cli_ask(cli, false, "Delete %s%s%.*s%s%s?", id, now.n ? " (now " : "", STR_ARG(now),
                now.n ? ")" : "", is_import ? ", with all that was imported" : ""))
        return 0;
    return error_set(err, ERR_FAILED, "not deleted");
}

/* What an id may belong to, in the order that is tried. */
static const struct {
    const char *path;
    const char *name;
} kinds[] = {{"/eval_sets/", "Eval set"}, {"/scans/", "Scan"}};

static int delete_as(Cli *cli, size_t kind, const char *id, Error *err)
{
    Api *api = NULL;
    if (cli_api(cli, &api, err) < 0)
        return -1;
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    buf_addz(&path, kinds[kind].path);
    api_add_segment(&path, str_of(id));
    ApiCall call = {.method = "DELETE", .path = path.data};
    return api_send(api, &call, NULL, NULL, err);
}

static int run_delete(Cli *cli, const void *given, Error *err)
{
    const DeleteOptions *options = given;
    const char *id = NULL;
    if (options->yes && !options->id)
        return error_set(err, ERR_USAGE,
                         "--yes needs an id, so that nothing is deleted by mistake");
    if (settings_id(cli, SETTINGS_JOB, options->id, &id, err) < 0)
        return -1;
    if (!options->yes && confirm_delete(cli, id, err) < 0)
        return -1;
    for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++) {
        auto_error Error failure = ERROR_INIT;
        if (delete_as(cli, kind, id, &failure) == 0) {
            auto_buf Buf line = BUF_INIT(PATH_MAX_BYTES);
            buf_printf(&line, "%s %s deleted.\n", kinds[kind].name, id);
            return print_text(cli, buf_str(&line), err);
        }
        if (failure.kind != ERR_NOT_FOUND)
            return error_move(err, &failure);
    }
    return error_set(err, ERR_NOT_FOUND, "there is no job %s", id);
}

#define SPEC(opt_rows, opt_args, type)                                                             \
    .spec = {.rows = (opt_rows),                                                                   \
             .n_rows = ARRAY_LEN(opt_rows),                                                        \
             .args = (opt_args),                                                                   \
             .n_args = ARRAY_LEN(opt_args),                                                        \
             .size = sizeof(type)}

const Command commands_status = {
    .path = "status",
    .section = COMMAND_LOOK,
    .summary = "Print everything known about a job, as JSON",
    SPEC(status_rows, status_args, StatusOptions),
    .run = run_status,
};

const Command commands_delete = {
    .path = "delete",
    .section = COMMAND_RUN,
    .summary = "End a job and remove what it uses; its logs stay",
    .description = "What was imported is removed with its logs or results.",
    SPEC(delete_rows, delete_args, DeleteOptions),
    .run = run_delete,
};
