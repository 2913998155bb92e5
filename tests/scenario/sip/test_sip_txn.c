/* SPDX-License-Identifier: MIT */
/* The four transaction machines as stories in virtual time. The world is a
 * text: what is sent is appended as "INVITE>", "180>", what the user is told as
 * "180!", "timeout!", "error!", "ended". A story is then a sequence of events
 * and the text it must leave.
 */
#include "base/err.h"
#include "base/mem.h"
#include "support/unit.h"
#include "txn/sip_txn.h"

#include <errno.h>
#include <stdio.h>

static struct sip_txns *txns;
static struct sip_txn_config cfg;
static struct sip_target peer;
static uint64_t now;
static char story[65536];
static int send_error;
static int sent;
static char last_sent[4096];
static struct pool_id id;
static struct pool_id cancel_id;
static void (*in_response)(const struct sip_msg *response);
static uint64_t last_user;

/* --- the world --- */

static void tell(const char *text)
{
    size_t n = strlen(story);

    snprintf(story + n, sizeof(story) - n, "%s%s", n ? " " : "", text);
}

static int on_send(void *arg, const struct sip_target *to, struct span bytes)
{
    char word[64];
    size_t n;

    (void)arg;
    ck_assert_int_eq(to->transport, peer.transport);
    if (send_error)
        return send_error;
    sent++;
    snprintf(last_sent, sizeof(last_sent), "%.*s", SPAN_FMT(bytes));
    if (span_starts(bytes, "SIP/2.0 "))
        n = (size_t)snprintf(word, sizeof(word), "%.3s>", last_sent + 8);
    else
        n = (size_t)snprintf(word, sizeof(word), "%.*s>",
                             (int)span_find(bytes, ' '), last_sent);
    ck_assert_uint_lt(n, sizeof(word));
    tell(word);
    return 0;
}

static void on_response(void *arg, struct pool_id which, uint64_t user,
                        const struct sip_msg *response, uint64_t at)
{
    char word[16];

    (void)arg;
    (void)which;
    ck_assert_uint_eq(at, now);
    last_user = user;
    snprintf(word, sizeof(word), "%u!", response->status);
    tell(word);
    if (in_response)
        in_response(response);
}

static void on_timeout(void *arg, struct pool_id which, uint64_t user,
                       uint64_t at)
{
    struct sip_txn_view view;

    (void)arg;
    ck_assert_uint_eq(at, now);
    last_user = user;
    ck_assert(!sip_txn_look(txns, which, &view));
    tell("timeout!");
}

static void on_error(void *arg, struct pool_id which, uint64_t user, int err,
                     uint64_t at)
{
    struct sip_txn_view view;

    (void)arg;
    ck_assert_uint_eq(at, now);
    ck_assert_int_lt(err, 0);
    last_user = user;
    ck_assert(!sip_txn_look(txns, which, &view));
    tell(err == -ETIMEDOUT ? "no-ack!" : "error!");
}

static void on_ended(void *arg, struct pool_id which, uint64_t user,
                     uint64_t at)
{
    (void)arg;
    (void)which;
    (void)at;
    last_user = user;
    tell("ended");
}

static void on_random(void *arg, void *out, size_t len)
{
    (void)arg;
    memset(out, 7, len);
}

static const struct sip_txn_env env = {
    .send = on_send,
    .on_response = on_response,
    .on_timeout = on_timeout,
    .on_error = on_error,
    .on_ended = on_ended,
    .random = on_random,
};

static void start(enum sip_transport transport)
{
    memset(&peer, 0, sizeof(peer));
    peer.transport = transport;
    peer.remote = addr_v4(0xC0000201, 5060);
    peer.flow = sip_transport_is_reliable(transport) ? 42 : 0;
    ck_assert_int_eq(sip_txns_new(&txns, &cfg, &env), 0);
}

static void setup(void)
{
    cfg = sip_txn_config_default;
    now = 1000;
    story[0] = 0;
    send_error = 0;
    sent = 0;
    in_response = NULL;
}

/* Every story ends with all timers run out: nothing may be left. */
static void finish(void)
{
    struct sip_txn_stats stats;

    sip_txns_stats(txns, &stats);
    for (int i = 0; i < SIP_TXN_KINDS; i++)
        ck_assert_uint_eq(stats.active[i], 0);
    ck_assert_uint_eq(stats.bytes, 0);
    ck_assert_uint_eq(sip_txns_next_deadline(txns), TIMERS_NEVER);
    sip_txns_free(txns);
    ck_assert_no_blocks();
}

#define STORY(text)                                                            \
    do {                                                                       \
        ck_assert_str_eq(story, text);                                         \
        story[0] = 0;                                                          \
    } while (0)

/* Let `ms` pass, stopping at every deadline as the shell does. */
static void pass(uint64_t ms)
{
    uint64_t end = now + ms;
    uint64_t next;

    while ((next = sip_txns_next_deadline(txns)) <= end) {
        now = next > now ? next : now;
        sip_txns_on_timer(txns, now);
    }
    now = end;
}

/* --- messages --- */

static const char *branch = "z9hG4bKa";
static const char *to_tag = "";

