/* SPDX-License-Identifier: MIT */
#include "proxy/sip_route.h"

#include "proxy/sip_rebind.h"

/* The values of Route one after the other. */
static bool next_route(struct sip_values *routes, struct sip_uri *ret_uri)
{
    struct sip_addr addr;

    return sip_values_next(routes) &&
           sip_addr_parse(routes->item, &addr) == 0 &&
           sip_uri_parse(addr.uri, ret_uri) == 0;
}

static struct sip_token_binding binding_of(const struct sip_msg *request)
{
    return (struct sip_token_binding){.call_id = request->call_id,
                                      .user = request->uri.user};
}

/* One of our own names, without a token: an outbound proxy setting. */
static bool is_our_name(const struct sip_core *core, const struct sip_uri *uri)
{
    for (size_t i = 0; i < core->config->n_locals; i++) {
        const struct sip_local *local = &core->config->locals[i];
        struct sip_host host;
        struct addr a;

        if (sip_host_parse(span_str(local->sent_by), &host) == 0 &&
            sip_host_equal(&uri->host, &host) &&
            (uri->host.port == 0 || uri->host.port == host.port))
            return true;
        if (sip_host_addr(&uri->host, &a) && addr_same_ip(&a, &local->addr) &&
            uri->host.port == local->addr.port)
            return true;
    }
    return false;
}

/* What our values on top of Route say. */
struct top {
    unsigned pop;
    enum sip_token_verdict verdict; /* of the first with a token */
    struct sip_token token;
    bool is_foreign;     /* the value behind them (or the first) is not ours */
    struct sip_uri next; /* that value; else not set */
};

static void read_top(const struct sip_core *core, const struct sip_msg *request,
                     struct top *top)
{
    struct sip_token_binding binding = binding_of(request);
    struct sip_values routes = sip_values_of(request, SIP_HDR_ROUTE);
    struct sip_uri uri = {0};

    *top = (struct top){.verdict = SIP_TOKEN_NONE};
    while (next_route(&routes, &uri)) {
        struct sip_token token;
        enum sip_token_verdict verdict =
            sip_token_read(&core->config->keys, uri.user, &binding, &token);

        if (verdict == SIP_TOKEN_FORGED) {
            top->verdict = verdict;
            return;
        }
        if (verdict == SIP_TOKEN_NONE &&
            (top->verdict || uri.has_user || !is_our_name(core, &uri)))
            break;
        if (verdict == SIP_TOKEN_VALID) {
            /* The pair of one passage is ours to take off; another passage
             * of the same dialog is reached through its media server. */
            if (top->verdict == SIP_TOKEN_VALID &&
                pool_id_u64(token.flow) != pool_id_u64(top->token.flow))
                break;
            top->verdict = SIP_TOKEN_VALID;
            top->token = token;
        }
        top->pop++;
    }
    if (top->pop < request->n_routes) {
        top->is_foreign = true;
        top->next = uri;
    }
}

static void refuse(struct sip_route *route, enum sip_refusal why)
{
    route->kind = SIP_ROUTE_REFUSED;
    route->why = why;
}

/* --- from inside --- */

static void to_flow(const struct sip_core *core, const struct sip_token *token,
                    struct sip_route *route)
{
    struct sip_flow *own = NULL;
    bool is_ours = token->node == core->config->node;

    if (is_ours && token->worker == core->place.worker)
        own = sip_flows_find_token(core->flows, token);
    route->flow = is_ours ? sip_rebind_find(core, token) : NULL;
    if (!route->flow)
        route->flow = own;
    route->moved = route->flow != own;
    route->tag = is_ours ? token->tag : 0;
    if (!route->flow) {
        refuse(route, SIP_REFUSED_flow_gone);
        return;
    }
    route->kind = SIP_ROUTE_CLIENT;
    route->sips = token->sips;
}

/* The token of a rewritten Contact, in the Request-URI. */
static enum sip_token_verdict contact_token(const struct sip_core *core,
                                            const struct sip_msg *request,
                                            struct sip_token *ret_token)
{
    struct sip_token_binding binding = binding_of(request);
    struct sip_param param;
    enum sip_token_verdict verdict;

