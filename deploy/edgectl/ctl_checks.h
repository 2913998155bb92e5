/* SPDX-License-Identifier: MIT */
/* ctl_checks.h - the checks from a place; each adds its lines. */
#ifndef CTL_CHECKS_H
#define CTL_CHECKS_H

#include "ctl/ctl_check.h"
#include "ctl/ctl_flows.h"
#include "ctl/ctl_sip.h"
#include "ctl/ctl_stun.h"

#include <mbedtls/x509_crt.h>

/* Words of an option that may be repeated. */
struct ctl_words {
    const char *const *items;
    size_t n;
};

/* An address of the topology and what it is seen as from here. */
struct ctl_published {
    struct addr inside, outside;
};

enum { CTL_PEERS_MAX = 16, CTL_PUBLISHED_MAX = 32 };

struct ctl_check_env {
    struct ctl_checks *checks;
    const char *address;         /* instead of what names resolve to, or NULL */
    struct ctl_words websockets; /* paths that must upgrade */
    struct ctl_words paths;      /* paths that must be answered */
    const char *echo_method;     /* of sip-proxy, or NULL */
    const char *domain;          /* whose SRV records count, or NULL */
    struct addr dns;             /* ask this server; ADDR_NONE: the system's */
    struct addr media[CTL_PEERS_MAX];     /* the relay must reach these */
    struct addr forbidden[CTL_PEERS_MAX]; /* and must not reach these */
    size_t n_media, n_forbidden;
    mbedtls_x509_crt *ca;      /* whom to trust */
    struct ctl_stun_user user; /* of TURN; name empty: none was given */
    unsigned days;             /* fewer left is a warning */
    unsigned skew;             /* seconds a clock may be off */
    int64_t now;               /* Unix seconds */
};

struct ctl_link;

/* The certificate of a TLS link: trust, and what ctl_cert.h finds. */
void check_certificate(struct ctl_check_env *env, const struct ctl_uri *uri,
                       const struct ctl_link *link);

/* TLS 1.0 and 1.1 must be refused. */
void check_old_tls(struct ctl_check_env *env, const struct ctl_uri *uri);

void check_web(struct ctl_check_env *env, const struct ctl_uri *uri);
void check_turn(struct ctl_check_env *env, const struct ctl_uri *uri);
void check_sip(struct ctl_check_env *env, const struct ctl_uri *uri);

/* `path` must open a WebSocket and, where it speaks SIP, lead to somebody who
 * answers. */
void check_websocket(struct ctl_check_env *env, const struct ctl_uri *uri,
                     const char *path);

/* Whom the relay of this login reaches, and whom it must not. */
struct turn_login;
void check_relay(struct ctl_check_env *env, const struct ctl_uri *uri,
                 struct ctl_link *link, struct turn_login *login);

/* Names of all URIs, and the SRV records of the domain. */
void check_dns(struct ctl_check_env *env, const struct ctl_uri *uris, size_t n);

/* The address translation in front of us, as the STUN servers among these see
 * it. */
void check_nat(struct ctl_check_env *env, const struct ctl_uri *uris, size_t n);

/* What the flows open from `place` (a zone or a host of the topology) must be
 * reachable, other ports of the same hosts must not. `published` says as what
 * addresses are seen from here. False when there is no such place. */
bool check_flows(struct ctl_check_env *env, const struct ctl_flows *flows,
                 const char *place, const struct ctl_published *published,
                 size_t n_published);

/* ---- of check_sip.c, for SIP over something else ---- */

/* A request of OPTIONS; `local` may be ADDR_NONE. */
void check_sip_request(const char *host, const char *transport,
                       const struct addr *local, char id[CTL_SIP_ID_SIZE],
                       struct buf *out);

/* What a final status says about who answers. */
void check_sip_answer(struct ctl_check_env *env, const char *where,
                      const char *id, const char *what, int status);

#endif /* CTL_CHECKS_H */
