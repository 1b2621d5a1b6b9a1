/* Life of the server process: what is opened in which order, and closed in the other. */

#include "server/server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "access/code_rules.h"
#include "access/humans.h"
#include "access/identity_oidc.h"
#include "access/models.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/json_out.h"
#include "http/loopback.h"
#include "jobs/executor.h"
#include "server/notify.h"
#include "server/pairing.h"
#include "server/reader.h"
#include "server/row_security.h"
#include "server/server_priv.h"
#include "warehouse/importer/importer.h"
#include "warehouse/scans/scan_imports.h"
#include "warehouse/warehouse.h"

enum {
    N_WORKERS = 8,
    N_QUEUED_MAX = 1024,
    N_CONNECTIONS_MAX = 2000,
    N_SQL_CONNECTIONS = 13, /* and one for each importer: more than workers, so that nothing that
                               goes on by itself waits for requests */
    N_SQL_READY = 3,
    IDLE_TIMEOUT_MS = 75 * 1000,
    HEADER_TIMEOUT_MS = 15 * 1000,
    DRAIN_MS = 10 * 1000,
};

/* --- names and addresses --- */

static char *folder(const char *given, const char *variable, const char *xdg,
                    const char *below_home)
{
    const char *value = given ? given : getenv(variable);
    return value && *value ? mem_strdup(value) : fs_xdg(xdg, below_home);
}

char *server_data_dir(const char *given)
{
    return folder(given, "HAWK_DATA", "XDG_STATE_HOME", ".local/state");
}

char *server_cache_dir(const char *given)
{
    return folder(given, "HAWK_CACHE", "XDG_CACHE_HOME", ".cache");
}

static int check_address(const App *app, Error *err)
{
    const ServerOptions *options = app->options;
    if (app->settings.issuer || loopback_is_name(str_of(options->address)))
        return 0;
    (void)error_set(
        err, ERR_USAGE,
        "will not listen on %s: without an identity provider everybody there would be you",
        options->address);
    return error_fix(err, "listen on 127.0.0.1 and reach it through an SSH tunnel");
}

const char *server_public_url(const App *app)
{
    return app->settings.public_url ? app->settings.public_url : app->url;
}

const char *server_viewer_url(const App *app)
{
    return app->settings.viewer_url ? app->settings.viewer_url : server_public_url(app);
}

bool server_host_is_ours(const App *app, Str host)
{
    return app->settings.issuer || loopback_is_host(host);
}

/* --- what others tell --- */

static void log_changed(App *app)
{
    __atomic_store_n(&app->logs_changed_ms, clock_now_us() / 1000, __ATOMIC_RELAXED);
}

static void import_ended(void *context, const ImportClaim *claim, const ImporterReport *report,
                         const Error *problem)
{
    if (problem)
        log_warn("log.import_failed", KV("log", claim->key), KV_INT("attempt", claim->attempt),
                 KV("error", error_text(problem)));
    else if (report->outcome != IMPORTER_UNCHANGED)
        log_info("log.imported", KV("log", claim->key),
                 KV("outcome", importer_outcome_name(report->outcome)),
                 KV_INT("samples", (int64_t)report->n_samples));
    if (problem || report->outcome != IMPORTER_UNCHANGED)
        log_changed(context);
}

static void imports_troubled(void *context, const Error *problem)
{
    (void)context;
    if (problem)
        log_error("imports.stuck", KV("error", error_text(problem)));
    else
        log_write(LOG_INFO, "imports.going_on", NULL, 0);
}

static void indexing_troubled(void *context, const Error *problem)
{
    (void)context;
    if (problem)
        log_error("search.stuck", KV("error", error_text(problem)));
    else
        log_write(LOG_INFO, "search.going_on", NULL, 0);
}

static int look_at_logs(void *context, const char *const *keys, size_t n, Error *err)
{
    App *app = context;
    return import_queue_look(app->imports, keys, n, err);
}

static int scan_logs(void *context, Error *err)
{
    App *app = context;
    auto_error Error ignored = ERROR_INIT; /* there is a next time */
    if (imports_sweep(app, &ignored) < 0)
        log_warn("imports.not_swept", KV("error", error_text(&ignored)));
    return import_queue_scan(app->imports, NULL, err);
}

static void set_changed(void *context, const char *eval_set_id)
{
    (void)eval_set_id;
    log_changed(context);
}

