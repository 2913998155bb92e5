/* SPDX-License-Identifier: MIT */
#include "net/stream_private.h"

#include "base/err.h"
#include "base/mem.h"
#include "net/sock.h"
#include "net/worker_private.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    MAX_QUEUED_DEFAULT = 256 * 1024,
    LINGER_MS_DEFAULT = 5000,
    CONNECT_MS_DEFAULT = 10000,
    /* Writes up to here are gathered until the end of the turn: one packet
     * or TLS record instead of many. */
    GATHER_MAX = 16 * 1024,
    /* A single write this large goes to the kernel without being copied. */
    DIRECT_MIN = 4 * 1024,
    IOV_PARTS_MAX = 16,
};

static void on_poll(uv_poll_t *poll, int status, int events);

/* ---- life ---- */

static void on_handle_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

/* Everything but the struct, which libuv still needs. */
static void release(struct stream *stream)
{
    stream->state = STREAM_CLOSED;
    worker_task_cancel(&stream->task);
    alarm_cancel(&stream->alarm);
    list_remove(&stream->node);
    if (stream->limit) {
        conn_limit_give(stream->limit, &stream->peer);
        conn_limit_unref(stream->limit);
    }
    if (stream->tls) {
        tls_session_free(stream->tls->session);
        buf_deinit(&stream->tls->held);
        mem_free(stream->tls);
    }
    tls_ctx_unref(stream->ctx);
    mem_free((void *)(uintptr_t)stream->preface.ptr);
    buf_deinit(&stream->queue);
    stats_dec(&stream->worker->stream_stats.open);
    uv_close((uv_handle_t *)&stream->poll, on_handle_closed);
    close(stream->fd);
}

static void count_failure(struct stream *stream, bool was_client)
{
    struct stream_stats *stats = &stream->worker->stream_stats;

    if (stream->state == STREAM_HANDSHAKE)
        stats_inc(&stats->handshake_failed);
    if (was_client)
        stats_inc(&stats->connect_failed);
}

void stream_fail(struct stream *stream, int err)
{
    bool handshake = stream->state == STREAM_HANDSHAKE;

    if (!stream_is_live(stream))
        return;
    if (stream->state < STREAM_OPEN)
        count_failure(stream, stream->is_client);
    /* An alert tells the peer why. */
    if (handshake && stream->tls) {
        struct span alert = buf_span(tls_session_output(stream->tls->session));

        (void)!send(stream->fd, alert.ptr, alert.len, MSG_NOSIGNAL);
    }
    stream->state = STREAM_FAILED;
    stream->err = err;
    alarm_cancel(&stream->alarm);
    stream_update_poll(stream);
    worker_defer(stream->worker, &stream->task);
}

static void on_task(struct worker_task *task)
{
    struct stream *stream = CONTAINER_OF(task, struct stream, task);

    if (stream->state == STREAM_FAILED) {
        stream->state = STREAM_CLOSED; /* stream_close() is harmless now */
        stream->events->on_closed(stream, stream->err, stream->arg);
        release(stream);
        return;
    }
    stream_flush(stream);
    if (stream_is_live(stream))
        stream_process_held(stream);
    if (stream_is_live(stream))
        stream_notify_writable(stream);
    stream_update_poll(stream);
}

static void on_alarm(struct alarm *alarm, uint64_t now)
{
    (void)now;
    /* Connecting, handshake and linger are what is timed. */
    stream_fail(CONTAINER_OF(alarm, struct stream, alarm), -ETIMEDOUT);
}

