/* SPDX-License-Identifier: MIT */
#include "turn/turn_perm.h"

#include "base/err.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>

/* A call has one to four peers: an array with linear search is the simplest
 * and the fastest. Expired slots are used again. */

void turn_perms_init(struct turn_perms *perms)
{
    *perms = (struct turn_perms){.capacity = TURN_PERMS_INLINE};
}

void turn_perms_deinit(struct turn_perms *perms)
{
    mem_free(perms->more);
    turn_perms_init(perms);
}

static const struct turn_perm *slots_of(const struct turn_perms *perms)
{
    return perms->more ? perms->more : perms->few;
}

static struct turn_perm *slot_at(struct turn_perms *perms, size_t i)
{
    return perms->more ? &perms->more[i] : &perms->few[i];
}

static bool is_live(const struct turn_perm *perm, uint64_t now)
{
    return perm->expires > now;
}

size_t turn_perms_count(const struct turn_perms *perms, uint64_t now)
{
    const struct turn_perm *slots = slots_of(perms);
    size_t n = 0;

    for (size_t i = 0; i < perms->capacity; i++)
        n += is_live(&slots[i], now);
    return n;
}

int turn_perms_reserve(struct turn_perms *perms, size_t n, size_t max,
                       uint64_t now)
{
    size_t needed = turn_perms_count(perms, now) + n;
    size_t capacity = perms->capacity;
    struct turn_perm *more;

    if (needed > max)
        return ERR_LIMIT;
    if (needed <= capacity)
        return 0;
    while (capacity < needed)
        capacity *= 2;
    more = mem_zarray(capacity, sizeof(*more));
    if (!more)
        return -ENOMEM;
    memcpy(more, slots_of(perms), perms->capacity * sizeof(*more));
    mem_free(perms->more);
    perms->more = more;
    perms->capacity = (uint16_t)capacity;
    return 0;
}

struct turn_perm *turn_perms_find(const struct turn_perms *perms,
                                  const struct addr *peer, uint64_t now)
{
    const struct turn_perm *slots = slots_of(perms);

    for (size_t i = 0; i < perms->capacity; i++) {
        if (is_live(&slots[i], now) && addr_same_ip(&slots[i].peer, peer))
            return (struct turn_perm *)(uintptr_t)&slots[i];
    }
    return NULL;
}

static struct turn_perm *find_free(struct turn_perms *perms, uint64_t now)
{
    for (size_t i = 0; i < perms->capacity; i++) {
        if (!is_live(slot_at(perms, i), now))
            return slot_at(perms, i);
    }
    return NULL;
}

void turn_perms_grant(struct turn_perms *perms, const struct addr *peer,
                      enum turn_reach reach, uint64_t now)
{
    struct turn_perm *perm = turn_perms_find(perms, peer, now);

    if (!perm)
        perm = find_free(perms, now);
    assert(perm); /* turn_perms_reserve() promised it */
    perm->peer = *peer;
    perm->peer.port = 0;
    perm->reach = (uint8_t)reach;
    perm->expires = now + TURN_PERM_LIFETIME_MS;
}

size_t turn_perms_review(struct turn_perms *perms,
                         const struct turn_policy *policy, uint64_t now)
{
    size_t ended = 0;

    for (size_t i = 0; i < perms->capacity; i++) {
        struct turn_perm *perm = slot_at(perms, i);
        enum turn_reach reach;

        if (!is_live(perm, now))
            continue;
        reach = turn_policy_reach(policy, &perm->peer);
        perm->reach = (uint8_t)reach;
        if (reach == TURN_REACH_NONE) {
            perm->expires = 0;
            ended++;
        }
    }
    return ended;
}
