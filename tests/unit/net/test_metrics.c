/* SPDX-License-Identifier: MIT */
#include "app/metrics.h"

#include "support/unit.h"

static struct buf out;

static void setup(void)
{
    buf_init(&out, 65536);
}

static void teardown(void)
{
    buf_deinit(&out);
    ck_assert_no_blocks();
}

static const char *text(void)
{
    buf_put_byte(&out, 0);
    ck_assert_int_eq(buf_err(&out), 0);
    return (const char *)buf_span(&out).ptr;
}

START_TEST(each_time_has_its_class)
{
    struct histogram h = {0}, sum = {0};

    histogram_add(&h, 0);
    histogram_add(&h, 1);
    histogram_add(&h, 2);
    histogram_add(&h, 60000);
    histogram_add(&h, 60001);
    histogram_add(&h, UINT32_MAX);
    ck_assert_uint_eq(h.classes[0], 2);
    ck_assert_uint_eq(h.classes[1], 1);
    ck_assert_uint_eq(h.classes[HISTOGRAM_CLASSES - 2], 1);
    ck_assert_uint_eq(h.classes[HISTOGRAM_CLASSES - 1], 2);
    histogram_sum(&sum, &h);
    histogram_sum(&sum, &h);
    ck_assert_uint_eq(histogram_count(&sum), 12);
    ck_assert_uint_eq(sum.sum_ms, 2 * h.sum_ms);
}
END_TEST

START_TEST(classes_are_written_summed_up)
{
    struct histogram h = {0};
    const char *got;

    histogram_add(&h, 3);
    histogram_add(&h, 1500);
    metrics_family(&out, "x_seconds", "histogram", "how long");
    metrics_histogram(&out, "x_seconds", "a=\"b\"", &h);
    got = text();
    ck_assert(strstr(got, "# TYPE x_seconds histogram\n"));
    ck_assert(strstr(got, "x_seconds_bucket{a=\"b\",le=\"0.001\"} 0\n"));
    ck_assert(strstr(got, "x_seconds_bucket{a=\"b\",le=\"0.005\"} 1\n"));
    ck_assert(strstr(got, "x_seconds_bucket{a=\"b\",le=\"2.500\"} 2\n"));
    ck_assert(strstr(got, "x_seconds_bucket{a=\"b\",le=\"+Inf\"} 2\n"));
    ck_assert(strstr(got, "x_seconds_sum{a=\"b\"} 1.503\n"));
    ck_assert(strstr(got, "x_seconds_count{a=\"b\"} 2\n"));
}
END_TEST

START_TEST(labels_cannot_break_out)
{
    char labels[METRICS_LABELS_SIZE] = "";
    char longest[METRICS_LABELS_SIZE];

    metrics_label(labels, "a", span_str("x\"y\\z\n"));
    metrics_label(labels, "b", span_str(""));
    ck_assert_str_eq(labels, "a=\"x\\\"y\\\\z?\",b=\"\"");
    memset(longest, 'x', sizeof(longest));
    metrics_label(labels, "c", span_of(longest, sizeof(longest)));
    ck_assert_str_eq(labels, "a=\"x\\\"y\\\\z?\",b=\"\"");
    metrics_value(&out, "n_total", labels, 7);
    metrics_value(&out, "n_total", "", 8);
    ck_assert_str_eq(text(),
                     "n_total{a=\"x\\\"y\\\\z?\",b=\"\"} 7\nn_total 8\n");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tcase = tcase_create("metrics");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, each_time_has_its_class);
    tcase_add_test(tcase, classes_are_written_summed_up);
    tcase_add_test(tcase, labels_cannot_break_out);
    suite_add_tcase(suite, tcase);
    return suite;
}
