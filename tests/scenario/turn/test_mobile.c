/* SPDX-License-Identifier: MIT */
/* Clients that change their address (RFC 8016). */
#include "support_turn.h"

static struct world world;
static struct world_options options;
static struct actor home; /* alice where she began */
static struct actor away; /* alice where she went */
static struct addr relayed;
static uint8_t ticket[64];
static size_t ticket_len;

static const char peer[] = "198.51.100.9:7000";

static void setup(void)
{
    options = world_defaults();
    options.rules.limits.mobility = true;
}

static void teardown(void)
{
    world_stop(&world);
}

static void take_ticket(struct actor *actor)
{
    struct span t = stun_msg_attr(&actor->msg, STUN_MOBILITY_TICKET);

    ck_assert_uint_gt(t.len, 0);
    ck_assert_uint_le(t.len, sizeof(ticket));
    memcpy(ticket, t.ptr, t.len);
    ticket_len = t.len;
}

static int allocate_with(struct actor *actor, struct span value)
{
    if (actor->nonce_len == 0)
        ck_assert_int_eq(actor_challenge(actor), STUN_UNAUTHENTICATED);
    actor_start(actor, STUN_ALLOCATE);
    stun_write(&actor->w, STUN_REQUESTED_TRANSPORT, span_of("\x11\0\0\0", 4));
    stun_write(&actor->w, STUN_MOBILITY_TICKET, value);
    return actor_send(actor);
}

static void begin(void)
{
    world_start(&world, &options);
    actor_init(&home, &world, "192.0.2.1:4000", "alice", "wonder");
    ck_assert_int_eq(allocate_with(&home, span_of("", 0)), 0);
    relayed = actor_relayed(&home);
    take_ticket(&home);
    ck_assert_int_eq(actor_permit(&home, peer), 0);
    ck_assert_int_eq(actor_bind(&home, 0x4000, peer), 0);
    actor_init(&away, &world, "192.0.2.77:5000", "alice", "wonder");
}

static int refresh_from(struct actor *actor, uint32_t lifetime)
{
    if (actor->nonce_len == 0)
        ck_assert_int_eq(actor_challenge(actor), STUN_UNAUTHENTICATED);
    actor_start(actor, STUN_REFRESH);
    stun_write_u32(&actor->w, STUN_LIFETIME, lifetime);
    stun_write(&actor->w, STUN_MOBILITY_TICKET, span_of(ticket, ticket_len));
    return actor_send(actor);
}

static const struct turn_client *heard_by(void)
{
    world_peer_says(&world, &relayed, peer, "hello");
    ck_assert_uint_eq(world.n_client, 1);
    return &world.to_client[0].client;
}

static void ck_at(const struct actor *actor)
{
    ck_assert_mem_eq(heard_by(), &actor->id, sizeof(actor->id));
}

START_TEST(gives_a_ticket_to_who_asks)
{
    begin();
    ck_assert_uint_le(ticket_len, 32); /* what coturn's client takes */
    ck_assert_int_eq(actor_refresh(&home, 600), 0); /* and a new one later */
    ck_assert_mem_ne(stun_msg_attr(&home.msg, STUN_MOBILITY_TICKET).ptr, ticket,
                     ticket_len);
    actor_init(&away, &world, "192.0.2.2:4000", "bob", "builder");
    ck_assert_int_eq(actor_allocate(&away), 0); /* none unless asked */
    ck_assert_ptr_null(stun_msg_attr(&away.msg, STUN_MOBILITY_TICKET).ptr);
}
END_TEST

START_TEST(answers_405_when_it_is_off)
{
    options.rules.limits.mobility = false;
    world_start(&world, &options);
    actor_init(&home, &world, "192.0.2.1:4000", "alice", "wonder");
    ck_assert_int_eq(allocate_with(&home, span_of("", 0)),
                     STUN_MOBILITY_FORBIDDEN);
    ck_assert_int_eq(actor_allocate(&home), 0);
    ck_assert_uint_eq(world.stats.refused_405, 1);
}
END_TEST

START_TEST(answers_405_to_a_ticket_after_it_was_switched_off)
{
    begin();
    options.rules.limits.mobility = false;
    world_reload(&world, &options);
    ck_assert_int_eq(refresh_from(&away, 600), STUN_MOBILITY_FORBIDDEN);
    ck_at(&home);
}
END_TEST

