/* SPDX-License-Identifier: MIT */
#include "net/tls_name.h"

#include "base/addr.h"
#include "base/text.h"

#include <ctype.h>
#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>
#include <stdio.h>

/* GeneralName's context tags (RFC 5280 section 4.2.1.6). */
enum {
    TAG_DNS = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2,
    TAG_URI = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 6,
    TAG_IP = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7,
    HOST_MAX = 253,
    LABEL_MAX = 63,
};

static enum tls_match match_host(struct span pattern, struct span name)
{
    struct span first;
    struct span rest;

    if (span_equal_nocase(pattern, name))
        return TLS_MATCH_EXACT;
    if (!span_starts(pattern, "*.") || !span_cut(name, '.', &first, &rest) ||
        first.len == 0)
        return TLS_MATCH_NONE;
    /* "*.org" would be everybody's certificate. */
    if (span_find(rest, '.') < 0)
        return TLS_MATCH_NONE;
    return span_equal_nocase(span_from(pattern, 2), rest) ? TLS_MATCH_WILDCARD
                                                          : TLS_MATCH_NONE;
}

static enum tls_match match_ip(struct span bytes, const struct addr *ip)
{
    return span_equal(bytes, span_of(ip->ip, addr_ip_len(ip))) ? TLS_MATCH_EXACT
                                                               : TLS_MATCH_NONE;
}

static bool common_name(const mbedtls_x509_crt *crt, struct span *ret_name)
{
    for (const mbedtls_x509_name *n = &crt->subject; n; n = n->next) {
        if (n->oid.p && MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &n->oid) == 0) {
            *ret_name = span_of(n->val.p, n->val.len);
            return true;
        }
    }
    return false;
}

static bool has_alternatives(const mbedtls_x509_crt *crt)
{
    return crt->subject_alt_names.buf.p != NULL;
}

enum tls_match tls_name_match(const mbedtls_x509_crt *crt, struct span name,
                              bool allow_cn)
{
    const mbedtls_x509_sequence *san = &crt->subject_alt_names;
    enum tls_match best = TLS_MATCH_NONE;
    struct addr ip;
    bool is_ip = addr_parse_ip(name, &ip) == 0;
    struct span cn;

    if (!has_alternatives(crt))
        return allow_cn && !is_ip && common_name(crt, &cn)
                   ? match_host(cn, name)
                   : TLS_MATCH_NONE;
    for (; san; san = san->next) {
        struct span value = span_of(san->buf.p, san->buf.len);
        enum tls_match match = TLS_MATCH_NONE;

        if (is_ip && san->buf.tag == TAG_IP)
            match = match_ip(value, &ip);
        else if (!is_ip && san->buf.tag == TAG_DNS)
            match = match_host(value, name);
        if (match > best)
            best = match;
    }
    return best;
}

static void print_ip(const mbedtls_x509_buf *buf, char *out, size_t size)
{
    struct addr ip = {.family = buf->len == 4 ? ADDR_V4 : ADDR_V6};
    char text[ADDR_TEXT_SIZE];

    if (buf->len == 4 || buf->len == 16)
        memcpy(ip.ip, buf->p, buf->len);
    (void)snprintf(out, size, "ip:%s", addr_ip_str(&ip, text));
}

static void print_text(const char *kind, const mbedtls_x509_buf *buf, char *out,
                       size_t size)
{
    int n = snprintf(out, size, "%s:", kind);

    if (n > 0 && (size_t)n < size)
        text_printable(span_of(buf->p, buf->len), out + n, size - (size_t)n);
}

bool tls_name_get(const mbedtls_x509_crt *crt, size_t i, char *out, size_t size)
{
    const mbedtls_x509_sequence *san =
        has_alternatives(crt) ? &crt->subject_alt_names : NULL;

    for (; san; san = san->next) {
        int tag = san->buf.tag;

        if (tag != TAG_DNS && tag != TAG_URI && tag != TAG_IP)
            continue;
        if (i-- > 0)
            continue;
        if (tag == TAG_IP)
            print_ip(&san->buf, out, size);
        else
            print_text(tag == TAG_DNS ? "dns" : "uri", &san->buf, out, size);
        return true;
    }
    return false;
}

/* "sip:host" without user part, port and parameters. Another scheme ("sips:",
 * "https:") says nothing about SIP, and a user part names a person. */
static bool sip_uri_domain(struct span uri, struct span *ret_domain)
{
    struct span scheme, rest;

    if (!span_cut(uri, ':', &scheme, &rest) ||
        !span_equal_nocase(scheme, span_str("sip")) || !tls_name_is_host(rest))
        return false;
    *ret_domain = rest;
    return true;
}

/* The i-th alternative name of that kind that names a SIP domain. */
static bool nth_domain(const mbedtls_x509_crt *crt, int tag, size_t i,
                       struct span *ret_domain)
{
    for (const mbedtls_x509_sequence *san = &crt->subject_alt_names; san;
         san = san->next) {
        struct span value = span_of(san->buf.p, san->buf.len);

        if (san->buf.tag != tag ||
            !(tag == TAG_URI ? sip_uri_domain(value, &value)
                             : tls_name_is_host(value)))
            continue;
        if (i-- > 0)
            continue;
        *ret_domain = value;
        return true;
    }
    return false;
}

bool tls_name_sip_domain(const mbedtls_x509_crt *crt, size_t i,
                         struct span *ret_domain)
{
    struct span first;

    if (!has_alternatives(crt))
        return i == 0 && common_name(crt, ret_domain) &&
               tls_name_is_host(*ret_domain);
    if (nth_domain(crt, TAG_URI, 0, &first))
        return nth_domain(crt, TAG_URI, i, ret_domain);
    return nth_domain(crt, TAG_DNS, i, ret_domain);
}

bool tls_name_is_sip_domain(const mbedtls_x509_crt *crt, struct span domain)
{
    struct span have;

    for (size_t i = 0; tls_name_sip_domain(crt, i, &have); i++) {
        if (span_equal_nocase(have, domain))
            return true;
    }
    return false;
}

bool tls_name_is_host(struct span name)
{
    size_t label = 0;

    if (name.len == 0 || name.len > HOST_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        bool dot = c == '.';

        if (dot ? label == 0 : !isalnum(c) && c != '-' && c != '_')
            return false;
        label = dot ? 0 : label + 1;
        if (label > LABEL_MAX)
            return false;
    }
    return true;
}