static uint32_t or_default(size_t value, uint32_t fallback)
{
    if (value == 0)
        return fallback;
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

int stream_new(struct stream **ret_stream, struct worker *worker, int fd,
               const struct addr *peer, const struct stream_options *options)
{
    struct stream *stream = mem_zalloc(sizeof(*stream));
    int err = -ENOMEM;

    if (!stream)
        goto fail;
    err = uv_poll_init(&worker->loop, &stream->poll, fd);
    if (err < 0)
        goto fail;
    stream->poll.data = stream;
    stream->worker = worker;
    stream->fd = fd;
    stream->peer = *peer;
    (void)sock_local(fd, &stream->local);
    stream->max_queued = or_default(options->max_queued, MAX_QUEUED_DEFAULT);
    stream->low_water = or_default(options->low_water, stream->max_queued / 4);
    stream->linger_ms = or_default(options->linger_ms, LINGER_MS_DEFAULT);
    buf_init(&stream->queue, stream->max_queued);
    worker_task_init(&stream->task, on_task);
    alarm_init(&stream->alarm, worker, on_alarm);
    list_init(&stream->node);
    sock_tune_tcp(fd, options->keepalive_s);
    stats_inc(&worker->stream_stats.open);
    *ret_stream = stream;
    return 0;

fail:
    mem_free(stream);
    close(fd);
    return err;
}

int stream_add_tls(struct stream *stream, struct tls_ctx *ctx,
                   const struct tls_peer *peer)
{
    struct stream_tls *tls = mem_zalloc(sizeof(*tls));
    int err = -ENOMEM;

    if (!tls)
        return err;
    buf_init(&tls->held, WORKER_SLAB_SIZE);
    err = tls_session_new(&tls->session, ctx, peer);
    if (err < 0) {
        mem_free(tls);
        return err;
    }
    stream->tls = tls;
    return 0;
}

/* ---- progress ---- */

static uint8_t wanted_mask(const struct stream *stream)
{
    uint8_t mask = 0;

    if (!stream_is_live(stream))
        return 0;
    if (stream->state == STREAM_CONNECTING)
        return UV_WRITABLE;
    if (!stream->paused && !stream->eof)
        mask |= UV_READABLE;
    if (stream->blocked)
        mask |= UV_WRITABLE;
    /* One that is only waited for is still watched: a peer that is gone
     * would else be noticed when there is something to say. */
    if (stream->paused && !stream->left && stream->state == STREAM_OPEN)
        mask |= UV_DISCONNECT;
    return mask;
}

void stream_update_poll(struct stream *stream)
{
    uint8_t mask = wanted_mask(stream);

    if (stream->state == STREAM_CLOSED || mask == stream->poll_mask)
        return;
    stream->poll_mask = mask;
    if (mask)
        uv_poll_start(&stream->poll, mask, on_poll);
    else
        uv_poll_stop(&stream->poll);
}

void stream_opened(struct stream *stream)
{
    struct stream_stats *stats = &stream->worker->stream_stats;

    alarm_cancel(&stream->alarm);
    stream->state = STREAM_OPEN;
    stats_inc(&stats->opened);
    if (stream->tls) {
        stats_inc(&stats->handshakes);
        if (tls_session_resumed(stream->tls->session))
            stats_inc(&stats->handshakes_resumed);
    }
    tls_ctx_unref(stream->ctx);
    stream->ctx = NULL;
    if (stream->is_ending) {
        stream_shutdown(stream);
        return;
    }
    if (buf_len(&stream->queue) > 0 || stream->want_end)
        worker_defer(stream->worker, &stream->task);
    if (stream->events->on_open)
        stream->events->on_open(stream, stream->arg);
}

/* Handshake output goes out at once; what the kernel does not take waits for
 * it to be writable, as everything else. */
static bool send_output(struct stream *stream)
{
    struct buf *out = tls_session_output(stream->tls->session);

    while (buf_len(out) > 0 && !stream->blocked) {
        struct span s = buf_span(out);
        ssize_t n = send(stream->fd, s.ptr, s.len, MSG_NOSIGNAL);

        if (n >= 0)
            buf_consume(out, (size_t)n);
        else if (errno == EAGAIN)
            stream->blocked = true;
        else if (errno != EINTR)
            return false;
    }
    worker_buf_return(stream->worker, out);
    return true;
}

void stream_handshake(struct stream *stream)
{
    int err = tls_session_handshake(stream->tls->session);

    if (err == 0 || err == -EAGAIN) {
        if (!send_output(stream))
            err = -errno;
    }
    if (err == 0)
        stream_opened(stream);
    else if (err != -EAGAIN)
        stream_fail(stream, err);
}

/* A new connection takes so little as a whole. */
static int send_preface(struct stream *stream)
{
    struct span preface = stream->preface;
    ssize_t n;

    if (preface.len == 0)
        return 0;
    n = send(stream->fd, preface.ptr, preface.len, MSG_NOSIGNAL);
    if (n < 0)
        return -errno;
    return (size_t)n == preface.len ? 0 : ERR_LIMIT;
}

static void on_connected(struct stream *stream)
{
    int err = sock_error(stream->fd);

    if (err == 0)
        err = send_preface(stream);
    if (err < 0) {
        stream_fail(stream, err);
        return;
    }
    (void)sock_local(stream->fd, &stream->local);
    if (!stream->tls) {
        stream_opened(stream);
        return;
    }
    stream->state = STREAM_HANDSHAKE;
    stream_handshake(stream);
}

static void on_writable(struct stream *stream)
{
    stream->blocked = false;
    if (stream->state == STREAM_CONNECTING)
        on_connected(stream);
    else if (stream->state == STREAM_HANDSHAKE)
        stream_handshake(stream);
    else
        stream_flush(stream);
    if (stream_is_live(stream))
        stream_notify_writable(stream);
}

/* The peer closed, or is gone. */
static void on_disconnected(struct stream *stream)
{
    int err = sock_error(stream->fd);

    stream->left = true;
    if (err < 0)
        stream_fail(stream, err);
    else if (stream->events->on_left)
        stream->events->on_left(stream, stream->arg);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct stream *stream = poll->data;

    /* An error on the descriptor: libuv has stopped watching. Reading and
     * writing will say what it is. */
    if (status < 0) {
        events = stream->poll_mask;
        stream->poll_mask = 0;
    }
    if ((events & UV_WRITABLE) && stream_is_live(stream))
        on_writable(stream);
    if ((events & UV_DISCONNECT) && stream_is_live(stream) && stream->paused)
        on_disconnected(stream);
    if ((events & UV_READABLE) && stream_is_live(stream))
        stream_on_readable(stream);
    stream_update_poll(stream);
}

/* ---- connecting ---- */

static int start_connect(int fd, const struct stream_target *target)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(&target->to, &sa);
    int err = 0;

    if (target->tos)
        err = sock_set_tos(fd, target->to.family, target->tos);
    if (err == 0 && target->share_port)
        err = sock_share_port(fd);
    if (err == 0 && target->from.family != ADDR_NONE)
        err = sock_bind(fd, &target->from);
    if (err == 0 && connect(fd, (struct sockaddr *)&sa, len) < 0 &&
        errno != EINPROGRESS)
        err = -errno;
    return err;
}

