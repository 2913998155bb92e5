/* SPDX-License-Identifier: MIT */
#include "support_turn.h"

#include <errno.h>
#include <stdio.h>

static struct world world;
static struct world_options options;
static struct actor alice;

static void begin(void)
{
    world_start(&world, &options);
    actor_init(&alice, &world, "192.0.2.7:40000", "alice", "wonder");
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

/* Start again with what the test has changed in `options`. */
static void again(void)
{
    world_stop(&world);
    begin();
}

static uint32_t lifetime(void)
{
    uint32_t seconds = 0;

    ck_assert_int_eq(
        stun_attr_u32(stun_msg_attr(&alice.msg, STUN_LIFETIME), &seconds), 0);
    return seconds;
}

START_TEST(gives_a_relayed_address_and_says_where_the_client_is)
{
    struct addr mapped, relayed;

    ck_assert_int_eq(actor_allocate(&alice), 0);
    relayed = actor_relayed(&alice);
    ck_assert(cidr_list_has_ip(
        &(struct cidr){world_addr("203.0.113.5"), 32, 0, 65535}, 1, &relayed));
    ck_assert_uint_ge(relayed.port, 50000);
    ck_assert_uint_le(relayed.port, 50199);
    ck_assert_int_eq(
        stun_attr_xor_addr(&alice.msg,
                           stun_msg_attr(&alice.msg, STUN_XOR_MAPPED_ADDRESS),
                           &mapped),
        0);
    ck_assert(addr_equal(&mapped, &alice.id.remote));
    ck_assert_uint_eq(lifetime(), 600);
    ck_assert_uint_eq(world_open_relays(&world), 1);
    ck_assert_uint_eq(world.stats.allocations_opened, 1);
    ck_assert_uint_eq(world.stats.allocations_udp, 1);
    ck_assert(!stun_msg_has(&alice.msg, STUN_SOFTWARE));
}
END_TEST

START_TEST(ends_to_the_second_when_its_lifetime_is_over)
{
    ck_assert_int_eq(actor_allocate(&alice), 0);
    world_pass(&world, 599999);
    ck_assert_uint_eq(world_open_relays(&world), 1);
    world_pass(&world, 1);
    ck_assert_uint_eq(world_open_relays(&world), 0);
    ck_assert_uint_eq(world.stats.expired, 1);
    ck_assert_uint_eq(world.stats.allocations_udp, 0);
}
END_TEST

START_TEST(is_made_anew_even_when_the_timer_is_late)
{
    ck_assert_int_eq(actor_allocate(&alice), 0);
    world.now += 600000; /* no timer has run */
    ck_assert_int_eq(actor_allocate(&alice), 0);
    ck_assert_uint_eq(world_open_relays(&world), 1);
}
END_TEST

START_TEST(answers_a_retransmission_with_the_same_relay)
{
    struct addr first;

    ck_assert_int_eq(actor_allocate(&alice), 0);
    first = actor_relayed(&alice);
    alice.keep_tid = true;
    ck_assert_int_eq(actor_allocate(&alice), 0);
    ck_assert(addr_equal(&first, &(struct addr[]){actor_relayed(&alice)}[0]));
    ck_assert_uint_eq(world_open_relays(&world), 1);
}
END_TEST

START_TEST(refuses_a_second_one_of_the_same_client_with_437)
{
    ck_assert_int_eq(actor_allocate(&alice), 0);
    ck_assert_int_eq(actor_allocate(&alice), STUN_ALLOCATION_MISMATCH);
}
END_TEST

START_TEST(tells_clients_apart_by_the_whole_five_tuple)
{
    struct actor other;

    ck_assert_int_eq(actor_allocate(&alice), 0);
    actor_init(&other, &world, "192.0.2.7:40001", "alice", "wonder");
    ck_assert_int_eq(actor_allocate(&other), 0);
    actor_init(&other, &world, "192.0.2.7:40000", "alice", "wonder");
    other.id.transport = TURN_TCP;
    ck_assert_int_eq(actor_allocate(&other), 0);
    actor_init(&other, &world, "192.0.2.7:40000", "alice", "wonder");
    other.id.local = world_addr("203.0.113.6:3478");
    ck_assert_int_eq(actor_allocate(&other), 0);
    ck_assert_uint_eq(world_open_relays(&world), 4);
}
END_TEST

static int allocate_with_transport(const void *value, size_t len)
{
    actor_challenge(&alice);
    actor_start(&alice, STUN_ALLOCATE);
    if (value)
        stun_write(&alice.w, STUN_REQUESTED_TRANSPORT, span_of(value, len));
    return actor_send(&alice);
}

START_TEST(wants_a_transport_and_relays_only_udp)
{
    ck_assert_int_eq(allocate_with_transport(NULL, 0), STUN_BAD_REQUEST);
    ck_assert_int_eq(allocate_with_transport("\x11", 1), STUN_BAD_REQUEST);
    ck_assert_int_eq(allocate_with_transport("\x06\0\0\0", 4),
                     STUN_UNSUPPORTED_TRANSPORT);
    ck_assert_int_eq(allocate_with_transport("\x11\0\0\0", 4), 0);
}
END_TEST

START_TEST(gives_an_ipv6_relay_when_asked_for_one)
{
    struct addr relayed;

    ck_assert_int_eq(actor_allocate_family(&alice, STUN_FAMILY_V6), 0);
    relayed = actor_relayed(&alice);
    ck_assert_int_eq(relayed.family, ADDR_V6);
}
END_TEST

START_TEST(answers_440_for_a_family_it_does_not_have)
{
    ck_assert_int_eq(actor_allocate_family(&alice, 7),
                     STUN_FAMILY_NOT_SUPPORTED);
    options.n_relays = 1;
    again();
    ck_assert_int_eq(actor_allocate_family(&alice, STUN_FAMILY_V6),
                     STUN_FAMILY_NOT_SUPPORTED);
    ck_assert_int_eq(actor_allocate_family(&alice, STUN_FAMILY_V4), 0);
}
END_TEST

static int allocate_dual(void)
{
    actor_challenge(&alice);
    actor_start(&alice, STUN_ALLOCATE);
    stun_write(&alice.w, STUN_REQUESTED_TRANSPORT, span_of("\x11\0\0\0", 4));
    stun_write(&alice.w, STUN_ADDITIONAL_ADDRESS_FAMILY,
               span_of("\x02\0\0\0", 4));
    return actor_send(&alice);
}

START_TEST(gives_one_relay_of_each_family_for_a_dual_allocation)
{
    struct span value;
    size_t pos = 0;
    size_t n = 0;

    ck_assert_int_eq(allocate_dual(), 0);
    while (stun_msg_each(&alice.msg, STUN_XOR_RELAYED_ADDRESS, &pos, &value))
        n++;
    ck_assert_uint_eq(n, 2);
    ck_assert_uint_eq(world_open_relays(&world), 2);
    ck_assert(!stun_msg_has(&alice.msg, STUN_ADDRESS_ERROR_CODE));
}
END_TEST

START_TEST(says_which_half_of_a_dual_allocation_failed)
{
    struct span error;

    options.n_relays = 1;
    again();
    ck_assert_int_eq(allocate_dual(), 0);
    error = stun_msg_attr(&alice.msg, STUN_ADDRESS_ERROR_CODE);
    ck_assert_uint_eq(error.len, 4);
    ck_assert_mem_eq(error.ptr, "\x02\x00\x04\x28", 4);
    ck_assert_uint_eq(world_open_relays(&world), 1);
}
END_TEST

START_TEST(releases_one_half_of_a_dual_allocation)
{
    uint8_t family[4] = {STUN_FAMILY_V4};

    ck_assert_int_eq(allocate_dual(), 0);
    actor_start(&alice, STUN_REFRESH);
    stun_write_u32(&alice.w, STUN_LIFETIME, 0);
    stun_write(&alice.w, STUN_REQUESTED_ADDRESS_FAMILY, span_of(family, 4));
    ck_assert_int_eq(actor_send(&alice), 0);
    ck_assert_uint_eq(world_open_relays(&world), 1);
    ck_assert_int_eq(actor_permit(&alice, "198.51.100.9:1"),
                     STUN_PEER_FAMILY_MISMATCH);
    ck_assert_int_eq(actor_permit(&alice, "[2001:db8:2::9]:1"), 0);
    ck_assert_int_eq(actor_refresh(&alice, 0), 0);
    ck_assert_uint_eq(world_open_relays(&world), 0);
}
END_TEST

static int allocate_even(uint8_t bits)
{
    actor_challenge(&alice);
    actor_start(&alice, STUN_ALLOCATE);
    stun_write(&alice.w, STUN_REQUESTED_TRANSPORT, span_of("\x11\0\0\0", 4));
    stun_write(&alice.w, STUN_EVEN_PORT, span_of(&bits, 1));
    return actor_send(&alice);
}

static int allocate_token(struct actor *actor, const uint8_t *token)
{
    actor_challenge(actor);
    actor_start(actor, STUN_ALLOCATE);
    stun_write(&actor->w, STUN_REQUESTED_TRANSPORT, span_of("\x11\0\0\0", 4));
    stun_write(&actor->w, STUN_RESERVATION_TOKEN, span_of(token, 8));
    return actor_send(actor);
}

START_TEST(gives_even_ports_and_keeps_the_next_one_for_the_token)
{
    struct actor bob;
    struct addr even, next;
    uint8_t token[8];

    ck_assert_int_eq(allocate_even(0), 0);
    ck_assert_uint_eq(actor_relayed(&alice).port % 2, 0);
    ck_assert(!stun_msg_has(&alice.msg, STUN_RESERVATION_TOKEN));
    ck_assert_int_eq(actor_refresh(&alice, 0), 0);

    ck_assert_int_eq(allocate_even(0x80), 0);
    even = actor_relayed(&alice);
    ck_assert_uint_eq(even.port % 2, 0);
    memcpy(token, stun_msg_attr(&alice.msg, STUN_RESERVATION_TOKEN).ptr, 8);
    ck_assert_uint_eq(turn_ports_taken(world.shared->ports), 2);

    actor_init(&bob, &world, "192.0.2.8:40000", "bob", "builder");
    ck_assert_int_eq(allocate_token(&bob, token), 0);
    next = actor_relayed(&bob);
    ck_assert_uint_eq(next.port, even.port + 1);
    ck_assert_uint_eq(turn_ports_taken(world.shared->ports), 2);
}
END_TEST

START_TEST(forgets_a_reservation_after_30_seconds_and_after_use)
{
    struct actor bob;
    uint8_t token[8];

    ck_assert_int_eq(allocate_even(0x80), 0);
    memcpy(token, stun_msg_attr(&alice.msg, STUN_RESERVATION_TOKEN).ptr, 8);
    world_pass(&world, 30000);
    actor_init(&bob, &world, "192.0.2.8:40000", "bob", "builder");
    ck_assert_int_eq(allocate_token(&bob, token), STUN_INSUFFICIENT_CAPACITY);
    ck_assert_uint_eq(turn_ports_taken(world.shared->ports), 1);
}
END_TEST

START_TEST(keeps_so_many_reservations_and_no_more)
{
    options.last_port = 50999;
    options.rules.limits.max_allocations = 0;
    again();
    for (int i = 0; i <= TURN_RESERVE_MAX; i++) {
        ck_assert_int_eq(allocate_even(0x80), 0);
        ck_assert_int_eq(stun_msg_has(&alice.msg, STUN_RESERVATION_TOKEN),
                         i < TURN_RESERVE_MAX);
        ck_assert_int_eq(actor_refresh(&alice, 0), 0);
    }
    ck_assert_uint_eq(world.stats.reservations_full, 1);
    ck_assert_uint_eq(turn_ports_taken(world.shared->ports), TURN_RESERVE_MAX);
    ck_assert_uint_eq(turn_quota_total(world.shared->quota), TURN_RESERVE_MAX);
    world_pass(&world, TURN_RESERVE_MS);
    ck_assert_int_eq(allocate_even(0x80), 0);
    ck_assert(stun_msg_has(&alice.msg, STUN_RESERVATION_TOKEN));
    ck_assert_uint_eq(turn_quota_total(world.shared->quota), 2);
}
END_TEST

START_TEST(refuses_attributes_that_exclude_each_other)
{
    actor_challenge(&alice);
    for (int i = 0; i < 4; i++) {
        actor_start(&alice, STUN_ALLOCATE);
        stun_write(&alice.w, STUN_REQUESTED_TRANSPORT,
                   span_of("\x11\0\0\0", 4));
        if (i < 2)
            stun_write(&alice.w, STUN_RESERVATION_TOKEN,
                       span_of("12345678", 8));
        if (i == 0 || i == 3)
            stun_write(&alice.w, STUN_EVEN_PORT, span_of("\x80", 1));
        if (i == 1 || i == 2)
            stun_write(&alice.w, STUN_REQUESTED_ADDRESS_FAMILY,
                       span_of("\x01\0\0\0", 4));
        if (i >= 2)
            stun_write(&alice.w, STUN_ADDITIONAL_ADDRESS_FAMILY,
                       span_of("\x02\0\0\0", 4));
        ck_assert_int_eq(actor_send(&alice), STUN_BAD_REQUEST);
    }
    ck_assert_uint_eq(world_open_relays(&world), 0);
}
END_TEST

START_TEST(names_unknown_attributes_in_420)
{
    struct span unknown;

    actor_challenge(&alice);
    actor_start(&alice, STUN_ALLOCATE);
    stun_write(&alice.w, STUN_REQUESTED_TRANSPORT, span_of("\x11\0\0\0", 4));
    wire_put_u32(&alice.w.wire, 0x7ABC0000);
    wire_put_u32(&alice.w.wire, 0xFABC0000); /* may be ignored */
    stun_write(&alice.w, STUN_PADDING, span_of("\0\0\0\0", 4));
    ck_assert_int_eq(actor_send(&alice), STUN_UNKNOWN_ATTRIBUTE);
    unknown = stun_msg_attr(&alice.msg, STUN_UNKNOWN_ATTRIBUTES);
    ck_assert_uint_eq(unknown.len, 4);
    ck_assert_mem_eq(unknown.ptr, "\x7A\xBC\x00\x26", 4);
}
END_TEST

START_TEST(knows_what_dont_fragment_is)
{
    actor_challenge(&alice);
    actor_start(&alice, STUN_ALLOCATE);
    stun_write(&alice.w, STUN_REQUESTED_TRANSPORT, span_of("\x11\0\0\0", 4));
    stun_write(&alice.w, STUN_DONT_FRAGMENT, span_of(NULL, 0));
    ck_assert_int_eq(actor_send(&alice), 0);
}
END_TEST

START_TEST(grants_between_the_default_and_the_longest_lifetime)
{
    static const uint32_t cases[][2] = {
        {1, 600}, {600, 600}, {1800, 1800}, {3600, 3600}, {UINT32_MAX, 3600}};

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        actor_challenge(&alice);
        actor_start(&alice, STUN_ALLOCATE);
        stun_write(&alice.w, STUN_REQUESTED_TRANSPORT,
                   span_of("\x11\0\0\0", 4));
        stun_write_u32(&alice.w, STUN_LIFETIME, cases[i][0]);
        ck_assert_int_eq(actor_send(&alice), 0);
        ck_assert_uint_eq(lifetime(), cases[i][1]);
        ck_assert_int_eq(actor_refresh(&alice, cases[i][0]), 0);
        ck_assert_uint_eq(lifetime(), cases[i][1]);
        ck_assert_int_eq(actor_refresh(&alice, 0), 0);
        ck_assert_uint_eq(lifetime(), 0);
    }
}
END_TEST

