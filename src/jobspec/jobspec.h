/* Jobspec: an eval set or scan as its user wrote it, checked, with every default filled in.

   Loading never stops at the first problem: each becomes a Diagnostic with file, line, column and
   path, in document order. The table in schema.h drives the checks, the defaults and the published
   JSON Schema. Everything that a Jobspec points to lives in the arena it was loaded into. */
#ifndef HAWK_JOBSPEC_JOBSPEC_H
#define HAWK_JOBSPEC_JOBSPEC_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "codec/json.h"
#include "codec/json_out.h"
#include "jobspec/diagnostics.h"

typedef enum JobspecKind {
    JOBSPEC_ANY, /* for loading only: found out from the keys */
    JOBSPEC_EVAL_SET,
    JOBSPEC_SCAN,
} JobspecKind;

/* How strict loading is; zero is right for a single user on one machine. */
typedef struct JobspecOptions {
    bool refuse_local_packages; /* paths on the submitter's machine mean nothing to a runner
                                   elsewhere */
    bool refuse_credentials; /* in addresses of packages: the config is about to be shown to others
                              */
    bool refuse_non_bmp;     /* characters above U+FFFF, which the chart's parser cannot read */
    bool allow_online_scan;  /* `scan` in an eval set */
} JobspecOptions;

typedef struct Jobspec {
    JobspecKind kind;
    const char *file;
    const Json *written; /* the document as it was written, with lines and columns */
    const Json *full; /* the document with every default, in the order of the schema: what goes over
                         the wire and to the runner */
} Jobspec;

/* Bytes of a config that are read at most. */
enum { JOBSPEC_BYTES_MAX = 8 << 20 };

/* Read YAML or JSON (text must be UTF-8) and check it. Problems are added to `list`, also those of
   the syntax. Returns -1 with ERR_BAD_DATA "<file>: N errors ..." when there is any error; warnings
   alone are success. jobspec_load_file refuses a file over the limit without reading it; "-" is
   standard input; when ret_text is not NULL it gets the text, as far as it was read, also on
   failure. */
int jobspec_load_text(Arena *arena, Str text, const char *file, JobspecKind kind,
                      const JobspecOptions *options, Diagnostics *list, Jobspec **ret,
                      Error *err) HAWK_MUST_USE;
int jobspec_load_file(Arena *arena, const char *path, JobspecKind kind,
                      const JobspecOptions *options, Diagnostics *list, Str *ret_text,
                      Jobspec **ret, Error *err) HAWK_MUST_USE;

/* As jobspec_load_text, for a tree that was read before, such as a member of a request body (which
 * is not changed). */
int jobspec_check(Arena *arena, const Json *document, const char *file, JobspecKind kind,
                  const JobspecOptions *options, Diagnostics *list, Jobspec **ret,
                  Error *err) HAWK_MUST_USE;

/* "eval-set", "scan". */
const char *jobspec_kind_name(JobspecKind kind);

/* The value of a top-level field in the full document; NULL when this kind of config has no such
   field, also when the document has an unknown key of that name. */
const Json *jobspec_field(const Jobspec *spec, const char *name);

/* The `name`, or what stands for it in a generated id: "eval-set", "scan". */
Str jobspec_name(const Jobspec *spec);

/* The `eval_set_id` of an eval set, or STR_NONE. */
Str jobspec_pinned_id(const Jobspec *spec);

/* An item of tasks, solvers, agents, scanners or models. */
typedef struct JobspecItem {
    const char *qualified; /* "<name of the package>/<name>", or the name alone for an item built
                              into Inspect */
    const char *name;      /* as written; what model groups are looked up by */
    const char *package;
    const char *role; /* for an item of model_roles; else NULL */
    const char *path; /* "tasks[0].items[1]" */
    bool is_builtin;
    const Json *node; /* the item in the full document */
} JobspecItem;

typedef struct JobspecItems {
    JobspecItem *items;
    size_t n;
} JobspecItems;

/* The items of one list ("tasks", "solvers", "agents", "models", "scanners", "model_roles") in
 * document order. */
JobspecItems jobspec_items(Arena *arena, const Jobspec *spec, const char *list);

/* All models: those of `models`, of `model_roles` and the one of `scan`. Equal names are kept. */
JobspecItems jobspec_models(Arena *arena, const Jobspec *spec);

/* Whether a model name stands for no model: "", "none", "none/none". */
bool jobspec_is_no_model(const char *name);

/* A secret that the config declares. */
typedef struct JobspecSecret {
    const char *name; /* of the environment variable */
    const char *description;
    bool is_aws;     /* fetched from AWS Secrets Manager by the runner, never sent by the user */
    const char *arn; /* or NULL */
    const char *secret_name; /* or NULL */
} JobspecSecret;

typedef struct JobspecSecrets {
    JobspecSecret *items;
    size_t n;
} JobspecSecrets;

/* The declared secrets, each name once: of the items, the deprecated top level and the runner. */
JobspecSecrets jobspec_secrets(Arena *arena, const Jobspec *spec);

typedef struct JobspecStrings {
    const char **items;
    size_t n;
} JobspecStrings;

/* Versions of what our worker was tested with; NULL leaves a package unpinned. */
typedef struct JobspecPins {
    const char *inspect_ai;    /* "0.3.285" */
    const char *inspect_scout; /* only for scans */
} JobspecPins;

/* What to install for the job, sorted, each once: the packages of all items and `packages`, without
   hawk itself, and "inspect-ai==<pin>" (for a scan also inspect-scout) unless `packages` names one
   itself. */
JobspecStrings jobspec_requirements(Arena *arena, const Jobspec *spec, const JobspecPins *pins);

/* Package specifiers that point into the local file system, in document order, each once. */
JobspecStrings jobspec_local_packages(Arena *arena, const Jobspec *spec);

/* Whether a specifier names a local path: "./x", "../x", "/x", "~x", "file:x", ".", "..", also
 * behind '@'. */
bool jobspec_is_local_package(Str spec);

/* The distribution that a PEP 508 specifier names, normalised (PEP 503), or STR_NONE for a bare URL
 * or path. */
Str jobspec_package_name(Arena *arena, Str spec);

/* A copy without the user and password parts of URLs and without query values that look like
   credentials, for messages. */
Str jobspec_redact(Arena *arena, Str spec);

/* An environment variable that Inspect reads for a model of the config. */
typedef struct JobspecEnvName {
    const char *name;  /* OPENAI_API_KEY */
    const char *model; /* the first model that reads it, qualified */
    bool is_secret;    /* a key or token, as opposed to an address or a setting */
    bool is_needed;    /* the model does not work without this or another is_needed variable of the
                          model */
} JobspecEnvName;

typedef struct JobspecEnvNames {
    JobspecEnvName *items;
    size_t n;
} JobspecEnvNames;

/* The variables that Inspect reads for the models of the config, each once, in the order of the
 * models. */
JobspecEnvNames jobspec_env_names(Arena *arena, const Jobspec *spec);

/* The same for one qualified model name, such as one that comes from the command line. */
JobspecEnvNames jobspec_env_names_of(Arena *arena, const char *model);

/* The ids of the eval sets that a scan reads. */
JobspecStrings jobspec_scanned_ids(Arena *arena, const Jobspec *spec);

/* Writes the full document as one JSON value. */
void jobspec_write(const Jobspec *spec, JsonOut *out);

/* Whether a text, key or value somewhere in a tree has a character above U+FFFF; ret_codepoint gets
 * the first. */
bool jobspec_has_non_bmp(const Json *node, uint32_t *ret_codepoint);

#endif
