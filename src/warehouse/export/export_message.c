/* Messages as text: see export_message.h. */

#include "warehouse/export/export_message.h"

#include "codec/json_scan.h"
#include "codec/python_text.h"

enum { TEXT_MAX = 1 << 30, CALL_WIDTH = 1000, CALL_INDENT = 4 };

static Str member(Str object, const char *name)
{
    Str raw = STR_NONE;
    return object.p && json_scan_get(object, name, &raw) ? raw : STR_NONE;
}

static Str text_member(Str object, const char *name, Arena *arena)
{
    Str raw = member(object, name);
    Str text = STR_NONE;
    return raw.p && json_scan_str(raw, arena, &text) ? text : STR_NONE;
}

void export_message_text(Str message, Arena *arena, Buf *ret)
{
    Str content = member(message, "content");
    JsonScan scan;
    if (!content.p)
        return;
    json_scan_init(&scan, content, true);
    if (json_scan_kind(&scan) == JSON_SCAN_STRING) {
        (void)json_scan_add_str(content, ret);
        return;
    }
    if (json_scan_kind(&scan) != JSON_SCAN_ARRAY || !json_scan_array(&scan))
        return;
    bool is_first = true;
    Str part = STR_NONE;
    while (json_scan_item(&scan) && json_scan_skip(&scan, &part)) {
        Str raw = member(part, "text");
        if (!str_eqz(text_member(part, "type", arena), "text") || !raw.p)
            continue;
        buf_addz(ret, is_first ? "" : "\n");
        (void)json_scan_add_str(raw, ret);
        is_first = false;
    }
}

typedef void AddArgument(Str name, Str raw, Buf *ret);

/* The members of an object, each written by `add`. */
static void join_arguments(Str arguments, const char *glue, AddArgument *add, Arena *arena,
                           Buf *ret)
{
    JsonScan scan;
    Str key = STR_NONE;
    Str raw = STR_NONE;
    bool is_first = true;
    json_scan_init(&scan, arguments, true);
    if (json_scan_kind(&scan) != JSON_SCAN_OBJECT || !json_scan_object(&scan))
        return;
    while (json_scan_member(&scan, &key) && json_scan_skip(&scan, &raw)) {
        Str name = STR_NONE;
        if (!json_scan_key_str(key, arena, &name))
            continue;
        buf_addz(ret, is_first ? "" : glue);
        add(name, raw, ret);
        is_first = false;
    }
}

/* "name: value". */
static void add_named(Str name, Str raw, Buf *ret)
{
    buf_add_str(ret, name);
    buf_addz(ret, ": ");
    python_text_str(ret, raw);
}

static void add_calls_as_text(Str calls, Arena *arena, Buf *ret)
{
    JsonScan scan;
    Str call = STR_NONE;
    json_scan_init(&scan, calls, true);
    (void)json_scan_array(&scan);
    while (json_scan_item(&scan) && json_scan_skip(&scan, &call)) {
        Str arguments = member(call, "arguments");
        buf_printf(ret, "\nTool Call: %.*s\nArguments:\n",
                   STR_ARG(text_member(call, "function", arena)));
        if (arguments.p)
            join_arguments(arguments, "\n", add_named, arena, ret);
    }
}

void export_message_add(Str message, Arena *arena, Buf *ret)
{
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    Str role = text_member(message, "role", arena);
    Str calls = member(message, "tool_calls");
    Str error = member(message, "error");
    bool has_calls = calls.p && json_scan_kind_of(calls) == JSON_SCAN_ARRAY;
    bool has_error = error.p && json_scan_kind_of(error) == JSON_SCAN_OBJECT;
    export_message_text(message, arena, &text);
    buf_add_str(ret, role);
    buf_addz(ret, ":\n");
    buf_add_str(ret, python_text_strip(buf_str(&text)));
    buf_addc(ret, '\n');
    if (has_calls && str_eqz(role, "assistant")) {
        add_calls_as_text(calls, arena, ret);
    } else if (has_error && str_eqz(role, "tool")) {
        Str function = text_member(message, "function", arena);
        buf_printf(ret, "\nError in tool call '%.*s':\n",
                   STR_ARG(function.n ? function : STR("unknown")));
        buf_add_str(ret, text_member(error, "message", arena));
        buf_addc(ret, '\n');
    }
}

