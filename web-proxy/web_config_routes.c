/* SPDX-License-Identifier: MIT */
#include "web_config.h"

#include "base/mem.h"

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

const struct option_table web_config_routes_table = {
    route_options, ARRAY_SIZE(route_options), sizeof(struct web_config_route),
    "path=upstream"};

/* ---- what the rows cannot say ---- */

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
    char key[WEB_CONFIG_KEY_SIZE];

    web_config_key(key, "route", i, "token-policy");
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
    char key[WEB_CONFIG_KEY_SIZE];

    if (web_route_set_path(&scratch, r->path) < 0)
        config_error(build, web_config_key(key, "route", i, "path"),
                     "\"%s\" is not a path in normal form (no escapes, no "
                     "//, no dots; * only at the end)",
                     r->path);
    if (!r->upstream == !r->redirect)
        config_error(build, web_config_key(key, "route", i, "upstream"),
                     "needs one of upstream and redirect");
    if (r->upstream && !web_config_find_upstream(c, r->upstream))
        config_error(build, web_config_key(key, "route", i, "upstream"),
                     "there is no upstream \"%s\"", r->upstream);
    if (r->zone && !web_config_has_zone(c, r->zone))
        config_error(build, web_config_key(key, "route", i, "zone"),
                     "there is no zone \"%s\"", r->zone);
    if (!r->zone && (r->burst > 0 || r->nodelay))
        config_error(build, web_config_key(key, "route", i, "burst"),
                     "says nothing without a zone");
    if (r->host && !is_host_pattern(r->host))
        config_error(build, web_config_key(key, "route", i, "host"),
                     "\"%s\" is not a host name in lower case", r->host);
    for (size_t k = 0; k < i; k++) {
        const struct web_config_route *o = &c->routes.items[k];

        if (strcmp(o->path, r->path) == 0 &&
            strcmp(o->host ? o->host : "", r->host ? r->host : "") == 0)
            config_error(build, web_config_key(key, "route", i, "path"),
                         "\"%s\" is there twice", r->path);
    }
}

void web_config_routes_check(struct config_build *build,
                             const struct web_config *c)
{
    for (size_t i = 0; i < c->routes.n; i++) {
        check_route(build, c, i);
        check_route_token(build, c, i);
    }
}
