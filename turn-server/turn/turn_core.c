/* SPDX-License-Identifier: MIT */
#include "turn/turn_core.h"

#include "base/mem.h"
#include "turn/turn_internal.h"

#include <errno.h>

/* Attributes we can read but do not offer: answered like unknown ones. */
static const enum stun_attr unsupported[] = {
    STUN_CHANGE_REQUEST,
    STUN_PADDING,
    STUN_RESPONSE_PORT,
};

int turn_core_new(struct turn_core **ret_core,
                  const struct turn_core_options *options)
{
    struct turn_core *core = mem_zalloc(sizeof(*core));
    uint8_t seed[16];
    int err;

    if (!core)
        return -ENOMEM;
    core->env = options->env;
    core->tcp = options->tcp;
    core->mobile = options->mobile;
    core->worker = options->worker;
    core->shared = options->shared;
    core->stats = options->stats;
    core->realm_stats =
        options->realm_stats ? options->realm_stats : core->own_realm_stats;
    err = pool_new(&core->allocs, sizeof(struct turn_alloc),
                   options->max_allocations);
    if (err == 0 && options->tcp.listen && options->max_tcp > 0)
        err = pool_new(&core->tcp_conns, sizeof(struct turn_tcp_conn),
                       options->max_tcp);
    if (err == 0)
        err = pool_new(&core->routes, turn_mobile_route_size(),
                       options->max_allocations);
    if (err < 0) {
        pool_free(core->allocs);
        pool_free(core->tcp_conns);
        mem_free(core);
        return err;
    }
    core->env.random(core->env.arg, seed, sizeof(seed));
    memcpy(core->seed, seed, sizeof(core->seed));
    map_init(&core->by_client, 2 * (size_t)options->max_allocations, seed);
    map_init(&core->by_route, options->max_allocations, seed);
    turn_mobile_init(core);
    map_init(&core->tcp_by_number, options->max_tcp, seed);
    timers_init(&core->timers);
    ratelim_init(&core->refusals, TURN_REFUSALS_PER_S * 1000ULL,
                 TURN_REFUSALS_PER_S, 0);
    core->rules = turn_rules_ref(options->rules);
    *ret_core = core;
    return 0;
}

void turn_core_free(struct turn_core *core)
{
    struct turn_alloc *alloc;
    uint32_t pos = 0;

    if (!core)
        return;
    while ((alloc = pool_each(core->allocs, &pos)) != NULL)
        turn_alloc_end(core, alloc, TURN_END_SHUTDOWN);
    map_deinit(&core->by_client);
    map_deinit(&core->tcp_by_number);
    map_deinit(&core->by_route);
    pool_free(core->routes);
    mem_wipe(core->ticket_keys, sizeof(core->ticket_keys));
    pool_free(core->tcp_conns);
    pool_free(core->allocs);
    turn_rules_unref(core->rules);
    mem_free(core);
}

static uint64_t *reply_counter(struct turn_stats *stats, enum stun_code code)
{
    switch (code) {
    case STUN_OK:
        return &stats->succeeded;
    case STUN_TRY_ALTERNATE:
        return &stats->refused_300;
    case STUN_BAD_REQUEST:
        return &stats->refused_400;
    case STUN_UNAUTHENTICATED:
        return &stats->refused_401;
    case STUN_FORBIDDEN:
        return &stats->refused_403;
    case STUN_MOBILITY_FORBIDDEN:
        return &stats->refused_405;
    case STUN_UNKNOWN_ATTRIBUTE:
        return &stats->refused_420;
    case STUN_ALLOCATION_MISMATCH:
        return &stats->refused_437;
    case STUN_STALE_NONCE:
        return &stats->refused_438;
    case STUN_FAMILY_NOT_SUPPORTED:
        return &stats->refused_440;
    case STUN_WRONG_CREDENTIALS:
        return &stats->refused_441;
    case STUN_UNSUPPORTED_TRANSPORT:
        return &stats->refused_442;
    case STUN_PEER_FAMILY_MISMATCH:
        return &stats->refused_443;
    case STUN_CONNECTION_EXISTS:
        return &stats->refused_446;
    case STUN_CONNECTION_FAILED:
        return &stats->refused_447;
    case STUN_QUOTA_REACHED:
        return &stats->refused_486;
    case STUN_INSUFFICIENT_CAPACITY:
        return &stats->refused_508;
    default:
        return &stats->refused_other;
    }
}

