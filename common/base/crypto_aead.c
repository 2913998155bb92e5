/* SPDX-License-Identifier: MIT */
#include "base/crypto_aead.h"

#include <mbedtls/gcm.h>

static bool prepare(mbedtls_gcm_context *gcm, struct span key,
                    struct span nonce)
{
    if ((key.len != 16 && key.len != 24 && key.len != 32) ||
        nonce.len != CRYPTO_GCM_NONCE_SIZE)
        return false;
    return mbedtls_gcm_setkey(gcm, MBEDTLS_CIPHER_ID_AES, key.ptr,
                              (unsigned)key.len * 8) == 0;
}

bool crypto_gcm_open(struct span key, struct span nonce, struct span aad,
                     struct span sealed, uint8_t *out)
{
    mbedtls_gcm_context gcm;
    bool is_good = false;
    size_t len;

    if (sealed.len < CRYPTO_GCM_TAG_SIZE)
        return false;
    len = sealed.len - CRYPTO_GCM_TAG_SIZE;
    mbedtls_gcm_init(&gcm);
    if (prepare(&gcm, key, nonce))
        is_good =
            mbedtls_gcm_auth_decrypt(&gcm, len, nonce.ptr, nonce.len, aad.ptr,
                                     aad.len, sealed.ptr + len,
                                     CRYPTO_GCM_TAG_SIZE, sealed.ptr, out) == 0;
    mbedtls_gcm_free(&gcm);
    return is_good;
}

bool crypto_gcm_seal(struct span key, struct span nonce, struct span aad,
                     struct span plain, uint8_t *out)
{
    mbedtls_gcm_context gcm;
    bool is_done = false;

    mbedtls_gcm_init(&gcm);
    if (prepare(&gcm, key, nonce))
        is_done = mbedtls_gcm_crypt_and_tag(
                      &gcm, MBEDTLS_GCM_ENCRYPT, plain.len, nonce.ptr,
                      nonce.len, aad.ptr, aad.len, plain.ptr, out,
                      CRYPTO_GCM_TAG_SIZE, out + plain.len) == 0;
    mbedtls_gcm_free(&gcm);
    return is_done;
}