static int copy_preface(struct stream *stream, struct span preface)
{
    if (preface.len == 0)
        return 0;
    if (preface.len > STREAM_PREFACE_MAX)
        return ERR_LIMIT;
    stream->preface.ptr = mem_dup(preface.ptr, preface.len);
    stream->preface.len = preface.len;
    return stream->preface.ptr ? 0 : -ENOMEM;
}

static int add_client_tls(struct stream *stream,
                          const struct stream_target *target)
{
    struct tls_peer peer = {target->server_name, target->verify_name};

    return target->tls ? stream_add_tls(stream, target->tls, &peer) : 0;
}

int stream_connect(struct stream **ret_stream, struct worker *worker,
                   const struct stream_target *target,
                   const struct stream_events *events, void *arg)
{
    unsigned timeout =
        target->timeout_ms ? target->timeout_ms : CONNECT_MS_DEFAULT;
    struct stream *stream;
    int fd = sock_open(&target->to, SOCK_STREAM);
    int err;

    if (fd < 0)
        return fd;
    err = start_connect(fd, target);
    if (err < 0) {
        close(fd);
        return err;
    }
    err = stream_new(&stream, worker, fd, &target->to, &target->options);
    if (err < 0)
        return err;
    stream->is_client = true;
    stream_set_events(stream, events, arg);
    err = copy_preface(stream, target->preface);
    if (err == 0)
        err = add_client_tls(stream, target);
    if (err < 0) {
        release(stream);
        return err;
    }
    stats_inc(&worker->stream_stats.connects);
    alarm_set(&stream->alarm, worker_now(worker) + timeout);
    stream_update_poll(stream);
    *ret_stream = stream;
    return 0;
}

void stream_set_events(struct stream *stream,
                       const struct stream_events *events, void *arg)
{
    stream->events = events;
    stream->arg = arg;
}

/* ---- writing ---- */

static size_t total_len(const struct span *parts, size_t n)
{
    size_t total = 0;

    for (size_t i = 0; i < n; i++)
        total += parts[i].len;
    return total;
}

static int append(struct stream *stream, const struct span *parts, size_t n,
                  size_t skip)
{
    worker_buf_borrow(stream->worker, &stream->queue);
    for (size_t i = 0; i < n; i++) {
        size_t gone = skip < parts[i].len ? skip : parts[i].len;

        buf_put_span(&stream->queue, span_from(parts[i], gone));
        skip -= gone;
    }
    if (buf_err(&stream->queue) == 0)
        return 0;
    /* A stream with a gap is of no use. */
    stream_fail(stream, -ENOMEM);
    return -ENOMEM;
}

/* How much the kernel took without a copy; a failure shows at the next
 * flush. */
static size_t send_direct(struct stream *stream, const struct span *parts,
                          size_t n)
{
    struct iovec iov[IOV_PARTS_MAX];
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = n};
    ssize_t sent;

    for (size_t i = 0; i < n; i++) {
        iov[i].iov_base = (void *)(uintptr_t)parts[i].ptr;
        iov[i].iov_len = parts[i].len;
    }
    sent = sendmsg(stream->fd, &msg, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN)
        stream->blocked = true;
    return sent > 0 ? (size_t)sent : 0;
}

static bool may_send_direct(const struct stream *stream, size_t total, size_t n)
{
    return !stream->tls && stream->state == STREAM_OPEN && !stream->blocked &&
           buf_len(&stream->queue) == 0 && total >= DIRECT_MIN &&
           n <= IOV_PARTS_MAX;
}

