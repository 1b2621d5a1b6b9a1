/* Live: what a running eval shares while it runs, read for the log viewer.

   Inspect keeps `.buffer/<log's name without .eval>/` beside the log: manifest.json (summaries and
   which segments hold what) and segment.N.zip (events, attachments, pools of one sample each
   `<id>_<epoch>.json`). The folder goes away when the eval ends, at any moment; what is gone is
   ERR_NOT_FOUND, which means "no longer running". */
#ifndef HAWK_EVALLOG_LIVE_H
#define HAWK_EVALLOG_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/source.h"
#include "base/str.h"

#define LIVE_MANIFEST_MAX ((size_t)256 << 20)

/* How files of the buffer folder are opened: name is "manifest.json" or "segment.3.zip". A file
   that is not there is ERR_NOT_FOUND. */
typedef struct LiveFolder {
    int (*open)(void *context, const char *name, Source **ret, Error *err);
    void *context;
} LiveFolder;

/* What the asker has seen; 0 or less is nothing. */
typedef struct LiveCursors {
    int64_t event;
    int64_t attachment;
    int64_t message_pool;
    int64_t call_pool;
} LiveCursors;

/* Which segments hold what the asker has not seen; max_segments below 0 is all of them, is_tail
   takes the last instead of the first. */
typedef struct LiveQuery {
    Str id; /* as text */
    int64_t epoch;
    LiveCursors seen;
    int64_t max_segments;
    bool is_tail;
} LiveQuery;

/* The key of the buffer folder of a log at `key`: "<dir>/.buffer/<name without .eval>". */
void live_folder_key(Str key, Buf *ret);

/* Appends {"samples", "metrics", "refresh", "etag"}; etag is that of the manifest as the caller
   knows it. */
int live_samples(const LiveFolder *folder, Str etag, Buf *ret, Error *err) HAWK_MUST_USE;

/* Appends {"events", "attachments", "message_pool", "call_pool"} of one sample, each with what
   comes after the cursors. The query's max_segments and is_tail do not count. ERR_NOT_FOUND also
   when the manifest does not know the sample. */
int live_sample_data(const LiveFolder *folder, const LiveQuery *query, Buf *ret,
                     Error *err) HAWK_MUST_USE;

/* Appends {"segments": [{"id", "member_name", "direct_url": null}], "complete", "has_more"}. */
int live_segments(const LiveFolder *folder, const LiveQuery *query, Buf *ret,
                  Error *err) HAWK_MUST_USE;

#endif
