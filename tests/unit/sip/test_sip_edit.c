/* SPDX-License-Identifier: MIT */
#include "base/err.h"
#include "msg/sip_edit.h"
#include "support/unit.h"

#include <errno.h>
#include <stdio.h>

#define LINE "INVITE sip:bob@b.example SIP/2.0\r\n"
#define VIA1 "Via: SIP/2.0/WSS x.invalid;branch=z9hG4bK1;rport\r\n"
#define VIA2                                                                   \
    "v: SIP/2.0/UDP a;branch=z9hG4bK2, SIP/2.0/UDP b;branch=z9hG4bK3\r\n"
#define REST                                                                   \
    "Max-Forwards: 70\r\n"                                                     \
    "To: <sip:bob@b.example>\r\n"                                              \
    "From: <sip:a@a.example>;tag=1\r\n"                                        \
    "Call-ID: c\r\n"                                                           \
    "CSeq: 1 INVITE\r\n"
#define ROUTES                                                                 \
    "Route: <sip:r1;lr>,  <sip:r2;lr>\r\n"                                     \
    "Route: <sip:r3;lr>\r\n"
#define BODY "\r\nv=0\r\n"

static struct sip_msg msg;
static struct sip_edit edit;
static struct buf out;

static void begin(const char *text)
{
    ck_assert_int_eq(sip_msg_parse(&msg, span_str(text), SIP_FRAMING_WS,
                                   &sip_limits_default),
                     0);
    sip_edit_init(&edit);
    sip_edit_begin(&edit, &msg);
    buf_init(&out, 65535);
}

static void end(void)
{
    sip_edit_deinit(&edit);
    buf_deinit(&out);
    ck_assert_no_blocks();
}

static void finish(const char *expected)
{
    size_t size = sip_edit_size(&edit);

    ck_assert_int_eq(sip_edit_write(&edit, &out), 0);
    ck_assert_span_eq(buf_span(&out), expected);
    ck_assert_uint_eq(size, buf_len(&out));
    end();
}

START_TEST(an_edit_without_changes_copies)
{
    begin(LINE VIA1 VIA2 ROUTES REST BODY);
    finish(LINE VIA1 VIA2 ROUTES REST BODY);
}
END_TEST

START_TEST(the_proxys_request_edits_work_together)
{
    struct addr source;

    ck_assert_int_eq(addr_parse(span_str("192.0.2.9:4711"), &source), 0);
    begin(LINE VIA1 ROUTES REST BODY);
    sip_edit_set_max_forwards(&edit, msg.max_forwards - 1);
    sip_edit_via_source(&edit, &source, false);
    sip_edit_push_via(&edit, SIP_UDP, span_str("10.0.0.1:5060"),
                      span_str("z9hG4bKnew"), span_str("x=1"));
    sip_edit_push(&edit, SIP_HDR_RECORD_ROUTE, span_str("<sip:upper;lr>"));
    sip_edit_push(&edit, SIP_HDR_RECORD_ROUTE, span_str("<sip:lower;lr>"));
    sip_edit_pop(&edit, SIP_HDR_ROUTE, 1);
    sip_edit_add_option(&edit, SIP_HDR_SUPPORTED, "path");
    sip_edit_ensure_content_length(&edit);
    sip_edit_set_uri(&edit, span_str("sip:bob@10.0.0.2"));
    finish("INVITE sip:bob@10.0.0.2 SIP/2.0\r\n"
           "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKnew;x=1\r\n"
           "Via: SIP/2.0/WSS x.invalid;branch=z9hG4bK1;rport=4711"
           ";received=192.0.2.9\r\n"
           "Record-Route: <sip:upper;lr>\r\n"
           "Record-Route: <sip:lower;lr>\r\n"
           "Route: <sip:r2;lr>\r\n"
           "Route: <sip:r3;lr>\r\n"
           "Max-Forwards: 69\r\n"
           "To: <sip:bob@b.example>\r\n"
           "From: <sip:a@a.example>;tag=1\r\n"
           "Call-ID: c\r\n"
           "CSeq: 1 INVITE\r\n"
           "Supported: path\r\n"
           "Content-Length: 5\r\n" BODY);
}
END_TEST

