/* The parts of a request for a job that all kinds have, and the config that the server has of one.
 */

#include "cli/api.h"
#include "cli/settings.h"
#include "cli/submit.h"

enum { PATH_TEXT_MAX = 64 << 10 };

static void write_secrets(const SubmitSecrets *secrets, JsonOut *out)
{
    json_out_kv_object(out, "secrets");
    for (size_t i = 0; i < secrets->n; i++) {
        json_out_key(out, str_of(secrets->items[i].name));
        json_out_str(out, str_of(secrets->items[i].value));
    }
    json_out_end_object(out);
}

void submit_write_options(const SubmitOptions *options, const SubmitSecrets *secrets, JsonOut *out)
{
    json_out_kvz(out, "image", options->image);
    json_out_kvz(out, "image_tag", options->image_tag);
    write_secrets(secrets, out);
    json_out_kv_null(out, "refresh_token");
    json_out_kv_bool(out, "force", options->force);
    json_out_kvz(out, "priority", options->priority);
}

int submit_get_config(Cli *cli, JobspecKind kind, const char *id, Json **ret, Error *err)
{
    auto_buf Buf path = BUF_INIT(PATH_TEXT_MAX);
    buf_addz(&path, kind == JOBSPEC_SCAN ? "/scans/" : "/eval_sets/");
    api_add_segment(&path, str_of(id));
    buf_addz(&path, "/config");
    return api_get_path(cli, &path, ret, err) < 0 ? settings_no_job(id, err) : 0;
}

Jobspec *submit_server_config(Cli *cli, JobspecKind kind, const char *id)
{
    Json *document = NULL;
    Jobspec *spec = NULL;
    auto_error Error ignored = ERROR_INIT;
    Diagnostics list;
    diagnostics_init(&list, cli->arena);
    const JobspecOptions options = {.allow_online_scan = true};
    if (submit_get_config(cli, kind, id, &document, &ignored) < 0 ||
        jobspec_check(cli->arena, document, id, kind, &options, &list, &spec, &ignored) < 0)
        return NULL;
    return spec;
}
