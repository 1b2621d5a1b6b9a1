/* A reader of the XML that services answer with: elements, text and the five named entities. What
   such answers never have is refused: document types, CDATA, comments, text beside elements. */
#ifndef HAWK_CODEC_XML_H
#define HAWK_CODEC_XML_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

enum { XML_DEPTH_MAX = 8, XML_PATH_MAX = 256, XML_TEXT_MAX = 16 * 1024 };

/* Called at the end of every element with the names that lead to it ("Result/Item/Key") and the
   text in it, "" when it has elements; both are gone afterwards. -1 (with an error) ends it. */
typedef int XmlElement(void *context, Str path, Str text, Error *err);

/* Reads a whole document in UTF-8; ERR_BAD_DATA when it is not well-formed or over a limit, then
   some calls may have been made. Attributes are passed over. */
int xml_read(Str document, XmlElement *element, void *context, Error *err) HAWK_MUST_USE;

/* Appends text with what has a meaning in XML escaped. */
void xml_add_text(Buf *buf, Str text);

#endif
