/* Log lines: an event name and values, as JSON or as text. Only the outer layers log above debug.
   Ids always, payloads and secrets never. */
#ifndef HAWK_BASE_LOG_H
#define HAWK_BASE_LOG_H

#include <stdbool.h>

#include "base/base.h"

typedef enum LogLevel { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR } LogLevel;

/* One value of a line; KV and KV_INT make them. */
typedef struct LogPair {
    const char *key;
    const char *text; /* NULL: the number counts */
    int64_t number;
} LogPair;

#define KV(k, v) ((LogPair){.key = (k), .text = (v) ? (v) : ""})
#define KV_INT(k, v) ((LogPair){.key = (k), .number = (v)})

/* Chooses what is written (to descriptor 2) and its form. Call before threads start. */
void log_setup(LogLevel lowest, bool as_json);

/* Writes one line; pairs may be NULL when n is 0. Thread-safe. */
void log_write(LogLevel level, const char *event, const LogPair *pairs, size_t n);

#define LOG_PAIRS_(...)                                                                            \
    ((const LogPair[]){__VA_ARGS__}), sizeof((const LogPair[]){__VA_ARGS__}) / sizeof(LogPair)
#define log_debug(event, ...) log_write(LOG_DEBUG, event, LOG_PAIRS_(__VA_ARGS__))
#define log_info(event, ...) log_write(LOG_INFO, event, LOG_PAIRS_(__VA_ARGS__))
#define log_warn(event, ...) log_write(LOG_WARN, event, LOG_PAIRS_(__VA_ARGS__))
#define log_error(event, ...) log_write(LOG_ERROR, event, LOG_PAIRS_(__VA_ARGS__))

#endif
