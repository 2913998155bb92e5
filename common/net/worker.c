/* SPDX-License-Identifier: MIT */
#include "net/worker_private.h"

#include "base/err.h"
#include "base/mem.h"

#define LOG_COMPONENT "net"
#include "base/log.h"

#include <assert.h>
#include <errno.h>

enum {
    MAIL_BATCH = 64,
    /* Tasks that defer tasks, and alarms that arm themselves for now, get
     * another go in the next turn, so that sockets are not starved. */
    TASK_ROUNDS = 8,
    ALARMS_PER_TURN = 4096,
};

/* ---- mailbox ---- */

static size_t mail_take(struct worker_mailbox *box, struct worker_mail *out,
                        size_t max)
{
    size_t n = 0;

    pthread_mutex_lock(&box->lock);
    while (n < max && box->count > 0) {
        out[n++] = box->ring[box->first];
        box->first = (box->first + 1) % box->capacity;
        box->count--;
    }
    pthread_mutex_unlock(&box->lock);
    return n;
}

/* Run at most `limit` messages; true when some may be left. */
static bool mail_run(struct worker *worker, size_t limit)
{
    struct worker_mail batch[MAIL_BATCH];
    size_t done = 0;

    while (done < limit) {
        size_t n = mail_take(&worker->mailbox, batch, MAIL_BATCH);

        for (size_t i = 0; i < n; i++)
            batch[i].fn(worker, batch[i].arg);
        stats_add(&worker->stats.mail, n);
        done += n;
        if (n < MAIL_BATCH)
            return false;
    }
    return true;
}

static void on_async(uv_async_t *async)
{
    struct worker *worker = async->data;

    if (atomic_load(&worker->stop_requested))
        uv_stop(&worker->loop);
    if (mail_run(worker, worker->mailbox.capacity))
        uv_async_send(&worker->async);
}

int worker_post(struct worker *worker,
                void (*fn)(struct worker *worker, void *arg), void *arg)
{
    struct worker_mailbox *box = &worker->mailbox;
    int err = 0;

    pthread_mutex_lock(&box->lock);
    if (box->closed) {
        err = ERR_CLOSED;
    } else if (box->count == box->capacity) {
        stats_add(&worker->stats.mail_refused, 1);
        err = ERR_LIMIT;
    } else {
        size_t at = (box->first + box->count) % box->capacity;

        box->ring[at] = (struct worker_mail){fn, arg};
        /* Whoever finds the box empty wakes the worker; the others' messages
         * are taken in the same go. */
        if (box->count++ == 0)
            uv_async_send(&worker->async);
    }
    pthread_mutex_unlock(&box->lock);
    return err;
}

void worker_close_mail(struct worker *worker)
{
    bool was_closed;

    pthread_mutex_lock(&worker->mailbox.lock);
    was_closed = worker->mailbox.closed;
    worker->mailbox.closed = true;
    pthread_mutex_unlock(&worker->mailbox.lock);

    if (was_closed)
        return;
    while (mail_run(worker, worker->mailbox.capacity))
        ;
    uv_close((uv_handle_t *)&worker->async, NULL);
}

void worker_request_stop(struct worker *worker)
{
    /* Under the lock, which the worker takes once more before it goes away. */
    pthread_mutex_lock(&worker->mailbox.lock);
    atomic_store(&worker->stop_requested, true);
    if (!worker->mailbox.closed)
        uv_async_send(&worker->async);
    pthread_mutex_unlock(&worker->mailbox.lock);
}

/* ---- tasks and alarms ---- */

static void run_tasks(struct worker *worker)
{
    for (int round = 0; round < TASK_ROUNDS; round++) {
        struct list batch;
        struct list *node;

        if (list_is_empty(&worker->tasks))
            break;
        list_init(&batch);
        batch.next = worker->tasks.next;
        batch.prev = worker->tasks.prev;
        batch.next->prev = &batch;
        batch.prev->next = &batch;
        list_init(&worker->tasks);

        while ((node = list_first(&batch)) != NULL) {
            struct worker_task *task =
                CONTAINER_OF(node, struct worker_task, node);

            list_remove(node);
            task->fn(task);
        }
    }
    if (list_is_empty(&worker->tasks))
        uv_idle_stop(&worker->idle);
}

