/* SPDX-License-Identifier: MIT */
/* The model: places, ends, and what stands between them. The rules that make
 * flows of settings are in ctl_flows_make.c. */
#include "ctl/ctl_flows_internal.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- findings ---- */

void flows_find(struct ctl_flows *flows, const char *id, const char *format,
                ...)
{
    struct ctl_flow_finding *f = &flows->findings[flows->n_findings];
    va_list args;

    if (flows->n_findings == CTL_FLOW_FINDINGS_MAX)
        return;
    f->id = id;
    va_start(args, format);
    (void)vsnprintf(f->text, sizeof(f->text), format, args);
    va_end(args);
    flows->n_findings++;
}

/* ---- places ---- */

struct cidr flows_cidr_of(const struct addr *a)
{
    struct cidr c = {.net = *a,
                     .prefix = a->family == ADDR_V6 ? 128 : 32,
                     .port_last = UINT16_MAX};

    c.net.port = 0;
    return c;
}

static struct ctl_place *new_place(struct ctl_flows *flows, const char *name,
                                   size_t zone)
{
    struct ctl_place *p = &flows->places[flows->n_places];

    if (flows->n_places == CTL_PLACES_MAX)
        return NULL;
    flows->n_places++;
    (void)snprintf(p->name, sizeof(p->name), "%s", name);
    p->zone = zone;
    return p;
}

static int add_zone(struct ctl_flows *flows, size_t index)
{
    const struct topo_zone *zone = &flows->topo->zones.items[index];
    struct ctl_place *p = new_place(flows, zone->name, index);

    if (!p || zone->networks.n > CTL_PLACE_NETS_MAX)
        return ERR_LIMIT;
    for (size_t i = 0; i < zone->networks.n; i++)
        p->nets[p->n++] = zone->networks.items[i];
    return 0;
}

static int add_host(struct ctl_flows *flows, size_t index)
{
    const struct topo_host *host = &flows->topo->hosts.items[index];
    ptrdiff_t zone = topo_zone_find(flows->topo, span_str(host->zone));
    struct ctl_place *p = new_place(flows, host->name, (size_t)zone);

    if (!p || host->addresses.n > CTL_PLACE_NETS_MAX)
        return ERR_LIMIT;
    p->is_host = true;
    for (size_t i = 0; i < host->addresses.n; i++)
        p->nets[p->n++] = flows_cidr_of(&host->addresses.items[i]);
    return 0;
}

size_t flows_host_place(const struct ctl_flows *flows, size_t host)
{
    return flows->topo->zones.n + host;
}

/* The zone an address is in: that of the longest prefix, else everything
 * else. -1 when there is no such zone. */
static ptrdiff_t zone_of(const struct ctl_flows *flows, const struct addr *a)
{
    ptrdiff_t found = -1;
    int longest = -1;

    for (size_t z = 0; z < flows->topo->zones.n; z++) {
        const struct ctl_place *p = &flows->places[z];

        if (p->n == 0 && longest < 0)
            found = (ptrdiff_t)z;
        for (size_t i = 0; i < p->n; i++) {
            if (cidr_has_ip(&p->nets[i], a) && p->nets[i].prefix > longest) {
                longest = p->nets[i].prefix;
                found = (ptrdiff_t)z;
            }
        }
    }
    return found;
}

static bool same_net(const struct cidr *a, const struct cidr *b)
{
    return a->prefix == b->prefix && addr_same_ip(&a->net, &b->net);
}

static ptrdiff_t find_host(const struct ctl_flows *flows,
                           const struct cidr *net)
{
    for (size_t h = 0; h < flows->topo->hosts.n; h++) {
        const struct ctl_place *p = &flows->places[flows_host_place(flows, h)];

        for (size_t i = 0; i < p->n; i++) {
            if (same_net(&p->nets[i], net))
                return (ptrdiff_t)flows_host_place(flows, h);
        }
    }
    return -1;
}

ptrdiff_t flows_place_of(struct ctl_flows *flows, const struct cidr *net)
{
    ptrdiff_t zone = zone_of(flows, &net->net);
    ptrdiff_t found = find_host(flows, net);
    struct cidr plain = *net;
    char text[CIDR_TEXT_SIZE];
    struct ctl_place *p;

    plain.port_first = 0;
    plain.port_last = UINT16_MAX;
    flows_net_str(&plain, text);
    for (size_t i = 0; found < 0 && i < flows->n_places; i++) {
        p = &flows->places[i];
        if (p->n == 1 && !p->is_host && same_net(&p->nets[0], net))
            found = (ptrdiff_t)i;
    }
    if (found >= 0)
        return found;
    if (zone < 0) {
        flows_find(flows, "FLOW-NO-ZONE",
                   "%s is in no zone: add its network to the topology", text);
        return -1;
    }
    p = new_place(flows, text, (size_t)zone);
    if (!p)
        return -1;
    p->nets[p->n++] = plain;
    return (ptrdiff_t)flows->n_places - 1;
}

