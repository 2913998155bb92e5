/* SPDX-License-Identifier: MIT */
#include "app/daemon.h"

#include "app/daemon_internal.h"
#include "app/notify.h"
#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#define LOG_COMPONENT "daemon"
#include "base/log.h"

enum { STOP_DEADLINE_MS = 5000 };

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

/* ---- start ---- */

/* For what has not said itself why the start ends here. */
int daemon_failed(const char *what, int err)
{
    log_error("cannot start step=%s reason=\"%s\"", what, err_str(err));
    return err;
}

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
        return daemon_failed("loop", err);
    daemon->began = worker_now(daemon->main);
    err = make_slots(daemon);
    if (err < 0)
        return daemon_failed("memory", err);
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
    err = daemon_watch(daemon);
    if (err < 0)
        return daemon_failed("signals", err);
    return daemon_start_workers(daemon);
}

/* Whatever start() has reached, in reverse. */
static int stop(struct daemon *daemon)
{
    struct workers *workers = atomic_load(&daemon->workers);
    int err = workers_stop(workers, STOP_DEADLINE_MS);
    int main_err;

    atomic_store(&daemon->workers, NULL);
    if (err == 0)
        daemon_free_slots(daemon); /* else a thread may still use them */
    daemon_unwatch(daemon);
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
    daemon_apply_common(&daemon);
    err = run(&daemon);
    config_unref(daemon.config);
    return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
