/* SPDX-License-Identifier: MIT */
/* Firewalls: what the settings need open from here is open, and other ports
 * of the same hosts are closed. */
#include "ctl_checks.h"

#include "base/err.h"
#include "base/mem.h"
#include "ctl_reach.h"

#include <stdio.h>

enum { TRIES_MAX = 1024 };

/* Ports that are worth a try beside those of the settings: remote shells,
 * signalling, web interfaces of appliances, data bases, media. */
static const uint16_t usual_tcp[] = {22,   80,   443,  5038, 5060,
                                     5061, 5066, 8080, 8443, 9090};
static const uint16_t usual_udp[] = {161, 5060, 10000};

struct
try {
    const struct ctl_flow *flow; /* NULL: it must be closed */
    size_t host;                 /* its place */
};

struct survey {
    struct ctl_check_env *env;
    const struct ctl_flows *flows;
    size_t from; /* place */
    const struct ctl_published *published;
    size_t n_published;
    struct ctl_reach items[TRIES_MAX];
    struct try tries[TRIES_MAX];
    size_t n;
};

/* ---- what can be sent from here ---- */

static bool net_in(const struct cidr *outer, const struct cidr *inner)
{
    return cidr_has_ip(outer, &inner->net) && outer->prefix <= inner->prefix;
}

/* Flows of this place: its own and, of a host, those of all around it. */
static bool applies(const struct survey *s, const struct ctl_flow *flow)
{
    const struct ctl_place *from = &s->flows->places[flow->from.place];
    const struct ctl_place *us = &s->flows->places[s->from];

    if (flow->from.place == s->from)
        return true;
    if (!us->is_host || from->is_host || from->zone != us->zone)
        return false;
    for (size_t i = 0; i < from->n; i++)
        for (size_t j = 0; j < us->n; j++)
            if (net_in(&from->nets[i], &us->nets[j]))
                return true;
    return from->n == 0;
}

static bool end_has(const struct survey *s, const struct ctl_end *end,
                    const struct addr *a)
{
    const struct ctl_place *p = &s->flows->places[end->place];

    if (end->addr.family)
        return addr_same_ip(&end->addr, a);
    for (size_t i = 0; i < p->n; i++)
        if (cidr_has_ip(&p->nets[i], a))
            return true;
    return false;
}

static bool is_open(const struct survey *s, bool udp, const struct addr *to)
{
    for (size_t i = 0; i < s->flows->n; i++) {
        const struct ctl_flow *f = &s->flows->flows[i];

        if ((f->protocol == CTL_UDP) == udp && applies(s, f) &&
            end_has(s, &f->to, to) &&
            (f->to.ports.first == 0 ||
             (to->port >= f->to.ports.first && to->port <= f->to.ports.last)))
            return true;
    }
    return false;
}

/* ---- the list ---- */

static void add(struct survey *s, bool udp, const struct addr *to,
                struct port_range from, const struct ctl_flow *flow,
                size_t host)
{
    struct addr seen = *to;

    for (size_t i = 0; i < s->n_published; i++)
        if (addr_same_ip(&s->published[i].inside, to))
            seen = s->published[i].outside;
    seen.port = to->port;
    for (size_t i = 0; i < s->n; i++)
        if (s->items[i].udp == udp && addr_equal(&s->items[i].to, &seen) &&
            s->items[i].from.first == from.first)
            return;
    if (s->n == TRIES_MAX)
        return;
    s->items[s->n] =
        (struct ctl_reach){.udp = udp, .to = seen, .from = from, .fd = -1};
    s->tries[s->n] = (struct try){flow, host};
    s->n++;
}

/* The hosts an end stands for; those of a network are a sample of it. */
static void add_flow(struct survey *s, const struct ctl_flow *flow)
{
    const struct ctl_flows *flows = s->flows;
    bool udp = flow->protocol == CTL_UDP;
    struct addr to = flow->to.addr;

    if (flow->to.ports.first == 0)
        return;
    to.port = flow->to.ports.first;
    if (to.family) {
        add(s, udp, &to, flow->from.ports, flow, flow->to.place);
        return;
    }
    for (size_t h = 0; h < flows->topo->hosts.n; h++) {
        const struct ctl_place *host = &flows->places[flows->topo->zones.n + h];

        for (size_t i = 0; i < host->n; i++) {
            to = host->nets[i].net;
            to.port = flow->to.ports.first;
            if (flows->topo->zones.n + h != s->from &&
                end_has(s, &flow->to, &to))
                add(s, udp, &to, flow->from.ports, flow,
                    flows->topo->zones.n + h);
        }
    }
}

/* A port of a host that must not be reached, unless a flow opens it. */
static void add_closed(struct survey *s, size_t place, bool udp, uint16_t port)
{
    const struct ctl_place *p = &s->flows->places[place];

    for (size_t i = 0; i < p->n; i++) {
        struct addr to = p->nets[i].net;

        to.port = port;
        if (port && !is_open(s, udp, &to))
            add(s, udp, &to, (struct port_range){0, 0}, NULL, place);
    }
}

/* Is there a firewall between, or on it? Neighbours in a zone reach all. */
static bool is_guarded(const struct survey *s, size_t host)
{
    const struct topo_host *h =
        &s->flows->topo->hosts.items[host - s->flows->topo->zones.n];

    return host != s->from &&
           (h->runs.n > 0 ||
            s->flows->places[host].zone != s->flows->places[s->from].zone);
}