START_TEST(is_extended_and_released_by_refresh)
{
    ck_assert_int_eq(actor_allocate(&alice), 0);
    world_pass(&world, 599000);
    ck_assert_int_eq(actor_refresh(&alice, 600), 0);
    world_pass(&world, 599999);
    ck_assert_uint_eq(world_open_relays(&world), 1);
    ck_assert_int_eq(actor_refresh(&alice, 0), 0);
    ck_assert_uint_eq(world_open_relays(&world), 0);
    ck_assert_uint_eq(world.stats.released, 1);
    /* the answer was lost and it is asked for again: 437 means done */
    ck_assert_int_eq(actor_refresh(&alice, 0), STUN_ALLOCATION_MISMATCH);
}
END_TEST

START_TEST(refuses_refresh_of_a_family_it_does_not_have_with_443)
{
    uint8_t family[4] = {STUN_FAMILY_V6};

    ck_assert_int_eq(actor_allocate(&alice), 0);
    actor_start(&alice, STUN_REFRESH);
    stun_write(&alice.w, STUN_REQUESTED_ADDRESS_FAMILY, span_of(family, 4));
    ck_assert_int_eq(actor_send(&alice), STUN_PEER_FAMILY_MISMATCH);
}
END_TEST

START_TEST(ends_with_its_connection)
{
    alice.id.transport = TURN_TLS;
    ck_assert_int_eq(actor_allocate(&alice), 0);
    ck_assert_uint_eq(world.stats.allocations_tls, 1);
    turn_core_on_client_gone(world.core, &alice.id, world.now);
    ck_assert_uint_eq(world_open_relays(&world), 0);
    ck_assert_uint_eq(world.stats.disconnected, 1);
    ck_assert_uint_eq(world.stats.allocations_tls, 0);
}
END_TEST

