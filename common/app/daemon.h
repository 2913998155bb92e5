/* SPDX-License-Identifier: MIT */
/* daemon.h - the life of a daemon's process, the same for all three.
 *
 *   settings → (--check and the like end here) → limits → start() → admin
 *   listener → privileges dropped → each worker's worker_start() → READY=1
 *
 *   SIGHUP, POST /reload     read and check the settings again; on success
 *                            reload(), then worker_reload() in each worker
 *   SIGTERM, SIGINT, /drain  worker_drain() in each worker; when no session
 *                            is left, or `drain-time` is over, stop
 *   a second SIGTERM/SIGINT  stop at once
 *   stop                     worker_stop() in each worker, its loop runs dry,
 *                            worker_free(); then stop(); exit code 0
 *
 * With systemd (NOTIFY_SOCKET) READY, RELOADING, STOPPING, STATUS and
 * WATCHDOG (while all workers' loops answer) are said. When anything fails
 * before READY the exit code is 1 and one line says why (the hook has logged
 * it).
 *
 * Threads: start, reload, stop, status, ready run on the main thread;
 * worker_* on the worker's own, in its loop (but worker_free).
 */
#ifndef APP_DAEMON_H
#define APP_DAEMON_H

#include "app/admin.h"
#include "app/config.h"
#include "app/stats.h"

struct daemon;
struct worker; /* net/worker.h */

/* Static and constant; every hook may be NULL. */
struct daemon_spec {
    struct config_spec config;
    struct stats_list stats;

    /* Names (NULL-terminated) of the gauges in `stats` that count sessions: a
     * drain is over when their sum is 0. NULL: at once. */
    const char *const *sessions;

    /* File descriptors the settings may need; the limit is raised to it. */
    uint64_t (*max_files)(const void *values);

    /* What all workers share: listening sockets (net/bind.h), certificates,
     * tables. Privileges are still there.
     * Returns 0 and the daemon's own state, or an error it has logged. */
    int (*start)(struct daemon *daemon, const struct config *config,
                 void **ret_state);

    /* New settings. An error refuses them (why goes to `report`); everything
     * stays as it was. */
    int (*reload)(void *state, const struct config *config, struct buf *report);

    /* After the last worker has gone: close what is open on the main loop (it
     * runs dry afterwards) and free the state. */
    void (*stop)(void *state);

    /* In the worker's thread, before its loop runs: open listeners, make the
     * core. `stats` is the worker's block of figures.
     * Returns 0 and the worker's own state, or an error it has logged. */
    int (*worker_start)(void *state, struct worker *worker,
                        const struct config *config, void *stats,
                        void **ret_worker_state);

    /* The `config` of worker_start() or the last worker_reload() stays valid
     * until this returns, so it need not be referenced. */
    void (*worker_reload)(void *worker_state, const struct config *config);

    /* Take nothing new; what is there goes on. */
    void (*worker_drain)(void *worker_state);

    /* Begin to close every handle of this worker. */
    void (*worker_stop)(void *worker_state);

    /* The loop has no handle left: free the worker's state. Main thread, after
     * the threads of all workers have ended. */
    void (*worker_free)(void *worker_state);

    /* More endpoints: admin_handle() them here. After start(), and only when
     * there is an admin listener. */
    void (*endpoints)(void *state, struct admin *admin);

    /* More members for the object of /status (json_key() and value). */
    void (*status)(void *state, struct buf *json);

    /* More lines of /metrics, in whole families (HELP, TYPE, values). */
    void (*metrics)(void *state, struct buf *out);

    /* False, and reasons a line each, while not able to serve. */
    bool (*ready)(void *state, struct buf *reasons);
};

/* Everything from the first line of main() to the last. Returns the exit
 * code. */
int daemon_main(const struct daemon_spec *spec, int argc, char **argv);

/* For hooks on the main thread. */
struct uv_loop_s *daemon_loop(struct daemon *daemon);
struct worker *daemon_main_worker(struct daemon *daemon); /* index -1 */
const struct config *daemon_config(struct daemon *daemon);
const struct stats *daemon_stats(struct daemon *daemon);

/* How many workers there will be; known in start(). */
unsigned daemon_workers(const struct daemon *daemon);

/* Any thread, for posting to its mailbox. NULL until all workers run. */
struct worker *daemon_worker(struct daemon *daemon, unsigned index);

/* Do what SIGTERM does. */
void daemon_drain(struct daemon *daemon);

#endif /* APP_DAEMON_H */
