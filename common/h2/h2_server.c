/* SPDX-License-Identifier: MIT */
#include "h2/h2_private.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"

#include <errno.h>

/* ---- giving up ---- */

int h2_fail(struct h2_server *h2, enum h2_fault fault)
{
    if (h2->fault == H2_FAULT_NONE)
        h2->fault = fault;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* ---- memory of nghttp2 ---- */

/* When nghttp2 (1.52 to 1.64) cannot grow a queue it frees an item and keeps
 * it. So it is helped out of the reserve, once, and the connection ends; and
 * when that does not do, its session is lost rather than freed twice. */
static bool use_reserve(struct h2_server *h2)
{
    void *reserve = h2->reserve;

    h2->reserve = NULL;
    mem_free(reserve);
    (void)h2_fail(h2, H2_FAULT_MEMORY);
    return reserve != NULL;
}

static void *env_realloc(void *ptr, size_t size, void *arg)
{
    struct h2_server *h2 = arg;
    void *new_ptr = mem_realloc(ptr, size);

    if (!new_ptr && use_reserve(h2))
        new_ptr = mem_realloc(ptr, size);
    if (!new_ptr)
        h2->is_broken = true;
    return new_ptr;
}

static void *env_malloc(size_t size, void *arg)
{
    return env_realloc(NULL, size, arg);
}

static void env_free(void *ptr, void *arg)
{
    (void)arg;
    mem_free(ptr);
}

/* Nobody asks for so many that it would overflow. */
static void *env_calloc(size_t n, size_t size, void *arg)
{
    void *ptr = env_malloc(n * size, arg);

    if (ptr)
        memset(ptr, 0, n * size);
    return ptr;
}

/* ---- requests ---- */

static struct h2_server *server_of(void *user)
{
    return user;
}

static void *owner_of(const struct h2_server *h2, int32_t id)
{
    return nghttp2_session_get_stream_user_data(h2->session, id);
}

static int on_begin_headers(nghttp2_session *session,
                            const nghttp2_frame *frame, void *user)
{
    struct h2_server *h2 = server_of(user);

    (void)session;
    (void)frame;
    h2_block_reset(&h2->block);
    return 0;
}

/* Far too large: not even decoded to its end. */
static bool is_bomb(const struct h2_server *h2)
{
    size_t most = (size_t)h2->limits.head * HEAD_BOMB;

    return h2->block.size > (most > BOMB_MIN ? most : BOMB_MIN);
}

/* NOLINTNEXTLINE(readability-function-size): nghttp2 calls it so */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame,
                     const uint8_t *name, size_t name_len, const uint8_t *value,
                     size_t value_len, uint8_t flags, void *user)
{
    struct h2_server *h2 = server_of(user);

    (void)session;
    (void)frame;
    (void)flags;
    h2_block_add(&h2->block, span_of(name, name_len), span_of(value, value_len),
                 h2->limits.head);
    if (is_bomb(h2))
        return h2_fail(h2, H2_FAULT_HEADERS);
    return 0;
}

/* nghttp2 would leave such a field out and go on.
 * NOLINTNEXTLINE(readability-function-size) */
static int on_invalid_header(nghttp2_session *session,
                             const nghttp2_frame *frame, const uint8_t *name,
                             size_t name_len, const uint8_t *value,
                             size_t value_len, uint8_t flags, void *user)
{
    struct h2_server *h2 = server_of(user);

    (void)session;
    (void)frame;
    (void)name;
    (void)value;
    (void)flags;
    h2->block.bad = true;
    h2->block.size += name_len + value_len;
    if (is_bomb(h2))
        return h2_fail(h2, H2_FAULT_HEADERS);
    return 0;
}

static void make_key(char key[KEY_SIZE])
{
    uint8_t random[16];

    crypto_random(random, sizeof(random));
    text_base64(TEXT_BASE64, span_of(random, sizeof(random)), key);
}

/* All streams get their turn, frame by frame. By default (RFC 9218) one that
 * has much to say would be heard to its end first. */
static void share(struct h2_server *h2, int32_t id)
{
    nghttp2_extpri equal = {.urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY,
                            .inc = 1};

    (void)nghttp2_session_change_extpri_stream_priority(h2->session, id, &equal,
                                                        1);
}

