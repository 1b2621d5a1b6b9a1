/* What a server says about its identity provider, kept in a file per server. */

#include "cli/provider.h"

#include <sys/stat.h>
#include <time.h>

#include "base/fs.h"
#include "cli/settings.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "http/client.h"

enum {
    CONFIG_MAX = 1 << 20,
    FORM_MAX = 64 << 10,
    TIMEOUT_MS = 10 * 1000,
    KEPT_SECONDS = 24 * 3600,
    HOST_MAX = 50,
    HASH_CHARS = 16,
};

/* Of equal servers the same file: the host for people, a hash of the whole address for the rest. */
static const char *cache_path(Cli *cli, const char *api_url)
{
    char hash[DIGEST_HEX_MAX];
    Str rest = str_of(api_url);
    ptrdiff_t start = str_find_str(rest, STR("://"));
    Str host = start < 0 ? rest : str_slice(rest, (size_t)start + 3, rest.n);
    ptrdiff_t end = str_find(host, '/');
    host = str_slice(host, 0, end < 0 ? host.n : (size_t)end);
    host = str_slice(host, 0, HOST_MAX);
    char *name = arena_printf(cli->arena, "%.*s-%.*s", STR_ARG(host), HASH_CHARS,
                              digest_sha256_hex(str_of(api_url), hash));
    for (char *p = name; *p; p++)
        if (*p == '/' || *p == ':' || *p == '[' || *p == ']')
            *p = '_';
    return arena_printf(cli->arena, "%s/server-config-cache/%s.json", settings_folder(cli), name);
}

static bool is_recent(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && time(NULL) - st.st_mtime < KEPT_SECONDS &&
           st.st_mtime <= time(NULL);
}

static int parse(Cli *cli, Str text, Json **ret, Error *err)
{
    Json *json = NULL;
    if (json_parse(cli->arena, arena_str(cli->arena, text), &json_limits_config, &json, err) < 0)
        return -1;
    if (json->type != JSON_OBJECT)
        return error_set(err, ERR_BAD_DATA, "expected an object");
    *ret = json;
    return 0;
}

static int fetch(Cli *cli, const char *api_url, Json **ret, Error *err)
{
    auto_http_client HttpClient *client = http_client_new();
    auto_http_reply HttpReply reply;
    http_reply_init(&reply, CONFIG_MAX);
    const char *url = arena_printf(cli->arena, "%s/auth/config", api_url);
    const HttpCall call = {.method = "GET", .url = url, .timeout_ms = TIMEOUT_MS};
    if (http_client_send(client, &call, &reply, err) < 0)
        return -1;
    if (reply.status != 200)
        return error_set(err, error_kind_of_http(reply.status), "%s answers with status %d", url,
                         reply.status);
    if (parse(cli, buf_str(&reply.body), ret, err) < 0)
        return error_wrap(err, "%s", url);
    /* Keeping it is a convenience; that it fails is no reason to stop. */
    auto_error Error ignored = ERROR_INIT;
    const char *path = cache_path(cli, api_url);
    const char *folder = arena_printf(cli->arena, "%s/server-config-cache", settings_folder(cli));
    if (fs_make_dirs(folder, 0700, &ignored) == 0)
        (void)!fs_write_file(path, buf_str(&reply.body), 0600, &ignored);
    return 0;
}

static int read_config(Cli *cli, const char *api_url, bool is_fresh, Json **ret, Error *err)
{
    const char *path = cache_path(cli, api_url);
    auto_buf Buf text = BUF_INIT(CONFIG_MAX);
    auto_error Error ignored = ERROR_INIT;
    if (!is_fresh && is_recent(path) && fs_read_file(path, &text, &ignored) == 0 &&
        parse(cli, buf_str(&text), ret, &ignored) == 0)
        return 0;
    return fetch(cli, api_url, ret, err);
}

static const char *text_of(Cli *cli, const Json *config, const char *key)
{
    Str text = json_text(config, key, STR(""));
    return arena_strndup(cli->arena, text.p, text.n);
}

static bool is_supported(const Json *config, Str scope)
{
    const Json *list = json_get(config, "scopes_supported");
    if (!list || list->type != JSON_ARRAY || list->n == 0)
        return true;
    for (const Json *item = list->first; item; item = item->next)
        if (item->type == JSON_STRING && str_eq(item->text, scope))
            return true;
    return false;
}

static const char *scope_of(Cli *cli, const Json *config)
{
    auto_buf Buf scope = BUF_INIT(FORM_MAX);
    Str rest = json_text(config, "scopes", STR(""));
    Str word = STR_NONE;
    while (str_split(&rest, ' ', &word))
        if (word.n > 0 && is_supported(config, word))
            buf_printf(&scope, "%s%.*s", scope.len ? " " : "", STR_ARG(word));
    return arena_strndup(cli->arena, scope.data, scope.len);
}

int provider_find(Cli *cli, const char *api_url, bool is_fresh, Provider *ret, Error *err)
{
    Json *config = NULL;
    if (settings_check_http(cli, api_url, err) < 0)
        return -1;
    if (read_config(cli, api_url, is_fresh, &config, err) < 0)
        return error_wrap(err, "cannot ask the server how to log in");
    Provider provider = {
        .api_url = arena_strdup(cli->arena, api_url),
        .issuer = text_of(cli, config, "issuer"),
        .audience = text_of(cli, config, "audience"),
        .client_id = text_of(cli, config, "client_id"),
        .scope = scope_of(cli, config),
        .authorization_endpoint = text_of(cli, config, "authorization_endpoint"),
        .device_endpoint = text_of(cli, config, "device_authorization_endpoint"),
        .token_endpoint = text_of(cli, config, "token_endpoint"),
        .jwks_uri = text_of(cli, config, "jwks_uri"),
    };
    if (!*provider.token_endpoint && *provider.issuer) {
        (void)error_set(err, ERR_UNSUPPORTED,
                        "the server at %s does not say where its identity provider %s gives tokens",
                        api_url, provider.issuer);
        return error_fix(err, "its operator sets HAWK_API_MODEL_ACCESS_TOKEN_TOKEN_ENDPOINT; until "
                              "then set HAWK_ACCESS_TOKEN");
    }
    if (!*provider.token_endpoint) {
        (void)error_set(err, ERR_UNSUPPORTED, "the server at %s has no identity provider", api_url);
        return error_fix(err, "set HAWK_ACCESS_TOKEN to its token");
    }
    if (settings_check_http(cli, provider.token_endpoint, err) < 0)
        return error_wrap(err, "the identity provider of %s", api_url);
    *ret = provider;
    return 0;
}
