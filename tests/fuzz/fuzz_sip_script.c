/* SPDX-License-Identifier: MIT */
/* Bytes as a script for one proxy core: clients and media servers that say
 * anything, connections that come and go, a transport that fails, time. The
 * rules: whatever is sent is one well-formed message and goes to a connection
 * or a configured server; and when everybody has been silent for long, nothing
 * is held any more.
 */
#include "base/err.h"
#include "base/mem.h"
#include "msg/sip_build.h"
#include "proxy/sip_core.h"
#include "proxy/sip_flow.h"

#define LOG_COMPONENT "fuzz"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

#define CHECK(x)                                                               \
    do {                                                                       \
        if (!(x))                                                              \
            abort();                                                           \
    } while (0)

enum { CLIENTS = 3, SENT = 8, TEXT = 4096, WS = 0, UDP = 1, TCP = 2 };

/* What a step's first byte says beside its kind. */
enum { STRICT = 0x40, LARGE = 0x80 };

static struct sip_core *core;
static struct sip_core_config cfg;
static struct sip_stats stats;
static uint64_t now;
static uint64_t random_state;
static uint64_t flows[CLIENTS];
static bool broken;
static struct {
    struct sip_target to;
    char text[TEXT];
    size_t len;
} sent[SENT]; /* the newest messages, for answers and routes */
static unsigned n_sent;
static struct sip_msg msg;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- the world --- */

static int on_send(void *arg, const struct sip_target *to, void *conn,
                   struct span message)
{
    static struct sip_msg out;
    bool to_server =
        addr_same_ip(&to->remote, &cfg.dispatch.servers[0].target.remote) ||
        addr_same_ip(&to->remote, &cfg.dispatch.servers[1].target.remote);

    (void)arg;
    CHECK(conn ? to->transport == SIP_WS : to_server);
    if (!span_is(message, "\r\n")) {
        /* What answers a broken message quotes it, and may be as broken. */
        int err = sip_msg_parse(&out, message,
                                conn ? SIP_FRAMING_WS : SIP_FRAMING_STREAM,
                                &sip_limits_own);

        CHECK(err == 0 || out.status == 400 || out.status == 505);
        CHECK(out.raw.len == message.len);
    }
    if (broken)
        return ERR_CLOSED;
    if (message.len < TEXT) {
        memcpy(sent[n_sent % SENT].text, message.ptr, message.len);
        sent[n_sent % SENT].len = message.len;
        sent[n_sent % SENT].to = *to;
        n_sent++;
    }
    return 0;
}

static void on_close(void *arg, void *conn, enum sip_close_why why)
{
    (void)arg;
    (void)conn;
    (void)why;
}

static int on_hand_over(void *arg, unsigned worker,
                        const struct sip_target *from, struct span message)
{
    (void)arg;
    (void)worker;
    (void)from;
    (void)message;
    return ERR_LIMIT;
}

static void on_banned(void *arg, const struct addr *source, uint64_t until)
{
    (void)arg;
    (void)source;
    (void)until;
}

static void on_state(void *arg, const struct sip_server *server)
{
    (void)arg;
    (void)server;
}

static void on_random(void *arg, void *out, size_t len)
{
    uint8_t *p = out;

    (void)arg;
    for (size_t i = 0; i < len; i++) {
        random_state = random_state * 6364136223846793005ULL + 1;
        p[i] = (uint8_t)(random_state >> 56);
    }
}

