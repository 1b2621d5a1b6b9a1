/* The most memory that this program has had, in KB. Not getrusage, which counts what the parent had
   when it started this one. */
#ifndef HAWK_BENCH_PEAK_H
#define HAWK_BENCH_PEAK_H

#include <stdlib.h>

#include "base/buf.h"
#include "base/fs.h"

static inline long bench_peak_kb(void)
{
    auto_buf Buf status = BUF_INIT(1 << 16);
    auto_error Error err = ERROR_INIT;
    if (fs_read_file("/proc/self/status", &status, &err) < 0)
        return -1;
    ptrdiff_t at = str_find_str(buf_str(&status), STR("VmHWM:"));
    return at < 0 ? -1 : strtol(status.data + at + 6, NULL, 10);
}

#endif
