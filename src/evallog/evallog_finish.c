/* Finishing a log. Members that are there stay byte by byte; what Inspect writes last is added. */

#include "evallog/evallog_finish.h"

#include "base/mem.h"
#include "codec/json_out.h"
#include "evallog/evallog_priv.h"

#define HEADER STR("header.json")
#define SUMMARIES STR("summaries.json")

static void write_header(const EvalLogHeader *header, int64_t at_us, Buf *text)
{
    JsonOut out;
    json_out_init(&out, text, 0);
    json_out_object(&out);
    json_out_kv_int(&out, "version", header->version);
    json_out_kvz(&out, "status", "cancelled");
    json_out_key(&out, STR("eval"));
    json_out_raw(&out, header->eval_raw);
    json_out_key(&out, STR("plan"));
    json_out_raw(&out, header->plan.p ? header->plan : STR("{}"));
    json_out_kv_object(&out, "stats");
    json_out_kv_time(&out, "started_at", header->created_us);
    json_out_kv_time(&out, "completed_at", at_us);
    json_out_end_object(&out);
    json_out_end_object(&out);
}

static int add_members(EvalLog *log, ZipWrite *zip, Error *err)
{
    for (size_t i = 0; i < zip_n_entries(log->zip); i++) {
        const ZipEntry *entry = zip_entry(log->zip, i);
        if (!str_eq(entry->name, SUMMARIES) && zip_write_copy(zip, log->zip, entry, err) < 0)
            return -1;
    }
    return evallog_priv_add_summaries(log, zip, err);
}

int evallog_finish_write(EvalLog *log, int64_t at_us, ZipWriteSink *sink, void *context, Error *err)
{
    const EvalLogHeader *header = NULL;
    auto_buf Buf text = BUF_INIT(EVALLOG_HEADER_MAX + 4096);
    if (!log->zip || zip_find(log->zip, HEADER))
        return error_set(err, ERR_BAD_DATA, "the log is not one that was left unfinished");
    if (evallog_header(log, &header, err) < 0)
        return -1;
    write_header(header, at_us, &text);
    if (buf_check(&text, "the header", err) < 0)
        return -1;
    auto_zip_write ZipWrite *zip = zip_write_new(sink, context);
    if (add_members(log, zip, err) < 0 || zip_write_add(zip, HEADER, buf_str(&text), err) < 0)
        return -1;
    return zip_write_finish(zip, err);
}
