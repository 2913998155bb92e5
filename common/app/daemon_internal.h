/* SPDX-License-Identifier: MIT */
/* daemon_internal.h - shared by the life cycle and its admin endpoints. */
#ifndef APP_DAEMON_INTERNAL_H
#define APP_DAEMON_INTERNAL_H

#include "app/daemon.h"
#include "app/process.h"
#include "net/worker.h"

#include <stdatomic.h>
#include <time.h>
#include <uv.h>

enum daemon_phase {
    PHASE_STARTING,
    PHASE_RUNNING,
    PHASE_DRAINING,
    PHASE_STOPPING,
};

/* One worker as the daemon sees it. */
struct daemon_slot {
    struct daemon *daemon;
    bool started;          /* `state` is there; set before others read it */
    bool stopped;          /* own thread: mail may come after the stop */
    void *state;           /* what worker_start() gave */
    struct config *config; /* what it uses; changed on its own thread */

    /* Main thread: told, or still to be told (its mailbox was full). */
    bool reload_due;
    bool drain_due;
    atomic_uint drains_done; /* written by the worker */
};

enum { SIGNAL_TERM, SIGNAL_INT, SIGNAL_HUP, SIGNALS };

struct daemon {
    const struct daemon_spec *spec;
    struct config *config;
    void *state; /* what start() gave */
    bool started;
    atomic_bool hook_failed; /* a worker_start() has logged why */
    struct worker *main;
    _Atomic(struct workers *) workers;
    struct daemon_slot *slots;
    unsigned n;
    struct stats *stats;
    struct admin *admin;
    enum daemon_phase phase;
    uint64_t deadline; /* of draining */
    uint64_t began;    /* worker_now() */
    time_t loaded;     /* when the settings were read */
    unsigned reloads;
    unsigned reloads_refused;
    uv_signal_t signals[SIGNALS];
    uv_timer_t tick;
    uv_timer_t watchdog;
    char prefix[64]; /* "turn_server" */
};

const char *daemon_phase_name(const struct daemon *daemon);

/* Read the settings again; what happened goes to `report`. 0 or an error. */
int daemon_reload(struct daemon *daemon, struct buf *report);

/* Sum of the gauges that count sessions. */
uint64_t daemon_sessions(const struct daemon *daemon);

/* Register the standard endpoints. 0 or ERR_LIMIT. */
int daemon_endpoints(struct daemon *daemon);

#endif /* APP_DAEMON_INTERNAL_H */
