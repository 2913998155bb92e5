/* SPDX-License-Identifier: MIT */
/* What is remembered about requests: where they went, and why. */
#include "scenario/sip/support_world.h"

static struct sip_trail_entry found[8];

static void setup(void)
{
    world_begin(1);
    world_connect(0, 0, 0);
}

static void teardown(void)
{
    world_end();
}

static size_t search(const char *call_id)
{
    return sip_trail_search(sip_core_trail(world.core[0]), span_str(call_id),
                            found, ARRAY_SIZE(found));
}

static void ask(const char *method, const char *call_id, const char *extra)
{
    world_from_client(0,
                      "%s sip:b@e.org SIP/2.0\r\n"
                      "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKt%s%s\r\n"
                      "From: <sip:alice@e.org>;tag=al\r\nTo: <sip:b@e.org>\r\n"
                      "Contact: <sip:alice@a.invalid>\r\n"
                      "Call-ID: %s\r\nCSeq: 7 %s\r\n%s\r\n",
                      method, call_id, method[0] == 'C' ? "INVITE" : method,
                      call_id, method, extra);
}

START_TEST(a_call_leaves_its_trail)
{
    const struct sent *s;

    ask("INVITE", "call", "");
    s = world_expect("INVITE", -1, WORLD_SERVER_A);
    ck_assert_uint_eq(search("call"), 1);
    ck_assert_uint_eq(found[0].ended, 0);
    world_advance(40);
    world_forget();
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 180, "as", ""));
    ck_assert_uint_eq(search("call"), 1);
    ck_assert_uint_eq(found[0].status, 180);
    world_advance(60);
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 486, "as", ""));
    ck_assert_uint_eq(search("call"), 1);
    ck_assert_int_eq(found[0].rule, SIP_TRAIL_SERVER);
    ck_assert_int_eq(found[0].token, SIP_TRAIL_NO_TOKEN);
    ck_assert_uint_eq(found[0].cseq, 7);
    ck_assert_uint_eq(found[0].tries, 1);
    ck_assert_uint_eq(found[0].status, 486);
    ck_assert_uint_eq(found[0].ended - found[0].begun, 100);
    ck_assert_int_eq(found[0].to.transport, SIP_UDP);
    ck_assert_uint_eq(found[0].to.remote.ip[3], 10);
    ck_assert(span_is(span_of(found[0].method, found[0].method_len), "INVITE"));
}
END_TEST

START_TEST(a_server_that_is_silent_is_seen_in_the_tries)
{
    ask("OPTIONS", "silent", "");
    world_advance(3000);
    world_forget();
    ck_assert_uint_eq(search("silent"), 1);
    ck_assert_uint_eq(found[0].tries, 2);
    ck_assert_uint_eq(found[0].to.remote.ip[3], 11);
}
END_TEST

START_TEST(a_refusal_says_its_rule)
{
    ask("INVITE", "relay", "Route: <sip:10.0.0.5;lr>\r\n");
    ask("BYE", "lost", "");
    ck_assert_uint_eq(search("relay"), 1);
    ck_assert_int_eq(found[0].rule, SIP_TRAIL_REFUSED);
    ck_assert_str_eq(found[0].refusal, "preloaded_route");
    ck_assert_uint_eq(found[0].status, 403);
    ck_assert_uint_eq(search("lost"), 1);
    ck_assert_str_eq(found[0].refusal, "no_dialog");
    world_from_server(WORLD_SERVER_A, 0,
                      "INVITE sip:x@a.invalid SIP/2.0\r\n"
                      "Via: SIP/2.0/UDP 10.0.0.10;branch=z9hG4bKin\r\n"
                      "From: <sip:b@e.org>;tag=b\r\nTo: <sip:x@e.org>\r\n"
                      "Call-ID: inward\r\nCSeq: 1 INVITE\r\n\r\n");
    ck_assert_uint_eq(search("inward"), 1);
    ck_assert_str_eq(found[0].refusal, "no_flow");
}
END_TEST

START_TEST(a_cancel_stands_behind_its_invite)
{
    ask("INVITE", "both", "");
    ask("CANCEL", "both", "");
    ck_assert_uint_eq(search("both"), 2);
    ck_assert_int_eq(found[0].rule, SIP_TRAIL_SERVER);
    ck_assert_int_eq(found[1].rule, SIP_TRAIL_CANCEL);
    ck_assert_uint_eq(found[1].status, 200);
}
END_TEST

START_TEST(the_ring_comes_around)
{
    char id[2] = "a";

    for (; id[0] <= 'j'; id[0]++)
        ask("BYE", id, "");
    ck_assert_uint_eq(search("b"), 0);
    ck_assert_uint_eq(search("c"), 1);
    ck_assert_uint_eq(search("j"), 1);
    /* what was still under way has lost its entry, and no other gets its
     * answer */
    ask("OPTIONS", "late", "");
    world_forget();
    for (id[0] = 'A'; id[0] <= 'H'; id[0]++)
        ask("BYE", id, "");
    world_advance(40000);
    world_forget();
    for (id[0] = 'A'; id[0] <= 'H'; id[0]++) {
        ck_assert_uint_eq(search(id), 1);
        ck_assert_uint_eq(found[0].status, 481);
        ck_assert_uint_eq(found[0].tries, 0);
    }
}
END_TEST

START_TEST(the_newest_of_many_are_given)
{
    struct sip_trail_entry two[2];

    for (int i = 0; i < 5; i++)
        ask("BYE", "same", "");
    ck_assert_uint_eq(sip_trail_search(sip_core_trail(world.core[0]),
                                       span_str("same"), two, 2),
                      2);
    ck_assert_uint_eq(two[0].number, 4);
    ck_assert_uint_eq(two[1].number, 5);
}
END_TEST

START_TEST(nothing_is_kept_when_nothing_is_to_be)
{
    struct sip_trail *none;

    ck_assert_int_eq(sip_trail_new(&none, 0), 0);
    ck_assert_uint_eq(sip_trail_search(none, span_str("x"), found, 8), 0);
    sip_trail_answered(none, 1, 200, 1);
    sip_trail_free(none);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sip_trail");
    TCase *tc = tcase_create("trail");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_call_leaves_its_trail);
    tcase_add_test(tc, a_server_that_is_silent_is_seen_in_the_tries);
    tcase_add_test(tc, a_refusal_says_its_rule);
    tcase_add_test(tc, a_cancel_stands_behind_its_invite);
    tcase_add_test(tc, the_ring_comes_around);
    tcase_add_test(tc, the_newest_of_many_are_given);
    tcase_add_test(tc, nothing_is_kept_when_nothing_is_to_be);
    suite_add_tcase(suite, tc);
    return suite;
}
