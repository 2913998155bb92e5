/* SPDX-License-Identifier: MIT */
/* Many streams do everything in every order, now and then without memory.
 * Whatever happens: bytes arrive in order without gaps, on_closed comes at
 * most once and never after stream_close(), and nothing is left behind. */
#include "base/err.h"
#include "net/listener.h"
#include "support/unit.h"
#include "support_net.h"

#include <errno.h>

enum { VOLUME = 40000000 }; /* bytes written in a life, at most */
enum { ENDS = 40, STEPS = 1500, KINDS = 3, SEEDS = 4 };

struct actor {
    struct stream *stream; /* NULL: free */
    size_t sent;
    size_t got;
    bool is_open;
};

static struct actor actors[ENDS];
static struct listener *listener;
static struct tls_ctx *server_ctx;
static struct tls_ctx *client_ctx;
static uint64_t state;
static size_t written;
static bool starving; /* allocations may fail */

static unsigned chance(unsigned n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state % n);
}

static uint8_t pattern(size_t at)
{
    return (uint8_t)(at * 13 + at / 257);
}

static void write_some(struct actor *a)
{
    static uint8_t bytes[70000];
    size_t len = 1 + chance(chance(4) ? 3000 : sizeof(bytes) - 1);
    int err;

    if (written > VOLUME)
        return;
    for (size_t i = 0; i < len; i++)
        bytes[i] = pattern(a->sent + i);
    err = stream_write(a->stream, span_of(bytes, len));
    written += len;
    if (err == 0)
        a->sent += len;
    else
        ck_assert(err == ERR_LIMIT || err == ERR_STATE || err == -ENOMEM);
}

static void act(struct actor *a)
{
    switch (chance(40)) {
    case 0:
        stream_close(a->stream);
        a->stream = NULL;
        break;
    case 1:
        stream_abort(a->stream);
        a->stream = NULL;
        break;
    case 2:
        stream_shutdown(a->stream);
        break;
    case 3:
        stream_end(a->stream);
        break;
    case 4:
    case 5:
        stream_pause(a->stream);
        break;
    case 6:
    case 7:
    case 8:
    case 9:
        stream_resume(a->stream);
        break;
    default:
        write_some(a);
    }
}

static void on_open(struct stream *stream, void *arg)
{
    struct actor *a = arg;

    ck_assert_ptr_eq(stream, a->stream);
    ck_assert(!a->is_open);
    a->is_open = true;
    act(a);
}

static bool is_next(const struct actor *a, struct span data)
{
    for (size_t i = 0; i < data.len; i++) {
        if (data.ptr[i] != pattern(a->got + i))
            return false;
    }
    return true;
}

static void on_data(struct stream *stream, struct span data, void *arg)
{
    struct actor *a = arg;

    ck_assert_ptr_eq(stream, a->stream);
    ck_assert(!stream_is_paused(stream));
    ck_assert(is_next(a, data));
    a->got += data.len;
    if (chance(3) == 0)
        act(a);
}

static void on_writable(struct stream *stream, void *arg)
{
    struct actor *a = arg;

    ck_assert_ptr_eq(stream, a->stream);
    act(a);
}

static void on_end(struct stream *stream, void *arg)
{
    struct actor *a = arg;

    ck_assert_ptr_eq(stream, a->stream);
    if (chance(2))
        stream_shutdown(stream);
    else
        act(a);
}

static void on_closed(struct stream *stream, int err, void *arg)
{
    struct actor *a = arg;

    ck_assert_ptr_eq(stream, a->stream);
    ck_assert_int_le(err, 0);
    a->stream = NULL;
}

static const struct stream_events events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_writable = on_writable,
    .on_end = on_end,
    .on_closed = on_closed,
};

static struct actor *free_actor(void)
{
    for (size_t i = 0; i < ENDS; i++) {
        if (!actors[i].stream) {
            actors[i] = (struct actor){0};
            return &actors[i];
        }
    }
    return NULL;
}

static void on_accept(struct listener *l, struct stream *stream, void *arg)
{
    struct actor *a = free_actor();

    (void)l;
    (void)arg;
    if (!a)
        return; /* closed by the listener */
    a->stream = stream;
    a->is_open = true;
    stream_set_events(stream, &events, a);
    if (chance(2))
        act(a);
}

static void connect_one(void)
{
    struct stream_target target = {
        .to = *listener_addr(listener),
        .tls = client_ctx,
        .server_name = "edge.example",
        .timeout_ms = 500,
        .options = {.max_queued = 100000, .linger_ms = 50}};
    struct actor *a = free_actor();

    if (a && stream_connect(&a->stream, net_worker(), &target, &events, a) < 0)
        a->stream = NULL;
}

static void setup(void)
{
    net_setup();
    server_ctx = net_server_ctx(NET_EDGE);
    client_ctx = net_client_ctx();
}

static void teardown(void)
{
    mem_fail_at(-1);
    for (size_t i = 0; i < ENDS; i++) {
        stream_close(actors[i].stream);
        actors[i].stream = NULL;
    }
    listener_close(listener);
    tls_ctx_unref(server_ctx);
    tls_ctx_unref(client_ctx);
    net_teardown();
}

static void random_life(int kind, uint64_t seed)
{
    struct listener_options options = {
        .bind = net_loopback(ADDR_V4, 0),
        .mode = (enum listener_mode)kind,
        .tls = kind == LISTENER_PLAIN ? NULL : server_ctx,
        .handshake_timeout_ms = 200,
        .stream = {.max_queued = 150000, .linger_ms = 50},
        .on_accept = on_accept};

    written = 0;
    state = seed * 0x9e3779b97f4a7c15 + 1;
    ck_assert_int_eq(listener_open(&listener, net_worker(), &options), 0);
    if (kind == LISTENER_PLAIN || (kind == LISTENER_DETECT && seed % 2)) {
        tls_ctx_unref(client_ctx);
        client_ctx = NULL;
    }
    for (int step = 0; step < STEPS; step++) {
        struct actor *a = &actors[chance(ENDS)];

        if (starving && chance(10) == 0)
            mem_fail_at(chance(6));
        if (chance(8) == 0)
            connect_one();
        else if (a->stream)
            act(a);
        if (chance(4) == 0)
            net_for(chance(10) == 0);
    }
}

START_TEST(any_order_of_everything_is_survived)
{
    starving = false;
    random_life(_i % KINDS, (uint64_t)(_i / KINDS) + 1);
}
END_TEST

START_TEST(and_so_is_running_out_of_memory)
{
    starving = true;
    random_life(_i % KINDS, (uint64_t)(_i / KINDS) + 1);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("stream_random");
    TCase *tc = tcase_create("stream_random");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, any_order_of_everything_is_survived, 0,
                        KINDS * SEEDS);
    tcase_add_loop_test(tc, and_so_is_running_out_of_memory, 0, KINDS * SEEDS);
    suite_add_tcase(s, tc);
    return s;
}
