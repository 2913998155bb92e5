/* SPDX-License-Identifier: MIT */
/* jwt_keys.h - the keys behind base/jwt.h, between its two halves only. */
#ifndef BASE_JWT_KEYS_H
#define BASE_JWT_KEYS_H

#include "base/crypto_pk.h"
#include "base/jwt.h"

struct jwt_key {
    enum jwt_alg alg;
    char *kid;       /* NULL: it has none */
    uint8_t *secret; /* HS256 */
    size_t secret_len;
    struct crypto_pk *pk; /* the others */
};

struct jwt_keys {
    struct jwt_key items[JWT_KEYS_MAX];
    size_t n;
};

#endif /* BASE_JWT_KEYS_H */
