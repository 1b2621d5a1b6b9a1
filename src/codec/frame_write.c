/* Frames as text. Numbers are written as Python writes them: a column of reals stays one when it is
   read again, for 1.0 is not 1. */

#include <math.h>

#include "base/clock.h"
#include "codec/frame.h"
#include "codec/json_out.h"
#include "codec/python_text.h"

enum { TEXT_MAX = 1 << 30 };

/* clang-format off */
static const struct { const char *name; const char *media_type; } formats[] = {
    [FRAME_CSV]    = { "csv",    "text/csv" },
    [FRAME_JSON]   = { "json",   "application/json" },
    [FRAME_NDJSON] = { "ndjson", "application/x-ndjson" },
    [FRAME_FEED]   = { "feed",   "application/vnd.hawk.feed" },
};

static const char *const kinds[] = {
    [FRAME_NONE] = "none", [FRAME_BOOL] = "bool", [FRAME_INT] = "int", [FRAME_REAL] = "real",
    [FRAME_TEXT] = "text", [FRAME_TIME] = "time",
};
/* clang-format on */

const char *frame_kind_name(FrameKind kind)
{
    return kinds[kind];
}

const char *frame_format_name(FrameFormat format)
{
    return formats[format].name;
}

const char *frame_format_media_type(FrameFormat format)
{
    return formats[format].media_type;
}

bool frame_format_find(Str name, FrameFormat *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (str_eqz(name, formats[i].name) || str_eq_nocase(name, str_of(formats[i].media_type))) {
            *ret = (FrameFormat)i;
            return true;
        }
    }
    return false;
}

/* --- fitting values to columns --- */

/* str() of a value, for columns whose values are of several kinds. */
static void add_as_text(Buf *buf, const FrameValue *value)
{
    switch (value->kind) {
    case FRAME_BOOL: buf_addz(buf, value->integer ? "True" : "False"); break;
    case FRAME_INT: buf_add_i64(buf, value->integer); break;
    case FRAME_REAL: python_text_real(buf, value->real); break;
    case FRAME_TIME: clock_add(buf, value->integer); break;
    case FRAME_TEXT: buf_add_str(buf, value->text); break;
    case FRAME_NONE: break;
    }
}

/* The value as the column has it; texts that are made go into scratch. NaN is no value. */
static FrameValue fit(const FrameValue *value, FrameKind kind, Buf *scratch)
{
    if (value->kind == FRAME_REAL && isnan(value->real))
        return FRAME_NULL;
    if (value->kind == kind || value->kind == FRAME_NONE)
        return *value;
    if (kind == FRAME_REAL && value->kind == FRAME_INT)
        return FRAME_NUMBER((double)value->integer);
    if (kind != FRAME_TEXT)
        return FRAME_NULL;
    buf_reset(scratch);
    add_as_text(scratch, value);
    return FRAME_STRING(buf_str(scratch));
}

/* --- CSV --- */

static bool needs_quotes(Str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == '"' || text.p[i] == ',' || text.p[i] == '\n' || text.p[i] == '\r')
            return true;
    return text.n == 0 || text.p[0] == ' ' || text.p[text.n - 1] == ' ';
}

static bool looks_like_formula(Str text)
{
    static const char starts[] = "=+-@\t\r";
    return text.n > 0 && text.p[0] != '\0' && strchr(starts, text.p[0]);
}

static void add_csv_text(const FrameWriter *writer, Buf *buf, Str text)
{
    bool has_mark = writer->for_excel && looks_like_formula(text);
    if (!has_mark && !needs_quotes(text)) {
        buf_add_str(buf, text);
        return;
    }
    buf_addz(buf, has_mark ? "\"'" : "\"");
    for (;;) {
        ptrdiff_t quote = str_find(text, '"');
        if (quote < 0)
            break;
        buf_add(buf, text.p, (size_t)quote + 1);
        buf_addc(buf, '"');
        text = str_slice(text, (size_t)quote + 1, text.n);
    }
    buf_add_str(buf, text);
    buf_addc(buf, '"');
}

static void add_csv(const FrameWriter *writer, Buf *buf, const FrameValue *value)
{
    if (value->kind == FRAME_TEXT)
        add_csv_text(writer, buf, value->text);
    else
        add_as_text(buf, value);
}

/* --- JSON --- */

