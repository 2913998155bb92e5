/* SPDX-License-Identifier: MIT */
/* ctl_man.h - the manual page and the completion of edgectl, made from its
 * table of commands: what packages are built with. */
#ifndef CTL_MAN_H
#define CTL_MAN_H

#include "ctl_args.h"

/* roff, section 1. */
void ctl_man(const struct ctl_command *commands, size_t n, struct buf *out);

/* A script for bash. */
void ctl_completion(const struct ctl_command *commands, size_t n,
                    struct buf *out);

#endif /* CTL_MAN_H */
