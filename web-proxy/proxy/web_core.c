/* SPDX-License-Identifier: MIT */
#include "proxy/web_internal.h"

#include "base/mem.h"

#include <errno.h>

enum { FAREWELL_MS = 2000 };

/* ---- views ---- */

static int view_new(struct web_core *core, struct web_site *site,
                    struct web_view **ret_view)
{
    struct web_view *view = mem_zalloc(sizeof(*view));

    if (!view)
        return -ENOMEM;
    view->pools = mem_zarray(site->n_backends + 1, sizeof(*view->pools));
    view->checks = mem_zarray(site->n_backends + 1, sizeof(*view->checks));
    view->queues = mem_zarray(site->n_upstreams + 1, sizeof(*view->queues));
    if (!view->pools || !view->checks || !view->queues) {
        mem_free(view->queues);
        mem_free(view->checks);
        mem_free(view->pools);
        mem_free(view);
        return -ENOMEM;
    }
    for (size_t i = 0; i < site->n_backends; i++)
        list_init(&view->pools[i].idle);
    for (size_t i = 0; i < site->n_upstreams; i++)
        list_init(&view->queues[i].waiting);
    view->site = web_site_ref(site);
    view->users = 1;
    list_push_back(&core->views, &view->node);
    *ret_view = view;
    return 0;
}

void view_unref(struct web_core *core, struct web_view *view)
{
    (void)core;
    if (!view || --view->users > 0)
        return;
    list_remove(&view->node);
    web_site_unref(view->site);
    mem_free(view->queues);
    mem_free(view->checks);
    mem_free(view->pools);
    mem_free(view);
}

/* Links nobody will ask for any more. */
static void view_close_idle(struct web_view *view)
{
    for (size_t i = 0; i < view->site->n_backends; i++) {
        LIST_FOREACH (node, &view->pools[i].idle) {
            link_close(CONTAINER_OF(node, struct web_link, idle));
        }
    }
}

static void set_limits(struct web_core *core, const struct web_limits *limits)
{
    core->request_limits = http_limits_default;
    core->request_limits.head = (uint32_t)limits->head_max;
    core->request_limits.headers = (uint32_t)limits->headers_max;
    if (core->request_limits.start_line > limits->head_max)
        core->request_limits.start_line = (uint32_t)limits->head_max;
    http_parser_free(core->h2_heads); /* was made for the old ones */
    core->h2_heads = NULL;
    core->answer_limits = http_limits_default;
    core->answer_limits.head = (uint32_t)limits->answer_head_max;
}

void web_core_set_site(struct web_core *core, struct web_site *site)
{
    struct web_view *old = core->view;
    struct web_view *view;

    if (view_new(core, site, &view) < 0)
        return; /* without memory the old one serves on */
    core->view = view;
    set_limits(core, &site->limits);
    core_enter(core, core->now);
    view_close_idle(old);
    checks_stop(core, old);
    checks_start(core, view);
    core_leave(core);
    view_unref(core, old);
}

/* ---- life ---- */

int web_core_new(struct web_core **ret_core,
                 const struct web_core_options *options)
{
    struct web_core *core = mem_zalloc(sizeof(*core));

    if (!core)
        return -ENOMEM;
    core->env = options->env;
    core->stats = options->stats;
    core->worker = options->worker;
    timers_init(&core->timers);
    buf_init(&core->out, WEB_HEAD_BUFFER_MAX);
    web_shown_init(&core->shown);
    timer_init(&core->farewell, WEB_TIMER_FAREWELL);
    list_init(&core->tunnels);
    list_init(&core->views);
    list_init(&core->flush);
    list_init(&core->sessions);
    list_init(&core->links);
    list_init(&core->dead_sessions);
    list_init(&core->dead_links);
    list_init(&core->dead_exchanges);
    list_init(&core->spare_sessions);
    list_init(&core->spare_links);
    list_init(&core->spare_exchanges);
    list_init(&core->spare_streams);
    if (view_new(core, options->site, &core->view) < 0) {
        mem_free(core);
        return -ENOMEM;
    }
    set_limits(core, &options->site->limits);
    checks_start(core, core->view);
    *ret_core = core;
    return 0;
}

