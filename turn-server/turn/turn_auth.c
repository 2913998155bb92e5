/* SPDX-License-Identifier: MIT */
/* Long-term credentials (RFC 8489 9.2.4), one function a step. */
#include "turn/turn_internal.h"

#include "base/mem.h"

/* What PASSWORD-ALGORITHMS says: SHA-256 first, neither has parameters. */
static const uint8_t our_algorithms[] = {0, STUN_ALGORITHM_SHA256, 0, 0,
                                         0, STUN_ALGORITHM_MD5,    0, 0};

static struct span secret_of(const struct turn_core *core)
{
    return span_of(core->shared->nonce_secret, TURN_NONCE_SECRET_SIZE);
}

bool turn_auth_may_challenge(struct turn_core *core, const struct addr *source,
                             uint64_t now)
{
    uint32_t rate = core->rules->limits.challenge_rate;
    /* the port is free to choose, an IPv6 client has a /64 */
    size_t len = source->family == ADDR_V6 ? 8 : 4;
    uint64_t hash = map_hash(core->seed, span_of(source->ip, len));
    struct ratelim *bucket = &core->sources[hash % TURN_SOURCE_BUCKETS];

    if (rate == 0)
        return true;
    if (bucket->per_second_milli != rate * 1000ULL)
        ratelim_init(bucket, rate * 1000ULL, rate * 2ULL, now);
    return ratelim_take(bucket, 1, now);
}

void turn_auth_challenge(struct turn_core *core, const struct turn_request *rq,
                         struct stun_writer *w)
{
    uint32_t features = turn_users_features(rq->realm->users);
    char nonce[STUN_NONCE_SIZE];

    stun_nonce_make(secret_of(core), &rq->client->remote, features,
                    rq->now / 1000, nonce);
    stun_write(w, STUN_REALM, rq->realm->name);
    stun_write(w, STUN_NONCE, span_of(nonce, sizeof(nonce)));
    if (features & STUN_FEATURE_ALGORITHMS)
        stun_write(w, STUN_PASSWORD_ALGORITHMS,
                   span_of(our_algorithms, sizeof(our_algorithms)));
    if (rq->realm->tokens)
        stun_write(w, STUN_THIRD_PARTY_AUTHORIZATION,
                   turn_tokens_server_name(rq->realm->tokens));
}

/* The algorithm the client chose, or 0 when it chose against the rules: a
 * nonce of ours that offers algorithms must come back with our list, or a man
 * in the middle has shortened it (RFC 8489 9.2.4). */
static int algorithm_of(const struct stun_msg *msg)
{
    struct span nonce = stun_msg_attr(msg, STUN_NONCE);
    struct span list = stun_msg_attr(msg, STUN_PASSWORD_ALGORITHMS);
    struct span chosen = stun_msg_attr(msg, STUN_PASSWORD_ALGORITHM);

    if (!(stun_nonce_features(nonce) & STUN_FEATURE_ALGORITHMS) ||
        (!list.ptr && !chosen.ptr))
        return STUN_ALGORITHM_MD5; /* a client of RFC 5389 */
    if (!list.ptr ||
        !span_equal(list, span_of(our_algorithms, sizeof(our_algorithms))) ||
        chosen.len != 4 || chosen.ptr[0] != 0 || chosen.ptr[2] != 0 ||
        chosen.ptr[3] != 0)
        return 0;
    if (chosen.ptr[1] != STUN_ALGORITHM_MD5 &&
        chosen.ptr[1] != STUN_ALGORITHM_SHA256)
        return 0;
    return chosen.ptr[1];
}

static bool has_all(const struct stun_msg *msg)
{
    return (stun_msg_has(msg, STUN_USERNAME) ||
            stun_msg_has(msg, STUN_USERHASH)) &&
           stun_msg_has(msg, STUN_REALM) && stun_msg_has(msg, STUN_NONCE);
}

/* Only in the realm that the client was told: another's users are strangers
 * here. */
static bool find_user(const struct turn_request *rq, struct turn_user *user)
{
    const struct turn_users *users = rq->realm->users;
    enum stun_algorithm algorithm = rq->who.algorithm;
    struct span name = stun_msg_attr(&rq->msg, STUN_USERNAME);
    struct span hash = stun_msg_attr(&rq->msg, STUN_USERHASH);
    struct span realm = stun_msg_attr(&rq->msg, STUN_REALM);

    if (!realm.ptr || !span_equal(realm, rq->realm->name))
        return false;
    if (name.ptr)
        return name.len <= TURN_USERNAME_MAX &&
               turn_users_find(users, name, algorithm, user);
    return turn_users_find_hash(users, hash, algorithm, user);
}

