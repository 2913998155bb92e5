/* SPDX-License-Identifier: MIT */
/* An upgraded pair: two pipes. Each side is read no faster than the other
 * takes it; when one side ends, the other half goes on until it ends too. */
#include "proxy/web_internal.h"

static void touch(struct web_exchange *x)
{
    session_set_due(x->session, x->session->core->now + x->route->tunnel_ms);
}

void tunnel_begin(struct web_exchange *x, struct span rest)
{
    struct web_session *s = x->session;
    struct web_core *core = s->core;
    struct web_link *link = x->link;

    list_push_back(&core->tunnels, &x->node);
    stats_inc(&core->stats->tunnels_opened);
    stats_inc(&core->stats->tunnels);
    if (s->tunnels)
        stats_inc(&core->stats->h2_tunnels);
    x->state = WEB_EXCHANGE_TUNNEL;
    s->state = WEB_SESSION_TUNNEL;
    link->state = WEB_LINK_TUNNEL;
    /* Nothing will be parsed any more, and tunnels are many and long. */
    http_parser_free(s->parser);
    s->parser = NULL;
    http_parser_free(link->parser);
    link->parser = NULL;
    touch(x);
    if (rest.len > 0)
        tunnel_from_upstream(x, rest);
    session_continue(s);
}

void tunnel_from_client(struct web_exchange *x, struct span data)
{
    struct web_core *core = x->session->core;

    if (data.len == 0 || !x->link)
        return;
    x->body_in += data.len;
    web_frames_pass(&x->from_client, data);
    touch(x);
    /* A link that fails is reported closed by the shell. */
    (void)core_write(core, x->link->io, data);
}

void tunnel_from_upstream(struct web_exchange *x, struct span data)
{
    if (x->session->state != WEB_SESSION_TUNNEL)
        return; /* it is being closed */
    x->body_out += data.len;
    web_frames_pass(&x->from_upstream, data);
    touch(x);
    if (x->session->ops->body(x->session, data, false) < 0)
        session_end(x->session);
}

static void on_half_end(struct web_exchange *x)
{
    if (x->client_ended && x->upstream_ended)
        session_shutdown(x->session);
}

void tunnel_on_client_end(struct web_exchange *x)
{
    struct web_core *core = x->session->core;

    x->client_ended = true;
    if (x->link)
        core->env.end(core->env.arg, x->link->io);
    on_half_end(x);
}

void tunnel_on_upstream_end(struct web_exchange *x)
{
    x->upstream_ended = true;
    x->session->ops->half_end(x->session);
    on_half_end(x);
}

void tunnel_on_timer(struct web_exchange *x)
{
    stats_inc(&x->session->core->stats->tunnel_timeout);
    session_shutdown(x->session);
}

/* RFC 6455 7.1.1: who gets a Close answers it and closes; until then what it
 * still says goes on. Where a frame is half through nothing can be said. */
void tunnel_farewell(struct web_exchange *x)
{
    struct web_session *s = x->session;
    struct web_core *core = s->core;
    uint8_t frame[WEB_FRAMES_CLOSE_SIZE];

    list_remove(&x->node); /* once */
    stats_inc(&core->stats->farewells);
    if (x->link && web_frames_may_add(&x->from_client))
        (void)core_write(core, x->link->io, web_frames_going_away(true, frame));
    if (web_frames_may_add(&x->from_upstream) &&
        s->ops->body(s, web_frames_going_away(false, frame), false) < 0) {
        session_end(s);
        return;
    }
    session_shutdown(s);
}
