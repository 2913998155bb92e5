/* SPDX-License-Identifier: MIT */
#include "proxy/sip_sanity.h"

#include "proxy/sip_rewrite.h"

#include "proxy/sip_branch.h"
#include "proxy/sip_flow.h"

/* Methods that only make sense inside a dialog. */
static bool needs_dialog(enum sip_method method)
{
    return method == SIP_METHOD_BYE || method == SIP_METHOD_PRACK ||
           method == SIP_METHOD_UPDATE;
}

static bool is_scheme_known(const struct sip_msg *request)
{
    return request->uri.scheme != SIP_SCHEME_OTHER;
}

/* Registrars keep Contacts in buffers of 512 bytes and some do not look. */
static bool are_contacts_short(const struct sip_msg *request)
{
    struct sip_values values = sip_values_of(request, SIP_HDR_CONTACT);

    while (sip_values_next(&values)) {
        struct sip_contact contact;

        if (sip_contact_parse(values.item, &contact) < 0 || contact.is_star)
            continue;
        if (contact.addr.uri.len > SIP_FLOW_CONTACT_MAX)
            return false;
    }
    return true;
}

static bool is_domain_served(const struct sip_core_config *config,
                             const struct sip_msg *request)
{
    if (config->n_domains == 0 || request->uri.scheme == SIP_SCHEME_TEL)
        return true;
    for (size_t i = 0; i < config->n_domains; i++) {
        if (span_is_nocase(request->uri.host.name, config->domains[i].name))
            return true;
    }
    return false;
}

static enum sip_refusal check_outside(const struct sip_core_config *config,
                                      const struct sip_msg *request)
{
    if (!are_contacts_short(request))
        return SIP_REFUSED_contact_size;
    if (sip_msg_has_to_tag(request))
        return SIP_REFUSAL_NONE;
    /* Nobody subscribed to what this NOTIFY says. */
    if (request->method == SIP_METHOD_NOTIFY)
        return SIP_REFUSED_method;
    if (!is_domain_served(config, request))
        return SIP_REFUSED_domain;
    return SIP_REFUSAL_NONE;
}

/* RFC 3323 4.3: "privacy" wants somebody on the way who knows of it. No other
 * extension is known that a proxy would have to know. */
static bool requires_unknown(const struct sip_msg *request)
{
    struct sip_values values = sip_values_of(request, SIP_HDR_PROXY_REQUIRE);

    while (sip_values_next(&values)) {
        if (!span_is_nocase(values.item, "privacy"))
            return true;
    }
    return false;
}

enum sip_refusal sip_sanity_check(const struct sip_core_config *config,
                                  const struct sip_msg *request,
                                  enum sip_zone from, uint64_t hash)
{
    if (!is_scheme_known(request))
        return SIP_REFUSED_scheme;
    if (request->has_max_forwards && request->max_forwards == 0)
        return SIP_REFUSED_max_forwards;
    if (sip_rewrite_breadth(request) == 0)
        return SIP_REFUSED_max_breadth;
    if (sip_branch_is_loop(request, hash))
        return SIP_REFUSED_loop;
    if (requires_unknown(request))
        return SIP_REFUSED_extension;
    if (!sip_msg_has_to_tag(request) && needs_dialog(request->method))
        return SIP_REFUSED_no_dialog;
    return from == SIP_OUTSIDE ? check_outside(config, request)
                               : SIP_REFUSAL_NONE;
}
