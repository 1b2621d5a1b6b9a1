/* Which groups a submit is of, and whether its caller is in them. */

#include "access/access.h"
#include "access/models.h"
#include "jobs/submit_priv.h"

typedef struct Groups {
    Arena *arena;
    Str *items; /* each once */
    size_t n;
    size_t room;
} Groups;

static void add_group(Groups *groups, Str group)
{
    for (size_t i = 0; i < groups->n; i++)
        if (str_eq(groups->items[i], group))
            return;
    if (groups->n == groups->room) {
        size_t room = groups->room ? groups->room * 2 : 8;
        Str *larger = arena_array(groups->arena, room, sizeof(*larger));
        if (groups->n > 0)
            memcpy(larger, groups->items, groups->n * sizeof(*larger));
        groups->items = larger;
        groups->room = room;
    }
    groups->items[groups->n++] = group;
}

/* Adds the groups of everything that a name may mean; all of it must be there to be used. */
static int add_model(const Models *models, const char *name, Groups *groups, Error *err)
{
    size_t n = 0;
    for (const Model *model = NULL; (model = models_match(models, str_of(name), n)) != NULL; n++) {
        if (model->is_dead) {
            (void)error_set(err, ERR_USAGE, "%s is not served any more", name);
            return error_code(err, "job.models_dead");
        }
        if (!model->is_active)
            break;
        add_group(groups, model->group);
    }
    if (n > 0 && !models_match(models, str_of(name), n))
        return 0;
    (void)error_set(err, ERR_BAD_DATA, "%s is no model that this server knows", name);
    (void)error_fix(err, "an administrator can add it to the registry of models");
    return error_code(err, "job.model_unknown");
}

/* Where groups decide who may see what, those of an eval set come from its models, so there must be
   one. A scan may do without: it has the groups of what it reads too. */
static int add_models(Submit *submit, Groups *groups, Error *err)
{
    Models models = {0};
    bool has_model = false;
    JobspecItems items = jobspec_models(submit->arena, submit->spec);
    if (models_load(submit->jobs->options.sql, submit->arena, &models, err) < 0)
        return -1;
    for (size_t i = 0; i < items.n; i++) {
        if (jobspec_is_no_model(items.items[i].name))
            continue;
        has_model = true;
        if (add_model(&models, items.items[i].name, groups, err) < 0)
            return -1;
    }
    if (!has_model && submit->request->type != JOB_SCAN) {
        (void)error_set(err, ERR_BAD_DATA, "the config declares no model");
        (void)error_fix(err, "name the models it uses under models or model_roles");
        return error_code(err, "job.no_model");
    }
    return 0;
}

/* Whoever may see the results of a scan must be allowed to see what it has read. */
static int add_sources(const Submit *submit, Groups *groups, Error *err)
{
    const JobsRequest *request = submit->request;
    JobspecStrings ids = jobspec_scanned_ids(submit->arena, submit->spec);
    for (size_t i = 0; i < ids.n; i++) {
        const Str *found = NULL;
        size_t n = 0;
        if (request->source(request->source_context, ids.items[i], &found, &n, err) < 0)
            return -1;
        for (size_t k = 0; k < n; k++)
            add_group(groups, found[k]);
    }
    return 0;
}

int submit_priv_check_models(Submit *submit, Error *err)
{
    Groups groups = {.arena = submit->arena};
    if (submit->caller->sees_all)
        add_group(&groups, STR(ACCESS_GROUP_LOCAL));
    else if (add_models(submit, &groups, err) < 0)
        return -1;
    if (submit->request->type == JOB_SCAN && add_sources(submit, &groups, err) < 0)
        return -1;
    submit->groups = groups.items;
    submit->n_groups = groups.n;
    const AccessResource about = {.name = "this config",
                                  .groups = submit->groups,
                                  .n_groups = submit->n_groups,
                                  .groups_known = true};
    return access_allows(submit->caller, ACCESS_JOB_CREATE, &about, err);
}
