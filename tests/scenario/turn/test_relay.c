/* SPDX-License-Identifier: MIT */
#include "support_turn.h"

#include <stdio.h>

static const char peer[] = "198.51.100.9:9000";
static const char peer6[] = "[2001:db8:2::9]:9000";

static struct world world;
static struct world_options options;
static struct actor alice;
static struct addr relayed;

static void begin(void)
{
    world_start(&world, &options);
    actor_init(&alice, &world, "192.0.2.7:40000", "alice", "wonder");
    ck_assert_int_eq(actor_allocate(&alice), 0);
    relayed = actor_relayed(&alice);
}

static void setup(void)
{
    options = world_defaults();
    begin();
}

static void teardown(void)
{
    world_stop(&world);
}

static void again(void)
{
    world_stop(&world);
    begin();
}

static void assert_peer_got(const char *to, const char *data)
{
    struct addr a = world_addr(to);

    ck_assert_uint_eq(world.n_peer, 1);
    ck_assert(addr_equal(&world.to_peer[0].peer, &a));
    ck_assert(addr_equal(&world.to_peer[0].relay->addr, &relayed));
    ck_assert_uint_eq(world.to_peer[0].len, strlen(data));
    ck_assert_mem_eq(world.to_peer[0].bytes, data, strlen(data));
}

START_TEST(sends_to_a_permitted_peer_and_to_no_other)
{
    actor_say(&alice, peer, "hello");
    ck_assert_uint_eq(world.n_peer, 0);
    ck_assert_int_eq(actor_permit(&alice, "198.51.100.9:0"), 0);
    actor_say(&alice, peer, "hello");
    assert_peer_got(peer, "hello");
    actor_say(&alice, "198.51.100.9:9001", "other port");
    assert_peer_got("198.51.100.9:9001", "other port");
    actor_say(&alice, "198.51.100.10:9000", "other host");
    ck_assert_uint_eq(world.n_peer, 0);
    ck_assert_uint_eq(world.stats.drop_no_permission, 2);
    ck_assert_uint_eq(world.stats.relayed_to_peer, 2);
    ck_assert_uint_eq(world.stats.bytes_to_peer, 15);
}
END_TEST

START_TEST(sends_whole_what_must_not_be_fragmented)
{
    struct addr a = world_addr(peer);

    ck_assert_int_eq(actor_permit(&alice, peer), 0);
    stun_write_start(&alice.w, alice.request, sizeof(alice.request),
                     STUN_INDICATION, STUN_SEND, alice.tid);
    stun_write_xor_addr(&alice.w, STUN_XOR_PEER_ADDRESS, &a);
    stun_write(&alice.w, STUN_DONT_FRAGMENT, span_of(NULL, 0));
    stun_write(&alice.w, STUN_DATA_VALUE, span_str("whole"));
    world_forget(&world);
    actor_raw(&alice, alice.request, (size_t)stun_write_finish(&alice.w));
    assert_peer_got(peer, "whole");
    ck_assert(world.to_peer[0].dont_fragment);
    actor_say(&alice, peer, "any");
    ck_assert(!world.to_peer[0].dont_fragment);
}
END_TEST

START_TEST(carries_empty_packets_and_the_traffic_class)
{
    ck_assert_int_eq(actor_permit(&alice, peer), 0);
    actor_say(&alice, peer, "");
    assert_peer_got(peer, "");
    ck_assert_uint_eq(world.to_peer[0].tos, 0xB8);
    world_peer_says(&world, &relayed, peer, "");
    ck_assert_uint_eq(world.n_client, 1);
    ck_assert_uint_eq(world.to_client[0].tos, 0xB8);
}
END_TEST

/* The one Data indication sent, checked to the last bit of padding. */
static void assert_data_indication(const char *from, const char *data)
{
    struct addr want = world_addr(from);
    struct addr got;
    struct stun_msg msg;
    struct span value;

    ck_assert_uint_eq(world.n_client, 1);
    ck_assert_int_eq(stun_msg_read(&msg, span_of(world.to_client[0].bytes,
                                                 world.to_client[0].len)),
                     0);
    ck_assert_int_eq(msg.class, STUN_INDICATION);
    ck_assert_int_eq(msg.method, STUN_DATA);
    ck_assert_int_eq(
        stun_attr_xor_addr(&msg, stun_msg_attr(&msg, STUN_XOR_PEER_ADDRESS),
                           &got),
        0);
    ck_assert(addr_equal(&got, &want));
    value = stun_msg_attr(&msg, STUN_DATA_VALUE);
    ck_assert_span_eq(value, data);
    for (const uint8_t *p = value.ptr + value.len;
         p < msg.raw.ptr + msg.raw.len; p++)
        ck_assert_uint_eq(*p, 0);
}

