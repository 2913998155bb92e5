/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_cert.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "net/tls_name.h"

#include <errno.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static const struct {
    const char *name;
    enum ctl_severity severity;
} kinds[] = {
#define CTL_CERT_KIND(id, severity) {#id, severity},
    CTL_CERT_MAP(CTL_CERT_KIND)
#undef CTL_CERT_KIND
};

const char *ctl_cert_id(enum ctl_cert_finding_id id, char out[32])
{
    (void)snprintf(out, 32, "%s", kinds[id].name);
    for (char *c = out; *c; c++) {
        if (*c == '_')
            *c = '-';
    }
    return out;
}

static void __attribute__((format(printf, 3, 4)))
find(struct ctl_cert_report *report, enum ctl_cert_finding_id id,
     const char *format, ...)
{
    struct ctl_finding *f = &report->findings[report->n_findings];
    va_list args;

    if (report->n_findings == CTL_FINDINGS_MAX)
        return;
    f->id = id;
    f->severity = kinds[id].severity;
    va_start(args, format);
    (void)vsnprintf(f->text, sizeof(f->text), format, args);
    va_end(args);
    report->n_findings++;
}

/* ---- what it says ---- */

static int64_t seconds_of(const mbedtls_x509_time *t)
{
    struct tm tm = {.tm_year = t->year - 1900,
                    .tm_mon = t->mon - 1,
                    .tm_mday = t->day,
                    .tm_hour = t->hour,
                    .tm_min = t->min,
                    .tm_sec = t->sec};

    return (int64_t)timegm(&tm);
}

static void names_of(const mbedtls_x509_crt *crt, char out[CTL_CERT_TEXT])
{
    char name[300];
    size_t len = 0;

    out[0] = 0;
    for (size_t i = 0; tls_name_get(crt, i, name, sizeof(name)); i++) {
        int n = snprintf(out + len, CTL_CERT_TEXT - len, "%s%s", i ? ", " : "",
                         name);

        if (n < 0 || (size_t)n >= CTL_CERT_TEXT - len)
            return;
        len += (size_t)n;
    }
}

static void describe(const mbedtls_x509_crt *crt, struct ctl_cert *cert)
{
    struct span der = span_of(crt->raw.p, crt->raw.len);
    uint8_t hash[CRYPTO_SHA256_SIZE];

    if (mbedtls_x509_dn_gets(cert->subject, CTL_CERT_TEXT, &crt->subject) < 0)
        (void)snprintf(cert->subject, CTL_CERT_TEXT, "?");
    if (mbedtls_x509_dn_gets(cert->issuer, CTL_CERT_TEXT, &crt->issuer) < 0)
        (void)snprintf(cert->issuer, CTL_CERT_TEXT, "?");
    names_of(crt, cert->names);
    (void)snprintf(cert->key, sizeof(cert->key), "%s %zu",
                   mbedtls_pk_get_name(&crt->pk),
                   mbedtls_pk_get_bitlen(&crt->pk));
    crypto_sha256(&der, 1, hash);
    text_hex(span_of(hash, sizeof(hash)), cert->fingerprint);
    cert->not_before = seconds_of(&crt->valid_from);
    cert->not_after = seconds_of(&crt->valid_to);
}

int64_t ctl_cert_days(const struct ctl_cert *cert, int64_t now)
{
    int64_t left = cert->not_after - now;

    return left >= 0 ? left / 86400 : -((-left + 86399) / 86400);
}

/* ---- what is wrong ---- */

static bool is_self_signed(const mbedtls_x509_crt *crt)
{
    return crt->issuer_raw.len == crt->subject_raw.len &&
           memcmp(crt->issuer_raw.p, crt->subject_raw.p,
                  crt->subject_raw.len) == 0;
}

/* Times and purposes are looked at elsewhere; here only who signed. Each is
 * parsed alone, without the certificates behind it in the file. */
