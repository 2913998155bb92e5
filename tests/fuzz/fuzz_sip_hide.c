/* SPDX-License-Identifier: MIT */
/* Bytes as a message that goes out where inside addresses are hidden, and as
 * one that comes in there. What goes out is one message with one Via of ours
 * on top and no route inside; what answers it gets all of it back: Via,
 * Call-ID, From and To are those of the message before.
 */
#include "base/mem.h"
#include "msg/sip_build.h"
#include "proxy/sip_hide.h"
#include "proxy/sip_internal.h"

#define LOG_COMPONENT "fuzz"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define CHECK(x)                                                               \
    do {                                                                       \
        if (!(x))                                                              \
            abort();                                                           \
    } while (0)

static struct sip_core *core;
static struct sip_core_config cfg;
static struct sip_stats stats;
static struct sip_msg before, after;
static char out[2 * SIP_MESSAGE_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_random(void *arg, void *bytes, size_t len)
{
    (void)arg;
    memset(bytes, 7, len);
}

static void on_log(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

static const struct sip_target client = {.transport = SIP_WS, .listener = 0};

static void set_up(void)
{
    const struct sip_env env = {.random = on_random};
    const struct sip_place place = {.workers = 1};
    const uint8_t secret[SIP_TOKEN_KEY] = {1};

    log_set_sink(on_log, NULL);
    cfg.locals[0] = (struct sip_local){.transport = SIP_WS,
                                       .zone = SIP_OUTSIDE,
                                       .hide = SIP_HIDE_FULL,
                                       .addr = addr_v4(0xC6336402, 5066),
                                       .sent_by = "edge.example:5066"};
    cfg.locals[1] = (struct sip_local){.transport = SIP_UDP,
                                       .zone = SIP_INSIDE,
                                       .addr = addr_v4(0x0A010002, 5060),
                                       .sent_by = "10.1.0.2:5060"};
    cfg.n_locals = 2;
    cfg.dispatch.servers[0].target.transport = SIP_UDP;
    cfg.dispatch.servers[0].target.remote = addr_v4(0x0A00000A, 5060);
    cfg.dispatch.servers[0].weight = 1;
    cfg.dispatch.count = 1;
    sip_token_key_init(&cfg.keys.key[0], secret);
    cfg.keys.count = 1;
    cfg.txn = sip_txn_config_default;
    cfg.txn.max = 16;
    cfg.limits = sip_limits_default;
    cfg.max_flows = 4;
    CHECK(sip_core_new(&core, &cfg, &place, &env, &stats, 1) == 0);
}

static unsigned count(const struct sip_msg *msg, enum sip_hdr_id id)
{
    struct sip_values values = sip_values_of(msg, id);
    unsigned n = 0;

    while (sip_values_next(&values))
        n++;
    return n;
}

static bool same_uri(const struct sip_addr *a, const struct sip_addr *b)
{
    return span_equal(a->uri, b->uri) && span_equal(a->tag, b->tag);
}

/* The answer of whoever got `message`. */
static void answer(struct span message)
{
    const struct sip_reply reply = {.status = 200, .record_route = true};
    struct buf text;

    buf_init(&text, sizeof(out));
    if (sip_msg_parse(&after, message, SIP_FRAMING_WS, &sip_limits_own) == 0 &&
        sip_build_response(&text, &after, &reply) == 0 &&
        sip_msg_parse(&core->msg, buf_span(&text), SIP_FRAMING_WS,
                      &sip_limits_own) == 0) {
        int err = sip_hide_incoming(core, &client);

        CHECK(err >= 0 || stats.hide_failures > 0);
        if (err >= 0) {
            CHECK(core->msg.n_vias == before.n_vias);
            CHECK(span_equal(core->msg.call_id, before.call_id));
            CHECK(before.method == SIP_METHOD_REGISTER ||
                  same_uri(&core->msg.from, &before.from));
        }
    }
    buf_deinit(&text);
}

/* The top one of what we send is always as we write it. */
static bool has_our_via(const struct sip_msg *msg)
{
    static const char start[] = "SIP/2.0/WS edge.example:5066;branch=z9hG4bKE";
    struct span rest = msg->via.text;

    if (!msg->is_request)
        return true;
    if (!span_starts(rest, start))
        return false;
    rest = span_from(rest, sizeof(start) - 1);
    for (size_t i = 0; i < rest.len; i++) {
        if ((rest.ptr[i] < '0' || rest.ptr[i] > '9') &&
            (rest.ptr[i] < 'a' || rest.ptr[i] > 'f'))
            return false;
    }
    return true;
}

static void goes_out(struct span message)
{
    struct span sent;

    stats = (struct sip_stats){0};
    if (sip_msg_parse(&before, message, SIP_FRAMING_WS, &sip_limits_own) < 0 ||
        span_search(message, span_str("hid")) >= 0 || !has_our_via(&before))
        return;
    if (sip_hide_outgoing(core, &client, before.raw, &sent) < 0 ||
        sent.len > sizeof(out))
        return;
    memcpy(out, sent.ptr, sent.len);
    CHECK(sip_msg_parse(&after, span_of(out, sent.len), SIP_FRAMING_WS,
                        &sip_limits_own) == 0);
    CHECK(span_equal(after.body, before.body));
    CHECK(!after.is_request || after.n_vias == 1);
    CHECK(!after.is_request || count(&after, SIP_HDR_RECORD_ROUTE) <= 1);
    CHECK(!sip_msg_find(&after, SIP_HDR_PATH));
    if (after.is_request && after.method != SIP_METHOD_ACK)
        answer(span_of(out, sent.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!core)
        set_up();
    if (size == 0 || size > SIP_MESSAGE_MAX)
        return 0;
    if (data[0] != '<') {
        goes_out(span_of(data, size));
        return 0;
    }
    if (sip_msg_parse(&core->msg, span_of(data + 1, size - 1), SIP_FRAMING_WS,
                      &cfg.limits) == 0)
        (void)sip_hide_incoming(core, &client);
    return 0;
}
