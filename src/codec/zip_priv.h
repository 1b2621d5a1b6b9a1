/* The insides of an archive, for zip.c (directory), zip_index.c (names) and zip_member.c
   (decompression). */
#ifndef HAWK_CODEC_ZIP_PRIV_H
#define HAWK_CODEC_ZIP_PRIV_H

#include <stdatomic.h>

#include "codec/zip.h"

/* What is made when a thread first needs it. */
typedef struct ZipLazy {
    /* A decompressor of each kind that no thread uses: making one costs more than a small member.
     */
    _Atomic(struct ZSTD_DCtx_s *) zstd;
    _Atomic(struct libdeflate_decompressor *) inflate;
    _Atomic(uint32_t *) by_name; /* indexes of entries, sorted by name */
} ZipLazy;
void zip_lazy_free(ZipLazy *lazy);

struct Zip {
    Source *source;
    uint64_t tail_offset; /* where the bytes that are kept begin: the directory and what is near */
    char *tail;
    size_t tail_size;
    ZipEntry *entries; /* in the directory's order, shadowed ones left out */
    size_t n_entries;
    uint64_t *slots; /* of zip_index.c */
    size_t slot_mask;
    uint64_t hash_key;
    uint64_t data_size; /* members lie below this offset: where the directory begins */
    ZipLazy *lazy;
};

/* Makes the entries to be found by name, and drops all but the last of each. */
void zip_index_names(Zip *zip);

/* Reads n bytes at offset, from the kept tail when they are in it. */
int zip_bytes(const Zip *zip, uint64_t offset, void *data, size_t n, Error *err) HAWK_MUST_USE;

/* ERR_BAD_DATA (or kind) "<source>: member <name> at byte N: <text>". */
int zip_fail(const Zip *zip, const ZipEntry *entry, ErrorKind kind, const char *text, Error *err);

/* Where the compressed bytes of a member begin in the source; its local header is checked. */
int zip_data_offset(const Zip *zip, const ZipEntry *entry, uint64_t *ret, Error *err) HAWK_MUST_USE;

/* Numbers as archives have them, least byte first. */
static inline uint16_t zip_u16(const char *p)
{
    const unsigned char *b = (const unsigned char *)p;
    return (uint16_t)(b[0] | b[1] << 8);
}

/* As zip_u16, of four bytes. */
static inline uint32_t zip_u32(const char *p)
{
    return zip_u16(p) | (uint32_t)zip_u16(p + 2) << 16;
}

/* As zip_u16, of eight bytes. */
static inline uint64_t zip_u64(const char *p)
{
    return zip_u32(p) | (uint64_t)zip_u32(p + 4) << 32;
}

#endif