/* ---- flows ---- */

static bool same_end(const struct ctl_end *a, const struct ctl_end *b)
{
    return a->place == b->place && addr_equal(&a->addr, &b->addr) &&
           a->ports.first == b->ports.first && a->ports.last == b->ports.last;
}

static struct ctl_flow *find_flow(struct ctl_flows *flows,
                                  const struct ctl_flow *flow)
{
    for (size_t i = 0; i < flows->n; i++) {
        struct ctl_flow *f = &flows->flows[i];

        if (f->protocol == flow->protocol && same_end(&f->from, &flow->from) &&
            same_end(&f->to, &flow->to))
            return f;
    }
    return NULL;
}

/* One reason more for what is open already. */
static void add_reason(struct ctl_flow *flow, const char *why)
{
    size_t len = strlen(flow->why);

    if (!strstr(flow->why, why))
        (void)snprintf(flow->why + len, sizeof(flow->why) - len, "; %s", why);
}

void flows_add(struct ctl_flows *flows, enum ctl_protocol protocol,
               const struct ctl_end *from, const struct ctl_end *to,
               const char *format, ...)
{
    struct ctl_flow flow = {.from = *from, .to = *to, .protocol = protocol};
    struct ctl_flow *old;
    va_list args;

    if (from->place == to->place && flows->places[from->place].is_host)
        return; /* stays inside the host */
    va_start(args, format);
    (void)vsnprintf(flow.why, sizeof(flow.why), format, args);
    va_end(args);
    flow.from.addr.port = 0;
    flow.to.addr.port = 0;
    old = find_flow(flows, &flow);
    if (old)
        add_reason(old, flow.why);
    else if (flows->n < CTL_FLOWS_MAX)
        flows->flows[flows->n++] = flow;
    else
        flows->full = true;
}

bool ctl_flow_crosses(const struct ctl_flows *flows,
                      const struct ctl_flow *flow,
                      const struct topo_firewall *firewall)
{
    size_t a = flows->places[flow->from.place].zone;
    size_t b = flows->places[flow->to.place].zone;
    bool has_a = false, has_b = false;
    struct span name, interface;

    for (size_t i = 0; i < firewall->zones.n; i++) {
        topo_firewall_zone(firewall, i, &name, &interface);
        has_a |= topo_zone_find(flows->topo, name) == (ptrdiff_t)a;
        has_b |= topo_zone_find(flows->topo, name) == (ptrdiff_t)b;
    }
    return a != b && has_a && has_b;
}

/* ---- what is open already ---- */

static struct cidr end_net(const struct ctl_flows *flows,
                           const struct ctl_end *end, size_t i)
{
    return end->addr.family != ADDR_NONE ? flows_cidr_of(&end->addr)
                                         : flows->places[end->place].nets[i];
}

static size_t end_nets(const struct ctl_flows *flows, const struct ctl_end *end)
{
    return end->addr.family != ADDR_NONE ? 1 : flows->places[end->place].n;
}

static bool ports_cover(const struct port_range *a, const struct port_range *b)
{
    return a->first == 0 ||
           (b->first != 0 && a->first <= b->first && a->last >= b->last);
}

/* Everything of `b` is in `a`. */
static bool end_covers(const struct ctl_flows *flows, const struct ctl_end *a,
                       const struct ctl_end *b)
{
    if (!ports_cover(&a->ports, &b->ports) ||
        flows->places[a->place].zone != flows->places[b->place].zone)
        return false;
    if (ctl_end_is_rest(flows, a))
        return true; /* all that is in the same zone */
    for (size_t i = 0; i < end_nets(flows, b); i++) {
        struct cidr inner = end_net(flows, b, i);
        bool found = false;

        for (size_t k = 0; k < end_nets(flows, a) && !found; k++) {
            struct cidr outer = end_net(flows, a, k);

            found =
                outer.prefix <= inner.prefix && cidr_has_ip(&outer, &inner.net);
        }
        if (!found)
            return false;
    }
    return !ctl_end_is_rest(flows, b);
}

bool ctl_flow_is_covered(const struct ctl_flows *flows,
                         const struct ctl_flow *flow)
{
    for (size_t i = 0; i < flows->n; i++) {
        const struct ctl_flow *f = &flows->flows[i];

        if (f == flow || f->protocol != flow->protocol ||
            !end_covers(flows, &f->from, &flow->from) ||
            !end_covers(flows, &f->to, &flow->to))
            continue;
        /* Of two that say the same the first stays. */
        if (f < flow || !end_covers(flows, &flow->from, &f->from) ||
            !end_covers(flows, &flow->to, &f->to))
            return true;
    }
    return false;
}

