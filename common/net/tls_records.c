/* SPDX-License-Identifier: MIT */
/* The members of the context are private to mbedTLS, but laid out in its
 * public header, which does not change within 3.6 (its long-term branch, and
 * one name of the shared library). With any other version, and with buffers
 * of varying length, sessions keep what they have. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include "net/tls_records.h"

#include "base/mem.h"

#include <mbedtls/build_info.h>
#include <mbedtls/platform.h>
#include <stdatomic.h>
#include <string.h>

void tls_records_read(struct tls_records *r, const unsigned char *end)
{
    if (!r->in_end || end > r->in_end)
        r->in_end = end;
}

void tls_records_written(struct tls_records *r, const unsigned char *end)
{
    if (!r->out_end || end > r->out_end)
        r->out_end = end;
}

#if MBEDTLS_VERSION_NUMBER >= 0x03060300 &&                                    \
    MBEDTLS_VERSION_NUMBER < 0x03070000 &&                                     \
    !defined(MBEDTLS_SSL_VARIABLE_BUFFER_LENGTH)

enum {
    /* Header and the most that mbedTLS lets a configuration add (a larger one
     * does not compile). Ours are no smaller than its own. */
    OVERHEAD = 13 + 2048 + 256, /* and a connection id */
    IN_SIZE = MBEDTLS_SSL_IN_CONTENT_LEN + OVERHEAD,
    OUT_SIZE = MBEDTLS_SSL_OUT_CONTENT_LEN + OVERHEAD,
};

struct shelf {
    _Atomic(unsigned char *) slots[TLS_RECORDS_KEPT];
};

static struct shelf in_shelf;
static struct shelf out_shelf;

/* Where a thread looks first, so that it gets what it has put there. */
static unsigned home(void)
{
    static _Atomic unsigned threads;
    static _Thread_local unsigned own;

    if (own == 0)
        own = atomic_fetch_add(&threads, 1) + 1;
    return own;
}

static unsigned char *fetch(struct shelf *shelf, size_t size)
{
    unsigned first = home();

    for (unsigned i = 0; i < TLS_RECORDS_KEPT; i++) {
        _Atomic(unsigned char *) *slot =
            &shelf->slots[(first + i) % TLS_RECORDS_KEPT];
        unsigned char *found = atomic_load_explicit(slot, memory_order_relaxed);

        if (found && (found = atomic_exchange(slot, NULL)) != NULL)
            return found;
    }
    return mbedtls_calloc(1, size);
}

static void put(struct shelf *shelf, unsigned char *buffer)
{
    unsigned first = home();

    for (unsigned i = 0; i < TLS_RECORDS_KEPT; i++) {
        _Atomic(unsigned char *) *slot =
            &shelf->slots[(first + i) % TLS_RECORDS_KEPT];
        unsigned char *empty = NULL;

        if (!atomic_load_explicit(slot, memory_order_relaxed) &&
            atomic_compare_exchange_strong(slot, &empty, buffer))
            return;
    }
    mbedtls_free(buffer);
}

/* What mbedTLS points into its buffers with; the incoming ones first. */
static unsigned list(mbedtls_ssl_context *ssl,
                     unsigned char **ret_pointers[TLS_RECORDS_POINTERS],
                     unsigned *ret_n_in)
{
    unsigned n = 0;

    ret_pointers[n++] = &ssl->in_ctr;
    ret_pointers[n++] = &ssl->in_hdr;
    ret_pointers[n++] = &ssl->in_len;
    ret_pointers[n++] = &ssl->in_iv;
    ret_pointers[n++] = &ssl->in_msg;
#if defined(MBEDTLS_SSL_DTLS_CONNECTION_ID)
    ret_pointers[n++] = &ssl->in_cid;
#endif
    *ret_n_in = n;
    ret_pointers[n++] = &ssl->out_ctr;
    ret_pointers[n++] = &ssl->out_hdr;
    ret_pointers[n++] = &ssl->out_len;
    ret_pointers[n++] = &ssl->out_iv;
    ret_pointers[n++] = &ssl->out_msg;
#if defined(MBEDTLS_SSL_DTLS_CONNECTION_ID)
    ret_pointers[n++] = &ssl->out_cid;
#endif
    return n;
}

