/* SPDX-License-Identifier: MIT */
#include "base/buf.h"
#include "base/err.h"
#include "msg/sip_msg.h"
#include "support/unit.h"

#define TOP                                                                    \
    "INVITE sip:bob@biloxi.example SIP/2.0\r\n"                                \
    "Via: SIP/2.0/UDP pc33.example;branch=z9hG4bK776\r\n"
#define MIDDLE                                                                 \
    "Max-Forwards: 70\r\n"                                                     \
    "To: Bob <sip:bob@biloxi.example>\r\n"                                     \
    "From: Alice <sip:alice@atlanta.example>;tag=19\r\n"                       \
    "Call-ID: a84b4c\r\n"                                                      \
    "CSeq: 314159 INVITE\r\n"
#define END "Content-Length: 0\r\n\r\n"

static struct sip_msg msg;

static int parse_as(enum sip_framing framing, const char *text)
{
    return sip_msg_parse(&msg, span_str(text), framing, &sip_limits_default);
}

static int parse(const char *text)
{
    return parse_as(SIP_FRAMING_DATAGRAM, text);
}

START_TEST(a_request_is_indexed)
{
    const char *text = TOP MIDDLE "Route: <sip:a;lr>,<sip:b;lr>\r\n"
                                  "Route: <sip:c;lr>\r\n" END;
    const struct sip_hdr *hdr;
    struct sip_values v;
    struct span value;

    ck_assert_int_eq(parse(text), 0);
    ck_assert(msg.is_request);
    ck_assert_int_eq(msg.method, SIP_METHOD_INVITE);
    ck_assert_span_eq(msg.method_name, "INVITE");
    ck_assert_span_eq(msg.uri_text, "sip:bob@biloxi.example");
    ck_assert_span_eq(msg.uri.host.name, "biloxi.example");
    ck_assert_span_eq(msg.via.branch, "z9hG4bK776");
    ck_assert_span_eq(msg.from.tag, "19");
    ck_assert(!sip_msg_has_to_tag(&msg));
    ck_assert_span_eq(msg.call_id, "a84b4c");
    ck_assert_uint_eq(msg.cseq.number, 314159);
    ck_assert(msg.has_max_forwards);
    ck_assert_uint_eq(msg.max_forwards, 70);
    ck_assert_uint_eq(msg.n_vias, 1);
    ck_assert_uint_eq(msg.n_routes, 3);
    ck_assert_uint_eq(msg.n_hdrs, 9);
    ck_assert_span_eq(span_from(msg.raw, msg.hdrs_end), "\r\n");
    ck_assert(span_is(msg.raw, text));

    hdr = sip_msg_find(&msg, SIP_HDR_ROUTE);
    ck_assert_span_eq(hdr->line, "Route: <sip:a;lr>,<sip:b;lr>\r\n");
    hdr = sip_msg_next(&msg, hdr);
    ck_assert_span_eq(hdr->value, "<sip:c;lr>");
    ck_assert_ptr_null(sip_msg_next(&msg, hdr));
    ck_assert_ptr_null(sip_msg_find(&msg, SIP_HDR_PATH));
    ck_assert_uint_eq(sip_msg_value(&msg, SIP_HDR_PATH).len, 0);

    v = sip_values_of(&msg, SIP_HDR_ROUTE);
    ck_assert(sip_values_next(&v));
    ck_assert(sip_values_next(&v));
    ck_assert_span_eq(v.item, "<sip:b;lr>");
    ck_assert(sip_values_next(&v));
    ck_assert_ptr_eq(v.hdr, hdr);
    ck_assert(!sip_values_next(&v));
    ck_assert(sip_msg_nth(&msg, SIP_HDR_ROUTE, 2, &value));
    ck_assert(!sip_msg_nth(&msg, SIP_HDR_ROUTE, 3, &value));
}
END_TEST

START_TEST(a_response_takes_its_method_from_cseq)
{
    ck_assert_int_eq(parse("SIP/2.0 486 Busy here\r\n"
                           "v: SIP/2.0/UDP h;branch=z9hG4bKa\r\n" MIDDLE END),
                     0);
    ck_assert(!msg.is_request);
    ck_assert_uint_eq(msg.status, 486);
    ck_assert_span_eq(msg.reason, "Busy here");
    ck_assert_int_eq(msg.method, SIP_METHOD_INVITE);
    ck_assert(!sip_msg_is_answerable(&msg));
    ck_assert_int_eq(parse("SIP/2.0 486\r\n"
                           "v: SIP/2.0/UDP h;branch=z9hG4bKa\r\n" MIDDLE END),
                     0);
    ck_assert_uint_eq(msg.reason.len, 0);
}
END_TEST

