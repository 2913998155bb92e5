/* SPDX-License-Identifier: MIT */
/* sip_hide_internal.h - what the two halves of topology hiding share: the way
 * out (sip_hide.c) and the way back (sip_unhide.c). Included by these only. */
#ifndef SIP_HIDE_INTERNAL_H
#define SIP_HIDE_INTERNAL_H

#include "proxy/sip_hide.h"
#include "proxy/sip_internal.h"
#include "proxy/sip_seal.h"

/* A Call-ID we made, and what Replaces says of one. */
#define SIP_HIDE_CALL_ID "hid-"

struct sip_hide {
    struct sip_msg msg; /* that goes out */
    struct sip_edit edit;
    struct buf out;  /* what is sent */
    struct buf in;   /* what was received, as it was before */
    struct buf list; /* values of a field */
    struct buf value;
    uint8_t plain[SIP_SEAL_TEXT_MAX];
    char sealed[SIP_SEAL_MAX];
};

/* Our own Record-Route or Route value at a listener: a token and our name. */
static inline bool sip_hide_is_ours(const struct sip_local *local,
                                    const struct sip_uri *uri)
{
    struct sip_host own;

    return uri->user.len == SIP_TOKEN_TEXT &&
           sip_host_parse(span_str(local->sent_by), &own) == 0 &&
           sip_host_equal(&uri->host, &own);
}

/* From the host on, with port and parameters, as it is written, up to the
 * headers. */
static inline struct span sip_hide_where(const struct sip_uri *uri)
{
    const uint8_t *start = uri->host.hostport.ptr;
    const uint8_t *end = uri->headers.len > 0 ? uri->headers.ptr - 1
                                              : uri->text.ptr + uri->text.len;

    return span_of(start, (size_t)(end - start));
}

/* Values of several lines become one list: a quote or bracket that is left
 * open would swallow the value behind it, and such a message does not pass. */
bool sip_hide_is_item(struct buf *scratch, struct span value);

#endif /* SIP_HIDE_INTERNAL_H */
