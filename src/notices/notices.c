/* The table `notice`, and a thread that sends what waits in it. */

#include "notices/notices.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/looper.h"
#include "base/mem.h"
#include "base/random.h"
#include "http/client.h"
#include "http/loopback.h"
#include "notices/message.h"
#include "notices_embed.h"

enum {
    PAUSE_MS = 15 * 1000, /* other servers may have added something */
    SEND_TIMEOUT_MS = 15 * 1000,
    LEASE_S = 60, /* longer than a sending takes: nobody else takes it up meanwhile */
    ANSWER_MAX = 4 << 10,
    KEY_BYTES_MAX = 128,
    ID_MAX = RANDOM_UUID_MAX + 4,
    GONE = 410,
    SWEEP_MS = 3600 * 1000,
    RETRY_AFTER_MAX_S = 24 * 3600,
};

/* Seconds from one try to the next; then it is given up, after three days and a half. */
static const int pauses_s[] = {5, 30, 120, 600, 3600, 6 * 3600, 12 * 3600, 24 * 3600, 40 * 3600};

static const SqlMigration migrations[] = {
    {1, &embed_sqlite_0001_notices_sql, &embed_postgres_0001_notices_sql},
};

struct Notices {
    Sql *sql;
    char *url;
    char *types; /* NULL: all */
    bool is_slack;
    Buf key; /* wiped at the end */
    Looper *looper;
};

/* A notice that is this thread's to send. */
typedef struct Sending {
    Looper *looper;
    char id[ID_MAX];
    char pk[RANDOM_UUID_MAX];
    Buf body;
    int64_t n_tries;
} Sending;

/* ---- the table ---- */

static bool is_wanted(const Notices *notices, const char *type)
{
    Str rest = str_of(notices->types);
    Str word = STR_NONE;
    while (str_split(&rest, ' ', &word))
        if (str_eqz(word, type))
            return true;
    return !notices->types;
}

int notices_add(const Notices *notices, SqlTx *tx, const Notice *notice, Error *err)
{
    char pk[RANDOM_UUID_MAX];
    auto_buf Buf body = BUF_INIT(NOTICES_BODY_MAX);
    if (!is_wanted(notices, notice->type))
        return 0;
    if (notices->is_slack)
        message_slack(notice, &body);
    else
        message_standard(notice, &body);
    if (buf_check(&body, "a notice", err) < 0)
        return -1;
    return sql_exec(tx,
                    "INSERT INTO notice (pk, key, type, body, state, created_at, next_at) "
                    "VALUES ($1, $2, $3, $4, 'waiting', $5, $5) ON CONFLICT (key) DO NOTHING",
                    SQL_ARGS(SQL_TEXTZ(random_uuid7(pk)), SQL_TEXTZ(notice->key),
                             SQL_TEXTZ(notice->type), SQL_TEXT(buf_str(&body)),
                             SQL_INT(notice->now_us)),
                    NULL, err);
}

/* Takes the notice that has waited longest; 0 when none is due. */
static int take(Notices *notices, Sending *ret, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    SqlRows *rows = NULL;
    int64_t now_us = clock_now_us();
    if (sql_begin(notices->sql, SQL_WRITE, &tx, err) < 0 ||
        sql_query(tx,
                  "UPDATE notice SET tries = tries + 1, next_at = $2 WHERE pk = (SELECT pk FROM "
                  "notice WHERE state = 'waiting' AND next_at <= $1 ORDER BY next_at LIMIT 1) "
                  "RETURNING pk, body, tries",
                  SQL_ARGS(SQL_INT(now_us), SQL_INT(now_us + LEASE_S * CLOCK_SECOND)), &rows,
                  err) < 0)
        return -1;
    int found = sql_rows_next(rows, err);
    if (found == 1) {
        (void)snprintf(ret->pk, sizeof(ret->pk), "%.*s", STR_ARG(sql_rows_text(rows, 0)));
        (void)snprintf(ret->id, sizeof(ret->id), "msg_%s", ret->pk);
        buf_reset(&ret->body);
        buf_add_str(&ret->body, sql_rows_text(rows, 1));
        ret->n_tries = sql_rows_int(rows, 2);
    }
    int more = found == 1 ? sql_rows_next(rows, err) : found; /* lets the statement end */
    sql_rows_free(rows);
    if (found < 0 || more < 0 || (found == 1 && sql_commit(TAKE(tx), err) < 0))
        return -1;
    return found;
}