START_TEST(fields_without_an_id_are_found_by_name)
{
    ck_assert_int_eq(parse(TOP MIDDLE "x-FOO \t: 1\r\nSupported: path, "
                                      "OUTBOUND\r\nk: gruu\r\n" END),
                     0);
    ck_assert_ptr_nonnull(sip_msg_find_name(&msg, "X-Foo"));
    ck_assert_span_eq(sip_msg_find_name(&msg, "X-Foo")->name, "x-FOO");
    ck_assert_ptr_null(sip_msg_find_name(&msg, "X-Fo"));
    ck_assert(sip_msg_has_option(&msg, SIP_HDR_SUPPORTED, "outbound"));
    ck_assert(sip_msg_has_option(&msg, SIP_HDR_SUPPORTED, "gruu"));
    ck_assert(!sip_msg_has_option(&msg, SIP_HDR_SUPPORTED, "gru"));
    ck_assert(!sip_msg_has_option(&msg, SIP_HDR_REQUIRE, "path"));
}
END_TEST

START_TEST(blank_lines_in_front_are_not_part_of_it)
{
    ck_assert_int_eq(parse("\r\n\r\n" TOP MIDDLE END), 0);
    ck_assert(span_is(msg.raw, TOP MIDDLE END));
    ck_assert_int_eq(parse("\r\n\r\n"), ERR_PARSE);
    ck_assert_int_eq(msg.fault, SIP_FAULT_EMPTY);
    ck_assert_int_eq(parse(""), ERR_PARSE);
    ck_assert_int_eq(msg.fault, SIP_FAULT_EMPTY);
}
END_TEST

START_TEST(a_folded_line_is_one_field)
{
    ck_assert_int_eq(parse(TOP MIDDLE "Subject: a\r\n b\r\n\tc\r\n" END), 0);
    ck_assert_span_eq(sip_msg_value(&msg, SIP_HDR_SUBJECT), "a\r\n b\r\n\tc");
    ck_assert_span_eq(sip_msg_find(&msg, SIP_HDR_SUBJECT)->line,
                      "Subject: a\r\n b\r\n\tc\r\n");
}
END_TEST

START_TEST(an_empty_value_lies_behind_its_colon)
{
    const struct sip_hdr *hdr;

    ck_assert_int_eq(parse(TOP MIDDLE "Subject:  \r\n" END), 0);
    hdr = sip_msg_find(&msg, SIP_HDR_SUBJECT);
    ck_assert_uint_eq(hdr->value.len, 0);
    ck_assert_ptr_eq(hdr->value.ptr, hdr->line.ptr + strlen("Subject:"));
}
END_TEST

/* --- Content-Length --- */

#define BODY(length) TOP MIDDLE length "\r\nv=0\r\n"

static const struct {
    enum sip_framing framing;
    const char *text;
    enum sip_fault fault;
    const char *body;
} lengths[] = {
    {SIP_FRAMING_DATAGRAM, BODY(""), SIP_FAULT_NONE, "v=0\r\n"},
    {SIP_FRAMING_DATAGRAM, BODY("l: 5\r\n"), SIP_FAULT_NONE, "v=0\r\n"},
    {SIP_FRAMING_DATAGRAM, BODY("l: 3\r\n"), SIP_FAULT_NONE, "v=0"},
    {SIP_FRAMING_DATAGRAM, BODY("l: 0\r\n"), SIP_FAULT_NONE, ""},
    {SIP_FRAMING_DATAGRAM, BODY("l: 6\r\n"), SIP_FAULT_CONTENT_LENGTH_LARGE, 0},
    {SIP_FRAMING_WS, BODY(""), SIP_FAULT_NONE, "v=0\r\n"},
    {SIP_FRAMING_WS, BODY("l: 5\r\n"), SIP_FAULT_NONE, "v=0\r\n"},
    {SIP_FRAMING_WS, BODY("l: 4\r\n"), SIP_FAULT_CONTENT_LENGTH_MISMATCH, 0},
    {SIP_FRAMING_WS, BODY("l: 6\r\n"), SIP_FAULT_CONTENT_LENGTH_MISMATCH, 0},
    {SIP_FRAMING_STREAM, BODY(""), SIP_FAULT_CONTENT_LENGTH_MISSING, 0},
    {SIP_FRAMING_STREAM, BODY("l: 5\r\n"), SIP_FAULT_NONE, "v=0\r\n"},
    {SIP_FRAMING_STREAM, BODY("l: 4\r\n"), SIP_FAULT_CONTENT_LENGTH_MISMATCH,
     0},
    {SIP_FRAMING_DATAGRAM, BODY("l: 5\r\nContent-Length : 5\r\n"),
     SIP_FAULT_DUPLICATE, 0},
    {SIP_FRAMING_DATAGRAM, BODY("l: +5\r\n"), SIP_FAULT_CONTENT_LENGTH, 0},
    {SIP_FRAMING_DATAGRAM, BODY("l: -5\r\n"), SIP_FAULT_CONTENT_LENGTH, 0},
    {SIP_FRAMING_DATAGRAM, BODY("l: 0x5\r\n"), SIP_FAULT_CONTENT_LENGTH, 0},
    {SIP_FRAMING_DATAGRAM, BODY("l: 5, 5\r\n"), SIP_FAULT_CONTENT_LENGTH, 0},
    {SIP_FRAMING_DATAGRAM, BODY("l:\r\n"), SIP_FAULT_CONTENT_LENGTH, 0},
    {SIP_FRAMING_DATAGRAM, BODY("l: 2147483648\r\n"), SIP_FAULT_CONTENT_LENGTH,
     0},
    {SIP_FRAMING_DATAGRAM, BODY("l: 18446744073709551621\r\n"),
     SIP_FAULT_CONTENT_LENGTH, 0},
    {SIP_FRAMING_DATAGRAM, BODY("l:\r\n 005\r\n"), SIP_FAULT_NONE, "v=0\r\n"},
};

