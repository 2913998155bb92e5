/* SPDX-License-Identifier: MIT */
#include "proxy/sip_partner.h"

#include "base/addr_kind.h"
#include "base/err.h"
#include "proxy/sip_route.h"

int sip_partner_find(const struct sip_partner_config *cfg, struct span domain)
{
    for (size_t i = 0; i < cfg->n; i++) {
        if (span_is_nocase(domain, cfg->items[i].domain))
            return (int)i;
    }
    return -1;
}

uint32_t sip_partner_tag(const struct sip_partner *partner)
{
    return sip_name_tag(span_str(partner->domain));
}

int sip_partner_find_tag(const struct sip_partner_config *cfg, uint32_t tag)
{
    for (size_t i = 0; i < cfg->n; i++) {
        if (sip_partner_tag(&cfg->items[i]) == tag)
            return (int)i;
    }
    return -1;
}

static bool is_at_or_below(struct span domain, struct span top)
{
    size_t below;

    if (span_equal_nocase(domain, top))
        return true;
    if (domain.len <= top.len)
        return false;
    below = domain.len - top.len;
    return domain.ptr[below - 1] == '.' &&
           span_equal_nocase(span_from(domain, below), top);
}

/* The root's dot at the end names the same domain. */
static struct span without_dot(struct span domain)
{
    while (domain.len > 0 && domain.ptr[domain.len - 1] == '.')
        domain.len--;
    return domain;
}

bool sip_partner_is_blocked(const struct sip_partner_config *cfg,
                            struct span domain)
{
    for (size_t i = 0; i < cfg->n_blocked; i++) {
        if (is_at_or_below(without_dot(domain), span_str(cfg->blocked[i])))
            return true;
    }
    return false;
}

bool sip_partner_owns(const struct sip_partner *partner, const char *names)
{
    struct span rest = span_str(names);
    struct span name;

    while (span_next(&rest, '\n', &name)) {
        if (span_is_nocase(name, partner->name))
            return true;
    }
    return false;
}

static bool is_open_to(const struct sip_partner_config *cfg,
                       const struct sip_partner *partner)
{
    return !sip_partner_is_blocked(cfg, span_str(partner->domain));
}

bool sip_partner_knows(const struct sip_partner_config *cfg, const char *names)
{
    for (size_t i = 0; i < cfg->n; i++) {
        if (is_open_to(cfg, &cfg->items[i]) &&
            sip_partner_owns(&cfg->items[i], names))
            return true;
    }
    return false;
}

/* --- from a partner --- */

/* RFC 3323 4.1.1.3: no domain is told. The partner is then the first that the
 * certificate is for and that may do so. */
static int find_anonymous(const struct sip_partner_config *cfg,
                          const char *names)
{
    for (size_t i = 0; i < cfg->n; i++) {
        if (cfg->items[i].anonymous && is_open_to(cfg, &cfg->items[i]) &&
            sip_partner_owns(&cfg->items[i], names))
            return (int)i;
    }
    return -1;
}

/* All identities it asserts are of its own domain; numbers have none. */
static bool asserts_its_own(const struct sip_partner *partner,
                            const struct sip_msg *request)
{
    struct sip_values values =
        sip_values_of(request, SIP_HDR_P_ASSERTED_IDENTITY);

    while (sip_values_next(&values)) {
        struct sip_addr addr;
        struct sip_uri uri;

        if (sip_addr_parse(values.item, &addr) < 0 ||
            sip_uri_parse(addr.uri, &uri) < 0)
            return false;
        if (uri.scheme != SIP_SCHEME_TEL &&
            !span_is_nocase(uri.host.name, partner->domain))
            return false;
    }
    return true;
}

static bool is_in(struct span domain, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (span_is_nocase(domain, list[i]))
            return true;
    }
    return false;
}

/* sip_sanity.h has seen to it that the domain is one we serve. */
static bool may_reach(const struct sip_partner *partner,
                      const struct sip_msg *request)
{
    if (sip_msg_has_to_tag(request))
        return true; /* where the dialog is, says its token */
    return request->uri.scheme != SIP_SCHEME_TEL &&
           (!partner->reach ||
            is_in(request->uri.host.name, partner->reach, partner->n_reach));
}

/* What ends or completes what was let in is let in. */
static bool may_use(const struct sip_partner *partner, enum sip_method method)
{
    return method == SIP_METHOD_ACK || method == SIP_METHOD_CANCEL ||
           method == SIP_METHOD_BYE ||
           (partner->methods & UINT32_C(1) << method);
}

