/* The environment variables that Inspect's model providers read, as of inspect_ai 0.3.285. */

#include "jobspec/jobspec.h"

/* More names than this come from a config that was made to have them. */
enum { NAMES_MAX = 512, VARIABLES_MAX = 12, NAME_MAX_LEN = 100 };

/* K: the key, one of the needed ones; A: another key or account that may be used; U: an address or
 * setting. */
typedef struct Variable {
    char kind;
    const char *name;
} Variable;

typedef struct Provider {
    const char *name;    /* first part of the model's name */
    const char *service; /* second part, or NULL for any other */
    Variable variables[VARIABLES_MAX];
} Provider;

#define AWS_VARIABLES                                                                              \
    {'A', "AWS_ACCESS_KEY_ID"}, {'A', "AWS_SECRET_ACCESS_KEY"}, {'A', "AWS_SESSION_TOKEN"},        \
        {'U', "AWS_REGION"}, {'U', "AWS_DEFAULT_REGION"},                                          \
    {                                                                                              \
        'U', "AWS_PROFILE"                                                                         \
    }

/* clang-format off */
static const Provider providers[] = {
    {"openai", "azure", {{'K', "AZUREAI_OPENAI_API_KEY"}, {'K', "AZURE_OPENAI_API_KEY"},
                         {'U', "AZUREAI_OPENAI_BASE_URL"}, {'U', "AZURE_OPENAI_BASE_URL"},
                         {'U', "AZURE_OPENAI_ENDPOINT"}, {'U', "AZUREAI_OPENAI_API_VERSION"},
                         {'U', "OPENAI_API_VERSION"}}},
    {"openai", "bedrock", {{'A', "BEDROCK_OPENAI_API_KEY"}, {'A', "AWS_BEARER_TOKEN_BEDROCK"},
                           {'U', "BEDROCK_OPENAI_BASE_URL"}, {'U', "AWS_BEDROCK_BASE_URL"},
                           AWS_VARIABLES}},
    {"openai", NULL, {{'K', "OPENAI_API_KEY"}, {'U', "OPENAI_BASE_URL"},
                      {'U', "OPENAI_SAFETY_IDENTIFIER"}}},
    {"anthropic", "azure", {{'K', "AZUREAI_ANTHROPIC_API_KEY"}, {'K', "AZURE_ANTHROPIC_API_KEY"},
                            {'U', "AZUREAI_ANTHROPIC_BASE_URL"},
                            {'U', "AZURE_ANTHROPIC_BASE_URL"}}},
    {"anthropic", "bedrock", {AWS_VARIABLES, {'U', "BEDROCK_ANTHROPIC_BASE_URL"},
                              {'U', "ANTHROPIC_BEDROCK_BASE_URL"}}},
    {"anthropic", "vertex", {{'U', "ANTHROPIC_VERTEX_REGION"}, {'U', "ANTHROPIC_VERTEX_PROJECT_ID"},
                             {'U', "VERTEX_ANTHROPIC_BASE_URL"}, {'U', "ANTHROPIC_VERTEX_BASE_URL"},
                             {'U', "GOOGLE_APPLICATION_CREDENTIALS"}}},
    {"anthropic", NULL, {{'K', "ANTHROPIC_API_KEY"}, {'K', "ANTHROPIC_AUTH_TOKEN"},
                         {'U', "ANTHROPIC_BASE_URL"}}},
    {"google", "vertex", {{'A', "VERTEX_API_KEY"}, {'U', "GOOGLE_VERTEX_BASE_URL"},
                          {'U', "VERTEX_BASE_URL"}, {'U', "GOOGLE_CLOUD_PROJECT"},
                          {'U', "GOOGLE_CLOUD_LOCATION"}, {'U', "GOOGLE_CLOUD_QUOTA_PROJECT"},
                          {'U', "GOOGLE_APPLICATION_CREDENTIALS"}}},
    {"google", NULL, {{'K', "GOOGLE_API_KEY"}, {'K', "GEMINI_API_KEY"}, {'U', "GOOGLE_BASE_URL"},
                      {'U', "GOOGLE_GENAI_USE_VERTEXAI"}, {'U', "GOOGLE_USE_ADC"},
                      {'U', "GOOGLE_CLOUD_QUOTA_PROJECT"}}},
    {"grok", NULL, {{'K', "XAI_API_KEY"}, {'K', "GROK_API_KEY"}, {'U', "XAI_BASE_URL"},
                    {'U', "GROK_BASE_URL"}}},
    {"mistral", "azure", {{'K', "AZUREAI_MISTRAL_API_KEY"}, {'K', "AZURE_MISTRAL_API_KEY"},
                          {'U', "AZUREAI_MISTRAL_BASE_URL"}, {'U', "AZURE_MISTRAL_BASE_URL"}}},
    {"mistral", NULL, {{'K', "MISTRAL_API_KEY"}, {'U', "MISTRAL_BASE_URL"}}},
    {"azureai", NULL, {{'K', "AZUREAI_API_KEY"}, {'K', "AZURE_API_KEY"}, {'U', "AZUREAI_BASE_URL"},
                       {'U', "AZUREAI_ENDPOINT_URL"}, {'U', "AZURE_ENDPOINT_URL"},
                       {'U', "AZUREAI_AUDIENCE"}}},
    {"bedrock", NULL, {AWS_VARIABLES, {'A', "AWS_BEARER_TOKEN_BEDROCK"}, {'U', "BEDROCK_BASE_URL"}}},
    {"sagemaker", NULL, {AWS_VARIABLES}},
    {"cloudflare", NULL, {{'K', "CLOUDFLARE_API_KEY"}, {'K', "CLOUDFLARE_API_TOKEN"},
                          {'U', "CLOUDFLARE_ACCOUNT_ID"}, {'U', "CLOUDFLARE_BASE_URL"}}},
    {"cf", NULL, {{'K', "CLOUDFLARE_API_TOKEN"}, {'K', "CLOUDFLARE_API_KEY"},
                  {'U', "CLOUDFLARE_ACCOUNT_ID"}, {'U', "CLOUDFLARE_BASE_URL"}}},
    {"openrouter", NULL, {{'K', "OPENROUTER_API_KEY"}, {'U', "OPENROUTER_BASE_URL"}}},
    {"hf", NULL, {{'A', "HF_TOKEN"}, {'U', "HF_BASE_URL"}, {'U', "HF_HOME"}}},
    {"hf-inference-providers", NULL, {{'K', "HF_TOKEN"}, {'U', "HF_BASE_URL"}}},
    {"nnterp", NULL, {{'A', "HF_TOKEN"}}},
    {"transformer_lens", NULL, {{'A', "HF_TOKEN"}}},
    {"litellm-proxy", NULL, {{'A', "LITELLM_PROXY_API_KEY"}, {'A', "LITELLM_API_KEY"},
                             {'U', "LITELLM_PROXY_BASE_URL"}, {'U', "LITELLM_BASE_URL"}}},
    {"meta", NULL, {{'K', "META_API_KEY"}, {'K', "MODEL_API_KEY"}, {'U', "META_BASE_URL"}}},
    {"vllm", NULL, {{'A', "VLLM_API_KEY"}, {'U', "VLLM_BASE_URL"}, {'A', "HF_TOKEN"}}},
    {"vllm-completions", NULL, {{'A', "VLLM_API_KEY"}, {'U', "VLLM_BASE_URL"}, {'A', "HF_TOKEN"}}},
    {"sglang", NULL, {{'A', "SGLANG_API_KEY"}, {'U', "SGLANG_BASE_URL"}, {'A', "HF_TOKEN"}}},
    {"ollama", NULL, {{'A', "OLLAMA_API_KEY"}, {'U', "OLLAMA_BASE_URL"}}},
    {"llama-cpp-python", NULL, {{'A', "LLAMA_CPP_PYTHON_API_KEY"},
                                {'U', "LLAMA_CPP_PYTHON_BASE_URL"}}},
    {"mockllm", NULL, {{0, NULL}}},
    {"none", NULL, {{0, NULL}}},
};
/* clang-format on */

