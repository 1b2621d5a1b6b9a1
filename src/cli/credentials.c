/* Two places with one content, a JSON object. The Secret Service is reached through secret-tool,
   which takes the secret on its standard input. */

#include "cli/credentials.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/process.h"
#include "cli/settings.h"
#include "codec/json_out.h"

enum {
    TEXT_MAX = 256 << 10,
    TOOL_TIMEOUT_MS = 10 * 1000,
    LOCK_WAIT_MS = 30 * 1000,
    LOCK_POLL_MS = 50,
};

typedef enum Place { PLACE_ANY, PLACE_KEYRING, PLACE_FILE } Place;

static int find_place(Cli *cli, Place *ret, Error *err)
{
    Setting setting = {0};
    if (setting_find(cli, "HAWK_CREDENTIALS", &setting, err) < 0)
        return -1;
    Str value = str_of(setting.value);
    if (!value.p)
        *ret = PLACE_ANY;
    else if (str_eqz(value, "keyring"))
        *ret = PLACE_KEYRING;
    else if (str_eqz(value, "file"))
        *ret = PLACE_FILE;
    else
        return error_set(err, ERR_USAGE, "HAWK_CREDENTIALS (%s) must be keyring or file",
                         setting.origin);
    return 0;
}

static const char *data_path(Cli *cli, const char *name)
{
    auto_free char *folder = fs_xdg("XDG_DATA_HOME", ".local/share");
    return arena_printf(cli->arena, "%s%s%s", folder, name ? "/" : "", name ? name : "");
}

/* The server is a part of it: any server may claim the issuer and client of another, and a file
   .env may name any server. */
static const char *account_of(Cli *cli, const Provider *provider)
{
    return arena_printf(cli->arena, "%s %s %s", provider->issuer, provider->client_id,
                        provider->api_url);
}

/* --- the file: an object with a member per account --- */

static int read_file(Cli *cli, Json **ret, Error *err)
{
    const char *path = data_path(cli, "credentials.json");
    *ret = json_new(cli->arena, JSON_OBJECT);
    if (!fs_exists(path))
        return 0;
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    if (fs_read_file(path, &text, err) < 0)
        return -1;
    Json *all = NULL;
    Str kept = arena_str(cli->arena, buf_str(&text));
    mem_wipe(text.data, text.cap);
    if (json_parse(cli->arena, kept, &json_limits_config, &all, err) < 0)
        return error_wrap(err, "%s", path);
    if (all->type == JSON_OBJECT)
        *ret = all;
    return 0;
}

static int write_file(Cli *cli, const Json *all, Error *err)
{
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    json_out_node(&out, all);
    int rc = buf_check(&text, "the file of logins", err);
    if (rc == 0)
        rc = fs_make_dirs(data_path(cli, NULL), 0700, err);
    if (rc == 0)
        rc = fs_write_file(data_path(cli, "credentials.json"), buf_str(&text), 0600, err);
    mem_wipe(text.data, text.cap);
    return rc;
}

/* --- the Secret Service --- */

/* Runs secret-tool; input goes to its standard input, its output is appended. */
static int run_tool(const char *const *argv, Str input, Buf *output, int *ret_status, Error *err)
{
    auto_process Process tool = PROCESS_INIT;
    const ProcessOptions options = {
        .argv = argv, .in = PROCESS_PIPE, .out = PROCESS_PIPE, .err = PROCESS_NULL};
    if (process_start(&options, &tool, err) < 0 ||
        fs_write_all(tool.in, input.p ? input.p : "", input.n, err) < 0)
        return -1;
    fs_close_cleanup(&tool.in);
    tool.in = -1;
    for (;;) {
        char piece[4096];
        ssize_t n = read(tool.out, piece, sizeof(piece));
        if (n <= 0)
            break;
        buf_add(output, piece, (size_t)n);
        mem_wipe(piece, sizeof(piece));
    }
    if (process_wait(&tool, TOOL_TIMEOUT_MS, err) < 0)
        return -1;
    *ret_status = tool.exit_status;
    return 0;
}

static bool has_keyring(void)
{
    auto_free char *tool = process_find_program("secret-tool");
    return tool && getenv("DBUS_SESSION_BUS_ADDRESS");
}

/* false when there is nothing, or no service. */
static bool read_keyring(Cli *cli, const char *account, Json **ret)
{
    const char *argv[] = {"secret-tool", "lookup", "application", "hawk", "account", account, NULL};
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    auto_error Error ignored = ERROR_INIT;
    int status = 1;
    if (run_tool(argv, STR_NONE, &text, &status, &ignored) < 0 || status != 0)
        return false;
    Str kept = arena_str(cli->arena, buf_str(&text));
    mem_wipe(text.data, text.cap);
    return json_parse(cli->arena, kept, &json_limits_config, ret, &ignored) == 0;
}

