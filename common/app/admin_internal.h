/* SPDX-License-Identifier: MIT */
/* admin_internal.h - shared by the admin listener, its connections and page. */
#ifndef APP_ADMIN_INTERNAL_H
#define APP_ADMIN_INTERNAL_H

#include "app/admin.h"
#include "base/list.h"

#include <uv.h>

enum { ADMIN_ROUTES_MAX = 48 };

struct admin_route {
    const char *method;
    const char *path;
    admin_handler *handler;
    void *arg;
};

struct admin {
    uv_loop_t *loop;
    char *program;
    char *prefix; /* of every path, or NULL */
    char *socket; /* path, or NULL */
    unsigned timeout_ms;
    uv_pipe_t pipe;
    uv_tcp_t tcp;
    unsigned open;        /* listeners and connections not yet closed */
    unsigned connections; /* of these, connections */
    bool closing;
    struct list conns; /* struct admin_conn */
    struct admin_route routes[ADMIN_ROUTES_MAX];
    size_t routes_n;
};

/* Where a connection came in; the TCP form is checked more strictly. */
enum admin_form {
    ADMIN_UNIX,
    ADMIN_TCP,
};

/* Accept from `listener`, which has a connection waiting. */
void admin_conn_accept(struct admin *admin, uv_stream_t *listener,
                       enum admin_form form);

/* Close all connections. */
void admin_conn_close_all(struct admin *admin);

/* A listener or connection is closed; frees the admin after the last. */
void admin_on_closed(struct admin *admin);

/* Cut the prefix off the path, find and run the handler. Returns the HTTP
 * status; `*ret_type` is the content's type (static). */
int admin_answer(struct admin *admin, struct admin_request *request,
                 struct buf *body, const char **ret_type);

/* The page and its parts: false when `path` is none of them. */
bool admin_page(struct span path, struct buf *body, const char **ret_type);

#endif /* APP_ADMIN_INTERNAL_H */