static int on_request(struct h2_server *h2, int32_t id, bool ends)
{
    char key[KEY_SIZE] = "";
    struct h2_form form = {.secure = h2->limits.secure,
                           .ends = ends,
                           .connects = h2->limits.websocket,
                           .key = key};
    void *owner;
    int status;

    if (h2_block_is_tunnel(&h2->block))
        make_key(key);
    status = h2_block_write(&h2->block, &form);
    if (status < 0)
        return h2_fail(h2, H2_FAULT_MEMORY);
    h2_credit(h2, CREDIT_REQUEST);
    owner = h2->events.on_request(h2->events.arg, id,
                                  status ? span_of(NULL, 0)
                                         : buf_span(&h2->block.text),
                                  status, ends, h2_block_is_tunnel(&h2->block));
    if (!owner)
        nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id,
                                  NGHTTP2_REFUSED_STREAM);
    else
        nghttp2_session_set_stream_user_data(h2->session, id, owner);
    share(h2, id);
    return 0;
}

static int on_headers_complete(struct h2_server *h2, const nghttp2_frame *frame)
{
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    int32_t id = frame->hd.stream_id;
    void *owner;

    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        return on_request(h2, id, ends);
    /* Trailers are checked like other fields, and end here. */
    owner = owner_of(h2, id);
    if (h2->block.bad) {
        h2->events.on_malformed(h2->events.arg);
        nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id,
                                  NGHTTP2_PROTOCOL_ERROR);
    } else if (owner && ends) {
        h2->events.on_end(h2->events.arg, owner);
    }
    return 0;
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame,
                         void *user)
{
    struct h2_server *h2 = server_of(user);
    void *owner;

    (void)session;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        return on_headers_complete(h2, frame);
    case NGHTTP2_DATA:
        owner = owner_of(h2, frame->hd.stream_id);
        if (owner && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
            h2->events.on_end(h2->events.arg, owner);
        return 0;
    case NGHTTP2_RST_STREAM:
        return owner_of(h2, frame->hd.stream_id) ? h2_guard_reset(h2) : 0;
    case NGHTTP2_PING:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK)
            h2->events.on_pong(h2->events.arg);
        return 0;
    default:
        return 0;
    }
}

static int on_invalid_frame(nghttp2_session *session,
                            const nghttp2_frame *frame, int error, void *user)
{
    struct h2_server *h2 = server_of(user);

    (void)session;
    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    h2_note_reset(h2, frame->hd.stream_id); /* soon */
    if (error != NGHTTP2_ERR_REFUSED_STREAM)
        h2->events.on_malformed(h2->events.arg);
    return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id,
                         const uint8_t *data, size_t len, void *user)
{
    struct h2_server *h2 = server_of(user);
    void *owner = owner_of(h2, id);

    (void)flags;
    if (len == 0)
        return 0;
    if (owner)
        h2->events.on_data(h2->events.arg, owner, span_of(data, len));
    else
        nghttp2_session_consume(session, id, len);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error,
                           void *user)
{
    struct h2_server *h2 = server_of(user);
    void *owner = owner_of(h2, id);

    (void)error;
    if (owner) {
        nghttp2_session_set_stream_user_data(session, id, NULL);
        h2->events.on_closed(h2->events.arg, owner);
    }
    return 0;
}

/* ---- life ---- */

static int set_callbacks(nghttp2_session_callbacks *c)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(c,
                                                            on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(c,
                                                             on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame_recv);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
        c, on_invalid_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, h2_on_frame_send);
    return 0;
}

static int new_session(struct h2_server *h2)
{
    nghttp2_mem memory = {h2, env_malloc, env_free, env_calloc, env_realloc};
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int err = nghttp2_session_callbacks_new(&callbacks);

    if (err == 0)
        err = set_callbacks(callbacks);
    if (err == 0)
        err = nghttp2_option_new(&option);
    if (err == 0) {
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_option_set_no_closed_streams(option, 1);
        nghttp2_option_set_max_send_header_block_length(
            option, (size_t)2 * H2_HEAD_MAX);
        nghttp2_option_set_max_outbound_ack(option, OUTPUT_FRAMES);
        err = nghttp2_session_server_new3(&h2->session, callbacks, h2, option,
                                          &memory);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return err ? -ENOMEM : 0;
}

static int submit_settings(struct h2_server *h2)
{
    const struct h2_limits *l = &h2->limits;
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, l->streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, l->window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, l->head},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
    };
    size_t n = ARRAY_SIZE(settings) - (l->websocket ? 0 : 1);

    if (nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings, n) ||
        nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0,
                                              (int32_t)l->connection_window))
        return -ENOMEM;
    return 0;
}

