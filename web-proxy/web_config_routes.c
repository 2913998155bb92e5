/* SPDX-License-Identifier: MIT */
#include "web_config.h"

#include "base/err.h"
#include "base/mem.h"
#include "proxy/web_shown.h"

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
     .help = "send to this address instead; in it {host}, {port} (\":8443\", "
             "or nothing for 443), {origin}, {path}, {rest} (behind the "
             "prefix), {query}"},
    {.name = "redirect-status",
     .type = OPT_U16,
     .offset = FIELD(redirect_status),
     .min = 301,
     .max = 308,
     .fallback = "308",
     .help = "301, 302, 303, 307 or 308"},
    {.name = "rewrite",
     .type = OPT_STRING,
     .offset = FIELD(rewrite),
     .min = 1,
     .max = 512,
     .help = "path for the back end in place of the prefix; / takes it off"},
    {.name = "root",
     .type = OPT_STRING,
     .offset = FIELD(root),
     .min = 1,
     .max = 1024,
     .help = "folder whose files are published here, instead of an upstream"},
    {.name = "index",
     .type = OPT_STRING,
     .offset = FIELD(index),
     .min = 1,
     .max = 128,
     .fallback = "index.html",
     .help = "root: the file of a folder"},
    {.name = "precompressed",
     .type = OPT_BOOL,
     .offset = FIELD(precompressed),
     .fallback = "false",
     .help = "root: send name.br or name.gz where they are, not older than the "
             "file, and taken by the client"},
    {.name = "cache-control",
     .type = OPT_STRING,
     .offset = FIELD(cache_control),
     .min = 1,
     .max = 256,
     .help = "root: this field with files"},
    {.name = "plain",
     .type = OPT_BOOL,
     .offset = FIELD(plain),
     .fallback = "false",
     .help = "root: answer on redirect listeners, too (certificates by ACME)"},
    {.name = "ignore-case",
     .type = OPT_BOOL,
     .offset = FIELD(ignore_case),
     .fallback = "false",
     .help = "upper and lower case of the path are the same"},
    {.name = "methods",
     .type = OPT_STRING,
     .offset = FIELD(methods),
     .min = 1,
     .max = 16,
     .flags = OPT_LIST,
     .help = "only these; others are 405. GET brings HEAD"},
    {.name = "allow",
     .type = OPT_CIDR,
     .offset = FIELD(allow),
     .flags = OPT_LIST,
     .help = "only for these clients, others are 403"},
    {.name = "deny",
     .type = OPT_CIDR,
     .offset = FIELD(deny),
     .flags = OPT_LIST,
     .help = "not for these clients, whatever allow says"},
    {.name = "maintenance",
     .type = OPT_BOOL,
     .offset = FIELD(maintenance),
     .fallback = "false",
     .help = "answer 503"},
    {.name = "client-certificate",
     .type = OPT_BOOL,
     .offset = FIELD(client_certificate),
     .fallback = "false",
     .help = "403 without a certificate that client-auth of its host finds "
             "good"},
    {.name = "answer-fields",
     .type = OPT_STRING,
     .offset = FIELD(answer_fields),
     .min = 2,
     .max = 2048,
     .flags = OPT_LIST,
     .help = "header fields of answers, as the setting for all routes; a field "
             "named here counts instead of there"},
    {.name = "answer-urls",
     .type = OPT_BOOL,
     .offset = FIELD(answer_urls),
     .fallback = "true",
     .help = "put right Location and Set-Cookie that name the back end, its "
             "path, or not the port clients come to"},
    {.name = "cookie-secure",
     .type = OPT_BOOL,
     .offset = FIELD(cookie_secure),
     .fallback = "false",
     .help = "add Secure to cookies over HTTPS"},
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
    {.name = "zone-key",
     .type = OPT_ENUM,
     .offset = FIELD(zone_key),
     .values = "address|token|exempt",
     .fallback = "address",
     .help = "who is limited: the client's address; token: the holder of a "
             "valid token by itself, exempt: only who has none (offices behind "
             "one address; bad tokens count for the address)"},
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
    {.name = "token-segment",
     .type = OPT_U32,
     .offset = FIELD(token_segment),
     .max = 16,
     .fallback = "0",
     .help = "which segment of the path behind the prefix has to be what the "
             "policy's claim says (1: the first), else 403: a token for one "
             "meeting opens that one alone"},
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

