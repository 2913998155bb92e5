/* SPDX-License-Identifier: MIT */
#include "app/certificates.h"

#include "app/json.h"
#include "app/metrics.h"
#include "base/mem.h"
#include "net/tls_ctx.h"

#include <stdio.h>
#include <time.h>

enum { DAY_S = 24 * 3600 };

static uint64_t positive(int64_t value)
{
    return value > 0 ? (uint64_t)value : 0;
}

static bool has_file(const struct tls_ctx *tls, size_t n, const char *file)
{
    struct tls_certificate_info info;

    for (size_t i = 0; i < n && tls_ctx_certificate(tls, i, &info); i++) {
        if (strcmp(info.file, file) == 0)
            return true;
    }
    return false;
}

/* Did one before number `i` of context `at` come from the same file? */
static bool was_told(struct tls_ctx *const *tls, size_t at, size_t i,
                     const char *file)
{
    for (size_t k = 0; k < at; k++) {
        if (tls[k] && has_file(tls[k], SIZE_MAX, file))
            return true;
    }
    return has_file(tls[at], i, file);
}

static void each(struct tls_ctx *const *tls, size_t n,
                 void (*tell)(const struct tls_certificate_info *info,
                              const char *name, struct buf *out),
                 const char *name, struct buf *out)
{
    struct tls_certificate_info info;

    for (size_t k = 0; k < n; k++) {
        for (size_t i = 0; tls[k] && tls_ctx_certificate(tls[k], i, &info);
             i++) {
            if (!was_told(tls, k, i, info.file))
                tell(&info, name, out);
        }
    }
}

static void tell_json(const struct tls_certificate_info *info, const char *name,
                      struct buf *json)
{
    int64_t left = info->not_after - (int64_t)time(NULL);

    (void)name;
    json_open(json, '{');
    json_key(json, "file");
    json_str(json, info->file);
    json_key(json, "subject");
    json_str(json, info->subject);
    json_key(json, "not_after");
    json_u64(json, positive(info->not_after));
    json_key(json, "days_left");
    json_u64(json, positive(left) / DAY_S);
    json_close(json, '}');
}

static void tell_metric(const struct tls_certificate_info *info,
                        const char *name, struct buf *out)
{
    char labels[METRICS_LABELS_SIZE] = "";

    metrics_label(labels, "file", span_str(info->file));
    metrics_label(labels, "subject", span_str(info->subject));
    metrics_value(out, name, labels, positive(info->not_after));
}

void certificates_json(struct tls_ctx *const *tls, size_t n, struct buf *json)
{
    json_key(json, "certificates");
    json_open(json, '[');
    each(tls, n, tell_json, "", json);
    json_close(json, ']');
}

void certificates_metrics(struct tls_ctx *const *tls, size_t n,
                          const char *prefix, struct buf *out)
{
    char name[128];

    (void)snprintf(name, sizeof(name),
                   "%s_certificate_expiry_timestamp_seconds", prefix);
    metrics_family(out, name, "gauge", "when the certificate ends, since 1970");
    each(tls, n, tell_metric, name, out);
}
