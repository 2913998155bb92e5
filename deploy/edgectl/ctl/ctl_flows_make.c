/* SPDX-License-Identifier: MIT */
/* The rules: what each setting of the daemons means for packets. */
#include "ctl/ctl_flows_internal.h"

#include "proxy/web_egress.h"
#include "sip_config.h"
#include "turn_config.h"
#include "web_config.h"

#include <stdio.h>

/* One daemon on one host. */
struct maker {
    struct ctl_flows *flows;
    const struct web_config *web; /* may be NULL */
    size_t host;                  /* index in the topology */
    const char *daemon;
};

static const struct port_range any_port = {0, 0};

static struct port_range one_port(uint16_t port)
{
    return (struct port_range){port, port};
}

static size_t here(const struct maker *m)
{
    return flows_host_place(m->flows, m->host);
}

static const struct topo_host *host_of(const struct maker *m)
{
    return &m->flows->topo->hosts.items[m->host];
}

static bool is_own(const struct maker *m, const struct addr *a)
{
    for (size_t i = 0; i < host_of(m)->addresses.n; i++) {
        if (addr_same_ip(&host_of(m)->addresses.items[i], a))
            return true;
    }
    return false;
}

/* ---- listeners ---- */

/* The i-th address of this host that a listener is reached by; false behind
 * the last. Nothing comes to a loopback one from elsewhere. */
static bool reached_by(struct maker *m, const struct addr *listen, size_t i,
                       struct ctl_end *ret_end)
{
    const struct addr_list *own = &host_of(m)->addresses;
    char text[ADDR_TEXT_SIZE];

    *ret_end = (struct ctl_end){here(m), *listen, one_port(listen->port)};
    if (addr_is_loopback(listen))
        return false;
    if (!addr_is_any(listen)) {
        if (i == 0 && !is_own(m, listen))
            flows_find(m->flows, "FLOW-NO-ADDRESS",
                       "%s listens at %s, which is no address of %s: correct "
                       "one of the two files",
                       m->daemon, addr_str(listen, text), host_of(m)->name);
        return i == 0;
    }
    for (size_t k = 0; k < own->n; k++) {
        if (own->items[k].family == listen->family && i-- == 0) {
            ret_end->addr = own->items[k];
            return true;
        }
    }
    return false;
}

static void from_clients(struct maker *m, enum ctl_protocol protocol,
                         const struct addr *listen, const char *why)
{
    const struct topo *t = m->flows->topo;
    struct ctl_end to;

    for (size_t i = 0; reached_by(m, listen, i, &to); i++) {
        for (size_t z = 0; z < t->zones.n; z++) {
            const struct ctl_end from = {.place = z, .ports = any_port};

            if (t->zones.items[z].clients)
                flows_add(m->flows, protocol, &from, &to, "%s", why);
        }
    }
}

static void from_nets(struct maker *m, enum ctl_protocol protocol,
                      const struct addr *listen, const struct cidr_list *nets,
                      const char *why)
{
    struct ctl_end to;

    for (size_t i = 0; reached_by(m, listen, i, &to); i++) {
        for (size_t n = 0; n < nets->n; n++) {
            const struct cidr *net = &nets->items[n];
            ptrdiff_t place = net->net.family == listen->family &&
                                      !addr_is_loopback(&net->net)
                                  ? flows_place_of(m->flows, net)
                                  : -1;
            const struct ctl_end from = {.place = (size_t)place};

            if (place >= 0)
                flows_add(m->flows, protocol, &from, &to, "%s", why);
        }
    }
}

/* ---- where it connects to ---- */

static void ask_dns(struct maker *m, const char *name)
{
    const struct addr_list *dns = &m->flows->topo->dns;
    const struct ctl_end from = {.place = here(m)};

    if (dns->n == 0)
        flows_find(m->flows, "FLOW-NO-DNS",
                   "%s needs the name %s, but the topology has no dns",
                   m->daemon, name);
    for (size_t i = 0; i < dns->n; i++) {
        struct cidr net = flows_cidr_of(&dns->items[i]);
        ptrdiff_t place = flows_place_of(m->flows, &net);
        const struct ctl_end to = {.place = (size_t)place,
                                   .addr = dns->items[i],
                                   .ports = one_port(53)};

        if (place < 0)
            continue;
        flows_add(m->flows, CTL_UDP, &from, &to, "names of back ends");
        flows_add(m->flows, CTL_TCP, &from, &to, "names of back ends");
    }
}

