/* SPDX-License-Identifier: MIT */
/* What arrives in the wrong order, twice, too late, or from two sides at once:
 * the answers' order, CANCEL against everything, forks, Timer C, repeated and
 * oversize messages. The names follow the cases other stacks test.
 */
#include "proxy/sip_flow.h"
#include "scenario/sip/support_world.h"

#include <stdio.h>

static char saved[16][WORLD_MESSAGE];
static unsigned n_saved;

static void setup(void)
{
    n_saved = 0;
    world_begin(1);
    world_connect(0, 0, 0);
    world_connect(1, 0, 0);
}

/* After every story and enough time nothing is held any more. */
static void teardown(void)
{
    for (int i = 0; i < 80; i++) {
        world_advance(5000);
        world_forget();
    }
    ck_assert_uint_eq(sip_core_pending(world.core[0]), 0);
    ck_assert_uint_eq(world.stats[0].transactions_invite_client, 0);
    ck_assert_uint_eq(world.stats[0].transactions_invite_server, 0);
    ck_assert_uint_eq(world.stats[0].transactions_client, 0);
    ck_assert_uint_eq(world.stats[0].transactions_server, 0);
    ck_assert_uint_eq(world.stats[0].transaction_bytes, 0);
    world_end();
}

/* --- what the parties say --- */

static void client_says(const char *method)
{
    world_from_client(0,
                      "%s sip:bob@example.org SIP/2.0\r\n"
                      "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKinv\r\n"
                      "Max-Forwards: 69\r\n"
                      "From: <sip:alice@example.org>;tag=al\r\n"
                      "To: <sip:bob@example.org>%s\r\n"
                      "Call-ID: call-1\r\nCSeq: 1 %s\r\n"
                      "Contact: <sip:x1@a.invalid;transport=ws;ob>\r\n\r\n",
                      method, strcmp(method, "ACK") == 0 ? ";tag=bo" : "",
                      method);
}

/* A response to what was sent, written now and said later, perhaps often. */
static const char *response(const struct sent *request, unsigned status,
                            const char *tag)
{
    char *text = saved[n_saved++ % ARRAY_SIZE(saved)];

    (void)snprintf(text, WORLD_MESSAGE, "%s",
                   world_answer(request, status, tag, ""));
    return text;
}

static void a_says(const char *message)
{
    world_from_server(WORLD_SERVER_A, 0, "%s", message);
}

static void b_says(const char *message)
{
    world_from_server(WORLD_SERVER_B, 0, "%s", message);
}

static const struct sent *invite(void)
{
    client_says("INVITE");
    return world_expect("INVITE", -1, WORLD_SERVER_A);
}

static void expect_nothing(void)
{
    const struct sent *s = world_sent();

    ck_assert_msg(s == NULL, "sent: %s", s ? s->text : "");
}

static void expect_to_client(const char *start)
{
    (void)world_expect(start, 0, 0);
}

static void expect_to_a(const char *start)
{
    (void)world_expect(start, -1, WORLD_SERVER_A);
}

static void expect_to_b(const char *start)
{
    (void)world_expect(start, -1, WORLD_SERVER_B);
}

/* Server A says nothing, so that B is asked; the message to B. */
static struct sent fail_over(void)
{
    const struct sent *s;

    world_advance(3100);
    while ((s = world_sent()) != NULL) {
        struct addr b = addr_v4(WORLD_SERVER_B, 5060);

        if (s->conn < 0 && addr_equal(&s->to.remote, &b)) {
            struct sent copy = *s;

            world_forget();
            return copy;
        }
    }
    ck_abort_msg("B was not asked");
    return (struct sent){.conn = 0};
}

/* --- the order of answers --- */

START_TEST(a_1xx_after_the_2xx_is_dropped)
{
    const struct sent *s = invite();
    const char *ringing = response(s, 180, "bo");

    a_says(response(s, 200, "bo"));
    expect_to_client("SIP/2.0 200");
    a_says(ringing);
    expect_nothing();
}
END_TEST

