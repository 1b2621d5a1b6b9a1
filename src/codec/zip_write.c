/* Writing archives (APPNOTE 6.3, sections 4.3.6 to 4.3.16, 4.5.3). */

#include "codec/zip_write.h"

#include <libdeflate.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/zip_priv.h"

enum {
    LEVEL = 6,
    SMALL = 32, /* below it nothing is gained */
    PIECE_SIZE = 256 << 10,
    HEADER_MAX = 128 + ZIP_NAME_MAX,
    FLAG_ENCRYPTED = 1,
    FLAG_UTF8 = 0x800,
    VERSION_PLAIN = 20,
    VERSION_WIDE = 45,
    VERSION_ZSTD = 63,
    SYSTEM_UNIX = 3,
    DATE_1980 = 0x21,
    EXTRA_ZIP64 = 1,
};
#define FILE_PRIVATE (UINT32_C(0100600) << 16)
#define SIGNATURE_LOCAL UINT32_C(0x04034b50)
#define SIGNATURE_CENTRAL UINT32_C(0x02014b50)
#define SIGNATURE_END UINT32_C(0x06054b50)
#define SIGNATURE_END64 UINT32_C(0x06064b50)
#define SIGNATURE_LOCATOR64 UINT32_C(0x07064b50)

struct ZipWrite {
    ZipWriteSink *sink;
    void *context;
    uint64_t offset; /* bytes written */
    uint64_t n_entries;
    Buf directory;
    struct libdeflate_compressor *deflater; /* made when first needed */
};

static void put(Buf *buf, uint64_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        buf_addc(buf, (char)(value >> (8 * i) & 255));
}

static bool is_wide(uint64_t value)
{
    return value >= UINT32_MAX;
}

/* The 32-bit field of a value that may stand in the zip64 field instead. */
static void put_narrow(Buf *buf, uint64_t value)
{
    put(buf, is_wide(value) ? UINT32_MAX : value, 4);
}

static int send(ZipWrite *zip, Str bytes, Error *err)
{
    if (zip->sink(zip->context, bytes, err) < 0)
        return -1;
    zip->offset += bytes.n;
    return 0;
}

static int version_of(const ZipEntry *entry, bool wide)
{
    return entry->method == ZIP_ZSTD ? VERSION_ZSTD : wide ? VERSION_WIDE : VERSION_PLAIN;
}

/* What a local header and an entry of the directory have in common, from the flags on. */
static void put_common(Buf *buf, const ZipEntry *entry, bool both_wide)
{
    put(buf, entry->flags, 2);
    put(buf, entry->method, 2);
    put(buf, 0, 2);
    put(buf, DATE_1980, 2);
    put(buf, entry->crc, 4);
    put(buf, both_wide ? UINT32_MAX : entry->compressed, 4);
    put(buf, both_wide ? UINT32_MAX : entry->size, 4);
    put(buf, entry->name.n, 2);
}

/* Writes the local header. A zip64 field there has both sizes or none. */
static int begin_member(ZipWrite *zip, const ZipEntry *entry, Error *err)
{
    auto_buf Buf header = BUF_INIT(HEADER_MAX);
    bool wide = is_wide(entry->size) || is_wide(entry->compressed);
    put(&header, SIGNATURE_LOCAL, 4);
    put(&header, (uint64_t)version_of(entry, wide), 2);
    put_common(&header, entry, wide);
    put(&header, wide ? 20 : 0, 2);
    buf_add_str(&header, entry->name);
    if (wide) {
        put(&header, EXTRA_ZIP64, 2);
        put(&header, 16, 2);
        put(&header, entry->size, 8);
        put(&header, entry->compressed, 8);
    }
    return send(zip, buf_str(&header), err);
}

static int end_member(ZipWrite *zip, const ZipEntry *entry, Error *err)
{
    bool wide = is_wide(entry->size) || is_wide(entry->compressed);
    size_t n_extra = (wide ? 16 : 0) + (is_wide(entry->offset) ? 8 : 0);
    Buf *buf = &zip->directory;
    put(buf, SIGNATURE_CENTRAL, 4);
    put(buf, VERSION_ZSTD | SYSTEM_UNIX << 8, 2);
    put(buf, (uint64_t)version_of(entry, n_extra > 0), 2);
    put_common(buf, entry, wide);
    put(buf, n_extra ? n_extra + 4 : 0, 2);
    put(buf, 0, 2); /* comment */
    put(buf, 0, 2); /* disk */
    put(buf, 0, 2); /* internal attributes */
    put(buf, FILE_PRIVATE, 4);
    put_narrow(buf, entry->offset);
    buf_add_str(buf, entry->name);
    if (n_extra) {
        put(buf, EXTRA_ZIP64, 2);
        put(buf, n_extra, 2);
    }
    if (wide) {
        put(buf, entry->size, 8);
        put(buf, entry->compressed, 8);
    }
    if (is_wide(entry->offset))
        put(buf, entry->offset, 8);
    zip->n_entries++;
    if (zip->n_entries > ZIP_ENTRIES_MAX)
        return error_set(err, ERR_BAD_DATA, "an archive of over %zu members", ZIP_ENTRIES_MAX);
    return buf_check(buf, "the directory of the archive", err);
}

static int check_name(Str name, Error *err)
{
    if (name.n == 0 || name.n > ZIP_NAME_MAX || !str_is_utf8(name))
        return error_set(err, ERR_BAD_DATA, "the name of a member is empty, too long or not UTF-8");
    return 0;
}

ZipWrite *zip_write_new(ZipWriteSink *sink, void *context)
{
    ZipWrite *zip = mem_alloc(sizeof(*zip));
    *zip = (ZipWrite){.sink = sink, .context = context, .directory = BUF_INIT(ZIP_DIRECTORY_MAX)};
    return zip;
}

