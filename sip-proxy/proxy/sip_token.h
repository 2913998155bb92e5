/* SPDX-License-Identifier: MIT */
/* sip_token.h - the signed flow token: 36 bytes, 48 characters in a URI.
 *
 * All routing state the edge hands out (Path, Record-Route, a rewritten
 * Contact) is one token in the user part or a parameter of a URI:
 *
 *   0      1      2      4      5      8            12       14       20    36
 *   | use  | key  | node |worker| slot | generation | server | client | MAC |
 *   |flags | id   |      |      |      |            |        |        |     |
 *
 * The MAC is HMAC-SHA256 cut to 128 bits over the twenty bytes before it
 * and the binding: what the token may be used with and is not written into it.
 * A Record-Route token is bound to the dialog's Call-ID, a Path or Contact
 * token to the user part of the registered Contact. So a token taken from one
 * dialog opens no other, and one use cannot be passed off as the other.
 *
 * Two keys are alive: tokens are made with the first, and verified with either
 * one, so that replacing a key file loses no call. Pure; no state but the keys.
 */
#ifndef SIP_TOKEN_H
#define SIP_TOKEN_H

#include "base/pool.h"
#include "base/span.h"

enum {
    SIP_TOKEN_BYTES = 36,
    SIP_TOKEN_TEXT = 48, /* base64url characters, no NUL */
    SIP_TOKEN_KEY = 32,  /* bytes of one key */
};

enum sip_token_use {
    SIP_TOKEN_PATH = 1,   /* Path of a REGISTER, then Route from inside */
    SIP_TOKEN_RECORD = 2, /* Record-Route, then Route from either side */
    SIP_TOKEN_CONTACT = 3 /* in a rewritten Contact, then Request-URI */
};

struct sip_token {
    enum sip_token_use use;
    bool sips;       /* the client wrote sips: where we now say sip: */
    uint16_t node;   /* which edge host */
    uint8_t worker;  /* which of its threads owns the connection */
    uint16_t server; /* sip_server_tag() of the media server, 0: none */
    /* A federation partner: the generation is its tag (sip_partner.h), no
     * connection is named. */
    bool partner;
    /* Slot below 2^24 - 1; the generation has the process's epoch mixed in (see
     * sip_flow.h), so that a token of an earlier run names nothing. */
    struct pool_id flow;
    uint64_t tag; /* of its client, 48 bits; sip_rebind.h; 0: none */
};

/* What a token is used with. Which of the two counts is said by its use:
 * Record-Route the Call-ID; Path and Contact the user part of the Contact (as
 * written; in requests from inside the one of the Request-URI). */
struct sip_token_binding {
    struct span call_id;
    struct span user;
};

struct sip_token_key {
    uint8_t id;
    uint8_t secret[SIP_TOKEN_KEY];
};

struct sip_token_keys {
    struct sip_token_key key[2]; /* the first signs */
    unsigned count;              /* 1 or 2 */
};

enum sip_token_verdict {
    SIP_TOKEN_NONE,   /* not the shape of a token: an ordinary user part */
    SIP_TOKEN_FORGED, /* a token's shape, but no key of ours signed it so */
    SIP_TOKEN_VALID,
};

/* A key's id is taken from its digest, so nodes that share a key file agree
 * without saying so. `secret` is SIP_TOKEN_KEY bytes, copied. */
void sip_token_key_init(struct sip_token_key *key,
                        const uint8_t secret[SIP_TOKEN_KEY]);

/* Into `text` (SIP_TOKEN_TEXT + 1 bytes, NUL-terminated). */
void sip_token_write(const struct sip_token_keys *keys,
                     const struct sip_token *token,
                     const struct sip_token_binding *binding,
                     char text[SIP_TOKEN_TEXT + 1]);

/* Read and verify; the MAC is compared in constant time. `*ret_token` is
 * written only for SIP_TOKEN_VALID. */
enum sip_token_verdict sip_token_read(const struct sip_token_keys *keys,
                                      struct span text,
                                      const struct sip_token_binding *binding,
                                      struct sip_token *ret_token);

/* Only the owner's worker and the client, from a text that is not verified
 * yet: enough to hand a datagram to the thread that can verify and act. False
 * when the text has not the shape of a token of `node`. */
bool sip_token_peek_worker(struct span text, uint16_t node, uint8_t *ret_worker,
                           uint64_t *ret_tag);

#endif /* SIP_TOKEN_H */
