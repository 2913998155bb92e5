/* SPDX-License-Identifier: MIT */
/* TCP relays (RFC 6062): every state a connection can be in, and every way
 * out of it. */
#include "support_turn.h"

#include "base/err.h"

#include <errno.h>
#include <stdio.h>

static struct world world;
static struct world_options options;
static struct actor alice;
static struct addr relayed;

static const char peer[] = "198.51.100.9:5060";

static void setup(void)
{
    static struct cidr allow[2];

    options = world_defaults();
    ck_assert_int_eq(cidr_parse(span_str("198.51.100.0/24:5060"), &allow[0]),
                     0);
    ck_assert_int_eq(cidr_parse(span_str("2001:db8:2::/48"), &allow[1]), 0);
    options.max_tcp = 20;
    options.rules.realm.has_tcp = true;
    options.rules.realm.allow_tcp = allow;
    options.rules.realm.n_allow_tcp = ARRAY_SIZE(allow);
}

static void teardown(void)
{
    world_stop(&world);
}

static void on_stream(struct actor *actor, uint8_t transport, uint64_t link)
{
    actor->id.transport = transport;
    actor->id.link = link;
}

static int allocate_with(struct actor *actor, const char *transport,
                         enum stun_attr more, struct span value)
{
    if (actor->nonce_len == 0)
        ck_assert_int_eq(actor_challenge(actor), STUN_UNAUTHENTICATED);
    actor_start(actor, STUN_ALLOCATE);
    stun_write(&actor->w, STUN_REQUESTED_TRANSPORT, span_of(transport, 4));
    if (value.ptr)
        stun_write(&actor->w, more, value);
    return actor_send(actor);
}

static int allocate_tcp(struct actor *actor)
{
    return allocate_with(actor, "\x06\0\0\0", 0, span_of(NULL, 0));
}

/* Alice with a TCP relay. */
static void begin(void)
{
    world_start(&world, &options);
    actor_init(&alice, &world, "192.0.2.1:4000", "alice", "wonder");
    on_stream(&alice, TURN_TCP, 1);
    ck_assert_int_eq(allocate_tcp(&alice), 0);
    relayed = actor_relayed(&alice);
}

static int start_connect(struct actor *actor, const char *to)
{
    struct addr a = world_addr(to);

    actor_start(actor, STUN_CONNECT);
    stun_write_xor_addr(&actor->w, STUN_XOR_PEER_ADDRESS, &a);
    return actor_send(actor);
}

static struct span number_of(struct actor *actor)
{
    return stun_msg_attr(&actor->msg, STUN_CONNECTION_ID);
}

/* What connect() began has come about. */
static void opened(const char *to)
{
    struct world_pipe *pipe = world_pipe(&world, to);

    ck_assert_ptr_nonnull(pipe);
    world_forget(&world);
    turn_core_on_tcp_open(world.core, pipe->conn, world.now);
}

static void connect_to(const char *to)
{
    ck_assert_int_eq(start_connect(&alice, to), -1);
    opened(to);
    ck_assert_int_eq(actor_read(&alice), 0);
    ck_assert_uint_eq(number_of(&alice).len, 4);
}

/* A second connection of a user's, on which ConnectionBind comes. */
static struct actor data;

static int bind_as(const char *user, const char *password, struct span number)
{
    actor_init(&data, &world, "192.0.2.1:4001", user, password);
    on_stream(&data, TURN_TLS, 2);
    ck_assert_int_eq(actor_challenge(&data), STUN_UNAUTHENTICATED);
    actor_start(&data, STUN_CONNECTION_BIND);
    if (number.ptr)
        stun_write(&data.w, STUN_CONNECTION_ID, number);
    return actor_send(&data);
}

/* --- Allocate --- */

START_TEST(gives_a_tcp_relay_over_tcp_and_tls_alone)
{
    static const struct {
        uint8_t transport;
        int code;
    } cases[] = {{TURN_TCP, 0},
                 {TURN_TLS, 0},
                 {TURN_UDP, STUN_BAD_REQUEST},
                 {TURN_DTLS, STUN_BAD_REQUEST}};

    world_start(&world, &options);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        actor_init(&alice, &world, "192.0.2.1:4000", "alice", "wonder");
        on_stream(&alice, cases[i].transport, i + 1);
        ck_assert_int_eq(allocate_tcp(&alice), cases[i].code);
    }
}
END_TEST

