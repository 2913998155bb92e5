/* SPDX-License-Identifier: MIT */
#include "proxy/web_url.h"

#include "base/err.h"

/* ---- our own address ---- */

static void put_port(struct buf *out, bool secure, uint16_t port)
{
    if (port != (secure ? 443 : 80))
        buf_printf(out, ":%u", (unsigned)port);
}

/* "https://host:port" as the client wrote it, with the port it needs. */
static void put_origin(struct buf *out, const struct web_url_view *v)
{
    struct web_host host;

    buf_put_str(out, v->secure ? "https://" : "http://");
    if (web_host_parse(v->host, &host) < 0)
        return;
    buf_put_span(out, web_host_name(&host));
    if (host.port)
        put_port(out, v->secure, host.port);
    else if (v->secure)
        put_port(out, true, v->port);
}

/* ---- addresses in answers ---- */

/* Cut "http://authority/rest" in three. */
static bool split(struct span url, bool *ret_secure, struct web_host *ret_host,
                  struct span *ret_rest)
{
    struct span authority;
    size_t at = 0;

    if (span_starts_nocase(url, "https://"))
        *ret_secure = true;
    else if (span_starts_nocase(url, "http://"))
        *ret_secure = false;
    else
        return false;
    authority = span_from(url, *ret_secure ? 8 : 7);
    while (at < authority.len && !strchr("/?#", authority.ptr[at]))
        at++;
    *ret_rest = span_from(authority, at);
    return web_host_parse(span_head(authority, at), ret_host) == 0;
}

/* An address literal is written in brackets in URLs and without in settings. */
static bool is_name_of(struct span name, const char *host)
{
    if (name.len > 2 && name.ptr[0] == '[')
        name = span_of(name.ptr + 1, name.len - 2);
    return span_is_nocase(name, host);
}

static bool names_backend(const struct web_backend *b,
                          const struct web_host *host, uint16_t port)
{
    struct span name = web_host_name(host);
    struct web_host field;

    if (!b)
        return false;
    if (b->port == port && is_name_of(name, b->host))
        return true;
    if (!b->upstream->host_field ||
        web_host_parse(span_str(b->upstream->host_field), &field) < 0)
        return false;
    return span_equal(name, web_host_name(&field)) &&
           (host->port == 0 || host->port == field.port || host->port == port);
}

/* Our name, but not the port we are reached at: the back end left it out, or
 * took its own. */
static bool names_us_badly(const struct web_url_view *v, bool secure,
                           const struct web_host *host)
{
    struct web_host own;
    uint16_t port, seen;

    if (web_host_parse(v->host, &own) < 0 ||
        !span_equal(web_host_name(&own), web_host_name(host)))
        return false;
    port = own.port ? own.port : v->secure ? v->port : 80;
    seen = host->port ? host->port : secure ? 443 : 80;
    if (seen == port && secure == v->secure)
        return false;
    /* Another port that is said is meant, unless it is the back end's. */
    return host->port == 0 || (v->backend && host->port == v->backend->port);
}

/* The path that the client knows for one of the back end. */
static void put_path(struct buf *out, const struct web_url_view *v,
                     struct span rest)
{
    const struct web_route *r = v->route;
    size_t n = r->rewrite.len;

    if (n == 0 || rest.len < n || memcmp(rest.ptr, r->rewrite.ptr, n) != 0) {
        buf_put_span(out, rest);
        return;
    }
    /* "/" for "/app": the border has to stay one. */
    buf_put_span(out, r->prefix);
    rest = span_from(rest, n);
    if (r->rewrite.ptr[n - 1] == '/' && r->prefix.ptr[r->prefix.len - 1] != '/')
        buf_put_str(out, "/");
    else if (rest.len > 0 && rest.ptr[0] == '/' &&
             r->prefix.ptr[r->prefix.len - 1] == '/')
        rest = span_from(rest, 1);
    buf_put_span(out, rest);
}

/* Does the route change this path? */
static bool changes_path(const struct web_route *r, struct span path)
{
    size_t n = r->rewrite.len;

    return n > 0 && !r->wildcard && path.len >= n &&
           memcmp(path.ptr, r->rewrite.ptr, n) == 0 &&
           (r->rewrite.ptr[n - 1] == '/' || path.len == n ||
            strchr("/?#", path.ptr[n]));
}

bool web_url_location(struct buf *out, const struct web_url_view *v,
                      struct span value)
{
    struct web_host host;
    struct span rest;
    bool secure;

    if (value.len > 0 && value.ptr[0] == '/') {
        if (span_starts(value, "//") || !changes_path(v->route, value))
            return false;
        put_path(out, v, value);
        return true;
    }
    if (v->host.len == 0 || !split(value, &secure, &host, &rest))
        return false;
    if (!names_backend(v->backend, &host,
                       host.port ? host.port
                       : secure  ? 443
                                 : 80) &&
        !names_us_badly(v, secure, &host))
        return false;
    put_origin(out, v);
    if (changes_path(v->route, rest))
        put_path(out, v, rest);
    else
        buf_put_span(out, rest);
    return true;
}

/* ---- cookies ---- */

/* What an attribute of a cookie becomes: itself, another, or nothing. */
enum fate { STAYS, GOES, MOVES };

static enum fate fate_of(const struct web_url_view *v, struct span attribute,
                         struct span *ret_path)
{
    struct span name, value;

