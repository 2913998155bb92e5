/* SPDX-License-Identifier: MIT */
/* WebSockets: does the path open one, and where it speaks SIP, does somebody
 * answer at its far end? */
#include "ctl_checks.h"

#include "base/crypto.h"
#include "base/err.h"
#include "ctl/ctl_sip.h"
#include "ctl_client.h"
#include "ctl_link.h"
#include "ws/ws_frame.h"

#include <errno.h>
#include <stdio.h>

enum { HEAD_MAX = 16 * 1024, REQUEST_MAX = 4096 };

struct socket {
    struct ctl_link *link;
    char in[HEAD_MAX]; /* the head, and what came with it */
    size_t len, head;
    int status;
    bool sip; /* the sub-protocol was agreed on */
};

static int write_upgrade(const struct ctl_uri *uri, const char *path,
                         char out[REQUEST_MAX])
{
    const char *colon = strchr(uri->host, ':'), *left = colon ? "[" : "",
               *right = colon ? "]" : "";
    bool usual = uri->port == (uri->tls ? 443 : 80);
    char port[8] = "";
    int n;

    if (!usual)
        (void)snprintf(port, sizeof(port), ":%u", uri->port);
    /* As a browser does whose page came from there. */
    n = snprintf(out, REQUEST_MAX,
                 "GET %s HTTP/1.1\r\nHost: %s%s%s%s\r\n"
                 "Origin: %s://%s%s%s%s\r\n"
                 "User-Agent: edgectl\r\n"
                 "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                 "Sec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Protocol: sip\r\n"
                 "Sec-WebSocket-Key: ZWRnZWN0bC1jaGVjay0tLQ==\r\n\r\n",
                 path, left, uri->host, right, port, uri->scheme, left,
                 uri->host, right, port);
    return n < 0 || n >= REQUEST_MAX ? ERR_LIMIT : n;
}

static bool says_sip(struct span head)
{
    struct span line, key, value;

    while (ctl_head_line(&head, &line)) {
        if (span_cut(line, ':', &key, &value) &&
            span_is_nocase(key, "Sec-WebSocket-Protocol"))
            return span_is_nocase(span_trim(value), "sip");
    }
    return false;
}

/* Returns 0 with the status of what came back, or an error. */
static int open_socket(struct ctl_check_env *env, const struct ctl_uri *uri,
                       const char *path, struct socket *s)
{
    char request[REQUEST_MAX], error[CTL_LINK_ERROR];
    int n = write_upgrade(uri, path, request), err;
    ptrdiff_t end = -1;
    uint32_t status;

    err = n < 0 ? n : ctl_link_open(&s->link, uri, env->address, true, error);
    if (err == 0)
        err = ctl_link_send(s->link, span_of(request, (size_t)n));
    while (err == 0 && end < 0) {
        n = ctl_link_receive(s->link, s->in + s->len, sizeof(s->in) - s->len,
                             CTL_LINK_TIMEOUT_MS);
        if (n <= 0)
            return n < 0 ? n : ERR_CLOSED;
        s->len += (size_t)n;
        end = span_search(span_of(s->in, s->len), span_str("\r\n\r\n"));
    }
    if (err < 0)
        return err;
    s->head = (size_t)end + 4;
    if (!span_starts(span_of(s->in, s->len), "HTTP/1.") ||
        span_to_u32(span_of(s->in + 9, 3), 999, &status) < 0)
        return ERR_PARSE;
    s->status = (int)status;
    s->sip = says_sip(span_of(s->in, s->head));
    return 0;
}

