/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include "base/err.h"
#include "support/unit.h"

#include <errno.h>

enum { MANY = 3000 };

static const uint8_t seed[16] = {0, 1, 2,  3,  4,  5,  6,  7,
                                 8, 9, 10, 11, 12, 13, 14, 15};
static struct map map;
static uint32_t items[MANY];

static void setup(void)
{
    map_init(&map, MANY, seed);
    for (uint32_t i = 0; i < MANY; i++)
        items[i] = i;
}

static void teardown(void)
{
    map_deinit(&map);
    ck_assert_no_blocks();
}

static struct span key_of(size_t i)
{
    return span_of(&items[i], sizeof(items[i]));
}

/* Published with SipHash: key 00..0f, message 00, 01, .. of each length. The
 * 1-3 values are those of the Rust and CPython implementations. */
START_TEST(the_hash_is_siphash_1_3)
{
    static const struct {
        size_t len;
        uint64_t hash;
    } vectors[] = {
        {0, 0xabac0158050fc4dc},  {1, 0xc9f49bf37d57ca93},
        {2, 0x82cb9b024dc7d44d},  {7, 0xd3927d989bb11140},
        {8, 0x369095118d299a8e},  {9, 0x25a48eb36c063de4},
        {15, 0xd320d86d2a519956}, {16, 0xcc4fdd1a7d908b66},
        {63, 0x9d199062b7bbb3a8},
    };
    uint8_t message[63];

    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (uint8_t)i;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++)
        ck_assert_uint_eq(map_hash(map.seed, span_of(message, vectors[i].len)),
                          vectors[i].hash);
}
END_TEST

START_TEST(another_seed_gives_another_hash)
{
    uint64_t other[2] = {map.seed[0] ^ 1, map.seed[1]};

    ck_assert_uint_ne(map_hash(map.seed, span_str("key")),
                      map_hash(other, span_str("key")));
}
END_TEST

START_TEST(an_empty_map_has_nothing_and_no_memory)
{
    size_t pos = 0;

    ck_assert_no_blocks();
    ck_assert_uint_eq(map_count(&map), 0);
    ck_assert_ptr_null(map_find(&map, span_str("x")));
    ck_assert_ptr_null(map_remove(&map, span_str("x")));
    ck_assert_ptr_null(map_each(&map, &pos));
}
END_TEST

START_TEST(what_was_put_is_found_and_removed)
{
    for (size_t i = 0; i < MANY; i++)
        ck_assert_int_eq(map_put(&map, key_of(i), &items[i]), 0);
    ck_assert_uint_eq(map_count(&map), MANY);
    for (size_t i = 0; i < MANY; i++) {
        uint32_t copy = items[i];

        ck_assert_ptr_eq(map_find(&map, span_of(&copy, sizeof(copy))),
                         &items[i]);
    }
    for (size_t i = 0; i < MANY; i += 2)
        ck_assert_ptr_eq(map_remove(&map, key_of(i)), &items[i]);
    for (size_t i = 0; i < MANY; i++)
        ck_assert_ptr_eq(map_find(&map, key_of(i)), i % 2 ? &items[i] : NULL);
    ck_assert_ptr_null(map_remove(&map, key_of(0)));
    ck_assert_uint_eq(map_count(&map), MANY / 2);
}
END_TEST

START_TEST(a_key_can_be_there_once)
{
    ck_assert_int_eq(map_put(&map, span_str("k"), &items[0]), 0);
    ck_assert_int_eq(map_put(&map, span_str("k"), &items[1]), ERR_STATE);
    ck_assert_ptr_eq(map_find(&map, span_str("k")), &items[0]);
    ck_assert_uint_eq(map_count(&map), 1);
}
END_TEST

