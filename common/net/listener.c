/* SPDX-License-Identifier: MIT */
#include "net/listener.h"

#include "base/cidr.h"
#include "base/err.h"
#include "base/first_bytes.h"
#include "base/mem.h"
#include "net/bind.h"
#include "net/handshake_rate.h"
#include "net/proxy_protocol.h"
#include "net/sock.h"
#include "net/stream_private.h"
#include "net/worker_private.h"

#define LOG_COMPONENT "net"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BACKLOG = 1024,
    HANDSHAKE_MS_DEFAULT = 10000,
    MAX_WAITING_DEFAULT = 1024,
    ACCEPT_BUDGET_DEFAULT = 64,
    /* How long to leave the queue alone when the system is out of memory or
     * descriptors and even the spare one does not help. */
    REST_MS = 100,
};

struct listener {
    uv_poll_t poll;
    struct worker *worker;
    struct listener_options options;
    struct cidr *proxy_from; /* what options.proxy_from points to */
    struct addr bound;
    struct list waiting; /* struct stream.node: not ready yet */
    unsigned n_waiting;
    struct alarm rest;
    int fd;
    int spare_fd; /* given up for a moment to refuse when none are left */
    bool closing;
    struct listener_stats stats;
};

/* ---- connections on their way ---- */

static void leave_waiting(struct stream *stream, struct listener *listener)
{
    list_remove(&stream->node);
    listener->n_waiting--;
    stats_dec(&listener->stats.waiting);
}

static void hand_on(struct stream *stream, struct listener *listener)
{
    const struct stream_events *before = stream->events;

    stats_inc(&listener->stats.ready);
    listener->options.on_accept(listener, stream, listener->options.arg);
    if (stream->state != STREAM_CLOSED && stream->events == before)
        stream_close(stream);
}

static void on_ready(struct stream *stream, void *arg)
{
    struct listener *listener = arg;

    leave_waiting(stream, listener);
    hand_on(stream, listener);
}

/* What the functions below fail with, and everything else. */
static uint64_t *failure_counter(struct listener *listener, int err)
{
    struct listener_stats *stats = &listener->stats;

    switch (err) {
    case -ETIMEDOUT:
        return &stats->handshake_timeout;
    case ERR_PARSE:
        return &stats->bad_header;
    case ERR_LIMIT:
        return &stats->refused_total;
    case ERR_DENIED:
        return &stats->refused_source;
    case ERR_STATE:
        return &stats->refused_first;
    case -EBUSY:
        return &stats->refused_rate;
    case -EDQUOT:
        return &stats->refused_rate_source;
    default:
        return &stats->handshake_failed;
    }
}

static void on_never_ready(struct stream *stream, int err, void *arg)
{
    struct listener *listener = arg;

    leave_waiting(stream, listener);
    stats_inc(failure_counter(listener, err));
    if (log_is_on(LOG_LEVEL_DEBUG)) {
        const struct tls_session *session = stream_tls(stream);
        char peer[ADDR_TEXT_SIZE];

        log_debug("connection never got ready peer=%s reason=\"%s\" tls=\"%s\"",
                  addr_str(stream_peer(stream), peer), err_str(err),
                  session ? tls_session_error(session) : "");
    }
}

static void on_early_data(struct stream *stream, struct span data, void *arg)
{
    (void)stream; /* not ready, no data: the engine holds it */
    (void)data;
    (void)arg;
}

static const struct stream_events waiting_events = {
    .on_open = on_ready,
    .on_data = on_early_data,
    .on_closed = on_never_ready,
};

int listener_add_tls(struct stream *stream, struct listener *listener,
                     struct tls_ctx *tls)
{
    int err;

    switch (handshake_rate_take(listener->options.rate, &stream->peer,
                                worker_now(listener->worker))) {
    case HANDSHAKE_TOTAL:
        return -EBUSY;
    case HANDSHAKE_SOURCE:
        return -EDQUOT;
    case HANDSHAKE_OK:
        break;
    }
    err = stream_add_tls(stream, tls, NULL);
    if (err == 0)
        stream->state = STREAM_HANDSHAKE;
    return err;
}

