/* SPDX-License-Identifier: MIT */
#include "net/udp.h"

#include "net/bind.h"
#include "support/unit.h"
#include "support_net.h"

#include <errno.h>
#include <stdio.h>

static struct udp_ring *ring;

/* What a socket has received, in order. */
struct inbox {
    unsigned packets;
    unsigned batches;
    size_t bytes;
    struct addr from;
    struct addr to;
    uint8_t tos;
    bool truncated;
    char text[3000];
    size_t len;
    bool close_self;
    struct udp *forward; /* relay with a header of 4 bytes through this */
    struct udp_dest dest;
    bool echo;
};

static void on_packets(struct udp *udp, struct udp_packet *packets, size_t n,
                       void *arg)
{
    struct inbox *in = arg;

    in->batches++;
    for (size_t i = 0; i < n; i++) {
        struct udp_packet *p = &packets[i];

        in->packets++;
        in->bytes += p->len;
        in->from = p->from;
        in->to = p->to;
        in->tos = p->tos;
        in->truncated = p->truncated;
        in->len = p->len;
        memcpy(in->text, p->data, p->len);
        if (in->echo) {
            struct udp_dest back = {.to = p->from, .from = p->to};

            ck_assert_int_eq(udp_send(udp, &back, span_of(p->data, p->len)), 0);
        }
        if (in->forward) {
            memcpy(p->data - 4, "HEAD", 4);
            ck_assert_int_eq(udp_send(in->forward, &in->dest,
                                      span_of(p->data - 4, p->len + 4)),
                             0);
        }
    }
    if (in->close_self)
        udp_close(udp);
}

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

static struct udp *open_at(struct addr at, struct inbox *in)
{
    struct udp_options options = {
        .bind = at, .on_packets = on_packets, .arg = in};
    struct udp *udp = NULL;

    ck_assert_int_eq(udp_open(&udp, ring, &options), 0);
    return udp;
}

static struct udp *open_v4(struct inbox *in)
{
    return open_at(net_loopback(ADDR_V4, 0), in);
}

static void send_text(struct udp *udp, const struct addr *to, const char *text)
{
    struct udp_dest dest = {.to = *to};

    ck_assert_int_eq(udp_send(udp, &dest, span_str(text)), 0);
}

START_TEST(a_packet_arrives_with_its_addresses)
{
    struct inbox in = {0};
    struct inbox none = {0};
    struct udp *a = open_v4(&none);
    struct udp *b = open_v4(&in);

    send_text(a, udp_addr(b), "hello");
    ck_assert(net_until_count(&in.packets, 1));
    ck_assert_span_eq(span_of(in.text, in.len), "hello");
    ck_assert(addr_equal(&in.from, udp_addr(a)));
    ck_assert(addr_equal(&in.to, udp_addr(b)));
    ck_assert_uint_eq(none.packets, 0);
}
END_TEST

START_TEST(ipv6_works_the_same)
{
    struct inbox in = {0};
    struct udp *a;
    struct udp *b;

    if (!net_has_ipv6()) {
        printf("skipped: no IPv6 on this machine\n");
        return;
    }
    a = open_at(net_loopback(ADDR_V6, 0), &in);
    b = open_at(addr_any(ADDR_V6, 0), &in);
    in.echo = false;
    {
        struct addr to = net_loopback(ADDR_V6, udp_addr(b)->port);
        struct udp_dest dest = {.to = to, .tos = 0xb8, .has_tos = true};

        ck_assert_int_eq(udp_send(a, &dest, span_str("six")), 0);
        ck_assert(net_until_count(&in.packets, 1));
        ck_assert(addr_equal(&in.to, &to));
        ck_assert(addr_equal(&in.from, udp_addr(a)));
        ck_assert_uint_eq(in.tos, 0xb8);
    }
}
END_TEST

