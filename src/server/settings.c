/* A table of variables; each row says where its value goes and how it is read. */

#include "server/settings.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/opt.h"
#include "codec/json.h"
#include "server/announce.h"

#define PREFIX "HAWK_API_"
#define PROVIDER PREFIX "MODEL_ACCESS_TOKEN_"

enum { NAME_MAX_BYTES = 200, VALUE_MAX = 64 * 1024, BODY_MAX = 64 << 20, COUNT_MAX = 1000 * 1000 };

typedef enum SettingType {
    SETTING_TEXT,
    SETTING_URL,    /* http or https */
    SETTING_EVENTS, /* SETTING_WORDS, each a type of notices */
    SETTING_WORDS,  /* a JSON list of texts, or words separated by spaces */
    SETTING_BOOL,
    SETTING_DAYS,
    SETTING_BYTES,
    SETTING_WAITS,
    SETTING_SECONDS,
    SETTING_COUNT, /* 0: no limit; the default is for servers with an identity provider */
} SettingType;

typedef struct SettingRow {
    const char *variable;
    SettingType type;
    size_t offset;
    bool is_needed; /* with an identity provider */
    int64_t otherwise;
} SettingRow;

#define AT(field) offsetof(ServerSettings, field)

/* clang-format off */
static const SettingRow rows[] = {
    { "HAWK_API_DATABASE_URL",                      SETTING_TEXT,  AT(database_url),           false, 0 },
    { "HAWK_API_READER_DATABASE_URL",               SETTING_TEXT,  AT(reader_database_url),    false, 0 },
    { "HAWK_API_S3_BUCKET_NAME",                    SETTING_TEXT,  AT(bucket),                 false, 0 },
    { PROVIDER "ISSUER",                            SETTING_TEXT,  AT(issuer),                 true,  0 },
    { PROVIDER "AUDIENCE",                          SETTING_WORDS, AT(audiences),              true,  0 },
    { PROVIDER "CLIENT_ID",                         SETTING_TEXT,  AT(client_id),              true,  0 },
    { PROVIDER "SCOPES",                            SETTING_TEXT,  AT(scopes),                 false, 0 },
    { PROVIDER "SCOPES_SUPPORTED",                  SETTING_WORDS, AT(scopes_supported),       false, 0 },
    { PROVIDER "JWKS_URI",                          SETTING_URL,   AT(jwks_uri),               true,  0 },
    { PROVIDER "AUTHORIZATION_ENDPOINT",            SETTING_URL,   AT(authorization_endpoint), false, 0 },
    { PROVIDER "DEVICE_AUTHORIZATION_ENDPOINT",     SETTING_URL,   AT(device_endpoint),        false, 0 },
    { PROVIDER "TOKEN_ENDPOINT",                    SETTING_URL,   AT(token_endpoint),         false, 0 },
    { PROVIDER "REVOCATION_ENDPOINT",               SETTING_URL,   AT(revocation_endpoint),    false, 0 },
    { PROVIDER "EMAIL_FIELD",                       SETTING_TEXT,  AT(email_claim),            false, 0 },
    { PROVIDER "DEFAULT_PERMISSIONS",               SETTING_WORDS, AT(default_permissions),    false, 0 },
    { PROVIDER "ADMIN_CLAIM",                       SETTING_TEXT,  AT(admin_claim),            false, 0 },
    { "HAWK_API_ADMIN_PERMISSIONS",                 SETTING_WORDS, AT(admin_permissions),      false, 0 },
    { "HAWK_API_PUBLIC_MODELS_ONLY",                SETTING_BOOL,  AT(is_public_only),         false, 0 },
    { "HAWK_API_METRICS_OPEN",                      SETTING_BOOL,  AT(has_open_metrics),       false, 0 },
    { "HAWK_API_MODELS_FILE",                       SETTING_TEXT,  AT(models_file),            false, 0 },
    { "HAWK_API_PUBLIC_URL",                        SETTING_URL,   AT(public_url),             false, 0 },
    { "HAWK_API_CORS_ALLOWED_ORIGIN_REGEX",         SETTING_TEXT,  AT(cors_origins),           false, 0 },
    { "HAWK_API_COOKIE_SECURE",                     SETTING_BOOL,  AT(has_secure_cookies),     false, 1 },
    { "HAWK_API_VIEWER_URL",                        SETTING_URL,   AT(viewer_url),             false, 0 },
    { "HAWK_API_OTEL_TRACING_ENABLED",              SETTING_BOOL,  AT(has_tracing),            false, 0 },
    { "OTEL_EXPORTER_OTLP_ENDPOINT",                SETTING_URL,   AT(collector_url),          false, 0 },
    { "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",         SETTING_URL,   AT(collector_traces_url),   false, 0 },
    { "OTEL_EXPORTER_OTLP_HEADERS",                 SETTING_TEXT,  AT(collector_headers),      false, 0 },
    { "OTEL_SERVICE_NAME",                          SETTING_TEXT,  AT(service_name),           false, 0 },
    { "HAWK_API_JUMPHOST_HOST",                     SETTING_TEXT,  AT(jumphost),               false, 0 },
    { "HAWK_API_DEFAULT_HUMAN_AGENT_PACKAGE",       SETTING_TEXT,  AT(human_agent_package),    false, 0 },
    { "HAWK_API_DEFAULT_HUMAN_AGENT_NAME",          SETTING_TEXT,  AT(human_agent_name),       false, 0 },
    { "HAWK_API_DEFAULT_HUMAN_AGENT_ITEM",          SETTING_TEXT,  AT(human_agent_item),       false, 0 },
    { "HAWK_API_WEBHOOK_URL",                       SETTING_TEXT,  AT(webhook_url),            false, 0 },
    { "HAWK_API_WEBHOOK_SECRET",                    SETTING_TEXT,  AT(webhook_secret),         false, 0 },
    { "HAWK_API_WEBHOOK_FORMAT",                    SETTING_TEXT,  AT(webhook_format),         false, 0 },
    { "HAWK_API_WEBHOOK_EVENTS",                    SETTING_EVENTS, AT(webhook_types),          false, 0 },
    { "HAWK_API_MIDDLEMAN_API_URL",                 SETTING_TEXT,  AT(middleman_url),          false, 0 },
    { "HAWK_API_RELAY_URL",                         SETTING_TEXT,  AT(relay_url),              false, 0 },
    { "HAWK_API_DATADOG_EVAL_SET_DASHBOARD_URL",    SETTING_TEXT,  AT(eval_set_dashboard_url), false, 0 },
    { "HAWK_API_DATADOG_SCAN_DASHBOARD_URL",        SETTING_TEXT,  AT(scan_dashboard_url),     false, 0 },
    { "HAWK_API_JOB_TOKEN_SECONDS",                 SETTING_SECONDS, AT(job_token_seconds),    false, 3600 },
    { "HAWK_API_RUNNER_RETRY_WAITS",                SETTING_WAITS, AT(runner_retries),         false, 0 },
    { "HAWK_API_MAX_OUTSTANDING_JOBS_PER_USER",     SETTING_COUNT, AT(max_jobs_per_user),      false, 128 },
    { "HAWK_API_MAX_REQUESTS_PER_SECOND",           SETTING_COUNT, AT(max_requests_per_second), false, 100 },
    { "HAWK_API_MAX_REQUEST_BURST",                 SETTING_COUNT, AT(max_request_burst),      false, 1000 },
    { "HAWK_API_MAX_STREAMS_PER_USER",              SETTING_COUNT, AT(max_streams_per_user),   false, 64 },
    { "HAWK_API_MIN_ARCHIVE_BYTES_PER_SECOND",      SETTING_COUNT, AT(archive_pace),           false, 65536 },
    { "HAWK_API_MAX_BODY_BYTES",                    SETTING_BYTES, AT(max_body_bytes),         false, 8 << 20 },
    { "HAWK_API_REFRESH_TOKEN_LIFETIME_DAYS",       SETTING_DAYS,  AT(refresh_token_days),     false, 90 },
    { "HAWK_API_EXPECTED_LONGEST_RUN_DAYS",         SETTING_DAYS,  AT(longest_run_days),       false, 30 },
};
/* Known too: the command line's, and those of the Python hawk 3.7.2 that mean nothing here. */
static const char *const others[] = {
    PREFIX "URL",
    PREFIX "APP_NAME",
    PREFIX "EVALS_DIR",
    PREFIX "SCANS_DIR",
    PREFIX "FEATURE_FLAGS_APPLICATION",
    PREFIX "FEATURE_FLAGS_PROFILE",
    PREFIX "VALKEY_URL",
    PREFIX "KUBECONFIG",
    PREFIX "KUBECONFIG_FILE",
    PREFIX "RUNNER_NAMESPACE",
    PREFIX "RUNNER_CLUSTER_ROLE_NAME",
    PREFIX "RUNNER_COREDNS_IMAGE_URI",
    PREFIX "RUNNER_SANDBOX_RUNTIME_CLASS_NAME",
    PREFIX "RUNNER_HARDENED_RUNTIME_CLASS_NAME",
    PREFIX "RUNNER_GPU_NODE_TOLERATIONS",
    PREFIX "RUNNER_DEFAULT_IMAGE_URI",
    PREFIX "CODE_ACCESS_GIT_HOSTS",
    PREFIX "RUNNER_CPU_ARCHITECTURE",
    PREFIX "RUNNER_EVAL_TASK_ARCHITECTURE",
    PREFIX "RUNNER_MEMORY",
    PREFIX "RUNNER_MEMORY_REQUEST",
    PREFIX "RUNNER_CPU",
    PREFIX "RUNNER_CPU_REQUEST",
    PREFIX "RUNNER_MEMORY_HIGH",
    PREFIX "RUNNER_MEMORY_HIGH_FACTOR",
    PREFIX "RUNNER_NAMESPACE_PREFIX",
    PREFIX "KUEUE_MONITORING_ENABLED",
    PREFIX "KUEUE_ADMISSION_ENABLED",
    PREFIX "KUEUE_RUNNER_QUEUE_NAME",
    PREFIX "KUEUE_SANDBOX_QUEUE_NAME",
    PREFIX "SUBMISSION_GUARD_ENABLED",
    PREFIX "RUNNER_SECRET_ARN_PATTERNS",
    PREFIX "RUNNER_SECRET_DEFAULT_ARN_PREFIX",
    PREFIX "EVAL_SET_RETRY_ATTEMPTS",
    PREFIX "TASK_BRIDGE_REPOSITORY",
    PREFIX "DOCKER_IMAGE_REPO",
    PREFIX "TOKEN_BROKER_URL",
    PREFIX "RUNNER_DEFAULT_ENV_ARN",
    PREFIX "DATABASE_IDLE_SESSION_TIMEOUT_MS",
    PREFIX "DATABASE_POOL_METRICS_ENABLED",
    PREFIX "VIEWERS",
    PREFIX "ONLINE_SCANNING_ENABLED",
    PREFIX "RUNNER_STORAGE_GRANTS",
    PREFIX "SPANS_LOG_GROUP",
    PREFIX "MIDDLEMAN_TRAFFIC_LOG_GROUP",
    PREFIX "SSH_ADMIN_PRIVATE_KEY",
    PREFIX "JUMPHOST_HOST_KEY",
};
/* clang-format on */

