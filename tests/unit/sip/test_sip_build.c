/* SPDX-License-Identifier: MIT */
#include "base/err.h"
#include "msg/sip_build.h"
#include "support/unit.h"

#include <errno.h>
#include <stdio.h>

#define INVITE                                                                 \
    "INVITE sip:bob@b.example;x SIP/2.0\r\n"                                   \
    "Via: SIP/2.0/UDP h;branch=z9hG4bK1;rport, SIP/2.0/WS w;branch=2\r\n"      \
    "v: SIP/2.0/WS y;branch=3\r\n"                                             \
    "Record-Route: <sip:rr;lr>\r\n"                                            \
    "Route: <sip:r1;lr>\r\n"                                                   \
    "Route: <sip:r2;lr>\r\n"                                                   \
    "Max-Forwards: 9\r\n"                                                      \
    "To: <sip:bob@b.example>\r\n"                                              \
    "f: \"A\"\r\n <sip:a@a.example>;tag=1\r\n"                                 \
    "Call-ID: c\r\n"                                                           \
    "Timestamp: 54\r\n"                                                        \
    "Authorization: secret\r\n"                                                \
    "CSeq: 007 INVITE\r\n\r\nv=0\r\n"

static struct sip_msg invite;
static struct buf out;

static void setup(void)
{
    ck_assert_int_eq(sip_msg_parse(&invite, span_str(INVITE),
                                   SIP_FRAMING_DATAGRAM, &sip_limits_default),
                     0);
    buf_init(&out, 65535);
}

static void teardown(void)
{
    buf_deinit(&out);
    ck_assert_no_blocks();
}

START_TEST(a_response_copies_what_8_2_6_names)
{
    struct sip_reply reply = {.status = 486, .to_tag = span_str("t9")};

    ck_assert_int_eq(sip_build_response(&out, &invite, &reply), 0);
    ck_assert_span_eq(
        buf_span(&out),
        "SIP/2.0 486 Busy Here\r\n"
        "Via: SIP/2.0/UDP h;branch=z9hG4bK1;rport, SIP/2.0/WS w;branch=2\r\n"
        "v: SIP/2.0/WS y;branch=3\r\n"
        "f: \"A\"\r\n <sip:a@a.example>;tag=1\r\n"
        "To: <sip:bob@b.example>;tag=t9\r\n"
        "Call-ID: c\r\n"
        "CSeq: 007 INVITE\r\n"
        "Content-Length: 0\r\n\r\n");
}
END_TEST

START_TEST(a_100_has_the_timestamp_and_no_tag)
{
    struct addr source;
    struct sip_reply reply = {.status = 100, .to_tag = span_str("t9")};

    ck_assert_int_eq(addr_parse(span_str("192.0.2.1:99"), &source), 0);
    reply.source = &source;
    ck_assert_int_eq(sip_build_response(&out, &invite, &reply), 0);
    ck_assert_span_eq(buf_span(&out),
                      "SIP/2.0 100 Trying\r\n"
                      "Via: SIP/2.0/UDP h;branch=z9hG4bK1;rport=99"
                      ";received=192.0.2.1, SIP/2.0/WS w;branch=2\r\n"
                      "v: SIP/2.0/WS y;branch=3\r\n"
                      "f: \"A\"\r\n <sip:a@a.example>;tag=1\r\n"
                      "To: <sip:bob@b.example>\r\n"
                      "Call-ID: c\r\n"
                      "CSeq: 007 INVITE\r\n"
                      "Timestamp: 54\r\n"
                      "Content-Length: 0\r\n\r\n");
}
END_TEST

START_TEST(an_empty_via_line_does_not_disturb)
{
    struct addr source;
    struct sip_reply reply = {.status = 404};
    struct sip_msg msg;
    const char *text = "BYE sip:x SIP/2.0\r\nVia:\r\nTo: <sip:b>;tag=2\r\n"
                       "Via: SIP/2.0/UDP h;branch=x\r\n"
                       "From: <sip:a>;tag=1\r\nCall-ID: c\r\n"
                       "CSeq: 1 BYE\r\n\r\n";

    ck_assert_int_eq(addr_parse(span_str("192.0.2.1:99"), &source), 0);
    reply.source = &source;
    ck_assert_int_eq(sip_msg_parse(&msg, span_str(text), SIP_FRAMING_DATAGRAM,
                                   &sip_limits_default),
                     0);
    ck_assert_int_eq(sip_build_response(&out, &msg, &reply), 0);
    ck_assert_span_eq(buf_span(&out),
                      "SIP/2.0 404 Not Found\r\nVia:\r\n"
                      "Via: SIP/2.0/UDP h;branch=x;received=192.0.2.1\r\n"
                      "From: <sip:a>;tag=1\r\nTo: <sip:b>;tag=2\r\n"
                      "Call-ID: c\r\nCSeq: 1 BYE\r\n"
                      "Content-Length: 0\r\n\r\n");
}
END_TEST

