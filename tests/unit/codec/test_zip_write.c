/* Archives as they are written, read back by our own reader. Python's zipfile reads them in
   tests/integration/test_zip_write.py. */
#include "cmocka_all.h"

#include "base/buf.h"
#include "base/mem.h"
#include "codec/zip_write.h"

enum { ARCHIVE_MAX = 64 << 20, MEMBER_MAX = 8 << 20, N_MANY = 70000 };
#define HUGE_SIZE ((UINT64_C(1) << 32) + 10)

static int to_buf(void *context, Str bytes, Error *err)
{
    buf_add_str(context, bytes);
    return buf_check(context, "the archive", err);
}

static Zip *open_bytes(Str bytes, Source **ret)
{
    auto_error Error err = ERROR_INIT;
    Zip *zip = NULL;
    *ret = source_of_bytes(bytes, "made");
    assert_int_equal(zip_open(*ret, &zip, &err), 0);
    return zip;
}

static void assert_member(const Zip *zip, const char *name, Str content)
{
    auto_error Error err = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(MEMBER_MAX);
    const ZipEntry *entry = zip_find(zip, str_of(name));
    assert_non_null(entry);
    assert_int_equal(zip_read(zip, entry, &text, &err), 0);
    assert_true(str_eq(buf_str(&text), content));
}

static void add(ZipWrite *zip, const char *name, Str content)
{
    auto_error Error err = ERROR_INIT;
    assert_int_equal(zip_write_add(zip, str_of(name), content, &err), 0);
}

static void finish(ZipWrite *zip)
{
    auto_error Error err = ERROR_INIT;
    assert_int_equal(zip_write_finish(zip, &err), 0);
}

static void what_was_added_can_be_read(void **state)
{
    (void)state;
    auto_buf Buf archive = BUF_INIT(ARCHIVE_MAX);
    auto_buf Buf large = BUF_INIT(MEMBER_MAX);
    for (int i = 0; i < 100000; i++)
        buf_printf(&large, "line %d\n", i);
    auto_zip_write ZipWrite *write = zip_write_new(to_buf, &archive);
    add(write, "empty", STR(""));
    add(write, "one", STR("1"));
    add(write, "folder/\xc3\xa4.json", STR("{}"));
    add(write, "large", buf_str(&large));
    finish(write);
    auto_source Source *source = NULL;
    auto_zip Zip *zip = open_bytes(buf_str(&archive), &source);
    assert_int_equal(zip_n_entries(zip), 4);
    assert_member(zip, "empty", STR(""));
    assert_member(zip, "one", STR("1"));
    assert_member(zip, "folder/\xc3\xa4.json", STR("{}"));
    assert_member(zip, "large", buf_str(&large));
    assert_int_equal(zip_find(zip, STR("large"))->method, ZIP_DEFLATE);
    assert_int_equal(zip_find(zip, STR("one"))->method, ZIP_STORED);
}

static void a_range_of_a_source_is_stored_as_it_is(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_buf Buf archive = BUF_INIT(ARCHIVE_MAX);
    auto_buf Buf large = BUF_INIT(MEMBER_MAX);
    for (int i = 0; i < 100000; i++)
        buf_printf(&large, "line %d\n", i);
    auto_source Source *from = source_of_bytes(buf_str(&large), "lines");
    auto_zip_write ZipWrite *write = zip_write_new(to_buf, &archive);
    assert_int_equal(zip_write_store(write, STR("lines"), from, 7, large.len - 7, &err), 0);
    assert_int_equal(zip_write_store(write, STR("none"), from, 0, 0, &err), 0);
    finish(write);
    auto_source Source *source = NULL;
    auto_zip Zip *zip = open_bytes(buf_str(&archive), &source);
    assert_member(zip, "lines", str_slice(buf_str(&large), 7, large.len));
    assert_member(zip, "none", STR(""));
    assert_int_equal(zip_find(zip, STR("lines"))->method, ZIP_STORED);
}

