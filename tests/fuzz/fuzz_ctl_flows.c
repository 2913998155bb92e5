/* SPDX-License-Identifier: MIT */
/* A topology of any kind, with the settings of a turn-server: the flows name
 * places that exist, and every host and firewall has a rule set. */
#include "base/mem.h"
#include "ctl/ctl_flows.h"
#include "turn_config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char turn_text[] =
    "{\"listen\":[\"udp:0.0.0.0:3478\",\"tcp:[::]:3478\"],"
    "\"relay-address\":[\"10.1.0.1\",\"2001:db8:1::1\"],\"secret-file\":\"s\","
    "\"allow-peer\":[\"10.0.0.0/24:10000-20000\",\"2001:db8:2::/64\"]}";

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void try_flows(const struct topo *topo, const struct turn_config *turn)
{
    struct ctl_flows *flows;
    struct buf out;

    if (ctl_flows_new(&flows, topo, NULL, NULL, turn) < 0)
        return;
    buf_init(&out, 8 * 1024 * 1024);
    for (size_t i = 0; i < flows->n; i++) {
        require(flows->flows[i].from.place < flows->n_places);
        require(flows->flows[i].to.place < flows->n_places);
    }
    ctl_flows_print(flows, CTL_FLOWS_TEXT, &out);
    ctl_flows_print_json(flows, &out);
    for (size_t i = 0; i < topo->hosts.n; i++)
        require(
            ctl_flows_nft(flows, span_str(topo->hosts.items[i].name), &out));
    for (size_t i = 0; i < topo->firewalls.n; i++)
        require(ctl_flows_nft(flows, span_str(topo->firewalls.items[i].name),
                              &out));
    buf_deinit(&out);
    ctl_flows_free(flows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *topo = NULL, *turn = NULL;
    struct buf report;

    buf_init(&report, 1024 * 1024);
    require(config_read_json(&turn_config_spec, span_str(turn_text), &report,
                             &turn) == 0);
    if (config_read_json(&topo_spec, span_of(data, size), &report, &topo) == 0)
        try_flows(config_values(topo), config_values(turn));
    config_unref(topo);
    config_unref(turn);
    buf_deinit(&report);
    require(mem_live_blocks() == 0);
    return 0;
}
