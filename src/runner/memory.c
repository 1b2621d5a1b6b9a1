/* A handful of small files below /proc and /sys/fs/cgroup, each "name value" lines or one number.
 */

#include "runner/memory.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

enum { FILE_MAX = 256 * 1024 };

/* Reads root + path; an empty text when it is not there. */
static Str read_text(const char *root, const char *path, Buf *text)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *full = mem_printf("%s%s", root, path);
    buf_reset(text);
    if (fs_read_file(full, text, &err) < 0)
        buf_reset(text);
    return buf_str(text);
}

/* The number behind a name at the start of a line; -1 when there is none. */
static int64_t number_of(Str text, const char *name)
{
    Str line = STR_NONE;
    size_t n = strlen(name);
    while (text.p && str_split(&text, '\n', &line)) {
        if (line.n <= n || memcmp(line.p, name, n) != 0 || (line.p[n] != ' ' && line.p[n] != ':'))
            continue;
        int64_t value = 0;
        Str rest = str_trim(str_slice(line, n + 1, line.n));
        Str digits = STR_NONE;
        if (str_split(&rest, ' ', &digits) && str_to_i64(digits, 0, INT64_MAX, &value) == 0)
            return value;
    }
    return -1;
}

/* The only number of a file; -1 when there is none, as in "max". */
static int64_t number_in(const char *root, const char *folder, const char *name)
{
    auto_buf Buf text = BUF_INIT(FILE_MAX);
    auto_free char *path = mem_printf("%s/%s", folder, name);
    int64_t value = 0;
    Str digits = str_trim(read_text(root, path, &text));
    return str_to_i64(digits, 0, INT64_MAX, &value) == 0 ? value : -1;
}

/* This process's cgroup that counts memory: version 2 is the line "0::/path", version 1
   "N:memory:/path". The caller frees. NULL when there is none. A container sees its own at the
   root. */
static char *find_cgroup(const char *root, bool *ret_is_v2)
{
    auto_buf Buf text = BUF_INIT(FILE_MAX);
    Str rest = read_text(root, "/proc/self/cgroup", &text);
    Str line = STR_NONE;
    while (rest.p && str_split(&rest, '\n', &line)) {
        ptrdiff_t v1 = str_find_str(line, STR(":memory:"));
        *ret_is_v2 = str_starts(line, STR("0::"));
        if (!*ret_is_v2 && v1 < 0)
            continue;
        Str path = str_slice(line, *ret_is_v2 ? 3 : (size_t)v1 + 8, line.n);
        const char *base = *ret_is_v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
        const char *usage = *ret_is_v2 ? "memory.current" : "memory.usage_in_bytes";
        auto_free char *folder = mem_printf("%s%.*s", base, STR_ARG(path));
        if (number_in(root, folder, usage) >= 0)
            return TAKE(folder);
        if (number_in(root, base, usage) >= 0)
            return mem_strdup(base);
    }
    return NULL;
}

static int64_t left_in_cgroup(const char *root)
{
    bool is_v2 = false;
    auto_free char *folder = find_cgroup(root, &is_v2);
    if (!folder)
        return INT64_MAX;
    int64_t limit = number_in(root, folder, is_v2 ? "memory.max" : "memory.limit_in_bytes");
    int64_t used = number_in(root, folder, is_v2 ? "memory.current" : "memory.usage_in_bytes");
    if (limit < 0 || used < 0)
        return INT64_MAX;
    auto_buf Buf text = BUF_INIT(FILE_MAX);
    auto_free char *path = mem_printf("%s/memory.stat", folder);
    int64_t cache =
        number_of(read_text(root, path, &text), is_v2 ? "inactive_file" : "total_inactive_file");
    used -= cache > 0 ? cache : 0;
    return used < limit ? limit - used : 0;
}

int64_t memory_available(const char *root)
{
    auto_buf Buf text = BUF_INIT(FILE_MAX);
    int64_t kilobytes = number_of(read_text(root, "/proc/meminfo", &text), "MemAvailable");
    int64_t machine = kilobytes >= 0 ? kilobytes * 1024 : INT64_MAX;
    int64_t cgroup = left_in_cgroup(root);
    return machine < cgroup ? machine : cgroup;
}

int64_t memory_oom_kills(const char *root)
{
    bool is_v2 = false;
    auto_buf Buf text = BUF_INIT(FILE_MAX);
    auto_free char *folder = find_cgroup(root, &is_v2);
    if (folder) {
        auto_free char *path =
            mem_printf("%s/%s", folder, is_v2 ? "memory.events" : "memory.oom_control");
        int64_t kills = number_of(read_text(root, path, &text), "oom_kill");
        if (kills >= 0)
            return kills;
    }
    int64_t kills = number_of(read_text(root, "/proc/vmstat", &text), "oom_kill");
    return kills >= 0 ? kills : 0;
}

int64_t memory_of_process(pid_t pid)
{
    auto_buf Buf text = BUF_INIT(FILE_MAX);
    auto_free char *path = mem_printf("/proc/%d/statm", (int)pid);
    Str rest = read_text("", path, &text);
    Str whole = STR_NONE;
    Str held = STR_NONE;
    int64_t pages = 0;
    if (!str_split(&rest, ' ', &whole) || !str_split(&rest, ' ', &held) ||
        str_to_i64(held, 0, INT64_MAX, &pages) < 0)
        return 0;
    return pages * sysconf(_SC_PAGESIZE);
}
