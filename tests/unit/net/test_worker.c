/* SPDX-License-Identifier: MIT */
#include "net/worker.h"

#include "base/err.h"
#include "net/alarm.h"
#include "support/unit.h"
#include "support_net.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

/* ---- one worker ---- */

static unsigned ran;
static unsigned order[16];

static void note(struct worker *worker, void *arg)
{
    ck_assert_ptr_eq(worker, net_worker());
    order[ran++ % 16] = (unsigned)(uintptr_t)arg;
}

START_TEST(messages_run_in_order_on_the_loop)
{
    ran = 0;
    for (uintptr_t i = 0; i < 10; i++)
        ck_assert_int_eq(worker_post(net_worker(), note, (void *)i), 0);
    ck_assert_uint_eq(ran, 0);
    ck_assert(net_until_count(&ran, 10));
    for (unsigned i = 0; i < 10; i++)
        ck_assert_uint_eq(order[i], i);
    ck_assert_uint_eq(stats_get(&worker_stats(net_worker())->mail), 10);
}
END_TEST

static void count(struct worker *worker, void *arg)
{
    (void)worker;
    ++*(unsigned *)arg;
}

START_TEST(a_full_mailbox_refuses_and_counts)
{
    struct worker *w = NULL;
    unsigned n = 0;

    ck_assert_int_eq(worker_new(&w, 0, 2), 0);
    ck_assert_int_eq(worker_post(w, count, &n), 0);
    ck_assert_int_eq(worker_post(w, count, &n), 0);
    ck_assert_int_eq(worker_post(w, count, &n), ERR_LIMIT);
    ck_assert_uint_eq(stats_get(&worker_stats(w)->mail_refused), 1);
    ck_assert_int_eq(worker_free(w, 100), 0);
    ck_assert_uint_eq(n, 2);
}
END_TEST

START_TEST(accepted_messages_run_at_the_latest_at_the_stop)
{
    struct worker *w = NULL;
    unsigned n = 0;

    ck_assert_int_eq(worker_new(&w, 0, 0), 0);
    ck_assert_int_eq(worker_post(w, count, &n), 0);
    worker_close_mail(w);
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(worker_post(w, count, &n), ERR_CLOSED);
    ck_assert_int_eq(worker_free(w, 100), 0);
    ck_assert_uint_eq(n, 1);
}
END_TEST

struct chain {
    struct worker_task task;
    unsigned left;
    unsigned ran;
};

static void on_task(struct worker_task *task)
{
    struct chain *c = CONTAINER_OF(task, struct chain, task);

    c->ran++;
    if (c->left > 0) {
        c->left--;
        worker_defer(net_worker(), task);
    }
}

START_TEST(a_task_runs_once_however_often_it_is_deferred)
{
    struct chain c = {.left = 0};

    worker_task_init(&c.task, on_task);
    worker_defer(net_worker(), &c.task);
    worker_defer(net_worker(), &c.task);
    ck_assert(net_until_count(&c.ran, 1));
    net_for(2);
    ck_assert_uint_eq(c.ran, 1);
}
END_TEST

START_TEST(a_task_may_defer_itself_without_sleeping)
{
    struct chain c = {.left = 100};

    worker_task_init(&c.task, on_task);
    worker_defer(net_worker(), &c.task);
    ck_assert(net_until_count(&c.ran, 101));
}
END_TEST

START_TEST(a_cancelled_task_does_not_run)
{
    struct chain c = {.left = 0};

    worker_task_init(&c.task, on_task);
    worker_defer(net_worker(), &c.task);
    worker_task_cancel(&c.task);
    net_for(2);
    ck_assert_uint_eq(c.ran, 0);
}
END_TEST

struct bell {
    struct alarm alarm;
    unsigned rung;
    uint64_t at;
    bool again;
};

static void on_bell(struct alarm *alarm, uint64_t now)
{
    struct bell *b = CONTAINER_OF(alarm, struct bell, alarm);

    b->rung++;
    b->at = now;
    if (b->again)
        alarm_set(alarm, now);
}

