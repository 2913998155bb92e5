/* SPDX-License-Identifier: MIT */
#include "ctl_checks.h"

#include "base/buf.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "ctl/ctl_cert.h"
#include "ctl_link.h"

#include <mbedtls/pem.h>

enum { PEM_MAX = 1024 * 1024, HELLO_MAX = 1024 };

/* ---- the certificate ---- */

/* As the file it came from, so that one module knows what is wrong. */
static void chain_to_pem(const mbedtls_x509_crt *crt, struct buf *out)
{
    for (; crt; crt = crt->next) {
        size_t size = 2 * crt->raw.len + 100, len = 0;
        uint8_t *room = buf_reserve(out, size);

        if (!room ||
            mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n",
                                     "-----END CERTIFICATE-----\n", crt->raw.p,
                                     crt->raw.len, room, size, &len) != 0)
            return;
        buf_commit(out, len - 1); /* without its NUL */
    }
}

static void add_findings(struct ctl_check_env *env, const struct ctl_uri *uri,
                         const struct ctl_cert_report *report)
{
    char id[32];

    for (size_t i = 0; i < report->n_findings; i++) {
        const struct ctl_finding *f = &report->findings[i];

        ctl_checks_add(env->checks, uri->text, ctl_cert_id(f->id, id),
                       f->severity == CTL_ERROR     ? CTL_CHECK_ERROR
                       : f->severity == CTL_WARNING ? CTL_CHECK_WARNING
                                                    : CTL_CHECK_OK,
                       "%s", f->text);
    }
    if (report->n && ctl_cert_worst(report) == CTL_NOTE)
        ctl_checks_add(env->checks, uri->text, "CERT", CTL_CHECK_OK,
                       "the certificate is for %s and has %lld days left",
                       uri->host,
                       (long long)ctl_cert_days(&report->certs[0], env->now));
}

void check_certificate(struct ctl_check_env *env, const struct ctl_uri *uri,
                       const struct ctl_link *link)
{
    mbedtls_x509_crt *crt = (mbedtls_x509_crt *)(uintptr_t)ctl_link_certificate(
        link); /* verify() changes nothing in it */
    struct ctl_cert_report *report = mem_zalloc(sizeof(*report));
    const char *names[] = {uri->host};
    struct ctl_cert_question q = {
        .names = names, .n_names = 1, .days = env->days, .now = env->now};
    uint32_t flags = 0;
    struct buf pem;

    buf_init(&pem, PEM_MAX);
    if (crt && report) {
        chain_to_pem(crt, &pem);
        q.pem = buf_span(&pem);
        (void)mbedtls_x509_crt_verify(crt, env->ca, NULL, NULL, &flags, NULL,
                                      NULL);
        if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
            ctl_checks_add(env->checks, uri->text, "TLS-TRUST", CTL_CHECK_ERROR,
                           "no authority we know vouches for its certificate: "
                           "send the whole chain, or name your own with --ca");
        if (ctl_cert_look(&q, report) == 0)
            add_findings(env, uri, report);
    }
    buf_deinit(&pem);
    mem_free(report);
}

/* ---- old versions ---- */

static void put_u16(struct buf *out, size_t value)
{
    buf_put_byte(out, (uint8_t)(value >> 8));
    buf_put_byte(out, (uint8_t)value);
}

/* Groups, without which no elliptic curve is agreed on, and the name, for
 * servers that have several. */
static void write_extensions(const char *host, struct buf *out)
{
    static const uint8_t groups[] = {0, 10, 0, 6, 0, 4, 0, 23, 0, 24};
    size_t name = strlen(host);
    struct addr literal;
    bool named = addr_parse_ip(span_str(host), &literal) < 0;

    put_u16(out, sizeof(groups) + (named ? 9 + name : 0));
    buf_put(out, groups, sizeof(groups));
    if (!named)
        return;
    put_u16(out, 0); /* server_name */
    put_u16(out, name + 5);
    put_u16(out, name + 3);
    buf_put_byte(out, 0); /* a host's */
    put_u16(out, name);
    buf_put_str(out, host);
}

/* A ClientHello of TLS 1.0 or 1.1 with the suites of that time. Our TLS
 * library has forgotten them, so the bytes are written by hand. */
static void write_hello(const char *host, uint8_t minor, struct buf *out)
{
    static const uint8_t suites[] = {
        0,    8,                     /* ECDHE-ECDSA, ECDHE-RSA, RSA, all */
        0xc0, 0x09, 0xc0, 0x13,      /* with AES-CBC-SHA */
        0x00, 0x2f, 0x00, 0x35, 1, 0 /* no compression */
    };
    uint8_t random[32];
    struct buf body;

    crypto_random(random, sizeof(random));
    buf_init(&body, HELLO_MAX);
    buf_put_byte(&body, 3);
    buf_put_byte(&body, minor);
    buf_put(&body, random, sizeof(random));
    buf_put_byte(&body, 0); /* no session */
    buf_put(&body, suites, sizeof(suites));
    write_extensions(host, &body);
    buf_put(out, "\x16\x03\x01", 3); /* handshake */
    put_u16(out, buf_len(&body) + 4);
    buf_put(out, "\x01\x00", 2); /* client_hello */
    put_u16(out, buf_len(&body));
    buf_put_span(out, buf_span(&body));
    buf_deinit(&body);
}

static bool takes_version(struct ctl_check_env *env, const struct ctl_uri *uri,
                          uint8_t minor)
{
    char error[CTL_LINK_ERROR];
    struct ctl_link *link;
    uint8_t answer[16];
    struct buf hello;
    bool taken = false;

    if (ctl_link_open(&link, uri, env->address, false, error) < 0)
        return false;
    buf_init(&hello, HELLO_MAX);
    write_hello(uri->host, minor, &hello);
    if (ctl_link_send(link, buf_span(&hello)) == 0)
        taken = ctl_link_receive(link, answer, sizeof(answer), 2000) >= 6 &&
                answer[0] == 22 && answer[5] == 2; /* server_hello */
    buf_deinit(&hello);
    ctl_link_close(link);
    return taken;
}

void check_old_tls(struct ctl_check_env *env, const struct ctl_uri *uri)
{
    bool old = false;

    for (uint8_t minor = 1; minor <= 2; minor++) {
        if (!takes_version(env, uri, minor))
            continue;
        old = true;
        ctl_checks_add(env->checks, uri->text, "TLS-OLD", CTL_CHECK_ERROR,
                       "it takes TLS 1.%u, which is broken: allow 1.2 and 1.3 "
                       "only",
                       minor - 1);
    }
    if (!old)
        ctl_checks_add(env->checks, uri->text, "TLS-OLD", CTL_CHECK_OK,
                       "TLS 1.0 and 1.1 are refused");
}
