/* SPDX-License-Identifier: MIT */
#include "proxy/web_route.h"

#include "base/err.h"
#include "proxy/web_path.h"

#include <stdlib.h>

enum { PATH_SIZE = 1024 };

int web_route_set_path(struct web_route *route, const char *text)
{
    struct span path = span_str(text);
    char normal[PATH_SIZE];
    int len;

    route->wildcard = false;
    if (path.len > 1 && path.ptr[path.len - 1] == '*') {
        route->wildcard = true;
        path.len--;
    }
    if (span_find(path, '*') >= 0)
        return ERR_PARSE;
    len = web_path_normalise(path, normal, sizeof(normal));
    if (len < 0 || !span_equal(path, span_of(normal, (size_t)len)))
        return ERR_PARSE;
    route->prefix = path;
    return 0;
}

/* Exact hosts, then wildcard hosts, then any host. */
static int host_rank(const struct web_route *r)
{
    if (r->host.len == 0)
        return 2;
    return span_starts(r->host, "*.") ? 1 : 0;
}

/* Within a host the longest literal part first; of two equal ones, the one
 * without '*'. */
static int compare(const void *pa, const void *pb)
{
    const struct web_route *a = pa;
    const struct web_route *b = pb;
    int rank = host_rank(a) - host_rank(b);

    if (rank != 0)
        return rank;
    if (a->prefix.len != b->prefix.len)
        return a->prefix.len > b->prefix.len ? -1 : 1;
    if (a->wildcard != b->wildcard)
        return a->wildcard ? 1 : -1;
    return a->id < b->id ? -1 : 1;
}

static bool same_prefix(const struct web_route *a, const struct web_route *b)
{
    return span_equal(a->prefix, b->prefix) ||
           (a->ignore_case && b->ignore_case &&
            span_equal_nocase(a->prefix, b->prefix));
}

bool web_route_sort(struct web_route *routes, size_t n, uint32_t *ret_a,
                    uint32_t *ret_b)
{
    qsort(routes, n, sizeof(*routes), compare);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = i + 1; k < n; k++) {
            const struct web_route *a = &routes[i];
            const struct web_route *b = &routes[k];

            if (a->wildcard == b->wildcard && span_equal(a->host, b->host) &&
                same_prefix(a, b)) {
                *ret_a = a->id;
                *ret_b = b->id;
                return false;
            }
        }
    }
    return true;
}

static bool same_text(const struct web_route *r, struct span path)
{
    size_t n = r->prefix.len;

    return memcmp(path.ptr, r->prefix.ptr, n) == 0 ||
           (r->ignore_case && span_equal_nocase(span_head(path, n), r->prefix));
}

static bool path_matches(const struct web_route *r, struct span path)
{
    size_t n = r->prefix.len;

    if (path.len < n || !same_text(r, path))
        return false;
    if (r->wildcard)
        return path.len > n && path.ptr[n] != '/';
    return path.len == n || r->prefix.ptr[n - 1] == '/' || path.ptr[n] == '/';
}

const struct web_route *web_route_find(const struct web_route *routes, size_t n,
                                       struct span host, struct span path)
{
    for (size_t i = 0; i < n; i++) {
        const struct web_route *r = &routes[i];

        if (path_matches(r, path) &&
            (r->host.len == 0 || web_host_matches(r->host, host)))
            return r;
    }
    return NULL;
}