/* Empty where the answer goes to somebody we do not know: it must not be
 * larger than it has to be. */
static const char *reason_of(enum stun_code code)
{
    switch (code) {
    case STUN_TRY_ALTERNATE:
        return "Try Alternate";
    case STUN_BAD_REQUEST:
        return "Bad Request";
    case STUN_FORBIDDEN:
        return "Forbidden";
    case STUN_MOBILITY_FORBIDDEN:
        return "Mobility Forbidden";
    case STUN_UNKNOWN_ATTRIBUTE:
        return "Unknown Attribute";
    case STUN_ALLOCATION_MISMATCH:
        return "Allocation Mismatch";
    case STUN_FAMILY_NOT_SUPPORTED:
        return "Address Family not Supported";
    case STUN_WRONG_CREDENTIALS:
        return "Wrong Credentials";
    case STUN_UNSUPPORTED_TRANSPORT:
        return "Unsupported Transport Protocol";
    case STUN_PEER_FAMILY_MISMATCH:
        return "Peer Address Family Mismatch";
    case STUN_CONNECTION_EXISTS:
        return "Connection Already Exists";
    case STUN_CONNECTION_FAILED:
        return "Connection Timeout or Failure";
    case STUN_QUOTA_REACHED:
        return "Allocation Quota Reached";
    case STUN_INSUFFICIENT_CAPACITY:
        return "Insufficient Capacity";
    default:
        return "";
    }
}

static void write_family_error(struct stun_writer *w,
                               const struct turn_reply *reply)
{
    uint8_t value[4] = {reply->failed_family, 0,
                        (uint8_t)(reply->family_error / 100),
                        (uint8_t)(reply->family_error % 100)};

    if (reply->family_error)
        stun_write(w, STUN_ADDRESS_ERROR_CODE, span_of(value, sizeof(value)));
}

static void write_success(struct stun_writer *w, const struct turn_request *rq,
                          const struct turn_reply *reply)
{
    for (unsigned i = 0; i < reply->n_relayed; i++)
        stun_write_xor_addr(w, STUN_XOR_RELAYED_ADDRESS, &reply->relayed[i]);
    write_family_error(w, reply);
    if (reply->has_lifetime)
        stun_write_u32(w, STUN_LIFETIME, reply->lifetime_s);
    if (reply->has_token)
        stun_write(w, STUN_RESERVATION_TOKEN,
                   span_of(reply->token, sizeof(reply->token)));
    if (reply->has_mapped)
        stun_write_xor_addr(w, STUN_XOR_MAPPED_ADDRESS, &rq->client->remote);
    if (reply->has_ticket)
        stun_write(w, STUN_MOBILITY_TICKET,
                   span_of(reply->ticket, TURN_TICKET_SIZE));
    if (reply->number)
        stun_write(w, STUN_CONNECTION_ID,
                   span_of(reply->number, TURN_TCP_NUMBER_SIZE));
}

