/* SPDX-License-Identifier: MIT */
/* ctl_probe.h - is a path good enough for voice? Figures of a series of
 * packets, held against limits; as text, JSON and a picture.
 */
#ifndef CTL_PROBE_H
#define CTL_PROBE_H

#include "base/buf.h"

/* A packet of the series; the series is in the order of sending. */
struct ctl_probe_packet {
    int64_t sent_us;
    int64_t delay_us; /* -1: it never came */
    uint8_t dscp;     /* as it arrived */
};

/* What voice needs. A packet goes to the edge and back: one way is half of
 * that, and all of it what a call has between two places as far as this one. */
struct ctl_probe_limits {
    double one_way_ms; /* 50 */
    double total_ms;   /* 150, mouth to ear without the terminals */
    double loss;       /* 3, per cent */
    double jitter_ms;  /* 20, RFC 3550 6.4.1 */
    uint8_t dscp;      /* what was sent */
};

extern const struct ctl_probe_limits ctl_probe_limits;

struct ctl_probe_path {
    const char *name; /* "direct", "relay" */
    bool marked;      /* DSCP was seen on what arrived */
    const struct ctl_probe_packet *packets;
    size_t n;
};

struct ctl_probe_figures {
    size_t sent, received;
    double loss;             /* per cent */
    double min, median, p99; /* one-way delay, ms */
    double total;            /* ms, at the 99th percentile */
    double jitter;           /* ms, the highest it was */
    double dscp_kept;        /* per cent of what arrived */
};

enum ctl_probe_limit {
    CTL_PROBE_ONE_WAY,
    CTL_PROBE_TOTAL,
    CTL_PROBE_LOSS,
    CTL_PROBE_JITTER,
    CTL_PROBE_DSCP,
    CTL_PROBE_LIMITS
};

/* Returns 0, or -ENOMEM. With nothing received all delays are 0. */
int ctl_probe_figures(const struct ctl_probe_path *path,
                      struct ctl_probe_figures *ret_figures);

/* Is it kept? With nothing received none is; a limit on what was not measured
 * is. */
bool ctl_probe_keeps(const struct ctl_probe_path *path,
                     const struct ctl_probe_figures *figures,
                     const struct ctl_probe_limits *limits,
                     enum ctl_probe_limit which);

void ctl_probe_print(const struct ctl_probe_path *path,
                     const struct ctl_probe_figures *figures,
                     const struct ctl_probe_limits *limits, struct buf *out);

/* One object, {"path": …, "limits": [{…, "kept": true}…]}. */
void ctl_probe_print_json(const struct ctl_probe_path *path,
                          const struct ctl_probe_figures *figures,
                          const struct ctl_probe_limits *limits,
                          struct buf *out);

/* A picture of delay and loss over time, one panel for each path (SVG). */
void ctl_probe_draw(const struct ctl_probe_path *paths, size_t n,
                    const struct ctl_probe_limits *limits, struct buf *out);

#endif /* CTL_PROBE_H */
