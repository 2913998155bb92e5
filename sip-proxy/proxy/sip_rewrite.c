/* SPDX-License-Identifier: MIT */
#include "proxy/sip_rewrite.h"

#include "proxy/sip_outbound.h"
#include "proxy/sip_privacy.h"
#include "proxy/sip_rebind.h"
#include "proxy/sip_strict.h"

#include <stdio.h>

enum {
    VALUE_MAX = 512,
    BREADTH_DEFAULT = 60, /* RFC 5393 5.3.3.1 */
};

/* Methods whose requests set up or refresh a route set: a NOTIFY may be the
 * first message of a dialog a forked SUBSCRIBE makes. */
static bool needs_record_route(const struct sip_msg *request)
{
    if (request->method == SIP_METHOD_NOTIFY)
        return true;
    return !sip_msg_has_to_tag(request) &&
           (request->method == SIP_METHOD_INVITE ||
            request->method == SIP_METHOD_SUBSCRIBE ||
            request->method == SIP_METHOD_REFER);
}

static struct sip_token token_for(const struct sip_core *core,
                                  const struct sip_flow *flow,
                                  enum sip_token_use use, uint16_t server_tag)
{
    return (struct sip_token){
        .use = use,
        .sips = flow->sips,
        .node = core->config->node,
        .worker = core->place.worker,
        .server = server_tag,
        .flow = sip_flow_token_id(core->flows, flow),
    };
}

/* "<sip:TOKEN@host:port;transport=ws;lr>" */
static size_t write_hop(const struct sip_local *local, const char *token,
                        const char *params, char out[VALUE_MAX])
{
    int n = local->transport == SIP_UDP
                ? snprintf(out, VALUE_MAX, "<sip:%s@%s%s>", token,
                           local->sent_by, params)
                : snprintf(out, VALUE_MAX, "<sip:%s@%s;transport=%s%s>", token,
                           local->sent_by,
                           sip_transport_param(local->transport), params);

    return (size_t)n;
}

static void push_hop(struct sip_core *core, enum sip_hdr_id id,
                     const struct sip_target *at, const char *token,
                     const char *params)
{
    char value[VALUE_MAX];
    size_t len = write_hop(sip_local_of(core, at), token, params, value);

    sip_edit_push(&core->edit, id, span_of(value, len));
}

/* RFC 5658: one Record-Route for either side, the one that the receiver will
 * use on top, both with the same token. */
static void record_route(struct sip_core *core, const struct sip_msg *request,
                         const struct sip_passage *p)
{
    const struct sip_token_binding binding = {.call_id = request->call_id};
    struct sip_token token =
        token_for(core, p->route->flow, SIP_TOKEN_RECORD, p->server_tag);
    char text[SIP_TOKEN_TEXT + 1];

    token.tag = p->route->flow->tag;
    if (p->route->kind == SIP_ROUTE_CLIENT)
        token.sips = p->route->sips;
    if (p->route->partner) {
        /* Many users share the connection, and dialogs outlive it. */
        token.partner = true;
        token.tag = 0;
        token.flow.generation = p->route->partner;
        if (p->route->kind == SIP_ROUTE_SERVER)
            token.sips = sip_rewrite_is_sips(request);
    }
    sip_token_write(&core->config->keys, &token, &binding, text);
    push_hop(core, SIP_HDR_RECORD_ROUTE, p->to, text, ";lr");
    push_hop(core, SIP_HDR_RECORD_ROUTE, p->from, text, ";lr");
}

/* The first Contact with a URI; its user part binds the Path token. */
static bool first_contact(const struct sip_msg *msg, struct sip_uri *ret_uri)
{
    struct sip_values values = sip_values_of(msg, SIP_HDR_CONTACT);

    while (sip_values_next(&values)) {
        struct sip_contact contact;

        if (sip_contact_parse(values.item, &contact) == 0 && !contact.is_star &&
            sip_uri_parse(contact.addr.uri, ret_uri) == 0)
            return true;
    }
    return false;
}

/* Told by the parser, for requests. */
static bool has_no_sips(const struct sip_msg *msg)
{
    return msg->is_request && !msg->has_sips_contact;
}

