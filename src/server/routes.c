/* All route tables. A new resource is a file and a row here. */

#include "server/routes.h"

#include "base/buf.h"
#include "server/server_priv.h"
#include "server/shape.h"

enum { NAMES_MAX = 64 * 1024 };

const RouteTable *const server_route_tables[] = {
    &routes_root,
    &routes_auth,
    &routes_eval_sets,
    &routes_monitoring,
    &routes_meta,
    &routes_imports,
    &routes_compare,
    &routes_export,
    &routes_transcript,
    &routes_edits,
    &routes_view,
    &routes_pages,
    &routes_search,
    &routes_content,
    &routes_humans,
    &routes_usage,
    &routes_scan_imports,
    &routes_scans,
    &routes_scan_results,
    &routes_scan_view,
    &routes_trace,
    &routes_stacktrace,
    &routes_timeline,
    &routes_jobs,
    &routes_transcript_search,
    &routes_scan_download,
    &routes_human_evals,
    &routes_code_rules,
};
const size_t server_n_route_tables = ARRAY_LEN(server_route_tables);

static const char *fields_of(const char *shape)
{
    for (size_t t = 0; t < server_n_route_tables; t++)
        for (size_t i = 0; i < server_route_tables[t]->n_shapes; i++)
            if (strcmp(server_route_tables[t]->shapes[i].name, shape) == 0)
                return server_route_tables[t]->shapes[i].fields;
    return "";
}

Str routes_shape_names(const char *shape, Arena *arena)
{
    auto_buf Buf names = BUF_INIT(NAMES_MAX);
    Str rest = str_of(fields_of(shape));
    ShapeField field;
    while (shape_field(&rest, &field)) {
        buf_addz(&names, names.len ? "\n" : "");
        buf_add_str(&names, field.name);
    }
    return arena_str(arena, buf_str(&names));
}
