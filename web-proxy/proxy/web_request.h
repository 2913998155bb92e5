/* SPDX-License-Identifier: MIT */
/* web_request.h - what a request asks for, in the normal form that everything
 * after it works on: routes, checks, log, and the head that is forwarded.
 *
 * Views point into the message's head and die with it.
 */
#ifndef WEB_REQUEST_H
#define WEB_REQUEST_H

#include "base/jwt.h"
#include "http/http_msg.h"
#include "proxy/web_host.h"
#include "proxy/web_peer.h"
#include "proxy/web_trace.h"
#include "ws/ws_handshake.h"

enum {
    WEB_REQUEST_PATH_SIZE = 8192,
    WEB_REQUEST_QUERY_SIZE = 16384,
};

struct web_request {
    const struct http_msg *msg;
    struct web_host host; /* len 0: HTTP/1.0 without Host */
    char path_text[WEB_REQUEST_PATH_SIZE];
    struct span path; /* normal form, in path_text */
    struct span query;
    bool has_query;              /* "/a?" has an empty one */
    bool websocket;              /* asks for an upgrade to WebSocket */
    bool secure;                 /* came by HTTPS; set before reading */
    const struct web_peer *peer; /* the client by TLS, or NULL; set before */
    bool tunnel; /* an extended CONNECT of HTTP/2 is behind it; the same */
    struct ws_handshake handshake;

    /* What a token check changes in the forwarded head (proxy/web_jwt.h). */
    const char *identity_field; /* is sent with `identity`; NULL: none */
    struct jwt_claim identity;
    uint64_t token_key; /* tells the holder of a valid token from others */
    struct web_trace trace;
    struct span stripped;                    /* of a header's value; left out */
    char query_text[WEB_REQUEST_QUERY_SIZE]; /* a query without the token */
    /* Fields in which back ends expect our word; the client's are dropped. */
    const char *const *own_fields;
    size_t n_own_fields;
    const struct web_peer_rule *peers; /* their fields, the same */
    size_t n_peers;
    const char *subject_field; /* is sent with peer->subject; NULL: none */
};

/* Read a head the parser has accepted. Returns 0, or the HTTP status that
 * refuses it: 400 (path, query or host ambiguous), 405 (CONNECT, TRACE), 414
 * (path too long). What could be read so far is in `rq` for the log. */
int web_request_read(struct web_request *rq, const struct http_msg *msg);

/* True when sending the request twice is as good as once (RFC 9110 9.2.2). */
bool web_request_is_idempotent(enum http_method method);

/* Judge a WebSocket handshake: 0, 400, 403 (Origin) or 426 (version). The
 * Origin must name the requested host, or be in `allowed` ("*": anything);
 * a request without Origin does not come from a browser and passes. */
int web_request_check_websocket(const struct web_request *rq,
                                const struct span *allowed, size_t n);

#endif /* WEB_REQUEST_H */
