/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_topo.h"

#include "base/mem.h"
#include "ctl/ctl_report.h"

#include <stdio.h>

enum { NAME_MAX_LEN = 32 };

#define NAME(strukt)                                                           \
    {                                                                          \
        .name = "name", .type = OPT_STRING, .min = 1, .max = NAME_MAX_LEN,     \
        .offset = offsetof(struct strukt, name), .flags = OPT_REQUIRED,        \
        .help = "letters, digits, - and _"                                     \
    }

static const struct option_def zone_options[] = {
    NAME(topo_zone),
    {.name = "networks",
     .type = OPT_CIDR,
     .offset = offsetof(struct topo_zone, networks),
     .flags = OPT_LIST,
     .help = "its addresses; none: everything that is in no other zone"},
    {.name = "clients",
     .type = OPT_BOOL,
     .offset = offsetof(struct topo_zone, clients),
     .fallback = "false",
     .help = "users come from here"},
};

static const struct option_table zone_table = {
    zone_options, ARRAY_SIZE(zone_options), sizeof(struct topo_zone), "name"};

static const struct option_def host_options[] = {
    NAME(topo_host),
    {.name = "zone",
     .type = OPT_STRING,
     .offset = offsetof(struct topo_host, zone),
     .flags = OPT_REQUIRED,
     .help = "where it stands"},
    {.name = "address",
     .type = OPT_ADDR,
     .offset = offsetof(struct topo_host, addresses),
     .flags = OPT_LIST | OPT_REQUIRED,
     .help = "its addresses as its interfaces have them"},
    {.name = "runs",
     .type = OPT_STRING,
     .offset = offsetof(struct topo_host, runs),
     .flags = OPT_LIST,
     .help = "web-proxy, sip-proxy, turn-server"},
    {.name = "turn-client",
     .type = OPT_BOOL,
     .offset = offsetof(struct topo_host, turn_client),
     .fallback = "false",
     .help = "it asks turn-server for relays, or for its address"},
};

static const struct option_table host_table = {
    host_options, ARRAY_SIZE(host_options), sizeof(struct topo_host), NULL};

static const struct option_def firewall_options[] = {
    NAME(topo_firewall),
    {.name = "zones",
     .type = OPT_STRING,
     .offset = offsetof(struct topo_firewall, zones),
     .flags = OPT_LIST | OPT_REQUIRED,
     .help = "zones it joins: \"dmz\", or with the interface \"dmz=eth1\""},
};

static const struct option_table firewall_table = {
    firewall_options, ARRAY_SIZE(firewall_options),
    sizeof(struct topo_firewall), NULL};

static const struct option_def flow_options[] = {
    {.name = "from",
     .type = OPT_STRING,
     .offset = offsetof(struct topo_flow, from),
     .flags = OPT_REQUIRED,
     .help = "zone or host"},
    {.name = "to",
     .type = OPT_STRING,
     .offset = offsetof(struct topo_flow, to),
     .flags = OPT_REQUIRED,
     .help = "zone or host"},
    {.name = "protocol",
     .type = OPT_ENUM,
     .offset = offsetof(struct topo_flow, protocol),
     .values = "tcp|udp",
     .fallback = "tcp",
     .help = "of the ports"},
    {.name = "ports",
     .type = OPT_PORTS,
     .offset = offsetof(struct topo_flow, ports),
     .flags = OPT_REQUIRED,
     .help = "where it goes"},
    {.name = "why",
     .type = OPT_STRING,
     .offset = offsetof(struct topo_flow, why),
     .max = 100,
     .flags = OPT_REQUIRED,
     .help = "what it is for"},
};

static const struct option_table flow_table = {
    flow_options, ARRAY_SIZE(flow_options), sizeof(struct topo_flow), NULL};

static const struct option_def options[] = {
    {.name = "zone",
     .type = OPT_OBJECT,
     .object = &zone_table,
     .offset = offsetof(struct topo, zones),
     .flags = OPT_LIST | OPT_REQUIRED,
     .help = "networks of one degree of trust"},
    {.name = "host",
     .type = OPT_OBJECT,
     .object = &host_table,
     .offset = offsetof(struct topo, hosts),
     .flags = OPT_LIST | OPT_REQUIRED,
     .help = "those that run the edge, and those it speaks to"},
    {.name = "firewall",
     .type = OPT_OBJECT,
     .object = &firewall_table,
     .offset = offsetof(struct topo, firewalls),
     .flags = OPT_LIST,
     .help = "packet filters between zones; none: one between all"},
    {.name = "also",
     .type = OPT_OBJECT,
     .object = &flow_table,
     .offset = offsetof(struct topo, also),
     .flags = OPT_LIST,
     .help = "further flows that shall be open"},
    {.name = "dns",
     .type = OPT_ADDR,
     .offset = offsetof(struct topo, dns),
     .flags = OPT_LIST,
     .help = "servers that are asked for names"},
};

