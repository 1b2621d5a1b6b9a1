/* The directory of an archive (APPNOTE 6.3, sections 4.3.12 to 4.3.16).

   Nothing that the directory says is believed: offsets and sizes are held against the file, members
   against each other, before anyone can ask for one. */

#include "codec/zip.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/zip_priv.h"

enum {
    END_SIZE = 22,
    LOCATOR64_SIZE = 20,
    END64_SIZE = 56,
    CENTRAL_SIZE = 46,
    LOCAL_SIZE = 30,
    COMMENT_MAX = 65535,
    TAIL_MAX = END_SIZE + COMMENT_MAX + LOCATOR64_SIZE + END64_SIZE,
    TAIL_FIRST = 16 << 10, /* has the directory and header of a small log */
    EXTRA_ZIP64 = 1,
    NAME_SHOWN = 200,
    AHEAD_FACTOR = 8, /* a log's header and summaries are mostly below this times its directory */
    AHEAD_MAX = 16 << 20,
};
#define SIGNATURE_CENTRAL UINT32_C(0x02014b50)
#define SIGNATURE_END UINT32_C(0x06054b50)
#define SIGNATURE_END64 UINT32_C(0x06064b50)
#define SIGNATURE_LOCATOR64 UINT32_C(0x07064b50)

typedef struct Place {
    uint64_t offset;
    uint64_t size;
    uint64_t n_entries;
    uint64_t end; /* the first byte behind the directory that belongs to an end record */
} Place;

int zip_fail(const Zip *zip, const ZipEntry *entry, ErrorKind kind, const char *text, Error *err)
{
    char name[NAME_SHOWN + 1];
    size_t n = entry->name.n < NAME_SHOWN ? entry->name.n : NAME_SHOWN;
    for (size_t i = 0; i < n; i++)
        name[i] = (unsigned char)entry->name.p[i] < ' ' || entry->name.p[i] == 0x7f
                      ? '?'
                      : entry->name.p[i];
    while (n > 0 && n < entry->name.n && !str_is_utf8((Str){name, n}))
        n--;
    name[n] = '\0';
    return error_set(err, kind, "%s: member %s at byte %" PRIu64 ": %s", zip->source->name, name,
                     entry->offset, text);
}

static int bad_directory(const Zip *zip, uint64_t at, const char *text, Error *err)
{
    return error_set(err, ERR_BAD_DATA, "%s: archive directory at byte %" PRIu64 ": %s",
                     zip->source->name, at, text);
}

int zip_bytes(const Zip *zip, uint64_t offset, void *data, size_t n, Error *err)
{
    if (offset >= zip->tail_offset && n <= zip->tail_size &&
        offset - zip->tail_offset <= zip->tail_size - n) {
        memcpy(data, zip->tail + (offset - zip->tail_offset), n);
        return 0;
    }
    return source_read_at(zip->source, offset, data, n, err);
}

/* Keeps n bytes at offset, instead of those that were kept before. */
static int keep(Zip *zip, uint64_t offset, size_t n, Error *err)
{
    free(zip->tail);
    zip->tail = mem_resize(NULL, n + 1, 1);
    zip->tail_size = n;
    zip->tail_offset = offset;
    return source_read_at(zip->source, offset, zip->tail, n, err);
}

static int read_tail(Zip *zip, size_t wanted, Error *err)
{
    uint64_t size = zip->source->size;
    if (size < END_SIZE)
        return error_set(err, ERR_BAD_DATA, "%s: %" PRIu64 " bytes are too few for an archive",
                         zip->source->name, size);
    size_t n = size < wanted ? (size_t)size : wanted;
    return keep(zip, size - n, n, err);
}

/* The end record's place in the tail, or -1. A record without comment at the very end goes first,
   since its own fields may hold the signature. */
static ptrdiff_t find_end(const Zip *zip)
{
    ptrdiff_t last = (ptrdiff_t)zip->tail_size - END_SIZE;
    for (ptrdiff_t i = last; i >= 0; i--) {
        const char *p = zip->tail + i;
        if (zip_u32(p) == SIGNATURE_END && zip_u16(p + 20) == last - i)
            return i;
    }
    return -1;
}

/* Replaces the place by that of the 64-bit record when there is one; `end` is the end record. */
static int find_end64(const Zip *zip, ptrdiff_t end, Place *place, Error *err)
{
    ptrdiff_t at = end - LOCATOR64_SIZE;
    if (at < 0 || zip_u32(zip->tail + at) != SIGNATURE_LOCATOR64)
        return 0;
    uint64_t offset = zip_u64(zip->tail + at + 8);
    uint64_t limit = zip->tail_offset + (uint64_t)at;
    char record[END64_SIZE];
    if (limit < END64_SIZE || offset > limit - END64_SIZE)
        return bad_directory(zip, limit, "the zip64 record lies outside", err);
    if (zip_bytes(zip, offset, record, sizeof(record), err) < 0)
        return -1;
    if (zip_u32(record) != SIGNATURE_END64)
        return bad_directory(zip, offset, "the zip64 record is missing", err);
    *place = (Place){.n_entries = zip_u64(record + 32),
                     .size = zip_u64(record + 40),
                     .offset = zip_u64(record + 48),
                     .end = offset};
    return 0;
}

