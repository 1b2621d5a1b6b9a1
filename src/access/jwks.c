/* One thread fetches, the others wait for it; nobody checks while the keys are being replaced. */

#include "access/jwks.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/jwt.h"
#include "http/client.h"

enum { FETCH_TIMEOUT_MS = 5000 };

struct Jwks {
    char *uri;

    pthread_mutex_t fetching; /* of what follows */
    HttpClient *client;
    int64_t tried_ms; /* 0: never */
    bool has_failed;

    pthread_rwlock_t lock; /* of what follows; taken after `fetching` */
    JwtKeys *keys;         /* NULL: none yet */
    int64_t fetched_ms;
};

Jwks *jwks_new(const char *uri)
{
    Jwks *jwks = mem_alloc(sizeof(*jwks));
    jwks->uri = mem_strdup(uri);
    pthread_mutex_init(&jwks->fetching, NULL);
    pthread_rwlock_init(&jwks->lock, NULL);
    return jwks;
}

void jwks_free(Jwks *jwks)
{
    if (!jwks)
        return;
    http_client_free(jwks->client);
    jwt_keys_free(jwks->keys);
    pthread_mutex_destroy(&jwks->fetching);
    pthread_rwlock_destroy(&jwks->lock);
    free(jwks->uri);
    free(jwks);
}

static int fetch(Jwks *jwks, Error *err)
{
    auto_http_reply HttpReply reply;
    http_reply_init(&reply, JWT_KEY_SET_MAX);
    if (!jwks->client)
        jwks->client = http_client_new();
    const HttpHeader accept = {"Accept", STR("application/json")};
    const HttpCall call = {.method = "GET",
                           .url = jwks->uri,
                           .headers = &accept,
                           .n_headers = 1,
                           .timeout_ms = FETCH_TIMEOUT_MS};
    if (http_client_send(jwks->client, &call, &reply, err) < 0)
        return -1;
    if (reply.status != 200)
        return error_set(err, ERR_UNREACHABLE, "it answers with status %d", reply.status);
    JwtKeys *keys = NULL;
    if (jwt_keys_read(buf_str(&reply.body), &keys, err) < 0)
        return -1;
    pthread_rwlock_wrlock(&jwks->lock);
    JwtKeys *old = jwks->keys;
    jwks->keys = keys;
    jwks->fetched_ms = clock_monotonic_ms();
    pthread_rwlock_unlock(&jwks->lock);
    jwt_keys_free(old);
    return 0;
}

/* Fetches the keys unless that was done less than gap_s ago; whoever waited for another's fetch
   finds it done. -1 when it failed, now or just before. */
static int refresh(Jwks *jwks, int64_t gap_s, Error *err)
{
    pthread_mutex_lock(&jwks->fetching);
    int64_t gap_ms = (jwks->has_failed ? JWKS_RETRY_SECONDS : gap_s) * 1000;
    int rc = 0;
    if (jwks->tried_ms == 0 || clock_monotonic_ms() - jwks->tried_ms >= gap_ms) {
        rc = fetch(jwks, err);
        jwks->has_failed = rc < 0;
        jwks->tried_ms = clock_monotonic_ms();
    } else if (jwks->has_failed) {
        rc = error_set(err, ERR_UNREACHABLE, "they could not be fetched a moment ago");
    }
    pthread_mutex_unlock(&jwks->fetching);
    if (rc == 0)
        return 0;
    err->kind = ERR_UNREACHABLE;
    return error_wrap(err, "cannot get the keys of the identity provider");
}

/* How old the keys are; INT64_MAX when there are none. */
static int64_t age_ms(Jwks *jwks)
{
    pthread_rwlock_rdlock(&jwks->lock);
    int64_t age = jwks->keys ? clock_monotonic_ms() - jwks->fetched_ms : INT64_MAX;
    pthread_rwlock_unlock(&jwks->lock);
    return age;
}

static int ensure(Jwks *jwks, Error *err)
{
    if (age_ms(jwks) < (int64_t)JWKS_FRESH_SECONDS * 1000)
        return 0;
    auto_error Error problem = ERROR_INIT;
    if (refresh(jwks, JWKS_RETRY_SECONDS, &problem) == 0 ||
        age_ms(jwks) < (int64_t)JWKS_STALE_SECONDS * 1000)
        return 0;
    return error_move(err, &problem);
}

static int verify(Jwks *jwks, Str token, Arena *arena, Json **ret_claims, Error *err)
{
    pthread_rwlock_rdlock(&jwks->lock);
    int rc = jwt_verify(jwks->keys, token, arena, ret_claims, err);
    pthread_rwlock_unlock(&jwks->lock);
    return rc;
}

int jwks_verify(Jwks *jwks, Str token, Arena *arena, Json **ret_claims, Error *err)
{
    if (ensure(jwks, err) < 0)
        return -1;
    auto_error Error problem = ERROR_INIT;
    if (verify(jwks, token, arena, ret_claims, &problem) == 0)
        return 0;
    if (!problem.code || strcmp(problem.code, "jwt.unknown_key") != 0)
        return error_move(err, &problem);
    auto_error Error ignored = ERROR_INIT; /* the token's problem is the one to tell */
    if (refresh(jwks, JWKS_UNKNOWN_SECONDS, &ignored) < 0)
        return error_move(err, &problem);
    return verify(jwks, token, arena, ret_claims, err);
}
