/* SPDX-License-Identifier: MIT */
/* admin.h - looking inside a running daemon: HTTP/1.1 on a Unix socket (mode
 * 0660), and on a loopback TCP port where configured.
 *
 *   GET  /          a page with live figures (common/app/page)
 *   GET  /page.json all that it shows: status, readiness and metrics in one
 *   GET  /metrics   Prometheus text
 *   GET  /status    JSON
 *   GET  /healthz   200 while all loops run, 503 when a worker is stuck
 *   GET  /readyz    200, or 503 and the reasons, one a line
 *   POST /reload    200, or 409 and why the settings were refused
 *   POST /drain     202; take nothing new, stop when the last session ended
 *   POST /log-level body "debug" …
 *
 * Runs on the main loop, never on a worker's. Few connections, small
 * requests, a deadline of ADMIN_TIMEOUT_MS for each. On the TCP form the Host
 * header must name a loopback address or "localhost", and a POST may not
 * carry a foreign Origin: a web page in the operator's browser must not reach
 * it by DNS rebinding.
 */
#ifndef APP_ADMIN_H
#define APP_ADMIN_H

#include "base/addr.h"
#include "base/buf.h"

struct admin;
struct uv_loop_s;

enum {
    ADMIN_CONNECTIONS_MAX = 16,
    ADMIN_REQUEST_MAX = 8 * 1024,       /* head and body, bytes */
    ADMIN_REPLY_MAX = 16 * 1024 * 1024, /* bytes */
    ADMIN_TIMEOUT_MS = 10 * 1000,       /* to send a request, or take a reply */
};

struct admin_request {
    struct span method;
    struct span path;  /* without the query */
    struct span query; /* behind '?', or empty */
    struct span body;
};

/* Write the reply's body and return its HTTP status. Content of JSON when it
 * begins with '{' or '[', else plain text. Main thread. */
typedef int admin_handler(const struct admin_request *request, struct buf *body,
                          void *arg);

struct admin_options {
    const char *program; /* "turn-server" */
    const char *prefix;  /* "/secret": paths begin with it; NULL: with none */
    const char *socket;  /* path, or NULL */
    struct addr listen;  /* loopback, or ADDR_NONE */
    unsigned timeout_ms; /* 0: ADMIN_TIMEOUT_MS */
};

/* Open the sockets and serve. A socket file left by a dead process is
 * replaced; one that answers is -EADDRINUSE. `options` is copied.
 * Returns 0, -EADDRINUSE, -EACCES … (said in the log), -EINVAL when `listen`
 * is not loopback, or -ENOMEM. */
int admin_new(struct admin **ret_admin, struct uv_loop_s *loop,
              const struct admin_options *options);

/* Serve `method` `path` ("/sip/why") with the handler; both borrowed. A
 * second one for the same path replaces the first. 0 or ERR_LIMIT. */
int admin_handle(struct admin *admin, const char *method, const char *path,
                 admin_handler *handler, void *arg);

/* The port the TCP form got; 0 when there is none. */
uint16_t admin_port(const struct admin *admin);

/* Give the socket file to this user and group (before privileges go). */
int admin_chown(struct admin *admin, unsigned uid, unsigned gid);

/* Close everything and remove the socket file; the memory is released when
 * the loop has reported the last handle closed. NULL is accepted. */
void admin_close(struct admin *admin);

#endif /* APP_ADMIN_H */
