/* Life of the server process. */

#include "server/server.h"

#include <stdlib.h>

#include "base/fs.h"
#include "base/mem.h"

static char *folder(const char *given, const char *variable, const char *xdg,
                    const char *below_home)
{
    const char *value = given ? given : getenv(variable);
    return value && *value ? mem_strdup(value) : fs_xdg(xdg, below_home);
}

char *server_data_dir(const char *given)
{
    return folder(given, "HAWK_DATA", "XDG_STATE_HOME", ".local/state");
}

char *server_cache_dir(const char *given)
{
    return folder(given, "HAWK_CACHE", "XDG_CACHE_HOME", ".cache");
}

int server_run(const ServerOptions *options, Error *err)
{
    (void)options;
    return error_set(err, ERR_UNSUPPORTED, "the server is not built yet");
}
