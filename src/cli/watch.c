/* Following an eval set. */

#include "cli/watch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/term.h"
#include "cli/api.h"
#include "cli/print.h"
#include "codec/json_out.h"
#include "jobs/phase.h"

enum {
    PATH_MAX_BYTES = 4096,
    TEXT_MAX = 1 << 20,
    POLL_FIRST_MS = 200,
    POLL_MAX_MS = 2000,
    LINE_EVERY_MS = 30000, /* without a terminal */
    RETRIES_MAX = 150,
    BAR_WIDTH = 20,
    NAME_WIDTH_MAX = 60,
    ARG_MAX = 30,       /* bytes of a value that tells tasks apart */
    COMPARED_MAX = 200, /* of more tasks of one name only the models are told */
    ROWS_BESIDE_TASKS = 10,
    TASKS_MIN = 5,
    TASKS_MAX = 1000, /* without a terminal */
    WAITING_MAX = 5,
};

static const char *const over[] = {"complete", "failed", "deleted"};

static bool is_over(Str status)
{
    for (size_t i = 0; i < ARRAY_LEN(over); i++)
        if (str_eqz(status, over[i]))
            return true;
    return false;
}

/* ---- counts ---- */

typedef struct Counts {
    const char *what; /* is counted */
    int64_t total;
    int64_t done; /* in any way */
    int64_t completed;
    int64_t running;
    int64_t errored;
    int64_t canceled;
    int64_t limit;
    int64_t waiting;
} Counts;

/* Of samples, or of the transcripts that scanners read. */
static Counts counts_of(const Json *data, const Json *progress)
{
    bool is_scan = str_eqz(json_text(data, "job_type", STR_NONE), "scan");
    Counts counts = {.what = is_scan ? "transcripts" : "samples",
                     .total = json_int(progress, "total", 0),
                     .completed = json_int(progress, "completed", 0),
                     .running = json_int(progress, "running", 0),
                     .errored = json_int(progress, "errored", 0),
                     .canceled = json_int(progress, "canceled", 0),
                     .limit = json_int(progress, "limit", 0),
                     .waiting = json_int(progress, "waiting", 0)};
    counts.done = counts.completed + counts.errored + counts.canceled + counts.limit;
    if (counts.done > counts.total)
        counts.done = counts.total;
    return counts;
}

/* "3/10 samples, 2 running, 1 error" */
static void add_counts(Buf *ret, const Counts *counts, bool colours)
{
    const struct {
        int64_t n;
        const char *word;
        TermColour colour;
    } parts[] = {{counts->running, "running", TERM_CYAN},
                 {counts->waiting, "waiting", TERM_YELLOW},
                 {counts->errored, "failed", TERM_RED},
                 {counts->limit, "at a limit", TERM_YELLOW},
                 {counts->canceled, "cancelled", TERM_YELLOW}};
    buf_printf(ret, "%lld/%lld %s", (long long)counts->done, (long long)counts->total,
               counts->what);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i].n == 0)
            continue;
        auto_free char *text = mem_printf("%lld %s", (long long)parts[i].n, parts[i].word);
        buf_addz(ret, ", ");
        term_add_colour(ret, colours, parts[i].colour, text);
    }
}

static void add_bar(Buf *ret, const Counts *counts)
{
    int64_t full = counts->total > 0 ? counts->done * BAR_WIDTH / counts->total : 0;
    buf_addc(ret, '[');
    for (int64_t i = 0; i < BAR_WIDTH; i++)
        buf_addc(ret, i < full ? '#' : '.');
    buf_addz(ret, "] ");
}

/* ---- drawing ---- */

static void add_padded(Buf *ret, Str text, size_t width)
{
    auto_buf Buf safe = BUF_INIT(TEXT_MAX);
    term_add_line(&safe, text);
    buf_add_str(ret, buf_str(&safe));
    for (size_t w = term_width(buf_str(&safe)); w < width; w++)
        buf_addc(ret, ' ');
}

static void add_trouble(Buf *ret, Str reason, bool colours)
{
    if (reason.n == 0)
        return;
    auto_buf Buf safe = BUF_INIT(TEXT_MAX);
    term_add_line(&safe, reason);
    buf_addz(ret, "  ");
    term_add_colour(ret, colours, TERM_RED, safe.data);
    buf_addc(ret, '\n');
}

static TermColour status_colour(Str status)
{
    if (str_eqz(status, "complete"))
        return TERM_GREEN;
    return str_eqz(status, "failed") || str_eqz(status, "stuck") ? TERM_RED : TERM_CYAN;
}

