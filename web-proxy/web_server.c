/* SPDX-License-Identifier: MIT */
#define LOG_COMPONENT "web"

#include "web_server.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/http_date.h"
#include "net/alarm.h"
#include "net/tls_session.h"
#include "web_config.h"
#include "web_dial.h"
#include "web_doors.h"
#include "web_files.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

enum {
    /* Reading of one side stops above 64 KiB towards the other (the site's
     * queue_max) and goes on below this. */
    LOW_WATER = 32 * 1024,
    MAX_QUEUED = 512 * 1024,
};

struct web_server {
    struct web_state *state;
    struct worker *worker;
    struct web_core *core;
    struct resolver *resolver;
    struct web_server_stats *stats;
    struct alarm alarm;
    struct alarm second; /* to copy figures */
    struct list dials;
    struct web_doors *doors;
    struct web_files *files;
    struct stream_options stream_options;
    char date[HTTP_DATE_SIZE];
    uint64_t wall_s;     /* of `date` */
    uint64_t date_until; /* worker time at which the text is too old */
};

/* ---- time ---- */

static uint64_t now_of(const struct web_server *server)
{
    return worker_now(server->worker);
}

/* After every event: the core may want to be called earlier. A later moment
 * is left to the alarm that is set, which then finds nothing to do. */
static void arm(struct web_server *server)
{
    uint64_t next = web_core_next_deadline(server->core);

    if (next < server->alarm.timer.deadline || !alarm_is_set(&server->alarm))
        alarm_set(&server->alarm, next);
}

static void on_alarm(struct alarm *alarm, uint64_t now)
{
    struct web_server *server = CONTAINER_OF(alarm, struct web_server, alarm);

    web_core_on_timer(server->core, now);
    arm(server);
}

static void after_file(void *arg)
{
    arm(arg);
}

static const char *env_date(void *arg)
{
    struct web_server *server = arg;
    struct timespec ts;

    if (now_of(server) < server->date_until)
        return server->date;
    clock_gettime(CLOCK_REALTIME, &ts);
    (void)http_date_print(ts.tv_sec, server->date);
    server->wall_s = (uint64_t)ts.tv_sec;
    server->date_until =
        now_of(server) + 1000 - (uint64_t)(ts.tv_nsec / 1000000);
    return server->date;
}

static uint64_t env_wall(void *arg)
{
    struct web_server *server = arg;

    (void)env_date(server);
    return server->wall_s;
}

/* ---- client connections ---- */

static struct web_server *server_of_session(const struct web_session *session)
{
    return web_session_env(session)->arg;
}

static void on_client_data(struct stream *stream, struct span data, void *arg)
{
    struct web_server *server = server_of_session(arg);

    (void)stream;
    web_session_on_data(arg, data, now_of(server));
    arm(server);
}

static void on_client_writable(struct stream *stream, void *arg)
{
    struct web_server *server = server_of_session(arg);

    (void)stream;
    web_session_on_writable(arg, now_of(server));
    arm(server);
}

static void on_client_end(struct stream *stream, void *arg)
{
    struct web_server *server = server_of_session(arg);

    (void)stream;
    web_session_on_end(arg, now_of(server));
    arm(server);
}

static void on_client_left(struct stream *stream, void *arg)
{
    struct web_server *server = server_of_session(arg);

    (void)stream;
    web_session_on_left(arg, now_of(server));
    arm(server);
}

static void on_client_closed(struct stream *stream, int err, void *arg)
{
    struct web_server *server = server_of_session(arg);

    (void)stream;
    (void)err;
    web_session_on_closed(arg, now_of(server));
    arm(server);
}

static const struct stream_events client_events = {
    .on_data = on_client_data,
    .on_writable = on_client_writable,
    .on_end = on_client_end,
    .on_left = on_client_left,
    .on_closed = on_client_closed,
};

/* ---- back ends ---- */

static struct web_server *server_of_link(const struct web_link *link)
{
    return web_link_env(link)->arg;
}

static void on_link_data(struct stream *stream, struct span data, void *arg)
{
    struct web_server *server = server_of_link(arg);

    (void)stream;
    web_link_on_data(arg, data, now_of(server));
    arm(server);
}

static void on_link_writable(struct stream *stream, void *arg)
{
    struct web_server *server = server_of_link(arg);

    (void)stream;
    web_link_on_writable(arg, now_of(server));
    arm(server);
}

