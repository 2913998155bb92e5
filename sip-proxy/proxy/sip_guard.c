/* SPDX-License-Identifier: MIT */
#include "proxy/sip_guard_internal.h"

#include <errno.h>

enum {
    CREDIT = 2,         /* failures that one registration makes up for */
    NAME_MAX_LEN = 128, /* of a User-Agent, looked at */
};

/* In User-Agent, or in the From of sipvicious. Tools that operators use
 * themselves (sipsak, SIPp) are not here. */
static const char *const scanners[] = {
    "friendly-scanner", "friendly-request", "sipvicious", "sundayddr",
    "sip-scan",         "sipcli",           "sivus",      "siparmyknife",
    "pplsip",           "sip-brute",
};

/* --- life --- */

int sip_guard_new(struct sip_guard **ret_guard,
                  const struct sip_guard_config *config, const uint8_t seed[16])
{
    struct sip_guard *guard = mem_zalloc(sizeof(*guard));

    if (!guard)
        return -ENOMEM;
    guard->config = config;
    memcpy(guard->seed, seed, sizeof(guard->seed));
    sip_recent_init(&guard->sources, sizeof(struct source), SIP_GUARD_SOURCES,
                    seed);
    sip_recent_init(&guard->users, sizeof(struct user), SIP_GUARD_USERS, seed);
    sip_recent_init(&guard->bans, sizeof(struct ban), SIP_GUARD_BANS, seed);
    sip_recent_init(&guard->callers, sizeof(struct caller), SIP_GUARD_CALLERS,
                    seed);
    *ret_guard = guard;
    return 0;
}

void sip_guard_free(struct sip_guard *guard)
{
    if (!guard)
        return;
    sip_recent_deinit(&guard->sources);
    sip_recent_deinit(&guard->users);
    sip_recent_deinit(&guard->bans);
    sip_recent_deinit(&guard->callers);
    mem_free(guard);
}

/* --- sources --- */

static bool is_mapped(const struct addr *a)
{
    static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255};

    return a->family == ADDR_V6 && memcmp(a->ip, prefix, sizeof(prefix)) == 0;
}

/* Who has one IPv6 address has the whole /64. */
struct sip_recent_key sip_guard_key(const struct addr *source)
{
    struct sip_recent_key key = {{0}};

    if (source->family == ADDR_V6 && !is_mapped(source)) {
        key.bytes[0] = ADDR_V6;
        memcpy(key.bytes + 1, source->ip, 8);
    } else {
        key.bytes[0] = ADDR_V4;
        memcpy(key.bytes + 1, source->ip + (is_mapped(source) ? 12 : 0), 4);
    }
    return key;
}

uint32_t sip_guard_level(uint32_t rate, uint32_t burst)
{
    return burst > rate ? burst : rate;
}

struct source *sip_guard_source(struct sip_guard *guard,
                                const struct sip_recent_key *key, uint64_t now)
{
    const struct sip_guard_config *cfg = guard->config;
    bool is_new;
    struct source *source = sip_recent_get(&guard->sources, key, &is_new);

    if (source && is_new) {
        ratelim_init(&source->connects, (uint64_t)cfg->connect_rate * 1000,
                     sip_guard_level(cfg->connect_rate, cfg->connect_burst),
                     now);
        ratelim_init(&source->rate, (uint64_t)cfg->source_rate * 1000,
                     sip_guard_level(cfg->source_rate, cfg->source_burst), now);
    }
    return source;
}

void sip_guard_ban_key(struct sip_guard *guard,
                       const struct sip_recent_key *key, uint64_t until)
{
    bool is_new;
    struct ban *b = sip_recent_get(&guard->bans, key, &is_new);

    if (b && b->until < until)
        b->until = until;
}

bool sip_guard_is_exempt(const struct sip_guard *guard,
                         const struct addr *source)
{
    struct addr v4;

    if (is_mapped(source) && addr_inner_v4(source, &v4))
        source = &v4;
    return cidr_list_has_ip(guard->config->exempt, guard->config->n_exempt,
                            source);
}

bool sip_guard_is_banned(struct sip_guard *guard, const struct addr *source,
                         uint64_t now)
{
    struct sip_recent_key key;
    struct ban *b;

    if (sip_recent_count(&guard->bans) == 0)
        return false;
    key = sip_guard_key(source);
    b = sip_recent_find(&guard->bans, &key);
    if (!b)
        return false;
    if (b->until <= now) {
        sip_recent_drop(&guard->bans, &b->item);
        return false;
    }
    return !sip_guard_is_exempt(guard, source);
}

