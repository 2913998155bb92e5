/* SPDX-License-Identifier: MIT */
#include "proxy/web_health.h"

#include "base/mem.h"

/* Workers may count past each other by one now and then: a threshold is then
 * met one failure earlier or later, which harms nobody. */
#define LOAD(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define STORE(field, value)                                                    \
    __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)
#define ADD(field, n) __atomic_add_fetch(&(field), (n), __ATOMIC_RELAXED)

struct web_health {
    /* Read at every request. */
    unsigned flags;
    uint32_t fails; /* in a row */
    uint64_t out_until;
    uint64_t up_since;

    unsigned refs;
    uint64_t first_fail;
    uint64_t failed;
    uint64_t ejected;
    uint64_t check_due;
    uint64_t checks;
    uint64_t checks_failed;
    uint32_t checks_good; /* in a row */
    uint32_t checks_bad;  /* in a row */
};

struct web_health *web_health_new(void)
{
    struct web_health *health = mem_zalloc(sizeof(*health));

    if (health)
        health->refs = 1;
    return health;
}

struct web_health *web_health_ref(struct web_health *health)
{
    ADD(health->refs, 1);
    return health;
}

void web_health_unref(struct web_health *health)
{
    if (health && __atomic_sub_fetch(&health->refs, 1, __ATOMIC_ACQ_REL) == 0)
        mem_free(health);
}

unsigned web_health_flags(const struct web_health *health)
{
    return LOAD(health->flags);
}

void web_health_read(const struct web_health *health,
                     struct web_health_counts *ret_counts)
{
    ret_counts->flags = LOAD(health->flags);
    ret_counts->failed = LOAD(health->failed);
    ret_counts->ejected = LOAD(health->ejected);
    ret_counts->out_until = LOAD(health->out_until);
    ret_counts->checks = LOAD(health->checks);
    ret_counts->checks_failed = LOAD(health->checks_failed);
}

void web_health_set_up(struct web_health *health, uint64_t now)
{
    STORE(health->up_since, now);
}

uint64_t web_health_up_since(const struct web_health *health)
{
    return LOAD(health->up_since);
}

static bool set_flag(struct web_health *health, unsigned flag)
{
    return !(__atomic_fetch_or(&health->flags, flag, __ATOMIC_RELAXED) & flag);
}

static bool clear_flag(struct web_health *health, unsigned flag)
{
    return __atomic_fetch_and(&health->flags, ~flag, __ATOMIC_RELAXED) & flag;
}

/* ---- passive ---- */

bool web_health_trial_due(const struct web_health *health, uint64_t now)
{
    return now >= LOAD(health->out_until);
}

bool web_health_take_trial(struct web_health *health,
                           const struct web_health_rule *rule, uint64_t now)
{
    uint64_t until = LOAD(health->out_until);

    return now >= until && __atomic_compare_exchange_n(
                               &health->out_until, &until, now + rule->out_ms,
                               false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

bool web_health_on_failure(struct web_health *health,
                           const struct web_health_rule *rule, uint64_t now)
{
    ADD(health->failed, 1);
    if (rule->fails_max == 0)
        return false;
    if (LOAD(health->fails) == 0 ||
        now > LOAD(health->first_fail) + rule->fail_ms) {
        STORE(health->first_fail, now);
        STORE(health->fails, 0);
    }
    if (ADD(health->fails, 1) < rule->fails_max ||
        (LOAD(health->flags) & WEB_HEALTH_EJECTED))
        return false;
    /* The moment first: whoever sees the flag may ask for it. */
    STORE(health->out_until, now + rule->out_ms);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    if (!set_flag(health, WEB_HEALTH_EJECTED))
        return false;
    ADD(health->ejected, 1);
    return true;
}

bool web_health_on_answer(struct web_health *health)
{
    if (LOAD(health->fails) == 0 && !(LOAD(health->flags) & WEB_HEALTH_EJECTED))
        return false;
    STORE(health->fails, 0);
    return clear_flag(health, WEB_HEALTH_EJECTED);
}

/* ---- active ---- */

bool web_health_take_check(struct web_health *health, uint64_t now,
                           uint64_t next, uint64_t *ret_due)
{
    uint64_t due = LOAD(health->check_due);

    if (now >= due &&
        __atomic_compare_exchange_n(&health->check_due, &due, next, false,
                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        due = next;
    else
        next = 0;
    *ret_due = due;
    return next != 0;
}

bool web_health_on_check(struct web_health *health, bool good, uint32_t fall,
                         uint32_t rise)
{
    ADD(health->checks, 1);
    if (good) {
        STORE(health->checks_bad, 0);
        return ADD(health->checks_good, 1) >= rise &&
               clear_flag(health, WEB_HEALTH_DOWN);
    }
    ADD(health->checks_failed, 1);
    STORE(health->checks_good, 0);
    return ADD(health->checks_bad, 1) >= fall &&
           set_flag(health, WEB_HEALTH_DOWN);
}