START_TEST(a_2xx_after_a_4xx_is_dropped)
{
    const struct sent *s = invite();
    const char *taken = response(s, 200, "bo");

    a_says(response(s, 486, "bo"));
    expect_to_a("ACK");
    expect_to_client("SIP/2.0 486");
    a_says(taken);
    expect_nothing();
    client_says("ACK");
    expect_nothing();
}
END_TEST

START_TEST(a_4xx_after_the_2xx_is_dropped)
{
    const struct sent *s = invite();
    const char *busy = response(s, 486, "bo");

    a_says(response(s, 200, "bo"));
    expect_to_client("SIP/2.0 200");
    a_says(busy);
    expect_nothing();
}
END_TEST

START_TEST(a_100_goes_no_further_and_others_do)
{
    const struct sent *s = invite();
    const char *early = response(s, 183, "bo");
    const char *ringing = response(s, 180, "bo");

    a_says(response(s, 100, ""));
    expect_nothing();
    a_says(early);
    expect_to_client("SIP/2.0 183");
    a_says(ringing);
    expect_to_client("SIP/2.0 180");
    a_says(ringing);
    expect_to_client("SIP/2.0 180");
    client_says("CANCEL");
    expect_to_client("SIP/2.0 200");
}
END_TEST

START_TEST(a_2xx_is_repeated_to_the_client_each_time)
{
    const struct sent *s = invite();
    const char *taken = response(s, 200, "bo");

    for (int i = 0; i < 5; i++) {
        a_says(taken);
        expect_to_client("SIP/2.0 200");
        world_advance(4000);
    }
    world_advance(20000);
    a_says(taken); /* 32 s are over: RFC 6026 8.9 */
    expect_nothing();
    ck_assert_uint_eq(world.stats[0].stray_responses, 1);
}
END_TEST

START_TEST(a_response_without_the_clients_via_goes_nowhere)
{
    const struct sent *s = invite();
    char text[WORLD_MESSAGE];
    const char *branch = strstr(s->text, "z9hG4bK");

    (void)snprintf(text, sizeof(text),
                   "SIP/2.0 486 Busy\r\n"
                   "Via: SIP/2.0/UDP 10.1.0.2:5060;branch=%.*s\r\n"
                   "From: <sip:alice@example.org>;tag=al\r\n"
                   "To: <sip:bob@example.org>;tag=bo\r\n"
                   "Call-ID: call-1\r\nCSeq: 1 INVITE\r\n\r\n",
                   (int)strcspn(branch, "\r\n;"), branch);
    a_says(text);
    expect_to_a("ACK");
    expect_to_client("SIP/2.0 500");
}
END_TEST

/* --- forks: the first server silent, the second asked --- */

START_TEST(a_challenge_does_not_wait_for_a_dead_server)
{
    struct sent b;

    client_says("REGISTER");
    expect_to_a("REGISTER");
    b = fail_over();
    b_says(response(&b, 401, "b"));
    expect_to_client("SIP/2.0 401");
    world_advance(10000);
    expect_nothing(); /* nobody is asked again */
}
END_TEST

START_TEST(a_refusal_of_the_second_server_counts_and_the_first_is_cancelled)
{
    const struct sent *s = invite();
    const char *ringing = response(s, 180, "a");
    const char *ended = response(s, 487, "a");
    struct sent b = fail_over();

    b_says(response(&b, 486, "b"));
    expect_to_b("ACK");
    expect_to_client("SIP/2.0 486");
    a_says(ringing); /* it wakes up */
    expect_to_a("CANCEL");
    a_says(ended);
    expect_to_a("ACK");
    expect_nothing();
}
END_TEST

