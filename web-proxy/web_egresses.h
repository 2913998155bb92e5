/* SPDX-License-Identifier: MIT */
/* web_egresses.h - the rules of the way out as all workers see them: an
 * immutable snapshot, replaced at a reload.
 */
#ifndef WEB_EGRESSES_H
#define WEB_EGRESSES_H

#include "app/config.h"
#include "proxy/web_egress.h"

struct conn_limit;

struct web_egresses {
    struct config *config; /* what is borrowed below is its */
    const struct cidr *from;
    size_t n_from;
    struct web_egress_rule *rules;
    size_t n;
    struct conn_limit *limit; /* one for all snapshots */
    uint64_t head_ms;
    uint64_t connect_ms;
    uint64_t idle_ms;
    uint64_t bytes_max;
    unsigned refs; /* atomic */
};

/* `old` may be NULL. Main thread. Returns 0 or -ENOMEM. */
int web_egresses_new(struct web_egresses **ret_egresses,
                     const struct config *config,
                     const struct web_egresses *old);

/* Any thread. web_egresses_unref() accepts NULL. */
struct web_egresses *web_egresses_ref(struct web_egresses *egresses);
void web_egresses_unref(struct web_egresses *egresses);

#endif /* WEB_EGRESSES_H */
