/* Statements about the table `job_token`: a row for each job that is not over. */

#include "jobs/job_token.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/random.h"
#include "codec/digest.h"
#include "jobs/job_table.h"

enum { PREFIX_SIZE = sizeof(JOB_TOKEN_PREFIX) - 1, RANDOM_SIZE = 40 };

int job_token_mint(SqlTx *tx, const char *job_id, int64_t attempt, int64_t expires_us, Secret **ret,
                   Error *err)
{
    char text[PREFIX_SIZE + RANDOM_SIZE + 1] = JOB_TOKEN_PREFIX;
    char hash[DIGEST_HEX_MAX];
    random_id(text + PREFIX_SIZE, RANDOM_SIZE);
    (void)digest_sha256_hex(str_of(text), hash);
    int done = job_token_revoke(tx, job_id, err);
    if (done == 0)
        done = sql_exec(
            tx,
            "INSERT INTO job_token (job_id, hash, attempt, expires_at) "
            "VALUES ($1, $2, $3, $4)",
            SQL_ARGS(SQL_TEXTZ(job_id), SQL_TEXTZ(hash), SQL_INT(attempt), SQL_INT(expires_us)),
            NULL, err);
    if (done == 0)
        *ret = secret_new(str_of(text));
    mem_wipe(text, sizeof(text));
    return done;
}

static int find_row(SqlTx *tx, Arena *arena, const char *hash, int64_t now_us, const char **ret_id,
                    int64_t *ret_attempt, int64_t *ret_expires_us, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx,
                  "SELECT job_id, attempt, expires_at FROM job_token "
                  "WHERE hash = $1 AND expires_at > $2",
                  SQL_ARGS(SQL_TEXTZ(hash), SQL_INT(now_us)), &rows, err) < 0)
        return -1;
    int found = sql_rows_next(rows, err);
    if (found != 1)
        return found;
    Str id = sql_rows_text(rows, 0);
    *ret_id = arena_strndup(arena, id.p, id.n);
    *ret_attempt = sql_rows_int(rows, 1);
    *ret_expires_us = sql_rows_int(rows, 2);
    return 1;
}

int job_token_find(SqlTx *tx, Arena *arena, Str token, int64_t now_us, Job *ret,
                   int64_t *ret_expires_us, Error *err)
{
    const char *job_id = NULL;
    char hash[DIGEST_HEX_MAX];
    int64_t attempt = 0;
    int64_t expires_us = 0;
    Job job;
    if (token.n != PREFIX_SIZE + RANDOM_SIZE || !str_starts(token, STR(JOB_TOKEN_PREFIX)))
        return 0;
    (void)digest_sha256_hex(token, hash);
    int found = find_row(tx, arena, hash, now_us, &job_id, &attempt, &expires_us, err);
    if (found == 1)
        found = job_table_find(tx, arena, job_id, &job, err);
    if (found != 1)
        return found;
    if (job.attempt != attempt || job.deleted_us || job_state_is_over(job.state))
        return 0;
    *ret = job;
    *ret_expires_us = expires_us;
    return 1;
}

int job_token_extend(SqlTx *tx, const char *job_id, int64_t expires_us, Error *err)
{
    return sql_exec(tx, "UPDATE job_token SET expires_at = $2 WHERE job_id = $1",
                    SQL_ARGS(SQL_TEXTZ(job_id), SQL_INT(expires_us)), NULL, err);
}

int job_token_revoke(SqlTx *tx, const char *job_id, Error *err)
{
    return sql_exec(tx, "DELETE FROM job_token WHERE job_id = $1", SQL_ARGS(SQL_TEXTZ(job_id)),
                    NULL, err);
}
