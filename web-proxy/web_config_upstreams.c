/* SPDX-License-Identifier: MIT */
#include "web_config.h"

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
     .values = "http=80|https=443|tcp|tls",
     .flags = OPT_LIST | OPT_REQUIRED,
     .help = "https://host:port or http://host:port, for streams tls:// or "
             "tcp://; several are equal servers that share the requests"},
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
    {.name = "hash-key",
     .type = OPT_ENUM,
     .offset = FIELD(hash_key),
     .values = "client|cookie|path|argument",
     .fallback = "client",
     .help = "what hash goes by: the client's address, a cookie, the path, or "
             "an argument of the query; the address where that is missing"},
    {.name = "hash-name",
     .type = OPT_STRING,
     .offset = FIELD(hash_name),
     .min = 1,
     .max = 64,
     .help = "name of the cookie or argument"},
    {.name = "drain",
     .type = OPT_STRING,
     .offset = FIELD(drain),
     .min = 1,
     .max = 260,
     .flags = OPT_LIST,
     .help = "host:port of servers that get no new requests; those under way "
             "and WebSockets go on"},
    {.name = "slow-start",
     .type = OPT_DURATION,
     .offset = FIELD(slow_start),
     .max = 3600000,
     .fallback = "0",
     .help = "how long a server that is back takes until it has its whole "
             "share (not with hash)"},
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
    {.name = "check-connect",
     .type = OPT_BOOL,
     .offset = FIELD(check_connect),
     .fallback = "false",
     .help = "check every server by a connection alone, TLS included"},
    {.name = "check-port",
     .type = OPT_U16,
     .offset = FIELD(check_port),
     .help = "another port of the servers to check"},
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
    {.name = "certificate",
     .type = OPT_FILE,
     .offset = FIELD(certificate),
     .help = "https: PEM file of a certificate to show the back end, with its "
             "chain"},
    {.name = "key",
     .type = OPT_FILE,
     .offset = FIELD(key),
     .help = "https: PEM file of that certificate's key"},
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
     .help = "connections of each worker to each server"},
    {.name = "queue",
     .type = OPT_U32,
     .offset = FIELD(queue),
     .max = 1000000,
     .fallback = "0",
     .help = "requests of each worker that may wait when all servers have as "
             "many as that; over it 503"},
    {.name = "queue-time",
     .type = OPT_DURATION,
     .offset = FIELD(queue_time),
     .min = 10,
     .max = 600000,
     .fallback = "5s",
     .help = "how long; then 503"},
};
#undef FIELD

const struct option_table web_config_upstreams_table = {
    upstream_options, ARRAY_SIZE(upstream_options),
    sizeof(struct web_config_upstream), "name=url"};

/* ---- what the rows cannot say ---- */

const struct web_config_upstream *
web_config_find_upstream(const struct web_config *c, const char *name)
{
    for (size_t i = 0; i < c->upstreams.n; i++) {
        if (strcmp(c->upstreams.items[i].name, name) == 0)
            return &c->upstreams.items[i];
    }
    return NULL;
}

bool web_config_is_https(const struct web_config_upstream *u)
{
    int kind = u->urls.n > 0 ? u->urls.items[0].transport : WEB_UPSTREAM_HTTP;

    return kind == WEB_UPSTREAM_HTTPS || kind == WEB_UPSTREAM_TLS;
}

bool web_config_is_stream(const struct web_config_upstream *u)
{
    int kind = u->urls.n > 0 ? u->urls.items[0].transport : WEB_UPSTREAM_HTTP;

    return kind == WEB_UPSTREAM_TCP || kind == WEB_UPSTREAM_TLS;
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
    char key[WEB_CONFIG_KEY_SIZE];

    web_config_key(key, "upstream", i, "url");
    if (u->urls.n > WEB_BACKENDS_MAX)
        config_error(build, key, "%zu servers; at most %d are allowed",
                     u->urls.n, WEB_BACKENDS_MAX);
    for (size_t k = 1; k < u->urls.n; k++) {
        const struct endpoint *e = &u->urls.items[k];

        if (e->transport != u->urls.items[0].transport)
            config_error(build, key, "mixes %s and %s", u->urls.items[0].scheme,
                         e->scheme);
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
    if (web_config_is_stream(u) && u->check_path)
        config_error(build, web_config_key(key, "upstream", i, "check-path"),
                     "says nothing: %s carries no HTTP; there is "
                     "check-connect",
                     u->urls.items[0].scheme);
    if (u->check_path && u->check_connect)
        config_error(build, web_config_key(key, "upstream", i, "check-path"),
                     "excludes check-connect");
    if (u->check_path && !is_check_path(u->check_path))
        config_error(build, web_config_key(key, "upstream", i, "check-path"),
                     "\"%s\" does not start with /, or has a blank in it",
                     u->check_path);
    if (u->weights.n > 0 && u->weights.n != u->urls.n)
        config_error(build, web_config_key(key, "upstream", i, "weights"),
                     "%zu given for %zu servers", u->weights.n, u->urls.n);
}

static void check_balance(struct config_build *build,
                          const struct web_config_upstream *u, size_t i)
{
    bool named =
        u->hash_key == WEB_HASH_COOKIE || u->hash_key == WEB_HASH_ARGUMENT;
    char key[WEB_CONFIG_KEY_SIZE];

    if (named != (u->hash_name != NULL))
        config_error(build, web_config_key(key, "upstream", i, "hash-name"),
                     "goes with hash-key=cookie and argument, and they with "
                     "it");
    if (!u->certificate != !u->key)
        config_error(build, web_config_key(key, "upstream", i, "key"),
                     "goes with certificate, and that with it");
    if (u->certificate && !web_config_is_https(u))
        config_error(build, web_config_key(key, "upstream", i, "certificate"),
                     "says nothing without TLS");
    for (size_t k = 0; k < u->drain.n; k++) {
        if (!web_config_drains(u, u->drain.items[k], NULL))
            config_error(build, web_config_key(key, "upstream", i, "drain"),
                         "\"%s\" is not host:port of one of its servers",
                         u->drain.items[k]);
    }
}

bool web_config_drains(const struct web_config_upstream *u, const char *text,
                       const struct endpoint *server)
{
    char name[300];

    for (size_t i = 0; i < u->urls.n; i++) {
        const struct endpoint *e = &u->urls.items[i];
        bool v6 = e->addr.family == ADDR_V6;

        if (server && server != e)
            continue;
        (void)snprintf(name, sizeof(name), v6 ? "[%s]:%u" : "%s:%u", e->host,
                       e->port);
        if (strcmp(name, text) == 0)
            return true;
    }
    return false;
}

void web_config_upstreams_check(struct config_build *build,
                                const struct web_config *c)
{
    char key[WEB_CONFIG_KEY_SIZE];

    for (size_t i = 0; i < c->upstreams.n; i++) {
        const struct web_config_upstream *u = &c->upstreams.items[i];

        for (size_t k = 0; k < i; k++) {
            if (strcmp(u->name, c->upstreams.items[k].name) == 0)
                config_error(build, web_config_key(key, "upstream", i, "name"),
                             "\"%s\" is there twice", u->name);
        }
        check_servers(build, u, i);
        check_balance(build, u, i);
        if (web_config_is_https(u) && !u->verify)
            config_warn(build, web_config_key(key, "upstream", i, "verify"),
                        "off: anybody on the way can be the back end");
    }
}
