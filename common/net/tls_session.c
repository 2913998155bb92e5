/* SPDX-License-Identifier: MIT */
#include "net/tls_session.h"

#include "base/addr.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "net/tls_name.h"
#include "net/tls_private.h"
#include "net/tls_records.h"

#include <ctype.h>
#include <errno.h>
#include <mbedtls/error.h>

enum {
    /* Above TLS_OUTPUT_HIGH: a record, and whatever a handshake flight or an
     * alert adds. */
    OUTPUT_MAX = TLS_OUTPUT_HIGH + 64 * 1024,
    SUBJECT_SIZE = 256,
    /* In one go; more is abuse. */
    ALERTS_MAX = 16,
};

struct tls_session {
    mbedtls_ssl_context ssl;
    struct tls_ctx *ctx;
    struct buf out;
    struct span in;
    struct tls_records records;
    char *server_name; /* server: asked for by the client */
    char *verify_name; /* client: whom the certificate must be for */
    size_t blocked;    /* length mbedTLS wants to see again, or 0 */
    int code;          /* mbedTLS' last failure */
    bool in_ended;
    bool notified; /* the peer's close_notify has come */
    bool resumed;
};

/* ---- the transport under mbedTLS ---- */

static int bio_send(void *arg, const unsigned char *data, size_t len)
{
    struct tls_session *s = arg;

    if (buf_room(&s->out) < len)
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    buf_put(&s->out, data, len);
    if (buf_err(&s->out))
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    tls_records_written(&s->records, data + len);
    return (int)len;
}

static int bio_recv(void *arg, unsigned char *out, size_t size)
{
    struct tls_session *s = arg;
    size_t n = s->in.len < size ? s->in.len : size;

    if (n == 0)
        return s->in_ended ? 0 : MBEDTLS_ERR_SSL_WANT_READ;
    memcpy(out, s->in.ptr, n);
    tls_records_read(&s->records, out + n);
    s->in = span_from(s->in, n);
    return (int)n;
}

/* mbedTLS' codes end here. */
static int translate(struct tls_session *s, int code)
{
    switch (code) {
    case MBEDTLS_ERR_SSL_WANT_READ:
    case MBEDTLS_ERR_SSL_WANT_WRITE:
        return -EAGAIN;
    case MBEDTLS_ERR_SSL_CONN_EOF:
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
        s->code = code;
        return ERR_CLOSED;
    case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
    case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE:
    case MBEDTLS_ERR_SSL_BAD_CERTIFICATE:
        s->code = code;
        return ERR_AUTH;
    case MBEDTLS_ERR_SSL_ALLOC_FAILED:
    case MBEDTLS_ERR_X509_ALLOC_FAILED:
        s->code = code;
        return -ENOMEM;
    default:
        s->code = code;
        return ERR_TLS;
    }
}

/* ---- names ---- */

static char *lower_copy(struct span name)
{
    char *copy = mem_dup(name.ptr, name.len);

    for (size_t i = 0; copy && i < name.len; i++)
        copy[i] = (char)tolower((unsigned char)copy[i]);
    return copy;
}

int tls_on_server_name(void *unused, mbedtls_ssl_context *ssl,
                       const unsigned char *name, size_t len)
{
    struct tls_session *s = mbedtls_ssl_get_user_data_p(ssl);
    struct span host = span_of(name, len);
    struct tls_pair *pair;
    int chosen;

    (void)unused;
    if (!tls_name_is_host(host))
        return MBEDTLS_ERR_SSL_DECODE_ERROR;
    mem_free(s->server_name); /* a second ClientHello repeats it */
    s->server_name = lower_copy(host);
    if (!s->server_name)
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    chosen = tls_ctx_choose(s->ctx, host);
    if (chosen < 0)
        return MBEDTLS_ERR_SSL_UNRECOGNIZED_NAME;
    pair = &s->ctx->pairs[chosen];
    return mbedtls_ssl_set_hs_own_cert(ssl, &pair->chain, &pair->key);
}

static bool is_for(const mbedtls_x509_crt *crt, struct span name)
{
    if (span_starts(name, "sip:"))
        return tls_name_is_sip_domain(crt, span_from(name, 4));
    return tls_name_match(crt, name, false) != TLS_MATCH_NONE;
}

/* Client: mbedTLS has compared the certificate with the name sent as SNI; we
 * want another name to hold, so that verdict is replaced by ours. */
