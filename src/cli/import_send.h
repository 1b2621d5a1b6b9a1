/* ImportSend: sends logs to an import of the server, several at a time, stamped for it on the way.
 */
#ifndef HAWK_CLI_IMPORT_SEND_H
#define HAWK_CLI_IMPORT_SEND_H

#include "cli/api.h"
#include "cli/import_files.h"

typedef enum ImportSendState {
    IMPORT_SEND_WAITING,
    IMPORT_SEND_SENT,
    IMPORT_SEND_FAILED,
} ImportSendState;

/* What has become of one file. */
typedef struct ImportSendItem {
    const ImportFile *file;
    ImportSendState state;
    Error error; /* of a failed one */
} ImportSendItem;

/* How far it is. */
typedef struct ImportSendCount {
    size_t n_done; /* sent or failed */
    uint64_t n_bytes;
} ImportSendCount;

typedef struct ImportSendOptions {
    const Api *api;
    const char *eval_set_id;
    const char *created_by;
    size_t n_threads;
    void *context;
    /* Called on the caller's thread a few times a second while files are being sent, and at the
       end. */
    void (*progress)(void *context, const ImportSendCount *count);
    /* Called on the caller's thread once for each file that is done. */
    void (*done)(void *context, const ImportSendItem *item);
} ImportSendOptions;

enum { IMPORT_SEND_THREADS_MAX = 32 };

/* Sends all files and fills the items, one for each. What is wrong with a file fails only that; -1
   when it makes no sense to go on, as without a connection. */
int import_send_all(const ImportSendOptions *options, ImportSendItem *items, size_t n,
                    Error *err) HAWK_MUST_USE;

#endif
