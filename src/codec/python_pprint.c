/* pprint.pformat() of Python 3.11, with indent 1, sorted keys and nothing compact: what fits stays
   on its line, what does not has a line for each item, and long strings are broken at white space.

   Widths are counted in code points. The one-line form of a value is made again on each level that
   it does not fit on, as the original does; depth is bounded by the scanner of the outermost. */

#include "codec/python_text.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "codec/json_scan.h"

enum { TEXT_MAX = 1 << 30, DEEP_MAX = 200 };

typedef struct Printer {
    Buf *out;
    size_t width;
} Printer;

/* Where a value stands: columns before it, columns kept free behind it, how deep it is. */
typedef struct Place {
    size_t indent;
    size_t allowance;
    int level;
} Place;

typedef struct Member {
    Str key; /* as it is meant */
    Str value;
} Member;

static void add_spaces(Buf *buf, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_addc(buf, ' ');
}

static size_t room_at(const Printer *printer, const Place *place)
{
    size_t taken = place->indent + place->allowance;
    return printer->width > taken ? printer->width - taken : 0;
}

/* --- containers --- */

static int compare_members(const void *a, const void *b)
{
    return str_cmp(((const Member *)a)->key, ((const Member *)b)->key);
}

/* The members of an object, sorted; in the arena. */
static size_t read_members(Str json, Arena *arena, Member **ret)
{
    JsonScan scan;
    Str key = STR_NONE;
    size_t cap = 16;
    size_t n = 0;
    Member *members = mem_array(cap, sizeof(*members));
    json_scan_init(&scan, json, true);
    (void)json_scan_object(&scan);
    while (json_scan_member(&scan, &key)) {
        if (n == cap) {
            cap *= 2;
            members = mem_resize(members, cap, sizeof(*members));
        }
        members[n] = (Member){0};
        if (!json_scan_skip(&scan, &members[n].value))
            break;
        (void)json_scan_key_str(key, arena, &members[n].key);
        n++;
    }
    qsort(members, n, sizeof(*members), compare_members);
    *ret = members;
    return n;
}

/* repr() with sorted keys on all levels. */
static void add_sorted_repr(Buf *buf, Str json, int depth)
{
    JsonScanKind kind = json_scan_kind_of(json);
    if (kind == JSON_SCAN_OBJECT && depth < DEEP_MAX) {
        auto_arena Arena *arena = arena_new();
        auto_free Member *members = NULL;
        size_t n = read_members(json, arena, &members);
        buf_addc(buf, '{');
        for (size_t i = 0; i < n; i++) {
            buf_addz(buf, i == 0 ? "" : ", ");
            python_text_repr_str(buf, members[i].key);
            buf_addz(buf, ": ");
            add_sorted_repr(buf, members[i].value, depth + 1);
        }
        buf_addc(buf, '}');
    } else if (kind == JSON_SCAN_ARRAY && depth < DEEP_MAX) {
        JsonScan scan;
        Str item = STR_NONE;
        json_scan_init(&scan, json, true);
        (void)json_scan_array(&scan);
        buf_addc(buf, '[');
        for (bool is_first = true; json_scan_item(&scan); is_first = false) {
            if (!json_scan_skip(&scan, &item))
                break;
            buf_addz(buf, is_first ? "" : ", ");
            add_sorted_repr(buf, item, depth + 1);
        }
        buf_addc(buf, ']');
    } else {
        python_text_repr(buf, json);
    }
}

static void print_value(Printer *printer, Str json, Place place);

static void new_line(Printer *printer, size_t indent)
{
    buf_addz(printer->out, ",\n");
    add_spaces(printer->out, indent);
}

static void print_object(Printer *printer, Str json, Place place)
{
    auto_arena Arena *arena = arena_new();
    auto_free Member *members = NULL;
    size_t n = read_members(json, arena, &members);
    buf_addc(printer->out, '{');
    for (size_t i = 0; i < n; i++) {
        size_t before = printer->out->len;
        python_text_repr_str(printer->out, members[i].key);
        Str shown = str_slice(buf_str(printer->out), before, printer->out->len);
        size_t width = python_text_length(shown);
        buf_addz(printer->out, ": ");
        print_value(printer, members[i].value,
                    (Place){.indent = place.indent + 1 + width + 2,
                            .allowance = i + 1 == n ? place.allowance + 1 : 1,
                            .level = place.level});
        if (i + 1 < n)
            new_line(printer, place.indent + 1);
    }
    buf_addc(printer->out, '}');
}

static void print_array(Printer *printer, Str json, Place place)
{
    JsonScan scan;
    Str item = STR_NONE;
    Str next = STR_NONE;
    json_scan_init(&scan, json, true);
    (void)json_scan_array(&scan);
    bool has_item = json_scan_item(&scan) && json_scan_skip(&scan, &item);
    buf_addc(printer->out, '[');
    while (has_item) {
        bool has_next = json_scan_item(&scan) && json_scan_skip(&scan, &next);
        print_value(printer, item,
                    (Place){.indent = place.indent + 1,
                            .allowance = has_next ? 1 : place.allowance + 1,
                            .level = place.level});
        if (has_next)
            new_line(printer, place.indent + 1);
        item = next;
        has_item = has_next;
    }
    buf_addc(printer->out, ']');
}