bool sip_rewrite_is_sips(const struct sip_msg *msg)
{
    struct sip_uri uri;

    return !has_no_sips(msg) && first_contact(msg, &uri) &&
           uri.scheme == SIP_SCHEME_SIPS;
}

/* Who registers; not true before the registrar says so, and never used before
 * either. */
static uint64_t register_tag(const struct sip_core *core,
                             const struct sip_msg *request,
                             const struct sip_route *route)
{
    return sip_rebind_follows(route->flow)
               ? sip_rebind_tag(core, request, route->group)
               : 0;
}

static void add_path(struct sip_core *core, const struct sip_msg *request,
                     const struct sip_passage *p)
{
    struct sip_uri contact;
    struct sip_token_binding binding;
    struct sip_token token;
    char text[SIP_TOKEN_TEXT + 1];

    if (!first_contact(request, &contact))
        return; /* asks only, or removes all: no way back is needed */
    binding = (struct sip_token_binding){.user = contact.user};
    token = token_for(core, p->route->flow, SIP_TOKEN_PATH, p->server_tag);
    token.tag = register_tag(core, request, p->route);
    sip_token_write(&core->config->keys, &token, &binding, text);
    push_hop(core, SIP_HDR_PATH, p->to, text,
             sip_outbound_is_wanted(request, p->from) ? ";lr;ob" : ";lr");
    /* Some clients say it only in their first REGISTER, and Asterisk
     * answers 420 to a Path without it. */
    sip_edit_add_option(&core->edit, SIP_HDR_SUPPORTED, "path");
}

/* For registrars without Path: the Contact names us and holds the token;
 * what it was is remembered with the connection. */
static void replace_contact(struct sip_core *core, const struct sip_passage *p,
                            const struct sip_addr *addr,
                            const struct sip_uri *uri, uint64_t tag)
{
    const struct sip_token_binding binding = {.user = uri->user};
    struct sip_token token =
        token_for(core, p->route->flow, SIP_TOKEN_CONTACT, p->server_tag);
    char text[SIP_TOKEN_TEXT + 1];
    char value[VALUE_MAX];
    int n;

    token.tag = tag;
    if (sip_flow_keep_contact(p->route->flow, uri->text) < 0 ||
        uri->user.len > 128)
        return;
    sip_token_write(&core->config->keys, &token, &binding, text);
    n = snprintf(value, sizeof(value), "%ssip:%.*s@%s;%s=%s%s",
                 addr->has_brackets ? "" : "<", SPAN_FMT(uri->user),
                 sip_local_of(core, p->to)->sent_by, SIP_ROUTE_CONTACT_PARAM,
                 text, addr->has_brackets ? "" : ">");
    sip_edit_replace(&core->edit, addr->uri, span_of(value, (size_t)n));
}

static void replace_contacts(struct sip_core *core,
                             const struct sip_msg *request,
                             const struct sip_passage *p)
{
    struct sip_values values = sip_values_of(request, SIP_HDR_CONTACT);
    uint64_t tag = register_tag(core, request, p->route);

    while (sip_values_next(&values)) {
        struct sip_contact contact;
        struct sip_uri uri;

        if (sip_contact_parse(values.item, &contact) == 0 && !contact.is_star &&
            sip_uri_parse(contact.addr.uri, &uri) == 0 && uri.has_user)
            replace_contact(core, p, &contact.addr, &uri, tag);
    }
}

/* sips: becomes sip: in all Contacts. */
static void lower_contacts(struct sip_core *core, const struct sip_msg *msg)
{
    struct sip_values values = sip_values_of(msg, SIP_HDR_CONTACT);

    if (has_no_sips(msg))
        return;
    while (sip_values_next(&values)) {
        struct sip_contact contact;
        struct sip_uri uri;

        if (sip_contact_parse(values.item, &contact) == 0 && !contact.is_star &&
            sip_uri_parse(contact.addr.uri, &uri) == 0 &&
            uri.scheme == SIP_SCHEME_SIPS)
            sip_edit_replace(&core->edit, uri.scheme_name, span_str("sip"));
    }
}

/* What those outside may not say of themselves; who is trusted may say who it
 * is. */
