/* SPDX-License-Identifier: MIT */
#include "sip_config.h"

#include "base/mem.h"

#include <stdio.h>

static const struct option_def domain_options[] = {
    {.name = "name",
     .type = OPT_STRING,
     .offset = offsetof(struct sip_domain_setting, name),
     .min = 1,
     .max = 255,
     .flags = OPT_REQUIRED,
     .help = "SIP domain"},
    {.name = "group",
     .type = OPT_STRING,
     .offset = offsetof(struct sip_domain_setting, group),
     .min = 1,
     .max = SIP_GROUP_NAME_MAX,
     .help = "media-server group, when the path does not say one"},
};

static const struct option_table domain_table = {
    domain_options, ARRAY_SIZE(domain_options),
    sizeof(struct sip_domain_setting), "name=group"};

#define FIELD(f) .offset = offsetof(struct sip_config, f)

static const struct option_def options[] = {
    {.name = "listen",
     .type = OPT_OBJECT,
     FIELD(listen),
     .flags = OPT_LIST | OPT_REQUIRED,
     .object = &sip_config_listen_table,
     .help =
         "where SIP is spoken, to clients outside and media servers inside"},
    {.name = "media-server",
     .type = OPT_OBJECT,
     FIELD(media_servers),
     .flags = OPT_LIST | OPT_REQUIRED | OPT_RELOAD,
     .object = &sip_config_server_table,
     .help = "a server of a group: default=udp:10.0.0.10:5060"},
    {.name = "domain",
     .type = OPT_OBJECT,
     FIELD(domains),
     .flags = OPT_LIST | OPT_RELOAD,
     .object = &domain_table,
     .help = "SIP domains served; none: all"},
    {.name = "partner",
     .type = OPT_OBJECT,
     FIELD(partners),
     .flags = OPT_LIST | OPT_RELOAD,
     .object = &sip_config_partner_table,
     .help = "SIP domains of federation partners: "
             "example.org=tls:203.0.113.9:5061"},
    {.name = "blocked-domain",
     .type = OPT_STRING,
     FIELD(blocked_domains),
     .min = 1,
     .max = 253,
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "domains, with all below, that no partner speaks for and nobody "
             "calls"},
    {.name = "partner-network",
     .type = OPT_CIDR,
     FIELD(partner_networks),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "where partners found by DNS may be; not set: public addresses"},
    {.name = "partner-ca",
     .type = OPT_FILE,
     FIELD(partner_ca),
     .flags = OPT_RELOAD,
     .help = "PEM file: who signs the certificates of partners"},
    {.name = "partner-purpose",
     .type = OPT_ENUM,
     FIELD(partner_purpose),
     .values = "client|any",
     .fallback = "client",
     .flags = OPT_RELOAD,
     .help = "what certificates of partners that connect must be made for; "
             "public authorities make them for servers alone"},
    {.name = "websocket-path",
     .type = OPT_STRING,
     FIELD(websocket_path),
     .min = 1,
     .max = 200,
     .fallback = "/wssip",
     .flags = OPT_RELOAD,
     .help = "path of the WebSocket; with -NAME behind, group NAME"},
    {.name = "origin",
     .type = OPT_STRING,
     FIELD(origins),
     .min = 1,
     .max = 255,
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "web origins that may connect; none: all"},
    {.name = "trusted-proxy",
     .type = OPT_CIDR,
     FIELD(trusted_proxies),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "whose X-Forwarded-For tells the client's address"},
    {.name = "proxy-from",
     .type = OPT_CIDR,
     FIELD(proxy_from),
     .flags = OPT_LIST,
     .help = "front ends whose connections to external listeners begin with a "
             "PROXY protocol header that names the client"},
    {.name = "inside-source",
     .type = OPT_CIDR,
     FIELD(inside_sources),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "more addresses that may send on internal listeners"},
    {.name = "strip-header",
     .type = OPT_STRING,
     FIELD(strip_headers),
     .min = 1,
     .max = 64,
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "header fields removed from outside; not set: identity and "
             "diversion headers; \"none\": none"},
    {.name = "certificate",
     .type = OPT_FILE,
     FIELD(certificate),
     .flags = OPT_RELOAD,
     .help = "PEM file for wss and tls listeners: certificate and chain"},
    {.name = "key",
     .type = OPT_FILE,
     FIELD(key),
     .flags = OPT_RELOAD,
     .help = "PEM file: the certificate's key"},
    {.name = "server-ca",
     .type = OPT_FILE,
     FIELD(server_ca),
     .flags = OPT_RELOAD,
     .help = "PEM file: who signs the certificates of tls media servers"},
    {.name = "token-key-file",
     .type = OPT_SECRET_FILE,
     FIELD(token_key),
     .min = 16,
     .max = 4096,
     .flags = OPT_RELOAD,
     .help = "key that signs flow tokens; not set: random at each start"},
    {.name = "token-key-previous-file",
     .type = OPT_SECRET_FILE,
     FIELD(token_key_previous),
     .min = 16,
     .max = 4096,
     .flags = OPT_RELOAD,
     .help = "key that is still accepted"},
    {.name = "node",
     .type = OPT_U16,
     FIELD(node),
     .fallback = "0",
     .help = "number of this edge among those that share a key"},
    {.name = "max-connections",
     .type = OPT_U32,
     FIELD(max_connections),
     .min = 1,
     .max = 1000000,
     .fallback = "20000",
     .help = "WebSocket connections and datagram clients at a time"},
    {.name = "max-transactions",
     .type = OPT_U32,
     FIELD(max_transactions),
     .min = 16,
     .max = 10000000,
     .fallback = "100000",
     .help = "SIP transactions at a time"},
    {.name = "max-pending",
     .type = OPT_U32,
     FIELD(max_pending),
     .min = 1,
     .max = 10000000,
     .fallback = "1000",
     .help = "requests of one connection that hold transactions at a time"},
    {.name = "rebind",
     .type = OPT_BOOL,
     FIELD(rebind),
     .fallback = "true",
     .flags = OPT_RELOAD,
     .help = "a client that registers on a new connection takes its calls with "
             "it"},
    {.name = "park-time",
     .type = OPT_DURATION,
     FIELD(park_time),
     .max = 30000,
     .fallback = "5s",
     .flags = OPT_RELOAD,
     .help = "how long requests for a registered client whose connection broke "
             "wait for it to come back; 0: 430 at once"},
    {.name = "park-requests",
     .type = OPT_U32,
     FIELD(park_requests),
     .max = 100000,
     .fallback = "1000",
     .flags = OPT_RELOAD,
     .help = "requests that wait so, per worker; their bytes are limited, too"},
    {.name = "decision-trail",
     .type = OPT_U32,
     FIELD(decision_trail),
     .max = 1000000,
     .fallback = "1000",
     .help = "requests per worker that /sip/why knows about; 0: none"},
    {.name = "transaction-memory",
     .type = OPT_SIZE,
     FIELD(transaction_memory),
     .min = 1 << 20,
     .fallback = "256m",
     .help = "messages kept for retransmission, all together"},
    {.name = "max-message",
     .type = OPT_SIZE,
     FIELD(max_message),
     .min = 1024,
     .max = SIP_MESSAGE_MAX,
     .fallback = "65535",
     .help = "longest SIP message"},
    {.name = "max-forwards",
     .type = OPT_U32,
     FIELD(max_forwards),
     .min = 1,
     .max = 255,
     .fallback = "70",
     .flags = OPT_RELOAD,
     .help = "cap of Max-Forwards in what is forwarded"},
    {.name = "datagram-size",
     .type = OPT_SIZE,
     FIELD(datagram_size),
     .min = 500,
     .max = SIP_MESSAGE_MAX,
     .fallback = "1300",
     .flags = OPT_RELOAD,
     .help = "longer datagrams are counted: they need fragments"},
    {.name = "ping-interval",
     .type = OPT_DURATION,
     FIELD(ping_interval),
     .min = 1000,
     .max = 3600000,
     .fallback = "25s",
     .flags = OPT_RELOAD,
     .help = "silence after which a WebSocket ping is sent, with jitter"},
    {.name = "idle-timeout",
     .type = OPT_DURATION,
     FIELD(idle_timeout),
     .min = 2000,
     .max = 86400000,
     .fallback = "80s",
     .flags = OPT_RELOAD,
     .help = "silence, pings unanswered, after which it is closed"},
    {.name = "handshake-timeout",
     .type = OPT_DURATION,
     FIELD(handshake_timeout),
     .min = 100,
     .max = 120000,
     .fallback = "10s",
     .flags = OPT_RELOAD,
     .help = "for the HTTP upgrade to be complete"},
    {.name = "stream-idle-timeout",
     .type = OPT_DURATION,
     FIELD(stream_idle_timeout),
     .min = 1000,
     .max = 86400000,
     .fallback = "15m",
     .flags = OPT_RELOAD,
     .help = "silence after which a client's tcp or tls stream is closed"},
    {.name = "udp-flow-timeout",
     .type = OPT_DURATION,
     FIELD(udp_flow_timeout),
     .min = 10000,
     .max = 86400000,
     .fallback = "5m",
     .flags = OPT_RELOAD,
     .help = "silence after which an external UDP client is forgotten"},
    {.name = "timer-c",
     .type = OPT_DURATION,
     FIELD(timer_c),
     .min = 1000,
     .max = 3600000,
     .fallback = "185s",
     .flags = OPT_RELOAD,
     .help = "an INVITE that rings longer is cancelled (RFC 3261 16.8)"},
    {.name = "server-timeout",
     .type = OPT_DURATION,
     FIELD(server_timeout),
     .min = 100,
     .max = 32000,
     .fallback = "3s",
     .flags = OPT_RELOAD,
     .help = "silence of a media server after which the next is asked"},
    {.name = "probe-interval",
     .type = OPT_DURATION,
     FIELD(probe_interval),
     .max = 3600000,
     .fallback = "10s",
     .flags = OPT_RELOAD,
     .help = "between OPTIONS to each media server; 0: none are sent"},
    {.name = "probe-timeout",
     .type = OPT_DURATION,
     FIELD(probe_timeout),
     .min = 100,
     .max = 32000,
     .fallback = "2s",
     .flags = OPT_RELOAD,
     .help = "for an answer to it"},
    {.name = "down-after",
     .type = OPT_U32,
     FIELD(down_after),
     .min = 1,
     .max = 100,
     .fallback = "2",
     .flags = OPT_RELOAD,
     .help = "failures in a row that make a media server count as down"},
    {.name = "up-after",
     .type = OPT_U32,
     FIELD(up_after),
     .min = 1,
     .max = 100,
     .fallback = "1",
     .flags = OPT_RELOAD,
     .help = "answers in a row that make it count as up again"},
    {.name = "retire-time",
     .type = OPT_DURATION,
     FIELD(retire_time),
     .max = 604800000,
     .fallback = "4h",
     .flags = OPT_RELOAD,
     .help = "how long the dialogs of a media server go on that a reload or "
             "DNS has removed"},
    {.name = "connect-timeout",
     .type = OPT_DURATION,
     FIELD(connect_timeout),
     .min = 100,
     .max = 120000,
     .fallback = "5s",
     .flags = OPT_RELOAD,
     .help = "for a stream to a media server or partner to be open, TLS "
             "included"},
    {.name = "dscp",
     .type = OPT_U16,
     FIELD(dscp),
     .max = 63,
     .fallback = "0",
     .help = "DiffServ code point of all packets of SIP: 24 is CS3, 26 AF31, "
             "46 EF"},
    {.name = "echo-method",
     .type = OPT_STRING,
     FIELD(echo_method),
     .min = 1,
     .max = 32,
     .flags = OPT_RELOAD,
     .help = "method of requests from outside that are answered with "
             "themselves, to find routers that change SIP; not set: none"},
    {.name = "host",
     .type = OPT_OBJECT,
     FIELD(hosts),
     .flags = OPT_LIST | OPT_RELOAD,
     .object = &sip_config_host_table,
     .help = "address of a host name, known before DNS is asked: "
             "pbx=10.0.0.10"},
    {.name = "dns-server",
     .type = OPT_ADDR,
     FIELD(dns_servers),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "name servers; not set: those of the system"},
    {.name = "dns-max-ttl",
     .type = OPT_DURATION,
     FIELD(dns_max_ttl),
     .min = 1000,
     .max = 86400000,
     .fallback = "5m",
     .flags = OPT_RELOAD,
     .help = "longest time an answer of DNS is good for, also \"there is "
             "none\""},
    {.name = "dns-fail-ttl",
     .type = OPT_DURATION,
     FIELD(dns_fail_ttl),
     .min = 1000,
     .max = 3600000,
     .fallback = "5s",
     .flags = OPT_RELOAD,
     .help = "time after which it is asked again when it failed"},
    {.name = "guard-exempt",
     .type = OPT_CIDR,
     FIELD(guard_exempt),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "never limited, never banned; not set: loopback. Trusted proxies "
             "never are"},
    {.name = "source-rate",
     .type = OPT_U32,
     FIELD(source_rate),
     .max = 1000000,
     .fallback = "500",
     .flags = OPT_RELOAD,
     .help = "requests per second from one address (IPv6: /64), per worker; 0: "
             "any"},
    {.name = "source-burst",
     .type = OPT_U32,
     FIELD(source_burst),
     .max = 10000000,
     .fallback = "10000",
     .flags = OPT_RELOAD,
     .help =
         "requests it may send at once; the last quarter only inside calls"},
    {.name = "connection-rate",
     .type = OPT_U32,
     FIELD(connection_rate),
     .max = 1000000,
     .fallback = "100",
     .flags = OPT_RELOAD,
     .help = "requests per second on one connection; 0: any"},
    {.name = "connection-burst",
     .type = OPT_U32,
     FIELD(connection_burst),
     .max = 10000000,
     .fallback = "1000",
     .flags = OPT_RELOAD,
     .help = "requests it may carry at once"},
    {.name = "handshake-rate",
     .type = OPT_U32,
     FIELD(handshake_rate),
     .max = 1000000,
     .fallback = "1000",
     .flags = OPT_RELOAD,
     .help =
         "TLS handshakes that may begin in a second, from outside, twice as "
         "many at once; 0: no limit"},
    {.name = "source-handshake-rate",
     .type = OPT_U32,
     FIELD(source_handshake_rate),
     .max = 1000000,
     .fallback = "100",
     .flags = OPT_RELOAD,
     .help = "the same for one address (IPv6: /64)"},
    {.name = "user-rate",
     .type = OPT_U32,
     FIELD(user_rate),
     .max = 1000000,
     .fallback = "50",
     .flags = OPT_RELOAD,
     .help = "requests per second of one user (From) at one address; 0: any"},
    {.name = "user-burst",
     .type = OPT_U32,
     FIELD(user_burst),
     .max = 10000000,
     .fallback = "1000",
     .flags = OPT_RELOAD,
     .help = "requests of one user at once"},
    {.name = "connect-rate",
     .type = OPT_U32,
     FIELD(connect_rate),
     .max = 1000000,
     .fallback = "50",
     .flags = OPT_RELOAD,
     .help = "new connections per second from one address (IPv6: /64), per "
             "worker; 0: any"},
    {.name = "connect-burst",
     .type = OPT_U32,
     FIELD(connect_burst),
     .max = 10000000,
     .fallback = "2000",
     .flags = OPT_RELOAD,
     .help = "new connections at once: an office that comes back"},
    {.name = "source-connections",
     .type = OPT_U32,
     FIELD(source_connections),
     .max = 1000000,
     .fallback = "5000",
     .flags = OPT_RELOAD,
     .help = "connections and datagram clients of one address (IPv6: /64) at a "
             "time, per worker; 0: any"},
    {.name = "source-pending",
     .type = OPT_U32,
     FIELD(source_pending),
     .max = 10000000,
     .fallback = "5000",
     .flags = OPT_RELOAD,
     .help = "requests under way of one address (IPv6: /64), per worker; 0: "
             "any"},
    {.name = "message-timeout",
     .type = OPT_DURATION,
     FIELD(message_timeout),
     .min = 100,
     .max = 600000,
     .fallback = "20s",
     .flags = OPT_RELOAD,
     .help = "for a message that has begun to be whole, from outside"},
    {.name = "unknown-users",
     .type = OPT_U32,
     FIELD(unknown_users),
     .max = 1000000,
     .fallback = "100",
     .flags = OPT_RELOAD,
     .help = "answers that a user is not there, within auth-window, to who has "
             "not registered, after which a source is banned; 0: never"},
    {.name = "auth-failures",
     .type = OPT_U32,
     FIELD(auth_failures),
     .max = 1000000,
     .fallback = "30",
     .flags = OPT_RELOAD,
     .help = "refused credentials after which a source is banned; 0: never"},
    {.name = "user-failures",
     .type = OPT_U32,
     FIELD(user_failures),
     .max = 1000000,
     .fallback = "60",
     .flags = OPT_RELOAD,
     .help = "after which a user gets in from known places only; 0: never"},
    {.name = "auth-window",
     .type = OPT_DURATION,
     FIELD(auth_window),
     .min = 1000,
     .max = 86400000,
     .fallback = "5m",
     .flags = OPT_RELOAD,
     .help = "in which these are counted"},
    {.name = "ban-time",
     .type = OPT_DURATION,
     FIELD(ban_time),
     .min = 1000,
     .max = 86400000,
     .fallback = "10m",
     .flags = OPT_RELOAD,
     .help = "how long a ban lasts"},
    {.name = "block-scanners",
     .type = OPT_BOOL,
     FIELD(block_scanners),
     .fallback = "true",
     .flags = OPT_RELOAD,
     .help = "hear nothing from known scanners"},
};

