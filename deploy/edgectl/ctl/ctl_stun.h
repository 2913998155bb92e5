/* SPDX-License-Identifier: MIT */
/* ctl_stun.h - the client's half of STUN and TURN, as far as a check needs it
 * (RFC 8489, RFC 8656): Binding, Allocate, Refresh, ChannelBind. Bytes only.
 */
#ifndef CTL_STUN_H
#define CTL_STUN_H

#include "base/addr.h"

enum { CTL_STUN_MAX = 1500, CTL_STUN_TEXT = 256 };

/* Who asks. All empty: without credentials. Realm and nonce are the server's
 * (struct ctl_stun_answer). */
struct ctl_stun_user {
    struct span name, password, realm, nonce;
};

/* Returns the size of the request. `tid` is 12 random bytes. */
int ctl_stun_binding(const uint8_t *tid, uint8_t out[CTL_STUN_MAX]);

/* An allocation of a UDP relay; `lifetime` 0 writes the Refresh that ends it.
 * Returns the size, or ERR_LIMIT when the user does not fit. */
int ctl_stun_allocate(const uint8_t *tid, const struct ctl_stun_user *user,
                      uint32_t lifetime, uint8_t out[CTL_STUN_MAX]);

/* Binds channel `number` to `peer`. Returns as ctl_stun_allocate(). */
int ctl_stun_channel(const uint8_t *tid, const struct ctl_stun_user *user,
                     uint16_t number, const struct addr *peer,
                     uint8_t out[CTL_STUN_MAX]);

/* A Binding request that asks for the answer from the server's other address
 * or its other port (RFC 5780 7.2). Returns the size. */
int ctl_stun_change(const uint8_t *tid, bool ip, bool port,
                    uint8_t out[CTL_STUN_MAX]);

/* What a relay brings: ChannelData or a Data indication. */
struct ctl_stun_data {
    uint16_t channel; /* 0: an indication */
    struct addr peer; /* of an indication */
    struct span data; /* in the packet; empty with `icmp` */
    bool icmp;        /* the peer's network said why it did not arrive */
    uint8_t icmp_type;
    uint16_t icmp_code;
};

/* Returns 0; ERR_STATE when it is something else; ERR_PARSE. */
int ctl_stun_read_data(struct span packet, struct ctl_stun_data *ret_data);

struct ctl_stun_answer {
    int code;            /* 0: success, else ERROR-CODE */
    struct addr mapped;  /* ADDR_NONE when it is not there */
    struct addr relayed; /* the same */
    struct addr other;   /* OTHER-ADDRESS; the same */
    char realm[CTL_STUN_TEXT];
    char nonce[CTL_STUN_TEXT];
};

/* Returns 0; ERR_STATE when it is not the answer to `tid`; ERR_PARSE. */
int ctl_stun_read(struct span packet, const uint8_t *tid,
                  struct ctl_stun_answer *ret_answer);

#endif /* CTL_STUN_H */