static void strip(struct sip_core *core, const struct sip_flow *flow)
{
    bool is_trusted = flow && sip_privacy_is_trusted(core, flow);

    for (size_t i = 0; i < core->config->n_strip; i++) {
        struct span name = span_str(core->config->strip[i]);

        if (!is_trusted || !sip_privacy_is_identity(name))
            sip_edit_remove_name(&core->edit, name);
    }
}

/* `is_strict`: the Request-URI is replaced already. */
static void inwards(struct sip_core *core, const struct sip_msg *request,
                    const struct sip_passage *p, bool is_strict)
{
    bool is_secure = sip_transport_is_secure(p->to->transport);
    bool is_replaced = false;

    strip(core, p->route->flow);
    if (request->method == SIP_METHOD_REGISTER) {
        is_replaced = p->path == SIP_PATH_OFF;
        if (is_replaced)
            replace_contacts(core, request, p);
        else
            add_path(core, request, p);
    } else if (needs_record_route(request)) {
        record_route(core, request, p);
    }
    if (is_secure)
        return;
    if (!is_replaced)
        lower_contacts(core, request);
    if (request->uri.scheme == SIP_SCHEME_SIPS && !is_strict)
        sip_edit_replace(&core->edit, request->uri.scheme_name,
                         span_str("sip"));
}

static void outwards(struct sip_core *core, const struct sip_msg *request,
                     const struct sip_passage *p, bool is_strict)
{
    if (needs_record_route(request))
        record_route(core, request, p);
    sip_privacy_outwards(core, &core->edit, p->route->flow, request);
    if (is_strict)
        return;
    if (p->route->contact) {
        struct span was = sip_flow_contact(p->route->flow, request->uri.user);

        if (was.len > 0)
            sip_edit_set_uri(&core->edit, was);
    } else if (p->route->sips && request->uri.scheme == SIP_SCHEME_SIP) {
        sip_edit_replace(&core->edit, request->uri.scheme_name,
                         span_str("sips"));
    }
}

static uint32_t next_max_forwards(const struct sip_core *core,
                                  const struct sip_msg *request)
{
    uint32_t cap = core->config->max_forwards;

    if (!request->has_max_forwards)
        return cap;
    return request->max_forwards - 1 < cap ? request->max_forwards - 1 : cap;
}

uint32_t sip_rewrite_breadth(const struct sip_msg *request)
{
    uint32_t value;

    if (!sip_msg_find(request, SIP_HDR_MAX_BREADTH) ||
        span_to_u32(sip_msg_value(request, SIP_HDR_MAX_BREADTH), UINT32_MAX,
                    &value) < 0)
        return BREADTH_DEFAULT;
    return value;
}

/* RFC 5393 5.3.3.1: every request that is passed on has one. */
static void set_breadth(struct sip_edit *edit, const struct sip_msg *request,
                        uint32_t share)
{
    char text[16] = "60";

    _Static_assert(BREADTH_DEFAULT == 60, "what the text says");
    if (share == 0 && sip_msg_find(request, SIP_HDR_MAX_BREADTH))
        return;
    if (share)
        (void)snprintf(text, sizeof(text), "%u", (unsigned)share);
    sip_edit_set(edit, SIP_HDR_MAX_BREADTH, span_str(text));
}

int sip_rewrite_request(struct sip_core *core, const struct sip_msg *request,
                        const struct sip_passage *p)
{
    struct sip_edit *edit = &core->edit;
    const struct sip_target *via = p->via ? p->via : p->to;
    bool is_strict;

    buf_reset(&core->out);
    sip_edit_begin(edit, request);
    is_strict = sip_strict_next(core, request, p->route->pop);
    if (p->route->pop && !is_strict)
        sip_edit_pop(edit, SIP_HDR_ROUTE, p->route->pop);
    sip_edit_via_source(edit, &p->from->remote, false);
    sip_edit_push_via(edit, via->transport,
                      span_str(sip_local_of(core, via)->sent_by), p->branch,
                      span_of(NULL, 0));
    sip_edit_set_max_forwards(edit, next_max_forwards(core, request));
    set_breadth(edit, request, p->breadth);
    if (p->route->kind == SIP_ROUTE_SERVER)
        inwards(core, request, p, is_strict);
    else
        outwards(core, request, p, is_strict);
    sip_edit_ensure_content_length(edit);
    return sip_edit_write(edit, &core->out);
}

