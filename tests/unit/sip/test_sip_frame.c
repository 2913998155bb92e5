/* SPDX-License-Identifier: MIT */
#include "base/err.h"
#include "msg/sip_frame.h"
#include "support/unit.h"

#define HEAD                                                                   \
    "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\n"          \
    "From: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n"
#define ONE HEAD "l: 3\r\n\r\nabc"
#define TWO HEAD "Content-Length : 0\r\n\r\n"

static struct sip_frame frame;
static enum sip_fault fault;
static size_t len;

static int next(struct span data)
{
    len = 0;
    fault = SIP_FAULT_NONE;
    return sip_frame_next(&frame, data, &sip_limits_default, &len, &fault);
}

static void setup(void)
{
    sip_frame_init(&frame);
}

static const char stream[] = "\r\n\r\n" ONE "\r\n" TWO "\r\n\r\n" ONE;
static const struct {
    int kind;
    const char *text;
} expected[] = {
    {SIP_FRAME_PING, "\r\n\r\n"}, {SIP_FRAME_MESSAGE, ONE},
    {SIP_FRAME_PONG, "\r\n"},     {SIP_FRAME_MESSAGE, TWO},
    {SIP_FRAME_PING, "\r\n\r\n"}, {SIP_FRAME_MESSAGE, ONE},
};

/* Cut what is there in `data`, all that has come; returns the bytes used. */
static size_t cut(struct span data, size_t *n)
{
    size_t used = 0;
    int kind;

    while ((kind = next(span_from(data, used))) != SIP_FRAME_MORE) {
        ck_assert_int_eq(kind, expected[*n].kind);
        ck_assert_span_eq(span_head(span_from(data, used), len),
                          expected[*n].text);
        used += len;
        (*n)++;
    }
    return used;
}

START_TEST(messages_and_pings_are_cut_wherever_the_bytes_were_split)
{
    size_t all = strlen(stream);

    for (size_t step = 1; step <= all; step++) {
        size_t start = 0;
        size_t n = 0;

        sip_frame_init(&frame);
        for (size_t shown = step; start < all; shown += step) {
            if (shown > all)
                shown = all;
            start += cut(span_of(stream + start, shown - start), &n);
        }
        ck_assert_uint_eq(n, ARRAY_SIZE(expected));
    }
}
END_TEST

START_TEST(what_is_cut_parses)
{
    struct sip_msg msg;

    ck_assert_int_eq(next(span_str(ONE TWO)), SIP_FRAME_MESSAGE);
    ck_assert_int_eq(sip_msg_parse(&msg, span_of(ONE, len), SIP_FRAMING_STREAM,
                                   &sip_limits_default),
                     0);
    ck_assert_span_eq(msg.body, "abc");
}
END_TEST

static const struct {
    const char *text;
    enum sip_fault fault;
} broken[] = {
    {HEAD "\r\n", SIP_FAULT_CONTENT_LENGTH_MISSING},
    {HEAD "l: 1\r\nContent-Length: 1\r\n\r\n", SIP_FAULT_DUPLICATE},
    {HEAD "l: -1\r\n\r\n", SIP_FAULT_CONTENT_LENGTH},
    {HEAD "l: 1x\r\n\r\n", SIP_FAULT_CONTENT_LENGTH},
    {HEAD "l: 99999999999999999999\r\n\r\n", SIP_FAULT_CONTENT_LENGTH},
    {HEAD "l: 65535\r\n\r\n", SIP_FAULT_MESSAGE_SIZE},
    {HEAD "l: 0\nX: y\r\n\r\n", SIP_FAULT_LINE_END},
    {HEAD "l\r\n: 0\r\n\r\n", SIP_FAULT_HEADER_SYNTAX},
    {HEAD "X\x01: 0\r\n\r\n", SIP_FAULT_CONTROL_CHARACTER},
    {"\n", SIP_FAULT_LINE_END},
    {"\rX", SIP_FAULT_LINE_END},
};

START_TEST(a_stream_that_cannot_be_followed_ends)
{
    ck_assert_int_lt(next(span_str(broken[_i].text)), 0);
    ck_assert_msg(fault == broken[_i].fault, "%s: %s", broken[_i].text,
                  sip_fault_str(fault));
}
END_TEST

START_TEST(a_head_without_end_is_bounded)
{
    struct sip_limits limits = sip_limits_default;
    static char text[2048];

    memset(text, 'a', sizeof(text));
    limits.message = 1024;
    ck_assert_int_eq(
        sip_frame_next(&frame, span_of(text, 1024), &limits, &len, &fault),
        SIP_FRAME_MORE);
    ck_assert_int_eq(
        sip_frame_next(&frame, span_of(text, 1025), &limits, &len, &fault),
        ERR_LIMIT);
    ck_assert_int_eq(fault, SIP_FAULT_MESSAGE_SIZE);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sip_frame");
    TCase *tc = tcase_create("frame");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc,
                   messages_and_pings_are_cut_wherever_the_bytes_were_split);
    tcase_add_test(tc, what_is_cut_parses);
    tcase_add_loop_test(tc, a_stream_that_cannot_be_followed_ends, 0,
                        ARRAY_SIZE(broken));
    tcase_add_test(tc, a_head_without_end_is_bounded);
    suite_add_tcase(suite, tc);
    return suite;
}