START_TEST(alarms_ring_in_time_and_once)
{
    struct bell early = {0};
    struct bell late = {0};
    struct bell never = {0};
    uint64_t now = worker_now(net_worker());

    alarm_init(&early.alarm, net_worker(), on_bell);
    alarm_init(&late.alarm, net_worker(), on_bell);
    alarm_init(&never.alarm, net_worker(), on_bell);
    alarm_set(&late.alarm, now + 20);
    alarm_set(&early.alarm, now + 500);
    alarm_set(&early.alarm, now + 5);
    alarm_set(&never.alarm, now + 10);
    alarm_cancel(&never.alarm);
    ck_assert(net_until_count(&late.rung, 1));
    ck_assert_uint_eq(early.rung, 1);
    ck_assert_uint_eq(never.rung, 0);
    ck_assert_uint_ge(early.at, now + 5);
    ck_assert_uint_ge(late.at, now + 20);
    ck_assert_uint_le(early.at, late.at);
    ck_assert(!alarm_is_set(&early.alarm));
}
END_TEST

START_TEST(an_alarm_set_for_now_does_not_lock_the_loop)
{
    struct bell b = {.again = true};
    struct bell other = {0};

    alarm_init(&b.alarm, net_worker(), on_bell);
    alarm_init(&other.alarm, net_worker(), on_bell);
    alarm_set(&b.alarm, worker_now(net_worker()));
    alarm_set(&other.alarm, worker_now(net_worker()) + 10);
    ck_assert(net_until_count(&other.rung, 1));
    alarm_cancel(&b.alarm);
}
END_TEST

START_TEST(a_leaked_handle_is_found)
{
    struct worker *w = NULL;
    static uv_timer_t leak;

    ck_assert_int_eq(worker_new(&w, 7, 0), 0);
    uv_timer_init(worker_loop(w), &leak);
    ck_assert_int_eq(worker_free(w, 10), -ETIMEDOUT);
}
END_TEST

START_TEST(a_leaked_alarm_is_found)
{
    struct worker *w = NULL;
    struct bell b = {0};

    ck_assert_int_eq(worker_new(&w, 7, 0), 0);
    alarm_init(&b.alarm, w, on_bell);
    alarm_set(&b.alarm, worker_now(w) + 100000);
    ck_assert_int_eq(worker_free(w, 10), -EBUSY);
}
END_TEST

START_TEST(every_failed_allocation_is_handled)
{
    struct worker *w = NULL;
    int err = 0;

    CK_OOM_SWEEP(err, err = worker_new(&w, 0, 0));
    ck_assert_int_eq(worker_free(w, 10), 0);
}
END_TEST

/* ---- threads ---- */

enum { THREADS = 4, MESSAGES = 5000 };

struct crowd {
    atomic_uint started;
    atomic_uint stopped;
    atomic_uint messages;
    atomic_uint refused;
    int fail_index;
};

static int crowd_start(struct worker *worker, void *arg)
{
    struct crowd *c = arg;

    if (worker_index(worker) == c->fail_index)
        return -EADDRINUSE;
    atomic_fetch_add(&c->started, 1);
    return 0;
}

static void crowd_stop(struct worker *worker, void *arg)
{
    struct crowd *c = arg;

    (void)worker;
    atomic_fetch_add(&c->stopped, 1);
}

static void crowd_message(struct worker *worker, void *arg)
{
    struct crowd *c = arg;

    (void)worker;
    atomic_fetch_add(&c->messages, 1);
}

struct poster {
    struct workers *workers;
    struct crowd *crowd;
};

static void *post_many(void *arg)
{
    struct poster *p = arg;

    for (unsigned i = 0; i < MESSAGES; i++) {
        struct worker *to = workers_get(p->workers, i % THREADS);

        if (worker_post(to, crowd_message, p->crowd) < 0)
            atomic_fetch_add(&p->crowd->refused, 1);
    }
    return NULL;
}

START_TEST(every_message_of_every_thread_is_run_once)
{
    struct crowd crowd = {.fail_index = -1};
    struct workers_config config = {.count = THREADS,
                                    .mailbox = 1024,
                                    .name = "crowd",
                                    .start = crowd_start,
                                    .stop = crowd_stop,
                                    .arg = &crowd};
    struct workers *workers = NULL;
    pthread_t threads[2];
    struct poster poster;

    ck_assert_int_eq(workers_start(&workers, &config), 0);
    ck_assert_uint_eq(workers_count(workers), THREADS);
    ck_assert_ptr_null(workers_get(workers, THREADS));
    ck_assert_uint_eq(atomic_load(&crowd.started), THREADS);
    poster = (struct poster){workers, &crowd};
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, post_many, &poster),
                         0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(workers_stop(workers, 2000), 0);
    ck_assert_uint_eq(atomic_load(&crowd.stopped), THREADS);
    ck_assert_uint_eq(atomic_load(&crowd.messages) +
                          atomic_load(&crowd.refused),
                      (uintmax_t)2 * MESSAGES);
}
END_TEST