static int record(Notices *notices, const Sending *sending, const char *state, const char *problem,
                  int64_t next_us, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(notices->sql, SQL_WRITE, &tx, err) < 0 ||
        sql_exec(tx, "UPDATE notice SET state = $2, problem = $3, next_at = $4 WHERE pk = $1",
                 SQL_ARGS(SQL_TEXTZ(sending->pk), SQL_TEXTZ(state), SQL_TEXTZ(problem),
                          SQL_INT(next_us)),
                 NULL, err) < 0)
        return -1;
    return sql_commit(TAKE(tx), err);
}

static int sweep(Notices *notices, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    int64_t before_us = clock_now_us() - NOTICES_KEEP_DAYS * 24 * 3600 * CLOCK_SECOND;
    if (sql_begin(notices->sql, SQL_WRITE, &tx, err) < 0 ||
        sql_exec(tx, "DELETE FROM notice WHERE state <> 'waiting' AND created_at < $1",
                 SQL_ARGS(SQL_INT(before_us)), NULL, err) < 0)
        return -1;
    return sql_commit(TAKE(tx), err);
}

int notices_count(Notices *notices, int64_t *ret_waiting, int64_t *ret_given_up, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(notices->sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx,
                  "SELECT (SELECT count(*) FROM notice WHERE state = 'waiting'), "
                  "(SELECT count(*) FROM notice WHERE state = 'given_up')",
                  SQL_NO_ARGS, &rows, err) < 0 ||
        sql_rows_next(rows, err) < 0)
        return -1;
    *ret_waiting = sql_rows_int(rows, 0);
    *ret_given_up = sql_rows_int(rows, 1);
    sql_rows_free(TAKE(rows));
    return 0;
}

/* ---- sending ---- */

/* 0 when the other side has taken it. */
static int post(Notices *notices, HttpClient *client, const Sending *sending, HttpReply *reply,
                Error *err)
{
    char at[24];
    auto_buf Buf signature = BUF_INIT(256);
    int64_t now_s = clock_now_us() / CLOCK_SECOND;
    (void)snprintf(at, sizeof(at), "%" PRId64, now_s);
    if (notices->key.len > 0)
        message_sign(buf_str(&notices->key), sending->id, now_s, buf_str(&sending->body),
                     &signature);
    const HttpHeader headers[] = {
        {"Content-Type", STR("application/json")},
        {"Webhook-Id", str_of(sending->id)},
        {"Webhook-Timestamp", str_of(at)},
        {"Webhook-Signature", buf_str(&signature)},
    };
    const HttpCall call = {
        .method = "POST",
        .url = notices->url,
        .headers = headers,
        .n_headers = notices->key.len > 0 ? ARRAY_LEN(headers) : ARRAY_LEN(headers) - 1,
        .body = buf_str(&sending->body),
        .timeout_ms = SEND_TIMEOUT_MS,
        .keep_redirects = true,
        .is_cancelled = looper_is_ending,
        .cancel_context = sending->looper,
    };
    if (http_client_send(client, &call, reply, err) < 0)
        return -1;
    return reply->status / 100 == 2
               ? 0
               : error_set(err, ERR_UNREACHABLE, "it answered with status %d", reply->status);
}

/* When the next try is: as the other side asks, if that is later than ours. */
static int64_t next_try_us(const Sending *sending, const HttpReply *reply)
{
    int64_t pause_s = pauses_s[sending->n_tries - 1];
    int64_t asked_s = 0;
    if (str_to_i64(buf_str(&reply->retry_after), 0, RETRY_AFTER_MAX_S, &asked_s) == 0 &&
        asked_s > pause_s)
        pause_s = asked_s;
    return clock_now_us() + pause_s * CLOCK_SECOND;
}

