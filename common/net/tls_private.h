/* SPDX-License-Identifier: MIT */
/* tls_private.h - the inside of TLS contexts, for net/tls_*.c alone. */
#ifndef NET_TLS_PRIVATE_H
#define NET_TLS_PRIVATE_H

#include "net/tls_ctx.h"

#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <stdatomic.h>

struct tls_pair {
    char *file;
    char *subject;
    int64_t not_after;
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
};

struct tls_tickets {
    _Atomic unsigned refs;
    mbedtls_ssl_ticket_context ctx;
};

struct tls_ctx {
    _Atomic unsigned refs;
    mbedtls_ssl_config conf;
    mbedtls_ssl_config dtls; /* when has_dtls */
    mbedtls_x509_crt ca;
    mbedtls_x509_crl crl;
    char *label; /* NULL: none */
    struct tls_pair *pairs;
    size_t n_pairs;
    char **alpn; /* NULL at the end; NULL: none */
    struct tls_tickets *tickets;
    enum tls_role role;
    bool has_dtls;
    bool strict_sni;
    bool verifies; /* a peer's certificate must hold */
    bool asks;     /* … is looked at, even if it may be missing or bad */
};

/* mbedTLS' random source: the kernel, so that nothing is shared. */
int tls_random(void *unused, unsigned char *out, size_t len);

/* Set by the ticket callback when it has accepted one, in the thread that
 * runs the handshake; the session reads and clears it. */
extern _Thread_local bool tls_ticket_accepted;

/* Server: the client has asked for a name; picks the certificate. */
int tls_on_server_name(void *unused, mbedtls_ssl_context *ssl,
                       const unsigned char *name, size_t len);

/* The same for DTLS, whose sessions keep no name; `arg` is the context. */
int tls_on_dtls_server_name(void *arg, mbedtls_ssl_context *ssl,
                            const unsigned char *name, size_t len);

/* Seconds since 1970. */
int64_t tls_seconds(const mbedtls_x509_time *t);

#endif /* NET_TLS_PRIVATE_H */
