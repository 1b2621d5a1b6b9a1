/* Archives, sound and hostile. They are written here byte by byte, so that each field can lie. */
#include "cmocka_all.h"

#include <string.h>

#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "codec/zip.h"

enum { ARCHIVE_MAX = 8 << 20, MEMBER_MAX = 4 << 20, WIDE = 1 };

/* One member to be written; the fields below `text` change what the archive says about it. */
typedef struct Part {
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
} Part;

static void put16(Buf *buf, unsigned value)
{
    buf_addc(buf, (char)(value & 255));
    buf_addc(buf, (char)(value >> 8 & 255));
}

static void put32(Buf *buf, uint64_t value)
{
    put16(buf, (unsigned)(value & 65535));
    put16(buf, (unsigned)(value >> 16 & 65535));
}

static void put64(Buf *buf, uint64_t value)
{
    put32(buf, value & UINT32_MAX);
    put32(buf, value >> 32);
}

static void pack_deflate(Str text, Buf *ret)
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

static void pack(const Part *part, Buf *ret)
{
    if (part->method == ZIP_DEFLATE) {
        pack_deflate(part->text, ret);
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

static void put_sizes(Buf *buf, const Part *part, uint64_t packed, uint64_t size)
{
    put32(buf, part->is_wide ? UINT32_MAX : packed);
    put32(buf, part->is_wide ? UINT32_MAX : size);
}

static size_t name_size(const Part *part)
{
    return part->n_name ? part->n_name : strlen(part->name);
}

static uint32_t crc_of(const Part *part)
{
    return (uint32_t)crc32(0, (const Bytef *)part->text.p, (uInt)part->text.n) ^ part->crc_flip;
}

static void put_central(Buf *ret, const Part *part, uint64_t packed, uint64_t offset)
{
    uint64_t size = part->claimed ? part->claimed : part->text.n;
    put32(ret, 0x02014b50);
    put16(ret, 20);
    put16(ret, 20);
    put16(ret, part->flags);
    put16(ret, (unsigned)part->method);
    put32(ret, 0);
    put32(ret, crc_of(part));
    put_sizes(ret, part, packed, size);
    put16(ret, (unsigned)name_size(part));
    put16(ret, part->is_wide ? 28 : 0);
    put16(ret, 0);
    put32(ret, 0);
    put32(ret, 0);
    put32(ret, part->is_wide ? UINT32_MAX : offset);
    buf_add(ret, part->name, name_size(part));
    if (part->is_wide) {
        put16(ret, 1);
        put16(ret, 24);
        put64(ret, size);
        put64(ret, packed);
        put64(ret, offset);
    }
}

/* Appends the member to the archive and its entry to the directory. */
static void put_part(Buf *ret, Buf *directory, const Part *part)
{
    auto_buf Buf data = BUF_INIT(ARCHIVE_MAX);
    pack(part, &data);
    uint64_t packed = part->packed ? part->packed : data.len;
    uint64_t offset = part->offset ? (uint64_t)part->offset : ret->len;
    const char *name = part->local_name ? part->local_name : part->name;
    put32(ret, 0x04034b50);
    put16(ret, 20);
    put16(ret, part->flags);
    put16(ret, (unsigned)part->method);
    put32(ret, 0);
    put32(ret, crc_of(part));
    put_sizes(ret, part, packed, part->text.n);
    put16(ret, (unsigned)name_size(part));
    put16(ret, part->is_wide ? 20 : 0);
    buf_add(ret, name, name_size(part));
    if (part->is_wide) {
        put16(ret, 1);
        put16(ret, 16);
        put64(ret, part->text.n);
        put64(ret, packed);
    }
    buf_add_str(ret, buf_str(&data));
    put_central(directory, part, packed, offset);
}

static void put_end(Buf *ret, uint64_t n, uint64_t size, uint64_t offset, bool is_wide)
{
    if (is_wide) {
        uint64_t at = ret->len;
        put32(ret, 0x06064b50);
        put64(ret, 44);
        put32(ret, 0);
        put32(ret, 0);
        put32(ret, 0);
        put64(ret, n);
        put64(ret, n);
        put64(ret, size);
        put64(ret, offset);
        put32(ret, 0x07064b50);
        put32(ret, 0);
        put64(ret, at);
        put32(ret, 1);
    }
    put32(ret, 0x06054b50);
    put32(ret, 0);
    put16(ret, is_wide ? 0xffff : (unsigned)n);
    put16(ret, is_wide ? 0xffff : (unsigned)n);
    put32(ret, is_wide ? UINT32_MAX : size);
    put32(ret, is_wide ? UINT32_MAX : offset);
    put16(ret, 0);
}

static void build(Buf *ret, const Part *parts, size_t n, bool is_wide)
{
    auto_buf Buf directory = BUF_INIT(ARCHIVE_MAX);
    for (size_t i = 0; i < n; i++)
        put_part(ret, &directory, &parts[i]);
    uint64_t offset = ret->len;
    buf_add_str(ret, buf_str(&directory));
    put_end(ret, n, directory.len, offset, is_wide);
}

static void read_stream(const Zip *zip, const ZipEntry *entry, size_t piece, Buf *ret)
{
    auto_error Error err = ERROR_INIT;
    auto_zip_member ZipMember *member = NULL;
    assert_int_equal(zip_member_open(zip, entry, &member, &err), 0);
    for (;;) {
        char *room = buf_room(ret, piece);
        size_t n = 0;
        assert_int_equal(zip_member_read(member, room, piece, &n, &err), 0);
        buf_grew(ret, n);
        if (n == 0)
            return;
    }
}

static void check_member(const Zip *zip, const Part *part)
{
    auto_error Error err = ERROR_INIT;
    const ZipEntry *entry = zip_find(zip, str_of(part->name));
    assert_non_null(entry);
    auto_buf Buf whole = BUF_INIT(MEMBER_MAX);
    assert_int_equal(zip_read(zip, entry, &whole, &err), 0);
    assert_true(str_eq(buf_str(&whole), part->text));
    const size_t pieces[] = {7, 1000, 1 << 20};
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        auto_buf Buf streamed = BUF_INIT(MEMBER_MAX);
        read_stream(zip, entry, pieces[i], &streamed);
        assert_true(str_eq(buf_str(&streamed), part->text));
    }
}

/* Text that compresses somewhat, of n bytes. */
static char *some_text(size_t n)
{
    char *text = mem_alloc(n + 1);
    uint32_t x = 1;
    for (size_t i = 0; i < n; i++) {
        x = x * 1103515245 + 12345;
        text[i] = (char)('a' + (x >> 24) % 20);
    }
    return text;
}

static void members_of_every_method_come_out_whole_and_streamed(void **state)
{
    (void)state;
    auto_free char *text = some_text(300000);
    const Part parts[] = {
        {"stored", ZIP_STORED, {text, 100000}},
        {"deflate", ZIP_DEFLATE, {text, 300000}},
        {"zstd", ZIP_ZSTD, {text, 300000}},
        {"frames", ZIP_ZSTD, {text, 300000}, .n_frames = 3},
        {"empty", ZIP_STORED, {"", 0}},
        {"empty deflate", ZIP_DEFLATE, {"", 0}},
        {"caf\xc3\xa9/../\xe6\xbc\xa2", ZIP_ZSTD, {"{}", 2}},
    };
    for (int is_wide = 0; is_wide <= WIDE; is_wide++) {
        auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
        build(&bytes, parts, ARRAY_LEN(parts), is_wide);
        auto_source Source *source = source_of_bytes(buf_str(&bytes), "a.eval");
        auto_zip Zip *zip = NULL;
        auto_error Error err = ERROR_INIT;
        assert_int_equal(zip_open(source, &zip, &err), 0);
        assert_int_equal(zip_n_entries(zip), ARRAY_LEN(parts));
        for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
            assert_true(str_eqz(zip_entry(zip, i)->name, parts[i].name));
            check_member(zip, &parts[i]);
        }
        assert_null(zip_find(zip, STR("none")));
    }
}

