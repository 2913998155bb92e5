/* SPDX-License-Identifier: MIT */
#include "proxy/web_page.h"

#include "http/http_head.h"

static void put_extra(struct buf *out, const struct web_page *page)
{
    if (page->status == 405)
        http_head_field_str(out, "Allow",
                            page->allow ? page->allow
                                        : "GET, HEAD, POST, PUT, PATCH, "
                                          "DELETE, OPTIONS");
    if (page->status == 426)
        buf_put_str(out, "Sec-WebSocket-Version: 13\r\n");
    if (page->retry_s)
        http_head_field_u64(out, "Retry-After", page->retry_s);
    if (page->challenge)
        http_head_field_str(out, "WWW-Authenticate", page->challenge);
    if (page->location.len)
        http_head_field(out, "Location", page->location);
    if (page->hsts.len > 0 &&
        !(page->edits &&
          web_edits_say(page->edits, HTTP_FIELD_STRICT_TRANSPORT_SECURITY)))
        http_head_field(out, "Strict-Transport-Security", page->hsts);
    if (page->edits)
        web_edits_put(out, page->edits, page->secure);
}

/* RFC 9110 15.5.22: a 426 names the protocol in Upgrade, and Connection goes
 * with it. */
static void put_connection(struct buf *out, const struct web_page *page)
{
    if (page->status == 426)
        buf_put_str(out, page->close ? "Upgrade: websocket\r\n"
                                       "Connection: Upgrade, close\r\n"
                                     : "Upgrade: websocket\r\n"
                                       "Connection: Upgrade\r\n");
    else if (page->close)
        buf_put_str(out, "Connection: close\r\n");
    else if (page->keep_alive)
        buf_put_str(out, "Connection: keep-alive\r\n");
}

void web_page_write(struct buf *out, const struct web_page *page)
{
    char text[WEB_ERROR_TEXT_SIZE];
    struct span content =
        web_errors_content(page->errors, page->status, page->json, text);

    http_head_status(out, page->status);
    http_head_field_str(out, "Date", page->date);
    http_head_field_str(out, "Content-Type",
                        page->json ? "application/json"
                                   : "text/html; charset=utf-8");
    http_head_field_u64(out, "Content-Length", content.len);
    if (!page->edits || !web_edits_say(page->edits, HTTP_FIELD_CACHE_CONTROL))
        http_head_field_str(out, "Cache-Control", "no-store");
    put_extra(out, page);
    put_connection(out, page);
    http_head_end(out);
    if (!page->head_only)
        buf_put_span(out, content);
}

void web_page_https_location(struct buf *out, struct span host, uint16_t port,
                             struct span path, struct span query,
                             bool has_query)
{
    buf_put_str(out, "https://");
    buf_put_span(out, host);
    if (port != 443)
        buf_printf(out, ":%u", (unsigned)port);
    buf_put_span(out, path);
    if (has_query) {
        buf_put_byte(out, '?');
        buf_put_span(out, query);
    }
}
