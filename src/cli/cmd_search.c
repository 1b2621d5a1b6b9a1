/* hawk search: words or an expression in transcripts, scores and metadata. */

#include "base/mem.h"
#include "base/term.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/print.h"

enum { PATH_MAX_BYTES = 16384, LINE_MAX_BYTES = 64 * 1024, PAGE_MAX = 200 };
enum { QUERY_MAX = 4 << 20 }; /* no less than all words that a command line can have */

/* What the server puts around what was found: U+E000 and U+E001. */
#define MARK_BEGIN "\xEE\x80\x80"
#define MARK_END "\xEE\x80\x81"

typedef struct Options {
    OptList words;
    const char *eval_set;
    const char *sample;
    const char *cursor;
    int64_t limit;
    bool regex;
    bool match_case;
    bool newest;
    bool json;
} Options;

/* clang-format off */
static const OptRow rows[] = {
    {"regex", 0, OPT_FLAG, offsetof(Options, regex), "WORDS is a regular expression (PCRE2)"},
    {"match-case", 0, OPT_FLAG, offsetof(Options, match_case), "Of an expression: tell large and small letters apart"},
    {"eval-set", 0, OPT_TEXT, offsetof(Options, eval_set), "Only in this eval set", .metavar = "ID", .completer = "eval-sets"},
    {"sample-pk", 0, OPT_TEXT, offsetof(Options, sample), "Only in the sample with this key of the warehouse", .metavar = "KEY"},
    {"newest", 0, OPT_FLAG, offsetof(Options, newest), "The newest first, instead of what fits best"},
    {"limit", 0, OPT_INT, offsetof(Options, limit), "How many at most", .fallback = "20", .min = 1, .max = 100000},
    {"cursor", 0, OPT_TEXT, offsetof(Options, cursor), "Go on where an earlier search ended; it names the cursor", .metavar = "CURSOR"},
    {"json", 0, OPT_FLAG, offsetof(Options, json), "Print JSON"},
};
static const OptArg args[] = {
    {"WORDS", OPT_LIST, offsetof(Options, words), "Words that must all be there; \"a phrase\", this OR that; -not, behind -- or inside of quotes"},
};
/* clang-format on */

/* Words of the command line as one query: what has spaces was quoted by the shell, and is a phrase.
 */
static const char *query_of(Cli *cli, const Options *options)
{
    auto_buf Buf query = BUF_INIT(QUERY_MAX);
    for (size_t i = 0; i < options->words.n; i++) {
        const char *word = options->words.items[i];
        bool is_phrase =
            !options->regex && options->words.n > 1 && strchr(word, ' ') && !strchr(word, '"');
        buf_printf(&query, is_phrase ? "%s\"%s\"" : "%s%s", i ? " " : "", word);
    }
    return arena_strdup(cli->arena, query.data);
}

static int get_page(Cli *cli, const Options *options, const char *cursor, int64_t limit, Json **ret,
                    Error *err)
{
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    buf_addz(&path, "/meta/search");
    api_add_query(&path, "q", query_of(cli, options));
    api_add_query(&path, "mode", options->regex ? "grep" : NULL);
    api_add_query(&path, "match_case", options->match_case ? "true" : NULL);
    api_add_query(&path, "sort", options->newest ? "recency" : NULL);
    api_add_query(&path, "eval_set_id", options->eval_set);
    api_add_query(&path, "sample_pk", options->sample);
    api_add_query(&path, "cursor", cursor);
    api_add_query_int(&path, "limit", limit < PAGE_MAX ? limit : PAGE_MAX);
    if (api_get_path(cli, &path, ret, err) < 0)
        return -1;
    const Json *items = json_get(*ret, "items");
    if (!items || items->type != JSON_ARRAY)
        return error_set(err, ERR_BAD_DATA, "the server's answer has no items");
    return 0;
}

static bool ends_with_space(const Buf *line)
{
    return line->len > 0 && line->data[line->len - 1] == ' ';
}

/* A snippet on one line, safe for a terminal, what was found in a colour or, without colours, as it
   is. */
static void add_snippet(Cli *cli, Str snippet, Buf *line)
{
    Str begin = STR(MARK_BEGIN);
    Str end = STR(MARK_END);
    while (snippet.n > 0) {
        ptrdiff_t from = str_find_str(snippet, begin);
        Str before = from < 0 ? snippet : str_slice(snippet, 0, (size_t)from);
        term_add_line(line, before);
        if (from < 0)
            return;
        if (before.n && strchr(" \t\r\n", before.p[before.n - 1]) && !ends_with_space(line))
            buf_addc(line, ' ');
        Str rest = str_slice(snippet, (size_t)from + begin.n, snippet.n);
        ptrdiff_t to = str_find_str(rest, end);
        Str found = to < 0 ? rest : str_slice(rest, 0, (size_t)to);
        auto_buf Buf safe = BUF_INIT(LINE_MAX_BYTES);
        term_add_line(&safe, found);
        term_add_colour(line, cli->out_colours, TERM_YELLOW, safe.data);
        snippet = to < 0 ? STR_NONE : str_slice(rest, (size_t)to + end.n, rest.n);
        if (snippet.n && strchr(" \t\r\n", snippet.p[0]) && !ends_with_space(line))
            buf_addc(line, ' ');
    }
}

