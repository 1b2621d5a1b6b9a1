/* What a runner sees of the server's environment is a list of what it needs, so that a key that
   happens to be in the server's environment is in no job. */

#include "jobs/executor_env.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"

enum { NAMES_MAX = 1 << 20 };

extern char **environ;

/* '*' stands for anything, at the beginning or the end. */
/* clang-format off */
static const char *const passed_on[] = {
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_*", "TZ", "TMPDIR", "XDG_*",
    "HAWK_CACHE", "HAWK_UV", "HAWK_PYTHON", "HAWK_WORKER", "HAWK_INSTALL_WAITS",
    "HAWK_VENVS_KEPT", "UV_*", "PIP_*", "SSL_*", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "*_proxy", "*SAN_OPTIONS",
};
/* clang-format on */

static const char *const our_own[] = {"HAWK_JOB_*", "HAWK_RUNNER_*", "LD_PRELOAD", "LD_AUDIT"};

/* Settings that do not change what an evaluation does. */
static const char *const fixed[][2] = {
    {"HAWK_RUNNER_LOG_FORMAT", "json"},
    {"INSPECT_DISPLAY", "log"},
    {"SCOUT_DISPLAY", "log"},
    {"PYTHONUNBUFFERED", "1"},
};

static bool matches(Str name, const char *pattern)
{
    Str p = str_of(pattern);
    if (p.p[0] == '*')
        return str_ends(name, str_slice(p, 1, p.n));
    if (p.p[p.n - 1] == '*')
        return str_starts(name, str_slice(p, 0, p.n - 1));
    return str_eq(name, p);
}

static bool matches_any(Str name, const char *const *patterns, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (matches(name, patterns[i]))
            return true;
    return false;
}

static void set_secret(ProcessEnv *env, const char *name, const Secret *secret)
{
    Str value = secret_reveal(secret);
    char *text = mem_strndup(value.p, value.n);
    process_env_set(env, name, text);
    mem_wipe(text, value.n);
    free(text);
}

/* What a config says under `runner.environment` is no secret: the config itself shows it. */
static void name_secrets(ProcessEnv *env, const ExecutorRun *run)
{
    auto_buf Buf names = BUF_INIT(NAMES_MAX);
    for (size_t i = 0; i < run->n_secrets; i++)
        buf_printf(&names, "%s%s", i ? "," : "", run->secrets[i].name);
    if (run->token)
        buf_printf(&names, "%s%s", names.len ? "," : "", EXECUTOR_TOKEN);
    process_env_set(env, EXECUTOR_SECRETS, names.data);
}

void executor_env_make(const ExecutorRun *run, ProcessEnv *env)
{
    process_env_init(env, false);
    for (char **item = environ; item && *item; item++) {
        Str name = str_of(*item);
        ptrdiff_t equals = str_find(name, '=');
        if (equals <= 0)
            continue;
        name.n = (size_t)equals;
        if (!matches_any(name, passed_on, ARRAY_LEN(passed_on)))
            continue;
        auto_free char *copy = mem_strndup(name.p, name.n);
        process_env_set(env, copy, *item + equals + 1);
    }
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        process_env_set(env, fixed[i][0], fixed[i][1]);
    if (run->traceparent)
        process_env_set(env, "TRACEPARENT", run->traceparent);
    for (size_t i = 0; i < run->n_secrets; i++)
        set_secret(env, run->secrets[i].name, run->secrets[i].value);
    for (size_t i = 0; i < run->n_environment; i++)
        set_secret(env, run->environment[i].name, run->environment[i].value);
    if (run->token)
        set_secret(env, EXECUTOR_TOKEN, run->token);
    name_secrets(env, run);
    if (run->api_url)
        process_env_set(env, EXECUTOR_API_URL, run->api_url);
    process_env_set(env, "HAWK_JOB_ID", run->job_id);
    process_env_set(env, "HAWK_JOB_TYPE", run->job_type);
}

bool executor_env_is_allowed(Str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return name.n > 0 && name.n <= 256 && !matches_any(name, our_own, ARRAY_LEN(our_own));
}
