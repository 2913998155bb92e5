/* SPDX-License-Identifier: MIT */
/* web_server.h - one worker of web-proxy: sockets around a core. */
#ifndef WEB_SERVER_H
#define WEB_SERVER_H

#include "net/listener.h"
#include "web_state.h"

struct web_server;
struct worker;

/* What one worker counts; what its connections count is copied once a
 * second. */
struct web_server_stats {
    struct web_stats web;
    struct stream_stats stream;
    struct listener_stats listener;
};

/* Own thread. Returns 0, or an error that was logged. */
int web_server_new(struct web_server **ret_server, struct web_state *state,
                   struct worker *worker, struct web_server_stats *stats);

/* Take the state's present site and certificates. */
void web_server_reload(struct web_server *server);

/* Take nothing new; answer what is under way. */
void web_server_drain(struct web_server *server);

/* Begin to close everything. */
void web_server_stop(struct web_server *server);

/* When the loop has nothing left. */
void web_server_free(struct web_server *server);

#endif /* WEB_SERVER_H */
