/* Processes, lent for one request each, and the frames of their answers (embed/hawk_scout.py). */

#include "server/scout.h"

#include <errno.h>
#include <glob.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/process.h"
#include "codec/json.h"
#include "codec/json_out.h"
#include "jobs/venv_cache.h"
#include "server/frames.h"
#include "server_embed.h"

enum {
    HELPERS_MAX = 2,
    WAIT_MS = 60 * 1000,
    BEGIN_MS = 120 * 1000, /* a process that starts imports all of Scout first */
    READ_WAIT_MS = 200,
    READ_STEP = 64 << 10,
    HELD_MAX = 1 << 20,
    REQUEST_MAX = 4 << 20,
    PIECE_MAX = 1 << 30,
    SEND_MAX = 4 << 20,
    TYPE_MAX = 120,
};

typedef struct Helper {
    Process process;
    int in_use; /* keeps its virtualenv in the cache */
    Buf held;   /* read, not used yet */
    bool is_running;
    bool is_lent;
} Helper;

struct Scout {
    char *cache_dir;
    pthread_mutex_t lock; /* of the helpers */
    pthread_cond_t freed;
    Helper helpers[HELPERS_MAX];
};

struct ScoutAnswer {
    Scout *scout;
    Helper *helper;
    int status;
    char type[TYPE_MAX];
    size_t left; /* of the piece at hand */
    bool is_over;
};

Scout *scout_new(const char *cache_dir)
{
    Scout *scout = mem_alloc(sizeof(*scout));
    scout->cache_dir = mem_strdup(cache_dir);
    pthread_mutex_init(&scout->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&scout->freed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    for (size_t i = 0; i < HELPERS_MAX; i++)
        scout->helpers[i] =
            (Helper){.process = PROCESS_INIT, .in_use = -1, .held = BUF_INIT(HELD_MAX)};
    return scout;
}

static void end_helper(Helper *helper)
{
    process_release(&helper->process);
    helper->process = PROCESS_INIT;
    fs_close_cleanup(&helper->in_use);
    helper->in_use = -1;
    buf_reset(&helper->held);
    helper->is_running = false;
}

void scout_free(Scout *scout)
{
    if (!scout)
        return;
    for (size_t i = 0; i < HELPERS_MAX; i++) {
        end_helper(&scout->helpers[i]);
        buf_release(&scout->helpers[i].held);
    }
    pthread_cond_destroy(&scout->freed);
    pthread_mutex_destroy(&scout->lock);
    free(scout->cache_dir);
    free(scout);
}

/* --- which virtualenv --- */

/* The packages' folder of the virtualenv used last that is whole and has Scout; the caller frees.
 */
static char *find_packages(const Scout *scout)
{
    auto_free char *pattern =
        fs_join(scout->cache_dir, "venvs/*/lib/python3*/site-packages/inspect_scout");
    glob_t found = {0};
    char *best = NULL;
    int64_t best_s = -1;
    if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++) {
            auto_free char *ready = fs_join(found.gl_pathv[i], "../../../../ready");
            struct stat st;
            if (stat(ready, &st) < 0 || (int64_t)st.st_mtim.tv_sec <= best_s)
                continue;
            best_s = (int64_t)st.st_mtim.tv_sec;
            free(best);
            best = mem_strdup(found.gl_pathv[i]);
        }
    globfree(&found);
    return best;
}

static int no_scout(Error *err)
{
    (void)error_set(err, ERR_NOT_FOUND, "Inspect Scout is not on this machine yet");
    return error_fix(err, "it comes with the first scan that is run here: hawk scan run");
}

int scout_dist(Scout *scout, Arena *arena, const char **ret, Error *err)
{
    auto_free char *packages = find_packages(scout);
    auto_free char *dist = packages ? fs_join(packages, "_view/dist") : NULL;
    auto_free char *index = dist ? fs_join(dist, "index.html") : NULL;
    if (!index || !fs_exists(index))
        return no_scout(err);
    *ret = arena_strdup(arena, dist);
    return 0;
}

