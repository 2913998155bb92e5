/* SPDX-License-Identifier: MIT */
/* Mobility (RFC 8016).
 *
 * A ticket names worker and allocation. It is a tag, which authenticates them
 * and some salt, and then those, hidden under what the tag gives with another
 * key; both keys come from the secret that all cores share, and nothing is
 * kept. It is text of 32 characters: coturn's client takes no more, and no
 * NUL. Who brings one must be the allocation's user as well. The new 5-tuple
 * is then `next`: both are the client's until the new one is used.
 */
#include "turn/turn_internal.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/wire.h"

#include <errno.h>
#include <inttypes.h>

#define LOG_COMPONENT "turn"
#include "base/log.h"

enum {
    TAG_SIZE = 12,
    PLAIN_SIZE = 4 + 1 + 3 + 4, /* salt, worker, slot, generation */
    /* How long an allocation waits for a client whose connection is gone. */
    HOMELESS_MS = 60 * 1000,
};
_Static_assert((TAG_SIZE + PLAIN_SIZE) / 3 * 4 == TURN_TICKET_SIZE, "base64");

struct turn_route {
    struct turn_client client;
    unsigned worker;
};

static struct span key_of(const struct turn_client *client)
{
    return span_of(client, sizeof(*client));
}

/* --- tickets --- */

void turn_mobile_init(struct turn_core *core)
{
    static const char *const labels[2] = {"mobility ticket: tag",
                                          "mobility ticket: mask"};

    for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
        struct span label = span_str(labels[i]);

        crypto_hmac_sha256(
            span_of(core->shared->nonce_secret, TURN_NONCE_SECRET_SIZE), &label,
            1, core->ticket_keys[i]);
    }
}

static void keyed(const struct turn_core *core, size_t which, struct span in,
                  uint8_t out[CRYPTO_SHA256_SIZE])
{
    crypto_hmac_sha256(
        span_of(core->ticket_keys[which], sizeof(core->ticket_keys[which])),
        &in, 1, out);
}

/* Hide what stands behind the tag, or show it again. */
static void mask(const struct turn_core *core, uint8_t *bytes)
{
    uint8_t stream[CRYPTO_SHA256_SIZE];

    keyed(core, 1, span_of(bytes, TAG_SIZE), stream);
    for (size_t i = 0; i < PLAIN_SIZE; i++)
        bytes[TAG_SIZE + i] ^= stream[i];
}

void turn_mobile_ticket(const struct turn_core *core,
                        const struct turn_alloc *alloc,
                        struct turn_reply *reply)
{
    uint8_t bytes[TAG_SIZE + PLAIN_SIZE];
    uint8_t tag[CRYPTO_SHA256_SIZE];
    uint8_t *plain = bytes + TAG_SIZE;

    if (!alloc->is_mobile)
        return;
    core->env.random(core->env.arg, plain, 4);
    wire_store_u32(plain + 4, (uint32_t)core->worker << 24 | alloc->id.slot);
    wire_store_u32(plain + 8, alloc->id.generation);
    keyed(core, 0, span_of(plain, PLAIN_SIZE), tag);
    memcpy(bytes, tag, TAG_SIZE);
    mask(core, bytes);
    text_base64(TEXT_BASE64URL, span_of(bytes, sizeof(bytes)), reply->ticket);
    reply->has_ticket = true;
}

static bool open_ticket(const struct turn_core *core, struct span ticket,
                        unsigned *ret_worker, struct pool_id *ret_alloc)
{
    uint8_t bytes[TAG_SIZE + PLAIN_SIZE];
    uint8_t tag[CRYPTO_SHA256_SIZE];
    const uint8_t *plain = bytes + TAG_SIZE;
    struct wire_reader r;
    uint32_t where;

    if (ticket.len != TURN_TICKET_SIZE ||
        text_unbase64(TEXT_BASE64URL, ticket, bytes, sizeof(bytes)) !=
            (int)sizeof(bytes))
        return false;
    mask(core, bytes);
    keyed(core, 0, span_of(plain, PLAIN_SIZE), tag);
    if (!mem_equal_secret(tag, bytes, TAG_SIZE))
        return false;
    r = wire_reader(span_of(plain + 4, PLAIN_SIZE - 4));
    where = wire_u32(&r);
    *ret_worker = where >> 24;
    ret_alloc->slot = where & 0xFFFFFF;
    ret_alloc->generation = wire_u32(&r);
    return true;
}

