/* A table of hashes of refresh tokens; whoever puts one in talks to the provider, without the lock.
 */

#include "access/refresher.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "codec/digest.h"

enum { WAIT_SECONDS = 15 }; /* longer than a call to the provider may take */

typedef enum TradeState { TRADE_NONE, TRADE_RUNNING, TRADE_DONE, TRADE_REFUSED } TradeState;

typedef struct Trade {
    TradeState state;
    unsigned char digest[DIGEST_SIZE]; /* of the token that was given */
    int64_t until_us;                  /* TRADE_DONE, TRADE_REFUSED: forgotten then */
    Secret *access;
    Secret *refresh;
    char *token_type;
    int64_t expires_us; /* 0: not said */
} Trade;

struct Refresher {
    char *token_endpoint;
    char *client_id;
    pthread_mutex_t lock; /* of the trades */
    pthread_cond_t changed;
    Trade trades[REFRESHER_MAX];
};

static void trade_reset(Trade *trade)
{
    secret_free(trade->access);
    secret_free(trade->refresh);
    free(trade->token_type);
    *trade = (Trade){0};
}

Refresher *refresher_new(const char *token_endpoint, const char *client_id)
{
    Refresher *refresher = mem_alloc(sizeof(*refresher));
    refresher->token_endpoint = mem_strdup(token_endpoint);
    refresher->client_id = mem_strdup(client_id);
    pthread_mutex_init(&refresher->lock, NULL);
    thread_cond_init(&refresher->changed);
    return refresher;
}

void refresher_free(Refresher *refresher)
{
    if (!refresher)
        return;
    for (size_t i = 0; i < REFRESHER_MAX; i++)
        trade_reset(&refresher->trades[i]);
    pthread_cond_destroy(&refresher->changed);
    pthread_mutex_destroy(&refresher->lock);
    free(refresher->token_endpoint);
    free(refresher->client_id);
    free(refresher);
}

/* The trade of a token; else NULL and in *ret_place where it can go: a free place, else that of the
   one that is forgotten next; NULL when all are running. */
static Trade *find(Refresher *refresher, const unsigned char digest[DIGEST_SIZE], Trade **ret_place)
{
    int64_t now_us = clock_now_us();
    Trade *place = NULL;
    for (size_t i = 0; i < REFRESHER_MAX; i++) {
        Trade *trade = &refresher->trades[i];
        if (trade->state > TRADE_RUNNING && trade->until_us <= now_us)
            trade_reset(trade);
        if (trade->state != TRADE_NONE && memcmp(trade->digest, digest, DIGEST_SIZE) == 0)
            return trade;
        if (trade->state != TRADE_RUNNING && (!place || trade->until_us < place->until_us))
            place = trade;
    }
    *ret_place = place;
    return NULL;
}

static int ask_provider(const Refresher *refresher, Arena *arena, Str token, OidcTokens *ret,
                        Error *err)
{
    const OidcField fields[] = {
        {"grant_type", STR("refresh_token")},
        {"refresh_token", token},
        {"client_id", str_of(refresher->client_id)},
    };
    if (oidc_trade(arena, refresher->token_endpoint, fields, ARRAY_LEN(fields), ret, err) < 0)
        return -1;
    if (!ret->refresh_token)
        ret->refresh_token = arena_strndup(arena, token.p, token.n);
    return 0;
}

/* What the provider said, for whoever waits and whoever comes next. That it could not be reached is
   nothing to remember. */
static void keep(Trade *trade, const OidcTokens *tokens, const Error *problem)
{
    int64_t now_us = clock_now_us();
    trade->until_us = now_us + REFRESHER_KEPT_SECONDS * CLOCK_SECOND;
    trade->state = problem ? TRADE_REFUSED : TRADE_DONE;
    if (problem && problem->kind != ERR_LOGIN)
        *trade = (Trade){0}; /* one that runs has nothing yet */
    if (problem)
        return;
    trade->access = secret_new(str_of(tokens->access_token));
    trade->refresh = secret_new(str_of(tokens->refresh_token));
    trade->token_type = tokens->token_type ? mem_strdup(tokens->token_type) : NULL;
    trade->expires_us = tokens->expires_s > 0 ? now_us + tokens->expires_s * CLOCK_SECOND : 0;
}

static int answer(const Trade *trade, Arena *arena, OidcTokens *ret, Error *err)
{
    if (trade->state == TRADE_REFUSED) {
        (void)error_set(err, ERR_LOGIN, "the identity provider refuses to go on with this login");
        return error_fix(err, "log in again");
    }
    Str access = secret_reveal(trade->access);
    Str refresh = secret_reveal(trade->refresh);
    int64_t left_s = (trade->expires_us - clock_now_us()) / CLOCK_SECOND;
    *ret = (OidcTokens){
        .access_token = arena_strndup(arena, access.p, access.n),
        .refresh_token = arena_strndup(arena, refresh.p, refresh.n),
        .token_type = trade->token_type ? arena_strdup(arena, trade->token_type) : NULL,
        .expires_s = trade->expires_us == 0 ? 0
                     : left_s > 1           ? left_s
                                            : 1,
    };
    return 0;
}

/* Waits until the trade of a token is not running any more; NULL when there is none then. */
static Trade *wait_for(Refresher *refresher, const unsigned char digest[DIGEST_SIZE],
                       Trade **ret_place, bool *ret_is_late)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WAIT_SECONDS;
    Trade *trade = find(refresher, digest, ret_place);
    while (trade && trade->state == TRADE_RUNNING && !*ret_is_late) {
        *ret_is_late = pthread_cond_timedwait(&refresher->changed, &refresher->lock, &until) != 0;
        trade = find(refresher, digest, ret_place);
    }
    return trade;
}

int refresher_trade(Refresher *refresher, Arena *arena, Str refresh_token, OidcTokens *ret,
                    Error *err)
{
    unsigned char digest[DIGEST_SIZE];
    Trade *place = NULL;
    bool is_late = false;
    int rc = -1;
    digest_sha256(refresh_token, digest);
    pthread_mutex_lock(&refresher->lock);
    Trade *known = wait_for(refresher, digest, &place, &is_late);
    if (known && known->state == TRADE_RUNNING)
        rc = error_set(err, ERR_TIMEOUT, "the identity provider does not answer");
    else if (known)
        rc = answer(known, arena, ret, err);
    else if (!place)
        rc = error_set(err, ERR_BUSY, "too many logins are being renewed");
    if (known || !place) {
        pthread_mutex_unlock(&refresher->lock);
        return rc;
    }
    trade_reset(place);
    place->state = TRADE_RUNNING;
    memcpy(place->digest, digest, DIGEST_SIZE);
    pthread_mutex_unlock(&refresher->lock);
    rc = ask_provider(refresher, arena, refresh_token, ret, err);
    pthread_mutex_lock(&refresher->lock);
    keep(place, ret, rc < 0 ? err : NULL);
    pthread_cond_broadcast(&refresher->changed);
    pthread_mutex_unlock(&refresher->lock);
    return rc;
}
