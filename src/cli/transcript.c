/* Samples as Markdown. The sample may be large: it is walked over in place, and only one message at
   a time becomes a tree. */

#include "cli/transcript.h"

#include "base/arena.h"
#include "codec/json.h"
#include "codec/json_out.h"
#include "codec/json_scan.h"

/* A message, score or argument is bounded by the sample that it is part of. */
static const JsonLimits part_limits = {.bytes = (size_t)1 << 30,
                                       .depth = 100,
                                       .nodes = 50000000,
                                       .allow_nan = true,
                                       .allow_duplicates = true};

enum { JSON_TEXT_MAX = 64 << 20 };

/* The members of a sample that are shown, as slices of it. */
typedef struct Parts {
    Str id;
    Str epoch;
    Str uuid;
    Str target;
    Str messages;
    Str output;
    Str scores;
    Str error;
    Str limit;
    Str attachments;
    Str started_at;
    Str completed_at;
    Str total_time;
    Str working_time;
} Parts;

/* clang-format off */
static const struct { const char *name; size_t offset; } members[] = {
    {"id", offsetof(Parts, id)}, {"epoch", offsetof(Parts, epoch)}, {"uuid", offsetof(Parts, uuid)},
    {"target", offsetof(Parts, target)}, {"messages", offsetof(Parts, messages)}, {"output", offsetof(Parts, output)},
    {"scores", offsetof(Parts, scores)}, {"error", offsetof(Parts, error)}, {"limit", offsetof(Parts, limit)},
    {"attachments", offsetof(Parts, attachments)}, {"started_at", offsetof(Parts, started_at)},
    {"completed_at", offsetof(Parts, completed_at)}, {"total_time", offsetof(Parts, total_time)},
    {"working_time", offsetof(Parts, working_time)},
};
/* clang-format on */

typedef struct Writer {
    Arena *arena; /* of the part at hand */
    const Parts *parts;
    Buf *out;
} Writer;

static int find_parts(Str sample, Parts *ret, Error *err)
{
    JsonScan scan;
    json_scan_init(&scan, sample, true);
    Str key = STR_NONE;
    (void)json_scan_object(&scan);
    while (json_scan_member(&scan, &key)) {
        Str raw = STR_NONE;
        if (!json_scan_skip(&scan, &raw))
            break;
        for (size_t i = 0; i < ARRAY_LEN(members); i++)
            if (json_scan_key_eq(key, members[i].name))
                *(Str *)((char *)ret + members[i].offset) = raw;
    }
    if (json_scan_end(&scan, err) < 0)
        return error_wrap(err, "the sample cannot be read");
    return 0;
}

static bool is_null(Str raw)
{
    return raw.n == 0 || json_scan_kind_of(raw) == JSON_SCAN_NULL;
}

static const Json *tree(Writer *writer, Str raw)
{
    Json *node = NULL;
    auto_error Error ignored = ERROR_INIT;
    return !is_null(raw) && json_parse(writer->arena, raw, &part_limits, &node, &ignored) == 0
               ? node
               : NULL;
}

/* A text, or what an "attachment://<hash>" in its place refers to. */
static void add_text(Writer *writer, Str text)
{
    static const Str scheme = {"attachment://", 13};
    Str raw = STR_NONE;
    if (str_starts(text, scheme) && !is_null(writer->parts->attachments)) {
        const char *name = arena_strndup(writer->arena, text.p + scheme.n, text.n - scheme.n);
        if (json_scan_get(writer->parts->attachments, name, &raw) &&
            json_scan_add_str(raw, writer->out))
            return;
    }
    buf_add_str(writer->out, text);
}

static void add_json(Writer *writer, const Json *node)
{
    auto_buf Buf text = BUF_INIT(JSON_TEXT_MAX);
    JsonOut out;
    json_out_init(&out, &text, 2);
    json_out_node(&out, node);
    buf_addz(writer->out, "```json\n");
    buf_add_str(writer->out, buf_str(&text));
    buf_addz(writer->out, "\n```\n");
}

