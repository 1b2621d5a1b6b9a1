/* Samples as Markdown. */

#include "evallog/transcript_priv.h"

enum { INDENT = 2 };

static void add_head(TranscriptWriter *writer)
{
    TranscriptItem items[TRANSCRIPT_N_ITEMS];
    Buf *out = writer->out;
    const Json *id = transcript_tree(writer, writer->facts->id);
    const Json *epoch = transcript_tree(writer, writer->facts->epoch);
    buf_printf(out, "# Sample %.*s, epoch %.*s\n\n", STR_ARG(transcript_value(writer, id, 0)),
               STR_ARG(transcript_value(writer, epoch, 0)));
    transcript_items(writer, items);
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        if (items[i].value.n == 0)
            continue;
        buf_printf(out, "- %s: ", items[i].name);
        buf_add_str(out, items[i].value);
        buf_addc(out, '\n');
    }
}

static void add_block(TranscriptWriter *writer, const char *before, const Json *node)
{
    if (json_is_null(node))
        return;
    buf_printf(writer->out, "\n%s", before);
    buf_add_str(writer->out, transcript_value(writer, node, 0));
    buf_addc(writer->out, '\n');
}

static void add_edits(TranscriptWriter *writer, const Json *score)
{
    TranscriptEdits edits = transcript_edits(score);
    for (Str edit = transcript_next_edit(writer, &edits); edit.p;
         edit = transcript_next_edit(writer, &edits)) {
        buf_addz(writer->out, "\nEdited ");
        buf_add_str(writer->out, edit);
        buf_addc(writer->out, '\n');
    }
}

static void add_scores(TranscriptWriter *writer)
{
    const Json *scores = transcript_tree(writer, writer->facts->scores);
    if (!scores || scores->type != JSON_OBJECT || !scores->first)
        return;
    buf_addz(writer->out, "\n## Scores\n");
    for (const Json *score = scores->first; score; score = score->next) {
        buf_printf(writer->out, "\n### %.*s: ", STR_ARG(score->key));
        buf_add_str(writer->out, transcript_value(writer, json_get(score, "value"), 0));
        buf_addc(writer->out, '\n');
        add_edits(writer, score);
        add_block(writer, "Answer: ", json_get(score, "answer"));
        add_block(writer, "", json_get(score, "explanation"));
    }
}

static void add_error(TranscriptWriter *writer)
{
    const Json *error = transcript_tree(writer, writer->facts->error);
    if (!error)
        return;
    buf_addz(writer->out, "\n## Error\n\n```\n");
    buf_add_str(writer->out, transcript_text(writer, json_text(error, "message", STR_NONE)));
    buf_addz(writer->out, "\n```\n");
}

static void head(TranscriptWriter *writer)
{
    add_head(writer);
    add_scores(writer);
    add_error(writer);
    buf_addz(writer->out, "\n## Messages\n");
}

/* One piece of a message's content. */
static void add_content(TranscriptWriter *writer, const Json *content)
{
    Buf *out = writer->out;
    Str type = json_text(content, "type", STR_NONE);
    buf_addc(out, '\n');
    if (str_eqz(type, "text")) {
        buf_add_str(out, transcript_text(writer, json_text(content, "text", STR_NONE)));
    } else if (str_eqz(type, "reasoning")) {
        bool hidden = json_bool(content, "redacted", false);
        Str text = hidden ? json_text(content, "summary", STR("(hidden by the provider)"))
                          : json_text(content, "reasoning", STR_NONE);
        buf_addz(out, "<reasoning>\n");
        buf_add_str(out, transcript_text(writer, text));
        buf_addz(out, "\n</reasoning>");
    } else {
        buf_printf(out, "[%.*s]", STR_ARG(type));
    }
    buf_addc(out, '\n');
}

static void add_calls(TranscriptWriter *writer, const Json *calls)
{
    for (const Json *call = calls && calls->type == JSON_ARRAY ? calls->first : NULL; call;
         call = call->next) {
        const Json *arguments = json_get(call, "arguments");
        buf_printf(writer->out, "\n**Tool call** `%.*s`\n\n",
                   STR_ARG(json_text(call, "function", STR_NONE)));
        if (!arguments)
            continue;
        buf_addz(writer->out, "```json\n");
        buf_add_str(writer->out, transcript_value(writer, arguments, INDENT));
        buf_addz(writer->out, "\n```\n");
    }
}

static void message(TranscriptWriter *writer, const Json *message)
{
    Buf *out = writer->out;
    Str function = json_text(message, "function", STR_NONE);
    const Json *content = json_get(message, "content");
    const Json *error = json_get(message, "error");
    buf_printf(out, "\n### %.*s", STR_ARG(json_text(message, "role", STR("message"))));
    if (function.n)
        buf_printf(out, " `%.*s`", STR_ARG(function));
    buf_addc(out, '\n');
    if (content && content->type == JSON_STRING && content->text.n) {
        buf_addc(out, '\n');
        buf_add_str(out, transcript_text(writer, content->text));
        buf_addc(out, '\n');
    }
    for (const Json *part = content && content->type == JSON_ARRAY ? content->first : NULL; part;
         part = part->next)
        add_content(writer, part);
    if (!json_is_null(error)) {
        buf_addz(out, "\n**Error** ");
        buf_add_str(out, transcript_text(writer, json_text(error, "message", STR_NONE)));
        buf_addc(out, '\n');
    }
    add_calls(writer, json_get(message, "tool_calls"));
}

static void tail(TranscriptWriter *writer)
{
    (void)writer;
}

const TranscriptStyle transcript_markdown = {.head = head, .message = message, .tail = tail};
