/* SPDX-License-Identifier: MIT */
/* The whole core, driven by a script: each record is an opcode, a client, a
 * length and bytes. Opcodes either send the bytes as they are, or build a
 * request with right credentials around them, so that the fuzzer gets past
 * authentication. Whatever comes: no limit is exceeded, nothing is left. */
#include "base/mem.h"
#include "base/wire.h"
#include "stun/stun_auth.h"
#include "turn/turn_core.h"

#include <assert.h>
#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CLIENTS = 10, RELAYS = 16, PIPES = 8, PACKET_MAX = 1500 };
enum { REALM_B_CLIENT = 5 }; /* the others are in the default realm */

struct relay {
    bool open;
    struct pool_id alloc;
};

struct pipe {
    bool open;
    bool joined;
    struct pool_id conn;
};

struct lab {
    struct turn_core *core;
    struct relay relays[RELAYS];
    struct pipe pipes[PIPES];
    uint8_t number[4];  /* the last CONNECTION-ID told */
    uint8_t ticket[32]; /* and MOBILITY-TICKET */
    struct turn_client clients[CLIENTS];
    char nonces[CLIENTS][STUN_NONCE_SIZE];
    bool has_nonce[CLIENTS];
    struct turn_rules *rules[2]; /* with TCP relays, and without */
    uint64_t now;
    uint8_t counter;
};

static int relay_open(void *arg, struct pool_id alloc, const struct addr *want,
                      void **ret_relay)
{
    struct lab *lab = arg;

    (void)want;
    for (size_t i = 0; i < RELAYS; i++) {
        if (!lab->relays[i].open) {
            lab->relays[i] = (struct relay){true, alloc};
            *ret_relay = &lab->relays[i];
            return 0;
        }
    }
    return -EMFILE;
}

static void relay_close(void *arg, void *handle)
{
    struct relay *relay = handle;

    (void)arg;
    assert(relay->open);
    relay->open = false;
}

static struct pipe *pipe_new(struct lab *lab)
{
    for (size_t i = 0; i < PIPES; i++) {
        if (lab->pipes[i].open)
            continue;
        lab->pipes[i] = (struct pipe){.open = true};
        return &lab->pipes[i];
    }
    return NULL;
}

static int tcp_connect(void *arg, struct pool_id conn, void *relay,
                       const struct addr *peer, void **ret_pipe)
{
    struct pipe *pipe = pipe_new(arg);
    const struct relay *from = relay;

    assert(from->open && peer->port != 0 && !addr_is_loopback(peer));
    if (!pipe)
        return -EMFILE;
    pipe->conn = conn;
    *ret_pipe = pipe;
    return 0;
}

static void tcp_join(void *arg, void *handle, const struct turn_client *client)
{
    struct pipe *pipe = handle;

    (void)arg;
    assert(pipe->open && !pipe->joined);
    assert(turn_transport_is_stream(client->transport));
    pipe->joined = true;
}

static void tcp_close(void *arg, void *handle)
{
    struct pipe *pipe = handle;

    (void)arg;
    assert(pipe->open);
    pipe->open = false;
}

static void mobile_forward(void *arg, unsigned worker,
                           const struct turn_client *client,
                           const struct turn_packet *packet)
{
    (void)arg;
    assert(worker == 9 && client->home == 1 && packet->bytes.len > 0);
}

static void mobile_tell(void *arg, unsigned worker,
                        const struct turn_client *client)
{
    (void)arg;
    (void)client;
    assert(worker == 9);
}

