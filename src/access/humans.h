/* Humans: people who take evaluations themselves, each with the SSH key with which they log in. */
#ifndef HAWK_ACCESS_HUMANS_H
#define HAWK_ACCESS_HUMANS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "sql/sql.h"

enum { HUMANS_NAME_MAX = 63, HUMANS_KEY_MAX = 16 << 10 };

typedef struct Human {
    const char *name;
    const char *ssh_public_key;
    const char *created_by;
    int64_t created_us;
    int64_t updated_us;
} Human;

/* Brings the table up to date. */
int humans_migrate(Sql *sql, Error *err) HAWK_MUST_USE;

/* What a name and a key ("<type> <base64> [comment]") must be; ERR_BAD_DATA with the codes
   "human.bad_name" and "human.bad_key". */
int humans_check_name(Str name, Error *err) HAWK_MUST_USE;
int humans_check_key(Str key, Error *err) HAWK_MUST_USE;

/* Appends "SHA256:..." of a key, as ssh-keygen -l shows it. */
void humans_add_fingerprint(Buf *buf, Str key);

/* Calls each() for all of them in the order of their names; -1 from it ends that. */
typedef int HumansEach(void *context, const Human *human, Error *err);
int humans_list(Sql *sql, HumansEach *each, void *context, Error *err) HAWK_MUST_USE;

/* One of them, in the arena; ERR_NOT_FOUND with the code "human.not_found". */
int humans_get(Sql *sql, Arena *arena, Str name, Human *ret, Error *err) HAWK_MUST_USE;

/* Adds one; ERR_CONFLICT with "human.exists" when the name is taken. */
int humans_add(Sql *sql, const Human *human, Error *err) HAWK_MUST_USE;

/* Gives one another key and the time of that, or takes one away; one that is not there is no error.
 */
int humans_update(Sql *sql, const Human *human, Error *err) HAWK_MUST_USE;
int humans_delete(Sql *sql, Str name, Error *err) HAWK_MUST_USE;

/* Notes that somebody takes an eval set, which nobody notes twice (ERR_CONFLICT); forgets it. */
int humans_assign(Sql *sql, Str name, Str eval_set_id, Error *err) HAWK_MUST_USE;
int humans_unassign(Sql *sql, Str name, Str eval_set_id, Error *err) HAWK_MUST_USE;

/* Who takes an eval set, in the arena; NULL when nobody does. */
int humans_assigned(Sql *sql, Arena *arena, Str eval_set_id, const char **ret,
                    Error *err) HAWK_MUST_USE;

/* Whether somebody was given any eval set. */
int humans_is_busy(Sql *sql, Str name, bool *ret, Error *err) HAWK_MUST_USE;

#endif
