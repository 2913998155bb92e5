/* SPDX-License-Identifier: MIT */
#include "proxy/web_forward.h"

#include "base/err.h"
#include "http/http_head.h"

/* A head of known size at most is written without a look at the buffer for
 * each piece: this is the proxy's hottest loop. */
struct writer {
    uint8_t *at;
    uint8_t *end;
    bool full;
};

static inline void put(struct writer *w, const void *data, size_t len)
{
    if ((size_t)(w->end - w->at) < len) {
        w->full = true;
        return;
    }
    memcpy(w->at, data, len);
    w->at += len;
}

static inline void put_span(struct writer *w, struct span s)
{
    if (s.len > 0)
        put(w, s.ptr, s.len);
}

#define PUT(w, literal) put(w, literal, sizeof(literal) - 1)

static void put_u64(struct writer *w, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    put(w, digits + at, sizeof(digits) - at);
}

static void begin(struct writer *w, struct buf *out, size_t most)
{
    w->at = buf_reserve(out, most);
    w->end = w->at ? w->at + most : NULL;
    w->full = false;
}

/* Take what was written into the buffer; a head that did not fit is none. */
static void finish(const struct writer *w, struct buf *out, size_t most)
{
    if (!w->at || buf_err(out) < 0)
        return;
    if (w->full)
        out->err = ERR_LIMIT;
    else
        buf_commit(out, most - (size_t)(w->end - w->at));
}

/* Header lines of the received head that go on. Lines that stand behind each
 * other, each already written as "Name: value", are copied together. */
struct run {
    const uint8_t *from;
    const uint8_t *to;
};

static void run_flush(struct run *run, struct writer *w)
{
    if (run->from)
        put(w, run->from, (size_t)(run->to - run->from));
    run->from = run->to = NULL;
}

static void put_line(struct writer *w, const struct http_header *h)
{
    put_span(w, h->name);
    PUT(w, ": ");
    put_span(w, h->value);
    PUT(w, "\r\n");
}

/* Was it received as we would write it? (A value in the head has at least
 * the line's end behind it.) */
static bool is_plain_line(const struct http_header *h)
{
    return h->value.len > 0 && h->value.ptr == h->name.ptr + h->name.len + 2 &&
           h->value.ptr[-1] == ' ' && h->value.ptr[h->value.len] == '\r';
}

static void run_add(struct run *run, struct writer *w,
                    const struct http_header *h)
{
    if (!is_plain_line(h)) {
        run_flush(run, w);
        put_line(w, h);
        return;
    }
    if (run->to != h->name.ptr) {
        run_flush(run, w);
        run->from = h->name.ptr;
    }
    run->to = h->value.ptr + h->value.len + 2;
}

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

bool web_forward_is_field(struct span name, const char *field)
{
    if (name.len != strlen(field))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (fold(name.ptr[i]) != fold((uint8_t)field[i]))
            return false;
    }
    return true;
}

/* A field that carries our word about the client on some route of the site:
 * on the other routes the client's own must not pass for it. */
