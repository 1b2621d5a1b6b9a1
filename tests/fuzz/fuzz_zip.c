/* Archives: opens anything, reads each member whole and as a stream, and holds the two against each
   other. */

#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/source.h"
#include "codec/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMBER_MAX = 1 << 20, PIECE = 1000, MEMBERS_MAX = 50 };

static int read_stream(const Zip *zip, const ZipEntry *entry, Buf *ret, Error *err)
{
    auto_zip_member ZipMember *member = NULL;
    if (zip_member_open(zip, entry, &member, err) < 0)
        return -1;
    size_t n = 1;
    while (n > 0) {
        char *room = buf_room(ret, PIECE);
        if (!room)
            return -1;
        if (zip_member_read(member, room, PIECE, &n, err) < 0)
            return -1;
        buf_grew(ret, n);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_source Source *source = source_of_bytes((Str){(const char *)data, size}, "fuzz");
    auto_zip Zip *zip = NULL;
    auto_error Error err = ERROR_INIT;
    if (zip_open(source, &zip, &err) < 0)
        return 0;
    for (size_t i = 0; i < zip_n_entries(zip) && i < MEMBERS_MAX; i++) {
        const ZipEntry *entry = zip_entry(zip, i);
        if (zip_find(zip, entry->name) != entry)
            abort();
        auto_error Error whole_error = ERROR_INIT;
        auto_error Error stream_error = ERROR_INIT;
        auto_buf Buf whole = BUF_INIT(MEMBER_MAX);
        auto_buf Buf stream = BUF_INIT(MEMBER_MAX + PIECE);
        int whole_result = zip_read(zip, entry, &whole, &whole_error);
        int stream_result = read_stream(zip, entry, &stream, &stream_error);
        if (whole_result == 0 && stream_result == 0 && !str_eq(buf_str(&whole), buf_str(&stream)))
            abort();
    }
    return 0;
}
