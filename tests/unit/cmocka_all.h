/* cmocka with the headers that it wants before it. */
#ifndef HAWK_TESTS_CMOCKA_ALL_H
#define HAWK_TESTS_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#endif
