/* What a submit asks of the job's environment. */

#include <stdlib.h>

#include "base/mem.h"
#include "base/secret.h"
#include "codec/json_out.h"
#include "jobs/executor_env.h"
#include "jobs/submit_priv.h"

/* The kernel refuses a variable of 128 KiB, and with the usual stack 2 MiB of all arguments and
   variables; what is passed on from the server's environment has to fit as well. */
enum {
    CONFIG_MAX = 64 * 1024 * 1024,
    VARIABLE_MAX = 120 * 1024,
    VARIABLES_MAX = 1000,
    VARIABLES_BYTES_MAX = 1024 * 1024,
    SECRET_IN_CONFIG_MIN = 8, /* shorter ones may be ordinary words */
};

static bool has_name(const ExecutorSecret *items, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(items[i].name, name) == 0)
            return true;
    return false;
}

static int check_variable(const ExecutorSecret *item, Error *err)
{
    Str value = secret_reveal(item->value);
    if (!executor_env_is_allowed(str_of(item->name))) {
        (void)error_set(err, ERR_USAGE, "\"%.100s\" cannot be a variable of a job", item->name);
        return error_code(err, "job.secret_name");
    }
    if (value.n > VARIABLE_MAX || str_find(value, '\0') >= 0) {
        (void)error_set(err, ERR_USAGE, "the value of %s is over %d bytes or has a zero byte in it",
                        item->name, VARIABLE_MAX);
        return error_code(err, "job.secret_name");
    }
    return 0;
}

static size_t size_of_variables(const ExecutorSecret *items, size_t n)
{
    size_t size = 0;
    for (size_t i = 0; i < n; i++)
        size += strlen(items[i].name) + secret_reveal(items[i].value).n + 2 + sizeof(char *);
    return size;
}

/* A runner that could not be given all of them would not start. */
static int check_together(const JobsRequest *request, const ExecutorSecret *environment,
                          size_t n_environment, Error *err)
{
    if (request->n_secrets + n_environment <= VARIABLES_MAX &&
        size_of_variables(request->secrets, request->n_secrets) +
                size_of_variables(environment, n_environment) <=
            VARIABLES_BYTES_MAX)
        return 0;
    (void)error_set(err, ERR_BAD_DATA,
                    "the secrets and runner.environment are over %d variables or %d bytes together",
                    VARIABLES_MAX, VARIABLES_BYTES_MAX);
    return error_fix(err, "put what is large into a file that the task reads");
}

static int check_declared(const Submit *submit, const ExecutorSecret *environment,
                          size_t n_environment, Error *err)
{
    const JobsRequest *request = submit->request;
    JobspecSecrets declared = jobspec_secrets(submit->arena, submit->spec);
    auto_buf Buf missing = BUF_INIT(2000);
    for (size_t i = 0; i < declared.n; i++) {
        const char *name = declared.items[i].name;
        bool is_given = has_name(request->secrets, request->n_secrets, name);
        if (declared.items[i].is_aws && is_given) {
            (void)error_set(err, ERR_USAGE, "%s comes from the secrets manager, do not send it",
                            name);
            return error_code(err, "job.secret_source");
        }
        if (declared.items[i].is_aws) {
            (void)error_set(err, ERR_USAGE, "%s: this server has no secrets manager", name);
            (void)error_fix(err, "declare it with type: env and give its value");
            return error_code(err, "job.secrets_aws");
        }
        if (!is_given && !has_name(environment, n_environment, name))
            buf_printf(&missing, "%s%s", missing.len ? ", " : "", name);
    }
    if (!missing.len)
        return 0;
    (void)error_set(err, ERR_BAD_DATA, "the config needs secrets that were not given: %s",
                    missing.data);
    (void)error_fix(err, "set them in your environment or a .env file and name them with --secret");
    return error_code(err, "job.secrets_missing");
}

static bool is_declared(const JobspecSecrets *declared, const char *name)
{
    for (size_t i = 0; i < declared->n; i++)
        if (strcmp(declared->items[i].name, name) == 0)
            return true;
    return false;
}

/* A config is stored and shown to whoever may see the job, so what is a secret for certain may not
 * stand in it. */
static int check_config_is_clean(const Submit *submit, Error *err)
{
    const JobsRequest *request = submit->request;
    JobspecSecrets declared = jobspec_secrets(submit->arena, submit->spec);
    for (size_t i = 0; i < request->n_secrets; i++) {
        const ExecutorSecret *item = &request->secrets[i];
        Str value = secret_reveal(item->value);
        if (value.n < SECRET_IN_CONFIG_MIN ||
            (!secret_sounds(str_of(item->name)) && !is_declared(&declared, item->name)))
            continue;
        auto_buf Buf quoted = BUF_INIT(8 * VARIABLE_MAX);
        JsonOut out;
        json_out_init(&out, &quoted, 0);
        json_out_str(&out, value);
        bool is_there =
            str_find_str(submit->config, str_slice(buf_str(&quoted), 1, quoted.len - 1)) >= 0;
        mem_wipe(quoted.data, quoted.len);
        if (!is_there)
            continue;
        (void)error_set(err, ERR_USAGE, "the value of the secret %s stands in the config",
                        item->name);
        (void)error_fix(err, "let the task read the variable %s instead", item->name);
        return error_code(err, "job.secret_in_config");
    }
    return 0;
}

int submit_priv_check_secrets(Submit *submit, Error *err)
{
    const JobsRequest *request = submit->request;
    size_t n_environment = 0;
    ExecutorSecret *environment =
        jobs_priv_environment(submit->arena, submit->spec, &n_environment);
    int done = check_together(request, environment, n_environment, err);
    for (size_t i = 0; done == 0 && i < request->n_secrets; i++)
        done = check_variable(&request->secrets[i], err);
    for (size_t i = 0; done == 0 && i < n_environment; i++)
        done = check_variable(&environment[i], err);
    if (done == 0)
        done = check_declared(submit, environment, n_environment, err);
    if (done == 0)
        done = check_config_is_clean(submit, err);
    jobs_priv_free_secrets(environment, n_environment);
    return done;
}
