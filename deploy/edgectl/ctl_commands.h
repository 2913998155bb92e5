/* SPDX-License-Identifier: MIT */
/* ctl_commands.h - the commands; their table is in main.c. Each returns what
 * the program leaves with (enum ctl_exit) and has said everything. */
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

#include "ctl/ctl_args.h"

#include <stdio.h>

int cmd_status(const struct ctl_args *args);
int cmd_ready(const struct ctl_args *args);
int cmd_metrics(const struct ctl_args *args);
int cmd_reload(const struct ctl_args *args);
int cmd_drain(const struct ctl_args *args);
int cmd_log_level(const struct ctl_args *args);
int cmd_sip(const struct ctl_args *args);
int cmd_top(const struct ctl_args *args);
int cmd_dashboard(const struct ctl_args *args);
int cmd_turn_credential(const struct ctl_args *args);
int cmd_cert(const struct ctl_args *args);
int cmd_check(const struct ctl_args *args);
int cmd_probe(const struct ctl_args *args);
int cmd_flows(const struct ctl_args *args);
int cmd_firewall(const struct ctl_args *args);

/* ---- helpers of the commands, ctl_io.c ---- */

enum { CTL_ERROR_MAX = 64 * 1024 };

/* Write and release. False, said on standard error, when it could not be
 * written or `out` has failed. */
bool ctl_flush(struct buf *out);

/* A line of somebody else's text, screened, behind `before`. */
void ctl_say(FILE *to, const char *before, struct span line);

/* The lines of `error` on standard error, each behind "edgectl COMMAND: ";
 * releases it and returns `code`. */
int ctl_fail(const struct ctl_args *args, struct buf *error, int code);

/* A whole file of at most `max` bytes into an empty buffer that may hold one
 * more. Returns 0, -errno or ERR_LIMIT; on failure nothing is in `out`, but a
 * secret may be in its memory. */
int ctl_read_file(const char *path, size_t max, struct buf *out);

#endif /* CTL_COMMANDS_H */
