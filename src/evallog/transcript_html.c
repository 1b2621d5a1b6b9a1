/* Samples as one HTML file that needs nothing else: no scripts, no fonts, no links. Everything that
   a log says is escaped; only images that are in the log as data are shown as such. */

#include "evallog/transcript_priv.h"

enum { INDENT = 2, IMAGE_MAX = 16 << 20 };

static const char style[] =
    "body{max-width:60rem;margin:2rem auto;padding:0 1rem;font:16px/1.5 system-ui,sans-serif;"
    "color:#1c1c1c;background:#fff}"
    "h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}h3{font-size:.85rem;margin:0 0 .3rem;"
    "text-transform:uppercase;letter-spacing:.04em;color:#555}"
    "h3 code{text-transform:none}"
    "table{border-collapse:collapse}th{text-align:left;font-weight:600;padding:.1rem 1rem .1rem 0;"
    "vertical-align:top}td{padding:.1rem 0}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:.3rem 0;font:14px/1.45 "
    "ui-monospace,monospace}"
    "article{border-left:4px solid #bbb;padding:.5rem 1rem;margin:.8rem 0;background:#f7f7f7}"
    ".user{border-color:#4a7fb5}.assistant{border-color:#4f9a5f}.tool{border-color:#b58a3a}"
    ".error{border-color:#b5443a}img{max-width:100%}"
    "@media(prefers-color-scheme:dark){body{color:#e4e4e4;background:#161616}"
    "article{background:#222}h3{color:#aaa}}";

/* --- escaping --- */

