/* SPDX-License-Identifier: MIT */
#include "app/daemon.h"
#include "web_config.h"
#include "web_server.h"

/* Field names in /status must be told apart. */
#define STREAM_DEF(kind, field, name, labels, help)                            \
    {STATS_##kind, "stream_" #field, name, labels, help},

#define LISTENER_DEF(kind, field, name, labels, help)                          \
    {STATS_##kind, "listener_" #field, name, labels, help},

static const struct stats_def stats_defs[] = {WEB_STATS(STATS_DEF)     /* */
                                              STREAM_STATS(STREAM_DEF) /* */
                                              LISTENER_STATS(LISTENER_DEF)};

_Static_assert(sizeof(struct web_server_stats) == sizeof(stats_defs) /
                                                      sizeof(stats_defs[0]) *
                                                      sizeof(uint64_t),
               "a row for each figure, in the same order");

/* A drain is over when these are 0. */
static const char *const sessions[] = {"sessions", "streams", NULL};

/* A client connection needs one to a back end, now or soon. */
static uint64_t max_files(const void *values)
{
    const struct web_config *c = values;

    return (uint64_t)c->connections * 2 + 1024;
}

static int start(struct daemon *daemon, const struct config *config,
                 void **ret_state)
{
    struct web_state *state;
    int err = web_state_new(&state, config, daemon_workers(daemon));

    if (err == 0)
        *ret_state = state;
    return err;
}

static int reload(void *state, const struct config *config, struct buf *report)
{
    return web_state_reload(state, config, report);
}

static void stop(void *state)
{
    web_state_free(state);
}

static int worker_start(void *state, struct worker *worker,
                        const struct config *config, void *stats,
                        void **ret_worker_state)
{
    struct web_server *server;
    int err = web_server_new(&server, state, worker, stats);

    (void)config;
    if (err == 0)
        *ret_worker_state = server;
    return err;
}

static void worker_reload(void *worker_state, const struct config *config)
{
    (void)config;
    web_server_reload(worker_state);
}

static void worker_drain(void *worker_state)
{
    web_server_drain(worker_state);
}

static void worker_stop(void *worker_state)
{
    web_server_stop(worker_state);
}

static void worker_gone(void *worker_state)
{
    web_server_free(worker_state);
}

static void status(void *state, struct buf *json)
{
    web_state_status(state, json);
}

static void metrics(void *state, struct buf *out)
{
    web_state_metrics(state, out);
}

static const struct daemon_spec spec = {
    .config = {0},
    .stats = {stats_defs, sizeof(stats_defs) / sizeof(stats_defs[0])},
    .sessions = sessions,
    .max_files = max_files,
    .start = start,
    .reload = reload,
    .stop = stop,
    .worker_start = worker_start,
    .worker_reload = worker_reload,
    .worker_drain = worker_drain,
    .worker_stop = worker_stop,
    .worker_free = worker_gone,
    .status = status,
    .metrics = metrics,
};

int main(int argc, char **argv)
{
    struct daemon_spec with_config = spec;

    with_config.config = web_config_spec;
    return daemon_main(&with_config, argc, argv);
}
