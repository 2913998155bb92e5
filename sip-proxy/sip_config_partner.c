/* SPDX-License-Identifier: MIT */
/* Federation in the settings: the rows of a partner and what is refused. */
#include "sip_config.h"

#include "base/mem.h"
#include "proxy/sip_flow.h"

#include <stdio.h>

#define ROW(f) .offset = offsetof(struct sip_partner_setting, f)

static const struct option_def partner_options[] = {
    {.name = "domain",
     .type = OPT_STRING,
     ROW(domain),
     .min = 1,
     .max = 253,
     .flags = OPT_REQUIRED,
     .help = "its SIP domain: what stands in From behind the @"},
    {.name = "address",
     .type = OPT_ENDPOINT,
     ROW(address),
     .flags = OPT_NUMERIC,
     .values = "tls=5061",
     .help = "where it listens; not set: what DNS says "
             "(_sipfederationtls._tcp, then _sips._tcp)"},
    {.name = "name",
     .type = OPT_STRING,
     ROW(name),
     .min = 1,
     .max = 253,
     .help = "the domain its certificate is for; not set: the same"},
    {.name = "group",
     .type = OPT_STRING,
     ROW(group),
     .min = 1,
     .max = SIP_GROUP_NAME_MAX,
     .help = "media-server group of its calls"},
    {.name = "method",
     .type = OPT_STRING,
     ROW(methods),
     .min = 1,
     .max = 32,
     .flags = OPT_LIST,
     .help = "what it may send beside ACK, BYE and CANCEL; not set: INVITE, "
             "OPTIONS, PRACK, UPDATE, INFO, MESSAGE, SUBSCRIBE, NOTIFY, REFER"},
    {.name = "reach",
     .type = OPT_STRING,
     ROW(reach),
     .min = 1,
     .max = 253,
     .flags = OPT_LIST,
     .help = "domains of ours it may call; not set: all"},
    {.name = "identity",
     .type = OPT_BOOL,
     ROW(identity),
     .fallback = "false",
     .help = "take its P-Asserted-Identity, of its own domain"},
    {.name = "anonymous",
     .type = OPT_BOOL,
     ROW(anonymous),
     .fallback = "false",
     .help = "its users may call as anonymous@anonymous.invalid"},
};

const struct option_table sip_config_partner_table = {
    partner_options, ARRAY_SIZE(partner_options),
    sizeof(struct sip_partner_setting), "domain=address"};

static bool has_domain(const struct sip_config *cfg, const char *name)
{
    for (size_t i = 0; i < cfg->domains.n; i++) {
        if (span_is_nocase(span_str(name), cfg->domains.items[i].name))
            return true;
    }
    return false;
}

static void check_listeners(struct config_build *build,
                            const struct sip_config *cfg)
{
    bool has_one = false;

    for (size_t i = 0; i < cfg->listen.n; i++) {
        const struct sip_listen *l = &cfg->listen.items[i];
        char key[40];

        (void)snprintf(key, sizeof(key), "listen[%zu]", i);
        if (!l->certificate != !l->key)
            config_error(build, key, "certificate and key go together");
        if (l->verify && (sip_config_zone(l) != SIP_INSIDE ||
                          sip_config_transport(&l->address) != SIP_TLS))
            config_error(build, key, "verify is for internal tls");
        if (l->verify && !cfg->server_ca)
            config_error(build, key, "verify: needs server-ca");
        if (!l->partners)
            continue;
        has_one = true;
        if (sip_config_transport(&l->address) != SIP_TLS ||
            sip_config_zone(l) == SIP_INSIDE)
            config_error(build, key, "partners come over external tls only");
        if (!cfg->partner_ca)
            config_error(build, key, "partners: needs partner-ca");
    }
    if (cfg->partners.n && !has_one)
        config_error(build, "partner",
                     "needs a listener with partners=true for its calls");
}

static bool has_family(const struct sip_config *cfg, enum addr_family family)
{
    for (size_t i = 0; i < cfg->listen.n; i++) {
        if (cfg->listen.items[i].partners &&
            cfg->listen.items[i].address.addr.family == family)
            return true;
    }
    return false;
}

