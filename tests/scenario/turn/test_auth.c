/* SPDX-License-Identifier: MIT */
#include "base/crypto.h"
#include "base/log.h"
#include "base/text.h"
#include "support_turn.h"

#include <stdio.h>

static struct world world;
static struct world_options options;
static struct actor alice;

static void begin(void)
{
    world_start(&world, &options);
    actor_init(&alice, &world, "192.0.2.7:40000", "alice", "wonder");
}

static void setup(void)
{
    options = world_defaults();
    begin();
}

static void teardown(void)
{
    world_stop(&world);
}

static void again(void)
{
    world_stop(&world);
    begin();
}

/* The name and password of TURN REST for `secret`. */
static void timed(struct actor *actor, const char *secret, uint64_t expiry)
{
    static char names[4][64];
    static char passwords[4][64];
    static int next;
    uint8_t mac[CRYPTO_SHA1_SIZE];
    struct span name;

    next = (next + 1) % 4;
    snprintf(names[next], sizeof(names[next]), "%llu:carol",
             (unsigned long long)expiry);
    name = span_str(names[next]);
    crypto_hmac_sha1(span_str(secret), &name, 1, mac);
    text_base64(TEXT_BASE64, span_of(mac, sizeof(mac)), passwords[next]);
    actor->user = names[next];
    actor->password = passwords[next];
}

START_TEST(challenges_a_stranger_with_a_small_answer)
{
    ck_assert_int_eq(actor_challenge(&alice), STUN_UNAUTHENTICATED);
    ck_assert_span_eq(stun_msg_attr(&alice.msg, STUN_REALM), "example.org");
    ck_assert_uint_eq(stun_msg_attr(&alice.msg, STUN_NONCE).len,
                      STUN_NONCE_SIZE);
    ck_assert(!stun_msg_has(&alice.msg, STUN_SOFTWARE));
    ck_assert_uint_le(alice.msg.raw.len, 96);
    ck_assert_uint_eq(turn_core_allocations(world.core), 0);
}
END_TEST

START_TEST(refuses_a_wrong_password_and_an_unknown_name_alike)
{
    struct actor mallory;
    size_t size;

    actor_init(&mallory, &world, "192.0.2.7:40001", "alice", "wander");
    ck_assert_int_eq(actor_allocate(&mallory), STUN_UNAUTHENTICATED);
    ck_assert(!stun_msg_has(&mallory.msg, STUN_MESSAGE_INTEGRITY));
    size = mallory.msg.raw.len;
    mallory.user = "mallo";
    ck_assert_int_eq(actor_allocate(&mallory), STUN_UNAUTHENTICATED);
    ck_assert_uint_eq(mallory.msg.raw.len, size);
    ck_assert_uint_eq(world.stats.wrong_password, 1);
    ck_assert_uint_eq(world.stats.unknown_user, 1);
}
END_TEST

START_TEST(refuses_a_request_with_parts_of_a_credential)
{
    static const enum stun_attr parts[] = {STUN_USERNAME, STUN_REALM,
                                           STUN_NONCE};
    struct stun_key key;

    actor_challenge(&alice);
    stun_key_make(STUN_ALGORITHM_MD5, span_str("alice"),
                  span_str("example.org"), span_str("wonder"), &key);
    for (size_t missing = 0; missing < ARRAY_SIZE(parts); missing++) {
        actor_start(&alice, STUN_ALLOCATE);
        for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
            if (i != missing)
                stun_write(&alice.w, parts[i], span_str("x"));
        }
        stun_write_integrity(&alice.w, STUN_INTEGRITY_SHA1, &key);
        ck_assert_int_eq(actor_send_plain(&alice), STUN_BAD_REQUEST);
    }
}
END_TEST

START_TEST(lets_a_nonce_expire_with_438_and_a_new_one)
{
    options.rules.limits.nonce_lifetime = 600;
    again();
    ck_assert_int_eq(actor_allocate(&alice), 0);
    world_pass(&world, 500 * 1000);
    ck_assert_int_eq(actor_refresh(&alice, 3600), 0);
    world_pass(&world, 101 * 1000);
    ck_assert_int_eq(actor_refresh(&alice, 600), STUN_STALE_NONCE);
    ck_assert_int_eq(actor_refresh(&alice, 600), 0);
    ck_assert_uint_eq(world.stats.refused_438, 1);
}
END_TEST

