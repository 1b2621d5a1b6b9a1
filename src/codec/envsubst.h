/* Replaces variables in a text:

       $$               a dollar sign
       $NAME, ${NAME}   the value; left as it is when there is none
       ${NAME-text}     the text when there is no value
       ${NAME:-text}    the text when there is no value or it is empty

   The text runs to the first '}' and is put in as it stands. Anything else ("$1", "${1A}", "${A")
   is left as it is. */
#ifndef HAWK_CODEC_ENVSUBST_H
#define HAWK_CODEC_ENVSUBST_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

/* Gives the value of a variable; false when there is none. */
typedef bool EnvsubstLookup(void *context, Str name, Str *ret_value);

/* Appends text with its variables replaced; ask buf_check for too much. */
void envsubst_expand(Str text, EnvsubstLookup *lookup, void *context, Buf *ret);

#endif