static void on_log(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

/* --- who speaks --- */

static struct sip_target client(unsigned n)
{
    return (struct sip_target){
        .transport = SIP_WS,
        .remote = addr_v4(0xCB007101 + n, 40000),
        .flow = flows[n],
        .listener = WS,
    };
}

static struct sip_target server(unsigned n)
{
    struct sip_target t = cfg.dispatch.servers[n].target;

    t.listener = UDP;
    return t;
}

static void connect_client(unsigned n)
{
    struct sip_target from = client(n);

    from.flow = 0;
    if (sip_core_open_flow(core, &from, (void *)(uintptr_t)(n + 1), 0, now,
                           &flows[n]) < 0)
        flows[n] = 0;
}

static void deliver(const struct sip_target *from, const char *text, size_t len)
{
    /* A block of its own size, so that an over-read is seen. */
    char *copy = malloc(len ? len : 1);

    CHECK(copy != NULL);
    memcpy(copy, text, len);
    sip_core_on_message(core, from, span_of(copy, len), now);
    free(copy);
}

static const char *const methods[] = {
    "INVITE",  "REGISTER", "ACK",       "CANCEL", "BYE",
    "OPTIONS", "NOTIFY",   "SUBSCRIBE", "FOO",
};

enum { ROUTES = 8 };

/* Of a message that was sent: our own tokens come back. */
static size_t find_routes(unsigned which, struct span values[ROUTES])
{
    static const enum sip_hdr_id ids[] = {SIP_HDR_RECORD_ROUTE, SIP_HDR_PATH,
                                          SIP_HDR_ROUTE};
    size_t n = 0;

    if (n_sent == 0)
        return 0;
    which %= n_sent < SENT ? n_sent : SENT;
    if (sip_msg_parse(&msg, span_of(sent[which].text, sent[which].len),
                      SIP_FRAMING_WS, &sip_limits_own) < 0)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        struct sip_values v = sip_values_of(&msg, ids[i]);

        while (n < ROUTES && sip_values_next(&v))
            values[n++] = v.item;
    }
    return n;
}

static void put_routes(struct buf *out, unsigned which, bool reverse)
{
    struct span values[ROUTES];
    size_t n = find_routes(which, values);

    for (size_t i = 0; i < n; i++) {
        buf_put_str(out, "Route: ");
        buf_put_span(out, values[reverse ? n - 1 - i : i]);
        buf_put_str(out, "\r\n");
    }
}

/* Our own URI, as a strict router sends it on. */
static bool put_strict_uri(struct buf *out, unsigned which)
{
    struct span values[ROUTES];
    struct sip_addr addr;

    if (find_routes(which, values) == 0 || sip_addr_parse(values[0], &addr) < 0)
        return false;
    buf_put_span(out, addr.uri);
    return true;
}

static void say_request(const struct sip_target *from, unsigned op, unsigned a,
                        unsigned b)
{
    const char *method = methods[a % ARRAY_SIZE(methods)];
    struct buf out;

    buf_init(&out, TEXT);
    buf_printf(&out, "%s ", method);
    if (!(op & STRICT) || !put_strict_uri(&out, a))
        buf_printf(&out, "sip%s:x%u@a.invalid;transport=ws", b & 1 ? "s" : "",
                   a >> 6);
    buf_printf(&out, " SIP/2.0\r\nVia: SIP/2.0/WS a.invalid;branch=%sb%u%s\r\n",
               b & 2 ? "" : "z9hG4bK", b >> 2 & 3,
               b & 16 ? ";rport;received=1.2.3.4" : "");
    if (op & LARGE)
        buf_printf(&out, "X-Pad: %0*d\r\nMax-Breadth: %u\r\n", 900, 0, b & 7);
    if (b & 32)
        put_routes(&out, a, b & 64);
    buf_printf(&out,
               "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>%s\r\nCall-ID: c%u\r\n"
               "CSeq: 1 %s\r\nMax-Forwards: %u\r\n",
               b & 128 ? ";tag=2" : "", a >> 5 & 1, method, 2 + (b & 7));
    if (a & 16)
        buf_printf(&out, "Contact: <sip%s:x%u@a.invalid;transport=wss>%s\r\n",
                   b & 8 ? "s" : "", a >> 6,
                   a & 8 ? ", \"y\" <sip:z@w>;q=0.5" : "");
    buf_put_str(&out, "\r\n");
    if (buf_err(&out) == 0)
        deliver(from, (const char *)buf_span(&out).ptr, buf_len(&out));
    buf_deinit(&out);
}

