/* Settings of the command line and where each came from; the ids that commands without an id mean.
 */
#ifndef HAWK_CLI_SETTINGS_H
#define HAWK_CLI_SETTINGS_H

#include "base/error.h"
#include "cli/command.h"
#include "codec/dotenv.h"

typedef struct Setting {
    const char *name;
    const char *value;  /* NULL: not set */
    const char *origin; /* "environment", "./.env", "~/.config/hawk-cli/env" */
} Setting;

/* Looks a HAWK_ variable up: environment, ./.env, ~/.config/hawk-cli/env. An empty value counts as
   not set. A file that cannot be read is an error; one that is not there is none. */
int setting_find(Cli *cli, const char *name, Setting *ret, Error *err) HAWK_MUST_USE;

/* Fails when an address is plain http to another machine and HAWK_ALLOW_HTTP of the environment or
   of ~/.config/hawk-cli/env is not 1: nobody who only made a folder decides that. */
int settings_check_http(Cli *cli, const char *url, Error *err) HAWK_MUST_USE;

/* Fails when HAWK_ACCESS_TOKEN would go to a server that only ./.env names, which may have come
   with somebody else's files. A login needs no such check: it is kept for its server alone. */
int settings_check_token(Cli *cli, const Setting *url, Error *err) HAWK_MUST_USE;

/* Reads a file of NAME=value lines into the Cli's arena. */
int settings_read_dotenv(Cli *cli, const char *path, Dotenv *ret, Error *err) HAWK_MUST_USE;

/* ~/.config/hawk-cli, in the arena. */
const char *settings_folder(Cli *cli);

/* Which id: that of an eval set is also the one of the last job. */
typedef enum SettingsId { SETTINGS_EVAL_SET, SETTINGS_JOB } SettingsId;

/* The given id, or when NULL the last one; ERR_USAGE when there is none. */
int settings_id(Cli *cli, SettingsId which, const char *given, const char **ret,
                Error *err) HAWK_MUST_USE;

/* Remembers an id that proved to exist. A failure is only a warning: the command itself is done. */
void settings_keep_id(Cli *cli, SettingsId which, const char *id);

/* Puts the id into an error that says that a job is not there, since it may be a remembered one.
   Always -1. */
int settings_no_job(const char *id, Error *err);

#endif