int stream_writev(struct stream *stream, const struct span *parts, size_t n)
{
    struct stream_stats *stats = &stream->worker->stream_stats;
    size_t total = total_len(parts, n);
    size_t sent = 0;

    if (stream->state > STREAM_OPEN || stream->want_end)
        return ERR_STATE;
    if (total > stream_room(stream)) {
        stats_inc(&stats->queue_limit);
        return ERR_LIMIT;
    }
    stats_add(&stats->bytes_out, total);
    if (may_send_direct(stream, total, n))
        sent = send_direct(stream, parts, n);
    if (sent < total && append(stream, parts, n, sent) < 0)
        return -ENOMEM;
    if (buf_len(&stream->queue) >= GATHER_MAX)
        stream_flush(stream);
    if (stream_queued(stream) > stream->low_water)
        stream->above_low = true;
    if (stream_is_live(stream) &&
        (buf_len(&stream->queue) > 0 || stream->above_low))
        worker_defer(stream->worker, &stream->task);
    stream_update_poll(stream);
    return 0;
}

int stream_write(struct stream *stream, struct span bytes)
{
    return stream_writev(stream, &bytes, 1);
}

size_t stream_queued(const struct stream *stream)
{
    size_t queued = buf_len(&stream->queue);

    if (stream->tls)
        queued += buf_len(tls_session_output(stream->tls->session));
    return queued;
}

size_t stream_unacked(const struct stream *stream)
{
    int bytes = 0;

    if (!stream_is_live(stream) || ioctl(stream->fd, SIOCOUTQ, &bytes) < 0)
        return 0;
    return bytes > 0 ? (size_t)bytes : 0;
}

size_t stream_room(const struct stream *stream)
{
    size_t queued = stream_queued(stream);

    return queued < stream->max_queued ? stream->max_queued - queued : 0;
}

/* ---- reading, ending ---- */

void stream_set_queue(struct stream *stream, size_t max_queued,
                      size_t low_water)
{
    stream->max_queued = or_default(max_queued, MAX_QUEUED_DEFAULT);
    stream->low_water = or_default(low_water, stream->max_queued / 4);
    stream->queue.max = stream->max_queued;
}

void stream_pause(struct stream *stream)
{
    if (stream->state >= STREAM_LINGER)
        return;
    stream->paused = true;
    stream_update_poll(stream);
}

void stream_resume(struct stream *stream)
{
    if (!stream->paused)
        return;
    stream->paused = false;
    /* TLS may hold what came before the pause. */
    if (stream->tls && stream_is_live(stream))
        worker_defer(stream->worker, &stream->task);
    stream_update_poll(stream);
}

bool stream_is_paused(const struct stream *stream)
{
    return stream->paused;
}

void stream_end(struct stream *stream)
{
    if (!stream_is_live(stream) || stream->want_end)
        return;
    stream->want_end = true;
    worker_defer(stream->worker, &stream->task);
}

void stream_shutdown(struct stream *stream)
{
    if (!stream_is_live(stream) || stream->state == STREAM_LINGER)
        return;
    stream->want_end = true;
    stream->is_ending = true;
    if (stream->state != STREAM_OPEN)
        return; /* when connected; the time-out of that runs */
    stream->state = STREAM_LINGER;
    stream->paused = false;
    alarm_set(&stream->alarm, worker_now(stream->worker) + stream->linger_ms);
    if (stream->end_sent && stream->eof)
        stream_fail(stream, 0);
    worker_defer(stream->worker, &stream->task);
    stream_update_poll(stream);
}

void stream_refuse(struct stream *stream)
{
    if (stream->tls && stream->state == STREAM_OPEN)
        tls_session_refuse(stream->tls->session);
    stream_shutdown(stream);
}

void stream_close(struct stream *stream)
{
    if (!stream || stream->state == STREAM_CLOSED)
        return;
    release(stream);
}

void stream_abort(struct stream *stream)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    if (!stream || stream->state == STREAM_CLOSED)
        return;
    (void)setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    release(stream);
}

const struct addr *stream_peer(const struct stream *stream)
{
    return &stream->peer;
}

const struct addr *stream_local(const struct stream *stream)
{
    return &stream->local;
}

struct worker *stream_worker(const struct stream *stream)
{
    return stream->worker;
}

void stream_set_mark(struct stream *stream, uint32_t mark)
{
    stream->mark = mark;
}

uint32_t stream_mark(const struct stream *stream)
{
    return stream->mark;
}

const struct tls_session *stream_tls(const struct stream *stream)
{
    return stream->tls ? stream->tls->session : NULL;
}

const struct stream_stats *stream_stats(struct worker *worker)
{
    return &worker->stream_stats;
}