int h2_server_new(struct h2_server **ret_h2, const struct h2_limits *limits,
                  const struct h2_events *events, uint64_t now)
{
    struct h2_server *h2 = mem_zalloc(sizeof(*h2));
    int err;

    if (!h2)
        return -ENOMEM;
    h2->limits = *limits;
    h2->events = *events;
    h2->now = now;
    h2->preface_left = PREFACE;
    h2->frame_no = 1;
    ratelim_init(&h2->resets, limits->resets * UINT64_C(100), limits->resets,
                 now);
    ratelim_init(&h2->frames, limits->frames * UINT64_C(100), limits->frames,
                 now);
    h2_block_init(&h2->block);
    buf_init(&h2->scratch, H2_HEAD_MAX);
    h2->reserve = mem_alloc(RESERVE);
    err = h2->reserve ? new_session(h2) : -ENOMEM;
    if (err == 0)
        err = submit_settings(h2);
    if (err == 0 && h2->fault != H2_FAULT_NONE)
        err = -ENOMEM;
    if (err < 0) {
        h2_server_free(h2);
        return err;
    }
    *ret_h2 = h2;
    return 0;
}

void h2_server_free(struct h2_server *h2)
{
    if (!h2)
        return;
    if (!h2->is_broken)
        nghttp2_session_del(h2->session);
    mem_free(h2->reserve);
    h2_block_deinit(&h2->block);
    buf_deinit(&h2->scratch);
    mem_free(h2);
}

/* ---- bytes ---- */

static uint32_t code_of(enum h2_fault fault)
{
    switch (fault) {
    case H2_FAULT_PROTOCOL:
        return NGHTTP2_PROTOCOL_ERROR;
    case H2_FAULT_CLOSED:
        return NGHTTP2_STREAM_CLOSED;
    default:
        return NGHTTP2_ENHANCE_YOUR_CALM;
    }
}

static enum h2_fault fault_of(ssize_t code)
{
    switch (code) {
    case NGHTTP2_ERR_NOMEM:
        return H2_FAULT_MEMORY;
    case NGHTTP2_ERR_FLOODED:
        return H2_FAULT_OUTPUT;
    default:
        return H2_FAULT_PROTOCOL;
    }
}

static void take(struct h2_server *h2, struct span data)
{
    while (data.len > 0 && h2->fault == H2_FAULT_NONE) {
        size_t len = h2_guard_scan(h2, data);
        ssize_t n;

        if (len == 0)
            return;
        n = nghttp2_session_mem_recv(h2->session, data.ptr, len);
        if (n < 0)
            (void)h2_fail(h2, fault_of(n));
        if (nghttp2_session_get_outbound_queue_size(h2->session) >
            OUTPUT_FRAMES)
            (void)h2_fail(h2, H2_FAULT_OUTPUT);
        data = span_from(data, len);
    }
}

bool h2_server_recv(struct h2_server *h2, struct span data, uint64_t now)
{
    h2->now = now;
    if (h2->fault != H2_FAULT_NONE)
        return false;
    take(h2, data);
    if (h2->fault != H2_FAULT_NONE && !h2->is_broken)
        nghttp2_session_terminate_session(h2->session, code_of(h2->fault));
    return h2->fault == H2_FAULT_NONE && nghttp2_session_want_read(h2->session);
}

struct span h2_server_send(struct h2_server *h2)
{
    const uint8_t *data;
    ssize_t n;

    if (h2->is_broken)
        return span_of(NULL, 0);
    n = nghttp2_session_mem_send(h2->session, &data);
    if (n < 0)
        (void)h2_fail(h2, H2_FAULT_MEMORY);
    return n > 0 ? span_of(data, (size_t)n) : span_of(NULL, 0);
}

bool h2_server_is_over(const struct h2_server *h2)
{
    return !nghttp2_session_want_read(h2->session) &&
           !nghttp2_session_want_write(h2->session);
}

enum h2_fault h2_server_fault(const struct h2_server *h2)
{
    return h2->fault;
}
