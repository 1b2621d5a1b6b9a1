/* The steps are those of the AWS reference, "Create a signed AWS API request": canonical request,
   string to sign, signing key, signature. */

#include "codec/sigv4.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "codec/percent.h"

enum { CANONICAL_MAX = 256 * 1024, KEY_MAX = 256 };

#define ALGORITHM "AWS4-HMAC-SHA256"

typedef struct Pair {
    Str name;
    Str value;
} Pair;

typedef struct Pairs {
    Pair items[SIGV4_PAIRS_MAX];
    size_t n;
} Pairs;

/* What the steps share. */
typedef struct Signing {
    Arena *arena;
    const Sigv4Request *request;
    const Sigv4Keys *keys;
    char date[SIGV4_DATE_MAX];
    Pairs headers; /* lower-case, sorted by name, each name once */
    Str signed_names;
    Str scope;
} Signing;

/* Keeps the order by name, then by value if asked for; equal pairs stay as they came. */
static int pairs_insert(Pairs *pairs, Str name, Str value, bool by_value, Error *err)
{
    if (pairs->n == ARRAY_LEN(pairs->items))
        return error_set(err, ERR_BAD_DATA, "a request to sign has over %d headers or parameters",
                         SIGV4_PAIRS_MAX);
    size_t i = pairs->n++;
    for (; i > 0; i--) {
        int order = str_cmp(pairs->items[i - 1].name, name);
        if (order == 0 && by_value)
            order = str_cmp(pairs->items[i - 1].value, value);
        if (order <= 0)
            break;
        pairs->items[i] = pairs->items[i - 1];
    }
    pairs->items[i] = (Pair){name, value};
    return 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A part of a query, however it was encoded, in the one encoding that counts. */
static Str recode(Arena *arena, Str part)
{
    char *plain = arena_alloc(arena, part.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < part.n; i++) {
        int high = part.p[i] == '%' && part.n - i > 2 ? hex_value(part.p[i + 1]) : -1;
        int low = part.p[i] == '%' && part.n - i > 2 ? hex_value(part.p[i + 2]) : -1;
        if (high >= 0 && low >= 0) {
            plain[n++] = (char)(high * 16 + low);
            i += 2;
        } else {
            plain[n++] = part.p[i] == '+' ? ' ' : part.p[i];
        }
    }
    auto_buf Buf encoded = BUF_INIT(n * 3);
    percent_encode(&encoded, (Str){plain, n}, "");
    return arena_str(arena, buf_str(&encoded));
}

static int add_query(Arena *arena, Str query, Buf *ret, Error *err)
{
    Pairs pairs = {.n = 0};
    Str name = STR_NONE;
    Str value = STR_NONE;
    while (percent_next_pair(&query, &name, &value))
        if (pairs_insert(&pairs, recode(arena, name), recode(arena, value), true, err) < 0)
            return -1;
    for (size_t i = 0; i < pairs.n; i++) {
        buf_printf(ret, "%s%.*s=", i > 0 ? "&" : "", STR_ARG(pairs.items[i].name));
        buf_add_str(ret, pairs.items[i].value);
    }
    return 0;
}

static Str lower(Arena *arena, const char *name)
{
    char *copy = arena_strdup(arena, name);
    for (char *c = copy; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + ('a' - 'A'));
    return str_of(copy);
}

/* Without white space at the ends, and one space for each run of it. */
static Str squeeze(Arena *arena, Str value)
{
    char *copy = arena_alloc(arena, value.n + 1);
    size_t n = 0;
    Str trimmed = str_trim(value);
    for (size_t i = 0; i < trimmed.n; i++) {
        bool is_space = trimmed.p[i] == ' ' || trimmed.p[i] == '\t';
        if (!is_space)
            copy[n++] = trimmed.p[i];
        else if (copy[n - 1] != ' ')
            copy[n++] = ' ';
    }
    return (Str){copy, n};
}

static int add_header(Signing *signing, const char *name, Str value, Error *err)
{
    return pairs_insert(&signing->headers, lower(signing->arena, name),
                        squeeze(signing->arena, value), false, err);
}

/* Joins the values of each name, and lists the names. */
static void join_headers(Signing *signing)
{
    Pairs *headers = &signing->headers;
    size_t n = 0;
    const char *names = "";
    for (size_t i = 0; i < headers->n; i++) {
        Pair *item = &headers->items[i];
        if (n > 0 && str_eq(headers->items[n - 1].name, item->name)) {
            Str before = headers->items[n - 1].value;
            headers->items[n - 1].value = str_of(
                arena_printf(signing->arena, "%.*s,%.*s", STR_ARG(before), STR_ARG(item->value)));
            continue;
        }
        names =
            arena_printf(signing->arena, "%s%s%.*s", names, n > 0 ? ";" : "", STR_ARG(item->name));
        headers->items[n++] = *item;
    }
    headers->n = n;
    signing->signed_names = str_of(names);
}

static int signing_begin(Signing *signing, Error *err)
{
    const Sigv4Request *request = signing->request;
    if (str_find_str(signing->keys->access_key, STR("/")) >= 0)
        return error_set(err, ERR_USAGE, "the access key id is not well-formed");
    sigv4_date(request->now_us, signing->date);
    signing->scope = str_of(arena_printf(signing->arena, "%.8s/%s/%s/aws4_request", signing->date,
                                         request->region, request->service));
    for (size_t i = 0; i < request->n_headers; i++)
        if (add_header(signing, request->headers[i].name, request->headers[i].value, err) < 0)
            return -1;
    return 0;
}

/* The hash of the canonical request. */
static int hash_request(const Signing *signing, Str query, char ret[DIGEST_HEX_MAX], Error *err)
{
    const Sigv4Request *request = signing->request;
    auto_buf Buf text = BUF_INIT(CANONICAL_MAX);
    buf_printf(&text, "%s\n", request->method);
    sigv4_add_path(&text, request->path);
    buf_addc(&text, '\n');
    if (add_query(signing->arena, query, &text, err) < 0)
        return -1;
    buf_addc(&text, '\n');
    for (size_t i = 0; i < signing->headers.n; i++) {
        buf_add_str(&text, signing->headers.items[i].name);
        buf_addc(&text, ':');
        buf_add_str(&text, signing->headers.items[i].value);
        buf_addc(&text, '\n');
    }
    buf_printf(&text, "\n%.*s\n", STR_ARG(signing->signed_names));
    buf_add_str(&text, request->payload_hash);
    if (buf_check(&text, "a request to sign", err) < 0)
        return -1;
    digest_sha256_hex(buf_str(&text), ret);
    return 0;
}

static int make_key(const Signing *signing, unsigned char ret[DIGEST_SIZE], Error *err)
{
    Str secret = signing->keys->secret_key;
    char first[KEY_MAX] = "AWS4";
    if (secret.n == 0 || secret.n > sizeof(first) - 4)
        return error_set(err, ERR_USAGE, "the secret access key is not well-formed");
    memcpy(first + 4, secret.p, secret.n);
    const Str parts[] = {{signing->date, 8},
                         str_of(signing->request->region),
                         str_of(signing->request->service),
                         STR("aws4_request")};
    Str key = {first, 4 + secret.n};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        unsigned char next[DIGEST_SIZE];
        digest_hmac_sha256(key, parts[i], next);
        memcpy(ret, next, DIGEST_SIZE);
        mem_wipe(next, sizeof(next));
        key = (Str){(const char *)ret, DIGEST_SIZE};
    }
    mem_wipe(first, sizeof(first));
    return 0;
}

