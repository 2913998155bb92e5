/* SPDX-License-Identifier: MIT */
#include "app/daemon.h"

#include "app/daemon_internal.h"
#include "app/notify.h"
#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>

#define LOG_COMPONENT "daemon"
#include "base/log.h"

enum {
    TICK_MS = 100,
    STOP_DEADLINE_MS = 5000,
    REPORT_MAX = 64 * 1024,
};

const char *daemon_phase_name(const struct daemon *daemon)
{
    static const char *const names[] = {"starting", "running", "draining",
                                        "stopping"};

    return names[daemon->phase];
}

/* ---- what hooks ask ---- */

struct uv_loop_s *daemon_loop(struct daemon *daemon)
{
    return worker_loop(daemon->main);
}

struct worker *daemon_main_worker(struct daemon *daemon)
{
    return daemon->main;
}

const struct config *daemon_config(struct daemon *daemon)
{
    return daemon->config;
}

const struct stats *daemon_stats(struct daemon *daemon)
{
    return daemon->stats;
}

unsigned daemon_workers(const struct daemon *daemon)
{
    return daemon->n;
}

struct worker *daemon_worker(struct daemon *daemon, unsigned index)
{
    struct workers *workers = atomic_load(&daemon->workers);

    return workers && index < daemon->n ? workers_get(workers, index) : NULL;
}

uint64_t daemon_sessions(const struct daemon *daemon)
{
    const char *const *name = daemon->spec->sessions;
    uint64_t sum = 0;

    for (; name && *name; name++)
        sum += stats_sum_of(daemon->stats, *name);
    return sum;
}

/* ---- messages to workers ---- */

struct letter {
    struct daemon_slot *slot;
    struct config *config; /* NULL: drain */
};

static void on_letter(struct worker *worker, void *arg)
{
    struct letter *letter = arg;
    struct daemon_slot *slot = letter->slot;
    const struct daemon_spec *spec = slot->daemon->spec;

    (void)worker;
    if (letter->config) {
        if (spec->worker_reload && !slot->stopped)
            spec->worker_reload(slot->state, letter->config);
        config_unref(slot->config);
        slot->config = letter->config;
    } else {
        if (spec->worker_drain && !slot->stopped)
            spec->worker_drain(slot->state);
        atomic_fetch_add(&slot->drains_done, 1);
    }
    mem_free(letter);
}

/* False when it could not be delivered now. */
static bool post(struct daemon_slot *slot, struct config *config)
{
    struct worker *worker =
        daemon_worker(slot->daemon, (unsigned)(slot - slot->daemon->slots));
    struct letter *letter = worker ? mem_alloc(sizeof(*letter)) : NULL;

    if (!letter)
        return false;
    *letter = (struct letter){slot, config ? config_ref(config) : NULL};
    if (worker_post(worker, on_letter, letter) == 0)
        return true;
    config_unref(letter->config);
    mem_free(letter);
    return false;
}

/* A full mailbox is tried again with the next tick. */
static void post_due(struct daemon *daemon)
{
    for (unsigned i = 0; i < daemon->n; i++) {
        struct daemon_slot *slot = &daemon->slots[i];

        if (slot->reload_due)
            slot->reload_due = !post(slot, daemon->config);
        if (slot->drain_due)
            slot->drain_due = !post(slot, NULL);
    }
}

/* ---- reload ---- */

static void log_report(const struct buf *report, enum log_level level)
{
    struct span rest = buf_span(report);
    struct span line;

    while (span_next(&rest, '\n', &line))
        log_write(level, LOG_COMPONENT, "settings: %.*s", SPAN_FMT(line));
}

static void apply_common(const struct daemon *daemon)
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
    apply_common(daemon);
    for (unsigned i = 0; i < daemon->n; i++)
        daemon->slots[i].reload_due = true;
    post_due(daemon);
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
    post_due(daemon);
}

/* ---- events of the main loop ---- */

static void on_tick(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;

    post_due(daemon);
    if (daemon->phase == PHASE_DRAINING)
        check_drain(daemon);
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    notify_send("WATCHDOG=1");
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

static int watch(struct daemon *daemon)
{
    uint64_t watchdog = notify_watchdog_ms();
    int err = watch_signals(daemon);

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

static void unwatch(struct daemon *daemon)
{
    for (unsigned i = 0; i < SIGNALS; i++)
        close_if_open(&daemon->signals[i]);
    close_if_open(&daemon->tick);
    close_if_open(&daemon->watchdog);
}

/* ---- workers ---- */

/* For what has not said itself why the start ends here. */
static int failed(const char *what, int err)
{
    log_error("cannot start step=%s reason=\"%s\"", what, err_str(err));
    return err;
}

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

static int start_workers(struct daemon *daemon)
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
                   : failed("workers", err);
    }
    atomic_store(&daemon->workers, workers);
    return 0;
}

/* The threads are joined: their slots are ours now. */
static void free_slots(struct daemon *daemon)
{
    for (unsigned i = 0; daemon->slots && i < daemon->n; i++) {
        struct daemon_slot *slot = &daemon->slots[i];

        if (slot->started && daemon->spec->worker_free)
            daemon->spec->worker_free(slot->state);
        config_unref(slot->config);
    }
    mem_free(daemon->slots);
}

