/* SPDX-License-Identifier: MIT */
/* ctl_checks.h - the checks from outside; each adds its lines. */
#ifndef CTL_CHECKS_H
#define CTL_CHECKS_H

#include "ctl/ctl_check.h"
#include "ctl/ctl_stun.h"

#include <mbedtls/x509_crt.h>

struct ctl_check_env {
    struct ctl_checks *checks;
    const char *address; /* instead of what names resolve to, or NULL */
    const char *const *websockets; /* paths that must upgrade */
    size_t n_websockets;
    mbedtls_x509_crt *ca;      /* whom to trust */
    struct ctl_stun_user user; /* of TURN; name empty: none was given */
    unsigned days;             /* fewer left is a warning */
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

#endif /* CTL_CHECKS_H */
