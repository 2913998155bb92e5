/* SPDX-License-Identifier: MIT */
/* stun_auth.h - integrity, fingerprint, long-term keys and stateless nonces
 * (RFC 8489 sections 9.2, 14.5 to 14.7, 18.5).
 */
#ifndef STUN_AUTH_H
#define STUN_AUTH_H

#include "stun/stun_attr.h"

/* PASSWORD-ALGORITHM numbers (RFC 8489 18.5). */
enum stun_algorithm {
    STUN_ALGORITHM_MD5 = 1,
    STUN_ALGORITHM_SHA256 = 2,
};

/* The key of a long-term credential: a digest of name:realm:password. */
struct stun_key {
    uint8_t bytes[32];
    uint8_t len; /* 16 (MD5) or 32 (SHA-256) */
};

void stun_key_make(enum stun_algorithm algorithm, struct span username,
                   struct span realm, struct span password,
                   struct stun_key *ret_key);

/* USERHASH: SHA-256 of name:realm (RFC 8489 14.4). */
void stun_userhash(struct span username, struct span realm, uint8_t out[32]);

/* Which integrity attribute a message carries. Given both, the stronger. */
enum stun_integrity {
    STUN_INTEGRITY_NONE,
    STUN_INTEGRITY_SHA1,
    STUN_INTEGRITY_SHA256,
};
enum stun_integrity stun_integrity_of(const struct stun_msg *msg);

/* True when the message carries this integrity and it is right. */
bool stun_check_integrity(const struct stun_msg *msg, enum stun_integrity kind,
                          const struct stun_key *key);

/* True when there is no FINGERPRINT, or it stands last and is right. */
bool stun_check_fingerprint(const struct stun_msg *msg);

/* Each is written last but for those below it. NONE writes nothing. */
void stun_write_integrity(struct stun_writer *w, enum stun_integrity kind,
                          const struct stun_key *key);
void stun_write_fingerprint(struct stun_writer *w);

/* --- nonces ---
 *
 * The server keeps nothing: a nonce is the cookie of RFC 8489 9.2 with the
 * features we offer, a time stamp, and 64 bits of HMAC over both and over the
 * client's address. So it expires, works for one client only, and a man in
 * the middle cannot take features out of it.
 */
enum {
    STUN_NONCE_SIZE = 29,
    STUN_FEATURE_ALGORITHMS = 0x800000, /* PASSWORD-ALGORITHMS are sent */
    STUN_FEATURE_ANONYMITY = 0x400000,  /* USERHASH is understood */
};

/* Write the STUN_NONCE_SIZE bytes of a nonce. `secret` is the server's own
 * and never leaves it; `now_s` counts seconds. */
void stun_nonce_make(struct span secret, const struct addr *client,
                     uint32_t features, uint64_t now_s,
                     char out[STUN_NONCE_SIZE]);

/* True when we made it for this client, at most `lifetime_s` ago. */
bool stun_nonce_is_fresh(struct span nonce, struct span secret,
                         const struct addr *client, uint64_t now_s,
                         uint32_t lifetime_s);

/* The features a nonce says the server has; 0 for one without the cookie. */
uint32_t stun_nonce_features(struct span nonce);

#endif /* STUN_AUTH_H */