/* --- a process --- */

static int start_helper(const Scout *scout, Helper *helper, Error *err)
{
    auto_free char *packages = find_packages(scout);
    auto_free char *venv = packages ? venv_cache_dir_of(packages) : NULL;
    if (venv && venv_cache_use(venv, &helper->in_use, err) < 0)
        return -1;
    if (helper->in_use < 0)
        return no_scout(err);
    auto_free char *python = fs_join(packages, "../../../../bin/python");
    auto_free char *program =
        mem_strndup((const char *)embed_hawk_scout_py.data, embed_hawk_scout_py.size);
    auto_process_env ProcessEnv env = {0};
    frames_env(&env, true);
    process_env_set(&env, "SCOUT_DISPLAY", "none");
    const char *const argv[] = {python, "-I", "-c", program, NULL};
    const ProcessOptions options = {.argv = argv,
                                    .envp = env.items,
                                    .cwd = scout->cache_dir,
                                    .in = PROCESS_PIPE,
                                    .out = PROCESS_PIPE,
                                    .err = PROCESS_NULL,
                                    .own_group = true};
    if (process_start(&options, &helper->process, err) < 0) {
        end_helper(helper);
        return error_wrap(err, "cannot start Scout's viewer");
    }
    helper->is_running = true;
    return 0;
}

/* One that is free, running ones first; NULL when none is within the time. */
static Helper *lend(Scout *scout)
{
    Helper *lent = NULL;
    struct timespec until = clock_deadline(WAIT_MS);
    pthread_mutex_lock(&scout->lock);
    for (int waited = 0; !lent && waited == 0;) {
        for (size_t i = 0; i < HELPERS_MAX; i++) {
            Helper *helper = &scout->helpers[i];
            if (!helper->is_lent && (!lent || (helper->is_running && !lent->is_running)))
                lent = helper;
        }
        if (!lent)
            waited = pthread_cond_timedwait(&scout->freed, &scout->lock, &until);
    }
    if (lent)
        lent->is_lent = true;
    pthread_mutex_unlock(&scout->lock);
    return lent;
}

static void give_back(Scout *scout, Helper *helper)
{
    pthread_mutex_lock(&scout->lock);
    helper->is_lent = false;
    pthread_cond_signal(&scout->freed);
    pthread_mutex_unlock(&scout->lock);
}

/* Reads once, waiting up to wait_ms: 1 when something came, 0 when not, -1 at the end. */
static int read_some(Helper *helper, int wait_ms)
{
    struct pollfd more = {.fd = helper->process.out, .events = POLLIN};
    if (poll(&more, 1, wait_ms) <= 0)
        return 0;
    char *room = buf_room(&helper->held, READ_STEP);
    if (!room)
        return -1;
    ssize_t n = read(helper->process.out, room, READ_STEP);
    if (n < 0 && errno == EINTR)
        return 0;
    if (n <= 0)
        return -1;
    buf_grew(&helper->held, (size_t)n);
    return 1;
}

static int broken(Error *err)
{
    return error_set(err, ERR_FAILED, "Scout's viewer broke off");
}

/* Takes a line; 1 when there was a whole one, 0 when not within the time. */
static int take_line(Helper *helper, int wait_ms, Buf *ret, Error *err)
{
    int64_t until_ms = clock_monotonic_ms() + wait_ms;
    for (;;) {
        ptrdiff_t end = str_find(buf_str(&helper->held), '\n');
        if (end >= 0) {
            buf_add(ret, helper->held.data, (size_t)end);
            buf_consume(&helper->held, (size_t)end + 1);
            return 1;
        }
        int64_t left_ms = until_ms - clock_monotonic_ms();
        if (left_ms <= 0)
            return 0;
        if (read_some(helper, (int)left_ms) < 0)
            return broken(err);
    }
}

/* --- asking --- */