/* The state that comes first, or after the front end's header. STREAM_OPEN:
 * it is ready. Returns 0 or what the TLS session fails with. */
static int begin(struct listener *listener, struct stream *stream)
{
    int err = 0;

    switch (listener->options.mode) {
    case LISTENER_PLAIN:
        stream->state = STREAM_OPEN;
        break;
    case LISTENER_DETECT:
        stream->state = STREAM_DETECT;
        break;
    case LISTENER_CHOOSE:
        stream->state = STREAM_FIRST;
        break;
    case LISTENER_TLS:
        err = listener_add_tls(stream, listener, listener->options.tls);
        break;
    }
    return err;
}

static int wait_for_ready(struct listener *listener, struct stream *stream,
                          bool is_fronted)
{
    int err = 0;

    if (is_fronted)
        stream->state = STREAM_HEADER;
    else
        err = begin(listener, stream);
    if (err < 0)
        return err;
    if (listener->options.tls)
        stream->ctx = tls_ctx_ref(listener->options.tls);
    stream_set_events(stream, &waiting_events, listener);
    list_push_back(&listener->waiting, &stream->node);
    listener->n_waiting++;
    stats_inc(&listener->stats.waiting);
    alarm_set(&stream->alarm, worker_now(listener->worker) +
                                  listener->options.handshake_timeout_ms);
    stream_update_poll(stream);
    return 0;
}

static void hand_on_plain(struct listener *listener, struct stream *stream)
{
    stream_set_events(stream, &waiting_events, listener);
    stream->state = STREAM_OPEN;
    stats_inc(&listener->worker->stream_stats.opened);
    hand_on(stream, listener);
    stream_update_poll(stream);
}

/* ---- limits ---- */

/* A place for this client. Returns 0, ERR_LIMIT (in all), ERR_DENIED (of this
 * source). */
static int take_place(struct listener *listener, const struct addr *client)
{
    if (!listener->options.limit)
        return 0;
    switch (conn_limit_take(listener->options.limit, client)) {
    case CONN_OK:
        return 0;
    case CONN_TOTAL_REACHED:
        return ERR_LIMIT;
    case CONN_SOURCE_REACHED:
        return ERR_DENIED;
    }
    return ERR_LIMIT;
}

/* The place is the stream's now. */
static void hold_place(struct listener *listener, struct stream *stream)
{
    if (listener->options.limit)
        stream->limit = conn_limit_ref(listener->options.limit);
}

/* ---- front ends ---- */

/* The first bytes are looked at where they are, in the kernel. Do not wake up
 * again before there are `need` of them. Returns 0, or ERR_CLOSED when there
 * never will be. */
static int wait_for_more(struct stream *stream, size_t need)
{
    struct pollfd p = {.fd = stream->fd, .events = POLLRDHUP};

    if (poll(&p, 1, 0) > 0)
        return ERR_CLOSED;
    stream->waits = true;
    return sock_set(stream->fd, SOL_SOCKET, SO_RCVLOWAT, (int)need);
}

static int wait_no_more(struct stream *stream)
{
    if (!stream->waits)
        return 0;
    stream->waits = false;
    return sock_set(stream->fd, SOL_SOCKET, SO_RCVLOWAT, 1);
}

/* Take the header out of the kernel's queue. Returns 0; -EAGAIN: not there
 * yet; ERR_CLOSED, ERR_PARSE, -errno. */