static void sizes_and_offsets_of_64_bits_are_read(void **state)
{
    (void)state;
    const Part parts[] = {
        {"a", ZIP_STORED, {"12345", 5}, .is_wide = true},
        {"b", ZIP_ZSTD, {"67890", 5}, .is_wide = true},
    };
    auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
    build(&bytes, parts, ARRAY_LEN(parts), true);
    auto_source Source *source = source_of_bytes(buf_str(&bytes), "a.eval");
    auto_zip Zip *zip = NULL;
    auto_error Error err = ERROR_INIT;
    assert_int_equal(zip_open(source, &zip, &err), 0);
    check_member(zip, &parts[0]);
    check_member(zip, &parts[1]);
}

static void a_zstd_member_without_bytes_is_empty(void **state)
{
    (void)state;
    Part part = {"none", ZIP_ZSTD, {"", 0}};
    auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
    auto_buf Buf directory = BUF_INIT(ARCHIVE_MAX);
    part.method = ZIP_STORED;
    put_part(&bytes, &directory, &part);
    bytes.data[8] = ZIP_ZSTD;
    directory.data[10] = ZIP_ZSTD;
    uint64_t offset = bytes.len;
    buf_add_str(&bytes, buf_str(&directory));
    put_end(&bytes, 1, directory.len, offset, false);
    auto_source Source *source = source_of_bytes(buf_str(&bytes), "a.eval");
    auto_zip Zip *zip = NULL;
    auto_error Error err = ERROR_INIT;
    assert_int_equal(zip_open(source, &zip, &err), 0);
    check_member(zip, &part);
}