static void check_one(struct config_build *build, const struct sip_config *cfg,
                      const struct sip_partner_setting *p, const char *key)
{
    if (has_domain(cfg, p->domain))
        config_error(build, key, "%s is a domain of ours", p->domain);
    if (p->group && !sip_config_has_group(cfg, p->group))
        config_error(build, key, "no media-server of group \"%s\"", p->group);
    if (p->reach.n > SIP_REACH_MAX)
        config_error(build, key, "reach: at most %d", SIP_REACH_MAX);
    for (size_t i = 0; i < p->reach.n; i++) {
        if (!has_domain(cfg, p->reach.items[i]))
            config_error(build, key, "reach: %s is no domain of ours",
                         p->reach.items[i]);
    }
    for (size_t i = 0; i < p->methods.n; i++) {
        if (sip_method_lookup(span_str(p->methods.items[i])) ==
            SIP_METHOD_OTHER)
            config_error(build, key, "method: %s is not known",
                         p->methods.items[i]);
    }
    if (p->address.scheme && !has_family(cfg, p->address.addr.family))
        config_error(build, key,
                     "no listener for partners of that address family");
}

/* Tokens name partners by a short tag: two must not have the same. */
static void check_twice(struct config_build *build,
                        const struct sip_config *cfg, size_t i, const char *key)
{
    const char *domain = cfg->partners.items[i].domain;

    for (size_t k = 0; k < i; k++) {
        const char *other = cfg->partners.items[k].domain;

        if (span_is_nocase(span_str(domain), other))
            config_error(build, key, "%s stands there twice", domain);
        else if (sip_name_tag(span_str(domain)) ==
                 sip_name_tag(span_str(other)))
            config_error(build, key, "%s and %s cannot be told apart in tokens",
                         domain, other);
    }
}

void sip_config_check_partners(struct config_build *build,
                               struct sip_config *cfg)
{
    check_listeners(build, cfg);
    if (cfg->blocked_domains.n > SIP_BLOCKED_MAX)
        config_error(build, "blocked-domain", "at most %d", SIP_BLOCKED_MAX);
    if (cfg->partner_networks.n > SIP_PARTNER_NETWORKS)
        config_error(build, "partner-network", "at most %d",
                     SIP_PARTNER_NETWORKS);
    if (cfg->partners.n > SIP_PARTNERS_MAX) {
        config_error(build, "partner", "at most %d", SIP_PARTNERS_MAX);
        return;
    }
    if (cfg->partners.n && cfg->domains.n == 0)
        config_error(build, "partner",
                     "needs \"domain\": what of ours partners may call");
    for (size_t i = 0; i < cfg->partners.n; i++) {
        char key[40];

        (void)snprintf(key, sizeof(key), "partner[%zu]", i);
        check_one(build, cfg, &cfg->partners.items[i], key);
        check_twice(build, cfg, i, key);
    }
}

/* Registrations are our own users', and a partner publishes to itself. */
static uint32_t methods_of(const struct sip_partner_setting *p)
{
    static const enum sip_method usual[] = {
        SIP_METHOD_INVITE,    SIP_METHOD_OPTIONS, SIP_METHOD_PRACK,
        SIP_METHOD_UPDATE,    SIP_METHOD_INFO,    SIP_METHOD_MESSAGE,
        SIP_METHOD_SUBSCRIBE, SIP_METHOD_NOTIFY,  SIP_METHOD_REFER};
    uint32_t bits = 0;

    for (size_t i = 0; p->methods.n == 0 && i < ARRAY_SIZE(usual); i++)
        bits |= UINT32_C(1) << (unsigned)usual[i];
    for (size_t i = 0; i < p->methods.n; i++)
        bits |= UINT32_C(1)
                << (unsigned)sip_method_lookup(span_str(p->methods.items[i]));
    return bits;
}

void sip_config_fill_partners(const struct sip_config *cfg,
                              struct sip_partner_config *ret_partners)
{
    for (size_t i = 0; i < cfg->partners.n && i < SIP_PARTNERS_MAX; i++) {
        const struct sip_partner_setting *from = &cfg->partners.items[i];
        struct sip_partner *p = &ret_partners->items[ret_partners->n++];

        *p = (struct sip_partner){
            .domain = from->domain,
            .name = from->name ? from->name : from->domain,
            .sni = from->name ? from->name : from->domain,
            .group = from->group ? sip_name_tag(span_str(from->group)) : 0,
            .methods = methods_of(from),
            .identity = from->identity,
            .anonymous = from->anonymous,
            .reach = from->reach.n ? from->reach.items : NULL,
            .n_reach = from->reach.n,
        };
        if (from->address.scheme)
            p->address = from->address.addr;
    }
    for (size_t i = 0; i < cfg->partner_networks.n && i < SIP_PARTNER_NETWORKS;
         i++)
        ret_partners->networks[ret_partners->n_networks++] =
            cfg->partner_networks.items[i];
    ret_partners->blocked = cfg->blocked_domains.items;
    ret_partners->n_blocked = cfg->blocked_domains.n < SIP_BLOCKED_MAX
                                  ? cfg->blocked_domains.n
                                  : SIP_BLOCKED_MAX;
}
