/* Sessions and codes in two small arrays under one lock. */

#include "access/session.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/secret.h"
#include "codec/json.h"
#include "codec/json_out.h"

enum { HASH_BYTES = 32, HASH_TEXT = 2 * HASH_BYTES + 1, COOKIE_BYTES = 32, CODE_BYTES = 32 };
enum { FILE_BYTES_MAX = 128 * 1024, SUB_MAX = 256 };

/* A code or a session: the hash of its text, whose it is, and when it ends. */
typedef struct Entry {
    char hash[HASH_TEXT];
    char *sub;
    int64_t expires_us;
} Entry;

typedef struct Entries {
    Entry *items; /* oldest first */
    size_t n;
    size_t max;
} Entries;

struct Sessions {
    pthread_mutex_t lock; /* of codes, kept, and the file */
    char *path;
    Entries codes;
    Entries kept;
};

static void hash_of(Str text, char hash[HASH_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    if (EVP_Digest(text.p ? text.p : "", text.n, bytes, &n, EVP_sha256(), NULL) != 1)
        abort();
    for (size_t i = 0; i < HASH_BYTES; i++) {
        hash[2 * i] = digits[bytes[i] >> 4];
        hash[2 * i + 1] = digits[bytes[i] & 15];
    }
    hash[HASH_TEXT - 1] = '\0';
}

static void entries_drop(Entries *entries, size_t i)
{
    free(entries->items[i].sub);
    entries->n--;
    memmove(&entries->items[i], &entries->items[i + 1], (entries->n - i) * sizeof(*entries->items));
}

static void entries_drop_old(Entries *entries, int64_t now_us)
{
    for (size_t i = entries->n; i > 0; i--)
        if (entries->items[i - 1].expires_us <= now_us)
            entries_drop(entries, i - 1);
}

static void entries_add(Entries *entries, const char *hash, Str sub, int64_t expires_us)
{
    if (entries->n == entries->max)
        entries_drop(entries, 0);
    Entry *entry = &entries->items[entries->n++];
    *entry = (Entry){.sub = mem_strndup(sub.p, sub.n), .expires_us = expires_us};
    memcpy(entry->hash, hash, HASH_TEXT);
}

/* Index, or -1. What is compared are hashes, so the time it takes tells nothing about the text. */
static ptrdiff_t entries_find(const Entries *entries, const char *hash)
{
    for (size_t i = 0; i < entries->n; i++)
        if (memcmp(entries->items[i].hash, hash, HASH_TEXT) == 0)
            return (ptrdiff_t)i;
    return -1;
}

static void entries_free(Entries *entries)
{
    while (entries->n)
        entries_drop(entries, entries->n - 1);
    free(entries->items);
}

static int write_file(Sessions *sessions, Error *err)
{
    auto_buf Buf text = BUF_INIT(FILE_BYTES_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    json_out_array(&out);
    for (size_t i = 0; i < sessions->kept.n; i++) {
        const Entry *entry = &sessions->kept.items[i];
        json_out_object(&out);
        json_out_kvz(&out, "sha256", entry->hash);
        json_out_kvz(&out, "sub", entry->sub);
        json_out_kv_int(&out, "expires_us", entry->expires_us);
        json_out_end_object(&out);
    }
    json_out_end_array(&out);
    if (buf_check(&text, "the file of sessions", err) < 0)
        return -1;
    return fs_write_file(sessions->path, buf_str(&text), 0600, err);
}

static void read_entry(Sessions *sessions, const Json *item)
{
    Str hash = json_text(item, "sha256", STR_NONE);
    Str sub = json_text(item, "sub", STR_NONE);
    int64_t expires_us = json_int(item, "expires_us", 0);
    if (hash.n != HASH_TEXT - 1 || !sub.n || sub.n > SUB_MAX || expires_us <= 0)
        return;
    char text[HASH_TEXT] = "";
    memcpy(text, hash.p, hash.n);
    entries_add(&sessions->kept, text, sub, expires_us);
}

/* A file that cannot be read means logging in again, which is better than not starting. */
static void read_file(Sessions *sessions)
{
    auto_error Error err = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(FILE_BYTES_MAX);
    auto_arena Arena *arena = arena_new();
    Json *list = NULL;
    if (fs_read_file(sessions->path, &text, &err) < 0 ||
        json_parse(arena, buf_str(&text), &json_limits_config, &list, &err) < 0 ||
        list->type != JSON_ARRAY)
        return;
    for (const Json *item = list->first; item; item = item->next)
        read_entry(sessions, item);
}

int sessions_open(const char *path, Sessions **ret, Error *err)
{
    auto_sessions Sessions *sessions = mem_alloc(sizeof(*sessions));
    sessions->path = mem_strdup(path);
    sessions->codes =
        (Entries){.items = mem_array(SESSIONS_CODES_MAX, sizeof(Entry)), .max = SESSIONS_CODES_MAX};
    sessions->kept =
        (Entries){.items = mem_array(SESSIONS_MAX, sizeof(Entry)), .max = SESSIONS_MAX};
    if (pthread_mutex_init(&sessions->lock, NULL) != 0)
        return error_set(err, ERR_INTERNAL, "cannot make a lock");
    read_file(sessions);
    *ret = TAKE(sessions);
    return 0;
}

void sessions_close(Sessions *sessions)
{
    if (!sessions)
        return;
    (void)pthread_mutex_destroy(&sessions->lock);
    entries_free(&sessions->codes);
    entries_free(&sessions->kept);
    free(sessions->path);
    free(sessions);
}

static void random_text(size_t n_bytes, char *text, size_t size, char hash[HASH_TEXT])
{
    auto_secret Secret *secret = secret_random(n_bytes);
    Str revealed = secret_reveal(secret);
    if (revealed.n >= size)
        abort();
    memcpy(text, revealed.p, revealed.n);
    text[revealed.n] = '\0';
    hash_of(revealed, hash);
}

void sessions_mint(Sessions *sessions, const char *sub, int64_t now_us,
                   char code[IDENTITY_CODE_MAX])
{
    char hash[HASH_TEXT];
    random_text(CODE_BYTES, code, IDENTITY_CODE_MAX, hash);
    (void)pthread_mutex_lock(&sessions->lock);
    entries_drop_old(&sessions->codes, now_us);
    entries_add(&sessions->codes, hash, str_of(sub), now_us + IDENTITY_CODE_SECONDS * CLOCK_SECOND);
    (void)pthread_mutex_unlock(&sessions->lock);
}

/* Takes the code out of the list: the caller frees the name of its user, NULL when there is none.
 */
static char *use_up(Sessions *sessions, Str code, int64_t now_us)
{
    char hash[HASH_TEXT];
    hash_of(code, hash);
    entries_drop_old(&sessions->codes, now_us);
    ptrdiff_t at = entries_find(&sessions->codes, hash);
    if (at < 0)
        return NULL;
    char *sub = mem_strdup(sessions->codes.items[at].sub);
    entries_drop(&sessions->codes, (size_t)at);
    return sub;
}

static int begin(Sessions *sessions, Str code, int64_t now_us, char cookie[IDENTITY_COOKIE_MAX],
                 Error *err)
{
    auto_free char *sub = use_up(sessions, code, now_us);
    if (!sub) {
        (void)error_set(err, ERR_LOGIN, "this login link was used already or is too old");
        return error_fix(err, "ask for a new one with: hawk web");
    }
    char hash[HASH_TEXT];
    char made[IDENTITY_COOKIE_MAX];
    random_text(COOKIE_BYTES, made, sizeof(made), hash);
    entries_drop_old(&sessions->kept, now_us);
    entries_add(&sessions->kept, hash, str_of(sub),
                now_us + IDENTITY_SESSION_SECONDS * CLOCK_SECOND);
    if (write_file(sessions, err) < 0) {
        entries_drop(&sessions->kept, sessions->kept.n - 1);
        return -1;
    }
    memcpy(cookie, made, sizeof(made));
    return 0;
}

int sessions_redeem(Sessions *sessions, Str code, int64_t now_us, char cookie[IDENTITY_COOKIE_MAX],
                    Error *err)
{
    (void)pthread_mutex_lock(&sessions->lock);
    int done = begin(sessions, code, now_us, cookie, err);
    (void)pthread_mutex_unlock(&sessions->lock);
    return done;
}

bool sessions_find(Sessions *sessions, Str cookie, const char *sub, int64_t now_us,
                   int64_t *ret_expires_us)
{
    char hash[HASH_TEXT];
    hash_of(cookie, hash);
    (void)pthread_mutex_lock(&sessions->lock);
    ptrdiff_t at = cookie.n ? entries_find(&sessions->kept, hash) : -1;
    const Entry *entry = at < 0 ? NULL : &sessions->kept.items[at];
    bool is_valid = entry && entry->expires_us > now_us && strcmp(entry->sub, sub) == 0;
    if (is_valid)
        *ret_expires_us = entry->expires_us;
    (void)pthread_mutex_unlock(&sessions->lock);
    return is_valid;
}

int sessions_forget(Sessions *sessions, Str cookie, Error *err)
{
    char hash[HASH_TEXT];
    hash_of(cookie, hash);
    (void)pthread_mutex_lock(&sessions->lock);
    ptrdiff_t at = entries_find(&sessions->kept, hash);
    int done = 0;
    if (at >= 0) {
        entries_drop(&sessions->kept, (size_t)at);
        done = write_file(sessions, err);
    }
    (void)pthread_mutex_unlock(&sessions->lock);
    return done;
}
