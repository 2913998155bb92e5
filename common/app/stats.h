/* SPDX-License-Identifier: MIT */
/* stats.h - the figures of all workers, summed and printed.
 *
 * The figures themselves are base/stats.h. Each worker owns one block, an
 * array of uint64_t in the order of the definitions, on cache lines of its
 * own. Reading takes no lock and stops nobody.
 */
#ifndef APP_STATS_H
#define APP_STATS_H

#include "base/buf.h"
#include "base/stats.h"

/* What a daemon counts; static and constant. */
struct stats_list {
    const struct stats_def *defs;
    size_t n;
};

struct stats;

/* Zeroed blocks for `blocks` workers. `prefix` ("turn_server") is borrowed.
 * Returns 0 and the set, or -ENOMEM. */
int stats_new(struct stats **ret_stats, const char *prefix,
              const struct stats_list *list, size_t blocks);
void stats_free(struct stats *stats);

/* The block of one worker, to be used as the daemon's struct of figures. */
void *stats_block(struct stats *stats, size_t block);

/* Sum over the blocks; by position in the list, or by field name (0 when
 * there is no such field). */
uint64_t stats_sum(const struct stats *stats, size_t index);
uint64_t stats_sum_of(const struct stats *stats, const char *field);

/* Prometheus text format 0.0.4: HELP and TYPE once per name, then the sum:
 * turn_server_refused_total{reason="full"} 3 */
void stats_write_metrics(const struct stats *stats, struct buf *out);

/* One JSON object: {"bad_packets":0,…} */
void stats_write_json(const struct stats *stats, struct buf *out);

#endif /* APP_STATS_H */
