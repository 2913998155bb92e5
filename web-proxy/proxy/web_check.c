/* SPDX-License-Identifier: MIT */
/* Active checks: a GET now and then to every server of an upstream that has a
 * check-path. Each core has a timer per server; whoever is first claims the
 * check, so that there is one per interval whatever the number of workers. */
#define LOG_COMPONENT "web"

#include "proxy/web_internal.h"

#include "base/log.h"

static const struct web_check_rule *rule_of(const struct web_check *check)
{
    return &check->backend->upstream->check;
}

/* A tenth more or less, so that the checks of many servers and proxies do not
 * fall together. */
static uint64_t next_of(const struct web_check *check, uint64_t now)
{
    uint64_t interval = rule_of(check)->interval_ms;
    uint64_t mixed =
        (check->backend->hash ^ now) * UINT64_C(0x9e3779b97f4a7c15);

    return now + interval - interval / 10 + (mixed >> 32) % (interval / 5 + 1);
}

/* ---- life ---- */

void checks_start(struct web_core *core, struct web_view *view)
{
    const struct web_site *site = view->site;

    for (size_t i = 0; i < site->n_upstreams; i++) {
        const struct web_upstream *u = &site->upstreams[i];

        bool on = web_check_is_on(&u->check);

        for (uint32_t k = 0; on && k < u->n_backends; k++) {
            struct web_check *check = &view->checks[u->first + k];

            check->view = view;
            check->backend = &u->backends[k];
            timer_init(&check->timer, WEB_TIMER_CHECK);
            timers_set(&core->timers, &check->timer, core->now);
        }
    }
}

static void drop_link(struct web_check *check)
{
    struct web_link *link = check->link;

    check->link = NULL;
    if (!link)
        return;
    link->check = NULL;
    link_close(link);
}

void checks_stop(struct web_core *core, struct web_view *view)
{
    for (size_t i = 0; i < view->site->n_backends; i++) {
        struct web_check *check = &view->checks[i];

        if (!check->backend)
            continue;
        timers_cancel(&core->timers, &check->timer);
        drop_link(check);
    }
}

/* ---- one check ---- */

static void finish(struct web_core *core, struct web_check *check, bool good)
{
    const struct web_check_rule *rule = rule_of(check);
    const struct web_backend *b = check->backend;

    drop_link(check);
    timers_set(&core->timers, &check->timer,
               check->next > core->now ? check->next : core->now + 1);
    stats_inc(&core->stats->checks);
    if (!good)
        stats_inc(&core->stats->checks_failed);
    if (!web_health_on_check(b->health, good, rule->fall, rule->rise))
        return;
    if (good)
        web_health_set_up(b->health, core->now);
    if (good)
        log_info("server %s:%u of \"%s\" is up: its checks succeed", b->host,
                 b->port, b->upstream->name);
    else
        log_warn("server %s:%u of \"%s\" is down: its checks fail", b->host,
                 b->port, b->upstream->name);
}

void check_on_timer(struct web_core *core, struct web_check *check)
{
    uint64_t next = next_of(check, core->now);
    uint64_t due;

    if (check->link) {
        finish(core, check, false);
        return;
    }
    if (!web_health_take_check(check->backend->health, core->now, next, &due)) {
        timers_set(&core->timers, &check->timer,
                   due > core->now ? due : core->now + 1);
        return;
    }
    check->next = next;
    if (!link_dial_check(core, check)) {
        finish(core, check, false);
        return;
    }
    timers_set(&core->timers, &check->timer,
               core->now + rule_of(check)->timeout_ms);
}

/* ---- its link ---- */

static void put_host(struct buf *out, const struct web_backend *b)
{
    bool v6 = b->addr.family == ADDR_V6;

    if (b->upstream->host_field)
        buf_put_str(out, b->upstream->host_field);
    else
        buf_printf(out, v6 ? "[%s]:%u" : "%s:%u", b->host, b->port);
}

void check_on_dialled(struct web_link *link)
{
    struct web_core *core = link->core;
    struct web_check *check = link->check;
    struct buf *out = core_scratch(core);

    if (rule_of(check)->connect) {
        finish(core, check, true);
        return;
    }
    buf_put_str(out, "GET ");
    buf_put_str(out, rule_of(check)->path);
    buf_put_str(out, " HTTP/1.1\r\nHost: ");
    put_host(out, web_backend_target(check->backend));
    buf_put_str(out, "\r\nUser-Agent: web-proxy-check\r\n"
                     "Connection: close\r\n\r\n");
    http_parser_set_request(link->parser, HTTP_METHOD_GET);
    /* An error is reported by the shell as a closed link. */
    if (buf_err(out) == 0)
        (void)core_write(core, link->io, buf_span(out));
}

static bool is_expected(const struct web_check_rule *rule, int status)
{
    if (rule->status)
        return status == rule->status;
    return status >= 200 && status < 400;
}

/* The head says it all; what follows is not read. */
void check_on_data(struct web_link *link, struct span in)
{
    struct web_check *check = link->check;
    struct span body;

    while (check->link == link) {
        int status;

        switch (http_parser_next(link->parser, &in, &body)) {
        case HTTP_EVENT_MORE:
            return;
        case HTTP_EVENT_HEAD:
            status = http_parser_msg(link->parser)->status;
            if (status >= 200)
                finish(link->core, check, is_expected(rule_of(check), status));
            break;
        case HTTP_EVENT_BODY:
        case HTTP_EVENT_END: /* of an interim answer */
            break;
        case HTTP_EVENT_ERROR:
            finish(link->core, check, false);
            return;
        }
    }
}

void check_on_lost(struct web_link *link)
{
    if (link->check)
        finish(link->core, link->check, false);
}
