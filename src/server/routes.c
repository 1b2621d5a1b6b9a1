/* All route tables. A new resource is a file and a row here. */

#include "server/routes.h"

#include "server/server_priv.h"

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
