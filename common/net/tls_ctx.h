/* SPDX-License-Identifier: MIT */
/* tls_ctx.h - what a TLS session needs to know, as an immutable snapshot.
 *
 * Certificates and keys, trust anchors, versions, ALPN. Built from files,
 * shared by all workers, counted by reference; sessions hold one. Reload:
 * build a new one, hand it to the listeners (listener_set_tls()), unref the
 * old; sessions in progress keep theirs.
 *
 * Only suites with ephemeral key exchange and AEAD: TLS 1.3's, and ECDHE with
 * GCM or ChaCha20-Poly1305 in TLS 1.2. No renegotiation.
 *
 * Threads: the functions here may be called from any thread. mbedTLS as
 * packaged by Debian has MBEDTLS_THREADING_C with pthreads, which covers what
 * sessions of different threads share behind one context: RSA blinding, the
 * ticket keys and the PSA key store and generator (3.6: PSA is thread-safe
 * with that option). Everything else here is read only. Handshakes on four
 * threads with mbedTLS 3.6.6 itself under the thread sanitizer show nothing
 * but the library's self-test counters (ecp.c). RSA keys are locked while they
 * sign, so workers wait for each other there: one more reason for ECDSA.
 * The build fails when the library lacks the option.
 */
#ifndef NET_TLS_CTX_H
#define NET_TLS_CTX_H

#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_ctx;
struct tls_tickets;

enum { TLS_ERROR_SIZE = 512 };

enum tls_role {
    TLS_SERVER,
    TLS_CLIENT,
};

enum tls_version {
    TLS_VERSION_DEFAULT = 0, /* 1.2 as the lowest, 1.3 as the highest */
    TLS_VERSION_12 = 0x0303,
    TLS_VERSION_13 = 0x0304,
};

enum tls_verify {
    TLS_VERIFY_DEFAULT = 0, /* client: required; server: none */
    TLS_VERIFY_NONE,
    TLS_VERIFY_OPTIONAL, /* asked for; the session tells whether it holds */
    TLS_VERIFY_REQUIRED,
};

struct tls_key_pair {
    const char *certificate_file; /* PEM: the certificate, then its chain */
    const char *key_file;         /* PEM, without password */
};

struct tls_ctx_options {
    enum tls_role role;

    /* Server: chosen by the name the client asks for: exact, then
     * "*.domain", from SAN (or CN when there is no SAN); when none fits the
     * first pair, or with `strict_sni` the handshake is refused (also when no
     * name is asked for).
     * Client: at most one, shown when asked for. */
    const struct tls_key_pair *pairs;
    size_t n_pairs;
    bool strict_sni;

    const char *ca_file;  /* PEM; needed unless nothing is verified */
    const char *crl_file; /* PEM: revoked by these; one that has ended makes
                             every certificate of its authority bad */
    const char *label;    /* tls_session_label(), copied; NULL: "" */
    enum tls_verify verify;
    enum tls_version min_version;
    enum tls_version max_version;
    const char *const *alpn;     /* in order of preference, NULL at the end;
                                    NULL: no ALPN */
    struct tls_tickets *tickets; /* server: resume sessions; NULL: never, as
                                    when client certificates are asked for */
    bool dtls; /* server: for net/dtls.h, too: DTLS 1.2, never resumed. Refused
                  with a lowest version of 1.3 */
};

/* Returns 0; ERR_CONFIG with the reason in `error`, naming the file
 * ("certificate edge.pem: file not found"); -ENOMEM. Certificates that are
 * expired, not yet valid or end within 14 days are logged as a warning.
 * Files are read, strings copied. Release with tls_ctx_unref(). */
int tls_ctx_new(struct tls_ctx **ret_ctx, const struct tls_ctx_options *options,
                char error[TLS_ERROR_SIZE]);

struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx);

/* The last one releases. NULL is fine. */
void tls_ctx_unref(struct tls_ctx *ctx);

/* As in the options; "" when there is none. */
const char *tls_ctx_label(const struct tls_ctx *ctx);

/* Index of the key pair for the name asked for (no name: empty span), or -1
 * when there is none (strict). Case does not matter. */
int tls_ctx_choose(const struct tls_ctx *ctx, struct span name);

/* Is one of the certificates for this name? */
bool tls_ctx_knows(const struct tls_ctx *ctx, struct span name);

struct tls_certificate_info {
    const char *file;    /* borrowed from the context */
    const char *subject; /* the same; printable */
    int64_t not_after;   /* seconds since 1970 */
};

/* For /status. Returns false when there is no pair `i`. */
bool tls_ctx_certificate(const struct tls_ctx *ctx, size_t i,
                         struct tls_certificate_info *ret_info);

/* Whole days until the first certificate ends, negative when one has; INT_MAX
 * without certificates. `now` in seconds since 1970. */
int tls_ctx_days_left(const struct tls_ctx *ctx, int64_t now);

/* ---- session tickets ---- */

/* Keys made here, in memory only, changed every `lifetime_s` seconds; a
 * ticket lives for one to two of these. One object for the process outlives
 * reloads. Returns 0, -ENOMEM, ERR_TLS. */
int tls_tickets_new(struct tls_tickets **ret_tickets, uint32_t lifetime_s);
struct tls_tickets *tls_tickets_ref(struct tls_tickets *tickets);
void tls_tickets_unref(struct tls_tickets *tickets);

#endif /* NET_TLS_CTX_H */
