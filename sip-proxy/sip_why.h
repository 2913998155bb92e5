/* SPDX-License-Identifier: MIT */
/* sip_why.h - GET /sip/why?call-id=…: what was decided about the newest
 * requests of a call (proxy/sip_trail.h), of all workers, in order of time.
 *
 * The trails belong to the workers' threads. The question is posted to each,
 * and the main thread waits for the answers, but not longer than
 * SIP_WHY_WAIT_MS: a worker that is busy is named as missing.
 */
#ifndef SIP_WHY_H
#define SIP_WHY_H

#include "app/admin.h"

enum {
    SIP_WHY_WAIT_MS = 500,
    SIP_WHY_ENTRIES = 32, /* per worker */
};

/* `arg` is the struct sip_shared. */
int sip_why_get(const struct admin_request *request, struct buf *body,
                void *arg);

#endif /* SIP_WHY_H */
