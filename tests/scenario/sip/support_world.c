/* SPDX-License-Identifier: MIT */
#include "scenario/sip/support_world.h"

#include "base/err.h"
#include "msg/sip_build.h"
#include "proxy/sip_flow.h"

#include <stdarg.h>
#include <stdio.h>

enum { QUEUE = 64, TEXTS = 16 };

struct world world;

static struct sent queue[QUEUE];
static size_t head, tail;
static int current; /* the worker whose core runs */
static char texts[TEXTS][WORLD_MESSAGE];
static size_t next_text;

static char *scratch(void)
{
    return texts[next_text++ % TEXTS];
}

static int on_send(void *arg, const struct sip_target *to, void *conn,
                   struct span message)
{
    struct sent *s = &queue[tail % QUEUE];
    int number = conn ? (int)(intptr_t)conn - 1 : -1;

    if (number >= 0 && world.conns[number].is_broken)
        return ERR_CLOSED;
    ck_assert_uint_lt(message.len, WORLD_MESSAGE);
    ck_assert_uint_lt(tail - head, QUEUE);
    s->to = *to;
    s->conn = number;
    s->worker = (int)(intptr_t)arg;
    memcpy(s->text, message.ptr, message.len);
    s->text[message.len] = '\0';
    s->len = message.len;
    tail++;
    return 0;
}

/* Connections to partners have numbers, too. */
static int on_dial(void *arg, const struct sip_target *to, const char *name,
                   const char *sni, void **ret_conn)
{
    int number = WORLD_DIALLED + world.dialled;

    (void)name;
    (void)sni;
    if (world.cannot_dial || number >= WORLD_CONNS)
        return ERR_LIMIT;
    world.dialled++;
    world.conns[number].worker = (int)(intptr_t)arg;
    world.conns[number].open = true;
    world.conns[number].flow = to->flow;
    *ret_conn = (void *)(intptr_t)(number + 1);
    return 0;
}

static void on_close(void *arg, void *conn, enum sip_close_why why)
{
    (void)arg;
    (void)why;
    world.conns[(intptr_t)conn - 1].closed_by_us = true;
}

static int on_hand_over(void *arg, unsigned worker,
                        const struct sip_target *from, struct span message)
{
    int before = current;
    char *copy = scratch();

    (void)arg;
    ck_assert_uint_lt(worker, (unsigned)world.workers);
    memcpy(copy, message.ptr, message.len);
    current = (int)worker;
    sip_core_on_message(world.core[worker], from, span_of(copy, message.len),
                        world.now);
    current = before;
    return 0;
}

static void on_state(void *arg, const struct sip_server *server)
{
    world.states++;
    for (int i = 0; i < world.workers; i++) {
        if (i != (int)(intptr_t)arg)
            sip_core_on_server_state(world.core[i], server->tag, server->up,
                                     world.now);
    }
}

static void on_banned(void *arg, const struct addr *source, uint64_t until)
{
    for (int i = 0; i < world.workers; i++) {
        if (i != (int)(intptr_t)arg)
            sip_core_on_banned(world.core[i], source, until);
    }
}

static void on_home(void *arg, const struct sip_home *home)
{
    for (int i = 0; i < world.workers; i++) {
        if (i != (int)(intptr_t)arg)
            sip_core_on_home(world.core[i], home, world.now);
    }
}

/* Repeatable, and different each time. */
static void on_random(void *arg, void *out, size_t len)
{
    uint8_t *p = out;

    (void)arg;
    for (size_t i = 0; i < len; i++) {
        world.random =
            world.random * 6364136223846793005ULL + 1442695040888963407ULL;
        p[i] = (uint8_t)(world.random >> 56);
    }
}

static void add_server(const char *group, uint32_t ip, enum sip_path_mode path,
                       uint8_t priority)
{
    struct sip_dispatch_conf *d = &world.cfg.dispatch;
    struct sip_server_conf *s = &d->servers[d->count++];
    char text[ADDR_TEXT_SIZE];

    (void)snprintf(s->group, sizeof(s->group), "%s", group);
    s->target.transport = SIP_UDP;
    s->target.remote = addr_v4(ip, 5060);
    s->path = path;
    s->weight = 1;
    s->priority = priority;
    (void)snprintf(s->text, sizeof(s->text), "udp:%s",
                   addr_str(&s->target.remote, text));
}

