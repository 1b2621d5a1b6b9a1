/* Statements about the table `job`. */

#include "jobs/job_table.h"

#include <stdio.h>

#include "access/access.h"
#include "base/clock.h"
#include "base/random.h"
#include "codec/json.h"
#include "codec/json_out.h"
#include "jobs/status.h"
#include "jobs_embed.h"
#include "sql/cursor.h"
#include "sql/like.h"

enum { LIST_TEXT_MAX = 256 * 1024, STATES_TEXT_MAX = 128, STATEMENT_MAX = 4096, WORDS_MAX = 8 };

static const SqlMigration migrations[] = {
    {1, &embed_sqlite_0001_job_sql, &embed_postgres_0001_job_sql},
    {2, &embed_sqlite_0002_retries_sql, &embed_postgres_0002_retries_sql},
    {3, &embed_sqlite_0003_job_token_sql, &embed_postgres_0003_job_token_sql},
    {4, &embed_sqlite_0004_job_home_sql, &embed_postgres_0004_job_home_sql},
};

/* The order of read_row. */
#define COLUMNS                                                                                    \
    "job_id, job_type, created_by, email, launch_attempted, model_groups, priority, "              \
    "secret_names, state, reason_code, reason, attempt, exit_code, created_at, updated_at, "       \
    "queued_at, started_at, finished_at, deleted_at, failed_at, retries, home"

/* The status of a job as far as the table knows it: imports are another's business. */
#define STATUS                                                                                     \
    "CASE WHEN deleted_at IS NOT NULL THEN 'deleted' WHEN state = 'queued' THEN 'pending' "        \
    "WHEN state IN ('running', 'stopping') THEN 'running' WHEN state = 'complete' "                \
    "THEN 'complete' ELSE 'failed' END"

int job_table_migrate(Sql *sql, Error *err)
{
    return sql_migrate(sql, "jobs", migrations, ARRAY_LEN(migrations), err);
}

/* ---- reading ---- */

static const char *keep(Arena *arena, Str text)
{
    return text.p ? arena_strndup(arena, text.p, text.n) : NULL;
}

/* Reads a JSON array of texts; what this program did not write reads as empty. */
static const Str *read_list(Arena *arena, Str text, size_t *ret_n)
{
    auto_error Error err = ERROR_INIT;
    Json *list = NULL;
    *ret_n = 0;
    if (json_parse(arena, arena_str(arena, text), &json_limits_config, &list, &err) < 0 ||
        list->type != JSON_ARRAY || !list->n)
        return NULL;
    Str *items = arena_array(arena, list->n, sizeof(*items));
    for (const Json *item = list->first; item; item = item->next)
        if (item->type == JSON_STRING)
            items[(*ret_n)++] = item->text;
    return items;
}

static void read_row(const SqlRows *rows, Arena *arena, Job *ret)
{
    Job job = {
        .job_id = keep(arena, sql_rows_text(rows, 0)),
        .created_by = keep(arena, sql_rows_text(rows, 2)),
        .email = keep(arena, sql_rows_text(rows, 3)),
        .launch_attempted = sql_rows_int(rows, 4) != 0,
        .priority = (JobPriority)sql_rows_int(rows, 6),
        .reason_code = keep(arena, sql_rows_text(rows, 9)),
        .reason = keep(arena, sql_rows_text(rows, 10)),
        .attempt = sql_rows_int(rows, 11),
        .exit_code = sql_rows_is_null(rows, 12) ? -1 : sql_rows_int(rows, 12),
        .created_us = sql_rows_int(rows, 13),
        .updated_us = sql_rows_int(rows, 14),
        .queued_us = sql_rows_int(rows, 15),
        .started_us = sql_rows_int(rows, 16),
        .finished_us = sql_rows_int(rows, 17),
        .deleted_us = sql_rows_int(rows, 18),
        .failed_us = sql_rows_int(rows, 19),
        .n_retries = sql_rows_int(rows, 20),
        .home = keep(arena, sql_rows_text(rows, 21)),
    };
    /* The table's own checks leave no other names. */
    (void)!job_type_of(sql_rows_text(rows, 1), &job.type);
    (void)!job_state_of(sql_rows_text(rows, 8), &job.state);
    job.model_groups = read_list(arena, sql_rows_text(rows, 5), &job.n_model_groups);
    job.secret_names = read_list(arena, sql_rows_text(rows, 7), &job.n_secret_names);
    *ret = job;
}