    if (!sip_param_find(request->uri.params, SIP_ROUTE_CONTACT_PARAM, &param))
        return SIP_TOKEN_NONE;
    verdict =
        sip_token_read(&core->config->keys, param.value, &binding, ret_token);
    if (verdict == SIP_TOKEN_VALID && ret_token->use != SIP_TOKEN_CONTACT)
        return SIP_TOKEN_FORGED;
    return verdict;
}

static void to_partner(uint32_t tag, struct sip_route *route)
{
    route->kind = SIP_ROUTE_CLIENT;
    route->flow = NULL;
    route->partner = tag;
}

/* A first request to another domain. Returns false when it is none that we
 * know. */
static bool to_domain(const struct sip_core *core,
                      const struct sip_msg *request, struct sip_route *route)
{
    const struct sip_partner_config *cfg = &core->config->partners;
    struct span domain = request->uri.host.name;
    int partner;

    if (request->uri.scheme != SIP_SCHEME_SIP &&
        request->uri.scheme != SIP_SCHEME_SIPS)
        return false;
    if (sip_partner_is_blocked(cfg, domain)) {
        refuse(route, SIP_REFUSED_blocked_domain);
        return true;
    }
    partner = sip_partner_find(cfg, domain);
    if (partner < 0)
        return false;
    to_partner(sip_partner_tag(&cfg->items[partner]), route);
    route->sips = request->uri.scheme == SIP_SCHEME_SIPS;
    return true;
}

static void from_inside(const struct sip_core *core,
                        const struct sip_msg *request, const struct top *top,
                        struct sip_route *route)
{
    struct sip_token token;

    if (top->verdict == SIP_TOKEN_VALID) {
        if (top->token.use == SIP_TOKEN_CONTACT)
            refuse(route, SIP_REFUSED_forged_token);
        else if (top->token.partner)
            to_partner(top->token.flow.generation, route);
        else
            to_flow(core, &top->token, route);
        return;
    }
    switch (contact_token(core, request, &token)) {
    case SIP_TOKEN_VALID:
        route->contact = true;
        to_flow(core, &token, route);
        return;
    case SIP_TOKEN_FORGED:
        refuse(route, SIP_REFUSED_forged_token);
        return;
    case SIP_TOKEN_NONE:
        break;
    }
    if (request->method == SIP_METHOD_OPTIONS && !request->uri.has_user &&
        is_our_name(core, &request->uri))
        route->kind = SIP_ROUTE_SELF;
    else if (!to_domain(core, request, route))
        refuse(route, SIP_REFUSED_no_flow);
}

/* --- from outside --- */

/* The media server the next hop of a dialog is, when it is one of ours. */
static int server_of_uri(const struct sip_core *core, const struct sip_uri *uri)
{
    enum sip_transport transport =
        uri->has_transport ? uri->transport : SIP_UDP;
    struct addr a;

    if (!sip_host_addr(&uri->host, &a))
        return -1;
    a.port = uri->host.port ? uri->host.port : sip_transport_port(transport);
    return sip_dispatch_find_target(&core->dispatch, transport, &a);
}

static uint32_t group_of(const struct sip_core *core,
                         const struct sip_msg *request,
                         const struct sip_flow *flow)
{
    const struct sip_core_config *cfg = core->config;

    if (flow->group)
        return flow->group;
    for (size_t i = 0; i < cfg->n_domains; i++) {
        if (cfg->domains[i].group &&
            span_is_nocase(request->uri.host.name, cfg->domains[i].name))
            return cfg->domains[i].group;
    }
    return cfg->default_group;
}

/* Where a dialog's next hop is: what Route or Request-URI name, if that is a
 * media server; else the one the dialog was set up with. Anything a client
 * could write there beyond this goes to that server, too. */