START_TEST(a_response_takes_record_route_reason_and_extra_lines_when_asked)
{
    struct sip_reply reply = {
        .status = 503,
        .reason = "Busy now",
        .record_route = true,
        .extra = span_str("Retry-After: 5\r\n"),
    };
    struct sip_msg msg;

    ck_assert_int_eq(sip_build_response(&out, &invite, &reply), 0);
    ck_assert_int_eq(sip_msg_parse(&msg, buf_span(&out), SIP_FRAMING_STREAM,
                                   &sip_limits_default),
                     0);
    ck_assert_uint_eq(msg.status, 503);
    ck_assert_span_eq(msg.reason, "Busy now");
    ck_assert_span_eq(sip_msg_value(&msg, SIP_HDR_RECORD_ROUTE), "<sip:rr;lr>");
    ck_assert_span_eq(sip_msg_value(&msg, SIP_HDR_RETRY_AFTER), "5");
    ck_assert(!sip_msg_has_to_tag(&msg));
}
END_TEST

START_TEST(a_tag_that_is_there_stays)
{
    struct sip_reply reply = {.status = 404, .to_tag = span_str("t9")};
    struct sip_msg msg;
    const char *text = "BYE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=x\r\n"
                       "To: <sip:b>;tag=old\r\nFrom: <sip:a>;tag=1\r\n"
                       "Call-ID: c\r\nCSeq: 1 BYE\r\n\r\n";

    ck_assert_int_eq(sip_msg_parse(&msg, span_str(text), SIP_FRAMING_DATAGRAM,
                                   &sip_limits_default),
                     0);
    ck_assert_int_eq(sip_build_response(&out, &msg, &reply), 0);
    ck_assert_int_ge(
        span_search(buf_span(&out), span_str("To: <sip:b>;tag=old\r\n")), 0);
}
END_TEST

START_TEST(a_broken_but_answerable_request_gets_its_400)
{
    struct sip_reply reply = {.status = 400, .to_tag = span_str("t9")};
    struct sip_msg msg;
    const char *text = "INVITE sip:x SIP/2.0\r\n"
                       "Via: SIP/2.0/UDP h;branch=x\r\nTo: \"\r\n"
                       "CSeq: 1 INVITE\r\n\r\n";

    ck_assert_int_lt(sip_msg_parse(&msg, span_str(text), SIP_FRAMING_DATAGRAM,
                                   &sip_limits_default),
                     0);
    ck_assert(sip_msg_is_answerable(&msg));
    reply.reason = sip_fault_str(msg.fault);
    ck_assert_int_eq(sip_build_response(&out, &msg, &reply), 0);
    ck_assert_span_eq(buf_span(&out),
                      "SIP/2.0 400 Malformed Or Missing From\r\n"
                      "Via: SIP/2.0/UDP h;branch=x\r\nTo: \"\r\n"
                      "CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n");
}
END_TEST

static void parse_response(struct sip_msg *msg, const char *status)
{
    static char text[512];

    snprintf(text, sizeof(text),
             "SIP/2.0 %s x\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"
             "t: <sip:bob@b.example>;tag=99\r\nFrom: <sip:a@a.example>;tag=1"
             "\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\n\r\n",
             status);
    ck_assert_int_eq(sip_msg_parse(msg, span_str(text), SIP_FRAMING_DATAGRAM,
                                   &sip_limits_default),
                     0);
}

