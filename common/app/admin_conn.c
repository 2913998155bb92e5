/* SPDX-License-Identifier: MIT */
#include "app/admin_internal.h"

#include "base/mem.h"
#include "http/http_head.h"
#include "http/http_parse.h"

/* One request, one reply, then the connection ends: no state to get wrong,
 * and nothing a slow client can hold for long. */

enum { CHUNK = 4096, LINGER_MS = 1000 };

static const struct http_limits limits = {.start_line = 2048,
                                          .head = ADMIN_REQUEST_MAX,
                                          .headers = 50,
                                          .chunk_line = 64};

struct admin_conn {
    struct list node; /* in admin->conns */
    struct admin *admin;
    enum admin_form form;
    union {
        uv_pipe_t pipe;
        uv_tcp_t tcp;
    } io;
    uv_timer_t timer;
    uv_write_t write;
    uv_shutdown_t shutdown;
    unsigned open; /* of the two handles */
    bool closing;
    bool answered;
    struct http_parser *parser;
    struct buf body;  /* of the request */
    struct buf reply; /* head */
    struct buf content;
    char chunk[CHUNK];
};

static uv_stream_t *stream_of(struct admin_conn *conn)
{
    return (uv_stream_t *)&conn->io;
}

static void conn_free(struct admin_conn *conn)
{
    http_parser_free(conn->parser);
    buf_deinit(&conn->body);
    buf_deinit(&conn->reply);
    buf_deinit(&conn->content);
    mem_free(conn);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct admin_conn *conn = handle->data;
    struct admin *admin = conn->admin;

    if (--conn->open > 0)
        return;
    list_remove(&conn->node);
    admin->connections--;
    conn_free(conn);
    admin_on_closed(admin);
}

static void conn_close(struct admin_conn *conn)
{
    if (conn->closing)
        return;
    conn->closing = true;
    uv_close((uv_handle_t *)stream_of(conn), on_handle_closed);
    uv_close((uv_handle_t *)&conn->timer, on_handle_closed);
}

static void on_timeout(uv_timer_t *timer)
{
    conn_close(timer->data);
}

/* ---- the reply ---- */

static void on_shutdown(uv_shutdown_t *request, int status)
{
    struct admin_conn *conn = request->data;

    if (status < 0)
        conn_close(conn);
}

/* The reply is out: wait a moment for the client to close, so that bytes of
 * its request that nobody read do not cut the reply off. */
static void on_written(uv_write_t *request, int status)
{
    struct admin_conn *conn = request->data;

    if (conn->closing)
        return;
    conn->shutdown.data = conn;
    if (status < 0 ||
        uv_shutdown(&conn->shutdown, stream_of(conn), on_shutdown) < 0) {
        conn_close(conn);
        return;
    }
    (void)uv_timer_start(&conn->timer, on_timeout, LINGER_MS, 0);
}

static uv_buf_t part_of(const struct buf *buf)
{
    char *start = buf->data ? (char *)buf->data + buf->start : NULL;

    return uv_buf_init(start, (unsigned)buf_len(buf));
}

/* The page loads what comes from here, talks to nobody else, is in nobody's
 * frame, and no text can become markup or script in it. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

static void send_reply(struct admin_conn *conn, int status, const char *type)
{
    struct buf *head = &conn->reply;
    struct span content = buf_span(&conn->content);
    uv_buf_t parts[2];

    conn->answered = true;
    http_head_status(head, status);
    http_head_field_str(head, "Content-Type", type);
    http_head_field_u64(head, "Content-Length", content.len);
    http_head_field_str(head, "Cache-Control", "no-store");
    http_head_field_str(head, "X-Content-Type-Options", "nosniff");
    http_head_field_str(head, "Referrer-Policy", "no-referrer");
    http_head_field_str(head, "Cross-Origin-Resource-Policy", "same-origin");
    http_head_field_str(head, "Content-Security-Policy", policy);
    http_head_field_str(head, "Connection", "close");
    http_head_end(head);
    if (buf_err(head) || buf_err(&conn->content)) {
        conn_close(conn);
        return;
    }
    parts[0] = part_of(head);
    parts[1] = part_of(&conn->content);
    conn->write.data = conn;
    (void)uv_timer_start(&conn->timer, on_timeout, conn->admin->timeout_ms, 0);
    if (uv_write(&conn->write, stream_of(conn), parts, content.len ? 2 : 1,
                 on_written) < 0)
        conn_close(conn);
}

static void send_text(struct admin_conn *conn, int status, const char *text)
{
    buf_reset(&conn->content);
    buf_printf(&conn->content, "%s\n", text);
    send_reply(conn, status, "text/plain; charset=utf-8");
}

/* ---- the request ---- */

