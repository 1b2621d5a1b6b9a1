/* Hostile and broken archives. */
#include "cmocka_all.h"

#include "codec/zip_forge.h"

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
static void expect_read_fails(const ForgePart *part, ErrorKind kind, const char *part_of_text)
{
    auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
    forge_build(&bytes, part, 1, false);
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
    auto_free char *text = forge_some_text(100000);
    Str whole = {text, 100000};
    const struct {
        ForgePart part;
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
    ForgePart part = {"bomb", ZIP_ZSTD, {"x", 1}, .claimed = UINT64_C(1) << 40, .is_wide = true};
    auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
    forge_build(&bytes, &part, 1, true);
    expect_open_fails(&bytes, "member bomb at byte 0: claims to grow");
}

static void a_member_over_the_readers_limit_is_refused_before_it_is_unpacked(void **state)
{
    (void)state;
    ForgePart part = {"big", ZIP_ZSTD, {"x", 1}, .claimed = MEMBER_MAX + 1};
    auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
    forge_build(&bytes, &part, 1, false);
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
    const ForgePart parts[] = {
        {"one", ZIP_STORED, {"1111111111", 10}},
        {"two", ZIP_STORED, {"2222222222", 10}, .offset = 20},
    };
    auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
    forge_build(&bytes, parts, ARRAY_LEN(parts), false);
    expect_open_fails(&bytes, "overlaps");
}

static void members_at_the_same_place_are_refused(void **state)
{
    (void)state;
    const ForgePart parts[] = {
        {"one", ZIP_STORED, {"1111111111", 10}},
        {"two", ZIP_STORED, {"2222222222", 10}, .offset = 43}, /* its own place */
        {"ten", ZIP_STORED, {"2222222222", 10}, .offset = 43},
    };
    auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
    forge_build(&bytes, parts, ARRAY_LEN(parts), false);
    expect_open_fails(&bytes, "member t");
}

/* Only the local header says how far the data is from it. */
static void a_local_header_may_not_move_its_data_into_the_next_member(void **state)
{
    (void)state;
    const ForgePart parts[] = {
        {"one", ZIP_STORED, {"1111111111", 10}, .n_extra = 12},
        {"two", ZIP_STORED, {"2222222222", 10}},
    };
    auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
    forge_build(&bytes, parts, ARRAY_LEN(parts), false);
    bytes.data[28] += 1;
    auto_source Source *source = source_of_bytes(buf_str(&bytes), "bad.eval");
    auto_zip Zip *zip = NULL;
    auto_error Error err = ERROR_INIT;
    auto_error Error stream_err = ERROR_INIT;
    auto_buf Buf ret = BUF_INIT(MEMBER_MAX);
    auto_zip_member ZipMember *member = NULL;
    assert_int_equal(zip_open(source, &zip, &err), 0);
    assert_int_equal(zip_read(zip, zip_entry(zip, 0), &ret, &err), -1);
    assert_int_equal(zip_member_open(zip, zip_entry(zip, 0), &member, &stream_err), -1);
    assert_non_null(strstr(error_text(&err), "member one at byte 0: its local header moves it"));
    assert_string_equal(error_text(&err), error_text(&stream_err));
    error_reset(&err);
    assert_int_equal(zip_read(zip, zip_entry(zip, 1), &ret, &err), 0);
}

static void many_small_bombs_are_refused_as_a_large_one(void **state)
{
    (void)state;
    auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
    auto_buf Buf directory = BUF_INIT(ARCHIVE_MAX);
    /* Each is just below what a single member may claim. */
    for (int i = 0; i < 17; i++) {
        auto_free char *name = mem_printf("bomb %d", i);
        const ForgePart part = {name, ZIP_ZSTD, {"x", 1}, .claimed = ZIP_RATIO_FREE};
        forge_put_part(&bytes, &directory, &part);
    }
    uint64_t offset = bytes.len;
    buf_add_str(&bytes, buf_str(&directory));
    forge_put_end(&bytes, 17, directory.len, offset, false);
    expect_open_fails(&bytes, "member bomb 16 at byte 742: makes the archive claim to grow");
}

static void more_bytes_than_claimed_are_never_handed_out(void **state)
{
    (void)state;
    auto_free char *zeros = mem_alloc(MEMBER_MAX / 2);
    static const int methods[] = {ZIP_DEFLATE, ZIP_ZSTD};
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        const ForgePart part = {
            "bomb", methods[i], {zeros, MEMBER_MAX / 2}, .claimed = MEMBER_MAX / 4};
        expect_read_fails(&part, ERR_BAD_DATA, "member bomb at byte 0");
    }
}