START_TEST(takes_a_nonce_from_the_client_it_was_given_to_only)
{
    struct actor thief;

    actor_challenge(&alice);
    actor_init(&thief, &world, "192.0.2.8:40000", "alice", "wonder");
    memcpy(thief.nonce, alice.nonce, alice.nonce_len);
    thief.nonce_len = alice.nonce_len;
    ck_assert_int_eq(actor_allocate(&thief), STUN_STALE_NONCE);
    actor_init(&thief, &world, "192.0.2.7:40001", "alice", "wonder");
    memcpy(thief.nonce, alice.nonce, alice.nonce_len);
    thief.nonce_len = alice.nonce_len;
    ck_assert_int_eq(actor_allocate(&thief), STUN_STALE_NONCE);
}
END_TEST

START_TEST(works_with_sha256_keys_and_integrity)
{
    alice.algorithm = STUN_ALGORITHM_SHA256;
    alice.integrity = STUN_INTEGRITY_SHA256;
    ck_assert_int_eq(actor_allocate(&alice), 0);
    ck_assert_int_eq(actor_permit(&alice, "198.51.100.9:1"), 0);
    ck_assert(stun_msg_has(&alice.msg, STUN_MESSAGE_INTEGRITY_SHA256));
    ck_assert(!stun_msg_has(&alice.msg, STUN_MESSAGE_INTEGRITY));
}
END_TEST

START_TEST(offers_no_sha256_when_a_user_has_only_an_md5_key)
{
    /* MD5(alice:example.org:wonder) */
    options.rules.realm.users.users =
        span_str("bob:builder\nalice:"
                 "0f1a2ec1f1aba0a8f4d27a4cf4a72d86\n");
    again();
    actor_challenge(&alice);
    ck_assert(!stun_msg_has(&alice.msg, STUN_PASSWORD_ALGORITHMS));
    ck_assert(!(stun_nonce_features(stun_msg_attr(&alice.msg, STUN_NONCE)) &
                STUN_FEATURE_ALGORITHMS));
}
END_TEST

/* Send with these two attributes in place of the right ones. */
static int allocate_with(const void *list, size_t list_len, const void *chosen)
{
    struct stun_key key;

    actor_start(&alice, STUN_ALLOCATE);
    stun_write(&alice.w, STUN_REQUESTED_TRANSPORT, span_of("\x11\0\0\0", 4));
    stun_write(&alice.w, STUN_USERNAME, span_str("alice"));
    stun_write(&alice.w, STUN_REALM, span_str("example.org"));
    stun_write(&alice.w, STUN_NONCE, span_of(alice.nonce, alice.nonce_len));
    if (list)
        stun_write(&alice.w, STUN_PASSWORD_ALGORITHMS, span_of(list, list_len));
    if (chosen)
        stun_write(&alice.w, STUN_PASSWORD_ALGORITHM, span_of(chosen, 4));
    stun_key_make(STUN_ALGORITHM_MD5, span_str("alice"),
                  span_str("example.org"), span_str("wonder"), &key);
    stun_write_integrity(&alice.w, STUN_INTEGRITY_SHA1, &key);
    return actor_send_plain(&alice);
}

START_TEST(notices_when_the_list_of_algorithms_was_shortened)
{
    actor_challenge(&alice);
    ck_assert_int_eq(allocate_with("\0\1\0\0", 4, "\0\1\0\0"),
                     STUN_BAD_REQUEST);
    ck_assert_int_eq(allocate_with(NULL, 0, "\0\1\0\0"), STUN_BAD_REQUEST);
    ck_assert_int_eq(allocate_with("\0\2\0\0\0\1\0\0", 8, NULL),
                     STUN_BAD_REQUEST);
    ck_assert_int_eq(allocate_with("\0\2\0\0\0\1\0\0", 8, "\0\3\0\0"),
                     STUN_BAD_REQUEST);
    ck_assert_int_eq(allocate_with("\0\2\0\0\0\1\0\0", 8, "\0\1\0\0"), 0);
}
END_TEST

