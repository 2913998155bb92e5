/* SPDX-License-Identifier: MIT */
#include "proxy/sip_recent.h"

static struct span key_span(const struct sip_recent_key *key)
{
    return span_of(key->bytes, sizeof(key->bytes));
}

static struct sip_recent_item *item_of(struct list *node)
{
    return CONTAINER_OF(node, struct sip_recent_item, node);
}

void sip_recent_init(struct sip_recent *table, size_t item_size, size_t max,
                     const uint8_t seed[16])
{
    map_init(&table->map, max, seed);
    list_init(&table->order);
    table->item_size = item_size;
    table->max = max;
}

void sip_recent_deinit(struct sip_recent *table)
{
    LIST_FOREACH (node, &table->order) {
        mem_free(item_of(node));
    }
    list_init(&table->order);
    map_deinit(&table->map);
}

void *sip_recent_find(const struct sip_recent *table,
                      const struct sip_recent_key *key)
{
    return map_find(&table->map, key_span(key));
}

void *sip_recent_get(struct sip_recent *table, const struct sip_recent_key *key,
                     bool *ret_is_new)
{
    struct sip_recent_item *item = sip_recent_find(table, key);

    *ret_is_new = !item;
    if (item) {
        list_remove(&item->node);
        list_push_front(&table->order, &item->node);
        return item;
    }
    if (map_count(&table->map) >= table->max && !list_is_empty(&table->order))
        sip_recent_drop(table, item_of(table->order.prev));
    item = mem_zalloc(table->item_size);
    if (!item)
        return NULL;
    item->key = *key;
    if (map_put(&table->map, key_span(&item->key), item) < 0) {
        mem_free(item);
        return NULL;
    }
    list_push_front(&table->order, &item->node);
    return item;
}

void sip_recent_drop(struct sip_recent *table, struct sip_recent_item *item)
{
    (void)map_remove(&table->map, key_span(&item->key));
    list_remove(&item->node);
    mem_free(item);
}
