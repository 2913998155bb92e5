/* SPDX-License-Identifier: MIT */
/* sip_worker.h - one thread of the proxy: its sockets, its connections, its
 * core.
 *
 *   udp_open() per udp listener ──┐
 *   listener_open() per ws one ─► sip_ws ─► sip_core_on_message()
 *                                              │
 *   udp_send() / sip_ws_send() ◄── env.send ◄──┘
 *
 * Everything here runs on the worker's own thread; what another worker wants
 * comes through the mailbox.
 */
#ifndef SIP_WORKER_H
#define SIP_WORKER_H

#include "base/map.h"
#include "net/alarm.h"
#include "net/listener.h"
#include "net/udp.h"
#include "sip_link.h"
#include "sip_server.h"
#include "sip_tls.h"

struct sip_udp {
    struct sip_worker *owner;
    uint32_t listener; /* index in locals */
    struct udp *udp;
};

struct sip_accept {
    struct sip_worker *owner;
    uint32_t listener;
    struct listener *listening;
};

/* Shell figures, behind the core's in the worker's block. */
#define SIP_SHELL_STATS(X)                                                     \
    X(COUNTER, ws_accepted, "websocket_handshakes", "result=\"accepted\"",     \
      "WebSocket handshakes")                                                  \
    X(COUNTER, ws_refused_path, "websocket_handshakes", "result=\"path\"",     \
      "WebSocket handshakes")                                                  \
    X(COUNTER, ws_refused_origin, "websocket_handshakes", "result=\"origin\"", \
      "WebSocket handshakes")                                                  \
    X(COUNTER, ws_refused_request, "websocket_handshakes",                     \
      "result=\"request\"", "WebSocket handshakes")                            \
    X(COUNTER, ws_refused_full, "websocket_handshakes", "result=\"full\"",     \
      "WebSocket handshakes")                                                  \
    X(COUNTER, ws_refused_banned, "websocket_handshakes", "result=\"banned\"", \
      "WebSocket handshakes")                                                  \
    X(COUNTER, ws_handshake_timeouts, "websocket_handshakes",                  \
      "result=\"timeout\"", "WebSocket handshakes")                            \
    X(COUNTER, ws_messages_in, "websocket_messages", "direction=\"in\"",       \
      "SIP messages over WebSocket")                                           \
    X(COUNTER, ws_messages_out, "websocket_messages", "direction=\"out\"",     \
      "SIP messages over WebSocket")                                           \
    X(COUNTER, ws_pings, "websocket_pings", "", "pings sent")                  \
    X(COUNTER, ws_idle, "websocket_closed", "why=\"idle\"",                    \
      "WebSocket connections we closed")                                       \
    X(COUNTER, ws_dribble, "websocket_closed", "why=\"dribble\"",              \
      "WebSocket connections we closed")                                       \
    X(COUNTER, ws_slow, "websocket_closed", "why=\"slow\"",                    \
      "WebSocket connections we closed")                                       \
    X(COUNTER, ws_protocol, "websocket_closed", "why=\"protocol\"",            \
      "WebSocket connections we closed")                                       \
    X(COUNTER, ws_too_big, "websocket_closed", "why=\"too_big\"",              \
      "WebSocket connections we closed")                                       \
    X(COUNTER, ws_garbage, "websocket_closed", "why=\"garbage\"",              \
      "WebSocket connections we closed")                                       \
    X(GAUGE, ws_open, "websockets", "", "WebSocket connections open")          \
    X(GAUGE, streams_open, "streams", "", "TCP and TLS connections open")      \
    X(COUNTER, streams_slow, "streams_closed", "why=\"slow\"",                 \
      "TCP and TLS connections we closed")                                     \
    X(COUNTER, streams_protocol, "streams_closed", "why=\"protocol\"",         \
      "TCP and TLS connections we closed")                                     \
    X(COUNTER, streams_dribble, "streams_closed", "why=\"dribble\"",           \
      "TCP and TLS connections we closed")                                     \
    X(COUNTER, streams_idle, "streams_closed", "why=\"idle\"",                 \
      "TCP and TLS connections we closed")                                     \
    X(COUNTER, streams_unknown, "streams_closed", "why=\"unknown_source\"",    \
      "TCP and TLS connections we closed")                                     \
    X(COUNTER, connections_banned, "connections_refused", "why=\"banned\"",    \
      "connections closed before anything was read")                           \
    X(COUNTER, connections_many, "connections_refused", "why=\"rate\"",        \
      "connections closed before anything was read")                           \
    X(COUNTER, partner_no_certificate, "partners_refused",                     \
      "why=\"no_certificate\"", "connections of no federation partner")        \
    X(COUNTER, partner_untrusted, "partners_refused", "why=\"untrusted\"",     \
      "connections of no federation partner")                                  \
    X(COUNTER, partner_dates, "partners_refused", "why=\"expired\"",           \
      "connections of no federation partner")                                  \
    X(COUNTER, partner_purpose, "partners_refused", "why=\"purpose\"",         \
      "connections of no federation partner")                                  \
    X(COUNTER, partner_stranger, "partners_refused", "why=\"stranger\"",       \
      "connections of no federation partner")                                  \
    X(COUNTER, stream_messages_in, "stream_messages", "direction=\"in\"",      \
      "SIP messages over TCP and TLS")                                         \
    X(COUNTER, stream_messages_out, "stream_messages", "direction=\"out\"",    \
      "SIP messages over TCP and TLS")                                         \
    X(COUNTER, udp_in, "datagrams", "direction=\"in\"", "datagrams")           \
    X(COUNTER, udp_out, "datagrams", "direction=\"out\"", "datagrams")         \
    X(COUNTER, udp_refused, "datagrams_refused", "",                           \
      "datagrams the socket did not take")                                     \
    X(COUNTER, dns_queries, "dns_queries", "", "questions asked of DNS")       \
    X(COUNTER, dns_failed, "dns_failed", "",                                   \
      "names and records that DNS does not have")                              \
    X(COUNTER, dns_timeouts, "dns_timeouts", "",                               \
      "questions DNS did not answer")                                          \
    X(GAUGE, names_missing, "names_missing", "",                               \
      "configured names without an address")