static int on_verify(void *arg, mbedtls_x509_crt *crt, int depth,
                     uint32_t *flags)
{
    struct tls_session *s = arg;

    if (depth != 0 || !s->verify_name)
        return 0;
    *flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH;
    if (!is_for(crt, span_str(s->verify_name)))
        *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    return 0;
}

static int set_peer(struct tls_session *s, const struct tls_peer *peer)
{
    const char *sni = peer ? peer->server_name : NULL;
    const char *verify = peer && peer->verify_name ? peer->verify_name : sni;
    struct addr ip;

    /* Only host names go into SNI (RFC 6066 section 3). */
    if (sni && addr_parse_ip(span_str(sni), &ip) == 0)
        sni = NULL;
    if (!verify && s->ctx->verifies)
        return -EINVAL;
    if (verify) {
        s->verify_name = mem_strdup(verify);
        if (!s->verify_name)
            return -ENOMEM;
    }
    /* Also without a name: it tells mbedTLS that this is on purpose. */
    if (mbedtls_ssl_set_hostname(&s->ssl, sni) != 0)
        return -EINVAL;
    mbedtls_ssl_set_verify(&s->ssl, on_verify, s);
    return 0;
}

/* ---- life ---- */

int tls_session_new(struct tls_session **ret_session, struct tls_ctx *ctx,
                    const struct tls_peer *peer)
{
    struct tls_session *s = mem_zalloc(sizeof(*s));
    int err = 0;
    int code;

    if (!s)
        return -ENOMEM;
    s->ctx = tls_ctx_ref(ctx);
    buf_init(&s->out, OUTPUT_MAX);
    mbedtls_ssl_init(&s->ssl);
    mbedtls_ssl_set_user_data_p(&s->ssl, s);
    code = mbedtls_ssl_setup(&s->ssl, &ctx->conf);
    if (code != 0)
        err = translate(s, code);
    else if (ctx->role == TLS_CLIENT)
        err = set_peer(s, peer);
    if (err < 0) {
        tls_session_free(s);
        return err;
    }
    mbedtls_ssl_set_bio(&s->ssl, s, bio_send, bio_recv, NULL);
    *ret_session = s;
    return 0;
}

void tls_session_free(struct tls_session *session)
{
    if (!session)
        return;
    mbedtls_ssl_free(&session->ssl);
    buf_deinit(&session->out);
    mem_free(session->server_name);
    mem_free(session->verify_name);
    tls_ctx_unref(session->ctx);
    mem_free(session);
}

/* ---- bytes ---- */

void tls_session_input(struct tls_session *session, struct span ciphertext)
{
    session->in = ciphertext;
}

struct span tls_session_input_left(const struct tls_session *session)
{
    return session->in;
}

void tls_session_input_end(struct tls_session *session)
{
    session->in_ended = true;
}

struct buf *tls_session_output(struct tls_session *session)
{
    return &session->out;
}

int tls_session_handshake(struct tls_session *session)
{
    int code;

    if (!tls_records_take(&session->records, &session->ssl))
        return -ENOMEM;
    tls_ticket_accepted = false;
    code = mbedtls_ssl_handshake(&session->ssl);
    if (tls_ticket_accepted)
        session->resumed = true;
    return code == 0 ? 0 : translate(session, code);
}

static int read_plain(struct tls_session *session, void *out, size_t size)
{
    int alerts = 0;

    while (!session->notified) {
        int code = mbedtls_ssl_read(&session->ssl, out, size);

        if (code > 0)
            return code;
        if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
            break;
        if (code == 0) /* the transport ended */
            code = MBEDTLS_ERR_SSL_CONN_EOF;
        /* mbedTLS stops behind a harmless alert, with input left, as if it
         * wanted more. */
        if (code == MBEDTLS_ERR_SSL_WANT_READ && session->in.len > 0) {
            if (alerts++ < ALERTS_MAX)
                continue;
            return ERR_TLS;
        }
        return translate(session, code);
    }
    session->notified = true; /* mbedTLS says it only once */
    return 0;
}

int tls_session_read(struct tls_session *session, void *out, size_t size)
{
    int n;

    /* Nothing has come since the last time. */
    if (session->records.away && session->in.len == 0 && !session->in_ended)
        return session->notified ? 0 : -EAGAIN;
    if (!tls_records_take(&session->records, &session->ssl))
        return -ENOMEM;
    n = read_plain(session, out, size);
    tls_records_give(&session->records, &session->ssl);
    return n;
}