static void the_last_of_equal_names_wins(void **state)
{
    (void)state;
    const Part parts[] = {
        {"x", ZIP_STORED, {"old", 3}},
        {"y", ZIP_STORED, {"other", 5}},
        {"x", ZIP_STORED, {"new", 3}},
    };
    auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
    build(&bytes, parts, ARRAY_LEN(parts), false);
    auto_source Source *source = source_of_bytes(buf_str(&bytes), "a.eval");
    auto_zip Zip *zip = NULL;
    auto_error Error err = ERROR_INIT;
    assert_int_equal(zip_open(source, &zip, &err), 0);
    assert_int_equal(zip_n_entries(zip), 2);
    check_member(zip, &parts[1]);
    check_member(zip, &parts[2]);
}

/* A source that counts its reads. */
typedef struct Counting {
    Source base;
    Str bytes;
    size_t n_reads;
} Counting;

static int counting_read(Source *source, uint64_t offset, void *data, size_t n, Error *err)
{
    (void)err;
    Counting *counting = (Counting *)source;
    counting->n_reads++;
    memcpy(data, counting->bytes.p + offset, n);
    return 0;
}

static void a_small_archive_takes_one_read_and_a_member_of_a_large_one_another(void **state)
{
    (void)state;
    auto_free char *text = some_text(1 << 20);
    const Part parts[] = {
        {"large", ZIP_STORED, {text, 1 << 20}},
        {"header", ZIP_STORED, {"{}", 2}},
    };
    auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
    build(&bytes, parts, ARRAY_LEN(parts), false);
    char name[] = "a.eval";
    Counting source = {
        .base = {.read_at = counting_read, .size = bytes.len, .name = name},
        .bytes = buf_str(&bytes),
    };
    auto_zip Zip *zip = NULL;
    auto_error Error err = ERROR_INIT;
    auto_buf Buf ret = BUF_INIT(MEMBER_MAX);
    assert_int_equal(zip_open(&source.base, &zip, &err), 0);
    assert_int_equal(zip_read(zip, zip_find(zip, STR("header")), &ret, &err), 0);
    assert_int_equal(source.n_reads, 1);
    assert_int_equal(zip_read(zip, zip_find(zip, STR("large")), &ret, &err), 0);
    assert_int_equal(source.n_reads, 2);
}

static void expect_open_fails(const Buf *bytes, const char *part_of_text)
{
    auto_source Source *source = source_of_bytes(buf_str(bytes), "bad.eval");
    auto_zip Zip *zip = NULL;
    auto_error Error err = ERROR_INIT;
    assert_int_equal(zip_open(source, &zip, &err), -1);
    assert_int_equal(err.kind, ERR_BAD_DATA);
    if (!strstr(error_text(&err), part_of_text))
        fail_msg("'%s' is not in '%s'", part_of_text, error_text(&err));
}

/* Opens, and expects both ways of reading the first member to fail the same way. */
static void expect_read_fails(const Part *part, ErrorKind kind, const char *part_of_text)
{
    auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
    build(&bytes, part, 1, false);
    auto_source Source *source = source_of_bytes(buf_str(&bytes), "bad.eval");
    auto_zip Zip *zip = NULL;
    auto_error Error err = ERROR_INIT;
    assert_int_equal(zip_open(source, &zip, &err), 0);
    auto_buf Buf ret = BUF_INIT(MEMBER_MAX);
    assert_int_equal(zip_read(zip, zip_entry(zip, 0), &ret, &err), -1);
    assert_int_equal(err.kind, kind);
    assert_int_equal(ret.len, 0);
    if (!strstr(error_text(&err), part_of_text) || !strstr(error_text(&err), "at byte 0"))
        fail_msg("'%s' is not in '%s'", part_of_text, error_text(&err));
    error_reset(&err);
    auto_zip_member ZipMember *member = NULL;
    int result = zip_member_open(zip, zip_entry(zip, 0), &member, &err);
    char data[4096];
    size_t n = 1;
    size_t total = 0;
    while (result == 0 && n > 0) {
        result = zip_member_read(member, data, sizeof(data), &n, &err);
        total += result == 0 ? n : 0;
        assert_true(total <= MEMBER_MAX);
    }
    assert_int_equal(result, -1);
    assert_int_equal(err.kind, kind);
}