static struct span request(const char *method)
{
    static char text[4][1024];
    static unsigned turn;
    char *t = text[turn++ % 4];
    bool of_invite = strcmp(method, "ACK") == 0;

    snprintf(t, sizeof(text[0]),
             "%s sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=%s\r\n"
             "From: <sip:a>;tag=1\r\nTo: <sip:b>%s\r\nCall-ID: c\r\n"
             "CSeq: 5 %s\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
             method, branch, of_invite ? ";tag=9" : "", method);
    return span_str(t);
}

static struct span response(unsigned status, const char *method)
{
    static char text[1024];

    snprintf(text, sizeof(text),
             "SIP/2.0 %u x\r\nVia: SIP/2.0/UDP h;branch=%s\r\n"
             "From: <sip:a>;tag=1\r\nTo: <sip:b>;tag=9%s\r\nCall-ID: c\r\n"
             "CSeq: 5 %s\r\nContent-Length: 0\r\n\r\n",
             status, branch, to_tag, method);
    return span_str(text);
}

static struct sip_msg parsed;

static const struct sip_msg *parse(struct span bytes)
{
    ck_assert_int_eq(
        sip_msg_parse(&parsed, bytes, SIP_FRAMING_STREAM, &sip_limits_default),
        0);
    return &parsed;
}

static enum sip_match receive(struct span bytes)
{
    return sip_txns_receive(txns, parse(bytes), &peer, now, NULL);
}

static void client(const char *method)
{
    ck_assert_int_eq(
        sip_txns_client_new(txns, request(method), &peer, 77, now, &id), 0);
}

static void server(const char *method)
{
    ck_assert_int_eq(receive(request(method)), SIP_MATCH_NONE);
    ck_assert_int_eq(
        sip_txns_server_new(txns, parse(request(method)), &peer, 77, now, &id),
        0);
}

static int respond(unsigned status, const char *method)
{
    return sip_txn_respond(txns, id, response(status, method), now);
}

static enum sip_txn_state state(void)
{
    struct sip_txn_view view;

    ck_assert(sip_txn_look(txns, id, &view));
    return view.state;
}

/* --- INVITE client --- */

START_TEST(an_unanswered_invite_is_repeated_and_times_out)
{
    start(SIP_UDP);
    client("INVITE");
    STORY("INVITE>");
    pass(499);
    STORY("");
    pass(1); /* timer A: 500, 1500, 3500, 7500, 15500, 31500 */
    STORY("INVITE>");
    pass(1000);
    STORY("INVITE>");
    pass(2000);
    STORY("INVITE>");
    pass(28499);
    STORY("INVITE> INVITE> INVITE>");
    pass(1); /* timer B */
    STORY("timeout! ended");
    ck_assert_uint_eq(last_user, 77);
    finish();
}
END_TEST

START_TEST(an_invite_over_a_connection_is_sent_once)
{
    start(SIP_WS);
    client("INVITE");
    pass(31999);
    STORY("INVITE>");
    pass(1);
    STORY("timeout! ended");
    finish();
}
END_TEST

START_TEST(a_ringing_invite_waits_without_repeating)
{
    start(SIP_UDP);
    client("INVITE");
    pass(600);
    ck_assert_int_eq(receive(response(100, "INVITE")), SIP_MATCH_DONE);
    ck_assert_int_eq(receive(response(180, "INVITE")), SIP_MATCH_DONE);
    ck_assert_int_eq(receive(response(180, "INVITE")), SIP_MATCH_DONE);
    STORY("INVITE> INVITE> 100! 180! 180!");
    ck_assert_int_eq(state(), SIP_TXN_PROCEEDING);
    pass(3600000);
    STORY("");
    sip_txn_terminate(txns, id, now);
    STORY("ended");
    finish();
}
END_TEST

START_TEST(a_refused_invite_is_acknowledged_again_and_again)
{
    start(SIP_UDP);
    client("INVITE");
    receive(response(486, "INVITE"));
    STORY("INVITE> ACK> 486!");
    ck_assert_ptr_nonnull(strstr(last_sent, "CSeq: 5 ACK\r\n"));
    ck_assert_ptr_nonnull(strstr(last_sent, "To: <sip:b>;tag=9\r\n"));
    ck_assert_ptr_nonnull(strstr(last_sent, "branch=z9hG4bKa\r\n"));
    receive(response(486, "INVITE"));
    receive(response(180, "INVITE"));
    receive(response(200, "INVITE"));
    STORY("ACK>");
    pass(31999); /* timer D */
    STORY("");
    receive(response(486, "INVITE"));
    STORY("ACK>");
    pass(1);
    STORY("ended");
    ck_assert_int_eq(receive(response(486, "INVITE")), SIP_MATCH_NONE);
    finish();
}
END_TEST

START_TEST(a_refused_invite_over_a_connection_ends_at_once)
{
    start(SIP_TLS);
    client("INVITE");
    receive(response(603, "INVITE"));
    STORY("INVITE> ACK> 603!");
    pass(0);
    STORY("ended");
    finish();
}
END_TEST