static int send_request(const Helper *helper, const ScoutRequest *request, Error *err)
{
    auto_buf Buf line = BUF_INIT(REQUEST_MAX);
    JsonOut out;
    json_out_init(&out, &line, 0);
    json_out_object(&out);
    json_out_kvz(&out, "method", request->method);
    json_out_kvz(&out, "path", request->path);
    json_out_kvz(&out, "query", request->query);
    json_out_kv_str(&out, "body", request->body);
    json_out_kvz(&out, "root", request->root);
    json_out_end_object(&out);
    buf_addc(&line, '\n');
    if (buf_check(&line, "the request", err) < 0)
        return -1;
    return fs_write_all(helper->process.in, line.data, line.len, err);
}

static int read_head(ScoutAnswer *answer, Error *err)
{
    auto_arena Arena *arena = arena_new();
    auto_buf Buf line = BUF_INIT(HELD_MAX);
    Json *head = NULL;
    int found = take_line(answer->helper, BEGIN_MS, &line, err);
    if (found < 0)
        return -1;
    if (found == 0)
        return error_set(err, ERR_TIMEOUT, "Scout's viewer does not answer");
    if (json_parse(arena, buf_str(&line), &json_limits_config, &head, err) < 0)
        return error_wrap(err, "Scout's viewer");
    Str type = json_text(head, "type", STR("application/octet-stream"));
    answer->status = (int)json_int(head, "status", 500);
    (void)snprintf(answer->type, sizeof(answer->type), "%.*s", STR_ARG(type));
    return 0;
}

int scout_ask(Scout *scout, const ScoutRequest *request, ScoutAnswer **ret, Error *err)
{
    Helper *helper = lend(scout);
    if (!helper)
        return error_set(err, ERR_BUSY, "Scout's viewer is busy");
    ScoutAnswer *answer = mem_alloc(sizeof(*answer));
    *answer = (ScoutAnswer){.scout = scout, .helper = helper};
    if ((!helper->is_running && start_helper(scout, helper, err) < 0) ||
        send_request(helper, request, err) < 0 || read_head(answer, err) < 0) {
        scout_answer_free(answer);
        return -1;
    }
    *ret = answer;
    return 0;
}

int scout_answer_status(const ScoutAnswer *answer)
{
    return answer->status;
}

const char *scout_answer_type(const ScoutAnswer *answer)
{
    return answer->type;
}

/* Moves what is held of the piece at hand. */
static void move_held(ScoutAnswer *answer, Buf *out)
{
    Buf *held = &answer->helper->held;
    size_t n = held->len < answer->left ? held->len : answer->left;
    buf_add(out, held->data, n);
    buf_consume(held, n);
    answer->left -= n;
}

/* The size of the next piece: 1 when it is known, 0 when not yet. */
static int next_piece(ScoutAnswer *answer, Error *err)
{
    auto_buf Buf line = BUF_INIT(TYPE_MAX);
    int64_t size = 0;
    int found = take_line(answer->helper, READ_WAIT_MS, &line, err);
    if (found <= 0)
        return found;
    if (str_to_i64(buf_str(&line), 0, PIECE_MAX, &size) < 0)
        return broken(err);
    answer->left = (size_t)size;
    answer->is_over = size == 0;
    return 1;
}

int scout_answer_next(ScoutAnswer *answer, Buf *out, Error *err)
{
    size_t before = out->len;
    while (!answer->is_over && out->len - before < SEND_MAX) {
        if (answer->left == 0) {
            int found = next_piece(answer, err);
            if (found <= 0)
                return found < 0 ? -1 : 1;
            continue;
        }
        if (answer->helper->held.len == 0) {
            int came = read_some(answer->helper, READ_WAIT_MS);
            if (came < 0)
                return broken(err);
            if (came == 0)
                return 1;
        }
        move_held(answer, out);
    }
    return !answer->is_over;
}

void scout_answer_free(ScoutAnswer *answer)
{
    if (!answer)
        return;
    if (!answer->is_over)
        end_helper(answer->helper);
    give_back(answer->scout, answer->helper);
    free(answer);
}
