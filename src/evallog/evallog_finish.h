/* EvalLogFinish: the end of a log whose writer is gone. */
#ifndef HAWK_EVALLOG_EVALLOG_FINISH_H
#define HAWK_EVALLOG_EVALLOG_FINISH_H

#include <stdint.h>

#include "base/error.h"
#include "codec/zip_write.h"
#include "evallog/evallog.h"

/* Writes an archive that has status "started" to the sink as Inspect would have left it had it been
   cancelled at this instant: the samples that were in it, their summaries, a header without
   results. ERR_BAD_DATA when it is no archive or was finished. */
int evallog_finish_write(EvalLog *log, int64_t at_us, ZipWriteSink *sink, void *context,
                         Error *err) HAWK_MUST_USE;

#endif
