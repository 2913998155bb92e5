/* SPDX-License-Identifier: MIT */
/* web_forward.h - the heads we send: written from what was understood, never
 * copied as a whole (RFC 9110 section 7.6).
 *
 * Towards the back end: our request line with the path in normal form, Host,
 * our framing, our word about the client (X-Forwarded-*, Forwarded, X-Real-IP,
 * whatever the client said there is dropped, in any spelling a CGI-like back
 * end would confuse with it), and of the rest what is end-to-end.
 * Towards the client: our status line and framing, and what is end-to-end.
 */
#ifndef WEB_FORWARD_H
#define WEB_FORWARD_H

#include "base/addr.h"
#include "base/buf.h"
#include "proxy/web_request.h"

/* The client's address as it is written into heads: once a connection. */
struct web_client_name {
    char text[ADDR_TEXT_SIZE];
    bool is_v6; /* RFC 7239 wants it in brackets and quotes */
};

/* An IPv4 client on an IPv6 socket gets its IPv4 name. */
void web_forward_name(const struct addr *client, struct web_client_name *name);

struct web_forward_request {
    const struct web_client_name *client;
    bool secure;            /* the client came by HTTPS */
    bool upgrade;           /* pass the WebSocket handshake on */
    bool via;               /* add a Via field */
    uint16_t port;          /* of HTTPS outside, when Host says none */
    const char *host_field; /* NULL: the client's Host */
    struct span path;       /* ptr NULL: the request's */
};

/* Write the head. The framing is the message's own: the same length, or
 * chunks. Look at buf_err() afterwards. */
void web_forward_request(struct buf *out, const struct web_request *rq,
                         const struct web_forward_request *how);

enum web_body {
    WEB_BODY_NONE,   /* no content follows */
    WEB_BODY_LENGTH, /* as many bytes as the message says */
    WEB_BODY_CHUNKED,
    WEB_BODY_CLOSE, /* until we close */
};

struct web_forward_answer {
    enum web_body body;
    bool upgrade;     /* 101: the rest is a tunnel */
    bool close;       /* say that we close afterwards */
    bool keep_alive;  /* HTTP/1.0 client: say that we do not */
    struct span hsts; /* empty: none */
    size_t extra;     /* bytes of fields that are not in the message's head */
    const char *date; /* written when the answer has none */
};

void web_forward_answer(struct buf *out, const struct http_msg *msg,
                        const struct web_forward_answer *how);

/* How an answer's content goes to a client of HTTP/1.`minor`. */
enum web_body web_forward_body(const struct http_msg *answer,
                               enum http_method method, uint8_t minor);

/* The size line of a chunk of `len` > 0 bytes, written into `line`. */
enum { WEB_CHUNK_LINE_SIZE = 20 };
struct span web_chunk_line(size_t len, char line[WEB_CHUNK_LINE_SIZE]);

/* True for a field that only we may set towards a back end. '_' counts as
 * '-', as CGI and WSGI take it. */
bool web_forward_is_ours(struct span name);

/* True when a back end could take the name for `field`: without case, and '_'
 * counts as '-'. */
bool web_forward_is_field(struct span name, const char *field);

#endif /* WEB_FORWARD_H */
