/* Notices: a message to an address of the operator's each time that something has changed: a job is
   over, it waits for somebody.

   A notice is a row that is written in the transaction of the change, so that there is one exactly
   when there was a change; a thread sends it until the other side has taken it. A crash between
   sending and recording that sends it again with the same id. Messages and signatures are those of
   Standard Webhooks (standard-webhooks specification, "Payload structure", "Signature scheme"), or
   one text as Slack's incoming webhooks want it. */
#ifndef HAWK_NOTICES_NOTICES_H
#define HAWK_NOTICES_NOTICES_H

#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "sql/sql.h"

typedef struct Notices Notices;

enum { NOTICES_TEXT_MAX = 2000, NOTICES_BODY_MAX = 16 << 10, NOTICES_KEEP_DAYS = 30 };

/* Texts are borrowed until notices_open returns. */
typedef struct NoticesOptions {
    Sql *sql;
    const char *url;    /* https, or http to this machine; of hooks.slack.com: Slack's format */
    const char *secret; /* "whsec_" and base64 of 24 to 64 bytes; NULL only for Slack */
    const char *format; /* "standard", "slack"; NULL: by the address */
    const char *types;  /* separated by spaces; NULL: all */
} NoticesOptions;

/* Something that has changed. */
typedef struct Notice {
    const char *key;  /* names the change: of notices with one key only the first is sent */
    const char *type; /* "job.failed" */
    const char *text; /* one line for people; what it has of others' text is made harmless */
    Str data;         /* a JSON object for programs */
    int64_t now_us;
} Notice;

/* Brings the table up to date and starts to send what waits. ERR_USAGE for an address, a secret or
   a format that is none. */
int notices_open(const NoticesOptions *options, Notices **ret, Error *err) HAWK_MUST_USE;

/* Ends the thread; what was not sent is sent by the next. NULL is fine. */
void notices_close(Notices *notices);

/* Adds a notice in a transaction for writing, unless its type is not wanted. */
int notices_add(const Notices *notices, SqlTx *tx, const Notice *notice, Error *err) HAWK_MUST_USE;

/* Says that there is something to send, after the transaction; any thread. */
void notices_wake(Notices *notices);

/* How many wait, and how many were given up. */
int notices_count(Notices *notices, int64_t *ret_waiting, int64_t *ret_given_up,
                  Error *err) HAWK_MUST_USE;

HAWK_DEFINE_AUTO(Notices, notices, notices_close)
#define auto_notices HAWK_CLEANUP(notices_cleanup_)

#endif
