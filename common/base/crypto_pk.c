/* SPDX-License-Identifier: MIT */
#include "base/crypto_pk.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>

enum {
    RSA_BITS_MIN = 2048,
    RSA_BITS_MAX = 4096,
    RSA_E_BITS_MAX = 32,
    PEM_MAX = 16 * 1024,
};

struct crypto_pk {
    enum crypto_pk_kind kind;
    mbedtls_pk_context pk;
};

static int to_err(int ret)
{
    switch (ret) {
    case 0:
        return 0;
    case MBEDTLS_ERR_PK_ALLOC_FAILED:
    case MBEDTLS_ERR_MPI_ALLOC_FAILED:
    case MBEDTLS_ERR_ECP_ALLOC_FAILED:
        return -ENOMEM;
    default:
        return ERR_PARSE;
    }
}

void crypto_pk_free(struct crypto_pk *key)
{
    if (!key)
        return;
    mbedtls_pk_free(&key->pk);
    mem_free(key);
}

enum crypto_pk_kind crypto_pk_kind(const struct crypto_pk *key)
{
    return key->kind;
}

static struct crypto_pk *new_key(void)
{
    struct crypto_pk *key = mem_zalloc(sizeof(*key));

    if (key)
        mbedtls_pk_init(&key->pk);
    return key;
}

/* ---- what is taken ---- */

static int check_rsa(struct crypto_pk *key)
{
    const mbedtls_rsa_context *rsa = mbedtls_pk_rsa(key->pk);
    size_t bits = mbedtls_rsa_get_bitlen(rsa);
    mbedtls_mpi e;
    bool ok;

    key->kind = CRYPTO_PK_RSA;
    mbedtls_mpi_init(&e);
    ok = mbedtls_rsa_check_pubkey(rsa) == 0 &&
         mbedtls_rsa_export(rsa, NULL, NULL, NULL, NULL, &e) == 0 &&
         bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX &&
         mbedtls_mpi_bitlen(&e) <= RSA_E_BITS_MAX &&
         mbedtls_mpi_get_bit(&e, 0) == 1;
    mbedtls_mpi_free(&e);
    return ok ? 0 : ERR_DENIED;
}

static int check_ec(struct crypto_pk *key)
{
    const mbedtls_ecp_keypair *ec = mbedtls_pk_ec(key->pk);

    key->kind = CRYPTO_PK_P256;
    if (mbedtls_ecp_keypair_get_group_id(ec) != MBEDTLS_ECP_DP_SECP256R1)
        return ERR_DENIED;
    return mbedtls_ecp_check_pubkey(&ec->private_grp, &ec->private_Q) == 0
               ? 0
               : ERR_DENIED;
}

/* The first use works out what later ones only read (RSA's Montgomery factor);
 * it happens here, where no other thread knows the key. */
static int finish(struct crypto_pk **ret_key, struct crypto_pk *key, int err)
{
    static const uint8_t digest[CRYPTO_SHA256_SIZE] = {1};
    uint8_t signature[RSA_BITS_MAX / 8] = {1};
    size_t len = (size_t)2 * CRYPTO_P256_SIZE;

    if (err == 0) {
        switch (mbedtls_pk_get_type(&key->pk)) {
        case MBEDTLS_PK_RSA:
            err = check_rsa(key);
            len = mbedtls_rsa_get_len(mbedtls_pk_rsa(key->pk));
            break;
        case MBEDTLS_PK_ECKEY:
            err = check_ec(key);
            break;
        default:
            err = ERR_DENIED;
            break;
        }
    }
    if (err < 0) {
        crypto_pk_free(key);
        return err;
    }
    memset(signature, 1, sizeof(signature));
    signature[0] = 0; /* below any modulus */
    (void)crypto_pk_verify(key, digest, span_of(signature, len));
    *ret_key = key;
    return 0;
}

/* ---- sources ---- */