static void free_spares(struct web_core *core)
{
    h2_free_spares(core);
    LIST_FOREACH (node, &core->spare_sessions) {
        session_destroy(CONTAINER_OF(node, struct web_session, node));
    }
    LIST_FOREACH (node, &core->spare_links) {
        link_destroy(CONTAINER_OF(node, struct web_link, node));
    }
    LIST_FOREACH (node, &core->spare_exchanges) {
        exchange_destroy(CONTAINER_OF(node, struct web_exchange, node));
    }
}

void web_core_free(struct web_core *core)
{
    struct list *node;

    if (!core)
        return;
    core_enter(core, core->now);
    checks_stop(core, core->view);
    while ((node = list_first(&core->sessions)))
        session_end(CONTAINER_OF(node, struct web_session, node));
    while ((node = list_first(&core->links)))
        link_close(CONTAINER_OF(node, struct web_link, node));
    core_leave(core);
    free_spares(core);
    view_unref(core, core->view);
    web_shown_deinit(&core->shown);
    http_parser_free(core->h2_heads);
    buf_deinit(&core->out);
    mem_free(core);
}

/* Shortly before the end, so that there is time for answers. */
static void set_farewell(struct web_core *core)
{
    uint64_t whole = core->view->site->limits.drain_ms;
    uint64_t left = whole / 4 < FAREWELL_MS ? whole / 4 : FAREWELL_MS;

    timers_set(&core->timers, &core->farewell, core->now + whole - left);
}

static void say_farewell(struct web_core *core)
{
    struct list *node;

    while ((node = list_first(&core->tunnels)))
        tunnel_farewell(CONTAINER_OF(node, struct web_exchange, node));
}

void web_core_drain(struct web_core *core)
{
    core->draining = true;
    core_enter(core, core->now);
    LIST_FOREACH (node, &core->sessions) {
        struct web_session *s = CONTAINER_OF(node, struct web_session, node);

        s->ops->drain(s);
    }
    view_close_idle(core->view);
    set_farewell(core);
    core_leave(core);
}

/* ---- events ---- */

void core_enter(struct web_core *core, uint64_t now)
{
    core->now = now;
    core->depth++;
}

void core_leave(struct web_core *core)
{
    struct list *node;

    if (core->depth == 1 && core->n_queued > 0)
        queues_run(core);
    if (core->depth > 1) {
        core->depth--;
        return;
    }
    h2_flush_all(core);
    core->depth = 0;
    while ((node = list_first(&core->dead_exchanges)))
        exchange_recycle(core, CONTAINER_OF(node, struct web_exchange, node));
    while ((node = list_first(&core->dead_sessions)))
        session_recycle(core, CONTAINER_OF(node, struct web_session, node));
    while ((node = list_first(&core->dead_links)))
        link_recycle(core, CONTAINER_OF(node, struct web_link, node));
}

void web_core_on_timer(struct web_core *core, uint64_t now)
{
    struct timer *timer;

    core_enter(core, now);
    while ((timer = timers_take_expired(&core->timers, now))) {
        if (timer->kind == WEB_TIMER_SESSION)
            session_on_timer(CONTAINER_OF(timer, struct web_session, timer));
        else if (timer->kind == WEB_TIMER_FAREWELL)
            say_farewell(core);
        else if (timer->kind == WEB_TIMER_CHECK)
            check_on_timer(core, CONTAINER_OF(timer, struct web_check, timer));
        else
            link_on_timer(CONTAINER_OF(timer, struct web_link, timer));
    }
    core_leave(core);
}

uint64_t web_core_next_deadline(const struct web_core *core)
{
    return timers_next(&core->timers);
}

const struct web_env *web_session_env(const struct web_session *session)
{
    return &session->core->env;
}

const struct web_env *web_link_env(const struct web_link *link)
{
    return &link->core->env;
}

/* ---- small things the others share ---- */

void core_count_answer(struct web_core *core, int status)
{
    struct web_stats *stats = core->stats;

    if (status < 300)
        stats_inc(&stats->answered_2xx);
    else if (status < 400)
        stats_inc(&stats->answered_3xx);
    else if (status < 500)
        stats_inc(&stats->answered_4xx);
    else
        stats_inc(&stats->answered_5xx);
}

int core_write(struct web_core *core, void *io, struct span bytes)
{
    return core->env.write(core->env.arg, io, &bytes, 1);
}

struct buf *core_scratch(struct web_core *core)
{
    buf_reset(&core->out);
    return &core->out;
}