static int read_header(struct stream *stream, struct proxy_header *ret_header)
{
    uint8_t *slab = stream->worker->slab;
    ssize_t n = recv(stream->fd, slab, PROXY_HEADER_MAX, MSG_PEEK);
    int err;

    if (n < 0)
        return errno == EINTR ? -EAGAIN : -errno;
    if (n == 0)
        return ERR_CLOSED;
    err = proxy_header_read(span_of(slab, (size_t)n), ret_header);
    if (err == ERR_TRUNCATED) {
        err = wait_for_more(stream, (size_t)n + 1);
        return err < 0 ? err : -EAGAIN;
    }
    if (err < 0)
        return ERR_PARSE;
    n = recv(stream->fd, slab, ret_header->len, 0);
    if (n < 0 || (size_t)n != ret_header->len)
        return ERR_CLOSED;
    return wait_no_more(stream);
}

void listener_on_header(struct stream *stream)
{
    struct listener *listener = stream->arg;
    struct proxy_header header = {0};
    int err = read_header(stream, &header);

    if (err == -EAGAIN)
        return;
    if (err == 0 && header.has_addrs) {
        stream->peer = header.source;
        stats_inc(&listener->stats.proxied);
    }
    if (err == 0)
        err = take_place(listener, &stream->peer);
    if (err == 0) {
        hold_place(listener, stream);
        err = begin(listener, stream);
    }
    if (err < 0)
        stream_fail(stream, err);
    else if (stream->state == STREAM_OPEN)
        stream_opened(stream);
}

/* ---- what comes first ---- */

/* Returns 0; -EAGAIN: not enough is there yet; ERR_CLOSED, ERR_STATE (it
 * cannot be read), -errno. */
static int read_first(struct stream *stream, struct first_bytes *ret_first)
{
    uint8_t *slab = stream->worker->slab;
    ssize_t n = recv(stream->fd, slab, FIRST_BYTES_MAX, MSG_PEEK);
    size_t need;
    int err;

    if (n < 0)
        return errno == EINTR ? -EAGAIN : -errno;
    if (n == 0)
        return ERR_CLOSED;
    err = first_bytes_read(span_of(slab, (size_t)n), stream->worker->plain,
                           ret_first, &need);
    if (err == ERR_TRUNCATED) {
        err = wait_for_more(stream, need);
        return err < 0 ? err : -EAGAIN;
    }
    if (err < 0)
        return ERR_STATE;
    return wait_no_more(stream);
}

/* The unencrypted alert of a server that begins no session. */
static void send_alert(struct stream *stream, uint8_t description)
{
    uint8_t alert[] = {21, 3, 3, 0, 2, 2, description};

    if (description)
        (void)!send(stream->fd, alert, sizeof(alert), MSG_NOSIGNAL);
}

static int follow(struct listener *listener, struct stream *stream,
                  const struct listener_verdict *verdict)
{
    struct tls_ctx *tls = verdict->tls ? verdict->tls : listener->options.tls;

    switch (verdict->choice) {
    case LISTENER_TAKE_PLAIN:
        stream_opened(stream);
        return 0;
    case LISTENER_TAKE_TLS:
        return tls ? listener_add_tls(stream, listener, tls) : ERR_STATE;
    case LISTENER_REFUSE:
        break;
    }
    send_alert(stream, verdict->alert);
    return ERR_STATE;
}

void listener_on_first(struct stream *stream)
{
    enum { DECODE_ERROR = 50 };
    struct listener *listener = stream->arg;
    struct listener_verdict verdict = {.choice = LISTENER_REFUSE};
    struct first_bytes first = {0};
    int err = read_first(stream, &first);

    if (err == -EAGAIN)
        return;
    if (err == 0)
        verdict =
            listener->options.choose(stream, &first, listener->options.arg);
    else if (err == ERR_STATE && first.kind == FIRST_TLS)
        verdict.alert = DECODE_ERROR;
    if (err == 0 || err == ERR_STATE)
        err = follow(listener, stream, &verdict);
    if (err < 0)
        stream_fail(stream, err);
}

/* ---- accepting ---- */

/* Half a handshake costs its sender nothing. When there are too many, the
 * oldest gives way: a flood of them does not keep out who answers at once. */