enum sip_refusal sip_partner_admit(const struct sip_core *core,
                                   const struct sip_msg *request,
                                   const struct sip_flow *flow,
                                   int *ret_partner)
{
    const struct sip_partner_config *cfg = &core->config->partners;
    const struct sip_partner *partner;
    struct sip_uri from;
    int i;

    if (sip_uri_parse(request->from.uri, &from) < 0 ||
        (from.scheme != SIP_SCHEME_SIP && from.scheme != SIP_SCHEME_SIPS))
        return SIP_REFUSED_partner_from;
    if (sip_partner_is_blocked(cfg, from.host.name))
        return SIP_REFUSED_blocked_domain;
    i = span_is_nocase(from.host.name, "anonymous.invalid")
            ? find_anonymous(cfg, flow->names)
            : sip_partner_find(cfg, from.host.name);
    if (i < 0 || !sip_partner_owns(&cfg->items[i], flow->names))
        return SIP_REFUSED_partner_from;
    partner = &cfg->items[i];
    if (partner->identity && !asserts_its_own(partner, request))
        return SIP_REFUSED_partner_from;
    if (!may_use(partner, request->method))
        return SIP_REFUSED_partner_method;
    if (!may_reach(partner, request))
        return SIP_REFUSED_partner_target;
    *ret_partner = i;
    return SIP_REFUSAL_NONE;
}

/* --- to a partner --- */

/* Its own listener is where a partner reaches us, so that is what we call
 * ourselves. */
static bool listener_for(const struct sip_core *core, const struct addr *to,
                         uint32_t *ret_listener)
{
    const struct sip_core_config *cfg = core->config;

    for (size_t i = 0; i < cfg->n_locals; i++) {
        if (cfg->locals[i].partners &&
            cfg->locals[i].addr.family == to->family) {
            *ret_listener = (uint32_t)i;
            return true;
        }
    }
    return false;
}

static struct sip_flow *dial(struct sip_core *core,
                             const struct sip_partner *partner,
                             const struct addr *address, uint64_t now)
{
    struct sip_target to = {
        .transport = SIP_TLS, .remote = *address, .worker = core->place.worker};
    struct sip_flow *flow;
    int err;

    if (!core->env.dial || !listener_for(core, address, &to.listener))
        return NULL;
    to.local = core->config->locals[to.listener].addr;
    /* Any connection: the real one is known when the shell has made it. */
    flow = sip_flows_open(core->flows, &to, core, now);
    if (!flow) {
        SIP_COUNT(core, flows_refused);
        return NULL;
    }
    flow->dialled = true;
    sip_guard_flow_init(core->guard, &flow->rate, now);
    err = sip_flow_set_names(flow, partner->name);
    if (err == 0)
        err = core->env.dial(core->env.arg, &flow->target, partner->name,
                             partner->sni, &flow->conn);
    if (err < 0) {
        sip_flows_close(core->flows, flow);
        return NULL;
    }
    SIP_COUNT(core, partners_dialled);
    return flow;
}

/* The addresses one after the other, from the one that was good last. */
static struct sip_flow *dial_any(struct sip_core *core, int index, uint64_t now)
{
    const struct sip_partner *partner = &core->config->partners.items[index];
    struct sip_partner_state *state = &core->partners[index];

    for (size_t i = 0; i < state->n_addrs; i++) {
        struct sip_flow *flow = dial(
            core, partner, &state->addrs[state->next % state->n_addrs], now);

        if (flow) {
            state->dialled = flow->target.flow;
            return flow;
        }
        state->next++;
    }
    return NULL;
}

/* A connection of its own making is good enough for answers, but whether it
 * takes requests there it does not say (RFC 5923): only without another. */
static struct sip_flow *accepted_of(const struct sip_core *core, int index)
{
    const struct sip_partner *partner = &core->config->partners.items[index];
    struct sip_flow *flow =
        sip_flows_find(core->flows, core->partners[index].accepted);

    return flow && flow->names && sip_partner_owns(partner, flow->names) ? flow
                                                                         : NULL;
}

static struct sip_flow *flow_of(struct sip_core *core, int index, uint64_t now)
{
    const struct sip_partner *partner = &core->config->partners.items[index];
    struct sip_flow *flow =
        sip_flows_find(core->flows, core->partners[index].dialled);

