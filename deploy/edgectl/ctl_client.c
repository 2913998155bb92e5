/* SPDX-License-Identifier: MIT */
#include "ctl_client.h"

#include "base/err.h"
#include "base/mem.h"
#include "ctl/ctl_reply.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 16 * 1024 }; /* read at a time */

uint64_t ctl_client_now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- who is meant ---- */

static int add_target(struct ctl_targets *targets, const char *name,
                      const char *socket, struct buf *error)
{
    struct ctl_target *target = &targets->items[targets->n];

    if (strlen(socket) >= sizeof(target->socket)) {
        buf_printf(error, "%s: longer than a socket's path can be\n", socket);
        return ERR_PARSE;
    }
    target->name = name;
    memcpy(target->socket, socket, strlen(socket) + 1);
    targets->n++;
    return 0;
}

/* The socket of a daemon; one that is not there is named all the same. */
static void place_of(const struct ctl_args *args, const char *name,
                     char out[256])
{
    const char *dir = ctl_args_value(args, "dir");

    if (dir) {
        (void)snprintf(out, 256, "%s/%s.sock", dir, name);
        return;
    }
    (void)snprintf(out, 256, "/run/%s/admin.sock", name);
    if (access(out, F_OK) != 0)
        (void)snprintf(out, 256, "/run/edge/%s.sock", name);
}

static const char *daemon_name(const char *word)
{
    for (size_t i = 0; i < CTL_DAEMONS; i++) {
        if (strcmp(word, ctl_daemon_names[i]) == 0)
            return ctl_daemon_names[i];
    }
    return NULL;
}

static int find_all(const struct ctl_args *args, struct buf *error,
                    struct ctl_targets *targets)
{
    const char *dir = ctl_args_value(args, "dir");
    char path[256];
    int err;

    for (size_t i = 0; i < CTL_DAEMONS; i++) {
        place_of(args, ctl_daemon_names[i], path);
        if (access(path, F_OK) != 0)
            continue;
        err = add_target(targets, ctl_daemon_names[i], path, error);
        if (err < 0)
            return err;
    }
    if (targets->n > 0)
        return 0;
    buf_printf(error, "no daemon runs here: there is no <daemon>.sock in %s\n",
               dir ? dir : "/run/edge, no /run/<daemon>/admin.sock");
    return -ENOENT;
}

int ctl_targets_find(const struct ctl_args *args, size_t first,
                     struct buf *error, struct ctl_targets *ret_targets)
{
    const char *path;
    char place[256];
    int err = 0;

    ret_targets->n = 0;
    for (size_t i = first; i < args->n_words && err == 0; i++) {
        const char *name = daemon_name(args->words[i]);

        if (!name) {
            buf_printf(error,
                       "\"%s\" is no daemon: web-proxy, sip-proxy or "
                       "turn-server\n",
                       args->words[i]);
            return ERR_PARSE;
        }
        place_of(args, name, place);
        err = add_target(ret_targets, name, place, error);
    }
    for (size_t i = 0; err == 0 && (path = ctl_args_nth(args, "socket", i));
         i++) {
        if (ret_targets->n == CTL_WORDS_MAX) {
            buf_put_str(error, "too many daemons\n");
            return ERR_PARSE;
        }
        err = add_target(ret_targets, "", path, error);
    }
    if (err == 0 && ret_targets->n == 0)
        err = find_all(args, error, ret_targets);
    return err;
}

/* ---- asking ---- */

static int open_socket(const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd, err;

    if (strlen(path) >= sizeof(sa.sun_path))
        return -ENAMETOOLONG;
    memcpy(sa.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
        err = -errno;
        (void)close(fd);
        return err;
    }
    return fd;
}

static int wait_for(int fd, short events, uint64_t deadline)
{
    struct pollfd pfd = {.fd = fd, .events = events};
    uint64_t now = ctl_client_now();
    int n;

    if (now >= deadline)
        return -ETIMEDOUT;
    n = poll(&pfd, 1, (int)(deadline - now));
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    return n == 0 ? -ETIMEDOUT : 0;
}

static int send_all(int fd, struct span bytes, uint64_t deadline)
{
    while (bytes.len > 0) {
        int err = wait_for(fd, POLLOUT, deadline);
        ssize_t n;

        if (err < 0)
            return err;
        n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        if (n > 0)
            bytes = span_from(bytes, (size_t)n);
    }
    return 0;
}

static int receive(int fd, struct buf *in, struct span *ret_body,
                   uint64_t deadline)
{
    for (;;) {
        uint8_t *room = buf_reserve(in, PIECE);
        int status = wait_for(fd, POLLIN, deadline);
        ssize_t n;

        if (!room || status < 0)
            return room ? status : buf_err(in);
        n = recv(fd, room, PIECE, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n < 0)
            return -errno;
        buf_commit(in, (size_t)n);
        status = ctl_reply_parse(buf_span(in), ret_body);
        if (status != ERR_TRUNCATED)
            return status;
        if (n == 0)
            return -ECONNRESET;
    }
}

int ctl_client_ask(const char *socket, const char *method, const char *path,
                   struct span content, struct buf *body)
{
    uint64_t deadline = ctl_client_now() + CTL_CLIENT_TIMEOUT_MS;
    struct span answer = {NULL, 0};
    struct buf bytes;
    int fd, status;

    fd = open_socket(socket);
    if (fd < 0)
        return fd;
    buf_init(&bytes, CTL_REPLY_MAX);
    ctl_request_write(&bytes, method, path, content);
    status = buf_err(&bytes);
    if (status == 0)
        status = send_all(fd, buf_span(&bytes), deadline);
    buf_reset(&bytes);
    if (status == 0)
        status = receive(fd, &bytes, &answer, deadline);
    if (status > 0) {
        buf_put_span(body, answer);
        if (buf_err(body))
            status = buf_err(body);
    }
    buf_deinit(&bytes);
    (void)close(fd);
    return status;
}

static int ask_status(const struct ctl_target *target, struct buf *body,
                      struct ctl_answer *answer)
{
    int status =
        ctl_client_ask(target->socket, "GET", "/status", span_str(""), body);
    struct span text = buf_span(body);

    if (status < 0)
        return status;
    answer->status =
        status == 200 ? cJSON_ParseWithLength((const char *)text.ptr, text.len)
                      : NULL;
    return answer->status ? 0 : ERR_PARSE;
}

void ctl_client_status(const struct ctl_target *target,
                       struct ctl_answer *ret_answer)
{
    struct ctl_answer *a = ret_answer;
    struct buf body;
    int status;

    *a = (struct ctl_answer){.name = target->name};
    buf_init(&body, CTL_REPLY_MAX);
    a->err = ask_status(target, &body, a);
    if (!a->name[0]) {
        const char *program = daemon_name(ctl_answer_text(a, "program"));

        a->name = program ? program : target->socket;
    }
    buf_reset(&body);
    if (a->err == 0) {
        status = ctl_client_ask(target->socket, "GET", "/readyz", span_str(""),
                                &body);
        a->err = status < 0 ? status : 0;
        a->ready = status == 200;
        if (status == 503)
            a->reasons = mem_dup(buf_span(&body).ptr, buf_len(&body));
    }
    buf_deinit(&body);
}