static const struct {
    unsigned n;
    const char *routes;
} pops[] = {
    {0, ROUTES},
    {1, "Route: <sip:r2;lr>\r\nRoute: <sip:r3;lr>\r\n"},
    {2, "Route: <sip:r3;lr>\r\n"},
    {3, ""},
    {4, ""},
};

START_TEST(values_are_popped_across_lines)
{
    char expected[1024];

    begin(LINE VIA1 ROUTES REST BODY);
    sip_edit_pop(&edit, SIP_HDR_ROUTE, pops[_i].n);
    snprintf(expected, sizeof(expected), LINE VIA1 "%s" REST BODY,
             pops[_i].routes);
    finish(expected);
}
END_TEST

START_TEST(popping_the_only_via_of_a_line_removes_the_line)
{
    begin(LINE VIA1 VIA2 REST BODY);
    sip_edit_pop(&edit, SIP_HDR_VIA, 1);
    finish(LINE VIA2 REST BODY);
    begin(LINE VIA2 REST BODY);
    sip_edit_pop(&edit, SIP_HDR_VIA, 1);
    finish(LINE "v: SIP/2.0/UDP b;branch=z9hG4bK3\r\n" REST BODY);
}
END_TEST

static const struct {
    unsigned skip;
    const char *routes;
} removals[] = {
    {1, "Route: <sip:r2;lr>\r\nRoute: <sip:r3;lr>\r\n"},
    {2, "Route: <sip:r1;lr>\r\nRoute: <sip:r3;lr>\r\n"},
    {3, "Route: <sip:r1;lr>,  <sip:r2;lr>\r\n"},
};

START_TEST(one_value_is_taken_out_of_a_list)
{
    char expected[1024];
    struct sip_values v;

    begin(LINE VIA1 ROUTES REST BODY);
    v = sip_values_of(&msg, SIP_HDR_ROUTE);
    for (unsigned i = 0; i < removals[_i].skip; i++)
        ck_assert(sip_values_next(&v));
    sip_edit_remove_value(&edit, &v);
    snprintf(expected, sizeof(expected), LINE VIA1 "%s" REST BODY,
             removals[_i].routes);
    finish(expected);
}
END_TEST

START_TEST(names_are_removed_however_they_are_written)
{
    begin(LINE VIA1 "X-Secret: 1\r\nx-secret\t : 2\r\n 3\r\nm: <sip:a>\r\n"
                    "X-Secrets: 4\r\nContact : <sip:b>\r\n" REST BODY);
    sip_edit_remove_name(&edit, span_str("X-SECRET"));
    sip_edit_remove_name(&edit, span_str("contact"));
    sip_edit_remove_name(&edit, span_str("absent"));
    finish(LINE VIA1 "X-Secrets: 4\r\n" REST BODY);
}
END_TEST

START_TEST(set_leaves_one_field)
{
    begin(LINE VIA1 "Reason: a\r\nReason: b\r\n" REST BODY);
    sip_edit_set(&edit, SIP_HDR_REASON, span_str("c"));
    sip_edit_set(&edit, SIP_HDR_EXPIRES, span_str("60"));
    finish(LINE VIA1 "Reason: c\r\n" REST "Expires: 60\r\n" BODY);
}
END_TEST

START_TEST(a_missing_max_forwards_is_added)
{
    begin(LINE VIA1 "To: <sip:b>\r\nFrom: <sip:a>\r\ni: c\r\n"
                    "CSeq: 1 INVITE\r\n" BODY);
    sip_edit_set_max_forwards(&edit, 70);
    finish(LINE VIA1 "To: <sip:b>\r\nFrom: <sip:a>\r\ni: c\r\n"
                     "CSeq: 1 INVITE\r\nMax-Forwards: 70\r\n" BODY);
}
END_TEST

START_TEST(an_option_that_is_there_is_left_alone)
{
    begin(LINE VIA1 "k: gruu, Path\r\n" REST BODY);
    sip_edit_add_option(&edit, SIP_HDR_SUPPORTED, "path");
    finish(LINE VIA1 "k: gruu, Path\r\n" REST BODY);
}
END_TEST