/* "id: status  3/10 samples, ..." */
static void add_summary(Buf *ret, const Json *data, bool colours)
{
    Counts counts = counts_of(data, json_get(data, "progress"));
    Str status = json_text(data, "status", STR("unknown"));
    auto_buf Buf word = BUF_INIT(TEXT_MAX);
    term_add_line(&word, status);
    term_add_line(ret, json_text(data, "job_id", STR_NONE));
    buf_addz(ret, ": ");
    term_add_colour(ret, colours, status_colour(status), word.data ? word.data : "");
    buf_addz(ret, ", ");
    add_counts(ret, &counts, colours);
    int64_t asked = json_int(data, "pending_interactions", 0);
    if (asked > 0)
        buf_printf(ret, ", %lld waiting for a person", (long long)asked);
    buf_addc(ret, '\n');
}

/* ---- tasks of one name ---- */

static bool is_namesake(const Json *task, const Json *other)
{
    return task != other &&
           str_eq(json_text(task, "task_name", STR_NONE), json_text(other, "task_name", STR_NONE));
}

/* Whether a namesake has another value of a member, or of an argument. */
static bool differs(const Json *tasks, const Json *task, const char *member, Str arg)
{
    const Json *mine = json_get(task, member);
    if (arg.p)
        mine = json_get_str(mine, arg);
    for (const Json *other = tasks->first; other; other = other->next) {
        const Json *theirs = json_get(other, member);
        if (arg.p)
            theirs = json_get_str(theirs, arg);
        if (is_namesake(task, other) &&
            !(mine && theirs ? json_equal(mine, theirs) : mine == theirs))
            return true;
    }
    return false;
}

static void add_value(Buf *ret, const Json *value)
{
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    json_out_node(&out, value);
    Str shown = value->type == JSON_STRING ? value->text : buf_str(&text);
    buf_add_str(ret, str_slice(shown, 0, ARG_MAX));
    buf_addz(ret, shown.n > ARG_MAX ? "..." : "");
}

/* The name of a task, and what tells it from others of that name: its model, its arguments. */
static void add_name(Buf *ret, const Json *tasks, const Json *task)
{
    size_t begin = ret->len;
    buf_add_str(ret, json_text(task, "task_name", STR_NONE));
    size_t end = ret->len;
    if (differs(tasks, task, "model", STR_NONE)) {
        buf_addc(ret, ' ');
        buf_add_str(ret, json_text(task, "model", STR_NONE));
    }
    const Json *args = tasks->n <= COMPARED_MAX ? json_get(task, "task_args") : NULL;
    for (const Json *arg = args ? args->first : NULL; arg && ret->len - begin < NAME_WIDTH_MAX;
         arg = arg->next)
        if (differs(tasks, task, "task_args", arg->key)) {
            buf_printf(ret, "%s%.*s=", ret->len > end ? ", " : " ", STR_ARG(arg->key));
            add_value(ret, arg);
        }
}

static size_t name_width(const Json *tasks)
{
    size_t width = 0;
    for (const Json *task = tasks ? tasks->first : NULL; task; task = task->next) {
        auto_buf Buf name = BUF_INIT(TEXT_MAX);
        add_name(&name, tasks, task);
        size_t n = term_width(buf_str(&name));
        width = n > width ? n : width;
    }
    return width < NAME_WIDTH_MAX ? width : NAME_WIDTH_MAX;
}

static void add_tasks(Buf *ret, const Json *data, size_t tasks_max, bool colours)
{
    const Json *tasks = json_get(data, "tasks");
    size_t width = name_width(tasks);
    size_t n = 0;
    for (const Json *task = tasks ? tasks->first : NULL; task; task = task->next) {
        auto_buf Buf name = BUF_INIT(TEXT_MAX);
        if (++n > tasks_max)
            break;
        Counts counts = counts_of(data, json_get(task, "progress"));
        add_name(&name, tasks, task);
        buf_addz(ret, "  ");
        add_padded(ret, buf_str(&name), width);
        buf_addc(ret, ' ');
        add_bar(ret, &counts);
        add_counts(ret, &counts, colours);
        int64_t found = json_int(task, "results", 0);
        if (found > 0)
            buf_printf(ret, ", %lld with results", (long long)found);
        buf_addc(ret, '\n');
        add_trouble(ret, json_text(task, "trouble_reason", STR_NONE), colours);
    }
    if (tasks && tasks->n > tasks_max)
        buf_printf(ret, "  ... and %zu more tasks\n", tasks->n - tasks_max);
}

static void add_waiting(Buf *ret, const Json *data)
{
    const Json *waiting = json_get(data, "waiting_samples");
    size_t n = 0;
    for (const Json *item = waiting ? waiting->first : NULL; item && n < WAITING_MAX;
         item = item->next, n++) {
        buf_addz(ret, "  waiting: ");
        term_add_line(ret, json_text(item, "sample_id", STR_NONE));
        buf_addc(ret, ' ');
        term_add_line(ret, json_text(item, "reason", STR_NONE));
        buf_addc(ret, ' ');
        term_add_line(ret, json_text(item, "detail", STR_NONE));
        buf_addc(ret, '\n');
    }
}