/* --- requests --- */

enum stun_code turn_mobile_wish(const struct turn_core *core,
                                const struct stun_msg *msg, bool is_tcp,
                                bool *ret_is_mobile)
{
    struct span ticket = stun_msg_attr(msg, STUN_MOBILITY_TICKET);

    *ret_is_mobile = false;
    if (!ticket.ptr)
        return STUN_OK;
    if (ticket.len != 0)
        return STUN_BAD_REQUEST;
    /* a TCP relay lives and dies with its control connection */
    if (!core->rules->limits.mobility || is_tcp)
        return STUN_MOBILITY_FORBIDDEN;
    *ret_is_mobile = true;
    return STUN_OK;
}

void turn_mobile_find(struct turn_core *core, struct turn_request *rq)
{
    struct span ticket = stun_msg_attr(&rq->msg, STUN_MOBILITY_TICKET);
    struct turn_alloc *alloc;
    struct pool_id id;
    unsigned worker;

    if (rq->alloc || !ticket.ptr)
        return;
    if (!open_ticket(core, ticket, &worker, &id)) {
        rq->has_bad_ticket = true;
        return;
    }
    alloc = worker == core->worker ? pool_find(core->allocs, id) : NULL;
    if (!alloc || alloc->expires <= rq->now || !alloc->is_mobile ||
        alloc->realm != rq->realm)
        return;
    rq->alloc = alloc;
    rq->moves = true;
}

enum stun_code turn_mobile_check(const struct turn_core *core,
                                 const struct turn_request *rq)
{
    if (!stun_msg_has(&rq->msg, STUN_MOBILITY_TICKET))
        return STUN_OK;
    if (!core->rules->limits.mobility)
        return STUN_MOBILITY_FORBIDDEN;
    return rq->has_bad_ticket ? STUN_BAD_REQUEST : STUN_OK;
}

/* --- the two 5-tuples --- */

/* Whose packets come to another worker: that one need not send them any
 * more. */
static void unroute(struct turn_core *core, const struct turn_client *client)
{
    struct turn_client there = *client;

    if (client->home == 0)
        return;
    there.home = 0;
    core->mobile.unroute(core->env.arg, client->home - 1U, &there);
}

static void route(struct turn_core *core, const struct turn_client *client)
{
    struct turn_client there = *client;

    if (client->home == 0)
        return;
    there.home = 0;
    core->mobile.route(core->env.arg, client->home - 1U, &there);
}

static void drop_next(struct turn_core *core, struct turn_alloc *alloc)
{
    map_remove(&core->by_client, key_of(&alloc->next));
    unroute(core, &alloc->next);
    alloc->has_next = false;
}

enum stun_code turn_mobile_moved(struct turn_core *core,
                                 const struct turn_request *rq)
{
    struct turn_alloc *alloc = rq->alloc;

    if (!rq->moves)
        return STUN_OK;
    if (alloc->has_next)
        drop_next(core, alloc);
    alloc->next = *rq->client;
    if (map_put(&core->by_client, key_of(&alloc->next), alloc) < 0)
        return STUN_INSUFFICIENT_CAPACITY;
    alloc->has_next = true;
    route(core, &alloc->next);
    return STUN_OK;
}

static void say_moved(const struct turn_core *core,
                      const struct turn_alloc *alloc)
{
    char from[ADDR_TEXT_SIZE];
    char to[ADDR_TEXT_SIZE];

    if (core->rules->log_allocations)
        log_info("allocation moved id=%" PRIx64 " client=%s:%s from=%s:%s",
                 pool_id_u64(alloc->id),
                 turn_transport_name(alloc->next.transport),
                 addr_str(&alloc->next.remote, to),
                 turn_transport_name(alloc->client.transport),
                 addr_str(&alloc->client.remote, from));
}

static void commit(struct turn_core *core, struct turn_alloc *alloc)
{
    say_moved(core, alloc);
    map_remove(&core->by_client, key_of(&alloc->client));
    map_remove(&core->by_client, key_of(&alloc->next));
    unroute(core, &alloc->client);
    stats_dec(turn_alloc_gauge(core, alloc->client.transport));
    stats_inc(turn_alloc_gauge(core, alloc->next.transport));
    stats_inc(&core->stats->mobile_moved);
    alloc->client = alloc->next;
    alloc->has_next = false;
    /* two were taken out a moment ago: there is room */
    (void)map_put(&core->by_client, key_of(&alloc->client), alloc);
}

