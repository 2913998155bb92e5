/* SPDX-License-Identifier: MIT */
#include "base/err.h"
#include "msg/sip_hdr.h"
#include "support/unit.h"

START_TEST(names_are_found_in_any_case_and_in_compact_form)
{
    ck_assert_int_eq(sip_hdr_lookup(span_str("VIA")), SIP_HDR_VIA);
    ck_assert_int_eq(sip_hdr_lookup(span_str("v")), SIP_HDR_VIA);
    ck_assert_int_eq(sip_hdr_lookup(span_str("L")), SIP_HDR_CONTENT_LENGTH);
    ck_assert_int_eq(sip_hdr_lookup(span_str("cOntent-length")),
                     SIP_HDR_CONTENT_LENGTH);
    ck_assert_int_eq(sip_hdr_lookup(span_str("X-Foo")), SIP_HDR_OTHER);
    ck_assert_int_eq(sip_hdr_lookup(span_str("z")), SIP_HDR_OTHER);
    ck_assert_int_eq(sip_hdr_lookup(span_str("")), SIP_HDR_OTHER);
    ck_assert_int_eq(sip_hdr_lookup(span_str("Vi")), SIP_HDR_OTHER);
    for (int i = SIP_HDR_OTHER + 1; i < SIP_HDR_COUNT; i++) {
        enum sip_hdr_id id = (enum sip_hdr_id)i;

        ck_assert_int_eq(sip_hdr_lookup(span_str(sip_hdr_name(id))), id);
    }
    ck_assert(sip_hdr_is_single(SIP_HDR_TO));
    ck_assert(!sip_hdr_is_single(SIP_HDR_VIA));
    ck_assert(!sip_hdr_is_single(SIP_HDR_OTHER));
}
END_TEST

START_TEST(methods_are_case_sensitive)
{
    ck_assert_int_eq(sip_method_lookup(span_str("INVITE")), SIP_METHOD_INVITE);
    ck_assert_int_eq(sip_method_lookup(span_str("UPDATE")), SIP_METHOD_UPDATE);
    ck_assert_int_eq(sip_method_lookup(span_str("invite")), SIP_METHOD_OTHER);
    ck_assert_int_eq(sip_method_lookup(span_str("")), SIP_METHOD_OTHER);
}
END_TEST

START_TEST(a_list_is_cut_at_its_own_commas_only)
{
    struct span rest =
        span_str(" a , ,\"x,y\\\",\" <sip:b,c@d>;z ,\r\n <e,\"f>,g");
    struct span item;

    ck_assert(sip_list_next(&rest, &item));
    ck_assert_span_eq(item, "a");
    ck_assert(sip_list_next(&rest, &item));
    ck_assert_span_eq(item, "\"x,y\\\",\" <sip:b,c@d>;z");
    ck_assert(sip_list_next(&rest, &item));
    ck_assert_span_eq(item, "<e,\"f>");
    ck_assert(sip_list_next(&rest, &item));
    ck_assert_span_eq(item, "g");
    ck_assert(!sip_list_next(&rest, &item));
    rest = span_str(" ,, ");
    ck_assert(!sip_list_next(&rest, &item));
}
END_TEST

