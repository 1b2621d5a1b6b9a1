/* MurmurHash3_x64_128 as its author published it. */

#include "codec/murmur3.h"

#include <endian.h>
#include <string.h>

#define FACTOR_1 UINT64_C(0x87c37b91114253d5)
#define FACTOR_2 UINT64_C(0x4cf5ad432745937f)

static inline uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static inline uint64_t word_at(const char *p)
{
    uint64_t word = 0;
    memcpy(&word, p, sizeof(word));
    return le64toh(word);
}

static inline uint64_t scramble_first(uint64_t k)
{
    return rotate(k * FACTOR_1, 31) * FACTOR_2;
}

static inline uint64_t scramble_second(uint64_t k)
{
    return rotate(k * FACTOR_2, 33) * FACTOR_1;
}

static inline uint64_t finish(uint64_t k)
{
    k ^= k >> 33;
    k *= UINT64_C(0xff51afd7ed558ccd);
    k ^= k >> 33;
    k *= UINT64_C(0xc4ceb9fe1a85ec53);
    return k ^ k >> 33;
}

Murmur3 murmur3_of(Str bytes)
{
    uint64_t first = 0;
    uint64_t second = 0;
    size_t n_whole = bytes.n / 16 * 16;
    for (size_t i = 0; i < n_whole; i += 16) {
        first ^= scramble_first(word_at(bytes.p + i));
        first = (rotate(first, 27) + second) * 5 + 0x52dce729;
        second ^= scramble_second(word_at(bytes.p + i + 8));
        second = (rotate(second, 31) + first) * 5 + 0x38495ab5;
    }
    char tail[16] = {0};
    if (bytes.n > n_whole)
        memcpy(tail, bytes.p + n_whole, bytes.n - n_whole);
    second ^= scramble_second(word_at(tail + 8)); /* of zeros it is 0 */
    first ^= scramble_first(word_at(tail));
    first ^= bytes.n;
    second ^= bytes.n;
    first += second;
    second += first;
    first = finish(first);
    second = finish(second);
    first += second;
    second += first;
    return (Murmur3){first, second};
}

char *murmur3_hex(Murmur3 hash, char text[MURMUR3_HEX_MAX])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        text[i] = digits[hash.first >> (60 - 4 * i) & 15];
        text[16 + i] = digits[hash.second >> (60 - 4 * i) & 15];
    }
    text[32] = '\0';
    return text;
}
