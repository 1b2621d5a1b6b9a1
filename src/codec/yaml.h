/* YAML 1.2 (core schema) into a Json tree with line and column of every node.

   Refuses: duplicate keys, keys that are not strings, more than one document, tags other than the
   core ones, anchors whose expansion passes the limits, depth, size. */
#ifndef HAWK_CODEC_YAML_H
#define HAWK_CODEC_YAML_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "codec/json.h"

/* Reads text (UTF-8) into a tree whose strings live in the arena; file is for messages. Errors are
   ERR_BAD_DATA
   "<file>:L:C: <what was found, what was expected>" with a fix where there is one. JSON is YAML, so
   it is read too. */
int yaml_parse(Arena *arena, Str text, const char *file, const JsonLimits *limits, Json **ret,
               Error *err) HAWK_MUST_USE;

/* Writes a tree as YAML that reads back equal. */
void yaml_write(Buf *buf, const Json *node);

#endif