START_TEST(every_2xx_reaches_the_user_for_32_seconds)
{
    start(SIP_UDP);
    client("INVITE");
    receive(response(183, "INVITE"));
    receive(response(200, "INVITE"));
    pass(500);
    receive(response(200, "INVITE")); /* the callee repeats it */
    to_tag = "fork";
    receive(response(200, "INVITE")); /* another callee */
    to_tag = "";
    receive(response(180, "INVITE"));
    receive(response(486, "INVITE"));
    STORY("INVITE> 183! 200! 200! 200!");
    ck_assert_int_eq(state(), SIP_TXN_ACCEPTED);
    pass(31499); /* timer M */
    STORY("");
    pass(1);
    STORY("ended");
    ck_assert_int_eq(receive(response(200, "INVITE")), SIP_MATCH_NONE);
    finish();
}
END_TEST

START_TEST(a_cancel_is_its_own_transaction)
{
    start(SIP_UDP);
    client("INVITE");
    ck_assert_int_eq(
        sip_txn_cancel(txns, id, span_str(""), 78, now, &cancel_id),
        ERR_STATE); /* nothing heard yet */
    receive(response(180, "INVITE"));
    ck_assert_int_eq(sip_txn_cancel(txns, id,
                                    span_str("Reason: SIP;cause=200\r\n"), 78,
                                    now, &cancel_id),
                     0);
    ck_assert_ptr_nonnull(strstr(last_sent, "CSeq: 5 CANCEL\r\n"));
    ck_assert_ptr_nonnull(strstr(last_sent, "Reason: SIP;cause=200\r\n"));
    ck_assert_int_eq(
        sip_txn_cancel(txns, id, span_str(""), 78, now, &cancel_id), ERR_STATE);
    STORY("INVITE> 180! CANCEL>");
    pass(500);
    STORY("CANCEL>");
    receive(response(200, "CANCEL"));
    ck_assert_uint_eq(last_user, 78);
    receive(response(487, "INVITE"));
    ck_assert_uint_eq(last_user, 77);
    STORY("200! ACK> 487!");
    pass(32000);
    STORY("ended ended");
    finish();
}
END_TEST

START_TEST(a_cancelled_invite_that_stays_silent_times_out)
{
    start(SIP_WS);
    client("INVITE");
    receive(response(180, "INVITE"));
    pass(10000);
    ck_assert_int_eq(
        sip_txn_cancel(txns, id, span_str(""), 78, now, &cancel_id), 0);
    receive(response(200, "CANCEL"));
    receive(response(183, "INVITE")); /* does not stop the clock */
    pass(31999);
    STORY("INVITE> 180! CANCEL> 200! 183! ended");
    pass(1);
    STORY("timeout! ended");
    finish();
}
END_TEST

START_TEST(a_2xx_that_crosses_the_cancel_wins)
{
    start(SIP_UDP);
    client("INVITE");
    receive(response(180, "INVITE"));
    ck_assert_int_eq(
        sip_txn_cancel(txns, id, span_str(""), 78, now, &cancel_id), 0);
    receive(response(200, "INVITE"));
    receive(response(481, "CANCEL"));
    STORY("INVITE> 180! CANCEL> 200! 481!");
    ck_assert_int_eq(state(), SIP_TXN_ACCEPTED);
    ck_assert_int_eq(
        sip_txn_cancel(txns, id, span_str(""), 78, now, &cancel_id), ERR_STATE);
    pass(32000);
    STORY("ended ended");
    finish();
}
END_TEST

/* --- non-INVITE client --- */

START_TEST(an_unanswered_request_is_repeated_up_to_t2_and_times_out)
{
    start(SIP_UDP);
    client("OPTIONS");
    pass(31999); /* 500, 1500, 3500, 7500, 11500, 15500 … 31500 */
    STORY("OPTIONS> OPTIONS> OPTIONS> OPTIONS> OPTIONS> OPTIONS> OPTIONS> "
          "OPTIONS> OPTIONS> OPTIONS> OPTIONS>");
    pass(1); /* timer F */
    STORY("timeout! ended");
    finish();
}
END_TEST

START_TEST(a_provisional_slows_the_repetition_down)
{
    start(SIP_UDP);
    client("REGISTER");
    pass(400);
    receive(response(100, "REGISTER"));
    pass(100);
    STORY("REGISTER> 100! REGISTER>");
    pass(3999);
    STORY("");
    pass(1);
    STORY("REGISTER>");
    receive(response(200, "REGISTER"));
    receive(response(200, "REGISTER"));
    STORY("200!");
    pass(4999); /* timer K */
    STORY("");
    pass(1);
    STORY("ended");
    finish();
}
END_TEST

START_TEST(over_a_connection_a_final_response_ends_it_at_once)
{
    start(SIP_WSS);
    client("REGISTER");
    receive(response(401, "REGISTER"));
    STORY("REGISTER> 401!");
    ck_assert_int_eq(state(), SIP_TXN_COMPLETED);
    pass(0);
    STORY("ended");
    finish();
}
END_TEST

/* --- INVITE server --- */

