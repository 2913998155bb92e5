/* SPDX-License-Identifier: MIT */
/* One DTLS session: mbedTLS between a datagram in memory and udp_send(). */
#include "net/dtls_private.h"

#include "base/err.h"

#include <errno.h>

enum {
    /* mbedTLS' first retransmission time-out, which we scale. */
    MBEDTLS_FIRST_MS = MBEDTLS_SSL_DTLS_TIMEOUT_DFL_MIN,
};

/* ---- the transport under mbedTLS ---- */

static int bio_send(void *arg, const unsigned char *data, size_t len)
{
    struct dtls_session *s = arg;

    /* What does not leave is lost, as it may be anywhere on the way. */
    s->send_err = udp_send(s->udp, &s->dest, span_of(data, len));
    return (int)len;
}

/* Take the next record off the input; empty at the end. */
static struct span take_record(struct dtls_session *s)
{
    struct span record = s->in;
    size_t len;

    if (record.len >= DTLS_RECORD_HEADER) {
        len = (size_t)(record.ptr[11] << 8 | record.ptr[12]);
        record = span_head(record, DTLS_RECORD_HEADER + len);
    }
    s->in = span_from(s->in, record.len);
    return record;
}

/* Unencrypted records are nothing to an open session: they could be anybody's
 * alert or ClientHello. */
static bool is_plain(struct span record)
{
    return record.len >= DTLS_RECORD_HEADER && record.ptr[3] == 0 &&
           record.ptr[4] == 0;
}

/* Alone with its record, mbedTLS cannot let one bad record spoil others. */
static int bio_recv(void *arg, unsigned char *out, size_t size)
{
    struct dtls_session *s = arg;

    for (;;) {
        struct span record = take_record(s);

        if (record.len == 0)
            return MBEDTLS_ERR_SSL_WANT_READ;
        /* What is not part of a handshake has to turn out good, see dtls.c. */
        if (s->is_open && record.ptr[0] != DTLS_HANDSHAKE &&
            record.ptr[0] != DTLS_CHANGE_CIPHER_SPEC)
            s->read++;
        if (record.len < DTLS_RECORD_HEADER || record.len > size ||
            (s->is_open && is_plain(record)))
            continue;
        memcpy(out, record.ptr, record.len);
        return (int)record.len;
    }
}

/* ---- its timer ---- */

static void set_timer(void *arg, uint32_t intermediate_ms, uint32_t final_ms)
{
    struct dtls_session *s = arg;
    uint64_t first = s->dtls->options.retransmit_ms;

    (void)intermediate_ms; /* means nothing to mbedTLS when it asks us */
    s->resend_at = TIMERS_NEVER;
    if (final_ms > 0)
        s->resend_at =
            worker_now(s->dtls->worker) +
            (final_ms * first + MBEDTLS_FIRST_MS - 1) / MBEDTLS_FIRST_MS;
}

static int get_timer(void *arg)
{
    struct dtls_session *s = arg;

    if (s->resend_at == TIMERS_NEVER)
        return -1;
    return worker_now(s->dtls->worker) >= s->resend_at ? 2 : 0;
}

void dtls_session_arm(struct dtls_session *s)
{
    uint64_t at = s->limit_at;

    if (!s->is_open && s->resend_at < at)
        at = s->resend_at;
    alarm_set(&s->alarm, at);
}

/* ---- life ---- */

int dtls_session_init(struct dtls_session *s, struct tls_ctx *ctx)
{
    mbedtls_ssl_init(&s->ssl);
    s->resend_at = TIMERS_NEVER;
    if (mbedtls_ssl_setup(&s->ssl, &ctx->dtls) != 0) {
        mbedtls_ssl_free(&s->ssl);
        return -ENOMEM;
    }
    s->ctx = tls_ctx_ref(ctx);
    mbedtls_ssl_set_bio(&s->ssl, s, bio_send, bio_recv, NULL);
    mbedtls_ssl_set_timer_cb(&s->ssl, s, set_timer, get_timer);
    mbedtls_ssl_set_mtu(&s->ssl, DTLS_HANDSHAKE_MTU);
    return 0;
}

void dtls_session_deinit(struct dtls_session *s)
{
    mbedtls_ssl_free(&s->ssl);
    tls_ctx_unref(s->ctx);
}

/* ---- bytes ---- */

enum dtls_result dtls_session_handshake(struct dtls_session *s)
{
    int code = mbedtls_ssl_handshake(&s->ssl);

    if (code == MBEDTLS_ERR_SSL_WANT_READ)
        return DTLS_MORE;
    s->code = code;
    if (code != 0)
        return DTLS_FAILED;
    /* How long a record may be is the user's business from now on. */
    mbedtls_ssl_set_mtu(&s->ssl, 0);
    return DTLS_OPENED;
}

enum dtls_result dtls_session_read(struct dtls_session *s, uint8_t *out,
                                   size_t size, size_t *ret_len)
{
    int code = mbedtls_ssl_read(&s->ssl, out, size);

    if (code > 0) {
        *ret_len = (size_t)code;
        return DTLS_DATA;
    }
    if (code == MBEDTLS_ERR_SSL_WANT_READ)
        return DTLS_MORE;
    if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        return DTLS_ENDED;
    s->code = code;
    return DTLS_FAILED;
}

int dtls_session_write(struct dtls_session *s, struct span plain, uint8_t tos)
{
    int code;

    if (plain.len == 0)
        return -EINVAL;
    s->dest.tos = tos;
    s->dest.has_tos = tos != 0;
    s->send_err = 0;
    code = mbedtls_ssl_write(&s->ssl, plain.ptr, plain.len);
    s->dest.has_tos = false;
    if (code == MBEDTLS_ERR_SSL_BAD_INPUT_DATA)
        return -EMSGSIZE;
    if (code < 0) {
        s->code = code;
        return ERR_TLS;
    }
    return s->send_err;
}

void dtls_session_notify(struct dtls_session *s)
{
    (void)mbedtls_ssl_close_notify(&s->ssl);
}
