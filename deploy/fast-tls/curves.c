/* SPDX-License-Identifier: MIT */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include "curves.h"

#include <mbedtls/constant_time.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/psa_util.h>
#include <nettle/curve25519.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecdsa.h>
#include <string.h>

enum { SIZE = 32, LIMBS = SIZE / (int)sizeof(mp_limb_t) };

/* ---- X25519 ---- */

static int mul_x25519(mbedtls_ecp_group *grp, mbedtls_ecp_point *R,
                      const mbedtls_mpi *m, const mbedtls_ecp_point *P)
{
    static const unsigned char zero[SIZE];
    unsigned char scalar[SIZE];
    unsigned char point[SIZE];
    unsigned char product[SIZE];
    int err = mbedtls_mpi_write_binary_le(m, scalar, SIZE);

    if (err == 0)
        err = mbedtls_mpi_write_binary_le(&P->X, point, SIZE);
    if (err == 0) {
        if (P == &grp->G)
            curve25519_mul_g(product, scalar);
        else
            curve25519_mul(product, scalar, point);
        if (mbedtls_ct_memcmp(product, zero, SIZE) == 0)
            err = MBEDTLS_ERR_ECP_INVALID_KEY;
    }
    if (err == 0)
        err = mbedtls_mpi_read_binary_le(&R->X, product, SIZE);
    if (err == 0)
        err = mbedtls_mpi_lset(&R->Z, 1);
    mbedtls_mpi_free(&R->Y);
    mbedtls_platform_zeroize(scalar, sizeof(scalar));
    mbedtls_platform_zeroize(product, sizeof(product));
    return err;
}

/* ---- P-256 ---- */

struct number {
    mp_limb_t limbs[LIMBS];
    mpz_t z; /* borrows the limbs */
};

static int number_from(struct number *n, const mbedtls_mpi *from)
{
    unsigned char bytes[SIZE];
    int err = mbedtls_mpi_write_binary_le(from, bytes, SIZE);

    memset(n->limbs, 0, sizeof(n->limbs));
    for (size_t i = 0; err == 0 && i < SIZE; i++)
        n->limbs[i / sizeof(mp_limb_t)] |= (mp_limb_t)bytes[i]
                                           << i % sizeof(mp_limb_t) * 8;
    (void)mpz_roinit_n(n->z, n->limbs, LIMBS);
    mbedtls_platform_zeroize(bytes, sizeof(bytes));
    return err;
}

/* Big endian; `z` has at most SIZE bytes. */
static void number_put(const mpz_t z, unsigned char out[SIZE])
{
    size_t len = (mpz_sizeinbase(z, 2) + 7) / 8;

    memset(out, 0, SIZE);
    if (mpz_sgn(z) > 0 && len <= SIZE)
        mpz_export(out + SIZE - len, NULL, 1, 1, 1, 0, z);
}

/* GMP does not overwrite what it frees. */
static void number_clear(mpz_t z)
{
    mbedtls_platform_zeroize(mpz_limbs_modify(z, LIMBS),
                             LIMBS * sizeof(mp_limb_t));
    mpz_clear(z);
}

static int scalar_from(struct ecc_scalar *scalar, const mbedtls_mpi *from)
{
    struct number n;
    int err = number_from(&n, from);

    ecc_scalar_init(scalar, nettle_get_secp_256r1());
    if (err == 0 && !ecc_scalar_set(scalar, n.z))
        err = MBEDTLS_ERR_ECP_INVALID_KEY;
    mbedtls_platform_zeroize(&n, sizeof(n));
    return err;
}

static void scalar_clear(struct ecc_scalar *scalar)
{
    mbedtls_platform_zeroize(scalar->p, LIMBS * sizeof(mp_limb_t));
    ecc_scalar_clear(scalar);
}

/* The coordinates of the product. */
static int point_get(const struct ecc_point *point, mbedtls_ecp_point *R)
{
    unsigned char bytes[SIZE];
    mpz_t x;
    mpz_t y;
    int err;

    mpz_init2(x, SIZE * 8);
    mpz_init2(y, SIZE * 8);
    ecc_point_get(point, x, y);
    number_put(x, bytes);
    err = mbedtls_mpi_read_binary(&R->X, bytes, SIZE);
    number_put(y, bytes);
    if (err == 0)
        err = mbedtls_mpi_read_binary(&R->Y, bytes, SIZE);
    if (err == 0)
        err = mbedtls_mpi_lset(&R->Z, 1);
    mbedtls_platform_zeroize(bytes, sizeof(bytes));
    number_clear(x);
    number_clear(y);
    return err;
}

