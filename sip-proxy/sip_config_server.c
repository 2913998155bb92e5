/* SPDX-License-Identifier: MIT */
/* Media servers in the settings: their rows, what is refused, and what the
 * core is given of them. */
#include "sip_config.h"

#include "base/mem.h"

#include <stdio.h>

#define ROW(f) .offset = offsetof(struct sip_media_server, f)

static const struct option_def server_options[] = {
    {.name = "group",
     .type = OPT_STRING,
     ROW(group),
     .min = 1,
     .max = SIP_GROUP_NAME_MAX,
     .flags = OPT_REQUIRED,
     .help = "name; clients of the path /wssip-NAME get this group"},
    {.name = "server",
     .type = OPT_ENDPOINT,
     ROW(server),
     .flags = OPT_REQUIRED,
     .values = "udp=5060|tcp=5060|tls=5061|sip=0|sips=0",
     .help = "transport, address or name, and port; sip:NAME and sips:NAME: "
             "what DNS says of transport, port and order (RFC 3263)"},
    {.name = "priority",
     .type = OPT_U16,
     ROW(priority),
     .max = 255,
     .fallback = "0",
     .help = "lower ones are asked first"},
    {.name = "weight",
     .type = OPT_U16,
     ROW(weight),
     .min = 1,
     .max = SIP_WEIGHT_MAX,
     .fallback = "1",
     .help = "share of the users among servers of one priority; SRV records "
             "have their own"},
    {.name = "path",
     .type = OPT_ENUM,
     ROW(path),
     .values = "on|off|auto",
     .fallback = "on",
     .help = "on: RFC 3327 Path; off: rewrite the Contact of REGISTER; auto: "
             "off once it shows that it does not know Path"},
    {.name = "drain",
     .type = OPT_BOOL,
     ROW(drain),
     .fallback = "false",
     .help = "finish its dialogs, give it nothing new"},
    {.name = "fork",
     .type = OPT_BOOL,
     ROW(fork),
     .fallback = "false",
     .help = "new calls go to all such servers of the group at once"},
    {.name = "transport",
     .type = OPT_ENUM,
     ROW(transport),
     .values = "auto|fixed",
     .fallback = "auto",
     .help = "auto: what is above max-size goes over TCP instead of UDP (an "
             "internal tcp listener is needed), as long as the server takes "
             "it"},
    {.name = "max-size",
     .type = OPT_SIZE,
     ROW(max_size),
     .min = 500,
     .max = SIP_MESSAGE_MAX,
     .help = "longest datagram to it; not set: datagram-size"},
};

const struct option_table sip_config_server_table = {
    server_options, ARRAY_SIZE(server_options), sizeof(struct sip_media_server),
    "group=server"};

static const struct option_def host_options[] = {
    {.name = "name",
     .type = OPT_STRING,
     .offset = offsetof(struct sip_host_setting, name),
     .min = 1,
     .max = DNS_NAME_MAX,
     .flags = OPT_REQUIRED,
     .help = "host name"},
    {.name = "address",
     .type = OPT_ADDR,
     .offset = offsetof(struct sip_host_setting, address),
     .flags = OPT_REQUIRED,
     .help = "its address; several rows: several addresses"},
};

const struct option_table sip_config_host_table = {
    host_options, ARRAY_SIZE(host_options), sizeof(struct sip_host_setting),
    "name=address"};

/* --- names --- */

/* The transport that is said; none for sip: and sips:. */
static enum sip_transport said(const struct sip_media_server *s)
{
    return sip_config_transport(&s->server);
}

static bool is_sips(const struct sip_media_server *s)
{
    return strcmp(s->server.scheme, "sips") == 0;
}

bool sip_config_has_inside(const struct sip_config *cfg,
                           enum sip_transport transport, uint8_t family)
{
    if (transport == SIP_TLS && !cfg->server_ca)
        return false;
    for (size_t i = 0; i < cfg->listen.n; i++) {
        const struct sip_listen *l = &cfg->listen.items[i];

        if (sip_config_zone(l) == SIP_INSIDE &&
            sip_config_transport(&l->address) == transport &&
            (family == ADDR_NONE || l->address.addr.family == family))
            return true;
    }
    return false;
}

static unsigned transports(const struct sip_config *cfg)
{
    static const enum sip_transport all[] = {SIP_UDP, SIP_TCP, SIP_TLS};
    unsigned bits = 0;

    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        if (sip_config_has_inside(cfg, all[i], ADDR_NONE))
            bits |= SIP_LOCATE_CAN(all[i]);
    }
    return bits;
}

bool sip_config_server_query(const struct sip_config *cfg,
                             const struct sip_media_server *s,
                             struct sip_locate_query *ret_query)
{
    if (s->server.addr.family != ADDR_NONE)
        return false;
    *ret_query = (struct sip_locate_query){
        .kind = SIP_LOCATE_URI,
        .host = span_str(s->server.host),
        .port = s->server.port,
        .sips = is_sips(s),
        .transport = said(s),
        .transports = transports(cfg),
    };
    return true;
}

