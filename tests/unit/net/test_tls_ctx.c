/* SPDX-License-Identifier: MIT */
#include "net/tls_ctx.h"

#include "base/err.h"
#include "base/log.h"
#include "support/unit.h"
#include "support_net.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

static struct tls_ctx *ctx;
static char error[TLS_ERROR_SIZE];

static void teardown(void)
{
    tls_ctx_unref(ctx);
    ctx = NULL;
    log_set_sink(NULL, NULL);
    ck_assert_no_blocks();
}

static int load(const char *cert, const char *key)
{
    struct tls_key_pair pair = {cert, key};
    struct tls_ctx_options options = {
        .role = TLS_SERVER, .pairs = &pair, .n_pairs = 1};

    error[0] = '\0';
    return tls_ctx_new(&ctx, &options, error);
}

START_TEST(errors_name_the_file_and_the_reason)
{
    const char *edge = net_cert_file(NET_EDGE);
    const char *key = net_key_file(NET_EDGE);

    ck_assert_int_eq(load("/no/such.pem", key), ERR_CONFIG);
    ck_assert_str_eq(error,
                     "certificate /no/such.pem: No such file or directory");
    ck_assert_int_eq(load(edge, "/no/such.key"), ERR_CONFIG);
    ck_assert_str_eq(error, "key /no/such.key: No such file or directory");
    ck_assert_int_eq(load(edge, edge), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(error, edge));
    ck_assert_int_eq(load(key, key), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(error, key));
    ck_assert_int_eq(load("/", key), ERR_CONFIG);
    ck_assert_int_eq(load("/dev/null", key), ERR_CONFIG);
}
END_TEST

START_TEST(a_key_of_another_certificate_is_refused)
{
    ck_assert_int_eq(load(net_cert_file(NET_EDGE), net_key_file(NET_OTHER)),
                     ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(error, "does not belong to certificate"));
    ck_assert_ptr_nonnull(strstr(error, net_cert_file(NET_EDGE)));
}
END_TEST

START_TEST(impossible_wishes_are_refused)
{
    struct tls_ctx_options options = {.role = TLS_SERVER};
    struct tls_key_pair pair = {net_cert_file(NET_EDGE),
                                net_key_file(NET_EDGE)};

    ck_assert_int_eq(tls_ctx_new(&ctx, &options, error), ERR_CONFIG);
    options.pairs = &pair;
    options.n_pairs = 1;
    options.verify = TLS_VERIFY_REQUIRED;
    ck_assert_int_eq(tls_ctx_new(&ctx, &options, error), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(error, "CA"));
    options.ca_file = "/no/ca.pem";
    ck_assert_int_eq(tls_ctx_new(&ctx, &options, error), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(error, "/no/ca.pem"));
    options.ca_file = net_cert_file(NET_CA);
    options.min_version = TLS_VERSION_13;
    options.max_version = TLS_VERSION_12;
    ck_assert_int_eq(tls_ctx_new(&ctx, &options, error), ERR_CONFIG);
    ck_assert_ptr_null(ctx);
}
END_TEST

static void count_warning(enum log_level level, const char *line, void *arg)
{
    if (level == LOG_LEVEL_WARN && strstr(line, "expired"))
        ++*(int *)arg;
}

START_TEST(an_expired_certificate_is_a_warning)
{
    int warnings = 0;

    (void)net_cert_file(NET_EXPIRED);
    log_set_sink(count_warning, &warnings);
    ck_assert_int_eq(
        load(net_cert_file(NET_EXPIRED), net_key_file(NET_EXPIRED)), 0);
    ck_assert_int_eq(warnings, 1);
}
END_TEST