START_TEST(an_ack_is_made_as_17_1_1_3_says)
{
    struct sip_msg response;

    parse_response(&response, "486");
    ck_assert_int_eq(sip_build_ack(&out, &invite, &response), 0);
    ck_assert_span_eq(buf_span(&out),
                      "ACK sip:bob@b.example;x SIP/2.0\r\n"
                      "Via: SIP/2.0/UDP h;branch=z9hG4bK1;rport\r\n"
                      "Route: <sip:r1;lr>\r\n"
                      "Route: <sip:r2;lr>\r\n"
                      "Max-Forwards: 70\r\n"
                      "f: \"A\"\r\n <sip:a@a.example>;tag=1\r\n"
                      "t: <sip:bob@b.example>;tag=99\r\n"
                      "Call-ID: c\r\n"
                      "CSeq: 7 ACK\r\n"
                      "Content-Length: 0\r\n\r\n");
}
END_TEST

START_TEST(a_cancel_is_made_as_9_1_says)
{
    ck_assert_int_eq(
        sip_build_cancel(&out, &invite, span_str("Reason: SIP;cause=200\r\n")),
        0);
    ck_assert_span_eq(buf_span(&out),
                      "CANCEL sip:bob@b.example;x SIP/2.0\r\n"
                      "Via: SIP/2.0/UDP h;branch=z9hG4bK1;rport\r\n"
                      "Route: <sip:r1;lr>\r\n"
                      "Route: <sip:r2;lr>\r\n"
                      "Max-Forwards: 70\r\n"
                      "f: \"A\"\r\n <sip:a@a.example>;tag=1\r\n"
                      "To: <sip:bob@b.example>\r\n"
                      "Call-ID: c\r\n"
                      "CSeq: 7 CANCEL\r\n"
                      "Reason: SIP;cause=200\r\n"
                      "Content-Length: 0\r\n\r\n");
}
END_TEST

START_TEST(the_wrong_sort_of_message_is_refused)
{
    struct sip_reply reply = {.status = 200};
    struct sip_msg response;

    parse_response(&response, "200");
    ck_assert_int_eq(sip_build_ack(&out, &invite, &response), ERR_STATE);
    ck_assert_int_eq(sip_build_ack(&out, &response, &response), ERR_STATE);
    ck_assert_int_eq(sip_build_cancel(&out, &response, span_str("")),
                     ERR_STATE);
    ck_assert_int_eq(sip_build_response(&out, &response, &reply), ERR_STATE);
    ck_assert_uint_eq(buf_len(&out), 0);
}
END_TEST

START_TEST(what_does_not_fit_leaves_the_buffer_as_it_was)
{
    struct sip_reply reply = {.status = 200};

    out.max = 40;
    buf_put_str(&out, "before");
    ck_assert_int_eq(sip_build_response(&out, &invite, &reply), ERR_LIMIT);
    ck_assert_span_eq(buf_span(&out), "before");
}
END_TEST

static int build_one(void)
{
    struct sip_reply reply = {.status = 200};

    buf_deinit(&out);
    buf_init(&out, 65535);
    return sip_build_response(&out, &invite, &reply);
}

START_TEST(a_failed_allocation_is_told)
{
    int err = 0;

    CK_OOM_SWEEP(err, err = build_one());
}
END_TEST

START_TEST(every_status_has_a_reason)
{
    ck_assert_str_eq(sip_reason(430), "Flow Failed");
    ck_assert_str_eq(sip_reason(699), "Decline");
    ck_assert_str_eq(sip_reason(299), "OK");
    ck_assert_str_eq(sip_reason(0), "Unknown");
    ck_assert_str_eq(sip_reason(9999), "Unknown");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sip_build");
    TCase *tc = tcase_create("build");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_response_copies_what_8_2_6_names);
    tcase_add_test(tc, a_100_has_the_timestamp_and_no_tag);
    tcase_add_test(tc, an_empty_via_line_does_not_disturb);
    tcase_add_test(
        tc, a_response_takes_record_route_reason_and_extra_lines_when_asked);
    tcase_add_test(tc, a_tag_that_is_there_stays);
    tcase_add_test(tc, a_broken_but_answerable_request_gets_its_400);
    tcase_add_test(tc, an_ack_is_made_as_17_1_1_3_says);
    tcase_add_test(tc, a_cancel_is_made_as_9_1_says);
    tcase_add_test(tc, the_wrong_sort_of_message_is_refused);
    tcase_add_test(tc, what_does_not_fit_leaves_the_buffer_as_it_was);
    tcase_add_test(tc, a_failed_allocation_is_told);
    tcase_add_test(tc, every_status_has_a_reason);
    suite_add_tcase(suite, tc);
    return suite;
}