static void a_copied_member_keeps_its_compressed_bytes(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_buf Buf first = BUF_INIT(ARCHIVE_MAX);
    auto_buf Buf second = BUF_INIT(ARCHIVE_MAX);
    Str text = STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    auto_zip_write ZipWrite *original = zip_write_new(to_buf, &first);
    add(original, "a", text);
    add(original, "b", STR("old"));
    finish(original);
    auto_source Source *from_source = NULL;
    auto_zip Zip *from = open_bytes(buf_str(&first), &from_source);
    auto_zip_write ZipWrite *copy = zip_write_new(to_buf, &second);
    add(copy, "b", STR("new"));
    assert_int_equal(zip_write_copy(copy, from, zip_find(from, STR("a")), &err), 0);
    finish(copy);
    auto_source Source *source = NULL;
    auto_zip Zip *zip = open_bytes(buf_str(&second), &source);
    assert_member(zip, "a", text);
    assert_member(zip, "b", STR("new"));
    assert_int_equal(zip_find(zip, STR("a"))->compressed, zip_find(from, STR("a"))->compressed);
}

static void more_members_than_16_bits_count_are_written(void **state)
{
    (void)state;
    auto_buf Buf archive = BUF_INIT(ARCHIVE_MAX);
    auto_zip_write ZipWrite *write = zip_write_new(to_buf, &archive);
    for (int i = 0; i < N_MANY; i++) {
        auto_free char *name = mem_printf("m%d", i);
        add(write, name, str_of(name));
    }
    finish(write);
    auto_source Source *source = NULL;
    auto_zip Zip *zip = open_bytes(buf_str(&archive), &source);
    assert_int_equal(zip_n_entries(zip), N_MANY);
    assert_member(zip, "m69999", STR("m69999"));
}

/* An archive whose first member is HUGE_SIZE zeros, of which none is in memory: what lies before
   and behind them is. */
typedef struct Huge {
    Buf front;
    Buf back;
    uint64_t size;
} Huge;

enum { FRONT_MAX = 128 };

static int to_huge(void *context, Str bytes, Error *err)
{
    Huge *huge = context;
    if (huge->size < FRONT_MAX)
        buf_add_str(&huge->front, bytes);
    else if (bytes.n < 1024)
        buf_add_str(&huge->back, bytes);
    huge->size += bytes.n;
    return buf_check(&huge->back, "the end", err);
}

typedef struct HugeSource {
    Source base;
    const Huge *huge;
} HugeSource;

static int huge_read(Source *base, uint64_t offset, void *data, size_t n, Error *err)
{
    (void)err;
    const Huge *huge = ((HugeSource *)base)->huge;
    uint64_t back_at = base->size - huge->back.len;
    memset(data, 0, n);
    for (size_t i = 0; i < n; i++) {
        uint64_t at = offset + i;
        if (at >= huge->front.len && at < back_at) {
            uint64_t skip = back_at - at;
            i += skip < n - i ? (size_t)skip - 1 : n - i - 1;
        } else {
            ((char *)data)[i] =
                at < huge->front.len ? huge->front.data[at] : huge->back.data[at - back_at];
        }
    }
    return 0;
}

static void huge_close(Source *base)
{
    (void)base;
}

static Source *open_huge(const Huge *huge)
{
    HugeSource *source = mem_alloc(sizeof(*source));
    source->base = (Source){
        .read_at = huge_read, .close = huge_close, .size = huge->size, .name = mem_strdup("huge")};
    source->huge = huge;
    return &source->base;
}

static void huge_release(Huge *huge)
{
    buf_release(&huge->front);
    buf_release(&huge->back);
}

/* The local header, the zeros, the directory and the end of an archive made by hand: only a copy
   can bring such a member, and a copy needs one. */
