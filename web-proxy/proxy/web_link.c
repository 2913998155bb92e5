/* SPDX-License-Identifier: MIT */
#include "proxy/web_internal.h"

#include "base/mem.h"

/* ---- life ---- */

static struct web_link *link_new(struct web_core *core)
{
    struct list *node = list_first(&core->spare_links);
    struct web_link *link;

    if (node) {
        list_remove(node);
        core->n_spare_links--;
        return CONTAINER_OF(node, struct web_link, node);
    }
    link = mem_zalloc(sizeof(*link));
    if (!link)
        return NULL;
    link->core = core;
    list_init(&link->node);
    list_init(&link->idle);
    timer_init(&link->timer, WEB_TIMER_LINK);
    return link;
}

void link_destroy(struct web_link *link)
{
    http_parser_free(link->parser);
    mem_free(link);
}

void link_recycle(struct web_core *core, struct web_link *link)
{
    list_remove(&link->node);
    view_unref(core, link->view);
    link->view = NULL;
    link->exchange = NULL;
    link->check = NULL;
    http_parser_free(link->parser);
    link->parser = NULL;
    if (core->n_spare_links >= WEB_SPARE_MAX) {
        link_destroy(link);
        return;
    }
    core->n_spare_links++;
    list_push_front(&core->spare_links, &link->node);
}

static void leave_idle(struct web_link *link)
{
    if (link->state != WEB_LINK_IDLE)
        return;
    list_remove(&link->idle);
    link->pool->n_idle--;
    stats_dec(&link->core->stats->idle_links);
}

/* Without its io. */
static void bury(struct web_link *link)
{
    struct web_core *core = link->core;

    leave_idle(link);
    timers_cancel(&core->timers, &link->timer);
    link->state = WEB_LINK_DEAD;
    link->io = NULL;
    link->dial = NULL;
    link->pool->n_links--;
    stats_dec(&core->stats->links);
    list_remove(&link->node);
    list_push_back(&core->dead_links, &link->node);
}

void link_close(struct web_link *link)
{
    struct web_core *core = link->core;
    void *io = link->io;
    void *dial = link->dial;

    if (link->state == WEB_LINK_DEAD)
        return;
    bury(link);
    if (dial)
        core->env.undial(core->env.arg, dial);
    if (io)
        core->env.close(core->env.arg, io);
}

void link_shutdown(struct web_link *link)
{
    if (link->state == WEB_LINK_DEAD || link->state == WEB_LINK_CLOSING)
        return;
    link->state = WEB_LINK_CLOSING;
    link->core->env.shutdown(link->core->env.arg, link->io);
}

/* ---- getting one ---- */

static void attach(struct web_link *link, struct web_exchange *x)
{
    link->exchange = x;
    x->link = link;
    x->kept_link = link->reused;
}

/* One being dialled, nobody's yet. */
static struct web_link *open_link(struct web_core *core, struct web_view *view,
                                  const struct web_backend *backend,
                                  const struct web_backend *target)
{
    const struct web_upstream *upstream = backend->upstream;
    struct web_link *link = link_new(core);

    if (!link)
        return NULL;
    if (http_parser_new(&link->parser, HTTP_KIND_RESPONSE,
                        &core->answer_limits) < 0) {
        link_destroy(link);
        return NULL;
    }
    link->backend = backend;
    link->view = view;
    link->view->users++;
    link->pool = &view->pools[upstream->first + (backend - upstream->backends)];
    link->pool->n_links++;
    link->state = WEB_LINK_DIALLING;
    link->reused = false;
    link->keep_ms = upstream->idle_ms;
    link->io = NULL;
    list_push_back(&core->links, &link->node);
    stats_inc(&core->stats->links);
    link->dial = core->env.dial(core->env.arg, link, target);
    if (link->dial)
        return link;
    bury(link);
    return NULL;
}

struct web_link *link_dial(struct web_exchange *x)
{
    struct web_core *core = x->session->core;
    struct web_link *link;

    if (x->pool->n_links >= x->upstream->links_max) {
        x->full = true;
        return NULL;
    }
    link = open_link(core, x->view, x->backend, x->backend);
    if (!link) {
        stats_inc(&core->stats->upstream_connect_failed);
        balance_on_failure(core, x->backend);
        return NULL;
    }
    stats_inc(&core->stats->upstream_connects);
    attach(link, x);
    return link;
}

struct web_link *link_dial_check(struct web_core *core, struct web_check *check)
{
    struct web_link *link = open_link(core, check->view, check->backend,
                                      web_backend_target(check->backend));

    if (link) {
        link->check = check;
        check->link = link;
    }
    return link;
}

static struct web_link *take_idle(struct web_exchange *x)
{
    struct list *node = list_first(&x->pool->idle);
    struct web_link *link;

    if (!node)
        return NULL;
    link = CONTAINER_OF(node, struct web_link, idle);
    leave_idle(link);
    link->state = WEB_LINK_BUSY;
    link->reused = true;
    stats_inc(&link->core->stats->upstream_reused);
    attach(link, x);
    return link;
}