START_TEST(refuses_a_nonce_whose_features_were_taken_out)
{
    actor_challenge(&alice);
    memcpy(alice.nonce + 9, "AAAA", 4); /* as if we could not do SHA-256 */
    ck_assert_int_eq(actor_allocate(&alice), STUN_STALE_NONCE);
}
END_TEST

START_TEST(knows_a_user_by_its_hash)
{
    uint8_t hash[32];
    struct stun_key key;

    options.rules.realm.users.secrets = span_of(NULL, 0);
    again();
    actor_challenge(&alice);
    ck_assert(stun_nonce_features(stun_msg_attr(&alice.msg, STUN_NONCE)) &
              STUN_FEATURE_ANONYMITY);
    stun_userhash(span_str("alice"), span_str("example.org"), hash);
    stun_key_make(STUN_ALGORITHM_MD5, span_str("alice"),
                  span_str("example.org"), span_str("wonder"), &key);
    actor_start(&alice, STUN_ALLOCATE);
    stun_write(&alice.w, STUN_REQUESTED_TRANSPORT, span_of("\x11\0\0\0", 4));
    stun_write(&alice.w, STUN_USERHASH, span_of(hash, sizeof(hash)));
    stun_write(&alice.w, STUN_REALM, span_str("example.org"));
    stun_write(&alice.w, STUN_NONCE, span_of(alice.nonce, alice.nonce_len));
    stun_write_integrity(&alice.w, STUN_INTEGRITY_SHA1, &key);
    ck_assert_int_eq(actor_send_plain(&alice), 0);
    /* and it is the same user as by name */
    ck_assert_int_eq(actor_refresh(&alice, 600), 0);
}
END_TEST

START_TEST(refuses_to_let_one_user_change_the_allocation_of_another)
{
    ck_assert_int_eq(actor_allocate(&alice), 0);
    alice.user = "bob";
    alice.password = "builder";
    ck_assert_int_eq(actor_refresh(&alice, 0), STUN_WRONG_CREDENTIALS);
    ck_assert_int_eq(actor_permit(&alice, "198.51.100.9:1"),
                     STUN_WRONG_CREDENTIALS);
    ck_assert_int_eq(actor_bind(&alice, 0x4000, "198.51.100.9:1"),
                     STUN_WRONG_CREDENTIALS);
    ck_assert_int_eq(actor_allocate(&alice), STUN_ALLOCATION_MISMATCH);
    ck_assert_uint_eq(world_open_relays(&world), 1);
}
END_TEST

START_TEST(ignores_what_stands_behind_the_integrity)
{
    struct addr peer = world_addr("198.51.100.9:1");
    struct addr evil = world_addr("198.51.100.66:1");

    ck_assert_int_eq(actor_allocate(&alice), 0);
    ck_assert_int_eq(actor_permit(&alice, "198.51.100.9:1"), 0);
    actor_start(&alice, STUN_CREATE_PERMISSION);
    stun_write_xor_addr(&alice.w, STUN_XOR_PEER_ADDRESS, &peer);
    ck_assert_int_eq(actor_send(&alice), 0);
    /* the same signed bytes with a second peer appended by somebody else */
    stun_write_xor_addr(&alice.w, STUN_XOR_PEER_ADDRESS, &evil);
    ck_assert_int_eq(actor_send_plain(&alice), 0);
    actor_say(&alice, "198.51.100.66:1", "x");
    ck_assert_uint_eq(world.n_peer, 0);
}
END_TEST

START_TEST(knows_timed_users_until_they_expire)
{
    timed(&alice, "north", world.epoch + 100);
    ck_assert_int_eq(actor_allocate(&alice), 0);
    ck_assert_int_eq(actor_refresh(&alice, 0), 0);
    world_pass(&world, 100 * 1000);
    ck_assert_int_eq(actor_allocate(&alice), STUN_UNAUTHENTICATED);
    ck_assert_uint_eq(world.stats.expired_user, 1);
    timed(&alice, "south", world.epoch + 100);
    ck_assert_int_eq(actor_allocate(&alice), STUN_UNAUTHENTICATED);
}
END_TEST