static int bad_value(const SettingRow *row, const char *expected, Error *err)
{
    return error_set(err, ERR_USAGE, "%s: expected %s", row->variable, expected);
}

/* The words of a JSON list, joined by spaces. */
static int read_words(const SettingRow *row, Str value, Arena *arena, const char **ret, Error *err)
{
    auto_error Error ignored = ERROR_INIT;
    auto_buf Buf words = BUF_INIT(VALUE_MAX);
    Json *list = NULL;
    if (!str_starts(value, STR("["))) {
        *ret = arena_strndup(arena, value.p, value.n);
        return 0;
    }
    if (json_parse(arena, value, &json_limits_config, &list, &ignored) < 0)
        return bad_value(row, "a JSON list of texts, or words separated by spaces", err);
    for (const Json *item = list->first; item; item = item->next) {
        if (item->type != JSON_STRING || str_find(item->text, ' ') >= 0)
            return bad_value(row, "a list of texts without spaces", err);
        if (words.len > 0)
            buf_addc(&words, ' ');
        buf_add_str(&words, item->text);
    }
    *ret = arena_strndup(arena, words.data, words.len);
    return 0;
}

/* Whether it may be asked over HTTP: a scheme, and a host behind it. */
static bool is_http(Str value)
{
    static const char *const schemes[] = {"https://", "http://"};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        Str scheme = str_of(schemes[i]);
        if (str_starts(value, scheme))
            return value.n > scheme.n && !strchr("/?#:", value.p[scheme.n]) &&
                   str_find(value, ' ') < 0;
    }
    return false;
}

