/* SPDX-License-Identifier: MIT */
#include "turn/turn_ports.h"

#include "base/err.h"
#include "support/unit.h"
#include "turn/turn_reserve.h"

#include <errno.h>
#include <pthread.h>

static struct turn_ports *ports;

static void teardown(void)
{
    turn_ports_free(ports);
    ports = NULL;
    ck_assert_no_blocks();
}

START_TEST(hands_out_each_port_once)
{
    bool seen[100] = {false};

    ck_assert_int_eq(turn_ports_new(&ports, 1, 40000, 40099), 0);
    for (uint32_t i = 0; i < 100; i++) {
        int port = turn_ports_take(ports, 0, i * 2654435761U, TURN_PORT_ANY);

        ck_assert_int_ge(port, 40000);
        ck_assert_int_le(port, 40099);
        ck_assert(!seen[port - 40000]);
        seen[port - 40000] = true;
    }
    ck_assert_uint_eq(turn_ports_taken(ports), 100);
    ck_assert_int_eq(turn_ports_take(ports, 0, 7, TURN_PORT_ANY), ERR_LIMIT);
    turn_ports_give(ports, 0, 40033);
    ck_assert_int_eq(turn_ports_take(ports, 0, 7, TURN_PORT_ANY), 40033);
}
END_TEST

START_TEST(keeps_addresses_apart)
{
    ck_assert_int_eq(turn_ports_new(&ports, 2, 5, 5), 0);
    ck_assert_int_eq(turn_ports_take(ports, 0, 1, TURN_PORT_ANY), 5);
    ck_assert_int_eq(turn_ports_take(ports, 0, 1, TURN_PORT_ANY), ERR_LIMIT);
    ck_assert_int_eq(turn_ports_take(ports, 1, 1, TURN_PORT_ANY), 5);
}
END_TEST

START_TEST(finds_even_ports_and_pairs)
{
    int port;

    ck_assert_int_eq(turn_ports_new(&ports, 1, 1001, 1008), 0);
    for (int i = 0; i < 4; i++) {
        port = turn_ports_take(ports, 0, (uint32_t)i, TURN_PORT_EVEN);
        ck_assert_int_eq(port % 2, 0);
    }
    ck_assert_int_eq(turn_ports_take(ports, 0, 0, TURN_PORT_EVEN), ERR_LIMIT);
    for (uint16_t p = 1002; p <= 1008; p += 2)
        turn_ports_give(ports, 0, p);
    for (int i = 0; i < 3; i++) {
        port = turn_ports_take(ports, 0, 5, TURN_PORT_EVEN_PAIR);
        ck_assert_int_eq(port % 2, 0);
        ck_assert_int_lt(port, 1008);
    }
    /* 1008 is even, but there is no 1009 */
    ck_assert_int_eq(turn_ports_take(ports, 0, 5, TURN_PORT_EVEN_PAIR),
                     ERR_LIMIT);
    ck_assert_uint_eq(turn_ports_taken(ports), 6);
}
END_TEST

START_TEST(works_up_to_the_last_port_there_is)
{
    ck_assert_int_eq(turn_ports_new(&ports, 1, 65535, 65535), 0);
    ck_assert_int_eq(turn_ports_take(ports, 0, UINT32_MAX, TURN_PORT_ANY),
                     65535);
    ck_assert_int_eq(turn_ports_new(&ports, 0, 1, 2), -EINVAL);
    ck_assert_int_eq(turn_ports_new(&ports, 1, 0, 2), -EINVAL);
    ck_assert_int_eq(turn_ports_new(&ports, 1, 3, 2), -EINVAL);
}
END_TEST

static void *take_many(void *arg)
{
    int *got = arg;

    for (uint32_t i = 0; i < 2000; i++)
        got[i] = turn_ports_take(ports, 0, i * 40503U, TURN_PORT_ANY);
    return NULL;
}

START_TEST(gives_no_port_to_two_threads)
{
    static int got[4][2000];
    static bool seen[8000];
    pthread_t threads[4];

    ck_assert_int_eq(turn_ports_new(&ports, 1, 10000, 17999), 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_many, got[i]),
                         0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    memset(seen, 0, sizeof(seen));
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 2000; j++) {
            ck_assert_int_ge(got[i][j], 10000);
            ck_assert(!seen[got[i][j] - 10000]);
            seen[got[i][j] - 10000] = true;
        }
    }
}
END_TEST

