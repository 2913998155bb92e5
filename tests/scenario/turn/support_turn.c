/* SPDX-License-Identifier: MIT */
#include "support_turn.h"

#include <errno.h>

static int relay_open(void *arg, struct pool_id alloc, const struct addr *want,
                      void **ret_relay)
{
    struct world *world = arg;

    if (world->relay_error)
        return world->relay_error;
    if (world->busy > 0) {
        world->busy--;
        return -EADDRINUSE;
    }
    for (size_t i = 0; i < WORLD_RELAYS_MAX; i++) {
        struct world_relay *relay = &world->relays[i];

        ck_assert(!relay->open || !addr_equal(&relay->addr, want));
    }
    for (size_t i = 0; i < WORLD_RELAYS_MAX; i++) {
        struct world_relay *relay = &world->relays[i];

        if (relay->open)
            continue;
        *relay = (struct world_relay){true, alloc, *want};
        *ret_relay = relay;
        return 0;
    }
    return -EMFILE;
}

static void relay_close(void *arg, void *handle)
{
    struct world_relay *relay = handle;

    (void)arg;
    ck_assert(relay->open);
    relay->open = false;
}

static int tcp_listen(void *arg, struct pool_id alloc, const struct addr *want,
                      void **ret_relay)
{
    return relay_open(arg, alloc, want, ret_relay);
}

static struct world_pipe *pipe_new(struct world *world)
{
    for (size_t i = 0; i < WORLD_PIPES_MAX; i++) {
        struct world_pipe *pipe = &world->pipes[i];

        if (pipe->open)
            continue;
        *pipe = (struct world_pipe){.open = true};
        return pipe;
    }
    ck_abort_msg("too many pipes");
    return NULL;
}

static int tcp_connect(void *arg, struct pool_id conn, void *relay,
                       const struct addr *peer, void **ret_pipe)
{
    struct world *world = arg;
    struct world_pipe *pipe;

    if (world->connect_error)
        return world->connect_error;
    pipe = pipe_new(world);
    pipe->conn = conn;
    pipe->peer = *peer;
    pipe->relay = relay;
    ck_assert(pipe->relay->open);
    *ret_pipe = pipe;
    return 0;
}

static void tcp_join(void *arg, void *handle, const struct turn_client *client)
{
    struct world_pipe *pipe = handle;

    (void)arg;
    ck_assert(pipe->open);
    ck_assert_uint_eq(pipe->partner.link, 0);
    pipe->partner = *client;
}

static void tcp_close(void *arg, void *handle)
{
    struct world_pipe *pipe = handle;

    (void)arg;
    ck_assert(pipe->open);
    pipe->open = false;
}

static void put_letter(struct world *world, int kind, unsigned worker,
                       const struct turn_client *client, struct span bytes)
{
    struct world_letter *letter = &world->letters[world->n_letters++];

    ck_assert_uint_le(world->n_letters, WORLD_LETTERS_MAX);
    ck_assert_uint_le(bytes.len, sizeof(letter->bytes));
    letter->kind = kind;
    letter->worker = worker;
    letter->client = *client;
    letter->len = bytes.len;
    if (bytes.len)
        memcpy(letter->bytes, bytes.ptr, bytes.len);
}

static void mobile_forward(void *arg, unsigned worker,
                           const struct turn_client *client,
                           const struct turn_packet *packet)
{
    put_letter(arg, LETTER_FORWARD, worker, client, packet->bytes);
}

static void mobile_gone(void *arg, unsigned worker,
                        const struct turn_client *client)
{
    put_letter(arg, LETTER_GONE, worker, client, span_of(NULL, 0));
}

static void mobile_route(void *arg, unsigned worker,
                         const struct turn_client *client)
{
    put_letter(arg, LETTER_ROUTE, worker, client, span_of(NULL, 0));
}

static void mobile_unroute(void *arg, unsigned worker,
                           const struct turn_client *client)
{
    put_letter(arg, LETTER_UNROUTE, worker, client, span_of(NULL, 0));
}

