/* Three times in the life of a token; sooner again when the server did not answer, which may be
   starting anew at another address: server.json is read each time. Also when it did not know the
   token: a server that comes back late moves the end of those on whose runners it finds. */

#include "runner/renewal.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/thread.h"
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
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool is_ending;
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

static bool is_ending(void *context)
{
    Renewal *renewal = context;
    (void)pthread_mutex_lock(&renewal->lock);
    bool answer = renewal->is_ending;
    (void)pthread_mutex_unlock(&renewal->lock);
    return answer;
}

/* Seconds until the next time. */
static int64_t renew(Renewal *renewal)
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
                           .is_cancelled = is_ending,
                           .cancel_context = renewal};
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

static void *run(void *context)
{
    Renewal *renewal = context;
    (void)pthread_mutex_lock(&renewal->lock);
    while (!renewal->is_ending) {
        (void)pthread_mutex_unlock(&renewal->lock);
        struct timespec until = clock_deadline(renew(renewal) * 1000);
        (void)pthread_mutex_lock(&renewal->lock);
        while (!renewal->is_ending &&
               pthread_cond_timedwait(&renewal->changed, &renewal->lock, &until) == 0)
            ;
    }
    (void)pthread_mutex_unlock(&renewal->lock);
    return NULL;
}

static void free_renewal(Renewal *renewal)
{
    http_client_free(renewal->client);
    secret_free(renewal->authorization);
    (void)pthread_cond_destroy(&renewal->changed);
    (void)pthread_mutex_destroy(&renewal->lock);
    free(renewal->server_file);
    free(renewal);
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
    (void)pthread_mutex_init(&renewal->lock, NULL);
    thread_cond_init(&renewal->changed);
    mem_wipe(header, strlen(header));
    free(header);
    if (thread_start(&renewal->thread, run, renewal, &err) == 0)
        return renewal;
    free_renewal(renewal);
    return NULL;
}

void renewal_stop(Renewal *renewal)
{
    if (!renewal)
        return;
    (void)pthread_mutex_lock(&renewal->lock);
    renewal->is_ending = true;
    (void)pthread_cond_signal(&renewal->changed);
    (void)pthread_mutex_unlock(&renewal->lock);
    (void)pthread_join(renewal->thread, NULL);
    free_renewal(renewal);
}
