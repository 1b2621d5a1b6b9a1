/* Members of an archive: whole into memory, or as a stream.

   A member is read whole with one read of the source (local header and data together), since a
   range of an object store costs more by the request than by the byte. A whole member goes through
   libdeflate, which is twice as fast as zlib but cannot stream. */

#include "codec/zip.h"

#include <stdlib.h>

#define ZLIB_CONST
#include <libdeflate.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"
#include "codec/zip_priv.h"

enum {
    LOCAL_SIZE = 30,
    EXTRA_GUESS = 32, /* a zip64 extra field in the local header is 20 bytes */
    FLAG_ENCRYPTED = 1,
    GROWTH_MAX = 64 << 10,
    PIECE_SIZE = 256 << 10,
    PIECE_FAR = 4 << 20, /* where a read costs more than its bytes */
    WINDOW_LOG_MAX = 27, /* 128 MiB, the most that zstd makes without being told to */
};
#define SIGNATURE_LOCAL UINT32_C(0x04034b50)

struct ZipMember {
    const Zip *zip;
    const ZipEntry *entry;
    uint64_t at;     /* next compressed byte in the source */
    uint64_t left;   /* compressed bytes not read yet */
    uint64_t n_done; /* bytes given out */
    uint32_t crc;
    bool is_over; /* the decompressor has seen its end */
    z_stream inflate;
    bool has_inflate;
    ZSTD_DStream *zstd;
    char *in;
    size_t n_in;   /* bytes in `in` */
    size_t pos_in; /* of which were used */
};

static int check_readable(const Zip *zip, const ZipEntry *entry, Error *err)
{
    if (entry->flags & FLAG_ENCRYPTED)
        return zip_fail(zip, entry, ERR_UNSUPPORTED, "is encrypted", err);
    if (entry->method != ZIP_STORED && entry->method != ZIP_DEFLATE && entry->method != ZIP_ZSTD)
        return zip_fail(zip, entry, ERR_UNSUPPORTED, "has an unknown compression method", err);
    if (entry->method == ZIP_STORED && entry->size != entry->compressed)
        return zip_fail(zip, entry, ERR_BAD_DATA, "is stored, but its two sizes differ", err);
    /* Both methods fall back to storing, at a few bytes for each block. */
    if (entry->compressed > entry->size &&
        entry->compressed - entry->size > entry->size / 64 + GROWTH_MAX)
        return zip_fail(zip, entry, ERR_BAD_DATA, "is larger when compressed", err);
    return 0;
}

/* Checks a local header against the directory's entry; gives the bytes before the data. */
static int check_local(const Zip *zip, const ZipEntry *entry, const char *header, size_t *ret_front,
                       Error *err)
{
    if (zip_u32(header) != SIGNATURE_LOCAL || zip_u16(header + 8) != entry->method ||
        zip_u16(header + 26) != entry->name.n ||
        memcmp(header + LOCAL_SIZE, entry->name.p, entry->name.n) != 0)
        return zip_fail(zip, entry, ERR_BAD_DATA, "its local header says something else", err);
    size_t front = LOCAL_SIZE + entry->name.n + zip_u16(header + 28);
    if (front > entry->end - entry->offset - entry->compressed)
        return zip_fail(zip, entry, ERR_BAD_DATA, "its local header moves it into what follows",
                        err);
    *ret_front = front;
    return 0;
}

/* The compressed bytes in new memory: *ret_memory is the caller's, *ret_data points into it. */
static int read_compressed(const Zip *zip, const ZipEntry *entry, char **ret_memory,
                           const char **ret_data, Error *err)
{
    size_t named = LOCAL_SIZE + entry->name.n;
    uint64_t room = entry->end - entry->offset;
    uint64_t wanted = named + EXTRA_GUESS + entry->compressed;
    size_t n = (size_t)(wanted < room ? wanted : room);
    auto_free char *memory = mem_resize(NULL, n + 1, 1);
    if (zip_bytes(zip, entry->offset, memory, n, err) < 0)
        return -1;
    size_t front = 0;
    if (check_local(zip, entry, memory, &front, err) < 0)
        return -1;
    size_t total = front + (size_t)entry->compressed;
    if (total > n) {
        memory = mem_resize(memory, total + 1, 1);
        if (zip_bytes(zip, entry->offset + n, memory + n, total - n, err) < 0)
            return -1;
    }
    *ret_data = memory + front;
    *ret_memory = TAKE(memory);
    return 0;
}

void zip_lazy_free(ZipLazy *lazy)
{
    if (!lazy)
        return;
    (void)ZSTD_freeDCtx(lazy->zstd);
    libdeflate_free_decompressor(lazy->inflate);
    free(lazy->by_name);
    free(lazy);
}

