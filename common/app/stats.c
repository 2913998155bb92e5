/* SPDX-License-Identifier: MIT */
#include "app/stats.h"

#include "app/json.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>

/* Workers never write to a line of another's (or its neighbour's, which the
 * processor fetches in pairs). */
enum { LINE = 128 };

struct stats {
    const char *prefix;
    struct stats_list list;
    size_t blocks;
    size_t stride; /* bytes from block to block */
    void *memory;
    uint8_t *first; /* in `memory`, aligned */
};

static size_t round_up(size_t n)
{
    return (n + LINE - 1) / LINE * LINE;
}

int stats_new(struct stats **ret_stats, const char *prefix,
              const struct stats_list *list, size_t blocks)
{
    struct stats *stats = mem_zalloc(sizeof(*stats));

    if (!stats)
        return -ENOMEM;
    stats->prefix = prefix;
    stats->list = *list;
    stats->blocks = blocks;
    stats->stride = round_up(list->n ? list->n * sizeof(uint64_t) : 1);
    stats->memory = mem_zarray(blocks + 1, stats->stride);
    if (!stats->memory) {
        mem_free(stats);
        return -ENOMEM;
    }
    stats->first = (uint8_t *)stats->memory;
    stats->first += (LINE - (uintptr_t)stats->first % LINE) % LINE;
    *ret_stats = stats;
    return 0;
}

void stats_free(struct stats *stats)
{
    if (!stats)
        return;
    mem_free(stats->memory);
    mem_free(stats);
}

void *stats_block(struct stats *stats, size_t block)
{
    assert(block < stats->blocks);
    return stats->first + block * stats->stride;
}

/* A gauge may be raised by one worker and lowered by another: the parts wrap,
 * the sum is right. */
uint64_t stats_sum(const struct stats *stats, size_t index)
{
    uint64_t sum = 0;

    assert(index < stats->list.n);
    for (size_t i = 0; i < stats->blocks; i++) {
        const void *block = stats->first + i * stats->stride;

        sum += stats_get((const uint64_t *)block + index);
    }
    return sum;
}

uint64_t stats_sum_of(const struct stats *stats, const char *field)
{
    for (size_t i = 0; i < stats->list.n; i++) {
        if (strcmp(stats->list.defs[i].field, field) == 0)
            return stats_sum(stats, i);
    }
    return 0;
}

static const char *suffix_of(const struct stats_def *def)
{
    return def->kind == STATS_COUNTER ? "_total" : "";
}

static void write_metric(const struct stats *stats, size_t index,
                         struct buf *out)
{
    const struct stats_def *def = &stats->list.defs[index];
    const char *suffix = suffix_of(def);

    if (index == 0 ||
        strcmp(stats->list.defs[index - 1].name, def->name) != 0) {
        buf_printf(out, "# HELP %s_%s%s %s\n", stats->prefix, def->name, suffix,
                   def->help);
        buf_printf(out, "# TYPE %s_%s%s %s\n", stats->prefix, def->name, suffix,
                   def->kind == STATS_COUNTER ? "counter" : "gauge");
    }
    buf_printf(out, "%s_%s%s", stats->prefix, def->name, suffix);
    if (def->labels[0])
        buf_printf(out, "{%s}", def->labels);
    buf_put_byte(out, ' ');
    buf_put_u64(out, stats_sum(stats, index));
    buf_put_byte(out, '\n');
}

void stats_write_metrics(const struct stats *stats, struct buf *out)
{
    for (size_t i = 0; i < stats->list.n; i++)
        write_metric(stats, i, out);
}

void stats_write_json(const struct stats *stats, struct buf *out)
{
    json_open(out, '{');
    for (size_t i = 0; i < stats->list.n; i++) {
        json_key(out, stats->list.defs[i].field);
        json_u64(out, stats_sum(stats, i));
    }
    json_close(out, '}');
}
