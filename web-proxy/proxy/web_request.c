/* SPDX-License-Identifier: MIT */
#include "proxy/web_request.h"

#include "base/err.h"
#include "proxy/web_path.h"

/* Path and query from the target. Returns 0 or a status. */
static int read_target(struct web_request *rq)
{
    struct span path = rq->msg->path;
    int len;

    rq->has_query = span_cut(path, '?', &path, &rq->query);
    if (!rq->has_query)
        rq->query = span_from(path, path.len);
    len = web_path_normalise(path, rq->path_text, sizeof(rq->path_text));
    if (len == ERR_LIMIT)
        return 414;
    if (len < 0 || !web_path_query_is_clean(rq->query))
        return 400;
    rq->path = span_of(rq->path_text, (size_t)len);
    return 0;
}

static void read_handshake(struct web_request *rq)
{
    const struct http_msg *msg = rq->msg;

    memset(&rq->handshake, 0, sizeof(rq->handshake));
    for (size_t i = 0; i < msg->headers_n; i++)
        ws_handshake_on_header(&rq->handshake, msg->headers[i].name,
                               msg->headers[i].value);
    rq->websocket = ws_handshake_is_asked(&rq->handshake);
}

int web_request_read(struct web_request *rq, const struct http_msg *msg)
{
    rq->msg = msg;
    rq->host.len = 0;
    rq->host.port = 0;
    rq->path = rq->query = span_of(rq->path_text, 0);
    rq->has_query = false;
    rq->websocket = false;
    rq->identity_field = NULL;
    rq->trace.id[0] = rq->trace.text[0] = '\0';
    rq->stripped = span_of(NULL, 0);
    rq->own_fields = NULL;
    rq->n_own_fields = 0;
    rq->peers = NULL;
    rq->n_peers = 0;
    rq->subject_field = NULL;

    if (msg->host.len > 0 && web_host_parse(msg->host, &rq->host) < 0)
        return 400;
    if (msg->method_id == HTTP_METHOD_CONNECT ||
        msg->method_id == HTTP_METHOD_TRACE)
        return 405;
    if (msg->target_form != HTTP_TARGET_ORIGIN &&
        msg->target_form != HTTP_TARGET_ABSOLUTE)
        return 400;
    if (msg->has_upgrade)
        read_handshake(rq);
    return read_target(rq);
}

bool web_request_is_idempotent(enum http_method method)
{
    switch (method) {
    case HTTP_METHOD_GET:
    case HTTP_METHOD_HEAD:
    case HTTP_METHOD_PUT:
    case HTTP_METHOD_DELETE:
    case HTTP_METHOD_OPTIONS:
        return true;
    default:
        return false;
    }
}

/* The port of the scheme may be written or not. */
static unsigned port_of(const struct web_host *host, bool secure)
{
    if (host->port)
        return host->port;
    return secure ? 443 : 80;
}

/* Scheme and authority are what was asked for. (A page of the same name that
 * came without TLS may be anybody's.) */
static bool is_own_origin(const struct web_request *rq)
{
    const char *scheme = rq->secure ? "https://" : "http://";
    struct span origin = rq->handshake.origin;
    struct web_host host;

    if (!span_starts_nocase(origin, scheme))
        return false;
    origin = span_from(origin, strlen(scheme));
    return web_host_parse(origin, &host) == 0 &&
           port_of(&host, rq->secure) == port_of(&rq->host, rq->secure) &&
           span_equal(web_host_name(&host), web_host_name(&rq->host));
}

static bool origin_is_allowed(const struct web_request *rq,
                              const struct span *allowed, size_t n)
{
    struct span origin = rq->handshake.origin;

    if (origin.len == 0 || is_own_origin(rq))
        return true;
    for (size_t i = 0; i < n; i++) {
        if (span_is(allowed[i], "*") || span_equal_nocase(allowed[i], origin))
            return true;
    }
    return false;
}

int web_request_check_websocket(const struct web_request *rq,
                                const struct span *allowed, size_t n)
{
    static const struct ws_policy any = {0};
    struct ws_accepted accepted;
    int status =
        ws_handshake_check(&rq->handshake, rq->msg->method, &any, &accepted);

    if (status != 101)
        return status;
    return origin_is_allowed(rq, allowed, n) ? 0 : 403;
}