/* HTML has no place for most control characters, and text that is no UTF-8 is no text. */
static void add_char(Buf *out, Str text, size_t n)
{
    static const struct {
        char c;
        const char *entity;
    } escapes[] = {
        {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"},
    };
    unsigned char c = (unsigned char)text.p[0];
    bool is_control = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F ||
                      (n == 2 && c == 0xC2 && (unsigned char)text.p[1] < 0xA0);
    for (size_t i = 0; i < ARRAY_LEN(escapes); i++) {
        if (text.p[0] == escapes[i].c) {
            buf_addz(out, escapes[i].entity);
            return;
        }
    }
    if (n == 0 || is_control)
        buf_addz(out, "\xEF\xBF\xBD");
    else
        buf_add(out, text.p, n);
}

static void add_text(Buf *out, Str text)
{
    size_t from = 0;
    if (text.n == 0)
        return;
    for (size_t i = 0; i < text.n;) {
        unsigned char c = (unsigned char)text.p[i];
        bool is_plain =
            c >= 0x20 && c < 0x7F && c != '&' && c != '<' && c != '>' && c != '"' && c != '\'';
        if (is_plain) {
            i++;
            continue;
        }
        Str rest = str_slice(text, i, text.n);
        size_t n = str_utf8_char(rest);
        buf_add(out, text.p + from, i - from);
        add_char(out, rest, n);
        i += n ? n : 1;
        from = i;
    }
    buf_add(out, text.p + from, text.n - from);
}

/* The text in an element. */
static void add_element(Buf *out, const char *before, Str text, const char *after)
{
    buf_addz(out, before);
    add_text(out, text);
    buf_addz(out, after);
}

/* --- images --- */

/* clang-format off */
/* No SVG: it is a document of its own. */
static const char *const image_types[] = {
    "data:image/png;base64,", "data:image/jpeg;base64,", "data:image/gif;base64,", "data:image/webp;base64,",
};
/* clang-format on */

static bool is_image(Str uri)
{
    Str data = STR_NONE;
    for (size_t i = 0; i < ARRAY_LEN(image_types) && !data.p; i++)
        if (str_starts(uri, str_of(image_types[i])))
            data = str_slice(uri, strlen(image_types[i]), uri.n);
    if (!data.p || data.n == 0 || uri.n > IMAGE_MAX)
        return false;
    for (size_t i = 0; i < data.n; i++) {
        char c = data.p[i];
        bool is_base64 = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                         (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '=';
        if (!is_base64)
            return false;
    }
    return true;
}

static void add_image(TranscriptWriter *writer, const Json *content)
{
    Str uri = transcript_text(writer, json_text(content, "image", STR_NONE));
    if (is_image(uri))
        add_element(writer->out, "<img alt=\"image\" src=\"", uri, "\">\n");
    else
        buf_addz(writer->out, "<p>[image]</p>\n");
}

/* --- the top --- */

static void add_items(TranscriptWriter *writer)
{
    TranscriptItem items[TRANSCRIPT_N_ITEMS];
    transcript_items(writer, items);
    buf_addz(writer->out, "<table>\n");
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        if (items[i].value.n == 0)
            continue;
        buf_printf(writer->out, "<tr><th>%s</th>", items[i].name);
        add_element(writer->out, "<td>", items[i].value, "</td></tr>\n");
    }
    buf_addz(writer->out, "</table>\n");
}

static void add_labelled(TranscriptWriter *writer, const char *label, const Json *node)
{
    if (json_is_null(node))
        return;
    buf_printf(writer->out, "<p>%s</p>\n", label);
    add_element(writer->out, "<pre>", transcript_value(writer, node, 0), "</pre>\n");
}

static void add_edits(TranscriptWriter *writer, const Json *score)
{
    TranscriptEdits edits = transcript_edits(score);
    for (Str edit = transcript_next_edit(writer, &edits); edit.p;
         edit = transcript_next_edit(writer, &edits))
        add_element(writer->out, "<p>Edited ", edit, "</p>\n");
}

static void add_scores(TranscriptWriter *writer)
{
    const Json *scores = transcript_tree(writer, writer->facts->scores);
    if (!scores || scores->type != JSON_OBJECT || !scores->first)
        return;
    buf_addz(writer->out, "<h2>Scores</h2>\n");
    for (const Json *score = scores->first; score; score = score->next) {
        add_element(writer->out, "<article>\n<h3><code>", score->key, "</code></h3>\n");
        add_element(writer->out, "<pre>", transcript_value(writer, json_get(score, "value"), 0),
                    "</pre>\n");
        add_edits(writer, score);
        add_labelled(writer, "Answer", json_get(score, "answer"));
        add_labelled(writer, "Explanation", json_get(score, "explanation"));
        buf_addz(writer->out, "</article>\n");
    }
}

static void head(TranscriptWriter *writer)
{
    Buf *out = writer->out;
    const Json *id = transcript_tree(writer, writer->facts->id);
    const Json *epoch = transcript_tree(writer, writer->facts->epoch);
    const Json *error = transcript_tree(writer, writer->facts->error);
    Str title = str_of(arena_printf(writer->arena, "Sample %.*s, epoch %.*s",
                                    STR_ARG(transcript_value(writer, id, 0)),
                                    STR_ARG(transcript_value(writer, epoch, 0))));
    buf_addz(out,
             "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta http-equiv=\"Content-Security-Policy\" content=\"" TRANSCRIPT_POLICY "\">\n"
             "<meta name=\"viewport\" content=\"width=device-width\">\n");
    add_element(out, "<title>", title, "</title>\n");
    buf_printf(out, "<style>%s</style>\n</head>\n<body>\n", style);
    add_element(out, "<h1>", title, "</h1>\n");
    add_items(writer);
    add_scores(writer);
    if (error)
        add_element(out, "<h2>Error</h2>\n<article class=\"error\"><pre>",
                    transcript_text(writer, json_text(error, "message", STR_NONE)),
                    "</pre></article>\n");
    buf_addz(out, "<h2>Messages</h2>\n");
}

/* --- messages --- */

static void add_content(TranscriptWriter *writer, const Json *content)
{
    Buf *out = writer->out;
    Str type = json_text(content, "type", STR_NONE);
    if (str_eqz(type, "text")) {
        add_element(out, "<pre>", transcript_text(writer, json_text(content, "text", STR_NONE)),
                    "</pre>\n");
    } else if (str_eqz(type, "reasoning")) {
        bool hidden = json_bool(content, "redacted", false);
        Str text = hidden ? json_text(content, "summary", STR("(hidden by the provider)"))
                          : json_text(content, "reasoning", STR_NONE);
        add_element(out, "<details><summary>Reasoning</summary><pre>",
                    transcript_text(writer, text), "</pre></details>\n");
    } else if (str_eqz(type, "image")) {
        add_image(writer, content);
    } else {
        add_element(out, "<p>[", type, "]</p>\n");
    }
}

static void add_calls(TranscriptWriter *writer, const Json *calls)
{
    for (const Json *call = calls && calls->type == JSON_ARRAY ? calls->first : NULL; call;
         call = call->next) {
        add_element(writer->out, "<p>Tool call <code>", json_text(call, "function", STR_NONE),
                    "</code></p>\n");
        add_element(writer->out, "<pre>",
                    transcript_value(writer, json_get(call, "arguments"), INDENT), "</pre>\n");
    }
}

/* The class of a role: only those that the style knows. */
static const char *class_of(Str role)
{
    static const char *const roles[] = {"user", "assistant", "tool", "system"};
    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        if (str_eqz(role, roles[i]))
            return roles[i];
    return "other";
}

static void message(TranscriptWriter *writer, const Json *message)
{
    Buf *out = writer->out;
    Str role = json_text(message, "role", STR("message"));
    Str function = json_text(message, "function", STR_NONE);
    const Json *content = json_get(message, "content");
    const Json *error = json_get(message, "error");
    buf_printf(out, "<article class=\"%s\">\n", class_of(role));
    add_element(out, "<h3>", role, "");
    if (function.n)
        add_element(out, " <code>", function, "</code>");
    buf_addz(out, "</h3>\n");
    if (content && content->type == JSON_STRING && content->text.n)
        add_element(out, "<pre>", transcript_text(writer, content->text), "</pre>\n");
    for (const Json *part = content && content->type == JSON_ARRAY ? content->first : NULL; part;
         part = part->next)
        add_content(writer, part);
    if (!json_is_null(error))
        add_element(out, "<p>Error</p>\n<pre>",
                    transcript_text(writer, json_text(error, "message", STR_NONE)), "</pre>\n");
    add_calls(writer, json_get(message, "tool_calls"));
    buf_addz(out, "</article>\n");
}

static void tail(TranscriptWriter *writer)
{
    buf_addz(writer->out, "</body>\n</html>\n");
}

const TranscriptStyle transcript_html = {.head = head, .message = message, .tail = tail};
