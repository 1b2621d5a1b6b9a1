/* Writes small zip archives whose members are stored as they are, for tests that make logs by hand.
   With a base the archive is the end of a file that has so many bytes before it, and places in it
   are written with 64 bits. */
#ifndef HAWK_TESTS_ZIP_WRITER_H
#define HAWK_TESTS_ZIP_WRITER_H

#include <libdeflate.h>

#include "base/buf.h"

typedef struct ZipWriter {
    Buf bytes;
    Buf directory;
    int n;
    uint64_t base;
} ZipWriter;

static inline void zip_writer_number(Buf *buf, uint64_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        buf_addc(buf, (char)(value >> (8 * i)));
}

/* What a local header and an entry of the directory have in common. */
static inline void zip_writer_fields(Buf *buf, Str name, Str content)
{
    zip_writer_number(buf, 0, 2);    /* flags */
    zip_writer_number(buf, 0, 2);    /* stored */
    zip_writer_number(buf, 0, 2);    /* time */
    zip_writer_number(buf, 0x21, 2); /* 1980-01-01 */
    zip_writer_number(buf, libdeflate_crc32(0, content.p, content.n), 4);
    zip_writer_number(buf, content.n, 4);
    zip_writer_number(buf, content.n, 4);
    zip_writer_number(buf, name.n, 2);
    zip_writer_number(buf, 0, 2); /* extra */
}

static inline void zip_writer_init(ZipWriter *zip)
{
    *zip = (ZipWriter){.bytes = BUF_INIT(1 << 24), .directory = BUF_INIT(1 << 24)};
}

static inline void zip_writer_add(ZipWriter *zip, const char *name, Str content)
{
    size_t at = zip->bytes.len;
    zip_writer_number(&zip->bytes, 0x04034b50, 4);
    zip_writer_number(&zip->bytes, 20, 2);
    zip_writer_fields(&zip->bytes, str_of(name), content);
    buf_addz(&zip->bytes, name);
    buf_add_str(&zip->bytes, content);
    zip_writer_number(&zip->directory, 0x02014b50, 4);
    zip_writer_number(&zip->directory, 20, 2);
    zip_writer_number(&zip->directory, 20, 2);
    zip_writer_fields(&zip->directory, str_of(name), content);
    zip->directory.data[zip->directory.len - 2] = zip->base ? 12 : 0;
    zip_writer_number(&zip->directory, 0, 2); /* comment */
    zip_writer_number(&zip->directory, 0, 2); /* disk */
    zip_writer_number(&zip->directory, 0, 2); /* attributes */
    zip_writer_number(&zip->directory, 0, 4);
    zip_writer_number(&zip->directory, zip->base ? UINT32_MAX : at, 4);
    buf_addz(&zip->directory, name);
    if (zip->base) {
        zip_writer_number(&zip->directory, 1, 2);
        zip_writer_number(&zip->directory, 8, 2);
        zip_writer_number(&zip->directory, zip->base + at, 8);
    }
    zip->n++;
}

/* The end record of 64 bits, for a directory of n bytes at `at`, and what points to it. */
static inline void zip_writer_end64(ZipWriter *zip, uint64_t at, size_t n)
{
    uint64_t end = zip->base + zip->bytes.len;
    zip_writer_number(&zip->bytes, 0x06064b50, 4);
    zip_writer_number(&zip->bytes, 44, 8);
    zip_writer_number(&zip->bytes, 0, 8);
    zip_writer_number(&zip->bytes, 0, 4);
    zip_writer_number(&zip->bytes, (uint64_t)zip->n, 8);
    zip_writer_number(&zip->bytes, (uint64_t)zip->n, 8);
    zip_writer_number(&zip->bytes, n, 8);
    zip_writer_number(&zip->bytes, at, 8);
    zip_writer_number(&zip->bytes, 0x07064b50, 4);
    zip_writer_number(&zip->bytes, 0, 4);
    zip_writer_number(&zip->bytes, end, 8);
    zip_writer_number(&zip->bytes, 1, 4);
}

/* The whole archive; nothing may be added afterwards. */
static inline Str zip_writer_finish(ZipWriter *zip)
{
    size_t at = zip->bytes.len;
    size_t n = zip->directory.len;
    buf_add_str(&zip->bytes, buf_str(&zip->directory));
    if (zip->base)
        zip_writer_end64(zip, zip->base + at, n);
    zip_writer_number(&zip->bytes, 0x06054b50, 4);
    zip_writer_number(&zip->bytes, 0, 2);
    zip_writer_number(&zip->bytes, 0, 2);
    zip_writer_number(&zip->bytes, (uint64_t)zip->n, 2);
    zip_writer_number(&zip->bytes, (uint64_t)zip->n, 2);
    zip_writer_number(&zip->bytes, n, 4);
    zip_writer_number(&zip->bytes, zip->base ? UINT32_MAX : at, 4);
    zip_writer_number(&zip->bytes, 0, 2);
    return buf_str(&zip->bytes);
}

static inline void zip_writer_release(ZipWriter *zip)
{
    buf_release(&zip->bytes);
    buf_release(&zip->directory);
}

#endif