START_TEST(a_refusal_waits_for_a_server_that_rings)
{
    const struct sent *s = invite();
    const char *ringing = response(s, 180, "a");
    const char *taken = response(s, 200, "a");
    struct sent b = fail_over();

    a_says(ringing);
    expect_to_client("SIP/2.0 180");
    b_says(response(&b, 404, "b"));
    expect_to_b("ACK");
    expect_nothing();
    a_says(taken);
    expect_to_client("SIP/2.0 200");
}
END_TEST

START_TEST(a_6xx_cancels_the_others_and_goes_back)
{
    const struct sent *s = invite();
    const char *decline = response(s, 603, "a");
    struct sent b = fail_over();

    b_says(response(&b, 180, "b"));
    expect_to_client("SIP/2.0 180");
    a_says(decline);
    expect_to_a("ACK");
    expect_to_b("CANCEL");
    expect_nothing();
    b_says(response(&b, 487, "b"));
    expect_to_b("ACK");
    expect_to_client("SIP/2.0 603");
}
END_TEST

START_TEST(a_2xx_that_crosses_a_6xx_still_wins)
{
    const struct sent *s = invite();
    const char *decline = response(s, 603, "a");
    struct sent b = fail_over();

    b_says(response(&b, 180, "b"));
    expect_to_client("SIP/2.0 180");
    a_says(decline);
    expect_to_a("ACK");
    expect_to_b("CANCEL");
    b_says(response(&b, 200, "b"));
    expect_to_client("SIP/2.0 200");
    expect_nothing();
}
END_TEST

START_TEST(two_2xx_both_reach_the_client)
{
    const struct sent *s = invite();
    const char *first = response(s, 200, "a");
    struct sent b = fail_over();

    b_says(response(&b, 200, "b"));
    expect_to_client("SIP/2.0 200");
    expect_nothing(); /* A has not answered yet: no CANCEL */
    a_says(first);
    expect_to_client("SIP/2.0 200");
}
END_TEST

/* --- CANCEL against everything --- */

START_TEST(a_repeated_cancel_is_answered_and_sent_once)
{
    const struct sent *s = invite();
    const char *ended = response(s, 487, "bo");

    a_says(response(s, 180, "bo"));
    expect_to_client("SIP/2.0 180");
    client_says("CANCEL");
    expect_to_client("SIP/2.0 200");
    expect_to_a("CANCEL");
    client_says("CANCEL");
    expect_to_client("SIP/2.0 200");
    expect_nothing();
    a_says(ended);
    expect_to_a("ACK");
    expect_to_client("SIP/2.0 487");
}
END_TEST

START_TEST(a_cancel_after_the_end_changes_nothing)
{
    const struct sent *s = invite();

    a_says(response(s, 486, "bo"));
    expect_to_a("ACK");
    expect_to_client("SIP/2.0 486");
    client_says("CANCEL");
    expect_to_client("SIP/2.0 200");
    expect_nothing();
    client_says("ACK");
    world_advance(1);
    client_says("CANCEL"); /* now the INVITE is forgotten */
    expect_to_client("SIP/2.0 481");
    expect_nothing();
}
END_TEST

START_TEST(a_cancel_after_the_2xx_changes_nothing)
{
    const struct sent *s = invite();

    a_says(response(s, 200, "bo"));
    expect_to_client("SIP/2.0 200");
    client_says("CANCEL");
    expect_to_client("SIP/2.0 200 OK");
    expect_nothing();
}
END_TEST

START_TEST(a_lost_cancel_is_repeated)
{
    const struct sent *s = invite();
    const char *ended = response(s, 487, "bo");
    const struct sent *cancel;
    const char *ok;

    a_says(response(s, 180, "bo"));
    expect_to_client("SIP/2.0 180");
    client_says("CANCEL");
    expect_to_client("SIP/2.0 200");
    expect_to_a("CANCEL");
    world_advance(500);
    cancel = world_expect("CANCEL", -1, WORLD_SERVER_A);
    ok = response(cancel, 200, "bo");
    world_advance(1000);
    expect_to_a("CANCEL");
    a_says(ok);
    a_says(ended);
    expect_to_a("ACK");
    expect_to_client("SIP/2.0 487");
    world_advance(4000);
    expect_nothing();
}
END_TEST

