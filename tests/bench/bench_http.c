/* The HTTP server beside nginx in the same run: requests a second and processor time for each, of a
   small JSON answer and of ranges of a file. The client shares the machine with the server, so the
   processor time says more than the rate. Usage: bench_http [SECONDS for each row]. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/mem.h"
#include "http/server.h"

enum { N_CONNECTIONS = 32, FILE_SIZE = 16 << 20, HEAD_MAX = 4096 };

#define JSON                                                                                       \
    "{\"id\": \"eval-0123456789\", \"status\": \"running\", \"samples\": 100, \"done\": 42}"

typedef struct Case {
    const char *name;
    const char *path;
    size_t range; /* 0: none */
} Case;

static const Case cases[] = {
    {"JSON answer", "/json", 0},
    {"64 KiB of a file", "/file", 64 << 10},
    {"1 MiB of a file", "/file", 1 << 20},
};

static char folder[] = "/tmp/hawk-bench-XXXXXX";

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void handle(void *context, HttpRequest *request, HttpResponse *response)
{
    (void)context;
    if (str_eqz(http_request_path(request), "/json")) {
        http_response_bytes(response, "application/json", STR(JSON));
        return;
    }
    auto_error Error err = ERROR_INIT;
    auto_free char *path = fs_join(folder, "file");
    Str range = http_request_header(request, "Range");
    int64_t last = 0;
    ptrdiff_t dash = str_find(range, '-');
    if (dash < 0 ||
        str_to_i64(str_slice(range, (size_t)dash + 1, range.n), 0, FILE_SIZE, &last) < 0)
        return;
    http_response_status(response, 206);
    http_response_file(response, "application/octet-stream", fs_open(path, O_RDONLY, 0, &err), 0,
                       (uint64_t)last + 1);
}

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(address);
    auto_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&address, n) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &n) < 0)
        fail("bind");
    return ntohs(address.sin_port);
}

static pid_t start_ours(int port)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    HttpServerOptions options = HTTP_SERVER_OPTIONS;
    auto_error Error err = ERROR_INIT;
    HttpServer *server = NULL;
    sigset_t term;
    int caught = 0;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    options.port = port;
    options.handler = handle;
    if (http_server_start(&options, &server, &err) < 0) {
        fprintf(stderr, "%s\n", error_text(&err));
        _exit(1);
    }
    (void)sigwait(&term, &caught);
    http_server_stop(server, 0);
    _exit(0);
}

static pid_t start_nginx(int port)
{
    auto_buf Buf text = BUF_INIT(HEAD_MAX);
    auto_error Error err = ERROR_INIT;
    auto_free char *path = fs_join(folder, "nginx.conf");
    buf_printf(&text,
               "%sdaemon off; worker_processes auto; pid %s/pid; error_log %s/error;\n"
               "events { worker_connections 512; }\n"
               "http { access_log off; sendfile on; keepalive_requests 1000000000;\n"
               "client_body_temp_path %s/b; proxy_temp_path %s/p; fastcgi_temp_path %s/f;\n"
               "uwsgi_temp_path %s/u; scgi_temp_path %s/s;\n"
               "server { listen 127.0.0.1:%d; root %s;\n"
               "location /json { default_type application/json; return 200 '%s'; } } }\n",
               geteuid() == 0 ? "user root; " : "", folder, folder, folder, folder, folder, folder,
               folder, port, folder, JSON);
    if (fs_write_file(path, buf_str(&text), 0600, &err) < 0) {
        fprintf(stderr, "%s\n", error_text(&err));
        exit(1);
    }
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)execlp("nginx", "nginx", "-c", path, (char *)NULL);
    _exit(127);
}

/* Waits until the port answers; -1 when the server has ended. */
static int dial(pid_t pid, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
            return fd;
        }
        (void)close(fd);
        siginfo_t ended = {0};
        if (waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT) < 0 || ended.si_pid)
            return -1;
        (void)usleep(1000);
    }
}

/* One connection of the client: the head of the answer, then how much of the body is to come. */
typedef struct Peer {
    int fd;
    char head[HEAD_MAX];
    size_t n_head;
    size_t n_left;
} Peer;

static void peer_send(Peer *peer, Str request)
{
    if (send(peer->fd, request.p, request.n, MSG_NOSIGNAL) != (ssize_t)request.n)
        fail("send");
}

