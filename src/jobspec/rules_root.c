/* Rules that look at a whole config: names that must differ, levels that must agree. */

#include <stdlib.h>

#include "jobspec/check_priv.h"
#include "jobspec/schema_priv.h"

/* A name somewhere in the config: in `list`[package].items[item], there at secrets[index] when
   is_secret, or in runner.secrets or secrets when list is one of these. */
typedef struct Named {
    Str name;
    const Json *node;
    const char *list;
    const char *leaf;
    size_t package;
    size_t item;
    size_t index;
    size_t order;
    bool is_secret;
} Named;

typedef struct NamedList {
    Arena *arena;
    Named *items;
    size_t n;
    size_t cap;
} NamedList;

static void named_add(NamedList *list, Named item)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 16;
        Named *grown = arena_array(list->arena, cap, sizeof(*grown));
        for (size_t i = 0; i < list->n; i++)
            grown[i] = list->items[i];
        list->items = grown;
        list->cap = cap;
    }
    item.order = list->n;
    list->items[list->n++] = item;
}

static int compare_named(const void *a, const void *b)
{
    const Named *left = a;
    const Named *right = b;
    int order = str_cmp(left->name, right->name);
    if (order != 0)
        return order;
    return left->order < right->order ? -1 : 1;
}

enum { CHAIN_MAX = 8 };

static const CheckPath *link_key(CheckPath chain[CHAIN_MAX], size_t *n, Str key)
{
    chain[*n] = (CheckPath){.up = *n > 0 ? &chain[*n - 1] : NULL, .key = key};
    return &chain[(*n)++];
}

static const CheckPath *link_index(CheckPath chain[CHAIN_MAX], size_t *n, size_t index)
{
    chain[*n] = (CheckPath){.up = *n > 0 ? &chain[*n - 1] : NULL, .index = index};
    return &chain[(*n)++];
}

static const CheckPath *path_of(const Named *named, CheckPath chain[CHAIN_MAX])
{
    size_t n = 0;
    if (strcmp(named->list, "secrets") != 0) {
        if (strcmp(named->list, "scan") == 0) {
            (void)link_key(chain, &n, STR("scan"));
            (void)link_key(chain, &n, STR("scanners"));
        } else {
            (void)link_key(chain, &n, str_of(named->list));
        }
        if (strcmp(named->list, "runner") != 0) {
            (void)link_index(chain, &n, named->package);
            (void)link_key(chain, &n, STR("items"));
            (void)link_index(chain, &n, named->item);
        }
    }
    if (named->is_secret) {
        (void)link_key(chain, &n, STR("secrets"));
        (void)link_index(chain, &n, named->index);
    }
    return link_key(chain, &n, str_of(named->leaf));
}

static void report_repeated(Check *check, NamedList *list, const char *what, const char *fix)
{
    if (list->n < 2)
        return;
    qsort(list->items, list->n, sizeof(*list->items), compare_named);
    const Named *first = &list->items[0];
    for (size_t i = 1; i < list->n; i++) {
        const Named *named = &list->items[i];
        if (!str_eq(named->name, first->name)) {
            first = named;
            continue;
        }
        if (check->list->n == DIAGNOSTICS_MAX) {
            check_error(check, named->node, NULL, NULL, "repeated");
            continue;
        }
        CheckPath chain[CHAIN_MAX];
        const CheckPath *path = path_of(named, chain);
        if (first->node->line > 0)
            check_error(check, named->node, path, fix, "%s '%.*s' is there already, in line %d",
                        what, STR_ARG(check_clip(named->name, 80)), first->node->line);
        else
            check_error(check, named->node, path, fix, "%s '%.*s' is there already", what,
                        STR_ARG(check_clip(named->name, 80)));
    }
}

static void add_secrets(NamedList *list, const Json *owner, Named place)
{
    const Json *secrets = json_get(owner, "secrets");
    if (!secrets || secrets->type != JSON_ARRAY)
        return;
    place.is_secret = true;
    place.leaf = "name";
    place.index = 0;
    for (const Json *secret = secrets->first; secret; secret = secret->next, place.index++) {
        place.node = json_get(secret, "name");
        if (!place.node)
            continue;
        place.name = place.node->text;
        named_add(list, place);
    }
}

/* Every item of a list of packages, with what `add` makes of it. */
static void add_items(NamedList *list, const Json *packages, const char *name,
                      void (*add)(NamedList *list, const Json *item, Named place))
{
    if (!packages || packages->type != JSON_ARRAY)
        return;
    Named place = {.list = name};
    for (const Json *package = packages->first; package; package = package->next) {
        const Json *items = json_get(package, "items");
        place.item = 0;
        for (const Json *item = items ? items->first : NULL; item; item = item->next) {
            add(list, item, place);
            place.item++;
        }
        place.package++;
    }
}

