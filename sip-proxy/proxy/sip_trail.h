/* SPDX-License-Identifier: MIT */
/* sip_trail.h - why a request went where it went: the decisions about the
 * newest requests, in a ring.
 *
 * An entry is opened when a request that is no retransmission comes in, and
 * completed while it is under way; its number names it, and names nothing any
 * more once the ring has come around. What the guard or the parser turned
 * away is only counted: a flood must not wash out what is looked for. No
 * header fields but those below, no bodies, no credentials.
 *
 * Of fixed size; owner: one core, no locks.
 */
#ifndef SIP_TRAIL_H
#define SIP_TRAIL_H

#include "msg/sip_msg.h"
#include "txn/sip_target.h"

enum {
    SIP_TRAIL_CALL_ID = 120, /* longer ones are cut */
    SIP_TRAIL_METHOD = 16,
};

enum sip_trail_rule {
    SIP_TRAIL_OPEN, /* nothing decided (an ACK or CANCEL of nothing) */
    SIP_TRAIL_REFUSED,
    SIP_TRAIL_SELF,    /* answered by the edge */
    SIP_TRAIL_SERVER,  /* to a media server */
    SIP_TRAIL_CLIENT,  /* down a client's connection */
    SIP_TRAIL_PARTNER, /* to a federation partner */
    SIP_TRAIL_CANCEL,  /* of an INVITE under way */
    SIP_TRAIL_PARKED,  /* its client is coming back, perhaps */
};

enum sip_trail_token {
    SIP_TRAIL_NO_TOKEN,
    SIP_TRAIL_VERIFIED,
    SIP_TRAIL_MOVED,    /* the same; its client is elsewhere now */
    SIP_TRAIL_GONE,     /* ours, but its connection is closed */
    SIP_TRAIL_FORGED,   /* looks like ours, is not */
    SIP_TRAIL_UNSIGNED, /* a Route where one with a token was needed */
};

struct sip_trail_entry {
    uint64_t number; /* from 1 */
    uint64_t begun;  /* ms */
    uint64_t ended;  /* ms, the final answer; 0: none yet */
    struct sip_target from;
    struct sip_target to; /* the last one; transport NONE: none */
    enum sip_trail_rule rule;
    enum sip_trail_token token;
    const char *refusal; /* label, static; NULL: not refused */
    uint32_t cseq;
    uint32_t partner; /* sip_partner_tag() of whom it is from or for; 0: none */
    bool in_dialog;
    uint8_t tries;   /* targets it was sent to */
    uint16_t status; /* the last one given to the sender; 0: none */
    uint8_t call_id_len;
    uint8_t method_len;
    char call_id[SIP_TRAIL_CALL_ID];
    char method[SIP_TRAIL_METHOD];
};

struct sip_trail;

/* `size` entries; 0: nothing is kept. Returns 0 or -ENOMEM. Release with
 * sip_trail_free(). */
int sip_trail_new(struct sip_trail **ret_trail, size_t size);
void sip_trail_free(struct sip_trail *trail);

/* A new entry's number, 0 when nothing is kept. */
uint64_t sip_trail_begin(struct sip_trail *trail, const struct sip_msg *request,
                         const struct sip_target *from, uint64_t now);

/* By number; harmless when the ring has come around, or for 0. */
void sip_trail_route(struct sip_trail *trail, uint64_t number,
                     enum sip_trail_rule rule, enum sip_trail_token token);
void sip_trail_refused(struct sip_trail *trail, uint64_t number,
                       const char *label, unsigned status,
                       enum sip_trail_token token, uint64_t now);
void sip_trail_partner(struct sip_trail *trail, uint64_t number, uint32_t tag);
void sip_trail_sent(struct sip_trail *trail, uint64_t number,
                    const struct sip_target *to);
void sip_trail_answered(struct sip_trail *trail, uint64_t number,
                        unsigned status, uint64_t now);

/* Copy the newest entries of a Call-ID, oldest first. Returns how many. */
size_t sip_trail_search(const struct sip_trail *trail, struct span call_id,
                        struct sip_trail_entry *ret_entries, size_t max);

/* Words for people: "media server", "verified". */
const char *sip_trail_rule_str(enum sip_trail_rule rule);
const char *sip_trail_token_str(enum sip_trail_token token);

#endif /* SIP_TRAIL_H */