/* The end an endpoint names; false when nothing leaves the host, or it is
 * not known where it goes (a finding). */
static bool named_end(struct maker *m, const struct endpoint *e,
                      struct ctl_end *ret_end)
{
    struct cidr net;
    ptrdiff_t place;

    *ret_end = (struct ctl_end){.addr = e->addr, .ports = one_port(e->port)};
    if (e->addr.family == ADDR_NONE) {
        place = topo_host_find(m->flows->topo, span_str(e->host));
        ask_dns(m, e->host);
        if (place < 0)
            flows_find(m->flows, "FLOW-NAME",
                       "%s connects to %s: add a host of that name to the "
                       "topology",
                       m->daemon, e->host);
        ret_end->place = flows_host_place(m->flows, (size_t)place);
        return place >= 0;
    }
    if (addr_is_loopback(&e->addr) || is_own(m, &e->addr))
        return false;
    net = flows_cidr_of(&e->addr);
    place = flows_place_of(m->flows, &net);
    ret_end->place = (size_t)place;
    return place >= 0;
}

/* ---- web-proxy ---- */

static bool is_used(const struct web_config *web, const char *upstream)
{
    for (size_t i = 0; i < web->routes.n; i++) {
        const char *name = web->routes.items[i].upstream;

        if (name && strcmp(name, upstream) == 0)
            return true;
    }
    for (size_t i = 0; i < web->streams.n; i++) {
        if (strcmp(web->streams.items[i].upstream, upstream) == 0)
            return true;
    }
    return false;
}

/* Where connect: leads to. */
static void make_egress(struct maker *m, const struct web_config_egress *e)
{
    const struct topo *t = m->flows->topo;
    const struct ctl_end from = {.place = here(m)};
    struct web_egress_rule rule;
    struct ctl_end to = {0};
    struct addr ip;

    if (web_egress_parse(span_str(e->to), &rule) < 0)
        return; /* the settings were checked for this */
    to.ports = one_port(rule.to.port);
    if (addr_parse_ip(web_host_name(&rule.to), &ip) < 0)
        ask_dns(m, e->to);
    for (size_t i = 0; i < e->nets.n; i++) {
        ptrdiff_t place = flows_place_of(m->flows, &e->nets.items[i]);

        to.place = (size_t)place;
        if (place >= 0)
            flows_add(m->flows, CTL_TCP, &from, &to, "the way out to %s",
                      e->to);
    }
    /* Anywhere public is the zone of what is nowhere else. */
    for (size_t z = 0; e->nets.n == 0 && z < t->zones.n; z++) {
        to.place = z;
        if (t->zones.items[z].networks.n == 0)
            flows_add(m->flows, CTL_TCP, &from, &to, "the way out to %s",
                      e->to);
    }
}

/* Where checks go that have a port of their own. */
static bool checked_end(struct maker *m, const struct web_config_upstream *u,
                        size_t k, struct ctl_end *ret_end)
{
    struct endpoint e = u->urls.items[k];

    e.port = e.addr.port = u->check_port;
    return named_end(m, &e, ret_end);
}

static void make_web(struct maker *m)
{
    static const char *const whys[] = {
        [WEB_LISTEN_HTTPS] = "web applications, signalling (HTTPS, WebSocket)",
        [WEB_LISTEN_HTTP] = "web applications without TLS",
        [WEB_LISTEN_REDIRECT] = "is told where HTTPS is",
        [WEB_LISTEN_SHARED] = "web applications, and what shares their port",
        [WEB_LISTEN_TCP] = "connections passed on as they are",
        [WEB_LISTEN_TLS] = "connections passed on, TLS ended",
        [WEB_LISTEN_CONNECT] = "the way out (HTTP CONNECT)",
    };
    const struct web_config *web = m->web;
    const struct ctl_end from = {.place = here(m)};
    struct ctl_end to;

    for (size_t i = 0; i < web->listen.n; i++) {
        const struct endpoint *e = &web->listen.items[i];

        if (e->transport == WEB_LISTEN_CONNECT)
            from_nets(m, CTL_TCP, &e->addr, &web->egress_limits.from,
                      whys[e->transport]);
        else
            from_clients(m, CTL_TCP, &e->addr, whys[e->transport]);
    }
    for (size_t i = 0; i < web->egress.n; i++)
        make_egress(m, &web->egress.items[i]);
    for (size_t i = 0; i < web->upstreams.n; i++) {
        const struct web_config_upstream *u = &web->upstreams.items[i];

        for (size_t k = 0; is_used(web, u->name) && k < u->urls.n; k++) {
            if (named_end(m, &u->urls.items[k], &to))
                flows_add(m->flows, CTL_TCP, &from, &to,
                          "requests for back end \"%s\"", u->name);
            if (u->check_port && checked_end(m, u, k, &to))
                flows_add(m->flows, CTL_TCP, &from, &to,
                          "checks of back end \"%s\"", u->name);
        }
    }
}

