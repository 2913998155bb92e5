/* SPDX-License-Identifier: MIT */
/* What workers share: one port, certificates, ticket keys, a limit. Run with
 * the thread sanitizer this is the proof that they may. */
#include "base/err.h"
#include "net/bind.h"
#include "net/conn_limit.h"
#include "net/listener.h"
#include "net/tls_session.h"
#include "support/unit.h"
#include "support_net.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { WORKERS = 4, CONNECTIONS = 25, BYTES = 3000 };

/* What all share; `lock` guards `done`. */
struct town {
    struct bind_group *group;
    struct tls_ctx *server_ctx;
    struct tls_ctx *client_ctx;
    struct conn_limit *limit;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned done;
    atomic_uint served[WORKERS];
    struct house *houses[WORKERS];
};

/* What one worker has. */
struct house {
    struct town *town;
    struct worker *worker;
    struct listener *listener;
    struct stream *client;
    size_t got;
    unsigned left;
    unsigned failed;
};

static void next_connection(struct house *h);

/* ---- server side: echo until the client ends ---- */

static void server_data(struct stream *stream, struct span data, void *arg)
{
    (void)arg;
    ck_assert_int_eq(stream_write(stream, data), 0);
}

static void server_end(struct stream *stream, void *arg)
{
    (void)arg;
    stream_shutdown(stream);
}

static void server_closed(struct stream *stream, int err, void *arg)
{
    (void)stream;
    (void)err;
    (void)arg;
}

static const struct stream_events server_events = {
    .on_data = server_data, .on_end = server_end, .on_closed = server_closed};

static void on_accept(struct listener *listener, struct stream *stream,
                      void *arg)
{
    struct house *h = arg;

    (void)listener;
    atomic_fetch_add(&h->town->served[worker_index(h->worker)], 1);
    stream_set_events(stream, &server_events, h);
}

/* ---- client side ---- */

static void client_open(struct stream *stream, void *arg)
{
    static const uint8_t bytes[BYTES];

    (void)arg;
    ck_assert(tls_session_peer_verified(stream_tls(stream)));
    ck_assert_int_eq(stream_write(stream, span_of(bytes, BYTES)), 0);
}

static void client_data(struct stream *stream, struct span data, void *arg)
{
    struct house *h = arg;

    h->got += data.len;
    if (h->got == BYTES)
        stream_shutdown(stream);
}

static void client_closed(struct stream *stream, int err, void *arg)
{
    struct house *h = arg;

    (void)stream;
    h->client = NULL;
    h->failed += err != 0 || h->got != BYTES;
    next_connection(h);
}

static const struct stream_events client_events = {
    .on_open = client_open, .on_data = client_data, .on_closed = client_closed};

static void finished(struct house *h)
{
    pthread_mutex_lock(&h->town->lock);
    h->town->done++;
    pthread_cond_signal(&h->town->changed);
    pthread_mutex_unlock(&h->town->lock);
}

static void next_connection(struct house *h)
{
    struct stream_target target = {.to = *bind_group_addr(h->town->group),
                                   .tls = h->town->client_ctx,
                                   .server_name = "edge.example"};

    if (h->left == 0) {
        finished(h);
        return;
    }
    h->left--;
    h->got = 0;
    if (stream_connect(&h->client, h->worker, &target, &client_events, h) < 0)
        h->failed++;
}

/* ---- workers ---- */

static int house_start(struct worker *worker, void *arg)
{
    struct town *t = arg;
    struct house *h = mem_zalloc(sizeof(*h));
    struct listener_options options = {.group = t->group,
                                       .mode = LISTENER_TLS,
                                       .tls = t->server_ctx,
                                       .limit = t->limit,
                                       .on_accept = on_accept,
                                       .arg = h};
    int err;

    if (!h)
        return -ENOMEM;
    h->town = t;
    h->worker = worker;
    h->left = CONNECTIONS;
    err = listener_open(&h->listener, worker, &options);
    if (err < 0) {
        mem_free(h);
        return err;
    }
    t->houses[worker_index(worker)] = h;
    next_connection(h);
    return 0;
}

static void house_stop(struct worker *worker, void *arg)
{
    struct town *t = arg;
    struct house *h = t->houses[worker_index(worker)];

    listener_close(h->listener);
    stream_close(h->client);
    ck_assert_uint_eq(h->failed, 0);
    mem_free(h);
}

/* A reload: each worker takes over its own reference. */
struct reload {
    struct town *town;
    struct tls_ctx *ctx;
};

