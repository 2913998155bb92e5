/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_report.h"

#include "app/json.h"
#include "base/err.h"
#include "base/mem.h"
#include "ctl/ctl_figures.h"
#include "ctl/ctl_table.h"

#include <cjson/cJSON.h>
#include <stdio.h>

enum { REASONS_SHOWN = 4, NUMBER_SIZE = 32 };

const char *const ctl_daemon_names[CTL_DAEMONS] = {"web-proxy", "sip-proxy",
                                                   "turn-server"};

void ctl_answer_deinit(struct ctl_answer *answer)
{
    cJSON_Delete(answer->status);
    mem_free(answer->reasons);
    *answer = (struct ctl_answer){.name = answer->name};
}

const char *ctl_answer_text(const struct ctl_answer *answer, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(answer->status, key);

    return cJSON_IsString(item) ? item->valuestring : "";
}

uint64_t ctl_answer_number(const struct ctl_answer *answer, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(answer->status, key);

    return cJSON_IsNumber(item) && item->valuedouble > 0
               ? (uint64_t)item->valuedouble
               : 0;
}

/* ---- status ---- */

static void put_row(struct ctl_table *table, const struct ctl_answer *a)
{
    char up[NUMBER_SIZE];

    ctl_table_put(table, "%s", a->name);
    if (a->err) {
        ctl_table_put(table, "%s", "no answer");
        for (size_t i = 2; i < table->columns; i++)
            ctl_table_put(table, "-");
        return;
    }
    ctl_table_put(table, "%s", ctl_answer_text(a, "state"));
    ctl_table_put(table, "%s", a->ready ? "yes" : "no");
    ctl_table_put(table, "%s",
                  ctl_time_str(ctl_answer_number(a, "uptime"), up, sizeof(up)));
    ctl_table_put(table, "%llu",
                  (unsigned long long)ctl_answer_number(a, "sessions"));
    ctl_table_put(table, "%llu",
                  (unsigned long long)ctl_answer_number(a, "workers"));
    ctl_table_put(table, "%llu",
                  (unsigned long long)ctl_answer_number(a, "pid"));
    ctl_table_put(table, "%s", ctl_answer_text(a, "version"));
    ctl_table_put(table, "%s", ctl_answer_text(a, "config_loaded"));
}

static void put_lines(const char *name, const char *lines, struct buf *out)
{
    struct span rest = span_str(lines), line;

    while (span_next(&rest, '\n', &line)) {
        if (!line.len)
            continue;
        buf_printf(out, "%s: not ready: ", name);
        ctl_screen(line, out);
        buf_put_byte(out, '\n');
    }
}

/* Media servers that do not answer their probes. */
static void put_servers(const struct ctl_answer *a, struct buf *out)
{
    const cJSON *servers =
        cJSON_GetObjectItemCaseSensitive(a->status, "media_servers");
    const cJSON *item;

    cJSON_ArrayForEach(item, servers)
    {
        const cJSON *address =
            cJSON_GetObjectItemCaseSensitive(item, "address");
        const cJSON *group = cJSON_GetObjectItemCaseSensitive(item, "group");

        if (cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(item, "up")) &&
            cJSON_IsString(address) && cJSON_IsString(group))
            buf_printf(out, "%s: media server %s of group %s is down\n",
                       a->name, address->valuestring, group->valuestring);
    }
}

void ctl_report_status(const struct ctl_answer *answers, size_t n,
                       struct buf *out)
{
    static const char *const titles[] = {
        "DAEMON",   "STATE", "READY",   "UP",           ">SESSIONS",
        ">WORKERS", ">PID",  "VERSION", "CONFIG LOADED"};
    struct ctl_table table;

    ctl_table_init(&table, titles, ARRAY_SIZE(titles));
    for (size_t i = 0; i < n; i++)
        put_row(&table, &answers[i]);
    ctl_table_print(&table, CTL_TEXT, out);
    ctl_table_deinit(&table);
    for (size_t i = 0; i < n; i++) {
        if (answers[i].err)
            buf_printf(out, "%s: %s\n", answers[i].name,
                       err_str(answers[i].err));
        if (answers[i].reasons)
            put_lines(answers[i].name, answers[i].reasons, out);
        put_servers(&answers[i], out);
    }
}

static void json_lines(const char *lines, struct buf *out)
{
    struct span rest = span_str(lines ? lines : ""), line;

    json_open(out, '[');
    while (span_next(&rest, '\n', &line)) {
        if (line.len)
            json_string(out, line);
    }
    json_close(out, ']');
}

void ctl_report_status_json(const struct ctl_answer *answers, size_t n,
                            struct buf *out)
{
    json_open(out, '{');
    for (size_t i = 0; i < n; i++) {
        const struct ctl_answer *a = &answers[i];
        char *text = a->status ? cJSON_PrintUnformatted(a->status) : NULL;

        json_key(out, a->name);
        json_open(out, '{');
        if (a->err) {
            json_key(out, "error");
            json_str(out, err_str(a->err));
        } else {
            json_key(out, "ready");
            json_bool(out, a->ready);
            json_key(out, "reasons");
            json_lines(a->reasons, out);
            json_key(out, "status");
            buf_put_str(out, text ? text : "null");
        }
        json_close(out, '}');
        cJSON_free(text);
    }
    json_close(out, '}');
    buf_put_byte(out, '\n');
}

/* ---- top ---- */