ptrdiff_t topo_zone_find(const struct topo *topo, struct span name)
{
    for (size_t i = 0; i < topo->zones.n; i++) {
        if (span_is(name, topo->zones.items[i].name))
            return (ptrdiff_t)i;
    }
    return -1;
}

ptrdiff_t topo_host_find(const struct topo *topo, struct span name)
{
    for (size_t i = 0; i < topo->hosts.n; i++) {
        if (span_is(name, topo->hosts.items[i].name))
            return (ptrdiff_t)i;
    }
    return -1;
}

bool topo_host_runs(const struct topo_host *host, const char *daemon)
{
    for (size_t i = 0; i < host->runs.n; i++) {
        if (strcmp(host->runs.items[i], daemon) == 0)
            return true;
    }
    return false;
}

void topo_firewall_zone(const struct topo_firewall *firewall, size_t i,
                        struct span *ret_zone, struct span *ret_interface)
{
    *ret_zone = span_str(firewall->zones.items[i]);
    *ret_interface = span_str("");
    (void)span_cut(*ret_zone, '=', ret_zone, ret_interface);
}

/* ---- what the rows cannot say ---- */

/* Names go into rule sets and file names. */
static bool is_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';

        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_' &&
            (c != '.' || i == 0))
            return false;
    }
    return name.len > 0 && name.len <= NAME_MAX_LEN;
}

static void check_zones(struct config_build *build, const struct topo *t)
{
    size_t open = 0;

    for (size_t i = 0; i < t->zones.n; i++) {
        struct span name = span_str(t->zones.items[i].name);

        open += t->zones.items[i].networks.n == 0;
        if (!is_name(name))
            config_error(build, "zone", "\"%s\": letters, digits, - and _",
                         t->zones.items[i].name);
        if (topo_zone_find(t, name) != (ptrdiff_t)i)
            config_error(build, "zone", "\"%s\" is there twice",
                         t->zones.items[i].name);
    }
    if (open > 1)
        config_error(build, "zone", "only one may be without networks");
}

static void check_hosts(struct config_build *build, const struct topo *t)
{
    for (size_t i = 0; i < t->hosts.n; i++) {
        const struct topo_host *h = &t->hosts.items[i];
        struct span name = span_str(h->name);

        if (!is_name(name))
            config_error(build, "host", "\"%s\": letters, digits, - and _",
                         h->name);
        if (topo_host_find(t, name) != (ptrdiff_t)i ||
            topo_zone_find(t, name) >= 0)
            config_error(build, "host", "\"%s\" is there twice", h->name);
        if (topo_zone_find(t, span_str(h->zone)) < 0)
            config_error(build, "host", "%s: there is no zone \"%s\"", h->name,
                         h->zone);
        for (size_t r = 0; r < h->runs.n; r++) {
            bool known = false;

            for (size_t d = 0; d < CTL_DAEMONS; d++)
                known |= strcmp(h->runs.items[r], ctl_daemon_names[d]) == 0;
            if (!known)
                config_error(build, "host", "%s: \"%s\" is none of our daemons",
                             h->name, h->runs.items[r]);
        }
    }
}

static void check_firewalls(struct config_build *build, const struct topo *t)
{
    struct span zone, interface;

    for (size_t i = 0; i < t->firewalls.n; i++) {
        const struct topo_firewall *f = &t->firewalls.items[i];

        if (!is_name(span_str(f->name)) ||
            topo_host_find(t, span_str(f->name)) >= 0)
            config_error(build, "firewall",
                         "\"%s\": letters, digits, - and _; not a host's",
                         f->name);
        for (size_t z = 0; z < f->zones.n; z++) {
            topo_firewall_zone(f, z, &zone, &interface);
            if (topo_zone_find(t, zone) < 0)
                config_error(build, "firewall", "%s: there is no zone \"%s\"",
                             f->name, f->zones.items[z]);
            if (interface.len && !is_name(interface))
                config_error(build, "firewall", "%s: \"%s\"", f->name,
                             f->zones.items[z]);
        }
    }
}

static bool is_place(const struct topo *t, const char *name)
{
    return topo_zone_find(t, span_str(name)) >= 0 ||
           topo_host_find(t, span_str(name)) >= 0;
}

static void check(struct config_build *build, void *values)
{
    const struct topo *t = values;

    check_zones(build, t);
    check_hosts(build, t);
    check_firewalls(build, t);
    for (size_t i = 0; i < t->also.n; i++) {
        const struct topo_flow *f = &t->also.items[i];

        if (!is_place(t, f->from) || !is_place(t, f->to))
            config_error(build, "also", "there is no zone or host \"%s\"",
                         is_place(t, f->from) ? f->to : f->from);
    }
}

const struct config_spec topo_spec = {
    .program = "topology",
    .summary = "networks and hosts around the edge",
    .table = {options, ARRAY_SIZE(options), sizeof(struct topo), NULL},
    .check = check,
};