static void in_dialog(const struct sip_core *core,
                      const struct sip_msg *request, const struct top *top,
                      struct sip_route *route)
{
    if (top->verdict != SIP_TOKEN_VALID || top->token.use != SIP_TOKEN_RECORD) {
        refuse(route, SIP_REFUSED_unsigned_route);
        return;
    }
    /* A partner's dialogs are its own, whichever of its connections this is;
     * nobody else has a token of them. */
    if (top->token.partner != (route->partner != 0) ||
        (route->partner && top->token.flow.generation != route->partner)) {
        refuse(route, SIP_REFUSED_forged_token);
        return;
    }
    route->kind = SIP_ROUTE_SERVER;
    route->server =
        server_of_uri(core, top->is_foreign ? &top->next : &request->uri);
    /* The token says which servers are the dialog's own: those of the group
     * it was set up in. */
    if (route->server < 0 ||
        !sip_dispatch_are_together(&core->dispatch, top->token.server,
                                   core->dispatch.servers[route->server].tag))
        route->server =
            sip_dispatch_find_tag(&core->dispatch, top->token.server);
}

/* False: refused. */
static bool of_partner(const struct sip_core *core,
                       const struct sip_msg *request, struct sip_route *route)
{
    const struct sip_partner *partner;
    enum sip_refusal why;
    int index;

    if (!route->flow->names)
        return true;
    why = sip_partner_admit(core, request, route->flow, &index);
    if (why) {
        refuse(route, why);
        return false;
    }
    partner = &core->config->partners.items[index];
    route->partner = sip_partner_tag(partner);
    if (partner->group)
        route->group = partner->group;
    return true;
}

static void from_outside(const struct sip_core *core,
                         const struct sip_msg *request, const struct top *top,
                         struct sip_route *route)
{
    if (!of_partner(core, request, route))
        return;
    if (sip_msg_has_to_tag(request)) {
        in_dialog(core, request, top, route);
        return;
    }
    /* Our bare name is an outbound proxy setting and harmless; everything
     * else in a first request would choose a way past our rules. */
    if (top->is_foreign || top->verdict != SIP_TOKEN_NONE) {
        refuse(route, SIP_REFUSED_preloaded_route);
        return;
    }
    route->kind = SIP_ROUTE_SERVER;
}

void sip_route_request(const struct sip_core *core,
                       const struct sip_msg *request, struct sip_flow *flow,
                       struct sip_route *ret_route)
{
    struct top top;

    read_top(core, request, &top);
    *ret_route = (struct sip_route){
        .pop = top.pop,
        .in_dialog = sip_msg_has_to_tag(request),
        .server = -1,
        .flow = flow,
    };
    if (top.verdict == SIP_TOKEN_FORGED) {
        refuse(ret_route, SIP_REFUSED_forged_token);
        return;
    }
    if (!flow) {
        from_inside(core, request, &top, ret_route);
        return;
    }
    ret_route->group = group_of(core, request, flow);
    from_outside(core, request, &top, ret_route);
}

struct span sip_route_user(const struct sip_msg *request,
                           uint8_t aor[SIP_ROUTE_AOR_MAX])
{
    const struct sip_addr *who =
        request->method == SIP_METHOD_REGISTER ? &request->to : &request->from;
    struct sip_uri uri;
    int len;

    if (sip_uri_parse(who->uri, &uri) < 0)
        return who->uri;
    len = sip_uri_aor(&uri, aor, SIP_ROUTE_AOR_MAX);
    return len < 0 ? uri.user : span_of(aor, (size_t)len);
}

unsigned sip_route_owner(const struct sip_core *core, const struct sip_msg *msg)
{
    struct sip_values routes;
    struct sip_uri uri;
    struct sip_param param;
    uint8_t worker;
    uint64_t hash, tag;

    if (!msg->is_request) {
        if (sip_branch_read(msg->via.branch, &worker, &hash))
            return worker;
        return core->place.worker;
    }
    routes = sip_values_of(msg, SIP_HDR_ROUTE);
    while (next_route(&routes, &uri)) {
        if (sip_token_peek_worker(uri.user, core->config->node, &worker,
                                  &tag)) {
            (void)sip_rebind_worker(core, tag, &worker);
            return worker;
        }
        if (!is_our_name(core, &uri))
            return core->place.worker;
    }
    if (sip_param_find(msg->uri.params, SIP_ROUTE_CONTACT_PARAM, &param) &&
        sip_token_peek_worker(param.value, core->config->node, &worker, &tag)) {
        (void)sip_rebind_worker(core, tag, &worker);
        return worker;
    }
    return core->place.worker;
}