/* "1234", "12.3k", "4.5M": at most five characters. */
static const char *short_number(double value, char out[NUMBER_SIZE])
{
    static const char units[] = " kMGT";
    size_t unit = 0;

    while (value >= 9999.5 && unit + 2 < sizeof(units)) {
        value /= 1000;
        unit++;
    }
    if (unit == 0)
        (void)snprintf(out, NUMBER_SIZE,
                       value < 10 && value > 0 ? "%.1f" : "%.0f", value);
    else
        (void)snprintf(out, NUMBER_SIZE, "%.1f%c", value, units[unit]);
    return out;
}

/* A gauge has no half. */
static const char *gauge_number(uint64_t value, char out[NUMBER_SIZE])
{
    if (value >= 10000)
        return short_number((double)value, out);
    (void)snprintf(out, NUMBER_SIZE, "%llu", (unsigned long long)value);
    return out;
}

static void put_figure(struct ctl_table *table, const struct ctl_figure *figure,
                       const struct ctl_answer *a,
                       const struct ctl_answer *before, uint64_t ms)
{
    uint64_t now = ctl_figure_sum(figure, a->status);
    unsigned times = figure->kind == CTL_BITS ? 8 : 1;
    char number[NUMBER_SIZE];
    struct buf why;

    ctl_table_put(table, "  %s", figure->name);
    if (figure->kind == CTL_NOW) {
        ctl_table_put(table, "%s", gauge_number(now, number));
        ctl_table_put(table, "%s", "");
        ctl_table_put(table, "%s", "");
    } else {
        ctl_table_put(table, "%s", "");
        if (before && before->status)
            ctl_table_put(
                table, "%s",
                short_number(times * ctl_figure_rate(
                                         ctl_figure_sum(figure, before->status),
                                         now, ms),
                             number));
        else
            ctl_table_put(table, "-");
        ctl_table_put(table, "%s", gauge_number(times * now, number));
    }
    buf_init(&why, 256);
    if (strchr(figure->fields, '*') || figure->kind == CTL_NOW)
        ctl_figure_reasons(figure, a->status,
                           strchr(figure->fields, ' ') ? REASONS_SHOWN : 0,
                           &why);
    ctl_table_put(table, "%.*s", SPAN_FMT(buf_span(&why)));
    buf_deinit(&why);
}

static void put_head(struct ctl_table *table, const struct ctl_answer *a)
{
    char up[NUMBER_SIZE];

    if (a->err) {
        ctl_table_put(table, "%s", a->name);
        for (unsigned i = 0; i < 3; i++)
            ctl_table_put(table, "%s", "");
        ctl_table_put(table, "no answer: %s", err_str(a->err));
        return;
    }
    ctl_table_put(table, "%s", a->name);
    for (unsigned i = 0; i < 3; i++)
        ctl_table_put(table, "%s", "");
    ctl_table_put(table, "%s, %s, up %s", ctl_answer_text(a, "state"),
                  a->ready ? "ready" : "NOT READY",
                  ctl_time_str(ctl_answer_number(a, "uptime"), up, sizeof(up)));
}

void ctl_report_top(const struct ctl_answer *answers,
                    const struct ctl_answer *before, size_t n, uint64_t ms,
                    struct buf *out)
{
    static const char *const titles[] = {"", ">now", ">per second",
                                         ">since start", ""};
    const struct ctl_figure *figure;
    struct ctl_table table;

    ctl_table_init(&table, titles, ARRAY_SIZE(titles));
    for (size_t i = 0; i < n; i++) {
        put_head(&table, &answers[i]);
        if (answers[i].err)
            continue;
        for (size_t f = 0; (figure = ctl_figure_at(answers[i].name, f)); f++)
            put_figure(&table, figure, &answers[i], before ? &before[i] : NULL,
                       ms);
    }
    ctl_table_print(&table, CTL_TEXT, out);
    ctl_table_deinit(&table);
}

static void json_figure(const struct ctl_figure *figure,
                        const struct ctl_answer *a,
                        const struct ctl_answer *before, uint64_t ms,
                        struct buf *out)
{
    uint64_t now = ctl_figure_sum(figure, a->status);
    unsigned times = figure->kind == CTL_BITS ? 8 : 1;

    json_key(out, figure->name);
    if (figure->kind == CTL_NOW) {
        json_u64(out, now);
        return;
    }
    json_open(out, '{');
    json_key(out, "total");
    json_u64(out, times * now);
    if (before && before->status) {
        uint64_t old = ctl_figure_sum(figure, before->status);
        double rate = ctl_figure_rate(old, now, ms);

        json_key(out, "per_second");
        buf_printf(out, "%.3f", times * rate);
    }
    json_close(out, '}');
}

void ctl_report_top_json(const struct ctl_answer *answers,
                         const struct ctl_answer *before, size_t n, uint64_t ms,
                         struct buf *out)
{
    const struct ctl_figure *figure;

    json_open(out, '{');
    for (size_t i = 0; i < n; i++) {
        const struct ctl_answer *a = &answers[i];

        json_key(out, a->name);
        json_open(out, '{');
        if (a->err) {
            json_key(out, "error");
            json_str(out, err_str(a->err));
        } else {
            json_key(out, "state");
            json_str(out, ctl_answer_text(a, "state"));
            json_key(out, "ready");
            json_bool(out, a->ready);
        }
        for (size_t f = 0; !a->err && (figure = ctl_figure_at(a->name, f)); f++)
            json_figure(figure, a, before ? &before[i] : NULL, ms, out);
        json_close(out, '}');
    }
    json_close(out, '}');
    buf_put_byte(out, '\n');
}
