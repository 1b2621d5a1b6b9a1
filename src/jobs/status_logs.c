/* The output of a job as log entries. runner.log and the part rotated away before it are read
   backwards in blocks, so the newest lines of a long log cost no more than those of a short one;
   one line at a time is held. */

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "codec/json.h"
#include "jobs/status_priv.h"

enum {
    BLOCK = 64 * 1024,
    ENTRY_MAX = 64 * 1024,     /* of a line; what is longer is cut */
    DISORDER_US = 5 * 1000000, /* lines come from several writers, a little out of order */
};

/* A place in the two files: first the older one. */
typedef struct Place {
    int part;
    uint64_t offset; /* of the beginning of a line */
} Place;

typedef struct Output {
    int fds[2]; /* runner.log.1, runner.log; -1 when missing */
    uint64_t sizes[2];
    char *line; /* ENTRY_MAX + 1 bytes */
} Output;

static void output_release(Output *output)
{
    fs_close_cleanup(&output->fds[0]);
    fs_close_cleanup(&output->fds[1]);
    free(output->line);
}

static void output_open(Output *output, Executor *executor, const char *job_id)
{
    static const char *const names[] = {"runner.log.1", "runner.log"};
    *output = (Output){.fds = {-1, -1}, .line = mem_alloc(ENTRY_MAX + 1)};
    for (int i = 0; i < 2; i++) {
        auto_error Error err = ERROR_INIT;
        auto_free char *path = executor->file(executor, job_id, names[i]);
        output->fds[i] = path ? fs_open(path, O_RDONLY, 0, &err) : -1;
        struct stat st;
        if (output->fds[i] >= 0 && fstat(output->fds[i], &st) == 0)
            output->sizes[i] = (uint64_t)st.st_size;
    }
}

/* The offset just behind the last line end before `before`, or 0. */
static uint64_t line_start(const Output *output, int part, uint64_t before)
{
    char block[BLOCK];
    auto_error Error err = ERROR_INIT;
    while (before > 0) {
        size_t n = before < BLOCK ? (size_t)before : BLOCK;
        if (fs_read_at(output->fds[part], before - n, block, n, &err) < 0)
            return 0;
        const char *end = memrchr(block, '\n', n);
        if (end)
            return before - n + (uint64_t)(end - block) + 1;
        before -= n;
    }
    return 0;
}

/* Moves to the line before; false at the beginning of it all. */
static bool step_back(const Output *output, Place *place)
{
    if (place->offset == 0) {
        if (place->part == 0)
            return false;
        *place = (Place){0, output->sizes[0]};
        return step_back(output, place);
    }
    /* The byte before a line is the end of the one before. */
    place->offset = line_start(output, place->part, place->offset - 1);
    return true;
}

/* Reads the line at a place; ret_next is where the next one begins. */
static Str read_line(Output *output, Place place, uint64_t *ret_next)
{
    uint64_t left = output->sizes[place.part] - place.offset;
    size_t n = left < ENTRY_MAX ? (size_t)left : ENTRY_MAX;
    auto_error Error err = ERROR_INIT;
    *ret_next = output->sizes[place.part];
    if (n == 0 || fs_read_at(output->fds[place.part], place.offset, output->line, n, &err) < 0)
        return STR_NONE;
    const char *end = memchr(output->line, '\n', n);
    if (end) {
        *ret_next = place.offset + (uint64_t)(end - output->line) + 1;
        return (Str){output->line, (size_t)(end - output->line)};
    }
    /* A line that was cut: find where it ends. */
    for (uint64_t at = place.offset + n; at < output->sizes[place.part];) {
        char block[4096];
        uint64_t rest = output->sizes[place.part] - at;
        size_t m = rest < sizeof(block) ? (size_t)rest : sizeof(block);
        if (fs_read_at(output->fds[place.part], at, block, m, &err) < 0)
            break;
        const char *found = memchr(block, '\n', m);
        if (found) {
            *ret_next = at + (uint64_t)(found - block) + 1;
            break;
        }
        at += m;
    }
    return (Str){output->line, n};
}

/* Moves to the line at or after place->offset, into the next file where this one ends; false at the
 * end. */
static bool settle_forward(const Output *output, Place *place)
{
    if (place->offset < output->sizes[place->part])
        return true;
    if (place->part == 1)
        return false;
    *place = (Place){1, 0};
    return output->sizes[1] > 0;
}

/* ---- entries ---- */

/* Keys that have a place of their own in a LogEntry. */
static const char *const known_keys[] = {"timestamp", "time",   "message", "msg",
                                         "level",     "status", "service", "source"};

static bool is_known(Str key)
{
    for (size_t i = 0; i < ARRAY_LEN(known_keys); i++)
        if (str_eqz(key, known_keys[i]))
            return true;
    return false;
}

static Str first_text(const Json *node, const char *a, const char *b, Str otherwise)
{
    return json_text(node, a, json_text(node, b, otherwise));
}

/* One line, understood. */
typedef struct Entry {
    const Json *node; /* NULL: the line is no JSON object */
    int64_t at_us;    /* 0 when unknown */
    Str message;
} Entry;

static Entry read_entry(Arena *arena, Str line)
{
    auto_error Error err = ERROR_INIT;
    Json *node = NULL;
    Entry entry = {.message = line};
    if (json_parse(arena, line, &json_limits_config, &node, &err) < 0 || node->type != JSON_OBJECT)
        return entry;
    entry.node = node;
    entry.message = first_text(node, "message", "msg", STR(""));
    if (clock_parse(first_text(node, "timestamp", "time", STR("")), &entry.at_us) < 0)
        entry.at_us = 0;
    return entry;
}