    if (!span_cut(attribute, '=', &name, &value))
        return STAYS;
    name = span_trim(name);
    value = span_trim(value);
    if (span_is_nocase(name, "path") && changes_path(v->route, value)) {
        *ret_path = value;
        return MOVES;
    }
    if (!span_is_nocase(name, "domain") || !v->backend)
        return STAYS;
    if (span_starts(value, "."))
        value = span_from(value, 1);
    return is_name_of(value, v->backend->host) ? GOES : STAYS;
}

/* "/app" and not "/app/", which would leave "/app" itself out. */
static void put_cookie_path(struct buf *out, const struct web_url_view *v,
                            struct span path)
{
    if (span_equal(path, v->route->rewrite))
        buf_put_span(out, v->route->prefix);
    else
        put_path(out, v, path);
}

bool web_url_cookie(struct buf *out, const struct web_url_view *v,
                    struct span value)
{
    bool add = v->cookie_secure && v->secure;
    bool changed = false, first = true;
    struct span rest = value, part, path;

    while (span_next(&rest, ';', &part)) {
        enum fate fate = first ? STAYS : fate_of(v, part, &path);

        first = false;
        changed = changed || fate != STAYS;
        add = add && !span_is_nocase(span_trim(part), "secure");
    }
    if (!changed && !add)
        return false;
    rest = value;
    first = true;
    while (span_next(&rest, ';', &part)) {
        enum fate fate = first ? STAYS : fate_of(v, part, &path);

        if (fate == GOES)
            continue;
        if (!first)
            buf_put_str(out, "; ");
        first = false;
        if (fate == STAYS) {
            buf_put_span(out, span_trim(part));
        } else {
            buf_put_str(out, "Path=");
            put_cookie_path(out, v, path);
        }
    }
    if (add)
        buf_put_str(out, "; Secure");
    return true;
}

/* ---- redirects ---- */

static const char *const names[] = {"host", "port", "origin",
                                    "path", "rest", "query"};
enum name {
    NAME_HOST,
    NAME_PORT,
    NAME_ORIGIN,
    NAME_PATH,
    NAME_REST,
    NAME_QUERY
};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

/* The next piece of a template: text before a brace, then a name. Returns the
 * name's number, NAMES for none, or ERR_PARSE. */
static int next_piece(struct span *rest, struct span *ret_text)
{
    struct span name;

    if (!span_cut(*rest, '{', ret_text, rest)) {
        *ret_text = *rest;
        *rest = span_of(NULL, 0);
        return span_find(*ret_text, '}') < 0 ? NAMES : ERR_PARSE;
    }
    if (span_find(*ret_text, '}') >= 0 || !span_cut(*rest, '}', &name, rest))
        return ERR_PARSE;
    for (int i = 0; i < NAMES; i++) {
        if (span_is(name, names[i]))
            return i;
    }
    return ERR_PARSE;
}

int web_url_check_template(struct span text)
{
    struct span piece;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return ERR_PARSE;
    }
    while (text.len > 0) {
        if (next_piece(&text, &piece) < 0)
            return ERR_PARSE;
    }
    return 0;
}

static struct span rest_of(const struct web_route *route, struct span path)
{
    return span_from(path, route->prefix.len);
}

static void put_name(struct buf *out, int name, const struct web_route *route,
                     const struct web_request *rq, uint16_t port)
{
    switch (name) {
    case NAME_HOST:
        buf_put_span(out, web_host_name(&rq->host));
        break;
    case NAME_PORT:
        put_port(out, true, port);
        break;
    case NAME_ORIGIN:
        buf_put_str(out, "https://");
        buf_put_span(out, web_host_name(&rq->host));
        put_port(out, true, port);
        break;
    case NAME_PATH:
        buf_put_span(out, rq->path);
        break;
    case NAME_REST:
        buf_put_span(out, rest_of(route, rq->path));
        break;
    case NAME_QUERY:
        if (rq->has_query) {
            buf_put_str(out, "?");
            buf_put_span(out, rq->query);
        }
        break;
    default:
        break;
    }
}

void web_url_expand(struct buf *out, const struct web_route *route,
                    const struct web_request *rq, uint16_t port)
{
    struct span text = route->location;
    struct span piece;

    while (text.len > 0) {
        int name = next_piece(&text, &piece);

        buf_put_span(out, piece);
        put_name(out, name, route, rq, port);
    }
}

/* ---- the path towards the back end ---- */

int web_url_rewrite(const struct web_route *route, struct span path, char *out,
                    size_t size)
{
    struct span rest = rest_of(route, path);
    struct span to = route->rewrite;
    size_t len = to.len;

    /* One slash where the two meet, or where the root is all that is left. */
    if (rest.len > 0 && rest.ptr[0] == '/' && to.ptr[len - 1] == '/')
        rest = span_from(rest, 1);
    else if (rest.len > 0 && rest.ptr[0] != '/' && to.ptr[len - 1] != '/' &&
             route->prefix.ptr[route->prefix.len - 1] == '/')
        len++;
    if (len + rest.len > size)
        return ERR_LIMIT;
    memcpy(out, to.ptr, to.len);
    if (len > to.len)
        out[to.len] = '/';
    if (rest.len > 0)
        memcpy(out + len, rest.ptr, rest.len);
    return (int)(len + rest.len);
}
