/* Calls that have a safer replacement in base; using one does not compile. */
#ifndef HAWK_BASE_BANNED_H
#define HAWK_BASE_BANNED_H

/* System headers first: a poisoned name may not appear in them afterwards. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok atoi atol sscanf gets
#pragma GCC poison localtime gmtime ctime system popen

#endif
