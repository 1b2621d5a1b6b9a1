/* Settings of a server that is more than one person's: from the environment, with the names that
   operators of the Python hawk use. Nothing of it is needed on a laptop. */
#ifndef HAWK_SERVER_SETTINGS_H
#define HAWK_SERVER_SETTINGS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/waits.h"

/* Texts are NULL when they are not set. Lists are separated by spaces. */
typedef struct ServerSettings {
    const char *database_url;        /* NULL: SQLite in the data folder */
    const char *reader_database_url; /* of PostgreSQL, with a role for statements that users type */
    const char *bucket;              /* NULL: a folder in the data folder */
    const char *issuer;              /* NULL: no identity provider */
    const char *audiences;
    const char *client_id;
    const char *scopes;
    const char *scopes_supported;
    const char *jwks_uri;
    const char *authorization_endpoint;
    const char *device_endpoint;
    const char *token_endpoint;
    const char *revocation_endpoint;
    const char *email_claim;
    const char *default_permissions;
    const char *admin_claim;
    const char *admin_permissions;
    bool is_public_only;
    bool has_open_metrics;   /* /metrics answers other machines too */
    const char *models_file; /* put into the registry of models at every start; NULL: none */
    const char *public_url;  /* how clients reach this server; NULL: by the address it listens on */
    const char *cors_origins; /* expression for origins of pages that may speak to us; NULL: ours */
    bool has_secure_cookies;
    const char *viewer_url; /* NULL: this server's own address */
    bool has_tracing;
    const char *collector_url;        /* of OpenTelemetry; NULL: http://localhost:4318 */
    const char *collector_traces_url; /* NULL: below collector_url */
    const char *collector_headers;
    const char *service_name;        /* NULL: hawk */
    const char *jumphost;            /* that people log in through; NULL: there is none */
    const char *human_agent_package; /* that people work with; NULL: a config names one itself */
    const char *human_agent_name;
    const char *human_agent_item;
    const char *webhook_url; /* of notices; NULL: none are sent */
    const char *webhook_secret;
    const char *webhook_format; /* NULL: by the address */
    const char *webhook_types;  /* NULL: all */
    const char *middleman_url;
    const char *relay_url;
    const char *eval_set_dashboard_url;
    const char *scan_dashboard_url;
    int64_t job_token_seconds;       /* that a job's token counts after its last renewal */
    Waits runner_retries;            /* of jobs whose runner was lost */
    int64_t max_jobs_per_user;       /* that are not over; 0: no limit */
    int64_t max_requests_per_second; /* of one credential; 0: no limit */
    int64_t max_request_burst;
    int64_t max_streams_per_user; /* 0: no limit */
    int64_t archive_pace;         /* bytes a second; 0: any */
    int64_t max_body_bytes;       /* of anything but uploaded logs */
    int64_t refresh_token_days;
    int64_t longest_run_days; /* 0: not said */
} ServerSettings;

/* Reads the environment; texts live in the arena. ERR_USAGE names the variable that is wrong, or
   that is missing when an identity provider is set. */
int server_settings_read(Arena *arena, ServerSettings *ret, Error *err) HAWK_MUST_USE;

/* Logs what is no error but hardly meant: a HAWK_API_ variable that nobody knows, with the nearest
   one that there is, and a provider at which nobody can log in. */
void server_settings_warn(const ServerSettings *settings);

#endif
