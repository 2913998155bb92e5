/* SPDX-License-Identifier: MIT */
/* What leaves the core, and what it answers by itself. */
#include "proxy/sip_hide.h"
#include "proxy/sip_size.h"
#include "proxy/sip_zone.h"

#include "base/err.h"
#include "base/map.h"

#include <stdio.h>

#define LOG_COMPONENT "sip"
#include "base/log.h"

int sip_core_send(struct sip_core *core, const struct sip_target *to,
                  struct span message)
{
    void *conn = NULL;
    int err;

    if (to->flow) {
        struct sip_flow *flow = sip_flows_find(core->flows, to->flow);

        if (!flow)
            return ERR_CLOSED;
        conn = flow->conn;
    }
    if (sip_hide_outgoing(core, to, message, &message) < 0)
        return ERR_STATE;
    if (!conn && to->transport == SIP_UDP)
        sip_size_note(core, to, message);
    err = core->env.send(core->env.arg, to, conn, message);
    if (err < 0)
        SIP_COUNT(core, send_failures);
    return err;
}

void sip_core_branch(struct sip_core *core, uint64_t hash,
                     char text[SIP_BRANCH_TEXT + 1])
{
    if (core->random_left == 0) {
        core->env.random(core->env.arg, core->random, sizeof(core->random));
        core->random_left = ARRAY_SIZE(core->random);
    }
    sip_branch_write(core->place.worker, hash,
                     core->random[--core->random_left], text);
}

void sip_core_reply(struct sip_core *core, const struct sip_msg *msg,
                    const struct sip_target *to, const struct sip_reply *reply)
{
    struct sip_reply full = *reply;
    char tag[17];

    /* The same request gets the same tag again, without a transaction. */
    (void)snprintf(
        tag, sizeof(tag), "%016llx",
        (unsigned long long)map_hash(core->loop_seed, msg->via.branch));
    full.to_tag = span_str(tag);
    full.source = &to->remote;
    buf_reset(&core->out);
    if (sip_build_response(&core->out, msg, &full) == 0)
        (void)sip_core_send(core, to, buf_span(&core->out));
}

/* What a refusal says about the token of the request. */
enum sip_trail_token sip_core_refused_token(enum sip_refusal why)
{
    switch (why) {
    case SIP_REFUSED_forged_token:
        return SIP_TRAIL_FORGED;
    case SIP_REFUSED_unsigned_route:
        return SIP_TRAIL_UNSIGNED;
    case SIP_REFUSED_flow_gone:
        return SIP_TRAIL_GONE;
    default:
        return SIP_TRAIL_NO_TOKEN;
    }
}

void sip_core_refuse(struct sip_core *core, const struct sip_msg *msg,
                     const struct sip_target *to, enum sip_refusal why)
{
    struct sip_reply reply = {.status = sip_refusal_status(why),
                              .reason = sip_refusal_reason(why)};
    struct buf extra;

    stats_inc(sip_refusal_counter(core->stats, why));
    sip_trail_refused(core->trail, core->trail_number, sip_refusal_label(why),
                      reply.status, sip_core_refused_token(why), core->now);
    log_debug("request refused reason=%s method=%.*s", sip_refusal_label(why),
              SPAN_FMT(msg->method_name));
    if (msg->method == SIP_METHOD_ACK)
        return;
    buf_init(&extra, SIP_MESSAGE_MAX);
    if (reply.status == 503)
        buf_put_str(&extra, "Retry-After: 10\r\n");
    if (why == SIP_REFUSED_extension) {
        buf_put_str(&extra, "Unsupported: ");
        buf_put_span(&extra, sip_msg_value(msg, SIP_HDR_PROXY_REQUIRE));
        buf_put_str(&extra, "\r\n");
    }
    sip_zone_explain(sip_local_of(core, to), why, &extra);
    reply.extra = buf_span(&extra);
    if (buf_err(&extra) == 0)
        sip_core_reply(core, msg, to, &reply);
    buf_deinit(&extra);
}
