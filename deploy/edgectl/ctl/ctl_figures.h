/* SPDX-License-Identifier: MIT */
/* ctl_figures.h - what an operator looks at first, out of the many counters
 * in a daemon's /status: its sessions, its work, what it refuses.
 *
 * A figure is the sum of some fields of "stats". Gauges say what is there
 * now; of counters the rate between two answers matters.
 */
#ifndef CTL_FIGURES_H
#define CTL_FIGURES_H

#include "base/buf.h"

struct cJSON;

enum ctl_figure_kind {
    CTL_NOW,
    CTL_RATE,
    CTL_BITS /* bytes, shown as bit/s */
};

struct ctl_figure {
    const char *program; /* "turn-server" */
    const char *name;    /* "allocations" */
    enum ctl_figure_kind kind;
    /* Fields to add, separated by spaces; "refused_*" is each that begins
     * so, "-refused_401" one that such a star leaves out. */
    const char *fields;
};

/* The n-th figure of a program, or NULL behind the last. */
const struct ctl_figure *ctl_figure_at(const char *program, size_t n);

/* `status` is an answer of /status, parsed. Missing fields count as 0. */
uint64_t ctl_figure_sum(const struct ctl_figure *figure,
                        const struct cJSON *status);

/* Change per second between two values `ms` apart; 0 when a restart made it
 * smaller or no time went by. */
double ctl_figure_rate(uint64_t before, uint64_t after, uint64_t ms);

/* What stands behind a figure of several fields, the largest first, at most
 * `max` of them: "rate 12, route 3". Fields that are 0 are left out, and what
 * all of them begin with. */
void ctl_figure_reasons(const struct ctl_figure *figure,
                        const struct cJSON *status, size_t max,
                        struct buf *out);

#endif /* CTL_FIGURES_H */