struct world_pipe *world_peer_connects(struct world *world,
                                       const struct addr *relayed,
                                       const char *peer)
{
    struct world_pipe *pipe = pipe_new(world);

    pipe->peer = world_addr(peer);
    world_forget(world);
    for (size_t i = 0; i < WORLD_RELAYS_MAX; i++) {
        const struct world_relay *relay = &world->relays[i];

        if (!relay->open || !addr_equal(&relay->addr, relayed))
            continue;
        if (turn_core_on_tcp_accept(world->core, relay->alloc, &pipe->peer,
                                    pipe, world->now, &pipe->conn) == 0)
            return pipe;
        pipe->open = false;
        return NULL;
    }
    ck_abort_msg("nobody listens there");
    return NULL;
}

struct world_pipe *world_pipe(struct world *world, const char *peer)
{
    struct addr a = world_addr(peer);

    for (size_t i = 0; i < WORLD_PIPES_MAX; i++) {
        if (world->pipes[i].open && addr_equal(&world->pipes[i].peer, &a))
            return &world->pipes[i];
    }
    return NULL;
}

size_t world_open_pipes(const struct world *world)
{
    size_t n = 0;

    for (size_t i = 0; i < WORLD_PIPES_MAX; i++)
        n += world->pipes[i].open;
    return n;
}

static void store(struct world_sent *sent, const struct turn_packet *packet)
{
    ck_assert_uint_le(packet->bytes.len, sizeof(sent->bytes));
    memcpy(sent->bytes, packet->bytes.ptr, packet->bytes.len);
    sent->len = packet->bytes.len;
    sent->tos = packet->tos;
    sent->dont_fragment = packet->dont_fragment;
}

static void to_client(void *arg, const struct turn_client *to,
                      const struct turn_packet *packet)
{
    struct world *world = arg;
    struct world_sent *sent = &world->to_client[world->n_client++];

    ck_assert_uint_le(world->n_client, WORLD_SENT_MAX);
    sent->client = *to;
    store(sent, packet);
}

static void to_peer(void *arg, void *relay, const struct addr *to,
                    const struct turn_packet *packet)
{
    struct world *world = arg;
    struct world_sent *sent = &world->to_peer[world->n_peer++];

    ck_assert_uint_le(world->n_peer, WORLD_SENT_MAX);
    sent->relay = relay;
    ck_assert(sent->relay->open);
    sent->peer = *to;
    store(sent, packet);
}

/* The same every time: a test must not fail by chance. */
static void fake_random(void *arg, void *out, size_t len)
{
    struct world *world = arg;
    uint8_t *p = out;

    for (size_t i = 0; i < len; i++) {
        world->random_state =
            world->random_state * 6364136223846793005ULL + 1442695040888963407U;
        p[i] = (uint8_t)(world->random_state >> 56);
    }
}

static uint64_t epoch(void *arg)
{
    const struct world *world = arg;

    return world->epoch;
}

struct addr world_addr(const char *text)
{
    struct addr a;

    ck_assert_msg(addr_parse(span_str(text), &a) == 0, "address %s", text);
    return a;
}

struct world_options world_defaults(void)
{
    static struct cidr allow[2];
    struct world_options o = {
        .rules =
            {
                .realm = {.name = span_str("example.org"),
                          .users = {.users =
                                        span_str("alice:wonder\nbob:builder\n"),
                                    .secrets = span_str("north\n")},
                          .policy = {.allow = allow,
                                     .n_allow = ARRAY_SIZE(allow),
                                     .hairpin = true,
                                     .public_peers = true,
                                     .relay_first = 50000,
                                     .relay_last = 50199}},
                .limits = {.lifetime_default = 600,
                           .lifetime_max = 3600,
                           .nonce_lifetime = 3600,
                           .max_allocations = 500,
                           .max_permissions = 16,
                           .max_channels = 8,
                           .tcp_total = 20,
                           .tcp_per_user = 12,
                           .tcp_per_allocation = 8},
            },
        .relays = {{.local = world_addr("203.0.113.5")},
                   {.local = world_addr("2001:db8:1::5")}},
        .n_relays = 2,
        .first_port = 50000,
        .last_port = 50199,
        .max_allocations = 500,
    };

    ck_assert_int_eq(cidr_parse(span_str("198.51.100.0/24"), &allow[0]), 0);
    ck_assert_int_eq(cidr_parse(span_str("2001:db8:2::/48"), &allow[1]), 0);
    return o;
}

