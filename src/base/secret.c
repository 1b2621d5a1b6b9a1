/* Secrets in wiped memory. */

#include "base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/mem.h"
#include "base/random.h"

struct Secret {
    size_t n;
    char text[];
};

static Secret *with_room(size_t n)
{
    Secret *secret = mem_alloc(sizeof(*secret) + n + 1);
    secret->n = n;
    return secret;
}

Secret *secret_new(Str text)
{
    Secret *secret = with_room(text.n);
    if (text.n)
        memcpy(secret->text, text.p, text.n);
    return secret;
}

Secret *secret_random(size_t n_bytes)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t n_chars = (n_bytes * 8 + 5) / 6;
    Secret *secret = with_room(n_chars);
    random_bytes(secret->text, n_chars);
    for (size_t i = 0; i < n_chars; i++)
        secret->text[i] = alphabet[(unsigned char)secret->text[i] & 63];
    return secret;
}

void secret_free(Secret *secret)
{
    if (!secret)
        return;
    mem_wipe(secret->text, secret->n);
    free(secret);
}

Str secret_reveal(const Secret *secret)
{
    return (Str){secret->text, secret->n};
}

bool secret_eq(const Secret *secret, Str other)
{
    /* Always walks the secret's own length, so only that length, never the content, can be timed.
     */
    unsigned char difference = secret->n == other.n ? 0 : 1;
    for (size_t i = 0; i < secret->n; i++)
        difference |= (unsigned char)(secret->text[i] ^ (i < other.n ? other.p[i] : 0));
    return difference == 0;
}

bool secret_sounds(Str name)
{
    static const char *const parts[] = {"KEY",      "TOKEN",  "SECRET",
                                        "PASSWORD", "PASSWD", "CREDENTIAL"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (str_find_str(name, str_of(parts[i])) >= 0)
            return true;
    return false;
}
