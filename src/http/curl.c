/* Loading libcurl. */

#include "http/curl_priv.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>

typedef struct Symbol {
    const char *name;
    size_t offset;
} Symbol;

/* clang-format off */
#define SYMBOL(member) {"curl_" #member, offsetof(Curl, member)}

static const Symbol symbols[] = {
    SYMBOL(global_init),  SYMBOL(easy_init),    SYMBOL(easy_setopt),   SYMBOL(easy_perform),
    SYMBOL(easy_getinfo), SYMBOL(easy_reset),   SYMBOL(easy_cleanup),  SYMBOL(easy_strerror),
    SYMBOL(slist_append), SYMBOL(url),          SYMBOL(slist_free_all), SYMBOL(url_cleanup),
    SYMBOL(url_set),      SYMBOL(url_get),      SYMBOL(free),
};

/* clang-format on */

/* Filled once; read-only afterwards. */
static Curl curl;
static bool is_loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void)
{
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return;
    for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
        void *symbol = dlsym(library, symbols[i].name);
        if (!symbol)
            return;
        memcpy((char *)&curl + symbols[i].offset, &symbol, sizeof(symbol));
    }
    is_loaded = curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

const Curl *curl_load(Error *err)
{
    pthread_once(&once, load);
    if (is_loaded)
        return &curl;
    error_set(err, ERR_UNSUPPORTED, "cannot load libcurl.so.4");
    error_fix(err, "install libcurl4");
    return NULL;
}