static int read_events(const SettingRow *row, Str value, Arena *arena, const char **ret, Error *err)
{
    const char *words = NULL;
    if (read_words(row, value, arena, &words, err) < 0)
        return -1;
    Str rest = str_of(words);
    Str word = STR_NONE;
    while (str_split(&rest, ' ', &word)) {
        if (word.n == 0 || announce_is_type(word))
            continue;
        (void)error_set(err, ERR_USAGE, "%s: there is no notice %.*s", row->variable,
                        STR_ARG(word));
        return error_fix(err, "there are " ANNOUNCE_TYPES);
    }
    *ret = words;
    return 0;
}

static int read_bool(const SettingRow *row, Str value, bool *ret, Error *err)
{
    static const char *const yes[] = {"1", "true", "yes", "on"};
    static const char *const no[] = {"0", "false", "no", "off"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (str_eq_nocase(value, str_of(yes[i])))
            *ret = true;
        else if (str_eq_nocase(value, str_of(no[i])))
            *ret = false;
        else
            continue;
        return 0;
    }
    return bad_value(row, "true or false", err);
}

static int read_number(const SettingRow *row, Str value, int64_t min, int64_t max,
                       const char *expected, char *at, Error *err)
{
    return str_to_i64(value, min, max, (int64_t *)(void *)at) < 0 ? bad_value(row, expected, err)
                                                                  : 0;
}

