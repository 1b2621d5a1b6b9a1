/* Shape: what a JSON value looks like, as a line of text in a table, and the JSON Schema of it
   (draft 2020-12).

       fields = [field {";" field}] [";" "..."]        "...": and more that is not said
       field  = name ["?"] ":" shape ["=" default]     "?", or a default: may be left out
       shape  = part {"|" part}                        any of these
       part   = base ["(" [min] ".." [max] ")"] {"[]" ["(" [min] ".." [max] ")"] | "{}"} ["?"]
       base   = "str" | "int" | "num" | "bool" | "time" | "any" | "object" | "null"
              | "'" text "'" | "{" fields "}" | Name

   "[]" makes a list of it, "{}" an object with such values, "?" lets it be null. Bounds are those
   of a number, of the length of a text or of a list. 'a' | 'b' are the words that a text may be; a
   Name is that of another row. The texts are ours: a mistake in one is asserted. */
#ifndef HAWK_SERVER_SHAPE_H
#define HAWK_SERVER_SHAPE_H

#include <stdbool.h>

#include "base/str.h"
#include "codec/json_out.h"

/* A shape with a name, to which others refer. */
typedef struct Shape {
    const char *name;
    const char *fields;
} Shape;

typedef struct ShapeField {
    Str name;
    Str shape;
    Str otherwise; /* the default; STR_NONE: none is said */
    bool may_lack;
} ShapeField;

/* Takes the next field off a text; false at its end. */
bool shape_field(Str *rest, ShapeField *ret);

/* Takes the next part off a text at a separator that is not inside of braces, brackets or quotes;
   it has no space around it. False at the end, where rest->p is NULL. */
bool shape_split(Str *rest, char separator, Str *ret);

/* Writes the schema of a shape, of one field's value with its default, and of an object with the
   given fields. */
void shape_write(Str shape, JsonOut *out);
void shape_write_field(const ShapeField *field, JsonOut *out);
void shape_write_object(Str fields, JsonOut *out);

#endif
