/* Statements about the table `sample_edit`. */

#include "base/clock.h"
#include "edits/edits_priv.h"
#include "edits_embed.h"
#include "jobs/job_table.h"

static const SqlMigration migrations[] = {
    {1, &embed_sqlite_0001_sample_edit_sql, &embed_postgres_0001_sample_edit_sql},
    {2, &embed_sqlite_0002_claims_sql, &embed_postgres_0002_claims_sql},
};

static const char *const state_names[] = {
    [EDITS_PENDING] = "pending",
    [EDITS_APPLYING] = "applying",
    [EDITS_DONE] = "done",
    [EDITS_FAILED] = "failed",
};

const char *edits_state_name(EditsState state)
{
    return state_names[state];
}

/* The table's own check leaves no other names. */
static EditsState state_of(Str name)
{
    for (size_t i = 0; i < ARRAY_LEN(state_names); i++)
        if (str_eqz(name, state_names[i]))
            return (EditsState)i;
    return EDITS_FAILED;
}

static const char *keep(Arena *arena, Str text)
{
    return text.p ? arena_strndup(arena, text.p, text.n) : NULL;
}

static int64_t lease_end(int64_t now_us)
{
    return now_us + EDITS_LEASE_S * CLOCK_SECOND;
}

int edits_priv_migrate(Sql *sql, Error *err)
{
    return sql_migrate(sql, "edits", migrations, ARRAY_LEN(migrations), err);
}

int edits_priv_insert(SqlTx *tx, const EditsWork *row, int64_t n_edits, const char *author,
                      int64_t now_us, Error *err)
{
    return sql_exec(tx,
                    "INSERT INTO sample_edit (request_uuid, log_key, eval_set_id, object_key, "
                    "n_edits, author, state, created_at, updated_at, retry_at) "
                    "VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $7, $7)",
                    SQL_ARGS(SQL_TEXTZ(row->request_uuid), SQL_TEXTZ(row->log_key),
                             SQL_TEXTZ(row->eval_set_id), SQL_TEXTZ(row->object_key),
                             SQL_INT(n_edits), SQL_TEXTZ(author), SQL_INSTANT(now_us)),
                    NULL, err);
}

int edits_priv_release(Sql *sql, const Str *claims, size_t n, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(sql, SQL_WRITE, &tx, err) < 0 ||
        sql_exec(tx,
                 "UPDATE sample_edit SET state = 'pending' WHERE state = 'applying' AND "
                 "claim IS NULL",
                 SQL_NO_ARGS, NULL, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (sql_exec(tx,
                     "UPDATE sample_edit SET state = 'pending', claim = NULL, lease_until = NULL "
                     "WHERE state = 'applying' AND claim = $1",
                     SQL_ARGS(SQL_TEXT(claims[i])), NULL, err) < 0)
            return -1;
    return sql_commit(TAKE(tx), err);
}

int edits_priv_renew(Sql *sql, const Str *claims, size_t n, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(sql, SQL_WRITE, &tx, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (sql_exec(tx,
                     "UPDATE sample_edit SET lease_until = $2 WHERE state = 'applying' AND "
                     "claim = $1",
                     SQL_ARGS(SQL_TEXT(claims[i]), SQL_INSTANT(lease_end(clock_now_us()))), NULL,
                     err) < 0)
            return -1;
    return sql_commit(TAKE(tx), err);
}

int edits_priv_candidates(Sql *sql, Arena *arena, int64_t after_pk, EditsWork **ret, size_t *ret_n,
                          Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx,
                  "SELECT pk, request_uuid, log_key, eval_set_id, object_key, reason, attempts "
                  "FROM sample_edit e WHERE ((state = 'pending' AND retry_at <= $2) OR "
                  "(state = 'applying' AND lease_until <= $2)) AND pk > $1 AND NOT EXISTS (SELECT "
                  "1 FROM sample_edit o WHERE o.log_key = e.log_key AND "
                  "o.pk < e.pk AND o.state IN ('pending', 'applying')) ORDER BY pk LIMIT $3",
                  SQL_ARGS(SQL_INT(after_pk), SQL_INSTANT(clock_now_us()), SQL_INT(EDITS_PAGE)),
                  &rows, err) < 0)
        return -1;
    EditsWork *found = arena_array(arena, EDITS_PAGE, sizeof(*found));
    size_t n = 0;
    int more = sql_rows_next(rows, err);
    for (; more == 1 && n < EDITS_PAGE; more = sql_rows_next(rows, err))
        found[n++] = (EditsWork){
            .pk = sql_rows_int(rows, 0),
            .request_uuid = keep(arena, sql_rows_text(rows, 1)),
            .log_key = keep(arena, sql_rows_text(rows, 2)),
            .eval_set_id = keep(arena, sql_rows_text(rows, 3)),
            .object_key = keep(arena, sql_rows_text(rows, 4)),
            .reason = keep(arena, sql_rows_text(rows, 5)),
            .attempts = sql_rows_int(rows, 6),
        };
    if (more < 0)
        return -1;
    *ret = found;
    *ret_n = n;
    return 0;
}

/* Asks again whether nothing is before it and its eval set is over: since it was found, somebody
   may have taken it and given it back, or resumed the eval set. A resume asks edits_are_applied,
   and one such transaction comes after the other. */
