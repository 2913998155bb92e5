/* SPDX-License-Identifier: MIT */
/* ctl_commands.h - the commands; their table is in main.c. Each returns what
 * the program leaves with (enum ctl_exit) and has said everything. */
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

#include "ctl/ctl_args.h"

int cmd_status(const struct ctl_args *args);
int cmd_ready(const struct ctl_args *args);
int cmd_metrics(const struct ctl_args *args);
int cmd_reload(const struct ctl_args *args);
int cmd_drain(const struct ctl_args *args);
int cmd_log_level(const struct ctl_args *args);
int cmd_top(const struct ctl_args *args);
int cmd_turn_credential(const struct ctl_args *args);
int cmd_cert(const struct ctl_args *args);
int cmd_check(const struct ctl_args *args);
int cmd_flows(const struct ctl_args *args);
int cmd_firewall(const struct ctl_args *args);

/* ---- helpers of the commands, ctl_io.c ---- */

enum { CTL_ERROR_MAX = 64 * 1024 };

/* Write and release. False, said on standard error, when it could not be
 * written or `out` has failed. */
bool ctl_flush(struct buf *out);

/* `error` on standard error, behind "edgectl COMMAND: " when it is one line;
 * releases it and returns `code`. */
int ctl_fail(const struct ctl_args *args, struct buf *error, int code);

/* A whole file. Returns 0, -errno or ERR_LIMIT. */
int ctl_read_file(const char *path, size_t max, struct buf *out);

#endif /* CTL_COMMANDS_H */