START_TEST(a_wildcard_socket_answers_from_the_address_asked)
{
    struct inbox server = {.echo = true};
    struct inbox client = {0};
    struct udp *s = open_at(addr_any(ADDR_V4, 0), &server);
    struct udp *c = open_at(addr_v4(INADDR_LOOPBACK, 0), &client);
    struct addr odd = addr_v4(0x7f000305, udp_addr(s)->port); /* 127.0.3.5 */

    send_text(c, &odd, "who are you");
    ck_assert(net_until_count(&client.packets, 1));
    ck_assert(addr_equal(&server.to, &odd));
    ck_assert(addr_equal(&client.from, &odd));
}
END_TEST

START_TEST(tos_travels_both_ways)
{
    struct inbox in = {0};
    struct udp *a = open_v4(&in);
    struct udp *b = open_v4(&in);
    struct udp_dest dest = {
        .to = *udp_addr(b), .tos = 46 << 2, .has_tos = true};

    ck_assert_int_eq(udp_send(a, &dest, span_str("ef")), 0);
    ck_assert(net_until_count(&in.packets, 1));
    ck_assert_uint_eq(in.tos, 46 << 2);
}
END_TEST

START_TEST(the_default_tos_of_a_socket_is_used)
{
    struct inbox in = {0};
    struct udp_options options = {.bind = net_loopback(ADDR_V4, 0),
                                  .tos = 0x60,
                                  .on_packets = on_packets,
                                  .arg = &in};
    struct udp *a = NULL;
    struct udp *b = open_v4(&in);

    ck_assert_int_eq(udp_open(&a, ring, &options), 0);
    send_text(a, udp_addr(b), "cs3");
    ck_assert(net_until_count(&in.packets, 1));
    ck_assert_uint_eq(in.tos, 0x60);
}
END_TEST

START_TEST(a_packet_is_relayed_with_a_header_in_its_headroom)
{
    struct inbox end = {0};
    struct inbox relay = {0};
    struct inbox none = {0};
    struct udp *client = open_v4(&none);
    struct udp *front = open_v4(&relay);
    struct udp *out = open_v4(&none);
    struct udp *peer = open_v4(&end);

    relay.forward = out;
    relay.dest.to = *udp_addr(peer);
    send_text(client, udp_addr(front), "media");
    ck_assert(net_until_count(&end.packets, 1));
    ck_assert_span_eq(span_of(end.text, end.len), "HEADmedia");
    ck_assert(addr_equal(&end.from, udp_addr(out)));
}
END_TEST

START_TEST(many_packets_leave_in_few_system_calls)
{
    struct inbox in = {0};
    struct inbox none = {0};
    struct udp *a = open_v4(&none);
    struct udp *b = open_v4(&in);

    for (int i = 0; i < 100; i++)
        send_text(a, udp_addr(b), "x");
    ck_assert_uint_eq(stats_get(&udp_stats(a)->packets_out), 0);
    ck_assert(net_until_count(&in.packets, 100));
    ck_assert_uint_eq(stats_get(&udp_stats(a)->packets_out), 100);
    ck_assert_uint_eq(stats_get(&udp_stats(a)->batches_out), 2);
    ck_assert_uint_le(in.batches, 8);
    ck_assert_uint_eq(stats_get(&udp_ring_stats(ring)->bytes_in), 100);
    ck_assert_uint_eq(stats_get(&udp_ring_stats(ring)->bytes_out), 100);
}
END_TEST

START_TEST(more_sends_than_slots_flush_on_the_way)
{
    struct udp_ring *small = NULL;
    struct inbox in = {0};
    struct udp_options options = {
        .bind = net_loopback(ADDR_V4, 0), .on_packets = on_packets, .arg = &in};
    struct udp *a = NULL;
    struct udp *b = open_v4(&in);

    ck_assert_int_eq(
        udp_ring_new(&small, net_worker(), &(struct udp_ring_config){8, 64}),
        0);
    ck_assert_int_eq(udp_open(&a, small, &options), 0);
    for (int i = 0; i < 100; i++)
        send_text(a, udp_addr(b), "y");
    ck_assert(net_until_count(&in.packets, 100));
    udp_ring_close(small);
}
END_TEST

