/* Gathering secrets: files, the environment, and in the single-user mode the keys that Inspect
   reads for the config's models. Names may be printed, values never. */

#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "cli/api.h"
#include "cli/settings.h"
#include "cli/submit.h"

enum { NAMES_TEXT_MAX = 64 << 10 };

typedef struct SubmitSecret SubmitSecret;

static SubmitSecret *find(const SubmitSecrets *secrets, const char *name)
{
    for (size_t i = 0; i < secrets->n; i++)
        if (strcmp(secrets->items[i].name, name) == 0)
            return &secrets->items[i];
    return NULL;
}

/* Adds a variable; the last value of a name counts. */
static void put(Arena *arena, SubmitSecrets *secrets, const char *name, const char *value)
{
    SubmitSecret *known = find(secrets, name);
    if (known) {
        known->value = value;
        return;
    }
    if ((secrets->n & (secrets->n - 1)) == 0) {
        size_t cap = secrets->n ? secrets->n * 2 : 1;
        SubmitSecret *items = arena_array(arena, cap, sizeof(*items));
        if (secrets->n)
            memcpy(items, secrets->items, secrets->n * sizeof(*items));
        secrets->items = items;
    }
    secrets->items[secrets->n++] = (SubmitSecret){.name = name, .value = value};
}

static void add_name(Buf *list, const char *name)
{
    buf_printf(list, "%s%s", list->len ? ", " : "", name);
}

static int add_files(Cli *cli, const OptList *files, SubmitSecrets *secrets, Error *err)
{
    for (size_t i = 0; i < files->n; i++) {
        Dotenv dotenv = {0};
        if (settings_read_dotenv(cli, files->items[i], &dotenv, err) < 0)
            return error_wrap(err, "--secrets-file");
        for (size_t k = 0; k < dotenv.n; k++)
            if (dotenv.variables[k].value.n)
                put(cli->arena, secrets,
                    arena_strndup(cli->arena, dotenv.variables[k].name.p,
                                  dotenv.variables[k].name.n),
                    dotenv.variables[k].value.p);
    }
    return 0;
}

static void add_named(Cli *cli, const OptList *names, SubmitSecrets *secrets, Buf *missing)
{
    for (size_t i = 0; i < names->n; i++) {
        const char *value = getenv(names->items[i]);
        if (value && *value)
            put(cli->arena, secrets, names->items[i], value);
        else
            add_name(missing, names->items[i]);
    }
}

static int check_declared(Cli *cli, const Jobspec *spec, const SubmitSecrets *secrets, Error *err)
{
    JobspecSecrets declared = jobspec_secrets(cli->arena, spec);
    auto_buf Buf missing = BUF_INIT(NAMES_TEXT_MAX);
    for (size_t i = 0; i < declared.n; i++) {
        const JobspecSecret *secret = &declared.items[i];
        if (secret->is_aws && find(secrets, secret->name))
            return error_set(
                err, ERR_USAGE,
                "secret source mismatch: the config takes %s from AWS Secrets Manager, "
                "so it may not be given here",
                secret->name);
        if (secret->is_aws || find(secrets, secret->name))
            continue;
        add_name(&missing, secret->name);
        if (secret->description)
            buf_printf(&missing, " (%s)", secret->description);
    }
    if (missing.len == 0)
        return 0;
    (void)error_set(err, ERR_USAGE, "missing secrets that the config declares: %s", missing.data);
    return error_fix(err,
                     "give each with --secret NAME (from the environment) or --secrets-file FILE");
}

/* The .env files that count: that of this folder, then the one beside the config. */
enum { DOTENVS = 2 };

static int read_dotenvs(Cli *cli, const Jobspec *spec, Dotenv *dotenvs, Error *err)
{
    const char *slash = strrchr(spec->file, '/');
    const char *beside =
        slash ? arena_printf(cli->arena, "%.*s.env", (int)(slash - spec->file) + 1, spec->file)
              : NULL;
    const char *const paths[DOTENVS] = {".env", beside};
    for (size_t i = 0; i < DOTENVS; i++)
        if (paths[i] && fs_exists(paths[i]) &&
            settings_read_dotenv(cli, paths[i], &dotenvs[i], err) < 0)
            return -1;
    return 0;
}

/* The value of a variable: the environment's, else that of the first .env that has it. */
static const char *model_value(const Dotenv *dotenvs, const char *name)
{
    const char *value = getenv(name);
    for (size_t i = 0; i < DOTENVS && !(value && *value); i++)
        value = dotenv_get(&dotenvs[i], name).p;
    return value && *value ? value : NULL;
}

/* Whether the model of names->items[i] has none of the variables of which it needs one. */
static bool lacks_key(const JobspecEnvNames *names, size_t i, const SubmitSecrets *secrets)
{
    if (!names->items[i].is_needed)
        return false;
    for (size_t k = 0; k < names->n; k++) {
        bool same =
            names->items[k].is_needed && strcmp(names->items[k].model, names->items[i].model) == 0;
        if (same && (k < i || find(secrets, names->items[k].name)))
            return false;
    }
    return true;
}

static int add_model_keys(Cli *cli, const Jobspec *spec, SubmitSecrets *secrets, Error *err)
{
    JobspecEnvNames names = jobspec_env_names(cli->arena, spec);
    Dotenv dotenvs[DOTENVS] = {0};
    if (names.n && read_dotenvs(cli, spec, dotenvs, err) < 0)
        return -1;
    auto_buf Buf taken = BUF_INIT(NAMES_TEXT_MAX);
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.items[i].name;
        const char *value = find(secrets, name) ? NULL : model_value(dotenvs, name);
        if (!value)
            continue;
        put(cli->arena, secrets, name, value);
        add_name(&taken, name);
    }
    if (taken.len)
        cli_say(cli, "Taken from your environment for the job: %s (--no-env leaves them out)",
                taken.data);
    for (size_t i = 0; i < names.n; i++)
        if (lacks_key(&names, i, secrets))
            cli_warn(cli, "%s is not set; the model %s needs it", names.items[i].name,
                     names.items[i].model);
    return 0;
}

int submit_secrets(Cli *cli, const Jobspec *spec, const SubmitSecretOptions *options,
                   SubmitSecrets *ret, Error *err)
{
    SubmitSecrets secrets = {0};
    auto_buf Buf missing = BUF_INIT(NAMES_TEXT_MAX);
    if (add_files(cli, &options->files, &secrets, err) < 0)
        return -1;
    add_named(cli, &options->names, &secrets, &missing);
    if (missing.len)
        return error_set(err, ERR_USAGE, "missing secrets: %s given with --secret, but not set",
                         missing.data);
    if (spec && check_declared(cli, spec, &secrets, err) < 0)
        return -1;
    if (spec && options->takes_model_keys && add_model_keys(cli, spec, &secrets, err) < 0)
        return -1;
    *ret = secrets;
    return 0;
}

int submit_gather(Cli *cli, const Jobspec *spec, const SubmitOptions *options, SubmitSecrets *ret,
                  Error *err)
{
    Api *api = NULL;
    if (cli_api(cli, &api, err) < 0)
        return -1;
    const SubmitSecretOptions how = {.files = options->secrets_files,
                                     .names = options->secrets,
                                     .takes_model_keys = api_is_local(api) && !options->no_env};
    SubmitSecrets secrets = {0};
    if (submit_secrets(cli, spec, &how, &secrets, err) < 0 ||
        (secrets.n && api_check_secrets(api, err) < 0))
        return -1;
    *ret = secrets;
    return 0;
}