/* ---- sip-proxy ---- */

static bool is_endpoint_of(const struct maker *m, const struct endpoint *e,
                           const struct addr *listen)
{
    bool mine = addr_same_ip(&e->addr, listen) ||
                (addr_is_any(listen) && is_own(m, &e->addr)) ||
                strcmp(e->host, host_of(m)->name) == 0;

    return mine && e->port == listen->port;
}

/* Does web-proxy hand connections to this listener? */
static bool is_behind_web(const struct maker *m, const struct addr *listen)
{
    for (size_t i = 0; m->web && i < m->web->upstreams.n; i++) {
        const struct endpoint_list *urls = &m->web->upstreams.items[i].urls;

        for (size_t k = 0; k < urls->n; k++) {
            if (is_endpoint_of(m, &urls->items[k], listen))
                return true;
        }
    }
    return false;
}

/* To each place a partner may be in: where it is said to be, or where DNS will
 * say it is (on the usual port: SRV may name another one). */
static void to_partner(struct maker *m, const struct ctl_end *from,
                       const struct sip_partner_setting *p)
{
    const struct topo *t = m->flows->topo;
    struct ctl_end to = {.ports = one_port(5061)};

    if (p->address.scheme) {
        if (p->address.addr.family == from->addr.family &&
            named_end(m, &p->address, &to))
            flows_add(m->flows, CTL_TCP, from, &to, "SIP to partner %s",
                      p->domain);
        return;
    }
    ask_dns(m, p->domain);
    for (size_t z = 0; z < t->zones.n; z++) {
        to.place = z;
        if (t->zones.items[z].clients && t->zones.items[z].networks.n == 0)
            flows_add(m->flows, CTL_TCP, from, &to, "SIP to partner %s",
                      p->domain);
    }
}

static void make_partners(struct maker *m, const struct sip_config *sip,
                          const struct sip_listen *l)
{
    const struct addr *at = &l->address.addr;
    struct ctl_end from;

    from_clients(m, CTL_TCP, at, "SIP of federation partners");
    for (size_t i = 0; reached_by(m, at, i, &from); i++) {
        from.ports = any_port;
        for (size_t p = 0; p < sip->partners.n; p++)
            to_partner(m, &from, &sip->partners.items[p]);
    }
}

static void make_sip_outside(struct maker *m, const struct sip_config *sip,
                             const struct sip_listen *l)
{
    enum sip_transport transport = sip_config_transport(&l->address);
    const struct addr *at = &l->address.addr;

    if (transport == SIP_UDP)
        from_clients(m, CTL_UDP, at, "SIP of clients");
    else if (l->partners)
        make_partners(m, sip, l);
    else if (transport == SIP_TCP || transport == SIP_TLS)
        from_clients(m, CTL_TCP, at, "SIP of clients");
    else if (is_behind_web(m, at))
        return; /* make_web() has it */
    else if (sip->trusted_proxies.n)
        from_nets(m, CTL_TCP, at, &sip->trusted_proxies,
                  "SIP over WebSocket from a proxy");
    else
        from_clients(m, CTL_TCP, at, "SIP over WebSocket");
}

/* "sip:" and "sips:" leave it to DNS. */
static bool speaks(const struct sip_media_server *server,
                   const struct sip_listen *listen)
{
    return strncmp(server->server.scheme, "sip", 3) == 0 ||
           strcmp(server->server.scheme, listen->address.scheme) == 0;
}

