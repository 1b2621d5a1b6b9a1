/* Text for terminals. */

#include "base/term.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/str.h"

enum { ROWS_DEFAULT = 24, COLUMNS_DEFAULT = 80, COLUMNS_MIN = 40, COLUMNS_MAX = 100000 };

static const char replacement[] = "\xEF\xBF\xBD";

bool term_has_colours(int fd)
{
    const char *no_colour = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return isatty(fd) && !(no_colour && *no_colour) && !(term && strcmp(term, "dumb") == 0);
}

int term_columns(int fd)
{
    struct winsize size = {0};
    if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        return COLUMNS_DEFAULT;
    return size.ws_col < COLUMNS_MIN ? COLUMNS_MIN : size.ws_col;
}

int term_rows(int fd)
{
    struct winsize size = {0};
    return ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 ? ROWS_DEFAULT : size.ws_row;
}

/* Reads one character; returns its length, or 0 when the bytes are not UTF-8. */
static size_t next_char(Str s, size_t at, uint32_t *ret)
{
    const unsigned char *p = (const unsigned char *)s.p + at;
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (at + len > s.n || !str_is_utf8(str_slice(s, at, at + len)))
        return 0;
    uint32_t c = len == 1 ? p[0] : p[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++)
        c = c << 6 | (p[i] & 0x3F);
    *ret = c;
    return len;
}

/* Marks that change the direction or the joining of what is around them, and separators of lines
 * that are none. */
static bool is_trick(uint32_t c)
{
    return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0x200E ||
           c == 0x200F || c == 0x061C || c == 0x2028 || c == 0x2029 || c == 0xFEFF;
}

static void add_safe(Buf *buf, Str text, bool one_line)
{
    bool spaced = false;
    size_t len = 0;
    for (size_t i = 0; i < text.n; i += len) {
        uint32_t c = 0;
        len = next_char(text, i, &c);
        bool is_space = len == 1 && (c == '\n' || c == '\t' || c == ' ' || (c == '\r' && one_line));
        if (is_space && one_line) {
            if (!spaced)
                buf_addc(buf, ' ');
        } else if (len == 0) {
            buf_addz(buf, replacement);
            len = 1;
        } else if (is_space) {
            buf_addc(buf, (char)c);
        } else if (c == '\r' && i + 1 < text.n && text.p[i + 1] == '\n') {
            continue;
        } else if (c < 0x20 || (c >= 0x7F && c < 0xA0)) {
            buf_printf(buf, "\\x%02x", c);
        } else if (is_trick(c)) {
            buf_addz(buf, replacement);
        } else {
            buf_add(buf, text.p + i, len);
        }
        spaced = is_space;
    }
}

void term_add_text(Buf *buf, Str text)
{
    add_safe(buf, text, false);
}

void term_add_line(Buf *buf, Str text)
{
    add_safe(buf, str_trim(text), true);
}

void term_add_json(Buf *buf, Str json)
{
    size_t len = 0;
    for (size_t i = 0; i < json.n; i += len) {
        uint32_t c = 0;
        len = next_char(json, i, &c);
        if (len == 0) {
            buf_addz(buf, replacement);
            len = 1;
        } else if ((c >= 0x7F && c < 0xA0) || is_trick(c)) {
            buf_printf(buf, "\\u%04x", c);
        } else {
            buf_add(buf, json.p + i, len);
        }
    }
}

/* Blocks whose characters take no column or two (Unicode annex 11, simplified). */
static const struct {
    uint32_t first;
    uint32_t last;
    unsigned char width;
} widths[] = {
    {0x0300, 0x036F, 0},   {0x1AB0, 0x1AFF, 0},   {0x1DC0, 0x1DFF, 0},   {0x200B, 0x200D, 0},
    {0x20D0, 0x20FF, 0},   {0xFE00, 0xFE0F, 0},   {0xFE20, 0xFE2F, 0},   {0x1100, 0x115F, 2},
    {0x2E80, 0x303E, 2},   {0x3041, 0xA4CF, 2},   {0xAC00, 0xD7A3, 2},   {0xF900, 0xFAFF, 2},
    {0xFE30, 0xFE6F, 2},   {0xFF00, 0xFF60, 2},   {0xFFE0, 0xFFE6, 2},   {0x1F300, 0x1F64F, 2},
    {0x1F680, 0x1F6FF, 2}, {0x1F900, 0x1FAFF, 2}, {0x20000, 0x3FFFD, 2},
};

static size_t char_width(uint32_t c)
{
    size_t width = 1;
    for (size_t w = 0; c >= 0x0300 && w < ARRAY_LEN(widths); w++)
        if (c >= widths[w].first && c <= widths[w].last)
            width = widths[w].width;
    return width;
}

size_t term_width(Str text)
{
    size_t columns = 0;
    size_t len = 0;
    for (size_t i = 0; i < text.n; i += len ? len : 1) {
        uint32_t c = 0;
        len = next_char(text, i, &c);
        columns += char_width(c);
    }
    return columns;
}

Str term_cut(Str text, size_t columns)
{
    size_t used = 0;
    size_t len = 0;
    for (size_t i = 0; i < text.n; i += len ? len : 1) {
        uint32_t c = 0;
        len = next_char(text, i, &c);
        used += char_width(c);
        if (used > columns)
            return str_slice(text, 0, i);
    }
    return text;
}

size_t term_height(Str text, int columns)
{
    size_t rows = 0;
    Str line = STR_NONE;
    while (str_split(&text, '\n', &line) && text.p) {
        size_t width = term_width(line);
        /* "\033[31m" obeys, and takes no place. */
        for (ptrdiff_t at = str_find(line, '\033'); at >= 0; at = str_find(line, '\033')) {
            line = str_slice(line, (size_t)at, line.n);
            ptrdiff_t end = str_find(line, 'm');
            size_t n = end < 0 ? line.n : (size_t)end + 1;
            width -= n;
            line = str_slice(line, n, line.n);
        }
        rows += width == 0 ? 1 : (width + (size_t)columns - 1) / (size_t)columns;
    }
    return rows;
}

/* clang-format off */
static const char *const codes[] = {
    [TERM_PLAIN] = "0", [TERM_BOLD] = "1", [TERM_DIM] = "2", [TERM_RED] = "31", [TERM_GREEN] = "32",
    [TERM_YELLOW] = "33", [TERM_BLUE] = "34", [TERM_CYAN] = "36",
};
/* clang-format on */

void term_add_colour(Buf *buf, bool colours, TermColour colour, const char *text)
{
    if (colours && colour != TERM_PLAIN)
        buf_printf(buf, "\033[%sm%s\033[0m", codes[colour], text);
    else
        buf_addz(buf, text);
}

void term_add_wrapped(Buf *buf, Str text, int at, int indent, int columns)
{
    if (columns > COLUMNS_MAX || columns < COLUMNS_MIN)
        columns = COLUMNS_DEFAULT;
    Str rest = text;
    Str word = STR_NONE;
    bool first = true;
    while (str_split(&rest, ' ', &word)) {
        int width = (int)term_width(word);
        if (!first && at + 1 + width > columns) {
            buf_addc(buf, '\n');
            for (at = 0; at < indent; at++)
                buf_addc(buf, ' ');
        } else if (!first) {
            buf_addc(buf, ' ');
            at++;
        }
        buf_add_str(buf, word);
        at += width;
        first = false;
    }
}
