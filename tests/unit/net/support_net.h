/* SPDX-License-Identifier: MIT */
/* support_net.h - a worker for tests on real loopback sockets, driven until
 * something is true or a deadline has passed; and certificates. */
#ifndef SUPPORT_NET_H
#define SUPPORT_NET_H

#include "base/addr.h"
#include "net/tls_ctx.h"
#include "net/worker.h"

enum { NET_DEADLINE_MS = 5000 };

/* The worker of the running test. */
struct worker *net_worker(void);

/* checked fixture: make the worker; run it dry and require that no handle and
 * no block is left. */
void net_setup(void);
void net_teardown(void);

/* Turn the loop until `*flag`; false after NET_DEADLINE_MS. */
bool net_until(const bool *flag);

/* Turn the loop until `*value` has reached `want`; false as above. */
bool net_until_count(const unsigned *value, unsigned want);

/* Turn the loop for that long. */
void net_for(unsigned ms);

struct addr net_loopback(enum addr_family family, uint16_t port);

/* False when this machine has no IPv6 loopback. */
bool net_has_ipv6(void);

/* ---- certificates, made once per program in a temporary folder ---- */

enum net_cert {
    NET_CA,      /* the root */
    NET_EDGE,    /* edge.example, *.apps.example, 127.0.0.1 */
    NET_OTHER,   /* other.example */
    NET_EXPIRED, /* edge.example, ended */
    NET_CLIENT,  /* alice.example and sip:alice.example */
    NET_FOREIGN, /* edge.example, signed by itself */
    NET_CN_ONLY, /* common name cn.example, no alternative names */
    NET_CERTS,
};

const char *net_cert_file(enum net_cert which);
const char *net_key_file(enum net_cert which);

/* A server context with these pairs, a client context trusting the CA; the
 * test fails when they cannot be built. */
struct tls_ctx *net_server_ctx(enum net_cert which);
struct tls_ctx *net_client_ctx(void);

#endif /* SUPPORT_NET_H */