static int write_keyring(const char *account, const Json *entry, Error *err)
{
    const char *argv[] = {"secret-tool", "store", "--label", "Login of hawk", "application", "hawk",
                          "account",     account, NULL};
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    auto_buf Buf output = BUF_INIT(TEXT_MAX);
    JsonOut out;
    int status = 1;
    json_out_init(&out, &text, 0);
    json_out_node(&out, entry);
    int rc = run_tool(argv, buf_str(&text), &output, &status, err);
    mem_wipe(text.data, text.cap);
    if (rc == 0 && status != 0)
        return error_set(err, ERR_UNREACHABLE, "the Secret Service does not take the login");
    return rc;
}

static void clear_keyring(const char *account)
{
    const char *argv[] = {"secret-tool", "clear", "application", "hawk", "account", account, NULL};
    auto_buf Buf output = BUF_INIT(TEXT_MAX);
    auto_error Error ignored = ERROR_INIT; /* nothing to clear is no failure */
    int status = 0;
    (void)!run_tool(argv, STR_NONE, &output, &status, &ignored);
}

/* --- both --- */

static const char *member(Cli *cli, const Json *entry, const char *key)
{
    Str text = json_text(entry, key, STR_NONE);
    return text.n > 0 ? arena_strndup(cli->arena, text.p, text.n) : NULL;
}

int credentials_load(Cli *cli, const Provider *provider, Credentials *ret, Error *err)
{
    Place place = PLACE_ANY;
    Json *entry = NULL;
    Json *all = NULL;
    const char *account = account_of(cli, provider);
    if (find_place(cli, &place, err) < 0)
        return -1;
    if (place != PLACE_FILE && has_keyring() && !read_keyring(cli, account, &entry))
        entry = NULL;
    if (!entry && place != PLACE_KEYRING) {
        if (read_file(cli, &all, err) < 0)
            return -1;
        entry = json_get(all, account);
    }
    Credentials found = {
        .access_token = member(cli, entry, "access_token"),
        .refresh_token = member(cli, entry, "refresh_token"),
        .id_token = member(cli, entry, "id_token"),
        .issued_us = json_int(entry, "refresh_token_issued_at", 0) * CLOCK_SECOND,
    };
    if (!found.access_token) {
        (void)error_set(err, ERR_LOGIN, "you are not logged in");
        return error_fix(err, "run 'hawk login', or set HAWK_ACCESS_TOKEN");
    }
    *ret = found;
    return 0;
}

static void set_text(Cli *cli, Json *entry, const char *key, const char *value)
{
    if (value)
        json_set(entry, str_of(key), json_new_str(cli->arena, str_of(value)));
}

static int store_file(Cli *cli, const char *account, Json *entry, Error *err)
{
    Json *all = NULL;
    if (read_file(cli, &all, err) < 0)
        return -1;
    json_set(all, str_of(account), entry);
    return write_file(cli, all, err);
}

int credentials_store(Cli *cli, const Provider *provider, const Credentials *credentials,
                      Error *err)
{
    Place place = PLACE_ANY;
    const char *account = account_of(cli, provider);
    Json *entry = json_new(cli->arena, JSON_OBJECT);
    set_text(cli, entry, "access_token", credentials->access_token);
    set_text(cli, entry, "refresh_token", credentials->refresh_token);
    set_text(cli, entry, "id_token", credentials->id_token);
    json_set(entry, STR("refresh_token_issued_at"),
             json_new_int(cli->arena, credentials->issued_us / CLOCK_SECOND));
    if (find_place(cli, &place, err) < 0)
        return -1;
    if (place == PLACE_KEYRING)
        return write_keyring(account, entry, err);
    auto_error Error problem = ERROR_INIT;
    if (place == PLACE_ANY && has_keyring() && write_keyring(account, entry, &problem) == 0)
        return 0;
    return store_file(cli, account, entry, err);
}

int credentials_forget(Cli *cli, const Provider *provider, Error *err)
{
    Json *all = NULL;
    const char *account = account_of(cli, provider);
    if (has_keyring())
        clear_keyring(account);
    if (read_file(cli, &all, err) < 0)
        return -1;
    return json_remove(all, str_of(account)) ? write_file(cli, all, err) : 0;
}

int credentials_lock(Cli *cli, Error *err)
{
    int64_t deadline = clock_monotonic_ms() + LOCK_WAIT_MS;
    if (fs_make_dirs(data_path(cli, NULL), 0700, err) < 0)
        return -1;
    for (;;) {
        auto_error Error problem = ERROR_INIT;
        int fd = fs_lock(data_path(cli, "credentials.lock"), &problem);
        if (fd >= 0)
            return fd;
        if (problem.kind != ERR_CONFLICT || clock_monotonic_ms() > deadline)
            return error_move(err, &problem);
        (void)usleep(LOCK_POLL_MS * 1000);
    }
}
