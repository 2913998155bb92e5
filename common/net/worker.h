/* SPDX-License-Identifier: MIT */
/* worker.h - one event loop: alone in the calling thread, or N of them in
 * threads of their own.
 *
 * A worker is what every socket, stream, listener and alarm belongs to. All
 * functions taking a worker or something of it are called on the worker's own
 * thread only; worker_post() is the one exception.
 *
 *   main thread:   worker_new() → worker_run() … worker_quit() → worker_free()
 *   data threads:  workers_start() … workers_stop()
 */
#ifndef NET_WORKER_H
#define NET_WORKER_H

#include "base/list.h"
#include "base/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uv_loop_s;
struct worker;
struct workers;

enum {
    WORKER_MAX = 256,
    WORKER_MAILBOX_DEFAULT = 4096,
};

/* All figures of common/net are read with stats_get(), from any thread.
 * Written by the worker's thread, mail_refused under the mailbox's lock. */
#define WORKER_STATS(X)                                                        \
    X(COUNTER, turns, "loop_turns", "", "loop iterations")                     \
    X(COUNTER, mail, "mail", "", "messages between workers run")               \
    X(COUNTER, mail_refused, "mail_refused", "",                               \
      "messages that found a mailbox full")

struct worker_stats {
    WORKER_STATS(STATS_FIELD)
};

/* ---- one worker ---- */

/* A loop for the calling thread. `index` is what worker_index() tells: 0… for
 * data threads, -1 for the main thread. `mailbox` is the most messages
 * waiting at a time, 0 for WORKER_MAILBOX_DEFAULT.
 * Returns 0, -ENOMEM or libuv's code. Release with worker_free(). */
int worker_new(struct worker **ret_worker, int index, size_t mailbox);

/* Run the loop until worker_quit(). */
void worker_run(struct worker *worker);

/* Let worker_run() return at the end of this turn. Own thread. */
void worker_quit(struct worker *worker);

/* Refuse further mail and run what was accepted. The first step of an orderly
 * stop, before what the messages work on is closed. */
void worker_close_mail(struct worker *worker);

/* worker_close_mail(), then run the loop until nothing is open, `deadline_ms`
 * at most. NULL is fine.
 * Returns 0; -ETIMEDOUT when handles are still open: each is logged as an
 * error and the worker's memory is given up, since the loop still uses it;
 * -EBUSY when an alarm was still armed (logged). */
int worker_free(struct worker *worker, unsigned deadline_ms);

int worker_index(const struct worker *worker);

/* Monotonic milliseconds of this loop turn. Comparable between workers. */
uint64_t worker_now(const struct worker *worker);

/* For shells with a handle of their own (signals, a pipe). */
struct uv_loop_s *worker_loop(struct worker *worker);

const struct worker_stats *worker_stats(const struct worker *worker);

/* Run fn(worker, arg) on the worker's thread, soon, in the order of posting.
 * Any thread, also the worker's own. Every accepted message is run exactly
 * once, at the latest while the worker stops.
 * Returns 0; ERR_LIMIT when the mailbox is full and ERR_CLOSED when the
 * worker stops: then `arg` stays the caller's. */
int worker_post(struct worker *worker,
                void (*fn)(struct worker *worker, void *arg), void *arg);

/* ---- work at the end of the turn ---- */

/* Lives inside its user's struct. */
struct worker_task {
    struct list node;
    void (*fn)(struct worker_task *task);
};

void worker_task_init(struct worker_task *task,
                      void (*fn)(struct worker_task *task));

/* Run task->fn once, after the events of this turn and before the loop
 * sleeps. Harmless when already deferred. Cannot fail. */
void worker_defer(struct worker *worker, struct worker_task *task);

/* Harmless when not deferred. */
void worker_task_cancel(struct worker_task *task);

/* ---- N workers in threads ---- */

struct workers_config {
    unsigned count;   /* 1 … WORKER_MAX */
    size_t mailbox;   /* messages per worker, 0: default */
    const char *name; /* of the threads, short: "turn" gives "turn/0" */

    /* On the new thread, before its loop runs: open sockets, build cores.
     * A negative result stops all workers and is what workers_start() gives;
     * the hook has then undone what it did, `stop` is not called for it. */
    int (*start)(struct worker *worker, void *arg);

    /* On the worker's thread, when its mailbox is closed and empty: close
     * everything `start` and the events since have opened. The loop runs on
     * until all is closed. Not NULL. */
    void (*stop)(struct worker *worker, void *arg);
    void *arg;
};

/* Start all, or none. Returns 0 when every start hook has succeeded, else
 * the first failing hook's code, -EINVAL, -ENOMEM or libuv's code. */
int workers_start(struct workers **ret_workers,
                  const struct workers_config *config);

/* Call every stop hook, let the loops run dry, join the threads, release all.
 * Returns 0, or -ETIMEDOUT when a worker had open handles (logged) after
 * `deadline_ms`. NULL is fine. */
int workers_stop(struct workers *workers, unsigned deadline_ms);

unsigned workers_count(const struct workers *workers);

/* For worker_post() and worker_stats(). */
struct worker *workers_get(const struct workers *workers, unsigned index);

#endif /* NET_WORKER_H */
