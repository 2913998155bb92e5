/* SPDX-License-Identifier: MIT */
/* The page of the admin listeners with all daemons on it, for a browser on
 * this machine: read only, on loopback, behind an address nobody can guess.
 * A daemon that hangs holds up a thread, not the page. */
#include "ctl_commands.h"

#include "app/admin.h"
#include "app/json.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/mem.h"
#include "ctl/ctl_reply.h"
#include "ctl_client.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <uv.h>

enum {
    EVERY_MS = 1000,
    SILENT_MS = 3000,               /* then what was said last is old */
    PAGE_MAX = ADMIN_REPLY_MAX / 4, /* of one daemon, bytes */
    WATCHED_MAX = 16,               /* daemons on one page */
    SECRET_BYTES = 16,
};

/* One daemon. While `busy` the thread owns `work`, `got` and `err`. */
struct watched {
    const struct ctl_target *target;
    uv_work_t work;
    bool busy;
    uint64_t since; /* when it was asked, uv_now() */
    int err;
    struct buf got;
    bool known;       /* it was asked, and what came is below */
    int shown_err;    /* 0, or why there is nothing */
    struct buf shown; /* its /page.json */
};

struct dashboard {
    uv_loop_t loop;
    uv_timer_t timer;
    uv_signal_t signals[2];
    struct admin *admin;
    struct watched watched[WATCHED_MAX];
    size_t n;
};

/* ---- asking ---- */

static int is_object(struct span text)
{
    cJSON *json = cJSON_ParseWithLength((const char *)text.ptr, text.len);
    int err = cJSON_IsObject(json) ? 0 : ERR_PARSE;

    cJSON_Delete(json);
    return err;
}

/* In a thread. */
static void ask(uv_work_t *work)
{
    struct watched *w = work->data;
    int status;

    buf_reset(&w->got);
    status = ctl_client_ask(w->target->socket, "GET", "/page.json",
                            span_str(""), &w->got);
    if (status == 200)
        w->err = is_object(buf_span(&w->got));
    else
        w->err = status < 0 ? status : ERR_PARSE;
}

static void on_answer(uv_work_t *work, int status)
{
    struct watched *w = work->data;

    (void)status;
    w->busy = false;
    w->known = true;
    w->shown_err = w->err;
    buf_reset(&w->shown);
    if (w->err == 0)
        buf_put_span(&w->shown, span_trim(buf_span(&w->got)));
    if (buf_err(&w->shown))
        w->shown_err = buf_err(&w->shown);
}

static void on_timer(uv_timer_t *timer)
{
    struct dashboard *d = timer->data;

    for (size_t i = 0; i < d->n; i++) {
        struct watched *w = &d->watched[i];

        if (w->busy)
            continue;
        w->work.data = w;
        w->since = uv_now(&d->loop);
        w->busy = uv_queue_work(&d->loop, &w->work, ask, on_answer) == 0;
    }
}

/* ---- answering ---- */

static void put_watched(const struct dashboard *d, const struct watched *w,
                        struct buf *body)
{
    bool silent = w->busy && uv_now(&d->loop) - w->since > SILENT_MS;

    json_open(body, '{');
    json_key(body, "name");
    json_str(body, w->target->name[0] ? w->target->name : w->target->socket);
    if (silent || w->shown_err || !w->known) {
        json_key(body, "error");
        json_str(body, silent         ? "it has taken the question only"
                       : w->shown_err ? err_str(w->shown_err)
                                      : "just asked");
    } else {
        json_key(body, "page");
        buf_put_span(body, buf_span(&w->shown));
    }
    json_close(body, '}');
}

static int get_page(const struct admin_request *request, struct buf *body,
                    void *arg)
{
    const struct dashboard *d = arg;

    (void)request;
    json_open(body, '[');
    for (size_t i = 0; i < d->n; i++) {
        if (i)
            buf_put_byte(body, ',');
        put_watched(d, &d->watched[i], body);
    }
    json_close(body, ']');
    return 200;
}

/* ---- life ---- */

static void on_signal(uv_signal_t *handle, int number)
{
    struct dashboard *d = handle->data;

    (void)number;
    admin_close(d->admin);
    uv_close((uv_handle_t *)&d->timer, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(d->signals); i++)
        uv_close((uv_handle_t *)&d->signals[i], NULL);
}