START_TEST(a_cancelled_call_that_stays_silent_ends_with_487)
{
    const struct sent *s = invite();

    a_says(response(s, 180, "bo"));
    expect_to_client("SIP/2.0 180");
    client_says("CANCEL");
    expect_to_client("SIP/2.0 200");
    world_advance(31600);
    while ((s = world_sent()) != NULL)
        ck_assert_int_eq(strncmp(s->text, "CANCEL", 6), 0);
    world_advance(1500);
    expect_to_client("SIP/2.0 487");
}
END_TEST

START_TEST(a_cancelled_call_is_not_tried_elsewhere)
{
    const struct sent *s = invite();

    (void)s;
    client_says("CANCEL");
    expect_to_client("SIP/2.0 200");
    world_advance(31600);
    while ((s = world_sent()) != NULL) {
        struct addr b = addr_v4(WORLD_SERVER_B, 5060);

        ck_assert(s->conn >= 0 || !addr_equal(&s->to.remote, &b));
    }
    world_advance(1500);
    expect_to_client("SIP/2.0 487");
}
END_TEST

START_TEST(a_cancel_reaches_both_servers)
{
    const struct sent *s = invite();
    const char *ringing = response(s, 180, "a");
    const char *ended = response(s, 487, "a");
    struct sent b = fail_over();

    a_says(ringing);
    expect_to_client("SIP/2.0 180");
    b_says(response(&b, 180, "b"));
    expect_to_client("SIP/2.0 180");
    client_says("CANCEL");
    expect_to_client("SIP/2.0 200");
    expect_to_a("CANCEL");
    expect_to_b("CANCEL");
    a_says(ended);
    expect_to_a("ACK");
    expect_nothing();
    b_says(response(&b, 487, "b"));
    expect_to_b("ACK");
    expect_to_client("SIP/2.0 487");
}
END_TEST

START_TEST(the_reason_of_a_cancel_goes_on)
{
    const struct sent *s = invite();

    a_says(response(s, 180, "bo"));
    expect_to_client("SIP/2.0 180");
    world_from_client(0, "CANCEL sip:bob@example.org SIP/2.0\r\n"
                         "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKinv\r\n"
                         "From: <sip:alice@example.org>;tag=al\r\n"
                         "To: <sip:bob@example.org>\r\n"
                         "Reason : SIP;cause=200\r\nReason: Q.850;cause=26\r\n"
                         "Call-ID: call-1\r\nCSeq: 1 CANCEL\r\n\r\n");
    expect_to_client("SIP/2.0 200");
    s = world_expect("CANCEL", -1, WORLD_SERVER_A);
    ck_assert_str_eq(world_value(s, "Reason", 0), "SIP;cause=200");
    ck_assert_str_eq(world_value(s, "Reason", 1), "Q.850;cause=26");
}
END_TEST

START_TEST(who_is_too_late_hears_that_another_has_answered)
{
    const struct sent *s = invite();
    const char *taken = response(s, 200, "a");
    struct sent b = fail_over();

    b_says(response(&b, 180, "b"));
    expect_to_client("SIP/2.0 180");
    a_says(taken);
    expect_to_client("SIP/2.0 200");
    s = world_expect("CANCEL", -1, WORLD_SERVER_B);
    ck_assert_str_eq(world_value(s, "Reason", 0),
                     "SIP;cause=200;text=\"Call completed elsewhere\"");
}
END_TEST

/* --- ACK --- */

START_TEST(a_late_or_repeated_ack_is_absorbed)
{
    const struct sent *s = invite();

    a_says(response(s, 404, "bo"));
    expect_to_a("ACK");
    expect_to_client("SIP/2.0 404");
    world_advance(20000);
    client_says("ACK");
    client_says("ACK");
    expect_nothing();
    world_advance(100);
    client_says("ACK"); /* belongs to nothing now, and is not forwarded */
    expect_nothing();
    ck_assert_uint_eq(world.stats[0].stray_acks, 1);
}
END_TEST

