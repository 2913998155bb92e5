/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_sip.h"

#include "base/err.h"
#include "support/unit.h"

#define ANSWER                                                                 \
    "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\ni: 0123456789abcdef\r\n"          \
    "l: 3\r\n\r\nabc"

static struct buf out;

static void setup(void)
{
    buf_init(&out, CTL_SIP_MAX);
}

static void teardown(void)
{
    buf_deinit(&out);
    ck_assert_no_blocks();
}

static void write_request(const char *host, const char *from, bool session)
{
    struct addr local = {0};
    struct ctl_sip_request r = {.method = "MIRROR",
                                .host = host,
                                .transport = "UDP",
                                .from = &local,
                                .id = "0123456789abcdef",
                                .session = session};

    if (from)
        ck_assert_int_eq(addr_parse(span_str(from), &local), 0);
    buf_reset(&out);
    ctl_sip_write(&r, &out);
    ck_assert_int_eq(buf_err(&out), 0);
}

static bool holds(const char *text)
{
    return span_search(buf_span(&out), span_str(text)) >= 0;
}

START_TEST(a_request_is_whole)
{
    write_request("edge.test", "192.0.2.1:5070", true);
    ck_assert(span_starts(buf_span(&out), "MIRROR sip:edge.test SIP/2.0\r\n"));
    ck_assert(holds("Via: SIP/2.0/UDP 192.0.2.1:5070;rport;"
                    "branch=z9hG4bK0123456789abcdef\r\n"));
    ck_assert(holds("c=IN IP4 192.0.2.1\r\n"));
    ck_assert_int_eq(ctl_sip_size(buf_span(&out)), (int)buf_len(&out));
    /* Room for the headers of a mirror's answer. */
    ck_assert_uint_gt(ctl_sip_body(buf_span(&out)).len,
                      2 * (buf_len(&out) - ctl_sip_body(buf_span(&out)).len) -
                          100);
}
END_TEST

START_TEST(ipv6_has_brackets)
{
    write_request("2001:db8::1", "[2001:db8::2]:5060", true);
    ck_assert(span_starts(buf_span(&out), "MIRROR sip:[2001:db8::1] "));
    ck_assert(holds("SIP/2.0/UDP [2001:db8::2]:5060;"));
    ck_assert(holds("c=IN IP6 2001:db8::2\r\n"));
    write_request("2001:db8::1", NULL, false);
    ck_assert(holds("Content-Length: 0\r\n\r\n"));
}
END_TEST

START_TEST(answers_are_told_apart)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {ANSWER, 200},
        {"SIP/2.0 503 No\r\nCall-ID : 0123456789abcdef\r\n\r\n", 503},
        {"SIP/2.0 200 OK\r\nCall-ID: other\r\n\r\n", ERR_STATE},
        {"SIP/2.0 200 OK\r\n\r\nCall-ID: 0123456789abcdef\r\n", ERR_STATE},
        {"SIP/2.0 2x0 OK\r\n\r\n", ERR_PARSE},
        {"SIP/2.0 099 OK\r\n\r\n", ERR_PARSE},
        {"SIP/2.0 2", ERR_PARSE},
        {"HTTP/1.1 200 OK\r\n\r\n", ERR_PARSE},
        {"", ERR_PARSE},
    };

    ck_assert_int_eq(
        ctl_sip_status(span_str(cases[_i].text), "0123456789abcdef"),
        cases[_i].status);
}
END_TEST

START_TEST(streams_are_cut)
{
    struct span answer = span_str(ANSWER);

    ck_assert_int_eq(ctl_sip_size(answer), (int)answer.len);
    ck_assert_int_eq(ctl_sip_size(span_head(answer, 60)), 0);
    ck_assert_int_eq(
        ctl_sip_size(span_str("SIP/2.0 200 OK\r\nl: 99999999\r\n\r\n")),
        ERR_PARSE);
    ck_assert_int_eq(ctl_sip_size(span_str("SIP/2.0 200 OK\r\nl: -1\r\n\r\n")),
                     ERR_PARSE);
}
END_TEST

START_TEST(the_first_difference_is_shown)
{
    struct span was, is;

    ck_assert(
        ctl_sip_same(span_str("a\r\nb\r\n"), span_str("a\r\nb"), &was, &is));
    ck_assert(!ctl_sip_same(span_str("a\r\nbc\r\n"), span_str("a\r\nbd\r\n"),
                            &was, &is));
    ck_assert(span_is(was, "bc"));
    ck_assert(span_is(is, "bd"));
    /* More than was sent, and nothing at all, are differences. */
    ck_assert(
        !ctl_sip_same(span_str("a\r\n"), span_str("a\r\nb\r\n"), &was, &is));
    ck_assert(span_is(is, "b"));
    ck_assert(!ctl_sip_same(span_str("a"), span_str(""), &was, &is));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("ctl_sip");
    TCase *tc = tcase_create("all");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_request_is_whole);
    tcase_add_test(tc, ipv6_has_brackets);
    tcase_add_loop_test(tc, answers_are_told_apart, 0, 9);
    tcase_add_test(tc, streams_are_cut);
    tcase_add_test(tc, the_first_difference_is_shown);
    suite_add_tcase(suite, tc);
    return suite;
}
