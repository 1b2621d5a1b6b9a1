/* What the readers that make Json trees share. */
#ifndef HAWK_CODEC_JSON_PRIV_H
#define HAWK_CODEC_JSON_PRIV_H

#include "codec/json.h"

/* The first member of an object, in document order, whose key an earlier member has; *ret_earlier
   is that one. NULL when all keys differ. Costs n log n. */
const Json *json_find_duplicate(const Json *object, const Json **ret_earlier);

/* Keeps the last of equal keys. */
void json_drop_duplicates(Json *object);

/* Appends a node to a container; the key, if any, is the node's already. */
void json_link(Json *container, Json *node);

#endif