struct web_link *link_get(struct web_exchange *x, bool fresh)
{
    struct web_link *link = NULL;

    while (!link && balance_pick(x)) {
        link = fresh ? NULL : take_idle(x);
        if (!link)
            link = link_dial(x);
    }
    return link;
}

/* ---- keeping one ---- */

/* A link is idle and busy in turns far more often than its idle time ends:
 * the timer is left as it is unless it would come too late. */
static void set_idle_until(struct web_link *link, uint64_t due)
{
    link->idle_until = due;
    if (!link->timer.armed || link->timer.deadline > due)
        timers_set(&link->core->timers, &link->timer, due);
}

void link_keep(struct web_link *link)
{
    struct web_core *core = link->core;
    struct web_pool *pool = link->pool;

    link->exchange = NULL;
    /* Those of an older site are asked for by nobody. */
    if (core->draining || link->view != core->view ||
        pool->n_idle >= link->backend->upstream->idle_max ||
        link->keep_ms == 0) {
        link_close(link);
        return;
    }
    link->state = WEB_LINK_IDLE;
    pool->n_idle++;
    list_push_front(&pool->idle, &link->idle);
    stats_inc(&core->stats->idle_links);
    set_idle_until(link, core->now + link->keep_ms);
    core->env.resume(core->env.arg, link->io);
}

void link_on_timer(struct web_link *link)
{
    if (link->state != WEB_LINK_IDLE)
        return;
    if (link->idle_until > link->core->now)
        set_idle_until(link, link->idle_until);
    else
        link_close(link);
}

void link_update_reading(struct web_link *link)
{
    struct web_core *core = link->core;
    struct web_exchange *x = link->exchange;

    if ((link->state != WEB_LINK_BUSY && link->state != WEB_LINK_TUNNEL) || !x)
        return;
    if (x->session->ops->is_full(x->session, x->view->site->limits.queue_max))
        core->env.pause(core->env.arg, link->io);
    else
        core->env.resume(core->env.arg, link->io);
}

/* ---- events ---- */

void web_link_on_dialled(struct web_link *link, void *io, uint64_t now)
{
    struct web_core *core = link->core;

    core_enter(core, now);
    link->dial = NULL;
    link->io = io;
    link->state = link->check ? WEB_LINK_CHECK : WEB_LINK_BUSY;
    if (link->check)
        check_on_dialled(link);
    else
        exchange_on_dialled(link->exchange);
    core_leave(core);
}

void web_link_on_dial_failed(struct web_link *link, int err, uint64_t now)
{
    struct web_core *core = link->core;
    struct web_exchange *x = link->exchange;

    core_enter(core, now);
    link->exchange = NULL;
    bury(link);
    check_on_lost(link);
    if (x) {
        exchange_on_dial_failed(x, err);
        session_continue(x->session);
    }
    core_leave(core);
}

void web_link_on_data(struct web_link *link, struct span data, uint64_t now)
{
    struct web_core *core = link->core;

    core_enter(core, now);
    if (link->state == WEB_LINK_IDLE)
        link_close(link); /* bytes nobody asked for */
    else if (link->state == WEB_LINK_TUNNEL)
        tunnel_from_upstream(link->exchange, data);
    else if (link->state == WEB_LINK_BUSY)
        answer_on_data(link, data);
    else if (link->state == WEB_LINK_CHECK)
        check_on_data(link, data);
    link_update_reading(link);
    core_leave(core);
}

void web_link_on_writable(struct web_link *link, uint64_t now)
{
    struct web_core *core = link->core;

    core_enter(core, now);
    if (link->exchange) {
        exchange_update_due(link->exchange);
        session_continue(link->exchange->session);
    }
    core_leave(core);
}

void web_link_on_end(struct web_link *link, uint64_t now)
{
    struct web_core *core = link->core;

    core_enter(core, now);
    if (link->state == WEB_LINK_IDLE)
        link_close(link);
    else if (link->state == WEB_LINK_TUNNEL)
        tunnel_on_upstream_end(link->exchange);
    else if (link->state == WEB_LINK_BUSY)
        answer_on_end(link, 0);
    else if (link->state == WEB_LINK_CHECK)
        check_on_lost(link);
    core_leave(core);
}

void web_link_on_closed(struct web_link *link, int err, uint64_t now)
{
    struct web_core *core = link->core;
    struct web_exchange *x = link->exchange;

    core_enter(core, now);
    link->io = NULL;
    if (link->state == WEB_LINK_TUNNEL) {
        link->exchange = NULL;
        x->link = NULL;
        session_shutdown(x->session);
    } else if (link->state == WEB_LINK_BUSY) {
        answer_on_end(link, err ? err : -1);
    } else if (link->state == WEB_LINK_CHECK) {
        check_on_lost(link);
    }
    if (link->state != WEB_LINK_DEAD)
        bury(link);
    core_leave(core);
}
