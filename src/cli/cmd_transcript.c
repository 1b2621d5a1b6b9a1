/* hawk transcript, hawk transcripts: samples as Markdown or as the log has them. */

#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/term.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/remote_log.h"
#include "cli/settings.h"
#include "cli/transcript.h"

enum { PATH_MAX_BYTES = 8192, PAGE = 250, NAME_MAX_BYTES = 128 };

#define SAMPLE_MAX EVALLOG_SAMPLE_MAX

typedef struct Options {
    const char *id;
    const char *folder;
    int64_t limit;
    bool raw;
    bool json;
} Options;

/* clang-format off */
static const OptRow one_rows[] = {
    {"output-dir", 'o', OPT_FOLDER, offsetof(Options, folder), "Write a file into this folder instead of to standard output"},
    {"raw", 0, OPT_FLAG, offsetof(Options, raw), "The sample's JSON as the log has it"},
    {"json", 0, OPT_FLAG, offsetof(Options, json), "The same as --raw"},
};
static const OptRow all_rows[] = {
    {"output-dir", 'o', OPT_FOLDER, offsetof(Options, folder), "Write a file for each sample into this folder instead of all to standard output"},
    {"limit", 0, OPT_INT, offsetof(Options, limit), "How many samples at most; default: all", .min = 1},
    {"raw", 0, OPT_FLAG, offsetof(Options, raw), "The samples' JSON; on standard output one per line"},
    {"json", 0, OPT_FLAG, offsetof(Options, json), "The same as --raw"},
};
static const OptArg one_args[] = {
    {"SAMPLE_UUID", OPT_TEXT, offsetof(Options, id), "The sample", .completer = "samples"},
};
static const OptArg all_args[] = {
    {"EVAL_SET_ID", OPT_TEXT, offsetof(Options, id), "The eval set; default: the last one", .is_optional = true, .completer = "eval-sets"},
};
/* clang-format on */

/* The log that is open, for samples in a row are mostly of the same one. */
typedef struct Reader {
    Cli *cli;
    const Options *options;
    EvalLog *log;
    char *name;
    Buf sample;
    Buf text;
    size_t n_written;
} Reader;

static void reader_release(Reader *reader)
{
    evallog_close(reader->log);
    free(reader->name);
    buf_release(&reader->sample);
    buf_release(&reader->text);
}

static int open_log(Reader *reader, const char *name, Error *err)
{
    if (reader->name && strcmp(reader->name, name) == 0)
        return 0;
    evallog_close(reader->log);
    reader->log = NULL;
    free(reader->name);
    reader->name = NULL;
    if (remote_log_open(reader->cli, name, &reader->log, err) < 0)
        return error_wrap(err, "cannot read %s", name);
    reader->name = mem_strdup(name);
    return 0;
}

/* "<eval set>/<file>" from a sample's record. */
static const char *log_name(Arena *arena, const Json *sample)
{
    Str file = json_text(sample, "filename", json_text(sample, "location", STR_NONE));
    ptrdiff_t slash = str_rfind(file, '/');
    Str base = slash < 0 ? file : str_slice(file, (size_t)slash + 1, file.n);
    Str set = json_text(sample, "eval_set_id", STR_NONE);
    return arena_printf(arena, "%.*s/%.*s", STR_ARG(set), STR_ARG(base));
}

