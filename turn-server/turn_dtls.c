/* SPDX-License-Identifier: MIT */
/* DTLS clients: sessions of net/dtls.h as clients of the core. */
#include "turn_worker_internal.h"

#include "net/dtls.h"

#include <errno.h>

/* The client as the core knows it; the same every time for one session. */
static struct turn_client client_of(const struct turn_worker *w,
                                    const struct dtls_client *c)
{
    struct turn_client client = {.remote = c->remote,
                                 .local = c->local,
                                 .link = pool_id_u64(c->id),
                                 .transport = TURN_DTLS};

    for (size_t i = 0; i < w->n_doors; i++) {
        const struct turn_listen_group *group = w->doors[i].group;

        if (w->doors[i].udp != c->udp)
            continue;
        client.access = (uint8_t)turn_listen_access(group, &c->remote);
        client.realm = group->realm;
    }
    return client;
}

static void on_data(struct dtls *dtls, const struct dtls_client *c,
                    const struct udp_packet *packet, bool is_first, void *arg)
{
    struct turn_worker *w = arg;
    struct turn_client client = client_of(w, c);
    struct turn_packet plain = {.bytes = span_of(packet->data, packet->len),
                                .tos = packet->tos};

    (void)dtls;
    (void)is_first; /* nothing is written in front on the way to a peer */
    turn_core_on_client(w->core, &client, &plain, packet->now);
}

static void on_closed(struct dtls *dtls, const struct dtls_client *c, int err,
                      void *arg)
{
    struct turn_worker *w = arg;
    struct turn_client client = client_of(w, c);

    (void)dtls;
    (void)err;
    turn_core_on_client_gone(w->core, &client, worker_now(w->worker));
    turn_worker_arm(w);
}

static bool keep_idle(struct dtls *dtls, const struct dtls_client *c, void *arg)
{
    struct turn_worker *w = arg;
    struct turn_client client = client_of(w, c);

    (void)dtls;
    return turn_core_has_client(w->core, &client, worker_now(w->worker));
}

static const struct dtls_events events = {
    .on_data = on_data,
    .on_closed = on_closed,
    .keep_idle = keep_idle,
};

int turn_dtls_start(struct turn_worker *w, struct tls_ctx *tls)
{
    struct dtls_options o = {
        .tls = tls,
        .limit = turn_server_limit(w->server),
        .rate = turn_server_rate(w->server),
        .max_sessions = w->max_connections,
        .max_half_open = w->max_handshakes,
        .max_half_open_source = (w->max_handshakes + 63) / 64,
        .idle_timeout_ms = (unsigned)w->idle_timeout,
        .events = &events,
        .arg = w,
        .stats = &w->stats->dtls,
    };

    return dtls_new(&w->dtls, w->worker, &o);
}

void turn_dtls_send(struct turn_worker *w, uint64_t link,
                    const struct turn_packet *packet)
{
    int err =
        dtls_send(w->dtls, pool_id_from_u64(link), packet->bytes, packet->tos);

    if (err == -EMSGSIZE)
        stats_inc(&w->stats->drop_too_long);
    else if (err < 0)
        stats_inc(&w->stats->drop_client_gone);
}