START_TEST(wraps_what_a_peer_says_into_a_data_indication)
{
    static const char *const texts[] = {"", "a", "ab", "abc", "abcd"};

    world_peer_says(&world, &relayed, peer, "too early");
    ck_assert_uint_eq(world.n_client, 0);
    ck_assert_int_eq(actor_permit(&alice, peer), 0);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        world_peer_says(&world, &relayed, peer, texts[i]);
        assert_data_indication(peer, texts[i]);
    }
    world_peer_says(&world, &relayed, "198.51.100.8:9000", "stranger");
    ck_assert_uint_eq(world.n_client, 0);
    ck_assert_uint_eq(world.stats.relayed_to_client, 5);
}
END_TEST

START_TEST(relays_for_ipv6_peers)
{
    struct actor bob;
    struct addr relayed6;

    actor_init(&bob, &world, "[2001:db8:7::7]:40000", "bob", "builder");
    ck_assert_int_eq(actor_allocate_family(&bob, STUN_FAMILY_V6), 0);
    relayed6 = actor_relayed(&bob);
    ck_assert_int_eq(actor_permit(&bob, peer6), 0);
    world_peer_says(&world, &relayed6, peer6, "six");
    assert_data_indication(peer6, "six");
    actor_say(&bob, peer6, "back");
    ck_assert_uint_eq(world.n_peer, 1);
    ck_assert_int_eq(actor_permit(&bob, peer), STUN_PEER_FAMILY_MISMATCH);
    ck_assert_int_eq(actor_bind(&bob, 0x4000, peer), STUN_PEER_FAMILY_MISMATCH);
    ck_assert_int_eq(actor_permit(&alice, peer6), STUN_PEER_FAMILY_MISMATCH);
}
END_TEST

START_TEST(relays_through_a_channel_with_four_bytes_of_header)
{
    ck_assert_int_eq(actor_bind(&alice, 0x4001, peer), 0);
    actor_say_channel(&alice, 0x4001, "ping");
    assert_peer_got(peer, "ping");
    world_peer_says(&world, &relayed, peer, "pong!");
    ck_assert_uint_eq(world.n_client, 1);
    ck_assert_uint_eq(world.to_client[0].len, 9);
    ck_assert_mem_eq(world.to_client[0].bytes, "\x40\x01\x00\x05pong!", 9);
    /* the binding permits the host: another port comes as an indication */
    world_peer_says(&world, &relayed, "198.51.100.9:9001", "other");
    assert_data_indication("198.51.100.9:9001", "other");
}
END_TEST

START_TEST(pads_channel_data_on_streams_only)
{
    struct actor tcp;
    struct addr at;

    actor_init(&tcp, &world, "192.0.2.7:40000", "alice", "wonder");
    tcp.id.transport = TURN_TCP;
    ck_assert_int_eq(actor_allocate(&tcp), 0);
    at = actor_relayed(&tcp);
    ck_assert_int_eq(actor_bind(&tcp, 0x4001, peer), 0);
    world_peer_says(&world, &at, peer, "pong!");
    ck_assert_uint_eq(world.to_client[0].len, 12);
    ck_assert_mem_eq(world.to_client[0].bytes, "\x40\x01\x00\x05pong!\0\0\0",
                     12);
    /* padding of the client is not sent on */
    world_forget(&world);
    actor_raw(&tcp, "\x40\x01\x00\x05hello\0\0\0", 12);
    ck_assert_uint_eq(world.n_peer, 1);
    ck_assert_uint_eq(world.to_peer[0].len, 5);
}
END_TEST

START_TEST(drops_channel_data_that_is_short_or_of_no_channel)
{
    ck_assert_int_eq(actor_bind(&alice, 0x4001, peer), 0);
    world_forget(&world);
    actor_raw(&alice, "\x40\x01\x00\x05hell", 8);
    actor_raw(&alice, "\x40\x01\x00", 3);
    actor_raw(&alice, "\x40\x02\x00\x01x", 5);
    actor_raw(&alice, "\x4F\xFF\xFF\xFFx", 5);
    ck_assert_uint_eq(world.n_peer, 0);
    ck_assert_uint_eq(world.stats.drop_malformed, 3);
    ck_assert_uint_eq(world.stats.drop_no_channel, 1);
}
END_TEST

