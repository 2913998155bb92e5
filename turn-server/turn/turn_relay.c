/* SPDX-License-Identifier: MIT */
/* The data path: client → peer (ChannelData, Send), peer → client. Nothing is
 * allocated or moved here; what is not allowed is counted and dropped.
 */
#include "turn/turn_internal.h"

#include "base/wire.h"

/* The peer may exchange data through the allocation right now. */
static bool may_exchange(const struct turn_core *core,
                         const struct turn_alloc *alloc,
                         const struct addr *peer, uint64_t now)
{
    const struct turn_perm *perm = turn_perms_find(&alloc->perms, peer, now);

    if (!perm) {
        stats_inc(&core->stats->drop_no_permission);
        return false;
    }
    if (perm->reach == TURN_REACH_ALL)
        return true;
    if (turn_policy_allows(alloc->realm->policy, peer))
        return true;
    stats_inc(&core->stats->drop_peer_denied);
    return false;
}

/* The counter of the limit that is reached, or NULL. The narrowest first:
 * what it drops costs the others nothing. */
uint64_t *turn_relay_over_limit(const struct turn_core *core,
                                struct turn_alloc *alloc, unsigned direction,
                                size_t len, uint64_t now)
{
    const struct turn_realm_limits *limits = &alloc->realm->limits;
    uint64_t total = core->rules->limits.total_bandwidth;

    if (alloc->bandwidth[direction].per_second_milli != 0 &&
        !ratelim_take(&alloc->bandwidth[direction], len, now))
        return &core->stats->drop_bandwidth;
    if (limits->user_bandwidth != 0 &&
        !turn_meter_take(turn_quota_meter(&alloc->hold), limits->user_bandwidth,
                         len, now))
        return &core->stats->drop_user_bandwidth;
    if (limits->realm_bandwidth != 0 &&
        !turn_meter_take(turn_quota_realm_meter(&alloc->hold),
                         limits->realm_bandwidth, len, now))
        return &core->stats->drop_realm_bandwidth;
    if (total != 0 && !turn_meter_take(&core->shared->meter, total, len, now))
        return &core->stats->drop_total_bandwidth;
    return NULL;
}

static bool has_bandwidth(const struct turn_core *core,
                          struct turn_alloc *alloc, unsigned direction,
                          size_t len, uint64_t now)
{
    uint64_t *dropped = turn_relay_over_limit(core, alloc, direction, len, now);

    if (!dropped)
        return true;
    stats_inc(dropped);
    stats_inc(&turn_realm_figures(core, alloc->realm)->dropped_bandwidth);
    return false;
}

static void send_to_peer(struct turn_core *core, struct turn_alloc *alloc,
                         struct addr peer, const struct turn_packet *packet,
                         uint64_t now)
{
    const struct turn_relay *relay = &alloc->relays[turn_family_index(&peer)];

    if (!relay->handle) {
        stats_inc(&core->stats->drop_peer_denied);
        return;
    }
    if (!may_exchange(core, alloc, &peer, now) ||
        !has_bandwidth(core, alloc, TURN_TO_PEER, packet->bytes.len, now))
        return;
    alloc->packets[TURN_TO_PEER]++;
    alloc->bytes[TURN_TO_PEER] += packet->bytes.len;
    stats_inc(&core->stats->relayed_to_peer);
    stats_add(&core->stats->bytes_to_peer, packet->bytes.len);
    stats_add(&turn_realm_figures(core, alloc->realm)->bytes_to_peer,
              packet->bytes.len);
    turn_policy_to_local(alloc->realm->policy, &peer);
    core->env.to_peer(core->env.arg, relay->handle, &peer, packet);
}

void turn_relay_channel(struct turn_core *core,
                        const struct turn_client *client,
                        const struct turn_packet *packet, uint64_t now)
{
    struct wire_reader r = wire_reader(packet->bytes);
    uint16_t number = wire_u16(&r);
    struct turn_packet data = {.tos = packet->tos};
    struct turn_alloc *alloc;
    struct turn_chan *chan;

    data.bytes = wire_take(&r, wire_u16(&r)); /* what follows is padding */
    if (r.err) {
        stats_inc(&core->stats->drop_malformed);
        return;
    }
    alloc = turn_alloc_find(core, client, now);
    if (!alloc) {
        stats_inc(&core->stats->drop_no_allocation);
        return;
    }
    if (alloc->has_next)
        turn_mobile_used(core, alloc, client);
    chan = turn_chans_find(&alloc->chans, number, now);
    if (!chan) {
        stats_inc(&core->stats->drop_no_channel);
        return;
    }
    send_to_peer(core, alloc, chan->peer, &data, now);
}