bool sip_config_has_group(const struct sip_config *cfg, const char *name)
{
    for (size_t i = 0; i < cfg->media_servers.n; i++) {
        if (span_is_nocase(span_str(name), cfg->media_servers.items[i].group))
            return true;
    }
    return false;
}

static void check_groups(struct config_build *build,
                         const struct sip_config *cfg)
{
    for (size_t i = 0; i < cfg->domains.n; i++) {
        const struct sip_domain_setting *d = &cfg->domains.items[i];

        if (d->group && !sip_config_has_group(cfg, d->group))
            config_error(build, "domain", "%s: no media-server of group \"%s\"",
                         d->name, d->group);
    }
    for (size_t i = 0; i < cfg->listen.n; i++) {
        const struct sip_listen *l = &cfg->listen.items[i];

        if (l->group && !sip_config_has_group(cfg, l->group))
            config_error(build, "listen", "no media-server of group \"%s\"",
                         l->group);
    }
}

/* Without these a message cannot be forwarded, or comes back nowhere. */
static bool is_needed(struct span name)
{
    switch (sip_hdr_lookup(name)) {
    case SIP_HDR_VIA:
    case SIP_HDR_FROM:
    case SIP_HDR_TO:
    case SIP_HDR_CALL_ID:
    case SIP_HDR_CSEQ:
    case SIP_HDR_MAX_FORWARDS:
    case SIP_HDR_CONTENT_LENGTH:
    case SIP_HDR_CONTENT_TYPE:
    case SIP_HDR_CONTACT:
    case SIP_HDR_ROUTE:
    case SIP_HDR_RECORD_ROUTE:
    case SIP_HDR_PATH:
    case SIP_HDR_SUPPORTED:
        return true;
    default:
        return false;
    }
}

