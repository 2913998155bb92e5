/* SPDX-License-Identifier: MIT */
/* ctl_client.h - asking a daemon at its admin socket. Waits for the answer. */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include "ctl/ctl_args.h"
#include "ctl/ctl_report.h"

enum { CTL_CLIENT_TIMEOUT_MS = 15 * 1000 };

/* Daemons that are meant, and where their sockets are. */
struct ctl_target {
    const char *name; /* borrowed; "" when only a socket was named */
    char socket[108];
};

struct ctl_targets {
    struct ctl_target items[CTL_WORDS_MAX];
    size_t n;
};

#define CTL_TARGET_OPTIONS                                                     \
    {"socket", "PATH", "ask the daemon behind this admin socket"},             \
    {                                                                          \
        "dir", "DIR", "look for DIR/<daemon>.sock (default: /run/edge)"        \
    }

/* From the words (names of daemons) and the options above. Without a name:
 * every daemon whose socket is there. The words begin at `first`.
 * Returns 0; ERR_PARSE, or -ENOENT when no socket is there; said in
 * `error`. */
int ctl_targets_find(const struct ctl_args *args, size_t first,
                     struct buf *error, struct ctl_targets *ret_targets);

/* One request. The body of the answer is appended to `body`.
 * Returns the HTTP status, -errno (-ECONNREFUSED, -ETIMEDOUT …), ERR_PARSE. */
int ctl_client_ask(const char *socket, const char *method, const char *path,
                   struct span content, struct buf *body);

/* /status and /readyz; `ret_answer` is always filled in. A target without a
 * name learns it. */
void ctl_client_status(const struct ctl_target *target,
                       struct ctl_answer *ret_answer);

/* Monotonic milliseconds. */
uint64_t ctl_client_now(void);

#endif /* CTL_CLIENT_H */