static void to_client(void *arg, const struct turn_client *to,
                      const struct turn_packet *packet)
{
    struct lab *lab = arg;
    size_t i = (size_t)to->link % CLIENTS;
    struct stun_msg msg;
    struct span nonce;

    assert(packet->bytes.len > 0);
    if (!stun_is_message(packet->bytes.ptr[0]))
        return;
    assert(stun_msg_read(&msg, packet->bytes) == 0);
    if (stun_msg_has(&msg, STUN_CONNECTION_ID)) {
        assert(stun_msg_attr(&msg, STUN_CONNECTION_ID).len == 4);
        memcpy(lab->number, stun_msg_attr(&msg, STUN_CONNECTION_ID).ptr, 4);
    }
    if (stun_msg_attr(&msg, STUN_MOBILITY_TICKET).len == sizeof(lab->ticket))
        memcpy(lab->ticket, stun_msg_attr(&msg, STUN_MOBILITY_TICKET).ptr,
               sizeof(lab->ticket));
    nonce = stun_msg_attr(&msg, STUN_NONCE);
    if (nonce.len != STUN_NONCE_SIZE)
        return;
    memcpy(lab->nonces[i], nonce.ptr, STUN_NONCE_SIZE);
    lab->has_nonce[i] = true;
}

static void to_peer(void *arg, void *handle, const struct addr *to,
                    const struct turn_packet *packet)
{
    struct relay *relay = handle;

    (void)arg;
    (void)packet;
    assert(relay->open);
    /* whatever the script said, these are never reached */
    assert(to->port != 0 && !addr_is_any(to) && !addr_is_loopback(to) &&
           !addr_is_multicast(to) && !addr_is_link_local(to));
}

static void fake_random(void *arg, void *out, size_t len)
{
    struct lab *lab = arg;
    uint8_t *p = out;

    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)(lab->counter = (uint8_t)(lab->counter * 5 + 3));
}

static uint64_t epoch(void *arg)
{
    (void)arg;
    return 1800000000;
}

static void client_says(struct lab *lab, size_t client, struct span bytes)
{
    struct turn_packet packet = {.bytes = bytes};

    turn_core_on_client(lab->core, &lab->clients[client], &packet, lab->now);
}

/* A request of this method with the script's bytes as attributes. */
static void request(struct lab *lab, size_t client, uint16_t method,
                    struct span attrs)
{
    uint8_t out[PACKET_MAX + 300];
    uint8_t tid[STUN_TID_SIZE] = {(uint8_t)lab->now, (uint8_t)client};
    struct span user = span_str(client % 2 ? "bob" : "alice");
    struct span realm = span_str(client == REALM_B_CLIENT ? "b" : "r");
    struct stun_key key;
    struct stun_writer w;

    stun_write_start(&w, out, sizeof(out), STUN_REQUEST, method, tid);
    /* a script that brings its own is heard first */
    if (method == STUN_CONNECTION_BIND && attrs.len < 4)
        stun_write(&w, STUN_CONNECTION_ID, span_of(lab->number, 4));
    if (method == STUN_ALLOCATE && (attrs.len < 2 || attrs.ptr[1] != 0x19))
        stun_write(&w, STUN_REQUESTED_TRANSPORT, span_of("\x11\0\0\0", 4));
    if (method == STUN_REFRESH && attrs.len == 1)
        stun_write(&w, STUN_MOBILITY_TICKET,
                   span_of(lab->ticket, sizeof(lab->ticket)));
    wire_put(&w.wire, span_head(attrs, attrs.len & ~(size_t)3));
    stun_write(&w, STUN_USERNAME, user);
    stun_write(&w, STUN_REALM, realm);
    stun_write(&w, STUN_NONCE, span_of(lab->nonces[client], STUN_NONCE_SIZE));
    stun_key_make(STUN_ALGORITHM_MD5, user, realm, span_str("x"), &key);
    if (lab->has_nonce[client])
        stun_write_integrity(&w, STUN_INTEGRITY_SHA1, &key);
    client_says(lab, client, span_of(out, (size_t)stun_write_finish(&w)));
}

