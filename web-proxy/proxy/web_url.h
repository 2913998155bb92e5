/* SPDX-License-Identifier: MIT */
/* web_url.h - addresses as clients see them: redirects of ours, and what back
 * ends say in Location and Set-Cookie (RFC 9110 10.2.2, RFC 6265 4.1).
 *
 * A back end behind us knows another name, another port, perhaps plain HTTP
 * and another path than the client does. Where an answer names the back end
 * itself, or the client's host without the port it is reached at, it is put
 * right; any other address stays as it is.
 *
 * Pure functions; any thread.
 */
#ifndef WEB_URL_H
#define WEB_URL_H

#include "base/buf.h"
#include "proxy/web_request.h"
#include "proxy/web_site.h"

/* How the client sees us. */
struct web_url_view {
    bool secure;      /* it came by HTTPS */
    struct span host; /* Host as it sent it, with its port; may be empty */
    uint16_t port;    /* of HTTPS outside, when the Host says none */
    const struct web_route *route;
    const struct web_backend *backend; /* who answers; NULL: ourselves */
    bool cookie_secure;                /* add Secure over HTTPS */
};

/* Write the value as the client has to read it. False, and nothing written,
 * when it stays as it is. */
bool web_url_location(struct buf *out, const struct web_url_view *view,
                      struct span value);
bool web_url_cookie(struct buf *out, const struct web_url_view *view,
                    struct span value);

/* ---- redirects ---- */

/* In `text` stand {host} (the name, without a port), {port} (":8443", empty
 * for 443), {origin} ("https://" host port), {path}, {rest} (what of the path
 * is behind the route's prefix), {query} ("?a=b", or empty).
 * Returns 0, or ERR_PARSE for another name in braces. */
int web_url_check_template(struct span text);

/* Write the Location of a redirect. `port` as above. */
void web_url_expand(struct buf *out, const struct web_route *route,
                    const struct web_request *rq, uint16_t port);

/* ---- the path towards the back end ---- */

/* The route's `rewrite` and what is behind its prefix, in `out` of `size`.
 * Returns the length or ERR_LIMIT. */
int web_url_rewrite(const struct web_route *route, struct span path, char *out,
                    size_t size);

#endif /* WEB_URL_H */
