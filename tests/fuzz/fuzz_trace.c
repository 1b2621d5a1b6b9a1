/* Headers of traces: traceparent from one line, X-Amzn-Trace-Id from the next. */

#include <stdint.h>
#include <string.h>

#include "server/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str rest = {(const char *)data, size};
    Str first = STR_NONE;
    Trace trace;
    (void)str_split(&rest, '\n', &first);
    if (!trace_read(first, rest, &trace))
        return 0;
    size_t n = strnlen(trace.parent, sizeof(trace.parent));
    if (strnlen(trace.id, sizeof(trace.id)) != TRACE_ID_MAX - 1 ||
        (n != 0 && n != TRACE_SPAN_MAX - 1))
        __builtin_trap();
    return 0;
}
