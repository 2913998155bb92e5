/* SPDX-License-Identifier: MIT */
/* What a peer may make us do. The frames are counted here, before nghttp2
 * works on them: which of the floods it knows itself depends on its version. */
#include "h2/h2_private.h"

void h2_credit(struct h2_server *h2, uint32_t frames)
{
    h2->credit += frames;
    if (h2->credit > CREDIT_MAX)
        h2->credit = CREDIT_MAX;
}

int h2_guard_reset(struct h2_server *h2)
{
    if (ratelim_take(&h2->resets, 1, h2->now))
        return 0;
    return h2_fail(h2, H2_FAULT_RESETS);
}

/* ---- streams that are closed ---- */

void h2_note_reset(struct h2_server *h2, int32_t id)
{
    h2->reset_ids[h2->n_reset_ids++ % RESET_IDS] = id;
}

/* What is older than we remember counts as reset, too. */
static bool was_reset(const struct h2_server *h2, int32_t id)
{
    bool full = h2->n_reset_ids >= RESET_IDS;
    uint32_t n = full ? RESET_IDS : h2->n_reset_ids;

    for (uint32_t i = 0; i < n; i++) {
        if (h2->reset_ids[i] == id)
            return true;
    }
    return full && id < h2->reset_ids[h2->n_reset_ids % RESET_IDS];
}

/* RFC 9113 5.1: behind the end of a stream only some frames may follow, unless
 * we ended it and the peer could not know; 5.1.1: its number is used up.
 * nghttp2 throws such frames away. */
static bool is_closed(const struct h2_server *h2, uint8_t type, int32_t id)
{
    if ((type != NGHTTP2_DATA && type != NGHTTP2_HEADERS) || id % 2 == 0 ||
        id > nghttp2_session_get_last_proc_stream_id(h2->session))
        return false;
    return !nghttp2_session_find_stream(h2->session, id) && !was_reset(h2, id);
}

/* ---- what comes in ---- */

enum { SMALL_PADDED = 256 };

/* It does something for a request, or for nobody. */
static bool is_work(uint8_t type, uint8_t flags, uint32_t len)
{
    switch (type) {
    case NGHTTP2_DATA:
        return (flags & NGHTTP2_FLAG_END_STREAM) ||
               (len > 0 &&
                !((flags & NGHTTP2_FLAG_PADDED) && len <= SMALL_PADDED));
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION: /* counted by the block */
        return true;
    default:
        return false;
    }
}

static int32_t stream_of(const uint8_t f[9])
{
    return (int32_t)((uint32_t)(f[5] & 0x7f) << 24 | (uint32_t)f[6] << 16 |
                     (uint32_t)f[7] << 8 | f[8]);
}

static enum h2_fault judge_frame(struct h2_server *h2, uint8_t type,
                                 uint8_t flags, int32_t id)
{
    if (h2->continuations > CONTINUATIONS)
        return H2_FAULT_CONTINUATIONS;
    /* nghttp2 leaves a PRIORITY unread where priorities are off. */
    if (type == NGHTTP2_PRIORITY && id == 0)
        return H2_FAULT_PROTOCOL;
    if (is_closed(h2, type, id))
        return H2_FAULT_CLOSED;
    if (is_work(type, flags, h2->payload_left))
        return H2_FAULT_NONE;
    if (h2->credit > 0)
        h2->credit--;
    else if (!ratelim_take(&h2->frames, 1, h2->now))
        return H2_FAULT_FRAMES;
    return H2_FAULT_NONE;
}

static bool on_frame(struct h2_server *h2)
{
    const uint8_t *f = h2->frame;
    uint8_t type = f[3], flags = f[4];
    enum h2_fault fault;

    h2->payload_left = (uint32_t)f[0] << 16 | (uint32_t)f[1] << 8 | f[2];
    if (type == NGHTTP2_HEADERS || type == NGHTTP2_CONTINUATION)
        h2->in_block = !(flags & NGHTTP2_FLAG_END_HEADERS);
    if (type == NGHTTP2_CONTINUATION) {
        h2->continuations++;
    } else {
        h2->continuations = 0;
        h2->frame_no++;
    }
    fault = judge_frame(h2, type, flags, stream_of(f));
    if (fault != H2_FAULT_NONE)
        (void)h2_fail(h2, fault);
    return fault == H2_FAULT_NONE;
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t h2_guard_scan(struct h2_server *h2, struct span data)
{
    size_t n, payload;

    if (h2->preface_left > 0) {
        n = min_size(h2->preface_left, data.len);
        h2->preface_left -= (unsigned)n;
        return n;
    }
    n = min_size(sizeof(h2->frame) - h2->frame_len, data.len);
    if (n > 0) {
        memcpy(h2->frame + h2->frame_len, data.ptr, n);
        h2->frame_len += (unsigned)n;
        if (h2->frame_len < sizeof(h2->frame))
            return n;
        if (!on_frame(h2))
            return 0;
    }
    payload = min_size(h2->payload_left, data.len - n);
    h2->payload_left -= (uint32_t)payload;
    if (h2->payload_left == 0)
        h2->frame_len = 0;
    return n + payload;
}

uint64_t h2_server_in_frame(const struct h2_server *h2)
{
    bool in_data =
        h2->frame_len == sizeof(h2->frame) && h2->frame[3] == NGHTTP2_DATA;

    if (h2->preface_left > 0)
        return 1;
    return h2->in_block || (h2->frame_len > 0 && !in_data) ? h2->frame_no : 0;
}

/* ---- what goes out ---- */

/* A RST_STREAM that the peer has provoked by what it sent. */
static bool is_provoked(uint32_t error)
{
    switch (error) {
    case NGHTTP2_NO_ERROR:
    case NGHTTP2_INTERNAL_ERROR:
    case NGHTTP2_CANCEL:
    case NGHTTP2_CONNECT_ERROR:
        return false;
    default:
        return true;
    }
}

int h2_on_frame_send(nghttp2_session *session, const nghttp2_frame *frame,
                     void *user)
{
    struct h2_server *h2 = user;
    int32_t id = frame->hd.stream_id;
    bool carries =
        frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;

    if (frame->hd.type == NGHTTP2_DATA)
        h2_credit(h2, CREDIT_DATA);
    if (carries && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
        nghttp2_session_get_stream_remote_close(session, id) == 0) {
        void *owner = nghttp2_session_get_stream_user_data(session, id);

        if (owner)
            h2->events.on_answered(h2->events.arg, owner);
    }
    if (frame->hd.type == NGHTTP2_GOAWAY &&
        frame->goaway.error_code != NGHTTP2_NO_ERROR)
        (void)h2_fail(h2, H2_FAULT_PROTOCOL); /* unless it was noted why */
    if (frame->hd.type == NGHTTP2_RST_STREAM)
        h2_note_reset(h2, id);
    if (frame->hd.type == NGHTTP2_RST_STREAM &&
        is_provoked(frame->rst_stream.error_code) && h2_guard_reset(h2) != 0)
        nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
    return 0;
}