static bool is_loopback_host(struct span host)
{
    struct addr a;
    struct span name, port;

    if (addr_parse(host, &a) == 0)
        return addr_is_loopback(&a);
    name = host;
    (void)span_cut(host, ':', &name, &port);
    return span_is_nocase(name, "localhost");
}

/* A page from elsewhere may make the operator's browser send requests here,
 * with a name of its own that resolves to 127.0.0.1. */
static bool is_foreign(const struct admin_conn *conn,
                       const struct http_msg *msg)
{
    struct span origin = http_msg_value(msg, HTTP_FIELD_ORIGIN);

    if (conn->form == ADMIN_UNIX)
        return false;
    if (!is_loopback_host(msg->host))
        return true;
    if (origin.len == 0)
        return false;
    return !span_starts_nocase(origin, "http://") ||
           !span_equal_nocase(span_from(origin, 7), msg->host);
}

static void on_request(struct admin_conn *conn)
{
    const struct http_msg *msg = http_parser_msg(conn->parser);
    struct admin_request request = {
        .method = msg->method,
        .path = msg->path,
        .body = buf_span(&conn->body),
    };
    const char *type;
    int status;

    if (is_foreign(conn, msg)) {
        send_text(conn, 403, "foreign Host or Origin");
        return;
    }
    (void)span_cut(msg->path, '?', &request.path, &request.query);
    status = admin_answer(conn->admin, &request, &conn->content, &type);
    send_reply(conn, status, type);
}

static void on_head(struct admin_conn *conn)
{
    if (http_parser_hold(conn->parser) < 0)
        conn_close(conn);
}

static void on_bytes(struct admin_conn *conn, struct span in)
{
    struct span body;

    while (!conn->answered && !conn->closing) {
        switch (http_parser_next(conn->parser, &in, &body)) {
        case HTTP_EVENT_MORE:
            return;
        case HTTP_EVENT_HEAD:
            on_head(conn);
            break;
        case HTTP_EVENT_BODY:
            buf_put_span(&conn->body, body);
            if (buf_err(&conn->body))
                send_text(conn, 413, "request too large");
            break;
        case HTTP_EVENT_END:
            on_request(conn);
            break;
        case HTTP_EVENT_ERROR:
            send_text(conn, http_error_status(http_parser_error(conn->parser)),
                      http_error_str(http_parser_error(conn->parser)));
            break;
        }
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    struct admin_conn *conn = handle->data;

    (void)suggested;
    *ret_buf = uv_buf_init(conn->chunk, sizeof(conn->chunk));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct admin_conn *conn = stream->data;

    if (n > 0)
        on_bytes(conn, span_of(buf->base, (size_t)n));
    else if (n < 0)
        conn_close(conn);
}

/* ---- opening ---- */

static int io_init(struct admin_conn *conn)
{
    uv_loop_t *loop = conn->admin->loop;

    return conn->form == ADMIN_UNIX ? uv_pipe_init(loop, &conn->io.pipe, 0)
                                    : uv_tcp_init(loop, &conn->io.tcp);
}

static struct admin_conn *conn_new(struct admin *admin, enum admin_form form)
{
    struct admin_conn *conn = mem_zalloc(sizeof(*conn));

    if (!conn)
        return NULL;
    conn->admin = admin;
    conn->form = form;
    buf_init(&conn->body, ADMIN_REQUEST_MAX);
    buf_init(&conn->reply, 4096);
    buf_init(&conn->content, ADMIN_REPLY_MAX);
    if (http_parser_new(&conn->parser, HTTP_KIND_REQUEST, &limits) < 0 ||
        uv_timer_init(admin->loop, &conn->timer) < 0) {
        conn_free(conn);
        return NULL;
    }
    conn->timer.data = conn;
    conn->open = 1;
    list_push_back(&admin->conns, &conn->node);
    admin->connections++;
    admin->open++;
    return conn;
}

static void close_half_open(struct admin_conn *conn)
{
    conn->closing = true;
    uv_close((uv_handle_t *)&conn->timer, on_handle_closed);
}

void admin_conn_accept(struct admin *admin, uv_stream_t *listener,
                       enum admin_form form)
{
    struct admin_conn *conn = conn_new(admin, form);

    if (!conn)
        return; /* out of memory: the client waits in the backlog */
    if (io_init(conn) < 0) {
        close_half_open(conn);
        return;
    }
    stream_of(conn)->data = conn;
    conn->open++;
    if (uv_accept(listener, stream_of(conn)) < 0 ||
        admin->connections > ADMIN_CONNECTIONS_MAX ||
        uv_timer_start(&conn->timer, on_timeout, admin->timeout_ms, 0) < 0 ||
        uv_read_start(stream_of(conn), on_alloc, on_read) < 0)
        conn_close(conn);
}

void admin_conn_close_all(struct admin *admin)
{
    LIST_FOREACH (node, &admin->conns) {
        conn_close(CONTAINER_OF(node, struct admin_conn, node));
    }
}