START_TEST(content_length_comes_out_in_plain_digits)
{
    begin(LINE VIA1 REST "l:\r\n 005\r\n" BODY);
    sip_edit_ensure_content_length(&edit);
    finish(LINE VIA1 REST "Content-Length: 5\r\n" BODY);
    begin(LINE VIA1 REST "l: 5\r\n" BODY);
    sip_edit_ensure_content_length(&edit);
    finish(LINE VIA1 REST "l: 5\r\n" BODY);
}
END_TEST

START_TEST(parts_of_a_uri_are_replaced_in_place)
{
    struct sip_values v;
    struct sip_contact c;
    struct sip_uri uri;
    struct sip_param p;

    begin(LINE VIA1 "Contact: \"x\" <sips:a%20b@df7.invalid;rtcweb=yes"
                    ";transport=wss>;expires=200\r\n" REST BODY);
    v = sip_values_of(&msg, SIP_HDR_CONTACT);
    ck_assert(sip_values_next(&v));
    ck_assert_int_eq(sip_contact_parse(v.item, &c), 0);
    ck_assert_int_eq(sip_uri_parse(c.addr.uri, &uri), 0);
    sip_edit_replace(&edit, uri.scheme_name, span_str("sip"));
    ck_assert(sip_param_find(uri.params, "transport", &p));
    sip_edit_remove(&edit, span_of(p.text.ptr - 1, p.text.len + 1));
    sip_edit_insert_after(&edit, uri.host.hostport, span_str(":5060"));
    sip_edit_insert_before(&edit, uri.host.hostport, span_str("x."));
    finish(LINE VIA1 "Contact: \"x\" <sip:a%20b@x.df7.invalid:5060;rtcweb=yes"
                     ">;expires=200\r\n" REST BODY);
}
END_TEST

/* --- received and rport --- */

static const struct {
    const char *via;
    const char *source;
    bool force;
    const char *expected;
} sources[] = {
    {"h;branch=b", "192.0.2.1:5060", false, "h;branch=b;received=192.0.2.1"},
    {"192.0.2.1;branch=b", "192.0.2.1:9", false, "192.0.2.1;branch=b"},
    {"192.0.2.2;branch=b", "192.0.2.1:9", false,
     "192.0.2.2;branch=b;received=192.0.2.1"},
    {"192.0.2.1;rport;branch=b", "192.0.2.1:9", false,
     "192.0.2.1;rport=9;branch=b;received=192.0.2.1"},
    {"192.0.2.1;branch=b", "192.0.2.1:9", true,
     "192.0.2.1;branch=b;received=192.0.2.1;rport=9"},
    {"h;received=10.0.0.1;rport=1;branch=b", "192.0.2.1:9", false,
     "h;received=192.0.2.1;rport=9;branch=b"},
    {"192.0.2.1;received=10.0.0.1;branch=b", "192.0.2.1:9", false,
     "192.0.2.1;received=192.0.2.1;branch=b"},
    {"[2001:db8::1]:5060;branch=b", "[2001:db8::2]:7", true,
     "[2001:db8::1]:5060;branch=b;received=2001:db8::2;rport=7"},
};

START_TEST(the_senders_claims_are_overwritten)
{
    char text[1024];
    char expected[1024];
    struct addr source;

    snprintf(text, sizeof(text), LINE "Via: SIP/2.0/UDP %s\r\n" REST BODY,
             sources[_i].via);
    snprintf(expected, sizeof(expected),
             LINE "Via: SIP/2.0/UDP %s\r\n" REST BODY, sources[_i].expected);
    ck_assert_int_eq(addr_parse(span_str(sources[_i].source), &source), 0);
    begin(text);
    sip_edit_via_source(&edit, &source, sources[_i].force);
    finish(expected);
}
END_TEST

/* --- errors --- */

START_TEST(removing_twice_is_removing_once)
{
    begin(LINE VIA1 "Reason: a\r\nk: b\r\nReason: c\r\n" REST BODY);
    sip_edit_remove_name(&edit, span_str("Reason"));
    sip_edit_remove_name(&edit, span_str("reason"));
    sip_edit_remove_name(&edit, span_str("k"));
    sip_edit_remove_name(&edit, span_str("Supported"));
    ck_assert_int_eq(sip_edit_write(&edit, &out), 0);
    ck_assert_span_eq(buf_span(&out), LINE VIA1 REST BODY);
    end();
}
END_TEST

