/* Lines in, JSON lines out. Hiding works on whole values after lines have been put together, so it
   does not matter where the pieces of a child's output were cut; and a line that is too long is
   never cut inside a value. */

#include "runner/output.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/term.h"
#include "codec/json.h"
#include "codec/json_out.h"

enum {
    TAIL_MAX = 8192,
    TAIL_LINE_MAX = 1000,
    ENTRY_MAX = 8 * OUTPUT_LINE_MAX,
    SECRETS_MAX = 1000,
    ESCAPED_MAX = 1 << 20,
};

struct Output {
    OutputOptions options;
    char *path;
    int fd;
    size_t written;
    char **secrets; /* wiped at the end */
    size_t n_secrets;
    size_t longest; /* of the secrets */
    Buf tail;
};

static int open_file(Output *output, Error *err)
{
    output->fd = fs_open(output->path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600, err);
    if (output->fd < 0)
        return -1;
    off_t size = lseek(output->fd, 0, SEEK_END);
    output->written = size > 0 ? (size_t)size : 0;
    return 0;
}

int output_open(const OutputOptions *options, Output **ret, Error *err)
{
    auto_output Output *output = mem_alloc(sizeof(*output));
    output->options = *options;
    if (output->options.file_max == 0)
        output->options.file_max = OUTPUT_FILE_MAX;
    output->path = fs_join(options->folder, "runner.log");
    output->fd = -1;
    output->tail = BUF_INIT(2 * TAIL_MAX);
    if (open_file(output, err) < 0)
        return -1;
    *ret = TAKE(output);
    return 0;
}

void output_close(Output *output)
{
    if (!output)
        return;
    fs_close_cleanup(&output->fd);
    for (size_t i = 0; i < output->n_secrets; i++) {
        mem_wipe(output->secrets[i], strlen(output->secrets[i]));
        free(output->secrets[i]);
    }
    free(output->secrets);
    free(output->path);
    buf_release(&output->tail);
    free(output);
}

static void hide_one(Output *output, Str secret)
{
    if (secret.n < OUTPUT_SECRET_MIN || output->n_secrets == SECRETS_MAX)
        return;
    for (size_t i = 0; i < output->n_secrets; i++)
        if (str_eqz(secret, output->secrets[i]))
            return;
    output->secrets = mem_resize(output->secrets, output->n_secrets + 1, sizeof(*output->secrets));
    output->secrets[output->n_secrets++] = mem_strndup(secret.p, secret.n);
    if (secret.n > output->longest)
        output->longest = secret.n;
}

/* As it stands in JSON that a child prints, without the quotes. */
static void hide_escaped(Output *output, Str secret)
{
    auto_buf Buf quoted = BUF_INIT(ESCAPED_MAX);
    JsonOut out;
    json_out_init(&out, &quoted, 0);
    json_out_str(&out, secret);
    if (!quoted.overflowed && quoted.len > secret.n + 2)
        hide_one(output, str_slice(buf_str(&quoted), 1, quoted.len - 1));
    mem_wipe(quoted.data, quoted.len);
}

void output_hide(Output *output, Str secret)
{
    hide_one(output, secret);
    hide_escaped(output, secret);
    if (str_find(secret, '\n') < 0)
        return;
    Str line = STR_NONE;
    while (str_split(&secret, '\n', &line))
        hide_one(output, str_trim(line));
}

/* Replaces every secret in text. The earliest match wins, of those at one place the longest. */
static void add_hidden(const Output *output, Buf *to, Str text)
{
    while (text.n) {
        size_t best_at = text.n;
        size_t best_n = 0;
        for (size_t i = 0; i < output->n_secrets; i++) {
            size_t n = strlen(output->secrets[i]);
            ptrdiff_t at = str_find_str(text, (Str){output->secrets[i], n});
            if (at >= 0 && ((size_t)at < best_at || ((size_t)at == best_at && n > best_n))) {
                best_at = (size_t)at;
                best_n = n;
            }
        }
        buf_add_str(to, str_slice(text, 0, best_at));
        if (best_n)
            buf_addz(to, "[secret]");
        text = str_slice(text, best_at + best_n, text.n);
    }
}

static void rotate(Output *output)
{
    auto_free char *older = mem_printf("%s.1", output->path);
    auto_error Error err = ERROR_INIT;
    (void)rename(output->path, older);
    fs_close_cleanup(&output->fd);
    /* Without a log the run goes on; its results are elsewhere. */
    if (open_file(output, &err) < 0)
        output->fd = -1;
}

static void write_line(Output *output, Str line)
{
    if (output->fd < 0)
        return;
    if (output->written + line.n > output->options.file_max && output->written > 0)
        rotate(output);
    auto_error Error err = ERROR_INIT;
    if (fs_write_all(output->fd, line.p, line.n, &err) == 0)
        output->written += line.n;
    else /* the disk is full: half a line would spoil the next one too */
        (void)!ftruncate(output->fd, (off_t)output->written);
}

typedef struct Entry {
    Str timestamp; /* STR_NONE: now */
    Str level;
    Str service;
    Str message;
} Entry;

