/* SPDX-License-Identifier: MIT */
/* crypto_pk.h - public keys that check signatures, over mbedTLS.
 *
 * Keys are immutable once made and may be used from any thread at a time.
 * Refused when they are made: RSA moduli outside of 2048 to 4096 bits (RFC
 * 7518 3.3), exponents that are even or longer than 32 bits, points that are
 * not on P-256; so the cost of a check is bounded.
 */
#ifndef BASE_CRYPTO_PK_H
#define BASE_CRYPTO_PK_H

#include "base/crypto.h"

struct crypto_pk;

enum crypto_pk_kind {
    CRYPTO_PK_RSA,
    CRYPTO_PK_P256,
};

enum { CRYPTO_P256_SIZE = 32 };

/* "-----BEGIN PUBLIC KEY-----". Returns 0, ERR_PARSE, ERR_DENIED (a kind or
 * size that is not taken) or -ENOMEM. Release with crypto_pk_free(). */
int crypto_pk_from_pem(struct crypto_pk **ret_key, struct span pem);

/* From numbers, most significant byte first. */
int crypto_pk_from_rsa(struct crypto_pk **ret_key, struct span n,
                       struct span e);
int crypto_pk_from_p256(struct crypto_pk **ret_key,
                        const uint8_t x[CRYPTO_P256_SIZE],
                        const uint8_t y[CRYPTO_P256_SIZE]);

/* NULL is accepted. */
void crypto_pk_free(struct crypto_pk *key);

enum crypto_pk_kind crypto_pk_kind(const struct crypto_pk *key);

/* True when `signature` is the key's over `digest`: RSASSA-PKCS1-v1_5 with
 * SHA-256, or ECDSA as r and s of 32 bytes each. */
bool crypto_pk_verify(const struct crypto_pk *key,
                      const uint8_t digest[CRYPTO_SHA256_SIZE],
                      struct span signature);

#endif /* BASE_CRYPTO_PK_H */
