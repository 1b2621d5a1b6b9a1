/* Caller: who is asking, as the identity provider says. Strings live in the arena of the request.
 */
#ifndef HAWK_ACCESS_CALLER_H
#define HAWK_ACCESS_CALLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who is told of the decisions about a caller: the action ("job.read"), what it was about (or NULL)
   and, when it was refused, why ("access.groups"). Called on the thread that asked; must not block.
 */
typedef struct CallerAudit {
    void (*decided)(void *context, const char *action, const char *resource, const char *refusal);
    void *context;
} CallerAudit;

typedef struct Caller {
    const char *sub;   /* never NULL once checked */
    const char *email; /* NULL when unknown */
    bool is_admin;
    bool is_read_only; /* may change nothing */
    bool sees_all;     /* is in every model group, known or not */
    bool sees_public;  /* is in one group only, since the server shows no other */
    bool by_cookie;    /* came with a cookie: changes need an allowed Origin */
    const char *const *groups;
    size_t n_groups;
    int64_t expires_us;       /* when the credential ends; 0: it does not */
    const CallerAudit *audit; /* NULL: nobody */
} Caller;

#endif
