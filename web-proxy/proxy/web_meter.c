/* SPDX-License-Identifier: MIT */
#include "proxy/web_meter.h"

#include "base/mem.h"

enum { LINE = 64 };

struct web_meter {
    unsigned refs;
    unsigned n;
    size_t stride; /* bytes from block to block: whole cache lines */
    uint8_t *blocks;
    uint8_t memory[];
};

struct web_meter *web_meter_new(unsigned workers)
{
    size_t stride = (sizeof(struct web_meter_block) + LINE - 1) / LINE * LINE;
    struct web_meter *m = mem_zalloc(sizeof(*m) + workers * stride + LINE);

    if (!m)
        return NULL;
    m->refs = 1;
    m->n = workers;
    m->stride = stride;
    m->blocks = m->memory + (LINE - (uintptr_t)m->memory % LINE) % LINE;
    return m;
}

struct web_meter *web_meter_ref(struct web_meter *m)
{
    __atomic_add_fetch(&m->refs, 1, __ATOMIC_RELAXED);
    return m;
}

void web_meter_unref(struct web_meter *m)
{
    if (m && __atomic_sub_fetch(&m->refs, 1, __ATOMIC_ACQ_REL) == 0)
        mem_free(m);
}

struct web_meter_block *web_meter_block(struct web_meter *m, unsigned worker)
{
    if (!m || worker >= m->n)
        return NULL;
    return (struct web_meter_block *)(void *)(m->blocks + worker * m->stride);
}

void web_meter_answer(struct web_meter_block *block, int status)
{
    if (block && status >= 100 && status < 600)
        stats_inc(&block->answers[status / 100 - 1]);
}

void web_meter_read(const struct web_meter *m, struct web_meter_block *ret_sum)
{
    *ret_sum = (struct web_meter_block){0};
    for (unsigned i = 0; i < m->n; i++) {
        const struct web_meter_block *b =
            (const struct web_meter_block *)(const void *)(m->blocks +
                                                           i * m->stride);

        for (unsigned k = 0; k < WEB_METER_CLASSES; k++)
            ret_sum->answers[k] += stats_get(&b->answers[k]);
        ret_sum->bytes_in += stats_get(&b->bytes_in);
        ret_sum->bytes_out += stats_get(&b->bytes_out);
        histogram_sum(&ret_sum->first, &b->first);
        histogram_sum(&ret_sum->whole, &b->whole);
    }
}
