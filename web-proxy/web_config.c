/* SPDX-License-Identifier: MIT */
#include "web_config.h"

#include "web_tokens.h"

#include "base/mem.h"

#include <stdio.h>

#define FIELD(f) offsetof(struct web_config, f)
static const struct option_def options[] = {
    {.name = "listen",
     .type = OPT_ENDPOINT,
     .offset = FIELD(listen),
     .values = "https=443|http=80|redirect=80|shared=443|tcp|tls|"
               "connect=3128",
     .flags = OPT_LIST | OPT_NUMERIC | OPT_REQUIRED,
     .help = "https:address:port; http: without TLS; redirect: without TLS, "
             "answers where HTTPS is; shared: HTTPS, and the streams that "
             "choose by name, protocol or first bytes; tcp, tls: one stream; "
             "connect: the way out for clients inside (HTTP CONNECT)"},
    {.name = "proxy-from",
     .type = OPT_CIDR,
     .offset = FIELD(proxy_from),
     .flags = OPT_LIST,
     .help = "front ends whose connections begin with a PROXY protocol header "
             "that names the client"},
    {.name = "certificate",
     .type = OPT_FILE,
     .offset = FIELD(certificates),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "PEM file: certificate, then its chain; several are chosen by "
             "the name the client asks for"},
    {.name = "key",
     .type = OPT_FILE,
     .offset = FIELD(keys),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "PEM file of the certificate's key, in the same order"},
    {.name = "strict-sni",
     .type = OPT_BOOL,
     .offset = FIELD(strict_sni),
     .fallback = "false",
     .flags = OPT_RELOAD,
     .help = "refuse names that no certificate has"},
    {.name = "tls-min",
     .type = OPT_ENUM,
     .offset = FIELD(tls_min),
     .values = "1.2|1.3",
     .fallback = "1.2",
     .flags = OPT_RELOAD,
     .help = "lowest TLS version"},
    {.name = "client-auth",
     .type = OPT_OBJECT,
     .object = &web_config_clients_table,
     .offset = FIELD(clients),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "a host whose clients show certificates: api.example.com=ca.pem"},
    {.name = "external-port",
     .type = OPT_U16,
     .offset = FIELD(external_port),
     .min = 1,
     .fallback = "443",
     .flags = OPT_RELOAD,
     .help = "port of HTTPS as clients see it, for redirects"},
    {.name = "upstream",
     .type = OPT_OBJECT,
     .object = &web_config_upstreams_table,
     .offset = FIELD(upstreams),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "a back end: name=https://host:port"},
    {.name = "zone",
     .type = OPT_OBJECT,
     .object = &web_config_zones_table,
     .offset = FIELD(zones),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "a rate zone: name=30r/s"},
    {.name = "token-policy",
     .type = OPT_OBJECT,
     .object = &web_tokens_table,
     .offset = FIELD(tokens),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "a way to check tokens: name,jwks-file=keys.json"},
    {.name = "route",
     .type = OPT_OBJECT,
     .object = &web_config_routes_table,
     .offset = FIELD(routes),
     .flags = OPT_LIST | OPT_RELOAD | OPT_REQUIRED,
     .help = "a published path: /path=upstream; all others are 404"},
    {.name = "stream",
     .type = OPT_OBJECT,
     .object = &web_config_streams_table,
     .offset = FIELD(streams),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "connections passed on as they are: "
             "turn=upstream,server-names=turn.example.com"},
    {.name = "egress",
     .type = OPT_OBJECT,
     .object = &web_config_egress_table,
     .offset = FIELD(egress),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "where connect: leads to: api.push.apple.com:443,nets=17.0.0.0/8"},
    {.name = "egress-from",
     .type = OPT_CIDR,
     .offset = FIELD(egress_limits.from),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "clients that may use connect:"},
    {.name = "egress-connections",
     .type = OPT_U32,
     .offset = FIELD(egress_limits.connections),
     .min = 1,
     .max = 10000000,
     .fallback = "1000",
     .flags = OPT_RELOAD,
     .help = "their connections at a time"},
    {.name = "egress-connections-per-address",
     .type = OPT_U32,
     .offset = FIELD(egress_limits.connections_per_address),
     .max = 10000000,
     .fallback = "200",
     .flags = OPT_RELOAD,
     .help = "of them from one address or IPv6 /64; 0: no limit"},
    {.name = "egress-connect-timeout",
     .type = OPT_DURATION,
     .offset = FIELD(egress_limits.connect_timeout),
     .min = 10,
     .max = 600000,
     .fallback = "10s",
     .flags = OPT_RELOAD,
     .help = "for name and TCP together"},
    {.name = "egress-idle-timeout",
     .type = OPT_DURATION,
     .offset = FIELD(egress_limits.idle_timeout),
     .min = 10,
     .max = 604800000,
     .fallback = "1h",
     .flags = OPT_RELOAD,
     .help = "without a byte in either direction"},
    {.name = "egress-bytes",
     .type = OPT_SIZE,
     .offset = FIELD(egress_limits.bytes),
     .fallback = "0",
     .flags = OPT_RELOAD,
     .help = "bytes of one connection, both ways together; 0: no limit"},
    {.name = "resolver",
     .type = OPT_ADDR,
     .offset = FIELD(resolvers),
     .flags = OPT_LIST,
     .help = "name servers to ask; otherwise the system's"},
    {.name = "exempt",
     .type = OPT_CIDR,
     .offset = FIELD(exempt),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "clients that no rate zone limits"},
    {.name = "hsts",
     .type = OPT_DURATION,
     .offset = FIELD(hsts),
     .max = UINT64_C(63072000000),
     .fallback = "0",
     .flags = OPT_RELOAD,
     .help = "Strict-Transport-Security for so long; 0: none"},
    {.name = "hsts-subdomains",
     .type = OPT_BOOL,
     .offset = FIELD(hsts_subdomains),
     .fallback = "false",
     .flags = OPT_RELOAD,
     .help = "also for all names below the host's"},
    {.name = "answer-fields",
     .type = OPT_STRING,
     .offset = FIELD(answer_fields),
     .min = 2,
     .max = 2048,
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "header fields of all answers: \"Name: value\" replaces, "
             "\"+Name: value\" adds, \"-Name\" hides"},
    {.name = "error-page",
     .type = OPT_OBJECT,
     .object = &web_config_pages_table,
     .offset = FIELD(pages),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "a page for refusals and failures of ours: 5xx=busy.html"},
    {.name = "maintenance",
     .type = OPT_BOOL,
     .offset = FIELD(maintenance),
     .fallback = "false",
     .flags = OPT_RELOAD,
     .help = "answer 503 on every route"},
    {.name = "maintenance-time",
     .type = OPT_DURATION,
     .offset = FIELD(maintenance_time),
     .min = 1000,
     .max = 604800000,
     .fallback = "5m",
     .flags = OPT_RELOAD,
     .help = "Retry-After then"},
    {.name = "maintenance-testers",
     .type = OPT_CIDR,
     .offset = FIELD(testers),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "clients for whom there is no maintenance"},
    {.name = "via",
     .type = OPT_BOOL,
     .offset = FIELD(via),
     .fallback = "false",
     .flags = OPT_RELOAD,
     .help = "add a Via field towards back ends (nginx there stops "
             "compressing)"},
    {.name = "access-log",
     .type = OPT_BOOL,
     .offset = FIELD(access_log),
     .fallback = "true",
     .flags = OPT_RELOAD,
     .help = "one line a request"},
    {.name = "connections",
     .type = OPT_U32,
     .offset = FIELD(connections),
     .min = 1,
     .max = 10000000,
     .fallback = "20000",
     .flags = OPT_RELOAD,
     .help = "client connections at a time"},
    {.name = "connections-per-address",
     .type = OPT_U32,
     .offset = FIELD(connections_per_address),
     .max = 10000000,
     .fallback = "2000",
     .flags = OPT_RELOAD,
     .help = "of them from one address or IPv6 /64; 0: no limit"},
    {.name = "requests-per-connection",
     .type = OPT_U32,
     .offset = FIELD(requests_per_connection),
     .min = 1,
     .max = UINT32_MAX,
     .fallback = "10000",
     .flags = OPT_RELOAD,
     .help = "then it is closed"},
    {.name = "http2",
     .type = OPT_BOOL,
     .offset = FIELD(http2),
     .fallback = "true",
     .flags = OPT_RELOAD,
     .help = "offer HTTP/2 to clients of HTTPS"},
    {.name = "http2-streams",
     .type = OPT_U32,
     .offset = FIELD(h2_streams),
     .min = 1,
     .max = 1000,
     .fallback = "100",
     .flags = OPT_RELOAD,
     .help = "requests at a time on a connection of HTTP/2"},
    {.name = "http2-window",
     .type = OPT_SIZE,
     .offset = FIELD(h2_window),
     .min = 16384,
     .max = 262144,
     .fallback = "128k",
     .flags = OPT_RELOAD,
     .help = "content of one request taken ahead of its back end; twice as "
             "much of a connection"},
    {.name = "http2-resets",
     .type = OPT_U32,
     .offset = FIELD(h2_resets),
     .min = 10,
     .max = 100000,
     .fallback = "200",
     .flags = OPT_RELOAD,
     .help = "requests a client of HTTP/2 may give up at once, and a tenth "
             "each second; over it its connection is closed"},
    {.name = "http2-frames",
     .type = OPT_U32,
     .offset = FIELD(h2_frames),
     .min = 10,
     .max = 1000000,
     .fallback = "1000",
     .flags = OPT_RELOAD,
     .help = "the same for frames that carry nothing (PING, SETTINGS)"},
    {.name = "delayed-requests",
     .type = OPT_U32,
     .offset = FIELD(delayed),
     .max = 1000000,
     .fallback = "1000",
     .flags = OPT_RELOAD,
     .help = "requests of one worker held back by zones; over it 503"},
    {.name = "handshake-timeout",
     .type = OPT_DURATION,
     .offset = FIELD(handshake_timeout),
     .min = 100,
     .max = 600000,
     .fallback = "10s",
     .help = "for a TLS handshake"},
    {.name = "head-timeout",
     .type = OPT_DURATION,
     .offset = FIELD(head_timeout),
     .min = 10,
     .max = 600000,
     .fallback = "15s",
     .flags = OPT_RELOAD,
     .help = "for a whole request head"},
    {.name = "keepalive-timeout",
     .type = OPT_DURATION,
     .offset = FIELD(keepalive_timeout),
     .min = 10,
     .max = 86400000,
     .fallback = "75s",
     .flags = OPT_RELOAD,
     .help = "between two requests of a connection"},
    {.name = "body-timeout",
     .type = OPT_DURATION,
     .offset = FIELD(body_timeout),
     .min = 10,
     .max = 86400000,
     .fallback = "60s",
     .flags = OPT_RELOAD,
     .help = "between two parts of a request's content"},
    {.name = "write-timeout",
     .type = OPT_DURATION,
     .offset = FIELD(write_timeout),
     .min = 10,
     .max = 86400000,
     .fallback = "60s",
     .flags = OPT_RELOAD,
     .help = "without the client taking anything of its answer"},
    {.name = "head-size",
     .type = OPT_SIZE,
     .offset = FIELD(head_size),
     .min = 1024,
     .max = 65536,
     .fallback = "32k",
     .flags = OPT_RELOAD,
     .help = "bytes of a request head; over it 414 or 431"},
    {.name = "head-fields",
     .type = OPT_U32,
     .offset = FIELD(head_fields),
     .min = 8,
     .max = 1000,
     .fallback = "100",
     .flags = OPT_RELOAD,
     .help = "header fields of a request; over it 431"},
    {.name = "answer-head-size",
     .type = OPT_SIZE,
     .offset = FIELD(answer_head_size),
     .min = 1024,
     .max = 65536,
     .fallback = "32k",
     .flags = OPT_RELOAD,
     .help = "bytes of an answer's head; over it 502"},
};
#undef FIELD

