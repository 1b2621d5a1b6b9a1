/* hawk transcript, hawk transcripts: samples as Markdown, as HTML or as the log has them. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/term.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/remote_log.h"
#include "cli/settings.h"
#include "evallog/transcript.h"

enum { PATH_MAX_BYTES = 8192, PAGE = 250, NAME_MAX_BYTES = 128, PIECE_MAX = 1 << 30 };

typedef struct Options {
    const char *id;
    const char *folder;
    const char *format;
    int64_t limit;
    bool raw;
    bool json;
} Options;

/* clang-format off */
static const OptRow one_rows[] = {
    {"output-dir", 'o', OPT_FOLDER, offsetof(Options, folder), "Write a file into this folder instead of to standard output"},
    {"format", 0, OPT_CHOICE, offsetof(Options, format), "Markdown, one HTML file, or the sample's JSON as the log has it", .fallback = "md", .choices = "md|html|json"},
    {"raw", 0, OPT_FLAG, offsetof(Options, raw), "The same as --format json"},
    {"json", 0, OPT_FLAG, offsetof(Options, json), "The same as --format json"},
};
static const OptRow all_rows[] = {
    {"output-dir", 'o', OPT_FOLDER, offsetof(Options, folder), "Write a file for each sample into this folder instead of all to standard output"},
    {"limit", 0, OPT_INT, offsetof(Options, limit), "How many samples at most; default: all", .min = 1},
    {"format", 0, OPT_CHOICE, offsetof(Options, format), "Markdown, an HTML file for each (with --output-dir), or the samples' JSON, on standard output one per line", .fallback = "md", .choices = "md|html|json"},
    {"raw", 0, OPT_FLAG, offsetof(Options, raw), "The same as --format json"},
    {"json", 0, OPT_FLAG, offsetof(Options, json), "The same as --format json"},
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
    TranscriptFormat format;
    EvalLog *log;
    char *name;
    size_t n_written;
} Reader;