START_TEST(holds_number_and_peer_of_a_channel_together)
{
    ck_assert_int_eq(actor_bind(&alice, 0x4001, peer), 0);
    ck_assert_int_eq(actor_bind(&alice, 0x4001, peer), 0);
    ck_assert_int_eq(actor_bind(&alice, 0x4001, "198.51.100.9:9001"),
                     STUN_BAD_REQUEST);
    ck_assert_int_eq(actor_bind(&alice, 0x4002, peer), STUN_BAD_REQUEST);
    ck_assert_int_eq(actor_bind(&alice, 0x4002, "198.51.100.9:9001"), 0);
    ck_assert_int_eq(actor_bind(&alice, 0x3FFF, "198.51.100.9:9002"),
                     STUN_BAD_REQUEST);
    ck_assert_int_eq(actor_bind(&alice, 0x8000, "198.51.100.9:9002"),
                     STUN_BAD_REQUEST);
    ck_assert_int_eq(actor_bind(&alice, 0x7FFF, "198.51.100.9:9002"), 0);
}
END_TEST

START_TEST(ends_permissions_after_300_and_channels_after_600_seconds)
{
    ck_assert_int_eq(actor_refresh(&alice, 3600), 0);
    ck_assert_int_eq(actor_bind(&alice, 0x4001, peer), 0);
    world_pass(&world, 299999);
    actor_say_channel(&alice, 0x4001, "a");
    ck_assert_uint_eq(world.n_peer, 1);
    world_pass(&world, 1);
    actor_say_channel(&alice, 0x4001, "b");
    ck_assert_uint_eq(world.n_peer, 0);
    /* the permission alone comes back, the channel is still there */
    ck_assert_int_eq(actor_permit(&alice, peer), 0);
    world_pass(&world, 299999);
    actor_say_channel(&alice, 0x4001, "c");
    ck_assert_uint_eq(world.n_peer, 1);
    world_pass(&world, 1);
    ck_assert_int_eq(actor_permit(&alice, peer), 0);
    actor_say_channel(&alice, 0x4001, "d");
    ck_assert_uint_eq(world.n_peer, 0);
    ck_assert_uint_eq(world.stats.drop_no_channel, 1);
    /* and the number is free for another peer */
    ck_assert_int_eq(actor_bind(&alice, 0x4001, "198.51.100.10:1"), 0);
}
END_TEST

START_TEST(grants_all_peers_of_a_request_or_none)
{
    struct addr good = world_addr("198.51.100.9:1");
    struct addr evil = world_addr("127.0.0.1:1");
    struct addr six = world_addr("[2001:db8:2::9]:1");

    actor_start(&alice, STUN_CREATE_PERMISSION);
    stun_write_xor_addr(&alice.w, STUN_XOR_PEER_ADDRESS, &good);
    stun_write_xor_addr(&alice.w, STUN_XOR_PEER_ADDRESS, &evil);
    ck_assert_int_eq(actor_send(&alice), STUN_FORBIDDEN);
    actor_start(&alice, STUN_CREATE_PERMISSION);
    stun_write_xor_addr(&alice.w, STUN_XOR_PEER_ADDRESS, &good);
    stun_write_xor_addr(&alice.w, STUN_XOR_PEER_ADDRESS, &six);
    ck_assert_int_eq(actor_send(&alice), STUN_PEER_FAMILY_MISMATCH);
    actor_say(&alice, peer, "x");
    ck_assert_uint_eq(world.n_peer, 0);
    actor_start(&alice, STUN_CREATE_PERMISSION);
    ck_assert_int_eq(actor_send(&alice), STUN_BAD_REQUEST);
}
END_TEST

