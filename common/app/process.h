/* SPDX-License-Identifier: MIT */
/* process.h - what a process may do: limits and privileges. */
#ifndef APP_PROCESS_H
#define APP_PROCESS_H

#include <stdint.h>

/* No core dumps, no reading of our memory by other processes of the user:
 * there are keys in it. */
void process_protect(void);

/* Raise the limit of open files to `need` (0: as far as allowed). Says in the
 * log when that is not allowed. */
void process_raise_files(uint64_t need);

struct process_user {
    unsigned uid;
    unsigned gid;
    char name[65];
};

/* Look `name` up. Returns 0; -ENOENT when there is none; -EPERM when we are
 * not root and not that user (each said in the log). */
int process_find_user(const char *name, struct process_user *ret_user);

/* Become the user, for good. Returns 0 or -errno (said in the log). */
int process_become(const struct process_user *user);

#endif /* APP_PROCESS_H */