START_TEST(keys_are_told_apart_by_length_and_bytes)
{
    ck_assert_int_eq(map_put(&map, span_of("a", 1), &items[0]), 0);
    ck_assert_int_eq(map_put(&map, span_of("a\0", 2), &items[1]), 0);
    ck_assert_int_eq(map_put(&map, span_of(NULL, 0), &items[2]), 0);
    ck_assert_ptr_eq(map_find(&map, span_str("a")), &items[0]);
    ck_assert_ptr_eq(map_find(&map, span_of("a\0", 2)), &items[1]);
    ck_assert_ptr_eq(map_find(&map, span_str("")), &items[2]);
    ck_assert_ptr_null(map_find(&map, span_str("A")));
}
END_TEST

START_TEST(the_maximum_is_a_limit)
{
    map_deinit(&map);
    map_init(&map, 3, seed);
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(map_put(&map, key_of(i), &items[i]), 0);
    ck_assert_int_eq(map_put(&map, key_of(3), &items[3]), ERR_LIMIT);
    ck_assert_int_eq(map_put(&map, key_of(1), &items[1]), ERR_STATE);
    ck_assert_ptr_nonnull(map_remove(&map, key_of(1)));
    ck_assert_int_eq(map_put(&map, key_of(3), &items[3]), 0);
}
END_TEST

START_TEST(a_map_of_nothing_takes_nothing)
{
    map_deinit(&map);
    map_init(&map, 0, seed);
    ck_assert_int_eq(map_put(&map, key_of(0), &items[0]), ERR_LIMIT);
    ck_assert_no_blocks();
}
END_TEST

START_TEST(a_walk_sees_each_item_once)
{
    uint8_t seen[MANY] = {0};
    size_t pos = 0;
    uint32_t *item;
    size_t n = 0;

    for (size_t i = 0; i < MANY; i++)
        map_put(&map, key_of(i), &items[i]);
    while ((item = map_each(&map, &pos)) != NULL) {
        ck_assert_uint_eq(seen[*item], 0);
        seen[*item] = 1;
        n++;
    }
    ck_assert_uint_eq(n, MANY);
}
END_TEST

/* Puts and removes in a random order, compared with a plain array: every way
 * of closing a gap in a run comes by. */
START_TEST(it_agrees_with_an_array_under_random_use)
{
    static uint8_t present[64];
    uint32_t random = 12345;

    for (int round = 0; round < 10000; round++) {
        size_t i;

        random = random * 1664525 + 1013904223;
        i = random >> 26;
        if (present[i]) {
            ck_assert_ptr_eq(map_remove(&map, key_of(i)), &items[i]);
            present[i] = 0;
        } else {
            ck_assert_int_eq(map_put(&map, key_of(i), &items[i]), 0);
            present[i] = 1;
        }
        for (size_t k = 0; k < 64; k++)
            ck_assert(map_find(&map, key_of(k)) ==
                      (present[k] ? &items[k] : NULL));
    }
}
END_TEST

START_TEST(a_failed_allocation_changes_nothing)
{
    for (size_t i = 0; i < 100; i++) {
        int err;

        CK_OOM_SWEEP(err, err = map_put(&map, key_of(i), &items[i]));
        ck_assert_uint_eq(map_count(&map), i + 1);
        ck_assert_ptr_eq(map_find(&map, key_of(0)), &items[0]);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("map");
    TCase *tc = tcase_create("map");

    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_hash_is_siphash_1_3);
    tcase_add_test(tc, another_seed_gives_another_hash);
    tcase_add_test(tc, an_empty_map_has_nothing_and_no_memory);
    tcase_add_test(tc, what_was_put_is_found_and_removed);
    tcase_add_test(tc, a_key_can_be_there_once);
    tcase_add_test(tc, keys_are_told_apart_by_length_and_bytes);
    tcase_add_test(tc, the_maximum_is_a_limit);
    tcase_add_test(tc, a_map_of_nothing_takes_nothing);
    tcase_add_test(tc, a_walk_sees_each_item_once);
    tcase_add_test(tc, it_agrees_with_an_array_under_random_use);
    tcase_add_test(tc, a_failed_allocation_changes_nothing);
    suite_add_tcase(suite, tc);
    return suite;
}