/* A uuid as a file's name: the server's word for it is not trusted. */
static const char *file_name(Arena *arena, Str uuid, const char *suffix)
{
    char *name = arena_strndup(arena, uuid.p, uuid.n < NAME_MAX_BYTES ? uuid.n : NAME_MAX_BYTES);
    for (char *p = name; *p; p++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-", *p))
            *p = '_';
    return arena_printf(arena, "%s%s", *name ? name : "sample", suffix);
}

static int write_out(Reader *reader, Str uuid, Error *err)
{
    const Options *options = reader->options;
    bool raw = options->raw || options->json;
    reader->n_written++;
    if (!options->folder)
        return raw ? print_json_text(reader->cli, buf_str(&reader->text), err)
                   : print_text(reader->cli, buf_str(&reader->text), err);
    const char *name = file_name(reader->cli->arena, uuid, raw ? ".json" : ".md");
    auto_free char *path = fs_join(options->folder, name);
    return fs_write_file(path, buf_str(&reader->text), 0644, err);
}

static int make_text(Reader *reader, const Json *sample, Error *err)
{
    const Options *options = reader->options;
    buf_reset(&reader->text);
    if (options->raw || options->json) {
        transcript_compact(buf_str(&reader->sample), &reader->text);
        buf_addc(&reader->text, '\n');
        return buf_check(&reader->text, "the sample", err);
    }
    if (!options->folder && reader->n_written > 0)
        buf_addz(&reader->text, "\n---\n\n");
    const EvalLogHeader *header = NULL;
    if (evallog_header(reader->log, &header, err) < 0)
        return -1;
    TranscriptAbout about = {.uuid = json_text(sample, "uuid", STR_NONE),
                             .eval_set_id = json_text(sample, "eval_set_id", STR_NONE),
                             .task = header->task,
                             .model = header->model};
    return transcript_write(buf_str(&reader->sample), &about, &reader->text, err);
}

static int write_sample(Reader *reader, const Json *sample, Error *err)
{
    Arena *arena = reader->cli->arena;
    Str id = print_member(arena, sample, "id");
    Str uuid = json_text(sample, "uuid", STR_NONE);
    const EvalLogSample *found = NULL;
    if (open_log(reader, log_name(arena, sample), err) < 0)
        return -1;
    if (evallog_find_sample(reader->log, id, json_int(sample, "epoch", 1), &found, err) < 0) {
        if (err->kind == ERR_NOT_FOUND)
            (void)error_fix(err,
                            "a sample that still runs has no transcript yet; 'hawk view-sample "
                            "%.*s' shows it live",
                            STR_ARG(uuid));
        return -1;
    }
    buf_reset(&reader->sample);
    if (evallog_read_sample(reader->log, found, &reader->sample, err) < 0 ||
        make_text(reader, sample, err) < 0)
        return -1;
    return write_out(reader, uuid, err);
}

static Reader new_reader(Cli *cli, const Options *options)
{
    return (Reader){.cli = cli,
                    .options = options,
                    .sample = BUF_INIT(SAMPLE_MAX),
                    .text = BUF_INIT(SAMPLE_MAX)};
}

static int prepare(const Options *options, Error *err)
{
    return options->folder ? fs_make_dirs(options->folder, 0755, err) : 0;
}

static int run_one(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    HAWK_CLEANUP(reader_release) Reader reader = new_reader(cli, options);
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    buf_addz(&path, "/meta/samples/");
    api_add_segment(&path, str_of(options->id));
    Json *sample = NULL;
    if (api_get(cli, path.data, &sample, err) < 0 || prepare(options, err) < 0)
        return -1;
    return write_sample(&reader, sample, err);
}

/* One page of samples; those that still run are counted and left out. Returns how many the page
 * had. */
static int write_page(Reader *reader, const char *id, int64_t page, size_t *running, Error *err)
{
    const Options *options = reader->options;
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    buf_addz(&path, "/meta/samples");
    api_add_query(&path, "eval_set_id", id);
    api_add_query_int(&path, "page", page);
    api_add_query_int(&path, "limit", PAGE);
    Json *answer = NULL;
    if (api_get(reader->cli, path.data, &answer, err) < 0)
        return -1;
    const Json *items = json_get(answer, "items");
    int n = 0;
    for (const Json *item = items ? items->first : NULL; item; item = item->next, n++) {
        if (options->limit && (int64_t)reader->n_written >= options->limit)
            return 0;
        if (json_bool(item, "is_provisional", false))
            ++*running;
        else if (write_sample(reader, item, err) < 0)
            return -1;
    }
    return n;
}

static int run_all(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    HAWK_CLEANUP(reader_release) Reader reader = new_reader(cli, options);
    const char *id = NULL;
    size_t running = 0;
    int n = PAGE;
    if (settings_id(cli, SETTINGS_EVAL_SET, options->id, &id, err) < 0 || prepare(options, err) < 0)
        return -1;
    for (int64_t page = 1; n == PAGE; page++) {
        n = write_page(&reader, id, page, &running, err);
        if (n < 0)
            return -1;
    }
    settings_keep_id(cli, SETTINGS_EVAL_SET, id);
    if (running)
        cli_warn(cli, "%zu samples still run and are left out", running);
    if (options->folder)
        cli_say(cli, "Wrote %zu transcripts to %s", reader.n_written, options->folder);
    else if (reader.n_written == 0)
        cli_say(cli, "No samples yet.");
    return 0;
}

#define SPEC(opt_rows, opt_args)                                                                   \
    .spec = {.rows = (opt_rows),                                                                   \
             .n_rows = ARRAY_LEN(opt_rows),                                                        \
             .args = (opt_args),                                                                   \
             .n_args = ARRAY_LEN(opt_args),                                                        \
             .size = sizeof(Options)}

const Command commands_transcript = {
    .path = "transcript",
    .section = COMMAND_FETCH,
    .summary = "Print a sample: its messages, tool calls and scores",
    .examples = "hawk transcript 8nPqS5mE2vKxWz7RtYb3Lc | less\n"
                "hawk transcript 8nPqS5mE2vKxWz7RtYb3Lc --raw | jq .scores",
    SPEC(one_rows, one_args),
    .run = run_one,
};

const Command commands_transcripts = {
    .path = "transcripts",
    .section = COMMAND_FETCH,
    .summary = "Print or write all samples of an eval set",
    .examples = "hawk transcripts --output-dir transcripts",
    SPEC(all_rows, all_args),
    .run = run_all,
};