static int find_directory(Zip *zip, Place *place, Error *err)
{
    size_t first = zip->source->read_cost > TAIL_FIRST ? TAIL_MAX : TAIL_FIRST;
    if (read_tail(zip, first, err) < 0)
        return -1;
    ptrdiff_t end = find_end(zip);
    if (end < 0 && zip->tail_offset > 0 && first < TAIL_MAX) {
        /* A long comment stands behind it. */
        if (read_tail(zip, TAIL_MAX, err) < 0)
            return -1;
        end = find_end(zip);
    }
    if (end < 0)
        return error_set(err, ERR_BAD_DATA, "%s: not a zip archive, or cut off: no end record",
                         zip->source->name);
    const char *p = zip->tail + end;
    *place = (Place){.n_entries = zip_u16(p + 10),
                     .size = zip_u32(p + 12),
                     .offset = zip_u32(p + 16),
                     .end = zip->tail_offset + (uint64_t)end};
    bool is_full =
        place->n_entries == UINT16_MAX || place->size == UINT32_MAX || place->offset == UINT32_MAX;
    if (is_full && find_end64(zip, end, place, err) < 0)
        return -1;
    if (place->size > place->end || place->offset > place->end - place->size)
        return bad_directory(zip, place->offset, "reaches past the end of the file", err);
    if (place->size > ZIP_DIRECTORY_MAX || place->n_entries > ZIP_ENTRIES_MAX)
        return bad_directory(zip, place->offset, "over the limit of entries or bytes", err);
    if (place->n_entries > place->size / CENTRAL_SIZE)
        return bad_directory(zip, place->offset, "too small for its count of entries", err);
    return 0;
}

/* Fills in the fields that did not fit in 32 bits (section 4.5.3). -1 when one is not there. */
static int apply_zip64(ZipEntry *entry, Str extra)
{
    uint64_t *const wide[] = {&entry->size, &entry->compressed, &entry->offset};
    size_t i = 0;
    while (i + 4 <= extra.n) {
        size_t n = zip_u16(extra.p + i + 2);
        i += 4;
        if (n > extra.n - i)
            return -1;
        if (zip_u16(extra.p + i - 4) != EXTRA_ZIP64) {
            i += n;
            continue;
        }
        size_t end = i + n;
        for (size_t k = 0; k < ARRAY_LEN(wide); k++) {
            if (*wide[k] != UINT32_MAX)
                continue;
            if (end - i < 8)
                return -1;
            *wide[k] = zip_u64(extra.p + i);
            i += 8;
        }
        return 0;
    }
    return -1;
}

/* Reads the entry at `rest` and moves behind it. */
static int parse_entry(const Zip *zip, Str *rest, uint64_t at, ZipEntry *entry, Error *err)
{
    const char *p = rest->p;
    if (rest->n < CENTRAL_SIZE || zip_u32(p) != SIGNATURE_CENTRAL)
        return bad_directory(zip, at, "an entry is missing or broken", err);
    size_t n_name = zip_u16(p + 28);
    size_t n_extra = zip_u16(p + 30);
    size_t n_all = CENTRAL_SIZE + n_name + n_extra + zip_u16(p + 32);
    if (n_all > rest->n)
        return bad_directory(zip, at, "an entry reaches past the end", err);
    *entry = (ZipEntry){.name = {p + CENTRAL_SIZE, n_name},
                        .flags = zip_u16(p + 8),
                        .method = zip_u16(p + 10),
                        .crc = zip_u32(p + 16),
                        .compressed = zip_u32(p + 20),
                        .size = zip_u32(p + 24),
                        .offset = zip_u32(p + 42)};
    if (n_name == 0 || n_name > ZIP_NAME_MAX || !str_is_utf8(entry->name) ||
        str_find(entry->name, '\0') >= 0)
        return bad_directory(zip, at, "a name is empty, too long or not UTF-8", err);
    bool is_wide =
        entry->size == UINT32_MAX || entry->compressed == UINT32_MAX || entry->offset == UINT32_MAX;
    if (is_wide && apply_zip64(entry, (Str){p + CENTRAL_SIZE + n_name, n_extra}) < 0)
        return bad_directory(zip, at, "a zip64 size is missing", err);
    *rest = (Str){p + n_all, rest->n - n_all};
    return 0;
}

static int check_entry(const Zip *zip, const ZipEntry *entry, Error *err)
{
    uint64_t front = LOCAL_SIZE + (uint64_t)entry->name.n;
    if (entry->offset > zip->data_size || front > zip->data_size - entry->offset ||
        entry->compressed > zip->data_size - entry->offset - front)
        return zip_fail(zip, entry, ERR_BAD_DATA, "reaches past the end of the members", err);
    if (entry->size > ZIP_RATIO_FREE && entry->size / ZIP_RATIO_MAX > entry->compressed)
        return zip_fail(zip, entry, ERR_BAD_DATA, "claims to grow without measure", err);
    return 0;
}

