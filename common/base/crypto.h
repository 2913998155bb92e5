/* SPDX-License-Identifier: MIT */
/* crypto.h - digests, HMAC and randomness over mbedTLS; the library's names
 * stop here. Safe from any thread.
 */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include "base/span.h"

enum {
    CRYPTO_MD5_SIZE = 16,
    CRYPTO_SHA1_SIZE = 20,
    CRYPTO_SHA256_SIZE = 32,
};

/* Digests of the concatenation of `n` parts. */
void crypto_md5(const struct span *parts, size_t n,
                uint8_t out[CRYPTO_MD5_SIZE]);
void crypto_sha1(const struct span *parts, size_t n,
                 uint8_t out[CRYPTO_SHA1_SIZE]);
void crypto_sha256(const struct span *parts, size_t n,
                   uint8_t out[CRYPTO_SHA256_SIZE]);

/* HMAC (RFC 2104) of the concatenation of `n` parts. */
void crypto_hmac_sha1(struct span key, const struct span *parts, size_t n,
                      uint8_t out[CRYPTO_SHA1_SIZE]);
void crypto_hmac_sha256(struct span key, const struct span *parts, size_t n,
                        uint8_t out[CRYPTO_SHA256_SIZE]);

/* AES-128 in counter mode (NIST SP 800-38A 6.5), from the block `counter` on;
 * the same again decrypts. `out` has in.len bytes and may be `in`. A key and
 * counter are for one text only. */
enum { CRYPTO_AES_KEY = 16, CRYPTO_AES_BLOCK = 16 };
void crypto_aes_ctr(const uint8_t key[CRYPTO_AES_KEY],
                    const uint8_t counter[CRYPTO_AES_BLOCK], struct span in,
                    uint8_t *out);

/* CRC-32 of ISO 3309, as STUN's FINGERPRINT uses it. */
uint32_t crypto_crc32(struct span data);

/* Cryptographically strong bytes from the kernel. Cannot fail after start. */
void crypto_random(void *out, size_t len);

#endif /* BASE_CRYPTO_H */
