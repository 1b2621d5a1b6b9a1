/* MurmurHash3, the 128-bit form for 64-bit machines, with which Inspect names attachments and pool
   entries. Not for keeping strangers out: collisions can be made. */
#ifndef HAWK_CODEC_MURMUR3_H
#define HAWK_CODEC_MURMUR3_H

#include <stdint.h>

#include "base/str.h"

enum { MURMUR3_HEX_MAX = 33 };

typedef struct Murmur3 {
    uint64_t first;
    uint64_t second;
} Murmur3;

/* The hash of some bytes, with seed 0. */
Murmur3 murmur3_of(Str bytes);

/* As 32 lower-case hexadecimal digits with a NUL, the first half first. Returns text. */
char *murmur3_hex(Murmur3 hash, char text[MURMUR3_HEX_MAX]);

#endif