static uint32_t granted(void)
{
    uint32_t lifetime;

    ck_assert_int_eq(
        stun_attr_u32(stun_msg_attr(&alice.msg, STUN_LIFETIME), &lifetime), 0);
    return lifetime;
}

START_TEST(lets_an_allocation_outlive_its_credential_by_one_lifetime)
{
    timed(&alice, "north", world.epoch + 1000);
    ck_assert_int_eq(actor_allocate(&alice), 0);
    ck_assert_int_eq(actor_refresh(&alice, 3600), 0);
    ck_assert_uint_eq(granted(), 1600);
    world_pass(&world, 1100 * 1000);
    ck_assert_int_eq(actor_permit(&alice, "198.51.100.9:1"), 0);
    ck_assert_int_eq(actor_refresh(&alice, 3600), 0);
    ck_assert_uint_eq(granted(), 500);
    world_pass(&world, 499 * 1000);
    ck_assert_int_eq(actor_refresh(&alice, 3600), 0);
    ck_assert_uint_eq(granted(), 1);
    world_pass(&world, 1000);
    ck_assert_uint_eq(turn_core_allocations(world.core), 0);
    ck_assert_int_eq(actor_allocate(&alice), STUN_UNAUTHENTICATED);
    ck_assert_uint_eq(world.stats.expired_user, 1);
}
END_TEST

/* The wall clock may be set while an allocation lives. */
START_TEST(refuses_to_refresh_when_the_clock_says_it_is_too_late)
{
    timed(&alice, "north", world.epoch + 1000);
    ck_assert_int_eq(actor_allocate(&alice), 0);
    world.epoch += 1600;
    ck_assert_int_eq(actor_refresh(&alice, 600), STUN_FORBIDDEN);
    ck_assert_uint_eq(world.stats.expired_user, 1);
    ck_assert_int_eq(actor_refresh(&alice, 0), 0);
}
END_TEST

START_TEST(takes_each_secret_of_the_ring)
{
    options.rules.realm.users.secrets = span_str("south\nnorth\n");
    again();
    timed(&alice, "north", world.epoch + 100);
    ck_assert_int_eq(actor_allocate(&alice), 0);
    ck_assert_int_eq(actor_refresh(&alice, 0), 0);
    timed(&alice, "south", world.epoch + 100);
    ck_assert_int_eq(actor_allocate(&alice), 0);
}
END_TEST

START_TEST(loses_no_allocation_when_a_secret_is_withdrawn)
{
    struct actor late;

    timed(&alice, "north", world.epoch + 10000);
    ck_assert_int_eq(actor_allocate(&alice), 0);
    options.rules.realm.users.secrets = span_str("south");
    world_reload(&world, &options);
    ck_assert_int_eq(actor_refresh(&alice, 600), 0);
    ck_assert_int_eq(actor_permit(&alice, "198.51.100.9:1"), 0);
    actor_init(&late, &world, "192.0.2.7:40009", "", "");
    timed(&late, "north", world.epoch + 10000);
    ck_assert_int_eq(actor_allocate(&late), STUN_UNAUTHENTICATED);
}
END_TEST

START_TEST(stops_serving_a_user_that_was_removed)
{
    ck_assert_int_eq(actor_allocate(&alice), 0);
    options.rules.realm.users.users = span_str("bob:builder");
    world_reload(&world, &options);
    ck_assert_int_eq(actor_refresh(&alice, 600), STUN_UNAUTHENTICATED);
    ck_assert_uint_eq(world_open_relays(&world), 1);
    world_pass(&world, 600 * 1000);
    ck_assert_uint_eq(world_open_relays(&world), 0);
}
END_TEST

START_TEST(counts_timed_users_by_the_name_behind_the_expiry)
{
    struct actor again_carol;

    options.rules.realm.limits.max_per_user = 1;
    again();
    timed(&alice, "north", world.epoch + 100);
    ck_assert_int_eq(actor_allocate(&alice), 0);
    actor_init(&again_carol, &world, "192.0.2.7:40001", "", "");
    timed(&again_carol, "north", world.epoch + 101);
    ck_assert_int_eq(actor_allocate(&again_carol), STUN_QUOTA_REACHED);
}
END_TEST

