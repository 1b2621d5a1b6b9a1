/* Random bytes, ids and UUIDs. */

#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"

void random_bytes(void *data, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = getrandom((char *)data + done, n - done, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            abort();
        done += (size_t)got;
    }
}

void random_id(char *text, size_t n)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    size_t done = 0;
    while (done < n) {
        unsigned char byte = 0;
        random_bytes(&byte, 1);
        /* 252 = 7 * 36: values above would favour the first letters. */
        if (byte < 252)
            text[done++] = alphabet[byte % 36];
    }
    text[n] = '\0';
}

char *random_uuid7(char text[RANDOM_UUID_MAX])
{
    unsigned char b[16];
    random_bytes(b, sizeof(b));
    uint64_t ms = (uint64_t)(clock_now_us() / 1000);
    for (int i = 0; i < 6; i++)
        b[i] = (unsigned char)(ms >> (8 * (5 - i)));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x70);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    (void)snprintf(text, RANDOM_UUID_MAX,
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                   b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
                   b[14], b[15]);
    return text;
}
