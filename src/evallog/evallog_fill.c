/* Records out of JSON objects, by tables of fields. */

#include <math.h>

#include "base/clock.h"
#include "evallog/evallog_priv.h"

static void *place(void *record, const EvalLogField *field)
{
    return (char *)record + field->offset;
}

static void clear(const EvalLogField *field, void *record)
{
    switch (field->type) {
    case EVALLOG_RAW:
    case EVALLOG_TEXT:
    case EVALLOG_NAME: *(Str *)place(record, field) = STR_NONE; break;
    case EVALLOG_INT:
    case EVALLOG_TIME: *(int64_t *)place(record, field) = EVALLOG_NONE; break;
    case EVALLOG_REAL: *(double *)place(record, field) = NAN; break;
    case EVALLOG_BOOL: *(bool *)place(record, field) = false; break;
    }
}

/* An integer, also when it was written as 5.0. */
static int64_t to_int(Str raw)
{
    int64_t value = 0;
    double real = 0;
    if (json_scan_i64(raw, &value))
        return value;
    if (json_scan_double(raw, &real) && real > -9e15 && real < 9e15 &&
        real == (double)(int64_t)real)
        return (int64_t)real;
    return EVALLOG_NONE;
}

static int64_t to_time(Str raw, Arena *arena)
{
    Str text = STR_NONE;
    int64_t instant = 0;
    if (json_scan_str(raw, arena, &text) && clock_parse(text, &instant) == 0)
        return instant;
    return EVALLOG_NONE;
}

static void store(const EvalLogField *field, Str raw, Arena *arena, void *record)
{
    clear(field, record);
    JsonScanKind kind = json_scan_kind_of(raw);
    if (kind == JSON_SCAN_NULL)
        return;
    void *to = place(record, field);
    switch (field->type) {
    case EVALLOG_RAW: *(Str *)to = raw; break;
    case EVALLOG_NAME:
        if (kind == JSON_SCAN_NUMBER) {
            *(Str *)to = raw;
            break;
        }
        __attribute__((fallthrough));
    case EVALLOG_TEXT: (void)json_scan_str(raw, arena, to); break;
    case EVALLOG_INT: *(int64_t *)to = to_int(raw); break;
    case EVALLOG_TIME: *(int64_t *)to = to_time(raw, arena); break;
    case EVALLOG_REAL: (void)json_scan_double(raw, to); break;
    case EVALLOG_BOOL: (void)json_scan_bool(raw, to); break;
    }
}

/* A first look at a key; most are none of the fields. */
static bool may_be(Str key, const char *name)
{
    return key.n > 0 && (key.p[0] == name[0] || key.p[0] == '\\');
}

int evallog_fill(Str raw, const EvalLogField *fields, size_t n, Arena *arena, void *record,
                 Error *err)
{
    for (size_t i = 0; i < n; i++)
        clear(&fields[i], record);
    if (json_scan_kind_of(raw) != JSON_SCAN_OBJECT)
        return 0;
    JsonScan scan;
    Str key;
    json_scan_init(&scan, raw, true);
    json_scan_object(&scan);
    while (json_scan_member(&scan, &key)) {
        for (size_t i = 0; i < n; i++) {
            Str value;
            if (!may_be(key, fields[i].name) || !json_scan_key_eq(key, fields[i].name))
                continue;
            if (json_scan_skip(&scan, &value))
                store(&fields[i], value, arena, record);
            break;
        }
    }
    return json_scan_end(&scan, err);
}