static void configure(void)
{
    static const char *const strip[] = {"P-Asserted-Identity", "Diversion"};
    struct sip_core_config *c = &world.cfg;
    uint8_t secret[SIP_TOKEN_KEY] = {42};

    c->locals[WORLD_WS] = (struct sip_local){.transport = SIP_WS,
                                             .zone = SIP_OUTSIDE,
                                             .addr = addr_v4(0x0A010002, 5066),
                                             .sent_by = "edge.example:5066"};
    c->locals[WORLD_UDP] = (struct sip_local){.transport = SIP_UDP,
                                              .zone = SIP_INSIDE,
                                              .addr = addr_v4(0x0A010002, 5060),
                                              .sent_by = "10.1.0.2:5060"};
    c->n_locals = 2;
    c->dispatch.down_after = 2;
    c->dispatch.up_after = 1;
    add_server("default", WORLD_SERVER_A, SIP_PATH_ON, 0);
    add_server("default", WORLD_SERVER_B, SIP_PATH_ON, 1);
    add_server("mds1", WORLD_SERVER_C, SIP_PATH_OFF, 0);
    sip_token_key_init(&c->keys.key[0], secret);
    c->keys.count = 1;
    c->txn = sip_txn_config_default;
    c->txn.max = 1000;
    c->limits = sip_limits_default;
    c->node = 7;
    c->default_group = sip_name_tag(span_str("default"));
    c->strip[0] = strip[0];
    c->strip[1] = strip[1];
    c->n_strip = 2;
    c->max_flows = 16;
    c->trail = 8;
    c->rebind = true;
    c->park_max = 4;
    c->max_forwards = 70;
    c->timer_c_ms = 185000;
    c->server_timeout_ms = 3000;
    c->probe_timeout_ms = 2000;
    c->udp_flow_ms = 300000;
    c->datagram_size = 1300;
}

void world_begin(int workers)
{
    memset(&world, 0, sizeof(world));
    head = tail = 0;
    world.workers = workers;
    world.now = 1000000;
    configure();
    world_restart();
}

void world_restart(void)
{
    int workers = world.workers;

    for (int i = 0; i < workers; i++) {
        const struct sip_place place = {.worker = (uint8_t)i,
                                        .workers = (uint8_t)workers,
                                        .epoch = 0x1234 + (uint32_t)i};
        const struct sip_env env = {.send = on_send,
                                    .dial = on_dial,
                                    .close = on_close,
                                    .hand_over = on_hand_over,
                                    .server_state = on_state,
                                    .banned = on_banned,
                                    .home = on_home,
                                    .random = on_random,
                                    .arg = (void *)(intptr_t)i};

        ck_assert_int_eq(sip_core_new(&world.core[i], &world.cfg, &place, &env,
                                      &world.stats[i], world.now),
                         0);
    }
}

void world_end(void)
{
    for (int i = 0; i < world.workers; i++)
        sip_core_free(world.core[i]);
    ck_assert_no_blocks();
}

static struct sip_target client_target(int conn)
{
    return (struct sip_target){
        .transport = SIP_WS,
        .remote = addr_v4(0xCB007100 + (uint32_t)conn, 40000),
        .local = addr_v4(0x0A010002, 5066),
        .flow = world.conns[conn].flow,
        .worker = (uint32_t)world.conns[conn].worker,
        .listener = WORLD_WS,
    };
}

void world_connect(int conn, int worker, uint32_t group)
{
    struct sip_target from = client_target(conn);

    world.conns[conn].worker = worker;
    world.conns[conn].open = true;
    world.conns[conn].is_broken = false;
    ck_assert_int_eq(sip_core_open_flow(world.core[worker], &from,
                                        (void *)(intptr_t)(conn + 1), group,
                                        world.now, &world.conns[conn].flow),
                     0);
}

void world_disconnect(int conn)
{
    int worker = world.conns[conn].worker;

    world.conns[conn].open = false;
    sip_core_close_flow(world.core[worker], world.conns[conn].flow, world.now);
}