/* The secret a timed name was made from may have been withdrawn since: the
 * allocation it opened keeps its key, so that rotating loses nobody. */
static void add_own_key(const struct turn_request *rq, uint64_t name_hash,
                        struct turn_user *user)
{
    const struct turn_alloc *alloc = rq->alloc;

    if (!alloc || user->expiry == 0 || alloc->name_hash != name_hash ||
        alloc->algorithm != rq->who.algorithm)
        return;
    if (user->n_keys < TURN_SECRETS_MAX)
        user->n_keys++;
    user->keys[user->n_keys - 1] = alloc->key;
}

static bool check_keys(struct turn_request *rq, const struct turn_user *user)
{
    for (size_t i = 0; i < user->n_keys; i++) {
        if (stun_check_integrity(&rq->msg, rq->who.integrity, &user->keys[i])) {
            rq->who.key = user->keys[i];
            return true;
        }
    }
    return false;
}

static enum stun_code check_user(struct turn_core *core,
                                 struct turn_request *rq)
{
    struct turn_user user;
    bool is_right;

    if (!find_user(rq, &user)) {
        stats_inc(&core->stats->unknown_user);
        return STUN_UNAUTHENTICATED;
    }
    rq->who.name_hash = map_hash(core->seed, user.name);
    rq->who.quota_name = user.quota;
    rq->who.expiry = user.expiry;
    rq->who.is_expired =
        user.expiry != 0 && core->env.epoch(core->env.arg) >= user.expiry;
    add_own_key(rq, rq->who.name_hash, &user);
    is_right = check_keys(rq, &user);
    mem_wipe(user.keys, sizeof(user.keys));
    if (!is_right) {
        stats_inc(&core->stats->wrong_password);
        return STUN_UNAUTHENTICATED;
    }
    /* an allocation may live on for a while; nothing new begins */
    if (rq->who.is_expired && !rq->alloc) {
        stats_inc(&core->stats->expired_user);
        return STUN_UNAUTHENTICATED;
    }
    return STUN_OK;
}

/* RFC 8656 5: who did not make it may not change it; nor may somebody of the
 * same name in another realm. A token names nobody: whoever comes from
 * elsewhere, with a ticket or the number of a connection, is known by the
 * session key alone. */
static bool is_owner(const struct turn_request *rq)
{
    const struct turn_alloc *alloc = rq->alloc;

    if (alloc->name_hash != rq->who.name_hash || alloc->realm != rq->realm)
        return false;
    return !rq->who.has_token || (!rq->moves && !rq->tcp) ||
           (alloc->key.len == rq->who.key.len &&
            mem_equal_secret(alloc->key.bytes, rq->who.key.bytes,
                             alloc->key.len));
}

enum stun_code turn_auth(struct turn_core *core, struct turn_request *rq,
                         struct turn_reply *reply)
{
    const struct stun_msg *msg = &rq->msg;
    int algorithm;

    rq->who.integrity = stun_integrity_of(msg);
    if (rq->who.integrity == STUN_INTEGRITY_NONE) {
        reply->has_challenge = true;
        return STUN_UNAUTHENTICATED;
    }
    if (!has_all(msg))
        return STUN_BAD_REQUEST;
    algorithm = algorithm_of(msg);
    if (algorithm == 0)
        return STUN_BAD_REQUEST;
    rq->who.algorithm = (enum stun_algorithm)algorithm;
    reply->has_challenge = true;
    if (!stun_nonce_is_fresh(stun_msg_attr(msg, STUN_NONCE), secret_of(core),
                             &rq->client->remote, rq->now / 1000,
                             core->rules->limits.nonce_lifetime))
        return STUN_STALE_NONCE;
    if ((turn_auth_is_token(rq) ? turn_auth_token(core, rq)
                                : check_user(core, rq)) != STUN_OK) {
        stats_inc(&turn_realm_figures(core, rq->realm)->auth_failed);
        return STUN_UNAUTHENTICATED;
    }
    reply->has_challenge = false;
    if (rq->alloc && rq->msg.method != STUN_ALLOCATE && !is_owner(rq))
        return STUN_WRONG_CREDENTIALS;
    return STUN_OK;
}