static int point_from(struct ecc_point *point, const mbedtls_ecp_point *P)
{
    struct number x;
    struct number y;
    int err = number_from(&x, &P->X);

    if (err == 0)
        err = number_from(&y, &P->Y);
    if (err == 0 && !ecc_point_set(point, x.z, y.z))
        err = MBEDTLS_ERR_ECP_INVALID_KEY;
    return err;
}

static int mul_p256(mbedtls_ecp_group *grp, mbedtls_ecp_point *R,
                    const mbedtls_mpi *m, const mbedtls_ecp_point *P)
{
    struct ecc_scalar scalar;
    struct ecc_point point;
    int err = scalar_from(&scalar, m);

    ecc_point_init(&point, nettle_get_secp_256r1());
    if (err == 0 && P == &grp->G) {
        ecc_point_mul_g(&point, &scalar);
    } else if (err == 0) {
        err = point_from(&point, P);
        if (err == 0)
            ecc_point_mul(&point, &scalar, &point);
    }
    if (err == 0)
        err = point_get(&point, R);
    mbedtls_platform_zeroize(point.p, 2 * LIMBS * sizeof(mp_limb_t));
    ecc_point_clear(&point);
    scalar_clear(&scalar);
    return err;
}

/* ---- for mbedTLS ---- */

int fast_ecp_mul_restartable(mbedtls_ecp_group *grp, mbedtls_ecp_point *R,
                             const mbedtls_mpi *m, const mbedtls_ecp_point *P,
                             fast_rng *f_rng, void *p_rng,
                             mbedtls_ecp_restart_ctx *rs_ctx)
{
    int err;

    if (grp->id != MBEDTLS_ECP_DP_CURVE25519 &&
        grp->id != MBEDTLS_ECP_DP_SECP256R1)
        return mbedtls_ecp_mul_restartable(grp, R, m, P, f_rng, p_rng, rs_ctx);
    /* As mbedTLS does: scalars in range, points on the curve. */
    err = mbedtls_ecp_check_privkey(grp, m);
    if (err == 0 && P != &grp->G)
        err = mbedtls_ecp_check_pubkey(grp, P);
    if (err != 0)
        return err;
    return grp->id == MBEDTLS_ECP_DP_CURVE25519 ? mul_x25519(grp, R, m, P)
                                                : mul_p256(grp, R, m, P);
}

int fast_ecp_mul(mbedtls_ecp_group *grp, mbedtls_ecp_point *R,
                 const mbedtls_mpi *m, const mbedtls_ecp_point *P,
                 fast_rng *f_rng, void *p_rng)
{
    return fast_ecp_mul_restartable(grp, R, m, P, f_rng, p_rng, NULL);
}

struct source {
    fast_rng *f_rng;
    void *p_rng;
    int err;
};

static void draw(void *arg, size_t len, uint8_t *out)
{
    struct source *source = arg;

    if (source->err == 0)
        source->err = source->f_rng(source->p_rng, out, len);
    if (source->err != 0) /* it ends; the signature is thrown away */
        memset(out, 1, len);
}

int fast_ecdsa_write_signature(mbedtls_ecdsa_context *ctx,
                               mbedtls_md_type_t md_alg,
                               const unsigned char *hash, size_t hlen,
                               unsigned char *sig, size_t sig_size,
                               size_t *slen, fast_rng *f_rng, void *p_rng)
{
    struct source source = {f_rng, p_rng, 0};
    struct dsa_signature signature;
    unsigned char raw[2 * SIZE];
    struct ecc_scalar key;
    int err;

    if (ctx->grp.id != MBEDTLS_ECP_DP_SECP256R1 || !f_rng)
        return mbedtls_ecdsa_write_signature(ctx, md_alg, hash, hlen, sig,
                                             sig_size, slen, f_rng, p_rng);
    err = scalar_from(&key, &ctx->d);
    if (err == 0) {
        dsa_signature_init(&signature);
        ecdsa_sign(&key, &source, draw, hlen, hash, &signature);
        err = source.err;
        number_put(signature.r, raw);
        number_put(signature.s, raw + SIZE);
        dsa_signature_clear(&signature);
    }
    if (err == 0)
        err = mbedtls_ecdsa_raw_to_der(256, raw, sizeof(raw), sig, sig_size,
                                       slen);
    scalar_clear(&key);
    mbedtls_platform_zeroize(raw, sizeof(raw));
    return err;
}
