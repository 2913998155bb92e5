/* SPDX-License-Identifier: MIT */
#include "proxy/sip_echo.h"

#include "base/map.h"

#include <stdio.h>

/* With so much of the request as body that the answer has `max` bytes at
 * most. Returns its length, or 0 when it cannot be that short. */
static size_t build(struct sip_core *core, const struct sip_target *from,
                    struct span body, size_t max)
{
    struct sip_reply reply = {.status = 200,
                              .source = &from->remote,
                              .body = body,
                              .body_type = "message/sip"};
    char tag[17];
    size_t len;

    (void)snprintf(
        tag, sizeof(tag), "%016llx",
        (unsigned long long)map_hash(core->loop_seed, core->msg.via.branch));
    reply.to_tag = span_str(tag);
    buf_reset(&core->out);
    if (sip_build_response(&core->out, &core->msg, &reply) < 0)
        return 0;
    len = buf_len(&core->out);
    if (len <= max)
        return len;
    if (len - max >= body.len)
        return 0;
    return build(core, from, span_head(body, body.len - (len - max)), max);
}

bool sip_echo(struct sip_core *core, const struct sip_target *from)
{
    const char *method = core->config->echo_method;
    bool is_datagram = from->transport == SIP_UDP;

    if (!method || !span_is(core->msg.method_name, method) ||
        sip_zone_of(core, from) != SIP_OUTSIDE)
        return false;
    if (build(core, from, core->received,
              is_datagram ? core->received.len : SIP_MESSAGE_MAX) == 0) {
        SIP_COUNT(core, echoes_dropped);
        return true;
    }
    SIP_COUNT(core, echoes);
    sip_trail_answered(core->trail, core->trail_number, 200, core->now);
    (void)sip_core_send(core, from, buf_span(&core->out));
    return true;
}
