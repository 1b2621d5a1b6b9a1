/* How often a log is read to get at one of its samples: each read is a request to an object store.
 */
#include "cmocka_all.h"

#include <string.h>

#include "base/mem.h"
#include "evallog/sample_parts.h"
#include "zip_writer.h"

/* A log of 10 GB with so many samples that its directory is read by itself. */
#define LARGE ((uint64_t)10 << 30)
enum { SAMPLES = 2000, SAMPLE_SIZE = 1000, TEXT_MAX = 1 << 20, REQUEST_COST = 128 << 10 };

/* The end of a file; nobody may read what is before it. */
typedef struct Counting {
    Source source;
    uint64_t base;
    Str bytes;
    size_t *n_reads;
} Counting;

static int counting_read(Source *source, uint64_t offset, void *data, size_t n, Error *err)
{
    (void)err;
    Counting *counting = (Counting *)source;
    (*counting->n_reads)++;
    assert_true(offset >= counting->base && offset + n <= source->size);
    memcpy(data, counting->bytes.p + (offset - counting->base), n);
    return 0;
}

static void counting_close(Source *source)
{
    (void)source;
}

/* A log whose samples have the ids s0, s1, ... and the uuids u0, u1, ... */
static void write_log(ZipWriter *writer, uint64_t base)
{
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    auto_buf Buf summaries = BUF_INIT(TEXT_MAX);
    zip_writer_init(writer);
    writer->base = base;
    zip_writer_add(writer, "_journal/start.json", STR("{}"));
    for (int i = 0; i < SAMPLES; i++) {
        auto_free char *name = mem_printf("samples/s%d_epoch_1.json", i);
        buf_reset(&text);
        buf_printf(&text, "{\"id\":\"s%d\",\"epoch\":1,\"uuid\":\"u%d\",\"input\":\"%0*d\"}", i, i,
                   SAMPLE_SIZE, i);
        buf_printf(&summaries, "%c{\"id\":\"s%d\",\"epoch\":1,\"uuid\":\"u%d\"}", i ? ',' : '[', i,
                   i);
        zip_writer_add(writer, name, buf_str(&text));
    }
    buf_addc(&summaries, ']');
    zip_writer_add(writer, "summaries.json", buf_str(&summaries));
    zip_writer_add(writer, "header.json",
                   STR("{\"status\":\"success\",\"eval\":{\"task\":\"t\"}}"));
}

/* Opens what was written; n_reads counts from here. */
static EvalLog *open_counted(ZipWriter *writer, size_t *n_reads)
{
    auto_error Error err = ERROR_INIT;
    EvalLog *log = NULL;
    Str bytes = zip_writer_finish(writer);
    Counting *counting = mem_alloc(sizeof(*counting));
    *counting = (Counting){
        .source = {.read_at = counting_read,
                   .close = counting_close,
                   .size = writer->base + bytes.n,
                   .read_cost = REQUEST_COST,
                   .name = mem_strdup("x.eval")},
        .base = writer->base,
        .bytes = bytes,
        .n_reads = n_reads,
    };
    *n_reads = 0;
    assert_int_equal(evallog_open(&counting->source, &log, &err), 0);
    return log;
}

typedef int Find(EvalLog *log, const EvalLogSample **ret, Error *err);

static int find_by_id(EvalLog *log, const EvalLogSample **ret, Error *err)
{
    return evallog_find_sample(log, STR("s777"), 1, ret, err);
}

static int find_by_uuid(EvalLog *log, const EvalLogSample **ret, Error *err)
{
    return evallog_find_uuid(log, STR("u777"), ret, err);
}