static int add_signature(const Signing *signing, Str query, Buf *ret, Error *err)
{
    char hash[DIGEST_HEX_MAX];
    unsigned char key[DIGEST_SIZE];
    unsigned char signature[DIGEST_SIZE];
    if (hash_request(signing, query, hash, err) < 0 || make_key(signing, key, err) < 0)
        return -1;
    const char *text = arena_printf(signing->arena, ALGORITHM "\n%s\n%.*s\n%s", signing->date,
                                    STR_ARG(signing->scope), hash);
    digest_hmac_sha256((Str){(const char *)key, sizeof(key)}, str_of(text), signature);
    mem_wipe(key, sizeof(key));
    digest_add_hex(ret, (Str){(const char *)signature, sizeof(signature)});
    return buf_check(ret, "a signed request", err);
}

void sigv4_add_path(Buf *buf, Str path)
{
    percent_encode(buf, path.n ? path : STR("/"), "/");
}

char *sigv4_date(int64_t instant_us, char text[SIGV4_DATE_MAX])
{
    char full[CLOCK_TEXT_MAX];
    size_t n = 0;
    clock_format(instant_us, full);
    for (const char *c = full; *c && *c != '.' && *c != 'Z' && n < SIGV4_DATE_MAX - 2; c++)
        if (*c != '-' && *c != ':')
            text[n++] = *c;
    text[n++] = 'Z';
    text[n] = '\0';
    return text;
}