static const struct web_config_token *find_policy(const struct web_config *c,
                                                  const char *name)
{
    for (size_t i = 0; i < c->tokens.n; i++) {
        if (strcmp(c->tokens.items[i].name, name) == 0)
            return &c->tokens.items[i];
    }
    return NULL;
}

/* Does the route's policy know who holds a token? */
static bool has_claim(const struct web_config *c,
                      const struct web_config_route *r)
{
    const struct web_config_token *t =
        r->token_policy ? find_policy(c, r->token_policy) : NULL;

    return t && t->claim;
}

static void check_route_token(struct config_build *build,
                              const struct web_config *c, size_t i)
{
    const struct web_config_route *r = &c->routes.items[i];
    char key[WEB_CONFIG_KEY_SIZE];

    web_config_key(key, "route", i, "token-policy");
    if ((r->token == WEB_TOKEN_VALID) != (r->token_policy != NULL))
        config_error(build, key, "goes with token=valid, and that with it");
    else if (r->token_policy && !find_policy(c, r->token_policy))
        config_error(build, key, "there is no token-policy \"%s\"",
                     r->token_policy);
    if (r->token_segment > 0 && !has_claim(c, r))
        config_error(build, web_config_key(key, "route", i, "token-segment"),
                     "needs a token-policy with a claim");
    if (r->zone_key != WEB_ZONE_ADDRESS &&
        (!r->zone || r->token != WEB_TOKEN_VALID))
        config_error(build, web_config_key(key, "route", i, "zone-key"),
                     "needs a zone and token=valid");
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

int web_config_methods(const struct string_list *names, uint32_t *ret_set,
                       const char **ret_bad)
{
    static const struct {
        const char *name;
        enum http_method method;
    } known[] = {
        {"GET", HTTP_METHOD_GET},         {"HEAD", HTTP_METHOD_HEAD},
        {"POST", HTTP_METHOD_POST},       {"PUT", HTTP_METHOD_PUT},
        {"DELETE", HTTP_METHOD_DELETE},   {"PATCH", HTTP_METHOD_PATCH},
        {"OPTIONS", HTTP_METHOD_OPTIONS},
    };
    uint32_t set = 0;

    for (size_t i = 0; i < names->n; i++) {
        size_t k = 0;

        while (k < ARRAY_SIZE(known) &&
               strcmp(known[k].name, names->items[i]) != 0)
            k++;
        if (k == ARRAY_SIZE(known)) {
            *ret_bad = names->items[i];
            return ERR_PARSE;
        }
        set |= UINT32_C(1) << known[k].method;
    }
    if (set >> HTTP_METHOD_GET & 1)
        set |= UINT32_C(1) << HTTP_METHOD_HEAD;
    *ret_set = set;
    return 0;
}

void web_config_check_fields(struct config_build *build, const char *key,
                             const struct string_list *fields)
{
    struct web_edit edit;

    if (fields->n > WEB_EDITS_MAX / 2)
        config_error(build, key, "%zu given; at most %d are allowed", fields->n,
                     WEB_EDITS_MAX / 2);
    for (size_t i = 0; i < fields->n; i++) {
        int err = web_edit_parse(span_str(fields->items[i]), &edit);

        if (err == ERR_DENIED)
            config_error(build, key, "\"%s\": that field is the proxy's own",
                         fields->items[i]);
        else if (err < 0)
            config_error(build, key,
                         "\"%s\" is not \"Name: value\", \"+Name: value\" or "
                         "\"-Name\"",
                         fields->items[i]);
    }
}

/* What is answered, and by whom. */
static void check_answers(struct config_build *build,
                          const struct web_config_route *r, size_t i)
{
    struct web_route scratch;
    char key[WEB_CONFIG_KEY_SIZE];
    const char *bad = NULL;
    uint32_t set;

    if (r->redirect && web_url_check_template(span_str(r->redirect)) < 0)
        config_error(build, web_config_key(key, "route", i, "redirect"),
                     "\"%s\" has blanks, or braces around something else than "
                     "host, port, origin, path, rest, query",
                     r->redirect);
    if (r->redirect_status > 303 && r->redirect_status < 307)
        config_error(build, web_config_key(key, "route", i, "redirect-status"),
                     "%u is not 301, 302, 303, 307 or 308", r->redirect_status);
    if (r->rewrite && (web_route_set_path(&scratch, r->rewrite) < 0 ||
                       scratch.wildcard || strchr(r->path, '*')))
        config_error(build, web_config_key(key, "route", i, "rewrite"),
                     "\"%s\" is not a path in normal form, or stands for one "
                     "with *",
                     r->rewrite);
    if (web_config_methods(&r->methods, &set, &bad) < 0)
        config_error(build, web_config_key(key, "route", i, "methods"),
                     "\"%s\" is not GET, HEAD, POST, PUT, DELETE, PATCH or "
                     "OPTIONS",
                     bad);
    web_config_check_fields(build,
                            web_config_key(key, "route", i, "answer-fields"),
                            &r->answer_fields);
}

static void check_files(struct config_build *build,
                        const struct web_config_route *r, size_t i)
{
    char key[WEB_CONFIG_KEY_SIZE];

    if (strchr(r->index, '/'))
        config_error(build, web_config_key(key, "route", i, "index"),
                     "\"%s\" is not a name in the folder itself", r->index);
    if (r->root && r->root[0] != '/')
        config_error(build, web_config_key(key, "route", i, "root"),
                     "\"%s\" does not begin with /", r->root);
    if (!r->root && (r->precompressed || r->cache_control || r->plain))
        config_error(build, web_config_key(key, "route", i, "root"),
                     "missing: precompressed, cache-control and plain say "
                     "nothing without it");
    if (r->root && r->websocket != WEB_ROUTE_WEBSOCKET_NO)
        config_error(build, web_config_key(key, "route", i, "websocket"),
                     "is not for files");
    if (r->root && strchr(r->path, '*'))
        config_error(build, web_config_key(key, "route", i, "path"),
                     "\"%s\": files need a prefix without *", r->path);
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
    if ((r->upstream != NULL) + (r->redirect != NULL) + (r->root != NULL) != 1)
        config_error(build, web_config_key(key, "route", i, "upstream"),
                     "needs one of upstream, redirect and root");
    check_files(build, r, i);
    if (r->upstream && !web_config_find_upstream(c, r->upstream))
        config_error(build, web_config_key(key, "route", i, "upstream"),
                     "there is no upstream \"%s\"", r->upstream);
    else if (r->upstream &&
             web_config_is_stream(web_config_find_upstream(c, r->upstream)))
        config_error(build, web_config_key(key, "route", i, "upstream"),
                     "\"%s\" is for streams", r->upstream);
    if (r->zone && !web_config_has_zone(c, r->zone))
        config_error(build, web_config_key(key, "route", i, "zone"),
                     "there is no zone \"%s\"", r->zone);
    if (!r->zone && (r->burst > 0 || r->nodelay))
        config_error(build, web_config_key(key, "route", i, "burst"),
                     "says nothing without a zone");
    if (r->host && !is_host_pattern(r->host))
        config_error(build, web_config_key(key, "route", i, "host"),
                     "\"%s\" is not a host name in lower case", r->host);
    check_answers(build, r, i);
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
