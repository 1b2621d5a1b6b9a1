/* EvalLogStamp: a log written again, as a `.eval` archive, for another eval set. */
#ifndef HAWK_EVALLOG_EVALLOG_STAMP_H
#define HAWK_EVALLOG_EVALLOG_STAMP_H

#include "base/error.h"
#include "codec/zip_write.h"
#include "evallog/evallog.h"

/* Whose the log becomes. */
typedef struct EvalLogStamp {
    Str eval_set_id;
    Str created_by;
} EvalLogStamp;

/* Writes the log to the sink with eval.eval_set_id, the members eval_set_id, created_by and
   imported of eval.metadata and of the header's own metadata set; all else stays, members byte by
   byte, and a `.json` log is taken apart into an archive. ERR_BAD_DATA when the log was never
   finished or its header cannot carry the stamp. */
int evallog_stamp_write(EvalLog *log, const EvalLogStamp *stamp, ZipWriteSink *sink, void *context,
                        Error *err) HAWK_MUST_USE;

#endif
