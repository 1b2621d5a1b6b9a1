/* What moves a log from state to state: notices and ends of imports. Nothing here knows a database
   or a clock.

   The turn of a log is an instant: when it was seen, later by what its size costs, later still when
   it only lay there. So a log that has just ended goes before old ones and a small one before a
   huge one, but each has its turn some day. */

#include <stdio.h>
#include <string.h>

#include "warehouse/importer/import_queue_priv.h"

#define SECOND_US INT64_C(1000000)
#define COLD_US (600 * SECOND_US)
#define BYTES_PER_US 10 /* what an importer reads, about */
#define SIZE_MAX_US (1800 * SECOND_US)
#define GAP_US (1500 * INT64_C(1000)) /* between imports of a log that grows */
#define GAP_MAX_US (30 * SECOND_US)
#define RETRY_US SECOND_US /* doubled each time */
#define RETRY_MAX_US (600 * SECOND_US)

enum {
    RETRIES_MAX = 15,
    DEATHS_MAX = 20, /* of importers, at the same bytes of a log */
    GAP_FACTOR = 4,
};

/* Kinds that are about the machine, the store or the database rather than the log. */
static const ErrorKind passing[] = {ERR_BUSY,  ERR_IO,     ERR_NO_SPACE,   ERR_TIMEOUT,
                                    ERR_LOGIN, ERR_DENIED, ERR_UNREACHABLE};

static const char *const state_names[] = {
    [IMPORT_PENDING] = "pending", [IMPORT_IMPORTING] = "importing", [IMPORT_RUNNING] = "running",
    [IMPORT_SUCCESS] = "success", [IMPORT_RETRYING] = "retrying",   [IMPORT_FAILED] = "failed",
};

const char *import_state_name(ImportState state)
{
    return state_names[state];
}

int import_state_of(Str name, ImportState *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(state_names); i++) {
        if (str_eqz(name, state_names[i])) {
            *ret = (ImportState)i;
            return 0;
        }
    }
    return -1;
}

bool import_row_may_pass(ErrorKind kind)
{
    for (size_t i = 0; i < ARRAY_LEN(passing); i++)
        if (passing[i] == kind)
            return true;
    return false;
}

static int64_t turn_of(uint64_t size, bool is_hot, int64_t now_us)
{
    uint64_t cost = size / BYTES_PER_US;
    return now_us + (is_hot ? 0 : COLD_US) + (cost < SIZE_MAX_US ? (int64_t)cost : SIZE_MAX_US);
}

static void take_mark(ImportRow *row, const ImportSeen *seen)
{
    (void)snprintf(row->mark, sizeof(row->mark), "%s", seen->mark);
    row->size = seen->size;
}

/* Whole characters of a message. */
static void take_reason(ImportRow *row, const char *text)
{
    Str cut = str_slice(str_of(text), 0, IMPORT_REASON_MAX);
    cut.n = str_utf8_prefix(cut);
    memcpy(row->reason, cut.p, cut.n);
    row->reason[cut.n] = '\0';
}

static void forget_reason(ImportRow *row)
{
    row->reason[0] = '\0';
    row->reason_kind = NULL;
}

/* When a log may be taken that may have been taken a moment ago. */
static int64_t after_gap(const ImportRow *row, int64_t now_us)
{
    if (row->ended_us == 0)
        return now_us;
    int64_t gap = GAP_FACTOR * (row->ended_us - row->began_us);
    gap = gap < GAP_US ? GAP_US : gap > GAP_MAX_US ? GAP_MAX_US : gap;
    return row->ended_us + gap > now_us ? row->ended_us + gap : now_us;
}

void import_row_first(ImportRow *row, const ImportSeen *seen, int64_t now_us)
{
    *row = (ImportRow){.state = IMPORT_PENDING, .notices = 1, .due_us = now_us};
    take_mark(row, seen);
    row->turn_us = turn_of(seen->size, seen->is_hot, now_us);
}

bool import_row_see(ImportRow *row, const ImportSeen *seen, int64_t now_us)
{
    int64_t turn_us = turn_of(seen->size, seen->is_hot, now_us);
    if (strcmp(row->mark, seen->mark) == 0) {
        if (row->state != IMPORT_PENDING || turn_us >= row->turn_us)
            return false;
        row->turn_us = turn_us; /* it waited behind others, and now somebody does for it */
        return true;
    }
    take_mark(row, seen);
    row->notices++;
    if (row->state == IMPORT_IMPORTING)
        return true; /* its end sees that there is more */
    if (row->state != IMPORT_PENDING) {
        row->due_us = after_gap(row, now_us);
        row->turn_us = turn_us;
    } else if (turn_us < row->turn_us) {
        row->turn_us = turn_us;
    }
    row->state = IMPORT_PENDING;
    row->attempts = 0;
    forget_reason(row);
    return true;
}

/* An instant within a quarter of the delay, so that logs that failed together do not come back
   together. */
static int64_t retry_at(int64_t attempts, uint32_t random, int64_t now_us)
{
    int64_t delay = RETRY_US;
    for (int64_t i = 1; i < attempts && delay < RETRY_MAX_US; i++)
        delay *= 2;
    delay = delay < RETRY_MAX_US ? delay : RETRY_MAX_US;
    return now_us + delay - delay / 4 + (int64_t)(random % 1024) * (delay / 2) / 1024;
}

static void fail(ImportRow *row, const Error *problem, uint32_t random, int64_t now_us)
{
    take_reason(row, error_text(problem));
    row->reason_kind = error_kind_name(problem->kind);
    row->state = IMPORT_FAILED;
    if (!import_row_may_pass(problem->kind) || row->attempts >= RETRIES_MAX)
        return;
    row->state = IMPORT_RETRYING;
    row->due_us = retry_at(row->attempts, random, now_us);
    row->turn_us = row->due_us;
}

bool import_row_end(ImportRow *row, const ImportEnd *end, int64_t now_us)
{
    bool is_stale = row->notices != end->notices;
    row->ended_us = now_us;
    if (end->problem && end->problem->kind == ERR_CANCELLED) {
        row->state = IMPORT_PENDING;
        row->attempts--;
        row->due_us = now_us;
        return true;
    }
    if (end->problem) {
        fail(row, end->problem, end->random, now_us);
    } else {
        forget_reason(row);
        row->state = end->outcome == IMPORTER_RUNNING ? IMPORT_RUNNING : IMPORT_SUCCESS;
        if (end->outcome == IMPORTER_GONE && !is_stale)
            return false;
    }
    if (is_stale) { /* it changed meanwhile */
        row->due_us = after_gap(row, now_us);
        row->turn_us = row->due_us;
        row->state = IMPORT_PENDING;
        row->attempts = 0;
        forget_reason(row);
    }
    return true;
}

void import_row_free(ImportRow *row, int64_t now_us)
{
    row->state = IMPORT_PENDING;
    row->due_us = now_us;
    if (row->attempts < DEATHS_MAX)
        return;
    row->state = IMPORT_FAILED;
    row->reason_kind = error_kind_name(ERR_FAILED);
    (void)snprintf(row->reason, sizeof(row->reason),
                   "the server ended %d times while it read this log", DEATHS_MAX);
}
