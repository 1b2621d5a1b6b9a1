/* hawk human eval start, hawk human eval ssh-command: an eval set that somebody takes, and how he
   gets into its sandbox. What the sandbox is called comes from the output of the job, which
   anything in it may write: only what is a harmless word becomes part of a command. */

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/process.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/settings.h"
#include "cli/submit.h"
#include "cli/watch.h"

enum {
    BODY_MAX = 32 << 20,
    TEXT_MAX = 64 << 10,
    PAUSE_MS = 3000,
    CHECK_S = 12,
    WORD_MAX = 255,
};

/* Who keys are for at the jump host. */
#define JUMP_USER "ssh-user"

typedef struct Options {
    const char *config;
    const char *id;
    const char *human;
    SubmitOptions submit;
    bool no_rewrite;
    double timeout_s;
    bool skip_verify;
} Options;

/* clang-format off */
static const OptRow start_rows[] = {
    {"human", 0, OPT_TEXT, offsetof(Options, human), "Who takes it, as registered", .metavar = "NAME"},
    {"no-rewrite", 0, OPT_FLAG, offsetof(Options, no_rewrite), "Take the config as it is, with its own agent, and add the key only"},
    SUBMIT_PLAIN_ROWS(Options, "medium"),
};
static const OptRow ssh_rows[] = {
    {"timeout", 0, OPT_REAL, offsetof(Options, timeout_s), "Seconds to wait for the sandbox", .fallback = "600", .min = 0, .max = 1000000},
    {"skip-verify", 0, OPT_FLAG, offsetof(Options, skip_verify), "Do not try whether the sandbox can be reached"},
    {"json", 0, OPT_FLAG, offsetof(Options, submit.json), "Print JSON"},
};
static const OptArg start_args[] = {
    {"CONFIG", OPT_FILE, offsetof(Options, config), "The eval set's YAML or JSON file; - is standard input"},
};
static const OptArg ssh_args[] = {
    {"EVAL_SET_ID", OPT_TEXT, offsetof(Options, id), "The eval set; default: the last one", .is_optional = true, .completer = "eval-sets"},
};
/* clang-format on */

/* ---- start ---- */