static bool is_own_field(const struct web_request *rq, struct span name)
{
    for (size_t i = 0; i < rq->n_own_fields; i++) {
        if (web_forward_is_field(name, rq->own_fields[i]))
            return true;
    }
    for (size_t i = 0; i < rq->n_peers; i++) {
        if (rq->peers[i].field &&
            web_forward_is_field(name, rq->peers[i].field))
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
        if (rq->trace.text[0] && web_forward_is_field(h->name, "traceparent"))
            return false;
        if (web_forward_is_ours(h->name) || is_alias_of_framing(h->name) ||
            is_own_field(rq, h->name))
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
static void put_request_line(struct writer *w, const struct web_request *rq,
                             struct span path)
{
    put_span(w, rq->msg->method);
    PUT(w, " ");
    put_span(w, path);
    if (rq->has_query) {
        PUT(w, "?");
        put_span(w, rq->query);
    }
    PUT(w, " HTTP/1.1\r\n");
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

/* Where the client thinks it is. */
static uint16_t port_of(const struct web_request *rq,
                        const struct web_forward_request *how)
{
    if (rq->host.port)
        return rq->host.port;
    return how->secure ? how->port : 80;
}

/* Who the client is. */
static void put_client(struct writer *w, const struct web_request *rq,
                       const struct web_forward_request *how)
{
    struct span ip = span_str(how->client->text);
    bool v6 = how->client->is_v6;
    struct span host = rq->msg->host;

    PUT(w, "X-Forwarded-For: ");
    put_span(w, ip);
    PUT(w, "\r\nX-Real-IP: ");
    put_span(w, ip);
    PUT(w, "\r\nX-Forwarded-Proto: http");
    if (how->secure)
        PUT(w, "s");
    if (host.len > 0) {
        PUT(w, "\r\nX-Forwarded-Host: ");
        put_span(w, host);
    }
    PUT(w, "\r\nX-Forwarded-Port: ");
    put_u64(w, port_of(rq, how));
    PUT(w, "\r\nForwarded: for=");
    if (v6)
        PUT(w, "\"[");
    put_span(w, ip);
    if (v6)
        PUT(w, "]\"");
    PUT(w, ";proto=http");
    if (how->secure)
        PUT(w, "s");
    if (host.len > 0) {
        PUT(w, ";host=\"");
        put_span(w, host);
        PUT(w, "\"");
    }
    PUT(w, "\r\n");
}

static void put_length(struct writer *w, uint64_t length)
{
    PUT(w, "Content-Length: ");
    put_u64(w, length);
    PUT(w, "\r\n");
}

static void put_request_framing(struct writer *w, const struct web_request *rq,
                                const struct web_forward_request *how)
{
    const struct http_msg *msg = rq->msg;

    if (msg->framing == HTTP_FRAMING_CHUNKED)
        PUT(w, "Transfer-Encoding: chunked\r\n");
    else if (msg->framing == HTTP_FRAMING_LENGTH || msg->has_length)
        put_length(w, msg->framing == HTTP_FRAMING_LENGTH ? msg->length : 0);
    if (how->upgrade)
        PUT(w, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
}

/* The value without the part that a token check takes out. */
static bool is_stripped(const struct web_request *rq,
                        const struct http_header *h)
{
    return rq->stripped.len > 0 && rq->stripped.ptr >= h->value.ptr &&
           rq->stripped.ptr < h->value.ptr + h->value.len;
}

static void put_stripped(struct writer *w, const struct web_request *rq,
                         const struct http_header *h)
{
    size_t before = (size_t)(rq->stripped.ptr - h->value.ptr);
    struct span after = span_from(h->value, before + rq->stripped.len);

    if (before + after.len == 0)
        return;
    put_span(w, h->name);
    PUT(w, ": ");
    put_span(w, span_head(h->value, before));
    put_span(w, after);
    PUT(w, "\r\n");
}

static void put_trace(struct writer *w, const struct web_request *rq)
{
    if (!rq->trace.text[0])
        return;
    PUT(w, "traceparent: ");
    put_span(w, span_str(rq->trace.text));
    PUT(w, "\r\n");
}

static void put_identity(struct writer *w, const struct web_request *rq)
{
    if (!rq->identity_field)
        return;
    put_span(w, span_str(rq->identity_field));
    PUT(w, ": ");
    put(w, rq->identity.text, rq->identity.len);
    PUT(w, "\r\n");
}

static void put_subject(struct writer *w, const struct web_request *rq)
{
    if (!rq->subject_field)
        return;
    put_span(w, span_str(rq->subject_field));
    PUT(w, ": ");
    put_span(w, span_str(rq->peer->subject));
    PUT(w, "\r\n");
}

/* Our own lines, without what comes from the request. */
enum {
    OWN_LINES = 512,
    IDENTITY_LINE = JWT_CLAIM_MAX + 128,
    SUBJECT_LINE = WEB_PEER_SUBJECT_SIZE + 128,
};

void web_forward_request(struct buf *out, const struct web_request *rq,
                         const struct web_forward_request *how)
{
    const struct http_msg *msg = rq->msg;
    struct span host = how->host_field ? span_str(how->host_field) : msg->host;
    bool connection = names_fields(msg);
    struct run run = {0};
    struct writer w;
    /* A field without white space behind its colon grows by one byte. */
    struct span path = how->path.ptr ? how->path : rq->path;
    size_t most = msg->head.len + msg->headers_n + path.len + rq->query.len +
                  host.len + 2 * msg->host.len + OWN_LINES +
                  (rq->identity_field ? IDENTITY_LINE : 0) +
                  (rq->subject_field ? SUBJECT_LINE : 0);

    begin(&w, out, most);
    put_request_line(&w, rq, path);
    PUT(&w, "Host: ");
    put_span(&w, host);
    PUT(&w, "\r\n");
    for (size_t i = 0; i < msg->headers_n; i++) {
        if (!is_forwarded(rq, &msg->headers[i], connection, how->upgrade))
            continue;
        if (!is_stripped(rq, &msg->headers[i])) {
            run_add(&run, &w, &msg->headers[i]);
            continue;
        }
        run_flush(&run, &w);
        put_stripped(&w, rq, &msg->headers[i]);
    }
    run_flush(&run, &w);
    put_client(&w, rq, how);
    put_trace(&w, rq);
    put_identity(&w, rq);
    put_subject(&w, rq);
    if (how->via)
        PUT(&w, "Via: 1.1 edge\r\n");
    put_request_framing(&w, rq, how);
    PUT(&w, "\r\n");
    finish(&w, out, most);
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
static void put_answer_framing(struct writer *w, const struct http_msg *msg,
                               const struct web_forward_answer *how)
{
    if (how->body == WEB_BODY_CHUNKED)
        PUT(w, "Transfer-Encoding: chunked\r\n");
    else if (how->body == WEB_BODY_LENGTH ||
             (how->body == WEB_BODY_NONE && msg->has_length &&
              msg->status >= 200 && msg->status != 204))
        put_length(w, msg->length);
}

/* What we say besides: a date where there is none, and how it goes on. */
static void put_answer_lines(struct writer *w, const struct http_msg *msg,
                             const struct web_forward_answer *how, bool dated)
{
    bool final = msg->status >= 200;

    if (final && !dated) {
        PUT(w, "Date: ");
        put_span(w, span_str(how->date));
        PUT(w, "\r\n");
    }
    if (final && how->hsts.len > 0) {
        PUT(w, "Strict-Transport-Security: ");
        put_span(w, how->hsts);
        PUT(w, "\r\n");
    }
    if (how->upgrade)
        PUT(w, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
    else if (how->close)
        PUT(w, "Connection: close\r\n");
    else if (how->keep_alive)
        PUT(w, "Connection: keep-alive\r\n");
    PUT(w, "\r\n");
}

static void put_status_line(struct writer *w, int status)
{
    PUT(w, "HTTP/1.1 ");
    put_u64(w, (uint64_t)status);
    PUT(w, " ");
    put_span(w, span_str(http_status_text(status)));
    PUT(w, "\r\n");
}

void web_forward_answer(struct buf *out, const struct http_msg *msg,
                        const struct web_forward_answer *how)
{
    size_t most =
        msg->head.len + msg->headers_n + how->hsts.len + how->extra + OWN_LINES;
    bool connection = names_fields(msg);
    bool dated = false;
    struct run run = {0};
    struct writer w;

    begin(&w, out, most);
    put_status_line(&w, msg->status);
    for (size_t i = 0; i < msg->headers_n; i++) {
        const struct http_header *h = &msg->headers[i];

        if (how->hsts.len > 0 &&
            h->field == HTTP_FIELD_STRICT_TRANSPORT_SECURITY)
            continue;
        dated = dated || h->field == HTTP_FIELD_DATE;
        if (is_returned(msg, h, connection))
            run_add(&run, &w, h);
    }
    run_flush(&run, &w);
    put_answer_framing(&w, msg, how);
    put_answer_lines(&w, msg, how, dated);
    finish(&w, out, most);
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
