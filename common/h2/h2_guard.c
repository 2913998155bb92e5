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

static uint32_t stream_of(const uint8_t f[9])
{
    return (uint32_t)(f[5] & 0x7f) << 24 | (uint32_t)f[6] << 16 |
           (uint32_t)f[7] << 8 | f[8];
}

static bool on_frame(struct h2_server *h2)
{
    const uint8_t *f = h2->frame;
    uint8_t type = f[3], flags = f[4];

    h2->payload_left = (uint32_t)f[0] << 16 | (uint32_t)f[1] << 8 | f[2];
    if (type == NGHTTP2_HEADERS || type == NGHTTP2_CONTINUATION)
        h2->in_block = !(flags & NGHTTP2_FLAG_END_HEADERS);
    if (type != NGHTTP2_CONTINUATION) {
        h2->continuations = 0;
        h2->frame_no++;
    } else if (++h2->continuations > CONTINUATIONS) {
        (void)h2_fail(h2, H2_FAULT_CONTINUATIONS);
        return false;
    }
    /* nghttp2 leaves a PRIORITY unread where priorities are off. */
    if (type == NGHTTP2_PRIORITY && stream_of(f) == 0) {
        (void)h2_fail(h2, H2_FAULT_PROTOCOL);
        return false;
    }
    if (is_work(type, flags, h2->payload_left))
        return true;
    if (h2->credit > 0) {
        h2->credit--;
        return true;
    }
    if (ratelim_take(&h2->frames, 1, h2->now))
        return true;
    (void)h2_fail(h2, H2_FAULT_FRAMES);
    return false;
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

bool h2_guard_scan(struct h2_server *h2, struct span data)
{
    size_t n = min_size(h2->preface_left, data.len);

    h2->preface_left -= (unsigned)n;
    data = span_from(data, n);
    while (data.len > 0) {
        if (h2->frame_len < sizeof(h2->frame)) {
            n = min_size(sizeof(h2->frame) - h2->frame_len, data.len);
            memcpy(h2->frame + h2->frame_len, data.ptr, n);
            h2->frame_len += (unsigned)n;
            if (h2->frame_len == sizeof(h2->frame) && !on_frame(h2))
                return false;
        } else {
            n = min_size(h2->payload_left, data.len);
            h2->payload_left -= (uint32_t)n;
        }
        data = span_from(data, n);
        if (h2->frame_len == sizeof(h2->frame) && h2->payload_left == 0)
            h2->frame_len = 0;
    }
    return true;
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
    if (frame->hd.type == NGHTTP2_RST_STREAM &&
        is_provoked(frame->rst_stream.error_code) && h2_guard_reset(h2) != 0)
        nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
    return 0;
}
