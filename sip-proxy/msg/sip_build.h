/* SPDX-License-Identifier: MIT */
/* sip_build.h - messages a proxy makes itself: responses (RFC 3261 8.2.6),
 * ACK to a non-2xx response (17.1.1.3), CANCEL (9.1).
 *
 * All append one complete message to `out` and return 0, or the error of
 * `out` (-ENOMEM, ERR_LIMIT), or ERR_STATE when the message they are made
 * from is of the wrong sort. On failure `out` is as long as before.
 */
#ifndef MSG_SIP_BUILD_H
#define MSG_SIP_BUILD_H

#include "base/buf.h"
#include "msg/sip_msg.h"

struct sip_reply {
    unsigned status;
    const char *reason; /* NULL: the usual one */
    /* Added to a To that has none, unless it is a 100; "" adds none. */
    struct span to_tag;
    /* Packet source: sets received and rport in the top Via; NULL when the
     * request's Via has them already. */
    const struct addr *source;
    bool record_route; /* copy Record-Route (dialog-making responses) */
    struct span extra; /* whole header lines with CRLF, or "" */
    struct span body;  /* "" for none, else with its type */
    const char *body_type;
};

/* Works on what sip_msg_is_answerable() accepts, too. */
int sip_build_response(struct buf *out, const struct sip_msg *request,
                       const struct sip_reply *reply);

/* `invite` is the request as it was sent by us; To comes from the response. */
int sip_build_ack(struct buf *out, const struct sip_msg *invite,
                  const struct sip_msg *response);

/* `invite` is the request as it was sent by us. `extra`: whole header lines
 * (Reason), or "". */
int sip_build_cancel(struct buf *out, const struct sip_msg *invite,
                     struct span extra);

/* Write the topmost Via with what RFC 3261 18.2.1 and RFC 3581 4 ask for:
 * `received` when the sender did not write the address it came from, `rport`
 * filled in when it asked for that or `force_rport` says so; what the sender
 * claimed there is overwritten. Errors stay in `out`. */
void sip_via_put(struct buf *out, const struct sip_via *via,
                 const struct addr *source, bool force_rport);

/* The reason phrase RFC 3261 21 (or the RFC that defines it) gives, or one
 * for its class. Never NULL. */
const char *sip_reason(unsigned status);

#endif /* MSG_SIP_BUILD_H */
