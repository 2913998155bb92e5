/* SPDX-License-Identifier: MIT */
/* turn_realms.h - the figures of each realm: where they are kept, and how they
 * are shown.
 *
 * A realm has a slot as long as the settings name it: one block of figures in
 * each worker. Slots are few (TURN_REALMS_MAX), so whatever realms come and go
 * by reloads, neither memory nor /metrics grows. Main thread, but for the
 * blocks, which are their workers'.
 */
#ifndef TURN_REALMS_H
#define TURN_REALMS_H

#include "base/buf.h"
#include "turn/turn_rules.h"
#include "turn/turn_stats.h"
#include "turn_config.h"

struct turn_realms;

/* Returns 0 or -ENOMEM. */
int turn_realms_new(struct turn_realms **ret_realms, unsigned workers);
void turn_realms_free(struct turn_realms *realms);

/* Find or choose a slot for each extra realm of `c`; `slots` has room for
 * TURN_REALMS_MAX. False when there are too many. Nothing is taken yet. */
bool turn_realms_assign(const struct turn_realms *realms,
                        const struct turn_config *c,
                        uint8_t slots[TURN_REALMS_MAX]);

/* These rules are in force: their realms have the slots now. A slot whose
 * realm has gone starts from nothing with the next one. */
void turn_realms_take(struct turn_realms *realms,
                      const struct turn_rules *rules);

/* TURN_REALMS_MAX blocks: one worker's. Any thread. */
struct turn_realm_stats *turn_realms_block(struct turn_realms *realms,
                                           unsigned worker);

/* Prometheus text, {realm="…"}; and the member "realms" of /status. */
void turn_realms_metrics(const struct turn_realms *realms,
                         const struct turn_rules *rules, struct buf *out);
void turn_realms_status(const struct turn_realms *realms,
                        const struct turn_rules *rules, struct buf *json);

#endif /* TURN_REALMS_H */
