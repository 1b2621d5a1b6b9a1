/* Opening a browser, for the commands that do. */

#include "cli/login.h"

#include <stdlib.h>

#include "base/process.h"

enum { OPEN_TIMEOUT_MS = 5000, OPEN_OUTPUT_MAX = 4096 };

bool login_open_browser(const char *url)
{
    if (!getenv("DISPLAY") && !getenv("WAYLAND_DISPLAY"))
        return false;
    const char *argv[] = {"xdg-open", url, NULL};
    const ProcessOptions options = {.argv = argv, PROCESS_STDIO_NULL};
    auto_buf Buf output = BUF_INIT(OPEN_OUTPUT_MAX);
    auto_error Error ignored = ERROR_INIT;
    int status = 1;
    return process_run(&options, OPEN_TIMEOUT_MS, &output, &status, &ignored) == 0 && status == 0;
}
