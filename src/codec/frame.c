/* Columns, and what pandas would make of their values. Writing is in frame_write.c. */

#include "codec/frame.h"

#include <assert.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"

enum { SLOTS_START = 64 };

typedef struct Column {
    Str name; /* in the arena */
    int rank;
    uint64_t n_values; /* observed, not counting gaps */
    bool has[FRAME_TIME + 1];
    FrameKind kind;
    bool is_fixed;
} Column;

struct Frame {
    Arena *arena;
    Column *columns;
    size_t n;
    size_t cap;
    uint32_t *slots; /* hash table of column numbers plus 1; 0 is free */
    size_t n_slots;  /* a power of two */
    size_t *order;   /* once settled */
    uint64_t n_rows;
};

Frame *frame_new(void)
{
    Frame *frame = mem_alloc(sizeof(*frame));
    frame->arena = arena_new();
    frame->n_slots = SLOTS_START;
    frame->slots = mem_array(frame->n_slots, sizeof(*frame->slots));
    return frame;
}

void frame_free(Frame *frame)
{
    if (!frame)
        return;
    arena_free(frame->arena);
    free(frame->columns);
    free(frame->slots);
    free(frame->order);
    free(frame);
}

/* FNV-1a; names are few, and a table of FRAME_COLUMNS_MAX that all collide is still bearable. */
static size_t hash_of(Str name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < name.n; i++)
        hash = (hash ^ (unsigned char)name.p[i]) * UINT64_C(0x100000001b3);
    return (size_t)(hash ^ (hash >> 32));
}

static uint32_t *slot_of(const Frame *frame, Str name)
{
    for (size_t i = hash_of(name);; i++) {
        uint32_t *slot = &frame->slots[i & (frame->n_slots - 1)];
        if (*slot == 0 || str_eq(frame->columns[*slot - 1].name, name))
            return slot;
    }
}

static void grow_slots(Frame *frame)
{
    free(frame->slots);
    frame->n_slots *= 2;
    frame->slots = mem_array(frame->n_slots, sizeof(*frame->slots));
    for (size_t i = 0; i < frame->n; i++)
        *slot_of(frame, frame->columns[i].name) = (uint32_t)i + 1;
}

bool frame_find(const Frame *frame, Str name, size_t *ret)
{
    uint32_t found = *slot_of(frame, name);
    if (found == 0)
        return false;
    *ret = found - 1;
    return true;
}

int frame_add(Frame *frame, int rank, Str name, size_t *ret, Error *err)
{
    if (frame_find(frame, name, ret))
        return 0;
    if (frame->n == FRAME_COLUMNS_MAX)
        return error_set(err, ERR_BAD_DATA, "the table has over %d columns", FRAME_COLUMNS_MAX);
    if (name.n > FRAME_NAME_MAX)
        return error_set(err, ERR_BAD_DATA, "the name of a column is over %d bytes",
                         FRAME_NAME_MAX);
    assert(!frame->order);
    if (frame->n == frame->cap) {
        frame->cap = frame->cap ? frame->cap * 2 : 32;
        frame->columns = mem_resize(frame->columns, frame->cap, sizeof(*frame->columns));
    }
    frame->columns[frame->n] = (Column){.name = arena_str(frame->arena, name), .rank = rank};
    *ret = frame->n++;
    if (frame->n * 2 > frame->n_slots)
        grow_slots(frame);
    else
        *slot_of(frame, frame->columns[*ret].name) = (uint32_t)*ret + 1;
    return 0;
}

void frame_fix(Frame *frame, size_t column, FrameKind kind)
{
    frame->columns[column].kind = kind;
    frame->columns[column].is_fixed = true;
}

void frame_observe(Frame *frame, size_t column, const FrameValue *value)
{
    Column *found = &frame->columns[column];
    found->has[value->kind] = true;
    found->n_values += value->kind != FRAME_NONE;
}

void frame_end_row(Frame *frame)
{
    frame->n_rows++;
}

static FrameKind settle(const Column *column, uint64_t n_rows)
{
    bool has_gaps = column->n_values < n_rows;
    size_t n_kinds = 0;
    FrameKind kind = FRAME_NONE;
    for (FrameKind i = FRAME_BOOL; i <= FRAME_TIME; i++) {
        if (column->has[i]) {
            n_kinds++;
            kind = i;
        }
    }
    if (n_kinds == 2 && column->has[FRAME_INT] && column->has[FRAME_REAL])
        return FRAME_REAL;
    if (n_kinds > 1)
        return FRAME_TEXT;
    return kind == FRAME_INT && has_gaps ? FRAME_REAL : kind;
}

typedef struct Place {
    const Column *column;
    size_t number;
} Place;

static int compare_places(const void *a, const void *b)
{
    const Column *x = ((const Place *)a)->column;
    const Column *y = ((const Place *)b)->column;
    return x->rank != y->rank ? (x->rank > y->rank) - (x->rank < y->rank)
                              : str_cmp(x->name, y->name);
}

void frame_settle(Frame *frame)
{
    auto_free Place *places = mem_array(frame->n + 1, sizeof(*places));
    for (size_t i = 0; i < frame->n; i++) {
        if (!frame->columns[i].is_fixed)
            frame->columns[i].kind = settle(&frame->columns[i], frame->n_rows);
        places[i] = (Place){&frame->columns[i], i};
    }
    qsort(places, frame->n, sizeof(*places), compare_places);
    frame->order = mem_array(frame->n + 1, sizeof(*frame->order));
    for (size_t i = 0; i < frame->n; i++)
        frame->order[i] = places[i].number;
}

size_t frame_n_columns(const Frame *frame)
{
    return frame->n;
}

Str frame_name(const Frame *frame, size_t column)
{
    return frame->columns[column].name;
}

FrameKind frame_kind(const Frame *frame, size_t column)
{
    return frame->columns[column].kind;
}

size_t frame_nth(const Frame *frame, size_t place)
{
    assert(frame->order && place < frame->n);
    return frame->order[place];
}
