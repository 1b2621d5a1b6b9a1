/* Messages and events as texts, written as Inspect Scout writes them, so that places and counts are
   the same. */

#include "evallog/grep_priv.h"

#include "codec/python_text.h"

enum { VALUE_MAX = 64 << 20 };

static Str text_of(TranscriptWriter *writer, const Json *object, const char *key)
{
    Str text = json_text(object, key, STR_NONE);
    return text.p ? transcript_text(writer, text) : STR_NONE;
}

/* Replaces references inside of a value by what they refer to. */
static void resolve(TranscriptWriter *writer, Json *node)
{
    if (node->type == JSON_STRING)
        node->text = transcript_text(writer, node->text);
    for (Json *child = node->first; child; child = child->next)
        resolve(writer, child);
}

/* Appends str() of a value, or json.dumps() of it. */
static void add_value(TranscriptWriter *writer, const Json *node, bool as_json)
{
    auto_buf Buf json = BUF_INIT(VALUE_MAX);
    JsonOut out;
    if (!node) {
        buf_addz(writer->out, "None");
        return;
    }
    Json *copy = json_copy(writer->arena, node);
    resolve(writer, copy);
    json_out_init(&out, &json, 0);
    json_out_node(&out, copy);
    if (as_json)
        python_text_dumps(writer->out, buf_str(&json));
    else
        python_text_str(writer->out, buf_str(&json));
}

/* "<before><key><between><value>" for each member, with a separator between; anything else but an
   object as it is. */
static void add_members(TranscriptWriter *writer, const Json *object, const char *before,
                        const char *between, const char *separator)
{
    for (const Json *member = object->first; member; member = member->next) {
        buf_addz(writer->out, member == object->first ? "" : separator);
        buf_addz(writer->out, before);
        buf_add_str(writer->out, member->key);
        buf_addz(writer->out, between);
        add_value(writer, member, false);
    }
}

static void add_upper(Buf *out, Str text)
{
    for (size_t i = 0; i < text.n; i++)
        buf_addc(out, text.p[i] >= 'a' && text.p[i] <= 'z' ? (char)(text.p[i] - 32) : text.p[i]);
}

static bool is_true(const Json *node)
{
    double number = 0;
    if (json_is_null(node))
        return false;
    if (node->type == JSON_BOOL)
        return node->boolean;
    if (json_number(node, &number))
        return number != 0;
    return node->type == JSON_STRING ? node->text.n > 0 : node->n > 0;
}

/* --- messages --- */

static void add_reasoning(TranscriptWriter *writer, const Json *content)
{
    Str summary = text_of(writer, content, "summary");
    Buf *out = writer->out;
    if (!json_bool(content, "redacted", false)) {
        buf_addz(out, "\n<thinking>");
        buf_add_str(out, text_of(writer, content, "reasoning"));
        buf_addz(out, "</thinking>");
    } else if (summary.n) {
        buf_addz(out, "\n<thinking_summary>");
        buf_add_str(out, summary);
        buf_addz(out, "</thinking_summary>");
    } else {
        buf_addz(out, "\n<thinking_redacted/>");
    }
}

static void add_tool_use(TranscriptWriter *writer, const Json *content)
{
    buf_addz(writer->out, "\nTool Use: ");
    buf_add_str(writer->out, text_of(writer, content, "name"));
    buf_addc(writer->out, '(');
    add_value(writer, json_get(content, "arguments"), false);
    buf_addz(writer->out, ") -> ");
    add_value(writer, json_get(content, "result"), false);
    buf_addc(writer->out, ' ');
    if (is_true(json_get(content, "error")))
        add_value(writer, json_get(content, "error"), false);
}

/* Whether a piece of content has a text at all: one that has none leaves no empty line. */
static bool has_text(const Json *content)
{
    static const char *const kinds[] = {"text",  "tool_use", "image",   "audio",
                                        "video", "data",     "document"};
    Str type = json_text(content, "type", STR_NONE);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eqz(type, kinds[i]))
            return true;
    return str_eqz(type, "reasoning") && (json_bool(content, "redacted", false) ||
                                          json_text(content, "reasoning", STR_NONE).n > 0);
}

static void add_piece(TranscriptWriter *writer, const Json *content)
{
    Str type = json_text(content, "type", STR_NONE);
    if (str_eqz(type, "text"))
        buf_add_str(writer->out, text_of(writer, content, "text"));
    else if (str_eqz(type, "reasoning"))
        add_reasoning(writer, content);
    else if (str_eqz(type, "tool_use"))
        add_tool_use(writer, content);
    else
        buf_printf(writer->out, "<%.*s />", STR_ARG(type));
}

