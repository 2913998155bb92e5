/* SPDX-License-Identifier: MIT */
#include "app/stats.h"

#include "support/unit.h"

#include <errno.h>

#define DEMO_STATS(X)                                                          \
    X(COUNTER, packets, "packets", "", "packets read")                         \
    X(COUNTER, full, "refused", "reason=\"full\"", "what was refused")         \
    X(COUNTER, late, "refused", "reason=\"late\"", "what was refused")         \
    X(GAUGE, sessions, "sessions", "", "sessions alive")

struct demo_stats {
    DEMO_STATS(STATS_FIELD)
};

static const struct stats_def defs[] = {DEMO_STATS(STATS_DEF)};
static const struct stats_list list = {defs, ARRAY_SIZE(defs)};
static struct stats *stats;

static void setup(void)
{
    ck_assert_int_eq(stats_new(&stats, "demo", &list, 3), 0);
}

static void teardown(void)
{
    stats_free(stats);
    ck_assert_no_blocks();
}

START_TEST(the_list_is_the_struct)
{
    ck_assert_uint_eq(sizeof(struct demo_stats),
                      ARRAY_SIZE(defs) * sizeof(uint64_t));
    ck_assert_str_eq(defs[offsetof(struct demo_stats, late) / 8].field, "late");
}
END_TEST

START_TEST(workers_are_summed)
{
    for (unsigned i = 0; i < 3; i++) {
        struct demo_stats *block = stats_block(stats, i);

        stats_inc(&block->packets);
        stats_add(&block->full, 10 * i);
    }
    ck_assert_uint_eq(stats_sum(stats, 0), 3);
    ck_assert_uint_eq(stats_sum_of(stats, "full"), 30);
    ck_assert_uint_eq(stats_sum_of(stats, "nothing"), 0);
}
END_TEST

START_TEST(a_gauge_may_move_between_workers)
{
    struct demo_stats *one = stats_block(stats, 0);
    struct demo_stats *two = stats_block(stats, 1);

    stats_inc(&one->sessions);
    stats_inc(&one->sessions);
    stats_dec(&two->sessions);
    ck_assert_uint_eq(stats_sum_of(stats, "sessions"), 1);
}
END_TEST

START_TEST(blocks_share_no_cache_line)
{
    uintptr_t one = (uintptr_t)stats_block(stats, 0);
    uintptr_t two = (uintptr_t)stats_block(stats, 1);

    ck_assert_uint_eq(one % 64, 0);
    ck_assert_uint_ge(two - one, 128);
}
END_TEST

START_TEST(metrics_are_prometheus_text)
{
    struct demo_stats *block = stats_block(stats, 2);
    struct buf out;

    stats_set(&block->late, 7);
    stats_set(&block->sessions, 2);
    buf_init(&out, 65536);
    stats_write_metrics(stats, &out);
    ck_assert_span_eq(buf_span(&out),
                      "# HELP demo_packets_total packets read\n"
                      "# TYPE demo_packets_total counter\n"
                      "demo_packets_total 0\n"
                      "# HELP demo_refused_total what was refused\n"
                      "# TYPE demo_refused_total counter\n"
                      "demo_refused_total{reason=\"full\"} 0\n"
                      "demo_refused_total{reason=\"late\"} 7\n"
                      "# HELP demo_sessions sessions alive\n"
                      "# TYPE demo_sessions gauge\n"
                      "demo_sessions 2\n");
    buf_reset(&out);
    stats_write_json(stats, &out);
    ck_assert_span_eq(buf_span(&out), "{\"packets\":0,\"full\":0,\"late\":7,"
                                      "\"sessions\":2}");
    buf_deinit(&out);
}
END_TEST

START_TEST(every_failed_allocation_is_handled)
{
    struct stats *other = NULL;
    int err;

    CK_OOM_SWEEP(err, err = stats_new(&other, "x", &list, 2));
    stats_free(other);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("stats");
    TCase *tc = tcase_create("stats");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_list_is_the_struct);
    tcase_add_test(tc, workers_are_summed);
    tcase_add_test(tc, a_gauge_may_move_between_workers);
    tcase_add_test(tc, blocks_share_no_cache_line);
    tcase_add_test(tc, metrics_are_prometheus_text);
    tcase_add_test(tc, every_failed_allocation_is_handled);
    suite_add_tcase(suite, tc);
    return suite;
}