static int send_text(struct ctl_link *link, struct span text)
{
    uint8_t head[WS_HEADER_MAX], mask[4], *room;
    struct buf out;
    size_t n;
    int err;

    crypto_random(mask, sizeof(mask));
    n = ws_header_write(head, WS_TEXT, WS_FIN, text.len, mask);
    buf_init(&out, (size_t)2 * CTL_SIP_MAX);
    buf_put(&out, head, n);
    room = buf_reserve(&out, text.len);
    if (room) {
        memcpy(room, text.ptr, text.len);
        ws_mask(room, text.len, mask, 0);
        buf_commit(&out, text.len);
    }
    err = buf_err(&out);
    if (err == 0)
        err = ctl_link_send(link, buf_span(&out));
    buf_deinit(&out);
    return err;
}

/* The final status, or an error. */
static int read_status(struct socket *s, const char *id)
{
    uint64_t deadline = ctl_client_now() + CTL_LINK_TIMEOUT_MS;
    uint8_t *data = (uint8_t *)s->in + s->head;
    size_t len = s->len - s->head;
    struct ws_reader reader;
    struct ws_message message;
    int n = 0, status = 0;

    ws_reader_init(&reader, WS_CLIENT, CTL_SIP_MAX);
    while (n >= 0 && status < 200) {
        uint64_t now = ctl_client_now();

        n = ws_reader_next(&reader, &data, &len, &message);
        if (n == 1) {
            int got = ctl_sip_status(message.payload, id);

            status = got > 0 ? got : status;
            if (message.opcode == WS_CLOSE)
                n = ERR_CLOSED;
        } else if (n == 0 && now >= deadline) {
            n = -ETIMEDOUT;
        } else if (n == 0) {
            n = ctl_link_receive(s->link, s->in, sizeof(s->in),
                                 (unsigned)(deadline - now));
            data = (uint8_t *)s->in;
            len = n > 0 ? (size_t)n : 0;
            n = n == 0 ? ERR_CLOSED : n;
        }
    }
    ws_reader_deinit(&reader);
    return n < 0 ? n : status;
}

static void ask_options(struct ctl_check_env *env, const struct ctl_uri *uri,
                        const char *path, struct socket *s)
{
    const struct addr nowhere = {0};
    char id[CTL_SIP_ID_SIZE], what[128];
    struct buf out;
    int err;

    buf_init(&out, CTL_SIP_MAX);
    check_sip_request(uri->host, uri->tls ? "WSS" : "WS", &nowhere, id, &out);
    err = send_text(s->link, buf_span(&out));
    buf_deinit(&out);
    if (err == 0)
        err = read_status(s, id);
    (void)snprintf(what, sizeof(what), "SIP through %.100s", path);
    if (err < 0)
        ctl_checks_add(env->checks, uri->text, "SIP-WEBSOCKET", CTL_CHECK_ERROR,
                       "%s: no answer to OPTIONS (%s): look at sip-proxy with "
                       "edgectl status, and at its group for this path",
                       what, err_str(err));
    else
        check_sip_answer(env, uri->text, "SIP-WEBSOCKET", what, err);
}

void check_websocket(struct ctl_check_env *env, const struct ctl_uri *uri,
                     const char *path)
{
    struct socket s = {0};
    int err = open_socket(env, uri, path, &s);

    if (err < 0)
        ctl_checks_add(env->checks, uri->text, "WEB-WEBSOCKET", CTL_CHECK_ERROR,
                       "%.100s: no HTTP answer: %s", path, err_str(err));
    else if (s.status != 101)
        ctl_checks_add(env->checks, uri->text, "WEB-WEBSOCKET", CTL_CHECK_ERROR,
                       "%.100s opens no WebSocket but answers %d: %s", path,
                       s.status,
                       s.status == 403   ? "its token or origin is refused"
                       : s.status == 404 ? "no route leads there"
                       : s.status >= 502 ? "the server behind does not answer"
                                         : "see the log of web-proxy");
    else
        ctl_checks_add(env->checks, uri->text, "WEB-WEBSOCKET", CTL_CHECK_OK,
                       "%.100s opens a WebSocket", path);
    if (err == 0 && s.status == 101 && s.sip)
        ask_options(env, uri, path, &s);
    ctl_link_close(s.link);
}
