/* Forges zip archives byte by byte, so that each field can lie. */
#ifndef HAWK_TESTS_ZIP_FORGE_H
#define HAWK_TESTS_ZIP_FORGE_H

#include <string.h>

#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "codec/zip.h"

enum { ARCHIVE_MAX = 8 << 20, MEMBER_MAX = 4 << 20 };

/* One member to be written; the fields below `text` change what the archive says about it. */
typedef struct ForgePart {
    const char *name;
    int method;
    Str text;
    size_t n_name;    /* 0: of name */
    uint64_t claimed; /* size, when not 0 */
    uint64_t packed;  /* compressed size, when not 0 */
    uint32_t crc_flip;
    const char *local_name;
    uint16_t flags;
    int64_t offset;  /* when not 0 */
    bool is_wide;    /* sizes and offset in a zip64 field */
    size_t n_frames; /* of zstd, when not 0 */
    size_t n_extra;  /* bytes of an unknown extra field that only the local header has */
} ForgePart;

static inline void forge_put16(Buf *buf, unsigned value)
{
    buf_addc(buf, (char)(value & 255));
    buf_addc(buf, (char)(value >> 8 & 255));
}

static inline void forge_put32(Buf *buf, uint64_t value)
{
    forge_put16(buf, (unsigned)(value & 65535));
    forge_put16(buf, (unsigned)(value >> 16 & 65535));
}

static inline void forge_put64(Buf *buf, uint64_t value)
{
    forge_put32(buf, value & UINT32_MAX);
    forge_put32(buf, value >> 32);
}

static inline void forge_pack_deflate(Str text, Buf *ret)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    auto_free char *copy = mem_strndup(text.p, text.n);
    size_t bound = deflateBound(&z, text.n);
    char *room = buf_room(ret, bound);
    z.next_in = (Bytef *)copy;
    z.avail_in = (uInt)text.n;
    z.next_out = (Bytef *)room;
    z.avail_out = (uInt)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    buf_grew(ret, bound - z.avail_out);
    (void)deflateEnd(&z);
}

static inline void forge_pack(const ForgePart *part, Buf *ret)
{
    if (part->method == ZIP_DEFLATE) {
        forge_pack_deflate(part->text, ret);
        return;
    }
    if (part->method != ZIP_ZSTD) {
        buf_add_str(ret, part->text);
        return;
    }
    size_t n_frames = part->n_frames ? part->n_frames : 1;
    size_t piece = part->text.n / n_frames;
    for (size_t i = 0; i < n_frames; i++) {
        Str text = str_slice(part->text, i * piece, i + 1 == n_frames ? SIZE_MAX : (i + 1) * piece);
        size_t bound = ZSTD_compressBound(text.n);
        char *room = buf_room(ret, bound);
        buf_grew(ret, ZSTD_compress(room, bound, text.p, text.n, 3));
    }
}

static inline void forge_put_sizes(Buf *buf, const ForgePart *part, uint64_t packed, uint64_t size)
{
    forge_put32(buf, part->is_wide ? UINT32_MAX : packed);
    forge_put32(buf, part->is_wide ? UINT32_MAX : size);
}

static inline size_t forge_name_size(const ForgePart *part)
{
    return part->n_name ? part->n_name : strlen(part->name);
}

static inline uint32_t forge_crc_of(const ForgePart *part)
{
    return (uint32_t)crc32(0, (const Bytef *)part->text.p, (uInt)part->text.n) ^ part->crc_flip;
}

