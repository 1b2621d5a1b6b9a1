/* ZipWrite: makes a zip archive as a stream.

   What is written goes to a sink at once, and only the directory is kept in memory. Sizes and
   offsets beyond 32 bits and more than 65,535 members are written as zip64. Dates are not kept. */
#ifndef HAWK_CODEC_ZIP_WRITE_H
#define HAWK_CODEC_ZIP_WRITE_H

#include "base/error.h"
#include "base/source.h"
#include "base/str.h"
#include "codec/zip.h"

typedef struct ZipWrite ZipWrite;

/* Takes the next bytes of the archive; -1 with an error ends the writing. */
typedef int ZipWriteSink(void *context, Str bytes, Error *err);

/* An empty archive. After a failure of any function below only zip_write_free is left. */
ZipWrite *zip_write_new(ZipWriteSink *sink, void *context) HAWK_MUST_USE;
void zip_write_free(ZipWrite *zip);

/* Adds a member, deflated unless that makes it larger. The name is UTF-8 and not in the archive
   yet. */
int zip_write_add(ZipWrite *zip, Str name, Str content, Error *err) HAWK_MUST_USE;

/* Adds size bytes of a source as a member, as they are, in bounded memory: they are read twice. */
int zip_write_store(ZipWrite *zip, Str name, Source *from, uint64_t at, uint64_t size,
                    Error *err) HAWK_MUST_USE;

/* Adds a member of another archive as it lies there, in bounded memory; its checksum is taken over
   and not checked. ERR_UNSUPPORTED when it is encrypted. */
int zip_write_copy(ZipWrite *zip, const Zip *from, const ZipEntry *entry, Error *err) HAWK_MUST_USE;

/* Writes the directory; the archive is whole. */
int zip_write_finish(ZipWrite *zip, Error *err) HAWK_MUST_USE;

HAWK_DEFINE_AUTO(ZipWrite, zip_write, zip_write_free)
#define auto_zip_write HAWK_CLEANUP(zip_write_cleanup_)

#endif