static int watch(struct dashboard *d)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    int err = uv_timer_init(&d->loop, &d->timer);

    d->timer.data = d;
    if (err == 0)
        err = uv_timer_start(&d->timer, on_timer, 0, EVERY_MS);
    for (size_t i = 0; err == 0 && i < ARRAY_SIZE(d->signals); i++) {
        err = uv_signal_init(&d->loop, &d->signals[i]);
        d->signals[i].data = d;
        if (err == 0)
            err = uv_signal_start(&d->signals[i], on_signal, numbers[i]);
    }
    return err;
}

/* "/" and 32 hex digits, which nobody guesses: other users of this machine
 * reach the port as well. */
static void make_secret(char out[2 + 2 * SECRET_BYTES])
{
    uint8_t bytes[SECRET_BYTES];

    crypto_random(bytes, sizeof(bytes));
    out[0] = '/';
    for (size_t i = 0; i < sizeof(bytes); i++)
        (void)snprintf(out + 1 + 2 * i, 3, "%02x", bytes[i]);
}

static int serve(struct dashboard *d, const struct addr *listen)
{
    char secret[2 + 2 * SECRET_BYTES], text[ADDR_TEXT_SIZE];
    const struct admin_options options = {
        .program = "edgectl", .prefix = secret, .listen = *listen};
    struct addr bound = *listen;
    int err;

    make_secret(secret);
    err = admin_new(&d->admin, &d->loop, &options);
    if (err == 0)
        err = admin_handle(d->admin, "GET", "/page.json", get_page, d);
    if (err == 0)
        err = watch(d);
    if (err < 0)
        return err;
    bound.port = admin_port(d->admin);
    (void)printf("http://%s%s/\n", addr_str(&bound, text), secret);
    (void)fflush(stdout);
    (void)uv_run(&d->loop, UV_RUN_DEFAULT);
    return 0;
}

/* "PORT" or "ADDRESS:PORT", of loopback; else 127.0.0.1 and any port. */
static int listen_address(const struct ctl_args *args, struct buf *error,
                          struct addr *ret_listen)
{
    const char *text = ctl_args_value(args, "listen");
    uint64_t port;

    *ret_listen = addr_v4(0x7F000001, 0);
    if (!text)
        return 0;
    if (span_to_u64(span_str(text), UINT16_MAX, &port) == 0) {
        ret_listen->port = (uint16_t)port;
        return 0;
    }
    if (addr_parse(span_str(text), ret_listen) == 0 &&
        addr_is_loopback(ret_listen))
        return 0;
    buf_printf(error,
               "--listen %s: expected a port, or a loopback address and port "
               "(127.0.0.1:8400); from elsewhere use ssh -L\n",
               text);
    return ERR_PARSE;
}

static struct dashboard *dashboard_new(const struct ctl_targets *targets)
{
    struct dashboard *d = mem_zalloc(sizeof(*d));

    if (!d || uv_loop_init(&d->loop) < 0) {
        mem_free(d);
        return NULL;
    }
    for (; d->n < targets->n && d->n < WATCHED_MAX; d->n++) {
        d->watched[d->n].target = &targets->items[d->n];
        buf_init(&d->watched[d->n].got, CTL_REPLY_MAX);
        buf_init(&d->watched[d->n].shown, PAGE_MAX);
    }
    return d;
}

static void dashboard_free(struct dashboard *d)
{
    for (size_t i = 0; i < d->n; i++) {
        buf_deinit(&d->watched[i].got);
        buf_deinit(&d->watched[i].shown);
    }
    (void)uv_loop_close(&d->loop);
    mem_free(d);
}

int cmd_dashboard(const struct ctl_args *args)
{
    struct ctl_targets targets;
    struct dashboard *d;
    struct buf error;
    struct addr listen;
    int err;

    buf_init(&error, CTL_ERROR_MAX);
    err = listen_address(args, &error, &listen);
    if (err == 0)
        err = ctl_targets_find(args, 0, &error, &targets);
    if (err < 0)
        return ctl_fail(args, &error,
                        err == ERR_PARSE ? CTL_USAGE : CTL_UNREACHABLE);
    d = dashboard_new(&targets);
    err = d ? serve(d, &listen) : -ENOMEM;
    if (err < 0) {
        if (d) { /* what was opened is being closed */
            (void)uv_run(&d->loop, UV_RUN_NOWAIT);
            dashboard_free(d);
        }
        buf_printf(&error, "cannot serve: %s\n", err_str(err));
        return ctl_fail(args, &error, CTL_USAGE);
    }
    dashboard_free(d);
    buf_deinit(&error);
    return CTL_OK;
}