START_TEST(tries_other_ports_when_one_is_another_programs)
{
    world.busy = 5;
    ck_assert_int_eq(actor_allocate(&alice), 0);
    ck_assert_uint_eq(turn_ports_taken(world.shared->ports), 1);
}
END_TEST

START_TEST(uses_a_range_of_four_ports_to_the_last_and_then_says_508)
{
    struct actor actors[5];
    char address[32];

    options.first_port = 50001;
    options.last_port = 50004;
    again();
    for (int i = 0; i < 5; i++) {
        snprintf(address, sizeof(address), "192.0.2.9:%d", 1000 + i);
        actor_init(&actors[i], &world, address, "alice", "wonder");
        ck_assert_int_eq(actor_allocate(&actors[i]),
                         i < 4 ? 0 : STUN_INSUFFICIENT_CAPACITY);
    }
    ck_assert_uint_eq(world.stats.ports_exhausted, 1);
    ck_assert_int_eq(actor_refresh(&actors[2], 0), 0);
    ck_assert_int_eq(actor_allocate(&actors[4]), 0);
    ck_assert_uint_eq(turn_core_allocations(world.core), 4);
}
END_TEST

START_TEST(says_508_when_no_socket_can_be_had)
{
    world.relay_error = -EMFILE;
    ck_assert_int_eq(actor_allocate(&alice), STUN_INSUFFICIENT_CAPACITY);
    ck_assert_uint_eq(turn_core_allocations(world.core), 0);
    ck_assert_uint_eq(turn_ports_taken(world.shared->ports), 0);
    world.relay_error = 0;
    ck_assert_int_eq(actor_allocate(&alice), 0);
}
END_TEST

