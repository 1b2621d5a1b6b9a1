/* Code rules: which group the code of a place is for, as administrators say. A rule is about a
   place in Git ("host", "host/owner", "host/owner/repository", of which the longest counts) or
   about a package by its name. They are kept for those who read them; nothing is refused by them.
 */
#ifndef HAWK_ACCESS_CODE_RULES_H
#define HAWK_ACCESS_CODE_RULES_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "sql/sql.h"

enum { CODE_RULES_MAX = 10000, CODE_RULES_PREFIX_MAX = 1000, CODE_RULES_GROUP_MAX = 52 };

typedef struct CodeRule {
    Str pk;
    Str url_prefix;
    Str group; /* STR_NONE: for everybody */
} CodeRule;

/* Brings the tables up to date. */
int code_rules_migrate(Sql *sql, Error *err) HAWK_MUST_USE;

/* Whether a prefix is spelled in the one way that is looked for, and a group is a name;
   ERR_BAD_DATA says what is wrong. */
int code_rules_check(const CodeRule *rule, Error *err) HAWK_MUST_USE;

/* All of them in the order of their prefixes, in the arena. */
int code_rules_list(Sql *sql, Arena *arena, CodeRule **ret, size_t *ret_n,
                    Error *err) HAWK_MUST_USE;

/* Adds a rule, with a group that is new if need be, and gives it a pk in the arena. ERR_CONFLICT
   when there is one for the prefix, or there are CODE_RULES_MAX. */
int code_rules_add(Sql *sql, Arena *arena, CodeRule *rule, Error *err) HAWK_MUST_USE;

/* Changes the rule with the pk, or takes one away; ERR_NOT_FOUND when there is none. ERR_CONFLICT
   as code_rules_add. */
int code_rules_update(Sql *sql, const CodeRule *rule, Error *err) HAWK_MUST_USE;
int code_rules_delete(Sql *sql, Str pk, Error *err) HAWK_MUST_USE;

#endif