START_TEST(a_slow_user_is_covered_by_an_automatic_100)
{
    start(SIP_UDP);
    server("INVITE");
    pass(199);
    STORY("");
    pass(1);
    STORY("100>");
    ck_assert_ptr_nonnull(strstr(last_sent, ";received=192.0.2.1\r\n"));
    ck_assert_int_eq(receive(request("INVITE")), SIP_MATCH_DONE);
    STORY("100>");
    ck_assert_int_eq(respond(180, "INVITE"), 0);
    ck_assert_int_eq(receive(request("INVITE")), SIP_MATCH_DONE);
    STORY("180> 180>");
    ck_assert_int_eq(respond(603, "INVITE"), 0);
    STORY("603>");
    ck_assert_int_eq(receive(request("ACK")), SIP_MATCH_DONE);
    pass(5000);
    STORY("ended");
    finish();
}
END_TEST

START_TEST(a_quick_answer_needs_no_100)
{
    start(SIP_UDP);
    server("INVITE");
    ck_assert_int_eq(respond(100, "INVITE"), 0);
    pass(10000);
    STORY("100>");
    sip_txn_terminate(txns, id, now);
    STORY("ended");
    finish();
}
END_TEST

START_TEST(a_refusal_is_repeated_until_the_ack)
{
    start(SIP_UDP);
    server("INVITE");
    respond(486, "INVITE");
    pass(3500); /* timer G: 500, 1500, 3500 */
    STORY("486> 486> 486> 486>");
    pass(4000); /* then every T2 */
    STORY("486>");
    ck_assert_int_eq(receive(request("INVITE")), SIP_MATCH_DONE);
    STORY("486>");
    ck_assert_int_eq(receive(request("ACK")), SIP_MATCH_DONE);
    ck_assert_int_eq(state(), SIP_TXN_CONFIRMED);
    ck_assert_int_eq(receive(request("ACK")), SIP_MATCH_DONE);
    ck_assert_int_eq(receive(request("INVITE")), SIP_MATCH_DONE);
    pass(4999); /* timer I absorbs late ones */
    STORY("");
    pass(1);
    STORY("ended");
    finish();
}
END_TEST

START_TEST(a_refusal_without_ack_is_given_up)
{
    start(SIP_UDP);
    server("INVITE");
    respond(404, "INVITE");
    pass(31999);
    story[0] = 0;
    pass(1); /* timer H */
    STORY("no-ack! ended");
    finish();
}
END_TEST

START_TEST(a_refusal_over_a_connection_is_sent_once)
{
    start(SIP_WS);
    server("INVITE");
    respond(404, "INVITE");
    pass(10000);
    STORY("404>");
    receive(request("ACK"));
    pass(0);
    STORY("ended");
    server("INVITE");
    respond(404, "INVITE");
    pass(32000); /* timer H runs here too */
    STORY("404> no-ack! ended");
    finish();
}
END_TEST

START_TEST(an_accepted_invite_absorbs_and_passes_more_2xx)
{
    start(SIP_UDP);
    server("INVITE");
    respond(200, "INVITE");
    STORY("200>");
    ck_assert_int_eq(state(), SIP_TXN_ACCEPTED);
    ck_assert_int_eq(receive(request("INVITE")), SIP_MATCH_DONE);
    STORY(""); /* RFC 6026 7.1: not answered here */
    ck_assert_int_eq(respond(200, "INVITE"), 0);
    ck_assert_int_eq(respond(202, "INVITE"), 0);
    STORY("200> 202>");
    ck_assert_int_eq(respond(486, "INVITE"), ERR_STATE);
    ck_assert_int_eq(respond(180, "INVITE"), ERR_STATE);
    /* Same branch (an old client): for the far end all the same. */
    ck_assert_int_eq(receive(request("ACK")), SIP_MATCH_ACK);
    pass(31999); /* timer L */
    STORY("");
    pass(1);
    STORY("ended");
    finish();
}
END_TEST

START_TEST(an_ack_before_the_answer_is_ignored)
{
    start(SIP_UDP);
    server("INVITE");
    ck_assert_int_eq(receive(request("ACK")), SIP_MATCH_DONE);
    ck_assert_int_eq(state(), SIP_TXN_PROCEEDING);
    respond(500, "INVITE");
    ck_assert_int_eq(respond(500, "INVITE"), ERR_STATE);
    receive(request("ACK"));
    pass(5000);
    STORY("500> ended");
    finish();
}
END_TEST

START_TEST(a_cancel_finds_its_invite)
{
    struct pool_id found;

    start(SIP_UDP);
    server("INVITE");
    ck_assert_int_eq(receive(request("CANCEL")), SIP_MATCH_NONE);
    ck_assert_int_eq(
        sip_txns_find_cancelled(txns, parse(request("CANCEL")), &peer, &found),
        0);
    ck_assert_uint_eq(pool_id_u64(found), pool_id_u64(id));
    branch = "z9hG4bKother";
    ck_assert_int_eq(
        sip_txns_find_cancelled(txns, parse(request("CANCEL")), &peer, &found),
        ERR_STATE);
    branch = "z9hG4bKa";
    peer.remote = addr_v4(0xC0000202, 5060);
    ck_assert_int_eq(
        sip_txns_find_cancelled(txns, parse(request("CANCEL")), &peer, &found),
        ERR_DENIED);
    sip_txn_terminate(txns, id, now);
    finish();
}
END_TEST

/* --- non-INVITE server --- */

