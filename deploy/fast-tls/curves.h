/* SPDX-License-Identifier: MIT */
/* curves.h - X25519 and P-256 for mbedTLS over nettle and GMP.
 *
 * Each function stands in for the one of mbedTLS that its name tells, at the
 * calls that CMakeLists.txt lists; other curves go on to that function. */
#ifndef CURVES_H
#define CURVES_H

#include <mbedtls/ecdsa.h>
#include <mbedtls/ecp.h>

typedef int fast_rng(void *, unsigned char *, size_t);

int fast_ecp_mul(mbedtls_ecp_group *grp, mbedtls_ecp_point *R,
                 const mbedtls_mpi *m, const mbedtls_ecp_point *P,
                 fast_rng *f_rng, void *p_rng);

int fast_ecp_mul_restartable(mbedtls_ecp_group *grp, mbedtls_ecp_point *R,
                             const mbedtls_mpi *m, const mbedtls_ecp_point *P,
                             fast_rng *f_rng, void *p_rng,
                             mbedtls_ecp_restart_ctx *rs_ctx);

int fast_ecdsa_write_signature(mbedtls_ecdsa_context *ctx,
                               mbedtls_md_type_t md_alg,
                               const unsigned char *hash, size_t hlen,
                               unsigned char *sig, size_t sig_size,
                               size_t *slen, fast_rng *f_rng, void *p_rng);

#endif /* CURVES_H */