static bool is_signed_by(const mbedtls_x509_crt *crt,
                         const mbedtls_x509_crt *by)
{
    mbedtls_x509_crt child, parent;
    uint32_t flags = MBEDTLS_X509_BADCERT_NOT_TRUSTED;

    mbedtls_x509_crt_init(&child);
    mbedtls_x509_crt_init(&parent);
    if (mbedtls_x509_crt_parse_der(&child, crt->raw.p, crt->raw.len) == 0 &&
        mbedtls_x509_crt_parse_der(&parent, by->raw.p, by->raw.len) == 0) {
        flags = 0;
        (void)mbedtls_x509_crt_verify(&child, &parent, NULL, NULL, &flags, NULL,
                                      NULL);
    }
    mbedtls_x509_crt_free(&child);
    mbedtls_x509_crt_free(&parent);
    return (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) == 0;
}

static void check_time(struct ctl_cert_report *r, size_t i,
                       const struct ctl_cert_question *q)
{
    const struct ctl_cert *c = &r->certs[i];
    int64_t days = ctl_cert_days(c, q->now);

    if (q->now < c->not_before)
        find(r, CTL_CERT_NOT_YET,
             "certificate %zu is not valid yet: wait, or set the clock", i + 1);
    if (q->now > c->not_after)
        find(r, CTL_CERT_EXPIRED,
             "certificate %zu ended %lld days ago: get a new one", i + 1,
             (long long)-days);
    else if (days < q->days)
        find(r, CTL_CERT_EXPIRES_SOON,
             "certificate %zu ends in %lld days: renew it, then edgectl "
             "reload",
             i + 1, (long long)days);
}

static void check_strength(struct ctl_cert_report *r, size_t i,
                           const mbedtls_x509_crt *crt)
{
    size_t bits = mbedtls_pk_get_bitlen(&crt->pk);
    bool rsa = mbedtls_pk_get_type(&crt->pk) == MBEDTLS_PK_RSA;
    mbedtls_md_type_t md = MBEDTLS_MD_NONE;
    mbedtls_pk_type_t pk = MBEDTLS_PK_NONE;

    if (bits < (rsa ? 2048 : 224))
        find(r, CTL_CERT_WEAK_KEY,
             "the key of certificate %zu has only %zu bits: make a new one "
             "(EC P-256)",
             i + 1, bits);
    else if (rsa && i == 0)
        find(r, CTL_CERT_RSA,
             "its key is RSA %zu: with EC P-256 (a second certificate, or this "
             "one) a server takes several times as many new connections",
             bits);
    (void)mbedtls_oid_get_sig_alg(&crt->sig_oid, &md, &pk);
    if ((md == MBEDTLS_MD_MD5 || md == MBEDTLS_MD_SHA1) && !is_self_signed(crt))
        find(r, CTL_CERT_WEAK_HASH,
             "certificate %zu is signed over MD5 or SHA-1: get a new one",
             i + 1);
}

static void check_server(struct ctl_cert_report *r, const mbedtls_x509_crt *crt,
                         const struct ctl_cert_question *q)
{
    if (!r->certs[0].names[0])
        find(r, CTL_CERT_NO_SAN,
             "it has no subject alternative name: browsers refuse it");
    for (size_t i = 0; i < q->n_names; i++) {
        if (!tls_name_match(crt, span_str(q->names[i]), false))
            find(r, CTL_CERT_NAME,
                 "it is not for %.100s: get one that names it", q->names[i]);
    }
    if (mbedtls_x509_crt_check_extended_key_usage(
            crt, MBEDTLS_OID_SERVER_AUTH,
            MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) != 0)
        find(r, CTL_CERT_EKU,
             "its extended key usage does not say "
             "serverAuth: browsers refuse it");
    if (mbedtls_x509_crt_get_ca_istrue(crt) == 1 && !is_self_signed(crt))
        find(r, CTL_CERT_IS_CA,
             "the first certificate is an authority's: put the server's own "
             "first");
}

static void check_chain(struct ctl_cert_report *r, const mbedtls_x509_crt *crt)
{
    bool alone = !crt->next;
    size_t i = 1;

    if (alone && is_self_signed(crt))
        find(r, CTL_CERT_SELF_SIGNED,
             "it is self-signed: only clients that were told trust it");
    else if (alone)
        find(r, CTL_CERT_CHAIN_MISSING,
             "no intermediate follows it: unless its issuer is a root, use "
             "the fullchain file");
    for (; crt->next; crt = crt->next, i++) {
        if (!is_signed_by(crt, crt->next))
            find(r, CTL_CERT_CHAIN_ORDER,
                 "certificate %zu is not signed by certificate %zu: put the "
                 "server's first, each followed by its issuer",
                 i, i + 1);
    }
    if (!alone && is_self_signed(crt))
        find(r, CTL_CERT_ROOT_SENT,
             "the last certificate is a root: clients have it, leave it out "
             "to save bytes");
}