START_TEST(days_left_are_those_of_the_first_to_end)
{
    struct tls_key_pair pairs[] = {
        {net_cert_file(NET_EDGE), net_key_file(NET_EDGE)},
        {net_cert_file(NET_EXPIRED), net_key_file(NET_EXPIRED)},
    };
    struct tls_ctx_options options = {
        .role = TLS_SERVER, .pairs = pairs, .n_pairs = 2};
    struct tls_certificate_info info;
    const int64_t end = 1609459200; /* 2021-01-01T00:00:00Z */

    log_set_sink(count_warning, &(int){0});
    ck_assert_int_eq(tls_ctx_new(&ctx, &options, error), 0);
    ck_assert(tls_ctx_certificate(ctx, 1, &info));
    ck_assert_str_eq(info.file, net_cert_file(NET_EXPIRED));
    ck_assert_str_eq(info.subject, "CN=edge.example");
    ck_assert_int_eq(info.not_after, end);
    ck_assert(!tls_ctx_certificate(ctx, 2, &info));
    ck_assert_int_eq(tls_ctx_days_left(ctx, end - 259200), 3);
    ck_assert_int_eq(tls_ctx_days_left(ctx, end - 86399), 0);
    ck_assert_int_eq(tls_ctx_days_left(ctx, end + 1), -1);
    tls_ctx_unref(ctx);
    ctx = net_client_ctx();
    ck_assert_int_eq(tls_ctx_days_left(ctx, end), INT_MAX);
}
END_TEST

struct choice {
    const char *name;
    int strict;
    int lax;
};

static const struct choice choices[] = {
    {"other.example", 0, 0},
    {"OTHER.example", 0, 0},
    {"edge.example", 1, 1},
    {"x.apps.example", 1, 1},
    {"apps.example", -1, 0},
    {"x.y.apps.example", -1, 0},
    {".apps.example", -1, 0},
    {"cn.example", 2, 2},
    {"sub.cn.example", -1, 0},
    {"127.0.0.1", 1, 1},
    {"", -1, 0},
    {"edge.example.evil", -1, 0},
    {"xedge.example", -1, 0},
};

START_TEST(names_choose_exactly_or_by_one_wildcard_label)
{
    struct tls_key_pair pairs[] = {
        {net_cert_file(NET_OTHER), net_key_file(NET_OTHER)},
        {net_cert_file(NET_EDGE), net_key_file(NET_EDGE)},
        {net_cert_file(NET_CN_ONLY), net_key_file(NET_CN_ONLY)},
    };
    struct tls_ctx_options options = {
        .role = TLS_SERVER, .pairs = pairs, .n_pairs = 3, .strict_sni = _i};

    ck_assert_int_eq(tls_ctx_new(&ctx, &options, error), 0);
    for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
        int got = tls_ctx_choose(ctx, span_str(choices[i].name));

        ck_assert_msg(got == (_i ? choices[i].strict : choices[i].lax),
                      "\"%s\" chose %d", choices[i].name, got);
    }
}
END_TEST

START_TEST(every_failed_allocation_is_handled)
{
    static const char *const alpn[] = {"http/1.1", NULL};
    struct tls_key_pair pair = {net_cert_file(NET_EDGE),
                                net_key_file(NET_EDGE)};
    struct tls_ctx_options options = {.role = TLS_SERVER,
                                      .pairs = &pair,
                                      .n_pairs = 1,
                                      .ca_file = net_cert_file(NET_CA),
                                      .alpn = alpn};
    int err = 0;

    /* Reading a file reports its own -ENOMEM as a sentence. */
    for (long n = 0; n < 100; n++) {
        mem_fail_at(n);
        err = tls_ctx_new(&ctx, &options, error);
        mem_fail_at(-1);
        if (err == 0)
            break;
        ck_assert(err == -ENOMEM || err == ERR_CONFIG);
    }
    ck_assert_int_eq(err, 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("tls_ctx");
    TCase *tc = tcase_create("tls_ctx");

    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_add_test(tc, errors_name_the_file_and_the_reason);
    tcase_add_test(tc, a_key_of_another_certificate_is_refused);
    tcase_add_test(tc, impossible_wishes_are_refused);
    tcase_add_test(tc, an_expired_certificate_is_a_warning);
    tcase_add_test(tc, days_left_are_those_of_the_first_to_end);
    tcase_add_loop_test(tc, names_choose_exactly_or_by_one_wildcard_label, 0,
                        2);
    tcase_add_test(tc, every_failed_allocation_is_handled);
    suite_add_tcase(s, tc);
    return s;
}