START_TEST(a_refusal_on_the_datagram_side_is_repeated_until_its_ack)
{
    char invite_text[2048];
    const struct sent *s;
    const char *path;

    /* Get a Path, then a call from inside by it. */
    client_says("REGISTER");
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    path = world_value(s, "Path", 0);
    (void)snprintf(invite_text, sizeof(invite_text),
                   "INVITE sip:x1@a.invalid;transport=ws;ob SIP/2.0\r\n"
                   "Via: SIP/2.0/UDP 10.0.0.10:5060;branch=z9hG4bKin\r\n"
                   "Max-Forwards: 70\r\nRoute: %s\r\n"
                   "From: <sip:bob@example.org>;tag=bo\r\n"
                   "To: <sip:alice@example.org>\r\n"
                   "Call-ID: call-2\r\nCSeq: 3 INVITE\r\n\r\n",
                   path);
    a_says(response(s, 200, "reg"));
    expect_to_client("SIP/2.0 200");
    a_says(invite_text);
    s = world_expect("INVITE sip:x1@a.invalid", 0, 0);
    a_says(invite_text); /* repeated before any answer */
    expect_nothing();
    world_from_client(0, "%s", response(s, 486, "al"));
    (void)world_expect("ACK", 0, 0); /* RFC 3261 17.1.1.2: over WS, too */
    expect_to_a("SIP/2.0 486");
    world_advance(500);
    expect_to_a("SIP/2.0 486");
    a_says(invite_text);
    expect_to_a("SIP/2.0 486");
    a_says("ACK sip:x1@a.invalid;transport=ws;ob SIP/2.0\r\n"
           "Via: SIP/2.0/UDP 10.0.0.10:5060;branch=z9hG4bKin\r\n"
           "From: <sip:bob@example.org>;tag=bo\r\n"
           "To: <sip:alice@example.org>;tag=al\r\n"
           "Call-ID: call-2\r\nCSeq: 3 ACK\r\n\r\n");
    world_advance(10000);
    expect_nothing();
}
END_TEST

/* --- Timer C --- */

START_TEST(timer_c_starts_again_with_each_1xx)
{
    const struct sent *s = invite();
    const char *ringing = response(s, 180, "bo");
    const char *trying = response(s, 100, "");

    for (int i = 0; i < 5; i++) {
        a_says(ringing);
        expect_to_client("SIP/2.0 180");
        world_advance(150000);
        expect_nothing();
    }
    a_says(trying); /* RFC 3261 16.7 step 2: a 100 does not count */
    world_advance(36000);
    expect_to_a("CANCEL");
    ck_assert_uint_eq(world.stats[0].timer_c, 1);
}
END_TEST

START_TEST(timer_c_and_a_487_end_the_call)
{
    const struct sent *s = invite();
    const char *ended = response(s, 487, "bo");

    a_says(response(s, 180, "bo"));
    expect_to_client("SIP/2.0 180");
    world_advance(185001);
    expect_to_a("CANCEL");
    a_says(ended);
    expect_to_a("ACK");
    expect_to_client("SIP/2.0 487");
}
END_TEST

START_TEST(timer_c_and_silence_end_the_call_with_408)
{
    const struct sent *s = invite();

    a_says(response(s, 180, "bo"));
    expect_to_client("SIP/2.0 180");
    world_advance(185001);
    world_advance(31900);
    while ((s = world_sent()) != NULL)
        ck_assert_int_eq(strncmp(s->text, "CANCEL", 6), 0);
    world_advance(200);
    expect_to_client("SIP/2.0 408");
}
END_TEST

/* --- repeated and colliding requests --- */

