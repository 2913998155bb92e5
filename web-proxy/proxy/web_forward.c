/* SPDX-License-Identifier: MIT */
#include "proxy/web_forward.h"

#include "http/http_head.h"

static uint8_t fold(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint8_t)(c + 32);
    return c == '_' ? '-' : c;
}

static bool starts_folded(struct span name, const char *prefix, size_t n)
{
    if (name.len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (fold(name.ptr[i]) != (uint8_t)prefix[i])
            return false;
    }
    return true;
}

/* Besides the client's address: fields that some back ends let override the
 * path, the host or the proxy to use ("Proxy" becomes HTTP_PROXY in CGI). */
bool web_forward_is_ours(struct span name)
{
    static const char *const names[] = {
        "forwarded",
        "x-real-ip",
        "x-client-ip",
        "client-ip",
        "true-client-ip",
        "x-cluster-client-ip",
        "x-original-url",
        "x-rewrite-url",
        "x-original-host",
        "proxy",
        "x-original-uri",
        "x-host",
        "x-http-host-override",
    };

    if (starts_folded(name, "x-forwarded", 11))
        return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t n = strlen(names[i]);

        if (name.len == n && starts_folded(name, names[i], n))
            return true;
    }
    return false;
}

/* An underscore version of a field that frames or routes ("Content_Length",
 * "Transfer_Encoding", "Host" has none): the same trick, other field. */
static bool is_alias_of_framing(struct span name)
{
    return (name.len == 14 && starts_folded(name, "content-length", 14)) ||
           (name.len == 17 && starts_folded(name, "transfer-encoding", 17));
}

/* What of a client's fields goes on. `connection`: the Connection field names
 * more than the usual; `upgrade`: it is a WebSocket handshake. */
static bool is_forwarded(const struct web_request *rq,
                         const struct http_header *h, bool connection,
                         bool upgrade)
{
    switch (h->field) {
    case HTTP_FIELD_SEC_WEBSOCKET_KEY:
    case HTTP_FIELD_SEC_WEBSOCKET_VERSION:
    case HTTP_FIELD_SEC_WEBSOCKET_PROTOCOL:
    case HTTP_FIELD_SEC_WEBSOCKET_EXTENSIONS:
        if (!upgrade)
            return false;
        break;
    case HTTP_FIELD_EXPECT:
        /* HTTP/1.0 has none (RFC 9110 10.1.1), and we say HTTP/1.1. */
        if (!rq->msg->expects_continue)
            return false;
        break;
    case HTTP_FIELD_HOST:
    case HTTP_FIELD_CONTENT_LENGTH:
    case HTTP_FIELD_FORWARDED:
    case HTTP_FIELD_X_REAL_IP:
    case HTTP_FIELD_X_FORWARDED_FOR:
    case HTTP_FIELD_X_FORWARDED_HOST:
    case HTTP_FIELD_X_FORWARDED_PORT:
    case HTTP_FIELD_X_FORWARDED_PROTO:
        return false;
    case HTTP_FIELD_OTHER:
        if (web_forward_is_ours(h->name) || is_alias_of_framing(h->name))
            return false;
        break;
    default:
        if (http_field_is_hop(h->field))
            return false;
        break;
    }
    return !connection || !http_msg_is_connection_option(rq->msg, h->name);
}

/* The usual Connection values name no field that could stand in the head. */
static bool names_fields(const struct http_msg *msg)
{
    struct span list, item;

    for (size_t i = 0; i < msg->headers_n; i++) {
        if (msg->headers[i].field != HTTP_FIELD_CONNECTION)
            continue;
        list = msg->headers[i].value;
        while (http_list_next(&list, &item)) {
            if (!span_is_nocase(item, "close") &&
                !span_is_nocase(item, "keep-alive") &&
                !span_is_nocase(item, "upgrade"))
                return true;
        }
    }
    return false;
}

/* The request line; the target is the normal path and the query. */
static void put_request_line(struct buf *out, const struct web_request *rq)
{
    buf_put_span(out, rq->msg->method);
    buf_put_byte(out, ' ');
    buf_put_span(out, rq->path);
    if (rq->has_query) {
        buf_put_byte(out, '?');
        buf_put_span(out, rq->query);
    }
    buf_put_str(out, " HTTP/1.1\r\n");
}

void web_forward_name(const struct addr *client, struct web_client_name *name)
{
    struct addr inner;

    name->is_v6 = client->family == ADDR_V6;
    addr_ip_str(client, name->text);
    if (name->is_v6 && span_starts(span_str(name->text), "::ffff:") &&
        addr_inner_v4(client, &inner)) {
        addr_ip_str(&inner, name->text);
        name->is_v6 = false;
    }
}