START_TEST(refuses_what_goes_with_udp_only)
{
    static const enum stun_attr attrs[] = {STUN_EVEN_PORT, STUN_DONT_FRAGMENT,
                                           STUN_RESERVATION_TOKEN};

    world_start(&world, &options);
    actor_init(&alice, &world, "192.0.2.1:4000", "alice", "wonder");
    on_stream(&alice, TURN_TCP, 1);
    for (size_t i = 0; i < ARRAY_SIZE(attrs); i++) {
        int code = allocate_with(&alice, "\x06\0\0\0", attrs[i],
                                 span_of("\0\0\0\0\0\0\0\0", 8));

        ck_assert_int_eq(code, STUN_BAD_REQUEST);
    }
    ck_assert_int_eq(allocate_with(&alice, "\x11\0\0\0", 0, span_of(NULL, 0)),
                     0);
}
END_TEST

START_TEST(is_off_unless_asked_for)
{
    options.rules.realm.has_tcp = false;
    world_start(&world, &options);
    actor_init(&alice, &world, "192.0.2.1:4000", "alice", "wonder");
    on_stream(&alice, TURN_TCP, 1);
    ck_assert_int_eq(allocate_tcp(&alice), STUN_UNSUPPORTED_TRANSPORT);
    world_stop(&world);

    options.rules.realm.has_tcp = true;
    options.max_tcp = 0; /* a shell that cannot */
    world_start(&world, &options);
    actor_init(&alice, &world, "192.0.2.1:4000", "alice", "wonder");
    on_stream(&alice, TURN_TCP, 1);
    ck_assert_int_eq(allocate_tcp(&alice), STUN_UNSUPPORTED_TRANSPORT);
}
END_TEST

START_TEST(has_connections_and_no_packets)
{
    begin();
    ck_assert_int_eq(actor_bind(&alice, 0x4000, peer), STUN_FORBIDDEN);
    ck_assert_int_eq(actor_permit(&alice, peer), 0);
    actor_say(&alice, peer, "x");
    ck_assert_uint_eq(world.n_peer, 0);
    ck_assert_uint_eq(world.stats.drop_no_allocation, 1);
}
END_TEST

/* --- Connect --- */

START_TEST(connects_and_says_so_when_it_is_done)
{
    struct world_pipe *pipe;

    begin();
    ck_assert_int_eq(start_connect(&alice, peer), -1); /* no answer yet */
    pipe = world_pipe(&world, peer);
    ck_assert_ptr_nonnull(pipe);
    ck_assert(addr_equal(&pipe->relay->addr, &relayed)); /* made from there */
    ck_assert_uint_eq(world.stats.tcp_connections, 1);
    opened(peer);
    ck_assert_int_eq(actor_read(&alice), 0);
    ck_assert_uint_eq(alice.msg.method, STUN_CONNECT);
    ck_assert_uint_eq(number_of(&alice).len, 4);
    ck_assert_uint_eq(number_of(&alice).ptr[0], 7); /* this core's */
    ck_assert_uint_eq(world.stats.tcp_waiting, 1);
}
END_TEST

START_TEST(answers_447_when_the_peer_cannot_be_reached)
{
    begin();
    ck_assert_int_eq(start_connect(&alice, peer), -1);
    world_forget(&world);
    world_pipe(&world, peer)->open = false;
    turn_core_on_tcp_closed(world.core, world.pipes[0].conn, world.now);
    ck_assert_int_eq(actor_read(&alice), STUN_CONNECTION_FAILED);

    world.connect_error = -EADDRNOTAVAIL; /* at once */
    ck_assert_int_eq(start_connect(&alice, peer), STUN_CONNECTION_FAILED);
    ck_assert_uint_eq(world.stats.tcp_failed, 2);
    ck_assert_uint_eq(world.stats.refused_447, 2);
}
END_TEST

START_TEST(gives_a_peer_thirty_seconds_to_answer)
{
    begin();
    ck_assert_int_eq(start_connect(&alice, peer), -1);
    world_forget(&world);
    world_pass(&world, 29999);
    ck_assert_uint_eq(world_open_pipes(&world), 1);
    world_pass(&world, 1);
    ck_assert_int_eq(actor_read(&alice), STUN_CONNECTION_FAILED);
    ck_assert_uint_eq(world_open_pipes(&world), 0);
}
END_TEST