START_TEST(a_repeated_request_is_forwarded_once)
{
    const struct sent *s = invite();

    client_says("INVITE");
    expect_nothing();
    a_says(response(s, 180, "bo"));
    expect_to_client("SIP/2.0 180");
    client_says("INVITE");
    expect_to_client("SIP/2.0 180");
    client_says("CANCEL");
    expect_to_client("SIP/2.0 200");
    expect_to_a("CANCEL");
}
END_TEST

START_TEST(two_clients_with_one_branch_do_not_disturb_each_other)
{
    const struct sent *s = invite();
    const char *taken = response(s, 200, "bo");

    world_from_client(1, "INVITE sip:bob@example.org SIP/2.0\r\n"
                         "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKinv\r\n"
                         "From: <sip:carl@example.org>;tag=ca\r\n"
                         "To: <sip:bob@example.org>\r\n"
                         "Call-ID: call-9\r\nCSeq: 1 INVITE\r\n\r\n");
    s = world_expect("INVITE", -1, WORLD_SERVER_A);
    a_says(taken);
    (void)world_expect("SIP/2.0 200", 0, 0);
    a_says(response(s, 486, "bo"));
    expect_to_a("ACK");
    (void)world_expect("SIP/2.0 486", 1, 0);
    /* All the same, from another connection: it is not theirs. */
    world_from_client(1, "INVITE sip:bob@example.org SIP/2.0\r\n"
                         "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKinv\r\n"
                         "From: <sip:alice@example.org>;tag=al\r\n"
                         "To: <sip:bob@example.org>\r\n"
                         "Call-ID: call-1\r\nCSeq: 1 INVITE\r\n\r\n");
    expect_nothing();
    ck_assert_uint_eq(world.stats[0].wrong_peer, 1);
}
END_TEST

START_TEST(an_unanswered_request_other_than_invite_gets_no_408)
{
    const struct sent *s;

    client_says("MESSAGE");
    world_advance(40000);
    while ((s = world_sent()) != NULL) {
        if (s->conn >= 0)
            ck_assert_int_eq(strncmp(s->text, "SIP/2.0 100", 11), 0);
    }
}
END_TEST

/* --- clients of RFC 2543: no cookie in the branch, or no branch --- */

static void old_client_says(const char *method, const char *params)
{
    world_from_client(0,
                      "%s sip:bob@example.org SIP/2.0\r\n"
                      "Via: SIP/2.0/WS a.invalid%s\r\n"
                      "From: <sip:alice@example.org>;tag=al\r\n"
                      "To: <sip:bob@example.org>%s\r\n"
                      "Call-ID: old\r\nCSeq: 1 %s\r\n\r\n",
                      method, params,
                      strcmp(method, "ACK") == 0 ? ";tag=bo" : "", method);
}

static const char *const old_vias[] = {"", ";branch=1", ";branch=z9hG4bK"};

START_TEST(an_old_client_is_answered_cancelled_and_acknowledged)
{
    const char *via = old_vias[_i];
    const struct sent *s;
    const char *ended;

    old_client_says("INVITE", via);
    s = world_expect("INVITE", -1, WORLD_SERVER_A);
    ended = response(s, 487, "bo");
    old_client_says("INVITE", via);
    expect_nothing();
    a_says(response(s, 180, "bo"));
    expect_to_client("SIP/2.0 180");
    old_client_says("CANCEL", via);
    expect_to_client("SIP/2.0 200");
    expect_to_a("CANCEL");
    a_says(ended);
    expect_to_a("ACK");
    expect_to_client("SIP/2.0 487");
    old_client_says("ACK", via);
    expect_nothing();
    world_advance(40000);
    while ((s = world_sent()) != NULL) /* the CANCEL nobody answered */
        ck_assert_int_eq(strncmp(s->text, "CANCEL", 6), 0);
}
END_TEST

/* --- hang-ups in the middle --- */

