/* SPDX-License-Identifier: MIT */
/* Flows as nftables rules. A rule set replaces only the table "edge". */
#include "ctl/ctl_flows.h"

#include "base/mem.h"

static const enum addr_family families[] = {ADDR_V4, ADDR_V6};

/* What every chain needs: answers, and the neighbours of IPv6. Errors that
 * belong to a connection (too big, unreachable) are "related". */
static void put_chain_head(const char *hook, struct buf *out)
{
    buf_printf(out,
               "    chain %s {\n"
               "        type filter hook %s priority filter; policy drop;\n"
               "        ct state established,related accept\n",
               hook, hook);
    if (strcmp(hook, "forward") != 0)
        buf_printf(out,
                   "        %s \"lo\" accept\n"
                   "        icmpv6 type { nd-neighbor-solicit, "
                   "nd-neighbor-advert, nd-router-solicit, "
                   "nd-router-advert } accept\n",
                   strcmp(hook, "input") == 0 ? "iifname" : "oifname");
}

/* " ip saddr { 10.0.0.0/24, 10.0.1.1 }"; false when this end has no address
 * of the family. */
static bool put_end(const struct ctl_flows *flows, const struct ctl_end *end,
                    enum addr_family family, const char *direction,
                    struct buf *out)
{
    const char *ip = family == ADDR_V6 ? "ip6" : "ip";
    bool rest = ctl_end_is_rest(flows, end) && end->addr.family == ADDR_NONE;
    char net[CIDR_TEXT_SIZE];
    size_t n = 0;

    for (;; n++) {
        bool more = rest ? ctl_flows_known_net(flows, family, n, net)
                         : ctl_end_net(flows, end, family, n, net);

        if (!more)
            break;
        if (n == 0)
            buf_printf(out, "%s %s %s{ ", ip, direction, rest ? "!= " : "");
        buf_printf(out, "%s%s", n ? ", " : "", net);
    }
    if (n > 0)
        buf_put_str(out, " } ");
    return n > 0 || rest;
}

static void put_ports(const struct port_range *ports, const char *protocol,
                      const char *direction, struct buf *out)
{
    if (ports->first == 0)
        return;
    buf_printf(out, "%s %s %u", protocol, direction, ports->first);
    if (ports->last != ports->first)
        buf_printf(out, "-%u", ports->last);
    buf_put_byte(out, ' ');
}

/* The comment of a rule: at most 128 bytes, no quotes. */
static void put_comment(const char *why, struct buf *out)
{
    buf_put_str(out, "accept comment \"");
    for (size_t i = 0; why[i] && i < 120; i++)
        buf_put_byte(out, why[i] == '"' || why[i] == '\\' || why[i] < ' '
                              ? (uint8_t)'\''
                              : (uint8_t)why[i]);
    buf_put_str(out, "\"\n");
}

/* A rule per family both ends have; none when a wider one has it in it.
 * `before`: interfaces, or "". */
static void put_flow(const struct ctl_flows *flows, const struct ctl_flow *flow,
                     const char *before, struct buf *out)
{
    const char *protocol = flow->protocol == CTL_UDP ? "udp" : "tcp";
    struct buf rule;

    if (ctl_flow_is_covered(flows, flow))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        buf_init(&rule, (size_t)64 * 1024);
        if (put_end(flows, &flow->from, families[i], "saddr", &rule) &&
            put_end(flows, &flow->to, families[i], "daddr", &rule)) {
            buf_printf(out, "        %s", before);
            if (!span_starts(buf_span(&rule), "ip"))
                buf_printf(out, "meta nfproto %s ",
                           families[i] == ADDR_V6 ? "ipv6" : "ipv4");
            buf_put_span(out, buf_span(&rule));
            if (flow->from.ports.first == 0 && flow->to.ports.first == 0)
                buf_printf(out, "meta l4proto %s ", protocol);
            put_ports(&flow->from.ports, protocol, "sport", out);
            put_ports(&flow->to.ports, protocol, "dport", out);
            put_comment(flow->why, out);
        }
        if (buf_err(&rule) && !out->err)
            out->err = buf_err(&rule);
        buf_deinit(&rule);
    }
}

