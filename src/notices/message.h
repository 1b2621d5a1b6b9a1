/* Message: what a notice says, as the other side wants it, and who says so. */
#ifndef HAWK_NOTICES_MESSAGE_H
#define HAWK_NOTICES_MESSAGE_H

#include "base/buf.h"
#include "notices/notices.h"

/* Reads "whsec_..." (Standard Webhooks, "Signature scheme") and appends the key's bytes. ERR_USAGE,
   without the secret in its words. */
int message_read_secret(Str text, Buf *ret, Error *err) HAWK_MUST_USE;

/* Appends the body of a notice: {"type", "timestamp", "text", "data"}. */
void message_standard(const Notice *notice, Buf *ret);

/* Appends {"text"} as Slack wants it: "&", "<" and ">" escaped (docs.slack.dev, "Formatting message
   text"), so that nothing in it is a link or a mention. */
void message_slack(const Notice *notice, Buf *ret);

/* Appends "v1," and the signature of a message with this id, sent at this second of 1970. */
void message_sign(Str key, const char *id, int64_t at_s, Str body, Buf *ret);

#endif
