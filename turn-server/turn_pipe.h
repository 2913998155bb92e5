/* SPDX-License-Identifier: MIT */
/* turn_pipe.h - the connections of TCP relays (RFC 6062) on one worker: the
 * shell's half of turn/turn_tcp.h.
 */
#ifndef TURN_PIPE_H
#define TURN_PIPE_H

#include "base/span.h"
#include "turn/turn_tcp.h"

struct stream;
struct turn_pipe;
struct turn_worker;

/* The functions for the core; their `arg` is the worker. */
struct turn_tcp_env turn_pipe_env(void);

/* The client's end, and what it has sent behind its ConnectionBind already.
 * The stream is the pipe's from now on. */
void turn_pipe_take_client(struct turn_pipe *pipe, struct stream *stream,
                           struct span early);

/* Close all. */
void turn_pipe_close_all(struct turn_worker *w);

/* The sizes of pool items. */
size_t turn_pipe_size(void);
size_t turn_tcp_socket_size(void);

#endif /* TURN_PIPE_H */
