/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_stun.h"

#include "base/err.h"
#include "stun/stun_attr.h"
#include "stun/stun_auth.h"
#include "support/unit.h"

static const uint8_t tid[STUN_TID_SIZE] = "abcdefghijk";
static uint8_t out[CTL_STUN_MAX];

static struct ctl_stun_user user(void)
{
    return (struct ctl_stun_user){span_str("alice"), span_str("wonder"),
                                  span_str("edge.test"), span_str("nonce")};
}

START_TEST(a_request_holds_what_the_server_checks)
{
    const struct ctl_stun_user who = user();
    struct stun_msg msg;
    struct stun_key key;
    int n = ctl_stun_allocate(tid, &who, 600, out);

    ck_assert_int_gt(n, 0);
    ck_assert_int_eq(stun_msg_read(&msg, span_of(out, (size_t)n)), 0);
    ck_assert_uint_eq(msg.method, STUN_ALLOCATE);
    stun_key_make(STUN_ALGORITHM_MD5, who.name, who.realm, who.password, &key);
    ck_assert(stun_check_integrity(&msg, STUN_INTEGRITY_SHA1, &key));
    ck_assert(stun_msg_has(&msg, STUN_FINGERPRINT));
    ck_assert(stun_check_fingerprint(&msg));
    ck_assert_mem_eq(stun_msg_attr(&msg, STUN_REQUESTED_TRANSPORT).ptr,
                     "\x11\0\0\0", 4);
}
END_TEST

START_TEST(no_lifetime_means_refresh)
{
    const struct ctl_stun_user who = user();
    struct stun_msg msg;
    int n = ctl_stun_allocate(tid, &who, 0, out);

    ck_assert_int_eq(stun_msg_read(&msg, span_of(out, (size_t)n)), 0);
    ck_assert_uint_eq(msg.method, STUN_REFRESH);
    ck_assert(!stun_msg_has(&msg, STUN_REQUESTED_TRANSPORT));
}
END_TEST

START_TEST(a_refusal_tells_realm_and_nonce)
{
    struct ctl_stun_answer answer;
    struct stun_writer w;
    int n;

    stun_write_start(&w, out, sizeof(out), STUN_ERROR, STUN_ALLOCATE, tid);
    stun_write_error(&w, STUN_UNAUTHENTICATED, "who?");
    stun_write(&w, STUN_REALM, span_str("edge.test"));
    stun_write(&w, STUN_NONCE, span_str("once"));
    n = stun_write_finish(&w);
    ck_assert_int_eq(ctl_stun_read(span_of(out, (size_t)n), tid, &answer), 0);
    ck_assert_int_eq(answer.code, 401);
    ck_assert_str_eq(answer.realm, "edge.test");
    ck_assert_str_eq(answer.nonce, "once");
    ck_assert_int_eq(ctl_stun_read(span_of(out, (size_t)n),
                                   (const uint8_t *)"lmnopqrstuvw", &answer),
                     ERR_STATE);
    ck_assert_int_eq(ctl_stun_read(span_of(out, (size_t)n - 4), tid, &answer),
                     ERR_PARSE);
}
END_TEST

START_TEST(an_error_without_code_is_no_answer)
{
    struct ctl_stun_answer answer;
    struct stun_writer w;
    int n;

    stun_write_start(&w, out, sizeof(out), STUN_ERROR, STUN_ALLOCATE, tid);
    n = stun_write_finish(&w);
    ck_assert_int_eq(ctl_stun_read(span_of(out, (size_t)n), tid, &answer),
                     ERR_PARSE);
}
END_TEST

START_TEST(addresses_are_read)
{
    struct addr relay = addr_v4(0xC0000201, 50000);
    struct ctl_stun_answer answer;
    struct stun_writer w;
    int n;

    stun_write_start(&w, out, sizeof(out), STUN_SUCCESS, STUN_ALLOCATE, tid);
    stun_write_xor_addr(&w, STUN_XOR_RELAYED_ADDRESS, &relay);
    n = stun_write_finish(&w);
    ck_assert_int_eq(ctl_stun_read(span_of(out, (size_t)n), tid, &answer), 0);
    ck_assert_int_eq(answer.code, 0);
    ck_assert(addr_equal(&answer.relayed, &relay));
    ck_assert_uint_eq(answer.mapped.family, ADDR_NONE);
}
END_TEST

START_TEST(what_a_relay_brings_is_read)
{
    static const uint8_t channel[] = {0x40, 1, 0, 3, 'a', 'b', 'c', 0};
    struct ctl_stun_data d;
    struct stun_writer w;
    struct addr peer = addr_v4(0xc0000201, 9);
    int n;

    ck_assert_int_eq(ctl_stun_read_data(span_of(channel, 8), &d), 0);
    ck_assert_uint_eq(d.channel, 0x4001);
    ck_assert(span_is(d.data, "abc"));
    ck_assert_int_eq(ctl_stun_read_data(span_of(channel, 6), &d), ERR_PARSE);

    stun_write_start(&w, out, sizeof(out), STUN_INDICATION, STUN_DATA, tid);
    stun_write_xor_addr(&w, STUN_XOR_PEER_ADDRESS, &peer);
    /* Type 3, code 3, as 7 and 9 bits (RFC 8656 18.13). */
    stun_write(&w, STUN_ICMP, span_of("\0\0\x06\x03\0\0\0\0", 8));
    n = stun_write_finish(&w);
    ck_assert_int_eq(ctl_stun_read_data(span_of(out, (size_t)n), &d), 0);
    ck_assert(addr_equal(&d.peer, &peer));
    ck_assert(d.icmp);
    ck_assert_uint_eq(d.icmp_type, 3);
    ck_assert_uint_eq(d.icmp_code, 3);

    n = ctl_stun_binding(tid, out);
    ck_assert_int_eq(ctl_stun_read_data(span_of(out, (size_t)n), &d),
                     ERR_STATE);
    ck_assert_int_eq(ctl_stun_read_data(span_str("x"), &d), ERR_PARSE);
}
END_TEST

START_TEST(a_change_is_asked_for)
{
    struct stun_msg msg;
    int n = ctl_stun_change(tid, true, true, out);

    ck_assert_int_eq(stun_msg_read(&msg, span_of(out, (size_t)n)), 0);
    ck_assert_uint_eq(msg.method, STUN_BINDING);
    ck_assert_mem_eq(stun_msg_attr(&msg, STUN_CHANGE_REQUEST).ptr, "\0\0\0\6",
                     4);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("ctl_stun");
    TCase *tc = tcase_create("all");

    tcase_add_test(tc, a_request_holds_what_the_server_checks);
    tcase_add_test(tc, no_lifetime_means_refresh);
    tcase_add_test(tc, a_refusal_tells_realm_and_nonce);
    tcase_add_test(tc, an_error_without_code_is_no_answer);
    tcase_add_test(tc, addresses_are_read);
    tcase_add_test(tc, what_a_relay_brings_is_read);
    tcase_add_test(tc, a_change_is_asked_for);
    suite_add_tcase(suite, tc);
    return suite;
}