static int scan_imports(App *app, Arena *arena, const char *job_id, JobsImports *ret, Error *err)
{
    ScanImportsState found = {0};
    if (scan_imports_of_job(app->sql, arena, job_id, &found, err) < 0)
        return -1;
    *ret = (JobsImports){
        .total = found.n_pending + found.n_success + found.n_failed,
        .importing = found.n_pending,
        .success = found.n_success,
        .failed = found.n_failed,
        .scan_error = found.error,
        .scan_id = found.scan_id,
        .scan_name = found.scan_name,
        .scan_errors = found.errors,
        .n_results = found.n_results,
    };
    return 0;
}

static int job_imports(void *context, Arena *arena, const char *job_id, JobType type,
                       JobsImports *ret, Error *err)
{
    App *app = context;
    QueriesImports found = {0};
    if (type == JOB_SCAN)
        return scan_imports(app, arena, job_id, ret, err);
    if (queries_imports(app->sql, app->store, str_of(job_id), arena, &found, err) < 0)
        return -1;
    JobsImport *logs = arena_array(arena, found.n_logs, sizeof(*logs));
    for (size_t i = 0; i < found.n_logs; i++)
        logs[i] = (JobsImport){found.logs[i].location, found.logs[i].status, found.logs[i].error};
    *ret = (JobsImports){
        .total = (int64_t)found.n_logs,
        .pending = found.n_pending,
        .importing = found.n_importing,
        .success = found.n_success,
        .failed = found.n_failed,
        .n_samples = found.n_samples,
        .logs = logs,
        .n_logs = found.n_logs,
    };
    return 0;
}

/* Before the end of a job is recorded its logs are in the queue, so that nobody sees it complete
   while they are not. */
static void job_ended(void *context, const char *job_id, JobType type)
{
    App *app = context;
    auto_error Error err = ERROR_INIT;
    int looked = type == JOB_SCAN ? scans_look(app, job_id, &err)
                                  : import_queue_scan(app->imports, job_id, &err);
    if (looked < 0)
        log_warn("job.logs_not_looked_at", KV("job", job_id), KV("error", error_text(&err)));
}

/* --- opening, in the order of need --- */

static int open_folders(App *app, Error *err)
{
    app->data_dir = server_data_dir(app->options->data_dir);
    app->cache_dir = server_cache_dir(app->options->cache_dir);
    app->spool_dir = fs_join(app->data_dir, "spool");
    if (fs_make_dirs(app->data_dir, 0700, err) < 0 || fs_make_dirs(app->cache_dir, 0700, err) < 0 ||
        fs_make_dirs(app->spool_dir, 0700, err) < 0)
        return -1;
    auto_free char *lock = fs_join(app->data_dir, "server.lock");
    app->lock_fd = fs_lock(lock, err);
    if (app->lock_fd >= 0)
        return pairing_folder_id(app->data_dir, &app->home, err);
    if (err->kind != ERR_CONFLICT)
        return -1;
    error_reset(err);
    (void)error_set(err, ERR_CONFLICT, "another server runs on %s", app->data_dir);
    (void)error_code(err, "server.running");
    return error_fix(
        err, "use that one, end it with `hawk serve --stop`, or choose another folder with --data");
}

/* The address of the database; the form that SQLAlchemy wants is taken too. */
static char *database_url(const App *app)
{
    Str given = str_of(app->settings.database_url);
    if (!given.p)
        return mem_printf("sqlite:%s/hawk.db", app->data_dir);
    Str scheme = STR("postgresql+psycopg://");
    if (str_starts(given, scheme))
        return mem_printf("postgresql://%s", given.p + scheme.n);
    return mem_strdup(given.p);
}

static void warm(void *context, Sql *one)
{
    (void)context;
    queries_warm(one);
}

static int open_store(App *app, Error *err)
{
    if (app->settings.bucket) {
        auto_free char *bucket = mem_printf("s3://%s", app->settings.bucket);
        return store_open(bucket, &app->store, err) < 0 ? error_wrap(err, "HAWK_API_S3_BUCKET_NAME")
                                                        : 0;
    }
    auto_free char *folder_url = mem_printf("file:%s/store", app->data_dir);
    auto_free char *store_dir = fs_join(app->data_dir, "store");
    if (fs_make_dirs(store_dir, 0700, err) < 0)
        return -1;
    return store_open(folder_url, &app->store, err);
}