static void write_and_send(struct turn_core *core,
                           const struct turn_request *rq,
                           const struct turn_reply *reply)
{
    bool is_ok = reply->code == STUN_OK;
    uint8_t out[TURN_ANSWER_MAX];
    struct turn_packet packet = {.tos = 0};
    struct stun_writer w;
    int size;

    stun_write_start(&w, out, sizeof(out), is_ok ? STUN_SUCCESS : STUN_ERROR,
                     rq->msg.method, stun_msg_tid(&rq->msg));
    if (is_ok)
        write_success(&w, rq, reply);
    else
        stun_write_error(&w, reply->code, reason_of(reply->code));
    if (reply->code == STUN_UNKNOWN_ATTRIBUTE)
        stun_write_unknown(&w, &rq->msg);
    if (reply->code == STUN_TRY_ALTERNATE && reply->alternate)
        stun_write_addr(&w, STUN_ALTERNATE_SERVER, reply->alternate);
    if (reply->has_challenge)
        turn_auth_challenge(core, rq, &w);
    if (rq->who.key.len > 0) {
        if (core->rules->software.len > 0)
            stun_write(&w, STUN_SOFTWARE, core->rules->software);
        stun_write_integrity(&w, rq->who.integrity, &rq->who.key);
    }
    if (stun_msg_has(&rq->msg, STUN_FINGERPRINT))
        stun_write_fingerprint(&w);
    size = stun_write_finish(&w);
    if (size < 0)
        return; /* cannot happen: realm and software are bounded */
    packet.bytes = span_of(out, (size_t)size);
    core->env.to_client(core->env.arg, rq->client, &packet);
}

void turn_reply_send(struct turn_core *core, const struct turn_request *rq,
                     const struct turn_reply *reply)
{
    stats_inc(reply_counter(core->stats, reply->code));
    if (reply->code == STUN_FORBIDDEN && rq->realm)
        stats_inc(&turn_realm_figures(core, rq->realm)->forbidden);
    turn_log_refusal(core, rq, reply->code);
    write_and_send(core, rq, reply);
}

/* RFC 8489 6.3 */
enum stun_code turn_check_attributes(struct stun_msg *msg,
                                     const enum stun_attr *refused, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (stun_msg_has(msg, refused[i]) &&
            msg->unknown_count < STUN_UNKNOWN_MAX)
            msg->unknown[msg->unknown_count++] = stun_attr_type(refused[i]);
    }
    return msg->unknown_count > 0 ? STUN_UNKNOWN_ATTRIBUTE : STUN_OK;
}

/* A Refresh with a ticket may come again because its answer was lost: the old
 * 5-tuple is still the one that counts. */
static void note_use(struct turn_core *core, const struct turn_request *rq)
{
    if (!rq->alloc || !rq->alloc->has_next ||
        (rq->msg.method == STUN_REFRESH &&
         stun_msg_has(&rq->msg, STUN_MOBILITY_TICKET)))
        return;
    turn_mobile_used(core, rq->alloc, rq->client);
}

static enum stun_code handle(struct turn_core *core, struct turn_request *rq,
                             struct turn_reply *reply)
{
    enum stun_code code;

    if (rq->client->access != TURN_ACCESS_RELAY || !rq->realm)
        return STUN_FORBIDDEN;
    if (rq->msg.method == STUN_CONNECTION_BIND)
        turn_tcp_find(core, rq);
    if (rq->msg.method == STUN_REFRESH)
        turn_mobile_find(core, rq);
    code = turn_auth(core, rq, reply);
    if (code == STUN_OK)
        code = turn_check_attributes(&rq->msg, unsupported,
                                     ARRAY_SIZE(unsupported));
    if (code == STUN_OK && !rq->realm->tokens)
        code = turn_check_attributes(&rq->msg,
                                     &(enum stun_attr){STUN_ACCESS_TOKEN}, 1);
    if (code == STUN_OK && rq->msg.method == STUN_REFRESH)
        code = turn_mobile_check(core, rq);
    if (code != STUN_OK)
        return code;
    note_use(core, rq);
    switch (rq->msg.method) {
    case STUN_ALLOCATE:
        return turn_on_allocate(core, rq, reply);
    case STUN_REFRESH:
        return turn_on_refresh(core, rq, reply);
    case STUN_CREATE_PERMISSION:
        return turn_on_permission(core, rq, reply);
    case STUN_CONNECT:
        return turn_on_connect(core, rq, reply);
    case STUN_CONNECTION_BIND:
        return turn_on_connection_bind(core, rq, reply);
    default:
        return turn_on_channel(core, rq, reply);
    }
}

