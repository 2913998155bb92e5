/* SPDX-License-Identifier: MIT */
/* turn_tokens.h - access tokens of a third party (RFC 7635): an authorization
 * server that shares keys with us gives a client a token, and we learn from
 * the token the key of its requests, and until when it is good.
 *
 * A token is "self-contained" (RFC 7635 6.2): sealed with AES-GCM under one
 * of the keys of this ring, for the server name we announce, which is its
 * additional data. Keys only; immutable; read by any thread.
 */
#ifndef TURN_TOKENS_H
#define TURN_TOKENS_H

#include "stun/stun_auth.h"

struct turn_tokens;

enum {
    TURN_TOKEN_KEYS_MAX = 16,   /* in a ring */
    TURN_TOKEN_KID_MAX = 40,    /* bytes of a key's name */
    TURN_TOKEN_BYTES_MAX = 512, /* of an ACCESS-TOKEN */
    TURN_TOKEN_SKEW_S = 5,      /* RFC 7635 4.1.1: clocks differ */
};

struct turn_tokens_options {
    /* Lines "kid:A256GCM:KEY" or "kid:A128GCM:KEY" with KEY in base64 (32 and
     * 16 bytes); behind it may stand ":FROM:SECONDS": the key is good from
     * that time (seconds since 1970) for so long. # begins a comment line. */
    struct span keys;
    struct span server_name; /* in THIRD-PARTY-AUTHORIZATION; 1 … 127 bytes */
};

/* Returns 0; ERR_CONFIG and a sentence naming the line in `error` (never the
 * content); -ENOMEM. */
int turn_tokens_new(struct turn_tokens **ret_tokens,
                    const struct turn_tokens_options *options, char *error,
                    size_t error_size);
void turn_tokens_free(struct turn_tokens *tokens);

/* What a good token says. */
struct turn_token {
    struct stun_key key; /* of MESSAGE-INTEGRITY: 20 or 32 bytes */
    uint64_t expiry;     /* seconds since 1970; later than `epoch` */
};

enum turn_token_verdict {
    TURN_TOKEN_OK,
    TURN_TOKEN_UNKNOWN_KEY, /* no such kid, or its time is not now */
    TURN_TOKEN_FORGED,      /* not sealed with that key for this server */
    TURN_TOKEN_EXPIRED,     /* or from the future */
};

/* Open a token that was sealed with the key `kid`. `epoch` is seconds since
 * 1970. */
enum turn_token_verdict turn_tokens_open(const struct turn_tokens *tokens,
                                         struct span kid, struct span token,
                                         uint64_t epoch,
                                         struct turn_token *ret_token);

/* What to announce. */
struct span turn_tokens_server_name(const struct turn_tokens *tokens);

size_t turn_tokens_count(const struct turn_tokens *tokens);

#endif /* TURN_TOKENS_H */
