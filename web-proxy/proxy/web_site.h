/* SPDX-License-Identifier: MIT */
/* web_site.h - what is published, as one immutable snapshot.
 *
 * Built from the configuration, shared by all workers by reference count,
 * replaced as a whole at a reload. Requests that are under way keep the site
 * they began with.
 */
#ifndef WEB_SITE_H
#define WEB_SITE_H

#include "base/cidr.h"
#include "proxy/web_errors.h"
#include "proxy/web_health.h"
#include "proxy/web_peer.h"
#include "proxy/web_route.h"
#include "proxy/web_trace.h"

struct tls_ctx;

enum {
    WEB_BACKENDS_MAX = 64, /* servers of an upstream */
    WEB_WEIGHT_MAX = 1000,
};

/* Which server of an upstream a request goes to. */
enum web_balance {
    WEB_BALANCE_ROUND_ROBIN, /* in turn, by weight */
    WEB_BALANCE_LEAST,       /* fewest of this worker's connections in use */
    WEB_BALANCE_HASH,        /* by a key of the request */
};

/* What that is; where there is none, the client's address. */
enum web_hash_key {
    WEB_HASH_CLIENT,
    WEB_HASH_COOKIE,
    WEB_HASH_PATH,
    WEB_HASH_ARGUMENT,
};

/* One server of an upstream. */
struct web_backend {
    const struct web_upstream *upstream;
    const char *host; /* to resolve; `addr` is ADDR_NONE then */
    struct addr addr;
    uint16_t port;
    const char *server_name; /* TLS: SNI; NULL: none */
    const char *verify_name; /* TLS: what the certificate must name */
    uint32_t weight;         /* 1 to WEB_WEIGHT_MAX */
    uint64_t hash;           /* of host and port */
    bool drained;            /* by the settings: nothing new goes there */
    const struct web_backend
        *target; /* for checks: another port; NULL: itself */
    struct web_health *health;
};

/* Active checks of the servers of an upstream. */
struct web_check_rule {
    const char *path; /* of the GET; NULL: none */
    bool connect;     /* a connection is enough; neither: no checks */
    uint64_t interval_ms;
    uint64_t timeout_ms; /* of one check */
    uint32_t fall;       /* bad ones in a row until down */
    uint32_t rise;       /* good ones in a row until up */
    int status;          /* to expect; 0: any 2xx or 3xx */
};

/* A back end: a group of equal servers. Strings are borrowed from the site's
 * owner. */
struct web_upstream {
    const char *name;
    struct web_backend *backends; /* 1 to WEB_BACKENDS_MAX */
    uint32_t n_backends;
    uint32_t first; /* number of the first among all of the site */
    enum web_balance balance;
    enum web_hash_key hash_key;
    const char *hash_name; /* of the cookie or argument */
    uint64_t slow_ms;      /* slow start of a server that is back; 0: none */
    struct web_health_rule rule; /* says nothing for a single server */
    struct web_check_rule check;
    struct tls_ctx *tls;     /* NULL: plain TCP */
    const char *host_field;  /* Host to send; NULL: the client's own */
    struct web_meter *meter; /* NULL: none */

    uint64_t connect_ms; /* TCP and TLS together */
    uint32_t idle_max;   /* connections one worker keeps open to a server */
    uint64_t idle_ms;    /* and how long */
    uint32_t links_max;  /* connections of one worker to a server in all */
    uint32_t queue_max;  /* requests of one worker that wait for one */
    uint64_t queue_ms;   /* and how long */
};

struct web_limits {
    size_t head_max;        /* bytes of a request head */
    size_t headers_max;     /* header fields in it */
    size_t answer_head_max; /* bytes of an answer's head */
    uint64_t head_ms;       /* for a whole request head */
    uint64_t keepalive_ms;  /* between two requests of a connection */
    uint32_t body_rate;     /* bytes a second of a request's body, on average
                               when body_ms have passed; 0: any */
    uint64_t body_ms;       /* between two parts of a request's body */
    uint64_t write_ms;      /* without the client taking a byte */
    uint32_t requests_max;  /* on one connection */
    uint32_t h2_streams;    /* requests at a time on a connection of HTTP/2 */
    uint32_t h2_window;     /* bytes of content taken ahead, one stream */
    uint32_t h2_resets;     /* streams reset at once; a tenth each second */
    uint32_t h2_frames;     /* frames that carry nothing; the same */
    uint32_t sessions_max;  /* client connections of one worker */
    uint32_t delayed_max;   /* requests of one worker held by a zone */
    uint64_t drain_ms;      /* from a stop to the end of what is left */
    size_t queue_max;       /* bytes queued towards one side before the other
                               is not read any more */
};

struct web_site {
    struct web_limits limits;
    struct web_route *routes; /* sorted */
    size_t n_routes;
    struct web_upstream *upstreams;
    size_t n_upstreams;
    size_t n_backends;         /* of all upstreams */
    const struct cidr *exempt; /* clients that no zone limits */
    size_t n_exempt;
    const char *const *own_fields; /* fields that a token check writes */
    size_t n_own_fields;
    struct web_peer_rule *peers; /* hosts whose clients show certificates */
    size_t n_peers;
    struct span hsts;         /* Strict-Transport-Security; empty: not sent */
    struct web_errors errors; /* the operator's pages */
    struct web_edits edits;   /* for answers that belong to no route */
    bool maintenance;         /* every route is */
    uint64_t maintenance_retry_s; /* Retry-After */
    const struct cidr *testers;   /* who sees no maintenance */
    size_t n_testers;
    uint16_t https_port; /* of HTTPS as clients see it, for redirects */
    bool via;            /* add a Via field towards back ends */
    bool access_log;
    bool access_json;       /* else as all of the log */
    uint32_t access_sample; /* one of so many that went well */
    enum web_trace_mode trace;

    /* Drops what the site was built from; NULL: static. Any thread. */
    void (*release)(struct web_site *site);
    unsigned refs; /* atomic */
};

static inline bool web_check_is_on(const struct web_check_rule *rule)
{
    return rule->path || rule->connect;
}

/* The health flags that count under the present settings: a server may have
 * got others before a reload. */
unsigned web_backend_flags(const struct web_backend *backend);
/* What its checks connect to. */
const struct web_backend *web_backend_target(const struct web_backend *backend);
/* "up", "ejected", "down" or "drained". Any thread. */
const char *web_backend_state(const struct web_backend *backend);
/* Is a server taken out because requests fail? One alone is better asked in
 * vain than never. */
bool web_upstream_ejects(const struct web_upstream *upstream);

/* Any thread. web_site_unref() accepts NULL. */
struct web_site *web_site_ref(struct web_site *site);
void web_site_unref(struct web_site *site);

#endif /* WEB_SITE_H */