static void on_link_end(struct stream *stream, void *arg)
{
    struct web_server *server = server_of_link(arg);

    (void)stream;
    web_link_on_end(arg, now_of(server));
    arm(server);
}

static void on_link_closed(struct stream *stream, int err, void *arg)
{
    struct web_server *server = server_of_link(arg);

    (void)stream;
    web_link_on_closed(arg, err, now_of(server));
    arm(server);
}

static const struct stream_events link_events = {
    .on_data = on_link_data,
    .on_writable = on_link_writable,
    .on_end = on_link_end,
    .on_closed = on_link_closed,
};

static void on_dialled(void *arg, struct stream *stream)
{
    struct web_server *server = server_of_link(arg);

    stream_set_events(stream, &link_events, arg);
    web_link_on_dialled(arg, stream, now_of(server));
    arm(server);
}

static void on_dial_failed(void *arg, int err)
{
    struct web_server *server = server_of_link(arg);

    web_link_on_dial_failed(arg, err, now_of(server));
    arm(server);
}

/* ---- what the core asks for ---- */

static int env_write(void *arg, void *io, const struct span *parts, size_t n)
{
    (void)arg;
    return stream_writev(io, parts, n);
}

static size_t env_queued(void *arg, void *io)
{
    (void)arg;
    return stream_queued(io);
}

static size_t env_unacked(void *arg, void *io)
{
    (void)arg;
    return stream_unacked(io);
}

static void env_pause(void *arg, void *io)
{
    (void)arg;
    stream_pause(io);
}

static void env_resume(void *arg, void *io)
{
    (void)arg;
    if (stream_is_paused(io))
        stream_resume(io);
}

static void env_shutdown(void *arg, void *io)
{
    (void)arg;
    stream_shutdown(io);
}

static void env_end(void *arg, void *io)
{
    (void)arg;
    stream_end(io);
}

static void env_close(void *arg, void *io)
{
    (void)arg;
    stream_close(io);
}

static void env_abort(void *arg, void *io)
{
    (void)arg;
    stream_abort(io);
}

static void *env_dial(void *arg, struct web_link *link,
                      const struct web_backend *backend)
{
    struct web_server *server = arg;
    struct web_dial_options options = {
        .worker = server->worker,
        .resolver = server->resolver,
        .backend = backend,
        .stream = server->stream_options,
        .list = &server->dials,
        .done = on_dialled,
        .failed = on_dial_failed,
        .arg = link,
    };

    return web_dial_new(&options);
}

static void env_undial(void *arg, void *dial)
{
    (void)arg;
    web_dial_cancel(dial);
}

static void *env_file_open(void *arg, struct web_reader *reader,
                           const struct web_folder *folder, struct span name,
                           unsigned forms)
{
    struct web_server *server = arg;

    return web_files_open(server->files, reader, folder, name, forms);
}

static int env_file_read(void *arg, void *file, uint64_t offset, size_t len,
                         bool wait, struct span *ret_piece)
{
    (void)arg;
    return web_files_read(file, offset, len, wait, ret_piece);
}

static void env_file_close(void *arg, void *file)
{
    (void)arg;
    web_files_close(file);
}

/* ---- doors ---- */

static bool speaks_h2(const struct stream *stream)
{
    const struct tls_session *tls = stream_tls(stream);
    const char *protocol = tls ? tls_session_alpn(tls) : NULL;

    return protocol && strcmp(protocol, "h2") == 0;
}

/* Of a TLS session under the rules of a host (proxy/web_peer.h). */
static int tell_peer(struct web_session *session, const struct stream *stream)
{
    const struct tls_session *tls = stream_tls(stream);
    const char *label = tls ? tls_session_label(tls) : "";
    struct web_peer *peer;

    if (!label[0])
        return 0;
    peer = web_peer_new();
    if (!peer)
        return -ENOMEM;
    (void)snprintf(peer->host, sizeof(peer->host), "%s", label);
    (void)tls_session_peer_subject(tls, peer->subject, sizeof(peer->subject));
    peer->verified = tls_session_peer_verified(tls);
    web_session_set_peer(session, peer);
    web_peer_unref(peer);
    return 0;
}

static void on_session(void *arg, struct stream *stream,
                       const struct web_entry *entry)
{
    struct web_server *server = arg;
    const struct addr *client = stream_peer(stream);
    uint64_t now = now_of(server);
    struct web_session *session =
        speaks_h2(stream)
            ? web_core_on_accept_h2(server->core, stream, client, entry, now)
            : web_core_on_accept(server->core, stream, client, entry, now);

    if (!session) {
        stream_close(stream);
        return;
    }
    stream_set_events(stream, &client_events, session);
    if (tell_peer(session, stream) < 0) {
        stream_close(stream);
        web_session_on_closed(session, now);
    }
    arm(server);
}