int edits_priv_claim(Sql *sql, const EditsWork *work, const char *claim, bool *ret, Error *err)
{
    auto_arena Arena *arena = arena_new();
    auto_sql_tx SqlTx *tx = NULL;
    Job job;
    int64_t n = 0;
    int64_t now = clock_now_us();
    if (sql_begin(sql, SQL_WRITE, &tx, err) < 0)
        return -1;
    int found = job_table_find(tx, arena, work->eval_set_id, &job, err);
    if (found < 0)
        return -1;
    if (found && !job_state_is_over(job.state)) {
        *ret = false;
        return 0;
    }
    if (sql_exec(tx,
                 "UPDATE sample_edit SET state = 'applying', reason = NULL, updated_at = $2, "
                 "claim = $4, lease_until = $5 WHERE pk = $1 AND (state = 'pending' OR "
                 "(state = 'applying' AND lease_until <= $2)) AND NOT EXISTS (SELECT 1 FROM "
                 "sample_edit o WHERE o.log_key = $3 AND o.pk < $1 AND "
                 "o.state IN ('pending', 'applying'))",
                 SQL_ARGS(SQL_INT(work->pk), SQL_INSTANT(now), SQL_TEXTZ(work->log_key),
                          SQL_TEXTZ(claim), SQL_INSTANT(lease_end(now))),
                 &n, err) < 0 ||
        sql_commit(TAKE(tx), err) < 0)
        return -1;
    *ret = n == 1;
    return 0;
}

int edits_are_applied(SqlTx *tx, const char *eval_set_id, bool *ret, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx,
                  "SELECT 1 FROM sample_edit WHERE eval_set_id = $1 AND state = 'applying' LIMIT 1",
                  SQL_ARGS(SQL_TEXTZ(eval_set_id)), &rows, err) < 0)
        return -1;
    int found = sql_rows_next(rows, err);
    if (found < 0)
        return -1;
    *ret = found == 1;
    return 0;
}

int edits_priv_note(Sql *sql, int64_t pk, EditsState state, const char *reason, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(sql, SQL_WRITE, &tx, err) < 0 ||
        sql_exec(tx,
                 "UPDATE sample_edit SET reason = $2, updated_at = $3 "
                 "WHERE pk = $1 AND state = $4",
                 SQL_ARGS(SQL_INT(pk), SQL_TEXTZ(reason), SQL_INSTANT(clock_now_us()),
                          SQL_TEXTZ(state_names[state])),
                 NULL, err) < 0)
        return -1;
    return sql_commit(TAKE(tx), err);
}

int edits_priv_move(Sql *sql, const EditsMove *move, Error *err)
{
    int64_t now = clock_now_us();
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(sql, SQL_WRITE, &tx, err) < 0 ||
        sql_exec(tx,
                 "UPDATE sample_edit SET state = $2, reason = $3, attempts = attempts + 1, "
                 "updated_at = $4, retry_at = $5, claim = NULL, lease_until = NULL "
                 "WHERE pk = $1 AND state = 'applying' AND claim = $6",
                 SQL_ARGS(SQL_INT(move->pk), SQL_TEXTZ(state_names[move->to]),
                          SQL_TEXTZ(move->reason), SQL_INSTANT(now),
                          SQL_INSTANT(now + move->retry_in_us), SQL_TEXTZ(move->claim)),
                 NULL, err) < 0)
        return -1;
    return sql_commit(TAKE(tx), err);
}

/* --- reading --- */

static EditsState state_of_all(const EditsStatus *status)
{
    size_t n_done = 0;
    bool has_begun = false;
    for (size_t i = 0; i < status->n; i++) {
        if (status->logs[i].state == EDITS_FAILED)
            return EDITS_FAILED;
        n_done += status->logs[i].state == EDITS_DONE;
        has_begun |= status->logs[i].state != EDITS_PENDING;
    }
    return n_done == status->n ? EDITS_DONE : has_begun ? EDITS_APPLYING : EDITS_PENDING;
}

int edits_status(Edits *edits, Arena *arena, Str request_uuid, EditsStatus *ret, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(edits->options.sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx,
                  "SELECT eval_set_id, log_key, n_edits, state, reason, updated_at, author, "
                  "created_at FROM sample_edit WHERE request_uuid = $1 ORDER BY pk LIMIT $2",
                  SQL_ARGS(SQL_TEXT(request_uuid), SQL_INT(EDIT_LIST_MAX)), &rows, err) < 0)
        return -1;
    EditsStatus status = {.logs = arena_array(arena, EDIT_LIST_MAX, sizeof(*status.logs))};
    int more = sql_rows_next(rows, err);
    for (; more == 1 && status.n < EDIT_LIST_MAX; more = sql_rows_next(rows, err)) {
        status.logs[status.n++] = (EditsLog){
            .eval_set_id = keep(arena, sql_rows_text(rows, 0)),
            .log_key = keep(arena, sql_rows_text(rows, 1)),
            .n_edits = sql_rows_int(rows, 2),
            .state = state_of(sql_rows_text(rows, 3)),
            .reason = keep(arena, sql_rows_text(rows, 4)),
            .updated_us = sql_rows_int(rows, 5),
        };
        status.author = keep(arena, sql_rows_text(rows, 6));
        status.created_us = sql_rows_int(rows, 7);
    }
    if (more < 0)
        return -1;
    if (status.n == 0)
        return error_set(err, ERR_NOT_FOUND, "there is no request of this name");
    status.state = state_of_all(&status);
    *ret = status;
    return 0;
}
