/* SPDX-License-Identifier: MIT */
#include "app/admin_internal.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LOG_COMPONENT "admin"
#include "base/log.h"

enum { BACKLOG = 16, SOCKET_UMASK = 0117 };

void admin_on_closed(struct admin *admin)
{
    if (--admin->open > 0 || !admin->closing)
        return;
    mem_free(admin->program);
    mem_free(admin->prefix);
    mem_free(admin->socket);
    mem_free(admin);
}

static void on_handle_closed(uv_handle_t *handle)
{
    admin_on_closed(handle->data);
}

static void on_unix_connection(uv_stream_t *listener, int status)
{
    if (status == 0)
        admin_conn_accept(listener->data, listener, ADMIN_UNIX);
}

static void on_tcp_connection(uv_stream_t *listener, int status)
{
    if (status == 0)
        admin_conn_accept(listener->data, listener, ADMIN_TCP);
}

/* ---- the sockets ---- */

/* True when somebody answers on the socket file. */
static bool is_alive(const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int err;

    if (fd < 0)
        return false;
    memcpy(sa.sun_path, path, strlen(path) + 1);
    err = connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ? errno : 0;
    close(fd);
    return err == 0 || err == EAGAIN;
}

static bool is_socket(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static int bind_unix(struct admin *admin)
{
    mode_t before = umask(SOCKET_UMASK);
    int err = uv_pipe_bind(&admin->pipe, admin->socket);

    if (err == -EADDRINUSE && is_socket(admin->socket) &&
        !is_alive(admin->socket)) {
        (void)unlink(admin->socket);
        err = uv_pipe_bind(&admin->pipe, admin->socket);
    }
    (void)umask(before);
    return err;
}

static int open_unix(struct admin *admin, const char *path)
{
    struct sockaddr_un sa;
    int err;

    if (strlen(path) >= sizeof(sa.sun_path))
        return -ENAMETOOLONG;
    admin->socket = mem_strdup(path);
    if (!admin->socket)
        return -ENOMEM;
    err = uv_pipe_init(admin->loop, &admin->pipe, 0);
    if (err < 0)
        return err;
    admin->pipe.data = admin;
    admin->open++;
    err = bind_unix(admin);
    if (err == 0)
        err =
            uv_listen((uv_stream_t *)&admin->pipe, BACKLOG, on_unix_connection);
    if (err < 0)
        log_error("cannot listen path=\"%s\" reason=\"%s\"", path,
                  err_str(err));
    return err;
}

static int open_tcp(struct admin *admin, const struct addr *listen)
{
    struct sockaddr_storage sa;
    char text[ADDR_TEXT_SIZE];
    int err;

    if (!addr_is_loopback(listen))
        return -EINVAL;
    err = uv_tcp_init(admin->loop, &admin->tcp);
    if (err < 0)
        return err;
    admin->tcp.data = admin;
    admin->open++;
    (void)addr_to_sockaddr(listen, &sa);
    err = uv_tcp_bind(&admin->tcp, (const struct sockaddr *)&sa, 0);
    if (err == 0)
        err = uv_listen((uv_stream_t *)&admin->tcp, BACKLOG, on_tcp_connection);
    if (err < 0)
        log_error("cannot listen on tcp:%s reason=\"%s\"",
                  addr_str(listen, text), err_str(err));
    return err;
}

int admin_new(struct admin **ret_admin, struct uv_loop_s *loop,
              const struct admin_options *options)
{
    struct admin *admin = mem_zalloc(sizeof(*admin));
    int err = -ENOMEM;

    if (!admin)
        return -ENOMEM;
    admin->loop = loop;
    admin->open = 1; /* ours, until admin_close() */
    admin->timeout_ms =
        options->timeout_ms ? options->timeout_ms : ADMIN_TIMEOUT_MS;
    list_init(&admin->conns);
    admin->program = mem_strdup(options->program);
    if (!admin->program)
        goto fail;
    if (options->prefix) {
        admin->prefix = mem_strdup(options->prefix);
        if (!admin->prefix)
            goto fail;
    }
    err = options->socket ? open_unix(admin, options->socket) : 0;
    if (err == 0 && options->listen.family != ADDR_NONE)
        err = open_tcp(admin, &options->listen);
    if (err < 0)
        goto fail;
    *ret_admin = admin;
    return 0;

fail:
    admin_close(admin);
    return err;
}

int admin_chown(struct admin *admin, unsigned uid, unsigned gid)
{
    if (!admin->socket)
        return 0;
    return chown(admin->socket, uid, gid) < 0 ? -errno : 0;
}

uint16_t admin_port(const struct admin *admin)
{
    struct sockaddr_storage sa;
    int len = sizeof(sa);
    struct addr a;

    if (!admin->tcp.data ||
        uv_tcp_getsockname(&admin->tcp, (struct sockaddr *)&sa, &len) < 0 ||
        addr_from_sockaddr((const struct sockaddr *)&sa, &a) < 0)
        return 0;
    return a.port;
}

void admin_close(struct admin *admin)
{
    if (!admin || admin->closing)
        return;
    admin->closing = true;
    admin_conn_close_all(admin);
    if (admin->pipe.data)
        uv_close((uv_handle_t *)&admin->pipe, on_handle_closed);
    if (admin->tcp.data)
        uv_close((uv_handle_t *)&admin->tcp, on_handle_closed);
    admin_on_closed(admin);
}

/* ---- routes ---- */

static struct admin_route *find_route(struct admin *admin, struct span path)
{
    for (size_t i = 0; i < admin->routes_n; i++) {
        if (span_is(path, admin->routes[i].path))
            return &admin->routes[i];
    }
    return NULL;
}

int admin_handle(struct admin *admin, const char *method, const char *path,
                 admin_handler *handler, void *arg)
{
    struct admin_route *route = find_route(admin, span_str(path));

    if (!route) {
        if (admin->routes_n == ADMIN_ROUTES_MAX)
            return ERR_LIMIT;
        route = &admin->routes[admin->routes_n++];
    }
    *route = (struct admin_route){method, path, handler, arg};
    return 0;
}

static const char *type_of(const struct buf *body)
{
    struct span s = buf_span(body);

    return span_starts(s, "{") || span_starts(s, "[")
               ? "application/json"
               : "text/plain; charset=utf-8";
}

/* Cut the prefix off, if there is one; how long that takes does not say how
 * much of it was right. */
static bool cut_prefix(const struct admin *admin, struct span *path)
{
    size_t len = admin->prefix ? strlen(admin->prefix) : 0;

    if (path->len < len ||
        (len > 0 && !mem_equal_secret(path->ptr, admin->prefix, len)))
        return false;
    *path = span_from(*path, len);
    return true;
}

int admin_answer(struct admin *admin, struct admin_request *request,
                 struct buf *body, const char **ret_type)
{
    bool inside = cut_prefix(admin, &request->path);
    const struct admin_route *route =
        inside ? find_route(admin, request->path) : NULL;
    int status;

    *ret_type = "text/plain; charset=utf-8";
    if (inside && !route && span_is(request->method, "GET") &&
        admin_page(request->path, body, ret_type))
        return 200;
    if (!route) {
        buf_put_str(body, "not found\n");
        return 404;
    }
    if (!span_is(request->method, route->method)) {
        buf_printf(body, "use %s\n", route->method);
        return 405;
    }
    status = route->handler(request, body, route->arg);
    if (buf_err(body)) { /* the reply did not fit */
        buf_reset(body);
        buf_put_str(body, "the reply is too large\n");
        status = 500;
    }
    *ret_type = type_of(body);
    return status;
}
