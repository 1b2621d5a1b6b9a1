/* What Inspect takes beside our own fields: its generation options and the parameters of
   eval_set(), as of inspect_ai 0.3.285. A job may bring another version, so what is wrong here at
   the top level is a warning, not an error. */

#include "jobspec/schema_priv.h"

#define NAMED_END                                                                                  \
    {                                                                                              \
        .name = NULL                                                                               \
    }

static const char *const verbosity_words[] = {"low", "medium", "high", NULL};
static const char *const effort_words[] = {"low", "medium", "high", "xhigh", "max", NULL};
static const char *const reasoning_words[] = {"none", "minimal", "low", "medium",
                                              "high", "xhigh",   "max", NULL};
static const char *const mode_words[] = {"standard", "pro", NULL};
static const char *const summary_words[] = {"none", "concise", "detailed", "auto", NULL};
static const char *const history_words[] = {"none", "all", "last", "auto", NULL};
static const char *const auto_words[] = {"auto", NULL};
static const char *const image_words[] = {"image", NULL};
static const char *const display_words[] = {"full", "conversation", "rich", "plain",
                                            "log",  "none",         NULL};
static const char *const incomplete_words[] = {"retry", "error", NULL};

static const char *const type_words[] = {"string", "integer", "number", "boolean",
                                         "array",  "object",  "null",   NULL};

/* Refers to itself. */
static const SchemaObject json_schema;

static const SchemaField number_item = {.types = SCHEMA_REAL};

/* clang-format off */
static const SchemaField adaptive_fields[] = {
    {.name = "min", .types = SCHEMA_INT, .fallback = "10", .help = "Lowest concurrency."},
    {.name = "max", .types = SCHEMA_INT, .fallback = "100", .help = "Highest concurrency."},
    {.name = "start", .types = SCHEMA_INT, .fallback = "20", .help = "Concurrency at the start."},
    {.name = "cooldown_seconds", .types = SCHEMA_REAL, .fallback = "15.0",
     .help = "Least time between two cuts."},
    {.name = "decrease_factor", .types = SCHEMA_REAL, .fallback = "0.8",
     .help = "Factor of a cut."},
    {.name = "scale_up_percent", .types = SCHEMA_REAL, .fallback = "0.05",
     .help = "Growth of a round without errors."},
    NAMED_END,
};
static const SchemaField cache_fields[] = {
    {.name = "expiry", .types = SCHEMA_STR | SCHEMA_NULL, .fallback = "\"1W\"",
     .help = "How long an answer stays: a number and s, m, h, D, W, M or Y."},
    {.name = "per_epoch", .types = SCHEMA_BOOL, .fallback = "true",
     .help = "Separate answers for each epoch."},
    {.name = "scopes", .types = SCHEMA_MAP, .item = &schema_text_item, .fallback = "{}",
     .help = "More parts of the key."},
    NAMED_END,
};
static const SchemaField batch_fields[] = {
    {.name = "size", .types = SCHEMA_INT | SCHEMA_NULL, .help = "Requests to wait for."},
    {.name = "max_size", .types = SCHEMA_INT | SCHEMA_NULL, .help = "Most requests of a batch."},
    {.name = "send_delay", .types = SCHEMA_REAL | SCHEMA_NULL,
     .help = "Seconds after which a batch is sent although it is not full."},
    {.name = "tick", .types = SCHEMA_REAL | SCHEMA_NULL, .help = "Seconds between two looks."},
    {.name = "max_batches", .types = SCHEMA_INT | SCHEMA_NULL, .help = "Most batches at a time."},
    {.name = "max_consecutive_check_failures", .types = SCHEMA_INT | SCHEMA_NULL,
     .help = "Failed looks after which a batch is given up."},
    NAMED_END,
};
static const SchemaField type_item = {.types = SCHEMA_STR, .words = type_words};
static const SchemaField schema_item = {.types = SCHEMA_OBJECT, .object = &json_schema};
static const SchemaField json_schema_fields[] = {
    {.name = "type", .types = SCHEMA_STR | SCHEMA_LIST | SCHEMA_NULL, .words = type_words,
     .item = &type_item, .help = "Type, or several."},
    {.name = "format", .types = SCHEMA_STR | SCHEMA_NULL, .help = "Format of a text."},
    {.name = "description", .types = SCHEMA_STR | SCHEMA_NULL, .help = "What it is."},
    {.name = "default", .types = SCHEMA_ANY | SCHEMA_NULL, .help = "Default."},
    {.name = "enum", .types = SCHEMA_LIST | SCHEMA_NULL, .item = &schema_any_item,
     .help = "Values that are accepted."},
    {.name = "items", .types = SCHEMA_OBJECT | SCHEMA_NULL, .object = &json_schema,
     .help = "Items of an array."},
    {.name = "properties", .types = SCHEMA_MAP | SCHEMA_NULL, .item = &schema_item,
     .help = "Members of an object."},
    {.name = "additionalProperties", .types = SCHEMA_BOOL | SCHEMA_OBJECT | SCHEMA_NULL,
     .object = &json_schema, .help = "Other members of an object."},
    {.name = "anyOf", .types = SCHEMA_LIST | SCHEMA_NULL, .item = &schema_item,
     .help = "One of several."},
    {.name = "required", .types = SCHEMA_LIST | SCHEMA_NULL, .item = &schema_text_item,
     .help = "Members that must be there."},
    {.name = "pattern", .types = SCHEMA_STR | SCHEMA_NULL, .help = "Pattern of a text."},
    {.name = "minLength", .types = SCHEMA_INT | SCHEMA_NULL, .help = "Least length."},
    {.name = "maxLength", .types = SCHEMA_INT | SCHEMA_NULL, .help = "Most length."},
    {.name = "minimum", .types = SCHEMA_INT | SCHEMA_REAL | SCHEMA_NULL, .help = "Least value."},
    {.name = "maximum", .types = SCHEMA_INT | SCHEMA_REAL | SCHEMA_NULL, .help = "Most value."},
    {.name = "examples", .types = SCHEMA_LIST | SCHEMA_NULL, .item = &schema_any_item,
     .help = "Examples."},
    NAMED_END,
};
static const SchemaObject json_schema = {
    .name = "JSONSchema", .help = "JSON Schema, as far as providers take it.",
    .fields = json_schema_fields};
