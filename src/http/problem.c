/* Problem documents. */

#include "http/problem.h"

#include <stdio.h>

#include "codec/json_out.h"

enum { PROBLEM_MAX = 1 << 20 };

typedef struct TitleRow {
    int status;
    const char *title;
} TitleRow;

/* clang-format off */
static const TitleRow titles[] = {
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 406, "Not Acceptable" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 410, "Gone" },
    { 412, "Precondition Failed" },
    { 413, "Content Too Large" },
    { 415, "Unsupported Media Type" },
    { 416, "Range Not Satisfiable" },
    { 421, "Misdirected Request" },
    { 422, "Unprocessable Content" },
    { 428, "Precondition Required" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Timeout" },
    { 505, "HTTP Version Not Supported" },
    { 507, "Insufficient Storage" },
};
/* clang-format on */

const char *problem_title(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(titles); i++)
        if (titles[i].status == status)
            return titles[i].title;
    return status < 500 ? "Request Failed" : "Server Error";
}

void problem_add(Buf *buf, int status, const char *title, const Error *err, Str instance)
{
    JsonOut out;
    json_out_init(&out, buf, 0);
    json_out_object(&out);
    json_out_kvz(&out, "title", title ? title : problem_title(status));
    json_out_kv_int(&out, "status", status);
    json_out_kvz(&out, "detail", error_text(err));
    if (instance.p)
        json_out_kv_str(&out, "instance", instance);
    json_out_kvz(&out, "code", err->code ? err->code : error_kind_name(err->kind));
    if (err->fix)
        json_out_kvz(&out, "fix", err->fix);
    json_out_end_object(&out);
}

void problem_respond_as(HttpRequest *request, HttpResponse *response, int status, const char *title,
                        const Error *err)
{
    Buf body = BUF_INIT(PROBLEM_MAX);
    problem_add(&body, status, title, err, http_request_path(request));
    http_response_status(response, status);
    http_response_header(response, "Cache-Control", STR("no-store"));
    char seconds[16];
    (void)snprintf(seconds, sizeof(seconds), "%d", err->retry_s ? err->retry_s : 1);
    if (err->retry_s || err->kind == ERR_BUSY)
        http_response_header(response, "Retry-After", str_of(seconds));
    http_response_buf(response, PROBLEM_CONTENT_TYPE, &body);
}

void problem_respond(HttpRequest *request, HttpResponse *response, const Error *err)
{
    problem_respond_as(request, response, error_kind_http(err->kind), NULL, err);
}
