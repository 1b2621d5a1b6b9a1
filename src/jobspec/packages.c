/* Package specifiers: what they name, where they point, what a job has to install. */

#include <stdlib.h>

#include "base/buf.h"
#include "jobspec/jobspec.h"

static const char *const item_lists[] = {"tasks",       "agents",  "models",
                                         "model_roles", "solvers", "scanners"};

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

Str jobspec_package_name(Arena *arena, Str spec)
{
    Str s = str_trim(spec);
    size_t n = 0;
    while (n < s.n && (is_name_char(s.p[n]) || strchr("-_.", s.p[n])))
        n++;
    Str name = str_slice(s, 0, n);
    Str rest = str_trim(str_slice(s, n, s.n));
    if (n == 0 || !is_name_char(name.p[0]) || !is_name_char(name.p[n - 1]))
        return STR_NONE;
    if (rest.n > 0 && !strchr("[(<>=!~;@,", rest.p[0]))
        return STR_NONE;
    auto_buf Buf buf = BUF_INIT(n + 1);
    for (size_t i = 0; i < n; i++) {
        char c = name.p[i];
        if (is_name_char(c))
            buf_addc(&buf, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
        else if (buf.data[buf.len - 1] != '-')
            buf_addc(&buf, '-');
    }
    return arena_str(arena, buf_str(&buf));
}

bool jobspec_is_local_package(Str spec)
{
    static const Str prefixes[] = {STR("./"), STR("../"), STR("/"), STR("~"), STR("file:")};
    Str target = str_trim(spec);
    ptrdiff_t at = str_rfind(target, '@');
    if (at >= 0)
        target = str_trim(str_slice(target, (size_t)at + 1, target.n));
    if (str_eqz(target, ".") || str_eqz(target, ".."))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (str_starts(target, prefixes[i]))
            return true;
    return false;
}

typedef struct Spec {
    Str text;
    size_t order;
} Spec;

static int compare_text(const void *a, const void *b)
{
    const Spec *left = a;
    const Spec *right = b;
    int order = str_cmp(left->text, right->text);
    return order != 0 ? order : left->order < right->order ? -1 : 1;
}

static int compare_order(const void *a, const void *b)
{
    const Spec *left = a;
    const Spec *right = b;
    return left->order < right->order ? -1 : left->order > right->order;
}

typedef struct SpecList {
    Spec *items;
    size_t n;
} SpecList;

static void add_spec(SpecList *list, Str text)
{
    list->items[list->n] = (Spec){.text = str_trim(text), .order = list->n};
    list->n++;
}

/* Sorted, each once; of equal ones the first stays. */
static void make_distinct(SpecList *list)
{
    size_t n = 0;
    if (list->n > 0)
        qsort(list->items, list->n, sizeof(*list->items), compare_text);
    for (size_t i = 0; i < list->n; i++)
        if (n == 0 || !str_eq(list->items[i].text, list->items[n - 1].text))
            list->items[n++] = list->items[i];
    list->n = n;
}

/* The specifiers of all packages that have items, then those of `packages`, with room for a few
 * more. */
static SpecList all_specs(Arena *arena, const Jobspec *spec, size_t *ret_n_items)
{
    const Json *packages = jobspec_field(spec, "packages");
    size_t n = 16 + packages->n;
    for (size_t i = 0; i < ARRAY_LEN(item_lists); i++) {
        const Json *list = jobspec_field(spec, item_lists[i]);
        n += list ? list->n : 0;
    }
    const Json *scan = jobspec_field(spec, "scan");
    const Json *scan_scanners = json_get(scan, "scanners");
    n += scan_scanners ? scan_scanners->n : 0;

    SpecList ret = {.items = arena_array(arena, n, sizeof(*ret.items))};
    for (size_t i = 0; i < ARRAY_LEN(item_lists); i++) {
        const Json *list = jobspec_field(spec, item_lists[i]);
        for (const Json *node = list ? list->first : NULL; node; node = node->next)
            add_spec(&ret, json_text(node, "package", STR_NONE));
    }
    for (const Json *node = scan_scanners ? scan_scanners->first : NULL; node; node = node->next)
        add_spec(&ret, json_text(node, "package", STR_NONE));
    const Json *scan_model = json_get(scan, "model");
    if (scan_model && scan_model->type == JSON_OBJECT)
        add_spec(&ret, json_text(scan_model, "package", STR_NONE));
    *ret_n_items = ret.n;
    for (const Json *node = packages->first; node; node = node->next)
        add_spec(&ret, node->text);
    return ret;
}

static bool names_package(Arena *arena, const Json *packages, const char *name)
{
    for (const Json *node = packages->first; node; node = node->next)
        if (str_eqz(jobspec_package_name(arena, node->text), name))
            return true;
    return false;
}

static void add_pin(Arena *arena, SpecList *list, const char *name, const char *version)
{
    if (version)
        add_spec(list, str_of(arena_printf(arena, "%s==%s", name, version)));
    else
        add_spec(list, str_of(name));
}

static JobspecStrings as_strings(Arena *arena, const SpecList *list)
{
    JobspecStrings ret = {.items = arena_array(arena, list->n + 1, sizeof(*ret.items))};
    for (size_t i = 0; i < list->n; i++)
        ret.items[ret.n++] = arena_strndup(arena, list->items[i].text.p, list->items[i].text.n);
    return ret;
}

JobspecStrings jobspec_requirements(Arena *arena, const Jobspec *spec, const JobspecPins *pins)
{
    const Json *packages = jobspec_field(spec, "packages");
    size_t n_items = 0;
    SpecList all = all_specs(arena, spec, &n_items);
    SpecList kept = {.items = arena_array(arena, all.n + 4, sizeof(*kept.items))};
    for (size_t i = 0; i < all.n; i++) {
        bool is_item = i < n_items;
        /* The worker is hawk's own, and the pin below stands for Inspect. */
        if (is_item && (str_eqz(jobspec_package_name(arena, all.items[i].text), "hawk") ||
                        str_eqz(all.items[i].text, "inspect-ai")))
            continue;
        add_spec(&kept, all.items[i].text);
    }
    if (!names_package(arena, packages, "inspect-ai"))
        add_pin(arena, &kept, "inspect-ai", pins ? pins->inspect_ai : NULL);
    if (spec->kind == JOBSPEC_SCAN && !names_package(arena, packages, "inspect-scout"))
        add_pin(arena, &kept, "inspect-scout", pins ? pins->inspect_scout : NULL);
    make_distinct(&kept);
    return as_strings(arena, &kept);
}

JobspecStrings jobspec_local_packages(Arena *arena, const Jobspec *spec)
{
    size_t n_items = 0;
    SpecList all = all_specs(arena, spec, &n_items);
    SpecList local = {.items = arena_array(arena, all.n + 1, sizeof(*local.items))};
    for (size_t i = 0; i < all.n; i++)
        if (jobspec_is_local_package(all.items[i].text))
            add_spec(&local, all.items[i].text);
    make_distinct(&local);
    if (local.n > 0)
        qsort(local.items, local.n, sizeof(*local.items), compare_order);
    return as_strings(arena, &local);
}

static bool is_credential(Str key)
{
    static const Str endings[] = {
        STR("token"),      STR("secret"), STR("password"),  STR("passwd"),      STR("signature"),
        STR("credential"), STR("apikey"), STR("accesskey"), STR("credentials"), STR("accesskeyid")};
    auto_buf Buf plain = BUF_INIT(256);
    for (size_t i = 0; i < key.n; i++)
        if (is_name_char(key.p[i]))
            buf_addc(&plain,
                     key.p[i] >= 'A' && key.p[i] <= 'Z' ? (char)(key.p[i] | 0x20) : key.p[i]);
    Str name = buf_str(&plain);
    for (size_t i = 0; i < ARRAY_LEN(endings); i++)
        if (str_ends(name, endings[i]))
            return true;
    return str_eqz(name, "sig") || str_eqz(name, "auth") || str_eqz(name, "authorization");
}

/* The query with the values of credentials replaced. */
static void add_query(Buf *buf, Str query)
{
    Str part = STR_NONE;
    bool is_first = true;
    while (str_split(&query, '&', &part)) {
        ptrdiff_t equals = str_find(part, '=');
        if (!is_first)
            buf_addc(buf, '&');
        is_first = false;
        if (equals > 0 && is_credential(str_slice(part, 0, (size_t)equals)))
            buf_printf(buf, "%.*s=REDACTED", (int)equals, part.p);
        else
            buf_add_str(buf, part);
    }
}

/* git@ is a name that everybody uses; anything else before an '@' may be a secret. */
Str jobspec_redact(Arena *arena, Str spec)
{
    auto_buf Buf buf = BUF_INIT(10 * spec.n + 64);
    Str rest = spec;
    ptrdiff_t slashes = str_find_str(rest, STR("://"));
    if (slashes >= 0) {
        size_t start = (size_t)slashes + 3;
        size_t end = start;
        while (end < rest.n && !strchr("/?# ", rest.p[end]))
            end++;
        Str authority = str_slice(rest, start, end);
        ptrdiff_t at = str_rfind(authority, '@');
        bool is_git = at == 3 && str_starts(authority, STR("git@"));
        buf_add_str(&buf, str_slice(rest, 0, start));
        buf_add_str(&buf, at >= 0 && !is_git ? str_slice(authority, (size_t)at + 1, authority.n)
                                             : authority);
        rest = str_slice(rest, end, rest.n);
    }
    ptrdiff_t mark = str_find(rest, '?');
    if (mark >= 0) {
        buf_add_str(&buf, str_slice(rest, 0, (size_t)mark + 1));
        rest = str_slice(rest, (size_t)mark + 1, rest.n);
        ptrdiff_t hash = str_find(rest, '#');
        add_query(&buf, hash >= 0 ? str_slice(rest, 0, (size_t)hash) : rest);
        rest = hash >= 0 ? str_slice(rest, (size_t)hash, rest.n) : STR_NONE;
    }
    buf_add_str(&buf, rest);
    return arena_str(arena, buf_str(&buf));
}
