/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_figures.h"

#include "base/mem.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

/* A 401 is how every TURN client begins, a 438 how it goes on after an hour:
 * no refusals. */
static const struct ctl_figure figures[] = {
    {"web-proxy", "connections", CTL_NOW, "sessions"},
    {"web-proxy", "WebSockets", CTL_NOW, "tunnels"},
    {"web-proxy", "to back ends", CTL_NOW, "links"},
    {"web-proxy", "requests", CTL_RATE, "requests"},
    {"web-proxy", "answered 4xx/5xx", CTL_RATE, "answered_4xx answered_5xx"},
    {"web-proxy", "back-end failures", CTL_RATE,
     "upstream_* -upstream_connects -upstream_reused"},
    {"web-proxy", "refused", CTL_RATE, "bad_requests sessions_full refused_*"},
    {"sip-proxy", "connections", CTL_NOW, "flows"},
    {"sip-proxy", "transactions", CTL_NOW,
     "transactions_invite_client transactions_client "
     "transactions_invite_server transactions_server"},
    {"sip-proxy", "registrations", CTL_RATE, "registers"},
    {"sip-proxy", "calls tried", CTL_RATE, "invites"},
    {"sip-proxy", "calls answered", CTL_RATE, "answers"},
    {"sip-proxy", "server failures", CTL_RATE, "server_failures failovers"},
    {"sip-proxy", "refused", CTL_RATE,
     "malformed unknown_source flows_refused refused_*"},
    {"turn-server", "allocations", CTL_NOW,
     "allocations_udp allocations_tcp allocations_tls allocations_dtls"},
    {"turn-server", "connections", CTL_NOW, "connections"},
    {"turn-server", "allocations made", CTL_RATE, "allocations_opened"},
    {"turn-server", "packets relayed", CTL_RATE,
     "relayed_to_peer relayed_to_client"},
    {"turn-server", "bits relayed", CTL_BITS, "bytes_to_peer bytes_to_client"},
    {"turn-server", "dropped", CTL_RATE, "drop_*"},
    {"turn-server", "refused", CTL_RATE, "refused_* -refused_401 -refused_438"},
};

const struct ctl_figure *ctl_figure_at(const char *program, size_t n)
{
    for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
        if (strcmp(figures[i].program, program) == 0 && n-- == 0)
            return &figures[i];
    }
    return NULL;
}

static bool matches(struct span pattern, const char *name)
{
    if (pattern.len && pattern.ptr[pattern.len - 1] == '*')
        return strlen(name) >= pattern.len - 1 &&
               memcmp(name, pattern.ptr, pattern.len - 1) == 0;
    return span_is(pattern, name);
}

static bool is_field_of(const struct ctl_figure *figure, const char *name)
{
    struct span rest = span_str(figure->fields), pattern;
    bool found = false;

    while (span_next(&rest, ' ', &pattern)) {
        if (span_starts(pattern, "-") && matches(span_from(pattern, 1), name))
            return false;
        found = found || matches(pattern, name);
    }
    return found;
}

static uint64_t number_of(const cJSON *item)
{
    return cJSON_IsNumber(item) && item->valuedouble > 0
               ? (uint64_t)item->valuedouble
               : 0;
}

uint64_t ctl_figure_sum(const struct ctl_figure *figure,
                        const struct cJSON *status)
{
    const cJSON *stats = cJSON_GetObjectItemCaseSensitive(status, "stats");
    const cJSON *item;
    uint64_t sum = 0;

    cJSON_ArrayForEach(item, stats)
    {
        if (is_field_of(figure, item->string))
            sum += number_of(item);
    }
    return sum;
}

double ctl_figure_rate(uint64_t before, uint64_t after, uint64_t ms)
{
    if (after < before || ms == 0)
        return 0;
    return (double)(after - before) * 1000 / (double)ms;
}

struct reason {
    const char *name;
    uint64_t count;
};

static int by_count(const void *a, const void *b)
{
    const struct reason *x = a, *y = b;

    return x->count < y->count ? 1 : x->count > y->count ? -1 : 0;
}

/* "refused_route" is "route" where it says why something was refused. */
static const char *short_name(const char *name)
{
    static const char *const prefixes[] = {"refused_", "drop_", "upstream_"};

    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return name + strlen(prefixes[i]);
    }
    return name;
}

void ctl_figure_reasons(const struct ctl_figure *figure,
                        const struct cJSON *status, size_t max, struct buf *out)
{
    const cJSON *stats = cJSON_GetObjectItemCaseSensitive(status, "stats");
    const cJSON *item;
    struct reason reasons[64];
    size_t n = 0;

    cJSON_ArrayForEach(item, stats)
    {
        uint64_t count = number_of(item);

        if (count > 0 && n < ARRAY_SIZE(reasons) &&
            is_field_of(figure, item->string))
            reasons[n++] = (struct reason){short_name(item->string), count};
    }
    qsort(reasons, n, sizeof(reasons[0]), by_count);
    for (size_t i = 0; i < n && i < max; i++)
        buf_printf(out, "%s%s %llu", i ? ", " : "", reasons[i].name,
                   (unsigned long long)reasons[i].count);
}
