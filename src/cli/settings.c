/* Settings and remembered ids. */

#include "cli/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"
#include "http/loopback.h"
#include "jobspec/ids.h"

enum { ID_FILE_MAX = 256 };

static const char *config_path(Cli *cli, const char *name)
{
    const char *home = getenv("HOME");
    return arena_printf(cli->arena, "%s/.config/hawk-cli%s%s", home && *home ? home : "/tmp",
                        name ? "/" : "", name ? name : "");
}

const char *settings_folder(Cli *cli)
{
    return config_path(cli, NULL);
}

int settings_read_dotenv(Cli *cli, const char *path, Dotenv *ret, Error *err)
{
    auto_buf Buf text = BUF_INIT(DOTENV_BYTES_MAX);
    if (fs_read_file(path, &text, err) < 0)
        return -1;
    Str kept = arena_str(cli->arena, buf_str(&text));
    mem_wipe(text.data, text.cap);
    return dotenv_parse(cli->arena, kept, path, ret, err);
}

static int find_in_file(Cli *cli, const char *path, const char *origin, Setting *ret, Error *err)
{
    if (ret->value || !fs_exists(path) || fs_is_dir(path))
        return 0;
    Dotenv dotenv = {0};
    if (settings_read_dotenv(cli, path, &dotenv, err) < 0)
        return -1;
    Str value = dotenv_get(&dotenv, ret->name);
    if (value.n) {
        ret->value = value.p;
        ret->origin = origin;
    }
    return 0;
}

#define OF_FOLDER "./.env"

static void find_in_environment(Setting *ret)
{
    const char *value = getenv(ret->name);
    if (!value || !*value)
        return;
    ret->value = value;
    ret->origin = "environment";
}

static int find_in_config(Cli *cli, Setting *ret, Error *err)
{
    return find_in_file(cli, config_path(cli, "env"), "~/.config/hawk-cli/env", ret, err);
}

int setting_find(Cli *cli, const char *name, Setting *ret, Error *err)
{
    Setting found = {.name = name};
    find_in_environment(&found);
    if (find_in_file(cli, ".env", OF_FOLDER, &found, err) < 0 ||
        find_in_config(cli, &found, err) < 0)
        return -1;
    *ret = found;
    return 0;
}

int settings_check_http(Cli *cli, const char *url, Error *err)
{
    Setting allowed = {.name = "HAWK_ALLOW_HTTP"};
    if (str_starts(str_of(url), STR("https://")) || loopback_is_url(str_of(url)))
        return 0;
    find_in_environment(&allowed);
    if (find_in_config(cli, &allowed, err) < 0)
        return -1;
    if (str_eqz(str_of(allowed.value), "1"))
        return 0;
    (void)error_set(err, ERR_USAGE, "%s is not https: a token or a secret could be read on the way",
                    url);
    return error_fix(err, "use the server's https address, or export HAWK_ALLOW_HTTP=1 when the "
                          "network in between is yours");
}

int settings_check_token(Cli *cli, const Setting *url, Error *err)
{
    const char *token = getenv("HAWK_ACCESS_TOKEN");
    Setting own = {.name = url->name};
    if (!token || !*token || strcmp(url->origin, OF_FOLDER) != 0)
        return 0;
    if (find_in_config(cli, &own, err) < 0)
        return -1;
    if (own.value && strcmp(own.value, url->value) == 0)
        return 0;
    (void)error_set(err, ERR_USAGE,
                    OF_FOLDER " sets HAWK_API_URL to %s, which would get the HAWK_ACCESS_TOKEN of "
                              "the environment",
                    url->value);
    return error_fix(err,
                     "if the token is for that server, export HAWK_API_URL=%s; else unset "
                     "HAWK_ACCESS_TOKEN and run 'hawk login'",
                     url->value);
}

static const char *id_file(Cli *cli, SettingsId which)
{
    return config_path(cli, which == SETTINGS_EVAL_SET ? "last-eval-set-id" : "last-job-id");
}

int settings_id(Cli *cli, SettingsId which, const char *given, const char **ret, Error *err)
{
    if (given) {
        *ret = given;
        return 0;
    }
    auto_buf Buf text = BUF_INIT(ID_FILE_MAX);
    auto_error Error ignored = ERROR_INIT;
    Str id = STR_NONE;
    if (fs_read_file(id_file(cli, which), &text, &ignored) == 0)
        id = str_trim(buf_str(&text));
    if (id.n == 0) {
        (void)error_set(err, ERR_USAGE, "no %s given, and none is remembered",
                        which == SETTINGS_EVAL_SET ? "eval set id" : "job id");
        return error_fix(err, "give an id; 'hawk list %s' shows them",
                         which == SETTINGS_EVAL_SET ? "eval-sets" : "jobs --all");
    }
    *ret = arena_strndup(cli->arena, id.p, id.n);
    return 0;
}

void settings_keep_id(Cli *cli, SettingsId which, const char *id)
{
    auto_error Error err = ERROR_INIT;
    const char *path = id_file(cli, which);
    auto_buf Buf text = BUF_INIT(ID_FILE_MAX);
    if (fs_exists(path) && fs_read_file(path, &text, &err) == 0 && str_eqz(buf_str(&text), id))
        return;
    error_reset(&err);
    if (fs_make_dirs(settings_folder(cli), 0700, &err) < 0 ||
        fs_write_file(path, str_of(id), 0600, &err) < 0) {
        cli_warn(cli, "the id is not remembered: %s", error_text(&err));
        return;
    }
    if (which == SETTINGS_EVAL_SET)
        settings_keep_id(cli, SETTINGS_JOB, id);
}

int settings_no_job(const char *id, Error *err)
{
    if (err->kind != ERR_NOT_FOUND)
        return -1;
    bool is_unknown = strcmp(error_text(err), "Job not found.") == 0;
    (void)error_wrap(err, "%s", id);
    if (!ids_is_imported(str_of(id)))
        return is_unknown && !err->fix
                   ? error_fix(err, "'hawk list jobs --all' shows what there is")
                   : -1;
    return error_fix(err, "logs that were imported have no job; 'hawk list evals %s' lists them",
                     id);
}
