/* SPDX-License-Identifier: MIT */
/* Listeners in the settings: their rows, and what is refused. */
#include "sip_config.h"

#include "base/mem.h"

#include <stdio.h>

static const struct option_def listen_options[] = {
    {.name = "address",
     .type = OPT_ENDPOINT,
     .offset = offsetof(struct sip_listen, address),
     .flags = OPT_REQUIRED | OPT_NUMERIC,
     .values = "ws=80|wss=443|udp=5060|tcp=5060|tls=5061",
     .help = "transport, address and port"},
    {.name = "zone",
     .type = OPT_ENUM,
     .offset = offsetof(struct sip_listen, zone),
     .values = "auto|external|internal",
     .fallback = "auto",
     .help = "which side it is on; auto: ws, wss, tls external; udp, tcp "
             "internal"},
    {.name = "advertise",
     .type = OPT_STRING,
     .offset = offsetof(struct sip_listen, advertise),
     .min = 1,
     .max = SIP_SENT_BY_MAX - 8,
     .help = "host[:port] others reach it by, for Via and Record-Route"},
    {.name = "group",
     .type = OPT_STRING,
     .offset = offsetof(struct sip_listen, group),
     .min = 1,
     .max = SIP_GROUP_NAME_MAX,
     .help = "media-server group of its clients"},
    {.name = "method",
     .type = OPT_STRING,
     .offset = offsetof(struct sip_listen, methods),
     .min = 1,
     .max = 32,
     .flags = OPT_LIST,
     .help = "what may come in there, beside ACK, CANCEL, BYE; not set: all"},
    {.name = "body-type",
     .type = OPT_STRING,
     .offset = offsetof(struct sip_listen, body_types),
     .min = 3,
     .max = 100,
     .flags = OPT_LIST,
     .help = "bodies that may come in there: application/sdp, text/*; not "
             "set: all"},
    {.name = "refer",
     .type = OPT_ENUM,
     .offset = offsetof(struct sip_listen, refer),
     .values = "any|inside",
     .fallback = "any",
     .help = "where calls may be transferred to from there; inside: domains of "
             "ours and of partners, media servers, numbers"},
    {.name = "max-body",
     .type = OPT_SIZE,
     .offset = offsetof(struct sip_listen, max_body),
     .max = SIP_MESSAGE_MAX,
     .fallback = "0",
     .help = "bytes of a body that may come in there; 0: any"},
    {.name = "identity",
     .type = OPT_BOOL,
     .offset = offsetof(struct sip_listen, identity),
     .fallback = "false",
     .help = "its peers are trusted with identities (RFC 3324)"},
    {.name = "hide",
     .type = OPT_ENUM,
     .offset = offsetof(struct sip_listen, hide),
     .values = "off|topology|full",
     .fallback = "off",
     .help = "let no inside address out here; full: nor names of programs"},
    {.name = "verify",
     .type = OPT_BOOL,
     .offset = offsetof(struct sip_listen, verify),
     .fallback = "false",
     .help = "internal tls: media servers that connect show a certificate of "
             "server-ca for their address or name"},
    {.name = "partners",
     .type = OPT_BOOL,
     .offset = offsetof(struct sip_listen, partners),
     .fallback = "false",
     .help = "of federation partners: they show a certificate"},
    {.name = "certificate",
     .type = OPT_FILE,
     .offset = offsetof(struct sip_listen, certificate),
     .help = "PEM file, when it is not everybody's"},
    {.name = "key",
     .type = OPT_FILE,
     .offset = offsetof(struct sip_listen, key),
     .help = "PEM file: that certificate's key"},
};

const struct option_table sip_config_listen_table = {
    listen_options, ARRAY_SIZE(listen_options), sizeof(struct sip_listen),
    "address"};

enum sip_transport sip_config_transport(const struct endpoint *endpoint)
{
    return sip_transport_parse(span_str(endpoint->scheme));
}

enum sip_zone sip_config_zone(const struct sip_listen *listen)
{
    enum sip_transport t = sip_config_transport(&listen->address);

    if (listen->zone == SIP_ZONE_AUTO)
        return t == SIP_UDP || t == SIP_TCP ? SIP_INSIDE : SIP_OUTSIDE;
    return listen->zone == SIP_ZONE_EXTERNAL ? SIP_OUTSIDE : SIP_INSIDE;
}

void sip_config_check_listen(struct config_build *build,
                             const struct sip_config *cfg)
{
    bool has_outside = false;

    if (cfg->listen.n > SIP_LOCALS_MAX)
        config_error(build, "listen", "at most %d", SIP_LOCALS_MAX);
    for (size_t i = 0; i < cfg->listen.n; i++) {
        const struct sip_listen *l = &cfg->listen.items[i];
        enum sip_transport t = sip_config_transport(&l->address);
        struct sip_host host;
        char key[32];

        (void)snprintf(key, sizeof(key), "listen[%zu]", i);
        has_outside = has_outside || sip_config_zone(l) == SIP_OUTSIDE;
        if (sip_transport_is_secure(t) && !cfg->certificate && !l->certificate)
            config_error(build, key, "needs a certificate and its key");
        if (sip_transport_is_ws(t) && sip_config_zone(l) == SIP_INSIDE)
            config_error(build, key, "a WebSocket is always external");
        if (!l->advertise && addr_is_any(&l->address.addr))
            config_error(build, key,
                         "\"advertise\" must say how others reach \"%s\"",
                         l->address.host);
        if (l->advertise && sip_host_parse(span_str(l->advertise), &host) < 0)
            config_error(build, key, "advertise \"%s\" is not host[:port]",
                         l->advertise);
    }
    if (cfg->listen.n && !has_outside)
        config_error(build, "listen",
                     "none is external: where would clients connect to?");
}
