/* SPDX-License-Identifier: MIT */
/* NAT behaviour discovery (RFC 5780), and listeners that do not relay. */
#include "support_turn.h"

#include "base/err.h"

static const char *const places[] = {"192.0.2.1:3478", "192.0.2.1:3479",
                                     "192.0.2.2:3478", "192.0.2.2:3479"};
static struct world world;
static struct actor alice;

static void listen_at(size_t n)
{
    struct turn_listener list[4];

    for (size_t i = 0; i < n; i++)
        list[i] = (struct turn_listener){10 + i, world_addr(places[i])};
    ck_assert_int_eq(turn_core_set_listeners(world.core, list, n), 0);
}

static void setup(void)
{
    struct world_options options = world_defaults();

    world_start(&world, &options);
    actor_init(&alice, &world, "203.0.113.200:40000", "alice", "wonder");
    alice.id.link = 10;
    alice.id.local = world_addr(places[0]);
}

static void teardown(void)
{
    world_stop(&world);
}

static struct stun_msg msg;
static struct world_sent *sent;

/* Ask; the one answer is in `sent` and `msg`. Returns its code. */
static int ask(void)
{
    int size = stun_write_finish(&alice.w);
    struct span reason;
    int code = 0;

    world_forget(&world);
    actor_raw(&alice, alice.request, (size_t)size);
    ck_assert_uint_eq(world.n_client, 1);
    sent = &world.to_client[0];
    ck_assert_int_eq(stun_msg_read(&msg, span_of(sent->bytes, sent->len)), 0);
    if (msg.class == STUN_ERROR)
        (void)stun_attr_error(stun_msg_attr(&msg, STUN_ERROR_CODE), &code,
                              &reason);
    return code;
}

static int ask_change(uint32_t change)
{
    actor_start(&alice, STUN_BINDING);
    stun_write_u32(&alice.w, STUN_CHANGE_REQUEST, change);
    return ask();
}

static void assert_addr(enum stun_attr attr, const char *text)
{
    struct addr want = world_addr(text);
    struct addr got;

    ck_assert_int_eq(stun_attr_addr(stun_msg_attr(&msg, attr), &got), 0);
    ck_assert_msg(addr_equal(&got, &want), "%s", text);
}

START_TEST(says_where_it_answers_from_and_what_else_there_is)
{
    listen_at(4);
    actor_start(&alice, STUN_BINDING);
    ck_assert_int_eq(ask(), 0);
    assert_addr(STUN_RESPONSE_ORIGIN, places[0]);
    assert_addr(STUN_OTHER_ADDRESS, places[3]);
    assert_addr(STUN_MAPPED_ADDRESS, "203.0.113.200:40000");
    ck_assert_uint_eq(sent->client.link, 10);
}
END_TEST

START_TEST(answers_from_another_port_or_address_when_asked)
{
    static const struct {
        uint32_t change;
        size_t from;
    } cases[] = {{0, 0}, {2, 1}, {4, 2}, {6, 3}};

    listen_at(4);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct addr from = world_addr(places[cases[i].from]);

        ck_assert_int_eq(ask_change(cases[i].change), 0);
        ck_assert_uint_eq(sent->client.link, 10 + cases[i].from);
        ck_assert(addr_equal(&sent->client.local, &from));
        assert_addr(STUN_RESPONSE_ORIGIN, places[cases[i].from]);
    }
}
END_TEST

START_TEST(does_with_one_address_what_two_ports_can_do)
{
    listen_at(2);
    ck_assert_int_eq(ask_change(2), 0);
    ck_assert_uint_eq(sent->client.link, 11);
    assert_addr(STUN_OTHER_ADDRESS, places[1]);
    ck_assert_int_eq(ask_change(4), STUN_UNKNOWN_ATTRIBUTE);
    ck_assert_int_eq(ask_change(6), STUN_UNKNOWN_ATTRIBUTE);
    ck_assert_uint_eq(sent->client.link, 10);
}
END_TEST