static struct turn_quota *quota;

static int put(struct turn_reserve *reserve, const uint8_t *token,
               uint16_t port, uint64_t now)
{
    static const struct turn_quota_limits limits = {0};
    struct addr source = {.family = ADDR_V4};
    struct turn_quota_who who = {1, span_str("alice"), &source};
    struct turn_reserved what = {.port = port};
    int err;

    ck_assert_int_eq(turn_quota_take(quota, &who, &limits, &what.hold),
                     TURN_QUOTA_OK);
    err = turn_reserve_put(reserve, token, &what, now);
    if (err < 0)
        turn_quota_give(quota, &what.hold);
    return err;
}

START_TEST(reserves_a_port_for_the_token_once)
{
    static const uint8_t token[TURN_TOKEN_SIZE] = "12345678";
    static const uint8_t other[TURN_TOKEN_SIZE] = "87654321";
    struct turn_reserve *reserve;
    size_t addr;
    uint16_t port;

    ck_assert_int_eq(turn_ports_new(&ports, 1, 100, 109), 0);
    ck_assert_int_eq(turn_quota_new(&quota), 0);
    ck_assert_int_eq(turn_reserve_new(&reserve, ports, quota), 0);
    ck_assert_int_eq(turn_ports_take(ports, 0, 0, TURN_PORT_EVEN_PAIR), 100);
    ck_assert_int_eq(put(reserve, token, 101, 1000), 0);
    ck_assert(!turn_reserve_claim(reserve, other, 1000, &addr, &port));
    ck_assert(turn_reserve_claim(reserve, token, 30999, &addr, &port));
    ck_assert_uint_eq(port, 101);
    ck_assert_uint_eq(turn_quota_total(quota), 0); /* no longer a reserve */
    ck_assert(!turn_reserve_claim(reserve, token, 30999, &addr, &port));
    ck_assert_uint_eq(turn_ports_taken(ports), 2);
    ck_assert_int_eq(put(reserve, token, 101, 1000), 0);
    ck_assert(!turn_reserve_claim(reserve, token, 31000, &addr, &port));
    ck_assert_uint_eq(turn_ports_taken(ports), 1);
    turn_reserve_free(reserve);
    ck_assert_uint_eq(turn_quota_total(quota), 0);
    turn_quota_free(quota);
}
END_TEST

START_TEST(bounds_reservations_and_gives_them_back_at_the_end)
{
    struct turn_reserve *reserve;
    uint8_t token[TURN_TOKEN_SIZE] = {0};

    ck_assert_int_eq(turn_ports_new(&ports, 1, 1000, 1999), 0);
    ck_assert_int_eq(turn_quota_new(&quota), 0);
    ck_assert_int_eq(turn_reserve_new(&reserve, ports, quota), 0);
    for (int i = 0; i <= TURN_RESERVE_MAX; i++) {
        int port = turn_ports_take(ports, 0, 0, TURN_PORT_ANY);
        int want = i < TURN_RESERVE_MAX ? 0 : ERR_LIMIT;

        token[0] = (uint8_t)i;
        token[1] = (uint8_t)(i >> 8);
        ck_assert_int_eq(put(reserve, token, (uint16_t)port, 1), want);
    }
    turn_reserve_free(reserve);
    ck_assert_uint_eq(turn_quota_total(quota), 0);
    turn_quota_free(quota);
    ck_assert_uint_eq(turn_ports_taken(ports), 1);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("turn ports");
    TCase *tc = tcase_create("ports");

    tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_add_test(tc, hands_out_each_port_once);
    tcase_add_test(tc, keeps_addresses_apart);
    tcase_add_test(tc, finds_even_ports_and_pairs);
    tcase_add_test(tc, works_up_to_the_last_port_there_is);
    tcase_add_test(tc, gives_no_port_to_two_threads);
    tcase_add_test(tc, reserves_a_port_for_the_token_once);
    tcase_add_test(tc, bounds_reservations_and_gives_them_back_at_the_end);
    suite_add_tcase(s, tc);
    return s;
}
