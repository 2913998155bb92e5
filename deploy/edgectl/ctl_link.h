/* SPDX-License-Identifier: MIT */
/* ctl_link.h - a connection to somebody's server, for checks: UDP, TCP, TLS or
 * DTLS, blocking, with a deadline. Whatever certificate comes is taken; what is
 * wrong with it is the check's to say.
 */
#ifndef CTL_LINK_H
#define CTL_LINK_H

#include "base/addr.h"
#include "ctl/ctl_check.h"

#include <mbedtls/x509_crt.h>

struct ctl_link;

enum { CTL_LINK_TIMEOUT_MS = 5000, CTL_LINK_ERROR = 160 };

/* `address` replaces what the name resolves to; may be NULL. `tls` false
 * leaves TLS away although the address says it.
 * Returns 0; or an error, with the text in `error`. */
int ctl_link_open(struct ctl_link **ret_link, const struct ctl_uri *uri,
                  const char *address, bool tls, char error[CTL_LINK_ERROR]);
/* The same, offering these protocols in ALPN, NULL behind the last; they must
 * live as long as the link. */
int ctl_link_open_alpn(struct ctl_link **ret_link, const struct ctl_uri *uri,
                       const char *address, const char *const *protocols,
                       char error[CTL_LINK_ERROR]);
void ctl_link_close(struct ctl_link *link);

/* All of it, or an error. */
int ctl_link_send(struct ctl_link *link, struct span bytes);

/* Returns the number of bytes, 0 at the end, -ETIMEDOUT after `timeout_ms`. */
int ctl_link_receive(struct ctl_link *link, void *out, size_t size,
                     unsigned timeout_ms);

/* Where it is connected to. */
const struct addr *ctl_link_peer(const struct ctl_link *link);

/* Where it comes from, as this machine sees it. */
void ctl_link_local(const struct ctl_link *link, struct addr *ret_addr);

/* Its socket, for who measures. Not of a TLS link. */
int ctl_link_fd(const struct ctl_link *link);

/* Of a TLS link: "TLSv1.3"; the certificate and its chain. */
const char *ctl_link_version(const struct ctl_link *link);
const mbedtls_x509_crt *ctl_link_certificate(const struct ctl_link *link);

/* What ALPN agreed on: "h2", or NULL. */
const char *ctl_link_protocol(const struct ctl_link *link);

#endif /* CTL_LINK_H */
