/* From the claims of a token to a Caller, and the Callers of tokens that were checked before. */

#include "access/identity_oidc.h"

#include <pthread.h>
#include <stdlib.h>

#include "access/access.h"
#include "access/jwks.h"
#include "base/clock.h"
#include "base/mem.h"
#include "codec/digest.h"

enum {
    GROUPS_MAX = 512,
    SETS = 512, /* of the cache; a token has its place in one of them */
    WAYS = 4,
    KEPT_SECONDS = 15 * 60,
    NOT_BEFORE_LEEWAY_SECONDS = 60,
};

/* A Caller of the cache; its strings are in an arena of its own. */
typedef struct Known {
    unsigned char digest[DIGEST_SIZE];
    int64_t until_us; /* 0: free */
    Arena *arena;
    Caller caller;
} Known;

typedef struct OidcIdentity {
    Identity face; /* first, so that a pointer to one is a pointer to the other */
    IdentityOidcOptions options;
    Arena *arena; /* of the options */
    Jwks *jwks;
    pthread_mutex_t lock; /* of what follows */
    Known known[SETS][WAYS];
} OidcIdentity;

/* --- permissions --- */

/* What the claims grant, each once; suffixes tell reading from writing. */
typedef struct Grants {
    Arena *arena;
    const char *items[GROUPS_MAX];
    size_t n;
    size_t n_model;     /* grants of model groups */
    size_t n_read_only; /* of which only for reading */
    bool is_over;       /* more than there is room for */
} Grants;

static void add_grant(Grants *grants, Str name)
{
    name = str_trim(name);
    if (name.n == 0)
        return;
    if (str_starts(name, STR(ACCESS_GROUP_PREFIX))) {
        bool is_read_only = str_ends(name, STR(":read"));
        grants->n_model++;
        grants->n_read_only += is_read_only;
        if (is_read_only)
            name.n -= strlen(":read");
        else if (str_ends(name, STR(":write")))
            name.n -= strlen(":write");
    }
    for (size_t i = 0; i < grants->n; i++)
        if (str_eqz(name, grants->items[i]))
            return;
    if (grants->n == GROUPS_MAX) {
        grants->is_over = true;
        return;
    }
    grants->items[grants->n++] = arena_strndup(grants->arena, name.p, name.n);
}

typedef bool GrantFilter(Str name);

static bool is_any(Str name)
{
    return name.n > 0;
}

static bool is_public(Str name)
{
    return str_eqz(name, ACCESS_GROUP_PUBLIC) || str_eqz(name, ACCESS_GROUP_PUBLIC ":read");
}

static void add_words(Grants *grants, Str words, GrantFilter *filter)
{
    Str word = STR_NONE;
    while (str_split(&words, ' ', &word))
        if (filter(str_trim(word)))
            add_grant(grants, word);
}

/* A list of names, or one text with names separated by spaces. */
static void add_claim(Grants *grants, const Json *claim, GrantFilter *filter)
{
    if (!claim)
        return;
    if (claim->type == JSON_STRING)
        add_words(grants, claim->text, filter);
    if (claim->type != JSON_ARRAY)
        return;
    for (const Json *item = claim->first; item; item = item->next)
        if (item->type == JSON_STRING && filter(str_trim(item->text)))
            add_grant(grants, item->text);
}

static bool is_in_words(const char *words, const char *name)
{
    Str rest = str_of(words);
    Str word = STR_NONE;
    while (words && str_split(&rest, ' ', &word))
        if (word.n > 0 && str_eqz(word, name))
            return true;
    return false;
}

static bool is_admin(const OidcIdentity *self, const Json *claims, const Grants *grants)
{
    const Json *claim =
        self->options.admin_claim ? json_get(claims, self->options.admin_claim) : NULL;
    if (claim && claim->type == JSON_BOOL && claim->boolean)
        return true;
    for (size_t i = 0; i < grants->n; i++)
        if (is_in_words(self->options.admin_permissions, grants->items[i]))
            return true;
    return false;
}

static int read_grants(const OidcIdentity *self, const Json *claims, Arena *arena, Caller *ret,
                       Error *err)
{
    Grants grants = {.arena = arena};
    add_claim(&grants, json_get(claims, "permissions"), is_any);
    add_claim(&grants, json_get(claims, "cognito:groups"), is_any);
    add_claim(&grants, json_get(claims, "scp"), is_public);
    if (grants.n == 0 && self->options.default_permissions)
        add_words(&grants, str_of(self->options.default_permissions), is_any);
    if (grants.is_over)
        return error_set(err, ERR_DENIED, "the access token names over %d groups", GROUPS_MAX);
    ret->is_admin = is_admin(self, claims, &grants);
    ret->is_read_only = grants.n_model > 0 && grants.n_read_only == grants.n_model;
    if (self->options.is_public_only) {
        grants.items[0] = ACCESS_GROUP_PUBLIC;
        grants.n = 1;
        ret->sees_public = true;
    }
    const char **groups = arena_array(arena, grants.n + 1, sizeof(*groups));
    memcpy(groups, grants.items, grants.n * sizeof(*groups));
    ret->groups = groups;
    ret->n_groups = grants.n;
    return 0;
}