/* "set  task  sample, epoch 1  message  uuid  message=ID", and the snippet below. */
static int print_hit(Cli *cli, const Json *hit, Error *err)
{
    static const char *const members[] = {"eval_set_id", "task_name", "sample_id", "entity_type"};
    auto_buf Buf head = BUF_INIT(LINE_MAX_BYTES);
    auto_buf Buf line = BUF_INIT(LINE_MAX_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        Str text = json_text(hit, members[i], STR_NONE);
        if (text.n && head.len)
            buf_addz(&head, "  ");
        term_add_line(&head, text);
        if (i == 2 && text.n)
            buf_printf(&head, " (epoch %lld)", (long long)json_int(hit, "epoch", 0));
    }
    term_add_colour(&line, cli->out_colours, TERM_BOLD, head.data);
    static const char *const places[] = {"sample_uuid", "transcript_anchor"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        Str place = json_text(hit, places[i], STR_NONE);
        buf_addz(&line, place.n ? "  " : "");
        term_add_line(&line, place);
    }
    buf_addz(&line, "\n    ");
    add_snippet(cli, json_text(hit, "snippet", STR_NONE), &line);
    buf_addc(&line, '\n');
    return cli_put(cli, buf_str(&line), err);
}

static const char *next_of(Cli *cli, const Json *answer)
{
    Str cursor = json_text(answer, "next_cursor", STR_NONE);
    return cursor.p ? arena_strndup(cli->arena, cursor.p, cursor.n) : NULL;
}

/* Prints hits page by page, or gathers them in *ret_items. */
static int run_pages(Cli *cli, const Options *options, Json *items, Json **ret_last, size_t *ret_n,
                     Error *err)
{
    const char *cursor = options->cursor;
    size_t n = 0;
    Json *answer = NULL;
    do {
        if (get_page(cli, options, cursor, options->limit - (int64_t)n, &answer, err) < 0)
            return -1;
        for (Json *hit = json_get(answer, "items")->first; hit; n++) {
            Json *following = hit->next;
            hit->next = NULL;
            if (options->json)
                json_append(items, hit);
            else if (print_hit(cli, hit, err) < 0)
                return -1;
            hit = following;
        }
        cursor = next_of(cli, answer);
    } while (cursor && (int64_t)n < options->limit);
    *ret_last = answer;
    *ret_n = n;
    return 0;
}

/* Whether there is something that may be no letter: what is not ASCII is not looked at closer. */
static bool has_signs(const Options *options)
{
    for (size_t i = 0; i < options->words.n && !options->regex; i++)
        for (const char *p = options->words.items[i]; *p; p++)
            if ((unsigned char)*p >= 0x80)
                return true;
    return false;
}

static int run(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    Json *items = json_new(cli->arena, JSON_ARRAY);
    Json *last = NULL;
    size_t n = 0;
    if (options->match_case && !options->regex)
        return error_set(err, ERR_USAGE, "--match-case needs --regex; words are found in any case");
    if (run_pages(cli, options, items, &last, &n, err) < 0)
        return -1;
    if (n == 0 && options->eval_set && api_check_id(cli, options->eval_set, err) < 0)
        return -1;
    if (options->json) {
        json_set(last, STR("items"), items);
        return print_json(cli, last, err);
    }
    if (n == 0)
        cli_say(cli, has_signs(options) ? "Nothing found. Words are letters and digits; emoji and "
                                          "other signs are found with --regex."
                                        : "Nothing found.");
    Str cursor = json_text(last, "next_cursor", STR_NONE);
    if (cursor.p)
        cli_say(cli, "There may be more: --cursor %.*s", STR_ARG(cursor));
    int64_t n_waiting = json_int(last, "not_indexed", 0);
    if (n_waiting > 0)
        cli_warn(cli, "%lld samples are not indexed yet", (long long)n_waiting);
    return 0;
}

const Command commands_search = {
    .path = "search",
    .section = COMMAND_LOOK,
    .summary = "Search transcripts, scores and metadata",
    .description =
        "Case does not count. All words must be in one message, score or note; several words in "
        "quotes must follow one another. Behind each hit stands its sample, and where it is in it: "
        "'hawk view-sample UUID --at PLACE' opens it there.",
    .examples = "hawk search connection refused\n"
                "hawk search '\"connection refused\" -timeout' --eval-set ID\n"
                "hawk search --regex 'exit code: [1-9]' --newest",
    .spec = {.rows = rows,
             .n_rows = ARRAY_LEN(rows),
             .args = args,
             .n_args = ARRAY_LEN(args),
             .size = sizeof(Options)},
    .run = run,
};
