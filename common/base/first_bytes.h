/* SPDX-License-Identifier: MIT */
/* first_bytes.h - which protocol a connection's first bytes are: for ports
 * that several share.
 *
 * A pure reader; any thread.
 */
#ifndef BASE_FIRST_BYTES_H
#define BASE_FIRST_BYTES_H

#include "base/tls_hello.h"

enum first_kind {
    FIRST_OTHER, /* nothing we know */
    FIRST_TLS,   /* a ClientHello, see `hello` */
    FIRST_STUN,  /* RFC 8489 section 5: also TURN over TCP */
    FIRST_SIP,   /* a request, RFC 3261 section 7.1 */
    FIRST_HTTP,  /* a request, RFC 9112 section 3; HTTP/2's preface too */
};

struct first_bytes {
    enum first_kind kind;
    struct tls_hello hello;
};

enum {
    /* With so many bytes there is always an answer. */
    FIRST_BYTES_MAX = TLS_HELLO_BYTES_MAX,
};

/* Returns 0; ERR_TRUNCATED: more is needed, `*ret_need` bytes in all at least;
 * ERR_PARSE or ERR_LIMIT: it looks like TLS but its ClientHello cannot be read
 * (`kind` is FIRST_TLS). `scratch` as for tls_hello_read(). */
int first_bytes_read(struct span bytes, uint8_t scratch[TLS_HELLO_MAX],
                     struct first_bytes *ret_first, size_t *ret_need);

#endif /* BASE_FIRST_BYTES_H */