struct sip_worker_stats {
    struct sip_stats core;
    SIP_SHELL_STATS(STATS_FIELD)
    struct stream_stats stream;     /* these two once a second */
    struct listener_stats listener; /* of all listeners */
};

/* Why a connection is not a partner's (sip_peer.h). */
enum sip_peer_fault {
    SIP_PEER_FINE,
    SIP_PEER_MISSING,
    SIP_PEER_UNTRUSTED,
    SIP_PEER_DATES,
    SIP_PEER_PURPOSE,
    SIP_PEER_STRANGER, /* a good certificate, of nobody we know */
    SIP_PEER_FAULTS,
};

#define SIP_SHELL_COUNT(w, field) stats_inc(&(w)->stats->field)

struct sip_worker {
    struct sip_shared *shared;
    struct worker *worker;
    unsigned index; /* of the worker */
    struct sip_worker_stats *stats;
    struct config *config;              /* our reference */
    struct sip_core_config settings[2]; /* the one in use, and the other */
    unsigned in_use;
    unsigned names_version; /* that is in these settings */
    struct sip_core *core;
    struct alarm alarm;      /* at the core's next deadline */
    struct worker_task task; /* sets it, once a turn */
    struct udp_ring *ring;
    struct sip_udp udps[SIP_LOCALS_MAX];
    struct sip_accept accepts[SIP_LOCALS_MAX];
    struct list conns; /* struct sip_link */
    struct map peers;  /* remote address -> struct sip_conn, inside */
    struct sip_tls tls;
    uint64_t peer_logged[SIP_PEER_FAULTS]; /* when it may be logged again */
    uint64_t unreached_logged;
    uint64_t next_sum; /* when the shared figures are copied again */
    bool is_draining;
    bool is_stopping;
};

/* The daemon's hooks; state is the struct sip_shared. */
int sip_worker_start(void *state, struct worker *worker,
                     const struct config *config, void *stats,
                     void **ret_worker_state);
void sip_worker_reload(void *worker_state, const struct config *config);
void sip_worker_drain(void *worker_state);
void sip_worker_stop(void *worker_state);
void sip_worker_free(void *worker_state);

/* The media-server group of the domain a TLS client asked for by name (SNI);
 * 0: none, or no TLS. */
uint32_t sip_worker_group_by_sni(const struct sip_worker *w,
                                 const struct stream *stream);

/* Something happened: the core's next deadline may have moved. */
void sip_worker_touch(struct sip_worker *w);

static inline const struct sip_config *
sip_worker_config(const struct sip_worker *w)
{
    return config_values(w->config);
}

#endif /* SIP_WORKER_H */