START_TEST(a_slow_answer_gets_a_100_as_rfc_4320_says)
{
    start(SIP_UDP);
    server("REGISTER");
    ck_assert_int_eq(receive(request("REGISTER")), SIP_MATCH_DONE);
    pass(3499);
    STORY("");
    pass(1);
    STORY("100>");
    ck_assert_int_eq(receive(request("REGISTER")), SIP_MATCH_DONE);
    STORY("100>");
    ck_assert_int_eq(respond(200, "REGISTER"), 0);
    ck_assert_int_eq(receive(request("REGISTER")), SIP_MATCH_DONE);
    STORY("200> 200>");
    ck_assert_int_eq(respond(500, "REGISTER"), ERR_STATE);
    pass(31999); /* timer J */
    STORY("");
    pass(1);
    STORY("ended");
    finish();
}
END_TEST

START_TEST(what_rfc_4320_forbids_is_not_sent)
{
    start(SIP_UDP);
    server("OPTIONS");
    ck_assert_int_eq(respond(408, "OPTIONS"), ERR_DENIED);
    ck_assert_int_eq(respond(180, "OPTIONS"), ERR_DENIED);
    STORY("");
    pass(32000);
    STORY("100> ended"); /* and it does not stay for ever */
    finish();
}
END_TEST

START_TEST(over_a_connection_an_answered_request_is_forgotten)
{
    start(SIP_TCP);
    server("MESSAGE");
    respond(200, "MESSAGE");
    pass(0);
    STORY("200> ended");
    finish();
}
END_TEST

/* --- matching --- */

START_TEST(nobody_answers_in_anothers_place)
{
    struct sip_target other;
    struct sip_txn_stats stats;
    struct pool_id found;

    start(SIP_WS);
    other = peer;
    other.flow = 43; /* the same web proxy, another browser */
    client("INVITE");
    ck_assert_int_eq(sip_txns_receive(txns, parse(response(200, "INVITE")),
                                      &other, now, &found),
                     SIP_MATCH_REFUSED);
    ck_assert_uint_eq(pool_id_u64(found), pool_id_u64(id));
    STORY("INVITE>");
    sip_txns_stats(txns, &stats);
    ck_assert_uint_eq(stats.refused, 1);
    receive(response(200, "INVITE"));
    STORY("200!");
    sip_txn_terminate(txns, id, now);
    finish();
}
END_TEST

START_TEST(over_udp_the_port_may_differ_but_not_the_address)
{
    struct sip_target other;

    start(SIP_UDP);
    other = peer;
    other.remote.port = 9;
    client("OPTIONS");
    ck_assert_int_eq(sip_txns_receive(txns, parse(response(100, "OPTIONS")),
                                      &other, now, NULL),
                     SIP_MATCH_DONE);
    other.remote = addr_v4(0xC0000202, 5060);
    ck_assert_int_eq(sip_txns_receive(txns, parse(response(200, "OPTIONS")),
                                      &other, now, NULL),
                     SIP_MATCH_REFUSED);
    /* the address of a media server, but seen from outside */
    other = peer;
    other.listener = peer.listener + 1;
    ck_assert_int_eq(sip_txns_receive(txns, parse(response(200, "OPTIONS")),
                                      &other, now, NULL),
                     SIP_MATCH_REFUSED);
    sip_txn_terminate(txns, id, now);
    finish();
}
END_TEST

START_TEST(over_tcp_a_neighbour_behind_the_same_nat_is_another)
{
    struct sip_target other;
    struct pool_id found;

    start(SIP_TCP);
    other = peer;
    other.flow = 43;
    server("INVITE");
    ck_assert_int_eq(
        sip_txns_find_cancelled(txns, parse(request("CANCEL")), &other, &found),
        ERR_DENIED);
    sip_txn_terminate(txns, id, now);
    finish();
}
END_TEST

START_TEST(a_response_needs_branch_and_method)
{
    start(SIP_UDP);
    client("INVITE");
    ck_assert_int_eq(receive(response(200, "CANCEL")), SIP_MATCH_NONE);
    branch = "z9hG4bKA";
    ck_assert_int_eq(receive(response(200, "INVITE")), SIP_MATCH_NONE);
    branch = "z9hG4bKa";
    STORY("INVITE>");
    sip_txn_terminate(txns, id, now);
    finish();
}
END_TEST

START_TEST(a_branch_in_use_is_refused)
{
    struct pool_id other;

    start(SIP_UDP);
    client("INVITE");
    ck_assert_int_eq(
        sip_txns_client_new(txns, request("INVITE"), &peer, 1, now, &other),
        ERR_STATE);
    sip_txn_terminate(txns, id, now);
    server("INVITE");
    ck_assert_int_eq(sip_txns_server_new(txns, parse(request("INVITE")), &peer,
                                         1, now, &other),
                     ERR_STATE);
    sip_txn_terminate(txns, id, now);
    STORY("INVITE> ended ended");
    finish();
}
END_TEST

