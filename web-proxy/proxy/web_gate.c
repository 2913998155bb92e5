/* SPDX-License-Identifier: MIT */
#include "proxy/web_gate.h"

/* 0, or the status that refuses the kind of request. */
static int judge_websocket(const struct web_route *route,
                           const struct web_request *rq)
{
    if (!rq->websocket)
        return route->websocket == WEB_ROUTE_WEBSOCKET_ONLY ? 426 : 0;
    /* Without leave it is an ordinary request (RFC 9110 7.8: a server may
     * ignore Upgrade); but an answer to CONNECT would open a tunnel. */
    if (route->websocket == WEB_ROUTE_WEBSOCKET_NO)
        return rq->tunnel ? 403 : 0;
    return web_request_check_websocket(rq, route->origins.items,
                                       route->origins.n);
}

/* An IPv4 client on an IPv6 socket is in a list as the IPv4 client. */
static bool is_in(const struct cidr *nets, size_t n, const struct addr *client)
{
    struct addr inner;

    return n > 0 && (cidr_list_has_ip(nets, n, client) ||
                     (client->family == ADDR_V6 && client->ip[0] == 0 &&
                      addr_inner_v4(client, &inner) &&
                      cidr_list_has_ip(nets, n, &inner)));
}

static bool may_come(const struct web_route *route, const struct addr *client)
{
    if (is_in(route->denied.items, route->denied.n, client))
        return false;
    return route->allowed.n == 0 ||
           is_in(route->allowed.items, route->allowed.n, client);
}

static bool in_maintenance(const struct web_site *site,
                           const struct web_route *route,
                           const struct addr *client)
{
    return (site->maintenance || route->maintenance) &&
           !is_in(site->testers, site->n_testers, client);
}

static bool has_method(const struct web_route *route,
                       const struct web_request *rq)
{
    return route->methods == 0 ||
           (route->methods >> rq->msg->method_id & 1) != 0;
}

static struct web_zone_verdict without_wait(struct web_zone_verdict verdict)
{
    if (verdict.pass)
        verdict.wait_ms = 0;
    return verdict;
}

static struct web_zone_verdict judge_rate(const struct web_site *site,
                                          const struct web_route *route,
                                          const struct addr *client,
                                          uint64_t now)
{
    if (!route->zone || is_in(site->exempt, site->n_exempt, client))
        return (struct web_zone_verdict){.pass = true};
    /* The token decides later. Who has used up the share of the address with
     * bad ones is not even looked at: signatures cost. */
    if (route->zone_key != WEB_ZONE_ADDRESS)
        return without_wait(
            web_zone_peek(route->zone, client, &route->rule, now));
    return web_zone_take(route->zone, client, &route->rule, now);
}

static int judge_token(const struct web_route *route,
                       const struct web_request *rq)
{
    switch (web_token_judge(rq->query, route->token, route->check)) {
    case WEB_TOKEN_OK:
        return 0;
    case WEB_TOKEN_AMBIGUOUS:
        return 400;
    default:
        return 403;
    }
}

static struct web_gate_verdict refuse(enum web_gate_reason reason, int status,
                                      const struct web_route *route)
{
    return (struct web_gate_verdict){
        .reason = reason, .status = status, .route = route};
}

/* Is the segment, its escapes undone, the same as the text? */
static bool is_segment(struct span segment, struct span text)
{
    char plain[JWT_CLAIM_MAX + 1];
    int len = web_file_name(segment, plain, sizeof(plain));

    return len >= 0 && span_equal(span_of(plain, (size_t)len), text);
}

/* A token for one meeting opens that one alone: its claim is in the path. */
static bool is_for_path(const struct web_route *route,
                        const struct web_request *rq)
{
    struct span rest = span_from(rq->path, route->prefix.len);
    struct span segment = {0};

    if (span_starts(rest, "/"))
        rest = span_from(rest, 1);
    for (uint32_t i = 0; i < route->token_segment; i++) {
        if (!span_next(&rest, '/', &segment))
            return false;
    }
    return segment.len > 0 &&
           is_segment(segment, span_of(rq->identity.text, rq->identity.len));
}

/* The zone's account when the token tells whose it is. */
static struct web_zone_verdict account(const struct web_site *site,
                                       const struct web_route *route,
                                       const struct web_request *rq,
                                       const struct addr *client, bool good,
                                       uint64_t now)
{
    if (!route->zone || route->zone_key == WEB_ZONE_ADDRESS ||
        (good && route->zone_key == WEB_ZONE_EXEMPT) ||
        is_in(site->exempt, site->n_exempt, client))
        return (struct web_zone_verdict){.pass = true};
    if (!good)
        return web_zone_take(route->zone, client, &route->rule, now);
    return web_zone_take_key(route->zone, rq->token_key, &route->rule, now);
}

