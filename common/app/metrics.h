/* SPDX-License-Identifier: MIT */
/* metrics.h - families of figures with labels, as Prometheus reads them (text
 * format 0.0.4). For those that are not in the fixed list of app/stats.h.
 */
#ifndef APP_METRICS_H
#define APP_METRICS_H

#include "base/buf.h"
#include "base/histogram.h"

/* What stands once before the values of a family; `type` is "counter" (the
 * name then ends in "_total"), "gauge" or "histogram" (in "_seconds"). */
void metrics_family(struct buf *out, const char *name, const char *type,
                    const char *help);

/* `labels` as written by metrics_label(), without braces; "" for none. */
void metrics_value(struct buf *out, const char *name, const char *labels,
                   uint64_t value);
void metrics_histogram(struct buf *out, const char *name, const char *labels,
                       const struct histogram *histogram);

enum { METRICS_LABELS_SIZE = 640 };

/* Add name="value" to what is in `labels` (at first ""); escaped, and left out
 * as a whole when there is no room for it. */
void metrics_label(char labels[METRICS_LABELS_SIZE], const char *name,
                   struct span value);

#endif /* APP_METRICS_H */