static void add_content(TranscriptWriter *writer, const Json *content, bool only_text)
{
    bool has_any = false;
    if (!content || content->type != JSON_ARRAY) {
        buf_add_str(writer->out, content && content->type == JSON_STRING
                                     ? transcript_text(writer, content->text)
                                     : STR(""));
        return;
    }
    for (const Json *piece = content->first; piece; piece = piece->next) {
        if (!has_text(piece) || (only_text && !str_eqz(json_text(piece, "type", STR_NONE), "text")))
            continue;
        buf_addz(writer->out, has_any ? "\n" : "");
        add_piece(writer, piece);
        has_any = true;
    }
}

static void add_calls(TranscriptWriter *writer, const Json *calls)
{
    for (const Json *call = calls->first; call; call = call->next) {
        const Json *arguments = json_get(call, "arguments");
        buf_addz(writer->out, "\nTool Call: ");
        buf_add_str(writer->out, text_of(writer, call, "function"));
        buf_addz(writer->out, "\nArguments:");
        if (arguments && arguments->type == JSON_OBJECT) {
            buf_addc(writer->out, '\n');
            add_members(writer, arguments, "", ": ", "\n");
        } else {
            buf_addc(writer->out, ' ');
            add_value(writer, arguments, false);
        }
        buf_addc(writer->out, '\n');
    }
}

static void add_tool_error(TranscriptWriter *writer, const Json *message)
{
    const Json *error = json_get(message, "error");
    Str function = json_text(message, "function", STR_NONE);
    if (json_is_null(error))
        return;
    buf_printf(writer->out, "\n\nError in tool call '%.*s':\n",
               STR_ARG(function.n ? function : STR("unknown")));
    buf_add_str(writer->out, text_of(writer, error, "message"));
    buf_addc(writer->out, '\n');
}

void grep_text_message(TranscriptWriter *writer, const Json *message)
{
    Str role = json_text(message, "role", STR(""));
    const Json *metadata = json_get(message, "metadata");
    const Json *calls = json_get(message, "tool_calls");
    Str label = json_text(metadata, "role_label", STR_NONE);
    bool is_prefill = str_eqz(role, "assistant") && is_true(json_get(metadata, "prefill"));
    if (str_eqz(role, "system"))
        return;
    buf_addz(writer->out, is_prefill ? "<prefill>\n" : "");
    add_upper(writer->out, label.n ? label : role);
    buf_addz(writer->out, ":\n");
    add_content(writer, json_get(message, "content"), false);
    if (str_eqz(role, "tool"))
        add_tool_error(writer, message);
    buf_addc(writer->out, '\n');
    if (str_eqz(role, "assistant") && calls && calls->type == JSON_ARRAY)
        add_calls(writer, calls);
    buf_addz(writer->out, is_prefill ? "</prefill>" : "");
}

/* --- events --- */

static void model_event(TranscriptWriter *writer, const Json *event)
{
    const Json *output = json_get(event, "output");
    const Json *choices = json_get(output, "choices");
    Str completion = text_of(writer, output, "completion");
    size_t before = writer->out->len;
    buf_addz(writer->out, "MODEL:\n");
    size_t head = writer->out->len;
    if (completion.n)
        buf_add_str(writer->out, completion);
    else if (choices && choices->type == JSON_ARRAY && choices->first)
        add_content(writer, json_get(json_get(choices->first, "message"), "content"), true);
    if (writer->out->len == head)
        buf_truncate(writer->out, before);
    else
        buf_addc(writer->out, '\n');
}

/* "<before><text>" when there is a text that is not empty. */
static void add_line(TranscriptWriter *writer, const char *before, const Json *object,
                     const char *key)
{
    Str text = text_of(writer, object, key);
    if (text.n == 0)
        return;
    buf_addz(writer->out, before);
    buf_add_str(writer->out, text);
}

/* The arguments of a call in one line. */
static void add_arguments(TranscriptWriter *writer, const Json *call, const char *before,
                          const char *between)
{
    const Json *arguments = json_get(call, "arguments");
    if (!is_true(arguments))
        return;
    buf_addz(writer->out, before);
    if (arguments->type == JSON_OBJECT)
        add_members(writer, arguments, "", between, ", ");
    else
        add_value(writer, arguments, false);
}