static void names_that_look_like_paths_are_only_keys(void **state)
{
    (void)state;
    const ForgePart parts[] = {
        {"../../etc/passwd", ZIP_STORED, {"1", 1}},
        {"/etc/passwd", ZIP_STORED, {"2", 1}},
        {"samples/", ZIP_STORED, {"", 0}},
        {"C:\\x", ZIP_STORED, {"3", 1}},
    };
    auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
    forge_build(&bytes, parts, ARRAY_LEN(parts), false);
    auto_source Source *source = source_of_bytes(buf_str(&bytes), "odd.eval");
    auto_zip Zip *zip = NULL;
    auto_error Error err = ERROR_INIT;
    assert_int_equal(zip_open(source, &zip, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        auto_buf Buf ret = BUF_INIT(MEMBER_MAX);
        const ZipEntry *entry = zip_find(zip, str_of(parts[i].name));
        assert_non_null(entry);
        assert_int_equal(zip_read(zip, entry, &ret, &err), 0);
        assert_true(str_eq(buf_str(&ret), parts[i].text));
    }
}

static void places_outside_the_file_are_refused(void **state)
{
    (void)state;
    const ForgePart parts[] = {
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
        forge_build(&bytes, &parts[i], 1, false);
        expect_open_fails(&bytes, "reaches past the end of the members");
    }
}

static void names_that_are_no_text_are_refused(void **state)
{
    (void)state;
    const ForgePart parts[] = {
        {"\xff\xfe", ZIP_STORED, {"1", 1}},
        {"a\0b", ZIP_STORED, {"1", 1}, .n_name = 3},
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
        forge_build(&bytes, &parts[i], 1, false);
        expect_open_fails(&bytes, "a name is");
    }
}

static void a_directory_that_lies_is_refused(void **state)
{
    (void)state;
    const ForgePart part = {"one", ZIP_STORED, {"1", 1}};
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
        forge_put_part(&bytes, &directory, &part);
        buf_add_str(&bytes, buf_str(&directory));
        forge_put_end(&bytes, cases[i].n, cases[i].size, cases[i].offset, cases[i].is_wide);
        expect_open_fails(&bytes, cases[i].text);
    }
}

static void an_archive_cut_anywhere_is_refused(void **state)
{
    (void)state;
    const ForgePart part = {"one", ZIP_ZSTD, {"111", 3}};
    auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
    forge_build(&bytes, &part, 1, false);
    while (bytes.len > 0) {
        buf_truncate(&bytes, bytes.len - 1);
        expect_open_fails(&bytes, "archive");
    }
}

static void no_flipped_bit_goes_unnoticed_in_the_data(void **state)
{
    (void)state;
    auto_free char *text = forge_some_text(200);
    const int methods[] = {ZIP_STORED, ZIP_DEFLATE, ZIP_ZSTD};
    for (size_t m = 0; m < ARRAY_LEN(methods); m++) {
        ForgePart part = {"one", methods[m], {text, 200}};
        auto_buf Buf bytes = BUF_INIT(ARCHIVE_MAX);
        forge_build(&bytes, &part, 1, false);
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
        cmocka_unit_test(lies_about_a_member_are_found_when_it_is_read),
        cmocka_unit_test(a_bomb_is_refused_before_it_is_unpacked),
        cmocka_unit_test(a_member_over_the_readers_limit_is_refused_before_it_is_unpacked),
        cmocka_unit_test(members_that_share_bytes_are_refused),
        cmocka_unit_test(members_at_the_same_place_are_refused),
        cmocka_unit_test(a_local_header_may_not_move_its_data_into_the_next_member),
        cmocka_unit_test(many_small_bombs_are_refused_as_a_large_one),
        cmocka_unit_test(more_bytes_than_claimed_are_never_handed_out),
        cmocka_unit_test(names_that_look_like_paths_are_only_keys),
        cmocka_unit_test(places_outside_the_file_are_refused),
        cmocka_unit_test(names_that_are_no_text_are_refused),
        cmocka_unit_test(a_directory_that_lies_is_refused),
        cmocka_unit_test(an_archive_cut_anywhere_is_refused),
        cmocka_unit_test(no_flipped_bit_goes_unnoticed_in_the_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
