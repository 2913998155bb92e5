/* SPDX-License-Identifier: MIT */
/* dtls_cookie.h - the part of a DTLS handshake that holds no state
 * (RFC 6347 4.2.1): read a ClientHello, make and check the cookie, write the
 * HelloVerifyRequest.
 *
 * A cookie says when it was made, and is an HMAC over that, both addresses
 * and the ClientHello's random: it is good for this client, this handshake and
 * a short time.
 */
#ifndef NET_DTLS_COOKIE_H
#define NET_DTLS_COOKIE_H

#include "base/addr.h"
#include "base/crypto.h"

enum {
    DTLS_RECORD_HEADER = 13,
    DTLS_RANDOM_SIZE = 32,
    DTLS_COOKIE_SIZE = 32, /* what DTLS 1.0 allows, too */
    /* Shorter than any ClientHello that dtls_hello_read() accepts: nobody can
     * use us to multiply traffic. */
    DTLS_VERIFY_SIZE = DTLS_RECORD_HEADER + 12 + 3 + DTLS_COOKIE_SIZE,
};

enum dtls_record_type {
    DTLS_CHANGE_CIPHER_SPEC = 20,
    DTLS_ALERT = 21,
    DTLS_HANDSHAKE = 22,
    DTLS_APPLICATION_DATA = 23,
};

/* What we need of a ClientHello; spans borrow from the datagram. */
struct dtls_hello {
    struct span sequence; /* the record's, 6 bytes */
    uint16_t message_seq;
    struct span random; /* DTLS_RANDOM_SIZE bytes */
    struct span cookie; /* empty: the first ClientHello */
};

/* A datagram that begins with an unencrypted ClientHello: what follows looks
 * for this only. */
bool dtls_is_hello(struct span datagram);

/* Exactly one record with one whole ClientHello. Returns 0 or ERR_PARSE. */
int dtls_hello_read(struct span datagram, struct dtls_hello *ret_hello);

/* The HelloVerifyRequest that answers `hello`. */
void dtls_verify_write(const struct dtls_hello *hello,
                       const uint8_t cookie[DTLS_COOKIE_SIZE],
                       uint8_t out[DTLS_VERIFY_SIZE]);

struct dtls_cookies {
    uint8_t key[CRYPTO_SHA256_SIZE];
    uint32_t offset;     /* of our seconds: the cookie does not tell uptime */
    uint32_t lifetime_s; /* at least 1 */
};

/* Who the cookie is for. */
struct dtls_path {
    struct addr remote;
    struct addr local;
};

/* A new secret. */
void dtls_cookies_init(struct dtls_cookies *cookies, unsigned lifetime_ms);

/* `now` is monotonic milliseconds. */
void dtls_cookie_make(const struct dtls_cookies *cookies,
                      const struct dtls_path *path, struct span random,
                      uint64_t now, uint8_t out[DTLS_COOKIE_SIZE]);

/* Is it ours, for them, and not too old? */
bool dtls_cookie_check(const struct dtls_cookies *cookies,
                       const struct dtls_path *path,
                       const struct dtls_hello *hello, uint64_t now);

#endif /* NET_DTLS_COOKIE_H */
