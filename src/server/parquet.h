/* Parquet: makes a Parquet file of a feed (FRAME_FEED) with a small Python program of ours; see
   frames.h. */
#ifndef HAWK_SERVER_PARQUET_H
#define HAWK_SERVER_PARQUET_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/process.h"

typedef struct Parquet Parquet;

#define PARQUET_MEDIA_TYPE "application/vnd.apache.parquet"

/* Makes the virtualenv unless it is there, which may take minutes, and starts the program. The file
   goes to `out`, a descriptor that the caller keeps, or with PROCESS_PIPE to parquet_pump.
   ERR_UNSUPPORTED, with a fix, when this machine cannot have the program. */
int parquet_start(const char *cache_dir, int out, Parquet **ret, Error *err) HAWK_MUST_USE;

/* Hands over a part of the feed, waiting as long as the program takes; not with PROCESS_PIPE. */
int parquet_write(Parquet *parquet, Str bytes, Error *err) HAWK_MUST_USE;

/* Ends the feed and waits until the file is whole. */
int parquet_finish(Parquet *parquet, Error *err) HAWK_MUST_USE;

/* With PROCESS_PIPE: hands over what it can of the feed (taking it out of the buffer) and appends
   what there is of the file, up to max bytes; waits a short while when neither goes on. is_over
   says that no more of the feed will come. 1 when the file goes on, 0 when it is whole. */
int parquet_pump(Parquet *parquet, Buf *feed, bool is_over, size_t max, Buf *ret,
                 Error *err) HAWK_MUST_USE;

/* Ends the program if it still runs. */
void parquet_free(Parquet *parquet);

HAWK_DEFINE_AUTO(Parquet, parquet, parquet_free)
#define auto_parquet HAWK_CLEANUP(parquet_cleanup_)

#endif
