/* hawk sql: a statement that reads the warehouse, on the server. */

#include "cli/api.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "codec/json_out.h"
#include "codec/murmur3.h"
#include "warehouse/hash_map.h"

enum {
    BODY_MAX = 2 << 20,
    TEXT_MAX = 256 << 20,
    MARGIN_MS = 30 * 1000,
    REAL_MAX = 64,
    COLUMNS_MAX = 10000, /* PostgreSQL gives 1,664, SQLite 2,000 */
};

typedef struct Options {
    const char *statement;
    const char *format;
    int64_t limit;
    int64_t timeout_s;
    bool json;
} Options;

/* clang-format off */
static const OptRow rows[] = {
    {"limit", 0, OPT_INT, offsetof(Options, limit), "How many rows at most", .fallback = "1000", .min = 1, .max = 100000},
    {"timeout", 0, OPT_INT, offsetof(Options, timeout_s), "How long it may take", .metavar = "SECONDS", .fallback = "30", .min = 1, .max = 300},
    {"format", 0, OPT_CHOICE, offsetof(Options, format), "How rows are printed", .fallback = "table", .choices = "table|json|ndjson|csv"},
    {"json", 0, OPT_FLAG, offsetof(Options, json), "The same as --format json"},
};
static const OptArg args[] = {
    {"STATEMENT", OPT_TEXT, offsetof(Options, statement), "One statement that begins with SELECT, WITH, VALUES or EXPLAIN"},
};
/* clang-format on */

typedef struct Answer {
    const Json *columns;
    Json *rows;
    Str warning; /* of what may be missing; or STR_NONE */
    bool is_truncated;
} Answer;

static int check_answer(const Answer *answer, Error *err)
{
    if (!answer->columns || answer->columns->type != JSON_ARRAY || !answer->rows ||
        answer->rows->type != JSON_ARRAY)
        return error_set(err, ERR_BAD_DATA, "the server's answer has no columns and rows");
    if (answer->columns->n > COLUMNS_MAX)
        return error_set(err, ERR_BAD_DATA, "the server's answer has over %d columns", COLUMNS_MAX);
    for (const Json *row = answer->rows->first; row; row = row->next)
        if (row->type != JSON_ARRAY || row->n != answer->columns->n)
            return error_set(err, ERR_BAD_DATA,
                             "a row of the server's answer has no value for each column");
    return 0;
}

static int ask(Cli *cli, const Options *options, Answer *ret, Error *err)
{
    auto_buf Buf body = BUF_INIT(BODY_MAX);
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    JsonOut out;
    Api *api = NULL;
    Json *document = NULL;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kvz(&out, "sql", options->statement);
    json_out_kv_int(&out, "limit", options->limit);
    json_out_kv_int(&out, "timeout_seconds", options->timeout_s);
    json_out_end_object(&out);
    if (buf_check(&body, "the statement", err) < 0)
        return -1;
    const ApiCall call = {.method = "POST",
                          .path = "/meta/sql",
                          .body = buf_str(&body),
                          .timeout_ms = (int)options->timeout_s * 1000 + MARGIN_MS};
    if (cli_api(cli, &api, err) < 0 || api_send(api, &call, &text, NULL, err) < 0 ||
        api_parse(cli->arena, arena_str(cli->arena, buf_str(&text)), &document, err) < 0)
        return -1;
    *ret = (Answer){.columns = json_get(document, "columns"),
                    .rows = json_get(document, "rows"),
                    .warning = json_text(document, "warning", STR_NONE),
                    .is_truncated = json_bool(document, "is_truncated", false)};
    return check_answer(ret, err);
}

/* The names of members: columns whose name an earlier one has are called name_2, name_3, ... */
static const Str *member_names(Cli *cli, const Answer *answer)
{
    Str *names = arena_array(cli->arena, answer->columns->n + 1, sizeof(*names));
    HAWK_CLEANUP(hash_map_release) HashMap next = {0}; /* the number to try, by name */
    size_t n = 0;
    for (const Json *column = answer->columns->first; column; column = column->next) {
        Murmur3 key = murmur3_of(column->text);
        Str name = column->text;
        while (!hash_map_add(&next, murmur3_of(name), 2)) {
            uint32_t nth = (*hash_map_find(&next, key))++;
            name = str_of(arena_printf(cli->arena, "%.*s_%u", STR_ARG(column->text), nth));
        }
        names[n++] = name;
    }
    return names;
}

