/* SPDX-License-Identifier: MIT */
/* dtls_private.h - the inside of DTLS sessions: dtls_session.c is mbedTLS fed
 * with records, dtls.c the table, limits and timers. */
#ifndef NET_DTLS_PRIVATE_H
#define NET_DTLS_PRIVATE_H

#include "base/map.h"
#include "net/alarm.h"
#include "net/conn_limit.h"
#include "net/dtls.h"
#include "net/dtls_cookie.h"
#include "net/tls_private.h"

struct dtls {
    struct worker *worker;
    struct dtls_options options;
    struct dtls_cookies cookies;
    struct conn_limit *half_open;
    struct pool *sessions;
    struct map by_path; /* struct dtls_session.path, those not dead */
    struct dtls_stats *stats;
    struct dtls_stats own_stats;
};

struct dtls_session {
    mbedtls_ssl_context ssl;
    struct dtls *dtls;
    struct tls_ctx *ctx;
    struct pool_id id;
    struct dtls_path path; /* key of the table */
    struct udp *udp;
    struct udp_dest dest;
    uint8_t random[DTLS_RANDOM_SIZE]; /* of its ClientHello */
    struct span in;                   /* records mbedTLS may read */
    struct alarm alarm;               /* the nearer of the next two */
    uint64_t limit_at;                /* handshake time-out, idle time-out */
    uint64_t resend_at;               /* mbedTLS' timer */
    uint64_t last_in;                 /* last authentic record */
    unsigned read;                    /* application records mbedTLS has got */
    int send_err;                     /* udp_send()'s last */
    int code;                         /* mbedTLS' failure */
    bool is_open;                     /* handshake done */
    bool is_counted;                  /* holds a half-open place */
    bool is_busy;                     /* on the stack: release later */
    bool is_dead;
};

/* ---- dtls_session.c ---- */

enum dtls_result {
    DTLS_MORE,   /* give more input */
    DTLS_DATA,   /* a record */
    DTLS_OPENED, /* the handshake is done */
    DTLS_ENDED,  /* close_notify */
    DTLS_FAILED,
};

/* `ssl` and what hangs on it; the rest is the caller's. Returns 0 or
 * -ENOMEM. */
int dtls_session_init(struct dtls_session *s, struct tls_ctx *ctx);
void dtls_session_deinit(struct dtls_session *s);

/* Go on with the handshake: input, or time. MORE, OPENED or FAILED. */
enum dtls_result dtls_session_handshake(struct dtls_session *s);

/* One decrypted record. MORE, DATA, ENDED or FAILED. */
enum dtls_result dtls_session_read(struct dtls_session *s, uint8_t *out,
                                   size_t size, size_t *ret_len);

/* Returns 0, -EMSGSIZE, ERR_TLS. */
int dtls_session_write(struct dtls_session *s, struct span plain, uint8_t tos);

void dtls_session_notify(struct dtls_session *s);

/* Arm the alarm. After everything that may change the deadlines. */
void dtls_session_arm(struct dtls_session *s);

#endif /* NET_DTLS_PRIVATE_H */
