/* SPDX-License-Identifier: MIT */
/* web_meter.h - what one route or one upstream answered, and how long it took.
 *
 * A meter has a block for each worker, which that worker alone writes; reading
 * sums them up. It lives as long as a site that has it, and is taken over by
 * the next one, so there are as many as the settings name.
 */
#ifndef WEB_METER_H
#define WEB_METER_H

#include "base/histogram.h"

#include <stddef.h>

enum { WEB_METER_CLASSES = 5 }; /* 1xx (101 alone) to 5xx */

struct web_meter_block {
    uint64_t answers[WEB_METER_CLASSES];
    uint64_t bytes_in, bytes_out; /* of content */
    struct histogram first;       /* to the first byte of the answer */
    struct histogram whole;
};

struct web_meter;

/* With one reference; NULL without memory. */
struct web_meter *web_meter_new(unsigned workers);
struct web_meter *web_meter_ref(struct web_meter *meter);
void web_meter_unref(struct web_meter *meter); /* NULL is accepted */

/* The block of a worker; NULL for a NULL meter. */
struct web_meter_block *web_meter_block(struct web_meter *meter,
                                        unsigned worker);

/* One answer, ours or a back end's. NULL is accepted. */
void web_meter_answer(struct web_meter_block *block, int status);

/* All workers together. Any thread. */
void web_meter_read(const struct web_meter *meter,
                    struct web_meter_block *ret_sum);

#endif /* WEB_METER_H */
