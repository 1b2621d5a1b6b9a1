/* Buffer folders made by hand. */
#include "cmocka_all.h"

#include <string.h>

#include "evallog/live.h"
#include "zip_writer.h"

typedef struct File {
    const char *name;
    Str bytes;
} File;

typedef struct Folder {
    File files[4];
} Folder;

static int open_file(void *context, const char *name, Source **ret, Error *err)
{
    const Folder *folder = context;
    for (size_t i = 0; i < ARRAY_LEN(folder->files); i++) {
        if (folder->files[i].name && strcmp(folder->files[i].name, name) == 0) {
            *ret = source_of_bytes(folder->files[i].bytes, name);
            return 0;
        }
    }
    return error_set(err, ERR_NOT_FOUND, "no %s", name);
}

static Str segment(ZipWriter *writer, const char *text)
{
    zip_writer_init(writer);
    zip_writer_add(writer, "a_1.json", str_of(text));
    return zip_writer_finish(writer);
}

/* The answer of live_sample_data for sample a with these cursors, or the kind of the failure. */
static ErrorKind ask(Folder *folder, LiveCursors seen, Buf *ret)
{
    const LiveFolder live = {.open = open_file, .context = folder};
    const LiveQuery query = {.id = STR("a"), .epoch = 1, .seen = seen};
    auto_error Error err = ERROR_INIT;
    if (live_sample_data(&live, &query, ret, &err) == 0)
        return ERR_NONE;
    return err.kind;
}

static void expect_text(const Buf *text, const char *expected)
{
    if (!str_eqz(buf_str(text), expected))
        fail_msg("'%s' is not '%s'", text->data, expected);
}

#define MANIFEST                                                                                   \
    "{\"metrics\":[],\"samples\":[{\"summary\":{\"id\":\"a\",\"epoch\":1},\"segments\":[2,1,9,"    \
    "{\"id\":2,\"last_event_id\":4}]}],"                                                           \
    "\"segments\":[{\"id\":1,\"last_event_id\":2,\"last_attachment_id\":0},"                       \
    "{\"id\":2,\"last_event_id\":4,\"last_attachment_id\":1}]}"

static void segments_of_an_old_manifest_go_by_their_own_last_numbers(void **state)
{
    (void)state;
    ZipWriter one;
    ZipWriter two;
    Folder folder = {{
        {"manifest.json", STR(MANIFEST)},
        {"segment.1.zip", segment(&one, "{\"events\":[{\"id\":1},{\"id\":2}],\"attachments\":[]}")},
        {"segment.2.zip",
         segment(&two, "{\"events\":[{\"id\":3},{\"id\":4}],\"attachments\":[{\"id\":1}]}")},
    }};
    auto_buf Buf all = BUF_INIT(10000);
    assert_int_equal(ask(&folder, (LiveCursors){0}, &all), ERR_NONE);
    expect_text(&all, "{\"events\":[{\"id\":1},{\"id\":2},{\"id\":3},{\"id\":4}],"
                      "\"attachments\":[{\"id\":1}],\"message_pool\":[],\"call_pool\":[]}");
    auto_buf Buf some = BUF_INIT(10000);
    folder.files[1].name = NULL; /* not asked for: nothing new in it */
    assert_int_equal(ask(&folder, (LiveCursors){.event = 3}, &some), ERR_NONE);
    expect_text(&some, "{\"events\":[{\"id\":4}],"
                       "\"attachments\":[{\"id\":1}],\"message_pool\":[],\"call_pool\":[]}");
    zip_writer_release(&one);
    zip_writer_release(&two);
}

static void what_is_gone_is_not_found(void **state)
{
    (void)state;
    Folder folder = {{{"manifest.json", STR(MANIFEST)}}};
    auto_buf Buf ret = BUF_INIT(10000);
    assert_int_equal(ask(&folder, (LiveCursors){0}, &ret), ERR_NOT_FOUND);
    folder.files[0].bytes = STR("{\"samples\":[]}");
    assert_int_equal(ask(&folder, (LiveCursors){0}, &ret), ERR_NOT_FOUND);
    folder.files[0].name = NULL;
    assert_int_equal(ask(&folder, (LiveCursors){0}, &ret), ERR_NOT_FOUND);
}

static void a_broken_manifest_or_segment_is_bad(void **state)
{
    (void)state;
    ZipWriter one;
    ZipWriter two;
    Folder folder = {{
        {"manifest.json", STR(MANIFEST)},
        {"segment.1.zip", segment(&one, "{\"events\":[{\"id\":1}")},
        {"segment.2.zip", segment(&two, "{}")},
    }};
    auto_buf Buf ret = BUF_INIT(10000);
    assert_int_equal(ask(&folder, (LiveCursors){0}, &ret), ERR_BAD_DATA);
    folder.files[1].bytes = STR("no archive at all");
    assert_int_equal(ask(&folder, (LiveCursors){0}, &ret), ERR_BAD_DATA);
    folder.files[0].bytes = STR("{\"samples\":[{]}");
    assert_int_equal(ask(&folder, (LiveCursors){0}, &ret), ERR_BAD_DATA);
    folder.files[0].bytes = STR("[]");
    assert_int_equal(ask(&folder, (LiveCursors){0}, &ret), ERR_BAD_DATA);
    zip_writer_release(&one);
    zip_writer_release(&two);
}

static void an_answer_over_the_limit_is_refused(void **state)
{
    (void)state;
    ZipWriter one;
    ZipWriter two;
    Folder folder = {{
        {"manifest.json", STR(MANIFEST)},
        {"segment.1.zip", segment(&one, "{\"events\":[{\"id\":1,\"text\":\"0123456789\"}]}")},
        {"segment.2.zip", segment(&two, "{\"events\":[{\"id\":4,\"text\":\"0123456789\"}]}")},
    }};
    auto_buf Buf ret = BUF_INIT(60);
    assert_int_equal(ask(&folder, (LiveCursors){0}, &ret), ERR_BAD_DATA);
    zip_writer_release(&one);
    zip_writer_release(&two);
}

static void samples_and_metrics_are_passed_on(void **state)
{
    (void)state;
    Folder folder = {{{"manifest.json", STR("{\"metrics\":[{\"value\":NaN}],\"samples\":"
                                            "[{\"summary\":{\"id\":1}},{}]}")}}};
    const LiveFolder live = {.open = open_file, .context = &folder};
    auto_buf Buf ret = BUF_INIT(10000);
    auto_error Error err = ERROR_INIT;
    assert_int_equal(live_samples(&live, STR("tag\""), &ret, &err), 0);
    expect_text(&ret, "{\"samples\":[{\"id\":1}],\"metrics\":[{\"value\":NaN}],\"refresh\":2,"
                      "\"etag\":\"tag\\\"\"}");
}

static void the_folder_lies_beside_the_log(void **state)
{
    (void)state;
    auto_buf Buf key = BUF_INIT(100);
    live_folder_key(STR("evals/s/2026_task.v1_x.eval"), &key);
    expect_text(&key, "evals/s/.buffer/2026_task.v1_x");
    buf_reset(&key);
    live_folder_key(STR("x.eval"), &key);
    expect_text(&key, ".buffer/x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_of_an_old_manifest_go_by_their_own_last_numbers),
        cmocka_unit_test(what_is_gone_is_not_found),
        cmocka_unit_test(a_broken_manifest_or_segment_is_bad),
        cmocka_unit_test(an_answer_over_the_limit_is_refused),
        cmocka_unit_test(samples_and_metrics_are_passed_on),
        cmocka_unit_test(the_folder_lies_beside_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