START_TEST(answers_400_to_what_is_no_ticket)
{
    begin();
    actor_init(&away, &world, "192.0.2.77:5000", "alice", "wonder");
    ck_assert_int_eq(allocate_with(&away, span_of("x", 1)), STUN_BAD_REQUEST);
    ticket[20] ^= 3;
    ck_assert_int_eq(refresh_from(&away, 600), STUN_BAD_REQUEST);
    ticket_len = 5;
    ck_assert_int_eq(refresh_from(&away, 600), STUN_BAD_REQUEST);
    ticket_len = 0;
    ck_assert_int_eq(refresh_from(&away, 600), STUN_BAD_REQUEST);
    ck_at(&home);
}
END_TEST

START_TEST(keeps_the_old_address_until_the_new_one_is_used)
{
    begin();
    ck_assert_int_eq(refresh_from(&away, 600), 0);
    ck_assert_uint_gt(stun_msg_attr(&away.msg, STUN_MOBILITY_TICKET).len, 0);
    ck_at(&home);
    actor_say_channel(&home, 0x4000, "still here");
    ck_assert_uint_eq(world.n_peer, 1);

    actor_say_channel(&away, 0x4000, "and now here");
    ck_assert_uint_eq(world.n_peer, 1); /* permission and channel came along */
    ck_at(&away);
    actor_say_channel(&home, 0x4000, "no more");
    ck_assert_uint_eq(world.n_peer, 0);
    ck_assert_int_eq(actor_refresh(&home, 600), STUN_ALLOCATION_MISMATCH);
    ck_assert_uint_eq(world.stats.mobile_moved, 1);
    ck_assert_uint_eq(turn_core_allocations(world.core), 1);
}
END_TEST

START_TEST(takes_a_repeated_refresh_for_what_it_is)
{
    begin();
    ck_assert_int_eq(refresh_from(&away, 600), 0);
    away.keep_tid = true;
    ck_assert_int_eq(refresh_from(&away, 600), 0); /* the answer was lost */
    ck_at(&home);
    ck_assert_int_eq(actor_refresh(&away, 600), 0); /* without: it is in use */
    ck_at(&away);
}
END_TEST

START_TEST(moves_with_a_send_indication_or_a_request)
{
    begin();
    ck_assert_int_eq(refresh_from(&away, 600), 0);
    actor_say(&away, peer, "x");
    ck_assert_uint_eq(world.n_peer, 1);
    ck_at(&away);
    take_ticket(&away);
    ck_assert_int_eq(refresh_from(&home, 600), 0); /* and back */
    ck_assert_int_eq(actor_permit(&home, peer), 0);
    ck_at(&home);
    ck_assert_uint_eq(world.stats.mobile_moved, 2);
}
END_TEST

START_TEST(forgets_a_move_that_another_follows)
{
    struct actor third;

    begin();
    ck_assert_int_eq(refresh_from(&away, 600), 0);
    actor_init(&third, &world, "[2001:db8:9::1]:5000", "alice", "wonder");
    ck_assert_int_eq(refresh_from(&third, 600), 0);
    actor_say(&away, peer, "x");
    ck_assert_uint_eq(world.n_peer, 0);
    actor_say(&third, peer, "x");
    ck_assert_uint_eq(world.n_peer, 1);
    ck_at(&third);
}
END_TEST

START_TEST(moves_for_its_user_only)
{
    begin();
    actor_init(&away, &world, "192.0.2.77:5000", "bob", "builder");
    ck_assert_int_eq(refresh_from(&away, 600), STUN_WRONG_CREDENTIALS);
    actor_init(&away, &world, "192.0.2.77:5000", "alice", "guess");
    ck_assert_int_eq(refresh_from(&away, 600), STUN_UNAUTHENTICATED);
    ck_at(&home);
}
END_TEST

START_TEST(is_released_from_wherever_the_client_is)
{
    begin();
    ck_assert_int_eq(refresh_from(&away, 0), 0);
    ck_assert_uint_eq(turn_core_allocations(world.core), 0);
    ck_assert_int_eq(refresh_from(&away, 600), STUN_ALLOCATION_MISMATCH);
}
END_TEST

START_TEST(has_no_ticket_for_an_allocation_that_is_over)
{
    begin();
    world_pass(&world, 600000);
    ck_assert_int_eq(refresh_from(&away, 600), STUN_ALLOCATION_MISMATCH);
}
END_TEST

