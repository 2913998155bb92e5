/* SPDX-License-Identifier: MIT */
#include "web_build_routes.h"

#include "base/err.h"
#include "base/mem.h"
#include "net/files.h"
#include "proxy/web_shown.h"

#include <errno.h>
#include <stdio.h>

enum { ALLOW_TEXT = 64 };

/* What a route owns besides itself; the site's own edits are those of the
 * last. */
struct extras {
    struct span *origins;
    struct web_edit *edits;
    struct web_folder folder;
    char allow[ALLOW_TEXT];
};

/* The array of routes ends with one more, which holds the site's. They are
 * found by the route's id, since routes are sorted. */
struct table {
    struct extras *extras;
    size_t n;
    struct web_route routes[];
};

static struct table *table_of(struct web_site *site)
{
    return CONTAINER_OF(site->routes, struct table, routes);
}

void web_build_routes_free(struct web_site *site)
{
    struct table *t;

    if (!site->routes)
        return;
    t = table_of(site);
    for (size_t i = 0; i < t->n; i++)
        web_meter_unref(t->routes[i].meter);
    for (size_t i = 0; t->extras && i < t->n; i++) {
        mem_free(t->extras[i].origins);
        mem_free(t->extras[i].edits);
        folder_unref(t->extras[i].folder.root);
    }
    mem_free(t->extras);
    mem_free(t);
    site->routes = NULL;
}

/* ---- header fields ---- */

static size_t put_edits(struct web_edit *out, size_t n,
                        const struct string_list *texts)
{
    for (size_t i = 0; i < texts->n && n < WEB_EDITS_MAX; i++)
        /* Checked with the settings. */
        (void)web_edit_parse(span_str(texts->items[i]), &out[n++]);
    return n;
}

/* The site's, but for those that the route's own take the place of. */
static size_t put_common(struct web_edit *out, const struct web_edit *own,
                         size_t n_own, const struct string_list *texts)
{
    struct web_edit edit;
    size_t n = 0;

    for (size_t i = 0; i < texts->n; i++) {
        bool replaced = false;

        (void)web_edit_parse(span_str(texts->items[i]), &edit);
        for (size_t k = 0; k < n_own; k++)
            replaced = replaced || web_edit_replaces(&own[k], &edit);
        if (!replaced)
            out[n++] = edit;
    }
    return n;
}

static int build_edits(struct extras *extras, const struct string_list *common,
                       const struct string_list *own, struct web_edits *ret)
{
    size_t most = common->n + (own ? own->n : 0);
    size_t n_own = 0, n;
    struct web_edit *list;

    if (most == 0)
        return 0;
    list = mem_zarray(2 * most, sizeof(*list));
    if (!list)
        return -ENOMEM;
    extras->edits = list;
    if (own)
        n_own = put_edits(list + most, 0, own);
    n = put_common(list, list + most, n_own, common);
    if (n_own > 0)
        memmove(list + n, list + most, n_own * sizeof(*list));
    *ret = (struct web_edits){list, n + n_own};
    return 0;
}

/* ---- one route ---- */

static int build_origins(struct extras *extras, const struct string_list *texts,
                         struct web_route_list *ret)
{
    if (texts->n == 0)
        return 0;
    extras->origins = mem_zarray(texts->n, sizeof(*extras->origins));
    if (!extras->origins)
        return -ENOMEM;
    for (size_t i = 0; i < texts->n; i++)
        extras->origins[i] = span_str(texts->items[i]);
    *ret = (struct web_route_list){extras->origins, texts->n};
    return 0;
}

static void build_methods(struct extras *extras, struct web_route *r,
                          const struct string_list *names)
{
    static const char *const texts[] = {
        [HTTP_METHOD_GET] = "GET",         [HTTP_METHOD_HEAD] = "HEAD",
        [HTTP_METHOD_POST] = "POST",       [HTTP_METHOD_PUT] = "PUT",
        [HTTP_METHOD_DELETE] = "DELETE",   [HTTP_METHOD_PATCH] = "PATCH",
        [HTTP_METHOD_OPTIONS] = "OPTIONS",
    };
    const char *bad;
    size_t len = 0;

    (void)web_config_methods(names, &r->methods, &bad);
    if (r->kind == WEB_ROUTE_FILES) {
        static const char *const get = "GET";
        static const struct string_list only = {&get, 1};

        (void)web_config_methods(&only, &r->methods, &bad);
    }
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        if (!(r->methods >> i & 1))
            continue;
        len += (size_t)snprintf(extras->allow + len, ALLOW_TEXT - len, "%s%s",
                                len > 0 ? ", " : "", texts[i]);
    }
    r->allow = extras->allow;
}