START_TEST(one_failing_start_stops_all)
{
    struct crowd crowd = {.fail_index = 2};
    struct workers_config config = {.count = THREADS,
                                    .start = crowd_start,
                                    .stop = crowd_stop,
                                    .arg = &crowd};
    struct workers *workers = NULL;

    ck_assert_int_eq(workers_start(&workers, &config), -EADDRINUSE);
    ck_assert_ptr_null(workers);
    ck_assert_uint_eq(atomic_load(&crowd.started), THREADS - 1);
    ck_assert_uint_eq(atomic_load(&crowd.stopped), THREADS - 1);
}
END_TEST

/* What closes late tells the others, who may have nothing left to close. */
struct farewell {
    struct workers *workers;
    struct crowd crowd;
    uv_timer_t late[THREADS];
};

static void farewell_late(uv_timer_t *timer)
{
    struct farewell *f = timer->data;

    for (unsigned i = 0; i < THREADS; i++)
        if (worker_post(workers_get(f->workers, i), crowd_message, &f->crowd) <
            0)
            atomic_fetch_add(&f->crowd.refused, 1);
    uv_close((uv_handle_t *)timer, NULL);
}

static int farewell_start(struct worker *worker, void *arg)
{
    struct farewell *f = arg;
    uv_timer_t *timer = &f->late[worker_index(worker)];

    timer->data = f;
    return uv_timer_init(worker_loop(worker), timer);
}

static void farewell_stop(struct worker *worker, void *arg)
{
    struct farewell *f = arg;
    unsigned index = (unsigned)worker_index(worker);

    uv_timer_start(&f->late[index], farewell_late, (uint64_t)index * 10, 0);
}

START_TEST(the_last_to_close_may_still_post_to_the_first)
{
    struct farewell farewell = {0};
    struct workers_config config = {.count = THREADS,
                                    .start = farewell_start,
                                    .stop = farewell_stop,
                                    .arg = &farewell};

    ck_assert_int_eq(workers_start(&farewell.workers, &config), 0);
    ck_assert_int_eq(workers_stop(farewell.workers, 2000), 0);
    ck_assert_uint_eq(atomic_load(&farewell.crowd.messages) +
                          atomic_load(&farewell.crowd.refused),
                      (uintmax_t)THREADS * THREADS);
}
END_TEST

START_TEST(no_workers_or_too_many_is_an_error)
{
    struct crowd crowd = {.fail_index = -1};
    struct workers_config config = {
        .start = crowd_start, .stop = crowd_stop, .arg = &crowd};
    struct workers *workers = NULL;

    ck_assert_int_eq(workers_start(&workers, &config), -EINVAL);
    config.count = WORKER_MAX + 1;
    ck_assert_int_eq(workers_start(&workers, &config), -EINVAL);
}
END_TEST

static void no_blocks(void)
{
    ck_assert_no_blocks();
}

Suite *unit_suite(void)
{
    Suite *s = suite_create("worker");
    TCase *one = tcase_create("one");
    TCase *leaks = tcase_create("leaks"); /* leaves a loop behind: last */
    TCase *threads = tcase_create("threads");

    tcase_add_checked_fixture(one, net_setup, net_teardown);
    tcase_add_test(one, messages_run_in_order_on_the_loop);
    tcase_add_test(one, a_full_mailbox_refuses_and_counts);
    tcase_add_test(one, accepted_messages_run_at_the_latest_at_the_stop);
    tcase_add_test(one, a_task_runs_once_however_often_it_is_deferred);
    tcase_add_test(one, a_task_may_defer_itself_without_sleeping);
    tcase_add_test(one, a_cancelled_task_does_not_run);
    tcase_add_test(one, alarms_ring_in_time_and_once);
    tcase_add_test(one, an_alarm_set_for_now_does_not_lock_the_loop);
    tcase_add_test(one, a_leaked_alarm_is_found);
    tcase_add_test(one, every_failed_allocation_is_handled);
    suite_add_tcase(s, one);

    tcase_add_checked_fixture(threads, NULL, no_blocks);
    tcase_add_test(threads, every_message_of_every_thread_is_run_once);
    tcase_add_test(threads, one_failing_start_stops_all);
    tcase_add_test(threads, the_last_to_close_may_still_post_to_the_first);
    tcase_add_test(threads, no_workers_or_too_many_is_an_error);
    suite_add_tcase(s, threads);

    tcase_add_checked_fixture(leaks, net_setup, NULL);
    tcase_add_test(leaks, a_leaked_handle_is_found);
    suite_add_tcase(s, leaks);
    return s;
}
