/* Every pair of a secret model that is read and a model that reads is looked at. */

#include "access/labs.h"

#include "access/access.h"

#define ACTION "scan.cross_lab"

static bool is_public(const Model *model)
{
    return str_eqz(model->group, ACCESS_GROUP_PUBLIC);
}

/* The lab of a model, or STR_NONE. A name that may mean models of several labs has none; of what is
   read, only those that are secret matter. */
static Str lab_of(const Models *models, Str name, bool only_secret)
{
    Str lab = STR_NONE;
    const Model *model = NULL;
    for (size_t i = 0; (model = models_match(models, name, i)) != NULL; i++) {
        Str own = json_text(model->config, "lab", json_text(model->config, "provider", STR_NONE));
        if (only_secret && is_public(model))
            continue;
        if (own.n == 0 || (lab.p && !str_eq_nocase(own, lab)))
            return STR_NONE;
        lab = own;
    }
    return lab;
}

/* One that nobody knows counts as secret. */
static bool is_secret(const Models *models, Str name)
{
    const Model *model = NULL;
    size_t n = 0;
    for (; (model = models_match(models, name, n)) != NULL; n++)
        if (!is_public(model))
            return true;
    return n == 0;
}

static int unknown(Str name, Error *err)
{
    (void)error_set(err, ERR_BAD_DATA, "it is not known which lab serves %.*s", STR_ARG(name));
    (void)error_fix(err, "an administrator can give it a lab in the registry of models");
    return error_code(err, "job.lab_unknown");
}

static int check_pair(const Models *models, Str source, Str scanner, Error *err)
{
    Str from = lab_of(models, source, true);
    Str to = lab_of(models, scanner, false);
    if (!from.p || !to.p)
        return unknown(from.p ? scanner : source, err);
    if (str_eq_nocase(from, to))
        return 0;
    (void)error_set(err, ERR_DENIED,
                    "%.*s, which %.*s serves, would read transcripts of %.*s, a model of %.*s that "
                    "is not public",
                    STR_ARG(scanner), STR_ARG(to), STR_ARG(source), STR_ARG(from));
    (void)error_fix(err, "if that may be: --allow-sensitive-cross-lab-scan");
    return error_code(err, "job.cross_lab");
}

static int check_all(const Models *models, const LabsScan *scan, Error *err)
{
    for (size_t i = 0; i < scan->n_sources; i++)
        for (size_t k = 0; k < scan->n_scanners && is_secret(models, scan->sources[i]); k++)
            if (check_pair(models, scan->sources[i], scan->scanners[k], err) < 0)
                return -1;
    return 0;
}

int labs_check(const Caller *caller, const Models *models, const LabsScan *scan, Error *err)
{
    auto_error Error refused = ERROR_INIT;
    if (check_all(models, scan, &refused) == 0)
        return 0;
    if (caller->audit)
        caller->audit->decided(caller->audit->context, ACTION, NULL,
                               scan->is_allowed ? NULL : refused.code);
    return scan->is_allowed ? 0 : error_move(err, &refused);
}