void turn_core_on_timer(struct turn_core *core, uint64_t now)
{
    struct timer *timer;

    while ((timer = timers_take_expired(&core->timers, now)) != NULL) {
        if (timer->kind == TURN_TIMER_TCP)
            turn_tcp_on_timer(core, timer, now);
        else
            turn_alloc_end(core, CONTAINER_OF(timer, struct turn_alloc, timer),
                           TURN_END_EXPIRED);
    }
}

static void on_turn_request(struct turn_core *core, struct turn_request *rq)
{
    struct turn_reply reply = {0};

    stats_inc(&core->stats->requests);
    turn_core_on_timer(core, rq->now); /* the dead must not be in the way */
    rq->alloc = turn_alloc_find(core, rq->client, rq->now);
    rq->realm = turn_rules_realm(core->rules, rq->client->realm);
    reply.code = handle(core, rq, &reply);
    /* whoever cannot prove an identity is answered only so often: addresses
     * can be forged, and the answer is larger than the request */
    if (rq->who.key.len == 0 &&
        !turn_auth_may_challenge(core, &rq->client->remote, rq->now)) {
        stats_inc(&core->stats->drop_rate);
        return;
    }
    if (!reply.is_later)
        turn_reply_send(core, rq, &reply);
    if (reply.joined)
        core->tcp.join(core->env.arg, reply.joined->pipe, rq->client);
    mem_wipe(&rq->who.key, sizeof(rq->who.key));
}

static void on_request(struct turn_core *core, struct turn_request *rq)
{
    switch (rq->msg.method) {
    case STUN_BINDING:
        turn_on_binding(core, rq);
        break;
    case STUN_ALLOCATE:
    case STUN_REFRESH:
    case STUN_CREATE_PERMISSION:
    case STUN_CHANNEL_BIND:
    case STUN_CONNECT:
    case STUN_CONNECTION_BIND:
        on_turn_request(core, rq);
        break;
    default:
        stats_inc(&core->stats->drop_unexpected);
    }
}

static void on_message(struct turn_core *core, const struct turn_client *from,
                       const struct turn_packet *packet, uint64_t now)
{
    struct turn_request rq = {.client = from, .now = now};

    if (stun_msg_read(&rq.msg, packet->bytes) < 0) {
        stats_inc(&core->stats->drop_malformed);
        return;
    }
    if (!stun_check_fingerprint(&rq.msg)) {
        stats_inc(&core->stats->drop_fingerprint);
        return;
    }
    if (rq.msg.class == STUN_REQUEST && rq.msg.method == STUN_REFRESH &&
        stun_msg_has(&rq.msg, STUN_MOBILITY_TICKET) &&
        turn_mobile_by_ticket(core, from, packet, now))
        return;
    if (rq.msg.class == STUN_REQUEST)
        on_request(core, &rq);
    else if (rq.msg.class == STUN_INDICATION && rq.msg.method == STUN_SEND)
        turn_relay_send(core, from, &rq.msg, packet->tos, now);
    else if (rq.msg.class != STUN_INDICATION || rq.msg.method != STUN_BINDING)
        stats_inc(&core->stats->drop_unexpected);
}

void turn_core_on_client(struct turn_core *core, const struct turn_client *from,
                         const struct turn_packet *packet, uint64_t now)
{
    if (packet->bytes.len == 0) {
        stats_inc(&core->stats->drop_malformed);
        return;
    }
    if (map_count(&core->by_route) > 0 &&
        turn_mobile_by_route(core, from, packet))
        return;
    if (stun_is_channel(packet->bytes.ptr[0]))
        turn_relay_channel(core, from, packet, now);
    else
        on_message(core, from, packet, now);
}

