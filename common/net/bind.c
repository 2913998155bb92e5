/* SPDX-License-Identifier: MIT */
#include "net/bind.h"

#include "base/err.h"
#include "base/mem.h"
#include "net/sock.h"
#include "net/worker.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { BACKLOG_DEFAULT = 1024 };

struct bind_group {
    struct addr addr;
    enum bind_kind kind;
    unsigned count;
    _Atomic int fds[]; /* -1: taken */
};

/* Bind, and for TCP listen. `shared` lets the group's others bind as well. */
static int open_one(const struct bind_options *options, const struct addr *addr,
                    bool shared)
{
    bool tcp = options->kind == BIND_TCP;
    int fd = sock_open(addr, tcp ? SOCK_STREAM : SOCK_DGRAM);
    int err = 0;

    if (fd < 0)
        return fd;
    /* On TCP this only passes over connections in TIME_WAIT. */
    if (tcp)
        err = sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (err == 0 && shared)
        err = sock_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (err == 0 && !tcp)
        err = sock_tell_dest(fd, addr);
    if (err == 0 && options->tos)
        err = sock_set_tos(fd, addr->family, options->tos);
    if (err == 0)
        err = sock_bind(fd, addr);
    if (err == 0 && tcp &&
        listen(fd, options->backlog ? options->backlog : BACKLOG_DEFAULT) < 0)
        err = -errno;
    if (err < 0) {
        close(fd);
        return err;
    }
    return fd;
}

/* A bind without SO_REUSEPORT fails whoever else holds the port; the port it
 * gets is the one the group then shares. */
static int probe(struct bind_group *group, const struct bind_options *options)
{
    int fd = open_one(options, &options->addr, false);
    int err;

    if (fd < 0)
        return fd;
    err = sock_local(fd, &group->addr);
    if (err == 0 && group->count == 1) {
        group->fds[0] = fd;
        return 0;
    }
    close(fd);
    return err;
}

static int open_group(struct bind_group *group,
                      const struct bind_options *options)
{
    int err = probe(group, options);

    if (err < 0 || group->count == 1)
        return err;
    for (unsigned i = 0; i < group->count; i++) {
        int fd = open_one(options, &group->addr, true);

        if (fd < 0)
            return fd;
        group->fds[i] = fd;
    }
    return 0;
}

static void explain(const struct bind_options *options, int err,
                    char error[BIND_ERROR_SIZE])
{
    char text[ADDR_TEXT_SIZE];

    (void)snprintf(error, BIND_ERROR_SIZE, "cannot listen on %s:%s: %s",
                   options->kind == BIND_TCP ? "tcp" : "udp",
                   addr_str(&options->addr, text), err_str(err));
}

int bind_group_open(struct bind_group **ret_group,
                    const struct bind_options *options,
                    char error[BIND_ERROR_SIZE])
{
    struct bind_group *group;
    int err = -EINVAL;

    if (options->count == 0 || options->count > WORKER_MAX)
        goto fail;
    group = mem_zalloc(sizeof(*group) + options->count * sizeof(group->fds[0]));
    err = -ENOMEM;
    if (!group)
        goto fail;
    group->kind = options->kind;
    group->count = options->count;
    for (unsigned i = 0; i < group->count; i++)
        group->fds[i] = -1;
    err = open_group(group, options);
    if (err < 0) {
        bind_group_close(group);
        goto fail;
    }
    *ret_group = group;
    return 0;

fail:
    explain(options, err, error);
    return err;
}

void bind_group_close(struct bind_group *group)
{
    if (!group)
        return;
    for (unsigned i = 0; i < group->count; i++) {
        int fd = bind_group_take(group, i);

        if (fd >= 0)
            close(fd);
    }
    mem_free(group);
}

const struct addr *bind_group_addr(const struct bind_group *group)
{
    return &group->addr;
}

enum bind_kind bind_group_kind(const struct bind_group *group)
{
    return group->kind;
}

int bind_group_take(struct bind_group *group, unsigned index)
{
    int fd;

    if (index >= group->count)
        return -EBADF;
    fd = atomic_exchange(&group->fds[index], -1);
    return fd < 0 ? -EBADF : fd;
}