START_TEST(answers_446_for_a_peer_it_is_connected_with)
{
    begin();
    ck_assert_int_eq(start_connect(&alice, peer), -1);
    ck_assert_int_eq(start_connect(&alice, peer), STUN_CONNECTION_EXISTS);
    world_forget(&world);
    turn_core_on_tcp_open(world.core, world.pipes[0].conn, world.now);
    ck_assert_int_eq(start_connect(&alice, peer), STUN_CONNECTION_EXISTS);
    ck_assert_uint_eq(world.stats.refused_446, 2);
    /* of another peer it does not */
    connect_to("198.51.100.10:5060");
}
END_TEST

START_TEST(answers_446_while_bytes_flow_and_not_afterwards)
{
    begin();
    connect_to(peer);
    ck_assert_int_eq(bind_as("alice", "wonder", number_of(&alice)), 0);
    ck_assert_int_eq(start_connect(&alice, peer), STUN_CONNECTION_EXISTS);
    world.pipes[0].open = false;
    turn_core_on_tcp_closed(world.core, world.pipes[0].conn, world.now);
    connect_to(peer);
}
END_TEST

START_TEST(answers_437_without_a_tcp_allocation)
{
    struct actor udp;

    begin();
    actor_init(&udp, &world, "192.0.2.1:4009", "alice", "wonder");
    on_stream(&udp, TURN_TCP, 9);
    ck_assert_int_eq(actor_challenge(&udp), STUN_UNAUTHENTICATED);
    ck_assert_int_eq(start_connect(&udp, peer), STUN_ALLOCATION_MISMATCH);
    ck_assert_int_eq(actor_allocate(&udp), 0);
    ck_assert_int_eq(start_connect(&udp, peer), STUN_ALLOCATION_MISMATCH);
}
END_TEST

START_TEST(answers_400_without_a_peer_and_443_for_the_wrong_family)
{
    begin();
    actor_start(&alice, STUN_CONNECT);
    ck_assert_int_eq(actor_send(&alice), STUN_BAD_REQUEST);
    actor_start(&alice, STUN_CONNECT);
    stun_write(&alice.w, STUN_XOR_PEER_ADDRESS, span_of("\0\1", 2));
    ck_assert_int_eq(actor_send(&alice), STUN_BAD_REQUEST);
    ck_assert_int_eq(start_connect(&alice, "[2001:db8:2::9]:5060"),
                     STUN_PEER_FAMILY_MISMATCH);
}
END_TEST

START_TEST(connects_to_what_is_listed_and_nothing_else)
{
    static const char *const refused[] = {
        "198.51.100.9:5061", /* the port is not */
        "8.8.8.8:53",        /* public, but not listed: unlike UDP */
        "10.0.0.1:5060",        "127.0.0.1:5060",   "0.0.0.0:5060",
        "169.254.169.254:80",   "203.0.113.5:3478", /* our own address */
        "255.255.255.255:5060",
    };

    begin();
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        ck_assert_int_eq(start_connect(&alice, refused[i]), STUN_FORBIDDEN);
    ck_assert_uint_eq(world_open_pipes(&world), 0);
}
END_TEST

START_TEST(works_with_ipv6)
{
    world_start(&world, &options);
    actor_init(&alice, &world, "[2001:db8:9::1]:4000", "alice", "wonder");
    on_stream(&alice, TURN_TLS, 1);
    ck_assert_int_eq(allocate_with(&alice, "\x06\0\0\0",
                                   STUN_REQUESTED_ADDRESS_FAMILY,
                                   span_of("\2\0\0\0", 4)),
                     0);
    relayed = actor_relayed(&alice);
    ck_assert_uint_eq(relayed.family, ADDR_V6);
    connect_to("[2001:db8:2::9]:5060");
    ck_assert_int_eq(actor_permit(&alice, "2001:db8:2::7"), 0);
    ck_assert_ptr_nonnull(
        world_peer_connects(&world, &relayed, "[2001:db8:2::7]:40000"));
}
END_TEST

/* --- a peer connects --- */

/* The indication of a ConnectionAttempt in what was sent. */
static struct span attempt(void)
{
    static struct stun_msg msg;
    struct addr a;