static void refuse_rate(struct web_gate_verdict *verdict, uint64_t wait_ms)
{
    verdict->reason = WEB_GATE_RATE;
    verdict->status = 429;
    verdict->wait_ms = wait_ms;
}

/* Who asks for what, and when. */
struct asking {
    const struct web_site *site;
    const struct web_route *route;
    struct web_request *rq;
    const struct addr *client;
    uint64_t now, wall_s;
};

/* False when it is refused. */
static bool judge_jwt(const struct asking *a, struct web_gate_verdict *verdict)
{
    struct web_zone_verdict rate;
    bool good, elsewhere;

    verdict->jwt = web_jwt_judge(a->route->jwt, a->rq, a->wall_s);
    elsewhere = verdict->jwt == WEB_JWT_OK && a->route->token_segment > 0 &&
                !is_for_path(a->route, a->rq);
    if (elsewhere)
        verdict->jwt = WEB_JWT_CLAIM;
    good = verdict->jwt == WEB_JWT_OK;
    rate = account(a->site, a->route, a->rq, a->client, good, a->now);
    if (good && !rate.pass) {
        refuse_rate(verdict, rate.wait_ms);
        return false;
    }
    if (good) {
        verdict->wait_ms += rate.wait_ms;
        return true;
    }
    verdict->reason = WEB_GATE_TOKEN;
    verdict->status = verdict->jwt == WEB_JWT_AMBIGUOUS ? 400
                      : elsewhere                       ? 403
                                                        : 401;
    return false;
}

/* 0, or the status that refuses it. */
static int judge_peer(const struct web_site *site,
                      const struct web_route *route, struct web_request *rq)
{
    const struct web_peer_rule *rule =
        web_peer_find(site->peers, site->n_peers, web_host_name(&rq->host));

    if (rule && rule->field && rq->peer && rq->peer->verified)
        rq->subject_field = rule->field;
    return web_peer_judge(rule, rq->peer, route->wants_certificate);
}

bool web_gate_is_plain(const struct web_site *site,
                       const struct web_request *rq)
{
    const struct web_route *route = web_route_find(
        site->routes, site->n_routes, web_host_name(&rq->host), rq->path);

    return route && route->plain;
}

struct web_gate_verdict web_gate_judge(const struct web_site *site,
                                       struct web_request *rq,
                                       const struct addr *client, uint64_t now,
                                       uint64_t wall_s)
{
    const struct web_route *route = web_route_find(
        site->routes, site->n_routes, web_host_name(&rq->host), rq->path);
    struct web_gate_verdict verdict = {.route = route};
    const struct asking asking = {site, route, rq, client, now, wall_s};
    struct web_zone_verdict rate;
    int status;

    rq->own_fields = site->own_fields;
    rq->n_own_fields = site->n_own_fields;
    rq->peers = site->peers;
    rq->n_peers = site->n_peers;
    if (!route)
        return refuse(WEB_GATE_NO_ROUTE, 404, NULL);
    if (!may_come(route, client))
        return refuse(WEB_GATE_CLIENT, 403, route);
    status = judge_peer(site, route, rq);
    if (status != 0)
        return refuse(WEB_GATE_CERTIFICATE, status, route);
    if (in_maintenance(site, route, client))
        return refuse(WEB_GATE_MAINTENANCE, 503, route);
    if (!has_method(route, rq))
        return refuse(WEB_GATE_METHOD, 405, route);
    rate = judge_rate(site, route, client, now);
    verdict.wait_ms = rate.wait_ms;
    if (!rate.pass) {
        refuse_rate(&verdict, rate.wait_ms);
        return verdict;
    }
    if (route->kind == WEB_ROUTE_REDIRECT)
        return refuse(WEB_GATE_REDIRECT, route->status, route);
    status = judge_websocket(route, rq);
    if (status != 0)
        return refuse(WEB_GATE_WEBSOCKET, status, route);
    if (route->check == WEB_TOKEN_VALID) {
        if (!judge_jwt(&asking, &verdict))
            return verdict;
    } else {
        status = judge_token(route, rq);
        if (status != 0)
            return refuse(WEB_GATE_TOKEN, status, route);
    }
    if (rq->msg->framing == HTTP_FRAMING_LENGTH &&
        rq->msg->length > route->body_max)
        return refuse(WEB_GATE_SIZE, 413, route);
    return verdict;
}
