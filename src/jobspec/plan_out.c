/* The plan for people and for programs. Specifiers may carry credentials, so they are shown
 * without. */

#include "base/table.h"
#include "base/term.h"
#include "jobspec/plan.h"

enum { VALUE_MAX = 1 << 16, SHOWN_MAX = 60, CELLS_SHOWN_MAX = 50 };

static void add_json(Table *table, const Json *value)
{
    auto_buf Buf text = BUF_INIT(VALUE_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    json_out_node(&out, value);
    bool is_long = text.len > SHOWN_MAX;
    table_printf(table, "%.*s%s", is_long ? SHOWN_MAX : (int)text.len, text.data,
                 is_long ? "..." : "");
}

static void add_origin(Table *table, const PlanValue *value)
{
    if (value->where)
        table_addz(table, value->where);
    else if (value->origin == PLAN_CONFIG && value->line > 0)
        table_printf(table, "line %d", value->line);
    else
        table_addz(table, plan_origin_name(value->origin));
}

/* Values of variables and headers are for the job, not for the screen. */
static bool is_hidden(const PlanValue *value)
{
    bool is_private =
        strcmp(value->name, "runner.environment") == 0 || strcmp(value->name, "extra_headers") == 0;
    return is_private && value->value->n > 0;
}

static void format_values(const Plan *plan, Buf *ret)
{
    static const char *const names[] = {"Setting", "Value", "From"};
    auto_table Table *table = table_new(names, ARRAY_LEN(names));
    for (size_t i = 0; i < plan->n_values; i++) {
        const PlanValue *value = &plan->values[i];
        if (value->origin == PLAN_DEFAULT && value->value->type == JSON_NULL)
            continue;
        table_addz(table, value->name);
        if (is_hidden(value))
            table_printf(table, "(%zu not shown)", value->value->n);
        else
            add_json(table, value->value);
        add_origin(table, value);
    }
    table_write(table, ret);
}

static void format_cells(const Plan *plan, Buf *ret)
{
    bool is_scan = plan->spec->kind == JOBSPEC_SCAN;
    const char *const names[] = {is_scan ? "Scanner" : "Task", "Model", "Solver", "Samples"};
    size_t n_columns = is_scan ? 2 : ARRAY_LEN(names);
    auto_table Table *table = table_new(names, n_columns);
    for (size_t i = 0; i < plan->n_cells && i < CELLS_SHOWN_MAX; i++) {
        const PlanCell *cell = &plan->cells[i];
        table_addz(table, cell->task);
        table_addz(table, cell->model ? cell->model : is_scan ? "(scanner's own)" : "(task's own)");
        if (is_scan)
            continue;
        table_addz(table, cell->solver ? cell->solver : "(task's own)");
        if (cell->n_sample_ids > 0)
            table_printf(table, "%zu", cell->n_sample_ids);
        else
            table_addz(table, "all");
    }
    size_t n = plan->n_cells + plan->n_cells_dropped;
    const char *what = is_scan ? "scan" : "evaluation";
    buf_printf(ret, "\n%zu %s%s\n\n", n, what, n == 1 ? "" : "s");
    table_write(table, ret);
    if (n > CELLS_SHOWN_MAX)
        buf_printf(ret, "... and %zu more\n", n - CELLS_SHOWN_MAX);
}

static void format_strings(Buf *ret, const char *title, const JobspecStrings *strings)
{
    auto_arena Arena *arena = arena_new();
    if (strings->n == 0)
        return;
    buf_printf(ret, "\n%s\n", title);
    for (size_t i = 0; i < strings->n; i++) {
        buf_addz(ret, "  ");
        term_add_line(ret, jobspec_redact(arena, str_of(strings->items[i])));
        buf_addc(ret, '\n');
    }
}

static void format_names(const Plan *plan, Buf *ret)
{
    static const char *const role_names[] = {"Role", "Model"};
    static const char *const env_names[] = {"Variable", "Read by", "Kind"};
    static const char *const secret_names[] = {"Secret", "From", "For"};
    auto_table Table *roles = table_new(role_names, ARRAY_LEN(role_names));
    auto_table Table *env = table_new(env_names, ARRAY_LEN(env_names));
    auto_table Table *secrets = table_new(secret_names, ARRAY_LEN(secret_names));
    for (size_t i = 0; i < plan->roles.n; i++) {
        table_addz(roles, plan->roles.items[i].role);
        table_addz(roles, plan->roles.items[i].qualified);
    }
    for (size_t i = 0; i < plan->env.n; i++) {
        const JobspecEnvName *name = &plan->env.items[i];
        table_addz(env, name->name);
        table_addz(env, name->model);
        table_addz(env, name->is_needed ? "key" : name->is_secret ? "key, optional" : "setting");
    }
    for (size_t i = 0; i < plan->secrets.n; i++) {
        const JobspecSecret *secret = &plan->secrets.items[i];
        table_addz(secrets, secret->name);
        table_addz(secrets, secret->is_aws ? "AWS Secrets Manager" : "you");
        table_addz(secrets, secret->description ? secret->description : "");
    }
    if (table_rows(roles) > 0) {
        buf_addc(ret, '\n');
        table_write(roles, ret);
    }
    if (table_rows(env) > 0) {
        buf_addz(ret, "\nTaken from your environment and .env, where they are set\n\n");
        table_write(env, ret);
    }
    if (table_rows(secrets) > 0) {
        buf_addc(ret, '\n');
        table_write(secrets, ret);
    }
}

void plan_format(const Plan *plan, Buf *ret)
{
    format_values(plan, ret);
    format_cells(plan, ret);
    format_names(plan, ret);
    format_strings(ret, "Packages", &plan->packages);
    format_strings(ret, "Read from this machine", &plan->local_packages);
}

static void write_values(const Plan *plan, JsonOut *out)
{
    json_out_kv_array(out, "settings");
    for (size_t i = 0; i < plan->n_values; i++) {
        const PlanValue *value = &plan->values[i];
        json_out_object(out);
        json_out_kvz(out, "name", value->name);
        if (is_hidden(value)) {
            json_out_kv_array(out, "names");
            for (const Json *member = value->value->first; member; member = member->next)
                json_out_str(out, member->key);
            json_out_end_array(out);
        } else {
            json_out_kv_node(out, "value", value->value);
        }
        json_out_kvz(out, "origin", plan_origin_name(value->origin));
        if (value->line > 0)
            json_out_kv_int(out, "line", value->line);
        if (value->where)
            json_out_kvz(out, "where", value->where);
        json_out_end_object(out);
    }
    json_out_end_array(out);
}

static void write_cells(const Plan *plan, JsonOut *out)
{
    json_out_kv_array(out, "matrix");
    for (size_t i = 0; i < plan->n_cells; i++) {
        const PlanCell *cell = &plan->cells[i];
        json_out_object(out);
        json_out_kvz(out, plan->spec->kind == JOBSPEC_SCAN ? "scanner" : "task", cell->task);
        json_out_kvz(out, "model", cell->model);
        json_out_kvz(out, "solver", cell->solver);
        json_out_kv_bool(out, "is_agent", cell->is_agent);
        json_out_key(out, STR("sample_ids"));
        if (cell->n_sample_ids > 0)
            json_out_int(out, (int64_t)cell->n_sample_ids);
        else
            json_out_null(out);
        json_out_end_object(out);
    }
    json_out_end_array(out);
    json_out_kv_int(out, "n_evaluations", (int64_t)(plan->n_cells + plan->n_cells_dropped));
}

static void write_strings(JsonOut *out, const char *key, const JobspecStrings *strings)
{
    auto_arena Arena *arena = arena_new();
    json_out_kv_array(out, key);
    for (size_t i = 0; i < strings->n; i++)
        json_out_str(out, jobspec_redact(arena, str_of(strings->items[i])));
    json_out_end_array(out);
}

static void write_names(const Plan *plan, JsonOut *out)
{
    json_out_kv_object(out, "model_roles");
    for (size_t i = 0; i < plan->roles.n; i++)
        json_out_kvz(out, plan->roles.items[i].role, plan->roles.items[i].qualified);
    json_out_end_object(out);
    json_out_kv_array(out, "environment");
    for (size_t i = 0; i < plan->env.n; i++) {
        const JobspecEnvName *name = &plan->env.items[i];
        json_out_object(out);
        json_out_kvz(out, "name", name->name);
        json_out_kvz(out, "model", name->model);
        json_out_kv_bool(out, "is_secret", name->is_secret);
        json_out_kv_bool(out, "is_needed", name->is_needed);
        json_out_end_object(out);
    }
    json_out_end_array(out);
    json_out_kv_array(out, "secrets");
    for (size_t i = 0; i < plan->secrets.n; i++) {
        const JobspecSecret *secret = &plan->secrets.items[i];
        json_out_object(out);
        json_out_kvz(out, "name", secret->name);
        json_out_kvz(out, "type", secret->is_aws ? "aws-secrets-manager" : "env");
        json_out_kvz(out, "description", secret->description);
        json_out_end_object(out);
    }
    json_out_end_array(out);
}

void plan_write(const Plan *plan, JsonOut *out)
{
    Str name = jobspec_name(plan->spec);
    json_out_object(out);
    json_out_kvz(out, "kind", jobspec_kind_name(plan->spec->kind));
    json_out_kvz(out, "file", plan->spec->file);
    json_out_kv_str(out, "name", name);
    write_values(plan, out);
    write_cells(plan, out);
    write_names(plan, out);
    write_strings(out, "packages", &plan->packages);
    write_strings(out, "local_packages", &plan->local_packages);
    json_out_end_object(out);
}
