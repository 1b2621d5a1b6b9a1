/* Lists of objects as frames: see frame_rows.h. */

#include "codec/frame_rows.h"

#include "base/clock.h"
#include "codec/json_out.h"

enum { VALUE_MAX = 64 << 20 };

static FrameValue value_of(Arena *arena, const Json *node)
{
    int64_t us = 0;
    switch (node->type) {
    case JSON_NULL: return FRAME_NULL;
    case JSON_BOOL: return FRAME_BOOLEAN(node->boolean);
    case JSON_INT: return FRAME_INTEGER(node->integer);
    case JSON_REAL: return FRAME_NUMBER(node->real);
    case JSON_STRING:
        if (str_ends(node->key, STR("_at")) && clock_parse(node->text, &us) == 0)
            return FRAME_INSTANT(us);
        return FRAME_STRING(node->text);
    default: break;
    }
    auto_buf Buf text = BUF_INIT(VALUE_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    json_out_node(&out, node);
    return FRAME_STRING(arena_str(arena, buf_str(&text)));
}

int frame_rows_survey(Frame *frame, const Json *list, Str columns, Error *err)
{
    auto_arena Arena *arena = arena_new();
    Str name = STR_NONE;
    size_t no_matter = 0;
    while (!list->first && str_split(&columns, '\n', &name))
        if (frame_add(frame, (int)frame_n_columns(frame), name, &no_matter, err) < 0)
            return -1;
    for (const Json *row = list->first; row; row = row->next) {
        for (const Json *member = row->first; member; member = member->next) {
            size_t column = 0;
            FrameValue value = value_of(arena, member);
            if (frame_add(frame, (int)frame_n_columns(frame), member->key, &column, err) < 0)
                return -1;
            frame_observe(frame, column, &value);
        }
        frame_end_row(frame);
        arena_reset(arena);
    }
    frame_settle(frame);
    return 0;
}

FrameValue *frame_rows_values(const Frame *frame, const Json *row, Arena *arena)
{
    FrameValue *values = arena_array(arena, frame_n_columns(frame) + 1, sizeof(*values));
    for (const Json *member = row->first; member; member = member->next) {
        size_t column = 0;
        if (frame_find(frame, member->key, &column))
            values[column] = value_of(arena, member);
    }
    return values;
}

int frame_rows_write(const Json *list, Str columns, FrameFormat format, bool for_excel, Buf *ret,
                     Error *err)
{
    auto_frame Frame *frame = frame_new();
    auto_arena Arena *arena = arena_new();
    if (frame_rows_survey(frame, list, columns, err) < 0)
        return -1;
    FrameWriter writer = {.frame = frame, .format = format, .for_excel = for_excel};
    frame_write_head(&writer, ret);
    for (const Json *row = list->first; row; row = row->next) {
        frame_write_row(&writer, frame_rows_values(frame, row, arena), ret);
        arena_reset(arena);
    }
    frame_write_tail(&writer, ret);
    return buf_check(ret, "the table", err);
}
