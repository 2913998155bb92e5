/* SPDX-License-Identifier: MIT */
/* sip_park.h - requests that wait for a client that is just coming back.
 *
 * A client whose connection broke is back within seconds: its program
 * connects and registers anew. What the media server sends it in between (a
 * BYE, most of all) waits for that, until `park_ms` after the end of the
 * connection, or after our own start for clients of before; then it is
 * answered 430. Nothing waits for a client that said goodbye, nor OPTIONS,
 * which ask whether it is there, nor what a registration cannot bring back
 * (sip_rebind.h). An INVITE hears 100 meanwhile, and can be cancelled.
 *
 * Bounded in number and bytes.
 */
#ifndef SIP_PARK_H
#define SIP_PARK_H

#include "proxy/sip_internal.h"

enum { SIP_PARK_BYTES = 4 * 1024 * 1024 };

/* core->msg has a good token of the client `tag`, whose connection is gone.
 * True: it waits (or is repeated); false: refuse it. */
bool sip_park_keep(struct sip_core *core, const struct sip_target *from,
                   uint64_t tag, uint64_t now);

/* core->msg cancels an INVITE that waits: answers both. False: there is none.
 */
bool sip_park_cancel(struct sip_core *core, const struct sip_target *from,
                     uint64_t now);

/* The client is back; what waits goes on with the next timer. */
void sip_park_release(struct sip_core *core, uint64_t tag, uint64_t now);

void sip_park_init(struct sip_core *core, uint64_t now);
void sip_park_deinit(struct sip_core *core);
void sip_park_on_timer(struct sip_core *core, uint64_t now);
uint64_t sip_park_deadline(const struct sip_core *core);

#endif /* SIP_PARK_H */
