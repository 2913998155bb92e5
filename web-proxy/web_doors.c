/* SPDX-License-Identifier: MIT */
#include "web_doors.h"

#include "base/first_bytes.h"
#include "base/mem.h"
#include "web_config.h"
#include "web_connect.h"
#include "web_passage.h"
#include "web_tls.h"

#include <errno.h>

enum {
    /* stream_mark(): where a connection of a shared port goes; above it the
     * index of a stream route. */
    MARK_HTTPS = 0,
    MARK_REDIRECT = 1,
    MARK_ROUTES = 2,
};

static const struct web_entry redirect_entry = {.redirect = true};

/* A door of the state, as this worker listens at it. */
struct doorway {
    struct web_doors *doors;
    struct listener *listener; /* NULL: closed */
    const struct web_door *door;
};

struct web_doors {
    struct web_doors_options options;
    struct web_passages passages;
    struct web_connects connects;
    struct web_tls *tls;
    struct doorway *ways;
    size_t n;
};

/* ---- who gets it ---- */

static struct listener_verdict take(enum listener_choice choice)
{
    return (struct listener_verdict){.choice = choice};
}

/* The stream route of a shared port for it, as a mark; MARK_HTTPS: none. */
static uint32_t find_stream(const struct web_doors *doors,
                            const struct first_bytes *first)
{
    const struct web_streams *streams = doors->passages.streams;
    bool known = web_tls_knows(doors->tls, first->hello.server_name);
    const struct web_stream *s =
        web_stream_match(streams->chosen, streams->n, first, known);

    return s ? MARK_ROUTES + (uint32_t)(s - streams->chosen) : MARK_HTTPS;
}

static struct listener_verdict
choose(struct stream *stream, const struct first_bytes *first, void *arg)
{
    const struct doorway *way = arg;
    uint32_t mark = MARK_HTTPS;

    if (way->door->kind == WEB_LISTEN_SHARED)
        mark = find_stream(way->doors, first);
    if (mark == MARK_HTTPS && first->kind == FIRST_HTTP)
        mark = MARK_REDIRECT;
    stream_set_mark(stream, mark);
    if (mark != MARK_HTTPS)
        return take(LISTENER_TAKE_PLAIN);
    if (first->kind != FIRST_TLS)
        return take(LISTENER_REFUSE);
    return (struct listener_verdict){
        .choice = LISTENER_TAKE_TLS,
        .tls = web_tls_for(way->doors->tls, first->hello.server_name),
    };
}

/* ---- what is ready ---- */

/* On a port of its own. */
static void begin_at_port(struct web_doors *doors, uint16_t port,
                          struct stream *stream)
{
    const struct web_streams *streams = doors->passages.streams;
    const struct web_stream *s =
        web_stream_at(streams->chosen, streams->n, port);

    if (s)
        web_passage_begin(&doors->passages, (size_t)(s - streams->chosen),
                          stream);
    else /* a reload has taken the route away */
        stream_close(stream);
}

static void on_accept(struct listener *listener, struct stream *stream,
                      void *arg)
{
    const struct doorway *way = arg;
    struct web_doors *doors = way->doors;
    uint32_t mark = stream_mark(stream);

    (void)listener;
    if (way->door->kind == WEB_LISTEN_TCP || way->door->kind == WEB_LISTEN_TLS)
        begin_at_port(doors, way->door->port, stream);
    else if (way->door->kind == WEB_LISTEN_CONNECT)
        web_connect_begin(&doors->connects, stream);
    else if (mark >= MARK_ROUTES)
        web_passage_begin(&doors->passages, mark - MARK_ROUTES, stream);
    else
        doors->options.on_session(doors->options.arg, stream,
                                  mark == MARK_REDIRECT ? &redirect_entry
                                                        : &way->door->entry);
}

/* ---- listening ---- */

static enum listener_mode mode_of(int kind)
{
    switch ((enum web_listen_kind)kind) {
    case WEB_LISTEN_HTTPS:
    case WEB_LISTEN_SHARED:
        return LISTENER_CHOOSE;
    case WEB_LISTEN_TLS:
        return LISTENER_TLS;
    case WEB_LISTEN_HTTP:
    case WEB_LISTEN_REDIRECT:
    case WEB_LISTEN_TCP:
    case WEB_LISTEN_CONNECT:
        break;
    }
    return LISTENER_PLAIN;
}

/* NULL: no TLS there. */
static struct tls_ctx *tls_of(const struct web_doors *doors,
                              const struct web_door *door)
{
    switch (mode_of(door->kind)) {
    case LISTENER_CHOOSE:
        return web_tls_https(doors->tls);
    case LISTENER_TLS:
        return web_tls_port(doors->tls, door->port);
    case LISTENER_PLAIN:
    case LISTENER_DETECT:
        break;
    }
    return NULL;
}

