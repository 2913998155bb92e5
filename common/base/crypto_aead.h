/* SPDX-License-Identifier: MIT */
/* crypto_aead.h - AES-GCM (RFC 5116) over mbedTLS. Safe from any thread. */
#ifndef BASE_CRYPTO_AEAD_H
#define BASE_CRYPTO_AEAD_H

#include "base/span.h"

enum {
    CRYPTO_GCM_NONCE_SIZE = 12,
    CRYPTO_GCM_TAG_SIZE = 16,
};

/* Decrypt what stands before the tag at the end of `sealed`, into `out`, which
 * takes sealed.len - CRYPTO_GCM_TAG_SIZE bytes. `key` has 16, 24 or 32 bytes,
 * `nonce` CRYPTO_GCM_NONCE_SIZE. False when it is not authentic (nothing is
 * left in `out`), or when a length is wrong. */
bool crypto_gcm_open(struct span key, struct span nonce, struct span aad,
                     struct span sealed, uint8_t *out);

/* The other way: `out` takes plain.len + CRYPTO_GCM_TAG_SIZE bytes. A nonce
 * serves once with a key. */
bool crypto_gcm_seal(struct span key, struct span nonce, struct span aad,
                     struct span plain, uint8_t *out);

#endif /* BASE_CRYPTO_AEAD_H */
