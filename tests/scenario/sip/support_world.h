/* SPDX-License-Identifier: MIT */
/* support_world.h - proxy cores in virtual time: clients on WebSocket
 * connections outside, media servers on UDP inside, all of it in an array.
 */
#ifndef SUPPORT_WORLD_H
#define SUPPORT_WORLD_H

#include "proxy/sip_core.h"
#include "support/unit.h"

enum {
    WORLD_SERVER_A = 0x0A00000A, /* 10.0.0.10, group default */
    WORLD_SERVER_B = 0x0A00000B, /* 10.0.0.11, group default */
    WORLD_SERVER_C = 0x0A00000C, /* 10.0.0.12, group mds1, no Path */
    WORLD_STRANGER = 0x0A000063,
    WORLD_WS = 0, /* listeners */
    WORLD_UDP = 1,
    WORLD_CONNS = 8,
    WORLD_DIALLED = 5, /* number of the first connection we make */
    WORLD_MESSAGE = 16384,
};

struct sent {
    struct sip_target to;
    int conn;   /* WebSocket connection, -1: a datagram */
    int worker; /* who sent it */
    char text[WORLD_MESSAGE];
    size_t len;
};

struct world {
    struct sip_core_config cfg;
    struct sip_core *core[2];
    struct sip_stats stats[2];
    int workers;
    uint64_t now;
    uint64_t random;
    struct {
        uint64_t flow;
        int worker;
        bool open;
        bool closed_by_us;
        bool is_broken; /* the transport refuses to send */
    } conns[WORLD_CONNS];
    int states;  /* calls of server_state */
    int dialled; /* connections made to partners: from WORLD_DIALLED on */
    bool cannot_dial;
};

extern struct world world;

/* One server per group name; `workers` cores. */
void world_begin(int workers);
void world_end(void);

/* The cores anew with what world.cfg says now; after world_end(). */
void world_restart(void);

/* Connection number `conn` opens on a worker; `group` 0: /wssip. */
void world_connect(int conn, int worker, uint32_t group);
void world_disconnect(int conn);

/* A message from a client; from a media server (to this worker's socket). */
void world_from_client(int conn, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void world_from_server(uint32_t ip, int worker, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The next message that was sent, in order; NULL: none. Valid until the
 * second call after. */
const struct sent *world_sent(void);

/* The same, and it must begin so and go there (conn, or -1 and ip). */
const struct sent *world_expect(const char *start, int conn, uint32_t ip);

/* Drop what was sent and not looked at. */
void world_forget(void);

void world_advance(uint64_t ms);

/* The response a user agent would give to a message we sent: Via, From, To
 * with `tag`, Call-ID, CSeq, Record-Route; `extra` header lines. */
const char *world_answer(const struct sent *request, unsigned status,
                         const char *tag, const char *extra);

/* The n-th (from 0) value of a header field of a sent message, copied; "" when
 * there is none. */
const char *world_value(const struct sent *message, const char *name,
                        unsigned n);

/* What stands between < and > in a value. */
const char *world_uri(const char *value);

/* Parsed; valid until the next call. */
const struct sip_msg *world_parse(const struct sent *message);

#endif /* SUPPORT_WORLD_H */
