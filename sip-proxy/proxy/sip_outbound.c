/* SPDX-License-Identifier: MIT */
#include "proxy/sip_outbound.h"

#include <stdio.h>

static bool has_reg_id(const struct sip_msg *request)
{
    struct sip_values values = sip_values_of(request, SIP_HDR_CONTACT);

    while (sip_values_next(&values)) {
        struct sip_contact contact;

        if (sip_contact_parse(values.item, &contact) == 0 && !contact.is_star &&
            contact.reg_id > 0)
            return true;
    }
    return false;
}

bool sip_outbound_is_wanted(const struct sip_msg *request,
                            const struct sip_target *from)
{
    /* RFC 5626 5.1: only the first hop keeps the flow. */
    return sip_transport_is_reliable(from->transport) && request->n_vias == 1 &&
           sip_msg_has_option(request, SIP_HDR_SUPPORTED, "outbound") &&
           has_reg_id(request);
}

void sip_outbound_answer(struct sip_core *core, const struct sip_msg *response,
                         const struct sip_flow *flow)
{
    const struct sip_core_config *cfg = core->config;
    uint32_t seconds = sip_transport_is_ws(flow->target.transport)
                           ? cfg->ws_flow_timer_s
                           : cfg->stream_flow_timer_s;
    char text[16];

    if (!flow->conn || seconds == 0 ||
        !sip_msg_has_option(response, SIP_HDR_REQUIRE, "outbound"))
        return;
    SIP_COUNT(core, outbound_flows);
    (void)snprintf(text, sizeof(text), "%u", (unsigned)seconds);
    sip_edit_set(&core->edit, SIP_HDR_FLOW_TIMER, span_str(text));
}