int job_table_find(SqlTx *tx, Arena *arena, const char *job_id, Job *ret, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx, "SELECT " COLUMNS " FROM job WHERE job_id = $1", SQL_ARGS(SQL_TEXTZ(job_id)),
                  &rows, err) < 0)
        return -1;
    int found = sql_rows_next(rows, err);
    if (found == 1)
        read_row(rows, arena, ret);
    return found;
}

int job_table_config(SqlTx *tx, Arena *arena, const char *job_id, Str *ret, bool *ret_allow_dirty,
                     Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx, "SELECT config, allow_dirty FROM job WHERE job_id = $1",
                  SQL_ARGS(SQL_TEXTZ(job_id)), &rows, err) < 0)
        return -1;
    int found = sql_rows_next(rows, err);
    if (found < 0)
        return -1;
    if (found == 0)
        return error_set(err, ERR_NOT_FOUND, "Job not found.");
    *ret = arena_str(arena, sql_rows_text(rows, 0));
    *ret_allow_dirty = sql_rows_int(rows, 1) != 0;
    return 0;
}

/* Reads all rows of a query into a growing array; ret_n counts them. */
static int read_rows(SqlRows *rows, Arena *arena, Job **ret, size_t *ret_n, Error *err)
{
    size_t room = 16;
    size_t n = 0;
    Job *jobs = arena_array(arena, room, sizeof(*jobs));
    int more = sql_rows_next(rows, err);
    for (; more == 1; more = sql_rows_next(rows, err)) {
        if (n == room) {
            Job *larger = arena_array(arena, room * 2, sizeof(*jobs));
            memcpy(larger, jobs, n * sizeof(*jobs));
            jobs = larger;
            room *= 2;
        }
        read_row(rows, arena, &jobs[n++]);
    }
    if (more < 0)
        return -1;
    *ret = jobs;
    *ret_n = n;
    return 0;
}

#define IS_LIVE "state IN ('queued', 'running', 'stopping')"

int job_table_count_live(SqlTx *tx, const char *created_by, int64_t *ret, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx, "SELECT count(*) FROM job WHERE created_by = $1 AND " IS_LIVE,
                  SQL_ARGS(SQL_TEXTZ(created_by)), &rows, err) < 0 ||
        sql_rows_next(rows, err) < 0)
        return -1;
    *ret = sql_rows_int(rows, 0);
    return 0;
}

int job_table_live(SqlTx *tx, Arena *arena, Job **ret, size_t *ret_n, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx, "SELECT " COLUMNS " FROM job WHERE " IS_LIVE " ORDER BY queued_at, pk",
                  SQL_NO_ARGS, &rows, err) < 0)
        return -1;
    return read_rows(rows, arena, ret, ret_n, err);
}

/* ---- writing ---- */

