/* SPDX-License-Identifier: MIT */
/* sip_rewrite.h - what changes in a message on its way through (RFC 3261
 * 16.6, 16.7; RFC 3327, 3581, 5658; reference for sips: below).
 *
 * Everything else is byte-identical. Into core->out.
 *
 * A client behind WebSocket may write sips: in its Contact (RFC 7118 clients
 * do over wss), but the way to a media server on plain UDP or TCP is not
 * secure, and servers that take sips: at its word would refuse or try TLS. So
 * inwards the scheme becomes sip:, nothing but that letter changes, and it
 * is restored outwards in Request-URI and in the echo of REGISTER.
 */
#ifndef SIP_REWRITE_H
#define SIP_REWRITE_H

#include "proxy/sip_route.h"

struct sip_passage {
    const struct sip_target *from;
    const struct sip_target *to;
    /* When this one message goes another way than `to`: what our Via says.
     * Record-Route, Path and Contact name `to`, for those that follow. NULL:
     * the same. */
    const struct sip_target *via;
    const struct sip_route *route;
    struct span branch;      /* of our Via */
    uint32_t breadth;        /* its share of Max-Breadth; 0: all of it */
    uint16_t server_tag;     /* of the media server on the one side */
    enum sip_path_mode path; /* of that server */
};

/* A request. Returns 0 or the edit's error. */
int sip_rewrite_request(struct sip_core *core, const struct sip_msg *request,
                        const struct sip_passage *passage);

/* Max-Breadth (RFC 5393): how many branches may be open at once, downstream
 * ones too. */
uint32_t sip_rewrite_breadth(const struct sip_msg *request);

/* A response to what sip_rewrite_request() made. `sips_request`: the
 * REGISTER it answers, where the client writes sips:, else NULL. `flow`: the
 * client's connection, NULL when gone. */
enum sip_way {
    SIP_WAY_IN,
    SIP_WAY_OUT,
};

int sip_rewrite_response(struct sip_core *core, const struct sip_msg *response,
                         const struct sip_msg *sips_request,
                         struct sip_flow *flow, enum sip_way request_went);

/* An OPTIONS of our own to a media server, into core->out. */
void sip_rewrite_probe(struct sip_core *core, const struct sip_target *to);

/* True when the first Contact is a sips: URI. */
bool sip_rewrite_is_sips(const struct sip_msg *msg);

#endif /* SIP_REWRITE_H */
