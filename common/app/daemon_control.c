/* SPDX-License-Identifier: MIT */
#include "app/daemon_internal.h"

#include "app/notify.h"
#include "base/err.h"

#include <inttypes.h>
#include <signal.h>

#define LOG_COMPONENT "daemon"
#include "base/log.h"

enum {
    TICK_MS = 100,
    PATIENCE_MS = 10 * 1000, /* with a worker that does not answer */
    PATIENCE_MIN_MS = 1000,
    REPORT_MAX = 64 * 1024,
};

/* ---- reload ---- */

static void log_report(const struct buf *report, enum log_level level)
{
    struct span rest = buf_span(report);
    struct span line;

    while (span_next(&rest, '\n', &line))
        log_write(level, LOG_COMPONENT, "settings: %.*s", SPAN_FMT(line));
}

void daemon_apply_common(const struct daemon *daemon)
{
    const struct config_common *common = config_common(daemon->config);

    log_set_level((enum log_level)common->log_level);
    log_set_format((enum log_format)common->log_format);
}

static void take_config(struct daemon *daemon, struct config *next)
{
    config_unref(daemon->config);
    daemon->config = next;
    daemon->loaded = time(NULL);
    daemon->reloads++;
    daemon_apply_common(daemon);
    for (unsigned i = 0; i < daemon->n; i++)
        daemon->slots[i].reload_due = true;
    daemon_post_due(daemon);
}

static int refuse_reload(struct daemon *daemon, struct buf *report, int err)
{
    daemon->reloads_refused++;
    log_report(report, LOG_LEVEL_ERROR);
    log_error("reload refused, the old settings stay reason=\"%s\"",
              err_str(err));
    buf_put_str(report, "refused; the old settings stay\n");
    return err;
}

int daemon_reload(struct daemon *daemon, struct buf *report)
{
    struct config *next = NULL;
    int err;

    notify_reloading();
    err = config_reload(daemon->config, report, &next);
    /* Files that the settings name (certificates) may have changed without a
     * change of a setting: the hook runs in any case. */
    if (err == 0)
        next = config_ref(daemon->config);
    if (err >= 0 && daemon->spec->reload)
        err = daemon->spec->reload(daemon->state, next, report);
    if (err < 0) {
        config_unref(next);
        err = refuse_reload(daemon, report, err);
    } else {
        log_report(report, LOG_LEVEL_WARN);
        take_config(daemon, next);
        log_info("settings reloaded");
        buf_put_str(report, "settings reloaded\n");
    }
    notify_send("READY=1");
    return err;
}

/* ---- stop ---- */

static void stop_now(struct daemon *daemon)
{
    if (daemon->phase == PHASE_STOPPING)
        return;
    daemon->phase = PHASE_STOPPING;
    notify_send("STOPPING=1");
    worker_quit(daemon->main);
}

static bool is_drained(const struct daemon *daemon)
{
    for (unsigned i = 0; i < daemon->n; i++) {
        if (atomic_load(&daemon->slots[i].drains_done) == 0)
            return false;
    }
    return daemon_sessions(daemon) == 0;
}

static void check_drain(struct daemon *daemon)
{
    uint64_t now = worker_now(daemon->main);

    if (is_drained(daemon)) {
        stop_now(daemon);
    } else if (now >= daemon->deadline) {
        log_warn("drain time is over, closing what is left sessions=%" PRIu64,
                 daemon_sessions(daemon));
        stop_now(daemon);
    }
}

void daemon_drain(struct daemon *daemon)
{
    const struct config_common *common = config_common(daemon->config);

    if (daemon->phase != PHASE_RUNNING)
        return;
    daemon->phase = PHASE_DRAINING;
    daemon->deadline = worker_now(daemon->main) + common->drain_time;
    log_info("draining sessions=%" PRIu64 " deadline_ms=%" PRIu64,
             daemon_sessions(daemon), common->drain_time);
    notify_send("STOPPING=1\nSTATUS=draining");
    for (unsigned i = 0; i < daemon->n; i++)
        daemon->slots[i].drain_due = true;
    daemon_post_due(daemon);
}

/* ---- events of the main loop ---- */

/* Say once that a worker is stuck, and once that it is not. */
static void watch_workers(struct daemon *daemon)
{
    int stuck = daemon_stuck_worker(daemon);

    if (stuck == daemon->stuck)
        return;
    daemon->stuck = stuck;
    if (stuck >= 0)
        log_error("a worker does not answer worker=%d", stuck);
    else
        log_warn("all workers answer again");
}

static void on_tick(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;

    daemon_post_due(daemon);
    daemon_ping(daemon, worker_now(daemon->main));
    watch_workers(daemon);
    if (daemon->phase == PHASE_DRAINING)
        check_drain(daemon);
}

static void on_watchdog(uv_timer_t *timer)
{
    if (daemon_stuck_worker(timer->data) < 0)
        notify_send("WATCHDOG=1"); /* else the service manager ends us */
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct daemon *daemon = handle->data;
    struct buf report;

    if (signum == SIGHUP) {
        if (daemon->phase != PHASE_RUNNING)
            return;
        buf_init(&report, REPORT_MAX);
        (void)daemon_reload(daemon, &report);
        buf_deinit(&report);
        return;
    }
    log_info("signal received signal=%d", signum);
    if (daemon->phase == PHASE_RUNNING)
        daemon_drain(daemon);
    else
        stop_now(daemon);
}

static int watch_signals(struct daemon *daemon)
{
    static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    uv_loop_t *loop = worker_loop(daemon->main);

    for (unsigned i = 0; i < SIGNALS; i++) {
        uv_signal_t *handle = &daemon->signals[i];
        int err = uv_signal_init(loop, handle);

        if (err < 0)
            return err;
        handle->data = daemon;
        err = uv_signal_start(handle, on_signal, numbers[i]);
        if (err < 0)
            return err;
    }
    return 0;
}

static int start_timer(struct daemon *daemon, uv_timer_t *timer, uv_timer_cb fn,
                       uint64_t every)
{
    int err = uv_timer_init(worker_loop(daemon->main), timer);

    if (err < 0)
        return err;
    timer->data = daemon;
    return uv_timer_start(timer, fn, every, every);
}

int daemon_watch(struct daemon *daemon)
{
    uint64_t watchdog = notify_watchdog_ms();
    int err = watch_signals(daemon);

    daemon->stuck = -1;
    daemon->patience = PATIENCE_MS;
    if (watchdog)
        daemon->patience =
            watchdog > PATIENCE_MIN_MS ? watchdog : PATIENCE_MIN_MS;
    if (err == 0)
        err = start_timer(daemon, &daemon->tick, on_tick, TICK_MS);
    if (err == 0 && watchdog)
        err = start_timer(daemon, &daemon->watchdog, on_watchdog, watchdog);
    return err;
}

static void close_if_open(void *handle)
{
    uv_handle_t *h = handle;

    if (h->data) /* set only after a successful init */
        uv_close(h, NULL);
}

void daemon_unwatch(struct daemon *daemon)
{
    for (unsigned i = 0; i < SIGNALS; i++)
        close_if_open(&daemon->signals[i]);
    close_if_open(&daemon->tick);
    close_if_open(&daemon->watchdog);
}
