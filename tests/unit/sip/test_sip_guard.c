/* SPDX-License-Identifier: MIT */
/* Who sends too much, guesses or scans, in virtual time. */
#include "proxy/sip_guard.h"
#include "proxy/sip_recent.h"
#include "support/unit.h"

#include <stdio.h>

static const uint8_t seed[16] = {7};
static struct sip_guard_config cfg;
static struct sip_guard *guard;
static struct sip_msg request, response;
static char request_text[1024], response_text[1024];

static void setup(void)
{
    cfg = (struct sip_guard_config){
        .source_rate = 10,
        .source_burst = 40,
        .flow_rate = 2,
        .flow_burst = 8,
        .source_failures = 5,
        .user_failures = 8,
        .window_ms = 60000,
        .ban_ms = 300000,
        .scanners = true,
    };
    ck_assert_int_eq(sip_guard_new(&guard, &cfg, seed), 0);
}

static void teardown(void)
{
    sip_guard_free(guard);
}

static struct addr at(const char *text)
{
    struct addr a;

    ck_assert_int_eq(addr_parse(span_str(text), &a), 0);
    return a;
}

static void parse(struct sip_msg *msg, const char *text)
{
    ck_assert_int_eq(
        sip_msg_parse(msg, span_str(text), SIP_FRAMING_WS, &sip_limits_default),
        0);
}

static const struct sip_msg *asks(const char *method, const char *extra)
{
    (void)snprintf(request_text, sizeof(request_text),
                   "%s sip:e.org SIP/2.0\r\n"
                   "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKa\r\n"
                   "From: <sip:a@e.org>;tag=1\r\nTo: <sip:a@e.org>\r\n"
                   "Call-ID: c\r\nCSeq: 1 %s\r\n%s\r\n",
                   method, method, extra);
    parse(&request, request_text);
    return &request;
}

static enum sip_guard_news answered(const char *source, bool is_proven,
                                    const char *method, const char *user,
                                    unsigned status, const char *extra,
                                    uint64_t now)
{
    struct addr a = at(source);
    char credentials[200] = "";

    if (user)
        (void)snprintf(credentials, sizeof(credentials),
                       "Authorization: Digest realm=\"e\", username=\"%s\", "
                       "response=\"0\"\r\n",
                       user);
    (void)snprintf(response_text, sizeof(response_text),
                   "SIP/2.0 %u X\r\n"
                   "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKa\r\n"
                   "From: <sip:a@e.org>;tag=1\r\nTo: <sip:a@e.org>;tag=2\r\n"
                   "Call-ID: c\r\nCSeq: 1 %s\r\n%s\r\n",
                   status, method, extra);
    parse(&response, response_text);
    return sip_guard_on_response(guard, &a, is_proven,
                                 asks(method, credentials), &response, now);
}

static bool is_banned(const char *source, uint64_t now)
{
    struct addr a = at(source);

    return sip_guard_is_banned(guard, &a, now);
}

static unsigned takes(const char *source, unsigned n, bool priority,
                      uint64_t now)
{
    struct addr a = at(source);
    unsigned got = 0;

    for (unsigned i = 0; i < n; i++)
        got += sip_guard_take_source(guard, &a, priority, now);
    return got;
}

START_TEST(a_quarter_of_the_burst_is_kept_for_calls)
{
    ck_assert_uint_eq(takes("192.0.2.1:1", 100, false, 0), 30);
    ck_assert_uint_eq(takes("192.0.2.1:2", 100, true, 0), 10);
    /* a second later: ten more, but for calls only until the reserve is full */
    ck_assert_uint_eq(takes("192.0.2.1:1", 100, false, 1000), 0);
    ck_assert_uint_eq(takes("192.0.2.1:1", 100, true, 1000), 10);
    ck_assert_uint_eq(takes("192.0.2.2:1", 100, false, 1000), 30);
    ck_assert_uint_eq(takes("192.0.2.1:1", 100, false, 60000), 30);
}
END_TEST