/* One sample, found and read, costs three reads of a log of that size. */
static void expect_three_reads(Find *find, uint64_t base, size_t hold)
{
    ZipWriter writer;
    size_t n_reads = 0;
    write_log(&writer, base);
    EvalLog *log = open_counted(&writer, &n_reads);
    auto_error Error err = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    const EvalLogSample *sample = NULL;
    auto_sample_parts SampleParts *parts = NULL;
    SamplePart part;
    evallog_hold_at_most(log, hold);
    assert_int_equal(find(log, &sample, &err), 0);
    assert_int_equal(sample_parts_open(log, sample, &parts, &err), 0);
    assert_int_equal(sample_parts_next(parts, &part, &err), 1);
    assert_true(str_eqz(part.raw, "\"s777\""));
    while (sample_parts_next(parts, &part, &err) == 1)
        ;
    assert_int_equal(err.kind, ERR_NONE);
    assert_int_equal(n_reads, 3);
    assert_int_equal(evallog_read_sample(log, sample, &text, &err), 0);
    assert_int_equal(n_reads, 4);
    sample_parts_close(TAKE(parts));
    evallog_close(log);
    zip_writer_release(&writer);
}

static void a_sample_of_a_log_is_found_by_id_and_read_in_three_requests(void **state)
{
    (void)state;
    expect_three_reads(find_by_id, 0, SAMPLE_PARTS_WHOLE_MAX);
    expect_three_reads(find_by_id, LARGE, SAMPLE_PARTS_WHOLE_MAX);
}

static void a_sample_of_a_log_is_found_by_uuid_and_read_in_three_requests(void **state)
{
    (void)state;
    expect_three_reads(find_by_uuid, 0, SAMPLE_PARTS_WHOLE_MAX);
    expect_three_reads(find_by_uuid, LARGE, SAMPLE_PARTS_WHOLE_MAX);
}

static void a_streamed_sample_takes_no_request_for_its_local_header(void **state)
{
    (void)state;
    expect_three_reads(find_by_id, LARGE, 0);
}

static void the_header_of_a_large_log_comes_with_its_directory(void **state)
{
    (void)state;
    ZipWriter writer;
    size_t n_reads = 0;
    write_log(&writer, LARGE);
    EvalLog *log = open_counted(&writer, &n_reads);
    auto_error Error err = ERROR_INIT;
    const EvalLogHeader *header = NULL;
    const EvalLogSummaries *summaries = NULL;
    assert_int_equal(evallog_header(log, &header, &err), 0);
    assert_int_equal(evallog_summaries(log, &summaries, &err), 0);
    assert_int_equal(summaries->n, SAMPLES);
    assert_int_equal(n_reads, 2);
    evallog_close(log);
    zip_writer_release(&writer);
}

static void all_of_a_small_log_but_its_samples_takes_one_request(void **state)
{
    (void)state;
    ZipWriter writer;
    size_t n_reads = 0;
    zip_writer_init(&writer);
    zip_writer_add(&writer, "samples/a_epoch_1.json", STR("{\"id\":\"a\"}"));
    zip_writer_add(&writer, "summaries.json", STR("[{\"id\":\"a\",\"epoch\":1,\"uuid\":\"u\"}]"));
    zip_writer_add(&writer, "header.json", STR("{\"status\":\"success\",\"eval\":{}}"));
    EvalLog *log = open_counted(&writer, &n_reads);
    auto_error Error err = ERROR_INIT;
    const EvalLogHeader *header = NULL;
    const EvalLogSample *sample = NULL;
    assert_int_equal(evallog_header(log, &header, &err), 0);
    assert_int_equal(evallog_find_uuid(log, STR("u"), &sample, &err), 0);
    assert_int_equal(n_reads, 1);
    evallog_close(log);
    zip_writer_release(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sample_of_a_log_is_found_by_id_and_read_in_three_requests),
        cmocka_unit_test(a_sample_of_a_log_is_found_by_uuid_and_read_in_three_requests),
        cmocka_unit_test(a_streamed_sample_takes_no_request_for_its_local_header),
        cmocka_unit_test(the_header_of_a_large_log_comes_with_its_directory),
        cmocka_unit_test(all_of_a_small_log_but_its_samples_takes_one_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
