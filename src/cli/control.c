/* Tasks look for commands about once a second, so answers are asked for until they are there. */

#include "cli/control.h"

#include <poll.h>

#include "base/clock.h"
#include "cli/api.h"
#include "cli/print.h"
#include "cli/settings.h"
#include "codec/json_out.h"

enum {
    PATH_MAX_BYTES = 4096,
    BODY_MAX = 4096,
    TEXT_MAX = 64 << 10,
    POLL_MS = 300,
    ANSWER_MS = 60 * 1000,
    OTHERS_MS = 5 * 1000, /* for the tasks that a command does not concern, which say nothing */
};

void control_pause(int ms)
{
    (void)poll(NULL, 0, ms);
}

void control_add_path(Buf *path, const char *id, const char *what)
{
    buf_addz(path, "/eval_sets/");
    api_add_segment(path, str_of(id));
    buf_printf(path, "/%s", what);
}

int control_tell(Cli *cli, const char *id, const char *action, const char *sample_uuid,
                 const char **ret_command, Error *err)
{
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    auto_buf Buf body = BUF_INIT(BODY_MAX);
    JsonOut out;
    Json *answer = NULL;
    control_add_path(&path, id, "control");
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kvz(&out, "action", action);
    if (sample_uuid)
        json_out_kvz(&out, "sample_uuid", sample_uuid);
    json_out_end_object(&out);
    if (api_post(cli, path.data, buf_str(&body), &answer, err) < 0)
        return settings_no_job(id, err);
    settings_keep_id(cli, SETTINGS_EVAL_SET, id);
    Str command = json_text(answer, "command", STR(""));
    if (ret_command)
        *ret_command = arena_strndup(cli->arena, command.p, command.n);
    return 0;
}

/* The answers, once all tasks have given theirs or some have and the rest keeps silent. */
static int wait_for_answers(Cli *cli, const char *id, const char *command, const Json **ret,
                            Error *err)
{
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    control_add_path(&path, id, "control/");
    api_add_segment(&path, str_of(command));
    int64_t began_ms = clock_monotonic_ms();
    int64_t first_ms = 0;
    for (;;) {
        Json *answer = NULL;
        if (api_get_path(cli, &path, &answer, err) < 0)
            return -1;
        const Json *answers = json_get(answer, "answers");
        int64_t now_ms = clock_monotonic_ms();
        bool has_some = answers && answers->first;
        if (has_some && !first_ms)
            first_ms = now_ms;
        if (has_some && (json_int(answer, "waiting", 0) == 0 || now_ms - first_ms >= OTHERS_MS)) {
            *ret = answers;
            return 0;
        }
        if (now_ms - began_ms >= ANSWER_MS) {
            (void)error_set(err, ERR_TIMEOUT,
                            "no task of %s has answered: it does not know the "
                            "sample, or does not answer at all",
                            id);
            return error_fix(err, "'hawk explain %s' says what it is at", id);
        }
        control_pause(POLL_MS);
    }
}

int control_ask(Cli *cli, const char *id, const char *action, const char *sample_uuid, bool json,
                Error *err)
{
    const char *command = NULL;
    const Json *answers = NULL;
    if (control_tell(cli, id, action, sample_uuid, &command, err) < 0 ||
        wait_for_answers(cli, id, command, &answers, err) < 0)
        return -1;
    if (json)
        return print_json(cli, answers, err);
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    for (const Json *answer = answers->first; answer; answer = answer->next) {
        Str task = json_text(answer, "task", STR(""));
        Str said = json_text(answer, "text", STR(""));
        if (!json_bool(answer, "ok", false))
            return error_set(err, ERR_CONFLICT, "%.*s: %.*s", STR_ARG(task), STR_ARG(said));
        buf_printf(&text, "%.*s: %.*s\n", STR_ARG(task), STR_ARG(said));
    }
    return print_text(cli, buf_str(&text), err);
}