START_TEST(an_answer_for_a_client_that_is_gone_is_hung_up)
{
    const struct sent *s = invite();
    char taken[WORLD_MESSAGE];

    (void)snprintf(
        taken, sizeof(taken), "%s",
        world_answer(s, 200, "bo", "Contact: <sip:bob@10.0.0.10:5060>\r\n"));
    a_says(response(s, 180, "bo"));
    expect_to_client("SIP/2.0 180");
    world_disconnect(0);
    expect_to_a("CANCEL");
    a_says(taken); /* crossed the CANCEL */
    s = world_expect("ACK sip:", -1, WORLD_SERVER_A);
    ck_assert_ptr_nonnull(strstr(s->text, "CSeq: 1 ACK\r\n"));
    ck_assert_ptr_nonnull(strstr(s->text, ";tag=bo"));
    s = world_expect("BYE sip:", -1, WORLD_SERVER_A);
    ck_assert_ptr_nonnull(strstr(s->text, "CSeq: 2 BYE\r\n"));
    a_says(response(s, 200, ""));
    a_says(taken);
    expect_to_a("ACK");
    expect_nothing();
    ck_assert_uint_eq(world.stats[0].abandoned, 1);
    ck_assert_uint_eq(world.stats[0].orphans, 1);
}
END_TEST

START_TEST(a_client_that_hangs_up_before_any_answer_is_cancelled_later)
{
    const struct sent *s = invite();
    const char *ringing = response(s, 180, "bo");

    world_disconnect(0);
    expect_nothing();
    a_says(ringing);
    expect_to_a("CANCEL");
    expect_nothing();
}
END_TEST

START_TEST(a_client_that_hangs_up_with_a_request_under_way_leaves_nothing)
{
    const struct sent *s;

    client_says("REGISTER");
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    world_disconnect(0);
    a_says(response(s, 200, "bo"));
    expect_nothing();
    ck_assert_uint_eq(world.stats[0].flows, 1);
}
END_TEST

START_TEST(a_connection_that_takes_no_more_ends_what_it_asked)
{
    const struct sent *s = invite();

    world.conns[0].is_broken = true;
    a_says(response(s, 180, "bo"));
    world.conns[0].is_broken = false;
    expect_nothing();
    world_disconnect(0); /* what the shell does then */
    expect_to_a("CANCEL");
}
END_TEST

/* --- large --- */

START_TEST(a_long_call_id_passes)
{
    static char text[WORLD_MESSAGE];
    static char call_id[6001];
    const struct sent *s;

    memset(call_id, 'c', sizeof(call_id) - 1);
    (void)snprintf(text, sizeof(text),
                   "OPTIONS sip:bob@example.org SIP/2.0\r\n"
                   "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKlong\r\n"
                   "From: <sip:alice@example.org>;tag=al\r\n"
                   "To: <sip:bob@example.org>\r\n"
                   "Call-ID: %s\r\nCSeq: 1 OPTIONS\r\n\r\n",
                   call_id);
    world_from_client(0, "%s", text);
    s = world_expect("OPTIONS", -1, WORLD_SERVER_A);
    ck_assert_str_eq(world_value(s, "Call-ID", 0), call_id);
    ck_assert_uint_eq(world.stats[0].large_datagrams, 1);
    a_says(response(s, 200, "bo"));
    expect_to_client("SIP/2.0 200");
}
END_TEST

START_TEST(seventy_vias_pass_and_one_more_does_not)
{
    static char vias[8192];

    for (int more = 0; more < 2; more++) {
        size_t n = 0;

        for (int i = 0; i < 69 + more; i++)
            n += (size_t)snprintf(vias + n, sizeof(vias) - n,
                                  "Via: SIP/2.0/UDP h%d;branch=z9hG4bKv%d\r\n",
                                  i, i);
        world_from_client(0,
                          "OPTIONS sip:bob@example.org SIP/2.0\r\n"
                          "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKt%d\r\n%s"
                          "From: <sip:alice@example.org>;tag=al\r\n"
                          "To: <sip:bob@example.org>\r\n"
                          "Call-ID: v\r\nCSeq: 1 OPTIONS\r\n\r\n",
                          more, vias);
        if (more == 0)
            expect_to_a("OPTIONS");
        else
            expect_to_client("SIP/2.0 400");
    }
}
END_TEST

