/* SPDX-License-Identifier: MIT */
/* turn_client.h - requests of TURN over a link, each until there is an answer;
 * over UDP again and again (RFC 8489 6.2.1).
 */
#ifndef TURN_CLIENT_H
#define TURN_CLIENT_H

#include "ctl/ctl_stun.h"
#include "ctl_link.h"

enum { TURN_LIFETIME_S = 600 };

/* The next packet: a datagram, or one whole message of a stream (not a byte
 * more). `out` holds CTL_STUN_MAX bytes. Returns its length or an error. */
int turn_receive(struct ctl_link *link, bool stream, uint8_t *out,
                 unsigned wait_ms);

/* Returns 0 with an answer, success or not; or an error of the link. */
int turn_exchange(struct ctl_link *link, const struct ctl_uri *uri,
                  struct span request, struct ctl_stun_answer *answer);

/* Allocate, or with `lifetime` 0 give back. Returns as turn_exchange(). */
int turn_allocate(struct ctl_link *link, const struct ctl_uri *uri,
                  const struct ctl_stun_user *user, uint32_t lifetime,
                  struct ctl_stun_answer *answer);

/* An allocation that was asked for with a user's credentials. */
struct turn_login {
    struct ctl_stun_user user; /* name and password: from the caller */
    struct ctl_stun_answer challenge;
    struct addr relayed;
    int code; /* why it was refused */
};

/* Allocate as `login->user`. Returns 0; ERR_AUTH when it was refused, with
 * the code; or an error of the link. */
int turn_login(struct ctl_link *link, const struct ctl_uri *uri,
               struct turn_login *login);

/* Bind channel `number` to `peer`. Returns as turn_login(). */
int turn_channel(struct ctl_link *link, const struct ctl_uri *uri,
                 struct turn_login *login, uint16_t number,
                 const struct addr *peer);

#endif /* TURN_CLIENT_H */
