/* SPDX-License-Identifier: MIT */
/* turn_worker.h - one worker: its sockets around its core.
 *
 *   packets  →  turn_core_on_client() / turn_core_on_peer()
 *   turn_env →  udp_send() / stream_write()
 *
 * The hooks of struct daemon_spec for workers; each on the worker's thread
 * (turn_worker_free() after it has ended).
 */
#ifndef TURN_WORKER_H
#define TURN_WORKER_H

#include "turn_server.h"

struct worker;

int turn_worker_start(void *state, struct worker *worker,
                      const struct config *config, void *stats,
                      void **ret_worker_state);
void turn_worker_reload(void *worker_state, const struct config *config);
void turn_worker_drain(void *worker_state);
void turn_worker_stop(void *worker_state);
void turn_worker_free(void *worker_state);

#endif /* TURN_WORKER_H */