/* --- claims --- */

static bool is_audience(const OidcIdentity *self, Arena *arena, const Json *claim)
{
    return claim && claim->type == JSON_STRING &&
           is_in_words(self->options.audiences, arena_strndup(arena, claim->text.p, claim->text.n));
}

/* Of a token without "aud" the client that it was made for counts, as Amazon Cognito has it. */
static bool is_for_us(const OidcIdentity *self, Arena *arena, const Json *claims)
{
    const Json *claim = json_get(claims, "aud");
    if (json_is_null(claim))
        claim = json_get(claims, "client_id");
    if (claim && claim->type == JSON_ARRAY) {
        for (const Json *item = claim->first; item; item = item->next)
            if (is_audience(self, arena, item))
                return true;
        return false;
    }
    return is_audience(self, arena, claim);
}

static int refuse(Error *err, const char *code, const char *message)
{
    (void)error_set(err, ERR_LOGIN, "%s", message);
    return error_code(err, code);
}

static bool read_seconds(const Json *claims, const char *name, double *ret)
{
    return json_number(json_get(claims, name), ret) && *ret > 0 && *ret < 1e11;
}

static int check_claims(const OidcIdentity *self, const Json *claims, Arena *arena,
                        int64_t *ret_expires_us, Error *err)
{
    double expires_s = 0;
    double begins_s = 0;
    double now_s = (double)clock_now_us() / 1e6;
    const Json *use = json_get(claims, "token_use");
    if (!str_eqz(json_text(claims, "iss", STR_NONE), self->options.issuer))
        return refuse(err, "token.issuer", "the access token is of another issuer");
    if (!is_for_us(self, arena, claims))
        return refuse(err, "token.audience", "the access token is not for this server");
    if (!json_is_null(use) && !str_eqz(json_text(claims, "token_use", STR_NONE), "access"))
        return refuse(err, "token.use", "the token is not an access token");
    if (!read_seconds(claims, "exp", &expires_s))
        return refuse(err, "token.expiry", "the access token does not say when it expires");
    if (expires_s <= now_s)
        return refuse(err, "token.expired", "Your access token has expired. Please log in again");
    if (json_get(claims, "nbf") &&
        (!read_seconds(claims, "nbf", &begins_s) || begins_s > now_s + NOT_BEFORE_LEEWAY_SECONDS))
        return refuse(err, "token.not_yet", "the access token is not valid yet");
    if (json_text(claims, "sub", STR("")).n == 0)
        return refuse(err, "token.subject", "the access token does not say whose it is");
    *ret_expires_us = (int64_t)(expires_s * 1e6);
    return 0;
}

static int read_caller(OidcIdentity *self, Str token, Arena *arena, Caller *ret, Error *err)
{
    Json *claims = NULL;
    Caller caller = {0};
    if (jwks_verify(self->jwks, token, arena, &claims, err) < 0 ||
        check_claims(self, claims, arena, &caller.expires_us, err) < 0 ||
        read_grants(self, claims, arena, &caller, err) < 0)
        return -1;
    Str sub = json_text(claims, "sub", STR(""));
    Str email = json_text(claims, self->options.email_claim ? self->options.email_claim : "email",
                          STR_NONE);
    if (memchr(sub.p, '\0', sub.n))
        return refuse(err, "token.subject", "the access token does not say whose it is");
    caller.sub = arena_strndup(arena, sub.p, sub.n);
    caller.email = email.p ? arena_strndup(arena, email.p, email.n) : NULL;
    *ret = caller;
    return 0;
}

/* --- tokens that were checked before --- */

static Caller copy_caller(const Caller *from, Arena *arena)
{
    Caller to = *from;
    const char **groups = arena_array(arena, from->n_groups + 1, sizeof(*groups));
    for (size_t i = 0; i < from->n_groups; i++)
        groups[i] = arena_strdup(arena, from->groups[i]);
    to.sub = arena_strdup(arena, from->sub);
    to.email = from->email ? arena_strdup(arena, from->email) : NULL;
    to.groups = groups;
    return to;
}

static Known *set_of(OidcIdentity *self, const unsigned char digest[DIGEST_SIZE])
{
    return self->known[(digest[0] | (size_t)digest[1] << 8) % SETS];
}

static bool is_same(const unsigned char a[DIGEST_SIZE], const unsigned char b[DIGEST_SIZE])
{
    return digest_equal((Str){(const char *)a, DIGEST_SIZE}, (Str){(const char *)b, DIGEST_SIZE});
}

