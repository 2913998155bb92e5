/* SPDX-License-Identifier: MIT */
#include "net/dtls_cookie.h"

#include "base/err.h"
#include "support/unit.h"
#include "support_dtls.h"

static uint8_t packet[DTLS_DATAGRAM_MAX];
static struct dtls_cookies cookies;
static struct dtls_path path;
static uint8_t cookie[DTLS_COOKIE_SIZE];
static struct dtls_hello hello;

static void setup(void)
{
    path.remote = net_loopback(ADDR_V4, 40000);
    path.local = net_loopback(ADDR_V4, 3478);
    dtls_cookies_init(&cookies, 30000);
}

static int read_hello(uint8_t mark, struct span with)
{
    size_t len = dtls_make_hello(packet, mark, with);

    return dtls_hello_read(span_of(packet, len), &hello);
}

/* Read the ClientHello that carries `cookie`, made at `now`. */
static void make_at(uint64_t now)
{
    ck_assert_int_eq(read_hello('a', span_of(NULL, 0)), 0);
    dtls_cookie_make(&cookies, &path, hello.random, now, cookie);
    ck_assert_int_eq(read_hello('a', span_of(cookie, sizeof(cookie))), 0);
}

START_TEST(a_hello_is_read)
{
    ck_assert_int_eq(read_hello('a', span_str("biscuit")), 0);
    ck_assert_span_eq(hello.cookie, "biscuit");
    ck_assert_uint_eq(hello.message_seq, 1);
    ck_assert_uint_eq(hello.random.len, DTLS_RANDOM_SIZE);
    ck_assert_uint_eq(hello.random.ptr[31], 'a');
    ck_assert_uint_eq(hello.sequence.ptr[5], 1);
    ck_assert(dtls_is_hello(span_of(packet, sizeof(packet))));
}
END_TEST

START_TEST(every_shorter_and_longer_hello_is_refused)
{
    size_t len = dtls_make_hello(packet, 'a', span_str("biscuit"));

    for (size_t n = 0; n < len; n++)
        ck_assert_int_eq(dtls_hello_read(span_of(packet, n), &hello),
                         ERR_PARSE);
    packet[len] = 0;
    ck_assert_int_eq(dtls_hello_read(span_of(packet, len + 1), &hello),
                     ERR_PARSE);
}
END_TEST

START_TEST(what_is_no_whole_hello_is_refused)
{
    /* Content type, version, epoch, record length, message type, message
     * length, fragment offset, fragment length, version, session id, cookie
     * and suites lengths, compression. */
    static const size_t at[] = {0,  1,  3,  11, 13, 15, 19,
                                22, 25, 59, 60, 61, 65};

    for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
        size_t len = dtls_make_hello(packet, 'a', span_of(NULL, 0));

        packet[at[i]] ^= 0x41;
        ck_assert_msg(dtls_hello_read(span_of(packet, len), &hello) < 0,
                      "byte %zu", at[i]);
    }
}
END_TEST

START_TEST(a_good_cookie_is_taken_until_it_is_old)
{
    make_at(1000000);
    ck_assert(dtls_cookie_check(&cookies, &path, &hello, 1000000));
    ck_assert(dtls_cookie_check(&cookies, &path, &hello, 1030999));
    ck_assert(!dtls_cookie_check(&cookies, &path, &hello, 1031000));
    ck_assert(!dtls_cookie_check(&cookies, &path, &hello, 999999));
}
END_TEST

START_TEST(a_cookie_is_for_one_client_one_hello_one_server)
{
    struct dtls_path other = path;
    struct dtls_cookies stranger;

    make_at(5000);
    other.remote.port++;
    ck_assert(!dtls_cookie_check(&cookies, &other, &hello, 5000));
    other = path;
    other.remote.ip[3]++;
    ck_assert(!dtls_cookie_check(&cookies, &other, &hello, 5000));
    other = path;
    other.local.port++;
    ck_assert(!dtls_cookie_check(&cookies, &other, &hello, 5000));
    dtls_cookies_init(&stranger, 30000);
    stranger.offset = cookies.offset;
    ck_assert(!dtls_cookie_check(&stranger, &path, &hello, 5000));
    ck_assert_int_eq(read_hello('b', span_of(cookie, sizeof(cookie))), 0);
    ck_assert(!dtls_cookie_check(&cookies, &path, &hello, 5000));
}
END_TEST

START_TEST(no_bit_of_a_cookie_may_change)
{
    make_at(5000);
    for (size_t bit = 0; bit < 8 * sizeof(cookie); bit++) {
        uint8_t wrong[DTLS_COOKIE_SIZE];

        memcpy(wrong, cookie, sizeof(wrong));
        wrong[bit / 8] ^= (uint8_t)(1U << bit % 8);
        ck_assert_int_eq(read_hello('a', span_of(wrong, sizeof(wrong))), 0);
        ck_assert(!dtls_cookie_check(&cookies, &path, &hello, 5000));
    }
    for (size_t len = 0; len < sizeof(cookie); len++) {
        ck_assert_int_eq(read_hello('a', span_of(cookie, len)), 0);
        ck_assert(!dtls_cookie_check(&cookies, &path, &hello, 5000));
    }
}
END_TEST

START_TEST(the_answer_has_the_numbers_of_the_hello_and_is_shorter)
{
    static const uint8_t head[] = {
        22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 1,  0,    47,   3,
        0,  0,    35,   0, 1, 0, 0, 0, 0, 0, 35, 0xfe, 0xff, 32,
    };
    uint8_t out[DTLS_VERIFY_SIZE];

    make_at(5000);
    dtls_verify_write(&hello, cookie, out);
    ck_assert_mem_eq(out, head, sizeof(head));
    ck_assert_mem_eq(out + sizeof(head), cookie, sizeof(cookie));
    ck_assert_uint_lt(sizeof(out),
                      dtls_make_hello(packet, 'a', span_of(NULL, 0)));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("dtls_cookie");
    TCase *tc = tcase_create("cookie");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, a_hello_is_read);
    tcase_add_test(tc, every_shorter_and_longer_hello_is_refused);
    tcase_add_test(tc, what_is_no_whole_hello_is_refused);
    tcase_add_test(tc, a_good_cookie_is_taken_until_it_is_old);
    tcase_add_test(tc, a_cookie_is_for_one_client_one_hello_one_server);
    tcase_add_test(tc, no_bit_of_a_cookie_may_change);
    tcase_add_test(tc, the_answer_has_the_numbers_of_the_hello_and_is_shorter);
    suite_add_tcase(suite, tc);
    return suite;
}