/* Before anything is written for this server's users, or acted on. */
static int check_pairing(App *app, Error *err)
{
    const PairingOptions options = {
        .sql = app->sql,
        .store = app->store,
        .issuer = app->settings.issuer,
        .owns_database = !app->settings.database_url,
        .owns_store = !app->settings.bucket,
        .adopts = app->options->adopts_database,
        .is_single_user = app->options->is_single_user,
    };
    return pairing_check(&options, err);
}

static int open_data(App *app, Error *err)
{
    auto_free char *sql = database_url(app);
    int rc = open_store(app, err);
    if (rc == 0)
        rc = sql_open(sql, N_SQL_CONNECTIONS + (size_t)app->options->n_importers, &app->sql, err);
    mem_wipe(sql, strlen(sql)); /* it may have a password */
    if (rc < 0 && app->settings.database_url && app->store)
        return error_wrap(err, "HAWK_API_DATABASE_URL");
    if (rc < 0 || warehouse_migrate(app->sql, err) < 0 || check_pairing(app, err) < 0 ||
        models_migrate(app->sql, err) < 0 || humans_migrate(app->sql, err) < 0 ||
        code_rules_migrate(app->sql, err) < 0)
        return -1;
    const char *models = app->settings.models_file;
    if (models && models_seed(app->sql, models, err) < 0)
        return error_wrap(err, "HAWK_API_MODELS_FILE");
    const ImportQueueOptions imports = {.sql = app->sql, .store = app->store};
    return import_queue_open(&imports, &app->imports, err);
}

static int open_identity(App *app, Error *err)
{
    const ServerSettings *settings = &app->settings;
    /* Pages of localhost are strangers to a server whose only user is on the same machine. */
    if (origins_new(settings->cors_origins, settings->viewer_url, settings->issuer != NULL,
                    &app->origins, err) < 0)
        return -1;
    if (!settings->issuer)
        return identity_token_open(app->data_dir, &app->identity, err);
    const IdentityOidcOptions options = {
        .issuer = settings->issuer,
        .audiences = settings->audiences,
        .jwks_uri = settings->jwks_uri,
        .email_claim = settings->email_claim,
        .default_permissions = settings->default_permissions,
        .admin_claim = settings->admin_claim,
        .admin_permissions = settings->admin_permissions,
        .is_public_only = settings->is_public_only,
    };
    if (settings->token_endpoint)
        app->refresher = refresher_new(settings->token_endpoint, settings->client_id);
    auto_free char *audit = fs_join(app->data_dir, "audit.ndjson");
    if (audit_open(audit, &app->audit, err) < 0)
        return -1;
    return identity_oidc_open(&options, &app->identity, err);
}

static int start_imports(App *app, Error *err)
{
    const ImportWorkersOptions workers = {
        .queue = app->imports,
        .sql = app->sql,
        .store = app->store,
        .n_workers = (size_t)app->options->n_importers,
        .context = app,
        .ended = import_ended,
        .troubled = imports_troubled,
    };
    const WatcherHooks hooks = {
        .context = app, .look = look_at_logs, .scan = scan_logs, .changed = set_changed};
    const SearchIndexerOptions indexer = {.sql = app->sql, .troubled = indexing_troubled};
    if (import_workers_start(&workers, &app->importers, err) < 0 ||
        search_indexer_start(&indexer, &app->indexer, err) < 0 ||
        scans_start(app, &app->scans, err) < 0)
        return -1;
    return watcher_start(app->store, &hooks, &app->watcher, err);
}

static int open_notices(App *app, Error *err)
{
    const ServerSettings *settings = &app->settings;
    const NoticesOptions options = {
        .sql = app->sql,
        .url = settings->webhook_url,
        .secret = settings->webhook_secret,
        .format = settings->webhook_format,
        .types = settings->webhook_types,
    };
    if (!settings->webhook_url || notices_open(&options, &app->notices, err) == 0)
        return 0;
    return err->kind == ERR_USAGE ? error_wrap(err, "HAWK_API_WEBHOOK_...") : -1;
}

static int samples_edited(void *context, SqlTx *tx, const char *job_id, bool *ret, Error *err)
{
    (void)context;
    return edits_are_applied(tx, job_id, ret, err);
}