void sip_guard_ban(struct sip_guard *guard, const struct addr *source,
                   uint64_t until)
{
    struct sip_recent_key key = sip_guard_key(source);

    if (!sip_guard_is_exempt(guard, source))
        sip_guard_ban_key(guard, &key, until);
}

size_t sip_guard_bans(const struct sip_guard *guard)
{
    return sip_recent_count(&guard->bans);
}

void sip_guard_sweep(struct sip_guard *guard, uint64_t now)
{
    LIST_FOREACH (node, &guard->bans.order) {
        struct ban *b = CONTAINER_OF(node, struct ban, item.node);

        if (b->until <= now)
            sip_recent_drop(&guard->bans, &b->item);
    }
}

void sip_guard_reload(struct sip_guard *guard,
                      const struct sip_guard_config *config)
{
    const struct sip_guard_config *old = guard->config;
    bool rates_differ = old->source_rate != config->source_rate ||
                        old->source_burst != config->source_burst;

    guard->config = config;
    if (!rates_differ)
        return;
    LIST_FOREACH (node, &guard->sources.order) {
        struct source *s = CONTAINER_OF(node, struct source, item.node);

        ratelim_init(&s->rate, (uint64_t)config->source_rate * 1000,
                     sip_guard_level(config->source_rate, config->source_burst),
                     s->rate.last);
    }
}

/* --- rates --- */

bool sip_guard_has_priority(const struct sip_msg *msg)
{
    return !msg->is_request || msg->method == SIP_METHOD_ACK ||
           msg->method == SIP_METHOD_CANCEL || sip_msg_has_to_tag(msg);
}

bool sip_guard_take(struct ratelim *rate, bool has_priority, uint64_t now)
{
    uint64_t reserve = has_priority ? 0 : rate->burst / 4;

    if (ratelim_wait_ms(rate, 1 + reserve, now) != 0)
        return false;
    return ratelim_take(rate, 1, now);
}

bool sip_guard_take_source(struct sip_guard *guard, const struct addr *source,
                           bool has_priority, uint64_t now)
{
    struct sip_recent_key key;
    struct source *s;

    if (guard->config->source_rate == 0 || sip_guard_is_exempt(guard, source))
        return true;
    key = sip_guard_key(source);
    s = sip_guard_source(guard, &key, now);
    return !s || sip_guard_take(&s->rate, has_priority, now);
}

void sip_guard_flow_init(const struct sip_guard *guard, struct ratelim *flow,
                         uint64_t now)
{
    const struct sip_guard_config *cfg = guard->config;

    ratelim_init(flow, (uint64_t)cfg->flow_rate * 1000,
                 sip_guard_level(cfg->flow_rate, cfg->flow_burst), now);
}

bool sip_guard_take_flow(const struct sip_guard *guard, struct ratelim *flow,
                         bool has_priority, uint64_t now)
{
    const struct sip_guard_config *cfg = guard->config;

    /* After a reload. */
    if (flow->per_second_milli != (uint64_t)cfg->flow_rate * 1000 ||
        flow->burst != sip_guard_level(cfg->flow_rate, cfg->flow_burst))
        sip_guard_flow_init(guard, flow, now);
    return cfg->flow_rate == 0 || sip_guard_take(flow, has_priority, now);
}

/* --- scanners --- */

static bool contains(struct span text, const char *word)
{
    size_t len = strlen(word);

    for (; text.len >= len; text = span_from(text, 1)) {
        if (span_starts_nocase(text, word))
            return true;
    }
    return false;
}

bool sip_guard_is_scanner(const struct sip_guard *guard,
                          const struct sip_msg *request)
{
    /* They name themselves at once; who writes kilobytes gets no more of our
     * time for it. */
    struct span agent =
        span_head(sip_msg_value(request, SIP_HDR_USER_AGENT), NAME_MAX_LEN);

    if (!guard->config->scanners)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(scanners); i++) {
        if (contains(agent, scanners[i]))
            return true;
    }
    return contains(span_head(request->from.display, NAME_MAX_LEN),
                    "sipvicious");
}

/* --- guesses --- */

static bool is_home(const struct user *user, const struct sip_recent_key *at)
{
    for (size_t i = 0; i < KNOWN_HOMES; i++) {
        if (sip_guard_same(&user->homes[i], at))
            return true;
    }
    return false;
}

/* Somebody guesses that user, and this is not where the user is at home. */
static bool is_guessed(struct sip_guard *guard,
                       const struct sip_recent_key *who,
                       const struct sip_recent_key *at, uint64_t now)
{
    const struct user *user = sip_recent_find(&guard->users, who);

    return user && user->refused_until > now && !is_home(user, at);
}

