/* Token buckets in sets of a few ways, found by the hash of the credential; streams and archives in
   plain lists, as long as there may be of them. */

#include "server/limits.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/digest.h"

enum { SETS = 1024, WAYS = 4, PLACE_RETRY_S = 5 };

typedef struct Bucket {
    unsigned char key[DIGEST_SIZE];
    bool is_used;
    int64_t at_ms;
    int64_t left; /* thousandths of a request at that time */
} Bucket;

typedef struct Place {
    unsigned char whose[DIGEST_SIZE];
    bool is_taken;
} Place;

typedef struct Places {
    Place *items;
    size_t room;
    int64_t max_of_one; /* 0: no limit */
} Places;

struct Limits {
    LimitsOptions options;
    pthread_mutex_t lock; /* of what follows */
    Bucket buckets[SETS][WAYS];
    Places streams;
    Places archives;
    Place archive_places[LIMITS_ARCHIVES];
};

Limits *limits_new(const LimitsOptions *options)
{
    Limits *limits = mem_alloc(sizeof(*limits));
    limits->options = *options;
    if (limits->options.burst < limits->options.per_second)
        limits->options.burst = limits->options.per_second;
    limits->streams = (Places){mem_array(options->n_streams_room, sizeof(Place)),
                               options->n_streams_room, options->streams_max};
    limits->archives = (Places){limits->archive_places, LIMITS_ARCHIVES, LIMITS_ARCHIVES_OF_ONE};
    pthread_mutex_init(&limits->lock, NULL);
    return limits;
}

void limits_free(Limits *limits)
{
    if (!limits)
        return;
    pthread_mutex_destroy(&limits->lock);
    free(limits->streams.items);
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

/* Takes a place; false when there is none. ret_n is how many are taken by the same. */
static bool take_place(Limits *limits, const Places *places, Str whose, size_t *ret, int64_t *ret_n)
{
    unsigned char key[DIGEST_SIZE];
    size_t free_place = places->room;
    int64_t n = 0;
    digest_sha256(whose, key);
    pthread_mutex_lock(&limits->lock);
    for (size_t i = 0; i < places->room; i++) {
        const Place *place = &places->items[i];
        if (!place->is_taken)
            free_place = i;
        else if (memcmp(place->whose, key, DIGEST_SIZE) == 0)
            n++;
    }
    bool may = free_place < places->room && (places->max_of_one <= 0 || n < places->max_of_one);
    if (may) {
        memcpy(places->items[free_place].whose, key, DIGEST_SIZE);
        places->items[free_place].is_taken = true;
        *ret = free_place;
    }
    pthread_mutex_unlock(&limits->lock);
    *ret_n = n;
    return may;
}

static void leave_place(Limits *limits, const Places *places, size_t i)
{
    pthread_mutex_lock(&limits->lock);
    places->items[i].is_taken = false;
    pthread_mutex_unlock(&limits->lock);
}

int limits_stream_begin(Limits *limits, Str person, size_t *ret, Error *err)
{
    int64_t n = 0;
    if (take_place(limits, &limits->streams, person, ret, &n))
        return 0;
    (void)error_set(err, ERR_BUSY, "you have %lld downloads and streams open, which is the limit",
                    (long long)n);
    (void)error_code(err, "stream_limit");
    (void)error_retry(err, PLACE_RETRY_S);
    return error_fix(err, "wait until some of them have ended");
}

void limits_stream_end(Limits *limits, size_t place)
{
    leave_place(limits, &limits->streams, place);
}

int limits_archive_begin(Limits *limits, Str folder, size_t *ret, Error *err)
{
    int64_t n = 0;
    if (take_place(limits, &limits->archives, folder, ret, &n))
        return 0;
    if (n >= LIMITS_ARCHIVES_OF_ONE)
        (void)error_set(err, ERR_BUSY, "%d archives of this scan are being sent already",
                        LIMITS_ARCHIVES_OF_ONE);
    else
        (void)error_set(err, ERR_BUSY, "%d archives of scans are being sent already",
                        LIMITS_ARCHIVES);
    (void)error_code(err, "archive_limit");
    (void)error_retry(err, PLACE_RETRY_S);
    return error_fix(err, "wait until one of them has ended");
}

void limits_archive_end(Limits *limits, size_t place)
{
    leave_place(limits, &limits->archives, place);
}