START_TEST(bounds_permissions_and_channels_of_an_allocation)
{
    char address[32];

    for (int i = 0; i < 17; i++) {
        snprintf(address, sizeof(address), "198.51.100.%d:1", 10 + i);
        ck_assert_int_eq(actor_permit(&alice, address),
                         i < 16 ? 0 : STUN_INSUFFICIENT_CAPACITY);
    }
    ck_assert_int_eq(actor_permit(&alice, "198.51.100.10:1"), 0);
    for (int i = 0; i < 9; i++) {
        snprintf(address, sizeof(address), "198.51.100.10:%d", 100 + i);
        ck_assert_int_eq(actor_bind(&alice, (uint16_t)(0x4000 + i), address),
                         i < 8 ? 0 : STUN_INSUFFICIENT_CAPACITY);
    }
    ck_assert_uint_eq(world.stats.permissions_full, 2);
}
END_TEST

START_TEST(needs_an_allocation_for_everything)
{
    struct actor bob;

    actor_init(&bob, &world, "192.0.2.8:40000", "bob", "builder");
    ck_assert_int_eq(actor_permit(&bob, peer), STUN_ALLOCATION_MISMATCH);
    ck_assert_int_eq(actor_bind(&bob, 0x4000, peer), STUN_ALLOCATION_MISMATCH);
    ck_assert_int_eq(actor_refresh(&bob, 600), STUN_ALLOCATION_MISMATCH);
    actor_say(&bob, peer, "x");
    actor_say_channel(&bob, 0x4000, "x");
    ck_assert_uint_eq(world.n_peer, 0);
    ck_assert_uint_eq(world.stats.drop_no_allocation, 2);
}
END_TEST

START_TEST(forgets_permissions_with_their_allocation)
{
    ck_assert_int_eq(actor_bind(&alice, 0x4001, peer), 0);
    ck_assert_int_eq(actor_refresh(&alice, 0), 0);
    actor_say_channel(&alice, 0x4001, "x");
    ck_assert_uint_eq(world.n_peer, 0);
    ck_assert_int_eq(actor_allocate(&alice), 0);
    actor_say_channel(&alice, 0x4001, "x");
    actor_say(&alice, peer, "x");
    ck_assert_uint_eq(world.n_peer, 0);
}
END_TEST