START_TEST(a_via_is_taken_apart)
{
    struct sip_via via;

    ck_assert_int_eq(
        sip_via_parse(span_str("SIP / 2.0/WSS  Df7.invalid ;rport;"
                               "branch=z9hG4bKabc;Received=\r\n 192.0.2.1; x"),
                      &via),
        0);
    ck_assert_int_eq(via.transport, SIP_WSS);
    ck_assert_span_eq(via.sent_by.name, "Df7.invalid");
    ck_assert_uint_eq(via.sent_by.port, 0);
    ck_assert_span_eq(via.branch, "z9hG4bKabc");
    ck_assert(sip_via_is_3261(&via));
    ck_assert_span_eq(via.received, "192.0.2.1");
    ck_assert(via.has_rport);
    ck_assert_uint_eq(via.rport, 0);

    ck_assert_int_eq(sip_via_parse(span_str("SIP/2.0/SCTP [::1] : 5070;rport=9;"
                                            "maddr=224.2.0.1"),
                                   &via),
                     0);
    ck_assert_int_eq(via.transport, SIP_TRANSPORT_NONE);
    ck_assert_span_eq(via.transport_name, "SCTP");
    ck_assert_uint_eq(via.sent_by.port, 5070);
    ck_assert_uint_eq(via.rport, 9);
    ck_assert_span_eq(via.maddr, "224.2.0.1");
    ck_assert_uint_eq(via.branch.len, 0);
    ck_assert(!sip_via_is_3261(&via));
}
END_TEST

START_TEST(the_cookie_alone_is_no_branch)
{
    struct sip_via via;

    ck_assert_int_eq(
        sip_via_parse(span_str("SIP/2.0/UDP h;branch=z9hG4bK"), &via), 0);
    ck_assert(!sip_via_is_3261(&via));
}
END_TEST

static const char *const bad_vias[] = {
    "",
    "SIP/2.0/UDP",
    "SIP/2.0 UDP h",
    "HTTP/1.1/TCP h",
    "SIP/2.0/UDPh",
    "SIP/2.0/UDP h;",
    "SIP/2.0/UDP h;;branch=x",
    "SIP/2.0/UDP h;branch=",
    "SIP/2.0/UDP h;branch",
    "SIP/2.0/UDP h;branch=a;branch=b",
    "SIP/2.0/UDP h;received=1.2.3.4;received=1.2.3.5",
    "SIP/2.0/UDP h;rport;rport",
    "SIP/2.0/UDP h;rport=65536",
    "SIP/2.0/UDP h;rport=-1",
    "SIP/2.0/UDP h h2;branch=a",
    "SIP/2.0/UDP ;branch=a",
    "SIP/2.0/UDP h:0x50;branch=a",
    "SIP/2.0/UDP [::1;branch=a",
    "SIP/2.0/UDP h;b r=a",
    "SIP/2.0/UDP h;a=\"",
};

START_TEST(broken_vias_are_refused)
{
    struct sip_via via;

    ck_assert_msg(sip_via_parse(span_str(bad_vias[_i]), &via) == ERR_PARSE,
                  "%s", bad_vias[_i]);
}
END_TEST

START_TEST(addresses_come_with_and_without_brackets)
{
    struct sip_addr a;

    ck_assert_int_eq(
        sip_addr_parse(span_str("\"A \\\" <B>\" <sip:a@b;x?y> ; tag = 1;z"),
                       &a),
        0);
    ck_assert_span_eq(a.display, "\"A \\\" <B>\"");
    ck_assert_span_eq(a.uri, "sip:a@b;x?y");
    ck_assert(a.has_brackets);
    ck_assert_span_eq(a.tag, "1");

    ck_assert_int_eq(sip_addr_parse(span_str("<sip:a@b>;tag=a=/b"), &a), 0);
    ck_assert_span_eq(a.tag, "a=/b");

    ck_assert_int_eq(sip_addr_parse(span_str("sip:a@b;tag=x"), &a), 0);
    ck_assert_span_eq(a.uri, "sip:a@b");
    ck_assert_span_eq(a.tag, "x");
    ck_assert(!a.has_brackets);

    ck_assert_int_eq(sip_addr_parse(span_str("J\xc3\xb6rg  D. <sip:a@b>"), &a),
                     0);
    ck_assert_span_eq(a.display, "J\xc3\xb6rg  D.");
    ck_assert_uint_eq(a.tag.len, 0);

    ck_assert_int_eq(sip_addr_parse(span_str("<sip:a@b>"), &a), 0);
    ck_assert_uint_eq(a.display.len, 0);
}
END_TEST

