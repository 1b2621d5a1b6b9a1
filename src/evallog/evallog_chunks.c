/* A sample in chunks, put together into the document that other samples are. */

#include "codec/json_out.h"
#include "evallog/evallog_priv.h"
#include "evallog/sample_parts.h"

/* Where the parts of a kind go, in the order in which they come. */
typedef struct Place {
    const char *outer; /* opened before it */
    const char *name;  /* NULL: the sample itself */
    SamplePartKind kind;
    bool ends_outer;
} Place;

/* clang-format off */
static const Place places[] = {
    { NULL,          NULL,          SAMPLE_PART_MEMBER, false },
    { NULL,          "attachments", SAMPLE_PART_ATTACHMENT, false },
    { "events_data", "messages",    SAMPLE_PART_POOL_MESSAGE, false },
    { NULL,          "calls",       SAMPLE_PART_POOL_CALL, true },
    { NULL,          "messages",    SAMPLE_PART_MESSAGE, false },
    { NULL,          "events",      SAMPLE_PART_EVENT, false },
};
/* clang-format on */

static void open_place(JsonOut *out, const Place *place)
{
    if (place->outer)
        json_out_kv_object(out, place->outer);
    if (place->kind == SAMPLE_PART_ATTACHMENT)
        json_out_kv_object(out, place->name);
    else
        json_out_kv_array(out, place->name);
}

static void close_place(JsonOut *out, const Place *place)
{
    if (place->kind == SAMPLE_PART_ATTACHMENT)
        json_out_end_object(out);
    else if (place->name)
        json_out_end_array(out);
    if (place->ends_outer)
        json_out_end_object(out);
}

/* Moves on to a place, through those without parts. */
static void go_to(JsonOut *out, size_t *at, size_t place)
{
    while (*at < place) {
        close_place(out, &places[*at]);
        (*at)++;
        open_place(out, &places[*at]);
    }
}

int evallog_chunks_read(const EvalLog *log, const EvalLogSample *sample, Buf *ret, Error *err)
{
    auto_sample_parts SampleParts *parts = NULL;
    if (sample_parts_open(log, sample, &parts, err) < 0)
        return -1;
    JsonOut out;
    SamplePart part;
    size_t at = 0;
    int has_part = 0;
    json_out_init(&out, ret, 0);
    json_out_object(&out);
    while (!ret->overflowed && (has_part = sample_parts_next(parts, &part, err)) == 1) {
        size_t place = 0;
        while (places[place].kind != part.kind)
            place++;
        go_to(&out, &at, place);
        if (part.key.p)
            json_out_key(&out, part.key);
        json_out_raw(&out, part.raw);
    }
    if (has_part < 0)
        return -1;
    go_to(&out, &at, ARRAY_LEN(places) - 1);
    close_place(&out, &places[at]);
    json_out_end_object(&out);
    return buf_check(ret, "the sample", err);
}
