/* SPDX-License-Identifier: MIT */
/* How fast users call and connections come, and who asks for users that are
 * not there. */
#include "proxy/sip_guard_internal.h"

enum { AOR_MAX = 256 };

/* --- rates --- */

bool sip_guard_take_connection(struct sip_guard *guard,
                               const struct addr *source, uint64_t now)
{
    const struct sip_guard_config *cfg = guard->config;
    uint32_t level = sip_guard_level(cfg->connect_rate, cfg->connect_burst);
    struct sip_recent_key key;
    struct source *s;

    if (cfg->connect_rate == 0 || sip_guard_is_exempt(guard, source))
        return true;
    key = sip_guard_key(source);
    s = sip_guard_source(guard, &key, now);
    if (!s)
        return true;
    if (s->connects.burst != level) /* after a reload */
        ratelim_init(&s->connects, (uint64_t)cfg->connect_rate * 1000, level,
                     now);
    return ratelim_take(&s->connects, 1, now);
}

/* The user in From, at this source: who writes somebody else's name uses up
 * nothing of what that one has elsewhere. */
static bool caller_key(const struct sip_guard *guard, const struct addr *source,
                       const struct sip_msg *request,
                       struct sip_recent_key *ret_key)
{
    const uint64_t swapped[2] = {guard->seed[1], guard->seed[0]};
    struct sip_recent_key at = sip_guard_key(source);
    uint8_t text[AOR_MAX + sizeof(at)];
    struct sip_uri uri;
    uint64_t hash[2];
    int n;

    if (sip_uri_parse(request->from.uri, &uri) < 0)
        return false;
    n = sip_uri_aor(&uri, text, AOR_MAX);
    if (n <= 0)
        return false;
    memcpy(text + n, at.bytes, sizeof(at.bytes));
    hash[0] = map_hash(guard->seed, span_of(text, (size_t)n + sizeof(at)));
    hash[1] = map_hash(swapped, span_of(text, (size_t)n + sizeof(at)));
    memcpy(ret_key->bytes, hash, sizeof(ret_key->bytes));
    return true;
}

bool sip_guard_take_user(struct sip_guard *guard, const struct addr *source,
                         const struct sip_msg *request, uint64_t now)
{
    const struct sip_guard_config *cfg = guard->config;
    uint32_t level = sip_guard_level(cfg->user_rate, cfg->user_burst);
    struct sip_recent_key key;
    struct caller *caller;
    bool is_new;

    if (cfg->user_rate == 0 || sip_guard_is_exempt(guard, source) ||
        !caller_key(guard, source, request, &key))
        return true;
    caller = sip_recent_get(&guard->callers, &key, &is_new);
    if (!caller)
        return true;
    if (is_new || caller->rate.burst != level)
        ratelim_init(&caller->rate, (uint64_t)cfg->user_rate * 1000, level,
                     now);
    return sip_guard_take(&caller->rate, sip_guard_has_priority(request), now);
}

/* --- users that are not there --- */

bool sip_guard_is_miss(unsigned status)
{
    return status == 404 || status == 410 || status == 484 || status == 604;
}

enum sip_guard_news sip_guard_on_miss(struct sip_guard *guard,
                                      const struct addr *source, uint64_t now)
{
    const struct sip_guard_config *cfg = guard->config;
    struct sip_recent_key key;
    struct source *s;

    if (cfg->unknown_users == 0 || sip_guard_is_exempt(guard, source))
        return SIP_GUARD_NOTHING;
    key = sip_guard_key(source);
    s = sip_guard_source(guard, &key, now);
    if (!s)
        return SIP_GUARD_NOTHING;
    if (s->misses_end <= now) {
        s->misses_end = now + cfg->window_ms;
        s->misses = 0;
    }
    if (++s->misses < cfg->unknown_users)
        return SIP_GUARD_FAILED;
    s->misses = 0;
    sip_guard_ban_key(guard, &key, now + cfg->ban_ms);
    return SIP_GUARD_BANNED;
}