/* What a run that has begun is at, when that is not its samples. */
static const char *phase_of(const Json *data)
{
    const Json *pods = json_get(json_get(data, "pods"), "pods");
    const Json *parts = json_get(pods ? pods->first : NULL, "container_statuses");
    const Phase *phase = phase_find(json_text(parts ? parts->first : NULL, "reason", STR_NONE));
    return phase ? phase->text : NULL;
}

/* Why it does not run samples: it waits, or is at something else. */
static void add_admission(Buf *ret, const Json *data)
{
    const Json *admission = json_get(data, "admission");
    bool is_begun = str_eqz(json_text(admission, "state", STR_NONE), "admitted");
    Str reason = json_text(admission, "message", json_text(admission, "reason", STR_NONE));
    if (is_begun)
        reason = str_of(phase_of(data));
    if (!reason.n || is_over(json_text(data, "status", STR_NONE)) ||
        str_eq(reason, json_text(data, "trouble_reason", STR_NONE)))
        return;
    buf_addz(ret, "  ");
    term_add_line(ret, reason);
    buf_addc(ret, '\n');
}

static void add_status(Buf *ret, const Json *data, size_t tasks_max, bool colours)
{
    add_summary(ret, data, colours);
    add_trouble(ret, json_text(data, "trouble_reason", STR_NONE), colours);
    add_admission(ret, data);
    add_tasks(ret, data, tasks_max, colours);
    add_waiting(ret, data);
}

/* ---- following ---- */

typedef struct Watch {
    Cli *cli;
    const char *id;
    const WatchOptions *options;
    WatchResult *result;
    char *etag;
    char *summary;      /* the last line without a terminal */
    int64_t line_at_ms; /* when it was written */
    size_t n_drawn;     /* lines on the screen that are ours */
    int failures;
} Watch;

static void watch_release(Watch *watch)
{
    free(watch->etag);
    free(watch->summary);
}

static void redraw(Watch *watch, const Json *data)
{
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    if (watch->n_drawn)
        buf_printf(&text, "\033[%zuA\033[J", watch->n_drawn);
    /* What has gone over the top of the screen cannot be drawn over. */
    int fd = fileno(watch->options->out);
    int rows = term_rows(fd) - ROWS_BESIDE_TASKS;
    size_t from = text.len;
    add_status(&text, data, rows < TASKS_MIN ? TASKS_MIN : (size_t)rows, watch->options->colours);
    watch->n_drawn = term_height(str_slice(buf_str(&text), from, text.len), term_columns(fd));
    (void)fwrite(text.data, 1, text.len, watch->options->out);
}

/* Without a terminal: a line when something other than counts changed, else one now and then. */
static void write_line(Watch *watch, const Json *data, bool last)
{
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    if (watch->options->once || last) {
        add_status(&text, data, TASKS_MAX, false);
    } else {
        add_summary(&text, data, false);
        add_admission(&text, data);
    }
    Str status = json_text(data, "status", STR_NONE);
    int64_t now = clock_monotonic_ms();
    bool is_due = !watch->summary || now - watch->line_at_ms >= LINE_EVERY_MS || last ||
                  !str_eqz(status, watch->result->status);
    bool is_new = !watch->summary || strcmp(watch->summary, text.data) != 0;
    if (!is_due || !is_new)
        return;
    (void)fwrite(text.data, 1, text.len, watch->options->out);
    watch->line_at_ms = now;
    free(watch->summary);
    watch->summary = buf_take(&text);
}

static void write_json(Watch *watch, const Json *data)
{
    auto_buf Buf text = BUF_INIT(API_ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &text, watch->options->once ? 2 : 0);
    json_out_node(&out, data);
    buf_addc(&text, '\n');
    (void)fwrite(text.data, 1, text.len, watch->options->out);
}

static void show(Watch *watch, const Json *data)
{
    bool last = is_over(json_text(data, "status", STR_NONE));
    if (watch->options->is_quiet)
        return;
    if (watch->options->json)
        write_json(watch, data);
    else if (watch->options->redraws)
        redraw(watch, data);
    else
        write_line(watch, data, last);
    (void)fflush(watch->options->out);
}

static void set_why(WatchResult *result, Str reason, const char *otherwise)
{
    if (reason.n == 0)
        reason = str_of(otherwise);
    (void)snprintf(result->why, sizeof(result->why), "%.*s", STR_ARG(reason));
}

/* Whether another log of the same task came to a good end: an eval set tries failed tasks again. */
static bool was_mended(const Json *tasks, const Json *bad)
{
    Str id = json_text(bad, "task_id", STR_NONE);
    for (const Json *task = tasks->first; task && id.n; task = task->next)
        if (str_eq(json_text(task, "task_id", STR_NONE), id) &&
            str_eqz(json_text(task, "eval_status", STR_NONE), "success"))
            return true;
    return false;
}

