/* SPDX-License-Identifier: MIT */
/* ws_handshake.h - the opening handshake of a WebSocket server (RFC 6455 4.2,
 * RFC 7118 for subprotocol "sip"), from the request's header fields.
 *
 *   struct ws_handshake hs = {0};
 *   for each header field: ws_handshake_on_header(&hs, name, value);
 *   status = ws_handshake_check(&hs, method, &policy, &accepted);
 *   101: ws_handshake_write(&accepted, &out);
 *
 * No I/O; the spans are borrowed from the request.
 */
#ifndef WS_HANDSHAKE_H
#define WS_HANDSHAKE_H

#include "base/buf.h"

enum { WS_ACCEPT_SIZE = 29 }; /* 28 characters and NUL */

/* The header fields that matter. Begin with {0}. */
struct ws_handshake {
    struct span key;
    struct span version;
    struct span origin;
    struct span protocols[4]; /* the field may be repeated */
    unsigned protocols_n;
    bool upgrade;    /* Upgrade has the token "websocket" */
    bool connection; /* Connection has the token "upgrade" */
    bool has_body;   /* a Content-Length that is not 0, or Transfer-Encoding */
    bool repeated;   /* a field that may stand once stands twice */
};

struct ws_policy {
    const char *protocol;       /* the only one we speak, or NULL: none */
    const char *const *origins; /* "https://app.example", compared without
                                   case; an entry "*" allows all */
    size_t origins_n;           /* 0: all; a request without Origin (no
                                   browser) is always allowed */
};

struct ws_accepted {
    char accept[WS_ACCEPT_SIZE];
    const char *protocol; /* to confirm, or NULL */
};

/* Note one header field, if it matters. */
void ws_handshake_on_header(struct ws_handshake *hs, struct span name,
                            struct span value);

/* True when the request asks for an upgrade to WebSocket at all. */
bool ws_handshake_is_asked(const struct ws_handshake *hs);

/* Returns the HTTP status to answer with:
 *   101  `*ret_accepted` is written
 *   400  not a handshake, or the subprotocol we speak is not offered
 *   403  the Origin is not in the list
 *   405  not GET
 *   426  another version: answer with "Sec-WebSocket-Version: 13" */
int ws_handshake_check(const struct ws_handshake *hs, struct span method,
                       const struct ws_policy *policy,
                       struct ws_accepted *ret_accepted);

/* The 101 response, to its empty line. */
void ws_handshake_write(const struct ws_accepted *accepted, struct buf *out);

/* The response to any other status, with "Connection: close", to its end. */
void ws_handshake_write_refusal(int status, struct buf *out);

/* Sec-WebSocket-Accept for a key (as sent, not decoded). */
void ws_accept_of(struct span key, char out[WS_ACCEPT_SIZE]);

/* True when `list` (comma-separated) has the token; without case. */
bool ws_list_has(struct span list, const char *token);

#endif /* WS_HANDSHAKE_H */