START_TEST(an_ipv6_source_is_its_64)
{
    ck_assert_uint_eq(takes("[2001:db8::1]:1", 30, false, 0), 30);
    ck_assert_uint_eq(takes("[2001:db8::ffff:2]:1", 30, false, 0), 0);
    ck_assert_uint_eq(takes("[2001:db8:0:1::1]:1", 30, false, 0), 30);
    /* IPv4 in disguise is IPv4 */
    ck_assert_uint_eq(takes("[::ffff:192.0.2.1]:1", 30, false, 0), 30);
    ck_assert_uint_eq(takes("192.0.2.1:1", 30, false, 0), 0);
    ck_assert_uint_eq(takes("[::ffff:192.0.2.2]:1", 30, false, 0), 30);
}
END_TEST

START_TEST(a_connection_has_its_own_rate)
{
    struct ratelim flow;
    unsigned got = 0;

    sip_guard_flow_init(guard, &flow, 0);
    for (int i = 0; i < 20; i++)
        got += sip_guard_take_flow(guard, &flow, false, 0);
    ck_assert_uint_eq(got, 6);
    ck_assert(sip_guard_take_flow(guard, &flow, true, 0));
    cfg.flow_rate = 0;
    ck_assert(sip_guard_take_flow(guard, &flow, false, 0));
}
END_TEST

START_TEST(who_guesses_is_banned_for_a_while)
{
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(
            answered("192.0.2.1:1", true, "REGISTER", "bob", 401, "", 0),
            SIP_GUARD_FAILED);
    ck_assert(!is_banned("192.0.2.1:1", 0));
    ck_assert_int_eq(answered("192.0.2.1:9", true, "INVITE", "eve", 407, "", 1),
                     SIP_GUARD_BANNED);
    ck_assert(is_banned("192.0.2.1:77", 2));
    ck_assert(!is_banned("192.0.2.2:77", 2));
    ck_assert(is_banned("192.0.2.1:77", 300000));
    ck_assert(!is_banned("192.0.2.1:77", 300001));
    ck_assert_uint_eq(sip_guard_bans(guard), 0);
}
END_TEST

START_TEST(what_is_no_guess_does_not_count)
{
    for (int i = 0; i < 50; i++) {
        /* the first challenge; an old nonce; a wrong number; a datagram */
        (void)answered("192.0.2.1:1", true, "REGISTER", NULL, 401, "", 0);
        (void)answered("192.0.2.1:1", true, "REGISTER", "bob", 401,
                       "WWW-Authenticate: Digest realm=\"e\", stale=TRUE\r\n",
                       0);
        (void)answered("192.0.2.1:1", true, "INVITE", "bob", 404, "", 0);
        (void)answered("192.0.2.1:1", true, "INVITE", "bob", 403, "", 0);
        (void)answered("192.0.2.1:1", false, "REGISTER", "bob", 403, "", 0);
        (void)answered("192.0.2.1:1", true, "REGISTER", "bob", 500, "", 0);
    }
    ck_assert_uint_eq(sip_guard_bans(guard), 0);
    /* slowly: each window begins anew */
    for (uint64_t i = 0; i < 50; i++)
        (void)answered("192.0.2.1:1", true, "REGISTER", "bob", 403, "",
                       i * 20000);
    ck_assert_uint_eq(sip_guard_bans(guard), 0);
}
END_TEST

START_TEST(registrations_of_an_office_make_up_for_one_wrong_password)
{
    for (int i = 0; i < 100; i++) {
        char user[16];

        (void)snprintf(user, sizeof(user), "u%d", i);
        (void)answered("192.0.2.1:1", true, "REGISTER", user, 200, "", 0);
        (void)answered("192.0.2.1:1", true, "REGISTER", "wrong", 401, "", 0);
    }
    ck_assert(!is_banned("192.0.2.1:1", 0));
    /* but not for a storm */
    for (int i = 0; i < 10; i++)
        (void)answered("192.0.2.1:1", true, "REGISTER", "wrong", 401, "", 0);
    ck_assert(is_banned("192.0.2.1:1", 0));
}
END_TEST