Str job_table_json_list(Arena *arena, const Str *items, size_t n)
{
    auto_buf Buf text = BUF_INIT(LIST_TEXT_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    json_out_array(&out);
    for (size_t i = 0; i < n; i++)
        json_out_str(&out, items[i]);
    json_out_end_array(&out);
    return arena_str(arena, buf_str(&text));
}

int job_table_insert(SqlTx *tx, const Job *job, Str config, bool allow_dirty, Error *err)
{
    auto_arena Arena *arena = arena_new();
    char pk[RANDOM_UUID_MAX];
    return sql_exec(
        tx,
        "INSERT INTO job (pk, job_id, job_type, created_by, email, model_groups, priority, "
        "secret_names, config, allow_dirty, state, reason_code, reason, attempt, created_at, "
        "updated_at, queued_at, home) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'queued', $11, $12, 1, $13, $13, $13, "
        "$14)",
        SQL_ARGS(SQL_TEXTZ(random_uuid7(pk)), SQL_TEXTZ(job->job_id),
                 SQL_TEXTZ(job_type_name(job->type)), SQL_TEXTZ(job->created_by),
                 SQL_TEXTZ(job->email),
                 SQL_LIST(job_table_json_list(arena, job->model_groups, job->n_model_groups)),
                 SQL_INT(job->priority),
                 SQL_LIST(job_table_json_list(arena, job->secret_names, job->n_secret_names)),
                 SQL_TEXT(config), SQL_BOOL(allow_dirty), SQL_TEXTZ(job->reason_code),
                 SQL_TEXTZ(job->reason), SQL_INSTANT(job->queued_us), SQL_TEXTZ(job->home)),
        NULL, err);
}

int job_table_relaunch(SqlTx *tx, const Job *job, Str config, bool allow_dirty, bool *ret_changed,
                       Error *err)
{
    auto_arena Arena *arena = arena_new();
    int64_t changed = 0;
    if (sql_exec(
            tx,
            "UPDATE job SET state = 'queued', reason_code = $2, reason = $3, attempt = $4, "
            "priority = $5, secret_names = $6, config = $7, allow_dirty = $8, "
            "model_groups = $9, updated_at = $10, queued_at = $10, started_at = NULL, "
            "finished_at = NULL, deleted_at = NULL, failed_at = NULL, exit_code = NULL, retries = "
            "0, home = $11 "
            "WHERE job_id = $1 AND state IN ('complete', 'failed', 'cancelled')",
            SQL_ARGS(SQL_TEXTZ(job->job_id), SQL_TEXTZ(job->reason_code), SQL_TEXTZ(job->reason),
                     SQL_INT(job->attempt), SQL_INT(job->priority),
                     SQL_LIST(job_table_json_list(arena, job->secret_names, job->n_secret_names)),
                     SQL_TEXT(config), SQL_BOOL(allow_dirty),
                     SQL_LIST(job_table_json_list(arena, job->model_groups, job->n_model_groups)),
                     SQL_INSTANT(job->queued_us), SQL_TEXTZ(job->home)),
            &changed, err) < 0)
        return -1;
    *ret_changed = changed == 1;
    return 0;
}

/* "queued,running": the states from which a move may come, each between commas. */
static void states_before(JobState to, char text[STATES_TEXT_MAX])
{
    size_t n = 0;
    text[n++] = ',';
    for (int from = JOB_QUEUED; from <= JOB_CANCELLED; from++)
        if (job_state_may((JobState)from, to))
            n += (size_t)snprintf(text + n, STATES_TEXT_MAX - n, "%s,",
                                  job_state_name((JobState)from));
    text[n] = '\0';
}

int job_table_move(SqlTx *tx, const JobMove *move, bool *ret_changed, Error *err)
{
    char from[STATES_TEXT_MAX];
    int64_t changed = 0;
    states_before(move->to, from);
    SqlValue now = SQL_INSTANT(move->now_us);
    SqlValue exit_code = move->exit_code < 0 ? SQL_NULL : SQL_INT(move->exit_code);
    if (sql_exec(tx,
                 "UPDATE job SET state = $1, reason_code = $2, reason = $3, updated_at = $4, "
                 "started_at = CASE WHEN $1 = 'running' THEN $4 ELSE started_at END, "
                 "finished_at = CASE WHEN $5 THEN $4 ELSE finished_at END, "
                 "failed_at = CASE WHEN $1 = 'failed' THEN $4 ELSE failed_at END, "
                 "deleted_at = CASE WHEN $6 THEN coalesce(deleted_at, $4) ELSE deleted_at END, "
                 "exit_code = coalesce($7, exit_code), "
                 "attempt = attempt + CASE WHEN $11 THEN 1 ELSE 0 END, "
                 "retries = retries + CASE WHEN $11 THEN 1 ELSE 0 END "
                 "WHERE job_id = $8 AND ($9 = 0 OR attempt = $9) AND $10 LIKE '%,' || state || "
                 "',%'",
                 SQL_ARGS(SQL_TEXTZ(job_state_name(move->to)), SQL_TEXTZ(move->reason_code),
                          SQL_TEXTZ(move->reason), now, SQL_BOOL(job_state_is_over(move->to)),
                          SQL_BOOL(move->is_deletion), exit_code, SQL_TEXTZ(move->job_id),
                          SQL_INT(move->attempt), SQL_TEXTZ(from), SQL_BOOL(move->is_retry)),
                 &changed, err) < 0)
        return -1;
    *ret_changed = changed == 1;
    return 0;
}

int job_table_delete_mark(SqlTx *tx, const char *job_id, int64_t now_us, Error *err)
{
    return sql_exec(tx,
                    "UPDATE job SET deleted_at = coalesce(deleted_at, $2), updated_at = $2 "
                    "WHERE job_id = $1",
                    SQL_ARGS(SQL_TEXTZ(job_id), SQL_INSTANT(now_us)), NULL, err);
}

int job_table_bring_home(SqlTx *tx, const char *job_id, const char *home, Error *err)
{
    return sql_exec(tx, "UPDATE job SET home = $2 WHERE job_id = $1",
                    SQL_ARGS(SQL_TEXTZ(job_id), SQL_TEXTZ(home)), NULL, err);
}

int job_table_remove(SqlTx *tx, const char *job_id, Error *err)
{
    return sql_exec(tx, "DELETE FROM job WHERE job_id = $1 AND attempt = 1",
                    SQL_ARGS(SQL_TEXTZ(job_id)), NULL, err);
}

/* ---- lists ---- */

/* The conditions of a list with their values; status comes last so that counts can leave it out. */
typedef struct Filter {
    Buf where;
    SqlValue args[WORDS_MAX + 11];
    size_t n;
    SqlDialect dialect;
} Filter;

static void filter_add(Filter *filter, const char *before, SqlValue value, const char *after)
{
    filter->args[filter->n++] = value;
    buf_printf(&filter->where, "%s%s$%zu%s", filter->where.len ? " AND " : "", before, filter->n,
               after);
}

typedef struct VisibleRow {
    const char *before; /* the list of the caller's groups */
    const char *after;
} VisibleRow;

/* A job without groups is nobody's. */
static const VisibleRow visible[] = {
    [SQL_SQLITE] = {"(json_array_length(model_groups) > 0 AND NOT EXISTS (SELECT 1 FROM "
                    "json_each(model_groups) g WHERE g.value NOT IN (SELECT value FROM json_each(",
                    "))))"},
    [SQL_POSTGRES] = {"(model_groups <> '{}' AND model_groups <@ ", "::text[])"},
};

/* The same rule as access_allows for ACCESS_JOB_READ, said once more in SQL because a page is cut
 * there. */
static void filter_visible(Filter *filter, Arena *arena, const Caller *caller)
{
    if (caller->sees_all)
        return;
    Str *groups = arena_array(arena, caller->n_groups + 1, sizeof(*groups));
    size_t n = 0;
    for (size_t i = 0; i < caller->n_groups; i++)
        if (strcmp(caller->groups[i], ACCESS_GROUP_UNRESOLVED) != 0)
            groups[n++] = str_of(caller->groups[i]);
    const VisibleRow *row = &visible[filter->dialect];
    filter_add(filter, row->before, SQL_LIST(job_table_json_list(arena, groups, n)), row->after);
}

static void filter_make(Filter *filter, Arena *arena, const Caller *caller, const JobsQuery *query)
{
    filter_visible(filter, arena, caller);
    if (query->is_waiting)
        filter_add(filter, "0 = ", SQL_INT(1), ""); /* nobody is asked by jobs of this executor */
    if (query->created_by.p)
        filter_add(filter, "created_by = ", SQL_TEXT(query->created_by), "");
    Str rest = query->search;
    Str word = STR_NONE;
    for (size_t n = 0; n < WORDS_MAX && rest.p && str_split(&rest, ' ', &word);) {
        if (!word.n)
            continue;
        filter_add(filter, "lower(job_id || ' ' || created_by) LIKE lower(",
                   SQL_TEXT(like_containing(arena, word)), ") ESCAPE '\\'");
        n++;
    }
}

static int count_statuses(SqlTx *tx, Arena *arena, const Filter *filter, JobsList *ret, Error *err)
{
    auto_buf Buf text = BUF_INIT(STATEMENT_MAX);
    buf_printf(&text, "SELECT " STATUS " AS status, count(*) FROM job%s%s GROUP BY 1 ORDER BY 1",
               filter->where.len ? " WHERE " : "", filter->where.data);
    auto_sql_rows SqlRows *rows = NULL;
    if (buf_check(&text, "the query", err) < 0 ||
        sql_query(tx, text.data, filter->args, filter->n, &rows, err) < 0)
        return -1;
    ret->counts = arena_array(arena, JOB_STATUS_DELETED + 1, sizeof(*ret->counts));
    ret->n_counts = 0;
    int more = sql_rows_next(rows, err);
    for (; more == 1 && ret->n_counts <= JOB_STATUS_DELETED; more = sql_rows_next(rows, err))
        ret->counts[ret->n_counts++] =
            (JobsCount){keep(arena, sql_rows_text(rows, 0)), sql_rows_int(rows, 1)};
    return more < 0 ? -1 : 0;
}

/* What makes this list another one than others. */
static Str list_name(Arena *arena, const JobsQuery *query)
{
    return str_of(arena_printf(arena, "jobs %d %zu %.*s %zu %.*s %zu %.*s", query->is_waiting,
                               query->search.n, STR_ARG(query->search), query->created_by.n,
                               STR_ARG(query->created_by), query->status.n,
                               STR_ARG(query->status)));
}

/* A job that has gone meanwhile leaves its time. */
static int filter_cursor(Filter *filter, Arena *arena, const JobsQuery *query, Error *err)
{
    Cursor after = {0};
    if (cursor_read(query->cursor, list_name(arena, query), 2, arena, &after, err) < 0)
        return -1;
    filter_add(filter, "(created_at, pk) < (", after.values[0], "");
    filter->args[filter->n++] = after.values[1];
    buf_printf(&filter->where, ", (SELECT x.pk FROM job x WHERE x.job_id = $%zu))", filter->n);
    return 0;
}

static Str next_cursor(Arena *arena, const JobsQuery *query, const Job *last)
{
    const Cursor next = {
        .values = {SQL_INSTANT(last->created_us), SQL_TEXTZ(last->job_id)},
        .n = 2,
    };
    auto_buf Buf text = BUF_INIT(CURSOR_TEXT_MAX * 2);
    cursor_write(&next, list_name(arena, query), &text);
    return arena_str(arena, buf_str(&text));
}

static int read_page(SqlTx *tx, Arena *arena, Filter *filter, const JobsQuery *query, JobsList *ret,
                     Error *err)
{
    auto_buf Buf text = BUF_INIT(STATEMENT_MAX);
    size_t limit = (size_t)query->limit;
    buf_printf(&text,
               "SELECT " COLUMNS " FROM job%s%s ORDER BY created_at DESC, pk DESC LIMIT $%zu "
               "OFFSET $%zu",
               filter->where.len ? " WHERE " : "", filter->where.data, filter->n + 1,
               filter->n + 2);
    filter->args[filter->n] = SQL_INT(query->limit + 1);
    filter->args[filter->n + 1] = SQL_INT(query->cursor.p ? 0 : (query->page - 1) * query->limit);
    auto_sql_rows SqlRows *rows = NULL;
    if (buf_check(&text, "the query", err) < 0 ||
        sql_query(tx, text.data, filter->args, filter->n + 2, &rows, err) < 0)
        return -1;
    Job *jobs = NULL;
    size_t n = 0;
    if (read_rows(rows, arena, &jobs, &n, err) < 0)
        return -1;
    ret->next = n > limit ? next_cursor(arena, query, &jobs[limit - 1]) : STR_NONE;
    ret->n = n < limit ? n : limit;
    ret->items = arena_array(arena, ret->n + 1, sizeof(*ret->items));
    for (size_t i = 0; i < ret->n; i++)
        ret->items[i] = (JobsItem){jobs[i], job_status_name(job_status_of(&jobs[i], NULL))};
    return 0;
}

int job_table_list(SqlTx *tx, SqlDialect dialect, Arena *arena, const Caller *caller,
                   const JobsQuery *query, JobsList *ret, Error *err)
{
    Filter filter = {.where = BUF_INIT(STATEMENT_MAX / 2), .dialect = dialect};
    JobsList list = {0};
    filter_make(&filter, arena, caller, query);
    int done = count_statuses(tx, arena, &filter, &list, err);
    for (size_t i = 0; i < list.n_counts; i++)
        if (!query->status.p || str_eqz(query->status, list.counts[i].status))
            list.total += list.counts[i].n;
    if (done == 0 && query->status.p)
        filter_add(&filter, STATUS " = ", SQL_TEXT(query->status), "");
    if (done == 0 && query->cursor.p)
        done = filter_cursor(&filter, arena, query, err);
    if (done == 0)
        done = read_page(tx, arena, &filter, query, &list, err);
    buf_release(&filter.where);
    if (done == 0)
        *ret = list;
    return done;
}
