/* SPDX-License-Identifier: MIT */
/* Packets too long for the way, in a network of our own whose loopback takes
 * 1400 bytes. */
#include "net/udp.h"

#include "base/mem.h"
#include "support/unit.h"
#include "support_net.h"

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { MTU = 1400 };

static struct udp_ring *ring;

struct side {
    unsigned packets;
    size_t len;
    unsigned reports;
    struct udp_report report;
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

/* False where that is not allowed: there is nothing to see then. */
static bool has_narrow_network(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    bool done;
    int fd;

    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        return false;
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    request.ifr_mtu = MTU;
    done = ioctl(fd, SIOCSIFMTU, &request) == 0;
    request.ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING;
    done = done && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    close(fd);
    return done;
}

static void on_packets(struct udp *udp, struct udp_packet *packets, size_t n,
                       void *arg)
{
    struct side *side = arg;

    (void)udp;
    side->packets += (unsigned)n;
    side->len = packets[n - 1].len;
}

static void on_report(struct udp *udp, const struct udp_report *report,
                      void *arg)
{
    struct side *side = arg;

    (void)udp;
    side->reports++;
    side->report = *report;
}

static struct udp *open_side(enum addr_family family, struct side *side)
{
    struct udp_options options = {.bind = net_loopback(family, 0),
                                  .on_packets = on_packets,
                                  .on_report = on_report,
                                  .arg = side};
    struct udp *udp = NULL;

    ck_assert_int_eq(udp_open(&udp, ring, &options), 0);
    return udp;
}

static void send_len(struct udp *udp, const struct addr *to, size_t len,
                     bool whole)
{
    static uint8_t bytes[2000];
    struct udp_dest dest = {.to = *to, .dont_fragment = whole};

    ck_assert_int_eq(udp_send(udp, &dest, span_of(bytes, len)), 0);
}

START_TEST(is_told_of_what_cannot_go_whole)
{
    bool v6 = _i == 1;
    enum addr_family family = v6 ? ADDR_V6 : ADDR_V4;
    struct side a = {0};
    struct side b = {0};
    struct udp *from;
    struct udp *to;

    if (!has_narrow_network())
        return;
    if (v6 && !net_has_ipv6())
        return;
    from = open_side(family, &a);
    to = open_side(family, &b);

    /* one turn: the option holds for the packet that asked for it alone */
    send_len(from, udp_addr(to), 1000, true);
    send_len(from, udp_addr(to), 1500, true);
    send_len(from, udp_addr(to), 1501, false);
    ck_assert(net_until_count(&b.packets, 2));
    ck_assert_uint_eq(b.len, 1501);
    ck_assert(net_until_count(&a.reports, 1));
    ck_assert(addr_equal(&a.report.to, udp_addr(to)));
    ck_assert_uint_eq(a.report.type, v6 ? 2 : 3);
    ck_assert_uint_eq(a.report.code, v6 ? 0 : 4);
    ck_assert_uint_eq(a.report.info, MTU);
    net_for(10);
    ck_assert_uint_eq(a.reports, 1);
    ck_assert_uint_eq(b.packets, 2);
    udp_close(from);
    udp_close(to);
}
END_TEST

/* Joined in one message they would be refused. */
START_TEST(many_that_are_too_long_arrive_in_fragments)
{
    enum { N = 40 };
    bool v6 = _i == 1;
    struct side a = {0};
    struct side b = {0};
    struct udp *from;
    struct udp *to;

    if (!has_narrow_network() || (v6 && !net_has_ipv6()))
        return;
    from = open_side(v6 ? ADDR_V6 : ADDR_V4, &a);
    to = open_side(v6 ? ADDR_V6 : ADDR_V4, &b);
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < N; i++)
            send_len(from, udp_addr(to), i < N / 2 ? 1600 : 1000, false);
        ck_assert(net_until_count(&b.packets, (unsigned)round * N));
        ck_assert_uint_eq(b.len, 1000);
    }
    net_for(10);
    ck_assert_uint_eq(a.reports, 0);
    ck_assert_uint_eq(stats_get(&udp_stats(from)->send_errors), 0);
    ck_assert_uint_eq(stats_get(&udp_stats(from)->packets_out), 3 * N);
    udp_close(from);
    udp_close(to);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("udp_fragment");
    TCase *tcase = tcase_create("udp_fragment");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, is_told_of_what_cannot_go_whole, 0, 2);
    tcase_add_loop_test(tcase, many_that_are_too_long_arrive_in_fragments, 0,
                        2);
    suite_add_tcase(suite, tcase);
    return suite;
}
