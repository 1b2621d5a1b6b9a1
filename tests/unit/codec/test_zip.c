/* Sound archives: every method, sizes of 64 bits, equal names, and how often the source is read. */
#include "cmocka_all.h"

#include "codec/zip_forge.h"

enum { WIDE = 1 };

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

static void check_member(const Zip *zip, const ForgePart *part)
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

static void members_of_every_method_come_out_whole_and_streamed(void **state)
{
    (void)state;
    auto_free char *text = forge_some_text(300000);
    const ForgePart parts[] = {
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
        forge_build(&bytes, parts, ARRAY_LEN(parts), is_wide);
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
    const ForgePart parts[] = {
        {"a", ZIP_STORED, {"12345", 5}, .is_wide = true},
        {"b", ZIP_ZSTD, {"67890", 5}, .is_wide = true},
    };
    auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
    forge_build(&bytes, parts, ARRAY_LEN(parts), true);
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
    ForgePart part = {"none", ZIP_ZSTD, {"", 0}};
    auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
    auto_buf Buf directory = BUF_INIT(ARCHIVE_MAX);
    part.method = ZIP_STORED;
    forge_put_part(&bytes, &directory, &part);
    bytes.data[8] = ZIP_ZSTD;
    directory.data[10] = ZIP_ZSTD;
    uint64_t offset = bytes.len;
    buf_add_str(&bytes, buf_str(&directory));
    forge_put_end(&bytes, 1, directory.len, offset, false);
    auto_source Source *source = source_of_bytes(buf_str(&bytes), "a.eval");
    auto_zip Zip *zip = NULL;
    auto_error Error err = ERROR_INIT;
    assert_int_equal(zip_open(source, &zip, &err), 0);
    check_member(zip, &part);
}

static void the_last_of_equal_names_wins(void **state)
{
    (void)state;
    const ForgePart parts[] = {
        {"x", ZIP_STORED, {"old", 3}},
        {"y", ZIP_STORED, {"other", 5}},
        {"x", ZIP_STORED, {"new", 3}},
    };
    auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
    forge_build(&bytes, parts, ARRAY_LEN(parts), false);
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
    auto_free char *text = forge_some_text(1 << 20);
    const ForgePart parts[] = {
        {"large", ZIP_STORED, {text, 1 << 20}},
        {"header", ZIP_STORED, {"{}", 2}},
    };
    auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
    forge_build(&bytes, parts, ARRAY_LEN(parts), false);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_of_every_method_come_out_whole_and_streamed),
        cmocka_unit_test(sizes_and_offsets_of_64_bits_are_read),
        cmocka_unit_test(a_zstd_member_without_bytes_is_empty),
        cmocka_unit_test(the_last_of_equal_names_wins),
        cmocka_unit_test(a_small_archive_takes_one_read_and_a_member_of_a_large_one_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