static bool inflate_whole(ZipLazy *lazy, const char *data, size_t n, char *room, size_t size)
{
    struct libdeflate_decompressor *inflater = atomic_exchange(&lazy->inflate, NULL);
    if (!inflater)
        inflater = libdeflate_alloc_decompressor();
    if (!inflater)
        return false;
    size_t used = 0;
    enum libdeflate_result result =
        libdeflate_deflate_decompress_ex(inflater, data, n, room, size, &used, NULL);
    libdeflate_free_decompressor(atomic_exchange(&lazy->inflate, inflater));
    return result == LIBDEFLATE_SUCCESS && used == n;
}

static bool zstd_whole(ZipLazy *lazy, const char *data, size_t n, char *room, size_t size)
{
    ZSTD_DCtx *zstd = atomic_exchange(&lazy->zstd, NULL);
    if (!zstd)
        zstd = ZSTD_createDCtx();
    if (!zstd)
        return false;
    size_t made = ZSTD_decompressDCtx(zstd, room, size, data, n);
    (void)ZSTD_freeDCtx(atomic_exchange(&lazy->zstd, zstd));
    return made == size;
}

static bool decompress_whole(const Zip *zip, const ZipEntry *entry, const char *data, char *room)
{
    size_t n = (size_t)entry->compressed;
    size_t size = (size_t)entry->size;
    switch (entry->method) {
    case ZIP_STORED: memcpy(room, data, size); return true;
    case ZIP_DEFLATE: return inflate_whole(zip->lazy, data, n, room, size);
    default: return zstd_whole(zip->lazy, data, n, room, size);
    }
}

int zip_read(const Zip *zip, const ZipEntry *entry, Buf *ret, Error *err)
{
    if (check_readable(zip, entry, err) < 0)
        return -1;
    if (entry->compressed >= SIZE_MAX / 2 || entry->size >= SIZE_MAX / 2)
        return zip_fail(zip, entry, ERR_BAD_DATA, "is too large", err);
    char *room = entry->size <= ret->max ? buf_room(ret, (size_t)entry->size) : NULL;
    if (!room)
        return zip_fail(zip, entry, ERR_BAD_DATA, "is over the limit of its reader", err);
    auto_free char *memory = NULL;
    const char *data = NULL;
    if (read_compressed(zip, entry, &memory, &data, err) < 0)
        return -1;
    if (!decompress_whole(zip, entry, data, room))
        return zip_fail(zip, entry, ERR_BAD_DATA, "cannot be decompressed", err);
    if (libdeflate_crc32(0, room, (size_t)entry->size) != entry->crc)
        return zip_fail(zip, entry, ERR_BAD_DATA, "does not match its checksum", err);
    buf_grew(ret, (size_t)entry->size);
    return 0;
}

static int start_stream(ZipMember *member, Error *err)
{
    bool is_ready = true;
    if (member->entry->method == ZIP_DEFLATE) {
        is_ready = inflateInit2(&member->inflate, -MAX_WBITS) == Z_OK;
        member->has_inflate = is_ready;
    } else if (member->entry->method == ZIP_ZSTD) {
        member->zstd = ZSTD_createDStream();
        is_ready = member->zstd && !ZSTD_isError(ZSTD_DCtx_setParameter(
                                       member->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX));
        /* Without bytes there is no frame whose end could be seen. */
        member->is_over = member->entry->compressed == 0;
    }
    if (!is_ready)
        return error_set(err, ERR_INTERNAL, "cannot start a decompressor");
    return 0;
}

int zip_data_offset(const Zip *zip, const ZipEntry *entry, uint64_t *ret, Error *err)
{
    size_t named = LOCAL_SIZE + entry->name.n;
    auto_free char *header = mem_alloc(named);
    size_t front = 0;
    if (zip_bytes(zip, entry->offset, header, named, err) < 0 ||
        check_local(zip, entry, header, &front, err) < 0)
        return -1;
    *ret = entry->offset + front;
    return 0;
}

static size_t piece_size(const Zip *zip)
{
    return zip->source->read_cost > 0 ? PIECE_FAR : PIECE_SIZE;
}

/* Reads the local header and as much of the data as makes a piece. */
static int read_first(ZipMember *member, Error *err)
{
    const Zip *zip = member->zip;
    const ZipEntry *entry = member->entry;
    uint64_t room = entry->end - entry->offset;
    uint64_t wanted = LOCAL_SIZE + entry->name.n + EXTRA_GUESS + entry->compressed;
    size_t n = (size_t)(wanted < room ? wanted : room);
    n = n < piece_size(zip) ? n : piece_size(zip);
    member->in = mem_resize(NULL, n, 1);
    size_t front = 0;
    if (zip_bytes(zip, entry->offset, member->in, n, err) < 0 ||
        check_local(zip, entry, member->in, &front, err) < 0)
        return -1;
    uint64_t end = entry->offset + front + entry->compressed;
    member->at = entry->offset + (front < n ? n : front);
    if (member->at > end)
        member->at = end;
    member->left = end - member->at;
    member->n_in = front < n ? (size_t)(member->at - entry->offset) : 0;
    member->pos_in = front < n ? front : 0;
    return 0;
}