    ck_assert_uint_eq(world.n_client, 1);
    ck_assert_int_eq(stun_msg_read(&msg, span_of(world.to_client[0].bytes,
                                                 world.to_client[0].len)),
                     0);
    ck_assert_uint_eq(msg.method, STUN_CONNECTION_ATTEMPT);
    ck_assert_uint_eq(msg.class, STUN_INDICATION);
    ck_assert_mem_eq(&world.to_client[0].client, &alice.id, sizeof(alice.id));
    ck_assert_int_eq(stun_attr_xor_addr(
                         &msg, stun_msg_attr(&msg, STUN_XOR_PEER_ADDRESS), &a),
                     0);
    a.port = 0;
    ck_assert(addr_equal(
        &a, &(struct addr){.ip = {198, 51, 100, 9}, .family = ADDR_V4}));
    return stun_msg_attr(&msg, STUN_CONNECTION_ID);
}

START_TEST(tells_the_client_of_a_peer_with_permission)
{
    uint8_t number[4];
    struct span id;

    begin();
    ck_assert_int_eq(actor_permit(&alice, "198.51.100.9"), 0);
    ck_assert_ptr_nonnull(
        world_peer_connects(&world, &relayed, "198.51.100.9:40000"));
    id = attempt();
    ck_assert_uint_eq(id.len, 4);
    memcpy(number, id.ptr, 4);
    ck_assert_int_eq(bind_as("alice", "wonder", span_of(number, 4)), 0);
    ck_assert_uint_eq(world.pipes[0].partner.link, 2);
    ck_assert_uint_eq(world.stats.tcp_accepted, 1);
}
END_TEST

START_TEST(closes_on_a_peer_without_permission)
{
    begin();
    ck_assert_ptr_null(
        world_peer_connects(&world, &relayed, "198.51.100.9:40000"));
    ck_assert_uint_eq(world.n_client, 0); /* nothing is said */
    ck_assert_uint_eq(world.stats.tcp_not_permitted, 1);
    ck_assert_int_eq(actor_permit(&alice, "198.51.100.9"), 0);
    world_pass(&world, 300000); /* it has ended */
    ck_assert_ptr_null(
        world_peer_connects(&world, &relayed, "198.51.100.9:40000"));
}
END_TEST

START_TEST(permits_what_tcp_rules_open)
{
    begin();
    ck_assert_int_eq(actor_permit(&alice, "8.8.8.8"), STUN_FORBIDDEN);
    ck_assert_int_eq(actor_permit(&alice, "198.51.100.200"), 0);
}
END_TEST

/* --- ConnectionBind --- */

START_TEST(joins_what_is_bound)
{
    begin();
    connect_to(peer);
    ck_assert_int_eq(bind_as("alice", "wonder", number_of(&alice)), 0);
    ck_assert_mem_eq(&world_pipe(&world, peer)->partner, &data.id,
                     sizeof(data.id));
    ck_assert_uint_eq(world.stats.tcp_waiting, 0);
    ck_assert_uint_eq(world.stats.tcp_bound, 1);
    /* no time-out any more */
    world_pass(&world, 120000);
    ck_assert_uint_eq(world_open_pipes(&world), 1);
}
END_TEST

START_TEST(closes_what_is_not_bound_after_thirty_seconds)
{
    begin();
    connect_to(peer);
    world_pass(&world, 29999);
    ck_assert_uint_eq(world_open_pipes(&world), 1);
    world_pass(&world, 1);
    ck_assert_uint_eq(world_open_pipes(&world), 0);
    ck_assert_uint_eq(world.stats.tcp_unbound, 1);
    ck_assert_int_eq(bind_as("alice", "wonder", number_of(&alice)),
                     STUN_BAD_REQUEST);
}
END_TEST

START_TEST(binds_only_what_waits)
{
    begin();
    ck_assert_int_eq(bind_as("alice", "wonder", span_of(NULL, 0)),
                     STUN_BAD_REQUEST);
    ck_assert_int_eq(bind_as("alice", "wonder", span_of("\7\0\0\1", 4)),
                     STUN_BAD_REQUEST);
    ck_assert_int_eq(bind_as("alice", "wonder", span_of("\7\0\0\1\0", 5)),
                     STUN_BAD_REQUEST);
    connect_to(peer);
    ck_assert_int_eq(bind_as("alice", "wonder", number_of(&alice)), 0);
    ck_assert_int_eq(bind_as("alice", "wonder", number_of(&alice)),
                     STUN_BAD_REQUEST); /* twice */
}
END_TEST