static struct turn_rules *make_rules(const struct world_options *options)
{
    struct turn_rules_options rules = options->rules;
    struct turn_rules *made = NULL;
    char error[TURN_RULES_ERROR_SIZE] = "";

    rules.realm.policy.relays = options->relays;
    rules.realm.policy.n_relays = options->n_relays;
    ck_assert_msg(turn_rules_new(&made, &rules, error) == 0, "%s", error);
    return made;
}

static struct turn_core_options
core_options(struct world *world, const struct world_options *options)
{
    return (struct turn_core_options){
        .env = {relay_open, relay_close, to_client, to_peer, fake_random, epoch,
                world},
        .tcp = {tcp_listen, relay_close, tcp_connect, tcp_join, tcp_close},
        .max_tcp = options->max_tcp,
        .mobile = {mobile_forward, mobile_gone, mobile_route, mobile_unroute},
        .worker = WORLD_WORKER,
        .shared = world->shared,
        .rules = world->rules,
        .stats = &world->stats,
        .realm_stats = world->realm_stats,
        .max_allocations = options->max_allocations,
    };
}

void world_start(struct world *world, const struct world_options *options)
{
    struct turn_core_options core;

    *world = (struct world){.now = 1000000, .epoch = 1800000000};
    ck_assert_int_eq(turn_shared_new(&world->shared, options->relays,
                                     options->n_relays, options->first_port,
                                     options->last_port),
                     0);
    world->rules = make_rules(options);
    core = core_options(world, options);
    ck_assert_int_eq(turn_core_new(&world->core, &core), 0);
}

void world_start_beside(struct world *world, const struct world *first,
                        const struct world_options *options)
{
    struct turn_core_options core;

    *world = (struct world){.now = first->now,
                            .epoch = first->epoch,
                            .random_state = 4711,
                            .shared = first->shared,
                            .rules = first->rules};
    core = core_options(world, options);
    core.worker = WORLD_WORKER + 1;
    ck_assert_int_eq(turn_core_new(&world->core, &core), 0);
}

void world_stop_beside(struct world *world)
{
    turn_core_free(world->core);
    ck_assert_uint_eq(world_open_relays(world), 0);
}

void world_stop(struct world *world)
{
    turn_core_free(world->core);
    ck_assert_uint_eq(world_open_relays(world), 0);
    ck_assert_uint_eq(world_open_pipes(world), 0);
    ck_assert_uint_eq(world->shared->tcp_connections, 0);
    ck_assert_uint_eq(world->stats.tcp_connections, 0);
    ck_assert_uint_eq(world->stats.tcp_waiting, 0);
    turn_reserve_reap(world->shared->reserve, UINT64_MAX);
    ck_assert_uint_eq(turn_quota_total(world->shared->quota), 0);
    ck_assert_uint_eq(turn_ports_taken(world->shared->ports), 0);
    turn_rules_unref(world->rules);
    turn_shared_free(world->shared);
    ck_assert_no_blocks();
}

void world_reload(struct world *world, const struct world_options *options)
{
    turn_rules_unref(world->rules);
    world->rules = make_rules(options);
    turn_core_set_rules(world->core, world->rules, world->now);
}

void world_pass(struct world *world, uint64_t ms)
{
    uint64_t end = world->now + ms;

    while (turn_core_next_deadline(world->core) <= end) {
        world->now = turn_core_next_deadline(world->core);
        turn_core_on_timer(world->core, world->now);
        ck_assert_uint_gt(turn_core_next_deadline(world->core), world->now);
    }
    world->now = end;
    world->epoch += ms / 1000;
}

size_t world_open_relays(const struct world *world)
{
    size_t n = 0;

    for (size_t i = 0; i < WORLD_RELAYS_MAX; i++)
        n += world->relays[i].open;
    return n;
}

void world_forget(struct world *world)
{
    world->n_client = 0;
    world->n_peer = 0;
}

void actor_init(struct actor *actor, struct world *world, const char *address,
                const char *user, const char *password)
{
    *actor = (struct actor){.world = world,
                            .user = user,
                            .password = password,
                            .integrity = STUN_INTEGRITY_SHA1};
    actor->id.remote = world_addr(address);
    actor->id.local =
        world_addr(actor->id.remote.family == ADDR_V6 ? "[2001:db8:1::5]:3478"
                                                      : "203.0.113.5:3478");
    actor->id.link = 1;
    actor->id.transport = TURN_UDP;
}

