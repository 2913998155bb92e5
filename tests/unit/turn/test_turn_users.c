/* SPDX-License-Identifier: MIT */
#include "turn/turn_users.h"

#include "base/err.h"
#include "support/unit.h"

#include <errno.h>

static struct turn_users *users;
static char error[160];

static int make(const char *list, const char *secrets)
{
    struct turn_users_options options = {span_str("example.org"),
                                         span_str(list), span_str(secrets)};

    users = NULL;
    error[0] = '\0';
    return turn_users_new(&users, &options, error, sizeof(error));
}

static void teardown(void)
{
    turn_users_free(users);
    users = NULL;
    ck_assert_no_blocks();
}

START_TEST(reads_names_with_passwords_and_with_keys)
{
    struct turn_user by_password, by_key;
    struct stun_key key;

    ck_assert_int_eq(make("# staff\n\nalice:won:der\r\n"
                          "bob:3ff8fa5d9c0a4ae87ac0b0a8a8f3d2a1\n",
                          ""),
                     0);
    ck_assert_uint_eq(turn_users_count(users), 2);
    ck_assert(turn_users_find(users, span_str("alice"), STUN_ALGORITHM_MD5,
                              &by_password));
    stun_key_make(STUN_ALGORITHM_MD5, span_str("alice"),
                  span_str("example.org"), span_str("won:der"), &key);
    ck_assert_uint_eq(by_password.n_keys, 1);
    ck_assert_mem_eq(by_password.keys[0].bytes, key.bytes, 16);
    ck_assert(
        turn_users_find(users, span_str("bob"), STUN_ALGORITHM_MD5, &by_key));
    ck_assert_mem_eq(by_key.keys[0].bytes, "\x3f\xf8\xfa\x5d", 4);
    ck_assert(!turn_users_find(users, span_str("bob"), STUN_ALGORITHM_SHA256,
                               &by_key));
    ck_assert(!turn_users_find(users, span_str("Alice"), STUN_ALGORITHM_MD5,
                               &by_key));
    ck_assert(
        !turn_users_find(users, span_str(""), STUN_ALGORITHM_MD5, &by_key));
}
END_TEST

START_TEST(makes_timed_passwords_as_turn_rest_does)
{
    struct turn_user user;
    struct stun_key key;

    /* printf '1433895918:ninefingers' | openssl dgst -sha1 -hmac north */
    ck_assert_int_eq(make("", "north"), 0);
    ck_assert(turn_users_find(users, span_str("1433895918:ninefingers"),
                              STUN_ALGORITHM_MD5, &user));
    stun_key_make(STUN_ALGORITHM_MD5, span_str("1433895918:ninefingers"),
                  span_str("example.org"),
                  span_str("jy8hTxmOO7UtEKXqSkSlvakPVYA="), &key);
    ck_assert_uint_eq(user.n_keys, 1);
    ck_assert_mem_eq(user.keys[0].bytes, key.bytes, 16);
    ck_assert_uint_eq(user.expiry, 1433895918);
    ck_assert_span_eq(user.quota, "ninefingers");
    ck_assert(turn_users_find(users, span_str("1433895918"), STUN_ALGORITHM_MD5,
                              &user));
    ck_assert_span_eq(user.quota, "1433895918");
}
END_TEST

START_TEST(knows_no_timed_name_without_a_secret_or_a_number)
{
    static const char *const names[] = {"x:alice",
                                        ":alice",
                                        "",
                                        "0:alice",
                                        "-5:alice",
                                        "12a:alice",
                                        "99999999999999999999:alice"};
    struct turn_user user;

    ck_assert_int_eq(make("", "north"), 0);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        ck_assert_msg(!turn_users_find(users, span_str(names[i]),
                                       STUN_ALGORITHM_MD5, &user),
                      "%s", names[i]);
    turn_users_free(users);
    ck_assert_int_eq(make("alice:x", ""), 0);
    ck_assert(!turn_users_find(users, span_str("1433895918:alice"),
                               STUN_ALGORITHM_MD5, &user));
}
END_TEST

START_TEST(finds_users_by_hash)
{
    struct turn_user user;
    uint8_t hash[32];

    ck_assert_int_eq(make("alice:x", ""), 0);
    stun_userhash(span_str("alice"), span_str("example.org"), hash);
    ck_assert(turn_users_find_hash(users, span_of(hash, sizeof(hash)),
                                   STUN_ALGORITHM_SHA256, &user));
    ck_assert_span_eq(user.name, "alice");
    hash[0] ^= 1;
    ck_assert(!turn_users_find_hash(users, span_of(hash, sizeof(hash)),
                                    STUN_ALGORITHM_SHA256, &user));
}
END_TEST