/* `first` of its kind: what the proxy sends from. */
static void make_sip_inside(struct maker *m, const struct sip_config *sip,
                            const struct sip_listen *l, bool first)
{
    enum ctl_protocol protocol =
        sip_config_transport(&l->address) == SIP_UDP ? CTL_UDP : CTL_TCP;
    const struct addr *at = &l->address.addr;
    struct ctl_end here_end, server;

    for (size_t i = 0; reached_by(m, at, i, &here_end); i++) {
        for (size_t s = 0; s < sip->media_servers.n; s++) {
            const struct sip_media_server *ms = &sip->media_servers.items[s];
            struct ctl_end from;

            if ((ms->server.addr.family != ADDR_NONE &&
                 ms->server.addr.family != at->family) ||
                !speaks(ms, l) || !named_end(m, &ms->server, &server))
                continue;
            from = here_end;
            if (protocol == CTL_TCP) /* a connection has a port of its own */
                from.ports = any_port;
            if (first && i == 0)
                flows_add(m->flows, protocol, &from, &server,
                          "SIP to media servers of group \"%s\"", ms->group);
            from = server;
            from.ports = any_port;
            flows_add(m->flows, protocol, &from, &here_end,
                      "SIP from media servers");
        }
    }
    from_nets(m, protocol, at, &sip->inside_sources, "SIP from inside");
}

static void make_sip(struct maker *m, const struct sip_config *sip)
{
    bool had[SIP_WSS + 1][ADDR_V6 + 1] = {{false}};

    for (size_t i = 0; i < sip->listen.n; i++) {
        const struct sip_listen *l = &sip->listen.items[i];
        bool *was_there =
            &had[sip_config_transport(&l->address)][l->address.addr.family];

        if (sip_config_zone(l) == SIP_OUTSIDE) {
            make_sip_outside(m, sip, l);
            continue;
        }
        make_sip_inside(m, sip, l, !*was_there);
        *was_there = true;
    }
}

/* ---- turn-server ---- */

static const char *turn_why(const struct turn_config *turn,
                            const struct turn_listen_config *l)
{
    switch (l->address.transport) {
    case TURN_LISTEN_UDP:
        return l->role == TURN_ROLE_STUN ? "STUN"
               : turn->dtls              ? "STUN, TURN, TURN over DTLS"
                                         : "STUN and TURN";
    case TURN_LISTEN_TLS:
        return l->role == TURN_ROLE_STUN ? "STUN over TLS" : "TURN over TLS";
    default:
        return l->role == TURN_ROLE_STUN ? "STUN over TCP"
               : turn->certificate       ? "TURN over TCP and TLS"
                                         : "TURN over TCP";
    }
}

/* Hosts that are clients, wherever they stand. */
static void from_turn_hosts(struct maker *m, enum ctl_protocol protocol,
                            const struct addr *listen, const char *why)
{
    const struct topo *t = m->flows->topo;
    struct ctl_end to;

    for (size_t i = 0; reached_by(m, listen, i, &to); i++) {
        for (size_t h = 0; h < t->hosts.n; h++) {
            const struct ctl_end from = {.place =
                                             flows_host_place(m->flows, h)};

            if (t->hosts.items[h].turn_client)
                flows_add(m->flows, protocol, &from, &to, "%s", why);
        }
    }
}

/* A listener with a list of clients is for those alone. */
static void make_turn_listeners(struct maker *m, const struct turn_config *turn)
{
    for (size_t i = 0; i < turn->listen.n; i++) {
        const struct turn_listen_config *l = &turn->listen.items[i];
        const struct addr *at = &l->address.addr;
        enum ctl_protocol p =
            l->address.transport == TURN_LISTEN_UDP ? CTL_UDP : CTL_TCP;
        const char *why = turn_why(turn, l);

        if (l->client.n) {
            from_nets(m, p, at, &l->client, why);
            continue;
        }
        from_clients(m, p, at, why);
        from_turn_hosts(m, p, at, why);
    }
}

/* Where a peer rule points to; false: nowhere the relay could reach. */
static bool peer_end(const struct maker *m, const struct cidr *c,
                     const struct ctl_end *relay, struct ctl_end *ret_peer)
{
    ptrdiff_t place =
        c->net.family == relay->addr.family && !addr_is_loopback(&c->net)
            ? flows_place_of(m->flows, c)
            : -1;

    *ret_peer = (struct ctl_end){.place = (size_t)place,
                                 .ports = {c->port_first, c->port_last}};
    if (c->port_first <= 1 && c->port_last == UINT16_MAX)
        ret_peer->ports = any_port;
    return place >= 0;
}