static void peer_says(struct lab *lab, size_t which, struct span bytes)
{
    uint8_t *room = mem_alloc(TURN_HEADROOM + bytes.len + TURN_TAILROOM);
    struct turn_datagram datagram = {.data = room + TURN_HEADROOM,
                                     .len = bytes.len};
    const struct relay *relay = &lab->relays[which % RELAYS];

    assert(room);
    if (bytes.len >= 6)
        datagram.from = addr_v4((uint32_t)bytes.ptr[0] << 24 |
                                    (uint32_t)bytes.ptr[1] << 16 |
                                    (uint32_t)bytes.ptr[2] << 8 | bytes.ptr[3],
                                (uint16_t)(bytes.ptr[4] << 8 | bytes.ptr[5]));
    else
        datagram.from = addr_v4(0x08080808, 53);
    if (bytes.len)
        memcpy(datagram.data, bytes.ptr, bytes.len);
    turn_core_on_peer(lab->core, relay->alloc, &datagram, lab->now);
    mem_free(room);
}

static void report(struct lab *lab, size_t which, struct span bytes)
{
    struct turn_report r = {.peer = addr_v4(0x08080808, 53), .type = 3};

    if (bytes.len >= 2) {
        r.type = bytes.ptr[0];
        r.code = bytes.ptr[1];
    }
    turn_core_on_report(lab->core, lab->relays[which % RELAYS].alloc, &r,
                        lab->now);
}

/* Something happens to a connection of a TCP relay. */
static void pipe_event(struct lab *lab, size_t which, struct span bytes)
{
    struct pipe *pipe = &lab->pipes[which % PIPES];
    uint8_t what = bytes.len ? bytes.ptr[0] : 0;
    struct addr peer = addr_v4(0x08080808, (uint16_t)(40000 + what));

    if (what % 4 == 0 && (pipe = pipe_new(lab)) != NULL) {
        if (turn_core_on_tcp_accept(lab->core,
                                    lab->relays[which % RELAYS].alloc, &peer,
                                    pipe, lab->now, &pipe->conn) < 0)
            pipe->open = false;
    } else if (what % 4 == 1 && pipe->open) {
        turn_core_on_tcp_open(lab->core, pipe->conn, lab->now);
    } else if (what % 4 == 2 && pipe->open) {
        pipe->open = false;
        turn_core_on_tcp_closed(lab->core, pipe->conn, lab->now);
    } else if (what % 4 == 3 && pipe->open) {
        (void)turn_core_on_tcp_data(lab->core, pipe->conn, what & 4 ? 1 : 0,
                                    bytes.len, lab->now);
    }
}

static void step(struct lab *lab, uint8_t op, size_t client, struct span bytes)
{
    static const uint16_t methods[] = {
        STUN_ALLOCATE, STUN_REFRESH, STUN_CREATE_PERMISSION, STUN_CHANNEL_BIND,
        STUN_BINDING,  STUN_CONNECT, STUN_CONNECTION_BIND};

    switch (op % 16) {
    case 0:
        client_says(lab, client, bytes);
        break;
    case 1:
        peer_says(lab, client, bytes);
        break;
    case 2:
        lab->now += bytes.len * 1000 * (bytes.len ? bytes.ptr[0] : 1U);
        turn_core_on_timer(lab->core, lab->now);
        break;
    case 3:
        turn_core_on_client_gone(lab->core, &lab->clients[client], lab->now);
        break;
    case 8:
        report(lab, client, bytes);
        break;
    case 11:
        pipe_event(lab, client, bytes);
        break;
    case 12:
        turn_core_set_rules(lab->core, lab->rules[bytes.len % 2], lab->now);
        break;
    case 13:
        (void)turn_core_owner(lab->core, bytes);
        break;
    case 14:
        assert(turn_core_route(lab->core, &lab->clients[client], 9) <= 0);
        break;
    case 15:
        turn_core_unroute(lab->core, &lab->clients[client]);
        break;
    default:
        request(lab, client, methods[op % 16 - 4], bytes);
    }
}