void turn_core_on_client_gone(struct turn_core *core,
                              const struct turn_client *client, uint64_t now)
{
    struct turn_alloc *alloc = turn_alloc_find(core, client, now);

    if (turn_mobile_gone_route(core, client) || !alloc)
        return;
    if (!turn_mobile_gone(core, alloc, client, now))
        turn_alloc_end(core, alloc, TURN_END_DISCONNECTED);
}

void turn_core_on_report(struct turn_core *core, struct pool_id to,
                         const struct turn_report *report, uint64_t now)
{
    struct turn_alloc *alloc = pool_find(core->allocs, to);

    if (alloc && alloc->expires > now)
        turn_relay_report(core, alloc, report, now);
}

bool turn_core_has_client(struct turn_core *core,
                          const struct turn_client *client, uint64_t now)
{
    return turn_alloc_find(core, client, now) != NULL ||
           map_find(&core->by_route, span_of(client, sizeof(*client))) != NULL;
}

void turn_core_on_peer(struct turn_core *core, struct pool_id to,
                       struct turn_datagram *datagram, uint64_t now)
{
    struct turn_alloc *alloc = pool_find(core->allocs, to);

    if (!alloc || alloc->expires <= now) {
        stats_inc(&core->stats->drop_no_allocation);
        return;
    }
    turn_relay_peer(core, alloc, datagram, now);
}

uint64_t turn_core_next_deadline(const struct turn_core *core)
{
    return timers_next(&core->timers);
}

/* The realm as it is now; NULL: there is none any more. */
static void set_realm(struct turn_core *core, struct turn_alloc *alloc,
                      const struct turn_realm *realm, uint64_t now)
{
    if (!realm) {
        turn_alloc_end(core, alloc, TURN_END_REALM_GONE);
        return;
    }
    alloc->realm = realm;
    turn_alloc_set_bandwidth(alloc, now);
    stats_add(&core->stats->rules_ended,
              turn_perms_review(&alloc->perms, turn_alloc_policy(alloc), now) +
                  turn_chans_review(&alloc->chans, realm->policy, now) +
                  turn_tcp_review(core, alloc, now));
}

void turn_core_set_rules(struct turn_core *core, struct turn_rules *rules,
                         uint64_t now)
{
    struct turn_rules *old = core->rules;
    struct turn_alloc *alloc;
    uint32_t pos = 0;

    core->rules = turn_rules_ref(rules);
    while ((alloc = pool_each(core->allocs, &pos)) != NULL)
        set_realm(core, alloc, turn_rules_realm(rules, alloc->client.realm),
                  now);
    turn_rules_unref(old);
}

void turn_core_drain(struct turn_core *core)
{
    core->draining = true;
}

uint32_t turn_core_allocations(const struct turn_core *core)
{
    return pool_count(core->allocs);
}

bool turn_core_each(const struct turn_core *core, uint32_t *pos, uint64_t now,
                    struct turn_alloc_info *ret_info)
{
    const struct turn_alloc *alloc = pool_each(core->allocs, pos);

    if (!alloc)
        return false;
    *ret_info = (struct turn_alloc_info){
        .client = alloc->client,
        .relayed = {alloc->relays[TURN_V4].local, alloc->relays[TURN_V6].local},
        .realm = alloc->realm->name,
        .user = turn_quota_user(&alloc->hold),
        .expires = alloc->expires,
        .packets = {alloc->packets[0], alloc->packets[1]},
        .bytes = {alloc->bytes[0], alloc->bytes[1]},
        .permissions = turn_perms_count(&alloc->perms, now),
        .channels = turn_chans_count(&alloc->chans, now),
        .is_tcp = alloc->is_tcp,
        .connections = alloc->n_tcp,
    };
    return true;
}

size_t turn_core_allocation_size(void)
{
    return sizeof(struct turn_alloc);
}