START_TEST(what_is_longer_than_a_slot_is_marked)
{
    struct udp_ring *small = NULL;
    struct inbox in = {0};
    struct inbox none = {0};
    struct udp_options options = {
        .bind = net_loopback(ADDR_V4, 0), .on_packets = on_packets, .arg = &in};
    struct udp *a = open_v4(&none);
    struct udp *b = NULL;
    struct udp_dest dest;
    char big[65] = "";

    memset(big, 'z', sizeof(big));
    ck_assert_int_eq(
        udp_ring_new(&small, net_worker(), &(struct udp_ring_config){8, 64}),
        0);
    ck_assert_int_eq(udp_open(&b, small, &options), 0);
    dest = (struct udp_dest){.to = *udp_addr(b)};
    ck_assert_int_eq(udp_send(a, &dest, span_of(big, 64)), 0);
    ck_assert(net_until_count(&in.packets, 1));
    ck_assert(!in.truncated);
    ck_assert_int_eq(udp_send(a, &dest, span_of(big, 65)), 0);
    ck_assert(net_until_count(&in.packets, 2));
    ck_assert(in.truncated);
    ck_assert_uint_eq(in.len, 64);
    ck_assert_uint_eq(stats_get(&udp_stats(b)->truncated), 1);
    dest.to = *udp_addr(a);
    ck_assert_int_eq(udp_send(b, &dest, span_of(big, 65)), -EMSGSIZE);
    udp_ring_close(small);
}
END_TEST

START_TEST(an_empty_packet_is_a_packet)
{
    struct inbox in = {0};
    struct udp *a = open_v4(&in);
    struct udp *b = open_v4(&in);

    send_text(a, udp_addr(b), "");
    ck_assert(net_until_count(&in.packets, 1));
    ck_assert_uint_eq(in.len, 0);
}
END_TEST

START_TEST(an_icmp_error_does_not_stop_reading)
{
    struct inbox in = {0};
    struct inbox gone = {0};
    struct udp *a = open_v4(&in);
    struct udp *b = open_v4(&gone);
    struct udp *c = open_v4(&gone);
    struct addr nobody = *udp_addr(b);

    udp_close(b);
    for (int i = 0; i < 5; i++) {
        send_text(a, &nobody, "anybody?");
        net_for(5);
    }
    send_text(c, udp_addr(a), "still there");
    ck_assert(net_until_count(&in.packets, 1));
    ck_assert_span_eq(span_of(in.text, in.len), "still there");
}
END_TEST

START_TEST(a_socket_may_close_itself_in_its_handler)
{
    struct inbox in = {.close_self = true, .echo = true};
    struct inbox client = {0};
    struct udp *a = open_v4(&client);
    struct udp *b = open_v4(&in);

    /* The answers queued before the close are sent. */
    for (int i = 0; i < 40; i++)
        send_text(a, udp_addr(b), "bye");
    ck_assert(net_until_count(&client.packets, in.packets ? in.packets : 1));
    net_for(5);
    ck_assert_uint_ge(in.packets, 1);
    ck_assert_uint_eq(in.batches, 1);
    ck_assert_uint_eq(client.packets, in.packets);
}
END_TEST

START_TEST(a_taken_port_and_a_wrong_family_are_errors)
{
    struct inbox in = {0};
    struct udp *a = open_v4(&in);
    struct udp *b = NULL;
    struct udp_options options = {
        .bind = *udp_addr(a), .on_packets = on_packets, .arg = &in};
    struct udp_dest dest = {.to = net_loopback(ADDR_V6, 9)};

    ck_assert_int_eq(udp_open(&b, ring, &options), -EADDRINUSE);
    ck_assert_ptr_null(b);
    ck_assert_int_eq(udp_send(a, &dest, span_str("x")), -EAFNOSUPPORT);
}
END_TEST

