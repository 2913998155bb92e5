/* SPDX-License-Identifier: MIT */
/* sip_core.h - the SIP edge proxy of one worker: a stateful proxy (RFC 3261
 * 16, RFC 6026) between clients outside and media servers inside.
 *
 * Feed it messages, connections and the time; it answers through its
 * environment. No sockets, no clock, no threads. All cores of a process share
 * one configuration; what belongs to another worker's connection or
 * transaction is handed over as it arrived (the owner is named in the flow
 * token and in the Via branch).
 *
 * Read on: sip_sanity.h (may it enter), sip_route.h (where to), sip_rewrite.h
 * (what changes on the way), sip_fork.h (one request under way).
 */
#ifndef SIP_CORE_H
#define SIP_CORE_H

#include "base/cidr.h"
#include "msg/sip_msg.h"
#include "proxy/sip_dispatch.h"
#include "proxy/sip_guard.h"
#include "proxy/sip_homes.h"
#include "proxy/sip_partner.h"
#include "proxy/sip_stats.h"
#include "proxy/sip_token.h"
#include "proxy/sip_trail.h"
#include "txn/sip_txn.h"

enum {
    SIP_LOCALS_MAX = 16,
    SIP_SENT_BY_MAX = 100,
    SIP_DOMAINS_MAX = 64,
    SIP_INSIDE_MAX = 32,
    SIP_STRIP_MAX = 32,
    SIP_MESSAGE_MAX = 65535,
};

/* Which side of the edge a listener is on. The zone of a message is that of
 * the listener it arrived at, never what the message says of itself. */
enum sip_zone {
    SIP_OUTSIDE,
    SIP_INSIDE,
};

/* What may come in there (sip_zone.h); strings are borrowed. */
struct sip_zone_policy {
    const char *const *methods; /* none: all */
    size_t n_methods;
    const char *const *types; /* of bodies; none: all */
    size_t n_types;
    size_t max_body;   /* bytes; 0: any */
    bool refer_inside; /* REFER to our own domains and servers only */
};

/* One of our own addresses. */
struct sip_local {
    enum sip_transport transport;
    enum sip_zone zone;
    struct addr addr;              /* bound, with the real port */
    char sent_by[SIP_SENT_BY_MAX]; /* "host:port" as others shall see it */
    uint32_t group;                /* of its clients; 0: not said */
    struct sip_zone_policy policy;
    int hide;      /* enum sip_hide_mode */
    bool identity; /* its clients are in our trust domain */
    bool verify;   /* inside: by certificate, too */
    bool partners; /* of federation partners, not clients */
};

struct sip_domain {
    const char *name;
    uint32_t group; /* sip_name_tag(); 0: any */
};

struct sip_core_config {
    struct sip_local locals[SIP_LOCALS_MAX];
    size_t n_locals;
    struct sip_dispatch_conf dispatch;
    struct sip_token_keys keys;
    struct sip_txn_config txn;
    struct sip_limits limits;
    struct sip_guard_config guard;
    struct sip_domain domains[SIP_DOMAINS_MAX]; /* none: all are served */
    size_t n_domains;
    struct sip_partner_config partners;
    struct cidr inside[SIP_INSIDE_MAX]; /* more sources on the inner side */
    size_t n_inside;
    const char *strip[SIP_STRIP_MAX]; /* header names, from outside */
    size_t n_strip;
    uint16_t node;
    const char *echo_method;    /* sip_echo.h; NULL: none */
    uint32_t default_group;     /* when nothing else says one */
    uint32_t max_flows;         /* per worker */
    uint32_t trail;             /* requests remembered, per worker */
    uint32_t source_flows;      /* connections of one source; 0: any */
    uint32_t source_pending;    /* requests of one source; 0: any */
    uint32_t max_pending;       /* requests of one connection; 0: any */
    bool rebind;                /* sip_rebind.h */
    uint32_t park_ms;           /* sip_park.h; 0: never */
    uint32_t park_max;          /* requests that wait, per worker */
    uint32_t max_forwards;      /* cap of what is forwarded */
    uint32_t timer_c_ms;        /* RFC 3261 16.6 step 11: above 3 minutes */
    uint32_t server_timeout_ms; /* silence after which the next is asked */
    uint32_t probe_timeout_ms;
    uint32_t ws_flow_timer_s;     /* Flow-Timer, sip_outbound.h; 0: none */
    uint32_t stream_flow_timer_s; /* the same of tcp and tls */
    uint32_t udp_flow_ms;   /* a datagram client is forgotten after this */
    uint32_t datagram_size; /* above: counted, needs fragments */
};

/* Which of the workers this is. */
struct sip_place {
    uint8_t worker;
    uint8_t workers;
    uint32_t epoch; /* random, one per start of the process */
};

enum sip_close_why {
    SIP_CLOSE_GARBAGE, /* too many messages not understood */
    SIP_CLOSE_SCANNER,
    SIP_CLOSE_BANNED,
};