/* ---- start ---- */

static void make_prefix(struct daemon *daemon)
{
    const char *program = daemon->spec->config.program;
    size_t i = 0;

    for (; program[i] && i + 1 < sizeof(daemon->prefix); i++) {
        daemon->prefix[i] = program[i];
        if (program[i] == '-')
            daemon->prefix[i] = '_';
    }
    daemon->prefix[i] = '\0';
}

static int make_slots(struct daemon *daemon)
{
    uint32_t wanted = config_common(daemon->config)->workers;

    daemon->n = wanted ? wanted : uv_available_parallelism();
    if (daemon->n > WORKER_MAX)
        daemon->n = WORKER_MAX;
    daemon->slots = mem_zarray(daemon->n, sizeof(*daemon->slots));
    if (!daemon->slots)
        return -ENOMEM;
    for (unsigned i = 0; i < daemon->n; i++)
        daemon->slots[i].daemon = daemon;
    make_prefix(daemon);
    return stats_new(&daemon->stats, daemon->prefix, &daemon->spec->stats,
                     daemon->n);
}

static int open_admin(struct daemon *daemon)
{
    const struct config_common *common = config_common(daemon->config);
    const struct admin_options options = {
        .program = daemon->spec->config.program,
        .socket = common->admin_socket,
        .listen = common->admin_listen,
    };
    int err;

    if (!options.socket && options.listen.family == ADDR_NONE)
        return 0;
    err = admin_new(&daemon->admin, worker_loop(daemon->main), &options);
    return err < 0 ? err : daemon_endpoints(daemon);
}

static int drop_privileges(struct daemon *daemon)
{
    const char *name = config_common(daemon->config)->user;
    struct process_user user;
    int err;

    if (!name)
        return 0;
    err = process_find_user(name, &user);
    if (err == 0 && daemon->admin)
        err = admin_chown(daemon->admin, user.uid, user.gid);
    if (err == 0)
        err = process_become(&user);
    if (err == 0)
        process_protect(); /* changing user makes it readable again */
    return err;
}

static int start(struct daemon *daemon)
{
    const struct daemon_spec *spec = daemon->spec;
    int err = worker_new(&daemon->main, -1, 0);

    if (err < 0)
        return failed("loop", err);
    daemon->began = worker_now(daemon->main);
    err = make_slots(daemon);
    if (err < 0)
        return failed("memory", err);
    if (spec->start)
        err = spec->start(daemon, daemon->config, &daemon->state);
    if (err < 0)
        return err;
    daemon->started = true;
    err = open_admin(daemon);
    if (err == 0)
        err = drop_privileges(daemon);
    if (err < 0)
        return err;
    err = watch(daemon);
    if (err < 0)
        return failed("signals", err);
    return start_workers(daemon);
}

/* Whatever start() has reached, in reverse. */
static int stop(struct daemon *daemon)
{
    struct workers *workers = atomic_load(&daemon->workers);
    int err = workers_stop(workers, STOP_DEADLINE_MS);
    int main_err;

    atomic_store(&daemon->workers, NULL);
    if (err == 0)
        free_slots(daemon); /* else a thread may still use them */
    unwatch(daemon);
    admin_close(daemon->admin);
    if (daemon->started && daemon->spec->stop)
        daemon->spec->stop(daemon->state);
    main_err = worker_free(daemon->main, STOP_DEADLINE_MS);
    if (err == 0)
        stats_free(daemon->stats);
    return err ? err : main_err;
}

static void protect(const struct daemon *daemon)
{
    const struct daemon_spec *spec = daemon->spec;

    process_protect();
    process_raise_files(
        spec->max_files ? spec->max_files(config_values(daemon->config)) : 0);
    (void)signal(SIGPIPE, SIG_IGN);
}

static int run(struct daemon *daemon)
{
    const char *program = daemon->spec->config.program;
    int err, stop_err;

    protect(daemon);
    err = start(daemon);
    if (err == 0) {
        daemon->phase = PHASE_RUNNING;
        log_info("ready program=%s version=%s workers=%u", program,
                 EDGE_VERSION, daemon->n);
        notify_send("READY=1\nSTATUS=running");
        worker_run(daemon->main);
    }
    stop_err = stop(daemon);
    if (err == 0)
        log_info("stopped program=%s", program);
    return err ? err : stop_err;
}

int daemon_main(const struct daemon_spec *spec, int argc, char **argv)
{
    struct daemon daemon = {.spec = spec};
    int err;

    switch (config_load(&spec->config, argc, argv, environ, &daemon.config)) {
    case CONFIG_EXIT_OK:
        return EXIT_SUCCESS;
    case CONFIG_EXIT_FAILED:
        return EXIT_FAILURE;
    case CONFIG_RUN:
        break;
    }
    daemon.loaded = time(NULL);
    apply_common(&daemon);
    err = run(&daemon);
    config_unref(daemon.config);
    return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