static void check_firewalls(struct ctl_flows *flows)
{
    const struct topo *t = flows->topo;

    for (size_t i = 0; i < flows->n && t->firewalls.n; i++) {
        const struct ctl_flow *f = &flows->flows[i];
        size_t a = flows->places[f->from.place].zone;
        size_t b = flows->places[f->to.place].zone;
        bool crossed = a == b;

        for (size_t k = 0; k < t->firewalls.n; k++)
            crossed |= ctl_flow_crosses(flows, f, &t->firewalls.items[k]);
        if (!crossed)
            flows_find(flows, "FLOW-NO-FIREWALL",
                       "no firewall joins %s and %s, but %s needs it",
                       t->zones.items[a].name, t->zones.items[b].name, f->why);
    }
}

/* ---- ends as text ---- */

bool ctl_end_is_rest(const struct ctl_flows *flows, const struct ctl_end *end)
{
    return flows->places[end->place].n == 0;
}

bool ctl_end_net(const struct ctl_flows *flows, const struct ctl_end *end,
                 enum addr_family family, size_t i, char out[CIDR_TEXT_SIZE])
{
    const struct ctl_place *p = &flows->places[end->place];

    if (end->addr.family != ADDR_NONE) {
        if (end->addr.family != family || i > 0)
            return false;
        (void)addr_ip_str(&end->addr, out);
        return true;
    }
    for (size_t k = 0; k < p->n; k++) {
        if (p->nets[k].net.family == family && i-- == 0) {
            flows_net_str(&p->nets[k], out);
            return true;
        }
    }
    return false;
}

void flows_net_str(const struct cidr *net, char out[CIDR_TEXT_SIZE])
{
    unsigned whole = net->net.family == ADDR_V6 ? 128 : 32;
    size_t len;

    (void)addr_ip_str(&net->net, out);
    len = strlen(out);
    if (net->prefix != whole)
        (void)snprintf(out + len, CIDR_TEXT_SIZE - len, "/%u", net->prefix);
}

/* Addresses inside a listed network are not listed again: nftables refuses
 * overlapping parts of a set. */
static bool is_covered(const struct ctl_flows *flows, size_t place, size_t net)
{
    const struct cidr *c = &flows->places[place].nets[net];

    for (size_t p = 0; p < flows->topo->zones.n + flows->topo->hosts.n; p++) {
        for (size_t i = 0; i < flows->places[p].n; i++) {
            const struct cidr *other = &flows->places[p].nets[i];
            bool earlier = p < place || (p == place && i < net);

            if (cidr_has_ip(other, &c->net) &&
                (other->prefix < c->prefix ||
                 (earlier && other->prefix == c->prefix)))
                return true;
        }
    }
    return false;
}

bool ctl_flows_known_net(const struct ctl_flows *flows, enum addr_family family,
                         size_t i, char out[CIDR_TEXT_SIZE])
{
    for (size_t p = 0; p < flows->topo->zones.n + flows->topo->hosts.n; p++) {
        const struct ctl_place *place = &flows->places[p];

        /* A host in "everything else" is part of it. */
        if (place->is_host && flows->places[place->zone].n == 0)
            continue;
        for (size_t k = 0; k < place->n; k++) {
            if (place->nets[k].net.family != family ||
                is_covered(flows, p, k) || i-- > 0)
                continue;
            flows_net_str(&place->nets[k], out);
            return true;
        }
    }
    return false;
}

/* ---- life ---- */

static int make(struct ctl_flows *flows, const struct web_config *web,
                const struct sip_config *sip, const struct turn_config *turn)
{
    const struct topo *t = flows->topo;
    int err = 0;

    for (size_t i = 0; i < t->zones.n && err == 0; i++)
        err = add_zone(flows, i);
    for (size_t i = 0; i < t->hosts.n && err == 0; i++)
        err = add_host(flows, i);
    if (err < 0)
        return err;
    flows_make(flows, web, sip, turn);
    check_firewalls(flows);
    return flows->full || flows->n_places == CTL_PLACES_MAX ? ERR_LIMIT : 0;
}

int ctl_flows_new(struct ctl_flows **ret_flows, const struct topo *topo,
                  const struct web_config *web, const struct sip_config *sip,
                  const struct turn_config *turn)
{
    struct ctl_flows *flows = mem_zalloc(sizeof(*flows));
    int err;

    if (!flows)
        return -ENOMEM;
    flows->topo = topo;
    err = make(flows, web, sip, turn);
    if (err < 0) {
        ctl_flows_free(flows);
        return err;
    }
    *ret_flows = flows;
    return 0;
}

void ctl_flows_free(struct ctl_flows *flows)
{
    mem_free(flows);
}