/* Reads what there is; true when an answer is whole. */
static bool peer_read(Peer *peer)
{
    static char sink[1 << 20];
    if (peer->n_left > 0) {
        ssize_t n =
            recv(peer->fd, sink, peer->n_left < sizeof(sink) ? peer->n_left : sizeof(sink), 0);
        if (n <= 0)
            fail("recv");
        peer->n_left -= (size_t)n;
        return peer->n_left == 0;
    }
    ssize_t n = recv(peer->fd, peer->head + peer->n_head, HEAD_MAX - 1 - peer->n_head, 0);
    if (n <= 0)
        fail("recv");
    peer->n_head += (size_t)n;
    peer->head[peer->n_head] = '\0';
    const char *end = strstr(peer->head, "\r\n\r\n");
    const char *length = strcasestr(peer->head, "Content-Length:");
    if (!end || !length)
        return false;
    if (!str_starts(str_of(peer->head), STR("HTTP/1.1 20"))) {
        fprintf(stderr, "%.*s\n", (int)strcspn(peer->head, "\r"), peer->head);
        exit(1);
    }
    size_t body = strtoull(length + 15, NULL, 10);
    size_t have = peer->n_head - (size_t)(end + 4 - peer->head);
    peer->n_head = 0;
    peer->n_left = body - have;
    return peer->n_left == 0;
}

/* Keeps every connection busy for so long; returns the number of answers. */
static size_t drive(pid_t pid, int port, Str request, int64_t duration_ms)
{
    static Peer peers[N_CONNECTIONS];
    auto_fd int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    size_t n_answers = 0;
    for (size_t i = 0; i < N_CONNECTIONS; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &peers[i]};
        peers[i] = (Peer){.fd = dial(pid, port)};
        if (peers[i].fd < 0)
            return 0;
        (void)epoll_ctl(epoll_fd, EPOLL_CTL_ADD, peers[i].fd, &event);
        peer_send(&peers[i], request);
    }
    int64_t until_ms = clock_monotonic_ms() + duration_ms;
    while (clock_monotonic_ms() < until_ms) {
        struct epoll_event events[N_CONNECTIONS];
        int n = epoll_wait(epoll_fd, events, N_CONNECTIONS, 1000);
        for (int i = 0; i < n; i++) {
            if (!peer_read(events[i].data.ptr))
                continue;
            n_answers++;
            peer_send(events[i].data.ptr, request);
        }
    }
    for (size_t i = 0; i < N_CONNECTIONS; i++)
        (void)close(peers[i].fd);
    return n_answers;
}

static void measure(const char *server, pid_t (*start)(int port), const Case *c,
                    int64_t duration_ms)
{
    int port = free_port();
    auto_buf Buf request = BUF_INIT(HEAD_MAX);
    buf_printf(&request, "GET %s HTTP/1.1\r\nHost: localhost\r\n", c->path);
    if (c->range)
        buf_printf(&request, "Range: bytes=0-%zu\r\n", c->range - 1);
    buf_addz(&request, "\r\n");
    pid_t pid = start(port);
    size_t n = drive(pid, port, buf_str(&request), duration_ms);
    struct rusage used = {0};
    int status = 0;
    (void)kill(pid, SIGTERM);
    while (wait4(pid, &status, 0, &used) < 0 && errno == EINTR)
        ;
    if (n == 0) {
        printf("%-20s %-8s not available\n", c->name, server);
        return;
    }
    double cpu_us = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
                    (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    printf("%-20s %-8s %9.0f %14.1f\n", c->name, server, (double)n * 1000 / (double)duration_ms,
           cpu_us / (double)n);
    (void)fflush(stdout);
}

static void make_file(void)
{
    static char block[1 << 20];
    auto_error Error err = ERROR_INIT;
    auto_free char *path = fs_join(folder, "file");
    auto_fd int fd = fs_open(path, O_WRONLY | O_CREAT, 0600, &err);
    for (size_t i = 0; i < FILE_SIZE / sizeof(block); i++)
        if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
            fail("write");
}

int main(int argc, char **argv)
{
    int64_t seconds = argc > 1 ? strtoll(argv[1], NULL, 10) : 2;
    auto_error Error err = ERROR_INIT;
    if (!mkdtemp(folder))
        fail("mkdtemp");
    make_file();
    printf("%-20s %-8s %9s %14s\n", "", "", "answers/s", "us CPU/answer");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        measure("hawk", start_ours, &cases[i], seconds * 1000);
        measure("nginx", start_nginx, &cases[i], seconds * 1000);
    }
    return fs_remove_tree(folder, &err) < 0;
}
