/* The API server: every role in one process, on SQLite and a data folder. */
#ifndef HAWK_SERVER_SERVER_H
#define HAWK_SERVER_SERVER_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

enum { SERVER_DEFAULT_PORT = 8137 };

typedef struct ServerOptions {
    const char *data_dir;  /* NULL: HAWK_DATA, else $XDG_STATE_HOME/hawk */
    const char *cache_dir; /* NULL: HAWK_CACHE, else $XDG_CACHE_HOME/hawk */
    const char *address;   /* only loopback without an identity provider */
    int port; /* -1: SERVER_DEFAULT_PORT, or any free one when that is taken; 0: any free one */
    int max_running;        /* jobs that run at a time */
    int n_importers;        /* logs that are imported at a time */
    bool adopts_database;   /* of another store, and jobs of another data folder */
    bool is_single_user;    /* although the database had an identity provider */
    bool log_requests;      /* a line for each */
    const char *program;    /* path of this program, for starting runners */
    const char *viewer_dir; /* NULL: the newest viewer that can be found or installed */
} ServerOptions;

/* Runs until SIGTERM or SIGINT, then drains. ERR_CONFLICT when another server has the data folder
 * or the port. */
int server_run(const ServerOptions *options, Error *err) HAWK_MUST_USE;

/* DATA and CACHE as the options, the environment or XDG say; the caller frees. */
char *server_data_dir(const char *given) HAWK_MUST_USE;
char *server_cache_dir(const char *given) HAWK_MUST_USE;

#endif
