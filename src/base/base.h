/* Words that every file may use: attributes, ownership helpers, array length. */
#ifndef HAWK_BASE_BASE_H
#define HAWK_BASE_BASE_H

#include <stddef.h>
#include <stdint.h>

#include "base/banned.h"

#define HAWK_CLEANUP(fn) __attribute__((cleanup(fn)))
#define HAWK_MUST_USE __attribute__((warn_unused_result))
#define HAWK_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define HAWK_UNUSED __attribute__((unused))
#define HAWK_NORETURN __attribute__((noreturn))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Moves a pointer or descriptor out of its owner: TAKE leaves NULL, TAKE_FD leaves -1. */
#define TAKE(p)                                                                                    \
    ({                                                                                             \
        __typeof__(p) taken_ = (p);                                                                \
        (p) = NULL;                                                                                \
        taken_;                                                                                    \
    })
#define TAKE_FD(fd)                                                                                \
    ({                                                                                             \
        int taken_ = (fd);                                                                         \
        (fd) = -1;                                                                                 \
        taken_;                                                                                    \
    })

/* Defines the cleanup function behind an `auto_x` word for a pointer type and its destroyer. */
#define HAWK_DEFINE_AUTO(type, name, destroy)                                                      \
    HAWK_UNUSED static inline void name##_cleanup_(type **p)                                       \
    {                                                                                              \
        destroy(*p);                                                                               \
    }

#endif
