/* SPDX-License-Identifier: MIT */
/* tls_hello.h - what a TLS ClientHello asks for, read without beginning a
 * session: the server's name (RFC 6066 section 3) and the protocols (RFC
 * 7301). Whoever shares a port decides by it where a connection goes.
 *
 * Strict, because others read the same bytes after us: what is there twice,
 * does not end where it says, or names no host is refused and not guessed at.
 * A pure reader; any thread.
 */
#ifndef BASE_TLS_HELLO_H
#define BASE_TLS_HELLO_H

#include "base/span.h"

enum {
    /* The longest message we read: several times what clients with large key
     * shares send. */
    TLS_HELLO_MAX = 16 * 1024,
    TLS_HELLO_RECORDS_MAX = 32, /* it may come in so many records */
    /* The same as bytes of a connection. */
    TLS_HELLO_BYTES_MAX = TLS_HELLO_MAX + TLS_HELLO_RECORDS_MAX * 5,
};

/* The spans borrow from the bytes or the scratch buffer. */
struct tls_hello {
    struct span server_name; /* as written; empty: none */
    struct span protocols;   /* for tls_hello_next(); empty: none */
};

/* Read the ClientHello at the front of `bytes`, a connection's first. What
 * comes in several records is put together in `scratch`.
 * Returns 0; ERR_TRUNCATED: with `*ret_need` bytes in all, at least, more can
 * be said; ERR_PARSE; ERR_LIMIT: longer than we read. */
int tls_hello_read(struct span bytes, uint8_t scratch[TLS_HELLO_MAX],
                   struct tls_hello *ret_hello, size_t *ret_need);

/* The next protocol name; false at the end. */
bool tls_hello_next(struct span *protocols, struct span *ret_name);

/* Is this protocol among those offered? Case matters (RFC 7301 3.1). */
bool tls_hello_offers(const struct tls_hello *hello, struct span protocol);

#endif /* BASE_TLS_HELLO_H */
