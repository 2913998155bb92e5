/* SPDX-License-Identifier: MIT */
/* sip_tls.h - the TLS contexts of one configuration: of each listener, towards
 * media servers, towards federation partners.
 *
 * A set of references. The process holds one, each worker a copy, so that a
 * reload can replace them one by one.
 */
#ifndef SIP_TLS_H
#define SIP_TLS_H

#include "net/tls_ctx.h"
#include "sip_config.h"

struct sip_tls {
    struct tls_ctx *listen[SIP_LOCALS_MAX]; /* NULL: not a secure one */
    struct tls_ctx *servers;                /* NULL: none on TLS */
    struct tls_ctx *partners;               /* NULL: none */
};

/* Returns 0; ERR_CONFIG with the reason in `error`; -ENOMEM. */
int sip_tls_make(const struct sip_config *cfg, struct sip_tls *ret_tls,
                 char error[TLS_ERROR_SIZE]);

/* More references to the same. */
void sip_tls_copy(const struct sip_tls *tls, struct sip_tls *ret_copy);

/* All of them in a row, borrowed; some are NULL. */
enum { SIP_TLS_ALL = SIP_LOCALS_MAX + 2 };
void sip_tls_list(const struct sip_tls *tls, struct tls_ctx *list[SIP_TLS_ALL]);

/* Let go of all; the set is empty afterwards. */
void sip_tls_drop(struct sip_tls *tls);

#endif /* SIP_TLS_H */