static void put_head(const char *kind, struct span name, struct buf *out)
{
    buf_printf(out,
               "#!/usr/sbin/nft -f\n"
               "# %s %.*s: made by edgectl firewall; what is not listed is "
               "dropped.\n"
               "table inet edge\n"
               "delete table inet edge\n"
               "table inet edge {\n",
               kind, SPAN_FMT(name));
}

static void put_host(const struct ctl_flows *flows, size_t place,
                     struct buf *out)
{
    put_head("host", span_str(flows->places[place].name), out);
    put_chain_head("input", out);
    for (size_t i = 0; i < flows->n; i++) {
        if (flows->flows[i].to.place == place)
            put_flow(flows, &flows->flows[i], "", out);
    }
    buf_put_str(out, "    }\n");
    put_chain_head("output", out);
    for (size_t i = 0; i < flows->n; i++) {
        if (flows->flows[i].from.place == place)
            put_flow(flows, &flows->flows[i], "", out);
    }
    buf_put_str(out, "    }\n");
    put_chain_head("forward", out);
    buf_put_str(out, "    }\n}\n");
}

static void put_interface(const struct ctl_flows *flows,
                          const struct topo_firewall *firewall,
                          const struct ctl_end *end, const char *what,
                          struct buf *out)
{
    ptrdiff_t zone = (ptrdiff_t)flows->places[end->place].zone;
    struct span name, interface;

    for (size_t i = 0; i < firewall->zones.n; i++) {
        topo_firewall_zone(firewall, i, &name, &interface);
        if (topo_zone_find(flows->topo, name) == zone && interface.len)
            buf_printf(out, "%s \"%.*s\" ", what, SPAN_FMT(interface));
    }
}

static void put_firewall(const struct ctl_flows *flows,
                         const struct topo_firewall *firewall, struct buf *out)
{
    struct buf before;

    put_head("firewall", span_str(firewall->name), out);
    put_chain_head("forward", out);
    for (size_t i = 0; i < flows->n; i++) {
        const struct ctl_flow *f = &flows->flows[i];

        if (!ctl_flow_crosses(flows, f, firewall))
            continue;
        buf_init(&before, 256);
        put_interface(flows, firewall, &f->from, "iifname", &before);
        put_interface(flows, firewall, &f->to, "oifname", &before);
        buf_put_byte(&before, 0);
        put_flow(flows, f, (const char *)before.data, out);
        buf_deinit(&before);
    }
    buf_put_str(out, "    }\n}\n");
}

/* Without firewalls in the topology one stands between all zones. */
static void put_default(const struct ctl_flows *flows, struct buf *out)
{
    put_head("firewall", span_str("firewall"), out);
    put_chain_head("forward", out);
    for (size_t i = 0; i < flows->n; i++) {
        const struct ctl_flow *f = &flows->flows[i];

        if (flows->places[f->from.place].zone !=
            flows->places[f->to.place].zone)
            put_flow(flows, f, "", out);
    }
    buf_put_str(out, "    }\n}\n");
}

bool ctl_flows_nft(const struct ctl_flows *flows, struct span name,
                   struct buf *out)
{
    const struct topo *t = flows->topo;
    ptrdiff_t host = topo_host_find(t, name);

    if (host >= 0) {
        put_host(flows, t->zones.n + (size_t)host, out);
        return true;
    }
    for (size_t i = 0; i < t->firewalls.n; i++) {
        if (span_is(name, t->firewalls.items[i].name)) {
            put_firewall(flows, &t->firewalls.items[i], out);
            return true;
        }
    }
    if (t->firewalls.n == 0 && span_is(name, "firewall")) {
        put_default(flows, out);
        return true;
    }
    return false;
}
