/* SPDX-License-Identifier: MIT */
/* Put behind mbedTLS' own configuration: as Debian configures its packages,
 * and what makes it fast. */
#define MBEDTLS_THREADING_C
#define MBEDTLS_THREADING_PTHREAD
#define MBEDTLS_CMAC_C
#define MBEDTLS_SSL_DTLS_SRTP
#define MBEDTLS_GCM_ALT /* gcm_alt.c */
