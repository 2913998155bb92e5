/* SPDX-License-Identifier: MIT */
/* Clients that have moved to another worker (RFC 8016): messages between the
 * cores, the shell's half of turn/turn_mobile.h. A packet is copied on this
 * way; only packets of moved clients take it.
 */
#include "turn_worker_internal.h"

#include "base/mem.h"

enum kind { FORWARD, GONE, ROUTE, UNROUTE, TO_CLIENT };

struct letter {
    struct turn_server *server;
    enum kind kind;
    unsigned from; /* worker */
    struct turn_client client;
    uint8_t tos;
    size_t len;
    uint8_t bytes[];
};

static void read_letter(struct turn_worker *w, const struct letter *letter)
{
    struct turn_packet packet = {.bytes = span_of(letter->bytes, letter->len),
                                 .tos = letter->tos};
    uint64_t now = worker_now(w->worker);

    switch (letter->kind) {
    case FORWARD:
        turn_core_on_client(w->core, &letter->client, &packet, now);
        break;
    case GONE:
        turn_core_on_client_gone(w->core, &letter->client, now);
        break;
    case ROUTE:
        if (turn_core_route(w->core, &letter->client, letter->from) < 0)
            stats_inc(&w->stats->drop_forward);
        break;
    case UNROUTE:
        turn_core_unroute(w->core, &letter->client);
        break;
    case TO_CLIENT:
        turn_worker_to_client(w, &letter->client, &packet);
        break;
    }
    turn_worker_arm(w);
}

static void on_letter(struct worker *worker, void *arg)
{
    struct letter *letter = arg;
    struct turn_worker *w =
        turn_server_worker(letter->server, worker_index(worker));

    if (w && w->core)
        read_letter(w, letter);
    mem_free(letter);
}

static void post(struct turn_worker *w, unsigned to, enum kind kind,
                 const struct turn_client *client,
                 const struct turn_packet *packet)
{
    struct worker *worker = turn_server_thread(w->server, to);
    size_t len = packet ? packet->bytes.len : 0;
    struct letter *letter = mem_alloc(sizeof(*letter) + len);

    if (!letter || !worker) {
        stats_inc(&w->stats->drop_forward);
        mem_free(letter);
        return;
    }
    *letter = (struct letter){.server = w->server,
                              .kind = kind,
                              .from = (unsigned)worker_index(w->worker),
                              .client = *client,
                              .tos = packet ? packet->tos : 0,
                              .len = len};
    if (len > 0)
        memcpy(letter->bytes, packet->bytes.ptr, len);
    if (worker_post(worker, on_letter, letter) < 0) {
        stats_inc(&w->stats->drop_forward);
        mem_free(letter);
    }
}

static void env_forward(void *arg, unsigned worker,
                        const struct turn_client *client,
                        const struct turn_packet *packet)
{
    post(arg, worker, FORWARD, client, packet);
}

static void env_gone(void *arg, unsigned worker,
                     const struct turn_client *client)
{
    post(arg, worker, GONE, client, NULL);
}

static void env_route(void *arg, unsigned worker,
                      const struct turn_client *client)
{
    post(arg, worker, ROUTE, client, NULL);
}

static void env_unroute(void *arg, unsigned worker,
                        const struct turn_client *client)
{
    post(arg, worker, UNROUTE, client, NULL);
}

struct turn_mobile_env turn_forward_env(void)
{
    return (struct turn_mobile_env){env_forward, env_gone, env_route,
                                    env_unroute};
}

void turn_forward_to_client(struct turn_worker *w, const struct turn_client *to,
                            const struct turn_packet *packet)
{
    struct turn_client there = *to;

    there.home = 0;
    post(w, to->home - 1U, TO_CLIENT, &there, packet);
}
