/* SPDX-License-Identifier: MIT */
#include "proxy/web_egress.h"

#include "base/addr_kind.h"
#include "base/err.h"

#include <string.h>

int web_egress_parse(struct span text, struct web_egress_rule *ret_rule)
{
    bool wild = span_starts(text, "*.");
    struct web_host host = {0};
    struct web_host *to = &ret_rule->to;

    if (web_host_parse(span_from(text, wild ? 2 : 0), &host) < 0 ||
        host.port == 0 || host.len + 2 >= WEB_HOST_SIZE)
        return ERR_PARSE;
    *ret_rule = (struct web_egress_rule){.to = host};
    if (!wild)
        return 0;
    memcpy(to->text, "*.", 2);
    memcpy(to->text + 2, host.text, host.len);
    to->len = (uint16_t)(host.len + 2);
    return 0;
}

const struct web_egress_rule *
web_egress_find(const struct web_egress_rule *rules, size_t n,
                const struct web_host *target)
{
    for (size_t i = 0; i < n; i++) {
        if (rules[i].to.port == target->port &&
            web_host_matches(web_host_name(&rules[i].to),
                             web_host_name(target)))
            return &rules[i];
    }
    return NULL;
}

bool web_egress_reaches(const struct web_egress_rule *rule,
                        const struct addr *address)
{
    return addr_is_public(address) &&
           (rule->n_nets == 0 ||
            cidr_list_has_ip(rule->nets, rule->n_nets, address));
}