int crypto_pk_from_pem(struct crypto_pk **ret_key, struct span pem)
{
    struct crypto_pk *key = new_key();
    char *text = NULL;
    int ret;

    if (key && pem.len <= PEM_MAX)
        text = mem_dup(pem.ptr ? pem.ptr : (const uint8_t *)"", pem.len);
    if (!text) {
        mem_free(key);
        return pem.len > PEM_MAX ? ERR_PARSE : -ENOMEM;
    }
    /* PEM is known by the NUL at its end, which the length counts. */
    ret = mbedtls_pk_parse_public_key(&key->pk, (const unsigned char *)text,
                                      pem.len + 1);
    mem_free(text);
    return finish(ret_key, key, to_err(ret));
}

int crypto_pk_from_rsa(struct crypto_pk **ret_key, struct span n, struct span e)
{
    struct crypto_pk *key = new_key();
    mbedtls_rsa_context *rsa;
    int ret;

    if (!key)
        return -ENOMEM;
    ret = mbedtls_pk_setup(&key->pk, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA));
    if (ret == 0) {
        rsa = mbedtls_pk_rsa(key->pk);
        ret = mbedtls_rsa_import_raw(rsa, n.ptr, n.len, NULL, 0, NULL, 0, NULL,
                                     0, e.ptr, e.len);
        if (ret == 0)
            ret = mbedtls_rsa_complete(rsa);
    }
    return finish(ret_key, key, to_err(ret));
}

int crypto_pk_from_p256(struct crypto_pk **ret_key,
                        const uint8_t x[CRYPTO_P256_SIZE],
                        const uint8_t y[CRYPTO_P256_SIZE])
{
    uint8_t point[1 + 2 * CRYPTO_P256_SIZE] = {4}; /* uncompressed */
    struct crypto_pk *key = new_key();
    mbedtls_ecp_keypair *ec;
    int ret;

    if (!key)
        return -ENOMEM;
    memcpy(point + 1, x, CRYPTO_P256_SIZE);
    memcpy(point + 1 + CRYPTO_P256_SIZE, y, CRYPTO_P256_SIZE);
    ret =
        mbedtls_pk_setup(&key->pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
    if (ret == 0) {
        ec = mbedtls_pk_ec(key->pk);
        ret =
            mbedtls_ecp_group_load(&ec->private_grp, MBEDTLS_ECP_DP_SECP256R1);
        if (ret == 0)
            ret = mbedtls_ecp_point_read_binary(
                &ec->private_grp, &ec->private_Q, point, sizeof(point));
    }
    return finish(ret_key, key, to_err(ret));
}

/* ---- use ---- */

static bool verify_rsa(const struct crypto_pk *key, const uint8_t *digest,
                       struct span signature)
{
    mbedtls_rsa_context *rsa = mbedtls_pk_rsa(key->pk);

    if (signature.len != mbedtls_rsa_get_len(rsa))
        return false;
    return mbedtls_rsa_pkcs1_verify(rsa, MBEDTLS_MD_SHA256, CRYPTO_SHA256_SIZE,
                                    digest, signature.ptr) == 0;
}

static bool verify_p256(const struct crypto_pk *key, const uint8_t *digest,
                        struct span signature)
{
    mbedtls_ecp_keypair *ec = mbedtls_pk_ec(key->pk);
    mbedtls_mpi r, s;
    bool good;

    if (signature.len != (size_t)2 * CRYPTO_P256_SIZE)
        return false;
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    good = mbedtls_mpi_read_binary(&r, signature.ptr, CRYPTO_P256_SIZE) == 0 &&
           mbedtls_mpi_read_binary(&s, signature.ptr + CRYPTO_P256_SIZE,
                                   CRYPTO_P256_SIZE) == 0 &&
           mbedtls_ecdsa_verify(&ec->private_grp, digest, CRYPTO_SHA256_SIZE,
                                &ec->private_Q, &r, &s) == 0;
    mbedtls_mpi_free(&r);
    mbedtls_mpi_free(&s);
    return good;
}

bool crypto_pk_verify(const struct crypto_pk *key,
                      const uint8_t digest[CRYPTO_SHA256_SIZE],
                      struct span signature)
{
    return key->kind == CRYPTO_PK_RSA ? verify_rsa(key, digest, signature)
                                      : verify_p256(key, digest, signature);
}
