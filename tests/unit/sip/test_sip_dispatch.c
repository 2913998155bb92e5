/* SPDX-License-Identifier: MIT */
#include "proxy/sip_dispatch.h"
#include "proxy/sip_flow.h"
#include "support/unit.h"

#include <stdio.h>

static struct sip_dispatch_conf conf;
static struct sip_dispatch d;
static uint32_t group;

static void add(const char *name, uint32_t ip, uint8_t priority, uint8_t weight)
{
    struct sip_server_conf *s = &conf.servers[conf.count++];
    char text[ADDR_TEXT_SIZE];

    (void)snprintf(s->group, sizeof(s->group), "%s", name);
    s->target.transport = SIP_UDP;
    s->target.remote = addr_v4(ip, 5060);
    s->priority = priority;
    s->weight = weight;
    (void)snprintf(s->text, sizeof(s->text), "udp:%s",
                   addr_str(&s->target.remote, text));
}

static void setup(void)
{
    memset(&conf, 0, sizeof(conf));
    conf.probe_interval_ms = 1000;
    conf.down_after = 2;
    conf.up_after = 2;
    add("default", 0x0A00000A, 0, 1);
    add("default", 0x0A00000B, 0, 3);
    add("default", 0x0A00000C, 1, 1);
    add("mds1", 0x0A00000C, 0, 1);
    sip_dispatch_init(&d, &conf, 0);
    group = sip_name_tag(span_str("default"));
}

static int pick(int user, uint64_t tried)
{
    char name[16];

    struct sip_tried tags = {.n = 0};

    for (size_t i = 0; i < d.count; i++) {
        if (tried & (UINT64_C(1) << i))
            sip_tried_add(&tags, d.servers[i].tag);
    }
    (void)snprintf(name, sizeof(name), "user%d", user);
    return sip_dispatch_pick(&d, group, span_str(name), &tags);
}

START_TEST(a_user_stays_with_his_server)
{
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(pick(i, 0), pick(i, 0));
}
END_TEST

START_TEST(users_are_spread_by_weight)
{
    int count[4] = {0};

    for (int i = 0; i < 10000; i++)
        count[pick(i, 0)]++;
    ck_assert_int_ge(count[0], 2200); /* one quarter */
    ck_assert_int_le(count[0], 2800);
    ck_assert_int_eq(count[2] + count[3], 0);
}
END_TEST

START_TEST(a_server_that_goes_down_moves_only_its_own_users)
{
    int before[1000];

    for (int i = 0; i < 1000; i++)
        before[i] = pick(i, 0);
    ck_assert(!sip_dispatch_on_failure(&d, 0, 5));
    ck_assert(sip_dispatch_on_failure(&d, 0, 6));
    for (int i = 0; i < 1000; i++) {
        if (before[i] == 0)
            ck_assert_int_eq(pick(i, 0), 1);
        else
            ck_assert_int_eq(pick(i, 0), before[i]);
    }
}
END_TEST

START_TEST(the_next_priority_is_asked_when_the_first_was_tried)
{
    ck_assert_int_eq(pick(1, 3), 2);
    ck_assert_int_eq(pick(1, 7), -1);
}
END_TEST

START_TEST(all_down_means_the_best_is_tried_all_the_same)
{
    for (int s = 0; s < 3; s++) {
        (void)sip_dispatch_on_failure(&d, s, 1);
        (void)sip_dispatch_on_failure(&d, s, 1);
    }
    ck_assert_int_ge(pick(1, 0), 0);
    ck_assert_int_lt(pick(1, 0), 2);
}
END_TEST

START_TEST(a_server_comes_back_after_answers_in_a_row)
{
    (void)sip_dispatch_on_failure(&d, 2, 1);
    ck_assert(sip_dispatch_on_failure(&d, 2, 1));
    ck_assert(!d.servers[3].up); /* the same server in the other group */
    ck_assert(!sip_dispatch_on_answer(&d, 2, 2));
    (void)sip_dispatch_on_failure(&d, 2, 3); /* not in a row */
    ck_assert(!sip_dispatch_on_answer(&d, 2, 4));
    ck_assert(sip_dispatch_on_answer(&d, 2, 5));
    ck_assert(d.servers[3].up);
}
END_TEST

START_TEST(a_server_in_drain_takes_no_new_requests)
{
    conf.servers[0].drain = true;
    conf.servers[1].drain = true;
    sip_dispatch_reload(&d, &conf, 0);
    ck_assert_int_eq(pick(1, 0), 2);
}
END_TEST

START_TEST(reload_keeps_the_health_of_servers_that_stay)
{
    (void)sip_dispatch_on_failure(&d, 0, 1);
    (void)sip_dispatch_on_failure(&d, 0, 1);
    add("new", 0x0A000063, 0, 1);
    sip_dispatch_reload(&d, &conf, 9);
    ck_assert(!d.servers[0].up);
    ck_assert(d.servers[4].up);
    ck_assert(sip_dispatch_has_group(&d, sip_name_tag(span_str("NEW"))));
}
END_TEST