int tls_session_write(struct tls_session *session, struct span plain)
{
    int code;

    if (buf_len(&session->out) >= TLS_OUTPUT_HIGH)
        return -EAGAIN;
    if (!tls_records_take(&session->records, &session->ssl))
        return -ENOMEM;
    /* mbedTLS keeps the record it could not send and must see the very
     * length again. */
    if (session->blocked)
        plain = span_head(plain, session->blocked);
    code = mbedtls_ssl_write(&session->ssl, plain.ptr, plain.len);
    session->blocked = 0;
    tls_records_give(&session->records, &session->ssl);
    if (code > 0)
        return code;
    if (code == MBEDTLS_ERR_SSL_WANT_WRITE)
        session->blocked = plain.len;
    return translate(session, code);
}

int tls_session_shutdown(struct tls_session *session)
{
    int code;

    if (!tls_records_take(&session->records, &session->ssl))
        return -ENOMEM;
    code = mbedtls_ssl_close_notify(&session->ssl);
    return code == 0 ? 0 : translate(session, code);
}

const char *tls_session_error(const struct tls_session *session)
{
    static _Thread_local char text[160];

    text[0] = '\0';
    if (session->code)
        mbedtls_strerror(session->code, text, sizeof(text));
    return text;
}

/* ---- facts ---- */

enum tls_version tls_session_version(const struct tls_session *session)
{
    return (enum tls_version)mbedtls_ssl_get_version_number(&session->ssl);
}

const char *tls_session_suite(const struct tls_session *session)
{
    const char *name = mbedtls_ssl_get_ciphersuite(&session->ssl);

    return name ? name : "";
}

const char *tls_session_alpn(const struct tls_session *session)
{
    return mbedtls_ssl_get_alpn_protocol(&session->ssl);
}

const char *tls_session_server_name(const struct tls_session *session)
{
    return session->server_name ? session->server_name : "";
}

const char *tls_session_label(const struct tls_session *session)
{
    return session->ctx->label ? session->ctx->label : "";
}

bool tls_session_resumed(const struct tls_session *session)
{
    return session->resumed;
}

bool tls_session_peer_verified(const struct tls_session *session)
{
    return session->ctx->asks &&
           mbedtls_ssl_get_peer_cert(&session->ssl) != NULL &&
           mbedtls_ssl_get_verify_result(&session->ssl) == 0;
}

enum tls_peer_check tls_session_peer_check(const struct tls_session *session)
{
    const uint32_t dates =
        MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE |
        MBEDTLS_X509_BADCRL_EXPIRED | MBEDTLS_X509_BADCRL_FUTURE;
    const uint32_t purpose = MBEDTLS_X509_BADCERT_KEY_USAGE |
                             MBEDTLS_X509_BADCERT_EXT_KEY_USAGE |
                             MBEDTLS_X509_BADCERT_NS_CERT_TYPE;
    uint32_t flags;

    if (!session->ctx->asks || !mbedtls_ssl_get_peer_cert(&session->ssl))
        return TLS_PEER_MISSING;
    flags = mbedtls_ssl_get_verify_result(&session->ssl);
    if (flags & ~(dates | purpose))
        return TLS_PEER_UNTRUSTED;
    if (flags & dates)
        return TLS_PEER_DATES;
    return flags ? TLS_PEER_PURPOSE : TLS_PEER_GOOD;
}

bool tls_session_peer_domain(const struct tls_session *session, size_t i,
                             char *out, size_t size)
{
    const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(&session->ssl);
    struct span domain;

    out[0] = '\0';
    if (!crt || !tls_name_sip_domain(crt, i, &domain))
        return false;
    text_printable(domain, out, size);
    return true;
}

void tls_session_refuse(struct tls_session *session)
{
    if (!tls_records_take(&session->records, &session->ssl))
        return;
    (void)mbedtls_ssl_send_alert_message(&session->ssl,
                                         MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                         MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED);
}

bool tls_session_peer_subject(const struct tls_session *session, char *out,
                              size_t size)
{
    const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(&session->ssl);
    char raw[SUBJECT_SIZE];
    int n;

    out[0] = '\0';
    if (!crt)
        return false;
    n = mbedtls_x509_dn_gets(raw, sizeof(raw), &crt->subject);
    text_printable(span_of(raw, n > 0 ? (size_t)n : 0), out, size);
    return true;
}

bool tls_session_peer_name(const struct tls_session *session, size_t i,
                           char *out, size_t size)
{
    const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(&session->ssl);

    return crt && tls_name_get(crt, i, out, size);
}