static TCase *answers(void)
{
    TCase *tc = tcase_create("answers");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_1xx_after_the_2xx_is_dropped);
    tcase_add_test(tc, a_2xx_after_a_4xx_is_dropped);
    tcase_add_test(tc, a_4xx_after_the_2xx_is_dropped);
    tcase_add_test(tc, a_100_goes_no_further_and_others_do);
    tcase_add_test(tc, a_2xx_is_repeated_to_the_client_each_time);
    tcase_add_test(tc, a_response_without_the_clients_via_goes_nowhere);
    tcase_add_test(tc, a_challenge_does_not_wait_for_a_dead_server);
    tcase_add_test(
        tc, a_refusal_of_the_second_server_counts_and_the_first_is_cancelled);
    tcase_add_test(tc, a_refusal_waits_for_a_server_that_rings);
    tcase_add_test(tc, a_6xx_cancels_the_others_and_goes_back);
    tcase_add_test(tc, a_2xx_that_crosses_a_6xx_still_wins);
    tcase_add_test(tc, two_2xx_both_reach_the_client);
    return tc;
}

static TCase *cancels(void)
{
    TCase *tc = tcase_create("cancels");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_repeated_cancel_is_answered_and_sent_once);
    tcase_add_test(tc, a_cancel_after_the_end_changes_nothing);
    tcase_add_test(tc, a_cancel_after_the_2xx_changes_nothing);
    tcase_add_test(tc, a_lost_cancel_is_repeated);
    tcase_add_test(tc, a_cancelled_call_that_stays_silent_ends_with_487);
    tcase_add_test(tc, a_cancelled_call_is_not_tried_elsewhere);
    tcase_add_test(tc, a_cancel_reaches_both_servers);
    tcase_add_test(tc, the_reason_of_a_cancel_goes_on);
    tcase_add_test(tc, who_is_too_late_hears_that_another_has_answered);
    tcase_add_test(tc, timer_c_starts_again_with_each_1xx);
    tcase_add_test(tc, timer_c_and_a_487_end_the_call);
    tcase_add_test(tc, timer_c_and_silence_end_the_call_with_408);
    return tc;
}

static TCase *repeats(void)
{
    TCase *tc = tcase_create("repeats");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_late_or_repeated_ack_is_absorbed);
    tcase_add_test(tc,
                   a_refusal_on_the_datagram_side_is_repeated_until_its_ack);
    tcase_add_test(tc, a_repeated_request_is_forwarded_once);
    tcase_add_test(tc, two_clients_with_one_branch_do_not_disturb_each_other);
    tcase_add_test(tc, an_unanswered_request_other_than_invite_gets_no_408);
    tcase_add_loop_test(tc,
                        an_old_client_is_answered_cancelled_and_acknowledged, 0,
                        ARRAY_SIZE(old_vias));
    tcase_add_test(tc, an_answer_for_a_client_that_is_gone_is_hung_up);
    tcase_add_test(tc,
                   a_client_that_hangs_up_before_any_answer_is_cancelled_later);
    tcase_add_test(
        tc, a_client_that_hangs_up_with_a_request_under_way_leaves_nothing);
    tcase_add_test(tc, a_connection_that_takes_no_more_ends_what_it_asked);
    tcase_add_test(tc, a_long_call_id_passes);
    tcase_add_test(tc, seventy_vias_pass_and_one_more_does_not);
    return tc;
}

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sip_races");

    suite_add_tcase(suite, answers());
    suite_add_tcase(suite, cancels());
    suite_add_tcase(suite, repeats());
    return suite;
}