    if (flow && flow->names && sip_partner_owns(partner, flow->names))
        return flow;
    flow = dial_any(core, index, now);
    return flow ? flow : accepted_of(core, index);
}

void sip_partner_connect(struct sip_core *core, struct sip_route *route,
                         uint64_t now)
{
    const struct sip_partner_config *cfg = &core->config->partners;
    int index = sip_partner_find_tag(cfg, route->partner);

    if (index < 0) {
        route->kind = SIP_ROUTE_REFUSED;
        route->why = SIP_REFUSED_flow_gone;
        return;
    }
    if (!is_open_to(cfg, &cfg->items[index])) {
        route->kind = SIP_ROUTE_REFUSED;
        route->why = SIP_REFUSED_blocked_domain;
        return;
    }
    route->flow = flow_of(core, index, now);
    if (!route->flow) {
        route->kind = SIP_ROUTE_REFUSED;
        route->why = SIP_REFUSED_partner_unreachable;
    }
}

struct sip_flow *sip_partner_next(struct sip_core *core, uint32_t tag,
                                  uint64_t now)
{
    int index = sip_partner_find_tag(&core->config->partners, tag);

    if (index < 0 || core->partners[index].n_addrs < 2)
        return NULL;
    core->partners[index].next++;
    return dial_any(core, index, now);
}

/* --- what the core is told --- */

/* Others say where their domain is. They shall not say that it is in our own
 * network, and have us knock there. */
static bool may_lead_to(const struct sip_partner_config *cfg,
                        const struct addr *address)
{
    if (cfg->n_networks > 0)
        return cidr_list_has_ip(cfg->networks, cfg->n_networks, address);
    return addr_is_public(address);
}

void sip_core_on_located(struct sip_core *core, const char *domain,
                         const struct addr *addrs, size_t n)
{
    int index = sip_partner_find(&core->config->partners, span_str(domain));
    struct sip_partner_state *state;

    if (index < 0 ||
        core->config->partners.items[index].address.family != ADDR_NONE)
        return;
    state = &core->partners[index];
    state->n_addrs = 0;
    state->next = 0;
    for (size_t i = 0; i < n && state->n_addrs < SIP_PARTNER_ADDRS; i++) {
        if (may_lead_to(&core->config->partners, &addrs[i]))
            state->addrs[state->n_addrs++] = addrs[i];
        else
            SIP_COUNT(core, partners_led_inside);
    }
}

static void set_pinned(struct sip_core *core)
{
    const struct sip_partner_config *cfg = &core->config->partners;

    for (size_t i = 0; i < cfg->n; i++) {
        if (cfg->items[i].address.family == ADDR_NONE)
            continue;
        core->partners[i].addrs[0] = cfg->items[i].address;
        core->partners[i].n_addrs = 1;
    }
}

int sip_core_open_partner(struct sip_core *core, const struct sip_target *from,
                          void *conn, const char *names, uint64_t now,
                          uint64_t *ret_flow)
{
    const struct sip_partner_config *cfg = &core->config->partners;
    struct sip_flow *flow;
    int err;

    if (!sip_partner_knows(cfg, names))
        return ERR_DENIED;
    err = sip_core_open_flow(core, from, conn, 0, now, ret_flow);
    if (err < 0)
        return err;
    flow = sip_flows_find(core->flows, *ret_flow);
    err = sip_flow_set_names(flow, names);
    if (err < 0) {
        sip_core_close_flow(core, *ret_flow, now);
        return err;
    }
    SIP_COUNT(core, partners_accepted);
    for (size_t i = 0; i < cfg->n; i++) {
        if (sip_partner_owns(&cfg->items[i], names))
            core->partners[i].accepted = *ret_flow;
    }
    return 0;
}

/* The list may be another one: connections are found again by the names they
 * have, addresses by the next look-up. */
void sip_partner_reload(struct sip_core *core)
{
    const struct sip_partner_config *cfg = &core->config->partners;
    struct sip_flow *flow;
    uint32_t pos = 0;

    memset(core->partners, 0, sizeof(core->partners));
    set_pinned(core);
    while ((flow = sip_flows_each(core->flows, &pos))) {
        for (size_t i = 0; flow->names && i < cfg->n; i++) {
            if (!sip_partner_owns(&cfg->items[i], flow->names))
                continue;
            if (flow->dialled)
                core->partners[i].dialled = flow->target.flow;
            else
                core->partners[i].accepted = flow->target.flow;
        }
    }
}