static const SchemaField response_fields[] = {
    {.name = "name", .types = SCHEMA_STR, .flags = SCHEMA_REQUIRED, .help = "Name of the schema."},
    {.name = "json_schema", .types = SCHEMA_OBJECT, .flags = SCHEMA_REQUIRED,
     .object = &json_schema, .help = "JSON Schema of the answer."},
    {.name = "description", .types = SCHEMA_STR | SCHEMA_NULL, .help = "What the answer is."},
    {.name = "strict", .types = SCHEMA_BOOL | SCHEMA_NULL, .help = "Hold the model to it."},
    NAMED_END,
};
static const SchemaField image_option_fields[] = {
    {.name = "openai", .types = SCHEMA_MAP, .item = &schema_any_item, .fallback = "{}",
     .help = "Options of OpenAI's image tool."},
    NAMED_END,
};
static const SchemaObject image_options = {
    .name = "ImageOptions", .help = "Options by provider.", .fields = image_option_fields,
    .extra = SCHEMA_FORBID};
static const SchemaField image_fields[] = {
    {.name = "options", .types = SCHEMA_OBJECT | SCHEMA_NULL, .object = &image_options,
     .help = "Options by provider."},
    NAMED_END,
};
/* clang-format on */

static const SchemaObject adaptive = {
    .name = "AdaptiveConcurrency",
    .help = "Bounds of a concurrency that follows the provider's rate limits.",
    .fields = adaptive_fields,
};
static const SchemaObject cache = {
    .name = "CachePolicy", .help = "How answers are cached.", .fields = cache_fields};
static const SchemaObject batch = {
    .name = "BatchConfig", .help = "How requests are batched.", .fields = batch_fields};
static const SchemaObject response = {
    .name = "ResponseSchema", .help = "Form of the answer.", .fields = response_fields};
static const SchemaObject image = {
    .name = "ImageOutput", .help = "Image output.", .fields = image_fields};
static const SchemaField modality_item = {
    .types = SCHEMA_STR | SCHEMA_OBJECT, .words = image_words, .object = &image};

