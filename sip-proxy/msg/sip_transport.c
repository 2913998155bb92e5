/* SPDX-License-Identifier: MIT */
#include "msg/sip_transport.h"

#include "base/mem.h"

static const struct {
    const char *name;
    const char *param;
    uint16_t port;
} transports[] = {
    [SIP_TRANSPORT_NONE] = {"", "", 0}, [SIP_UDP] = {"UDP", "udp", 5060},
    [SIP_TCP] = {"TCP", "tcp", 5060},   [SIP_TLS] = {"TLS", "tls", 5061},
    [SIP_WS] = {"WS", "ws", 80},        [SIP_WSS] = {"WSS", "wss", 443},
};

const char *sip_transport_str(enum sip_transport t)
{
    return transports[t].name;
}

const char *sip_transport_param(enum sip_transport t)
{
    return transports[t].param;
}

uint16_t sip_transport_port(enum sip_transport t)
{
    return transports[t].port;
}

enum sip_transport sip_transport_parse(struct span name)
{
    for (size_t i = SIP_UDP; i < ARRAY_SIZE(transports); i++) {
        if (span_is_nocase(name, transports[i].param))
            return (enum sip_transport)i;
    }
    return SIP_TRANSPORT_NONE;
}
