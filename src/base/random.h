/* Random bytes from the kernel. */
#ifndef HAWK_BASE_RANDOM_H
#define HAWK_BASE_RANDOM_H

#include "base/base.h"

enum { RANDOM_UUID_MAX = 37 };

/* Fills n bytes; ends the process if the kernel has none, which only a broken sandbox causes. */
void random_bytes(void *data, size_t n);

/* n random characters of [a-z0-9] and a NUL into text, each equally likely. */
void random_id(char *text, size_t n);

/* A version 7 UUID (RFC 9562, section 5.7), so that keys sort by the time they were made. Returns
 * text. */
char *random_uuid7(char text[RANDOM_UUID_MAX]);

#endif