/* clang-format off */
#define INT_OPTION(n, h) {.name = (n), .types = SCHEMA_INT | SCHEMA_NULL, .help = (h)}
#define REAL_OPTION(n, h) {.name = (n), .types = SCHEMA_REAL | SCHEMA_NULL, .help = (h)}
#define BOOL_OPTION(n, h) {.name = (n), .types = SCHEMA_BOOL | SCHEMA_NULL, .help = (h)}
#define WORD_OPTION(n, w, h) {.name = (n), .types = SCHEMA_STR | SCHEMA_NULL, .words = (w), .help = (h)}

static const SchemaField generate_fields[] = {
    INT_OPTION("max_retries", "Tries of one request after the first."),
    INT_OPTION("timeout", "Seconds for a request with all its tries."),
    INT_OPTION("attempt_timeout", "Seconds for one try."),
    INT_OPTION("stream_idle_timeout", "Seconds without data after which a stream is broken off."),
    INT_OPTION("max_connections", "Requests at a time; turns adaptive connections off."),
    {.name = "adaptive_connections",
     .types = SCHEMA_BOOL | SCHEMA_INT | SCHEMA_STR | SCHEMA_OBJECT | SCHEMA_NULL,
     .pattern = "^[0-9]+-[0-9]+(-[0-9]+)?$", .object = &adaptive, .rule = schema_rule_adaptive,
     .advice = "write true, false, a number, \"min-max\" or \"min-start-max\"",
     .help = "Concurrency that follows the provider's rate limits."},
    {.name = "system_message", .types = SCHEMA_STR | SCHEMA_NULL, .help = "System message."},
    INT_OPTION("max_tokens", "Most tokens of an answer."),
    REAL_OPTION("top_p", "Nucleus sampling."),
    REAL_OPTION("temperature", "Sampling temperature."),
    {.name = "stop_seqs", .types = SCHEMA_LIST | SCHEMA_NULL, .item = &schema_text_item,
     .help = "Texts that end an answer."},
    INT_OPTION("best_of", "Answers made of which the best is kept."),
    REAL_OPTION("frequency_penalty", "Penalty for frequent tokens."),
    REAL_OPTION("presence_penalty", "Penalty for tokens that are there already."),
    {.name = "logit_bias", .types = SCHEMA_MAP | SCHEMA_NULL, .item = &number_item,
     .rule = schema_rule_logit_bias, .help = "Bias by token id, -100 to 100."},
    INT_OPTION("seed", "Random seed."),
    INT_OPTION("top_k", "Most likely tokens to choose from."),
    INT_OPTION("num_choices", "Answers to a request."),
    BOOL_OPTION("logprobs", "Return log probabilities."),
    INT_OPTION("top_logprobs", "Log probabilities per token."),
    INT_OPTION("prompt_logprobs", "Log probabilities per token of the prompt."),
    BOOL_OPTION("parallel_tool_calls", "Let the model call several tools at once."),
    BOOL_OPTION("internal_tools", "Use the provider's own form of tools."),
    INT_OPTION("max_tool_output", "Most bytes of a tool's output."),
    {.name = "cache_prompt", .types = SCHEMA_STR | SCHEMA_BOOL | SCHEMA_NULL, .words = auto_words,
     .advice = "write auto, true or false", .help = "Cache the prompt at the provider."},
    {.name = "fallback_models", .types = SCHEMA_LIST | SCHEMA_NULL, .item = &schema_text_item,
     .help = "Models to try when this one refuses."},
    BOOL_OPTION("fail_on_refusal", "A refusal is an error of the sample."),
    WORD_OPTION("verbosity", verbosity_words, "Length of answers."),
    WORD_OPTION("effort", effort_words, "Effort of answers."),
    WORD_OPTION("reasoning_effort", reasoning_words, "Effort of reasoning."),
    WORD_OPTION("reasoning_mode", mode_words, "Kind of reasoning."),
    INT_OPTION("reasoning_tokens", "Most tokens of reasoning."),
    WORD_OPTION("reasoning_summary", summary_words, "Summary of reasoning."),
    WORD_OPTION("reasoning_history", history_words, "Reasoning that is sent back."),
    {.name = "response_schema", .types = SCHEMA_OBJECT | SCHEMA_NULL, .object = &response,
     .help = "Form of the answer."},
    {.name = "extra_headers", .types = SCHEMA_MAP | SCHEMA_NULL, .flags = SCHEMA_SECRET,
     .item = &schema_text_item, .help = "More headers of a request."},
    {.name = "extra_body", .types = SCHEMA_MAP | SCHEMA_NULL, .item = &schema_any_item,
     .help = "More members of a request's body."},
    {.name = "modalities", .types = SCHEMA_LIST | SCHEMA_NULL, .item = &modality_item,
     .help = "Kinds of output beside text."},
    {.name = "cache", .types = SCHEMA_BOOL | SCHEMA_OBJECT | SCHEMA_NULL, .object = &cache,
     .help = "Cache answers."},
    {.name = "batch", .types = SCHEMA_BOOL | SCHEMA_INT | SCHEMA_OBJECT | SCHEMA_NULL,
     .object = &batch, .help = "Send requests in batches."},
    NAMED_END,
};
/* clang-format on */