START_TEST(binds_for_its_own_user_only)
{
    begin();
    connect_to(peer);
    ck_assert_int_eq(bind_as("bob", "builder", number_of(&alice)),
                     STUN_WRONG_CREDENTIALS);
    ck_assert_int_eq(bind_as("alice", "wrong", number_of(&alice)),
                     STUN_UNAUTHENTICATED);
    ck_assert_int_eq(bind_as("alice", "wonder", number_of(&alice)), 0);
}
END_TEST

START_TEST(binds_neither_over_udp_nor_on_a_control_connection)
{
    uint8_t number[4];

    begin();
    connect_to(peer);
    memcpy(number, number_of(&alice).ptr, 4);
    actor_start(&alice, STUN_CONNECTION_BIND);
    stun_write(&alice.w, STUN_CONNECTION_ID, span_of(number, 4));
    ck_assert_int_eq(actor_send(&alice), STUN_BAD_REQUEST);

    actor_init(&data, &world, "192.0.2.1:4001", "alice", "wonder");
    ck_assert_int_eq(actor_challenge(&data), STUN_UNAUTHENTICATED);
    actor_start(&data, STUN_CONNECTION_BIND);
    stun_write(&data.w, STUN_CONNECTION_ID, span_of(number, 4));
    ck_assert_int_eq(actor_send(&data), STUN_BAD_REQUEST);
    ck_assert_uint_eq(world.stats.tcp_waiting, 1);
}
END_TEST

START_TEST(does_not_bind_what_is_still_connecting)
{
    begin();
    ck_assert_int_eq(start_connect(&alice, peer), -1);
    ck_assert_int_eq(bind_as("alice", "wonder", span_of("\7\0\0\0", 4)),
                     STUN_BAD_REQUEST);
}
END_TEST

START_TEST(says_which_core_a_bind_belongs_to)
{
    uint8_t out[64];
    uint8_t tid[STUN_TID_SIZE] = {1};
    struct stun_writer w;

    world_start(&world, &options);
    stun_write_start(&w, out, sizeof(out), STUN_REQUEST, STUN_CONNECTION_BIND,
                     tid);
    stun_write(&w, STUN_CONNECTION_ID,
               span_of("\x05"
                       "abc",
                       4));
    ck_assert_int_gt(stun_write_finish(&w), 0);
    ck_assert_int_eq(turn_core_of_bind(stun_written(&w)), 5);
    ck_assert_int_eq(turn_core_of_bind(span_head(stun_written(&w), 19)), -1);
    out[1] = STUN_CONNECT;
    ck_assert_int_eq(turn_core_of_bind(stun_written(&w)), -1);
    ck_assert_int_eq(turn_core_of_bind(span_of("@\0\0\0", 4)), -1);
}
END_TEST

/* --- the end --- */

START_TEST(ends_all_with_the_allocation)
{
    begin();
    connect_to(peer);
    ck_assert_int_eq(bind_as("alice", "wonder", number_of(&alice)), 0);
    connect_to("198.51.100.10:5060");
    ck_assert_int_eq(start_connect(&alice, "198.51.100.11:5060"), -1);
    ck_assert_uint_eq(world_open_pipes(&world), 3);
    ck_assert_int_eq(actor_refresh(&alice, 0), 0);
    ck_assert_uint_eq(world_open_pipes(&world), 0);
}
END_TEST

START_TEST(ends_all_when_the_allocation_expires)
{
    begin();
    connect_to(peer);
    ck_assert_int_eq(bind_as("alice", "wonder", number_of(&alice)), 0);
    world_pass(&world, 599999);
    ck_assert_uint_eq(world_open_pipes(&world), 1);
    world_pass(&world, 1);
    ck_assert_uint_eq(world_open_pipes(&world), 0);
}
END_TEST

START_TEST(ends_all_when_the_control_connection_goes)
{
    begin();
    connect_to(peer);
    ck_assert_int_eq(bind_as("alice", "wonder", number_of(&alice)), 0);
    turn_core_on_client_gone(world.core, &data.id, world.now);
    ck_assert_uint_eq(world_open_pipes(&world), 1);
    turn_core_on_client_gone(world.core, &alice.id, world.now);
    ck_assert_uint_eq(world_open_pipes(&world), 0);
}
END_TEST