START_TEST(keeps_the_quota_of_a_user_and_of_a_source)
{
    struct actor more[3];

    options.rules.realm.limits.max_per_user = 2;
    options.rules.realm.limits.max_per_source = 3;
    again();
    actor_init(&more[0], &world, "192.0.2.7:40001", "alice", "wonder");
    actor_init(&more[1], &world, "192.0.2.7:40002", "alice", "wonder");
    ck_assert_int_eq(actor_allocate(&alice), 0);
    ck_assert_int_eq(actor_allocate(&more[0]), 0);
    ck_assert_int_eq(actor_allocate(&more[1]), STUN_QUOTA_REACHED);
    ck_assert_uint_eq(world.stats.quota_user, 1);
    actor_init(&more[1], &world, "192.0.2.7:40003", "bob", "builder");
    ck_assert_int_eq(actor_allocate(&more[1]), 0);
    actor_init(&more[2], &world, "192.0.2.7:40004", "bob", "builder");
    ck_assert_int_eq(actor_allocate(&more[2]), STUN_QUOTA_REACHED);
    ck_assert_uint_eq(world.stats.quota_source, 1);
    ck_assert_int_eq(actor_refresh(&alice, 0), 0);
    ck_assert_int_eq(actor_allocate(&more[2]), 0);
}
END_TEST

