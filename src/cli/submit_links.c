/* What is said of a job that was submitted: where to look at it. */

#include "base/clock.h"
#include "cli/api.h"
#include "cli/settings.h"
#include "cli/submit.h"

/* An address of the deployment: a variable, else what the server says; STR_NONE for none. */
static Str address_of(Cli *cli, const char *variable, const char *member)
{
    Setting setting = {0};
    auto_error Error ignored = ERROR_INIT;
    if (setting_find(cli, variable, &setting, &ignored) == 0 && setting.value)
        return str_of(setting.value);
    Json *config = NULL;
    error_reset(&ignored);
    return api_get(cli, "/auth/config", &config, &ignored) == 0
               ? json_text(config, member, STR_NONE)
               : STR_NONE;
}

const char *submit_view_url(Cli *cli, JobspecKind kind, const char *id)
{
    Api *api = NULL;
    auto_error Error ignored = ERROR_INIT;
    if (cli_api(cli, &api, &ignored) < 0)
        return NULL;
    Str base = api_is_local(api) ? str_of(api_url(api))
                                 : address_of(cli, "HAWK_LOG_VIEWER_URL", "log_viewer_url");
    while (str_ends(base, STR("/")))
        base.n--;
    return base.n
               ? arena_printf(cli->arena, "%.*s/%s/%s", STR_ARG(base), jobspec_kind_name(kind), id)
               : NULL;
}

typedef struct Dashboard {
    const char *variable;
    const char *member; /* of /auth/config */
    const char *what;
} Dashboard;

/* clang-format off */
static const Dashboard of_eval_sets = {"HAWK_DATADOG_EVAL_SET_DASHBOARD_URL", "datadog_eval_set_dashboard_url", "eval set"};
static const Dashboard of_scans     = {"HAWK_DATADOG_SCAN_DASHBOARD_URL",     "datadog_scan_dashboard_url",     "scan"};
/* clang-format on */

/* From five minutes ago on. */
void submit_add_monitor_url(Cli *cli, JobspecKind kind, const char *id, Buf *text)
{
    Api *api = NULL;
    auto_error Error ignored = ERROR_INIT;
    if (cli_api(cli, &api, &ignored) < 0 || api_is_local(api))
        return;
    const Dashboard *dashboard = kind == JOBSPEC_SCAN ? &of_scans : &of_eval_sets;
    Str base = address_of(cli, dashboard->variable, dashboard->member);
    if (base.n == 0)
        return;
    long long now_ms = (long long)(clock_now_us() / 1000);
    buf_printf(text,
               "Monitor your %s: %.*s?tpl_var_inspect_ai_job_id=%s&from_ts=%lld&to_ts=%lld"
               "&live=true\n",
               dashboard->what, STR_ARG(base), id, now_ms - 300000, now_ms);
}
