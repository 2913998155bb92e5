/* SPDX-License-Identifier: MIT */
#include "turn/turn_policy.h"

#include "support/unit.h"

#include <errno.h>

static struct turn_policy *policy;
static struct turn_policy_options options;
static struct cidr allow[4];
static struct cidr deny[4];
static struct addr own[4];
static struct turn_relay_addr relays[2];

static struct addr at(const char *text)
{
    struct addr a;

    ck_assert_msg(addr_parse(span_str(text), &a) == 0, "%s", text);
    return a;
}

static void add(struct cidr *list, size_t *n, const char *text)
{
    ck_assert_msg(cidr_parse(span_str(text), &list[*n]) == 0, "%s", text);
    (*n)++;
}

static void make(void)
{
    turn_policy_free(policy);
    ck_assert_int_eq(turn_policy_new(&policy, &options), 0);
}

static void setup(void)
{
    options = (struct turn_policy_options){
        .allow = allow,
        .deny = deny,
        .own = own,
        .relays = relays,
        .n_relays = 1,
        .relay_first = 30000,
        .relay_last = 39999,
        .public_peers = true,
    };
    relays[0] = (struct turn_relay_addr){.local = at("192.168.1.2"),
                                         .advertised = at("8.8.4.4")};
    policy = NULL;
}

static void teardown(void)
{
    turn_policy_free(policy);
    policy = NULL;
    ck_assert_no_blocks();
}

static bool allows(const char *text)
{
    struct addr a = at(text);

    return turn_policy_allows(policy, &a);
}

static enum turn_reach reach(const char *text)
{
    struct addr a = at(text);

    return turn_policy_reach(policy, &a);
}

START_TEST(lets_the_public_internet_through_when_told_so)
{
    make();
    ck_assert(allows("8.8.8.8:53"));
    ck_assert(allows("[2a00:1450::1]:443"));
    ck_assert(!allows("8.8.8.8:0"));
    ck_assert_int_eq(reach("8.8.8.8"), TURN_REACH_ALL);
    options.public_peers = false;
    make();
    ck_assert(!allows("8.8.8.8:53"));
    ck_assert_int_eq(reach("8.8.8.8"), TURN_REACH_NONE);
}
END_TEST

START_TEST(opens_holes_by_network_and_port)
{
    add(allow, &options.n_allow, "10.0.0.0/24:10000-20000");
    add(allow, &options.n_allow, "10.0.1.0/24");
    make();
    ck_assert(allows("10.0.0.7:10000"));
    ck_assert(allows("10.0.0.7:20000"));
    ck_assert(!allows("10.0.0.7:9999"));
    ck_assert(!allows("10.0.0.7:20001"));
    ck_assert(allows("10.0.1.7:22"));
    ck_assert(!allows("10.0.2.7:22"));
    ck_assert_int_eq(reach("10.0.0.7"), TURN_REACH_SOME);
    ck_assert_int_eq(reach("10.0.1.7"), TURN_REACH_ALL);
    ck_assert_int_eq(reach("10.0.2.7"), TURN_REACH_NONE);
}
END_TEST

START_TEST(does_not_open_a_hole_for_another_spelling_of_it)
{
    add(allow, &options.n_allow, "10.0.0.0/8");
    make();
    ck_assert(allows("10.0.0.1:1"));
    ck_assert(!allows("[::ffff:10.0.0.1]:1"));
    ck_assert(!allows("[::10.0.0.1]:1"));
    ck_assert(!allows("[64:ff9b::10.0.0.1]:1"));
    ck_assert(!allows("[2002:a00:1::1]:1"));
}
END_TEST

START_TEST(judges_nat64_and_6to4_by_the_address_inside)
{
    make();
    ck_assert(allows("[64:ff9b::8.8.8.8]:1"));
    ck_assert(!allows("[64:ff9b::127.0.0.1]:1"));
    ck_assert(!allows("[64:ff9b::224.0.0.1]:1"));
    ck_assert(!allows("[64:ff9b::192.168.1.2]:1"));
    ck_assert(allows("[2002:808:808::1]:1"));
    ck_assert(!allows("[2002:a9fe:a9fe::1]:1"));
    ck_assert(!allows("[::ffff:8.8.8.8]:1")); /* a spelling, no address */
}
END_TEST

START_TEST(puts_deny_rules_before_allow_rules)
{
    add(allow, &options.n_allow, "10.0.0.0/8");
    add(deny, &options.n_deny, "10.0.0.1");
    add(deny, &options.n_deny, "8.8.8.0/24:53");
    make();
    ck_assert(!allows("10.0.0.1:5000"));
    ck_assert(allows("10.0.0.2:5000"));
    ck_assert(!allows("8.8.8.8:53"));
    ck_assert(allows("8.8.8.8:54"));
    ck_assert(!allows("[64:ff9b::8.8.8.8]:53"));
    ck_assert_int_eq(reach("10.0.0.1"), TURN_REACH_NONE);
    ck_assert_int_eq(reach("8.8.8.8"), TURN_REACH_SOME);
    ck_assert_int_eq(reach("64:ff9b::8.8.8.8"), TURN_REACH_SOME);
}
END_TEST