/* What the core needs from the world. None may call back into the core. */
struct sip_env {
    /* Hand a message to the transport: a connection's when to->flow is set
     * (`conn` is what sip_core_open_flow() got), else a datagram.
     * Returns 0, or negative when it is known now that it will not arrive. */
    int (*send)(void *arg, const struct sip_target *to, void *conn,
                struct span message);
    /* Connect to a federation partner; what is sent to `*ret_conn` waits
     * until that is done. Its certificate must be for the SIP domain `name`;
     * `sni` is asked for. Messages from there have to->flow. When it fails or
     * ends later, sip_core_close_flow(). Returns 0 or negative. NULL: there
     * are no partners. */
    int (*dial)(void *arg, const struct sip_target *to, const char *name,
                const char *sni, void **ret_conn);
    /* Close a client's connection; sip_core_close_flow() follows later. */
    void (*close)(void *arg, void *conn, enum sip_close_why why);
    /* Give a message to another worker's sip_core_on_message(); copies it.
     * Returns 0, or negative when it is lost. */
    int (*hand_over)(void *arg, unsigned worker, const struct sip_target *from,
                     struct span message);
    /* This core found that a media server went down or came back. */
    void (*server_state)(void *arg, const struct sip_server *server);
    /* The guard of this core banned a source until then: tell the others. */
    void (*banned)(void *arg, const struct addr *source, uint64_t until);
    /* A client is at this connection of ours now, or no more: tell the other
     * workers. NULL: there are none. */
    void (*home)(void *arg, const struct sip_home *home);
    /* Strong randomness. */
    void (*random)(void *arg, void *out, size_t len);
    void *arg;
};

struct sip_core;

/* `config` is borrowed until replaced or freed, `stats` too; `env` is copied.
 * Returns 0, -EINVAL or -ENOMEM. Release with sip_core_free(). */
int sip_core_new(struct sip_core **ret_core,
                 const struct sip_core_config *config,
                 const struct sip_place *place, const struct sip_env *env,
                 struct sip_stats *stats, uint64_t now);

/* Silently: no message is sent any more. NULL is accepted. */
void sip_core_free(struct sip_core *core);

/* New groups, keys, limits and lists. Locals, sizes of tables and flows stay.
 * The old configuration is not looked at any more. */
void sip_core_reload(struct sip_core *core,
                     const struct sip_core_config *config, uint64_t now);

/* A client's connection is open. `from`: transport, listener, addresses (the
 * client's real one). `group`: by path, 0 when it did not say. Returns 0 and
 * the flow's id for `from->flow` of its messages, ERR_LIMIT, or ERR_DENIED
 * when its source is banned. */
int sip_core_open_flow(struct sip_core *core, const struct sip_target *from,
                       void *conn, uint32_t group, uint64_t now,
                       uint64_t *ret_flow);

/* A federation partner's connection is open; its certificate holds and is for
 * these domains, one a line. As sip_core_open_flow(), also ERR_DENIED when no
 * partner that is not blocked is among them. */
int sip_core_open_partner(struct sip_core *core, const struct sip_target *from,
                          void *conn, const char *names, uint64_t now,
                          uint64_t *ret_flow);

/* Where a partner without configured address is, best first; what was known
 * before is forgotten, with a reload too. */
void sip_core_on_located(struct sip_core *core, const char *domain,
                         const struct addr *addrs, size_t n);

/* The client says goodbye on it: it is not about to come back. */
void sip_core_on_goodbye(struct sip_core *core, uint64_t id);

/* It is closed: nothing is sent to `conn` any more. */
void sip_core_close_flow(struct sip_core *core, uint64_t id, uint64_t now);

/* One complete message: a datagram, a WebSocket message, or what the framer
 * cut. */
void sip_core_on_message(struct sip_core *core, const struct sip_target *from,
                         struct span message, uint64_t now);

/* A stream to a media server could not be opened, or (`was_open`) is closed:
 * requests that wait for its first word go on to another one; those that took
 * it for their size alone take UDP. */
void sip_core_on_unreachable(struct sip_core *core,
                             const struct sip_target *server, bool was_open,
                             uint64_t now);

/* A media server listens there: a stream may be opened to it. */
bool sip_core_is_server(const struct sip_core *core,
                        const struct sip_target *to);

/* The name a media server was given by, which its certificate is for; NULL
 * when it was an address. */
const char *sip_core_server_host(const struct sip_core *core,
                                 const struct sip_target *to);

/* The inner side takes messages of this address. */
bool sip_core_knows_source(const struct sip_core *core,
                           const struct sip_target *from);

/* Another worker's core found this. */
void sip_core_on_server_state(struct sip_core *core, uint16_t tag, bool up,
                              uint64_t now);

/* Another worker's core banned a source. */
void sip_core_on_banned(struct sip_core *core, const struct addr *source,
                        uint64_t until);

/* Another worker's core says where a client is. */
void sip_core_on_home(struct sip_core *core, const struct sip_home *home,
                      uint64_t now);

/* A new connection from there: false when there were too many of late. */
bool sip_core_admits_connection(struct sip_core *core,
                                const struct addr *source, uint64_t now);

/* No connection is to be taken from there. */
bool sip_core_is_banned(struct sip_core *core, const struct addr *source,
                        uint64_t now);

void sip_core_on_timer(struct sip_core *core, uint64_t now);
uint64_t sip_core_next_deadline(const struct sip_core *core);

/* Bring the gauges of the statistics up to date now; the timer does it once a
 * second. */
void sip_core_refresh_gauges(struct sip_core *core);

/* The group of a SIP domain that is served, as a TLS client names it in its
 * hello; 0: none is said. */
uint32_t sip_core_domain_group(const struct sip_core *core, struct span name);

/* A WebSocket path's group: "" for none. False: no such group. */
bool sip_core_has_group(const struct sip_core *core, uint32_t group);

/* Requests and calls being set up right now. */
uint32_t sip_core_pending(const struct sip_core *core);

const struct sip_dispatch *sip_core_dispatch(const struct sip_core *core);

/* What was decided about the newest requests. */
const struct sip_trail *sip_core_trail(const struct sip_core *core);

#endif /* SIP_CORE_H */
