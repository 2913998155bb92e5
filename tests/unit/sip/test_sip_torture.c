/* SPDX-License-Identifier: MIT */
/* The messages of RFC 4475 and RFC 5118, each with the verdict of the parser.
 * What only another layer can object to (Max-Forwards of 0, an unknown scheme
 * or option tag) parses here; the daemon's tests have those.
 */
#include "base/err.h"
#include "msg/sip_edit.h"
#include "support/unit.h"
#include "support/vectors.h"

#include <stdio.h>

static const struct {
    const char *file;
    enum sip_fault fault;
    unsigned status; /* to answer */
} verdicts[] = {
    /* RFC 4475 3.1.1: valid */
    {"rfc4475/wsinv.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/intmeth.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/esc01.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/escnull.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/esc02.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/lwsdisp.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/longreq.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/dblreq.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/semiuri.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/transports.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/mpart01.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/unreason.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/noreason.dat", SIP_FAULT_NONE, 0},
    /* 3.1.2: invalid. A Via that cannot be read leaves nobody to answer. */
    {"rfc4475/badinv01.dat", SIP_FAULT_VIA, 0},
    {"rfc4475/clerr.dat", SIP_FAULT_CONTENT_LENGTH_LARGE, 400},
    {"rfc4475/ncl.dat", SIP_FAULT_CONTENT_LENGTH, 400},
    {"rfc4475/scalar02.dat", SIP_FAULT_CSEQ, 400},
    {"rfc4475/scalarlg.dat", SIP_FAULT_CSEQ, 0},
    {"rfc4475/quotbal.dat", SIP_FAULT_TO, 400},
    {"rfc4475/ltgtruri.dat", SIP_FAULT_REQUEST_URI, 400},
    {"rfc4475/lwsruri.dat", SIP_FAULT_REQUEST_URI, 400},
    {"rfc4475/lwsstart.dat", SIP_FAULT_REQUEST_LINE, 400},
    {"rfc4475/trws.dat", SIP_FAULT_REQUEST_LINE, 400},
    {"rfc4475/escruri.dat", SIP_FAULT_REQUEST_URI, 400},
    {"rfc4475/baddate.dat", SIP_FAULT_NONE, 0}, /* nobody here reads Date */
    {"rfc4475/regbadct.dat", SIP_FAULT_CONTACT, 400},
    {"rfc4475/badaspec.dat", SIP_FAULT_TO, 400},
    {"rfc4475/baddn.dat", SIP_FAULT_FROM, 400},
    {"rfc4475/badvers.dat", SIP_FAULT_VERSION, 505},
    {"rfc4475/mismatch01.dat", SIP_FAULT_CSEQ_METHOD, 400},
    {"rfc4475/mismatch02.dat", SIP_FAULT_CSEQ_METHOD, 400},
    {"rfc4475/bigcode.dat", SIP_FAULT_STATUS_LINE, 0},
    /* 3.2: transaction layer */
    {"rfc4475/badbranch.dat", SIP_FAULT_NONE, 0},
    /* 3.3: application layer */
    {"rfc4475/insuf.dat", SIP_FAULT_FROM, 400},
    {"rfc4475/unkscm.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/novelsc.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/unksm2.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/bext01.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/invut.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/regaut01.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/multi01.dat", SIP_FAULT_DUPLICATE, 400},
    {"rfc4475/mcl01.dat", SIP_FAULT_DUPLICATE, 400},
    {"rfc4475/bcast.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/zeromf.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/cparam01.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/cparam02.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/regescrt.dat", SIP_FAULT_NONE, 0},
    {"rfc4475/sdp01.dat", SIP_FAULT_NONE, 0},
    /* 3.4: of RFC 2543 */
    {"rfc4475/inv2543.dat", SIP_FAULT_NONE, 0},
    /* RFC 5118 4.1 to 4.10. The last one is liberal in what an element
     * should take; ":::" is no address and is refused here. */
    {"rfc5118/ipv6-good.dat", SIP_FAULT_NONE, 0},
    {"rfc5118/ipv6-bad.dat", SIP_FAULT_REQUEST_URI, 400},
    {"rfc5118/port-ambiguous.dat", SIP_FAULT_NONE, 0},
    {"rfc5118/port-unambiguous.dat", SIP_FAULT_NONE, 0},
    {"rfc5118/via-received-param-with-delim.dat", SIP_FAULT_NONE, 0},
    {"rfc5118/via-received-param-no-delim.dat", SIP_FAULT_NONE, 0},
    {"rfc5118/ipv6-in-sdp.dat", SIP_FAULT_NONE, 0},
    {"rfc5118/mult-ip-in-header.dat", SIP_FAULT_NONE, 0},
    {"rfc5118/mult-ip-in-sdp.dat", SIP_FAULT_NONE, 0},
    {"rfc5118/ipv4-mapped-ipv6.dat", SIP_FAULT_NONE, 0},
    {"rfc5118/ipv6-bug-abnf-3-colons.dat", SIP_FAULT_REQUEST_URI, 400},
    {"rfc5118/ipv6-correct-abnf-2-colons.dat", SIP_FAULT_NONE, 0},
};

static struct sip_msg msg;

static int parse_file(const char *file, struct span *ret_bytes)
{
    *ret_bytes = vectors_read(file);
    return sip_msg_parse(&msg, *ret_bytes, SIP_FRAMING_DATAGRAM,
                         &sip_limits_default);
}