START_TEST(is_not_for_tcp_relays)
{
    options.max_tcp = 5;
    options.rules.realm.has_tcp = true;
    world_start(&world, &options);
    actor_init(&home, &world, "192.0.2.1:4000", "alice", "wonder");
    home.id.transport = TURN_TCP;
    ck_assert_int_eq(actor_challenge(&home), STUN_UNAUTHENTICATED);
    actor_start(&home, STUN_ALLOCATE);
    stun_write(&home.w, STUN_REQUESTED_TRANSPORT, span_of("\x06\0\0\0", 4));
    stun_write(&home.w, STUN_MOBILITY_TICKET, span_of("", 0));
    ck_assert_int_eq(actor_send(&home), STUN_MOBILITY_FORBIDDEN);
}
END_TEST

START_TEST(waits_a_minute_for_who_lost_the_connection)
{
    begin();
    turn_core_on_client_gone(world.core, &home.id, world.now);
    ck_assert_uint_eq(turn_core_allocations(world.core), 1);
    away.id.transport = TURN_TLS;
    away.id.link = 5;
    ck_assert_int_eq(refresh_from(&away, 600), 0);
    ck_assert_int_eq(actor_permit(&away, peer), 0);
    ck_at(&away);
    ck_assert_uint_eq(world.stats.allocations_tls, 1);
    ck_assert_uint_eq(world.stats.allocations_udp, 0);
    turn_core_on_client_gone(world.core, &away.id, world.now);
    world_pass(&world, 59999);
    ck_assert_uint_eq(turn_core_allocations(world.core), 1);
    world_pass(&world, 1);
    ck_assert_uint_eq(turn_core_allocations(world.core), 0);
}
END_TEST

START_TEST(goes_on_with_the_other_connection_when_one_ends)
{
    begin();
    ck_assert_int_eq(refresh_from(&away, 600), 0);
    turn_core_on_client_gone(world.core, &away.id, world.now); /* the new one */
    ck_at(&home);
    take_ticket(&away);
    ck_assert_int_eq(refresh_from(&away, 600), 0);
    turn_core_on_client_gone(world.core, &home.id, world.now); /* the old one */
    ck_at(&away);
}
END_TEST

/* --- between workers --- */

/* Give what `from` has said about clients to the core of `to`. */
static void deliver(struct world *from, struct world *to, unsigned from_worker)
{
    for (size_t i = 0; i < from->n_letters; i++) {
        const struct world_letter *letter = &from->letters[i];
        struct turn_packet packet = {.bytes =
                                         span_of(letter->bytes, letter->len)};

        if (letter->kind == LETTER_FORWARD)
            turn_core_on_client(to->core, &letter->client, &packet, to->now);
        else if (letter->kind == LETTER_GONE)
            turn_core_on_client_gone(to->core, &letter->client, to->now);
        else if (letter->kind == LETTER_ROUTE)
            ck_assert_int_eq(
                turn_core_route(to->core, &letter->client, from_worker), 0);
        else
            turn_core_unroute(to->core, &letter->client);
    }
    from->n_letters = 0;
}

START_TEST(is_found_from_another_worker)
{
    struct world other;

    begin();
    world_start_beside(&other, &world, &options);
    away.world = &other;
    /* asked for the nonce there, answered here */
    ck_assert_int_eq(refresh_from(&away, 600), -1);
    ck_assert_uint_eq(other.n_letters, 1);
    ck_assert_uint_eq(other.letters[0].worker, WORLD_WORKER);
    ck_assert_uint_eq(other.letters[0].client.home, WORLD_WORKER + 2);
    world_forget(&world);
    deliver(&other, &world, WORLD_WORKER + 1);
    ck_assert_uint_eq(world.n_client, 1); /* the answer */
    ck_assert_uint_eq(world.to_client[0].client.home, WORLD_WORKER + 2);

    /* the route: packets follow */
    ck_assert_uint_eq(world.n_letters, 1);
    ck_assert_int_eq(world.letters[0].kind, LETTER_ROUTE);
    ck_assert_uint_eq(world.letters[0].worker, WORLD_WORKER + 1);
    deliver(&world, &other, WORLD_WORKER);
    ck_assert(turn_core_has_client(other.core, &away.id, other.now));
    actor_say_channel(&away, 0x4000, "from afar");
    ck_assert_uint_eq(other.n_letters, 1);
    world_forget(&world);
    deliver(&other, &world, WORLD_WORKER + 1);
    ck_assert_uint_eq(world.n_peer, 1);
    ck_assert_uint_eq(heard_by()->home, WORLD_WORKER + 2);

    /* gone there is gone here; the route ends */
    turn_core_on_client_gone(other.core, &away.id, other.now);
    ck_assert_int_eq(other.letters[0].kind, LETTER_GONE);
    ck_assert(!turn_core_has_client(other.core, &away.id, other.now));
    deliver(&other, &world, WORLD_WORKER + 1);
    world_pass(&world, 60000);
    ck_assert_uint_eq(turn_core_allocations(world.core), 0);
    ck_assert_int_eq(world.letters[0].kind, LETTER_UNROUTE);
    deliver(&world, &other, WORLD_WORKER);
    world_stop_beside(&other);
}
END_TEST

