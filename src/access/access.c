/* Decisions. Every action is a row: what it needs is data, and the code below only asks in a fixed
 * order. */

#include "access/access.h"

#include <assert.h>

typedef struct ActionRow {
    const char *name;
    const char *words; /* "may not <words> <resource>" */
    bool changes;      /* refused to read-only credentials */
    bool needs_groups; /* every model group of the resource */
    bool needs_owner;  /* to be the owner or an admin */
    bool needs_admin;
} ActionRow;

/* clang-format off */
static const ActionRow actions[] = {
    [ACCESS_JOB_CREATE]  = { "job.create",  "run models of",   true,  true,  false, false },
    [ACCESS_JOB_LIST]    = { "job.list",    "list",            false, false, false, false },
    [ACCESS_JOB_READ]    = { "job.read",    "see",             false, true,  false, false },
    [ACCESS_JOB_CONTROL] = { "job.control", "change",          true,  false, true,  false },
    [ACCESS_LOG_READ]    = { "log.read",    "read",            false, true,  false, false },
    [ACCESS_SAMPLE_EDIT]   = { "sample.edit",   "edit samples of", true, true, true,  false },
    [ACCESS_SAMPLE_APPEND] = { "sample.append", "add events to",   true, true, false, false },
    [ACCESS_SERVER_STOP] = { "server.stop", "stop the server", true,  false, false, true  },
    [ACCESS_HUMAN_ADD]    = { "human.add",    "register",  true, false, false, false },
    [ACCESS_HUMAN_CHANGE] = { "human.change", "change",    true, false, true,  false },
    [ACCESS_CODE_RULE_READ]   = { "code_rule.read",   "see the rules for code", false, false, false, true },
    [ACCESS_CODE_RULE_CHANGE] = { "code_rule.change", "change", true, false, false, true },
    [ACCESS_LOGIN_MINT]  = { "login.mint",  "make a login",    false, false, false, false },
};
/* clang-format on */

bool access_is_in(const Caller *caller, Str group)
{
    for (size_t i = 0; i < caller->n_groups; i++)
        if (str_eqz(group, caller->groups[i]))
            return true;
    return caller->sees_all;
}

static int refuse(Error *err, const char *code, const ActionRow *row, const AccessResource *about,
                  const char *why)
{
    const char *name = !about ? NULL : about->shown ? about->shown : about->name;
    (void)error_set(err, ERR_DENIED, "you may not %s%s%s: %s", row->words, name ? " " : "",
                    name ? name : "", why);
    return error_code(err, code);
}

static int check_groups(const Caller *caller, const ActionRow *row, const AccessResource *about,
                        Error *err)
{
    if (caller->sees_all)
        return 0;
    if (!about || !about->groups_known || about->n_groups == 0)
        return refuse(err, "access.unknown", row, about, "its model groups are not known");
    for (size_t i = 0; i < about->n_groups; i++) {
        if (str_eqz(about->groups[i], ACCESS_GROUP_UNRESOLVED))
            return refuse(err, "access.unknown", row, about,
                          "the group of one of its models is not known");
        if (access_is_in(caller, about->groups[i]))
            continue;
        if (caller->sees_public)
            return refuse(err, "access.public_only", row, about,
                          "this server shows models of " ACCESS_GROUP_PUBLIC " only");
        return refuse(err, "access.groups", row, about, "you are not in all its model groups");
    }
    return 0;
}

static int decide(const Caller *caller, const ActionRow *row, const AccessResource *resource,
                  Error *err)
{
    if (!caller->sub || !*caller->sub)
        return refuse(err, "access.unknown", row, resource, "it is not known who you are");
    if (row->changes && caller->is_read_only)
        return refuse(err, "access.read_only", row, resource,
                      "this credential has read-only access");
    if (row->needs_admin && !caller->is_admin)
        return refuse(err, "access.admin", row, resource, "only an administrator may");
    if (row->needs_owner && !caller->is_admin &&
        !(resource && resource->owner && strcmp(resource->owner, caller->sub) == 0))
        return refuse(err, "access.owner", row, resource,
                      "only the one who made it or an administrator may");
    return row->needs_groups ? check_groups(caller, row, resource, err) : 0;
}

int access_allows(const Caller *caller, AccessAction action, const AccessResource *resource,
                  Error *err)
{
    assert((size_t)action < ARRAY_LEN(actions));
    const ActionRow *row = &actions[action];
    int result = decide(caller, row, resource, err);
    if (caller->audit)
        caller->audit->decided(caller->audit->context, row->name, resource ? resource->name : NULL,
                               result < 0 ? err->code : NULL);
    return result;
}

bool access_may(const Caller *caller, AccessAction action, const AccessResource *resource)
{
    auto_error Error err = ERROR_INIT;
    assert((size_t)action < ARRAY_LEN(actions));
    return decide(caller, &actions[action], resource, &err) == 0;
}

const char *access_action_name(AccessAction action)
{
    assert((size_t)action < ARRAY_LEN(actions));
    return actions[action].name;
}