START_TEST(ends_what_new_rules_forbid)
{
    static struct cidr other;

    begin();
    connect_to(peer);
    connect_to("198.51.100.10:5060");
    ck_assert_int_eq(start_connect(&alice, "198.51.100.11:5060"), -1);
    ck_assert_int_eq(cidr_parse(span_str("198.51.100.10/32"), &other), 0);
    options.rules.realm.allow_tcp = &other;
    options.rules.realm.n_allow_tcp = 1;
    world_forget(&world);
    world_reload(&world, &options);
    ck_assert_int_eq(actor_read(&alice),
                     STUN_FORBIDDEN); /* the one on its way */
    ck_assert_uint_eq(world_open_pipes(&world), 1);
    ck_assert_uint_eq(world.stats.rules_ended, 2);

    options.rules.realm.has_tcp = false;
    world_reload(&world, &options);
    ck_assert_uint_eq(world_open_pipes(&world), 0);
    ck_assert_int_eq(start_connect(&alice, "198.51.100.10:5060"),
                     STUN_FORBIDDEN);
}
END_TEST

START_TEST(lives_on_while_draining)
{
    begin();
    turn_core_drain(world.core);
    connect_to(peer);
    ck_assert_int_eq(bind_as("alice", "wonder", number_of(&alice)), 0);
    ck_assert_uint_eq(world_open_pipes(&world), 1);
}
END_TEST

/* --- limits --- */

static int connect_nth(struct actor *actor, unsigned i)
{
    char to[32];

    (void)snprintf(to, sizeof(to), "198.51.100.%u:5060", i + 1);
    return start_connect(actor, to);
}

START_TEST(has_a_limit_per_allocation_and_user_and_in_all)
{
    struct actor second;
    struct actor bob;

    options.rules.limits.tcp_total = 14;
    begin();
    for (unsigned i = 0; i < 8; i++)
        ck_assert_int_eq(connect_nth(&alice, i), -1);
    ck_assert_int_eq(connect_nth(&alice, 8), STUN_QUOTA_REACHED);

    actor_init(&second, &world, "192.0.2.1:4002", "alice", "wonder");
    on_stream(&second, TURN_TCP, 3);
    ck_assert_int_eq(allocate_tcp(&second), 0);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_int_eq(connect_nth(&second, i), -1);
    ck_assert_int_eq(connect_nth(&second, 4), STUN_QUOTA_REACHED);

    actor_init(&bob, &world, "192.0.2.2:4000", "bob", "builder");
    on_stream(&bob, TURN_TCP, 4);
    ck_assert_int_eq(allocate_tcp(&bob), 0);
    ck_assert_int_eq(connect_nth(&bob, 0), -1);
    ck_assert_int_eq(connect_nth(&bob, 1), -1);
    ck_assert_int_eq(connect_nth(&bob, 2), STUN_INSUFFICIENT_CAPACITY);
    ck_assert_uint_eq(world.stats.tcp_full, 3);

    /* what ends gives its place back */
    ck_assert_int_eq(actor_refresh(&second, 0), 0);
    ck_assert_int_eq(connect_nth(&bob, 3), -1);
}
END_TEST

START_TEST(closes_on_peers_over_the_limit)
{
    begin();
    ck_assert_int_eq(actor_permit(&alice, "198.51.100.9"), 0);
    for (unsigned i = 0; i < 9; i++) {
        char from[32];

        (void)snprintf(from, sizeof(from), "198.51.100.9:%u", 40000 + i);
        ck_assert_int_eq(world_peer_connects(&world, &relayed, from) != NULL,
                         i < 8);
    }
    ck_assert_uint_eq(world.stats.tcp_full, 1);
}
END_TEST

START_TEST(holds_back_what_is_over_the_bandwidth)
{
    struct pool_id id;

    options.rules.realm.limits.max_bandwidth = 10000; /* bytes/s */
    begin();
    connect_to(peer);
    ck_assert_int_eq(bind_as("alice", "wonder", number_of(&alice)), 0);
    id = world.pipes[0].conn;
    /* the burst, then what was read is owed */
    ck_assert_uint_eq(
        turn_core_on_tcp_data(world.core, id, 0, 65000, world.now), 0);
    ck_assert_uint_gt(
        turn_core_on_tcp_data(world.core, id, 0, 10000, world.now), world.now);
    ck_assert_uint_eq(world.stats.tcp_throttled, 1);
    /* the other direction has its own */
    ck_assert_uint_eq(turn_core_on_tcp_data(world.core, id, 1, 1000, world.now),
                      0);
    world.now += 500;
    ck_assert_uint_gt(turn_core_on_tcp_data(world.core, id, 0, 0, world.now),
                      world.now);
    world.now += 500;
    ck_assert_uint_eq(turn_core_on_tcp_data(world.core, id, 0, 0, world.now),
                      0);
    ck_assert_uint_eq(world.stats.tcp_to_peer, 75000);
    ck_assert_uint_eq(world.stats.tcp_to_client, 1000);
}
END_TEST

