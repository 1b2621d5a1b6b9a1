/* Submit: from a config on this machine to what goes over the wire: the config checked, local paths
   made absolute, secrets gathered. */
#ifndef HAWK_CLI_SUBMIT_H
#define HAWK_CLI_SUBMIT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "cli/command.h"
#include "codec/json.h"
#include "codec/json_out.h"
#include "jobspec/jobspec.h"

/* Reads and checks a config ("-": standard input). Everything that is wrong or odd goes to standard
   error with its place; when something is wrong this fails (and with --json the list is part of the
   error). Warnings are asked about where a question may be asked, unless skip_confirm. */
int submit_load(Cli *cli, const char *path, JobspecKind kind, bool skip_confirm, Jobspec **ret,
                Error *err) HAWK_MUST_USE;

/* The full document, with paths of packages that are relative to the config's folder made absolute;
   in the Cli's arena. */
Json *submit_document(Cli *cli, const Jobspec *spec);

/* Environment variables on their way into a job. */
typedef struct SubmitSecrets {
    struct SubmitSecret {
        const char *name;
        const char *value;
    } * items;
    size_t n;
} SubmitSecrets;

typedef struct SubmitSecretOptions {
    OptList files;         /* of NAME=value lines */
    OptList names;         /* taken from the environment */
    bool takes_model_keys; /* also those that Inspect reads for the config's models */
} SubmitSecretOptions;

/* Gathers what the options name and the config declares, in the Cli's arena; says on standard error
   which model keys are taken. ERR_USAGE when a declared or named one is missing. spec may be NULL
   when the config is not known. */
int submit_secrets(Cli *cli, const Jobspec *spec, const SubmitSecretOptions *options,
                   SubmitSecrets *ret, Error *err) HAWK_MUST_USE;

/* What every command that submits a job takes. */
typedef struct SubmitOptions {
    OptList secrets_files;
    OptList secrets;
    const char *image;
    const char *image_tag;
    const char *priority;
    bool no_env;
    bool force;
    bool watch;
    bool json;
} SubmitOptions;

/* The rows of those options, for a struct `type` with a SubmitOptions called submit; and those
   without --watch. */
/* clang-format off */
#define SUBMIT_ROWS(type, watch_help, priority_fallback) \
    {"watch", 'w', OPT_FLAG, offsetof(type, submit.watch), watch_help}, \
    SUBMIT_PLAIN_ROWS(type, priority_fallback)
#define SUBMIT_PLAIN_ROWS(type, priority_fallback) \
    {"secret", 0, OPT_LIST, offsetof(type, submit.secrets), "Hand this environment variable to the job", .metavar = "NAME"}, \
    {"secrets-file", 0, OPT_FILES, offsetof(type, submit.secrets_files), "Hand the NAME=value lines of this file to the job"}, \
    {"no-env", 0, OPT_FLAG, offsetof(type, submit.no_env), "Do not take the keys of the config's models from the environment and .env"}, \
    {"force", 0, OPT_FLAG, offsetof(type, submit.force), "Even when you have too many jobs already"}, \
    {"priority", 0, OPT_CHOICE, offsetof(type, submit.priority), "Which jobs go first", .choices = "low|medium|high", .fallback = priority_fallback}, \
    {"image", 0, OPT_TEXT, offsetof(type, submit.image), "Image of the runner, with a tag or digest", .metavar = "URI"}, \
    {"image-tag", 0, OPT_TEXT, offsetof(type, submit.image_tag), "Another tag of the server's runner image", .metavar = "TAG"}, \
    {"json", 0, OPT_FLAG, offsetof(type, submit.json), "Print JSON"}
/* clang-format on */

/* As submit_secrets; the keys of the config's models are taken for the local server only, and not
   with
   --no-env. */
int submit_gather(Cli *cli, const Jobspec *spec, const SubmitOptions *options, SubmitSecrets *ret,
                  Error *err) HAWK_MUST_USE;

/* Writes the members of a request that these options and secrets make. */
void submit_write_options(const SubmitOptions *options, const SubmitSecrets *secrets, JsonOut *out);

/* The config that the server has of a job, in the Cli's arena. */
int submit_get_config(Cli *cli, JobspecKind kind, const char *id, Json **ret,
                      Error *err) HAWK_MUST_USE;

/* That config as this program knows it, to tell which keys its models need; in the Cli's arena.
   NULL when it cannot be had or is not taken for one. */
Jobspec *submit_server_config(Cli *cli, JobspecKind kind, const char *id);

/* Where the web shows a job, in the Cli's arena; NULL when that is not known. */
const char *submit_view_url(Cli *cli, JobspecKind kind, const char *id);

/* Appends a line with the deployment's dashboard for a job, if it has one. */
void submit_add_monitor_url(Cli *cli, JobspecKind kind, const char *id, Buf *text);

#endif