START_TEST(says_508_when_all_allocations_are_taken)
{
    struct actor bob;

    options.rules.limits.max_allocations = 1;
    again();
    actor_init(&bob, &world, "192.0.2.8:40000", "bob", "builder");
    ck_assert_int_eq(actor_allocate(&alice), 0);
    ck_assert_int_eq(actor_allocate(&bob), STUN_INSUFFICIENT_CAPACITY);
    ck_assert_uint_eq(world.stats.quota_total, 1);
}
END_TEST

START_TEST(takes_nothing_new_while_draining)
{
    struct actor bob;

    actor_init(&bob, &world, "192.0.2.8:40000", "bob", "builder");
    ck_assert_int_eq(actor_allocate(&alice), 0);
    turn_core_drain(world.core);
    ck_assert_int_eq(actor_allocate(&bob), STUN_INSUFFICIENT_CAPACITY);
    ck_assert_int_eq(actor_refresh(&alice, 600), 0);
}
END_TEST

START_TEST(names_another_server_while_draining)
{
    struct addr other = world_addr("203.0.113.9:3478");
    struct addr got;
    struct actor six;

    options.rules.alternate_v4 = other;
    again();
    turn_core_drain(world.core);
    ck_assert_int_eq(actor_allocate(&alice), STUN_TRY_ALTERNATE);
    ck_assert_int_eq(
        stun_attr_addr(stun_msg_attr(&alice.msg, STUN_ALTERNATE_SERVER), &got),
        0);
    ck_assert(addr_equal(&got, &other));
    actor_init(&six, &world, "[2001:db8:7::7]:1", "bob", "builder");
    ck_assert_int_eq(actor_allocate(&six), STUN_INSUFFICIENT_CAPACITY);
}
END_TEST

