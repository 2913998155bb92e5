/* SPDX-License-Identifier: MIT */
/* Packets that leave in one message arrive as the packets they were. */
#include "net/udp.h"

#include "support/unit.h"
#include "support_net.h"

#include <stdio.h>
#include <string.h>

enum { PACKETS_MAX = 200, LONG = 1200 };

static struct udp_ring *ring;

struct seen {
    size_t len;
    uint8_t first;
    uint8_t tos;
};

struct inbox {
    unsigned packets;
    struct seen seen[PACKETS_MAX];
};

static void setup(void)
{
    net_setup();
    ck_assert_int_eq(
        udp_ring_new(&ring, net_worker(), &(struct udp_ring_config){0}), 0);
}

static void teardown(void)
{
    udp_ring_close(ring);
    net_teardown();
}

static void on_packets(struct udp *udp, struct udp_packet *packets, size_t n,
                       void *arg)
{
    struct inbox *in = arg;

    (void)udp;
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_lt(in->packets, PACKETS_MAX);
        in->seen[in->packets++] = (struct seen){
            packets[i].len, packets[i].len > 0 ? packets[i].data[0] : 0,
            packets[i].tos};
    }
}

static struct udp *open_one(enum addr_family family, struct inbox *in)
{
    struct udp_options options = {.bind = net_loopback(family, 0),
                                  .recv_buffer = 1024 * 1024,
                                  .on_packets = on_packets,
                                  .arg = in};
    struct udp *udp = NULL;

    ck_assert_int_eq(udp_open(&udp, ring, &options), 0);
    return udp;
}

/* `len` bytes, each of them `mark`. */
static void send_marked(struct udp *udp, const struct udp_dest *dest,
                        uint8_t mark, size_t len)
{
    uint8_t bytes[LONG];

    memset(bytes, mark, sizeof(bytes));
    ck_assert_int_eq(udp_send(udp, dest, span_of(bytes, len)), 0);
}

static const enum addr_family families[] = {ADDR_V4, ADDR_V6};

START_TEST(many_to_one_place_leave_together_and_arrive_one_by_one)
{
    static const size_t lens[] = {LONG, LONG, LONG, 700,  LONG, 700, 700,
                                  0,    0,    700,  LONG, LONG, 1,   1};
    enum { N = sizeof(lens) / sizeof(lens[0]) };
    struct inbox in = {0};
    struct inbox none = {0};
    enum addr_family family = families[_i];
    struct udp *a;
    struct udp *b;

    if (family == ADDR_V6 && !net_has_ipv6())
        return;
    a = open_one(family, &none);
    b = open_one(family, &in);
    for (uint8_t i = 0; i < N; i++)
        send_marked(a, &(struct udp_dest){.to = *udp_addr(b)}, i + 1, lens[i]);
    ck_assert(net_until_count(&in.packets, N));
    for (unsigned i = 0; i < N; i++) {
        ck_assert_uint_eq(in.seen[i].len, lens[i]);
        ck_assert_uint_eq(in.seen[i].first, lens[i] > 0 ? i + 1 : 0);
    }
    ck_assert_uint_eq(stats_get(&udp_stats(a)->packets_out), N);
    ck_assert_uint_eq(stats_get(&udp_stats(a)->send_errors), 0);
}
END_TEST

START_TEST(more_than_one_message_takes)
{
    struct inbox in = {0};
    struct inbox none = {0};
    struct udp *a = open_one(ADDR_V4, &none);
    struct udp *b = open_one(ADDR_V4, &in);

    for (unsigned i = 0; i < 150; i++)
        send_marked(a, &(struct udp_dest){.to = *udp_addr(b)}, (uint8_t)i,
                    LONG);
    ck_assert(net_until_count(&in.packets, 150));
    for (unsigned i = 0; i < 150; i++) {
        ck_assert_uint_eq(in.seen[i].len, LONG);
        ck_assert_uint_eq(in.seen[i].first, i);
    }
    ck_assert_uint_eq(stats_get(&udp_stats(a)->bytes_out), 150 * LONG);
}
END_TEST

START_TEST(each_keeps_its_traffic_class_and_its_place)
{
    struct inbox in = {0};
    struct inbox other = {0};
    struct inbox none = {0};
    enum addr_family family = families[_i];
    struct udp *a;
    struct udp *b;
    struct udp *c;

    if (family == ADDR_V6 && !net_has_ipv6())
        return;
    a = open_one(family, &none);
    b = open_one(family, &in);
    c = open_one(family, &other);
    for (uint8_t i = 0; i < 12; i++) {
        struct udp_dest dest = {.to = *udp_addr(i % 4 == 3 ? c : b),
                                .from = *udp_addr(a),
                                .has_tos = i >= 4,
                                .tos = i >= 4 ? (uint8_t)(i / 6 * 46 << 2) : 0,
                                .dont_fragment = i == 9};

        send_marked(a, &dest, i, 400);
    }
    ck_assert(net_until_count(&in.packets, 9));
    ck_assert(net_until_count(&other.packets, 3));
    for (unsigned i = 0, to_b = 0, to_c = 0; i < 12; i++) {
        struct seen *s = i % 4 == 3 ? &other.seen[to_c++] : &in.seen[to_b++];

        ck_assert_uint_eq(s->first, i);
        ck_assert_uint_eq(s->len, 400);
        ck_assert_uint_eq(s->tos, i >= 6 ? 46 << 2 : 0);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("udp_join");
    TCase *tcase = tcase_create("join");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(
        tcase, many_to_one_place_leave_together_and_arrive_one_by_one, 0, 2);
    tcase_add_test(tcase, more_than_one_message_takes);
    tcase_add_loop_test(tcase, each_keeps_its_traffic_class_and_its_place, 0,
                        2);
    suite_add_tcase(suite, tcase);
    return suite;
}