static void make_room(struct listener *listener)
{
    struct list *first = list_first(&listener->waiting);
    struct stream *oldest;

    if (!first || listener->n_waiting < listener->options.max_waiting)
        return;
    oldest = CONTAINER_OF(first, struct stream, node);
    leave_waiting(oldest, listener);
    stats_inc(&listener->stats.refused_waiting);
    stream_close(oldest);
}

static void admit(struct listener *listener, int fd, const struct addr *peer)
{
    struct listener_options *o = &listener->options;
    bool is_fronted =
        cidr_list_has_ip(listener->proxy_from, o->n_proxy_from, peer);
    bool waits = is_fronted || o->mode != LISTENER_PLAIN;
    struct stream *stream;
    int err = 0;

    if (!is_fronted) /* else the client is not known yet */
        err = take_place(listener, peer);
    if (err < 0) {
        stats_inc(failure_counter(listener, err));
        close(fd);
        return;
    }
    if (stream_new(&stream, listener->worker, fd, peer, &o->stream) < 0) {
        if (o->limit && !is_fronted)
            conn_limit_give(o->limit, peer);
        stats_inc(&listener->stats.refused_descriptors);
        return;
    }
    if (!is_fronted)
        hold_place(listener, stream);
    if (!waits) {
        hand_on_plain(listener, stream);
        return;
    }
    make_room(listener);
    err = wait_for_ready(listener, stream, is_fronted);
    if (err < 0) {
        stats_inc(err == -EBUSY || err == -EDQUOT
                      ? failure_counter(listener, err)
                      : &listener->stats.refused_descriptors);
        stream_close(stream);
    }
}

static void on_rested(struct alarm *alarm, uint64_t now);

static void on_poll(uv_poll_t *poll, int status, int events);

static void rest(struct listener *listener)
{
    uv_poll_stop(&listener->poll);
    alarm_set(&listener->rest, worker_now(listener->worker) + REST_MS);
}

static void on_rested(struct alarm *alarm, uint64_t now)
{
    struct listener *listener = CONTAINER_OF(alarm, struct listener, rest);

    (void)now;
    uv_poll_start(&listener->poll, UV_READABLE, on_poll);
}

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Out of descriptors: a connection left in the queue would wake us up for
 * ever, so take it with the spare descriptor and close it. */
static bool refuse_one(struct listener *listener)
{
    int fd;

    stats_inc(&listener->stats.refused_descriptors);
    if (listener->spare_fd < 0)
        return false;
    close(listener->spare_fd);
    fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    listener->spare_fd = open_spare();
    return fd >= 0;
}

static bool is_out_of_resources(int err)
{
    return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM;
}

/* One connection. False when there is none or none can be taken now. */
static bool accept_one(struct listener *listener)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof(sa);
    struct addr peer = {0};
    int fd = accept4(listener->fd, (struct sockaddr *)&sa, &len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0 && is_out_of_resources(errno)) {
        if (refuse_one(listener))
            return true;
        rest(listener);
        return false;
    }
    /* Anything but "none left" concerns one connection that is gone again. */
    if (fd < 0)
        return errno != EAGAIN && errno != EBADF && errno != EINVAL;
    stats_inc(&listener->stats.accepted);
    if (addr_from_sockaddr((struct sockaddr *)&sa, &peer) < 0)
        close(fd);
    else
        admit(listener, fd, &peer);
    return true;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    unsigned budget = listener->options.accept_budget;

    (void)events;
    while (!listener->closing && budget-- > 0 && accept_one(listener))
        ;
    if (status < 0 && !listener->closing && !alarm_is_set(&listener->rest))
        uv_poll_start(&listener->poll, UV_READABLE, on_poll);
}

/* ---- life ---- */