int zip_member_open(const Zip *zip, const ZipEntry *entry, ZipMember **ret, Error *err)
{
    if (check_readable(zip, entry, err) < 0)
        return -1;
    auto_zip_member ZipMember *member = mem_alloc(sizeof(*member));
    member->zip = zip;
    member->entry = entry;
    if (read_first(member, err) < 0 || start_stream(member, err) < 0)
        return -1;
    *ret = TAKE(member);
    return 0;
}

static int fill(ZipMember *member, Error *err)
{
    size_t most = piece_size(member->zip);
    size_t n = member->left < most ? (size_t)member->left : most;
    if (n > member->n_in)
        member->in = mem_resize(member->in, n, 1);
    if (zip_bytes(member->zip, member->at, member->in, n, err) < 0)
        return -1;
    member->at += n;
    member->left -= n;
    member->n_in = n;
    member->pos_in = 0;
    return 0;
}

/* One step of the decompressor from `in` to data; gives the bytes made, or false when broken. */
static bool step(ZipMember *member, void *data, size_t n, size_t *ret_n)
{
    size_t n_in = member->n_in - member->pos_in;
    const char *in = member->in + member->pos_in;
    if (member->entry->method == ZIP_STORED) {
        *ret_n = n < n_in ? n : n_in;
        memcpy(data, in, *ret_n);
        member->pos_in += *ret_n;
        member->is_over = member->left == 0 && member->pos_in == member->n_in;
        return true;
    }
    if (member->zstd) {
        ZSTD_inBuffer from = {in, n_in, 0};
        ZSTD_outBuffer to = {data, n, 0};
        size_t hint = ZSTD_decompressStream(member->zstd, &to, &from);
        member->pos_in += from.pos;
        *ret_n = to.pos;
        member->is_over = hint == 0 && member->left == 0 && member->pos_in == member->n_in;
        return !ZSTD_isError(hint);
    }
    member->inflate.next_in = (const Bytef *)in;
    member->inflate.avail_in = (uInt)n_in;
    member->inflate.next_out = data;
    member->inflate.avail_out = n < PIECE_SIZE ? (uInt)n : PIECE_SIZE;
    uInt room = member->inflate.avail_out;
    int status = inflate(&member->inflate, Z_NO_FLUSH);
    member->pos_in += n_in - member->inflate.avail_in;
    *ret_n = room - member->inflate.avail_out;
    member->is_over = status == Z_STREAM_END;
    return status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR;
}

/* At the end of the stream: whether all input was used, and size and checksum are right. */
static int finish(const ZipMember *member, Error *err)
{
    const char *text = NULL;
    if (member->left > 0 || member->pos_in < member->n_in)
        text = "has bytes behind its end";
    else if (member->n_done != member->entry->size)
        text = "ends before its size";
    else if (member->crc != member->entry->crc)
        text = "does not match its checksum";
    return text ? zip_fail(member->zip, member->entry, ERR_BAD_DATA, text, err) : 0;
}

int zip_member_read(ZipMember *member, void *data, size_t n, size_t *ret_n, Error *err)
{
    size_t made = 0;
    while (made == 0 && n > 0 && !member->is_over) {
        if (member->pos_in == member->n_in && member->left > 0 && fill(member, err) < 0)
            return -1;
        size_t before = member->pos_in;
        if (!step(member, data, n, &made))
            return zip_fail(member->zip, member->entry, ERR_BAD_DATA, "cannot be decompressed",
                            err);
        if (made == 0 && !member->is_over && member->pos_in == before)
            return zip_fail(member->zip, member->entry, ERR_BAD_DATA, "is cut off", err);
    }
    if (made > member->entry->size - member->n_done)
        return zip_fail(member->zip, member->entry, ERR_BAD_DATA, "is larger than its size", err);
    member->n_done += made;
    member->crc = libdeflate_crc32(member->crc, data, made);
    if (member->is_over && finish(member, err) < 0)
        return -1;
    *ret_n = made;
    return 0;
}

void zip_member_close(ZipMember *member)
{
    if (!member)
        return;
    if (member->has_inflate)
        (void)inflateEnd(&member->inflate);
    (void)ZSTD_freeDStream(member->zstd);
    free(member->in);
    free(member);
}
