/* BLAKE2s without a key (RFC 7693), with a digest of 1 to 32 bytes. */
#ifndef HAWK_CODEC_BLAKE2S_H
#define HAWK_CODEC_BLAKE2S_H

#include <stddef.h>

#include "base/str.h"

enum { BLAKE2S_MAX = 32 };

/* Hashes bytes into ret, of size bytes. */
void blake2s_hash(Str bytes, unsigned char *ret, size_t size);

#endif
