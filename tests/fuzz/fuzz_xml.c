/* XML: any bytes end in elements within the limits or in an error; what was read can be written and
   read again. */

#include <stdint.h>

#include "codec/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int same(void *context, Str path, Str text, Error *err)
{
    (void)err;
    if (!str_eqz(path, "t") || !str_eq(text, *(const Str *)context))
        __builtin_trap();
    return 0;
}

static int see(void *context, Str path, Str text, Error *err)
{
    (void)context;
    if (path.n == 0 || path.n > XML_PATH_MAX || text.n > XML_TEXT_MAX || !str_is_utf8(text))
        __builtin_trap();
    auto_buf Buf again = BUF_INIT(XML_TEXT_MAX * 6 + 16);
    buf_addz(&again, "<t>");
    xml_add_text(&again, text);
    buf_addz(&again, "</t>");
    if (xml_read(buf_str(&again), same, &text, err) < 0)
        __builtin_trap();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 65536)
        return 0;
    auto_error Error err = ERROR_INIT;
    Str document = {(const char *)data, size};
    if (xml_read(document, see, NULL, &err) < 0 && err.kind != ERR_BAD_DATA)
        __builtin_trap();
    return 0;
}
