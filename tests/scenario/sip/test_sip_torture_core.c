/* SPDX-License-Identifier: MIT */
/* The messages of RFC 4475 and RFC 5118 against the whole proxy: what a client
 * gets back for each, and that it is forwarded unchanged but for our edits. A
 * response nobody waits for is dropped whatever it looks like.
 */
#include "scenario/sip/support_world.h"
#include "support/vectors.h"

#include <stdio.h>

enum { FORWARDED = 1, SILENCE = 0 };

static const struct {
    const char *file;
    unsigned from_client; /* status, FORWARDED or SILENCE */
} cases[] = {
    {"rfc4475/wsinv.dat", 403}, /* a Route that is not ours */
    {"rfc4475/intmeth.dat", FORWARDED},
    {"rfc4475/esc01.dat", FORWARDED},
    {"rfc4475/escnull.dat", FORWARDED},
    {"rfc4475/esc02.dat", FORWARDED},
    {"rfc4475/lwsdisp.dat", FORWARDED},
    {"rfc4475/longreq.dat", FORWARDED},
    {"rfc4475/dblreq.dat", 400}, /* two messages in one frame */
    {"rfc4475/semiuri.dat", FORWARDED},
    {"rfc4475/transports.dat", FORWARDED},
    {"rfc4475/mpart01.dat", 403}, /* a Route that is not ours */
    {"rfc4475/unreason.dat", SILENCE},
    {"rfc4475/noreason.dat", SILENCE},
    {"rfc4475/badinv01.dat", SILENCE},
    {"rfc4475/clerr.dat", 400},
    {"rfc4475/ncl.dat", 400},
    {"rfc4475/scalar02.dat", 400},
    {"rfc4475/scalarlg.dat", SILENCE},
    {"rfc4475/quotbal.dat", 400},
    {"rfc4475/ltgtruri.dat", 400},
    {"rfc4475/lwsruri.dat", 400},
    {"rfc4475/lwsstart.dat", 400},
    {"rfc4475/trws.dat", 400},
    {"rfc4475/escruri.dat", 400},
    {"rfc4475/baddate.dat", FORWARDED},
    {"rfc4475/regbadct.dat", 400},
    {"rfc4475/badaspec.dat", 400},
    {"rfc4475/baddn.dat", 400},
    {"rfc4475/badvers.dat", 505},
    {"rfc4475/mismatch01.dat", 400},
    {"rfc4475/mismatch02.dat", 400},
    {"rfc4475/bigcode.dat", SILENCE},
    {"rfc4475/badbranch.dat", FORWARDED},
    {"rfc4475/insuf.dat", 400},
    {"rfc4475/unkscm.dat", 416},
    {"rfc4475/novelsc.dat", 416},
    {"rfc4475/unksm2.dat", FORWARDED}, /* the registrar's business */
    {"rfc4475/bext01.dat", 420},
    {"rfc4475/invut.dat", FORWARDED},
    {"rfc4475/regaut01.dat", FORWARDED},
    {"rfc4475/multi01.dat", 400},
    {"rfc4475/mcl01.dat", 400},
    {"rfc4475/bcast.dat", SILENCE},
    {"rfc4475/zeromf.dat", 483},
    {"rfc4475/cparam01.dat", FORWARDED},
    {"rfc4475/cparam02.dat", FORWARDED},
    {"rfc4475/regescrt.dat", FORWARDED},
    {"rfc4475/sdp01.dat", FORWARDED},
    {"rfc4475/inv2543.dat", FORWARDED},
    {"rfc5118/ipv6-good.dat", FORWARDED},
    {"rfc5118/ipv6-bad.dat", 400},
    {"rfc5118/port-ambiguous.dat", FORWARDED},
    {"rfc5118/port-unambiguous.dat", FORWARDED},
    {"rfc5118/via-received-param-with-delim.dat", 403}, /* BYE, no Route */
    {"rfc5118/via-received-param-no-delim.dat", FORWARDED},
    {"rfc5118/ipv6-in-sdp.dat", FORWARDED},
    {"rfc5118/mult-ip-in-header.dat", 403}, /* BYE, no Route */
    {"rfc5118/mult-ip-in-sdp.dat", FORWARDED},
    {"rfc5118/ipv4-mapped-ipv6.dat", FORWARDED},
    {"rfc5118/ipv6-bug-abnf-3-colons.dat", 400},
    {"rfc5118/ipv6-correct-abnf-2-colons.dat", FORWARDED},
};