/* The first task that did not come to a good end. */
static const Json *bad_task(const Json *data)
{
    const Json *tasks = json_get(data, "tasks");
    for (const Json *task = tasks ? tasks->first : NULL; task; task = task->next) {
        Str status = json_text(task, "eval_status", STR_NONE);
        if (status.n && !str_eqz(status, "success") && !was_mended(tasks, task))
            return task;
    }
    return NULL;
}

static void judge(WatchResult *result, const Json *data)
{
    Str status = json_text(data, "status", STR("unknown"));
    Str trouble = json_text(data, "trouble_reason", STR_NONE);
    Counts counts = counts_of(data, json_get(data, "progress"));
    const Json *bad = bad_task(data);
    (void)snprintf(result->status, sizeof(result->status), "%.*s", STR_ARG(status));
    result->is_over = is_over(status);
    result->succeeded = false;
    result->why[0] = '\0';
    if (!str_eqz(status, "complete")) {
        set_why(result, trouble, "");
    } else if (bad) {
        Str name = json_text(bad, "task_name", STR_NONE);
        Str ended = json_text(bad, "eval_status", STR_NONE);
        auto_free char *text =
            mem_printf("task %.*s ended with status %.*s", STR_ARG(name), STR_ARG(ended));
        set_why(result, trouble, text);
    } else if (counts.errored > 0 && counts.completed == 0) {
        auto_free char *text = mem_printf("all %s failed", counts.what);
        set_why(result, trouble, text);
    } else {
        result->succeeded = true;
    }
}

/* One question. 1: something new was shown, 0: nothing new, -1: failure. */
static int ask(Watch *watch, Error *err)
{
    Api *api = NULL;
    if (cli_api(watch->cli, &api, err) < 0)
        return -1;
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    api_add_job_path(&path, watch->id, "eval-set-status");
    auto_buf Buf body = BUF_INIT(API_ANSWER_MAX);
    ApiCall call = {.path = path.data, .if_none_match = watch->etag};
    int status = 0;
    if (api_send(api, &call, &body, &status, err) < 0)
        return -1;
    if (status == 304)
        return 0;
    Json *answer = NULL;
    if (api_parse(watch->cli->arena, buf_str(&body), &answer, err) < 0)
        return -1;
    const Json *data = json_get(answer, "data");
    if (!data || data->type != JSON_OBJECT)
        return error_set(err, ERR_BAD_DATA, "the server's answer has no data");
    Str etag = json_text(answer, "etag", STR_NONE);
    free(watch->etag);
    watch->etag = etag.n ? mem_strndup(etag.p, etag.n) : NULL;
    show(watch, data);
    judge(watch->result, data);
    return 1;
}

static int follow(Watch *watch, Error *err)
{
    Arena *outer = watch->cli->arena;
    auto_arena Arena *round = arena_new();
    int pause_ms = POLL_FIRST_MS;
    for (;;) {
        auto_error Error failure = ERROR_INIT;
        watch->cli->arena = round;
        int news = ask(watch, &failure);
        watch->cli->arena = outer;
        arena_reset(round);
        if (news < 0 &&
            (watch->options->once || !api_may_pass(&failure) || ++watch->failures > RETRIES_MAX))
            return error_move(err, &failure);
        if (news >= 0)
            watch->failures = 0;
        if (watch->options->once || (news >= 0 && watch->result->is_over))
            return 0;
        pause_ms = news > 0 ? POLL_FIRST_MS : pause_ms * 3 / 2;
        if (pause_ms > POLL_MAX_MS)
            pause_ms = POLL_MAX_MS;
        (void)usleep((useconds_t)pause_ms * 1000);
    }
}

int watch_follow(Cli *cli, const char *id, const WatchOptions *options, WatchResult *ret,
                 Error *err)
{
    WatchResult result = {0};
    HAWK_CLEANUP(watch_release)
    Watch watch = {.cli = cli, .id = id, .options = options, .result = &result};
    if (follow(&watch, err) < 0)
        return -1;
    *ret = result;
    return 0;
}

int watch_submitted(Cli *cli, const char *id, bool is_quiet, WatchResult *ret, Error *err)
{
    const WatchOptions options = {.out = stderr,
                                  .redraws = cli->err_is_tty,
                                  .colours = cli->err_colours,
                                  .is_quiet = is_quiet};
    return watch_follow(cli, id, &options, ret, err);
}

bool watch_job_is_over(Cli *cli, const char *id)
{
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    api_add_job_path(&path, id, "job-status");
    Json *answer = NULL;
    auto_error Error ignored = ERROR_INIT;
    return api_get_path(cli, &path, &answer, &ignored) == 0 &&
           is_over(json_text(answer, "status", STR_NONE));
}
