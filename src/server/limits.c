/* Token buckets in sets of a few ways, found by the hash of the credential; streams in a plain
   list, which is as long as there may be connections. */

#include "server/limits.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/digest.h"

enum { SETS = 1024, WAYS = 4, STREAM_RETRY_S = 5 };

typedef struct Bucket {
    unsigned char key[DIGEST_SIZE];
    bool is_used;
    int64_t at_ms;
    int64_t left; /* thousandths of a request at that time */
} Bucket;

typedef struct Place {
    unsigned char person[DIGEST_SIZE];
    bool is_taken;
} Place;

struct Limits {
    LimitsOptions options;
    pthread_mutex_t lock; /* of what follows */
    Bucket buckets[SETS][WAYS];
    Place *places;
};

Limits *limits_new(const LimitsOptions *options)
{
    Limits *limits = mem_alloc(sizeof(*limits));
    limits->options = *options;
    if (limits->options.burst < limits->options.per_second)
        limits->options.burst = limits->options.per_second;
    limits->places = mem_array(options->n_streams_room, sizeof(*limits->places));
    pthread_mutex_init(&limits->lock, NULL);
    return limits;
}

void limits_free(Limits *limits)
{
    if (!limits)
        return;
    pthread_mutex_destroy(&limits->lock);
    free(limits->places);
    free(limits);
}

/* What a bucket holds by now. A request per second is a thousandth per millisecond. */
static int64_t left_at(const Limits *limits, const Bucket *bucket, int64_t now_ms)
{
    int64_t full = limits->options.burst * 1000;
    int64_t passed = now_ms - bucket->at_ms;
    if (!bucket->is_used || passed >= full / limits->options.per_second)
        return full;
    int64_t left = bucket->left + passed * limits->options.per_second;
    return left < full ? left : full;
}

/* The bucket of a key, or the fullest of its set, made that of the key. */
static Bucket *find_bucket(Limits *limits, const unsigned char key[DIGEST_SIZE], int64_t now_ms)
{
    Bucket *set = limits->buckets[(key[0] | (size_t)key[1] << 8) % SETS];
    Bucket *place = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].is_used && memcmp(set[i].key, key, DIGEST_SIZE) == 0)
            return &set[i];
        if (left_at(limits, &set[i], now_ms) > left_at(limits, place, now_ms))
            place = &set[i];
    }
    memcpy(place->key, key, DIGEST_SIZE);
    place->is_used = true;
    place->at_ms = now_ms;
    place->left = limits->options.burst * 1000;
    return place;
}

int limits_request(Limits *limits, Str credential, int64_t now_ms, Error *err)
{
    unsigned char key[DIGEST_SIZE];
    if (limits->options.per_second <= 0)
        return 0;
    digest_sha256(credential, key);
    pthread_mutex_lock(&limits->lock);
    Bucket *bucket = find_bucket(limits, key, now_ms);
    int64_t left = left_at(limits, bucket, now_ms);
    bool may = left >= 1000;
    bucket->left = may ? left - 1000 : left;
    bucket->at_ms = now_ms;
    pthread_mutex_unlock(&limits->lock);
    if (may)
        return 0;
    (void)error_set(err, ERR_BUSY, "this credential asks more than %lld times a second",
                    (long long)limits->options.per_second);
    (void)error_code(err, "request_rate_limit");
    (void)error_retry(err, 1); /* there is at least one more within a second */
    return error_fix(err, "wait as long as Retry-After says, then ask more slowly");
}

int limits_stream_begin(Limits *limits, Str person, size_t *ret, Error *err)
{
    unsigned char key[DIGEST_SIZE];
    size_t free_place = limits->options.n_streams_room;
    int64_t n = 0;
    digest_sha256(person, key);
    pthread_mutex_lock(&limits->lock);
    for (size_t i = 0; i < limits->options.n_streams_room; i++) {
        const Place *place = &limits->places[i];
        if (!place->is_taken)
            free_place = i;
        else if (memcmp(place->person, key, DIGEST_SIZE) == 0)
            n++;
    }
    bool may = free_place < limits->options.n_streams_room &&
               (limits->options.streams_max <= 0 || n < limits->options.streams_max);
    if (may) {
        memcpy(limits->places[free_place].person, key, DIGEST_SIZE);
        limits->places[free_place].is_taken = true;
        *ret = free_place;
    }
    pthread_mutex_unlock(&limits->lock);
    if (may)
        return 0;
    (void)error_set(err, ERR_BUSY, "you have %lld downloads and streams open, which is the limit",
                    (long long)n);
    (void)error_code(err, "stream_limit");
    (void)error_retry(err, STREAM_RETRY_S);
    return error_fix(err, "wait until some of them have ended");
}

void limits_stream_end(Limits *limits, size_t place)
{
    pthread_mutex_lock(&limits->lock);
    limits->places[place].is_taken = false;
    pthread_mutex_unlock(&limits->lock);
}