static int open_jobs(App *app, Error *err)
{
    /* Runners find the cache through their environment. */
    (void)setenv("HAWK_CACHE", app->cache_dir, 1);
    if (executor_process_open(app->data_dir, app->options->program, &app->executor, err) < 0)
        return -1;
    const JobsOptions options = {
        .sql = app->sql,
        .store = app->store,
        .executor = app->executor,
        .hooks = {.context = app,
                  .imports = job_imports,
                  .ended = job_ended,
                  .edited = samples_edited,
                  .moved = announce_job},
        .max_running = app->options->max_running,
        .home = app->home,
        .leaves_others = app->settings.database_url && !app->options->adopts_database,
        .max_per_user = (int)app->settings.max_jobs_per_user,
        .token_s = (int)app->settings.job_token_seconds,
        .retries = app->settings.runner_retries,
        .api_url = app->settings.public_url,
    };
    return jobs_open(&options, &app->jobs, err);
}

static int place_sample(void *context, Arena *arena, Str uuid, EditsPlace *ret, Error *err)
{
    App *app = context;
    const QueriesAccess all = {.sees_all = true};
    QueriesPlace place = {0};
    if (queries_place(app->sql, &all, uuid, arena, &place, err) < 0)
        return -1;
    *ret = (EditsPlace){.eval_set_id = place.eval_set_id,
                        .log_key = place.log_key,
                        .sample_id = place.id,
                        .epoch = place.epoch};
    return 0;
}

/* Before an edit is said to be done its log is in the queue. */
static void log_replaced(void *context, const char *log_key)
{
    App *app = context;
    auto_error Error err = ERROR_INIT;
    if (import_queue_look(app->imports, &log_key, 1, &err) < 0)
        log_warn("edit.log_not_looked_at", KV("log", log_key), KV("error", error_text(&err)));
}

static int open_edits(App *app, Error *err)
{
    const EditsOptions options = {
        .sql = app->sql,
        .store = app->store,
        .jobs = app->jobs,
        .hooks = {.context = app, .place = place_sample, .changed = log_replaced},
        .data_dir = app->data_dir,
        .program = app->options->program,
    };
    return edits_open(&options, &app->edits, err);
}

static int listen_at(App *app, int port, Error *err)
{
    const HttpServerOptions options = {
        .address = app->options->address,
        .port = port,
        .listen_fd = app->listen_fd,
        .n_workers = N_WORKERS,
        .n_queued_max = N_QUEUED_MAX,
        .n_connections_max = N_CONNECTIONS_MAX,
        .body_max = (size_t)app->settings.max_body_bytes,
        .idle_timeout_ms = IDLE_TIMEOUT_MS,
        .header_timeout_ms = HEADER_TIMEOUT_MS,
        .spool_dir = app->spool_dir,
        .admit = imports_admit,
        .handler = route_dispatch,
        .context = app,
    };
    return http_server_start(&options, &app->http, err);
}

/* Without a port asked for: the usual one, or any free one when somebody has that. */
static int open_http(App *app, Error *err)
{
    int port = app->options->port;
    int rc = listen_at(app, port < 0 ? SERVER_DEFAULT_PORT : port, err);
    if (rc < 0 && port < 0 && err->kind == ERR_CONFLICT) {
        error_reset(err);
        rc = listen_at(app, 0, err);
    }
    return rc;
}

/* The address is known only once the socket listens, and handlers read it; requests before that get
 * 503. */
static int publish_address(App *app, Error *err)
{
    bool is_v6 = strchr(app->options->address, ':') != NULL;
    char *url = mem_printf(is_v6 ? "http://[%s]:%d" : "http://%s:%d", app->options->address,
                           http_server_port(app->http));
    __atomic_store_n(&app->url, url, __ATOMIC_RELEASE);
    auto_buf Buf body = BUF_INIT(4096);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kv_int(&out, "pid", getpid());
    json_out_kvz(&out, "url", app->url);
    json_out_kvz(&out, "version", HAWK_VERSION);
    json_out_kv_time(&out, "started_at", app->started_us);
    json_out_end_object(&out);
    auto_free char *path = fs_join(app->data_dir, "server.json");
    return fs_write_file(path, buf_str(&body), 0600, err);
}