/* Adds the entry to the sum of sizes; many small bombs make a large one. */
static int check_total(const Zip *zip, const ZipEntry *entry, uint64_t *total, Error *err)
{
    bool is_over = __builtin_add_overflow(*total, entry->size, total);
    if (is_over || (*total > ZIP_TOTAL_FREE && *total / ZIP_RATIO_MAX > zip->source->size))
        return zip_fail(zip, entry, ERR_BAD_DATA, "makes the archive claim to grow without measure",
                        err);
    return 0;
}

/* Keeps the directory instead of the first read's bytes; where a read costs more than its bytes,
   also what stands before it, which is what readers want first. */
static int read_directory(Zip *zip, const Place *place, Error *err)
{
    uint64_t ahead = zip->source->read_cost > 0 ? place->size * AHEAD_FACTOR : 0;
    if (ahead > AHEAD_MAX)
        ahead = AHEAD_MAX;
    if (ahead > place->offset)
        ahead = place->offset;
    return keep(zip, place->offset - ahead, (size_t)(ahead + place->size), err);
}

static int parse_directory(Zip *zip, const Place *place, Error *err)
{
    if (place->offset < zip->tail_offset && read_directory(zip, place, err) < 0)
        return -1;
    Str rest = {zip->tail + (place->offset - zip->tail_offset), (size_t)place->size};
    zip->data_size = place->offset;
    zip->entries = mem_resize(NULL, place->n_entries + 1, sizeof(*zip->entries));
    const char *start = rest.p;
    uint64_t total = 0;
    for (uint64_t i = 0; i < place->n_entries; i++) {
        ZipEntry *entry = &zip->entries[i];
        if (parse_entry(zip, &rest, place->offset + (uint64_t)(rest.p - start), entry, err) < 0 ||
            check_entry(zip, entry, err) < 0 || check_total(zip, entry, &total, err) < 0)
            return -1;
        zip->n_entries++;
    }
    return 0;
}

static int compare_offsets(const void *a, const void *b, void *context)
{
    const ZipEntry *entries = context;
    uint64_t left = entries[*(const uint32_t *)a].offset;
    uint64_t right = entries[*(const uint32_t *)b].offset;
    return left < right ? -1 : left > right;
}

/* The places of the entries in the order of their offsets; NULL when that is the directory's. */
static uint32_t *order_by_offset(const Zip *zip)
{
    size_t n_rising = 1;
    while (n_rising < zip->n_entries &&
           zip->entries[n_rising - 1].offset <= zip->entries[n_rising].offset)
        n_rising++;
    if (n_rising >= zip->n_entries)
        return NULL;
    uint32_t *order = mem_array(zip->n_entries, sizeof(*order));
    for (size_t i = 0; i < zip->n_entries; i++)
        order[i] = (uint32_t)i;
    qsort_r(order, zip->n_entries, sizeof(*order), compare_offsets, zip->entries);
    return order;
}

/* Members that share bytes are how a small archive grows beyond any ratio. */
static int check_overlaps(const Zip *zip, Error *err)
{
    assert(zip->entries || zip->n_entries == 0);
    auto_free uint32_t *order = order_by_offset(zip);
    for (size_t i = 0; i < zip->n_entries; i++) {
        ZipEntry *entry = &zip->entries[order ? order[i] : i];
        const ZipEntry *next =
            i + 1 < zip->n_entries ? &zip->entries[order ? order[i + 1] : i + 1] : NULL;
        entry->end = next ? next->offset : zip->data_size;
        if (entry->end - entry->offset < LOCAL_SIZE + entry->name.n + entry->compressed)
            return zip_fail(zip, next ? next : entry, ERR_BAD_DATA, "overlaps another member", err);
    }
    return 0;
}

int zip_open(Source *source, Zip **ret, Error *err)
{
    auto_zip Zip *zip = mem_alloc(sizeof(*zip));
    zip->source = source;
    zip->lazy = mem_alloc(sizeof(*zip->lazy));
    Place place = {0};
    if (find_directory(zip, &place, err) < 0 || parse_directory(zip, &place, err) < 0)
        return -1;
    if (check_overlaps(zip, err) < 0)
        return -1;
    zip_index_names(zip);
    *ret = TAKE(zip);
    return 0;
}

void zip_close(Zip *zip)
{
    if (!zip)
        return;
    free(zip->tail);
    free(zip->entries);
    free(zip->slots);
    zip_lazy_free(zip->lazy);
    free(zip);
}

size_t zip_n_entries(const Zip *zip)
{
    return zip->n_entries;
}

const ZipEntry *zip_entry(const Zip *zip, size_t i)
{
    assert(i < zip->n_entries);
    return &zip->entries[i];
}
