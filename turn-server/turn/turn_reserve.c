/* SPDX-License-Identifier: MIT */
#include "turn/turn_reserve.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

struct slot {
    uint8_t token[TURN_TOKEN_SIZE];
    uint64_t expires; /* 0: free */
    struct turn_reserved what;
};

struct turn_reserve {
    pthread_mutex_t lock;
    struct turn_ports *ports;
    struct turn_quota *quota;
    uint32_t used; /* atomic: lets reap() return without the lock */
    struct slot slots[TURN_RESERVE_MAX];
};

int turn_reserve_new(struct turn_reserve **ret_reserve,
                     struct turn_ports *ports, struct turn_quota *quota)
{
    struct turn_reserve *reserve = mem_zalloc(sizeof(*reserve));

    if (!reserve)
        return -ENOMEM;
    if (pthread_mutex_init(&reserve->lock, NULL) != 0) {
        mem_free(reserve);
        return -ENOMEM;
    }
    reserve->ports = ports;
    reserve->quota = quota;
    *ret_reserve = reserve;
    return 0;
}

static void clear(struct turn_reserve *reserve, struct slot *slot)
{
    turn_quota_give(reserve->quota, &slot->what.hold);
    *slot = (struct slot){0};
    __atomic_fetch_sub(&reserve->used, 1, __ATOMIC_RELAXED);
}

static void reap_locked(struct turn_reserve *reserve, uint64_t now)
{
    for (size_t i = 0; i < TURN_RESERVE_MAX; i++) {
        struct slot *slot = &reserve->slots[i];

        if (slot->expires == 0 || slot->expires > now)
            continue;
        turn_ports_give(reserve->ports, slot->what.addr, slot->what.port);
        clear(reserve, slot);
    }
}

void turn_reserve_reap(struct turn_reserve *reserve, uint64_t now)
{
    if (__atomic_load_n(&reserve->used, __ATOMIC_RELAXED) == 0)
        return;
    pthread_mutex_lock(&reserve->lock);
    reap_locked(reserve, now);
    pthread_mutex_unlock(&reserve->lock);
}

void turn_reserve_free(struct turn_reserve *reserve)
{
    if (!reserve)
        return;
    reap_locked(reserve, UINT64_MAX);
    pthread_mutex_destroy(&reserve->lock);
    mem_free(reserve);
}

static struct slot *find_free(struct turn_reserve *reserve)
{
    for (size_t i = 0; i < TURN_RESERVE_MAX; i++) {
        if (reserve->slots[i].expires == 0)
            return &reserve->slots[i];
    }
    return NULL;
}

static struct slot *find_token(struct turn_reserve *reserve,
                               const uint8_t token[TURN_TOKEN_SIZE])
{
    for (size_t i = 0; i < TURN_RESERVE_MAX; i++) {
        struct slot *slot = &reserve->slots[i];

        if (slot->expires != 0 &&
            mem_equal_secret(slot->token, token, TURN_TOKEN_SIZE))
            return slot;
    }
    return NULL;
}

int turn_reserve_put(struct turn_reserve *reserve,
                     const uint8_t token[TURN_TOKEN_SIZE],
                     const struct turn_reserved *what, uint64_t now)
{
    struct slot *slot;

    pthread_mutex_lock(&reserve->lock);
    reap_locked(reserve, now);
    slot = find_free(reserve);
    if (slot) {
        memcpy(slot->token, token, TURN_TOKEN_SIZE);
        slot->expires = now + TURN_RESERVE_MS;
        slot->what = *what;
        __atomic_fetch_add(&reserve->used, 1, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&reserve->lock);
    return slot ? 0 : ERR_LIMIT;
}

bool turn_reserve_claim(struct turn_reserve *reserve,
                        const uint8_t token[TURN_TOKEN_SIZE], uint64_t now,
                        size_t *ret_addr, uint16_t *ret_port)
{
    struct slot *slot;

    pthread_mutex_lock(&reserve->lock);
    reap_locked(reserve, now);
    slot = find_token(reserve, token);
    if (slot) {
        *ret_addr = slot->what.addr;
        *ret_port = slot->what.port;
        clear(reserve, slot);
    }
    pthread_mutex_unlock(&reserve->lock);
    return slot != NULL;
}
