/* Working the plan out. */

#include "jobspec/plan.h"
#include "jobspec/schema.h"

/* Fields that the plan shows in their own way. */
static const char *const shown_apart[] = {
    "tasks", "models", "solvers", "agents", "scanners", "model_roles", "packages", "secrets",
};

enum { VALUES_MAX = 1024 };

const char *plan_origin_name(PlanOrigin origin)
{
    static const char *const names[] = {
        [PLAN_DEFAULT] = "default",
        [PLAN_CONFIG] = "config",
        [PLAN_OPTION] = "option",
        [PLAN_SERVER] = "server",
    };
    return names[origin];
}

static bool is_apart(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(shown_apart); i++)
        if (strcmp(name, shown_apart[i]) == 0)
            return true;
    return false;
}

static void add_value(Plan *plan, PlanValue value)
{
    if (plan->n_values < VALUES_MAX)
        plan->values[plan->n_values++] = value;
}

/* The values of an object's fields; objects inside one are taken apart. `written` is what the
   document has in its place, or NULL. */
static void add_values(Arena *arena, Plan *plan, const Json *full, const Json *written,
                       const char *prefix)
{
    for (const Json *value = full->first; value; value = value->next) {
        const char *name = arena_printf(arena, "%s%.*s", prefix, STR_ARG(value->key));
        if (is_apart(strrchr(name, '.') ? strrchr(name, '.') + 1 : name))
            continue;
        /* `isolation: strict` stands for a whole mapping. */
        bool is_short = written && written->type != JSON_OBJECT;
        const Json *own = is_short ? written : json_get_str(written, value->key);
        bool is_section = value->type == JSON_OBJECT && value->n > 0 &&
                          schema_field(schema_of(plan->spec->kind), value->key) &&
                          schema_field(schema_of(plan->spec->kind), value->key)->object;
        bool is_trigger = strcmp(name, "checkpoint.trigger") == 0;
        if (is_section || is_trigger) {
            add_values(arena, plan, value, own, arena_printf(arena, "%s.", name));
            continue;
        }
        bool is_default_part = is_short && !str_eqz(value->key, "level");
        add_value(plan, (PlanValue){
                            .name = name,
                            .value = value,
                            .origin = own && !is_default_part ? PLAN_CONFIG : PLAN_DEFAULT,
                            .line = own ? own->line : 0,
                        });
    }
}

/* The command line wins over the document, the server only over defaults. */
static void apply_setting(Arena *arena, Plan *plan, const PlanSetting *setting)
{
    Json *value = NULL;
    auto_error Error err = ERROR_INIT;
    if (json_parse(arena, str_of(setting->json), &json_limits_config, &value, &err) < 0)
        value = json_new_str(arena, str_of(setting->json));
    PlanValue own = {
        .name = setting->name, .value = value, .origin = setting->origin, .where = setting->where};
    for (size_t i = 0; i < plan->n_values; i++) {
        if (strcmp(plan->values[i].name, setting->name) != 0)
            continue;
        bool is_free = plan->values[i].origin == PLAN_DEFAULT;
        if (setting->origin == PLAN_OPTION || is_free)
            plan->values[i] = own;
        return;
    }
    add_value(plan, own);
}

static void add_cell(Plan *plan, PlanCell cell)
{
    if (plan->n_cells == PLAN_CELLS_MAX) {
        plan->n_cells_dropped++;
        return;
    }
    plan->cells[plan->n_cells++] = cell;
}

/* What takes the place of a task's own solver: solvers first, then agents, as the runner does. */
static JobspecItems solvers_of(Arena *arena, const Jobspec *spec, size_t *ret_n_solvers)
{
    JobspecItems solvers = jobspec_items(arena, spec, "solvers");
    JobspecItems agents = jobspec_items(arena, spec, "agents");
    JobspecItems ret = {.items = arena_array(arena, solvers.n + agents.n + 1, sizeof(*ret.items))};
    for (size_t i = 0; i < solvers.n; i++)
        ret.items[ret.n++] = solvers.items[i];
    for (size_t i = 0; i < agents.n; i++)
        ret.items[ret.n++] = agents.items[i];
    *ret_n_solvers = solvers.n;
    return ret;
}

static void add_cells(Arena *arena, Plan *plan)
{
    const Jobspec *spec = plan->spec;
    bool is_scan = spec->kind == JOBSPEC_SCAN;
    size_t n_solvers = 0;
    JobspecItems tasks = jobspec_items(arena, spec, is_scan ? "scanners" : "tasks");
    JobspecItems models = jobspec_items(arena, spec, "models");
    JobspecItems solvers = solvers_of(arena, spec, &n_solvers);
    size_t room = tasks.n * (models.n ? models.n : 1);
    room = room < PLAN_CELLS_MAX ? room * (solvers.n ? solvers.n : 1) : PLAN_CELLS_MAX;
    room = room < PLAN_CELLS_MAX ? room : PLAN_CELLS_MAX;
    plan->cells = arena_array(arena, room + 1, sizeof(*plan->cells));
    for (size_t t = 0; t < tasks.n; t++) {
        const Json *ids = json_get(tasks.items[t].node, "sample_ids");
        for (size_t s = 0; s == 0 || s < solvers.n; s++) {
            for (size_t m = 0; m == 0 || m < models.n; m++)
                add_cell(plan, (PlanCell){
                                   .task = tasks.items[t].qualified,
                                   .model = models.n ? models.items[m].qualified : NULL,
                                   .solver = solvers.n ? solvers.items[s].qualified : NULL,
                                   .is_agent = solvers.n && s >= n_solvers,
                                   .n_sample_ids = ids ? ids->n : 0,
                               });
        }
    }
}

Plan *plan_make(Arena *arena, const PlanInput *input)
{
    Plan *plan = arena_alloc(arena, sizeof(*plan));
    plan->spec = input->spec;
    plan->values = arena_array(arena, VALUES_MAX, sizeof(*plan->values));
    add_values(arena, plan, input->spec->full, input->spec->written, "");
    for (size_t i = 0; i < input->n_settings; i++)
        apply_setting(arena, plan, &input->settings[i]);
    add_cells(arena, plan);
    plan->roles = jobspec_items(arena, input->spec, "model_roles");
    plan->packages = jobspec_requirements(arena, input->spec, &input->pins);
    plan->local_packages = jobspec_local_packages(arena, input->spec);
    plan->secrets = jobspec_secrets(arena, input->spec);
    if (!input->no_env)
        plan->env = jobspec_env_names(arena, input->spec);
    return plan;
}