START_TEST(a_user_who_is_guessed_from_everywhere_gets_in_from_home)
{
    struct addr home = at("192.0.2.1:1"), elsewhere = at("192.0.2.2:1");
    char source[32];

    (void)answered("192.0.2.1:1", true, "REGISTER", "bob", 200, "", 0);
    for (int i = 0; i < 8; i++) {
        (void)snprintf(source, sizeof(source), "198.51.100.%d:1", i + 1);
        ck_assert_int_eq(answered(source, true, "REGISTER",
                                  i % 2 ? "bob" : "b\\ob", 401, "", 10),
                         SIP_GUARD_FAILED);
    }
    (void)asks("REGISTER", "Authorization: Digest username=\"bob\"\r\n");
    ck_assert(!sip_guard_refuses_user(guard, &home, &request, 20));
    ck_assert(sip_guard_refuses_user(guard, &elsewhere, &request, 20));
    ck_assert(!sip_guard_refuses_user(guard, &elsewhere, &request, 300010));
    (void)asks("REGISTER", "Authorization: Digest username=alice, x=1\r\n");
    ck_assert(!sip_guard_refuses_user(guard, &elsewhere, &request, 20));
    (void)asks("REGISTER", "");
    ck_assert(!sip_guard_refuses_user(guard, &elsewhere, &request, 20));
}
END_TEST

/* The answer to a request with these fields; what of it is refused. */
static enum sip_guard_news heard(const char *source, const char *fields,
                                 unsigned status)
{
    struct addr a = at(source);

    (void)answered(source, false, "REGISTER", NULL, status, "", 0);
    return sip_guard_on_response(guard, &a, true, asks("REGISTER", fields),
                                 &response, 0);
}

static bool refuses(const char *source, const char *fields)
{
    struct addr a = at(source);

    return sip_guard_refuses_user(guard, &a, asks("REGISTER", fields), 0);
}

START_TEST(a_guessed_user_does_not_hide_behind_another)
{
    static const char *const hidden[] = {
        "Authorization: Digest realm=\"username=x\", username=\"bob\"\r\n",
        "Authorization: Digest xusername=\"x\", username=\"bob\"\r\n",
        "Authorization: Digest username=\"x\"\r\n"
        "Authorization: Digest username=\"bob\"\r\n",
        "Authorization: Digest username=\"x\"\r\n"
        "Proxy-Authorization: Digest username=\"bob\"\r\n",
        "Authorization: Digest username=\"x\", Digest username = \"b\\ob\"\r\n",
    };
    static const char *const plain =
        "Authorization: Digest username=\"bob\"\r\n";
    char source[] = "192.0.2.1:1";

    for (size_t i = 0; i < 8; i++) {
        source[8] = (char)('1' + i); /* each of them guesses once */
        ck_assert(!refuses(source, plain));
        ck_assert_int_eq(heard(source, hidden[i % ARRAY_SIZE(hidden)], 401),
                         SIP_GUARD_FAILED);
    }
    for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
        ck_assert(refuses("198.51.100.1:1", hidden[i]));
    /* and who succeeds with his own is not at home with the other */
    for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
        (void)heard("198.51.100.1:1", hidden[i], 200);
    ck_assert(refuses("198.51.100.1:1", plain));
    (void)heard("198.51.100.1:1", plain, 200);
    ck_assert(!refuses("198.51.100.1:1", plain));
}
END_TEST

START_TEST(nobody_has_credentials_of_so_many)
{
    char fields[512] = "";

    for (int i = 0; i < 9; i++) {
        ck_assert(!refuses("192.0.2.1:1", fields));
        (void)snprintf(fields + strlen(fields), sizeof(fields) - strlen(fields),
                       "Authorization: Digest username=\"u%d\"\r\n", i);
    }
    ck_assert(refuses("192.0.2.1:1", fields));
}
END_TEST

START_TEST(exempt_sources_may_do_anything)
{
    ck_assert_int_eq(cidr_parse(span_str("192.0.2.0/24"), &cfg.exempt[0]), 0);
    cfg.n_exempt = 1;
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(
            answered("192.0.2.1:1", true, "REGISTER", "bob", 401, "", 0),
            SIP_GUARD_NOTHING);
    ck_assert_uint_eq(takes("[::ffff:192.0.2.1]:1", 100, false, 0), 100);
    ck_assert(!is_banned("192.0.2.1:1", 0));
}
END_TEST