static char lines[20][300];
static int n_lines;

static void keep_line(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)arg;
    if (n_lines < 20)
        snprintf(lines[n_lines], sizeof(lines[0]), "%s", line);
    n_lines++;
}

START_TEST(says_why_it_refused_and_says_it_not_too_often)
{
    options.rules.log_allocations = true;
    log_set_sink(keep_line, NULL);
    again();
    n_lines = 0;
    ck_assert_int_eq(actor_allocate(&alice), 0);
    ck_assert_int_eq(n_lines, 1); /* opened; the challenge is no news */
    ck_assert_int_eq(actor_permit(&alice, "10.0.0.1:5060"), STUN_FORBIDDEN);
    ck_assert_int_eq(n_lines, 2);
    ck_assert(strstr(lines[1], "method=permission code=403") != NULL);
    ck_assert(strstr(lines[1], "client=udp:192.0.2.7:40000") != NULL);
    ck_assert(strstr(lines[1], "user=\"alice\" peer=10.0.0.1:5060") != NULL);
    for (int i = 0; i < 100; i++)
        actor_permit(&alice, "10.0.0.1:5060");
    ck_assert_int_eq(n_lines, 11);
    for (int i = 0; i < n_lines; i++)
        ck_assert(strstr(lines[i], "wonder") == NULL);
    log_set_sink(NULL, NULL);
}
END_TEST

START_TEST(answers_strangers_only_so_often)
{
    struct actor other;
    int answered = 0;

    options.rules.limits.challenge_rate = 10;
    again();
    for (int i = 0; i < 100; i++)
        answered += actor_challenge(&alice) == STUN_UNAUTHENTICATED;
    ck_assert_int_eq(answered, 20);
    ck_assert_uint_eq(world.stats.drop_rate, 80);
    actor_init(&other, &world, "192.0.2.8:40001", "bob", "builder");
    ck_assert_int_eq(actor_allocate(&other), 0);
    world_pass(&world, 1000);
    ck_assert_int_eq(actor_allocate(&alice), 0);
    /* who is known is not limited */
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(actor_refresh(&alice, 600), 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("turn credentials");
    TCase *tc = tcase_create("story");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, challenges_a_stranger_with_a_small_answer);
    tcase_add_test(tc, refuses_a_wrong_password_and_an_unknown_name_alike);
    tcase_add_test(tc, refuses_a_request_with_parts_of_a_credential);
    tcase_add_test(tc, lets_a_nonce_expire_with_438_and_a_new_one);
    tcase_add_test(tc, takes_a_nonce_from_the_client_it_was_given_to_only);
    tcase_add_test(tc, works_with_sha256_keys_and_integrity);
    tcase_add_test(tc, offers_no_sha256_when_a_user_has_only_an_md5_key);
    tcase_add_test(tc, notices_when_the_list_of_algorithms_was_shortened);
    tcase_add_test(tc, refuses_a_nonce_whose_features_were_taken_out);
    tcase_add_test(tc, knows_a_user_by_its_hash);
    tcase_add_test(tc,
                   refuses_to_let_one_user_change_the_allocation_of_another);
    tcase_add_test(tc, ignores_what_stands_behind_the_integrity);
    tcase_add_test(tc, knows_timed_users_until_they_expire);
    tcase_add_test(tc,
                   lets_an_allocation_outlive_its_credential_by_one_lifetime);
    tcase_add_test(tc, refuses_to_refresh_when_the_clock_says_it_is_too_late);
    tcase_add_test(tc, takes_each_secret_of_the_ring);
    tcase_add_test(tc, loses_no_allocation_when_a_secret_is_withdrawn);
    tcase_add_test(tc, stops_serving_a_user_that_was_removed);
    tcase_add_test(tc, counts_timed_users_by_the_name_behind_the_expiry);
    tcase_add_test(tc, says_why_it_refused_and_says_it_not_too_often);
    tcase_add_test(tc, answers_strangers_only_so_often);
    suite_add_tcase(s, tc);
    return s;
}
