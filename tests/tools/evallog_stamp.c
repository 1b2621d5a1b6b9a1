/* Stamps a log, of which no more than HOLD bytes are held at once: evallog_stamp LOG OUT
   EVAL_SET_ID CREATED_BY [HOLD]. */

#include <fcntl.h>
#include <stdio.h>

#include "base/fs.h"
#include "evallog/evallog_stamp.h"

static int to_file(void *context, Str bytes, Error *err)
{
    return fs_write_all(*(int *)context, bytes.p, bytes.n, err);
}

static int stamp(char **words, Error *err)
{
    Source *source = NULL;
    auto_evallog EvalLog *log = NULL;
    if (source_open_file(words[0], &source, err) < 0)
        return -1;
    if (evallog_open(source, &log, err) < 0) {
        source_close(source);
        return -1;
    }
    int64_t n_held = 0;
    if (words[4] && str_to_i64(str_of(words[4]), 1, INT32_MAX, &n_held) < 0)
        return error_set(err, ERR_USAGE, "HOLD is a number of bytes");
    if (words[4])
        evallog_hold_at_most(log, (size_t)n_held);
    auto_fd int fd = fs_open(words[1], O_WRONLY | O_CREAT | O_TRUNC, 0600, err);
    if (fd < 0)
        return -1;
    const EvalLogStamp identity = {str_of(words[2]), str_of(words[3])};
    return evallog_stamp_write(log, &identity, to_file, &fd, err);
}

int main(int argc, char **argv)
{
    auto_error Error err = ERROR_INIT;
    if (argc != 5 && argc != 6) {
        fprintf(stderr, "usage: evallog_stamp LOG OUT EVAL_SET_ID CREATED_BY [HOLD]\n");
        return 2;
    }
    if (stamp(argv + 1, &err) < 0) {
        fprintf(stderr, "%s\n", error_text(&err));
        return error_kind_exit(err.kind);
    }
    return 0;
}