void zip_write_free(ZipWrite *zip)
{
    if (!zip)
        return;
    libdeflate_free_compressor(zip->deflater);
    buf_release(&zip->directory);
    free(zip);
}

/* The content deflated, or empty when that would not make it smaller. */
static void deflate_whole(ZipWrite *zip, Str content, Buf *ret)
{
    if (content.n < SMALL)
        return;
    if (!zip->deflater)
        zip->deflater = libdeflate_alloc_compressor(LEVEL);
    if (!zip->deflater)
        abort(); /* out of memory */
    size_t max = content.n - 1;
    char *room = buf_room(ret, max);
    buf_grew(ret, libdeflate_deflate_compress(zip->deflater, content.p, content.n, room, max));
}

int zip_write_add(ZipWrite *zip, Str name, Str content, Error *err)
{
    if (check_name(name, err) < 0)
        return -1;
    auto_buf Buf packed = BUF_INIT(content.n);
    deflate_whole(zip, content, &packed);
    Str bytes = packed.len ? buf_str(&packed) : content;
    const ZipEntry entry = {
        .name = name,
        .offset = zip->offset,
        .compressed = bytes.n,
        .size = content.n,
        .crc = content.n ? libdeflate_crc32(0, content.p, content.n) : 0,
        .method = packed.len ? ZIP_DEFLATE : ZIP_STORED,
        .flags = FLAG_UTF8,
    };
    if (begin_member(zip, &entry, err) < 0 || send(zip, bytes, err) < 0)
        return -1;
    return end_member(zip, &entry, err);
}

/* Where the next bytes go, of which n_left are still to come. */
static Str next_piece(char *piece, uint64_t n_left)
{
    return (Str){piece, n_left < PIECE_SIZE ? (size_t)n_left : PIECE_SIZE};
}

int zip_write_store(ZipWrite *zip, Str name, Source *from, uint64_t at, uint64_t size, Error *err)
{
    if (check_name(name, err) < 0)
        return -1;
    auto_free char *piece = mem_alloc(PIECE_SIZE);
    ZipEntry entry = {.name = name,
                      .offset = zip->offset,
                      .compressed = size,
                      .size = size,
                      .method = ZIP_STORED,
                      .flags = FLAG_UTF8};
    Str bytes;
    for (uint64_t done = 0; done < size; done += bytes.n) {
        bytes = next_piece(piece, size - done);
        if (source_read_at(from, at + done, piece, bytes.n, err) < 0)
            return -1;
        entry.crc = libdeflate_crc32(entry.crc, piece, bytes.n);
    }
    if (begin_member(zip, &entry, err) < 0)
        return -1;
    for (uint64_t done = 0; done < size; done += bytes.n) {
        bytes = next_piece(piece, size - done);
        if (source_read_at(from, at + done, piece, bytes.n, err) < 0 || send(zip, bytes, err) < 0)
            return -1;
    }
    return end_member(zip, &entry, err);
}

int zip_write_copy(ZipWrite *zip, const Zip *from, const ZipEntry *entry, Error *err)
{
    uint64_t at = 0;
    if (entry->flags & FLAG_ENCRYPTED)
        return zip_fail(from, entry, ERR_UNSUPPORTED, "is encrypted", err);
    if (check_name(entry->name, err) < 0 || zip_data_offset(from, entry, &at, err) < 0)
        return -1;
    ZipEntry copy = *entry;
    copy.offset = zip->offset;
    copy.flags = FLAG_UTF8;
    if (begin_member(zip, &copy, err) < 0)
        return -1;
    auto_free char *piece = mem_alloc(PIECE_SIZE);
    for (uint64_t left = entry->compressed; left > 0;) {
        size_t n = left < PIECE_SIZE ? (size_t)left : PIECE_SIZE;
        if (zip_bytes(from, at, piece, n, err) < 0 || send(zip, (Str){piece, n}, err) < 0)
            return -1;
        at += n;
        left -= n;
    }
    return end_member(zip, &copy, err);
}

/* The record and its locator that stand in for an end record whose fields are too narrow. */
static void put_end64(Buf *buf, const ZipWrite *zip, uint64_t start)
{
    put(buf, SIGNATURE_END64, 4);
    put(buf, 44, 8); /* bytes that follow */
    put(buf, VERSION_ZSTD | SYSTEM_UNIX << 8, 2);
    put(buf, VERSION_WIDE, 2);
    put(buf, 0, 4);
    put(buf, 0, 4);
    put(buf, zip->n_entries, 8);
    put(buf, zip->n_entries, 8);
    put(buf, zip->directory.len, 8);
    put(buf, start, 8);
    put(buf, SIGNATURE_LOCATOR64, 4);
    put(buf, 0, 4);
    put(buf, start + zip->directory.len, 8);
    put(buf, 1, 4);
}

int zip_write_finish(ZipWrite *zip, Error *err)
{
    auto_buf Buf end = BUF_INIT(HEADER_MAX);
    uint64_t start = zip->offset;
    bool many = zip->n_entries >= UINT16_MAX;
    if (many || is_wide(start) || is_wide(zip->directory.len))
        put_end64(&end, zip, start);
    put(&end, SIGNATURE_END, 4);
    put(&end, 0, 2);
    put(&end, 0, 2);
    put(&end, many ? UINT16_MAX : zip->n_entries, 2);
    put(&end, many ? UINT16_MAX : zip->n_entries, 2);
    put_narrow(&end, zip->directory.len);
    put_narrow(&end, start);
    put(&end, 0, 2);
    if (send(zip, buf_str(&zip->directory), err) < 0)
        return -1;
    return send(zip, buf_str(&end), err);
}
