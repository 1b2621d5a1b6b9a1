/* The device flow: show a code, ask until the person has entered it. */

#include "cli/login.h"

#include <unistd.h>

#include "access/oidc.h"
#include "base/clock.h"

#define GRANT "urn:ietf:params:oauth:grant-type:device_code"

enum { INTERVAL_S = 5, INTERVAL_MAX_S = 60, EXPIRES_S = 600, SLOWER_S = 5 };

typedef struct Device {
    Str code;
    int64_t interval_s;
    int64_t deadline_ms;
} Device;

static int begin(Cli *cli, const Provider *provider, Device *ret, Error *err)
{
    Json *answer = NULL;
    int status = 0;
    const OidcField fields[] = {
        {"client_id", str_of(provider->client_id)},
        {"scope", str_of(provider->scope)},
        {"audience", str_of(provider->audience)},
    };
    if (oidc_post(cli->arena, provider->device_endpoint, fields, ARRAY_LEN(fields), &answer,
                  &status, err) < 0)
        return -1;
    Str code = json_text(answer, "device_code", STR_NONE);
    Str user_code = json_text(answer, "user_code", STR_NONE);
    Str address = json_text(answer, "verification_uri", STR_NONE);
    Str whole = json_text(answer, "verification_uri_complete", STR_NONE);
    if (status != 200 || !code.n || !user_code.n || !address.n)
        return oidc_refusal(answer, status, err);
    cli_say(cli, "Open %.*s in any browser and enter the code %.*s", STR_ARG(address),
            STR_ARG(user_code));
    if (whole.n)
        cli_say(cli, "or open %.*s", STR_ARG(whole));
    int64_t interval_s = json_int(answer, "interval", INTERVAL_S);
    int64_t expires_s = json_int(answer, "expires_in", EXPIRES_S);
    *ret = (Device){
        .code = code,
        .interval_s = interval_s >= 1 && interval_s <= INTERVAL_MAX_S ? interval_s : INTERVAL_S,
        .deadline_ms = clock_monotonic_ms() +
                       1000 * (expires_s > 0 && expires_s <= 3600 ? expires_s : EXPIRES_S),
    };
    return 0;
}

/* One question: 1 with tokens, 0 when the person is not ready. */
static int ask(Cli *cli, const Provider *provider, Device *device, Json **ret, Error *err)
{
    int status = 0;
    const OidcField fields[] = {
        {"grant_type", STR(GRANT)},
        {"device_code", device->code},
        {"client_id", str_of(provider->client_id)},
    };
    if (oidc_post(cli->arena, provider->token_endpoint, fields, ARRAY_LEN(fields), ret, &status,
                  err) < 0)
        return -1;
    if (status == 200)
        return 1;
    Str code = json_text(*ret, "error", STR_NONE);
    if (status == 429 || str_eqz(code, "slow_down")) {
        device->interval_s += SLOWER_S;
        return 0;
    }
    if (str_eqz(code, "authorization_pending"))
        return 0;
    return oidc_refusal(*ret, status, err);
}

int login_device(Cli *cli, const Provider *provider, Json **ret, Error *err)
{
    Device device = {0};
    if (!*provider->device_endpoint)
        return error_set(err, ERR_UNSUPPORTED, "the identity provider has no device flow");
    if (begin(cli, provider, &device, err) < 0)
        return -1;
    while (clock_monotonic_ms() < device.deadline_ms) {
        (void)sleep((unsigned)device.interval_s);
        int done = ask(cli, provider, &device, ret, err);
        if (done != 0)
            return done < 0 ? -1 : 0;
    }
    return error_set(err, ERR_TIMEOUT, "nobody entered the code in time");
}