static int open_socket(struct listener *listener)
{
    const struct listener_options *o = &listener->options;
    int index = worker_index(listener->worker);
    int err;

    if (o->group) {
        listener->fd =
            bind_group_take(o->group, index < 0 ? 0 : (unsigned)index);
        if (listener->fd < 0)
            return listener->fd;
        return sock_local(listener->fd, &listener->bound);
    }
    listener->fd = sock_open(&o->bind, SOCK_STREAM);
    if (listener->fd < 0)
        return listener->fd;
    err = sock_set(listener->fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (err == 0)
        err = sock_bind(listener->fd, &o->bind);
    if (err == 0 && o->share_port)
        err = sock_share_port(listener->fd);
    if (err == 0 && listen(listener->fd, BACKLOG) < 0)
        err = -errno;
    return err < 0 ? err : sock_local(listener->fd, &listener->bound);
}

static int copy_front_ends(struct listener *listener)
{
    struct listener_options *o = &listener->options;

    if (o->n_proxy_from == 0)
        return 0;
    listener->proxy_from =
        mem_dup(o->proxy_from, o->n_proxy_from * sizeof(*o->proxy_from));
    o->proxy_from = listener->proxy_from;
    return listener->proxy_from ? 0 : -ENOMEM;
}

static void set_defaults(struct listener_options *o)
{
    if (o->handshake_timeout_ms == 0)
        o->handshake_timeout_ms = HANDSHAKE_MS_DEFAULT;
    if (o->max_waiting == 0)
        o->max_waiting = MAX_WAITING_DEFAULT;
    if (o->accept_budget == 0)
        o->accept_budget = ACCEPT_BUDGET_DEFAULT;
}

int listener_open(struct listener **ret_listener, struct worker *worker,
                  const struct listener_options *options)
{
    struct listener *listener;
    int err;

    if (options->mode == LISTENER_CHOOSE
            ? !options->choose
            : options->mode != LISTENER_PLAIN && !options->tls)
        return -EINVAL;
    listener = mem_zalloc(sizeof(*listener));
    if (!listener)
        return -ENOMEM;
    listener->worker = worker;
    listener->options = *options;
    set_defaults(&listener->options);
    list_init(&listener->waiting);
    alarm_init(&listener->rest, worker, on_rested);
    listener->fd = -1;
    err = copy_front_ends(listener);
    if (err == 0)
        err = open_socket(listener);
    if (err == 0)
        err = uv_poll_init(&worker->loop, &listener->poll, listener->fd);
    if (err < 0)
        goto fail;
    listener->poll.data = listener;
    listener->spare_fd = open_spare();
    if (options->tls)
        tls_ctx_ref(options->tls);
    if (options->limit)
        conn_limit_ref(options->limit);
    if (options->rate)
        handshake_rate_ref(options->rate);
    uv_poll_start(&listener->poll, UV_READABLE, on_poll);
    *ret_listener = listener;
    return 0;

fail:
    if (listener->fd >= 0)
        close(listener->fd);
    mem_free(listener->proxy_from);
    mem_free(listener);
    return err;
}

static void on_handle_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void listener_close(struct listener *listener)
{
    if (!listener || listener->closing)
        return;
    listener->closing = true;
    LIST_FOREACH (node, &listener->waiting) {
        struct stream *stream = CONTAINER_OF(node, struct stream, node);

        leave_waiting(stream, listener);
        stream_close(stream);
    }
    alarm_cancel(&listener->rest);
    tls_ctx_unref(listener->options.tls);
    conn_limit_unref(listener->options.limit);
    handshake_rate_unref(listener->options.rate);
    mem_free(listener->proxy_from);
    uv_close((uv_handle_t *)&listener->poll, on_handle_closed);
    close(listener->fd);
    if (listener->spare_fd >= 0)
        close(listener->spare_fd);
}

void listener_set_tls(struct listener *listener, struct tls_ctx *tls)
{
    struct tls_ctx *before = listener->options.tls;

    listener->options.tls = tls_ctx_ref(tls);
    tls_ctx_unref(before);
}

const struct addr *listener_addr(const struct listener *listener)
{
    return &listener->bound;
}

const struct listener_stats *listener_stats(const struct listener *listener)
{
    return &listener->stats;
}
