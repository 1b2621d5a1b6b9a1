/* Loading libcurl. */

#include "http/curl_priv.h"

#include <pthread.h>
#include <stdbool.h>

#include "base/library.h"

/* clang-format off */
#define SYMBOL(member) {"curl_" #member, offsetof(Curl, member)}

static const LibrarySymbol symbols[] = {
    SYMBOL(global_init),  SYMBOL(easy_init),  SYMBOL(easy_setopt),    SYMBOL(easy_perform),
    SYMBOL(easy_getinfo), SYMBOL(easy_reset), SYMBOL(easy_cleanup),   SYMBOL(easy_strerror),
    SYMBOL(slist_append), SYMBOL(url),        SYMBOL(slist_free_all), SYMBOL(url_cleanup),
    SYMBOL(url_set),      SYMBOL(url_get),    SYMBOL(free),
};
/* clang-format on */

/* Filled once; read-only afterwards. */
static Curl curl;
static bool is_loaded;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

const Curl *curl_load(Error *err)
{
    pthread_mutex_lock(&lock);
    if (!is_loaded)
        is_loaded = library_load("libcurl.so.4", "libcurl4", symbols, ARRAY_LEN(symbols), &curl,
                                 err) == 0 &&
                    curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    if (!is_loaded && err->kind == ERR_NONE)
        error_set(err, ERR_INTERNAL, "cannot set libcurl up");
    bool is_ready = is_loaded;
    pthread_mutex_unlock(&lock);
    return is_ready ? &curl : NULL;
}
