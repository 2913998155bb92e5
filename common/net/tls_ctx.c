/* SPDX-License-Identifier: MIT */
#include "net/tls_ctx.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "net/tls_load.h"
#include "net/tls_name.h"
#include "net/tls_private.h"

#include <errno.h>
#include <limits.h>
#include <psa/crypto.h>
#include <stdio.h>

#if !defined(MBEDTLS_THREADING_C)
#error "mbedTLS must be built with MBEDTLS_THREADING_C: sessions share keys"
#endif

_Thread_local bool tls_ticket_accepted;

/* Ephemeral key exchange and AEAD only; AES-128 first: it is the fastest. */
static const int suites[] = {
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0,
};

static const uint16_t groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_NONE,
};

int tls_random(void *unused, unsigned char *out, size_t len)
{
    (void)unused;
    crypto_random(out, len);
    return 0;
}

static int fail(char error[TLS_ERROR_SIZE], const char *text)
{
    (void)snprintf(error, TLS_ERROR_SIZE, "%s", text);
    return ERR_CONFIG;
}

/* ---- which certificate ---- */

int tls_ctx_choose(const struct tls_ctx *ctx, struct span name)
{
    enum tls_match best = TLS_MATCH_NONE;
    int chosen = -1;

    for (size_t i = 0; name.len > 0 && i < ctx->n_pairs; i++) {
        enum tls_match match = tls_name_match(&ctx->pairs[i].chain, name, true);

        if (match > best) {
            best = match;
            chosen = (int)i;
        }
    }
    if (chosen < 0 && !ctx->strict_sni && ctx->n_pairs > 0)
        return 0;
    return chosen;
}

bool tls_ctx_knows(const struct tls_ctx *ctx, struct span name)
{
    for (size_t i = 0; name.len > 0 && i < ctx->n_pairs; i++) {
        if (tls_name_match(&ctx->pairs[i].chain, name, true) != TLS_MATCH_NONE)
            return true;
    }
    return false;
}

int tls_on_dtls_server_name(void *arg, mbedtls_ssl_context *ssl,
                            const unsigned char *name, size_t len)
{
    struct tls_ctx *ctx = arg;
    struct span host = span_of(name, len);
    int chosen;

    if (!tls_name_is_host(host))
        return MBEDTLS_ERR_SSL_DECODE_ERROR;
    chosen = tls_ctx_choose(ctx, host);
    if (chosen < 0)
        return MBEDTLS_ERR_SSL_UNRECOGNIZED_NAME;
    return mbedtls_ssl_set_hs_own_cert(ssl, &ctx->pairs[chosen].chain,
                                       &ctx->pairs[chosen].key);
}

bool tls_ctx_certificate(const struct tls_ctx *ctx, size_t i,
                         struct tls_certificate_info *ret_info)
{
    if (i >= ctx->n_pairs)
        return false;
    *ret_info = (struct tls_certificate_info){
        ctx->pairs[i].file, ctx->pairs[i].subject, ctx->pairs[i].not_after};
    return true;
}

int tls_ctx_days_left(const struct tls_ctx *ctx, int64_t now)
{
    int64_t least = INT64_MAX;
    int64_t days;

    for (size_t i = 0; i < ctx->n_pairs; i++) {
        int64_t left = ctx->pairs[i].not_after - now;

        if (left < least)
            least = left;
    }
    if (least == INT64_MAX)
        return INT_MAX;
    days = least / 86400 - (least < 0 && least % 86400 != 0);
    return (int)days;
}

/* ---- tickets ---- */

static int on_ticket(void *arg, mbedtls_ssl_session *session,
                     unsigned char *ticket, size_t len)
{
    struct tls_tickets *tickets = arg;
    int err = mbedtls_ssl_ticket_parse(&tickets->ctx, session, ticket, len);

    if (err == 0)
        tls_ticket_accepted = true;
    return err;
}

