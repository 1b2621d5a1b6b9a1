/* Signs the requests on standard input, one a line, and prints one signature a line: the value of
   Authorization, or the query of an address when it is to expire. Fields end at tabs:

   METHOD PATH QUERY HASH REGION SERVICE NOW_US ACCESS_KEY SECRET_KEY TOKEN EXPIRES_S NAME VALUE ...
 */

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/sigv4.h"

enum { FIELDS = 11, ANSWER_MAX = 1 << 20 };

static int sign(Str line, Buf *ret, Error *err)
{
    Str fields[FIELDS];
    for (size_t i = 0; i < FIELDS; i++)
        if (!str_split(&line, '\t', &fields[i]))
            return error_set(err, ERR_USAGE, "a field is missing");
    Sigv4Header headers[SIGV4_PAIRS_MAX];
    char *names[SIGV4_PAIRS_MAX];
    size_t n = 0;
    Str name = STR_NONE;
    while (n < SIGV4_PAIRS_MAX && str_split(&line, '\t', &name)) {
        names[n] = mem_strndup(name.p, name.n);
        headers[n] = (Sigv4Header){.name = names[n]};
        if (!str_split(&line, '\t', &headers[n++].value))
            headers[n - 1].value = STR("");
    }
    auto_free char *method = mem_strndup(fields[0].p, fields[0].n);
    auto_free char *region = mem_strndup(fields[4].p, fields[4].n);
    auto_free char *service = mem_strndup(fields[5].p, fields[5].n);
    Sigv4Request request = {.method = method,
                            .path = fields[1],
                            .query = fields[2],
                            .headers = headers,
                            .n_headers = n,
                            .payload_hash = fields[3],
                            .region = region,
                            .service = service};
    Sigv4Keys keys = {fields[7], fields[8], fields[9]};
    int64_t expires_s = 0;
    int result = -1;
    if (str_to_i64(fields[6], 0, INT64_MAX, &request.now_us) < 0 ||
        str_to_i64(fields[10], 0, SIGV4_EXPIRES_MAX_S, &expires_s) < 0)
        (void)error_set(err, ERR_USAGE, "a number is not well-formed");
    else if (expires_s > 0)
        result = sigv4_presign(&request, &keys, (int)expires_s, ret, err);
    else
        result = sigv4_sign(&request, &keys, ret, err);
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    return result;
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    int status = 0;
    for (ssize_t n = getline(&line, &cap, stdin); n > 0; n = getline(&line, &cap, stdin)) {
        auto_error Error err = ERROR_INIT;
        auto_buf Buf text = BUF_INIT(ANSWER_MAX);
        size_t len = (size_t)n - (line[n - 1] == '\n' ? 1 : 0);
        if (sign((Str){line, len}, &text, &err) < 0)
            status = 1;
        (void)printf("%s\n", err.kind == ERR_NONE ? text.data : error_text(&err));
    }
    free(line);
    return status;
}