void actor_start(struct actor *actor, uint16_t method)
{
    if (!actor->keep_tid)
        fake_random(actor->world, actor->tid, sizeof(actor->tid));
    actor->keep_tid = false;
    stun_write_start(&actor->w, actor->request, sizeof(actor->request),
                     STUN_REQUEST, method, actor->tid);
}

static void read_answer(struct actor *actor)
{
    struct world *world = actor->world;
    struct world_sent *sent = &world->to_client[0];
    struct span reason;
    struct span nonce;

    actor->code = -1;
    if (world->n_client == 0)
        return;
    ck_assert_uint_eq(world->n_client, 1);
    ck_assert_mem_eq(&sent->client, &actor->id, sizeof(actor->id));
    memcpy(actor->answer, sent->bytes, sent->len);
    ck_assert_int_eq(
        stun_msg_read(&actor->msg, span_of(actor->answer, sent->len)), 0);
    ck_assert_mem_eq(stun_msg_tid(&actor->msg), actor->tid, STUN_TID_SIZE);
    ck_assert(stun_check_fingerprint(&actor->msg));
    if (actor->msg.class == STUN_SUCCESS)
        actor->code = 0;
    else
        ck_assert_int_eq(
            stun_attr_error(stun_msg_attr(&actor->msg, STUN_ERROR_CODE),
                            &actor->code, &reason),
            0);
    nonce = stun_msg_attr(&actor->msg, STUN_NONCE);
    if (nonce.ptr) {
        ck_assert_uint_le(nonce.len, sizeof(actor->nonce));
        memcpy(actor->nonce, nonce.ptr, nonce.len);
        actor->nonce_len = nonce.len;
    }
}

int actor_read(struct actor *actor)
{
    read_answer(actor);
    return actor->code;
}

int actor_send_plain(struct actor *actor)
{
    int size = stun_write_finish(&actor->w);
    struct turn_packet packet = {.bytes =
                                     span_of(actor->request, (size_t)size)};

    ck_assert_int_gt(size, 0);
    world_forget(actor->world);
    turn_core_on_client(actor->world->core, &actor->id, &packet,
                        actor->world->now);
    read_answer(actor);
    return actor->code;
}

int actor_send(struct actor *actor)
{
    static const uint8_t list[] = {0, 2, 0, 0, 0, 1, 0, 0};
    uint8_t chosen[4] = {0, (uint8_t)actor->algorithm, 0, 0};
    struct span user = span_str(actor->user);
    struct span realm = span_str(actor->realm ? actor->realm : "example.org");
    struct stun_key key;

    stun_write(&actor->w, STUN_USERNAME, user);
    stun_write(&actor->w, STUN_REALM, realm);
    stun_write(&actor->w, STUN_NONCE, span_of(actor->nonce, actor->nonce_len));
    if (actor->algorithm) {
        stun_write(&actor->w, STUN_PASSWORD_ALGORITHMS,
                   span_of(list, sizeof(list)));
        stun_write(&actor->w, STUN_PASSWORD_ALGORITHM,
                   span_of(chosen, sizeof(chosen)));
    }
    stun_key_make(actor->algorithm ? actor->algorithm : STUN_ALGORITHM_MD5,
                  user, realm, span_str(actor->password), &key);
    stun_write_integrity(&actor->w, actor->integrity, &key);
    actor_send_plain(actor);
    /* what a stranger gets is not signed; everything else must be */
    if (actor->code != -1 && actor->code != STUN_UNAUTHENTICATED &&
        actor->code != STUN_STALE_NONCE && actor->code != STUN_BAD_REQUEST)
        ck_assert(stun_check_integrity(&actor->msg, actor->integrity, &key));
    return actor->code;
}

static void put_transport(struct actor *actor)
{
    stun_write(&actor->w, STUN_REQUESTED_TRANSPORT, span_of("\x11\0\0\0", 4));
}

int actor_challenge(struct actor *actor)
{
    actor_start(actor, STUN_ALLOCATE);
    put_transport(actor);
    return actor_send_plain(actor);
}