START_TEST(bans_of_others_are_taken_over_and_swept)
{
    struct addr a = at("[2001:db8::5]:1");

    sip_guard_ban(guard, &a, 1000);
    ck_assert(is_banned("[2001:db8::9]:1", 999));
    sip_guard_sweep(guard, 999);
    ck_assert_uint_eq(sip_guard_bans(guard), 1);
    sip_guard_sweep(guard, 1000);
    ck_assert_uint_eq(sip_guard_bans(guard), 0);
}
END_TEST

START_TEST(new_limits_are_for_those_known_too)
{
    struct sip_guard_config next = cfg;

    ck_assert_uint_eq(takes("192.0.2.1:1", 100, true, 0), 40);
    next.source_burst = 100;
    sip_guard_reload(guard, &next);
    ck_assert_uint_eq(takes("192.0.2.1:1", 200, true, 0), 100);
}
END_TEST

START_TEST(scanners_are_known_by_name)
{
    ck_assert(sip_guard_is_scanner(
        guard, asks("OPTIONS", "User-Agent: Friendly-Scanner\r\n")));
    ck_assert(sip_guard_is_scanner(
        guard, asks("OPTIONS", "User-Agent: x sipcli/v1.8\r\n")));
    ck_assert(!sip_guard_is_scanner(
        guard, asks("OPTIONS", "User-Agent: Linphone/5.2\r\n")));
    ck_assert(!sip_guard_is_scanner(guard, asks("OPTIONS", "")));
    cfg.scanners = false;
    ck_assert(!sip_guard_is_scanner(
        guard, asks("OPTIONS", "User-Agent: friendly-scanner\r\n")));
}
END_TEST

START_TEST(a_full_table_forgets_the_oldest)
{
    struct sip_recent table;
    struct sip_recent_key key = {{0}};
    bool is_new;

    sip_recent_init(&table, sizeof(struct sip_recent_item), 3, seed);
    for (uint8_t i = 0; i < 5; i++) {
        key.bytes[0] = i;
        ck_assert_ptr_nonnull(sip_recent_get(&table, &key, &is_new));
        ck_assert(is_new);
        key.bytes[0] = 0; /* is seen again and again */
        ck_assert_ptr_nonnull(sip_recent_get(&table, &key, &is_new));
        ck_assert(!is_new);
    }
    ck_assert_uint_eq(sip_recent_count(&table), 3);
    key.bytes[0] = 2;
    ck_assert_ptr_null(sip_recent_find(&table, &key));
    key.bytes[0] = 4;
    ck_assert_ptr_nonnull(sip_recent_find(&table, &key));
    sip_recent_deinit(&table);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sip_guard");
    TCase *tc = tcase_create("guard");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_quarter_of_the_burst_is_kept_for_calls);
    tcase_add_test(tc, an_ipv6_source_is_its_64);
    tcase_add_test(tc, a_connection_has_its_own_rate);
    tcase_add_test(tc, who_guesses_is_banned_for_a_while);
    tcase_add_test(tc, what_is_no_guess_does_not_count);
    tcase_add_test(tc,
                   registrations_of_an_office_make_up_for_one_wrong_password);
    tcase_add_test(tc, a_user_who_is_guessed_from_everywhere_gets_in_from_home);
    tcase_add_test(tc, a_guessed_user_does_not_hide_behind_another);
    tcase_add_test(tc, nobody_has_credentials_of_so_many);
    tcase_add_test(tc, exempt_sources_may_do_anything);
    tcase_add_test(tc, bans_of_others_are_taken_over_and_swept);
    tcase_add_test(tc, new_limits_are_for_those_known_too);
    tcase_add_test(tc, scanners_are_known_by_name);
    tcase_add_test(tc, a_full_table_forgets_the_oldest);
    suite_add_tcase(suite, tc);
    return suite;
}
