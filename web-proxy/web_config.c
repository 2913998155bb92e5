/* SPDX-License-Identifier: MIT */
#include "web_config.h"

#include "web_tokens.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdio.h>

#define FIELD(f) offsetof(struct web_config_upstream, f)
static const struct option_def upstream_options[] = {
    {.name = "name",
     .type = OPT_STRING,
     .offset = FIELD(name),
     .min = 1,
     .max = 64,
     .flags = OPT_REQUIRED,
     .help = "what routes call it"},
    {.name = "url",
     .type = OPT_ENDPOINT,
     .offset = FIELD(urls),
     .values = "http=80|https=443",
     .flags = OPT_LIST | OPT_REQUIRED,
     .help = "https://host:port or http://host:port; several are equal "
             "servers that share the requests"},
    {.name = "weights",
     .type = OPT_U32,
     .offset = FIELD(weights),
     .min = 1,
     .max = WEB_WEIGHT_MAX,
     .flags = OPT_LIST,
     .help = "shares of the servers, in the order of url; otherwise equal"},
    {.name = "balance",
     .type = OPT_ENUM,
     .offset = FIELD(balance),
     .values = "round-robin|least-connections|hash",
     .fallback = "round-robin",
     .help = "which server a request goes to: each in turn, the one with the "
             "fewest of this worker's connections in use, or by the client's "
             "address (IPv6: /64)"},
    {.name = "max-fails",
     .type = OPT_U32,
     .offset = FIELD(max_fails),
     .max = 1000000,
     .fallback = "3",
     .help = "of several servers one is taken out after so many failures in a "
             "row (no connection, no answer, not HTTP); 0: never"},
    {.name = "fail-time",
     .type = OPT_DURATION,
     .offset = FIELD(fail_time),
     .min = 100,
     .max = 3600000,
     .fallback = "10s",
     .help = "and within this time"},
    {.name = "out-time",
     .type = OPT_DURATION,
     .offset = FIELD(out_time),
     .min = 100,
     .max = 3600000,
     .fallback = "10s",
     .help = "how long; then one request tries it"},
    {.name = "check-path",
     .type = OPT_STRING,
     .offset = FIELD(check_path),
     .min = 1,
     .max = 512,
     .help = "check every server by a GET of this path; one that is down gets "
             "no requests"},
    {.name = "check-interval",
     .type = OPT_DURATION,
     .offset = FIELD(check_interval),
     .min = 100,
     .max = 3600000,
     .fallback = "5s",
     .help = "from one check of a server to the next, a tenth more or less"},
    {.name = "check-timeout",
     .type = OPT_DURATION,
     .offset = FIELD(check_timeout),
     .min = 10,
     .max = 600000,
     .fallback = "2s",
     .help = "for connection and answer"},
    {.name = "check-status",
     .type = OPT_U16,
     .offset = FIELD(check_status),
     .max = 599,
     .fallback = "0",
     .help = "answer that is good; 0: any 2xx or 3xx"},
    {.name = "check-fall",
     .type = OPT_U32,
     .offset = FIELD(check_fall),
     .min = 1,
     .max = 1000,
     .fallback = "3",
     .help = "bad checks in a row until a server is down"},
    {.name = "check-rise",
     .type = OPT_U32,
     .offset = FIELD(check_rise),
     .min = 1,
     .max = 1000,
     .fallback = "2",
     .help = "good checks in a row until it is up again"},
    {.name = "host",
     .type = OPT_STRING,
     .offset = FIELD(host_field),
     .max = 255,
     .help = "Host to send instead of the client's"},
    {.name = "server-name",
     .type = OPT_STRING,
     .offset = FIELD(server_name),
     .max = 253,
     .help = "https: name to ask for and to find in the certificate, when it "
             "is not the host of the url"},
    {.name = "ca-file",
     .type = OPT_FILE,
     .offset = FIELD(ca_file),
     .help = "https: PEM file of the authorities to trust; otherwise the "
             "system's"},
    {.name = "verify",
     .type = OPT_BOOL,
     .offset = FIELD(verify),
     .fallback = "true",
     .help = "https: check the certificate"},
    {.name = "connect-timeout",
     .type = OPT_DURATION,
     .offset = FIELD(connect_timeout),
     .min = 10,
     .max = 600000,
     .fallback = "5s",
     .help = "for name, TCP and TLS together"},
    {.name = "idle-timeout",
     .type = OPT_DURATION,
     .offset = FIELD(idle_timeout),
     .max = 3600000,
     .fallback = "50s",
     .help = "how long an unused connection is kept; shorter when the back "
             "end says so (Keep-Alive)"},
    {.name = "idle-connections",
     .type = OPT_U32,
     .offset = FIELD(idle_connections),
     .max = 100000,
     .fallback = "64",
     .help = "unused connections to each server kept by each worker"},
    {.name = "connections",
     .type = OPT_U32,
     .offset = FIELD(connections),
     .min = 1,
     .max = 1000000,
     .fallback = "20000",
     .help = "connections of each worker to each server; over it 503"},
};
#undef FIELD

