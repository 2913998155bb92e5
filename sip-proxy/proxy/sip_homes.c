/* SPDX-License-Identifier: MIT */
#include "proxy/sip_homes.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>

struct entry {
    struct sip_home home; /* its tag is the key */
    struct list node;     /* in `gone`, or alone */
};

static struct span key_of(const uint64_t *tag)
{
    return span_of(tag, sizeof(*tag));
}

void sip_homes_init(struct sip_homes *homes, size_t max, const uint8_t seed[16])
{
    map_init(&homes->map, max, seed);
    list_init(&homes->gone);
}

void sip_homes_deinit(struct sip_homes *homes)
{
    struct entry *e;
    size_t pos = 0;

    while ((e = map_each(&homes->map, &pos)))
        mem_free(e);
    map_deinit(&homes->map);
    list_init(&homes->gone);
}

void sip_homes_clear(struct sip_homes *homes)
{
    size_t max = homes->map.max;
    uint8_t seed[16];

    memcpy(seed, homes->map.seed, sizeof(seed));
    sip_homes_deinit(homes);
    sip_homes_init(homes, max, seed);
}

const struct sip_home *sip_homes_find(const struct sip_homes *homes,
                                      uint64_t tag)
{
    const struct entry *e = map_find(&homes->map, key_of(&tag));

    return e ? &e->home : NULL;
}

static void drop(struct sip_homes *homes, struct entry *e)
{
    list_remove(&e->node);
    (void)map_remove(&homes->map, key_of(&e->home.tag));
    mem_free(e);
}

static struct entry *oldest(const struct sip_homes *homes)
{
    return list_is_empty(&homes->gone)
               ? NULL
               : CONTAINER_OF(list_first(&homes->gone), struct entry, node);
}

static void place(struct sip_homes *homes, struct entry *e)
{
    list_remove(&e->node);
    if (e->home.is_gone)
        list_push_back(&homes->gone, &e->node);
}

static int add(struct sip_homes *homes, const struct sip_home *home)
{
    struct entry *e = mem_zalloc(sizeof(*e));
    int err;

    if (!e)
        return -ENOMEM;
    e->home = *home;
    list_init(&e->node);
    err = map_put(&homes->map, key_of(&e->home.tag), e);
    if (err == ERR_LIMIT && oldest(homes)) {
        drop(homes, oldest(homes));
        err = map_put(&homes->map, key_of(&e->home.tag), e);
    }
    if (err < 0) {
        mem_free(e);
        return err;
    }
    place(homes, e);
    return 1;
}

/* The same in every worker, in whatever order it hears. */
static bool is_newer(const struct sip_home *a, const struct sip_home *b)
{
    if (a->worker == b->worker && a->flow == b->flow && a->stamp == b->stamp)
        return a->is_gone && !b->is_gone;
    return a->stamp != b->stamp ? a->stamp > b->stamp : a->worker > b->worker;
}

int sip_homes_put(struct sip_homes *homes, const struct sip_home *home)
{
    struct entry *e = map_find(&homes->map, key_of(&home->tag));

    if (!e)
        return add(homes, home);
    if (!is_newer(home, &e->home))
        return 0;
    e->home = *home;
    place(homes, e);
    return 1;
}

void sip_homes_sweep(struct sip_homes *homes, uint64_t before)
{
    struct entry *e;

    while ((e = oldest(homes)) && e->home.since <= before)
        drop(homes, e);
}