START_TEST(refuses_every_spelling_of_an_inside_address)
{
    static const char *const v4[] = {
        "0.0.0.0",      "0.1.2.3",    "10.0.0.1",        "100.64.0.1",
        "127.0.0.1",    "127.9.9.9",  "169.254.169.254", "172.16.0.1",
        "172.31.255.1", "192.0.0.1",  "192.0.2.99",      "192.88.99.1",
        "192.168.1.1",  "198.18.0.1", "198.19.255.1",    "203.0.113.99",
        "224.0.0.1",    "239.1.1.1",  "240.0.0.1",       "255.255.255.255",
    };
    static const char *const v6[] = {
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:198.51.100.9",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::10.0.0.1",
        "100::1",
        "2001:0:1234::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:a00:1::1",
        "2002:c0a8:101::1",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    };
    struct actor bob;
    char text[64];

    actor_init(&bob, &world, "192.0.2.8:40000", "bob", "builder");
    ck_assert_int_eq(actor_allocate_family(&bob, STUN_FAMILY_V6), 0);
    for (size_t i = 0; i < ARRAY_SIZE(v4); i++) {
        snprintf(text, sizeof(text), "%s:5060", v4[i]);
        ck_assert_msg(actor_permit(&alice, text) == STUN_FORBIDDEN, "%s", text);
        ck_assert_msg(actor_bind(&alice, 0x4000, text) == STUN_FORBIDDEN, "%s",
                      text);
        actor_say(&alice, text, "x");
        ck_assert_uint_eq(world.n_peer, 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(v6); i++) {
        snprintf(text, sizeof(text), "[%s]:5060", v6[i]);
        ck_assert_msg(actor_permit(&bob, text) == STUN_FORBIDDEN, "%s", text);
        ck_assert_msg(actor_bind(&bob, 0x4000, text) == STUN_FORBIDDEN, "%s",
                      text);
    }
    ck_assert_int_eq(actor_permit(&alice, "8.8.8.8:1"), 0);
    ck_assert_int_eq(actor_permit(&bob, "[2a00:1450::1]:1"), 0);
}
END_TEST

START_TEST(checks_the_port_of_each_packet_where_rules_name_ports)
{
    struct cidr rule;

    ck_assert_int_eq(cidr_parse(span_str("10.0.0.0/24:10000-20000"), &rule), 0);
    options.rules.realm.policy.allow = &rule;
    options.rules.realm.policy.n_allow = 1;
    again();
    ck_assert_int_eq(actor_permit(&alice, "10.0.0.7:1"), 0);
    actor_say(&alice, "10.0.0.7:10000", "x");
    ck_assert_uint_eq(world.n_peer, 1);
    actor_say(&alice, "10.0.0.7:20001", "x");
    ck_assert_uint_eq(world.n_peer, 0);
    actor_say(&alice, "10.0.0.7:22", "x");
    ck_assert_uint_eq(world.n_peer, 0);
    ck_assert_uint_eq(world.stats.drop_peer_denied, 2);
    world_peer_says(&world, &relayed, "10.0.0.7:53", "x");
    ck_assert_uint_eq(world.n_client, 0);
    world_peer_says(&world, &relayed, "10.0.0.7:12345", "x");
    ck_assert_uint_eq(world.n_client, 1);
    ck_assert_int_eq(actor_bind(&alice, 0x4000, "10.0.0.7:22"), STUN_FORBIDDEN);
    ck_assert_int_eq(actor_bind(&alice, 0x4000, "10.0.0.7:15000"), 0);
    ck_assert_int_eq(actor_permit(&alice, "10.0.1.7:15000"), STUN_FORBIDDEN);
}
END_TEST

START_TEST(ends_live_permissions_that_new_rules_forbid)
{
    ck_assert_int_eq(actor_bind(&alice, 0x4001, peer), 0);
    ck_assert_int_eq(actor_permit(&alice, "8.8.8.8:1"), 0);
    options.rules.realm.policy.n_allow = 0;
    world_reload(&world, &options);
    actor_say_channel(&alice, 0x4001, "x");
    actor_say(&alice, peer, "x");
    ck_assert_uint_eq(world.n_peer, 0);
    actor_say(&alice, "8.8.8.8:1", "x");
    ck_assert_uint_eq(world.n_peer, 1);
    ck_assert_uint_eq(world.stats.rules_ended, 2);
    ck_assert_int_eq(actor_permit(&alice, peer), STUN_FORBIDDEN);
}
END_TEST

START_TEST(lets_two_clients_of_ours_meet_through_their_relays)
{
    struct actor bob;
    struct addr at;
    char text[ADDR_TEXT_SIZE];

    actor_init(&bob, &world, "192.0.2.8:40000", "bob", "builder");
    ck_assert_int_eq(actor_allocate(&bob), 0);
    at = actor_relayed(&bob);
    ck_assert_int_eq(actor_permit(&alice, addr_str(&at, text)), 0);
    actor_say(&alice, text, "hi");
    assert_peer_got(text, "hi");
    actor_say(&alice, "203.0.113.5:3478", "not to the listener");
    ck_assert_uint_eq(world.n_peer, 0);

    options.rules.realm.policy.hairpin = false;
    world_reload(&world, &options);
    actor_say(&alice, text, "hi");
    ck_assert_uint_eq(world.n_peer, 0);
    ck_assert_int_eq(actor_permit(&alice, text), STUN_FORBIDDEN);
}
END_TEST

START_TEST(turns_advertised_addresses_round_for_clients_of_ours)
{
    struct actor bob;
    struct addr at;
    char text[ADDR_TEXT_SIZE];
    char local[ADDR_TEXT_SIZE];

    options.relays[0].local = world_addr("10.0.0.5");
    options.relays[0].advertised = world_addr("203.0.113.77");
    again();
    actor_init(&bob, &world, "192.0.2.8:40000", "bob", "builder");
    ck_assert_int_eq(actor_allocate(&bob), 0);
    at = actor_relayed(&bob);
    ck_assert_int_eq(actor_bind(&alice, 0x4001, addr_str(&at, text)), 0);
    actor_say_channel(&alice, 0x4001, "hi");
    ck_assert_uint_eq(world.n_peer, 1);
    snprintf(local, sizeof(local), "10.0.0.5:%u", at.port);
    ck_assert(addr_equal(&world.to_peer[0].peer,
                         &(struct addr[]){world_addr(local)}[0]));
    /* and what comes back from there is the peer alice knows */
    snprintf(text, sizeof(text), "10.0.0.5:%u", relayed.port);
    relayed = world_addr(text);
    world_peer_says(&world, &relayed, local, "ho");
    ck_assert_uint_eq(world.n_client, 1);
    ck_assert_mem_eq(world.to_client[0].bytes, "\x40\x01\x00\x02ho", 6);
}
END_TEST

START_TEST(drops_what_exceeds_the_bandwidth_of_an_allocation)
{
    static char big[1001];
    int sent = 0;

    options.rules.realm.limits.max_bandwidth = 10000;
    again();
    memset(big, 'x', 1000);
    ck_assert_int_eq(actor_permit(&alice, peer), 0);
    for (int i = 0; i < 100; i++) {
        actor_say(&alice, peer, big);
        sent += (int)world.n_peer;
    }
    ck_assert_int_eq(sent, 65);
    ck_assert_uint_eq(world.stats.drop_bandwidth, 35);
    world_pass(&world, 1000);
    actor_say(&alice, peer, big);
    ck_assert_uint_eq(world.n_peer, 1);
    world_peer_says(&world, &relayed, peer, "the other way has its own");
    ck_assert_uint_eq(world.n_client, 1);
}
END_TEST

START_TEST(shares_the_bandwidth_of_a_user_among_its_allocations)
{
    static char big[1001];
    struct actor second, bob;
    int sent = 0;

    options.rules.realm.limits.user_bandwidth = 10000;
    again();
    memset(big, 'x', 1000);
    actor_init(&second, &world, "192.0.2.7:40001", "alice", "wonder");
    actor_init(&bob, &world, "192.0.2.8:40000", "bob", "builder");
    ck_assert_int_eq(actor_allocate(&second), 0);
    ck_assert_int_eq(actor_allocate(&bob), 0);
    ck_assert_int_eq(actor_permit(&alice, peer), 0);
    ck_assert_int_eq(actor_permit(&second, peer), 0);
    ck_assert_int_eq(actor_permit(&bob, peer), 0);
    for (int i = 0; i < 20; i++) {
        actor_say(i % 2 ? &alice : &second, peer, big);
        sent += (int)world.n_peer;
    }
    ck_assert_int_eq(sent, 10);
    ck_assert_uint_eq(world.stats.drop_user_bandwidth, 10);
    actor_say(&bob, peer, big);
    ck_assert_uint_eq(world.n_peer, 1);
    world_pass(&world, 500);
    for (int i = 0; i < 10; i++) {
        actor_say(&alice, peer, big);
        sent += (int)world.n_peer;
    }
    ck_assert_int_eq(sent, 15);
}
END_TEST

START_TEST(bounds_the_bandwidth_of_the_whole_server)
{
    static char big[1001];
    struct actor bob;
    int sent = 0;

    options.rules.limits.total_bandwidth = 10000;
    again();
    memset(big, 'x', 1000);
    actor_init(&bob, &world, "192.0.2.8:40000", "bob", "builder");
    ck_assert_int_eq(actor_allocate(&bob), 0);
    ck_assert_int_eq(actor_permit(&alice, peer), 0);
    ck_assert_int_eq(actor_permit(&bob, peer), 0);
    for (int i = 0; i < 20; i++) {
        actor_say(i % 2 ? &alice : &bob, peer, big);
        sent += (int)world.n_peer;
    }
    ck_assert_int_eq(sent, 10);
    ck_assert_uint_eq(world.stats.drop_total_bandwidth, 10);
}
END_TEST

static void report(const char *to, uint8_t type, uint8_t code, uint32_t info)
{
    struct turn_report r = {world_addr(to), type, code, info};

    world_forget(&world);
    for (size_t i = 0; i < WORLD_RELAYS_MAX; i++) {
        if (world.relays[i].open)
            turn_core_on_report(world.core, world.relays[i].alloc, &r,
                                world.now);
    }
}

START_TEST(tells_the_client_that_a_peer_cannot_be_reached)
{
    struct stun_msg msg;
    struct addr about, want = world_addr(peer);

    report(peer, 3, 3, 0);
    ck_assert_uint_eq(world.n_client, 0); /* nobody is permitted yet */
    ck_assert_int_eq(actor_bind(&alice, 0x4001, peer), 0);
    report(peer, 3, 4, 1400);
    ck_assert_uint_eq(world.n_client, 1);
    ck_assert_int_eq(stun_msg_read(&msg, span_of(world.to_client[0].bytes,
                                                 world.to_client[0].len)),
                     0);
    ck_assert_int_eq(msg.method, STUN_DATA);
    ck_assert(!stun_msg_has(&msg, STUN_DATA_VALUE));
    ck_assert_int_eq(
        stun_attr_xor_addr(&msg, stun_msg_attr(&msg, STUN_XOR_PEER_ADDRESS),
                           &about),
        0);
    ck_assert(addr_equal(&about, &want));
    ck_assert_uint_eq(stun_msg_attr(&msg, STUN_ICMP).len, 8);
    ck_assert_mem_eq(stun_msg_attr(&msg, STUN_ICMP).ptr,
                     "\0\0\x06\x04\0\0\x05\x78", 8);
    report(peer, 11, 0, 0);
    ck_assert_uint_eq(world.n_client, 1);
    report(peer, 5, 0, 0); /* a redirect is not the client's business */
    ck_assert_uint_eq(world.n_client, 0);
    ck_assert_uint_eq(world.stats.icmp_told, 2);
}
END_TEST

START_TEST(tells_an_operator_what_there_is)
{
    struct turn_alloc_info info;
    uint32_t pos = 0;

    ck_assert_int_eq(actor_bind(&alice, 0x4001, peer), 0);
    actor_say_channel(&alice, 0x4001, "12345");
    ck_assert(turn_core_each(world.core, &pos, world.now, &info));
    ck_assert(addr_equal(&info.relayed[0], &relayed));
    ck_assert_span_eq(info.user, "alice");
    ck_assert_uint_eq(info.packets[0], 1);
    ck_assert_uint_eq(info.bytes[0], 5);
    ck_assert_uint_eq(info.permissions, 1);
    ck_assert_uint_eq(info.channels, 1);
    ck_assert(!turn_core_each(world.core, &pos, world.now, &info));
}
END_TEST

START_TEST(survives_failed_memory_when_sets_grow)
{
    char address[32];

    for (int i = 0; i < 8; i++) {
        snprintf(address, sizeof(address), "198.51.100.%d:1", 10 + i);
        mem_fail_at(0);
        actor_permit(&alice, address);
        mem_fail_at(0);
        actor_bind(&alice, (uint16_t)(0x4000 + i), address);
        mem_fail_at(-1);
        ck_assert(alice.code == 0 || alice.code == STUN_INSUFFICIENT_CAPACITY);
    }
    ck_assert_int_eq(actor_permit(&alice, "198.51.100.99:1"), 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("turn relaying");
    TCase *tc = tcase_create("story");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, sends_to_a_permitted_peer_and_to_no_other);
    tcase_add_test(tc, carries_empty_packets_and_the_traffic_class);
    tcase_add_test(tc, sends_whole_what_must_not_be_fragmented);
    tcase_add_test(tc, wraps_what_a_peer_says_into_a_data_indication);
    tcase_add_test(tc, relays_for_ipv6_peers);
    tcase_add_test(tc, relays_through_a_channel_with_four_bytes_of_header);
    tcase_add_test(tc, pads_channel_data_on_streams_only);
    tcase_add_test(tc, drops_channel_data_that_is_short_or_of_no_channel);
    tcase_add_test(tc, holds_number_and_peer_of_a_channel_together);
    tcase_add_test(tc,
                   ends_permissions_after_300_and_channels_after_600_seconds);
    tcase_add_test(tc, grants_all_peers_of_a_request_or_none);
    tcase_add_test(tc, bounds_permissions_and_channels_of_an_allocation);
    tcase_add_test(tc, needs_an_allocation_for_everything);
    tcase_add_test(tc, forgets_permissions_with_their_allocation);
    tcase_add_test(tc, refuses_every_spelling_of_an_inside_address);
    tcase_add_test(tc, checks_the_port_of_each_packet_where_rules_name_ports);
    tcase_add_test(tc, ends_live_permissions_that_new_rules_forbid);
    tcase_add_test(tc, lets_two_clients_of_ours_meet_through_their_relays);
    tcase_add_test(tc, turns_advertised_addresses_round_for_clients_of_ours);
    tcase_add_test(tc, drops_what_exceeds_the_bandwidth_of_an_allocation);
    tcase_add_test(tc, shares_the_bandwidth_of_a_user_among_its_allocations);
    tcase_add_test(tc, bounds_the_bandwidth_of_the_whole_server);
    tcase_add_test(tc, tells_the_client_that_a_peer_cannot_be_reached);
    tcase_add_test(tc, tells_an_operator_what_there_is);
    tcase_add_test(tc, survives_failed_memory_when_sets_grow);
    suite_add_tcase(s, tc);
    return s;
}