START_TEST(overlapping_changes_are_an_error)
{
    begin(LINE VIA1 ROUTES REST BODY);
    sip_edit_remove_all(&edit, SIP_HDR_ROUTE);
    sip_edit_set(&edit, SIP_HDR_ROUTE, span_str("<sip:x>"));
    ck_assert_int_eq(sip_edit_write(&edit, &out), ERR_STATE);
    end();
}
END_TEST

START_TEST(a_span_of_another_message_is_an_error)
{
    static const char other[] = "x";

    begin(LINE VIA1 REST BODY);
    sip_edit_remove(&edit, span_of(other, 1));
    sip_edit_set_max_forwards(&edit, 1);
    ck_assert_int_eq(sip_edit_write(&edit, &out), ERR_STATE);
    end();
}
END_TEST

START_TEST(changes_and_text_are_limited)
{
    static char big[SIP_EDIT_MAX_TEXT + 1];

    begin(LINE VIA1 REST BODY);
    for (int i = 0; i < SIP_EDIT_MAX_CHANGES; i++)
        sip_edit_add(&edit, "X", span_str("y"));
    ck_assert_int_eq(sip_edit_write(&edit, &out), 0);
    buf_reset(&out);
    sip_edit_add(&edit, "X", span_str("y"));
    ck_assert_int_eq(sip_edit_write(&edit, &out), ERR_LIMIT);
    sip_edit_begin(&edit, &msg);
    sip_edit_set_uri(&edit, span_of(big, sizeof(big)));
    ck_assert_int_eq(sip_edit_write(&edit, &out), ERR_LIMIT);
    sip_edit_begin(&edit, &msg);
    ck_assert_int_eq(sip_edit_write(&edit, &out), 0);
    end();
}
END_TEST

static int write_one(void)
{
    sip_edit_deinit(&edit);
    buf_deinit(&out);
    sip_edit_init(&edit);
    sip_edit_begin(&edit, &msg);
    buf_init(&out, 65535);
    sip_edit_set_uri(&edit, span_str("sip:x@y"));
    return sip_edit_write(&edit, &out);
}

START_TEST(a_failed_allocation_is_told)
{
    int err = 0;

    begin(LINE VIA1 REST BODY);
    CK_OOM_SWEEP(err, err = write_one());
    end();
}
END_TEST

START_TEST(a_small_output_is_told)
{
    begin(LINE VIA1 REST BODY);
    out.max = 20;
    ck_assert_int_eq(sip_edit_write(&edit, &out), ERR_LIMIT);
    end();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sip_edit");
    TCase *tc = tcase_create("edit");

    tcase_add_test(tc, an_edit_without_changes_copies);
    tcase_add_test(tc, the_proxys_request_edits_work_together);
    tcase_add_loop_test(tc, values_are_popped_across_lines, 0,
                        ARRAY_SIZE(pops));
    tcase_add_test(tc, popping_the_only_via_of_a_line_removes_the_line);
    tcase_add_loop_test(tc, one_value_is_taken_out_of_a_list, 0,
                        ARRAY_SIZE(removals));
    tcase_add_test(tc, names_are_removed_however_they_are_written);
    tcase_add_test(tc, set_leaves_one_field);
    tcase_add_test(tc, a_missing_max_forwards_is_added);
    tcase_add_test(tc, an_option_that_is_there_is_left_alone);
    tcase_add_test(tc, content_length_comes_out_in_plain_digits);
    tcase_add_test(tc, parts_of_a_uri_are_replaced_in_place);
    tcase_add_loop_test(tc, the_senders_claims_are_overwritten, 0,
                        ARRAY_SIZE(sources));
    tcase_add_test(tc, removing_twice_is_removing_once);
    tcase_add_test(tc, overlapping_changes_are_an_error);
    tcase_add_test(tc, a_span_of_another_message_is_an_error);
    tcase_add_test(tc, changes_and_text_are_limited);
    tcase_add_test(tc, a_failed_allocation_is_told);
    tcase_add_test(tc, a_small_output_is_told);
    suite_add_tcase(suite, tc);
    return suite;
}
