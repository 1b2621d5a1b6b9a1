/* One line, one write(2), so that lines of several threads and processes do not mix. */

#include "base/log.h"

#include <inttypes.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

enum { LINE_MAX_BYTES = 16 * 1024 };

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static LogLevel lowest_level = LOG_INFO;
static bool json_form = false;

void log_setup(LogLevel lowest, bool as_json)
{
    lowest_level = lowest;
    json_form = as_json;
}

/* A quoted string with control bytes escaped; also what keeps a value from forging a second line.
 */
static void add_quoted(Buf *line, const char *text)
{
    buf_addc(line, '"');
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            buf_addc(line, '\\');
        if (c < 0x20 || c == 0x7f)
            buf_printf(line, "\\u%04x", c);
        else
            buf_addc(line, *p);
    }
    buf_addc(line, '"');
}

static void add_json(Buf *line, LogLevel level, const char *event, const LogPair *pairs, size_t n)
{
    buf_addz(line, "{\"timestamp\":\"");
    clock_add(line, clock_now_us());
    buf_printf(line, "\",\"level\":\"%s\",\"event\":", level_names[level]);
    add_quoted(line, event);
    for (size_t i = 0; i < n; i++) {
        buf_addc(line, ',');
        add_quoted(line, pairs[i].key);
        buf_addc(line, ':');
        if (pairs[i].text)
            add_quoted(line, pairs[i].text);
        else
            buf_add_i64(line, pairs[i].number);
    }
    buf_addz(line, "}");
}

static void add_text(Buf *line, LogLevel level, const char *event, const LogPair *pairs, size_t n)
{
    clock_add(line, clock_now_us() / CLOCK_SECOND * CLOCK_SECOND);
    buf_printf(line, " %-5s %s", level_names[level], event);
    for (size_t i = 0; i < n; i++) {
        buf_printf(line, " %s=", pairs[i].key);
        if (pairs[i].text)
            add_quoted(line, pairs[i].text);
        else
            buf_add_i64(line, pairs[i].number);
    }
}

void log_write(LogLevel level, const char *event, const LogPair *pairs, size_t n)
{
    if (level < lowest_level)
        return;
    auto_buf Buf line = BUF_INIT(LINE_MAX_BYTES);
    if (json_form)
        add_json(&line, level, event, pairs, n);
    else
        add_text(&line, level, event, pairs, n);
    line.overflowed = false;
    line.max += 1;
    buf_addc(&line, '\n');
    /* Nothing can be done about a log that cannot be written. */
    if (write(STDERR_FILENO, line.data, line.len) < 0)
        return;
}