void turn_mobile_used(struct turn_core *core, struct turn_alloc *alloc,
                      const struct turn_client *client)
{
    if (span_equal(key_of(client), key_of(&alloc->next)))
        commit(core, alloc);
}

bool turn_mobile_gone(struct turn_core *core, struct turn_alloc *alloc,
                      const struct turn_client *client, uint64_t now)
{
    if (!alloc->is_mobile)
        return false;
    if (alloc->has_next) {
        if (span_equal(key_of(client), key_of(&alloc->next)))
            drop_next(core, alloc);
        else
            commit(core, alloc);
        return true;
    }
    if (alloc->expires > now + HOMELESS_MS) {
        alloc->expires = now + HOMELESS_MS;
        timers_set(&core->timers, &alloc->timer, alloc->expires);
    }
    return true;
}

void turn_mobile_end(struct turn_core *core, struct turn_alloc *alloc)
{
    if (alloc->has_next)
        drop_next(core, alloc);
    unroute(core, &alloc->client);
}

/* --- between cores --- */

int turn_core_owner(const struct turn_core *core, struct span frame)
{
    struct stun_msg msg;
    struct pool_id id;
    unsigned worker;

    /* the type alone tells nearly all others */
    if (frame.len < STUN_HEADER_SIZE || frame.ptr[0] != 0)
        return -1;
    if (frame.ptr[1] == STUN_CONNECTION_BIND)
        return turn_core_of_bind(frame);
    if (frame.ptr[1] != STUN_REFRESH || stun_msg_read(&msg, frame) < 0 ||
        !open_ticket(core, stun_msg_attr(&msg, STUN_MOBILITY_TICKET), &worker,
                     &id))
        return -1;
    return (int)worker;
}

static void forward(struct turn_core *core, unsigned worker,
                    const struct turn_client *from,
                    const struct turn_packet *packet)
{
    struct turn_client client = *from;

    client.home = (uint16_t)(core->worker + 1U);
    stats_inc(&core->stats->forwarded);
    core->mobile.forward(core->env.arg, worker, &client, packet);
}

bool turn_mobile_by_route(struct turn_core *core,
                          const struct turn_client *from,
                          const struct turn_packet *packet)
{
    const struct turn_route *route = map_find(&core->by_route, key_of(from));

    if (route)
        forward(core, route->worker, from, packet);
    return route != NULL;
}

bool turn_mobile_by_ticket(struct turn_core *core,
                           const struct turn_client *from,
                           const struct turn_packet *packet, uint64_t now)
{
    int worker;

    if (!core->mobile.forward || from->home != 0 ||
        turn_transport_is_stream(from->transport) ||
        turn_alloc_find(core, from, now))
        return false;
    worker = turn_core_owner(core, packet->bytes);
    if (worker < 0 || worker == core->worker)
        return false;
    forward(core, (unsigned)worker, from, packet);
    return true;
}

bool turn_mobile_gone_route(struct turn_core *core,
                            const struct turn_client *client)
{
    const struct turn_route *route = map_find(&core->by_route, key_of(client));
    struct turn_client there = *client;

    if (!route)
        return false;
    there.home = (uint16_t)(core->worker + 1U);
    core->mobile.gone(core->env.arg, route->worker, &there);
    turn_core_unroute(core, client);
    return true;
}

int turn_core_route(struct turn_core *core, const struct turn_client *client,
                    unsigned worker)
{
    struct turn_route *route = map_find(&core->by_route, key_of(client));
    struct pool_id id;
    int err;

    if (route) {
        route->worker = worker;
        return 0;
    }
    route = pool_take(core->routes, &id);
    if (!route)
        return ERR_LIMIT;
    route->client = *client;
    route->worker = worker;
    err = map_put(&core->by_route, key_of(&route->client), route);
    if (err < 0)
        pool_give(core->routes, route);
    return err;
}

void turn_core_unroute(struct turn_core *core, const struct turn_client *client)
{
    struct turn_route *route = map_remove(&core->by_route, key_of(client));

    if (route)
        pool_give(core->routes, route);
}

size_t turn_mobile_route_size(void)
{
    return sizeof(struct turn_route);
}
