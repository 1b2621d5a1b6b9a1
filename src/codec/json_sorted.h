/* A document in one form whatever the order of its keys, to be hashed: that which Python's
   json.dumps(value, sort_keys=True) writes. Numbers are written as Python reads them (1e2 is
   100.0); all but ASCII is escaped. */
#ifndef HAWK_CODEC_JSON_SORTED_H
#define HAWK_CODEC_JSON_SORTED_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

/* Ceilings: levels, and members of objects that are being written at the same time. */
enum { JSON_SORTED_DEPTH_MAX = 100, JSON_SORTED_MEMBERS_MAX = 100000 };

/* Appends the value, which must be JSON, to ret. false when it is beyond a ceiling or does not fit;
   then a part of it may have been written. */
bool json_sorted_add(Str json, Buf *ret);

#endif