static void make_huge(Huge *ret)
{
    static const unsigned char local[] = {
        'P', 'K', 3,   4,   45,  0,   0,   8,   0,   0,  0, 0,  33, 0,   0, 0, 0,
        0,   255, 255, 255, 255, 255, 255, 255, 255, 1,  0, 20, 0,  'z', 1, 0, 16,
        0,   10,  0,   0,   0,   1,   0,   0,   0,   10, 0, 0,  0,  1,   0, 0, 0};
    static const unsigned char central[] = {
        'P', 'K', 1,   2,   45,  0,  45, 0,  0, 8, 0, 0, 0, 0,  33, 0, 0, 0, 0, 0, 255, 255, 255,
        255, 255, 255, 255, 255, 1,  0,  20, 0, 0, 0, 0, 0, 0,  0,  0, 0, 0, 0, 0, 0,   0,   0,
        'z', 1,   0,   16,  0,   10, 0,  0,  0, 1, 0, 0, 0, 10, 0,  0, 0, 1, 0, 0, 0};
    static const unsigned char end[] = {'P', 'K', 6, 6, 44, 0, 0, 0, 0,  0, 0, 0, 45, 0, 45, 0,
                                        0,   0,   0, 0, 0,  0, 0, 0, 1,  0, 0, 0, 0,  0, 0,  0,
                                        1,   0,   0, 0, 0,  0, 0, 0, 67, 0, 0, 0, 0,  0, 0,  0};
    uint64_t at = sizeof(local) + HUGE_SIZE;
    buf_add(&ret->front, local, sizeof(local));
    buf_add(&ret->back, central, sizeof(central));
    buf_add(&ret->back, end, sizeof(end));
    for (int i = 0; i < 8; i++)
        buf_addc(&ret->back, (char)(at >> (8 * i) & 255));
    buf_add(&ret->back, "PK\6\7\0\0\0\0", 8);
    at += sizeof(central);
    for (int i = 0; i < 8; i++)
        buf_addc(&ret->back, (char)(at >> (8 * i) & 255));
    buf_add(&ret->back, "\1\0\0\0", 4);
    buf_add(&ret->back, "PK\5\6\0\0\0\0\1\0\1\0\377\377\377\377\377\377\377\377\0\0", 22);
    ret->size = sizeof(local) + HUGE_SIZE + ret->back.len;
}

static void sizes_and_offsets_beyond_32_bits_are_written(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    HAWK_CLEANUP(huge_release) Huge old = {.front = BUF_INIT(4096), .back = BUF_INIT(4096)};
    HAWK_CLEANUP(huge_release) Huge new = {.front = BUF_INIT(4096), .back = BUF_INIT(4096)};
    make_huge(&old);
    auto_source Source *from_source = open_huge(&old);
    auto_zip Zip *from = NULL;
    assert_int_equal(zip_open(from_source, &from, &err), 0);
    assert_int_equal(zip_entry(from, 0)->size, HUGE_SIZE);

    auto_zip_write ZipWrite *write = zip_write_new(to_huge, &new);
    assert_int_equal(zip_write_copy(write, from, zip_entry(from, 0), &err), 0);
    add(write, "behind", STR("x"));
    finish(write);
    auto_source Source *source = open_huge(&new);
    auto_zip Zip *zip = NULL;
    assert_int_equal(zip_open(source, &zip, &err), 0);
    const ZipEntry *huge = zip_find(zip, STR("z"));
    assert_non_null(huge);
    assert_true(huge->size == HUGE_SIZE && huge->compressed == HUGE_SIZE);
    assert_true(zip_find(zip, STR("behind"))->offset > UINT32_MAX);
    assert_member(zip, "behind", STR("x"));
}

static void a_sink_that_fails_ends_the_writing(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_buf Buf small = BUF_INIT(40);
    auto_zip_write ZipWrite *write = zip_write_new(to_buf, &small);
    assert_int_equal(zip_write_add(write, STR("a"), STR("a text that does not fit"), &err), -1);
    assert_int_equal(err.kind, ERR_BAD_DATA);
}

static void a_name_that_no_reader_takes_is_refused(void **state)
{
    (void)state;
    static const Str names[] = {{"", 0}, {"\xff", 1}};
    auto_buf Buf archive = BUF_INIT(ARCHIVE_MAX);
    auto_zip_write ZipWrite *write = zip_write_new(to_buf, &archive);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        auto_error Error err = ERROR_INIT;
        assert_int_equal(zip_write_add(write, names[i], STR("x"), &err), -1);
        assert_int_equal(err.kind, ERR_BAD_DATA);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_can_be_read),
        cmocka_unit_test(a_range_of_a_source_is_stored_as_it_is),
        cmocka_unit_test(a_copied_member_keeps_its_compressed_bytes),
        cmocka_unit_test(more_members_than_16_bits_count_are_written),
        cmocka_unit_test(sizes_and_offsets_beyond_32_bits_are_written),
        cmocka_unit_test(a_sink_that_fails_ends_the_writing),
        cmocka_unit_test(a_name_that_no_reader_takes_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
