/* Instants (microseconds since 1970, UTC) and their text forms. */
#ifndef HAWK_BASE_CLOCK_H
#define HAWK_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/str.h"

enum { CLOCK_TEXT_MAX = 40 };
#define CLOCK_SECOND INT64_C(1000000)

/* Now, by the wall clock; and a clock that never jumps, for measuring and deadlines (milliseconds).
 */
int64_t clock_now_us(void);
int64_t clock_monotonic_ms(void);

/* The instant of that clock in so many milliseconds, for pthread_cond_timedwait with a condition
   that goes by CLOCK_MONOTONIC. */
struct timespec clock_deadline(int64_t ms);

/* RFC 3339 in UTC with microseconds when there are any: "2026-01-31T10:00:00.250000Z". Returns
 * text. */
char *clock_format(int64_t instant_us, char text[CLOCK_TEXT_MAX]);

/* As clock_format, appended to a buffer. */
void clock_add(Buf *buf, int64_t instant_us);

/* Reads RFC 3339 and the ISO 8601 forms Python writes (offset "+00:00", "Z" or none = UTC; 'T' or
   space; 0 to 9 digits of fraction). Returns -1 on anything else. */
int clock_parse(Str s, int64_t *ret_us) HAWK_MUST_USE;

#endif
