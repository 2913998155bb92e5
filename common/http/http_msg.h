/* SPDX-License-Identifier: MIT */
/* http_msg.h - the head of an HTTP/1 message as views of its bytes, and what
 * follows from it (RFC 9110, RFC 9112).
 *
 * Nothing is copied: every span points into the head itself. A message that
 * the parser hands out has passed all checks of http_rules.h, so that the
 * fields below can be trusted and framing has one reading only.
 */
#ifndef HTTP_MSG_H
#define HTTP_MSG_H

#include "base/span.h"

enum http_kind {
    HTTP_KIND_REQUEST,
    HTTP_KIND_RESPONSE,
};

enum http_method {
    HTTP_METHOD_GET,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    HTTP_METHOD_DELETE,
    HTTP_METHOD_PATCH,
    HTTP_METHOD_OPTIONS,
    HTTP_METHOD_CONNECT,
    HTTP_METHOD_TRACE,
    HTTP_METHOD_OTHER, /* registered, see the `method` span */
};

/* Fields that somebody here looks at by number, sorted by length of name (the
 * look-up needs it). HOP: hop-by-hop, never forwarded as it came; END:
 * end-to-end, which a Connection field must not name. */
#define HTTP_FIELD_MAP(X)                                                      \
    X(TE, "te", HOP)                                                           \
    X(VIA, "via", END)                                                         \
    X(DATE, "date", END)                                                       \
    X(HOST, "host", END)                                                       \
    X(RANGE, "range", END)                                                     \
    X(ACCEPT, "accept", END)                                                   \
    X(COOKIE, "cookie", END)                                                   \
    X(EXPECT, "expect", END)                                                   \
    X(ORIGIN, "origin", END)                                                   \
    X(SERVER, "server", END)                                                   \
    X(REFERER, "referer", END)                                                 \
    X(TRAILER, "trailer", HOP)                                                 \
    X(UPGRADE, "upgrade", HOP)                                                 \
    X(LOCATION, "location", END)                                               \
    X(FORWARDED, "forwarded", END)                                             \
    X(X_REAL_IP, "x-real-ip", END)                                             \
    X(CONNECTION, "connection", HOP)                                           \
    X(KEEP_ALIVE, "keep-alive", HOP)                                           \
    X(SET_COOKIE, "set-cookie", END)                                           \
    X(USER_AGENT, "user-agent", END)                                           \
    X(CONTENT_TYPE, "content-type", END)                                       \
    X(X_AUTH_TOKEN, "x-auth-token", END)                                       \
    X(X_REQUEST_ID, "x-request-id", END)                                       \
    X(AUTHORIZATION, "authorization", END)                                     \
    X(CACHE_CONTROL, "cache-control", END)                                     \
    X(CONTENT_LENGTH, "content-length", END)                                   \
    X(HTTP2_SETTINGS, "http2-settings", HOP)                                   \
    X(ACCEPT_ENCODING, "accept-encoding", END)                                 \
    X(X_FORWARDED_FOR, "x-forwarded-for", END)                                 \
    X(CONTENT_ENCODING, "content-encoding", END)                               \
    X(PROXY_CONNECTION, "proxy-connection", HOP)                               \
    X(X_FORWARDED_HOST, "x-forwarded-host", END)                               \
    X(X_FORWARDED_PORT, "x-forwarded-port", END)                               \
    X(SEC_WEBSOCKET_KEY, "sec-websocket-key", END)                             \
    X(TRANSFER_ENCODING, "transfer-encoding", HOP)                             \
    X(X_FORWARDED_PROTO, "x-forwarded-proto", END)                             \
    X(PROXY_AUTHENTICATE, "proxy-authenticate", HOP)                           \
    X(PROXY_AUTHORIZATION, "proxy-authorization", HOP)                         \
    X(SEC_WEBSOCKET_ACCEPT, "sec-websocket-accept", END)                       \
    X(SEC_WEBSOCKET_VERSION, "sec-websocket-version", END)                     \
    X(SEC_WEBSOCKET_PROTOCOL, "sec-websocket-protocol", END)                   \
    X(SEC_WEBSOCKET_EXTENSIONS, "sec-websocket-extensions", END)               \
    X(STRICT_TRANSPORT_SECURITY, "strict-transport-security", END)

