/* Runs a fuzz target over the files of a folder, so that every test run replays the corpus without
 * clang. */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/fs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 16 << 20 };

static int replay_file(const char *path)
{
    auto_buf Buf body = BUF_INIT(INPUT_MAX);
    auto_error Error err = ERROR_INIT;
    if (fs_read_file(path, &body, &err) < 0) {
        fprintf(stderr, "%s\n", error_text(&err));
        return -1;
    }
    /* An exact-size copy, so that a read past the end is seen by the address sanitizer. */
    uint8_t *exact = malloc(body.len ? body.len : 1);
    if (!exact)
        abort();
    for (size_t i = 0; i < body.len; i++)
        exact[i] = (uint8_t)body.data[i];
    (void)LLVMFuzzerTestOneInput(exact, body.len);
    free(exact);
    return 0;
}

int main(int argc, char **argv)
{
    size_t n_files = 0;
    for (int i = 1; i < argc; i++) {
        struct dirent **names = NULL;
        int n = scandir(argv[i], &names, NULL, alphasort);
        if (n < 0) {
            fprintf(stderr, "cannot list %s\n", argv[i]);
            return 1;
        }
        for (int k = 0; k < n; k++) {
            auto_buf Buf path = BUF_INIT(4096);
            buf_printf(&path, "%s/%s", argv[i], names[k]->d_name);
            if (names[k]->d_name[0] != '.') {
                if (replay_file(path.data) < 0)
                    return 1;
                n_files++;
            }
            free(names[k]);
        }
        free(names);
    }
    printf("%zu inputs replayed\n", n_files);
    return n_files > 0 ? 0 : 1;
}
