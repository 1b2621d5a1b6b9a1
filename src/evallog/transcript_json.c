/* A sample's JSON, put together from its parts as they come. */

#include "evallog/transcript_priv.h"

#include "codec/json_out.h"

enum { MESSAGES, EVENTS, ATTACHMENTS, KEY_MAX = 1 << 20 };

void transcript_compact(Str json, Buf *ret)
{
    bool in_string = false;
    size_t from = 0;
    for (size_t i = 0; i < json.n; i++) {
        char c = json.p[i];
        if (in_string && c == '\\') {
            i++;
        } else if (c == '"') {
            in_string = !in_string;
        } else if (!in_string && (c == ' ' || c == '\n' || c == '\r' || c == '\t')) {
            buf_add(ret, json.p + from, i - from);
            from = i + 1;
        }
    }
    buf_add(ret, json.p + from, json.n - from);
}

/* clang-format off */
/* How a run of parts of a kind begins and ends. The pools are one object. */
static const struct { const char *before; const char *after; } runs[] = {
    [SAMPLE_PART_MEMBER]       = { "", "" },
    [SAMPLE_PART_MESSAGE]      = { "\"messages\":[", "]" },
    [SAMPLE_PART_EVENT]        = { "\"events\":[", "]" },
    [SAMPLE_PART_POOL_MESSAGE] = { "\"events_data\":{\"messages\":[", "],\"calls\":[]}" },
    [SAMPLE_PART_POOL_CALL]    = { "\"events_data\":{\"messages\":[],\"calls\":[", "]}" },
    [SAMPLE_PART_ATTACHMENT]   = { "\"attachments\":{", "}" },
};
/* clang-format on */

static void add_key(Str key, Buf *ret)
{
    auto_buf Buf text = BUF_INIT(KEY_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    json_out_str(&out, key);
    buf_add_str(ret, buf_str(&text));
    buf_addc(ret, ':');
}

static void begin_member(TranscriptJson *json, Buf *ret)
{
    buf_addz(ret, json->has_any ? "," : "{");
    json->has_any = true;
}

/* Ends what is open and begins a run of the kind. */
static void open_run(TranscriptJson *json, SamplePartKind kind, Buf *ret)
{
    if (json->open == SAMPLE_PART_POOL_MESSAGE && kind == SAMPLE_PART_POOL_CALL) {
        buf_addz(ret, "],\"calls\":[");
    } else {
        if (json->open >= 0)
            buf_addz(ret, runs[json->open].after);
        begin_member(json, ret);
        buf_addz(ret, runs[kind].before);
    }
    json->open = (int)kind;
}

void transcript_json_part(TranscriptJson *json, const SamplePart *part, Buf *ret)
{
    bool goes_on = json->open == (int)part->kind && part->kind != SAMPLE_PART_MEMBER;
    if (goes_on)
        buf_addc(ret, ',');
    else
        open_run(json, part->kind, ret);
    json->has[MESSAGES] = json->has[MESSAGES] || part->kind == SAMPLE_PART_MESSAGE;
    json->has[EVENTS] = json->has[EVENTS] || part->kind == SAMPLE_PART_EVENT;
    json->has[ATTACHMENTS] = json->has[ATTACHMENTS] || part->kind == SAMPLE_PART_ATTACHMENT;
    if (part->key.p)
        add_key(part->key, ret);
    transcript_compact(part->raw, ret);
}

/* Lists that are empty have no parts, but a sample has them. */
void transcript_json_end(TranscriptJson *json, Buf *ret)
{
    static const char *const empty[] = {
        [MESSAGES] = "\"messages\":[]",
        [EVENTS] = "\"events\":[]",
        [ATTACHMENTS] = "\"attachments\":{}",
    };
    if (json->open >= 0)
        buf_addz(ret, runs[json->open].after);
    for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
        if (json->has[i])
            continue;
        begin_member(json, ret);
        buf_addz(ret, empty[i]);
    }
    buf_addz(ret, "}\n");
}