/* Makes each row the object of its values: they are as many as the names. */
static void make_objects(Cli *cli, const Answer *answer)
{
    const Str *names = member_names(cli, answer);
    for (Json *row = answer->rows->first; row; row = row->next) {
        size_t i = 0;
        row->type = JSON_OBJECT;
        for (Json *value = row->first; value; value = value->next)
            value->key = names[i++];
    }
}

static int print_as_json(Cli *cli, const Answer *answer, Error *err)
{
    make_objects(cli, answer);
    return print_json(cli, answer->rows, err);
}

static int print_as_ndjson(Cli *cli, const Answer *answer, Error *err)
{
    make_objects(cli, answer);
    for (const Json *row = answer->rows->first; row; row = row->next)
        if (print_json_line(cli, row, err) < 0)
            return -1;
    return 0;
}

/* A value with all of its digits: what is asked for by statement is not rounded. */
static Str text_of(Arena *arena, const Json *value)
{
    if (value->type != JSON_REAL)
        return print_value(arena, value);
    auto_buf Buf text = BUF_INIT(REAL_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    json_out_real(&out, value->real);
    return arena_str(arena, buf_str(&text));
}

static int print_as_table(Cli *cli, const Answer *answer, Error *err)
{
    size_t n = answer->columns->n;
    const char **names = arena_array(cli->arena, n ? n : 1, sizeof(*names));
    size_t i = 0;
    for (const Json *name = answer->columns->first; name; name = name->next)
        names[i++] = arena_strndup(cli->arena, name->text.p, name->text.n);
    auto_table Table *table = table_new(names, n);
    for (const Json *row = answer->rows->first; row; row = row->next)
        for (const Json *value = row->first; value; value = value->next)
            table_add(table, text_of(cli->arena, value));
    return print_table(cli, table, err);
}

/* A field as RFC 4180 has it. */
static void add_field(Buf *line, Str field)
{
    bool is_plain = field.n > 0;
    for (size_t i = 0; i < field.n; i++)
        is_plain = is_plain && !strchr("\",\r\n", field.p[i]);
    if (is_plain) {
        buf_add_str(line, field);
        return;
    }
    buf_addc(line, '"');
    for (size_t i = 0; i < field.n; i++) {
        if (field.p[i] == '"')
            buf_addc(line, '"');
        buf_addc(line, field.p[i]);
    }
    buf_addc(line, '"');
}

static void add_fields(Cli *cli, const Json *list, Buf *text)
{
    for (const Json *value = list->first; value; value = value->next) {
        if (value != list->first)
            buf_addc(text, ',');
        if (!json_is_null(value)) /* null is nothing, an empty text is "" */
            add_field(text, text_of(cli->arena, value));
    }
    buf_addz(text, "\r\n");
}

static int print_as_csv(Cli *cli, const Answer *answer, Error *err)
{
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    add_fields(cli, answer->columns, &text);
    for (const Json *row = answer->rows->first; row; row = row->next)
        add_fields(cli, row, &text);
    if (buf_check(&text, "the answer", err) < 0)
        return -1;
    return print_text(cli, buf_str(&text), err);
}

typedef int Printer(Cli *cli, const Answer *answer, Error *err);
static const struct {
    const char *name;
    Printer *print;
} printers[] = {
    {"table", print_as_table},
    {"json", print_as_json},
    {"ndjson", print_as_ndjson},
    {"csv", print_as_csv},
};

static int run(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    const char *format = options->json ? "json" : options->format;
    Answer answer;
    if (ask(cli, options, &answer, err) < 0)
        return -1;
    int result = 0;
    for (size_t i = 0; i < ARRAY_LEN(printers); i++)
        if (strcmp(printers[i].name, format) == 0)
            result = printers[i].print(cli, &answer, err);
    if (result == 0 && answer.is_truncated)
        cli_warn(cli, "there are more rows than these %zu; see --limit", answer.rows->n);
    if (result == 0 && answer.warning.n > 0)
        cli_warn(cli, "%.*s", STR_ARG(answer.warning));
    return result;
}

const Command commands_sql = {
    .path = "sql",
    .section = COMMAND_LOOK,
    .summary = "Run a statement that reads the warehouse",
    .description = "For those who may see everything. Tables and columns are those of the "
                   "warehouse: eval, sample, score, message, event and so on.",
    .examples = "hawk sql \"SELECT model, count(*) FROM eval GROUP BY model\"\n"
                "hawk sql \"SELECT id, total_tokens FROM sample\" --format csv --limit 100000",
    .spec = {.rows = rows,
             .n_rows = ARRAY_LEN(rows),
             .args = args,
             .n_args = ARRAY_LEN(args),
             .size = sizeof(Options)},
    .run = run,
};
