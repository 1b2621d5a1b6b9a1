/* Processes: starting a child from an argument vector, waiting for it with a deadline, ending it
   with its group, and recognising a process again by its start time. No shell anywhere. */
#ifndef HAWK_BASE_PROCESS_H
#define HAWK_BASE_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

enum {
    PROCESS_NULL = -1,    /* /dev/null */
    PROCESS_PIPE = -2,    /* a pipe whose other end lands in Process */
    PROCESS_INHERIT = -3, /* what this process has */
    PROCESS_BOOT_ID_MAX = 37,
};

/* An environment being put together; `items` ends with NULL and fits ProcessOptions.envp. Values
   are wiped when replaced or released, for they may be secrets. */
typedef struct ProcessEnv {
    char **items;
    size_t n;
} ProcessEnv;

#define auto_process_env HAWK_CLEANUP(process_env_release)

/* Starts with a copy of this process's environment, or empty. */
void process_env_init(ProcessEnv *env, bool inherit);
void process_env_release(ProcessEnv *env);

/* Adds or replaces a variable; a NULL value removes it. */
void process_env_set(ProcessEnv *env, const char *name, const char *value);

/* The value, or NULL; borrowed until the variable changes. */
const char *process_env_get(const ProcessEnv *env, const char *name);

/* What to start. `in`, `out`, `err` are PROCESS_* or a descriptor, which the caller keeps; all zero
   means descriptor 0 for each, so fill all three (PROCESS_STDIO_NULL does). Every other descriptor
   is closed in the child. */
typedef struct ProcessOptions {
    const char *const *argv; /* ends with NULL; argv[0] is looked up on PATH when it has no slash */
    char *const *envp;       /* NULL: this process's environment */
    const char *cwd;         /* NULL: this process's folder */
    int in;
    int out;
    int err;
    bool own_group; /* leads a new process group, so that process_signal reaches its children too */
    bool own_session;        /* leads a new session (and group) without a terminal */
    int parent_death_signal; /* sent when the thread that started it ends; 0: none */
    bool detached; /* becomes a child of init: it outlives us and must not be waited for */
} ProcessOptions;

#define PROCESS_STDIO_NULL .in = PROCESS_NULL, .out = PROCESS_NULL, .err = PROCESS_NULL

/* A started process. Descriptors are the other ends of pipes, or -1; the caller may TAKE_FD them.
 */
typedef struct Process {
    pid_t pid; /* 0: nothing started */
    uint64_t start_ticks;
    int pidfd; /* readable when it has ended; -1 if the kernel has none */
    int in;
    int out;
    int err;
    bool leads_group;
    bool detached;
    bool ended;
    int exit_status; /* once ended: the exit status, or 128 + signal */
} Process;

#define PROCESS_INIT ((Process){.pidfd = -1, .in = -1, .out = -1, .err = -1})
#define auto_process HAWK_CLEANUP(process_release)

/* Starts a child. When the program cannot be run this fails (ERR_NOT_FOUND if there is none). The
   caller ends it with process_release. Signal mask and dispositions are the defaults in the child.
 */
int process_start(const ProcessOptions *options, Process *ret, Error *err) HAWK_MUST_USE;

/* Waits up to timeout_ms (0: looks only; -1: without end) and fills `ended` and `exit_status`.
   ERR_TIMEOUT while it still runs. Not for detached ones. */
int process_wait(Process *process, int timeout_ms, Error *err) HAWK_MUST_USE;

/* Sends a signal to the process, or to its whole group when it leads one; a process that has ended
 * is no error. */
void process_signal(const Process *process, int signal_number);

/* Closes the descriptors; a child that still runs is killed with its group and waited for, a
 * detached one is left. */
void process_release(Process *process);

/* Runs a child to its end with in/out/err as given but `out` and `err` replaced by one pipe whose
   bytes are appended to `output` (what is over its maximum is dropped). Past timeout_ms it is
   killed: ERR_TIMEOUT. */
int process_run(const ProcessOptions *options, int timeout_ms, Buf *output, int *ret_exit_status,
                Error *err) HAWK_MUST_USE;

/* The start time of a process in clock ticks since boot (proc(5), stat field 22); -1 when there is
   none or it has ended and only waits to be reaped. */
int process_start_ticks(pid_t pid, uint64_t *ret) HAWK_MUST_USE;

/* Whether the process with this number that started at this time still runs. */
bool process_is_alive(pid_t pid, uint64_t start_ticks);

/* The id of this boot of the kernel: start times of another boot mean nothing. "" when unknown.
 * Returns text. */
char *process_boot_id(char text[PROCESS_BOOT_ID_MAX]);

/* The path of a program: `name` itself when it has a slash and may be run, else the first on $PATH;
   NULL when there is none. The caller frees. */
char *process_find_program(const char *name) HAWK_MUST_USE;

/* The path of the running program; NULL when unknown. The caller frees. */
char *process_self_path(void) HAWK_MUST_USE;

/* Asks the kernel for no core dumps of this process and of those it starts: memory holds the token
   and secrets of jobs. The hard limit stays, so that a task may ask for them again. */
void process_refuse_core_dumps(void);

#endif
