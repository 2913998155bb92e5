/* SPDX-License-Identifier: MIT */
#include "support_h2.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- nghttp2's client ---- */

struct h2_seen *h2_seen_of(struct h2_client *c, int32_t id)
{
    size_t at = ((size_t)id - 1) / 2;

    ck_assert_uint_lt(at, H2_STREAMS);
    return &c->seen[at];
}

static void append(char *text, const uint8_t *name, size_t name_len,
                   const uint8_t *value, size_t value_len)
{
    size_t len = strlen(text);

    snprintf(text + len, H2_TEXT - len, "%.*s: %.*s\n", (int)name_len,
             (const char *)name, (int)value_len, (const char *)value);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame,
                     const uint8_t *name, size_t name_len, const uint8_t *value,
                     size_t value_len, uint8_t flags, void *user)
{
    struct h2_client *c = user;
    struct h2_seen *s = h2_seen_of(c, frame->hd.stream_id);

    (void)session;
    (void)flags;
    if (name_len == 7 && memcmp(name, ":status", 7) == 0) {
        int status = atoi((const char *)value);

        if (status < 200)
            s->interims++;
        else
            s->status = status;
    } else if (s->status == 0) {
        return 0;
    } else if (frame->headers.cat == NGHTTP2_HCAT_HEADERS && s->body > 0) {
        append(s->tail, name, name_len, value, value_len);
    } else {
        append(s->head, name, name_len, value, value_len);
    }
    return 0;
}

static int on_chunk(nghttp2_session *session, uint8_t flags, int32_t id,
                    const uint8_t *data, size_t len, void *user)
{
    struct h2_seen *s = h2_seen_of(user, id);
    size_t room = s->body < H2_TEXT - 1 ? H2_TEXT - 1 - s->body : 0;

    (void)session;
    (void)flags;
    memcpy(s->text + (s->body < H2_TEXT - 1 ? s->body : 0), data,
           len < room ? len : room);
    s->body += len;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame,
                    void *user)
{
    struct h2_client *c = user;

    if (frame->hd.type == NGHTTP2_GOAWAY) {
        c->goaway = (int)frame->goaway.error_code;
        c->goaways++;
        c->last_id = frame->goaway.last_stream_id;
    } else if (frame->hd.type == NGHTTP2_RST_STREAM) {
        h2_seen_of(c, frame->hd.stream_id)->reset =
            (int)frame->rst_stream.error_code;
    } else if (frame->hd.type == NGHTTP2_PING &&
               (frame->hd.flags & NGHTTP2_FLAG_ACK)) {
        c->pongs++;
    } else if (frame->hd.type == NGHTTP2_SETTINGS &&
               !(frame->hd.flags & NGHTTP2_FLAG_ACK)) {
        c->connects = nghttp2_session_get_remote_settings(
            session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL);
        c->max_streams = nghttp2_session_get_remote_settings(
            session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    }
    if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        h2_seen_of(c, frame->hd.stream_id)->ended = true;
    return 0;
}

static struct fake_io *connect_io(void)
{
    struct fake_io *io = fake_client_at(NULL, "198.51.100.7:40000");

    ck_assert_ptr_nonnull(io->session);
    return io;
}

struct h2_client *h2_connect(bool manual)
{
    struct h2_client *c = calloc(1, sizeof(*c));
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;

    ck_assert_ptr_nonnull(c);
    c->goaway = -1;
    for (size_t i = 0; i < H2_STREAMS; i++)
        c->seen[i].reset = -1;
    c->manual = manual;
    c->io = connect_io();
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks,
                                                              on_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, manual);
    nghttp2_session_client_new2(&c->session, callbacks, c, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, NULL, 0);
    h2_pump(c);
    return c;
}

void h2_free(struct h2_client *c)
{
    nghttp2_session_del(c->session);
    free(c);
}

static bool pump_out(struct h2_client *c)
{
    const uint8_t *data;
    ssize_t n = nghttp2_session_mem_send(c->session, &data);

    if (n <= 0)
        return false;
    if (!fake_is_over(c->io))
        fake_send_span(c->io, span_of(data, (size_t)n));
    return true;
}

