/* SPDX-License-Identifier: MIT */
/* alarm.h - a deadline that lives inside its user's struct.
 *
 * All alarms of a worker share one heap and one libuv timer, so arming is
 * cheap, cannot fail and needs no closing: cancel it and free the struct.
 * A core has one, armed to its next_deadline().
 */
#ifndef NET_ALARM_H
#define NET_ALARM_H

#include "base/timers.h"
#include "net/worker.h"

struct alarm {
    struct timer timer;
    struct worker *worker;
    void (*fn)(struct alarm *alarm, uint64_t now);
};

/* Not armed. `fn` is called once per arming, on the worker's thread, never
 * from inside alarm_set(). */
void alarm_init(struct alarm *alarm, struct worker *worker,
                void (*fn)(struct alarm *alarm, uint64_t now));

/* Arm for, or move to, this moment of worker_now(). TIMERS_NEVER cancels. */
void alarm_set(struct alarm *alarm, uint64_t deadline);

/* Harmless when not armed. */
void alarm_cancel(struct alarm *alarm);

static inline bool alarm_is_set(const struct alarm *alarm)
{
    return alarm->timer.armed;
}

#endif /* NET_ALARM_H */