START_TEST(a_removed_server_keeps_its_dialogs_for_a_time)
{
    struct addr a = addr_v4(0x0A00000B, 5060);
    uint16_t tag = d.servers[1].tag;
    int index;

    conf.retire_ms = 60000;
    conf.servers[1] = conf.servers[--conf.count];
    sip_dispatch_reload(&d, &conf, 1000);
    ck_assert_uint_eq(d.count, 4);
    index = sip_dispatch_find_tag(&d, tag);
    ck_assert_int_ge(index, 0);
    ck_assert(d.servers[index].retired);
    ck_assert_int_eq(sip_dispatch_find_ip(&d, &a), index);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_ne(pick(i, 0), index);
    for (int due; (due = sip_dispatch_take_due(&d, 2000)) >= 0;)
        ck_assert_int_ne(due, index);
    sip_dispatch_reload(&d, &conf, 50000); /* its time goes on */
    sip_dispatch_expire(&d, 60999);
    ck_assert_int_ge(sip_dispatch_find_tag(&d, tag), 0);
    sip_dispatch_expire(&d, 61000);
    ck_assert_int_eq(sip_dispatch_find_tag(&d, tag), -1);
    ck_assert_uint_eq(d.count, 3);
}
END_TEST

START_TEST(a_server_that_comes_back_is_used_again)
{
    uint16_t tag = d.servers[1].tag;
    struct sip_dispatch_conf all = conf;
    int index;

    conf.retire_ms = all.retire_ms = 60000;
    conf.servers[1] = conf.servers[--conf.count];
    sip_dispatch_reload(&d, &conf, 1000);
    sip_dispatch_reload(&d, &all, 2000);
    ck_assert_uint_eq(d.count, 4);
    index = sip_dispatch_find_tag(&d, tag);
    ck_assert(!d.servers[index].retired);
}
END_TEST

START_TEST(a_removed_server_moves_only_its_own_users)
{
    int before[1000];
    uint16_t tags[4];

    for (int i = 0; i < 1000; i++)
        before[i] = pick(i, 0);
    for (int i = 0; i < 4; i++)
        tags[i] = d.servers[i].tag;
    conf.servers[1] = conf.servers[--conf.count];
    sip_dispatch_reload(&d, &conf, 1000);
    for (int i = 0; i < 1000; i++) {
        if (before[i] != 1)
            ck_assert_uint_eq(d.servers[pick(i, 0)].tag, tags[before[i]]);
    }
}
END_TEST

START_TEST(servers_of_one_group_are_together)
{
    uint16_t a = d.servers[0].tag, b = d.servers[1].tag, c = d.servers[2].tag;

    ck_assert(sip_dispatch_are_together(&d, a, b));
    ck_assert(sip_dispatch_are_together(&d, c, a));
    add("other", 0x0A0000EE, 0, 1);
    sip_dispatch_reload(&d, &conf, 0);
    ck_assert(!sip_dispatch_are_together(&d, a, d.servers[4].tag));
    ck_assert(
        sip_dispatch_are_together(&d, d.servers[4].tag, d.servers[4].tag));
}
END_TEST

START_TEST(each_server_is_probed_once_an_interval)
{
    int seen[4] = {0};

    for (uint64_t now = 0; now < 10000; now += 10) {
        int due;

        while ((due = sip_dispatch_take_due(&d, now)) >= 0)
            seen[due]++;
    }
    ck_assert_int_eq(seen[0], 10);
    ck_assert_int_eq(seen[1], 10);
    ck_assert_int_eq(seen[2], 10);
    ck_assert_int_eq(seen[3], 0); /* the third one again */
    ck_assert_uint_lt(sip_dispatch_next_deadline(&d), 11000);
}
END_TEST

START_TEST(sources_are_known_by_ip_and_targets_by_port_too)
{
    struct addr a = addr_v4(0x0A00000B, 40000);

    ck_assert_int_eq(sip_dispatch_find_ip(&d, &a), 1);
    ck_assert_int_eq(sip_dispatch_find_target(&d, SIP_UDP, &a), -1);
    a.port = 5060;
    ck_assert_int_eq(sip_dispatch_find_target(&d, SIP_UDP, &a), 1);
    a = addr_v4(0x0A0000FF, 5060);
    ck_assert_int_eq(sip_dispatch_find_ip(&d, &a), -1);
    ck_assert_int_eq(sip_dispatch_find_tag(&d, d.servers[1].tag), 1);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("sip_dispatch");
    TCase *t = tcase_create("dispatch");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, a_user_stays_with_his_server);
    tcase_add_test(t, users_are_spread_by_weight);
    tcase_add_test(t, a_server_that_goes_down_moves_only_its_own_users);
    tcase_add_test(t, the_next_priority_is_asked_when_the_first_was_tried);
    tcase_add_test(t, all_down_means_the_best_is_tried_all_the_same);
    tcase_add_test(t, a_server_comes_back_after_answers_in_a_row);
    tcase_add_test(t, a_server_in_drain_takes_no_new_requests);
    tcase_add_test(t, reload_keeps_the_health_of_servers_that_stay);
    tcase_add_test(t, a_removed_server_keeps_its_dialogs_for_a_time);
    tcase_add_test(t, a_server_that_comes_back_is_used_again);
    tcase_add_test(t, a_removed_server_moves_only_its_own_users);
    tcase_add_test(t, servers_of_one_group_are_together);
    tcase_add_test(t, each_server_is_probed_once_an_interval);
    tcase_add_test(t, sources_are_known_by_ip_and_targets_by_port_too);
    suite_add_tcase(s, t);
    return s;
}