static bool pump_in(struct h2_client *c)
{
    size_t len = c->io->len;
    char *copy;

    if (len == 0)
        return false;
    copy = malloc(len);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, c->io->out, len);
    c->io->len = 0;
    ck_assert_int_eq(
        nghttp2_session_mem_recv(c->session, (const uint8_t *)copy, len),
        (int)len);
    free(copy);
    return true;
}

void h2_pump(struct h2_client *c)
{
    bool moved;

    do {
        moved = pump_out(c);
        moved = pump_in(c) || moved;
    } while (moved);
}

static ssize_t never_ready(nghttp2_session *session, int32_t id, uint8_t *buf,
                           size_t length, uint32_t *flags,
                           nghttp2_data_source *source, void *user)
{
    (void)session;
    (void)id;
    (void)buf;
    (void)length;
    (void)flags;
    (void)source;
    (void)user;
    return NGHTTP2_ERR_DEFERRED;
}

int32_t h2_ask(struct h2_client *c, const char *const *fields, bool open)
{
    nghttp2_data_provider later = {.read_callback = never_ready};
    nghttp2_nv list[64];
    size_t n = 0;
    int32_t id;

    for (; fields[n]; n++) {
        const char *colon = strchr(fields[n] + 1, ':');

        ck_assert_ptr_nonnull(colon);
        list[n] = (nghttp2_nv){
            .name = (uint8_t *)(uintptr_t)fields[n],
            .namelen = (size_t)(colon - fields[n]),
            .value = (uint8_t *)(uintptr_t)(colon + 2),
            .valuelen = strlen(colon + 2),
        };
    }
    id = nghttp2_submit_request(c->session, NULL, list, n, open ? &later : NULL,
                                NULL);
    ck_assert_int_gt(id, 0);
    h2_pump(c);
    return id;
}

int32_t h2_get(struct h2_client *c, const char *path)
{
    char line[1024];
    const char *fields[] = {":method: GET", ":scheme: https",
                            ":authority: edge.example", line, NULL};

    snprintf(line, sizeof(line), ":path: %s", path);
    return h2_ask(c, fields, false);
}

/* Past nghttp2's client, whose windows would have to be taken account of. */
void h2_data(struct h2_client *c, int32_t id, const char *text, size_t len,
             bool end)
{
    h2_raw_frame(c->io, NGHTTP2_DATA, end ? NGHTTP2_FLAG_END_STREAM : 0,
                 (uint32_t)id, text, len);
    h2_pump(c);
}

/* ---- by hand ---- */

struct fake_io *h2_raw(void)
{
    struct fake_io *io = connect_io();

    fake_send(io, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    h2_raw_frame(io, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    return io;
}

void h2_raw_frame(struct fake_io *io, uint8_t type, uint8_t flags, uint32_t id,
                  const void *payload, size_t len)
{
    uint8_t *frame = malloc(len + 9);

    ck_assert_ptr_nonnull(frame);
    frame[0] = (uint8_t)(len >> 16);
    frame[1] = (uint8_t)(len >> 8);
    frame[2] = (uint8_t)len;
    frame[3] = type;
    frame[4] = flags;
    frame[5] = (uint8_t)(id >> 24);
    frame[6] = (uint8_t)(id >> 16);
    frame[7] = (uint8_t)(id >> 8);
    frame[8] = (uint8_t)id;
    if (len > 0)
        memcpy(frame + 9, payload, len);
    if (!fake_is_over(io))
        fake_send_span(io, span_of(frame, len + 9));
    free(frame);
}

void h2_raw_get(struct fake_io *io, uint32_t id)
{
    /* :method GET, :scheme https, :path /, :authority edge */
    static const uint8_t block[] = {0x82, 0x87, 0x84, 0x41, 0x04,
                                    'e',  'd',  'g',  'e'};

    h2_raw_frame(io, NGHTTP2_HEADERS,
                 NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, id, block,
                 sizeof(block));
}

int h2_raw_goaway(struct fake_io *io)
{
    const uint8_t *p = (const uint8_t *)io->out;
    size_t left = io->len;
    int code = -1;

    while (left >= 9) {
        size_t len = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];

        ck_assert_uint_ge(left, len + 9);
        if (p[3] == NGHTTP2_GOAWAY)
            code = p[9 + 4] << 24 | p[9 + 5] << 16 | p[9 + 6] << 8 | p[9 + 7];
        p += len + 9;
        left -= len + 9;
    }
    io->len = 0;
    return code;
}
