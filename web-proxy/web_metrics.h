/* SPDX-License-Identifier: MIT */
/* web_metrics.h - the figures of routes, upstreams and their servers in
 * /metrics and /status. As many series as the settings name. */
#ifndef WEB_METRICS_H
#define WEB_METRICS_H

#include "base/buf.h"
#include "proxy/web_site.h"

void web_metrics_write(const struct web_site *site, struct buf *out);

/* Members of one route's or upstream's object in /status. */
void web_metrics_status(const struct web_meter *meter, struct buf *json);

/* "example.com/path", as routes are called there. */
struct span web_metrics_route_name(const struct web_route *route, char *out,
                                   size_t size);

#endif /* WEB_METRICS_H */