static const char *const bad_addrs[] = {
    "",
    "<>",
    "sip",
    "<a@b>",
    "\"A",
    "\"A\" sip:a@b",
    "\"A <sip:a@b>",
    "A, B <sip:a@b>",
    "<sip:a@b",
    "<sip:a b>",
    "< sip:a@b>",
    "<sip:a@b>x",
    "<sip:a@b>;",
    "<sip:a@b>;;tag=1",
    "<sip:a@b>;tag",
    "<sip:a@b>;tag=",
    "<sip:a@b>;tag=a b",
    "<sip:a@b>;tag=a,b",
    "<sip:a@b>;tag=\"a\"",
    "<sip:a@b>;tag=1;tag=2",
    "<sip:a@b>;t\x01g",
    "<<sip:a@b>>",
    "sip:a@b?x=y",
    "sip:a,b@c",
    "sip:a@b c",
    "<:x>",
};

START_TEST(broken_addresses_are_refused)
{
    struct sip_addr a;

    ck_assert_msg(sip_addr_parse(span_str(bad_addrs[_i]), &a) == ERR_PARSE,
                  "%s", bad_addrs[_i]);
}
END_TEST

START_TEST(a_contact_says_what_a_registrar_reads)
{
    struct sip_contact c;

    ck_assert_int_eq(
        sip_contact_parse(
            span_str("<sip:x@abc.invalid;transport=ws>;+sip.instance=\"<urn:"
                     "uuid:1>\";reg-id=1;expires=600;q=0.5"),
            &c),
        0);
    ck_assert_span_eq(c.instance, "urn:uuid:1");
    ck_assert_uint_eq(c.reg_id, 1);
    ck_assert(c.has_expires);
    ck_assert_uint_eq(c.expires, 600);
    ck_assert_uint_eq(c.q, 500);
    ck_assert(!c.is_star);

    ck_assert_int_eq(sip_contact_parse(span_str(" * "), &c), 0);
    ck_assert(c.is_star);

    ck_assert_int_eq(sip_contact_parse(span_str("sip:x@y"), &c), 0);
    ck_assert(!c.has_expires);
    ck_assert_uint_eq(c.q, 1000);
    ck_assert_uint_eq(c.instance.len, 0);
}
END_TEST

static const char *const bad_contacts[] = {
    "<sip:x@y>;q=1.1",    "<sip:x@y>;q=2",
    "<sip:x@y>;q=",       "<sip:x@y>;q=0.1234",

    "<sip:x@y>;reg-id=a", "**",
};

START_TEST(broken_contacts_are_refused)
{
    struct sip_contact c;

    ck_assert_msg(sip_contact_parse(span_str(bad_contacts[_i]), &c) ==
                      ERR_PARSE,
                  "%s", bad_contacts[_i]);
}
END_TEST

START_TEST(a_cseq_is_a_number_below_2_31_and_a_method)
{
    struct sip_cseq c;

    ck_assert_int_eq(sip_cseq_parse(span_str("0009\r\n  INVITE"), &c), 0);
    ck_assert_uint_eq(c.number, 9);
    ck_assert_int_eq(c.method, SIP_METHOD_INVITE);
    ck_assert_int_eq(sip_cseq_parse(span_str("2147483647 FOO"), &c), 0);
    ck_assert_int_eq(c.method, SIP_METHOD_OTHER);
    ck_assert_span_eq(c.method_name, "FOO");
    ck_assert_int_eq(sip_cseq_parse(span_str("2147483648 FOO"), &c), ERR_PARSE);
    ck_assert_int_eq(sip_cseq_parse(span_str("1INVITE"), &c), ERR_PARSE);
    ck_assert_int_eq(sip_cseq_parse(span_str("-1 INVITE"), &c), ERR_PARSE);
    ck_assert_int_eq(sip_cseq_parse(span_str("1 "), &c), ERR_PARSE);
    ck_assert_int_eq(sip_cseq_parse(span_str(""), &c), ERR_PARSE);
    ck_assert_int_eq(sip_cseq_parse(span_str("1 IN VITE"), &c), ERR_PARSE);
}
END_TEST

