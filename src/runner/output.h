/* Output: runner.log, a file of JSON lines with a ceiling and one older generation, without the
 * values of secrets. */
#ifndef HAWK_RUNNER_OUTPUT_H
#define HAWK_RUNNER_OUTPUT_H

#include <stdbool.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

typedef struct Output Output;

enum {
    OUTPUT_FILE_MAX = 16 << 20, /* then it becomes runner.log.1 */
    OUTPUT_LINE_MAX = 64 << 10, /* longer lines are cut into several */
    OUTPUT_SECRET_MIN = 6,      /* shorter values would take ordinary words out */
};

/* Called for each line with an "event", after it was written: "phase", "outcome". */
typedef void OutputEvent(void *context, Str event, Str message);

typedef struct OutputOptions {
    const char *folder;
    size_t file_max;    /* 0: OUTPUT_FILE_MAX */
    bool to_terminal;   /* also as text on standard error */
    OutputEvent *event; /* or NULL */
    void *context;
} OutputOptions;

/* Opens folder/runner.log for appending. */
int output_open(const OutputOptions *options, Output **ret, Error *err) HAWK_MUST_USE;
void output_close(Output *output);

/* Takes a value out of everything written from now on, and its lines if it has several. Values
   shorter than OUTPUT_SECRET_MIN are left in. */
void output_hide(Output *output, Str secret);

/* One line of the runner's own. */
void output_say(Output *output, const char *level, const char *fmt, ...) HAWK_PRINTF(3, 4);

/* Bytes of a child as they come; `part` keeps what is not a whole line yet. A line that is a JSON
   object with a "message" keeps its level and time. With `is_end` the rest is a line too. */
void output_feed(Output *output, const char *service, Buf *part, Str bytes, bool is_end);

/* The last lines of plain text that children wrote, at most n of them, separated by line feeds;
 * borrowed. */
Str output_tail(Output *output);
void output_forget_tail(Output *output);

HAWK_DEFINE_AUTO(Output, output, output_close)
#define auto_output HAWK_CLEANUP(output_cleanup_)

#endif
