/* SPDX-License-Identifier: MIT */
/* web_gate.h - may this request pass, and by which route? All refusals that
 * need no back end are decided here, in this order: route, client, its
 * certificate, maintenance, method, rate, kind, token, size. Pure but for the
 * zone's account. */
#ifndef WEB_GATE_H
#define WEB_GATE_H

#include "proxy/web_request.h"
#include "proxy/web_site.h"

enum web_gate_reason {
    WEB_GATE_PASS,
    WEB_GATE_REDIRECT,
    WEB_GATE_NO_ROUTE,
    WEB_GATE_CLIENT,
    WEB_GATE_CERTIFICATE,
    WEB_GATE_MAINTENANCE,
    WEB_GATE_METHOD,
    WEB_GATE_RATE,
    WEB_GATE_TOKEN,
    WEB_GATE_SIZE,
    WEB_GATE_WEBSOCKET,
};

struct web_gate_verdict {
    enum web_gate_reason reason;
    int status; /* PASS: 0 */
    const struct web_route *route;
    enum web_jwt_verdict jwt; /* TOKEN: of a route that wants valid ones */
    uint64_t wait_ms;         /* PASS: hold it so long; RATE: Retry-After */
};

/* Is it for a route that is answered where others are sent to HTTPS? */
bool web_gate_is_plain(const struct web_site *site,
                       const struct web_request *rq);

/* `now` is monotonic ms, `wall_s` Unix time. What is forwarded otherwise than
 * it came is noted in `rq`. */
struct web_gate_verdict web_gate_judge(const struct web_site *site,
                                       struct web_request *rq,
                                       const struct addr *client, uint64_t now,
                                       uint64_t wall_s);

#endif /* WEB_GATE_H */