/* Who the client is. */
static void put_client(struct buf *out, const struct web_request *rq,
                       const struct web_forward_request *how)
{
    struct span ip = span_str(how->client->text);
    bool v6 = how->client->is_v6;
    struct span host = rq->msg->host;

    buf_put_str(out, "X-Forwarded-For: ");
    buf_put_span(out, ip);
    buf_put_str(out, "\r\nX-Real-IP: ");
    buf_put_span(out, ip);
    buf_put_str(out, how->secure ? "\r\nX-Forwarded-Proto: https\r\n"
                                 : "\r\nX-Forwarded-Proto: http\r\n");
    if (host.len > 0)
        http_head_field(out, "X-Forwarded-Host", host);

    buf_put_str(out, v6 ? "Forwarded: for=\"[" : "Forwarded: for=");
    buf_put_span(out, ip);
    buf_put_str(out, v6 ? "]\"" : "");
    buf_put_str(out, how->secure ? ";proto=https" : ";proto=http");
    if (host.len > 0) {
        buf_put_str(out, ";host=\"");
        buf_put_span(out, host);
        buf_put_byte(out, '"');
    }
    buf_put_str(out, "\r\n");
}

static void put_request_framing(struct buf *out, const struct web_request *rq,
                                const struct web_forward_request *how)
{
    const struct http_msg *msg = rq->msg;

    if (msg->framing == HTTP_FRAMING_CHUNKED)
        buf_put_str(out, "Transfer-Encoding: chunked\r\n");
    else if (msg->framing == HTTP_FRAMING_LENGTH)
        http_head_field_u64(out, "Content-Length", msg->length);
    else if (msg->has_length)
        buf_put_str(out, "Content-Length: 0\r\n");
    if (how->upgrade)
        buf_put_str(out, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
}

void web_forward_request(struct buf *out, const struct web_request *rq,
                         const struct web_forward_request *how)
{
    const struct http_msg *msg = rq->msg;
    bool connection = names_fields(msg);

    put_request_line(out, rq);
    if (how->host_field)
        http_head_field_str(out, "Host", how->host_field);
    else
        http_head_field(out, "Host", msg->host);
    for (size_t i = 0; i < msg->headers_n; i++) {
        if (is_forwarded(rq, &msg->headers[i], connection, how->upgrade))
            http_head_copy(out, &msg->headers[i]);
    }
    put_client(out, rq, how);
    if (how->via)
        buf_put_str(out, "Via: 1.1 edge\r\n");
    put_request_framing(out, rq, how);
    http_head_end(out);
}

enum web_body web_forward_body(const struct http_msg *answer,
                               enum http_method method, uint8_t minor)
{
    if (method == HTTP_METHOD_HEAD || answer->status < 200 ||
        answer->status == 204 || answer->status == 304)
        return WEB_BODY_NONE;
    switch (answer->framing) {
    case HTTP_FRAMING_NONE:
    case HTTP_FRAMING_LENGTH:
        return WEB_BODY_LENGTH;
    default:
        return minor == 0 ? WEB_BODY_CLOSE : WEB_BODY_CHUNKED;
    }
}

static bool is_returned(const struct http_msg *msg, const struct http_header *h,
                        bool connection)
{
    if (h->field == HTTP_FIELD_CONTENT_LENGTH || http_field_is_hop(h->field) ||
        (h->field == HTTP_FIELD_OTHER && is_alias_of_framing(h->name)))
        return false;
    return !connection || !http_msg_is_connection_option(msg, h->name);
}

/* The length is said with content, and where it describes the content that a
 * GET would have had (HEAD, 304). */
static void put_answer_framing(struct buf *out, const struct http_msg *msg,
                               const struct web_forward_answer *how)
{
    if (how->body == WEB_BODY_CHUNKED)
        buf_put_str(out, "Transfer-Encoding: chunked\r\n");
    else if (how->body == WEB_BODY_LENGTH)
        http_head_field_u64(out, "Content-Length", msg->length);
    else if (how->body == WEB_BODY_NONE && msg->has_length &&
             msg->status >= 200 && msg->status != 204)
        http_head_field_u64(out, "Content-Length", msg->length);
}

void web_forward_answer(struct buf *out, const struct http_msg *msg,
                        const struct web_forward_answer *how)
{
    bool connection = names_fields(msg);

    http_head_status(out, msg->status);
    for (size_t i = 0; i < msg->headers_n; i++) {
        const struct http_header *h = &msg->headers[i];

        if (how->hsts_s && h->field == HTTP_FIELD_STRICT_TRANSPORT_SECURITY)
            continue;
        if (is_returned(msg, h, connection))
            http_head_copy(out, h);
    }
    put_answer_framing(out, msg, how);
    if (msg->status >= 200 && !http_msg_find(msg, HTTP_FIELD_DATE))
        http_head_field_str(out, "Date", how->date);
    if (how->hsts_s && msg->status >= 200)
        buf_printf(out, "Strict-Transport-Security: max-age=%llu\r\n",
                   (unsigned long long)how->hsts_s);
    if (how->upgrade)
        buf_put_str(out, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
    else if (how->close)
        buf_put_str(out, "Connection: close\r\n");
    else if (how->keep_alive)
        buf_put_str(out, "Connection: keep-alive\r\n");
    http_head_end(out);
}

struct span web_chunk_line(size_t len, char line[WEB_CHUNK_LINE_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    size_t at = WEB_CHUNK_LINE_SIZE;

    line[--at] = '\n';
    line[--at] = '\r';
    do {
        line[--at] = digits[len & 15];
        len >>= 4;
    } while (len > 0);
    return span_of(line + at, WEB_CHUNK_LINE_SIZE - at);
}
