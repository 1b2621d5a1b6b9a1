/* EventTable: which member of which kind of event goes to which column. */
#ifndef HAWK_WAREHOUSE_ROWS_EVENT_TABLE_H
#define HAWK_WAREHOUSE_ROWS_EVENT_TABLE_H

#include "base/str.h"
#include "warehouse/rows/rows_columns.h"

typedef enum EventTableHow {
    EVENT_AS_IT_IS,
    EVENT_MODEL,    /* two columns: as the warehouse names it, and as it is */
    EVENT_USAGE,    /* an object whose keys are models */
    EVENT_TWICE,    /* the common column as well */
    EVENT_FILLED,   /* an empty list or object is no value */
    EVENT_CALL,     /* a raw call, whose messages go to the pool */
    EVENT_INPUT,    /* messages, which go to the pool */
    EVENT_CONSTANT, /* says nothing: left out */
} EventTableHow;

typedef struct EventTableField {
    Str key;
    enum EventColumn column;
    EventTableHow how;
} EventTableField;

typedef struct EventTable {
    Str type;
    const EventTableField *fields;
    size_t n_fields;
    enum EventColumn rest; /* for members that have no column */
} EventTable;

/* The table of a kind of event; of an unknown kind one that has the common columns only. */
const EventTable *event_table_of(Str type);

/* The field of a member, or NULL. */
const EventTableField *event_table_field(const EventTable *table, Str key);

#endif
