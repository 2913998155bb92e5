/* SPDX-License-Identifier: MIT */
#include "app/daemon.h"
#include "base/mem.h"
#include "turn_config.h"
#include "turn_server.h"
#include "turn_worker.h"

/* Field names in /status must be told apart. */
#define UDP_DEF(kind, field, name, labels, help)                               \
    {STATS_##kind, "udp_" #field, name, labels, help},
#define STREAM_DEF(kind, field, name, labels, help)                            \
    {STATS_##kind, "stream_" #field, name, labels, help},

#define DTLS_DEF(kind, field, name, labels, help)                              \
    {STATS_##kind, "dtls_" #field, name, labels, help},

#define LISTENER_DEF(kind, field, name, labels, help)                          \
    {STATS_##kind, "listener_" #field, name, labels, help},

static const struct stats_def stats_defs[] = {TURN_STATS(STATS_DEF)       /* */
                                              TURN_SHELL_STATS(STATS_DEF) /* */
                                              UDP_STATS(UDP_DEF)          /* */
                                              STREAM_STATS(STREAM_DEF)    /* */
                                              DTLS_STATS(DTLS_DEF)        /* */
                                              LISTENER_STATS(LISTENER_DEF)};

_Static_assert(sizeof(struct turn_server_stats) ==
                   ARRAY_SIZE(stats_defs) * sizeof(uint64_t),
               "a row for each figure, in the same order");

/* A drain is over when these are 0. */
static const char *const sessions[] = {"allocations_udp", "allocations_tcp",
                                       "allocations_tls", "allocations_dtls",
                                       NULL};

/* Two relay sockets an allocation, a connection for each client, one for each
 * peer of a TCP relay. */
static uint64_t max_files(const void *values)
{
    const struct turn_config *c = values;

    return 2 * (uint64_t)c->max_allocations + c->max_connections +
           (c->tcp_relay ? c->tcp_total : 0) + 256;
}

int main(int argc, char **argv)
{
    const struct daemon_spec spec = {
        .config = turn_config_spec,
        .stats = {stats_defs, ARRAY_SIZE(stats_defs)},
        .sessions = sessions,
        .max_files = max_files,
        .start = turn_server_start,
        .reload = turn_server_reload,
        .stop = turn_server_stop,
        .worker_start = turn_worker_start,
        .worker_reload = turn_worker_reload,
        .worker_drain = turn_worker_drain,
        .worker_stop = turn_worker_stop,
        .worker_free = turn_worker_free,
        .endpoints = turn_server_endpoints,
        .status = turn_server_status,
        .metrics = turn_server_metrics,
    };

    return daemon_main(&spec, argc, argv);
}