static int start_spans(App *app, Error *err)
{
    const ServerSettings *settings = &app->settings;
    if (!settings->has_tracing)
        return 0;
    Str base = str_of(settings->collector_url ? settings->collector_url : "http://localhost:4318");
    while (str_ends(base, STR("/")))
        base.n--;
    const char *endpoint = settings->collector_traces_url
                               ? settings->collector_traces_url
                               : arena_printf(app->settings_arena, "%.*s/v1/traces", STR_ARG(base));
    return spans_start(endpoint, settings->collector_headers,
                       settings->service_name ? settings->service_name : "hawk", &app->spans, err);
}

static int app_open(App *app, Error *err)
{
    app->settings_arena = arena_new();
    if (server_settings_read(app->settings_arena, &app->settings, err) < 0 ||
        check_address(app, err) < 0)
        return -1;
    server_settings_warn(&app->settings);
    if (open_folders(app, err) < 0 || open_data(app, err) < 0)
        return -1;
    app->link_key = secret_random(32);
    app->uploads = imports_new();
    app->metrics = metrics_new(server_route_tables, server_n_route_tables);
    app->limits = limits_new(&(LimitsOptions){
        .per_second = app->settings.max_requests_per_second,
        .burst = app->settings.max_request_burst,
        .streams_max = app->settings.max_streams_per_user,
        .n_streams_room = N_CONNECTIONS_MAX,
    });
    if (start_spans(app, err) < 0 || open_identity(app, err) < 0 || open_notices(app, err) < 0 ||
        open_jobs(app, err) < 0 || open_edits(app, err) < 0 ||
        row_security_update(app->sql, err) < 0 || reader_check(app, err) < 0 ||
        sql_keep_ready(app->sql, N_SQL_READY, warm, NULL, err) < 0)
        return -1;
    app->viewer = viewer_new(app->cache_dir, app->options->viewer_dir);
    app->scout = scout_new(app->cache_dir);
    app->searches = searches_new();
    if (open_http(app, err) < 0)
        return -1;
    if (jobs_start(app->jobs, err) < 0 || start_imports(app, err) < 0 ||
        edits_start(app->edits, err) < 0 ||
        (app->notices && announcer_start(app, &app->announcer, err) < 0))
        return -1;
    /* Only now may requests in: a job must not be submitted while those of an earlier server are
     * being taken over. */
    return publish_address(app, err);
}

static void app_close(App *app)
{
    if (app->url) {
        auto_free char *path = fs_join(app->data_dir, "server.json");
        (void)unlink(path);
    }
    http_server_stop(app->http, DRAIN_MS);
    edits_close(app->edits);
    watcher_stop(app->watcher);
    import_workers_stop(app->importers);
    looper_stop(app->scans);
    search_indexer_stop(app->indexer);
    announcer_stop(app->announcer);
    jobs_close(app->jobs); /* which calls its hooks up to here */
    notices_close(app->notices);
    executor_close(app->executor);
    import_queue_close(app->imports);
    imports_free(app->uploads);
    viewer_free(app->viewer);
    scout_free(app->scout);
    searches_free(app->searches);
    identity_close(app->identity);
    refresher_free(app->refresher);
    origins_free(app->origins);
    audit_close(app->audit);
    spans_stop(app->spans);
    metrics_free(app->metrics);
    limits_free(app->limits);
    sql_close(app->sql);
    store_close(app->store);
    fs_close_cleanup(&app->lock_fd);
    secret_free(app->link_key);
    arena_free(app->settings_arena);
    free(app->url);
    free(app->data_dir);
    free(app->home);
    free(app->cache_dir);
    free(app->spool_dir);
}

/* Blocks the signals in all threads that will be started, and takes them here. */
static void wait_for_end(const sigset_t *ends)
{
    int which = 0;
    while (sigwait(ends, &which) != 0)
        continue;
    log_info("server.stopping", KV_INT("signal", which));
}

int server_run(const ServerOptions *options, Error *err)
{
    sigset_t ends;
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &ends, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    App app = {.options = options,
               .lock_fd = -1,
               .listen_fd = notify_listen_fd(),
               .started_us = clock_now_us()};
    int rc = app_open(&app, err);
    if (rc == 0) {
        log_info("server.ready", KV("url", app.url), KV("data", app.data_dir));
        auto_free char *ready = mem_printf("READY=1\nSTATUS=%s", app.url);
        notify_send(ready);
        wait_for_end(&ends);
        notify_send("STOPPING=1");
    }
    app_close(&app);
    return rc;
}
