/* What the files of the server share: the App and the table of route tables. */
#ifndef HAWK_SERVER_SERVER_PRIV_H
#define HAWK_SERVER_SERVER_PRIV_H

#include <pthread.h>

#include "access/identity.h"
#include "access/refresher.h"
#include "base/secret.h"
#include "edits/edits.h"
#include "events/watcher.h"
#include "http/server.h"
#include "jobs/jobs.h"
#include "notices/notices.h"
#include "server/announce.h"
#include "server/audit.h"
#include "server/imports.h"
#include "server/limits.h"
#include "server/metrics.h"
#include "server/origins.h"
#include "server/route.h"
#include "server/scans.h"
#include "server/scout.h"
#include "server/searches.h"
#include "server/server.h"
#include "server/settings.h"
#include "server/spans.h"
#include "server/viewer.h"
#include "sql/sql.h"
#include "store/store.h"
#include "warehouse/importer/import_queue.h"
#include "warehouse/importer/import_workers.h"
#include "warehouse/queries/queries.h"
#include "warehouse/search/search_index.h"

/* Everything a handler can reach. Set up before the first request, torn down after the last; its
   parts are safe to use from several threads. */
struct App {
    const ServerOptions *options;
    ServerSettings settings;
    Arena *settings_arena;
    char *data_dir;
    char *home; /* the id of that */
    char *cache_dir;
    char *spool_dir; /* where large bodies arrive, on the disk of a store in a folder */
    char *url;       /* "http://127.0.0.1:8137" */
    char *hosts;     /* names this server answers to, each as ",name," */
    int lock_fd;
    int listen_fd; /* from the service manager, or -1 */
    int64_t started_us;
    Sql *sql;
    Store *store;
    Identity *identity;
    Refresher *refresher; /* NULL: there is no identity provider, or it has no token endpoint */
    Origins *origins;
    Audit *audit; /* NULL: there is one user only */
    Metrics *metrics;
    Spans *spans; /* NULL: nobody collects them */
    Limits *limits;
    Executor *executor;
    Jobs *jobs;
    Notices *notices; /* NULL: nobody wants any */
    Announcer *announcer;
    Imports *uploads; /* that are becoming eval sets */
    Edits *edits;
    ImportQueue *imports;
    ImportWorkers *importers;
    SearchIndexer *indexer;
    Looper *scans;
    Scout *scout;
    Searches *searches;
    Watcher *watcher;
    int64_t logs_changed_ms; /* wall clock; read and written atomically */
    Viewer *viewer;
    HttpServer *http;
    int n_stacks_waiting; /* requests for stack traces; read and written atomically */
    Secret *link_key;     /* signs download links; made at each start */
};

extern const RouteTable *const server_route_tables[];
extern const size_t server_n_route_tables;

/* Where clients reach this server, and people the viewer. */
const char *server_public_url(const App *app);
const char *server_viewer_url(const App *app);

/* Whether a Host header names this server: guards a server on loopback, whose only user needs no
   login from there, against DNS rebinding. */
bool server_host_is_ours(const App *app, Str host);

/* The job that the first parameter of the path names, if the caller may read it: else ERR_USAGE,
   ERR_NOT_FOUND or ERR_DENIED. */
int server_job_of_path(RouteCtx *ctx, Job *ret, Error *err) HAWK_MUST_USE;

/* What a caller may see of the warehouse. */
QueriesAccess server_queries_access(const Caller *caller);

#endif
