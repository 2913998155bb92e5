/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_figures.h"

#include "support/unit.h"

#include <cjson/cJSON.h>

static cJSON *status;

static const struct ctl_figure *figure(const char *program, const char *name)
{
    const struct ctl_figure *f;

    for (size_t i = 0; (f = ctl_figure_at(program, i)); i++) {
        if (strcmp(f->name, name) == 0)
            return f;
    }
    ck_abort_msg("no figure %s", name);
    return NULL;
}

static void setup(void)
{
    status = cJSON_Parse("{\"stats\":{\"refused_401\":50,\"refused_403\":3,"
                         "\"refused_486\":7,\"allocations_udp\":2,"
                         "\"allocations_tls\":1,\"drop_malformed\":0}}");
}

static void teardown(void)
{
    cJSON_Delete(status);
}

START_TEST(fields_are_added)
{
    ck_assert_uint_eq(
        ctl_figure_sum(figure("turn-server", "allocations"), status), 3);
}
END_TEST

START_TEST(a_challenge_is_no_refusal)
{
    ck_assert_uint_eq(ctl_figure_sum(figure("turn-server", "refused"), status),
                      10);
}
END_TEST

START_TEST(reasons_come_with_the_largest_first)
{
    struct buf out;

    buf_init(&out, 256);
    ctl_figure_reasons(figure("turn-server", "refused"), status, 4, &out);
    ck_assert_span_eq(buf_span(&out), "486 7, 403 3");
    buf_reset(&out);
    ctl_figure_reasons(figure("turn-server", "refused"), status, 1, &out);
    ck_assert_span_eq(buf_span(&out), "486 7");
    buf_deinit(&out);
}
END_TEST

START_TEST(missing_fields_are_zero)
{
    ck_assert_uint_eq(
        ctl_figure_sum(figure("turn-server", "connections"), status), 0);
    ck_assert_uint_eq(ctl_figure_sum(figure("web-proxy", "requests"), NULL), 0);
}
END_TEST

START_TEST(a_restart_is_no_negative_rate)
{
    ck_assert(ctl_figure_rate(10, 30, 2000) == 10.0);
    ck_assert(ctl_figure_rate(30, 10, 2000) == 0.0);
    ck_assert(ctl_figure_rate(10, 30, 0) == 0.0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("ctl_figures");
    TCase *tc = tcase_create("all");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, fields_are_added);
    tcase_add_test(tc, a_challenge_is_no_refusal);
    tcase_add_test(tc, reasons_come_with_the_largest_first);
    tcase_add_test(tc, missing_fields_are_zero);
    tcase_add_test(tc, a_restart_is_no_negative_rate);
    suite_add_tcase(suite, tc);
    return suite;
}
