/* SPDX-License-Identifier: MIT */
/* A port that several protocols share. */
#include "base/err.h"
#include "base/first_bytes.h"
#include "net/listener.h"
#include "net/tls_session.h"
#include "support/unit.h"
#include "support_net.h"
#include "support_stream.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct pair pair;
static struct tls_ctx *edge_ctx;
static struct tls_ctx *other_ctx;
static struct tls_ctx *client_ctx;
static int fd;

static struct listener_verdict verdict;
static enum first_kind kind;
static char name[64];
static unsigned asked;

static struct listener_verdict
choose(struct stream *stream, const struct first_bytes *first, void *arg)
{
    (void)arg;
    asked++;
    kind = first->kind;
    snprintf(name, sizeof(name), "%.*s", SPAN_FMT(first->hello.server_name));
    stream_set_mark(stream, 7);
    return verdict;
}

static void setup(void)
{
    struct listener_options options = {.choose = choose};

    net_setup();
    edge_ctx = net_server_ctx(NET_EDGE);
    other_ctx = net_server_ctx(NET_OTHER);
    client_ctx = net_client_ctx();
    fd = -1;
    asked = 0;
    verdict = (struct listener_verdict){.choice = LISTENER_TAKE_PLAIN};
    pair_listen(&pair, LISTENER_CHOOSE, edge_ctx, &options);
}

static void teardown(void)
{
    pair_close(&pair);
    if (fd >= 0)
        close(fd);
    tls_ctx_unref(edge_ctx);
    tls_ctx_unref(other_ctx);
    tls_ctx_unref(client_ctx);
    net_teardown();
}

static const struct listener_stats *stats(void)
{
    return listener_stats(pair.listener);
}

static void knock(void)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(listener_addr(pair.listener), &sa);

    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, len), 0);
}

static void say(const void *bytes, size_t len)
{
    ck_assert_int_eq((int)send(fd, bytes, len, MSG_NOSIGNAL), (int)len);
    net_for(2);
}

START_TEST(tls_stays_here_when_told)
{
    verdict.choice = LISTENER_TAKE_TLS;
    pair_connect(&pair, client_ctx);
    ck_assert(pair.client.opened);
    ck_assert_int_eq(kind, FIRST_TLS);
    ck_assert_str_eq(name, "edge.example");
    ck_assert_ptr_nonnull(stream_tls(pair.server.stream));
    ck_assert_uint_eq(stream_mark(pair.server.stream), 7);
    ck_assert_uint_eq(asked, 1);
}
END_TEST

START_TEST(tls_with_another_certificate)
{
    struct stream_target target = {.tls = client_ctx,
                                   .server_name = "edge.example",
                                   .verify_name = "other.example"};

    verdict.choice = LISTENER_TAKE_TLS;
    verdict.tls = other_ctx;
    ck_assert_int_eq(pair_start(&pair, &target), 0);
    ck_assert(net_until(&pair.client.opened));
}
END_TEST

START_TEST(passed_on_the_hello_is_the_first_data)
{
    struct stream_target target = {.tls = client_ctx,
                                   .server_name = "edge.example"};

    ck_assert_int_eq(pair_start(&pair, &target), 0);
    ck_assert(net_until_count(&pair.accepted, 1));
    ck_assert_ptr_null(stream_tls(pair.server.stream));
    ck_assert(end_has(&pair.server, 100));
    ck_assert_uint_eq(buf_span(&pair.server.got).ptr[0], 22);
    ck_assert_uint_eq(stats()->ready, 1);
}
END_TEST

START_TEST(bytes_may_come_one_by_one)
{
    static const char text[] = "\r\nREGISTER sip:a SIP/2.0\r\n";

    knock();
    for (size_t i = 0; text[i] != ':'; i++) {
        ck_assert_uint_eq(asked, 0);
        say(&text[i], 1);
    }
    say(":", 1);
    ck_assert(net_until_count(&pair.accepted, 1));
    ck_assert_int_eq(kind, FIRST_SIP);
    ck_assert(end_has(&pair.server, 15));
    ck_assert_span_eq(buf_span(&pair.server.got), "\r\nREGISTER sip:");
}
END_TEST

START_TEST(a_refusal_is_an_alert)
{
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 112};
    struct stream_target target = {.tls = client_ctx,
                                   .server_name = "edge.example"};

    verdict =
        (struct listener_verdict){.choice = LISTENER_REFUSE, .alert = alert[6]};
    ck_assert_int_eq(pair_start(&pair, &target), 0);
    ck_assert(net_until(&pair.client.closed));
    ck_assert_int_eq(pair.client.err, ERR_TLS);
    ck_assert_uint_eq(stats()->refused_first, 1);
    ck_assert_uint_eq(stats()->waiting, 0);
}
END_TEST

START_TEST(what_cannot_be_read_is_not_asked_about)
{
    static const uint8_t garbage[] = {22, 3, 1, 0, 4, 2, 0, 0, 0};
    uint8_t answer[16];

    verdict.choice = LISTENER_TAKE_TLS;
    knock();
    say(garbage, sizeof(garbage));
    net_for(5);
    ck_assert_int_eq((int)recv(fd, answer, sizeof(answer), MSG_DONTWAIT), 7);
    ck_assert_uint_eq(answer[0], 21);
    ck_assert_uint_eq(answer[6], 50);
    ck_assert_uint_eq(asked, 0);
    ck_assert_uint_eq(stats()->refused_first, 1);
}
END_TEST

START_TEST(waiting_for_a_hello_costs_nothing)
{
    static const uint8_t part[] = {22, 3, 1, 2, 0, 1, 0};
    uint64_t turns;

    knock();
    say(part, sizeof(part));
    turns = stats_get(&worker_stats(net_worker())->turns);
    net_for(100);
    ck_assert_uint_lt(stats_get(&worker_stats(net_worker())->turns) - turns,
                      110);
    say("x", 1);
    ck_assert_uint_eq(asked, 0);
    shutdown(fd, SHUT_WR);
    net_for(5);
    ck_assert_uint_eq(stats()->waiting, 0);
    ck_assert_uint_eq(stats()->handshake_failed, 1);
}
END_TEST

/* ---- what we send before TLS ---- */

START_TEST(a_preface_comes_before_anything_else)
{
    struct stream_target target = {.tls = client_ctx,
                                   .server_name = "edge.example",
                                   .preface = span_str("GET /preface")};

    ck_assert_int_eq(pair_start(&pair, &target), 0);
    ck_assert(end_has(&pair.server, 100));
    ck_assert_int_eq(kind, FIRST_HTTP);
    ck_assert(span_starts(buf_span(&pair.server.got), "GET /preface\x16\x03"));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("listener_choose");
    TCase *tc = tcase_create("first bytes");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, tls_stays_here_when_told);
    tcase_add_test(tc, tls_with_another_certificate);
    tcase_add_test(tc, passed_on_the_hello_is_the_first_data);
    tcase_add_test(tc, bytes_may_come_one_by_one);
    tcase_add_test(tc, a_refusal_is_an_alert);
    tcase_add_test(tc, what_cannot_be_read_is_not_asked_about);
    tcase_add_test(tc, waiting_for_a_hello_costs_nothing);
    tcase_add_test(tc, a_preface_comes_before_anything_else);
    suite_add_tcase(suite, tc);
    return suite;
}
