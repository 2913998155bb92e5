/* SPDX-License-Identifier: MIT */
#include "turn_realms.h"

#include "app/json.h"
#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const struct stats_def defs[] = {TURN_REALM_STATS(STATS_DEF)};

enum {
    FIGURES = ARRAY_SIZE(defs),
    LABEL_SIZE = 2 * TURN_REALM_NAME_MAX + 1,
};

_Static_assert(sizeof(struct turn_realm_stats) == FIGURES * sizeof(uint64_t),
               "a row for each figure, in the same order");

struct turn_realms {
    unsigned workers;
    uint32_t ids[TURN_REALMS_MAX]; /* slot → realm; 0: free. Slot 0 is the
                                      default realm's */
    /* What the figures were when the slot got its present realm. */
    uint64_t base[TURN_REALMS_MAX][FIGURES];
    struct turn_realm_stats blocks[]; /* TURN_REALMS_MAX of each worker */
};

int turn_realms_new(struct turn_realms **ret_realms, unsigned workers)
{
    struct turn_realms *realms =
        mem_zalloc(sizeof(*realms) + (size_t)workers * TURN_REALMS_MAX *
                                         sizeof(struct turn_realm_stats));

    if (!realms)
        return -ENOMEM;
    realms->workers = workers;
    *ret_realms = realms;
    return 0;
}

void turn_realms_free(struct turn_realms *realms)
{
    mem_free(realms);
}

static int find(const uint32_t ids[TURN_REALMS_MAX], uint32_t id)
{
    for (int i = 1; i < TURN_REALMS_MAX; i++) {
        if (ids[i] == id)
            return i;
    }
    return -1;
}

bool turn_realms_assign(const struct turn_realms *realms,
                        const struct turn_config *c,
                        uint8_t slots[TURN_REALMS_MAX])
{
    uint32_t ids[TURN_REALMS_MAX] = {0};
    size_t n = c->more_realms.n;

    if (n >= TURN_REALMS_MAX)
        return false;
    /* who is there keeps his place; then the others take what is free */
    for (size_t i = 0; i < n; i++) {
        uint32_t id = turn_realm_id(span_str(c->more_realms.items[i].name));
        int slot = find(realms->ids, id);

        slots[i] = slot > 0 ? (uint8_t)slot : 0;
        if (slot > 0)
            ids[slot] = id;
    }
    for (size_t i = 0; i < n; i++) {
        if (slots[i] != 0)
            continue;
        slots[i] = (uint8_t)find(ids, 0);
        ids[slots[i]] = turn_realm_id(span_str(c->more_realms.items[i].name));
    }
    return true;
}

static uint64_t sum(const struct turn_realms *realms, size_t slot, size_t i)
{
    uint64_t total = 0;

    for (size_t w = 0; w < realms->workers; w++) {
        const uint64_t *figures = (const uint64_t *)(const void *)&realms
                                      ->blocks[w * TURN_REALMS_MAX + slot];

        total += stats_get(&figures[i]);
    }
    return total - realms->base[slot][i];
}

void turn_realms_take(struct turn_realms *realms,
                      const struct turn_rules *rules)
{
    uint32_t ids[TURN_REALMS_MAX] = {0};

    for (size_t i = 0; i < rules->n_realms; i++)
        ids[rules->realms[i].slot] = rules->realms[i].id;
    for (size_t slot = 1; slot < TURN_REALMS_MAX; slot++) {
        if (ids[slot] == realms->ids[slot])
            continue;
        realms->ids[slot] = ids[slot];
        for (size_t i = 0; i < FIGURES; i++) {
            if (defs[i].kind == STATS_COUNTER) /* gauges go by themselves */
                realms->base[slot][i] += sum(realms, slot, i);
        }
    }
}

struct turn_realm_stats *turn_realms_block(struct turn_realms *realms,
                                           unsigned worker)
{
    return &realms->blocks[(size_t)worker * TURN_REALMS_MAX];
}

/* A label value: backslash, quote and newline are escaped. */
static const char *label(struct span name, char out[LABEL_SIZE])
{
    size_t n = 0;

    for (size_t i = 0; i < name.len && n + 3 < LABEL_SIZE; i++) {
        if (name.ptr[i] == '\\' || name.ptr[i] == '"')
            out[n++] = '\\';
        out[n++] = (char)name.ptr[i];
    }
    out[n] = '\0';
    return out;
}

void turn_realms_metrics(const struct turn_realms *realms,
                         const struct turn_rules *rules, struct buf *out)
{
    char text[LABEL_SIZE];

    for (size_t i = 0; i < FIGURES; i++) {
        bool is_counter = defs[i].kind == STATS_COUNTER;
        const char *end = is_counter ? "_total" : "";

        buf_printf(out,
                   "# HELP turn_server_%s%s %s\n# TYPE turn_server_%s%s %s\n",
                   defs[i].name, end, defs[i].help, defs[i].name, end,
                   is_counter ? "counter" : "gauge");
        for (size_t r = 0; r < rules->n_realms; r++)
            buf_printf(out, "turn_server_%s%s{realm=\"%s\"} %" PRIu64 "\n",
                       defs[i].name, end, label(rules->realms[r].name, text),
                       sum(realms, rules->realms[r].slot, i));
    }
}

static void put(struct buf *json, const char *key, uint64_t value)
{
    json_key(json, key);
    json_u64(json, value);
}

void turn_realms_status(const struct turn_realms *realms,
                        const struct turn_rules *rules, struct buf *json)
{
    json_key(json, "realms");
    json_open(json, '[');
    for (size_t r = 0; r < rules->n_realms; r++) {
        const struct turn_realm *realm = &rules->realms[r];

        json_open(json, '{');
        json_key(json, "name");
        json_string(json, realm->name);
        put(json, "users", turn_users_count(realm->users));
        put(json, "secrets", turn_users_secrets(realm->users));
        put(json, "token_keys",
            realm->tokens ? turn_tokens_count(realm->tokens) : 0);
        for (size_t i = 0; i < FIGURES; i++)
            put(json, defs[i].field, sum(realms, realm->slot, i));
        json_close(json, '}');
    }
    json_close(json, ']');
}
