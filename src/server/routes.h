/* The route tables, one per resource; routes.c lists them. */
#ifndef HAWK_SERVER_ROUTES_H
#define HAWK_SERVER_ROUTES_H

#include "server/route.h"

extern const RouteTable routes_root;
extern const RouteTable routes_auth;
extern const RouteTable routes_content;
extern const RouteTable routes_edits;
extern const RouteTable routes_humans;
extern const RouteTable routes_eval_sets;
extern const RouteTable routes_monitoring;
extern const RouteTable routes_meta;
extern const RouteTable routes_imports;
extern const RouteTable routes_jobs;
extern const RouteTable routes_transcript_search;
extern const RouteTable routes_scan_download;
extern const RouteTable routes_human_evals;
extern const RouteTable routes_code_rules;
extern const RouteTable routes_compare;
extern const RouteTable routes_export;
extern const RouteTable routes_transcript;
extern const RouteTable routes_scan_imports;
extern const RouteTable routes_scan_results;
extern const RouteTable routes_scan_view;
extern const RouteTable routes_scans;
extern const RouteTable routes_search;
extern const RouteTable routes_stacktrace;
extern const RouteTable routes_timeline;
extern const RouteTable routes_trace;
extern const RouteTable routes_usage;
extern const RouteTable routes_view;
extern const RouteTable routes_pages;

/* The names of a shape's fields, a line each, in the arena; the shape is one of the tables'. */
Str routes_shape_names(const char *shape, Arena *arena);

#endif
