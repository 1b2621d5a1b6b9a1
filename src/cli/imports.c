/* Fetching the import queue. */

#include "cli/imports.h"

#include "cli/api.h"

enum { PATH_MAX_BYTES = 16 << 10, PAGE_MAX = 500 };

/* Moves the items of an answer to the end of the list, up to so many. */
static void move_items(Json *from, Json *to, int64_t limit)
{
    for (Json *item = from->first; item && (int64_t)to->n < limit;) {
        Json *following = item->next;
        item->next = NULL;
        json_append(to, item);
        item = following;
    }
}

int imports_fetch(Cli *cli, const ImportsQuery *query, Json **ret, Error *err)
{
    Json *all = json_new(cli->arena, JSON_OBJECT);
    Json *items = json_new(cli->arena, JSON_ARRAY);
    Str cursor = STR_NONE;
    json_set(all, STR("items"), items);
    do {
        int64_t left = query->limit - (int64_t)items->n;
        auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
        Json *answer = NULL;
        buf_addz(&path, "/meta/imports");
        api_add_query(&path, "eval_set_id", query->eval_set_id);
        api_add_query(&path, "state", query->state);
        api_add_query_int(&path, "limit", left < PAGE_MAX ? left : PAGE_MAX);
        if (cursor.p)
            api_add_query(&path, "cursor", arena_strndup(cli->arena, cursor.p, cursor.n));
        if (api_get_path(cli, &path, &answer, err) < 0)
            return -1;
        Json *got = json_get(answer, "items");
        if (!got || got->type != JSON_ARRAY)
            return error_set(err, ERR_BAD_DATA, "the server's answer has no items");
        move_items(got, items, query->limit);
        cursor = json_text(answer, "next_cursor", STR_NONE);
        Json *counts = json_remove(answer, STR("counts"));
        if (counts)
            json_set(all, STR("counts"), counts);
    } while (cursor.p && (int64_t)items->n < query->limit);
    *ret = all;
    return 0;
}
