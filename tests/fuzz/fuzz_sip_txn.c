/* SPDX-License-Identifier: MIT */
/* Bytes as a script of events for the transaction table: requests, responses,
 * the user's calls, lost connections, failing sends, time. Afterwards nothing
 * may be left but what waits for its user, and no byte uncounted.
 */
#include "base/err.h"
#include "base/mem.h"
#include "txn/sip_txn.h"

#include <stdio.h>
#include <stdlib.h>

#define CHECK(x)                                                               \
    do {                                                                       \
        if (!(x))                                                              \
            abort();                                                           \
    } while (0)

enum { N_IDS = 8 };

static struct sip_txns *txns;
static struct pool_id ids[N_IDS];
static struct sip_target peer;
static uint64_t now;
static int send_error;
static unsigned made;
static unsigned ended;
static unsigned meddle; /* what the callbacks do */
static struct sip_msg msg;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_send(void *arg, const struct sip_target *to, struct span bytes)
{
    static struct sip_msg out;

    (void)arg;
    (void)to;
    CHECK(sip_msg_parse(&out, bytes, SIP_FRAMING_STREAM, &sip_limits_default) ==
          0);
    return send_error;
}

static void on_response(void *arg, struct pool_id id, uint64_t user,
                        const struct sip_msg *response, uint64_t at)
{
    (void)arg;
    (void)user;
    (void)response;
    if (meddle & 1)
        sip_txn_terminate(txns, id, at);
    if (meddle & 2)
        sip_txn_terminate(txns, ids[meddle % N_IDS], at);
}

static void on_timeout(void *arg, struct pool_id id, uint64_t user, uint64_t at)
{
    struct sip_txn_view view;

    (void)arg;
    (void)user;
    CHECK(!sip_txn_look(txns, id, &view));
    if (meddle & 4)
        sip_txn_terminate(txns, ids[meddle % N_IDS], at);
}

static void on_error(void *arg, struct pool_id id, uint64_t user, int err,
                     uint64_t at)
{
    CHECK(err < 0);
    on_timeout(arg, id, user, at);
}

static void on_ended(void *arg, struct pool_id id, uint64_t user, uint64_t at)
{
    (void)arg;
    (void)id;
    (void)user;
    (void)at;
    ended++;
}

static void on_random(void *arg, void *out, size_t len)
{
    (void)arg;
    memset(out, 1, len);
}

static const char *const methods[] = {"INVITE", "ACK", "CANCEL", "OPTIONS"};

static struct span request(unsigned n)
{
    static char text[512];
    const char *method = methods[n % 4];

    snprintf(text, sizeof(text),
             "%s sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=%s%u\r\n"
             "From: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: c\r\n"
             "CSeq: 1 %s\r\nContent-Length: 0\r\n\r\n",
             method, n & 16 ? "" : "z9hG4bK", (n >> 2) % 4, method);
    return span_str(text);
}

static struct span response(unsigned n)
{
    static const unsigned codes[] = {100, 180, 200, 202, 302, 486, 503, 603};
    static char text[512];

    snprintf(text, sizeof(text),
             "SIP/2.0 %u x\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK%u\r\n"
             "From: <sip:a>;tag=1\r\nTo: <sip:b>;tag=2\r\nCall-ID: c\r\n"
             "CSeq: 1 %s\r\nContent-Length: 0\r\n\r\n",
             codes[n % 8], (n >> 3) % 4, methods[(n >> 5) % 4]);
    return span_str(text);
}

static const struct sip_msg *parsed(struct span bytes)
{
    CHECK(sip_msg_parse(&msg, bytes, SIP_FRAMING_STREAM, &sip_limits_default) ==
          0);
    return &msg;
}

static void receive_request(unsigned n)
{
    const struct sip_msg *m = parsed(request(n));
    struct pool_id *id = &ids[n % N_IDS];

    if (sip_txns_receive(txns, m, &peer, now, NULL) == SIP_MATCH_NONE &&
        m->method != SIP_METHOD_ACK &&
        sip_txns_server_new(txns, m, &peer, n, now, id) == 0)
        made++;
}

static void step(unsigned op, unsigned n)
{
    struct pool_id *id = &ids[n % N_IDS];
    struct pool_id next = {0, 0};

    switch (op % 10) {
    case 0:
    case 1:
        receive_request(n);
        break;
    case 2:
        if (sip_txns_client_new(txns, request(n), &peer, n, now, id) == 0)
            made++;
        break;
    case 3:
        (void)sip_txns_receive(txns, parsed(response(n)), &peer, now, NULL);
        break;
    case 4:
        (void)sip_txn_respond(txns, *id, response(n * 7 + op), now);
        break;
    case 5:
        /* {0, 0}: sent without a transaction, for want of room. */
        if (sip_txn_cancel(txns, *id, span_str(""), n, now, &next) == 0 &&
            pool_id_u64(next) != 0)
            made++;
        ids[(n + 1) % N_IDS] = next;
        break;
    case 6:
        now += (uint64_t)n * (op & 32 ? 200 : 10);
        sip_txns_on_timer(txns, now);
        break;
    case 7:
        send_error = n & 1 ? ERR_CLOSED : 0;
        peer.transport = n & 2 ? SIP_WS : SIP_UDP;
        peer.flow = n & 2 ? n >> 2 & 1 : 0;
        break;
    case 8:
        sip_txns_on_flow_closed(txns, n & 1, now);
        sip_txn_terminate(txns, *id, now);
        break;
    default:
        meddle = n;
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sip_txn_env env = {
        .send = on_send,
        .on_response = on_response,
        .on_timeout = on_timeout,
        .on_error = on_error,
        .on_ended = on_ended,
        .random = on_random,
    };
    struct sip_txn_config cfg = sip_txn_config_default;
    struct sip_txn_stats stats;
    uint32_t active = 0;

    memset(ids, 0, sizeof(ids));
    memset(&peer, 0, sizeof(peer));
    peer.transport = SIP_UDP;
    now = 1000;
    send_error = 0;
    made = 0;
    ended = 0;
    meddle = 0;
    cfg.max = 6;
    cfg.max_bytes = 2000;
    CHECK(sip_txns_new(&txns, &cfg, &env) == 0);
    for (size_t i = 0; i + 1 < size; i += 2)
        step(data[i], data[i + 1]);
    /* Let all clocks run out. */
    for (int i = 0; i < 64; i++) {
        now += 4000;
        sip_txns_on_timer(txns, now);
    }
    sip_txns_stats(txns, &stats);
    for (int i = 0; i < SIP_TXN_KINDS; i++)
        active += stats.active[i];
    CHECK(stats.active[SIP_TXN_NICT] == 0 && stats.active[SIP_TXN_NIST] == 0);
    CHECK(made == ended + active);
    CHECK(active > 0 || stats.bytes == 0);
    CHECK(stats.bytes <= cfg.max_bytes);
    sip_txns_free(txns);
    CHECK(mem_live_blocks() == 0);
    return 0;
}
