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

/* Writes them as the member "secrets" of a request. */
void submit_write_secrets(const SubmitSecrets *secrets, JsonOut *out);

/* Where the web shows a job, in the Cli's arena; NULL when that is not known. */
const char *submit_view_url(Cli *cli, JobspecKind kind, const char *id);

/* Appends a line with the deployment's dashboard for a job, if it has one. */
void submit_add_monitor_url(Cli *cli, JobspecKind kind, const char *id, Buf *text);

#endif
