/* SPDX-License-Identifier: MIT */
/* web_peer.h - hosts whose clients show certificates, and who a client is by
 * its TLS session.
 *
 * A TLS session is made under the rules of one such host, chosen by the name
 * asked for before it began, or under none. Requests on it are for that host
 * alone; those for another that has rules, or for one with rules on a
 * connection without, are misdirected (421, RFC 9110 section 15.5.20): so a
 * certificate is never got around by naming one host in TLS and another in
 * HTTP. Sessions under rules are never resumed (net/tls_ctx.h).
 */
#ifndef WEB_PEER_H
#define WEB_PEER_H

#include "base/span.h"

enum { WEB_PEER_HOST_SIZE = 256, WEB_PEER_SUBJECT_SIZE = 512 };

struct web_peer_rule {
    const char *host;  /* "api.example", "*.example": one more label */
    const char *field; /* tells back ends the subject; NULL: none. Clients' own
                          is dropped for all hosts */
    bool required;     /* else routes may ask for it */
};

/* One connection's; its streams share it. One thread. */
struct web_peer {
    unsigned refs;
    bool verified;                 /* it showed a certificate that holds */
    char host[WEB_PEER_HOST_SIZE]; /* the rule's; "": none */
    char subject[WEB_PEER_SUBJECT_SIZE];
};

/* Empty, with one reference; NULL without memory. */
struct web_peer *web_peer_new(void);
/* NULL is accepted. */
struct web_peer *web_peer_ref(struct web_peer *peer);
void web_peer_unref(struct web_peer *peer);

/* The rule for a host in lower case: its own, else a wildcard's. NULL: none. */
const struct web_peer_rule *web_peer_find(const struct web_peer_rule *rules,
                                          size_t n, struct span host);

/* Judge a request for a host with this rule (NULL: none) by this client (NULL:
 * nothing is known). `wants`: its route demands a certificate. Returns 0, 421
 * or 403. */
int web_peer_judge(const struct web_peer_rule *rule,
                   const struct web_peer *peer, bool wants);

#endif /* WEB_PEER_H */