const SchemaObject schema_generate_config = {
    .name = "GenerateConfig",
    .help = "Inspect's generation options.",
    .fields = generate_fields,
    .extra = SCHEMA_FORBID,
};

/* Parameters of eval_set() that are neither our fields nor refused. */
/* clang-format off */
#define OURS(n) {.field = {.name = (n), .types = SCHEMA_ANY | SCHEMA_NULL}, .is_ours = true}
#define FREE(n) {.field = {.name = (n), .types = SCHEMA_ANY | SCHEMA_NULL}}
#define PLAIN(n, t) {.field = {.name = (n), .types = (t) | SCHEMA_NULL}}
#define WORDS(n, w) {.field = {.name = (n), .types = SCHEMA_STR | SCHEMA_NULL, .words = (w)}}

static const SchemaForward forwards[] = {
    OURS("log_dir"), OURS("log_format"), OURS("log_level"), OURS("sandbox_cleanup"),
    PLAIN("log_dir_allow_dirty", SCHEMA_BOOL), PLAIN("retry_cleanup", SCHEMA_BOOL),
    PLAIN("bundle_dir", SCHEMA_STR), PLAIN("bundle_overwrite", SCHEMA_BOOL),
    PLAIN("embed_viewer", SCHEMA_BOOL), PLAIN("ctl_server", SCHEMA_BOOL | SCHEMA_STR),
    FREE("solver"), FREE("task_args"), FREE("sample_id"),
    PLAIN("retry_wait", SCHEMA_REAL), PLAIN("retry_connections", SCHEMA_REAL),
    PLAIN("retry_immediate", SCHEMA_BOOL), WORDS("incomplete_action", incomplete_words),
    PLAIN("incomplete_max", SCHEMA_INT | SCHEMA_REAL), PLAIN("sandbox_prebuilt", SCHEMA_BOOL),
    PLAIN("trace", SCHEMA_BOOL), WORDS("display", display_words), FREE("review"),
    PLAIN("notification", SCHEMA_BOOL | SCHEMA_STR), PLAIN("score_display", SCHEMA_BOOL),
    PLAIN("log_level_transcript", SCHEMA_STR),
    PLAIN("fail_on_error", SCHEMA_BOOL | SCHEMA_REAL), PLAIN("continue_on_fail", SCHEMA_BOOL),
    PLAIN("retry_on_error", SCHEMA_INT), PLAIN("score_on_error", SCHEMA_BOOL),
    PLAIN("debug_errors", SCHEMA_BOOL), PLAIN("turn_limit", SCHEMA_INT),
    PLAIN("max_samples", SCHEMA_INT), PLAIN("max_dataset_memory", SCHEMA_INT),
    PLAIN("max_tasks", SCHEMA_INT), PLAIN("max_subprocesses", SCHEMA_INT),
    PLAIN("max_sandboxes", SCHEMA_INT), PLAIN("log_samples", SCHEMA_BOOL),
    PLAIN("log_refusals", SCHEMA_BOOL), PLAIN("log_buffer", SCHEMA_INT),
    PLAIN("log_shared", SCHEMA_BOOL | SCHEMA_INT), FREE("sentinel"),
};
/* clang-format on */

const SchemaForward *schema_forward(Str name)
{
    for (size_t i = 0; i < ARRAY_LEN(forwards); i++)
        if (str_eqz(name, forwards[i].field.name))
            return &forwards[i];
    return NULL;
}

const SchemaForward *schema_forward_at(size_t i)
{
    return i < ARRAY_LEN(forwards) ? &forwards[i] : NULL;
}

const SchemaField *schema_generate_option(Str name)
{
    return schema_field(&schema_generate_config, name);
}