static void ensure_nonce(struct actor *actor)
{
    if (actor->nonce_len == 0 && !actor->keep_tid)
        ck_assert_int_eq(actor_challenge(actor), STUN_UNAUTHENTICATED);
}

int actor_allocate(struct actor *actor)
{
    ensure_nonce(actor);
    actor_start(actor, STUN_ALLOCATE);
    put_transport(actor);
    return actor_send(actor);
}

int actor_allocate_family(struct actor *actor, uint8_t family)
{
    uint8_t value[4] = {family};

    ensure_nonce(actor);
    actor_start(actor, STUN_ALLOCATE);
    put_transport(actor);
    stun_write(&actor->w, STUN_REQUESTED_ADDRESS_FAMILY, span_of(value, 4));
    return actor_send(actor);
}

int actor_refresh(struct actor *actor, uint32_t lifetime_s)
{
    ensure_nonce(actor);
    actor_start(actor, STUN_REFRESH);
    stun_write_u32(&actor->w, STUN_LIFETIME, lifetime_s);
    return actor_send(actor);
}

int actor_permit(struct actor *actor, const char *peer)
{
    struct addr a = world_addr(peer);

    ensure_nonce(actor);
    actor_start(actor, STUN_CREATE_PERMISSION);
    stun_write_xor_addr(&actor->w, STUN_XOR_PEER_ADDRESS, &a);
    return actor_send(actor);
}

int actor_bind(struct actor *actor, uint16_t number, const char *peer)
{
    struct addr a = world_addr(peer);

    ensure_nonce(actor);
    actor_start(actor, STUN_CHANNEL_BIND);
    stun_write_u32(&actor->w, STUN_CHANNEL_NUMBER, (uint32_t)number << 16);
    stun_write_xor_addr(&actor->w, STUN_XOR_PEER_ADDRESS, &a);
    return actor_send(actor);
}

void actor_raw(struct actor *actor, const void *bytes, size_t len)
{
    struct turn_packet packet = {.bytes = span_of(bytes, len), .tos = 0xB8};

    turn_core_on_client(actor->world->core, &actor->id, &packet,
                        actor->world->now);
}

void actor_say(struct actor *actor, const char *peer, const char *data)
{
    struct addr a = world_addr(peer);

    fake_random(actor->world, actor->tid, sizeof(actor->tid));
    stun_write_start(&actor->w, actor->request, sizeof(actor->request),
                     STUN_INDICATION, STUN_SEND, actor->tid);
    stun_write_xor_addr(&actor->w, STUN_XOR_PEER_ADDRESS, &a);
    stun_write(&actor->w, STUN_DATA_VALUE, span_str(data));
    world_forget(actor->world);
    actor_raw(actor, actor->request, (size_t)stun_write_finish(&actor->w));
}

void actor_say_channel(struct actor *actor, uint16_t number, const char *data)
{
    size_t len = strlen(data);

    wire_store_u16(actor->request, number);
    wire_store_u16(actor->request + 2, (uint16_t)len);
    memcpy(actor->request + 4, data, len);
    world_forget(actor->world);
    actor_raw(actor, actor->request, 4 + len);
}

struct addr actor_relayed(const struct actor *actor)
{
    struct addr a;

    ck_assert_int_eq(
        stun_attr_xor_addr(&actor->msg,
                           stun_msg_attr(&actor->msg, STUN_XOR_RELAYED_ADDRESS),
                           &a),
        0);
    return a;
}

void world_peer_says(struct world *world, const struct addr *relayed,
                     const char *peer, const char *data)
{
    uint8_t room[TURN_HEADROOM + WORLD_PACKET_MAX + TURN_TAILROOM];
    struct turn_datagram datagram = {.from = world_addr(peer),
                                     .data = room + TURN_HEADROOM,
                                     .len = strlen(data),
                                     .tos = 0xB8};

    memset(room, 0xEE, sizeof(room));
    memcpy(datagram.data, data, datagram.len);
    world_forget(world);
    for (size_t i = 0; i < WORLD_RELAYS_MAX; i++) {
        const struct world_relay *relay = &world->relays[i];

        if (relay->open && addr_equal(&relay->addr, relayed)) {
            turn_core_on_peer(world->core, relay->alloc, &datagram, world->now);
            return;
        }
    }
    ck_abort_msg("no relay open there");
}
