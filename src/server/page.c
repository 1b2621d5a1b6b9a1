/* The frame of a page and the pages that only say something. */

#include "server/page.h"

#include "server/server_priv.h"

static const char style[] =
    ":root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;margin:0 "
    "auto;max-width:70rem;padding:1.5rem}"
    "h1{font-size:1.3rem}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:."
    "35rem .8rem .35rem 0;"
    "border-bottom:1px solid "
    "#8884;vertical-align:top}th{font-weight:600}a{color:inherit}code{font-size:.9em}"
    ".bad{color:#c33}.good{color:#283}.dim{opacity:.65}form{display:inline}input{font:inherit;"
    "padding:.2rem .4rem}"
    "nav{margin:0 0 1rem}";

void page_begin(Buf *html, const char *title)
{
    buf_addz(
        html,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
        "content=\"width=device-width, initial-scale=1\"><title>");
    page_text(html, str_of(title));
    buf_printf(html, "</title><style>%s</style></head><body>\n", style);
}

void page_text(Buf *html, Str text)
{
    for (size_t i = 0; i < text.n; i++) {
        switch (text.p[i]) {
        case '<': buf_addz(html, "&lt;"); break;
        case '>': buf_addz(html, "&gt;"); break;
        case '&': buf_addz(html, "&amp;"); break;
        case '"': buf_addz(html, "&quot;"); break;
        case '\'': buf_addz(html, "&#39;"); break;
        default: buf_addc(html, text.p[i]);
        }
    }
}

void page_send(RouteCtx *ctx, Buf *take_html)
{
    buf_addz(take_html, "</body></html>\n");
    http_response_header(
        ctx->response, "Content-Security-Policy",
        STR("default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'"));
    http_response_header(ctx->response, "Cache-Control", STR("no-store"));
    http_response_buf(ctx->response, "text/html; charset=utf-8", take_html);
}

void page_forward(RouteCtx *ctx, Str path)
{
    auto_buf Buf html = BUF_INIT(64 * 1024);
    buf_addz(&html,
             "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>hawk</title>"
             "<meta http-equiv=\"refresh\" content=\"0;url=");
    page_text(&html, path);
    buf_addz(&html, "\"></head><body><p>Logged in. <a href=\"");
    page_text(&html, path);
    buf_addz(&html, "\">Go on</a></p>");
    page_send(ctx, &html);
}

/* The path and query of the page that was asked for; after a login that did not work, the first. */
static Str page_address(const RouteCtx *ctx)
{
    Str path = http_request_path(ctx->request);
    Str query = http_request_query(ctx->request);
    if (str_starts(path, STR("/oauth/")))
        return STR("/");
    if (!query.p)
        return path;
    return str_of(arena_printf(ctx->arena, "%.*s?%.*s", STR_ARG(path), STR_ARG(query)));
}

void page_login_needed(RouteCtx *ctx)
{
    auto_buf Buf html = BUF_INIT(64 * 1024);
    page_begin(&html, "hawk: log in");
    if (ctx->app->settings.authorization_endpoint) {
        buf_addz(&html, "<h1>Log in to hawk</h1><p><a href=\"/auth/login?next=");
        buf_addz(&html, route_encode(ctx->arena, page_address(ctx), "/"));
        buf_addz(&html, "\">Log in</a></p>");
    } else {
        buf_addz(&html, "<h1>Log in to hawk</h1><p>Run <code>hawk web</code> in a terminal of this "
                        "machine and open the "
                        "link that it prints. A link works once, for one minute.</p>");
    }
    page_send(ctx, &html);
}
