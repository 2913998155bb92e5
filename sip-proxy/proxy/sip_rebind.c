/* SPDX-License-Identifier: MIT */
#include "proxy/sip_rebind.h"

#include "base/crypto.h"
#include "proxy/sip_park.h"
#include "proxy/sip_route.h"

#define LOG_COMPONENT "sip"
#include "base/log.h"

enum {
    IDENTITY_MAX = 1024,
    HAS_INSTANCE = 1, /* lowest bit of a tag */
};

static const uint64_t tag_mask = (UINT64_C(1) << 48) - 1;

static void forget_all(struct sip_core *core)
{
    struct sip_flow *flow;
    uint32_t pos = 0;

    sip_homes_clear(&core->homes);
    while ((flow = sip_flows_each(core->flows, &pos)))
        flow->tag = 0;
}

void sip_rebind_reload(struct sip_core *core)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    const struct span parts[] = {
        span_str("sip client tag"),
        span_of(core->config->keys.key[0].secret, SIP_TOKEN_KEY),
    };

    crypto_sha256(parts, ARRAY_SIZE(parts), digest);
    if (memcmp(core->tag_seed, digest, sizeof(core->tag_seed)) != 0 ||
        !core->config->rebind)
        forget_all(core);
    memcpy(core->tag_seed, digest, sizeof(core->tag_seed));
}

/* --- who is it --- */

/* The only Contact, with a URI. */
static bool sole_contact(const struct sip_msg *request,
                         struct sip_contact *ret_contact)
{
    struct sip_values values = sip_values_of(request, SIP_HDR_CONTACT);

    return sip_values_next(&values) &&
           sip_contact_parse(values.item, ret_contact) == 0 &&
           !ret_contact->is_star && !sip_values_next(&values);
}

static bool is_removal(const struct sip_msg *request,
                       const struct sip_contact *contact)
{
    uint32_t expires;

    if (contact->has_expires)
        return contact->expires == 0;
    return sip_msg_find(request, SIP_HDR_EXPIRES) &&
           span_to_u32(sip_msg_value(request, SIP_HDR_EXPIRES), UINT32_MAX,
                       &expires) == 0 &&
           expires == 0;
}

/* Registers itself, not somebody else. */
static bool same_user(const struct sip_msg *request)
{
    struct sip_uri from, to;

    return sip_uri_parse(request->from.uri, &from) == 0 &&
           sip_uri_parse(request->to.uri, &to) == 0 &&
           span_equal(from.user, to.user) &&
           sip_host_equal(&from.host, &to.host);
}

static void put_part(struct buf *out, struct span part)
{
    uint8_t len[2] = {(uint8_t)(part.len >> 8), (uint8_t)part.len};

    buf_put_span(out, span_of(len, sizeof(len)));
    buf_put_span(out, part);
}

static uint64_t tag_of(const struct sip_core *core,
                       const struct sip_msg *request,
                       const struct sip_contact *contact, uint32_t group)
{
    bool has_instance = contact->instance.len > 0;
    uint8_t aor[SIP_ROUTE_AOR_MAX];
    uint64_t tag = 0;
    struct buf out;

    buf_init(&out, IDENTITY_MAX);
    put_part(&out, span_of(&group, sizeof(group)));
    put_part(&out, sip_route_user(request, aor));
    put_part(&out, has_instance ? contact->instance : contact->addr.uri);
    put_part(&out, span_of(&contact->reg_id, sizeof(contact->reg_id)));
    if (buf_err(&out) == 0) {
        tag = map_hash(core->tag_seed, buf_span(&out)) & tag_mask;
        tag &= ~(uint64_t)HAS_INSTANCE;
        /* Zero says that there is none. */
        tag = has_instance ? tag | HAS_INSTANCE : tag ? tag : 2;
    }
    buf_deinit(&out);
    return tag;
}

uint64_t sip_rebind_tag(const struct sip_core *core,
                        const struct sip_msg *request, uint32_t group)
{
    struct sip_contact contact;

    if (!core->config->rebind || request->method != SIP_METHOD_REGISTER ||
        !sole_contact(request, &contact) || !same_user(request))
        return 0;
    return tag_of(core, request, &contact, group);
}

