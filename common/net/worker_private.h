/* SPDX-License-Identifier: MIT */
/* worker_private.h - the inside of a worker, for common/net alone. */
#ifndef NET_WORKER_PRIVATE_H
#define NET_WORKER_PRIVATE_H

#include "base/buf.h"
#include "base/timers.h"
#include "net/alarm.h"
#include "net/stream.h"
#include "net/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

enum {
    /* What one read takes at most; large, so that bulk transfers need few
     * system calls, and one per worker, so that idle streams need none. */
    WORKER_SLAB_SIZE = 64 * 1024,

    /* Output buffers kept for reuse, and the largest worth keeping. */
    WORKER_SPARE_BUFS = 32,
    WORKER_SPARE_SIZE = 32 * 1024,
};

struct worker_mail {
    void (*fn)(struct worker *worker, void *arg);
    void *arg;
};

/* Bounded, many writers, one reader. The lock is held for a copy of two
 * pointers; it also makes "closed" and the life of the async handle exact. */
struct worker_mailbox {
    pthread_mutex_t lock;
    struct worker_mail *ring;
    size_t capacity;
    size_t first;
    size_t count;
    bool closed;
};

struct worker {
    uv_loop_t loop;
    uv_async_t async;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t timer;
    int index;
    _Atomic bool stop_requested;
    bool draining;

    struct list tasks;
    struct timers timers;
    uint64_t timer_at; /* what `timer` is armed for */
    struct worker_mailbox mailbox;

    struct worker_stats stats;
    struct stream_stats stream_stats;

    struct buf spare[WORKER_SPARE_BUFS];
    size_t n_spare;

    uint8_t slab[WORKER_SLAB_SIZE];  /* what read(2) fills */
    uint8_t plain[WORKER_SLAB_SIZE]; /* what TLS decrypts into */
};

/* Let worker_run() return; any thread. */
void worker_request_stop(struct worker *worker);

/* The two halves of worker_free(): the first runs until nothing is open,
 * `deadline_ms` at most; the second releases what is left. */
void worker_run_dry(struct worker *worker, unsigned deadline_ms);
int worker_destroy(struct worker *worker);

/* Give `buf`, which has no memory, some of a buffer that is no longer needed;
 * and take it back when `buf` is empty. Saves the heap a round trip for each
 * message of a stream. */
void worker_buf_borrow(struct worker *worker, struct buf *buf);
void worker_buf_return(struct worker *worker, struct buf *buf);

#endif /* NET_WORKER_PRIVATE_H */
