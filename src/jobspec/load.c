/* Reading a config: bytes to tree to checked spec. Syntax errors become diagnostics like all
 * others. */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "codec/yaml.h"
#include "jobspec/check_priv.h"
#include "jobspec/jobspec.h"
#include "jobspec/schema_priv.h"

/* Aliases may expand to this many values: far above any real config, far below what hurts. */
enum { NODES_MAX = 200000 };

const char *jobspec_kind_name(JobspecKind kind)
{
    static const char *const names[] = {
        [JOBSPEC_ANY] = "config",
        [JOBSPEC_EVAL_SET] = "eval-set",
        [JOBSPEC_SCAN] = "scan",
    };
    return names[kind];
}

/* "line L column C" of an error "<file>:L:C: message", which is what remains in *message. */
static void split_place(const char *file, Str *message, int *ret_line, int *ret_column)
{
    Str rest = *message;
    Str line = STR_NONE;
    Str column = STR_NONE;
    int64_t numbers[2] = {0};
    if (!str_starts(rest, str_of(file)))
        return;
    rest = str_slice(rest, strlen(file), rest.n);
    if (rest.n == 0 || rest.p[0] != ':')
        return;
    rest = str_slice(rest, 1, rest.n);
    if (!str_split(&rest, ':', &line) || str_to_i64(line, 0, INT32_MAX, &numbers[0]) < 0) {
        *message = str_trim(str_slice(*message, strlen(file) + 1, message->n));
        return;
    }
    if (!str_split(&rest, ':', &column) || str_to_i64(column, 0, INT32_MAX, &numbers[1]) < 0)
        return;
    *message = str_trim(rest);
    *ret_line = (int)numbers[0];
    *ret_column = (int)numbers[1];
}

/* Turns an error about the file as a whole, or its syntax, into a diagnostic. */
static void report_file(Diagnostics *list, const char *file, const Error *cause)
{
    Str message = str_of(error_text(cause));
    Diagnostic item = {.severity = DIAGNOSTIC_ERROR, .file = file, .fix = cause->fix};
    split_place(file, &message, &item.line, &item.column);
    item.message = arena_strndup(list->arena, message.p, message.n);
    diagnostics_add(list, &item);
}

/* One line for callers that do not show the list. */
static int fail(const Diagnostics *list, size_t from, const char *file, size_t n_errors, Error *err)
{
    const Diagnostic *first = NULL;
    for (size_t i = from; i < list->n && !first; i++)
        if (list->items[i].severity == DIAGNOSTIC_ERROR)
            first = &list->items[i];
    if (!first)
        return error_set(err, ERR_BAD_DATA, "%s: %zu errors", file, n_errors);
    (void)error_set(err, ERR_BAD_DATA, "%s:%d:%d: %s%s%s", file, first->line, first->column,
                    first->path, first->path[0] ? ": " : "", first->message);
    if (first->fix)
        (void)error_fix(err, "%s", first->fix);
    if (n_errors > 1)
        (void)error_wrap(err, "%zu errors, the first", n_errors);
    return error_code(err, "config.invalid");
}

static JobspecKind kind_of(const Json *document)
{
    bool is_scan = !json_get(document, "tasks") &&
                   (json_get(document, "scanners") || json_get(document, "transcripts"));
    return is_scan ? JOBSPEC_SCAN : JOBSPEC_EVAL_SET;
}

static void report_non_bmp(Check *check, const Json *node, const CheckPath *path)
{
    uint32_t codepoint = 0;
    Json own = {.type = node->type, .key = node->key, .text = node->text};
    if (jobspec_has_non_bmp(&own, &codepoint))
        check_error(check, node, path, "remove it",
                    "the character U+%04X cannot be passed on to the cluster", (unsigned)codepoint);
    size_t i = 0;
    for (const Json *child = node->first; child; child = child->next, i++) {
        CheckPath sub = {.up = path, .key = child->key, .index = i};
        report_non_bmp(check, child, &sub);
    }
}