/* --- where is it --- */

static bool is_home(const struct sip_home *home, const struct sip_core *core,
                    const struct sip_flow *flow)
{
    return home && !home->is_gone && home->worker == core->place.worker &&
           home->flow == flow->target.flow;
}

static void announce(struct sip_core *core, const struct sip_home *home,
                     uint64_t now)
{
    if (sip_homes_put(&core->homes, home) < 0) {
        SIP_COUNT(core, homes_full);
        return;
    }
    if (core->env.home)
        core->env.home(core->env.arg, home);
    if (!home->is_gone)
        sip_park_release(core, home->tag, now);
}

void sip_core_on_home(struct sip_core *core, const struct sip_home *home,
                      uint64_t now)
{
    if (!core->config->rebind)
        return;
    if (sip_homes_put(&core->homes, home) > 0 && !home->is_gone)
        sip_park_release(core, home->tag, now);
}

static void end(struct sip_core *core, const struct sip_flow *flow,
                bool said_bye, uint64_t now)
{
    const struct sip_home *known = sip_homes_find(&core->homes, flow->tag);
    struct sip_home home;

    if (flow->tag == 0 || !is_home(known, core, flow))
        return;
    home = *known;
    home.is_gone = true;
    home.said_bye = said_bye;
    home.since = now;
    announce(core, &home, now);
}

void sip_rebind_on_closed(struct sip_core *core, const struct sip_flow *flow,
                          uint64_t now)
{
    end(core, flow, flow->said_bye, now);
}

static void move_in(struct sip_core *core, struct sip_flow *flow, uint64_t tag,
                    uint64_t now)
{
    const struct sip_home *known = sip_homes_find(&core->homes, tag);
    struct sip_home home = {.tag = tag,
                            .flow = flow->target.flow,
                            .stamp = now,
                            .worker = core->place.worker};

    if (is_home(known, core, flow))
        return;
    if (known && !known->is_gone && !(tag & HAS_INSTANCE))
        return; /* two devices, perhaps */
    flow->tag = tag;
    if (known) {
        SIP_COUNT(core, rebinds);
        log_debug("client is back on another connection worker=%u",
                  home.worker);
        if (home.stamp <= known->stamp)
            home.stamp = known->stamp + 1;
    }
    announce(core, &home, now);
}

void sip_rebind_on_registered(struct sip_core *core, struct sip_flow *flow,
                              const struct sip_msg *request, uint32_t group,
                              uint64_t now)
{
    uint64_t tag = sip_rebind_tag(core, request, group);
    struct sip_contact contact;

    if (tag == 0 || (flow->tag != 0 && flow->tag != tag)) {
        /* A removal of all, or more than one client behind it. */
        end(core, flow, true, now);
        flow->is_shared = flow->tag != 0 && tag != 0;
        flow->tag = 0;
    } else if (sole_contact(request, &contact) &&
               is_removal(request, &contact)) {
        end(core, flow, true, now);
        flow->tag = 0;
    } else {
        move_in(core, flow, tag, now);
    }
}

struct sip_flow *sip_rebind_find(const struct sip_core *core,
                                 const struct sip_token *token)
{
    const struct sip_home *home =
        token->tag ? sip_homes_find(&core->homes, token->tag) : NULL;
    struct sip_flow *flow;

    if (!home || home->is_gone || home->worker != core->place.worker)
        return NULL;
    flow = sip_flows_find(core->flows, home->flow);
    /* It may have become somebody else's, too. */
    return flow && flow->tag == token->tag ? flow : NULL;
}

bool sip_rebind_worker(const struct sip_core *core, uint64_t tag,
                       uint8_t *ret_worker)
{
    const struct sip_home *home =
        tag ? sip_homes_find(&core->homes, tag) : NULL;

    if (!home || home->is_gone)
        return false;
    *ret_worker = (uint8_t)home->worker;
    return true;
}
