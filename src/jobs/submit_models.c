/* Which groups a submit is of, and whether its caller is in them. */

#include "access/access.h"
#include "access/labs.h"
#include "access/models.h"
#include "base/names.h"
#include "jobs/submit_priv.h"

/* What a submit brings together. */
typedef struct Found {
    Names groups;
    Names models;  /* of the config */
    Names sources; /* models of what a scan reads */
    Models registry;
} Found;

static int unknown_model(const Submit *submit, const char *name, Error *err)
{
    bool is_scan = submit->request->type == JOB_SCAN;
    (void)error_set(err, ERR_BAD_DATA, "%s is no model that this server knows", name);
    (void)error_fix(err, "an administrator can add it to the registry of models");
    return error_code(err, is_scan ? "job.scan_models" : "job.model_unknown");
}

/* Adds the groups of everything that a name may mean; all of it must be there to be used. */
static int add_model(const Submit *submit, const char *name, Found *found, Error *err)
{
    const Model *model = NULL;
    size_t n = 0;
    for (; (model = models_match(&found->registry, str_of(name), n)) != NULL; n++) {
        if (model->is_dead) {
            (void)error_set(err, ERR_USAGE, "%s is not served any more", name);
            return error_code(err, "job.models_dead");
        }
        if (!model->is_active)
            return unknown_model(submit, name, err);
        names_add(&found->groups, model->group);
    }
    if (n == 0)
        return unknown_model(submit, name, err);
    names_add(&found->models, str_of(name));
    return 0;
}

/* What the registry calls a model: with its package where it has one of that name, else without, as
   models of the same name are the same behind whatever package. */
static const char *known_name(const Models *registry, const JobspecItem *item)
{
    const Model *model = models_match(registry, str_of(item->qualified), 0);
    return model && str_eqz(model->name, item->qualified) ? item->qualified : item->name;
}

/* Where groups decide who may see what, those of an eval set come from its models, so there must be
   one. A scan may do without: it has the groups of what it reads too. */
static int add_models(const Submit *submit, Found *found, Error *err)
{
    JobspecItems items = jobspec_models(submit->arena, submit->spec);
    for (size_t i = 0; i < items.n; i++)
        if (!jobspec_is_no_model(items.items[i].name) &&
            add_model(submit, known_name(&found->registry, &items.items[i]), found, err) < 0)
            return -1;
    if (found->models.n == 0 && submit->request->is_human_eval)
        names_add(&found->groups, STR(ACCESS_GROUP_PUBLIC));
    else if (found->models.n == 0 && submit->request->type != JOB_SCAN) {
        (void)error_set(err, ERR_BAD_DATA, "the config declares no model");
        (void)error_fix(err, "name the models it uses under models or model_roles");
        return error_code(err, "job.no_model");
    }
    return 0;
}

/* Whoever may see the results of a scan must be allowed to see what it has read. */
static int add_sources(const Submit *submit, Found *found, Error *err)
{
    const JobsRequest *request = submit->request;
    JobspecStrings ids = jobspec_scanned_ids(submit->arena, submit->spec);
    for (size_t i = 0; i < ids.n; i++) {
        JobsSourceFacts facts = {0};
        if (request->source(request->source_context, ids.items[i], &facts, err) < 0)
            return -1;
        for (size_t k = 0; k < facts.n_groups; k++)
            names_add(&found->groups, facts.groups[k]);
        for (size_t k = 0; k < facts.n_models; k++)
            names_add(&found->sources, facts.models[k]);
    }
    return 0;
}

static int check_labs(const Submit *submit, const Found *found, Error *err)
{
    const LabsScan scan = {.sources = found->sources.items,
                           .n_sources = found->sources.n,
                           .scanners = found->models.items,
                           .n_scanners = found->models.n,
                           .is_allowed = submit->request->allows_cross_lab};
    return labs_check(submit->caller, &found->registry, &scan, err);
}

int submit_priv_check_models(Submit *submit, Error *err)
{
    Found found = {.groups.arena = submit->arena,
                   .models.arena = submit->arena,
                   .sources.arena = submit->arena};
    bool is_scan = submit->request->type == JOB_SCAN;
    bool is_shared = !submit->caller->sees_all;
    if (!is_shared)
        names_add(&found.groups, STR(ACCESS_GROUP_LOCAL));
    else if (models_load(submit->jobs->options.sql, submit->arena, &found.registry, err) < 0 ||
             add_models(submit, &found, err) < 0)
        return -1;
    if (is_scan && add_sources(submit, &found, err) < 0)
        return -1;
    submit->groups = found.groups.items;
    submit->n_groups = found.groups.n;
    const AccessResource about = {.name = "this config",
                                  .groups = submit->groups,
                                  .n_groups = submit->n_groups,
                                  .groups_known = true};
    if (access_allows(submit->caller, ACCESS_JOB_CREATE, &about, err) < 0)
        return -1;
    return is_scan && is_shared ? check_labs(submit, &found, err) : 0;
}
