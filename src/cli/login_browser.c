/* The authorization code flow: a small server of our own waits for the browser, and standard input
   for an address that somebody pastes, because the browser may be on another machine. */

#include "cli/login.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "access/oidc.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"
#include "codec/percent.h"
#include "http/server.h"

enum {
    URL_MAX = 16 << 10,
    POLL_MS = 200,
    DRAIN_MS = 1000,
};

/* What comes back, from the browser's thread or from standard input. */
typedef struct Answer {
    pthread_mutex_t lock;
    bool is_there;
    char *query;
} Answer;

static void take_query(Answer *answer, Str query)
{
    pthread_mutex_lock(&answer->lock);
    if (!answer->is_there) {
        answer->query = mem_strndup(query.p ? query.p : "", query.n);
        answer->is_there = true;
    }
    pthread_mutex_unlock(&answer->lock);
}

static bool has_query(Answer *answer)
{
    pthread_mutex_lock(&answer->lock);
    bool is_there = answer->is_there;
    pthread_mutex_unlock(&answer->lock);
    return is_there;
}

static void answer_browser(void *context, HttpRequest *request, HttpResponse *response)
{
    if (!str_eqz(http_request_path(request), "/callback")) {
        http_response_status(response, 404);
        http_response_bytes(response, "text/plain", STR("Nothing is here.\n"));
        return;
    }
    take_query(context, http_request_query(request));
    http_response_header(response, "Referrer-Policy", STR("no-referrer"));
    http_response_bytes(response, "text/html; charset=utf-8",
                        STR("<!doctype html><title>hawk</title><p>hawk has got the answer. You can "
                            "close this page and go back to the terminal."));
}

/* NULL when the port is taken: pasting is left. */
static HttpServer *listen_for(Answer *answer)
{
    HttpServerOptions options = HTTP_SERVER_OPTIONS;
    HttpServer *server = NULL;
    auto_error Error ignored = ERROR_INIT;
    options.port = LOGIN_PORT;
    options.n_workers = 1;
    options.n_connections_max = 8;
    options.handler = answer_browser;
    options.context = answer;
    return http_server_start(&options, &server, &ignored) < 0 ? NULL : server;
}

/* A pasted line: an address with a query. */
static void read_line(Answer *answer, bool *ret_is_open)
{
    char line[URL_MAX];
    if (!fgets(line, sizeof(line), stdin)) {
        *ret_is_open = false;
        return;
    }
    Str text = str_trim(str_of(line));
    ptrdiff_t mark = str_find(text, '?');
    if (mark >= 0)
        take_query(answer, str_slice(text, (size_t)mark + 1, text.n));
    mem_wipe(line, sizeof(line));
}

static int wait_for(Answer *answer, const HttpServer *server, Error *err)
{
    int64_t deadline = clock_monotonic_ms() + LOGIN_SECONDS * 1000;
    bool is_open = true;
    while (!has_query(answer)) {
        struct pollfd input = {.fd = is_open ? STDIN_FILENO : -1, .events = POLLIN};
        if (poll(&input, 1, POLL_MS) > 0 && input.revents)
            read_line(answer, &is_open);
        if (!is_open && !server)
            return error_set(err, ERR_LOGIN, "no answer of the identity provider was given");
        if (clock_monotonic_ms() > deadline)
            return error_set(err, ERR_TIMEOUT, "nobody logged in within %d seconds", LOGIN_SECONDS);
    }
    return 0;
}

static const char *query_get(Cli *cli, Str query, const char *name)
{
    auto_buf Buf value = BUF_INIT(URL_MAX);
    auto_error Error ignored = ERROR_INIT;
    bool is_found = false;
    if (percent_query_get(query, name, &value, &is_found, &ignored) < 0 || !is_found)
        return NULL;
    return arena_strndup(cli->arena, value.data, value.len);
}

/* The code in an answer that belongs to this login. */
static int read_code(Cli *cli, const Answer *answer, const Secret *state, const char **ret,
                     Error *err)
{
    Str query = str_of(answer->query);
    const char *given = query_get(cli, query, "state");
    const char *problem = query_get(cli, query, "error");
    const char *code = query_get(cli, query, "code");
    if (!given || !secret_eq(state, str_of(given)))
        return error_set(err, ERR_LOGIN, "the answer does not belong to this login");
    if (problem)
        return error_set(err, ERR_LOGIN, "the identity provider refuses: %s", problem);
    if (!code)
        return error_set(err, ERR_LOGIN, "the answer has no code");
    *ret = code;
    return 0;
}

static int trade_code(Cli *cli, const Provider *provider, const char *code, const char *redirect,
                      const Secret *verifier, Json **ret, Error *err)
{
    int status = 0;
    const OidcField fields[] = {
        {"grant_type", STR("authorization_code")},
        {"client_id", str_of(provider->client_id)},
        {"code", str_of(code)},
        {"redirect_uri", str_of(redirect)},
        {"code_verifier", secret_reveal(verifier)},
    };
    if (oidc_post(cli->arena, provider->token_endpoint, fields, ARRAY_LEN(fields), ret, &status,
                  err) < 0)
        return -1;
    return status == 200 ? 0 : oidc_refusal(*ret, status, err);
}

static void tell(Cli *cli, const char *address, bool may_open, bool is_listening)
{
    if (may_open && is_listening && login_open_browser(address)) {
        cli_say(cli, "Log in in the browser that has opened, or open %s", address);
        return;
    }
    cli_say(cli, "Open this address in a browser and log in:\n%s", address);
    cli_say(cli, "If the browser is on another machine, paste the address that it ends at here:");
}

int login_browser(Cli *cli, const Provider *provider, bool may_open, Json **ret, Error *err)
{
    auto_secret Secret *verifier = secret_random(OIDC_VERIFIER_BYTES);
    auto_secret Secret *state = secret_random(OIDC_STATE_BYTES);
    auto_buf Buf address = BUF_INIT(URL_MAX);
    Answer answer = {.lock = PTHREAD_MUTEX_INITIALIZER};
    if (!*provider->authorization_endpoint)
        return error_set(err, ERR_UNSUPPORTED, "the identity provider has no login by browser");
    const char *redirect = arena_printf(cli->arena, "http://localhost:%d/callback", LOGIN_PORT);
    const OidcLogin login = {
        .authorization_endpoint = provider->authorization_endpoint,
        .client_id = provider->client_id,
        .redirect_uri = redirect,
        .scope = provider->scope,
        .verifier = secret_reveal(verifier),
        .state = secret_reveal(state),
    };
    oidc_add_login_address(&address, &login);
    if (buf_check(&address, "the address of the login", err) < 0)
        return -1;
    HttpServer *server = listen_for(&answer);
    tell(cli, address.data, may_open, server != NULL);
    int rc = wait_for(&answer, server, err);
    http_server_stop(server, DRAIN_MS);
    const char *code = NULL;
    if (rc == 0)
        rc = read_code(cli, &answer, state, &code, err);
    if (answer.query)
        mem_wipe(answer.query, strlen(answer.query));
    free(answer.query);
    return rc < 0 ? -1 : trade_code(cli, provider, code, redirect, verifier, ret, err);
}