#define FIELD(f) offsetof(struct web_config_zone, f)
static const struct option_def zone_options[] = {
    {.name = "name",
     .type = OPT_STRING,
     .offset = FIELD(name),
     .min = 1,
     .max = 64,
     .flags = OPT_REQUIRED,
     .help = "what routes call it"},
    {.name = "rate",
     .type = OPT_STRING,
     .offset = FIELD(rate),
     .min = 4,
     .max = 32,
     .flags = OPT_REQUIRED,
     .help = "requests of one client: 30r/s, 20r/m"},
    {.name = "clients",
     .type = OPT_U32,
     .offset = FIELD(clients),
     .min = 16,
     .max = 10000000,
     .fallback = "20000",
     .help = "clients remembered; the one not seen for longest is forgotten"},
};
#undef FIELD

#define FIELD(f) offsetof(struct web_config_route, f)
static const struct option_def route_options[] = {
    {.name = "path",
     .type = OPT_STRING,
     .offset = FIELD(path),
     .min = 1,
     .max = 512,
     .flags = OPT_REQUIRED,
     .help = "prefix, by whole segments; /name-* for the rest of a segment"},
    {.name = "upstream",
     .type = OPT_STRING,
     .offset = FIELD(upstream),
     .max = 64,
     .help = "where requests go"},
    {.name = "host",
     .type = OPT_STRING,
     .offset = FIELD(host),
     .max = 253,
     .help = "only for this host; *.example.com for one more label"},
    {.name = "redirect",
     .type = OPT_STRING,
     .offset = FIELD(redirect),
     .max = 1024,
     .help = "answer 308 to this address instead"},
    {.name = "zone",
     .type = OPT_STRING,
     .offset = FIELD(zone),
     .max = 64,
     .help = "rate zone"},
    {.name = "burst",
     .type = OPT_U32,
     .offset = FIELD(burst),
     .max = 100000,
     .fallback = "0",
     .help = "requests above the rate before 429"},
    {.name = "nodelay",
     .type = OPT_BOOL,
     .offset = FIELD(nodelay),
     .fallback = "false",
     .help = "pass the burst at once, not paced"},
    {.name = "token",
     .type = OPT_ENUM,
     .offset = FIELD(token),
     .values = "none|present|format|valid",
     .fallback = "none",
     .help = "check of the token argument: there, or three base64url parts; "
             "valid: a JSON Web Token as token-policy asks, else 401"},
    {.name = "token-name",
     .type = OPT_STRING,
     .offset = FIELD(token_name),
     .min = 1,
     .max = 64,
     .fallback = "token",
     .help = "its name"},
    {.name = "token-policy",
     .type = OPT_STRING,
     .offset = FIELD(token_policy),
     .max = 64,
     .help = "what a valid token is"},
    {.name = "websocket",
     .type = OPT_ENUM,
     .offset = FIELD(websocket),
     .values = "no|yes|only",
     .fallback = "no",
     .help = "may WebSockets be opened, or nothing else"},
    {.name = "origins",
     .type = OPT_STRING,
     .offset = FIELD(origins),
     .min = 1,
     .max = 255,
     .flags = OPT_LIST,
     .help = "besides the host itself, whose pages may open WebSockets; * for "
             "all"},
    {.name = "body-size",
     .type = OPT_SIZE,
     .offset = FIELD(body_size),
     .fallback = "16m",
     .help = "bytes of a request's content; over it 413"},
    {.name = "first-byte-timeout",
     .type = OPT_DURATION,
     .offset = FIELD(first_byte_timeout),
     .min = 10,
     .max = 86400000,
     .fallback = "60s",
     .help = "from a request's end to its answer"},
    {.name = "idle-timeout",
     .type = OPT_DURATION,
     .offset = FIELD(idle_timeout),
     .min = 10,
     .max = 86400000,
     .fallback = "60s",
     .help = "between two parts of an answer"},
    {.name = "websocket-timeout",
     .type = OPT_DURATION,
     .offset = FIELD(websocket_timeout),
     .min = 10,
     .max = 604800000,
     .fallback = "10m",
     .help = "a WebSocket without traffic"},
};
#undef FIELD

static const struct option_table upstream_table = {
    upstream_options, ARRAY_SIZE(upstream_options),
    sizeof(struct web_config_upstream), "name=url"};
