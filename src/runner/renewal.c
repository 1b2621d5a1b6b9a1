/* Three times in the life of a token; sooner again when the server did not answer, which may be
   starting anew at another address: server.json is read each time. Also when it did not know the
   token: a server that comes back late moves the end of those on whose runners it finds. */

#include "runner/renewal.h"

#include <stdlib.h>

#include "base/fs.h"
#include "base/looper.h"
#include "base/mem.h"
#include "base/secret.h"
#include "codec/json.h"
#include "http/client.h"
#include "jobs/executor_env.h"

enum {
    FILE_MAX = 64 << 10,
    ANSWER_MAX = 256 << 10,
    CALL_MS = 10 * 1000,
    AGAIN_S = 5,
    PARTS = 3,
    SECONDS_MAX = 24 * 3600,
};

struct Renewal {
    char *server_file;
    Secret *authorization;
    HttpClient *client;
    Looper *looper;
};

/* The address to post to, on the heap; NULL when no server is known. */
static char *find_address(const Renewal *renewal, Arena *arena)
{
    auto_error Error err = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(FILE_MAX);
    Json *node = NULL;
    if (fs_read_file(renewal->server_file, &text, &err) < 0 ||
        json_parse(arena, buf_str(&text), &json_limits_config, &node, &err) < 0)
        return NULL;
    Str url = json_text(node, "url", STR_NONE);
    return url.n ? mem_printf("%.*s/jobs/self/renew", STR_ARG(url)) : NULL;
}

/* Seconds until the next time. */
static int64_t renew(const Renewal *renewal, Looper *looper)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    auto_http_reply HttpReply reply = {0};
    auto_free char *url = find_address(renewal, arena);
    const HttpHeader header = {"Authorization", secret_reveal(renewal->authorization)};
    const HttpCall call = {.method = "POST",
                           .url = url,
                           .headers = &header,
                           .n_headers = 1,
                           .body = STR("{}"),
                           .timeout_ms = CALL_MS,
                           .is_cancelled = looper_is_ending,
                           .cancel_context = looper};
    Json *node = NULL;
    http_reply_init(&reply, ANSWER_MAX);
    if (!url || http_client_send(renewal->client, &call, &reply, &err) < 0)
        return AGAIN_S;
    if (reply.status != 200 ||
        json_parse(arena, buf_str(&reply.body), &json_limits_config, &node, &err) < 0)
        return AGAIN_S;
    int64_t seconds = json_int(node, "token_seconds", 0) / PARTS;
    return seconds < 1 ? 1 : seconds > SECONDS_MAX ? SECONDS_MAX : seconds;
}

static void run(void *context, Looper *looper)
{
    const Renewal *renewal = context;
    int64_t seconds = 0;
    do
        seconds = renew(renewal, looper);
    while (looper_wait(looper, (int)seconds * 1000));
}

Renewal *renewal_start(const char *folder)
{
    const char *token = getenv(EXECUTOR_TOKEN);
    auto_error Error err = ERROR_INIT;
    if (!token || !*token)
        return NULL;
    Renewal *renewal = mem_alloc(sizeof(*renewal));
    char *header = mem_printf("Bearer %s", token);
    renewal->server_file = fs_join(folder, "../../server.json");
    renewal->authorization = secret_new(str_of(header));
    renewal->client = http_client_new();
    mem_wipe(header, strlen(header));
    free(header);
    if (looper_start(run, renewal, &renewal->looper, &err) == 0)
        return renewal;
    renewal_stop(renewal);
    return NULL;
}

void renewal_stop(Renewal *renewal)
{
    if (!renewal)
        return;
    looper_stop(renewal->looper);
    http_client_free(renewal->client);
    secret_free(renewal->authorization);
    free(renewal->server_file);
    free(renewal);
}