/* A value in a line: text as it is, the rest as JSON. */
static void add_value(Writer *writer, const Json *node)
{
    if (json_is_null(node))
        return;
    if (node->type == JSON_STRING) {
        add_text(writer, node->text);
        return;
    }
    auto_buf Buf text = BUF_INIT(JSON_TEXT_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    json_out_node(&out, node);
    buf_add_str(writer->out, buf_str(&text));
}

static void add_item(Writer *writer, const char *name, Str raw)
{
    const Json *node = tree(writer, raw);
    if (!node || (node->type == JSON_STRING && node->text.n == 0))
        return;
    buf_printf(writer->out, "- %s: ", name);
    add_value(writer, node);
    buf_addc(writer->out, '\n');
}

static void add_plain_item(Writer *writer, const char *name, Str text)
{
    if (text.n)
        buf_printf(writer->out, "- %s: %.*s\n", name, STR_ARG(text));
}

static void add_scores(Writer *writer)
{
    const Json *scores = tree(writer, writer->parts->scores);
    if (!scores || scores->type != JSON_OBJECT || !scores->first)
        return;
    buf_addz(writer->out, "\n## Scores\n");
    for (const Json *score = scores->first; score; score = score->next) {
        buf_printf(writer->out, "\n### %.*s: ", STR_ARG(score->key));
        add_value(writer, json_get(score, "value"));
        buf_addz(writer->out, "\n");
        const Json *answer = json_get(score, "answer");
        const Json *explanation = json_get(score, "explanation");
        if (!json_is_null(answer)) {
            buf_addz(writer->out, "\nAnswer: ");
            add_value(writer, answer);
            buf_addc(writer->out, '\n');
        }
        if (!json_is_null(explanation)) {
            buf_addc(writer->out, '\n');
            add_value(writer, explanation);
            buf_addc(writer->out, '\n');
        }
    }
}

/* One piece of a message's content. */
static void add_content(Writer *writer, const Json *content)
{
    Str type = json_text(content, "type", STR_NONE);
    buf_addc(writer->out, '\n');
    if (str_eqz(type, "text")) {
        add_text(writer, json_text(content, "text", STR_NONE));
    } else if (str_eqz(type, "reasoning")) {
        bool hidden = json_bool(content, "redacted", false);
        buf_addz(writer->out, "<reasoning>\n");
        if (hidden)
            add_text(writer, json_text(content, "summary", STR("(hidden by the provider)")));
        else
            add_text(writer, json_text(content, "reasoning", STR_NONE));
        buf_addz(writer->out, "\n</reasoning>");
    } else {
        buf_printf(writer->out, "[%.*s]", STR_ARG(type));
    }
    buf_addc(writer->out, '\n');
}

static void add_tool_calls(Writer *writer, const Json *calls)
{
    for (const Json *call = calls && calls->type == JSON_ARRAY ? calls->first : NULL; call;
         call = call->next) {
        buf_printf(writer->out, "\n**Tool call** `%.*s`\n\n",
                   STR_ARG(json_text(call, "function", STR_NONE)));
        const Json *arguments = json_get(call, "arguments");
        if (arguments)
            add_json(writer, arguments);
    }
}

static void add_message(Writer *writer, Str raw)
{
    const Json *message = tree(writer, raw);
    if (!message)
        return;
    Str role = json_text(message, "role", STR("message"));
    Str function = json_text(message, "function", STR_NONE);
    buf_printf(writer->out, "\n### %.*s", STR_ARG(role));
    if (function.n)
        buf_printf(writer->out, " `%.*s`", STR_ARG(function));
    buf_addc(writer->out, '\n');
    const Json *content = json_get(message, "content");
    if (content && content->type == JSON_STRING && content->text.n) {
        buf_addc(writer->out, '\n');
        add_text(writer, content->text);
        buf_addc(writer->out, '\n');
    }
    for (const Json *part = content && content->type == JSON_ARRAY ? content->first : NULL; part;
         part = part->next)
        add_content(writer, part);
    const Json *error = json_get(message, "error");
    if (!json_is_null(error)) {
        buf_addz(writer->out, "\n**Error** ");
        add_text(writer, json_text(error, "message", STR_NONE));
        buf_addc(writer->out, '\n');
    }
    add_tool_calls(writer, json_get(message, "tool_calls"));
}

static void add_messages(Writer *writer)
{
    JsonScan scan;
    if (is_null(writer->parts->messages))
        return;
    buf_addz(writer->out, "\n## Messages\n");
    json_scan_init(&scan, writer->parts->messages, true);
    if (!json_scan_array(&scan))
        return;
    while (json_scan_item(&scan)) {
        Str raw = STR_NONE;
        if (!json_scan_skip(&scan, &raw))
            return;
        add_message(writer, raw);
        arena_reset(writer->arena);
    }
}

static void add_error(Writer *writer)
{
    const Json *error = tree(writer, writer->parts->error);
    if (!error)
        return;
    buf_addz(writer->out, "\n## Error\n\n```\n");
    add_text(writer, json_text(error, "message", STR_NONE));
    buf_addz(writer->out, "\n```\n");
}

static void add_head(Writer *writer, const TranscriptAbout *about)
{
    const Parts *parts = writer->parts;
    buf_addz(writer->out, "# Sample ");
    add_value(writer, tree(writer, parts->id));
    buf_addz(writer->out, ", epoch ");
    add_value(writer, tree(writer, parts->epoch));
    buf_addz(writer->out, "\n\n");
    if (is_null(parts->uuid))
        add_plain_item(writer, "UUID", about->uuid);
    else
        add_item(writer, "UUID", parts->uuid);
    add_plain_item(writer, "Eval set", about->eval_set_id);
    add_plain_item(writer, "Task", about->task);
    add_plain_item(writer, "Model", about->model);
    add_item(writer, "Target", parts->target);
    const Json *limit = tree(writer, parts->limit);
    if (limit)
        add_plain_item(writer, "Stopped by limit", json_text(limit, "type", STR_NONE));
    add_item(writer, "Started", parts->started_at);
    add_item(writer, "Completed", parts->completed_at);
    add_item(writer, "Total seconds", parts->total_time);
    add_item(writer, "Working seconds", parts->working_time);
}

int transcript_write(Str sample, const TranscriptAbout *about, Buf *ret, Error *err)
{
    Parts parts = {0};
    if (find_parts(sample, &parts, err) < 0)
        return -1;
    auto_arena Arena *arena = arena_new();
    Writer writer = {.arena = arena, .parts = &parts, .out = ret};
    add_head(&writer, about);
    add_scores(&writer);
    add_error(&writer);
    arena_reset(arena);
    add_messages(&writer);
    return buf_check(ret, "the transcript", err);
}

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