/* Only there to keep the loop from sleeping while tasks wait. */
static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

static void on_timer(uv_timer_t *handle)
{
    struct worker *worker = handle->data;
    uint64_t now = uv_now(&worker->loop);
    struct timer *timer;

    worker->timer_at = TIMERS_NEVER;
    for (int i = 0; i < ALARMS_PER_TURN; i++) {
        struct alarm *alarm;

        timer = timers_take_expired(&worker->timers, now);
        if (!timer)
            break;
        alarm = CONTAINER_OF(timer, struct alarm, timer);
        alarm->fn(alarm, now);
    }
}

static void arm_timer(struct worker *worker)
{
    uint64_t next = timers_next(&worker->timers);
    uint64_t now = uv_now(&worker->loop);

    if (next == worker->timer_at)
        return;
    worker->timer_at = next;
    if (next == TIMERS_NEVER)
        uv_timer_stop(&worker->timer);
    else
        uv_timer_start(&worker->timer, on_timer, next > now ? next - now : 0,
                       0);
}

/* Before the loop sleeps: what timers and closing callbacks have deferred. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct worker *worker = prepare->data;

    stats_add(&worker->stats.turns, 1);
    run_tasks(worker);
    arm_timer(worker);
}

/* After the events of this turn. */
static void on_check(uv_check_t *check)
{
    run_tasks(check->data);
}

void worker_task_init(struct worker_task *task,
                      void (*fn)(struct worker_task *task))
{
    list_init(&task->node);
    task->fn = fn;
}

void worker_defer(struct worker *worker, struct worker_task *task)
{
    if (!list_is_empty(&task->node))
        return;
    list_push_back(&worker->tasks, &task->node);
    uv_idle_start(&worker->idle, on_idle);
}

void worker_task_cancel(struct worker_task *task)
{
    list_remove(&task->node);
}

void alarm_init(struct alarm *alarm, struct worker *worker,
                void (*fn)(struct alarm *alarm, uint64_t now))
{
    timer_init(&alarm->timer, 0);
    alarm->worker = worker;
    alarm->fn = fn;
}

void alarm_set(struct alarm *alarm, uint64_t deadline)
{
    if (deadline == TIMERS_NEVER)
        timers_cancel(&alarm->worker->timers, &alarm->timer);
    else
        timers_set(&alarm->worker->timers, &alarm->timer, deadline);
}

void alarm_cancel(struct alarm *alarm)
{
    timers_cancel(&alarm->worker->timers, &alarm->timer);
}

/* ---- buffers that change hands ---- */

void worker_buf_borrow(struct worker *worker, struct buf *buf)
{
    size_t max = buf->max;

    if (buf->data || worker->n_spare == 0)
        return;
    *buf = worker->spare[--worker->n_spare];
    buf->max = max;
}

void worker_buf_return(struct worker *worker, struct buf *buf)
{
    if (!buf->data || buf_len(buf) > 0)
        return;
    if (buf->cap > WORKER_SPARE_SIZE || worker->draining ||
        worker->n_spare == WORKER_SPARE_BUFS) {
        buf_deinit(buf);
        return;
    }
    buf_reset(buf);
    worker->spare[worker->n_spare++] = *buf;
    buf_init(buf, buf->max);
}

/* ---- life ---- */

/* These never fail in libuv as it is; the async handle does (eventfd). */
static void init_handles(struct worker *worker)
{
    uv_loop_t *loop = &worker->loop;

    uv_prepare_init(loop, &worker->prepare);
    uv_check_init(loop, &worker->check);
    uv_idle_init(loop, &worker->idle);
    uv_timer_init(loop, &worker->timer);
    worker->prepare.data = worker;
    worker->check.data = worker;
    worker->idle.data = worker;
    worker->timer.data = worker;
    uv_prepare_start(&worker->prepare, on_prepare);
    uv_check_start(&worker->check, on_check);
    /* They serve others and keep no loop alive by themselves. */
    uv_unref((uv_handle_t *)&worker->prepare);
    uv_unref((uv_handle_t *)&worker->check);
    uv_unref((uv_handle_t *)&worker->timer);
}