START_TEST(keeps_nothing_of_a_flood_from_forged_addresses)
{
    long blocks = mem_live_blocks();
    struct actor flood;

    options.rules.limits.challenge_rate = 500;
    again();
    blocks = mem_live_blocks();
    actor_init(&flood, &world, "192.0.2.1:1", "nobody", "x");
    for (uint32_t i = 0; i < 100000; i++) {
        struct addr a = addr_v4(i * 2654435761U, (uint16_t)(i | 1));

        flood.id.remote = a;
        actor_challenge(&flood);
        if (i % 100 == 0)
            world_pass(&world, 1);
    }
    ck_assert_int_eq(mem_live_blocks(), blocks);
    ck_assert_uint_eq(turn_core_allocations(world.core), 0);
    ck_assert_int_eq(actor_allocate(&alice), 0);
}
END_TEST

START_TEST(gets_over_a_leap_of_the_clock)
{
    ck_assert_int_eq(actor_allocate(&alice), 0);
    world.now += 86400000;
    turn_core_on_timer(world.core, world.now);
    ck_assert_uint_eq(world_open_relays(&world), 0);
    ck_assert_int_eq(actor_allocate(&alice), STUN_STALE_NONCE);
    ck_assert_int_eq(actor_allocate(&alice), 0);
    world.now -= 1000; /* a worker that is a little behind */
    ck_assert_int_eq(actor_refresh(&alice, 600), STUN_STALE_NONCE);
    ck_assert_int_eq(actor_refresh(&alice, 600), 0);
}
END_TEST

START_TEST(answers_binding_requests_of_anybody)
{
    struct addr mapped;

    actor_start(&alice, STUN_BINDING);
    ck_assert_int_eq(actor_send_plain(&alice), 0);
    ck_assert_int_eq(
        stun_attr_xor_addr(&alice.msg,
                           stun_msg_attr(&alice.msg, STUN_XOR_MAPPED_ADDRESS),
                           &mapped),
        0);
    ck_assert(addr_equal(&mapped, &alice.id.remote));
    ck_assert_uint_eq(alice.msg.raw.len, 32);

    actor_start(&alice, STUN_BINDING);
    stun_write_u32(&alice.w, STUN_CHANGE_REQUEST, 6);
    stun_write_fingerprint(&alice.w);
    ck_assert_int_eq(actor_send_plain(&alice), STUN_UNKNOWN_ATTRIBUTE);
    ck_assert(stun_msg_has(&alice.msg, STUN_FINGERPRINT));
}
END_TEST

START_TEST(says_nothing_to_what_is_no_request)
{
    static const char *const junk[] = {"", "\x40", "GET / HTTP/1.1\r\n\r\n"};

    for (size_t i = 0; i < ARRAY_SIZE(junk); i++)
        actor_raw(&alice, junk[i], strlen(junk[i]));
    actor_start(&alice, 0x123); /* a method nobody knows */
    ck_assert_int_eq(actor_send_plain(&alice), -1);
    actor_start(&alice, STUN_BINDING);
    stun_write_u32(&alice.w, STUN_FINGERPRINT, 1); /* wrong */
    ck_assert_int_eq(actor_send_plain(&alice), -1);
    ck_assert_uint_eq(world.stats.drop_malformed, 3);
    ck_assert_uint_eq(world.stats.drop_unexpected, 1);
    ck_assert_uint_eq(world.stats.drop_fingerprint, 1);
}
END_TEST

START_TEST(advertises_the_address_that_the_world_knows)
{
    struct addr relayed;

    options.relays[0].local = world_addr("10.0.0.5");
    options.relays[0].advertised = world_addr("203.0.113.77");
    again();
    ck_assert_int_eq(actor_allocate(&alice), 0);
    relayed = actor_relayed(&alice);
    relayed.port = 0;
    ck_assert(
        addr_equal(&relayed, &(struct addr[]){world_addr("203.0.113.77")}[0]));
}
END_TEST