static int random_bytes(void *arg, unsigned char *out, size_t len)
{
    (void)arg;
    crypto_random(out, len);
    return 0;
}

static bool has_private_key(struct span pem)
{
    return span_search(pem, span_str("PRIVATE KEY-----")) >= 0;
}

/* mbedTLS wants the NUL behind the text counted. */
static unsigned char *with_nul(struct span text)
{
    return mem_dup(text.ptr, text.len);
}

static int check_key(struct ctl_cert_report *r, const mbedtls_x509_crt *crt,
                     const struct ctl_cert_question *q)
{
    struct span file = q->key.len ? q->key : q->pem;
    mbedtls_pk_context pk;
    unsigned char *text;
    int err;

    if (!q->key.len && !has_private_key(q->pem))
        return 0;
    text = with_nul(file);
    if (!text)
        return -ENOMEM;
    mbedtls_pk_init(&pk);
    err = mbedtls_pk_parse_key(&pk, text, file.len + 1, NULL, 0, random_bytes,
                               NULL);
    if (err == MBEDTLS_ERR_PK_PASSWORD_REQUIRED)
        find(r, CTL_CERT_KEY_UNREADABLE,
             "the key has a password: a daemon cannot ask for it");
    else if (err != 0)
        find(r, CTL_CERT_KEY_UNREADABLE,
             "the key cannot be read: it must be "
             "a PEM private key");
    else if (crt->raw.len > 0 &&
             mbedtls_pk_check_pair(&crt->pk, &pk, random_bytes, NULL) != 0)
        find(r, CTL_CERT_KEY_MISMATCH,
             "the key does not belong to the first certificate");
    else
        r->has_key = crt->raw.len > 0;
    mbedtls_pk_free(&pk);
    mem_wipe(text, file.len);
    mem_free(text);
    return 0;
}

static void look_at_all(const struct ctl_cert_question *q,
                        const mbedtls_x509_crt *first,
                        struct ctl_cert_report *r)
{
    for (const mbedtls_x509_crt *crt = first; crt && r->n < CTL_CERTS_MAX;
         crt = crt->next) {
        describe(crt, &r->certs[r->n++]);
        check_time(r, r->n - 1, q);
        check_strength(r, r->n - 1, crt);
    }
    check_server(r, first, q);
    check_chain(r, first);
}

int ctl_cert_look(const struct ctl_cert_question *question,
                  struct ctl_cert_report *ret_report)
{
    const struct ctl_cert_question *q = question;
    mbedtls_x509_crt crt;
    unsigned char *text = with_nul(q->pem);
    int err;

    *ret_report = (struct ctl_cert_report){0};
    if (!text)
        return -ENOMEM;
    (void)psa_crypto_init();
    mbedtls_x509_crt_init(&crt);
    err = mbedtls_x509_crt_parse(&crt, text, q->pem.len + 1);
    if (err > 0)
        find(ret_report, CTL_CERT_UNREADABLE,
             "%d certificates in the file cannot be read: repair it", err);
    if (crt.raw.len == 0)
        find(ret_report, CTL_CERT_NOTHING,
             "there is no certificate in PEM form in the file");
    else
        look_at_all(q, &crt, ret_report);
    err = check_key(ret_report, &crt, q);
    mbedtls_x509_crt_free(&crt);
    mem_wipe(text, q->pem.len);
    mem_free(text);
    return err;
}

enum ctl_severity ctl_cert_worst(const struct ctl_cert_report *report)
{
    enum ctl_severity worst = CTL_NOTE;

    for (size_t i = 0; i < report->n_findings; i++) {
        if (report->findings[i].severity > worst)
            worst = report->findings[i].severity;
    }
    return worst;
}
