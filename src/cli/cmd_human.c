/* hawk human register, list, update, delete: people who take evaluations themselves. */

#include "base/fs.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/rows.h"
#include "codec/json_out.h"

enum { PATH_MAX_BYTES = 4096, KEY_MAX = 64 << 10, BODY_MAX = 256 << 10 };

typedef struct Options {
    const char *name;
    const char *key;
    const char *format;
    bool force;
    bool json;
} Options;

/* clang-format off */
#define KEY_ROW  {"ssh-key", 0, OPT_TEXT, offsetof(Options, key), "The public key, or a file that it is in", .metavar = "KEY"}
#define JSON_ROW {"json", 0, OPT_FLAG, offsetof(Options, json), "Print JSON"}

static const OptRow register_rows[] = {
    {"name", 0, OPT_TEXT, offsetof(Options, name), "Lower-case letters, digits and hyphens", .metavar = "NAME"},
    KEY_ROW,
    JSON_ROW,
};
static const OptRow list_rows[] = {
    ROWS_FORMAT_ROW(Options, format),
    JSON_ROW,
};
static const OptRow update_rows[] = {
    KEY_ROW,
    JSON_ROW,
};
static const OptRow delete_rows[] = {
    {"force", 0, OPT_FLAG, offsetof(Options, force), "Even when evaluations wait for them"},
};
static const OptArg name_args[] = {
    {"NAME", OPT_TEXT, offsetof(Options, name), "Who"},
};
/* clang-format on */

static int missing(const char *option, Error *err)
{
    return error_set(err, ERR_USAGE, "%s is needed", option);
}

/* The key itself, or the first line of a file. */
static int read_key(Cli *cli, const char *given, Str *ret, Error *err)
{
    auto_buf Buf text = BUF_INIT(KEY_MAX);
    if (!given)
        return missing("--ssh-key", err);
    *ret = str_trim(str_of(given));
    if (str_find(*ret, ' ') >= 0 || !fs_exists(given))
        return 0;
    if (fs_read_file(given, &text, err) < 0)
        return -1;
    if (str_find_str(buf_str(&text), STR("PRIVATE KEY")) >= 0) {
        (void)error_set(err, ERR_USAGE, "%s is a private key", given);
        return error_fix(err, "name the public one, mostly the same file with .pub behind it");
    }
    *ret = arena_str(cli->arena, str_trim(buf_str(&text)));
    return 0;
}

/* Sends a person's entry, or a question about one, and reads the answer, if there is one. */
static int ask(Cli *cli, const char *method, const Options *options, Str key, Json **ret,
               Error *err)
{
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    auto_buf Buf body = BUF_INIT(BODY_MAX);
    auto_buf Buf answer = BUF_INIT(API_ANSWER_MAX);
    Api *api = NULL;
    bool is_new = str_eqz(STR("POST"), method);
    JsonOut out;
    buf_addz(&path, "/humans/");
    if (!is_new)
        api_add_segment(&path, str_of(options->name));
    if (options->force)
        api_add_query(&path, "force", "true");
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    if (is_new)
        json_out_kvz(&out, "name", options->name);
    json_out_kv_str(&out, "ssh_public_key", key);
    json_out_end_object(&out);
    const ApiCall call = {
        .method = method, .path = path.data, .body = key.p ? buf_str(&body) : STR_NONE};
    if (cli_api(cli, &api, err) < 0 || api_send(api, &call, &answer, NULL, err) < 0)
        return -1;
    return ret ? api_parse(cli->arena, buf_str(&answer), ret, err) : 0;
}

static int report(Cli *cli, const Options *options, const char *what, const Json *answer,
                  Error *err)
{
    if (options->json)
        return print_json(cli, answer, err);
    cli_say(cli, "%s %s.", options->name, what);
    return 0;
}

static int run_register(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    Str key = STR_NONE;
    Json *answer = NULL;
    if (!options->name)
        return missing("--name", err);
    if (read_key(cli, options->key, &key, err) < 0 ||
        ask(cli, "POST", options, key, &answer, err) < 0)
        return -1;
    return report(cli, options, "is registered", answer, err);
}

static int run_update(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    Str key = STR_NONE;
    Json *answer = NULL;
    if (read_key(cli, options->key, &key, err) < 0 ||
        ask(cli, "PUT", options, key, &answer, err) < 0)
        return -1;
    return report(cli, options, "has another key", answer, err);
}

static int run_delete(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    if (ask(cli, "DELETE", options, STR_NONE, NULL, err) < 0)
        return -1;
    return report(cli, options, "is forgotten", NULL, err);
}

static int run_list(Cli *cli, const void *given, Error *err)
{
    static const char *const names[] = {"Name", "Key", "Registered"};
    const Options *options = given;
    Json *answer = NULL;
    bool is_done = false;
    if (api_get(cli, "/humans/", &answer, err) < 0)
        return -1;
    if (options->json)
        return print_json(cli, answer, err);
    if (rows_print(cli, options->format, answer, "HumanListItem", &is_done, err) < 0 || is_done)
        return is_done ? 0 : -1;
    auto_table Table *table = table_new(names, ARRAY_LEN(names));
    for (const Json *human = answer->first; human; human = human->next) {
        table_add(table, json_text(human, "name", STR("")));
        table_add(table, json_text(human, "ssh_public_key_fingerprint", STR("")));
        table_addz(table, print_time(cli->arena, json_text(human, "created_at", STR(""))));
    }
    return print_table(cli, table, err);
}

#define SPEC(opt_rows)                                                                             \
    .spec = {.rows = (opt_rows), .n_rows = ARRAY_LEN(opt_rows), .size = sizeof(Options)}
#define SPEC_NAMED(opt_rows)                                                                       \
    .spec = {.rows = (opt_rows),                                                                   \
             .n_rows = ARRAY_LEN(opt_rows),                                                        \
             .args = name_args,                                                                    \
             .n_args = ARRAY_LEN(name_args),                                                       \
             .size = sizeof(Options)}

const Command commands_human_register = {
    .path = "human register",
    .section = COMMAND_SYSTEM,
    .summary = "Register somebody who takes evaluations",
    .examples = "hawk human register --name ada --ssh-key ~/.ssh/id_ed25519.pub",
    SPEC(register_rows),
    .run = run_register,
};

const Command commands_human_list = {
    .path = "human list",
    .section = COMMAND_SYSTEM,
    .summary = "List who is registered",
    SPEC(list_rows),
    .run = run_list,
};

const Command commands_human_update = {
    .path = "human update",
    .section = COMMAND_SYSTEM,
    .summary = "Give somebody another key",
    SPEC_NAMED(update_rows),
    .run = run_update,
};

const Command commands_human_delete = {
    .path = "human delete",
    .section = COMMAND_SYSTEM,
    .summary = "Forget somebody who was registered",
    SPEC_NAMED(delete_rows),
    .run = run_delete,
};