static void add_scanner_key(NamedList *list, const Json *item, Named place)
{
    place.node = json_get(item, "key");
    place.leaf = "key";
    if (!place.node || place.node->type != JSON_STRING || place.node->text.n == 0) {
        place.node = json_get(item, "name");
        place.leaf = "name";
    }
    if (!place.node)
        return;
    place.name = place.node->text;
    named_add(list, place);
}

static void check_scanner_keys(Check *check, const Json *scanners, const char *name)
{
    NamedList keys = {.arena = check->arena};
    add_items(&keys, scanners, name, add_scanner_key);
    report_repeated(check, &keys, "a scanner with the key", "give each its own `key`");
}

/* A key of the other kind of config is an unknown key here, and not checked. */
static void check_secrets(Check *check, const Json *root)
{
    NamedList secrets = {.arena = check->arena};
    if (check->kind == JOBSPEC_SCAN) {
        add_items(&secrets, json_get(root, "scanners"), "scanners", add_secrets);
    } else {
        add_items(&secrets, json_get(root, "tasks"), "tasks", add_secrets);
        add_items(&secrets, json_get(json_get(root, "scan"), "scanners"), "scan", add_secrets);
        add_secrets(&secrets, root, (Named){.list = "secrets"});
    }
    add_secrets(&secrets, json_get(root, "runner"), (Named){.list = "runner"});
    report_repeated(check, &secrets, "the secret", "declare it once, under `runner.secrets`");
}

static void warn_empty(Check *check, const Json *root, const char *name)
{
    const Json *packages = json_get(root, name);
    /* What was refused is missing here. */
    if (!packages || packages->type != JSON_ARRAY || check->list->n_errors > 0)
        return;
    for (const Json *package = packages->first; package; package = package->next) {
        const Json *items = json_get(package, "items");
        if (items && items->n > 0)
            return;
    }
    CheckPath path = {.key = str_of(name)};
    check_warning(check, packages, &path, NULL, "there are none: nothing will run");
}

static bool is_strict(const Json *isolation)
{
    return str_eqz(json_text(isolation, "level", STR_NONE), "strict");
}

static void check_task_isolation(Check *check, const Json *root)
{
    if (!is_strict(json_get(root, "isolation")))
        return;
    const Json *tasks = json_get(root, "tasks");
    CheckPath list = {.key = STR("tasks")};
    CheckPath package_path = {.up = &list};
    for (const Json *package = tasks ? tasks->first : NULL; package; package = package->next) {
        const Json *items = json_get(package, "items");
        CheckPath items_path = {.up = &package_path, .key = STR("items")};
        CheckPath item_path = {.up = &items_path};
        for (const Json *item = items ? items->first : NULL; item; item = item->next) {
            const Json *isolation = json_get(item, "isolation");
            CheckPath path = {.up = &item_path, .key = STR("isolation")};
            if (isolation && isolation->type == JSON_OBJECT && !is_strict(isolation))
                check_error(check, isolation, &path,
                            "set the eval set to standard and raise the tasks that need it",
                            "the task's isolation is weaker than the eval set's");
            item_path.index++;
        }
        package_path.index++;
    }
}

void schema_rule_online_scan(Check *check, Json *object, const CheckPath *path)
{
    const Json *scanners = json_get(object, "scanners");
    CheckPath list = {.up = path, .key = STR("scanners")};
    CheckPath package_path = {.up = &list};
    for (const Json *package = scanners ? scanners->first : NULL; package;
         package = package->next) {
        const Json *items = json_get(package, "items");
        CheckPath items_path = {.up = &package_path, .key = STR("items")};
        CheckPath item_path = {.up = &items_path};
        for (const Json *item = items ? items->first : NULL; item; item = item->next) {
            const Json *filter = json_get(item, "filter");
            CheckPath leaf = {.up = &item_path, .key = STR("filter")};
            if (filter && filter->type != JSON_NULL)
                check_error(check, filter, &leaf, "write it as `scan.filter`",
                            "a scanner that runs with the samples has no filter of its own");
            item_path.index++;
        }
        package_path.index++;
    }
    check_scanner_keys(check, scanners, "scan");
}

void schema_rule_scan(Check *check, Json *object, const CheckPath *path)
{
    (void)path;
    check_scanner_keys(check, json_get(object, "scanners"), "scanners");
    check_secrets(check, object);
    warn_empty(check, object, "scanners");
}

void schema_rule_eval_set(Check *check, Json *object, const CheckPath *path)
{
    const Json *scan = json_get(object, "scan");
    if (scan && scan->type == JSON_OBJECT && !check->options.allow_online_scan) {
        CheckPath leaf = {.up = path, .key = STR("scan")};
        check_report(check, DIAGNOSTIC_ERROR, scan, true, &leaf,
                     "scanning while samples run is not switched on",
                     "remove it, and scan the finished eval set with `hawk scan run`");
    }
    check_secrets(check, object);
    check_task_isolation(check, object);
    warn_empty(check, object, "tasks");
}
