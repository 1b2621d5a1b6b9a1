/* The connection to the server. */

#include "cli/api.h"

int api_open(Cli *cli, Api **ret, Error *err)
{
    (void)cli;
    (void)ret;
    return error_set(err, ERR_UNSUPPORTED, "the connection is not built yet");
}

void api_close(Api *api)
{
    (void)api;
}