/* The walk itself; NULL when the document is not even the right kind of thing. */
static const Json *check_document(Check *check, const Json *document)
{
    if (document->type != JSON_OBJECT) {
        check_error(check, document, NULL, NULL, "expected the fields of %s, found %s",
                    check->kind == JOBSPEC_SCAN ? "a scan" : "an eval set",
                    document->type == JSON_NULL ? "nothing" : check_shown(check, document));
        return NULL;
    }
    if (check->kind == JOBSPEC_EVAL_SET && kind_of(document) == JOBSPEC_SCAN) {
        check_error(check, document, NULL, "run it with `hawk scan run`",
                    "this is a scan, not an eval set: it has no `tasks`");
        return NULL;
    }
    if (check->kind == JOBSPEC_SCAN && json_get(document, "tasks") &&
        !json_get(document, "scanners")) {
        check_error(check, document, NULL, "run it with `hawk eval-set run`",
                    "this is an eval set, not a scan: it has no `scanners`");
        return NULL;
    }
    if (check->options.refuse_non_bmp)
        report_non_bmp(check, document, NULL);
    return check_object(check, schema_of(check->kind), document, NULL);
}

int jobspec_check(Arena *arena, const Json *document, const char *file, JobspecKind kind,
                  const JobspecOptions *options, Diagnostics *list, Jobspec **ret, Error *err)
{
    size_t from = list->n;
    size_t errors_before = list->n_errors;
    Check check = {
        .arena = arena,
        .list = list,
        .file = arena_strdup(arena, file),
        .kind = kind == JOBSPEC_ANY ? kind_of(document) : kind,
        .options = options ? *options : (JobspecOptions){0},
    };
    const Json *full = check_document(&check, document);
    diagnostics_sort(list, from);
    if (!full || list->n_errors > errors_before)
        return fail(list, from, file, list->n_errors - errors_before, err);
    Jobspec *spec = arena_alloc(arena, sizeof(*spec));
    *spec = (Jobspec){.kind = check.kind, .file = check.file, .written = document, .full = full};
    *ret = spec;
    return 0;
}

int jobspec_load_text(Arena *arena, Str text, const char *file, JobspecKind kind,
                      const JobspecOptions *options, Diagnostics *list, Jobspec **ret, Error *err)
{
    JsonLimits limits = json_limits_config;
    limits.bytes = JOBSPEC_BYTES_MAX;
    limits.nodes = NODES_MAX;
    Json *document = NULL;
    size_t from = list->n;
    auto_error Error cause = ERROR_INIT;
    if (yaml_parse(arena, text, file, &limits, &document, &cause) < 0) {
        report_file(list, file, &cause);
        return fail(list, from, file, 1, err);
    }
    return jobspec_check(arena, document, file, kind, options, list, ret, err);
}

static int read_all(int fd, const char *file, Buf *body, Error *err)
{
    for (;;) {
        char chunk[16384];
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, errno, "cannot read %s", file);
        if (n == 0)
            return 0;
        buf_add(body, chunk, (size_t)n);
        if (buf_check(body, file, err) < 0)
            return error_fix(err, "a config is a few kilobytes: is this the right file?");
    }
}

static int read_config(const char *path, const char *file, Buf *body, Error *err)
{
    if (strcmp(path, "-") == 0)
        return read_all(STDIN_FILENO, file, body, err);
    auto_fd int fd = fs_open(path, O_RDONLY | O_NOCTTY, 0, err);
    if (fd < 0)
        return -1;
    struct stat status;
    if (fstat(fd, &status) < 0)
        return error_errno(err, errno, "cannot read %s", path);
    if (S_ISDIR(status.st_mode))
        return error_set(err, ERR_USAGE, "%s is a folder, not a config", path);
    if (S_ISREG(status.st_mode) && status.st_size > JOBSPEC_BYTES_MAX) {
        (void)error_set(err, ERR_BAD_DATA, "%s: the file has %lld bytes, over the limit of %d",
                        file, (long long)status.st_size, JOBSPEC_BYTES_MAX);
        return error_fix(err, "a config is a few kilobytes: is this the right file?");
    }
    return read_all(fd, file, body, err);
}

int jobspec_load_file(Arena *arena, const char *path, JobspecKind kind,
                      const JobspecOptions *options, Diagnostics *list, Str *ret_text,
                      Jobspec **ret, Error *err)
{
    const char *file = strcmp(path, "-") == 0 ? "<stdin>" : path;
    auto_buf Buf body = BUF_INIT(JOBSPEC_BYTES_MAX);
    if (ret_text)
        *ret_text = STR_NONE;
    if (read_config(path, file, &body, err) < 0) {
        report_file(list, file, err);
        return -1;
    }
    Str text = arena_str(arena, buf_str(&body));
    if (ret_text)
        *ret_text = text;
    return jobspec_load_text(arena, text, file, kind, options, list, ret, err);
}
