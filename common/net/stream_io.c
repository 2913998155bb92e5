/* SPDX-License-Identifier: MIT */
/* The bytes of a stream. Every call of the user's functions may close the
 * stream or pause it, so each is followed by a look at the state; the struct
 * itself is there until the loop's closing phase. */
#include "net/stream_private.h"

#include "base/err.h"
#include "net/worker_private.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    /* Full slabs a stream may read in a turn before the others' turn. */
    READ_ROUNDS = 4,
    RECORD_MAX = 16 * 1024, /* of TLS, plaintext */
    HELD_MAX = WORKER_SLAB_SIZE,
    TLS_HANDSHAKE_RECORD = 0x16,
};

static bool wants_data(const struct stream *stream)
{
    return stream->state == STREAM_OPEN && !stream->paused;
}

/* ---- out ---- */

/* Give the kernel what `buf` holds. False when it does not take all. */
static bool drain(struct stream *stream, struct buf *buf)
{
    while (buf_len(buf) > 0) {
        struct span s = buf_span(buf);
        ssize_t n = send(stream->fd, s.ptr, s.len, MSG_NOSIGNAL);

        if (n >= 0) {
            buf_consume(buf, (size_t)n);
        } else if (errno == EAGAIN) {
            stream->blocked = true;
            return false;
        } else if (errno != EINTR) {
            stream_fail(stream, -errno);
            return false;
        }
    }
    worker_buf_return(stream->worker, buf);
    return true;
}

/* Encrypt and send by turns until one of them is stuck. */
static bool drain_tls(struct stream *stream)
{
    struct tls_session *session = stream->tls->session;
    struct buf *out = tls_session_output(session);

    for (;;) {
        int n;

        if (!drain(stream, out))
            return false;
        if (buf_len(&stream->queue) == 0)
            break;
        worker_buf_borrow(stream->worker, out);
        n = 0;
        while (buf_len(&stream->queue) > 0 && n >= 0) {
            n = tls_session_write(session, buf_span(&stream->queue));
            if (n > 0)
                buf_consume(&stream->queue, (size_t)n);
        }
        if (n < 0 && n != -EAGAIN) {
            stream_fail(stream, n);
            return false;
        }
        /* Nothing to send, yet it wants to wait: for input, then. */
        if (n == -EAGAIN && buf_len(out) == 0)
            return false;
    }
    worker_buf_return(stream->worker, &stream->queue);
    return true;
}

static bool drain_all(struct stream *stream)
{
    return stream->tls ? drain_tls(stream) : drain(stream, &stream->queue);
}

/* The queue is empty: close_notify, FIN. */
static void send_end(struct stream *stream)
{
    if (stream->tls) {
        if (!stream->notify_sent)
            (void)tls_session_shutdown(stream->tls->session); /* or just FIN */
        stream->notify_sent = true;
        if (!drain(stream, tls_session_output(stream->tls->session)))
            return; /* comes back when writable */
    }
    stream->end_sent = true;
    (void)shutdown(stream->fd, SHUT_WR); /* ENOTCONN: reading will tell */
    if (stream->eof)
        stream_fail(stream, 0);
}

void stream_flush(struct stream *stream)
{
    if (stream->blocked || stream->end_sent)
        return;
    if (stream->state != STREAM_OPEN && stream->state != STREAM_LINGER)
        return;
    if (drain_all(stream) && stream->want_end)
        send_end(stream);
}

void stream_notify_writable(struct stream *stream)
{
    if (!stream->above_low || stream->state != STREAM_OPEN ||
        stream_queued(stream) > stream->low_water)
        return;
    stream->above_low = false;
    if (stream->events->on_writable && !stream->want_end)
        stream->events->on_writable(stream, stream->arg);
}

/* ---- in ---- */

static void deliver(struct stream *stream, struct span data)
{
    stats_add(&stream->worker->stream_stats.bytes_in, data.len);
    stream->events->on_data(stream, data, stream->arg);
}

static void on_end_of_input(struct stream *stream)
{
    stream->eof = true;
    if (stream->state == STREAM_LINGER && !stream->end_sent)
        return; /* send_end() will find it */
    if (stream->state != STREAM_OPEN || stream->end_sent ||
        !stream->events->on_end)
        stream_fail(stream, 0);
    else
        stream->events->on_end(stream, stream->arg);
}

/* Fill the plain slab with decrypted bytes. What stopped the filling is in
 * `*ret_stop`: tls_session_read()'s result, 1 when the slab is full. */
static size_t decrypt(struct stream *stream, int *ret_stop)
{
    uint8_t *plain = stream->worker->plain;
    size_t len = 0;

    *ret_stop = 1;
    while (WORKER_SLAB_SIZE - len >= RECORD_MAX) {
        int n = tls_session_read(stream->tls->session, plain + len,
                                 WORKER_SLAB_SIZE - len);

        if (n <= 0) {
            *ret_stop = n;
            break;
        }
        len += (size_t)n;
    }
    return len;
}

