/* What the reader and the writer of YAML share. */
#ifndef HAWK_CODEC_YAML_PRIV_H
#define HAWK_CODEC_YAML_PRIV_H

#include "codec/json.h"

/* Gives node the type and value that the core schema (YAML 1.2.2, section 10.3.2) sees in a plain
   scalar. A number keeps its text when that is a JSON number too. */
void yaml_resolve(Str plain, Json *node);

#endif
