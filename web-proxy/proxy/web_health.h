/* SPDX-License-Identifier: MIT */
/* web_health.h - what is known about one server of an upstream.
 *
 * Two independent reasons keep requests away from a server:
 *
 *   WEB_HEALTH_EJECTED  requests failed there, one after the other: out for a
 *                       time, then one request is let through as a trial
 *   WEB_HEALTH_DOWN     the active checks say so
 *
 * Shared by all workers and kept across reloads (so counted): every call may
 * come from any thread. Reading is one relaxed load, so that a server without
 * trouble costs a request nothing; the rest happens when something fails.
 * `now` is monotonic milliseconds, the same clock in all workers.
 */
#ifndef WEB_HEALTH_H
#define WEB_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

enum web_health_flags {
    WEB_HEALTH_EJECTED = 1,
    WEB_HEALTH_DOWN = 2,
    WEB_HEALTH_DRAINED = 4, /* the operator says so; never stored here */
};

/* When to take a server out because requests fail. */
struct web_health_rule {
    uint32_t fails_max; /* in a row; 0: never */
    uint64_t fail_ms;   /* and within this time */
    uint64_t out_ms;    /* how long it is out */
};

struct web_health;

struct web_health_counts {
    unsigned flags;     /* enum web_health_flags */
    uint64_t failed;    /* requests and connections that failed */
    uint64_t ejected;   /* times it was taken out */
    uint64_t out_until; /* EJECTED: when a trial is due */
    uint64_t checks;    /* active checks made, and those that failed */
    uint64_t checks_failed;
};

/* In good health, with one reference; NULL without memory. */
struct web_health *web_health_new(void);
struct web_health *web_health_ref(struct web_health *health);
/* NULL is accepted. */
void web_health_unref(struct web_health *health);

unsigned web_health_flags(const struct web_health *health);
void web_health_read(const struct web_health *health,
                     struct web_health_counts *ret_counts);

/* It is back since `now`; 0 when it was never away. */
void web_health_set_up(struct web_health *health, uint64_t now);
uint64_t web_health_up_since(const struct web_health *health);

/* ---- passive: the requests themselves ---- */

/* A server that is ejected: is a trial due? */
bool web_health_trial_due(const struct web_health *health, uint64_t now);

/* Claim the trial for one request; the next is due after the rule's out_ms,
 * whatever becomes of this one. False when another was quicker. */
bool web_health_take_trial(struct web_health *health,
                           const struct web_health_rule *rule, uint64_t now);

/* A request failed. True when that took the server out. */
bool web_health_on_failure(struct web_health *health,
                           const struct web_health_rule *rule, uint64_t now);

/* An answer came. True when that brought the server back. */
bool web_health_on_answer(struct web_health *health);

/* ---- active checks ---- */

/* Claim the check that is due at `now`; the next is due at `next`. False when
 * it is not due or another worker was quicker; `*ret_due` is then when. */
bool web_health_take_check(struct web_health *health, uint64_t now,
                           uint64_t next, uint64_t *ret_due);

/* The result of a check: `fall` bad ones in a row take the server down, `rise`
 * good ones bring it back. True when that changed. */
bool web_health_on_check(struct web_health *health, bool good, uint32_t fall,
                         uint32_t rise);

#endif /* WEB_HEALTH_H */