static bool find_known(OidcIdentity *self, const unsigned char digest[DIGEST_SIZE], Arena *arena,
                       Caller *ret)
{
    bool is_found = false;
    int64_t now_us = clock_now_us();
    pthread_mutex_lock(&self->lock);
    const Known *set = set_of(self, digest);
    for (size_t i = 0; i < WAYS && !is_found; i++) {
        if (set[i].until_us <= now_us || !is_same(set[i].digest, digest))
            continue;
        *ret = copy_caller(&set[i].caller, arena);
        is_found = true;
    }
    pthread_mutex_unlock(&self->lock);
    return is_found;
}

/* Takes the place of the one that ends first. */
static void keep_known(OidcIdentity *self, const unsigned char digest[DIGEST_SIZE],
                       const Caller *caller)
{
    int64_t until_us = clock_now_us() + KEPT_SECONDS * CLOCK_SECOND;
    pthread_mutex_lock(&self->lock);
    Known *set = set_of(self, digest);
    Known *place = &set[0];
    for (size_t i = 1; i < WAYS; i++)
        if (set[i].until_us < place->until_us)
            place = &set[i];
    if (!place->arena)
        place->arena = arena_new();
    arena_reset(place->arena);
    memcpy(place->digest, digest, DIGEST_SIZE);
    place->caller = copy_caller(caller, place->arena);
    place->until_us = caller->expires_us < until_us ? caller->expires_us : until_us;
    pthread_mutex_unlock(&self->lock);
}

static int check(Identity *identity, Arena *arena, const IdentityProof *proof, Caller *ret,
                 Error *err)
{
    OidcIdentity *self = (OidcIdentity *)identity;
    Str token = proof->authorization.p ? identity_bearer(proof->authorization) : proof->cookie;
    if (!token.p || token.n == 0)
        return refuse(err, "token.missing", "you must provide an access token");
    unsigned char digest[DIGEST_SIZE];
    digest_sha256(token, digest);
    Caller caller = {0};
    if (!find_known(self, digest, arena, &caller)) {
        if (read_caller(self, token, arena, &caller, err) < 0)
            return -1;
        keep_known(self, digest, &caller);
    }
    caller.by_cookie = !proof->authorization.p;
    *ret = caller;
    return 0;
}

/* --- the rest of the face --- */

static int mint(Identity *identity, const Caller *caller, char code[IDENTITY_CODE_MAX], Error *err)
{
    (void)identity;
    (void)caller;
    (void)code;
    return error_set(err, ERR_NOT_FOUND, "browsers log in with the identity provider here");
}

static int redeem(Identity *identity, Str code, char cookie[IDENTITY_COOKIE_MAX], Error *err)
{
    (void)identity;
    (void)code;
    (void)cookie;
    return error_set(err, ERR_LOGIN, "browsers log in with the identity provider here");
}

/* A token lives until it expires; the browser forgets it. */
static int forget(Identity *identity, Str cookie, Error *err)
{
    (void)identity;
    (void)cookie;
    (void)err;
    return 0;
}

static void close_oidc(Identity *identity)
{
    OidcIdentity *self = (OidcIdentity *)identity;
    for (size_t i = 0; i < SETS; i++)
        for (size_t j = 0; j < WAYS; j++)
            arena_free(self->known[i][j].arena);
    jwks_free(self->jwks);
    arena_free(self->arena);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static const Identity oidc_face = {
    .name = "oidc",
    .check = check,
    .mint = mint,
    .redeem = redeem,
    .forget = forget,
    .close = close_oidc,
};

static const char *kept(Arena *arena, const char *text)
{
    return text ? arena_strdup(arena, text) : NULL;
}

int identity_oidc_open(const IdentityOidcOptions *options, Identity **ret, Error *err)
{
    if (!options->issuer || !*options->issuer || !options->audiences || !*options->audiences ||
        !options->jwks_uri || !*options->jwks_uri)
        return error_set(err, ERR_USAGE,
                         "an identity provider needs an issuer, an audience and a key address");
    OidcIdentity *self = mem_alloc(sizeof(*self));
    self->face = oidc_face;
    self->arena = arena_new();
    self->options = (IdentityOidcOptions){
        .issuer = kept(self->arena, options->issuer),
        .audiences = kept(self->arena, options->audiences),
        .jwks_uri = kept(self->arena, options->jwks_uri),
        .email_claim = kept(self->arena, options->email_claim),
        .default_permissions = kept(self->arena, options->default_permissions),
        .admin_claim = kept(self->arena, options->admin_claim),
        .admin_permissions = kept(self->arena, options->admin_permissions),
        .is_public_only = options->is_public_only,
    };
    self->jwks = jwks_new(self->options.jwks_uri);
    pthread_mutex_init(&self->lock, NULL);
    *ret = &self->face;
    return 0;
}