bool tls_records_take(struct tls_records *r, mbedtls_ssl_context *ssl)
{
    unsigned char **pointers[TLS_RECORDS_POINTERS];
    unsigned char *in;
    unsigned char *out;
    unsigned n_in;
    unsigned n;

    if (!r->away)
        return true;
    in = fetch(&in_shelf, IN_SIZE);
    out = fetch(&out_shelf, OUT_SIZE);
    if (!in || !out) {
        mbedtls_free(in);
        mbedtls_free(out);
        return false;
    }
    ssl->in_buf = in;
    ssl->out_buf = out;
    n = list(ssl, pointers, &n_in);
    for (unsigned i = 0; i < n; i++)
        *pointers[i] = (i < n_in ? in : out) + r->offsets[i];
    memcpy(ssl->in_ctr, r->counter, sizeof(r->counter));
    r->away = false;
    return true;
}

/* No record, whole or in part, no message and no alert is under way. */
static bool between_records(const mbedtls_ssl_context *ssl)
{
    return ssl->state == MBEDTLS_SSL_HANDSHAKE_OVER && ssl->in_left == 0 &&
           !ssl->in_offt && ssl->in_msglen == 0 && ssl->in_hslen == 0 &&
           ssl->badmac_seen_or_in_hsfraglen == 0 &&
           ssl->keep_current_message == 0 && ssl->send_alert == 0 &&
           ssl->out_left == 0;
}

/* Of mbedTLS itself, without a place in its headers. */
void mbedtls_ssl_handshake_free(mbedtls_ssl_context *ssl);
void mbedtls_ssl_transform_free(mbedtls_ssl_transform *transform);

/* After a handshake of TLS 1.3 mbedTLS keeps everything it was made with, in
 * case a client gets a ticket later; a server needs none of it. After one of
 * TLS 1.2 it has released the same things in the same way. */
static void forget_handshake(mbedtls_ssl_context *ssl)
{
    if (!ssl->handshake || ssl->session_negotiate ||
        mbedtls_ssl_conf_get_endpoint(ssl->conf) != MBEDTLS_SSL_IS_SERVER)
        return;
    mbedtls_ssl_handshake_free(ssl);
    mbedtls_free(ssl->handshake);
    ssl->handshake = NULL;
    mbedtls_ssl_transform_free(ssl->transform_negotiate);
    mbedtls_free(ssl->transform_negotiate);
    ssl->transform_negotiate = NULL;
}

static void wipe(unsigned char *from, const unsigned char *end)
{
    if (end)
        mem_wipe(from, (size_t)(end - from));
}

void tls_records_give(struct tls_records *r, mbedtls_ssl_context *ssl)
{
    unsigned char **pointers[TLS_RECORDS_POINTERS];
    unsigned n_in;
    unsigned n;

    if (r->away || !between_records(ssl))
        return;
    forget_handshake(ssl);
    memcpy(r->counter, ssl->in_ctr, sizeof(r->counter));
    n = list(ssl, pointers, &n_in);
    for (unsigned i = 0; i < n; i++) {
        const unsigned char *start = i < n_in ? ssl->in_buf : ssl->out_buf;

        r->offsets[i] = *pointers[i] ? (uint16_t)(*pointers[i] - start) : 0;
        *pointers[i] = NULL;
    }
    wipe(ssl->in_buf, r->in_end);
    wipe(ssl->out_buf, r->out_end);
    put(&in_shelf, ssl->in_buf);
    put(&out_shelf, ssl->out_buf);
    ssl->in_buf = NULL;
    ssl->out_buf = NULL;
    r->in_end = NULL;
    r->out_end = NULL;
    r->away = true;
}

#else

bool tls_records_take(struct tls_records *r, mbedtls_ssl_context *ssl)
{
    (void)r;
    (void)ssl;
    return true;
}

void tls_records_give(struct tls_records *r, mbedtls_ssl_context *ssl)
{
    (void)r;
    (void)ssl;
}

#endif