START_TEST(each_message_gets_its_verdict)
{
    const char *file = verdicts[_i].file;
    struct span bytes;
    int err;

    err = parse_file(file, &bytes);
    ck_assert_msg(msg.fault == verdicts[_i].fault, "%s: \"%s\", not \"%s\"",
                  file, sip_fault_str(msg.fault),
                  sip_fault_str(verdicts[_i].fault));
    ck_assert_msg((err == 0) == (msg.fault == SIP_FAULT_NONE), "%s", file);
    if (verdicts[_i].status) {
        ck_assert_uint_eq(sip_fault_status(msg.fault), verdicts[_i].status);
        ck_assert(sip_msg_is_answerable(&msg));
    } else if (err < 0) {
        ck_assert(!sip_msg_is_answerable(&msg));
    }
    vectors_free(bytes);
}
END_TEST

START_TEST(what_parses_comes_out_of_an_empty_edit_as_it_was)
{
    struct sip_edit edit;
    struct span bytes;
    struct buf out;

    if (parse_file(verdicts[_i].file, &bytes) == 0) {
        buf_init(&out, 65535);
        sip_edit_init(&edit);
        sip_edit_begin(&edit, &msg);
        ck_assert_int_eq(sip_edit_write(&edit, &out), 0);
        ck_assert(span_equal(buf_span(&out), msg.raw));
        ck_assert(span_equal(msg.raw, span_head(bytes, msg.raw.len)));
        sip_edit_deinit(&edit);
        buf_deinit(&out);
    }
    vectors_free(bytes);
    ck_assert_no_blocks();
}
END_TEST

START_TEST(the_tortuous_invite_is_understood)
{
    struct sip_values vias;
    struct sip_contact contact;
    struct sip_via via;
    struct span bytes;
    struct span value;

    ck_assert_int_eq(parse_file("rfc4475/wsinv.dat", &bytes), 0);
    ck_assert_int_eq(msg.method, SIP_METHOD_INVITE);
    ck_assert_uint_eq(msg.max_forwards, 68);
    ck_assert_uint_eq(msg.cseq.number, 9);
    ck_assert_span_eq(msg.to.tag, "1918181833n");
    ck_assert_span_eq(msg.from.tag, "98asjd8");
    ck_assert_span_eq(msg.from.display, "\"J Rosenberg \\\\\\\"\"");
    ck_assert_span_eq(msg.from.uri, "sip:jdrosen@example.com");
    ck_assert_uint_eq(msg.body.len, 150);
    ck_assert_uint_eq(msg.n_vias, 3);
    ck_assert_uint_eq(msg.n_routes, 1);
    ck_assert_span_eq(msg.via.branch, "390skdjuw");
    ck_assert(!sip_via_is_3261(&msg.via));
    ck_assert_ptr_nonnull(sip_msg_find(&msg, SIP_HDR_SUBJECT));
    ck_assert_span_eq(sip_msg_value(&msg, SIP_HDR_SUBJECT), "");

    vias = sip_values_of(&msg, SIP_HDR_VIA);
    for (int i = 0; i < 3; i++)
        ck_assert(sip_values_next(&vias));
    ck_assert_int_eq(sip_via_parse(vias.item, &via), 0);
    ck_assert_span_eq(via.sent_by.name, "192.168.255.111");
    ck_assert_span_eq(via.branch, "z9hG4bK30239");

    ck_assert(sip_msg_nth(&msg, SIP_HDR_CONTACT, 0, &value));
    ck_assert_int_eq(sip_contact_parse(value, &contact), 0);
    ck_assert_uint_eq(contact.q, 330);
    vectors_free(bytes);
}
END_TEST

START_TEST(a_second_message_in_a_datagram_is_not_part_of_the_first)
{
    struct span bytes;

    ck_assert_int_eq(parse_file("rfc4475/dblreq.dat", &bytes), 0);
    ck_assert_int_eq(msg.method, SIP_METHOD_REGISTER);
    ck_assert_uint_eq(msg.body.len, 0);
    ck_assert_uint_lt(msg.raw.len, bytes.len);
    vectors_free(bytes);
}
END_TEST

START_TEST(a_port_inside_the_brackets_is_part_of_the_address)
{
    struct span bytes;

    ck_assert_int_eq(parse_file("rfc5118/port-ambiguous.dat", &bytes), 0);
    ck_assert_span_eq(msg.uri.host.name, "2001:db8::10:5070");
    ck_assert_uint_eq(msg.uri.host.port, 0);
    vectors_free(bytes);
    ck_assert_int_eq(parse_file("rfc5118/port-unambiguous.dat", &bytes), 0);
    ck_assert_span_eq(msg.uri.host.name, "2001:db8::10");
    ck_assert_uint_eq(msg.uri.host.port, 5070);
    vectors_free(bytes);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sip_torture");
    TCase *tc = tcase_create("vectors");

    tcase_add_loop_test(tc, each_message_gets_its_verdict, 0,
                        ARRAY_SIZE(verdicts));
    tcase_add_loop_test(tc, what_parses_comes_out_of_an_empty_edit_as_it_was, 0,
                        ARRAY_SIZE(verdicts));
    tcase_add_test(tc, the_tortuous_invite_is_understood);
    tcase_add_test(tc, a_second_message_in_a_datagram_is_not_part_of_the_first);
    tcase_add_test(tc, a_port_inside_the_brackets_is_part_of_the_address);
    suite_add_tcase(suite, tc);
    return suite;
}
