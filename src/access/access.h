/* access_allows: the one place that decides whether a caller may do something. Fails closed: what
   is not known is not allowed. */
#ifndef HAWK_ACCESS_ACCESS_H
#define HAWK_ACCESS_ACCESS_H

#include <stdbool.h>

#include "access/caller.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

/* A group that nobody is in: models whose group could not be found. */
#define ACCESS_GROUP_UNRESOLVED "__unresolved__"
/* What the names of all groups of the registry begin with. */
#define ACCESS_GROUP_PREFIX "model-access-"
/* The group of models that everybody may use. */
#define ACCESS_GROUP_PUBLIC ACCESS_GROUP_PREFIX "public"
/* The group of everything that a single-user installation runs. */
#define ACCESS_GROUP_LOCAL "local"

typedef enum AccessAction {
    ACCESS_JOB_CREATE,  /* submit a job with models of the given groups */
    ACCESS_JOB_LIST,    /* ask for lists; rows are then filtered one by one with ACCESS_JOB_READ */
    ACCESS_JOB_READ,    /* status, config and logs of a job */
    ACCESS_JOB_CONTROL, /* stop, delete, resume: owner or admin */
    ACCESS_LOG_READ,    /* eval logs, samples, transcripts */
    ACCESS_SAMPLE_EDIT, /* scores and invalidations: owner or admin */
    ACCESS_SAMPLE_APPEND,    /* events, which take nothing away */
    ACCESS_SERVER_STOP,      /* end the server: admin */
    ACCESS_HUMAN_ADD,        /* register somebody who takes evaluations */
    ACCESS_HUMAN_CHANGE,     /* change or remove such an entry: owner or admin */
    ACCESS_CODE_RULE_READ,   /* see which group code is for: admin */
    ACCESS_CODE_RULE_CHANGE, /* say so: admin */
    ACCESS_LOGIN_MINT,       /* make a one-time login link for oneself */
} AccessAction;

/* What the action is about; zeroed fields mean unknown. */
typedef struct AccessResource {
    const char *name;  /* for the audit, and the message: "eval set x" */
    const char *shown; /* for the message, to whoever need not know the name; NULL: the name */
    const char *owner; /* sub of the one who made it; NULL: unknown */
    const Str *groups; /* model groups, all of which are needed; none is nobody's */
    size_t n_groups;
    bool groups_known; /* false: no list of groups was found, which is not the same as an empty one
                        */
} AccessResource;

/* Whether the caller may. -1 with ERR_DENIED, a reason in words, and a code ("access.owner",
   "access.groups", "access.public_only", "access.read_only", "access.admin", "access.unknown").
   resource may be NULL for
   actions about nothing in particular. Whoever audits the caller is told. */
int access_allows(const Caller *caller, AccessAction action, const AccessResource *resource,
                  Error *err) HAWK_MUST_USE;

/* The same as a yes or no, for filtering lists; nobody is told. */
bool access_may(const Caller *caller, AccessAction action, const AccessResource *resource);

/* Whether the caller is in a model group; one who sees all is in every one. */
bool access_is_in(const Caller *caller, Str group);

/* The action's name, as routes tables and audit lines show it: "job.create". */
const char *access_action_name(AccessAction action);

#endif
