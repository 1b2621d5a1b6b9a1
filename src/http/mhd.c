/* Loading libmicrohttpd. */

#include "http/mhd_priv.h"

#include <pthread.h>
#include <stdbool.h>

#include "base/library.h"

/* clang-format off */
#define SYMBOL(member) {"MHD_" #member, offsetof(Mhd, member)}

static const LibrarySymbol symbols[] = {
    SYMBOL(start_daemon),                  SYMBOL(stop_daemon),
    SYMBOL(suspend_connection),            SYMBOL(resume_connection),
    SYMBOL(get_connection_info),           SYMBOL(get_connection_values_n),
    SYMBOL(lookup_connection_value_n),     SYMBOL(queue_response),
    SYMBOL(create_response_from_callback), SYMBOL(create_response_from_fd_at_offset64),
    SYMBOL(create_response_from_buffer),   SYMBOL(add_response_header),
    SYMBOL(destroy_response),              SYMBOL(get_version),
};
/* clang-format on */

Mhd libmhd;
static bool is_loaded;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int mhd_load(Error *err)
{
    pthread_mutex_lock(&lock);
    if (!is_loaded)
        is_loaded = library_load("libmicrohttpd.so.12", "libmicrohttpd12", symbols,
                                 ARRAY_LEN(symbols), &libmhd, err) == 0;
    bool is_ready = is_loaded;
    pthread_mutex_unlock(&lock);
    return is_ready ? 0 : -1;
}
