/* Zip: reads archives (stored, deflate, zstd; zip64) out of a source, with few reads of ranges.

   An archive is hostile: opening it checks the whole directory against the ceilings below, that no
   two members share bytes, and that names are UTF-8. Names are only keys here; nothing becomes a
   path. When a name occurs more than once the last entry counts. Once open, an archive does not
   change, so several threads may read members at once. */
#ifndef HAWK_CODEC_ZIP_H
#define HAWK_CODEC_ZIP_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/source.h"
#include "base/str.h"

#define ZIP_ENTRIES_MAX ((size_t)2000000)
#define ZIP_DIRECTORY_MAX ((size_t)256 << 20)
enum { ZIP_NAME_MAX = 8192 };

/* A member above this size may not be more than ZIP_RATIO_MAX times as large as its compressed
   form, nor may all members together above the other be that many times as large as the archive.
   Events that repeat one long text compress 4,000 times. */
#define ZIP_RATIO_FREE ((uint64_t)64 << 20)
#define ZIP_TOTAL_FREE ((uint64_t)1 << 30)
enum { ZIP_RATIO_MAX = 8000 };

typedef enum ZipMethod { ZIP_STORED = 0, ZIP_DEFLATE = 8, ZIP_ZSTD = 93 } ZipMethod;

typedef struct Zip Zip;
typedef struct ZipMember ZipMember;

/* One member as the directory has it; the name lives as long as the archive. */
typedef struct ZipEntry {
    Str name;
    uint64_t offset; /* of its local header */
    uint64_t end;    /* where the next member begins: it may not reach further */
    uint64_t compressed;
    uint64_t size; /* when decompressed */
    uint32_t crc;
    uint16_t method; /* a ZipMethod, or one that cannot be read */
    uint16_t flags;
} ZipEntry;

/* Reads the directory: one read of the last 16 KB (64 KB where a read costs more than that), and
   when it is larger a second one, which where reads cost anything also takes what stands before it
   (up to 16 MB, which the archive keeps). The source is borrowed and must outlive the archive.
   ERR_BAD_DATA when it is no archive or a broken one. */
int zip_open(Source *source, Zip **ret, Error *err) HAWK_MUST_USE;
void zip_close(Zip *zip);

/* The members in the order of the directory. */
size_t zip_n_entries(const Zip *zip);
const ZipEntry *zip_entry(const Zip *zip, size_t i);

/* The member of that name, or NULL. */
const ZipEntry *zip_find(const Zip *zip, Str name);

/* The members whose names begin with prefix, sorted by name: returns their count and gives the
   place of the first, for zip_entry_sorted. */
size_t zip_find_prefix(const Zip *zip, Str prefix, size_t *ret_first);
const ZipEntry *zip_entry_sorted(const Zip *zip, size_t i);

/* Appends the decompressed member to ret, with its checksum checked. ERR_BAD_DATA (naming member
   and place) when it is broken or does not fit in ret; ERR_UNSUPPORTED for other methods and
   encryption. */
int zip_read(const Zip *zip, const ZipEntry *entry, Buf *ret, Error *err) HAWK_MUST_USE;

/* Opens a member to be read piece by piece: in memory are 256 KB of the archive (4 MB where reads
   cost something) and the window of the decompressor, which for zstd is what its maker chose (2 to
   8 MB as a rule, 128 at most). The archive must outlive it. */
int zip_member_open(const Zip *zip, const ZipEntry *entry, ZipMember **ret,
                    Error *err) HAWK_MUST_USE;

/* Puts up to n bytes into data and their count into ret_n; 0 is the end, reached only when size and
   checksum were right. Fails as zip_read. */
int zip_member_read(ZipMember *member, void *data, size_t n, size_t *ret_n,
                    Error *err) HAWK_MUST_USE;
void zip_member_close(ZipMember *member);

HAWK_DEFINE_AUTO(Zip, zip, zip_close)
#define auto_zip HAWK_CLEANUP(zip_cleanup_)
HAWK_DEFINE_AUTO(ZipMember, zip_member, zip_member_close)
#define auto_zip_member HAWK_CLEANUP(zip_member_cleanup_)

#endif
