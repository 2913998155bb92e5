/* SPDX-License-Identifier: MIT */
#include "proxy/web_meter.h"
#include "proxy/web_trace.h"

#include "support_message.h"

#include <stdio.h>

#define ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define GOOD "00-" ID "-00f067aa0ba902b7-01"

static struct web_trace trace;

static void read_trace(enum web_trace_mode mode, const char *fields)
{
    char text[512];

    (void)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n",
                   fields);
    web_trace_read(&trace, mode, message_request(text));
    message_free();
}

START_TEST(a_good_one_passes)
{
    read_trace(WEB_TRACE_KEEP, "TraceParent: " GOOD "\r\n");
    ck_assert_str_eq(trace.id, ID);
    ck_assert_str_eq(trace.text, "");
}
END_TEST

START_TEST(off_is_off)
{
    read_trace(WEB_TRACE_OFF, "traceparent: " GOOD "\r\n");
    ck_assert_str_eq(trace.id, "");
    ck_assert_str_eq(trace.text, "");
}
END_TEST

static const char *const bad[] = {
    "",
    "traceparent: x\r\n",
    "traceparent: 01-" ID "-00f067aa0ba902b7-01\r\n",
    "traceparent: 00-" ID "-00f067aa0ba902b7-01x\r\n",
    "traceparent: 00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n",
    "traceparent: 00-00000000000000000000000000000000-00f067aa0ba902b7-01\r\n",
    "traceparent: 00-" ID "-0000000000000000-01\r\n",
    "traceparent: 00-" ID "-00f067aa0ba902b7-0g\r\n",
    "traceparent: " GOOD "\r\ntraceparent: " GOOD "\r\n",
};

START_TEST(any_other_gives_way_to_ours)
{
    char first[WEB_TRACE_ID_SIZE];

    read_trace(WEB_TRACE_KEEP, bad[_i]);
    ck_assert_uint_eq(strlen(trace.id), 32);
    ck_assert_uint_eq(strlen(trace.text), WEB_TRACE_SIZE - 1);
    ck_assert(memcmp(trace.text + 3, trace.id, 32) == 0);
    ck_assert_str_ne(trace.id, ID);
    memcpy(first, trace.id, sizeof(first));
    read_trace(WEB_TRACE_NEW, "traceparent: " GOOD "\r\n");
    ck_assert_str_ne(trace.id, ID);
    ck_assert_str_ne(trace.id, first);
}
END_TEST

START_TEST(meters_are_summed_over_the_workers)
{
    struct web_meter *m = web_meter_new(3);
    struct web_meter_block sum;

    web_meter_answer(web_meter_block(m, 0), 200);
    web_meter_answer(web_meter_block(m, 2), 204);
    web_meter_answer(web_meter_block(m, 2), 503);
    web_meter_answer(web_meter_block(m, 2), 0);
    web_meter_answer(web_meter_block(m, 2), 999);
    histogram_add(&web_meter_block(m, 1)->whole, 7);
    ck_assert_ptr_null(web_meter_block(m, 3));
    ck_assert_ptr_null(web_meter_block(NULL, 0));
    web_meter_answer(NULL, 200);
    web_meter_read(m, &sum);
    ck_assert_uint_eq(sum.answers[1], 2);
    ck_assert_uint_eq(sum.answers[4], 1);
    ck_assert_uint_eq(histogram_count(&sum.whole), 1);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_eq((uintptr_t)web_meter_block(m, i) % 64, 0);
    web_meter_unref(web_meter_ref(m));
    web_meter_unref(m);
    ck_assert_no_blocks();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web_trace");
    TCase *tcase = tcase_create("traces");

    tcase_add_test(tcase, a_good_one_passes);
    tcase_add_test(tcase, off_is_off);
    tcase_add_loop_test(tcase, any_other_gives_way_to_ours, 0, ARRAY_SIZE(bad));
    tcase_add_test(tcase, meters_are_summed_over_the_workers);
    suite_add_tcase(suite, tcase);
    return suite;
}