START_TEST(an_old_client_without_cookie_is_matched_by_everything_else)
{
    start(SIP_UDP);
    branch = "1";
    server("INVITE");
    ck_assert_int_eq(receive(request("INVITE")), SIP_MATCH_DONE);
    respond(486, "INVITE");
    ck_assert_int_eq(receive(request("ACK")), SIP_MATCH_DONE);
    ck_assert_int_eq(state(), SIP_TXN_CONFIRMED);
    branch = "2";
    ck_assert_int_eq(receive(request("INVITE")), SIP_MATCH_NONE);
    branch = "z9hG4bKa";
    pass(5000);
    STORY("486> ended");
    finish();
}
END_TEST

START_TEST(a_client_that_never_changes_its_branch_is_served)
{
    struct span second = span_str(
        "INVITE sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\n"
        "From: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: other\r\n"
        "CSeq: 5 INVITE\r\nContent-Length: 0\r\n\r\n");

    start(SIP_UDP);
    server("INVITE");
    ck_assert_int_eq(receive(second), SIP_MATCH_NONE);
    sip_txn_terminate(txns, id, now);
    finish();
}
END_TEST

/* --- failures --- */

START_TEST(a_request_that_cannot_be_sent_makes_nothing)
{
    start(SIP_WS);
    send_error = ERR_CLOSED;
    ck_assert_int_eq(
        sip_txns_client_new(txns, request("INVITE"), &peer, 1, now, &id),
        ERR_CLOSED);
    STORY("");
    finish();
}
END_TEST

START_TEST(a_repetition_that_cannot_be_sent_ends_it)
{
    start(SIP_UDP);
    client("OPTIONS");
    send_error = -ENETUNREACH;
    pass(500);
    STORY("OPTIONS> error! ended");
    send_error = 0;
    client("INVITE");
    send_error = -ENETUNREACH;
    pass(500);
    STORY("INVITE> error! ended");
    send_error = 0;
    server("INVITE");
    respond(486, "INVITE");
    send_error = -ENETUNREACH;
    pass(500);
    STORY("486> error! ended");
    finish();
}
END_TEST

START_TEST(a_response_that_cannot_be_sent_is_told_to_the_caller)
{
    start(SIP_WS);
    for (int i = 0; i < 3; i++) {
        static const unsigned status[] = {180, 200, 486};

        server("INVITE");
        send_error = ERR_CLOSED;
        ck_assert_int_eq(respond(status[i], "INVITE"), ERR_CLOSED);
        send_error = 0;
        STORY("ended");
        ck_assert_int_eq(respond(200, "INVITE"), ERR_STATE);
    }
    server("BYE");
    send_error = ERR_CLOSED;
    ck_assert_int_eq(respond(200, "BYE"), ERR_CLOSED);
    STORY("ended");
    finish();
}
END_TEST

START_TEST(a_closed_connection_ends_the_clients_on_it)
{
    struct pool_id register_id;

    start(SIP_WS);
    client("INVITE");
    receive(response(180, "INVITE"));
    branch = "z9hG4bKb";
    ck_assert_int_eq(sip_txns_client_new(txns, request("REGISTER"), &peer, 1,
                                         now, &register_id),
                     0);
    branch = "z9hG4bKc";
    ck_assert_int_eq(sip_txns_server_new(txns, parse(request("MESSAGE")), &peer,
                                         2, now, &id),
                     0);
    sip_txns_on_flow_closed(txns, 43, now);
    STORY("INVITE> 180! REGISTER>");
    sip_txns_on_flow_closed(txns, 42, now);
    STORY("error! ended error! ended");

    /* The server goes on and may answer on another connection. */
    peer.flow = 44;
    ck_assert_int_eq(sip_txn_set_target(txns, id, &peer), 0);
    ck_assert_int_eq(respond(200, "MESSAGE"), 0);
    branch = "z9hG4bKa";
    pass(0);
    STORY("200> ended");
    ck_assert_int_eq(sip_txn_set_target(txns, id, &peer), ERR_STATE);
    finish();
}
END_TEST

static void terminate_in_response(const struct sip_msg *r)
{
    if (r->status >= 180)
        sip_txn_terminate(txns, id, now);
}

START_TEST(the_user_may_end_it_from_inside_a_callback)
{
    start(SIP_UDP);
    in_response = terminate_in_response;
    client("INVITE");
    receive(response(180, "INVITE"));
    STORY("INVITE> 180! ended");
    client("INVITE");
    receive(response(200, "INVITE"));
    STORY("INVITE> 200! ended");
    client("INVITE");
    receive(response(404, "INVITE"));
    STORY("INVITE> ACK> 404! ended");
    client("OPTIONS");
    receive(response(200, "OPTIONS"));
    STORY("OPTIONS> 200! ended");
    finish();
}
END_TEST

START_TEST(stale_ids_find_nothing)
{
    struct sip_txn_view view;

    start(SIP_UDP);
    server("OPTIONS");
    ck_assert(sip_txn_set_user(txns, id, 5));
    ck_assert(sip_txn_look(txns, id, &view));
    ck_assert_uint_eq(view.user, 5);
    ck_assert_int_eq(view.kind, SIP_TXN_NIST);
    ck_assert(span_equal(view.request, request("OPTIONS")));
    ck_assert_int_eq(sip_txn_cancel(txns, id, span_str(""), 1, now, &cancel_id),
                     ERR_STATE);
    sip_txn_terminate(txns, id, now);
    sip_txn_terminate(txns, id, now);
    ck_assert(!sip_txn_look(txns, id, &view));
    ck_assert(!sip_txn_set_user(txns, id, 5));
    STORY("ended");
    client("OPTIONS");
    ck_assert_int_eq(respond(200, "OPTIONS"), ERR_STATE); /* a client's id */
    sip_txn_terminate(txns, id, now);
    finish();
}
END_TEST

