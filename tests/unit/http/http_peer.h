/* A client of raw bytes: what goes over the wire is exactly what a test writes. */
#ifndef HAWK_TEST_HTTP_PEER_H
#define HAWK_TEST_HTTP_PEER_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"
#include "cmocka_all.h"

enum { PEER_PATIENCE_MS = 20000, PEER_BYTES_MAX = 256 << 20 };

static inline int peer_connect(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Sends everything; false when the other side broke off. */
static inline bool peer_send(int fd, Str bytes)
{
    size_t done = 0;
    while (done < bytes.n) {
        ssize_t n = send(fd, bytes.p + done, bytes.n - done, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

/* One read into buf: the number of bytes, 0 at the end (also a reset); fails the test when nothing
   comes for very long. */
static inline size_t peer_read(int fd, Buf *buf, size_t max)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, PEER_PATIENCE_MS), 1);
    ssize_t n = recv(fd, buf_room(buf, max), max, 0);
    if (n > 0)
        buf_grew(buf, (size_t)n);
    return n > 0 ? (size_t)n : 0;
}

/* Reads until the other side closes. */
static inline void peer_read_all(int fd, Buf *buf)
{
    while (peer_read(fd, buf, 65536) > 0)
        ;
}

/* Reads until text has come; false when the other side closed before. */
static inline bool peer_read_until(int fd, Buf *buf, const char *text)
{
    while (str_find_str(buf_str(buf), str_of(text)) < 0)
        if (peer_read(fd, buf, 65536) == 0)
            return false;
    return true;
}

/* Sends a request on a connection of its own and reads until the server closes it. */
static inline void peer_exchange(int port, Str request, Buf *answer)
{
    int fd = peer_connect(port);
    (void)peer_send(fd, request);
    peer_read_all(fd, answer);
    (void)close(fd);
}

static inline bool buf_has(const Buf *buf, const char *text)
{
    return str_find_str(buf_str(buf), str_of(text)) >= 0;
}

#endif
