/* SPDX-License-Identifier: MIT */
/* web_host.h - the Host field in its normal form (RFC 9110 section 7.2).
 *
 * Pure functions; any thread.
 */
#ifndef WEB_HOST_H
#define WEB_HOST_H

#include "base/span.h"

enum { WEB_HOST_SIZE = 256 };

struct web_host {
    char text[WEB_HOST_SIZE]; /* lower case, no port, no trailing dot */
    uint16_t len;
    uint16_t port; /* 0 when none was written */
};

/* Take a Host field or an authority apart: "Name:443", "192.0.2.1",
 * "[2001:db8::1]:8443" (the brackets stay in the text).
 * Returns 0, or ERR_PARSE for anything that is not such a thing. */
int web_host_parse(struct span field, struct web_host *ret_host);

static inline struct span web_host_name(const struct web_host *host)
{
    return span_of(host->text, host->len);
}

/* True when `name` (lower case) is `pattern`, or when the pattern is "*.rest"
 * and `name` has exactly one more label in front of the rest (as certificates
 * mean it). */
bool web_host_matches(struct span pattern, struct span name);

#endif /* WEB_HOST_H */