START_TEST(garbage_is_not_sent)
{
    start(SIP_UDP);
    server("OPTIONS");
    ck_assert_int_eq(sip_txn_respond(txns, id, span_str("SIP/2.0 xx"), now),
                     ERR_PARSE);
    ck_assert_int_eq(sip_txn_respond(txns, id, span_str(""), now), ERR_PARSE);
    sip_txn_terminate(txns, id, now);
    ck_assert_int_eq(
        sip_txns_client_new(txns, request("ACK"), &peer, 1, now, &id),
        ERR_PARSE);
    ck_assert_int_eq(
        sip_txns_client_new(txns, response(200, "BYE"), &peer, 1, now, &id),
        ERR_PARSE);
    finish();
}
END_TEST

/* --- limits and memory --- */

START_TEST(a_full_table_takes_no_more)
{
    struct sip_txn_stats stats;
    struct pool_id other;

    cfg.max = 1;
    start(SIP_UDP);
    server("INVITE");
    branch = "z9hG4bKb";
    ck_assert_int_eq(sip_txns_server_new(txns, parse(request("INVITE")), &peer,
                                         1, now, &other),
                     ERR_LIMIT);
    ck_assert_int_eq(
        sip_txns_client_new(txns, request("BYE"), &peer, 1, now, &other),
        ERR_LIMIT);
    branch = "z9hG4bKa";
    sip_txns_stats(txns, &stats);
    ck_assert_uint_eq(stats.full, 2);
    sip_txn_terminate(txns, id, now);
    server("INVITE");
    sip_txn_terminate(txns, id, now);
    finish();
}
END_TEST

START_TEST(a_cancel_is_sent_even_when_the_table_is_full)
{
    cfg.max = 1;
    start(SIP_UDP);
    client("INVITE");
    receive(response(180, "INVITE"));
    ck_assert_int_eq(
        sip_txn_cancel(txns, id, span_str(""), 78, now, &cancel_id), 0);
    ck_assert_uint_eq(pool_id_u64(cancel_id), 0);
    ck_assert_int_eq(
        sip_txn_cancel(txns, id, span_str(""), 78, now, &cancel_id), ERR_STATE);
    STORY("INVITE> 180! CANCEL>");
    ck_assert_int_eq(receive(response(200, "CANCEL")), SIP_MATCH_NONE);
    pass(32000);
    STORY("timeout! ended");
    finish();
}
END_TEST

START_TEST(an_invite_whose_cancel_could_not_be_sent_does_not_stay)
{
    start(SIP_WS);
    client("INVITE");
    receive(response(180, "INVITE"));
    send_error = ERR_CLOSED;
    ck_assert_int_eq(
        sip_txn_cancel(txns, id, span_str(""), 78, now, &cancel_id),
        ERR_CLOSED);
    pass(32000);
    STORY("INVITE> 180! timeout! ended");
    finish();
}
END_TEST

START_TEST(the_bytes_held_are_limited)
{
    struct sip_txn_stats stats;
    struct pool_id other;

    cfg.max_bytes = request("INVITE").len + 10;
    start(SIP_UDP);
    server("INVITE");
    sip_txns_stats(txns, &stats);
    ck_assert_uint_eq(stats.bytes, request("INVITE").len);
    branch = "z9hG4bKb";
    ck_assert_int_eq(
        sip_txns_client_new(txns, request("BYE"), &peer, 1, now, &other),
        ERR_LIMIT);
    branch = "z9hG4bKa";
    ck_assert_int_eq(respond(486, "INVITE"), ERR_LIMIT);
    STORY("");
    sip_txn_terminate(txns, id, now);
    finish();
}
END_TEST

START_TEST(zeros_in_the_configuration_are_refused)
{
    cfg.t1 = 0;
    ck_assert_int_eq(sip_txns_new(&txns, &cfg, &env), -EINVAL);
    cfg = sip_txn_config_default;
    cfg.max = 0;
    ck_assert_int_eq(sip_txns_new(&txns, &cfg, &env), -EINVAL);
    sip_txns_free(NULL);
}
END_TEST

/* A whole call; anything may lack memory, nothing may leak or crash. */
static int play(void)
{
    int err;

    err = sip_txns_new(&txns, &cfg, &env);
    if (err < 0)
        return err;
    err =
        sip_txns_server_new(txns, parse(request("INVITE")), &peer, 1, now, &id);
    if (err == 0)
        err = sip_txns_client_new(txns, request("INVITE"), &peer, 2, now,
                                  &cancel_id);
    if (err == 0) {
        receive(response(180, "INVITE"));
        err = respond(180, "INVITE");
    }
    if (err == 0)
        err = sip_txn_cancel(txns, cancel_id, span_str(""), 3, now, &cancel_id);
    if (err == 0)
        err = respond(487, "INVITE");
    sip_txns_free(txns);
    return err;
}

