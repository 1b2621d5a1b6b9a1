/* Requests to one bucket: signed, sent over kept connections, repeated while that may help. */
#ifndef HAWK_STORE_S3_PRIV_H
#define HAWK_STORE_S3_PRIV_H

#include "codec/sigv4.h"
#include "store/store_priv.h"

typedef struct S3 S3;

/* Where the body of a good answer goes: behind what a buffer holds, or into n bytes of memory,
   which it must fill exactly. */
typedef struct S3Sink {
    Buf *buf;
    char *data;
    size_t n;
    /* Set by s3_send. */
    size_t from; /* what the buffer held before */
    size_t got;
} S3Sink;

typedef struct S3Call {
    const char *method;
    const char *key;   /* with the prefix of the store; NULL for the bucket */
    const char *query; /* encoded; or NULL */
    const Sigv4Header *headers;
    size_t n_headers;
    Str body;
    Source *source;    /* sent instead of body when not NULL */
    S3Sink *sink;      /* or NULL when no body is expected */
    const char *trace; /* that it belongs to, as store_trace has it; NULL: that of the thread */
} S3Call;

enum { S3_HEADERS_MAX = 8, S3_FIELD_MAX = 160 };

/* What is known of the last answer; status 0 when there was none. Fields are "" when they were not
   in it. */
typedef struct S3Answer {
    int status;
    int n_attempts;
    char code[S3_FIELD_MAX]; /* S3's word for what is wrong */
    char content_length[S3_FIELD_MAX];
    char content_range[S3_FIELD_MAX];
    char etag[S3_FIELD_MAX];
    char last_modified[S3_FIELD_MAX];
    char claim[S3_FIELD_MAX]; /* see S3_CLAIM */
} S3Answer;

/* Metadata with which a put that may only create recognises an object as its own. */
#define S3_CLAIM "x-amz-meta-hawk-claim"

/* A bucket as the environment describes it. */
int s3_open(Str bucket, S3 **ret, Error *err) HAWK_MUST_USE;
void s3_close(S3 *s3);
const char *s3_bucket(const S3 *s3);

/* Sends and waits for a status of 2xx; any other is an error. *ret is filled in either case. All
   calls are repeated, so they must be such that the second time changes nothing. */
int s3_send(S3 *s3, const S3Call *call, S3Answer *ret, Error *err) HAWK_MUST_USE;

/* Appends an address for GET that anybody may use for some seconds. */
int s3_presign(S3 *s3, const char *key, int seconds, Buf *ret, Error *err) HAWK_MUST_USE;

/* The kind of error that S3's word stands for, or ERR_NONE. */
ErrorKind s3_kind_of_code(const char *code);

/* Copies an entity tag without its quotes; ERR_BAD_DATA when it is not one. */
int s3_copy_etag(Str text, char ret[STORE_ETAG_MAX], Error *err) HAWK_MUST_USE;

/* A source of an object, by its whole key. */
int s3_source_open(S3 *s3, const char *key, Source **ret, Error *err) HAWK_MUST_USE;

/* Size, time and tag of an object, by its whole key; answer as in s3_send. */
int s3_head(S3 *s3, const char *key, S3Answer *answer, StoreStat *ret, Error *err) HAWK_MUST_USE;

/* Objects whose whole key begins with prefix, in the order of their keys; only_direct leaves out
   those with a '/' behind it. each() gets whole keys, also those that no store has. */
int s3_list(S3 *s3, const char *prefix, bool only_direct, StoreEach *each, void *context,
            Error *err) HAWK_MUST_USE;

/* Deletes all of them. */
int s3_delete_all(S3 *s3, const char *prefix, Error *err) HAWK_MUST_USE;

/* Deletes one object; none is no error. */
int s3_delete(S3 *s3, const char *key, Error *err) HAWK_MUST_USE;

#endif
