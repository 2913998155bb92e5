/* SPDX-License-Identifier: MIT */
/* Requests that wait because every server of their upstream has as many
 * connections as it may. First come, first served; so many, and so long. */
#include "proxy/web_internal.h"

static struct web_queue *queue_of(const struct web_exchange *x)
{
    return &x->view->queues[x->upstream - x->view->site->upstreams];
}

bool queue_enter(struct web_exchange *x)
{
    struct web_core *core = x->session->core;
    struct web_queue *q = queue_of(x);

    if (q->n >= x->upstream->queue_max)
        return false;
    x->state = WEB_EXCHANGE_QUEUED;
    list_push_back(&q->waiting, &x->node);
    q->n++;
    core->n_queued++;
    stats_inc(&core->stats->queued);
    stats_inc(&core->stats->queued_now);
    session_set_due(x->session, x->queue_until);
    return true;
}

void queue_leave(struct web_exchange *x)
{
    struct web_core *core = x->session->core;

    list_remove(&x->node);
    queue_of(x)->n--;
    core->n_queued--;
    stats_dec(&core->stats->queued_now);
}

bool queue_is_waiting(const struct web_exchange *x)
{
    return queue_of(x)->n > 0;
}

/* May one of its servers be asked, and has room? */
static bool has_room(const struct web_view *view, const struct web_upstream *u)
{
    for (uint32_t i = 0; i < u->n_backends; i++) {
        const struct web_pool *pool = &view->pools[u->first + i];

        if (web_backend_flags(&u->backends[i]) == 0 &&
            (pool->n_links < u->links_max || pool->n_idle > 0))
            return true;
    }
    return false;
}

static void run_view(struct web_view *view)
{
    for (size_t i = 0; i < view->site->n_upstreams; i++) {
        const struct web_upstream *u = &view->site->upstreams[i];
        struct web_queue *q = &view->queues[i];
        struct list *node;

        while ((node = list_first(&q->waiting)) && has_room(view, u)) {
            struct web_exchange *x =
                CONTAINER_OF(node, struct web_exchange, node);
            struct web_session *s = x->session;

            queue_leave(x);
            exchange_go_on(x);
            session_continue(s);
        }
    }
}

void queues_run(struct web_core *core)
{
    LIST_FOREACH (node, &core->views) {
        if (core->n_queued == 0)
            return;
        run_view(CONTAINER_OF(node, struct web_view, node));
    }
}