static int open_listener(struct doorway *way)
{
    const struct web_doors_options *o = &way->doors->options;
    const struct web_config *c = web_state_config(o->state);
    struct listener_options options = {
        .group = way->door->group,
        .mode = mode_of(way->door->kind),
        .tls = tls_of(way->doors, way->door),
        .limit = web_state_limit(o->state),
        .rate = web_state_rate(o->state),
        .handshake_timeout_ms = (unsigned)c->handshake_timeout,
        .proxy_from = c->proxy_from.items,
        .n_proxy_from = c->proxy_from.n,
        .stream = o->stream,
        .choose = choose,
        .on_accept = on_accept,
        .arg = way,
    };

    return listener_open(&way->listener, o->worker, &options);
}

static int open_all(struct web_doors *doors)
{
    size_t n;
    const struct web_door *list = web_state_doors(doors->options.state, &n);

    doors->ways = mem_zarray(n + 1, sizeof(*doors->ways));
    if (!doors->ways)
        return -ENOMEM;
    doors->n = n;
    for (size_t i = 0; i < n; i++) {
        int err;

        doors->ways[i].doors = doors;
        doors->ways[i].door = &list[i];
        err = open_listener(&doors->ways[i]);
        if (err < 0)
            return err;
    }
    return 0;
}

/* ---- life ---- */

static int init_passages(struct web_doors *doors)
{
    const struct web_doors_options *o = &doors->options;
    struct web_streams *streams = web_state_streams(o->state);
    int err;

    doors->passages.worker = o->worker;
    doors->passages.resolver = o->resolver;
    doors->passages.stats = o->stats;
    doors->passages.stream = o->stream;
    err = web_passages_init(&doors->passages, streams);
    web_streams_unref(streams);
    return err;
}

static void init_connects(struct web_doors *doors)
{
    const struct web_doors_options *o = &doors->options;
    struct web_egresses *egresses = web_state_egresses(o->state);

    doors->connects.worker = o->worker;
    doors->connects.resolver = o->resolver;
    doors->connects.stats = o->stats;
    doors->connects.stream = o->stream;
    web_connects_init(&doors->connects, egresses);
    web_egresses_unref(egresses);
}

int web_doors_new(struct web_doors **ret_doors,
                  const struct web_doors_options *options)
{
    struct web_doors *doors = mem_zalloc(sizeof(*doors));
    int err;

    *ret_doors = doors;
    if (!doors)
        return -ENOMEM;
    doors->options = *options;
    doors->tls = web_state_tls(options->state);
    init_connects(doors);
    err = init_passages(doors);
    return err < 0 ? err : open_all(doors);
}

void web_doors_reload(struct web_doors *doors)
{
    struct web_streams *streams = web_state_streams(doors->options.state);
    struct web_egresses *egresses = web_state_egresses(doors->options.state);

    web_passages_set(&doors->passages, streams);
    web_streams_unref(streams);
    web_connects_set(&doors->connects, egresses);
    web_egresses_unref(egresses);
    web_tls_unref(doors->tls);
    doors->tls = web_state_tls(doors->options.state);
    for (size_t i = 0; i < doors->n; i++) {
        const struct doorway *way = &doors->ways[i];
        struct tls_ctx *ctx = tls_of(doors, way->door);

        if (way->listener && ctx)
            listener_set_tls(way->listener, ctx);
    }
}

bool web_doors_stats(const struct web_doors *doors,
                     struct listener_stats *ret_sum)
{
    enum { FIGURES = sizeof(*ret_sum) / sizeof(uint64_t) };
    uint64_t *sum = (uint64_t *)(void *)ret_sum;

    *ret_sum = (struct listener_stats){0};
    for (size_t d = 0; d < doors->n; d++) {
        const uint64_t *from;

        if (!doors->ways[d].listener)
            return false;
        from = (const uint64_t *)(const void *)listener_stats(
            doors->ways[d].listener);
        for (size_t i = 0; i < FIGURES; i++)
            sum[i] += stats_get(&from[i]);
    }
    return true;
}

void web_doors_close(struct web_doors *doors)
{
    for (size_t i = 0; doors && i < doors->n; i++) {
        listener_close(doors->ways[i].listener);
        doors->ways[i].listener = NULL;
    }
    if (doors && doors->connects.egresses)
        web_connects_drain(&doors->connects);
}

void web_doors_stop(struct web_doors *doors)
{
    web_doors_close(doors);
    if (!doors)
        return;
    web_passages_deinit(&doors->passages);
    web_connects_deinit(&doors->connects);
}

void web_doors_free(struct web_doors *doors)
{
    if (!doors)
        return;
    web_tls_unref(doors->tls);
    mem_free(doors->ways);
    mem_free(doors);
}