START_TEST(a_refused_send_is_counted_and_the_next_one_goes_out)
{
    struct inbox in = {0};
    struct udp_options options = {.bind = net_loopback(ADDR_V4, 0),
                                  .fragment = UDP_FRAGMENT_NEVER,
                                  .on_packets = on_packets,
                                  .arg = &in};
    struct udp_ring *large = NULL;
    struct udp *a = NULL;
    struct udp *b = open_v4(&in);
    struct udp_dest dest = {.to = *udp_addr(b)};
    static char big[65530];

    ck_assert_int_eq(udp_ring_new(&large, net_worker(),
                                  &(struct udp_ring_config){16, 65535}),
                     0);
    ck_assert_int_eq(udp_open(&a, large, &options), 0);
    /* Longer than UDP can carry at all. */
    ck_assert_int_eq(udp_send(a, &dest, span_of(big, sizeof(big))), 0);
    send_text(a, udp_addr(b), "small");
    ck_assert(net_until_count(&in.packets, 1));
    ck_assert_span_eq(span_of(in.text, in.len), "small");
    ck_assert_uint_eq(stats_get(&udp_stats(a)->send_errors), 1);
    udp_ring_close(large);
}
END_TEST

START_TEST(a_group_gives_each_worker_its_socket)
{
    struct bind_options want = {
        .kind = BIND_UDP, .addr = net_loopback(ADDR_V4, 0), .count = 2};
    char error[BIND_ERROR_SIZE] = "";
    struct bind_group *group = NULL;
    struct inbox in = {0};
    struct udp_options options = {.on_packets = on_packets, .arg = &in};
    struct udp *a = NULL;

    ck_assert_msg(bind_group_open(&group, &want, error) == 0, "%s", error);
    options.group = group;
    ck_assert_int_eq(udp_open(&a, ring, &options), 0);
    ck_assert(addr_equal(udp_addr(a), bind_group_addr(group)));
    /* Worker 0 has taken its own. */
    ck_assert_int_eq(udp_open(&a, ring, &options), -EBADF);
    bind_group_close(group);
}
END_TEST

START_TEST(every_failed_allocation_is_handled)
{
    struct udp_ring *r = NULL;
    struct udp *u = NULL;
    struct inbox in = {0};
    struct udp_options options = {
        .bind = net_loopback(ADDR_V4, 0), .on_packets = on_packets, .arg = &in};
    int err = 0;

    CK_OOM_SWEEP(err, err = udp_ring_new(&r, net_worker(),
                                         &(struct udp_ring_config){8, 64}));
    CK_OOM_SWEEP(err, err = udp_open(&u, r, &options));
    udp_ring_close(r);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("udp");
    TCase *tc = tcase_create("udp");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_packet_arrives_with_its_addresses);
    tcase_add_test(tc, ipv6_works_the_same);
    tcase_add_test(tc, a_wildcard_socket_answers_from_the_address_asked);
    tcase_add_test(tc, tos_travels_both_ways);
    tcase_add_test(tc, the_default_tos_of_a_socket_is_used);
    tcase_add_test(tc, a_packet_is_relayed_with_a_header_in_its_headroom);
    tcase_add_test(tc, many_packets_leave_in_few_system_calls);
    tcase_add_test(tc, more_sends_than_slots_flush_on_the_way);
    tcase_add_test(tc, what_is_longer_than_a_slot_is_marked);
    tcase_add_test(tc, an_empty_packet_is_a_packet);
    tcase_add_test(tc, an_icmp_error_does_not_stop_reading);
    tcase_add_test(tc, a_socket_may_close_itself_in_its_handler);
    tcase_add_test(tc, a_taken_port_and_a_wrong_family_are_errors);
    tcase_add_test(tc, a_refused_send_is_counted_and_the_next_one_goes_out);
    tcase_add_test(tc, a_group_gives_each_worker_its_socket);
    tcase_add_test(tc, every_failed_allocation_is_handled);
    suite_add_tcase(s, tc);
    return s;
}
