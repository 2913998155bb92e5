/* SPDX-License-Identifier: MIT */
/* sip_seal.h - text that only we can read and nobody can change, in characters
 * that may stand in a URI parameter, a Via parameter and a Call-ID.
 *
 *   key id (1) | MAC (16) | ciphertext        as base64url
 *
 * MAC: HMAC-SHA256 cut to 128 bits over use, binding and text; the ciphertext
 * is AES-128 in counter mode from the MAC on (the construction of RFC 5297:
 * the nonce is made from the text). So the same text gives the same seal: a
 * retransmission is equal, a Contact stays the same in all of a dialog, no
 * random number can be used twice. What is sealed for one use or binding opens
 * for no other. Keys are derived from those of the flow tokens (sip_token.h),
 * with the same ring: a restart or a new key loses nothing.
 */
#ifndef SIP_SEAL_H
#define SIP_SEAL_H

#include "proxy/sip_token.h"

enum {
    SIP_SEAL_TEXT_MAX = 4096, /* bytes that can be sealed */
    SIP_SEAL_OVERHEAD = 17,
    SIP_SEAL_MAX = (SIP_SEAL_TEXT_MAX + SIP_SEAL_OVERHEAD + 2) / 3 * 4 + 1,
};

enum sip_seal_use {
    SIP_SEAL_VIA = 1, /* binding: our branch */
    SIP_SEAL_ROUTE,   /* binding: Call-ID */
    SIP_SEAL_HOST,    /* of a URI; no binding: it may be called again */
    SIP_SEAL_CALL_ID, /* no binding */
};

/* Into `out` (SIP_SEAL_MAX), NUL-terminated. Returns the length, ERR_LIMIT
 * when the text is too long. */
int sip_seal(const struct sip_token_keys *keys, enum sip_seal_use use,
             struct span binding, struct span text, char out[SIP_SEAL_MAX]);

/* Into `out` (SIP_SEAL_TEXT_MAX). Returns the length of the text, ERR_PARSE
 * when it is no seal, ERR_AUTH when it is not ours, or of another use. */
int sip_unseal(const struct sip_token_keys *keys, enum sip_seal_use use,
               struct span binding, struct span sealed,
               uint8_t out[SIP_SEAL_TEXT_MAX]);

#endif /* SIP_SEAL_H */