const char *web_config_resolvers(const struct web_config *c,
                                 char out[WEB_CONFIG_RESOLVERS_SIZE])
{
    char text[ADDR_TEXT_SIZE];
    size_t len = 0;

    for (size_t i = 0; i < c->resolvers.n; i++) {
        struct addr a = c->resolvers.items[i];

        a.port = a.port ? a.port : 53;
        (void)addr_str(&a, text);
        if (len + strlen(text) + 2 > WEB_CONFIG_RESOLVERS_SIZE)
            break;
        len += (size_t)snprintf(out + len, WEB_CONFIG_RESOLVERS_SIZE - len,
                                "%s%s", i > 0 ? "," : "", text);
    }
    return c->resolvers.n > 0 ? out : NULL;
}

/* ---- what the rows cannot say ---- */

const char *web_config_key(char out[WEB_CONFIG_KEY_SIZE], const char *list,
                           size_t i, const char *name)
{
    snprintf(out, WEB_CONFIG_KEY_SIZE, "%s[%zu].%s", list, i, name);
    return out;
}

static void check_tls(struct config_build *build, const struct web_config *c)
{
    bool secure = false;

    for (size_t i = 0; i < c->listen.n; i++) {
        int kind = c->listen.items[i].transport;

        secure = secure || kind == WEB_LISTEN_HTTPS ||
                 kind == WEB_LISTEN_SHARED || kind == WEB_LISTEN_TLS;
    }
    if (secure && c->certificates.n == 0)
        config_error(build, "certificate", "needed for a listener of HTTPS");
    if (c->certificates.n != c->keys.n)
        config_error(build, "key",
                     "%zu given for %zu certificates; each needs its own",
                     c->keys.n, c->certificates.n);
}

static void check(struct config_build *build, void *values)
{
    const struct web_config *c = values;

    check_tls(build, c);
    web_config_upstreams_check(build, c);
    web_config_zones_check(build, c);
    web_tokens_check(build, c);
    web_config_routes_check(build, c);
    web_config_clients_check(build, c);
    web_config_streams_check(build, c);
    web_config_egress_check(build, c);
    web_config_pages_check(build, c);
    web_config_check_fields(build, "answer-fields", &c->answer_fields);
}

const struct config_spec web_config_spec = {
    .program = "web-proxy",
    .summary = "HTTPS front door: publishes chosen paths of back ends",
    .table = {options, ARRAY_SIZE(options), sizeof(struct web_config), NULL},
    .check = check,
};
