/* Limits: how fast one credential may ask, how many streams one person may have open, and how many
   archives of scans are put together and sent. All are tables of fixed size in memory; a server
   that is restarted, or one beside it, counts anew. */
#ifndef HAWK_SERVER_LIMITS_H
#define HAWK_SERVER_LIMITS_H

#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

enum { LIMITS_ARCHIVES = 8, LIMITS_ARCHIVES_OF_ONE = 2 }; /* at a time; of one folder */

typedef struct LimitsOptions {
    int64_t per_second;    /* requests of a credential; 0: no limit */
    int64_t burst;         /* that may come at once after a pause; at least per_second is taken */
    int64_t streams_max;   /* of a person at a time; 0: no limit */
    size_t n_streams_room; /* of all */
} LimitsOptions;

typedef struct Limits Limits;

/* Nothing is counted yet; the caller frees. */
Limits *limits_new(const LimitsOptions *options) HAWK_MUST_USE;

/* NULL is fine. */
void limits_free(Limits *limits);

/* Counts a request of a credential at an instant of the monotonic clock. ERR_BUSY when it is one
   too many. Of more credentials than there is room for, those that ask least begin anew. */
int limits_request(Limits *limits, Str credential, int64_t now_ms, Error *err) HAWK_MUST_USE;

/* Takes a place among the streams of a person, until limits_stream_end with the same number. */
int limits_stream_begin(Limits *limits, Str person, size_t *ret, Error *err) HAWK_MUST_USE;
void limits_stream_end(Limits *limits, size_t place);

/* The same for an archive of a folder, whoever asks. */
int limits_archive_begin(Limits *limits, Str folder, size_t *ret, Error *err) HAWK_MUST_USE;
void limits_archive_end(Limits *limits, size_t place);

#endif