/* --- strings --- */

/* Length of the line at the start with its end, as str.splitlines(True) cuts it. */
static size_t line_length(Str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        Str rest = str_slice(text, i, text.n);
        if (c == '\r' && rest.n > 1 && rest.p[1] == '\n')
            return i + 2;
        if ((c >= '\n' && c <= '\r') || (c >= 0x1C && c <= 0x1E))
            return i + 1;
        if (str_starts(rest, STR("\xC2\x85")))
            return i + 2;
        if (str_starts(rest, STR("\xE2\x80\xA8")) || str_starts(rest, STR("\xE2\x80\xA9")))
            return i + 3;
    }
    return text.n;
}

/* Length of the next part of a line: what is no white space, then white space. */
static size_t part_length(Str text)
{
    size_t i = 0;
    while (i < text.n && python_text_space(str_slice(text, i, text.n)) == 0) {
        size_t n = str_utf8_char(str_slice(text, i, text.n));
        i += n ? n : 1;
    }
    for (size_t n = 1; i < text.n && n > 0; i += n)
        n = python_text_space(str_slice(text, i, text.n));
    return i;
}

static size_t repr_width(Str text)
{
    auto_buf Buf shown = BUF_INIT(TEXT_MAX);
    python_text_repr_str(&shown, text);
    return python_text_length(buf_str(&shown));
}

/* The pieces of a string that is being broken, written as they are found. */
typedef struct Pieces {
    Printer *printer;
    size_t indent;
    size_t n;
} Pieces;

static void add_piece(Pieces *pieces, Str text)
{
    if (pieces->n++ > 0) {
        buf_addc(pieces->printer->out, '\n');
        add_spaces(pieces->printer->out, pieces->indent);
    }
    python_text_repr_str(pieces->printer->out, text);
}

/* A piece grows by parts as long as it fits. Widths of parts are added up, which is exact but for a
   quote that changes with what else is in the piece; near the limit the whole is measured. */
static void break_line(Pieces *pieces, Str line, size_t room, size_t last_room)
{
    Str current = {line.p, 0};
    size_t width = 2;
    for (size_t at = 0; at < line.n;) {
        size_t n = part_length(str_slice(line, at, line.n));
        size_t limit = at + n == line.n ? last_room : room;
        Str candidate = {current.p, current.n + n};
        width += repr_width(str_slice(line, at, at + n)) - 2;
        if (width + n >= limit && repr_width(candidate) > limit) {
            if (current.n > 0)
                add_piece(pieces, current);
            current = str_slice(line, at, at + n);
            width = repr_width(current);
        } else {
            current = candidate;
        }
        at += n;
    }
    if (current.n > 0)
        add_piece(pieces, current);
}

/* Writes the pieces; returns how many there are. */
static size_t break_string(Printer *printer, Str text, Place place)
{
    Pieces pieces = {.printer = printer, .indent = place.indent};
    size_t room = printer->width > place.indent ? printer->width - place.indent : 0;
    size_t last = room > place.allowance ? room - place.allowance : 0;
    for (size_t at = 0; at < text.n;) {
        size_t n = line_length(str_slice(text, at, text.n));
        Str line = str_slice(text, at, at + n);
        size_t limit = at + n == text.n ? last : room;
        if (repr_width(line) <= limit)
            add_piece(&pieces, line);
        else
            break_line(&pieces, line, room, at + n == text.n ? last : room);
        at += n;
    }
    return pieces.n;
}

static void print_string(Printer *printer, Str json, Place place)
{
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    (void)json_scan_add_str(json, &text);
    if (text.len == 0) {
        buf_addz(printer->out, "''");
        return;
    }
    bool in_brackets = place.level == 1;
    if (in_brackets) {
        place.indent++;
        place.allowance++;
    }
    auto_buf Buf pieces = BUF_INIT(TEXT_MAX);
    Printer inner = {.out = &pieces, .width = printer->width};
    size_t n = break_string(&inner, buf_str(&text), place);
    bool has_brackets = in_brackets && n > 1;
    buf_addz(printer->out, has_brackets ? "(" : "");
    buf_add_str(printer->out, buf_str(&pieces));
    buf_addz(printer->out, has_brackets ? ")" : "");
}

static void print_value(Printer *printer, Str json, Place place)
{
    auto_buf Buf line = BUF_INIT(TEXT_MAX);
    JsonScanKind kind = json_scan_kind_of(json);
    add_sorted_repr(&line, json, 0);
    bool fits = python_text_length(buf_str(&line)) <= room_at(printer, &place);
    place.level++;
    bool is_broken = !fits && place.level <= DEEP_MAX;
    if (is_broken && kind == JSON_SCAN_OBJECT)
        print_object(printer, json, place);
    else if (is_broken && kind == JSON_SCAN_ARRAY)
        print_array(printer, json, place);
    else if (is_broken && kind == JSON_SCAN_STRING)
        print_string(printer, json, place);
    else
        buf_add_str(printer->out, buf_str(&line));
}

void python_text_pformat(Buf *buf, Str json, size_t width)
{
    Printer printer = {.out = buf, .width = width};
    print_value(&printer, json, (Place){0});
}
