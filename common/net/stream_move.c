/* SPDX-License-Identifier: MIT */
/* A stream changes its worker: what belongs to the loop is left behind, what
 * belongs to the connection goes along. */
#include "net/stream_private.h"

#include "base/mem.h"
#include "net/worker_private.h"

#include <unistd.h>

struct stream_parcel {
    /* Only what is named in stream_pack() is used of it: no handle, no task,
     * no alarm, no worker. */
    struct stream kept;
};

static void on_handle_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

/* The connection is in the parcel: only the handle is left to close. */
static void leave(struct stream *stream)
{
    stream->state = STREAM_CLOSED;
    worker_task_cancel(&stream->task);
    alarm_cancel(&stream->alarm);
    list_remove(&stream->node);
    stats_dec(&stream->worker->stream_stats.open);
    /* takes the descriptor out of the loop at once, so that it can be given
     * to another one before this is called back */
    uv_close((uv_handle_t *)&stream->poll, on_handle_closed);
}

static void carry(struct stream *to, const struct stream *from)
{
    to->tls = from->tls;
    to->peer = from->peer;
    to->local = from->local;
    to->queue = from->queue;
    to->limit = from->limit;
    to->max_queued = from->max_queued;
    to->low_water = from->low_water;
    to->linger_ms = from->linger_ms;
    to->mark = from->mark;
    to->left = from->left;
    to->above_low = from->above_low;
    to->want_end = from->want_end;
    to->notify_sent = from->notify_sent;
    to->end_sent = from->end_sent;
    to->is_client = from->is_client;
    to->eof = from->eof;
}

struct stream_parcel *stream_pack(struct stream *stream)
{
    struct stream_parcel *parcel = NULL;

    if (stream->state == STREAM_OPEN)
        parcel = mem_zalloc(sizeof(*parcel));
    if (!parcel) {
        stream_close(stream);
        return NULL;
    }
    carry(&parcel->kept, stream);
    parcel->kept.fd = stream->fd;
    leave(stream);
    return parcel;
}

int stream_unpack(struct stream **ret_stream, struct worker *worker,
                  struct stream_parcel *parcel,
                  const struct stream_events *events, void *arg)
{
    struct stream_options options = {.max_queued = parcel->kept.max_queued,
                                     .low_water = parcel->kept.low_water,
                                     .linger_ms = parcel->kept.linger_ms};
    struct stream *stream;
    int fd = parcel->kept.fd;
    int err;

    parcel->kept.fd = -1; /* stream_new() owns it, also when it fails */
    err = stream_new(&stream, worker, fd, &parcel->kept.peer, &options);
    if (err < 0) {
        stream_parcel_free(parcel);
        return err;
    }
    carry(stream, &parcel->kept);
    mem_free(parcel);
    stream->state = STREAM_OPEN;
    stream_set_events(stream, events, arg);
    /* what was queued, and what TLS holds back since the pause */
    worker_defer(worker, &stream->task);
    stream_update_poll(stream);
    *ret_stream = stream;
    return 0;
}

void stream_parcel_free(struct stream_parcel *parcel)
{
    struct stream *kept;

    if (!parcel)
        return;
    kept = &parcel->kept;
    if (kept->limit) {
        conn_limit_give(kept->limit, &kept->peer);
        conn_limit_unref(kept->limit);
    }
    if (kept->tls) {
        tls_session_free(kept->tls->session);
        buf_deinit(&kept->tls->held);
        mem_free(kept->tls);
    }
    buf_deinit(&kept->queue);
    if (kept->fd >= 0)
        close(kept->fd);
    mem_free(parcel);
}
