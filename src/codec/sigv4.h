/* AWS Signature Version 4: in the header Authorization, or in the query of a URL that may be handed
   on. The path is encoded once, as S3 wants it. */
#ifndef HAWK_CODEC_SIGV4_H
#define HAWK_CODEC_SIGV4_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

enum {
    SIGV4_DATE_MAX = 17,
    SIGV4_EXPIRES_MAX_S = 7 * 24 * 3600,
    SIGV4_PAIRS_MAX = 64, /* headers, and parameters of the query */
};

/* The hash of a payload that is not signed, and that of an empty one. */
#define SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"
#define SIGV4_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

typedef struct Sigv4Header {
    const char *name;
    Str value;
} Sigv4Header;

typedef struct Sigv4Keys {
    Str access_key;
    Str secret_key;
    Str session_token; /* STR_NONE when there is none */
} Sigv4Keys;

typedef struct Sigv4Request {
    const char *method;
    Str path;  /* not encoded: "/bucket/a key"; empty is "/" */
    Str query; /* as it is sent, without '?' */
    /* All are signed, "Host" must be among them. x-amz-date and x-amz-security-token are added by
       the functions below. */
    const Sigv4Header *headers;
    size_t n_headers;
    Str payload_hash; /* SHA-256 in lower-case hexadecimal, or SIGV4_UNSIGNED */
    const char *region;
    const char *service;
    int64_t now_us;
} Sigv4Request;

/* Appends a path as it must be sent for its signature to hold. */
void sigv4_add_path(Buf *buf, Str path);

/* "20130524T000000Z", the value of x-amz-date. Returns text. */
char *sigv4_date(int64_t instant_us, char text[SIGV4_DATE_MAX]);

/* Appends the value of Authorization. The request must be sent with x-amz-date (sigv4_date of
   now_us) and, when there is one, the token as x-amz-security-token. */
int sigv4_sign(const Sigv4Request *request, const Sigv4Keys *keys, Buf *ret,
               Error *err) HAWK_MUST_USE;

/* Appends the query with which the request may be sent by anyone within expires_s seconds. */
int sigv4_presign(const Sigv4Request *request, const Sigv4Keys *keys, int expires_s, Buf *ret,
                  Error *err) HAWK_MUST_USE;

#endif
