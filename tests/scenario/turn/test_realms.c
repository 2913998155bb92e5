/* SPDX-License-Identifier: MIT */
/* Several realms on one server: nothing of one is good in another. */
#include "support_turn.h"

#include <errno.h>

static struct world world;
static struct world_options options;
static struct turn_realm_options other; /* realm "b" in slot 3 */
static struct cidr b_allow;
static struct actor alice, anna;

static const char peer[] = "198.51.100.9:5000";
static const char b_peer[] = "10.1.2.3:6000";

static void begin(void)
{
    world_start(&world, &options);
    actor_init(&alice, &world, "192.0.2.7:40000", "alice", "wonder");
    actor_init(&anna, &world, "192.0.2.7:41000", "alice", "other");
    anna.realm = "b";
    anna.id.realm = turn_realm_id(span_str("b"));
}

static void setup(void)
{
    options = world_defaults();
    ck_assert_int_eq(cidr_parse(span_str("10.1.2.0/24:6000-6001"), &b_allow),
                     0);
    other = (struct turn_realm_options){
        .name = span_str("b"),
        .users = {.users = span_str("alice:other"),
                  .secrets = span_str("east")},
        .policy = {.allow = &b_allow,
                   .n_allow = 1,
                   .relays = options.relays,
                   .n_relays = 2},
        .slot = 3,
    };
    options.rules.more = &other;
    options.rules.n_more = 1;
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

START_TEST(tells_each_client_the_realm_of_its_listener)
{
    ck_assert_int_eq(actor_challenge(&alice), STUN_UNAUTHENTICATED);
    ck_assert_span_eq(stun_msg_attr(&alice.msg, STUN_REALM), "example.org");
    ck_assert_int_eq(actor_challenge(&anna), STUN_UNAUTHENTICATED);
    ck_assert_span_eq(stun_msg_attr(&anna.msg, STUN_REALM), "b");
}
END_TEST

START_TEST(takes_users_of_a_realm_in_that_realm_only)
{
    struct actor stray = alice;

    ck_assert_int_eq(actor_allocate(&alice), 0);
    ck_assert_int_eq(actor_allocate(&anna), 0);
    /* alice's credential, brought to the listener of "b" */
    actor_init(&stray, &world, "192.0.2.7:42000", "alice", "wonder");
    stray.id.realm = anna.id.realm;
    ck_assert_int_eq(actor_allocate(&stray), STUN_UNAUTHENTICATED);
    stray.realm = "b";
    ck_assert_int_eq(actor_allocate(&stray), STUN_UNAUTHENTICATED);
    /* and a secret of the default realm */
    stray.user = "1900000000:carol";
    ck_assert_int_eq(actor_allocate(&stray), STUN_UNAUTHENTICATED);
    ck_assert_uint_eq(world.realm_stats[3].auth_failed, 3);
    ck_assert_uint_eq(world.realm_stats[0].auth_failed, 0);
}
END_TEST

START_TEST(lets_each_realm_reach_its_own_peers)
{
    ck_assert_int_eq(actor_allocate(&alice), 0);
    ck_assert_int_eq(actor_allocate(&anna), 0);
    ck_assert_int_eq(actor_permit(&alice, peer), 0);
    ck_assert_int_eq(actor_permit(&alice, b_peer), STUN_FORBIDDEN);
    ck_assert_int_eq(actor_permit(&anna, b_peer), 0);
    ck_assert_int_eq(actor_permit(&anna, peer), STUN_FORBIDDEN);
    ck_assert_int_eq(actor_bind(&anna, 0x4001, peer), STUN_FORBIDDEN);
    ck_assert_int_eq(actor_bind(&anna, 0x4001, "8.8.8.8:53"), STUN_FORBIDDEN);
    actor_say(&anna, "10.1.2.3:6002", "x"); /* the port is not open */
    ck_assert_uint_eq(world.n_peer, 0);
    actor_say(&anna, b_peer, "hello");
    ck_assert_uint_eq(world.n_peer, 1);
    ck_assert_uint_eq(world.realm_stats[3].bytes_to_peer, 5);
    ck_assert_uint_eq(world.realm_stats[0].bytes_to_peer, 0);
    ck_assert_uint_eq(world.realm_stats[3].forbidden, 3);
}
END_TEST

START_TEST(counts_quotas_of_each_realm_apart)
{
    struct turn_user_quota exception = {span_str("vip"), 2};
    struct actor second, vip[3];

    options.rules.realm.limits.max_per_user = 1;
    options.rules.realm.limits.max_per_source = 1;
    other.users.users = span_str("alice:other\nvip:x");
    other.limits.max_allocations = 3;
    other.limits.max_per_user = 1;
    other.limits.max_per_source = 1; /* no limit of the exception's */
    other.quotas = &exception;
    other.n_quotas = 1;
    again();
    ck_assert_int_eq(actor_allocate(&alice), 0);
    ck_assert_int_eq(actor_allocate(&anna), 0); /* same name, same source */
    second = anna;
    second.id.remote.port++;
    second.nonce_len = 0;
    ck_assert_int_eq(actor_allocate(&second), STUN_QUOTA_REACHED);
    ck_assert_uint_eq(world.stats.quota_user, 1);
    for (uint16_t i = 0; i < 3; i++) {
        vip[i] = second;
        vip[i].user = "vip";
        vip[i].password = "x";
        vip[i].id.remote.port = (uint16_t)(50000 + i);
        vip[i].nonce_len = 0;
        ck_assert_int_eq(actor_allocate(&vip[i]),
                         i < 2 ? 0 : STUN_QUOTA_REACHED);
    }
    ck_assert_uint_eq(world.stats.quota_realm, 1);
    ck_assert_uint_eq(world.realm_stats[3].quota_reached, 2);
    ck_assert_uint_eq(world.realm_stats[3].allocations, 3);
    ck_assert_uint_eq(world.realm_stats[3].opened, 3);
    ck_assert_int_eq(actor_refresh(&vip[0], 0), 0);
    ck_assert_uint_eq(world.realm_stats[3].allocations, 2);
    ck_assert_int_eq(actor_allocate(&vip[2]), 0);
}
END_TEST

START_TEST(counts_a_reserved_port_as_an_allocation)
{
    struct actor second, third;
    uint8_t even = 0x80;
    uint8_t token[8];

    options.rules.realm.limits.max_per_user = 2;
    again();
    actor_challenge(&alice);
    actor_start(&alice, STUN_ALLOCATE);
    stun_write(&alice.w, STUN_REQUESTED_TRANSPORT, span_of("\x11\0\0\0", 4));
    stun_write(&alice.w, STUN_EVEN_PORT, span_of(&even, 1));
    ck_assert_int_eq(actor_send(&alice), 0);
    ck_assert(stun_msg_has(&alice.msg, STUN_RESERVATION_TOKEN));
    memcpy(token, stun_msg_attr(&alice.msg, STUN_RESERVATION_TOKEN).ptr, 8);
    actor_init(&second, &world, "192.0.2.7:40001", "alice", "wonder");
    ck_assert_int_eq(actor_allocate(&second), STUN_QUOTA_REACHED);
    /* the one who brings the token gets the place it held */
    actor_start(&second, STUN_ALLOCATE);
    stun_write(&second.w, STUN_REQUESTED_TRANSPORT, span_of("\x11\0\0\0", 4));
    stun_write(&second.w, STUN_RESERVATION_TOKEN, span_of(token, 8));
    ck_assert_int_eq(actor_send(&second), 0);
    /* with the quota full, an even port comes without a reserve */
    ck_assert_int_eq(actor_refresh(&second, 0), 0);
    ck_assert_int_eq(actor_refresh(&alice, 0), 0);
    ck_assert_int_eq(actor_allocate(&second), 0);
    actor_init(&third, &world, "192.0.2.7:40003", "alice", "wonder");
    actor_challenge(&third);
    actor_start(&third, STUN_ALLOCATE);
    stun_write(&third.w, STUN_REQUESTED_TRANSPORT, span_of("\x11\0\0\0", 4));
    stun_write(&third.w, STUN_EVEN_PORT, span_of(&even, 1));
    ck_assert_int_eq(actor_send(&third), 0);
    ck_assert(!stun_msg_has(&third.msg, STUN_RESERVATION_TOKEN));
    ck_assert_uint_eq(turn_ports_taken(world.shared->ports), 2);
}
END_TEST

START_TEST(shares_the_bandwidth_of_a_realm)
{
    static char big[1001];
    struct actor bob;
    int sent = 0;

    options.rules.realm.limits.realm_bandwidth = 10000;
    again();
    memset(big, 'x', 1000);
    actor_init(&bob, &world, "192.0.2.8:40000", "bob", "builder");
    ck_assert_int_eq(actor_allocate(&alice), 0);
    ck_assert_int_eq(actor_allocate(&bob), 0);
    ck_assert_int_eq(actor_allocate(&anna), 0);
    ck_assert_int_eq(actor_permit(&alice, peer), 0);
    ck_assert_int_eq(actor_permit(&bob, peer), 0);
    ck_assert_int_eq(actor_permit(&anna, b_peer), 0);
    for (int i = 0; i < 20; i++) {
        actor_say(i % 2 ? &alice : &bob, peer, big);
        sent += (int)world.n_peer;
    }
    ck_assert_int_eq(sent, 10);
    ck_assert_uint_eq(world.stats.drop_realm_bandwidth, 10);
    ck_assert_uint_eq(world.realm_stats[0].dropped_bandwidth, 10);
    actor_say(&anna, b_peer, big); /* another realm has its own */
    ck_assert_uint_eq(world.n_peer, 1);
}
END_TEST

START_TEST(ends_the_allocations_of_a_realm_that_is_removed)
{
    struct turn_alloc_info info;
    uint32_t pos = 0;

    ck_assert_int_eq(actor_allocate(&alice), 0);
    ck_assert_int_eq(actor_allocate(&anna), 0);
    options.rules.n_more = 0;
    world_reload(&world, &options);
    ck_assert_uint_eq(turn_core_allocations(world.core), 1);
    ck_assert_uint_eq(world_open_relays(&world), 1);
    ck_assert_uint_eq(world.stats.realm_gone, 1);
    ck_assert_uint_eq(world.realm_stats[3].allocations, 0);
    ck_assert_int_eq(actor_challenge(&anna), STUN_FORBIDDEN);
    ck_assert_int_eq(actor_refresh(&alice, 600), 0);
    ck_assert(turn_core_each(world.core, &pos, world.now, &info));
    ck_assert_span_eq(info.realm, "example.org");
    /* back again */
    options.rules.n_more = 1;
    world_reload(&world, &options);
    anna.nonce_len = 0;
    ck_assert_int_eq(actor_allocate(&anna), 0);
}
END_TEST

START_TEST(takes_over_new_rules_of_a_realm_for_what_is_alive)
{
    struct turn_realm_options two[2];
    static char big[1001];
    int sent = 0;

    memset(big, 'x', 1000);
    ck_assert_int_eq(actor_allocate(&anna), 0);
    ck_assert_int_eq(actor_permit(&anna, b_peer), 0);
    ck_assert_int_eq(actor_bind(&anna, 0x4001, b_peer), 0);
    /* another realm comes before it, a bandwidth, a new secret */
    two[0] = other;
    two[0].name = span_str("a");
    two[0].slot = 1;
    two[1] = other;
    two[1].limits.max_bandwidth = 10000;
    options.rules.more = two;
    options.rules.n_more = 2;
    world_reload(&world, &options);
    for (int i = 0; i < 100; i++) {
        actor_say_channel(&anna, 0x4001, big);
        sent += (int)world.n_peer;
    }
    ck_assert_int_eq(sent, 65);
    ck_assert_uint_eq(world.stats.drop_bandwidth, 35);
    ck_assert_uint_eq(world.stats.rules_ended, 0);
    /* now its peer is forbidden */
    two[1].policy.n_allow = 0;
    world_reload(&world, &options);
    ck_assert_uint_eq(world.stats.rules_ended, 2);
    world_pass(&world, 10000);
    actor_say_channel(&anna, 0x4001, "x");
    ck_assert_uint_eq(world.n_peer, 0);
    ck_assert_int_eq(actor_refresh(&anna, 600), 0);
}
END_TEST

START_TEST(finds_a_realm_by_server_name)
{
    static const char *const names[] = {"turn.b.example", "b2.example"};

    other.server_names = names;
    other.n_server_names = 2;
    world_reload(&world, &options);
    ck_assert_uint_eq(
        turn_rules_realm_of_server(world.rules, span_str("TURN.b.example")),
        turn_realm_id(span_str("b")));
    ck_assert_uint_eq(
        turn_rules_realm_of_server(world.rules, span_str("b.example")),
        TURN_REALM_DEFAULT);
    ck_assert_uint_eq(turn_rules_realm_of_server(world.rules, span_str("")),
                      TURN_REALM_DEFAULT);
}
END_TEST

START_TEST(refuses_two_realms_of_one_name_and_too_many)
{
    static struct turn_realm_options many[TURN_REALMS_MAX];
    struct turn_rules_options rules = options.rules;
    struct turn_rules *made;
    char error[TURN_RULES_ERROR_SIZE];

    other.name = span_str("example.org");
    ck_assert_int_lt(turn_rules_new(&made, &rules, error), 0);
    ck_assert_ptr_nonnull(strstr(error, "realm example.org: "));
    other.name = span_str("b");
    other.users.users = span_str("x");
    ck_assert_int_lt(turn_rules_new(&made, &rules, error), 0);
    ck_assert_ptr_nonnull(strstr(error, "realm b: line 1"));
    rules.more = many;
    rules.n_more = TURN_REALMS_MAX;
    ck_assert_int_lt(turn_rules_new(&made, &rules, error), 0);
    ck_assert_ptr_nonnull(strstr(error, "64"));
}
END_TEST

START_TEST(handles_every_failed_allocation)
{
    static const char *const names[] = {"b.example"};
    struct turn_user_quota exception = {span_str("vip"), 2};
    struct turn_rules *made = NULL;
    char error[TURN_RULES_ERROR_SIZE];
    int err = 0;

    other.server_names = names;
    other.n_server_names = 1;
    other.quotas = &exception;
    other.n_quotas = 1;
    CK_OOM_SWEEP(err, err = turn_rules_new(&made, &options.rules, error));
    turn_rules_unref(made);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("realms");
    TCase *tc = tcase_create("realms");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, tells_each_client_the_realm_of_its_listener);
    tcase_add_test(tc, takes_users_of_a_realm_in_that_realm_only);
    tcase_add_test(tc, lets_each_realm_reach_its_own_peers);
    tcase_add_test(tc, counts_quotas_of_each_realm_apart);
    tcase_add_test(tc, counts_a_reserved_port_as_an_allocation);
    tcase_add_test(tc, shares_the_bandwidth_of_a_realm);
    tcase_add_test(tc, ends_the_allocations_of_a_realm_that_is_removed);
    tcase_add_test(tc, takes_over_new_rules_of_a_realm_for_what_is_alive);
    tcase_add_test(tc, finds_a_realm_by_server_name);
    tcase_add_test(tc, refuses_two_realms_of_one_name_and_too_many);
    tcase_add_test(tc, handles_every_failed_allocation);
    suite_add_tcase(s, tc);
    return s;
}
