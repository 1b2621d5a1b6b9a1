/* Fetch: files from addresses that the server gave, several at a time. */
#ifndef HAWK_CLI_FETCH_H
#define HAWK_CLI_FETCH_H

#include "cli/api.h"

enum { FETCH_JOBS_MAX = 64 };

/* One file to fetch. */
typedef struct FetchItem {
    const char *name; /* for messages */
    const char *url;
    char *path; /* where it goes; its folder is there */
} FetchItem;

/* Fetches all, with up to n_threads (FETCH_JOBS_MAX) connections; a file appears when it is whole.
   The first failure ends it; *ret_done counts what had come whole until then. */
int fetch_all(const Api *api, FetchItem *items, size_t n, size_t n_threads, size_t *ret_done,
              Error *err) HAWK_MUST_USE;

#endif
