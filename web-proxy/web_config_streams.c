/* SPDX-License-Identifier: MIT */
#include "web_config.h"

#include "base/first_bytes.h"
#include "base/mem.h"
#include "proxy/web_host.h"

/* `plain` is the kind by position. */
_Static_assert(FIRST_STUN == 2 && FIRST_SIP == 3 && FIRST_HTTP == 4,
               "none|stun|sip|http begins one below");

#define FIELD(f) offsetof(struct web_config_stream, f)
static const struct option_def stream_options[] = {
    {.name = "name",
     .type = OPT_STRING,
     .offset = FIELD(name),
     .min = 1,
     .max = 64,
     .flags = OPT_REQUIRED,
     .help = "what /status and the log call it"},
    {.name = "upstream",
     .type = OPT_STRING,
     .offset = FIELD(upstream),
     .min = 1,
     .max = 64,
     .flags = OPT_REQUIRED,
     .help = "where connections go: one with tcp:// or tls://"},
    {.name = "port",
     .type = OPT_U16,
     .offset = FIELD(port),
     .fallback = "0",
     .help = "all connections of the listener tcp: or tls: with this port; 0: "
             "those of the shared listeners that the following choose"},
    {.name = "server-names",
     .type = OPT_STRING,
     .offset = FIELD(server_names),
     .min = 1,
     .max = 253,
     .flags = OPT_LIST,
     .help = "shared: TLS clients that ask for one of these names; "
             "*.example.com for one more label, * for every name without a "
             "certificate here"},
    {.name = "alpn",
     .type = OPT_STRING,
     .offset = FIELD(alpn),
     .min = 1,
     .max = 255,
     .flags = OPT_LIST,
     .help = "shared: TLS clients that offer one of these protocols (and whose "
             "name no route has); tls: what is agreed to"},
    {.name = "nameless",
     .type = OPT_BOOL,
     .offset = FIELD(nameless),
     .fallback = "false",
     .help = "shared: TLS clients that ask for no name at all, as some of SIP; "
             "browsers always do"},
    {.name = "plain",
     .type = OPT_ENUM,
     .offset = FIELD(plain),
     .values = "none|stun|sip|http",
     .fallback = "none",
     .help = "shared: clients without TLS that speak this"},
    {.name = "send-proxy",
     .type = OPT_BOOL,
     .offset = FIELD(send_proxy),
     .fallback = "false",
     .help = "tell the server the client's address by a PROXY protocol header, "
             "version 2; it has to expect one"},
    {.name = "connections",
     .type = OPT_U32,
     .offset = FIELD(connections),
     .min = 1,
     .max = 10000000,
     .fallback = "10000",
     .help = "connections at a time"},
    {.name = "connections-per-address",
     .type = OPT_U32,
     .offset = FIELD(connections_per_address),
     .max = 10000000,
     .fallback = "1000",
     .help = "of them from one address or IPv6 /64; 0: no limit"},
    {.name = "idle-timeout",
     .type = OPT_DURATION,
     .offset = FIELD(idle_timeout),
     .min = 10,
     .max = 604800000,
     .fallback = "15m",
     .help = "without a byte in either direction"},
};
#undef FIELD

const struct option_table web_config_streams_table = {
    stream_options, ARRAY_SIZE(stream_options),
    sizeof(struct web_config_stream), "name=upstream"};

/* ---- what the rows cannot say ---- */

static const struct endpoint *find_listener(const struct web_config *c,
                                            uint16_t port)
{
    for (size_t i = 0; i < c->listen.n; i++) {
        const struct endpoint *e = &c->listen.items[i];

        if ((e->transport == WEB_LISTEN_TCP ||
             e->transport == WEB_LISTEN_TLS) &&
            e->port == port)
            return e;
    }
    return NULL;
}

static bool has_shared(const struct web_config *c)
{
    for (size_t i = 0; i < c->listen.n; i++) {
        if (c->listen.items[i].transport == WEB_LISTEN_SHARED)
            return true;
    }
    return false;
}

static bool is_name_pattern(const char *text)
{
    struct span s = span_str(text);
    struct web_host host;

    if (span_is(s, "*"))
        return true;
    if (span_starts(s, "*."))
        s = span_from(s, 2);
    return web_host_parse(s, &host) == 0 && host.port == 0 &&
           span_equal(web_host_name(&host), s);
}

static void check_target(struct config_build *build, const struct web_config *c,
                         size_t i)
{
    const struct web_config_stream *s = &c->streams.items[i];
    const struct web_config_upstream *u =
        web_config_find_upstream(c, s->upstream);
    char key[WEB_CONFIG_KEY_SIZE];

    web_config_key(key, "stream", i, "upstream");
    if (!u)
        config_error(build, key, "there is no upstream \"%s\"", s->upstream);
    else if (!web_config_is_stream(u))
        config_error(build, key, "\"%s\" is not tcp:// or tls://", s->upstream);
}