static int write_ticket(void *arg, const mbedtls_ssl_session *session,
                        unsigned char *start, const unsigned char *end,
                        size_t *ret_len, uint32_t *ret_lifetime)
{
    struct tls_tickets *tickets = arg;

    return mbedtls_ssl_ticket_write(&tickets->ctx, session, start, end, ret_len,
                                    ret_lifetime);
}

int tls_tickets_new(struct tls_tickets **ret_tickets, uint32_t lifetime_s)
{
    struct tls_tickets *tickets = mem_zalloc(sizeof(*tickets));

    if (!tickets)
        return -ENOMEM;
    atomic_init(&tickets->refs, 1);
    mbedtls_ssl_ticket_init(&tickets->ctx);
    if (psa_crypto_init() != PSA_SUCCESS ||
        mbedtls_ssl_ticket_setup(&tickets->ctx, tls_random, NULL,
                                 MBEDTLS_CIPHER_AES_256_GCM, lifetime_s) != 0) {
        tls_tickets_unref(tickets);
        return ERR_TLS;
    }
    *ret_tickets = tickets;
    return 0;
}

struct tls_tickets *tls_tickets_ref(struct tls_tickets *tickets)
{
    atomic_fetch_add(&tickets->refs, 1);
    return tickets;
}

void tls_tickets_unref(struct tls_tickets *tickets)
{
    if (!tickets || atomic_fetch_sub(&tickets->refs, 1) > 1)
        return;
    mbedtls_ssl_ticket_free(&tickets->ctx);
    mem_free(tickets);
}

/* ---- building ---- */

static enum tls_verify effective_verify(const struct tls_ctx_options *o)
{
    if (o->verify != TLS_VERIFY_DEFAULT)
        return o->verify;
    return o->role == TLS_CLIENT ? TLS_VERIFY_REQUIRED : TLS_VERIFY_NONE;
}

static int check_options(const struct tls_ctx_options *o,
                         char error[TLS_ERROR_SIZE])
{
    if (o->role == TLS_SERVER && o->n_pairs == 0)
        return fail(error, "no certificate given");
    if (o->role == TLS_CLIENT && o->n_pairs > 1)
        return fail(error, "more than one client certificate given");
    if (effective_verify(o) != TLS_VERIFY_NONE && !o->ca_file)
        return fail(error, "no CA file to check certificates against");
    if (o->min_version && o->max_version && o->min_version > o->max_version)
        return fail(error, "the lowest TLS version is above the highest");
    if (o->dtls && o->role != TLS_SERVER)
        return fail(error, "DTLS is for servers only");
    if (o->dtls && o->min_version == TLS_VERSION_13)
        return fail(error, "DTLS has version 1.2 only, 1.3 is demanded");
    return 0;
}

static int copy_alpn(struct tls_ctx *ctx, const char *const *alpn,
                     char error[TLS_ERROR_SIZE])
{
    size_t n = 0;

    if (!alpn || !alpn[0])
        return 0;
    while (alpn[n])
        n++;
    ctx->alpn = mem_zarray(n + 1, sizeof(*ctx->alpn));
    if (!ctx->alpn)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        ctx->alpn[i] = mem_strdup(alpn[i]);
        if (!ctx->alpn[i])
            return -ENOMEM;
    }
    if (mbedtls_ssl_conf_alpn_protocols(&ctx->conf, (const char **)ctx->alpn) ||
        mbedtls_ssl_conf_alpn_protocols(&ctx->dtls, (const char **)ctx->alpn))
        return fail(error, "a protocol name of ALPN is empty or too long");
    return 0;
}

static int load_files(struct tls_ctx *ctx, const struct tls_ctx_options *o,
                      char error[TLS_ERROR_SIZE])
{
    int err = 0;

    if (o->ca_file)
        err = tls_load_certificates("CA file", o->ca_file, &ctx->ca, error);
    if (err == 0 && o->crl_file)
        err = tls_load_revoked(o->crl_file, &ctx->crl, error);
    if (err < 0 || o->n_pairs == 0)
        return err;
    ctx->pairs = mem_zarray(o->n_pairs, sizeof(*ctx->pairs));
    if (!ctx->pairs)
        return -ENOMEM;
    for (size_t i = 0; i < o->n_pairs && err == 0; i++) {
        tls_load_init(&ctx->pairs[i]);
        ctx->n_pairs++;
        err = tls_load_pair(&ctx->pairs[i], &o->pairs[i], error);
    }
    return err;
}