START_TEST(tells_connections_where_they_belong)
{
    struct world other;
    int size;

    begin();
    world_start_beside(&other, &world, &options);
    actor_start(&away, STUN_REFRESH);
    stun_write(&away.w, STUN_MOBILITY_TICKET, span_of(ticket, ticket_len));
    size = stun_write_finish(&away.w);
    ck_assert_int_eq(
        turn_core_owner(other.core, span_of(away.request, (size_t)size)),
        WORLD_WORKER);
    away.request[30] ^= 3;
    ck_assert_int_eq(
        turn_core_owner(other.core, span_of(away.request, (size_t)size)), -1);
    world_stop_beside(&other);
}
END_TEST

START_TEST(lets_a_route_end_with_the_allocation)
{
    struct world other;

    begin();
    world_start_beside(&other, &world, &options);
    away.world = &other;
    ck_assert_int_eq(refresh_from(&away, 600), -1);
    deliver(&other, &world, WORLD_WORKER + 1);
    deliver(&world, &other, WORLD_WORKER);
    ck_assert_int_eq(actor_refresh(&home, 0), 0);
    ck_assert_uint_eq(world.n_letters, 1);
    deliver(&world, &other, WORLD_WORKER);
    ck_assert(!turn_core_has_client(other.core, &away.id, other.now));
    world_stop_beside(&other);
}
END_TEST

START_TEST(survives_every_failed_allocation_of_memory)
{
    for (long n = 0; n < 6; n++) {
        struct world other;

        if (n > 0)
            world_stop(&world);
        begin();
        world_start_beside(&other, &world, &options);
        ck_assert_int_eq(actor_challenge(&away), STUN_UNAUTHENTICATED);
        mem_fail_at(n);
        (void)refresh_from(&away, 600);
        mem_fail_at(-1);
        ck_assert(away.code == 0 || away.code == STUN_INSUFFICIENT_CAPACITY);
        ck_at(&home);
        mem_fail_at(n);
        (void)turn_core_route(other.core, &away.id, WORLD_WORKER);
        mem_fail_at(-1);
        turn_core_unroute(other.core, &away.id);
        ck_assert(!turn_core_has_client(other.core, &away.id, other.now));
        world_stop_beside(&other);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("turn_mobile");
    TCase *tcase = tcase_create("turn_mobile");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, gives_a_ticket_to_who_asks);
    tcase_add_test(tcase, answers_405_when_it_is_off);
    tcase_add_test(tcase, answers_405_to_a_ticket_after_it_was_switched_off);
    tcase_add_test(tcase, answers_400_to_what_is_no_ticket);
    tcase_add_test(tcase, keeps_the_old_address_until_the_new_one_is_used);
    tcase_add_test(tcase, takes_a_repeated_refresh_for_what_it_is);
    tcase_add_test(tcase, moves_with_a_send_indication_or_a_request);
    tcase_add_test(tcase, forgets_a_move_that_another_follows);
    tcase_add_test(tcase, moves_for_its_user_only);
    tcase_add_test(tcase, is_released_from_wherever_the_client_is);
    tcase_add_test(tcase, has_no_ticket_for_an_allocation_that_is_over);
    tcase_add_test(tcase, is_not_for_tcp_relays);
    tcase_add_test(tcase, waits_a_minute_for_who_lost_the_connection);
    tcase_add_test(tcase, goes_on_with_the_other_connection_when_one_ends);
    tcase_add_test(tcase, is_found_from_another_worker);
    tcase_add_test(tcase, tells_connections_where_they_belong);
    tcase_add_test(tcase, lets_a_route_end_with_the_allocation);
    tcase_add_test(tcase, survives_every_failed_allocation_of_memory);
    suite_add_tcase(suite, tcase);
    return suite;
}