bool sip_guard_refuses_user(struct sip_guard *guard, const struct addr *source,
                            const struct sip_msg *request, uint64_t now)
{
    struct sip_recent_key at = sip_guard_key(source);
    struct sip_guard_names names;

    if (guard->config->user_failures == 0 || sip_guard_is_exempt(guard, source))
        return false;
    sip_guard_read_names(guard, request, &names);
    for (size_t i = 0; i < names.n; i++) {
        if (is_guessed(guard, &names.keys[i], &at, now))
            return true;
    }
    return names.is_more;
}

/* A nonce that has expired says nothing about the password. */
static bool is_stale(const struct sip_msg *response)
{
    struct span value = sip_msg_value(response, SIP_HDR_WWW_AUTHENTICATE);

    if (value.len == 0)
        value = sip_msg_value(response, SIP_HDR_PROXY_AUTHENTICATE);
    return contains(value, "stale=true") || contains(value, "stale=\"true\"");
}

bool sip_guard_wants(const struct sip_guard *guard, enum sip_method method,
                     unsigned status)
{
    if (guard->config->source_failures == 0 &&
        guard->config->user_failures == 0)
        return false;
    if (status == 401 || status == 407)
        return true;
    /* A wrong number, or one that may not be called, is no guess. */
    return method == SIP_METHOD_REGISTER &&
           (status == 403 || status == 404 || status / 100 == 2);
}

static void on_success(struct sip_guard *guard, const struct sip_recent_key *at,
                       const struct sip_recent_key *who, uint64_t now)
{
    int64_t least = -(int64_t)guard->config->source_failures;
    struct source *source = sip_guard_source(guard, at, now);
    bool is_new;
    struct user *user = sip_recent_get(&guard->users, who, &is_new);

    if (source) {
        source->failures -= CREDIT;
        if (source->failures < least)
            source->failures = least;
    }
    if (user && !is_home(user, at))
        user->homes[user->next_home++ % KNOWN_HOMES] = *at;
}

static void fail_user(struct sip_guard *guard, const struct sip_recent_key *who,
                      uint64_t now)
{
    const struct sip_guard_config *cfg = guard->config;
    bool is_new;
    struct user *user = sip_recent_get(&guard->users, who, &is_new);

    if (!user || cfg->user_failures == 0)
        return;
    if (user->window_end <= now) {
        user->window_end = now + cfg->window_ms;
        user->failures = 0;
    }
    if (++user->failures < cfg->user_failures)
        return;
    user->failures = 0;
    user->refused_until = now + cfg->ban_ms;
}

/* True: that was the one too many. */
static bool fail_source(struct sip_guard *guard,
                        const struct sip_recent_key *at, uint64_t now)
{
    const struct sip_guard_config *cfg = guard->config;
    struct source *source = sip_guard_source(guard, at, now);

    if (!source || cfg->source_failures == 0)
        return false;
    if (source->window_end <= now) {
        source->window_end = now + cfg->window_ms;
        source->failures = source->failures < 0 ? source->failures / 2 : 0;
    }
    if (++source->failures < (int64_t)cfg->source_failures)
        return false;
    source->failures = 0;
    sip_guard_ban_key(guard, at, now + cfg->ban_ms);
    return true;
}

/* One of several names has succeeded, nobody knows which. */
static enum sip_guard_news judge(struct sip_guard *guard,
                                 const struct sip_recent_key *at,
                                 const struct sip_guard_names *names,
                                 const struct sip_msg *response, uint64_t now)
{
    if (response->status / 100 == 2) {
        if (names->n == 1)
            on_success(guard, at, &names->keys[0], now);
        return SIP_GUARD_NOTHING;
    }
    if (is_stale(response))
        return SIP_GUARD_NOTHING;
    for (size_t i = 0; i < names->n; i++)
        fail_user(guard, &names->keys[i], now);
    return fail_source(guard, at, now) ? SIP_GUARD_BANNED : SIP_GUARD_FAILED;
}

enum sip_guard_news
sip_guard_on_response(struct sip_guard *guard, const struct addr *source,
                      bool is_proven, const struct sip_msg *request,
                      const struct sip_msg *response, uint64_t now)
{
    struct sip_recent_key at = sip_guard_key(source);
    struct sip_guard_names names;

    if (!sip_guard_wants(guard, request->method, response->status) ||
        sip_guard_is_exempt(guard, source))
        return SIP_GUARD_NOTHING;
    if (!is_proven) {
        is_proven = sip_guard_has_nonce(guard, source, request);
        sip_guard_note_nonce(guard, source, response, now);
    }
    if (!is_proven)
        return SIP_GUARD_NOTHING;
    sip_guard_read_names(guard, request, &names);
    return names.n > 0 ? judge(guard, &at, &names, response, now)
                       : SIP_GUARD_NOTHING;
}