static void set_versions(struct tls_ctx *ctx, const struct tls_ctx_options *o)
{
    enum tls_version min = o->min_version ? o->min_version : TLS_VERSION_12;
    enum tls_version max = o->max_version ? o->max_version : TLS_VERSION_13;

    mbedtls_ssl_conf_min_tls_version(&ctx->conf,
                                     (mbedtls_ssl_protocol_version)min);
    mbedtls_ssl_conf_max_tls_version(&ctx->conf,
                                     (mbedtls_ssl_protocol_version)max);
}

/* Resumed sessions skip the client's certificate, so the two exclude each
 * other. PSK alone would lose forward secrecy. */
static void set_tickets(struct tls_ctx *ctx, const struct tls_ctx_options *o)
{
    mbedtls_ssl_conf_tls13_key_exchange_modes(
        &ctx->conf, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ALL);
    if (o->role == TLS_SERVER && o->tickets &&
        effective_verify(o) == TLS_VERIFY_NONE) {
        ctx->tickets = tls_tickets_ref(o->tickets);
        mbedtls_ssl_conf_session_tickets_cb(&ctx->conf, write_ticket, on_ticket,
                                            ctx->tickets);
        mbedtls_ssl_conf_new_session_tickets(&ctx->conf, 1);
        return;
    }
    mbedtls_ssl_conf_session_tickets(&ctx->conf,
                                     MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
}

/* What TLS and DTLS have in common. */
static int set_up_conf(struct tls_ctx *ctx, const struct tls_ctx_options *o,
                       mbedtls_ssl_config *conf, int transport)
{
    static const int authmodes[] = {
        [TLS_VERIFY_NONE] = MBEDTLS_SSL_VERIFY_NONE,
        [TLS_VERIFY_OPTIONAL] = MBEDTLS_SSL_VERIFY_OPTIONAL,
        [TLS_VERIFY_REQUIRED] = MBEDTLS_SSL_VERIFY_REQUIRED,
    };
    bool server = o->role == TLS_SERVER;

    if (mbedtls_ssl_config_defaults(
            conf, server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
            transport, MBEDTLS_SSL_PRESET_DEFAULT) != 0)
        return -ENOMEM;
    mbedtls_ssl_conf_rng(conf, tls_random, NULL);
    mbedtls_ssl_conf_ciphersuites(conf, suites);
    mbedtls_ssl_conf_groups(conf, groups);
    mbedtls_ssl_conf_renegotiation(conf, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    mbedtls_ssl_conf_authmode(conf, authmodes[effective_verify(o)]);
    if (server) /* the order of `suites`, not the client's */
        mbedtls_ssl_conf_preference_order(
            conf, MBEDTLS_SSL_SRV_CIPHERSUITE_ORDER_SERVER);
    if (o->ca_file)
        mbedtls_ssl_conf_ca_chain(conf, &ctx->ca,
                                  o->crl_file ? &ctx->crl : NULL);
    if (ctx->n_pairs > 0 && !ctx->strict_sni &&
        mbedtls_ssl_conf_own_cert(conf, &ctx->pairs[0].chain,
                                  &ctx->pairs[0].key) != 0)
        return -ENOMEM;
    return 0;
}

/* A session exists only behind a cookie that net/dtls.c has checked, so
 * mbedTLS need not do it again. With no function to write one, it never
 * answers a ClientHello with a HelloVerifyRequest and never lets one take
 * over an open session. */
static int accept_cookie(void *unused, const unsigned char *cookie, size_t len,
                         const unsigned char *id, size_t id_len)
{
    (void)unused;
    (void)cookie;
    (void)len;
    (void)id;
    (void)id_len;
    return 0;
}

static int set_up_dtls(struct tls_ctx *ctx, const struct tls_ctx_options *o)
{
    mbedtls_ssl_config *conf = &ctx->dtls;
    int err = set_up_conf(ctx, o, conf, MBEDTLS_SSL_TRANSPORT_DATAGRAM);

    if (err < 0)
        return err;
    ctx->has_dtls = true;
    mbedtls_ssl_conf_min_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_max_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_session_tickets(conf,
                                     MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    mbedtls_ssl_conf_dtls_cookies(conf, NULL, accept_cookie, NULL);
    mbedtls_ssl_conf_sni(conf, tls_on_dtls_server_name, ctx);
    return 0;
}

static int set_up(struct tls_ctx *ctx, const struct tls_ctx_options *o,
                  char error[TLS_ERROR_SIZE])
{
    int err = set_up_conf(ctx, o, &ctx->conf, MBEDTLS_SSL_TRANSPORT_STREAM);

    if (err < 0)
        return err;
    set_versions(ctx, o);
    set_tickets(ctx, o);
    if (o->role == TLS_SERVER)
        mbedtls_ssl_conf_sni(&ctx->conf, tls_on_server_name, NULL);
    if (o->dtls)
        err = set_up_dtls(ctx, o);
    return err < 0 ? err : copy_alpn(ctx, o->alpn, error);
}

static int set_label(struct tls_ctx *ctx, const char *label)
{
    if (!label)
        return 0;
    ctx->label = mem_strdup(label);
    return ctx->label ? 0 : -ENOMEM;
}

int tls_ctx_new(struct tls_ctx **ret_ctx, const struct tls_ctx_options *options,
                char error[TLS_ERROR_SIZE])
{
    struct tls_ctx *ctx;
    int err = check_options(options, error);

    if (err < 0)
        return err;
    if (psa_crypto_init() != PSA_SUCCESS)
        return fail(error, "the cryptographic library does not start");
    ctx = mem_zalloc(sizeof(*ctx));
    if (!ctx)
        return -ENOMEM;
    atomic_init(&ctx->refs, 1);
    ctx->role = options->role;
    ctx->strict_sni = options->role == TLS_SERVER && options->strict_sni;
    ctx->verifies = effective_verify(options) == TLS_VERIFY_REQUIRED;
    ctx->asks = effective_verify(options) != TLS_VERIFY_NONE;
    mbedtls_ssl_config_init(&ctx->conf);
    mbedtls_ssl_config_init(&ctx->dtls);
    mbedtls_x509_crt_init(&ctx->ca);
    mbedtls_x509_crl_init(&ctx->crl);

    err = set_label(ctx, options->label);
    if (err == 0)
        err = load_files(ctx, options, error);
    if (err == 0)
        err = set_up(ctx, options, error);
    if (err < 0) {
        if (err == -ENOMEM)
            (void)fail(error, "out of memory");
        tls_ctx_unref(ctx);
        return err;
    }
    *ret_ctx = ctx;
    return 0;
}

const char *tls_ctx_label(const struct tls_ctx *ctx)
{
    return ctx->label ? ctx->label : "";
}

struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx)
{
    atomic_fetch_add(&ctx->refs, 1);
    return ctx;
}

void tls_ctx_unref(struct tls_ctx *ctx)
{
    if (!ctx || atomic_fetch_sub(&ctx->refs, 1) > 1)
        return;
    mbedtls_ssl_config_free(&ctx->conf);
    mbedtls_ssl_config_free(&ctx->dtls);
    mbedtls_x509_crt_free(&ctx->ca);
    mbedtls_x509_crl_free(&ctx->crl);
    mem_free(ctx->label);
    for (size_t i = 0; i < ctx->n_pairs; i++)
        tls_load_deinit(&ctx->pairs[i]);
    mem_free(ctx->pairs);
    for (size_t i = 0; ctx->alpn && ctx->alpn[i]; i++)
        mem_free(ctx->alpn[i]);
    mem_free(ctx->alpn);
    tls_tickets_unref(ctx->tickets);
    mem_free(ctx);
}