__attribute__((format(printf, 3, 0))) static void
deliver(int worker, const struct sip_target *from, const char *format,
        va_list args)
{
    char *text = scratch();
    int n = vsnprintf(text, WORLD_MESSAGE, format, args);

    ck_assert_int_lt(n, WORLD_MESSAGE);
    current = worker;
    sip_core_on_message(world.core[worker], from, span_of(text, (size_t)n),
                        world.now);
}

void world_from_client(int conn, const char *format, ...)
{
    struct sip_target from = client_target(conn);
    va_list args;

    va_start(args, format);
    deliver(world.conns[conn].worker, &from, format, args);
    va_end(args);
}

void world_from_server(uint32_t ip, int worker, const char *format, ...)
{
    struct sip_target from = {
        .transport = SIP_UDP,
        .remote = addr_v4(ip, 5060),
        .local = addr_v4(0x0A010002, 5060),
        .worker = (uint32_t)worker,
        .listener = WORLD_UDP,
    };
    va_list args;

    va_start(args, format);
    deliver(worker, &from, format, args);
    va_end(args);
}

const struct sent *world_sent(void)
{
    return head == tail ? NULL : &queue[head++ % QUEUE];
}

const struct sent *world_expect(const char *start, int conn, uint32_t ip)
{
    const struct sent *s = world_sent();

    ck_assert_msg(s != NULL, "nothing was sent instead of \"%s\"", start);
    ck_assert_msg(strncmp(s->text, start, strlen(start)) == 0,
                  "not \"%s\":\n%s", start, s->text);
    ck_assert_int_eq(s->conn, conn);
    if (conn < 0) {
        struct addr to = addr_v4(ip, 5060);

        ck_assert(addr_equal(&s->to.remote, &to));
    }
    return s;
}

void world_forget(void)
{
    head = tail;
}

void world_advance(uint64_t ms)
{
    uint64_t end = world.now + ms;

    for (;;) {
        uint64_t next = UINT64_MAX;

        for (int i = 0; i < world.workers; i++) {
            uint64_t due = sip_core_next_deadline(world.core[i]);

            if (due < next)
                next = due;
        }
        if (next > end)
            break;
        if (next > world.now)
            world.now = next;
        for (int i = 0; i < world.workers; i++) {
            current = i;
            sip_core_on_timer(world.core[i], world.now);
        }
    }
    world.now = end;
}

const struct sip_msg *world_parse(const struct sent *message)
{
    static struct sip_msg msg;
    enum sip_framing framing =
        message->conn < 0 ? SIP_FRAMING_DATAGRAM : SIP_FRAMING_WS;

    ck_assert_msg(sip_msg_parse(&msg, span_of(message->text, message->len),
                                framing, &sip_limits_default) == 0,
                  "%s:\n%s", sip_fault_str(msg.fault), message->text);
    return &msg;
}

const char *world_answer(const struct sent *request, unsigned status,
                         const char *tag, const char *extra)
{
    const struct sip_reply reply = {.status = status,
                                    .to_tag = span_str(tag),
                                    .record_route = true,
                                    .extra = span_str(extra)};
    struct buf out;
    char *text = scratch();

    buf_init(&out, WORLD_MESSAGE - 1);
    ck_assert_int_eq(sip_build_response(&out, world_parse(request), &reply), 0);
    memcpy(text, buf_span(&out).ptr, buf_len(&out));
    text[buf_len(&out)] = '\0';
    buf_deinit(&out);
    return text;
}

const char *world_value(const struct sent *message, const char *name,
                        unsigned n)
{
    const struct sip_msg *msg = world_parse(message);
    struct sip_values values =
        sip_values_of(msg, sip_hdr_lookup(span_str(name)));
    char *text = scratch();

    text[0] = '\0';
    while (sip_values_next(&values)) {
        if (n-- > 0)
            continue;
        (void)snprintf(text, WORLD_MESSAGE, "%.*s", SPAN_FMT(values.item));
        break;
    }
    return text;
}

const char *world_uri(const char *value)
{
    const char *open = strchr(value, '<');
    const char *shut = open ? strchr(open, '>') : NULL;
    char *text = scratch();

    if (!shut)
        return value;
    (void)snprintf(text, WORLD_MESSAGE, "%.*s", (int)(shut - open - 1),
                   open + 1);
    return text;
}