/* The Contact of the client as it wrote it, where the registrar echoes what
 * we made of it. */
static void restore_contacts(struct sip_core *core,
                             const struct sip_msg *response,
                             const struct sip_msg *request,
                             const struct sip_flow *flow)
{
    struct sip_values values = sip_values_of(response, SIP_HDR_CONTACT);
    struct sip_uri own;
    bool has_own = request && first_contact(request, &own);

    if (!has_own && !flow->contacts[0])
        return; /* we made nothing of it */
    while (sip_values_next(&values)) {
        struct sip_contact contact;
        struct sip_uri uri;
        struct sip_param param;

        if (sip_contact_parse(values.item, &contact) < 0 || contact.is_star ||
            sip_uri_parse(contact.addr.uri, &uri) < 0)
            continue;
        if (sip_param_find(uri.params, SIP_ROUTE_CONTACT_PARAM, &param)) {
            const struct sip_token_binding binding = {.user = uri.user};
            struct span was = sip_flow_contact(flow, uri.user);
            struct sip_token token;

            if (was.len > 0 &&
                sip_token_read(&core->config->keys, param.value, &binding,
                               &token) == SIP_TOKEN_VALID &&
                sip_flows_find_token(core->flows, &token) == flow)
                sip_edit_replace(&core->edit, contact.addr.uri, was);
        } else if (has_own && own.scheme == SIP_SCHEME_SIPS &&
                   uri.scheme == SIP_SCHEME_SIP &&
                   span_equal(uri.user, own.user) &&
                   sip_host_equal(&uri.host, &own.host)) {
            sip_edit_replace(&core->edit, uri.scheme_name, span_str("sips"));
        }
    }
}

/* RFC 3261 16.7 step 6: one overloaded server is not the whole edge. */
static void hide_overload(struct sip_core *core, const struct sip_msg *response)
{
    SIP_COUNT(core, overload_hidden);
    sip_edit_replace(&core->edit, response->start,
                     span_str("SIP/2.0 500 Server Internal Error\r\n"));
    sip_edit_remove_all(&core->edit, SIP_HDR_RETRY_AFTER);
}

int sip_rewrite_response(struct sip_core *core, const struct sip_msg *response,
                         const struct sip_msg *sips_request,
                         struct sip_flow *flow, enum sip_way request_went)
{
    struct sip_edit *edit = &core->edit;

    buf_reset(&core->out);
    sip_edit_begin(edit, response);
    sip_edit_pop(edit, SIP_HDR_VIA, 1);
    if (response->status == 503)
        hide_overload(core, response);
    if (request_went == SIP_WAY_OUT) {
        strip(core, flow);
        lower_contacts(core, response);
    } else if (flow) {
        sip_privacy_outwards(core, edit, flow, response);
        if (response->method == SIP_METHOD_REGISTER &&
            response->status / 100 == 2) {
            restore_contacts(core, response, sips_request, flow);
            sip_outbound_answer(core, response, flow);
        }
    }
    sip_edit_ensure_content_length(edit);
    return sip_edit_write(edit, &core->out);
}

void sip_rewrite_probe(struct sip_core *core, const struct sip_target *to)
{
    const char *sent_by = sip_local_of(core, to)->sent_by;
    char branch[SIP_BRANCH_TEXT + 1];
    char host[ADDR_TEXT_SIZE];
    uint64_t random[2];

    core->env.random(core->env.arg, random, sizeof(random));
    sip_core_branch(core, 0, branch);
    (void)addr_str(&to->remote, host);
    buf_reset(&core->out);
    buf_printf(&core->out,
               "OPTIONS sip:%s SIP/2.0\r\n"
               "Via: SIP/2.0/%s %s;branch=%s\r\n"
               "Max-Forwards: 70\r\n"
               "From: <sip:%s>;tag=%016llx\r\n"
               "To: <sip:%s>\r\n"
               "Call-ID: %016llx\r\n"
               "CSeq: 1 OPTIONS\r\n"
               "Content-Length: 0\r\n\r\n",
               host, sip_transport_str(to->transport), sent_by, branch, sent_by,
               (unsigned long long)random[0], host,
               (unsigned long long)random[1]);
}