static void reader_release(Reader *reader)
{
    evallog_close(reader->log);
    free(reader->name);
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

static int write_piece(Reader *reader, int fd, Str piece, Error *err)
{
    if (fd >= 0)
        return fs_write_all(fd, piece.p, piece.n, err);
    return reader->format == TRANSCRIPT_JSON ? print_json_text(reader->cli, piece, err)
                                             : print_text(reader->cli, piece, err);
}

static int write_pieces(Reader *reader, Transcript *transcript, int fd, Error *err)
{
    auto_buf Buf piece = BUF_INIT(PIECE_MAX);
    int more = 1;
    while (more == 1) {
        buf_reset(&piece);
        more = transcript_step(transcript, &piece, err);
        if (more < 0 || write_piece(reader, fd, buf_str(&piece), err) < 0)
            return -1;
    }
    return 0;
}

/* To standard output, or to a file that appears when it is whole. */
static int write_out(Reader *reader, Transcript *transcript, Str uuid, Error *err)
{
    const Options *options = reader->options;
    if (!options->folder) {
        bool is_later = reader->n_written > 0 && reader->format == TRANSCRIPT_MARKDOWN;
        if (is_later && cli_put(reader->cli, STR("\n---\n\n"), err) < 0)
            return -1;
        return write_pieces(reader, transcript, -1, err);
    }
    const char *suffix =
        arena_printf(reader->cli->arena, ".%s", transcript_format_name(reader->format));
    auto_free char *path = fs_join(options->folder, file_name(reader->cli->arena, uuid, suffix));
    auto_free char *part = mem_printf("%s.part-%d", path, (int)getpid());
    auto_fd int fd = fs_open(part, O_WRONLY | O_CREAT | O_TRUNC, 0644, err);
    if (fd < 0)
        return -1;
    if (write_pieces(reader, transcript, fd, err) < 0) {
        (void)unlink(part);
        return -1;
    }
    if (rename(part, path) < 0)
        return error_errno(err, errno, "cannot write %s", path);
    return 0;
}

static int write_transcript(Reader *reader, const EvalLogSample *found, const Json *sample,
                            Error *err)
{
    auto_sample_parts SampleParts *parts = NULL;
    auto_transcript Transcript *transcript = NULL;
    const EvalLogHeader *header = NULL;
    if (evallog_header(reader->log, &header, err) < 0 ||
        sample_parts_open(reader->log, found, &parts, err) < 0)
        return -1;
    const TranscriptAbout about = {.uuid = json_text(sample, "uuid", STR_NONE),
                                   .eval_set_id = json_text(sample, "eval_set_id", STR_NONE),
                                   .task = header->task,
                                   .model = header->model};
    if (transcript_open(parts, &about, reader->format, &transcript, err) < 0)
        return -1;
    (void)TAKE(parts);
    if (write_out(reader, transcript, about.uuid, err) < 0)
        return -1;
    reader->n_written++;
    return 0;
}

/* The folder is made for the first sample, not for a mistyped id. */
static int prepare(const Options *options, Error *err)
{
    return options->folder ? fs_make_dirs(options->folder, 0755, err) : 0;
}

static int write_sample(Reader *reader, const Json *sample, Error *err)
{
    Arena *arena = reader->cli->arena;
    Str id = print_member(arena, sample, "id");
    Str uuid = json_text(sample, "uuid", STR_NONE);
    const EvalLogSample *found = NULL;
    if (prepare(reader->options, err) < 0 || open_log(reader, log_name(arena, sample), err) < 0)
        return -1;
    if (evallog_find_sample(reader->log, id, json_int(sample, "epoch", 1), &found, err) < 0) {
        if (err->kind == ERR_NOT_FOUND)
            (void)error_fix(err,
                            "a sample that still runs has no transcript yet; 'hawk view-sample "
                            "%.*s' shows it live",
                            STR_ARG(uuid));
        return -1;
    }
    return write_transcript(reader, found, sample, err);
}

static Reader new_reader(Cli *cli, const Options *options)
{
    Reader reader = {.cli = cli, .options = options};
    if (options->raw || options->json)
        reader.format = TRANSCRIPT_JSON;
    else
        (void)transcript_format_find(str_of(options->format), &reader.format);
    return reader;
}

static int run_one(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    HAWK_CLEANUP(reader_release) Reader reader = new_reader(cli, options);
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    buf_addz(&path, "/meta/samples/");
    api_add_segment(&path, str_of(options->id));
    Json *sample = NULL;
    if (api_get_path(cli, &path, &sample, err) < 0)
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
    if (api_get_path(reader->cli, &path, &answer, err) < 0)
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
    if (reader.format == TRANSCRIPT_HTML && !options->folder)
        return error_set(err, ERR_USAGE,
                         "each sample is an HTML file of its own; name a folder with --output-dir");
    if (settings_id(cli, SETTINGS_EVAL_SET, options->id, &id, err) < 0)
        return -1;
    for (int64_t page = 1; n == PAGE; page++) {
        n = write_page(&reader, id, page, &running, err);
        if (n < 0 || (page == 1 && n == 0 && api_check_id(cli, id, err) < 0))
            return -1;
    }
    if (running || reader.n_written > 0)
        settings_keep_id(cli, SETTINGS_EVAL_SET, id);
    if (running)
        cli_warn(cli, "%zu samples still run and are left out", running);
    if (options->folder)
        cli_say(cli, "Wrote %zu transcripts to %s", reader.n_written, options->folder);
    else if (reader.n_written == 0)
        cli_say(cli, "No samples yet in %s.", id);
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
                "hawk transcript 8nPqS5mE2vKxWz7RtYb3Lc --raw | jq .scores\n"
                "hawk transcript 8nPqS5mE2vKxWz7RtYb3Lc --format html > sample.html",
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
