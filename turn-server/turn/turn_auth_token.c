/* SPDX-License-Identifier: MIT */
/* Third-party authorization (RFC 7635): a request that brings a token, or the
 * session key of one that was brought before.
 *
 * A token names nobody: USERNAME is the name of a key. Who relays with one is
 * told from others by his session key, for quotas and for the operator.
 */
#include "turn/turn_internal.h"

#include "base/crypto.h"
#include "base/text.h"

enum {
    SESSION_BYTES = 8, /* of the digest of a session key, shown as hex */
    COTURN_KEY_SIZE = 16,
};

_Static_assert(TURN_TOKEN_KID_MAX + 1 + 2 * SESSION_BYTES + 1 <=
                   TURN_TOKEN_NAME_SIZE,
               "a name for quotas fits");

bool turn_auth_is_token(const struct turn_request *rq)
{
    if (!rq->realm->tokens)
        return false;
    return stun_msg_has(&rq->msg, STUN_ACCESS_TOKEN) ||
           (rq->alloc && rq->alloc->is_token);
}

/* "kid/0123456789abcdef" */
static void name_session(struct turn_identity *who, struct span kid)
{
    struct span key = span_of(who->key.bytes, who->key.len);
    uint8_t digest[CRYPTO_SHA256_SIZE];

    crypto_sha256(&key, 1, digest);
    memcpy(who->token_name, kid.ptr, kid.len);
    who->token_name[kid.len] = '/';
    text_hex(span_of(digest, SESSION_BYTES), who->token_name + kid.len + 1);
    who->quota_name =
        span_of(who->token_name, kid.len + 1 + (size_t)2 * SESSION_BYTES);
}

static bool open_token(struct turn_core *core, struct turn_request *rq)
{
    struct span kid = stun_msg_attr(&rq->msg, STUN_USERNAME);
    struct turn_token token;

    switch (turn_tokens_open(rq->realm->tokens, kid,
                             stun_msg_attr(&rq->msg, STUN_ACCESS_TOKEN),
                             core->env.epoch(core->env.arg), &token)) {
    case TURN_TOKEN_OK:
        break;
    case TURN_TOKEN_UNKNOWN_KEY:
        stats_inc(&core->stats->token_key);
        return false;
    case TURN_TOKEN_FORGED:
        stats_inc(&core->stats->token_forged);
        return false;
    case TURN_TOKEN_EXPIRED:
        stats_inc(&core->stats->token_expired);
        return false;
    }
    rq->who.key = token.key;
    rq->who.expiry = token.expiry;
    rq->who.has_token = true;
    name_session(&rq->who, kid);
    return true;
}

/* coturn, client and server, takes 16 bytes of a session key of 20; whoever
 * is one of these is answered alike. */
static bool check_session_key(struct turn_request *rq)
{
    struct stun_key *key = &rq->who.key;

    if (stun_check_integrity(&rq->msg, rq->who.integrity, key))
        return true;
    if (key->len != CRYPTO_SHA1_SIZE)
        return false;
    key->len = COTURN_KEY_SIZE;
    return stun_check_integrity(&rq->msg, rq->who.integrity, key);
}

enum stun_code turn_auth_token(struct turn_core *core, struct turn_request *rq)
{
    struct span realm = stun_msg_attr(&rq->msg, STUN_REALM);
    bool is_right = span_equal(realm, rq->realm->name);

    rq->who.name_hash = map_hash(core->seed, span_of("\0token", 6));
    rq->who.is_token = true;
    if (is_right && stun_msg_has(&rq->msg, STUN_ACCESS_TOKEN)) {
        is_right = open_token(core, rq);
    } else if (is_right) {
        /* RFC 7635 4.3: the key goes on until another token comes */
        rq->who.key = rq->alloc->key;
        rq->who.expiry = rq->alloc->credential_expiry;
    }
    if (is_right && check_session_key(rq))
        return STUN_OK;
    if (is_right)
        stats_inc(&core->stats->wrong_password);
    rq->who.key = (struct stun_key){.len = 0}; /* nothing is signed with it */
    return STUN_UNAUTHENTICATED;
}

uint32_t turn_auth_lifetime(const struct turn_core *core,
                            const struct turn_request *rq, uint32_t lifetime_s)
{
    uint64_t epoch = core->env.epoch(core->env.arg);
    uint64_t end = rq->who.expiry;
    uint64_t left;

    if (end == 0)
        return lifetime_s;
    if (!rq->who.is_token)
        end += core->rules->limits.lifetime_default;
    left = end > epoch ? end - epoch : 0;
    return left < lifetime_s ? (uint32_t)left : lifetime_s;
}