static int read_row(const SettingRow *row, Arena *arena, ServerSettings *ret, Error *err)
{
    char *at = (char *)ret + row->offset;
    Str value = str_trim(str_of(getenv(row->variable)));
    bool has_default = row->type == SETTING_DAYS || row->type == SETTING_BYTES ||
                       row->type == SETTING_SECONDS ||
                       (row->type == SETTING_COUNT && ret->issuer); /* which has an earlier row */
    if (has_default)
        *(int64_t *)(void *)at = row->otherwise;
    if (row->type == SETTING_WAITS)
        *(Waits *)(void *)at = (Waits){{5, 15, 45}, 3};
    if (row->type == SETTING_BOOL)
        *(bool *)(void *)at = row->otherwise != 0;
    if (!value.p || value.n == 0)
        return 0;
    /* Those may be meant for other programs. */
    if (str_starts(str_of(row->variable), STR("OTEL_")) && !ret->has_tracing)
        return 0;
    if (value.n > VALUE_MAX || !str_is_utf8(value))
        return bad_value(row, "a text of reasonable length", err);
    switch (row->type) {
    case SETTING_TEXT:
        *(const char **)(void *)at = arena_strndup(arena, value.p, value.n);
        return 0;
    case SETTING_URL:
        if (!is_http(value))
            return bad_value(row, "an address that begins with https:// or http://", err);
        *(const char **)(void *)at = arena_strndup(arena, value.p, value.n);
        return 0;
    case SETTING_EVENTS: return read_events(row, value, arena, (const char **)(void *)at, err);
    case SETTING_WORDS: return read_words(row, value, arena, (const char **)(void *)at, err);
    case SETTING_BOOL: return read_bool(row, value, (bool *)at, err);
    case SETTING_WAITS:
        return waits_of(value, (Waits *)(void *)at) < 0
                   ? bad_value(row, "seconds, as in \"5 15 45\", or \"none\"", err)
                   : 0;
    case SETTING_DAYS: return read_number(row, value, 0, 36500, "a number of days", at, err);
    case SETTING_SECONDS:
        return read_number(row, value, 3, 86400, "a number of seconds from 3 to 86400", at, err);
    case SETTING_BYTES:
        return read_number(row, value, 1024, BODY_MAX, "a number of bytes from 1024 to 67108864",
                           at, err);
    case SETTING_COUNT:
        return read_number(row, value, 0, COUNT_MAX, "a whole number; 0 for no limit", at, err);
    }
    return 0;
}