/* Decrypt and hand on until input or the user's appetite ends. */
static void process_tls(struct stream *stream)
{
    if (stream->state == STREAM_HANDSHAKE)
        stream_handshake(stream);
    while (wants_data(stream)) {
        int stop;
        size_t len = decrypt(stream, &stop);

        if (len > 0)
            deliver(stream, span_of(stream->worker->plain, len));
        if (stop == 1)
            continue;
        if (!stream_is_live(stream) || stop == -EAGAIN)
            break;
        /* After a pause or shutdown in on_data the end waits: the session
         * gives the same answer again. */
        if (!wants_data(stream))
            break;
        if (stop == 0)
            on_end_of_input(stream);
        else
            stream_fail(stream, stop);
        return;
    }
    /* Alerts, tickets, key updates: whatever the session has to say. */
    if (stream_is_live(stream) && !stream->blocked)
        stream_flush(stream);
}

/* Keep what the session has not consumed (it only stops for a pause). */
static void hold_rest(struct stream *stream)
{
    struct span left = tls_session_input_left(stream->tls->session);

    tls_session_input(stream->tls->session, span_of(NULL, 0));
    if (left.len == 0 || !stream_is_live(stream) ||
        stream->state == STREAM_LINGER)
        return;
    buf_put_span(&stream->tls->held, left);
    if (buf_err(&stream->tls->held))
        stream_fail(stream, -ENOMEM);
}

void stream_process_held(struct stream *stream)
{
    struct buf now;

    if (!stream->tls || stream->paused || stream->eof ||
        (stream->state != STREAM_OPEN && stream->state != STREAM_HANDSHAKE))
        return;
    /* What is left goes back into a fresh buffer. */
    now = stream->tls->held;
    buf_init(&stream->tls->held, HELD_MAX);
    tls_session_input(stream->tls->session, buf_span(&now));
    process_tls(stream);
    if (stream->state != STREAM_CLOSED)
        hold_rest(stream);
    buf_deinit(&now);
}

static void on_tls_bytes(struct stream *stream, struct span bytes)
{
    tls_session_input(stream->tls->session, bytes);
    process_tls(stream);
    if (stream->state != STREAM_CLOSED)
        hold_rest(stream);
}

static void on_bytes(struct stream *stream, struct span bytes)
{
    if (stream->state == STREAM_LINGER)
        return; /* dropped; we wait for the end */
    if (stream->tls)
        on_tls_bytes(stream, bytes);
    else
        deliver(stream, bytes);
}

static void on_eof(struct stream *stream)
{
    if (!stream->tls || stream->state == STREAM_LINGER) {
        on_end_of_input(stream);
        return;
    }
    tls_session_input_end(stream->tls->session);
    process_tls(stream);
    /* on_end has been called, or the failure is on its way; a pause inside
     * on_data just now postpones it to the resume. */
}

/* Plain or TLS? Without consuming the byte. */
static void detect(struct stream *stream)
{
    uint8_t first;
    ssize_t n = recv(stream->fd, &first, 1, MSG_PEEK);
    int err;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        stream_fail(stream, n < 0 ? -errno : ERR_CLOSED);
        return;
    }
    if (first != TLS_HANDSHAKE_RECORD) {
        stream_opened(stream);
        return;
    }
    err = listener_add_tls(stream, stream->arg, stream->ctx);
    if (err < 0)
        stream_fail(stream, err);
}

static bool may_read(const struct stream *stream)
{
    return stream_is_live(stream) && !stream->paused && !stream->eof &&
           stream->state != STREAM_CONNECTING;
}

void stream_on_readable(struct stream *stream)
{
    if (stream->state == STREAM_HEADER)
        listener_on_header(stream);
    if (stream->state == STREAM_FIRST)
        listener_on_first(stream);
    if (stream->state == STREAM_DETECT)
        detect(stream);
    /* Resumed a moment ago: first what came before the pause. */
    if (stream->tls && buf_len(&stream->tls->held) > 0)
        stream_process_held(stream);
    for (int round = 0; round < READ_ROUNDS && may_read(stream); round++) {
        uint8_t *slab = stream->worker->slab;
        ssize_t n;

        if (stream->state < STREAM_HANDSHAKE)
            return; /* these look at the bytes where they are */
        n = recv(stream->fd, slab, WORKER_SLAB_SIZE, 0);
        if (n > 0) {
            on_bytes(stream, span_of(slab, (size_t)n));
            if (n < WORKER_SLAB_SIZE)
                return;
        } else if (n == 0) {
            on_eof(stream);
            return;
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            stream_fail(stream, -errno);
            return;
        }
    }
}