static void add_json(JsonOut *out, const FrameValue *value, bool is_feed)
{
    switch (value->kind) {
    case FRAME_NONE: json_out_null(out); break;
    case FRAME_BOOL: json_out_bool(out, value->integer != 0); break;
    case FRAME_INT: json_out_int(out, value->integer); break;
    case FRAME_TEXT: json_out_str(out, value->text); break;
    case FRAME_REAL:
        if (is_feed && isinf(value->real))
            json_out_raw(out, value->real > 0 ? STR("Infinity") : STR("-Infinity"));
        else
            json_out_real(out, value->real);
        break;
    case FRAME_TIME:
        if (is_feed)
            json_out_int(out, value->integer);
        else
            json_out_time(out, value->integer);
        break;
    }
}

static void write_columns(const Frame *frame, Buf *ret)
{
    JsonOut out;
    json_out_init(&out, ret, 0);
    json_out_object(&out);
    json_out_kv_array(&out, "columns");
    for (size_t i = 0; i < frame_n_columns(frame); i++) {
        size_t column = frame_nth(frame, i);
        json_out_array(&out);
        json_out_str(&out, frame_name(frame, column));
        json_out_str(&out, str_of(frame_kind_name(frame_kind(frame, column))));
        json_out_end_array(&out);
    }
    json_out_end_array(&out);
    json_out_end_object(&out);
    buf_addc(ret, '\n');
}

void frame_write_head(FrameWriter *writer, Buf *ret)
{
    const Frame *frame = writer->frame;
    if (writer->format == FRAME_JSON)
        buf_addc(ret, '[');
    if (writer->format == FRAME_FEED)
        write_columns(frame, ret);
    if (writer->format != FRAME_CSV || frame_n_columns(frame) == 0)
        return;
    for (size_t i = 0; i < frame_n_columns(frame); i++) {
        buf_addz(ret, i == 0 ? "" : ",");
        add_csv_text(writer, ret, frame_name(frame, frame_nth(frame, i)));
    }
    buf_addz(ret, "\r\n");
}

static void write_csv_row(const FrameWriter *writer, const FrameValue *values, Buf *ret)
{
    auto_buf Buf scratch = BUF_INIT(TEXT_MAX);
    for (size_t i = 0; i < frame_n_columns(writer->frame); i++) {
        size_t column = frame_nth(writer->frame, i);
        FrameValue value = fit(&values[column], frame_kind(writer->frame, column), &scratch);
        buf_addz(ret, i == 0 ? "" : ",");
        add_csv(writer, ret, &value);
    }
    buf_addz(ret, "\r\n");
}

static void write_json_row(const FrameWriter *writer, const FrameValue *values, Buf *ret)
{
    auto_buf Buf scratch = BUF_INIT(TEXT_MAX);
    bool is_feed = writer->format == FRAME_FEED;
    JsonOut out;
    json_out_init(&out, ret, 0);
    if (is_feed)
        json_out_array(&out);
    else
        json_out_object(&out);
    for (size_t i = 0; i < frame_n_columns(writer->frame); i++) {
        size_t column = frame_nth(writer->frame, i);
        FrameValue value = fit(&values[column], frame_kind(writer->frame, column), &scratch);
        if (!is_feed)
            json_out_key(&out, frame_name(writer->frame, column));
        add_json(&out, &value, is_feed);
    }
    if (is_feed)
        json_out_end_array(&out);
    else
        json_out_end_object(&out);
}

void frame_write_row(FrameWriter *writer, const FrameValue *values, Buf *ret)
{
    if (writer->format == FRAME_JSON)
        buf_addz(ret, writer->n_rows == 0 ? "\n" : ",\n");
    writer->n_rows++;
    if (writer->format == FRAME_CSV) {
        write_csv_row(writer, values, ret);
        return;
    }
    write_json_row(writer, values, ret);
    if (writer->format != FRAME_JSON)
        buf_addc(ret, '\n');
}

void frame_write_tail(FrameWriter *writer, Buf *ret)
{
    if (writer->format == FRAME_JSON)
        buf_addz(ret, writer->n_rows == 0 ? "]\n" : "\n]\n");
    if (writer->format == FRAME_FEED)
        buf_printf(ret, "{\"rows\":%llu}\n", (unsigned long long)writer->n_rows);
}
