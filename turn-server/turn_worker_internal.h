/* SPDX-License-Identifier: MIT */
/* turn_worker_internal.h - what turn_worker.c (UDP, the core's environment)
 * and turn_conn.c (TCP and TLS clients) share.
 */
#ifndef TURN_WORKER_INTERNAL_H
#define TURN_WORKER_INTERNAL_H

#include "base/buf.h"
#include "net/alarm.h"
#include "net/dtls.h"
#include "net/listener.h"
#include "turn_pipe.h"
#include "turn_worker.h"

/* A socket that clients send to, or a TCP listener. */
struct turn_door {
    struct turn_worker *owner;
    struct udp *udp;
    struct listener *listener;
    const struct turn_listen_group *group;
    uint64_t link; /* in struct turn_client of its UDP clients */
    bool is_wildcard;
};

struct turn_worker {
    struct turn_server *server;
    struct worker *worker;
    struct turn_core *core;
    struct udp_ring *ring;
    struct turn_server_stats *stats;
    struct pool *relays;      /* struct turn_socket */
    struct pool *conns;       /* struct turn_conn */
    struct pool *tcp_sockets; /* struct turn_tcp_socket */
    struct pool *pipes;       /* struct turn_pipe */
    struct dtls *dtls;        /* NULL: no certificate, or switched off */
    struct turn_door *doors;
    size_t n_doors;
    struct alarm deadline;    /* of the core */
    struct alarm second;      /* figures are copied */
    struct worker_task pause; /* gather() in turn_worker.c */
    unsigned turn_packets;    /* handled in this turn of the loop */
    unsigned gather_us;
    uint64_t rate_start; /* ms; packets are counted over a short while */
    unsigned rate_packets;
    bool is_busy;
    uint32_t max_connections;
    uint32_t max_handshakes;
    size_t max_packet;
    uint64_t idle_timeout;
    size_t stream_buffer;
};

/* Arm the alarm for the core's next deadline. After every event. */
void turn_worker_arm(struct turn_worker *w);

/* Send to a client of this worker. */
void turn_worker_to_client(struct turn_worker *w, const struct turn_client *to,
                           const struct turn_packet *packet);

/* --- turn_forward.c --- */

/* The functions for the core; their `arg` is the worker. */
struct turn_mobile_env turn_forward_env(void);

/* Send to a client whose session is another worker's. */
void turn_forward_to_client(struct turn_worker *w, const struct turn_client *to,
                            const struct turn_packet *packet);

/* --- turn_conn.c --- */

struct turn_conn;

/* on_accept of the listeners; `arg` is the door. */
void turn_conn_accept(struct listener *listener, struct stream *stream,
                      void *arg);

/* A frame for the client on connection `link`. */
void turn_conn_send(struct turn_worker *w, uint64_t link, struct span bytes);

/* The client on connection `link` has bound this pipe: its stream becomes the
 * pipe's when the event is over. */
void turn_conn_join(struct turn_worker *w, uint64_t link,
                    struct turn_pipe *pipe);

/* Close all. */
void turn_conn_close_all(struct turn_worker *w);

/* The size of a pool item. */
size_t turn_conn_size(void);

/* --- turn_dtls.c --- */

/* Returns 0 or an error of dtls_new(). */
int turn_dtls_start(struct turn_worker *w, struct tls_ctx *tls);

/* A packet for the client of session `link`. */
void turn_dtls_send(struct turn_worker *w, uint64_t link,
                    const struct turn_packet *packet);

#endif /* TURN_WORKER_INTERNAL_H */