/* An answer to one of the newest messages, by who got it or by another. */
static void say_response(unsigned a, unsigned b)
{
    static const unsigned codes[] = {100, 180, 200, 302, 401, 408, 486,
                                     487, 503, 603, 200, 183, 420};
    struct sip_reply reply = {
        .status = codes[b % ARRAY_SIZE(codes)],
        .to_tag = span_str(b & 64 ? "t" : "u"),
        .record_route = true,
        .extra = span_str(
            b & 16 ? "Contact: <sips:x0@a.invalid;transport=wss>;expires=9\r\n"
                   : ""),
    };
    struct sip_target from;
    struct buf out;

    if (reply.status == 401 || reply.status == 420)
        reply.extra = span_str("WWW-Authenticate: Digest realm=\"x\"\r\n"
                               "Unsupported: path\r\n");
    if (n_sent == 0)
        return;
    a %= n_sent < SENT ? n_sent : SENT;
    if (sip_msg_parse(&msg, span_of(sent[a].text, sent[a].len), SIP_FRAMING_WS,
                      &sip_limits_own) < 0 ||
        !msg.is_request)
        return;
    from = b & 128 ? server(b >> 5 & 1) : sent[a].to;
    buf_init(&out, TEXT);
    if (sip_build_response(&out, &msg, &reply) == 0)
        deliver(&from, (const char *)buf_span(&out).ptr, buf_len(&out));
    buf_deinit(&out);
}

/* What was sent comes back, from anywhere, with one byte changed. */
static void reflect(unsigned a, unsigned b)
{
    struct sip_target from = b & 1 ? server(b >> 1 & 1) : client(b % CLIENTS);
    char text[TEXT];
    size_t len;

    if (n_sent == 0)
        return;
    a %= n_sent < SENT ? n_sent : SENT;
    len = sent[a].len;
    memcpy(text, sent[a].text, len);
    if (b & 128 && len > 0)
        text[(size_t)b * 7 % len] = (char)a;
    deliver(&from, text, len);
}

static void lose_stream(unsigned a, bool was_open)
{
    if (n_sent == 0)
        return;
    a %= n_sent < SENT ? n_sent : SENT;
    if (sent[a].to.transport == SIP_TCP)
        sip_core_on_unreachable(core, &sent[a].to, was_open, now);
}

static void reconfigure(unsigned a)
{
    static const enum sip_path_mode modes[] = {SIP_PATH_ON, SIP_PATH_OFF,
                                               SIP_PATH_AUTO, SIP_PATH_AUTO};

    cfg.dispatch.count = a & 4 ? 1 : 2;
    for (size_t i = 0; i < 2; i++) {
        struct sip_server_conf *s = &cfg.dispatch.servers[i];

        s->path = modes[a & 3];
        s->fork = a & 8;
        s->stream = a & 16;
        s->priority = (uint16_t)(a & 32 ? 0 : i);
    }
    sip_core_reload(core, &cfg, now);
}

static void step(unsigned op, unsigned a, unsigned b)
{
    struct sip_target from = client(a % CLIENTS);

    switch (op % 12) {
    case 0:
    case 1:
        say_request(&from, op, a, b);
        break;
    case 2:
    case 3:
        from = server(op >> 4 & 1);
        say_request(&from, op, a, b);
        break;
    case 4:
    case 5:
    case 6:
        say_response(a, b);
        break;
    case 7:
        reflect(a, b);
        break;
    case 8:
        now += (uint64_t)b * (a & 1 ? 10 : 1000);
        sip_core_on_timer(core, now);
        break;
    case 9:
        sip_core_close_flow(core, flows[a % CLIENTS], now);
        connect_client(a % CLIENTS);
        break;
    case 10:
        broken = b & 1;
        if (b & 2)
            lose_stream(a, b & 4);
        break;
    default:
        reconfigure(a);
        break;
    }
}

/* --- life --- */

