/* The server says which they are, in one answer. */

#include "cli/attempts.h"

#include <stdlib.h>

#include "cli/api.h"

enum { PATH_MAX_BYTES = 4096 };

static int compare_names(const void *a, const void *b)
{
    return str_cmp(*(const Str *)a, *(const Str *)b);
}

/* By what the job of the set is at: a sample that nobody runs is not running. */
static const char *unfinished_word(Str job)
{
    if (str_eqz(job, "queued"))
        return "waiting";
    return str_eqz(job, "over") ? "lost" : "running";
}

int attempts_get(Cli *cli, const char *eval_set_id, const char *kind, Attempts *ret, Error *err)
{
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    auto_error Error failure = ERROR_INIT;
    Json *answer = NULL;
    buf_addz(&path, "/meta/attempts");
    api_add_query(&path, "eval_set_id", eval_set_id);
    *ret = (Attempts){0};
    if (api_get_path(cli, &path, &answer, &failure) < 0)
        return failure.kind == ERR_NOT_FOUND ? 0 : error_move(err, &failure);
    const Json *list = json_get(answer, kind);
    if (!list || list->type != JSON_ARRAY)
        return error_set(err, ERR_BAD_DATA, "the server's answer has no %s", kind);
    ret->unfinished = unfinished_word(json_text(answer, "job", STR_NONE));
    ret->names = arena_array(cli->arena, list->n + 1, sizeof(*ret->names));
    for (const Json *item = list->first; item; item = item->next)
        ret->names[ret->n++] = item->text;
    qsort(ret->names, ret->n, sizeof(*ret->names), compare_names);
    return 0;
}

bool attempts_has(const Attempts *attempts, Str name)
{
    return attempts->n > 0 &&
           bsearch(&name, attempts->names, attempts->n, sizeof(name), compare_names) != NULL;
}