static inline void forge_put_central(Buf *ret, const ForgePart *part, uint64_t packed,
                                     uint64_t offset)
{
    uint64_t size = part->claimed ? part->claimed : part->text.n;
    forge_put32(ret, 0x02014b50);
    forge_put16(ret, 20);
    forge_put16(ret, 20);
    forge_put16(ret, part->flags);
    forge_put16(ret, (unsigned)part->method);
    forge_put32(ret, 0);
    forge_put32(ret, forge_crc_of(part));
    forge_put_sizes(ret, part, packed, size);
    forge_put16(ret, (unsigned)forge_name_size(part));
    forge_put16(ret, part->is_wide ? 28 : 0);
    forge_put16(ret, 0);
    forge_put32(ret, 0);
    forge_put32(ret, 0);
    forge_put32(ret, part->is_wide ? UINT32_MAX : offset);
    buf_add(ret, part->name, forge_name_size(part));
    if (part->is_wide) {
        forge_put16(ret, 1);
        forge_put16(ret, 24);
        forge_put64(ret, size);
        forge_put64(ret, packed);
        forge_put64(ret, offset);
    }
}

/* Appends the member to the archive and its entry to the directory. */
static inline void forge_put_part(Buf *ret, Buf *directory, const ForgePart *part)
{
    auto_buf Buf data = BUF_INIT(ARCHIVE_MAX);
    forge_pack(part, &data);
    uint64_t packed = part->packed ? part->packed : data.len;
    uint64_t offset = part->offset ? (uint64_t)part->offset : ret->len;
    const char *name = part->local_name ? part->local_name : part->name;
    forge_put32(ret, 0x04034b50);
    forge_put16(ret, 20);
    forge_put16(ret, part->flags);
    forge_put16(ret, (unsigned)part->method);
    forge_put32(ret, 0);
    forge_put32(ret, forge_crc_of(part));
    forge_put_sizes(ret, part, packed, part->text.n);
    forge_put16(ret, (unsigned)forge_name_size(part));
    forge_put16(ret, (part->is_wide ? 20 : 0) + (unsigned)part->n_extra);
    buf_add(ret, name, forge_name_size(part));
    for (size_t i = 0; i < part->n_extra; i++)
        buf_addc(ret, i == 2 ? (char)(part->n_extra - 4) : (char)0xee);
    if (part->is_wide) {
        forge_put16(ret, 1);
        forge_put16(ret, 16);
        forge_put64(ret, part->text.n);
        forge_put64(ret, packed);
    }
    buf_add_str(ret, buf_str(&data));
    forge_put_central(directory, part, packed, offset);
}

static inline void forge_put_end(Buf *ret, uint64_t n, uint64_t size, uint64_t offset, bool is_wide)
{
    if (is_wide) {
        uint64_t at = ret->len;
        forge_put32(ret, 0x06064b50);
        forge_put64(ret, 44);
        forge_put32(ret, 0);
        forge_put32(ret, 0);
        forge_put32(ret, 0);
        forge_put64(ret, n);
        forge_put64(ret, n);
        forge_put64(ret, size);
        forge_put64(ret, offset);
        forge_put32(ret, 0x07064b50);
        forge_put32(ret, 0);
        forge_put64(ret, at);
        forge_put32(ret, 1);
    }
    forge_put32(ret, 0x06054b50);
    forge_put32(ret, 0);
    forge_put16(ret, is_wide ? 0xffff : (unsigned)n);
    forge_put16(ret, is_wide ? 0xffff : (unsigned)n);
    forge_put32(ret, is_wide ? UINT32_MAX : size);
    forge_put32(ret, is_wide ? UINT32_MAX : offset);
    forge_put16(ret, 0);
}

static inline void forge_build(Buf *ret, const ForgePart *parts, size_t n, bool is_wide)
{
    auto_buf Buf directory = BUF_INIT(ARCHIVE_MAX);
    for (size_t i = 0; i < n; i++)
        forge_put_part(ret, &directory, &parts[i]);
    uint64_t offset = ret->len;
    buf_add_str(ret, buf_str(&directory));
    forge_put_end(ret, n, directory.len, offset, is_wide);
}

/* Text that compresses somewhat, of n bytes. */
static inline char *forge_some_text(size_t n)
{
    char *text = mem_alloc(n + 1);
    uint32_t x = 1;
    for (size_t i = 0; i < n; i++) {
        x = x * 1103515245 + 12345;
        text[i] = (char)('a' + (x >> 24) % 20);
    }
    return text;
}

#endif
