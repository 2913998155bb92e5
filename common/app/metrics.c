/* SPDX-License-Identifier: MIT */
#include "app/metrics.h"

#include <inttypes.h>
#include <stdio.h>

void metrics_family(struct buf *out, const char *name, const char *type,
                    const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_value(struct buf *out, const char *name, const char *labels,
                   uint64_t value)
{
    buf_put_str(out, name);
    if (labels[0])
        buf_printf(out, "{%s}", labels);
    buf_printf(out, " %" PRIu64 "\n", value);
}

/* Seconds with three places: exact, and whatever the locale. */
static void put_seconds(struct buf *out, uint64_t ms)
{
    buf_printf(out, "%" PRIu64 ".%03" PRIu64, ms / 1000, ms % 1000);
}

void metrics_histogram(struct buf *out, const char *name, const char *labels,
                       const struct histogram *h)
{
    const char *comma = labels[0] ? "," : "";
    const char *open = labels[0] ? "{" : "";
    const char *close = labels[0] ? "}" : "";
    uint64_t n = 0;

    for (unsigned i = 0; i < HISTOGRAM_CLASSES; i++) {
        n += h->classes[i];
        buf_printf(out, "%s_bucket{%s%sle=\"", name, labels, comma);
        if (i < HISTOGRAM_CLASSES - 1)
            put_seconds(out, histogram_bounds_ms[i]);
        else
            buf_put_str(out, "+Inf");
        buf_printf(out, "\"} %" PRIu64 "\n", n);
    }
    buf_printf(out, "%s_sum%s%s%s ", name, open, labels, close);
    put_seconds(out, h->sum_ms);
    buf_printf(out, "\n%s_count%s%s%s %" PRIu64 "\n", name, open, labels, close,
               n);
}

void metrics_label(char labels[METRICS_LABELS_SIZE], const char *name,
                   struct span value)
{
    size_t begin = strlen(labels);
    size_t at = begin;
    int n = snprintf(labels + at, METRICS_LABELS_SIZE - at, "%s%s=\"",
                     begin > 0 ? "," : "", name);

    if (n < 0 || (size_t)n >= METRICS_LABELS_SIZE - at)
        goto full;
    at += (size_t)n;
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.ptr[i];

        if (at + 4 > METRICS_LABELS_SIZE)
            goto full;
        if (c == '\\' || c == '"')
            labels[at++] = '\\';
        labels[at++] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
    }
    labels[at++] = '"';
    labels[at] = '\0';
    return;

full:
    labels[begin] = '\0';
}
