/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_probe.h"

#include "app/json.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>

const struct ctl_probe_limits ctl_probe_limits = {
    .one_way_ms = 50, .total_ms = 150, .loss = 3, .jitter_ms = 20, .dscp = 46};

static double one_way_ms(const struct ctl_probe_packet *packet)
{
    return (double)packet->delay_us / 2000;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Interarrival jitter: the transit times' differences, smoothed by 16. The
 * highest value counts: a burst in the middle is what people hear. */
static double jitter(const struct ctl_probe_path *path)
{
    double j = 0, highest = 0;
    int64_t last = -1;

    for (size_t i = 0; i < path->n; i++) {
        int64_t delay = path->packets[i].delay_us;

        if (delay < 0)
            continue;
        if (last >= 0) {
            double d = (double)(delay > last ? delay - last : last - delay);

            j += (d / 1000 - j) / 16;
        }
        highest = j > highest ? j : highest;
        last = delay;
    }
    return highest;
}

static void count(const struct ctl_probe_path *path, double *delays,
                  struct ctl_probe_figures *f)
{
    size_t kept = 0;

    for (size_t i = 0; i < path->n; i++) {
        const struct ctl_probe_packet *p = &path->packets[i];

        if (p->delay_us < 0)
            continue;
        delays[f->received++] = one_way_ms(p);
        kept += p->dscp == ctl_probe_limits.dscp;
    }
    if (f->received)
        f->dscp_kept = 100 * (double)kept / (double)f->received;
}

int ctl_probe_figures(const struct ctl_probe_path *path,
                      struct ctl_probe_figures *ret_figures)
{
    struct ctl_probe_figures f = {.sent = path->n, .loss = 100};
    double *delays = mem_zarray(path->n + 1, sizeof(*delays));

    if (!delays)
        return -ENOMEM;
    count(path, delays, &f);
    if (f.received) {
        qsort(delays, f.received, sizeof(*delays), by_value);
        f.loss = 100 * (double)(f.sent - f.received) / (double)f.sent;
        f.min = delays[0];
        f.median = delays[f.received / 2];
        f.p99 = delays[(f.received * 99) / 100];
        f.total = 2 * f.p99;
        f.jitter = jitter(path);
    }
    mem_free(delays);
    *ret_figures = f;
    return 0;
}

/* ---- limits ---- */

struct row {
    const char *name, *unit;
    double value, limit;
    bool at_least;
};

static struct row row_of(const struct ctl_probe_figures *f,
                         const struct ctl_probe_limits *l,
                         enum ctl_probe_limit which)
{
    switch (which) {
    case CTL_PROBE_ONE_WAY:
        return (struct row){"one-way delay", "ms", f->p99, l->one_way_ms,
                            false};
    case CTL_PROBE_TOTAL:
        return (struct row){"total delay", "ms", f->total, l->total_ms, false};
    case CTL_PROBE_LOSS:
        return (struct row){"loss", "%", f->loss, l->loss, false};
    case CTL_PROBE_JITTER:
        return (struct row){"jitter", "ms", f->jitter, l->jitter_ms, false};
    case CTL_PROBE_DSCP:
    case CTL_PROBE_LIMITS:
        break;
    }
    /* A mark that some packets lose is lost where it matters. */
    return (struct row){"DSCP kept", "%", f->dscp_kept, 99, true};
}

bool ctl_probe_keeps(const struct ctl_probe_path *path,
                     const struct ctl_probe_figures *figures,
                     const struct ctl_probe_limits *limits,
                     enum ctl_probe_limit which)
{
    struct row r = row_of(figures, limits, which);

    if (!figures->received)
        return false;
    if (which == CTL_PROBE_DSCP && !path->marked)
        return true;
    return r.at_least ? r.value >= r.limit : r.value <= r.limit;
}

void ctl_probe_print(const struct ctl_probe_path *path,
                     const struct ctl_probe_figures *figures,
                     const struct ctl_probe_limits *limits, struct buf *out)
{
    buf_printf(out,
               "%s: %zu of %zu packets; one-way %.1f ms at best, %.1f in "
               "the middle, %.1f at the 99th percentile\n",
               path->name, figures->received, figures->sent, figures->min,
               figures->median, figures->p99);
    for (int i = 0; i < CTL_PROBE_LIMITS - !path->marked; i++) {
        struct row r = row_of(figures, limits, (enum ctl_probe_limit)i);

        buf_printf(
            out, "  %s  %-14s %7.1f %-2s  (%s %g)\n",
            ctl_probe_keeps(path, figures, limits, (enum ctl_probe_limit)i)
                ? "ok"
                : "NO",
            r.name, r.value, r.unit, r.at_least ? "at least" : "at most",
            r.limit);
    }
}

static void json_number(struct buf *out, const char *key, double value)
{
    json_key(out, key);
    buf_printf(out, "%.3f", value);
}

void ctl_probe_print_json(const struct ctl_probe_path *path,
                          const struct ctl_probe_figures *figures,
                          const struct ctl_probe_limits *limits,
                          struct buf *out)
{
    json_open(out, '{');
    json_key(out, "path");
    json_str(out, path->name);
    json_key(out, "sent");
    json_u64(out, figures->sent);
    json_key(out, "received");
    json_u64(out, figures->received);
    json_number(out, "one_way_min_ms", figures->min);
    json_number(out, "one_way_median_ms", figures->median);
    json_number(out, "one_way_p99_ms", figures->p99);
    json_key(out, "limits");
    json_open(out, '[');
    for (int i = 0; i < CTL_PROBE_LIMITS - !path->marked; i++) {
        struct row r = row_of(figures, limits, (enum ctl_probe_limit)i);

        json_open(out, '{');
        json_key(out, "name");
        json_str(out, r.name);
        json_number(out, "value", r.value);
        json_number(out, r.at_least ? "at_least" : "at_most", r.limit);
        json_key(out, "unit");
        json_str(out, r.unit);
        json_key(out, "kept");
        json_bool(out, ctl_probe_keeps(path, figures, limits,
                                       (enum ctl_probe_limit)i));
        json_close(out, '}');
    }
    json_close(out, ']');
    json_close(out, '}');
}

/* ---- the picture ---- */

enum { WIDTH = 800, PANEL = 220, LEFT = 60, RIGHT = 20, TOP = 34, BOTTOM = 30 };

struct panel {
    const struct ctl_probe_path *path;
    double y;      /* of its upper edge */
    double ms_max; /* at the top of the scale */
    int64_t begin_us, span_us;
};

static double x_of(const struct panel *p, int64_t t_us)
{
    return LEFT + (WIDTH - LEFT - RIGHT) * (double)(t_us - p->begin_us) /
                      (double)p->span_us;
}

static double y_of(const struct panel *p, double ms)
{
    double share = ms > p->ms_max ? 1 : ms / p->ms_max;

    return p->y + PANEL - BOTTOM - (PANEL - TOP - BOTTOM) * share;
}

static struct panel panel_of(const struct ctl_probe_path *path, size_t index,
                             double limit)
{
    struct panel p = {.path = path, .y = (double)index * PANEL, .span_us = 1};

    p.ms_max = limit * 1.2;
    for (size_t i = 0; i < path->n; i++) {
        double ms = one_way_ms(&path->packets[i]);

        p.ms_max = ms * 1.1 > p.ms_max ? ms * 1.1 : p.ms_max;
    }
    if (path->n) {
        p.begin_us = path->packets[0].sent_us;
        p.span_us += path->packets[path->n - 1].sent_us - p.begin_us;
    }
    return p;
}

static void draw_line(const struct panel *p, double ms, const char *class,
                      struct buf *out)
{
    buf_printf(out,
               "<line class=\"%s\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" "
               "y2=\"%.1f\"/><text x=\"%d\" y=\"%.1f\" "
               "text-anchor=\"end\">%.0f ms</text>\n",
               class, LEFT, WIDTH - RIGHT, y_of(p, ms), y_of(p, ms), LEFT - 6,
               y_of(p, ms) + 4, ms);
}

static void draw_panel(const struct panel *p,
                       const struct ctl_probe_limits *limits, struct buf *out)
{
    buf_printf(out,
               "<text class=\"title\" x=\"%d\" y=\"%.1f\">%s: one-way delay, "
               "red where a packet was lost, over %.1f s</text>\n",
               LEFT, p->y + 20, p->path->name, (double)p->span_us / 1e6);
    draw_line(p, 0, "axis", out);
    draw_line(p, limits->one_way_ms, "limit", out);
    for (size_t i = 0; i < p->path->n; i++) {
        const struct ctl_probe_packet *k = &p->path->packets[i];
        double x = x_of(p, k->sent_us);

        if (k->delay_us < 0)
            buf_printf(out, "<path class=\"lost\" d=\"M%.1f %.1fV%.1f\"/>\n", x,
                       p->y + TOP, p->y + PANEL - BOTTOM);
        else
            buf_printf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"1.5\"/>\n", x,
                       y_of(p, one_way_ms(k)));
    }
}

void ctl_probe_draw(const struct ctl_probe_path *paths, size_t n,
                    const struct ctl_probe_limits *limits, struct buf *out)
{
    int height = (int)n * PANEL;

    buf_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d "
               "%d\" font-family=\"sans-serif\" font-size=\"11\">\n"
               "<style>svg{background:#fff;fill:#333}circle{fill:#1565c0}"
               ".axis{stroke:#999}.limit{stroke:#c62828;stroke-dasharray:6 4}"
               ".lost{stroke:#c62828;stroke-opacity:.6}.title{font-size:13px}"
               "</style>\n",
               WIDTH, height);
    for (size_t i = 0; i < n; i++) {
        struct panel p = panel_of(&paths[i], i, limits->one_way_ms);

        draw_panel(&p, limits, out);
    }
    buf_put_str(out, "</svg>\n");
}