static int deliver(Notices *notices, HttpClient *client, const Sending *sending, Error *err)
{
    auto_error Error why = ERROR_INIT;
    auto_http_reply HttpReply reply;
    http_reply_init(&reply, ANSWER_MAX);
    if (post(notices, client, sending, &reply, &why) == 0)
        return record(notices, sending, "sent", NULL, clock_now_us(), err);
    if (looper_is_ending(sending->looper)) /* it was broken off: the next server tries at once */
        return record(notices, sending, "waiting", NULL, clock_now_us(), err);
    bool is_last = reply.status == GONE || sending->n_tries > (int64_t)ARRAY_LEN(pauses_s);
    log_warn(is_last ? "notice.given_up" : "notice.not_taken", KV("id", sending->id),
             KV_INT("tries", sending->n_tries), KV("error", error_text(&why)));
    return record(notices, sending, is_last ? "given_up" : "waiting", error_text(&why),
                  is_last ? clock_now_us() : next_try_us(sending, &reply), err);
}

/* Sends all that is due. */
static void drain(Notices *notices, HttpClient *client, Sending *sending)
{
    auto_error Error err = ERROR_INIT;
    int found = 1;
    while (found == 1 && !looper_is_ending(sending->looper)) {
        found = take(notices, sending, &err);
        if (found == 1 && deliver(notices, client, sending, &err) < 0)
            found = -1;
    }
    if (found < 0)
        log_error("notice.not_recorded", KV("error", error_text(&err)));
}

static void run(void *context, Looper *looper)
{
    Notices *notices = context;
    auto_http_client HttpClient *client = http_client_new();
    Sending sending = {.looper = looper, .body = BUF_INIT(NOTICES_BODY_MAX)};
    int64_t sweep_at_ms = 0;
    do {
        auto_error Error err = ERROR_INIT;
        drain(notices, client, &sending);
        if (clock_monotonic_ms() < sweep_at_ms)
            continue;
        sweep_at_ms = clock_monotonic_ms() + SWEEP_MS;
        if (sweep(notices, &err) < 0)
            log_warn("notice.not_swept", KV("error", error_text(&err)));
    } while (looper_wait(looper, PAUSE_MS));
    buf_release(&sending.body);
}

void notices_wake(Notices *notices)
{
    looper_wake(notices->looper);
}

/* ---- beginning and end ---- */

static int check_url(Str url, bool *ret_is_slack, Error *err)
{
    *ret_is_slack = str_starts(url, STR("https://hooks.slack.com/"));
    if (str_starts(url, STR("https://")) || loopback_is_url(url))
        return 0;
    return error_set(err, ERR_USAGE, "the address of a webhook begins with https://");
}

static int read_format(const char *format, bool *is_slack, Error *err)
{
    if (!format)
        return 0;
    *is_slack = strcmp(format, "slack") == 0;
    return *is_slack || strcmp(format, "standard") == 0
               ? 0
               : error_set(err, ERR_USAGE,
                           "the format of a webhook is 'standard' or 'slack', not '%s'", format);
}

static int read_key(Notices *notices, const char *secret, Error *err)
{
    notices->key = BUF_INIT(KEY_BYTES_MAX);
    if (secret)
        return message_read_secret(str_of(secret), &notices->key, err);
    if (notices->is_slack)
        return 0;
    (void)error_set(err, ERR_USAGE, "a webhook needs a secret, by which its messages are signed");
    return error_fix(err, "make one: echo whsec_$(openssl rand -base64 32)");
}

int notices_open(const NoticesOptions *options, Notices **ret, Error *err)
{
    auto_notices Notices *notices = mem_alloc(sizeof(*notices));
    *notices = (Notices){
        .sql = options->sql, .url = mem_strdup(options->url), .types = mem_strdup(options->types)};
    if (check_url(str_of(options->url), &notices->is_slack, err) < 0 ||
        read_format(options->format, &notices->is_slack, err) < 0 ||
        read_key(notices, options->secret, err) < 0 ||
        sql_migrate(options->sql, "notices", migrations, ARRAY_LEN(migrations), err) < 0 ||
        looper_start(run, notices, &notices->looper, err) < 0)
        return -1;
    *ret = TAKE(notices);
    return 0;
}

void notices_close(Notices *notices)
{
    if (!notices)
        return;
    looper_stop(notices->looper);
    mem_wipe(notices->key.data, notices->key.len);
    buf_release(&notices->key);
    free(notices->url);
    free(notices->types);
    free(notices);
}
