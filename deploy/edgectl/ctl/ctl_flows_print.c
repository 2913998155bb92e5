/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_flows_internal.h"

#include "app/json.h"
#include "base/mem.h"
#include "ctl/ctl_table.h"

#include <stdio.h>

enum { END_TEXT_SIZE = 512, PORTS_TEXT_SIZE = 16 };

static const char *ports_str(const struct port_range *ports,
                             char out[PORTS_TEXT_SIZE])
{
    if (ports->first == 0)
        (void)snprintf(out, PORTS_TEXT_SIZE, "any");
    else if (ports->first == ports->last)
        (void)snprintf(out, PORTS_TEXT_SIZE, "%u", ports->first);
    else
        (void)snprintf(out, PORTS_TEXT_SIZE, "%u-%u", ports->first,
                       ports->last);
    return out;
}

/* An address of a family the other end does not have is no part of it. */
static bool has_family(const struct ctl_flows *flows, const struct ctl_end *end,
                       enum addr_family family)
{
    char net[CIDR_TEXT_SIZE];

    return ctl_end_net(flows, end, family, 0, net) ||
           ctl_end_is_rest(flows, end);
}

/* "edge-web 10.1.0.1", "lan 10.0.0.0/16", "internet". */
static const char *end_str(const struct ctl_flows *flows,
                           const struct ctl_end *end,
                           const struct ctl_end *other, char out[END_TEXT_SIZE])
{
    static const enum addr_family families[] = {ADDR_V4, ADDR_V6};
    const char *name = flows->places[end->place].name;
    char net[CIDR_TEXT_SIZE];
    size_t len;

    (void)snprintf(out, END_TEXT_SIZE, "%s", name);
    for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
        if (!has_family(flows, other, families[f]))
            continue;
        for (size_t i = 0; ctl_end_net(flows, end, families[f], i, net); i++) {
            len = strlen(out);
            if (strcmp(net, name) != 0)
                (void)snprintf(out + len, END_TEXT_SIZE - len, " %s", net);
        }
    }
    return out;
}

void ctl_flows_print(const struct ctl_flows *flows, enum ctl_flows_format how,
                     struct buf *out)
{
    static const char *const titles[] = {"FROM",        "TO",   "PROTOCOL",
                                         "SOURCE PORT", "PORT", "WHY"};
    static const enum ctl_format formats[] = {
        [CTL_FLOWS_TEXT] = CTL_TEXT,
        [CTL_FLOWS_CSV] = CTL_CSV,
        [CTL_FLOWS_MARKDOWN] = CTL_MARKDOWN,
    };
    char end[END_TEXT_SIZE], ports[PORTS_TEXT_SIZE];
    struct ctl_table table;

    ctl_table_init(&table, titles, ARRAY_SIZE(titles));
    for (size_t i = 0; i < flows->n; i++) {
        const struct ctl_flow *f = &flows->flows[i];

        ctl_table_put(&table, "%s", end_str(flows, &f->from, &f->to, end));
        ctl_table_put(&table, "%s", end_str(flows, &f->to, &f->from, end));
        ctl_table_put(&table, "%s", f->protocol == CTL_UDP ? "udp" : "tcp");
        ctl_table_put(&table, "%s", ports_str(&f->from.ports, ports));
        ctl_table_put(&table, "%s", ports_str(&f->to.ports, ports));
        ctl_table_put(&table, "%s", f->why);
    }
    ctl_table_print(&table, formats[how], out);
    ctl_table_deinit(&table);
}

static void json_end(const struct ctl_flows *flows, const struct ctl_end *end,
                     const struct ctl_end *other, struct buf *out)
{
    static const enum addr_family families[] = {ADDR_V4, ADDR_V6};
    const struct ctl_place *place = &flows->places[end->place];
    char text[CIDR_TEXT_SIZE], ports[PORTS_TEXT_SIZE];

    json_open(out, '{');
    json_key(out, "name");
    json_str(out, place->name);
    json_key(out, "zone");
    json_str(out, flows->topo->zones.items[place->zone].name);
    json_key(out, "addresses");
    json_open(out, '[');
    for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
        bool shown = has_family(flows, other, families[f]);

        for (size_t i = 0;
             shown && ctl_end_net(flows, end, families[f], i, text); i++)
            json_str(out, text);
    }
    json_close(out, ']');
    json_key(out, "ports");
    json_str(out, ports_str(&end->ports, ports));
    json_close(out, '}');
}

void ctl_flows_print_json(const struct ctl_flows *flows, struct buf *out)
{
    json_open(out, '{');
    json_key(out, "flows");
    json_open(out, '[');
    for (size_t i = 0; i < flows->n; i++) {
        const struct ctl_flow *f = &flows->flows[i];

        json_open(out, '{');
        json_key(out, "from");
        json_end(flows, &f->from, &f->to, out);
        json_key(out, "to");
        json_end(flows, &f->to, &f->from, out);
        json_key(out, "protocol");
        json_str(out, f->protocol == CTL_UDP ? "udp" : "tcp");
        json_key(out, "why");
        json_str(out, f->why);
        json_close(out, '}');
    }
    json_close(out, ']');
    json_key(out, "findings");
    json_open(out, '[');
    for (size_t i = 0; i < flows->n_findings; i++) {
        json_open(out, '{');
        json_key(out, "id");
        json_str(out, flows->findings[i].id);
        json_key(out, "text");
        json_str(out, flows->findings[i].text);
        json_close(out, '}');
    }
    json_close(out, ']');
    json_close(out, '}');
    buf_put_byte(out, '\n');
}
