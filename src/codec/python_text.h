/* PythonText: values of JSON as Python writes them, for tables that must hold what Python's own
   tools put into theirs. Values are given as slices of JSON (json_scan.h), which are checked by who
   cut them; what cannot be read is left out. */
#ifndef HAWK_CODEC_PYTHON_TEXT_H
#define HAWK_CODEC_PYTHON_TEXT_H

#include "base/buf.h"
#include "base/str.h"

/* repr() of a float: "1.0", "1e-05", "1e+16", "nan", "inf". */
void python_text_real(Buf *buf, double value);

/* json.dumps(): ", " and ": " between, everything beyond ASCII escaped, NaN and Infinity. */
void python_text_dumps(Buf *buf, Str json);
void python_text_dumps_str(Buf *buf, Str text);

/* str() and repr() of the value that the JSON stands for: True, None, {'a': [1.0]}; a string as it
   is, or quoted as Python would. repr escapes what Unicode 14 calls no printable character, but for
   code points that it has not given out. */
void python_text_str(Buf *buf, Str json);
void python_text_repr(Buf *buf, Str json);
void python_text_repr_str(Buf *buf, Str text);

/* pprint.pformat() with this width, as of Python 3.11: keys sorted, broken into lines where it does
   not fit. */
void python_text_pformat(Buf *buf, Str json, size_t width);

/* str.strip(): without Unicode's white space at both ends. */
Str python_text_strip(Str text);

/* Length of the white space character at the start, or 0; str.isspace(). */
size_t python_text_space(Str text);

/* Code points of valid UTF-8: len(). */
size_t python_text_length(Str text);

#endif