/* On a port of its own. */
static void check_own(struct config_build *build, const struct web_config *c,
                      size_t i)
{
    const struct web_config_stream *s = &c->streams.items[i];
    const struct endpoint *e = find_listener(c, s->port);
    char key[WEB_CONFIG_KEY_SIZE];

    web_config_key(key, "stream", i, "port");
    if (!e)
        config_error(build, key, "no listener tcp: or tls: has port %u",
                     s->port);
    else if (e->transport == WEB_LISTEN_TCP && s->alpn.n > 0)
        config_error(build, key, "is not tls: alpn says nothing");
    if (s->server_names.n > 0 || s->plain > 0 || s->nameless)
        config_error(build, key,
                     "takes all: server-names, nameless and plain say nothing");
    for (size_t k = 0; k < i; k++) {
        if (c->streams.items[k].port == s->port)
            config_error(build, key, "%u is there twice", s->port);
    }
}

static void check_twice(struct config_build *build, const struct web_config *c,
                        size_t i)
{
    const struct web_config_stream *s = &c->streams.items[i];
    char key[WEB_CONFIG_KEY_SIZE];

    for (size_t k = 0; k < i; k++) {
        const struct web_config_stream *o = &c->streams.items[k];

        if (o->port == 0 && s->nameless && o->nameless)
            config_error(build, web_config_key(key, "stream", i, "nameless"),
                         "is another's already");
        if (o->port == 0 && s->plain > 0 && o->plain == s->plain)
            config_error(build, web_config_key(key, "stream", i, "plain"),
                         "is another's already");
        for (size_t a = 0; o->port == 0 && a < o->server_names.n; a++) {
            for (size_t b = 0; b < s->server_names.n; b++) {
                if (strcmp(o->server_names.items[a],
                           s->server_names.items[b]) == 0)
                    config_error(
                        build, web_config_key(key, "stream", i, "server-names"),
                        "\"%s\" is there twice", s->server_names.items[b]);
            }
        }
    }
}

static void check_shared(struct config_build *build, const struct web_config *c,
                         size_t i)
{
    const struct web_config_stream *s = &c->streams.items[i];
    char key[WEB_CONFIG_KEY_SIZE];

    if (!has_shared(c))
        config_error(build, web_config_key(key, "stream", i, "port"),
                     "missing, and there is no listener shared:");
    if (s->server_names.n == 0 && s->alpn.n == 0 && s->plain == 0 &&
        !s->nameless)
        config_error(
            build, web_config_key(key, "stream", i, "server-names"),
            "chooses nothing: needs server-names, alpn, nameless or plain");
    for (size_t k = 0; k < s->server_names.n; k++) {
        if (!is_name_pattern(s->server_names.items[k]))
            config_error(build,
                         web_config_key(key, "stream", i, "server-names"),
                         "\"%s\" is not a host name in lower case",
                         s->server_names.items[k]);
    }
    for (size_t k = 0; k < s->alpn.n; k++) {
        if (strcmp(s->alpn.items[k], "http/1.1") == 0 ||
            strcmp(s->alpn.items[k], "h2") == 0)
            config_error(build, web_config_key(key, "stream", i, "alpn"),
                         "\"%s\" would take HTTPS away; use server-names",
                         s->alpn.items[k]);
    }
    check_twice(build, c, i);
}

/* Listeners that only close. */
static void check_listeners(struct config_build *build,
                            const struct web_config *c)
{
    for (size_t i = 0; i < c->listen.n; i++) {
        const struct endpoint *e = &c->listen.items[i];
        bool used = false;

        if (e->transport != WEB_LISTEN_TCP && e->transport != WEB_LISTEN_TLS)
            continue;
        for (size_t k = 0; k < c->streams.n; k++)
            used = used || c->streams.items[k].port == e->port;
        if (!used)
            config_warn(build, "listen",
                        "%s:%s:%u: no stream has this port, connections are "
                        "closed",
                        e->scheme, e->host, e->port);
    }
}

void web_config_streams_check(struct config_build *build,
                              const struct web_config *c)
{
    char key[WEB_CONFIG_KEY_SIZE];

    check_listeners(build, c);

    for (size_t i = 0; i < c->streams.n; i++) {
        const struct web_config_stream *s = &c->streams.items[i];

        for (size_t k = 0; k < i; k++) {
            if (strcmp(s->name, c->streams.items[k].name) == 0)
                config_error(build, web_config_key(key, "stream", i, "name"),
                             "\"%s\" is there twice", s->name);
        }
        check_target(build, c, i);
        if (s->port)
            check_own(build, c, i);
        else
            check_shared(build, c, i);
    }
}
