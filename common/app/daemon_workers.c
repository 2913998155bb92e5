/* SPDX-License-Identifier: MIT */
#include "app/daemon_internal.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>

#define LOG_COMPONENT "daemon"
#include "base/log.h"

enum { PING_MS = 1000 };

/* ---- messages to workers ---- */

enum letter_kind {
    LETTER_RELOAD,
    LETTER_DRAIN,
    LETTER_PING, /* are you there? */
};

struct letter {
    struct daemon_slot *slot;
    enum letter_kind kind;
    struct config *config; /* reload: with a reference */
};

static void take_reload(struct daemon_slot *slot, struct config *config)
{
    const struct daemon_spec *spec = slot->daemon->spec;

    if (spec->worker_reload && !slot->stopped)
        spec->worker_reload(slot->state, config);
    config_unref(slot->config);
    slot->config = config;
}

static void on_letter(struct worker *worker, void *arg)
{
    struct letter *letter = arg;
    struct daemon_slot *slot = letter->slot;
    const struct daemon_spec *spec = slot->daemon->spec;

    (void)worker;
    switch (letter->kind) {
    case LETTER_RELOAD:
        take_reload(slot, letter->config);
        break;
    case LETTER_DRAIN:
        if (spec->worker_drain && !slot->stopped)
            spec->worker_drain(slot->state);
        atomic_fetch_add(&slot->drains_done, 1);
        break;
    case LETTER_PING:
        atomic_fetch_add(&slot->pings_done, 1);
        break;
    }
    mem_free(letter);
}

/* False when it could not be delivered now. */
static bool post(struct daemon_slot *slot, enum letter_kind kind,
                 struct config *config)
{
    struct worker *worker =
        daemon_worker(slot->daemon, (unsigned)(slot - slot->daemon->slots));
    struct letter *letter = worker ? mem_alloc(sizeof(*letter)) : NULL;

    if (!letter)
        return false;
    *letter = (struct letter){slot, kind, config ? config_ref(config) : NULL};
    if (worker_post(worker, on_letter, letter) == 0)
        return true;
    config_unref(letter->config);
    mem_free(letter);
    return false;
}

/* A full mailbox is tried again with the next tick. */
void daemon_post_due(struct daemon *daemon)
{
    for (unsigned i = 0; i < daemon->n; i++) {
        struct daemon_slot *slot = &daemon->slots[i];

        if (slot->reload_due)
            slot->reload_due = !post(slot, LETTER_RELOAD, daemon->config);
        if (slot->drain_due)
            slot->drain_due = !post(slot, LETTER_DRAIN, NULL);
    }
}

static bool is_answered(const struct daemon_slot *slot)
{
    return atomic_load(&slot->pings_done) == slot->pings;
}

/* Ask each worker that has answered the last time. */
void daemon_ping(struct daemon *daemon, uint64_t now)
{
    for (unsigned i = 0; i < daemon->n; i++) {
        struct daemon_slot *slot = &daemon->slots[i];

        if (!is_answered(slot) || now < slot->pinged + PING_MS)
            continue;
        slot->pinged = now;
        slot->pings += post(slot, LETTER_PING, NULL);
    }
}

int daemon_stuck_worker(const struct daemon *daemon)
{
    uint64_t now = worker_now(daemon->main);

    for (unsigned i = 0; i < daemon->n; i++) {
        const struct daemon_slot *slot = &daemon->slots[i];

        if (!is_answered(slot) && now > slot->pinged + daemon->patience)
            return (int)i;
    }
    return -1;
}

/* ---- workers ---- */

static int on_worker_start(struct worker *worker, void *arg)
{
    struct daemon *daemon = arg;
    const struct daemon_spec *spec = daemon->spec;
    unsigned index = (unsigned)worker_index(worker);
    struct daemon_slot *slot = &daemon->slots[index];
    int err = 0;

    slot->config = config_ref(daemon->config);
    if (spec->worker_start)
        err =
            spec->worker_start(daemon->state, worker, slot->config,
                               stats_block(daemon->stats, index), &slot->state);
    if (err < 0)
        atomic_store(&daemon->hook_failed, true);
    slot->started = err >= 0;
    return err < 0 ? err : 0;
}

static void on_worker_stop(struct worker *worker, void *arg)
{
    struct daemon *daemon = arg;
    struct daemon_slot *slot = &daemon->slots[worker_index(worker)];

    slot->stopped = true;
    if (daemon->spec->worker_stop)
        daemon->spec->worker_stop(slot->state);
}

int daemon_start_workers(struct daemon *daemon)
{
    const struct workers_config config = {
        .count = daemon->n,
        .name = daemon->spec->config.program,
        .start = on_worker_start,
        .stop = on_worker_stop,
        .arg = daemon,
    };
    struct workers *workers;
    int err = workers_start(&workers, &config);

    if (err < 0) {
        return atomic_load(&daemon->hook_failed)
                   ? err /* the hook has said why */
                   : daemon_failed("workers", err);
    }
    atomic_store(&daemon->workers, workers);
    return 0;
}

/* The threads are joined: their slots are ours now. */
void daemon_free_slots(struct daemon *daemon)
{
    for (unsigned i = 0; daemon->slots && i < daemon->n; i++) {
        struct daemon_slot *slot = &daemon->slots[i];

        if (slot->started && daemon->spec->worker_free)
            daemon->spec->worker_free(slot->state);
        config_unref(slot->config);
    }
    mem_free(daemon->slots);
}
