/* SPDX-License-Identifier: MIT */
/* sip_server.h - what all workers of the process share, and the daemon's life.
 *
 * The sockets of all listeners are bound on the main thread before a worker
 * starts (so a taken port is an error with a text) and taken by the workers.
 */
#ifndef SIP_SERVER_H
#define SIP_SERVER_H

#include "app/daemon.h"
#include "net/bind.h"
#include "net/conn_limit.h"
#include "sip_config.h"

#include <pthread.h>
#include <stdatomic.h>

struct sip_names;
struct sip_worker;
struct handshake_rate;
struct sip_tls;

enum {
    SIP_WORKERS_MAX = 256, /* a token's byte */
    SIP_BAN_NOTES = 64,
};

/* One of the newest bans. */
struct sip_ban_note {
    struct addr source;
    uint64_t until; /* ms; 0: none */
};

struct sip_shared {
    struct daemon *daemon;
    unsigned workers;
    uint32_t epoch;
    struct sip_token_key random_key; /* when no key file is set */
    struct sip_local locals[SIP_LOCALS_MAX];
    struct bind_group *binds[SIP_LOCALS_MAX];
    size_t n_locals;
    struct conn_limit *limit;
    struct handshake_rate *rate; /* of TLS, from outside */
    struct sip_names *names;     /* where media servers and partners are */
    pthread_mutex_t lock;        /* of `tls` */
    struct sip_tls *tls;
    /* Set and looked at by each worker on its own thread only. */
    struct sip_worker *worker[SIP_WORKERS_MAX];
    /* By sip_server_tag(): 1 when down. What the last worker that noticed
     * says; for /status and /readyz. */
    _Atomic uint8_t down[UINT16_MAX + 1];
    pthread_mutex_t ban_lock;
    struct sip_ban_note bans[SIP_BAN_NOTES]; /* for /status */
    size_t next_ban;
};

extern const struct daemon_spec sip_daemon_spec;

/* A core configuration with everything in it, for one worker. */
void sip_shared_core_config(const struct sip_shared *shared,
                            const struct sip_config *cfg,
                            struct sip_core_config *ret_core);

/* References to the TLS contexts in use. Any thread. */
void sip_shared_tls(struct sip_shared *shared, struct sip_tls *ret_tls);

/* Any worker's thread. */
void sip_shared_set_down(struct sip_shared *shared, uint16_t tag, bool down);

/* Any worker's thread. */
void sip_shared_note_ban(struct sip_shared *shared, const struct addr *source,
                         uint64_t until);

#endif /* SIP_SERVER_H */