static struct turn_rules *make_rules(bool has_tcp)
{
    struct cidr allow_tcp;
    /* comes and goes with TCP relays */
    struct turn_realm_options b = {
        .name = span_str("b"),
        .users = {.users = span_str("alice:x\nbob:x")},
        .policy = {.public_peers = true},
        .limits = {.max_allocations = 1, .max_bandwidth = 1000},
        .slot = 1};
    struct turn_rules_options options = {
        .more = &b,
        .n_more = has_tcp ? 1 : 0,
        .realm = {.name = span_str("r"),
                  .users = {.users = span_str("alice:x\nbob:x")},
                  .policy = {.public_peers = true},
                  .has_tcp = has_tcp,
                  .allow_tcp = &allow_tcp,
                  .n_allow_tcp = 1},
        .limits = {.lifetime_default = 600,
                   .lifetime_max = 3600,
                   .nonce_lifetime = 600,
                   .max_allocations = 3,
                   .max_permissions = 5,
                   .max_channels = 5,
                   .tcp_total = 6,
                   .tcp_per_user = 5,
                   .tcp_per_allocation = 4,
                   .mobility = has_tcp},
    };
    struct turn_rules *rules = NULL;
    char error[TURN_RULES_ERROR_SIZE];

    assert(cidr_parse(span_str("8.8.0.0/16"), &allow_tcp) == 0);
    assert(turn_rules_new(&rules, &options, error) == 0);
    return rules;
}

static void run(struct lab *lab, const uint8_t *data, size_t size)
{
    struct wire_reader r = wire_reader(span_of(data, size));

    while (wire_left(&r) >= 3) {
        uint8_t op = wire_u8(&r);
        size_t client = wire_u8(&r) % CLIENTS;
        size_t len = wire_u8(&r);
        struct span bytes =
            wire_take(&r, len < wire_left(&r) ? len : wire_left(&r));
        uint8_t *copy = mem_dup(bytes.ptr, bytes.len);

        assert(copy);
        step(lab, op, client, span_of(copy, bytes.len));
        mem_free(copy);
        assert(turn_core_allocations(lab->core) <= 3);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct turn_relay_addr relays[] = {{.local = addr_v4(0xCB007105, 0)},
                                       {.local = addr_any(ADDR_V6, 0)}};
    struct lab lab = {.now = 1000,
                      .rules = {make_rules(true), make_rules(false)}};
    struct turn_stats stats = {0};
    struct turn_core_options options = {
        .env = {relay_open, relay_close, to_client, to_peer, fake_random, epoch,
                &lab},
        .tcp = {relay_open, relay_close, tcp_connect, tcp_join, tcp_close},
        .max_tcp = 6,
        .mobile = {mobile_forward, mobile_tell, mobile_tell, mobile_tell},
        .stats = &stats,
        .rules = lab.rules[0],
        .max_allocations = 3,
    };

    assert(turn_shared_new(&options.shared, relays, 2, 50000, 50009) == 0);
    assert(turn_core_new(&lab.core, &options) == 0);
    for (size_t i = 0; i < CLIENTS; i++)
        lab.clients[i] = (struct turn_client){
            .remote = addr_v4(0xC0000201, (uint16_t)(1000 + i)),
            .link = i,
            .transport = (uint8_t)(i % TURN_TRANSPORT_COUNT),
            .home = i == 4 ? 10 : 0,
            .realm = i == REALM_B_CLIENT ? turn_realm_id(span_str("b"))
                                         : TURN_REALM_DEFAULT};
    run(&lab, data, size);
    turn_core_free(lab.core);
    for (size_t i = 0; i < PIPES; i++)
        assert(!lab.pipes[i].open);
    assert(options.shared->tcp_connections == 0);
    turn_reserve_reap(options.shared->reserve, UINT64_MAX);
    assert(turn_ports_taken(options.shared->ports) == 0);
    turn_shared_free(options.shared);
    turn_rules_unref(lab.rules[0]);
    turn_rules_unref(lab.rules[1]);
    assert(mem_live_blocks() == 0);
    return 0;
}