static void set_target(const struct web_build_context *x,
                       const struct web_config_route *c, struct web_route *r)
{
    r->kind = c->redirect ? WEB_ROUTE_REDIRECT
              : c->root   ? WEB_ROUTE_FILES
                          : WEB_ROUTE_PROXY;
    r->plain = c->plain;
    r->upstream = x->upstream(x->arg, c->upstream);
    r->location = c->redirect ? span_str(c->redirect) : span_of("", 0);
    r->status = c->redirect_status;
    r->rewrite = c->rewrite ? span_str(c->rewrite) : span_of("", 0);
    r->put_right = c->answer_urls;
    r->cookie_secure = c->cookie_secure;
}

static void set_guard(const struct web_build_context *x,
                      const struct web_config_route *c, struct web_route *r)
{
    r->allowed = (struct web_nets){c->allow.items, c->allow.n};
    r->denied = (struct web_nets){c->deny.items, c->deny.n};
    r->maintenance = c->maintenance;
    r->wants_certificate = c->client_certificate;
    r->zone = x->zone(x->arg, c->zone);
    r->rule.burst = c->burst;
    r->rule.pace = c->nodelay ? WEB_ZONE_NODELAY : WEB_ZONE_DELAY;
    r->zone_key = (enum web_zone_key)c->zone_key;
    r->token_segment = c->token_segment;
    r->check = (enum web_token_check)c->token;
    r->token = c->token_name;
    r->jwt = x->jwt(x->arg, c->token_policy);
    r->websocket = (enum web_route_websocket)c->websocket;
    r->body_max = c->body_size;
    r->first_byte_ms = c->first_byte_timeout;
    r->idle_ms = c->idle_timeout;
    r->tunnel_ms = c->websocket_timeout;
}

static int build_folder(const struct web_build_context *x,
                        const struct web_config_route *c, struct extras *extras,
                        struct web_route *r)
{
    struct folder *root;
    int err;

    if (!c->root)
        return 0;
    err = folder_open(&root, c->root);
    if (err < 0) {
        buf_printf(x->error, "route \"%s\": root: %s: %s\n", c->path,
                   err_str(err), c->root);
        return err == -ENOMEM ? err : ERR_CONFIG;
    }
    extras->folder = (struct web_folder){
        .root = root,
        .index = c->index,
        .precompressed = c->precompressed,
        .cache_control =
            c->cache_control ? span_str(c->cache_control) : span_of("", 0),
    };
    r->folder = &extras->folder;
    return 0;
}

/* The route of the same name counts on. */
static int build_meter(const struct web_build_context *x, struct web_route *r)
{
    for (size_t i = 0; x->old && i < x->old->n_routes; i++) {
        const struct web_route *o = &x->old->routes[i];

        if (o->meter && o->wildcard == r->wildcard &&
            span_equal(o->host, r->host) && span_equal(o->prefix, r->prefix)) {
            r->meter = web_meter_ref(o->meter);
            return 0;
        }
    }
    r->meter = web_meter_new(x->workers);
    return r->meter ? 0 : -ENOMEM;
}

static int build_route(const struct web_build_context *x,
                       const struct web_config_route *c, struct extras *extras,
                       struct web_route *r)
{
    int err;

    (void)web_route_set_path(r, c->path); /* checked with the settings */
    r->ignore_case = c->ignore_case;
    r->host = c->host ? span_str(c->host) : span_of("", 0);
    set_target(x, c, r);
    set_guard(x, c, r);
    build_methods(extras, r, &c->methods);
    err = build_meter(x, r);
    if (err == 0)
        err = build_folder(x, c, extras, r);
    if (err < 0)
        return err;
    err = build_origins(extras, &c->origins, &r->origins);
    if (err == 0)
        err = build_edits(extras, &x->config->answer_fields, &c->answer_fields,
                          &r->edits);
    return err;
}

/* ---- all of them ---- */

int web_build_routes(struct web_site *site, const struct web_build_context *x)
{
    const struct web_config *c = x->config;
    struct table *t =
        mem_zalloc(sizeof(*t) + (c->routes.n + 1) * sizeof(t->routes[0]));
    uint32_t a, b;
    int err;

    if (!t)
        return -ENOMEM;
    site->routes = t->routes;
    t->extras = mem_zarray(c->routes.n + 1, sizeof(*t->extras));
    if (!t->extras)
        return -ENOMEM;
    t->n = c->routes.n + 1;
    site->n_routes = c->routes.n;
    for (size_t i = 0; i < c->routes.n; i++) {
        t->routes[i].id = (uint32_t)i;
        err = build_route(x, &c->routes.items[i], &t->extras[i], &t->routes[i]);
        if (err < 0)
            return err;
    }
    err = build_edits(&t->extras[c->routes.n], &c->answer_fields, NULL,
                      &site->edits);
    if (err < 0)
        return err;
    return web_route_sort(site->routes, site->n_routes, &a, &b) ? 0
                                                                : ERR_CONFIG;
}