START_TEST(numbers_have_digits_only)
{
    uint32_t n;

    ck_assert_int_eq(sip_number_parse(span_str(" 0070 "), 255, &n), 0);
    ck_assert_uint_eq(n, 70);
    ck_assert_int_eq(sip_number_parse(span_str("256"), 255, &n), ERR_PARSE);
    ck_assert_int_eq(sip_number_parse(span_str("+5"), 255, &n), ERR_PARSE);
    ck_assert_int_eq(sip_number_parse(span_str("0x5"), 255, &n), ERR_PARSE);
    ck_assert_int_eq(sip_number_parse(span_str("5 5"), 255, &n), ERR_PARSE);
    ck_assert_int_eq(sip_number_parse(span_str(""), 255, &n), ERR_PARSE);
    ck_assert_int_eq(
        sip_retry_after_parse(span_str("120 (in a meeting);duration=3600"), &n),
        0);
    ck_assert_uint_eq(n, 120);
    ck_assert_int_eq(sip_retry_after_parse(span_str("18000;duration=3600"), &n),
                     0);
    ck_assert_uint_eq(n, 18000);
    ck_assert_int_eq(sip_retry_after_parse(span_str("12x"), &n), ERR_PARSE);
    ck_assert_int_eq(sip_retry_after_parse(span_str("(x)"), &n), ERR_PARSE);
}
END_TEST

START_TEST(call_ids_are_visible_characters)
{
    ck_assert(sip_call_id_is_valid(span_str("a84b4c76e66710@pc33.example")));
    ck_assert(
        sip_call_id_is_valid(span_str("word%ZK-!.*_+'@word`~)(><:\\/\"[")));
    ck_assert(sip_call_id_is_valid(span_str("YWJj==@a@b")));
    ck_assert(!sip_call_id_is_valid(span_str("")));
    ck_assert(!sip_call_id_is_valid(span_str("a b")));
    ck_assert(!sip_call_id_is_valid(span_str("a\x01")));
    ck_assert(!sip_call_id_is_valid(span_str("a\x80")));
}
END_TEST

START_TEST(a_malformed_expires_is_as_if_not_there)
{
    struct sip_contact c;

    ck_assert_int_eq(
        sip_contact_parse(span_str("<sip:x@y>;expires=280297596632815"), &c),
        0);
    ck_assert(!c.has_expires);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sip_hdr");
    TCase *tc = tcase_create("values");

    tcase_add_test(tc, names_are_found_in_any_case_and_in_compact_form);
    tcase_add_test(tc, methods_are_case_sensitive);
    tcase_add_test(tc, a_list_is_cut_at_its_own_commas_only);
    tcase_add_test(tc, a_via_is_taken_apart);
    tcase_add_test(tc, the_cookie_alone_is_no_branch);
    tcase_add_loop_test(tc, broken_vias_are_refused, 0, ARRAY_SIZE(bad_vias));
    tcase_add_test(tc, addresses_come_with_and_without_brackets);
    tcase_add_loop_test(tc, broken_addresses_are_refused, 0,
                        ARRAY_SIZE(bad_addrs));
    tcase_add_test(tc, a_contact_says_what_a_registrar_reads);
    tcase_add_loop_test(tc, broken_contacts_are_refused, 0,
                        ARRAY_SIZE(bad_contacts));
    tcase_add_test(tc, a_cseq_is_a_number_below_2_31_and_a_method);
    tcase_add_test(tc, numbers_have_digits_only);
    tcase_add_test(tc, call_ids_are_visible_characters);
    tcase_add_test(tc, a_malformed_expires_is_as_if_not_there);
    suite_add_tcase(suite, tc);
    return suite;
}
