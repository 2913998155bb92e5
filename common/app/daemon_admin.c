/* SPDX-License-Identifier: MIT */
#include "app/daemon_internal.h"

#include "app/json.h"
#include "base/mem.h"

#include <errno.h>
#include <unistd.h>

#define LOG_COMPONENT "daemon"
#include "base/log.h"

static int get_health(const struct admin_request *request, struct buf *body,
                      void *arg)
{
    int stuck = daemon_stuck_worker(arg);

    (void)request;
    if (stuck >= 0) {
        buf_printf(body, "worker %d does not answer\n", stuck);
        return 503;
    }
    buf_put_str(body, "ok\n");
    return 200;
}

static int get_ready(const struct admin_request *request, struct buf *body,
                     void *arg)
{
    struct daemon *daemon = arg;

    (void)request;
    if (daemon->phase != PHASE_RUNNING) {
        buf_printf(body, "%s\n", daemon_phase_name(daemon));
        return 503;
    }
    if (daemon->spec->ready && !daemon->spec->ready(daemon->state, body))
        return 503;
    buf_reset(body);
    buf_put_str(body, "ready\n");
    return 200;
}

static int get_metrics(const struct admin_request *request, struct buf *body,
                       void *arg)
{
    struct daemon *daemon = arg;

    (void)request;
    buf_printf(body,
               "# HELP %s_up_info the running version\n"
               "# TYPE %s_up_info gauge\n"
               "%s_up_info{version=\"%s\"} 1\n",
               daemon->prefix, daemon->prefix, daemon->prefix, EDGE_VERSION);
    buf_printf(body,
               "# HELP %s_reloads_total settings taken over\n"
               "# TYPE %s_reloads_total counter\n"
               "%s_reloads_total %u\n"
               "# HELP %s_reloads_refused_total settings refused\n"
               "# TYPE %s_reloads_refused_total counter\n"
               "%s_reloads_refused_total %u\n",
               daemon->prefix, daemon->prefix, daemon->prefix, daemon->reloads,
               daemon->prefix, daemon->prefix, daemon->prefix,
               daemon->reloads_refused);
    stats_write_metrics(daemon->stats, body);
    if (daemon->spec->metrics)
        daemon->spec->metrics(daemon->state, body);
    return 200;
}

static void put_time(struct buf *body, const char *key, time_t when)
{
    struct tm tm;
    char text[32] = "";

    if (gmtime_r(&when, &tm))
        (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    json_key(body, key);
    json_str(body, text);
}

static int get_status(const struct admin_request *request, struct buf *body,
                      void *arg)
{
    struct daemon *daemon = arg;
    const struct config_common *common = config_common(daemon->config);

    (void)request;
    json_open(body, '{');
    json_key(body, "program");
    json_str(body, daemon->spec->config.program);
    json_key(body, "version");
    json_str(body, EDGE_VERSION);
    json_key(body, "state");
    json_str(body, daemon_phase_name(daemon));
    json_key(body, "pid");
    json_u64(body, (uint64_t)getpid());
    json_key(body, "uptime");
    json_u64(body, (worker_now(daemon->main) - daemon->began) / 1000);
    json_key(body, "workers");
    json_u64(body, daemon->n);
    json_key(body, "sessions");
    json_u64(body, daemon_sessions(daemon));
    json_key(body, "config");
    json_str(body, common->config);
    put_time(body, "config_loaded", daemon->loaded);
    if (daemon->spec->status)
        daemon->spec->status(daemon->state, body);
    json_key(body, "stats");
    stats_write_json(daemon->stats, body);
    json_close(body, '}');
    buf_put_byte(body, '\n');
    return 200;
}

/* What the page shows, of one moment. `ms` is what rates are worked out with:
 * monotonic. */
static int get_page(const struct admin_request *request, struct buf *body,
                    void *arg)
{
    struct daemon *daemon = arg;
    struct buf part;
    bool ready, whole;

    buf_init(&part, ADMIN_REPLY_MAX / 4);
    json_open(body, '{');
    json_key(body, "name");
    json_str(body, daemon->spec->config.program);
    json_key(body, "ms");
    json_u64(body, worker_now(daemon->main));
    ready = get_ready(request, &part, arg) == 200;
    json_key(body, "ready");
    json_bool(body, ready);
    json_key(body, "reasons");
    json_string(body, ready ? span_str("") : buf_span(&part));
    buf_reset(&part);
    (void)get_status(request, &part, arg);
    json_key(body, "status");
    buf_put_span(body, span_trim(buf_span(&part)));
    whole = !buf_err(&part); /* half a status is no JSON */
    buf_reset(&part);
    (void)get_metrics(request, &part, arg);
    json_key(body, "metrics");
    json_string(body, buf_span(&part));
    json_close(body, '}');
    buf_deinit(&part);
    if (whole)
        return 200;
    buf_reset(body);
    buf_put_str(body, "too much to show\n");
    return 500;
}

static int post_reload(const struct admin_request *request, struct buf *body,
                       void *arg)
{
    struct daemon *daemon = arg;

    (void)request;
    if (daemon->phase != PHASE_RUNNING) {
        buf_printf(body, "%s\n", daemon_phase_name(daemon));
        return 409;
    }
    return daemon_reload(daemon, body) < 0 ? 409 : 200;
}

static int post_drain(const struct admin_request *request, struct buf *body,
                      void *arg)
{
    (void)request;
    daemon_drain(arg);
    buf_put_str(body, "draining\n");
    return 202;
}

static int post_log_level(const struct admin_request *request, struct buf *body,
                          void *arg)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    struct span wanted = request->body;

    (void)arg;
    while (wanted.len && (wanted.ptr[wanted.len - 1] == '\n' ||
                          wanted.ptr[wanted.len - 1] == '\r'))
        wanted.len--;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!span_is(wanted, names[i]))
            continue;
        log_set_level((enum log_level)i);
        log_warn("log level changed level=%s", names[i]);
        buf_printf(body, "%s\n", names[i]);
        return 200;
    }
    buf_put_str(body, "expected one of error, warn, info, debug\n");
    return 400;
}

int daemon_endpoints(struct daemon *daemon)
{
    static const struct {
        const char *method;
        const char *path;
        admin_handler *handler;
    } endpoints[] = {
        {"GET", "/healthz", get_health},
        {"GET", "/readyz", get_ready},
        {"GET", "/metrics", get_metrics},
        {"GET", "/status", get_status},
        {"GET", "/page.json", get_page},
        {"POST", "/reload", post_reload},
        {"POST", "/drain", post_drain},
        {"POST", "/log-level", post_log_level},
    };

    for (size_t i = 0; i < ARRAY_SIZE(endpoints); i++) {
        int err = admin_handle(daemon->admin, endpoints[i].method,
                               endpoints[i].path, endpoints[i].handler, daemon);

        if (err < 0)
            return err;
    }
    if (daemon->spec->endpoints)
        daemon->spec->endpoints(daemon->state, daemon->admin);
    return 0;
}