START_TEST(opens_nothing_that_can_never_be_a_peer)
{
    add(allow, &options.n_allow, "0.0.0.0/0");
    add(allow, &options.n_allow, "[::]/0");
    make();
    ck_assert(allows("127.0.0.1:1"));
    ck_assert(allows("[::1]:1"));
    ck_assert(!allows("0.0.0.0:1"));
    ck_assert(!allows("224.0.0.1:1"));
    ck_assert(!allows("255.255.255.255:1"));
    ck_assert(!allows("[::]:1"));
    ck_assert(!allows("[ff02::1]:1"));
    ck_assert(!allows("[::ffff:127.0.0.1]:1"));
    ck_assert(!allows("[2001:0:53aa::1]:1"));
    ck_assert_int_eq(reach("0.0.0.0"), TURN_REACH_NONE);
}
END_TEST

START_TEST(guards_our_own_listeners_against_any_rule)
{
    add(allow, &options.n_allow, "0.0.0.0/0");
    own[0] = at("127.0.0.1:3478");
    own[1] = at("8.8.8.8:0");
    options.n_own = 2;
    make();
    ck_assert(!allows("127.0.0.1:3478"));
    ck_assert(allows("127.0.0.1:3479"));
    ck_assert_int_eq(reach("127.0.0.1"), TURN_REACH_SOME);
    options.n_allow = 0;
    make();
    ck_assert(!allows("8.8.8.8:53")); /* our host, though public */
    ck_assert_int_eq(reach("8.8.8.8"), TURN_REACH_NONE);
}
END_TEST

START_TEST(guards_them_behind_the_address_we_advertise)
{
    options.hairpin = true;
    own[0] = at("192.168.1.2:3478");
    options.n_own = 1;
    add(allow, &options.n_allow, "0.0.0.0/0");
    make();
    ck_assert(!allows("192.168.1.2:3478"));
    ck_assert(!allows("8.8.4.4:3478"));
    ck_assert(allows("8.8.4.4:22"));
    ck_assert_int_eq(reach("8.8.4.4"), TURN_REACH_SOME);
    add(deny, &options.n_deny, "192.168.0.0/16");
    make();
    ck_assert(!allows("8.8.4.4:22"));
    ck_assert(allows("8.8.4.4:30000")); /* clients meet there */
    ck_assert(allows("8.8.8.8:22"));
}
END_TEST

START_TEST(opens_the_relay_range_for_clients_to_meet)
{
    make();
    ck_assert(!allows("192.168.1.2:30000"));
    options.hairpin = true;
    make();
    ck_assert(allows("192.168.1.2:30000"));
    ck_assert(allows("8.8.4.4:39999"));
    ck_assert(!allows("192.168.1.2:29999"));
    ck_assert(!allows("8.8.4.4:40000"));
    ck_assert_int_eq(reach("192.168.1.2"), TURN_REACH_SOME);
    ck_assert_int_eq(reach("8.8.4.4"), TURN_REACH_SOME);
    ck_assert_int_eq(reach("192.168.1.3"), TURN_REACH_NONE);
}
END_TEST

START_TEST(maps_advertised_addresses_and_back)
{
    struct addr a = at("8.8.4.4:1234");
    struct addr other = at("8.8.8.8:1234");

    make();
    turn_policy_to_local(policy, &a);
    ck_assert(addr_equal(&a, &(struct addr[]){at("192.168.1.2:1234")}[0]));
    turn_policy_to_advertised(policy, &a);
    ck_assert(addr_equal(&a, &(struct addr[]){at("8.8.4.4:1234")}[0]));
    turn_policy_to_local(policy, &other);
    turn_policy_to_advertised(policy, &other);
    ck_assert(addr_equal(&other, &(struct addr[]){at("8.8.8.8:1234")}[0]));
}
END_TEST

START_TEST(handles_every_failed_allocation)
{
    int err = 0;

    CK_OOM_SWEEP(err, err = turn_policy_new(&policy, &options));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("turn peers");
    TCase *tc = tcase_create("policy");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, lets_the_public_internet_through_when_told_so);
    tcase_add_test(tc, opens_holes_by_network_and_port);
    tcase_add_test(tc, does_not_open_a_hole_for_another_spelling_of_it);
    tcase_add_test(tc, judges_nat64_and_6to4_by_the_address_inside);
    tcase_add_test(tc, puts_deny_rules_before_allow_rules);
    tcase_add_test(tc, opens_nothing_that_can_never_be_a_peer);
    tcase_add_test(tc, guards_our_own_listeners_against_any_rule);
    tcase_add_test(tc, guards_them_behind_the_address_we_advertise);
    tcase_add_test(tc, opens_the_relay_range_for_clients_to_meet);
    tcase_add_test(tc, maps_advertised_addresses_and_back);
    tcase_add_test(tc, handles_every_failed_allocation);
    suite_add_tcase(s, tc);
    return s;
}