static const char *text_at(const ServerSettings *settings, const SettingRow *row)
{
    const char *const *value = (const void *)((const char *)settings + row->offset);
    return *value;
}

/* What an identity provider needs is there, and nothing of one that nobody named: such a server
   would take everybody who is on its machine for its only user. */
static int check_provider(const ServerSettings *settings, Error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const SettingRow *row = &rows[i];
        bool is_of_provider = str_starts(str_of(row->variable), STR(PROVIDER));
        if (settings->issuer && row->is_needed && !text_at(settings, row)) {
            (void)error_set(err, ERR_USAGE, "an identity provider is set, but %s is not",
                            row->variable);
            return error_fix(err, "set it, or unset " PROVIDER "ISSUER for a server of your own");
        }
        if (!settings->issuer && is_of_provider && text_at(settings, row)) {
            (void)error_set(err, ERR_USAGE, "%s is set, but " PROVIDER "ISSUER is not",
                            row->variable);
            return error_fix(err, "set the issuer, or unset both for a server of your own");
        }
    }
    return 0;
}

int server_settings_read(Arena *arena, ServerSettings *ret, Error *err)
{
    ServerSettings settings = {0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (read_row(&rows[i], arena, &settings, err) < 0)
            return -1;
    if (check_provider(&settings, err) < 0)
        return -1;
    *ret = settings;
    return 0;
}

static bool is_known(Str name)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_eqz(name, rows[i].variable))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (str_eqz(name, others[i]))
            return true;
    return false;
}

/* The part of the names behind HAWK_API_ is compared, since the rest is alike in all. */
static const char *closest(Str name)
{
    const char *names[ARRAY_LEN(rows)];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_starts(str_of(rows[i].variable), STR(PREFIX)))
            names[n++] = rows[i].variable + strlen(PREFIX);
    return opt_closest(str_slice(name, strlen(PREFIX), name.n), names, n);
}

void server_settings_warn(const ServerSettings *settings)
{
    if (settings->issuer && !settings->token_endpoint)
        log_warn("setting.missing", KV("name", PROVIDER "TOKEN_ENDPOINT"),
                 KV("what", "without it nobody can log in with `hawk login` or in a browser"));
    for (char **item = environ; *item; item++) {
        Str name = str_slice(str_of(*item), 0, strcspn(*item, "="));
        if (!str_starts(name, STR(PREFIX)) || name.n > NAME_MAX_BYTES || is_known(name))
            continue;
        const char *near = closest(name);
        auto_free char *shown = mem_strndup(name.p, name.n);
        auto_free char *meant = near ? mem_printf(PREFIX "%s", near) : mem_strdup("");
        log_warn("setting.unknown", KV("name", shown), KV("nearest", meant));
    }
}