int worker_new(struct worker **ret_worker, int index, size_t mailbox)
{
    struct worker *worker = mem_zalloc(sizeof(*worker));
    int err = -ENOMEM;

    if (!worker)
        return -ENOMEM;
    worker->index = index;
    worker->timer_at = TIMERS_NEVER;
    list_init(&worker->tasks);
    timers_init(&worker->timers);
    worker->mailbox.capacity = mailbox ? mailbox : WORKER_MAILBOX_DEFAULT;
    worker->mailbox.ring =
        mem_zarray(worker->mailbox.capacity, sizeof(*worker->mailbox.ring));
    if (!worker->mailbox.ring)
        goto fail_worker;
    err = uv_loop_init(&worker->loop);
    if (err < 0)
        goto fail_ring;
    err = uv_async_init(&worker->loop, &worker->async, on_async);
    if (err < 0)
        goto fail_loop;
    worker->async.data = worker;
    pthread_mutex_init(&worker->mailbox.lock, NULL);
    init_handles(worker);
    *ret_worker = worker;
    return 0;

fail_loop:
    uv_loop_close(&worker->loop);
fail_ring:
    mem_free(worker->mailbox.ring);
fail_worker:
    mem_free(worker);
    return err;
}

void worker_run(struct worker *worker)
{
    uv_run(&worker->loop, UV_RUN_DEFAULT);
}

void worker_quit(struct worker *worker)
{
    uv_stop(&worker->loop);
}

/* It may fire at the start of a turn, with no other timer left: without the
 * stop that turn would go on to wait for an event that never comes. */
static void on_deadline(struct alarm *alarm, uint64_t now)
{
    (void)now;
    uv_stop(&alarm->worker->loop);
}

void worker_run_dry(struct worker *worker, unsigned deadline_ms)
{
    struct alarm deadline;

    worker_close_mail(worker);
    worker->draining = true;
    uv_update_time(&worker->loop);
    alarm_init(&deadline, worker, on_deadline);
    alarm_set(&deadline, uv_now(&worker->loop) + deadline_ms);
    while (alarm_is_set(&deadline) && uv_loop_alive(&worker->loop))
        uv_run(&worker->loop, UV_RUN_ONCE);
    alarm_cancel(&deadline);
}

static void report_handle(uv_handle_t *handle, void *arg)
{
    struct worker *worker = arg;

    if (!uv_is_closing(handle))
        log_error("a handle is still open at stop worker=%d type=%s",
                  worker->index, uv_handle_type_name(handle->type));
}

static void close_own_handles(struct worker *worker)
{
    uv_close((uv_handle_t *)&worker->prepare, NULL);
    uv_close((uv_handle_t *)&worker->check, NULL);
    uv_close((uv_handle_t *)&worker->idle, NULL);
    uv_close((uv_handle_t *)&worker->timer, NULL);
    uv_run(&worker->loop, UV_RUN_NOWAIT);
}

int worker_destroy(struct worker *worker)
{
    int err = 0;

    while (worker->n_spare > 0)
        buf_deinit(&worker->spare[--worker->n_spare]);
    if (timers_next(&worker->timers) != TIMERS_NEVER) {
        log_error("an alarm is still armed at stop worker=%d", worker->index);
        err = -EBUSY;
    }
    close_own_handles(worker);
    if (uv_loop_close(&worker->loop) < 0) {
        uv_walk(&worker->loop, report_handle, worker);
        return -ETIMEDOUT;
    }
    pthread_mutex_destroy(&worker->mailbox.lock);
    mem_free(worker->mailbox.ring);
    mem_free(worker);
    return err;
}

int worker_free(struct worker *worker, unsigned deadline_ms)
{
    if (!worker)
        return 0;
    worker_run_dry(worker, deadline_ms);
    return worker_destroy(worker);
}

int worker_index(const struct worker *worker)
{
    return worker->index;
}

uint64_t worker_now(const struct worker *worker)
{
    return uv_now(&worker->loop);
}

struct uv_loop_s *worker_loop(struct worker *worker)
{
    return &worker->loop;
}

const struct worker_stats *worker_stats(const struct worker *worker)
{
    return &worker->stats;
}
