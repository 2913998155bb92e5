/* SPDX-License-Identifier: MIT */
#include "support_stream.h"

#include "support/unit.h"
#include "support_net.h"

#include <uv.h>

enum { GOT_MAX = 64 * 1024 * 1024 };

static void on_open(struct stream *stream, void *arg)
{
    struct end *end = arg;

    ck_assert_ptr_eq(stream, end->stream);
    end->opened = true;
}

static void on_data(struct stream *stream, struct span data, void *arg)
{
    struct end *end = arg;

    ck_assert_uint_gt(data.len, 0);
    ck_assert(!end->closed && !end->ended && !stream_is_paused(stream));
    end->data_calls++;
    buf_put_span(&end->got, data);
    if (end->echo)
        ck_assert_int_eq(stream_write(stream, data), 0);
    if (end->pause_on_data)
        stream_pause(stream);
    if (end->shutdown_on_data)
        stream_shutdown(stream);
    if (end->close_on_data) {
        stream_close(stream);
        end->stream = NULL;
    }
}

static void on_writable(struct stream *stream, void *arg)
{
    struct end *end = arg;

    (void)stream;
    end->writable++;
}

static void on_end(struct stream *stream, void *arg)
{
    struct end *end = arg;

    (void)stream;
    ck_assert(!end->ended);
    end->ended = true;
    end->over = true;
}

static void on_closed(struct stream *stream, int err, void *arg)
{
    struct end *end = arg;

    ck_assert(!end->closed);
    stream_close(stream); /* harmless here */
    end->closed = true;
    end->over = true;
    end->err = err;
    end->stream = NULL;
}

const struct stream_events end_events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_writable = on_writable,
    .on_end = on_end,
    .on_closed = on_closed,
};
const struct stream_events end_events_no_half = {
    .on_open = on_open,
    .on_data = on_data,
    .on_writable = on_writable,
    .on_closed = on_closed,
};

static void on_accept(struct listener *listener, struct stream *stream,
                      void *arg)
{
    struct pair *pair = arg;

    (void)listener;
    pair->accepted++;
    if (pair->server.stream) {
        stream_close(stream);
        return;
    }
    pair->server.stream = stream;
    pair->server.opened = true;
    stream_set_events(stream, &end_events, &pair->server);
}

void pair_listen(struct pair *pair, enum listener_mode mode,
                 struct tls_ctx *tls, const struct listener_options *more)
{
    struct listener_options options =
        more ? *more : (struct listener_options){0};

    options.bind = net_loopback(ADDR_V4, 0);
    options.mode = mode;
    options.tls = tls;
    options.on_accept = on_accept;
    options.arg = pair;
    *pair = (struct pair){0};
    buf_init(&pair->server.got, GOT_MAX);
    buf_init(&pair->client.got, GOT_MAX);
    ck_assert_int_eq(listener_open(&pair->listener, net_worker(), &options), 0);
}

int pair_start(struct pair *pair, const struct stream_target *target)
{
    struct stream_target to = *target;

    to.to = *listener_addr(pair->listener);
    return stream_connect(&pair->client.stream, net_worker(), &to, &end_events,
                          &pair->client);
}

void pair_connect(struct pair *pair, struct tls_ctx *tls)
{
    struct stream_target target = {.tls = tls, .server_name = "edge.example"};

    ck_assert_int_eq(pair_start(pair, &target), 0);
    ck_assert(net_until(&pair->client.opened));
    /* On a port that tells by the first byte, plain clients speak first. */
    if (!pair->server.opened)
        (void)net_until_count(&pair->accepted, 1);
}

static void end_close(struct end *end)
{
    stream_close(end->stream);
    buf_deinit(&end->got);
}

void pair_close(struct pair *pair)
{
    end_close(&pair->client);
    end_close(&pair->server);
    listener_close(pair->listener);
}

bool end_has(struct end *end, size_t len)
{
    uint64_t start = uv_hrtime();

    while (buf_len(&end->got) < len) {
        if (uv_hrtime() - start > 10 * (uint64_t)1000000000)
            return false;
        net_for(1);
    }
    return true;
}

void fill_pattern(uint8_t *out, size_t len, size_t from)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)((from + i) * 31 + (from + i) / 251);
}

bool is_pattern(struct span s, size_t from)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != (uint8_t)((from + i) * 31 + (from + i) / 251))
            return false;
    }
    return true;
}