static void configure(void)
{
    static const uint8_t secret[SIP_TOKEN_KEY] = {42};

    memset(&cfg, 0, sizeof(cfg));
    cfg.locals[WS] = (struct sip_local){.transport = SIP_WS,
                                        .zone = SIP_OUTSIDE,
                                        .addr = addr_v4(0x0A010002, 5066),
                                        .sent_by = "edge.example:5066"};
    cfg.locals[UDP] = (struct sip_local){.transport = SIP_UDP,
                                         .zone = SIP_INSIDE,
                                         .addr = addr_v4(0x0A010002, 5060),
                                         .sent_by = "10.1.0.2:5060"};
    cfg.locals[TCP] = (struct sip_local){.transport = SIP_TCP,
                                         .zone = SIP_INSIDE,
                                         .addr = addr_v4(0x0A010002, 5060),
                                         .sent_by = "10.1.0.2:5060"};
    cfg.n_locals = 3;
    for (unsigned i = 0; i < 2; i++) {
        struct sip_server_conf *s = &cfg.dispatch.servers[i];

        (void)snprintf(s->group, sizeof(s->group), "default");
        (void)snprintf(s->text, sizeof(s->text), "udp:10.0.0.1%u:5060", i);
        s->target.transport = SIP_UDP;
        s->target.remote = addr_v4(0x0A00000A + i, 5060);
        s->weight = 1;
        s->priority = (uint8_t)i;
    }
    cfg.dispatch.count = 2;
    cfg.dispatch.down_after = 2;
    cfg.dispatch.up_after = 1;
    cfg.dispatch.probe_interval_ms = 20000;
    cfg.dispatch.retire_ms = 60000;
    sip_token_key_init(&cfg.keys.key[0], secret);
    cfg.keys.count = 1;
    cfg.txn = sip_txn_config_default;
    cfg.txn.max = 12;
    cfg.limits = sip_limits_default;
    cfg.default_group = sip_name_tag(span_str("default"));
    cfg.strip[0] = "P-Asserted-Identity";
    cfg.n_strip = 1;
    cfg.max_flows = 4;
    cfg.rebind = true;
    cfg.park_ms = 6000;
    cfg.park_max = 3;
    cfg.max_forwards = 70;
    cfg.timer_c_ms = 185000;
    cfg.server_timeout_ms = 3000;
    cfg.probe_timeout_ms = 2000;
    cfg.udp_flow_ms = 300000;
    cfg.datagram_size = 900;
}

/* All clients go, probes stop, and every clock runs out. */
static void settle(void)
{
    broken = false;
    cfg.dispatch.probe_interval_ms = 0;
    sip_core_reload(core, &cfg, now);
    for (unsigned i = 0; i < CLIENTS; i++)
        sip_core_close_flow(core, flows[i], now);
    for (int i = 0; i < 120; i++) {
        now += 4000;
        sip_core_on_timer(core, now);
    }
    CHECK(sip_core_pending(core) == 0);
    CHECK(stats.transaction_bytes == 0);
    CHECK(stats.flows == 0);
}

static void on_home(void *arg, const struct sip_home *home)
{
    (void)arg;
    CHECK(home->tag != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sip_place place = {.workers = 1, .epoch = 99};
    const struct sip_env env = {
        .send = on_send,
        .close = on_close,
        .hand_over = on_hand_over,
        .server_state = on_state,
        .banned = on_banned,
        .home = on_home,
        .random = on_random,
    };

    log_set_sink(on_log, NULL);
    memset(&stats, 0, sizeof(stats));
    now = 1000000;
    random_state = 1;
    n_sent = 0;
    broken = false;
    configure();
    CHECK(sip_core_new(&core, &cfg, &place, &env, &stats, now) == 0);
    for (unsigned i = 0; i < CLIENTS; i++)
        connect_client(i);
    for (size_t i = 0; i + 2 < size && i < 600; i += 3)
        step(data[i], data[i + 1], data[i + 2]);
    settle();
    sip_core_free(core);
    CHECK(mem_live_blocks() == 0);
    return 0;
}
