/* Three times in the life of a token; sooner again when the server did not answer. It is asked at
   the address that the runner was given at its start, which counts on every machine; then at that
   of server.json, which is read each time, for a server that was started anew may be elsewhere.
   Also when it did not know the token: a server that comes back late moves the end of those on
   whose runners it finds. */

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
    char *api_url; /* NULL: none was given */
    char *server_file;
    Secret *authorization;
    HttpClient *client;
    Looper *looper;
};

/* The address of the server of this folder, in the arena; STR_NONE when none is known. */
static Str find_server(const Renewal *renewal, Arena *arena)
{
    auto_error Error err = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(FILE_MAX);
    Json *node = NULL;
    if (fs_read_file(renewal->server_file, &text, &err) < 0 ||
        json_parse(arena, buf_str(&text), &json_limits_config, &node, &err) < 0)
        return STR_NONE;
    return json_text(node, "url", STR_NONE);
}

/* Asks the server at this address; seconds until the next time, 0 when it did not renew. */
static int64_t renew_at(const Renewal *renewal, Str server, Looper *looper)
{
    if (!server.n)
        return 0;
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    auto_http_reply HttpReply reply = {0};
    auto_free char *url = mem_printf("%.*s/jobs/self/renew", STR_ARG(server));
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
    if (http_client_send(renewal->client, &call, &reply, &err) < 0 || reply.status != 200 ||
        json_parse(arena, buf_str(&reply.body), &json_limits_config, &node, &err) < 0)
        return 0;
    int64_t seconds = json_int(node, "token_seconds", 0) / PARTS;
    return seconds < 1 ? 1 : seconds > SECONDS_MAX ? SECONDS_MAX : seconds;
}

static void run(void *context, Looper *looper)
{
    const Renewal *renewal = context;
    int64_t seconds = 0;
    do {
        auto_arena Arena *arena = arena_new();
        seconds = renew_at(renewal, str_of(renewal->api_url), looper);
        if (!seconds)
            seconds = renew_at(renewal, find_server(renewal, arena), looper);
    } while (looper_wait(looper, (int)(seconds ? seconds : AGAIN_S) * 1000));
}

Renewal *renewal_start(const char *folder)
{
    const char *token = getenv(EXECUTOR_TOKEN);
    const char *api_url = getenv(EXECUTOR_API_URL);
    auto_error Error err = ERROR_INIT;
    if (!token || !*token)
        return NULL;
    Renewal *renewal = mem_alloc(sizeof(*renewal));
    char *header = mem_printf("Bearer %s", token);
    renewal->api_url = api_url ? mem_strdup(api_url) : NULL;
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
    free(renewal->api_url);
    free(renewal->server_file);
    free(renewal);
}