static int send_start(Cli *cli, const Options *options, const Json *document,
                      const SubmitSecrets *secrets, Json **ret, Error *err)
{
    auto_buf Buf body = BUF_INIT(BODY_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kvz(&out, "human", options->human);
    json_out_kv_node(&out, "eval_set_config", document);
    json_out_kv_bool(&out, "rewrite", !options->no_rewrite);
    submit_write_options(&options->submit, secrets, &out);
    json_out_end_object(&out);
    int failed = buf_check(&body, "the request", err);
    if (failed == 0)
        failed = api_post(cli, "/human_evals/", buf_str(&body), ret, err);
    mem_wipe(body.data, body.cap);
    return failed;
}

static int run_start(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    Jobspec *spec = NULL;
    SubmitSecrets secrets = {0};
    Json *answer = NULL;
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    if (!options->human)
        return error_set(err, ERR_USAGE, "--human is needed");
    if (submit_load(cli, options->config, JOBSPEC_EVAL_SET, true, &spec, err) < 0 ||
        submit_gather(cli, spec, &options->submit, &secrets, err) < 0 ||
        send_start(cli, options, submit_document(cli, spec), &secrets, &answer, err) < 0)
        return -1;
    Str id = json_text(answer, "eval_set_id", STR_NONE);
    if (id.n == 0)
        return error_set(err, ERR_BAD_DATA, "the server's answer has no eval_set_id");
    const char *eval_set_id = arena_strndup(cli->arena, id.p, id.n);
    settings_keep_id(cli, SETTINGS_EVAL_SET, eval_set_id);
    if (options->submit.json)
        return print_json(cli, answer, err);
    buf_printf(&text, "Eval set ID: %s\nHuman: %.*s\n", eval_set_id,
               STR_ARG(json_text(answer, "human", STR(""))));
    const char *url = submit_view_url(cli, JOBSPEC_EVAL_SET, eval_set_id);
    if (url)
        buf_printf(&text, "See your eval set log: %s\n", url);
    submit_add_monitor_url(cli, JOBSPEC_EVAL_SET, eval_set_id, &text);
    return print_text(cli, buf_str(&text), err);
}

/* ---- where the sandbox is ---- */

/* The last that was told; its strings are in the arena of the Cli. */
typedef struct Place {
    const char *user;
    const char *address;
    int64_t port;
} Place;

/* Whether a word means itself in a shell and is no option of ssh. */
static bool is_harmless(Str word, const char *others)
{
    if (word.n == 0 || word.n > WORD_MAX || word.p[0] == '-')
        return false;
    for (size_t i = 0; i < word.n; i++) {
        char c = word.p[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_plain && (c == '\0' || !strchr(others, c)))
            return false;
    }
    return true;
}

static Str next_word(Str *rest)
{
    Str word = STR_NONE;
    while (str_split(rest, ' ', &word))
        if (str_trim(word).n > 0)
            return str_trim(word);
    return STR_NONE;
}

/* "... SSH connection: ssh USER@ADDRESS -p PORT" */
static bool read_place(Cli *cli, Str line, Place *ret)
{
    static const Str mark = {"SSH connection:", sizeof("SSH connection:") - 1};
    ptrdiff_t at = str_find_str(line, mark);
    Str user = STR_NONE;
    int64_t port = 0;
    if (at < 0)
        return false;
    Str rest = str_slice(line, (size_t)at + mark.n, line.n);
    bool is_ssh = str_eqz(next_word(&rest), "ssh");
    Str address = next_word(&rest);
    bool has_port = str_eqz(next_word(&rest), "-p");
    if (!is_ssh || !has_port || !str_split(&address, '@', &user) || !is_harmless(user, "._-") ||
        !is_harmless(address, "._-:") || str_to_i64(next_word(&rest), 1, 65535, &port) < 0)
        return false;
    *ret = (Place){.user = arena_strndup(cli->arena, user.p, user.n),
                   .address = arena_strndup(cli->arena, address.p, address.n),
                   .port = port};
    return true;
}

/* Looks through all output so far, in memory that is given back. */
static int look(Cli *cli, const char *id, Place *ret, bool *ret_found, Error *err)
{
    auto_arena Arena *round = arena_new();
    auto_buf Buf path = BUF_INIT(TEXT_MAX);
    Arena *outer = cli->arena;
    Json *answer = NULL;
    api_add_job_path(&path, id, "logs");
    api_add_query(&path, "from_start", "true");
    api_add_query(&path, "sort", "asc");
    cli->arena = round;
    int failed = api_get_path(cli, &path, &answer, err);
    cli->arena = outer;
    if (failed < 0)
        return settings_no_job(id, err);
    const Json *entries = json_get(answer, "entries");
    for (const Json *entry = entries ? entries->first : NULL; entry; entry = entry->next)
        *ret_found = read_place(cli, json_text(entry, "message", STR("")), ret) || *ret_found;
    return 0;
}

static int is_over(const char *id, Error *err)
{
    (void)error_set(err, ERR_CONFLICT, "%s is over: its sandbox is gone", id);
    return error_fix(err, "'hawk human eval start' gives somebody another");
}

/* What was written while we asked whether it is over is looked at as well. */
static int wait_for_place(Cli *cli, const Options *options, const char *id, Place *ret, Error *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + (int64_t)(options->timeout_s * 1000);
    bool was_over = false;
    for (bool is_first = true;; is_first = false) {
        auto_error Error failure = ERROR_INIT;
        bool found = false;
        if (look(cli, id, ret, &found, &failure) < 0 && !api_may_pass(&failure))
            return error_move(err, &failure);
        if (found)
            return 0;
        if (was_over)
            return is_over(id, err);
        was_over = watch_job_is_over(cli, id);
        int64_t left_ms = deadline_ms - clock_monotonic_ms();
        if (left_ms <= 0)
            return error_set(err, ERR_TIMEOUT, "%s has not said within %.0f s how to log in", id,
                             options->timeout_s);
        if (is_first)
            cli_say(cli, "Waiting until %s says how to log in ...", id);
        if (!was_over)
            (void)usleep((useconds_t)(left_ms < PAUSE_MS ? left_ms : PAUSE_MS) * 1000);
    }
}

/* ---- whether it can be reached ---- */

/* An SSH server says first who it is; "ssh -W" brings that here, and asks the jump host for nothing
   else, so that it need not be known yet. What fails is told and no more: the place may be reached
   from elsewhere. */
static void verify(Cli *cli, const char *jump, const Place *place)
{
    auto_error Error problem = ERROR_INIT;
    auto_buf Buf said = BUF_INIT(TEXT_MAX);
    int status = 0;
    const char *const words[] = {
        "ssh",
        "-o",
        "BatchMode=yes",
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "LogLevel=ERROR",
        "-o",
        arena_printf(cli->arena, "ConnectTimeout=%d", CHECK_S),
        "-W",
        arena_printf(cli->arena, strchr(place->address, ':') ? "[%s]:%d" : "%s:%d", place->address,
                     (int)place->port),
        arena_printf(cli->arena, JUMP_USER "@%s", jump),
        NULL,
    };
    const ProcessOptions options = {.argv = words, PROCESS_STDIO_NULL};
    int failed = process_run(&options, CHECK_S * 1000, &said, &status, &problem);
    if (str_find_str(buf_str(&said), STR("SSH-2.0-")) >= 0)
        return;
    Str why = failed < 0 && problem.kind == ERR_NOT_FOUND ? str_of(error_text(&problem))
                                                          : str_trim(buf_str(&said));
    cli_warn(cli, "it was not found out whether the sandbox can be reached%s%.*s",
             why.n ? ": " : "", STR_ARG(why));
}

/* ---- ssh-command ---- */

/* The jump host of an eval set that somebody takes and that is not over; NULL: there is none. */
static int find_jump(Cli *cli, const char *id, const char **ret, Error *err)
{
    auto_buf Buf path = BUF_INIT(TEXT_MAX);
    Json *answer = NULL;
    buf_addz(&path, "/human_evals/");
    api_add_segment(&path, str_of(id));
    if (api_get_path(cli, &path, &answer, err) < 0)
        return settings_no_job(id, err);
    const Json *assignments = json_get(answer, "assignments");
    if (!assignments || !assignments->first)
        return error_set(err, ERR_NOT_FOUND, "nobody takes %s", id);
    if (!json_is_null(json_get(assignments->first, "completed_at")))
        return is_over(id, err);
    Str host = json_text(answer, "jumphost_host", STR_NONE);
    if (host.n > 0 && !is_harmless(host, "._-:"))
        return error_set(err, ERR_BAD_DATA, "the server's jump host is not the name of a host");
    *ret = host.n > 0 ? arena_strndup(cli->arena, host.p, host.n) : NULL;
    return 0;
}

static int print_place(Cli *cli, const char *jump, const Place *place, bool json, Error *err)
{
    const char *command = arena_printf(
        cli->arena, "ssh %s%s%s%s@%s -p %d", jump ? "-J " JUMP_USER "@" : "", jump ? jump : "",
        jump ? " " : "", place->user, place->address, (int)place->port);
    if (!json)
        return print_text(cli, str_of(arena_printf(cli->arena, "%s\n", command)), err);
    Json *result = json_new(cli->arena, JSON_OBJECT);
    json_set(result, STR("command"), json_new_str(cli->arena, str_of(command)));
    json_set(result, STR("jumphost_host"),
             jump ? json_new_str(cli->arena, str_of(jump)) : json_new(cli->arena, JSON_NULL));
    json_set(result, STR("user"), json_new_str(cli->arena, str_of(place->user)));
    json_set(result, STR("address"), json_new_str(cli->arena, str_of(place->address)));
    json_set(result, STR("port"), json_new_int(cli->arena, place->port));
    return print_json(cli, result, err);
}

static int run_ssh_command(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    const char *id = NULL;
    const char *jump = NULL;
    Place place = {0};
    if (settings_id(cli, SETTINGS_EVAL_SET, options->id, &id, err) < 0 ||
        find_jump(cli, id, &jump, err) < 0)
        return -1;
    settings_keep_id(cli, SETTINGS_EVAL_SET, id);
    if (wait_for_place(cli, options, id, &place, err) < 0)
        return -1;
    if (!jump)
        cli_say(cli, "There is no jump host: this works where the sandbox can be reached.");
    else if (!options->skip_verify)
        verify(cli, jump, &place);
    return print_place(cli, jump, &place, options->submit.json, err);
}

#define SPEC(opt_rows, opt_args)                                                                   \
    .spec = {.rows = (opt_rows),                                                                   \
             .n_rows = ARRAY_LEN(opt_rows),                                                        \
             .args = (opt_args),                                                                   \
             .n_args = ARRAY_LEN(opt_args),                                                        \
             .size = sizeof(Options)}

const Command commands_human_eval_start = {
    .path = "human eval start",
    .section = COMMAND_SYSTEM,
    .summary = "Submit an eval set that somebody takes",
    .description = "The server's agent for people takes the place of solvers and agents, and one "
                   "sample is taken once and without limits.",
    .examples = "hawk human eval start set.yaml --human ada",
    SPEC(start_rows, start_args),
    .run = run_start,
};

const Command commands_human_eval_ssh_command = {
    .path = "human eval ssh-command",
    .section = COMMAND_SYSTEM,
    .summary = "Print the command that logs in to its sandbox",
    .description = "Waits until the sandbox is there. The command goes through the deployment's "
                   "jump host, if it has one, and needs the private key of who takes the eval "
                   "set: load it with ssh-add.",
    .examples = "hawk human eval ssh-command",
    SPEC(ssh_rows, ssh_args),
    .run = run_ssh_command,
};
