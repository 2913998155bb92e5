/* SPDX-License-Identifier: MIT */
/* web_route.h - what is published, and what each published path may do.
 *
 * A route is a host (exact, "*.example.com", or any) and a path prefix. The
 * most specific host is asked first, in it the longest path. Prefixes end at
 * segment borders:
 *
 *   /ccagent    /ccagent and everything below /ccagent/, not /ccagentx
 *   /video/     everything below /video/, not /video itself
 *   /wssip-*    one or more characters stand for '*' up to the segment's end:
 *               /wssip-mds1, /wssip-mds1/x, not /wssip-
 *   /           everything
 *
 * What is in no route is not published. Routes are immutable once sorted and
 * may be read from any thread.
 */
#ifndef WEB_ROUTE_H
#define WEB_ROUTE_H

#include "base/cidr.h"
#include "proxy/web_edit.h"
#include "proxy/web_file.h"
#include "proxy/web_host.h"
#include "proxy/web_jwt.h"
#include "proxy/web_meter.h"
#include "proxy/web_token.h"
#include "proxy/web_zone.h"

enum web_route_kind {
    WEB_ROUTE_PROXY,
    WEB_ROUTE_FILES,    /* of a folder */
    WEB_ROUTE_REDIRECT, /* `status` to `location` */
};

/* Who may open a WebSocket here. */
enum web_route_websocket {
    WEB_ROUTE_WEBSOCKET_NO,
    WEB_ROUTE_WEBSOCKET_YES,  /* besides ordinary requests */
    WEB_ROUTE_WEBSOCKET_ONLY, /* nothing else is answered (426) */
};

struct web_nets {
    const struct cidr *items;
    size_t n;
};

/* Who is accounted for in the zone. */
enum web_zone_key {
    WEB_ZONE_ADDRESS,
    WEB_ZONE_TOKEN,  /* the holder of a valid token, else the address */
    WEB_ZONE_EXEMPT, /* nobody with a valid token, else the address */
};

struct web_route_list {
    const struct span *items;
    size_t n;
};

struct web_route {
    struct span host;   /* normal form; empty: any */
    struct span prefix; /* normal form of the path, without '*' */
    bool wildcard;      /* written with '*' */
    bool ignore_case;   /* of ASCII letters in the path */
    enum web_route_kind kind;
    uint32_t upstream;               /* PROXY: index in the site */
    struct span location;            /* REDIRECT: see proxy/web_url.h */
    int status;                      /* REDIRECT: 301, 302, 303, 307, 308 */
    const struct web_folder *folder; /* FILES */
    bool plain;          /* also answered where others are sent to HTTPS */
    struct span rewrite; /* PROXY, FILES: in place of the prefix; empty: none */
    uint32_t methods;    /* one bit for each enum http_method; 0: all */
    const char *allow;   /* `methods` as text */
    struct web_nets allowed, denied; /* clients; none allowed: all are */
    bool maintenance;                /* 503, but for testers */
    bool wants_certificate;          /* 403 without a good one */
    bool put_right;                  /* Location and Set-Cookie */
    bool cookie_secure;              /* add Secure over HTTPS */
    struct web_edits edits;          /* the site's and its own */

    struct web_zone *zone; /* NULL: not limited */
    struct web_zone_rule rule;
    enum web_zone_key zone_key;
    enum web_token_check check;
    const char *token;         /* name of the argument */
    const struct web_jwt *jwt; /* VALID: what it is asked */
    uint32_t token_segment;    /* behind the prefix, which its claim has to be:
                                  1 is the first; 0: none */
    enum web_route_websocket websocket;
    /* WebSockets: the Origin field has to name the requested host itself or
     * one of these ("https://app.example.com", "*": any, also none). */
    struct web_route_list origins;

    uint64_t body_max;       /* bytes of a request's body */
    uint64_t first_byte_ms;  /* from the request's end to the answer's head */
    uint64_t idle_ms;        /* between two parts of a body */
    uint64_t tunnel_ms;      /* a WebSocket without traffic */
    struct web_meter *meter; /* NULL: none */
    uint32_t id;             /* position in the configuration, for figures */
};

/* Read a path as it is written in the configuration into `prefix` and
 * `wildcard`; `prefix` borrows from `text`. Returns 0, or ERR_PARSE when it
 * is not in normal form or has '*' anywhere but at its end. */
int web_route_set_path(struct web_route *route, const char *text);

/* Bring into the order of matching. False when two routes are the same host
 * and path; `*ret_a` and `*ret_b` are then their `id`s. */
bool web_route_sort(struct web_route *routes, size_t n, uint32_t *ret_a,
                    uint32_t *ret_b);

/* The route of a request; both in normal form. NULL: not published. */
const struct web_route *web_route_find(const struct web_route *routes, size_t n,
                                       struct span host, struct span path);

#endif /* WEB_ROUTE_H */
