/* libmicrohttpd, loaded when the first server starts: with the TLS library that it brings along it
   would take more of a command's start than all other libraries together. */
#ifndef HAWK_HTTP_MHD_PRIV_H
#define HAWK_HTTP_MHD_PRIV_H

#include <microhttpd.h>

#include "base/error.h"

/* The functions used, named as in the library after "MHD_". */
typedef struct Mhd {
    struct MHD_Daemon *(*start_daemon)(unsigned flags, uint16_t port,
                                       MHD_AcceptPolicyCallback accept, void *accept_cls,
                                       MHD_AccessHandlerCallback handler, void *handler_cls, ...);
    void (*stop_daemon)(struct MHD_Daemon *daemon);
    void (*suspend_connection)(struct MHD_Connection *connection);
    void (*resume_connection)(struct MHD_Connection *connection);
    const union MHD_ConnectionInfo *(*get_connection_info)(struct MHD_Connection *connection,
                                                           enum MHD_ConnectionInfoType type, ...);
    int (*get_connection_values_n)(struct MHD_Connection *connection, enum MHD_ValueKind kind,
                                   MHD_KeyValueIteratorN each, void *cls);
    enum MHD_Result (*lookup_connection_value_n)(struct MHD_Connection *connection,
                                                 enum MHD_ValueKind kind, const char *name,
                                                 size_t name_size, const char **ret,
                                                 size_t *ret_size);
    enum MHD_Result (*queue_response)(struct MHD_Connection *connection, unsigned status,
                                      struct MHD_Response *response);
    struct MHD_Response *(*create_response_from_callback)(uint64_t size, size_t block,
                                                          MHD_ContentReaderCallback read, void *cls,
                                                          MHD_ContentReaderFreeCallback free);
    struct MHD_Response *(*create_response_from_fd_at_offset64)(uint64_t size, int fd,
                                                                uint64_t offset);
    struct MHD_Response *(*create_response_from_buffer)(size_t size, void *bytes,
                                                        enum MHD_ResponseMemoryMode mode);
    enum MHD_Result (*add_response_header)(struct MHD_Response *response, const char *name,
                                           const char *value);
    void (*destroy_response)(struct MHD_Response *response);
    const char *(*get_version)(void);
} Mhd;

/* Read-only once mhd_load has returned 0. */
extern Mhd libmhd;

/* Loads the library; once is enough. ERR_UNSUPPORTED when it is not installed. */
int mhd_load(Error *err) HAWK_MUST_USE;

#endif
