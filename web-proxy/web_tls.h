/* SPDX-License-Identifier: MIT */
/* web_tls.h - the TLS contexts of all listeners, as a snapshot that a reload
 * replaces as a whole.
 */
#ifndef WEB_TLS_H
#define WEB_TLS_H

#include "base/buf.h"
#include "web_config.h"

struct tls_ctx;
struct tls_tickets;
struct web_tls;

/* Read certificates and keys. Returns 0; or, said in `error`, ERR_CONFIG or
 * -ENOMEM. */
int web_tls_load(struct web_tls **ret_tls, const struct web_config *config,
                 struct tls_tickets *tickets, struct buf *error);

/* Any thread. web_tls_unref() accepts NULL. */
struct web_tls *web_tls_ref(struct web_tls *tls);
void web_tls_unref(struct web_tls *tls);

/* Contexts are borrowed. That of HTTPS; NULL: there are no certificates. */
struct tls_ctx *web_tls_https(const struct web_tls *tls);

/* That of HTTPS for clients that ask for this name (as written; empty: none):
 * one that wants certificates of them is labelled with the host of its rule
 * (tls_session_label()). */
struct tls_ctx *web_tls_for(const struct web_tls *tls, struct span name);

/* That of a listener tls: with this port. */
struct tls_ctx *web_tls_port(const struct web_tls *tls, uint16_t port);

/* Is one of the certificates for this name? */
bool web_tls_knows(const struct web_tls *tls, struct span name);

#endif /* WEB_TLS_H */