static void take_over(struct worker *worker, void *arg)
{
    struct reload *r = arg;

    listener_set_tls(r->town->houses[worker_index(worker)]->listener, r->ctx);
    tls_ctx_unref(r->ctx);
    mem_free(r);
}

static struct tls_ctx *with_tickets(struct tls_tickets *tickets)
{
    struct tls_key_pair pair = {net_cert_file(NET_EDGE),
                                net_key_file(NET_EDGE)};
    struct tls_ctx_options options = {
        .role = TLS_SERVER, .pairs = &pair, .n_pairs = 1, .tickets = tickets};
    char error[TLS_ERROR_SIZE] = "";
    struct tls_ctx *ctx = NULL;

    ck_assert_msg(tls_ctx_new(&ctx, &options, error) == 0, "%s", error);
    return ctx;
}

static void reload(struct town *t, struct workers *workers,
                   struct tls_tickets *tickets)
{
    struct tls_ctx *next = with_tickets(tickets);

    for (unsigned i = 0; i < WORKERS; i++) {
        struct reload *r = mem_alloc(sizeof(*r));

        ck_assert_ptr_nonnull(r);
        *r = (struct reload){t, tls_ctx_ref(next)};
        ck_assert_int_eq(worker_post(workers_get(workers, i), take_over, r), 0);
    }
    tls_ctx_unref(next);
}

/* Until all are done; reload meanwhile. */
static bool wait_for(struct town *t, struct workers *workers,
                     struct tls_tickets *tickets)
{
    bool done = false;

    for (int i = 0; i < 300 && !done; i++) {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 100000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        pthread_mutex_lock(&t->lock);
        (void)pthread_cond_timedwait(&t->changed, &t->lock, &until);
        done = t->done == WORKERS;
        pthread_mutex_unlock(&t->lock);
        reload(t, workers, tickets);
    }
    return done;
}

static const enum tls_version versions[] = {TLS_VERSION_12, TLS_VERSION_13};

static struct tls_ctx *client_with(enum tls_version version)
{
    struct tls_ctx_options options = {.role = TLS_CLIENT,
                                      .ca_file = net_cert_file(NET_CA),
                                      .max_version = version};
    char error[TLS_ERROR_SIZE] = "";
    struct tls_ctx *ctx = NULL;

    ck_assert_msg(tls_ctx_new(&ctx, &options, error) == 0, "%s", error);
    return ctx;
}

START_TEST(certificates_tickets_and_limits_are_shared_and_reloaded)
{
    struct town t = {0};
    struct bind_options want = {
        .kind = BIND_TCP, .addr = net_loopback(ADDR_V4, 0), .count = WORKERS};
    struct workers_config config = {.count = WORKERS,
                                    .name = "town",
                                    .start = house_start,
                                    .stop = house_stop,
                                    .arg = &t};
    struct tls_tickets *tickets = NULL;
    struct workers *workers = NULL;
    char error[BIND_ERROR_SIZE] = "";
    unsigned served = 0;

    ck_assert_int_eq(tls_tickets_new(&tickets, 3600), 0);
    t.server_ctx = with_tickets(tickets);
    t.client_ctx = client_with(versions[_i]);
    pthread_mutex_init(&t.lock, NULL);
    pthread_cond_init(&t.changed, NULL);
    ck_assert_int_eq(conn_limit_new(&t.limit, 1000, 1000), 0);
    ck_assert_msg(bind_group_open(&t.group, &want, error) == 0, "%s", error);

    ck_assert_int_eq(workers_start(&workers, &config), 0);
    ck_assert(wait_for(&t, workers, tickets));
    ck_assert_int_eq(workers_stop(workers, 2000), 0);

    for (unsigned i = 0; i < WORKERS; i++)
        served += atomic_load(&t.served[i]);
    ck_assert_uint_eq(served, (uintmax_t)WORKERS * CONNECTIONS);
    ck_assert_uint_eq(conn_limit_open(t.limit), 0);
    bind_group_close(t.group);
    conn_limit_unref(t.limit);
    tls_ctx_unref(t.client_ctx);
    tls_ctx_unref(t.server_ctx);
    tls_tickets_unref(tickets);
    pthread_mutex_destroy(&t.lock);
    pthread_cond_destroy(&t.changed);
    ck_assert_no_blocks();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("workers");
    TCase *tc = tcase_create("workers");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc,
                        certificates_tickets_and_limits_are_shared_and_reloaded,
                        0, ARRAY_SIZE(versions));
    suite_add_tcase(s, tc);
    return s;
}
