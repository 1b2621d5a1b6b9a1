/* Stamps a log: evallog_stamp LOG OUT EVAL_SET_ID CREATED_BY. */

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
    auto_fd int fd = fs_open(words[1], O_WRONLY | O_CREAT | O_TRUNC, 0600, err);
    if (fd < 0)
        return -1;
    const EvalLogStamp identity = {str_of(words[2]), str_of(words[3])};
    return evallog_stamp_write(log, &identity, to_file, &fd, err);
}

int main(int argc, char **argv)
{
    auto_error Error err = ERROR_INIT;
    if (argc != 5) {
        fprintf(stderr, "usage: evallog_stamp LOG OUT EVAL_SET_ID CREATED_BY\n");
        return 2;
    }
    if (stamp(argv + 1, &err) < 0) {
        fprintf(stderr, "%s\n", error_text(&err));
        return error_kind_exit(err.kind);
    }
    return 0;
}
