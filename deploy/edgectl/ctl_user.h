/* SPDX-License-Identifier: MIT */
/* ctl_user.h - whom a command is to TURN: a user of ten minutes, made of
 * --secret-file. */
#ifndef CTL_USER_H
#define CTL_USER_H

#include "ctl/ctl_args.h"
#include "ctl/ctl_cred.h"
#include "ctl/ctl_stun.h"

/* `user` borrows from `cred`; it stays as it is when no file was named.
 * Returns 0, or an error that is said in `error`. */
int ctl_make_user(const struct ctl_args *args, struct ctl_cred *cred,
                  struct ctl_stun_user *user, struct buf *error);

#endif /* CTL_USER_H */
