/* SPDX-License-Identifier: MIT */
#include "turn/turn_chan.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>

void turn_chans_init(struct turn_chans *chans)
{
    *chans = (struct turn_chans){.capacity = TURN_CHANS_INLINE};
}

void turn_chans_deinit(struct turn_chans *chans)
{
    mem_free(chans->more);
    turn_chans_init(chans);
}

static struct turn_chan *slot_at(const struct turn_chans *chans, size_t i)
{
    const struct turn_chan *slots = chans->more ? chans->more : chans->few;

    return (struct turn_chan *)(uintptr_t)&slots[i];
}

static bool is_live(const struct turn_chan *chan, uint64_t now)
{
    return chan->expires > now;
}

struct turn_chan *turn_chans_find(const struct turn_chans *chans,
                                  uint16_t number, uint64_t now)
{
    for (size_t i = 0; i < chans->capacity; i++) {
        struct turn_chan *chan = slot_at(chans, i);

        if (chan->number == number && is_live(chan, now))
            return chan;
    }
    return NULL;
}

struct turn_chan *turn_chans_find_peer(const struct turn_chans *chans,
                                       const struct addr *peer, uint64_t now)
{
    for (size_t i = 0; i < chans->capacity; i++) {
        struct turn_chan *chan = slot_at(chans, i);

        if (is_live(chan, now) && addr_equal(&chan->peer, peer))
            return chan;
    }
    return NULL;
}

size_t turn_chans_count(const struct turn_chans *chans, uint64_t now)
{
    size_t n = 0;

    for (size_t i = 0; i < chans->capacity; i++)
        n += is_live(slot_at(chans, i), now);
    return n;
}

static struct turn_chan *find_free(const struct turn_chans *chans, uint64_t now)
{
    for (size_t i = 0; i < chans->capacity; i++) {
        if (!is_live(slot_at(chans, i), now))
            return slot_at(chans, i);
    }
    return NULL;
}

static int grow(struct turn_chans *chans)
{
    size_t capacity = (size_t)chans->capacity * 2;
    struct turn_chan *more = mem_zarray(capacity, sizeof(*more));

    if (!more)
        return -ENOMEM;
    memcpy(more, slot_at(chans, 0), chans->capacity * sizeof(*more));
    mem_free(chans->more);
    chans->more = more;
    chans->capacity = (uint16_t)capacity;
    return 0;
}

static int take_slot(struct turn_chans *chans, size_t max, uint64_t now,
                     struct turn_chan **ret_slot)
{
    struct turn_chan *slot = find_free(chans, now);
    int err;

    if (turn_chans_count(chans, now) >= max)
        return ERR_LIMIT;
    if (!slot) {
        err = grow(chans);
        if (err < 0)
            return err;
        slot = find_free(chans, now);
    }
    *ret_slot = slot;
    return slot ? 0 : ERR_LIMIT;
}

int turn_chans_bind(struct turn_chans *chans, uint16_t number,
                    const struct addr *peer, size_t max, uint64_t now)
{
    struct turn_chan *by_number = turn_chans_find(chans, number, now);
    struct turn_chan *by_peer = turn_chans_find_peer(chans, peer, now);
    struct turn_chan *chan = by_number;
    int err;

    if (by_number != by_peer)
        return ERR_STATE; /* RFC 8656 12.2 */
    if (!chan) {
        err = take_slot(chans, max, now, &chan);
        if (err < 0)
            return err;
    }
    chan->peer = *peer;
    chan->number = number;
    chan->expires = now + TURN_CHAN_LIFETIME_MS;
    return 0;
}

size_t turn_chans_review(struct turn_chans *chans,
                         const struct turn_policy *policy, uint64_t now)
{
    size_t ended = 0;

    for (size_t i = 0; i < chans->capacity; i++) {
        struct turn_chan *chan = slot_at(chans, i);

        if (is_live(chan, now) && !turn_policy_allows(policy, &chan->peer)) {
            chan->expires = 0;
            ended++;
        }
    }
    return ended;
}