static void check_strip(struct config_build *build,
                        const struct sip_config *cfg)
{
    if (cfg->strip_headers.n > SIP_STRIP_MAX)
        config_error(build, "strip-header", "at most %d", SIP_STRIP_MAX);
    for (size_t i = 0; i < cfg->strip_headers.n; i++) {
        struct span name = span_str(cfg->strip_headers.items[i]);

        if (!sip_is_token(name))
            config_error(build, "strip-header", "\"%.*s\" is no header name",
                         SPAN_FMT(name));
        else if (is_needed(name))
            config_error(build, "strip-header", "%.*s cannot be removed",
                         SPAN_FMT(name));
    }
}

static void check(struct config_build *build, void *values)
{
    struct sip_config *cfg = values;

    sip_config_check_listen(build, cfg);
    sip_config_check_servers(build, cfg);
    check_groups(build, cfg);
    sip_config_check_partners(build, cfg);
    if (cfg->echo_method &&
        (!sip_is_token(span_str(cfg->echo_method)) ||
         sip_method_lookup(span_str(cfg->echo_method)) != SIP_METHOD_OTHER))
        config_error(build, "echo-method",
                     "%s: a name of its own, of letters and digits",
                     cfg->echo_method);
    if (cfg->dns_servers.n > SIP_DNS_SERVERS_MAX)
        config_error(build, "dns-server", "at most %d", SIP_DNS_SERVERS_MAX);
    if (cfg->domains.n > SIP_DOMAINS_MAX)
        config_error(build, "domain", "at most %d", SIP_DOMAINS_MAX);
    if (cfg->inside_sources.n > SIP_INSIDE_MAX)
        config_error(build, "inside-source", "at most %d", SIP_INSIDE_MAX);
    check_strip(build, cfg);
    if (cfg->guard_exempt.n + cfg->trusted_proxies.n > SIP_EXEMPT_MAX - 2)
        config_error(build, "guard-exempt",
                     "at most %d, with trusted-proxy together",
                     SIP_EXEMPT_MAX - 2);
    if (cfg->websocket_path && cfg->websocket_path[0] != '/')
        config_error(build, "websocket-path", "must begin with /");
    if (cfg->idle_timeout <= cfg->ping_interval)
        config_error(build, "idle-timeout", "must be above ping-interval");
    if (!cfg->certificate != !cfg->key)
        config_error(build, cfg->certificate ? "key" : "certificate",
                     "certificate and key go together");
    if (cfg->token_key_previous.path && !cfg->token_key.path)
        config_error(build, "token-key-previous-file",
                     "needs token-key-file too");
}

const struct config_spec sip_config_spec = {
    .program = "sip-proxy",
    .summary = "SIP edge proxy: WebSocket clients outside, media servers "
               "inside",
    .table = {options, ARRAY_SIZE(options), sizeof(struct sip_config), NULL},
    .check = check,
};
