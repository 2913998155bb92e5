/* SPDX-License-Identifier: MIT */
/* What nettle computes is what mbedTLS computes: mbedTLS' own known answers
 * of GCM, products on both curves beside its own code, signatures that it
 * verifies, and what must be refused. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include "curves.h"

#include <mbedtls/gcm.h>
#include <psa/crypto.h>
#include <stdio.h>
#include <string.h>

#define CHECK(what)                                                            \
    do {                                                                       \
        if (!(what)) {                                                         \
            (void)fprintf(stderr, "%d: %s\n", __LINE__, #what);                \
            return 1;                                                          \
        }                                                                      \
    } while (0)

static int rng(void *unused, unsigned char *out, size_t len)
{
    (void)unused;
    return psa_generate_random(out, len) == PSA_SUCCESS ? 0 : -1;
}

static int failing_rng(void *unused, unsigned char *out, size_t len)
{
    (void)unused;
    (void)out;
    (void)len;
    return -77;
}

static int same_products(mbedtls_ecp_group_id id)
{
    mbedtls_ecp_group grp;
    mbedtls_ecp_point point, ours, theirs;
    mbedtls_mpi scalar;

    mbedtls_ecp_group_init(&grp);
    mbedtls_ecp_point_init(&point);
    mbedtls_ecp_point_init(&ours);
    mbedtls_ecp_point_init(&theirs);
    mbedtls_mpi_init(&scalar);
    CHECK(mbedtls_ecp_group_load(&grp, id) == 0);
    CHECK(mbedtls_ecp_copy(&point, &grp.G) == 0);
    for (int i = 0; i < 50; i++) {
        CHECK(mbedtls_ecp_gen_privkey(&grp, &scalar, rng, NULL) == 0);
        CHECK(fast_ecp_mul(&grp, &ours, &scalar, &grp.G, rng, NULL) == 0);
        CHECK(mbedtls_ecp_mul(&grp, &theirs, &scalar, &grp.G, rng, NULL) == 0);
        CHECK(mbedtls_ecp_point_cmp(&ours, &theirs) == 0);
        CHECK(fast_ecp_mul(&grp, &ours, &scalar, &point, rng, NULL) == 0);
        CHECK(mbedtls_ecp_mul(&grp, &theirs, &scalar, &point, rng, NULL) == 0);
        CHECK(mbedtls_ecp_point_cmp(&ours, &theirs) == 0);
        CHECK(mbedtls_ecp_copy(&point, &ours) == 0);
    }
    /* No scalar, and a point that is not on the curve or of small order. */
    CHECK(mbedtls_mpi_lset(&scalar, 0) == 0);
    CHECK(fast_ecp_mul(&grp, &ours, &scalar, &grp.G, rng, NULL) != 0);
    CHECK(mbedtls_ecp_gen_privkey(&grp, &scalar, rng, NULL) == 0);
    CHECK(mbedtls_mpi_lset(&point.X, 1) == 0);
    CHECK(fast_ecp_mul(&grp, &ours, &scalar, &point, rng, NULL) != 0);
    mbedtls_ecp_group_free(&grp);
    mbedtls_ecp_point_free(&point);
    mbedtls_ecp_point_free(&ours);
    mbedtls_ecp_point_free(&theirs);
    mbedtls_mpi_free(&scalar);
    return 0;
}

static int good_signatures(mbedtls_ecp_group_id id)
{
    mbedtls_ecdsa_context key;
    unsigned char hash[64];
    unsigned char sig[MBEDTLS_ECDSA_MAX_LEN];
    size_t len;

    mbedtls_ecdsa_init(&key);
    CHECK(mbedtls_ecdsa_genkey(&key, id, rng, NULL) == 0);
    for (size_t i = 0; i < 150; i++) {
        size_t hash_len = 32 + i % 3 * 16;

        CHECK(rng(NULL, hash, sizeof(hash)) == 0);
        CHECK(fast_ecdsa_write_signature(&key, MBEDTLS_MD_SHA256, hash,
                                         hash_len, sig, sizeof(sig), &len, rng,
                                         NULL) == 0);
        CHECK(mbedtls_ecdsa_read_signature(&key, hash, hash_len, sig, len) ==
              0);
        hash[i % 32] ^= 1;
        CHECK(mbedtls_ecdsa_read_signature(&key, hash, hash_len, sig, len) !=
              0);
    }
    if (id == MBEDTLS_ECP_DP_SECP256R1) {
        CHECK(fast_ecdsa_write_signature(&key, MBEDTLS_MD_SHA256, hash, 32, sig,
                                         sizeof(sig), &len, failing_rng,
                                         NULL) == -77);
        CHECK(fast_ecdsa_write_signature(&key, MBEDTLS_MD_SHA256, hash, 32, sig,
                                         8, &len, rng, NULL) != 0);
    }
    mbedtls_ecdsa_free(&key);
    return 0;
}

static int flipped_bits_are_seen(void)
{
    static const unsigned char key[16] = "0123456789abcdef";
    unsigned char plain[1000], sealed[1000], opened[1000], tag[16], iv[12];
    mbedtls_gcm_context gcm;

    memset(plain, 7, sizeof(plain));
    memset(iv, 1, sizeof(iv));
    mbedtls_gcm_init(&gcm);
    CHECK(mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, 128) == 0);
    for (size_t len = 0; len < sizeof(plain); len += 37) {
        CHECK(mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, len, iv, 12,
                                        key, 13, plain, sealed, 16, tag) == 0);
        CHECK(mbedtls_gcm_auth_decrypt(&gcm, len, iv, 12, key, 13, tag, 16,
                                       sealed, opened) == 0);
        CHECK(memcmp(plain, opened, len) == 0);
        tag[len % 16] ^= 4;
        CHECK(mbedtls_gcm_auth_decrypt(&gcm, len, iv, 12, key, 13, tag, 16,
                                       sealed,
                                       opened) == MBEDTLS_ERR_GCM_AUTH_FAILED);
    }
    CHECK(mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_ARIA, key, 128) != 0);
    mbedtls_gcm_free(&gcm);
    return 0;
}

int main(void)
{
    CHECK(psa_crypto_init() == PSA_SUCCESS);
    CHECK(mbedtls_gcm_self_test(0) == 0);
    return flipped_bits_are_seen() ||
           same_products(MBEDTLS_ECP_DP_CURVE25519) ||
           same_products(MBEDTLS_ECP_DP_SECP256R1) ||
           same_products(MBEDTLS_ECP_DP_SECP384R1) ||
           good_signatures(MBEDTLS_ECP_DP_SECP256R1) ||
           good_signatures(MBEDTLS_ECP_DP_SECP384R1);
}