START_TEST(knows_a_name_and_a_password_in_every_spelling)
{
    struct turn_user user;
    struct stun_key key;
    uint8_t hash[32];

    /* e and a combining acute; an ideographic space */
    ck_assert_int_eq(make("Ame\u0301lie:pass\u3000e\u0301\n", ""), 0);
    stun_key_make(STUN_ALGORITHM_SHA256, span_str("Am\u00E9lie"),
                  span_str("example.org"), span_str("pass \u00E9"), &key);
    ck_assert(turn_users_find(users, span_str("Am\u00E9lie"),
                              STUN_ALGORITHM_SHA256, &user));
    ck_assert_mem_eq(user.keys[0].bytes, key.bytes, 32);
    ck_assert(turn_users_find(users, span_str("Ame\u0301lie"),
                              STUN_ALGORITHM_SHA256, &user));
    ck_assert_span_eq(user.name, "Am\u00E9lie");
    ck_assert(!turn_users_find(users, span_str("am\u00E9lie"),
                               STUN_ALGORITHM_SHA256, &user));
    ck_assert(!turn_users_find(users, span_str("Ame\u0301lie\u200B"),
                               STUN_ALGORITHM_SHA256, &user));
    ck_assert(!turn_users_find(users, span_str("\xff\xfe"),
                               STUN_ALGORITHM_SHA256, &user));
    stun_userhash(span_str("Am\u00E9lie"), span_str("example.org"), hash);
    ck_assert(turn_users_find_hash(users, span_of(hash, sizeof(hash)),
                                   STUN_ALGORITHM_SHA256, &user));
    turn_users_free(users);
    /* two spellings of one name are one name */
    ck_assert_int_eq(make("Am\u00E9lie:a\nAme\u0301lie:b\n", ""), ERR_CONFIG);
    ck_assert(strstr(error, "line 2") != NULL);
    ck_assert_int_eq(make("a:ok\nalice:a\tb\n", ""), ERR_CONFIG);
    ck_assert(strstr(error, "line 2") != NULL);
    ck_assert_int_eq(make("a:ok\nb\u200B:ok\n", ""), ERR_CONFIG);
    ck_assert(strstr(error, "RFC 8265") != NULL);
}
END_TEST

START_TEST(offers_what_all_users_can_do)
{
    ck_assert_int_eq(make("alice:x\nbob:y", ""), 0);
    ck_assert_uint_eq(turn_users_features(users),
                      STUN_FEATURE_ALGORITHMS | STUN_FEATURE_ANONYMITY);
    turn_users_free(users);
    ck_assert_int_eq(make("alice:x", "north"), 0);
    ck_assert_uint_eq(turn_users_features(users), STUN_FEATURE_ALGORITHMS);
    turn_users_free(users);
    ck_assert_int_eq(make("alice:00112233445566778899aabbccddeeff", ""), 0);
    ck_assert_uint_eq(turn_users_features(users), STUN_FEATURE_ANONYMITY);
}
END_TEST

START_TEST(names_the_line_that_is_wrong_and_never_its_content)
{
    static const char *const lists[] = {
        "ok:fine\nhunter2\n", "ok:fine\n:x\n", "ok:fine\nname:\n",
        "ok:fine\nok:again\n", "ok:fine\n\xff:x\n"};

    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        ck_assert_int_eq(make(lists[i], ""), ERR_CONFIG);
        ck_assert(strstr(error, "line 2") != NULL);
        ck_assert(strstr(error, "hunter2") == NULL);
    }
    ck_assert_int_eq(make("", "a\nb\nc\nd\ne"), ERR_CONFIG);
    ck_assert(strstr(error, "line 5") != NULL);
}
END_TEST

START_TEST(handles_every_failed_allocation)
{
    int err = 0;

    CK_OOM_SWEEP(err, err = make("alice:x\nbob:y\n", "north\nsouth"));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("turn users");
    TCase *tc = tcase_create("users");

    tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_add_test(tc, reads_names_with_passwords_and_with_keys);
    tcase_add_test(tc, makes_timed_passwords_as_turn_rest_does);
    tcase_add_test(tc, knows_no_timed_name_without_a_secret_or_a_number);
    tcase_add_test(tc, finds_users_by_hash);
    tcase_add_test(tc, knows_a_name_and_a_password_in_every_spelling);
    tcase_add_test(tc, offers_what_all_users_can_do);
    tcase_add_test(tc, names_the_line_that_is_wrong_and_never_its_content);
    tcase_add_test(tc, handles_every_failed_allocation);
    suite_add_tcase(s, tc);
    return s;
}
