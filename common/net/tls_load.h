/* SPDX-License-Identifier: MIT */
/* tls_load.h - certificates and keys from PEM files, for net/tls_*.c alone. */
#ifndef NET_TLS_LOAD_H
#define NET_TLS_LOAD_H

#include "net/tls_private.h"

void tls_load_init(struct tls_pair *pair);
void tls_load_deinit(struct tls_pair *pair);

/* All certificates of the file; `what` names its purpose in the error.
 * Returns 0, ERR_CONFIG with the reason in `error`, -ENOMEM. */
int tls_load_certificates(const char *what, const char *file,
                          mbedtls_x509_crt *crt, char error[TLS_ERROR_SIZE]);

/* The same for lists of revoked certificates. */
int tls_load_revoked(const char *file, mbedtls_x509_crl *crl,
                     char error[TLS_ERROR_SIZE]);

/* Certificate, chain and the key that belongs to it; the same results. Logs a
 * warning about a certificate that is not valid now or ends soon. */
int tls_load_pair(struct tls_pair *pair, const struct tls_key_pair *files,
                  char error[TLS_ERROR_SIZE]);

#endif /* NET_TLS_LOAD_H */
