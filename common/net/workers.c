/* SPDX-License-Identifier: MIT */
/* The threads. All of them start or none does; stopping happens in parallel,
 * so that N workers need one deadline and not N. */
#include "base/err.h"
#include "base/mem.h"
#include "net/worker_private.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

struct worker_thread {
    struct workers *workers;
    struct worker *worker;
    pthread_t thread;
    bool running;
    int result; /* of the start hook, later of worker_destroy() */
};

struct workers {
    struct workers_config config;
    unsigned deadline_ms; /* written before the threads are asked to stop */
    pthread_mutex_t lock;
    pthread_cond_t started;
    pthread_cond_t stopped;
    unsigned n_started; /* start hooks that have returned */
    unsigned n_threads;
    unsigned n_stopped; /* those of them that will not post any more */
    unsigned count;
    struct worker_thread threads[];
};

static void name_thread(const struct worker_thread *t)
{
    char name[16]; /* the kernel's limit */

    (void)snprintf(name, sizeof(name), "%.10s/%d",
                   t->workers->config.name ? t->workers->config.name : "worker",
                   worker_index(t->worker));
    (void)pthread_setname_np(pthread_self(), name); /* only decoration */
}

static void report_start(struct worker_thread *t, int result)
{
    pthread_mutex_lock(&t->workers->lock);
    t->result = result;
    t->workers->n_started++;
    pthread_cond_signal(&t->workers->started);
    pthread_mutex_unlock(&t->workers->lock);
}

static unsigned deadline_of(struct workers *workers)
{
    unsigned deadline_ms;

    pthread_mutex_lock(&workers->lock);
    deadline_ms = workers->deadline_ms;
    pthread_mutex_unlock(&workers->lock);
    return deadline_ms;
}

/* A worker may post to another one until its last connection has closed: so
 * none is freed before all have come here. */
static void meet_at_end(struct workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    workers->n_stopped++;
    pthread_cond_broadcast(&workers->stopped);
    while (workers->n_stopped < workers->n_threads)
        pthread_cond_wait(&workers->stopped, &workers->lock);
    pthread_mutex_unlock(&workers->lock);
}

/* The start hook has failed: nobody waits for this one. */
static void leave_early(struct workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    workers->n_stopped++;
    pthread_cond_broadcast(&workers->stopped);
    pthread_mutex_unlock(&workers->lock);
}

static void *thread_main(void *arg)
{
    struct worker_thread *t = arg;
    const struct workers_config *config = &t->workers->config;
    int err;

    name_thread(t);
    uv_update_time(&t->worker->loop);
    err = config->start(t->worker, config->arg);
    report_start(t, err);
    if (err < 0) {
        leave_early(t->workers);
        return NULL;
    }

    while (!atomic_load(&t->worker->stop_requested))
        worker_run(t->worker);
    worker_close_mail(t->worker);
    config->stop(t->worker, config->arg);
    worker_run_dry(t->worker, deadline_of(t->workers));
    meet_at_end(t->workers);
    t->result = worker_destroy(t->worker);
    t->worker = NULL;
    return NULL;
}

/* Signals are the main thread's business. */
static int start_thread(struct worker_thread *t)
{
    sigset_t all;
    sigset_t before;
    int err;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&t->thread, NULL, thread_main, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    t->running = err == 0;
    return -err;
}

static int start_all(struct workers *workers)
{
    int err = 0;
    unsigned asked = 0;

    for (; asked < workers->count && err == 0; asked += err == 0)
        err = start_thread(&workers->threads[asked]);

    pthread_mutex_lock(&workers->lock);
    workers->n_threads = asked;
    while (workers->n_started < asked)
        pthread_cond_wait(&workers->started, &workers->lock);
    for (unsigned i = 0; i < asked && err == 0; i++)
        err = workers->threads[i].result;
    pthread_mutex_unlock(&workers->lock);
    return err < 0 ? err : 0;
}

int workers_start(struct workers **ret_workers,
                  const struct workers_config *config)
{
    struct workers *workers;
    int err = 0;

    if (config->count == 0 || config->count > WORKER_MAX)
        return -EINVAL;
    workers = mem_zalloc(sizeof(*workers) +
                         config->count * sizeof(workers->threads[0]));
    if (!workers)
        return -ENOMEM;
    workers->config = *config;
    workers->count = config->count;
    workers->deadline_ms = 1000;
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->started, NULL);
    pthread_cond_init(&workers->stopped, NULL);

    for (unsigned i = 0; i < config->count && err == 0; i++) {
        workers->threads[i].workers = workers;
        err = worker_new(&workers->threads[i].worker, (int)i, config->mailbox);
    }
    if (err == 0)
        err = start_all(workers);
    if (err < 0) {
        (void)workers_stop(workers, 1000); /* the first failure counts */
        return err;
    }
    *ret_workers = workers;
    return 0;
}

/* A thread that ran has freed its worker, unless its start hook failed. */
static int join_thread(struct workers *workers, struct worker_thread *t)
{
    int err = 0;

    if (t->running) {
        pthread_join(t->thread, NULL);
        if (!t->worker)
            err = t->result;
    }
    if (t->worker && worker_free(t->worker, workers->deadline_ms) < 0)
        err = -ETIMEDOUT;
    return err;
}

int workers_stop(struct workers *workers, unsigned deadline_ms)
{
    int err = 0;

    if (!workers)
        return 0;
    pthread_mutex_lock(&workers->lock);
    workers->deadline_ms = deadline_ms;
    pthread_mutex_unlock(&workers->lock);
    for (unsigned i = 0; i < workers->count; i++) {
        if (workers->threads[i].running)
            worker_request_stop(workers->threads[i].worker);
    }
    for (unsigned i = 0; i < workers->count; i++) {
        int result = join_thread(workers, &workers->threads[i]);

        if (err == 0)
            err = result;
    }
    pthread_cond_destroy(&workers->started);
    pthread_cond_destroy(&workers->stopped);
    pthread_mutex_destroy(&workers->lock);
    mem_free(workers);
    return err;
}

unsigned workers_count(const struct workers *workers)
{
    return workers->count;
}

struct worker *workers_get(const struct workers *workers, unsigned index)
{
    return index < workers->count ? workers->threads[index].worker : NULL;
}