void turn_relay_send(struct turn_core *core, const struct turn_client *client,
                     const struct stun_msg *msg, uint8_t tos, uint64_t now)
{
    struct turn_packet data = {.bytes = stun_msg_attr(msg, STUN_DATA_VALUE),
                               .tos = tos,
                               .dont_fragment =
                                   stun_msg_has(msg, STUN_DONT_FRAGMENT)};
    struct turn_alloc *alloc;
    struct addr peer;

    if (!data.bytes.ptr || msg->unknown_count > 0 ||
        stun_attr_xor_addr(msg, stun_msg_attr(msg, STUN_XOR_PEER_ADDRESS),
                           &peer) < 0) {
        stats_inc(&core->stats->drop_malformed);
        return;
    }
    alloc = turn_alloc_find(core, client, now);
    if (!alloc || alloc->is_tcp) { /* RFC 6062: connections only */
        stats_inc(&core->stats->drop_no_allocation);
        return;
    }
    if (alloc->has_next)
        turn_mobile_used(core, alloc, client);
    send_to_peer(core, alloc, peer, &data, now);
}

/* Write the header in front of the data: 4 bytes of ChannelData, or a Data
 * indication. */
static struct span wrap(struct turn_core *core, const struct turn_alloc *alloc,
                        struct turn_datagram *datagram, uint64_t now)
{
    const struct turn_chan *chan =
        turn_chans_find_peer(&alloc->chans, &datagram->from, now);
    uint8_t tid[STUN_TID_SIZE];
    size_t size;

    if (!chan) {
        core->env.random(core->env.arg, tid, sizeof(tid));
        size =
            stun_data_wrap(datagram->data, datagram->len, &datagram->from, tid);
        return span_of(datagram->data - stun_data_header_size(&datagram->from),
                       size);
    }
    wire_store_u16(datagram->data - 4, chan->number);
    wire_store_u16(datagram->data - 2, (uint16_t)datagram->len);
    size = datagram->len;
    /* RFC 8656 12.5: on streams every message ends on a multiple of four */
    while (turn_transport_is_stream(alloc->client.transport) && size % 4 != 0)
        datagram->data[size++] = 0;
    return span_of(datagram->data - CHANNEL_HEADER_SIZE,
                   CHANNEL_HEADER_SIZE + size);
}

void turn_relay_peer(struct turn_core *core, struct turn_alloc *alloc,
                     struct turn_datagram *datagram, uint64_t now)
{
    struct turn_packet packet = {.tos = datagram->tos};

    turn_policy_to_advertised(alloc->realm->policy, &datagram->from);
    if (!may_exchange(core, alloc, &datagram->from, now) ||
        !has_bandwidth(core, alloc, TURN_TO_CLIENT, datagram->len, now))
        return;
    alloc->packets[TURN_TO_CLIENT]++;
    alloc->bytes[TURN_TO_CLIENT] += datagram->len;
    stats_inc(&core->stats->relayed_to_client);
    stats_add(&core->stats->bytes_to_client, datagram->len);
    stats_add(&turn_realm_figures(core, alloc->realm)->bytes_to_client,
              datagram->len);
    packet.bytes = wrap(core, alloc, datagram, now);
    core->env.to_client(core->env.arg, &alloc->client, &packet);
}

/* RFC 8656 11.5: destination unreachable and time exceeded for IPv4; those and
 * packet too big for IPv6. */
static bool is_told(const struct turn_report *report)
{
    if (report->peer.family == ADDR_V4)
        return report->type == 3 || report->type == 11;
    return report->type >= 1 && report->type <= 3;
}

void turn_relay_report(struct turn_core *core, struct turn_alloc *alloc,
                       const struct turn_report *report, uint64_t now)
{
    uint8_t out[STUN_DATA_HEADER_MAX + 12];
    uint8_t tid[STUN_TID_SIZE];
    uint8_t value[8] = {0};
    struct addr peer = report->peer;
    struct turn_packet packet = {.tos = 0};
    struct stun_writer w;
    int size;

    turn_policy_to_advertised(alloc->realm->policy, &peer);
    if (!is_told(report) || !may_exchange(core, alloc, &peer, now))
        return;
    /* type in 7 bits, code in 9 (RFC 8656 18.13) */
    wire_store_u16(value + 2, (uint16_t)(report->type << 9 | report->code));
    wire_store_u32(value + 4, report->info);
    core->env.random(core->env.arg, tid, sizeof(tid));
    stun_write_start(&w, out, sizeof(out), STUN_INDICATION, STUN_DATA, tid);
    stun_write_xor_addr(&w, STUN_XOR_PEER_ADDRESS, &peer);
    stun_write(&w, STUN_ICMP, span_of(value, sizeof(value)));
    size = stun_write_finish(&w);
    if (size < 0)
        return; /* cannot happen: it is of one size */
    stats_inc(&core->stats->icmp_told);
    packet.bytes = span_of(out, (size_t)size);
    core->env.to_client(core->env.arg, &alloc->client, &packet);
}
