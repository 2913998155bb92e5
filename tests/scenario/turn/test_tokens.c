/* SPDX-License-Identifier: MIT */
/* Third-party authorization (RFC 7635): clients that bring a token. */
#include "base/crypto_aead.h"
#include "support_turn.h"

static struct world world;
static struct world_options options;
static struct actor alice;

static const char ring_key[] = "0123456789abcdef";
static const char server_name[] = "turn.example.org";
static const char peer[] = "198.51.100.9:5000";

static void begin(void)
{
    world_start(&world, &options);
    actor_init(&alice, &world, "192.0.2.7:40000", "alice", "wonder");
}

static void setup(void)
{
    options = world_defaults();
    options.rules.realm.tokens = (struct turn_tokens_options){
        span_str("k1:A128GCM:MDEyMzQ1Njc4OWFiY2RlZg==\n"
                 "k2:A128GCM:MDEyMzQ1Njc4OWFiY2RlZg=="),
        span_str(server_name)};
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

/* What the authorization server gives: a token, and its session key. */
struct pass {
    struct stun_key key;
    uint8_t token[128];
    size_t len;
};

static struct pass pass_for(char letter, uint64_t made, uint32_t lifetime)
{
    struct pass pass = {.key = {.len = 20}};
    uint8_t plain[34];

    memset(pass.key.bytes, letter, 20);
    wire_store_u16(plain, 20);
    memcpy(plain + 2, pass.key.bytes, 20);
    wire_store_u16(plain + 22, 0);
    wire_store_u32(plain + 24, (uint32_t)made);
    wire_store_u16(plain + 28, 0);
    wire_store_u32(plain + 30, lifetime);
    wire_store_u16(pass.token, 12);
    memset(pass.token + 2, letter, 12);
    ck_assert(crypto_gcm_seal(span_str(ring_key), span_of(pass.token + 2, 12),
                              span_str(server_name),
                              span_of(plain, sizeof(plain)), pass.token + 14));
    pass.len = 14 + sizeof(plain) + CRYPTO_GCM_TAG_SIZE;
    return pass;
}

/* Finish the request with this session key, and the token unless NULL. */
static int send_pass(struct actor *actor, const char *kid,
                     const struct pass *pass, bool with_token)
{
    stun_write(&actor->w, STUN_USERNAME, span_str(kid));
    stun_write(&actor->w, STUN_REALM, span_str("example.org"));
    stun_write(&actor->w, STUN_NONCE, span_of(actor->nonce, actor->nonce_len));
    if (with_token)
        stun_write(&actor->w, STUN_ACCESS_TOKEN,
                   span_of(pass->token, pass->len));
    stun_write_integrity(&actor->w, STUN_INTEGRITY_SHA1, &pass->key);
    actor_send_plain(actor);
    if (actor->code == 0)
        ck_assert(
            stun_check_integrity(&actor->msg, STUN_INTEGRITY_SHA1, &pass->key));
    return actor->code;
}

static int allocate(struct actor *actor, const char *kid,
                    const struct pass *pass)
{
    if (actor->nonce_len == 0)
        ck_assert_int_eq(actor_challenge(actor), STUN_UNAUTHENTICATED);
    actor_start(actor, STUN_ALLOCATE);
    stun_write(&actor->w, STUN_REQUESTED_TRANSPORT, span_of("\x11\0\0\0", 4));
    return send_pass(actor, kid, pass, true);
}

static int refresh(struct actor *actor, const char *kid,
                   const struct pass *pass, bool with_token)
{
    actor_start(actor, STUN_REFRESH);
    stun_write_u32(&actor->w, STUN_LIFETIME, 3600);
    return send_pass(actor, kid, pass, with_token);
}

static int permit(struct actor *actor, const char *kid, const struct pass *pass)
{
    struct addr a = world_addr(peer);

    actor_start(actor, STUN_CREATE_PERMISSION);
    stun_write_xor_addr(&actor->w, STUN_XOR_PEER_ADDRESS, &a);
    return send_pass(actor, kid, pass, false);
}

static uint32_t granted(const struct actor *actor)
{
    uint32_t lifetime;

    ck_assert_int_eq(
        stun_attr_u32(stun_msg_attr(&actor->msg, STUN_LIFETIME), &lifetime), 0);
    return lifetime;
}

START_TEST(announces_whom_to_ask_for_a_token)
{
    ck_assert_int_eq(actor_challenge(&alice), STUN_UNAUTHENTICATED);
    ck_assert_span_eq(stun_msg_attr(&alice.msg, STUN_THIRD_PARTY_AUTHORIZATION),
                      server_name);
    /* who has a password may still use it */
    ck_assert_int_eq(actor_allocate(&alice), 0);
}
END_TEST

START_TEST(relays_for_who_brings_a_token_no_longer_than_it_lives)
{
    struct pass pass = pass_for('a', world.epoch, 900);
    struct turn_alloc_info info;
    uint32_t pos = 0;

    ck_assert_int_eq(allocate(&alice, "k1", &pass), 0);
    ck_assert_uint_eq(granted(&alice), 600);
    ck_assert(turn_core_each(world.core, &pos, world.now, &info));
    ck_assert(span_starts(info.user, "k1/"));
    ck_assert_uint_eq(info.user.len, 3 + 16);
    /* the session key goes on without the token */
    ck_assert_int_eq(permit(&alice, "k1", &pass), 0);
    actor_say(&alice, peer, "hello");
    ck_assert_uint_eq(world.n_peer, 1);
    ck_assert_int_eq(refresh(&alice, "k1", &pass, false), 0);
    ck_assert_uint_eq(granted(&alice), 900 + TURN_TOKEN_SKEW_S);
    world_pass(&world, 900 * 1000);
    ck_assert_int_eq(refresh(&alice, "k1", &pass, false), 0);
    ck_assert_uint_eq(granted(&alice), TURN_TOKEN_SKEW_S);
    world_pass(&world, 5 * 1000);
    ck_assert_uint_eq(turn_core_allocations(world.core), 0);
    ck_assert_int_eq(allocate(&alice, "k1", &pass), STUN_UNAUTHENTICATED);
    ck_assert_uint_eq(world.stats.token_expired, 1);
}
END_TEST

START_TEST(takes_the_shortened_key_of_coturn_and_answers_with_it)
{
    struct pass pass = pass_for('a', world.epoch, 900);

    pass.key.len = 16;
    ck_assert_int_eq(allocate(&alice, "k1", &pass), 0);
    ck_assert_int_eq(permit(&alice, "k1", &pass), 0);
    pass.key.len = 12;
    ck_assert_int_eq(permit(&alice, "k1", &pass), STUN_UNAUTHENTICATED);
}
END_TEST

START_TEST(goes_on_with_another_token)
{
    struct pass first = pass_for('a', world.epoch, 700);
    struct pass second;

    ck_assert_int_eq(allocate(&alice, "k1", &first), 0);
    world_pass(&world, 500 * 1000);
    second = pass_for('b', world.epoch, 700);
    ck_assert_int_eq(refresh(&alice, "k2", &second, true), 0);
    ck_assert_uint_eq(granted(&alice), 705);
    ck_assert_int_eq(permit(&alice, "k1", &first), STUN_UNAUTHENTICATED);
    ck_assert_int_eq(permit(&alice, "k2", &second), 0);
    world_pass(&world, 400 * 1000);
    ck_assert_uint_eq(turn_core_allocations(world.core), 1);
}
END_TEST

START_TEST(refuses_what_is_no_token_of_ours)
{
    struct pass pass = pass_for('a', world.epoch, 900);
    struct pass other = pass;

    ck_assert_int_eq(allocate(&alice, "k9", &pass), STUN_UNAUTHENTICATED);
    ck_assert_uint_eq(world.stats.token_key, 1);
    other.token[20] ^= 1;
    ck_assert_int_eq(allocate(&alice, "k1", &other), STUN_UNAUTHENTICATED);
    ck_assert_uint_eq(world.stats.token_forged, 1);
    other = pass;
    other.key.bytes[0] ^= 1; /* overheard, but its key is not known */
    ck_assert_int_eq(allocate(&alice, "k1", &other), STUN_UNAUTHENTICATED);
    ck_assert_uint_eq(world.stats.wrong_password, 1);
    ck_assert(!stun_msg_has(&alice.msg, STUN_MESSAGE_INTEGRITY));
    ck_assert_uint_eq(world.realm_stats[0].auth_failed, 3);
    ck_assert_uint_eq(turn_core_allocations(world.core), 0);
}
END_TEST

START_TEST(keeps_users_and_tokens_apart)
{
    struct pass pass = pass_for('a', world.epoch, 900);
    struct actor bob = alice;

    /* a token does not open what a user has made, nor the reverse */
    ck_assert_int_eq(actor_allocate(&alice), 0);
    ck_assert_int_eq(refresh(&alice, "k1", &pass, true),
                     STUN_WRONG_CREDENTIALS);
    ck_assert_int_eq(actor_refresh(&alice, 0), 0);
    bob.nonce_len = 0;
    ck_assert_int_eq(allocate(&bob, "k1", &pass), 0);
    ck_assert_int_eq(actor_refresh(&bob, 600), STUN_UNAUTHENTICATED);
}
END_TEST

START_TEST(counts_quotas_by_token)
{
    struct pass one = pass_for('a', world.epoch, 900);
    struct pass two = pass_for('b', world.epoch, 900);
    struct actor second, third;

    options.rules.realm.limits.max_per_user = 1;
    again();
    second = third = alice;
    second.id.remote.port++;
    third.id.remote.port += 2;
    ck_assert_int_eq(allocate(&alice, "k1", &one), 0);
    ck_assert_int_eq(allocate(&second, "k1", &one), STUN_QUOTA_REACHED);
    ck_assert_int_eq(allocate(&third, "k1", &two), 0);
}
END_TEST

START_TEST(lets_a_key_of_the_ring_go)
{
    struct pass pass = pass_for('a', world.epoch, 900);
    struct actor late = alice;

    ck_assert_int_eq(allocate(&alice, "k1", &pass), 0);
    options.rules.realm.tokens.keys =
        span_str("k2:A128GCM:MDEyMzQ1Njc4OWFiY2RlZg==");
    world_reload(&world, &options);
    late.id.remote.port++;
    ck_assert_int_eq(allocate(&late, "k1", &pass), STUN_UNAUTHENTICATED);
    ck_assert_int_eq(permit(&alice, "k1", &pass),
                     0); /* what is alive goes on */
}
END_TEST

START_TEST(says_420_where_tokens_are_not_taken)
{
    struct pass pass = pass_for('a', world.epoch, 900);

    options.rules.realm.tokens = (struct turn_tokens_options){0};
    again();
    ck_assert_int_eq(actor_challenge(&alice), STUN_UNAUTHENTICATED);
    ck_assert(!stun_msg_has(&alice.msg, STUN_THIRD_PARTY_AUTHORIZATION));
    ck_assert_int_eq(allocate(&alice, "k1", &pass), STUN_UNAUTHENTICATED);
    actor_start(&alice, STUN_ALLOCATE);
    stun_write(&alice.w, STUN_REQUESTED_TRANSPORT, span_of("\x11\0\0\0", 4));
    stun_write(&alice.w, STUN_ACCESS_TOKEN, span_of(pass.token, pass.len));
    ck_assert_int_eq(actor_send(&alice), STUN_UNKNOWN_ATTRIBUTE);
}
END_TEST

/* With a ticket, from another address. */
static int move(struct actor *actor, const char *kid, const struct pass *pass,
                struct span ticket)
{
    if (actor->nonce_len == 0)
        ck_assert_int_eq(actor_challenge(actor), STUN_UNAUTHENTICATED);
    actor_start(actor, STUN_REFRESH);
    stun_write(&actor->w, STUN_MOBILITY_TICKET, ticket);
    return send_pass(actor, kid, pass, true);
}

START_TEST(moves_for_nobody_elses_token)
{
    struct pass hers = pass_for('a', world.epoch, 900);
    struct pass his = pass_for('b', world.epoch, 900);
    struct actor away, thief;
    uint8_t ticket[64];
    struct span t;

    options.rules.limits.mobility = true;
    again();
    ck_assert_int_eq(actor_challenge(&alice), STUN_UNAUTHENTICATED);
    actor_start(&alice, STUN_ALLOCATE);
    stun_write(&alice.w, STUN_REQUESTED_TRANSPORT, span_of("\x11\0\0\0", 4));
    stun_write(&alice.w, STUN_MOBILITY_TICKET, span_of("", 0));
    ck_assert_int_eq(send_pass(&alice, "k1", &hers, true), 0);
    t = stun_msg_attr(&alice.msg, STUN_MOBILITY_TICKET);
    memcpy(ticket, t.ptr, t.len);
    actor_init(&thief, &world, "192.0.2.66:6000", "", "");
    ck_assert_int_eq(move(&thief, "k1", &his, span_of(ticket, t.len)),
                     STUN_WRONG_CREDENTIALS);
    actor_init(&away, &world, "192.0.2.77:5000", "", "");
    ck_assert_int_eq(move(&away, "k1", &hers, span_of(ticket, t.len)), 0);
}
END_TEST

/* ConnectionBind, on a connection of its own. */
static int bind_with(const struct pass *pass, uint64_t link, struct span number)
{
    struct actor data;

    actor_init(&data, &world, "192.0.2.7:41000", "", "");
    data.id.transport = TURN_TCP;
    data.id.link = link;
    ck_assert_int_eq(actor_challenge(&data), STUN_UNAUTHENTICATED);
    actor_start(&data, STUN_CONNECTION_BIND);
    stun_write(&data.w, STUN_CONNECTION_ID, number);
    return send_pass(&data, "k1", pass, true);
}

START_TEST(binds_connections_for_nobody_elses_token)
{
    struct pass hers = pass_for('a', world.epoch, 900);
    struct pass his = pass_for('b', world.epoch, 900);
    struct addr a = world_addr(peer);
    uint8_t number[4];

    options.max_tcp = 4;
    options.rules.realm.has_tcp = true;
    options.rules.realm.allow_tcp = options.rules.realm.policy.allow;
    options.rules.realm.n_allow_tcp = options.rules.realm.policy.n_allow;
    again();
    alice.id.transport = TURN_TCP;
    alice.id.link = 1;
    ck_assert_int_eq(actor_challenge(&alice), STUN_UNAUTHENTICATED);
    actor_start(&alice, STUN_ALLOCATE);
    stun_write(&alice.w, STUN_REQUESTED_TRANSPORT, span_of("\x06\0\0\0", 4));
    ck_assert_int_eq(send_pass(&alice, "k1", &hers, true), 0);
    actor_start(&alice, STUN_CONNECT);
    stun_write_xor_addr(&alice.w, STUN_XOR_PEER_ADDRESS, &a);
    ck_assert_int_eq(send_pass(&alice, "k1", &hers, false), -1);
    world_forget(&world);
    turn_core_on_tcp_open(world.core, world_pipe(&world, peer)->conn,
                          world.now);
    ck_assert_int_eq(actor_read(&alice), 0);
    memcpy(number, stun_msg_attr(&alice.msg, STUN_CONNECTION_ID).ptr, 4);
    ck_assert_int_eq(bind_with(&his, 2, span_of(number, 4)),
                     STUN_WRONG_CREDENTIALS);
    ck_assert_int_eq(bind_with(&hers, 3, span_of(number, 4)), 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("tokens");
    TCase *tc = tcase_create("tokens");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, announces_whom_to_ask_for_a_token);
    tcase_add_test(tc, relays_for_who_brings_a_token_no_longer_than_it_lives);
    tcase_add_test(tc, takes_the_shortened_key_of_coturn_and_answers_with_it);
    tcase_add_test(tc, goes_on_with_another_token);
    tcase_add_test(tc, refuses_what_is_no_token_of_ours);
    tcase_add_test(tc, keeps_users_and_tokens_apart);
    tcase_add_test(tc, moves_for_nobody_elses_token);
    tcase_add_test(tc, binds_connections_for_nobody_elses_token);
    tcase_add_test(tc, counts_quotas_by_token);
    tcase_add_test(tc, lets_a_key_of_the_ring_go);
    tcase_add_test(tc, says_420_where_tokens_are_not_taken);
    suite_add_tcase(s, tc);
    return s;
}
