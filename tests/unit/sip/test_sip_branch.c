/* SPDX-License-Identifier: MIT */
#include "proxy/sip_branch.h"
#include "support/unit.h"

#include <stdio.h>

static const uint64_t seed[2] = {1, 2};
static struct sip_msg msg;
static char text[4096];

static const struct sip_msg *parse(const char *vias, const char *uri,
                                   const char *more)
{
    int n = snprintf(text, sizeof(text),
                     "INVITE %s SIP/2.0\r\n%s"
                     "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n"
                     "Call-ID: x\r\nCSeq: 1 INVITE\r\n%s\r\n",
                     uri, vias, more);

    ck_assert_int_eq(sip_msg_parse(&msg, span_of(text, (size_t)n),
                                   SIP_FRAMING_DATAGRAM, &sip_limits_default),
                     0);
    return &msg;
}

static uint64_t hash_of(const char *uri, const char *more)
{
    return sip_branch_hash(
        parse("Via: SIP/2.0/UDP h;branch=z9hG4bKa\r\n", uri, more), seed);
}

START_TEST(a_branch_tells_worker_and_hash)
{
    char branch[SIP_BRANCH_TEXT + 1];
    uint8_t worker = 0;
    uint64_t hash = 0;

    sip_branch_write(200, 0x0123456789ABCDEF, 77, branch);
    ck_assert_uint_eq(strlen(branch), SIP_BRANCH_TEXT);
    ck_assert(sip_branch_read(span_str(branch), &worker, &hash));
    ck_assert_uint_eq(worker, 200);
    ck_assert_uint_eq(hash, 0x0123456789ABCDEF);
}
END_TEST

START_TEST(the_branches_of_others_are_none_of_ours)
{
    static const char *const others[] = {
        "",
        "z9hG4bK",
        "z9hG4bKE",
        "z9hG4bK776asdhds",
        "z9hG4bKE00000000000000000000000000000000g0",
        "z9hG4bKF0000000000000000000000000000000000",
        "z9hG4bKE000000000000000000000000000000000",
        "z9hG4bKE00000000000000000000000000000000000",
    };
    uint8_t worker;
    uint64_t hash;

    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        ck_assert(!sip_branch_read(span_str(others[i]), &worker, &hash));
}
END_TEST

START_TEST(what_decides_about_the_way_decides_about_the_hash)
{
    static const char *const more[] = {
        "",
        "Route: <sip:a;lr>\r\n",
        "Route: <sip:a;lr>, <sip:b;lr>\r\n",
        "Proxy-Require: x\r\n",
        "Proxy-Authorization: Digest username=\"a\"\r\n",
    };
    uint64_t hashes[ARRAY_SIZE(more) + 1];
    size_t n = 0;

    for (; n < ARRAY_SIZE(more); n++)
        hashes[n] = hash_of("sip:c@d", more[n]);
    hashes[n++] = hash_of("sip:c@e", "");
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++)
            ck_assert_uint_ne(hashes[i], hashes[k]);
    }
    /* and what does not, does not */
    ck_assert_uint_eq(hash_of("sip:c@d", "Subject: x\r\n"), hashes[0]);
    ck_assert_uint_eq(hash_of("sip:c@d", "Max-Forwards: 9\r\n"), hashes[0]);
}
END_TEST

START_TEST(a_loop_is_our_branch_with_the_same_hash_anywhere)
{
    uint64_t hash = hash_of("sip:c@d", "");
    char branch[SIP_BRANCH_TEXT + 1];
    char vias[512];

    sip_branch_write(3, hash, 1, branch);
    (void)snprintf(vias, sizeof(vias),
                   "Via: SIP/2.0/UDP h;branch=z9hG4bKx\r\n"
                   "Via: SIP/2.0/UDP g;branch=z9hG4bKEfake,\r\n"
                   " SIP/2.0/UDP edge;rport;branch=%s;received=1.2.3.4\r\n",
                   branch);
    ck_assert(sip_branch_is_loop(parse(vias, "sip:c@d", ""), hash));
    ck_assert(!sip_branch_is_loop(parse(vias, "sip:c@d", ""), hash + 1));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("sip_branch");
    TCase *t = tcase_create("branch");

    tcase_add_test(t, a_branch_tells_worker_and_hash);
    tcase_add_test(t, the_branches_of_others_are_none_of_ours);
    tcase_add_test(t, what_decides_about_the_way_decides_about_the_hash);
    tcase_add_test(t, a_loop_is_our_branch_with_the_same_hash_anywhere);
    suite_add_tcase(s, t);
    return s;
}