/* Providers whose variables are <NAME>_API_KEY and <NAME>_BASE_URL. */
static const char *const standard[] = {"fireworks", "groq",     "perplexity", "sambanova",
                                       "together",  "deepseek", "moonshot"};

static void add_name(Arena *arena, JobspecEnvNames *ret, const char *name, const char *model,
                     char kind)
{
    for (size_t i = 0; i < ret->n; i++)
        if (strcmp(ret->items[i].name, name) == 0)
            return;
    if (ret->n == NAMES_MAX)
        return;
    ret->items[ret->n++] = (JobspecEnvName){
        .name = arena_strdup(arena, name),
        .model = model,
        .is_secret = kind != 'U',
        .is_needed = kind == 'K',
    };
}

/* "<PREFIX>_API_KEY" and "<PREFIX>_BASE_URL", the prefix in upper case with '_' for what a variable
 * cannot have. */
static void add_standard(Arena *arena, JobspecEnvNames *ret, Str prefix, const char *model)
{
    char upper[NAME_MAX_LEN];
    if (prefix.n == 0 || prefix.n >= sizeof(upper))
        return;
    for (size_t i = 0; i < prefix.n; i++) {
        char c = prefix.p[i];
        bool is_kept = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        upper[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : is_kept ? c : '_';
    }
    upper[prefix.n] = '\0';
    add_name(arena, ret, arena_printf(arena, "%s_API_KEY", upper), model, 'K');
    add_name(arena, ret, arena_printf(arena, "%s_BASE_URL", upper), model, 'U');
}

static bool is_standard(Str name)
{
    for (size_t i = 0; i < ARRAY_LEN(standard); i++)
        if (str_eqz(name, standard[i]))
            return true;
    return false;
}

static const Provider *find_provider(Str name, Str service)
{
    for (size_t i = 0; i < ARRAY_LEN(providers); i++) {
        const Provider *provider = &providers[i];
        if (str_eqz(name, provider->name) &&
            (!provider->service || str_eqz(service, provider->service)))
            return provider;
    }
    return NULL;
}

static void add_model(Arena *arena, JobspecEnvNames *ret, const char *model)
{
    Str rest = str_of(model);
    Str name = STR_NONE;
    Str service = STR_NONE;
    if (!str_split(&rest, '/', &name) || !rest.p)
        return;
    Str after = rest;
    bool has_service = str_split(&after, '/', &service) && after.p;
    if (!has_service)
        service = STR_NONE;

    const Provider *provider = find_provider(name, service);
    if (str_eqz(name, "openai-api") || str_eqz(name, "openai-api-completions"))
        add_standard(arena, ret, service, model);
    else if (is_standard(name))
        add_standard(arena, ret, name, model);
    for (size_t i = 0; provider && i < VARIABLES_MAX && provider->variables[i].name; i++)
        add_name(arena, ret, provider->variables[i].name, model, provider->variables[i].kind);
    if (!provider || provider->variables[0].name)
        add_name(arena, ret, "INSPECT_EVAL_MODEL_BASE_URL", model, 'U');
}

JobspecEnvNames jobspec_env_names_of(Arena *arena, const char *model)
{
    JobspecEnvNames ret = {.items = arena_array(arena, NAMES_MAX, sizeof(*ret.items))};
    if (!jobspec_is_no_model(model))
        add_model(arena, &ret, arena_strdup(arena, model));
    return ret;
}

JobspecEnvNames jobspec_env_names(Arena *arena, const Jobspec *spec)
{
    JobspecItems models = jobspec_models(arena, spec);
    JobspecEnvNames ret = {.items = arena_array(arena, NAMES_MAX, sizeof(*ret.items))};
    for (size_t i = 0; i < models.n; i++) {
        const JobspecItem *item = &models.items[i];
        Str fallback = json_text(json_get(item->node, "args"), "default", STR_NONE);
        if (!jobspec_is_no_model(item->qualified))
            add_model(arena, &ret, item->qualified);
        if (fallback.n > 0)
            add_model(arena, &ret, arena_strndup(arena, fallback.p, fallback.n));
    }
    return ret;
}