int sigv4_sign(const Sigv4Request *request, const Sigv4Keys *keys, Buf *ret, Error *err)
{
    auto_arena Arena *arena = arena_new();
    Signing signing = {.arena = arena, .request = request, .keys = keys};
    if (signing_begin(&signing, err) < 0 ||
        add_header(&signing, "x-amz-date", str_of(signing.date), err) < 0)
        return -1;
    if (keys->session_token.n > 0 &&
        add_header(&signing, "x-amz-security-token", keys->session_token, err) < 0)
        return -1;
    join_headers(&signing);
    buf_printf(ret, ALGORITHM " Credential=%.*s/%.*s, SignedHeaders=%.*s, Signature=",
               STR_ARG(keys->access_key), STR_ARG(signing.scope), STR_ARG(signing.signed_names));
    return add_signature(&signing, request->query, ret, err);
}

int sigv4_presign(const Sigv4Request *request, const Sigv4Keys *keys, int expires_s, Buf *ret,
                  Error *err)
{
    if (expires_s < 1 || expires_s > SIGV4_EXPIRES_MAX_S)
        return error_set(err, ERR_USAGE, "a signed address holds from 1 to %d seconds",
                         SIGV4_EXPIRES_MAX_S);
    auto_arena Arena *arena = arena_new();
    Signing signing = {.arena = arena, .request = request, .keys = keys};
    if (signing_begin(&signing, err) < 0)
        return -1;
    join_headers(&signing);
    auto_buf Buf query = BUF_INIT(CANONICAL_MAX);
    buf_add_str(&query, request->query);
    const char *credential =
        arena_printf(arena, "%.*s/%.*s", STR_ARG(keys->access_key), STR_ARG(signing.scope));
    percent_add_pair(&query, STR("X-Amz-Algorithm"), STR(ALGORITHM));
    percent_add_pair(&query, STR("X-Amz-Credential"), str_of(credential));
    percent_add_pair(&query, STR("X-Amz-Date"), str_of(signing.date));
    percent_add_pair(&query, STR("X-Amz-Expires"), str_of(arena_printf(arena, "%d", expires_s)));
    percent_add_pair(&query, STR("X-Amz-SignedHeaders"), signing.signed_names);
    if (keys->session_token.n > 0)
        percent_add_pair(&query, STR("X-Amz-Security-Token"), keys->session_token);
    if (buf_check(&query, "a signed address", err) < 0)
        return -1;
    buf_add_str(ret, buf_str(&query));
    buf_addz(ret, "&X-Amz-Signature=");
    return add_signature(&signing, buf_str(&query), ret, err);
}
