/* SPDX-License-Identifier: MIT */
/* tls_name.h - whom a certificate is for (RFC 9525), for net/tls_*.c and
 * edgectl, which explains certificates by the same rules.
 *
 * Names are compared without case. "*.example.org" stands for exactly one
 * label in front. Only subject alternative names count; certificates without
 * any are matched by their common name where `allow_cn` says so.
 */
#ifndef NET_TLS_NAME_H
#define NET_TLS_NAME_H

#include "base/span.h"

#include <mbedtls/x509_crt.h>

enum tls_match {
    TLS_MATCH_NONE,
    TLS_MATCH_WILDCARD,
    TLS_MATCH_EXACT,
};

/* How well the certificate fits a host name or the text of an IP address. */
enum tls_match tls_name_match(const mbedtls_x509_crt *crt, struct span name,
                              bool allow_cn);

/* The i-th alternative name as "dns:…", "uri:…", "ip:…"; false at the end. */
bool tls_name_get(const mbedtls_x509_crt *crt, size_t i, char *out,
                  size_t size);

/* The i-th SIP domain the certificate is for (RFC 5922 section 7.1): the host
 * of an alternative name of kind URI "sip:host"; without any of these, a name
 * of kind DNS; the common name only of a certificate without alternative
 * names. No wildcards. False at the end; the text is part of `crt`. */
bool tls_name_sip_domain(const mbedtls_x509_crt *crt, size_t i,
                         struct span *ret_domain);

/* One of them is `domain`: without case, whole, not a part of it. */
bool tls_name_is_sip_domain(const mbedtls_x509_crt *crt, struct span domain);

/* Letters, digits, "-", "_", "." and sane lengths. */
bool tls_name_is_host(struct span name);

#endif /* NET_TLS_NAME_H */
