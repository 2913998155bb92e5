/* SPDX-License-Identifier: MIT */
/* ctl_sip.h - the requests of SIP that a check sends, and as much of the
 * answers as it must understand (RFC 3261). Bytes only.
 */
#ifndef CTL_SIP_H
#define CTL_SIP_H

#include "base/addr.h"
#include "base/buf.h"

enum { CTL_SIP_MAX = 16 * 1024, CTL_SIP_ID_SIZE = 17 };

struct ctl_sip_request {
    const char *method;
    const char *host;         /* of the Request-URI; IPv6 without brackets */
    const char *transport;    /* "UDP", "TCP", "TLS", "WS", "WSS" */
    const struct addr *from;  /* where we are; ADDR_NONE: nobody knows */
    char id[CTL_SIP_ID_SIZE]; /* random hex: branch, tag and Call-ID */
    bool session; /* with a description of a session, as a call has, long
                     enough to have a mirror's whole answer (sip_echo.h) */
};

/* Appended to `out`. */
void ctl_sip_write(const struct ctl_sip_request *request, struct buf *out);

/* How long the message at the front of a stream is, 0 while that is not
 * known, ERR_PARSE. */
int ctl_sip_size(struct span bytes);

/* The status of an answer to the request with this id, ERR_STATE for another
 * message, ERR_PARSE. Provisional ones (1xx) are told like any. */
int ctl_sip_status(struct span message, const char *id);

/* The next line of a head, of SIP or HTTP, without CR LF; false at its end. */
bool ctl_head_line(struct span *rest, struct span *ret_line);

/* What follows the empty line. */
struct span ctl_sip_body(struct span message);

/* Compares what was sent with what arrived, which may be cut at its end.
 * Returns true when they are the same; else the two lines that first differ. */
bool ctl_sip_same(struct span sent, struct span arrived, struct span *ret_was,
                  struct span *ret_is);

#endif /* CTL_SIP_H */
