/* SPDX-License-Identifier: MIT */
/* certificates.h - what an operator must know about the certificates in use:
 * which they are and when they end, in /status and /metrics. Main thread.
 */
#ifndef APP_CERTIFICATES_H
#define APP_CERTIFICATES_H

#include "base/buf.h"

struct tls_ctx;

/* Both take `n` contexts, some of them NULL. A file that several of them use
 * is told once. */

/* The member "certificates": [{"file", "subject", "not_after" (seconds since
 * 1970), "days_left" (whole, 0 when it has ended)}]. */
void certificates_json(struct tls_ctx *const *tls, size_t n, struct buf *json);

/* The family <prefix>_certificate_expiry_timestamp_seconds{file,subject}. */
void certificates_metrics(struct tls_ctx *const *tls, size_t n,
                          const char *prefix, struct buf *out);

#endif /* APP_CERTIFICATES_H */