void export_message_list(Str input, Arena *arena, Buf *ret)
{
    JsonScan scan;
    Str message = STR_NONE;
    json_scan_init(&scan, input.p ? input : STR("[]"), true);
    if (json_scan_kind(&scan) == JSON_SCAN_STRING) {
        auto_buf Buf text = BUF_INIT(TEXT_MAX);
        (void)json_scan_add_str(input, &text);
        buf_addz(ret, "user:\n");
        buf_add_str(ret, python_text_strip(buf_str(&text)));
        buf_addc(ret, '\n');
        return;
    }
    if (json_scan_kind(&scan) != JSON_SCAN_ARRAY || !json_scan_array(&scan))
        return;
    for (bool is_first = true; json_scan_item(&scan); is_first = false) {
        if (!json_scan_skip(&scan, &message))
            return;
        buf_addz(ret, is_first ? "" : "\n\n");
        export_message_add(message, arena, ret);
    }
}

/* --- calls: format_function_call of inspect_ai/_util/format.py --- */

/* One argument, "name=value". */
static void add_argument(Str name, Str raw, Buf *ret)
{
    JsonScanKind kind = json_scan_kind_of(raw);
    buf_add_str(ret, name);
    buf_addc(ret, '=');
    if (kind == JSON_SCAN_STRING) {
        buf_addc(ret, '\'');
        (void)json_scan_add_str(raw, ret);
        buf_addc(ret, '\'');
    } else if (kind == JSON_SCAN_OBJECT || kind == JSON_SCAN_ARRAY) {
        python_text_pformat(ret, raw, CALL_WIDTH);
    } else {
        python_text_str(ret, raw);
    }
}

/* textwrap.indent: lines of nothing but white space stay as they are. */
static void add_indented(Str text, Buf *ret)
{
    while (text.n > 0) {
        ptrdiff_t end = str_find(text, '\n');
        Str line = str_slice(text, 0, end < 0 ? text.n : (size_t)end + 1);
        if (python_text_strip(line).n > 0)
            for (int i = 0; i < CALL_INDENT; i++)
                buf_addc(ret, ' ');
        buf_add_str(ret, line);
        text = str_slice(text, line.n, text.n);
    }
}

static void add_call(Str call, Arena *arena, Buf *ret)
{
    Str function = text_member(call, "function", arena);
    Str arguments = member(call, "arguments");
    auto_buf Buf line = BUF_INIT(TEXT_MAX);
    if (!arguments.p)
        arguments = STR("{}");
    join_arguments(arguments, ", ", add_argument, arena, &line);
    buf_add_str(ret, function);
    if (python_text_length(buf_str(&line)) + python_text_length(function) + 3 <= CALL_WIDTH) {
        buf_addc(ret, '(');
        buf_add_str(ret, buf_str(&line));
        buf_addc(ret, ')');
        return;
    }
    buf_reset(&line);
    join_arguments(arguments, ",\n", add_argument, arena, &line);
    buf_addz(ret, "(\n");
    add_indented(buf_str(&line), ret);
    buf_addz(ret, "\n)");
}

bool export_message_calls(Str message, Arena *arena, Buf *ret)
{
    JsonScan scan;
    Str call = STR_NONE;
    Str calls = member(message, "tool_calls");
    if (!calls.p || json_scan_kind_of(calls) != JSON_SCAN_ARRAY)
        return false;
    json_scan_init(&scan, calls, true);
    (void)json_scan_array(&scan);
    for (bool is_first = true; json_scan_item(&scan); is_first = false) {
        if (!json_scan_skip(&scan, &call))
            break;
        buf_addz(ret, is_first ? "" : "\n");
        add_call(call, arena, ret);
    }
    return true;
}