static void tool_event(TranscriptWriter *writer, const Json *event)
{
    const Json *arguments = json_get(event, "arguments");
    const Json *result = json_get(event, "result");
    const Json *error = json_get(event, "error");
    buf_addz(writer->out, "TOOL (");
    buf_add_str(writer->out, text_of(writer, event, "function"));
    buf_addz(writer->out, "):");
    if (is_true(arguments)) {
        buf_addz(writer->out, "\nArguments:\n");
        add_members(writer, arguments, "  ", ": ", "\n");
    }
    buf_addz(writer->out, "\nResult: ");
    if (!json_is_null(result))
        add_value(writer, result, false);
    if (!json_is_null(error)) {
        buf_addz(writer->out, "\nError: ");
        buf_add_str(writer->out, text_of(writer, error, "message"));
    }
    buf_addc(writer->out, '\n');
}

static void error_event(TranscriptWriter *writer, const Json *event)
{
    buf_addz(writer->out, "ERROR:\n");
    buf_add_str(writer->out, text_of(writer, json_get(event, "error"), "message"));
    buf_addc(writer->out, '\n');
}

static void info_event(TranscriptWriter *writer, const Json *event)
{
    const Json *data = json_get(event, "data");
    Str source = json_text(event, "source", STR_NONE);
    if (json_is_null(data))
        return;
    buf_addz(writer->out, "INFO");
    if (source.n)
        buf_printf(writer->out, " (%.*s)", STR_ARG(source));
    buf_addz(writer->out, ":\n");
    add_value(writer, data, data->type != JSON_STRING);
    buf_addc(writer->out, '\n');
}

static void logger_event(TranscriptWriter *writer, const Json *event)
{
    const Json *message = json_get(event, "message");
    buf_printf(writer->out, "LOG (%.*s):\n", STR_ARG(json_text(message, "level", STR(""))));
    buf_add_str(writer->out, text_of(writer, message, "message"));
    buf_addc(writer->out, '\n');
}

static void approval_event(TranscriptWriter *writer, const Json *event)
{
    const Json *call = json_get(event, "call");
    buf_printf(writer->out, "APPROVAL (%.*s):", STR_ARG(json_text(event, "decision", STR(""))));
    add_line(writer, "\nMessage: ", event, "message");
    buf_addz(writer->out, "\nTool: ");
    buf_add_str(writer->out, text_of(writer, call, "function"));
    add_arguments(writer, call, "\nArgs: ", "=");
    add_line(writer, "\nExplanation: ", event, "explanation");
    buf_addc(writer->out, '\n');
}

static void sentinel_event(TranscriptWriter *writer, const Json *event)
{
    const Json *suspicion = json_get(event, "suspicion");
    const Json *modified = json_get(event, "modified");
    Str action = json_text(event, "action", STR_NONE);
    Str done = action.n ? action : json_text(event, "status", STR("None"));
    buf_printf(writer->out, "SENTINEL (%.*s: %.*s):\nFactory: %.*s (%.*s)\nStage: %.*s",
               STR_ARG(json_text(event, "kind", STR(""))), STR_ARG(done),
               STR_ARG(json_text(event, "factory", STR(""))),
               STR_ARG(json_text(event, "path", STR(""))),
               STR_ARG(json_text(event, "stage", STR(""))));
    if (!json_is_null(suspicion)) {
        buf_addz(writer->out, "\nSuspicion: ");
        if (suspicion->type == JSON_OBJECT)
            add_members(writer, suspicion, "", "=", ", ");
        else
            add_value(writer, suspicion, false);
    }
    add_line(writer, "\nMessage: ", event, "message");
    if (!json_is_null(modified)) {
        buf_addz(writer->out, "\nModified: ");
        buf_add_str(writer->out, text_of(writer, modified, "function"));
        add_arguments(writer, modified, "\nArgs: ", "=");
    }
    add_line(writer, "\nExplanation: ", event, "explanation");
    add_line(writer, "\nError: ", event, "error");
    buf_addc(writer->out, '\n');
}

/* clang-format off */
static const struct { const char *name; void (*add)(TranscriptWriter *writer, const Json *event); } kinds[] = {
    { "model",    model_event },
    { "tool",     tool_event },
    { "error",    error_event },
    { "info",     info_event },
    { "logger",   logger_event },
    { "approval", approval_event },
    { "sentinel", sentinel_event },
};
/* clang-format on */

void grep_text_event(TranscriptWriter *writer, const Json *event)
{
    Str kind = json_text(event, "event", STR_NONE);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eqz(kind, kinds[i].name))
            kinds[i].add(writer, event);
}