static void lies_about_a_member_are_found_when_it_is_read(void **state)
{
    (void)state;
    auto_free char *text = some_text(100000);
    Str whole = {text, 100000};
    const struct {
        Part part;
        ErrorKind kind;
        const char *text;
    } cases[] = {
        {{"sample", ZIP_DEFLATE, whole, .crc_flip = 1}, ERR_BAD_DATA, "checksum"},
        {{"sample", ZIP_ZSTD, whole, .crc_flip = 1}, ERR_BAD_DATA, "checksum"},
        {{"sample", ZIP_STORED, whole, .crc_flip = 1}, ERR_BAD_DATA, "checksum"},
        {{"sample", ZIP_DEFLATE, whole, .claimed = 99999}, ERR_BAD_DATA, "member sample"},
        {{"sample", ZIP_DEFLATE, whole, .claimed = 100001}, ERR_BAD_DATA, "member sample"},
        {{"sample", ZIP_ZSTD, whole, .claimed = 99999}, ERR_BAD_DATA, "member sample"},
        {{"sample", ZIP_ZSTD, whole, .claimed = 100001}, ERR_BAD_DATA, "member sample"},
        {{"sample", ZIP_STORED, whole, .claimed = 100001}, ERR_BAD_DATA, "sizes differ"},
        {{"sample", ZIP_DEFLATE, whole, .packed = 1000}, ERR_BAD_DATA, "member sample"},
        {{"sample", ZIP_ZSTD, whole, .packed = 1000}, ERR_BAD_DATA, "member sample"},
        {{"sample", ZIP_ZSTD, {text, 3}, .claimed = 1, .packed = 2}, ERR_BAD_DATA, "member sample"},
        {{"sample", ZIP_ZSTD, whole, .local_name = "simple"}, ERR_BAD_DATA, "local header"},
        {{"sample", 12, whole}, ERR_UNSUPPORTED, "method"},
        {{"sample", ZIP_STORED, whole, .flags = 1}, ERR_UNSUPPORTED, "encrypted"},
        {{"a\nb", ZIP_STORED, whole, .crc_flip = 1}, ERR_BAD_DATA, "member a?b"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_read_fails(&cases[i].part, cases[i].kind, cases[i].text);
}

static void a_bomb_is_refused_before_it_is_unpacked(void **state)
{
    (void)state;
    Part part = {"bomb", ZIP_ZSTD, {"x", 1}, .claimed = UINT64_C(1) << 40, .is_wide = true};
    auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
    build(&bytes, &part, 1, true);
    expect_open_fails(&bytes, "member bomb at byte 0: claims to grow");
}

static void a_member_over_the_readers_limit_is_refused_before_it_is_unpacked(void **state)
{
    (void)state;
    Part part = {"big", ZIP_ZSTD, {"x", 1}, .claimed = MEMBER_MAX + 1};
    auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
    build(&bytes, &part, 1, false);
    auto_source Source *source = source_of_bytes(buf_str(&bytes), "bad.eval");
    auto_zip Zip *zip = NULL;
    auto_error Error err = ERROR_INIT;
    auto_buf Buf ret = BUF_INIT(MEMBER_MAX);
    assert_int_equal(zip_open(source, &zip, &err), 0);
    assert_int_equal(zip_read(zip, zip_entry(zip, 0), &ret, &err), -1);
    assert_non_null(strstr(error_text(&err), "over the limit"));
    assert_int_equal(ret.cap, 0);
}

static void members_that_share_bytes_are_refused(void **state)
{
    (void)state;
    const Part parts[] = {
        {"one", ZIP_STORED, {"1111111111", 10}},
        {"two", ZIP_STORED, {"2222222222", 10}, .offset = 20},
    };
    auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
    build(&bytes, parts, ARRAY_LEN(parts), false);
    expect_open_fails(&bytes, "overlaps");
}

static void places_outside_the_file_are_refused(void **state)
{
    (void)state;
    const Part parts[] = {
        {"far", ZIP_STORED, {"1", 1}, .offset = INT64_C(1) << 40, .is_wide = true},
        {"huge",
         ZIP_STORED,
         {"1", 1},
         .packed = UINT64_MAX - 5,
         .claimed = UINT64_MAX - 5,
         .is_wide = true},
        {"wrap", ZIP_STORED, {"1", 1}, .offset = -2, .is_wide = true},
        {"long", ZIP_STORED, {"1", 1}, .packed = 100},
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
        build(&bytes, &parts[i], 1, false);
        expect_open_fails(&bytes, "reaches past the end of the members");
    }
}

static void names_that_are_no_text_are_refused(void **state)
{
    (void)state;
    const Part parts[] = {
        {"\xff\xfe", ZIP_STORED, {"1", 1}},
        {"a\0b", ZIP_STORED, {"1", 1}, .n_name = 3},
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
        build(&bytes, &parts[i], 1, false);
        expect_open_fails(&bytes, "a name is");
    }
}

static void a_directory_that_lies_is_refused(void **state)
{
    (void)state;
    const Part part = {"one", ZIP_STORED, {"1", 1}};
    const struct {
        uint64_t n;
        uint64_t size;
        uint64_t offset;
        bool is_wide;
        const char *text;
    } cases[] = {
        {2, 49, 34, false, "too small"},
        {1, 50, 34, false, "reaches past"},
        {1, 49, 35, false, "reaches past"},
        {1, 48, 34, false, "an entry"},
        {UINT64_C(1) << 60, 49, 34, true, "over the limit"},
        {1, UINT64_MAX, 34, true, "reaches past"},
        {1, 49, UINT64_MAX, true, "reaches past"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
        auto_buf Buf directory = BUF_INIT(ARCHIVE_MAX);
        put_part(&bytes, &directory, &part);
        buf_add_str(&bytes, buf_str(&directory));
        put_end(&bytes, cases[i].n, cases[i].size, cases[i].offset, cases[i].is_wide);
        expect_open_fails(&bytes, cases[i].text);
    }
}

static void an_archive_cut_anywhere_is_refused(void **state)
{
    (void)state;
    const Part part = {"one", ZIP_ZSTD, {"111", 3}};
    auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
    build(&bytes, &part, 1, false);
    while (bytes.len > 0) {
        buf_truncate(&bytes, bytes.len - 1);
        expect_open_fails(&bytes, "archive");
    }
}

static void no_flipped_bit_goes_unnoticed_in_the_data(void **state)
{
    (void)state;
    auto_free char *text = some_text(200);
    const int methods[] = {ZIP_STORED, ZIP_DEFLATE, ZIP_ZSTD};
    for (size_t m = 0; m < ARRAY_LEN(methods); m++) {
        Part part = {"one", methods[m], {text, 200}};
        auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
        build(&bytes, &part, 1, false);
        for (size_t i = 0; i < bytes.len * 8; i++) {
            bytes.data[i / 8] ^= (char)(1 << i % 8);
            auto_source Source *source = source_of_bytes(buf_str(&bytes), "bad.eval");
            auto_zip Zip *zip = NULL;
            auto_error Error err = ERROR_INIT;
            auto_buf Buf ret = BUF_INIT(MEMBER_MAX);
            if (zip_open(source, &zip, &err) == 0 && zip_n_entries(zip) == 1 &&
                zip_read(zip, zip_entry(zip, 0), &ret, &err) == 0)
                assert_true(str_eq(buf_str(&ret), part.text));
            bytes.data[i / 8] ^= (char)(1 << i % 8);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_of_every_method_come_out_whole_and_streamed),
        cmocka_unit_test(sizes_and_offsets_of_64_bits_are_read),
        cmocka_unit_test(a_zstd_member_without_bytes_is_empty),
        cmocka_unit_test(the_last_of_equal_names_wins),
        cmocka_unit_test(a_small_archive_takes_one_read_and_a_member_of_a_large_one_another),
        cmocka_unit_test(lies_about_a_member_are_found_when_it_is_read),
        cmocka_unit_test(a_bomb_is_refused_before_it_is_unpacked),
        cmocka_unit_test(a_member_over_the_readers_limit_is_refused_before_it_is_unpacked),
        cmocka_unit_test(members_that_share_bytes_are_refused),
        cmocka_unit_test(places_outside_the_file_are_refused),
        cmocka_unit_test(names_that_are_no_text_are_refused),
        cmocka_unit_test(a_directory_that_lies_is_refused),
        cmocka_unit_test(an_archive_cut_anywhere_is_refused),
        cmocka_unit_test(no_flipped_bit_goes_unnoticed_in_the_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