bool sip_config_partner_query(const struct sip_partner_setting *p,
                              struct sip_locate_query *ret_query)
{
    if (p->address.scheme)
        return false;
    *ret_query = (struct sip_locate_query){
        .kind = SIP_LOCATE_PARTNER,
        .host = span_str(p->domain),
        .transports = SIP_LOCATE_CAN(SIP_TLS),
    };
    return true;
}

/* --- what the core is given --- */

static void set_target(struct sip_server_conf *row,
                       const struct sip_media_server *s,
                       const struct sip_hop *hop)
{
    struct sip_target *to = &row->target;

    if (hop) {
        to->transport = hop->transport;
        to->remote = hop->addr;
        (void)snprintf(row->host, sizeof(row->host), "%s", s->server.host);
        return;
    }
    to->transport = said(s);
    if (to->transport == SIP_TRANSPORT_NONE)
        to->transport = is_sips(s) ? SIP_TLS : SIP_UDP;
    to->remote = s->server.addr;
    if (to->remote.port == 0)
        to->remote.port = sip_transport_port(to->transport);
}

void sip_config_add_server(struct sip_dispatch_conf *conf,
                           const struct sip_media_server *s,
                           const struct sip_hop *hop, unsigned weight)
{
    struct sip_server_conf *row = &conf->servers[conf->count];
    unsigned rank = hop ? hop->rank : 0;
    char text[ADDR_TEXT_SIZE];

    if (conf->count == SIP_SERVERS_MAX)
        return;
    memset(row, 0, sizeof(*row));
    (void)snprintf(row->group, sizeof(row->group), "%s", s->group);
    set_target(row, s, hop);
    (void)snprintf(row->text, sizeof(row->text), "%s:%s",
                   sip_transport_param(row->target.transport),
                   addr_str(&row->target.remote, text));
    if (rank >= SIP_PRIORITY_STEPS)
        rank = SIP_PRIORITY_STEPS - 1;
    row->priority = (uint16_t)(s->priority * SIP_PRIORITY_STEPS + rank);
    row->weight = (uint8_t)(weight ? weight : s->weight);
    row->path = (enum sip_path_mode)s->path;
    row->drain = s->drain;
    row->fork = s->fork;
    row->stream = s->transport == SIP_SERVER_AUTO;
    row->max_size = (uint32_t)s->max_size;
    conf->count++;
}

/* --- what is refused --- */

/* Tokens name servers by a short tag: two must not have the same. */
static void check_tags(struct config_build *build,
                       const struct sip_dispatch_conf *conf)
{
    for (size_t i = 0; i < conf->count; i++) {
        const char *a = conf->servers[i].text;

        for (size_t k = 0; k < i; k++) {
            const char *b = conf->servers[k].text;

            if (strcmp(a, b) != 0 &&
                sip_server_tag(span_str(a)) == sip_server_tag(span_str(b)))
                config_error(build, "media-server",
                             "%s and %s cannot be told apart in tokens; "
                             "change a port",
                             a, b);
        }
    }
}

static void check_one(struct config_build *build, const struct sip_config *cfg,
                      const struct sip_media_server *s, const char *key)
{
    enum sip_transport t = said(s);

    if (t == SIP_TRANSPORT_NONE)
        t = is_sips(s) ? SIP_TLS : SIP_UDP;
    if (t == SIP_TLS && !cfg->server_ca)
        config_error(build, key, "needs server-ca to check who it is");
    else if (said(s) == SIP_TRANSPORT_NONE &&
             s->server.addr.family == ADDR_NONE && !is_sips(s)) {
        if (!transports(cfg))
            config_error(build, key, "no internal udp, tcp or tls listener");
    } else if (!sip_config_has_inside(cfg, t, s->server.addr.family))
        config_error(build, key,
                     "no internal %s listener of the same address family",
                     sip_transport_param(t));
}

void sip_config_check_servers(struct config_build *build,
                              const struct sip_config *cfg)
{
    struct sip_dispatch_conf *conf;

    if (cfg->media_servers.n > SIP_SERVERS_MAX) {
        config_error(build, "media-server", "at most %d", SIP_SERVERS_MAX);
        return;
    }
    conf = config_alloc(build, sizeof(*conf));
    for (size_t i = 0; i < cfg->media_servers.n; i++) {
        const struct sip_media_server *s = &cfg->media_servers.items[i];
        char key[40];

        (void)snprintf(key, sizeof(key), "media-server[%zu]", i);
        check_one(build, cfg, s, key);
        if (conf && s->server.addr.family != ADDR_NONE)
            sip_config_add_server(conf, s, NULL, 0);
    }
    if (conf)
        check_tags(build, conf);
}