START_TEST(content_length_follows_the_framing)
{
    parse_as(lengths[_i].framing, lengths[_i].text);
    ck_assert_msg(msg.fault == lengths[_i].fault, "%d: %s", _i,
                  sip_fault_str(msg.fault));
    if (lengths[_i].body)
        ck_assert_span_eq(msg.body, lengths[_i].body);
    else
        ck_assert(sip_msg_is_answerable(&msg));
}
END_TEST

/* --- what is refused --- */

static const struct {
    const char *text;
    enum sip_fault fault;
} faulty[] = {
    {"\n", SIP_FAULT_LINE_END},
    {"hello\r\n\r\n", SIP_FAULT_NOT_SIP},
    {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", SIP_FAULT_NOT_SIP},
    {"SIP/3.0 200 OK\r\n" MIDDLE END, SIP_FAULT_NOT_SIP},
    {"INVITE sip:x@y SIP/2.0", SIP_FAULT_NO_END},
    {TOP MIDDLE, SIP_FAULT_NO_END},
    {TOP "\r\n", SIP_FAULT_FROM},
    {"SIP/2.0 99 x\r\n\r\n", SIP_FAULT_STATUS_LINE},
    {"SIP/2.0 700 x\r\n\r\n", SIP_FAULT_STATUS_LINE},
    {"SIP/2.0 2000 x\r\n\r\n", SIP_FAULT_STATUS_LINE},
    {"SIP/2.0 2x0 x\r\n\r\n", SIP_FAULT_STATUS_LINE},
    {"SIP/2.0 \r\n\r\n", SIP_FAULT_STATUS_LINE},
    {"INV(TE sip:x SIP/2.0\r\n\r\n", SIP_FAULT_NOT_SIP},
    {"INVITE SIP/2.0\r\n\r\n", SIP_FAULT_NOT_SIP},
    {TOP MIDDLE "Sub\nject: x\r\n" END, SIP_FAULT_LINE_END},
    {TOP MIDDLE "Subject: x\n" END, SIP_FAULT_LINE_END},
    {TOP MIDDLE "Subject: x\ry\r\n" END, SIP_FAULT_LINE_END},
    {TOP MIDDLE "Subject: x\r\r\n" END, SIP_FAULT_LINE_END},
    {TOP MIDDLE "Subject: x\r\n\n", SIP_FAULT_LINE_END},
    {TOP MIDDLE "Subject: a\x01z\r\n" END, SIP_FAULT_CONTROL_CHARACTER},
    {TOP MIDDLE "Subject: a\x7Fz\r\n" END, SIP_FAULT_CONTROL_CHARACTER},
    {TOP MIDDLE "Subject x\r\n" END, SIP_FAULT_HEADER_SYNTAX},
    {TOP MIDDLE ": x\r\n" END, SIP_FAULT_HEADER_SYNTAX},
    {TOP MIDDLE "Sub ject: x\r\n" END, SIP_FAULT_HEADER_SYNTAX},
    {TOP MIDDLE "Subject\r\n : x\r\n" END, SIP_FAULT_HEADER_SYNTAX},
    {"INVITE sip:x@y SIP/2.0\r\n Via: x\r\n\r\n", SIP_FAULT_HEADER_SYNTAX},
    {"INVITE sip:x@y SIP/2.0\r\n" MIDDLE END, SIP_FAULT_VIA},
    {"INVITE sip:x@y SIP/2.0\r\nVia:\r\n" MIDDLE END, SIP_FAULT_VIA},
    {TOP MIDDLE "To: <sip:x@y>\r\n" END, SIP_FAULT_DUPLICATE},
    {TOP MIDDLE "T : <sip:x@y>\r\n" END, SIP_FAULT_DUPLICATE},
    {TOP MIDDLE "f:\r\n" END, SIP_FAULT_DUPLICATE},
    {TOP MIDDLE "i: x\r\n" END, SIP_FAULT_DUPLICATE},
    {TOP MIDDLE "CSeq: 1 INVITE\r\n" END, SIP_FAULT_DUPLICATE},
    {TOP MIDDLE "MAX-forwards\t: 1\r\n" END, SIP_FAULT_DUPLICATE},
    {TOP MIDDLE "Route: sip:x\r\n" END, SIP_FAULT_ROUTE},
    {TOP MIDDLE "Route: <sip:x>, y\r\n" END, SIP_FAULT_ROUTE},
    {TOP MIDDLE "Contact: <sip:x>, y\r\n" END, SIP_FAULT_CONTACT},
    {TOP "To: x\r\n\r\n", SIP_FAULT_FROM},
    {TOP "From: <sip:x>\r\nTo: x\r\n\r\n", SIP_FAULT_TO},
    {TOP "From: <sip:x>\r\nTo: <sip:x>\r\n\r\n", SIP_FAULT_CALL_ID},
    {TOP "From: <sip:x>\r\nTo: <sip:x>\r\ni: a b\r\n\r\n", SIP_FAULT_CALL_ID},
    {TOP "From: <sip:x>\r\nTo: <sip:x>\r\ni: a\r\n\r\n", SIP_FAULT_CSEQ},
    {TOP "From: <sip:x>\r\nTo: <sip:x>\r\ni: a\r\nCSeq: 1 invite\r\n\r\n",
     SIP_FAULT_CSEQ_METHOD},
    {TOP "f: <sip:x>\r\nt: <sip:x>\r\ni: a\r\nCSeq: 1 INVITE\r\n"
         "Max-Forwards: 256\r\n\r\n",
     SIP_FAULT_MAX_FORWARDS},
};

START_TEST(a_broken_rule_is_named)
{
    ck_assert_int_lt(parse(faulty[_i].text), 0);
    ck_assert_msg(msg.fault == faulty[_i].fault, "%s: %s", faulty[_i].text,
                  sip_fault_str(msg.fault));
    ck_assert_int_eq(sip_msg_is_answerable(&msg),
                     sip_fault_status(faulty[_i].fault) != 0);
}
END_TEST

START_TEST(an_ack_is_never_answered)
{
    ck_assert_int_lt(parse("ACK sip:x@y SIP/2.0\r\n"
                           "Via: SIP/2.0/UDP h;branch=z9hG4bKa\r\n\r\n"),
                     0);
    ck_assert_int_eq(msg.fault, SIP_FAULT_FROM);
    ck_assert(!sip_msg_is_answerable(&msg));
}
END_TEST

START_TEST(a_bad_contact_does_not_lose_a_response)
{
    ck_assert_int_eq(parse("SIP/2.0 200 OK\r\n"
                           "v: SIP/2.0/UDP h;branch=z9hG4bKa\r\n" MIDDLE
                           "Contact: x\r\n" END),
                     0);
}
END_TEST

/* --- limits --- */

static struct sip_limits tight(void)
{
    return sip_limits_default;
}

START_TEST(the_message_size_is_limited)
{
    struct sip_limits limits = tight();
    const char *text = TOP MIDDLE END;

    limits.message = strlen(text);
    ck_assert_int_eq(
        sip_msg_parse(&msg, span_str(text), SIP_FRAMING_DATAGRAM, &limits), 0);
    limits.message--;
    ck_assert_int_eq(
        sip_msg_parse(&msg, span_str(text), SIP_FRAMING_DATAGRAM, &limits),
        ERR_LIMIT);
    ck_assert_int_eq(msg.fault, SIP_FAULT_MESSAGE_SIZE);
}
END_TEST

START_TEST(a_line_is_limited_with_its_folds)
{
    struct sip_limits limits = tight();
    const char *text = TOP MIDDLE "Subject: 0123456789\r\n"
                                  " 0123456789012345678901234567890\r\n" END;

    limits.header_line = 55;
    ck_assert_int_eq(
        sip_msg_parse(&msg, span_str(text), SIP_FRAMING_DATAGRAM, &limits), 0);
    limits.header_line = 54;
    ck_assert_int_eq(
        sip_msg_parse(&msg, span_str(text), SIP_FRAMING_DATAGRAM, &limits),
        ERR_LIMIT);
    ck_assert_int_eq(msg.fault, SIP_FAULT_HEADER_SIZE);
}
END_TEST

START_TEST(fields_and_hops_are_counted)
{
    struct sip_limits limits = tight();
    const char *text =
        TOP MIDDLE "v: SIP/2.0/UDP a, SIP/2.0/UDP b\r\n"
                   "Route: <sip:a>,<sip:b>\r\nRoute: <sip:c>\r\n" END;

    limits.headers = 10;
    limits.hops = 3;
    ck_assert_int_eq(
        sip_msg_parse(&msg, span_str(text), SIP_FRAMING_DATAGRAM, &limits), 0);
    limits.hops = 2;
    ck_assert_int_eq(
        sip_msg_parse(&msg, span_str(text), SIP_FRAMING_DATAGRAM, &limits),
        ERR_PARSE);
    ck_assert_int_eq(msg.fault, SIP_FAULT_HOPS);
    ck_assert(sip_msg_is_answerable(&msg));
    limits.headers = 9;
    ck_assert_int_eq(
        sip_msg_parse(&msg, span_str(text), SIP_FRAMING_DATAGRAM, &limits),
        ERR_LIMIT);
    ck_assert_int_eq(msg.fault, SIP_FAULT_HEADER_COUNT);
}
END_TEST

START_TEST(the_array_is_never_overrun)
{
    struct sip_limits limits = tight();
    struct buf text;

    limits.headers = 100000;
    buf_init(&text, 65535);
    buf_put_str(&text, TOP);
    for (int i = 0; i < 300; i++)
        buf_put_str(&text, "Q:1\r\n");
    buf_put_str(&text, "\r\n");
    ck_assert_int_eq(
        sip_msg_parse(&msg, buf_span(&text), SIP_FRAMING_DATAGRAM, &limits),
        ERR_LIMIT);
    ck_assert_int_eq(msg.fault, SIP_FAULT_HEADER_COUNT);
    ck_assert_uint_eq(msg.n_hdrs, SIP_MAX_HDRS);
    buf_deinit(&text);
}
END_TEST

START_TEST(every_fault_has_a_text_and_a_label)
{
    for (int i = SIP_FAULT_NONE + 1; i < SIP_FAULT_COUNT; i++) {
        ck_assert_uint_gt(strlen(sip_fault_str((enum sip_fault)i)), 0);
        ck_assert_uint_gt(strlen(sip_fault_label((enum sip_fault)i)), 0);
    }
    ck_assert_str_eq(sip_fault_label(SIP_FAULT_REQUEST_URI), "request_uri");
    ck_assert_str_eq(sip_fault_str(SIP_FAULT_NONE), "");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sip_msg");
    TCase *tc = tcase_create("parse");

    tcase_add_test(tc, a_request_is_indexed);
    tcase_add_test(tc, a_response_takes_its_method_from_cseq);
    tcase_add_test(tc, fields_without_an_id_are_found_by_name);
    tcase_add_test(tc, blank_lines_in_front_are_not_part_of_it);
    tcase_add_test(tc, a_folded_line_is_one_field);
    tcase_add_test(tc, an_empty_value_lies_behind_its_colon);
    tcase_add_loop_test(tc, content_length_follows_the_framing, 0,
                        ARRAY_SIZE(lengths));
    tcase_add_loop_test(tc, a_broken_rule_is_named, 0, ARRAY_SIZE(faulty));
    tcase_add_test(tc, an_ack_is_never_answered);
    tcase_add_test(tc, a_bad_contact_does_not_lose_a_response);
    tcase_add_test(tc, the_message_size_is_limited);
    tcase_add_test(tc, a_line_is_limited_with_its_folds);
    tcase_add_test(tc, fields_and_hops_are_counted);
    tcase_add_test(tc, the_array_is_never_overrun);
    tcase_add_test(tc, every_fault_has_a_text_and_a_label);
    suite_add_tcase(suite, tc);
    return suite;
}
