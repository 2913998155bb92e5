/* SPDX-License-Identifier: MIT */
/* ctl_cred.h - time-limited TURN users ("A REST API For Access To TURN
 * Services", draft-uberti-behave-turn-rest): name "expiry[:id]", password
 * base64(HMAC-SHA1(secret, name)).
 */
#ifndef CTL_CRED_H
#define CTL_CRED_H

#include "base/span.h"

enum {
    CTL_CRED_ID_MAX = 200, /* bytes of the id */
    CTL_CRED_USER_SIZE = CTL_CRED_ID_MAX + 24,
    CTL_CRED_PASSWORD_SIZE = 32,
};

struct ctl_cred {
    char user[CTL_CRED_USER_SIZE];
    char password[CTL_CRED_PASSWORD_SIZE]; /* to be wiped */
};

/* The secret turn-server would give out with: the first line of its file that
 * is neither empty nor a comment. False when there is none. */
bool ctl_cred_secret(struct span file, struct span *ret_secret);

/* `id` may be empty; `expires` is in Unix seconds.
 * Returns 0, or ERR_PARSE when the id is too long, holds control characters
 * or is not UTF-8. */
int ctl_cred_make(struct span secret, struct span id, uint64_t expires,
                  struct ctl_cred *ret_cred);

/* "90s", "15m", "12h", "30d", or a number of seconds; 1 second to 10 years.
 * Returns 0 or ERR_PARSE. */
int ctl_cred_lifetime(const char *text, uint64_t *ret_seconds);

#endif /* CTL_CRED_H */
