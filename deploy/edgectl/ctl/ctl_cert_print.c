/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_cert.h"

#include "app/json.h"
#include "base/text.h"

#include <stdio.h>
#include <time.h>

static const char *const severities[] = {
    [CTL_NOTE] = "note", [CTL_WARNING] = "warning", [CTL_ERROR] = "error"};

static const char *date_of(int64_t seconds, char out[32])
{
    time_t when = (time_t)seconds;
    struct tm tm;

    out[0] = 0;
    if (gmtime_r(&when, &tm))
        (void)strftime(out, 32, "%Y-%m-%d %H:%M UTC", &tm);
    return out;
}

/* What a certificate says about itself is anybody's text. */
static void put_line(struct buf *out, const char *title, const char *text)
{
    char clean[CTL_CERT_TEXT * 2];

    buf_printf(out, "   %-10s %s\n", title,
               text_printable(span_str(text), clean, sizeof(clean)));
}

static void put_cert(const struct ctl_cert *cert, size_t i, int64_t now,
                     struct buf *out)
{
    char from[32], to[32];
    int64_t days = ctl_cert_days(cert, now);

    buf_printf(out, "%zu. %s\n", i + 1, i == 0 ? "the server's" : "its chain");
    put_line(out, "subject", cert->subject);
    if (cert->names[0])
        put_line(out, "names", cert->names);
    put_line(out, "issuer", cert->issuer);
    buf_printf(out, "   %-10s %s to %s, %lld days left\n", "valid",
               date_of(cert->not_before, from), date_of(cert->not_after, to),
               (long long)days);
    put_line(out, "key", cert->key);
    buf_printf(out, "   %-10s %s\n", "sha-256", cert->fingerprint);
}

void ctl_cert_print(const struct ctl_cert_report *report, const char *file,
                    int64_t now, struct buf *out)
{
    char id[32];

    buf_printf(out, "%s\n", file);
    for (size_t i = 0; i < report->n; i++)
        put_cert(&report->certs[i], i, now, out);
    if (report->has_key)
        buf_put_str(out, "   the private key belongs to certificate 1\n");
    for (size_t i = 0; i < report->n_findings; i++) {
        const struct ctl_finding *f = &report->findings[i];

        buf_printf(out, "%s %s: %s\n", severities[f->severity],
                   ctl_cert_id(f->id, id), f->text);
    }
}

static void json_number(struct buf *out, int64_t value)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%lld", (long long)value);
    buf_put_str(out, text);
}

static void json_cert(const struct ctl_cert *cert, int64_t now, struct buf *out)
{
    json_open(out, '{');
    json_key(out, "subject");
    json_str(out, cert->subject);
    json_key(out, "names");
    json_str(out, cert->names);
    json_key(out, "issuer");
    json_str(out, cert->issuer);
    json_key(out, "not_before");
    json_number(out, cert->not_before);
    json_key(out, "not_after");
    json_number(out, cert->not_after);
    json_key(out, "days_left");
    json_number(out, ctl_cert_days(cert, now));
    json_key(out, "key");
    json_str(out, cert->key);
    json_key(out, "sha256");
    json_str(out, cert->fingerprint);
    json_close(out, '}');
}

void ctl_cert_print_json(const struct ctl_cert_report *report, const char *file,
                         int64_t now, struct buf *out)
{
    char id[32];

    json_open(out, '{');
    json_key(out, "file");
    json_str(out, file);
    json_key(out, "certificates");
    json_open(out, '[');
    for (size_t i = 0; i < report->n; i++)
        json_cert(&report->certs[i], now, out);
    json_close(out, ']');
    json_key(out, "key_matches");
    json_bool(out, report->has_key);
    json_key(out, "findings");
    json_open(out, '[');
    for (size_t i = 0; i < report->n_findings; i++) {
        json_open(out, '{');
        json_key(out, "id");
        json_str(out, ctl_cert_id(report->findings[i].id, id));
        json_key(out, "severity");
        json_str(out, severities[report->findings[i].severity]);
        json_key(out, "text");
        json_str(out, report->findings[i].text);
        json_close(out, '}');
    }
    json_close(out, ']');
    json_close(out, '}');
}
