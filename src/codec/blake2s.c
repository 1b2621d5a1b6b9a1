/* As RFC 7693, section 3: OpenSSL has BLAKE2s with 32 bytes of digest only, and a shorter digest is
   not the beginning of a longer one. */

#include "codec/blake2s.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { BLOCK = 64, N_ROUNDS = 10 };

static const uint32_t initial[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};
static const uint8_t order[N_ROUNDS][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};
/* Which four words each of a round's eight steps mixes. */
static const uint8_t lanes[8][4] = {
    {0, 4, 8, 12},  {1, 5, 9, 13},  {2, 6, 10, 14}, {3, 7, 11, 15},
    {0, 5, 10, 15}, {1, 6, 11, 12}, {2, 7, 8, 13},  {3, 4, 9, 14},
};

static uint32_t rotate(uint32_t word, int n)
{
    return word >> n | word << (32 - n);
}

static void mix(uint32_t v[16], const uint8_t lane[4], uint32_t x, uint32_t y)
{
    uint32_t *a = &v[lane[0]];
    uint32_t *b = &v[lane[1]];
    uint32_t *c = &v[lane[2]];
    uint32_t *d = &v[lane[3]];
    *a += *b + x;
    *d = rotate(*d ^ *a, 16);
    *c += *d;
    *b = rotate(*b ^ *c, 12);
    *a += *b + y;
    *d = rotate(*d ^ *a, 8);
    *c += *d;
    *b = rotate(*b ^ *c, 7);
}

static void compress(uint32_t h[8], const unsigned char block[BLOCK], uint64_t n_bytes,
                     bool is_last)
{
    uint32_t m[16];
    uint32_t v[16];
    for (size_t i = 0; i < 16; i++)
        m[i] = (uint32_t)block[4 * i] | (uint32_t)block[4 * i + 1] << 8 |
               (uint32_t)block[4 * i + 2] << 16 | (uint32_t)block[4 * i + 3] << 24;
    memcpy(v, h, 8 * sizeof(*v));
    memcpy(v + 8, initial, sizeof(initial));
    v[12] ^= (uint32_t)n_bytes;
    v[13] ^= (uint32_t)(n_bytes >> 32);
    if (is_last)
        v[14] = ~v[14];
    for (size_t round = 0; round < N_ROUNDS; round++)
        for (size_t i = 0; i < 8; i++)
            mix(v, lanes[i], m[order[round][2 * i]], m[order[round][2 * i + 1]]);
    for (size_t i = 0; i < 8; i++)
        h[i] ^= v[i] ^ v[i + 8];
}

void blake2s_hash(Str bytes, unsigned char *ret, size_t size)
{
    assert(size >= 1 && size <= BLAKE2S_MAX);
    uint32_t h[8];
    memcpy(h, initial, sizeof(h));
    h[0] ^= UINT32_C(0x01010000) ^ (uint32_t)size;
    const unsigned char *p = (const unsigned char *)bytes.p;
    size_t left = bytes.n;
    for (; left > BLOCK; left -= BLOCK, p += BLOCK)
        compress(h, p, bytes.n - left + BLOCK, false);
    unsigned char last[BLOCK] = {0};
    if (left > 0)
        memcpy(last, p, left);
    compress(h, last, bytes.n, true);
    for (size_t i = 0; i < size; i++)
        ret[i] = (unsigned char)(h[i / 4] >> (8 * (i % 4)));
}
