/* SPDX-License-Identifier: MIT */
#include "turn/turn_ports.h"

#include "base/err.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>

struct turn_ports {
    uint16_t first;
    uint32_t n;     /* ports per address */
    uint32_t taken; /* atomic */
    size_t addrs;
    uint32_t *bits; /* atomic; `words` for each address */
    size_t words;
};

int turn_ports_new(struct turn_ports **ret_ports, size_t addrs, uint16_t first,
                   uint16_t last)
{
    struct turn_ports *ports;

    if (addrs == 0 || first == 0 || last < first)
        return -EINVAL;
    ports = mem_zalloc(sizeof(*ports));
    if (!ports)
        return -ENOMEM;
    ports->first = first;
    ports->n = (uint32_t)(last - first) + 1;
    ports->addrs = addrs;
    ports->words = (ports->n + 31) / 32;
    ports->bits = mem_zarray(addrs * ports->words, sizeof(*ports->bits));
    if (!ports->bits) {
        mem_free(ports);
        return -ENOMEM;
    }
    *ret_ports = ports;
    return 0;
}

void turn_ports_free(struct turn_ports *ports)
{
    if (!ports)
        return;
    mem_free(ports->bits);
    mem_free(ports);
}

static uint32_t *word_of(const struct turn_ports *ports, size_t addr,
                         uint32_t index)
{
    return &ports->bits[addr * ports->words + index / 32];
}

static bool take_bit(struct turn_ports *ports, size_t addr, uint32_t index)
{
    uint32_t mask = 1U << (index % 32);

    if (__atomic_fetch_or(word_of(ports, addr, index), mask, __ATOMIC_RELAXED) &
        mask)
        return false;
    __atomic_fetch_add(&ports->taken, 1, __ATOMIC_RELAXED);
    return true;
}

static void give_bit(struct turn_ports *ports, size_t addr, uint32_t index)
{
    uint32_t mask = 1U << (index % 32);
    uint32_t old = __atomic_fetch_and(word_of(ports, addr, index), ~mask,
                                      __ATOMIC_RELAXED);

    assert(old & mask);
    __atomic_fetch_sub(&ports->taken, 1, __ATOMIC_RELAXED);
}

static bool is_wanted(const struct turn_ports *ports, uint32_t index,
                      enum turn_port_want want)
{
    if (want == TURN_PORT_ANY)
        return true;
    if ((ports->first + index) % 2 != 0)
        return false;
    return want == TURN_PORT_EVEN || index + 1 < ports->n;
}

static bool try_index(struct turn_ports *ports, size_t addr, uint32_t index,
                      enum turn_port_want want)
{
    if (!is_wanted(ports, index, want) || !take_bit(ports, addr, index))
        return false;
    if (want != TURN_PORT_EVEN_PAIR || take_bit(ports, addr, index + 1))
        return true;
    give_bit(ports, addr, index);
    return false;
}

int turn_ports_take(struct turn_ports *ports, size_t addr, uint32_t random,
                    enum turn_port_want want)
{
    uint32_t index = random % ports->n;
    uint32_t left = ports->n;

    assert(addr < ports->addrs);
    while (left > 0) {
        uint32_t word =
            __atomic_load_n(word_of(ports, addr, index), __ATOMIC_RELAXED);

        /* a full word is skipped at once: the range may be nearly used up */
        if (word == UINT32_MAX && index % 32 == 0 && left >= 32 &&
            index + 32 <= ports->n) {
            index = (index + 32) % ports->n;
            left -= 32;
            continue;
        }
        if (try_index(ports, addr, index, want))
            return ports->first + (int)index;
        index = (index + 1) % ports->n;
        left--;
    }
    return ERR_LIMIT;
}

void turn_ports_give(struct turn_ports *ports, size_t addr, uint16_t port)
{
    assert(addr < ports->addrs && port >= ports->first &&
           (uint32_t)(port - ports->first) < ports->n);
    give_bit(ports, addr, (uint32_t)(port - ports->first));
}

uint32_t turn_ports_taken(const struct turn_ports *ports)
{
    return __atomic_load_n(&ports->taken, __ATOMIC_RELAXED);
}