enum http_field {
    HTTP_FIELD_OTHER,
#define HTTP_FIELD_ENUM(id, name, scope) HTTP_FIELD_##id,
    HTTP_FIELD_MAP(HTTP_FIELD_ENUM)
#undef HTTP_FIELD_ENUM
        HTTP_FIELD_COUNT,
};

struct http_header {
    struct span name;  /* as it was written; compare without case */
    struct span value; /* without surrounding white space */
    enum http_field field;
};

/* How the end of the content is found. */
enum http_framing {
    HTTP_FRAMING_NONE,   /* no content, or content of length 0 */
    HTTP_FRAMING_LENGTH, /* `length` bytes */
    HTTP_FRAMING_CHUNKED,
    HTTP_FRAMING_CLOSE, /* response: until the connection ends */
};

enum http_target {
    HTTP_TARGET_ORIGIN,    /* "/path?query" */
    HTTP_TARGET_ABSOLUTE,  /* "http://host/path?query" */
    HTTP_TARGET_AUTHORITY, /* "host:port", CONNECT only */
    HTTP_TARGET_ASTERISK,  /* "*", OPTIONS only */
};

struct http_msg {
    enum http_kind kind;
    uint8_t minor;    /* HTTP/1.0 or HTTP/1.1 */
    struct span head; /* all of it, start line to empty line */

    /* request */
    enum http_method method_id;
    enum http_target target_form;
    struct span method;
    struct span target;    /* visible ASCII without '#' */
    struct span path;      /* from the '/' with the query; "/" when an absolute
                              target has none; "*" or empty for other forms */
    struct span host;      /* "name", "name:port", "[v6]:port"; of the absolute
                              target or of Host, which agree; may be empty in
                              HTTP/1.0 only */
    bool expects_continue; /* Expect: 100-continue, and content follows */

    /* response */
    int status; /* 100..999 */
    struct span reason;

    /* both */
    struct http_header *headers;
    size_t headers_n;
    enum http_framing framing;
    uint64_t length;    /* of LENGTH framing. A response to HEAD and a 304
                           have framing NONE whatever this says */
    bool has_length;    /* Content-Length was there */
    bool is_persistent; /* the connection may carry another message */
    bool has_upgrade;   /* Connection: upgrade, and an Upgrade field */
};

/* The number of a field name, HTTP_FIELD_OTHER when it has none. */
enum http_field http_field_of(struct span name);

/* Lower case, of any but OTHER. */
const char *http_field_name(enum http_field field);

/* Hop-by-hop by itself (RFC 9110 7.6.1), whatever Connection says. */
bool http_field_is_hop(enum http_field field);

/* The first such header, or NULL. */
const struct http_header *http_msg_find(const struct http_msg *msg,
                                        enum http_field field);
const struct http_header *http_msg_find_name(const struct http_msg *msg,
                                             const char *name);

/* Its value; an empty span when there is none. */
struct span http_msg_value(const struct http_msg *msg, enum http_field field);

/* How many such headers there are. */
size_t http_msg_count(const struct http_msg *msg, enum http_field field);

/* True when one of the comma-separated lists in all such headers has the
 * token; without case, parameters not looked at. */
bool http_msg_has_token(const struct http_msg *msg, enum http_field field,
                        const char *token);

/* True when a Connection header names this one: it ends here. */
bool http_msg_is_connection_option(const struct http_msg *msg,
                                   struct span name);

/* The next element of a comma-separated list, trimmed, empty ones skipped.
 * while (http_list_next(&rest, &item)) */
bool http_list_next(struct span *rest, struct span *ret_item);

/* One or more tchar (RFC 9110 5.6.2). */
bool http_is_token(struct span s);

/* Cut "name:port", "[v6]:port" or "name" in two; port 0 when there is none. The
 * name keeps its brackets. Returns 0, or ERR_PARSE unless it is a host name of
 * letters, digits, '-', '_' and '.', an IPv4 address, or an IPv6 one in
 * brackets, with a port of 1..65535 or none. */
int http_host_split(struct span host, struct span *ret_name,
                    uint16_t *ret_port);

#endif /* HTTP_MSG_H */