START_TEST(a_failed_allocation_is_survived_everywhere)
{
    int err = 0;

    start(SIP_UDP);
    sip_txns_free(txns);
    CK_OOM_SWEEP(err, err = play());
    ck_assert_no_blocks();
}
END_TEST

START_TEST(without_memory_for_the_ack_the_next_response_gets_it)
{
    start(SIP_UDP);
    client("INVITE");
    mem_fail_at(0);
    receive(response(486, "INVITE"));
    mem_fail_at(-1);
    STORY("INVITE> 486!");
    receive(response(486, "INVITE"));
    STORY("ACK>");
    pass(32000);
    STORY("ended");
    finish();
}
END_TEST

START_TEST(freeing_the_table_frees_what_runs)
{
    start(SIP_UDP);
    client("INVITE");
    branch = "z9hG4bKb";
    server("INVITE");
    respond(180, "INVITE");
    branch = "z9hG4bKa";
    sip_txns_free(txns);
    ck_assert_no_blocks();
}
END_TEST

static TCase *invite_stories(void)
{
    TCase *tc = tcase_create("invite");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, an_unanswered_invite_is_repeated_and_times_out);
    tcase_add_test(tc, an_invite_over_a_connection_is_sent_once);
    tcase_add_test(tc, a_ringing_invite_waits_without_repeating);
    tcase_add_test(tc, a_refused_invite_is_acknowledged_again_and_again);
    tcase_add_test(tc, a_refused_invite_over_a_connection_ends_at_once);
    tcase_add_test(tc, every_2xx_reaches_the_user_for_32_seconds);
    tcase_add_test(tc, a_cancel_is_its_own_transaction);
    tcase_add_test(tc, a_cancelled_invite_that_stays_silent_times_out);
    tcase_add_test(tc, a_2xx_that_crosses_the_cancel_wins);
    tcase_add_test(tc, a_slow_user_is_covered_by_an_automatic_100);
    tcase_add_test(tc, a_quick_answer_needs_no_100);
    tcase_add_test(tc, a_refusal_is_repeated_until_the_ack);
    tcase_add_test(tc, a_refusal_without_ack_is_given_up);
    tcase_add_test(tc, a_refusal_over_a_connection_is_sent_once);
    tcase_add_test(tc, an_accepted_invite_absorbs_and_passes_more_2xx);
    tcase_add_test(tc, an_ack_before_the_answer_is_ignored);
    tcase_add_test(tc, a_cancel_finds_its_invite);
    return tc;
}

static TCase *other_stories(void)
{
    TCase *tc = tcase_create("other");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc,
                   an_unanswered_request_is_repeated_up_to_t2_and_times_out);
    tcase_add_test(tc, a_provisional_slows_the_repetition_down);
    tcase_add_test(tc, over_a_connection_a_final_response_ends_it_at_once);
    tcase_add_test(tc, a_slow_answer_gets_a_100_as_rfc_4320_says);
    tcase_add_test(tc, what_rfc_4320_forbids_is_not_sent);
    tcase_add_test(tc, over_a_connection_an_answered_request_is_forgotten);
    tcase_add_test(tc, nobody_answers_in_anothers_place);
    tcase_add_test(tc, over_udp_the_port_may_differ_but_not_the_address);
    tcase_add_test(tc, over_tcp_a_neighbour_behind_the_same_nat_is_another);
    tcase_add_test(tc, a_response_needs_branch_and_method);
    tcase_add_test(tc, a_branch_in_use_is_refused);
    tcase_add_test(tc,
                   an_old_client_without_cookie_is_matched_by_everything_else);
    tcase_add_test(tc, a_client_that_never_changes_its_branch_is_served);
    return tc;
}

static TCase *failures(void)
{
    TCase *tc = tcase_create("failures");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, a_request_that_cannot_be_sent_makes_nothing);
    tcase_add_test(tc, a_repetition_that_cannot_be_sent_ends_it);
    tcase_add_test(tc, a_response_that_cannot_be_sent_is_told_to_the_caller);
    tcase_add_test(tc, a_closed_connection_ends_the_clients_on_it);
    tcase_add_test(tc, the_user_may_end_it_from_inside_a_callback);
    tcase_add_test(tc, stale_ids_find_nothing);
    tcase_add_test(tc, garbage_is_not_sent);
    tcase_add_test(tc, a_full_table_takes_no_more);
    tcase_add_test(tc, a_cancel_is_sent_even_when_the_table_is_full);
    tcase_add_test(tc, an_invite_whose_cancel_could_not_be_sent_does_not_stay);
    tcase_add_test(tc, the_bytes_held_are_limited);
    tcase_add_test(tc, zeros_in_the_configuration_are_refused);
    tcase_add_test(tc, a_failed_allocation_is_survived_everywhere);
    tcase_add_test(tc, without_memory_for_the_ack_the_next_response_gets_it);
    tcase_add_test(tc, freeing_the_table_frees_what_runs);
    return tc;
}

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sip_txn");

    suite_add_tcase(suite, invite_stories());
    suite_add_tcase(suite, other_stories());
    suite_add_tcase(suite, failures());
    return suite;
}