static void write_entry(const Entry *entry, int64_t fallback_us, JsonOut *out)
{
    json_out_object(out);
    json_out_kv_time(out, "timestamp", entry->at_us ? entry->at_us : fallback_us);
    json_out_kv_str(out, "service", first_text(entry->node, "service", "source", STR("runner")));
    json_out_kv_str(out, "message", entry->message);
    json_out_kv_str(out, "level", first_text(entry->node, "level", "status", STR_NONE));
    json_out_kv_object(out, "attributes");
    for (const Json *item = entry->node ? entry->node->first : NULL; item; item = item->next) {
        if (is_known(item->key))
            continue;
        json_out_key(out, item->key);
        json_out_node(out, item);
    }
    json_out_end_object(out);
    json_out_end_object(out);
}

/* The first line that may be later than since, found from the end. */
static Place find_start(Output *output, const StatusLogQuery *query)
{
    Place place = {1, output->sizes[1]};
    Place start = place;
    auto_arena Arena *arena = arena_new();
    if (query->from_start)
        return (Place){0, 0};
    while (step_back(output, &place)) {
        uint64_t next = 0;
        arena_reset(arena);
        Entry entry = read_entry(arena, read_line(output, place, &next));
        if (entry.at_us && entry.at_us <= query->since_us - DISORDER_US)
            return start;
        start = place;
    }
    return start;
}

static bool is_wanted(const StatusLogQuery *query, const Entry *entry)
{
    return query->from_start || !entry->at_us || entry->at_us > query->since_us;
}

static void write_ascending(Output *output, const StatusLogQuery *query, int64_t limit,
                            JsonOut *out)
{
    auto_arena Arena *arena = arena_new();
    int64_t last_us = query->since_us;
    Place place = find_start(output, query);
    while (limit > 0 && settle_forward(output, &place)) {
        uint64_t next = 0;
        arena_reset(arena);
        Str line = read_line(output, place, &next);
        Entry entry = read_entry(arena, line);
        place.offset = next;
        last_us = entry.at_us ? entry.at_us : last_us;
        if (!line.n || !is_wanted(query, &entry))
            continue;
        write_entry(&entry, last_us, out);
        limit--;
    }
}

static void write_descending(Output *output, const StatusLogQuery *query, int64_t limit,
                             JsonOut *out)
{
    auto_arena Arena *arena = arena_new();
    int64_t last_us = clock_now_us();
    Place place = {1, output->sizes[1]};
    while (limit > 0 && step_back(output, &place)) {
        uint64_t next = 0;
        arena_reset(arena);
        Str line = read_line(output, place, &next);
        Entry entry = read_entry(arena, line);
        last_us = entry.at_us ? entry.at_us : last_us;
        if (!query->from_start && entry.at_us && entry.at_us <= query->since_us - DISORDER_US)
            return;
        if (!line.n || !is_wanted(query, &entry))
            continue;
        write_entry(&entry, last_us, out);
        limit--;
    }
}

/* What a runner said that broke before it had a log of its own. */
static void write_launch_log(Executor *executor, const Job *job, const StatusLogQuery *query,
                             JsonOut *out)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *path = executor->file(executor, job->job_id, "launch.log");
    auto_buf Buf text = BUF_INIT(ENTRY_MAX);
    int64_t at_us = job->finished_us ? job->finished_us : job->updated_us;
    if (!path || (!query->from_start && at_us <= query->since_us))
        return;
    /* Over the ceiling it is cut, which is fine. */
    (void)!fs_read_file(path, &text, &err);
    Str rest = buf_str(&text);
    Str line = STR_NONE;
    while (str_split(&rest, '\n', &line)) {
        const Entry entry = {.at_us = at_us, .message = line};
        if (line.n)
            write_entry(&entry, at_us, out);
    }
}

int status_write_logs(Jobs *jobs, const Job *job, const StatusLogQuery *query, JsonOut *out,
                      Error *err)
{
    (void)err; /* a log that is not there yet is an empty one */
    Executor *executor = jobs->options.executor;
    int64_t limit = query->limit > 0 && query->limit < STATUS_LOG_ENTRIES_MAX
                        ? query->limit
                        : STATUS_LOG_ENTRIES_MAX;
    HAWK_CLEANUP(output_release) Output output;
    output_open(&output, executor, job->job_id);
    json_out_array(out);
    if (!output.sizes[0] && !output.sizes[1])
        write_launch_log(executor, job, query, out);
    else if (query->is_ascending)
        write_ascending(&output, query, limit, out);
    else
        write_descending(&output, query, limit, out);
    json_out_end_array(out);
    return 0;
}

int jobs_trace(Jobs *jobs, const Job *job, char **ret, Error *err)
{
    Executor *executor = jobs->options.executor;
    char *path = executor->trace ? executor->trace(executor, job->job_id) : NULL;
    if (path) {
        *ret = path;
        return 0;
    }
    if (job->state == JOB_RUNNING || job->state == JOB_STOPPING) {
        (void)error_set(err, ERR_NOT_FOUND, "no process of %s has written a trace yet",
                        job->job_id);
        return error_code(err, "trace.none");
    }
    (void)error_set(err, ERR_CONFLICT,
                    "The live trace log is only available while the eval is running.");
    return error_code(err, "trace.not_running");
}
