/* SPDX-License-Identifier: MIT */
/* jwt.h - is this JSON Web Token (RFC 7519, signed as RFC 7515 says) good?
 *
 * Algorithms: HS256, RS256, ES256 (RFC 7518). A key has exactly one of them;
 * what the token's header says must be the same, so that neither "none" nor a
 * public key used as a secret gets anywhere. Keys are chosen by `kid`; a key
 * without one serves any token of its algorithm. "crit", and names that are
 * there twice, refuse the token; addresses of keys in it are not looked at.
 *
 * The token comes from a stranger: its size, its numbers of characters and the
 * depth of its JSON are bounded, nothing is allocated, what is cheap is checked
 * first, and nothing is believed before the signature was good.
 *
 * Keys and policies are immutable while used; any thread.
 */
#ifndef BASE_JWT_H
#define BASE_JWT_H

#include "base/buf.h"

enum {
    JWT_TEXT_MAX = 8192,   /* characters of a token */
    JWT_HEADER_MAX = 1024, /* bytes of its decoded header */
    JWT_KEYS_MAX = 64,
    JWT_KID_MAX = 256,
    JWT_SECRET_MIN = 32, /* bytes; RFC 7518 3.2 */
    JWT_CLAIM_MAX = 256,
};

enum jwt_alg { JWT_HS256, JWT_RS256, JWT_ES256 };

struct jwt_keys;

/* Empty. Release with jwt_keys_free(), which wipes secrets. NULL: no memory. */
struct jwt_keys *jwt_keys_new(void);
void jwt_keys_free(struct jwt_keys *keys);
size_t jwt_keys_count(const struct jwt_keys *keys);

/* Add keys. Returns 0, or ERR_CONFIG (said in `why`) or -ENOMEM.
 * secret: HS256, copied. pem: a public key, its kind gives the algorithm.
 * jwks: RFC 7517; keys of other kinds, curves, algorithms and uses are passed
 * over, as section 5 asks; one that is broken, and none that is left, are
 * errors. */
int jwt_keys_add_secret(struct jwt_keys *keys, struct span secret,
                        struct buf *why);
int jwt_keys_add_pem(struct jwt_keys *keys, struct span pem, struct buf *why);
int jwt_keys_add_jwks(struct jwt_keys *keys, struct span text, struct buf *why);

/* What is asked of a token. Borrowed. */
struct jwt_policy {
    const struct jwt_keys *keys;
    const char *issuer;           /* `iss` is this; NULL: not looked at */
    const char *const *audiences; /* `aud` has one of these */
    size_t n_audiences;           /* 0: not looked at */
    uint64_t leeway_s;            /* clocks differ by so much */
    bool forever;                 /* `exp` may be missing */
    const char *claim; /* has to be there, and fit for a header; or NULL */
};

#define JWT_VERDICTS(X)                                                        \
    X(MALFORMED, malformed)                                                    \
    X(KEY, key)             /* no key for its algorithm and kid */             \
    X(SIGNATURE, signature) /* not signed by that key */                       \
    X(EXPIRED, expired)                                                        \
    X(EARLY, early)                                                            \
    X(ISSUER, issuer)                                                          \
    X(AUDIENCE, audience)                                                      \
    X(CLAIM, claim)

enum jwt_verdict {
    JWT_OK,
#define JWT_ENUM(id, name) JWT_##id,
    JWT_VERDICTS(JWT_ENUM)
#undef JWT_ENUM
};

/* The policy's claim: a string or a number of 1 to JWT_CLAIM_MAX printable
 * ASCII characters, no space at either end. */
struct jwt_claim {
    char text[JWT_CLAIM_MAX];
    size_t len;
};

/* `now_s` is Unix time. `ret_claim` is written for JWT_OK, when the policy
 * names a claim. */
enum jwt_verdict jwt_check(const struct jwt_policy *policy, struct span token,
                           uint64_t now_s, struct jwt_claim *ret_claim);

#endif /* BASE_JWT_H */