START_TEST(refuses_all_of_it_when_it_is_off)
{
    ck_assert_int_eq(ask_change(0), STUN_UNKNOWN_ATTRIBUTE);
    ck_assert(span_equal(stun_msg_attr(&msg, STUN_UNKNOWN_ATTRIBUTES),
                         span_of("\0\3", 2)));
    actor_start(&alice, STUN_BINDING);
    ck_assert_int_eq(ask(), 0);
    ck_assert(!stun_msg_has(&msg, STUN_OTHER_ADDRESS));
    ck_assert(!stun_msg_has(&msg, STUN_MAPPED_ADDRESS));
    listen_at(4);
    alice.id.transport = TURN_TCP; /* there it makes no sense */
    ck_assert_int_eq(ask_change(2), STUN_UNKNOWN_ATTRIBUTE);
}
END_TEST

START_TEST(answers_to_another_port_of_the_client)
{
    listen_at(4);
    actor_start(&alice, STUN_BINDING);
    stun_write_u32(&alice.w, STUN_RESPONSE_PORT, 50000U << 16);
    ck_assert_int_eq(ask(), 0);
    ck_assert_uint_eq(sent->client.remote.port, 50000);
    actor_start(&alice, STUN_BINDING);
    stun_write_u32(&alice.w, STUN_RESPONSE_PORT, 0);
    ck_assert_int_eq(ask(), STUN_BAD_REQUEST);
    ck_assert_uint_eq(sent->client.remote.port, 40000);
}
END_TEST

START_TEST(pads_an_answer_as_much_as_the_question)
{
    static const uint8_t zeros[1200];

    listen_at(4);
    actor_start(&alice, STUN_BINDING);
    stun_write(&alice.w, STUN_PADDING, span_of(zeros, sizeof(zeros)));
    ck_assert_int_eq(ask(), 0);
    ck_assert_uint_eq(stun_msg_attr(&msg, STUN_PADDING).len, sizeof(zeros));
    actor_start(&alice, STUN_BINDING);
    stun_write(&alice.w, STUN_PADDING, span_of(zeros, 8));
    stun_write_u32(&alice.w, STUN_RESPONSE_PORT, 50000U << 16);
    ck_assert_int_eq(ask(), STUN_BAD_REQUEST);
}
END_TEST

START_TEST(bounds_its_listeners)
{
    struct turn_listener list[TURN_LISTENERS_MAX + 1] = {0};

    ck_assert_int_eq(
        turn_core_set_listeners(world.core, list, TURN_LISTENERS_MAX + 1),
        ERR_LIMIT);
    ck_assert_int_eq(turn_core_set_listeners(world.core, NULL, 0), 0);
}
END_TEST

START_TEST(only_binds_for_clients_that_may_not_relay)
{
    alice.id.access = TURN_ACCESS_BINDING;
    ck_assert_int_eq(actor_challenge(&alice), STUN_FORBIDDEN);
    ck_assert(!stun_msg_has(&alice.msg, STUN_NONCE));
    ck_assert_uint_le(alice.msg.raw.len, 40);
    actor_start(&alice, STUN_REFRESH);
    ck_assert_int_eq(actor_send_plain(&alice), STUN_FORBIDDEN);
    actor_start(&alice, STUN_BINDING);
    ck_assert_int_eq(actor_send_plain(&alice), 0);
    actor_say(&alice, "198.51.100.9:1", "x");
    ck_assert_uint_eq(world.n_peer, 0);
    ck_assert_uint_eq(world.stats.refused_403, 2);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("turn discovery");
    TCase *tc = tcase_create("story");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, says_where_it_answers_from_and_what_else_there_is);
    tcase_add_test(tc, answers_from_another_port_or_address_when_asked);
    tcase_add_test(tc, does_with_one_address_what_two_ports_can_do);
    tcase_add_test(tc, refuses_all_of_it_when_it_is_off);
    tcase_add_test(tc, answers_to_another_port_of_the_client);
    tcase_add_test(tc, pads_an_answer_as_much_as_the_question);
    tcase_add_test(tc, bounds_its_listeners);
    tcase_add_test(tc, only_binds_for_clients_that_may_not_relay);
    suite_add_tcase(s, tc);
    return s;
}