static int open_doors(struct web_server *server, struct web_stats *stats)
{
    struct web_doors_options options = {
        .state = server->state,
        .worker = server->worker,
        .resolver = server->resolver,
        .stats = stats,
        .stream = server->stream_options,
        .on_session = on_session,
        .arg = server,
    };

    return web_doors_new(&server->doors, &options);
}

/* ---- figures ---- */

static void copy_stats(void *to, const void *from, size_t size)
{
    uint64_t *t = to;
    const uint64_t *f = from;

    for (size_t i = 0; i < size / sizeof(uint64_t); i++)
        stats_set(&t[i], stats_get(&f[i]));
}

static void on_second(struct alarm *alarm, uint64_t now)
{
    struct web_server *server = CONTAINER_OF(alarm, struct web_server, second);
    struct listener_stats sum;

    copy_stats(&server->stats->stream, stream_stats(server->worker),
               sizeof(server->stats->stream));
    if (web_doors_stats(server->doors, &sum))
        copy_stats(&server->stats->listener, &sum, sizeof(sum));
    alarm_set(alarm, now + 1000);
}

/* ---- life ---- */

static int new_core(struct web_server *server, struct web_stats *stats)
{
    struct web_site *site = web_state_site(server->state);
    struct web_core_options options = {
        .site = site,
        .env = {.write = env_write,
                .queued = env_queued,
                .unacked = env_unacked,
                .pause = env_pause,
                .resume = env_resume,
                .shutdown = env_shutdown,
                .end = env_end,
                .close = env_close,
                .abort = env_abort,
                .dial = env_dial,
                .undial = env_undial,
                .file_open = env_file_open,
                .file_read = env_file_read,
                .file_close = env_file_close,
                .date = env_date,
                .wall = env_wall,
                .arg = server},
        .stats = stats,
        .worker = (unsigned)worker_index(server->worker),
    };
    int err = web_core_new(&server->core, &options);

    web_site_unref(site);
    return err;
}

int web_server_new(struct web_server **ret_server, struct web_state *state,
                   struct worker *worker, struct web_server_stats *stats)
{
    struct web_server *server = mem_zalloc(sizeof(*server));
    struct resolver_config resolver = {0};
    char resolvers[WEB_CONFIG_RESOLVERS_SIZE];
    int err;

    if (!server)
        return -ENOMEM;
    server->state = state;
    server->worker = worker;
    server->stats = stats;
    alarm_init(&server->second, worker, on_second);
    server->stream_options.max_queued = MAX_QUEUED;
    server->stream_options.low_water = LOW_WATER;
    server->stream_options.keepalive_s = 60;
    list_init(&server->dials);
    alarm_init(&server->alarm, worker, on_alarm);
    resolver.servers = web_config_resolvers(web_state_config(state), resolvers);
    err = web_files_new(&server->files, worker, after_file, server);
    if (err == 0)
        err = resolver_new(&server->resolver, worker, &resolver);
    if (err == 0)
        err = new_core(server, &stats->web);
    if (err == 0)
        err = open_doors(server, &stats->web);
    if (err == 0) {
        arm(server); /* for the first checks */
        alarm_set(&server->second, now_of(server) + 1000);
    }
    if (err < 0) {
        log_error("worker not started: %s", err_str(err));
        web_server_stop(server);
        web_server_free(server);
        return err;
    }
    *ret_server = server;
    return 0;
}

void web_server_reload(struct web_server *server)
{
    struct web_site *site = web_state_site(server->state);

    web_core_set_site(server->core, site);
    arm(server); /* for the checks of the new one */
    web_doors_reload(server->doors);
    web_site_unref(site);
}

void web_server_drain(struct web_server *server)
{
    web_doors_close(server->doors);
    web_core_drain(server->core);
    arm(server);
}

void web_server_stop(struct web_server *server)
{
    web_doors_stop(server->doors);
    web_core_free(server->core);
    server->core = NULL;
    resolver_close(server->resolver);
    server->resolver = NULL;
    alarm_cancel(&server->alarm);
    alarm_cancel(&server->second);
}

void web_server_free(struct web_server *server)
{
    web_doors_free(server->doors);
    web_files_free(server->files);
    mem_free(server);
}