START_TEST(ignores_news_of_connections_that_are_over)
{
    struct pool_id id;

    begin();
    connect_to(peer);
    id = world.pipes[0].conn;
    ck_assert_int_eq(actor_refresh(&alice, 0), 0);
    turn_core_on_tcp_open(world.core, id, world.now);
    turn_core_on_tcp_closed(world.core, id, world.now);
    ck_assert_uint_eq(turn_core_on_tcp_data(world.core, id, 0, 9, world.now),
                      0);
}
END_TEST

START_TEST(survives_every_failed_allocation_of_memory)
{
    for (long n = 0; n < 6; n++) {
        if (n > 0)
            world_stop(&world);
        begin();
        ck_assert_int_eq(actor_permit(&alice, "198.51.100.9"), 0);
        mem_fail_at(n);
        (void)start_connect(&alice, peer);
        mem_fail_at(-1);
        ck_assert(alice.code == -1 || alice.code == STUN_INSUFFICIENT_CAPACITY);
        ck_assert_uint_eq(world_open_pipes(&world), alice.code == -1);
        mem_fail_at(n);
        (void)world_peer_connects(&world, &relayed, "198.51.100.9:40000");
        mem_fail_at(-1);
        ck_assert_uint_eq(world.stats.tcp_connections,
                          world_open_pipes(&world));
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("turn_tcp");
    TCase *tcase = tcase_create("turn_tcp");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, gives_a_tcp_relay_over_tcp_and_tls_alone);
    tcase_add_test(tcase, refuses_what_goes_with_udp_only);
    tcase_add_test(tcase, is_off_unless_asked_for);
    tcase_add_test(tcase, has_connections_and_no_packets);
    tcase_add_test(tcase, connects_and_says_so_when_it_is_done);
    tcase_add_test(tcase, answers_447_when_the_peer_cannot_be_reached);
    tcase_add_test(tcase, gives_a_peer_thirty_seconds_to_answer);
    tcase_add_test(tcase, answers_446_for_a_peer_it_is_connected_with);
    tcase_add_test(tcase, answers_446_while_bytes_flow_and_not_afterwards);
    tcase_add_test(tcase, answers_437_without_a_tcp_allocation);
    tcase_add_test(tcase,
                   answers_400_without_a_peer_and_443_for_the_wrong_family);
    tcase_add_test(tcase, connects_to_what_is_listed_and_nothing_else);
    tcase_add_test(tcase, works_with_ipv6);
    tcase_add_test(tcase, tells_the_client_of_a_peer_with_permission);
    tcase_add_test(tcase, closes_on_a_peer_without_permission);
    tcase_add_test(tcase, permits_what_tcp_rules_open);
    tcase_add_test(tcase, joins_what_is_bound);
    tcase_add_test(tcase, closes_what_is_not_bound_after_thirty_seconds);
    tcase_add_test(tcase, binds_only_what_waits);
    tcase_add_test(tcase, binds_for_its_own_user_only);
    tcase_add_test(tcase, binds_neither_over_udp_nor_on_a_control_connection);
    tcase_add_test(tcase, does_not_bind_what_is_still_connecting);
    tcase_add_test(tcase, says_which_core_a_bind_belongs_to);
    tcase_add_test(tcase, ends_all_with_the_allocation);
    tcase_add_test(tcase, ends_all_when_the_allocation_expires);
    tcase_add_test(tcase, ends_all_when_the_control_connection_goes);
    tcase_add_test(tcase, ends_what_new_rules_forbid);
    tcase_add_test(tcase, lives_on_while_draining);
    tcase_add_test(tcase, has_a_limit_per_allocation_and_user_and_in_all);
    tcase_add_test(tcase, closes_on_peers_over_the_limit);
    tcase_add_test(tcase, holds_back_what_is_over_the_bandwidth);
    tcase_add_test(tcase, ignores_news_of_connections_that_are_over);
    tcase_add_test(tcase, survives_every_failed_allocation_of_memory);
    suite_add_tcase(suite, tcase);
    return suite;
}