/* TCP relays: to the ports of the rule, and from any port of the peer. */
static void make_turn_tcp_peers(struct maker *m,
                                const struct turn_realm_config *realm,
                                const struct ctl_end *relay)
{
    for (size_t i = 0; i < realm->allow_tcp_peer.n; i++) {
        struct ctl_end peer;

        if (!peer_end(m, &realm->allow_tcp_peer.items[i], relay, &peer))
            continue;
        flows_add(m->flows, CTL_TCP, relay, &peer, "TCP relays to peers");
        peer.ports = any_port;
        flows_add(m->flows, CTL_TCP, &peer, relay, "peers to TCP relays");
    }
}

/* Both ways: either side may send first. */
static void make_turn_peers(struct maker *m,
                            const struct turn_realm_config *realm,
                            const struct ctl_end *relay)
{
    const struct topo *t = m->flows->topo;

    for (size_t i = 0; i < realm->allow_peer.n; i++) {
        struct ctl_end peer;

        if (!peer_end(m, &realm->allow_peer.items[i], relay, &peer))
            continue;
        flows_add(m->flows, CTL_UDP, relay, &peer, "relayed media to peers");
        flows_add(m->flows, CTL_UDP, &peer, relay, "media from peers");
    }
    for (size_t z = 0; turn_realm_config_public(realm) && z < t->zones.n; z++) {
        const struct ctl_end peer = {.place = z};

        if (t->zones.items[z].networks.n)
            continue; /* public addresses are in "everything else" */
        flows_add(m->flows, CTL_UDP, relay, &peer, "relayed media to peers");
        flows_add(m->flows, CTL_UDP, &peer, relay, "media from peers");
    }
}

static void make_turn(struct maker *m, const struct turn_config *turn)
{
    char text[ADDR_TEXT_SIZE];

    make_turn_listeners(m, turn);
    for (size_t i = 0; i < turn->relays.n; i++) {
        const struct turn_relay_addr *r = &turn->relays.items[i];
        const struct ctl_end relay = {here(m), r->local, turn->relay_ports};

        if (addr_is_loopback(&r->local))
            continue;
        if (!is_own(m, &r->local))
            flows_find(m->flows, "FLOW-NO-ADDRESS",
                       "%s relays from %s, which is no address of %s: correct "
                       "one of the two files",
                       m->daemon, addr_ip_str(&r->local, text),
                       host_of(m)->name);
        make_turn_peers(m, &turn->realm, &relay);
        for (size_t j = 0; j < turn->more_realms.n; j++)
            make_turn_peers(m, &turn->more_realms.items[j], &relay);
        if (!turn->tcp_relay)
            continue;
        make_turn_tcp_peers(m, &turn->realm, &relay);
        for (size_t j = 0; j < turn->more_realms.n; j++)
            make_turn_tcp_peers(m, &turn->more_realms.items[j], &relay);
    }
}

/* ---- all ---- */

static void make_also(struct ctl_flows *flows, const struct topo_flow *f)
{
    const struct span names[2] = {span_str(f->from), span_str(f->to)};
    struct ctl_end ends[2] = {{.ports = any_port}, {.ports = f->ports}};

    for (size_t i = 0; i < 2; i++) {
        ptrdiff_t zone = topo_zone_find(flows->topo, names[i]);
        ptrdiff_t host = topo_host_find(flows->topo, names[i]);

        if (zone < 0 && host < 0)
            return; /* topo_spec's check refuses it */
        ends[i].place =
            zone >= 0 ? (size_t)zone : flows_host_place(flows, (size_t)host);
    }
    flows_add(flows, f->protocol == 0 ? CTL_TCP : CTL_UDP, &ends[0], &ends[1],
              "%s", f->why);
}

void flows_make(struct ctl_flows *flows, const struct web_config *web,
                const struct sip_config *sip, const struct turn_config *turn)
{
    const struct topo *t = flows->topo;
    struct maker m = {.flows = flows, .web = web};

    for (m.host = 0; m.host < t->hosts.n; m.host++) {
        const struct topo_host *host = &t->hosts.items[m.host];

        m.daemon = "web-proxy";
        if (web && topo_host_runs(host, m.daemon))
            make_web(&m);
        m.daemon = "sip-proxy";
        if (sip && topo_host_runs(host, m.daemon))
            make_sip(&m, sip);
        m.daemon = "turn-server";
        if (turn && topo_host_runs(host, m.daemon))
            make_turn(&m, turn);
    }
    for (size_t i = 0; i < t->also.n; i++)
        make_also(flows, &t->also.items[i]);
}
