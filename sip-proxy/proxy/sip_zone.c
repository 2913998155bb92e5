/* SPDX-License-Identifier: MIT */
#include "proxy/sip_zone.h"

#include "proxy/sip_internal.h"

static bool is_method_allowed(const struct sip_zone_policy *policy,
                              const struct sip_msg *request)
{
    if (policy->n_methods == 0 || request->method == SIP_METHOD_ACK ||
        request->method == SIP_METHOD_CANCEL ||
        request->method == SIP_METHOD_BYE)
        return true;
    for (size_t i = 0; i < policy->n_methods; i++) {
        if (span_is(request->method_name, policy->methods[i]))
            return true;
    }
    return false;
}

/* "type/subtype" without parameters; "type/" and a star in the list takes all
 * of it. */
static bool is_type_allowed(const struct sip_zone_policy *policy,
                            const struct sip_msg *request)
{
    struct span type = sip_msg_value(request, SIP_HDR_CONTENT_TYPE);
    struct span params;

    if (policy->n_types == 0)
        return true;
    (void)span_cut(type, ';', &type, &params);
    type = sip_trim(type);
    for (size_t i = 0; i < policy->n_types; i++) {
        struct span want = span_str(policy->types[i]);

        if (span_equal_nocase(type, want))
            return true;
        if (want.len > 2 && want.ptr[want.len - 1] == '*' &&
            span_equal_nocase(span_head(type, want.len - 1),
                              span_head(want, want.len - 1)))
            return true;
    }
    return false;
}

static bool is_packed(const struct sip_msg *request)
{
    struct sip_values values = sip_values_of(request, SIP_HDR_CONTENT_ENCODING);

    while (sip_values_next(&values)) {
        if (!span_is_nocase(values.item, "identity"))
            return true;
    }
    return false;
}

static bool is_ours(const struct sip_core *core, const struct sip_host *host)
{
    const struct sip_core_config *cfg = core->config;
    struct addr a;

    for (size_t i = 0; i < cfg->n_domains; i++) {
        if (span_is_nocase(host->name, cfg->domains[i].name))
            return true;
    }
    for (size_t i = 0; i < cfg->n_locals; i++) {
        struct sip_host own;

        if (sip_host_parse(span_str(cfg->locals[i].sent_by), &own) == 0 &&
            sip_host_equal(host, &own))
            return true;
    }
    return sip_host_addr(host, &a) &&
           (sip_dispatch_find_ip(&core->dispatch, &a) >= 0 ||
            cidr_list_has_ip(cfg->inside, cfg->n_inside, &a));
}

bool sip_zone_may_refer(const struct sip_core *core,
                        const struct sip_local *local,
                        const struct sip_msg *request)
{
    struct sip_addr addr;
    struct sip_uri uri;

    if (!local->policy.refer_inside || request->method != SIP_METHOD_REFER)
        return true;
    if (sip_addr_parse(sip_msg_value(request, SIP_HDR_REFER_TO), &addr) < 0 ||
        sip_uri_parse(addr.uri, &uri) < 0)
        return false;
    if (uri.scheme == SIP_SCHEME_TEL)
        return true;
    if (uri.scheme != SIP_SCHEME_SIP && uri.scheme != SIP_SCHEME_SIPS)
        return false;
    return is_ours(core, &uri.host) ||
           (sip_partner_find(&core->config->partners, uri.host.name) >= 0 &&
            !sip_partner_is_blocked(&core->config->partners, uri.host.name));
}

enum sip_refusal sip_zone_check(const struct sip_local *local,
                                const struct sip_msg *request)
{
    const struct sip_zone_policy *policy = &local->policy;

    if (!is_method_allowed(policy, request))
        return SIP_REFUSED_listener_method;
    if (policy->max_body && request->body.len > policy->max_body)
        return SIP_REFUSED_body_size;
    if (request->body.len == 0)
        return SIP_REFUSAL_NONE;
    if (local->zone == SIP_OUTSIDE && is_packed(request))
        return SIP_REFUSED_body_encoding;
    return is_type_allowed(policy, request) ? SIP_REFUSAL_NONE
                                            : SIP_REFUSED_body_type;
}

static void put_list(struct buf *out, const char *name,
                     const char *const *items, size_t n)
{
    buf_printf(out, "%s: ", name);
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%s", i ? ", " : "", items[i]);
    buf_put_str(out, "\r\n");
}

void sip_zone_explain(const struct sip_local *local, enum sip_refusal why,
                      struct buf *out)
{
    const struct sip_zone_policy *policy = &local->policy;

    if (why == SIP_REFUSED_listener_method)
        put_list(out, "Allow", policy->methods, policy->n_methods);
    else if (why == SIP_REFUSED_body_type)
        put_list(out, "Accept", policy->types, policy->n_types);
    else if (why == SIP_REFUSED_body_encoding)
        buf_put_str(out, "Accept-Encoding: identity\r\n");
}