static const struct option_table zone_table = {
    zone_options, ARRAY_SIZE(zone_options), sizeof(struct web_config_zone),
    "name=rate"};
static const struct option_table route_table = {
    route_options, ARRAY_SIZE(route_options), sizeof(struct web_config_route),
    "path=upstream"};

#define FIELD(f) offsetof(struct web_config, f)
static const struct option_def options[] = {
    {.name = "listen",
     .type = OPT_ENDPOINT,
     .offset = FIELD(listen),
     .values = "https=443|http=80|redirect=80",
     .flags = OPT_LIST | OPT_NUMERIC | OPT_REQUIRED,
     .help = "https:address:port; http: without TLS; redirect: without TLS, "
             "answers where HTTPS is"},
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
    {.name = "external-port",
     .type = OPT_U16,
     .offset = FIELD(external_port),
     .min = 1,
     .fallback = "443",
     .flags = OPT_RELOAD,
     .help = "port of HTTPS as clients see it, for redirects"},
    {.name = "upstream",
     .type = OPT_OBJECT,
     .object = &upstream_table,
     .offset = FIELD(upstreams),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "a back end: name=https://host:port"},
    {.name = "zone",
     .type = OPT_OBJECT,
     .object = &zone_table,
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
     .object = &route_table,
     .offset = FIELD(routes),
     .flags = OPT_LIST | OPT_RELOAD | OPT_REQUIRED,
     .help = "a published path: /path=upstream; all others are 404"},
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

/* ---- what the rows cannot say ---- */

enum { KEY_SIZE = 64 };

static const char *key_of(char out[KEY_SIZE], const char *list, size_t i,
                          const char *name)
{
    snprintf(out, KEY_SIZE, "%s[%zu].%s", list, i, name);
    return out;
}

static void check_tls(struct config_build *build, const struct web_config *c)
{
    bool https = false;

    for (size_t i = 0; i < c->listen.n; i++)
        https = https || c->listen.items[i].transport == WEB_LISTEN_HTTPS;
    if (https && c->certificates.n == 0)
        config_error(build, "certificate", "needed for a listener of HTTPS");
    if (c->certificates.n != c->keys.n)
        config_error(build, "key",
                     "%zu given for %zu certificates; each needs its own",
                     c->keys.n, c->certificates.n);
}

bool web_config_is_https(const struct web_config_upstream *u)
{
    return u->urls.n > 0 && u->urls.items[0].transport == WEB_UPSTREAM_HTTPS;
}

/* As it goes into a request line. */
static bool is_check_path(const char *path)
{
    for (const char *c = path; *c; c++) {
        if (*c <= ' ' || *c > '~')
            return false;
    }
    return path[0] == '/';
}

static void check_servers(struct config_build *build,
                          const struct web_config_upstream *u, size_t i)
{
    char key[KEY_SIZE];

    key_of(key, "upstream", i, "url");
    if (u->urls.n > WEB_BACKENDS_MAX)
        config_error(build, key, "%zu servers; at most %d are allowed",
                     u->urls.n, WEB_BACKENDS_MAX);
    for (size_t k = 1; k < u->urls.n; k++) {
        const struct endpoint *e = &u->urls.items[k];

        if (e->transport != u->urls.items[0].transport)
            config_error(build, key, "mixes https and http");
        for (size_t j = 0; j < k; j++) {
            if (strcmp(e->host, u->urls.items[j].host) == 0 &&
                e->port == u->urls.items[j].port)
                config_error(build, key, "\"%s:%u\" is there twice", e->host,
                             e->port);
        }
    }
    if (!web_config_is_https(u) && (u->ca_file || u->server_name))
        config_error(build, key,
                     "is not https: ca-file and server-name say nothing");
    if (u->check_path && !is_check_path(u->check_path))
        config_error(build, key_of(key, "upstream", i, "check-path"),
                     "\"%s\" does not start with /, or has a blank in it",
                     u->check_path);
    if (u->weights.n > 0 && u->weights.n != u->urls.n)
        config_error(build, key_of(key, "upstream", i, "weights"),
                     "%zu given for %zu servers", u->weights.n, u->urls.n);
}

static void check_upstreams(struct config_build *build,
                            const struct web_config *c)
{
    char key[KEY_SIZE];

    for (size_t i = 0; i < c->upstreams.n; i++) {
        const struct web_config_upstream *u = &c->upstreams.items[i];

        for (size_t k = 0; k < i; k++) {
            if (strcmp(u->name, c->upstreams.items[k].name) == 0)
                config_error(build, key_of(key, "upstream", i, "name"),
                             "\"%s\" is there twice", u->name);
        }
        check_servers(build, u, i);
        if (web_config_is_https(u) && !u->verify)
            config_warn(build, key_of(key, "upstream", i, "verify"),
                        "off: anybody on the way can be the back end");
    }
}

static void check_zones(struct config_build *build, const struct web_config *c)
{
    char key[KEY_SIZE];
    uint32_t rate;

    for (size_t i = 0; i < c->zones.n; i++) {
        const struct web_config_zone *z = &c->zones.items[i];

        for (size_t k = 0; k < i; k++) {
            if (strcmp(z->name, c->zones.items[k].name) == 0)
                config_error(build, key_of(key, "zone", i, "name"),
                             "\"%s\" is there twice", z->name);
        }
        if (web_zone_parse_rate(span_str(z->rate), &rate) < 0)
            config_error(build, key_of(key, "zone", i, "rate"),
                         "\"%s\" is not like 30r/s or 20r/m", z->rate);
    }
}

static bool has_upstream(const struct web_config *c, const char *name)
{
    for (size_t i = 0; i < c->upstreams.n; i++) {
        if (strcmp(c->upstreams.items[i].name, name) == 0)
            return true;
    }
    return false;
}

static bool has_zone(const struct web_config *c, const char *name)
{
    for (size_t i = 0; i < c->zones.n; i++) {
        if (strcmp(c->zones.items[i].name, name) == 0)
            return true;
    }
    return false;
}

static bool has_token_policy(const struct web_config *c, const char *name)
{
    for (size_t i = 0; i < c->tokens.n; i++) {
        if (strcmp(c->tokens.items[i].name, name) == 0)
            return true;
    }
    return false;
}

static void check_route_token(struct config_build *build,
                              const struct web_config *c, size_t i)
{
    const struct web_config_route *r = &c->routes.items[i];
    char key[KEY_SIZE];

    key_of(key, "route", i, "token-policy");
    if ((r->token == WEB_TOKEN_VALID) != (r->token_policy != NULL))
        config_error(build, key, "goes with token=valid, and that with it");
    else if (r->token_policy && !has_token_policy(c, r->token_policy))
        config_error(build, key, "there is no token-policy \"%s\"",
                     r->token_policy);
}

static bool is_host_pattern(const char *text)
{
    struct span s = span_str(text);
    struct web_host host;

    if (span_starts(s, "*."))
        s = span_from(s, 2);
    return web_host_parse(s, &host) == 0 && host.port == 0 &&
           span_equal(web_host_name(&host), s);
}

static void check_route(struct config_build *build, const struct web_config *c,
                        size_t i)
{
    const struct web_config_route *r = &c->routes.items[i];
    struct web_route scratch;
    char key[KEY_SIZE];

    if (web_route_set_path(&scratch, r->path) < 0)
        config_error(build, key_of(key, "route", i, "path"),
                     "\"%s\" is not a path in normal form (no escapes, no "
                     "//, no dots; * only at the end)",
                     r->path);
    if (!r->upstream == !r->redirect)
        config_error(build, key_of(key, "route", i, "upstream"),
                     "needs one of upstream and redirect");
    if (r->upstream && !has_upstream(c, r->upstream))
        config_error(build, key_of(key, "route", i, "upstream"),
                     "there is no upstream \"%s\"", r->upstream);
    if (r->zone && !has_zone(c, r->zone))
        config_error(build, key_of(key, "route", i, "zone"),
                     "there is no zone \"%s\"", r->zone);
    if (!r->zone && (r->burst > 0 || r->nodelay))
        config_error(build, key_of(key, "route", i, "burst"),
                     "says nothing without a zone");
    if (r->host && !is_host_pattern(r->host))
        config_error(build, key_of(key, "route", i, "host"),
                     "\"%s\" is not a host name in lower case", r->host);
    for (size_t k = 0; k < i; k++) {
        const struct web_config_route *o = &c->routes.items[k];

        if (strcmp(o->path, r->path) == 0 &&
            strcmp(o->host ? o->host : "", r->host ? r->host : "") == 0)
            config_error(build, key_of(key, "route", i, "path"),
                         "\"%s\" is there twice", r->path);
    }
}

static void check(struct config_build *build, void *values)
{
    const struct web_config *c = values;

    check_tls(build, c);
    check_upstreams(build, c);
    check_zones(build, c);
    web_tokens_check(build, c);
    for (size_t i = 0; i < c->routes.n; i++) {
        check_route(build, c, i);
        check_route_token(build, c, i);
    }
}

const struct config_spec web_config_spec = {
    .program = "web-proxy",
    .summary = "HTTPS front door: publishes chosen paths of back ends",
    .table = {options, ARRAY_SIZE(options), sizeof(struct web_config), NULL},
    .check = check,
};