static void write_entry(Output *output, const Entry *entry)
{
    char now[CLOCK_TEXT_MAX];
    auto_buf Buf hidden = BUF_INIT(ENTRY_MAX);
    auto_buf Buf line = BUF_INIT(2 * ENTRY_MAX);
    JsonOut out;
    add_hidden(output, &hidden, entry->message);
    json_out_init(&out, &line, 0);
    json_out_object(&out);
    json_out_kv_str(&out, "timestamp",
                    entry->timestamp.p ? entry->timestamp
                                       : str_of(clock_format(clock_now_us(), now)));
    json_out_kv_str(&out, "level", entry->level);
    json_out_kv_str(&out, "service", entry->service);
    json_out_kv_str(&out, "message", buf_str(&hidden));
    json_out_end_object(&out);
    buf_addc(&line, '\n');
    write_line(output, buf_str(&line));
    if (output->options.to_terminal) {
        buf_reset(&line);
        term_add_text(&line, buf_str(&hidden));
        fprintf(stderr, "%.*s: %s\n", STR_ARG(entry->service), line.data);
    }
}

void output_say(Output *output, const char *level, const char *fmt, ...)
{
    auto_buf Buf text = BUF_INIT(OUTPUT_LINE_MAX);
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    write_entry(
        output,
        &(Entry){.level = str_of(level), .service = STR("runner"), .message = buf_str(&text)});
}

static void keep_tail(Output *output, Str line)
{
    Buf *tail = &output->tail;
    auto_buf Buf hidden = BUF_INIT(ENTRY_MAX);
    add_hidden(output, &hidden, line);
    if (tail->len)
        buf_addc(tail, '\n');
    buf_add_str(tail, str_slice(buf_str(&hidden), 0, TAIL_LINE_MAX));
    while (tail->len > TAIL_MAX) {
        ptrdiff_t end = str_find(buf_str(tail), '\n');
        buf_consume(tail, end < 0 ? tail->len - TAIL_MAX : (size_t)end + 1);
    }
}

/* Whether the line is an entry of its own; fills it when it is. */
static bool read_entry(Arena *arena, Str line, Entry *entry, Str *ret_event)
{
    auto_error Error err = ERROR_INIT;
    Json *root = NULL;
    if (line.n < 2 || line.p[0] != '{' ||
        json_parse(arena, line, &json_limits_config, &root, &err) < 0)
        return false;
    entry->message = json_text(root, "message", STR_NONE);
    if (!entry->message.p)
        return false;
    entry->timestamp = json_text(root, "timestamp", STR_NONE);
    entry->level = json_text(root, "level", STR("info"));
    *ret_event = json_text(root, "event", STR_NONE);
    return true;
}

static void take_line(Output *output, const char *service, Str line)
{
    auto_arena Arena *arena = arena_new();
    Entry entry = {.service = str_of(service)};
    Str event = STR_NONE;
    while (line.n && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == ' '))
        line.n--;
    if (line.n == 0)
        return;
    if (!read_entry(arena, line, &entry, &event)) {
        entry.level = STR("info");
        entry.message = line;
    }
    keep_tail(output, entry.message);
    write_entry(output, &entry);
    if (event.p && output->options.event) {
        auto_buf Buf hidden = BUF_INIT(ENTRY_MAX);
        add_hidden(output, &hidden, entry.message);
        output->options.event(output->options.context, event, buf_str(&hidden));
    }
}

/* The start of a value that a cut at this place would go through; `at` itself when there is none.
 */
static size_t before_values(const Output *output, Str full, size_t at)
{
    for (size_t i = 0; i < output->n_secrets; i++) {
        size_t n = strlen(output->secrets[i]);
        size_t from = at > n ? at - n + 1 : 0;
        ptrdiff_t found =
            str_find_str(str_slice(full, from, at + n - 1), (Str){output->secrets[i], n});
        if (found >= 0 && from + (size_t)found < at)
            return from + (size_t)found;
    }
    return at;
}

/* Where a line that is too long is cut: ahead of what may be the beginning of a value, not through
   one and not through a character. */
static size_t find_cut(const Output *output, Str full)
{
    size_t kept = output->longest ? output->longest - 1 : 0;
    size_t at = full.n - (kept < full.n / 2 ? kept : full.n / 2);
    for (size_t earlier = before_values(output, full, at); earlier < at;
         earlier = before_values(output, full, at))
        at = earlier;
    for (int i = 0; i < 3 && at > 0 && at < full.n && ((unsigned char)full.p[at] & 0xC0) == 0x80;
         i++)
        at--;
    return at > 0 ? at : full.n;
}

void output_feed(Output *output, const char *service, Buf *part, Str bytes, bool is_end)
{
    while (bytes.n) {
        ptrdiff_t end = str_find(bytes, '\n');
        size_t n = end < 0 ? bytes.n : (size_t)end;
        size_t room = OUTPUT_LINE_MAX - part->len;
        if (n > room) {
            buf_add(part, bytes.p, room);
            size_t cut = find_cut(output, buf_str(part));
            take_line(output, service, str_slice(buf_str(part), 0, cut));
            buf_consume(part, cut);
            bytes = str_slice(bytes, room, bytes.n);
            continue;
        }
        buf_add(part, bytes.p, n);
        if (end >= 0) {
            take_line(output, service, buf_str(part));
            buf_reset(part);
        }
        bytes = str_slice(bytes, end >= 0 ? n + 1 : n, bytes.n);
    }
    if (is_end && part->len) {
        take_line(output, service, buf_str(part));
        buf_reset(part);
    }
}

Str output_tail(Output *output)
{
    return buf_str(&output->tail);
}

void output_forget_tail(Output *output)
{
    buf_reset(&output->tail);
}