START_TEST(takes_at_most_two_kibibytes_when_idle)
{
    ck_assert_uint_le(turn_core_allocation_size(), 2048);
}
END_TEST

START_TEST(survives_every_failed_allocation_of_memory)
{
    for (long n = 0; n < 12; n++) {
        actor_init(&alice, &world, "192.0.2.7:40000", "alice", "wonder");
        actor_challenge(&alice);
        mem_fail_at(n);
        actor_start(&alice, STUN_ALLOCATE);
        stun_write(&alice.w, STUN_REQUESTED_TRANSPORT,
                   span_of("\x11\0\0\0", 4));
        actor_send(&alice);
        mem_fail_at(-1);
        ck_assert(alice.code == 0 || alice.code == STUN_INSUFFICIENT_CAPACITY);
        if (alice.code == 0)
            ck_assert_int_eq(actor_refresh(&alice, 0), 0);
        ck_assert_uint_eq(turn_core_allocations(world.core), 0);
        ck_assert_uint_eq(turn_quota_total(world.shared->quota), 0);
        again();
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("turn allocations");
    TCase *tc = tcase_create("story");

    tcase_set_timeout(tc, 100); /* the flood, on a busy machine */
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, gives_a_relayed_address_and_says_where_the_client_is);
    tcase_add_test(tc, ends_to_the_second_when_its_lifetime_is_over);
    tcase_add_test(tc, is_made_anew_even_when_the_timer_is_late);
    tcase_add_test(tc, answers_a_retransmission_with_the_same_relay);
    tcase_add_test(tc, refuses_a_second_one_of_the_same_client_with_437);
    tcase_add_test(tc, tells_clients_apart_by_the_whole_five_tuple);
    tcase_add_test(tc, wants_a_transport_and_relays_only_udp);
    tcase_add_test(tc, gives_an_ipv6_relay_when_asked_for_one);
    tcase_add_test(tc, answers_440_for_a_family_it_does_not_have);
    tcase_add_test(tc, gives_one_relay_of_each_family_for_a_dual_allocation);
    tcase_add_test(tc, says_which_half_of_a_dual_allocation_failed);
    tcase_add_test(tc, releases_one_half_of_a_dual_allocation);
    tcase_add_test(tc, keeps_so_many_reservations_and_no_more);
    tcase_add_test(tc, gives_even_ports_and_keeps_the_next_one_for_the_token);
    tcase_add_test(tc, forgets_a_reservation_after_30_seconds_and_after_use);
    tcase_add_test(tc, refuses_attributes_that_exclude_each_other);
    tcase_add_test(tc, names_unknown_attributes_in_420);
    tcase_add_test(tc, knows_what_dont_fragment_is);
    tcase_add_test(tc, grants_between_the_default_and_the_longest_lifetime);
    tcase_add_test(tc, is_extended_and_released_by_refresh);
    tcase_add_test(tc, refuses_refresh_of_a_family_it_does_not_have_with_443);
    tcase_add_test(tc, ends_with_its_connection);
    tcase_add_test(tc, tries_other_ports_when_one_is_another_programs);
    tcase_add_test(tc,
                   uses_a_range_of_four_ports_to_the_last_and_then_says_508);
    tcase_add_test(tc, says_508_when_no_socket_can_be_had);
    tcase_add_test(tc, keeps_the_quota_of_a_user_and_of_a_source);
    tcase_add_test(tc, says_508_when_all_allocations_are_taken);
    tcase_add_test(tc, takes_nothing_new_while_draining);
    tcase_add_test(tc, names_another_server_while_draining);
    tcase_add_test(tc, keeps_nothing_of_a_flood_from_forged_addresses);
    tcase_add_test(tc, gets_over_a_leap_of_the_clock);
    tcase_add_test(tc, answers_binding_requests_of_anybody);
    tcase_add_test(tc, says_nothing_to_what_is_no_request);
    tcase_add_test(tc, advertises_the_address_that_the_world_knows);
    tcase_add_test(tc, takes_at_most_two_kibibytes_when_idle);
    tcase_add_test(tc, survives_every_failed_allocation_of_memory);
    suite_add_tcase(s, tc);
    return s;
}