static void setup(void)
{
    world_begin(1);
    world_connect(0, 0, 0);
}

static void teardown(void)
{
    for (int i = 0; i < 70; i++) {
        world_advance(5000);
        world_forget();
    }
    ck_assert_uint_eq(sip_core_pending(world.core[0]), 0);
    ck_assert_uint_eq(world.stats[0].transaction_bytes, 0);
    world_end();
}

/* Every header line of the original is there, and the body. */
static void check_unchanged(const struct sent *s, struct span original,
                            const char *file)
{
    static struct sip_msg was;
    const struct sip_msg *is = world_parse(s);

    ck_assert_int_eq(
        sip_msg_parse(&was, original, SIP_FRAMING_WS, &sip_limits_default), 0);
    ck_assert_msg(span_equal(is->body, was.body), "%s", file);
    ck_assert_msg(span_equal(is->method_name, was.method_name), "%s", file);
    ck_assert_msg(span_equal(is->uri_text, was.uri_text), "%s", file);
    for (unsigned i = 0; i < was.n_hdrs; i++) {
        const struct sip_hdr *hdr = &was.hdrs[i];
        bool is_ours = hdr->id == SIP_HDR_VIA ||
                       hdr->id == SIP_HDR_MAX_FORWARDS ||
                       hdr->id == SIP_HDR_CONTENT_LENGTH;

        ck_assert_msg(is_ours || span_search(is->raw, hdr->line) >= 0,
                      "%s: lost %.*s", file, SPAN_FMT(hdr->line));
    }
    ck_assert_uint_eq(is->n_vias, was.n_vias + 1);
}

START_TEST(a_client_that_sends_it_gets_this)
{
    struct span bytes = vectors_read(cases[_i].file);
    struct sip_target from = {
        .transport = SIP_WS,
        .remote = addr_v4(0xCB007100, 40000),
        .flow = world.conns[0].flow,
        .listener = WORLD_WS,
    };
    const struct sent *s;

    sip_core_on_message(world.core[0], &from, bytes, world.now);
    s = world_sent();
    if (cases[_i].from_client == SILENCE) {
        ck_assert_msg(s == NULL, "%s: %s", cases[_i].file, s ? s->text : "");
    } else if (cases[_i].from_client == FORWARDED) {
        ck_assert_msg(s != NULL && s->conn < 0, "%s: %s", cases[_i].file,
                      s ? s->text : "nothing");
        check_unchanged(s, bytes, cases[_i].file);
    } else {
        char start[32];

        (void)snprintf(start, sizeof(start), "SIP/2.0 %u ",
                       cases[_i].from_client);
        ck_assert_msg(s != NULL && strncmp(s->text, start, 12) == 0, "%s: %s",
                      cases[_i].file, s ? s->text : "nothing");
        ck_assert_int_eq(s->conn, 0);
    }
    ck_assert_msg(world_sent() == NULL, "%s", cases[_i].file);
    vectors_free(bytes);
}
END_TEST

/* From inside nothing of it may get out: no token, no connection. */
START_TEST(from_inside_it_reaches_no_client)
{
    struct span bytes = vectors_read(cases[_i].file);
    const struct sip_target from = {
        .transport = SIP_UDP,
        .remote = addr_v4(WORLD_SERVER_A, 5060),
        .listener = WORLD_UDP,
    };
    const struct sent *s;

    sip_core_on_message(world.core[0], &from, bytes, world.now);
    s = world_sent();
    if (s) {
        ck_assert_int_eq(s->conn, -1);
        ck_assert_int_eq(strncmp(s->text, "SIP/2.0 ", 8), 0);
        ck_assert_int_ge(s->text[8], '4');
    }
    ck_assert_ptr_null(world_sent());
    vectors_free(bytes);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sip_torture_core");
    TCase *tc = tcase_create("vectors");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, a_client_that_sends_it_gets_this, 0,
                        ARRAY_SIZE(cases));
    tcase_add_loop_test(tc, from_inside_it_reaches_no_client, 0,
                        ARRAY_SIZE(cases));
    suite_add_tcase(suite, tc);
    return suite;
}
