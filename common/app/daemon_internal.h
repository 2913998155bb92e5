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
    unsigned pings;          /* delivered */
    uint64_t pinged;         /* when, worker_now() */
    atomic_uint drains_done; /* written by the worker */
    atomic_uint pings_done;
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
    int stuck;         /* the worker last said to be stuck, or -1 */
    uint64_t patience; /* ms, with a worker that does not answer */
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

/* ---- daemon_workers.c ---- */

/* Start all, or none; what failed is in the log. */
int daemon_start_workers(struct daemon *daemon);

/* After their threads have ended. */
void daemon_free_slots(struct daemon *daemon);

/* Deliver what is due; a full mailbox is tried again the next time. */
void daemon_post_due(struct daemon *daemon);

/* Ask each worker, once a second, whether its loop runs. */
void daemon_ping(struct daemon *daemon, uint64_t now);

/* A worker whose loop has not run for too long, or -1. */
int daemon_stuck_worker(const struct daemon *daemon);

/* ---- daemon_control.c ---- */

/* Watch signals and time; stop watching. */
int daemon_watch(struct daemon *daemon);
void daemon_unwatch(struct daemon *daemon);

/* Settings that take effect at once: the log's. */
void daemon_apply_common(const struct daemon *daemon);

/* Read the settings again; what happened goes to `report`. 0 or an error. */
int daemon_reload(struct daemon *daemon, struct buf *report);

/* ---- daemon.c ---- */

/* Log what has not said itself why the start ends here; returns `err`. */
int daemon_failed(const char *what, int err);

/* Sum of the gauges that count sessions. */
uint64_t daemon_sessions(const struct daemon *daemon);

/* ---- daemon_admin.c ---- */

/* Register the standard endpoints. 0 or ERR_LIMIT. */
int daemon_endpoints(struct daemon *daemon);

#endif /* APP_DAEMON_INTERNAL_H */
