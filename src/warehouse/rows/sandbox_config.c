/* Sandbox configs are small: they are read whole. */

#include "warehouse/rows/sandbox_config.h"

#include "base/buf.h"
#include "codec/json.h"
#include "codec/json_out.h"
#include "codec/json_scan.h"

static const char *const secret_keys[] = {"environment", "env_file"};

static void drop_nulls(Json *node)
{
    Json **at = &node->first;
    node->last = NULL;
    while (*at) {
        if (json_is_null(*at)) {
            *at = (*at)->next;
            node->n--;
            continue;
        }
        drop_nulls(*at);
        node->last = *at;
        at = &(*at)->next;
    }
}

static void drop_secrets(const Json *config)
{
    const Json *services = json_get(config, "services");
    if (!services || services->type != JSON_OBJECT)
        return;
    for (Json *service = services->first; service; service = service->next)
        for (size_t i = 0; service->type == JSON_OBJECT && i < ARRAY_LEN(secret_keys); i++)
            (void)json_remove(service, str_of(secret_keys[i]));
}

Str sandbox_config_clean(Str json, Arena *arena)
{
    JsonScanKind kind = json_scan_kind_of(json);
    if (kind == JSON_SCAN_STRING)
        return json;
    JsonLimits limits = json_limits_config;
    limits.allow_nan = true;
    limits.allow_duplicates = true;
    auto_error Error ignored = ERROR_INIT; /* too large or too deep: nothing rather than secrets */
    Json *config = NULL;
    if (kind != JSON_SCAN_OBJECT || json_parse(arena, json, &limits, &config, &ignored) < 0)
        return STR_NONE;
    drop_nulls(config);
    drop_secrets(config);
    if (config->n == 0)
        return STR_NONE;
    auto_buf Buf text = BUF_INIT(limits.bytes * 2);
    JsonOut out;
    json_out_init(&out, &text, 0);
    json_out_node(&out, config);
    return text.overflowed ? STR_NONE : arena_str(arena, buf_str(&text));
}