static void add_closed_ports(struct survey *s)
{
    const struct ctl_flows *flows = s->flows;

    for (size_t h = 0; h < flows->topo->hosts.n; h++) {
        size_t place = flows->topo->zones.n + h;

        if (!is_guarded(s, place))
            continue;
        for (size_t i = 0; i < flows->n; i++) {
            const struct ctl_flow *f = &flows->flows[i];

            if (f->to.place == place)
                add_closed(s, place, f->protocol == CTL_UDP, f->to.ports.first);
        }
        for (size_t i = 0; i < ARRAY_SIZE(usual_tcp); i++)
            add_closed(s, place, false, usual_tcp[i]);
        for (size_t i = 0; i < ARRAY_SIZE(usual_udp); i++)
            add_closed(s, place, true, usual_udp[i]);
    }
}

/* ---- what came out ---- */

static void say_open(struct survey *s, size_t i, const char *where)
{
    const struct ctl_flow *f = s->tries[i].flow;
    const struct ctl_reach *r = &s->items[i];
    struct ctl_checks *checks = s->env->checks;
    bool range = f->to.ports.last > f->to.ports.first;

    if (r->result == CTL_REACH_OPEN)
        ctl_checks_add(checks, where, "FLOW-BLOCKED", CTL_CHECK_OK,
                       "reached: %s", f->why);
    else if (r->result == CTL_REACH_UNTRIED)
        ctl_checks_add(checks, where, "FLOW-BLOCKED", CTL_CHECK_OK,
                       "cannot be tried from here (its source port is in use, "
                       "or no route): %s",
                       f->why);
    else if (r->result == CTL_REACH_REFUSED && r->udp && range)
        ctl_checks_add(checks, where, "FLOW-BLOCKED", CTL_CHECK_OK,
                       "let through, nothing uses it now: %s", f->why);
    else if (r->result == CTL_REACH_REFUSED)
        ctl_checks_add(checks, where, "FLOW-REFUSED", CTL_CHECK_ERROR,
                       "nobody listens, or a firewall rejects: start what "
                       "should be there (%s)",
                       f->why);
    else if (r->udp && range)
        ctl_checks_add(checks, where, "FLOW-SILENT", CTL_CHECK_WARNING,
                       "neither an answer nor an ICMP error: it is dropped on "
                       "the way, or the host sends none; compare the firewall "
                       "with edgectl firewall (%s)",
                       f->why);
    else
        ctl_checks_add(checks, where, "FLOW-BLOCKED", CTL_CHECK_ERROR,
                       "nothing comes back: let %s %u through the firewall, "
                       "see edgectl firewall (%s)",
                       r->udp ? "UDP" : "TCP", r->to.port, f->why);
}

static void say_closed(struct survey *s, size_t host)
{
    const char *name = s->flows->places[host].name;
    char text[ADDR_TEXT_SIZE], where[ADDR_TEXT_SIZE + 128];
    size_t closed = 0, open = 0;

    for (size_t i = 0; i < s->n; i++) {
        const struct ctl_reach *r = &s->items[i];

        if (s->tries[i].flow || s->tries[i].host != host)
            continue;
        if (r->result != CTL_REACH_OPEN) {
            closed++;
            continue;
        }
        open++;
        (void)snprintf(where, sizeof(where), "%s %s %s", name,
                       addr_str(&r->to, text), r->udp ? "udp" : "tcp");
        ctl_checks_add(s->env->checks, where, "PORT-OPEN", CTL_CHECK_ERROR,
                       "no setting needs it open from here: close it in the "
                       "firewall, or name it under \"also\" of the topology");
    }
    if (closed && !open)
        ctl_checks_add(s->env->checks, name, "PORT-OPEN", CTL_CHECK_OK,
                       "%zu other ports do not answer here", closed);
}

static void say_all(struct survey *s)
{
    char text[ADDR_TEXT_SIZE], where[ADDR_TEXT_SIZE + 128];

    for (size_t i = 0; i < s->n; i++) {
        if (!s->tries[i].flow)
            continue;
        (void)snprintf(where, sizeof(where), "%s %s %s",
                       s->flows->places[s->tries[i].host].name,
                       addr_str(&s->items[i].to, text),
                       s->items[i].udp ? "udp" : "tcp");
        say_open(s, i, where);
    }
    for (size_t h = 0; h < s->flows->topo->hosts.n; h++)
        say_closed(s, s->flows->topo->zones.n + h);
}

bool check_flows(struct ctl_check_env *env, const struct ctl_flows *flows,
                 const char *place, const struct ctl_published *published,
                 size_t n_published)
{
    ptrdiff_t zone = topo_zone_find(flows->topo, span_str(place));
    ptrdiff_t host = topo_host_find(flows->topo, span_str(place));
    struct survey *s;

    if (zone < 0 && host < 0)
        return false;
    s = mem_zalloc(sizeof(*s));
    if (!s)
        return false;
    s->env = env;
    s->flows = flows;
    s->from = host >= 0 ? flows->topo->zones.n + (size_t)host : (size_t)zone;
    s->published = published;
    s->n_published = n_published;
    for (size_t i = 0; i < flows->n; i++)
        if (applies(s, &flows->flows[i]))
            add_flow(s, &flows->flows[i]);
    add_closed_ports(s);
    ctl_reach_all(s->items, s->n);
    say_all(s);
    mem_free(s);
    return true;
}
