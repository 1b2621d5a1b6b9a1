/* Edit: a change of one sample of a finished log, as its sender wrote it, checked.

   The forms are those of the API: a member of "edits", {"sample_uuid", "details": {"type", ...}},
   or of "events", which has the fields of the details beside the uuid. */
#ifndef HAWK_EDITS_EDIT_H
#define HAWK_EDITS_EDIT_H

#include <stdbool.h>

#include "base/arena.h"
#include "codec/json.h"
#include "jobspec/diagnostics.h"

enum { EDIT_LIST_MAX = 1000 };

typedef enum EditKind {
    EDIT_SCORE,
    EDIT_INVALIDATE,
    EDIT_UNINVALIDATE,
    EDIT_INFO_EVENT,
    EDIT_SCORE_EVENT,
} EditKind;

typedef struct Edit {
    EditKind kind;
    Str sample_uuid;
    Str scorer;    /* of scores; else STR_NONE */
    Json *details; /* an object with "type" and every field, in the order of the table */
    int line;      /* of the document it came from */
} Edit;

typedef struct EditList {
    Edit *items;
    size_t n;
} EditList;

typedef enum EditForm { EDIT_FORM_ANY, EDIT_FORM_INFO_EVENT, EDIT_FORM_SCORE_EVENT } EditForm;

/* How a document is read. What is wrong with it goes to `problems`; what is read lives in the
   arena and points into the document. */
typedef struct EditReader {
    Arena *arena;
    Diagnostics *problems;
    const char *file; /* for the problems */
    EditForm form;
    int lines_before;  /* of the file, before the document at hand */
    bool refuses_more; /* unknown fields are problems; else they are passed over */
} EditReader;

/* "score_edit", "invalidate_sample", ... */
const char *edit_kind_name(EditKind kind);

/* Whether it changes what the sample says, as opposed to adding an event. */
bool edit_kind_rewrites(EditKind kind);

/* Reads one edit; path is where it stands, "edits[3]" or "". False when something is wrong. */
bool edit_read(const EditReader *reader, const Json *node, const char *path, Edit *ret);

/* Reads 1 to EDIT_LIST_MAX of them. False when something is wrong. */
bool edit_list_read(const EditReader *reader, const Json *array, const char *path, EditList *ret);

/* Finds two that say different things about the same: a score twice, an invalidation twice. Events
   may be added as often as one likes. False when there are none. */
bool edit_list_find_duplicate(const EditList *list, size_t *ret_first, size_t *ret_second);

#endif
